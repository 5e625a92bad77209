// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What stands out, told from what is shown one after the other. Pure: the same records give the same findings.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agreement::Agreement;
use crate::clock::Time;
use crate::consent::{Consent, ExplanationMode, InterpreterKind, Status};
use crate::dialect::{Category, CategoryMask};
use crate::exchange::retention::Purged;
use crate::proto::audit::{Entry, EntryKind};
use crate::referral::{Recall, RecallOutcome, Referral};

/// Units with fewer consents than this say nothing about how freely they were given.
const ENOUGH: u64 = 20;
/// A consent given so shortly before the referral was given at the same counter in the same breath.
const AT_ONCE: Duration = Duration::from_secs(60);
/// Shares above one in so many stand out.
const SHARE: u64 = 10;
/// Examples of each finding.
const EXAMPLES: usize = 20;

/// What auditors look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Everybody says yes: nobody refuses at this unit.
    AllConsent,
    /// Every box of the agreement's widest data is ticked for every recipient.
    AllBoxes,
    /// Given in the minute in which the referral was submitted.
    MinuteOfIntake,
    /// A relative interpreted.
    RelativeInterpreted,
    /// Explained in German and without an interpreter to somebody below B1.
    BelowB1WithoutInterpreter,
    /// No hash of the signed paper, or one that cannot be one.
    MissingEvidence,
    /// Due for erasure for days, and still there.
    OverdueDeletion,
    /// Released although the consent was not in force in that version. Must be 0.
    AfterWithdrawal,
    /// A recall was not answered in time.
    RecallLate,
    /// Kept by law, and no law named. Must be 0.
    RetainedWithoutNorm,
    /// Share of referrals with data of Art. 9 or 10 GDPR.
    SpecialShare,
    /// Share of referrals with free text.
    FreeTextShare,
}

crate::numbered::numbered!(FindingKind: AllConsent AllBoxes MinuteOfIntake RelativeInterpreted BelowB1WithoutInterpreter MissingEvidence OverdueDeletion
    AfterWithdrawal RecallLate RetainedWithoutNorm SpecialShare FreeTextShare);

/// One finding at one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// At which member; empty: the gateway itself.
    pub institution: String,
    /// At which unit; empty: told by institution only.
    pub unit: String,
    /// How many.
    pub count: u64,
    /// Of how many; 0: not counted.
    pub of: u64,
    /// Somebody should look.
    pub stands_out: bool,
    /// Some of them: random ids of consents, referrals and recalls, indexes of entries.
    pub examples: Vec<String>,
}

/// Whom a finding is about: member and unit.
type At = (String, String);

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    of: u64,
    examples: Vec<String>,
}

/// Looks at what it is shown of a period.
pub struct Judge<'a> {
    agreement: &'a Agreement,
    since: Time,
    until: Time,
    now: Time,
    tallies: BTreeMap<(FindingKind, At), Tally>,
}

impl<'a> Judge<'a> {
    /// For the period from `since` to before `until`, as of `now`.
    pub fn new(agreement: &'a Agreement, since: Time, until: Time, now: Time) -> Self {
        Self { agreement, since, until, now, tallies: BTreeMap::new() }
    }

    fn covers(&self, at: Time) -> bool {
        self.since <= at && at < self.until
    }

    /// One more, and whether it is one of those that are looked for.
    fn note(&mut self, kind: FindingKind, at: &At, found: bool, example: impl FnOnce() -> String) {
        let tally = self.tallies.entry((kind, at.clone())).or_default();
        tally.of += 1;
        if found {
            tally.count += 1;
            if tally.examples.len() < EXAMPLES {
                tally.examples.push(example());
            }
        }
    }

    /// A consent in its current version, with the first referral that was submitted under it.
    pub fn consent(&mut self, consent: &Consent, first_referral: Option<Time>) {
        let recorded = consent.history.first().map_or(consent.granted_at, |event| event.at);
        if !self.covers(recorded) || matches!(consent.status, Status::Proposed | Status::Lapsed | Status::EnteredInError) {
            return;
        }
        let at = (consent.controller.institution.to_string(), consent.controller.unit.to_string());
        let id = || consent.id.to_string();
        let refused = consent.status == Status::Refused;
        self.note(FindingKind::AllConsent, &at, !refused, id);
        if refused {
            return;
        }
        self.note(FindingKind::AllBoxes, &at, self.every_box(consent), id);
        let hasty = first_referral.is_some_and(|first| consent.granted_at <= first && first.since(consent.granted_at) < AT_ONCE);
        self.note(FindingKind::MinuteOfIntake, &at, hasty, id);
        self.note(FindingKind::RelativeInterpreted, &at, consent.explanation.interpreter == InterpreterKind::Relative, id);
        self.note(FindingKind::MissingEvidence, &at, !is_hash(&consent.evidence.sha256), id);
    }

