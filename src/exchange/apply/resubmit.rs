// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The sender repairs what was blocked: the same referral, decided anew, with a new time of submission.

use super::Batch;
use crate::consent::{Decision, Direction};
use crate::exchange::command::{Again, Reply, Resubmit, Transfer};
use crate::exchange::prepare::Bound;
use crate::exchange::refusal::Refusal;
use crate::numbered::Numbered;
use crate::outbox::Kind;
use crate::proto::audit::EntryKind;
use crate::referral::{Actor, ReferralState, step};

impl Batch<'_> {
    /// Only what was sealed can go: a wider consent does not bring back what stayed behind at the first submission.
    pub(super) fn resubmit(&mut self, c: &mut Resubmit) -> Result<(Reply, u64), Refusal> {
        let mut referral = self.set.referrals.get(&c.referral).filter(|r| r.sender == c.sender).cloned().ok_or(Refusal::NotFound)?;
        step(referral.state, ReferralState::Submitted, Actor::Sender, None)?;
        // From now on it rests on this consent, which must be older than this attempt: consent afterwards heals nothing.
        let consent = c.consent.or(referral.consent);
        let transfer = Transfer { consent, submitted_at: self.now, ..Transfer::of(&referral) };
        let sender = referral.sender.to_string();
        let permit = match self.decide(&transfer, Direction::Outward) {
            Decision::Permitted(permit) => permit,
            Decision::Denied(denial) => {
                let mut entry = self.entry_about(EntryKind::SubmissionDenied, &sender, &referral)?;
                entry.consent_id = consent.map(|id| bytes::Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default();
                entry.consent_version = consent.and_then(|id| self.set.consents.get(&id)).map_or(0, |consent| consent.version);
                entry.decision = denial.reason.number();
                entry.withheld = transfer.carried.bits();
                entry.state = referral.state.number();
                self.log(&entry);
                return Err(Refusal::Denied { denial, legal_basis: None });
            }
        };
        let content = match std::mem::replace(&mut c.content, Again::Denied) {
            Again::Sealed(content) if content.mask == permit.mask() => content,
            Again::Erased => {
                return Err(Refusal::wrong_state(
                    "the content is no longer at the gateway; submit the referral anew",
                    "Der Inhalt liegt nicht mehr vor. Bitte die Vermittlung neu absenden.",
                ));
            }
            // Denied outside and permitted now, or permitted for other data now: minimise and seal again under what holds now.
            _ => return Err(Refusal::Changed),
        };
        (referral.state, referral.reason) = (ReferralState::Submitted, None);
        referral.decision = crate::consent::Reason::Ok.number();
        (referral.consent, referral.consent_version) = permit.consent().map_or((None, 0), |(id, version)| (Some(id), version));
        referral.submitted_at = self.now;
        referral.stored = permit.mask();
        // A delivery of its own: what may have arrived under the one before was called back and stays called back.
        referral.delivery = c.delivery;

        let mut entry = self.entry_about(EntryKind::ReferralSubmitted, &sender, &referral)?;
        entry.counterpart_unit = referral.recipient_unit.to_string();
        entry.legal_basis = permit.legal_basis().number();
        entry.decision = referral.decision;
        entry.plan = bytes::Bytes::copy_from_slice(&content.plan);
        entry.granted = permit.mask().bits();
        entry.withheld = (referral.carried - permit.mask()).bits();
        entry.commitment = bytes::Bytes::copy_from_slice(&content.commitment);
        entry.delivery_id = bytes::Bytes::copy_from_slice(c.delivery.as_bytes());
        entry.state = referral.state.number();
        let leaf = self.log(&entry);
        self.openings.push((leaf, content.salt));
        self.moved(&mut referral, *c.idempotency.request.as_bytes(), &sender, leaf);
        self.enqueue(c.delivery, Kind::Referral, &referral, &referral.recipient.clone(), content.sealed, None);
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
}
