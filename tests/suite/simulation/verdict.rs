// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is said of a run. The log gives the order; the judge of all histories is told, in this order, what the case systems saw. What the log says
//! and
//! nobody saw, or somebody saw and the log does not say, is a broken promise as well.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use prost::Message as _;
use weiche::clock::Time;
use weiche::dialect::{CategoryMask, Report};
use weiche::exchange::{Content, Issued, Moved, Outgoing};
use weiche::id::DeliveryId;
use weiche::ledger::Hash;
use weiche::numbered::Numbered as _;
use weiche::proto::audit::{Entry, EntryKind};
use weiche::proto::types::Referral;
use weiche::referral::ReferralState;

use super::world::{Arrival, Seen, Span, What, institution};
use crate::exchange::desk::{self, Desk};
use crate::exchange::history::{Checked, Gone, History, How, TO};

/// Judges a run whose gateway has ended.
pub async fn check(seen: &Seen, desk: &Desk) -> Checked {
    if let Some(sentence) = seen.broken.first() {
        return Err(TestCaseError::fail(sentence.clone()));
    }
    let log = desk.log().await;
    let mut verdict = Verdict { seen, log: &log, history: History::default(), submitted: BTreeSet::new(), withdrawn: BTreeSet::new() };
    for (leaf, entry) in log.iter().enumerate() {
        verdict.entry(leaf as u64, entry)?;
    }
    verdict.answers()?;
    verdict.arrivals()?;
    verdict.withdrawals()?;
    verdict.history.at_rest(desk).await
}

struct Verdict<'a> {
    seen: &'a Seen,
    log: &'a [Entry],
    history: History,
    /// Places of submissions and withdrawals that the log knows.
    submitted: BTreeSet<usize>,
    withdrawn: BTreeSet<usize>,
}

fn text(id: &[u8]) -> String {
    uuid::Uuid::from_slice(id).map(|id| id.to_string()).unwrap_or_default()
}

