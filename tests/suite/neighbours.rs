// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A recipient that does not answer, refuses, is away, or takes and never acknowledges, slows nobody else: over real sockets, judged by counts and
//! order and by no stopwatch. Both get the same at the same time; when the good one has everything, the bad one still has everything in front of it
//! and holds no more places than agreed. Then the bad one becomes a good one, and nothing was lost, doubled or put out of order.
//!
//! `WEICHE_NEIGHBOURS` sets how many each of them gets; docs/PROMISES.md has the command.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use weiche::clock::Stopwatch;
use weiche::dialect::Dialects;
use weiche::proto::exchange::receive_response::Item;

use crate::deliveries::{Answer, ENDPOINT, RECIPIENT, SENDER, Site, System, read, until};
use crate::pulling::Inbox;
use crate::stopping::number;

/// Calls that the bad one may have at one time.
const PLACES: usize = 4;
/// How the agreement paces everybody.
const PACING: &str = "pacing = { in_flight = 64, per_second = 2000 }";
/// How the good one, which is the sender to the bad one, is called.
const GOOD: &str = "https://localhost:7105";
/// Persons; each is referred twice to both.
const PERSONS: usize = 40;

/// Longer than what failed waits for its next attempt.
const PAUSE: Duration = Duration::from_secs(3600);

/// A gateway between the good one and the bad one.
struct Street {
    site: Site,
    good: System,
    stop: CancellationToken,
    persons: usize,
    sent: Vec<String>,
}

impl Street {
    /// `way`: how the bad one is reached, from its port.
    async fn new(way: impl FnOnce(u16) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let site = Site::under(|agreement, port| {
            let (before, after) = agreement.split_once(ENDPOINT).unwrap();
            let pacing = format!("pacing = {{ in_flight = {PLACES}, per_second = 2000 }}");
            format!("{}{}{}", before.replace(GOOD, &address), way(port), after.replacen(PACING, &pacing, 1))
        });
        let site = site.await;
        let (good, stop) = (System::default(), CancellationToken::new());
        good.serve_as(SENDER, listener, &site.dir.path().join("certs"), stop.clone());
        let persons = std::env::var("WEICHE_NEIGHBOURS").map_or(PERSONS, |persons| persons.parse().unwrap());
        Self { site, good, stop, persons, sent: Vec::new() }
    }

