// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Thousands of made-up histories: submissions, releases, outcomes, withdrawals, answers, cancellations, restarts and the passing of time in any
//! order, some at the same moment. An observer writes down what it sees outside and checks that nothing is lost, sent twice without need, sent out
//! of order, started after a withdrawal or stuck; then the log is replayed.
//!
//! `PROPTEST_CASES` makes the run longer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use weiche::clock::Time;
use weiche::consent::Scope;
use weiche::dialect::Category;
use weiche::exchange::{Content, Outcome, Outgoing, Refusal};
use weiche::id::{ConsentId, DeliveryId, ReferralId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;

/// Histories in one run without `PROPTEST_CASES`.
const CASES: u32 = 2000;
/// Histories on one gateway, before its log is replayed and a new one begins.
const PER_DESK: u64 = 100;
const TO: [&str; 2] = [JOBCENTER, AGENTUR];

#[derive(Debug, Clone)]
enum Step {
    Submit {
        person: usize,
        to: usize,
    },
    /// Two persons' submissions and a withdrawal at the same moment.
    Race {
        person: usize,
        to: usize,
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
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Delivered,
    Unavailable,
    Invalid,
    Returned,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![4 => Just(How::Delivered), 3 => Just(How::Unavailable), 1 => Just(How::Invalid), 1 => Just(How::Returned)];
    prop_oneof![
        6 => (0..2_usize, 0..2_usize).prop_map(|(person, to)| Step::Submit { person, to }),
        1 => (0..2_usize, 0..2_usize).prop_map(|(person, to)| Step::Race { person, to }),
        6 => (0..2_usize, 1..4_u32).prop_map(|(to, limit)| Step::Release { to, limit }),
        2 => Just(Step::ReleaseStatus),
        6 => (any::<usize>(), how).prop_map(|(which, how)| Step::Settle { which, how }),
        2 => (0..2_usize, 0..4_usize).prop_map(|(person, scope)| Step::Withdraw { person, scope }),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        3 => (any::<usize>(), 0..4_usize).prop_map(|(which, state)| Step::Answer { which, state }),
        1 => any::<usize>().prop_map(|which| Step::AnswerRecall { which }),
        1 => any::<usize>().prop_map(|which| Step::Requeue { which }),
        1 => Just(Step::Expire),
        3 => prop_oneof![Just(1_u64), Just(30), Just(3600)].prop_map(|seconds| Step::Pass { seconds }),
        1 => prop_oneof![9 => Just(Step::Pass { seconds: 2 }), 1 => Just(Step::Reopen)],
    ]
}

/// What an observer outside knows of a referral.
#[derive(Debug)]
struct Seen {
    person: usize,
    to: usize,
    leaf: u64,
    /// It was handed to the recipient and not given back unsent.
    handed: bool,
    ended: bool,
}

#[derive(Debug)]
struct Held {
    item: Outgoing,
    to: String,
    over: bool,
}

struct Observer<'a> {
    desk: &'a mut Desk,
    subjects: [String; 2],
    consents: [ConsentId; 2],
    referrals: BTreeMap<String, Seen>,
    held: Vec<Held>,
    delivered: HashSet<DeliveryId>,
    put_back: HashSet<DeliveryId>,
    dead: HashSet<DeliveryId>,
    /// Per lane the leaf of submission of the referral that was handed over last for the first time.
    order: HashMap<(usize, usize), u64>,
    first_seen: HashSet<DeliveryId>,
    /// Withdrawals: person, recipient or all, only the telephone, leaf.
    withdrawn: Vec<(usize, Option<usize>, bool, u64)>,
    recalls: Vec<(String, String)>,
    statuses: HashMap<String, (ReferralState, Option<StatusReason>)>,
    cancelled: BTreeSet<String>,
}

type Checked = Result<(), TestCaseError>;

impl<'a> Observer<'a> {
    async fn new(desk: &'a mut Desk, number: u64) -> Self {
        let subjects = [format!("p-{number}-a"), format!("p-{number}-b")];
        let mut consents = Vec::new();
        for subject in &subjects {
            consents.push(desk.consent(CARITAS, subject).to(TO[0], usual()).to(TO[1], usual()).record().await);
        }
        Self {
            desk,
            subjects,
            consents: [consents[0], consents[1]],
            referrals: BTreeMap::new(),
            held: Vec::new(),
            delivered: HashSet::new(),
            put_back: HashSet::new(),
            dead: HashSet::new(),
            order: HashMap::new(),
            first_seen: HashSet::new(),
            withdrawn: Vec::new(),
            recalls: Vec::new(),
            statuses: HashMap::new(),
            cancelled: BTreeSet::new(),
        }
    }

    async fn run(&mut self, steps: &[Step]) -> Checked {
        for step in steps {
            self.one(step).await?;
        }
        self.come_to_rest().await
    }

    async fn one(&mut self, step: &Step) -> Checked {
        match step {
            Step::Submit { person, to } => {
                let submitted = self.desk.submit(&self.case(*person, *to)).await;
                self.accepted(*person, *to, submitted)?;
            }
            Step::Race { person, to } => {
                let (a, b) = (self.case(*person, *to), self.case(1 - *person, *to));
                let consent = self.consents[*person];
                let withdraw = self.withdrawal(*person, consent, Scope::default());
                let (first, gone, other) = tokio::join!(self.desk.submit(&a), withdraw, self.desk.submit(&b));
                self.accepted(*person, *to, first)?;
                self.accepted(1 - *person, *to, other)?;
                let (_, leaf) = gone;
                self.withdrawn.push((*person, None, false, leaf));
            }
            Step::Release { to, limit } => self.release(TO[*to], *limit).await?,
            Step::ReleaseStatus => self.release(CARITAS, 3).await?,
            Step::Settle { which, how } => self.settle(*which, *how).await?,
            Step::Withdraw { person, scope } => self.withdraw(*person, *scope).await?,
            Step::Cancel { which } => {
                if let Some(id) = self.any_referral(*which)
                    && self.desk.cancel(CARITAS, id.parse().unwrap()).await.is_ok()
                {
                    self.referrals.get_mut(&id).unwrap().ended = true;
                    self.cancelled.insert(id);
                }
            }
            Step::Answer { which, state } => self.answer(*which, *state).await?,
            Step::AnswerRecall { which } => {
                if !self.recalls.is_empty() {
                    let (recall, to) = self.recalls[which % self.recalls.len()].clone();
                    let answer = RecallAnswer { recall_id: recall, outcome: RecallOutcome::Deleted.number(), norm: String::new() };
                    self.desk.on().answer_recall(&who(&to), RequestId::random(), &answer, b"").await.unwrap();
                }
            }
            Step::Requeue { which } => {
                let dead = self.desk.on().dead_letters(None, 100).await.unwrap();
                let dead: Vec<_> = dead.iter().filter(|one| self.dead.contains(&one.id)).collect();
                if !dead.is_empty() {
                    let id = dead[which % dead.len()].id;
                    match self.desk.on().requeue("anna", RequestId::random(), id).await {
                        Ok(()) => {
                            self.dead.remove(&id);
                            self.put_back.insert(id);
                        }
                        Err(Refusal::WrongState(_)) => {}
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
            }
            Step::Expire => drop(self.desk.on().expire(HOUR).await.unwrap()),
            Step::Pass { seconds } => self.desk.pass(Duration::from_secs(*seconds)),
            Step::Reopen => self.desk.reopen().await,
        }
        Ok(())
    }

    fn case(&self, person: usize, to: usize) -> weiche::proto::types::Referral {
        referral(CARITAS, TO[to], &self.subjects[person], self.consents[person])
    }

    fn accepted(&mut self, person: usize, to: usize, submitted: Result<weiche::exchange::Submission, Refusal>) -> Checked {
        match submitted {
            Ok(done) => {
                let leaf = done.issued().leaf;
                let gone = self.withdrawn.iter().any(|(p, t, only_phone, at)| *p == person && t.is_none_or(|t| t == to) && !only_phone && *at < leaf);
                prop_assert!(!gone, "accepted after the withdrawal");
                self.referrals.insert(done.referral.unwrap().to_string(), Seen { person, to, leaf, handed: false, ended: false });
            }
            Err(refusal) => {
                let gone = self.withdrawn.iter().any(|(p, t, only_phone, _)| *p == person && t.is_none_or(|t| t == to) && !only_phone);
                let racing = matches!(refusal, Refusal::Denied { .. });
                prop_assert!(gone || racing, "{refusal:?}");
            }
        }
        Ok(())
    }

    fn any_referral(&self, which: usize) -> Option<String> {
        (!self.referrals.is_empty()).then(|| self.referrals.keys().nth(which % self.referrals.len()).unwrap().clone())
    }

    async fn release(&mut self, to: &str, limit: u32) -> Checked {
        let now = self.desk.now();
        let items = self.desk.on().release(&who(to), limit, LEASE).await.unwrap();
        prop_assert!(items.len() <= limit as usize);
        for item in items {
            self.handed(to, item, now)?;
        }
        Ok(())
    }

    /// Everything that must hold at the moment when something is given out.
    fn handed(&mut self, to: &str, item: Outgoing, now: Time) -> Checked {
        let id = item.id;
        prop_assert!(!self.delivered.contains(&id), "sent again after its acknowledgement");
        prop_assert!(!self.dead.contains(&id), "sent although given up");
        for held in self.held.iter_mut().filter(|held| held.item.id == id && !held.over) {
            prop_assert!(held.item.until <= now, "two leases at one time");
            prop_assert_ne!(held.item.token, item.token);
            held.over = true;
        }
        prop_assert_eq!(item.until, now.plus(LEASE));
        let first = self.first_seen.insert(id);
        match &item.content {
            Content::Referral(_) => {
                let content = item.referral();
                let text = content.referral_id.clone();
                let seen = self.referrals.get_mut(&text).ok_or_else(|| TestCaseError::fail("a referral that nobody sent"))?;
                prop_assert!(!seen.ended, "sent although it has ended");
                prop_assert_eq!(TO[seen.to], to);
                for (person, recipient, only_phone, leaf) in &self.withdrawn {
                    if *person == seen.person && recipient.is_none_or(|recipient| recipient == seen.to) && *leaf < item.receipt.leaf {
                        prop_assert!(*only_phone, "started after the withdrawal");
                        prop_assert!(!item.mask.contains(Category::Contact), "started with withdrawn data");
                        prop_assert!(content.subject.as_ref().unwrap().contact_points.is_empty(), "withdrawn data are still in it");
                    }
                }
                seen.handed = true;
                let (lane, leaf) = ((seen.person, seen.to), seen.leaf);
                if first && !self.put_back.contains(&id) {
                    let last = self.order.insert(lane, leaf);
                    prop_assert!(last.is_none_or(|last| last < leaf), "out of order");
                }
                for held in self.held.iter().filter(|held| !held.over && held.item.until > now) {
                    if matches!(held.item.content, Content::Referral(_)) {
                        let other = &self.referrals[&held.item.referral().referral_id];
                        let allowed = self.put_back.contains(&id) || self.put_back.contains(&held.item.id);
                        prop_assert!(allowed || (other.person, other.to) != lane, "two of one lane at one time");
                    }
                }
            }
            Content::Status(change) => {
                prop_assert_eq!(to, CARITAS);
                prop_assert!(!change.sender_case_number.is_empty());
                if !self.put_back.contains(&id) {
                    self.statuses.insert(change.referral_id.clone(), told(change));
                }
            }
            Content::Recall(notice) => {
                let seen = &self.referrals[&notice.referral_id];
                prop_assert_eq!(TO[seen.to], to);
                prop_assert!(seen.handed, "a recall of what never left");
                if !self.recalls.iter().any(|(known, _)| *known == notice.recall_id) {
                    self.recalls.push((notice.recall_id.clone(), to.to_owned()));
                }
            }
        }
        self.held.push(Held { item, to: to.to_owned(), over: false });
        Ok(())
    }

    async fn settle(&mut self, which: usize, how: How) -> Checked {
        if self.held.is_empty() {
            return Ok(());
        }
        let at = which % self.held.len();
        let (id, token, over) = (self.held[at].item.id, self.held[at].item.token, self.held[at].over);
        let outcome = match how {
            How::Delivered => Outcome::Delivered,
            How::Unavailable => unavailable(),
            How::Invalid => invalid(),
            How::Returned => Outcome::Returned,
        };
        let by = which.is_multiple_of(2).then(|| who(&self.held[at].to));
        match self.desk.on().settle(by.as_ref(), id, token, outcome).await {
            Ok(()) if self.delivered.contains(&id) => prop_assert_eq!(how, How::Delivered),
            Ok(()) => {
                prop_assert!(!over, "an old lease counted");
                self.held[at].over = true;
                match how {
                    How::Delivered => drop(self.delivered.insert(id)),
                    // Of a referral that has ended meanwhile it is no dead letter, it is just not tried again.
                    How::Invalid => drop(self.dead.insert(id)),
                    How::Unavailable | How::Returned => {}
                }
            }
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::StaleLease);
                // Its lease was over, or the referral was answered, stopped or blocked meanwhile.
                let answered = matches!(self.held[at].item.content, Content::Referral(_));
                prop_assert!(over || answered);
                self.held[at].over = true;
            }
        }
        Ok(())
    }

    async fn withdrawal(&self, person: usize, consent: ConsentId, scope: Scope) -> (weiche::exchange::Withdrawn, u64) {
        let request = RequestId::random();
        let on = self.desk.on();
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
        let done_before = |seen: &Seen, withdrawn: &[(usize, Option<usize>, bool, u64)]| {
            withdrawn.iter().any(|(p, t, phone, _)| *p == seen.person && t.is_none_or(|t| t == seen.to) && (!phone || only_phone))
        };
        for (id, seen) in &self.referrals {
            let named = seen.person == person && recipient.is_none_or(|to| to == seen.to) && !done_before(seen, &self.withdrawn);
            if !named || person != 0 {
                continue;
            }
            let id_parsed: ReferralId = id.parse().unwrap();
            let (state, _) = self.desk.state(CARITAS, id_parsed).await;
            let under_way = self.held.iter().any(|held| !held.over && held.item.is_referral(id));
            match state {
                ReferralState::Submitted if under_way => drop(expected[1].insert(id_parsed)),
                ReferralState::Submitted | ReferralState::Blocked if !only_phone => drop(expected[0].insert(id_parsed)),
                state if state.is_at_recipient() => drop(expected[2].insert(id_parsed)),
                _ => {}
            }
        }
        let (done, leaf) = self.withdrawal(person, self.consents[person], scope).await;
        if person == 0 && !only_phone {
            let got = [done.stopped, done.in_flight, done.recalled].map(|list| list.into_iter().collect::<BTreeSet<_>>());
            prop_assert_eq!(got, expected);
        }
        self.withdrawn.push((person, recipient, only_phone, leaf));
        if !only_phone {
            for seen in self.referrals.values_mut().filter(|seen| seen.person == person && recipient.is_none_or(|to| to == seen.to)) {
                seen.ended = true;
            }
        }
        Ok(())
    }

    async fn answer(&mut self, which: usize, state: usize) -> Checked {
        use ReferralState::*;
        let Some(id) = self.any_referral(which) else { return Ok(()) };
        let seen = &self.referrals[&id];
        let state = [Accepted, Rejected, InProgress, Completed][state];
        let result = self.desk.answer(TO[seen.to], id.parse().unwrap(), state, Some(StatusReason::NoCapacity)).await;
        prop_assert!(seen.handed || result == Err(Refusal::NotFound), "answered what was never sent: {result:?}");
        prop_assert!(self.desk.answer(TO[1 - seen.to], id.parse().unwrap(), state, None).await == Err(Refusal::NotFound));
        if result.is_ok_and(|moved| moved.state != Recalled) {
            // It stands for the acknowledgement.
            for held in &mut self.held {
                if held.item.is_referral(&id) {
                    held.over = true;
                    self.delivered.insert(held.item.id);
                    self.dead.remove(&held.item.id);
                }
            }
        }
        Ok(())
    }

    /// Faults stop, time passes, everybody acknowledges: nothing is stuck, nothing is lost, everybody knows.
    async fn come_to_rest(&mut self) -> Checked {
        self.desk.pass(HOUR);
        for turn in 0.. {
            prop_assert!(turn < 100, "it does not come to rest");
            let mut moved = false;
            for to in [TO[0], TO[1], CARITAS] {
                let bell = self.desk.on().wake().bell(&who(to));
                let now = self.desk.now();
                let items = self.desk.on().release(&who(to), 100, LEASE).await.unwrap();
                let rang = futures_util::FutureExt::now_or_never(bell.notified()).is_some();
                moved |= rang || !items.is_empty();
                for item in items {
                    let (id, token) = (item.id, item.token);
                    self.handed(to, item, now)?;
                    self.desk.on().settle(None, id, token, Outcome::Delivered).await.unwrap();
                    self.delivered.insert(id);
                    self.held.last_mut().unwrap().over = true;
                }
            }
            if !moved {
                break;
            }
        }
        for queue in self.desk.on().queues().await.unwrap().values() {
            prop_assert_eq!(queue.open, 0, "stuck");
        }
        let dead: Vec<_> = self.desk.on().dead_letters(None, 10_000).await.unwrap();
        let kept = self.desk.on().referrals(&who(CARITAS), None, None, 100).await.unwrap();
        for id in self.referrals.keys() {
            let overview = kept.iter().find(|one| one.referral.id.to_string() == *id).ok_or_else(|| TestCaseError::fail("lost"))?;
            let (state, reason) = (overview.referral.state, overview.referral.reason);
            let is_dead = dead.iter().any(|one| one.id == overview.referral.delivery);
            prop_assert!(state != ReferralState::Submitted || is_dead, "neither delivered nor ended: {state:?}");
            prop_assert!(state != ReferralState::Blocked, "nothing in these histories expires");
            let status_died = dead.iter().any(|one| one.referral.to_string() == *id && one.kind != weiche::outbox::Kind::Referral);
            use ReferralState::{Accepted, Completed, Expired, Recalled, Rejected};
            if matches!(state, Recalled | Expired | Accepted | Rejected | Completed) && !status_died {
                // Behind a step that is not told it sees that the case was taken, without a reason.
                let told = self.statuses.get(id).map(|(state, reason)| (*state, reason.filter(|_| !overview.quiet)));
                prop_assert_eq!(told, Some((state, reason)), "the sender was told something else");
            }
            let called_back = self.held.iter().any(|held| matches!(&held.item.content, Content::Recall(notice) if notice.referral_id == *id));
            let must = matches!(state, ReferralState::Recalled) || self.cancelled.contains(id);
            if must && self.arrived(id) && !status_died {
                prop_assert!(called_back, "it may be there and was not called back");
            }
        }
        Ok(())
    }

    /// The recipient has acknowledged it.
    fn arrived(&self, id: &str) -> bool {
        self.held.iter().any(|held| self.delivered.contains(&held.item.id) && held.item.is_referral(id))
    }
}

/// One core's share of the histories.
fn histories(cases: u32, share: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let desk = std::cell::RefCell::new(None::<Desk>);
    let number = std::cell::Cell::new(share << 32);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&prop::collection::vec(step(), 1..32), |steps| {
        runtime.block_on(async {
            // A gateway on which a history failed is not used again.
            let kept = desk.borrow_mut().take();
            let mut here = match kept {
                Some(desk) => desk,
                None => Desk::open().await,
            };
            number.set(number.get() + 1);
            Observer::new(&mut here, number.get()).await.run(&steps).await?;
            if number.get().is_multiple_of(PER_DESK) {
                super::replay::check(&here).await;
                here.verify_log().await;
            } else {
                desk.borrow_mut().replace(here);
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    if let Some(last) = desk.take() {
        runtime.block_on(async {
            super::replay::check(&last).await;
            last.verify_log().await;
        });
    }
}

#[test]
fn no_history_breaks_a_promise() {
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let each = cases.div_ceil(u32::try_from(cores).unwrap());
    std::thread::scope(|scope| {
        for share in 0..cores {
            scope.spawn(move || histories(each, share as u64));
        }
    });
}
