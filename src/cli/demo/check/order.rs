// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::HashMap;

use super::{Findings, Promise};
use crate::cli::demo::history::History;

/// Of each person and recipient, what was sent first arrived first.
pub(super) fn in_order(history: &History, findings: &mut Findings) {
    let places: HashMap<&str, usize> = history.arrivals.iter().enumerate().map(|(at, arrived)| (arrived.referral.as_str(), at)).collect();
    let mut last: HashMap<(&str, &str, &str), (usize, usize)> = HashMap::new();
    for submission in &history.submissions {
        let Some(at) = submission.referral().and_then(|referral| places.get(referral)).copied() else { continue };
        let lane = (submission.sender.as_str(), submission.person.as_str(), submission.recipient.as_str());
        let earlier = last.insert(lane, (at, submission.case));
        if let Some((before, case)) = earlier.filter(|(before, _)| *before > at) {
            let what = format!("case {} arrived as number {at}, case {case} of the same person, sent before it, as number {before}", submission.case);
            findings.broken(Promise::InOrder, what);
        }
    }
}
