// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Thousands of made-up histories: submissions, releases, outcomes, withdrawals, answers, cancellations, repairs, new agreements, restarts and the
//! passing of time in any order, some at the same moment, on a server at two gateways in turn; commits that fail, are slow, or happen without an answer;
//! clocks that are wrong and jump. The history judges each of them; then the log is replayed.
//!
//! `WEICHE_HISTORIES` makes the run longer; docs/PROMISES.md has the command.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::sync::Notify;
use weiche::clock::Time;
use weiche::consent::Scope;
use weiche::dialect::Category;
use weiche::exchange::{Outcome, Outgoing, Refusal, Submission, Withdrawn};
use weiche::id::{ConsentId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;
use super::history::{Checked, Gone, History, How, TO};
use super::trouble::Fault;

/// Histories in one run without `WEICHE_HISTORIES`; on a server a tenth of them.
const CASES: u32 = 2000;
/// Histories on one gateway, before its log is replayed and a new one begins.
const PER_DESK: u64 = 100;
/// How often something started in the batch that accepted it.
static AWAITED: AtomicU64 = AtomicU64::new(0);
/// How often a call met a fault.
static TROUBLED: AtomicU64 = AtomicU64::new(0);
/// How often something blocked was repaired in this run.
static REPAIRED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone)]
enum Step {
    /// With somebody waiting for it, or not.
    Submit {
        person: usize,
        to: usize,
        awaited: Option<bool>,
    },
    /// Two persons' submissions and a withdrawal at the same moment.
    Race {
        person: usize,
        to: usize,
        awaited: Option<bool>,
    },
    Release {
        to: usize,
        limit: u32,
    },
    ReleaseStatus,
    Settle {
        which: usize,
        how: How,
    },
    Withdraw {
        person: usize,
        scope: usize,
    },
    Cancel {
        which: usize,
    },
    Answer {
        which: usize,
        state: usize,
    },
    AnswerRecall {
        which: usize,
    },
    Requeue {
        which: usize,
    },
    Expire,
    Pass {
        seconds: u64,
    },
    Reopen,
    /// The agreement loses its routes, or has them again.
    Adopt {
        closed: bool,
    },
    Resubmit {
        which: usize,
    },
    /// A call that meets a fault: whatever came of it, the caller asks again, as it must.
    Troubled {
        fault: Fault,
        what: Call,
    },
    /// A machine's clock is set to be wrong by so many hours; on a file, whose gateway has no other, it jumps by them.
    Jump {
        which: usize,
        hours: i64,
    },
}

#[derive(Debug, Clone)]
enum Call {
    Submit { person: usize, to: usize },
    Withdraw { person: usize, scope: usize },
    Deliver { which: usize },
    Release { to: usize },
}

