// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What one consent decision costs: permitted, partly withheld, denied, looked for among ten grants and among ten records of the person, and
//! where somebody else consented for the person.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops where its fixture is wrong; criterion makes the public items")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use weiche::agreement::{Agreement, Purpose};
use weiche::clock::Time;
use weiche::consent::{Capability, Consent, Day, Direction, Evidence, Grantor, GrantorKind, Party, Request, decide};
use weiche::dialect::CategoryMask;
use weiche::id::ConsentId;

fn party(institution: &str, unit: &str) -> Party {
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

fn benches(c: &mut Criterion) {
    let agreement = Agreement::parse(include_str!("../agreement/bremen.toml")).unwrap();
    let mut consent: Consent = serde_json::from_str(include_str!("../tests/cases/consent/base/full.json")).unwrap();
    consent.restricted = false;
    let betreuer = Consent { capability: None, ..consent.clone() };
    consent.grantor =
        Grantor { kind: GrantorKind::Own, areas: Vec::new(), reservation_of_consent: false, proof: String::new(), entitled_until: None };
    let (sender, recipient) = (party("caritas-bremen", "mbe-mitte"), party("jobcenter-bremen", "vermittlung-mitte"));
    let subject = consent.subject.clone();
    let now = Time(consent.granted_at.0 + 3_600_000);
    let request = Request {
        sender: &sender,
        recipient: &recipient,
        purpose: Purpose::JobSearch,
        direction: Direction::Outward,
        subject: &subject,
        categories: "IDENT,CONTACT,LANG,WORK,TOPICS".parse().unwrap(),
        submitted_at: now,
        necessity: None,
        onward: false,
        municipality: Some("04011000"),
        born: None,
    };
    let ask = |request: &Request<'_>, consent: &Consent| {
        decide(black_box(request), Evidence { consent: Some(black_box(consent)), origin: None }, &agreement, now)
    };
    assert_eq!(ask(&request, &consent).withheld(), []);

    c.bench_function("decide/permitted", |b| b.iter(|| ask(&request, &consent)));
    let everything = Request { categories: CategoryMask::ALL, ..request };
    c.bench_function("decide/partly withheld", |b| b.iter(|| ask(&everything, &consent)));
    let elsewhere = party("jobcenter-bremen", "vermittlung-nord");
    c.bench_function("decide/denied", |b| b.iter(|| ask(&Request { recipient: &elsewhere, ..request }, &consent)));
    let mut ten = consent.clone();
    let last = ten.grants.remove(0);
    ten.grants = vec![ten.grants.remove(0); 9];
    ten.grants.push(last);
    c.bench_function("decide/tenth of ten grants", |b| b.iter(|| ask(&request, &ten)));

    // As the writer has them: by id, the one that the referral names among them.
    let ids: Vec<ConsentId> = (0..10).map(|n| ConsentId(uuid::Uuid::from_u128(7 << 100 | n))).collect();
    let records: HashMap<ConsentId, Arc<Consent>> = ids.iter().map(|id| (*id, Arc::new(Consent { id: *id, ..ten.clone() }))).collect();
    let find = |id: &ConsentId| records.get(id).map(|consent| &**consent);
    let mut turn = ids.iter().cycle();
    let among = |id: &ConsentId| decide(black_box(&request), Evidence::of(find, Some(*id), None), &agreement, now);
    assert_eq!(among(&ids[9]).withheld(), []);
    c.bench_function("decide/among ten records of the person", |b| b.iter(|| turn.next().map(&among)));

    assert_eq!(ask(&request, &betreuer).withheld(), []);
    c.bench_function("decide/a Betreuer consented", |b| b.iter(|| ask(&request, &betreuer)));
    let mut child = consent.clone();
    child.capability = Some(Capability::Under15);
    child.grantor = Grantor { kind: GrantorKind::ParentBoth, entitled_until: Some(Time(now.0 + 86_400_000)), ..consent.grantor.clone() };
    let with_birthday = Request { born: Some(Day { year: 2014, month: 2, day: 28 }), ..request };
    assert_eq!(ask(&with_birthday, &child).withheld(), []);
    c.bench_function("decide/parents consented, date of birth sent", |b| b.iter(|| ask(&with_birthday, &child)));
}

criterion_group!(all, benches);
criterion_main!(all);
