// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a person may ask of an institution, and the institution of the gateway, under its own reference of the person: erase (Art. 17 GDPR),
//! restrict (Art. 18). And the legal hold that stands against erasure. Nobody learns whether anybody else knows the person.

use super::Exchange;
use super::command::{Bind, Bond, CallerName, Command, Correct, ErasePerson, Idempotency, Reply};
use super::life::referral_id;
use super::person::{self, Hold};
use super::receipts::Issued;
use super::refusal::Refusal;
use super::retention::Purged;
use super::submit::field;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{InstitutionId, RequestId};

/// Characters of a legal hold's reason at most: a norm and a file number, not a story.
const REASON: usize = 200;

/// Who acts for a person: the institution whose reference it is, or an operator for it.
#[derive(Debug, Clone)]
pub struct Actor<'a> {
    /// Whose reference of the person it is.
    pub institution: &'a InstitutionId,
    /// The operator who acts in its place; none: the institution itself.
    pub operator: Option<&'a str>,
}

impl Actor<'_> {
    pub(super) fn name(&self) -> CallerName {
        self.operator.map_or_else(|| self.institution.as_str().into(), |name| format!("operator:{name}").into())
    }
}

impl Exchange {
    /// Erases everything that is there of a person under an institution's reference, with the keys; what stands against it is refused by name.
    /// With what was erased and the proof; and whether the file holds nothing of it any more (see [`Exchange::retain`]).
    pub async fn erase_person(&self, actor: &Actor<'_>, request: RequestId, reference: &str) -> Result<(Purged, Issued, bool), Refusal> {
        let (subject, idempotency) = self.about(actor, request, reference, "erase-person", &[])?;
        let command = ErasePerson { idempotency, institution: actor.institution.clone(), subject };
        let committed = self.writer.run(Command::ErasePerson(command)).await?;
        let receipt = self.receipt(&committed).await?;
        let Reply::Purged(purged) = committed.answered.reply else { return Err(Refusal::Internal("an erasure has another reply")) };
        // Previews must not speak of consents that are gone.
        *self.lately.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = super::recent::Rows::default();
        Ok((purged, receipt, self.store.scrub().await?))
    }

    /// Restricts processing of a person's data, or lifts that: nothing is passed on and nothing is erased meanwhile.
    pub async fn restrict(&self, actor: &Actor<'_>, request: RequestId, reference: &str, on: bool) -> Result<Issued, Refusal> {
        self.bind(actor, request, reference, Bond::Restricted(on), &[u8::from(on)]).await
    }

    /// Tells the recipient of a referral of the actor's institution that some of its data are wrong (Art. 16 and 19 GDPR).
    pub async fn correct(&self, actor: &Actor<'_>, request: RequestId, referral: &str, categories: CategoryMask) -> Result<Issued, Refusal> {
        let referral = referral_id(referral, "referral_id")?;
        let content = [b"correct\0".as_slice(), actor.institution.as_str().as_bytes(), referral.as_bytes(), &categories.bits().to_be_bytes()];
        let idempotency = Idempotency { caller: actor.name(), request, digest: self.vault.digest(&content.concat()) };
        let command = Correct { idempotency, sender: actor.institution.clone(), referral, categories };
        let committed = self.writer.run(Command::Correct(command)).await?;
        self.receipt(&committed).await
    }

    /// Keeps everything of a person until a day, for a reason; none: no longer.
    pub async fn hold(&self, actor: &Actor<'_>, request: RequestId, reference: &str, hold: Option<(Time, &str)>) -> Result<Issued, Refusal> {
        let content = hold.map_or_else(Vec::new, |(until, reason)| [&until.0.to_be_bytes(), reason.as_bytes()].concat());
        let hold = match hold {
            None => None,
            Some((_, reason)) if reason.trim().is_empty() || reason.chars().count() > REASON => {
                return Err(field("reason", "must say why, in 200 characters at most"));
            }
            Some((until, reason)) => {
                let subject = self.subject(actor.institution, reference);
                Some(Hold { until, reason: self.vault.seal_text(&subject, reason)? })
            }
        };
        self.bind(actor, request, reference, Bond::Hold(hold), &content).await
    }

    /// Legal holds by their ends, over ones too, with their reasons in the clear. Persons are shown by pseudonym.
    pub async fn holds(&self, after: Option<(Time, [u8; 32])>, limit: u32) -> Result<Vec<([u8; 32], Hold)>, Refusal> {
        let found = person::held(&mut self.store.reader().await?, after.unwrap_or((Time(0), [0; 32])), limit).await?;
        let open = |(subject, person): ([u8; 32], person::Person)| {
            let hold = person.hold.map(|hold| Ok(Hold { reason: self.vault.open_text(&subject, &hold.reason)?, ..hold }));
            hold.map(|hold: Result<Hold, Refusal>| Ok((subject, hold?)))
        };
        found.into_iter().filter_map(open).collect()
    }

    /// Whether anything is there of a person under an institution's reference.
    pub async fn knows(&self, institution: &InstitutionId, reference: &str) -> Result<bool, Refusal> {
        let (subject, mut conn) = ([self.subject(institution, reference)], self.store.reader().await?);
        let consents = crate::consent::of_subjects(&mut conn, &subject).await?;
        Ok(!consents.is_empty() || !crate::referral::of_subjects(&mut conn, &subject).await?.is_empty())
    }

    async fn bind(&self, actor: &Actor<'_>, request: RequestId, reference: &str, bond: Bond, content: &[u8]) -> Result<Issued, Refusal> {
        let what = if matches!(bond, Bond::Hold(_)) { "hold" } else { "restrict" };
        let (subject, idempotency) = self.about(actor, request, reference, what, content)?;
        let committed = self.writer.run(Command::Bind(Bind { idempotency, institution: actor.institution.clone(), subject, bond })).await?;
        self.receipt(&committed).await
    }

    /// The person's pseudonym, and the call.
    pub(super) fn about(
        &self,
        actor: &Actor<'_>,
        request: RequestId,
        reference: &str,
        what: &str,
        content: &[u8],
    ) -> Result<([u8; 32], Idempotency), Refusal> {
        if reference.is_empty() || reference.len() > 80 {
            return Err(field("subject_ref", "must be the institution's own reference of the person, at most 80 characters"));
        }
        let subject = self.subject(actor.institution, reference);
        let digest = self.vault.digest(&[what.as_bytes(), &[0], &subject, content].concat());
        Ok((subject, Idempotency { caller: actor.name(), request, digest }))
    }
}
