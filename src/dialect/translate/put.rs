// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Values on their way to their places in the canonical message.

use crate::dialect::hub::Leaf;
use crate::dialect::message::{Field, Message, Place, Value};
use crate::dialect::path::{Select, Step};
use crate::dialect::plan::Spot;
use crate::dialect::value::din91379;

use super::frame::{Hall, Hop, Origin};

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
    hall: Hall<'b>,
    pub(super) hub: Message<'b>,
    marking: bumpalo::collections::Vec<'b, Marking<'b>>,
    marks: bumpalo::collections::Vec<'b, Mark<'b>>,
    /// Something may be wrong with a value.
    doubtful: bool,
    /// Fields that found their place taken.
    pub(super) refused: bumpalo::collections::Vec<'b, Place<'b>>,
    /// Which field of the dialect each place came from, if that is asked for.
    pub(super) origins: Option<Vec<(String, String)>>,
}

impl<'b> Puts<'b> {
    pub(super) fn new(hall: Hall<'b>, hub: Message<'b>, origins: Option<Vec<(String, String)>>) -> Self {
        let room = hall.room;
        let (marking, marks) = (bumpalo::collections::Vec::new_in(room), bumpalo::collections::Vec::new_in(room));
        Self { hall, hub, marking, marks, doubtful: false, refused: bumpalo::collections::Vec::new_in(room), origins }
    }

    /// Whether a message may be there in which nothing is.
    pub(super) fn is_hollow(&self) -> bool {
        self.hall.hollow.get()
    }

    /// Whether something may be wrong with a value.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }
    /// A message comes that nobody has looked into.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
        self.hall.hollow.set(true);
    }

    /// A value at a spot; `at` counts the elements of what is many.
    #[inline(always)]
    pub(super) fn put(&mut self, origin: &Origin<'_, 'b>, spot: &'b Spot, at: usize, value: Value<'b>) {
        if value.is_default() {
            self.hall.hollow.set(true);
        }
        self.doubtful |= spot.part
            || match value {
                Value::Text(text) => spot.datatype.is_some_and(|kind| din91379::check(kind, text).is_err()),
                // A date that was read is one; a code that was put together may be none.
                Value::Message(_) => matches!(spot.leaf, Leaf::Coding),
                _ => false,
            };
        let (frame, fallback) = (origin.frame, origin.rule.fallback);
        if frame.keyed || spot.keyed {
            return self.later(origin, spot, at, value);
        }
        let Some((last, way)) = spot.steps.split_last() else { return };
        let around = frame.around(self.hall, spot, way, at);
        if !around.is_some_and(|message| self.last(Hop::new(last, at), message, value, fallback, || origin.place())) {
            self.refuse(origin.place());
        }
    }

    /// A value that marks its element waits until the elements are there.
    fn later(&mut self, origin: &Origin<'_, 'b>, spot: &'b Spot, at: usize, value: Value<'b>) {
        let mut hops = bumpalo::collections::Vec::with_capacity_in(8, self.hall.room);
        origin.frame.hops(&mut hops);
        hops.extend(spot.steps.iter().map(|step| Hop::new(step, at)));
        self.marking.push(Marking { hops, value, origin: origin.place(), fallback: origin.rule.fallback });
    }

    /// Puts a value where its last step leads; whether the place was free.
    #[inline]
    fn last(&mut self, hop: Hop<'b>, message: Message<'b>, value: Value<'b>, fallback: bool, origin: impl FnOnce() -> Place<'b>) -> bool {
        let free = hop.put(self.hall, message, value, fallback);
        if let (true, Some(origins)) = (free, &mut self.origins) {
            origins.push((hop.place(message).text(), origin().text()));
        }
        free
    }

    #[cold]
    fn refuse(&mut self, origin: Place<'b>) {
        self.hall.hollow.set(true);
        self.refused.push(origin);
    }

    /// Puts what marks elements, now that they are there.
    pub(super) fn mark(&mut self) {
        let marking = std::mem::replace(&mut self.marking, bumpalo::collections::Vec::new_in(self.hall.room));
        for Marking { hops, value, origin, fallback } in marking {
            if self.marked(&hops, value, origin, fallback) != Some(true) {
                self.refuse(origin);
            }
        }
    }

    fn marked(&mut self, hops: &[Hop<'b>], value: Value<'b>, origin: Place<'b>, fallback: bool) -> Option<bool> {
        let (last, way) = hops.split_last()?;
        let mut message = self.hub;
        for (at, hop) in way.iter().enumerate() {
            let hop = self.aimed(*hop, hops.get(at + 1..)?, message, value);
            message = hop.enter(self.hall, message)?;
            if let Select::Key { field: key, wanted, text } = &hop.step.select {
                self.doubtful |= din91379::check(din91379::Kind::A, text).is_err();
                message.set(key, wanted.value(text));
            }
        }
        let last = self.aimed(*last, &[], message, value);
        Some(self.last(last, message, value, fallback, || origin))
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
