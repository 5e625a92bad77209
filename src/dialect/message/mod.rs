// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Messages while they are being translated: a slot for every field, texts still in the bytes they came in.
//!
//! Everything lies in a [`Room`] that is swept at once when the message has left, so that nothing is allocated or freed piece by piece; a message, a
//! list or a value is only a hand on what lies there. A message knows slots and values; what a field means stands in the plan, resolved when the plan
//! was compiled.

mod field;
mod list;
mod place;
mod value;
mod wire;

use std::cell::Cell;

pub(super) use field::{Field, Scalar, TypeId, Types, Words};
pub(super) use list::{Elements, List};
pub(super) use place::{Place, spelt};
pub(super) use value::{Slot, Value};
pub(super) use wire::Back;

use place::{USUAL, push};

/// Where messages lie while they are translated.
pub(super) type Room = bumpalo::Bump;

/// What is set in a message. A field without presence that holds its default is not set.
#[derive(Clone, Copy)]
pub(super) struct Message<'b>(&'b Body<'b>);

struct Body<'b> {
    hangs: Option<Hang<'b>>,
    slots: &'b [Slot<'b>],
    unknown: Cell<Option<&'b Unknown<'b>>>,
    /// It or a message inside came with fields that it does not have.
    strange: Cell<bool>,
}

/// Where a message stands in another one.
struct Hang<'b> {
    above: Message<'b>,
    field: &'b Field,
    at: Cell<Option<usize>>,
}

/// A field that its message does not have, and those that came before it.
struct Unknown<'b> {
    number: u32,
    /// Tag included.
    raw: &'b [u8],
    before: Option<&'b Unknown<'b>>,
}

impl<'b> Message<'b> {
    /// An empty message of a type with so many fields, part of nothing.
    pub(super) fn new(room: &'b Room, width: usize) -> Self {
        Self::hung(room, width, None)
    }
    fn hung(room: &'b Room, width: usize, hangs: Option<Hang<'b>>) -> Self {
        let slots = room.alloc_slice_fill_with(width, |_| Slot::default());
        Self(room.alloc(Body { hangs, slots, unknown: Cell::new(None), strange: Cell::new(false) }))
    }
    /// An empty message that will stand in a field of this one.
    pub(super) fn part(self, room: &'b Room, field: &'b Field, at: Option<usize>) -> Self {
        Self::hung(room, field.width(), Some(Hang { above: self, field, at: Cell::new(at) }))
    }
    pub(super) fn is(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }

