// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Resubmit: a referral that was blocked at its release goes on under another consent, or under the same one or another agreement by now.
//!
//! The content is opened, cut to what is permitted now and sealed for a delivery of its own; nothing is added to it. Decided here to know what to
//! cut, and again in the writer's order, which counts.

use super::Exchange;
use super::command::{Again, Command, Reply, Resubmit, SealedAgain, Transfer};
use super::life::referral_id;
use super::refusal::Refusal;
use super::submit::{ATTEMPTS, Submission, kind_of};
use crate::consent::{Decision, Reason};
use crate::dialect::{REFERRAL, Report};
use crate::id::{ConsentId, DeliveryId, InstitutionId, RequestId};
use crate::outbox;
use crate::referral::Referral;

impl Exchange {
    /// Submits what was blocked once more. `consent`: what it shall rest on from now on; none: the one before.
    pub async fn resubmit(
        &self,
        caller: &InstitutionId,
        request: RequestId,
        referral: &str,
        consent: Option<ConsentId>,
        content: &[u8],
    ) -> Result<Submission, Refusal> {
        let id = referral_id(referral, "referral_id")?;
        let found = crate::referral::load(&mut self.store.reader().await?, &[id]).await?;
        let known = found.into_iter().find(|referral| referral.sender == *caller).ok_or(Refusal::NotFound)?;
        let idempotency = self.idempotency(caller, request, "resubmit", content);
        for _ in 0..ATTEMPTS {
            let delivery = DeliveryId::random();
            let content = self.seal_again(&known, consent, delivery).await?;
            let command = Resubmit { idempotency: idempotency.clone(), sender: caller.clone(), referral: id, consent, delivery, content };
            let committed = match self.writer.run(Command::Resubmit(Box::new(command))).await {
                Err(Refusal::Changed) => continue,
                other => other?,
            };
            let receipt = self.receipt(&committed).await?;
            let Reply::Submitted { referral, granted, withheld, legal_basis, .. } = committed.answered.reply else {
                return Err(Refusal::Internal("a resubmission has another reply"));
            };
            return Ok(Submission {
                referral: Some(referral),
                receipt: Some(receipt),
                reason: Reason::Ok,
                granted,
                withheld,
                legal_basis: Some(legal_basis),
                report: Report::default(),
            });
        }
        Err(Refusal::Overloaded(std::time::Duration::from_millis(100)))
    }

    /// What was sealed for the delivery before, cut to what is permitted now and sealed for `delivery`.
    async fn seal_again(&self, referral: &Referral, consent: Option<ConsentId>, delivery: DeliveryId) -> Result<Again, Refusal> {
        let transfer = Transfer { consent: consent.or(referral.consent), submitted_at: self.clock.now(), ..Transfer::of(referral) };
        let Decision::Permitted(permit) = self.decide_now(&transfer).await? else { return Ok(Again::Denied) };
        let before = referral.delivery;
        let mut reader = self.store.reader().await?;
        let seqs: Vec<_> = outbox::load(&mut reader, &[before]).await?.iter().map(|delivery| delivery.seq).collect();
        let payloads = outbox::payloads(&mut reader, &seqs).await?;
        let plain = payloads.first().and_then(|(_, s)| self.vault.open_sealed(before.as_bytes(), &s.ciphertext, &s.wrapped_key).ok());
        let Some(plain) = plain else { return Ok(Again::Erased) };
        let agreement = self.agreement();
        // Who has left the agreement since the decision has no route either: the writer says so.
        let Some(recipient) = agreement.member(&referral.recipient) else { return Ok(Again::Denied) };
        let dialect = self.dialect_of(recipient).ok_or(Refusal::Internal("a member's dialect is missing"))?;
        let content = self.dialects().minimise(REFERRAL, &plain, permit.mask(), kind_of(recipient))?.bytes;
        let mut plan = [0; 8];
        plan.copy_from_slice(&dialect.digest()[..8]);
        let (salt, commitment) = self.vault.commit(&content)?;
        let sealed = self.vault.seal(delivery.as_bytes(), &content)?;
        Ok(Again::Sealed(SealedAgain { sealed, mask: permit.mask(), salt, commitment, plan }))
    }
}
