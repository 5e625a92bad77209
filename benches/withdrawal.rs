// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a withdrawal and a decision cost: with as many consents stored as `WEICHE_CONSENTS` names (`30000,300000,3000000`), each with the same number of
//! referrals queued; and from the call to the stop with queues full of other people's referrals, also while more come in, and with many of the same
//! person.
//!
//! Not through criterion: a withdrawal can be done once. Percentiles are those of all that were done. The files lie in the system's folder for temporary
//! ones: a million consents are some 4 GB.

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
    Capability, Consent, Decision, Explanation, ExplanationMode, Form, Grant, Grantor, GrantorKind, Information, InterpreterKind, Party, Quality,
    Scan, Scope, SecrecyRelease, Status, SubjectRef, TemplateUse, Voluntariness, record_new,
};
use weiche::dialect::{Category, CategoryMask, Dialects};
use weiche::exchange::{Exchange, Parts, Periods, Question, SubmitRequest};
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
/// Withdrawals that are measured in each situation, and decisions.
const SAMPLES: usize = 400;
/// Rows that are written in one transaction while the store is filled.
const CHUNK: usize = 10_000;
/// Calls at a time, where there are many.
const AT_ONCE: usize = 64;

fn party(of: (&str, &str)) -> Party {
    Party { institution: of.0.parse().unwrap(), unit: of.1.parse().unwrap(), function: String::new() }
}

