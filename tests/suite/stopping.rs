// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! "When the answer to a withdrawal is there, nothing starts any more", over real sockets and mutual TLS: persons withdraw while their referrals are
//! being submitted, released and delivered. One observer (this process) notes when each answer arrived and when the recipient was called.
//!
//! `WEICHE_WITHDRAWALS` sets how many persons withdraw; the long run takes thousands.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost_reflect::{DynamicMessage, Value};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::channel;
use weiche::dialect::Dialects;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::Anchors;
use weiche::proto::audit::EntryKind;
use weiche::proto::exchange::consent_service_client::ConsentServiceClient;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, WithdrawConsentRequest, WithdrawConsentResponse};
use weiche::proto::types::{self, Purpose};

use crate::deliveries::{RECIPIENT, Site};

const CENTRE: &str = "caritas-bremen";
/// Referrals of each person: they leave one after the other, so that some wait while one is on its way.
const EACH: usize = 3;

/// A line of an institution to the gateway.
fn line(site: &Site, institution: &str) -> Channel {
    let pem = |name: &str| std::fs::read(site.dir.path().join("certs").join(name)).unwrap();
    let anchors = Anchors::from_pem(&pem("servers-ca.pem"), SystemClock.now()).unwrap();
    let credentials = Credentials::from_pem(&pem(&format!("institution/{institution}.pem")), &pem(&format!("institution/{institution}.key")));
    let tls = Arc::new(client_config(Some(credentials.unwrap()), &anchors, Expected::Host).unwrap());
    channel(&format!("https://127.0.0.1:{}", site.on().institutions().port()), tls).unwrap()
}

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn party(institution: &str, unit: &str) -> types::Party {
    types::Party { institution: institution.into(), unit: unit.into(), function: String::new() }
}

