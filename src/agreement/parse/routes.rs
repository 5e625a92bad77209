// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What may go from whom to whom.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::de::DeTable;

use super::entries::RouteEntry;
use super::reading::Reading;
use crate::agreement::{LegalBasis, Member, MemberKind, Necessity, Purpose, Route, Rule};
use crate::dialect::{Category, CategoryMask};
use crate::id::InstitutionId;

pub(super) fn category_sets(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, CategoryMask> {
    let Some(value) = file.remove("category_set") else { return BTreeMap::new() };
    let Some((span, named)) = reading.shape::<BTreeMap<String, Vec<String>>>(value, "category_set") else { return BTreeMap::new() };
    let mut sets = BTreeMap::new();
    for (name, members) in named {
        if name.parse::<Category>().is_ok() {
            reading.problem(&span, format!("category set `{name}` has the name of a category"), "choose another name");
        }
        // Sets do not contain sets: who reads a route must not have to follow a chain.
        let mask = reading.mask(&span, &members, &BTreeMap::new());
        sets.insert(name, mask);
    }
    sets
}

pub(super) fn rules(
    reading: &mut Reading<'_>,
    file: &mut DeTable<'_>,
    members: &BTreeMap<InstitutionId, Member>,
    necessities: &BTreeMap<String, Necessity>,
    sets: &BTreeMap<String, CategoryMask>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (span, entry) in reading.entries::<RouteEntry>(file, "route") {
        reading.text(&span, &entry.rule, "rule");
        let [from, to] = [&entry.from, &entry.to].map(|names| parties(reading, &span, names, members));
        let feedback = reading.mask(&span, &entry.feedback, sets);
        check_basis(reading, &span, &entry, necessities, &from, &to);
        if entry.purposes.is_empty() {
            reading.problem(&span, format!("route `{}` has no purpose", entry.rule), "name each purpose with its widest categories");
        }
        let name: Arc<str> = Arc::from(entry.rule.as_str());
        let mut rule = Rule { from: from.into_keys().cloned().collect(), to: to.into_keys().cloned().collect(), purposes: Vec::new() };
        for (purpose_name, categories) in &entry.purposes {
            let Some(purpose) = purpose(purpose_name) else {
                reading.problem(&span, format!("`{purpose_name}` is no purpose"), "use a name of weiche.type.v1.Purpose such as JOB_SEARCH");
                continue;
            };
            let widest = reading.mask(&span, categories, sets);
            if !widest.contains(Category::Ident) {
                reading.problem(&span, format!("{purpose_name} on route `{name}` leaves out IDENT"), "nobody can be referred without a name");
            }
            for other in &rules {
                if let Some((from, to, flow)) = both(other, &rule, purpose) {
                    let message = format!("{from} to {to} for {purpose_name} is on the routes `{}` and `{name}`", flow.rule);
                    reading.problem(&span, message, "one flow has one rule: merge them");
                }
            }
            let necessity = entry.necessity.clone();
            rule.purposes.push(Route {
                rule: name.clone(),
                purpose,
                widest,
                feedback,
                legal_basis: entry.legal_basis,
                necessity,
                onward: entry.onward,
            });
        }
        rules.push(rule);
    }
    rules
}

/// A flow for this purpose that stands in one rule and would stand in the other.
fn both<'a>(one: &'a Rule, other: &Rule, purpose: Purpose) -> Option<(&'a InstitutionId, &'a InstitutionId, &'a Route)> {
    let flow = one.purposes.iter().find(|flow| flow.purpose == purpose)?;
    let to = |from| one.to.iter().find(|to| *to != from && other.to.contains(to));
    one.from.iter().filter(|from| other.from.contains(from)).find_map(|from| to(from).map(|to| (from, to, flow)))
}

/// Members named by id, or by kind as `kind:centre_provider`.
fn parties<'m>(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    names: &[String],
    members: &'m BTreeMap<InstitutionId, Member>,
) -> BTreeMap<&'m InstitutionId, &'m Member> {
    let mut found = BTreeMap::new();
    if names.is_empty() {
        reading.problem(span, "a route needs somebody on both sides", "fill `from` and `to`");
    }
    for name in names {
        let named: Vec<_> = match name.strip_prefix("kind:").map(kind) {
            Some(Some(kind)) => members.iter().filter(|(_, member)| member.kind == kind).collect(),
            Some(None) => Vec::new(),
            None => members.iter().filter(|(id, _)| id.as_str() == name).collect(),
        };
        if named.is_empty() {
            reading.problem(
                span,
                format!("`{name}` names no member"),
                "use a member's id, or kind:centre_provider, kind:jobcenter, kind:agentur; there is no kind for immigration authorities, on purpose",
            );
        }
        found.extend(named);
    }
    found
}

/// The basis must fit both sides.
fn check_basis(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    entry: &RouteEntry,
    necessities: &BTreeMap<String, Necessity>,
    from: &BTreeMap<&InstitutionId, &Member>,
    to: &BTreeMap<&InstitutionId, &Member>,
) {
    let rule = &entry.rule;
    if entry.legal_basis.is_statutory() {
        if let Some(party) = from.values().chain(to.values()).find(|m| !m.section_35) {
            let message = format!("route `{rule}` is statutory, but `{}` is no section 35 body", party.id);
            reading.problem(span, message, "centres take part on consent only");
        }
        if entry.necessity.is_empty() {
            reading.problem(span, format!("route `{rule}` is statutory and names no necessity"), "list the codes of [[necessity]] that it allows");
        }
    } else if !entry.necessity.is_empty() {
        reading.problem(span, format!("route `{rule}` rests on consent and names a necessity"), "remove `necessity`");
    }
    if let Some(code) = entry.necessity.iter().find(|code| !necessities.contains_key(*code)) {
        reading.problem(span, format!("route `{rule}` names the unknown necessity `{code}`"), "add it as [[necessity]]");
    }
    if entry.legal_basis == LegalBasis::Consent
        && let Some(bound) = from.values().find(|m| m.section_203)
    {
        let message = format!("route `{rule}` lets `{}` send without a release from secrecy", bound.id);
        reading.problem(span, message, "a sender bound by section 203 StGB needs CONSENT_WITH_SECRECY_RELEASE");
    }
}

fn kind(name: &str) -> Option<MemberKind> {
    word(name)
}

fn purpose(name: &str) -> Option<Purpose> {
    word(name)
}

/// A word of a closed list, as serde spells it.
fn word<'de, T: Deserialize<'de>>(name: &'de str) -> Option<T> {
    T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(name)).ok()
}
