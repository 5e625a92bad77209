// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use prost_types::Timestamp;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::agreement::Agreement;
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};
use crate::grpc::convert::consent::regime_to;
use crate::proto::types::{
    Consent, ConsentCapability, ConsentEvidence, ConsentExplanation, ConsentForm, ConsentGrant, ConsentGrantor, ConsentInformation, ConsentQuality,
    ConsentStatus, ConsentTemplate, ConsentVoluntariness, ExplanationMode, GrantorKind, InterpreterKind, Party, Purpose, SecrecyRelease,
};

/// What the parts of a consent are made from.
pub(super) struct Wanted<'a> {
    pub controller: &'a Party,
    pub subject_ref: &'a str,
    /// Recipient, purpose, data, and data that may come back.
    pub grants: Vec<(Party, Purpose, CategoryMask, CategoryMask)>,
    pub until: Option<Time>,
}

/// A signed consent of some days ago, everything as it should be; the case then breaks what it is about.
pub(super) fn consent(dice: &mut SmallRng, agreement: &Agreement, wanted: Wanted<'_>, now: Time) -> Option<Consent> {
    let member = agreement.member(&wanted.controller.institution.parse().ok()?)?;
    let template = agreement.texts().all().iter().find(|template| template.may_be_signed(now) && template.language == "de")?;
    // Full minutes: some systems have no seconds.
    let granted_at = Time(now.0 / 60_000 * 60_000 - dice.random_range(1..20) * 86_400_000);
    let all = wanted.grants.iter().fold(CategoryMask::EMPTY, |all, (_, _, data, back)| all | *data | *back);
    let towards: Vec<String> =
        wanted.grants.iter().map(|(recipient, ..)| recipient.institution.clone()).chain([wanted.controller.institution.clone()]).collect();
    Some(Consent {
        schema_version: "1".into(),
        consent_id: uuid(dice),
        recorded_by_role: "beratung".into(),
        subject_ref: wanted.subject_ref.into(),
        controller: Some(wanted.controller.clone()),
        regime: regime_to(member.regime).into(),
        dpo_contact: format!("datenschutz@{}.example.invalid", member.id),
        grants: wanted
            .grants
            .into_iter()
            .map(|(recipient, purpose, data, back)| ConsentGrant {
                recipient: Some(recipient),
                purpose: purpose.into(),
                categories: numbers(data),
                feedback_categories: numbers(back),
            })
            .collect(),
        special_categories_explicit: numbers(all & CategoryMask::SPECIAL),
        secrecy_release: Some(release(towards)),
        form: if dice.random_bool(0.8) { ConsentForm::WrittenSignature } else { ConsentForm::ElectronicQes }.into(),
        evidence: Some(ConsentEvidence {
            media_type: "application/pdf".into(),
            sha256: (0..32).map(|_| format!("{:02x}", dice.random::<u8>())).collect(),
            location: "Akte, Fach 3".into(),
        }),
        template: Some(ConsentTemplate {
            template_id: template.id.clone(),
            version: template.version.clone(),
            text_sha256: template.text_sha256.clone(),
            language: template.language.clone(),
        }),
        explanation: Some(ConsentExplanation {
            language: "de".into(),
            mode: ExplanationMode::InterpreterPresent.into(),
            interpreter: InterpreterKind::Professional.into(),
            interpreter_secrecy_bound: true,
        }),
        informed_of: Some(ConsentInformation {
            purpose: true,
            refusal_consequences: true,
            withdrawal: true,
            recipients: true,
            retention: true,
            rights: true,
            onward_duties: true,
        }),
        voluntariness: Some(ConsentVoluntariness {
            collected_by: wanted.controller.institution.clone(),
            no_benefit_linkage: true,
            refusal_without_reason: false,
        }),
        granted_at: Some(instant(granted_at)),
        valid_from: Some(instant(granted_at)),
        valid_until: wanted.until.map(instant),
        grantor: Some(ConsentGrantor { kind: GrantorKind::Self_.into(), ..ConsentGrantor::default() }),
        capability: ConsentCapability::AssessedCapable.into(),
        status: ConsentStatus::Active.into(),
        quality: ConsentQuality::CheckedOk.into(),
        ..Consent::default()
    })
}

/// The person said no, and nothing more is written down.
pub(super) fn refused(consent: &mut Consent) {
    consent.status = ConsentStatus::Refused.into();
    if let Some(voluntariness) = &mut consent.voluntariness {
        voluntariness.refusal_without_reason = true;
    }
}

/// Both parents consent for somebody who is not able to, until the day on which the person comes of age.
pub(super) fn by_parents(consent: &mut Consent, until: Time) {
    consent.capability = ConsentCapability::Under18NotCapable.into();
    consent.grantor = Some(ConsentGrantor {
        kind: GrantorKind::ParentBoth.into(),
        proof: "geburtsurkunde".into(),
        entitled_until: Some(instant(until)),
        ..ConsentGrantor::default()
    });
}

/// Counsellors are bound to secrecy (section 203(1) no. 4 and 6 StGB) and must be released, on the way back too.
fn release(towards: Vec<String>) -> SecrecyRelease {
    SecrecyRelease { functions: vec!["Beratungsfachkraft Migrationsberatung".into()], professions: vec![6], towards }
}

pub(super) fn numbers(mask: CategoryMask) -> Vec<i32> {
    mask.iter().map(Category::number).map(i32::from).collect()
}

pub(super) fn instant(at: Time) -> Timestamp {
    Timestamp { seconds: at.0.div_euclid(1000), nanos: 0 }
}

pub(super) fn uuid(dice: &mut SmallRng) -> String {
    uuid::Builder::from_random_bytes(dice.random()).into_uuid().to_string()
}
