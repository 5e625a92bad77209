// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What comes back: that the case was taken, refused or has ended; more only if the person permitted it; and nothing that could cost money.

use std::collections::BTreeSet;

use weiche::dialect::{Category, Outcome};
use weiche::exchange::Refusal;
use weiche::proto::types::{Appointment, Attendance, StatusChange};
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;

async fn delivered(desk: &Desk, from: &str, to: &str, feedback: &[Category]) -> weiche::id::ReferralId {
    let consent = desk.consent(from, "p-1").to(to, usual()).with_feedback(mask(feedback));
    // Who speaks is released towards whom: the centre that answers, towards the Jobcenter.
    let consent = consent.with(|record| {
        if record.secrecy_release.is_none() {
            let towards = vec![who(from), who(to)];
            let functions = vec!["Beratungsfachkraft".into()];
            record.secrecy_release = Some(weiche::consent::SecrecyRelease { functions, professions: vec![6], towards });
        }
    });
    let consent = consent.record().await;
    let id = desk.accepted(&referral(from, to, "p-1", consent)).await;
    desk.deliver_all(to).await;
    id
}

#[tokio::test]
async fn a_jobcenter_never_learns_whom_a_centre_knows_nor_who_did_not_come() {
    let desk = Desk::open().await;
    for (sender, reason, told_reason) in [
        (JOBCENTER, StatusReason::ClientUnknown, StatusReason::Other),
        (JOBCENTER, StatusReason::ClientDeclined, StatusReason::Other),
        (JOBCENTER, StatusReason::NoCapacity, StatusReason::NoCapacity),
        (CARITAS, StatusReason::ClientUnknown, StatusReason::ClientUnknown),
    ] {
        let id = delivered(&desk, sender, AWO, &[]).await;
        desk.answer(AWO, id, ReferralState::Rejected, Some(reason)).await.unwrap();
        let items = desk.deliver_all(sender).await;
        assert_eq!(items.iter().map(|item| told(item.status())).collect::<Vec<_>>(), [(ReferralState::Rejected, Some(told_reason))]);
    }
    let id = delivered(&desk, JOBCENTER, AWO, &[]).await;
    desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    desk.answer(AWO, id, ReferralState::Failed, Some(StatusReason::ClientDidNotAppear)).await.unwrap();
    let items = desk.deliver_all(JOBCENTER).await;
    assert_eq!(told(items[1].status()), (ReferralState::Failed, Some(StatusReason::ClientNotReached)));
}

#[tokio::test]
async fn whoever_answers_is_told_what_of_it_the_sender_will_not_see() {
    let desk = Desk::open().await;
    let paths = |moved: &weiche::exchange::Moved| moved.report.fields.iter().map(|field| field.path.clone()).collect::<Vec<_>>();
    let id = delivered(&desk, JOBCENTER, AWO, &[]).await;
    let accepted = desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    assert_eq!(paths(&accepted), [""; 0], "all of it arrives");
    let begun = desk.answer(AWO, id, ReferralState::InProgress, None).await.unwrap();
    assert_eq!(paths(&begun), ["change.state"], "how the work goes is not told");
    let failed = desk.answer(AWO, id, ReferralState::Failed, Some(StatusReason::ClientDidNotAppear)).await.unwrap();
    assert_eq!(paths(&failed), ["change.reason"]);
    assert!(matches!(failed.report.fields[0].outcome, Outcome::Lossy(_)), "a more general one is told");

    // What the sender's own contract has no word for does not arrive either.
    let id = delivered(&desk, JOBCENTER, AWO, &[Category::Outcome]).await;
    let long = StatusChange { outcome: "Beratung ".repeat(200), ..change(id, ReferralState::Accepted, None) };
    let moved = desk.answer_with(AWO, long).await.unwrap();
    assert_eq!(paths(&moved), ["change.outcome"], "{:?}", moved.report);
}

