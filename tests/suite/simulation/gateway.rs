// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The gateway's machine: the whole gateway, as `weiche serve` runs it, on the simulated network and a database that is taken in steps.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weiche::cli::gateway::{Listeners, Running, run_on};
use weiche::exchange::Exchange;

use super::world::{DOOR, GATEWAY, USERS, World, institution};

/// From its start to its end, by itself or because it is asked to.
pub async fn run(world: Arc<World>) -> turmoil::Result {
    // As a task of the runtime: what is dropped with it may still start tasks.
    tokio::spawn(serve(world)).await?;
    Ok(())
}

async fn serve(world: Arc<World>) {
    let machine = world.machine(GATEWAY);
    let parts = world.parts().await;
    let listeners = Listeners { institutions: machine.listen(DOOR).await, operators: machine.listen(DOOR + 1).await, ops: None };
    let shutdown = CancellationToken::new();
    let running = run_on(World::config(), parts, (listeners, world.line(GATEWAY)), shutdown.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    *world.shutdown.lock().unwrap() = shutdown.clone();
    let counting = tokio::spawn(count(world.clone(), running.exchange().clone(), shutdown));
    ended(&world, running).await;
    let _ = counting.await;
}

async fn ended(world: &World, running: Running) {
    if let Err(error) = running.ended().await {
        world.broken(format!("the gateway ended: {error}"));
    }
}

/// Notes what is left in the queues, once nothing goes wrong any more.
async fn count(world: Arc<World>, exchange: Arc<Exchange>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        if world.is_calm() {
            let mut open = 0;
            for user in USERS {
                match exchange.front(&institution(user).parse().unwrap(), None, 100).await {
                    Ok(front) => open += i64::try_from(front.len()).unwrap(),
                    Err(error) => return world.broken(format!("the queue cannot be read: {error:?}")),
                }
            }
            world.open.store(open, SeqCst);
        }
    }
}
