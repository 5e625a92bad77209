// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where a consent stands, and what happened to it.

use crate::agreement::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::InstitutionId;

/// Where a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Asked for.
    Proposed,
    /// In force.
    Active,
    /// Withdrawn by the person.
    Withdrawn,
    /// Ended by time.
    Expired,
    /// Replaced.
    Superseded,
    /// Found not to hold.
    Invalidated,
    /// Refused by the person.
    Refused,
    /// Asked for and never answered.
    Lapsed,
    /// Recorded by mistake; the evidence is kept.
    EnteredInError,
}

/// What is withdrawn. Nothing set: everything. Reasons are never asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only towards this institution.
    #[serde(default)]
    pub recipient: Option<InstitutionId>,
    /// Only for this purpose. `STATUS_FEEDBACK` also ends what recipients may send back.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// Only these data; empty: all.
    #[serde(default)]
    pub categories: CategoryMask,
}

/// Something that happened to a consent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, on the gateway's clock.
    pub at: Time,
    /// The status that followed.
    pub status: Status,
    /// The version that followed.
    pub version: u32,
    /// Institution through which it came; none: the gateway itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_by: Option<InstitutionId>,
    /// How it came, such as `counter` or `letter`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// Of a withdrawal: what was withdrawn. It holds from `at` on and not backwards (Art. 7(3) GDPR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Scope>,
}
