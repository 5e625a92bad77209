// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is there of a person, for the person (Art. 15 and 20 GDPR), under one institution's own reference: consents; transfers with when, from whom, to
//! whom, which kinds of data, on what basis, and the proofs. Says nothing of what other institutions sent: they have references of their own.
//!
//! The institution learns by it no more than it is told anyway: a Jobcenter sees of its own referrals that they arrived, not how the counselling went.

mod page;
mod view;

pub use view::{At, ConsentStep, ConsentView, Controller, GrantView, PersonReport, Place, RecallView, Transfer, TransferStep};

use prost::Message;

use super::command::{Command, Look};
use super::refusal::Refusal;
use super::rights::Actor;
use super::{Exchange, person};
use crate::agreement::{Agreement, LegalBasis};
use crate::clock::Time;
use crate::consent::{Consent, Party};
use crate::id::{InstitutionId, UnitId};
use crate::ledger;
use crate::numbered::Numbered;
use crate::proto::audit::Entry;
use crate::referral::{self, Event, Recall, Referral};

impl PersonReport {
    /// Whether nothing at all is there.
    pub fn is_empty(&self) -> bool {
        self.consents.is_empty() && self.transfers.is_empty() && self.restricted_since.is_none() && self.held_until.is_none()
    }

    /// As a file for programs: JSON; instants in ISO 8601 (UTC), categories by name.
    pub fn json(&self) -> Result<String, Refusal> {
        serde_json::to_string_pretty(self).map_err(|_| Refusal::Internal("a report cannot be written"))
    }

    /// As a page for people, in German and, if there are words for it, in `language` (BCP 47).
    pub fn html(&self, language: &str) -> String {
        page::render(self, language)
    }

    /// What the person provided and consented to, for taking along (Art. 20 GDPR): the consents, and which kinds of data went under them. What went on
    /// a statutory basis is not part of it.
    #[must_use]
    pub fn portable(mut self) -> Self {
        self.format = "weiche-person-export/1";
        self.transfers.retain(|transfer| transfer.consent.is_some());
        self
    }
}

impl Exchange {
    /// The report of a person under an institution's reference. Who asks is noted in the log first. Nothing there is a report that says so: the
    /// institution asks about its own clients, and learns of nobody else's.
    pub async fn person_report(&self, actor: &Actor<'_>, reference: &str) -> Result<PersonReport, Refusal> {
        let agreement = self.agreement();
        let member = agreement.member(actor.institution).ok_or(Refusal::NotFound)?;
        let subject = self.subject(actor.institution, reference);
        let look = Look { actor: actor.name(), what: "report", of: Some((actor.institution.clone(), subject)) };
        self.writer.run(Command::Look(look)).await?;

        let mut conn = self.store.reader().await?;
        let person = person::load(&mut conn, &[subject]).await?.pop().map(|(_, person)| person).unwrap_or_default();
        let mut consents = crate::consent::of_subjects(&mut conn, &[subject]).await?;
        let referrals = referral::of_subjects(&mut conn, &[subject]).await?;
        drop(conn);
        consents.sort_by_key(|consent| (consent.granted_at, consent.id));
        let mut transfers = Vec::with_capacity(referrals.len());
        for referral in referrals {
            transfers.push(self.transfer_view(actor.institution, referral, &agreement).await?);
        }
        // In the order of the log: many may have come within one millisecond.
        transfers.sort_by_key(|transfer| (transfer.at, transfer.entry));
        let (at, log) = (self.clock.now(), self.verifier_key());
        Ok(PersonReport {
            format: "weiche-person-report/1",
            at: At(at),
            controller: Controller { id: member.id.clone(), name: member.name.clone(), supervisory_authority: member.supervisory_authority.clone() },
            restricted_since: person.restricted_at.map(At),
            held_until: person.hold.map(|hold| hold.until).filter(|until| *until > at).map(At),
            consents: consents.into_iter().map(|consent| consent_view(consent, at, &agreement)).collect(),
            transfers,
            log,
        })
    }

