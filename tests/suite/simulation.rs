// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Everything between a caller and the core, on a network that is simulated: the whole gateway with its doors, TLS, HTTP/2, streams and workers; a
//! centre,
//! a recipient that is called and one that fetches. Connections are held, lost and reset, machines crash and start again, the gateway is asked to end
//! with calls in flight, clocks jump. All of it comes from one seed, on one thread, and can be repeated.
//!
//! `WEICHE_SEEDS` sets how many seeds, `WEICHE_FIRST_SEED` from which, `WEICHE_SEED` names one; docs/PROMISES.md has the commands.

mod calls;
mod centre;
mod faults;
mod gateway;
mod inbox;
mod network;
mod recipient;
mod verdict;
mod world;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use proptest::test_runner::TestCaseError;
use rand::Rng as _;
use weiche::chance;
use weiche::clock::{Clock as _, Stopwatch};

use crate::exchange::desk::Desk;
use crate::exchange::{history::Checked, replay};
use faults::{Fault, happen};
use recipient::Answers;
use world::{AGENTUR, CARITAS, GATEWAY, JOBCENTER, World};

/// The network and the clocks move by this.
const TICK: Duration = Duration::from_millis(10);
/// Longer than any lease.
const LEASES: Duration = Duration::from_secs(61);
/// Most rounds until everything has come to an end.
const ROUNDS: u32 = 60;

/// Runs one seed: what it did, and what is said of it.
fn run(seed: u64) -> (Vec<String>, Checked) {
    let world = World::new(seed);
    let ended = simulate(&world);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = Desk::at_under(world.path(), World::agreement(), world.clock.now()).await;
        let seen = std::mem::take(&mut *world.seen());
        let log = desk.log().await;
        let story = verdict::story(&seen, &log);
        let mut checked = verdict::check(&seen, &desk).await;
        if let (Ok(()), Err(stuck)) = (&checked, ended) {
            checked = Err(TestCaseError::fail(stuck));
        }
        if checked.is_ok() {
            replay::check(&desk).await;
        }
        (story, checked)
    })
}

/// From the first call until everything has come to an end.
fn simulate(world: &Arc<World>) -> Result<(), String> {
    chance::seed(world.seed);
    let mut draw = world.chance("faults");
    let mut builder = turmoil::Builder::new();
    builder.tick_duration(TICK).simulation_duration(Duration::from_secs(100_000)).epoch(SystemTime::UNIX_EPOCH).rng_seed(world.seed);
    builder.min_message_latency(Duration::from_millis(1)).max_message_latency(Duration::from_millis(draw.random_range(2..150)));
    let until = draw.random_range(3000..9000);
    let faults = faults::plan(&mut draw, until);
    let disk = Arc::new(centre::Disk::plan(world, until));
    let (called, fetching) = (Answers::of(world, JOBCENTER), Answers::of(world, AGENTUR));
    let mut sim = builder.tcp_capacity(4096).enable_random_order().build();
    sim.host(GATEWAY, || gateway::run(world.clone()));
    sim.host(CARITAS, || centre::run(world.clone(), disk.clone()));
    sim.host(JOBCENTER, || recipient::jobcenter(world.clone(), called.clone()));
    sim.host(AGENTUR, || recipient::agentur(world.clone(), fetching.clone()));

    let step = |sim: &mut turmoil::Sim<'_>| {
        world.clock.set(world.clock.now().plus(TICK));
        sim.step().map_err(|error| error.to_string())
    };
    for (at, fault) in faults {
        while sim.elapsed() < Duration::from_millis(at) {
            step(&mut sim)?;
        }
        happen(&mut sim, world, fault);
    }
    while sim.elapsed() < Duration::from_millis(until) {
        step(&mut sim)?;
    }
    faults::end(&mut sim, world);
    world.calm.store(true, SeqCst);
    let mut quiet = 0;
    for round in 0.. {
        world.open.store(-1, SeqCst);
        for _ in 0..100 {
            step(&mut sim)?;
        }
        happen(&mut sim, world, Fault::Start(GATEWAY));
        // Twice: who counted may have begun before the last call was answered.
        quiet = if world.to_do.load(SeqCst) == 0 && world.open.load(SeqCst) == 0 { quiet + 1 } else { 0 };
        if quiet == 2 {
            break;
        }
        if round == ROUNDS {
            return Err(format!("stuck: {} calls without an answer, {} lanes not empty", world.to_do.load(SeqCst), world.open.load(SeqCst)));
        }
        if round % 4 == 3 && quiet == 0 {
            happen(&mut sim, world, Fault::Jump(LEASES));
        }
    }
    happen(&mut sim, world, Fault::Drain);
    for _ in 0..2000 {
        step(&mut sim)?;
        if !sim.is_host_running(GATEWAY) {
            return Ok(());
        }
    }
    Err("stuck: the gateway does not end".to_owned())
}

/// Seeds in one run without `WEICHE_SEEDS`.
const SEEDS: u64 = 1000;

/// The sentence that one seed breaks, if it does.
fn holds(seed: u64) -> Result<(), String> {
    match catch_unwind(|| run(seed)) {
        Ok((_, checked)) => checked.map_err(|broken| broken.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

/// Seeds that once failed: each is a fault that was mended, here or in the program.
fn kept() -> impl Iterator<Item = u64> {
    include_str!("simulation/seeds").lines().filter_map(|line| line.split('#').next()?.trim().parse().ok())
}

#[test]
fn no_seed_breaks_a_promise() {
    if let Ok(seed) = std::env::var("WEICHE_SEED") {
        let (story, checked) = run(seed.parse().unwrap());
        println!("{}", story.join("\n"));
        return checked.unwrap();
    }
    let started = Stopwatch::start();
    let count = std::env::var("WEICHE_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let first: u64 = std::env::var("WEICHE_FIRST_SEED").map_or(1, |first| first.parse().unwrap());
    let seeds: Vec<u64> = kept().chain(first..first + count).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(8) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, SeqCst)) {
                    if let Err(broken) = holds(*seed) {
                        println!("{broken}\n    WEICHE_SEED={seed} cargo test --test suite simulation:: -- --nocapture");
                        failed.lock().unwrap().push(*seed);
                    }
                }
            });
        }
    });
    println!("{} seeds in {:.0?}", seeds.len(), started.elapsed());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "seeds that failed, for tests/suite/simulation/seeds: {failed:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in std::env::var("WEICHE_SEED").map_or(vec![6, 45, 46], |seed| vec![seed.parse().unwrap()]) {
        let [(first, well), (second, _)] = [run(seed), run(seed)];
        well.unwrap();
        let differs = first.iter().zip(&second).position(|(one, other)| one != other);
        assert_eq!(differs.map(|at| (&first[at], &second[at])), None, "seed {seed}, line {differs:?} of {}", first.len());
        assert_eq!(first.len(), second.len());
    }
}