fn consent(person: &str) -> types::Consent {
    let categories = vec![types::DataCategory::Ident as i32, types::DataCategory::Topics as i32];
    types::Consent {
        schema_version: "1".into(),
        consent_id: id(),
        recorded_by_role: "beratung".into(),
        subject_ref: person.into(),
        controller: Some(party(CENTRE, "mbe-mitte")),
        regime: types::DataProtectionRegime::Kdg as i32,
        dpo_contact: "datenschutz@example.invalid".into(),
        grants: vec![types::ConsentGrant {
            recipient: Some(party(RECIPIENT, "vermittlung-bremen")),
            purpose: Purpose::JobSearch as i32,
            categories,
            feedback_categories: Vec::new(),
        }],
        secrecy_release: Some(types::SecrecyRelease {
            functions: vec!["Beratungsfachkraft".into()],
            professions: vec![6],
            towards: vec![RECIPIENT.into()],
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
        voluntariness: Some(types::ConsentVoluntariness { collected_by: CENTRE.into(), no_benefit_linkage: true }),
        granted_at: Some(prost_types::Timestamp { seconds: SystemClock.now().0 / 1000 - 3600, nanos: 0 }),
        grantor: Some(types::ConsentGrantor { kind: types::GrantorKind::Self_ as i32, ..Default::default() }),
        capability: types::ConsentCapability::AssessedCapable as i32,
        status: types::ConsentStatus::Active as i32,
        quality: types::ConsentQuality::CheckedOk as i32,
        ..Default::default()
    }
}

fn referral(person: &str, consent: &str) -> types::Referral {
    let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
    types::Referral {
        subject_ref: person.into(),
        sender: Some(party(CENTRE, "mbe-mitte")),
        recipient: Some(party(RECIPIENT, "vermittlung-bremen")),
        purpose: Purpose::JobSearch as i32,
        consent: Some(types::ConsentReference { consent_id: consent.into(), ..Default::default() }),
        subject: Some(types::Person { name: Some(name), ..Default::default() }),
        ..Default::default()
    }
}

/// The gateway's number of a referral, where the recipient's own contract has it.
fn number((path, bytes): &(String, bytes::Bytes)) -> String {
    let dialects = Dialects::embedded().unwrap();
    let (_, method) = dialects.method(path).unwrap();
    let call = DynamicMessage::decode(dialects.pool().get_message_by_name(&method.request).unwrap(), bytes.clone()).unwrap();
    let inside = |value: &Value| Some(value.as_message()?.get_field_by_name("vermittlungId")?.as_str()?.to_owned());
    call.fields().find_map(|(_, value)| inside(value)).unwrap()
}

/// One person's withdrawal: what was accepted before it, what it answered and when the answer was there.
struct Done {
    accepted: Vec<String>,
    answer: WithdrawConsentResponse,
    at: Instant,
}

/// Gives a consent, is referred several times, and withdraws at some moment of that, at the counter of somebody who is no party.
async fn person(number: usize, centre: Channel, counter: Channel) -> Done {
    let person = format!("p-{number}");
    let (mut consents, mut referrals) = (ConsentServiceClient::new(centre.clone()), ReferralServiceClient::new(centre));
    let consent = consent(&person);
    let consent_id = consent.consent_id.clone();
    let recorded = consents.record_consent(RecordConsentRequest { request_id: id(), consent: Some(consent) }).await.unwrap().into_inner();
    let submitting = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for _ in 0..EACH {
            let request = SubmitReferralRequest { request_id: id(), referral: Some(referral(&person, &consent_id)), validate_only: false };
            match referrals.submit_referral(request).await {
                Ok(answer) => accepted.push(answer.into_inner().referral_id),
                Err(status) => assert_eq!(status.get_details_error_info().unwrap().reason, "NOT_PERMITTED"),
            }
        }
        accepted
    });
    tokio::time::sleep(Duration::from_millis(number as u64 * 7 % 60)).await;
    let request = WithdrawConsentRequest { request_id: id(), withdrawal_code: recorded.withdrawal_code, ..Default::default() };
    // By the code at a counter, and once more at the centre, which is told what became of its referrals.
    ConsentServiceClient::new(counter).withdraw_consent(request).await.unwrap();
    let at = Instant::now();
    let again = WithdrawConsentRequest { request_id: id(), consent_id: recorded.consent_id, ..Default::default() };
    let answer = consents.withdraw_consent(again).await.unwrap().into_inner();
    Done { accepted: submitting.await.unwrap(), answer, at }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_starts_after_the_answer_to_a_withdrawal_has_arrived() {
    let persons = std::env::var("WEICHE_WITHDRAWALS").ok().and_then(|count| count.parse().ok()).unwrap_or(80);
    let mut site = Site::new().await;
    let (centre, counter) = (line(&site, CENTRE), line(&site, "awo-bremen"));
    let mut tasks = JoinSet::new();
    let mut done = Vec::new();
    for number in 0..persons {
        if tasks.len() >= 16 {
            done.push(tasks.join_next().await.unwrap().unwrap());
        }
        tasks.spawn(person(number, centre.clone(), counter.clone()));
    }
    done.extend(tasks.join_all().await);
    let quiet = || async {
        let queues = site.on().exchange().queues().await.unwrap();
        queues.get(RECIPIENT).is_none_or(|queue| queue.open == 0)
    };
    crate::deliveries::until("what may still leave has left", quiet).await;

    // The first call of the recipient for each referral, and those that are called back.
    let mut called = HashMap::<String, Instant>::new();
    for (call, at) in site.calls_with_times() {
        if call.0.ends_with("/VorgangEmpfangen") {
            called.entry(number(&call)).or_insert(at);
        }
    }
    let (mut stopped, mut before, mut in_flight) = (0, 0, 0);
    for person in &done {
        assert_eq!(person.answer.version, 2, "the second time changed nothing");
        for referral in &person.accepted {
            match called.get(referral) {
                None => stopped += 1,
                Some(at) if *at < person.at => before += 1,
                // Its start was in the log before the withdrawal; the bytes were on their way.
                Some(_) => in_flight += 1,
            }
        }
    }
    // What the observer cannot see, the order of the log tells: no release after the withdrawal, and whatever was released before it is called back.
    let (entries, mut withdrawn, mut released, mut recalls) = (site.log().await, HashSet::new(), HashSet::new(), HashSet::new());
    for entry in &entries {
        match entry.kind() {
            EntryKind::ConsentWithdrawn => drop(withdrawn.insert(entry.consent_id.clone())),
            EntryKind::Released if entry.detail == "referral" => {
                assert!(!withdrawn.contains(&entry.consent_id), "released after its consent was withdrawn");
                released.insert(entry.referral_id.clone());
            }
            EntryKind::RecallIssued => drop(recalls.insert(entry.referral_id.clone())),
            _ => {}
        }
    }
    assert_eq!(released, recalls, "what may have arrived is called back, and nothing else is");
    let started: HashSet<String> = released.iter().map(|id| uuid::Uuid::from_slice(id).unwrap().to_string()).collect();
    assert!(called.keys().all(|referral| started.contains(referral)), "the recipient has what was never released");
    println!("{persons} withdrawals: {before} referrals had arrived, {in_flight} were in flight, {stopped} never left");
    assert!(before + in_flight > 0 && stopped > 0, "the race was none: {before} {in_flight} {stopped}");
    site.end().await;
}
