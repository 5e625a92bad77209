// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The checks catch what they are for: a history in which all is well, and one for each way of breaking a promise.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message as _;

use super::*;
use crate::agreement::Agreement;
use crate::cli::demo::cases::{Case, Expected, World, generate};
use crate::cli::demo::history::{Arrived, Outcome, Submission};
use crate::clock::Time;
use crate::dialect::{CategoryMask, REFERRAL, RecipientKind};
use crate::ledger::{Hash, Receipt, SigningKey, Tree};
use crate::proto::audit::{Entry, EntryKind};
use crate::proto::exchange::DecisionReason;
use crate::proto::types::{ReferralState, StatusChange};

struct World1 {
    dialects: Dialects,
    policy: Policy,
    history: History,
}

/// All is well: what a gateway without a fault leaves behind, made without one.
fn well() -> World1 {
    let dialects = Dialects::embedded().unwrap();
    let agreement = Agreement::parse(crate::cli::init::AGREEMENT).unwrap();
    let world = World { dialects: &dialects, agreement: &agreement, now: Time(1_791_183_600_000), midnight: Time(1_791_237_600_000) };
    let cases = generate(&world, 11, 80);
    let key = SigningKey::from_seed("log.example.invalid", &[7; 32]).unwrap();
    let mut history = History::default();
    for case in &cases {
        play(&mut history, &dialects, case);
    }
    history.leaves = history.log.iter().map(Entry::encode_to_vec).collect();
    let leaves: Vec<Hash> = history.leaves.iter().map(|leaf| Hash::leaf(leaf)).collect();
    let mut tree = Tree::default();
    tree.append(&leaves[..1]);
    // The first entry alone: its proof is empty.
    let note = key.sign_checkpoint(1, tree.root());
    history.receipts.push(("the first entry".into(), Receipt::new(0, Vec::new(), &note).to_string()));
    World1 { dialects, policy: Policy::log_only(key.verifier().clone()), history }
}

fn play(history: &mut History, dialects: &Dialects, case: &Case) {
    let party = |party: &Option<crate::proto::types::Party>| party.as_ref().unwrap().institution.clone();
    let (sender, recipient) = (party(&case.referral.sender), party(&case.referral.recipient));
    let word = |institution: &str| dialects.get(institution.split('-').next().unwrap()).unwrap();
    let (from, to) = (word(&sender), word(&recipient));
    let native = from.render(from.message_for(REFERRAL).unwrap(), &case.referral.encode_to_vec(), CategoryMask::ALL).unwrap().0;
    let sent = from.read(from.message_for(REFERRAL).unwrap(), &native).unwrap().0;
    let carried = dialects.categories_of(REFERRAL, &sent).unwrap();
    let may = case.allowed & carried;
    let (referral, consent) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let outcome = match case.expected {
        Expected::Denied(reason) => Outcome::Denied(reason),
        _ => Outcome::Accepted { referral: referral.to_string(), granted: may, withheld: carried - may, fields: 0 },
    };
    let entry = |kind: EntryKind| Entry {
        kind: kind.into(),
        referral_id: Bytes::copy_from_slice(referral.as_bytes()),
        consent_id: Bytes::copy_from_slice(consent.as_bytes()),
        detail: if kind == EntryKind::Released { "referral".into() } else { String::new() },
        ..Entry::default()
    };
    let sent = crate::proto::types::Referral::decode(sent).unwrap();
    match case.expected {
        Expected::Denied(_) => {}
        Expected::Delivered => {
            history.log.extend([EntryKind::ReferralSubmitted, EntryKind::Released, EntryKind::Delivered].map(entry));
            let kind = match to.name() {
                "jobcenter" => RecipientKind::Jobcenter,
                "agentur" => RecipientKind::Agentur,
                _ => RecipientKind::Centre,
            };
            let minimised = dialects.minimise(REFERRAL, &sent.encode_to_vec(), may, kind).unwrap();
            let native = to.render(to.message_for(REFERRAL).unwrap(), &minimised.bytes, may).unwrap().0;
            let content = crate::proto::types::Referral::decode(to.read(to.message_for(REFERRAL).unwrap(), &native).unwrap().0).unwrap();
            history.arrivals.push(Arrived { institution: recipient.clone(), referral: referral.to_string(), native, content, times: 1 });
        }
        Expected::Stopped(reason) => {
            history.log.push(entry(EntryKind::ReferralSubmitted));
            let (kind, state) = match reason {
                DecisionReason::Withdrawn => (EntryKind::DeliveryStopped, ReferralState::Recalled),
                _ => (EntryKind::ReleaseDenied, ReferralState::Blocked),
            };
            history.log.push(Entry { decision: reason.into(), ..entry(kind) });
            history.news.push((sender.clone(), StatusChange { referral_id: referral.to_string(), state: state.into(), ..StatusChange::default() }));
        }
    }
    history.submissions.push(Submission {
        case: case.number,
        situation: case.situation,
        expected: case.expected,
        sender,
        recipient,
        person: case.referral.subject_ref.clone(),
        sent,
        allowed: case.allowed,
        outcome,
    });
}

