// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The database: one file, one writing connection, a few reading ones. Each module owns the SQL of its tables; this one owns the file.
//!
//! The writing connection belongs to one task and is never lent to a caller's future: a future that is dropped in the middle of `BEGIN`
//! can hand a connection inside a transaction to somebody else (sqlx issue 4394).
//!
//! This part knows no rule of the domain.

mod rows;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};

pub use sqlx::{Error as SqlError, SqliteConnection as WritingConnection};

pub use rows::{BIND_LIMIT, id16, id32, insert_many, select_in};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The oldest SQLite that may be linked: older ones can corrupt a write-ahead log that two connections reset.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];
/// Reading connections. Reads are short; more only add memory.
const READERS: u32 = 4;
/// Longest wait for a lock of our own making (a checkpoint of the write-ahead log).
const BUSY: Duration = Duration::from_secs(5);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("database {0}: another process uses it; stop that one first (two writers would fork the log)")]
    InUse(String),
    /// The lock file beside it cannot be made.
    #[error("database {path}: {source}")]
    File {
        /// Where.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A setting without which acknowledged referrals could be lost.
    #[error("database: {what} is {found}, it must be {wanted}; the gateway does not start")]
    Unsafe {
        /// The setting.
        what: &'static str,
        /// As found.
        found: String,
        /// As needed.
        wanted: &'static str,
    },
    /// The schema is newer than this program, or damaged.
    #[error("database schema: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A row does not hold what its column promises.
    #[error("database: column {0} holds something else than it should; run weiche audit verify and restore from your backup")]
    Damaged(&'static str),
}

/// A connection that reads.
pub type Reader = SqliteConnection;

/// Makes a new database at `path`, where none may be.
pub async fn create(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|source| StoreError::File { path: path.display().to_string(), source })?;
    let (store, conn) = Store::open(path).await?;
    conn.close().await?;
    store.close().await;
    Ok(())
}

/// A connection for reading beside whoever has the database open; makes nothing, not even the file.
pub async fn read_only(path: &Path) -> Result<Reader, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false).busy_timeout(BUSY).disable_statement_logging();
    Ok(options.connect().await?)
}

/// An open database.
pub struct Store {
    path: PathBuf,
    readers: SqlitePool,
    /// Held as long as the database is open: two processes on one file would fork the log.
    _lock: File,
}

impl Store {
    /// Opens or creates the database at `path`, brings its schema up to date and refuses unsafe settings.
    /// Returns the one writing connection beside it.
    pub async fn open(path: &Path) -> Result<(Self, SqliteConnection), StoreError> {
        let lock = lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(false)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256)
            .pragma("secure_delete", "ON")
            .pragma("cache_size", "-16384")
            .disable_statement_logging();
        let mut writer = options.clone().create_if_missing(true).connect().await?;
        check(&mut writer).await?;
        MIGRATIONS.run(&mut writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true).pragma("cache_size", "-4096")).await?;
        Ok((Self { path: path.to_owned(), readers, _lock: lock }, writer))
    }

    /// For reading. Sees what is committed.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the readers; the lock goes with the value.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

/// A lock beside the database: SQLite's own locks come and go with transactions.
fn lock(path: &Path) -> Result<File, StoreError> {
    let name = PathBuf::from(format!("{}.lock", path.display()));
    let failed = |source| StoreError::File { path: name.display().to_string(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What sqlx was asked for is not always what SQLite does: look.
async fn check(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *conn).await?;
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    if parts[..] < OLDEST_SQLITE[..] {
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
    conn.ping().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_opens_once_and_keeps_its_log_from_being_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weiche.db");
        let (store, mut writer) = Store::open(&path).await.unwrap();
        assert!(matches!(Store::open(&path).await, Err(StoreError::InUse(_))));
        sqlx::query("INSERT INTO log_leaf VALUES (0, x'00', x'00')").execute(&mut writer).await.unwrap();
        for forbidden in ["UPDATE log_leaf SET entry = x'01'", "DELETE FROM log_leaf"] {
            assert!(sqlx::query(forbidden).execute(&mut writer).await.is_err(), "{forbidden}");
        }
        writer.close().await.unwrap();
        store.close().await;
        drop(store);
        Store::open(&path).await.unwrap();
    }
}
