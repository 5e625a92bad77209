// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What became of each referral: delivered once or ended with a reason, never without consent, and told to whom it concerns.

use std::collections::{HashMap, HashSet};

use super::{Findings, Promise};
use crate::cli::demo::cases::{Expected, Situation};
use crate::cli::demo::history::{History, Outcome, Submission};
use crate::proto::audit::EntryKind;
use crate::proto::exchange::DecisionReason;
use crate::proto::types::ReferralState;

fn name(submission: &Submission) -> String {
    format!("case {} ({})", submission.case, submission.situation.words())
}

/// Every accepted referral is stored at its recipient once, or the log says why it ended.
pub(super) fn once(history: &History, findings: &mut Findings) {
    let promise = Promise::NothingLostNothingTwice;
    for submission in &history.submissions {
        let Some(referral) = submission.referral() else { continue };
        let stored = history.arrivals_of(referral).count();
        findings.unless(stored <= 1, promise, || format!("{} is stored {stored} times", name(submission)));
        let ended = history
            .entries_of(referral)
            .any(|(_, entry)| matches!(entry.kind(), EntryKind::ReleaseDenied | EntryKind::DeliveryStopped | EntryKind::Dead));
        findings.unless(stored > 0 || ended, promise, || format!("{} was accepted and never arrived", name(submission)));
        let elsewhere = history.arrivals_of(referral).find(|arrived| arrived.institution != submission.recipient);
        findings.unless(elsewhere.is_none(), promise, || format!("{} arrived at another institution", name(submission)));
    }
    let known: HashSet<&str> = history.submissions.iter().filter_map(Submission::referral).collect();
    for arrived in history.arrivals.iter().filter(|arrived| !known.contains(arrived.referral.as_str())) {
        findings.broken(promise, format!("{} holds a referral that nobody sent: {}", arrived.institution, arrived.referral));
    }
}

/// By the log: each delivery was released, and not after its consent was withdrawn. By the recipients: nothing that was denied.
pub(super) fn consented(history: &History, findings: &mut Findings) {
    let promise = Promise::NothingWithoutConsent;
    let mut withdrawn: HashMap<&[u8], usize> = HashMap::new();
    for (at, entry) in history.log.iter().enumerate().filter(|(_, entry)| entry.kind() == EntryKind::ConsentWithdrawn) {
        withdrawn.entry(&entry.consent_id).or_insert(at);
    }
    for submission in &history.submissions {
        let Some(referral) = submission.referral() else {
            // Nothing of it may be anywhere: not even under another number.
            let number = &submission.sent.sender_case_number;
            let leaked = history.arrivals.iter().find(|arrived| !number.is_empty() && arrived.content.sender_case_number == *number);
            findings.unless(leaked.is_none(), promise, || format!("{} was refused and is at a recipient", name(submission)));
            continue;
        };
        let entries: Vec<_> = history.entries_of(referral).collect();
        let submitted = entries.iter().find(|(_, entry)| entry.kind() == EntryKind::ReferralSubmitted).map(|(_, entry)| *entry);
        let withdrawn = submitted.and_then(|entry| withdrawn.get(&entry.consent_id[..])).copied();
        let released: Vec<usize> =
            entries.iter().filter(|(_, entry)| entry.kind() == EntryKind::Released && entry.detail == "referral").map(|(at, _)| *at).collect();
        let late = released.iter().find(|at| withdrawn.is_some_and(|withdrawn| **at > withdrawn));
        findings.unless(late.is_none(), promise, || format!("{} was released after its consent was withdrawn", name(submission)));
        let arrived = history.arrivals_of(referral).next().is_some();
        findings.unless(!arrived || !released.is_empty(), promise, || format!("{} arrived without a release in the log", name(submission)));
        if matches!(submission.expected, Expected::Stopped(_)) {
            findings.unless(!arrived, promise, || format!("{} was delivered although its consent had ended", name(submission)));
        }
    }
}

