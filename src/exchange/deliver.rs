// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Release and settle: what a delivery worker or a pull stream asks for.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use prost::Message;

use super::Exchange;
use super::apply::{carried, cut};
use super::command::{Command, Outcome, Plain, Release, Released, Settle};
use super::prepare::released;
use super::receipts::Issued;
use super::refusal::Refusal;
use super::submit::kind_of;
use super::writer::{Committed, Proof};
use crate::clock::Time;
use crate::consent::Permit;
use crate::dialect::{CategoryMask, REFERRAL};
use crate::id::{DeliveryId, InstitutionId};
use crate::numbered::Numbered as _;
use crate::outbox::{self, Failure, Kind, LeaseToken};
use crate::proto::types::{RecallNotice, StatusChange};
use crate::referral::{ReferralState, is_course};
use crate::vault::Sealed;

/// Deliveries that one release starts at most: a batch must stay short whatever a caller asks for.
pub const AT_ONCE: u32 = 256;

/// What is delivered, in the hub's words.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A referral to its recipient: a `weiche.type.v1.Referral`, encoded, as it was sealed, with the marks of its release on top.
    Referral(Bytes),
    /// A change to the sender.
    Status(StatusChange),
    /// Data to be given up.
    Recall(RecallNotice),
}

impl Content {
    /// A referral that may leave under a permit: its bytes, with the marks of the release on top.
    pub fn referral(mut minimised: Vec<u8>, permit: &Permit) -> Self {
        let marks = released(permit);
        minimised.reserve(marks.encoded_len());
        // What stands last holds.
        marks.encode_raw(&mut minimised);
        Self::Referral(minimised.into())
    }

    /// Writes the canonical message as field `number` of the request or item that carries it.
    pub fn put(&self, number: u32, out: &mut impl BufMut) {
        match self {
            Self::Referral(referral) => prost::encoding::bytes::encode(number, referral, out),
            Self::Status(change) => prost::encoding::message::encode(number, change, out),
            Self::Recall(notice) => prost::encoding::message::encode(number, notice, out),
        }
    }
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

/// Deliveries that have started, still sealed.
#[derive(Debug, Default)]
#[must_use = "what is started and not unsealed waits for the end of its lease"]
pub struct Started(Option<(InstitutionId, Arc<Proof>, Vec<Released>)>);

impl Started {
    fn of(recipient: &InstitutionId, committed: Committed) -> Self {
        let proof = committed.proof.clone();
        Self(Some((recipient.clone(), proof, committed.released())))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |(_, _, released)| released.len())
    }
}

impl Exchange {
    /// Starts what is due for a recipient: at most `limit` and at most [`AT_ONCE`], for as long as `lease`.
    pub async fn release(&self, recipient: &InstitutionId, limit: u32, lease: Duration) -> Result<Vec<Outgoing>, Refusal> {
        let command = Release { recipient: recipient.clone(), limit: limit.min(AT_ONCE), lease };
        self.unseal(Started::of(recipient, self.writer.run(Command::Release(command)).await?)).await
    }

    /// Waits for what comes next for a recipient and starts it in the transaction that queues it; with `due` also what is due already. Nothing if `until`
    /// ends first. Of what becomes due by time, of repetitions, and of what waited behind something else a bell tells ([`Self::wake`]).
    ///
    /// What is started must be unsealed ([`Self::unseal`]), or it waits for the end of its lease. Whoever does that elsewhere can ask for more at once.
    pub async fn release_next(
        &self,
        recipient: &InstitutionId,
        (limit, lease): (u32, Duration),
        due: bool,
        until: impl Future<Output = ()>,
    ) -> Result<Started, Refusal> {
        let mut waiting = self.demands.put(Release { recipient: recipient.clone(), limit: limit.min(AT_ONCE), lease }, due);
        let answer = tokio::select! {
            biased;
            answer = &mut waiting.answer => answer,
            () = until => match waiting.take_back() {
                true => return Ok(Started::default()),
                // The writer has it: what it starts must get its attempt.
                false => (&mut waiting.answer).await,
            },
        };
        Ok(Started::of(recipient, answer.map_err(|_| Refusal::Unavailable)??))
    }

    /// The contents of what was started, as they may leave.
    pub async fn unseal(&self, started: Started) -> Result<Vec<Outgoing>, Refusal> {
        let Started(Some((recipient, proof, released))) = started else { return Ok(Vec::new()) };
        let again = released.iter().filter(|one| one.delivery.begun > 1).count() as u64;
        if again > 0 {
            metrics::counter!("weiche_redeliveries_total", "recipient" => recipient.to_string()).increment(again);
        }
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
        let seqs: Vec<_> = released.iter().filter(|one| one.plain.is_none()).map(|one| one.delivery.seq).collect();
        let payloads: HashMap<_, _> = match seqs.is_empty() {
            true => HashMap::new(),
            false => outbox::payloads(&mut self.store.reader().await?, &seqs).await?.into_iter().collect(),
        };
        let mut outgoing = Vec::with_capacity(released.len());
        for one in released {
            let open = |sealed: &Sealed| self.vault.open_sealed(one.delivery.id.as_bytes(), &sealed.ciphertext, &sealed.wrapped_key).ok();
            let plain = match &one.plain {
                Some(Plain(plain)) => Some(plain.clone().into()),
                None => payloads.get(&one.delivery.seq).and_then(open),
            };
            let Some(token) = one.delivery.token else { continue };
            let content = plain.and_then(|plain| self.content(plain, one));
            if matches!(&content, Some(Content::Status(change)) if is_untold(change, one.state)) {
                self.settle(None, one.delivery.id, token, Outcome::Untold).await?;
                continue;
            }
            match content {
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
                let minimised = if one.narrowed {
                    let agreement = self.agreement();
                    let kind = kind_of(agreement.member(&permit.to().institution)?);
                    self.dialects().minimise(REFERRAL, &plain, permit.mask(), kind).ok()?.bytes.into()
                } else {
                    plain
                };
                Content::referral(minimised, permit)
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

/// A status that was queued when more could be told. Whoever withdrew is no longer spoken about, except to say what became of the data; and what was
/// queued only for the result, attendance or appointment in it says nothing without them but how the work goes.
fn is_untold(change: &StatusChange, now: ReferralState) -> bool {
    let Some(state) = ReferralState::from_number(change.state.into()) else { return false };
    let overtaken = now == ReferralState::Recalled && state != now;
    change.recall_outcome == 0 && (overtaken || (is_course(state) && carried(change).is_empty()))
}
