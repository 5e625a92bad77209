// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What operators see: the queues, one delivery, what needs somebody; and the metrics made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Exchange;
use super::command::{Command, Drain, Idempotency, Park, Parked, Requeue};
use super::refusal::Refusal;
use super::room::RoomNow;
use crate::clock::{Stopwatch, Time};
use crate::id::{DeliveryId, InstitutionId, RequestId};
use crate::outbox::{self, Delivery, Place, QueueState};
use crate::referral::{self, Recall, Referral, ReferralState};

/// Queues that can be read in this time are read anew whenever somebody asks.
const QUICK: Duration = Duration::from_millis(50);
/// Reading longer ones takes at most this part of the time, however many ask.
const SHARE: u32 = 20;
/// Examples of each kind of what needs somebody.
const EXAMPLES: u32 = 100;

/// The queues, and what it cost to look.
pub(super) struct Surveyed {
    queues: Arc<BTreeMap<String, QueueState>>,
    since: Stopwatch,
    cost: Duration,
}

/// One delivery with its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryView {
    /// It.
    pub delivery: Delivery,
    /// In its lane.
    pub place: Place,
    /// Where its referral stands.
    pub referral: Option<ReferralState>,
    /// As of when.
    pub now: Time,
}

/// What has not ended long after it should have, the oldest first; at most 100 of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overdue {
    /// Referrals that nobody delivered or answered.
    pub referrals: Vec<Referral>,
    /// Recalls whose recipients have not answered in time.
    pub recalls: Vec<Recall>,
    /// How many recalls that are.
    pub recalls_all: u64,
}

impl Exchange {
    /// Rings for all for whom something is due: what waited for its time, leases that have ended, what another gateway has queued. One question for all of
    /// them, however many there are.
    pub async fn ring_due(&self) -> Result<(), Refusal> {
        let due = outbox::due_recipients(&mut self.store.reader().await?, self.clock.now()).await?;
        due.iter().for_each(|recipient| self.wake.ring(recipient));
        Ok(())
    }

    /// The queues, by recipient. Cheap to ask for: a long queue is counted from time to time and not for everybody who asks.
    pub async fn queues(&self) -> Result<Arc<BTreeMap<String, QueueState>>, Refusal> {
        let mut surveyed = self.surveyed.lock().await;
        if let Some(last) = &*surveyed
            && last.cost > QUICK
            && last.since.elapsed() < last.cost * SHARE
        {
            return Ok(last.queues.clone());
        }
        let reading = Stopwatch::start();
        let queues = Arc::new(outbox::survey(&mut self.store.reader().await?, self.clock.now()).await?);
        *surveyed = Some(Surveyed { queues: queues.clone(), since: Stopwatch::start(), cost: reading.elapsed() });
        Ok(queues)
    }

    /// What has not ended although it was submitted before `submitted_before`, and recalls that are overdue now.
    pub async fn overdue(&self, submitted_before: Time) -> Result<Overdue, Refusal> {
        let mut conn = self.store.reader().await?;
        let referrals = referral::overdue(&mut conn, submitted_before, EXAMPLES).await?;
        let (recalls, recalls_all) = referral::overdue_recalls(&mut conn, self.clock.now(), EXAMPLES).await?;
        Ok(Overdue { referrals, recalls, recalls_all })
    }

    /// What is in front of the lanes of a recipient, the longest due first; `after` is the cursor of the page before.
    pub async fn front(&self, recipient: &InstitutionId, after: Option<(Time, DeliveryId)>, limit: u32) -> Result<Vec<Delivery>, Refusal> {
        Ok(outbox::front(&mut self.store.reader().await?, recipient, after, limit).await?)
    }

    /// One delivery.
    pub async fn delivery(&self, id: DeliveryId) -> Result<DeliveryView, Refusal> {
        let mut conn = self.store.reader().await?;
        let delivery = outbox::load(&mut conn, &[id]).await?.pop().ok_or(Refusal::NotFound)?;
        let place = outbox::neighbours(&mut conn, &delivery).await?;
        let referral = referral::load(&mut conn, &[delivery.referral]).await?.pop().map(|referral| referral.state);
        Ok(DeliveryView { delivery, place, referral, now: self.clock.now() })
    }

    /// Puts a dead letter back.
    pub async fn requeue(&self, operator: &str, request: RequestId, delivery: DeliveryId) -> Result<(), Refusal> {
        let idempotency = self.operator(operator, request, &[b"requeue", delivery.as_bytes()]);
        self.writer.run(Command::Requeue(Requeue { idempotency, delivery })).await.map(|_| ())
    }

