// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::chance;

/// Calls in a row that did not get through, after which the way counts as closed.
const IN_A_ROW: u32 = 16;
/// Pause before the first call on a closed way; it doubles with each.
const FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// The way to one recipient: open until many calls in a row did not get through, and again once one does. A backlog for a recipient that is down would
/// otherwise be released, tried, logged and put back item by item, and those who can be reached would wait for the writer meanwhile.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// In a row.
    failed: AtomicU32,
    opened: Notify,
}

impl Way {
    /// Whether calls get through, as far as known.
    pub(super) fn is_open(&self) -> bool {
        self.failed.load(Ordering::Relaxed) < IN_A_ROW
    }

    /// A call got through, or did not; true if that opens or closes the way.
    pub(super) fn note(&self, reached: bool) -> bool {
        if !reached {
            return self.failed.fetch_add(1, Ordering::Relaxed) + 1 == IN_A_ROW;
        }
        let opens = self.failed.swap(0, Ordering::Relaxed) >= IN_A_ROW;
        if opens {
            self.opened.notify_one();
        }
        opens
    }

    /// Before the `n`-th call (from 1) on the closed way: a pause, or until a call that was under way gets through.
    pub(super) async fn wait(&self, n: u32) {
        let longest = FIRST.saturating_mul(1 << (n - 1).min(10)).min(LONGEST);
        let pause = longest.mul_f64(0.5 + chance::part() / 2.0);
        let _ = tokio::time::timeout(pause, self.opened.notified()).await;
    }
}
