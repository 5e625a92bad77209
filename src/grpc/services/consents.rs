// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.ConsentService`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::native::Call;
use super::referrals::{bad_token, decode, encode, page_size, request_id};
use crate::agreement::Purpose;
use crate::consent::{CodeError, Problem, SubjectRef};
use crate::exchange::{About, Exchange, Named, Question, Refusal as Refused, Reminder, ReminderKind};
use crate::grpc::convert::consent::{consent_from, consent_to, decision_to, mask_from, party_from, scope_from, time_to};
use crate::grpc::convert::receipt_to;
use crate::grpc::status::{ErrorReason, Refusal};
use crate::id::{ConsentId, InstitutionId};
use crate::numbered::Numbered;
use crate::proto::exchange as wire;

/// The handler of a unary method.
pub(super) fn unary(name: &str) -> Option<Call> {
    Some(match name {
        "RecordConsent" => |exchange, caller, bytes| record(exchange, caller, bytes).boxed(),
        "GetConsent" => |exchange, caller, bytes| get(exchange, caller, bytes).boxed(),
        "ListConsents" => |exchange, caller, bytes| list(exchange, caller, bytes).boxed(),
        "WithdrawConsent" => |exchange, caller, bytes| withdraw(exchange, caller, bytes).boxed(),
        "GetConsentReceipt" => |exchange, caller, bytes| sheet(exchange, caller, bytes).boxed(),
        "ListReminders" => |exchange, caller, bytes| reminders(exchange, caller, bytes).boxed(),
        "CheckConsent" => |exchange, caller, bytes| check(exchange, caller, bytes).boxed(),
        _ => return None,
    })
}

async fn record(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RecordConsentRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let mut consent = request.consent.unwrap_or_default();
    // The caller is the controller: it need not say so, and cannot say otherwise.
    let controller = consent.controller.get_or_insert_default();
    if controller.institution.is_empty() {
        controller.institution = caller.to_string();
    }
    let consent = consent_from(&consent).map_err(|problems| invalid("consent", problems))?;
    let recorded = exchange.record_consent(&caller, id, consent, &bytes).await?;
    Ok(encode(wire::RecordConsentResponse {
        consent_id: recorded.consent.to_string(),
        version: recorded.version,
        receipt: Some(receipt_to(&recorded.receipt)),
        withdrawal_code: recorded.code.map(|code| code.to_string()).unwrap_or_default(),
    }))
}

async fn get(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetConsentRequest = decode(&bytes)?;
    let consent = exchange.consent(&caller, consent_id(&request.consent_id)?).await?;
    Ok(encode(wire::GetConsentResponse { consent: Some(consent_to(&consent)) }))
}

async fn list(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListConsentsRequest = decode(&bytes)?;
    let scope = format!("consents/{caller}");
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.consents(&caller, cursor.map(|(at, id)| (at, ConsentId(uuid::Uuid::from_bytes(id)))), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize);
    let next_page_token = last.map(|(at, consent)| exchange.page_token(&scope, *at, consent.id.as_bytes())).unwrap_or_default();
    Ok(encode(wire::ListConsentsResponse { consents: found.iter().map(|(_, consent)| consent_to(consent)).collect(), next_page_token }))
}

