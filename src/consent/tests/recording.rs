// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What may be recorded.

use super::*;

fn recorded(change: impl FnOnce(&mut Consent)) -> Result<Consent, Vec<String>> {
    let case = fits("centre-to-jobcenter");
    let mut record = case.record.unwrap();
    change(&mut record);
    record_new(record, None, &bremen(), case.now).map_err(|all| all.into_iter().map(|p| p.path).collect())
}

#[test]
fn a_complete_record_becomes_version_1_with_an_event() {
    let record = recorded(|r| {
        r.version = 77;
        r.valid_until = None;
    })
    .unwrap();
    assert_eq!((record.version, record.history.len()), (1, 1));
    assert_eq!(record.valid_until, Some(Time(record.granted_at.0 + 365 * DAY)));
    assert_eq!(record.retention.unwrap().delete_after, Day { year: 2030, month: 12, day: 31 });
}

#[test]
fn what_is_missing_is_named_by_its_path() {
    type Change = fn(&mut Consent);
    let mut wrong: Vec<(Change, &str)> = Vec::new();
    wrong.push((|r| r.schema_version = "2".into(), "schema_version"));
    wrong.push((|r| r.subject.0.clear(), "subject_ref"));
    wrong.push((|r| r.recorded_by_role.clear(), "recorded_by_role"));
    wrong.push((|r| r.dpo_contact = " ".into(), "dpo_contact"));
    wrong.push((|r| r.grants.clear(), "grants"));
    wrong.push((|r| r.grants[0].recipient.unit = "alle".parse().unwrap(), "grants[0].recipient"));
    wrong.push((|r| r.grants[1].recipient.institution = "bamf".parse().unwrap(), "grants[1].recipient"));
    wrong.push((|r| r.grants[1].categories = CategoryMask::EMPTY, "grants[1].categories"));
    wrong.push((|r| r.grants.push(r.grants[0].clone()), "grants[2]"));
    wrong.push((|r| r.special_explicit = CategoryMask::EMPTY, "special_categories_explicit"));
    wrong.push((|r| r.special_explicit |= Category::Work.mask(), "special_categories_explicit"));
    wrong.push((|r| r.form = Form::OralDocumented, "form"));
    wrong.push((|r| r.secrecy_release = None, "secrecy_release"));
    wrong.push((|r| r.secrecy_release.as_mut().unwrap().functions.clear(), "secrecy_release.functions"));
    wrong.push((|r| r.secrecy_release.as_mut().unwrap().professions = vec![1], "secrecy_release.professions"));
    wrong.push((|r| r.secrecy_release.as_mut().unwrap().towards.clear(), "secrecy_release.towards"));
    wrong.push((|r| r.evidence.sha256.truncate(63), "evidence.sha256"));
    wrong.push((|r| r.evidence.location.clear(), "evidence.location"));
    wrong.push((|r| r.template.version = "1".into(), "template"));
    wrong.push((|r| r.template.version = "9".into(), "template"));
    wrong.push((|r| r.template.text_sha256.replace_range(0..1, "0"), "template.text_sha256"));
    wrong.push((|r| r.informed_of.onward_duties = false, "informed_of.onward_duties"));
    wrong.push((|r| r.voluntariness.no_benefit_linkage = false, "voluntariness.no_benefit_linkage"));
    wrong.push((|r| r.granted_at.0 += 30 * DAY, "granted_at"));
    wrong.push((|r| r.valid_until = Some(Time(r.granted_at.0 + 740 * DAY)), "valid_until"));
    wrong.push((|r| r.valid_until = r.valid_from, "valid_until"));
    wrong.push((|r| r.valid_from = Some(Time(r.granted_at.0 - DAY)), "valid_from"));
    wrong.push((|r| r.capability = None, "grantor"));
    wrong.push((|r| r.grantor.kind = GrantorKind::ParentBoth, "grantor"));
    wrong.push((|r| r.status = Status::Withdrawn, "status"));
    wrong.push((|r| r.supersedes = Some(r.id), "supersedes"));
    wrong.push((|r| r.regime = crate::agreement::DataProtectionRegime::DsgEkd, "regime"));
    wrong.push((|r| r.status = Status::Refused, "voluntariness.refusal_without_reason"));
    wrong.push((|r| r.grants[0].purpose = Purpose::StatusFeedback, "grants[0].purpose"));
    wrong.push((|r| r.grantor.areas = vec!["alles".into()], "grantor.areas"));
    wrong.push((|r| r.grantor.reservation_of_consent = true, "grantor"));
    for (change, path) in wrong {
        let found = recorded(change).unwrap_err();
        assert!(found.iter().any(|p| p == path), "{path} not in {found:?}");
    }
}

