// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.RightsService`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::consents::invalid;
use super::native::Call;
use super::referrals::{decode, encode, request_id};
use crate::exchange::{Actor, Exchange};
use crate::grpc::convert::consent::mask_from;
use crate::grpc::convert::receipt_to;
use crate::grpc::status::Refusal;
use crate::id::InstitutionId;
use crate::proto::exchange as wire;

/// The handler of a unary method.
pub(super) fn unary(name: &str) -> Option<Call> {
    Some(match name {
        "GetPersonReport" => |exchange, caller, bytes| report(exchange, caller, bytes).boxed(),
        "ExportPerson" => |exchange, caller, bytes| export(exchange, caller, bytes).boxed(),
        "RestrictProcessing" => |exchange, caller, bytes| restrict(exchange, caller, bytes).boxed(),
        "SendCorrection" => |exchange, caller, bytes| correct(exchange, caller, bytes).boxed(),
        "ErasePerson" => |exchange, caller, bytes| erase(exchange, caller, bytes).boxed(),
        _ => return None,
    })
}

fn itself(institution: &InstitutionId) -> Actor<'_> {
    Actor { institution, operator: None }
}

async fn report(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetPersonReportRequest = decode(&bytes)?;
    let report = exchange.person_report(&itself(&caller), &request.subject_ref).await?;
    Ok(encode(wire::GetPersonReportResponse { json: report.json()?, html: report.html(&request.language) }))
}

async fn export(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ExportPersonRequest = decode(&bytes)?;
    let report = exchange.person_report(&itself(&caller), &request.subject_ref).await?;
    Ok(encode(wire::ExportPersonResponse { json: report.portable().json()? }))
}

async fn restrict(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RestrictProcessingRequest = decode(&bytes)?;
    let receipt = exchange.restrict(&itself(&caller), request_id(&request.request_id)?, &request.subject_ref, request.restricted).await?;
    Ok(encode(wire::RestrictProcessingResponse { receipt: Some(receipt_to(&receipt)) }))
}

async fn correct(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::SendCorrectionRequest = decode(&bytes)?;
    let categories = mask_from(&request.categories, "categories").map_err(|problems| invalid("", problems))?;
    let receipt = exchange.correct(&itself(&caller), request_id(&request.request_id)?, &request.referral_id, categories).await?;
    Ok(encode(wire::SendCorrectionResponse { receipt: Some(receipt_to(&receipt)) }))
}

async fn erase(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ErasePersonRequest = decode(&bytes)?;
    let (purged, receipt, _) = exchange.erase_person(&itself(&caller), request_id(&request.request_id)?, &request.subject_ref).await?;
    Ok(encode(wire::ErasePersonResponse { referrals: purged.referrals, consents: purged.consents, receipt: Some(receipt_to(&receipt)) }))
}
