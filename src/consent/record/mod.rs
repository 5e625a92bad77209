// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Evidence of one person's consent, every field that the decision needs typed. After ISO/IEC TS 27560: a record with an event list.
//!
//! Kept as JSON. The scan stays at the institution, hash and location only. No reason for a refusal or withdrawal has a place here.

mod evidence;
mod history;

pub use evidence::{
    Explanation, ExplanationMode, Form, Information, InterpreterKind, Quality, Retention, Scan, SecrecyRelease, TemplateUse, Voluntariness,
};
pub use history::{Event, Scope, Status};

use std::fmt;

use super::grantor::{Capability, Grantor};
use crate::agreement::{DataProtectionRegime, Purpose};
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, InstitutionId, UnitId};

/// Random reference of a person, never a Kundennummer (section 51a SGB II). Compared, never shown: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SubjectRef(pub String);

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectRef(hidden)")
    }
}

/// An institution and a unit of it, and the function that is addressed there (never a person).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The member.
    pub institution: InstitutionId,
    /// Its centre, team or branch.
    pub unit: UnitId,
    /// Such as `Migrationsberatung`; for people, not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub function: String,
}

impl Party {
    /// Whether both name the same unit of the same institution.
    pub fn is(&self, other: &Party) -> bool {
        self.institution == other.institution && self.unit == other.unit
    }
}

/// One recipient, one purpose, the data for it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who may receive.
    pub recipient: Party,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub categories: CategoryMask,
    /// Which data the recipient may send back about the case.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub feedback: CategoryMask,
}

fn is_empty(mask: &CategoryMask) -> bool {
    mask.is_empty()
}

/// A consent in one version. An older version is never changed; a withdrawal makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Version of this shape, `1`.
    pub schema_version: String,
    /// Chosen by the institution.
    pub id: ConsentId,
    /// From 1; assigned by the gateway.
    pub version: u32,
    /// Number on the person's printed receipt; assigned by the gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub receipt_id: String,
    /// The consent that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ConsentId>,
    /// When this version was recorded; assigned by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// Role of the member of staff, never a name.
    pub recorded_by_role: String,
    /// The person.
    pub subject: SubjectRef,
    /// Who discloses.
    pub controller: Party,
    /// Law that the text cites.
    pub regime: DataProtectionRegime,
    /// A function's address.
    pub dpo_contact: String,
    /// What is permitted.
    pub grants: Vec<Grant>,
    /// Categories of Art. 9 and 10 GDPR ticked explicitly.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub special_explicit: CategoryMask,
    /// Release from secrecy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrecy_release: Option<SecrecyRelease>,
    /// How it was given.
    pub form: Form,
    /// Where the signed paper is.
    pub evidence: Scan,
    /// The text.
    pub template: TemplateUse,
    /// How it was explained.
    pub explanation: Explanation,
    /// What the person was told.
    pub informed_of: Information,
    /// Signs that it was voluntary.
    pub voluntariness: Voluntariness,
    /// When it was given.
    pub granted_at: Time,
    /// From when it holds; none in a submission: from `granted_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// Until when, exclusive; none in a submission: the agreement's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// Who gave it.
    pub grantor: Grantor,
    /// Ability to consent; none only for an adult with a Betreuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<Capability>,
    /// Where it stands.
    pub status: Status,
    /// Check of the scan.
    pub quality: Quality,
    /// When the evidence may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What happened to it, oldest first; written by the gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Event>,
    /// Restriction of processing (Art. 18 GDPR) is in force.
    #[serde(default)]
    pub restricted: bool,
}

impl Consent {
    /// Institutions that are party to it: any of them may pass on a withdrawal.
    pub fn parties(&self) -> impl Iterator<Item = &InstitutionId> {
        [&self.controller.institution, &self.voluntariness.collected_by]
            .into_iter()
            .chain(self.grants.iter().map(|grant| &grant.recipient.institution))
    }

    /// When another institution than the one that recorded it last passed on a withdrawal.
    pub fn withdrawn_elsewhere(&self) -> Option<Time> {
        let by_others = |event: &&Event| event.received_by.as_ref().is_some_and(|by| *by != self.controller.institution);
        self.history.iter().rev().find(by_others).map(|event| event.at)
    }
}
