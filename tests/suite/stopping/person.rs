// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Persons: each gives a consent, is referred, and withdraws.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::channel;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::Anchors;
use weiche::proto::exchange::consent_service_client::ConsentServiceClient;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, WithdrawConsentRequest, WithdrawConsentResponse};
use weiche::proto::types::{self, Purpose};

use super::{CENTRE, EACH, PULLS, TO};
use crate::deliveries::{RECIPIENT, Site};

/// Where a person withdraws, and what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// Everything, at the centre, which is told of all that it sent.
    AtTheCentre,
    /// What goes to the first recipient, at the centre. The other one goes on.
    OneRecipient,
    /// Everything, by the code, at a counter that learns nothing.
    ByCode,
    /// Everything, at the counter of whoever pulls, which is told of what it has.
    AtARecipient,
}

const HOW: [How; 4] = [How::AtTheCentre, How::OneRecipient, How::ByCode, How::AtARecipient];

/// One person's withdrawal: what was accepted, for whom, what the answer named, and when it was there.
pub struct Done {
    pub how: How,
    pub consent: String,
    pub accepted: Vec<(String, &'static str)>,
    pub answer: WithdrawConsentResponse,
    pub took: Duration,
    pub at: Instant,
}

impl Done {
    pub fn covers(&self, recipient: &str) -> bool {
        self.how != How::OneRecipient || recipient == TO[0].0
    }
    /// Whether the answer had to name what went to a recipient.
    pub fn tells_of(&self, recipient: &str) -> bool {
        match self.how {
            How::AtTheCentre | How::OneRecipient => self.covers(recipient),
            How::ByCode => false,
            How::AtARecipient => recipient == PULLS,
        }
    }
}

/// Gives a consent, is referred several times to both, and withdraws at some moment of that.
pub async fn withdraws(number: usize, lines: [Channel; 3]) -> Done {
    let (person, how) = (format!("p-{number}"), HOW[number % HOW.len()]);
    let [centre, counter, pulls] = lines;
    let consent = consent(&person);
    let consent_id = consent.consent_id.clone();
    let recorded = ConsentServiceClient::new(centre.clone())
        .record_consent(RecordConsentRequest { request_id: id(), consent: Some(consent) })
        .await
        .unwrap()
        .into_inner();
    let submitting = TO.map(|to| {
        let (mut referrals, person, consent) = (ReferralServiceClient::new(centre.clone()), person.clone(), consent_id.clone());
        tokio::spawn(async move {
            let mut accepted = Vec::new();
            for _ in 0..EACH {
                let request = SubmitReferralRequest { request_id: id(), referral: Some(referral(&person, &consent, to)), validate_only: false };
                match referrals.submit_referral(request).await {
                    Ok(answer) => accepted.push((answer.into_inner().referral_id, to.0)),
                    Err(status) => assert_eq!(status.get_details_error_info().unwrap().reason, "NOT_PERMITTED"),
                }
            }
            accepted
        })
    });
    tokio::time::sleep(Duration::from_millis(number as u64 * 7 % 90)).await;
    let request = WithdrawConsentRequest { request_id: id(), consent_id: consent_id.clone(), ..Default::default() };
    let (line, request) = match how {
        How::AtTheCentre => (centre.clone(), request),
        How::OneRecipient => {
            let scope = Some(types::WithdrawalScope { recipient: RECIPIENT.into(), ..Default::default() });
            (centre.clone(), WithdrawConsentRequest { scope, ..request })
        }
        How::ByCode => (counter, WithdrawConsentRequest { withdrawal_code: recorded.withdrawal_code, consent_id: String::new(), ..request }),
        How::AtARecipient => (pulls, request),
    };
    let asked = Instant::now();
    let answer = ConsentServiceClient::new(line).withdraw_consent(request).await.unwrap().into_inner();
    let (at, took) = (Instant::now(), asked.elapsed());
    let request = SubmitReferralRequest { request_id: id(), referral: Some(referral(&person, &consent_id, TO[0])), validate_only: false };
    let refused = ReferralServiceClient::new(centre).submit_referral(request).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "NOT_PERMITTED", "accepted after the answer");
    let mut accepted = Vec::new();
    for one in submitting {
        accepted.extend(one.await.unwrap());
    }
    Done { how, consent: consent_id, accepted, answer, took, at }
}