    async fn called() -> Self {
        Self::new(|port| format!(r#"mode = "push", endpoint = "https://127.0.0.1:{port}""#)).await
    }

    async fn open(&self, recipient: &str) -> u64 {
        self.site.on().exchange().queues().await.unwrap().get(recipient).map_or(0, |queue| queue.open)
    }

    /// Both get everything, person by person; the good one has all of it while nothing has come to an end at the bad one.
    async fn good_one_gets_everything(&mut self) {
        let took = Stopwatch::start();
        for turn in 0..2 * self.persons {
            let person = format!("p-{}", turn % self.persons);
            self.sent.push(self.site.submit(&person).await);
            self.site.submit_back(&person).await;
        }
        self.good_one_has(2 * self.persons).await;
        println!("{} deliveries to the good one in {:.1?}", 2 * self.persons, took.elapsed());
        assert_eq!(self.open(RECIPIENT).await as usize, 2 * self.persons, "the bad one still has everything in front of it");
    }

    async fn good_one_has(&self, all: usize) {
        until("the good one has everything", || async { self.good.calls().len() >= all }).await;
        assert_eq!(self.good.calls().len(), all, "each once");
    }

    /// The bad one has become a good one.
    async fn bad_one_gets_everything(&self) {
        until("the bad one has everything", || async { self.open(RECIPIENT).await == 0 }).await;
        let dialects = Dialects::embedded().unwrap();
        self.arrived(self.site.calls().iter().map(|call| (read(&dialects, call).delivery_id, number(&dialects, call))));
    }

    /// Everything that was sent has come, each under one id, and of each person in the order of acceptance.
    fn arrived(&self, deliveries: impl Iterator<Item = (String, String)>) {
        let (mut ids, mut order) = (HashMap::new(), Vec::new());
        for (delivery, referral) in deliveries {
            assert_eq!(ids.entry(referral.clone()).or_insert_with(|| delivery.clone()), &delivery, "another id for the same");
            if !order.contains(&referral) {
                order.push(referral);
            }
        }
        assert_eq!(order.iter().collect::<HashSet<_>>(), self.sent.iter().collect::<HashSet<_>>(), "all, and nothing else");
        let place: HashMap<_, _> = order.iter().zip(0..).collect();
        for person in 0..self.persons {
            assert!(place[&self.sent[person]] < place[&self.sent[person + self.persons]], "out of order");
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.site.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_holds_its_own_places_and_no_others() {
    let mut street = Street::called().await;
    let answers = Arc::new(Semaphore::new(0));
    let permits = answers.clone();
    street.site.recipient_answers(move |_, _| Answer::When(permits.clone()));
    street.good_one_gets_everything().await;
    until("its places are taken", || async { street.site.calls().len() >= PLACES }).await;
    assert_eq!(street.site.calls().len(), PLACES, "more at one time than agreed");
    // Slowly: for each answer one more, and meanwhile the good one goes on.
    for answered in 1..=PLACES {
        answers.add_permits(1);
        until("one more", || async { street.site.calls().len() > PLACES + answered - 1 }).await;
        street.site.submit_back(&format!("q-{answered}")).await;
        street.good_one_has(2 * street.persons + answered).await;
        assert_eq!(street.site.calls().len(), PLACES + answered, "more at one time than agreed");
    }
    answers.add_permits(Semaphore::MAX_PERMITS / 2);
    street.bad_one_gets_everything().await;
    street.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses_everything_for_now_is_asked_again_and_nobody_waits_for_it() {
    let mut street = Street::called().await;
    street.site.recipient_answers(|_, _| Answer::Refused(Status::new(Code::Unavailable, "busy")));
    street.good_one_gets_everything().await;
    until("it is asked again", || async { street.site.calls().len() > 20 }).await;
    assert!(street.site.calls().len() < 2 * street.persons, "all are tried, although none gets through");
    street.site.recipient_answers(|_, _| Answer::Stored);
    street.site.clock.advance(PAUSE);
    street.bad_one_gets_everything().await;
    street.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_away_or_accepts_connections_and_says_nothing_keeps_nobody_waiting() {
    let mut street = Street::called().await;
    street.site.recipient_goes().await;
    street.good_one_gets_everything().await;
    // From now on the port takes connections, and no handshake is ever answered.
    let silent = TcpListener::bind(("127.0.0.1", street.site.port)).await.unwrap();
    for turn in 0..street.persons {
        street.site.submit_back(&format!("q-{turn}")).await;
    }
    street.good_one_has(3 * street.persons).await;
    assert!(street.site.calls().is_empty());
    drop(silent);
    street.site.recipient_comes_back().await;
    street.site.clock.advance(PAUSE);
    street.bad_one_gets_everything().await;
    street.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fetches_and_never_acknowledges_is_given_what_it_asked_for_and_no_more() {
    let mut street = Street::new(|_| r#"mode = "pull""#.into()).await;
    let mut inbox = Inbox::of(&street.site, RECIPIENT, u32::try_from(PLACES).unwrap()).await;
    street.good_one_gets_everything().await;
    let mut items = Vec::new();
    for _ in 0..PLACES {
        items.push(inbox.item().await);
    }
    assert_eq!(street.open(RECIPIENT).await as usize, 2 * street.persons);
    let mut fetched = Vec::new();
    while fetched.len() < 2 * street.persons {
        if items.is_empty() {
            items.push(inbox.item().await);
        }
        for item in items.drain(..) {
            inbox.acknowledge(&item).await;
            match item.item.unwrap() {
                Item::Referral(referral) => fetched.push((item.delivery_id, referral.referral_id)),
                other => panic!("{other:?}"),
            }
        }
    }
    street.arrived(fetched.into_iter());
    drop(inbox);
    street.end().await;
}
