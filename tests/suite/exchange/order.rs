// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The queue: in order for one person at one recipient, one at a time; leases, back-off, dead letters.

use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt as _;
use weiche::exchange::{Outcome, Refusal};
use weiche::id::RequestId;
use weiche::outbox::{Failure, MAX_ATTEMPTS};
use weiche::proto::audit::EntryKind;
use weiche::referral::ReferralState;

use super::desk::*;

#[tokio::test]
async fn one_person_at_one_recipient_is_one_lane() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for subject in ["p-1", "p-2"] {
        let consent = desk.usual_consent(CARITAS, JOBCENTER, subject).await;
        let mut lane = Vec::new();
        for _ in 0..4 {
            lane.push(desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await.to_string());
        }
        expected.push(lane);
    }
    for turn in 0..4 {
        let items = desk.release(JOBCENTER).await;
        assert_eq!(items.len(), 2, "one of each person at a time");
        assert!(desk.release(JOBCENTER).await.is_empty());
        for (item, lane) in items.iter().zip(&expected) {
            assert_eq!(item.referral().referral_id, lane[turn]);
            desk.acknowledge(item).await;
        }
    }
    assert!(desk.release(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn a_dead_letter_leaves_a_gap_that_the_log_shows_and_can_be_put_back() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let first = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let second = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, invalid()).await.unwrap();
    assert_eq!(desk.log().await.last().unwrap().kind(), EntryKind::Dead);
    assert_eq!(desk.deliver_all(JOBCENTER).await[0].referral().referral_id, second.to_string(), "the lane goes on");

    let dead = desk.on().dead_letters(None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].referral, dead[0].last_error.as_str(), dead[0].attempts), (1, first, "INVALID_ARGUMENT", 1));
    assert_eq!(desk.on().queues().await.unwrap()["jobcenter-bremen"].dead, 1);
    let request = RequestId::random();
    desk.on().requeue("anna", request, item.id).await.unwrap();
    desk.on().requeue("anna", request, item.id).await.unwrap();
    assert!(matches!(desk.on().requeue("anna", RequestId::random(), item.id).await, Err(Refusal::WrongState(_))));
    assert_eq!(desk.on().requeue("anna", RequestId::random(), weiche::id::DeliveryId::random()).await, Err(Refusal::NotFound));
    let again = desk.release_one(JOBCENTER).await;
    assert_eq!((again.id, again.attempt), (item.id, 1), "the same delivery, its attempts counted anew");
    desk.acknowledge(&again).await;
    assert_eq!(desk.state(CARITAS, first).await.0, ReferralState::Delivered);
}

#[tokio::test]
async fn what_is_put_back_goes_before_what_came_after_it() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let mut lane = Vec::new();
    for _ in 0..3 {
        lane.push(desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await.to_string());
    }
    let first = desk.release_one(JOBCENTER).await;
    desk.settle(&first, invalid()).await.unwrap();
    // What came after it has been due for longer by now.
    desk.pass(MINUTE);
    desk.on().requeue("anna", RequestId::random(), first.id).await.unwrap();
    let again = desk.release_one(JOBCENTER).await;
    assert!(again.is_referral(&lane[0]), "it goes first, and alone");
    desk.acknowledge(&again).await;
    let arrived: Vec<_> = desk.deliver_all(JOBCENTER).await.iter().map(|item| item.referral().referral_id).collect();
    assert_eq!(arrived, lane[1..]);
}

#[tokio::test]
async fn a_late_acknowledgement_and_the_next_release_at_the_same_moment() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    desk.pass(LEASE);
    // In one batch: it was due when the batch began, and is acknowledged before the release has its turn.
    let (settled, released) = tokio::join!(desk.settle(&item, Outcome::Delivered), desk.release(JOBCENTER));
    settled.unwrap();
    assert!(released.is_empty(), "sent again after its acknowledgement: {released:?}");
}

#[tokio::test]
async fn a_dead_letter_put_back_is_decided_again() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, invalid()).await.unwrap();
    desk.pass(HOUR);
    desk.on().requeue("anna", RequestId::random(), item.id).await.unwrap();
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Blocked);
    let recall = desk.release_one(JOBCENTER).await;
    assert_eq!(recall.recall().referral_id, id.to_string(), "the attempt before may have arrived");
}