fn broken(world: &World1) -> BTreeSet<Promise> {
    check(&world.history, &world.dialects, &world.policy).into_iter().map(|broken| broken.promise).collect()
}

fn only(promise: Promise) -> BTreeSet<Promise> {
    BTreeSet::from([promise])
}

#[test]
fn where_all_is_well_nothing_is_found() {
    let world = well();
    assert_eq!(check(&world.history, &world.dialects, &world.policy), []);
}

#[test]
fn a_lost_referral_is_found() {
    let mut world = well();
    world.history.arrivals.remove(3);
    assert_eq!(broken(&world), only(Promise::NothingLostNothingTwice));
}

#[test]
fn a_referral_that_is_stored_twice_is_found() {
    let mut world = well();
    let again = world.history.arrivals[3].clone();
    world.history.arrivals.push(again);
    assert!(broken(&world).contains(&Promise::NothingLostNothingTwice));
}

#[test]
fn a_referral_that_nobody_sent_or_at_the_wrong_place_is_found() {
    let mut world = well();
    let stray = Arrived { referral: uuid::Uuid::new_v4().to_string(), ..world.history.arrivals[3].clone() };
    world.history.arrivals.push(stray);
    assert_eq!(broken(&world), only(Promise::NothingLostNothingTwice));
    let mut world = well();
    world.history.arrivals[3].institution = "nobody-bremen".into();
    assert!(broken(&world).contains(&Promise::NothingLostNothingTwice));
}

#[test]
fn a_person_whose_referrals_overtake_each_other_is_found() {
    let mut world = well();
    let submissions = &world.history.submissions;
    let person = submissions
        .iter()
        .find(|one| submissions.iter().filter(|other| other.person == one.person && other.referral().is_some()).count() > 1)
        .unwrap();
    let ids: Vec<&str> = submissions.iter().filter(|one| one.person == person.person).filter_map(Submission::referral).collect();
    let places: Vec<usize> = ids.iter().map(|id| world.history.arrivals.iter().position(|arrived| arrived.referral == **id).unwrap()).collect();
    world.history.arrivals.swap(places[0], places[1]);
    assert_eq!(broken(&world), only(Promise::InOrder));
}

/// The first arrival from which something was withheld.
fn partial(world: &World1) -> (usize, CategoryMask) {
    let found = world.history.submissions.iter().find_map(|submission| match &submission.outcome {
        Outcome::Accepted { referral, withheld, .. }
            if !withheld.is_empty() && !super::super::cases::marks_in(&submission.sent.encode_to_vec()).is_empty() =>
        {
            let at = world.history.arrivals.iter().position(|arrived| arrived.referral == *referral)?;
            Some((at, *withheld))
        }
        _ => None,
    });
    found.unwrap()
}

#[test]
fn a_leaked_field_is_found_by_its_canary_alone() {
    let mut world = well();
    let (at, withheld) = partial(&world);
    let category = withheld.iter().next().unwrap();
    let arrived = &mut world.history.arrivals[at];
    // In bytes that no field of the message accounts for.
    arrived.native = [&arrived.native[..], b"x".as_slice(), super::super::cases::mark(category).to_uppercase().as_bytes()].concat().into();
    assert_eq!(broken(&world), only(Promise::ExactContent));
}

#[test]
fn a_leaked_field_is_found_by_its_category_alone() {
    let mut world = well();
    for arrived in &mut world.history.arrivals {
        arrived.content.criminal_note = "Vorstrafe".into();
    }
    assert_eq!(broken(&world), only(Promise::ExactContent));
}

