// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Callers that go away. Whenever they do, their call is carried out whole or not at all; said again under its id it has been carried out once.
//!
//! `WEICHE_LEAVES` sets how many calls the crowd makes; docs/PROMISES.md has the command.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use weiche::exchange::{Content, Parked};
use weiche::id::RequestId;
use weiche::proto::types::{RecallAnswer, RecallOutcome};
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;
use super::replay;

/// Polls so often and then lets go; the answer if it came before.
async fn left_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut polled) = (pin!(call), 0);
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

/// Leaves a call at each of its polls in turn, every time on something new, and makes it again.
async fn carried_out_once<S>(what: &str, desk: &Desk, prepare: impl AsyncFn() -> S, call: impl AsyncFn(&S, RequestId) -> String) {
    let mut logged = Vec::new();
    for polls in 0.. {
        assert!(polls < 200, "{what} does not end");
        let (on, request) = (prepare().await, RequestId::random());
        let before = desk.log().await.len();
        let left = left_after(polls, call(&on, request)).await;
        let again = call(&on, request).await;
        logged.push(desk.log().await.len() - before);
        if let Some(answer) = left {
            assert_eq!(answer, again, "{what}");
            break;
        }
    }
    assert!(logged.iter().all(|entries| entries == &logged[0]), "{what}, left at every poll, has logged {logged:?}");
}

#[tokio::test]
async fn a_call_left_at_any_poll_is_whole_or_nothing_and_said_again_happens_once() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let (caritas, jobcenter) = (who(CARITAS), who(JOBCENTER));
    let delivered = async || {
        let id = desk.accepted(&case).await;
        desk.deliver_all(JOBCENTER).await;
        id
    };

    carried_out_once(
        "submit",
        &desk,
        async || (),
        async |(), request| {
            let submitted = desk.submit_as(request, &case).await.unwrap();
            format!("{:?} {:?}", submitted.referral, submitted.issued().text)
        },
    )
    .await;
    desk.deliver_all(JOBCENTER).await;

    let usual = async || desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    carried_out_once("withdraw", &desk, usual, async |consent, request| {
        format!("{:?}", desk.on().withdraw_consent(&caritas, request, *consent, Default::default(), "phone".into(), b"w").await.unwrap())
    })
    .await;

    carried_out_once(
        "cancel",
        &desk,
        async || desk.accepted(&case).await.to_string(),
        async |id, request| format!("{:?}", desk.on().cancel(&caritas, request, id, Some(StatusReason::Other), false, b"c").await.unwrap()),
    )
    .await;

    carried_out_once("answer", &desk, delivered, async |id, request| {
        format!("{:?}", desk.on().answer(&jobcenter, request, change(*id, ReferralState::Accepted, None), b"a").await.unwrap())
    })
    .await;

    let recalled = async || {
        desk.cancel(CARITAS, delivered().await).await.unwrap();
        let items = desk.deliver_all(JOBCENTER).await;
        let recall = items.iter().find_map(|item| match &item.content {
            Content::Recall(notice) => Some(notice.recall_id.clone()),
            _ => None,
        });
        recall.unwrap()
    };
    carried_out_once("answer to a recall", &desk, recalled, async |recall, request| {
        let answer = RecallAnswer { recall_id: recall.clone(), outcome: RecallOutcome::Deleted.into(), ..RecallAnswer::default() };
        format!("{:?}", desk.on().answer_recall(&jobcenter, request, &answer, b"r").await.unwrap())
    })
    .await;

    let dead = async || {
        desk.deliver_all(JOBCENTER).await;
        desk.accepted(&case).await;
        desk.settle(&desk.release_one(JOBCENTER).await, invalid()).await.unwrap();
        desk.on().dead_letters(None, 1).await.unwrap()[0].id
    };
    carried_out_once("requeue", &desk, dead, async |id, request| format!("{:?}", desk.on().requeue("anna", request, *id).await.unwrap())).await;

    let soon = desk.now().plus(Duration::from_secs(1));
    carried_out_once(
        "park",
        &desk,
        async || (),
        async |(), request| format!("{:?}", desk.on().park("anna", request, Parked::Recipient(jobcenter.clone()), Some(soon)).await.unwrap()),
    )
    .await;

    desk.pass(DAY);
    desk.deliver_all(JOBCENTER).await;
    replay::check(&desk).await;
}

#[tokio::test]
async fn whoever_delivers_and_goes_away_at_any_poll_keeps_nothing_from_arriving() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let (case, jobcenter) = (referral(CARITAS, JOBCENTER, "p-1", consent), who(JOBCENTER));
    for polls in 0..200 {
        let id = desk.accepted(&case).await.to_string();
        let round = async {
            let started = desk.on().release_next(&jobcenter, (5, LEASE), true, pending()).await.unwrap();
            desk.on().unseal(started).await.unwrap()
        };
        let seen = left_after(polls, round).await;
        // Nobody settles what was started: its lease ends.
        desk.pass(LEASE);
        let arrived: Vec<_> = desk.deliver_all(JOBCENTER).await.iter().map(|item| item.referral().referral_id.clone()).collect();
        assert_eq!(arrived, [id], "left after {polls} polls");
        if seen.is_some() {
            assert!(polls > 1);
            replay::check(&desk).await;
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_leaves_at_random_and_comes_back_is_served_once_each() {
    let desk = Desk::open().await;
    let calls = std::env::var("WEICHE_LEAVES").map_or(300, |calls| calls.parse().unwrap());
    let mut consents = Vec::new();
    for person in 0..20 {
        consents.push(desk.usual_consent(CARITAS, JOBCENTER, &format!("p-{person}")).await);
    }
    let one = async |number: usize| {
        let person = number % consents.len();
        let (request, case) = (RequestId::random(), referral(CARITAS, JOBCENTER, &format!("p-{person}"), consents[person]));
        let mut left = 0;
        // At any moment, even when it has been carried out; then back, once more or twice.
        for _ in 0..rand::random_range(1..3) {
            left += usize::from(left_after(rand::random_range(0..8), desk.submit_as(request, &case)).await.is_none());
        }
        let (answer, again) = (desk.submit_as(request, &case).await.unwrap(), desk.submit_as(request, &case).await.unwrap());
        assert_eq!((answer.referral, answer.issued()), (again.referral, again.issued()));
        left
    };
    let left: Vec<usize> = futures_util::stream::iter(0..calls).map(one).buffer_unordered(48).collect().await;
    println!("{calls} calls, left {} times without an answer", left.iter().sum::<usize>());
    assert_eq!(usize::try_from(desk.count("referral").await), Ok(calls));
    assert_eq!(desk.deliver_all(JOBCENTER).await.len(), calls, "each once");
    desk.verify_log().await;
    replay::check(&desk).await;
}
