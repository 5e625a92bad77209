// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! PostgreSQL: several gateways on one database. What the server promises about durability is asked, not assumed.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _};

use super::{Connection, StoreError, Tables};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The oldest server: 14 is the first with everything used here.
const OLDEST: i64 = 140_000;
/// Reading connections of one gateway.
const READERS: u32 = 8;
/// How long a connection may take to come about before the caller is told to come back.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a standby may take to confirm what the server holds.
const CONFIRM: Duration = Duration::from_secs(30);
/// How long a gateway may leave its transaction open and do nothing, asleep or cut off, before the server ends it: all others wait for it.
const STANDSTILL: &str = "5s";
/// Longest read; longer ones are a fault, not a wish.
const LONGEST_READ: &str = "10s";

/// Tables in an empty database.
pub async fn create(url: &str) -> Result<(), StoreError> {
    match migrate(url).await? {
        (0, _) => Ok(()),
        (found, wanted) => Err(StoreError::Version { found, wanted }),
    }
}

/// Brings the tables up to date. sqlx takes an advisory lock, so that two at once do it once.
pub async fn migrate(url: &str) -> Result<(i64, i64), StoreError> {
    let mut conn = options(url)?.connect().await?;
    let before = tables(&mut conn).await?;
    if before.found <= before.wanted {
        MIGRATIONS.run(&mut conn).await?;
    }
    let after = tables(&mut conn).await?;
    conn.close().await?;
    after.usable()?;
    Ok((before.found, after.found))
}

/// Connections for reading. None is made before somebody asks for it, and none to a standby: it may not have what the writer has just written.
pub fn readers(url: &str) -> Result<PgPool, StoreError> {
    let options = options(url)?.options([("statement_timeout", LONGEST_READ), ("default_transaction_read_only", "on")]);
    let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT).after_connect(|conn, _| {
        Box::pin(async move {
            match sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(conn).await? {
                true => Err(sqlx::Error::Protocol("this server is a standby".into())),
                false => Ok(()),
            }
        })
    });
    Ok(pool.connect_lazy_with(options))
}

/// A connection that writes, to a server that keeps what it acknowledges, and whose standby has everything that can be read from it.
pub async fn writer(url: &str) -> Result<Connection, StoreError> {
    // A commit that a time limit cuts short while it waits for the standby is answered as if it had not been: no limit, whatever the server's own.
    let options = options(url)?.options([("statement_timeout", "0"), ("idle_in_transaction_session_timeout", STANDSTILL)]);
    let reach = async {
        let mut conn = options.connect().await?;
        check(&mut conn).await?;
        tables(&mut conn).await?.usable().map(|()| conn)
    };
    let mut conn = tokio::time::timeout(CONNECT, reach).await.map_err(|_| StoreError::Silent(CONNECT))??;
    // A server that crashed or was promoted shows transactions that no standby has confirmed, and to read costs no confirmation: an answer from them
    // could be lost with it. A commit waits for all before it.
    let confirm = sqlx::query("SELECT pg_logical_emit_message(true, 'weiche', '')").execute(&mut conn);
    tokio::time::timeout(CONFIRM, confirm).await.map_err(|_| StoreError::Unconfirmed(CONFIRM))??;
    Ok(conn.into())
}

/// A connection to a server at which no gateway works.
pub(super) async fn alone(url: &str) -> Result<Connection, StoreError> {
    const OTHERS: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'weiche' \
                          AND pid <> pg_backend_pid()";
    let mut conn = options(url)?.connect().await?;
    check(&mut conn).await?;
    // Who has just gone may still be seen.
    for _ in 0..20 {
        let others: i64 = sqlx::query_scalar(OTHERS).fetch_one(&mut conn).await?;
        if others == 0 {
            return Ok(conn.into());
        }
        tokio::time::sleep(CONNECT / 50).await;
    }
    Err(StoreError::InUse(super::Place::Server(url.to_owned()).to_string()))
}

/// For reading only.
pub async fn read_only(url: &str) -> Result<Connection, StoreError> {
    Ok(options(url)?.options([("default_transaction_read_only", "on")]).connect().await?.into())
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Address(super::Place::Server(url.to_owned()).to_string()))?;
    Ok(options.application_name("weiche").statement_cache_capacity(256).disable_statement_logging())
}

/// Which tables there are.
pub(super) async fn tables(conn: &mut PgConnection) -> Result<Tables, StoreError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *conn).await?;
    let applied = if there { sqlx::query_as(super::APPLIED).fetch_all(conn).await? } else { Vec::new() };
    Ok(Tables::of(&applied, super::newest(&MIGRATIONS)))
}

/// Refuses a server that may forget what it has acknowledged, or that does not write.
async fn check(conn: &mut PgConnection) -> Result<(), StoreError> {
    const SQL: &str = "SELECT current_setting('server_version_num')::bigint, current_setting('fsync'), current_setting('full_page_writes'), \
                       current_setting('synchronous_commit'), pg_is_in_recovery(), \
                       current_setting('default_transaction_read_only')";
    let row = sqlx::query(SQL).fetch_one(conn).await?;
    let unsafe_if = |wrong: bool, what, found: String, wanted| if wrong { Err(StoreError::Unsafe { what, found, wanted }) } else { Ok(()) };
    let version: i64 = row.try_get(0)?;
    unsafe_if(version < OLDEST, "the PostgreSQL version", (version / 10_000).to_string(), "14 or later")?;
    for (at, what) in [(1, "fsync"), (2, "full_page_writes")] {
        let found: String = row.try_get(at)?;
        unsafe_if(found != "on", what, found, "on")?;
    }
    let commit: String = row.try_get(3)?;
    unsafe_if(!["on", "remote_apply"].contains(&commit.as_str()), "synchronous_commit", commit, "on or remote_apply")?;
    let recovering: bool = row.try_get(4)?;
    unsafe_if(recovering, "this server", "a standby".to_owned(), "the one that writes")?;
    let read_only: String = row.try_get(5)?;
    unsafe_if(read_only != "off", "default_transaction_read_only", read_only, "off")
}
