// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Takes what is due for one recipient and has it done: as many at one time and as many per second as agreed, each within its lease.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::outcome;
use super::pace::Pace;
use super::way::Way;
use crate::agreement::Pacing;
use crate::exchange::Outcome;

/// When only a few places are free, more become free in a moment: a release for each would cost a place in a commit each.
const GATHER: Duration = Duration::from_millis(2);
/// Deliveries taken at one time at most: the writer holds them all in one transaction.
const MOST: u32 = 256;

/// Where a worker's items come from and what is done with them.
pub(super) trait Work: Send + Sync + 'static {
    /// One piece of work under its lease.
    type Item: Send + Sync + 'static;
    /// Several, sealed.
    type Started: Send + 'static;
    /// Waits for what comes next and starts at most `limit` of it, with `due` also what is due already; says how many. None if `until` ends first.
    fn next(&self, limit: u32, due: bool, until: impl Future<Output = ()> + Send) -> impl Future<Output = (u32, Self::Started)> + Send;
    /// What was started.
    fn unseal(&self, started: Self::Started) -> impl Future<Output = Vec<Self::Item>> + Send;
    /// Whether the lease of the item leaves time to begin.
    fn holds(&self, item: &Self::Item) -> bool;
    /// Does it. Ends within the lease.
    fn attempt(&self, item: &Self::Item) -> impl Future<Output = Outcome> + Send;
    /// The recipient can be reached again, or no longer.
    fn reached(&self, is: bool);
    /// Notes what became of it.
    fn settle(&self, item: Self::Item, outcome: Outcome) -> impl Future<Output = ()> + Send;
}

/// How a worker and its attempts end.
#[derive(Clone)]
pub(super) struct Ends {
    /// Take nothing more; what has begun goes on.
    pub(super) stop: CancellationToken,
    /// Let go of what is under way.
    pub(super) cut: CancellationToken,
    /// Where attempts live.
    pub(super) tasks: TaskTracker,
}

