// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.InboxService.Receive`: for institutions that only dial out. Items are released as credits allow, each under its own
//! lease; what is not acknowledged when the stream ends comes again on the next one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::native::{Way, institution};
use super::referrals::decode;
use crate::agreement::Delivery;
use crate::exchange::{Content, Exchange, Outcome, Outgoing, Refusal as Refused};
use crate::grpc::convert::receipt_to;
use crate::grpc::router::{Inbound, Method, Reply};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::id::{DeliveryId, InstitutionId};
use crate::outbox::{Failure, LeaseToken};
use crate::proto::exchange as wire;

/// Unacknowledged items that a stream starts with.
const CREDITS: u32 = 16;
/// Most that it may ask for.
const MOST_CREDITS: u32 = 256;
/// How long an institution has for an acknowledgement.
const LEASE: Duration = Duration::from_secs(60);
/// How often a stream looks for what has become due by time alone.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn serve(exchange: Arc<Exchange>, way: Way) -> Method {
    Method::streaming(move |context, inbound| {
        let (exchange, way) = (exchange.clone(), way.clone());
        async move {
            let caller = institution(&context.caller)?;
            let agreement = exchange.agreement();
            if !agreement.member(&caller).is_some_and(|member| matches!(member.delivery, Delivery::Pull {})) {
                return Err(Refusal::new(ErrorReason::WrongState, "the agreement says that the gateway calls this institution; nothing waits here"));
            }
            let (items, outbound) = mpsc::channel(MOST_CREDITS as usize);
            let stream = Stream { exchange, way, caller, credits: CREDITS, open: HashMap::new(), items };
            tokio::spawn(stream.run(inbound));
            Ok(Box::pin(ReceiverStream::new(outbound)) as Reply)
        }
    })
}

struct Stream {
    exchange: Arc<Exchange>,
    way: Way,
    caller: InstitutionId,
    credits: u32,
    /// Sent and not acknowledged.
    open: HashMap<DeliveryId, LeaseToken>,
    /// Has room for every credit: sending never waits for the network.
    items: mpsc::Sender<Result<Bytes, Refusal>>,
}

impl Stream {
    async fn run(mut self, mut inbound: Inbound) {
        let bell = self.exchange.wake().bell(&self.caller);
        let mut look = tokio::time::interval(LOOK);
        let ended = loop {
            tokio::select! {
                message = inbound.next() => match message {
                    Ok(Some(native)) => if let Err(refusal) = self.hear(&native).await { break Some(refusal) },
                    Ok(None) => break None,
                    Err(refusal) => break Some(refusal),
                },
                () = self.items.closed() => break None,
                () = bell.notified() => if let Err(refused) = self.send().await { break Some(refused.into()) },
                _ = look.tick() => if let Err(refused) = self.send().await { break Some(refused.into()) },
            }
        };
        // Not acknowledged: due again at once, on whichever stream the institution opens next.
        for (delivery, token) in std::mem::take(&mut self.open) {
            let outcome = Outcome::Failed { failure: Failure::Transient { retry_after: None }, code: "STREAM_ENDED".into(), random: 0.0 };
            let _ = self.exchange.settle(Some(&self.caller), delivery, token, outcome).await;
        }
        if let Some(refusal) = ended {
            let _ = self.items.send(Err(refusal)).await;
        }
    }

    /// A message of the institution.
    async fn hear(&mut self, native: &[u8]) -> Result<(), Refusal> {
        let request: wire::ReceiveRequest = decode(&self.way.read(native)?)?;
        if request.credits > 0 {
            self.credits = request.credits.min(MOST_CREDITS);
        }
        if let Some(acknowledgement) = request.acknowledgement {
            let wrong =
                |path: &str| Refusal::new(ErrorReason::InvalidField, format!("{path} must be as it came with the item")).field(path, "as it came");
            let delivery: DeliveryId = acknowledgement.delivery_id.parse().map_err(|_| wrong("acknowledgement.delivery_id"))?;
            let token = URL_SAFE_NO_PAD.decode(&acknowledgement.lease_token).ok().and_then(|token| LeaseToken::try_from(token).ok());
            let token = token.ok_or_else(|| wrong("acknowledgement.lease_token"))?;
            let outcome = if acknowledgement.refusal.is_empty() {
                Outcome::Delivered
            } else {
                // The text could hold data of the person: operators learn that it was refused, not in which words.
                Outcome::Failed { failure: Failure::Permanent, code: "REFUSED_BY_RECIPIENT".into(), random: 0.0 }
            };
            match self.exchange.settle(Some(&self.caller), delivery, token, outcome).await {
                // An older lease, or not this institution's: ignored, the item comes again or never was there.
                Ok(()) | Err(Refused::StaleLease | Refused::NotFound) => {}
                Err(refused) => return Err(refused.into()),
            }
            if self.open.get(&delivery) == Some(&token) {
                self.open.remove(&delivery);
            }
        }
        self.send().await.map_err(Refusal::from)
    }

    /// Releases and sends what credits allow. Consent has been asked again for each item, at its place in the order.
    async fn send(&mut self) -> Result<(), Refused> {
        let free = self.credits.saturating_sub(u32::try_from(self.open.len()).unwrap_or(u32::MAX));
        if free == 0 {
            return Ok(());
        }
        for outgoing in self.exchange.release(&self.caller, free, LEASE).await? {
            let (id, token, mask) = (outgoing.id, outgoing.token, outgoing.mask);
            match self.way.render(&item(&outgoing), mask) {
                Ok(native) => {
                    // All of them, even if the stream has ended meanwhile: what is open goes back at its end, not when its lease does.
                    self.open.insert(id, token);
                    let _ = self.items.send(Ok(native)).await;
                }
                Err(_) => {
                    let outcome = Outcome::Failed { failure: Failure::Permanent, code: "UNMAPPABLE".into(), random: 0.0 };
                    self.exchange.settle(None, id, token, outcome).await?;
                }
            }
        }
        Ok(())
    }
}

/// A `weiche.exchange.v1.ReceiveResponse`.
fn item(outgoing: &Outgoing) -> Vec<u8> {
    let response = wire::ReceiveResponse {
        delivery_id: outgoing.id.to_string(),
        lease_token: URL_SAFE_NO_PAD.encode(outgoing.token),
        receipt: Some(receipt_to(&outgoing.receipt)),
        item: None,
    };
    let mut bytes = response.encode_to_vec();
    // The members of `item`.
    let number = match &outgoing.content {
        Content::Referral(_) => 3,
        Content::Status(_) => 4,
        Content::Recall(_) => 5,
    };
    outgoing.content.put(number, &mut bytes);
    bytes
}
