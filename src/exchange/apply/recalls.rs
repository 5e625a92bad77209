// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Asking recipients to give up data, and their answers.

use std::time::Duration;

use prost::Message;

use super::journal::GATEWAY;
use super::queue::timestamp;
use super::{Answered, Batch};
use crate::dialect::CategoryMask;
use crate::exchange::command::{AnswerRecall, Remind, Reply};
use crate::exchange::refusal::Refusal;
use crate::id::DeliveryId;
use crate::numbered::Numbered;
use crate::outbox::Kind;
use crate::proto::audit::EntryKind;
use crate::proto::types::{RecallNotice, StatusChange};
use crate::referral::{Recall, RecallAnswer, RecallOutcome, Referral, StatusReason, seen_by_sender};

/// How much later to look again whether a notice has arrived.
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Batch<'_> {
    /// Queues a recall to the recipient of a referral. `categories`: those no longer covered; empty: all.
    pub(super) fn issue_recall(&mut self, referral: &Referral, reason: StatusReason, categories: CategoryMask) -> Result<(), Refusal> {
        self.issue_recall_by(GATEWAY, referral, reason, categories)
    }

    /// The same where somebody asked for it, whom the entry names.
    pub(super) fn issue_recall_by(&mut self, by: &str, referral: &Referral, reason: StatusReason, categories: CategoryMask) -> Result<(), Refusal> {
        let (id, terms, issued_at) = (DeliveryId::random(), self.agreement.recalls(), self.now);
        let due_at = issued_at.plus(terms.answer_within);
        let recall = Recall {
            id,
            referral: referral.id,
            recipient: referral.recipient.clone(),
            issued_at,
            due_at,
            reason: Some(reason),
            categories,
            reminders: 0,
            remind_at: due_at.minus(terms.remind_before),
            answer: None,
        };
        self.notify(by, id, &recall, referral)?;
        self.set.recalls.put(id, recall);
        Ok(())
    }

    /// Sends the notices once more that nobody has answered: before the answer is due, when it is due, and then every week.
    pub(super) fn remind(&mut self, c: &Remind) -> Result<Answered, Refusal> {
        let ids = std::mem::take(&mut self.set.to_remind);
        let (more, mut sent) = (ids.len() >= c.limit as usize, 0);
        for id in ids {
            let Some(mut recall) = self.set.recalls.get(&id).filter(|recall| recall.answer.is_none()).cloned() else { continue };
            let referral = self.set.referrals.get(&recall.referral).cloned().ok_or(Refusal::Internal("a recall has no referral"))?;
            let waits = |id: &DeliveryId| self.set.deliveries.get(id).is_some_and(|delivery| delivery.kind == Kind::Recall);
            if self.set.open_deliveries(&referral.id).iter().any(waits) {
                // The notice itself, or the reminder before, has not arrived yet.
                recall.remind_at = self.now.plus(DAY);
            } else {
                recall.reminders += 1;
                recall.remind_at = if self.now < recall.due_at { recall.due_at } else { self.now.plus(DAY * 7) };
                self.notify(GATEWAY, DeliveryId::random(), &recall, &referral)?;
                sent += 1;
            }
            self.set.recalls.put(id, recall);
        }
        Ok(Answered::quiet(Reply::Reminded { sent, more }))
    }

    /// Logs a notice of a recall and queues it as this delivery.
    fn notify(&mut self, by: &str, delivery: DeliveryId, recall: &Recall, referral: &Referral) -> Result<(), Refusal> {
        let reason = recall.reason.map_or(0, Numbered::number);
        let notice = RecallNotice {
            recall_id: recall.id.to_string(),
            referral_id: referral.id.to_string(),
            reason,
            categories: recall.categories.iter().map(|category| category.number().into()).collect(),
            effective_at: Some(timestamp(recall.issued_at)),
            answer_due_at: Some(timestamp(recall.due_at)),
            reminder: recall.reminders,
        };
        let content = self.vault.seal(delivery.as_bytes(), &notice.encode_to_vec())?;
        let mut entry = self.entry_about(EntryKind::RecallIssued, by, referral)?;
        entry.delivery_id = bytes::Bytes::copy_from_slice(delivery.as_bytes());
        entry.reason = reason;
        entry.withheld = recall.categories.bits();
        entry.until_ms = recall.due_at.0;
        if recall.reminders > 0 {
            entry.detail = format!("reminder {} of {}", recall.reminders, recall.id);
        }
        self.log(&entry);
        self.enqueue(delivery, Kind::Recall, referral, &recall.recipient, content, None);
        Ok(())
    }

    pub(super) fn answer_recall(&mut self, c: &AnswerRecall) -> Result<(Reply, u64), Refusal> {
        let recall = self.set.recalls.get(&c.recall).filter(|recall| recall.recipient == c.recipient).cloned().ok_or(Refusal::NotFound)?;
        if c.outcome == RecallOutcome::RetainedStatutory && c.norm.trim().is_empty() {
            return Err(Refusal::Field { path: "answer.norm".into(), rule: "must name the norm that demands keeping the data".into() });
        }
        let referral = self.set.referrals.get(&recall.referral).cloned().ok_or(Refusal::Internal("a recall has no referral"))?;
        let mut entry = self.entry_about(EntryKind::RecallAnswered, c.recipient.as_str(), &referral)?;
        entry.delivery_id = bytes::Bytes::copy_from_slice(recall.id.as_bytes());
        entry.recall_outcome = c.outcome.number();
        let leaf = self.log(&entry);
        let at = self.now;
        let norm = self.vault.seal_text(recall.id.as_bytes(), &c.norm)?;
        if let Some(row) = self.set.recalls.change(&c.recall) {
            row.answer = Some(RecallAnswer { outcome: c.outcome, norm, at });
        }
        // The sender has to tell the person what became of the data (Art. 19 GDPR), and no more of the referral than it is told anyway.
        let seen = seen_by_sender(referral.state, referral.reason, self.sender_is_benefit_body(&referral));
        let change = StatusChange { recall_outcome: c.outcome.number(), recall_norm: c.norm.clone(), ..StatusChange::default() };
        self.tell_sender(&referral, seen.state, seen.reason, change)?;
        Ok((Reply::Done, leaf))
    }
}
