// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! SQLite: write-ahead log, `synchronous=FULL`, one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Space, Steps, StoreError, Tables};
use crate::clock::Stopwatch;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The oldest SQLite that may be linked: older ones can corrupt a write-ahead log that two connections reset.
const OLDEST: [u32; 3] = [3, 51, 3];
/// Reading connections. Reads are short; more only add memory.
const READERS: u32 = 4;
/// Longest wait for a lock of our own making (a checkpoint of the write-ahead log).
const BUSY: Duration = Duration::from_secs(5);
/// Rows that wait between SQLite's thread and ours: as many as a batch reads at once, so that neither waits for the other row by row.
const ROWS_AHEAD: usize = 1024;

/// Prepared statements that a connection keeps: a batch is one, and holds some hundreds of kilobytes. Preparing one anew costs less than a commit.
const STATEMENTS: usize = 32;

/// A new file with its tables.
pub async fn create(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|source| StoreError::File { path: path.display().to_string(), source })?;
    migrate(path).await.map(|_| ())
}

/// Brings the tables up to date.
pub async fn migrate(path: &Path) -> Result<(i64, i64), StoreError> {
    let _lock = lock(path)?;
    let mut conn = options(path)?.connect().await?;
    let before = tables(&mut conn).await?;
    if before.found <= before.wanted {
        MIGRATIONS.run(&mut conn).await?;
    }
    let after = tables(&mut conn).await?;
    conn.close().await?;
    after.usable()?;
    Ok((before.found, after.found))
}

/// Readers, the writer, the lock, and who moves the write-ahead log into the file.
pub async fn open(path: &Path) -> Result<(SqlitePool, Connection, File, Checkpoints), StoreError> {
    let (writer, lock, checkpoints) = begin(path, None).await?;
    let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(reading(path)?).await?;
    Ok((readers, writer, lock, checkpoints))
}

/// The same without readers, as a simulation takes its steps.
pub async fn open_in_steps(path: &Path, steps: &Steps) -> Result<(Connection, File, Checkpoints), StoreError> {
    begin(path, Some(steps)).await
}

/// A reader beside the writer of the same process.
pub async fn reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(reading(path)?.connect().await?)
}

fn reading(path: &Path) -> Result<SqliteConnectOptions, StoreError> {
    Ok(options(path)?.read_only(true).pragma("cache_size", "-2048"))
}

async fn begin(path: &Path, steps: Option<&Steps>) -> Result<(Connection, File, Checkpoints), StoreError> {
    let options = options(path)?;
    let lock = lock(path)?;
    let mut writer = options.clone().connect().await?;
    check(&mut writer).await?;
    tables(&mut writer).await?.usable()?;
    let full = Space::at(path).map_or(FULL, |disk| FULL.min(disk.total / PART));
    let beside = Connection::from(options.connect().await?).in_steps(steps.cloned());
    let checkpoints = Checkpoints::begin(beside, i64::try_from(full / PAGE).unwrap_or(i64::MAX));
    let mut writer = Connection::from(writer).in_steps(steps.cloned());
    writer.begin_anew_when(checkpoints.full.clone());
    Ok((writer, lock, checkpoints))
}

/// How often the write-ahead log is moved into the file, beside the writer: a commit that also has to do that takes ten times as long.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Bytes of the write-ahead log after which the writer begins it anew. Under full load nobody else finds a moment for it.
const FULL: u64 = 64 << 20;
/// But never more than this part of the disk.
const PART: u64 = 32;
/// Bytes of a page, as SQLite makes new files.
const PAGE: u64 = 4096;
/// Rounds at most in which a long log is moved beside the writer, and how short one is that leaves little.
const ROUNDS: u32 = 5;
const SHORT: Duration = Duration::from_millis(20);

/// Moves the write-ahead log into the file from time to time, as long as it lives.
pub struct Checkpoints {
    /// The writer shall begin the log anew.
    full: Arc<AtomicBool>,
    /// The log shall be emptied; who asked is told whether it was.
    scrub: mpsc::Sender<oneshot::Sender<bool>>,
    task: tokio::task::JoinHandle<()>,
}

impl Checkpoints {
    fn begin(mut conn: Connection, most: i64) -> Self {
        let full = Arc::new(AtomicBool::new(false));
        let tell = full.clone();
        let (scrub, mut scrubs) = mpsc::channel::<oneshot::Sender<bool>>(1);
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(CHECKPOINT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    _ = beat.tick() => {}
                    Some(asked) = scrubs.recv() => {
                        let _ = asked.send(empty(&mut conn).await);
                        continue;
                    }
                }
                tell.store(passed(&mut conn, most).await, Ordering::Relaxed);
            }
        });
        Self { full, scrub, task }
    }

    /// Moves all of the log into the file and empties it; false if readers were in the way all the time.
    pub async fn scrub(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.scrub.send(answer).await.is_ok() && answered.await.unwrap_or(false)
    }
}

/// Moves what is in the log beside the writer; whether the log has become long. Then the writer waits while the rest is moved, and the rest had better be
/// little: what came during one round is moved in the next, each shorter than the one before. A failure is the writer's to notice: its next write fails
/// as well.
async fn passed(conn: &mut Connection, most: i64) -> bool {
    for _ in 0..ROUNDS {
        let round = Stopwatch::start();
        if checkpoint(conn, "PRAGMA wal_checkpoint(PASSIVE)", 1).await.is_none_or(|pages| pages <= most) {
            return false;
        }
        if round.elapsed() < SHORT {
            break;
        }
    }
    true
}

