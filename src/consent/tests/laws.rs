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

/// Every way in which a record can say less.
#[derive(Debug, Clone)]
enum Narrower {
    Grant(usize, CategoryMask),
    GrantGone(usize),
    Ticks(CategoryMask),
    LaterOn(i64),
    EndsEarlier(i64),
    PowerEndsEarlier(i64),
    NotReleased,
    NotReleasedTowards(usize),
    OnlySpoken,
    AreaGone(usize),
    Restricted,
    Defective,
    Is(Status),
}

fn any_narrower() -> impl Strategy<Value = Narrower> {
    use Narrower::*;
    let ended = vec![Status::Proposed, Status::Withdrawn, Status::Expired, Status::Superseded, Status::Invalidated, Status::EnteredInError];
    prop_oneof![
        (0..4usize, any_mask()).prop_map(|(i, keep)| Grant(i, keep)),
        (0..4usize).prop_map(GrantGone),
        any_mask().prop_map(Ticks),
        (0..(400 * DAY)).prop_map(LaterOn),
        (0..(400 * DAY)).prop_map(EndsEarlier),
        (0..(400 * DAY)).prop_map(PowerEndsEarlier),
        Just(NotReleased),
        (0..4usize).prop_map(NotReleasedTowards),
        Just(OnlySpoken),
        (0..3usize).prop_map(AreaGone),
        Just(Restricted),
        Just(Defective),
        prop::sample::select(ended).prop_map(Is),
    ]
}

impl Narrower {
    fn apply(&self, record: &mut Consent, born: Option<Day>) {
        let shift = |at: &mut Option<Time>, by: i64| at.iter_mut().for_each(|at| at.0 += by);
        match self {
            Self::Grant(i, keep) => record.grants.iter_mut().skip(*i).take(1).for_each(|grant| {
                grant.categories &= *keep;
                grant.feedback &= *keep;
            }),
            Self::GrantGone(i) if *i < record.grants.len() => drop(record.grants.remove(*i)),
            Self::Ticks(keep) => record.special_explicit &= *keep,
            Self::LaterOn(by) => shift(&mut record.valid_from, *by),
            Self::EndsEarlier(by) => shift(&mut record.valid_until, -by),
            // A record is denied for claiming power beyond the 18th birthday; to mend that says more, not less.
            Self::PowerEndsEarlier(by) if born.is_none() || record.grantor.kind == GrantorKind::Betreuer => {
                shift(&mut record.grantor.entitled_until, -by);
            }
            Self::NotReleased => record.secrecy_release = None,
            Self::NotReleasedTowards(i) => {
                record.secrecy_release.iter_mut().filter(|release| *i < release.towards.len()).for_each(|release| drop(release.towards.remove(*i)));
            }
            Self::OnlySpoken => record.form = Form::OralDocumented,
            // A person under a reservation says less with more areas.
            Self::AreaGone(i) if record.grantor.kind == GrantorKind::Betreuer && *i < record.grantor.areas.len() => {
                drop(record.grantor.areas.remove(*i));
            }
            Self::Restricted => record.restricted = true,
            Self::Defective => record.quality = Quality::CheckedDefects,
            Self::Is(status) => record.status = *status,
            Self::GrantGone(_) | Self::PowerEndsEarlier(_) | Self::AreaGone(_) => {}
        }
    }
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
    fn a_withdrawal_never_widens_and_the_same_again_changes_nothing(
        case in any_case(), scopes in prop::collection::vec(any_scope(), 1..4), of_origin in any::<bool>(), later in 0..(400 * DAY),
    ) {
        let agreement = bremen();
        let then = Time(case.now.0 + later);
        let by: InstitutionId = "drk-bremen".parse().unwrap();
        let mut withdrawn = case.clone();
        for scope in &scopes {
            let before = withdrawn.clone();
            let record = if of_origin { &mut withdrawn.origin } else { &mut withdrawn.record };
            let Some(record) = record else { return Ok(()) };
            let withdrawal = Withdrawal { scope, at: case.now, received_by: &by, channel: "letter" };
            *record = withdraw(record, &withdrawal);
            prop_assert_eq!(&withdraw(record, &withdrawal), &*record);
            for now in [case.now, then] {
                prop_assert!(mask(&before.ask_at(&agreement, now)).covers(mask(&withdrawn.ask_at(&agreement, now))));
            }
        }
    }

    #[test]
    fn narrowing_a_record_never_widens(
        case in any_case(), narrower in prop::collection::vec(any_narrower(), 1..4), of_origin in any::<bool>(), later in 0..(400 * DAY),
    ) {
        let agreement = bremen();
        let mut narrowed = case.clone();
        let Some(record) = (if of_origin { &mut narrowed.origin } else { &mut narrowed.record }) else { return Ok(()) };
        narrower.iter().for_each(|narrower| narrower.apply(record, case.request.born));
        for now in [case.now, Time(case.now.0 + later)] {
            let (wide, narrow) = (case.ask_at(&agreement, now), narrowed.ask_at(&agreement, now));
            prop_assert!(mask(&wide).covers(mask(&narrow)), "{:?}: {:?} {:?}", narrower, wide, narrow);
        }
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
