// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Submit: canonical referral in, decision and receipt out. Decided here to know what to minimise, and again in the writer's order, which counts.

use std::sync::{Arc, PoisonError};

use prost::Message;

use super::apply::lane;
use super::command::{Command, Reply, Submit, Transfer};
use super::excerpt::{Routing, SubmitRequest};
use super::prepare::{Prepared, prepare, report};
use super::receipts::Issued;
use super::refusal::Refusal;
use super::{Exchange, person};
use crate::agreement::{LegalBasis, Member, MemberKind, Purpose};
use crate::consent::{self, Consent, Decision, Direction, Evidence, Party, Permit, Reason, decide};
use crate::dialect::{Category, CategoryMask, REFERRAL, RecipientKind, Report, TranslateError};
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId, RequestId};
use crate::numbered::Numbered;

/// Times that a submission is prepared again because the consent changed meanwhile.
pub(super) const ATTEMPTS: usize = 3;

/// What became of a submission.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Chosen by the gateway; none if it was only asked.
    pub referral: Option<ReferralId>,
    /// Proof; none if it was only asked.
    pub receipt: Option<Issued>,
    /// OK, or why it would be denied (only asked).
    pub reason: Reason,
    /// What may go.
    pub granted: CategoryMask,
    /// What was sent and stays behind.
    pub withheld: Vec<(Category, Reason)>,
    /// On which basis.
    pub legal_basis: Option<LegalBasis>,
    /// Fields that do not arrive exactly as they are.
    pub report: Report,
}

impl Exchange {
    /// Submits, or only asks. `content` is what makes a repetition the same call: the canonical bytes of the whole request.
    pub async fn submit(&self, caller: &InstitutionId, request: SubmitRequest, content: &[u8]) -> Result<Submission, Refusal> {
        let referral = request.referral.ok_or_else(|| field("referral", "must be set"))?;
        let routing = Routing::decode(referral.clone()).map_err(|_| TranslateError::Undecodable { message: REFERRAL.to_owned() })?;
        let dialects = self.dialects();
        let transfer = self.transfer(caller, &routing, dialects.categories_of(REFERRAL, &referral)?).await?;
        let recipient = self.recipient(&transfer)?;
        let prepare = |permit: &Permit| {
            let dialect = self.dialect_of(&recipient).ok_or(Refusal::Internal("a member's dialect is missing"))?;
            prepare(&self.vault, &dialects, &referral, &routing.sender_case_number, permit, &dialect, kind_of(&recipient))
        };
        let reported = |granted, bound| {
            let dialect = self.dialect_of(&recipient).ok_or(Refusal::Internal("a member's dialect is missing"))?;
            report(&dialects, &referral, (granted, caller, bound), &dialect, kind_of(&recipient))
        };
        if request.validate_only {
            return self.ask(&transfer, |permit| Ok(prepare(permit)?.report)).await;
        }
        let id: RequestId = request.request_id.parse().map_err(|_| field("request_id", "must be a UUID"))?;
        let idempotency = self.idempotency(caller, id, "submit", content);
        for attempt in 0..ATTEMPTS {
            // What was read lately does the first time: if the consent has changed since, the writer says so.
            let consents = if attempt == 0 { self.lately(&transfer).await? } else { self.consents_now(&transfer).await? };
            let mut wordless = None;
            let prepared = match self.preview(&transfer, &consents) {
                Decision::Permitted(permit) => match prepare(&permit) {
                    // The recipient may have had words for it when it was submitted: whether it was, the writer knows.
                    Err(refusal @ Refusal::Translate(_)) => {
                        wordless = Some(refusal);
                        None
                    }
                    prepared => Some(prepared?),
                },
                // The writer decides once more and logs the refusal.
                Decision::Denied(_) => None,
            };
            let (id, delivery, sealed, said) = match prepared {
                Some(Prepared { referral, delivery, sealed, report }) => (referral, delivery, Some(sealed), Some(report)),
                None => (ReferralId::random(), DeliveryId::random(), None, None),
            };
            let lane = lane(&self.vault, &transfer.recipient.institution, &transfer.subject);
            let below_b1 = routing.is_below_b1();
            let mask = sealed.as_ref().map(|sealed| sealed.mask);
            let (idempotency, asked) = (idempotency.clone(), transfer.clone());
            let command = Submit { idempotency, transfer: asked, referral: id, delivery, lane, below_b1, sealed };
            let committed = match self.writer.run(Command::Submit(Box::new(command))).await {
                Err(Refusal::Changed) => match wordless {
                    Some(refusal) => return Err(refusal),
                    None => continue,
                },
                Err(Refusal::Denied { denial, .. }) if transfer.consent.is_none() && denial.reason == Reason::NoRecord => {
                    return Err(Refusal::ConsentReferenceMissing);
                }
                other => other?,
            };
            let receipt = self.receipt(&committed).await?;
            let Reply::Submitted { referral: id, granted, withheld, legal_basis, bound } = committed.answered.reply else {
                return Err(Refusal::Internal("a submission has another reply"));
            };
            // Whoever asks again is told what was said then, whatever may go by now; as far as the recipient's dialect still has words for it.
            let report = match said.filter(|_| mask == Some(granted)).map_or_else(|| reported(granted, bound), Ok) {
                Err(Refusal::Translate(_)) => Report::default(),
                report => report?,
            };
            return Ok(Submission {
                referral: Some(id),
                receipt: Some(receipt),
                reason: Reason::Ok,
                granted,
                withheld,
                legal_basis: Some(legal_basis),
                report,
            });
        }
        Err(Refusal::Overloaded(std::time::Duration::from_millis(100)))
    }

