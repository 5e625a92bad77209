// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{LOOK, PATIENCE, Story};
use crate::cli::demo::cases::{Case, Expected, Phase, Situation};
use crate::cli::demo::history::Outcome;
use crate::cli::demo::system::Pages;
use crate::dialect::CategoryMask;
use crate::proto::exchange::DecisionReason;

/// A system that is slow.
const SLOW: &str = "diakonie-bremen";
const UNHURRIED: Duration = Duration::from_millis(60);

impl Story<'_> {
    /// An ordinary Monday: everybody is there.
    pub(super) async fn day(&self) {
        self.voice.title("2  Monday: six case systems send, each in its own words; nothing moves without consent or statute");
        if let Some(system) = self.system(SLOW) {
            system.manners().slow_down(UNHURRIED);
            self.voice.event(&format!("{SLOW} takes its time today: {} ms for everything", UNHURRIED.as_millis()));
        }
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.phase == Phase::Day).collect();
        self.each("submitting", cases, |case| self.submit(case)).await;
        let put_back = self.put_back().await;
        let accepted = self.taken(Phase::Day);
        self.arrived(&accepted).await;
        self.tell_the_day();
        self.voice.event(&format!("{put_back} were refused by a recipient's system as if for good: an operator saw it and put them back"));
    }

    /// The operator waits for what was turned away, has the recipients put it right, and sends it again. How many.
    async fn put_back(&self) -> usize {
        let turned_away = self.accepted(&[Situation::TurnedAway]);
        let expected = turned_away.len();
        let (began, mut put_back) = (Instant::now(), 0);
        while put_back < expected {
            for (letter, referral) in self.stage.operator.dead_letters().await.unwrap_or_default() {
                if let Some((case, _)) = turned_away.iter().find(|(_, accepted)| *accepted == referral)
                    && let Some(recipient) = self.recipient_of(case)
                {
                    recipient.manners().relent(&case.referral.sender_case_number);
                }
                match self.stage.operator.requeue(&letter).await {
                    Ok(()) => put_back += 1,
                    Err(status) => self.surprise(format!("a dead letter could not be put back: {}", status.message())),
                }
            }
            if began.elapsed() > PATIENCE {
                self.surprise(format!("the operator found {put_back} dead letters, there should be {expected}"));
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        put_back
    }

    /// Who received data passes them on, if the person agreed to that, too.
    pub(super) async fn onward(&self) {
        self.voice.title("4  Onward transfer (Weitergabe): what the Jobcenter received from a centre");
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.phase == Phase::Onward).collect();
        self.each("passing on", cases, |case| self.submit(case)).await;
        let accepted = self.taken(Phase::Onward);
        self.arrived(&accepted).await;
        let denied = self.cases.iter().filter(|case| case.phase == Phase::Onward && matches!(case.expected, Expected::Denied(_))).count();
        self.voice.event(&format!("{} went on to the Agentur: the person's consent lists it", accepted.len()));
        self.voice.event(&format!("{denied} stayed: the consent under which they came names the Jobcenter alone (section 76 SGB X)"));
    }

    /// Cases of a phase that the gateway took.
    pub(super) fn taken(&self, phase: Phase) -> Vec<(&Case, String)> {
        let pages = self.pages();
        let of_phase = |case: &&Case| case.phase == phase;
        let taken = pages
            .submissions
            .iter()
            .filter_map(|submission| Some((self.cases.get(submission.case).filter(of_phase)?, submission.referral()?.to_owned())));
        taken.collect()
    }

    fn tell_the_day(&self) {
        let pages = self.pages();
        let (mut denied, mut withheld, mut whole) = (BTreeMap::<_, usize>::new(), 0, 0);
        for submission in &pages.submissions {
            match &submission.outcome {
                Outcome::Accepted { withheld: none, .. } if none.is_empty() => whole += 1,
                Outcome::Accepted { .. } => withheld += 1,
                Outcome::Denied(reason) => *denied.entry((submission.situation, *reason)).or_default() += 1,
                Outcome::Failed(_) => {}
            }
        }
        let example = pages.submissions.iter().find_map(|submission| match &submission.outcome {
            Outcome::Accepted { withheld, .. } if submission.situation == Situation::Partial && withheld.len() < 6 => Some((submission, *withheld)),
            _ => None,
        });
        self.voice.event(&format!(
            "{whole} were carried as they were, {withheld} with less: what consent or agreement do not cover stayed behind, and was named"
        ));
        if let Some((submission, withheld)) = example {
            self.voice.event(&format!("   such as {} to {}: withheld {}", submission.sender, submission.recipient, names(withheld)));
        }
        let again = |pages: &Pages| pages.arrivals.iter().map(|arrival| arrival.times - 1).sum::<u32>();
        let twice: u32 = self.stage.systems.values().map(|system| system.book().look(again)).sum();
        self.voice.event(&format!("{twice} came again, because the recipient died before it could say that it had them: stored once"));
        for ((situation, reason), count) in denied {
            self.voice.event(&format!("{count:>3} denied: {} ({})", situation.words(), short(reason)));
        }
    }
}

fn names(mask: CategoryMask) -> String {
    mask.names().collect::<Vec<_>>().join(", ")
}

/// `WRONG_RECIPIENT` of `DECISION_REASON_WRONG_RECIPIENT`.
pub(in crate::cli::demo) fn short(reason: DecisionReason) -> &'static str {
    reason.as_str_name().trim_start_matches("DECISION_REASON_")
}
