// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a case system asks of the gateway, in its own words and by its own methods.

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::System;
use super::tongue::TongueError;
use crate::dialect::CategoryMask;
use crate::grpc::codec::BytesCodec;
use crate::proto::exchange::{
    AnswerRecallRequest, AnswerRecallResponse, AnswerReferralRequest, AnswerReferralResponse, CancelReferralRequest, CancelReferralResponse,
    DecisionReason, FieldOutcome, GetConsentReceiptRequest, GetConsentReceiptResponse, GetPersonReportRequest, GetPersonReportResponse, Receipt,
    RecordConsentRequest, RecordConsentResponse, SubmitReferralRequest, SubmitReferralResponse, WithdrawConsentRequest, WithdrawConsentResponse,
};
use crate::proto::types::{Consent, RecallAnswer, Referral, StatusChange, StatusReason, WithdrawalScope};

const EXCHANGE: &str = "weiche.exchange.v1";

/// A submission that the gateway took.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Accepted {
    /// The gateway's number.
    pub referral: String,
    /// What may go.
    pub granted: CategoryMask,
    /// What stays behind.
    pub withheld: CategoryMask,
    /// Fields that stay behind.
    pub fields: usize,
    /// Proof.
    pub receipt: String,
}

/// What the gateway did not take.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code:?} {reason}: {message}")]
pub(in crate::cli::demo) struct Refused {
    /// As gRPC has it.
    pub code: Code,
    /// `ErrorInfo.reason`.
    pub reason: String,
    /// Why consent or agreement say no.
    pub decision: Option<DecisionReason>,
    /// For developers.
    pub message: String,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let info = status.get_details_error_info();
        let decision = info.as_ref().and_then(|info| info.metadata.get("decision"));
        let decision = decision.and_then(|code| DecisionReason::from_str_name(&format!("DECISION_REASON_{code}")));
        let reason = info.map(|info| info.reason).unwrap_or_default();
        Self { code: status.code(), reason, decision, message: status.message().to_owned() }
    }
}

impl From<TongueError> for Refused {
    fn from(error: TongueError) -> Self {
        Self { code: Code::InvalidArgument, reason: "OWN_WORDS".to_owned(), decision: None, message: error.to_string() }
    }
}

impl System {
    /// Records a consent; the receipt.
    pub(in crate::cli::demo) async fn record(&self, request_id: &str, consent: &Consent) -> Result<String, Refused> {
        let request = RecordConsentRequest { request_id: request_id.to_owned(), consent: Some(consent.clone()) };
        let done: RecordConsentResponse = self.call("ConsentService.RecordConsent", &request).await?;
        Ok(text(done.receipt))
    }

    /// Withdraws a consent, as a whole or for some kinds of data; the receipt.
    pub(in crate::cli::demo) async fn withdraw(&self, request_id: &str, consent_id: &str, only: CategoryMask) -> Result<String, Refused> {
        let categories: Vec<i32> = only.iter().map(|category| category.number().into()).collect();
        let request = WithdrawConsentRequest {
            request_id: request_id.to_owned(),
            consent_id: consent_id.to_owned(),
            scope: (!only.is_empty()).then(|| WithdrawalScope { categories, ..WithdrawalScope::default() }),
            channel: "counter".to_owned(),
            withdrawal_code: String::new(),
        };
        let done: WithdrawConsentResponse = self.call("ConsentService.WithdrawConsent", &request).await?;
        Ok(text(done.receipt))
    }

    /// The sheet for a person whose consent this system recorded.
    pub(in crate::cli::demo) async fn sheet(&self, consent_id: &str, language: &str) -> Result<GetConsentReceiptResponse, Refused> {
        let request = GetConsentReceiptRequest { consent_id: consent_id.to_owned(), language: language.to_owned() };
        self.call("ConsentService.GetConsentReceipt", &request).await
    }

    /// Everything that is there of a person of this system, in German and in another language (Art. 15 GDPR).
    pub(in crate::cli::demo) async fn report(&self, subject_ref: &str, language: &str) -> Result<GetPersonReportResponse, Refused> {
        let request = GetPersonReportRequest { subject_ref: subject_ref.to_owned(), language: language.to_owned() };
        self.call("RightsService.GetPersonReport", &request).await
    }

