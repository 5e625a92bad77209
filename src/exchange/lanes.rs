// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Lanes whose open deliveries the writer has counted: what comes into an empty one is in front of it, without asking the database, and may start in
//! the very batch that queues it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::id::DeliveryId;
use crate::outbox::{Delivery, LaneId};

/// The lanes that a batch touches, as they were before it.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Open deliveries, where known.
    open: HashMap<LaneId, u32>,
    /// Loaded deliveries that were open.
    was_open: HashSet<DeliveryId>,
}

/// What a batch does to the order of lanes.
#[derive(Debug, Default)]
pub struct Fronts {
    /// Places of new deliveries that are in front.
    pub first: HashSet<i64>,
    /// Lanes in which the database has to look who is in front now.
    pub unsure: Vec<LaneId>,
    /// Open deliveries after the batch, where known.
    pub open: Vec<(LaneId, u32)>,
}

impl Lanes {
    /// A lane with its number of open deliveries.
    pub fn counted(&mut self, lane: LaneId, open: u32) {
        self.open.insert(lane, open);
    }

    /// A delivery as it was before the batch.
    pub fn loaded(&mut self, delivery: &Delivery) {
        if delivery.state.is_open() {
            self.was_open.insert(delivery.id);
        }
    }

    /// Whether nothing was open in it.
    pub fn was_empty(&self, lane: &LaneId) -> bool {
        self.open.get(lane) == Some(&0)
    }

    /// After the batch. `changed` are its new and changed deliveries; the new ones have places from `first_new` on.
    pub fn after<'a>(&self, changed: impl Iterator<Item = &'a Delivery>, first_new: i64) -> Fronts {
        let mut lanes: BTreeMap<LaneId, Vec<&Delivery>> = BTreeMap::new();
        changed.for_each(|delivery| lanes.entry(delivery.lane).or_default().push(delivery));
        let mut fronts = Fronts::default();
        for (lane, rows) in lanes {
            let (new, old): (Vec<_>, Vec<_>) = rows.into_iter().partition(|d| d.seq >= first_new);
            let came = new.iter().filter(|d| d.state.is_open());
            let ended = old.iter().filter(|d| self.was_open.contains(&d.id) && !d.state.is_open()).count();
            let back = old.iter().filter(|d| !self.was_open.contains(&d.id) && d.state.is_open()).count();
            let Some(before) = self.open.get(&lane) else {
                if new.iter().chain(&old).any(|d| d.state != crate::outbox::State::Started) {
                    fronts.unsure.push(lane);
                }
                continue;
            };
            let stayed = before.saturating_sub(u32::try_from(ended).unwrap_or(u32::MAX));
            let more = u32::try_from(came.clone().count() + back).unwrap_or(u32::MAX);
            fronts.open.push((lane, stayed.saturating_add(more)));
            if back > 0 || old.iter().any(|d| d.was_put_back()) || (ended > 0 && stayed > 0) {
                fronts.unsure.push(lane);
            } else if stayed == 0 {
                fronts.first.extend(came.map(|d| d.seq).min());
            }
        }
        fronts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::outbox::{Kind, State};

    const LANE: LaneId = [7; 16];

    fn delivery(seq: i64, state: State) -> Delivery {
        Delivery {
            id: DeliveryId::from_slice(&[u8::try_from(seq).unwrap(); 16]).unwrap(),
            seq,
            referral: crate::id::ReferralId::from_slice(&[1; 16]).unwrap(),
            recipient: "jobcenter-bremen".parse().unwrap(),
            lane: LANE,
            kind: Kind::Referral,
            state,
            attempts: 1,
            begun: 1,
            due_at: Time(0),
            token: None,
            last_error: String::new(),
            accepted_at: Time(0),
            changed_at: Time(0),
        }
    }

    /// Open before the batch (none: not known) with these loaded, and these after it; places from 10 on are new.
    fn after(open: Option<u32>, loaded: &[(i64, State)], changed: &[(i64, State)]) -> Fronts {
        let mut lanes = Lanes::default();
        open.into_iter().for_each(|open| lanes.counted(LANE, open));
        loaded.iter().for_each(|(seq, state)| lanes.loaded(&delivery(*seq, *state)));
        let changed: Vec<_> = changed.iter().map(|(seq, state)| delivery(*seq, *state)).collect();
        lanes.after(changed.iter(), 10)
    }

    #[test]
    fn what_comes_into_an_empty_lane_is_in_front_and_nothing_is_asked() {
        let fronts = after(Some(0), &[], &[(10, State::Stopped), (11, State::Started), (12, State::Ready)]);
        assert_eq!((fronts.first, fronts.unsure, fronts.open), (HashSet::from([11]), vec![], vec![(LANE, 2)]));
    }

    #[test]
    fn what_comes_behind_another_is_not_in_front() {
        let fronts = after(Some(1), &[], &[(10, State::Ready)]);
        assert_eq!((fronts.first, fronts.unsure, fronts.open), (HashSet::new(), vec![], vec![(LANE, 2)]));
    }

    #[test]
    fn the_last_one_leaves_an_empty_lane_and_any_other_a_question() {
        let started = [(1, State::Started)];
        let fronts = after(Some(1), &started, &[(1, State::Delivered)]);
        assert_eq!((fronts.unsure, fronts.open), (vec![], vec![(LANE, 0)]));
        let fronts = after(Some(1), &started, &[(1, State::Delivered), (10, State::Ready)]);
        assert_eq!((fronts.first, fronts.unsure, fronts.open), (HashSet::from([10]), vec![], vec![(LANE, 1)]));
        let fronts = after(Some(3), &started, &[(1, State::Delivered)]);
        assert_eq!((fronts.unsure, fronts.open), (vec![LANE], vec![(LANE, 2)]));
    }

    #[test]
    fn what_an_operator_puts_back_and_what_nobody_has_counted_is_a_question() {
        assert_eq!(after(Some(1), &[(1, State::Dead)], &[(1, State::Ready)]).unsure, [LANE]);
        assert_eq!(after(None, &[(1, State::Started)], &[(1, State::Delivered)]).unsure, [LANE]);
        assert_eq!(after(None, &[], &[(10, State::Ready)]).unsure, [LANE]);
        assert_eq!(after(None, &[(1, State::Ready)], &[(1, State::Started)]).unsure, [[0; 16]; 0]);
    }
}
