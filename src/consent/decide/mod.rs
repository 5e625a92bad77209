// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The decision. Denied unless every check passes, in the order of the checks below; the first that fails gives the reason.
//!
//! 1. route, units, municipality (`NO_ROUTE`)
//! 2. record of this sender and person (`NO_RECORD`), in force (`NOT_ACTIVE`, `WITHDRAWN`, ...) and at this time (`NOT_YET_VALID`, `EXPIRED`),
//!    given before the referral (`RETROACTIVE`)
//! 3. recipient (`WRONG_RECIPIENT`) and purpose (`WRONG_PURPOSE`)
//! 4. categories: what goes is route ∩ consent ∩ explicit ticks ∩ form ∩ what was sent. What is not covered is *withheld*, each with its reason;
//!    the whole is *denied* if the name is not covered, or if the referral's substance (what it carries besides name, contact, address and
//!    language) consists of special categories only and none of them may go: an empty shell with a name would itself tell that there is
//!    something about health.
//! 5. release from secrecy  6. grantor  7. restriction  8. text and regime
//! 9. without consent (statutory basis): necessity code in place of 2 to 8; data that came from elsewhere still need the consent
//!    under which they came, checked like 2 to 8, to list this recipient.
//!
//! Clocks: an institution's clock may be ahead by the agreement's skew, which widens the beginning of a consent and never its end.

mod coverage;
mod permit;
mod record;

pub use permit::{Decision, Denial, Permit};

use super::grantor::Day;
use super::reason::Reason;
use super::record::{Consent, Party, SubjectRef};
use crate::agreement::{Agreement, LegalBasis, Member, MemberKind, Onward, Purpose, Route};
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::ConsentId;
use coverage::Coverage;

/// Which way data flow in a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// The referral, from sender to recipient.
    Outward,
    /// Data with the status, from recipient to sender: a transfer of its own.
    Feedback,
}

/// What is to be forwarded. `sender` and `recipient` are those of the referral also when data flow back.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who refers; the institution is the one of the certificate.
    pub sender: &'a Party,
    /// To whom.
    pub recipient: &'a Party,
    /// What for.
    pub purpose: Purpose,
    /// Which way.
    pub direction: Direction,
    /// The person, spelt as in the record.
    pub subject: &'a SubjectRef,
    /// What the message carries.
    pub categories: CategoryMask,
    /// When the gateway took the referral.
    pub submitted_at: Time,
    /// Necessity code, for a statutory route.
    pub necessity: Option<&'a str>,
    /// The data were received through the gateway or come from somebody bound by section 203 StGB other than the sender.
    pub onward: bool,
    /// AGS of the person's address, if the message carries one.
    pub municipality: Option<&'a str>,
    /// The person's date of birth, if the message carries one.
    pub born: Option<Day>,
}

/// Records that the request rests on, as looked up by their ids in their current versions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// The consent that the referral names.
    pub consent: Option<&'a Consent>,
    /// For onward transfers: the consent under which the sender received the data.
    pub origin: Option<&'a Consent>,
}

impl<'a> Evidence<'a> {
    /// The records with these ids among those that `find` knows. No other record has a say.
    pub fn of(find: impl Fn(&ConsentId) -> Option<&'a Consent>, consent: Option<ConsentId>, origin: Option<ConsentId>) -> Self {
        Self { consent: consent.as_ref().and_then(&find), origin: origin.as_ref().and_then(&find) }
    }
}

/// Whether, and how far, `request` may be forwarded at `now`.
pub fn decide(request: &Request<'_>, evidence: Evidence<'_>, agreement: &Agreement, now: Time) -> Decision {
    let mut coverage = Coverage::all(request.categories);
    match (Case { request, agreement, now }).judge(evidence, &mut coverage) {
        Ok(permit) => Decision::Permitted(Permit { mask: coverage.granted, withheld: coverage.withheld, ..permit }),
        Err(reason) => Decision::Denied(Denial { reason, withheld: coverage.withheld }),
    }
}

#[derive(Clone, Copy)]
struct Case<'a> {
    request: &'a Request<'a>,
    agreement: &'a Agreement,
    now: Time,
}

