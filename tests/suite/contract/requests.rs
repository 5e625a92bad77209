// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Requests as they should be.

use prost_types::Timestamp;
use weiche::proto::exchange;
use weiche::proto::types::{
    Address, Coding, Consent, ConsentEvidence, ConsentExplanation, ConsentGrant, ConsentGrantor, ConsentInformation, ConsentReference,
    ConsentTemplate, ConsentVoluntariness, ContactPoint, DataCategory, DocumentReference, GermanLevel, Household, Identifier, LanguageSkill, Need,
    PartialDate, Party, Person, PersonName, Purpose, Referral, ReferralState, SecrecyRelease, StatusChange,
};

pub const ID: &str = "0193b2c4-7d1e-4a6b-9c3d-0123456789ab";

pub fn party(institution: &str, unit: &str) -> Option<Party> {
    Some(Party { institution: institution.into(), unit: unit.into(), function: "Migrationsberatung".into() })
}

pub fn coding(system: &str, code: &str) -> Coding {
    Coding { system: system.into(), version: "1".into(), code: code.into(), display: "Erfunden".into() }
}

pub fn person(submission: &mut exchange::SubmitReferralRequest) -> &mut Person {
    submission.referral.as_mut().unwrap().subject.as_mut().unwrap()
}

/// A submission with something in every part.
pub fn submission() -> exchange::SubmitReferralRequest {
    let subject = Person {
        name: Some(PersonName { family: "Ždanović-Grün".into(), given: "Nur".into(), ..Default::default() }),
        birth_date: Some(PartialDate { year: 1991, month: 0, day: 0 }),
        nationalities: vec![coding("urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staatsangehoerigkeit", "000")],
        languages: vec![LanguageSkill { language: Some(coding("urn:iso:std:iso:639:-3", "ckb")), preferred: true, note: String::new() }],
        contact_points: vec![ContactPoint { system: "phone".into(), value: "+491713920012".into(), r#use: String::new(), r#unsafe: true }],
        address: Some(Address { postal_code: "28237".into(), municipality_key: "04011000".into(), ..Default::default() }),
        identifiers: vec![Identifier { system: "bg-nummer".into(), value: "00000BG0000000".into() }],
        ..Default::default()
    };
    let referral = Referral {
        sender_case_number: "HB-2026-00417".into(),
        subject_ref: "p-7f3a".into(),
        sender: Some(Party::default()),
        recipient: party("jobcenter-bremen", "vermittlung-mitte"),
        purpose: Purpose::JobSearch as i32,
        consent: Some(ConsentReference { consent_id: ID.into(), ..Default::default() }),
        authored_at: Some(Timestamp { seconds: 1_770_000_000, nanos: 0 }),
        subject: Some(subject),
        household: Some(Household { persons: 4, children: 2, ..Default::default() }),
        german: Some(GermanLevel { lowest: 3, highest: 4, ..Default::default() }),
        needs: vec![Need { topic: Some(coding("urn:weiche:codelist:topic", "FAM-N")), main: true, note: String::new() }],
        free_text: "ü".repeat(4000),
        documents: vec![DocumentReference { title: "Lebenslauf".into(), media_type: "application/pdf".into(), sha256: "0f".repeat(32) }],
        ..Default::default()
    };
    exchange::SubmitReferralRequest { request_id: ID.into(), referral: Some(referral), validate_only: false }
}

/// A record with everything that is always needed.
pub fn record() -> exchange::RecordConsentRequest {
    let consent = Consent {
        schema_version: "1".into(),
        consent_id: ID.into(),
        recorded_by_role: "beratung".into(),
        subject_ref: "p-7f3a".into(),
        controller: party("caritas-bremen", "beratung-mitte"),
        regime: 3,
        dpo_contact: "datenschutz@example.invalid".into(),
        grants: vec![ConsentGrant {
            recipient: party("jobcenter-bremen", "vermittlung-mitte"),
            purpose: Purpose::JobSearch as i32,
            categories: vec![DataCategory::Ident as i32, DataCategory::Health as i32],
            feedback_categories: vec![],
        }],
        special_categories_explicit: vec![DataCategory::Health as i32],
        secrecy_release: Some(SecrecyRelease {
            functions: vec!["Beratung".into()],
            professions: vec![4, 6],
            towards: vec!["jobcenter-bremen".into()],
        }),
        form: 1,
        evidence: Some(ConsentEvidence { media_type: "application/pdf".into(), sha256: "a0".repeat(32), location: "Akte 12".into() }),
        template: Some(ConsentTemplate { template_id: "standard".into(), version: "3".into(), text_sha256: "a1".repeat(32), language: "de".into() }),
        explanation: Some(ConsentExplanation { language: "ckb".into(), mode: 3, interpreter: 2, interpreter_secrecy_bound: true }),
        informed_of: Some(ConsentInformation::default()),
        voluntariness: Some(ConsentVoluntariness { collected_by: "caritas-bremen".into(), no_benefit_linkage: true, refusal_without_reason: false }),
        granted_at: Some(Timestamp { seconds: 1_770_000_000, nanos: 0 }),
        grantor: Some(ConsentGrantor { kind: 1, ..Default::default() }),
        ..Default::default()
    };
    exchange::RecordConsentRequest { request_id: ID.into(), consent: Some(consent) }
}

pub fn answer() -> exchange::AnswerReferralRequest {
    let change = StatusChange { referral_id: ID.into(), event_id: ID.into(), state: ReferralState::Accepted as i32, ..Default::default() };
    exchange::AnswerReferralRequest { request_id: ID.into(), change: Some(change) }
}
