// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The one judge of histories: it writes down what an observer outside sees of two persons' referrals to two recipients, and says when something
//! was lost, unexpected, sent twice without need, out of order, started after a withdrawal, or stuck.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use weiche::clock::Time;
use weiche::dialect::Category;
use weiche::exchange::{Content, Moved, Outgoing, Refusal};
use weiche::id::DeliveryId;
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;

/// The two recipients.
pub const TO: [&str; 2] = [JOBCENTER, AGENTUR];

/// Kept, or the sentence that was broken.
pub type Checked = Result<(), TestCaseError>;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    Delivered,
    Unavailable,
    Invalid,
    Returned,
}

/// What an observer outside knows of a referral.
#[derive(Debug)]
pub struct Seen {
    pub person: usize,
    pub to: usize,
    pub leaf: u64,
    /// It was handed to the recipient and not given back unsent.
    pub handed: bool,
    pub ended: bool,
}

#[derive(Debug)]
pub struct Held {
    pub item: Outgoing,
    pub to: String,
    pub over: bool,
    /// It ended by time, before time went back.
    pub lapsed: bool,
}

/// A withdrawal that was answered.
#[derive(Debug)]
pub struct Gone {
    pub person: usize,
    /// None: all recipients.
    pub to: Option<usize>,
    pub only_phone: bool,
    pub leaf: u64,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct History {
    pub referrals: BTreeMap<String, Seen>,
    pub held: Vec<Held>,
    pub delivered: HashSet<DeliveryId>,
    pub put_back: HashSet<DeliveryId>,
    pub dead: HashSet<DeliveryId>,
    /// Per lane the leaf of submission of the referral that was handed over last for the first time.
    order: HashMap<(usize, usize), u64>,
    first_seen: HashSet<DeliveryId>,
    /// How often each delivery was handed over and not given back unsent.
    begun: HashMap<DeliveryId, u32>,
    pub withdrawn: Vec<Gone>,
    pub recalls: Vec<(String, String)>,
    statuses: HashMap<String, (ReferralState, Option<StatusReason>)>,
    pub cancelled: BTreeSet<String>,
    /// The agreement has no route for any of it.
    pub closed: bool,
}

impl Gone {
    fn is_about(&self, person: usize, to: usize) -> bool {
        self.person == person && self.to.is_none_or(|recipient| recipient == to)
    }
}

impl History {
    /// The answer to a submission: the referral and its leaf.
    pub fn accepted(&mut self, person: usize, to: usize, submitted: Result<(String, u64), Refusal>) -> Checked {
        match submitted {
            Ok((id, leaf)) => {
                let gone = self.withdrawn.iter().any(|gone| gone.is_about(person, to) && !gone.only_phone && gone.leaf < leaf);
                prop_assert!(!gone, "accepted after the withdrawal");
                prop_assert!(!self.closed, "accepted although there is no route");
                self.referrals.insert(id, Seen { person, to, leaf, handed: false, ended: false });
            }
            Err(refusal) => {
                let gone = self.withdrawn.iter().any(|gone| gone.is_about(person, to) && !gone.only_phone);
                let racing = matches!(refusal, Refusal::Denied { .. });
                prop_assert!(gone || racing, "{refusal:?}");
            }
        }
        Ok(())
    }

    /// What was blocked is on its way again.
    pub fn repaired(&mut self, id: &str, leaf: u64) -> Checked {
        let seen = self.referrals.get_mut(id).ok_or_else(|| TestCaseError::fail("repaired what nobody sent"))?;
        prop_assert!(!seen.ended && !self.closed, "repaired what may not go");
        seen.leaf = leaf;
        Ok(())
    }

    /// One of those that were accepted.
    pub fn any_referral(&self, which: usize) -> Option<String> {
        (!self.referrals.is_empty()).then(|| self.referrals.keys().nth(which % self.referrals.len()).unwrap().clone())
    }

