// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Room on the disk of a database file. While it is short, what can wait is refused, and what stops, finishes or takes away goes on: a withdrawal must
//! never fail for want of a few hundred bytes. Whether it is short is looked at before each batch, so nobody has to start anything anew when there is
//! room again. A server's disk is not seen from here.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::{Place, Space};

/// The reserve is never more than this part of the disk.
const MOST: u64 = 10;
/// Once it is short, this part of the reserve must be free beside it: files come and go, and nobody needs to be told each time.
const MORE: u64 = 10;

/// Watches it.
pub struct Room {
    /// None: there is no disk to watch.
    ask: Option<Box<dyn Fn() -> io::Result<Space> + Send + Sync>>,
    reserve: u64,
    short: AtomicBool,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomNow {
    /// Free bytes.
    pub free: u64,
    /// Below so many free bytes it is short.
    pub reserve: u64,
    /// What can wait is refused.
    pub short: bool,
}

impl Room {
    /// Of the disk of a database, of which `reserve` bytes, but never more than a tenth, stay free for what cannot wait.
    pub fn of(place: &Place, reserve: u64) -> Self {
        match place.file().map(ToOwned::to_owned) {
            Some(path) => Self::asking(move || Space::at(&path), reserve),
            None => Self::endless(),
        }
    }

    /// As `ask` says.
    pub fn asking(ask: impl Fn() -> io::Result<Space> + Send + Sync + 'static, reserve: u64) -> Self {
        Self { ask: Some(Box::new(ask)), reserve, short: AtomicBool::new(false) }
    }

    /// No disk to watch.
    pub fn endless() -> Self {
        Self { ask: None, reserve: 0, short: AtomicBool::new(false) }
    }

    /// Looks. None: there is nothing to look at, or the system does not say; then it stays as it was.
    pub fn look(&self) -> Option<RoomNow> {
        let Space { free, total } = self.ask.as_ref()?().ok()?;
        let reserve = self.reserve.min(total / MOST);
        let was = self.short.load(Ordering::Relaxed);
        let short = free < if was { reserve.saturating_add(reserve / MORE) } else { reserve };
        if self.short.swap(short, Ordering::Relaxed) != short {
            match short {
                true => tracing::error!(free, reserve, "room on the disk is short: no new referrals or consents are accepted until there is more"),
                false => tracing::info!(free, reserve, "there is room on the disk again; everything is accepted"),
            }
        }
        Some(RoomNow { free, reserve, short })
    }

    /// Looks; whether what can wait is refused.
    pub(super) fn is_short(&self) -> bool {
        self.look().map_or_else(|| self.short.load(Ordering::Relaxed), |now| now.short)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn the_reserve_is_what_was_asked_for_but_never_more_than_a_tenth_of_the_disk() {
        for (total, reserve) in [(100_000, 1000), (5000, 500)] {
            let free = Arc::new(AtomicU64::new(reserve));
            let asked = free.clone();
            let room = Room::asking(move || Ok(Space { free: asked.load(Ordering::Relaxed), total }), 1000);
            for (now, short) in [(reserve, false), (reserve - 1, true), (reserve + reserve / 10 - 1, true), (reserve + reserve / 10, false)] {
                free.store(now, Ordering::Relaxed);
                assert_eq!((room.is_short(), room.look()), (short, Some(RoomNow { free: now, reserve, short })));
            }
        }
    }

    #[test]
    fn where_nothing_can_be_seen_nothing_is_short_and_what_was_short_stays_so() {
        assert!(!Room::endless().is_short());
        let broken = Arc::new(AtomicBool::new(false));
        let asked = broken.clone();
        let room =
            Room::asking(move || if asked.load(Ordering::Relaxed) { Err(io::Error::other("gone")) } else { Ok(Space { free: 0, total: 100 }) }, 9);
        assert!(room.is_short());
        broken.store(true, Ordering::Relaxed);
        assert!(room.is_short() && room.look().is_none());
    }
}
