// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a withdrawal does.

use super::*;

fn taken_back(record: &Consent, scope: &Scope, at: Time) -> Consent {
    let received_by: InstitutionId = "jobcenter-bremen".parse().unwrap();
    withdraw(record, &Withdrawal { scope, at, received_by: &received_by, channel: "counter" })
}

#[test]
fn the_whole_is_withdrawn_at_once_and_only_once() {
    let agreement = bremen();
    let mut case = fits("centre-to-jobcenter");
    let after = taken_back(case.record.as_ref().unwrap(), &Scope::default(), case.now);
    assert_eq!((after.status, after.version, after.history.len()), (Status::Withdrawn, 2, 1));
    assert_eq!(after.history[0].withdrawn, Some(Scope::default()));
    assert_eq!(taken_back(&after, &Scope::default(), Time(case.now.0 + DAY)), after);
    case.record = Some(after);
    assert_eq!(case.ask(&agreement).reason(), Reason::Withdrawn);
}

#[test]
fn one_recipient_is_withdrawn_and_the_other_stays() {
    let agreement = bremen();
    let mut case = fits("centre-to-jobcenter");
    let scope = Scope { recipient: Some("jobcenter-bremen".parse().unwrap()), ..Scope::default() };
    case.record = Some(taken_back(case.record.as_ref().unwrap(), &scope, case.now));
    assert_eq!(case.ask(&agreement).reason(), Reason::WrongRecipient);
    case.request.recipient = "agentur-bremen-bremerhaven/vermittlung-bremen".into();
    assert_eq!(case.ask(&agreement).reason(), Reason::Ok);
}

#[test]
fn one_kind_of_data_is_withdrawn_from_everybody() {
    let agreement = bremen();
    let mut case = fits("centre-to-jobcenter");
    let scope = Scope { categories: Category::Work.mask() | Category::Health.mask(), ..Scope::default() };
    let after = taken_back(case.record.as_ref().unwrap(), &scope, case.now);
    assert!(after.special_explicit.is_empty());
    case.record = Some(after);
    let decision = case.ask(&agreement);
    assert_eq!(decision.withheld(), [(Category::Work, Reason::CategoryNotCovered)]);
}

#[test]
fn withdrawing_feedback_leaves_the_referral() {
    let agreement = bremen();
    let mut case = fits("centre-to-jobcenter");
    let scope = Scope { purpose: Some(Purpose::StatusFeedback), ..Scope::default() };
    case.record = Some(taken_back(case.record.as_ref().unwrap(), &scope, case.now));
    assert_eq!(case.ask(&agreement).reason(), Reason::Ok);
    case.request.direction = Direction::Feedback;
    case.request.categories = Category::Outcome.mask();
    assert_eq!(case.ask(&agreement).reason(), Reason::CategoryNotCovered);
}

#[test]
fn a_status_follows_only_the_one_before() {
    let record = fits("centre-to-jobcenter").record.unwrap();
    let superseded = transition(&record, Status::Superseded, record.granted_at, None, "record").unwrap();
    assert_eq!(
        transition(&superseded, Status::Active, record.granted_at, None, "record"),
        Err(LifecycleError { from: Status::Superseded, to: Status::Active })
    );
    assert!(transition(&superseded, Status::EnteredInError, record.granted_at, None, "record").is_ok());
}
