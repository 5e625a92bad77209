// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The one writer: one task, one connection, one transaction per batch, one order.
//!
//! 1. Take what waits: one command when idle, hundreds under load; urgent ones (withdrawals, outcomes) first.
//! 2. `BEGIN IMMEDIATE`, read the head: from here on nobody else appends. *A crash here leaves nothing.*
//! 3. Load, apply each command in order, start what came for those who wait for it, write rows and leaves in bulk. *A crash here leaves nothing:
//!    the transaction is rolled back.*
//! 4. Commit. *A crash here leaves the batch kept and unanswered: callers repeat with the same request id and get the answer that was stored.*
//! 5. Note the size beside the key, sign, answer. *A crash here: the same; the checkpoint is signed again when asked for, byte for byte.*
//!
//! If a write to SQLite fails, the writer stops for good and everything is refused: after a failed fsync nobody knows what the disk holds. A
//! restart reads it again and checks head, leaves and guard against each other. If a PostgreSQL server goes away, everything is refused until
//! it or its successor is back; whether the last batch was kept is then read from the head, and callers repeat with the same request id.
//!
//! Several gateways on one server have one order: the lock on the head. What another one has written is taken up before the next batch, and
//! looked for from time to time.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use super::apply::{Answered, Batch};
use super::command::{Command, Reply};
use super::demands::Demands;
use super::recent::Recent;
use super::refusal::Refusal;
use super::room::Room;
use super::storage;
use super::tally::Tally;
use super::wake::Wake;
use super::working_set::Wanted;
use crate::agreement::{self, Agreement};
use crate::clock::{Clock as _, FollowingClock, Stopwatch, Time};
use crate::ledger::store::{Appended, Head, LogStoreError};
use crate::ledger::{self, Checkpoint, Hash, Note, RollbackGuard, SigningKey, Tiles, Tree};
use crate::outbox::{Delivery, State};
use crate::store::{Connection, StoreError, WayBack};
use crate::vault::Vault;

/// Commands in one transaction at most: beyond a few hundred the cost per command no longer falls, and the first waits for the last.
const BATCH: usize = 256;
/// Commands that wait at most. At the writer's usual pace this is a fraction of a second; whoever comes later is told to come back.
const QUEUE: usize = 2048;
/// What a caller is told when the queue is full.
const BUSY: Duration = Duration::from_millis(250);
/// Longest transaction on a server: longer ones have lost their connection, whatever the network says.
const LONGEST: Duration = Duration::from_secs(30);
/// How often to look whether another gateway has written.
const LOOK: Duration = Duration::from_millis(200);
/// Longest look: it waits for nobody's lock. A server that has fallen silent is found out by it.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// Pause between attempts to reach a server that is gone.
const AGAIN: Duration = Duration::from_millis(500);

/// What one batch proves: everything that is needed to cut the receipts of its leaves.
#[derive(Debug)]
pub struct Proof {
    /// Size of the log after the batch.
    pub size: u64,
    /// The signed checkpoint of that size.
    pub note: Note,
    /// The tiles on the paths of the batch's leaves.
    pub tiles: Tiles,
    /// Hashes of the batch's leaves, the last of which has index `size - 1`.
    pub leaves: Vec<Hash>,
    /// When the batch happened.
    pub at: Time,
}

/// A command's answer after the commit.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The answer.
    pub answered: Answered,
    /// For its receipt.
    pub proof: Arc<Proof>,
}

struct Job {
    command: Command,
    answer: oneshot::Sender<Result<Committed, Refusal>>,
}

/// Hands commands to the writer. A caller that goes away does not take its command back.
#[derive(Clone)]
pub struct WriterHandle {
    ordinary: mpsc::Sender<Job>,
    urgent: mpsc::Sender<Job>,
}

