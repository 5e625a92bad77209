// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A stream between an institution that behaves as told and a desk that hands out numbers. The gateway's clock is moved; only
//! the stream's own look once a second is waited for.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::books::{HAND_OVER, Parcel};
use super::stream::{Acknowledged, Desk, LOOK, Outbound, Said, open};
use crate::clock::Time;
use crate::exchange::{Outcome, Refusal as Refused};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::id::DeliveryId;
use crate::outbox::LeaseToken;

const LEASE: Duration = Duration::from_secs(60);
/// In which what is not to happen would have happened.
const A_WHILE: Duration = Duration::from_millis(30);
/// Longer than anything here takes, even on a busy machine.
const AGES: Duration = Duration::from_secs(60);

/// Numbers as deliveries; what was settled how.
struct Numbers {
    due: Mutex<VecDeque<u8>>,
    /// Limits of the releases that were asked for.
    asked: Mutex<Vec<u32>>,
    releasing: AtomicUsize,
    releases: Semaphore,
    settling: AtomicUsize,
    settlements: Semaphore,
    settled: Mutex<Vec<(u8, &'static str)>>,
    now: AtomicI64,
}

#[derive(Clone)]
struct Fake(Arc<Numbers>);

fn id(number: u8) -> DeliveryId {
    DeliveryId::from_slice(&[number; 16]).unwrap()
}

impl Desk for Fake {
    fn now(&self) -> Time {
        Time(self.0.now.load(SeqCst))
    }
    /// Nothing comes by itself: all are found by looking.
    async fn next(&self, limit: u32, due: bool, until: impl Future<Output = ()> + Send) -> Result<Vec<Parcel>, Refused> {
        if !due || self.0.due.lock().unwrap().is_empty() {
            until.await;
            return Ok(Vec::new());
        }
        self.0.asked.lock().unwrap().push(limit);
        assert_eq!(self.0.releasing.fetch_add(1, SeqCst), 0, "one release at a time");
        self.0.releases.acquire().await.unwrap().forget();
        self.0.releasing.fetch_sub(1, SeqCst);
        let mut due = self.0.due.lock().unwrap();
        let count = due.len().min(limit as usize);
        let parcel = |n| Parcel { id: id(n), token: [n; 16], until: self.now().plus(LEASE), native: Bytes::from(vec![n]) };
        Ok(due.drain(..count).map(parcel).collect())
    }
    async fn settle(&self, delivery: DeliveryId, token: LeaseToken, outcome: Outcome) -> Result<(), Refused> {
        assert_eq!(*delivery.as_bytes(), token);
        self.0.settling.fetch_add(1, SeqCst);
        self.0.settlements.acquire().await.unwrap().forget();
        self.0.settling.fetch_sub(1, SeqCst);
        let word = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Returned => "returned",
            Outcome::Untold => "untold",
            Outcome::Failed { code, .. } if code == "STREAM_ENDED" => "put back",
            Outcome::Failed { .. } => "failed",
        };
        self.0.settled.lock().unwrap().push((token[0], word));
        Ok(())
    }
}

/// The institution's side.
struct Institution {
    numbers: Arc<Numbers>,
    bell: Arc<Notify>,
    say: Option<mpsc::Sender<Result<Said, Refusal>>>,
    items: Option<Outbound<Fake>>,
}

const PLENTY: usize = 1 << 20;