/// Tries for a few seconds. Whoever empties the log holds the writer up while it waits for readers: that long at most, and then lets it go first.
async fn empty(conn: &mut Connection) -> bool {
    const TRIES: u32 = 50;
    let _ = conn.execute("PRAGMA busy_timeout = 50", []).await;
    let mut done = false;
    for _ in 0..TRIES {
        done = checkpoint(conn, "PRAGMA wal_checkpoint(TRUNCATE)", 0).await == Some(0);
        if done {
            break;
        }
        tokio::time::sleep(CHECKPOINT / 20).await;
    }
    let _ = conn.execute("PRAGMA busy_timeout = 5000", []).await;
    done
}

/// One column of what SQLite says of a checkpoint; none if it failed.
async fn checkpoint(conn: &mut Connection, sql: &'static str, column: usize) -> Option<i64> {
    conn.row(sql, []).await.ok()??.int(column).ok()
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that writes; the caller has the lock.
pub(super) async fn writer(path: &Path) -> Result<Connection, StoreError> {
    let mut conn = options(path)?.connect().await?;
    check(&mut conn).await?;
    Ok(conn.into())
}

/// One moment of the database in a file of its own, on disk.
pub(super) async fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::File { path: to.display().to_string(), source };
    let mut conn = options(path)?.read_only(true).connect().await?;
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut conn).await?;
    conn.close().await?;
    // Opening it once writes into its header that it keeps a write-ahead log, as the gateway wants it.
    options(to)?.connect().await?.close().await?;
    File::open(to).and_then(|file| file.sync_all()).map_err(failed)
}

/// For reading only.
pub async fn read_only(path: &Path) -> Result<Connection, StoreError> {
    Ok(options(path)?.read_only(true).connect().await?.into())
}

fn options(path: &Path) -> Result<SqliteConnectOptions, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing(path.display().to_string()));
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("wal_autocheckpoint", "0")
        .pragma("secure_delete", "ON")
        .pragma("cache_size", "-16384")
        .disable_statement_logging())
}

/// A lock beside the database: SQLite's own locks come and go with transactions.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let name = PathBuf::from(format!("{}.lock", path.display()));
    let failed = |source| StoreError::File { path: name.display().to_string(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Which tables there are.
pub(super) async fn tables(conn: &mut SqliteConnection) -> Result<Tables, StoreError> {
    const THERE: &str = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let there: i64 = sqlx::query_scalar(THERE).fetch_one(&mut *conn).await?;
    let applied = if there == 0 { Vec::new() } else { sqlx::query_as(super::APPLIED).fetch_all(conn).await? };
    Ok(Tables::of(&applied, super::newest(&MIGRATIONS)))
}

/// What sqlx was asked for is not always what SQLite does: look.
async fn check(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *conn).await?;
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    if parts[..] < OLDEST[..] {
        return Err(StoreError::Unsafe { what: "the SQLite version", found: version, wanted: "3.51.3 or later" });
    }
    let journal: String = sqlx::query("PRAGMA journal_mode").fetch_one(&mut *conn).await?.try_get(0)?;
    if journal != "wal" {
        return Err(StoreError::Unsafe { what: "journal_mode", found: journal, wanted: "wal" });
    }
    let synchronous: i64 = sqlx::query("PRAGMA synchronous").fetch_one(&mut *conn).await?.try_get(0)?;
    if synchronous < 2 {
        return Err(StoreError::Unsafe { what: "synchronous", found: synchronous.to_string(), wanted: "2 (FULL)" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_opens_once_and_keeps_its_log_from_being_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weiche.db");
        assert!(matches!(open(&path).await, Err(StoreError::Missing(_))), "opening makes nothing");
        create(&path).await.unwrap();
        let (readers, mut writer, lock, _checkpoints) = open(&path).await.unwrap();
        assert!(matches!(open(&path).await, Err(StoreError::InUse(_))));
        writer.execute("INSERT INTO log_leaf VALUES (0, x'00', x'00')", []).await.unwrap();
        for forbidden in ["UPDATE log_leaf SET entry = x'01'", "DELETE FROM log_leaf"] {
            assert!(writer.execute(forbidden, []).await.is_err(), "{forbidden}");
        }
        drop(writer);
        readers.close().await;
        drop(lock);
        open(&path).await.unwrap();
    }

    #[tokio::test]
    async fn every_commit_is_flushed_and_anything_less_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weiche.db");
        create(&path).await.unwrap();
        let (readers, mut writer, _lock, _checkpoints) = open(&path).await.unwrap();
        let mode = writer.row("PRAGMA synchronous", []).await.unwrap().unwrap().int(0).unwrap();
        assert_eq!(mode, 2, "FULL");
        drop(writer);
        readers.close().await;
        let mut conn = SqliteConnectOptions::new().filename(&path).journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
        for weak in ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"] {
            sqlx::query(weak).execute(&mut conn).await.unwrap();
            assert!(matches!(check(&mut conn).await, Err(StoreError::Unsafe { what: "synchronous", .. })), "{weak}");
        }
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut conn).await.unwrap();
        check(&mut conn).await.unwrap();
    }
}
