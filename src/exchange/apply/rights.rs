// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Erasure, by time or at the person's wish, and what stands against it. What is erased here leaves the database with this batch; its entries stay
//! in the log and are mute.

use super::Batch;
use super::journal::GATEWAY;
use crate::consent::Status;
use crate::dialect::CategoryMask;
use crate::exchange::apply::Answered;
use crate::exchange::command::{Bind, Bond, Correct, ErasePerson, Look, Purge, Reply};
use crate::exchange::person::Person;
use crate::exchange::refusal::Refusal;
use crate::exchange::replay::ERASED;
use crate::exchange::retention::Purged;
use crate::id::{ConsentId, ReferralId};
use crate::outbox::State;
use crate::proto::audit::EntryKind;
use crate::referral::{RecallOutcome, Referral, ReferralState, StatusReason};

/// Why something is erased, as the leaf says it.
const BY_TIME: &str = "retention";
const BY_REQUEST: &str = "request";

impl Batch<'_> {
    /// Erases what is named and due, as of this place in the order; or notes that a run is over.
    pub(super) fn purge(&mut self, c: &Purge) -> Result<Answered, Refusal> {
        if let Some(done) = &c.done {
            let Purged { contents, dead_letters, referrals, consents, persons, requests, kept } = done;
            let mut entry = self.entry(EntryKind::Retention, &c.actor);
            entry.detail = format!(
                "contents={contents} dead_letters={dead_letters} referrals={referrals} consents={consents} persons={persons} requests={requests} \
                 kept={kept}"
            );
            let leaf = self.log(&entry);
            return Ok(Answered::logged(Reply::Done, leaf));
        }
        let mut done = Purged::default();
        for id in &c.deliveries {
            let Some(delivery) = self.set.deliveries.get(id).cloned() else { continue };
            let referral = self.set.referrals.get(&delivery.referral).cloned().ok_or(Refusal::Internal("a delivery has no referral"))?;
            if !c.periods.content_is_due(&delivery, referral.state, self.now) || self.is_kept(&referral.subject, &mut done) {
                continue;
            }
            if delivery.state == State::Dead {
                self.stop(&delivery, &referral, ERASED)?;
                done.dead_letters += 1;
            }
            self.added.erased.contents.push(delivery.seq);
            done.contents += 1;
        }
        for id in &c.referrals {
            let due = |referral: &&_| c.periods.referral_is_due(referral, self.now) && self.set.open_deliveries(id).is_empty();
            let Some(subject) = self.set.referrals.get(id).filter(due).map(|referral| referral.subject) else { continue };
            if !self.is_kept(&subject, &mut done) {
                self.erase_referral(id, GATEWAY, BY_TIME);
                self.added.erased.subjects.push(subject);
                done.referrals += 1;
            }
        }
        for id in &c.consents {
            let Some(consent) = self.set.consents.get(id).filter(|consent| consent.may_be_erased(self.now)).cloned() else { continue };
            let subject = crate::exchange::subject_of(&consent);
            // What rests on it is still to be accounted for.
            if self.set.under_consent(id).is_empty() && !subject.is_some_and(|subject| self.is_kept(&subject, &mut done)) {
                self.erase_consent(id, GATEWAY, BY_TIME);
                self.added.erased.subjects.extend(subject);
                done.consents += 1;
            }
        }
        self.added.erased.subjects.extend(&c.subjects);
        done.persons += c.subjects.len() as u64;
        if c.requests_before.is_some() {
            self.added.erased.requests_before = c.requests_before;
        }
        Ok(Answered::quiet(Reply::Purged(done)))
    }

    /// Erases everything of a person at once, the key of the person's tags included.
    pub(super) fn erase_person(&mut self, c: &ErasePerson) -> Result<(Reply, u64), Refusal> {
        let subject = Some(c.subject);
        let consents: Vec<ConsentId> =
            self.set.consents.iter().filter(|(_, one)| crate::exchange::subject_of(one) == subject).map(|(id, _)| *id).collect();
        let referrals: Vec<ReferralId> = self.set.referrals.iter().filter(|(_, one)| one.subject == c.subject).map(|(id, _)| *id).collect();
        if consents.is_empty() && referrals.is_empty() && self.set.subjects.get(&c.subject).is_none() {
            return Err(Refusal::NotFound);
        }
        self.may_erase(&c.subject, &consents, &referrals)?;
        let mut done = Purged { persons: 1, ..Purged::default() };
        for id in &referrals {
            self.erase_referral(id, &c.idempotency.caller, BY_REQUEST);
            done.referrals += 1;
        }
        for id in &consents {
            self.erase_consent(id, &c.idempotency.caller, BY_REQUEST);
            done.consents += 1;
        }
        self.set.subjects.forget(&c.subject);
        self.added.erased.subjects.push(c.subject);
        let mut entry = self.entry(EntryKind::Erased, &c.idempotency.caller);
        entry.counterpart = counterpart(c.institution.as_str(), &c.idempotency.caller);
        entry.detail = BY_REQUEST.to_owned();
        let leaf = self.log(&entry);
        Ok((Reply::Purged(done), leaf))
    }

    /// First the recipients must know, then the gateway may forget.
    fn may_erase(&self, subject: &[u8; 32], consents: &[ConsentId], referrals: &[ReferralId]) -> Result<(), Refusal> {
        let person = self.set.subjects.get(subject);
        if person.is_some_and(|person| person.hold.as_ref().is_some_and(|hold| hold.until > self.now)) {
            return Err(Refusal::wrong_state(
                "a legal hold stands against it; an operator can say until when",
                "Eine Aufbewahrungssperre steht dagegen. Die Betriebsstelle weiß, bis wann sie gilt.",
            ));
        }
        if person.is_some_and(Person::is_restricted) {
            return Err(Refusal::wrong_state(
                "processing is restricted, and the person may need the data; lift the restriction first",
                "Die Verarbeitung ist eingeschränkt (Art. 18 DSGVO), und die Person braucht die Angaben vielleicht noch. Bitte erst die Einschränkung aufheben.",
            ));
        }
        let in_force = |id: &ConsentId| {
            self.set
                .consents
                .get(id)
                .is_some_and(|consent| consent.status == Status::Active && consent.valid_until.is_none_or(|until| until > self.now))
        };
        if consents.iter().any(in_force) {
            return Err(Refusal::wrong_state(
                "a consent is still in force; withdraw it first, so that its recipients learn of it",
                "Eine Einwilligung gilt noch. Bitte erst den Widerruf erfassen, damit die empfangenden Stellen davon erfahren.",
            ));
        }
        let open = |id: &ReferralId| {
            self.set.referrals.get(id).is_some_and(|referral| !referral.state.is_final()) || !self.set.open_deliveries(id).is_empty()
        };
        if referrals.iter().any(open) {
            return Err(Refusal::wrong_state(
                "a referral is still under way; cancel it, or wait until it and what is told about it have ended",
                "Eine Vermittlung ist noch unterwegs. Bitte abbrechen, oder warten, bis sie und die Meldungen dazu zu Ende sind.",
            ));
        }
        let unanswered = |id: &ReferralId| {
            self.set.recalls.iter().any(|(_, recall)| recall.referral == *id && recall.answer.is_none() && recall.due_at > self.now)
        };
        if referrals.iter().any(unanswered) {
            return Err(Refusal::wrong_state(
                "a recipient has not yet said what became of the data; its answer is due soon",
                "Eine empfangende Stelle hat noch nicht gesagt, was aus den Angaben wurde. Ihre Antwort ist bald fällig; bitte so lange warten.",
            ));
        }
        Ok(())
    }

    /// Restricts, holds, or lifts either.
    pub(super) fn bind(&mut self, c: &Bind) -> Result<(Reply, u64), Refusal> {
        let (kind, detail, until) = match &c.bond {
            Bond::Restricted(true) => (EntryKind::Restriction, "restricted", 0),
            Bond::Restricted(false) => (EntryKind::Restriction, "lifted", 0),
            Bond::Hold(Some(hold)) if hold.until <= self.now => {
                return Err(Refusal::Field { path: "until".into(), rule: "must be in the future".into() });
            }
            Bond::Hold(Some(hold)) => (EntryKind::Hold, "placed", hold.until.0),
            Bond::Hold(None) => (EntryKind::Hold, "lifted", 0),
        };
        let mut entry = self.entry(kind, &c.idempotency.caller);
        entry.counterpart = counterpart(c.institution.as_str(), &c.idempotency.caller);
        (entry.detail, entry.until_ms) = (detail.to_owned(), until);
        // Whoever was never here can be bound as well: nobody learns from the answer who was.
        entry.subject_tag = self.tag(&c.subject)?;
        let leaf = self.log(&entry);
        let begins = c.bond == Bond::Restricted(true) && !self.set.subjects.get(&c.subject).is_some_and(Person::is_restricted);
        for referral in if begins { self.at_recipients(&c.subject) } else { Vec::new() } {
            self.issue_recall(&referral, StatusReason::RestrictionRequested, CategoryMask::EMPTY)?;
        }
        let now = self.now;
        let person = self.set.subjects.change(&c.subject).ok_or(Refusal::Internal("a person's key is missing"))?;
        match &c.bond {
            Bond::Restricted(on) => person.restricted_at = on.then(|| person.restricted_at.unwrap_or(now)),
            Bond::Hold(hold) => person.hold.clone_from(hold),
        }
        Ok((Reply::Done, leaf))
    }

    /// What recipients have, or may have, of a person and were not asked to give up (Art. 19 GDPR).
    fn at_recipients(&self, subject: &[u8; 32]) -> Vec<Referral> {
        let has = |one: &&Referral| one.subject == *subject && self.may_be_corrected(one);
        let mut found: Vec<_> = self.set.referrals.iter().map(|(_, one)| one).filter(has).cloned().collect();
        found.sort_by_key(|one| (one.submitted_at, one.id));
        found
    }

    /// Whether there is something at the recipient to put right or to leave alone. What was called back is there if the recipient said that it keeps it.
    fn may_be_corrected(&self, referral: &Referral) -> bool {
        match referral.state {
            ReferralState::Blocked => false,
            ReferralState::Recalled => self.is_kept_there(referral),
            _ => self.set.may_have_arrived(referral),
        }
    }

    fn is_kept_there(&self, referral: &Referral) -> bool {
        let answers = self.set.recalls.iter().filter(|(_, recall)| recall.referral == referral.id).filter_map(|(_, recall)| recall.answer.as_ref());
        let last = answers.max_by_key(|answer| answer.at);
        last.is_some_and(|answer| answer.outcome != RecallOutcome::Deleted)
    }

    /// Tells the recipient that data are wrong; it answers as to a recall.
    pub(super) fn correct(&mut self, c: &Correct) -> Result<(Reply, u64), Refusal> {
        let referral = self.set.referrals.get(&c.referral).filter(|one| one.sender == c.sender).cloned().ok_or(Refusal::NotFound)?;
        if c.categories.is_empty() || !referral.stored.covers(c.categories) {
            return Err(Refusal::Field { path: "categories".into(), rule: "must be of those that were sent".into() });
        }
        if !self.may_be_corrected(&referral) {
            return Err(if referral.state == ReferralState::Recalled {
                Refusal::wrong_state(
                    "it was stopped or called back: its recipient has no data of it or is to give them up, and there is nothing to correct",
                    "Die Vermittlung wurde angehalten oder zurückgerufen: Die empfangende Stelle hat die Angaben nicht oder soll sie nicht behalten.",
                )
            } else {
                Refusal::wrong_state(
                    "the recipient has not got it; cancel it and submit it anew",
                    "Die empfangende Stelle hat es noch nicht. Bitte abbrechen und mit den richtigen Angaben neu absenden.",
                )
            });
        }
        let leaf = self.first_leaf + self.leaves.len() as u64;
        self.issue_recall_by(&c.idempotency.caller, &referral, StatusReason::Corrected, c.categories)?;
        Ok((Reply::Done, leaf))
    }

    /// Somebody looks at what is there of persons.
    pub(super) fn look(&mut self, c: &Look) -> Result<Answered, Refusal> {
        let mut entry = self.entry(EntryKind::Access, &c.actor);
        entry.detail = c.what.to_owned();
        if let Some((institution, subject)) = &c.of {
            entry.counterpart = counterpart(institution.as_str(), &c.actor);
            // Whoever is not there does not come to be there because somebody asked.
            if self.set.subjects.get(subject).is_some() {
                entry.subject_tag = self.tag(subject)?;
            }
        }
        let leaf = self.log(&entry);
        Ok(Answered::logged(Reply::Done, leaf))
    }

    /// Whether nothing of a person may be erased; then that is counted.
    fn is_kept(&self, subject: &[u8; 32], done: &mut Purged) -> bool {
        let kept = self.set.subjects.get(subject).is_some_and(|person| person.is_kept(self.now));
        done.kept += u64::from(kept);
        kept
    }

    fn erase_referral(&mut self, id: &ReferralId, actor: &str, why: &str) {
        let mut entry = self.entry(EntryKind::Erased, actor);
        entry.referral_id = bytes::Bytes::copy_from_slice(id.as_bytes());
        entry.detail = why.to_owned();
        self.log(&entry);
        let deliveries: Vec<_> = self.set.deliveries.iter().filter(|(_, delivery)| delivery.referral == *id).map(|(id, _)| *id).collect();
        deliveries.iter().for_each(|delivery| self.set.deliveries.forget(delivery));
        let recalls: Vec<_> = self.set.recalls.iter().filter(|(_, recall)| recall.referral == *id).map(|(id, _)| *id).collect();
        recalls.iter().for_each(|recall| self.set.recalls.forget(recall));
        self.set.referrals.forget(id);
        self.added.erased.referrals.push(*id);
    }

    fn erase_consent(&mut self, id: &ConsentId, actor: &str, why: &str) {
        let mut entry = self.entry(EntryKind::Erased, actor);
        entry.consent_id = bytes::Bytes::copy_from_slice(id.as_bytes());
        entry.detail = why.to_owned();
        self.log(&entry);
        self.set.consents.forget(id);
        self.added.erased.consents.push(*id);
    }
}

/// The institution whose person it is, unless it acts itself.
fn counterpart(institution: &str, actor: &str) -> String {
    if institution == actor { String::new() } else { institution.to_owned() }
}
