// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.ReferralService`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::unfold;
use futures_util::{FutureExt, StreamExt};
use prost::Message;
use tonic::{Code, Status};
use tracing::Instrument;

use super::native::{Call, Way, institution};
use crate::dialect::CategoryMask;
use crate::exchange::{Event, Exchange, StreamedRequest, SubmitRequest};
use crate::grpc::convert::consent::time_to;
use crate::grpc::convert::{outcome_to, receipt_to, summary_to};
use crate::grpc::router::{Method, Reply};
use crate::grpc::status::{ErrorReason, Refusal, code_name};
use crate::id::{InstitutionId, ReferralId, RequestId};
use crate::numbered::Numbered;
use crate::proto::exchange as wire;
use crate::proto::types::StatusChange;
use crate::referral::{Recall, ReferralState, StatusReason};

/// Submissions of one stream that are under way at a time: the writer takes some hundreds in one batch.
const STREAM_IN_FLIGHT: usize = 128;

/// The handler of a unary method.
pub(super) fn unary(name: &str) -> Option<Call> {
    Some(match name {
        "SubmitReferral" => |exchange, caller, bytes| submit(exchange, caller, bytes).boxed(),
        "ResubmitReferral" => |exchange, caller, bytes| resubmit(exchange, caller, bytes).boxed(),
        "GetReferral" => |exchange, caller, bytes| get(exchange, caller, bytes).boxed(),
        "ListReferrals" => |exchange, caller, bytes| list(exchange, caller, bytes).boxed(),
        "CancelReferral" => |exchange, caller, bytes| cancel(exchange, caller, bytes).boxed(),
        "AnswerReferral" => |exchange, caller, bytes| answer(exchange, caller, bytes).boxed(),
        "AnswerRecall" => |exchange, caller, bytes| answer_recall(exchange, caller, bytes).boxed(),
        _ => return None,
    })
}

async fn submit(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    // Not from a slice: the referral shares these bytes.
    let request = SubmitRequest::decode(bytes.clone()).map_err(|_| malformed())?;
    submitted(&exchange, &caller, request, &bytes).await.map(encode)
}

async fn submitted(
    exchange: &Exchange,
    caller: &InstitutionId,
    request: SubmitRequest,
    content: &[u8],
) -> Result<wire::SubmitReferralResponse, Refusal> {
    let request_id = request.request_id.clone();
    let done = exchange.submit(caller, request, content).await?;
    Ok(wire::SubmitReferralResponse {
        request_id,
        referral_id: done.referral.map(|id| id.to_string()).unwrap_or_default(),
        state: if done.referral.is_some() { ReferralState::Submitted.number() } else { 0 },
        receipt: done.receipt.as_ref().map(receipt_to),
        decision: Some(outcome_to(done.reason, done.granted, &done.withheld, done.legal_basis)),
        report: done.report.into_proto(),
    })
}

/// An answer whose report names the fields of the request as its sender spells them.
pub(super) fn reported<M: Message + Default>(way: &Way, answer: &Bytes, report: fn(&mut M) -> &mut Vec<wire::FieldReport>) -> Result<Bytes, Refusal> {
    let mut answer: M = decode(answer)?;
    way.report_in_words(report(&mut answer));
    Ok(encode(answer))
}

/// `SubmitReferrals`: one answer per submission, in their order. What cannot be read ends the stream, after the answers to what came before it.
pub(super) fn stream(exchange: Arc<Exchange>, way: Way) -> Method {
    Method::streaming(move |context, inbound| {
        let (exchange, way) = (exchange.clone(), way.clone());
        async move {
            let caller = institution(&context.caller)?;
            let said = unfold(Some(inbound), |inbound| async {
                let mut inbound = inbound?;
                match inbound.next().await {
                    Ok(native) => native.map(|native| (Ok(native), Some(inbound))),
                    Err(refusal) => Some((Err(refusal), None)),
                }
            });
            let answers = said.map(move |native| {
                let (exchange, way, caller) = (exchange.clone(), way.clone(), caller.clone());
                // A task of its own: the caller may go, and what was accepted stays accepted.
                let one = tokio::spawn(async move { one_of_stream(&exchange, &way, &caller, &native?).await }.in_current_span());
                one.map(|done| done.unwrap_or_else(|_| Err(Refusal::internal("a submission of a stream panicked"))))
            });
            Ok(Box::pin(answers.buffered(STREAM_IN_FLIGHT)) as Reply)
        }
    })
}

async fn one_of_stream(exchange: &Exchange, way: &Way, caller: &InstitutionId, native: &[u8]) -> Result<Bytes, Refusal> {
    let mut request_id = String::new();
    let result = async {
        let canonical = way.read(native)?;
        let request = StreamedRequest::decode(canonical).map_err(|_| malformed())?;
        let submission = request.submission.ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "submission must be set"))?;
        let request = SubmitRequest::decode(submission.clone()).map_err(|_| malformed())?;
        request_id.clone_from(&request.request_id);
        submitted(exchange, caller, request, &submission).await.map_err(|refusal| way.in_words(refusal))
    }
    .await;
    let code = code_name(result.as_ref().map_or_else(Refusal::code, |_| Code::Ok));
    metrics::counter!("weiche_streamed_total", "code" => code).increment(1);
    let result = match result {
        Ok(mut accepted) => {
            way.report_in_words(&mut accepted.report);
            wire::submit_referrals_response::Result::Accepted(accepted)
        }
        Err(refusal) => {
            tracing::info!(code, reason = refusal.reason_name(), "a submission of the stream was refused");
            wire::submit_referrals_response::Result::Refused(Bytes::copy_from_slice(Status::from(refusal).details()))
        }
    };
    way.render(&wire::SubmitReferralsResponse { request_id, result: Some(result) }.encode_to_vec(), CategoryMask::ALL)
}