impl Verdict<'_> {
    fn entry(&mut self, leaf: u64, entry: &Entry) -> Checked {
        let (referral, now) = (text(&entry.referral_id), Time(entry.at_ms));
        match entry.kind() {
            EntryKind::ReferralSubmitted => {
                let told = self.seen.submissions.iter().position(|one| one.answer.as_ref().is_ok_and(|answer| answer.referral_id == referral));
                let Some(at) = told else { return Err(TestCaseError::fail("duplicated: accepted, and its sender was told of another one")) };
                let one = &self.seen.submissions[at];
                prop_assert_eq!(one.answer.as_ref().unwrap().receipt.as_ref().map(|receipt| receipt.leaf_index), Some(leaf));
                self.submitted.insert(at);
                self.history.accepted(one.person, one.to, Ok((referral, leaf)))?;
            }
            EntryKind::ConsentWithdrawn => {
                let mut told = self.seen.withdrawals.iter().enumerate();
                let told = told.find(|(_, one)| one.answer.receipt.as_ref().is_some_and(|receipt| receipt.leaf_index == leaf));
                let Some((at, one)) = told else { return Err(TestCaseError::fail("a withdrawal that nobody was told of")) };
                self.withdrawn.insert(at);
                self.history.withdrawn(Gone { person: one.person, to: one.to, only_phone: one.only_phone, leaf });
            }
            EntryKind::Released => self.released(leaf, entry)?,
            EntryKind::Delivered => {
                let Some(at) = self.held(entry) else { return Err(TestCaseError::fail("delivered, and it was never released")) };
                let (id, release) = (text(&entry.delivery_id), self.history.held[at].item.receipt.leaf);
                let by_lease = [Some(release), None].into_iter().any(|leaf| self.seen.acknowledged.contains(&(id.clone(), leaf)));
                let by_answer = entry.detail == "referral" && self.seen.answers.iter().any(|one| one.referral == referral);
                // Who answers has it, whatever became of the attempt; the answer follows.
                if !by_answer || (by_lease && !self.history.held[at].over) {
                    prop_assert!(by_lease, "an outcome counted that nobody told under the lease in force");
                    self.history.settled(at, How::Delivered, Ok(()), now)?;
                }
            }
            EntryKind::AttemptFailed | EntryKind::DeliveryStopped | EntryKind::Dead => {
                let how = match entry.kind() {
                    EntryKind::Dead => How::Invalid,
                    _ if entry.detail == "RETURNED" => How::Returned,
                    _ => How::Unavailable,
                };
                if let Some(at) = self.held(entry).filter(|at| !self.history.held[*at].over) {
                    self.history.settled(at, how, Ok(()), now)?;
                }
            }
            EntryKind::StatusChanged if TO.iter().any(|to| to.starts_with(&format!("{}/", entry.actor))) => {
                let state = ReferralState::from_number(entry.state.into()).unwrap();
                self.history.answered(&referral, Ok(Moved { state, receipt: issued(leaf, now), report: Report::default() }))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What was started last of a delivery.
    fn held(&self, entry: &Entry) -> Option<usize> {
        let id = DeliveryId::from_slice(&entry.delivery_id)?;
        self.history.held.iter().rposition(|held| held.item.id == id)
    }

    /// Of what never arrived, its kind is all that is known.
    fn released(&mut self, leaf: u64, entry: &Entry) -> Checked {
        let (delivery, referral) = (text(&entry.delivery_id), text(&entry.referral_id));
        let of_it = |one: &&Arrival| one.delivery == delivery;
        let by_it = self.seen.arrivals.iter().find(|one| of_it(one) && one.leaf == Some(leaf));
        let arrived = by_it.or_else(|| self.seen.arrivals.iter().rfind(of_it));
        let content = match (arrived.map(|one| &one.what), entry.detail.as_str()) {
            (Some(What::Referral(came)), "referral") if by_it.is_some() => Content::Referral(came.encode_to_vec().into()),
            (_, "referral") => {
                let subject = Some(weiche::proto::types::Person::default());
                Content::Referral(Referral { referral_id: referral, subject, ..Referral::default() }.encode_to_vec().into())
            }
            (Some(What::Status(change)), "status") => Content::Status(change.clone()),
            (Some(What::Recall(notice)), "recall") => Content::Recall(notice.clone()),
            (None, _) => return Ok(()),
            _ => return Err(TestCaseError::fail("something else arrived than was released")),
        };
        let mut token = [0; 16];
        token[..8].copy_from_slice(&leaf.to_be_bytes());
        let item = Outgoing {
            id: DeliveryId::from_slice(&entry.delivery_id).unwrap(),
            token,
            until: Time(entry.until_ms),
            attempt: entry.attempt,
            mask: CategoryMask::from_bits(entry.granted),
            content,
            receipt: issued(leaf, Time(entry.at_ms)),
        };
        let to = [desk::CARITAS, TO[0], TO[1]].into_iter().find(|to| to.starts_with(&format!("{}/", entry.counterpart))).unwrap();
        self.history.handed(to, item, Time(entry.at_ms))
    }

    /// Every answer that a caller has is in the log, in the order in which they were given.
    fn answers(&self) -> Checked {
        let mut spans: Vec<(Span, u64)> = Vec::new();
        for (at, one) in self.seen.submissions.iter().enumerate() {
            match &one.answer {
                Ok(answer) => {
                    prop_assert!(self.submitted.contains(&at), "lost: it was acknowledged");
                    spans.push((one.span, answer.receipt.as_ref().unwrap().leaf_index));
                }
                Err(reason) => {
                    let why = self.seen.withdrawals.iter().any(|gone| {
                        let of_it = gone.person == one.person && gone.to.is_none_or(|to| to == one.to) && !gone.only_phone;
                        of_it && gone.span.asked <= one.span.told
                    });
                    prop_assert!(reason == "NOT_PERMITTED" && why, "refused: {reason}");
                }
            }
        }
        for (at, one) in self.seen.withdrawals.iter().enumerate() {
            prop_assert!(self.withdrawn.contains(&at), "lost: a withdrawal that was answered");
            spans.push((one.span, one.answer.receipt.as_ref().unwrap().leaf_index));
        }
        for one in &self.seen.answers {
            match &one.answer {
                Ok(leaf) => spans.push((one.span, *leaf)),
                Err(reason) => prop_assert!(reason == "WRONG_STATE", "an answer of a recipient was refused: {reason}"),
            }
        }
        for (earlier, leaf) in &spans {
            let overtaken = spans.iter().find(|(later, after)| earlier.told < later.asked && leaf > after);
            prop_assert!(overtaken.is_none(), "leaf {leaf} was told of {earlier:?} before {overtaken:?} was asked for, and stands behind it");
        }
        Ok(())
    }

    /// Everything that arrived was released for whom it came to, and each referral came under one number.
    fn arrivals(&self) -> Checked {
        let mut numbers = BTreeMap::new();
        let mut first: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for one in &self.seen.arrivals {
            let of_it = |entry: &&Entry| entry.kind() == EntryKind::Released && text(&entry.delivery_id) == one.delivery;
            let entry = match one.leaf {
                Some(leaf) => self.log.get(usize::try_from(leaf).unwrap()).filter(of_it),
                None => self.log.iter().find(of_it),
            };
            let right = |entry: &Entry| text(&entry.referral_id) == one.what.referral() && entry.counterpart == institution(one.to);
            prop_assert!(entry.is_some_and(right), "unexpected: it arrived and was not released");
            let What::Referral(referral) = &one.what else { continue };
            let known = numbers.insert(referral.referral_id.clone(), one.delivery.clone());
            prop_assert!(known.as_ref().is_none_or(|known| *known == one.delivery), "duplicated: one referral came under two numbers");
            let seen = &self.history.referrals[&referral.referral_id];
            if known.is_none() && !seen.ended {
                let before = first.insert((seen.person, seen.to), seen.leaf);
                prop_assert!(before.is_none_or(|before| before < seen.leaf), "it arrived out of order");
            }
        }
        Ok(())
    }

    /// What an answer calls stopped never arrives, and what arrives is named.
    fn withdrawals(&self) -> Checked {
        for (at, gone) in self.seen.withdrawals.iter().enumerate() {
            let answer = &gone.answer;
            let leaf = answer.receipt.as_ref().unwrap().leaf_index;
            let came =
                |id: &String| self.seen.arrivals.iter().any(|one| matches!(&one.what, What::Referral(referral) if referral.referral_id == *id));
            prop_assert!(gone.only_phone || !answer.stopped_referral_ids.iter().any(came), "what was called stopped has arrived");
            let before = |other: &super::world::Withdrawal| other.answer.receipt.as_ref().unwrap().leaf_index < leaf;
            for (id, seen) in &self.history.referrals {
                let about = |one: &super::world::Withdrawal| one.person == seen.person && one.to.is_none_or(|to| to == seen.to);
                let others = self.seen.withdrawals.iter().enumerate().filter(|(other, _)| *other != at);
                let first = !others.into_iter().any(|(_, other)| about(other) && before(other));
                if about(gone) && first && seen.leaf < leaf && came(id) && !gone.only_phone {
                    let named = answer.in_flight_referral_ids.contains(id) || answer.recalled_referral_ids.contains(id);
                    prop_assert!(named, "it has arrived, and the answer to the withdrawal does not name it");
                }
            }
        }
        Ok(())
    }
}

fn issued(leaf: u64, at: Time) -> Issued {
    Issued { text: String::new(), leaf, leaf_hash: Hash::empty_root(), at }
}

/// A run as it can be compared with another one.
pub fn story(seen: &Seen, log: &[Entry]) -> Vec<String> {
    let mut lines: Vec<_> = log
        .iter()
        .map(|entry| {
            let (referral, delivery) = (text(&entry.referral_id), text(&entry.delivery_id));
            let (kind, at, attempt, detail) = (entry.kind().as_str_name(), entry.at_ms, entry.attempt, &entry.detail);
            format!("{at} {kind} {}>{} {referral} {delivery} {attempt} {} {detail} {}", entry.actor, entry.counterpart, entry.state, entry.until_ms)
        })
        .collect();
    lines.extend(seen.arrivals.iter().map(|one| format!("{} {} has {} for {}", one.at, one.to, one.delivery, one.what.referral())));
    lines.extend(seen.submissions.iter().map(|one| format!("{:?} submitted {} {} {}", one.span, one.person, one.to, one.answer.is_ok())));
    lines.extend(seen.withdrawals.iter().map(|one| format!("{:?} withdrawn {} {:?}", one.span, one.person, one.to)));
    lines.extend(seen.answers.iter().map(|one| format!("{:?} answered {} {:?}", one.span, one.referral, one.answer)));
    lines
}