    fn every_box(&self, consent: &Consent) -> bool {
        let all = |grant: &crate::consent::Grant| {
            let route = self.agreement.route(&consent.controller.institution, &grant.recipient.institution, grant.purpose);
            route.is_some_and(|route| grant.categories.covers(route.widest))
        };
        !consent.grants.is_empty() && consent.grants.iter().all(all)
    }

    /// A referral of somebody below B1, under a consent of which [`is_unexplained`] is true.
    pub fn unexplained(&mut self, referral: &Referral) {
        if self.covers(referral.submitted_at) {
            let at = (referral.sender.to_string(), referral.sender_unit.to_string());
            self.note(FindingKind::BelowB1WithoutInterpreter, &at, true, || referral.id.to_string());
        }
    }

    /// A recall.
    pub fn recall(&mut self, recall: &Recall) {
        if !self.covers(recall.issued_at) {
            return;
        }
        let at = (recall.recipient.to_string(), String::new());
        let ended = recall.answer.as_ref().map_or(self.now, |answer| answer.at);
        self.note(FindingKind::RecallLate, &at, ended > recall.due_at, || recall.id.to_string());
        if let Some(answer) = recall.answer.as_ref().filter(|answer| answer.outcome == RecallOutcome::RetainedStatutory) {
            self.note(FindingKind::RetainedWithoutNorm, &at, answer.norm.trim().is_empty(), || recall.id.to_string());
        }
    }

    /// An entry of the log, with the consent that it names, if that is still there.
    pub fn entry(&mut self, index: u64, entry: &Entry, consent: Option<&Consent>) {
        if !self.covers(Time(entry.at_ms)) {
            return;
        }
        let granted = CategoryMask::from_bits(entry.granted);
        match entry.kind() {
            EntryKind::ReferralSubmitted => {
                let at = (entry.actor.clone(), String::new());
                self.note(FindingKind::SpecialShare, &at, !(granted & CategoryMask::SPECIAL).is_empty(), || index.to_string());
                self.note(FindingKind::FreeTextShare, &at, granted.contains(Category::Freetext), || index.to_string());
            }
            EntryKind::Released if entry.detail == "referral" && !entry.consent_id.is_empty() => {
                let Some(consent) = consent else { return };
                let at = (entry.counterpart.clone(), String::new());
                self.note(FindingKind::AfterWithdrawal, &at, !was_in_force(consent, entry), || index.to_string());
            }
            _ => {}
        }
    }

    /// What should have been erased for days.
    pub fn overdue(&mut self, overdue: &Purged) {
        let Purged { contents, referrals, consents, persons, requests, .. } = *overdue;
        let kinds = [("contents", contents), ("referrals", referrals), ("consents", consents), ("persons", persons), ("requests", requests)];
        let examples = kinds.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}={count}")).collect();
        let tally = Tally { count: kinds.iter().map(|(_, count)| count).sum(), of: 0, examples };
        self.tallies.insert((FindingKind::OverdueDeletion, At::default()), tally);
    }

    /// Everything that was counted.
    pub fn findings(self) -> Vec<Finding> {
        let finding = |((kind, (institution, unit)), Tally { count, of, examples }): ((FindingKind, At), Tally)| {
            let stands_out = match kind {
                FindingKind::AllConsent => of >= ENOUGH && count == of,
                FindingKind::SpecialShare | FindingKind::FreeTextShare => of >= ENOUGH && count * SHARE > of,
                _ => count > 0,
            };
            let counted = kind != FindingKind::BelowB1WithoutInterpreter;
            // Of those that are as they should be no example is of use.
            let examples = if stands_out && kind != FindingKind::AllConsent { examples } else { Vec::new() };
            Finding { kind, institution, unit, count, of: if counted { of } else { 0 }, stands_out, examples }
        };
        self.tallies.into_iter().map(finding).collect()
    }
}

/// Whether a person below B1 can hardly have understood: explained in German, and nobody interpreted.
pub fn is_unexplained(consent: &Consent) -> bool {
    let german = consent.explanation.language.split('-').next().is_some_and(|language| language.eq_ignore_ascii_case("de"));
    let plain = matches!(consent.explanation.mode, ExplanationMode::SelfRead | ExplanationMode::ReadAloud);
    german && plain && consent.explanation.interpreter == InterpreterKind::None
}

/// Whether the version that a release names let anything go at that moment. What happened in the same millisecond is told apart by the order of versions:
/// a later one counts from the next millisecond on.
fn was_in_force(consent: &Consent, entry: &Entry) -> bool {
    let events = &consent.history;
    let named = events.iter().position(|event| event.version == entry.consent_version);
    let Some((event, next)) = named.and_then(|at| Some((events.get(at)?, events.get(at + 1)))) else { return false };
    event.status == Status::Active && event.at.0 <= entry.at_ms && next.is_none_or(|next| next.at.0 >= entry.at_ms)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.bytes().any(|byte| byte != b'0')
}
