// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The database: one file of SQLite (nothing to set up, one gateway), or a PostgreSQL server (several gateways, high availability). The same
//! product on both: each module owns the SQL of its tables, written once for both engines; this one owns the connections.
//!
//! The writing connection belongs to one task and is never lent to a caller's future: a future that is dropped in the middle of `BEGIN`
//! can hand a connection inside a transaction to somebody else (sqlx issue 4394).
//!
//! This part knows no rule of the domain.

mod connection;
mod copy;
mod place;
mod postgres;
mod space;
mod sqlite;
mod steps;
mod tables;
mod value;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, SqlitePool};

pub use connection::{Connection, Insert};
pub use copy::Copying;
pub use place::Place;
pub use space::Space;
pub use steps::{Pause, Steps};
pub use tables::Tables;
pub use value::{Row, Value};

use steps::Shelf;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("database {0}: another process uses it; stop that one first (two writers would fork the log)")]
    InUse(String),
    /// The file or the lock file beside it cannot be made.
    #[error("database {path}: {source}")]
    File {
        /// Where.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is none.
    #[error("there is no database {0}; `weiche init` makes one together with a new log, a lost one comes back only from its backup")]
    Missing(String),
    /// Its address cannot be read.
    #[error("database: `{0}` is no address of one; write postgres://USER@HOST:PORT/NAME, or name a file")]
    Address(String),
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
    /// The server is gone, and none has taken its place.
    #[error("the database server is lost")]
    Lost,
    /// The server does not answer.
    #[error("the database server has not answered for {0:?}")]
    Silent(Duration),
    /// The server waits for a standby.
    #[error("database: no standby has confirmed a commit for {0:?}; `synchronous_standby_names` wants one, see whether any is connected")]
    Unconfirmed(Duration),
    /// The tables are not for this program.
    #[error("database: its tables are of version {found}, this program needs {wanted}; {}", if found < wanted { "run `weiche migrate`" } else { "start the newer program" })]
    Version {
        /// As found; 0: none.
        found: i64,
        /// As needed.
        wanted: i64,
    },
    /// What is to be filled holds something already.
    #[error("database {0} is not empty: a copy goes into a new file, or into a new database of a server; nothing was changed")]
    NotEmpty(String),
    /// Two databases of one version have other tables.
    #[error("the tables of the two databases are not the same: somebody changed a schema by hand; nothing was copied")]
    OtherTables,
    /// A server copies itself.
    #[error("database {0} is a server's: `pg_dump` or `pg_basebackup` copy it, see \"Backup and restore\" in docs/OPERATIONS.md")]
    NotAFile(String),
    /// The schema is newer than this program, or damaged.
    #[error("database schema: {0}")]
    Schema(#[from] MigrateError),
    /// A statement failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A row does not hold what its column promises.
    #[error("database: column {0} holds something else than it should; run weiche audit verify and restore from your backup")]
    Damaged(&'static str),
}

/// An open database.
pub struct Store {
    place: Place,
    readers: Readers,
    /// Held as long as a file is open: two processes on one would fork the log.
    file: Option<(File, sqlite::Checkpoints)>,
}

enum Readers {
    Sqlite(SqlitePool),
    /// A simulation's.
    InSteps(Shelf, Steps),
    /// None: the server is lost.
    Postgres(Arc<ArcSwapOption<PgPool>>),
}

/// The way back to a server that was lost, or to its successor.
pub struct WayBack {
    place: Place,
    readers: Option<Arc<ArcSwapOption<PgPool>>>,
}

impl WayBack {
    /// The server is lost: whoever reads from it is told so at once, even if nothing comes from there any more, and so is who comes to read.
    pub fn lost(&self) {
        if let Some(old) = self.readers.as_ref().and_then(|readers| readers.swap(None)) {
            // Bids farewell to each connection, which nobody has to wait for.
            tokio::spawn(async move { old.close().await });
        }
    }

    /// A new writing connection.
    pub async fn writer(&self) -> Result<Connection, StoreError> {
        Store::writer(&self.place).await
    }

    /// Its server, or the successor, is the one that is wanted: it may be read again.
    pub fn found(&self) -> Result<(), StoreError> {
        if let (Some(readers), Place::Server(url)) = (&self.readers, &self.place) {
            readers.store(Some(Arc::new(postgres::readers(url)?)));
        }
        Ok(())
    }
}

impl Store {
    /// Makes the tables of a new database: in a new file, or in an empty database of a server.
    pub async fn create(place: &Place) -> Result<(), StoreError> {
        match place {
            Place::File(path) => sqlite::create(path).await,
            Place::Server(url) => postgres::create(url).await,
        }
    }

    /// Brings the tables up to this program's version; from which version to which. Newer ones that it may work on stay as they are.
    pub async fn migrate(place: &Place) -> Result<(i64, i64), StoreError> {
        match place {
            Place::File(path) => sqlite::migrate(path).await,
            Place::Server(url) => postgres::migrate(url).await,
        }
    }

    /// Writes one moment of a file into another file, beside whoever has it open, and puts that on disk. The other file must be missing or of no size.
    pub async fn backup(place: &Place, to: &Path) -> Result<(), StoreError> {
        match place {
            Place::File(path) => sqlite::backup(path, to).await,
            Place::Server(_) => Err(StoreError::NotAFile(place.to_string())),
        }
    }

    /// Opens a database that exists, refuses unsafe settings and tables that are not for this program. The one writing connection comes with it.
    pub async fn open(place: &Place) -> Result<(Self, Connection), StoreError> {
        let (readers, writer, file) = match place {
            Place::File(path) => {
                let (readers, writer, lock, checkpoints) = sqlite::open(path).await?;
                (Readers::Sqlite(readers), writer, Some((lock, checkpoints)))
            }
            Place::Server(url) => {
                let writer = postgres::writer(url).await?;
                (Readers::Postgres(Arc::new(ArcSwapOption::from_pointee(postgres::readers(url)?))), writer, None)
            }
        };
        Ok((Self { place: place.clone(), readers, file }, writer))
    }

    /// Opens a file for a simulation, whose thread waits for each of its steps.
    pub async fn open_in_steps(path: &Path, steps: Steps) -> Result<(Self, Connection), StoreError> {
        let (writer, lock, checkpoints) = steps.take(sqlite::open_in_steps(path, &steps)).await?;
        let readers = Readers::InSteps(Shelf::default(), steps);
        Ok((Self { place: Place::File(path.to_owned()), readers, file: Some((lock, checkpoints)) }, writer))
    }

    /// A connection for reading beside whoever has the database open; makes nothing, not even the file.
    pub async fn read_only(place: &Place) -> Result<Connection, StoreError> {
        match place {
            Place::File(path) => sqlite::read_only(path).await,
            Place::Server(url) => postgres::read_only(url).await,
        }
    }

    /// A connection for reading. Sees what is committed.
    pub async fn reader(&self) -> Result<Connection, StoreError> {
        Ok(match &self.readers {
            Readers::Sqlite(pool) => pool.acquire().await?.into(),
            Readers::InSteps(shelf, steps) => {
                let conn = match (shelf.take(), &self.place) {
                    (Some(conn), _) => conn,
                    (None, Place::File(path)) => steps.take(sqlite::reader(path)).await?,
                    (None, Place::Server(_)) => return Err(StoreError::Lost),
                };
                Connection::from(shelf.lend(conn)).in_steps(Some(steps.clone()))
            }
            Readers::Postgres(pool) => {
                let pool = pool.load_full().ok_or(StoreError::Lost)?;
                Connection::reading(pool.acquire().await?, pool.close_event())
            }
        })
    }

    /// A new writing connection in place of one that was lost.
    pub async fn writer(place: &Place) -> Result<Connection, StoreError> {
        match place {
            Place::File(path) => Err(StoreError::InUse(path.display().to_string())),
            Place::Server(url) => postgres::writer(url).await,
        }
    }

    /// Takes what was erased out of the files: the write-ahead log goes into the file, where erased rows are overwritten, and is emptied. Waits for
    /// readers in small pieces, so that the writer never waits long; false: they were in the way all the time. A server has its own way: nothing is done.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        match &self.file {
            Some((_, checkpoints)) => Ok(checkpoints.scrub().await),
            None => Ok(true),
        }
    }

    /// The way back, for whoever writes.
    pub fn way_back(&self) -> WayBack {
        let readers = match &self.readers {
            Readers::Sqlite(_) | Readers::InSteps(..) => None,
            Readers::Postgres(readers) => Some(readers.clone()),
        };
        WayBack { place: self.place.clone(), readers }
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Closes the readers; the lock goes with the value.
    pub async fn close(&self) {
        match &self.readers {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::InSteps(shelf, _) => while shelf.take().is_some() {},
            Readers::Postgres(pool) => {
                if let Some(pool) = pool.load_full() {
                    pool.close().await;
                }
            }
        }
    }
}

/// A 16-byte id of a column.
pub fn id16(bytes: &[u8], column: &'static str) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(column))
}

/// A 32-byte hash or pseudonym of a column.
pub fn id32(bytes: &[u8], column: &'static str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(column))
}

/// The migrations that were run: version and description.
const APPLIED: &str = "SELECT version, description FROM _sqlx_migrations WHERE success";

/// The version that this program's migrations lead to.
fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}
