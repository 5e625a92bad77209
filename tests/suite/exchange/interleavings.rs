// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Thousands of made-up histories: submissions, releases, outcomes, withdrawals, answers, cancellations, repairs, new agreements, restarts and the
//! passing of time in any order, some at the same moment, on a server at two gateways in turn. The history judges each of them; then the log is
//! replayed.
//!
//! `WEICHE_HISTORIES` makes the run longer; docs/PROMISES.md has the command.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::sync::Notify;
use weiche::consent::Scope;
use weiche::dialect::Category;
use weiche::exchange::{Outcome, Outgoing, Refusal};
use weiche::id::{ConsentId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;
use super::history::{Checked, Gone, History, How, TO};

/// Histories in one run without `WEICHE_HISTORIES`; on a server a tenth of them.
const CASES: u32 = 2000;
/// Histories on one gateway, before its log is replayed and a new one begins.
const PER_DESK: u64 = 100;
/// How often something started in the batch that accepted it.
static AWAITED: AtomicU64 = AtomicU64::new(0);
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
    ]
}

struct Observer<'a> {
    desks: &'a mut Desks,
    /// Steps so far: they go to the gateways in turn.
    turn: usize,
    subjects: [String; 2],
    consents: [ConsentId; 2],
    history: History,
}

/// A gateway; on a server two on one database.
struct Desks {
    one: Desk,
    other: Option<Desk>,
}

impl Desks {
    async fn open() -> Self {
        let one = Desk::open().await;
        let other = if one.place.file().is_none() { Some(one.beside().await) } else { None };
        Self { one, other }
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
        Self { desks, turn: 0, subjects, consents: [consents[0], consents[1]], history: History::default() }
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
                self.history.accepted(*person, *to, submitted)?;
                self.handed(TO[*to], started)?;
            }
            Step::Race { person, to, awaited } => {
                let (a, b) = (self.case(*person, *to), self.case(1 - *person, *to));
                let consent = self.consents[*person];
                let withdraw = self.withdrawal(*person, consent, Scope::default());
                let all = async { tokio::join!(self.desk().submit(&a), withdraw, self.desk().submit(&b)) };
                let ((first, gone, other), started) = self.awaiting(*awaited, *to, all).await;
                self.history.accepted(*person, *to, first)?;
                self.history.accepted(1 - *person, *to, other)?;
                let (_, leaf) = gone;
                let (before, after) = started.into_iter().partition(|item| item.receipt.leaf < leaf);
                self.handed(TO[*to], before)?;
                self.history.withdrawn(Gone { person: *person, to: None, only_phone: false, leaf });
                self.handed(TO[*to], after)?;
            }
            Step::Release { to, limit } => self.release(TO[*to], *limit).await?,
            Step::ReleaseStatus => self.release(CARITAS, 3).await?,
            Step::Settle { which, how } => self.settle(*which, *how).await?,
            Step::Withdraw { person, scope } => self.withdraw(*person, *scope).await?,
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

    async fn withdrawal(&self, person: usize, consent: ConsentId, scope: Scope) -> (weiche::exchange::Withdrawn, u64) {
        let request = RequestId::random();
        let on = self.desk().on();
        if person == 1 {
            // At the recipient's counter, as long as it is one.
            let there = on.withdraw_consent(&who(JOBCENTER), request, consent, scope.clone(), "letter".into(), request.as_bytes()).await;
            if let Ok((done, receipt)) = there {
                return (done, receipt.leaf);
            }
            assert_eq!(there, Err(Refusal::NotFound));
        }
        let (done, receipt) = on.withdraw_consent(&who(CARITAS), request, consent, scope, "counter".into(), request.as_bytes()).await.unwrap();
        (done, receipt.leaf)
    }

    async fn withdraw(&mut self, person: usize, scope: usize) -> Checked {
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
        let (done, leaf) = self.withdrawal(person, self.consents[person], scope).await;
        if person == 0 && !only_phone {
            let got = [done.stopped, done.in_flight, done.recalled].map(|list| list.into_iter().collect::<BTreeSet<_>>());
            prop_assert_eq!(got, expected);
        }
        self.history.withdrawn(Gone { person, to: recipient, only_phone, leaf });
        Ok(())
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
    println!("{repaired} referrals repaired, {awaited} started in the batch that accepted them");
    assert!((repaired > 0 && awaited > 0) || histories < 1000, "they no longer come to what they are to judge");
}