    /// Everything that must hold at the moment when something is given out.
    pub fn handed(&mut self, to: &str, item: Outgoing, now: Time) -> Checked {
        let id = item.id;
        prop_assert!(!self.delivered.contains(&id), "sent again after its acknowledgement");
        prop_assert!(!self.dead.contains(&id), "sent although given up");
        for held in self.held.iter_mut().filter(|held| held.item.id == id && !held.over) {
            prop_assert!(held.item.until <= now || held.lapsed, "two leases at one time");
            prop_assert_ne!(held.item.token, item.token);
            held.over = true;
        }
        let first = self.first_seen.insert(id);
        *self.begun.entry(id).or_default() += 1;
        match &item.content {
            Content::Referral(_) => {
                let content = item.referral();
                let text = content.referral_id.clone();
                let seen = self.referrals.get_mut(&text).ok_or_else(|| TestCaseError::fail("a referral that nobody sent"))?;
                prop_assert!(!seen.ended, "sent although it has ended");
                prop_assert_eq!(TO[seen.to], to);
                prop_assert!(!self.closed, "started although there is no route");
                for gone in &self.withdrawn {
                    if gone.is_about(seen.person, seen.to) && gone.leaf < item.receipt.leaf {
                        prop_assert!(gone.only_phone, "started after the withdrawal");
                        prop_assert!(!item.mask.contains(Category::Contact), "started with withdrawn data");
                        prop_assert!(content.subject.as_ref().unwrap().contact_points.is_empty(), "withdrawn data are still in it");
                    }
                }
                seen.handed = true;
                let (lane, leaf) = ((seen.person, seen.to), seen.leaf);
                if first && !self.put_back.contains(&id) {
                    let last = self.order.insert(lane, leaf);
                    prop_assert!(last.is_none_or(|last| last < leaf), "out of order");
                }
                for held in self.held.iter().filter(|held| !held.over && !held.lapsed && held.item.until > now) {
                    if matches!(held.item.content, Content::Referral(_)) {
                        let other = &self.referrals[&held.item.referral().referral_id];
                        let allowed = self.put_back.contains(&id) || self.put_back.contains(&held.item.id);
                        prop_assert!(allowed || (other.person, other.to) != lane, "two of one lane at one time");
                    }
                }
            }
            Content::Status(change) => {
                prop_assert_eq!(to, CARITAS);
                prop_assert!(!change.sender_case_number.is_empty());
                if !self.put_back.contains(&id) {
                    self.statuses.insert(change.referral_id.clone(), told(change));
                }
            }
            Content::Recall(notice) => {
                let seen = &self.referrals[&notice.referral_id];
                prop_assert_eq!(TO[seen.to], to);
                prop_assert!(seen.handed, "a recall of what never left");
                if !self.recalls.iter().any(|(known, _)| *known == notice.recall_id) {
                    self.recalls.push((notice.recall_id.clone(), to.to_owned()));
                }
            }
        }
        self.held.push(Held { item, to: to.to_owned(), over: false, lapsed: false });
        Ok(())
    }

