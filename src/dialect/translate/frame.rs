// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where a value comes from, and the way to its place in the canonical message.

use std::cell::Cell;

use crate::dialect::message::{Message, Place, Room, Slot, Value};
use crate::dialect::path::{Select, Step};
use crate::dialect::plan::{Block, Spot, ValueRule};

/// Where the canonical message is made.
#[derive(Clone, Copy)]
pub(super) struct Hall<'b> {
    pub(super) room: &'b Room,
    /// A message may be there in which nothing is.
    pub(super) hollow: &'b Cell<bool>,
}

impl<'b> Hall<'b> {
    pub(super) fn new(room: &'b Room) -> Self {
        Self { room, hollow: room.alloc(Cell::new(false)) }
    }
}

/// Where a value comes from: what a rule finds in a message of the dialect that stands somewhere in the hub.
pub(super) struct Origin<'f, 'b> {
    pub(super) native: Message<'b>,
    pub(super) rule: &'b ValueRule,
    pub(super) frame: &'f Frame<'f, 'b>,
    /// The element of the dialect's field, where there are many.
    pub(super) at: Option<usize>,
}

impl<'b> Origin<'_, 'b> {
    pub(super) fn element(&self, at: Option<usize>) -> Self {
        Self { at, ..*self }
    }
    pub(super) fn place(&self) -> Place<'b> {
        self.native.place(&self.rule.name, self.at)
    }
}

/// A step on the way to a value: the element at an index where there are many.
#[derive(Clone, Copy)]
pub(super) struct Hop<'b> {
    pub(super) step: &'b Step,
    pub(super) at: usize,
}

impl<'b> Hop<'b> {
    /// `at` counts the elements of what is many.
    #[inline]
    pub(super) fn new(step: &'b Step, at: usize) -> Self {
        let at = match step.select {
            Select::At(at) => at,
            Select::From(from) => from + at,
            Select::One | Select::Key { .. } => 0,
        };
        Self { step, at }
    }
    /// The message there, made if it is not there.
    pub(super) fn enter(self, hall: Hall<'b>, message: Message<'b>) -> Option<Message<'b>> {
        match self.step.select {
            Select::One => message.message(hall.room, &self.step.field),
            _ => self.element(hall, message)?.0.value()?.as_message(),
        }
    }
    /// The slot of the element, made with all before it if it is not there; whether it was there.
    fn element(self, hall: Hall<'b>, message: Message<'b>) -> Option<(&'b Slot<'b>, bool)> {
        let (slot, before) = message.element(hall.room, &self.step.field, self.at)?;
        if before < self.at {
            hall.hollow.set(true);
        }
        Some((slot, self.at < before))
    }
    /// Puts the value there, unless a fallback finds the place taken; whether it did.
    #[inline]
    pub(super) fn put(self, hall: Hall<'b>, message: Message<'b>, value: Value<'b>, fallback: bool) -> bool {
        let field = &self.step.field;
        if matches!(self.step.select, Select::One) {
            let free = !fallback || !message.has(field);
            if free {
                message.set(field, value);
            }
            return free;
        }
        let Some((slot, there)) = self.element(hall, message) else { return false };
        if fallback && there && slot.value().is_some_and(|said| !said.is_default()) {
            return false;
        }
        slot.put(value);
        true
    }
    pub(super) fn place(self, message: Message<'b>) -> Place<'b> {
        let at = (!matches!(self.step.select, Select::One)).then_some(self.at);
        message.place(self.step.field.name(), at)
    }
}

/// Where in the canonical message the message of the dialect stands that is being read.
pub(super) struct Frame<'f, 'b> {
    above: Option<&'f Frame<'f, 'b>>,
    steps: &'b [Step],
    at: usize,
    /// The message there, once something was put into it, and those below it by their numbers; only kept if nothing can take them away again.
    found: Cell<Option<Message<'b>>>,
    ways: &'b [Cell<Option<Message<'b>>>],
    lasting: bool,
    /// A step on the way to it selects by a key.
    pub(super) keyed: bool,
}

impl<'f, 'b> Frame<'f, 'b> {
    pub(super) fn top(room: &'b Room, hub: Message<'b>, block: &Block) -> Self {
        Self { above: None, steps: &[], at: 0, found: Cell::new(Some(hub)), ways: ways(room, block), lasting: true, keyed: false }
    }
    pub(super) fn below(&'f self, room: &'b Room, steps: &'b [Step], at: usize, block: &Block) -> Self {
        let lasting = self.lasting && steps.iter().all(|step| !step.field.is_rivalled());
        let keyed = self.keyed || has_key(steps);
        Self { above: Some(self), steps, at, found: Cell::new(None), ways: ways(room, block), lasting, keyed }
    }
    fn message(&self, hall: Hall<'b>) -> Option<Message<'b>> {
        if let Some(found) = self.found.get() {
            return Some(found);
        }
        let mut message = self.above?.message(hall)?;
        for step in self.steps {
            message = Hop::new(step, self.at).enter(hall, message)?;
        }
        self.found.set(Some(message).filter(|_| self.lasting));
        Some(message)
    }
    /// The message that the last step of a spot is taken in, made if it is not there.
    pub(super) fn around(&self, hall: Hall<'b>, spot: &'b Spot, way: &'b [Step], at: usize) -> Option<Message<'b>> {
        let known = spot.way.and_then(|way| self.ways.get(way)).filter(|_| self.lasting);
        if let Some(found) = known.and_then(Cell::get) {
            return Some(found);
        }
        let found = way.iter().try_fold(self.message(hall)?, |message, step| Hop::new(step, at).enter(hall, message))?;
        if let Some(known) = known {
            known.set(Some(found));
        }
        Some(found)
    }
    pub(super) fn hops(&self, out: &mut bumpalo::collections::Vec<'b, Hop<'b>>) {
        if let Some(above) = self.above {
            above.hops(out);
        }
        out.extend(self.steps.iter().map(|step| Hop::new(step, self.at)));
    }
    /// A place below, as mappings spell it.
    pub(super) fn spelt(&self, steps: &[Step]) -> String {
        let mut parts = Vec::new();
        self.parts(&mut parts);
        parts.extend(steps.iter().map(ToString::to_string));
        parts.join(".")
    }
    fn parts(&self, out: &mut Vec<String>) {
        if let Some(above) = self.above {
            above.parts(out);
        }
        out.extend(self.steps.iter().map(|step| match step.select {
            Select::From(_) => format!("{}[{}]", step.field.name(), Hop::new(step, self.at).at),
            _ => step.to_string(),
        }));
    }
}

fn ways<'b>(room: &'b Room, block: &Block) -> &'b [Cell<Option<Message<'b>>>] {
    room.alloc_slice_fill_with(block.ways, |_| Cell::new(None))
}

fn has_key(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.select, Select::Key { .. }))
}
