// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Start what is due: consent is asked again, at this place in the one order. A withdrawal before it stops the delivery, a withdrawal
//! after it finds the delivery started and says so.

use std::collections::{HashMap, HashSet};

use super::Batch;
use super::journal::GATEWAY;
use super::lifecycle::FEEDBACK;
use crate::consent::{Decision, Direction, Reason};
use crate::dialect::CategoryMask;
use crate::exchange::apply::Answered;
use crate::exchange::command::{Release, Released, Reply, Transfer};
use crate::exchange::refusal::Refusal;
use crate::id::{DeliveryId, InstitutionId};
use crate::numbered::Numbered;
use crate::outbox::{Kind, LeaseToken, MAX_ATTEMPTS, State};
use crate::proto::audit::EntryKind;
use crate::proto::types::StatusChange;
use crate::referral::{Referral, ReferralState, StatusReason};

impl Batch<'_> {
    pub(super) fn release(&mut self, c: &Release) -> Result<Answered, Refusal> {
        if self.set.recipients.get(&c.recipient).is_some_and(|until| *until > self.now) {
            // Parked by a command of this very batch; what was parked before is not due.
            return Ok(Answered::quiet(Reply::Released(Vec::new())));
        }
        let mut due = self.set.due.remove(&c.recipient).unwrap_or_default().into_iter();
        let mut released = Vec::new();
        while released.len() < c.limit as usize
            && let Some(id) = due.next()
        {
            // Another command of the batch may have started, stopped or settled it.
            if self.set.deliveries.get(&id).is_some_and(|delivery| delivery.is_due(self.now))
                && let Some(one) = self.start(&id, c)?
            {
                released.push(one);
            }
        }
        // For the next release of the batch.
        self.set.due.insert(c.recipient.clone(), due.collect());
        Ok(Answered::quiet(Reply::Released(released)))
    }

    /// Recipients for whom this batch has put something into an empty lane that has not started.
    pub fn ready(&self) -> HashMap<InstitutionId, Vec<DeliveryId>> {
        let mut ready: HashMap<InstitutionId, Vec<DeliveryId>> = HashMap::new();
        let mut taken = HashSet::new();
        for delivery in self.added.queued.iter().filter_map(|(id, _)| self.set.deliveries.get(id)) {
            // Only the first of each lane that is still open.
            if delivery.state.is_open() && self.set.lanes.was_empty(&delivery.lane) && taken.insert(delivery.lane) && delivery.state == State::Ready {
                ready.entry(delivery.recipient.clone()).or_default().push(delivery.id);
            }
        }
        ready
    }

    /// Fulfils a demand with what this batch has queued, as an ordinary release after all its commands would.
    pub fn fulfil(&mut self, c: &Release, ready: &mut Vec<DeliveryId>) -> Result<Answered, Refusal> {
        // Who has not been looked up (the demand came meanwhile) could be parked.
        if self.set.recipients.get(&c.recipient).is_none() {
            return Ok(Answered::quiet(Reply::Released(Vec::new())));
        }
        let rest = ready.split_off(ready.len().min(c.limit as usize));
        self.set.due.entry(c.recipient.clone()).or_default().append(ready);
        *ready = rest;
        self.release(c)
    }

    /// One delivery: started with a logged release, or stopped with a logged refusal.
    fn start(&mut self, id: &DeliveryId, c: &Release) -> Result<Option<Released>, Refusal> {
        let delivery = self.set.deliveries.get(id).cloned().ok_or(Refusal::Internal("a due delivery is missing"))?;
        let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
        if delivery.kind == Kind::Referral && referral.state != ReferralState::Submitted {
            // Taken back, ended or recalled while an attempt was under way whose outcome nobody told.
            self.stop(&delivery, &referral, "")?;
            return Ok(None);
        }
        if delivery.attempts >= MAX_ATTEMPTS {
            // Its workers died with it, again and again: it must not kill another one.
            self.bury(&delivery, &referral, "attempts used up")?;
            return Ok(None);
        }
        let permit = match delivery.kind {
            Kind::Referral => match self.decide(&Transfer::of(&referral), Direction::Outward) {
                Decision::Permitted(permit) => Some(permit),
                Decision::Denied(denial) => {
                    self.block(id, referral, denial.reason)?;
                    return Ok(None);
                }
            },
            Kind::Status | Kind::Recall => None,
        };
        let mask = match (&permit, delivery.kind) {
            (Some(permit), _) => permit.mask(),
            // That the case was taken or has ended may be told; result, attendance and appointments only as far as the person allows it now.
            (None, Kind::Status) => self.feedback_mask(&referral, FEEDBACK),
            // A recall is a duty and carries nothing of the person.
            (None, _) => CategoryMask::EMPTY,
        };

        let mut token: LeaseToken = [0; 16];
        crate::vault::fill(&mut token)?;
        let until = self.now.plus(c.lease);
        let now = self.now;
        let row = self.set.deliveries.change(id).ok_or(Refusal::Internal("a due delivery is missing"))?;
        row.start(token, until, now);
        let delivery = row.clone();
        let mut entry = self.entry_of(EntryKind::Released, GATEWAY, &referral, &delivery)?;
        entry.counterpart = delivery.recipient.to_string();
        entry.until_ms = until.0;
        entry.detail = delivery.kind.name().to_owned();
        entry.granted = mask.bits();
        if let Some(permit) = &permit {
            entry.decision = Reason::Ok.number();
            entry.legal_basis = permit.legal_basis().number();
            entry.consent_version = permit.consent().map_or(0, |(_, version)| version);
        }
        let leaf = self.log(&entry);
        let plain = self.added.queued.iter_mut().find(|(queued, _)| queued == id).and_then(|(_, plain)| plain.take());
        let narrowed = permit.as_ref().is_some_and(|permit| permit.mask() != referral.stored);
        Ok(Some(Released { delivery, permit, mask, narrowed, state: referral.state, leaf, plain }))
    }

    /// Consent or agreement say no now: the delivery stops, and the sender is told.
    fn block(&mut self, id: &DeliveryId, mut referral: Referral, reason: Reason) -> Result<(), Refusal> {
        let now = self.now;
        let row = self.set.deliveries.change(id).ok_or(Refusal::Internal("a due delivery is missing"))?;
        // An attempt failed or its lease ran out: it may have arrived all the same.
        let may_have_arrived = row.may_have_arrived();
        row.finish(State::Stopped, now, now);
        let delivery = row.clone();
        (referral.state, referral.reason) = match reason {
            Reason::Withdrawn => (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn)),
            _ => (ReferralState::Blocked, Some(StatusReason::NotPermitted)),
        };
        let mut entry = self.entry_of(EntryKind::ReleaseDenied, GATEWAY, &referral, &delivery)?;
        entry.consent_version = referral.consent.and_then(|id| self.set.consents.get(&id)).map_or(0, |consent| consent.version);
        entry.decision = reason.number();
        entry.state = referral.state.number();
        entry.reason = referral.reason.map_or(0, Numbered::number);
        let leaf = self.log(&entry);
        referral.decision = reason.number();
        self.moved(&mut referral, *DeliveryId::random().as_bytes(), GATEWAY, leaf);
        if may_have_arrived {
            let why = referral.reason.unwrap_or(StatusReason::NotPermitted);
            self.issue_recall(&referral, why, CategoryMask::EMPTY)?;
        }
        self.tell_sender(&referral, referral.state, referral.reason, StatusChange::default())?;
        self.set.referrals.put(referral.id, referral);
        Ok(())
    }

    /// Notes that a referral has a new state: version, time, leaf, history.
    pub(super) fn moved(&mut self, referral: &mut Referral, event: [u8; 16], actor: &str, leaf: u64) {
        referral.version += 1;
        referral.changed_at = self.now;
        referral.changed_leaf = leaf;
        self.remember(referral, event, actor, leaf);
    }
}
