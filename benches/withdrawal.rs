// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a withdrawal and a decision cost: from the call to the stop, with queues full of other people's referrals, with many of the same person, and
//! with as many consents stored as `WEICHE_CONSENTS` names (`30000,300000,3000000`).
//!
//! Not through criterion: a withdrawal can be done once. Percentiles are those of all that were done.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark stops where its fixture is wrong")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use prost::Message as _;
use weiche::agreement::{Agreement, Purpose};
use weiche::clock::{Clock as _, SystemClock, Time};
use weiche::consent::{
    Capability, Consent, Explanation, ExplanationMode, Form, Grant, Grantor, GrantorKind, Information, InterpreterKind, Party, Quality, Scan, Scope,
    SecrecyRelease, Status, SubjectRef, TemplateUse, Voluntariness,
};
use weiche::dialect::{Category, CategoryMask, Dialects};
use weiche::exchange::{Exchange, Parts, SubmitRequest};
use weiche::id::{ConsentId, RequestId};
use weiche::ledger::{RollbackGuard, SigningKey};
use weiche::numbered::Numbered as _;
use weiche::proto::exchange::SubmitReferralRequest;
use weiche::proto::types;
use weiche::store::{Place, Store};
use weiche::vault::Vault;

const BREMEN: &str = include_str!("../agreement/bremen.toml");
const ORIGIN: &str = "log.example.invalid";
const CENTRE: (&str, &str) = ("caritas-bremen", "mbe-mitte");
const RECIPIENT: (&str, &str) = ("jobcenter-bremen", "vermittlung-mitte");
/// Withdrawals that are measured in each situation.
const SAMPLES: usize = 200;
/// Rows that are written in one transaction while the store is filled.
const CHUNK: usize = 5000;

fn party(of: (&str, &str)) -> Party {
    Party { institution: of.0.parse().unwrap(), unit: of.1.parse().unwrap(), function: String::new() }
}

fn consent(now: Time) -> Consent {
    let data = Category::Ident.mask() | Category::Contact.mask() | Category::Topics.mask();
    Consent {
        schema_version: "1".into(),
        id: ConsentId::random(),
        version: 1,
        receipt_id: String::new(),
        supersedes: None,
        created_at: None,
        recorded_by_role: "beratung".into(),
        subject: SubjectRef(format!("{:064x}", uuid::Uuid::new_v4().as_u128())),
        controller: party(CENTRE),
        regime: weiche::agreement::DataProtectionRegime::Kdg,
        dpo_contact: "datenschutz@example.invalid".into(),
        grants: vec![Grant { recipient: party(RECIPIENT), purpose: Purpose::JobSearch, categories: data, feedback: CategoryMask::EMPTY }],
        special_explicit: CategoryMask::EMPTY,
        secrecy_release: Some(SecrecyRelease {
            functions: vec!["Beratungsfachkraft".into()],
            professions: vec![6],
            towards: vec![RECIPIENT.0.parse().unwrap()],
        }),
        form: Form::WrittenSignature,
        evidence: Scan { media_type: "application/pdf".into(), sha256: format!("{:064x}", 0xaa), location: "Archiv".into() },
        template: TemplateUse {
            id: "bremen-standard".into(),
            version: "3".into(),
            text_sha256: "79b04832c5f8a995a9d4a069cafa74e59fceb82d30e3e299be3730fffe8de40d".into(),
            language: "de".into(),
        },
        explanation: Explanation {
            language: "de".into(),
            mode: ExplanationMode::SelfRead,
            interpreter: InterpreterKind::None,
            interpreter_secrecy_bound: false,
        },
        informed_of: Information {
            purpose: true,
            refusal_consequences: true,
            withdrawal: true,
            recipients: true,
            retention: true,
            rights: true,
            onward_duties: true,
        },
        voluntariness: Voluntariness { collected_by: CENTRE.0.parse().unwrap(), no_benefit_linkage: true },
        granted_at: now.minus(Duration::from_secs(3600)),
        valid_from: None,
        valid_until: None,
        grantor: Grantor { kind: GrantorKind::Own, areas: Vec::new(), reservation_of_consent: false, proof: String::new(), entitled_until: None },
        capability: Some(Capability::AssessedCapable),
        status: Status::Active,
        quality: Quality::CheckedOk,
        retention: None,
        history: Vec::new(),
        restricted: false,
    }
}

fn referral(person: &str, consent: ConsentId) -> types::Referral {
    let wire = |(institution, unit): (&str, &str)| Some(types::Party { institution: institution.into(), unit: unit.into(), function: String::new() });
    let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
    types::Referral {
        subject_ref: person.into(),
        sender: wire(CENTRE),
        recipient: wire(RECIPIENT),
        purpose: Purpose::JobSearch.number(),
        consent: Some(types::ConsentReference { consent_id: consent.to_string(), ..Default::default() }),
        subject: Some(types::Person { name: Some(name), ..Default::default() }),
        ..Default::default()
    }
}