fn troubled() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![3 => Just(Fault::Fails), 3 => Just(Fault::Unanswered), 1 => Just(Fault::Slow)];
    let call = prop_oneof![
        3 => (0..2_usize, 0..2_usize).prop_map(|(person, to)| Call::Submit { person, to }),
        1 => (0..2_usize, 0..4_usize).prop_map(|(person, scope)| Call::Withdraw { person, scope }),
        2 => any::<usize>().prop_map(|which| Call::Deliver { which }),
        2 => (0..2_usize).prop_map(|to| Call::Release { to }),
    ];
    (fault, call).prop_map(|(fault, what)| Step::Troubled { fault, what })
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![4 => Just(How::Delivered), 3 => Just(How::Unavailable), 1 => Just(How::Invalid), 1 => Just(How::Returned)];
    prop_oneof![
        6 => (0..2_usize, 0..2_usize, any::<Option<bool>>()).prop_map(|(person, to, awaited)| Step::Submit { person, to, awaited }),
        1 => (0..2_usize, 0..2_usize, any::<Option<bool>>()).prop_map(|(person, to, awaited)| Step::Race { person, to, awaited }),
        6 => (0..2_usize, 1..4_u32).prop_map(|(to, limit)| Step::Release { to, limit }),
        2 => Just(Step::ReleaseStatus),
        6 => (any::<usize>(), how).prop_map(|(which, how)| Step::Settle { which, how }),
        2 => (0..2_usize, 0..4_usize).prop_map(|(person, scope)| Step::Withdraw { person, scope }),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        3 => (any::<usize>(), 0..4_usize).prop_map(|(which, state)| Step::Answer { which, state }),
        1 => any::<usize>().prop_map(|which| Step::AnswerRecall { which }),
        1 => any::<usize>().prop_map(|which| Step::Requeue { which }),
        1 => Just(Step::Expire),
        1 => any::<bool>().prop_map(|closed| Step::Adopt { closed }),
        2 => any::<usize>().prop_map(|which| Step::Resubmit { which }),
        3 => prop_oneof![Just(1_u64), Just(30), Just(3600)].prop_map(|seconds| Step::Pass { seconds }),
        1 => prop_oneof![9 => Just(Step::Pass { seconds: 2 }), 1 => Just(Step::Reopen)],
        2 => troubled(),
        1 => (0..2_usize, prop_oneof![Just(-24_i64), Just(-1), Just(1), Just(24)]).prop_map(|(which, hours)| Step::Jump { which, hours }),
    ]
}

struct Observer<'a> {
    desks: &'a mut Desks,
    /// Steps so far: they go to the gateways in turn.
    turn: usize,
    subjects: [String; 2],
    consents: [ConsentId; 2],
    history: History,
    /// The latest that it ever was.
    latest: Time,
}

/// A gateway; on a server two on one database.
struct Desks {
    one: Desk,
    other: Option<Desk>,
}

impl Desks {
    async fn open() -> Self {
        let one = Desk::open_in_trouble().await;
        let other = if one.place.file().is_none() { Some(one.beside().await) } else { None };
        Self { one, other }
    }