    /// The answer to whoever told the outcome of the item at this place.
    pub fn settled(&mut self, at: usize, how: How, result: Result<(), Refusal>, now: Time) -> Checked {
        let (id, over) = (self.held[at].item.id, self.held[at].over);
        match result {
            Ok(()) if self.delivered.contains(&id) => prop_assert_eq!(how, How::Delivered),
            Ok(()) => {
                prop_assert!(!over, "an old lease counted");
                self.held[at].over = true;
                match how {
                    How::Delivered => drop(self.delivered.insert(id)),
                    // Of a referral that has ended meanwhile it is no dead letter, it is just not tried again.
                    How::Invalid => drop(self.dead.insert(id)),
                    How::Returned => *self.begun.entry(id).or_default() -= 1,
                    How::Unavailable => {}
                }
            }
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::StaleLease);
                // Its lease was over (what was to be told may have started again, and stopped since it may no longer be told), or the referral was
                // answered, stopped or blocked meanwhile.
                let answered = matches!(self.held[at].item.content, Content::Referral(_));
                prop_assert!(over || answered || self.held[at].lapsed || self.held[at].item.until <= now);
                self.held[at].over = true;
            }
        }
        Ok(())
    }

    /// The clock jumps: what has ended by it has ended.
    pub fn jumps(&mut self, now: Time) {
        self.held.iter_mut().filter(|held| held.item.until <= now).for_each(|held| held.lapsed = true);
    }

    /// The answer to a withdrawal: nothing under it starts from here on.
    pub fn withdrawn(&mut self, gone: Gone) {
        for seen in self.referrals.values_mut().filter(|seen| !gone.only_phone && gone.is_about(seen.person, seen.to)) {
            seen.ended = true;
        }
        self.withdrawn.push(gone);
    }

    /// Whether a withdrawal has something left to name.
    pub fn was_withdrawn(&self, seen: &Seen, only_phone: bool) -> bool {
        self.withdrawn.iter().any(|gone| gone.is_about(seen.person, seen.to) && (!gone.only_phone || only_phone))
    }

    /// Where the answer to a withdrawal has to name a referral in this state with this carrier: 0 stopped, 1 possibly delivered, 2 delivered.
    pub fn to_be_named(&self, state: ReferralState, carrier: &DeliveryId) -> Option<usize> {
        match state {
            ReferralState::Recalled | ReferralState::EnteredInError => None,
            _ if state.is_at_recipient() || self.delivered.contains(carrier) => Some(2),
            ReferralState::Blocked => Some(0),
            _ if self.begun.get(carrier).is_some_and(|begun| *begun > 0) => Some(1),
            ReferralState::Submitted => Some(0),
            _ => None,
        }
    }

    /// The recipient answered.
    pub fn answered(&mut self, id: &str, result: Result<Moved, Refusal>) -> Checked {
        let seen = &self.referrals[id];
        prop_assert!(seen.handed || result == Err(Refusal::NotFound), "answered what was never sent: {result:?}");
        if result.is_ok_and(|moved| moved.state != ReferralState::Recalled) {
            // It stands for the acknowledgement.
            for held in &mut self.held {
                if held.item.is_referral(id) {
                    held.over = true;
                    self.delivered.insert(held.item.id);
                    self.dead.remove(&held.item.id);
                }
            }
        }
        Ok(())
    }

    /// The last item that was handed over was acknowledged.
    pub fn acknowledged(&mut self) {
        if let Some(held) = self.held.last_mut() {
            held.over = true;
            self.delivered.insert(held.item.id);
        }
    }

    /// Nothing moves any more: nothing is stuck, nothing is lost, everybody knows.
    pub async fn at_rest(&self, desk: &Desk) -> Checked {
        for queue in desk.on().queues().await.unwrap().values() {
            prop_assert_eq!(queue.open, 0, "stuck");
        }
        let dead: Vec<_> = desk.on().dead_letters(None, 10_000).await.unwrap();
        let kept = desk.on().referrals(&who(CARITAS), None, None, 100).await.unwrap();
        for id in self.referrals.keys() {
            let overview = kept.iter().find(|one| one.referral.id.to_string() == *id).ok_or_else(|| TestCaseError::fail("lost"))?;
            let (state, reason) = (overview.referral.state, overview.referral.reason);
            let is_dead = dead.iter().any(|one| one.id == overview.referral.delivery);
            prop_assert!(state != ReferralState::Submitted || is_dead, "neither delivered nor ended: {state:?}");
            prop_assert!(state != ReferralState::Blocked, "blocked, and nobody could repair it");
            let status_died = dead.iter().any(|one| one.referral.to_string() == *id && one.kind != weiche::outbox::Kind::Referral);
            use ReferralState::{Accepted, Completed, Expired, Recalled, Rejected};
            if matches!(state, Recalled | Expired | Accepted | Rejected | Completed) && !status_died {
                // Behind a step that is not told it sees that the case was taken, without a reason.
                let told = self.statuses.get(id).map(|(state, reason)| (*state, reason.filter(|_| !overview.quiet)));
                prop_assert_eq!(told, Some((state, reason)), "the sender was told something else");
            }
            let called_back = self.held.iter().any(|held| matches!(&held.item.content, Content::Recall(notice) if notice.referral_id == *id));
            let seen = &self.referrals[id];
            let withdrawn = self.withdrawn.iter().any(|gone| gone.is_about(seen.person, seen.to) && !gone.only_phone);
            let must = withdrawn || matches!(state, ReferralState::Recalled) || self.cancelled.contains(id);
            if must && self.arrived(id) && !status_died {
                prop_assert!(called_back, "it may be there and was not called back");
            }
        }
        Ok(())
    }

    /// The recipient has acknowledged it.
    fn arrived(&self, id: &str) -> bool {
        self.held.iter().any(|held| self.delivered.contains(&held.item.id) && held.item.is_referral(id))
    }
}
