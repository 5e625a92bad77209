// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is sent: the canonical request, put into the recipient's words under the mask of its release, and one call.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::outcome;
use super::worker::Work;
use crate::dialect::Method;
use crate::exchange::{Content, Exchange, Outcome, Outgoing, Refusal, Started};
use crate::grpc::codec::BytesCodec;
use crate::grpc::convert::receipt_to;
use crate::id::InstitutionId;
use crate::proto::institution::{DeliverRecallRequest, DeliverReferralRequest, DeliverStatusRequest};

/// Kept free at the end of each lease: the last byte must have left before it, and clocks tick in steps.
const MARGIN: Duration = Duration::from_millis(500);
/// Answers are acknowledgements.
const MAX_ANSWER: usize = 256 * 1024;

/// The field of each request that holds what is delivered: `referral`, `change`, `notice`.
const CONTENT: u32 = 2;

/// The way to one recipient.
pub(super) struct Lane {
    exchange: Arc<Exchange>,
    recipient: InstitutionId,
    channel: Channel,
    lease: Duration,
    under_way: metrics::Gauge,
    took: metrics::Histogram,
}

impl Lane {
    pub(super) fn new(exchange: Arc<Exchange>, recipient: InstitutionId, channel: Channel, lease: Duration) -> Self {
        let under_way = metrics::gauge!("weiche_deliveries_in_flight", "recipient" => recipient.to_string());
        let took = metrics::histogram!("weiche_attempt_seconds", "recipient" => recipient.to_string());
        metrics::gauge!("weiche_recipient_away", "recipient" => recipient.to_string()).set(0.0);
        Self { exchange, recipient, channel, lease, under_way, took }
    }

    /// What is left of a lease for the call.
    fn time_left(&self, item: &Outgoing) -> Duration {
        // A clock that was set back must not make it longer.
        item.until.since(self.exchange.clock().now()).min(self.lease).saturating_sub(MARGIN)
    }

    async fn deliver(&self, item: &Outgoing) -> Outcome {
        let Some((path, message)) = self.render(item) else { return outcome::permanent(outcome::UNMAPPABLE) };
        // Rendering took time too.
        let time = self.time_left(item);
        if time.is_zero() {
            return Outcome::Returned;
        }
        match tokio::time::timeout(time, self.call(path, message, time)).await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(status)) => outcome::of(&status),
            Err(_) => outcome::transient("DEADLINE_EXCEEDED"),
        }
    }

    /// Path and request in the recipient's contract; none if it has no words for it, which is logged by path and reason, without values.
    fn render(&self, item: &Outgoing) -> Option<(PathAndQuery, Bytes)> {
        let agreement = self.exchange.agreement();
        let dialect = self.exchange.dialect_of(agreement.member(&self.recipient)?)?;
        let (canonical, request) = canonical(item);
        let method: &Method = dialect.implementing(canonical)?;
        match dialect.render_quiet(&method.request, &request, item.mask) {
            Ok(message) => Some((method.path.parse().ok()?, message)),
            Err(error) => {
                tracing::error!(recipient = %self.recipient, delivery = %item.id, %error, "cannot be put into the recipient's words");
                None
            }
        }
    }

    async fn call(&self, path: PathAndQuery, message: Bytes, time: Duration) -> Result<(), Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER);
        grpc.ready().await.map_err(|_| Status::unavailable("not connected"))?;
        let mut request = Request::new(message);
        request.set_timeout(time);
        grpc.unary(request, path, BytesCodec).await.map(|_| ())
    }
}

impl Work for Lane {
    type Item = Outgoing;
    type Started = Started;

    async fn next(&self, limit: u32, due: bool, until: impl Future<Output = ()> + Send) -> (u32, Started) {
        match self.exchange.release_next(&self.recipient, (limit, self.lease), due, until).await {
            Ok(started) => (u32::try_from(started.count()).unwrap_or(limit), started),
            Err(error) => {
                tracing::warn!(recipient = %self.recipient, %error, "nothing can be released at the moment");
                (0, Started::default())
            }
        }
    }

    async fn unseal(&self, started: Started) -> Vec<Outgoing> {
        self.exchange.unseal(started).await.unwrap_or_else(|error| {
            tracing::warn!(recipient = %self.recipient, %error, "what was to be sent cannot be read at the moment");
            Vec::new()
        })
    }

    fn holds(&self, item: &Outgoing) -> bool {
        !self.time_left(item).is_zero()
    }

    async fn attempt(&self, item: &Outgoing) -> Outcome {
        let _under_way = UnderWay::begin(&self.under_way);
        let started = Instant::now();
        let outcome = self.deliver(item).await;
        self.took.record(started.elapsed().as_secs_f64());
        outcome
    }

    fn reached(&self, is: bool) {
        metrics::gauge!("weiche_recipient_away", "recipient" => self.recipient.to_string()).set(if is { 0.0 } else { 1.0 });
        match is {
            true => tracing::info!(recipient = %self.recipient, "it can be reached again"),
            false => {
                tracing::warn!(recipient = %self.recipient, "it cannot be reached; from now on one delivery at a time is tried until it answers")
            }
        }
    }

    async fn settle(&self, item: Outgoing, outcome: Outcome) {
        let labels =
            [("recipient", self.recipient.to_string()), ("kind", kind(&item.content).to_owned()), ("outcome", outcome::name(&outcome).to_owned())];
        metrics::counter!("weiche_deliveries_total", &labels).increment(1);
        if let Outcome::Failed { code, .. } = &outcome {
            tracing::info!(recipient = %self.recipient, delivery = %item.id, attempt = item.attempt, code, "delivery failed");
        }
        match self.exchange.settle(None, item.id, item.token, outcome).await {
            Ok(()) => {}
            Err(Refusal::StaleLease) => {
                tracing::info!(delivery = %item.id, "the outcome came after the lease had ended; it is sent again under the same id")
            }
            Err(error) => tracing::warn!(delivery = %item.id, %error, "the outcome could not be noted; it is sent again under the same id"),
        }
    }
}

/// The canonical method and its request.
fn canonical(item: &Outgoing) -> (&'static str, Vec<u8>) {
    let delivery_id = item.id.to_string();
    let (method, mut request) = match &item.content {
        Content::Referral(_) => {
            let request = DeliverReferralRequest { delivery_id, referral: None, receipt: Some(receipt_to(&item.receipt)) };
            ("weiche.institution.v1.DeliveryService.DeliverReferral", request.encode_to_vec())
        }
        Content::Status(_) => {
            ("weiche.institution.v1.DeliveryService.DeliverStatus", DeliverStatusRequest { delivery_id, change: None }.encode_to_vec())
        }
        Content::Recall(_) => {
            ("weiche.institution.v1.DeliveryService.DeliverRecall", DeliverRecallRequest { delivery_id, notice: None }.encode_to_vec())
        }
    };
    item.content.put(CONTENT, &mut request);
    (method, request)
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Referral(_) => "referral",
        Content::Status(_) => "status",
        Content::Recall(_) => "recall",
    }
}

/// Counts down however the attempt ends.
struct UnderWay<'a>(&'a metrics::Gauge);

impl<'a> UnderWay<'a> {
    fn begin(gauge: &'a metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
