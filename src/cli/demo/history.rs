// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What happened, as the institutions saw it and as the log tells it: the only thing that the checks look at.

use bytes::Bytes;

use super::cases::{Expected, Situation};
use crate::dialect::CategoryMask;
use crate::proto::audit::Entry;
use crate::proto::exchange::DecisionReason;
use crate::proto::types::{Referral, StatusChange};

/// Everything that happened.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// What was submitted, in the order in which the gateway answered, and each person's in the order of sending.
    pub submissions: Vec<Submission>,
    /// What arrived, in the order in which it first came.
    pub arrivals: Vec<Arrived>,
    /// News that senders received.
    pub news: Vec<(String, StatusChange)>,
    /// Answers that recipients gave and the gateway took: referral, new state.
    pub answers: Vec<(String, i32)>,
    /// Recalls that recipients received: recipient, referral.
    pub recalls: Vec<(String, String)>,
    /// Referrals that were taken back, or whose consent was withdrawn, after they were delivered.
    pub to_recall: Vec<String>,
    /// What recipients did about recalls: referral, outcome.
    pub given_up: Vec<(String, i32)>,
    /// Receipts: of what, and their text.
    pub receipts: Vec<(String, String)>,
    /// The log, entry by entry, verified.
    pub log: Vec<Entry>,
    /// The bytes of its entries.
    pub leaves: Vec<Vec<u8>>,
    /// Things that should not have happened on the way, in words.
    pub surprises: Vec<String>,
}

/// One case as submitted.
#[derive(Debug, Clone)]
pub(super) struct Submission {
    /// Number of the case.
    pub case: usize,
    /// What it plays.
    pub situation: Situation,
    /// How it has to end.
    pub expected: Expected,
    /// Sending institution.
    pub sender: String,
    /// Receiving institution.
    pub recipient: String,
    /// The sender's reference of the person.
    pub person: String,
    /// What the sender's own message says.
    pub sent: Referral,
    /// What may go at most: consented and on the route.
    pub allowed: CategoryMask,
    /// What the gateway said.
    pub outcome: Outcome,
}

/// What the gateway said to a submission.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Taken.
    Accepted {
        /// The gateway's number.
        referral: String,
        /// What may go.
        granted: CategoryMask,
        /// What stays behind.
        withheld: CategoryMask,
        /// Fields that stay behind.
        fields: usize,
    },
    /// Refused by consent or agreement.
    Denied(DecisionReason),
    /// Refused for something else, in words.
    Failed(String),
}

/// One referral at its recipient.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// Who has it.
    pub institution: String,
    /// The gateway's number.
    pub referral: String,
    /// In the recipient's own words.
    pub native: Bytes,
    /// What they say.
    pub content: Referral,
    /// How often it came; stored once.
    pub times: u32,
}

impl Submission {
    /// The gateway's number, if it took it.
    pub(super) fn referral(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Accepted { referral, .. } => Some(referral),
            _ => None,
        }
    }
}

impl History {
    /// What arrived of a referral.
    pub(super) fn arrivals_of<'a>(&'a self, referral: &'a str) -> impl Iterator<Item = &'a Arrived> {
        self.arrivals.iter().filter(move |arrived| arrived.referral == referral)
    }
    /// Entries of the log about a referral, with their places.
    pub(super) fn entries_of<'a>(&'a self, referral: &str) -> impl Iterator<Item = (usize, &'a Entry)> {
        let id = uuid::Uuid::try_parse(referral).map(uuid::Uuid::into_bytes).ok();
        self.log.iter().enumerate().filter(move |(_, entry)| id.is_some_and(|id| entry.referral_id[..] == id))
    }
}
