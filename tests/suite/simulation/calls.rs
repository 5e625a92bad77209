// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How a case system calls the gateway: until it is answered, with the same request id, over whatever connection there is.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use super::world::{Span, World};

/// What a case system may try again: nothing has been decided, or nobody knows.
const AGAIN: [&str; 5] = ["DRAINING", "OVERLOADED", "DEADLINE_PASSED", "STORE_UNAVAILABLE", "LEDGER_UNAVAILABLE"];

/// Somebody at a case system who makes one call after the other.
pub struct Clerk {
    world: Arc<World>,
    machine: &'static str,
    channel: Channel,
    pub chance: SmallRng,
}

impl Clerk {
    /// `name` tells it from others; after a crash of its machine it may have another chance.
    pub fn at(world: &Arc<World>, machine: &'static str, name: &str) -> Self {
        let chance = world.chance(&format!("{machine} {name} {}", World::now()));
        Self { world: world.clone(), machine, channel: world.call(machine), chance }
    }

    pub fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.chance.random_range(range))
    }

    /// Asks, for the first time at `asked`, until there is an answer, or the reason of a refusal. Some do not wait long; some ask again although
    /// they were answered.
    pub async fn ask<Q, T, F>(&mut self, asked: u64, request: &Q, call: impl Fn(Channel, Q) -> F) -> (Span, Result<T, String>)
    where
        Q: Clone,
        T: PartialEq + std::fmt::Debug,
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let call = |line| call(line, request.clone());
        let answer = self.until_answered(&call).await;
        let span = Span { asked, told: World::now() };
        if !self.world.is_calm() && self.chance.random_bool(0.1) {
            let again = self.until_answered(&call).await;
            if again != answer {
                self.world.broken(format!("the same call has two answers: {answer:?} and {again:?}"));
            }
        }
        (span, answer)
    }

    async fn until_answered<T, F>(&mut self, call: &impl Fn(Channel) -> F) -> Result<T, String>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        loop {
            let patience = if self.world.is_calm() { Duration::from_secs(8) } else { self.millis(150..3000) };
            match timeout(patience, call(self.channel.clone())).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => {
                    // What is not the gateway's own word comes from the connection.
                    if let Some(info) = status.get_details_error_info().filter(|info| !AGAIN.contains(&info.reason.as_str())) {
                        if info.reason == "INTERNAL" {
                            self.world.broken(format!("{} is told of an internal error: {}", self.machine, status.message()));
                        }
                        return Err(info.reason);
                    }
                }
                Err(_) => {}
            }
            let pause = self.millis(20..400);
            sleep(pause).await;
            if self.chance.random_bool(0.2) {
                self.channel = self.world.call(self.machine);
            }
        }
    }
}
