// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whether the gateway can do its work: for `grpc.health.v1`, for the router, for `/readyz`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use prost::Message;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::access::Access;
use super::router::{Context, Lane, Method, Reply, Router};
use super::status::{ErrorReason, Refusal};

/// Full name of the service.
pub const SERVICE: &str = "grpc.health.v1.Health";

/// What the gateway can do at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not yet: checks at start are running.
    Starting,
    /// All of its work.
    Ready,
    /// Nothing, until the named part works again: `ledger`, `store`.
    Failed(&'static str),
    /// It finishes what it has accepted and takes nothing new.
    Draining,
}

/// The present condition, shared by all who set or ask it.
#[derive(Debug, Clone)]
pub struct Health {
    condition: Arc<watch::Sender<Condition>>,
    /// Those who wait for the end are told in the order in which they came.
    drains: CancellationToken,
}

impl Default for Health {
    fn default() -> Self {
        Self { condition: Arc::new(watch::Sender::new(Condition::Starting)), drains: CancellationToken::new() }
    }
}

impl Health {
    /// Changes the condition and tells all who watch. Draining is final.
    pub fn set(&self, condition: Condition) {
        self.condition.send_if_modified(|now| {
            let change = *now != condition && *now != Condition::Draining;
            if change {
                *now = condition;
            }
            change
        });
        if condition == Condition::Draining {
            self.drains.cancel();
        }
    }

    /// The present condition.
    pub fn now(&self) -> Condition {
        *self.condition.borrow()
    }

    /// Done as soon as the gateway drains.
    pub async fn drains(&self) {
        self.drains.cancelled().await;
    }

    /// Whether new calls are to be refused.
    pub fn is_draining(&self) -> bool {
        self.now() == Condition::Draining
    }

    /// Adds `Check` and `Watch` to a router. A service that the caller may not call is as unknown as one that does not exist.
    pub fn serve(&self, router: Router, access: &Arc<Access>) -> Router {
        let (health, doors) = (self.clone(), access.clone());
        let check = Method::unary(move |context, message| {
            let answer = known(&doors, &context, &message).and_then(|known| known.then(|| encode(status(health.now()))).ok_or_else(unknown));
            async move { answer }
        });
        let (health, doors) = (self.clone(), access.clone());
        let watch = Method::server_streaming(move |context, message| {
            let answer = known(&doors, &context, &message).map(|known| -> Reply {
                Box::pin(changes(&health).map(move |now| Ok(encode(if known { status(now) } else { ServingStatus::ServiceUnknown }))))
            });
            async move { answer }
        });
        router.method(SERVICE, "Check", check.lane(Lane::Reserved).message_limit(1024).while_draining()).method(
            SERVICE,
            "Watch",
            watch.message_limit(1024).while_draining(),
        )
    }
}

/// The condition, and every change of it; ends with draining, which is final and must not be held up by who watches.
fn changes(health: &Health) -> impl Stream<Item = Condition> + Send + use<> {
    stream::unfold(Some((health.condition.subscribe(), true)), |state| async move {
        let (mut seen, first) = state?;
        if !first {
            seen.changed().await.ok()?;
        }
        let now = *seen.borrow_and_update();
        Some((now, (now != Condition::Draining).then_some((seen, false))))
    })
}

fn status(condition: Condition) -> ServingStatus {
    match condition {
        Condition::Ready => ServingStatus::Serving,
        Condition::Starting | Condition::Failed(_) | Condition::Draining => ServingStatus::NotServing,
    }
}

fn encode(status: ServingStatus) -> Bytes {
    HealthCheckResponse { status: status.into() }.encode_to_vec().into()
}

/// Whether the request asks for the gateway as a whole, the empty name, or for a service of the caller.
fn known(access: &Access, context: &Context, message: &[u8]) -> Result<bool, Refusal> {
    let request =
        HealthCheckRequest::decode(message).map_err(|_| Refusal::new(ErrorReason::MalformedMessage, "the bytes are not a HealthCheckRequest"))?;
    Ok(request.service.is_empty() || access.allows(&context.caller, &request.service))
}

fn unknown() -> Refusal {
    Refusal::new(ErrorReason::NotFound, "no such service for this caller").with("kind", "service")
}
