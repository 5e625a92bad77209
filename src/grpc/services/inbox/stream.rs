// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One open stream: two tasks and what the connection takes.
//!
//! Hearing settles acknowledgements, all that are under way at one time, so that the writer puts them into one commit. Sending asks for releases,
//! one at a time and for all the room there is. The connection takes items when it can; what it does not take is put back.
//!
//! The stream ends when the institution has finished or gone, when it does not read, or when the gateway cannot go on. Then, whatever was being
//! awaited: acknowledgements that were heard are settled, a release that was asked for is waited for, and everything that is not acknowledged goes
//! back at once. A crash instead leaves leases, which end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::books::{Books, HAND_OVER, MOST_CREDITS, Parcel};
use crate::clock::Time;
use crate::exchange::{Outcome, Refusal as Refused};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::id::DeliveryId;
use crate::outbox::{Failure, LeaseToken};

/// How often a stream sees whether leases have ended, and whether the institution reads.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// When only a few credits are free, more acknowledgements are on the way: a release for each would cost a commit each.
const GATHER: Duration = Duration::from_millis(5);

/// Where a stream's items come from and what becomes of them.
pub(super) trait Desk: Send + Sync + 'static {
    /// The gateway's clock.
    fn now(&self) -> Time;
    /// Waits for what comes next and starts at most `limit` of it, with `due` also what is due already; none if `until` ends first. All that was started
    /// is in the answer, or is settled.
    fn next(&self, limit: u32, due: bool, until: impl Future<Output = ()> + Send) -> impl Future<Output = Result<Vec<Parcel>, Refused>> + Send;
    /// Notes what became of one. An outdated lease is no error.
    fn settle(&self, delivery: DeliveryId, token: LeaseToken, outcome: Outcome) -> impl Future<Output = Result<(), Refused>> + Send;
}

/// What an institution says in one message.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Items that may be unacknowledged; 0 leaves it as it is.
    pub(super) credits: u32,
    pub(super) acknowledged: Option<Acknowledged>,
}

/// An item's fate.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) delivery: DeliveryId,
    pub(super) token: LeaseToken,
    pub(super) outcome: Outcome,
}

/// Opens a stream. `bell` rings when something may have become due for the institution.
pub(super) fn open<D: Desk>(desk: D, bell: Arc<Notify>, said: BoxStream<'static, Result<Said, Refusal>>) -> Outbound<D> {
    let line = Arc::new(Line { desk, bell, stop: CancellationToken::new(), room: Notify::new(), shared: Mutex::default() });
    tokio::spawn(line.clone().run(said));
    Outbound { _gone: line.stop.clone().drop_guard(), line }
}

/// What both tasks and the connection share.
struct Line<D> {
    desk: D,
    bell: Arc<Notify>,
    /// No more items: the institution has finished or gone, or one of the tasks has ended.
    stop: CancellationToken,
    /// There may be room again.
    room: Notify,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    books: Books,
    end: End,
    /// The connection, if it waits.
    reader: Option<Waker>,
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    Refused(Refusal),
    Over,
}

impl<D: Desk> Line<D> {
    async fn run(self: Arc<Self>, said: BoxStream<'static, Result<Said, Refusal>>) {
        let hearing = tokio::spawn({
            let line = self.clone();
            async move {
                let heard = line.hear(said).await;
                line.stop.cancel();
                heard
            }
        });
        let sent = self.send().await;
        self.stop.cancel();
        // It ends with the token, once what was acknowledged is settled.
        let heard = hearing.await.unwrap_or_else(|_| Err(Refusal::internal("a pull stream panicked")));
        self.put_back().await;
        self.end(sent.and(heard).err());
    }

