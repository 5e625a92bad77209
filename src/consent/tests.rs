// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The cases of `tests/cases/consent/`, and the laws that hold for all of them.
//!
//! A case names a base file and changes it: `request`, `record` and `origin` are merged over it, `drop` removes paths, `origin_of` takes the
//! record of another base as the consent of origin. It expects a reason, and of a permit the mask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use toml::{Table, Value};

use super::*;
use crate::agreement::{Agreement, Purpose};
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};
use crate::id::InstitutionId;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn bremen() -> Agreement {
    Agreement::parse(include_str!("../../agreement/bremen.toml")).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/consent")
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
}

fn not_active() -> Reason {
    Reason::NotActive
}

fn party(text: &str) -> Party {
    let (institution, unit) = text.split_once('/').unwrap();
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

impl Case {
    fn ask(&self, agreement: &Agreement) -> Decision {
        self.ask_at(agreement, self.now)
    }

    fn ask_at(&self, agreement: &Agreement, now: Time) -> Decision {
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
        };
        decide(&request, Evidence { consent: self.record.as_ref(), origin: self.origin.as_ref() }, agreement, now)
    }
}

fn read(path: &Path) -> Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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

fn merge(into: &mut Table, over: Table) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn remove(from: &mut Table, path: &str) {
    match path.split_once('.') {
        Some((head, rest)) => remove(from.get_mut(head).unwrap().as_table_mut().unwrap(), rest),
        None => assert!(from.remove(path).is_some(), "nothing to drop at {path}"),
    }
}

fn base(name: &str) -> Table {
    read(&folder().join("base").join(format!("{name}.toml")))
}

