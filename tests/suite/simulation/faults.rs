// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What goes wrong, and when: drawn from the seed before the run begins.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;
use turmoil::Sim;
use weiche::clock::Clock as _;

use super::world::{GATEWAY, MACHINES, USERS, World};

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing arrives, nothing is lost.
    Hold(&'static str),
    /// It arrives.
    Release(&'static str),
    /// Everything on the way and everything new is lost.
    Lose(&'static str),
    /// Packets arrive again. What was open is of no use any more, and one side notices it, or both.
    Repair(&'static str, [bool; 2]),
    /// Somebody in between resets all connections.
    Reset(&'static str),
    Crash(&'static str),
    /// The gateway is asked to end.
    Drain,
    /// A machine that does not run is started.
    Start(&'static str),
    /// The gateway's clock is set forward: leases and pauses end.
    Jump(Duration),
}

/// So many between nothing and much, each with its end, before `until`.
pub fn plan(chance: &mut SmallRng, until: u64) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    for _ in 0..chance.random_range(0..=9) {
        let (at, user) = (chance.random_range(0..until), USERS[chance.random_range(0..USERS.len())]);
        let lasts = |chance: &mut SmallRng, most: u64| at + chance.random_range(30..most);
        match chance.random_range(0..100) {
            0..20 => faults.extend([(at, Fault::Hold(user)), (lasts(chance, 3000), Fault::Release(user))]),
            20..38 => {
                let end = lasts(chance, 3000);
                let (first, both) = (chance.random_bool(0.5), chance.random_bool(0.5));
                faults.extend([(at, Fault::Lose(user)), (end, Fault::Repair(user, [first || both, !first || both]))]);
                faults.push((end + chance.random_range(1..2000), Fault::Reset(user)));
            }
            38..53 => faults.push((at, Fault::Reset(user))),
            53..73 => faults.extend([(at, Fault::Crash(GATEWAY)), (lasts(chance, 1500), Fault::Start(GATEWAY))]),
            73..87 => faults.extend([(at, Fault::Crash(user)), (lasts(chance, 2500), Fault::Start(user))]),
            87..93 => faults.extend([(at, Fault::Drain), (lasts(chance, 1000) + 2500, Fault::Start(GATEWAY))]),
            _ => faults.push((at, Fault::Jump(Duration::from_secs(chance.random_range(1..70))))),
        }
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

/// Does one.
pub fn happen(sim: &mut Sim<'_>, world: &World, fault: Fault) {
    match fault {
        Fault::Hold(user) => sim.hold(GATEWAY, user),
        Fault::Release(user) => sim.release(GATEWAY, user),
        Fault::Lose(user) => sim.partition(GATEWAY, user),
        Fault::Repair(user, [here, there]) => {
            sim.release(GATEWAY, user);
            if here {
                world.lines.cut(GATEWAY, user);
            }
            if there {
                world.lines.cut(user, GATEWAY);
            }
        }
        Fault::Reset(user) => {
            world.lines.cut(GATEWAY, user);
            world.lines.cut(user, GATEWAY);
        }
        Fault::Crash(machine) => crash(sim, world, machine),
        Fault::Drain => world.shutdown.lock().unwrap().cancel(),
        Fault::Start(machine) => {
            if !sim.is_host_running(machine) {
                sim.bounce(machine);
            }
        }
        Fault::Jump(by) => world.clock.set(world.clock.now().plus(by)),
    }
}

/// What its sockets still say when they are dropped would come in an order of tokio's own, by the numbers of all tasks of this process: it is
/// lost, with
/// what was on the way, and the others see a reset.
fn crash(sim: &mut Sim<'_>, world: &World, machine: &str) {
    if !sim.is_host_running(machine) {
        return;
    }
    let others: Vec<_> = USERS.into_iter().chain([GATEWAY]).filter(|other| (machine == GATEWAY) != (*other == GATEWAY)).collect();
    others.iter().for_each(|other| sim.partition(machine, *other));
    sim.crash(machine);
    for other in others {
        sim.repair(machine, other);
        world.lines.cut(machine, other);
        world.lines.cut(other, machine);
    }
}

/// Everything works again.
pub fn end(sim: &mut Sim<'_>, world: &World) {
    for user in USERS {
        happen(sim, world, Fault::Repair(user, [false; 2]));
        // What was lost on a connection comes never again, and nobody would notice for minutes.
        happen(sim, world, Fault::Reset(user));
    }
    for machine in MACHINES {
        happen(sim, world, Fault::Start(machine));
    }
}