/// Puts so many consents into the tables, each with a code, as if they had been recorded one by one; the log says nothing of them.
async fn fill(place: &Place, count: usize) {
    let (store, mut conn) = Store::open(place).await.unwrap();
    let now = SystemClock.now();
    let mut left = count;
    while left > 0 {
        let some: Vec<Consent> = (0..left.min(CHUNK)).map(|_| consent(now)).collect();
        weiche::ledger::store::take_head(&mut conn).await.unwrap();
        weiche::consent::save(&mut conn, &some.iter().collect::<Vec<_>>(), now).await.unwrap();
        let codes: Vec<([u8; 32], ConsentId)> = some.iter().map(|consent| (rand::random(), consent.id)).collect();
        weiche::consent::save_codes(&mut conn, &codes.iter().map(|(code, id)| (code, id)).collect::<Vec<_>>()).await.unwrap();
        conn.commit().await.unwrap();
        left -= some.len();
    }
    conn.close().await.unwrap();
    store.close().await;
}

struct Bench {
    exchange: Exchange,
}

impl Bench {
    async fn open(dir: &Path, stored: usize) -> Self {
        let place = Place::File(dir.join("weiche.db"));
        Store::create(&place).await.unwrap();
        Vault::create(&dir.join("vault.key")).unwrap();
        RollbackGuard::create(&dir.join("guard"), ORIGIN).unwrap();
        fill(&place, stored).await;
        let key = SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap();
        let parts = Parts {
            store: Store::open(&place).await.unwrap(),
            vault: Vault::open(&dir.join("vault.key")).unwrap(),
            guard: RollbackGuard::open(&dir.join("guard"), key.origin()).unwrap(),
            key,
            agreement: (Agreement::parse(BREMEN).unwrap(), BREMEN.to_owned()),
            dialects: Arc::new(Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}"))),
            clock: Arc::new(SystemClock),
        };
        Self { exchange: Exchange::open(parts).await.unwrap().0 }
    }

    async fn record(&self, person: &str) -> ConsentId {
        let record = Consent { subject: SubjectRef(person.into()), version: 0, ..consent(SystemClock.now()) };
        let caller = CENTRE.0.parse().unwrap();
        self.exchange.record_consent(&caller, RequestId::random(), record, person.as_bytes()).await.unwrap().consent
    }

    async fn submit(&self, person: &str, consent: ConsentId) {
        let request =
            SubmitReferralRequest { request_id: RequestId::random().to_string(), referral: Some(referral(person, consent)), validate_only: false };
        let content = request.encode_to_vec();
        let caller = CENTRE.0.parse().unwrap();
        self.exchange.submit(&caller, SubmitRequest::decode(content.as_slice()).unwrap(), &content).await.unwrap();
    }

    /// Persons with so many referrals each that wait.
    async fn queued(&self, persons: usize, each: usize) -> Vec<ConsentId> {
        let one = |_| async move {
            let person = uuid::Uuid::new_v4().to_string();
            let consent = self.record(&person).await;
            for _ in 0..each {
                self.submit(&person, consent).await;
            }
            consent
        };
        stream::iter(0..persons).map(one).buffer_unordered(64).collect().await
    }

    async fn withdraw(&self, consent: ConsentId) -> Duration {
        let (caller, request) = (RECIPIENT.0.parse().unwrap(), RequestId::random());
        let watch = Instant::now();
        self.exchange.withdraw_consent(&caller, request, consent, Scope::default(), "counter".into(), request.as_bytes()).await.unwrap();
        watch.elapsed()
    }

    async fn decide(&self, consent: ConsentId, person: &str) -> Duration {
        let caller = CENTRE.0.parse().unwrap();
        let watch = Instant::now();
        let subject = SubjectRef(person.into());
        self.exchange.check_consent(&caller, consent, &subject, party(RECIPIENT), Purpose::JobSearch, CategoryMask::EMPTY).await.unwrap();
        watch.elapsed()
    }
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!("{what:<70} {:>8.2} {:>8.2} {:>8.2}", at(0.5), at(0.99), at(1.0));
}

#[tokio::main]
async fn main() {
    // Cargo's test run builds and starts benchmarks, too.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let stored = std::env::var("WEICHE_CONSENTS").unwrap_or_else(|_| "30000".into());
    println!("{:<70} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p99", "max");
    for stored in stored.split(',').map(|count| count.trim().parse::<usize>().unwrap()) {
        let dir = tempfile::tempdir().unwrap();
        let watch = Instant::now();
        let bench = Bench::open(dir.path(), stored).await;
        println!("{stored} consents stored in {:.0} s", watch.elapsed().as_secs_f64());

        let mut times = Vec::new();
        for _ in 0..SAMPLES {
            let person = uuid::Uuid::new_v4().to_string();
            let consent = bench.record(&person).await;
            times.push(bench.decide(consent, &person).await);
        }
        say(&format!("decision (CheckConsent), {stored} stored"), times);

        let mut times = Vec::new();
        for consent in bench.queued(SAMPLES, 1).await {
            times.push(bench.withdraw(consent).await);
        }
        say(&format!("withdrawal with one referral queued, {stored} stored"), times);

        bench.queued(10_000, 1).await;
        let mut times = Vec::new();
        for consent in bench.queued(SAMPLES, 1).await {
            times.push(bench.withdraw(consent).await);
        }
        say("withdrawal with 10,000 items queued for others", times);

        let mut times = Vec::new();
        for consent in bench.queued(5, 1000).await {
            times.push(bench.withdraw(consent).await);
        }
        say("withdrawal of a person with 1,000 items queued", times);
    }
}
