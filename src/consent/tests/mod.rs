// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The cases of `tests/cases/consent/`, and the laws that hold for all of them.
//!
//! A case names a base file and changes it: `request`, `record` and `origin` are merged over it, `drop` removes paths, `origin_of` takes the
//! record of another base as the consent of origin. It expects a reason, and of a permit the mask. A table is many cases: see [`files`].

mod files;
mod laws;
mod recording;
mod withdrawing;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use files::{case, cases};

use super::*;
use crate::agreement::{Agreement, Purpose};
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};
use crate::id::InstitutionId;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn bremen() -> Agreement {
    Agreement::parse(include_str!("../../../agreement/bremen.toml")).unwrap()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sender: String,
    recipient: String,
    purpose: Purpose,
    #[serde(default = "outward")]
    direction: Direction,
    subject: SubjectRef,
    categories: CategoryMask,
    submitted_at: Time,
    necessity: Option<String>,
    #[serde(default)]
    onward: bool,
    municipality: Option<String>,
    born: Option<Day>,
}

fn outward() -> Direction {
    Direction::Outward
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    name: String,
    request: Asked,
    record: Option<Consent>,
    origin: Option<Consent>,
    now: Time,
    #[serde(default = "not_active")]
    expect: Reason,
    mask: Option<CategoryMask>,
    #[serde(default)]
    withheld: BTreeMap<Category, Reason>,
    rest: Option<Reason>,
}

fn not_active() -> Reason {
    Reason::NotActive
}

fn party(text: &str) -> Party {
    let (institution, unit) = text.split_once('/').unwrap();
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

impl Case {
    /// What is expected to stay behind.
    fn stays(&self) -> BTreeMap<Category, Reason> {
        let rest = self.rest.into_iter().flat_map(|reason| (self.request.categories - self.mask.unwrap()).iter().map(move |c| (c, reason)));
        rest.chain(self.withheld.clone()).collect()
    }

    fn ask(&self, agreement: &Agreement) -> Decision {
        self.ask_at(agreement, self.now)
    }

    fn ask_at(&self, agreement: &Agreement, now: Time) -> Decision {
        self.ask_with(agreement, Evidence { consent: self.record.as_ref(), origin: self.origin.as_ref() }, now)
    }

    fn ask_with(&self, agreement: &Agreement, evidence: Evidence<'_>, now: Time) -> Decision {
        let asked = &self.request;
        let request = Request {
            sender: &party(&asked.sender),
            recipient: &party(&asked.recipient),
            purpose: asked.purpose,
            direction: asked.direction,
            subject: &asked.subject,
            categories: asked.categories,
            submitted_at: asked.submitted_at,
            necessity: asked.necessity.as_deref(),
            onward: asked.onward,
            municipality: asked.municipality.as_deref(),
            born: asked.born,
        };
        decide(&request, evidence, agreement, now)
    }
}

fn fits(name: &str) -> Case {
    let mut table = Table::new();
    table.insert("name".into(), "fits".into());
    table.insert("base".into(), name.into());
    case(table)
}

#[test]
fn nothing_permits_nothing() {
    let agreement = bremen();
    for base in ["centre-to-jobcenter", "jobcenter-to-centre", "centre-to-centre"] {
        let mut case = fits(base);
        case.record = None;
        assert_eq!(case.ask(&agreement).reason(), Reason::NoRecord);
    }
}

#[test]
fn every_case_is_decided_as_written() {
    let agreement = bremen();
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let decision = case.ask(&agreement);
        let withheld: BTreeMap<Category, Reason> = decision.withheld().iter().copied().collect();
        let mut says = vec![decision.reason() == case.expect];
        says.push(withheld.values().all(|reason| Reason::WITHHOLDS.contains(reason)));
        if let Decision::Permitted(permit) = &decision {
            says.push(case.mask.is_none_or(|mask| mask == permit.mask()));
            says.push(withheld == case.stays());
        }
        if says.contains(&false) {
            wrong.push(format!("{}: {decision:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 550, "only {} cases", cases.len());
    let seen: Vec<Reason> = cases.iter().map(|case| case.expect).collect();
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !seen.contains(reason)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn a_permit_says_what_the_recipient_must_be_told() {
    let agreement = bremen();
    for (base, sgbx_78, origin_203) in [
        ("centre-to-jobcenter", false, true),
        ("jobcenter-to-centre", true, false),
        ("centre-to-centre", false, true),
        ("jobcenter-to-agentur", false, false),
    ] {
        let Decision::Permitted(permit) = fits(base).ask(&agreement) else { panic!("{base} is denied") };
        assert_eq!((permit.sgbx_78(), permit.origin_203_stgb()), (sgbx_78, origin_203), "{base}");
        assert_eq!(permit.consent().is_none(), permit.legal_basis().is_statutory());
        assert_eq!(&**permit.agreement_version(), "2026-1");
    }
}

#[test]
fn a_record_reads_back_from_json() {
    for base in ["centre-to-jobcenter", "jobcenter-to-centre"] {
        let record = fits(base).record.unwrap();
        assert_eq!(serde_json::from_str::<Consent>(&serde_json::to_string(&record).unwrap()).unwrap(), record);
        assert!(!format!("{record:?}").contains("p-1"), "Debug shows who it is");
    }
}
