// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Release and settle: what a delivery worker or a pull stream asks for.

use std::time::Duration;

use prost::Message;

use super::Exchange;
use super::apply::cut;
use super::command::{Command, Outcome, Release, Released, Settle};
use super::receipts::Issued;
use super::refusal::Refusal;
use super::submit::{REFERRAL, kind_of};
use super::writer::Proof;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{DeliveryId, InstitutionId};
use crate::numbered::Numbered;
use crate::outbox::{self, Failure, Kind, LeaseToken};
use crate::proto::types::{RecallNotice, Referral, StatusChange};
use crate::referral::ReferralState;

/// Deliveries that one release starts at most: a batch must stay short whatever a caller asks for.
pub const AT_ONCE: u32 = 256;

/// What is delivered, in the hub's words.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A referral to its recipient.
    Referral(Box<Referral>),
    /// A change to the sender.
    Status(StatusChange),
    /// Data to be given up.
    Recall(RecallNotice),
}

/// One delivery whose release is logged and signed: its bytes may leave until the lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The same on every attempt.
    pub id: DeliveryId,
    /// Shown when settling.
    pub token: LeaseToken,
    /// End of the lease.
    pub until: Time,
    /// Attempt, from 1.
    pub attempt: u32,
    /// What may leave; render under this mask and no other.
    pub mask: CategoryMask,
    /// What.
    pub content: Content,
    /// Proof of the release.
    pub receipt: Issued,
}

impl Exchange {
    /// Starts what is due for a recipient: at most `limit` and at most [`AT_ONCE`], for as long as `lease`.
    pub async fn release(&self, recipient: &InstitutionId, limit: u32, lease: Duration) -> Result<Vec<Outgoing>, Refusal> {
        let command = Release { recipient: recipient.clone(), limit: limit.min(AT_ONCE), lease };
        let committed = self.writer.run(Command::Release(command)).await?;
        let proof = committed.proof.clone();
        let released = committed.released();
        match self.outgoing(&released, &proof).await {
            Ok(outgoing) => Ok(outgoing),
            Err(refusal) => {
                // Nobody will send these: they must not wait for their leases to end.
                for one in &released {
                    if let Some(token) = one.delivery.token {
                        let _ = self.settle(None, one.delivery.id, token, Outcome::Returned).await;
                    }
                }
                Err(refusal)
            }
        }
    }

    async fn outgoing(&self, released: &[Released], proof: &Proof) -> Result<Vec<Outgoing>, Refusal> {
        if released.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<DeliveryId> = released.iter().map(|one| one.delivery.id).collect();
        let payloads = outbox::payloads(&mut *self.store.readers().acquire().await?, &ids).await?;
        let mut outgoing = Vec::with_capacity(released.len());
        for one in released {
            let sealed = payloads.iter().find(|(id, _)| *id == one.delivery.id).map(|(_, sealed)| sealed);
            let plain = sealed.and_then(|s| self.vault.open_sealed(one.delivery.id.as_bytes(), &s.ciphertext, &s.wrapped_key).ok());
            let Some(token) = one.delivery.token else { continue };
            match plain.and_then(|plain| self.content(plain, one)) {
                Some(content) => {
                    let receipt = self.receipt_of(one.leaf, proof).await?;
                    let (id, until, attempt) = (one.delivery.id, one.delivery.due_at, one.delivery.attempts);
                    outgoing.push(Outgoing { id, token, until, attempt, mask: one.mask, content, receipt });
                }
                None => {
                    // Erased, or sealed under another key: nobody can send it.
                    tracing::error!(delivery = %one.delivery.id, "the sealed content does not open");
                    let outcome = Outcome::Failed { failure: Failure::Permanent, code: "CONTENT_UNREADABLE".into(), random: 0.0 };
                    self.settle(None, one.delivery.id, token, outcome).await?;
                }
            }
        }
        Ok(outgoing)
    }

    /// The content as it may leave now.
    fn content(&self, plain: Vec<u8>, one: &Released) -> Option<Content> {
        Some(match one.delivery.kind {
            Kind::Referral => {
                let permit = one.permit.as_ref()?;
                let plain = if one.narrowed {
                    let agreement = self.agreement();
                    let kind = kind_of(agreement.member(&permit.to().institution)?);
                    self.dialects().minimise(REFERRAL, &plain, permit.mask(), kind).ok()?.bytes
                } else {
                    plain.into()
                };
                let mut referral = Referral::decode(plain).ok()?;
                referral.state = ReferralState::Submitted.number();
                referral.sgbx_78 = permit.sgbx_78();
                referral.origin_203_stgb = permit.origin_203_stgb();
                Content::Referral(Box::new(referral))
            }
            // Cut when it was queued to what was permitted then, and here to what is permitted now.
            Kind::Status => Content::Status(cut(&StatusChange::decode(plain.as_slice()).ok()?, one.mask)),
            Kind::Recall => Content::Recall(RecallNotice::decode(plain.as_slice()).ok()?),
        })
    }

    /// The outcome of an attempt. `recipient`: whose stream says so; none for the gateway's own worker.
    pub async fn settle(&self, recipient: Option<&InstitutionId>, delivery: DeliveryId, token: LeaseToken, outcome: Outcome) -> Result<(), Refusal> {
        self.writer.run(Command::Settle(Settle { recipient: recipient.cloned(), delivery, token, outcome })).await.map(|_| ())
    }
}
