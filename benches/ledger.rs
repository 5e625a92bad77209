// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How fast the log grows, and how fast a receipt's proof is cut from it.

#![expect(missing_docs, reason = "criterion writes an undocumented function")]
#![expect(clippy::expect_used, reason = "a benchmark may stop")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weiche::ledger::{Hash, Plan, SigningKey, Tile, Tiles, Tree};

/// As many leaves as a busy second brings.
const BATCH: usize = 1024;
/// A log a little past a full tile of level 1.
const SIZE: u64 = 70_000;
/// The size that the hot kinds of entry aim at, in bytes.
const ENTRY: usize = 246;

fn ledger(c: &mut Criterion) {
    let leaves: Vec<_> = (0..SIZE).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
    let mut tree = Tree::new();
    let full = tree.append(&leaves);

    let mut group = c.benchmark_group("ledger");
    group.throughput(Throughput::Elements(BATCH as u64));
    let entries = vec![[7; ENTRY]; BATCH];
    group.bench_function("hash 1024 entries of 246 bytes", |b| {
        b.iter(|| entries.iter().map(|entry| Hash::leaf(black_box(entry))).collect::<Vec<_>>())
    });
    group.bench_function("append 1024 leaves", |b| {
        b.iter_batched(|| tree.clone(), |mut tree| (tree.append(&leaves[..BATCH]), tree.root(), tree.to_compact()), BatchSize::SmallInput)
    });

    group.throughput(Throughput::Elements(1));
    let plan = Plan::inclusion(30_000, SIZE).expect("the entry is in the log");
    let hashes = |tile: Tile| -> Vec<Hash> {
        let range = tile.n * 256..tile.n * 256 + u64::from(tile.width);
        match tile.level {
            0 => range.map(|i| leaves[usize::try_from(i).expect("small")]).collect(),
            level => range.map(|n| full.iter().find(|full| (full.tile.level, full.tile.n) == (level - 1, n)).expect("there").root).collect(),
        }
    };
    let mut tiles = Tiles::default();
    for tile in plan.tiles() {
        tiles.insert(tile, hashes(tile));
    }
    group.bench_function("cut an inclusion proof from tiles", |b| b.iter(|| black_box(&plan).cut(&tiles).expect("the tiles are there")));
    let key = SigningKey::from_seed("log.example.invalid", &[1; 32]).expect("a valid name");
    group.bench_function("sign a checkpoint", |b| b.iter(|| key.sign_checkpoint(black_box(SIZE), tree.root())));
    group.finish();
}

criterion_group!(benches, ledger);
criterion_main!(benches);
