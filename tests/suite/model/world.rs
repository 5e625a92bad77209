// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Two gateways on one database, as small as they can be without losing what can go wrong: commands are taken, committed in one order, and
//! answered, and between any two of these steps anything else may happen. Referral number n rests on consent number n.

use super::Fault;

/// Rows of the database, as bits.
pub type Rows = u8;

/// How much may happen, so that every history ends.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub workers: usize,
    /// For each referral its lane.
    pub lanes: &'static [u8],
    /// How often a client asks as long as it has no answer.
    pub submits: u8,
    pub withdraws: u8,
    /// Attempts before a delivery is given up.
    pub attempts: u8,
    pub crashes: u8,
    pub expiries: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub rows: Vec<Row>,
    /// Consents that are withdrawn.
    pub withdrawn: u8,
    pub gateways: [Gateway; 2],
    pub workers: Vec<Worker>,
    pub seen: Seen,
    pub left: Left,
}

/// A referral with its delivery. Rows lie in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    pub referral: u8,
    pub state: State,
    pub attempts: u8,
    pub recalled: bool,
    /// By the clock of the gateway that accepted it.
    stamp: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Ready,
    /// The number of the attempt is the lease's token.
    Started {
        token: u8,
        ended: bool,
    },
    Delivered,
    Dead,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Gateway {
    pub down: bool,
    pub job: Job,
    /// Referrals of which it knows, from what it has just written, that they wait under a consent that is given.
    remembers: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Job {
    #[default]
    None,
    /// In a batch that is not committed.
    Taken(Command),
    /// Committed, and nobody knows yet.
    Committed(Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    Submit(u8),
    Withdraw(u8),
    /// The worker has seen that the row is due, which is worth nothing until this is committed.
    Start {
        worker: usize,
        row: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    Accepted(u8),
    Refused(u8),
    Withdrawn(u8, Rows),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worker {
    Idle,
    Waits { at: usize },
    Holds { at: usize, row: usize, token: u8, in_force: bool, handed: bool },
}

/// What an observer outside writes down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// Referrals whose acceptance was answered.
    pub accepted: u8,
    pub refused: u8,
    /// Consents whose withdrawal was answered.
    pub withdrawn: u8,
    /// What those answers named as delivered, or possibly delivered.
    pub named: Rows,
    /// What arrived, in the order of first arrival.
    pub arrived: Vec<u8>,
    pub started_late: bool,
    pub arrived_again: bool,
}

/// What may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Left {
    submits: Vec<u8>,
    withdraws: Vec<u8>,
    crashes: u8,
    expiries: u8,
}

/// A step. What only the gateway sees is one step with what follows: that an outcome is settled, and that a worker learns of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Call(usize, Command),
    Commit(usize),
    Answer(usize),
    Crash(usize),
    Restart(usize),
    Hand { worker: usize },
    Settle { worker: usize, delivered: bool },
    LeaseEnds { row: usize, token: u8 },
    Expire,
}

fn bit(number: impl Into<usize>) -> u8 {
    1 << number.into()
}

impl State {
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Started { .. })
    }
}

impl Seen {
    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Accepted(number) => self.accepted |= bit(number),
            Answer::Refused(number) => self.refused |= bit(number),
            Answer::Withdrawn(number, named) => {
                self.withdrawn |= bit(number);
                self.named |= named;
            }
        }
    }
}

impl World {
    pub fn new(bounds: &Bounds) -> Self {
        let each = |calls| vec![calls; bounds.lanes.len()];
        Self {
            rows: Vec::new(),
            withdrawn: 0,
            gateways: Default::default(),
            workers: vec![Worker::Idle; bounds.workers],
            seen: Seen::default(),
            left: Left { submits: each(bounds.submits), withdraws: each(bounds.withdraws), crashes: bounds.crashes, expiries: bounds.expiries },
        }
    }