fn case(mut entry: Table) -> Case {
    let name = entry["name"].as_str().unwrap().to_owned();
    let mut table = base(entry.remove("base").unwrap_or_else(|| panic!("{name}: no base")).as_str().unwrap());
    if let Some(of) = entry.remove("origin_of") {
        table.insert("origin".into(), base(of.as_str().unwrap()).remove("record").unwrap());
    }
    let drop = entry.remove("drop");
    merge(&mut table, entry);
    for path in drop.iter().flat_map(|paths| paths.as_array().unwrap()) {
        remove(&mut table, path.as_str().unwrap());
    }
    millis(Value::Table(table)).try_into().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn cases() -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path()).filter(|p| p.is_file()).collect();
    files.sort();
    let entries = files.iter().flat_map(|path| read(path).remove("case").unwrap().as_array().unwrap().clone());
    entries.map(|entry| case(entry.as_table().unwrap().clone())).collect()
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
        if let Decision::Permitted(permit) = &decision {
            says.push(case.mask.is_none_or(|mask| mask == permit.mask()));
            says.push(withheld == case.withheld);
        }
        if says.contains(&false) {
            wrong.push(format!("{}: {decision:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let seen: Vec<Reason> = cases.iter().map(|case| case.expect).collect();
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !seen.contains(reason)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn a_permit_says_what_the_recipient_must_be_told() {
    let agreement = bremen();
    for (base, sgbx_78, origin_203) in
        [("centre-to-jobcenter", false, true), ("jobcenter-to-centre", true, false), ("centre-to-centre", false, true), ("jobcenter-to-agentur", false, false)]
    {
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

mod recording {
    use super::*;

    fn recorded(change: impl FnOnce(&mut Consent)) -> Result<Consent, Vec<String>> {
        let case = fits("centre-to-jobcenter");
        let mut record = case.record.unwrap();
        change(&mut record);
        record_new(record, None, &bremen(), case.now).map_err(|all| all.into_iter().map(|p| p.path).collect())
    }

    #[test]
    fn a_complete_record_becomes_version_1_with_an_event() {
        let record = recorded(|r| {
            r.version = 77;
            r.valid_until = None;
        })
        .unwrap();
        assert_eq!((record.version, record.history.len()), (1, 1));
        assert_eq!(record.valid_until, Some(Time(record.granted_at.0 + 365 * DAY)));
        assert_eq!(record.retention.unwrap().delete_after, RetentionDay { year: 2030, month: 12, day: 31 });
    }

    #[test]
    fn what_is_missing_is_named_by_its_path() {
        let mut wrong: Vec<(fn(&mut Consent), &str)> = Vec::new();
        wrong.push((|r| r.schema_version = "2".into(), "schema_version"));
        wrong.push((|r| r.subject.0.clear(), "subject_ref"));
        wrong.push((|r| r.recorded_by_role.clear(), "recorded_by_role"));
        wrong.push((|r| r.dpo_contact = " ".into(), "dpo_contact"));
        wrong.push((|r| r.grants.clear(), "grants"));
        wrong.push((|r| r.grants[0].recipient.unit = "alle".parse().unwrap(), "grants[0].recipient"));
        wrong.push((|r| r.grants[1].recipient.institution = "bamf".parse().unwrap(), "grants[1].recipient"));
        wrong.push((|r| r.grants[1].categories = CategoryMask::EMPTY, "grants[1].categories"));
        wrong.push((|r| r.grants.push(r.grants[0].clone()), "grants[2]"));
        wrong.push((|r| r.special_explicit = CategoryMask::EMPTY, "special_categories_explicit"));
        wrong.push((|r| r.special_explicit |= Category::Work.mask(), "special_categories_explicit"));
        wrong.push((|r| r.form = Form::OralDocumented, "form"));
        wrong.push((|r| r.secrecy_release = None, "secrecy_release"));
        wrong.push((|r| r.secrecy_release.as_mut().unwrap().functions.clear(), "secrecy_release.functions"));
        wrong.push((|r| r.secrecy_release.as_mut().unwrap().professions = vec![1], "secrecy_release.professions"));
        wrong.push((|r| r.secrecy_release.as_mut().unwrap().towards.clear(), "secrecy_release.towards"));
        wrong.push((|r| r.evidence.sha256.truncate(63), "evidence.sha256"));
        wrong.push((|r| r.evidence.location.clear(), "evidence.location"));
        wrong.push((|r| r.template.version = "1".into(), "template"));
        wrong.push((|r| r.template.version = "9".into(), "template"));
        wrong.push((|r| r.template.text_sha256.replace_range(0..1, "0"), "template.text_sha256"));
        wrong.push((|r| r.informed_of.onward_duties = false, "informed_of.onward_duties"));
        wrong.push((|r| r.voluntariness.no_benefit_linkage = false, "voluntariness.no_benefit_linkage"));
        wrong.push((|r| r.granted_at.0 += 30 * DAY, "granted_at"));
        wrong.push((|r| r.valid_until = Some(Time(r.granted_at.0 + 740 * DAY)), "valid_until"));
        wrong.push((|r| r.valid_until = r.valid_from, "valid_until"));
        wrong.push((|r| r.valid_from = Some(Time(r.granted_at.0 - DAY)), "valid_from"));
        wrong.push((|r| r.capability = None, "grantor"));
        wrong.push((|r| r.grantor.kind = GrantorKind::ParentBoth, "grantor"));
        wrong.push((|r| r.status = Status::Withdrawn, "status"));
        wrong.push((|r| r.supersedes = Some(r.id), "supersedes"));
        wrong.push((|r| r.regime = crate::agreement::DataProtectionRegime::DsgEkd, "regime"));
        for (change, path) in wrong {
            let found = recorded(change).unwrap_err();
            assert!(found.iter().any(|p| p == path), "{path} not in {found:?}");
        }
    }

    #[test]
    fn a_child_under_15_needs_a_parent_whose_say_ends_with_the_18th_birthday() {
        let child = |r: &mut Consent| {
            r.capability = Some(Capability::Under15);
            r.grantor = Grantor {
                kind: GrantorKind::ParentBoth,
                areas: vec![],
                reservation_of_consent: false,
                proof: "geburtsurkunde".into(),
                entitled_until: Some(Time(r.granted_at.0 + 900 * DAY)),
            };
        };
        assert!(recorded(child).is_ok());
        assert!(recorded(|r| { child(r); r.grantor.entitled_until = None }).is_err());
        assert!(recorded(|r| { child(r); r.grantor.kind = GrantorKind::Own }).is_err());
    }

    #[test]
    fn a_wider_version_needs_a_later_consent() {
        let agreement = bremen();
        let case = fits("centre-to-jobcenter");
        let first = record_new(case.record.clone().unwrap(), None, &agreement, case.now).unwrap();
        let mut wider = case.record.unwrap();
        wider.grants[1].categories = wider.grants[1].categories.with(Category::Address);
        let problems = record_new(wider.clone(), Some(&first), &agreement, case.now).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["granted_at"]);
        wider.granted_at.0 += DAY;
        wider.valid_from = Some(wider.granted_at);
        let second = record_new(wider.clone(), Some(&first), &agreement, case.now).unwrap();
        assert_eq!((second.version, second.history.len()), (2, 2));
        wider.subject.0 = "p-2".into();
        assert!(record_new(wider, Some(&second), &agreement, case.now).is_err());
    }
}

mod withdrawing {
    use super::*;

    fn taken_back(record: &Consent, scope: &Scope, at: Time) -> Consent {
        let received_by: InstitutionId = "jobcenter-bremen".parse().unwrap();
        withdraw(record, &Withdrawal { scope, at, received_by: &received_by, channel: "counter" })
    }

    #[test]
    fn the_whole_is_withdrawn_at_once_and_only_once() {
        let agreement = bremen();
        let mut case = fits("centre-to-jobcenter");
        let after = taken_back(case.record.as_ref().unwrap(), &Scope::default(), case.now);
        assert_eq!((after.status, after.version, after.history.len()), (Status::Withdrawn, 2, 1));
        assert_eq!(taken_back(&after, &Scope::default(), Time(case.now.0 + DAY)), after);
        case.record = Some(after);
        assert_eq!(case.ask(&agreement).reason(), Reason::Withdrawn);
    }

    #[test]
    fn one_recipient_is_withdrawn_and_the_other_stays() {
        let agreement = bremen();
        let mut case = fits("centre-to-jobcenter");
        let scope = Scope { recipient: Some("jobcenter-bremen".parse().unwrap()), ..Scope::default() };
        case.record = Some(taken_back(case.record.as_ref().unwrap(), &scope, case.now));
        assert_eq!(case.ask(&agreement).reason(), Reason::WrongRecipient);
        case.request.recipient = "agentur-bremen-bremerhaven/vermittlung-bremen".into();
        assert_eq!(case.ask(&agreement).reason(), Reason::Ok);
    }

    #[test]
    fn one_kind_of_data_is_withdrawn_from_everybody() {
        let agreement = bremen();
        let mut case = fits("centre-to-jobcenter");
        let scope = Scope { categories: Category::Work.mask() | Category::Health.mask(), ..Scope::default() };
        let after = taken_back(case.record.as_ref().unwrap(), &scope, case.now);
        assert!(after.special_explicit.is_empty());
        case.record = Some(after);
        let decision = case.ask(&agreement);
        assert_eq!(decision.withheld(), [(Category::Work, Reason::CategoryNotCovered)]);
    }

    #[test]
    fn withdrawing_feedback_leaves_the_referral() {
        let agreement = bremen();
        let mut case = fits("centre-to-jobcenter");
        let scope = Scope { purpose: Some(Purpose::StatusFeedback), ..Scope::default() };
        case.record = Some(taken_back(case.record.as_ref().unwrap(), &scope, case.now));
        assert_eq!(case.ask(&agreement).reason(), Reason::Ok);
        case.request.direction = Direction::Feedback;
        case.request.categories = Category::Outcome.mask();
        assert_eq!(case.ask(&agreement).reason(), Reason::CategoryNotCovered);
    }

    #[test]
    fn a_status_follows_only_the_one_before() {
        let record = fits("centre-to-jobcenter").record.unwrap();
        let superseded = transition(&record, Status::Superseded, record.granted_at, None, "record").unwrap();
        assert_eq!(
            transition(&superseded, Status::Active, record.granted_at, None, "record"),
            Err(LifecycleError { from: Status::Superseded, to: Status::Active })
        );
        assert!(transition(&superseded, Status::EnteredInError, record.granted_at, None, "record").is_ok());
    }
}

mod laws {
    use super::*;

    fn any_mask() -> impl Strategy<Value = CategoryMask> {
        any::<u32>().prop_map(CategoryMask::from_bits)
    }

    fn any_case() -> impl Strategy<Value = Case> {
        let all = cases();
        (0..all.len(), any_mask(), any_mask(), any_mask(), any::<[bool; 3]>()).prop_map(move |(i, sent, granted, special, [a, b, c])| {
            let mut case = all[i].clone();
            if a {
                case.request.categories |= sent;
            }
            if let Some(record) = &mut case.record {
                if b {
                    record.grants.iter_mut().for_each(|grant| grant.categories |= granted);
                }
                if c {
                    record.special_explicit = special & CategoryMask::SPECIAL;
                }
            }
            case
        })
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let recipient = prop::option::of(prop::sample::select(vec!["jobcenter-bremen", "awo-bremen", "diakonie-bremen", "drk-bremen"]));
        let purposes = vec![Purpose::JobSearch, Purpose::CounsellingReferral, Purpose::StatusFeedback];
        (recipient, prop::option::of(prop::sample::select(purposes)), any_mask(), any::<bool>()).prop_map(|(recipient, purpose, mask, all)| Scope {
            recipient: recipient.map(|id| id.parse().unwrap()),
            purpose,
            categories: if all { CategoryMask::EMPTY } else { mask },
        })
    }

    fn mask(decision: &Decision) -> CategoryMask {
        match decision {
            Decision::Permitted(permit) => permit.mask(),
            Decision::Denied(_) => CategoryMask::EMPTY,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_goes_that_was_not_sent_and_everything_sent_is_accounted_for(case in any_case()) {
            if let Decision::Permitted(permit) = case.ask(&bremen()) {
                let withheld: CategoryMask = permit.withheld().iter().map(|(category, _)| *category).collect();
                prop_assert_eq!(permit.mask() | withheld, case.request.categories);
                prop_assert!((permit.mask() & withheld).is_empty());
            }
        }

        #[test]
        fn a_withdrawal_never_widens_and_the_same_again_changes_nothing(case in any_case(), scope in any_scope()) {
            let agreement = bremen();
            let Some(record) = &case.record else { return Ok(()) };
            let by: InstitutionId = "drk-bremen".parse().unwrap();
            let withdrawal = Withdrawal { scope: &scope, at: case.now, received_by: &by, channel: "letter" };
            let after = withdraw(record, &withdrawal);
            prop_assert_eq!(&withdraw(&after, &withdrawal), &after);
            let narrowed = Case { record: Some(after), ..case.clone() };
            prop_assert!(mask(&case.ask(&agreement)).covers(mask(&narrowed.ask(&agreement))));
        }

        #[test]
        fn narrowing_a_record_never_widens(case in any_case(), keep in any_mask(), ticks in any_mask(), drop in any::<usize>()) {
            let agreement = bremen();
            let mut narrowed = case.clone();
            let Some(record) = &mut narrowed.record else { return Ok(()) };
            record.special_explicit = record.special_explicit & ticks;
            if let Some(grant) = record.grants.get_mut(drop % 3) {
                grant.categories = grant.categories & keep;
                grant.feedback = grant.feedback & keep;
            }
            prop_assert!(mask(&case.ask(&agreement)).covers(mask(&narrowed.ask(&agreement))));
        }

        #[test]
        fn time_only_takes_away(case in any_case(), later in 0..(800 * DAY), still_later in 0..(800 * DAY)) {
            let agreement = bremen();
            let first = case.ask(&agreement);
            let (then, at_last) = (Time(case.now.0 + later), Time(case.now.0 + later + still_later));
            let second = case.ask_at(&agreement, then);
            if matches!(first, Decision::Permitted(_)) {
                prop_assert!(mask(&first).covers(mask(&second)));
                let ended = matches!(second.reason(), Reason::Ok | Reason::Expired | Reason::GrantorNotEntitled | Reason::TemplateRevoked);
                prop_assert!(ended, "{:?}", second.reason());
                prop_assert!(mask(&second).covers(mask(&case.ask_at(&agreement, at_last))));
            }
        }

        #[test]
        fn what_the_decision_does_not_need_does_not_matter(case in any_case(), text in "\\PC{0,20}") {
            let agreement = bremen();
            let mut other = case.clone();
            let Some(record) = &mut other.record else { return Ok(()) };
            record.receipt_id.clone_from(&text);
            record.recorded_by_role.clone_from(&text);
            record.dpo_contact.clone_from(&text);
            record.evidence.location.clone_from(&text);
            record.explanation.language.clone_from(&text);
            record.created_at = None;
            record.grants.reverse();
            record.history.clear();
            prop_assert_eq!(case.ask(&agreement), other.ask(&agreement));
        }
    }
}
