// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Room on the disk gets short: what can wait is refused, what stops, finishes or takes away goes on, and nobody starts anything anew afterwards. The
//! disk is what the test says; `disk` fills a real one.

use std::sync::atomic::Ordering::Relaxed;

use weiche::exchange::{Actor, Refusal, RoomNow};
use weiche::id::RequestId;
use weiche::referral::ReferralState;

use super::desk::*;

#[tokio::test]
async fn when_room_is_short_what_can_wait_is_refused_and_everything_else_goes_on() {
    let mut desk = Desk::open().await;
    let consents = [desk.usual_consent(CARITAS, JOBCENTER, "p-0").await, desk.usual_consent(CARITAS, JOBCENTER, "p-1").await];
    let case = |person: usize| referral(CARITAS, JOBCENTER, &format!("p-{person}"), consents[person]);
    let request = RequestId::random();
    let first = desk.submit_as(request, &case(0)).await.unwrap();
    let arrives = first.referral.unwrap();
    let blocked = desk.accepted(&case(1)).await;
    // What was blocked, and could be repaired.
    let closed = BREMEN.lines().filter(|line| !line.starts_with("JOB_SEARCH")).collect::<Vec<_>>().join("\n");
    desk.adopt(&closed).await;
    assert!(desk.release(JOBCENTER).await.is_empty());
    desk.adopt(BREMEN).await;
    desk.resubmit(CARITAS, arrives, None).await.unwrap();
    let item = desk.release_one(JOBCENTER).await;
    let waits = desk.accepted(&case(0)).await;

    desk.free.store(RESERVE - 1, Relaxed);
    let before = desk.log().await.len();
    assert_eq!(desk.submit(&case(0)).await.unwrap_err(), Refusal::Full);
    assert_eq!(desk.resubmit(CARITAS, blocked, None).await.unwrap_err(), Refusal::Full);
    assert_eq!(desk.consent(CARITAS, "p-2").to(JOBCENTER, usual()).try_record().await.unwrap_err(), Refusal::Full);
    assert_eq!(desk.log().await.len(), before, "a refusal costs no room");
    assert_eq!(desk.on().room(), Some(RoomNow { free: RESERVE - 1, reserve: RESERVE, short: true }));
    // Whoever asks again for what was accepted is told so.
    assert_eq!(desk.submit_as(request, &case(0)).await.unwrap().receipt, first.receipt);

    let narrower = desk.consent(CARITAS, "p-0").to(JOBCENTER, usual()).with(|consent| consent.supersedes = Some(consents[0]));
    narrower.record().await;
    desk.acknowledge(&item).await;
    desk.answer(JOBCENTER, arrives, ReferralState::Accepted, None).await.unwrap();
    desk.cancel(CARITAS, waits).await.unwrap();
    desk.withdraw(CARITAS, consents[1]).await;
    assert_eq!(desk.state(CARITAS, blocked).await.0, ReferralState::Recalled);
    assert!(desk.deliver_all(CARITAS).await.len() >= 3, "the sender is told of what was blocked, answered and recalled");
    let caritas = who(CARITAS);
    desk.on().erase_person(&Actor { institution: &caritas, operator: None }, RequestId::random(), "p-1").await.unwrap();

    desk.free.store(RESERVE + RESERVE / 10 - 1, Relaxed);
    assert_eq!(desk.submit(&case(0)).await.unwrap_err(), Refusal::Full, "not with every byte that comes back");
    desk.free.store(RESERVE + RESERVE / 10, Relaxed);
    desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    super::replay::check(&desk).await;
    desk.verify_log().await;
}
