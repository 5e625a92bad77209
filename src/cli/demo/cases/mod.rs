// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Made-up cases: a person, a referral, the consent behind it, and how it has to end. The same seed makes the same cases.

mod codes;
mod consent;
mod content;
mod marker;
mod names;
mod person;
mod routes;
mod situation;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

#[cfg(test)]
pub(super) use marker::mark;
pub(super) use marker::{MARK, marks_in};
pub(super) use routes::AWAY;
pub(super) use situation::{Expected, Phase, Situation};

use crate::agreement::Agreement;
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask, Dialects};
use crate::proto::types::{Consent, ConsentReference, PartialDate, Purpose, Referral};
use routes::{Flow, Way};

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Counted from 0; also its place in the list.
    pub number: usize,
    /// What it plays.
    pub situation: Situation,
    /// When it is submitted.
    pub phase: Phase,
    /// How it has to end.
    pub expected: Expected,
    /// As the sender's staff enters it; the gateway's fields are empty.
    pub referral: Referral,
    /// The consent to record first.
    pub consent: Option<Consent>,
    /// What may go at most: consented and on the route.
    pub allowed: CategoryMask,
    /// The case by which the sender received the person's data.
    pub received_by: Option<usize>,
}

/// What cases are made from.
pub(super) struct World<'a> {
    /// Code lists and descriptors.
    pub dialects: &'a Dialects,
    /// Who may send what to whom.
    pub agreement: &'a Agreement,
    /// The day on which the story plays.
    pub now: Time,
    /// The midnight after it, Bremen time: consents and powers end with the day.
    pub midnight: Time,
}

/// Every `MARKED`th case carries canaries in all its free texts.
const MARKED: usize = 4;

/// At least `count` cases.
pub(super) fn generate(world: &World<'_>, seed: u64, count: usize) -> Vec<Case> {
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut situations: Vec<Situation> = Vec::with_capacity(count);
    for (situation, share) in Situation::SHARES {
        situations.extend(std::iter::repeat_n(*situation, (count * share / 1000).max(1)));
    }
    situations.resize(situations.len().max(count), Situation::Full);
    situations.shuffle(&mut dice);
    let mut maker = Maker { world, dice, cases: Vec::with_capacity(count) };
    for situation in situations {
        maker.play(situation);
    }
    maker.cases
}

struct Maker<'a> {
    world: &'a World<'a>,
    dice: SmallRng,
    cases: Vec<Case>,
}

