// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A plan as a table: where each field of one dialect comes out in another.

use super::predict::{LossKind, Side};
use crate::dialect::category::CategoryMask;
use crate::dialect::hub::FieldShape;
use crate::dialect::path::{Select, Step, spelt};
use crate::dialect::plan::{Block, Rule, Spelling, Target, ValueRule, Way};
use crate::dialect::registry::{Dialect, Dialects};
use crate::dialect::report::TranslateError;
use crate::dialect::translate::below;

/// One line of an explanation: where a field of the sender comes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Field of the sender, such as `anschrift`; empty for a field that only the recipient has.
    pub source: String,
    /// Place in the hub.
    pub canonical: String,
    /// How the sender spells it.
    pub rule: String,
    /// Field of the recipient; empty if there is none.
    pub target: String,
    /// What is lost, in words; empty if nothing is.
    pub loss: String,
}

impl Dialects {
    /// Where each field of `from` comes out at `to` under a mask, with what is predicted to be lost; fields that stay with the sender come last.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`].
    pub fn explain(&self, from: &Dialect, to: &Dialect, hub: &str, mask: CategoryMask) -> Result<Vec<Row>, TranslateError> {
        let sources = leaves(from, hub, CategoryMask::ALL, |way| way.read)?;
        let open = leaves(to, hub, mask, |way| way.render)?;
        let all = leaves(to, hub, CategoryMask::ALL, |way| way.render)?;
        let named = |leaves: &[Leaf], steps: &[Step]| {
            let found: Vec<&Leaf> = leaves.iter().filter(|leaf| meet(&leaf.steps, steps)).collect();
            let names = found.iter().map(|leaf| leaf.native.as_str()).collect::<Vec<_>>().join(", ");
            (names, found.iter().filter(|leaf| !leaf.loss.is_empty()).map(|leaf| leaf.loss.clone()).next().unwrap_or_default())
        };
        let predicted = self.predicted_losses(from, to, hub, mask)?;
        let may = |steps: &[Step]| {
            let path = steps.iter().map(|step| step.field.name()).collect::<Vec<_>>().join(".");
            let here = predicted.iter().filter(|loss| loss.side == Side::Render && loss.path == path && !loss.is_rare());
            let mut whys: Vec<&str> = here.map(|loss| loss.why.as_str()).collect();
            whys.dedup();
            whys.join("; ")
        };
        let row = |source: &Leaf| {
            let (target, loss) = named(&open, &source.steps);
            let loss = match (target.is_empty(), named(&all, &source.steps).0.is_empty()) {
                (true, true) => "dropped: no place for it".to_owned(),
                (true, false) => "withheld: category not covered".to_owned(),
                _ if loss.is_empty() => may(&source.steps),
                _ => loss,
            };
            Row { source: source.native.clone(), canonical: spelt(&source.steps), rule: source.rule.clone(), target, loss }
        };
        let stays = predicted.iter().filter(|loss| loss.side == Side::Read && loss.always && loss.kind == LossKind::Dropped);
        let stays = stays.map(|loss| Row { source: loss.path.clone(), loss: format!("dropped: {}", loss.why), ..Row::default() });
        Ok(sources.iter().map(row).chain(stays).collect())
    }
}

/// A rule of a plan as a line.
pub(super) struct Leaf {
    pub(super) native: String,
    pub(super) steps: Vec<Step>,
    pub(super) rule: String,
    pub(super) loss: String,
}

fn leaves(dialect: &Dialect, hub: &str, mask: CategoryMask, way: fn(&Way) -> bool) -> Result<Vec<Leaf>, TranslateError> {
    let unknown = || TranslateError::UnknownMessage { dialect: dialect.name().to_owned(), message: hub.to_owned() };
    let message = dialect.message_for(hub).ok_or_else(unknown)?;
    let mut out = Vec::new();
    match dialect.plan(message) {
        Some(plan) => flatten(&plan.for_mask(mask), "", &[], way, &mut out),
        None => whole(&dialect.shape_of(message)?.fields, &[], mask, &mut out),
    }
    Ok(out)
}

