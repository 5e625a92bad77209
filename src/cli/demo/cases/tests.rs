// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::BTreeSet;

use prost::Message as _;

use super::*;
use crate::dialect::REFERRAL;

const NOW: Time = Time(1_791_183_600_000);
const MIDNIGHT: Time = Time(1_791_237_600_000);

fn cases(seed: u64, count: usize) -> (Dialects, Vec<Case>) {
    let dialects = Dialects::embedded().unwrap();
    let agreement = Agreement::parse(include_str!("../../../../agreement/bremen.toml")).unwrap();
    let cases = generate(&World { dialects: &dialects, agreement: &agreement, now: NOW, midnight: MIDNIGHT }, seed, count);
    (dialects, cases)
}

#[test]
fn the_same_seed_makes_the_same_cases_and_another_one_others() {
    let numbers = |seed| cases(seed, 60).1.iter().map(|case| case.referral.encode_to_vec()).collect::<Vec<_>>();
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
}

#[test]
fn even_a_small_story_has_every_situation() {
    let (_, cases) = cases(7, 40);
    let played: BTreeSet<Situation> = cases.iter().map(|case| case.situation).collect();
    assert_eq!(played.len(), Situation::SHARES.len() + usize::from(played.contains(&Situation::Full)));
    assert!(cases.iter().enumerate().all(|(at, case)| at == case.number));
}

#[test]
fn every_sender_can_say_every_case_and_every_consent_in_its_own_words() {
    let (dialects, cases) = cases(3, 400);
    assert!(cases.len() >= 400);
    for case in &cases {
        let institution = &case.referral.sender.as_ref().unwrap().institution;
        let dialect = dialects.get(institution.split('-').next().unwrap()).unwrap();
        for (message, bytes) in [(REFERRAL, case.referral.encode_to_vec())]
            .into_iter()
            .chain(case.consent.iter().map(|consent| ("weiche.type.v1.Consent", consent.encode_to_vec())))
        {
            let native = dialect.message_for(message).unwrap();
            let (bytes, _) = dialect.render(native, &bytes, CategoryMask::ALL).unwrap_or_else(|error| panic!("{institution}: {error}"));
            dialect.read(native, &bytes).unwrap_or_else(|error| panic!("{institution}, {message}: {error}"));
        }
    }
}

#[test]
fn marked_cases_have_marks_of_many_categories() {
    let (_, cases) = cases(5, 300);
    let seen = cases.iter().map(|case| marks_in(&case.referral.encode_to_vec())).fold(CategoryMask::EMPTY, |all, one| all | one);
    assert!(seen.len() > 12, "{seen}");
}
