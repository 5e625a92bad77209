// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! When more comes than can be done: whoever cannot be served is told so at once, and a withdrawal does not stand in the queue. The writer is held
//! up meanwhile by a lock on its file; on a server it is not.

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sqlx::{ConnectOptions as _, SqliteConnection};
use weiche::exchange::Refusal;
use weiche::id::ReferralId;

use super::desk::*;

/// Holds the writer up until the connection is dropped; none on a server.
async fn held_up(desk: &Desk) -> Option<SqliteConnection> {
    let mut beside = sqlx::sqlite::SqliteConnectOptions::new().filename(desk.place.file()?).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut beside).await.unwrap();
    Some(beside)
}

#[tokio::test]
async fn what_has_no_place_in_the_queue_is_refused_at_once_and_nothing_of_the_rest_is_lost() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let Some(lock) = held_up(&desk).await else { return };
    let mut calls = pin!(join_all((0..5000).map(|_| desk.cancel(CARITAS, ReferralId::random()))));
    assert!(calls.as_mut().now_or_never().is_none());
    let mut withdrawal = pin!(desk.withdraw(CARITAS, consent));
    assert!(withdrawal.as_mut().now_or_never().is_none(), "the writer is held up");
    drop(lock);
    let (answers, withdrawn) = tokio::join!(calls, withdrawal);
    let refused = answers.iter().filter(|answer| matches!(answer, Err(Refusal::Overloaded(_)))).count();
    let served = answers.iter().filter(|answer| matches!(answer, Err(Refusal::NotFound))).count();
    assert_eq!(served + refused, 5000);
    assert!((2048..=2048 + 256).contains(&served), "{served} had a place");
    assert_eq!(withdrawn.stopped, [id]);
}

#[tokio::test]
async fn a_withdrawal_overtakes_a_thousand_consents() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let before = desk.log().await.len();
    let Some(lock) = held_up(&desk).await else { return };
    let records = (0..1000).map(|n| desk.consent(CARITAS, &format!("p-{n}")).to(JOBCENTER, usual()).record()).collect::<Vec<_>>();
    let mut many = pin!(join_all(records));
    assert!(many.as_mut().now_or_never().is_none());
    let mut withdrawal = pin!(desk.withdraw(CARITAS, consent));
    assert!(withdrawal.as_mut().now_or_never().is_none(), "the writer is held up");
    drop(lock);
    let (_, withdrawn) = tokio::join!(many, withdrawal);
    assert_eq!(withdrawn.version, 2);
    let place = desk.log().await.iter().position(|entry| entry.kind() == weiche::proto::audit::EntryKind::ConsentWithdrawn).unwrap();
    // The writer had its first batch in its hands already.
    assert!(place - before <= 256, "{place} of {}", before + 1001);
}
