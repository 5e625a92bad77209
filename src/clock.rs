// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Time as an argument: nothing below the edges asks the machine what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Time(pub i64);

impl Time {
    /// The instant `by` later, saturating at the end of time.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
    /// The instant `by` earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
    /// How long after `earlier`; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// How long something of ours takes, for metrics. Says nothing about what time it is, and no decision rests on it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    pub fn start() -> Self {
        Self(Instant::now())
    }
    /// Until now.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Time;
    /// Whether the clock of a database server counts in its place, where there is one. One that somebody moves on purpose does not give way.
    fn gives_way(&self) -> bool {
        false
    }
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        // A clock before 1970 reads as 1970: every consent is then not yet valid, and nothing is forwarded.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
    fn gives_way(&self) -> bool {
        true
    }
}

/// A clock that goes by another one: what was said last, and what has passed since by a clock that nobody can set. Until something was said it is the
/// machine's own.
pub struct FollowingClock {
    own: Arc<dyn Clock>,
    said: Mutex<Option<(Time, Instant)>>,
}

impl FollowingClock {
    /// In place of `own`.
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, said: Mutex::default() }
    }
    /// Whether `own` gives way to another one at all.
    pub fn follows(&self) -> bool {
        self.own.gives_way()
    }
    /// It is `at` now; how many milliseconds `own` is ahead of that.
    pub fn follow(&self, at: Time) -> i64 {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, Instant::now()));
        self.own.now().0.saturating_sub(at.0)
    }
}

impl Clock for FollowingClock {
    fn now(&self) -> Time {
        let said = *self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.map_or_else(|| self.own.now(), |(at, since)| at.plus(since.elapsed()))
    }
    fn gives_way(&self) -> bool {
        self.follows()
    }
}

/// The machine's clock, moved by an offset that can be changed while running: the demonstration and the tests move time with it.
#[derive(Debug, Default)]
pub struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// Lets `by` pass at once.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Time {
        Time(SystemClock.now().0.saturating_add(self.0.load(Ordering::SeqCst)))
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Stands at `at`.
    pub fn at(at: Time) -> Self {
        Self(AtomicI64::new(at.0))
    }
    /// Moves to `at`.
    pub fn set(&self, at: Time) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}