impl Institution {
    fn new(due: impl IntoIterator<Item = u8>) -> Self {
        let numbers = Arc::new(Numbers {
            due: Mutex::new(due.into_iter().collect()),
            asked: Mutex::default(),
            releasing: AtomicUsize::new(0),
            releases: Semaphore::new(PLENTY),
            settling: AtomicUsize::new(0),
            settlements: Semaphore::new(PLENTY),
            settled: Mutex::default(),
            now: AtomicI64::new(1),
        });
        let (bell, (say, said)) = (Arc::new(Notify::new()), mpsc::channel(1024));
        let items = open(Fake(numbers.clone()), bell.clone(), Box::pin(ReceiverStream::new(said)));
        Self { numbers, bell, say: Some(say), items: Some(items) }
    }
    async fn credits(&self, credits: u32) {
        self.say(Ok(Said { credits, acknowledged: None })).await;
    }
    async fn acknowledge(&self, number: u8) {
        let acknowledged = Acknowledged { delivery: id(number), token: [number; 16], outcome: Outcome::Delivered };
        self.say(Ok(Said { credits: 0, acknowledged: Some(acknowledged) })).await;
    }
    async fn say(&self, said: Result<Said, Refusal>) {
        self.say.as_ref().unwrap().send(said).await.unwrap();
    }
    /// The next `count` items.
    async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < count {
            read.push(self.next().await.unwrap().unwrap()[0]);
        }
        read
    }
    /// Whether nothing comes for a while.
    async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(A_WHILE, self.items.as_mut().unwrap().next()).await.is_err()
    }
    /// The next item, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, Refusal>> {
        tokio::time::timeout(AGES, self.items.as_mut().unwrap().next()).await.expect("something comes")
    }
    async fn until(&self, what: &str, met: impl Fn(&Self) -> bool) {
        let met = async {
            while !met(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(AGES, met).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
    fn pass(&self, time: Duration) {
        self.numbers.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), SeqCst);
    }
    fn settled(&self) -> Vec<(u8, &'static str)> {
        let mut settled = self.numbers.settled.lock().unwrap().clone();
        settled.sort_unstable();
        settled
    }
    fn asked(&self) -> usize {
        self.numbers.asked.lock().unwrap().len()
    }
}

#[tokio::test]
async fn nothing_comes_before_the_first_word_and_never_more_than_credits() {
    let mut institution = Institution::new(0..100);
    assert!(institution.is_quiet().await);
    institution.credits(3).await;
    assert_eq!(institution.read(3).await, [0, 1, 2]);
    assert!(institution.is_quiet().await);
    institution.acknowledge(1).await;
    assert_eq!(institution.read(1).await, [3]);
    institution.credits(5).await;
    assert_eq!(institution.read(2).await, [4, 5]);
    assert!(institution.is_quiet().await);
    assert_eq!(institution.settled(), [(1, "delivered")]);
}

#[tokio::test]
async fn acknowledgements_are_settled_at_one_time_and_the_next_items_do_not_wait_for_them() {
    let mut institution = Institution::new(0..100);
    institution.numbers.settlements.forget_permits(PLENTY);
    institution.credits(16).await;
    assert_eq!(institution.read(16).await, (0..16).collect::<Vec<_>>());
    for number in 0..16 {
        institution.acknowledge(number).await;
    }
    assert_eq!(institution.read(16).await, (16..32).collect::<Vec<_>>());
    institution.until("all are under way", |i| i.numbers.settling.load(SeqCst) == 16).await;
    assert_eq!(institution.settled(), []);
    institution.numbers.settlements.add_permits(16);
    institution.until("all are settled", |i| i.settled().len() == 16).await;
}

#[tokio::test]
async fn many_acknowledgements_are_few_releases() {
    let mut institution = Institution::new(0..=255);
    institution.credits(64).await;
    institution.read(64).await;
    let before = institution.asked();
    // While a release is under way, acknowledgements come one by one.
    institution.numbers.releases.forget_permits(PLENTY);
    for number in 0..64 {
        institution.acknowledge(number).await;
        tokio::task::yield_now().await;
    }
    institution.until("all are settled", |i| i.settled().len() == 64).await;
    institution.numbers.releases.add_permits(PLENTY);
    institution.read(64).await;
    assert!(institution.asked() - before <= 3, "{:?}", institution.numbers.asked.lock().unwrap());
}

#[tokio::test]
async fn a_ring_is_heard_at_once_and_kept_while_there_is_no_room() {
    let mut institution = Institution::new([1]);
    institution.credits(1).await;
    assert_eq!(institution.read(1).await, [1]);
    institution.numbers.due.lock().unwrap().push_back(2);
    institution.bell.notify_one();
    let asked = institution.asked();
    assert!(institution.is_quiet().await);
    assert_eq!(institution.asked(), asked, "without room nothing is asked for");
    institution.acknowledge(1).await;
    assert_eq!(institution.read(1).await, [2]);
}