    /// Until the institution has finished; then until everything that it has acknowledged is settled.
    async fn hear(&self, mut said: BoxStream<'static, Result<Said, Refusal>>) -> Result<(), Refusal> {
        let mut settling = FuturesUnordered::new();
        let ended = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ok(()),
                Some(settled) = settling.next() => if let Err(refused) = settled { break Err(Refusal::from(refused)) },
                next = said.next(), if settling.len() < MOST_CREDITS => match next {
                    Some(Ok(Said { credits, acknowledged })) => {
                        let mut shared = self.lock();
                        shared.books.heard(credits);
                        if let Some(Acknowledged { delivery, token, outcome }) = acknowledged {
                            shared.books.acknowledged(&delivery, &token);
                            settling.push(self.desk.settle(delivery, token, outcome));
                        }
                        drop(shared);
                        self.room.notify_one();
                    }
                    Some(Err(refusal)) => break Err(refusal),
                    None => break Ok(()),
                },
            }
        };
        self.stop.cancel();
        while settling.next().await.is_some() {}
        ended
    }

    /// Until the stream is to end. A release that was asked for is never left.
    async fn send(&self) -> Result<(), Refusal> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What has waited since before the stream rings no bell.
        let mut due = true;
        while !self.stop.is_cancelled() {
            if self.lock().books.is_stuck(self.desk.now()) {
                return Err(too_slow());
            }
            if self.room() == 0 {
                // A ring is left for another stream of the institution.
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {}
                    () = self.room.notified() => {}
                    _ = look.tick() => {}
                }
                continue;
            }
            self.gather().await;
            let mut rung = false;
            let until = async {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {}
                    () = self.bell.notified() => rung = true,
                    _ = look.tick() => {}
                }
            };
            let room = self.room();
            let came = self.desk.next(u32::try_from(room).unwrap_or(u32::MAX), due, until).await?;
            // A ring that came together with something else comes again within a second, if anything is left.
            due = rung && came.is_empty();
            if came.len() >= room {
                // There may be more, for whoever has room next.
                self.bell.notify_one();
            }
            self.put(came);
        }
        Ok(())
    }

    /// When there is only a little room, waits a moment for more.
    async fn gather(&self) {
        let room = self.room();
        if self.lock().books.is_little(room) {
            self.pause(GATHER).await;
        }
    }

    fn room(&self) -> usize {
        self.lock().books.room(self.desk.now())
    }

    fn put(&self, parcels: Vec<Parcel>) {
        let mut shared = self.lock();
        shared.books.put(parcels, self.desk.now());
        let reader = shared.reader.take();
        drop(shared);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Everything that is not acknowledged is due again at once, on whichever stream the institution opens next.
    async fn put_back(&self) {
        let (unsent, unacknowledged) = self.lock().books.close();
        let returned = unsent.into_iter().map(|item| (item, Outcome::Returned));
        let lost = || Outcome::Failed { failure: Failure::Transient { retry_after: None }, code: "STREAM_ENDED".into(), random: 0.0 };
        let lost = unacknowledged.into_iter().map(|item| (item, lost()));
        join_all(returned.chain(lost).map(|((delivery, token), outcome)| self.desk.settle(delivery, token, outcome))).await;
    }

    fn end(&self, refusal: Option<Refusal>) {
        let mut shared = self.lock();
        shared.end = refusal.map_or(End::Over, End::Refused);
        let reader = shared.reader.take();
        drop(shared);
        reader.into_iter().for_each(Waker::wake);
    }

    async fn pause(&self, pause: Duration) {
        let _stopped = tokio::time::timeout(pause, self.stop.cancelled()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here can panic half-way through a change.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_slow() -> Refusal {
    let text = format!("an item waited {} s for the connection: read faster, or ask for fewer credits", HAND_OVER.as_secs());
    Refusal::new(ErrorReason::SlowConsumer, text)
}

/// What the connection takes. When it is dropped, the stream ends.
pub(super) struct Outbound<D> {
    line: Arc<Line<D>>,
    _gone: DropGuard,
}

impl<D: Desk> Stream for Outbound<D> {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut shared = self.line.lock();
        if let Some(native) = shared.books.take(self.line.desk.now()) {
            return Poll::Ready(Some(Ok(native)));
        }
        match std::mem::take(&mut shared.end) {
            End::Open => {
                shared.reader = Some(context.waker().clone());
                Poll::Pending
            }
            End::Refused(refusal) => {
                shared.end = End::Over;
                Poll::Ready(Some(Err(refusal)))
            }
            End::Over => {
                shared.end = End::Over;
                Poll::Ready(None)
            }
        }
    }
}
