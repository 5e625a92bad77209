// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The plain translator: trees of owned values, looked up by number, read and written by prost-reflect. It runs the same plans and knows the same
//! spellings of single values as `dialect::translate`, and is as slow as it is easy to follow. Whatever is translated here by both comes out the same.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a reference stops where it is wrong")]

mod made_up;
mod message;
mod minimise;
mod native;
mod path;
mod read;
mod render;
mod spelling;
mod verify;

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use self::message::Message;
use super::category::{CategoryMask, RecipientKind};
use super::registry::{Dialect, Dialects};
use super::report::{FieldProblem, Report, TranslateError};
use super::translate::Detail;

static DIALECTS: LazyLock<Dialects> = LazyLock::new(|| {
    let folder = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/dialects").join(name);
    let folders: Vec<_> = std::fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    Dialects::with_folders(&folders).unwrap_or_else(|errors| panic!("{errors}"))
});

fn line(report: &mut Report, path: impl Into<String>, outcome: super::report::Outcome) {
    report.fields.push(super::report::FieldReport { path: path.into(), outcome });
}

/// What came out: the message, the lines of its report, and what is wrong, without an order.
type Outcome = Option<(DynamicMessage, Report, Vec<FieldProblem>)>;

fn told(mut report: Report, mut problems: Vec<FieldProblem>) -> (Report, Vec<FieldProblem>) {
    report.fields.sort_by_key(|field| format!("{field:?}"));
    report.fields.dedup();
    problems.sort_by_key(|problem| format!("{problem:?}"));
    (report, problems)
}

fn slowly_read(dialect: &Dialect, message: &str, bytes: &[u8]) -> Outcome {
    let plan = dialect.plan(message).unwrap();
    let native = Message::of(&DynamicMessage::decode(plan.native.clone(), bytes).ok()?);
    let (hub, report, problems) = read::read(plan, DIALECTS.lists(), &native, Detail::Losses);
    let (report, problems) = told(report, problems);
    Some((hub.theirs(&plan.hub.message), report, problems))
}

fn slowly_rendered(dialect: &Dialect, message: &str, bytes: &[u8], mask: CategoryMask) -> Outcome {
    let plan = dialect.plan(message).unwrap();
    let mut hub = Message::of(&DynamicMessage::decode(plan.hub.message.clone(), bytes).ok()?);
    let mut report = Report::default();
    minimise::strip(&plan.hub, DIALECTS.lists(), &mut hub, mask, None, &mut report);
    let block = plan.for_mask(mask);
    let (native, rendered, problems) = render::render(plan, &block, &hub, Detail::Losses);
    report.fields.extend(rendered.fields);
    let (report, problems) = told(report, problems);
    Some((native.theirs(&plan.native), report, problems))
}

fn quickly(descriptor: &prost_reflect::MessageDescriptor, outcome: Result<(Bytes, Report, Vec<FieldProblem>), TranslateError>) -> Outcome {
    let (bytes, report, problems) = outcome.ok()?;
    let (report, problems) = told(report, problems);
    Some((DynamicMessage::decode(descriptor.clone(), bytes).unwrap(), report, problems))
}

/// Unknown fields pass through copied messages; what they are is not compared.
fn known(outcome: Outcome) -> Option<(Message<'static>, Report, Vec<FieldProblem>)> {
    outcome.map(|(message, report, problems)| {
        let mut message = Message::of(&message);
        message.forget_unknown();
        (message, report, problems)
    })
}

fn same<T: PartialEq + std::fmt::Debug, U: PartialEq + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    fast: Option<(T, U, V)>,
    slow: Option<(T, U, V)>,
    message: &str,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(fast.is_some(), slow.is_some(), "{}", message);
    if let (Some(fast), Some(slow)) = (fast, slow) {
        prop_assert_eq!(fast.2, slow.2, "{}", message);
        prop_assert_eq!(fast.1, slow.1, "{}", message);
        prop_assert_eq!(fast.0, slow.0, "{}", message);
    }
    Ok(())
}

