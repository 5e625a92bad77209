// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The elements of repeated fields.

use std::cell::Cell;

use super::Room;
use super::value::{Slot, Value};

/// The elements of a repeated field, a chain.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct List<'b>(&'b Chain<'b>);

#[derive(Default)]
struct Chain<'b> {
    first: Cell<Option<&'b Link<'b>>>,
    last: Cell<Option<&'b Link<'b>>>,
    length: Cell<usize>,
}

pub(in crate::dialect) struct Link<'b> {
    slot: Slot<'b>,
    before: Cell<Option<&'b Link<'b>>>,
    after: Cell<Option<&'b Link<'b>>>,
}

impl<'b> List<'b> {
    pub(super) fn new(room: &'b Room) -> Self {
        Self(room.alloc(Chain::default()))
    }
    pub(in crate::dialect) fn len(self) -> usize {
        self.0.length.get()
    }
    pub(in crate::dialect) fn push(self, room: &'b Room, value: Value<'b>) {
        let before = self.0.last.get();
        let link: &'b Link<'b> = room.alloc(Link { slot: Slot::of(value), before: Cell::new(before), after: Cell::new(None) });
        match before {
            Some(before) => before.after.set(Some(link)),
            None => self.0.first.set(Some(link)),
        }
        self.0.last.set(Some(link));
        self.0.length.set(self.len() + 1);
    }
    pub(super) fn first(self) -> Option<&'b Link<'b>> {
        self.0.first.get()
    }
    pub(in crate::dialect) fn slots(self) -> impl Iterator<Item = &'b Slot<'b>> {
        std::iter::successors(self.first(), |link| link.after.get()).map(|link| &link.slot)
    }
    pub(in crate::dialect) fn slot(self, at: usize) -> Option<&'b Slot<'b>> {
        self.slots().nth(at)
    }
    pub(in crate::dialect) fn values(self) -> impl Iterator<Item = Value<'b>> {
        self.slots().filter_map(Slot::value)
    }
    /// The last first.
    pub(super) fn backwards(self) -> impl Iterator<Item = Value<'b>> {
        std::iter::successors(self.0.last.get(), |link| link.before.get()).filter_map(|link| link.slot.value())
    }
    /// Keeps the elements that `keep` wants; whether others went. Messages in it are still known by the index that they had.
    pub(in crate::dialect) fn retain(self, mut keep: impl FnMut(Value<'b>) -> bool) -> bool {
        let before = self.len();
        let mut next = self.first();
        while let Some(link) = next {
            next = link.after.get();
            if link.slot.value().is_some_and(&mut keep) {
                continue;
            }
            let before = link.before.get();
            match before {
                Some(before) => before.after.set(next),
                None => self.0.first.set(next),
            }
            match next {
                Some(next) => next.before.set(before),
                None => self.0.last.set(before),
            }
            self.0.length.set(self.len().saturating_sub(1));
        }
        self.len() < before
    }
    /// From now on, messages in it are known by the index that they have.
    pub(in crate::dialect) fn recount(self) {
        for (at, value) in self.values().enumerate() {
            if let Some(hangs) = value.as_message().and_then(|message| message.0.hangs.as_ref()) {
                hangs.at.set(Some(at));
            }
        }
    }
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.values().eq(other.values())
    }
}
impl std::fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}

/// The values of a field; see [`Message::elements`].
pub(in crate::dialect) enum Elements<'b> {
    One(Option<&'b Slot<'b>>),
    Many(usize, Option<&'b Link<'b>>),
}

impl<'b> Iterator for Elements<'b> {
    type Item = (Option<usize>, &'b Slot<'b>, Value<'b>);
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(slot) => slot.take().and_then(|slot| Some((None, slot, slot.value()?))),
            Self::Many(at, link) => {
                let here = (*link)?;
                let index = *at;
                (*at, *link) = (index + 1, here.after.get());
                Some((Some(index), &here.slot, here.slot.value()?))
            }
        }
    }
}
