// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The load: closed loop (so many calls at a time) or open loop (so many calls a second, whatever the answers do). In the open loop a call's
//! time counts from when it was due, not from when it was sent: a stall is not hidden by sending less (coordinated omission).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::uri::PathAndQuery;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::transport::Channel;
use uuid::Uuid;

use super::cases::Template;
use super::stream::Stream;
use crate::grpc::codec::BytesCodec;
use crate::grpc::status::code_name;

/// Calls that may be unanswered in the open loop: beyond this the gateway is not late but gone.
const OPEN_LOOP_LIMIT: usize = 20_000;

/// How to load.
#[derive(Debug, Clone, Copy)]
pub enum Loop {
    /// So many calls at a time.
    Closed(usize),
    /// So many calls a second.
    Open(f64),
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Microseconds from sending (closed) or from being due (open) to the answer; accepted calls only.
    pub latency: Histogram<u64>,
    /// The same of calls that were refused because there was too much to do.
    pub refused: Histogram<u64>,
    /// Accepted.
    pub accepted: u64,
    /// Refused or failed, by gRPC code.
    pub errors: BTreeMap<String, u64>,
    /// How long.
    pub elapsed: Duration,
}

impl Outcome {
    fn empty() -> Self {
        #[expect(clippy::expect_used, reason = "microseconds up to an hour at three digits are valid bounds")]
        let latency: Histogram<u64> = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds");
        Self { refused: latency.clone(), latency, accepted: 0, errors: BTreeMap::new(), elapsed: Duration::ZERO }
    }

    fn note(&mut self, took: Duration, result: Result<(), tonic::Code>) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                self.accepted += 1;
                self.latency.saturating_record(micros);
            }
            Err(code) => {
                if code == tonic::Code::ResourceExhausted {
                    self.refused.saturating_record(micros);
                }
                *self.errors.entry(code_name(code).to_owned()).or_default() += 1;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        // Same bounds by construction.
        let _ = self.latency.add(&other.latency).and(self.refused.add(&other.refused));
        for (code, count) in &other.errors {
            *self.errors.entry(code.clone()).or_default() += count;
        }
    }
}

/// One way into the gateway.
pub enum Way {
    /// A connection on which each referral is a call.
    Calls(Channel, PathAndQuery),
    /// A connection with one stream for all of them.
    Stream(Stream),
}

impl Way {
    async fn send(&self, id: Uuid, request: Bytes) -> Result<(), tonic::Code> {
        match self {
            Self::Calls(channel, path) => {
                let mut client = Grpc::new(channel.clone());
                client.ready().await.map_err(|_| tonic::Code::Unavailable)?;
                let answer = client.unary::<Bytes, Bytes, _>(tonic::Request::new(request), path.clone(), BytesCodec).await;
                answer.map(|_| ()).map_err(|status| status.code())
            }
            Self::Stream(stream) => stream.send(id, request).await,
        }
    }
}

/// What is sent: any of the templates under a fresh request id, by any of the ways.
pub struct Source {
    ways: Vec<Way>,
    /// One per person.
    pub templates: Vec<Template>,
    next: AtomicU64,
    accepted: AtomicU64,
}

impl Source {
    /// By these ways: person by person the next one, again and again.
    pub fn new(ways: Vec<Way>, templates: Vec<Template>) -> Self {
        Self { ways, templates, next: AtomicU64::new(0), accepted: AtomicU64::new(0) }
    }

    /// The next call: persons in turn, so that no lane is asked for twice at a time.
    async fn send(&self, id: Uuid) -> Result<(), tonic::Code> {
        let person = usize::try_from(self.next.fetch_add(1, Ordering::Relaxed)).unwrap_or(0) % self.templates.len();
        let (Some(way), Some(template)) = (self.ways.get(person % self.ways.len()), self.templates.get(person)) else {
            return Err(tonic::Code::Internal);
        };
        way.send(id, template.with(id)).await?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Loads for `seconds`, or until `stop`.
pub async fn run(source: Arc<Source>, how: Loop, length: Duration, stop: Arc<AtomicBool>) -> Outcome {
    let begin = Instant::now();
    let mut total = match how {
        Loop::Closed(concurrency) => closed(source, concurrency, begin + length, stop).await,
        Loop::Open(rate) => open(source, rate, begin + length, stop).await,
    };
    total.elapsed = begin.elapsed();
    total
}

async fn closed(source: Arc<Source>, concurrency: usize, end: Instant, stop: Arc<AtomicBool>) -> Outcome {
    let mut tasks = JoinSet::new();
    for seed in 0..concurrency {
        let (source, stop) = (source.clone(), stop.clone());
        tasks.spawn(async move {
            let (mut outcome, mut ids) = (Outcome::empty(), Ids::new(seed));
            while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                let sent = Instant::now();
                let result = source.send(ids.next()).await;
                outcome.note(sent.elapsed(), result);
            }
            outcome
        });
    }
    let mut total = Outcome::empty();
    while let Some(Ok(one)) = tasks.join_next().await {
        total.add(&one);
    }
    total
}

async fn open(source: Arc<Source>, rate: f64, end: Instant, stop: Arc<AtomicBool>) -> Outcome {
    let (places, gap) = (Arc::new(Semaphore::new(OPEN_LOOP_LIMIT)), Duration::from_secs_f64(1.0 / rate.max(0.001)));
    let (mut tasks, mut total, mut ids, mut due) = (JoinSet::new(), Outcome::empty(), Ids::new(0), Instant::now());
    while due < end && !stop.load(Ordering::Relaxed) {
        tokio::time::sleep_until(due.into()).await;
        // Everything that has become due meanwhile goes out at once: the timer is coarser than the rate.
        while due <= Instant::now() {
            match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let (source, id, was_due) = (source.clone(), ids.next(), due);
                    tasks.spawn(async move {
                        let result = source.send(id).await;
                        drop(place);
                        (was_due.elapsed(), result)
                    });
                }
                Err(_) => total.note(Duration::ZERO, Err(tonic::Code::DeadlineExceeded)),
            }
            due += gap;
        }
        while let Some(Ok((took, result))) = tasks.try_join_next() {
            total.note(took, result);
        }
    }
    while let Some(Ok((took, result))) = tasks.join_next().await {
        total.note(took, result);
    }
    total
}

/// Fresh request ids without asking the system for randomness on every call.
struct Ids(rand::rngs::SmallRng);

impl Ids {
    fn new(seed: usize) -> Self {
        let start = Uuid::new_v4().as_u128() as u64;
        Self(rand::rngs::SmallRng::seed_from_u64(start ^ seed as u64))
    }
    fn next(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}
