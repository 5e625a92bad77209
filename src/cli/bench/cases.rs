// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a benchmark sends: one plausible person's referral of some 1.3 KB per invented person, rendered once into the sender's dialect.
//! Between calls only the request id in the bytes changes, so that the load costs the machine as little as it can.

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::clock::Time;
use crate::dialect::codelist::CodeLists;
use crate::dialect::{CategoryMask, Dialect, Dialects, Method, TranslateError};
use crate::exchange::timestamp;
use crate::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, SubmitReferralsRequest};
use crate::proto::types;

/// The id that stands in a rendered request until it is replaced.
const PLACEHOLDER: Uuid = Uuid::from_u128(0x0f1e_2d3c_4b5a_4978_8796_a5b4_c3d2_e1f0);

/// Who sends in a benchmark, and how.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Member of the agreement.
    pub institution: Cow<'static, str>,
    /// Its unit.
    pub unit: &'static str,
    /// Its contract.
    dialect: &'static str,
    /// The canonical method behind its own.
    method: &'static str,
}

/// Makes a call for every referral.
pub const CALLING: Sender = Sender {
    institution: Cow::Borrowed("awo-bremen"),
    unit: "mbe-groepelingen",
    dialect: "awo",
    method: "weiche.exchange.v1.ReferralService.SubmitReferral",
};
/// Sends many through a stream that stays open.
pub const STREAMING: Sender = Sender {
    institution: Cow::Borrowed("drk-bremen"),
    unit: "mbe-vegesack",
    dialect: "drk",
    method: "weiche.exchange.v1.ReferralService.SubmitReferrals",
};

impl Sender {
    /// Another member like this one.
    pub fn like(self, institution: String) -> Self {
        Self { institution: institution.into(), ..self }
    }

    /// Whether it keeps a stream open.
    pub fn streams(&self) -> bool {
        self.method == STREAMING.method
    }

    /// Its contract, and what it calls in it.
    pub fn speaks<'a>(&self, dialects: &'a Dialects) -> Result<(&'a Dialect, &'a Method), BuildError> {
        let dialect = dialects.get(self.dialect).ok_or(BuildError::NoMethod)?;
        Ok((dialect, dialect.implementing(self.method).ok_or(BuildError::NoMethod)?))
    }

    /// The canonical request of its method.
    fn request(&self, submission: SubmitReferralRequest) -> Vec<u8> {
        if self.streams() { SubmitReferralsRequest { submission: Some(submission) }.encode_to_vec() } else { submission.encode_to_vec() }
    }
}

/// A rendered request whose id can be replaced.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    at: usize,
}

impl Template {
    fn new(bytes: &[u8]) -> Option<Self> {
        let needle = PLACEHOLDER.to_string();
        let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes())?;
        Some(Self { bytes: bytes.to_vec(), at })
    }

    /// The request with an id of its own.
    pub fn with(&self, id: Uuid) -> Bytes {
        let mut bytes = self.bytes.clone();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        id.hyphenated().encode_lower(&mut text);
        bytes[self.at..self.at + text.len()].copy_from_slice(&text);
        bytes.into()
    }

    /// Size of the request in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// An invented person with a consent.
#[derive(Debug, Clone)]
pub struct Person {
    number: usize,
    sender: Sender,
    consent: Uuid,
}

impl Person {
    /// The sender's person with this number, with the same consent whenever it is asked for.
    pub fn new(sender: Sender, number: usize) -> Self {
        Self { number, sender, consent: uuid::Builder::from_random_bytes((number as u128).to_be_bytes()).into_uuid() }
    }

    fn subject_ref(&self) -> String {
        format!("bench-{:08}", self.number)
    }

    /// A consent for a recipient.
    pub fn consent(&self, to: &Recipient, now: Time) -> RecordConsentRequest {
        let party = |institution: &str, unit: &str| types::Party { institution: institution.into(), unit: unit.into(), function: String::new() };
        let categories: Vec<i32> = CategoryMask::ALL.iter().map(|category| i32::from(category.number())).filter(|n| !(20..=23).contains(n)).collect();
        let grant = types::ConsentGrant {
            recipient: Some(party(&to.institution, to.unit)),
            purpose: to.purpose.into(),
            categories,
            feedback_categories: vec![],
        };
        let granted = now.minus(std::time::Duration::from_secs(24 * 3600));
        RecordConsentRequest {
            request_id: Uuid::new_v4().to_string(),
            consent: Some(types::Consent {
                schema_version: "1".into(),
                consent_id: self.consent.to_string(),
                recorded_by_role: "beratung".into(),
                subject_ref: self.subject_ref(),
                controller: Some(party(&self.sender.institution, self.sender.unit)),
                regime: types::DataProtectionRegime::GdprBdsg.into(),
                dpo_contact: "datenschutz@awo.example.invalid".into(),
                grants: vec![grant],
                secrecy_release: Some(types::SecrecyRelease {
                    functions: vec!["Beratungsfachkraft Migrationsberatung".into()],
                    professions: vec![6],
                    towards: vec![to.institution.to_string()],
                }),
                form: types::ConsentForm::WrittenSignature.into(),
                evidence: Some(types::ConsentEvidence { media_type: "application/pdf".into(), sha256: "ab".repeat(32), location: "Akte".into() }),
                template: Some(types::ConsentTemplate {
                    template_id: "bremen-standard".into(),
                    version: "3".into(),
                    text_sha256: "79b04832c5f8a995a9d4a069cafa74e59fceb82d30e3e299be3730fffe8de40d".into(),
                    language: "de".into(),
                }),
                explanation: Some(types::ConsentExplanation {
                    language: "ar".into(),
                    mode: types::ExplanationMode::InterpreterPresent.into(),
                    interpreter: types::InterpreterKind::Professional.into(),
                    interpreter_secrecy_bound: true,
                }),
                informed_of: Some(types::ConsentInformation {
                    purpose: true,
                    refusal_consequences: true,
                    withdrawal: true,
                    recipients: true,
                    retention: true,
                    rights: true,
                    onward_duties: true,
                }),
                voluntariness: Some(types::ConsentVoluntariness {
                    collected_by: self.sender.institution.to_string(),
                    no_benefit_linkage: true,
                    refusal_without_reason: false,
                }),
                granted_at: Some(timestamp(granted)),
                grantor: Some(types::ConsentGrantor { kind: types::GrantorKind::Self_.into(), ..Default::default() }),
                capability: types::ConsentCapability::AssessedCapable.into(),
                status: types::ConsentStatus::Active.into(),
                quality: types::ConsentQuality::CheckedOk.into(),
                ..Default::default()
            }),
        }
    }

