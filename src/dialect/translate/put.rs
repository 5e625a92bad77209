// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Values on their way to their places in the canonical message.

use std::cell::Cell;

use crate::dialect::message::{Field, Message, Place, Room, Value};
use crate::dialect::path::{Select, Step};

/// A step on the way to a value: the element at an index where there are many.
#[derive(Clone, Copy)]
struct Hop<'b> {
    step: &'b Step,
    at: usize,
}

impl<'b> Hop<'b> {
    /// `at` counts the elements of what is many.
    fn new(step: &'b Step, at: usize) -> Self {
        let at = match step.select {
            Select::At(at) => at,
            Select::From(from) => from + at,
            Select::One | Select::Key { .. } => 0,
        };
        Self { step, at }
    }
    /// The message there, made if it is not there.
    fn enter(self, room: &'b Room, message: Message<'b>) -> Option<Message<'b>> {
        match self.step.select {
            Select::One => message.message(room, &self.step.field),
            _ => message.element(room, &self.step.field, self.at)?.0.value()?.as_message(),
        }
    }
    /// Puts the value there, unless a fallback finds the place taken; whether it did.
    fn put(self, room: &'b Room, message: Message<'b>, value: Value<'b>, fallback: bool) -> bool {
        let field = &self.step.field;
        if matches!(self.step.select, Select::One) {
            let free = !fallback || !message.has(field);
            if free {
                message.set(field, value);
            }
            return free;
        }
        let Some((slot, there)) = message.element(room, field, self.at) else { return false };
        if fallback && there && slot.value().is_some_and(|said| !said.is_default()) {
            return false;
        }
        slot.put(value);
        true
    }
    fn place(self, message: Message<'b>) -> Place<'b> {
        let at = (!matches!(self.step.select, Select::One)).then_some(self.at);
        message.place(self.step.field.name(), at)
    }
}

/// Where in the canonical message the message of the dialect stands that is being read.
pub(super) struct Frame<'f, 'b> {
    above: Option<&'f Frame<'f, 'b>>,
    steps: &'b [Step],
    at: usize,
    /// The message there, once something was put into it; only kept if nothing can take it away again.
    found: Cell<Option<Message<'b>>>,
    lasting: bool,
    keyed: bool,
}

impl<'f, 'b> Frame<'f, 'b> {
    pub(super) fn top(hub: Message<'b>) -> Self {
        Self { above: None, steps: &[], at: 0, found: Cell::new(Some(hub)), lasting: true, keyed: false }
    }
    pub(super) fn below(&'f self, steps: &'b [Step], at: usize) -> Self {
        let lasting = self.lasting && steps.iter().all(|step| !step.field.is_rivalled());
        let keyed = self.keyed || has_key(steps);
        Self { above: Some(self), steps, at, found: Cell::new(None), lasting, keyed }
    }
    fn message(&self, room: &'b Room) -> Option<Message<'b>> {
        if let Some(found) = self.found.get() {
            return Some(found);
        }
        let mut message = self.above?.message(room)?;
        for step in self.steps {
            message = Hop::new(step, self.at).enter(room, message)?;
        }
        self.found.set(Some(message).filter(|_| self.lasting));
        Some(message)
    }
    fn hops(&self, out: &mut bumpalo::collections::Vec<'b, Hop<'b>>) {
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

fn has_key(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.select, Select::Key { .. }))
}

/// A value on its way to an element that it marks by a key; those come last, when the elements are there.
struct Marking<'b> {
    hops: bumpalo::collections::Vec<'b, Hop<'b>>,
    value: Value<'b>,
    origin: Place<'b>,
    fallback: bool,
}

/// An element that a key has marked.
struct Mark<'b> {
    message: Message<'b>,
    step: &'b Step,
    at: usize,
}

/// The canonical message that is being made.
pub(super) struct Puts<'b> {
    room: &'b Room,
    pub(super) hub: Message<'b>,
    marking: bumpalo::collections::Vec<'b, Marking<'b>>,
    marks: bumpalo::collections::Vec<'b, Mark<'b>>,
    /// Fields that found their place taken.
    pub(super) refused: bumpalo::collections::Vec<'b, Place<'b>>,
    /// Which field of the dialect each place came from, if that is asked for.
    pub(super) origins: Option<Vec<(String, String)>>,
}