#[tokio::test]
async fn data_come_back_only_with_the_persons_consent_to_that() {
    let desk = Desk::open().await;
    for (sender, consented, outcome, attendance) in [
        (JOBCENTER, vec![], false, false),
        (JOBCENTER, vec![Category::Outcome], true, false),
        // The agreement has no attendance for a Jobcenter, whatever the person ticked.
        (JOBCENTER, vec![Category::Outcome, Category::Attendance], true, false),
        (CARITAS, vec![Category::Attendance], false, true),
        (CARITAS, vec![Category::Outcome, Category::Attendance], true, true),
    ] {
        let id = delivered(&desk, sender, AWO, &consented).await;
        let mut change = change(id, ReferralState::Accepted, None);
        change.outcome = "Beratung begonnen".into();
        change.attendance = Attendance::Absent.into();
        change.appointment = Some(Appointment { place: "Raum 7".into(), ..Default::default() });
        let moved = desk.answer_with(AWO, change).await.unwrap();
        let kept: BTreeSet<&str> = moved.report.withheld().map(|(path, _)| path).collect();
        let all = [(outcome, "change.outcome"), (attendance, "change.attendance"), (false, "change.appointment")];
        let stays = all.iter().filter(|(goes, _)| !goes).map(|(_, path)| *path).collect();
        assert_eq!(kept, stays, "whoever answers is told what stays behind: {sender} {consented:?}");
        let items = desk.deliver_all(sender).await;
        let status = items[0].status();
        assert_eq!((!status.outcome.is_empty(), status.attendance != 0), (outcome, attendance), "{sender} {consented:?}");
        assert!(status.appointment.is_none());
        assert_eq!(told(status).0, ReferralState::Accepted);
    }
}

#[tokio::test]
async fn what_was_permitted_when_it_was_said_stays_behind_if_it_no_longer_is_when_it_leaves() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(AWO, usual()).with_feedback(mask(&[Category::Outcome])).record().await;
    let id = desk.accepted(&referral(CARITAS, AWO, "p-1", consent)).await;
    desk.deliver_all(AWO).await;
    let mut change = change(id, ReferralState::Accepted, None);
    change.outcome = "Beratung begonnen".into();
    desk.answer_with(AWO, change).await.unwrap();
    let scope = weiche::consent::Scope { categories: mask(&[Category::Outcome]), ..Default::default() };
    desk.withdraw_as(CARITAS, consent, scope).await.unwrap();
    let items = desk.deliver_all(CARITAS).await;
    let accepted = items.iter().map(|item| item.status()).find(|status| told(status).0 == ReferralState::Accepted).unwrap();
    assert!(accepted.outcome.is_empty());
}

#[tokio::test]
async fn the_course_of_the_counselling_stays_at_the_centre_and_steps_are_checked() {
    let desk = Desk::open().await;
    let id = delivered(&desk, JOBCENTER, AWO, &[]).await;
    assert!(matches!(desk.answer(AWO, id, ReferralState::Completed, None).await, Err(Refusal::Step(_))), "not before it was accepted");
    assert!(matches!(desk.answer(AWO, id, ReferralState::Rejected, None).await, Err(Refusal::Step(_))), "not without a reason");
    for state in [ReferralState::Accepted, ReferralState::InProgress, ReferralState::OnHold, ReferralState::InProgress, ReferralState::Completed] {
        let reason = (state == ReferralState::OnHold).then_some(StatusReason::Waitlist);
        desk.answer(AWO, id, state, reason).await.unwrap();
    }
    let items = desk.deliver_all(JOBCENTER).await;
    let states: Vec<_> = items.iter().map(|item| told(item.status()).0).collect();
    assert_eq!(states, [ReferralState::Accepted, ReferralState::Completed]);
    assert!(matches!(desk.answer(AWO, id, ReferralState::InProgress, None).await, Err(Refusal::Step(_))), "what has ended has ended");
}