    /// "Can I send this, what would be left out, and why?"
    async fn ask(&self, transfer: &Transfer, report: impl FnOnce(&Permit) -> Result<Report, Refusal>) -> Result<Submission, Refusal> {
        let decision = self.decide_now(transfer).await?;
        let withheld = decision.withheld().to_vec();
        let mut submission = Submission {
            referral: None,
            receipt: None,
            reason: decision.reason(),
            granted: CategoryMask::EMPTY,
            withheld,
            legal_basis: None,
            report: Report::default(),
        };
        if let Decision::Permitted(permit) = decision {
            submission.report = report(&permit)?;
            submission.granted = permit.mask();
            submission.legal_basis = Some(permit.legal_basis());
        }
        Ok(submission)
    }

    /// The decision as it would be now; only a preview, the writer decides.
    pub(super) async fn decide_now(&self, transfer: &Transfer) -> Result<Decision, Refusal> {
        let decision = self.preview(transfer, &self.consents_now(transfer).await?);
        let known = person::load(&mut self.store.reader().await?, &[transfer.subject]).await?;
        Ok(person::unless_restricted(decision, known.first().map(|(_, person)| person)))
    }

    fn preview(&self, transfer: &Transfer, consents: &[Arc<Consent>]) -> Decision {
        let find = |id: &ConsentId| consents.iter().find(|consent| consent.id == *id).map(|consent| &**consent);
        let subject = super::subject_ref(&transfer.subject);
        let evidence = Evidence::of(find, transfer.consent, transfer.origin);
        decide(&transfer.request(&subject, Direction::Outward), evidence, &self.agreement(), self.clock.now())
    }

    /// The consents that a transfer names, as committed now.
    async fn consents_now(&self, transfer: &Transfer) -> Result<Vec<Arc<Consent>>, Refusal> {
        let ids: Vec<ConsentId> = transfer.consent.into_iter().chain(transfer.origin).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let consents: Vec<_> = consent::load(&mut self.store.reader().await?, &ids).await?.into_iter().map(Arc::new).collect();
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        consents.iter().for_each(|consent| lately.put(consent.id, consent.clone()));
        Ok(consents)
    }

    /// The same, as they were when they were last read.
    async fn lately(&self, transfer: &Transfer) -> Result<Vec<Arc<Consent>>, Refusal> {
        let known = {
            let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
            transfer.consent.into_iter().chain(transfer.origin).map(|id| lately.get(&id).cloned()).collect::<Option<Vec<_>>>()
        };
        match known {
            Some(consents) => Ok(consents),
            None => self.consents_now(transfer).await,
        }
    }

