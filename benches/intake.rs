// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What one referral costs outside the database: taken in from AWO's words up to the sealed bytes, and given out in the Jobcenter's words.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops where its fixture is wrong; criterion makes the public items")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use prost_reflect::DynamicMessage;
use weiche::agreement::{Agreement, Purpose};
use weiche::clock::Time;
use weiche::consent::{Consent, Decision, Direction, Evidence, Party, Permit, Request, decide};
use weiche::dialect::{CategoryMask, Dialects, REFERRAL, RecipientKind};
use weiche::exchange::prepare::{Prepared, prepare};
use weiche::exchange::{Content, Routing, SubmitRequest};
use weiche::grpc::validate::Rules;
use weiche::ledger::{Hash, Plan, Receipt, SigningKey, Tiles, Tree};
use weiche::proto;
use weiche::proto::exchange::{SubmitReferralRequest, SubmitReferralResponse};
use weiche::proto::institution::DeliverReferralRequest;
use weiche::proto::types;
use weiche::vault::Vault;

fn party(institution: &str, unit: &str) -> Party {
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

fn permit() -> Permit {
    let agreement = Agreement::parse(include_str!("../agreement/bremen.toml")).unwrap();
    let mut consent: Consent = serde_json::from_str(include_str!("../tests/cases/consent/base/full.json")).unwrap();
    consent.restricted = false;
    consent.capability = None;
    let (sender, recipient) = (party("caritas-bremen", "mbe-mitte"), party("jobcenter-bremen", "vermittlung-mitte"));
    let now = Time(consent.granted_at.0 + 3_600_000);
    let subject = consent.subject.clone();
    let request = Request {
        sender: &sender,
        recipient: &recipient,
        purpose: Purpose::JobSearch,
        direction: Direction::Outward,
        subject: &subject,
        categories: CategoryMask::ALL,
        submitted_at: now,
        necessity: None,
        onward: false,
        municipality: Some("04011000"),
        born: None,
    };
    match decide(&request, Evidence { consent: Some(&consent), origin: None }, &agreement, now) {
        Decision::Permitted(permit) => permit,
        Decision::Denied(_) => unreachable!("the fixture permits"),
    }
}

const SUBMIT: &str = "weiche.exchange.v1.ReferralService.SubmitReferral";
const DELIVER: &str = "weiche.institution.v1.DeliveryService.DeliverReferral";

fn intake(bench: &mut Criterion) {
    let dialects = Dialects::embedded().unwrap();
    let vault = Vault::from_key(&[7; 32]).unwrap();
    let permit = permit();
    let (awo, jobcenter) = (dialects.get("awo").unwrap(), dialects.get("jobcenter").unwrap());
    let (submit, deliver) = (awo.implementing(SUBMIT).unwrap(), jobcenter.implementing(DELIVER).unwrap());
    let rules = Rules::compile(&proto::pool().get_message_by_name(&submit.canonical_request).unwrap()).unwrap();

    // The example of the dialect, as a whole call.
    let file = include_str!("../proto/dialects/awo/examples/fall.json");
    let descriptor = dialects.pool().get_message_by_name(awo.message_for(REFERRAL).unwrap()).unwrap();
    let case = DynamicMessage::deserialize(descriptor, &mut serde_json::Deserializer::from_str(file)).unwrap().encode_to_vec();
    let (canonical, _) = awo.read(awo.message_for(REFERRAL).unwrap(), &case).unwrap();
    let referral = types::Referral::decode(canonical).unwrap();
    let request_id = "0193b2c4-7d1e-4a6b-9c3d-0123456789ab".to_owned();
    let request = SubmitReferralRequest { request_id: request_id.clone(), referral: Some(referral), validate_only: false };
    let (native, _) = awo.render(&submit.request, &request.encode_to_vec(), CategoryMask::ALL).unwrap();
    let (content, _) = awo.read(&submit.request, &native).unwrap();

    let mut group = bench.benchmark_group("intake");
    group.bench_function("read", |b| b.iter(|| awo.read_quiet(&submit.request, black_box(&native)).unwrap()));
    group.bench_function("check", |b| b.iter(|| rules.check(black_box(&content)).unwrap()));
    let excerpt = |content: &Bytes| {
        let referral = SubmitRequest::decode(content.clone()).unwrap().referral.unwrap();
        let routing = Routing::decode(referral.clone()).unwrap();
        (referral, routing)
    };
    let (referral, routing) = excerpt(&content);
    group.bench_function("look", |b| {
        b.iter(|| {
            let (referral, _) = excerpt(black_box(&content));
            dialects.categories_of(REFERRAL, &referral).unwrap()
        })
    });
    let ready =
        |referral: &[u8]| prepare(&vault, &dialects, referral, &routing.sender_case_number, &permit, jobcenter, RecipientKind::Jobcenter).unwrap();
    group.bench_function("prepare", |b| b.iter(|| ready(black_box(&referral))));
    let Prepared { report, sealed, delivery, .. } = ready(&referral);
    let sealed = sealed.content;
    println!(
        "{} bytes native, {} canonical, {} sealed, {} lines of report",
        native.len(),
        content.len(),
        sealed.ciphertext.len(),
        report.fields.len()
    );

    let mut log = Log::new(5);
    let receipt = log.batch(1).remove(0);
    let issued = |text: String| proto::exchange::Receipt { text, leaf_index: 69_999, leaf_hash: vec![7; 32].into(), at: None };
    let answer = |report: &weiche::dialect::Report| {
        let answer = SubmitReferralResponse {
            request_id: request_id.clone(),
            referral_id: request_id.clone(),
            state: 2,
            receipt: Some(issued(receipt.clone())),
            decision: Some(proto::exchange::Decision { permitted: true, explanation_de: "ja".repeat(40), ..Default::default() }),
            report: report.clone().into_proto(),
        };
        awo.render_quiet(&submit.response, &answer.encode_to_vec(), CategoryMask::ALL).unwrap()
    };
    group.bench_function("answer", |b| b.iter(|| answer(black_box(&report))));
    group.bench_function("all", |b| {
        b.iter(|| {
            let content = awo.read_quiet(&submit.request, black_box(&native)).unwrap();
            rules.check(&content).unwrap();
            let (referral, _) = excerpt(&content);
            black_box(dialects.categories_of(REFERRAL, &referral).unwrap());
            let digest = vault.digest(&content);
            (answer(&ready(&referral).report), digest)
        })
    });
    group.finish();

    let mut group = bench.benchmark_group("delivery");
    let open = || {
        let plain = vault.open_sealed(delivery.as_bytes(), &sealed.ciphertext, &sealed.wrapped_key).unwrap();
        Content::referral(plain, &permit)
    };
    let render = |content: &Content| {
        let request = DeliverReferralRequest { delivery_id: delivery.to_string(), referral: None, receipt: Some(issued(receipt.clone())) };
        let mut request = request.encode_to_vec();
        content.put(2, &mut request);
        jobcenter.render_quiet(&deliver.request, &request, permit.mask()).unwrap()
    };
    group.bench_function("open", |b| b.iter(open));
    let opened = open();
    group.bench_function("render", |b| b.iter(|| render(black_box(&opened))));
    group.bench_function("all", |b| b.iter(|| render(&open())));
    group.finish();

    let mut group = bench.benchmark_group("receipts");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 of one batch", |b| b.iter(|| log.batch(64)));
    group.finish();
}

/// A log of some 70,000 entries whose last ones are the batch.
struct Log {
    tree: Tree,
    key: SigningKey,
}

impl Log {
    fn new(seed: u8) -> Self {
        let leaves: Vec<_> = (0..70_000_u64).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
        let mut tree = Tree::new();
        tree.append(&leaves);
        Self { tree, key: SigningKey::from_seed("log.example.invalid", &[seed; 32]).unwrap() }
    }

    /// The receipts of the last entries, as they are cut after a commit.
    fn batch(&mut self, count: u64) -> Vec<String> {
        let mut tiles = Tiles::default();
        self.tree.edge().for_each(|(tile, hashes)| tiles.insert(tile, hashes.to_vec()));
        let size = self.tree.size();
        let note = self.key.sign_checkpoint(size, self.tree.root());
        let receipt = |leaf| Receipt::new(leaf, Plan::inclusion(leaf, size).unwrap().cut(&tiles).unwrap(), &note).to_string();
        (size - count..size).map(receipt).collect()
    }
}

criterion_group!(benches, intake);
criterion_main!(benches);
