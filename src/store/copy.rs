// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Everything from one database into another, empty one, of the same or the other engine, in one transaction. Which tables and columns there are is
//! asked of the databases themselves: a new migration needs nothing here.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;

use super::connection::Engine;
use super::value::{Row, Value, array};
use super::{Connection, Place, StoreError, postgres, sqlite};

/// Rows that are written at once, and bytes from which on fewer are.
const ROWS: usize = 128;
const BYTES: usize = 4 << 20;

/// The table that is not empty when it is new: the migrations put its one row in.
const HEAD: &str = "log_head";

/// A table's columns with what they hold.
type Shape = BTreeMap<String, Vec<(String, Kind)>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Int,
    Text,
    Bytes,
}

/// A copy under way: nobody else writes to either side, and nothing is kept before [`Copying::finish`].
pub struct Copying {
    /// One moment of the database that is read.
    pub source: Connection,
    /// The database that is filled, within its transaction.
    pub target: Connection,
    /// The file that was made for it, if one was.
    made: Option<PathBuf>,
    /// Held to the end.
    _locks: Vec<File>,
}

impl Copying {
    /// Takes both sides: refuses if a gateway works on one of them, if the target holds anything, or if either is of another version.
    pub async fn begin(from: &Place, to: &Place) -> Result<Self, StoreError> {
        if from == to {
            return Err(StoreError::NotEmpty(to.to_string()));
        }
        let mut locks = Vec::new();
        let mut source = match from {
            Place::File(path) => {
                locks.push(sqlite::lock(path)?);
                sqlite::read_only(path).await?
            }
            Place::Server(url) => postgres::alone(url).await?,
        };
        source.tables().await?.same()?;
        // The lock comes before the first read, which is the moment that is copied.
        if source.is_shared() {
            source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", []).await?;
            source.execute("LOCK TABLE log_head IN EXCLUSIVE MODE", []).await?;
        } else {
            source.snapshot().await?;
        }
        let mut made = None;
        let target = match to {
            Place::File(path) => {
                if !path.exists() {
                    sqlite::create(path).await?;
                    made = Some(path.clone());
                }
                locks.push(sqlite::lock(path)?);
                sqlite::writer(path).await?
            }
            Place::Server(url) => {
                let mut conn = postgres::alone(url).await?;
                if conn.tables().await?.found == 0 {
                    postgres::create(url).await?;
                }
                conn
            }
        };
        let mut copying = Self { source, target, made, _locks: locks };
        if let Err(error) = copying.take_target(to).await {
            copying.abandon().await?;
            return Err(error);
        }
        Ok(copying)
    }

    async fn take_target(&mut self, to: &Place) -> Result<(), StoreError> {
        self.target.tables().await?.same()?;
        self.target.begin_at_once().await?;
        for table in shape(&mut self.target).await?.keys() {
            let empty = if table == HEAD { format!("SELECT 1 FROM {table} WHERE size > 0") } else { format!("SELECT 1 FROM {table} LIMIT 1") };
            if !self.target.query(AssertSqlSafe(empty), []).await?.is_empty() {
                return Err(StoreError::NotEmpty(to.to_string()));
            }
        }
        Ok(())
    }

    /// Copies every row of every table; how many of each. `watch` is told the table and its rows so far.
    pub async fn run(&mut self, watch: &(dyn Fn(&str, u64) + Sync)) -> Result<BTreeMap<String, u64>, StoreError> {
        let tables = shape(&mut self.source).await?;
        let wanted = shape(&mut self.target).await?;
        let sorted = |shape: &Shape| {
            shape.iter().map(|(table, columns)| (table.clone(), columns.iter().cloned().collect())).collect::<BTreeMap<_, BTreeMap<_, _>>>()
        };
        if sorted(&tables) != sorted(&wanted) {
            return Err(StoreError::OtherTables);
        }
        let mut counts = BTreeMap::new();
        for (table, columns) in &tables {
            if table == HEAD {
                self.target.run(AssertSqlSafe(format!("DELETE FROM {table}")), []).await?;
            }
            counts.insert(table.clone(), self.table(table, columns, watch).await?);
        }
        Ok(counts)
    }

