// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What an operator holds back waits, in its order, until it is let go; what needs somebody is named.

use std::time::Duration;

use weiche::exchange::{Outcome, Parked, Refusal};
use weiche::id::{DeliveryId, RequestId};
use weiche::outbox::{FOREVER, Failure};
use weiche::proto::audit::EntryKind;
use weiche::referral::ReferralState;

use super::desk::*;
use super::replay;

const JOBCENTER_ID: &str = "jobcenter-bremen";

async fn park(desk: &Desk, what: Parked) -> Result<(), Refusal> {
    desk.on().park("anna", RequestId::random(), what, Some(FOREVER)).await
}
async fn unpark(desk: &Desk, what: Parked) -> Result<(), Refusal> {
    desk.on().park("anna", RequestId::random(), what, None).await
}
async fn front(desk: &Desk, to: &str) -> DeliveryId {
    desk.on().front(&who(to), None, 10).await.unwrap()[0].id
}

#[tokio::test]
async fn a_parked_delivery_holds_up_its_lane_and_no_other_and_goes_in_its_order_afterwards() {
    let desk = Desk::open().await;
    let (one, two) = (desk.usual_consent(CARITAS, JOBCENTER, "p-1").await, desk.usual_consent(CARITAS, JOBCENTER, "p-2").await);
    let first = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", one)).await.to_string();
    let second = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", one)).await.to_string();
    let id = front(&desk, JOBCENTER).await;
    let other = desk.accepted(&referral(CARITAS, JOBCENTER, "p-2", two)).await.to_string();

    park(&desk, Parked::Delivery(id)).await.unwrap();
    let leaf = desk.log().await.pop().unwrap();
    assert_eq!((leaf.kind(), leaf.detail.as_str(), leaf.actor.as_str()), (EntryKind::OperatorAction, "park", "operator:anna"));
    assert_eq!(desk.release_one(JOBCENTER).await.referral().referral_id, other);
    desk.pass(HOUR);
    assert!(desk.release(JOBCENTER).await.iter().all(|item| item.referral().referral_id == other), "not even much later");

    let view = desk.on().delivery(id).await.unwrap();
    assert!(view.delivery.is_parked(desk.now()));
    assert_eq!((view.place.ahead, view.place.behind, view.place.front, view.referral), (0, 1, Some(id), Some(ReferralState::Submitted)));
    assert_eq!(desk.on().queues().await.unwrap()[JOBCENTER_ID].parked, 1);

    unpark(&desk, Parked::Delivery(id)).await.unwrap();
    assert!(matches!(unpark(&desk, Parked::Delivery(id)).await, Err(Refusal::WrongState(_))));
    let mut seen = Vec::new();
    for item in desk.deliver_all(JOBCENTER).await {
        seen.push(item.referral().referral_id.clone());
    }
    seen.retain(|id| *id != other);
    assert_eq!(seen, [first, second]);
    replay::check(&desk).await;
}

#[tokio::test]
async fn what_is_being_sent_is_not_parked_until_its_lease_has_ended_and_a_late_outcome_counts_for_nothing_then() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    assert!(matches!(park(&desk, Parked::Delivery(item.id)).await, Err(Refusal::WrongState(_))));
    desk.pass(LEASE * 2);
    park(&desk, Parked::Delivery(item.id)).await.unwrap();
    assert_eq!(desk.settle(&item, Outcome::Delivered).await, Err(Refusal::StaleLease));
    assert!(desk.release(JOBCENTER).await.is_empty());
    unpark(&desk, Parked::Delivery(item.id)).await.unwrap();
    let again = desk.release_one(JOBCENTER).await;
    assert_eq!((again.id, again.attempt), (item.id, 2));
    desk.acknowledge(&again).await;
    assert!(matches!(park(&desk, Parked::Delivery(item.id)).await, Err(Refusal::WrongState(_))));
    assert_eq!(park(&desk, Parked::Delivery(DeliveryId::random())).await, Err(Refusal::NotFound));
    replay::check(&desk).await;
}

