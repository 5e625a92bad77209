// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.admin.v1.RetentionService`: erasure, and what stands against it.

use std::sync::Arc;

use bytes::Bytes;

use super::admin::named;
use super::consents::invalid;
use super::referrals::{decode, encode, request_id};
use super::rules;
use crate::exchange::{Actor, Exchange, Purged, Refusal as Refused};
use crate::grpc::convert::consent::{mask_from, time_from, time_to};
use crate::grpc::router::{Lane, Method, Router};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::grpc::validate::RuleError;
use crate::identity::Role;
use crate::proto::admin as wire;

const SERVICE: &str = "weiche.admin.v1.RetentionService";

pub(super) fn serve(router: Router, exchange: &Arc<Exchange>) -> Result<Router, Vec<RuleError>> {
    let methods: [(&str, Handler); 8] = [
        ("RunRetention", |exchange, name, bytes| Box::pin(run(exchange, name, bytes))),
        ("PlaceLegalHold", |exchange, name, bytes| Box::pin(place(exchange, name, bytes))),
        ("LiftLegalHold", |exchange, name, bytes| Box::pin(lift(exchange, name, bytes))),
        ("ListLegalHolds", |exchange, _, bytes| Box::pin(list(exchange, bytes))),
        ("GetPersonReport", |exchange, name, bytes| Box::pin(report(exchange, name, bytes))),
        ("ErasePerson", |exchange, name, bytes| Box::pin(erase(exchange, name, bytes))),
        ("RestrictProcessing", |exchange, name, bytes| Box::pin(restrict(exchange, name, bytes))),
        ("SendCorrection", |exchange, name, bytes| Box::pin(correct(exchange, name, bytes))),
    ];
    methods.into_iter().try_fold(router, |router, (name, handler)| Ok(router.method(SERVICE, name, checked(exchange, name, handler)?)))
}

type Handler = fn(Arc<Exchange>, Arc<str>, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, Refusal>>;

fn checked(exchange: &Arc<Exchange>, name: &str, handler: Handler) -> Result<Method, Vec<RuleError>> {
    let rules = rules(&format!("weiche.admin.v1.{name}Request"))?;
    let exchange = exchange.clone();
    let method = Method::unary(move |context, bytes: Bytes| {
        let (exchange, rules) = (exchange.clone(), rules.clone());
        async move {
            rules.check(&bytes).map_err(Refusal::from)?;
            let Role::Admin { name } = context.caller.role() else {
                return Err(Refusal::new(ErrorReason::CallerNotAllowed, "only admins may call this"));
            };
            handler(exchange, name.clone(), bytes).await
        }
    });
    Ok(method.lane(Lane::Reserved))
}

async fn run(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RunRetentionRequest = decode(&bytes)?;
    let (purged, emptied) = if request.apply {
        // A run that was begun is ended, however long the caller waits.
        let run = tokio::spawn(async move { exchange.retain(format!("operator:{name}").into()).await });
        run.await.map_err(|_| Refusal::internal("a run ended by itself"))??
    } else {
        (exchange.retention_due().await?, false)
    };
    Ok(encode(wire::RunRetentionResponse { purged: Some(purged_to(&purged)), applied: request.apply, emptied }))
}

async fn place(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::PlaceLegalHoldRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let until = request.until.as_ref().and_then(time_from);
    let until = until.ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "until is no instant").field("until", "an instant"))?;
    let actor = Actor { institution: &institution, operator: Some(&name) };
    exchange.hold(&actor, request_id(&request.request_id)?, &request.subject_ref, Some((until, &request.reason))).await?;
    Ok(encode(wire::PlaceLegalHoldResponse { known: exchange.knows(&institution, &request.subject_ref).await? }))
}

async fn lift(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::LiftLegalHoldRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let actor = Actor { institution: &institution, operator: Some(&name) };
    exchange.hold(&actor, request_id(&request.request_id)?, &request.subject_ref, None).await?;
    Ok(encode(wire::LiftLegalHoldResponse {}))
}

async fn list(exchange: Arc<Exchange>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListLegalHoldsRequest = decode(&bytes)?;
    let limit = if request.limit == 0 { 100 } else { request.limit.min(1000) };
    let found = exchange.holds(None, limit).await?;
    let hold = |(subject, hold): ([u8; 32], crate::exchange::Hold)| wire::LegalHold {
        pseudonym: subject.iter().map(|byte| format!("{byte:02x}")).collect(),
        reason: hold.reason,
        until: Some(time_to(hold.until)),
    };
    Ok(encode(wire::ListLegalHoldsResponse { holds: found.into_iter().map(hold).collect() }))
}

async fn erase(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ErasePersonRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let actor = Actor { institution: &institution, operator: Some(&name) };
    let erased = exchange.erase_person(&actor, request_id(&request.request_id)?, &request.subject_ref).await;
    let (purged, _, emptied) = erased.map_err(unless_found("nothing is there under this reference at this institution; check both"))?;
    Ok(encode(wire::ErasePersonResponse { purged: Some(purged_to(&purged)), emptied }))
}

async fn report(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetPersonReportRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let report = exchange.person_report(&Actor { institution: &institution, operator: Some(&name) }, &request.subject_ref).await;
    let report = report.map_err(unless_found("no such member in the agreement; `weiche status` lists them"))?;
    Ok(encode(wire::GetPersonReportResponse { json: report.json()?, html: report.html(&request.language), known: !report.is_empty() }))
}

async fn restrict(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RestrictProcessingRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let actor = Actor { institution: &institution, operator: Some(&name) };
    exchange.restrict(&actor, request_id(&request.request_id)?, &request.subject_ref, request.restricted).await?;
    Ok(encode(wire::RestrictProcessingResponse { known: exchange.knows(&institution, &request.subject_ref).await? }))
}

async fn correct(exchange: Arc<Exchange>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::SendCorrectionRequest = decode(&bytes)?;
    let institution = named(&request.institution, "institution")?;
    let categories = mask_from(&request.categories, "categories").map_err(|problems| invalid("", problems))?;
    let actor = Actor { institution: &institution, operator: Some(&name) };
    let corrected = exchange.correct(&actor, request_id(&request.request_id)?, &request.referral_id, categories).await;
    corrected.map_err(unless_found("this institution sent no such referral; check both"))?;
    Ok(encode(wire::SendCorrectionResponse {}))
}

/// An operator sees all members' things: what is not there can be said plainly.
fn unless_found(missing: &'static str) -> impl Fn(Refused) -> Refusal {
    move |refused| match refused {
        Refused::NotFound => Refusal::new(ErrorReason::NotFound, missing),
        other => other.into(),
    }
}

fn purged_to(purged: &Purged) -> wire::Purged {
    let Purged { contents, dead_letters, referrals, consents, persons, requests, kept } = *purged;
    wire::Purged { contents, dead_letters, referrals, consents, persons, requests, kept }
}