/// Works until `ends.stop`. `bell` rings when something may have become due.
pub(super) async fn run<W: Work>(work: Arc<W>, bell: Arc<Notify>, pacing: Pacing, ends: Ends) {
    let most = usize::try_from(pacing.in_flight.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let mut pace = Pace::new(pacing.per_second, Instant::now());
    let way = Arc::new(Way::default());
    // Calls on the closed way so far; taken in the last round.
    let (mut closed, mut taken) = (0, 0);
    // What was left by an earlier process rings no bell.
    let mut due = true;
    loop {
        let turn = async {
            // Only this task takes places, so there are at least as many afterwards.
            let free = places.acquire().await;
            drop(free);
            if !way.is_open() && taken > 0 {
                closed += 1;
                way.wait(closed).await;
            } else if places.available_permits() * 4 < most {
                tokio::time::sleep(GATHER).await;
            }
            loop {
                match pace.available(Instant::now()) {
                    0 => tokio::time::sleep(pace.wait()).await,
                    available => break available,
                }
            }
        };
        let available = tokio::select! {
            biased;
            () = ends.stop.cancelled() => return,
            available = turn => available,
        };
        // Whoever cannot be reached is asked with one at a time: the others stay as they are, with all their attempts.
        let at_once = if way.is_open() { MOST } else { 1 };
        closed = if way.is_open() { 0 } else { closed };
        let limit = available.min(at_once).min(u32::try_from(places.available_permits()).unwrap_or(MOST));
        let until = async {
            tokio::select! {
                biased;
                () = bell.notified() => {}
                () = ends.stop.cancelled() => {}
            }
        };
        // Not within a select: what has been started must get its attempt, or be put back.
        let started;
        (taken, started) = work.next(limit, due, until).await;
        // Rung: see what is there. As many as asked for: there may be more.
        due = taken == 0 || taken >= limit;
        if taken > 0 {
            pace.take(taken);
            let places = places.clone().try_acquire_many_owned(taken).ok();
            // Beside the next round: what the writer does meanwhile must find somebody who waits for it.
            ends.tasks.spawn(all(work.clone(), started, places, (way.clone(), ends.clone())));
        }
    }
}

/// Unseals what was started and has it done.
async fn all<W: Work>(work: Arc<W>, started: W::Started, mut places: Option<OwnedSemaphorePermit>, (way, ends): (Arc<Way>, Ends)) {
    for item in work.unseal(started).await {
        let place = places.as_mut().and_then(|places| places.split(1));
        ends.tasks.spawn(one(work.clone(), item, place, (way.clone(), ends.clone())));
    }
}

/// One attempt, from lease to outcome.
async fn one<W: Work>(work: Arc<W>, item: W::Item, place: Option<OwnedSemaphorePermit>, (way, ends): (Arc<Way>, Ends)) {
    let outcome = if ends.stop.is_cancelled() || !work.holds(&item) {
        // Not a byte has left: it goes back as it was.
        Outcome::Returned
    } else {
        let attempt = AssertUnwindSafe(work.attempt(&item)).catch_unwind();
        tokio::select! {
            biased;
            outcome = attempt => outcome.unwrap_or_else(|_| outcome::transient(outcome::PANIC)),
            // Nobody knows whether it arrived; the lease ends, and the next process sends it again.
            () = ends.cut.cancelled() => return,
        }
    };
    if let Some(reached) = outcome::reached(&outcome)
        && way.note(reached)
    {
        work.reached(reached);
    }
    // The recipient is done with it: the next may begin while the outcome is being noted.
    drop(place);
    work.settle(item, outcome).await;
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::outbox::Failure;

    /// Numbers as work: what happens to each is in its own hands.
    #[derive(Default)]
    struct Numbers {
        due: Mutex<VecDeque<u32>>,
        asked: AtomicUsize,
        running: AtomicUsize,
        most: AtomicUsize,
        gate: Gate,
        expired: AtomicBool,
        away: AtomicBool,
        reached: Mutex<Vec<bool>>,
        settled: Mutex<Vec<(u32, Outcome)>>,
    }

    /// Closed until opened.
    struct Gate(Semaphore);
    impl Default for Gate {
        fn default() -> Self {
            Self(Semaphore::new(0))
        }
    }

    const PANICS: u32 = 666;

    impl Work for Numbers {
        type Item = u32;
        type Started = Vec<u32>;
        /// Nothing comes by itself: all are found by looking.
        async fn next(&self, limit: u32, due: bool, until: impl Future<Output = ()> + Send) -> (u32, Vec<u32>) {
            let started: Vec<_> = match due {
                true => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    let mut due = self.due.lock().unwrap();
                    let count = due.len().min(limit as usize);
                    due.drain(..count).collect()
                }
                false => Vec::new(),
            };
            if started.is_empty() {
                until.await;
            }
            (u32::try_from(started.len()).unwrap(), started)
        }
        async fn unseal(&self, started: Vec<u32>) -> Vec<u32> {
            started
        }
        fn holds(&self, _: &u32) -> bool {
            !self.expired.load(Ordering::SeqCst)
        }
        async fn attempt(&self, item: &u32) -> Outcome {
            assert_ne!(*item, PANICS, "as asked for");
            let running = 1 + self.running.fetch_add(1, Ordering::SeqCst);
            self.most.fetch_max(running, Ordering::SeqCst);
            if self.away.load(Ordering::SeqCst) {
                self.running.fetch_sub(1, Ordering::SeqCst);
                return outcome::transient("UNAVAILABLE");
            }
            self.gate.0.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::SeqCst);
            Outcome::Delivered
        }
        fn reached(&self, is: bool) {
            self.reached.lock().unwrap().push(is);
        }
        async fn settle(&self, item: u32, outcome: Outcome) {
            self.settled.lock().unwrap().push((item, outcome));
        }
    }

    struct Bench {
        work: Arc<Numbers>,
        bell: Arc<Notify>,
        ends: Ends,
        worker: tokio::task::JoinHandle<()>,
    }

    fn start(work: Numbers, in_flight: u32, per_second: u32) -> Bench {
        let (work, bell) = (Arc::new(work), Arc::new(Notify::new()));
        let ends = Ends { stop: CancellationToken::new(), cut: CancellationToken::new(), tasks: TaskTracker::new() };
        let worker = tokio::spawn(run(work.clone(), bell.clone(), Pacing { in_flight, per_second }, ends.clone()));
        Bench { work, bell, ends, worker }
    }

    fn due(numbers: impl IntoIterator<Item = u32>) -> Numbers {
        Numbers { due: Mutex::new(numbers.into_iter().collect()), ..Numbers::default() }
    }

    impl Bench {
        async fn until(&self, what: &str, met: impl Fn(&Numbers) -> bool) {
            let met = async {
                while !met(&self.work) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), met).await.unwrap_or_else(|_| panic!("never: {what}"));
        }
        fn settled(&self) -> usize {
            self.work.settled.lock().unwrap().len()
        }
    }

    #[tokio::test]
    async fn never_more_at_one_time_than_agreed_and_all_are_done() {
        let bench = start(due(0..50), 4, 100_000);
        bench.until("four run", |work| work.running.load(Ordering::SeqCst) == 4).await;
        bench.work.gate.0.add_permits(50);
        bench.until("all settled", |work| work.settled.lock().unwrap().len() == 50).await;
        assert_eq!(bench.work.most.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn no_more_are_released_than_may_begin() {
        let bench = start(due(0..50), 50, 3);
        bench.until("three run", |work| work.running.load(Ordering::SeqCst) == 3).await;
        assert!(bench.work.due.lock().unwrap().len() >= 46, "leases must not run while deliveries wait for their turn");
    }

    #[tokio::test]
    async fn a_ring_is_heard_at_once_and_nobody_looks_without_one() {
        let bench = start(due([]), 4, 1000);
        bench.work.gate.0.add_permits(1);
        bench.until("first look", |work| work.asked.load(Ordering::SeqCst) == 1).await;
        bench.work.due.lock().unwrap().push_back(1);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.work.asked.load(Ordering::SeqCst), 1);
        bench.bell.notify_one();
        bench.until("rung", |work| work.settled.lock().unwrap().len() == 1).await;
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_like_another_and_gives_its_place_back() {
        let bench = start(due([PANICS, 1]), 1, 1000);
        bench.work.gate.0.add_permits(1);
        bench.until("both", |work| work.settled.lock().unwrap().len() == 2).await;
        let settled = bench.work.settled.lock().unwrap();
        assert!(matches!(&settled[0], (PANICS, Outcome::Failed { failure: Failure::Transient { .. }, code, .. }) if code == "PANIC"));
        assert!(matches!(settled[1], (1, Outcome::Delivered)));
    }

    #[tokio::test]
    async fn nothing_leaves_when_the_lease_has_ended() {
        let bench = start(Numbers { expired: true.into(), ..due([1, 2]) }, 4, 1000);
        bench.until("both", |work| work.settled.lock().unwrap().len() == 2).await;
        assert!(bench.work.settled.lock().unwrap().iter().all(|(_, outcome)| matches!(outcome, Outcome::Returned)));
        assert_eq!(bench.work.most.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn whoever_cannot_be_reached_is_asked_with_one_at_a_time_until_it_answers() {
        let bench = start(Numbers { away: true.into(), ..due(0..1000) }, 4, 100_000);
        bench.work.gate.0.add_permits(1000);
        bench.until("it is away", |work| *work.reached.lock().unwrap() == [false]).await;
        let tried = bench.settled();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(bench.settled() <= tried + 8, "{} of 1000 were begun for nothing", bench.settled());
        bench.work.away.store(false, Ordering::SeqCst);
        bench.until("all", |work| work.settled.lock().unwrap().len() == 1000).await;
        assert_eq!(*bench.work.reached.lock().unwrap(), [false, true]);
    }

    #[tokio::test]
    async fn stopping_takes_nothing_more_and_waits_for_what_has_begun() {
        let mut bench = start(due([1]), 4, 1000);
        bench.until("one runs", |work| work.running.load(Ordering::SeqCst) == 1).await;
        bench.ends.stop.cancel();
        bench.work.due.lock().unwrap().push_back(2);
        bench.bell.notify_one();
        (&mut bench.worker).await.unwrap();
        bench.ends.tasks.close();
        assert_eq!((bench.settled(), bench.work.due.lock().unwrap().len()), (0, 1));
        bench.work.gate.0.add_permits(1);
        bench.ends.tasks.wait().await;
        assert!(matches!(bench.work.settled.lock().unwrap()[..], [(1, Outcome::Delivered)]));
    }

    #[tokio::test]
    async fn what_is_cut_is_left_to_its_lease() {
        let bench = start(due([1]), 4, 1000);
        bench.until("one runs", |work| work.running.load(Ordering::SeqCst) == 1).await;
        bench.ends.stop.cancel();
        bench.ends.cut.cancel();
        bench.ends.tasks.close();
        bench.ends.tasks.wait().await;
        assert_eq!(bench.settled(), 0);
    }
}
