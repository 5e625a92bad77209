// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Values of the canonical message at the places of a plan.

use crate::dialect::message::{Field, Message, Place, Room, Slot, Value};
use crate::dialect::path::{Select, Step};

use super::{Finding, Lines};

/// A value that was found, where it lies, and the keys by which it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'b> {
    message: Message<'b>,
    field: &'b Field,
    at: Option<usize>,
    slot: &'b Slot<'b>,
    pub(super) value: Value<'b>,
    keys: Option<&'b Key<'b>>,
}

pub(super) struct Key<'b> {
    message: Message<'b>,
    field: &'b Field,
    above: Option<&'b Key<'b>>,
}

impl<'b> Found<'b> {
    fn place(&self) -> Place<'b> {
        self.message.place(self.field.name(), self.at)
    }
    /// Its place in words.
    pub(super) fn text(&self) -> String {
        self.place().text()
    }
    pub(super) fn is_exact(&self) -> bool {
        self.slot.is_exact()
    }
    /// The value and its keys found a place in the other message.
    pub(super) fn used(&self) {
        self.slot.use_it();
        self.keys_used();
    }
    pub(super) fn keys_used(&self) {
        self.keys().for_each(|(_, slot)| slot.use_it());
    }
    /// It lost nothing, whatever its keys did.
    pub(super) fn whole(&self, lines: &mut Lines<'b>) {
        lines.value(|| self.place(), self.slot, Finding::Exact);
    }
    /// What became of it, and of its keys.
    #[inline]
    pub(super) fn note(&self, lines: &mut Lines<'b>, finding: Finding<'b>) {
        lines.value(|| self.place(), self.slot, finding);
        self.keys().for_each(|(place, slot)| lines.value(|| place, slot, finding));
    }
    fn keys(&self) -> impl Iterator<Item = (Place<'b>, &'b Slot<'b>)> {
        let chain = std::iter::successors(self.keys, |key| key.above);
        chain.filter_map(|key| Some((key.message.place(key.field.name(), None), key.message.hold(key.field)?)))
    }
}

/// Gives the values at a place, in order; none at no steps.
pub(super) fn seek<'b>(room: &'b Room, message: Message<'b>, steps: &'b [Step], give: &mut dyn FnMut(Found<'b>)) {
    walk(room, message, steps, None, give);
}

/// The value at a place that holds one; of several the first, if it has one.
pub(super) fn first<'b>(room: &'b Room, message: Message<'b>, steps: &'b [Step]) -> Option<Found<'b>> {
    let (last, way) = steps.split_last()?;
    let (mut message, mut keys) = (message, None);
    for step in way {
        let found = single(room, message, step, keys)?;
        (message, keys) = (found.value.as_message()?, found.keys);
    }
    single(room, message, last, keys)
}

/// The value that one step leads to.
#[inline(always)]
pub(super) fn single<'b>(room: &'b Room, message: Message<'b>, step: &'b Step, keys: Option<&'b Key<'b>>) -> Option<Found<'b>> {
    let slot = message.slot(&step.field)?;
    let (slot, at, keys) = match &step.select {
        Select::One => (slot, None, keys),
        Select::At(at) | Select::From(at) => (slot.value()?.as_list()?.slot(*at)?, Some(*at), keys),
        Select::Key { .. } => {
            let (slot, at, key) = keyed(room, message, step, keys)?;
            (slot, Some(at), Some(key))
        }
    };
    Some(Found { message, field: &step.field, at, slot, value: slot.value()?, keys })
}

/// The element that has a key, and its index.
fn keyed<'b>(room: &'b Room, message: Message<'b>, step: &'b Step, above: Option<&'b Key<'b>>) -> Option<(&'b Slot<'b>, usize, &'b Key<'b>)> {
    let Select::Key { field, wanted, text } = &step.select else { return None };
    let wanted = wanted.value(text);
    let mut elements = message.slot(&step.field)?.value()?.as_list()?.slots().enumerate();
    elements.find_map(|(at, slot)| {
        let message = slot.value()?.as_message().filter(|one| one.says(field, wanted))?;
        Some((slot, at, &*room.alloc(Key { message, field, above })))
    })
}

fn walk<'b>(room: &'b Room, message: Message<'b>, steps: &'b [Step], keys: Option<&'b Key<'b>>, give: &mut dyn FnMut(Found<'b>)) {
    let Some((step, rest)) = steps.split_first() else { return };
    let Some(slot) = message.slot(&step.field) else { return };
    let mut reach = |slot: &'b Slot<'b>, at: Option<usize>, keys: Option<&'b Key<'b>>| match slot.value() {
        Some(value) if rest.is_empty() => give(Found { message, field: &step.field, at, slot, value, keys }),
        Some(Value::Message(inside)) => walk(room, inside, rest, keys, give),
        _ => {}
    };
    match &step.select {
        Select::One => reach(slot, None, keys),
        Select::At(at) => {
            if let Some(slot) = slot.value().and_then(Value::as_list).and_then(|list| list.slot(*at)) {
                reach(slot, Some(*at), keys);
            }
        }
        Select::From(from) => {
            for (at, slot) in slot.value().and_then(Value::as_list).into_iter().flat_map(|list| list.slots()).enumerate().skip(*from) {
                reach(slot, Some(at), keys);
            }
        }
        Select::Key { .. } => {
            if let Some((slot, at, key)) = keyed(room, message, step, keys) {
                reach(slot, Some(at), Some(key));
            }
        }
    }
}
