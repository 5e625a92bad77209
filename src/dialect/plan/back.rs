// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a place in the hub back to the field of the dialect that says it: who speaks a dialect is told about problems in its own words.

use super::super::path::{Select, Step};
use super::{Block, Native, Rule, ValueRule};

/// A step of a path as reports and problems spell it.
struct Part<'p> {
    name: &'p str,
    /// What stands in the brackets, such as `1`, nothing, or `system=ba-kundennummer`.
    which: Option<&'p str>,
}

/// The field of the dialect behind a canonical path; none if the dialect says nothing there. Where the path names a message and the dialect has only
/// fields of it, the first of these.
pub(in crate::dialect) fn native_path(block: &Block, canonical: &str) -> Option<String> {
    let parts: Vec<Part<'_>> = canonical.split('.').map(part).collect();
    best(block, &parts).map(|found| found.path)
}

fn part(text: &str) -> Part<'_> {
    match text.split_once('[') {
        Some((name, which)) => Part { name, which: which.strip_suffix(']') },
        None => Part { name: text, which: None },
    }
}

struct Found {
    /// Steps of the hub that were recognised; none if the field lies inside the place that was asked for.
    steps: Option<usize>,
    path: String,
}

/// The rule that names the place most closely, the first of equals.
fn best(block: &Block, parts: &[Part<'_>]) -> Option<Found> {
    let mut best: Option<Found> = None;
    for found in block.rules.iter().filter_map(|rule| of_rule(rule, parts)) {
        if best.as_ref().is_none_or(|best| found.steps > best.steps) {
            best = Some(found);
        }
    }
    best
}

fn of_rule(rule: &Rule, parts: &[Part<'_>]) -> Option<Found> {
    match rule {
        Rule::Enter { field, to, each, block } => {
            let (taken, at) = follow(to, parts)?;
            let mut name = field.name().to_owned();
            if *each {
                name.push_str(&at.map(|at| format!("[{at}]")).unwrap_or_default());
            } else if field.is_list() {
                name.push_str("[0]");
            }
            let rest = parts.get(taken..).unwrap_or_default();
            if taken < to.len() {
                return Some(Found { steps: None, path: name });
            }
            if rest.is_empty() {
                return Some(Found { steps: Some(taken), path: name });
            }
            let inside = best(block, rest)?;
            Some(Found { steps: inside.steps.map(|steps| steps + taken), path: format!("{name}.{}", inside.path) })
        }
        Rule::Value(rule) => rule.target.spots().into_iter().filter_map(|spot| of_value(rule, &spot.steps, parts)).max_by_key(|found| found.steps),
        Rule::Constant { .. } | Rule::Ignore { .. } => None,
    }
}

fn of_value(rule: &ValueRule, steps: &[Step], parts: &[Part<'_>]) -> Option<Found> {
    let (taken, at) = follow(steps, parts).filter(|_| rule.way.read)?;
    // A list in one text, or several fields, have no elements to name.
    let listed = matches!(&rule.native, Native::Field { field, .. } if field.is_list()) && rule.list.is_none() && rule.gather.is_none();
    let path = match at.filter(|_| listed) {
        Some(at) => format!("{}[{at}]", rule.name),
        None => rule.name.clone(),
    };
    Some(Found { steps: (taken == steps.len()).then_some(taken), path })
}

/// How many of the parts the steps take, and which element of what is many; none if they part ways. Fewer than the steps: the parts end before.
fn follow(steps: &[Step], parts: &[Part<'_>]) -> Option<(usize, Option<usize>)> {
    let mut element = None;
    for (taken, step) in steps.iter().enumerate() {
        let Some(part) = parts.get(taken) else { return Some((taken, element)) };
        if part.name != step.field.name() {
            return None;
        }
        let index = part.which.and_then(|which| which.parse::<usize>().ok());
        match &step.select {
            Select::One => {}
            Select::At(at) => {
                if index.is_some_and(|index| index != *at) {
                    return None;
                }
            }
            Select::From(from) => element = index.map(|index| index.checked_sub(*from)).unwrap_or(element),
            Select::Key { field, text, .. } => {
                let key = format!("{}={text}", field.name());
                if part.which.is_some_and(|which| which != key) {
                    return None;
                }
            }
        }
        if let (Select::From(from), Some(index)) = (&step.select, index)
            && index < *from
        {
            return None;
        }
    }
    Some((steps.len(), element))
}

#[cfg(test)]
mod tests {
    use crate::dialect::Dialects;

    #[test]
    fn a_place_in_the_hub_is_named_by_the_field_that_says_it() {
        let dialects = Dialects::embedded().unwrap();
        for (dialect, message, canonical, native) in [
            ("awo", "awo.v1.FallSendenAnfrage", "referral.recipient.unit", Some("fall.empfaenger_stelle")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral.subject.name.family", Some("fall.name")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral.subject.languages[1].language", Some("fall.sprachen")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral.consent.consent_id", Some("fall.ew_nr")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral", Some("fall")),
            ("awo", "awo.v1.FallSendenAnfrage", "request_id", Some("anfrage_nr")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral.recipient", Some("fall.empfaenger")),
            ("awo", "awo.v1.FallSendenAnfrage", "referral.nothing.of_this", None),
            (
                "diakonie",
                "diakonie.v1.VorgangUebermittelnAnfrage",
                "referral.subject.birth_date.year",
                Some("vorgang.natuerlichePerson.geburt.datum"),
            ),
            (
                "diakonie",
                "diakonie.v1.VorgangUebermittelnAnfrage",
                "referral.subject.nationalities[1]",
                Some("vorgang.natuerlichePerson.staatsangehoerigkeit[1]"),
            ),
        ] {
            let found = dialects.get(dialect).unwrap().native_path(message, canonical);
            assert_eq!(found.as_deref(), native, "{dialect}: {canonical}");
        }
    }

    #[test]
    fn every_problem_that_a_consent_can_have_is_named_in_every_dialect() {
        let dialects = Dialects::embedded().unwrap();
        for dialect in dialects.iter().skip(1) {
            let method = dialect.implementing("weiche.exchange.v1.ConsentService.RecordConsent").unwrap();
            for canonical in ["consent.grants[1].recipient.unit", "consent.evidence.sha256", "consent.granted_at", "consent.grants"] {
                assert!(dialect.native_path(&method.request, canonical).is_some(), "{}: {canonical}", dialect.name());
            }
        }
    }
}
