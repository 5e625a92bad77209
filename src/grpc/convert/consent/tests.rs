// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::*;
use proptest::prelude::*;

/// A record with every field filled.
fn full() -> Consent {
    serde_json::from_str(include_str!("../../../../tests/cases/consent/base/full.json")).unwrap()
}

#[test]
fn a_full_record_survives_both_ways() {
    let consent = full();
    let wire = consent_to(&consent);
    assert_eq!(consent_from(&wire).unwrap(), consent);
    assert_eq!(consent_to(&consent_from(&wire).unwrap()), wire);
}

#[test]
fn every_word_of_the_contract_has_one_of_ours() {
    for (from, last) in [
        (&(|n| purpose_from(n).map(|v| purpose_to(v) as i32)) as &dyn Fn(i32) -> Option<i32>, types::Purpose::CaseConference as i32),
        (&|n| legal_basis_from(n).map(|v| legal_basis_to(v) as i32), exchange::LegalBasis::Sgbii501 as i32),
        (&|n| regime_from(n).map(|v| regime_to(v) as i32), types::DataProtectionRegime::DsgEkd as i32),
        (&|n| reason_from(n).map(|v| reason_to(v) as i32), exchange::DecisionReason::NotActive as i32),
        (&|n| form_from(n).map(|v| form_to(v) as i32), types::ConsentForm::OralDocumented as i32),
        (&|n| mode_from(n).map(|v| mode_to(v) as i32), types::ExplanationMode::SignLanguage as i32),
        (&|n| interpreter_from(n).map(|v| interpreter_to(v) as i32), types::InterpreterKind::Relative as i32),
        (&|n| grantor_kind_from(n).map(|v| grantor_kind_to(v) as i32), types::GrantorKind::Betreuer as i32),
        (&|n| capability_from(n).map(|v| capability_to(v) as i32), types::ConsentCapability::Under18NotCapable as i32),
        (&|n| status_from(n).map(|v| status_to(v) as i32), types::ConsentStatus::EnteredInError as i32),
        (&|n| quality_from(n).map(|v| quality_to(v) as i32), types::ConsentQuality::CheckedDefects as i32),
    ] {
        assert_eq!(from(0), None, "UNSPECIFIED says nothing");
        assert!((1..=last).all(|n| from(n) == Some(n)) && from(last + 1).is_none());
    }
}

#[test]
fn an_empty_record_is_told_everything_that_is_missing() {
    let problems = consent_from(&types::Consent::default()).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
    let required = [
        "consent_id",
        "controller",
        "regime",
        "form",
        "evidence",
        "template",
        "explanation",
        "informed_of",
        "voluntariness",
        "granted_at",
        "grantor",
    ];
    assert_eq!(paths, required);
}

#[test]
fn what_does_not_fit_is_named_by_its_path_and_not_quoted() {
    let mut wire = consent_to(&full());
    wire.consent_id = "Al-Hasani".into();
    wire.grants[1].recipient.as_mut().unwrap().unit = "*".into();
    wire.grants[0].categories.push(30);
    wire.grants[0].purpose = 99;
    wire.granted_at.as_mut().unwrap().nanos = -1;
    wire.status = 77;
    wire.retention.as_mut().unwrap().delete_after.as_mut().unwrap().month = 13;
    let problems = consent_from(&wire).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
    let expected = [
        "consent_id",
        "grants[0].purpose",
        &format!("grants[0].categories[{}]", wire.grants[0].categories.len() - 1),
        "grants[1].recipient.unit",
        "granted_at",
        "status",
        "retention.delete_after",
    ];
    assert_eq!(paths, expected);
    assert!(!format!("{problems:?}").contains("Hasani"));
}

#[test]
fn a_scope_that_cannot_be_read_is_not_everything() {
    assert_eq!(scope_from(None, "scope").unwrap(), Scope::default());
    let wrong = types::WithdrawalScope { purpose: 99, ..Default::default() };
    assert_eq!(scope_from(Some(&wrong), "scope").unwrap_err()[0].path, "scope.purpose");
    let wrong = types::WithdrawalScope { categories: vec![1, 0], ..Default::default() };
    assert_eq!(scope_from(Some(&wrong), "scope").unwrap_err()[0].path, "scope.categories[1]");
}

proptest! {
    #[test]
    fn times_and_sets_survive_both_ways(millis in -62_135_596_800_000i64..253_402_300_800_000, bits: u32) {
        prop_assert_eq!(time_from(&time_to(Time(millis))), Some(Time(millis)));
        let mask = CategoryMask::from_bits(bits);
        prop_assert_eq!(mask_from(&mask_to(mask), "x").unwrap(), mask);
    }
}
