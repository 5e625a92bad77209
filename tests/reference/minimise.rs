// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Strips what a category mask does not cover, as `dialect::minimise` does.

use super::line;
use super::message::{Message, Value};
use super::path::Path;
use super::spelling::coding;
use crate::dialect::category::{CategoryMask, RecipientKind};
use crate::dialect::codelist::{CodeLists, Row};
use crate::dialect::hub::{FieldShape, Leaf, Shape};
use crate::dialect::report::{Outcome, Report};
use crate::proto::types::DataCategory;

/// Strips `message` in place; the report names what is gone.
pub(super) fn strip(
    shape: &Shape,
    lists: &CodeLists,
    message: &mut Message<'_>,
    mask: CategoryMask,
    kind: Option<RecipientKind>,
    report: &mut Report,
) {
    let strip = Strip { lists, mask, kind };
    strip.message(shape, message, &Path::TOP, report);
}

/// The categories of everything that is set.
pub(super) fn carried(shape: &Shape, lists: &CodeLists, message: &Message<'_>) -> CategoryMask {
    let mut mask = CategoryMask::NONE;
    for field in &shape.fields {
        let Some(value) = message.get(&field.field) else { continue };
        for value in value.elements() {
            mask |= of_value(field, lists, value);
        }
    }
    mask
}

fn of_value(field: &FieldShape, lists: &CodeLists, value: &Value<'_>) -> CategoryMask {
    let mask = match (&field.inner, value) {
        (Some(inner), Value::Message(inside)) => carried(inner, lists, inside),
        _ => field.category.map_or(CategoryMask::NONE, CategoryMask::from),
    };
    own_category(field, lists, value).map_or(mask, |category| mask.with(category))
}

struct Strip<'a> {
    lists: &'a CodeLists,
    mask: CategoryMask,
    kind: Option<RecipientKind>,
}

impl Strip<'_> {
    fn message(&self, shape: &Shape, message: &mut Message<'_>, base: &Path<'_>, report: &mut Report) {
        for field in &shape.fields {
            if !message.has(&field.field) {
                continue;
            }
            let path = base.below(field.field.name(), None);
            // A field whose category is not covered goes as a whole: a part never widens it.
            let closed = match (field.category, &field.inner) {
                (Some(category), _) if self.mask.contains(category) => None,
                (Some(category), _) => Some(category),
                (None, Some(_)) => None,
                (None, None) => Some(DataCategory::Unspecified),
            };
            if let Some(category) = closed {
                // What is inside may have been of narrower categories, which stay behind with it.
                let inside = message.get(&field.field).map(|value| self.inside(field, value)).unwrap_or_default();
                for category in [category].into_iter().chain((inside - self.mask.with(category)).iter().map(DataCategory::from)) {
                    line(report, path.text(), Outcome::Withheld(category));
                }
                message.clear(&field.field);
                continue;
            }
            let mut empty = false;
            match message.get_mut(&field.field) {
                Some(Value::List(list)) => {
                    let mut at = 0;
                    list.retain_mut(|value| {
                        let path = path.element(Some(at));
                        at += 1;
                        self.keep(field, value, &path, report)
                    });
                    empty = list.is_empty();
                }
                Some(value) => empty |= !self.keep(field, value, &path, report),
                None => {}
            }
            if empty {
                message.clear(&field.field);
            }
        }
        // What the contract does not know has no category.
        for unknown in message.unknown() {
            line(report, base.below(&format!("field {unknown}"), None).text(), Outcome::Withheld(DataCategory::Unspecified));
        }
        message.drop_unknown();
    }

    /// Categories of what a field holds.
    fn inside(&self, field: &FieldShape, value: &Value<'_>) -> CategoryMask {
        value.elements().iter().map(|value| of_value(field, self.lists, value)).fold(CategoryMask::NONE, |all, one| all | one)
    }

    fn keep(&self, field: &FieldShape, value: &mut Value<'_>, path: &Path<'_>, report: &mut Report) -> bool {
        // Nothing is outside the whole set.
        if self.mask != CategoryMask::ALL && own_category(field, self.lists, value).is_some_and(|category| !self.mask.contains(category)) {
            for category in (of_value(field, self.lists, value) - self.mask).iter().map(DataCategory::from) {
                line(report, path.text(), Outcome::Withheld(category));
            }
            return false;
        }
        if self.kind.is_some_and(|kind| never_to(field, self.lists, value, kind)) {
            let own = field.category.unwrap_or_default();
            for category in [own].into_iter().chain((of_value(field, self.lists, value) - self.mask.with(own)).iter().map(DataCategory::from)) {
                line(report, path.text(), Outcome::Withheld(category));
            }
            return false;
        }
        if let Value::Message(inside) = value {
            match &field.inner {
                Some(inner) => {
                    self.message(inner, inside, path, report);
                    // Nothing is left of it: an empty shell would say that there was something.
                    return inside.known().next().is_some() || field.category.is_none_or(|category| self.mask.contains(category));
                }
                None => inside.drop_unknown(),
            }
        }
        true
    }
}

/// The category that a code of the element demands besides the field's own, by attribute `@category` of its list.
fn own_category(field: &FieldShape, lists: &CodeLists, value: &Value<'_>) -> Option<DataCategory> {
    codings(field, value).find_map(|coding| row(lists, coding)?.category())
}

fn never_to(field: &FieldShape, lists: &CodeLists, value: &Value<'_>, kind: RecipientKind) -> bool {
    codings(field, value).any(|coding| row(lists, coding).is_some_and(|row| row.attribute_lists("never_to", kind.word())))
}

/// The codes by which an element is known: itself, or the fields directly inside.
fn codings<'m, 'a>(field: &'m FieldShape, value: &'m Value<'a>) -> impl Iterator<Item = &'m Message<'a>> {
    let message = value.as_message();
    let own = message.filter(|_| field.leaf == Leaf::Coding);
    let inner = field.inner.as_ref().filter(|_| own.is_none()).map(|inner| inner.fields.as_slice()).unwrap_or_default();
    let codes = inner.iter().filter(|field| field.leaf == Leaf::Coding && !field.field.is_list());
    own.into_iter().chain(codes.filter_map(move |field| message?.get(&field.field)?.as_message()))
}

fn row<'l>(lists: &'l CodeLists, coding: &Message<'_>) -> Option<&'l Row> {
    lists.of_system(coding.text(coding::SYSTEM)).iter().find_map(|list| list.get(coding.text(coding::CODE)))
}
