// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::time::Duration;

use crate::agreement::{LegalBasis, TextsError};
use crate::consent::{Denial, Problem};
use crate::dialect::TranslateError;
use crate::referral::StepError;

/// Why a use case was not carried out. Expected answers, not faults; the edge alone turns them into statuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A field is missing or wrong: canonical path and what it must be.
    #[error("{path}: {rule}")]
    Field {
        /// Canonical path.
        path: String,
        /// What it must be.
        rule: String,
    },
    /// Several fields of a consent are wrong.
    #[error("the consent has {} problems", .0.len())]
    Consent(Vec<Problem>),
    /// The content cannot be put into the recipient's words, or is no message at all.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// The request names no consent, and the route needs one.
    #[error("the referral names no consent, and this route needs one")]
    ConsentReferenceMissing,
    /// Consent or agreement say no. Logged; only the sender learns this much.
    #[error("not permitted: {:?}", .denial.reason)]
    Denied {
        /// Why.
        denial: Denial,
        /// Basis that the route would have had.
        legal_basis: Option<LegalBasis>,
    },
    /// It is not there, or it is not the caller's: the same answer.
    #[error("not found")]
    NotFound,
    /// The id was used for another content.
    #[error("this request id was used for another content; take a new one for a new call")]
    RequestIdReused,
    /// The referral cannot make this step.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The lease is no longer the one in force.
    #[error("the lease has ended or another one is in force; the item comes again")]
    StaleLease,
    /// It is not in the state that the call presumes.
    #[error("{}", .0.why)]
    WrongState(Obstacle),
    /// A text that people agree to cannot be approved or revoked like this.
    #[error(transparent)]
    Text(#[from] TextsError),
    /// What was decided outside the writer no longer holds: prepare again. Never leaves the exchange.
    #[error("the decision changed while the call was being prepared")]
    Changed,
    /// Too much at once.
    #[error("the gateway is busy; try again after {0:?}")]
    Overloaded(Duration),
    /// Room on the disk is short; what can wait has to.
    #[error("the gateway runs out of storage and accepts nothing new; withdrawals, acknowledgements and answers go on")]
    Full,
    /// Too many withdrawal codes that nobody was given.
    #[error("too many wrong withdrawal codes came from this institution; try again after {0:?}, or withdraw by the consent's id")]
    TooManyCodes(Duration),
    /// The gateway is about to stop.
    #[error("the gateway is stopping; try again at once, another instance answers")]
    Draining,
    /// Database or log cannot be written: nothing is accepted and nothing is sent.
    #[error("the store cannot be written")]
    Unavailable,
    /// Our fault.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// What stands against a call, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle {
    /// In English.
    pub why: &'static str,
    /// In German, for whoever sits at the desk.
    pub german: &'static str,
}

impl Refusal {
    pub(super) const fn wrong_state(why: &'static str, german: &'static str) -> Self {
        Self::WrongState(Obstacle { why, german })
    }
}

impl From<crate::vault::VaultError> for Refusal {
    fn from(_: crate::vault::VaultError) -> Self {
        Self::Internal("the vault cannot seal or open")
    }
}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Self {
        // The writer has said so, once for all.
        if !matches!(error, crate::store::StoreError::Lost) {
            tracing::error!(%error, "store");
        }
        Self::Unavailable
    }
}
