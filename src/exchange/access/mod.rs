// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is there of a person, for the person (Art. 15 and 20 GDPR), under one institution's own reference: consents; transfers with when, from whom, to
//! whom, which kinds of data, on what basis, and the proofs. Says nothing of what other institutions sent: they have references of their own.
//!
//! The institution learns by it no more than it is told anyway: a Jobcenter sees of its own referrals that they arrived, not how the counselling went.

mod page;

use prost::Message;

use super::command::{Command, Look};
use super::refusal::Refusal;
use super::rights::Actor;
use super::{Exchange, person};
use crate::agreement::{Agreement, LegalBasis, Purpose};
use crate::clock::Time;
use crate::consent::{Consent, Day, Party, Status};
use crate::dialect::{Category, CategoryMask};
use crate::id::{ConsentId, InstitutionId, ReferralId, UnitId};
use crate::ledger;
use crate::numbered::Numbered;
use crate::proto::audit::Entry;
use crate::referral::{self, Event, RecallOutcome, Referral, ReferralState, StatusReason};

/// Everything that is there of a person.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PersonReport {
    /// Shape of this file, `weiche-person-report/1`.
    pub format: &'static str,
    /// As of when.
    pub at: Time,
    /// Whose reference it is, and who answers for it.
    pub controller: Controller,
    /// Since when processing is restricted (Art. 18 GDPR).
    pub restricted_since: Option<Time>,
    /// Until when nothing may be erased.
    pub held_until: Option<Time>,
    /// Consents, the oldest first.
    pub consents: Vec<ConsentView>,
    /// Transfers, the oldest first.
    pub transfers: Vec<Transfer>,
    /// The log that the proofs are from: its verifier key.
    pub log: String,
}

/// An institution as a person may ask it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Controller {
    /// Name in the agreement.
    pub id: InstitutionId,
    /// Name for people.
    pub name: String,
    /// Who supervises it.
    pub supervisory_authority: String,
}

/// Somebody with a name for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Name in the agreement.
    pub institution: InstitutionId,
    /// Its centre, team or branch.
    pub unit: UnitId,
    /// Both, for people.
    pub name: String,
}

/// A consent, as the person gave it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConsentView {
    /// Which.
    pub id: ConsentId,
    /// Version in force.
    pub version: u32,
    /// Where it stands.
    pub status: Status,
    /// Who passes data on.
    pub controller: Place,
    /// When it was given.
    pub granted_at: Time,
    /// From when and until when it holds.
    pub valid: (Option<Time>, Option<Time>),
    /// What is permitted.
    pub grants: Vec<GrantView>,
    /// Data of Art. 9 and 10 GDPR that were ticked one by one.
    pub special: CategoryMask,
    /// Released from secrecy towards.
    pub secrecy_release: Vec<InstitutionId>,
    /// Language in which it was explained.
    pub explained_in: String,
    /// When the gateway's copy of the evidence may go.
    pub delete_after: Option<Day>,
    /// What happened to it: status, when, through whom.
    pub history: Vec<(Status, Time, Option<InstitutionId>)>,
}

/// One recipient, one purpose.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GrantView {
    /// Who may receive.
    pub recipient: Place,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub categories: CategoryMask,
    /// Which data may come back.
    pub feedback: CategoryMask,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Transfer {
    /// Which referral.
    pub referral: ReferralId,
    /// When the gateway took it.
    pub at: Time,
    /// From whom.
    pub from: Place,
    /// To whom.
    pub to: Place,
    /// What for.
    pub purpose: Purpose,
    /// Kinds of data that went, or would have gone.
    pub categories: CategoryMask,
    /// Kinds of data that were sent to the gateway and stayed there.
    pub withheld: CategoryMask,
    /// On what basis; none: the entry that said so cannot be read any more.
    pub basis: Option<LegalBasis>,
    /// Why it was necessary, on a statutory basis.
    pub necessity: Option<String>,
    /// Under which consent.
    pub consent: Option<ConsentId>,
    /// Where it stands.
    pub state: ReferralState,
    /// Whether a byte of it ever left for the recipient.
    pub left: bool,
    /// Where it stood, and since when.
    pub history: Vec<(ReferralState, Option<StatusReason>, Time)>,
    /// What was asked of the recipient, and what it did.
    pub recalls: Vec<RecallView>,
    /// The entry of the log about its acceptance.
    pub entry: Option<u64>,
    /// Proof that the entry is in the log (c2sp.org/tlog-proof).
    pub receipt: Option<String>,
}

