// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Record a consent; withdraw it, and stop what rests on it.

use super::Batch;
use crate::consent::{Consent, Status, Withdrawal, record_new, transition, withdraw};
use crate::dialect::CategoryMask;
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
        let existing = self.set.consents.get(&c.consent.id);
        if existing.is_some_and(|existing| existing.controller.institution != c.controller) {
            return Err(Refusal::NotFound);
        }
        let mut input = c.consent.clone();
        input.controller.institution = c.controller.clone();
        let record = record_new(input, existing, &self.agreement, self.now).map_err(Refusal::Consent)?;
        if let Some(older) = record.supersedes {
            let older = self.set.consents.get(&older).filter(|older| older.controller.institution == c.controller).ok_or(Refusal::NotFound)?;
            if older.subject != record.subject {
                return Err(Refusal::NotFound);
            }
            // One that has ended already stays as it ended.
            if let Ok(replaced) = transition(older, Status::Superseded, self.now, Some(&c.controller), "superseded") {
                self.log_consent(EntryKind::ConsentRecorded, c.controller.as_str(), &replaced)?;
                self.set.consents.put(replaced.id, replaced);
            }
        }
        let leaf = self.log_consent(EntryKind::ConsentRecorded, c.controller.as_str(), &record)?;
        let reply = Reply::ConsentRecorded { consent: record.id, version: record.version };
        self.set.consents.put(record.id, record);
        Ok((reply, leaf))
    }

    /// From here on nothing starts under what was withdrawn: releases come after this in the same order.
    pub(super) fn withdraw(&mut self, c: &Withdraw) -> Result<(Reply, u64), Refusal> {
        let consent = self.set.consents.get(&c.consent).filter(|consent| consent.parties().any(|party| *party == c.received_by));
        let consent = consent.cloned().ok_or(Refusal::NotFound)?;
        let withdrawal = Withdrawal { scope: &c.scope, at: self.now, received_by: &c.received_by, channel: &c.channel };
        let after = withdraw(&consent, &withdrawal);
        let leaf = self.log_consent(EntryKind::ConsentWithdrawn, c.received_by.as_str(), &after)?;
        let mut done = Withdrawn { version: after.version, ..Withdrawn::default() };
        self.set.consents.put(after.id, after.clone());
        for id in self.set.under_consent(&c.consent) {
            self.stop_or_recall(&id, &after, c, &mut done)?;
        }
        Ok((Reply::Withdrawn(done), leaf))
    }

    /// One referral under a consent that has just become narrower.
    fn stop_or_recall(&mut self, id: &ReferralId, consent: &Consent, c: &Withdraw, done: &mut Withdrawn) -> Result<(), Refusal> {
        let mut referral = self.set.referrals.get(id).cloned().ok_or(Refusal::Internal("a referral is missing"))?;
        let still = consent.grants.iter().filter(|grant| consent.status == Status::Active && grant.purpose == referral.purpose);
        let still = still.filter(|grant| grant.recipient.institution == referral.recipient && grant.recipient.unit == referral.recipient_unit);
        let covered = still.fold(CategoryMask::EMPTY, |all, grant| all | grant.categories);
        let lost = referral.stored - covered;
        if lost.is_empty() {
            return Ok(());
        }
        let carrier = self.set.deliveries.get(&referral.delivery).filter(|delivery| delivery.kind == Kind::Referral).map(|d| d.state);
        let ended = covered.is_empty();
        match (referral.state, carrier) {
            // Waiting: it stops whole, or leaves later with what is still covered (asked again at its release).
            (ReferralState::Submitted | ReferralState::Blocked, Some(State::Ready) | None) if ended => {
                self.recall_state(&mut referral)?;
                self.stop_deliveries(&referral)?;
                done.stopped.push(*id);
            }
            (ReferralState::Submitted | ReferralState::Blocked, Some(State::Ready) | None) => {}
            // Being sent at this moment: it may arrive, so the recipient is asked to give it up.
            (ReferralState::Submitted, Some(State::Started)) => {
                self.issue_recall(&referral, if ended { CategoryMask::EMPTY } else { lost }, c.recall_answer_within)?;
                if ended {
                    self.recall_state(&mut referral)?;
                }
                done.in_flight.push(*id);
            }
            (state, _) if state.is_at_recipient() => {
                self.issue_recall(&referral, if ended { CategoryMask::EMPTY } else { lost }, c.recall_answer_within)?;
                if ended && !state.is_final() {
                    self.recall_state(&mut referral)?;
                }
                done.recalled.push(*id);
            }
            _ => {}
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
        let now = self.now;
        for id in self.set.open_deliveries(&referral.id) {
            let waiting = self.set.deliveries.get(&id).filter(|d| d.kind == Kind::Referral && d.state == State::Ready).is_some();
            if waiting && let Some(row) = self.set.deliveries.change(&id) {
                row.finish(State::Stopped, now, now);
                let delivery = row.clone();
                let entry = self.entry_of(EntryKind::DeliveryStopped, super::journal::GATEWAY, referral, &delivery)?;
                self.log(&entry);
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
