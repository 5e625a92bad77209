// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The recipient's rules: which canonical places each takes, and what it can lose of a value.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::inward::{join, keys};
use super::{Loss, LossKind, Side};
use crate::dialect::codelist::Status;
use crate::dialect::hub::Leaf;
use crate::dialect::message::Room;
use crate::dialect::message::Scalar;
use crate::dialect::path::{Select, Step};
use crate::dialect::plan::{Block, Rule, Spelling, Target, ValueRule};
use crate::dialect::spelling::{MERGED, no_word};
use crate::dialect::translate::below;
use crate::dialect::value::date::{DateFormat, PartialDate};

/// What one rule of the recipient does to a canonical place.
pub(super) struct Touch {
    /// It takes every element of what is repeated on the way.
    pub(super) whole: Elements,
    /// What it can lose, and why; `true`: whatever the value is.
    pub(super) losses: Vec<(LossKind, bool, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    All,
    At(usize),
    From(usize),
    Some,
}

pub(super) const NOTHING: &str = "it reads as nothing stated there";
const DEPRECATED: &str = "a letter that DIN 91379 has deprecated is respelled";
/// What only texts bring about that hardly anybody writes.
pub(super) const RARE: [&str; 2] = [NOTHING, DEPRECATED];

pub(super) struct Walk<'a> {
    pub(super) touches: &'a mut BTreeMap<String, Vec<Touch>>,
    pub(super) losses: &'a mut BTreeSet<Loss>,
}

impl Walk<'_> {
    pub(super) fn block(&mut self, block: &Block, base: &[Step]) {
        for rule in &block.rules {
            match rule {
                Rule::Enter { to, block, .. } => {
                    let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                    self.block(block, &steps);
                }
                Rule::Value(value) if value.way.render => {
                    let spots = value.target.spots();
                    for spot in &spots {
                        let steps: Vec<Step> = base.iter().chain(&spot.steps).cloned().collect();
                        let losses = lost_by(value, &spot.leaf);
                        for (place, key) in keys("", &steps) {
                            self.touch(below(&place, &key), Elements::Some, losses.clone());
                        }
                        self.touch(join("", &steps), elements(&steps), losses);
                    }
                    if value.default.is_some()
                        && value.native.fields().len() == 1
                        && let Some(spot) = spots.first()
                    {
                        let steps: Vec<Step> = base.iter().chain(&spot.steps).cloned().collect();
                        let (path, why) = (join("", &steps), "the dialect's default if nothing is stated".to_owned());
                        self.losses.insert(Loss { side: Side::Render, path, kind: LossKind::Defaulted, always: false, why });
                    }
                }
                Rule::Value(_) | Rule::Constant { .. } | Rule::Ignore { .. } => {}
            }
        }
    }

    fn touch(&mut self, path: String, whole: Elements, losses: Vec<(LossKind, bool, String)>) {
        self.touches.entry(path).or_default().push(Touch { whole, losses });
    }
}

fn elements(steps: &[Step]) -> Elements {
    let mut found = Elements::All;
    for step in steps {
        let this = match &step.select {
            Select::One | Select::From(0) => continue,
            Select::At(at) => Elements::At(*at),
            Select::From(from) => Elements::From(*from),
            Select::Key { .. } => Elements::Some,
        };
        found = if found == Elements::All { this } else { Elements::Some };
    }
    found
}

/// Whether all elements are taken by these rules together: `[0]` and `[1..]`.
pub(super) fn covered<'a>(touches: impl Iterator<Item = &'a Touch> + Clone) -> bool {
    let from = touches.clone().filter_map(|touch| match touch.whole {
        Elements::All => Some(0),
        Elements::From(from) => Some(from),
        Elements::At(_) | Elements::Some => None,
    });
    from.min().is_some_and(|from| (0..from).all(|at| touches.clone().any(|touch| touch.whole == Elements::At(at))))
}

