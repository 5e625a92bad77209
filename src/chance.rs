// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Chance: what ids and the lengths of pauses are drawn from. Keys, salts and lease tokens are drawn by the vault, never here.

use std::cell::RefCell;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngCore, SeedableRng as _};

thread_local! {
    static SEEDED: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
}

/// From here on, this thread draws what this seed gives. A simulation has one thread, and calls this so that it can be repeated; nobody else does.
pub fn seed(seed: u64) {
    SEEDED.set(Some(SmallRng::seed_from_u64(seed)));
}

/// The bytes of an id.
pub fn bytes() -> [u8; 16] {
    draw(|source| source.random())
}

/// From 0 to 1: a part of a pause.
pub fn part() -> f64 {
    draw(|source| source.random_range(0.0..=1.0))
}

fn draw<T>(what: impl FnOnce(&mut dyn RngCore) -> T) -> T {
    SEEDED.with_borrow_mut(|seeded| match seeded {
        Some(seeded) => what(seeded),
        None => what(&mut rand::rng()),
    })
}