    /// Everything that can happen next.
    pub fn actions(&self, bounds: &Bounds, fault: Option<Fault>, actions: &mut Vec<Action>) {
        for (at, gateway) in self.gateways.iter().enumerate() {
            if gateway.down {
                actions.push(Action::Restart(at));
                continue;
            }
            if self.left.crashes > 0 {
                actions.push(Action::Crash(at));
            }
            match gateway.job {
                Job::Taken(_) => actions.push(Action::Commit(at)),
                Job::Committed(_) => actions.push(Action::Answer(at)),
                Job::None => self.calls(at, bounds, fault, actions),
            }
        }
        for (worker, doing) in self.workers.iter().enumerate() {
            if let Worker::Holds { in_force, handed, .. } = *doing {
                actions.push(Action::Settle { worker, delivered: handed });
                actions.extend(handed.then_some(Action::Settle { worker, delivered: false }));
                // A worker looks at its own clock before the first byte.
                actions.extend((in_force && !handed).then_some(Action::Hand { worker }));
            }
        }
        if self.left.expiries > 0 && self.rows.iter().any(|row| row.state == State::Ready) {
            actions.push(Action::Expire);
        }
        let stored = self.rows.iter().enumerate().filter_map(|(row, stored)| match stored.state {
            State::Started { token, ended: false } => Some((row, token)),
            _ => None,
        });
        let held = self.workers.iter().filter_map(|worker| match *worker {
            Worker::Holds { row, token, in_force: true, .. } => Some((row, token)),
            _ => None,
        });
        let mut leases: Vec<_> = stored.chain(held).collect();
        leases.sort_unstable();
        leases.dedup();
        actions.extend(leases.into_iter().map(|(row, token)| Action::LeaseEnds { row, token }));
    }

    fn calls(&self, at: usize, bounds: &Bounds, fault: Option<Fault>, actions: &mut Vec<Action>) {
        let mut call = |command| actions.push(Action::Call(at, command));
        for number in 0..self.left.submits.len() as u8 {
            if self.left.submits[usize::from(number)] > 0 && (self.seen.accepted | self.seen.refused) & bit(number) == 0 {
                call(Command::Submit(number));
            }
            if self.left.withdraws[usize::from(number)] > 0 && self.seen.withdrawn & bit(number) == 0 {
                call(Command::Withdraw(number));
            }
        }
        // Idle workers are alike.
        if let Some(worker) = self.workers.iter().position(|worker| *worker == Worker::Idle) {
            let due = (0..self.rows.len()).filter(|row| self.is_due(*row, bounds, fault));
            let permitted = |row: &usize| fault != Some(Fault::ConsentAskedAtClaim) || self.withdrawn & bit(self.rows[*row].referral) == 0;
            due.filter(permitted).for_each(|row| call(Command::Start { worker, row }));
        }
    }

    /// Whether a row may start: it waits, or its lease has ended, and nothing in its lane is before it.
    fn is_due(&self, row: usize, bounds: &Bounds, fault: Option<Fault>) -> bool {
        let lane = |row: &Row| bounds.lanes[usize::from(row.referral)];
        let Some(this) = self.rows.get(row) else { return false };
        let place = |row: usize| match fault {
            Some(Fault::OrderByWallClock) => (self.rows[row].stamp, row),
            _ => (0, row),
        };
        let first = (0..self.rows.len()).filter(|other| self.rows[*other].state.is_open() && lane(&self.rows[*other]) == lane(this));
        let in_front = first.map(place).min() == Some(place(row));
        let free = match this.state {
            State::Ready => true,
            State::Started { ended, .. } => ended || fault == Some(Fault::LeaseNotWaitedFor),
            _ => false,
        };
        free && in_front
    }

    pub fn act(&mut self, action: Action, bounds: &Bounds, fault: Option<Fault>) {
        match action {
            Action::Call(at, command) => self.call(at, command, fault),
            Action::Commit(at) => {
                if let Job::Taken(command) = std::mem::take(&mut self.gateways[at].job) {
                    self.commit(at, command, bounds, fault);
                }
            }
            Action::Answer(at) => {
                if let Job::Committed(answer) = std::mem::take(&mut self.gateways[at].job) {
                    self.seen.answered(answer);
                }
            }
            Action::Crash(at) => {
                self.left.crashes -= 1;
                self.gateways[at] = Gateway { down: true, ..Gateway::default() };
                let here = |worker: &Worker| matches!(*worker, Worker::Waits { at: there } | Worker::Holds { at: there, .. } if there == at);
                self.workers.iter_mut().filter(|worker| here(worker)).for_each(|worker| *worker = Worker::Idle);
            }
            Action::Restart(at) => self.gateways[at].down = false,
            Action::Hand { worker } => self.hand(worker),
            Action::Settle { worker, delivered } => {
                if let Worker::Holds { at, row, token, .. } = std::mem::replace(&mut self.workers[worker], Worker::Idle) {
                    self.settle(row, token, delivered, bounds, fault);
                    self.remember(at, row, fault);
                }
            }
            Action::LeaseEnds { row, token } => {
                if let State::Started { token: stored, ended } = &mut self.rows[row].state
                    && *stored == token
                {
                    *ended = true;
                }
                for worker in &mut self.workers {
                    if let Worker::Holds { row: held, token: shown, in_force, .. } = worker
                        && (*held, *shown) == (row, token)
                    {
                        *in_force = false;
                    }
                }
            }
            Action::Expire => {
                self.left.expiries -= 1;
                self.rows.iter_mut().filter(|row| row.state == State::Ready).for_each(|row| row.state = State::Stopped);
                self.gateways.iter_mut().for_each(|gateway| gateway.remembers = 0);
            }
        }
    }

