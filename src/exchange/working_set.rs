// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The rows that one batch of commands touches, in memory: loaded in a few statements, changed by pure functions, written in a few statements.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::command::CallerName;
use super::lanes::Lanes;
use super::person::Person;
use crate::clock::Time;
use crate::consent::Consent;
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId, RequestId};
use crate::outbox::{Delivery, LaneId};
use crate::referral::{Event, Recall, RecallId, Referral};

/// What a batch needs to see. Ids that do not exist are simply not found.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Earlier calls with the same id.
    pub requests: Vec<(CallerName, RequestId)>,
    /// Consents by id.
    pub consents: Vec<ConsentId>,
    /// Codes that may be given out, as keyed digests.
    pub codes: Vec<[u8; 32]>,
    /// Referrals by id, with their carriers and the deliveries that no acknowledgement has ended.
    pub referrals: Vec<ReferralId>,
    /// Deliveries by id, with their referrals.
    pub deliveries: Vec<DeliveryId>,
    /// All referrals that rest on a consent, or carry data received under it, with the same.
    pub under_consent: Vec<ConsentId>,
    /// What may start now for a recipient, at most so many.
    pub due: Vec<(InstitutionId, u32)>,
    /// Recipients that an operator parks or lets go again, and those for whom a demand waits.
    pub recipients: Vec<InstitutionId>,
    /// Lanes into which something comes.
    pub lanes: Vec<LaneId>,
    /// Persons whose leaves will be tagged; those of loaded referrals are added.
    pub subjects: Vec<[u8; 32]>,
    /// Everything that is there of these persons: consents, and referrals with all that belongs to them.
    pub everything_of: Vec<[u8; 32]>,
    /// Recalls by id.
    pub recalls: Vec<RecallId>,
    /// All recalls of these referrals.
    pub recalls_of: Vec<ReferralId>,
    /// Steps that may have been told before: referral and event id.
    pub events: Vec<(ReferralId, [u8; 16])>,
    /// Referrals submitted before this instant that are still undelivered or unanswered.
    pub overdue: Option<(Time, u32)>,
    /// Recalls whose recipients are to be reminded, at most so many.
    pub to_remind: Option<u32>,
}

/// An earlier call, as remembered for its repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Keyed digest of the content.
    pub digest: [u8; 32],
    /// The response without its receipt, as [`super::command::Reply`] serialises it.
    pub reply: Vec<u8>,
    /// Leaf that the receipt proves.
    pub leaf: u64,
    /// Size of the log that it proves it in; set when the batch is complete.
    pub tree_size: u64,
    /// When.
    pub at: Time,
}

/// Rows of one table.
#[derive(Debug)]
pub struct Table<K, V>(HashMap<K, Row<V>>);

#[derive(Debug)]
struct Row<V> {
    value: V,
    changed: bool,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone, V> Table<K, V> {
    /// As stored, or as an earlier command of the batch left it.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|row| &row.value)
    }
    /// To change it: it will be written.
    pub fn change(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(|row| {
            row.changed = true;
            &mut row.value
        })
    }
    /// A new row, or a new content of one: it will be written.
    pub fn put(&mut self, key: K, value: V) {
        self.0.insert(key, Row { value, changed: true });
    }
    /// A row from the database; one that an earlier load brought stays.
    pub fn loaded(&mut self, key: K, value: V) {
        self.0.entry(key).or_insert(Row { value, changed: false });
    }
    /// Takes a row out: later commands of the batch do not find it, and it will not be written. Removing it from the database is another matter.
    pub fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }
    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, row)| (key, &row.value))
    }
    /// All rows, with nothing more to do.
    pub fn into_rows(self) -> impl Iterator<Item = (K, V)> {
        self.0.into_iter().map(|(key, row)| (key, row.value))
    }
    /// What has to be written.
    pub fn changed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().filter(|(_, row)| row.changed).map(|(key, row)| (key, &row.value))
    }
}

/// Everything that a batch sees and changes.
#[derive(Debug, Default)]
pub struct WorkingSet {
    /// Earlier calls.
    pub requests: Table<(CallerName, RequestId), Request>,
    /// Current versions of consents.
    pub consents: Table<ConsentId, Arc<Consent>>,
    /// Consents by the keyed digests of the codes that were given out for them.
    pub codes: Table<[u8; 32], ConsentId>,
    /// Referrals.
    pub referrals: Table<ReferralId, Referral>,
    /// Carriers, open deliveries and dead letters of the referrals, and those that were asked for.
    pub deliveries: Table<DeliveryId, Delivery>,
    /// Until when recipients are parked, those that were asked for; zero: not.
    pub recipients: Table<InstitutionId, Time>,
    /// Persons, by their pseudonyms.
    pub subjects: Table<[u8; 32], Person>,
    /// Recalls.
    pub recalls: Table<RecallId, Recall>,
    /// Steps that were told before, by referral and event id.
    pub events: HashMap<(ReferralId, [u8; 16]), Event>,
    /// Referrals that nobody delivered or answered in time, the oldest first.
    pub overdue: Vec<ReferralId>,
    /// Recalls whose recipients are to be reminded now, the longest due first.
    pub to_remind: Vec<RecallId>,
    /// What may start now, per recipient, longest due first.
    pub due: HashMap<InstitutionId, Vec<DeliveryId>>,
    /// Lanes, as far as their open deliveries were counted.
    pub lanes: Lanes,
    /// Order number of the next delivery.
    pub next_delivery: i64,
}

impl WorkingSet {
    /// Open deliveries of a referral, in the order of acceptance.
    pub fn open_deliveries(&self, referral: &ReferralId) -> Vec<DeliveryId> {
        let mut found: Vec<_> = self.deliveries.iter().filter(|(_, d)| d.referral == *referral && d.state.is_open()).collect();
        found.sort_by_key(|(_, d)| d.seq);
        found.into_iter().map(|(id, _)| *id).collect()
    }
    /// The delivery that carries a referral. Loaded with every referral that a command names.
    pub fn carrier(&self, referral: &Referral) -> Option<&Delivery> {
        self.deliveries.get(&referral.delivery)
    }
    /// Whether the recipient has the referral, or may have it although no acknowledgement came back.
    pub fn may_have_arrived(&self, referral: &Referral) -> bool {
        referral.state.is_at_recipient() || self.carrier(referral).is_some_and(Delivery::may_have_arrived)
    }
    /// Referrals that rest on a consent or carry data received under it, in the order of submission.
    pub fn under_consent(&self, consent: &ConsentId) -> Vec<ReferralId> {
        let mut found: Vec<_> = self.referrals.iter().filter(|(_, r)| [r.consent, r.origin].contains(&Some(*consent))).collect();
        found.sort_by_key(|(id, r)| (r.submitted_at, **id));
        found.into_iter().map(|(id, _)| *id).collect()
    }
}
