// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What operators do. Every action is a leaf.

use std::sync::Arc;

use super::Batch;
use crate::agreement::{Agreement, TextChange};
use crate::clock::Time;
use crate::exchange::apply::Answered;
use crate::exchange::command::{Adopt, Drain, Park, Parked, Reply, Requeue};
use crate::exchange::refusal::Refusal;
use crate::id::{DeliveryId, InstitutionId};
use crate::outbox::{Kind, State};
use crate::proto::audit::EntryKind;
use crate::referral::ReferralState;

impl Batch<'_> {
    /// Puts a dead letter back into its lane; consent is asked again before it starts.
    pub(super) fn requeue(&mut self, c: &Requeue) -> Result<(Reply, u64), Refusal> {
        let delivery = self.set.deliveries.get(&c.delivery).cloned().ok_or(Refusal::NotFound)?;
        if delivery.state != State::Dead {
            return Err(Refusal::wrong_state(
                "only a delivery that was given up can be put back",
                "Nur eine aufgegebene Zustellung lässt sich wieder einreihen.",
            ));
        }
        let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
        if delivery.kind == Kind::Referral && referral.state != ReferralState::Submitted {
            return Err(Refusal::wrong_state(
                "the referral has ended meanwhile; nothing of it may be sent",
                "Die Vermittlung ist inzwischen zu Ende; davon darf nichts mehr hinaus.",
            ));
        }
        let now = self.now;
        if let Some(row) = self.set.deliveries.change(&c.delivery) {
            row.finish(State::Ready, now, now);
            row.attempts = 0;
        }
        let mut entry = self.entry_of(EntryKind::OperatorAction, &c.idempotency.caller, &referral, &delivery)?;
        entry.counterpart = delivery.recipient.to_string();
        entry.detail = "requeue".to_owned();
        let leaf = self.log(&entry);
        Ok((Reply::Done, leaf))
    }

    /// Holds a delivery or a recipient back, or lets it go again. What has started goes on: its bytes may have left.
    pub(super) fn park(&mut self, c: &Park) -> Result<(Reply, u64), Refusal> {
        if c.until.is_some_and(|until| until <= self.now) {
            return Err(Refusal::Field { path: "until".into(), rule: "must be in the future".into() });
        }
        let leaf = match &c.what {
            Parked::Delivery(id) => self.park_delivery(id, c)?,
            Parked::Recipient(id) => self.park_recipient(id, c)?,
        };
        Ok((Reply::Done, leaf))
    }

    fn park_delivery(&mut self, id: &DeliveryId, c: &Park) -> Result<u64, Refusal> {
        let now = self.now;
        let mut row = self.set.deliveries.get(id).cloned().ok_or(Refusal::NotFound)?;
        match c.until {
            Some(until) if row.state == State::Ready || row.is_due(now) => row.park(until, now),
            Some(_) if row.state == State::Started => {
                return Err(Refusal::wrong_state(
                    "it is being sent at this moment; try again when the attempt has ended, or park its recipient",
                    "Sie wird gerade gesendet. Bitte nach dem Versuch noch einmal, oder die empfangende Stelle anhalten.",
                ));
            }
            Some(_) => {
                return Err(Refusal::wrong_state("only a delivery that waits can be parked", "Nur eine wartende Zustellung lässt sich anhalten."));
            }
            None if row.is_parked(now) => row.unpark(now),
            None => return Err(Refusal::wrong_state("it is not parked", "Es ist nichts angehalten.")),
        }
        let delivery = row;
        let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
        let mut entry = self.entry_of(EntryKind::OperatorAction, &c.idempotency.caller, &referral, &delivery)?;
        entry.counterpart = delivery.recipient.to_string();
        (entry.detail, entry.until_ms) = said(c.until);
        self.set.deliveries.put(*id, delivery);
        Ok(self.log(&entry))
    }

    fn park_recipient(&mut self, id: &InstitutionId, c: &Park) -> Result<u64, Refusal> {
        let parked = self.set.recipients.get(id).copied().unwrap_or(Time(0));
        match c.until {
            // One that has left the agreement parked can be held longer.
            Some(_) if parked == Time(0) && self.agreement.member(id).is_none() => return Err(Refusal::NotFound),
            None if parked <= self.now => return Err(Refusal::wrong_state("it is not parked", "Es ist nichts angehalten.")),
            _ => {}
        }
        self.set.recipients.put(id.clone(), c.until.unwrap_or(Time(0)));
        let mut entry = self.entry(EntryKind::OperatorAction, &c.idempotency.caller);
        entry.counterpart = id.to_string();
        (entry.detail, entry.until_ms) = said(c.until);
        Ok(self.log(&entry))
    }

    /// The process will end because an operator says so.
    pub(super) fn drain(&mut self, c: &Drain) -> (Reply, u64) {
        let mut entry = self.entry(EntryKind::OperatorAction, &c.idempotency.caller);
        entry.detail = "drain".to_owned();
        (Reply::Done, self.log(&entry))
    }

    /// From the next command on, the new agreement decides.
    pub(super) fn adopt(&mut self, c: Adopt) -> Result<Answered, Refusal> {
        // What operators did to the texts goes on: nothing takes a revocation back.
        self.agreement = Arc::new(Agreement::clone(&c.agreement).with_changes(self.agreement.texts().changes()));
        let mut entry = self.entry(EntryKind::AgreementChanged, &c.actor);
        entry.detail = self.agreement.version().to_string();
        let leaf = self.log(&entry);
        self.added.agreements.push((*self.agreement.digest(), c.text, leaf));
        Ok(Answered::logged(Reply::Done, leaf))
    }

    /// From the next command on, the text counts or counts no more; what waits under it is asked again at its release.
    pub(super) fn change_text(&mut self, actor: &str, change: &TextChange) -> Result<(Reply, u64), Refusal> {
        let now = self.now;
        // Whoever names no time means this moment, which only the order of the log knows.
        let change = change.clone().not_before(now);
        self.agreement.texts().check(&change, now)?;
        let (kind, from, (id, version, language)) = match &change {
            TextChange::Approved(template) => (EntryKind::TextApproved, template.approved_from, template.key()),
            TextChange::Revoked { id, version, language, from } => (EntryKind::TextRevoked, *from, (&**id, &**version, &**language)),
        };
        let mut entry = self.entry(kind, actor);
        entry.detail = format!("{id}/{version}/{language}");
        if let TextChange::Approved(template) = &change {
            entry.detail = format!("{} {}", entry.detail, template.text_sha256);
        }
        entry.until_ms = from.0;
        let leaf = self.log(&entry);
        self.agreement = Arc::new(Agreement::clone(&self.agreement).with_changes(std::slice::from_ref(&change)));
        self.added.texts.push((leaf, change));
        Ok((Reply::Done, leaf))
    }
}

/// What the leaf says, and until when.
fn said(until: Option<Time>) -> (String, i64) {
    until.map_or(("unpark".to_owned(), 0), |until| ("park".to_owned(), until.0))
}