impl<'a> Case<'a> {
    /// The permit, its mask still to be filled in from `coverage`.
    fn judge(self, evidence: Evidence<'_>, coverage: &mut Coverage) -> Result<Permit, Reason> {
        let Request { sender, recipient, purpose, direction, .. } = *self.request;
        let (from, to, route) = self.route().ok_or(Reason::NoRoute)?;
        coverage.limit(if direction == Direction::Outward { route.widest } else { route.feedback }, Reason::NoRoute);

        let consent = if route.legal_basis.is_statutory() {
            self.is_necessary(from, to, route)?;
            coverage.is_enough(self.request)?;
            None
        } else {
            let consent = evidence
                .consent
                .filter(|consent| consent.subject == *self.request.subject && consent.controller.is(sender))
                .ok_or(Reason::NoRecord)?;
            let (discloser, towards) = if direction == Direction::Outward { (from, &recipient.institution) } else { (to, &sender.institution) };
            let release = discloser.section_203 || (direction == Direction::Outward && route.legal_basis == LegalBasis::ConsentWithSecrecyRelease);
            self.covers(consent, release.then_some(towards), from.regime, coverage)?;
            Some((consent.id, consent.version))
        };

        let mut origin_203 = from.section_203;
        if self.request.onward && direction == Direction::Outward {
            origin_203 |= self.onward(route, evidence.origin, coverage)?;
        }
        Ok(Permit {
            from: sender.institution.clone(),
            to: recipient.clone(),
            purpose,
            direction,
            mask: CategoryMask::EMPTY,
            withheld: Vec::new(),
            legal_basis: route.legal_basis,
            consent,
            agreement_version: self.agreement.version().clone(),
            rule: route.rule.clone(),
            sgbx_78: from.section_35 && !to.section_35,
            origin_203,
            at: self.now,
        })
    }

    /// Check 1: both units are open, the agreement is in force and has this flow, and the Jobcenter is responsible there.
    fn route(self) -> Option<(&'a Member, &'a Member, &'a Route)> {
        let Request { sender, recipient, purpose, municipality, .. } = *self.request;
        let from = self.agreement.member(&sender.institution)?;
        let to = self.agreement.member(&recipient.institution)?;
        let from_unit = from.units.get(&sender.unit).filter(|unit| unit.active)?;
        let to_unit = to.units.get(&recipient.unit).filter(|unit| unit.active)?;
        let route = self.agreement.route(&from.id, &to.id, purpose)?;
        let outside = |ags: &str| self.agreement.municipality(ags).is_some_and(|m| !m.jobcenter_route);
        let of_jobcenter = [from, to].iter().any(|member| member.kind == MemberKind::Jobcenter);
        let elsewhere = [&*from_unit.municipality, &*to_unit.municipality].into_iter().chain(municipality).any(outside);
        let no_jobcenter = of_jobcenter && elsewhere;
        (!no_jobcenter && self.agreement.valid_from() <= self.now).then_some((from, to, route))
    }

    /// Check 9: a statute permits it between section 35 bodies, for a reason that the agreement knows.
    fn is_necessary(self, from: &Member, to: &Member, route: &Route) -> Result<(), Reason> {
        let known = self.request.necessity.is_some_and(|code| route.necessity.iter().any(|known| known == code));
        if known && from.section_35 && to.section_35 { Ok(()) } else { Err(Reason::NoRoute) }
    }

    /// Onward transfer: the consent under which the sender received the data lists this recipient, for this purpose, for these data.
    /// Returns whether the data come from somebody bound by section 203 StGB.
    fn onward(self, route: &Route, origin: Option<&Consent>, coverage: &mut Coverage) -> Result<bool, Reason> {
        if route.onward == Onward::Never {
            return Err(Reason::NoRoute);
        }
        let request = self.request;
        // A consent under which the sender received nothing is nobody's business here.
        let origin = origin
            .filter(|origin| origin.grants.iter().any(|grant| grant.recipient.institution == request.sender.institution))
            .ok_or(Reason::NoRecord)?;
        let controller = self.agreement.member(&origin.controller.institution).ok_or(Reason::NoRecord)?;
        let towards = controller.section_203.then_some(&request.recipient.institution);
        self.covers(origin, towards, controller.regime, coverage)?;
        Ok(controller.section_203)
    }
}
