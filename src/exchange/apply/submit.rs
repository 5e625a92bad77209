// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Accept a referral: decide, store, log, queue; or log why not.

use super::Batch;
use super::journal::name_lost;
use crate::consent::{Decision, Direction, Evidence, decide};
use crate::exchange::command::{Reply, Submit, Transfer};
use crate::exchange::findings::is_unexplained;
use crate::exchange::person::unless_restricted;
use crate::exchange::prepare::Bound;
use crate::exchange::refusal::Refusal;
use crate::numbered::Numbered;
use crate::outbox::Kind;
use crate::proto::audit::EntryKind;
use crate::referral::{Referral, ReferralState};

impl Batch<'_> {
    /// Decides again what was decided outside: only this decision counts.
    pub(super) fn submit(&mut self, c: &mut Submit) -> Result<(Reply, u64), Refusal> {
        let transfer = &c.transfer;
        let decision = self.decide(transfer, Direction::Outward);
        let permit = match decision {
            Decision::Permitted(permit) => permit,
            Decision::Denied(denial) => {
                let mut entry = self.entry(EntryKind::SubmissionDenied, transfer.sender.institution.as_str());
                entry.counterpart = transfer.recipient.institution.to_string();
                entry.counterpart_unit = transfer.recipient.unit.to_string();
                entry.purpose = transfer.purpose.number();
                entry.consent_id = transfer.consent.map(|id| bytes::Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default();
                entry.consent_version = transfer.consent.and_then(|id| self.set.consents.get(&id)).map_or(0, |consent| consent.version);
                entry.decision = denial.reason.number();
                entry.withheld = transfer.carried.bits();
                entry.subject_tag = self.tag(&transfer.subject)?;
                self.log(&entry);
                return Err(Refusal::Denied { denial, legal_basis: None });
            }
        };
        // Denied outside and permitted now, or permitted for other data now: minimise and seal again under what holds now.
        let Some(sealed) = c.sealed.take().filter(|sealed| sealed.mask == permit.mask()) else { return Err(Refusal::Changed) };

        let mut referral = Referral {
            id: c.referral,
            sender: transfer.sender.institution.clone(),
            sender_unit: transfer.sender.unit.clone(),
            recipient: transfer.recipient.institution.clone(),
            recipient_unit: transfer.recipient.unit.clone(),
            purpose: transfer.purpose,
            state: ReferralState::Submitted,
            reason: None,
            decision: crate::consent::Reason::Ok.number(),
            version: 1,
            consent: permit.consent().map(|(id, _)| id),
            consent_version: permit.consent().map_or(0, |(_, version)| version),
            // On a statutory route it is a code of the agreement; elsewhere nobody has checked what it says, so it is not kept.
            necessity: transfer.necessity.clone().filter(|_| permit.legal_basis().is_statutory()).unwrap_or_default(),
            onward: transfer.onward,
            origin: transfer.origin,
            subject: transfer.subject,
            carried: transfer.carried,
            stored: permit.mask(),
            case_number: sealed.case_number,
            delivery: c.delivery,
            submitted_at: transfer.submitted_at,
            changed_at: self.now,
            changed_leaf: 0,
        };
        let sender = referral.sender.to_string();
        let mut entry = self.entry_about(EntryKind::ReferralSubmitted, &sender, &referral)?;
        entry.counterpart_unit = referral.recipient_unit.to_string();
        entry.legal_basis = permit.legal_basis().number();
        entry.decision = referral.decision;
        entry.plan = bytes::Bytes::copy_from_slice(&sealed.plan);
        entry.granted = permit.mask().bits();
        entry.withheld = (transfer.carried - permit.mask()).bits();
        entry.commitment = bytes::Bytes::copy_from_slice(&sealed.commitment);
        entry.delivery_id = bytes::Bytes::copy_from_slice(c.delivery.as_bytes());
        entry.state = ReferralState::Submitted.number();
        name_lost(&mut entry, &sealed.lost_paths);
        let leaf = self.log(&entry);
        self.openings.push((leaf, sealed.salt));

        referral.changed_leaf = leaf;
        self.remember(&referral, *c.referral.as_bytes(), &sender, leaf);
        self.enqueue(c.delivery, Kind::Referral, &referral, &referral.recipient.clone(), sealed.content, Some(sealed.plain));
        let explained = permit.consent().and_then(|(id, _)| self.set.consents.get(&id));
        if c.below_b1 && explained.is_some_and(|consent| is_unexplained(consent)) {
            self.added.unexplained.push(referral.id);
        }
        let reply = Reply::Submitted {
            referral: referral.id,
            granted: permit.mask(),
            withheld: permit.withheld().to_vec(),
            legal_basis: permit.legal_basis(),
            bound: Bound::of(&permit),
        };
        self.set.referrals.put(referral.id, referral);
        Ok((reply, leaf))
    }

    /// The one decision, over what the database holds at this place in the order.
    pub(super) fn decide(&self, transfer: &Transfer, direction: Direction) -> Decision {
        let subject = crate::exchange::subject_ref(&transfer.subject);
        let evidence = Evidence::of(|id| self.set.consents.get(id).map(|consent| &**consent), transfer.consent, transfer.origin);
        let decision = decide(&transfer.request(&subject, direction), evidence, &self.agreement, self.now);
        unless_restricted(decision, self.set.subjects.get(&transfer.subject))
    }
}
