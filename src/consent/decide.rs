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

use std::sync::Arc;
use std::time::Duration;

use super::lifecycle::months_after;
use super::reason::Reason;
use super::record::{Consent, Form, Party, Quality, Status, SubjectRef};
use crate::agreement::{Agreement, DataProtectionRegime, LegalBasis, Member, MemberKind, Onward, Purpose, Route};
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};
use crate::id::{ConsentId, InstitutionId};

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
}

/// Records that the request rests on, as looked up by their ids in their current versions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// The consent that the referral names.
    pub consent: Option<&'a Consent>,
    /// For onward transfers: the consent under which the sender received the data.
    pub origin: Option<&'a Consent>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go, so far as the permit says.
    Permitted(Permit),
    /// Nothing may go.
    Denied(Denial),
}

impl Decision {
    /// `OK` or why not.
    pub fn reason(&self) -> Reason {
        match self {
            Decision::Permitted(_) => Reason::Ok,
            Decision::Denied(denial) => denial.reason,
        }
    }

    /// Categories that were sent and stay behind, each with its reason.
    pub fn withheld(&self) -> &[(Category, Reason)] {
        match self {
            Decision::Permitted(permit) => &permit.withheld,
            Decision::Denied(denial) => &denial.withheld,
        }
    }
}

/// Why nothing may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// First check that failed.
    pub reason: Reason,
    /// What was not covered, if the decision came as far as the categories.
    pub withheld: Vec<(Category, Reason)>,
}

/// A yes that can be held: only [`decide`] makes one, and whoever renders or forwards demands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    from: InstitutionId,
    to: Party,
    purpose: Purpose,
    direction: Direction,
    mask: CategoryMask,
    withheld: Vec<(Category, Reason)>,
    legal_basis: LegalBasis,
    consent: Option<(ConsentId, u32)>,
    agreement_version: Arc<str>,
    rule: Arc<str>,
    sgbx_78: bool,
    origin_203: bool,
    at: Time,
}

impl Permit {
    /// The referral's sender.
    pub fn from(&self) -> &InstitutionId {
        &self.from
    }
    /// The referral's recipient.
    pub fn to(&self) -> &Party {
        &self.to
    }
    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
    /// Which way.
    pub fn direction(&self) -> Direction {
        self.direction
    }
    /// What may go; never more than was sent.
    pub fn mask(&self) -> CategoryMask {
        self.mask
    }
    /// What was sent and stays behind, each with its reason.
    pub fn withheld(&self) -> &[(Category, Reason)] {
        &self.withheld
    }
    /// On which basis.
    pub fn legal_basis(&self) -> LegalBasis {
        self.legal_basis
    }
    /// Which consent in which version; none on a statutory basis.
    pub fn consent(&self) -> Option<(ConsentId, u32)> {
        self.consent
    }
    /// Which agreement.
    pub fn agreement_version(&self) -> &Arc<str> {
        &self.agreement_version
    }
    /// Which rule of it.
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }
    /// The data are Sozialdaten in hands that are no section 35 body (section 78 SGB X): the recipient must be told.
    pub fn sgbx_78(&self) -> bool {
        self.sgbx_78
    }
    /// The data come from somebody bound by section 203 StGB (section 88(2) AufenthG, section 76 SGB X): the recipient must be told.
    pub fn origin_203_stgb(&self) -> bool {
        self.origin_203
    }
    /// When it was decided. A permit is of that moment: it is not kept for a later delivery.
    pub fn at(&self) -> Time {
        self.at
    }
}

/// Whether, and how far, `request` may be forwarded at `now`.
pub fn decide(request: &Request<'_>, evidence: Evidence<'_>, agreement: &Agreement, now: Time) -> Decision {
    let mut coverage = Coverage { granted: request.categories, withheld: Vec::new() };
    match (Case { request, agreement, now }).judge(evidence, &mut coverage) {
        Ok(permit) => Decision::Permitted(Permit { mask: coverage.granted, withheld: coverage.withheld, ..permit }),
        Err(reason) => Decision::Denied(Denial { reason, withheld: coverage.withheld }),
    }
}

/// Data that only say who the person is and how to reach them.
const REACH: CategoryMask = CategoryMask::from_bits(
    Category::Ident.mask().bits() | Category::Contact.mask().bits() | Category::Address.mask().bits() | Category::Lang.mask().bits(),
);

/// What may still go, after each limit in turn.
struct Coverage {
    granted: CategoryMask,
    withheld: Vec<(Category, Reason)>,
}

impl Coverage {
    fn limit(&mut self, allowed: CategoryMask, reason: Reason) {
        self.withheld.extend((self.granted - allowed).iter().map(|category| (category, reason)));
        self.granted &= allowed;
    }

    /// Whether what remains is worth sending.
    fn is_enough(&self, request: &Request<'_>) -> Result<(), Reason> {
        if request.direction == Direction::Feedback {
            return if self.granted.is_empty() { Err(self.first_reason(CategoryMask::ALL)) } else { Ok(()) };
        }
        if !self.granted.contains(Category::Ident) {
            return Err(Reason::CategoryNotCovered);
        }
        let substance = request.categories - REACH;
        if !substance.is_empty() && CategoryMask::SPECIAL.covers(substance) && (self.granted & substance).is_empty() {
            return Err(self.first_reason(substance));
        }
        Ok(())
    }

