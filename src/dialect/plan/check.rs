// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What can only be seen when all rules of a message are known: two fields that write one place, and mandatory places nobody writes.

use std::collections::BTreeSet;

use prost_reflect::MessageDescriptor;

use super::{Block, Native, Rule, Way};
use crate::dialect::annotation::Place;
use crate::dialect::error::DialectError;
use crate::dialect::hub::Shape;
use crate::dialect::path::{Select, Step, spelt};

/// One place that a field of the dialect reads or writes.
struct Touch {
    place: Place,
    name: String,
    steps: Vec<Step>,
    /// The steps without selections.
    plain: String,
    way: Way,
    fallback: bool,
}

/// Reports what does not go together; returns the mandatory places that the message can carry inbound.
pub(super) fn check(native: &MessageDescriptor, hub: &Shape, block: &Block, needed: Way, errors: &mut Vec<DialectError>) -> BTreeSet<String> {
    let mut touches = Vec::new();
    collect(block, &[], &mut touches);
    for (at, later) in touches.iter().enumerate() {
        let inbound = touches.iter().take(at).filter(|earlier| earlier.way.read && later.way.read && !later.fallback);
        if let Some(earlier) = inbound.into_iter().find(|earlier| overlap(&earlier.steps, &later.steps)) {
            errors.push(later.place.error(
                format!("`{}` and `{}` both write `{}`", earlier.name, later.name, spelt(&later.steps)),
                "say `fallback: true` if it only counts when the first gave nothing, or a `direction` for one of them",
            ));
        }
    }
    let mut reachable = BTreeSet::new();
    let mut wanted = Vec::new();
    mandatory(hub, &touches, String::new(), &mut wanted);
    for path in wanted {
        let carried = |way: fn(&Way) -> bool| {
            touches.iter().any(|touch| {
                let name = touch.plain.as_str();
                way(&touch.way) && (name == path || name.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')))
            })
        };
        if carried(|way| way.read) {
            reachable.insert(path.clone());
        } else if needed.read {
            errors.push(Place::message(native).error(
                format!("{}: no field says `{path}`, which no referral goes without", native.full_name()),
                format!("add a field with `at: \"{path}\"`"),
            ));
        }
        if needed.render && !carried(|way| way.render) {
            errors.push(Place::message(native).error(
                format!("{}: no field takes `{path}`, which no recipient can work without", native.full_name()),
                format!("add a field with `at: \"{path}\"`"),
            ));
        }
    }
    reachable
}

fn collect(block: &Block, base: &[Step], touches: &mut Vec<Touch>) {
    for rule in &block.rules {
        match rule {
            Rule::Enter { to, block, .. } => {
                let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                collect(block, &steps, touches);
            }
            Rule::Value(value) => {
                for spot in value.target.spots() {
                    let field = match &value.native {
                        Native::Field { field, .. } => Some(field),
                        Native::Merge { fields, .. } => fields.first(),
                    };
                    let Some(field) = field else { continue };
                    let steps: Vec<Step> = base.iter().chain(&spot.steps).cloned().collect();
                    touches.push(Touch {
                        place: Place::field(field),
                        name: value.native.name(),
                        plain: plain(&steps),
                        steps,
                        way: value.way,
                        fallback: value.fallback,
                    });
                }
            }
            Rule::Constant { .. } | Rule::Ignore { .. } => {}
        }
    }
}

/// Whether two places can be the same or one inside the other.
fn overlap(left: &[Step], right: &[Step]) -> bool {
    left.iter().zip(right).all(|(left, right)| {
        left.field == right.field
            && match (&left.select, &right.select) {
                (Select::One, Select::One) | (Select::From(_), Select::From(_)) => true,
                (Select::At(left), Select::At(right)) => left == right,
                (Select::At(at), Select::From(from)) | (Select::From(from), Select::At(at)) => at >= from,
                (Select::Key { field: left, wanted: a, text: one }, Select::Key { field: right, wanted: b, text: other }) => {
                    left == right && a.value(one) == b.value(other)
                }
                // A key marks an element that another field has written, or appends one of its own.
                _ => false,
            }
    })
}

fn plain(steps: &[Step]) -> String {
    steps.iter().map(|step| step.field.name()).collect::<Vec<_>>().join(".")
}

/// Mandatory places in the order of the contract: below messages that are mandatory themselves or that the dialect enters.
fn mandatory(shape: &Shape, touches: &[Touch], base: String, wanted: &mut Vec<String>) {
    for field in &shape.fields {
        let path = if base.is_empty() { field.field.name().to_owned() } else { format!("{base}.{}", field.field.name()) };
        let entered = || {
            let below = format!("{path}.");
            touches.iter().any(|touch| touch.plain.starts_with(&below))
        };
        match &field.inner {
            Some(inner) if !field.field.is_list() && (field.mandatory || entered()) => {
                let before = wanted.len();
                mandatory(inner, touches, path.clone(), wanted);
                if field.mandatory && wanted.len() == before {
                    wanted.push(path);
                }
            }
            None if field.mandatory => wanted.push(path),
            _ => {}
        }
    }
}