impl Maker<'_> {
    /// One situation; some need several cases.
    fn play(&mut self, situation: Situation) {
        let way = routes::way(&mut self.dice, self.world.agreement, situation);
        let person = self.person(situation);
        let subject_ref = format!("p-{:016x}", self.dice.random::<u64>());
        match situation {
            Situation::Waits => {
                for _ in 0..3 {
                    self.case(situation, &way, &person, &subject_ref);
                }
            }
            Situation::OnwardAllowed | Situation::OnwardDenied => {
                let first = self.cases.len();
                self.case(situation, &way, &person, &subject_ref);
                let on = routes::onward(&way);
                let subject_ref = format!("p-{:016x}", self.dice.random::<u64>());
                self.case(situation, &on, &person, &subject_ref);
                self.goes_on(first, situation);
            }
            Situation::AtTheCounter => {
                for way in routes::to_both(&mut self.dice, self.world.agreement) {
                    self.case(situation, &way, &person, &subject_ref);
                }
                self.under_one_consent();
            }
            _ => self.case(situation, &way, &person, &subject_ref),
        }
    }

    /// The last two cases rest on the consent of the first of them; the second is sent to somebody who is away, and is withdrawn while it waits.
    fn under_one_consent(&mut self) {
        let Some([first, second]) = self.cases.last_chunk_mut::<2>() else { return };
        if let (Some(one), Some(other)) = (&mut first.consent, second.consent.take()) {
            one.grants.extend(other.grants);
            one.special_categories_explicit.extend(other.special_categories_explicit);
            one.special_categories_explicit.sort_unstable();
            one.special_categories_explicit.dedup();
            if let (Some(release), Some(others)) = (&mut one.secrecy_release, other.secrecy_release) {
                release.towards.extend(others.towards);
                release.towards.sort_unstable();
                release.towards.dedup();
            }
            second.referral.consent = Some(reference(&one.consent_id));
        }
        second.phase = Phase::Away;
        second.expected = Expected::Stopped(crate::proto::exchange::DecisionReason::Withdrawn);
    }

    /// The last case passes on what the case `first` brought: without a consent of its own, and never more than the first consent covers.
    fn goes_on(&mut self, first: usize, situation: Situation) {
        let covered = self.cases.get(first).map_or(CategoryMask::EMPTY, |case| case.allowed);
        if let Some(second) = self.cases.last_mut() {
            second.phase = Phase::Onward;
            second.received_by = Some(first);
            second.allowed &= covered;
            if situation == Situation::OnwardDenied {
                second.expected = Expected::Denied(crate::proto::exchange::DecisionReason::WrongRecipient);
            }
        }
    }

    fn person(&mut self, situation: Situation) -> person::Somebody {
        let year = 2026;
        if situation != Situation::ComesOfAge {
            return person::somebody(&mut self.dice, self.world.dialects.lists(), (27, 64), year);
        }
        let mut minor = person::somebody(&mut self.dice, self.world.dialects.lists(), (16, 17), year);
        minor.person.birth_date = eighteen_years_before(self.world.midnight);
        minor
    }

    fn case(&mut self, situation: Situation, way: &Way, somebody: &person::Somebody, subject_ref: &str) {
        let number = self.cases.len();
        let world = self.world;
        let mut referral = Referral {
            sender_case_number: format!("HB-2026-{number:05}"),
            subject_ref: subject_ref.to_owned(),
            sender: Some(way.sender.clone()),
            recipient: Some(way.recipient.clone()),
            purpose: way.purpose.into(),
            authored_at: Some(consent::instant(Time(world.now.0 / 60_000 * 60_000))),
            subject: Some(somebody.person.clone()),
            ..Referral::default()
        };
        content::fill(&mut self.dice, world.dialects.lists(), &mut referral, somebody, world.now);
        if situation == Situation::OnlyHealth {
            referral = only_health(referral);
        }
        if number.is_multiple_of(MARKED) {
            referral = marker::put(world.dialects.pool(), &referral).unwrap_or(referral);
        }
        let widest = routes::widest(world.agreement, way);
        let (consent, allowed) = match way.flow {
            Flow::Statutory => {
                referral.necessity = if situation == Situation::NoNecessity { String::new() } else { "vermittlung-50-1".to_owned() };
                (None, widest)
            }
            Flow::Consent => self.consented(situation, way, subject_ref, widest),
        };
        referral.consent = consent.as_ref().map(|consent| reference(&consent.consent_id));
        let recorded = consent.filter(|_| situation != Situation::NoRecord);
        self.cases.push(Case {
            number,
            situation,
            phase: situation.phase(),
            expected: situation.expected(),
            referral,
            consent: recorded,
            allowed,
            received_by: None,
        });
    }

    /// The consent with what the situation breaks of it, and what may go under it.
    fn consented(&mut self, situation: Situation, way: &Way, subject_ref: &str, widest: CategoryMask) -> (Option<Consent>, CategoryMask) {
        let agreement = self.world.agreement;
        let mut data = match situation {
            Situation::Partial => self.fewer(widest),
            Situation::OnlyHealth => widest - CategoryMask::SPECIAL,
            Situation::NotExplicit => widest | Category::Health.mask(),
            // The agreement knows nothing of it, the person agreed all the same.
            _ if widest.is_empty() => Category::Ident.mask() | Category::Contact.mask() | Category::Topics.mask(),
            _ => widest,
        };
        if situation == Situation::Full && self.dice.random_bool(0.3) {
            // More than the route allows: the agreement is the narrower one.
            data |= Category::Outcome.mask() | Category::FinanceDebt.mask();
        }
        let back = routes::feedback(agreement, way);
        let (mut to, mut purpose) = (way.recipient.clone(), way.purpose);
        match situation {
            Situation::WrongRecipient => to.unit = routes::another_unit(agreement, &way.recipient),
            Situation::WrongPurpose => purpose = Purpose::CaseConference,
            _ => {}
        }
        let mut grants = vec![(to, purpose, data, back)];
        if situation == Situation::OnwardAllowed {
            grants.push((routes::onward(way).recipient, way.purpose, data, CategoryMask::EMPTY));
        }
        let until = (situation == Situation::ExpiresWaiting).then_some(self.world.midnight);
        let wanted = consent::Wanted { controller: &way.sender, subject_ref, grants, until };
        let mut made = consent::consent(&mut self.dice, agreement, wanted, self.world.now);
        if let Some(consent) = &mut made {
            match situation {
                Situation::Refused => consent::refused(consent),
                Situation::NotExplicit => consent.special_categories_explicit.clear(),
                Situation::ComesOfAge => consent::by_parents(consent, self.world.midnight),
                Situation::NoSecrecyRelease => {
                    if let Some(release) = &mut consent.secrecy_release {
                        release.towards = vec![way.sender.institution.clone()];
                    }
                }
                _ => {}
            }
        }
        (made, widest & data)
    }

    /// Some categories less; who the person is always remains, and something is always withheld.
    fn fewer(&mut self, widest: CategoryMask) -> CategoryMask {
        let kept: CategoryMask = widest.iter().filter(|_| self.dice.random_bool(0.6)).collect();
        (kept | Category::Ident.mask()) - Category::Lang.mask()
    }
}

/// Version 0: whichever holds when it is asked.
fn reference(id: &str) -> ConsentReference {
    ConsentReference { consent_id: id.to_owned(), ..ConsentReference::default() }
}

/// Name, contact and a statement about health, nothing else.
fn only_health(referral: Referral) -> Referral {
    let subject = referral.subject.map(|person| crate::proto::types::Person {
        name: person.name,
        birth_date: person.birth_date,
        gender: person.gender,
        contact_points: person.contact_points,
        ..crate::proto::types::Person::default()
    });
    Referral {
        sender_case_number: referral.sender_case_number,
        subject_ref: referral.subject_ref,
        sender: referral.sender,
        recipient: referral.recipient,
        purpose: referral.purpose,
        authored_at: referral.authored_at,
        subject,
        health_note: "Dialyse, dreimal in der Woche.".to_owned(),
        ..Referral::default()
    }
}

fn eighteen_years_before(at: Time) -> Option<PartialDate> {
    let day = jiff::Timestamp::from_millisecond(at.0).ok()?.in_tz("Europe/Berlin").ok()?.date();
    Some(PartialDate { year: i32::from(day.year()) - 18, month: day.month().into(), day: day.day().into() })
}

#[cfg(test)]
mod tests;
