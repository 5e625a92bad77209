// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where messages lie while they are translated: swept and used again for the next one, so that translating does not allocate.

use std::cell::RefCell;

use super::message::{Back, Room};
use super::report::Report;
use super::translate::Lines;

/// Room for one message at a time. It grows to what its messages need; what a single large one took is given back.
#[derive(Default)]
pub struct Desk {
    room: Room,
    out: Back,
}

/// A desk keeps so many bytes for the next message. Ordinary referrals take some 30 KB.
const KEPT: usize = 1 << 18;

impl Desk {
    /// Bytes that are held.
    pub fn size(&self) -> usize {
        self.room.allocated_bytes() + self.out.capacity()
    }

    /// Sweeps the desk: room for messages, and for the bytes that come out.
    pub(super) fn clear(&mut self) -> (&Room, &mut Back) {
        if self.size() > KEPT {
            *self = Self::default();
        }
        self.room.reset();
        self.out.clear();
        (&self.room, &mut self.out)
    }

    /// Works at the desk of this thread.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local!(static DESK: RefCell<Desk> = RefCell::default());
        DESK.with(|desk| match desk.try_borrow_mut() {
            Ok(mut desk) => work(&mut desk),
            // Somebody who works at it asks for another translation.
            Err(_) => work(&mut Self::default()),
        })
    }
}

/// A translated message while it lies on the desk.
#[derive(Clone, Copy)]
pub struct Text<'d, 'l> {
    /// The message.
    pub bytes: &'d [u8],
    pub(super) lines: &'d Lines<'l>,
}

impl Text<'_, '_> {
    /// What did not arrive as it was; empty if no report was wanted.
    pub fn report(&self) -> Report {
        self.lines.report()
    }
    /// Whether such a report has nothing to say.
    pub fn is_whole(&self) -> bool {
        self.lines.is_empty()
    }
}
