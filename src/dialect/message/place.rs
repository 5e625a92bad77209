// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where something was, for those who want to know.

use std::fmt::Write;

use super::{Message, Room};

/// A field of a message or one element of it, for those who want to know where something was.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct Place<'b> {
    pub(super) message: Message<'b>,
    pub(super) name: &'b str,
    pub(super) at: Option<usize>,
}

impl Place<'_> {
    /// As reports spell it, with the indices of elements.
    pub(in crate::dialect) fn text(self) -> String {
        self.spelt(true)
    }
    /// Without indices, as plans spell it.
    pub(in crate::dialect) fn plain(self) -> String {
        self.spelt(false)
    }
    fn spelt(self, indices: bool) -> String {
        let mut out = String::with_capacity(USUAL);
        self.message.spell(indices, &mut out);
        push(&mut out, self.name, self.at.filter(|_| indices));
        out
    }
}

/// Bytes that most paths have room in.
pub(super) const USUAL: usize = 48;

pub(super) fn push(out: &mut String, name: &str, at: Option<usize>) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
    if let Some(at) = at {
        // Writing to a text does not fail.
        let _ = write!(out, "[{at}]");
    }
}

/// Writes into the room.
pub(in crate::dialect) fn spelt<'b>(room: &'b Room, text: std::fmt::Arguments<'_>) -> &'b str {
    let mut out = bumpalo::collections::String::new_in(room);
    let _ = out.write_fmt(text);
    out.into_bump_str()
}
