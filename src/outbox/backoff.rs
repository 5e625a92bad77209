// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What follows a failed attempt: a pure function of the failure and the attempts so far.

use std::time::Duration;

/// After so many attempts a delivery is given up: with the longest pause of 15 minutes, a recipient may be away for more than two days.
pub const MAX_ATTEMPTS: u32 = 250;
/// First pause.
const BASE: Duration = Duration::from_millis(500);
/// Longest pause.
const CAP: Duration = Duration::from_secs(15 * 60);

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The recipient says: never send this again (INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED, PERMISSION_DENIED).
    Permanent,
    /// Anything else; with the pause that the recipient asked for, if it did.
    Transient {
        /// From `google.rpc.RetryInfo`.
        retry_after: Option<Duration>,
    },
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again after this pause.
    Retry(Duration),
    /// Give up.
    Dead,
}

/// Decides after attempt number `attempts` (from 1). `random` in 0..=1 spreads the retries of many deliveries over the whole pause (full jitter).
pub fn after_failure(failure: Failure, attempts: u32, random: f64) -> Next {
    match failure {
        Failure::Permanent => Next::Dead,
        Failure::Transient { .. } if attempts >= MAX_ATTEMPTS => Next::Dead,
        Failure::Transient { retry_after } => {
            let ceiling = BASE.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(CAP);
            let pause = ceiling.mul_f64(random.clamp(0.0, 1.0));
            Next::Retry(retry_after.map_or(pause, |asked| asked.min(CAP).saturating_add(pause)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_permanent_refusal_is_never_tried_again() {
        assert_eq!(after_failure(Failure::Permanent, 1, 0.5), Next::Dead);
    }

    proptest! {
        #[test]
        fn pauses_grow_to_the_cap_and_honour_the_recipient(attempts in 1_u32..MAX_ATTEMPTS, random in 0.0..=1.0, asked in proptest::option::of(0_u64..100_000)) {
            let retry_after = asked.map(Duration::from_secs);
            let Next::Retry(pause) = after_failure(Failure::Transient { retry_after }, attempts, random) else { panic!("must retry") };
            prop_assert!(pause <= CAP * 2);
            prop_assert!(pause >= retry_after.unwrap_or_default().min(CAP));
            prop_assert_eq!(after_failure(Failure::Transient { retry_after }, MAX_ATTEMPTS, random), Next::Dead);
        }
    }
}
