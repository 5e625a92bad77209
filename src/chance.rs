// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Chance: what ids and the lengths of pauses are drawn from. Keys, salts and lease tokens are drawn by the vault, never here.

use std::cell::RefCell;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngCore, SeedableRng as _};

/// Ids that share their first bytes.
const RUN: u32 = 256;

#[derive(Default)]
struct Source {
    /// None: the system's.
    seeded: Option<SmallRng>,
    /// Ids drawn since their first bytes were.
    drawn: u32,
    first: [u8; 6],
}

thread_local! {
    static SOURCE: RefCell<Source> = RefCell::default();
}

/// From here on, this thread draws what this seed gives. A simulation has one thread, and calls this so that it can be repeated; nobody else does.
pub fn seed(seed: u64) {
    SOURCE.set(Source { seeded: Some(SmallRng::seed_from_u64(seed)), ..Source::default() });
}

/// The bytes of an id: random, but for the first six, which some 256 in a row on one thread share.
pub fn id() -> [u8; 16] {
    SOURCE.with_borrow_mut(|source| {
        let mut bytes: [u8; 16] = source.draw(|random| random.random());
        if source.drawn == 0 {
            source.first.copy_from_slice(&bytes[..6]);
        }
        bytes[..6].copy_from_slice(&source.first);
        source.drawn = (source.drawn + 1) % RUN;
        bytes
    })
}

/// From 0 to 1: a part of a pause.
pub fn part() -> f64 {
    SOURCE.with_borrow_mut(|source| source.draw(|random| random.random_range(0.0..=1.0)))
}

impl Source {
    fn draw<T>(&mut self, what: impl FnOnce(&mut dyn RngCore) -> T) -> T {
        match &mut self.seeded {
            Some(seeded) => what(seeded),
            None => what(&mut rand::rng()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again_and_nothing_else_does() {
        let draw = |from: Option<u64>| {
            std::thread::spawn(move || {
                from.into_iter().for_each(seed);
                (0..300).map(|_| (id(), part())).collect::<Vec<_>>()
            })
        };
        let drawn = [Some(1), Some(1), Some(2), None, None].map(|from| draw(from).join().unwrap());
        assert_eq!(drawn[0], drawn[1]);
        assert!(drawn[1] != drawn[2] && drawn[3] != drawn[4]);
        let first: std::collections::BTreeSet<_> = drawn[3].iter().map(|(id, _)| &id[..6]).collect();
        assert_eq!(first.len(), 2, "neighbours share their first bytes");
    }
}