    /// Holds a delivery or a recipient back until then, [`outbox::FOREVER`] for good; none: lets it go again.
    pub async fn park(&self, operator: &str, request: RequestId, what: Parked, until: Option<Time>) -> Result<(), Refusal> {
        let named = match &what {
            Parked::Delivery(id) => [b"delivery/".as_slice(), id.as_bytes()].concat(),
            Parked::Recipient(id) => [b"recipient/".as_slice(), id.as_str().as_bytes()].concat(),
        };
        let idempotency = self.operator(operator, request, &[b"park", &until.map_or(0, |until| until.0).to_be_bytes(), &named]);
        self.writer.run(Command::Park(Park { idempotency, what, until })).await.map(|_| ())
    }

    /// Notes that an operator ends this process; false if this very call was noted before, and so was meant for an earlier process.
    pub async fn note_drain(&self, operator: &str, request: RequestId) -> Result<bool, Refusal> {
        let idempotency = self.operator(operator, request, &[b"drain"]);
        let committed = self.writer.run(Command::Drain(Drain { idempotency })).await?;
        Ok(committed.answered.earlier_size.is_none())
    }

    /// The name of the database's engine.
    pub fn engine(&self) -> &'static str {
        if self.store.place().file().is_some() { "sqlite" } else { "postgresql" }
    }

    /// Room on the disk; none if there is none to be seen from here.
    pub fn room(&self) -> Option<RoomNow> {
        self.room.look()
    }

    /// Sets the metrics of the queues and of the disk. Their labels are members of agreements, and no more.
    pub async fn measure(&self) -> Result<(), Refusal> {
        if let Some(RoomNow { free, short, .. }) = self.room() {
            #[expect(clippy::cast_precision_loss, reason = "for a gauge")]
            metrics::gauge!("weiche_disk_free_bytes").set(free as f64);
            metrics::gauge!("weiche_disk_short").set(if short { 1.0 } else { 0.0 });
        }
        let (queues, now) = (self.queues().await?, self.clock.now());
        let (_, recalls) = referral::overdue_recalls(&mut self.store.reader().await?, now, 0).await?;
        let agreement = self.agreement();
        let mut all: BTreeMap<&str, QueueState> = agreement.members().map(|member| (member.id.as_str(), QueueState::default())).collect();
        all.extend(queues.iter().map(|(recipient, queue)| (recipient.as_str(), *queue)));
        for (recipient, queue) in all {
            let set = |name: &'static str, value: f64| metrics::gauge!(name, "recipient" => recipient.to_owned()).set(value);
            set("weiche_queue_open", count(queue.open));
            set("weiche_queue_parked", count(queue.parked));
            set("weiche_queue_dead", count(queue.dead));
            set("weiche_queue_recipient_parked", if queue.parked_until.is_some() { 1.0 } else { 0.0 });
            set("weiche_queue_oldest_seconds", age(queue.oldest_waiting, now));
            set("weiche_queue_oldest_lease_seconds", age(queue.oldest_lease, now));
            if let Some(at) = queue.last_success {
                set("weiche_queue_last_success_seconds", age(Some(at), now));
            }
        }
        metrics::gauge!("weiche_recalls_overdue").set(count(recalls));
        metrics::gauge!("weiche_recalls_open").set(count(referral::count_open_recalls(&mut self.store.reader().await?).await?));
        Ok(())
    }

    /// The call of an operator.
    pub(super) fn operator(&self, name: &str, request: RequestId, content: &[&[u8]]) -> Idempotency {
        Idempotency { caller: format!("operator:{name}").into(), request, digest: self.vault.digest(&content.concat()) }
    }
}

impl QueueState {
    /// Nobody has taken anything for so long although something waits that nobody parked.
    pub fn is_quiet(&self, now: Time, patience: Duration) -> bool {
        let before = now.minus(patience);
        self.parked_until.is_none() && self.oldest_waiting.is_some_and(|at| at < before) && self.last_success.is_none_or(|at| at < before)
    }
}

/// Seconds since then; none: 0.
fn age(at: Option<Time>, now: Time) -> f64 {
    at.map_or(0.0, |at| now.since(at).as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "for a gauge")]
fn count(of: u64) -> f64 {
    of as f64
}
