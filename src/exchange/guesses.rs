// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How often an institution may try a withdrawal code that nobody was given.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::id::InstitutionId;

/// Wrong codes that are allowed at once: a counter where the wrong sheet was scanned some times goes on.
const AT_ONCE: u32 = 10;
/// After that one more in this time. Of 2^52 codes somebody who tries day and night sees 240 a day.
const ONE_IN: Duration = Duration::from_secs(6 * 60);

/// Who tried too much. Codes that are right cost nothing; mistyped ones are refused before they come here.
///
/// Kept in memory, one instant per institution that tried lately; every gateway counts for itself.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<InstitutionId, Time>>);

impl Guesses {
    /// Takes one try before the code is looked up, so that many at once are no way around; or says how long to wait.
    pub fn take(&self, who: &InstitutionId, now: Time) -> Result<(), Duration> {
        let mut paid_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paid_until.retain(|_, until| *until > now);
        let next = paid_until.get(who).copied().unwrap_or(now).plus(ONE_IN);
        let wait = next.since(now.plus(ONE_IN * AT_ONCE));
        if !wait.is_zero() {
            return Err(wait);
        }
        paid_until.insert(who.clone(), next);
        Ok(())
    }

    /// The code was right: the try was none.
    pub fn give_back(&self, who: &InstitutionId) {
        let mut paid_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = paid_until.get_mut(who) {
            *until = until.minus(ONE_IN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> InstitutionId {
        name.parse().unwrap()
    }

    #[test]
    fn after_ten_wrong_codes_one_in_six_minutes_and_only_for_the_one_who_tried() {
        let (guesses, start) = (Guesses::default(), Time(1_791_190_800_000));
        for _ in 0..AT_ONCE {
            assert_eq!(guesses.take(&who("awo-bremen"), start), Ok(()));
        }
        assert_eq!(guesses.take(&who("awo-bremen"), start), Err(ONE_IN));
        assert_eq!(guesses.take(&who("drk-bremen"), start), Ok(()));
        let later = start.plus(ONE_IN);
        assert_eq!(guesses.take(&who("awo-bremen"), later), Ok(()));
        assert_eq!(guesses.take(&who("awo-bremen"), later), Err(ONE_IN));
    }

    #[test]
    fn right_codes_cost_nothing_and_memory_is_given_back() {
        let (guesses, start) = (Guesses::default(), Time(0));
        for _ in 0..100 {
            assert_eq!(guesses.take(&who("jobcenter-bremen"), start), Ok(()));
            guesses.give_back(&who("jobcenter-bremen"));
        }
        for name in ["awo-bremen", "drk-bremen"] {
            guesses.take(&who(name), start).unwrap();
        }
        guesses.take(&who("caritas-bremen"), start.plus(ONE_IN * 2)).unwrap();
        assert_eq!(guesses.0.lock().unwrap().len(), 1, "whoever has tried nothing for a while is forgotten");
    }
}