    async fn table(&mut self, table: &str, columns: &[(String, Kind)], watch: &(dyn Fn(&str, u64) + Sync)) -> Result<u64, StoreError> {
        let sql = AssertSqlSafe(format!("SELECT {} FROM {table}", names(columns)));
        let (mut waiting, mut bytes, mut count) = (Vec::new(), 0, 0);
        macro_rules! pour {
            ($conn:expr, $row:path) => {{
                let mut rows = sqlx::query(sql).fetch($conn);
                while let Some(row) = rows.try_next().await? {
                    let values = values(&$row(row), columns)?;
                    bytes += values.iter().map(weight).sum::<usize>();
                    waiting.push(values);
                    count += 1;
                    if waiting.len() >= ROWS || bytes >= BYTES {
                        insert(&mut self.target, table, columns, std::mem::take(&mut waiting)).await?;
                        bytes = 0;
                        watch(table, count);
                    }
                }
            }};
        }
        match self.source.engine() {
            Engine::Sqlite(conn) => pour!(conn, Row::Sqlite),
            Engine::Postgres(conn) => pour!(conn, Row::Postgres),
        }
        insert(&mut self.target, table, columns, waiting).await?;
        watch(table, count);
        Ok(count)
    }

    /// Keeps the copy.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.target.commit().await?;
        // Without it PostgreSQL plans as for the empty tables that they were.
        self.target.execute("ANALYZE", []).await?;
        self.target.close().await?;
        self.source.close().await
    }

    /// Leaves the target as it was.
    pub async fn abandon(mut self) -> Result<(), StoreError> {
        // Without a transaction there is nothing to take back.
        let _ = self.target.execute("ROLLBACK", []).await;
        self.target.close().await?;
        self.source.close().await?;
        if let Some(path) = self.made {
            for end in ["", "-wal", "-shm", ".lock"] {
                let _ = std::fs::remove_file(format!("{}{end}", path.display()));
            }
        }
        Ok(())
    }
}

/// The tables of a database but sqlx's own, with their columns in order.
async fn shape(conn: &mut Connection) -> Result<Shape, StoreError> {
    const SQLITE: &str = "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
                          AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND m.name <> '_sqlx_migrations' ORDER BY m.name, c.cid";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text, upper(data_type::text) FROM information_schema.columns \
                            WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations' ORDER BY table_name, ordinal_position";
    let rows = conn.rows(if conn.is_shared() { POSTGRES } else { SQLITE }, []).await?;
    let mut shape = Shape::new();
    for row in rows {
        let kind = match row.text(2)? {
            "INTEGER" | "BIGINT" => Kind::Int,
            "TEXT" => Kind::Text,
            "BLOB" | "BYTEA" => Kind::Bytes,
            _ => return Err(StoreError::OtherTables),
        };
        shape.entry(row.text(0)?.to_owned()).or_default().push((row.text(1)?.to_owned(), kind));
    }
    Ok(shape)
}

fn names(columns: &[(String, Kind)]) -> String {
    columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn values(row: &Row, columns: &[(String, Kind)]) -> Result<Vec<Value>, StoreError> {
    let value = |(at, (_, kind)): (usize, &(String, Kind))| {
        Ok(match kind {
            Kind::Int => Value::Int(row.maybe_int(at)?),
            Kind::Text => row.text(at)?.into(),
            Kind::Bytes => Value::Bytes(row.maybe_bytes(at)?.map(<[u8]>::to_vec)),
        })
    };
    columns.iter().enumerate().map(value).collect()
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(Some(bytes)) => bytes.len(),
        _ => 8,
    }
}

async fn insert(conn: &mut Connection, table: &str, columns: &[(String, Kind)], mut rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let into = format!("INSERT INTO {table} ({})", names(columns));
    if conn.is_shared() {
        let kind = |kind: &Kind| match kind {
            Kind::Int => "bigint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        let arrays: Vec<_> = columns.iter().enumerate().map(|(at, (_, of))| format!("${}::{}[]", at + 1, kind(of))).collect();
        let columns =
            columns.iter().enumerate().map(|(at, (_, of))| array(kind(of), rows.iter_mut().filter_map(|row| row.get_mut(at)).map(Value::take)));
        let columns: Vec<_> = columns.collect();
        conn.run(AssertSqlSafe(format!("{into} SELECT * FROM UNNEST({})", arrays.join(", "))), columns).await?;
    } else {
        let places = format!("({}?)", "?,".repeat(columns.len().saturating_sub(1)));
        let text = format!("{into} VALUES {}", vec![places; rows.len()].join(","));
        conn.run(AssertSqlSafe(text), rows.into_iter().flatten()).await?;
    }
    Ok(())
}
