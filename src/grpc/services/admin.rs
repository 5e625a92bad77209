// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.admin.v1.AdminService`.

use std::sync::Arc;

use bytes::Bytes;

use super::referrals::{bad_token, decode, encode, page_size, request_id};
use super::rules;
use crate::agreement::Delivery;
use crate::exchange::Exchange;
use crate::grpc::convert::consent::time_to;
use crate::grpc::router::{Method, Router};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::grpc::validate::RuleError;
use crate::id::DeliveryId;
use crate::identity::Role;
use crate::proto::admin as wire;

const SERVICE: &str = "weiche.admin.v1.AdminService";

pub(super) fn serve(router: Router, exchange: &Arc<Exchange>) -> Result<Router, Vec<RuleError>> {
    let router = router.method(SERVICE, "ListInstitutions", checked(exchange, "ListInstitutionsRequest", |e, _, _| Box::pin(institutions(e)))?);
    let router = router.method(SERVICE, "ListDialects", checked(exchange, "ListDialectsRequest", |e, _, _| Box::pin(dialects(e)))?);
    let router = router.method(SERVICE, "ListDeadLetters", checked(exchange, "ListDeadLettersRequest", |e, _, b| Box::pin(dead_letters(e, b)))?);
    Ok(router.method(SERVICE, "RequeueDeadLetter", checked(exchange, "RequeueDeadLetterRequest", |e, n, b| Box::pin(requeue(e, n, b)))?))
}

type Handler = fn(Arc<Exchange>, Arc<str>, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, Refusal>>;

/// A handler behind the rules of its request.
fn checked(exchange: &Arc<Exchange>, request: &str, handler: Handler) -> Result<Method, Vec<RuleError>> {
    let rules = rules(&format!("weiche.admin.v1.{request}"))?;
    let exchange = exchange.clone();
    Ok(Method::unary(move |context, bytes: Bytes| {
        let (exchange, rules) = (exchange.clone(), rules.clone());
        async move {
            rules.check(&bytes).map_err(Refusal::from)?;
            let Role::Admin { name } = context.caller.role() else {
                return Err(Refusal::new(ErrorReason::CallerNotAllowed, "only admins may call this"));
            };
            handler(exchange, name.clone(), bytes).await
        }
    }))
}

async fn institutions(exchange: Arc<Exchange>) -> Result<Bytes, Refusal> {
    let queues = exchange.queues().await?;
    let agreement = exchange.agreement();
    let one = |member: &crate::agreement::Member| {
        let queue = queues.get(member.id.as_str()).copied().unwrap_or_default();
        wire::Institution {
            institution: member.id.to_string(),
            dialect: exchange.dialect_of(member).map(|dialect| dialect.name().to_owned()).unwrap_or_default(),
            delivery: if matches!(member.delivery, Delivery::Pull {}) { "pull" } else { "push" }.to_owned(),
            queued: queue.open,
            dead: queue.dead,
            oldest_queued_at: queue.oldest.map(time_to),
        }
    };
    Ok(encode(wire::ListInstitutionsResponse { institutions: agreement.members().map(one).collect() }))
}

async fn dialects(exchange: Arc<Exchange>) -> Result<Bytes, Refusal> {
    let one = |dialect: &Arc<crate::dialect::Dialect>| wire::Dialect {
        name: dialect.name().to_owned(),
        version: dialect.version().to_owned(),
        digest: dialect.digest().iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok(encode(wire::ListDialectsResponse { dialects: exchange.dialects().iter().map(one).collect() }))
}

async fn dead_letters(exchange: Arc<Exchange>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListDeadLettersRequest = decode(&bytes)?;
    const SCOPE: &str = "dead-letters";
    let cursor = exchange.cursor(SCOPE, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.dead_letters(cursor.map(|(at, id)| (at, DeliveryId(uuid::Uuid::from_bytes(id)))), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize);
    let next_page_token = last.map(|last| exchange.page_token(SCOPE, last.at, last.id.as_bytes())).unwrap_or_default();
    let one = |letter: &crate::exchange::DeadLetter| wire::DeadLetter {
        delivery_id: letter.id.to_string(),
        referral_id: letter.referral.to_string(),
        recipient: letter.recipient.to_string(),
        kind: letter.kind.name().to_owned(),
        attempts: letter.attempts,
        last_error: letter.last_error.clone(),
        given_up_at: Some(time_to(letter.at)),
    };
    Ok(encode(wire::ListDeadLettersResponse { dead_letters: found.iter().map(one).collect(), next_page_token }))
}

async fn requeue(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RequeueDeadLetterRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let delivery = request.delivery_id.parse().map_err(|_| Refusal::new(ErrorReason::InvalidField, "delivery_id must be a UUID"))?;
    exchange.requeue(&name, id, delivery).await?;
    Ok(encode(wire::RequeueDeadLetterResponse {}))
}
