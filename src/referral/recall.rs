// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{InstitutionId, ReferralId};
use crate::referral::StatusReason;

/// Which recall.
pub type RecallId = crate::id::DeliveryId;

/// What a recipient did about a recall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecallOutcome {
    /// Deleted.
    Deleted,
    /// Restricted (Art. 18 GDPR).
    Restricted,
    /// Kept because a law demands it.
    RetainedStatutory,
    /// Put right.
    Corrected,
}

/// A request to give up data (Art. 17(1)(b), 19 GDPR). It has the id of the delivery that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// Which.
    pub id: RecallId,
    /// Which referral.
    pub referral: ReferralId,
    /// Who is asked.
    pub recipient: InstitutionId,
    /// When it was issued.
    pub issued_at: Time,
    /// When the answer is due.
    pub due_at: Time,
    /// Why; none if it is older than this field.
    pub reason: Option<StatusReason>,
    /// What is no longer covered; empty: all.
    pub categories: CategoryMask,
    /// How often the recipient was reminded.
    pub reminders: u32,
    /// When it is reminded next; zero: never.
    pub remind_at: Time,
    /// The answer; none yet.
    pub answer: Option<RecallAnswer>,
}

/// The answer to a recall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallAnswer {
    /// What was done.
    pub outcome: RecallOutcome,
    /// The norm that demands keeping, sealed as text; empty otherwise.
    pub norm: String,
    /// When.
    pub at: Time,
}

crate::numbered::numbered!(RecallOutcome: Deleted Restricted RetainedStatutory Corrected);