impl<'b> Puts<'b> {
    pub(super) fn new(room: &'b Room, hub: Message<'b>, origins: Option<Vec<(String, String)>>) -> Self {
        let (marking, marks) = (bumpalo::collections::Vec::new_in(room), bumpalo::collections::Vec::new_in(room));
        Self { room, hub, marking, marks, refused: bumpalo::collections::Vec::new_in(room), origins }
    }

    /// A value at the end of some steps below a frame; `at` counts the elements of what is many.
    pub(super) fn put(&mut self, frame: &Frame<'_, 'b>, steps: &'b [Step], at: usize, value: Value<'b>, origin: Place<'b>, fallback: bool) {
        if frame.keyed || has_key(steps) {
            let mut hops = bumpalo::collections::Vec::with_capacity_in(8, self.room);
            frame.hops(&mut hops);
            hops.extend(steps.iter().map(|step| Hop::new(step, at)));
            self.marking.push(Marking { hops, value, origin, fallback });
            return;
        }
        let Some((last, way)) = steps.split_last() else { return };
        let start = frame.message(self.room);
        let end = start.and_then(|start| way.iter().try_fold(start, |message, step| Hop::new(step, at).enter(self.room, message)));
        let Some(message) = end else { return self.refused.push(origin) };
        self.last(Hop::new(last, at), message, value, origin, fallback);
    }

    fn last(&mut self, hop: Hop<'b>, message: Message<'b>, value: Value<'b>, origin: Place<'b>, fallback: bool) {
        if !hop.put(self.room, message, value, fallback) {
            self.refused.push(origin);
        } else if let Some(origins) = &mut self.origins {
            origins.push((hop.place(message).text(), origin.text()));
        }
    }

    /// Puts what marks elements, now that they are there.
    pub(super) fn mark(&mut self) {
        let marking = std::mem::replace(&mut self.marking, bumpalo::collections::Vec::new_in(self.room));
        for Marking { hops, value, origin, fallback } in marking {
            if self.marked(&hops, value, origin, fallback).is_none() {
                self.refused.push(origin);
            }
        }
    }

    fn marked(&mut self, hops: &[Hop<'b>], value: Value<'b>, origin: Place<'b>, fallback: bool) -> Option<()> {
        let (last, way) = hops.split_last()?;
        let mut message = self.hub;
        for (at, hop) in way.iter().enumerate() {
            let hop = self.aimed(*hop, hops.get(at + 1..)?, message, value);
            message = hop.enter(self.room, message)?;
            if let Select::Key { field: key, wanted, text } = &hop.step.select {
                message.set(key, wanted.value(text));
            }
        }
        let last = self.aimed(*last, &[], message, value);
        self.last(last, message, value, origin, fallback);
        Some(())
    }

    /// A step by a key with the index of its element.
    fn aimed(&mut self, hop: Hop<'b>, rest: &[Hop<'b>], message: Message<'b>, value: Value<'b>) -> Hop<'b> {
        let Select::Key { field: key, wanted, text } = &hop.step.select else { return hop };
        let known = self.marks.iter().find(|mark| mark.message.is(message) && mark.step == hop.step).map(|mark| mark.at);
        let at = known.unwrap_or_else(|| find(message, &hop.step.field, rest, key, wanted.value(text), value));
        if known.is_none() {
            self.marks.push(Mark { message, step: hop.step, at });
        }
        Hop { at, ..hop }
    }
}

/// The element that a key is about: one that says the same and has no key yet, one that has the key and not yet this, or a new one.
fn find<'b>(message: Message<'b>, field: &Field, rest: &[Hop<'b>], key: &Field, wanted: Value<'b>, value: Value<'b>) -> usize {
    let has = |wanted: &dyn Fn(Message<'b>) -> bool| {
        message.elements(field).find(|(_, _, one)| one.as_message().is_some_and(wanted)).and_then(|(at, ..)| at)
    };
    has(&|one| !one.has(key) && at(one, rest) == Some(value))
        .or_else(|| has(&|one| one.says(key, wanted) && at(one, rest).is_none_or(|there| there == value)))
        .unwrap_or_else(|| message.elements(field).count())
}

/// The value at a place without selections.
fn at<'b>(message: Message<'b>, hops: &[Hop<'_>]) -> Option<Value<'b>> {
    let (hop, rest) = hops.split_first()?;
    let value = message.get(&hop.step.field)?;
    if rest.is_empty() { Some(value) } else { at(value.as_message()?, rest) }
}
