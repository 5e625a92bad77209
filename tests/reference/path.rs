// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where a walk through a message is: as a chain on the stack, or as a tree of the places that rules have found.

use std::fmt::Write;

use crate::dialect::message::Field;

/// A place in a message, as a chain of the places above it.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    above: Option<&'p Path<'p>>,
    name: &'p str,
    at: Option<usize>,
}

impl<'p> Path<'p> {
    /// The message itself.
    pub(super) const TOP: Path<'static> = Path { above: None, name: "", at: None };

    /// A field of it, or one element of that.
    pub(super) fn below(&'p self, name: &'p str, at: Option<usize>) -> Self {
        Self { above: Some(self), name, at }
    }
    /// The same field, one element of it.
    pub(super) fn element(self, at: Option<usize>) -> Self {
        Self { at, ..self }
    }
    /// As reports spell it, with the indices of elements.
    pub(super) fn text(&self) -> String {
        self.spelt(true)
    }
    /// Without indices, as plans spell it.
    pub(super) fn plain(&self) -> String {
        self.spelt(false)
    }

    fn spelt(&self, indices: bool) -> String {
        let mut out = String::with_capacity(USUAL);
        self.spell(indices, &mut out);
        out
    }
    fn spell(&self, indices: bool, out: &mut String) {
        if let Some(above) = self.above {
            above.spell(indices, out);
        }
        push(out, self.name, self.at.filter(|_| indices));
    }
}

/// Bytes that most paths have room in.
const USUAL: usize = 48;

fn push(out: &mut String, name: &str, at: Option<usize>) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
    if let Some(at) = at {
        // Writing to a text does not fail.
        let _ = write!(out, "[{at}]");
    }
}

/// Number of a place in [`Places`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

/// The message itself.
pub(super) const TOP: Id = Id(0);

/// The places of the hub that rules have found, each once, and what became of them.
pub(super) struct Places<'p>(Vec<Place<'p>>);

struct Place<'p> {
    above: usize,
    name: &'p str,
    number: u32,
    at: Option<usize>,
    /// First of those below, and next of those beside.
    first: usize,
    next: usize,
    used: bool,
    exact: bool,
}

/// No place: only the top is nobody's child.
const NONE: usize = 0;

impl<'p> Places<'p> {
    pub(super) fn new() -> Self {
        let mut places = Vec::with_capacity(128);
        places.push(Place { above: NONE, name: "", number: 0, at: None, first: NONE, next: NONE, used: false, exact: false });
        Self(places)
    }

    /// The place below another, made if it is not known yet.
    pub(super) fn below(&mut self, above: Id, field: &'p Field, at: Option<usize>) -> Id {
        if let Some(known) = self.known(above, field.number(), at) {
            return known;
        }
        let new = self.0.len();
        let next = self.0.get_mut(above.0).map_or(NONE, |above| std::mem::replace(&mut above.first, new));
        self.0.push(Place { above: above.0, name: field.name(), number: field.number(), at, first: NONE, next, used: false, exact: false });
        Id(new)
    }
    /// The place below another if a rule has found it or something in it.
    pub(super) fn known(&self, above: Id, number: u32, at: Option<usize>) -> Option<Id> {
        let mut here = self.0.get(above.0)?.first;
        while here != NONE {
            let place = self.0.get(here)?;
            if place.number == number && place.at == at {
                return Some(Id(here));
            }
            here = place.next;
        }
        None
    }

    /// It found a place in the other message.
    pub(super) fn used(&mut self, id: Id) {
        if let Some(place) = self.0.get_mut(id.0) {
            place.used = true;
        }
    }
    pub(super) fn is_used(&self, id: Id) -> bool {
        self.0.get(id.0).is_some_and(|place| place.used)
    }
    /// It lost nothing; whether that was news.
    pub(super) fn exact(&mut self, id: Id) -> bool {
        self.0.get_mut(id.0).is_some_and(|place| !std::mem::replace(&mut place.exact, true))
    }
    pub(super) fn is_exact(&self, id: Id) -> bool {
        self.0.get(id.0).is_some_and(|place| place.exact)
    }

    pub(super) fn text(&self, id: Id) -> String {
        let mut out = String::with_capacity(USUAL);
        self.spell(id, &mut out);
        out
    }
    fn spell(&self, id: Id, out: &mut String) {
        if let Some(place) = self.0.get(id.0).filter(|_| id != TOP) {
            self.spell(Id(place.above), out);
            push(out, place.name, place.at);
        }
    }
}