async fn withdraw(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::WithdrawConsentRequest = decode(&bytes)?;
    let id = request_id(&request.request_id)?;
    let scope = scope_from(request.scope.as_ref(), "scope").map_err(|problems| invalid("", problems))?;
    let named = match (&*request.consent_id, request.withdrawal_code.trim()) {
        ("", "") => {
            return Err(Refusal::new(ErrorReason::InvalidField, "consent_id or withdrawal_code must say which consent is withdrawn")
                .field("consent_id", "must be set, or withdrawal_code"));
        }
        (consent, "") => Named::Consent(consent_id(consent)?),
        ("", code) => Named::Code(code.parse().map_err(|error: CodeError| {
            let german = "Der Code ist vertippt. Bitte mit dem Blatt der Person vergleichen: drei Gruppen aus je vier Buchstaben und Ziffern.";
            Refusal::new(ErrorReason::InvalidField, "withdrawal_code is mistyped").german(german).field("withdrawal_code", error.to_string())
        })?),
        _ => {
            return Err(Refusal::new(ErrorReason::InvalidField, "withdrawal_code and consent_id are two ways to name one consent")
                .field("withdrawal_code", "must be empty where consent_id is given"));
        }
    };
    let by_code = matches!(named, Named::Code(_));
    let withdrawn = exchange.withdraw_consent(&caller, id, named, scope, request.channel, &bytes).await;
    let (done, receipt) = withdrawn.map_err(|refused| match refused {
        // Nobody was given it, or what it was for is gone: whoever guesses learns no more than whoever mistyped.
        Refused::NotFound if by_code => {
            Refusal::from(refused).german("Zu diesem Code gibt es keine Einwilligung (mehr). Bitte mit dem Blatt der Person vergleichen.")
        }
        other => other.into(),
    })?;
    let names = |ids: &[crate::id::ReferralId]| ids.iter().map(ToString::to_string).collect();
    Ok(encode(wire::WithdrawConsentResponse {
        version: done.version,
        receipt: Some(receipt_to(&receipt)),
        stopped_referral_ids: names(&done.stopped),
        in_flight_referral_ids: names(&done.in_flight),
        recalled_referral_ids: names(&done.recalled),
    }))
}

async fn sheet(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetConsentReceiptRequest = decode(&bytes)?;
    let sheet = exchange.consent_sheet(&caller, consent_id(&request.consent_id)?, &request.language).await?;
    Ok(encode(wire::GetConsentReceiptResponse {
        media_type: "text/html; charset=utf-8".to_owned(),
        content: sheet.html,
        withdrawal_code: sheet.code.map(|code| code.to_string()).unwrap_or_default(),
    }))
}

async fn reminders(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ListRemindersRequest = decode(&bytes)?;
    let scope = format!("reminders/{caller}");
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.reminders(&caller, cursor, size).await?;
    let last = found.last().filter(|_| found.len() >= size as usize);
    let next_page_token = last.map(|last| exchange.page_token(&scope, last.at, &last.about.id())).unwrap_or_default();
    Ok(encode(wire::ListRemindersResponse { reminders: found.into_iter().map(reminder_to).collect(), next_page_token }))
}

fn reminder_to(reminder: Reminder) -> wire::Reminder {
    let mut said = wire::Reminder { kind: reminder.kind.number(), due_at: Some(time_to(reminder.at)), ..wire::Reminder::default() };
    match reminder.about {
        About::Consent(id) => said.consent_id = id.to_string(),
        About::Recall(id, referral, recipient) => {
            (said.recall_id, said.referral_id) = (id.to_string(), referral.to_string());
            if reminder.kind == ReminderKind::RecallUnanswered {
                said.institution = recipient.to_string();
            }
        }
        About::Template(name) => said.template = name,
    }
    said
}

async fn check(exchange: Arc<Exchange>, caller: InstitutionId, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::CheckConsentRequest = decode(&bytes)?;
    let recipient = party_from(request.recipient.as_ref(), "recipient").map_err(|problems| invalid("", problems))?;
    let purpose = Purpose::from_number(request.purpose.into())
        .ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "purpose must be set").field("purpose", "must be a purpose of the agreement"))?;
    let categories = mask_from(&request.categories, "categories").map_err(|problems| invalid("", problems))?;
    let question = Question {
        consent: consent_id(&request.consent_id)?,
        subject: SubjectRef(request.subject_ref),
        recipient,
        purpose,
        categories,
        municipality: Some(request.municipality_key).filter(|key| !key.is_empty()),
        born: request.birth_date.as_ref().and_then(crate::exchange::day),
    };
    let decision = exchange.check_consent(&caller, question).await?;
    Ok(encode(wire::CheckConsentResponse { decision: Some(decision_to(&decision)) }))
}

fn consent_id(text: &str) -> Result<ConsentId, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorReason::InvalidField, "consent_id must be a UUID").field("consent_id", "must be a UUID"))
}

pub(super) fn invalid(prefix: &str, problems: Vec<Problem>) -> Refusal {
    problems.into_iter().fold(Refusal::new(ErrorReason::InvalidField, "some fields are missing or wrong"), |refusal, problem| {
        let path = if prefix.is_empty() { problem.path } else { format!("{prefix}.{}", problem.path) };
        refusal.field(path, problem.rule)
    })
}