    fn at(self, slot: usize) -> Option<&'b Slot<'b>> {
        self.0.slots.get(slot)
    }
    /// The slot of a field, set or not.
    pub(super) fn hold(self, field: &Field) -> Option<&'b Slot<'b>> {
        self.at(field.slot())
    }
    /// The slot of a field that is set.
    pub(super) fn slot(self, field: &Field) -> Option<&'b Slot<'b>> {
        self.at(field.slot()).filter(|slot| match slot.value() {
            None => false,
            Some(Value::List(list)) => list.first().is_some(),
            Some(_) => true,
        })
    }
    /// The value of a field that is set.
    pub(super) fn get(self, field: &Field) -> Option<Value<'b>> {
        self.slot(field)?.value()
    }
    /// The values of a field: elements, each with its index, or the single one.
    pub(super) fn elements(self, field: &Field) -> Elements<'b> {
        let slot = self.slot(field);
        match slot.and_then(Slot::value) {
            Some(Value::List(list)) => Elements::Many(0, list.first()),
            _ => Elements::One(slot),
        }
    }
    pub(super) fn has(self, field: &Field) -> bool {
        self.slot(field).is_some()
    }
    /// The value at a slot known by heart.
    pub(super) fn nth(self, slot: usize) -> Option<Value<'b>> {
        self.at(slot)?.value()
    }
    /// The text there, empty if it is not set.
    pub(super) fn text(self, slot: usize) -> &'b str {
        self.nth(slot).and_then(Value::as_text).unwrap_or_default()
    }
    /// Whether a field has a value, or none and that is its default.
    pub(super) fn says(self, field: &Field, value: Value<'b>) -> bool {
        self.get(field).map_or_else(|| value.is_default(), |said| said == value)
    }

    /// Sets a field, and clears the others of its oneof.
    #[inline(always)]
    pub(super) fn set(self, field: &Field, value: Value<'b>) {
        self.clear_rivals(field);
        if let Some(slot) = self.at(field.slot()) {
            let said = field.presence() || !value.is_default();
            slot.value.set(said.then_some(value));
        }
    }
    /// Sets the value at a slot known by heart, unless it says nothing.
    pub(super) fn put(self, slot: usize, value: Value<'b>) {
        if let (Some(slot), false) = (self.at(slot), value.is_default()) {
            slot.value.set(Some(value));
        }
    }
    /// The list of a repeated field, made if it is not there.
    pub(super) fn list(self, room: &'b Room, field: &Field) -> Option<List<'b>> {
        self.clear_rivals(field);
        let slot = self.at(field.slot())?;
        match slot.value() {
            Some(value) => value.as_list(),
            None => {
                let list = List::new(room);
                slot.value.set(Some(Value::List(list)));
                Some(list)
            }
        }
    }
    /// The message of a field, made if it is not there.
    pub(super) fn message(self, room: &'b Room, field: &'b Field) -> Option<Self> {
        self.clear_rivals(field);
        let slot = self.at(field.slot())?;
        match slot.value() {
            Some(value) => value.as_message(),
            None => {
                let message = self.part(room, field, None);
                slot.value.set(Some(Value::Message(message)));
                Some(message)
            }
        }
    }
    /// An element of a repeated field, made with all before it if it is not there; how many there were.
    pub(super) fn element(self, room: &'b Room, field: &'b Field, at: usize) -> Option<(&'b Slot<'b>, usize)> {
        let list = self.list(room, field)?;
        let before = list.len();
        while list.len() <= at {
            list.push(room, Value::default_of(field, || self.part(room, field, Some(list.len()))));
        }
        Some((list.slot(at)?, before))
    }
    pub(super) fn clear(self, field: &Field) {
        if let Some(slot) = self.at(field.slot()) {
            slot.value.set(None);
        }
    }
    #[inline]
    fn clear_rivals(self, field: &Field) {
        if field.is_rivalled() {
            self.clear_slots(field.rivals());
        }
    }
    #[cold]
    fn clear_slots(self, slots: &[u16]) {
        slots.iter().filter_map(|slot| self.at(usize::from(*slot))).for_each(|slot| slot.value.set(None));
    }

    /// All slots, in the order of the numbers.
    pub(super) fn slots(self) -> &'b [Slot<'b>] {
        self.0.slots
    }
    /// The slots that are set.
    fn set_slots(self) -> impl Iterator<Item = &'b Slot<'b>> {
        self.0.slots.iter().filter(|slot| slot.value().is_some_and(|value| value.as_list().is_none_or(|list| list.first().is_some())))
    }
    /// Whether no field that it knows is set.
    pub(super) fn is_empty(self) -> bool {
        self.set_slots().next().is_none()
    }
    /// Whether nothing was ever put there.
    fn is_bare(self) -> bool {
        self.0.unknown.get().is_none() && self.0.slots.iter().all(|slot| slot.value().is_none())
    }
    /// Slot numbers of the fields that are set.
    pub(super) fn known(self) -> impl Iterator<Item = usize> {
        let set = |slot: &Slot<'b>| slot.value().is_some_and(|value| value.as_list().is_none_or(|list| list.first().is_some()));
        self.0.slots.iter().enumerate().filter(move |(_, slot)| set(slot)).map(|(at, _)| at)
    }
    pub(super) fn is_slot_used(self, at: usize) -> bool {
        self.at(at).is_some_and(Slot::is_used)
    }

    /// Whether there are fields that the message does not have.
    pub(super) fn has_unknown(self) -> bool {
        self.0.unknown.get().is_some()
    }
    /// Their numbers, in order.
    pub(super) fn unknown(self) -> Vec<u32> {
        let mut numbers: Vec<u32> = std::iter::successors(self.0.unknown.get(), |one| one.before).map(|one| one.number).collect();
        numbers.sort_unstable();
        numbers
    }
    fn add_unknown(self, room: &'b Room, number: u32, raw: &'b [u8]) {
        self.0.unknown.set(Some(room.alloc(Unknown { number, raw, before: self.0.unknown.get() })));
        std::iter::successors(Some(self), |message| message.0.hangs.as_ref().map(|hangs| hangs.above))
            .for_each(|message| message.0.strange.set(true));
    }
    /// Whether it, or a message inside, came with fields that it does not have.
    pub(super) fn is_strange(self) -> bool {
        self.0.strange.get()
    }
    /// Takes those out.
    pub(super) fn drop_unknown(self) {
        self.0.unknown.set(None);
    }
    /// Takes them out everywhere inside, too.
    pub(super) fn forget_unknown(self) {
        self.drop_unknown();
        for slot in self.0.slots {
            match slot.value() {
                Some(Value::Message(inside)) => inside.forget_unknown(),
                Some(Value::List(list)) => list.values().filter_map(Value::as_message).for_each(Self::forget_unknown),
                _ => {}
            }
        }
    }

    /// A place in it.
    pub(super) fn place(self, name: &'b str, at: Option<usize>) -> Place<'b> {
        Place { message: self, name, at }
    }
    /// Where it stands, in words.
    pub(super) fn path(self) -> String {
        let mut out = String::with_capacity(USUAL);
        self.spell(true, &mut out);
        out
    }
    fn spell(self, indices: bool, out: &mut String) {
        if let Some(Hang { above, field, at }) = &self.0.hangs {
            above.spell(indices, out);
            push(out, field.name(), at.get().filter(|_| indices));
        }
    }
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        let values = |message: &Self| message.0.slots.iter().map(Slot::value).collect::<Vec<_>>();
        values(self) == values(other) && self.unknown() == other.unknown()
    }
}
impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.slots.iter().map(Slot::value)).finish()
    }
}
