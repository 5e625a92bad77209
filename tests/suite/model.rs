// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Every history there is, not some: a model of two gateways on one database in which each call, commit, answer, hand-over, end of a lease, crash
//! and restart may come between any two others. A model checker visits all of them up to the bounds. Then the model is broken in one
//! place at a time, and the checker must find out how. A wider model, too wide to be visited whole, is walked through at random.
//!
//! `cargo test --release --test suite model:: -- --ignored --nocapture` visits millions; `WEICHE_WALKS` says how many walks.

mod world;

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};
use world::{Action, Bounds, World};

/// What somebody could get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whoever claims asks for consent; whoever starts does not ask again.
    ConsentAskedAtClaim,
    /// A gateway goes by what it remembers although another one has written.
    DecisionRemembered,
    /// The bytes leave, but that they do is not in the log.
    StartNotLogged,
    /// Any worker may say how an attempt ended, also one whose lease is over.
    SettledWithoutFence,
    /// The same call again is another call.
    AcceptedAgain,
    /// Lanes go by the clock of whoever accepted.
    OrderByWallClock,
    /// The answer leaves before the change is kept.
    AnsweredBeforeCommit,
    /// What has started may start again at once.
    LeaseNotWaitedFor,
    /// A withdrawal says nothing about what may be there.
    InFlightNotNamed,
}

struct Gateways {
    bounds: Bounds,
    fault: Option<Fault>,
}

const STARTED_LATE: &str = "nothing starts after an answered withdrawal";
const UNNAMED: &str = "what has arrived, and what arrives later, is named in the answer to a withdrawal";
const CALLED_BACK: &str = "what arrived under a withdrawn consent is called back";
const LOST: &str = "nothing that was answered is lost";
const TWICE: &str = "a repeated call is one call";
const AGAIN: &str = "nothing arrives after its acknowledgement";
const ORDER: &str = "one lane arrives in the order of the log";
const LEASES: &str = "one lease at a time";
const STUCK: &str = "everything comes to an end";

impl Model for Gateways {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.bounds)]
    }
    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(&self.bounds, self.fault, actions);
    }
    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(action, &self.bounds, self.fault);
        Some(next)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(STARTED_LATE, |_, world: &World| !world.seen.started_late),
            Property::always(UNNAMED, |_, world: &World| world.what_arrives_is_named()),
            Property::always(CALLED_BACK, |_, world: &World| world.what_arrived_is_called_back()),
            Property::always(LOST, |_, world: &World| world.nothing_is_lost()),
            Property::always(TWICE, |_, world: &World| world.nothing_is_there_twice()),
            Property::always(AGAIN, |_, world: &World| !world.seen.arrived_again),
            Property::always(ORDER, |model: &Self, world: &World| world.lanes_keep_their_order(&model.bounds)),
            Property::always(LEASES, |model: &Self, world: &World| world.one_lease_at_a_time(&model.bounds)),
            // Every history ends, since every step uses something up. Where nothing more can happen, nothing may be waiting.
            Property::always(STUCK, |model: &Self, world: &World| {
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                !actions.is_empty() || world.is_at_rest()
            }),
            // The bounds leave room for what the promises are about.
            Property::sometimes("a withdrawal finds something in flight", |_, world: &World| world.in_flight_is_named()),
            Property::sometimes("two arrive", |_, world: &World| world.seen.arrived.len() == 2),
            Property::sometimes("something is given up", |_, world: &World| world.rows.iter().any(|row| row.state == world::State::Dead)),
        ]
    }
}

/// Three workers, two referrals of one person to one recipient, each under a consent of its own, and a crash.
const CRASHING: Bounds = Bounds { workers: 3, lanes: &[0, 0], submits: 1, withdraws: 1, attempts: 1, crashes: 1, expiries: 0 };
/// Nothing crashes, but time passes.
const EXPIRING: Bounds = Bounds { crashes: 0, expiries: 1, ..CRASHING };
const SHORT: [Bounds; 2] = [EXPIRING, Bounds { workers: 1, submits: 2, ..CRASHING }];
const LONG: [Bounds; 4] =
    [CRASHING, Bounds { attempts: 2, ..EXPIRING }, Bounds { lanes: &[0, 1], ..CRASHING }, Bounds { submits: 2, withdraws: 2, ..CRASHING }];