impl WriterHandle {
    /// Runs a command. When it answers, the change is on disk, in the log and under a signed checkpoint.
    pub async fn run(&self, command: Command) -> Result<Committed, Refusal> {
        let (answer, answered) = oneshot::channel();
        // What stops, carries on or finishes transfers has a lane of its own: a flood of submissions cannot hold up a withdrawal, an operator, or what
        // was accepted before.
        let urgent = matches!(
            command,
            Command::Withdraw(_)
                | Command::Release(_)
                | Command::Settle(_)
                | Command::AnswerRecall(_)
                | Command::Adopt(_)
                | Command::ChangeText(_)
                | Command::Requeue(_)
                | Command::Park(_)
                | Command::Drain(_)
                | Command::Bind(_)
                | Command::Look(_)
        );
        let job = Job { command, answer };
        if urgent {
            self.urgent.send(job).await.map_err(|_| Refusal::Unavailable)?;
        } else {
            self.ordinary.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    metrics::counter!("weiche_shed_total", "lane" => "writer").increment(1);
                    Refusal::Overloaded(BUSY)
                }
                mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
            })?;
        }
        answered.await.map_err(|_| Refusal::Unavailable)?
    }
}

/// What the world learns after each batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Size of the log.
    pub size: u64,
}

/// The writer's belongings.
pub struct Writer {
    way_back: WayBack,
    conn: Connection,
    tree: Tree,
    recent: Recent,
    key: Arc<SigningKey>,
    guard: RollbackGuard,
    vault: Arc<Vault>,
    agreement: Arc<ArcSwap<Agreement>>,
    clock: Arc<FollowingClock>,
    progress: watch::Sender<Progress>,
    wake: Wake,
    demands: Demands,
    room: Arc<Room>,
    tally: Tally,
}

