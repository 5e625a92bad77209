// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A case system's own store: what it has received, each thing once however often it comes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::proto::types::{RecallNotice, Referral, StatusChange};

/// Counts arrivals over all systems, so that they have one order.
#[derive(Debug, Clone, Default)]
pub(in crate::cli::demo) struct Turnstile(Arc<AtomicU64>);

impl Turnstile {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A referral that a system has stored.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Arrival {
    /// Its place among all arrivals.
    pub turn: u64,
    /// Chosen by the gateway, the same on every attempt.
    pub delivery: String,
    /// The gateway's number of the referral.
    pub referral: String,
    /// In the institution's own words.
    pub native: Bytes,
    /// What it says.
    pub content: Referral,
    /// Proof that its release is in the log.
    pub receipt: String,
    /// How often it came.
    pub times: u32,
}

/// What one system has stored.
#[derive(Debug, Clone, Default)]
pub(in crate::cli::demo) struct Pages {
    /// Referrals, in the order in which they first came.
    pub arrivals: Vec<Arrival>,
    /// News of own referrals, in the order in which they first came.
    pub news: Vec<StatusChange>,
    /// Recalls, in the order in which they first came.
    pub recalls: Vec<RecallNotice>,
    seen: HashMap<String, usize>,
    known: HashSet<String>,
}

/// The store. What is written once stays, whatever happens to the connection afterwards.
#[derive(Debug)]
pub(in crate::cli::demo) struct Book {
    pages: Mutex<Pages>,
    turnstile: Turnstile,
}

impl Book {
    pub(super) fn new(turnstile: Turnstile) -> Self {
        Self { pages: Mutex::default(), turnstile }
    }

    /// Stores a referral, or notes that it came again. Whether it is new.
    pub(super) fn store(&self, arrival: Arrival) -> bool {
        let mut pages = self.lock();
        if let Some(at) = pages.seen.get(&arrival.delivery).copied() {
            if let Some(known) = pages.arrivals.get_mut(at) {
                known.times += 1;
            }
            return false;
        }
        let at = pages.arrivals.len();
        pages.seen.insert(arrival.delivery.clone(), at);
        pages.arrivals.push(Arrival { turn: self.turnstile.next(), ..arrival });
        true
    }

    /// Stores news of an own referral.
    pub(super) fn note(&self, delivery: &str, change: StatusChange) {
        self.once(delivery, |pages| pages.news.push(change));
    }

    /// Stores a recall.
    pub(super) fn recall(&self, delivery: &str, notice: RecallNotice) {
        self.once(delivery, |pages| pages.recalls.push(notice));
    }

    fn once(&self, delivery: &str, write: impl FnOnce(&mut Pages)) {
        let mut pages = self.lock();
        if pages.known.insert(delivery.to_owned()) {
            write(&mut pages);
        }
    }

    /// Everything so far.
    pub(in crate::cli::demo) fn pages(&self) -> Pages {
        self.lock().clone()
    }

    /// Looks at everything so far.
    pub(in crate::cli::demo) fn look<T>(&self, at: impl FnOnce(&Pages) -> T) -> T {
        at(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