#[tokio::test]
async fn a_sender_that_asks_sees_no_more_than_it_is_told() {
    let desk = Desk::open().await;
    let id = delivered(&desk, JOBCENTER, AWO, &[]).await;
    desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    desk.answer(AWO, id, ReferralState::OnHold, Some(StatusReason::ClientNotReached)).await.unwrap();
    let accepted = (ReferralState::Accepted, None);
    let jobcenter = who(JOBCENTER);
    let listed = |state| {
        let (desk, jobcenter) = (&desk, &jobcenter);
        async move { desk.on().referrals(jobcenter, Some(state), None, 10).await.unwrap().len() }
    };
    assert_eq!(desk.state(JOBCENTER, id).await, accepted);
    assert_eq!((listed(ReferralState::OnHold).await, listed(ReferralState::Accepted).await), (0, 1), "not even by looking for it");
    assert!(desk.on().changes(&jobcenter, 0, 10).await.unwrap().iter().all(|change| change.quiet));
    assert_eq!(
        desk.on().referral(&who(AWO), &id.to_string()).await.unwrap().0.referral.state,
        ReferralState::OnHold,
        "its recipient sees what it did"
    );
    desk.answer(AWO, id, ReferralState::Failed, Some(StatusReason::ClientDidNotAppear)).await.unwrap();
    assert_eq!(desk.state(JOBCENTER, id).await, (ReferralState::Failed, Some(StatusReason::ClientNotReached)));
    let (_, course) = desk.on().referral(&jobcenter, &id.to_string()).await.unwrap();
    let course: Vec<_> = course.iter().map(|step| (step.state, step.reason)).collect();
    use ReferralState::*;
    assert_eq!(course, [(Submitted, None), (Delivered, None), accepted, (Failed, Some(StatusReason::ClientNotReached))]);
}

#[tokio::test]
async fn a_step_that_was_told_only_for_what_came_with_it_is_not_told_when_that_may_no_longer_come() {
    let desk = Desk::open().await;
    let id = delivered(&desk, CARITAS, AWO, &[Category::Outcome]).await;
    desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    let mut step = change(id, ReferralState::InProgress, None);
    step.outcome = "Beratung begonnen".into();
    desk.answer_with(AWO, step).await.unwrap();
    let (seen, _) = desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap();
    let scope = weiche::consent::Scope { purpose: Some(weiche::agreement::Purpose::StatusFeedback), ..Default::default() };
    desk.withdraw_as(CARITAS, seen.referral.consent.unwrap(), scope).await.unwrap();
    let items = desk.deliver_all(CARITAS).await;
    let states: Vec<_> = items.iter().map(|item| told(item.status()).0).collect();
    assert_eq!(states, [ReferralState::Accepted]);
    desk.answer(AWO, id, ReferralState::Completed, None).await.unwrap();
    assert_eq!(desk.deliver_all(CARITAS).await.len(), 1, "what comes after it is not held up");
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn of_somebody_who_withdrew_nothing_more_is_told_than_that() {
    let desk = Desk::open().await;
    let id = delivered(&desk, CARITAS, AWO, &[]).await;
    desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    let (seen, _) = desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap();
    desk.withdraw(CARITAS, seen.referral.consent.unwrap()).await;
    let items = desk.deliver_all(CARITAS).await;
    let states: Vec<_> = items.iter().map(|item| told(item.status()).0).collect();
    assert_eq!(states, [ReferralState::Recalled], "the acceptance was still waiting");
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn a_status_that_was_put_back_tells_that_it_is_older_than_what_came_before_it() {
    let desk = Desk::open().await;
    let id = delivered(&desk, CARITAS, AWO, &[]).await;
    desk.answer(AWO, id, ReferralState::Accepted, None).await.unwrap();
    let item = desk.release_one(CARITAS).await;
    desk.settle(&item, invalid()).await.unwrap();
    desk.answer(AWO, id, ReferralState::Completed, None).await.unwrap();
    let newer = desk.release_one(CARITAS).await;
    desk.acknowledge(&newer).await;
    desk.on().requeue("anna", weiche::id::RequestId::random(), item.id).await.unwrap();
    let older = desk.release_one(CARITAS).await;
    assert_eq!((told(newer.status()).0, told(older.status()).0), (ReferralState::Completed, ReferralState::Accepted));
    assert!(older.status().version < newer.status().version);
}

#[tokio::test]
async fn a_recipient_does_not_answer_a_recall_in_passing() {
    let desk = Desk::open().await;
    let id = delivered(&desk, CARITAS, AWO, &[]).await;
    let mut accepted = change(id, ReferralState::Accepted, None);
    (accepted.recall_outcome, accepted.recall_norm, accepted.version) = (1, "section 67c SGB X".into(), 99);
    desk.answer_with(AWO, accepted).await.unwrap();
    let status = desk.release_one(CARITAS).await.status().clone();
    assert_eq!((status.recall_outcome, status.recall_norm.as_str(), status.version), (0, "", 3));
}