    fn first_reason(&self, among: CategoryMask) -> Reason {
        self.withheld.iter().find(|(category, _)| among.contains(*category)).map_or(Reason::CategoryNotCovered, |(_, reason)| *reason)
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
        let no_jobcenter = (to.kind == MemberKind::Jobcenter && (outside(&from_unit.municipality) || municipality.is_some_and(outside)))
            || (from.kind == MemberKind::Jobcenter && outside(&to_unit.municipality));
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

    /// Checks 2 to 8 on one record.
    fn covers(
        self,
        consent: &Consent,
        release_towards: Option<&InstitutionId>,
        regime: DataProtectionRegime,
        coverage: &mut Coverage,
    ) -> Result<(), Reason> {
        self.in_force(consent)?;
        coverage.limit(self.granted(consent)?, Reason::CategoryNotCovered);
        coverage.limit((CategoryMask::ALL - CategoryMask::SPECIAL) | consent.special_explicit, Reason::Art9NotExplicit);
        if consent.form == Form::OralDocumented {
            coverage.limit(CategoryMask::ALL - Category::Health.mask(), Reason::FormInsufficient);
        }
        coverage.is_enough(self.request)?;
        if let Some(towards) = release_towards {
            is_released(consent, towards)?;
        }
        if !consent.grantor_fits() || consent.grantor.entitled_until.is_some_and(|until| until <= self.now) {
            return Err(Reason::GrantorNotEntitled);
        }
        if consent.restricted {
            return Err(Reason::Restricted);
        }
        let text = &consent.template;
        let template = self.agreement.template(&text.id, &text.version, &text.language).ok_or(Reason::TemplateRevoked)?;
        if !template.holds(self.now) || template.approved_from > consent.granted_at || template.text_sha256 != text.text_sha256 {
            return Err(Reason::TemplateRevoked);
        }
        // A text that cites another law than the controller's informed nobody.
        if consent.regime == regime { Ok(()) } else { Err(Reason::NotActive) }
    }

    /// Check 2: in force, now, and before the referral.
    fn in_force(self, consent: &Consent) -> Result<(), Reason> {
        match consent.status {
            Status::Active => {}
            Status::Withdrawn => return Err(Reason::Withdrawn),
            Status::Expired => return Err(Reason::Expired),
            Status::Superseded => return Err(Reason::Superseded),
            Status::Proposed | Status::Invalidated | Status::Refused | Status::Lapsed | Status::EnteredInError => {
                return Err(Reason::NotActive);
            }
        }
        let (Some(valid_from), Some(valid_until)) = (consent.valid_from, consent.valid_until) else { return Err(Reason::NotActive) };
        if consent.quality == Quality::CheckedDefects {
            return Err(Reason::NotActive);
        }
        let validity = self.agreement.validity();
        if self.now.plus(validity.skew) < valid_from.max(consent.granted_at) {
            return Err(Reason::NotYetValid);
        }
        // Calendar arithmetic only for the few records that could be longer than the agreement allows.
        let shortest = Duration::from_secs(28 * 24 * 3600).saturating_mul(u32::try_from(validity.max_months).unwrap_or(0));
        let capped = || valid_until > consent.granted_at.plus(shortest) && months_after(consent.granted_at, validity.max_months) <= self.now;
        if valid_until <= self.now || capped() {
            return Err(Reason::Expired);
        }
        if consent.granted_at > self.request.submitted_at.plus(validity.skew) {
            return Err(Reason::Retroactive);
        }
        Ok(())
    }

    /// Check 3: what the record grants for exactly this recipient and purpose.
    fn granted(self, consent: &Consent) -> Result<CategoryMask, Reason> {
        let Request { recipient, purpose, direction, .. } = *self.request;
        let mut to_recipient = consent.grants.iter().filter(|grant| grant.recipient.is(recipient)).peekable();
        to_recipient.peek().ok_or(Reason::WrongRecipient)?;
        let mut for_purpose = to_recipient.filter(|grant| grant.purpose == purpose).peekable();
        for_purpose.peek().ok_or(Reason::WrongPurpose)?;
        Ok(for_purpose.fold(CategoryMask::EMPTY, |all, grant| all | if direction == Direction::Outward { grant.categories } else { grant.feedback }))
    }
}

/// Check 5: somebody is released, in a profession that the law names, towards this institution.
fn is_released(consent: &Consent, towards: &InstitutionId) -> Result<(), Reason> {
    consent
        .secrecy_release
        .as_ref()
        .filter(|release| release.functions.iter().any(|function| !function.trim().is_empty()))
        .filter(|release| !release.professions.is_empty() && release.professions.iter().all(|number| matches!(number, 4 | 6)))
        .filter(|release| release.towards.contains(towards))
        .map(|_| ())
        .ok_or(Reason::NoSecrecyRelease)
}
