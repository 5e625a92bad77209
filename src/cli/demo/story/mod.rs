// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The story: a Monday on which all systems are there, an afternoon on which two are away, and the morning after. What happens is written down
//! as the institutions see it; the checks come afterwards and look at nothing else.

mod after;
mod away;
mod consents;
mod counter;
mod day;

pub(super) use day::short;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use super::cases::{Case, Expected, Situation};
use super::history::{Arrived, History, Outcome, Submission};
use super::stage::Stage;
use super::system::{Accepted, Refused, System};
use super::voice::Voice;
use crate::proto::types::Referral;

/// Calls that one system has under way at a time.
const AT_ONCE: usize = 8;
/// What never happens within this time will not happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(20);

/// The story while it is told.
pub(super) struct Story<'a> {
    pub stage: &'a Stage,
    pub cases: &'a [Case],
    pub voice: Voice,
    written: Mutex<History>,
}

impl<'a> Story<'a> {
    pub(super) fn new(stage: &'a Stage, cases: &'a [Case], voice: Voice) -> Self {
        Self { stage, cases, voice, written: Mutex::default() }
    }

    /// Plays it from beginning to end.
    pub(super) async fn play(self) -> History {
        self.consents().await;
        self.day().await;
        self.answers().await;
        self.onward().await;
        self.away().await;
        self.recalls().await;
        self.quiet("everything has arrived").await;
        self.collect()
    }

    fn system(&self, institution: &str) -> Option<&Arc<System>> {
        self.stage.systems.get(institution)
    }

    fn sender_of(&self, case: &Case) -> Option<&Arc<System>> {
        self.system(&case.referral.sender.as_ref()?.institution)
    }

    fn recipient_of(&self, case: &Case) -> Option<&Arc<System>> {
        self.system(&case.referral.recipient.as_ref()?.institution)
    }

