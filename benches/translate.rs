// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The test client in each dialect, in and out: the reference translator, which a faster one is measured against.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message;
use prost_reflect::DynamicMessage;
use weiche::dialect::{CategoryMask, Dialects, REFERRAL, RecipientKind};

fn translate(bench: &mut Criterion) {
    let dialects = Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    for (name, file) in [
        ("agentur", include_str!("../proto/dialects/agentur/examples/vermittlungsvorgang.json")),
        ("awo", include_str!("../proto/dialects/awo/examples/fall.json")),
        ("caritas", include_str!("../proto/dialects/caritas/examples/session.json")),
        ("diakonie", include_str!("../proto/dialects/diakonie/examples/vorgang.json")),
        ("drk", include_str!("../proto/dialects/drk/examples/task.json")),
        ("jobcenter", include_str!("../proto/dialects/jobcenter/examples/zuweisung.json")),
    ] {
        let dialect = dialects.get(name).unwrap();
        let message = dialect.message_for(REFERRAL).unwrap();
        let descriptor = dialects.pool().get_message_by_name(message).unwrap();
        let native = DynamicMessage::deserialize(descriptor, &mut serde_json::Deserializer::from_str(file)).unwrap().encode_to_vec();
        let (canonical, _) = dialect.read(message, &native).unwrap();
        bench.bench_function(&format!("in/{name}"), |b| b.iter(|| dialect.read(message, &native).unwrap()));
        bench.bench_function(&format!("out/{name}"), |b| {
            b.iter(|| dialect.render(message, &canonical, CategoryMask::ALL).unwrap());
        });
    }
    let awo = dialects.get("awo").unwrap();
    let file = include_str!("../proto/dialects/awo/examples/fall.json");
    let descriptor = dialects.pool().get_message_by_name(awo.message_for(REFERRAL).unwrap()).unwrap();
    let native = DynamicMessage::deserialize(descriptor, &mut serde_json::Deserializer::from_str(file)).unwrap().encode_to_vec();
    let (canonical, _) = awo.read(awo.message_for(REFERRAL).unwrap(), &native).unwrap();
    bench.bench_function("minimise", |b| {
        b.iter(|| dialects.minimise(REFERRAL, &canonical, CategoryMask::ALL, RecipientKind::Jobcenter).unwrap());
    });
    bench.bench_function("compile/all", |b| b.iter(|| Dialects::embedded().unwrap()));
}

criterion_group!(benches, translate);
criterion_main!(benches);
