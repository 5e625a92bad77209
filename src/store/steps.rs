// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use sqlx::SqliteConnection;

/// A pause between two steps.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a simulation takes the steps of a database. It has one thread and a clock of its own: the thread waits for each step, so that nothing else
/// happens
/// and no time passes meanwhile, and how long the step took is what the simulation says, by the pauses before and after it.
#[derive(Clone)]
pub struct Steps(Arc<dyn Fn() -> Pause + Send + Sync>);

impl Steps {
    /// With these pauses; one is asked for before and one after each step.
    pub fn with(pause: impl Fn() -> Pause + Send + Sync + 'static) -> Self {
        Self(Arc::new(pause))
    }

    /// Takes one. Whoever is gone after it has not heard that it happened.
    pub async fn take<T>(&self, step: impl Future<Output = T>) -> T {
        (self.0)().await;
        let done = in_place(step);
        (self.0)().await;
        done
    }

    /// Takes one as `steps` say, or just so.
    pub(super) async fn taken<T>(steps: Option<Self>, step: impl Future<Output = T>) -> T {
        match steps {
            Some(steps) => steps.take(step).await,
            None => step.await,
        }
    }
}

/// Readers of a simulation. One that is given back is there at once; a pool would have a task do it, at a moment of its own.
#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Vec<SqliteConnection>>>);

impl Shelf {
    /// One that lies there.
    pub(super) fn take(&self) -> Option<SqliteConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Comes back when it is dropped.
    pub(super) fn lend(&self, conn: SqliteConnection) -> Lent {
        Lent { conn: Some(conn), shelf: self.clone() }
    }
}

/// One of them.
pub(super) struct Lent {
    /// None: it has been given back.
    conn: Option<SqliteConnection>,
    shelf: Shelf,
}

impl Lent {
    #[expect(clippy::expect_used, reason = "it is given back by nobody but drop")]
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        self.conn.as_mut().expect("lent")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner).extend(self.conn.take());
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The thread waits. Whatever the future waits for must be done by another one.
fn in_place<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    // A budget that is used up is filled again by nobody while the thread waits.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
