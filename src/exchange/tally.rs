// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What became of deliveries, batch by batch: for the metrics, and for the note of who took something last.

use std::collections::HashMap;
use std::time::Duration;

use super::working_set::WorkingSet;
use crate::clock::Time;
use crate::id::InstitutionId;
use crate::outbox::State;

/// How exact the note of a last success is: it is not worth a row in every batch.
const EXACT: Duration = Duration::from_secs(10);

/// When successes were last noted, by recipient.
#[derive(Debug, Default)]
pub struct Tally(HashMap<InstitutionId, Time>);

/// What a batch ended, by recipient: acknowledged, given up.
pub type Ended = HashMap<InstitutionId, (u64, u64)>;

impl Tally {
    /// What the batch ended.
    pub fn of(set: &WorkingSet) -> Ended {
        let mut ended = Ended::new();
        for (_, delivery) in set.deliveries.changed().filter(|(_, d)| matches!(d.state, State::Delivered | State::Dead)) {
            // Mostly one recipient after the other is there already.
            if !ended.contains_key(&delivery.recipient) {
                ended.insert(delivery.recipient.clone(), (0, 0));
            }
            if let Some((acknowledged, dead)) = ended.get_mut(&delivery.recipient) {
                *(if delivery.state == State::Dead { dead } else { acknowledged }) += 1;
            }
        }
        ended
    }

    /// Those whose success is to be written down with this batch.
    pub fn due(&self, ended: &Ended, now: Time) -> Vec<InstitutionId> {
        let stale = |id: &InstitutionId| self.0.get(id).is_none_or(|noted| now.since(*noted) >= EXACT || *noted > now);
        ended.iter().filter(|(id, (acknowledged, _))| *acknowledged > 0 && stale(id)).map(|(id, _)| id.clone()).collect()
    }

    /// The batch is kept.
    pub fn kept(&mut self, ended: Ended, noted: &[InstitutionId], now: Time) {
        self.0.extend(noted.iter().map(|id| (id.clone(), now)));
        for (recipient, (acknowledged, dead)) in ended {
            let name = recipient.to_string();
            metrics::counter!("weiche_acknowledged_total", "recipient" => name.clone()).increment(acknowledged);
            metrics::counter!("weiche_dead_letters_total", "recipient" => name).increment(dead);
        }
    }
}
