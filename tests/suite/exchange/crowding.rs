// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! When more comes than can be done: whoever cannot be served is told so at once, and a withdrawal does not stand in the queue.

use futures_util::future::join_all;
use weiche::exchange::Refusal;

use super::desk::*;

#[tokio::test]
async fn what_has_no_place_in_the_queue_is_refused_at_once_and_nothing_of_the_rest_is_lost() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let jobcenter = who(JOBCENTER);
    // All of them call before the writer has its first turn.
    let calls = join_all((0..5000).map(|_| desk.on().release(&jobcenter, 1, LEASE)));
    let (answers, withdrawn) = tokio::join!(calls, desk.withdraw(CARITAS, consent));
    let refused = answers.iter().filter(|answer| matches!(answer, Err(Refusal::Overloaded(_)))).count();
    let served = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(served + refused, 5000);
    assert!((1..=2048 + 256).contains(&served), "{served} had a place");
    let started: Vec<_> = answers.into_iter().flatten().flatten().collect();
    assert_eq!((withdrawn.stopped, started.len()), (vec![id], 0), "the withdrawal came last and was first");
}

#[tokio::test]
async fn a_withdrawal_overtakes_a_thousand_consents() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let before = desk.log().await.len();
    let many = join_all((0..1000).map(|n| desk.consent(CARITAS, &format!("p-{n}")).to(JOBCENTER, usual()).record()).collect::<Vec<_>>());
    let (_, withdrawn) = tokio::join!(many, desk.withdraw(CARITAS, consent));
    assert_eq!(withdrawn.version, 2);
    let place = desk.log().await.iter().position(|entry| entry.kind() == weiche::proto::audit::EntryKind::ConsentWithdrawn).unwrap();
    // The writer may have been at its first batch already.
    assert!(place - before <= 256, "{place} of {}", before + 1001);
}
