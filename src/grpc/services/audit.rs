// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.audit.v1.AuditService`: reading only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::referrals::{decode, encode};
use super::rules;
use crate::exchange::Exchange;
use crate::exchange::findings::Finding;
use crate::grpc::convert::consent::{time_from, time_to};
use crate::grpc::router::{Lane, Method, Router};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::grpc::validate::RuleError;
use crate::identity::Role;
use crate::ledger::Hash;
use crate::numbered::Numbered;
use crate::proto::audit as wire;

/// The period that is looked at unless another is named: 90 days.
const USUAL: Duration = Duration::from_secs(90 * 24 * 3600);
const SERVICE: &str = "weiche.audit.v1.AuditService";

pub(super) fn serve(router: Router, exchange: &Arc<Exchange>) -> Result<Router, Vec<RuleError>> {
    let router = router.method(SERVICE, "GetCheckpoint", checked(exchange, "GetCheckpointRequest", |e, _| Box::pin(checkpoint(e)))?);
    let router = router.method(SERVICE, "ListEntries", checked(exchange, "ListEntriesRequest", |e, b| Box::pin(entries(e, b)))?);
    let router = router.method(SERVICE, "GetInclusionProof", checked(exchange, "GetInclusionProofRequest", |e, b| Box::pin(inclusion(e, b)))?);
    let router = router.method(SERVICE, "GetConsistencyProof", checked(exchange, "GetConsistencyProofRequest", |e, b| Box::pin(consistency(e, b)))?);
    Ok(router.method(SERVICE, "ListFindings", findings(exchange)?))
}

/// Only an auditor with a name: the log says who looked.
fn findings(exchange: &Arc<Exchange>) -> Result<Method, Vec<RuleError>> {
    let rules = rules("weiche.audit.v1.ListFindingsRequest")?;
    let exchange = exchange.clone();
    let method = Method::unary(move |context, bytes: Bytes| {
        let (exchange, rules) = (exchange.clone(), rules.clone());
        async move {
            rules.check(&bytes).map_err(Refusal::from)?;
            let Role::Auditor { name } = context.caller.role() else {
                return Err(Refusal::new(ErrorReason::CallerNotAllowed, "only auditors may call this"));
            };
            list_findings(&exchange, name, &bytes).await
        }
    });
    Ok(method.lane(Lane::Reserved))
}

async fn list_findings(exchange: &Exchange, auditor: &str, bytes: &Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListFindingsRequest = decode(bytes)?;
    let until = request.until.as_ref().and_then(time_from).unwrap_or_else(|| exchange.clock().now());
    let since = request.since.as_ref().and_then(time_from).unwrap_or_else(|| until.minus(USUAL));
    let finding = |one: Finding| wire::Finding {
        kind: one.kind.number(),
        institution: one.institution,
        unit: one.unit,
        count: one.count,
        of: one.of,
        stands_out: one.stands_out,
        examples: one.examples,
    };
    let findings = exchange.findings(auditor, since, until).await?.into_iter().map(finding).collect();
    Ok(encode(wire::ListFindingsResponse { findings, since: Some(time_to(since)), until: Some(time_to(until)) }))
}

type Handler = fn(Arc<Exchange>, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, Refusal>>;

fn checked(exchange: &Arc<Exchange>, request: &str, handler: Handler) -> Result<Method, Vec<RuleError>> {
    let rules = rules(&format!("weiche.audit.v1.{request}"))?;
    let exchange = exchange.clone();
    let method = Method::unary(move |_, bytes: Bytes| {
        let (exchange, rules) = (exchange.clone(), rules.clone());
        async move {
            rules.check(&bytes).map_err(Refusal::from)?;
            handler(exchange, bytes).await
        }
    });
    Ok(method.lane(Lane::Reserved))
}

async fn checkpoint(exchange: Arc<Exchange>) -> Result<Bytes, Refusal> {
    let (_, note) = exchange.checkpoint().await?;
    Ok(encode(wire::GetCheckpointResponse { checkpoint: note.to_string(), verifier_key: exchange.verifier_key() }))
}

async fn entries(exchange: Arc<Exchange>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListEntriesRequest = decode(&bytes)?;
    let limit = if request.limit == 0 { 100 } else { request.limit.min(1000) };
    let (found, tree_size) = exchange.entries(request.from, limit).await?;
    let entries = found.into_iter().zip(request.from..).map(|(entry, index)| wire::LoggedEntry { index, entry: entry.into() });
    Ok(encode(wire::ListEntriesResponse { entries: entries.collect(), tree_size }))
}

async fn inclusion(exchange: Arc<Exchange>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetInclusionProofRequest = decode(&bytes)?;
    let (tree_size, hashes) = exchange.inclusion(request.index, request.tree_size).await?;
    Ok(encode(wire::GetInclusionProofResponse { tree_size, hashes: on_wire(&hashes) }))
}

async fn consistency(exchange: Arc<Exchange>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetConsistencyProofRequest = decode(&bytes)?;
    let (new_size, hashes) = exchange.consistency(request.old_size, request.new_size).await?;
    Ok(encode(wire::GetConsistencyProofResponse { new_size, hashes: on_wire(&hashes) }))
}

fn on_wire(hashes: &[Hash]) -> Vec<Bytes> {
    hashes.iter().map(|hash| Bytes::copy_from_slice(hash.as_bytes())).collect()
}