#[tokio::test]
async fn a_lease_that_ended_counts_for_nothing() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let first = desk.release_one(JOBCENTER).await;
    assert_eq!(first.until, desk.now().plus(LEASE));
    desk.pass(LEASE - Duration::from_millis(1));
    assert!(desk.release(JOBCENTER).await.is_empty());
    desk.pass(Duration::from_millis(1));
    let second = desk.release_one(JOBCENTER).await;
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert_ne!(second.token, first.token);
    for outcome in [Outcome::Delivered, unavailable(), invalid(), Outcome::Returned] {
        assert_eq!(desk.settle(&first, outcome).await, Err(Refusal::StaleLease));
    }
    assert_eq!(desk.on().settle(Some(&who(AWO)), second.id, second.token, Outcome::Delivered).await, Err(Refusal::NotFound), "not its own");
    desk.on().settle(Some(&who(JOBCENTER)), second.id, second.token, Outcome::Delivered).await.unwrap();
    desk.acknowledge(&second).await;
    assert_eq!(desk.settle(&second, unavailable()).await, Err(Refusal::StaleLease), "what is delivered stays delivered");
}

#[tokio::test]
async fn pauses_are_kept_and_the_recipients_own_are_honoured() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    for (retry_after, random, pause) in [(None, 1.0, 500), (None, 1.0, 1000), (None, 0.5, 1000), (Some(Duration::from_secs(20)), 0.0, 20_000)] {
        let item = desk.release_one(JOBCENTER).await;
        let outcome = Outcome::Failed { failure: Failure::Transient { retry_after }, code: "UNAVAILABLE".into(), random };
        desk.settle(&item, outcome).await.unwrap();
        desk.pass(Duration::from_millis(pause - 1));
        assert!(desk.release(JOBCENTER).await.is_empty());
        desk.pass(Duration::from_millis(1));
    }
    let item = desk.release_one(JOBCENTER).await;
    assert_eq!(item.attempt, 5);
    // Put back unsent: no attempt, no pause.
    desk.settle(&item, Outcome::Returned).await.unwrap();
    assert_eq!(desk.release_one(JOBCENTER).await.attempt, 5);
}

#[tokio::test]
async fn attempts_end_some_day_however_they_fail() {
    let desk = Desk::open().await;
    for (subject, told) in [("p-1", true), ("p-2", false)] {
        let consent = desk.usual_consent(CARITAS, JOBCENTER, subject).await;
        desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await;
        for attempt in 1..=MAX_ATTEMPTS {
            let item = desk.release_one(JOBCENTER).await;
            assert_eq!(item.attempt, attempt);
            if told {
                desk.settle(&item, unavailable()).await.unwrap();
            } else {
                desk.pass(LEASE);
            }
        }
        assert!(desk.release(JOBCENTER).await.is_empty());
        let dead = desk.on().dead_letters(None, 10).await.unwrap();
        assert!(dead.iter().any(|dead| dead.attempts == MAX_ATTEMPTS));
    }
    assert_eq!(desk.on().queues().await.unwrap()["jobcenter-bremen"].dead, 2);
}

#[tokio::test]
async fn a_release_starts_no_more_than_asked_for_and_the_waiting_come_in_turn() {
    let desk = Desk::open().await;
    for person in 0..10 {
        let subject = format!("p-{person}");
        let consent = desk.usual_consent(CARITAS, JOBCENTER, &subject).await;
        desk.accepted(&referral(CARITAS, JOBCENTER, &subject, consent)).await;
    }
    let jobcenter = who(JOBCENTER);
    // In one batch.
    let (a, b, c) =
        tokio::join!(desk.on().release(&jobcenter, 2, LEASE), desk.on().release(&jobcenter, 5, LEASE), desk.on().release(&jobcenter, 0, LEASE));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.len() <= 2 && b.len() <= 5 && c.unwrap().is_empty(), "{} {}", a.len(), b.len());
    let rest = desk.on().release(&jobcenter, u32::MAX, LEASE).await.unwrap();
    let mut ids: Vec<_> = a.iter().chain(&b).chain(&rest).map(|item| item.id).collect();
    assert_eq!(ids.len(), 10);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10, "none twice");
}

