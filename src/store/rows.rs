// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Many rows in few statements: a statement per row costs a hop to the database's thread each, whatever the batch.

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::StoreError;

/// Most values in one statement (SQLite allows 32,766).
pub const BIND_LIMIT: usize = 30_000;

/// Inserts `rows` of `width` values each with `INTO`, such as `INSERT INTO t (a, b)`, and ends with `tail`, such as an upsert clause.
pub async fn insert_many<T>(
    conn: &mut SqliteConnection,
    into: &'static str,
    tail: &'static str,
    width: usize,
    rows: &[T],
    push: impl Fn(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), StoreError> {
    for chunk in rows.chunks((BIND_LIMIT / width.max(1)).max(1)) {
        let mut query = QueryBuilder::<Sqlite>::new(into);
        query.push(" ");
        query.push_values(chunk, |mut row, value| push(&mut row, value));
        query.push(" ");
        query.push(tail);
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Selects with `sql`, which ends before the list, such as `SELECT … WHERE id IN`, for any number of ids.
pub async fn select_in(conn: &mut SqliteConnection, sql: &'static str, ids: &[&[u8]]) -> Result<Vec<SqliteRow>, StoreError> {
    let mut out = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(BIND_LIMIT) {
        let mut query = QueryBuilder::<Sqlite>::new(sql);
        query.push(" (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind(*id);
        }
        query.push(")");
        out.extend(query.build().fetch_all(&mut *conn).await?);
    }
    Ok(out)
}

/// A 16-byte id of a column.
pub fn id16(bytes: &[u8], column: &'static str) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(column))
}

/// A 32-byte hash or pseudonym of a column.
pub fn id32(bytes: &[u8], column: &'static str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(column))
}