#[tokio::test]
async fn a_parked_recipient_gets_nothing_old_or_new_until_it_is_let_go_or_the_time_has_come() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let all = || Parked::Recipient(who(JOBCENTER));
    let request = RequestId::random();
    let until = desk.now().plus(HOUR);
    for _ in 0..2 {
        desk.on().park("anna", request, all(), Some(until)).await.unwrap();
    }
    assert_eq!(desk.log().await.iter().filter(|leaf| leaf.detail == "park").count(), 1, "the same call again does nothing more");
    assert_eq!(desk.on().park("anna", request, all(), None).await, Err(Refusal::RequestIdReused));
    assert!(matches!(desk.on().park("anna", RequestId::random(), all(), Some(desk.now())).await, Err(Refusal::Field { .. })));
    assert_eq!(park(&desk, Parked::Recipient("nobody-nowhere".parse().unwrap())).await, Err(Refusal::NotFound));

    let other = desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-2", other)).await;
    assert!(desk.release(JOBCENTER).await.is_empty());
    let queue = desk.on().queues().await.unwrap()[JOBCENTER_ID];
    assert_eq!((queue.open, queue.parked_until), (2, Some(until)));
    assert!(!queue.is_quiet(desk.now().plus(HOUR), Duration::from_secs(1)), "whoever parks a recipient knows that it gets nothing");
    desk.reopen().await;
    assert!(desk.release(JOBCENTER).await.is_empty(), "not after a restart either");
    desk.pass(HOUR);
    assert_eq!(desk.deliver_all(JOBCENTER).await.len(), 2);

    park(&desk, all()).await.unwrap();
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let (parked, released) = tokio::join!(unpark(&desk, all()), desk.release(JOBCENTER));
    parked.unwrap();
    assert_eq!(released.len() + desk.release(JOBCENTER).await.len(), 1);
    replay::check(&desk).await;
}

#[tokio::test]
async fn a_recipient_that_takes_nothing_is_quiet_and_what_should_have_ended_is_named() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let first = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    let quarter = HOUR / 4;
    let queue = async || desk.on().queues().await.unwrap()[JOBCENTER_ID];
    assert_eq!(queue().await.last_success, Some(desk.now()));
    let second = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    assert_eq!(queue().await.oldest_lease, Some(desk.now()));
    assert!(!queue().await.is_quiet(desk.now(), quarter));
    let failure = Outcome::Failed { failure: Failure::Transient { retry_after: Some(HOUR) }, code: "UNAVAILABLE".into(), random: 0.0 };
    desk.settle(&item, failure).await.unwrap();
    desk.pass(quarter + Duration::from_secs(1));
    let now = queue().await;
    assert!(now.is_quiet(desk.now(), quarter));
    assert_eq!((now.open, now.failing, now.started), (1, 1, 0));

    let overdue = desk.on().overdue(desk.now()).await.unwrap();
    assert_eq!(overdue.referrals.iter().map(|one| one.id).collect::<Vec<_>>(), [first, second], "delivered and unanswered, and undelivered");
    desk.cancel(CARITAS, first).await.unwrap();
    assert!(desk.on().overdue(desk.now()).await.unwrap().recalls.is_empty());
    desk.pass(14 * DAY + HOUR);
    let overdue = desk.on().overdue(desk.now()).await.unwrap();
    assert_eq!((overdue.recalls.len(), overdue.recalls_all, overdue.recalls[0].referral), (1, 1, first));
}

#[tokio::test]
async fn who_ended_a_gateway_is_in_the_log_and_the_same_call_ends_no_later_one() {
    let mut desk = Desk::open().await;
    let request = RequestId::random();
    assert!(desk.on().note_drain("anna", request).await.unwrap());
    assert_eq!(desk.log().await.last().unwrap().detail, "drain");
    desk.reopen().await;
    assert!(!desk.on().note_drain("anna", request).await.unwrap());
    replay::check(&desk).await;
}