fn compare_read(dialect: &Dialect, message: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let hub = &dialect.plan(message).unwrap().hub.message;
    let (fast, slow) = (quickly(hub, dialect.read_all(message, bytes, Detail::Losses)), slowly_read(dialect, message, bytes));
    same(known(fast), known(slow), message)
}

fn compare_rendered(dialect: &Dialect, message: &str, bytes: &[u8], mask: CategoryMask) -> Result<(), TestCaseError> {
    let native = &dialect.plan(message).unwrap().native;
    let fast = quickly(native, dialect.render_all(message, bytes, mask, Detail::Losses));
    same(known(fast), known(slowly_rendered(dialect, message, bytes, mask)), message)
}

/// Every message of every dialect that stands for a canonical one.
fn messages() -> Vec<(&'static Dialect, String)> {
    let speakers = DIALECTS.iter().filter(|dialect| dialect.name() != "canonical");
    speakers.flat_map(|dialect| dialect.messages().filter(|name| dialect.plan(name).is_some()).map(|name| (&**dialect, name.to_owned()))).collect()
}

fn any_mask() -> impl Strategy<Value = CategoryMask> {
    let some = any::<u32>().prop_map(|bits| CategoryMask::ALL.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, one)| one).collect());
    prop_oneof![1 => Just(CategoryMask::ALL), 2 => some]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_made_up_is_translated_alike(seed: u64, mask in any_mask(), hit in proptest::option::weighted(0.3, (any::<usize>(), 0u32..8))) {
        let speaking = messages();
        // A whole referral as often as anything else.
        let tops: Vec<_> = speaking.iter().filter(|(dialect, name)| dialect.message_for("weiche.type.v1.Referral") == Some(name)).collect();
        let mut dice = made_up::Dice::new(seed);
        let (dialect, name) = if dice.chance(2) { tops[dice.below(tops.len())] } else { &speaking[dice.below(speaking.len())] };
        let plan = dialect.plan(name).unwrap();
        for (descriptor, out) in [(&plan.native, false), (&plan.hub.message, true)] {
            let mut bytes = made_up::message(&mut dice, DIALECTS.lists(), descriptor, 0).encode_to_vec();
            if let (Some((at, bit)), false) = (hit, bytes.is_empty()) {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            if out {
                compare_rendered(dialect, name, &bytes, mask)?;
            } else {
                compare_read(dialect, name, &bytes)?;
                // What came in goes out to somebody else.
                if let Ok((hub, _, _)) = dialect.read_all(name, &bytes, Detail::None) {
                    for (other, name) in speaking.iter().filter(|(other, name)| other.plan(name).is_some_and(|other| other.hub.message == plan.hub.message)) {
                        compare_rendered(other, name, &hub, mask)?;
                    }
                }
            }
        }
    }
}

#[test]
fn the_examples_of_every_dialect_are_cut_alike() {
    for (dialect, name) in messages().into_iter().filter(|(dialect, name)| dialect.message_for("weiche.type.v1.Referral") == Some(name)) {
        for seed in 1..40 {
            let mut dice = made_up::Dice::new(seed);
            let bytes = made_up::message(&mut dice, DIALECTS.lists(), &dialect.plan(&name).unwrap().hub.message, 0).encode_to_vec();
            let mask: CategoryMask = CategoryMask::ALL.iter().filter(|_| dice.chance(2)).collect();
            let shape = &dialect.plan(&name).unwrap().hub;
            let mut hub = Message::of(&DynamicMessage::decode(shape.message.clone(), bytes.as_slice()).unwrap());
            let mut report = Report::default();
            minimise::strip(shape, DIALECTS.lists(), &mut hub, mask, Some(RecipientKind::Jobcenter), &mut report);
            let cut = DIALECTS.minimise("weiche.type.v1.Referral", &bytes, mask, RecipientKind::Jobcenter).unwrap();
            assert_eq!(DynamicMessage::decode(shape.message.clone(), cut.bytes).unwrap(), hub.theirs(&shape.message));
            let mut withheld: Vec<_> = report.withheld().map(|(path, category)| (path.to_owned(), category)).collect();
            let mut stayed = cut.withheld;
            withheld.sort();
            stayed.sort();
            assert_eq!(stayed, withheld);
        }
    }
}
