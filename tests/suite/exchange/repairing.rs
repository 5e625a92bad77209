// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What was blocked at its release can be repaired by its sender: decided anew, with no more than the gateway holds, and only ahead of consent.

use weiche::consent::Reason;
use weiche::dialect::Category;
use weiche::exchange::Refusal;
use weiche::id::{ConsentId, ReferralId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;
use super::replay;

/// A referral whose consent ended before it left.
async fn blocked(desk: &Desk, subject: &str) -> ReferralId {
    let consent = desk.consent(CARITAS, subject).to(JOBCENTER, usual()).until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await;
    desk.pass(2 * HOUR);
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert_eq!(desk.state(CARITAS, id).await, (ReferralState::Blocked, Some(StatusReason::NotPermitted)));
    desk.deliver_all(CARITAS).await;
    id
}

#[tokio::test]
async fn what_was_blocked_goes_on_under_a_new_consent_as_the_same_referral() {
    let desk = Desk::open().await;
    let id = blocked(&desk, "p-1").await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let again = desk.now();
    let done = desk.resubmit(CARITAS, id, Some(consent)).await.unwrap();
    assert_eq!((done.referral, done.reason, done.granted), (Some(id), Reason::Ok, usual()));
    assert!(done.issued().text.starts_with("c2sp.org/tlog-proof@v1"));

    let item = desk.release_one(JOBCENTER).await;
    assert_eq!(item.referral().referral_id, id.to_string());
    assert_eq!(item.referral().subject.as_ref().unwrap().name.as_ref().unwrap().family, "Beispiel");
    desk.acknowledge(&item).await;
    let (seen, course) = desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap();
    assert_eq!((seen.referral.submitted_at, seen.referral.consent), (again, Some(consent)), "submitted when it was repaired, under the new consent");
    let states: Vec<_> = course.iter().map(|step| step.state).collect();
    assert_eq!(states, [ReferralState::Submitted, ReferralState::Blocked, ReferralState::Submitted, ReferralState::Delivered]);
    // A withdrawal finds it under the consent that it rests on now.
    assert_eq!(desk.withdraw(CARITAS, consent).await.recalled, [id]);
    replay::check(&desk).await;
    desk.verify_log().await;
}

#[tokio::test]
async fn an_agreement_that_permits_it_again_is_enough() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let without: Vec<&str> = BREMEN.lines().filter(|line| !line.starts_with("JOB_SEARCH")).collect();
    desk.adopt(&without.join("\n")).await;
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert!(matches!(desk.resubmit(CARITAS, id, None).await, Err(Refusal::Denied { denial, .. }) if denial.reason == Reason::NoRoute));
    desk.adopt(BREMEN).await;
    desk.resubmit(CARITAS, id, None).await.unwrap();
    assert_eq!(desk.release_one(JOBCENTER).await.referral().referral_id, id.to_string());
    replay::check(&desk).await;
}

#[tokio::test]
async fn a_repair_that_is_denied_is_logged_and_changes_nothing() {
    let desk = Desk::open().await;
    let id = blocked(&desk, "p-1").await;
    let elsewhere = desk.usual_consent(CARITAS, AGENTUR, "p-1").await;
    let somebody = desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    let cases = [
        (None, Reason::Expired),
        (Some(elsewhere), Reason::WrongRecipient),
        (Some(somebody), Reason::NoRecord),
        (Some(ConsentId::random()), Reason::NoRecord),
    ];
    for (consent, reason) in cases {
        match desk.resubmit(CARITAS, id, consent).await {
            Err(Refusal::Denied { denial, .. }) => assert_eq!(denial.reason, reason),
            other => panic!("{other:?}"),
        }
        let log = desk.log().await;
        let last = log.last().unwrap();
        assert_eq!((last.kind(), last.decision, last.state), (EntryKind::SubmissionDenied, reason.number(), ReferralState::Blocked.number()));
        assert_eq!(last.referral_id.as_ref(), id.as_bytes());
    }
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Blocked);
    desk.pass(DAY);
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
    replay::check(&desk).await;
}

#[tokio::test]
async fn only_its_sender_repairs_it_and_only_what_is_blocked() {
    let desk = Desk::open().await;
    let id = blocked(&desk, "p-1").await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    for other in [JOBCENTER, AWO] {
        assert_eq!(desk.resubmit(other, id, Some(consent)).await.unwrap_err(), Refusal::NotFound, "{other}");
    }
    assert_eq!(desk.resubmit(CARITAS, ReferralId::random(), None).await.unwrap_err(), Refusal::NotFound);
    desk.resubmit(CARITAS, id, Some(consent)).await.unwrap();
    assert!(matches!(desk.resubmit(CARITAS, id, Some(consent)).await, Err(Refusal::Step(_))), "it is on its way");
    desk.deliver_all(JOBCENTER).await;
    assert!(matches!(desk.resubmit(CARITAS, id, Some(consent)).await, Err(Refusal::Step(_))), "it is there");
    let withdrawn = blocked(&desk, "p-2").await;
    desk.cancel(CARITAS, withdrawn).await.unwrap();
    assert!(matches!(desk.resubmit(CARITAS, withdrawn, None).await, Err(Refusal::Step(_))), "it was taken back");
}

#[tokio::test]
async fn a_repaired_referral_carries_what_both_consents_cover_and_no_more() {
    let desk = Desk::open().await;
    let name_and_topic = mask(&[Category::Ident, Category::Topics]);
    let with_phone = mask(&[Category::Ident, Category::Contact]);
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, name_and_topic).until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.pass(2 * HOUR);
    assert!(desk.release(JOBCENTER).await.is_empty());
    let other = desk.consent(CARITAS, "p-1").to(JOBCENTER, with_phone).record().await;
    let done = desk.resubmit(CARITAS, id, Some(other)).await.unwrap();
    assert_eq!(done.granted, Category::Ident.mask());
    assert_eq!(done.withheld.iter().map(|(category, _)| *category).collect::<Vec<_>>(), [Category::Topics]);
    let item = desk.release_one(JOBCENTER).await;
    assert!(item.referral().needs.is_empty(), "no longer covered");
    assert!(item.referral().subject.as_ref().unwrap().contact_points.is_empty(), "it had stayed at the sender, and there it is still");
    replay::check(&desk).await;
}

#[tokio::test]
async fn a_repair_sent_twice_happens_once() {
    let mut desk = Desk::open().await;
    let id = blocked(&desk, "p-1").await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let request = RequestId::random();
    let first = desk.resubmit_as(request, CARITAS, id, Some(consent)).await.unwrap();
    desk.deliver_all(JOBCENTER).await;
    desk.reopen().await;
    let second = desk.resubmit_as(request, CARITAS, id, Some(consent)).await.unwrap();
    assert_eq!(first.issued(), second.issued());
    assert_eq!(desk.resubmit_as(request, CARITAS, id, None).await.unwrap_err(), Refusal::RequestIdReused);
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn what_may_have_arrived_is_called_back_before_it_comes_again() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let lost = desk.release_one(JOBCENTER).await;
    desk.pass(2 * HOUR);
    assert!(desk.release(JOBCENTER).await.is_empty());
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.resubmit(CARITAS, id, Some(consent)).await.unwrap();
    let items = desk.deliver_all(JOBCENTER).await;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].recall().referral_id, id.to_string());
    assert_eq!(items[1].referral().referral_id, id.to_string());
    assert_ne!(items[1].id, lost.id, "another delivery: a recipient that applies each once takes it");
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Delivered);
    replay::check(&desk).await;
}