    /// Until every gateway works.
    async fn are_back(&self) {
        for desk in [Some(&self.one), self.other.as_ref()].into_iter().flatten() {
            let mut tries = 0;
            while desk.on().release(&who(AWO), 1, LEASE).await.is_err() {
                tries += 1;
                assert!(tries < 500, "back within ten seconds");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn check(&self) {
        // What the other one has written is shown here after the next command, or a moment later without one.
        self.one.release(AWO).await;
        super::replay::check(&self.one).await;
        self.one.verify_log().await;
    }
}

impl<'a> Observer<'a> {
    async fn new(desks: &'a mut Desks, number: u64) -> Self {
        let subjects = [format!("p-{number}-a"), format!("p-{number}-b")];
        let mut consents = Vec::new();
        for subject in &subjects {
            consents.push(desks.one.consent(CARITAS, subject).to(TO[0], usual()).to(TO[1], usual()).record().await);
        }
        let latest = desks.one.now();
        Self { desks, turn: 0, subjects, consents: [consents[0], consents[1]], history: History::default(), latest }
    }

    /// Whose turn it is.
    fn desk(&self) -> &Desk {
        self.desks.other.as_ref().filter(|_| self.turn % 2 == 1).unwrap_or(&self.desks.one)
    }

    async fn run(&mut self, steps: &[Step]) -> Checked {
        for step in steps {
            self.turn += 1;
            self.one(step).await?;
        }
        self.come_to_rest().await
    }

    async fn one(&mut self, step: &Step) -> Checked {
        match step {
            Step::Submit { person, to, awaited } => {
                let case = self.case(*person, *to);
                let (submitted, started) = self.awaiting(*awaited, *to, self.desk().submit(&case)).await;
                self.history.accepted(*person, *to, answer_to(submitted))?;
                self.handed(TO[*to], started)?;
            }
            Step::Race { person, to, awaited } => {
                let (a, b) = (self.case(*person, *to), self.case(1 - *person, *to));
                let consent = self.consents[*person];
                let request = RequestId::random();
                let everything = Scope::default();
                let withdraw = self.withdrawal(*person, consent, &everything, request);
                let all = async { tokio::join!(self.desk().submit(&a), withdraw, self.desk().submit(&b)) };
                let ((first, gone, other), started) = self.awaiting(*awaited, *to, all).await;
                self.history.accepted(*person, *to, answer_to(first))?;
                self.history.accepted(1 - *person, *to, answer_to(other))?;
                let (_, leaf) = gone.unwrap();
                let (before, after) = started.into_iter().partition(|item| item.receipt.leaf < leaf);
                self.handed(TO[*to], before)?;
                self.history.withdrawn(Gone { person: *person, to: None, only_phone: false, leaf });
                self.handed(TO[*to], after)?;
            }
            Step::Release { to, limit } => self.release(TO[*to], *limit).await?,
            Step::ReleaseStatus => self.release(CARITAS, 3).await?,
            Step::Settle { which, how } => self.settle(*which, *how).await?,
            Step::Withdraw { person, scope } => self.withdraw(*person, *scope, None).await?,
            Step::Troubled { fault, what } => self.troubled(*fault, what).await?,
            Step::Jump { which, hours } => self.jump(*which, hours * 3_600_000),
            Step::Cancel { which } => {
                if let Some(id) = self.history.any_referral(*which)
                    && self.desk().cancel(CARITAS, id.parse().unwrap()).await.is_ok()
                {
                    self.history.referrals.get_mut(&id).unwrap().ended = true;
                    self.history.cancelled.insert(id);
                }
            }
            Step::Answer { which, state } => self.answer(*which, *state).await?,
            Step::AnswerRecall { which } => {
                if !self.history.recalls.is_empty() {
                    let (recall, to) = self.history.recalls[which % self.history.recalls.len()].clone();
                    let answer = RecallAnswer { recall_id: recall, outcome: RecallOutcome::Deleted.number(), norm: String::new() };
                    self.desk().on().answer_recall(&who(&to), RequestId::random(), &answer, b"").await.unwrap();
                }
            }
            Step::Requeue { which } => {
                let dead = self.desk().on().dead_letters(None, 100).await.unwrap();
                let dead: Vec<_> = dead.iter().filter(|one| self.history.dead.contains(&one.id)).collect();
                if !dead.is_empty() {
                    let id = dead[which % dead.len()].id;
                    match self.desk().on().requeue("anna", RequestId::random(), id).await {
                        Ok(()) => {
                            self.history.dead.remove(&id);
                            self.history.put_back.insert(id);
                        }
                        Err(Refusal::WrongState(_)) => {}
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
            }
            Step::Expire => drop(self.desk().on().expire(HOUR).await.unwrap()),
            Step::Pass { seconds } => self.desk().pass(Duration::from_secs(*seconds)),
            Step::Reopen => self.desks.one.reopen().await,
            Step::Adopt { closed } => self.adopt(*closed).await,
            Step::Resubmit { which } => {
                if let Some(id) = self.history.any_referral(*which) {
                    self.resubmit(&id).await?;
                }
            }
        }
        Ok(())
    }

    fn case(&self, person: usize, to: usize) -> weiche::proto::types::Referral {
        referral(CARITAS, TO[to], &self.subjects[person], self.consents[person])
    }

    async fn release(&mut self, to: &str, limit: u32) -> Checked {
        let items = self.desk().on().release(&who(to), limit, LEASE).await.unwrap();
        prop_assert!(items.len() <= limit as usize);
        self.handed(to, items)
    }

    /// Does something while somebody waits for what comes of it for a recipient (and for what is due already), or nobody.
    async fn awaiting<T>(&self, somebody: Option<bool>, to: usize, what: impl Future<Output = T>) -> (T, Vec<Outgoing>) {
        let Some(due) = somebody else { return (what.await, Vec::new()) };
        let done = Notify::new();
        let (recipient, what) = (who(TO[to]), what.inspect(|_| done.notify_one()));
        let (started, result) = tokio::join!(self.desk().on().release_next(&recipient, (2, LEASE), due, done.notified()), what);
        let started = self.desk().on().unseal(started.unwrap()).await.unwrap();
        if !due {
            AWAITED.fetch_add(started.len() as u64, Relaxed);
        }
        (result, started)
    }

    fn handed(&mut self, to: &str, items: Vec<Outgoing>) -> Checked {
        let now = self.desk().now();
        for item in items {
            prop_assert_eq!(item.until, now.plus(LEASE));
            self.history.handed(to, item, now)?;
        }
        Ok(())
    }

    async fn settle(&mut self, which: usize, how: How) -> Checked {
        if self.history.held.is_empty() {
            return Ok(());
        }
        let at = which % self.history.held.len();
        let (id, token) = (self.history.held[at].item.id, self.history.held[at].item.token);
        let outcome = match how {
            How::Delivered => Outcome::Delivered,
            How::Unavailable => unavailable(),
            How::Invalid => invalid(),
            How::Returned => Outcome::Returned,
        };
        let by = which.is_multiple_of(2).then(|| who(&self.history.held[at].to));
        let result = self.desk().on().settle(by.as_ref(), id, token, outcome).await;
        self.history.settled(at, how, result, self.desk().now())
    }

    async fn withdrawal(&self, person: usize, consent: ConsentId, scope: &Scope, request: RequestId) -> Result<(Withdrawn, u64), Refusal> {
        let on = self.desk().on();
        if person == 1 {
            // At the recipient's counter, as long as it is one.
            let there = on.withdraw_consent(&who(JOBCENTER), request, consent, scope.clone(), "letter".into(), request.as_bytes()).await;
            match there {
                Err(Refusal::NotFound) => {}
                there => return there.map(|(done, receipt)| (done, receipt.leaf)),
            }
        }
        let there = on.withdraw_consent(&who(CARITAS), request, consent, scope.clone(), "counter".into(), request.as_bytes()).await;
        there.map(|(done, receipt)| (done, receipt.leaf))
    }

    async fn withdraw(&mut self, person: usize, scope: usize, fault: Option<Fault>) -> Checked {
        let (scope, recipient, only_phone) = match scope {
            0 => (Scope::default(), None, false),
            1 => (Scope { recipient: Some(who(TO[0])), ..Scope::default() }, Some(0), false),
            2 => (Scope { recipient: Some(who(TO[1])), ..Scope::default() }, Some(1), false),
            _ => (Scope { categories: Category::Contact.mask(), ..Scope::default() }, None, true),
        };
        // What the sender should be told: by what it can see itself.
        let mut expected = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        for (id, seen) in &self.history.referrals {
            let named = seen.person == person && recipient.is_none_or(|to| to == seen.to) && !self.history.was_withdrawn(seen, only_phone);
            if !named || person != 0 {
                continue;
            }
            let overview = self.desk().on().referral(&who(CARITAS), id).await.unwrap().0.referral;
            if let Some(list) = self.history.to_be_named(overview.state, &overview.delivery) {
                expected[list].insert(overview.id);
            }
        }
        let (consent, request) = (self.consents[person], RequestId::random());
        let withdrawn = match fault {
            Some(fault) => self.under(fault, async |here| here.withdrawal(person, consent, &scope, request).await).await,
            None => self.withdrawal(person, consent, &scope, request).await,
        };
        let (done, leaf) = withdrawn.map_err(|refusal| TestCaseError::fail(format!("a withdrawal was refused: {refusal:?}")))?;
        if person == 0 && !only_phone {
            let got = [done.stopped, done.in_flight, done.recalled].map(|list| list.into_iter().collect::<BTreeSet<_>>());
            prop_assert_eq!(got, expected);
        }
        self.history.withdrawn(Gone { person, to: recipient, only_phone, leaf });
        Ok(())
    }

    async fn troubled(&mut self, fault: Fault, what: &Call) -> Checked {
        TROUBLED.fetch_add(1, Relaxed);
        match *what {
            Call::Submit { person, to } => {
                let (case, request) = (self.case(person, to), RequestId::random());
                let submitted = self.under(fault, async |here| here.desk().submit_as(request, &case).await).await;
                self.history.accepted(person, to, answer_to(submitted))
            }
            Call::Withdraw { person, scope } => self.withdraw(person, scope, Some(fault)).await,
            Call::Deliver { which } if !self.history.held.is_empty() => {
                let at = which % self.history.held.len();
                let (id, token) = (self.history.held[at].item.id, self.history.held[at].item.token);
                let result = self.under(fault, async |here| here.desk().on().settle(None, id, token, Outcome::Delivered).await).await;
                self.history.settled(at, How::Delivered, result, self.desk().now())
            }
            Call::Release { to } => {
                // What was started and never heard of waits for the end of its lease, and nobody outside can know of it: only what did not happen.
                let fault = if self.desks.other.is_some() || fault == Fault::Unanswered { Fault::Slow } else { fault };
                let items = self.under(fault, async |here| here.desk().on().release(&who(TO[to]), 3, LEASE).await).await.unwrap();
                self.handed(TO[to], items)
            }
            Call::Deliver { .. } => Ok(()),
        }
    }

    /// Makes a call under a fault. Whoever gets no answer asks again until there is one.
    async fn under<T>(&mut self, fault: Fault, call: impl AsyncFn(&Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let trouble = self.desk().trouble.as_ref().unwrap();
        if self.desks.other.is_some() {
            trouble.next(Some(fault));
            let mut result = call(self).await;
            trouble.next(None);
            self.desks.are_back().await;
            for _ in 0..100 {
                if !matches!(result, Err(Refusal::Unavailable)) {
                    break;
                }
                result = call(self).await;
            }
            return result;
        }
        let guard = self.desks.one.path().join("guard");
        let noted = std::fs::read(&guard).unwrap();
        trouble.next(Some(fault));
        let result = call(self).await;
        trouble.next(None);
        match fault {
            Fault::Unanswered => {
                // Killed after the commit, and before the head was noted beside the key.
                self.desks.one.stop().await;
                std::fs::write(&guard, noted).unwrap();
                self.desks.one.start().await.unwrap();
            }
            Fault::Fails if matches!(result, Err(Refusal::Unavailable)) => {
                assert_eq!(
                    self.desk().on().release(&who(AWO), 1, LEASE).await.unwrap_err(),
                    Refusal::Unavailable,
                    "nobody knows what the disk holds"
                );
                self.desks.one.begin_anew().await;
            }
            // Refused without writing anything, or just late.
            Fault::Fails | Fault::Slow => return result,
        }
        call(self).await
    }

    fn jump(&mut self, which: usize, by: i64) {
        if let Some(other) = &self.desks.other {
            let trouble = [&self.desks.one, other][which].trouble.as_ref();
            trouble.unwrap().own.by.store(by, SeqCst);
            return;
        }
        let now = self.desk().now();
        self.latest = self.latest.max(now);
        self.history.jumps(now);
        self.desk().set(Time(now.0 + by));
    }

    async fn answer(&mut self, which: usize, state: usize) -> Checked {
        use ReferralState::*;
        let Some(id) = self.history.any_referral(which) else { return Ok(()) };
        let to = self.history.referrals[&id].to;
        let state = [Accepted, Rejected, InProgress, Completed][state];
        let result = self.desk().answer(TO[to], id.parse().unwrap(), state, Some(StatusReason::NoCapacity)).await;
        self.history.answered(&id, result)?;
        prop_assert!(self.desk().answer(TO[1 - to], id.parse().unwrap(), state, None).await == Err(Refusal::NotFound));
        Ok(())
    }

    /// The agreement loses its routes, or has them again.
    async fn adopt(&mut self, closed: bool) {
        if closed == self.history.closed {
            return;
        }
        let routes = |line: &&str| !closed || !line.starts_with("JOB_SEARCH");
        let text = BREMEN.lines().filter(routes).collect::<Vec<_>>().join("\n");
        self.desks.one.adopt(&text).await;
        self.history.closed = closed;
    }

    async fn resubmit(&mut self, id: &str) -> Checked {
        match self.desk().resubmit(CARITAS, id.parse().unwrap(), None).await {
            Ok(done) => {
                REPAIRED.fetch_add(1, Relaxed);
                self.history.repaired(id, done.issued().leaf)
            }
            Err(Refusal::Denied { .. } | Refusal::Step(_)) => Ok(()),
            Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    /// Faults stop, time passes, everybody acknowledges: nothing is stuck, nothing is lost, everybody knows.
    async fn come_to_rest(&mut self) -> Checked {
        // Clocks are set right in the end.
        self.desk().set(self.desk().now().max(self.latest));
        self.adopt(false).await;
        for id in self.history.referrals.keys().cloned().collect::<Vec<_>>() {
            self.resubmit(&id).await?;
        }
        self.desk().pass(HOUR);
        for turn in 0.. {
            prop_assert!(turn < 100, "it does not come to rest");
            let mut moved = false;
            for to in [TO[0], TO[1], CARITAS] {
                let bell = self.desk().on().wake().bell(&who(to));
                let now = self.desk().now();
                let items = self.desk().on().release(&who(to), 100, LEASE).await.unwrap();
                let rang = futures_util::FutureExt::now_or_never(bell.notified()).is_some();
                moved |= rang || !items.is_empty();
                for item in items {
                    let (id, token) = (item.id, item.token);
                    self.history.handed(to, item, now)?;
                    self.desk().on().settle(None, id, token, Outcome::Delivered).await.unwrap();
                    self.history.acknowledged();
                }
            }
            if !moved {
                break;
            }
        }
        self.history.at_rest(self.desk()).await
    }
}

/// What the answer to a submission says.
fn answer_to(submitted: Result<Submission, Refusal>) -> Result<(String, u64), Refusal> {
    submitted.map(|done| (done.referral.unwrap().to_string(), done.issued().leaf))
}

/// One core's share of the histories.
fn histories(cases: u32, share: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let desk = std::cell::RefCell::new(None::<Desks>);
    let number = std::cell::Cell::new(share << 32);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&prop::collection::vec(step(), 1..32), |steps| {
        runtime.block_on(async {
            // A gateway on which a history failed is not used again.
            let kept = desk.borrow_mut().take();
            let mut here = match kept {
                Some(desks) => desks,
                None => Desks::open().await,
            };
            number.set(number.get() + 1);
            Observer::new(&mut here, number.get()).await.run(&steps).await?;
            if number.get().is_multiple_of(PER_DESK) {
                here.check().await;
            } else {
                desk.borrow_mut().replace(here);
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    if let Some(last) = desk.take() {
        runtime.block_on(async {
            last.check().await;
        });
    }
}

#[test]
fn no_history_breaks_a_promise() {
    let server = std::env::var("WEICHE_TEST_STORE").is_ok();
    let started = weiche::clock::Stopwatch::start();
    let cases = std::env::var("WEICHE_HISTORIES").map_or(if server { CASES / 10 } else { CASES }, |histories| histories.parse().unwrap());
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let each = cases.div_ceil(u32::try_from(cores).unwrap());
    std::thread::scope(|scope| {
        for share in 0..cores {
            scope.spawn(move || histories(each, share as u64));
        }
    });
    let (repaired, awaited) = (REPAIRED.load(Relaxed), AWAITED.load(Relaxed));
    let (histories, took) = (u64::from(each) * cores as u64, started.elapsed());
    println!("{histories} histories in {took:.0?}, {:.0} per second", histories as f64 / took.as_secs_f64());
    println!("{repaired} referrals repaired, {awaited} started in the batch that accepted them, {} calls met a fault", TROUBLED.load(Relaxed));
    assert!((repaired > 0 && awaited > 0) || histories < 1000, "they no longer come to what they are to judge");
}
