// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Steps of a referral's life that its sender, its recipient or the clock make.

use super::Batch;
use super::journal::GATEWAY;
use crate::consent::{Decision, Direction};
use crate::dialect::{Category, CategoryMask};
use crate::exchange::apply::Answered;
use crate::exchange::command::{Answer, Cancel, Expire, Reply, Told, Transfer};
use crate::exchange::refusal::Refusal;
use crate::id::DeliveryId;
use crate::numbered::Numbered;
use crate::outbox::State;
use crate::proto::audit::EntryKind;
use crate::proto::types::StatusChange;
use crate::referral::{Actor, Referral, ReferralState, StatusReason, feedback, step};

/// What a status change can carry besides the state.
pub(super) const FEEDBACK: CategoryMask =
    CategoryMask::from_bits(Category::Outcome.mask().bits() | Category::Attendance.mask().bits() | Category::Appointments.mask().bits());

impl Batch<'_> {
    /// The recipient's answer. A late one after a recall is logged and goes no further.
    pub(super) fn answer(&mut self, c: &Answer) -> Result<(Reply, u64), Refusal> {
        let referral = self.set.referrals.get(&c.referral).filter(|r| r.recipient == c.recipient && self.is_known_to_recipient(r));
        let referral = referral.cloned().ok_or(Refusal::NotFound)?;
        let actor = referral.recipient.to_string();
        if let Some(told) = self.set.events.get(&(c.referral, c.event)) {
            // The same event again, in another call.
            let same = told.actor == actor && told.state == c.state;
            let (state, leaf) = (told.state, told.leaf);
            return if same {
                Ok((Reply::Moved(state), leaf))
            } else {
                Err(Refusal::wrong_state(
                    "this event id was used for another event",
                    "Diese Ereigniskennung wurde schon für ein anderes Ereignis verwendet. Bitte eine neue wählen.",
                ))
            };
        }
        if referral.state == ReferralState::Recalled {
            let leaf = self.log_step(&referral, &actor, c.state, c.reason)?;
            return Ok((Reply::Answered { state: ReferralState::Recalled, told: Told::default() }, leaf));
        }
        // Whoever answers has the referral: an answer that overtook its acknowledgement stands for it.
        let unacknowledged =
            self.set.carrier(&referral).filter(|carrier| referral.state == ReferralState::Submitted && carrier.state != State::Delivered);
        let before = if unacknowledged.is_some() { ReferralState::Delivered } else { referral.state };
        step(before, c.state, Actor::Recipient, c.reason)?;
        if let Some(carrier) = unacknowledged.cloned() {
            self.delivered(carrier, referral)?;
        }
        let mut referral = self.set.referrals.get(&c.referral).cloned().ok_or(Refusal::NotFound)?;
        (referral.state, referral.reason) = (c.state, c.reason);
        let leaf = self.log_step(&referral, &actor, c.state, c.reason)?;
        self.moved(&mut referral, c.event, &actor, leaf);

        let to_benefit_body = self.sender_is_benefit_body(&referral);
        let told = feedback(before, c.state, c.reason, to_benefit_body);
        let data = self.feedback_mask(&referral, carried(&c.change));
        // Data that the person allowed to come back travel with the state as it is; without them only what everybody may be told.
        let state = told.map(|told| (told.state, told.reason)).or_else(|| (!data.is_empty()).then_some((c.state, None)));
        if let Some((state, reason)) = state {
            self.tell_sender(&referral, state, reason, cut(&c.change, data))?;
        }
        self.set.referrals.put(referral.id, referral);
        Ok((Reply::Answered { state: c.state, told: Told { state, data } }, leaf))
    }

    /// A recipient learns of a referral when it is released, not before; and of one that was blocked only that it was called back.
    fn is_known_to_recipient(&self, referral: &Referral) -> bool {
        referral.state != ReferralState::Blocked && self.set.may_have_arrived(referral)
    }

    /// Which of the optional contents of a status change may reach the sender.
    pub(super) fn feedback_mask(&self, referral: &Referral, carried: CategoryMask) -> CategoryMask {
        if carried.is_empty() {
            return carried;
        }
        let transfer = Transfer { carried, ..Transfer::of(referral) };
        match self.decide(&transfer, Direction::Feedback) {
            Decision::Permitted(permit) => permit.mask(),
            Decision::Denied(_) => CategoryMask::EMPTY,
        }
    }

    pub(super) fn cancel(&mut self, c: &Cancel) -> Result<(Reply, u64), Refusal> {
        let referral = self.set.referrals.get(&c.referral).cloned();
        let mine = |r: &Referral| r.sender == c.caller || (r.recipient == c.caller && self.is_known_to_recipient(r));
        let mut referral = referral.filter(mine).ok_or(Refusal::NotFound)?;
        let by = if referral.sender == c.caller { Actor::Sender } else { Actor::Recipient };
        let state = if c.entered_in_error { ReferralState::EnteredInError } else { ReferralState::Cancelled };
        let before = referral.state;
        let may_have_arrived = before != ReferralState::Blocked && self.set.may_have_arrived(&referral);
        step(before, state, by, Some(c.reason))?;
        (referral.state, referral.reason) = (state, Some(c.reason));
        let actor = c.caller.to_string();
        let leaf = self.log_step(&referral, &actor, state, Some(c.reason))?;
        self.moved(&mut referral, *c.idempotency.request.as_bytes(), &actor, leaf);
        self.stop_deliveries(&referral)?;
        match by {
            Actor::Recipient => {
                let to_benefit_body = self.sender_is_benefit_body(&referral);
                if let Some(told) = feedback(before, state, Some(c.reason), to_benefit_body) {
                    self.tell_sender(&referral, told.state, told.reason, StatusChange::default())?;
                }
            }
            // The recipient has, or may have, data that it no longer needs: it is told.
            Actor::Sender | Actor::Gateway => {
                if may_have_arrived {
                    self.issue_recall(&referral, c.reason, CategoryMask::EMPTY)?;
                }
            }
        }
        self.set.referrals.put(referral.id, referral);
        Ok((Reply::Moved(state), leaf))
    }

    /// What nobody delivered or answered in time.
    pub(super) fn expire(&mut self, c: &Expire) -> Result<Answered, Refusal> {
        let mut ended = 0;
        for id in std::mem::take(&mut self.set.overdue) {
            let Some(mut referral) = self.set.referrals.get(&id).filter(|r| r.submitted_at < c.before).cloned() else { continue };
            // A delivery that is under way right now is left to end first.
            let started = self.set.carrier(&referral).is_some_and(|carrier| carrier.state == State::Started);
            if started || step(referral.state, ReferralState::Expired, Actor::Gateway, None).is_err() {
                continue;
            }
            let reason = if referral.state == ReferralState::Delivered { StatusReason::NoAnswer } else { StatusReason::NotDeliverable };
            (referral.state, referral.reason) = (ReferralState::Expired, Some(reason));
            let leaf = self.log_step(&referral, GATEWAY, ReferralState::Expired, Some(reason))?;
            self.moved(&mut referral, *DeliveryId::random().as_bytes(), GATEWAY, leaf);
            self.stop_deliveries(&referral)?;
            self.tell_sender(&referral, ReferralState::Expired, Some(reason), StatusChange::default())?;
            self.set.referrals.put(id, referral);
            ended += 1;
        }
        Ok(Answered::quiet(Reply::Expired(ended)))
    }

    fn log_step(&mut self, referral: &Referral, actor: &str, state: ReferralState, reason: Option<StatusReason>) -> Result<u64, Refusal> {
        let mut entry = self.entry_about(EntryKind::StatusChanged, actor, referral)?;
        entry.state = state.number();
        entry.reason = reason.map_or(0, Numbered::number);
        Ok(self.log(&entry))
    }
}