#[test]
fn a_value_that_changed_on_the_way_or_did_not_arrive_is_found() {
    let mut world = well();
    world.history.arrivals[3].content.subject.as_mut().unwrap().name.as_mut().unwrap().family = "Jemand".into();
    assert_eq!(broken(&world), only(Promise::ExactContent));
    let mut world = well();
    world.history.arrivals[3].content.subject.as_mut().unwrap().name.as_mut().unwrap().family.clear();
    assert_eq!(broken(&world), only(Promise::ExactContent));
}

#[test]
fn a_grant_that_is_wider_than_the_consent_is_found() {
    let mut world = well();
    for submission in &mut world.history.submissions {
        submission.allowed -= crate::dialect::Category::Ident.mask();
    }
    assert!(broken(&world).contains(&Promise::ExactContent));
}

#[test]
fn what_was_denied_and_is_at_a_recipient_all_the_same_is_found() {
    let mut world = well();
    let denied = world.history.submissions.iter().find(|one| one.referral().is_none()).unwrap().sent.sender_case_number.clone();
    world.history.arrivals[3].content.sender_case_number = denied;
    assert!(broken(&world).contains(&Promise::NothingWithoutConsent));
}

#[test]
fn a_release_after_the_withdrawal_is_found() {
    let mut world = well();
    let at = world.history.log.iter().position(|entry| entry.kind() == EntryKind::Released).unwrap();
    let withdrawal = Entry { kind: EntryKind::ConsentWithdrawn.into(), consent_id: world.history.log[at].consent_id.clone(), ..Entry::default() };
    world.history.log.insert(at, withdrawal.clone());
    assert!(broken(&world).contains(&Promise::NothingWithoutConsent));
    let mut world = well();
    world.history.log.insert(at + 1, withdrawal);
    assert!(!broken(&world).contains(&Promise::NothingWithoutConsent), "after the release it is no breach");
}

#[test]
fn an_arrival_without_a_release_in_the_log_is_found() {
    let mut world = well();
    world.history.log.retain(|entry| entry.kind() != EntryKind::Released);
    assert_eq!(broken(&world), only(Promise::NothingWithoutConsent));
}

#[test]
fn a_stopped_referral_that_arrived_is_found() {
    let mut world = well();
    let stopped = world.history.submissions.iter().find(|one| matches!(one.expected, Expected::Stopped(_))).unwrap();
    let arrived =
        Arrived { referral: stopped.referral().unwrap().into(), institution: stopped.recipient.clone(), ..world.history.arrivals[3].clone() };
    world.history.arrivals.push(arrived);
    assert!(broken(&world).contains(&Promise::NothingWithoutConsent));
}

#[test]
fn a_receipt_of_another_entry_or_another_log_is_found() {
    let mut world = well();
    world.history.leaves[0].push(0);
    assert_eq!(broken(&world), only(Promise::ReceiptsHold));
    let mut world = well();
    let other = SigningKey::from_seed("log.example.invalid", &[8; 32]).unwrap();
    world.policy = Policy::log_only(other.verifier().clone());
    assert_eq!(broken(&world), only(Promise::ReceiptsHold));
}

#[test]
fn a_sender_who_was_not_told_and_a_recipient_who_was_not_asked_are_found() {
    let mut world = well();
    let referral = world.history.arrivals[3].referral.clone();
    world.history.answers.push((referral.clone(), ReferralState::Accepted.into()));
    assert_eq!(broken(&world), only(Promise::EverybodyIsTold));
    let mut world = well();
    world.history.to_recall.push(world.history.arrivals[3].referral.clone());
    assert_eq!(broken(&world), only(Promise::EverybodyIsTold));
    let mut world = well();
    world.history.news.clear();
    assert_eq!(broken(&world), only(Promise::EverybodyIsTold));
}

#[test]
fn a_case_that_ended_in_another_way_than_it_had_to_is_found() {
    let mut world = well();
    let denied = world.history.submissions.iter_mut().find(|one| one.referral().is_none()).unwrap();
    denied.outcome = Outcome::Denied(DecisionReason::Restricted);
    assert_eq!(broken(&world), only(Promise::AsDecided));
    let mut world = well();
    world.history.surprises.push("something".into());
    assert_eq!(broken(&world), only(Promise::AsDecided));
}
