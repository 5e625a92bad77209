// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::time::Duration;

use tokio::time::Instant;

/// How many deliveries may begin: a bucket that fills at a steady rate and holds one second's worth. It is asked before deliveries are released,
/// so that no lease runs while its delivery waits for its turn.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    level: f64,
    at: Instant,
}

impl Pace {
    /// A full bucket; at least one per second.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, level: per_second, at: now }
    }

    /// How many may begin now.
    pub(super) fn available(&mut self, now: Instant) -> u32 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        (self.level, self.at) = ((self.level + gained).min(self.per_second), now.max(self.at));
        // From a float that is neither negative nor above a u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and per_second")]
        let whole = self.level as u32;
        whole
    }

    /// So many have begun.
    pub(super) fn take(&mut self, begun: u32) {
        self.level = (self.level - f64::from(begun)).max(0.0);
    }

    /// Until the next may begin, if none may now.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs_f64((1.0 - self.level).max(0.0) / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_taken_comes_back_at_the_agreed_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(10, start);
        assert_eq!(pace.available(start), 10);
        pace.take(10);
        assert_eq!(pace.available(start), 0);
        assert_eq!(pace.wait(), Duration::from_millis(100));
        assert_eq!(pace.available(start + Duration::from_millis(250)), 2);
        assert_eq!(pace.available(start + Duration::from_secs(60)), 10);
    }

    proptest! {
        #[test]
        fn in_any_stretch_of_time_no_more_begin_than_the_rate_and_one_second_in_hand(
            per_second in 1_u32..1000, steps in proptest::collection::vec((0_u64..500, 0_u32..50), 1..100)
        ) {
            let start = Instant::now();
            let (mut pace, mut now, mut begun) = (Pace::new(per_second, start), start, 0_u32);
            for (pause, wanted) in steps {
                now += Duration::from_millis(pause);
                let taken = wanted.min(pace.available(now));
                pace.take(taken);
                begun += taken;
                let most = f64::from(per_second) * (1.0 + (now - start).as_secs_f64());
                prop_assert!(f64::from(begun) <= most + 1e-6);
            }
        }
    }
}
