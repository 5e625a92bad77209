// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! "May I send this, what is left out, and why?" The counsellor's question, by either call, in the contract and in each institution's own words:
//! the answer is the same in German and in English, and nothing is sent. Over real sockets and mutual TLS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio_util::sync::CancellationToken;
use weiche::agreement::Purpose;
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Listeners, Running};
use weiche::cli::init;
use weiche::clock::{Clock as _, SystemClock, Time};
use weiche::consent::{Capability, Consent, Grant, Grantor, GrantorKind, Language, Party, Reason, data, explain, in_words};
use weiche::dialect::{Category, CategoryMask, Dialect, Dialects};
use weiche::exchange::ReminderKind;
use weiche::grpc::convert::consent::{mask_to, party_to};
use weiche::id::RequestId;
use weiche::numbered::Numbered;
use weiche::proto::exchange::{
    AnswerReferralRequest, AnswerReferralResponse, CheckConsentRequest, CheckConsentResponse, Decision, FieldOutcome, ListRemindersResponse,
    Reminder, SubmitReferralRequest, SubmitReferralResponse,
};
use weiche::proto::types::{self, StatusChange};
use weiche::referral::ReferralState;

use crate::onboarding::{Client, client};

/// Who asks, in which dialect, about whom.
const ASKING: [(&str, &str, &str); 6] = [
    ("awo-bremen/mbe-hemelingen", "awo", "caritas-bremen/mbe-mitte"),
    ("caritas-bremen/mbe-mitte", "caritas", "awo-bremen/mbe-hemelingen"),
    ("diakonie-bremen/mbe-neustadt", "diakonie", "awo-bremen/mbe-hemelingen"),
    ("drk-bremen/mbe-vegesack", "drk", "awo-bremen/mbe-hemelingen"),
    ("jobcenter-bremen/vermittlung-mitte", "jobcenter", "awo-bremen/mbe-hemelingen"),
    ("agentur-bremen-bremerhaven/vermittlung-bremen", "agentur", "awo-bremen/mbe-hemelingen"),
];
const PERSON: &str = "p-417";
/// A consent that nobody recorded.
const UNKNOWN: &str = "0193b2c4-7d1e-4a6b-9c3d-00000000ffff";

