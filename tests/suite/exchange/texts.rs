// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The texts that people agree to: revoked at once and for good, approved for what comes.

use weiche::agreement::{Template, TextChange, TextsError};
use weiche::clock::Time;
use weiche::consent::Reason;
use weiche::exchange::Refusal;
use weiche::id::RequestId;
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;

fn revoked(from: Time) -> TextChange {
    TextChange::Revoked { id: "bremen-standard".into(), version: "3".into(), language: "de".into(), from }
}

fn fourth(from: Time) -> Template {
    Template {
        id: "bremen-standard".into(),
        version: "4".into(),
        language: "de".into(),
        text_sha256: "4".repeat(64),
        modules: vec!["weitergabe".into(), "rechte".into()],
        approved_from: from,
        valid_until: None,
        revoked_from: None,
    }
}

async fn change(desk: &Desk, change: TextChange) -> Result<(), Refusal> {
    desk.on().change_text("anna", RequestId::random(), change).await
}

/// A record under the fourth version, given now.
async fn under_the_fourth(desk: &Desk, subject: &str) -> Result<weiche::id::ConsentId, Refusal> {
    let consent = desk.consent(CARITAS, subject).to(JOBCENTER, usual());
    let consent = consent.with(|record| {
        record.template.version = "4".into();
        record.template.text_sha256 = "4".repeat(64);
        record.granted_at = desk.now();
        record.valid_from = None;
        record.special_explicit = weiche::dialect::CategoryMask::EMPTY;
    });
    consent.try_record().await
}

fn denied(result: Result<weiche::exchange::Submission, Refusal>) -> Reason {
    match result {
        Err(Refusal::Denied { denial, .. }) => denial.reason,
        other => panic!("not denied: {other:?}"),
    }
}

#[tokio::test]
async fn a_revoked_text_stops_what_waits_and_what_comes_and_the_log_says_so() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let waiting = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    change(&desk, revoked(TextChange::AT_ONCE)).await.unwrap();
    let leaf = desk.log().await.pop().unwrap();
    assert_eq!((leaf.kind(), leaf.actor.as_str(), leaf.detail.as_str()), (EntryKind::TextRevoked, "operator:anna", "bremen-standard/3/de"));
    assert_eq!(leaf.until_ms, desk.now().0);

    assert!(desk.release(JOBCENTER).await.is_empty(), "what waited does not start");
    assert_eq!(desk.state(CARITAS, waiting).await, (ReferralState::Blocked, Some(StatusReason::NotPermitted)));
    let refused = desk.log().await.into_iter().rfind(|entry| entry.kind() == EntryKind::ReleaseDenied).unwrap();
    assert_eq!(refused.decision, Reason::TemplateRevoked.number());
    assert_eq!(denied(desk.submit(&referral(CARITAS, JOBCENTER, "p-1", consent)).await), Reason::TemplateRevoked);
    let refused = desk.consent(CARITAS, "p-2").to(JOBCENTER, usual()).try_record().await;
    assert!(matches!(refused, Err(Refusal::Consent(_))), "nobody signs it any more");
}

#[tokio::test]
async fn nothing_takes_a_revocation_back() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    change(&desk, revoked(TextChange::AT_ONCE)).await.unwrap();
    let again = change(&desk, revoked(TextChange::AT_ONCE)).await.unwrap_err();
    assert_eq!(again, Refusal::Text(TextsError::Revoked));
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    desk.reopen().await;
    assert_eq!(denied(desk.submit(&case).await), Reason::TemplateRevoked, "over a restart");
    // The new agreement names the text as if nothing had happened.
    desk.adopt(&BREMEN.replace("version = \"2026-1\"", "version = \"2026-2\"")).await;
    assert_eq!(denied(desk.submit(&case).await), Reason::TemplateRevoked, "over a new agreement");
    desk.reopen().await;
    assert_eq!(denied(desk.submit(&case).await), Reason::TemplateRevoked, "and a restart after it");
}

#[tokio::test]
async fn a_revocation_that_is_announced_holds_from_its_moment() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    change(&desk, revoked(desk.now().plus(HOUR))).await.unwrap();
    desk.accepted(&case).await;
    desk.pass(HOUR);
    assert_eq!(denied(desk.submit(&case).await), Reason::TemplateRevoked);
    assert!(desk.release(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn a_text_that_is_approved_may_be_signed_from_then_on_and_not_before() {
    let mut desk = Desk::open().await;
    assert!(matches!(under_the_fourth(&desk, "p-1").await, Err(Refusal::Consent(_))));
    change(&desk, TextChange::Approved(fourth(desk.now().plus(HOUR)))).await.unwrap();
    let leaf = desk.log().await.pop().unwrap();
    assert_eq!((leaf.kind(), leaf.detail), (EntryKind::TextApproved, format!("bremen-standard/4/de {}", "4".repeat(64))));
    assert!(matches!(under_the_fourth(&desk, "p-1").await, Err(Refusal::Consent(_))), "not yet");
    desk.pass(HOUR);
    let consent = under_the_fourth(&desk, "p-1").await.unwrap();
    desk.reopen().await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    assert_eq!(
        change(&desk, TextChange::Approved(fourth(desk.now()))).await,
        Err(Refusal::Text(TextsError::Approved)),
        "a changed text is a new version"
    );
}

#[tokio::test]
async fn a_text_that_says_too_little_or_comes_too_late_is_not_approved() {
    let desk = Desk::open().await;
    let now = desk.now();
    let without = |modules: &[&str]| TextChange::Approved(Template { modules: modules.iter().map(ToString::to_string).collect(), ..fourth(now) });
    assert_eq!(change(&desk, without(&["weitergabe"])).await, Err(Refusal::Text(TextsError::Missing("rechte".into()))));
    assert_eq!(change(&desk, without(&["rechte", "rabatt"])).await, Err(Refusal::Text(TextsError::Module("rabatt".into()))));
    let past = TextChange::Approved(fourth(Time(now.0 - 1)));
    assert_eq!(change(&desk, past).await, Err(Refusal::Text(TextsError::Past)), "later approval cures nothing");
    let ended = TextChange::Approved(Template { valid_until: Some(now), ..fourth(now) });
    assert_eq!(change(&desk, ended).await, Err(Refusal::Text(TextsError::Ended)));
    let unknown = TextChange::Revoked { id: "bremen-standard".into(), version: "9".into(), language: "de".into(), from: now };
    assert_eq!(change(&desk, unknown).await, Err(Refusal::Text(TextsError::Unknown)));
}

#[tokio::test]
async fn a_consent_grants_only_what_its_text_speaks_of() {
    let desk = Desk::open().await;
    let silent = Template { modules: vec!["rechte".into()], ..fourth(desk.now()) };
    change(&desk, TextChange::Approved(silent)).await.unwrap();
    let Err(Refusal::Consent(problems)) = under_the_fourth(&desk, "p-1").await else { panic!("recorded") };
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["grants[0].purpose", "secrecy_release"]);
}

#[tokio::test]
async fn another_gateway_on_the_same_database_learns_of_it_before_its_next_release() {
    let desk = Desk::open().await;
    if desk.place.file().is_some() {
        return;
    }
    let beside = desk.beside().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    change(&desk, revoked(TextChange::AT_ONCE)).await.unwrap();
    assert!(beside.release(JOBCENTER).await.is_empty());
    assert_eq!(denied(beside.submit(&referral(CARITAS, JOBCENTER, "p-1", consent)).await), Reason::TemplateRevoked);
}
