// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A consent for the contract.

use super::*;

/// A consent for the contract.
pub fn consent_to(consent: &Consent) -> types::Consent {
    types::Consent {
        schema_version: consent.schema_version.clone(),
        consent_id: consent.id.to_string(),
        version: consent.version,
        receipt_id: consent.receipt_id.clone(),
        supersedes: consent.supersedes.map(|id| id.to_string()).unwrap_or_default(),
        created_at: consent.created_at.map(time_to),
        recorded_by_role: consent.recorded_by_role.clone(),
        subject_ref: consent.subject.0.clone(),
        controller: Some(party_to(&consent.controller)),
        regime: regime_to(consent.regime) as i32,
        dpo_contact: consent.dpo_contact.clone(),
        grants: consent
            .grants
            .iter()
            .map(|grant| types::ConsentGrant {
                recipient: Some(party_to(&grant.recipient)),
                purpose: purpose_to(grant.purpose) as i32,
                categories: mask_to(grant.categories),
                feedback_categories: mask_to(grant.feedback),
            })
            .collect(),
        special_categories_explicit: mask_to(consent.special_explicit),
        secrecy_release: consent.secrecy_release.as_ref().map(|release| types::SecrecyRelease {
            functions: release.functions.clone(),
            professions: release.professions.clone(),
            towards: release.towards.iter().map(ToString::to_string).collect(),
        }),
        form: form_to(consent.form) as i32,
        evidence: Some(types::ConsentEvidence {
            media_type: consent.evidence.media_type.clone(),
            sha256: consent.evidence.sha256.clone(),
            location: consent.evidence.location.clone(),
        }),
        template: Some(types::ConsentTemplate {
            template_id: consent.template.id.clone(),
            version: consent.template.version.clone(),
            text_sha256: consent.template.text_sha256.clone(),
            language: consent.template.language.clone(),
        }),
        explanation: Some(types::ConsentExplanation {
            language: consent.explanation.language.clone(),
            mode: mode_to(consent.explanation.mode) as i32,
            interpreter: interpreter_to(consent.explanation.interpreter) as i32,
            interpreter_secrecy_bound: consent.explanation.interpreter_secrecy_bound,
        }),
        informed_of: Some(types::ConsentInformation {
            purpose: consent.informed_of.purpose,
            refusal_consequences: consent.informed_of.refusal_consequences,
            withdrawal: consent.informed_of.withdrawal,
            recipients: consent.informed_of.recipients,
            retention: consent.informed_of.retention,
            rights: consent.informed_of.rights,
            onward_duties: consent.informed_of.onward_duties,
        }),
        voluntariness: Some(types::ConsentVoluntariness {
            collected_by: consent.voluntariness.collected_by.to_string(),
            no_benefit_linkage: consent.voluntariness.no_benefit_linkage,
            refusal_without_reason: consent.voluntariness.refusal_without_reason,
        }),
        granted_at: Some(time_to(consent.granted_at)),
        valid_from: consent.valid_from.map(time_to),
        valid_until: consent.valid_until.map(time_to),
        grantor: Some(types::ConsentGrantor {
            kind: grantor_kind_to(consent.grantor.kind) as i32,
            areas: consent.grantor.areas.clone(),
            reservation_of_consent: consent.grantor.reservation_of_consent,
            proof: consent.grantor.proof.clone(),
            entitled_until: consent.grantor.entitled_until.map(time_to),
        }),
        capability: consent.capability.map_or(0, |capability| capability_to(capability) as i32),
        status: status_to(consent.status) as i32,
        quality: quality_to(consent.quality) as i32,
        retention: consent.retention.as_ref().map(|retention| types::ConsentRetention {
            delete_after: Some(types::PartialDate {
                year: retention.delete_after.year,
                month: retention.delete_after.month,
                day: retention.delete_after.day,
            }),
            basis: retention.basis.clone(),
        }),
        history: consent
            .history
            .iter()
            .map(|event| types::ConsentEvent {
                at: Some(time_to(event.at)),
                status: status_to(event.status) as i32,
                version: event.version,
                received_by: event.received_by.as_ref().map(ToString::to_string).unwrap_or_default(),
                channel: event.channel.clone(),
                withdrawn: event.withdrawn.as_ref().map(scope_to),
            })
            .collect(),
        restricted: consent.restricted,
    }
}