/// What a rule can lose of a value that it takes.
fn lost_by(rule: &ValueRule, leaf: &Leaf) -> Vec<(LossKind, bool, String)> {
    let mut losses = Vec::new();
    let mut lose = |kind, always, why: &str| losses.push((kind, always, why.to_owned()));
    let plain = matches!(rule.spelling, Spelling::Plain) && matches!(rule.target, Target::At(_));
    if plain && matches!(leaf, Leaf::Bytes | Leaf::Message(_) | Leaf::Timestamp | Leaf::PartialDate) {
        return losses;
    }
    if let Some(column) = rule.column() {
        let rows = || column.list().rows().iter().filter(|row| !row.is_absent() && row.status() != Status::Reserved);
        if rows().any(|row| column.image(row).is_some_and(|image| image.lossy)) {
            lose(LossKind::Lossy, false, MERGED);
        }
        if rows().any(|row| column.image(row).is_none()) {
            lose(LossKind::Unmappable, false, no_word(&Room::new(), column));
        } else if matches!(rule.target, Target::Tuple { .. }) {
            lose(LossKind::Unmappable, false, "a part of it alone is in no row of the list");
        }
    }
    match &rule.spelling {
        Spelling::Date(format) => dates(format, leaf, rule.full_date_only, &mut lose),
        Spelling::Phone(_) | Spelling::PhoneSplit(_) => lose(LossKind::Unmappable, false, "it is no telephone number that can be written so"),
        Spelling::SearchForm => lose(LossKind::Lossy, true, "only the search form is written"),
        Spelling::Plain | Spelling::Codes(_) | Spelling::Boolean(_) => {}
    }
    if matches!(rule.target, Target::Join { .. }) {
        lose(LossKind::Lossy, false, "the parts cannot be told apart again");
        lose(LossKind::Unmappable, false, "the parts cannot be told apart again");
    }
    if rule.width.is_some() {
        lose(LossKind::Lossy, false, "cut at the width of the field");
    }
    let texts = matches!(leaf, Leaf::Text) || rule.column().is_some();
    let numbers = rule.native.fields().iter().any(|field| field.scalar() != Scalar::Text);
    if (numbers && plain && !matches!(leaf, Leaf::Bool | Leaf::Enum(_))) || rule.native.fields().len() > 1 {
        lose(LossKind::Unmappable, false, "the field cannot hold it");
    }
    // Also for numbers and dates: `00000000` may be a way to say nothing.
    if texts || !matches!(rule.spelling, Spelling::Boolean(_)) {
        lose(LossKind::Unmappable, false, NOTHING);
    }
    if *leaf == Leaf::Text && (plain || matches!(rule.target, Target::Join { .. })) {
        lose(LossKind::Lossy, false, DEPRECATED);
    }
    losses
}

/// What a format loses of dates and times: of each kind, one is tried.
fn dates(format: &DateFormat, leaf: &Leaf, full_only: bool, lose: &mut impl FnMut(LossKind, bool, &str)) {
    if *leaf == Leaf::PartialDate {
        if full_only {
            lose(LossKind::Dropped, false, "only dates of which the day is known have a place");
        }
        for (year, month, day) in [(1991, 0, 0), (1991, 5, 0), (1991, 5, 3)].into_iter().skip(if full_only { 2 } else { 0 }) {
            match PartialDate::new(year, month, day).map(|date| format.write_date(date, &mut String::new())) {
                Ok(Ok(loss)) => loss.into_iter().for_each(|loss| lose(LossKind::Lossy, false, loss)),
                Ok(Err(error)) => lose(LossKind::Unmappable, false, &error.to_string()),
                Err(_) => {}
            }
        }
        return;
    }
    for text in INSTANTS {
        match text.parse::<Timestamp>().map(|instant| format.write_instant(instant, &mut String::new())) {
            Ok(Ok(loss)) => loss.into_iter().for_each(|loss| lose(LossKind::Lossy, false, loss)),
            Ok(Err(error)) => lose(LossKind::Unmappable, false, &error.to_string()),
            Err(_) => {}
        }
    }
}

/// Midnight in Germany, a minute, a second, less than one, much less, and an hour that came twice.
const INSTANTS: [&str; 6] = [
    "2026-03-01T23:00:00Z",
    "2026-03-02T09:15:00Z",
    "2026-03-02T09:15:30Z",
    "2026-03-02T09:15:30.5Z",
    "2026-03-02T09:15:30.0005Z",
    "2026-10-25T01:30:00Z",
];
