// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The cases of `tests/cases/findings/`: a file per finding, with what it must find and what it must leave alone.
//!
//! A case shows the judge things: a `consent` (changes to the record of the base case, with `first_referral`), a `recall`, an `entry` (with a `consent`),
//! somebody's `german` under a `consent`, or what is `overdue`; `times` over. The period is October 2026, the judge looks on 15 November.

use std::path::Path;

use prost::Message as _;
use serde::Deserialize;
use toml::{Table, Value};

use super::*;
use crate::agreement::{Agreement, Purpose};
use crate::dialect::CategoryMask;
use crate::exchange::excerpt::Routing;
use crate::exchange::retention::Purged;
use crate::id::DeliveryId;
use crate::numbered::Numbered;
use crate::proto::types;
use crate::referral::{Recall, RecallAnswer, RecallOutcome, Referral, ReferralState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    finding: String,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    found: bool,
    see: Vec<Seen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    #[serde(default = "one")]
    times: u32,
    consent: Option<Table>,
    first_referral: Option<i64>,
    german: Option<String>,
    recall: Option<Asked>,
    entry: Option<Logged>,
    overdue: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    issued_at: i64,
    due_at: i64,
    answered_at: Option<i64>,
    outcome: Option<String>,
    #[serde(default)]
    norm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Logged {
    kind: String,
    at: i64,
    #[serde(default)]
    granted: CategoryMask,
    #[serde(default)]
    consent_version: u32,
}

fn one() -> u32 {
    1
}

fn at(text: &str) -> Time {
    Time(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Times are written as times and read as milliseconds.
fn millis(value: Value) -> Value {
    match value {
        Value::Datetime(at) => Value::Integer(at.to_string().parse::<jiff::Timestamp>().unwrap().as_millisecond()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, millis(value))).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(millis).collect()),
        other => other,
    }
}

fn read(path: &Path) -> Value {
    millis(Value::Table(std::fs::read_to_string(path).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
}

fn merge(into: &mut Table, over: Table) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn consent(over: &Table) -> Consent {
    let base = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/consent/base/centre-to-jobcenter.toml"));
    let mut record = base["record"].as_table().unwrap().clone();
    merge(&mut record, over.clone());
    Value::Table(record).try_into().unwrap_or_else(|error| panic!("{error}"))
}

fn referral() -> Referral {
    Referral {
        id: ReferralId::random(),
        sender: "caritas-bremen".parse().unwrap(),
        sender_unit: "mbe-mitte".parse().unwrap(),
        recipient: "jobcenter-bremen".parse().unwrap(),
        recipient_unit: "vermittlung-mitte".parse().unwrap(),
        purpose: Purpose::JobSearch,
        state: ReferralState::Submitted,
        reason: None,
        decision: 1,
        version: 1,
        consent: None,
        consent_version: 1,
        necessity: String::new(),
        onward: false,
        origin: None,
        subject: [0; 32],
        carried: CategoryMask::EMPTY,
        stored: CategoryMask::EMPTY,
        case_number: Vec::new(),
        delivery: DeliveryId::random(),
        submitted_at: at("2026-10-10T08:00:00Z"),
        changed_at: at("2026-10-10T08:00:00Z"),
        changed_leaf: 0,
    }
}

/// Whether a submission with this level would be noted; as the gateway itself reads it.
fn noted(level: &str, consent: &Consent) -> bool {
    let level = types::CefrLevel::from_str_name(&format!("CEFR_LEVEL_{level}")).unwrap();
    let german = types::GermanLevel { lowest: level.into(), highest: level.into(), ..Default::default() };
    let referral = types::Referral { german: Some(german), ..Default::default() };
    Routing::decode(referral.encode_to_vec().as_slice()).unwrap().is_below_b1() && is_unexplained(consent)
}

fn show(judge: &mut Judge<'_>, seen: &Seen) {
    let consent = seen.consent.as_ref().map(consent);
    if let Some(level) = &seen.german {
        if noted(level, consent.as_ref().unwrap()) {
            judge.unexplained(&referral());
        }
    } else if let Some(Logged { kind, at, granted, consent_version }) = &seen.entry {
        let kind = EntryKind::from_str_name(&format!("ENTRY_KIND_{kind}")).unwrap();
        let mut entry = Entry { kind: kind.into(), at_ms: *at, granted: granted.bits(), consent_version: *consent_version, ..Entry::default() };
        (entry.actor, entry.counterpart) = ("caritas-bremen".into(), "jobcenter-bremen".into());
        if let Some(consent) = &consent {
            entry.consent_id = bytes::Bytes::copy_from_slice(consent.id.as_bytes());
            entry.detail = "referral".into();
        }
        judge.entry(7, &entry, consent.as_ref());
    } else if let Some(consent) = &consent {
        judge.consent(consent, seen.first_referral.map(Time));
    }
    if let Some(Asked { issued_at, due_at, answered_at, outcome, norm }) = &seen.recall {
        let outcome = outcome.as_ref().map(|name| {
            let number = types::RecallOutcome::from_str_name(&format!("RECALL_OUTCOME_{name}")).unwrap();
            RecallOutcome::from_number(i32::from(number).into()).unwrap()
        });
        judge.recall(&Recall {
            id: DeliveryId::random(),
            referral: ReferralId::random(),
            recipient: "jobcenter-bremen".parse().unwrap(),
            issued_at: Time(*issued_at),
            due_at: Time(*due_at),
            reason: None,
            categories: CategoryMask::EMPTY,
            reminders: 0,
            remind_at: Time(0),
            answer: outcome.map(|outcome| RecallAnswer { outcome, norm: norm.clone(), at: Time(answered_at.unwrap()) }),
        });
    }
    if let Some(contents) = seen.overdue {
        judge.overdue(&Purged { contents, ..Purged::default() });
    }
}

#[test]
fn every_finding_is_found_where_it_is_and_nowhere_else() {
    let agreement = Agreement::parse(include_str!("../../../agreement/bremen.toml")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/findings");
    let mut missing: Vec<_> = FindingKind::WORDS.to_vec();
    let mut wrong = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let File { finding, case: cases } = read(&path).try_into().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kind = crate::proto::audit::FindingKind::from_str_name(&format!("FINDING_KIND_{finding}")).unwrap();
        let kind = FindingKind::from_number(i32::from(kind).into()).unwrap();
        missing.retain(|missing| *missing != kind);
        assert!(cases.iter().any(|case| case.found) && cases.iter().any(|case| !case.found), "{finding}: both sides have a case");
        for case in cases {
            let mut judge = Judge::new(&agreement, at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"), at("2026-11-15T00:00:00Z"));
            case.see.iter().for_each(|seen| (0..seen.times).for_each(|_| show(&mut judge, seen)));
            let found = judge.findings().iter().any(|one| one.kind == kind && one.stands_out);
            if found != case.found {
                wrong.push(format!("{finding}: {}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(missing.is_empty(), "no cases for {missing:?}");
}
