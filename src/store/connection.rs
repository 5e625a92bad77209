// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One connection of either engine. Statements are written once, with `$1` for values, in the words that both engines share; what differs
//! (how a transaction takes the write lock, how many rows go in at once, how a list is handed over) is told apart here and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::pool::{CloseEvent, PoolConnection};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Postgres, SqlSafeStr, Sqlite};

use super::steps::Lent;
use super::value::{Row, Value, array, bound};
use super::{Steps, StoreError, Tables};
use crate::clock::Time;

/// Most rows in one statement of SQLite. Statements come in sizes of powers of two up to this, so that each table has a handful of them, all
/// prepared once; what a size has too many is filled up with rows of nothing. A statement costs two changes of threads, whatever it does.
const ROWS: usize = 128;

/// A table that takes rows in bulk. Its first column is never null.
#[derive(Debug)]
pub struct Insert<const N: usize> {
    /// The table.
    pub table: &'static str,
    /// Its columns with their types in PostgreSQL: `bigint`, `text` or `bytea`.
    pub columns: [(&'static str, &'static str); N],
    /// What ends the statement, such as `ON CONFLICT …`; empty: a second row of the same key is an error.
    pub conflict: &'static str,
}

/// A connection. The one that writes belongs to the writer; those that read come from the pool and never begin a transaction.
pub struct Connection {
    link: Link,
    /// Set when SQLite's write-ahead log has become long.
    begin_anew: Option<Arc<AtomicBool>>,
    /// Writes of SQLite's transaction under way. They go to it together with the commit: a step costs two changes of threads, whatever it does.
    deferred: Option<Vec<Deferred>>,
    /// Ends what is being read when the server is lost.
    lost: Option<CloseEvent>,
    /// How a simulation takes its steps.
    steps: Option<Steps>,
    /// Texts of bulk statements, by what they are for and how many rows they take.
    texts: HashMap<(&'static str, usize), Arc<str>>,
    /// Texts of whole batches, by their statements and size.
    batches: HashMap<(String, usize), Arc<str>>,
}

/// A write that waits for the commit.
struct Deferred {
    /// Names it among the texts.
    what: &'static str,
    /// Its text for so many rows, with `?` for values.
    text: Box<dyn Fn(usize) -> String + Send + Sync>,
    /// Values of a row; none: it is no bulk statement and takes its values once.
    width: Option<usize>,
    /// Row after row.
    values: Vec<Value>,
}

impl Deferred {
    fn rows(&self) -> usize {
        self.width.map_or(1, |width| self.values.len() / width.max(1))
    }
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} rows)", self.what, self.rows())
    }
}

#[derive(Debug)]
enum Link {
    Sqlite(SqliteConnection),
    SqliteReader(PoolConnection<Sqlite>),
    SqliteLent(Lent),
    Postgres(PgConnection),
    PostgresReader(PoolConnection<Postgres>),
}

/// Either engine's connection.
pub(super) enum Engine<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

macro_rules! from {
    ($($of:ty => $link:ident),*) => {
        $(impl From<$of> for Connection {
            fn from(link: $of) -> Self {
                let (texts, batches) = (HashMap::new(), HashMap::new());
                Self { link: Link::$link(link), begin_anew: None, deferred: None, lost: None, steps: None, texts, batches }
            }
        })*
    };
}
from!(SqliteConnection => Sqlite, PoolConnection<Sqlite> => SqliteReader, Lent => SqliteLent);
from!(PgConnection => Postgres, PoolConnection<Postgres> => PostgresReader);

impl Connection {
    /// A server's connection for reading, until the server is lost.
    pub(super) fn reading(conn: PoolConnection<Postgres>, lost: CloseEvent) -> Self {
        Self { lost: Some(lost), ..conn.into() }
    }

    pub(super) fn in_steps(self, steps: Option<Steps>) -> Self {
        Self { steps, ..self }
    }

    /// Whether it is a simulation's, which has one thread for everything.
    pub fn is_in_steps(&self) -> bool {
        self.steps.is_some()
    }

