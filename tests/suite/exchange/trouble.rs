// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Trouble for a gateway, from below it: commits that fail, are slow, or happen without an answer, and clocks that are wrong. The program knows nothing
//! of any of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering::SeqCst};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use weiche::clock::{Clock, FixedClock, Time};
use weiche::store::{Connection, Place};

use super::wire::Wire;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// The commit fails.
    Fails,
    /// The commit happens, and nobody hears of it.
    Unanswered,
    /// The commit takes its time.
    Slow,
}

/// How a gateway in trouble differs from others.
pub struct Trouble {
    pub commits: Arc<Commits>,
    /// The machine's own clock.
    pub own: Arc<WrongClock>,
    /// None: the database is a file.
    pub server: Option<Arc<ServerClock>>,
    /// The same.
    pub wire: Option<Arc<Wire>>,
}

impl Trouble {
    pub async fn at(place: &Place, clock: &Arc<FixedClock>) -> Self {
        let (server, wire) = match place.file() {
            Some(_) => (None, None),
            None => (Some(Arc::new(ServerClock::of(place, clock.now()).await)), Some(Wire::to(place).await)),
        };
        Self { commits: Arc::default(), own: Arc::new(WrongClock { right: clock.clone(), by: AtomicI64::new(0) }), server, wire }
    }

    /// That of another machine at the same server.
    pub async fn beside(&self, place: &Place) -> Self {
        let own = Arc::new(WrongClock { right: self.own.right.clone(), by: AtomicI64::new(0) });
        let wire = if self.wire.is_some() { Some(Wire::to(place).await) } else { None };
        Self { commits: Arc::default(), own, server: self.server.clone(), wire }
    }

    /// What happens at the next commit.
    pub fn next(&self, fault: Option<Fault>) {
        match &self.wire {
            Some(wire) => wire.next(fault),
            None => self.commits.next(fault),
        }
    }
}

/// What happens at the next commit of a file.
#[derive(Default)]
pub struct Commits(AtomicU8);

impl Commits {
    pub fn next(&self, fault: Option<Fault>) {
        self.0.store(fault.map_or(0, |fault| 1 + fault as u8), SeqCst);
    }

    /// A writing connection like a gateway's, at whose commits happens what was said.
    pub async fn writer(self: &Arc<Self>, path: &Path) -> Connection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", "0")
            .pragma("secure_delete", "ON");
        let mut conn = options.connect().await.unwrap();
        let commits = self.clone();
        conn.lock_handle().await.unwrap().set_commit_hook(move || {
            let next = commits.0.swap(0, SeqCst);
            if next == 1 + Fault::Slow as u8 {
                std::thread::sleep(Duration::from_millis(3));
            }
            next != 1 + Fault::Fails as u8
        });
        conn.into()
    }
}

/// A machine's clock that is wrong by so many milliseconds.
pub struct WrongClock {
    right: Arc<FixedClock>,
    pub by: AtomicI64,
}

impl Clock for WrongClock {
    fn now(&self) -> Time {
        Time(self.right.now().0 + self.by.load(SeqCst))
    }
    fn gives_way(&self) -> bool {
        true
    }
}

/// The clock of a server, as one of its databases sees it: a function of the same name stands before the server's own, and reads a file.
pub struct ServerClock(PathBuf);

impl ServerClock {
    async fn of(place: &Place, at: Time) -> Self {
        let Place::Server(url) = place else { panic!("a file has no clock") };
        let clock = Self(std::env::temp_dir().join(format!("weiche-clock-{}", uuid::Uuid::new_v4().simple())));
        clock.set(at);
        let text = format!(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
             AS $$ SELECT to_timestamp(pg_read_file('{}')::bigint / 1000.0) $$; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
            clock.0.display()
        );
        let mut conn = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut conn).await.unwrap();
        clock
    }

    /// Whoever looks sees the time before or this one, never half of it.
    pub fn set(&self, at: Time) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, at.0.to_string()).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }
}

impl Drop for ServerClock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