    fn call(&mut self, at: usize, command: Command, fault: Option<Fault>) {
        self.gateways[at].job = Job::Taken(command);
        let too_early = match command {
            Command::Submit(number) => {
                self.left.submits[usize::from(number)] -= 1;
                (self.withdrawn & bit(number) == 0).then_some(Answer::Accepted(number))
            }
            Command::Withdraw(number) => {
                self.left.withdraws[usize::from(number)] -= 1;
                Some(Answer::Withdrawn(number, self.reached(number)))
            }
            Command::Start { worker, .. } => {
                self.workers[worker] = Worker::Waits { at };
                None
            }
        };
        if fault == Some(Fault::AnsweredBeforeCommit) {
            too_early.into_iter().for_each(|answer| self.seen.answered(answer));
        }
    }

    /// One command at its place in the one order.
    fn commit(&mut self, at: usize, command: Command, bounds: &Bounds, fault: Option<Fault>) {
        let (answer, row) = match command {
            Command::Submit(number) => (Some(self.submit(at, number, fault)), self.rows.iter().position(|row| row.referral == number)),
            Command::Withdraw(number) => (Some(self.withdraw(number, fault)), self.rows.iter().position(|row| row.referral == number)),
            Command::Start { worker, row } => {
                let lease = self.start(at, row, bounds, fault);
                let holds = |token| Worker::Holds { at, row, token, in_force: true, handed: false };
                self.workers[worker] = lease.map_or(Worker::Idle, holds);
                (None, Some(row))
            }
        };
        row.into_iter().for_each(|row| self.remember(at, row, fault));
        let answer = answer.filter(|_| fault != Some(Fault::AnsweredBeforeCommit));
        self.gateways[at].job = answer.map_or(Job::None, Job::Committed);
    }

    /// The gateway that has just written remembers what it wrote; the other one finds that the head has moved and forgets.
    fn remember(&mut self, at: usize, row: usize, fault: Option<Fault>) {
        if fault != Some(Fault::DecisionRemembered) {
            self.gateways[1 - at].remembers = 0;
        }
        let row = &self.rows[row];
        self.gateways[at].remembers &= !bit(row.referral);
        if row.state == State::Ready && self.withdrawn & bit(row.referral) == 0 {
            self.gateways[at].remembers |= bit(row.referral);
        }
    }

    /// Rows under a consent that have arrived or may have.
    fn reached(&self, consent: u8) -> Rows {
        let started = |row: &Row| row.referral == consent && row.attempts > 0;
        self.rows.iter().enumerate().filter(|(_, row)| started(row)).fold(0, |all, (row, _)| all | bit(row))
    }

    fn submit(&mut self, at: usize, number: u8, fault: Option<Fault>) -> Answer {
        if self.rows.iter().any(|row| row.referral == number) && fault != Some(Fault::AcceptedAgain) {
            return Answer::Accepted(number);
        }
        if self.withdrawn & bit(number) != 0 {
            return Answer::Refused(number);
        }
        // The clock of the second gateway is behind, which matters to nobody who does not look at it.
        let stamp = u8::from(fault == Some(Fault::OrderByWallClock) && at == 0);
        self.rows.push(Row { referral: number, state: State::Ready, attempts: 0, recalled: false, stamp });
        Answer::Accepted(number)
    }

    fn withdraw(&mut self, number: u8, fault: Option<Fault>) -> Answer {
        self.withdrawn |= bit(number);
        for row in self.rows.iter_mut().filter(|row| row.referral == number) {
            row.recalled |= row.attempts > 0;
            if row.state == State::Ready {
                row.state = State::Stopped;
            }
        }
        Answer::Withdrawn(number, if fault == Some(Fault::InFlightNotNamed) { 0 } else { self.reached(number) })
    }

