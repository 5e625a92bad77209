// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A machine that fetches: one stream after the other, with few or many credits; it keeps what comes before it says so, and says so at once, late
//! or never.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use weiche::proto::exchange::inbox_service_client::InboxServiceClient;
use weiche::proto::exchange::receive_response::Item;
use weiche::proto::exchange::{Acknowledgement, ReceiveRequest, ReceiveResponse};

use super::calls::Clerk;
use super::recipient::Answers;
use super::world::{Arrival, What, World};

/// From its start to a crash.
pub async fn run(world: Arc<World>, machine: &'static str, answers: Option<Arc<Answers>>) -> turmoil::Result {
    let mut clerk = Clerk::at(&world, machine, "inbox");
    loop {
        fetch(&world, machine, &mut clerk, answers.as_deref()).await;
        let pause = clerk.millis(10..300);
        sleep(pause).await;
    }
}

/// One stream, until it breaks off, or is left.
async fn fetch(world: &World, machine: &'static str, clerk: &mut Clerk, answers: Option<&Answers>) {
    let (say, said) = mpsc::channel(16);
    let credits = clerk.chance.random_range(1..=6);
    // Nobody stays for ever; whoever is calm does.
    let stays = clerk.millis(300..6000);
    let left = async {
        sleep(stays).await;
        while world.is_calm() {
            sleep(Duration::from_millis(500)).await;
        }
    };
    let fetched = async {
        say.send(ReceiveRequest { credits, acknowledgement: None }).await.ok()?;
        let opened = timeout(Duration::from_secs(8), InboxServiceClient::new(world.call(machine)).receive(ReceiverStream::new(said))).await;
        let mut items = opened.ok()?.ok()?.into_inner();
        while let Ok(Some(item)) = items.message().await {
            let acknowledgement =
                Acknowledgement { delivery_id: item.delivery_id.clone(), lease_token: item.lease_token.clone(), ..Default::default() };
            let (delivery, leaf) = (item.delivery_id.clone(), item.receipt.as_ref().map(|receipt| receipt.leaf_index));
            keep(world, machine, item, answers);
            let late = match clerk.chance.random_range(0..100) {
                _ if world.is_calm() => 0,
                0..60 => 0,
                60..85 => clerk.chance.random_range(1..1500),
                // It is kept, and nobody says so.
                85..95 => continue,
                _ => return None,
            };
            sleep(Duration::from_millis(late)).await;
            world.seen().acknowledged.insert((delivery, leaf));
            say.send(ReceiveRequest { credits: 0, acknowledgement: Some(acknowledgement) }).await.ok()?;
        }
        Some(())
    };
    tokio::select! {
        biased;
        _ = fetched => {}
        () = left => {}
    }
}

/// On its disk.
fn keep(world: &World, machine: &'static str, item: ReceiveResponse, answers: Option<&Answers>) {
    let what = match item.item.unwrap() {
        Item::Referral(referral) => What::Referral(Box::new(referral)),
        Item::Status(change) => What::Status(change),
        Item::Recall(notice) => What::Recall(notice),
    };
    let leaf = item.receipt.map(|receipt| receipt.leaf_index);
    if let (Some(answers), What::Referral(referral)) = (answers, &what) {
        answers.came(world, &referral.referral_id);
    }
    world.seen().arrivals.push(Arrival { at: World::now(), to: machine, delivery: item.delivery_id, leaf, what });
}