    async fn transfer_view(&self, caller: &InstitutionId, referral: Referral, agreement: &Agreement) -> Result<Transfer, Refusal> {
        let (carried, stored) = (referral.carried, referral.stored);
        let mut conn = self.store.reader().await?;
        let left = crate::outbox::load(&mut conn, &[referral.delivery]).await?.iter().any(crate::outbox::Delivery::may_have_arrived);
        let accepted = referral::event(&mut conn, &referral.id, referral.id.as_bytes()).await?.map(|event| event.leaf);
        let entry = match accepted {
            Some(leaf) => ledger::store::entries(&mut conn, leaf, 1).await?.pop(),
            None => None,
        };
        drop(conn);
        let entry = entry.and_then(|bytes| Entry::decode(bytes.as_slice()).ok());
        let receipt = match accepted {
            Some(leaf) => Some(self.receipt_now(leaf).await?.text),
            None => None,
        };
        // As its sender sees it, and no more.
        let (seen, events) = self.referral(caller, &referral.id.to_string()).await?;
        let recalls: Vec<_> = self.recalls(&seen).await?.into_iter().map(recall_view).collect();
        let unit = |institution: &InstitutionId, unit: &UnitId| place(agreement, institution, unit);
        Ok(Transfer {
            at: At(referral.submitted_at),
            from: unit(&referral.sender, &referral.sender_unit),
            to: unit(&referral.recipient, &referral.recipient_unit),
            purpose: referral.purpose,
            categories: stored,
            withheld: carried - stored,
            basis: entry.and_then(|entry| LegalBasis::from_number(entry.legal_basis.into())),
            necessity: Some(referral.necessity).filter(|code| !code.is_empty()),
            consent: referral.consent,
            state: seen.referral.state,
            // Before a repair it had another delivery; what may have arrived of that one was called back.
            left: left || !recalls.is_empty(),
            history: events.into_iter().map(|Event { state, reason, at, .. }| TransferStep { at: At(at), state, reason }).collect(),
            recalls,
            entry: accepted,
            receipt,
            delete_after: self.periods.transfer_kept_until(referral.changed_at).filter(|_| referral.state.may_be_erased()),
            referral: referral.id,
        })
    }
}

fn recall_view(recall: Recall) -> RecallView {
    let (outcome, norm) = recall.answer.map(|answer| (answer.outcome, answer.norm)).unzip();
    RecallView { at: At(recall.issued_at), reason: recall.reason, outcome, norm: norm.unwrap_or_default() }
}

fn consent_view(consent: Consent, now: Time, agreement: &Agreement) -> ConsentView {
    let unit = |party: &Party| place(agreement, &party.institution, &party.unit);
    let name = |id: &InstitutionId| agreement.name_of(id).to_owned();
    let step = |event: crate::consent::Event| ConsentStep {
        at: At(event.at),
        status: event.status,
        by: event.received_by.as_ref().map(name),
        withdrawn: event.withdrawn,
    };
    ConsentView {
        status: consent.status_at(now),
        valid_until: consent.ends_at().map(At),
        collected_by: name(&consent.voluntariness.collected_by),
        given_by: consent.grantor.kind,
        controller: unit(&consent.controller),
        grants: consent
            .grants
            .iter()
            .map(|grant| GrantView {
                recipient: unit(&grant.recipient),
                purpose: grant.purpose,
                categories: grant.categories,
                feedback: grant.feedback,
            })
            .collect(),
        id: consent.id,
        version: consent.version,
        granted_at: At(consent.granted_at),
        valid_from: consent.valid_from.map(At),
        special: consent.special_explicit,
        secrecy_release: consent.secrecy_release.map(|release| release.towards).unwrap_or_default(),
        explained_in: consent.explanation.language,
        delete_after: consent.retention.map(|retention| retention.delete_after),
        history: consent.history.into_iter().map(step).collect(),
    }
}

/// Names for people; those of a unit that has left the agreement are its ids.
fn place(agreement: &Agreement, institution: &InstitutionId, unit: &UnitId) -> Place {
    let member = agreement.name_of(institution);
    let name = agreement.unit(institution, unit).map_or(unit.as_str(), |unit| unit.name.as_str());
    Place { institution: institution.clone(), unit: unit.clone(), name: format!("{member}, {name}") }
}
