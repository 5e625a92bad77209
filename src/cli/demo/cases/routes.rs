// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From where to where a case goes: what the agreement has, weighted as a week in Bremen might be.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::situation::{Phase, Situation};
use crate::agreement::{self, Agreement, MemberKind, UnitKind};
use crate::dialect::CategoryMask;
use crate::grpc::convert::consent::{purpose_from, purpose_to};
use crate::id::{InstitutionId, UnitId};
use crate::numbered::Numbered;
use crate::proto::types::{Party, Purpose};

/// On which basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Consent,
    /// Jobcenter and Agentur among themselves.
    Statutory,
}

/// One way of a case.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub sender: Party,
    pub recipient: Party,
    pub purpose: Purpose,
    pub flow: Flow,
}

/// Recipients that are away for a while: one that is called, one that calls.
pub(in crate::cli::demo) const AWAY: [&str; 2] = ["jobcenter-bremen", "drk-bremen"];

const JOBCENTER: &str = "jobcenter-bremen";
const AGENTUR: &str = "agentur-bremen-bremerhaven";
/// Where people who look for work are placed.
const PLACEMENT: &str = "vermittlung-bremen";

/// A way that suits a situation.
pub(super) fn way(dice: &mut SmallRng, agreement: &Agreement, situation: Situation) -> Way {
    use Situation::{Bremerhaven, ComesOfAge, NoNecessity, NoRoute, NoSecrecyRelease, OnlyHealth, OnwardAllowed, OnwardDenied, Statutory};
    let centres = institutions(agreement, MemberKind::CentreProvider);
    let centre = |dice: &mut SmallRng, except: &str| {
        let others: Vec<&str> = centres.iter().copied().filter(|id| *id != except).collect();
        others.choose(dice).copied().unwrap_or_default()
    };
    let (from, to, purpose) = match situation {
        Statutory | NoNecessity if dice.random_bool(0.5) => (JOBCENTER, AGENTUR, None),
        Statutory | NoNecessity => (AGENTUR, JOBCENTER, None),
        OnlyHealth | OnwardAllowed | OnwardDenied | Bremerhaven => (centre(dice, ""), JOBCENTER, Some(Purpose::JobSearch)),
        NoRoute => (centre(dice, ""), JOBCENTER, Some(Purpose::FamilyReunification)),
        NoSecrecyRelease => (centre(dice, ""), JOBCENTER, None),
        _ if situation.phase() == Phase::Away => match dice.random_range(0..3) {
            0 => (JOBCENTER, AWAY[1], None),
            1 => (centre(dice, AWAY[1]), AWAY[1], None),
            _ => (centre(dice, ""), AWAY[0], None),
        },
        _ => {
            let one = centre(dice, "");
            match dice.random_range(0..20) {
                0..6 => (one, JOBCENTER, None),
                6..9 => (one, AGENTUR, None),
                9..13 => (JOBCENTER, one, None),
                13 => (AGENTUR, one, None),
                _ => (one, centre(dice, one), None),
            }
        }
    };
    let youth = situation == ComesOfAge;
    let mut sender = party(dice, agreement, from, youth);
    if situation == Bremerhaven {
        let (institution, unit) = *[("caritas-bremen", "mbe-bremerhaven"), ("drk-bremen", "land-geestemuende")].choose(dice).unwrap_or(&("", ""));
        sender = Party { institution: institution.into(), unit: unit.into(), function: String::new() };
    }
    let recipient = party(dice, agreement, to, youth);
    let purpose = purpose.or_else(|| some_purpose(dice, agreement, from, to)).unwrap_or(Purpose::Appointment);
    let flow = if matches!(situation, Statutory | NoNecessity) { Flow::Statutory } else { Flow::Consent };
    Way { sender, recipient, purpose, flow }
}

/// From the Jobcenter, which received it, on to the Agentur.
pub(super) fn onward(way: &Way) -> Way {
    let agentur = Party { institution: AGENTUR.into(), unit: PLACEMENT.into(), function: String::new() };
    Way { sender: Party { function: String::new(), ..way.recipient.clone() }, recipient: agentur, purpose: way.purpose, flow: Flow::Statutory }
}

/// From Caritas to the Agentur and to the Jobcenter, for work.
pub(super) fn to_both(dice: &mut SmallRng, agreement: &Agreement) -> [Way; 2] {
    let sender = party(dice, agreement, "caritas-bremen", false);
    [AGENTUR, JOBCENTER].map(|to| {
        let (sender, recipient) = (sender.clone(), party(dice, agreement, to, false));
        Way { sender, recipient, purpose: Purpose::JobSearch, flow: Flow::Consent }
    })
}

/// What may go at most.
pub(super) fn widest(agreement: &Agreement, way: &Way) -> CategoryMask {
    route(agreement, way).map_or(CategoryMask::EMPTY, |route| route.widest)
}

/// What may come back at most.
pub(super) fn feedback(agreement: &Agreement, way: &Way) -> CategoryMask {
    route(agreement, way).map_or(CategoryMask::EMPTY, |route| route.feedback)
}

fn route<'a>(agreement: &'a Agreement, way: &Way) -> Option<&'a agreement::Route> {
    let id = |party: &Party| party.institution.parse::<InstitutionId>().ok();
    agreement.route(&id(&way.sender)?, &id(&way.recipient)?, purpose_from(way.purpose.into())?)
}

/// Another open unit of the same institution.
pub(super) fn another_unit(agreement: &Agreement, party: &Party) -> String {
    let member = party.institution.parse::<InstitutionId>().ok().and_then(|id| agreement.member(&id));
    let mut others = member.into_iter().flat_map(|member| member.units.values()).filter(|unit| unit.active && unit.id.as_str() != party.unit);
    others.next().map(|unit| unit.id.to_string()).unwrap_or_default()
}

fn institutions(agreement: &Agreement, kind: MemberKind) -> Vec<&str> {
    agreement.members().filter(|member| member.kind == kind).map(|member| member.id.as_str()).collect()
}

/// An open unit where the Jobcenter of the agreement is responsible; of centres one for the person's age.
fn party(dice: &mut SmallRng, agreement: &Agreement, institution: &str, youth: bool) -> Party {
    let member = institution.parse::<InstitutionId>().ok().and_then(|id| agreement.member(&id));
    let here = |ags: &str| agreement.municipality(ags).is_some_and(|municipality| municipality.jobcenter_route);
    let units: Vec<&UnitId> = member
        .into_iter()
        .flat_map(|member| member.units.values())
        .filter(|unit| unit.active && here(&unit.municipality) && (unit.kind == UnitKind::Jmd) == (youth && unit.ages.is_some()))
        .map(|unit| &unit.id)
        .collect();
    let unit = units.choose(dice).map(ToString::to_string).unwrap_or_default();
    let function = if institution == JOBCENTER || institution == AGENTUR { "Vermittlung" } else { "Migrationsberatung" };
    Party { institution: institution.into(), unit, function: function.into() }
}

fn some_purpose(dice: &mut SmallRng, agreement: &Agreement, from: &str, to: &str) -> Option<Purpose> {
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    let purposes = agreement::Purpose::WORDS
        .iter()
        .filter(|purpose| **purpose != agreement::Purpose::CaseConference && agreement.route(&from, &to, **purpose).is_some());
    purposes.copied().map(purpose_to).collect::<Vec<_>>().choose(dice).copied()
}
