// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The promises, checked on what happened. Each check is a function of the history; what it returns is broken.

mod canaries;
mod content;
mod course;
mod order;
mod receipts;

use std::fmt;

pub(super) use canaries::{canaries, haystacks};

use super::history::History;
use crate::dialect::Dialects;
use crate::ledger::Policy;

/// What the gateway promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Promise {
    /// Every accepted referral is delivered exactly once, or ended by a reason in the log.
    NothingLostNothingTwice,
    /// Nothing reaches anybody that was denied, or whose consent ended before its release.
    NothingWithoutConsent,
    /// The recipient has what was sent, so far as consent and its own contract go, and nothing else.
    ExactContent,
    /// Each person's referrals reach a recipient in the order in which they were sent.
    InOrder,
    /// Every receipt proves its entry without the gateway.
    ReceiptsHold,
    /// Senders learn what became of their referrals, recipients what they have to give up.
    EverybodyIsTold,
    /// No data of a person in logs, metrics, the ledger or the database.
    NoTraces,
    /// Every case ends as its situation demands.
    AsDecided,
    /// The log verifies offline.
    LogVerifies,
}

impl Promise {
    /// All of them.
    pub(super) const ALL: [Promise; 9] = [
        Promise::NothingLostNothingTwice,
        Promise::NothingWithoutConsent,
        Promise::ExactContent,
        Promise::InOrder,
        Promise::ReceiptsHold,
        Promise::EverybodyIsTold,
        Promise::NoTraces,
        Promise::AsDecided,
        Promise::LogVerifies,
    ];

    /// In plain words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NothingLostNothingTwice => "every accepted referral was delivered exactly once, or ended by a reason in the log",
            Self::NothingWithoutConsent => "nothing was delivered that was denied, or whose consent had ended before its release",
            Self::ExactContent => "each recipient has what was sent, so far as consent and its own contract go, and nothing else",
            Self::InOrder => "each person's referrals arrived in the order of sending",
            Self::ReceiptsHold => "every receipt proves its entry with the log's key alone",
            Self::EverybodyIsTold => "senders were told what became of their referrals, recipients what to give up",
            Self::NoTraces => "no canary in program logs, metrics, ledger or database",
            Self::AsDecided => "every case ended as its consent and the agreement demand",
            Self::LogVerifies => "the exported log verifies offline",
        }
    }
}

/// A promise that was not kept, and by what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Broken {
    /// Which.
    pub promise: Promise,
    /// Where to look. No data of a person.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

/// What a check found.
#[derive(Debug, Default)]
struct Findings(Vec<Broken>);

impl Findings {
    fn broken(&mut self, promise: Promise, what: impl Into<String>) {
        self.0.push(Broken { promise, what: what.into() });
    }
    fn unless(&mut self, holds: bool, promise: Promise, what: impl FnOnce() -> String) {
        if !holds {
            self.broken(promise, what());
        }
    }
}

/// All checks that the history alone can answer.
pub(super) fn check(history: &History, dialects: &Dialects, policy: &Policy) -> Vec<Broken> {
    let mut findings = Findings::default();
    course::once(history, &mut findings);
    course::consented(history, &mut findings);
    course::told(history, &mut findings);
    course::as_decided(history, &mut findings);
    content::exact(history, dialects, &mut findings);
    order::in_order(history, &mut findings);
    receipts::hold(history, policy, &mut findings);
    findings.0
}

#[cfg(test)]
mod tests;