/// Categories of the optional contents of a status change.
pub(crate) fn carried(change: &StatusChange) -> CategoryMask {
    let mut mask = CategoryMask::EMPTY;
    for (present, category) in [
        (!change.outcome.is_empty(), Category::Outcome),
        (change.attendance != 0, Category::Attendance),
        (change.appointment.is_some(), Category::Appointments),
    ] {
        if present {
            mask |= category.mask();
        }
    }
    mask
}

/// The change with only those of its optional contents that `allowed` covers.
pub(in crate::exchange) fn cut(change: &StatusChange, allowed: CategoryMask) -> StatusChange {
    let mut cut = change.clone();
    if !allowed.contains(Category::Outcome) {
        cut.outcome.clear();
    }
    if !allowed.contains(Category::Attendance) {
        cut.attendance = 0;
    }
    if !allowed.contains(Category::Appointments) {
        cut.appointment = None;
    }
    cut
}

impl Transfer {
    /// A stored referral, to be judged again.
    pub(crate) fn of(referral: &Referral) -> Self {
        let party = |institution: &crate::id::InstitutionId, unit: &crate::id::UnitId| crate::consent::Party {
            institution: institution.clone(),
            unit: unit.clone(),
            function: String::new(),
        };
        Self {
            sender: party(&referral.sender, &referral.sender_unit),
            recipient: party(&referral.recipient, &referral.recipient_unit),
            purpose: referral.purpose,
            subject: referral.subject,
            carried: referral.stored,
            submitted_at: referral.submitted_at,
            consent: referral.consent,
            necessity: Some(referral.necessity.clone()).filter(|code| !code.is_empty()),
            onward: referral.onward,
            origin: referral.origin,
            municipality: None,
            born: None,
        }
    }

    /// The question to [`crate::consent::decide`].
    pub(crate) fn request<'a>(&'a self, subject: &'a crate::consent::SubjectRef, direction: Direction) -> crate::consent::Request<'a> {
        crate::consent::Request {
            sender: &self.sender,
            recipient: &self.recipient,
            purpose: self.purpose,
            direction,
            subject,
            categories: self.carried,
            submitted_at: self.submitted_at,
            necessity: self.necessity.as_deref(),
            onward: self.onward,
            municipality: self.municipality.as_deref(),
            born: self.born,
        }
    }
}
