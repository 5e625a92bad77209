// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a code to its row: a hash table that is built once, compares with or without ASCII case and never allocates on look-up.
//!
//! The standard map would need an owned, folded copy of the key to ignore case, and a joined one to find a tuple.

use std::sync::Arc;

use super::{CodeList, Row};

/// Codes and the numbers of their rows. Open addressing; at most half full.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    fold: bool,
    /// Some codes have parts joined by `+`.
    joined: bool,
    entries: Vec<(Box<str>, usize)>,
    /// Number of an entry plus one; 0 is free. The length is a power of two.
    slots: Vec<u32>,
}

impl Index {
    /// From entries that are pairwise different (under `fold`).
    pub(super) fn new(fold: bool, entries: Vec<(Box<str>, usize)>) -> Self {
        let size = (entries.len() * 2).next_power_of_two().max(2);
        let mut slots = vec![0u32; size];
        let joined = entries.iter().any(|(key, _)| key.contains('+'));
        for (at, (key, _)) in entries.iter().enumerate() {
            let free = probe(size, hash_of(joined, key)).find(|slot| slots.get(*slot) == Some(&0));
            if let (Some(slot), Ok(number)) = (free.and_then(|slot| slots.get_mut(slot)), u32::try_from(at + 1)) {
                *slot = number;
            }
        }
        Self { fold, joined, entries, slots }
    }

    /// The same codes for a list in which the row `n` has the number `rows[n]`; without those that have none.
    pub(super) fn renumbered(&self, rows: &[Option<usize>]) -> Self {
        let entry = |(key, row): &(Box<str>, usize)| Some((key.clone(), (*rows.get(*row)?)?));
        Self::new(self.fold, self.entries.iter().filter_map(entry).collect())
    }

    /// The row of a code.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.search(hash_of(self.joined, key), |entry| entry == key || self.fold && entry.eq_ignore_ascii_case(key))
    }

    /// The row of a tuple whose parts are joined by `+` in the list.
    pub(super) fn find_joined(&self, parts: &[&str]) -> Option<usize> {
        self.search(hash(parts.iter().copied()), |entry| entry.split('+').eq(parts.iter().copied()))
    }

    fn search(&self, hash: u64, same: impl Fn(&str) -> bool) -> Option<usize> {
        for slot in probe(self.slots.len(), hash) {
            let at = usize::try_from(*self.slots.get(slot)?).ok()?.checked_sub(1)?;
            let (entry, row) = self.entries.get(at)?;
            if same(entry) {
                return Some(*row);
            }
        }
        None
    }
}

/// The slots to look at, in order: each exactly once.
fn probe(size: usize, hash: u64) -> impl Iterator<Item = usize> {
    // The size is a power of two.
    let mask = size.wrapping_sub(1);
    let start = usize::try_from(hash & mask as u64).unwrap_or(0);
    (0..size).map(move |step| (start + step) & mask)
}

#[inline]
fn hash_of(joined: bool, key: &str) -> u64 {
    if joined { hash(key.split('+')) } else { hash(std::iter::once(key)) }
}

/// Over the parts, without their case and without what joins them. The table's content is ours, so nobody can choose colliding entries.
fn hash<'p>(parts: impl Iterator<Item = &'p str>) -> u64 {
    let mut state = 0u64;
    for part in parts {
        let bytes = part.as_bytes();
        // Both ends: codes are short.
        let mut word = [0; 8];
        let head = bytes.len().min(8);
        if let (Some(to), Some(from)) = (word.get_mut(..head), bytes.get(..head)) {
            to.copy_from_slice(from);
        }
        let tail = bytes.last_chunk().copied().map_or(0, u64::from_le_bytes);
        // ASCII letters differ from their capitals in this bit.
        let mixed = (u64::from_le_bytes(word) ^ tail.rotate_left(29)) | 0x2020_2020_2020_2020;
        state = (state.rotate_left(17) ^ mixed ^ bytes.len() as u64).wrapping_mul(MIX);
    }
    state ^ (state >> 32)
}

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// From the bytes of an encoded code to its row, so that nobody takes apart what the gateway itself has put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Encodings {
    /// A list and the number of a row. The length is a power of two, at most half are taken.
    slots: Vec<Option<(Arc<CodeList>, usize)>>,
}

impl Encodings {
    /// Of the lists of each code system. A code that two of them have is that of the first.
    pub(super) fn new<'l>(systems: impl Iterator<Item = &'l Vec<Arc<CodeList>>> + Clone) -> Self {
        let rows = systems.clone().flatten().map(|list| list.rows.len()).sum::<usize>();
        let mut slots = vec![None; (rows * 2).next_power_of_two().max(2)];
        for lists in systems {
            for list in lists {
                for (at, row) in list.rows.iter().enumerate() {
                    let first = lists.iter().find_map(|list| list.get(&row.canonical));
                    let free = probe(slots.len(), tail(&row.coding)).find(|slot| slots.get(*slot).is_some_and(Option::is_none));
                    if let (true, Some(slot)) = (first.is_some_and(|first| std::ptr::eq(first, row)), free.and_then(|free| slots.get_mut(free))) {
                        *slot = Some((Arc::clone(list), at));
                    }
                }
            }
        }
        Self { slots }
    }

    pub(super) fn find(&self, coding: &[u8]) -> Option<&Row> {
        for slot in probe(self.slots.len(), tail(coding)) {
            let (list, at) = self.slots.get(slot)?.as_ref()?;
            if let Some(row) = list.rows.get(*at).filter(|row| *row.coding == *coding) {
                return Some(row);
            }
        }
        None
    }
}

/// Encoded codes differ at their ends, in code and label.
fn tail(bytes: &[u8]) -> u64 {
    let word = |end: usize| bytes.len().checked_sub(end).and_then(|at| bytes.get(at..at + 8)?.try_into().ok()).map_or(0, u64::from_le_bytes);
    let mixed = (word(8) ^ word(16).rotate_left(29) ^ bytes.len() as u64).wrapping_mul(MIX);
    mixed ^ (mixed >> 32)
}
