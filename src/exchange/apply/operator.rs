// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What operators do. Every action is a leaf.

use super::Batch;
use crate::exchange::apply::Answered;
use crate::exchange::command::{Adopt, Reply, Requeue};
use crate::exchange::refusal::Refusal;
use crate::outbox::{Kind, State};
use crate::proto::audit::EntryKind;
use crate::referral::ReferralState;

impl Batch<'_> {
    /// Puts a dead letter back into its lane; consent is asked again before it starts.
    pub(super) fn requeue(&mut self, c: &Requeue) -> Result<(Reply, u64), Refusal> {
        let delivery = self.set.deliveries.get(&c.delivery).cloned().ok_or(Refusal::NotFound)?;
        if delivery.state != State::Dead {
            return Err(Refusal::WrongState("only a delivery that was given up can be put back"));
        }
        let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
        if delivery.kind == Kind::Referral && referral.state != ReferralState::Submitted {
            return Err(Refusal::WrongState("the referral has ended meanwhile; nothing of it may be sent"));
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

    /// From the next command on, the new agreement decides.
    pub(super) fn adopt(&mut self, c: Adopt) -> Result<Answered, Refusal> {
        self.agreement = c.agreement;
        let mut entry = self.entry(EntryKind::AgreementChanged, &c.actor);
        entry.detail = self.agreement.version().to_string();
        let leaf = self.log(&entry);
        self.added.agreements.push((*self.agreement.digest(), c.text, leaf));
        Ok(Answered::logged(Reply::Done, leaf))
    }
}
