// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Asking recipients to give up data, and their answers.

use std::time::Duration;

use prost::Message;

use super::Batch;
use super::journal::GATEWAY;
use super::queue::timestamp;
use crate::dialect::CategoryMask;
use crate::exchange::command::{AnswerRecall, Reply};
use crate::exchange::refusal::Refusal;
use crate::id::DeliveryId;
use crate::numbered::Numbered;
use crate::outbox::Kind;
use crate::proto::audit::EntryKind;
use crate::proto::types::{RecallNotice, StatusChange};
use crate::referral::{Recall, RecallAnswer, RecallOutcome, Referral, StatusReason, seen_by_sender};

impl Batch<'_> {
    /// Queues a recall to the recipient of a referral. `categories`: those no longer covered; empty: all.
    pub(super) fn issue_recall(
        &mut self,
        referral: &Referral,
        reason: StatusReason,
        categories: CategoryMask,
        within: Duration,
    ) -> Result<(), Refusal> {
        let id = DeliveryId::random();
        let due_at = self.now.plus(within);
        let notice = RecallNotice {
            recall_id: id.to_string(),
            referral_id: referral.id.to_string(),
            reason: reason.number(),
            categories: categories.iter().map(|category| category.number().into()).collect(),
            effective_at: Some(timestamp(self.now)),
            answer_due_at: Some(timestamp(due_at)),
        };
        let content = self.vault.seal(id.as_bytes(), &notice.encode_to_vec())?;
        let mut entry = self.entry_about(EntryKind::RecallIssued, GATEWAY, referral)?;
        entry.delivery_id = bytes::Bytes::copy_from_slice(id.as_bytes());
        entry.reason = reason.number();
        entry.withheld = categories.bits();
        entry.until_ms = due_at.0;
        self.log(&entry);
        let recipient = referral.recipient.clone();
        self.enqueue(id, Kind::Recall, referral, &recipient, content, None);
        let recall = Recall { id, referral: referral.id, recipient, issued_at: self.now, due_at, answer: None };
        self.set.recalls.put(id, recall);
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
