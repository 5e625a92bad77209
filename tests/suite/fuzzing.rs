// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The laws of `fuzz/laws.rs`, on the corpus and on damaged pieces of it: the same ones in every run. `scripts/long fuzz` looks further.

use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

#[path = "../../fuzz/laws.rs"]
mod laws;

/// A piece of the corpus as a bad line, a bad program or a bad person would leave it.
fn damaged(dice: &mut SmallRng, one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = one.to_vec();
    for _ in 0..dice.random_range(1..4) {
        let at = dice.random_range(0..=bytes.len());
        match dice.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.random()),
            2 => bytes.splice(at.., other[dice.random_range(0..=other.len())..].iter().copied()).for_each(drop),
            3 => bytes.drain(at..(at + dice.random_range(0..9)).min(bytes.len())).for_each(drop),
            4 => {
                let again: Vec<u8> = bytes.iter().skip(at).take(dice.random_range(1..40)).copied().collect();
                bytes.splice(at..at, again).for_each(drop);
            }
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.random_range(0..8)),
        }
    }
    bytes
}

/// Runs a law on its corpus and on `pieces` damaged ones of each.
fn holds(name: &str, pieces: usize) {
    let (_, law) = laws::TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(corpus.len() >= 3, "{name}: a corpus");
    let mut dice = SmallRng::seed_from_u64(1991);
    for one in &corpus {
        law(one);
        for _ in 0..pieces {
            let other = &corpus[dice.random_range(0..corpus.len())];
            law(&damaged(&mut dice, one, other));
        }
    }
}

#[test]
fn whatever_an_institution_sends() {
    holds("native", 300);
}

#[test]
fn whatever_is_to_be_minimised() {
    holds("canonical", 200);
}

#[test]
fn whatever_is_dropped_in_as_a_dialect() {
    holds("schema", 4);
}

#[test]
fn whatever_is_to_be_the_agreement() {
    holds("agreement", 100);
}

#[test]
fn whatever_an_auditor_is_handed() {
    holds("ledger", 1000);
}

#[test]
fn whatever_people_write() {
    holds("text", 1000);
}

#[test]
fn every_law_is_a_target_and_every_target_a_law() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let mut targets: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    targets.sort();
    let targets: Vec<_> = targets.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    let mut laws: Vec<_> = laws::TARGETS.iter().map(|(name, _)| *name).collect();
    laws.sort_unstable();
    assert_eq!(targets, laws);
}
