// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The part of `weiche.admin.v1.AdminService` about the texts that people agree to.

use std::sync::Arc;

use bytes::Bytes;
use prost_types::Timestamp;

use super::admin::Desk;
use super::referrals::{decode, encode, request_id};
use crate::agreement::{Template, TextChange, Texts};
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::grpc::convert::consent::{mask_to, purpose_to, time_from, time_to};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::proto::admin as wire;

pub(super) async fn list(desk: Arc<Desk>) -> Result<Bytes, Refusal> {
    let (agreement, now) = (desk.exchange.agreement(), desk.exchange.clock().now());
    let texts = agreement.texts();
    Ok(encode(wire::ListTextsResponse { texts: texts.all().iter().map(|template| text_to(template, texts, now)).collect() }))
}

pub(super) async fn approve(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ApproveTextRequest = decode(&bytes)?;
    let text = request.text.unwrap_or_default();
    let template = Template {
        id: text.template_id,
        version: text.version,
        language: text.language,
        text_sha256: text.text_sha256,
        modules: text.modules,
        approved_from: instant(text.approved_from.as_ref(), "text.approved_from")?.unwrap_or(TextChange::AT_ONCE),
        valid_until: instant(text.valid_until.as_ref(), "text.valid_until")?,
        revoked_from: None,
    };
    desk.exchange.change_text(&name, request_id(&request.request_id)?, TextChange::Approved(template)).await?;
    Ok(encode(wire::ApproveTextResponse {}))
}

pub(super) async fn revoke(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RevokeTextRequest = decode(&bytes)?;
    let from = instant(request.from.as_ref(), "from")?.unwrap_or(TextChange::AT_ONCE);
    let change = TextChange::Revoked { id: request.template_id, version: request.version, language: request.language, from };
    desk.exchange.change_text(&name, request_id(&request.request_id)?, change).await?;
    Ok(encode(wire::RevokeTextResponse {}))
}

fn text_to(template: &Template, texts: &Texts, now: Time) -> wire::Text {
    let policies = || texts.policies(template);
    let mut purposes: Vec<_> = policies().flat_map(|policy| &policy.purposes).map(|purpose| purpose_to(*purpose) as i32).collect();
    purposes.sort_unstable();
    purposes.dedup();
    let condition = match () {
        () if template.is_revoked(now) => "revoked",
        () if now < template.approved_from => "coming",
        () if template.may_be_signed(now) => "in use",
        () => "ended",
    };
    wire::Text {
        template_id: template.id.clone(),
        version: template.version.clone(),
        language: template.language.clone(),
        text_sha256: template.text_sha256.clone(),
        modules: template.modules.clone(),
        approved_from: Some(time_to(template.approved_from)),
        valid_until: template.valid_until.map(time_to),
        revoked_from: template.revoked_from.map(time_to),
        condition: condition.to_owned(),
        purposes,
        special_categories: mask_to(policies().fold(CategoryMask::EMPTY, |all, policy| all | policy.special)),
        secrecy_release: policies().any(|policy| policy.secrecy_release),
    }
}

fn instant(at: Option<&Timestamp>, path: &str) -> Result<Option<Time>, Refusal> {
    let Some(at) = at else { return Ok(None) };
    let read = time_from(at).filter(|at| at.0 > 0);
    read.map(Some).ok_or_else(|| Refusal::new(ErrorReason::InvalidField, format!("{path} is no instant")).field(path, "an instant after 1970"))
}
