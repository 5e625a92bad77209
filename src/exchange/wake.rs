// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::id::InstitutionId;

/// A bell per recipient: rung when something may have become due, by the writer for what it has just written, and once a second for what is due by time
/// ([`super::Exchange::ring_due`]). Whoever is rung looks; nobody looks without.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bells: Mutex<HashMap<InstitutionId, Arc<Notify>>>,
    elsewhere: Notify,
}

impl Wake {
    /// The bell of a recipient. A ring while nobody listens is kept.
    pub fn bell(&self, recipient: &InstitutionId) -> Arc<Notify> {
        let mut bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(recipient.clone()).or_default().clone()
    }
    /// Rings it.
    pub fn ring(&self, recipient: &InstitutionId) {
        self.bell(recipient).notify_one();
    }
    /// Another gateway has written, nobody knows for whom.
    pub fn elsewhere(&self) {
        self.0.elsewhere.notify_one();
    }
    /// Until another gateway has written.
    pub async fn until_elsewhere(&self) {
        self.0.elsewhere.notified().await;
    }
}