    fn start(&mut self, at: usize, row: usize, bounds: &Bounds, fault: Option<Fault>) -> Option<u8> {
        let number = self.rows.get(row)?.referral;
        let claimed = fault == Some(Fault::ConsentAskedAtClaim) && !matches!(self.rows[row].state, State::Delivered | State::Dead);
        if !claimed && self.gateways[at].remembers & bit(number) == 0 {
            if !self.is_due(row, bounds, fault) {
                return None;
            }
            if self.withdrawn & bit(number) != 0 {
                self.rows[row].state = State::Stopped;
                return None;
            }
        }
        if self.rows[row].attempts >= bounds.attempts {
            self.rows[row].state = State::Dead;
            return None;
        }
        self.seen.started_late |= self.seen.withdrawn & bit(number) != 0;
        let token = self.rows[row].attempts + 1;
        if fault != Some(Fault::StartNotLogged) {
            self.rows[row].attempts = token;
            self.rows[row].state = State::Started { token, ended: false };
        }
        Some(token)
    }

    fn settle(&mut self, row: usize, token: u8, delivered: bool, bounds: &Bounds, fault: Option<Fault>) {
        let withdrawn = self.withdrawn;
        let Some(row) = self.rows.get_mut(row) else { return };
        let State::Started { token: stored, .. } = row.state else { return };
        if stored != token && fault != Some(Fault::SettledWithoutFence) {
            return;
        }
        row.state = match delivered {
            true => State::Delivered,
            false if withdrawn & bit(row.referral) != 0 => State::Stopped,
            false if row.attempts >= bounds.attempts => State::Dead,
            false => State::Ready,
        };
    }

    fn hand(&mut self, worker: usize) {
        let Worker::Holds { row, handed, .. } = &mut self.workers[worker] else { return };
        *handed = true;
        let row = *row;
        self.seen.arrived_again |= self.rows[row].state == State::Delivered;
        if !self.seen.arrived.contains(&(row as u8)) {
            self.seen.arrived.push(row as u8);
        }
    }

    // What is promised.

    /// What was answered as accepted is there.
    pub fn nothing_is_lost(&self) -> bool {
        (0..8_u8).filter(|number| self.seen.accepted & bit(*number) != 0).all(|number| self.rows.iter().any(|row| row.referral == number))
    }

    /// A call that is repeated is one call.
    pub fn nothing_is_there_twice(&self) -> bool {
        self.rows.iter().enumerate().all(|(at, row)| self.rows.iter().skip(at + 1).all(|other| other.referral != row.referral))
    }

    /// Things of one lane arrive in the order of the log.
    pub fn lanes_keep_their_order(&self, bounds: &Bounds) -> bool {
        let lane = |row: u8| bounds.lanes[usize::from(self.rows[usize::from(row)].referral)];
        let arrived = &self.seen.arrived;
        arrived.iter().enumerate().all(|(at, first)| arrived[at + 1..].iter().all(|later| lane(*first) != lane(*later) || first < later))
    }

    /// Of each lane one worker at most may hand something over.
    pub fn one_lease_at_a_time(&self, bounds: &Bounds) -> bool {
        let lanes = self.workers.iter().filter_map(|worker| match worker {
            Worker::Holds { row, in_force: true, .. } => Some(bounds.lanes[usize::from(self.rows[*row].referral)]),
            _ => None,
        });
        let lanes: Vec<_> = lanes.collect();
        let mut once = lanes.clone();
        once.sort_unstable();
        once.dedup();
        once.len() == lanes.len()
    }

    /// What has arrived and what arrives later under a consent whose withdrawal was answered was named in the answer.
    pub fn what_arrives_is_named(&self) -> bool {
        let withdrawn = |row: &u8| self.seen.withdrawn & bit(self.rows[usize::from(*row)].referral) != 0;
        self.seen.arrived.iter().filter(|row| withdrawn(row)).all(|row| self.seen.named & bit(*row) != 0)
    }

    /// Whether an answer has named something that is on its way.
    pub fn in_flight_is_named(&self) -> bool {
        self.rows.iter().enumerate().any(|(at, row)| self.seen.named & bit(at) != 0 && matches!(row.state, State::Started { .. }))
    }

    /// Whatever arrived and may not stay is called back.
    pub fn what_arrived_is_called_back(&self) -> bool {
        self.seen.arrived.iter().map(|row| &self.rows[usize::from(*row)]).all(|row| self.withdrawn & bit(row.referral) == 0 || row.recalled)
    }

    pub fn is_at_rest(&self) -> bool {
        self.rows.iter().all(|row| !row.state.is_open()) && self.gateways.iter().all(|gateway| !gateway.down && gateway.job == Job::None)
    }
}
