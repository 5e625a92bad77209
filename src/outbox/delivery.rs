// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use crate::clock::Time;
use crate::id::{DeliveryId, InstitutionId, ReferralId};

/// Names one lease: every later step on the delivery must show it, so that a worker that slept too long changes nothing.
pub type LeaseToken = [u8; 16];

/// Names a lane: one person at one recipient.
pub type LaneId = [u8; 16];

/// 9999-12-30T00:00:00Z, the last day that every clock and library can name: parked until somebody says otherwise.
pub const FOREVER: Time = Time(253_402_128_000_000);
/// In the place of a code: an operator holds the delivery back.
const PARKED: &str = "PARKED";

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A referral to its recipient.
    Referral = 1,
    /// A change of state to the other side.
    Status = 2,
    /// A recall to a recipient.
    Recall = 3,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits until it is due and first in its lane.
    Ready = 1,
    /// Released and logged; its bytes may be on their way until the lease ends.
    Started = 2,
    /// The recipient has acknowledged.
    Delivered = 3,
    /// Given up; an operator decides.
    Dead = 4,
    /// Stopped before it started: consent withdrawn or ended, referral taken back.
    Stopped = 5,
}

/// One message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same on every attempt.
    pub id: DeliveryId,
    /// Order of acceptance, over all recipients.
    pub seq: i64,
    /// The referral it belongs to.
    pub referral: ReferralId,
    /// To whom.
    pub recipient: InstitutionId,
    /// Person and recipient.
    pub lane: LaneId,
    /// What.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Attempts begun; counted before the attempt, so that a message that kills its worker is given up too.
    pub attempts: u32,
    /// The same over its whole life, also after an operator has put it back. Zero: not a byte has ever left.
    pub begun: u32,
    /// Ready: not before. Started: when the lease ends.
    pub due_at: Time,
    /// Of the lease in force.
    pub token: Option<LeaseToken>,
    /// gRPC code of the last failure. Never the recipient's text, which could hold data of the person.
    pub last_error: String,
    /// When it was queued.
    pub accepted_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

impl Kind {
    /// From its number in the database.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Referral, Self::Status, Self::Recall].into_iter().find(|kind| *kind as i64 == number)
    }
    /// For operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Referral => "referral",
            Self::Status => "status",
            Self::Recall => "recall",
        }
    }
}

impl State {
    /// For operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "waiting",
            Self::Started => "started",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
        }
    }
    /// From its number in the database.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Ready, Self::Started, Self::Delivered, Self::Dead, Self::Stopped].into_iter().find(|state| *state as i64 == number)
    }
    /// Whether the delivery still holds its place in its lane.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Started)
    }
}

impl Delivery {
    /// Whether it may start now, as far as the queue is concerned: waiting and due, or started under a lease that has ended.
    pub fn is_due(&self, now: Time) -> bool {
        self.state.is_open() && self.due_at <= now
    }

    /// Starts an attempt under `token` until `until`. The caller has logged the release in the same transaction.
    pub fn start(&mut self, token: LeaseToken, until: Time, now: Time) {
        self.state = State::Started;
        self.attempts = self.attempts.saturating_add(1);
        self.begun = self.begun.saturating_add(1);
        self.token = Some(token);
        self.due_at = until;
        self.changed_at = now;
    }

    /// Whether `token` is the lease in force.
    pub fn is_held_by(&self, token: &LeaseToken) -> bool {
        self.state == State::Started && self.token.as_ref() == Some(token)
    }

    /// The attempt under way was never begun after all: not a byte has left.
    pub fn undo_start(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
        self.begun = self.begun.saturating_sub(1);
    }

    /// Whether the recipient has it, or may have it although no acknowledgement came back.
    pub fn may_have_arrived(&self) -> bool {
        self.begun > 0
    }

    /// Whether an operator put it back after it was given up: its attempts are counted anew, although bytes have left.
    pub fn was_put_back(&self) -> bool {
        self.state == State::Ready && self.attempts == 0 && self.begun > 0
    }

    /// Holds it back until `until`; what comes after it in its lane waits with it.
    pub fn park(&mut self, until: Time, now: Time) {
        self.finish(State::Ready, until, now);
        PARKED.clone_into(&mut self.last_error);
    }

    /// Lets it go again.
    pub fn unpark(&mut self, now: Time) {
        self.finish(State::Ready, now, now);
        self.last_error.clear();
    }

    /// Whether an operator holds it back.
    pub fn is_parked(&self, now: Time) -> bool {
        self.state == State::Ready && self.due_at > now && self.last_error == PARKED
    }

    /// Ends it, or puts it back with `State::Ready` to be due at `due_at`.
    pub fn finish(&mut self, state: State, due_at: Time, now: Time) {
        self.state = state;
        self.token = None;
        self.due_at = due_at;
        self.changed_at = now;
    }
}