/// Why the writer cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The stored log.
    #[error(transparent)]
    Log(#[from] LogStoreError),
    /// The database is behind what was signed, or another one.
    #[error(transparent)]
    Guard(#[from] ledger::guard::GuardError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tiles of the guarded size are missing.
    #[error(transparent)]
    Proof(#[from] ledger::proof::ProofError),
    /// Another gateway has put an agreement into force that this program cannot read.
    #[error("the agreement that another gateway has put into force cannot be read by this program; start the newer one")]
    Agreement,
    /// The system gives no thread.
    #[error("no thread for the writer: {0}")]
    Thread(std::io::Error),
}

impl WriterError {
    /// Whether a new connection to the server may help.
    fn is_lost_connection(&self) -> bool {
        let (Self::Store(error) | Self::Log(LogStoreError::Store(error))) = self else { return false };
        matches!(error, StoreError::Sql(_) | StoreError::Unsafe { .. } | StoreError::Silent(_) | StoreError::Unconfirmed(_))
    }
}

impl Writer {
    /// Takes the log up again and checks it against what was signed before.
    pub async fn new(
        (way_back, mut conn): (WayBack, Connection),
        key: Arc<SigningKey>,
        guard: RollbackGuard,
        vault: Arc<Vault>,
        agreement: Arc<ArcSwap<Agreement>>,
        clock: Arc<FollowingClock>,
        (wake, demands, room): (Wake, Demands, Arc<Room>),
    ) -> Result<(Self, watch::Receiver<Progress>), WriterError> {
        let tree = resume(&mut conn, &guard, key.origin()).await?;
        let changes = agreement::changes(&mut conn).await?;
        agreement.store(Arc::new(Agreement::clone(&agreement.load()).with_changes(&changes)));
        let (progress, seen) = watch::channel(Progress { size: tree.size() });
        let recent = Recent::default();
        let tally = Tally::default();
        Ok((Self { way_back, conn, tree, recent, key, guard, vault, agreement, clock, progress, wake, demands, room, tally }, seen))
    }

    /// Starts the task. It ends when every handle is gone, or when a write has failed.
    pub fn spawn(self) -> (WriterHandle, tokio::task::JoinHandle<Result<(), WriterError>>) {
        let (ordinary, ordinary_jobs) = mpsc::channel(QUEUE);
        let (urgent, urgent_jobs) = mpsc::channel(QUEUE);
        let handle = WriterHandle { ordinary, urgent };
        if self.conn.is_in_steps() {
            return (handle, tokio::spawn(self.work(ordinary_jobs, urgent_jobs)));
        }
        // A thread of its own: on a busy machine a task that is woken by the database waits for others at every step, and a batch has many.
        let task = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WriterError::Thread)?;
            runtime.block_on(self.work(ordinary_jobs, urgent_jobs))
        });
        (handle, task)
    }

    async fn work(mut self, mut ordinary: mpsc::Receiver<Job>, mut urgent: mpsc::Receiver<Job>) -> Result<(), WriterError> {
        let mut jobs = Vec::with_capacity(BATCH);
        let mut look = tokio::time::interval(LOOK);
        loop {
            jobs.clear();
            let mut stirred = false;
            tokio::select! {
                biased;
                job = urgent.recv() => jobs.extend(job),
                job = ordinary.recv() => jobs.extend(job),
                () = self.demands.stirred() => stirred = true,
                _ = look.tick(), if self.conn.is_shared() => {
                    let looked = tokio::time::timeout(LONGEST_LOOK, self.look()).await;
                    if let Err(error) = looked.unwrap_or(Err(StoreError::Silent(LONGEST_LOOK).into())) {
                        self.recover(error, &mut urgent, &mut ordinary).await?;
                    }
                    continue;
                }
            }
            while jobs.len() < BATCH {
                match urgent.try_recv().or_else(|_| ordinary.try_recv()) {
                    Ok(job) => jobs.push(job),
                    Err(_) => break,
                }
            }
            // A receiver gives nothing only when every handle is gone and its queue is empty.
            if jobs.is_empty() && !stirred {
                break;
            }
            for (lane, left) in [("ordinary", ordinary.len()), ("urgent", urgent.len())] {
                metrics::gauge!("weiche_writer_waiting", "lane" => lane).set(f64::from(u32::try_from(left).unwrap_or(u32::MAX)));
            }
            let (commands, answers): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.command, job.answer)).unzip();
            let committed = match self.conn.is_shared() {
                true => tokio::time::timeout(LONGEST, self.commit(commands)).await.unwrap_or(Err(StoreError::Silent(LONGEST).into())),
                false => self.commit(commands).await,
            };
            match committed {
                Ok(committed) => {
                    for (answer, result) in answers.into_iter().zip(committed) {
                        // The caller may have gone; the change stays.
                        let _ = answer.send(result);
                    }
                    if let Err(error) = self.conn.between().await {
                        self.recover(error.into(), &mut urgent, &mut ordinary).await?;
                    }
                }
                Err(error) => {
                    for answer in answers {
                        let _ = answer.send(Err(Refusal::Unavailable));
                    }
                    self.recover(error, &mut urgent, &mut ordinary).await?;
                }
            }
        }
        self.guard.close()?;
        match self.conn.is_shared() {
            // A server that is away needs no farewell.
            true => drop(self.conn.close().await),
            false => self.conn.close().await?,
        }
        Ok(())
    }

    /// After a failed write: nothing more on a file; on a server a new connection, and everybody is refused at once until it is there.
    async fn recover(&mut self, error: WriterError, urgent: &mut mpsc::Receiver<Job>, ordinary: &mut mpsc::Receiver<Job>) -> Result<(), WriterError> {
        if !self.conn.is_shared() || !error.is_lost_connection() {
            tracing::error!(%error, "the log cannot be written; nothing is accepted and nothing is sent until a restart");
            return Err(error);
        }
        tracing::error!(%error, "the database server is lost; nothing is accepted and nothing is sent until it is back");
        metrics::counter!("weiche_database_lost_total").increment(1);
        self.way_back.lost();
        let mut back = std::pin::pin!(back(&self.way_back, &self.guard, self.key.origin()));
        let conn = loop {
            let job = tokio::select! {
                conn = &mut back => break conn?,
                job = urgent.recv() => job,
                job = ordinary.recv() => job,
            };
            // Every handle is gone: the gateway ends, and nobody waits for the server.
            let Some(job) = job else { return Ok(()) };
            let _ = job.answer.send(Err(Refusal::Unavailable));
        };
        self.way_back.found()?;
        self.conn = conn;
        self.recent = Recent::default();
        tracing::info!("the database server is back");
        Ok(())
    }

    /// Whether another gateway has written: what it queued may be for those who wait here.
    async fn look(&mut self) -> Result<(), WriterError> {
        let head = ledger::store::head(&mut self.conn).await?;
        self.time().await?;
        if head.size != self.tree.size() {
            self.catch_up(head).await?;
            self.progress.send_replace(Progress { size: self.tree.size() });
            self.wake.elsewhere();
        }
        Ok(())
    }

    /// Takes up what another gateway has written: the tree, and the agreement if it is another one now.
    async fn catch_up(&mut self, head: Head) -> Result<(), WriterError> {
        if head.size == self.tree.size() {
            return Ok(());
        }
        self.tree = ledger::store::resume(&mut self.conn).await?;
        let Some(in_force) = agreement::in_force(&mut self.conn).await? else { return Ok(()) };
        let ours = self.agreement.load_full();
        let another = in_force.digest != *ours.digest();
        if another || in_force.changes != ours.texts().changes().len() {
            let agreement = if another { Agreement::parse(&in_force.text).map_err(|_| WriterError::Agreement)? } else { Agreement::clone(&ours) };
            let changes = agreement::changes(&mut self.conn).await?;
            self.agreement.store(Arc::new(agreement.with_changes(&changes)));
            tracing::info!("another gateway has put a new agreement into force, or approved or revoked a text");
        }
        Ok(())
    }

    /// The one clock by which leases, pauses and consents end: the server's where there is one, so that no gateway's own decides what another one does.
    async fn time(&mut self) -> Result<Time, StoreError> {
        if self.clock.follows()
            && let Some(at) = self.conn.time().await?
        {
            let ahead = Duration::from_millis(self.clock.follow(at).unsigned_abs());
            metrics::gauge!("weiche_clock_off_seconds").set(ahead.as_secs_f64());
            return Ok(at);
        }
        Ok(self.clock.now())
    }

    async fn commit(&mut self, commands: Vec<Command>) -> Result<Vec<Result<Committed, Refusal>>, WriterError> {
        let mut stages = Stages::start();
        let count = commands.len();
        let mut wanted = Wanted::default();
        commands.iter().for_each(|command| command.wants(&mut wanted));
        let mut looking = self.demands.looking();
        wanted.due.append(&mut looking);
        wanted.recipients.extend(self.demands.recipients());

        let head = ledger::store::take_head(&mut self.conn).await?;
        let now = self.time().await?;
        self.catch_up(head).await?;
        self.recent.check(head);
        let mut set = storage::load(&mut self.conn, &self.recent, &wanted, now).await?;
        set.next_delivery = head.next_delivery;
        stages.end("load");
        let mut batch = Batch {
            set,
            agreement: self.agreement.load_full(),
            vault: &self.vault,
            now,
            short: self.room.is_short(),
            first_leaf: head.size,
            leaves: Vec::with_capacity(count),
            openings: Vec::new(),
            added: storage::Additions::default(),
        };
        let results: Vec<_> = commands.into_iter().map(|command| batch.apply(command)).collect();

        // Last in the order: what is due, and what this batch has queued, may start at once for those who wait for it.
        batch.make_ready();
        let mut fulfilled = Vec::new();
        for recipient in self.demands.recipients() {
            while batch.has_ready(&recipient)
                && let Some(demand) = self.demands.take(&recipient)
            {
                fulfilled.push((demand.answer, batch.release(&demand.release)));
            }
        }

        let next_delivery = batch.set.next_delivery;
        let ended = Tally::of(&batch.set);
        batch.added.successes = self.tally.due(&ended, now);
        let mut tree = self.tree.clone();
        let hashes: Vec<Hash> = batch.leaves.iter().map(|(_, hash)| *hash).collect();
        let full = tree.append(&hashes);
        stages.end("apply");
        let fronts = batch.set.lanes.after(batch.set.deliveries.changed().map(|(_, delivery)| delivery), head.next_delivery);
        storage::save(&mut self.conn, &batch.set, &batch.added, &fronts, tree.size(), now).await?;
        if !batch.leaves.is_empty() || next_delivery != head.next_delivery {
            let added = Appended { tree: &tree, leaves: &batch.leaves, full: &full, openings: &batch.openings, next_delivery };
            ledger::store::append(&mut self.conn, &added).await?;
        }
        stages.end("save");
        self.conn.commit().await?;
        stages.end("commit");

        // Sign after the commit, never before; what is not noted beside the key is not signed.
        let checkpoint = Checkpoint { origin: self.key.origin().to_owned(), size: tree.size(), root: tree.root() };
        self.guard.advance(&checkpoint)?;
        let mut tiles = Tiles::default();
        tree.edge().for_each(|(tile, hashes)| tiles.insert(tile, hashes.to_vec()));
        full.into_iter().for_each(|full| tiles.insert(full.tile, full.hashes));
        let note = self.key.sign_checkpoint(tree.size(), tree.root());
        let proof = Arc::new(Proof { size: tree.size(), note, tiles, leaves: hashes, at: now });
        self.tree = tree;
        if !Arc::ptr_eq(&batch.agreement, &self.agreement.load()) {
            self.agreement.store(batch.agreement.clone());
        }
        // What is queued, put back or out of the way of something: its recipient may have something to start.
        let empty: HashSet<_> = fronts.open.iter().filter(|(_, open)| *open == 0).map(|(lane, _)| *lane).collect();
        let stirs = |d: &Delivery| d.state == State::Ready || (d.state != State::Started && !empty.contains(&d.lane));
        let touched = batch.set.deliveries.changed().filter(|(_, d)| stirs(d)).map(|(_, d)| &d.recipient);
        let touched: BTreeSet<_> = touched.chain(batch.set.recipients.changed().map(|(id, _)| id)).collect();
        touched.into_iter().for_each(|recipient| self.wake.ring(recipient));
        self.tally.kept(ended, &batch.added.successes, now);
        if batch.added.erased.is_empty() {
            self.recent.keep(batch.set, &fronts.open, Head { size: proof.size, next_delivery });
        } else {
            self.recent = Recent::default();
        }
        self.progress.send_replace(Progress { size: proof.size });
        metrics::histogram!("weiche_batch_commands").record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        stages.end("sign");
        metrics::histogram!("weiche_commit_seconds").record(stages.all());
        metrics::gauge!("weiche_log_size").set(f64::from(u32::try_from(proof.size).unwrap_or(u32::MAX)));
        let committed = |result: Result<Answered, Refusal>| result.map(|answered| Committed { answered, proof: proof.clone() });
        for (answer, result) in fulfilled {
            // Whoever asked has gone: what was started for nobody is started again when its lease ends.
            let _ = answer.send(committed(result));
        }
        Ok(results.into_iter().map(committed).collect())
    }
}

