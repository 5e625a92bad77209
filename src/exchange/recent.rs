// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Rows as the last batches left them, so that a referral that is submitted, released and settled within a second is read from the database
//! by none of the three. Right as long as nobody else has written, which the head of the log tells under its lock: then everything is forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::working_set::{Table, WorkingSet};
use crate::clock::Time;
use crate::consent::Consent;
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId};
use crate::ledger::store::Head;
use crate::outbox::{Delivery, LaneId};
use crate::referral::Referral;

/// Rows of one kind that are kept at least; twice as many at most. A few seconds of full load.
const KEPT: usize = 2048;

/// What the writer remembers between batches.
#[derive(Debug, Default)]
pub struct Recent {
    head: Option<Head>,
    /// Referrals.
    pub referrals: Rows<ReferralId, Referral>,
    /// Deliveries.
    pub deliveries: Rows<DeliveryId, Delivery>,
    /// Consents.
    pub consents: Rows<ConsentId, Arc<Consent>>,
    /// Wrapped keys of persons' tags.
    pub subjects: Rows<[u8; 32], Vec<u8>>,
    /// Numbers of open deliveries.
    pub lanes: Rows<LaneId, u32>,
    /// Until when recipients are parked. There are no more of them than members.
    pub recipients: HashMap<InstitutionId, Time>,
}

impl Recent {
    /// Forgets everything unless the head is as the last batch left it.
    pub fn check(&mut self, head: Head) {
        if self.head != Some(head) {
            *self = Self::default();
        }
    }

    /// Keeps what a batch saw and changed, once it is committed with this head.
    pub fn keep(&mut self, set: WorkingSet, lanes: &[(LaneId, u32)], head: Head) {
        self.head = Some(head);
        lanes.iter().for_each(|(lane, open)| self.lanes.put(*lane, *open));
        self.recipients.extend(set.recipients.into_rows());
        set.referrals.into_rows().for_each(|(id, referral)| self.referrals.put(id, referral));
        set.deliveries.into_rows().for_each(|(id, delivery)| self.deliveries.put(id, delivery));
        set.consents.into_rows().for_each(|(id, consent)| self.consents.put(id, consent));
        set.subjects.into_rows().for_each(|(subject, wrapped)| self.subjects.put(subject, wrapped));
    }
}

/// Rows of one kind in two generations: what the younger one has no room for becomes the older one, which is forgotten.
#[derive(Debug)]
pub struct Rows<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash + Ord + Copy, V: Clone> Rows<K, V> {
    /// Puts what is known of `wanted` into a table; the rest has to be loaded.
    pub fn fill(&self, table: &mut Table<K, V>, mut wanted: Vec<K>) -> Vec<K> {
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|key| {
            if table.get(key).is_some() {
                return false;
            }
            self.get(key).map(|value| table.loaded(*key, value.clone())).is_none()
        });
        wanted
    }

    /// One that is known.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Keeps one.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= KEPT && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_last_is_known_and_memory_is_bounded() {
        let mut rows = Rows::<u32, u32>::default();
        (0..10_000).for_each(|n| rows.put(n, n));
        rows.put(9_999, 7);
        let mut table = Table::default();
        assert_eq!(rows.fill(&mut table, vec![9_999, 0, 9_999]), [0]);
        assert_eq!(table.get(&9_999), Some(&7));
        assert!(rows.young.len() + rows.old.len() <= 2 * KEPT);
    }

    #[test]
    fn what_somebody_else_may_have_changed_is_forgotten() {
        let mut recent = Recent::default();
        let mut set = WorkingSet::default();
        set.subjects.put([1; 32], vec![1]);
        recent.keep(set, &[], Head { size: 3, next_delivery: 1 });
        recent.check(Head { size: 3, next_delivery: 1 });
        assert_eq!(recent.subjects.fill(&mut Table::default(), vec![[1; 32]]).len(), 0);
        recent.check(Head { size: 4, next_delivery: 1 });
        assert_eq!(recent.subjects.fill(&mut Table::default(), vec![[1; 32]]).len(), 1);
    }
}
