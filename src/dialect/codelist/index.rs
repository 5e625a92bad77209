// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a code to its row: a hash table that is built once, compares with or without ASCII case and never allocates on look-up.
//!
//! The standard map would need an owned, folded copy of the key to ignore case, and a joined one to find a tuple.

/// Codes and the numbers of their rows. Open addressing; at most half full.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    fold: bool,
    entries: Vec<(Box<str>, usize)>,
    /// Number of an entry plus one; 0 is free. The length is a power of two.
    slots: Vec<u32>,
}

impl Index {
    /// From entries that are pairwise different (under `fold`).
    pub(super) fn new(fold: bool, entries: Vec<(Box<str>, usize)>) -> Self {
        let size = (entries.len() * 2).next_power_of_two().max(2);
        let mut slots = vec![0u32; size];
        for (at, (key, _)) in entries.iter().enumerate() {
            let free = probe(size, hash(fold, &[key])).find(|slot| slots.get(*slot) == Some(&0));
            if let (Some(slot), Ok(number)) = (free.and_then(|slot| slots.get_mut(slot)), u32::try_from(at + 1)) {
                *slot = number;
            }
        }
        Self { fold, entries, slots }
    }

    /// The same codes for a list in which the row `n` has the number `rows[n]`; without those that have none.
    pub(super) fn renumbered(&self, rows: &[Option<usize>]) -> Self {
        let entry = |(key, row): &(Box<str>, usize)| Some((key.clone(), (*rows.get(*row)?)?));
        Self::new(self.fold, self.entries.iter().filter_map(entry).collect())
    }

    /// The row of a code.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.search(&[key], |entry| if self.fold { entry.eq_ignore_ascii_case(key) } else { entry == key })
    }

    /// The row of a tuple whose parts are joined by `+` in the list.
    pub(super) fn find_joined(&self, parts: &[&str]) -> Option<usize> {
        self.search(parts, |entry| entry.split('+').eq(parts.iter().copied()))
    }

    fn search(&self, key: &[&str], same: impl Fn(&str) -> bool) -> Option<usize> {
        for slot in probe(self.slots.len(), hash(self.fold, key)) {
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

/// FNV-1a over the parts joined by `+`. The table's content is ours, so nobody can choose colliding entries.
fn hash(fold: bool, parts: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |byte: u8| state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            feed(b'+');
        }
        for byte in part.bytes() {
            feed(if fold { byte.to_ascii_lowercase() } else { byte });
        }
    }
    state ^ (state >> 32)
}