/// The canonical dialect: every field stands for itself.
fn whole(fields: &[FieldShape], base: &[Step], mask: CategoryMask, out: &mut Vec<Leaf>) {
    for shape in fields {
        let select = if shape.field.is_list() { Select::From(0) } else { Select::One };
        let steps: Vec<Step> = base.iter().cloned().chain([Step { field: shape.field.clone(), select }]).collect();
        match &shape.inner {
            Some(inner) => whole(&inner.fields, &steps, mask, out),
            None if shape.category.is_some_and(|category| mask.contains(category)) => {
                out.push(Leaf { native: spelt(&steps), steps, rule: String::new(), loss: String::new() });
            }
            None => {}
        }
    }
}

pub(super) fn flatten(block: &Block, path: &str, base: &[Step], way: fn(&Way) -> bool, out: &mut Vec<Leaf>) {
    for rule in &block.rules {
        match rule {
            Rule::Enter { field, to, each, block } => {
                let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                let name = below(path, field.name());
                flatten(block, &if *each { format!("{name}[]") } else { name }, &steps, way, out);
            }
            Rule::Value(value) if way(&value.way) => {
                let native = below(path, &value.name);
                for spot in value.target.spots() {
                    out.push(Leaf {
                        native: native.clone(),
                        steps: base.iter().chain(&spot.steps).cloned().collect(),
                        rule: described(value),
                        loss: loss(value),
                    });
                }
            }
            Rule::Value(_) | Rule::Constant { .. } | Rule::Ignore { .. } => {}
        }
    }
}

pub(super) fn described(rule: &ValueRule) -> String {
    let mut words = Vec::new();
    match &rule.target {
        Target::At(_) => {}
        Target::Join { .. } => words.push("joined".to_owned()),
        Target::Tuple { column, .. } => words.push(format!("codes {}/{}", column.list().name(), column.name())),
    }
    match &rule.spelling {
        Spelling::Plain => {}
        Spelling::Codes(column) => words.push(format!("codes {}/{}", column.list().name(), column.name())),
        Spelling::Date(format) => words.push(format!("date {}", format.pattern())),
        Spelling::Phone(_) | Spelling::PhoneSplit(_) => words.push("phone".to_owned()),
        Spelling::Boolean(words_) => words.push(format!("{}/{}", words_.write(true), words_.write(false))),
        Spelling::SearchForm => words.push("search form".to_owned()),
    }
    words.extend(rule.list.map(|separator| format!("list by {separator}")));
    words.extend(rule.width.map(|width| format!("at most {width} characters")));
    words.join(", ")
}

/// What the rule can lose whatever the value is.
fn loss(rule: &ValueRule) -> String {
    match rule.column() {
        Some(column) => {
            let rows = column.list().rows();
            let merged = rows.iter().filter(|row| column.image(row).is_some_and(|image| image.lossy)).count();
            let absent = rows.iter().filter(|row| !row.is_absent() && column.image(row).is_none()).count();
            match (merged, absent) {
                (0, 0) => String::new(),
                (merged, 0) => format!("{merged} codes are merged"),
                (0, absent) => format!("{absent} codes have no word"),
                (merged, absent) => format!("{merged} codes are merged, {absent} have no word"),
            }
        }
        None if matches!(rule.spelling, Spelling::SearchForm) => "only a search form".to_owned(),
        None => rule.width.map_or_else(String::new, |width| format!("cut after {width} characters")),
    }
}

/// Whether two places can be about the same value.
fn meet(left: &[Step], right: &[Step]) -> bool {
    left.iter().zip(right).all(|(left, right)| {
        left.field == right.field
            && match (&left.select, &right.select) {
                (Select::At(left), Select::At(right)) => left == right,
                (Select::At(at), Select::From(from)) | (Select::From(from), Select::At(at)) => at >= from,
                (Select::Key { text: left, .. }, Select::Key { text: right, .. }) => left == right,
                _ => true,
            }
    })
}
