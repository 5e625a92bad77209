// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Consents: record, read, withdraw, ask. References of persons become keyed pseudonyms before anything is kept.

use super::command::{Command, RecordConsent, Reply, Transfer, Withdraw, Withdrawn};
use super::receipts::Issued;
use super::refusal::Refusal;
use super::submit::field;
use super::{Exchange, RECALL_ANSWER_WITHIN, subject_ref};
use crate::agreement::Purpose;
use crate::clock::Time;
use crate::consent::{Consent, Decision, Party, Scope, SubjectRef};
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, InstitutionId, RequestId};

/// A consent as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub consent: ConsentId,
    /// The version that now holds.
    pub version: u32,
    /// Proof.
    pub receipt: Issued,
}

impl Exchange {
    /// Records a consent that the caller collected. `content` is what makes a repetition the same call.
    pub async fn record_consent(&self, caller: &InstitutionId, request: RequestId, consent: Consent, content: &[u8]) -> Result<Recorded, Refusal> {
        if consent.controller.institution != *caller {
            return Err(field("consent.controller.institution", "must be the institution of your certificate"));
        }
        let mut consent = consent;
        if consent.subject.0.is_empty() || consent.subject.0.len() > 80 {
            return Err(field("consent.subject_ref", "must be your own reference of the person, at most 80 characters"));
        }
        consent.subject = subject_ref(&self.subject(caller, &consent.subject.0));
        let place = consent.id;
        for text in [&mut consent.evidence.location, &mut consent.grantor.proof] {
            *text = self.vault.seal_text(place.as_bytes(), text)?;
        }
        let idempotency = self.idempotency(caller, request, "record-consent", content);
        let command = RecordConsent { idempotency, controller: caller.clone(), consent, kept_for_years: self.periods.consents_years };
        let committed = self.writer.run(Command::RecordConsent(Box::new(command))).await?;
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::ConsentRecorded { consent, version } => Ok(Recorded { consent, version, receipt }),
            _ => Err(Refusal::Internal("a recorded consent has another reply")),
        }
    }

    /// Withdraws. When it answers, no delivery under what was withdrawn will start.
    pub async fn withdraw_consent(
        &self,
        caller: &InstitutionId,
        request: RequestId,
        consent: ConsentId,
        scope: Scope,
        channel: String,
        content: &[u8],
    ) -> Result<(Withdrawn, Issued), Refusal> {
        let idempotency = self.idempotency(caller, request, "withdraw-consent", content);
        let channel = self.vault.seal_text(consent.as_bytes(), &channel)?;
        let command = Withdraw { idempotency, consent, received_by: caller.clone(), scope, channel, recall_answer_within: RECALL_ANSWER_WITHIN };
        let committed = self.writer.run(Command::Withdraw(Box::new(command))).await?;
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::Withdrawn(done) => Ok((done, receipt)),
            _ => Err(Refusal::Internal("a withdrawal has another reply")),
        }
    }

    /// A consent that the caller recorded. The subject in it is the gateway's pseudonym.
    pub async fn consent(&self, caller: &InstitutionId, id: ConsentId) -> Result<Consent, Refusal> {
        let found = crate::consent::load(&mut self.store.reader().await?, &[id]).await?;
        let found = found.into_iter().find(|consent| consent.controller.institution == *caller).ok_or(Refusal::NotFound)?;
        self.readable(found)
    }

    /// Consents that the caller recorded, last changed first.
    pub async fn consents(&self, caller: &InstitutionId, before: Option<(Time, ConsentId)>, limit: u32) -> Result<Vec<(Time, Consent)>, Refusal> {
        let found = crate::consent::list(&mut self.store.reader().await?, caller, before, limit).await?;
        found.into_iter().map(|(at, consent)| Ok((at, self.readable(consent)?))).collect()
    }

    /// A record as it was sent: what institutions wrote freely is kept sealed, because nobody knows what it says of the person.
    fn readable(&self, mut consent: Consent) -> Result<Consent, Refusal> {
        let place = consent.id;
        let channels = consent.history.iter_mut().map(|event| &mut event.channel);
        for text in [&mut consent.evidence.location, &mut consent.grantor.proof].into_iter().chain(channels) {
            *text = self.vault.open_text(place.as_bytes(), text)?;
        }
        Ok(consent)
    }

    /// "Can I send this?" for a consent that the caller recorded, before anything is written. None of the caller's: as if there were no record.
    pub async fn check_consent(
        &self,
        caller: &InstitutionId,
        consent: ConsentId,
        subject: &SubjectRef,
        recipient: Party,
        purpose: Purpose,
        categories: CategoryMask,
    ) -> Result<Decision, Refusal> {
        let record = self.consent(caller, consent).await.ok();
        let agreement = self.agreement();
        let widest = agreement.route(caller, &recipient.institution, purpose).map_or(CategoryMask::EMPTY, |route| route.widest);
        let unit = record
            .as_ref()
            .map(|record| record.controller.unit.clone())
            .or_else(|| agreement.member(caller).and_then(|member| member.units.keys().next().cloned()));
        let transfer = Transfer {
            sender: Party { institution: caller.clone(), unit: unit.ok_or(Refusal::NotFound)?, function: String::new() },
            recipient,
            purpose,
            subject: self.subject(caller, &subject.0),
            carried: if categories.is_empty() { widest } else { categories },
            submitted_at: self.clock.now(),
            consent: Some(consent),
            necessity: None,
            onward: false,
            origin: None,
            municipality: None,
        };
        self.decide_now(&transfer).await
    }
}
