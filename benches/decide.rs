// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What one consent decision costs: permitted, partly withheld, denied, and looked for among ten grants.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops where its fixture is wrong; criterion makes the public items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use weiche::agreement::{Agreement, Purpose};
use weiche::clock::Time;
use weiche::consent::{Consent, Direction, Evidence, Party, Request, decide};
use weiche::dialect::CategoryMask;

fn party(institution: &str, unit: &str) -> Party {
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

fn benches(c: &mut Criterion) {
    let agreement = Agreement::parse(include_str!("../agreement/bremen.toml")).unwrap();
    let mut consent: Consent = serde_json::from_str(include_str!("../tests/cases/consent/base/full.json")).unwrap();
    consent.restricted = false;
    consent.capability = None;
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
}

criterion_group!(all, benches);
criterion_main!(all);
