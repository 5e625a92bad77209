// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Record a consent; withdraw it, and stop what rests on it.

use std::sync::Arc;

use super::Batch;
use crate::consent::{Consent, Scope, Status, Withdrawal, record_new, transition, usual_retention, withdraw};
use crate::dialect::{Category, CategoryMask};
use crate::exchange::command::{RecordConsent, Reply, Withdraw, Withdrawn};
use crate::exchange::refusal::Refusal;
use crate::id::ReferralId;
use crate::numbered::Numbered;
use crate::outbox::{Kind, State};
use crate::proto::audit::EntryKind;
use crate::proto::types::StatusChange;
use crate::referral::{Referral, ReferralState, StatusReason};

impl Batch<'_> {
    pub(super) fn record_consent(&mut self, c: &RecordConsent) -> Result<(Reply, u64), Refusal> {
        let existing = self.set.consents.get(&c.consent.id).map(|consent| &**consent);
        if existing.is_some_and(|existing| existing.controller.institution != c.controller) {
            return Err(Refusal::NotFound);
        }
        // One that narrows or replaces another cannot wait.
        if existing.is_none() && c.consent.supersedes.is_none() {
            self.unless_short()?;
        }
        let mut input = c.consent.clone();
        input.controller.institution = c.controller.clone();
        let mut record = record_new(input, existing, &self.agreement, self.now).map_err(Refusal::Consent)?;
        if c.consent.retention.is_none() {
            record.retention = Some(usual_retention(&record, c.kept_for_years));
        }
        if let Some(older) = record.supersedes {
            let older = self.set.consents.get(&older).filter(|older| older.controller.institution == c.controller).ok_or(Refusal::NotFound)?;
            if older.subject != record.subject {
                return Err(Refusal::NotFound);
            }
            // One that has ended already stays as it ended.
            if let Ok(replaced) = transition(older, Status::Superseded, self.now, Some(&c.controller), "superseded") {
                self.log_consent(EntryKind::ConsentRecorded, c.controller.as_str(), &replaced)?;
                self.replace(replaced);
            }
        }
        let leaf = self.log_consent(EntryKind::ConsentRecorded, c.controller.as_str(), &record)?;
        let code = Some(self.code_for(&record, &c.codes)?);
        let reply = Reply::ConsentRecorded { consent: record.id, version: record.version, code };
        self.replace(record);
        Ok((reply, leaf))
    }

    /// Puts a version in force; the one before it is kept. The same version again is nothing new.
    fn replace(&mut self, consent: Consent) {
        match self.set.consents.get(&consent.id) {
            Some(before) if before.version == consent.version => return,
            Some(before) => self.added.replaced.push(before.clone()),
            None => {}
        }
        self.set.consents.put(consent.id, consent.into());
    }

    /// Which of the codes drawn for a consent is on its receipt: the one that was given out for it before, or the first that nobody else has.
    fn code_for(&mut self, record: &Consent, codes: &[[u8; 32]]) -> Result<usize, Refusal> {
        let of = |code: &[u8; 32]| self.set.codes.get(code).copied();
        let given = codes.iter().position(|code| of(code) == Some(record.id));
        let at = given.or_else(|| codes.iter().position(|code| of(code).is_none())).ok_or(Refusal::Internal("no code is left for a consent"))?;
        if let (None, Some(code)) = (given, codes.get(at)) {
            self.set.codes.put(*code, record.id);
        }
        Ok(at)
    }

    /// From here on nothing starts under what was withdrawn: releases come after this in the same order.
    pub(super) fn withdraw(&mut self, c: &Withdraw) -> Result<(Reply, u64), Refusal> {
        // Whoever has the person's code was sent by the person. Otherwise through any of its parties, also one that was a recipient until a
        // withdrawal before and still has data.
        let has_data = |r: &Referral| r.recipient == c.received_by && self.set.may_have_arrived(r);
        let may = |consent: &&Arc<Consent>| {
            c.by_code
                || consent.parties().any(|party| *party == c.received_by)
                || self.set.under_consent(&c.consent).iter().filter_map(|id| self.set.referrals.get(id)).any(has_data)
        };
        let consent = self.set.consents.get(&c.consent).filter(may).cloned().ok_or(Refusal::NotFound)?;
        let withdrawal = Withdrawal { scope: &c.scope, at: self.now, received_by: &c.received_by, channel: &c.channel };
        let after = withdraw(&consent, &withdrawal);
        let leaf = self.log_consent(EntryKind::ConsentWithdrawn, c.received_by.as_str(), &after)?;
        let mut done = Withdrawn { version: after.version, ..Withdrawn::default() };
        self.replace(after.clone());
        for id in self.set.under_consent(&c.consent) {
            self.stop_or_recall(&id, &consent, &after, c, &mut done)?;
        }
        Ok((Reply::Withdrawn(done), leaf))
    }

    /// One referral under a consent that has just become narrower.
    fn stop_or_recall(&mut self, id: &ReferralId, before: &Consent, after: &Consent, c: &Withdraw, done: &mut Withdrawn) -> Result<(), Refusal> {
        let mut referral = self.set.referrals.get(id).cloned().ok_or(Refusal::Internal("a referral is missing"))?;
        let covered = covers(after, &referral);
        let lost = match before.status {
            Status::Active => referral.stored & (covers(before, &referral) - covered),
            // It no longer lets anything start, but what went under it can still be called back.
            Status::Superseded | Status::Expired if c.scope == Scope::default() => referral.stored,
            _ => CategoryMask::EMPTY,
        };
        if lost.is_empty() {
            return Ok(());
        }
        // Without the name nothing may go, and nothing may be kept.
        let ended = !covered.contains(Category::Ident);
        let categories = if ended { CategoryMask::EMPTY } else { lost };
        let may_have_arrived = referral.state != ReferralState::Blocked && self.set.may_have_arrived(&referral);
        let is_there = referral.state.is_at_recipient() || self.set.carrier(&referral).is_some_and(|carrier| carrier.state == State::Delivered);
        let reached = match referral.state {
            // What is there of these was called back, and no part of it may stay.
            ReferralState::Recalled | ReferralState::EnteredInError => return Ok(()),
            // Though it may have ended: the time for an answer is over, or somebody took it back and kept a part.
            _ if is_there => &mut done.recalled,
            // Being sent, or sent without an answer: it may be there, so the recipient is asked to give it up.
            _ if may_have_arrived => &mut done.in_flight,
            // Waiting: it stops whole, or leaves later with what is still covered (asked again at its release).
            ReferralState::Submitted | ReferralState::Blocked if ended => &mut done.stopped,
            _ => return Ok(()),
        };
        // Whoever passes the withdrawal on learns of referrals that it sent or received, not of those to others.
        if referral.sender == c.received_by || (referral.recipient == c.received_by && may_have_arrived) {
            reached.push(*id);
        }
        if may_have_arrived {
            self.issue_recall(&referral, StatusReason::ConsentWithdrawn, categories)?;
        }
        if ended && !referral.state.is_final() {
            self.recall_state(&mut referral)?;
            self.stop_deliveries(&referral)?;
        }
        self.set.referrals.put(*id, referral);
        Ok(())
    }

    fn recall_state(&mut self, referral: &mut Referral) -> Result<(), Refusal> {
        (referral.state, referral.reason) = (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn));
        let mut entry = self.entry_about(EntryKind::StatusChanged, super::journal::GATEWAY, referral)?;
        entry.state = referral.state.number();
        entry.reason = referral.reason.map_or(0, Numbered::number);
        let leaf = self.log(&entry);
        let event = *crate::id::DeliveryId::random().as_bytes();
        self.moved(referral, event, super::journal::GATEWAY, leaf);
        self.tell_sender(referral, referral.state, referral.reason, StatusChange::default())
    }

    /// Stops what waits for the recipient of a referral. Messages to the sender go on: the sender must learn of it.
    pub(super) fn stop_deliveries(&mut self, referral: &Referral) -> Result<(), Refusal> {
        for id in self.set.open_deliveries(&referral.id) {
            if let Some(waiting) = self.set.deliveries.get(&id).filter(|d| d.kind == Kind::Referral && d.state == State::Ready).cloned() {
                self.stop(&waiting, referral, "")?;
            }
        }
        Ok(())
    }

    fn log_consent(&mut self, kind: EntryKind, actor: &str, consent: &Consent) -> Result<u64, Refusal> {
        let mut entry = self.entry(kind, actor);
        entry.counterpart = if consent.controller.institution.as_str() == actor { String::new() } else { consent.controller.institution.to_string() };
        entry.consent_id = bytes::Bytes::copy_from_slice(consent.id.as_bytes());
        entry.consent_version = consent.version;
        entry.granted = consent.grants.iter().fold(CategoryMask::EMPTY, |all, grant| all | grant.categories).bits();
        entry.until_ms = consent.valid_until.map_or(0, |until| until.0);
        entry.detail = format!("{:?}", consent.status).to_uppercase();
        if let Some(subject) = crate::exchange::subject_of(consent) {
            entry.subject_tag = self.tag(&subject)?;
        }
        Ok(self.log(&entry))
    }
}

/// What of a referral's data a consent lets go to its recipient, as far as its grants say.
fn covers(consent: &Consent, referral: &Referral) -> CategoryMask {
    let grants = consent.grants.iter().filter(|grant| consent.status == Status::Active && grant.purpose == referral.purpose);
    let grants = grants.filter(|grant| grant.recipient.institution == referral.recipient && grant.recipient.unit == referral.recipient_unit);
    grants.fold(CategoryMask::EMPTY, |all, grant| all | grant.categories)
}
