// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Consents: record, read, withdraw, ask. References of persons become keyed pseudonyms before anything is kept.

use super::command::{Command, RecordConsent, Reply, Transfer, Withdraw, Withdrawn};
use super::receipts::Issued;
use super::refusal::Refusal;
use super::submit::field;
use super::{Exchange, subject_ref};
use crate::agreement::Purpose;
use crate::clock::{Stopwatch, Time};
use crate::consent::{Consent, Day, Decision, Party, Scope, SubjectRef, WithdrawalCode};
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
    /// For the person's sheet; none if it was recorded before there were codes.
    pub code: Option<WithdrawalCode>,
}

/// "Can I send this?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Under which consent.
    pub consent: ConsentId,
    /// The institution's own reference of the person.
    pub subject: SubjectRef,
    /// To whom.
    pub recipient: Party,
    /// What for.
    pub purpose: Purpose,
    /// Which data; empty: all that the route allows.
    pub categories: CategoryMask,
    /// AGS of the person's address, if it will be said.
    pub municipality: Option<String>,
    /// The person's date of birth, if it will be said.
    pub born: Option<Day>,
}

/// How somebody who withdraws names the consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its id: its parties may.
    Consent(ConsentId),
    /// By the code on the person's receipt: any institution may.
    Code(WithdrawalCode),
}

impl From<ConsentId> for Named {
    fn from(id: ConsentId) -> Self {
        Self::Consent(id)
    }
}

/// Codes drawn for a consent: the second one is for the case, not to be expected, that the first was given to somebody else.
const CODES: usize = 2;

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
        let codes = self.codes_for(&place);
        let digests = codes.iter().map(|code| self.code_digest(code)).collect();
        let kept_for_years = self.periods.consents_years;
        let command = RecordConsent { idempotency, controller: caller.clone(), consent, codes: digests, kept_for_years };
        let committed = self.writer.run(Command::RecordConsent(Box::new(command))).await?;
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::ConsentRecorded { consent, version, code } => {
                Ok(Recorded { consent, version, receipt, code: code.and_then(|at| codes.into_iter().nth(at)) })
            }
            _ => Err(Refusal::Internal("a recorded consent has another reply")),
        }
    }

    /// Withdraws. When it answers, no delivery under what was withdrawn will start.
    pub async fn withdraw_consent(
        &self,
        caller: &InstitutionId,
        request: RequestId,
        named: impl Into<Named>,
        scope: Scope,
        channel: String,
        content: &[u8],
    ) -> Result<(Withdrawn, Issued), Refusal> {
        let watch = Stopwatch::start();
        let (consent, by_code) = match named.into() {
            Named::Consent(consent) => (consent, false),
            Named::Code(code) => (self.consent_of_code(caller, &code).await?, true),
        };
        let idempotency = self.idempotency(caller, request, "withdraw-consent", content);
        let channel = self.vault.seal_text(consent.as_bytes(), &channel)?;
        let command = Withdraw { idempotency, consent, received_by: caller.clone(), by_code, scope, channel };
        let committed = self.writer.run(Command::Withdraw(Box::new(command))).await?;
        // From the commit on nothing starts.
        metrics::histogram!("weiche_withdrawal_stop_seconds").record(watch.elapsed().as_secs_f64());
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::Withdrawn(done) => Ok((done, receipt)),
            _ => Err(Refusal::Internal("a withdrawal has another reply")),
        }
    }

    /// The consent that a code was given out for. A code that nobody was given, and one of a consent that is gone, are the same answer.
    async fn consent_of_code(&self, caller: &InstitutionId, code: &WithdrawalCode) -> Result<ConsentId, Refusal> {
        self.guesses.take(caller, self.clock.now()).map_err(|wait| {
            metrics::counter!("weiche_withdrawal_codes_total", "institution" => caller.to_string(), "outcome" => "not tried").increment(1);
            Refusal::TooManyCodes(wait)
        })?;
        let found = crate::consent::by_codes(&mut self.store.reader().await?, &[self.code_digest(code)]).await?;
        let Some((_, consent)) = found.first() else {
            tracing::warn!(institution = %caller, "a withdrawal code that nobody was given");
            metrics::counter!("weiche_withdrawal_codes_total", "institution" => caller.to_string(), "outcome" => "wrong").increment(1);
            return Err(Refusal::NotFound);
        };
        self.guesses.give_back(caller);
        metrics::counter!("weiche_withdrawal_codes_total", "institution" => caller.to_string(), "outcome" => "right").increment(1);
        Ok(*consent)
    }

    /// The codes of a consent, always the same: none is kept, only digests of those that were given out.
    fn codes_for(&self, consent: &ConsentId) -> Vec<WithdrawalCode> {
        let drawn = (0..u8::MAX)
            .filter_map(|n| WithdrawalCode::from_random(&self.vault.draw("withdrawal-code", &[consent.as_bytes().as_slice(), &[n]].concat())));
        drawn.take(CODES).collect()
    }

    /// The code that was given out for a consent; none for one from before there were codes.
    pub(super) async fn code_given(&self, consent: &ConsentId) -> Result<Option<WithdrawalCode>, Refusal> {
        let codes = self.codes_for(consent);
        let digests: Vec<_> = codes.iter().map(|code| self.code_digest(code)).collect();
        let given = crate::consent::by_codes(&mut self.store.reader().await?, &digests).await?;
        let is_given = |digest: &[u8; 32]| given.iter().any(|(code, owner)| code == digest && owner == consent);
        Ok(codes.into_iter().zip(&digests).find(|(_, digest)| is_given(digest)).map(|(code, _)| code))
    }

    fn code_digest(&self, code: &WithdrawalCode) -> [u8; 32] {
        self.vault.digest(&[b"withdrawal-code\0".as_slice(), code.as_bytes()].concat())
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
    pub async fn check_consent(&self, caller: &InstitutionId, question: Question) -> Result<Decision, Refusal> {
        let Question { consent, subject, recipient, purpose, categories, municipality, born } = question;
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
            municipality,
            born,
        };
        self.decide_now(&transfer).await
    }
}