    /// What is to be judged, from a referral that carries `carried`. Every field that is missing or wrong is named by its path.
    async fn transfer(&self, caller: &InstitutionId, referral: &Routing, carried: CategoryMask) -> Result<Transfer, Refusal> {
        let agreement = self.agreement();
        let member = agreement.member(caller).ok_or(Refusal::NotFound)?;
        let named = referral.sender.clone().unwrap_or_default();
        if !named.institution.is_empty() && named.institution != caller.as_str() {
            return Err(field("referral.sender.institution", "must be the institution of your certificate, or empty"));
        }
        let sender_unit = if named.unit.is_empty() {
            // An institution with one open unit need not name it.
            let mut open = member.units.values().filter(|unit| unit.active);
            open.next()
                .filter(|_| open.next().is_none())
                .map(|unit| unit.id.clone())
                .ok_or_else(|| field("referral.sender.unit", "must name the unit"))?
        } else {
            named.unit.parse().map_err(|error: crate::id::IdError| field("referral.sender.unit", &error.to_string()))?
        };
        let to = referral.recipient.as_ref().ok_or_else(|| field("referral.recipient", "must be set"))?;
        let purpose = Purpose::from_number(referral.purpose.into()).ok_or_else(|| field("referral.purpose", "must be a purpose of the agreement"))?;
        if referral.subject_ref.is_empty() {
            return Err(field("referral.subject_ref", "must be your own reference of the person, the same as in the consent"));
        }
        let consent = match referral.consent.as_ref().map(|consent| consent.consent_id.as_str()).unwrap_or_default() {
            "" => None,
            id => Some(id.parse().map_err(|_| field("referral.consent.consent_id", "must be a UUID"))?),
        };
        let (onward, origin) = self.origin(caller, &referral.received_by_referral_id).await?;
        Ok(Transfer {
            sender: Party { institution: caller.clone(), unit: sender_unit, function: String::new() },
            recipient: Party {
                institution: to
                    .institution
                    .parse()
                    .map_err(|error: crate::id::IdError| field("referral.recipient.institution", &error.to_string()))?,
                unit: to.unit.parse().map_err(|error: crate::id::IdError| field("referral.recipient.unit", &error.to_string()))?,
                function: String::new(),
            },
            purpose,
            subject: self.subject(caller, &referral.subject_ref),
            carried,
            submitted_at: self.clock.now(),
            consent,
            necessity: Some(referral.necessity.clone()).filter(|code| !code.is_empty()),
            onward: onward || referral.origin_203_stgb,
            origin,
            municipality: referral.municipality().map(str::to_owned),
            born: referral.born(),
        })
    }

    /// The consent under which the caller received what it now passes on. Somebody else's referral has none.
    async fn origin(&self, caller: &InstitutionId, received_by: &str) -> Result<(bool, Option<ConsentId>), Refusal> {
        if received_by.is_empty() {
            return Ok((false, None));
        }
        let id: ReferralId = received_by.parse().map_err(|_| field("referral.received_by_referral_id", "must be a UUID"))?;
        let found = crate::referral::load(&mut self.store.reader().await?, &[id]).await?;
        Ok((true, found.into_iter().find(|referral| referral.recipient == *caller).and_then(|referral| referral.consent)))
    }

    /// The member that receives. Whether there is a route to it is decided later, and logged.
    fn recipient(&self, transfer: &Transfer) -> Result<Member, Refusal> {
        let agreement = self.agreement();
        let member = agreement.member(&transfer.recipient.institution);
        member.cloned().ok_or_else(|| field("referral.recipient.institution", "must be a member of the agreement"))
    }
}

/// What kind of institution a member is, for topics that never go to some kinds.
pub(super) fn kind_of(member: &Member) -> RecipientKind {
    match member.kind {
        MemberKind::CentreProvider => RecipientKind::Centre,
        MemberKind::Jobcenter => RecipientKind::Jobcenter,
        MemberKind::Agentur => RecipientKind::Agentur,
    }
}

pub(super) fn field(path: &str, rule: &str) -> Refusal {
    Refusal::Field { path: path.to_owned(), rule: rule.to_owned() }
}
