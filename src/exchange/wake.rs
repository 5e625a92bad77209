// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::id::InstitutionId;

/// A bell per recipient: the writer rings it when something may have become due. A hint only; whoever listens also looks from time to time.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Mutex<HashMap<InstitutionId, Arc<Notify>>>>);

impl Wake {
    /// The bell of a recipient. A ring while nobody listens is kept.
    pub fn bell(&self, recipient: &InstitutionId) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(recipient.clone()).or_default().clone()
    }
    /// Rings all that anybody has asked for.
    pub fn ring_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|bell| bell.notify_one());
    }
    /// Rings it.
    pub fn ring(&self, recipient: &InstitutionId) {
        self.bell(recipient).notify_one();
    }
}