    pub(super) fn engine(&mut self) -> Engine<'_> {
        match &mut self.link {
            Link::Sqlite(conn) => Engine::Sqlite(conn),
            Link::SqliteReader(conn) => Engine::Sqlite(conn),
            Link::SqliteLent(lent) => Engine::Sqlite(lent.conn()),
            Link::Postgres(conn) => Engine::Postgres(conn),
            Link::PostgresReader(conn) => Engine::Postgres(conn),
        }
    }

    /// Whether several gateways can write beside each other.
    pub fn is_shared(&self) -> bool {
        matches!(self.link, Link::Postgres(_) | Link::PostgresReader(_))
    }

    /// Begins the writer's transaction by reading one row that nobody else can change until it ends. On SQLite the whole file is locked for it.
    /// *A crash from here until the commit leaves nothing.*
    pub async fn begin(&mut self, sql: &'static str) -> Result<Option<Row>, StoreError> {
        if self.is_shared() {
            self.execute("BEGIN", []).await?;
            let text = self.text(sql, 0, || format!("{sql} FOR UPDATE"));
            return Ok(self.query(AssertSqlSafe(text), []).await?.pop());
        }
        // Both in one step: a statement costs two changes of threads, whatever it does.
        let text = self.text(sql, 0, || format!("BEGIN IMMEDIATE; {sql}"));
        let row = self.query(AssertSqlSafe(text), []).await?.pop();
        self.deferred = Some(Vec::new());
        Ok(row)
    }

    /// Begins a transaction whose writes are made at once, so that it can read them.
    pub(super) async fn begin_at_once(&mut self) -> Result<(), StoreError> {
        let how = if self.is_shared() { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.execute(how, []).await.map(|_| ())
    }

    /// What time it is at the server, as it says itself. None on a file, whose only gateway has a clock of its own.
    pub async fn time(&mut self) -> Result<Option<Time>, StoreError> {
        const SQL: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
        if !self.is_shared() {
            return Ok(None);
        }
        Ok(self.row(SQL, []).await?.map(|row| row.int(0)).transpose()?.map(Time))
    }

    /// From here on it reads one moment of the database, whatever others write, until it is closed. SQLite's write-ahead log grows meanwhile.
    pub async fn snapshot(&mut self) -> Result<(), StoreError> {
        let how = if self.is_shared() { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" };
        self.execute(how, []).await.map(|_| ())
    }

    /// Which tables there are, seen from this program.
    pub async fn tables(&mut self) -> Result<Tables, StoreError> {
        match self.engine() {
            Engine::Sqlite(conn) => super::sqlite::tables(conn).await,
            Engine::Postgres(conn) => super::postgres::tables(conn).await,
        }
    }

    /// Closes it; what is in the write-ahead log of a file goes into the file.
    pub async fn close(mut self) -> Result<(), StoreError> {
        if self.begin_anew.is_some() {
            let _ = self.rows("PRAGMA wal_checkpoint(TRUNCATE)", []).await?;
        }
        match self.link {
            Link::Sqlite(conn) => Steps::taken(self.steps, conn.close()).await?,
            Link::Postgres(conn) => conn.close().await?,
            Link::SqliteReader(_) | Link::SqliteLent(_) | Link::PostgresReader(_) => {}
        }
        Ok(())
    }

    /// Commits. An error leaves it open whether the transaction is kept.
    pub async fn commit(&mut self) -> Result<(), StoreError> {
        match self.deferred.take() {
            Some(writes) => self.write_out(writes, "COMMIT").await,
            None => self.run("COMMIT", []).await.map(|_| ()),
        }
    }

    /// Runs all writes that waited, and `last`, in one step.
    async fn write_out(&mut self, writes: Vec<Deferred>, last: &'static str) -> Result<(), StoreError> {
        // One size for all of them, so that there are few texts; what a table has fewer is filled up with rows of nothing.
        let count = size(writes.iter().map(Deferred::rows).max().unwrap_or(1));
        let (mut key, mut statements, mut values) = (last.to_owned(), Vec::new(), Vec::new());
        for Deferred { what, text, width, values: mut rows } in writes {
            let times = width.map_or(1, |width| rows.len().div_ceil(count * width).max(1));
            if let Some(width) = width {
                rows.resize(times * count * width, Value::Int(None));
            }
            values.append(&mut rows);
            (0..times).for_each(|_| key.extend(["\n", what]));
            statements.push((text, times));
        }
        let build = || {
            let mut texts: Vec<String> = statements.iter().flat_map(|(text, times)| std::iter::repeat_n(text(count), *times)).collect();
            texts.push(last.to_owned());
            texts.join("; ").into()
        };
        let text = self.batches.entry((key, count)).or_insert_with(build).clone();
        self.run(AssertSqlSafe(text), values).await.map(|_| ())
    }

    /// Whoever writes begins the write-ahead log anew when this is set.
    pub(super) fn begin_anew_when(&mut self, full: Arc<AtomicBool>) {
        self.begin_anew = Some(full);
    }

    /// What is better done between two transactions than in one. Nothing waits for it but the next transaction.
    pub async fn between(&mut self) -> Result<(), StoreError> {
        if self.begin_anew.as_ref().is_some_and(|full| full.swap(false, Ordering::Relaxed)) {
            // Readers that are in the way are not waited for: the next time, then.
            let _ = self.rows("PRAGMA wal_checkpoint(RESTART)", []).await?;
        }
        Ok(())
    }

    /// Runs a statement; how many rows it touched.
    pub async fn execute<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<u64, StoreError> {
        self.run(sql, values).await
    }

    /// Runs a statement as a part of the writer's transaction. Its values stand in the order of their numbers.
    pub async fn write<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<(), StoreError> {
        match &mut self.deferred {
            Some(writes) => {
                let text = Box::new(move |_| (1..=N).fold(sql.to_owned(), |text, number| text.replacen(&format!("${number}"), "?", 1)));
                writes.push(Deferred { what: sql, text, width: None, values: values.into() });
                Ok(())
            }
            None => self.run(sql, values).await.map(|_| ()),
        }
    }

    /// All rows of a statement.
    pub async fn rows<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<Vec<Row>, StoreError> {
        self.query(sql, values).await
    }

    /// The row of a statement that has one at most.
    pub async fn row<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.pop())
    }

    /// Rows whose key is in a list of any length. `sql` has `{}` where the list goes: `SELECT … WHERE id {}`.
    pub async fn rows_in(&mut self, sql: &'static str, keys: impl IntoIterator<Item = impl Into<Value>>) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for (text, list) in self.lists(sql, keys.into_iter().map(Into::into).collect()) {
            rows.append(&mut self.query(AssertSqlSafe(text), list).await?);
        }
        Ok(rows)
    }

    /// The same for a statement that changes rows, as a part of the writer's transaction.
    pub async fn write_in(&mut self, sql: &'static str, keys: impl IntoIterator<Item = impl Into<Value>>) -> Result<(), StoreError> {
        let keys: Vec<Value> = keys.into_iter().map(Into::into).collect();
        match &mut self.deferred {
            Some(_) if keys.is_empty() => {}
            Some(writes) => {
                let text = Box::new(move |count| sql.replace("{}", &format!("IN {}", places(count))));
                writes.push(Deferred { what: sql, text, width: Some(1), values: keys });
            }
            None => {
                for (text, list) in self.lists(sql, keys) {
                    self.run(AssertSqlSafe(text), list).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes rows in bulk, in their order, as a part of the writer's transaction.
    pub async fn insert<const N: usize>(&mut self, into: &'static Insert<N>, rows: impl IntoIterator<Item = [Value; N]>) -> Result<(), StoreError> {
        let mut rows: Vec<[Value; N]> = rows.into_iter().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let insert = |rows: Vec<[Value; N]>| {
            let values = rows.into_iter().flatten().collect();
            Deferred { what: into.table, text: Box::new(|count| into.rows(count)), width: Some(N), values }
        };
        let shared = self.is_shared();
        match &mut self.deferred {
            Some(writes) => {
                writes.push(insert(rows));
                Ok(())
            }
            // PostgreSQL takes a column as one array, whatever the number of rows.
            None if shared => {
                let text = self.text(into.table, 0, || into.arrays());
                let columns = into.columns.iter().enumerate().map(|(at, (_, kind))| array(kind, rows.iter_mut().map(|row| row[at].take())));
                self.run(AssertSqlSafe(text), columns.collect::<Vec<_>>()).await.map(|_| ())
            }
            None => self.write_out(vec![insert(rows)], "SELECT 1").await,
        }
    }

    /// A statement with a list of keys: one array on PostgreSQL, pieces of the sizes that are prepared on SQLite.
    fn lists(&mut self, sql: &'static str, mut keys: Vec<Value>) -> Vec<(Arc<str>, Vec<Value>)> {
        let mut out = Vec::new();
        while !keys.is_empty() {
            let shared = self.is_shared();
            let count = if shared { keys.len() } else { size(keys.len()) };
            let rest = keys.split_off(count.min(keys.len()));
            if shared {
                let kind = if matches!(keys.first(), Some(Value::Int(_))) { "bigint" } else { "bytea" };
                out.push((self.text(sql, 0, || sql.replace("{}", "= ANY($1)")), vec![array(kind, keys.into_iter())]));
            } else {
                keys.resize(count, Value::Int(None));
                out.push((self.text(sql, count, || sql.replace("{}", &format!("IN {}", places(count)))), keys));
            }
            keys = rest;
        }
        out
    }

    fn text(&mut self, what: &'static str, count: usize, build: impl FnOnce() -> String) -> Arc<str> {
        self.texts.entry((what, count)).or_insert_with(|| build().into()).clone()
    }

    pub(super) async fn query(&mut self, sql: impl SqlSafeStr, values: impl IntoIterator<Item = Value>) -> Result<Vec<Row>, StoreError> {
        debug_assert!(self.deferred.as_ref().is_none_or(Vec::is_empty), "a transaction reads first and writes then");
        let (mut lost, steps) = (self.lost.take(), self.steps.clone());
        Ok(match self.engine() {
            Engine::Sqlite(conn) => {
                let rows = sqlx::query_with(sql, bound::<SqliteArguments>(values)?).fetch_all(conn);
                Steps::taken(steps, rows).await?.into_iter().map(Row::Sqlite).collect()
            }
            Engine::Postgres(conn) => {
                let rows = sqlx::query_with(sql, bound::<PgArguments>(values)?).fetch_all(conn);
                let rows = match &mut lost {
                    Some(lost) => lost.do_until(rows).await??,
                    None => rows.await?,
                };
                self.lost = lost;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(super) async fn run(&mut self, sql: impl SqlSafeStr, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        let steps = self.steps.clone();
        Ok(match self.engine() {
            Engine::Sqlite(conn) => {
                let done = sqlx::query_with(sql, bound::<SqliteArguments>(values)?).execute(conn);
                Steps::taken(steps, done).await?.rows_affected()
            }
            Engine::Postgres(conn) => sqlx::query_with(sql, bound::<PgArguments>(values)?).execute(conn).await?.rows_affected(),
        })
    }
}

impl<const N: usize> Insert<N> {
    fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("{} ({})", self.table, names.join(", "))
    }
    fn rows(&self, count: usize) -> String {
        // A failed batch is rolled back whole: SQLite need not keep a journal of its own for each statement.
        format!(
            "INSERT OR ROLLBACK INTO {} SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL {}",
            self.names(),
            vec![places(N); count].join(","),
            self.conflict
        )
    }
    fn arrays(&self) -> String {
        let arrays: Vec<_> = self.columns.iter().enumerate().map(|(at, (_, kind))| format!("${}::{kind}[]", at + 1)).collect();
        format!("INSERT INTO {} SELECT * FROM UNNEST({}) {}", self.names(), arrays.join(", "), self.conflict)
    }
}

/// The size of statement for so many rows, or for the first of them.
fn size(left: usize) -> usize {
    left.next_power_of_two().min(ROWS)
}

/// `(?,?,?)`.
fn places(count: usize) -> String {
    format!("({}?)", "?,".repeat(count.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_statements_come_in_few_sizes() {
        assert_eq!([1, 2, 3, 64, 65, 128, 129, 5000].map(size), [1, 2, 4, 64, 128, 128, 128, 128]);
    }

    #[test]
    fn the_same_table_is_written_in_the_words_of_either_engine() {
        let into = Insert { table: "t", columns: [("a", "bigint"), ("b", "bytea")], conflict: "ON CONFLICT DO NOTHING" };
        assert_eq!(
            into.rows(2),
            "INSERT OR ROLLBACK INTO t (a, b) SELECT * FROM (VALUES (?,?),(?,?)) WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING"
        );
        assert_eq!(into.arrays(), "INSERT INTO t (a, b) SELECT * FROM UNNEST($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING");
    }
}
