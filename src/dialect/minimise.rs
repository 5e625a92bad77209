// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Strips what a category mask does not cover from a canonical message, whole elements included: a topic that reveals an illness
//! needs HEALTH besides TOPICS, and some topics never go to some kinds of recipients.

use bytes::Bytes;

use super::category::{CategoryMask, RecipientKind};
use super::codelist::{CodeLists, Row};
use super::hub::{FieldShape, Leaf, Shape};
use super::message::{Message, Place, Room, Value, spelt};
use super::spelling::coded;
use super::translate::{Finding, Lines};
use crate::proto::types::DataCategory;

/// A canonical message with what may go, and the paths of what stayed behind.
#[derive(Debug, Clone)]
pub struct Minimised {
    /// The canonical message.
    pub bytes: Bytes,
    /// Canonical path and category of what stayed behind. A topic that never goes to this recipient appears with TOPICS.
    pub withheld: Vec<(String, DataCategory)>,
}

/// Strips `message` in place; the lines name what is gone.
pub(super) fn strip<'b>(
    room: &'b Room,
    shape: &'b Shape,
    lists: &CodeLists,
    message: Message<'b>,
    mask: CategoryMask,
    kind: Option<RecipientKind>,
    lines: &mut Lines<'b>,
) {
    let whole = mask == CategoryMask::ALL && kind.is_none() && shape.open && !message.is_strange();
    if !whole {
        Strip { room, lists, mask, kind, lines }.message(shape, message);
    }
}

/// The categories of everything that is set.
pub(super) fn carried(shape: &Shape, lists: &CodeLists, message: Message<'_>) -> CategoryMask {
    let set = shape.fields.iter().zip(message.slots()).filter(|(_, slot)| slot.value().is_some());
    set.fold(CategoryMask::NONE, |mask, (field, _)| mask | inside(field, lists, message))
}

/// Categories of what a field holds.
fn inside(field: &FieldShape, lists: &CodeLists, message: Message<'_>) -> CategoryMask {
    message.elements(&field.field).fold(CategoryMask::NONE, |mask, (_, _, value)| mask | of_value(field, lists, value))
}

fn of_value(field: &FieldShape, lists: &CodeLists, value: Value<'_>) -> CategoryMask {
    let mask = match (&field.inner, value) {
        (Some(inner), Value::Message(inside)) => carried(inner, lists, inside),
        _ => field.category.map_or(CategoryMask::NONE, CategoryMask::from),
    };
    own_category(field, lists, value).map_or(mask, |category| mask.with(category))
}

struct Strip<'s, 'b> {
    room: &'b Room,
    lists: &'s CodeLists,
    mask: CategoryMask,
    kind: Option<RecipientKind>,
    lines: &'s mut Lines<'b>,
}

impl<'b> Strip<'_, 'b> {
    fn message(&mut self, shape: &'b Shape, message: Message<'b>) {
        for (field, slot) in shape.fields.iter().zip(message.slots()) {
            let Some(value) = slot.value().filter(|value| !matches!(value, Value::List(list) if list.len() == 0)) else { continue };
            // A field whose category is not covered goes as a whole: a part never widens it.
            let name = field.field.name();
            if !self.mask.covers(field.needs) {
                let category = field.category.unwrap_or_default();
                // What is inside may have been of narrower categories, which stay behind with it.
                let inside = inside(field, self.lists, message);
                self.withheld(message.place(name, None), category, inside);
                message.clear(&field.field);
                continue;
            }
            match value {
                // Nothing is inside a text or a number that its category does not speak of.
                Value::Text(_) | Value::Bool(_) | Value::I32(_) | Value::U32(_) | Value::Enum(_) => {}
                Value::List(list) => {
                    let mut at = 0;
                    let gone = list.retain(|value| {
                        at += 1;
                        self.keep(field, value, message.place(name, Some(at - 1)))
                    });
                    if gone {
                        // What was said so far speaks of the message as it came.
                        self.lines.settle(self.room);
                        list.recount();
                    }
                }
                value if !self.keep(field, value, message.place(name, None)) => message.clear(&field.field),
                _ => {}
            }
        }
        // What the contract does not know has no category.
        if message.has_unknown() {
            for unknown in message.unknown() {
                let name = spelt(self.room, format_args!("field {unknown}"));
                self.lines.note(message.place(name, None), Finding::Withheld(DataCategory::Unspecified));
            }
            message.drop_unknown();
        }
    }

    /// A field of a category stays behind, with all that is inside.
    fn withheld(&mut self, place: Place<'b>, category: DataCategory, inside: CategoryMask) {
        for category in [category].into_iter().chain((inside - self.mask.with(category)).iter().map(DataCategory::from)) {
            self.lines.note(place, Finding::Withheld(category));
        }
    }

    fn keep(&mut self, field: &'b FieldShape, value: Value<'b>, place: Place<'b>) -> bool {
        // Nothing is outside the whole set.
        if self.mask != CategoryMask::ALL && own_category(field, self.lists, value).is_some_and(|category| !self.mask.contains(category)) {
            for category in (of_value(field, self.lists, value) - self.mask).iter().map(DataCategory::from) {
                self.lines.note(place, Finding::Withheld(category));
            }
            return false;
        }
        if self.kind.is_some_and(|kind| never_to(field, self.lists, value, kind)) {
            self.withheld(place, field.category.unwrap_or_default(), of_value(field, self.lists, value));
            return false;
        }
        if let Value::Message(inside) = value {
            match &field.inner {
                Some(inner) => {
                    self.message(inner, inside);
                    // Nothing is left of it: an empty shell would say that there was something.
                    return !inside.is_empty() || field.category.is_none_or(|category| self.mask.contains(category));
                }
                None => inside.drop_unknown(),
            }
        }
        true
    }
}

/// The category that a code of the element demands besides the field's own, by attribute `@category` of its list.
fn own_category(field: &FieldShape, lists: &CodeLists, value: Value<'_>) -> Option<DataCategory> {
    codes(field, value).find_map(|code| row(lists, code)?.category())
}

fn never_to(field: &FieldShape, lists: &CodeLists, value: Value<'_>, kind: RecipientKind) -> bool {
    codes(field, value).any(|code| row(lists, code).is_some_and(|row| row.attribute_lists("never_to", kind.word())))
}

/// The codes by which an element is known: itself, or the fields directly inside.
fn codes<'b>(field: &FieldShape, value: Value<'b>) -> impl Iterator<Item = Value<'b>> {
    let own = Some(value).filter(|_| field.leaf == Leaf::Coding);
    let inner = field.inner.as_ref().filter(|_| own.is_none()).map(|inner| inner.fields.as_slice()).unwrap_or_default();
    let inside = inner.iter().filter(|field| field.leaf == Leaf::Coding && !field.field.is_list());
    own.into_iter().chain(inside.filter_map(move |field| value.as_message()?.get(&field.field)))
}

fn row<'l, 'b: 'l>(lists: &'l CodeLists, code: Value<'b>) -> Option<&'l Row> {
    match code {
        Value::Code(row) => Some(row),
        code => coded(code).and_then(|(system, code)| lists.code(system, code)),
    }
}