fn consent(subject: String, now: Time) -> Consent {
    let data = Category::Ident.mask() | Category::Contact.mask() | Category::Topics.mask();
    Consent {
        schema_version: "1".into(),
        id: ConsentId::random(),
        version: 1,
        receipt_id: String::new(),
        supersedes: None,
        created_at: None,
        recorded_by_role: "beratung".into(),
        subject: SubjectRef(subject),
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
        voluntariness: Voluntariness { collected_by: CENTRE.0.parse().unwrap(), no_benefit_linkage: true, refusal_without_reason: false },
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

/// A person with a consent.
type Given = (String, ConsentId);

/// Puts so many consents into the tables, each with a code, as if they had been recorded one by one; the log says nothing of them. Some of them, from
/// everywhere.
async fn fill(place: &Place, vault: &Vault, count: usize) -> Vec<Given> {
    let (store, mut conn) = Store::open(place).await.unwrap();
    let (agreement, now) = (Agreement::parse(BREMEN).unwrap(), SystemClock.now());
    let mut samples = Vec::new();
    for first in (0..count).step_by(CHUNK) {
        let chunk: Vec<Consent> = (first..count.min(first + CHUNK))
            .map(|number| {
                let person = format!("stored-{number}");
                let subject = vault.pseudonym(CENTRE.0, &person).iter().map(|byte| format!("{byte:02x}")).collect();
                let mut consent = record_new(consent(subject, now), None, &agreement, now).unwrap();
                consent.evidence.location = vault.seal_text(consent.id.as_bytes(), "Archiv").unwrap();
                if number % (count / SAMPLES) == 0 {
                    samples.push((person, consent.id));
                }
                consent
            })
            .collect();
        weiche::ledger::store::take_head(&mut conn).await.unwrap();
        weiche::consent::save(&mut conn, &chunk.iter().collect::<Vec<_>>(), &[], now).await.unwrap();
        let codes: Vec<([u8; 32], ConsentId)> = chunk.iter().map(|consent| (rand::random(), consent.id)).collect();
        weiche::consent::save_codes(&mut conn, &codes.iter().map(|(code, id)| (code, id)).collect::<Vec<_>>()).await.unwrap();
        conn.commit().await.unwrap();
        conn.between().await.unwrap();
    }
    conn.close().await.unwrap();
    store.close().await;
    samples
}

struct Bench(Exchange);

impl Bench {
    /// A gateway over so many consents, and some of these.
    async fn open(dir: &Path, stored: usize) -> (Self, Vec<Given>) {
        let place = Place::File(dir.join("weiche.db"));
        Store::create(&place).await.unwrap();
        Vault::create(&dir.join("vault.key")).unwrap();
        RollbackGuard::create(&dir.join("guard"), ORIGIN).unwrap();
        let vault = Vault::open(&dir.join("vault.key")).unwrap();
        let given = fill(&place, &vault, stored).await;
        let key = SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap();
        let parts = Parts {
            store: Store::open(&place).await.unwrap(),
            vault,
            guard: RollbackGuard::open(&dir.join("guard"), key.origin()).unwrap(),
            key,
            agreement: (Agreement::parse(BREMEN).unwrap(), BREMEN.to_owned()),
            dialects: Arc::new(Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}"))),
            clock: Arc::new(SystemClock),
            periods: Periods::default(),
            room: weiche::exchange::Room::endless(),
        };
        (Self(Exchange::open(parts).await.unwrap().0), given)
    }

    async fn record(&self) -> Given {
        let (person, caller) = (uuid::Uuid::new_v4().to_string(), CENTRE.0.parse().unwrap());
        let record = Consent { version: 0, ..consent(person.clone(), SystemClock.now()) };
        let recorded = self.0.record_consent(&caller, RequestId::random(), record, person.as_bytes()).await.unwrap();
        (person, recorded.consent)
    }

    async fn submit(&self, (person, consent): &Given) {
        let request =
            SubmitReferralRequest { request_id: RequestId::random().to_string(), referral: Some(referral(person, *consent)), validate_only: false };
        let content = request.encode_to_vec();
        let caller = CENTRE.0.parse().unwrap();
        self.0.submit(&caller, SubmitRequest::decode(content.as_slice()).unwrap(), &content).await.unwrap();
    }

    /// One more person, with so many referrals that wait: nobody fetches them.
    async fn queued(&self, each: usize) -> Given {
        let given = self.record().await;
        for _ in 0..each {
            self.submit(&given).await;
        }
        given
    }

    async fn many_queued(&self, persons: usize, each: usize) -> Vec<Given> {
        stream::iter(0..persons).map(|_| self.queued(each)).buffer_unordered(AT_ONCE).collect().await
    }

    async fn withdraw(&self, (_, consent): &Given) -> Duration {
        let (caller, request) = (RECIPIENT.0.parse().unwrap(), RequestId::random());
        let watch = Instant::now();
        self.0.withdraw_consent(&caller, request, *consent, Scope::default(), "counter".into(), request.as_bytes()).await.unwrap();
        watch.elapsed()
    }

    async fn withdraw_all(&self, given: &[Given]) -> Vec<Duration> {
        stream::iter(given).then(|one| self.withdraw(one)).collect().await
    }

    async fn decide(&self, (person, consent): &Given) -> Duration {
        let (caller, subject) = (CENTRE.0.parse().unwrap(), SubjectRef(person.clone()));
        let watch = Instant::now();
        let question = Question {
            consent: *consent,
            subject,
            recipient: party(RECIPIENT),
            purpose: Purpose::JobSearch,
            categories: CategoryMask::EMPTY,
            municipality: None,
            born: None,
        };
        let decided = self.0.check_consent(&caller, question).await.unwrap();
        let took = watch.elapsed();
        assert!(matches!(decided, Decision::Permitted(_)), "{decided:?}");
        took
    }
}

/// Prints a line; the median.
fn say(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let [p50, p99, max] = [at(0.5), at(0.99), at(1.0)].map(|time| time.as_secs_f64() * 1000.0);
    println!("{what:<70} {p50:>8.2} {p99:>8.2} {max:>8.2}");
    at(0.5)
}

/// A store of so many consents, and some of them from everywhere in it.
struct Stored {
    count: usize,
    bench: Bench,
    given: Vec<Given>,
    _dir: tempfile::TempDir,
}

impl Stored {
    async fn new(count: usize) -> Self {
        let (dir, watch) = (tempfile::tempdir().unwrap(), Instant::now());
        let (bench, given) = Bench::open(dir.path(), count).await;
        let bytes = std::fs::metadata(dir.path().join("weiche.db")).unwrap().len();
        println!("{count} consents stored in {:.0} s, {} MB", watch.elapsed().as_secs_f64(), bytes / 1_000_000);
        Self { count, bench, given, _dir: dir }
    }
}

/// Decisions about, and withdrawals of, consents from everywhere, in one store after the other: whatever else the machine does, it does to all.
async fn flat(stores: &[Stored]) {
    let mut times = vec![[Vec::new(), Vec::new()]; stores.len()];
    for sample in 0..SAMPLES {
        for (store, [decisions, _]) in stores.iter().zip(&mut times) {
            decisions.push(store.bench.decide(&store.given[sample]).await);
        }
    }
    for store in stores {
        stream::iter(&store.given).for_each_concurrent(AT_ONCE, |one| store.bench.submit(one)).await;
    }
    for sample in 0..SAMPLES {
        for (store, [_, withdrawals]) in stores.iter().zip(&mut times) {
            withdrawals.push(store.bench.withdraw(&store.given[sample]).await);
        }
    }
    let mut first = None;
    for (store, [decisions, withdrawals]) in stores.iter().zip(times) {
        let decision = say(&format!("decision (CheckConsent), {} stored", store.count), decisions);
        let withdrawal = say(&format!("withdrawal with one referral queued, {} stored", store.count), withdrawals);
        let [before, then] = *first.get_or_insert([decision, withdrawal]);
        let times = |now: Duration, before: Duration| now.as_secs_f64() / before.as_secs_f64();
        println!("{:<70} {:>8.2} {:>8.2}", "decision and withdrawal: times the first", times(decision, before), times(withdrawal, then));
    }
}

async fn queues(bench: &Bench) {
    bench.many_queued(10_000, 1).await;
    let given = bench.many_queued(SAMPLES, 1).await;
    say("withdrawal with 10,000 items queued for others", bench.withdraw_all(&given).await);

    let given = bench.many_queued(SAMPLES, 1).await;
    let more = stream::repeat(()).map(|()| bench.queued(1)).buffer_unordered(AT_ONCE).for_each(|_| async {});
    let times = tokio::select! {
        times = bench.withdraw_all(&given) => times,
        () = more => unreachable!("it has no end"),
    };
    say(&format!("the same while others record and submit, {AT_ONCE} at a time"), times);

    let given = bench.many_queued(10, 1000).await;
    say("withdrawal of a person with 1,000 items queued", bench.withdraw_all(&given).await);
}

#[tokio::main]
async fn main() {
    // Cargo's test run builds and starts benchmarks, too.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let sizes = std::env::var("WEICHE_CONSENTS").unwrap_or_else(|_| "30000".into());
    println!("{:<70} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p99", "max");
    let mut stores = Vec::new();
    for count in sizes.split(',').map(|count| count.trim().parse().unwrap()) {
        stores.push(Stored::new(count).await);
    }
    flat(&stores).await;
    queues(&stores[0].bench).await;
}
