// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A report while it is being made: places and reasons, none of them a text of its own yet.

use super::below;
use crate::dialect::message::{Message, Place, Room, Slot};
use crate::dialect::path::{Step, spelt};
use crate::dialect::report::{FieldReport, Outcome, Report};
use crate::proto::types::DataCategory;

/// How much of a report is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dialect) enum Detail {
    /// Nothing: somebody has had the report already.
    None,
    /// What did not arrive as it was.
    Losses,
    /// What did, too.
    All,
}

/// An [`Outcome`] whose words lie in a plan, in the room or in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Finding<'b> {
    Exact,
    Lossy(&'b str),
    Defaulted,
    Withheld(DataCategory),
    Dropped(&'b str),
    Unmappable(&'b str),
}

impl From<Finding<'_>> for Outcome {
    fn from(finding: Finding<'_>) -> Self {
        match finding {
            Finding::Exact => Self::Exact,
            Finding::Lossy(how) => Self::Lossy(how.to_owned().into()),
            Finding::Defaulted => Self::Defaulted,
            Finding::Withheld(category) => Self::Withheld(category),
            Finding::Dropped(why) => Self::Dropped(why.to_owned().into()),
            Finding::Unmappable(why) => Self::Unmappable(why.to_owned().into()),
        }
    }
}

/// What a line is about.
#[derive(Clone, Copy)]
enum Subject<'b> {
    Place(Place<'b>),
    /// A value; what one rule says less of, another may have said in full: a search form beside the name.
    Value(Place<'b>, &'b Slot<'b>),
    /// A place as it was called when elements were still to be taken out of lists.
    Spelt(&'b str),
    /// A place below a message that nothing was found at, as mappings spell it.
    Below(Message<'b>, &'b [Step]),
}

/// What became of the fields, line by line.
pub(in crate::dialect) struct Lines<'b> {
    detail: Detail,
    lines: bumpalo::collections::Vec<'b, (Subject<'b>, Finding<'b>)>,
}

impl<'b> Lines<'b> {
    pub(in crate::dialect) fn new(room: &'b Room, detail: Detail) -> Self {
        Self { detail, lines: bumpalo::collections::Vec::new_in(room) }
    }
    /// Whether losses are wanted.
    pub(super) fn wanted(&self) -> bool {
        self.detail > Detail::None
    }
    /// A line about a place.
    #[inline]
    pub(in crate::dialect) fn note(&mut self, place: Place<'b>, finding: Finding<'b>) {
        if self.wanted() {
            self.lines.push((Subject::Place(place), finding));
        }
    }
    /// A line about a value; that it lost nothing is told once.
    #[inline]
    pub(super) fn value(&mut self, place: impl FnOnce() -> Place<'b>, slot: &'b Slot<'b>, finding: Finding<'b>) {
        let told = match finding {
            Finding::Exact => slot.keep_it() && self.detail == Detail::All,
            _ => self.wanted(),
        };
        if told {
            self.lines.push((Subject::Value(place(), slot), finding));
        }
    }
    /// A line about a place below a message at which nothing is.
    pub(super) fn below(&mut self, message: Message<'b>, steps: &'b [Step], finding: Finding<'b>) {
        if self.wanted() {
            self.lines.push((Subject::Below(message, steps), finding));
        }
    }
    /// A place that lost nothing.
    #[inline]
    pub(super) fn kept(&mut self, place: Place<'b>) {
        if self.detail == Detail::All {
            self.lines.push((Subject::Place(place), Finding::Exact));
        }
    }

    /// Puts the places into words, before elements change their indices.
    pub(in crate::dialect) fn settle(&mut self, room: &'b Room) {
        for (subject, _) in &mut self.lines {
            if let Subject::Place(place) = subject {
                *subject = Subject::Spelt(room.alloc_str(&place.text()));
            }
        }
    }

    /// Whether there is nothing to tell.
    pub(in crate::dialect) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// As others read it.
    pub(in crate::dialect) fn report(&self) -> Report {
        let told = |(subject, finding): &&(Subject<'_>, Finding<'_>)| {
            let partial = matches!(finding, Finding::Lossy(_) | Finding::Unmappable(_));
            !matches!(subject, Subject::Value(_, slot) if partial && slot.is_exact())
        };
        let field = |(subject, finding): &(Subject<'_>, Finding<'_>)| FieldReport {
            path: match subject {
                Subject::Place(place) | Subject::Value(place, _) => place.text(),
                Subject::Spelt(text) => (*text).to_owned(),
                Subject::Below(message, steps) => below(&message.path(), &spelt(steps)),
            },
            outcome: Outcome::from(*finding),
        };
        let mut fields: Vec<_> = self.lines.iter().filter(told).map(field).collect();
        fields.dedup();
        Report { fields }
    }
}
