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
use crate::agreement::{LegalBasis, Member, MemberKind, Necessity, Purpose, Route};
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

pub(super) type Routes = BTreeMap<InstitutionId, BTreeMap<InstitutionId, Vec<Route>>>;

pub(super) fn routes(
    reading: &mut Reading<'_>,
    file: &mut DeTable<'_>,
    members: &BTreeMap<InstitutionId, Member>,
    necessities: &BTreeMap<String, Necessity>,
    sets: &BTreeMap<String, CategoryMask>,
) -> Routes {
    let mut all = Routes::new();
    for (span, entry) in reading.entries::<RouteEntry>(file, "route") {
        reading.text(&span, &entry.rule, "rule");
        let from = parties(reading, &span, &entry.from, members);
        let to = parties(reading, &span, &entry.to, members);
        let feedback = reading.mask(&span, &entry.feedback, sets);
        check_basis(reading, &span, &entry, necessities, &from, &to);
        if entry.purposes.is_empty() {
            reading.problem(&span, format!("route `{}` has no purpose", entry.rule), "name each purpose with its widest categories");
        }
        let rule: Arc<str> = Arc::from(entry.rule.as_str());
        for (name, categories) in &entry.purposes {
            let Some(purpose) = purpose(name) else {
                reading.problem(&span, format!("`{name}` is no purpose"), "use a name of weiche.type.v1.Purpose such as JOB_SEARCH");
                continue;
            };
            let widest = reading.mask(&span, categories, sets);
            if !widest.contains(Category::Ident) {
                reading.problem(&span, format!("{name} on route `{}` leaves out IDENT", entry.rule), "nobody can be referred without a name");
            }
            for from in &from {
                for to in to.iter().filter(|to| to.id != from.id) {
                    let flows = all.entry(from.id.clone()).or_default().entry(to.id.clone()).or_default();
                    if let Some(other) = flows.iter().find(|flow| flow.purpose == purpose) {
                        let message = format!("{} to {} for {name} is on the routes `{}` and `{rule}`", from.id, to.id, other.rule);
                        reading.problem(&span, message, "one flow has one rule: merge them");
                        continue;
                    }
                    let (rule, necessity) = (rule.clone(), entry.necessity.clone());
                    flows.push(Route { rule, purpose, widest, feedback, legal_basis: entry.legal_basis, necessity, onward: entry.onward });
                }
            }
        }
    }
    all
}

/// Members named by id, or by kind as `kind:centre_provider`.
fn parties<'m>(reading: &mut Reading<'_>, span: &Range<usize>, names: &[String], members: &'m BTreeMap<InstitutionId, Member>) -> Vec<&'m Member> {
    let mut found: Vec<&Member> = Vec::new();
    if names.is_empty() {
        reading.problem(span, "a route needs somebody on both sides", "fill `from` and `to`");
    }
    for name in names {
        let named: Vec<&Member> = match name.strip_prefix("kind:").map(kind) {
            Some(Some(kind)) => members.values().filter(|m| m.kind == kind).collect(),
            Some(None) => Vec::new(),
            None => members.values().filter(|m| m.id.as_str() == name).collect(),
        };
        if named.is_empty() {
            reading.problem(
                span,
                format!("`{name}` names no member"),
                "use a member's id, or kind:centre_provider, kind:jobcenter, kind:agentur; there is no kind for immigration authorities, on purpose",
            );
        }
        for member in named {
            if !found.iter().any(|m| m.id == member.id) {
                found.push(member);
            }
        }
    }
    found
}

/// The basis must fit both sides.
fn check_basis(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    entry: &RouteEntry,
    necessities: &BTreeMap<String, Necessity>,
    from: &[&Member],
    to: &[&Member],
) {
    let rule = &entry.rule;
    if entry.legal_basis.is_statutory() {
        if let Some(party) = from.iter().chain(to).find(|m| !m.section_35) {
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
        && let Some(bound) = from.iter().find(|m| m.section_203)
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