/// More of everything than can be visited whole.
const WIDE: Bounds = Bounds { workers: 4, lanes: &[0, 0, 1, 1, 1], submits: 2, withdraws: 2, attempts: 3, crashes: 3, expiries: 1 };
/// Walks in one run without `WEICHE_WALKS`.
const WALKS: u64 = 20_000;
/// A walk that has not ended by then never will.
const ENDLESS: usize = 10_000;

/// One random history, to its end or to the first promise that it breaks.
fn walk(model: &Gateways, seed: u64) -> Result<usize, &'static str> {
    let properties = model.properties();
    let always = || properties.iter().filter(|property| property.expectation == Expectation::Always);
    let (mut random, mut world, mut actions) = (SmallRng::seed_from_u64(seed), World::new(&model.bounds), Vec::new());
    for steps in 0..ENDLESS {
        if let Some(broken) = always().find(|property| !(property.condition)(model, &world)) {
            return Err(broken.name);
        }
        actions.clear();
        model.actions(&world, &mut actions);
        if actions.is_empty() {
            return Ok(steps);
        }
        world.act(actions[random.random_range(0..actions.len())], &model.bounds, model.fault);
    }
    Err(STUCK)
}

fn visit(bounds: Bounds) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let started = weiche::clock::Stopwatch::start();
    let checked = Gateways { bounds, fault: None }.checker().threads(threads).spawn_bfs().join();
    let (states, depth, took) = (checked.unique_state_count(), checked.max_depth(), started.elapsed());
    println!("{states} states, {} steps, up to {depth} deep, in {took:.1?}: {bounds:?}", checked.state_count());
    checked.assert_properties();
}

#[test]
fn no_history_of_the_model_breaks_a_promise() {
    for bounds in SHORT {
        visit(bounds);
    }
}

#[test]
#[ignore = "minutes and gigabytes; the command is in docs/PROMISES.md"]
fn no_long_history_of_the_model_breaks_a_promise() {
    for bounds in LONG {
        visit(bounds);
    }
}

#[test]
fn no_random_history_of_a_wider_model_breaks_a_promise() {
    let walks = std::env::var("WEICHE_WALKS").map_or(WALKS, |walks| walks.parse().unwrap());
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let started = weiche::clock::Stopwatch::start();
    let share = |core: u64| {
        let model = Gateways { bounds: WIDE, fault: None };
        let ends =
            (core..walks).step_by(cores as usize).map(|seed| walk(&model, seed).unwrap_or_else(|broken| panic!("walk {seed}: not \"{broken}\"")));
        ends.sum::<usize>()
    };
    let steps: usize = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..cores).map(|core| scope.spawn(move || share(core))).collect();
        shares.into_iter().map(|share| share.join().unwrap()).sum()
    });
    println!("{walks} walks, {steps} steps, in {:.1?}: {WIDE:?}", started.elapsed());
}

/// A checker that finds nothing wrong with a wrong model would find nothing wrong with a wrong gateway either.
#[test]
fn every_broken_model_is_caught() {
    let roomy = Bounds { submits: 2, attempts: 3, ..CRASHING };
    for (fault, bounds, broken) in [
        (Fault::ConsentAskedAtClaim, CRASHING, STARTED_LATE),
        (Fault::DecisionRemembered, CRASHING, STARTED_LATE),
        (Fault::StartNotLogged, CRASHING, UNNAMED),
        (Fault::SettledWithoutFence, roomy, LEASES),
        (Fault::AcceptedAgain, roomy, TWICE),
        (Fault::OrderByWallClock, CRASHING, ORDER),
        (Fault::AnsweredBeforeCommit, CRASHING, LOST),
        (Fault::LeaseNotWaitedFor, roomy, LEASES),
        (Fault::InFlightNotNamed, CRASHING, UNNAMED),
    ] {
        let model = Gateways { bounds, fault: Some(fault) };
        let checked = Gateways { ..model }.checker().finish_when(HasDiscoveries::AnyOf(BTreeSet::from([broken]))).spawn_bfs().join();
        let path = checked.discovery(broken).unwrap_or_else(|| panic!("{fault:?}: nothing found in {} states", checked.unique_state_count()));
        println!("{fault:?}: {} states until: not \"{broken}\": {:?}", checked.unique_state_count(), path.into_actions());
        let walks = (0..WALKS).position(|seed| walk(&model, seed).is_err());
        println!("{fault:?}: {} walks", walks.unwrap_or_else(|| panic!("{fault:?}: no walk of {WALKS} finds it")) + 1);
    }
}
