// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The outcome of an attempt. Only the lease in force may say it.

use super::Batch;
use super::journal::GATEWAY;
use crate::clock::Time;
use crate::exchange::apply::Answered;
use crate::exchange::command::{Outcome, Reply, Settle};
use crate::exchange::refusal::Refusal;
use crate::numbered::Numbered;
use crate::outbox::{Delivery, Kind, Next, State, after_failure};
use crate::proto::audit::EntryKind;
use crate::referral::{Actor, Referral, ReferralState, step};

/// What a leaf says of an attempt that was never begun: not a byte has left, and it does not count.
const RETURNED: &str = "RETURNED";

impl Batch<'_> {
    pub(super) fn settle(&mut self, c: &Settle) -> Result<Answered, Refusal> {
        let delivery = self.set.deliveries.get(&c.delivery).ok_or(Refusal::NotFound)?;
        if c.recipient.as_ref().is_some_and(|recipient| *recipient != delivery.recipient) {
            return Err(Refusal::NotFound);
        }
        if delivery.state == State::Delivered && matches!(c.outcome, Outcome::Delivered) {
            // Acknowledged twice: nothing more to do.
            return Ok(Answered::quiet(Reply::Settled));
        }
        if !delivery.is_held_by(&c.token) {
            return Err(Refusal::StaleLease);
        }
        let delivery = delivery.clone();
        let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
        // Recalled, taken back or ended meanwhile: what did not arrive is not tried again, and what waits behind it in its lane goes on.
        let pointless = delivery.kind == Kind::Referral && referral.state != ReferralState::Submitted;
        match &c.outcome {
            Outcome::Delivered => self.delivered(delivery, referral)?,
            Outcome::Failed { .. } if pointless => self.stop(&delivery, &referral, "")?,
            Outcome::Failed { failure, code, random } => match after_failure(*failure, delivery.attempts, *random) {
                Next::Dead => self.bury(&delivery, &referral, code)?,
                Next::Retry(pause) => self.put_back(&delivery, &referral, self.now.plus(pause), code)?,
            },
            Outcome::Returned => {
                if let Some(row) = self.set.deliveries.change(&c.delivery) {
                    row.undo_start();
                }
                if pointless { self.stop(&delivery, &referral, RETURNED)? } else { self.put_back(&delivery, &referral, self.now, RETURNED)? }
            }
            Outcome::Untold => {
                if let Some(row) = self.set.deliveries.change(&c.delivery) {
                    row.undo_start();
                }
                self.stop(&delivery, &referral, RETURNED)?;
            }
        }
        Ok(Answered::quiet(Reply::Settled))
    }

    /// The recipient has it: it said so, or it has answered.
    pub(super) fn delivered(&mut self, delivery: Delivery, mut referral: Referral) -> Result<(), Refusal> {
        self.finish(&delivery, State::Delivered, self.now, "")?;
        // A withdrawal may have overtaken the acknowledgement: then the referral stays recalled, and the recall is on its way.
        let moves = delivery.kind == Kind::Referral && step(referral.state, ReferralState::Delivered, Actor::Gateway, None).is_ok();
        if moves {
            (referral.state, referral.reason) = (ReferralState::Delivered, None);
        }
        let recipient = delivery.recipient.to_string();
        let mut entry = self.entry_of(EntryKind::Delivered, &recipient, &referral, &delivery)?;
        entry.detail = delivery.kind.name().to_owned();
        entry.state = if moves { referral.state.number() } else { 0 };
        let leaf = self.log(&entry);
        if moves {
            self.moved(&mut referral, *delivery.id.as_bytes(), GATEWAY, leaf);
            self.set.referrals.put(referral.id, referral);
        }
        Ok(())
    }

    /// To be tried again at `due_at`.
    fn put_back(&mut self, delivery: &Delivery, referral: &Referral, due_at: Time, code: &str) -> Result<(), Refusal> {
        self.finish(delivery, State::Ready, due_at, code)?;
        let mut entry = self.entry_of(EntryKind::AttemptFailed, GATEWAY, referral, delivery)?;
        entry.counterpart = delivery.recipient.to_string();
        entry.detail = code.to_owned();
        entry.until_ms = due_at.0;
        self.log(&entry);
        Ok(())
    }

    /// It will not be sent, or not again. `code`: [`RETURNED`] or nothing.
    pub(super) fn stop(&mut self, delivery: &Delivery, referral: &Referral, code: &str) -> Result<(), Refusal> {
        self.finish(delivery, State::Stopped, self.now, code)?;
        let mut entry = self.entry_of(EntryKind::DeliveryStopped, GATEWAY, referral, delivery)?;
        entry.detail = code.to_owned();
        self.log(&entry);
        Ok(())
    }

    /// Gives a delivery up. The lane goes on past the gap that this leaf marks; an operator can put it back.
    pub(super) fn bury(&mut self, delivery: &Delivery, referral: &Referral, code: &str) -> Result<(), Refusal> {
        self.finish(delivery, State::Dead, self.now, code)?;
        let mut entry = self.entry_of(EntryKind::Dead, GATEWAY, referral, delivery)?;
        entry.counterpart = delivery.recipient.to_string();
        entry.detail = code.to_owned();
        self.log(&entry);
        Ok(())
    }

    fn finish(&mut self, delivery: &Delivery, state: State, due_at: Time, code: &str) -> Result<(), Refusal> {
        let now = self.now;
        let row = self.set.deliveries.change(&delivery.id).ok_or(Refusal::Internal("a delivery is missing"))?;
        row.finish(state, due_at, now);
        code.clone_into(&mut row.last_error);
        Ok(())
    }
}