    /// The person's referral in the sender's dialect.
    pub fn submission(&self, dialects: &Dialects, to: &Recipient) -> Result<Template, BuildError> {
        let referral = Some(self.referral(dialects.lists(), to));
        let request = SubmitReferralRequest { request_id: PLACEHOLDER.to_string(), referral, validate_only: false };
        let (dialect, method) = self.sender.speaks(dialects)?;
        let (native, _) = dialect.render(&method.request, &self.sender.request(request), CategoryMask::ALL)?;
        Template::new(&native).ok_or(BuildError::NoRequestId)
    }

    fn referral(&self, lists: &CodeLists, to: &Recipient) -> types::Referral {
        let coding = |system: &str, version: &str, code: &str, display: &str| types::Coding {
            system: system.into(),
            version: version.into(),
            code: code.into(),
            display: display.into(),
        };
        let code = |list: &str, code: &str| match lists.list(list) {
            Some(list) => coding(list.uri(), list.version(), code, ""),
            None => coding("", "", code, ""),
        };
        types::Referral {
            sender_case_number: format!("HB-2026-{:05}", self.number),
            subject_ref: self.subject_ref(),
            sender: Some(types::Party { institution: self.sender.institution.to_string(), unit: self.sender.unit.into(), function: String::new() }),
            recipient: Some(types::Party { institution: to.institution.to_string(), unit: to.unit.into(), function: String::new() }),
            purpose: to.purpose.into(),
            consent: Some(types::ConsentReference { consent_id: self.consent.to_string(), ..Default::default() }),
            authored_at: Some(prost_types::Timestamp { seconds: 1_772_442_900, nanos: 0 }),
            subject: Some(types::Person {
                name: Some(types::PersonName { family: "Ćirković-Yılmaz".into(), given: "Amina".into(), ..Default::default() }),
                birth_date: Some(types::PartialDate { year: 1991, month: 4, day: 17 }),
                gender: types::Gender::Female.into(),
                marital_status: types::MaritalStatus::Married.into(),
                nationalities: vec![code("nationality", "475")],
                languages: vec![
                    types::LanguageSkill { language: Some(code("language", "ara")), preferred: true, ..Default::default() },
                    types::LanguageSkill { language: Some(code("language", "kmr")), ..Default::default() },
                ],
                contact_points: vec![types::ContactPoint {
                    system: "phone".into(),
                    value: "+491713920012".into(),
                    r#use: "mobile".into(),
                    ..Default::default()
                }],
                address: Some(types::Address {
                    street: "Hinter der Mauer".into(),
                    house_number: "12".into(),
                    house_number_suffix: "a".into(),
                    postal_code: "28237".into(),
                    city: "Bremen".into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            residence: Some(types::Residence {
                title: Some(code("residence", "AE-25-2-S")),
                valid_until: Some(types::PartialDate { year: 2027, month: 4, day: 30 }),
                ..Default::default()
            }),
            german: Some(types::GermanLevel { lowest: types::CefrLevel::A2.into(), highest: types::CefrLevel::A2.into(), ..Default::default() }),
            needs: ["ARB", "ANE", "SPR", "BEH"].iter().map(|topic| types::Need { topic: Some(code("topic", topic)), ..Default::default() }).collect(),
            free_text: "Die Klientin ist seit 2015 in Bremen und sucht nach dem B2-Kurs eine Ausbildung. ".repeat(6),
            ..Default::default()
        }
    }
}

/// Whom a benchmark sends to.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Member of the agreement.
    pub institution: Cow<'static, str>,
    /// Its unit.
    pub unit: &'static str,
    /// A purpose that the agreement has for it.
    pub purpose: types::Purpose,
}

impl Recipient {
    /// Another member like this one.
    pub fn like(self, institution: String) -> Self {
        Self { institution: institution.into(), ..self }
    }
}

/// Called by the gateway.
pub const PUSHED: Recipient =
    Recipient { institution: Cow::Borrowed("jobcenter-bremen"), unit: "vermittlung-mitte", purpose: types::Purpose::JobSearch };
/// Pulls through its own stream.
pub const PULLING: Recipient =
    Recipient { institution: Cow::Borrowed("caritas-bremen"), unit: "mbe-mitte", purpose: types::Purpose::CounsellingReferral };

/// Why a request could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The sender's dialect has no such method.
    #[error("the sender's dialect has no method for this kind of submission")]
    NoMethod,
    /// The dialect has no place for the request id.
    #[error("the sender's dialect carries no request id")]
    NoRequestId,
    /// The dialect.
    #[error(transparent)]
    Translate(#[from] TranslateError),
}
