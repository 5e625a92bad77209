// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Withdrawal, cancellation, expiry: what waits stops, what is or may be at the recipient is called back, what has ended is never sent again.

use weiche::consent::Scope;
use weiche::dialect::Category;
use weiche::exchange::{Outcome, Refusal};
use weiche::id::{ReferralId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;

const GONE: (ReferralState, Option<StatusReason>) = (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn));

async fn submitted(desk: &Desk, subject: &str) -> (weiche::id::ConsentId, ReferralId) {
    let consent = desk.usual_consent(CARITAS, JOBCENTER, subject).await;
    (consent, desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await)
}

/// The recalls that are due for a recipient, by referral; anything else is an error.
async fn recalls(desk: &Desk, recipient: &str) -> Vec<(String, Vec<i32>, i32)> {
    let items = desk.deliver_all(recipient).await;
    items.iter().map(|item| item.recall()).map(|notice| (notice.referral_id.clone(), notice.categories.clone(), notice.reason)).collect()
}

async fn told_to(desk: &Desk, sender: &str) -> Vec<(ReferralState, Option<StatusReason>)> {
    desk.deliver_all(sender).await.iter().map(|item| told(item.status())).collect()
}

#[tokio::test]
async fn what_waits_when_consent_is_withdrawn_is_never_sent() {
    let mut desk = Desk::open().await;
    let (consent, id) = submitted(&desk, "p-1").await;
    let done = desk.withdraw(CARITAS, consent).await;
    assert_eq!((done.stopped.as_slice(), done.in_flight.len(), done.recalled.len()), ([id].as_slice(), 0, 0));
    assert_eq!(desk.state(CARITAS, id).await, GONE);
    assert!(!desk.on().queues().await.unwrap().contains_key("jobcenter-bremen"), "it stopped with the withdrawal, not at its turn");
    assert_eq!(told_to(&desk, CARITAS).await, [GONE]);
    for _ in 0..3 {
        assert!(desk.deliver_all(JOBCENTER).await.is_empty(), "not even a recall: it was never there");
        desk.pass(DAY);
        desk.reopen().await;
    }
    assert!(matches!(desk.on().referral(&who(JOBCENTER), &id.to_string()).await, Err(Refusal::NotFound)), "its recipient never learns of it");
}

#[tokio::test]
async fn what_is_under_way_is_called_back_and_not_sent_again() {
    for how in ["acknowledged", "failed", "lease ran out", "never begun"] {
        let desk = Desk::open().await;
        let (consent, id) = submitted(&desk, "p-1").await;
        let item = desk.release_one(JOBCENTER).await;
        let done = desk.withdraw(CARITAS, consent).await;
        assert_eq!((done.stopped.len(), done.in_flight.as_slice(), done.recalled.len()), (0, [id].as_slice(), 0));
        match how {
            "acknowledged" => desk.acknowledge(&item).await,
            "failed" => desk.settle(&item, unavailable()).await.unwrap(),
            "never begun" => desk.settle(&item, Outcome::Returned).await.unwrap(),
            _ => desk.pass(LEASE),
        }
        assert_eq!(desk.state(CARITAS, id).await, GONE, "{how}");
        assert_eq!(recalls(&desk, JOBCENTER).await, [(id.to_string(), Vec::new(), StatusReason::ConsentWithdrawn.number())], "{how}");
        assert_eq!(told_to(&desk, CARITAS).await, [GONE], "{how}");
        desk.pass(DAY);
        assert!(desk.release(JOBCENTER).await.is_empty(), "{how}");
    }
}

#[tokio::test]
async fn what_failed_before_may_have_arrived_all_the_same() {
    let desk = Desk::open().await;
    let (consent, id) = submitted(&desk, "p-1").await;
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, unavailable()).await.unwrap();
    let done = desk.withdraw(CARITAS, consent).await;
    assert_eq!((done.stopped.len(), done.in_flight.as_slice()), (0, [id].as_slice()), "nobody can say that it is not there");
    assert_eq!(recalls(&desk, JOBCENTER).await.len(), 1);
    // Put back unsent, it has not.
    let (consent, _) = submitted(&desk, "p-2").await;
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, Outcome::Returned).await.unwrap();
    desk.withdraw(CARITAS, consent).await;
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn what_was_delivered_is_called_back_in_every_state() {
    use ReferralState::*;
    let desk = Desk::open().await;
    for (course, stays) in [
        (vec![], false),
        (vec![Accepted], false),
        (vec![Accepted, InProgress], false),
        (vec![Accepted, OnHold], false),
        (vec![Rejected], true),
        (vec![Accepted, Completed], true),
        (vec![Accepted, Failed], true),
    ] {
        let (consent, id) = submitted(&desk, &format!("p-{course:?}")).await;
        desk.deliver_all(JOBCENTER).await;
        for state in &course {
            desk.answer(JOBCENTER, id, *state, Some(StatusReason::Waitlist)).await.unwrap();
        }
        told_to(&desk, CARITAS).await;
        let done = desk.withdraw(CARITAS, consent).await;
        assert_eq!((done.stopped.len(), done.in_flight.len(), done.recalled.as_slice()), (0, 0, [id].as_slice()), "{course:?}");
        assert_eq!(recalls(&desk, JOBCENTER).await, [(id.to_string(), Vec::new(), StatusReason::ConsentWithdrawn.number())], "{course:?}");
        assert_eq!(desk.state(CARITAS, id).await.0, if stays { *course.last().unwrap() } else { Recalled });
        // Withdrawn again: everything has been said.
        let again = desk.withdraw(JOBCENTER, consent).await;
        assert_eq!((again.version, again.recalled.len()), (done.version, 0));
        assert!(desk.deliver_all(JOBCENTER).await.is_empty());
    }
}

