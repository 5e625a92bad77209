// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A method of a dialect: read the request into the hub, check the hub's rules, call the canonical handler, render the answer.
//! The contract's own methods are those of the dialect `canonical` and take the same way.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::{consents, inbox, referrals, refuse, rights, rules, watch};
use crate::dialect::{self, CategoryMask, Dialect, REFERRAL};
use crate::exchange::Exchange;
use crate::grpc::router::{Lane, Method};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::grpc::validate::{RuleError, Rules};
use crate::id::InstitutionId;
use crate::identity::Caller;
use crate::proto::exchange::{AnswerReferralResponse, FieldReport, SubmitReferralResponse};

/// Both directions of one method of one dialect.
#[derive(Clone)]
pub(super) struct Way {
    dialect: Arc<Dialect>,
    method: Arc<dialect::Method>,
    rules: Arc<Rules>,
    names: Names,
}

/// Fields of the contract as the caller spells them, as far as they were asked for: reports name the same few again and again.
type Names = Arc<RwLock<HashMap<String, Option<String>>>>;
/// Places in long lists are not worth remembering beyond this.
const NAMES: usize = 1024;

impl Way {
    /// Native request to canonical request, checked.
    pub(super) fn read(&self, native: &[u8]) -> Result<Bytes, Refusal> {
        let canonical = self.dialect.read_quiet(&self.method.request, native).map_err(|error| refuse::translation(&error))?;
        let own = |canonical: &str| self.dialect.native_path(&self.method.request, canonical);
        self.rules.check(&canonical).map_err(|violations| Refusal::from(violations).in_words(own))?;
        Ok(canonical)
    }

    /// What a use case refuses, with the fields as the caller spells them.
    pub(super) fn in_words(&self, refusal: Refusal) -> Refusal {
        refusal.in_words(|canonical| self.own(canonical))
    }

    /// A field that a use case names, as the caller spells it. What comes in a stream lies deeper than what comes alone.
    fn own(&self, canonical: &str) -> Option<String> {
        if let Some(known) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(canonical) {
            return known.clone();
        }
        let streamed = self.method.canonical == "weiche.exchange.v1.ReferralService.SubmitReferrals";
        let place = if streamed { Cow::Owned(format!("submission.{canonical}")) } else { Cow::Borrowed(canonical) };
        let own = self.dialect.native_path(&self.method.request, &place);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() < NAMES {
            names.insert(canonical.to_owned(), own.clone());
        }
        own
    }

    /// The answer, with the fields of the request as the caller spells them if it reports on any.
    fn answered(&self, answer: Bytes) -> Result<Bytes, Refusal> {
        if self.dialect.message_for(REFERRAL) == Some(REFERRAL) {
            return Ok(answer);
        }
        match self.method.canonical.as_str() {
            "weiche.exchange.v1.ReferralService.SubmitReferral" => referrals::reported(self, &answer, |m: &mut SubmitReferralResponse| &mut m.report),
            "weiche.exchange.v1.ReferralService.AnswerReferral" => referrals::reported(self, &answer, |m: &mut AnswerReferralResponse| &mut m.report),
            _ => Ok(answer),
        }
    }

    /// The fields of a report as the caller spells them.
    pub(super) fn report_in_words(&self, report: &mut [FieldReport]) {
        for field in report {
            if let Some(own) = self.own(&field.path) {
                field.path = own;
            }
        }
    }

    /// Canonical response to native response. `mask`: what of a referral in it may leave.
    pub(super) fn render(&self, canonical: &[u8], mask: CategoryMask) -> Result<Bytes, Refusal> {
        let native = self.dialect.render_quiet(&self.method.response, canonical, mask);
        native.map_err(|error| Refusal::internal(format!("an answer cannot be put into {}: {error}", self.dialect.name())))
    }
}

/// The method as the router serves it; none if the gateway knows no canonical method of that name.
pub(super) fn serve(exchange: &Arc<Exchange>, dialect: &Arc<Dialect>, method: &dialect::Method) -> Result<Option<Method>, Vec<RuleError>> {
    let (rules, names) = (rules(&method.canonical_request)?, Names::default());
    let way = Way { dialect: dialect.clone(), method: Arc::new(method.clone()), rules, names };
    let exchange = exchange.clone();
    let Some((service, name)) = method.canonical.rsplit_once('.') else { return Ok(None) };
    let served = match (service, name) {
        ("weiche.exchange.v1.ReferralService", "SubmitReferrals") => referrals::stream(exchange, way),
        ("weiche.exchange.v1.ReferralService", "WatchReferrals") => watch::serve(exchange, way),
        ("weiche.exchange.v1.InboxService", "Receive") => inbox::serve(exchange, way),
        ("weiche.exchange.v1.ReferralService", name) => match referrals::unary(name) {
            Some(call) => unary(exchange, way, call),
            None => return Ok(None),
        },
        ("weiche.exchange.v1.RightsService", name) => match rights::unary(name) {
            Some(call) => unary(exchange, way, call),
            None => return Ok(None),
        },
        ("weiche.exchange.v1.ConsentService", name) => match consents::unary(name) {
            Some(call) => unary(exchange, way, call),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let urgent = matches!(name, "WithdrawConsent" | "AnswerRecall" | "RestrictProcessing");
    Ok(Some(if urgent { served.lane(Lane::Reserved) } else { served }))
}

/// A canonical unary handler: canonical bytes in, canonical bytes out.
pub(super) type Call = fn(Arc<Exchange>, InstitutionId, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, Refusal>>;

fn unary(exchange: Arc<Exchange>, way: Way, call: Call) -> Method {
    Method::unary(move |context, native: Bytes| {
        let (exchange, way) = (exchange.clone(), way.clone());
        async move {
            let caller = institution(&context.caller)?;
            let canonical = way.read(&native)?;
            let answer = call(exchange, caller, canonical).await.map_err(|refusal| way.in_words(refusal))?;
            way.render(&way.answered(answer)?, CategoryMask::ALL)
        }
    })
}

/// The institution behind a certificate. The access table has let only institutions through.
pub(super) fn institution(caller: &Caller) -> Result<InstitutionId, Refusal> {
    caller.institution().cloned().ok_or_else(|| Refusal::new(ErrorReason::CallerNotAllowed, "only case systems of institutions may call this"))
}