    fn pages(&self) -> MutexGuard<'_, History> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn surprise(&self, what: impl Into<String>) {
        self.pages().surprises.push(what.into());
    }

    fn receipt(&self, of: String, text: String) {
        self.pages().receipts.push((of, text));
    }

    /// Cases of one situation that the gateway took, with its numbers.
    fn accepted(&self, situations: &[Situation]) -> Vec<(&'a Case, String)> {
        let pages = self.pages();
        let taken = pages.submissions.iter().filter(|submission| situations.contains(&submission.situation));
        taken.filter_map(|submission| Some((self.cases.get(submission.case)?, submission.referral()?.to_owned()))).collect()
    }

    /// Every system does its part of `cases`, all systems at once, one person's cases one after the other.
    async fn each<F, Fut>(&self, what: &'static str, cases: Vec<&'a Case>, work: F)
    where
        F: Fn(&'a Case) -> Fut,
        Fut: Future<Output = ()>,
    {
        let bar = self.voice.progress(what, cases.len());
        let mut lanes: HashMap<(&str, &str), Vec<&Case>> = HashMap::new();
        for case in cases {
            let sender = case.referral.sender.as_ref().map_or("", |sender| sender.institution.as_str());
            lanes.entry((sender, case.referral.subject_ref.as_str())).or_default().push(case);
        }
        let mut lanes: Vec<Vec<&Case>> = lanes.into_values().collect();
        lanes.sort_by_key(|lane| lane.first().map(|case| case.number));
        let (work, bar) = (&work, &bar);
        let one = |lane: Vec<&'a Case>| async move {
            for case in lane {
                work(case).await;
                bar.inc(1);
            }
        };
        stream::iter(lanes).map(one).buffer_unordered(AT_ONCE * self.stage.systems.len()).collect::<()>().await;
        bar.finish_and_clear();
    }

    /// The sender submits a case; what the gateway says is written down.
    async fn submit(&self, case: &Case) {
        let Some(sender) = self.sender_of(case) else { return };
        let mut referral = case.referral.clone();
        if let Some(first) = case.received_by {
            let by = self.pages().submissions.iter().find(|submission| submission.case == first).and_then(|s| s.referral().map(str::to_owned));
            referral.received_by_referral_id = by.unwrap_or_default();
        }
        if case.situation == Situation::Forgetful
            && let Some(recipient) = self.recipient_of(case)
        {
            recipient.manners().forget(&referral.sender_case_number);
        }
        if case.situation == Situation::TurnedAway
            && let Some(recipient) = self.recipient_of(case)
        {
            recipient.manners().refuse(&referral.sender_case_number);
        }
        let asked = if case.situation == Situation::AskedFirst { Some(sender.ask(&referral).await) } else { None };
        let request = uuid::Uuid::new_v4().to_string();
        let answer = sender.submit(&request, &referral).await;
        if let Some(asked) = asked {
            self.as_announced(case, &asked, &answer);
        }
        if case.situation == Situation::SentTwice {
            self.again(case, sender, &request, &referral, &answer).await;
        }
        self.write(case, sender, &referral, answer);
    }

    /// What the gateway says before is what it does afterwards, and asking leaves nothing.
    fn as_announced(&self, case: &Case, asked: &Result<Accepted, Refused>, done: &Result<Accepted, Refused>) {
        let same = match (asked, done) {
            (Ok(asked), Ok(done)) => (asked.granted, asked.withheld, asked.fields) == (done.granted, done.withheld, done.fields),
            _ => false,
        };
        if !same {
            self.surprise(format!("case {}: it went otherwise than the gateway had announced", case.number));
        }
        if asked.as_ref().is_ok_and(|asked| !asked.referral.is_empty() || !asked.receipt.is_empty()) {
            self.surprise(format!("case {}: asking left something", case.number));
        }
    }

    /// The same request with the same number: the same answer, and nothing happens twice.
    async fn again(&self, case: &Case, sender: &System, request: &str, referral: &Referral, first: &Result<Accepted, Refused>) {
        let second = sender.submit(request, referral).await;
        let same = matches!((first, &second), (Ok(first), Ok(second)) if first.referral == second.referral);
        if !same {
            self.surprise(format!("case {}: sent twice, answered differently", case.number));
        }
        let mut other = referral.clone();
        other.sender_case_number.push('X');
        match sender.submit(request, &other).await {
            Err(refused) if refused.reason == "REQUEST_ID_REUSED" => {}
            _ => self.surprise(format!("case {}: its request number was taken for another content", case.number)),
        }
        if let Ok(second) = second {
            self.receipt(format!("case {}, sent again", case.number), second.receipt);
        }
    }

    fn write(&self, case: &Case, sender: &System, referral: &Referral, answer: Result<Accepted, Refused>) {
        let outcome = match answer {
            Ok(Accepted { referral, granted, withheld, fields, receipt }) => {
                self.receipt(format!("case {}, submitted", case.number), receipt);
                Outcome::Accepted { referral, granted, withheld, fields }
            }
            Err(Refused { decision: Some(reason), .. }) => Outcome::Denied(reason),
            Err(refused) => Outcome::Failed(refused.to_string()),
        };
        let sent = match sender.tongue().as_understood(referral) {
            Ok(sent) => sent,
            Err(error) => return self.surprise(format!("case {}: {error}", case.number)),
        };
        self.pages().submissions.push(Submission {
            case: case.number,
            situation: case.situation,
            expected: case.expected,
            sender: sender.institution().to_owned(),
            recipient: referral.recipient.as_ref().map(|to| to.institution.clone()).unwrap_or_default(),
            person: referral.subject_ref.clone(),
            sent,
            allowed: case.allowed,
            outcome,
        });
    }

    /// Waits until `holds`; what does not come to hold is left for the checks to find.
    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            if began.elapsed() > PATIENCE {
                return self.surprise(format!("it never happened that {what}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until nothing is under way any more.
    async fn quiet(&self, what: &str) {
        let began = Instant::now();
        loop {
            let queues = self.stage.gateway.exchange().queues().await.unwrap_or_default();
            if queues.values().all(|queue| queue.open == 0) {
                return;
            }
            if began.elapsed() > PATIENCE {
                return self.surprise(format!("it never happened that {what}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until every accepted case that should arrive has arrived.
    async fn arrived(&self, cases: &[(&Case, String)]) {
        let expected = cases.iter().filter(|(case, _)| case.expected == Expected::Delivered);
        for (case, referral) in expected {
            let Some(recipient) = self.recipient_of(case) else { continue };
            let times = if case.situation == Situation::Forgetful { 2 } else { 1 };
            let there =
                || recipient.book().look(|pages| pages.arrivals.iter().any(|arrival| arrival.referral == *referral && arrival.times >= times));
            self.until(&format!("case {} arrives", case.number), there).await;
        }
    }

    /// What the systems have in their stores, in one order.
    fn collect(self) -> History {
        let mut history = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut arrivals = Vec::new();
        for (institution, system) in &self.stage.systems {
            let pages = system.book().pages();
            arrivals.extend(pages.arrivals.into_iter().map(|arrival| (institution.clone(), arrival)));
            history.news.extend(pages.news.into_iter().map(|change| (institution.clone(), change)));
            history.recalls.extend(pages.recalls.into_iter().map(|notice| (institution.clone(), notice.referral_id)));
        }
        arrivals.sort_by_key(|(_, arrival)| arrival.turn);
        for (institution, arrival) in arrivals {
            history.receipts.push((format!("release to {institution}"), arrival.receipt.clone()));
            history.arrivals.push(Arrived {
                institution,
                referral: arrival.referral,
                native: arrival.native,
                content: arrival.content,
                times: arrival.times,
            });
        }
        history
    }
}