fn party(text: &str) -> Party {
    let (institution, unit) = text.split_once('/').unwrap();
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

/// What somebody is sent there for.
fn purpose(recipient: &Party) -> Purpose {
    let for_work = ["jobcenter", "agentur"].iter().any(|office| recipient.institution.as_str().starts_with(office));
    if for_work { Purpose::JobSearch } else { Purpose::CounsellingReferral }
}

/// The person consented to name and way of contact, and to nothing else.
async fn record(running: &Running, sender: &Party, recipient: &Party, given_by: GrantorKind) -> String {
    let mut consent: Consent = serde_json::from_str(include_str!("../cases/consent/base/full.json")).unwrap();
    let now = SystemClock.now();
    consent.id = weiche::id::ConsentId(uuid::Uuid::new_v4());
    (consent.supersedes, consent.retention, consent.valid_from, consent.valid_until) = (None, None, None, None);
    consent.granted_at = Time(now.0 - 24 * 3_600_000);
    consent.subject.0 = PERSON.into();
    consent.regime = running.exchange().agreement().member(&sender.institution).unwrap().regime;
    consent.controller = sender.clone();
    consent.voluntariness.collected_by = sender.institution.clone();
    let categories = Category::Ident.mask() | Category::Contact.mask();
    consent.grants = vec![Grant { recipient: recipient.clone(), purpose: purpose(recipient), categories, feedback: CategoryMask::EMPTY }];
    consent.special_explicit = CategoryMask::EMPTY;
    consent.secrecy_release.as_mut().unwrap().towards = vec![recipient.institution.clone(), sender.institution.clone()];
    let entitled_until = (given_by != GrantorKind::Own).then_some(Time(now.0 + 400 * 24 * 3_600_000));
    consent.grantor = Grantor { kind: given_by, areas: Vec::new(), reservation_of_consent: false, proof: "Urkunde".into(), entitled_until };
    consent.capability = Some(if given_by == GrantorKind::Own { Capability::AssessedCapable } else { Capability::Under15 });
    (consent.history, consent.restricted) = (Vec::new(), false);
    let content = consent.id.to_string();
    let recorded = running.exchange().record_consent(&sender.institution, RequestId::random(), consent, content.as_bytes()).await.unwrap();
    recorded.consent.to_string()
}

/// A referral that says more than the person consented to.
fn referral(sender: &Party, recipient: &Party, consent: &str, dialects: &Dialects) -> types::Referral {
    let list = dialects.lists().list("nationality").unwrap();
    let row = list.get("475").unwrap();
    let syria =
        types::Coding { system: list.uri().into(), version: list.version().into(), code: row.canonical().into(), display: row.label().into() };
    let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
    types::Referral {
        sender_case_number: "417".into(),
        subject_ref: PERSON.into(),
        sender: Some(party_to(sender)),
        recipient: Some(party_to(recipient)),
        purpose: purpose(recipient).number(),
        consent: Some(types::ConsentReference { consent_id: consent.into(), ..Default::default() }),
        subject: Some(types::Person { name: Some(name), nationalities: vec![syria], ..Default::default() }),
        ..Default::default()
    }
}

/// Says it in a dialect, and hears the answer in it.
async fn ask<A: Message + Default>(system: &Client, dialect: &Dialect, canonical: &str, question: &impl Message) -> A {
    let method = dialect.implementing(canonical).unwrap_or_else(|| panic!("{} has no {canonical}", dialect.name()));
    let (native, _) = dialect.render(&method.request, &question.encode_to_vec(), CategoryMask::ALL).unwrap();
    let answer: Bytes = system.unary(&method.path, native).await.unwrap_or_else(|status| panic!("{}: {status:?}", dialect.name()));
    A::decode(dialect.read(&method.response, &answer).unwrap().0).unwrap()
}

/// The same answer by either call, but that a referral says what it says. With the person's year of birth, if it is said.
async fn both(
    system: &Client,
    dialect: &Dialect,
    dialects: &Dialects,
    (sender, recipient): (&Party, &Party),
    consent: &str,
    born: Option<i32>,
) -> [Decision; 2] {
    let birth_date = born.map(|year| types::PartialDate { year, ..Default::default() });
    let question = CheckConsentRequest {
        consent_id: consent.into(),
        subject_ref: PERSON.into(),
        recipient: Some(party_to(recipient)),
        purpose: types::Purpose::CounsellingReferral as i32,
        categories: mask_to(Category::Ident.mask() | Category::Nationality.mask()),
        birth_date,
        municipality_key: String::new(),
    };
    let checked: CheckConsentResponse = ask(system, dialect, "weiche.exchange.v1.ConsentService.CheckConsent", &question).await;
    let mut referral = Some(referral(sender, recipient, consent, dialects));
    referral.as_mut().unwrap().subject.as_mut().unwrap().birth_date = birth_date;
    let question = SubmitReferralRequest { request_id: RequestId::random().to_string(), referral, validate_only: true };
    let validated: SubmitReferralResponse = ask(system, dialect, "weiche.exchange.v1.ReferralService.SubmitReferral", &question).await;
    assert_eq!((validated.referral_id.as_str(), validated.receipt.map(|receipt| receipt.text).unwrap_or_default().as_str()), ("", ""), "sent");
    [checked.decision.unwrap(), validated.decision.unwrap()]
}

fn in_both(say: impl Fn(Language) -> String) -> [String; 2] {
    [say(Language::De), say(Language::En)]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_go_what_stays_and_why_is_told_in_german_and_english_in_every_institutions_words() {
    let dir = tempfile::tempdir().unwrap();
    init::create(dir.path(), &init::Plan::default()).await.unwrap();
    let config = Config::load(&dir.path().join(init::CONFIG)).unwrap();
    let shutdown = CancellationToken::new();
    let running = gateway::run(config, Arc::new(SystemClock), Listeners::local().await.unwrap(), shutdown.clone()).await.unwrap();
    let dialects = running.exchange().dialects();
    for (sender, own, recipient) in ASKING {
        let (sender, recipient) = (party(sender), party(recipient));
        let system = client(&dir.path().join("certs"), running.institutions().port(), sender.institution.as_str(), dialects.clone());
        let consent = record(&running, &sender, &recipient, GrantorKind::Own).await;
        let of_parents = record(&running, &sender, &recipient, GrantorKind::ParentBoth).await;
        for name in [own, "canonical"] {
            let dialect = dialects.get(name).unwrap();
            for decision in both(&system, dialect, &dialects, (&sender, &recipient), &consent, None).await {
                let stays = [(Category::Nationality, Reason::CategoryNotCovered)];
                assert!(decision.permitted, "{own} {name}: {decision:?}");
                assert_eq!(decision.withheld, mask_to(Category::Nationality.mask()), "{own} {name}");
                let whole = [&decision.explanation_de, &decision.explanation_en];
                assert_eq!(whole, in_both(|language| in_words(Reason::Ok, &stays, language)).each_ref(), "{own} {name}");
                let [piece] = &decision.explanations[..] else { panic!("{own} {name}: {decision:?}") };
                assert_eq!(piece.reason, Reason::CategoryNotCovered.number());
                let explained = |language| explain(Reason::CategoryNotCovered, true, language);
                assert_eq!([&piece.data_de, &piece.data_en], in_both(|language| data(Category::Nationality, language).into()).each_ref());
                assert_eq!([&piece.why_de, &piece.why_en], in_both(|language| explained(language).why.into()).each_ref(), "{own} {name}");
                assert_eq!([&piece.next_de, &piece.next_en], in_both(|language| explained(language).next.into()).each_ref(), "{own} {name}");
            }
            for decision in both(&system, dialect, &dialects, (&sender, &recipient), UNKNOWN, None).await {
                assert_eq!((decision.permitted, decision.reason), (false, Reason::NoRecord.number()), "{own} {name}");
                let whole = [&decision.explanation_de, &decision.explanation_en];
                assert_eq!(whole, in_both(|language| in_words(Reason::NoRecord, &[], language)).each_ref(), "{own} {name}");
                let [piece] = &decision.explanations[..] else { panic!("{own} {name}: {decision:?}") };
                assert_eq!((piece.data_de.as_str(), piece.data_en.as_str()), ("", ""), "{own} {name}: it is about the whole");
                assert!(!piece.next_de.is_empty() && !piece.next_en.is_empty() && piece.next_de != piece.next_en, "{own} {name}");
            }
            // The record of the parents claims more than the date of birth allows: whoever says the date hears it from either call.
            for (born, reason) in [(None, Reason::Ok), (Some(1990), Reason::GrantorNotEntitled)] {
                for decision in both(&system, dialect, &dialects, (&sender, &recipient), &of_parents, born).await {
                    assert_eq!(decision.reason, reason.number(), "{own} {name}: born {born:?}");
                }
            }
        }
    }
    shutdown.cancel();
    running.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_is_told_in_its_own_words_what_of_it_the_sender_will_not_see() {
    let dir = tempfile::tempdir().unwrap();
    init::create(dir.path(), &init::Plan::default()).await.unwrap();
    let config = Config::load(&dir.path().join(init::CONFIG)).unwrap();
    let shutdown = CancellationToken::new();
    let running = gateway::run(config, Arc::new(SystemClock), Listeners::local().await.unwrap(), shutdown.clone()).await.unwrap();
    let dialects = running.exchange().dialects();
    let line = |who: &Party| client(&dir.path().join("certs"), running.institutions().port(), who.institution.as_str(), dialects.clone());
    for (answers, own, sends) in ASKING {
        let (sender, recipient) = (party(sends), party(answers));
        let consent = record(&running, &sender, &recipient, GrantorKind::Own).await;
        for name in [own, "canonical"] {
            let referral = Some(referral(&sender, &recipient, &consent, &dialects));
            let submission = SubmitReferralRequest { request_id: RequestId::random().to_string(), referral, validate_only: false };
            let canonical = dialects.get("canonical").unwrap();
            let sent: SubmitReferralResponse = ask(&line(&sender), canonical, "weiche.exchange.v1.ReferralService.SubmitReferral", &submission).await;
            // It is on its way: whoever is to answer may have it.
            running.exchange().release(&recipient.institution, 10, Duration::from_secs(30)).await.unwrap();
            let state = ReferralState::Accepted.number();
            let event_id = RequestId::random().to_string();
            let change = StatusChange { referral_id: sent.referral_id, event_id, state, outcome: "Beratung begonnen".into(), ..Default::default() };
            let answer = AnswerReferralRequest { request_id: RequestId::random().to_string(), change: Some(change) };
            let (dialect, method) = (dialects.get(name).unwrap(), "weiche.exchange.v1.ReferralService.AnswerReferral");
            let told: AnswerReferralResponse = ask(&line(&recipient), dialect, method, &answer).await;
            let [kept] = &told.report[..] else { panic!("{own} {name}: {told:?}") };
            let path = dialect.native_path(&dialect.implementing(method).unwrap().request, "change.outcome").unwrap_or("change.outcome".into());
            assert_eq!((kept.path.as_str(), kept.outcome()), (path.as_str(), FieldOutcome::Withheld), "{own} {name}");
            assert_eq!(path == "change.outcome", name == "canonical", "{own} has a word of its own: {path}");
        }
    }
    shutdown.cancel();
    running.ended().await.unwrap();
}

/// Says `message` in a dialect and reads it back.
fn there_and_back<M: Message + Default>(dialect: &Dialect, name: &str, message: &M) -> M {
    let (native, _) = dialect.render(name, &message.encode_to_vec(), CategoryMask::ALL).unwrap();
    M::decode(dialect.read(name, &native).unwrap().0).unwrap()
}

#[test]
fn every_institution_is_reminded_of_everything_in_its_own_words_and_can_say_where_the_person_lives_if_its_referrals_do() {
    let dialects = Dialects::embedded().unwrap();
    for (_, name, _) in ASKING {
        let dialect = dialects.get(name).unwrap();
        let method = dialect.implementing("weiche.exchange.v1.ConsentService.ListReminders").unwrap();
        let reminder = |kind: ReminderKind| Reminder {
            kind: kind.number(),
            due_at: Some(prost_types::Timestamp { seconds: 1_796_311_920, nanos: 0 }),
            consent_id: UNKNOWN.into(),
            referral_id: UNKNOWN.into(),
            recall_id: UNKNOWN.into(),
            institution: "awo-bremen".into(),
            template: "bremen-standard/3/de".into(),
        };
        let kinds = (1..).map_while(ReminderKind::from_number);
        let list = ListRemindersResponse { reminders: kinds.map(reminder).collect(), next_page_token: "on".into() };
        assert_eq!(list.reminders.len(), 7);
        assert_eq!(there_and_back(dialect, &method.response, &list), list, "{name}");

        let method = dialect.implementing("weiche.exchange.v1.ConsentService.CheckConsent").unwrap();
        let municipality_key = if matches!(name, "awo" | "caritas") { "" } else { "04012000" };
        let born = types::PartialDate { year: 1990, month: 0, day: 0 };
        let question = CheckConsentRequest { birth_date: Some(born), municipality_key: municipality_key.into(), ..Default::default() };
        assert_eq!(there_and_back(dialect, &method.request, &question), question, "{name}");
    }
}
