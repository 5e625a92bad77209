// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Evidence of one person's consent, every field that the decision needs typed. After ISO/IEC TS 27560: a record with an event list.
//!
//! Kept as JSON. The scan stays at the institution, hash and location only. No reason for a refusal or withdrawal has a place here.

use std::fmt;

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

/// Release from secrecy under section 203(1) StGB: persons or functions towards institutions; an institution as such cannot be released.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecrecyRelease {
    /// Who is released, as functions.
    pub functions: Vec<String>,
    /// Numbers in section 203(1) StGB: 4 (counsellors) or 6 (social workers).
    pub professions: Vec<u32>,
    /// Towards whom.
    pub towards: Vec<InstitutionId>,
}

/// How consent was given (section 67b(2) SGB X).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Form {
    /// Signed on paper.
    WrittenSignature,
    /// Qualified electronic signature.
    ElectronicQes,
    /// Other electronic form.
    ElectronicSimple,
    /// Spoken and documented. Not enough for health data.
    OralDocumented,
}

/// Where the signed paper or file is; it stays at the institution.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Such as `application/pdf`.
    pub media_type: String,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
    /// Such as a file number at the institution.
    pub location: String,
}

/// The text that the person agreed to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateUse {
    /// Name of the template.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the text, 64 hex digits.
    pub text_sha256: String,
    /// BCP 47.
    pub language: String,
}

/// How the text was explained (Art. 7(2) GDPR).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// BCP 47.
    pub language: String,
    /// In which way.
    pub mode: ExplanationMode,
    /// Who interpreted.
    pub interpreter: InterpreterKind,
    /// The interpreter is bound to secrecy.
    pub interpreter_secrecy_bound: bool,
}

/// In which way a text was explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExplanationMode {
    /// Read by the person.
    SelfRead,
    /// Read aloud.
    ReadAloud,
    /// Interpreter in the room.
    InterpreterPresent,
    /// Interpreter on the phone.
    InterpreterPhone,
    /// Easy language.
    EasyLanguage,
    /// Sign language.
    SignLanguage,
}

/// Who interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InterpreterKind {
    /// Nobody.
    None,
    /// A professional.
    Professional,
    /// A volunteer.
    Volunteer,
    /// Staff.
    Staff,
    /// A relative: auditors look at these.
    Relative,
}

/// What the person was told (section 67b(2) sentence 3 SGB X, Art. 7(3) and 13 GDPR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Information {
    /// The purpose.
    pub purpose: bool,
    /// What refusing means.
    pub refusal_consequences: bool,
    /// That it can be withdrawn at any time.
    pub withdrawal: bool,
    /// Who receives data.
    pub recipients: bool,
    /// How long data are kept.
    pub retention: bool,
    /// Rights.
    pub rights: bool,
    /// That authorities may have to pass data on (section 87 AufenthG).
    pub onward_duties: bool,
}

/// Signs that it was voluntary (Art. 7(4) GDPR).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voluntariness {
    /// At whose counter it was given.
    pub collected_by: InstitutionId,
    /// No benefit depends on it.
    pub no_benefit_linkage: bool,
}

/// Who gave it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grantor {
    /// In which capacity.
    pub kind: GrantorKind,
    /// Aufgabenkreise of a Betreuer (section 1815 BGB).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// An Einwilligungsvorbehalt is ordered (section 1825 BGB).
    #[serde(default)]
    pub reservation_of_consent: bool,
    /// Proof that was seen, such as `betreuerausweis`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proof: String,
    /// Until when the grantor may speak for the person: the 18th birthday, the end of the Betreuung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitled_until: Option<Time>,
}

/// Who may consent (sections 1629, 1815, 1823 BGB). The Bedarfsgemeinschaft's representative (section 38 SGB II) may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GrantorKind {
    /// The person.
    #[serde(rename = "SELF")]
    Own,
    /// Both parents.
    ParentBoth,
    /// One parent with sole custody.
    ParentSole,
    /// Vormund.
    Guardian,
    /// Rechtlicher Betreuer.
    Betreuer,
}

/// What was found about the person's ability to consent (section 36 SGB I; consent is the person's own as soon as there is insight).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// Found able.
    AssessedCapable,
    /// Under 15.
    #[serde(rename = "UNDER_15")]
    Under15,
    /// Under 18 and not able.
    #[serde(rename = "UNDER_18_NOT_CAPABLE")]
    Under18NotCapable,
}

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

/// Check of the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Quality {
    /// Not checked.
    NotChecked,
    /// Checked and complete.
    CheckedOk,
    /// Checked, with defects: the consent does not count.
    CheckedDefects,
}

/// When the evidence may go.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Last day.
    pub delete_after: RetentionDay,
    /// Norm or rule.
    pub basis: String,
}

/// A day, month or year; the unknown parts are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionDay {
    /// 1 to 9999.
    pub year: i32,
    /// 1 to 12, or 0.
    pub month: i32,
    /// 1 to 31, or 0.
    pub day: i32,
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

    /// Whether the grantor could speak for the person at all (not: until when).
    ///
    /// Whoever is able consents alone, from 15 as a rule; parents and a Vormund only below that, and a Betreuer only within areas
    /// and only for somebody who was not found able. A representative's power ends, so its end must be known.
    pub(super) fn grantor_fits(&self) -> bool {
        let bounded = self.grantor.entitled_until.is_some();
        match self.grantor.kind {
            GrantorKind::Own => self.capability == Some(Capability::AssessedCapable),
            GrantorKind::ParentBoth | GrantorKind::ParentSole | GrantorKind::Guardian => {
                bounded && matches!(self.capability, Some(Capability::Under15 | Capability::Under18NotCapable))
            }
            GrantorKind::Betreuer => bounded && !self.grantor.areas.is_empty() && self.capability.is_none(),
        }
    }
}