/// A request to give up data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RecallView {
    /// When it was made.
    pub at: Time,
    /// What the recipient did; none: no answer yet.
    pub outcome: Option<RecallOutcome>,
    /// The law that demands keeping.
    pub norm: String,
}

impl PersonReport {
    /// Whether nothing at all is there.
    pub fn is_empty(&self) -> bool {
        self.consents.is_empty() && self.transfers.is_empty() && self.restricted_since.is_none() && self.held_until.is_none()
    }

    /// As a file for programs: JSON; times in milliseconds since 1970 (UTC), categories by name.
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
            at,
            controller: Controller { id: member.id.clone(), name: member.name.clone(), supervisory_authority: member.supervisory_authority.clone() },
            restricted_since: person.restricted_at,
            held_until: person.hold.map(|hold| hold.until).filter(|until| *until > at),
            consents: consents.into_iter().map(|consent| consent_view(consent, &agreement)).collect(),
            transfers,
            log,
        })
    }

    async fn transfer_view(&self, caller: &InstitutionId, referral: Referral, agreement: &Agreement) -> Result<Transfer, Refusal> {
        let (carried, stored) = (referral.carried, referral.stored);
        let mut conn = self.store.reader().await?;
        let left = crate::outbox::load(&mut conn, &[referral.delivery]).await?.iter().any(crate::outbox::Delivery::may_have_arrived);
        let recalls = referral::recalls_of(&mut conn, &referral.id).await?;
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
        let mut views = Vec::with_capacity(recalls.len());
        for recall in recalls {
            let norm = recall.answer.as_ref().map_or("", |answer| answer.norm.as_str());
            let norm = self.vault.open_text(recall.id.as_bytes(), norm)?;
            views.push(RecallView { at: recall.issued_at, outcome: recall.answer.map(|answer| answer.outcome), norm });
        }
        let unit = |institution: &InstitutionId, unit: &UnitId| place(agreement, institution, unit);
        Ok(Transfer {
            at: referral.submitted_at,
            from: unit(&referral.sender, &referral.sender_unit),
            to: unit(&referral.recipient, &referral.recipient_unit),
            purpose: referral.purpose,
            categories: stored,
            withheld: carried - stored,
            basis: entry.and_then(|entry| LegalBasis::from_number(entry.legal_basis.into())),
            necessity: Some(referral.necessity).filter(|code| !code.is_empty()),
            consent: referral.consent,
            state: seen.referral.state,
            left,
            history: events.into_iter().map(|Event { state, reason, at, .. }| (state, reason, at)).collect(),
            recalls: views,
            entry: accepted,
            receipt,
            referral: referral.id,
        })
    }
}

fn consent_view(consent: Consent, agreement: &Agreement) -> ConsentView {
    let unit = |party: &Party| place(agreement, &party.institution, &party.unit);
    ConsentView {
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
        status: consent.status,
        granted_at: consent.granted_at,
        valid: (consent.valid_from, consent.valid_until),
        special: consent.special_explicit,
        secrecy_release: consent.secrecy_release.map(|release| release.towards).unwrap_or_default(),
        explained_in: consent.explanation.language,
        delete_after: consent.retention.map(|retention| retention.delete_after),
        history: consent.history.into_iter().map(|event| (event.status, event.at, event.received_by)).collect(),
    }
}

/// Names for people; those of a unit that has left the agreement are its ids.
fn place(agreement: &Agreement, institution: &InstitutionId, unit: &UnitId) -> Place {
    let member = agreement.member(institution).map_or(institution.as_str(), |member| member.name.as_str());
    let name = agreement.unit(institution, unit).map_or(unit.as_str(), |unit| unit.name.as_str());
    Place { institution: institution.clone(), unit: unit.clone(), name: format!("{member}, {name}") }
}

/// Categories of a mask as words of a page.
fn words(mask: CategoryMask, texts: &crate::texts::Texts) -> Vec<String> {
    mask.iter().map(|category: Category| texts.term("category", &category)).collect()
}
