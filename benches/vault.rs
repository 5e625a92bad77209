// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What sealing costs: a payload under a fresh key, wrapped; opening it; the tag of a person on a leaf; the commitment to a payload.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use weiche::vault::{Vault, VaultError};

/// A referral's canonical bytes are about so long.
const PAYLOAD: [u8; 1306] = [0x57; 1306];

fn vault(c: &mut Criterion) -> Result<(), VaultError> {
    let vault = Vault::from_key(&[7; 32])?;
    let sealed = vault.seal(b"delivery", &PAYLOAD)?;
    let subject_key = vault.new_subject_key(&[1; 32])?;
    let mut group = c.benchmark_group("vault");
    group.throughput(Throughput::Bytes(PAYLOAD.len() as u64));
    group.bench_function("seal", |b| b.iter(|| vault.seal(b"delivery", black_box(&PAYLOAD))));
    group.bench_function("open", |b| b.iter(|| vault.open_sealed(b"delivery", black_box(&sealed.ciphertext), &sealed.wrapped_key)));
    group.bench_function("commit", |b| b.iter(|| vault.commit(black_box(&PAYLOAD))));
    group.bench_function("tag", |b| b.iter(|| vault.subject_tag(&[1; 32], &subject_key, black_box(5))));
    group.finish();
    Ok(())
}

#[expect(clippy::expect_used, reason = "a benchmark that cannot seal has nothing to measure")]
fn run(c: &mut Criterion) {
    vault(c).expect("the vault seals");
}

criterion_group!(benches, run);
criterion_main!(benches);