/// A line of an institution to the gateway.
pub fn line(site: &Site, institution: &str) -> Channel {
    line_to(&site.dir.path().join("certs"), site.on().institutions().port(), institution)
}

/// The same to a port of this machine.
pub fn line_to(certs: &Path, port: u16, institution: &str) -> Channel {
    let pem = |name: &str| std::fs::read(certs.join(name)).unwrap();
    let anchors = Anchors::from_pem(&pem("servers-ca.pem"), SystemClock.now()).unwrap();
    let credentials = Credentials::from_pem(&pem(&format!("institution/{institution}.pem")), &pem(&format!("institution/{institution}.key")));
    let tls = Arc::new(client_config(Some(credentials.unwrap()), &anchors, Expected::Host).unwrap());
    channel(&format!("https://127.0.0.1:{port}"), tls).unwrap()
}

pub fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn party(institution: &str, unit: &str) -> types::Party {
    types::Party { institution: institution.into(), unit: unit.into(), function: String::new() }
}

pub fn consent(person: &str) -> types::Consent {
    let grant = |(institution, unit)| types::ConsentGrant {
        recipient: Some(party(institution, unit)),
        purpose: Purpose::Recognition as i32,
        categories: vec![types::DataCategory::Ident as i32, types::DataCategory::Topics as i32],
        feedback_categories: Vec::new(),
    };
    types::Consent {
        schema_version: "1".into(),
        consent_id: id(),
        recorded_by_role: "beratung".into(),
        subject_ref: person.into(),
        controller: Some(party(CENTRE, "mbe-mitte")),
        regime: types::DataProtectionRegime::Kdg as i32,
        dpo_contact: "datenschutz@example.invalid".into(),
        grants: TO.map(grant).into(),
        secrecy_release: Some(types::SecrecyRelease {
            functions: vec!["Beratungsfachkraft".into()],
            professions: vec![6],
            towards: TO.map(|(institution, _)| institution.into()).into(),
        }),
        form: types::ConsentForm::WrittenSignature as i32,
        evidence: Some(types::ConsentEvidence { media_type: "application/pdf".into(), sha256: "a0".repeat(32), location: "Akte 12".into() }),
        template: Some(types::ConsentTemplate {
            template_id: "bremen-standard".into(),
            version: "3".into(),
            text_sha256: "79b04832c5f8a995a9d4a069cafa74e59fceb82d30e3e299be3730fffe8de40d".into(),
            language: "de".into(),
        }),
        explanation: Some(types::ConsentExplanation {
            language: "de".into(),
            mode: types::ExplanationMode::SelfRead as i32,
            interpreter: types::InterpreterKind::None as i32,
            interpreter_secrecy_bound: false,
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
        voluntariness: Some(types::ConsentVoluntariness { collected_by: CENTRE.into(), no_benefit_linkage: true, refusal_without_reason: false }),
        granted_at: Some(prost_types::Timestamp { seconds: SystemClock.now().0 / 1000 - 3600, nanos: 0 }),
        grantor: Some(types::ConsentGrantor { kind: types::GrantorKind::Self_ as i32, ..Default::default() }),
        capability: types::ConsentCapability::AssessedCapable as i32,
        status: types::ConsentStatus::Active as i32,
        quality: types::ConsentQuality::CheckedOk as i32,
        ..Default::default()
    }
}

pub fn referral(person: &str, consent: &str, (institution, unit): (&str, &str)) -> types::Referral {
    let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
    types::Referral {
        subject_ref: person.into(),
        sender: Some(party(CENTRE, "mbe-mitte")),
        recipient: Some(party(institution, unit)),
        purpose: Purpose::Recognition as i32,
        consent: Some(types::ConsentReference { consent_id: consent.into(), ..Default::default() }),
        subject: Some(types::Person { name: Some(name), ..Default::default() }),
        ..Default::default()
    }
}
