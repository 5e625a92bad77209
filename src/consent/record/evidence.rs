// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How a consent came about: what was signed, how it was explained, that it was voluntary, and where the proof lies.

use crate::consent::grantor::Day;
use crate::id::InstitutionId;

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
    /// Of a refusal: only that it was is documented.
    #[serde(default)]
    pub refusal_without_reason: bool,
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
    pub delete_after: Day,
    /// Norm or rule.
    pub basis: String,
}