#[tokio::test]
async fn a_partial_withdrawal_reaches_what_it_names_and_nothing_else() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).to(AGENTUR, usual()).record().await;
    let at_jobcenter = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let at_agentur = desk.accepted(&referral(CARITAS, AGENTUR, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.deliver_all(AGENTUR).await;

    let topics = Scope { categories: Category::Topics.mask(), recipient: Some(who(JOBCENTER)), ..Scope::default() };
    let done = desk.withdraw_as(CARITAS, consent, topics.clone()).await.unwrap();
    assert_eq!(done.recalled, [at_jobcenter]);
    let number = i32::from(Category::Topics.number());
    assert_eq!(recalls(&desk, JOBCENTER).await, [(at_jobcenter.to_string(), vec![number], StatusReason::ConsentWithdrawn.number())]);
    assert_eq!(desk.state(CARITAS, at_jobcenter).await.0, ReferralState::Delivered, "the rest stays there");
    assert!(desk.withdraw_as(CARITAS, consent, topics).await.unwrap().recalled.is_empty(), "the same again reaches nothing more");

    let other_purpose = Scope { purpose: Some(weiche::agreement::Purpose::Recognition), ..Scope::default() };
    assert!(desk.withdraw_as(CARITAS, consent, other_purpose).await.unwrap().recalled.is_empty());

    let agentur = Scope { recipient: Some(who(AGENTUR)), ..Scope::default() };
    assert_eq!(desk.withdraw_as(AGENTUR, consent, agentur).await.unwrap().recalled, [at_agentur], "it may be said at the recipient's counter");
    assert_eq!(desk.state(CARITAS, at_agentur).await, GONE);
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
    let purpose = Scope { purpose: Some(weiche::agreement::Purpose::JobSearch), ..Scope::default() };
    assert_eq!(desk.withdraw_as(CARITAS, consent, purpose).await.unwrap().recalled, [at_jobcenter]);
    assert_eq!(desk.state(CARITAS, at_jobcenter).await, GONE);
}

#[tokio::test]
async fn whoever_is_no_party_withdraws_nothing_and_learns_nothing() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).to(AGENTUR, usual()).record().await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    assert_eq!(desk.withdraw_as(AWO, consent, Scope::default()).await.unwrap_err(), Refusal::NotFound);
    let done = desk.withdraw(AGENTUR, consent).await;
    assert!(done.stopped.is_empty(), "a referral to somebody else");
    assert!(desk.release(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn a_recall_is_answered_once_and_for_good_reason() {
    let desk = Desk::open().await;
    let (consent, id) = submitted(&desk, "p-1").await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    let item = desk.release_one(JOBCENTER).await;
    let notice = item.recall().clone();
    assert_eq!(notice.referral_id, id.to_string());
    let due = notice.answer_due_at.unwrap().seconds - notice.effective_at.unwrap().seconds;
    assert_eq!(due.unsigned_abs(), 14 * DAY.as_secs());
    desk.acknowledge(&item).await;

    let mut answer = RecallAnswer { recall_id: notice.recall_id.clone(), outcome: RecallOutcome::RetainedStatutory.number(), norm: " ".into() };
    let send = |by: &'static str, answer: RecallAnswer| {
        let desk = &desk;
        async move { desk.on().answer_recall(&who(by), RequestId::random(), &answer, b"r").await }
    };
    assert!(matches!(send(JOBCENTER, answer.clone()).await, Err(Refusal::Field { .. })), "keeping needs a norm");
    answer.norm = "section 84(1) SGB X".into();
    assert_eq!(send(CARITAS, answer.clone()).await, Err(Refusal::NotFound), "somebody else's recall");
    told_to(&desk, CARITAS).await;
    send(JOBCENTER, answer.clone()).await.unwrap();
    let told_back = desk.deliver_all(CARITAS).await;
    let [outcome] = told_back.as_slice() else { panic!("{told_back:?}") };
    let status = outcome.status();
    assert_eq!((status.recall_outcome, status.recall_norm.as_str()), (answer.outcome, "section 84(1) SGB X"), "the sender can tell the person");
    assert_eq!((told(status), status.referral_id.clone()), (GONE, id.to_string()));
    for side in [CARITAS, JOBCENTER] {
        let (seen, _) = desk.on().referral(&who(side), &id.to_string()).await.unwrap();
        let recalls = desk.on().recalls(&seen).await.unwrap();
        let norms: Vec<_> = recalls.iter().map(|recall| recall.answer.as_ref().map(|answer| answer.norm.as_str())).collect();
        assert_eq!(norms, [Some("section 84(1) SGB X")], "{side}");
    }
    let log = desk.log().await;
    let answered = log.iter().rev().find(|entry| entry.recall_outcome != 0).unwrap();
    assert_eq!((answered.kind(), answered.recall_outcome), (EntryKind::RecallAnswered, RecallOutcome::RetainedStatutory.number()));
}

#[tokio::test]
async fn a_late_answer_after_a_recall_is_logged_and_not_forwarded() {
    let desk = Desk::open().await;
    let (consent, id) = submitted(&desk, "p-1").await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    told_to(&desk, CARITAS).await;
    let late = desk.answer(JOBCENTER, id, ReferralState::Rejected, Some(StatusReason::ClientDeclined)).await.unwrap();
    assert_eq!(late.state, ReferralState::Recalled);
    assert_eq!(desk.log().await.last().unwrap().state, ReferralState::Rejected.number());
    assert_eq!(desk.state(CARITAS, id).await, GONE);
    assert!(told_to(&desk, CARITAS).await.is_empty());
}

#[tokio::test]
async fn an_answer_that_overtakes_its_acknowledgement_stands_for_it() {
    for then in ["acknowledged", "lease ran out", "failed"] {
        let desk = Desk::open().await;
        let (consent, id) = submitted(&desk, "p-1").await;
        let item = desk.release_one(JOBCENTER).await;
        desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await.unwrap();
        match then {
            "acknowledged" => desk.acknowledge(&item).await,
            "failed" => assert_eq!(desk.settle(&item, unavailable()).await, Err(Refusal::StaleLease)),
            _ => desk.pass(LEASE),
        }
        assert!(desk.release(JOBCENTER).await.is_empty(), "{then}: it has it");
        let (_, course) = desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap();
        let states: Vec<_> = course.iter().map(|step| step.state).collect();
        assert_eq!(states, [ReferralState::Submitted, ReferralState::Delivered, ReferralState::Accepted], "{then}");
        desk.withdraw(CARITAS, consent).await;
        assert_eq!(recalls(&desk, JOBCENTER).await.len(), 1, "{then}");
    }
}

#[tokio::test]
async fn a_referral_taken_back_is_not_sent_and_if_it_may_be_there_called_back() {
    for (before, recalled) in
        [("waiting", false), ("under way", true), ("lease ran out", true), ("failed", true), ("delivered", true), ("dead", true)]
    {
        let desk = Desk::open().await;
        let (_, id) = submitted(&desk, "p-1").await;
        let item = if before == "waiting" { None } else { Some(desk.release_one(JOBCENTER).await) };
        match (before, &item) {
            ("failed", Some(item)) => desk.settle(item, unavailable()).await.unwrap(),
            ("dead", Some(item)) => desk.settle(item, invalid()).await.unwrap(),
            ("delivered", Some(item)) => desk.acknowledge(item).await,
            ("lease ran out", _) => desk.pass(LEASE),
            _ => {}
        }
        assert_eq!(desk.cancel(CARITAS, id).await.unwrap().state, ReferralState::Cancelled);
        desk.pass(DAY);
        let seen: Vec<_> = recalls(&desk, JOBCENTER).await.into_iter().map(|(id, _, reason)| (id, reason)).collect();
        let expected = if recalled { vec![(id.to_string(), StatusReason::Duplicate.number())] } else { Vec::new() };
        assert_eq!(seen, expected, "{before}");
        assert!(matches!(desk.cancel(CARITAS, id).await, Err(Refusal::Step(_))));
        for dead in desk.on().dead_letters(None, 10).await.unwrap() {
            assert!(matches!(desk.on().requeue("anna", RequestId::random(), dead.id).await, Err(Refusal::WrongState(_))), "{before}");
        }
    }
}

#[tokio::test]
async fn what_nobody_delivers_or_answers_ends_and_the_sender_is_told() {
    let desk = Desk::open().await;
    let (_, waiting) = submitted(&desk, "p-1").await;
    desk.pass(HOUR);
    let (_, delivered) = submitted(&desk, "p-2").await;
    let (_, accepted) = submitted(&desk, "p-3").await;
    let (_, young) = {
        let items = desk.on().release(&who(JOBCENTER), 3, LEASE).await.unwrap();
        for item in &items {
            let failed = item.referral().referral_id == waiting.to_string();
            desk.settle(item, if failed { invalid() } else { Outcome::Delivered }).await.unwrap();
        }
        desk.answer(JOBCENTER, accepted, ReferralState::Accepted, None).await.unwrap();
        told_to(&desk, CARITAS).await;
        desk.pass(14 * DAY);
        submitted(&desk, "p-4").await
    };
    assert_eq!(desk.on().expire(14 * DAY).await.unwrap(), 1, "older than fourteen days is only the first");
    assert_eq!(desk.state(CARITAS, waiting).await, (ReferralState::Expired, Some(StatusReason::NotDeliverable)));
    let dead = desk.on().dead_letters(None, 10).await.unwrap();
    assert!(
        matches!(desk.on().requeue("anna", RequestId::random(), dead[0].id).await, Err(Refusal::WrongState(_))),
        "what has ended is not put back"
    );
    desk.pass(HOUR);
    assert_eq!(desk.on().expire(14 * DAY).await.unwrap(), 1);
    assert_eq!(desk.state(CARITAS, delivered).await, (ReferralState::Expired, Some(StatusReason::NoAnswer)));
    assert_eq!(desk.state(CARITAS, accepted).await.0, ReferralState::Accepted);
    assert_eq!(desk.state(CARITAS, young).await.0, ReferralState::Submitted);
    let told = told_to(&desk, CARITAS).await;
    assert_eq!(told, [(ReferralState::Expired, Some(StatusReason::NotDeliverable)), (ReferralState::Expired, Some(StatusReason::NoAnswer))]);
    // One that is being sent right now ends first.
    desk.release_one(JOBCENTER).await;
    desk.pass(1 * MINUTE);
    assert_eq!(desk.on().expire(std::time::Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn what_has_ended_otherwise_is_called_back_all_the_same_where_it_may_be() {
    for how in ["not answered in time", "cancelled by the recipient", "taken back by the sender", "failed until the time was over", "never sent"] {
        let desk = Desk::open().await;
        let (consent, id) = submitted(&desk, "p-1").await;
        match how {
            "failed until the time was over" => desk.settle(&desk.release_one(JOBCENTER).await, unavailable()).await.unwrap(),
            "never sent" => {}
            _ => drop(desk.deliver_all(JOBCENTER).await),
        }
        match how {
            "cancelled by the recipient" => {
                desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await.unwrap();
                desk.cancel(JOBCENTER, id).await.unwrap();
            }
            "taken back by the sender" => drop(desk.cancel(CARITAS, id).await.unwrap()),
            _ => {
                desk.pass(DAY);
                assert_eq!(desk.on().expire(HOUR).await.unwrap(), 1, "{how}");
            }
        }
        let ended = desk.state(CARITAS, id).await;
        let asked_before = recalls(&desk, JOBCENTER).await.len();
        assert_eq!(asked_before, usize::from(how == "taken back by the sender"), "{how}");
        let done = desk.withdraw(CARITAS, consent).await;
        let expected = match how {
            "failed until the time was over" => (vec![], vec![id], vec![]),
            "never sent" => (vec![], vec![], vec![]),
            _ => (vec![], vec![], vec![id]),
        };
        assert_eq!((done.stopped, done.in_flight, done.recalled), expected, "{how}");
        let called_back = (id.to_string(), Vec::new(), StatusReason::ConsentWithdrawn.number());
        assert_eq!(recalls(&desk, JOBCENTER).await, if how == "never sent" { vec![] } else { vec![called_back] }, "{how}");
        assert_eq!(desk.state(CARITAS, id).await, ended, "{how}: it stays as it ended");
    }
}

#[tokio::test]
async fn an_attempt_whose_outcome_nobody_told_is_called_back_when_the_consent_ends() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(desk.now().plus(LEASE)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.release_one(JOBCENTER).await;
    desk.pass(LEASE);
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Blocked);
    assert_eq!(recalls(&desk, JOBCENTER).await, [(id.to_string(), Vec::new(), StatusReason::NotPermitted.number())]);
}