/// The recipient's word reaches the sender, stops reach the sender, recalls reach the recipient.
pub(super) fn told(history: &History, findings: &mut Findings) {
    let promise = Promise::EverybodyIsTold;
    let news: HashSet<(&str, &str, i32)> =
        history.news.iter().map(|(institution, change)| (institution.as_str(), change.referral_id.as_str(), change.state)).collect();
    for submission in &history.submissions {
        let Some(referral) = submission.referral() else { continue };
        let heard = |state: ReferralState| news.contains(&(submission.sender.as_str(), referral, state.into()));
        for (_, state) in history.answers.iter().filter(|(answered, _)| answered == referral) {
            let Ok(state) = ReferralState::try_from(*state) else { continue };
            // Whether the person turns up or waits is nobody's business but the recipient's.
            if matches!(state, ReferralState::InProgress | ReferralState::OnHold) {
                continue;
            }
            findings.unless(heard(state), promise, || format!("{}: the sender never heard {}", name(submission), state.as_str_name()));
        }
        if let Expected::Stopped(reason) = submission.expected {
            let state = if reason == DecisionReason::Withdrawn { ReferralState::Recalled } else { ReferralState::Blocked };
            // Whoever passed the withdrawal on knows already.
            findings.unless(heard(state) || reason == DecisionReason::Withdrawn, promise, || {
                format!("{}: the sender never heard that it was stopped", name(submission))
            });
        }
        if history.to_recall.iter().any(|recalled| recalled == referral) {
            let asked = history.recalls.iter().any(|(recipient, recalled)| *recipient == submission.recipient && recalled == referral);
            findings.unless(asked, promise, || format!("{}: the recipient was never asked to give the data up", name(submission)));
        }
        if submission.situation == Situation::AtTheCounter && matches!(submission.expected, Expected::Stopped(_)) {
            let asked = history.recalls.iter().any(|(_, recalled)| recalled == referral);
            findings.unless(!asked, promise, || format!("{}: it never left, and still somebody was asked to give it up", name(submission)));
        }
        for (_, outcome) in history.given_up.iter().filter(|(given_up, _)| given_up == referral) {
            let mut news = history.news.iter().filter(|(institution, change)| *institution == submission.sender && change.referral_id == referral);
            let told = news.any(|(_, change)| change.recall_outcome == *outcome);
            findings.unless(told, promise, || format!("{}: the sender was never told what became of the data", name(submission)));
        }
    }
}

/// The end that consent and agreement demand.
pub(super) fn as_decided(history: &History, findings: &mut Findings) {
    let promise = Promise::AsDecided;
    for surprise in &history.surprises {
        findings.broken(promise, surprise.clone());
    }
    for submission in &history.submissions {
        match (&submission.outcome, submission.expected) {
            (Outcome::Denied(reason), Expected::Denied(wanted)) if *reason == wanted => {}
            (Outcome::Accepted { .. }, Expected::Delivered) => {}
            (Outcome::Accepted { referral, .. }, Expected::Stopped(wanted)) => {
                let logged = history.entries_of(referral).any(|(_, entry)| match entry.kind() {
                    EntryKind::ReleaseDenied => entry.decision() == wanted,
                    EntryKind::DeliveryStopped => wanted == DecisionReason::Withdrawn,
                    _ => false,
                });
                findings.unless(logged, promise, || format!("{} was not stopped for {}", name(submission), wanted.as_str_name()));
            }
            (Outcome::Failed(why), _) => findings.broken(promise, format!("{} failed: {why}", name(submission))),
            (Outcome::Accepted { .. }, wanted) => findings.broken(promise, format!("{} was accepted, not {wanted:?}", name(submission))),
            (Outcome::Denied(reason), wanted) => {
                findings.broken(promise, format!("{} was denied for {}, not {wanted:?}", name(submission), reason.as_str_name()))
            }
        }
    }
}