#[tokio::test]
async fn a_content_that_does_not_open_is_given_up_and_the_others_go() {
    let mut desk = Desk::open().await;
    let mut ids = Vec::new();
    for subject in ["p-1", "p-2"] {
        let consent = desk.usual_consent(CARITAS, JOBCENTER, subject).await;
        ids.push(desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await);
    }
    desk.stop().await;
    const ERASE: &str = "DELETE FROM payload WHERE seq = (SELECT seq FROM delivery WHERE id = (SELECT delivery FROM referral WHERE id = $1))";
    assert_eq!(desk.write(ERASE, [ids[0].as_bytes().into()]).await, 1);
    desk.start().await.unwrap();
    let items = desk.deliver_all(JOBCENTER).await;
    assert_eq!(items.iter().map(|item| item.referral().referral_id.clone()).collect::<Vec<_>>(), [ids[1].to_string()]);
    assert_eq!(desk.on().dead_letters(None, 10).await.unwrap()[0].last_error, "CONTENT_UNREADABLE");
}

#[tokio::test]
async fn what_comes_for_whoever_waits_starts_in_the_very_batch_that_accepts_it_and_nothing_else_does() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let jobcenter = who(JOBCENTER);

    let (started, id) = tokio::join!(desk.next(JOBCENTER, 5, pending()), desk.accepted(&case));
    let item = &started[0];
    assert_eq!((item.referral().referral_id.clone(), item.attempt), (id.to_string(), 1));
    let log = desk.log().await;
    let at = usize::try_from(item.receipt.leaf).unwrap();
    assert_eq!((log[at - 1].kind(), log[at].kind()), (EntryKind::ReferralSubmitted, EntryKind::Released));
    let text = &item.receipt.text;
    assert!(text.contains(&format!("\n{}\n", log.len())), "its receipt is of the log with which it was accepted: {text}");

    // The one before is still out: the next of the lane waits for the bell.
    let later = async {
        let id = desk.accepted(&case).await;
        (id, desk.wake_was_rung(JOBCENTER).await)
    };
    let done = tokio::sync::Notify::new();
    let next = || desk.next(JOBCENTER, 5, done.notified());
    let (started, (second, rung)) = tokio::join!(next(), later.inspect(|_| done.notify_one()));
    assert!(started.is_empty() && rung);
    desk.acknowledge(item).await;
    assert!(desk.wake_was_rung(JOBCENTER).await, "what waited behind it can start");
    let item = desk.release_one(JOBCENTER).await;
    assert_eq!(item.referral().referral_id, second.to_string());
    desk.acknowledge(&item).await;
    assert!(!desk.wake_was_rung(JOBCENTER).await, "nothing waits");

    // Parked: nothing starts, however it comes.
    desk.on().park("anna", RequestId::random(), weiche::exchange::Parked::Recipient(jobcenter.clone()), Some(desk.now().plus(HOUR))).await.unwrap();
    let (started, _) = tokio::join!(next(), desk.accepted(&case).inspect(|_| done.notify_one()));
    assert!(started.is_empty());
    desk.pass(HOUR);
    desk.acknowledge(&desk.release_one(JOBCENTER).await).await;
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn whoever_asks_for_what_is_due_gets_it_and_otherwise_waits_for_what_comes() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let waited = desk.accepted(&case).await;
    let item = &desk.started(JOBCENTER, 5, true, pending()).await[0];
    assert_eq!(item.referral().referral_id, waited.to_string());
    desk.acknowledge(item).await;

    // Nothing is due: what is asked for is what comes.
    let (started, came) = tokio::join!(desk.started(JOBCENTER, 5, true, pending()), desk.accepted(&case));
    assert_eq!(started[0].referral().referral_id, came.to_string());
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn of_two_who_wait_each_gets_its_share_and_who_has_gone_gets_nothing() {
    let desk = Desk::open().await;
    let mut cases = Vec::new();
    for subject in ["p-1", "p-2", "p-3"] {
        let consent = desk.usual_consent(CARITAS, JOBCENTER, subject).await;
        cases.push(referral(CARITAS, JOBCENTER, subject, consent));
    }
    drop(Box::pin(desk.next(JOBCENTER, 5, pending())).as_mut().now_or_never());
    let next = |limit| desk.next(JOBCENTER, limit, pending());
    let all = futures_util::future::join_all(cases.iter().map(|case| desk.accepted(case)));
    let (one, other, _) = tokio::join!(next(1), next(2), all);
    assert!(one.len() == 1 && !other.is_empty());
    assert_eq!(one.len() + other.len() + desk.release(JOBCENTER).await.len(), 3, "each once");
    super::replay::check(&desk).await;
}
