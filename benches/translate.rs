// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One referral of some 1.3 KB in each dialect, in and out, against prost with generated structs and prost-reflect, which only decode and encode it.
//!
//! First comes a table of ratios: the three take turns, so that a busy machine is busy for all of them. Then criterion measures each by itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::System;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use weiche::dialect::codelist::CodeLists;
use weiche::dialect::{CategoryMask, Desk, Dialect, Dialects, REFERRAL, RecipientKind};
use weiche::proto::types::Referral;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a case system with generated code works on.
mod generated {
    #![allow(dead_code, clippy::all, clippy::pedantic)]
    macro_rules! dialects {
        ($($name:ident),*) => { $(pub mod $name { pub mod v1 { include!(concat!(env!("OUT_DIR"), "/dialects/", stringify!($name), ".v1.rs")); } })* };
    }
    dialects!(agentur, awo, caritas, diakonie, drk, jobcenter);
}

/// Decodes and encodes again.
type Copy = fn(&[u8]) -> usize;

fn copy<M: Message + Default>(bytes: &[u8]) -> usize {
    M::decode(bytes).unwrap().encode_to_vec().len()
}

const DIALECTS: [(&str, Copy); 6] = [
    ("agentur", copy::<generated::agentur::v1::Vermittlungsvorgang>),
    ("awo", copy::<generated::awo::v1::Fall>),
    ("caritas", copy::<generated::caritas::v1::Session>),
    ("diakonie", copy::<generated::diakonie::v1::Vorgang>),
    ("drk", copy::<generated::drk::v1::Task>),
    ("jobcenter", copy::<generated::jobcenter::v1::Zuweisung>),
];

fn reflected(descriptor: &MessageDescriptor, bytes: &[u8]) -> usize {
    DynamicMessage::decode(descriptor.clone(), bytes).unwrap().encode_to_vec().len()
}

struct Case<'d> {
    dialect: &'d Dialect,
    message: &'d str,
    descriptor: MessageDescriptor,
    native: Vec<u8>,
    canonical: Vec<u8>,
}

impl Case<'_> {
    fn read(&self, desk: &mut Desk) -> usize {
        self.dialect.read_at(desk, self.message, black_box(&self.native), true, |text| text.bytes.len()).unwrap()
    }
    fn render(&self, desk: &mut Desk) -> usize {
        self.dialect.render_at(desk, self.message, black_box(&self.canonical), CategoryMask::ALL, true, |text| text.bytes.len()).unwrap()
    }
}

fn case<'d>(dialects: &'d Dialects, name: &str) -> Case<'d> {
    let dialect = dialects.get(name).unwrap();
    let message = dialect.message_for(REFERRAL).unwrap();
    let descriptor = dialects.pool().get_message_by_name(message).unwrap();
    // What the dialect can say of the referral, and what comes back of that.
    let (native, _) = dialect.render(message, &referral(dialects), CategoryMask::ALL).unwrap();
    let (canonical, _) = dialect.read(message, &native).unwrap();
    Case { dialect, message, descriptor, native: native.to_vec(), canonical: canonical.to_vec() }
}

fn referral(dialects: &Dialects) -> Vec<u8> {
    let descriptor = dialects.pool().get_message_by_name(REFERRAL).unwrap();
    let file = include_str!("data/referral.json");
    DynamicMessage::deserialize(descriptor, &mut serde_json::Deserializer::from_str(file)).unwrap().encode_to_vec()
}

/// Nanoseconds per call of each, medians of many short turns.
fn in_turns<const N: usize>(mut calls: [&mut dyn FnMut() -> usize; N]) -> [f64; N] {
    const CALLS: u32 = 200;
    let mut turns = [const { Vec::new() }; N];
    for _ in 0..101 {
        for (call, turns) in calls.iter_mut().zip(&mut turns) {
            let start = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            turns.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
        }
    }
    turns.map(|mut turns| {
        turns.sort_by(f64::total_cmp);
        turns[turns.len() / 2]
    })
}

/// Heap allocations of one call when it has been called often.
fn allocations(mut call: impl FnMut() -> usize) -> usize {
    for _ in 0..100 {
        black_box(call());
    }
    let region = Region::new(ALLOCATOR);
    black_box(call());
    let change = region.change();
    change.allocations + change.reallocations
}

fn table() {
    let start = Instant::now();
    let dialects = Dialects::embedded().unwrap();
    println!("all dialects compiled in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let (lists, region) = (CodeLists::embedded().unwrap(), Region::new(ALLOCATOR));
    let again = Dialects::compile(dialects.pool(), lists).unwrap();
    let change = region.change();
    let plans: usize = again.iter().map(|dialect| dialect.plans()).sum();
    let held = (change.bytes_allocated - change.bytes_deallocated) as f64;
    println!(
        "and once more in {:.0} ms; {plans} plans hold {:.0} KiB, {:.1} each",
        start.elapsed().as_secs_f64() * 1e3,
        held / 1024.0,
        held / 1024.0 / plans as f64
    );
    drop(again);
    println!("dialect     bytes      | in: ns   / prost  / reflect  alloc | out: ns  / prost  / reflect  alloc");
    for (name, copy) in DIALECTS {
        let case = case(&dialects, name);
        let hub = dialects.pool().get_message_by_name(REFERRAL).unwrap();
        let (mut one, mut other) = (Desk::default(), Desk::default());
        let [read, prost, reflect] = in_turns([&mut || case.read(&mut one), &mut || copy(black_box(&case.native)), &mut || {
            reflected(&case.descriptor, black_box(&case.native))
        }]);
        let [render, prost_hub, reflect_hub] = in_turns([&mut || case.render(&mut other), &mut || copy_hub(black_box(&case.canonical)), &mut || {
            reflected(&hub, black_box(&case.canonical))
        }]);
        let (reads, renders) = (allocations(|| case.read(&mut one)), allocations(|| case.render(&mut other)));
        println!(
            "{name:10} {:5}/{:5} | {read:7.0}   {:5.2}    {:5.2}    {reads:5} | {render:7.0}   {:5.2}    {:5.2}    {renders:5}",
            case.native.len(),
            case.canonical.len(),
            read / prost,
            read / reflect,
            render / prost_hub,
            render / reflect_hub,
        );
    }
}

fn copy_hub(bytes: &[u8]) -> usize {
    copy::<Referral>(bytes)
}

fn translate(bench: &mut Criterion) {
    table();
    let dialects = Dialects::embedded().unwrap();
    for (name, copy) in DIALECTS {
        let (case, mut desk) = (case(&dialects, name), Desk::default());
        let mut group = bench.benchmark_group("in");
        group.bench_function(name, |b| b.iter(|| case.read(&mut desk)));
        group.bench_function(format!("{name} by prost"), |b| b.iter(|| copy(black_box(&case.native))));
        group.finish();
        let mut group = bench.benchmark_group("out");
        group.bench_function(name, |b| b.iter(|| case.render(&mut desk)));
        group.bench_function(format!("{name} by prost"), |b| b.iter(|| copy_hub(black_box(&case.canonical))));
        group.finish();
    }
    let referral = referral(&dialects);
    bench.bench_function("minimise", |b| b.iter(|| dialects.minimise(REFERRAL, &referral, CategoryMask::ALL, RecipientKind::Jobcenter).unwrap()));
    bench.bench_function("compile all", |b| b.iter(|| Dialects::embedded().unwrap()));
}

criterion_group!(benches, translate);
criterion_main!(benches);