async fn resubmit(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ResubmitReferralRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let consent = Some(request.consent_id.as_str()).filter(|id| !id.is_empty()).map(str::parse).transpose();
    let consent = consent.map_err(|_| Refusal::new(ErrorReason::InvalidField, "consent_id must be a UUID").field("consent_id", "must be a UUID"))?;
    let done = exchange.resubmit(&caller, id, &request.referral_id, consent, &bytes).await?;
    Ok(encode(wire::ResubmitReferralResponse {
        state: ReferralState::Submitted.number(),
        receipt: done.receipt.as_ref().map(receipt_to),
        decision: Some(outcome_to(done.reason, done.granted, &done.withheld, done.legal_basis)),
    }))
}

fn standing_to(recall: &Recall) -> wire::RecallStanding {
    let answer = recall.answer.as_ref();
    wire::RecallStanding {
        recall_id: recall.id.to_string(),
        issued_at: Some(time_to(recall.issued_at)),
        answer_due_at: Some(time_to(recall.due_at)),
        reminders: recall.reminders,
        outcome: answer.map_or(0, |answer| answer.outcome.number()),
        norm: answer.map(|answer| answer.norm.clone()).unwrap_or_default(),
        answered_at: answer.map(|answer| time_to(answer.at)),
    }
}

async fn get(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetReferralRequest = decode(&bytes)?;
    let (overview, events) = exchange.referral(&caller, &request.referral_id).await?;
    let step = |event: &Event| StatusChange {
        referral_id: event.referral.to_string(),
        event_id: uuid::Uuid::from_bytes(event.event).to_string(),
        state: event.state.number(),
        reason: event.reason.map_or(0, Numbered::number),
        at: Some(time_to(event.at)),
        ..StatusChange::default()
    };
    let mut history: Vec<StatusChange> = events.iter().map(step).collect();
    let recalls = exchange.recalls(&overview).await?;
    for (recall, answer) in recalls.iter().filter_map(|recall| Some((recall.id, recall.answer.as_ref()?))) {
        let before = events.partition_point(|event| event.at <= answer.at);
        history.push(StatusChange {
            event_id: recall.to_string(),
            state: before.checked_sub(1).and_then(|last| events.get(last)).map_or(0, |event| event.state.number()),
            at: Some(time_to(answer.at)),
            recall_outcome: answer.outcome.number(),
            recall_norm: answer.norm.clone(),
            referral_id: request.referral_id.clone(),
            ..StatusChange::default()
        });
    }
    history.sort_by_key(|change| change.at.map_or((0, 0), |at| (at.seconds, at.nanos)));
    Ok(encode(wire::GetReferralResponse { referral: Some(summary_to(&overview)), history, recalls: recalls.iter().map(standing_to).collect() }))
}

async fn list(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListReferralsRequest = decode(&bytes)?;
    let state = ReferralState::from_number(request.state.into());
    let scope = format!("referrals/{caller}/{}", request.state);
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.referrals(&caller, state, cursor.map(|(at, id)| (at, ReferralId(uuid::Uuid::from_bytes(id)))), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize).map(|last| (last.referral.submitted_at, *last.referral.id.as_bytes()));
    let next_page_token = last.map(|(at, id)| exchange.page_token(&scope, at, &id)).unwrap_or_default();
    Ok(encode(wire::ListReferralsResponse { referrals: found.iter().map(summary_to).collect(), next_page_token }))
}

async fn cancel(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::CancelReferralRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let reason = StatusReason::from_number(request.reason.into());
    let moved = exchange.cancel(&caller, id, &request.referral_id, reason, request.entered_in_error, &bytes).await?;
    Ok(encode(wire::CancelReferralResponse { state: moved.state.number(), receipt: Some(receipt_to(&moved.receipt)) }))
}

async fn answer(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::AnswerReferralRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let change = request.change.ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "change must be set"))?;
    let moved = exchange.answer(&caller, id, change, &bytes).await?;
    let report = moved.report.into_proto();
    Ok(encode(wire::AnswerReferralResponse { state: moved.state.number(), receipt: Some(receipt_to(&moved.receipt)), report }))
}

async fn answer_recall(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::AnswerRecallRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let answer = request.answer.ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "answer must be set"))?;
    let receipt = exchange.answer_recall(&caller, id, &answer, &bytes).await?;
    Ok(encode(wire::AnswerRecallResponse { receipt: Some(receipt_to(&receipt)) }))
}

/// A canonical message that its rules have passed.
pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Refusal> {
    M::decode(bytes).map_err(|_| malformed())
}

fn malformed() -> Refusal {
    Refusal::new(ErrorReason::MalformedMessage, "the bytes are not the message of this method")
}

pub(super) fn encode(message: impl Message) -> Bytes {
    message.encode_to_vec().into()
}

pub(super) fn request_id(text: &str) -> Result<RequestId, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorReason::InvalidField, "request_id must be a UUID").field("request_id", "must be a UUID"))
}

pub(super) fn bad_token() -> Refusal {
    Refusal::new(ErrorReason::InvalidPageToken, "the page token is not one of this caller and filter; begin again without it")
}

/// 50 unless told, 200 at most.
pub(super) fn page_size(asked: i32) -> u32 {
    match u32::try_from(asked) {
        Ok(0) | Err(_) => 50,
        Ok(asked) => asked.min(200),
    }
}