#[test]
fn a_child_under_15_needs_a_parent_whose_say_ends_with_the_18th_birthday() {
    let child = |r: &mut Consent| {
        r.capability = Some(Capability::Under15);
        r.grantor = Grantor {
            kind: GrantorKind::ParentBoth,
            areas: vec![],
            reservation_of_consent: false,
            proof: "geburtsurkunde".into(),
            entitled_until: Some(Time(r.granted_at.0 + 900 * DAY)),
        };
    };
    assert!(recorded(child).is_ok());
    assert!(
        recorded(|r| {
            child(r);
            r.grantor.entitled_until = None
        })
        .is_err()
    );
    assert!(
        recorded(|r| {
            child(r);
            r.grantor.kind = GrantorKind::Own
        })
        .is_err()
    );
}

#[test]
fn a_wider_version_needs_a_later_consent() {
    let agreement = bremen();
    let case = fits("centre-to-jobcenter");
    let first = record_new(case.record.clone().unwrap(), None, &agreement, case.now).unwrap();
    let mut wider = case.record.unwrap();
    wider.grants[1].categories = wider.grants[1].categories.with(Category::Address);
    let problems = record_new(wider.clone(), Some(&first), &agreement, case.now).unwrap_err();
    assert_eq!(problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["granted_at"]);
    wider.granted_at.0 += DAY;
    wider.valid_from = Some(wider.granted_at);
    let second = record_new(wider.clone(), Some(&first), &agreement, case.now).unwrap();
    assert_eq!((second.version, second.history.len()), (2, 2));
    wider.subject.0 = "p-2".into();
    assert!(record_new(wider, Some(&second), &agreement, case.now).is_err());
}

#[test]
fn a_betreuer_records_only_what_the_order_covers() {
    let betreuer = |r: &mut Consent| {
        r.capability = None;
        r.grantor.kind = GrantorKind::Betreuer;
        r.grantor.areas = vec!["behoerdenangelegenheiten".into()];
        r.grantor.proof = "betreuerausweis".into();
        r.grantor.entitled_until = Some(Time(r.granted_at.0 + 90 * DAY));
    };
    assert!(recorded(betreuer).is_ok());
    let less: [fn(&mut Consent); 3] =
        [|r| r.grantor.areas.clear(), |r| r.grantor.areas = vec!["vermoegenssorge".into()], |r| r.grantor.entitled_until = None];
    for without in less {
        let found = recorded(|r| {
            betreuer(r);
            without(r);
        });
        assert!(found.unwrap_err().contains(&"grantor".to_owned()));
    }
}

#[test]
fn who_comes_of_age_does_so_at_midnight_in_bremen() {
    let at = |text: &str| Some(Time(text.parse::<jiff::Timestamp>().unwrap().as_millisecond()));
    let of_age = |year, month, day| Day { year, month, day }.of_age();
    assert_eq!(of_age(2008, 11, 12), at("2026-11-12T00:00:00+01:00"));
    assert_eq!(of_age(2009, 7, 1), at("2027-07-01T00:00:00+02:00"));
    assert_eq!(of_age(2008, 2, 29), at("2026-03-01T00:00:00+01:00"));
    assert_eq!(of_age(2008, 0, 0), at("2026-12-31T00:00:00+01:00"));
    assert_eq!(of_age(2008, 2, 0), at("2026-03-01T00:00:00+01:00"));
    for impossible in [(2009, 2, 30), (0, 0, 32), (2009, 13, 1), (40_000, 1, 1), (2009, -1, 1)] {
        let (year, month, day) = impossible;
        assert_eq!(of_age(year, month, day), None, "{impossible:?}");
    }
}