#[tokio::test]
async fn when_the_institution_finishes_what_it_said_is_settled_and_the_rest_goes_back_before_the_stream_ends() {
    let mut institution = Institution::new(0..100);
    institution.credits(4).await;
    assert_eq!(institution.read(2).await, [0, 1]);
    institution.numbers.settlements.forget_permits(PLENTY);
    institution.acknowledge(0).await;
    institution.say = None;
    institution.until("what was said is under way", |i| i.numbers.settling.load(SeqCst) == 1).await;
    institution.numbers.settlements.add_permits(1);
    institution.until("the rest goes back together", |i| i.numbers.settling.load(SeqCst) == 3).await;
    institution.numbers.settlements.add_permits(3);
    assert!(institution.next().await.is_none(), "nothing is sent that went back");
    assert_eq!(institution.settled(), [(0, "delivered"), (1, "put back"), (2, "returned"), (3, "returned")]);
}

#[tokio::test]
async fn an_institution_that_is_gone_leaves_nothing_leased() {
    let mut institution = Institution::new(0..3);
    institution.credits(4).await;
    institution.read(3).await;
    institution.acknowledge(2).await;
    institution.until("settled", |i| i.settled().len() == 1).await;
    institution.items = None;
    institution.until("put back", |i| i.settled().len() == 3).await;
    assert_eq!(institution.settled(), [(0, "put back"), (1, "put back"), (2, "delivered")]);
}

#[tokio::test]
async fn a_release_under_way_when_the_stream_ends_goes_back() {
    let mut institution = Institution::new(0..4);
    institution.numbers.releases.forget_permits(PLENTY);
    institution.credits(4).await;
    institution.until("one is under way", |i| i.numbers.releasing.load(SeqCst) == 1).await;
    institution.items = None;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(institution.settled(), []);
    institution.numbers.releases.add_permits(1);
    institution.until("all are back", |i| i.settled().len() == 4).await;
    assert_eq!(institution.settled(), (0..4).map(|n| (n, "returned")).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_does_not_read_is_told_so_and_holds_nothing() {
    let mut institution = Institution::new(0..100);
    institution.credits(8).await;
    institution.until("all there is room for is released", |i| i.numbers.due.lock().unwrap().len() == 92).await;
    institution.pass(HAND_OVER / 2);
    tokio::time::sleep(LOOK + A_WHILE).await;
    assert_eq!((institution.settled(), institution.asked()), (vec![], 1), "only what is read makes room");
    institution.pass(HAND_OVER);
    institution.until("all are back", |i| i.settled().len() == 8).await;
    assert_eq!(institution.settled(), (0..8).map(|n| (n, "returned")).collect::<Vec<_>>());
    assert_eq!(institution.next().await.unwrap().unwrap_err().reason(), ErrorReason::SlowConsumer);
    assert!(institution.next().await.is_none());
}

#[tokio::test]
async fn an_item_comes_again_only_when_its_lease_has_ended() {
    let mut institution = Institution::new([1]);
    institution.credits(1).await;
    assert_eq!(institution.read(1).await, [1]);
    institution.numbers.due.lock().unwrap().push_back(1);
    institution.pass(LEASE - Duration::from_millis(1));
    tokio::time::sleep(LOOK).await;
    assert!(institution.is_quiet().await);
    institution.pass(Duration::from_millis(1));
    institution.bell.notify_one();
    assert_eq!(institution.read(1).await, [1]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_ends_the_stream_and_says_why() {
    let mut institution = Institution::new([]);
    institution.say(Err(Refusal::new(ErrorReason::InvalidField, "lease_token"))).await;
    assert_eq!(institution.next().await.unwrap().unwrap_err().reason(), ErrorReason::InvalidField);
    assert!(institution.next().await.is_none());
}
