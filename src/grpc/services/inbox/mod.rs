// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.InboxService.Receive`: for institutions that only dial out. Items are released as credits allow, each under its own
//! lease; what is not acknowledged when the stream ends comes again on the next one.
//!
//! | file | idea |
//! |---|---|
//! | `books` | what a stream holds: what waits for the connection, what is with the institution, how much of it there may be |
//! | `stream` | when: hearing, releasing, the end. Knows no message. |
//! | here | what: messages of the contract, use cases, the institution's words |

mod books;
mod stream;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::try_unfold;
use prost::Message;

use self::books::Parcel;
use self::stream::{Acknowledged, Desk, Said};
use super::native::{Way, institution};
use super::referrals::decode;
use crate::agreement::Delivery;
use crate::clock::Time;
use crate::exchange::{Content, Exchange, Outcome, Outgoing, Refusal as Refused};
use crate::grpc::convert::receipt_to;
use crate::grpc::router::{Inbound, Method, Reply};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::id::{DeliveryId, InstitutionId};
use crate::outbox::{Failure, LeaseToken};
use crate::proto::exchange as wire;

/// How long an institution has for an acknowledgement.
const LEASE: Duration = Duration::from_secs(60);

pub(super) fn serve(exchange: Arc<Exchange>, way: Way) -> Method {
    Method::streaming(move |context, inbound| {
        let (exchange, way) = (exchange.clone(), way.clone());
        async move {
            let caller = institution(&context.caller)?;
            let agreement = exchange.agreement();
            if !agreement.member(&caller).is_some_and(|member| matches!(member.delivery, Delivery::Pull {})) {
                return Err(Refusal::new(ErrorReason::WrongState, "the agreement says that the gateway calls this institution; nothing waits here"));
            }
            let bell = exchange.wake().bell(&caller);
            let said = Box::pin(try_unfold((inbound, way.clone()), said));
            Ok(Box::pin(stream::open(Inbox { exchange, way, caller }, bell, said)) as Reply)
        }
    })
}

/// The next message of the institution.
async fn said((mut inbound, way): (Inbound, Way)) -> Result<Option<(Said, (Inbound, Way))>, Refusal> {
    let Some(native) = inbound.next().await? else { return Ok(None) };
    let request: wire::ReceiveRequest = decode(&way.read(&native)?)?;
    let acknowledged = request.acknowledgement.map(acknowledged).transpose()?;
    Ok(Some((Said { credits: request.credits, acknowledged }, (inbound, way))))
}

fn acknowledged(acknowledgement: wire::Acknowledgement) -> Result<Acknowledged, Refusal> {
    let wrong = |path: &str| Refusal::new(ErrorReason::InvalidField, format!("{path} must be as it came with the item")).field(path, "as it came");
    let delivery: DeliveryId = acknowledgement.delivery_id.parse().map_err(|_| wrong("acknowledgement.delivery_id"))?;
    let token = URL_SAFE_NO_PAD.decode(&acknowledgement.lease_token).ok().and_then(|token| LeaseToken::try_from(token).ok());
    let token = token.ok_or_else(|| wrong("acknowledgement.lease_token"))?;
    // The text of a refusal could hold data of the person: operators learn that it was refused, not in which words.
    let outcome = if acknowledgement.refusal.is_empty() { Outcome::Delivered } else { permanent("REFUSED_BY_RECIPIENT") };
    Ok(Acknowledged { delivery, token, outcome })
}

/// What waits for one institution.
struct Inbox {
    exchange: Arc<Exchange>,
    way: Way,
    caller: InstitutionId,
}

impl Inbox {
    async fn parcels(&self, released: Vec<Outgoing>) -> Result<Vec<Parcel>, Refused> {
        let mut parcels = Vec::with_capacity(released.len());
        for outgoing in released {
            let (id, token, until, mask) = (outgoing.id, outgoing.token, outgoing.until, outgoing.mask);
            match self.way.render(&item(&outgoing), mask) {
                Ok(native) => parcels.push(Parcel { id, token, until, native }),
                // No repetition will find words for it.
                Err(_) => self.settle(id, token, permanent("UNMAPPABLE")).await?,
            }
        }
        Ok(parcels)
    }
}

impl Desk for Inbox {
    fn now(&self) -> Time {
        self.exchange.clock().now()
    }

    /// Consent has been asked again for each item, at its place in the order.
    async fn release(&self, limit: u32) -> Result<Vec<Parcel>, Refused> {
        self.parcels(self.exchange.release(&self.caller, limit, LEASE).await?).await
    }

    async fn next(&self, limit: u32, until: impl Future<Output = ()> + Send) -> Result<Vec<Parcel>, Refused> {
        self.parcels(self.exchange.release_next(&self.caller, limit, LEASE, until).await?).await
    }

    async fn settle(&self, delivery: DeliveryId, token: LeaseToken, outcome: Outcome) -> Result<(), Refused> {
        match self.exchange.settle(Some(&self.caller), delivery, token, outcome).await {
            // An older lease, or not this institution's: ignored, the item comes again or never was there.
            Ok(()) | Err(Refused::StaleLease | Refused::NotFound) => Ok(()),
            Err(refused) => Err(refused),
        }
    }
}

fn permanent(code: &str) -> Outcome {
    Outcome::Failed { failure: Failure::Permanent, code: code.into(), random: 0.0 }
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
