// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Laws that hold for every case and every change of it.

use super::*;
use proptest::prelude::*;

fn any_mask() -> impl Strategy<Value = CategoryMask> {
    any::<u32>().prop_map(CategoryMask::from_bits)
}

fn any_case() -> impl Strategy<Value = Case> {
    let all = cases();
    (0..all.len(), any_mask(), any_mask(), any_mask(), any::<[bool; 3]>()).prop_map(move |(i, sent, granted, special, [a, b, c])| {
        let mut case = all[i].clone();
        if a {
            case.request.categories |= sent;
        }
        if let Some(record) = &mut case.record {
            if b {
                record.grants.iter_mut().for_each(|grant| grant.categories |= granted);
            }
            if c {
                record.special_explicit = special & CategoryMask::SPECIAL;
            }
        }
        case
    })
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let recipient = prop::option::of(prop::sample::select(vec!["jobcenter-bremen", "awo-bremen", "diakonie-bremen", "drk-bremen"]));
    let purposes = vec![Purpose::JobSearch, Purpose::CounsellingReferral, Purpose::StatusFeedback];
    (recipient, prop::option::of(prop::sample::select(purposes)), any_mask(), any::<bool>()).prop_map(|(recipient, purpose, mask, all)| Scope {
        recipient: recipient.map(|id| id.parse().unwrap()),
        purpose,
        categories: if all { CategoryMask::EMPTY } else { mask },
    })
}

fn mask(decision: &Decision) -> CategoryMask {
    match decision {
        Decision::Permitted(permit) => permit.mask(),
        Decision::Denied(_) => CategoryMask::EMPTY,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_that_was_not_sent_and_everything_sent_is_accounted_for(case in any_case()) {
        if let Decision::Permitted(permit) = case.ask(&bremen()) {
            let withheld: CategoryMask = permit.withheld().iter().map(|(category, _)| *category).collect();
            prop_assert_eq!(permit.mask() | withheld, case.request.categories);
            prop_assert!((permit.mask() & withheld).is_empty());
        }
    }

    #[test]
    fn a_withdrawal_never_widens_and_the_same_again_changes_nothing(case in any_case(), scope in any_scope()) {
        let agreement = bremen();
        let Some(record) = &case.record else { return Ok(()) };
        let by: InstitutionId = "drk-bremen".parse().unwrap();
        let withdrawal = Withdrawal { scope: &scope, at: case.now, received_by: &by, channel: "letter" };
        let after = withdraw(record, &withdrawal);
        prop_assert_eq!(&withdraw(&after, &withdrawal), &after);
        let narrowed = Case { record: Some(after), ..case.clone() };
        prop_assert!(mask(&case.ask(&agreement)).covers(mask(&narrowed.ask(&agreement))));
    }

    #[test]
    fn narrowing_a_record_never_widens(case in any_case(), keep in any_mask(), ticks in any_mask(), drop in any::<usize>()) {
        let agreement = bremen();
        let mut narrowed = case.clone();
        let Some(record) = &mut narrowed.record else { return Ok(()) };
        record.special_explicit &= ticks;
        if let Some(grant) = record.grants.get_mut(drop % 3) {
            grant.categories &= keep;
            grant.feedback &= keep;
        }
        prop_assert!(mask(&case.ask(&agreement)).covers(mask(&narrowed.ask(&agreement))));
    }

    #[test]
    fn time_only_takes_away(case in any_case(), later in 0..(800 * DAY), still_later in 0..(800 * DAY)) {
        let agreement = bremen();
        let first = case.ask(&agreement);
        let (then, at_last) = (Time(case.now.0 + later), Time(case.now.0 + later + still_later));
        let second = case.ask_at(&agreement, then);
        if matches!(first, Decision::Permitted(_)) {
            prop_assert!(mask(&first).covers(mask(&second)));
            let ended = matches!(second.reason(), Reason::Ok | Reason::Expired | Reason::GrantorNotEntitled | Reason::TemplateRevoked);
            prop_assert!(ended, "{:?}", second.reason());
            prop_assert!(mask(&second).covers(mask(&case.ask_at(&agreement, at_last))));
        }
    }

    #[test]
    fn the_order_of_unrelated_records_does_not_matter(
        case in any_case(), others in prop::collection::vec(any_case(), 0..9), order in any::<prop::sample::Index>(), status in 0..3usize,
    ) {
        let agreement = bremen();
        let alone = case.ask(&agreement);
        // Other records of the same person, in any state, some of them for the same recipient: beside, before and behind the one that is named.
        let unrelated = others.into_iter().filter_map(|other| other.record).enumerate().map(|(i, mut record)| {
            record.id = crate::id::ConsentId(uuid::Uuid::from_u128(i as u128 + 1));
            record.status = [Status::Active, Status::Withdrawn, Status::Superseded][status];
            record
        });
        let mut records: Vec<Consent> = unrelated.collect();
        let origin = case.origin.clone().map(|mut origin| {
            origin.id = crate::id::ConsentId(uuid::Uuid::from_u128(99));
            origin
        });
        let named = (case.record.as_ref().map(|record| record.id), origin.as_ref().map(|origin| origin.id));
        for record in case.record.iter().chain(&origin) {
            records.insert(order.index(records.len() + 1), record.clone());
        }
        for _ in 0..2 {
            let find = |id: &crate::id::ConsentId| records.iter().find(|record| record.id == *id);
            prop_assert_eq!(&case.ask_with(&agreement, Evidence::of(find, named.0, named.1), case.now), &alone);
            records.reverse();
        }
    }

    #[test]
    fn what_the_decision_does_not_need_does_not_matter(case in any_case(), text in "\\PC{0,20}") {
        let agreement = bremen();
        let mut other = case.clone();
        let Some(record) = &mut other.record else { return Ok(()) };
        record.receipt_id.clone_from(&text);
        record.recorded_by_role.clone_from(&text);
        record.dpo_contact.clone_from(&text);
        record.evidence.location.clone_from(&text);
        record.explanation.language.clone_from(&text);
        record.created_at = None;
        record.grants.reverse();
        record.history.clear();
        prop_assert_eq!(case.ask(&agreement), other.ask(&agreement));
    }
}
