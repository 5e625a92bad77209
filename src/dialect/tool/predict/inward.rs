// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The sender's side: which canonical places it can say, and what is lost on the way in.

use std::collections::{BTreeMap, BTreeSet};

use super::{Loss, LossKind, Side};
use crate::dialect::hub::Leaf;
use crate::dialect::path::{Select, Step};
use crate::dialect::plan::{Block, Rule, Spelling, Target, ValueRule};
use crate::dialect::translate::below;
use crate::dialect::value::date::Pattern;

/// What a dialect can say, by canonical place.
#[derive(Default)]
pub(super) struct Sources {
    /// Path without indices, with the code lists by which it is said.
    places: BTreeMap<String, BTreeSet<String>>,
}

impl Sources {
    pub(super) fn collect(&mut self, block: &Block, base: &str) {
        for rule in &block.rules {
            match rule {
                Rule::Enter { to, block, .. } => self.collect(block, &join(base, to)),
                Rule::Value(value) if value.way.read => {
                    for spot in value.target.spots() {
                        let lists = value.column().map(|column| column.list().name().to_owned());
                        self.places.entry(join(base, &spot.steps)).or_default().extend(lists);
                        // A key is set with the value.
                        for (place, key) in keys(base, &spot.steps) {
                            self.places.entry(below(&place, &key)).or_default();
                        }
                    }
                }
                Rule::Value(_) | Rule::Constant { .. } | Rule::Ignore { .. } => {}
            }
        }
    }
    /// Whether it can set the place, something in it, or the whole around it.
    pub(super) fn says(&self, path: &str) -> bool {
        self.places.keys().any(|place| inside(place, path) || inside(path, place))
    }
    pub(super) fn lists(&self, path: &str) -> impl Iterator<Item = &str> {
        self.places.iter().filter(move |(place, _)| inside(place, path)).flat_map(|(_, lists)| lists.iter().map(String::as_str))
    }
}

pub(super) fn inside(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn join(base: &str, steps: &[Step]) -> String {
    steps.iter().fold(base.to_owned(), |path, step| below(&path, step.field.name()))
}

/// Elements that are picked by a key, with the key's field.
pub(super) fn keys(base: &str, steps: &[Step]) -> Vec<(String, String)> {
    let key = |(at, step): (usize, &Step)| match &step.select {
        Select::Key { field, .. } => Some((join(base, steps.get(..=at).unwrap_or_default()), field.name().to_owned())),
        _ => None,
    };
    steps.iter().enumerate().filter_map(key).collect()
}

/// Losses of the way in.
pub(super) fn reading(block: &Block, path: &str, losses: &mut BTreeSet<Loss>) {
    let lost = |path: String, kind, always, why: &str| Loss { side: Side::Read, path, kind, always, why: why.to_owned() };
    for rule in &block.rules {
        match rule {
            Rule::Ignore { field, why } => losses.extend([lost(below(path, field.name()), LossKind::Dropped, true, why)]),
            Rule::Constant { .. } => {}
            Rule::Enter { field, each, block, .. } => {
                let path = below(path, field.name());
                if field.is_list() && !each {
                    losses.insert(lost(path.clone(), LossKind::Dropped, false, "only the first one is read"));
                }
                reading(block, &path, losses);
            }
            Rule::Value(value) => {
                let path = below(path, &value.name);
                if !value.way.read {
                    losses.insert(lost(path, LossKind::Dropped, true, "the field is only written by the gateway"));
                    continue;
                }
                if value.fallback {
                    losses.insert(lost(path.clone(), LossKind::Dropped, false, "another field says it already"));
                }
                if value.gather.is_some() {
                    losses.insert(lost(path.clone(), LossKind::Lossy, false, "elements that hold the separator cannot be told apart again"));
                }
                losses.extend(date_read(value).map(|(always, why)| lost(path, LossKind::Lossy, always, why)));
            }
        }
    }
}

/// What reading a date loses.
fn date_read(rule: &ValueRule) -> Option<(bool, &'static str)> {
    let (Spelling::Date(format), Target::At(spot)) = (&rule.spelling, &rule.target) else { return None };
    match (&spot.leaf, format.pattern()) {
        (Leaf::Timestamp, Pattern::German | Pattern::Iso | Pattern::Compact | Pattern::Fhir | Pattern::Year) => Some((true, "midnight is taken")),
        (Leaf::Timestamp, Pattern::Local | Pattern::GermanMinute) => Some((false, "a local time that occurs twice when the clocks go back")),
        (Leaf::PartialDate, Pattern::EpochSeconds | Pattern::EpochMillis | Pattern::Local | Pattern::GermanMinute | Pattern::Offset) => {
            Some((false, "a time of day other than midnight is left out"))
        }
        _ => None,
    }
}