    /// Withdraws a consent by the code of the person's sheet; the receipt, and how many referrals the answer names.
    pub(in crate::cli::demo) async fn withdraw_by_code(&self, request_id: &str, code: &str) -> Result<(String, usize), Refused> {
        let request = WithdrawConsentRequest {
            request_id: request_id.to_owned(),
            channel: "counter".to_owned(),
            withdrawal_code: code.to_owned(),
            ..WithdrawConsentRequest::default()
        };
        let done: WithdrawConsentResponse = self.call("ConsentService.WithdrawConsent", &request).await?;
        let named = [&done.stopped_referral_ids, &done.in_flight_referral_ids, &done.recalled_referral_ids].map(Vec::len);
        Ok((text(done.receipt), named.into_iter().sum()))
    }

    /// Submits a referral.
    pub(in crate::cli::demo) async fn submit(&self, request_id: &str, referral: &Referral) -> Result<Accepted, Refused> {
        self.submission(request_id, referral, false).await
    }

    /// Asks what would happen to a referral; nothing does, and there is neither number nor receipt.
    pub(in crate::cli::demo) async fn ask(&self, referral: &Referral) -> Result<Accepted, Refused> {
        self.submission(&uuid::Uuid::new_v4().to_string(), referral, true).await
    }

    async fn submission(&self, request_id: &str, referral: &Referral, validate_only: bool) -> Result<Accepted, Refused> {
        let request = SubmitReferralRequest { request_id: request_id.to_owned(), referral: Some(referral.clone()), validate_only };
        let done: SubmitReferralResponse = self.call("ReferralService.SubmitReferral", &request).await?;
        let decision = done.decision.unwrap_or_default();
        let mask = |numbers: Vec<i32>| numbers.into_iter().filter_map(crate::dialect::Category::from_number).collect();
        Ok(Accepted {
            referral: done.referral_id,
            granted: mask(decision.granted),
            withheld: mask(decision.withheld),
            fields: done.report.iter().filter(|field| field.outcome() == FieldOutcome::Withheld).count(),
            receipt: text(done.receipt),
        })
    }

    /// Takes a referral back; the receipt.
    pub(in crate::cli::demo) async fn cancel(&self, request_id: &str, referral: &str, entered_in_error: bool) -> Result<String, Refused> {
        let reason = if entered_in_error { StatusReason::Mistake } else { StatusReason::ClientDeclined };
        let request =
            CancelReferralRequest { request_id: request_id.to_owned(), referral_id: referral.to_owned(), reason: reason.into(), entered_in_error };
        let done: CancelReferralResponse = self.call("ReferralService.CancelReferral", &request).await?;
        Ok(text(done.receipt))
    }

    /// Answers a referral; the receipt.
    pub(in crate::cli::demo) async fn answer(&self, request_id: &str, change: &StatusChange) -> Result<String, Refused> {
        let request = AnswerReferralRequest { request_id: request_id.to_owned(), change: Some(change.clone()) };
        let done: AnswerReferralResponse = self.call("ReferralService.AnswerReferral", &request).await?;
        Ok(text(done.receipt))
    }

    /// Answers a recall; the receipt.
    pub(in crate::cli::demo) async fn answer_recall(&self, request_id: &str, answer: &RecallAnswer) -> Result<String, Refused> {
        let request = AnswerRecallRequest { request_id: request_id.to_owned(), answer: Some(answer.clone()) };
        let done: AnswerRecallResponse = self.call("ReferralService.AnswerRecall", &request).await?;
        Ok(text(done.receipt))
    }

    async fn call<R: Message + Default>(&self, canonical: &str, request: &impl Message) -> Result<R, Refused> {
        let tongue = &self.desk.tongue;
        let method = tongue.method(&format!("{EXCHANGE}.{canonical}"))?;
        let native = tongue.say(&method.request, request)?;
        let answer = self.unary(&method.path, native).await?;
        Ok(tongue.hear(&method.response, &answer)?)
    }

    async fn unary(&self, path: &str, native: Bytes) -> Result<Bytes, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::try_from(path).map_err(|error| Status::internal(error.to_string()))?;
        Ok(grpc.unary(Request::new(native), path, BytesCodec).await?.into_inner())
    }
}

fn text(receipt: Option<Receipt>) -> String {
    receipt.map(|receipt| receipt.text).unwrap_or_default()
}