/// Takes the log up, which must be the one that was signed: nothing of it is missing, nothing is different.
async fn resume(conn: &mut Connection, guard: &RollbackGuard, origin: &str) -> Result<Tree, WriterError> {
    let tree = ledger::store::resume(conn).await?;
    guard.check(&Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() })?;
    let signed = guard.last().size;
    if signed > 0 {
        let plan = ledger::Plan::root(signed);
        let tiles = ledger::store::read_tiles(conn, plan.tiles()).await?;
        guard.check_history(plan.cut(&tiles)?.first().copied().unwrap_or_else(Hash::empty_root))?;
    }
    Ok(tree)
}

/// A connection to the server or its successor, once there is one. A successor that has not got all that was signed is an error.
async fn back(way: &WayBack, guard: &RollbackGuard, origin: &str) -> Result<Connection, WriterError> {
    loop {
        let found = async {
            let mut conn = way.writer().await?;
            let resumed = tokio::time::timeout(LONGEST_LOOK, resume(&mut conn, guard, origin)).await;
            resumed.unwrap_or(Err(StoreError::Silent(LONGEST_LOOK).into()))?;
            Ok(conn)
        };
        match found.await {
            Ok(conn) => return Ok(conn),
            Err(error) if WriterError::is_lost_connection(&error) => tracing::debug!(%error, "the database server is not back"),
            Err(error) => {
                tracing::error!(%error, "the database server that is back is not the one that was lost");
                return Err(error);
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// How long the stages of a batch take.
struct Stages {
    all: Stopwatch,
    stage: Stopwatch,
}

impl Stages {
    fn start() -> Self {
        Self { all: Stopwatch::start(), stage: Stopwatch::start() }
    }
    fn end(&mut self, stage: &'static str) {
        metrics::histogram!("weiche_batch_stage_seconds", "stage" => stage).record(self.stage.elapsed().as_secs_f64());
        self.stage = Stopwatch::start();
    }
    fn all(&self) -> f64 {
        self.all.elapsed().as_secs_f64()
    }
}

impl Committed {
    /// The deliveries that a release started.
    pub fn released(self) -> Vec<super::command::Released> {
        match self.answered.reply {
            Reply::Released(released) => released,
            _ => Vec::new(),
        }
    }
}
