// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A whole gateway and a recipient that dials out, over real sockets and mutual TLS: what the pull stream promises.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;
use weiche::cli::gateway;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::channel;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::Anchors;
use weiche::proto::exchange::inbox_service_client::InboxServiceClient;
use weiche::proto::exchange::receive_response::Item;
use weiche::proto::exchange::{Acknowledgement, ReceiveRequest, ReceiveResponse};
use weiche::referral::ReferralState;

use crate::deliveries::{AGES, RECIPIENT, Site, until};

/// An open stream of the recipient.
pub(super) struct Inbox {
    say: mpsc::Sender<ReceiveRequest>,
    items: Streaming<ReceiveResponse>,
}

impl Inbox {
    async fn open(site: &Site, credits: u32) -> Self {
        Self::of(site, RECIPIENT, credits).await
    }
    pub(super) async fn of(site: &Site, recipient: &str, credits: u32) -> Self {
        let pem = |name: &str| std::fs::read(site.dir.path().join("certs").join(name)).unwrap();
        let anchors = Anchors::from_pem(&pem("servers-ca.pem"), SystemClock.now()).unwrap();
        let credentials = Credentials::from_pem(&pem(&format!("institution/{recipient}.pem")), &pem(&format!("institution/{recipient}.key")));
        let tls = Arc::new(client_config(Some(credentials.unwrap()), &anchors, Expected::Host).unwrap());
        let endpoint = format!("https://127.0.0.1:{}", site.on().institutions().port());
        let (say, said) = mpsc::channel(16);
        say.send(ReceiveRequest { credits, acknowledgement: None }).await.unwrap();
        let items = InboxServiceClient::new(channel(&endpoint, tls).unwrap()).receive(ReceiverStream::new(said)).await;
        Self { say, items: items.unwrap().into_inner() }
    }
    pub(super) async fn next(&mut self) -> Result<Option<ReceiveResponse>, Status> {
        tokio::time::timeout(AGES, self.items.message()).await.expect("something comes")
    }
    pub(super) async fn item(&mut self) -> ReceiveResponse {
        self.next().await.unwrap().unwrap()
    }
    pub(super) async fn acknowledge(&self, item: &ReceiveResponse) {
        let acknowledgement =
            Acknowledgement { delivery_id: item.delivery_id.clone(), lease_token: item.lease_token.clone(), refusal: String::new() };
        self.say.send(ReceiveRequest { credits: 0, acknowledgement: Some(acknowledgement) }).await.unwrap();
    }
    /// Says nothing more, and reads to the end.
    async fn finish(self) {
        let Self { say, mut items } = self;
        drop(say);
        while tokio::time::timeout(AGES, items.message()).await.unwrap().unwrap().is_some() {}
    }
}

/// Id of the referral in an item.
fn referral(item: &ReceiveResponse) -> String {
    match item.item.as_ref().unwrap() {
        Item::Referral(referral) => referral.referral_id.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_once_in_order_for_each_person_and_is_settled_when_the_stream_has_ended() {
    let mut site = Site::pulling().await;
    let mut inbox = Inbox::open(&site, 8).await;
    let mut sent = HashMap::new();
    for round in 0..6 {
        for person in 0..5 {
            sent.insert(site.submit(&format!("p-{person}")).await, (person, round));
        }
    }
    let (mut seen, mut rounds) = (HashSet::new(), [0; 5]);
    while seen.len() < sent.len() {
        let item = inbox.item().await;
        let id = referral(&item);
        let (person, round) = sent[&id];
        assert!(seen.insert(id), "once");
        assert_eq!(round, rounds[person], "one after the other for each person");
        rounds[person] += 1;
        inbox.acknowledge(&item).await;
    }
    inbox.finish().await;
    for id in sent.keys() {
        assert_eq!(site.state(id).await, ReferralState::Delivered);
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_stream_left_unacknowledged_comes_at_once_on_the_next_and_its_old_token_changes_nothing() {
    let mut site = Site::pulling().await;
    let (first, second) = (site.submit("p-1").await, site.submit("p-2").await);
    let mut inbox = Inbox::open(&site, 16).await;
    let (one, other) = (inbox.item().await, inbox.item().await);
    assert_eq!(HashSet::from([referral(&one), referral(&other)]), HashSet::from([first.clone(), second.clone()]));
    drop(inbox);
    let mut inbox = Inbox::open(&site, 16).await;
    // No lease is waited for: time stands where it stood.
    let again = [inbox.item().await, inbox.item().await];
    let ids = |items: &[&ReceiveResponse]| items.iter().map(|item| item.delivery_id.clone()).collect::<HashSet<_>>();
    assert_eq!(ids(&[&again[0], &again[1]]), ids(&[&one, &other]), "under the same delivery ids");
    inbox.acknowledge(&one).await;
    let same = again.iter().find(|item| item.delivery_id == other.delivery_id).unwrap();
    inbox.acknowledge(same).await;
    site.until_delivered(&referral(&other)).await;
    assert_eq!(site.state(&referral(&one)).await, ReferralState::Submitted, "an outdated token is ignored");
    inbox.finish().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_streams_of_one_institution_share_what_comes() {
    let mut site = Site::pulling().await;
    let (mut left, mut right) = (Inbox::open(&site, 1).await, Inbox::open(&site, 1).await);
    let sent = HashSet::from([site.submit("p-1").await, site.submit("p-2").await]);
    let (one, other) = (left.item().await, right.item().await);
    assert_eq!(HashSet::from([referral(&one), referral(&other)]), sent);
    left.acknowledge(&one).await;
    right.acknowledge(&other).await;
    until("both are delivered", || async {
        let states = [site.state(&referral(&one)).await, site.state(&referral(&other)).await];
        states == [ReferralState::Delivered; 2]
    })
    .await;
    drop((left, right));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_institution_that_pulls_is_told_to_go_at_the_end_and_holds_nobody_up() {
    let mut site = Site::pulling().await;
    let mut inbox = Inbox::open(&site, 4).await;
    let told = tokio::spawn(async move { inbox.next().await });
    assert_eq!(site.end().await, gateway::Ended { cut: 0 });
    let status = told.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.get_details_error_info().unwrap().reason.as_str()), (Code::Unavailable, "DRAINING"));
}
