// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `log_head`, `log_leaf`, `log_tile` and `log_opening`.

use sqlx::{Row, SqliteConnection};

use super::hash::Hash;
use super::proof::Tiles;
use super::tile::Tile;
use super::tree::{FullTile, Tree, TreeError};
use crate::store::{StoreError, insert_many};

/// Why the stored log cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Head and leaves disagree.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl From<sqlx::Error> for LogStoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The head row: from the moment a transaction has read it under its write lock, nobody else appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// Order number of the next delivery.
    pub next_delivery: i64,
}

/// Reads the head; makes the first one of a new database.
pub async fn head(conn: &mut SqliteConnection) -> Result<Head, StoreError> {
    const SQL: &str = "SELECT size, next_delivery FROM log_head WHERE id = 1";
    let row = match sqlx::query(SQL).fetch_optional(&mut *conn).await? {
        Some(row) => row,
        None => {
            sqlx::query("INSERT INTO log_head (id, size, compact, root, next_delivery) VALUES (1, 0, x'', ?, 1)")
                .bind(Hash::empty_root().as_bytes().to_vec())
                .execute(&mut *conn)
                .await?;
            sqlx::query(SQL).fetch_one(&mut *conn).await?
        }
    };
    Ok(Head { size: number(row.try_get(0)?)?, next_delivery: row.try_get(1)? })
}

/// Takes the tree up again from head, leaves and tiles, which must agree.
pub async fn resume(conn: &mut SqliteConnection) -> Result<Tree, LogStoreError> {
    let size = head(conn).await?.size;
    let compact: Vec<u8> = sqlx::query("SELECT compact FROM log_head WHERE id = 1").fetch_one(&mut *conn).await?.try_get(0)?;
    let tiles = read_tiles(conn, Tile::edge(size)).await?;
    Ok(Tree::resume(size, &compact, &tiles)?)
}

/// The hashes of tiles as they are in a log of the size for which they were named.
pub async fn read_tiles(conn: &mut SqliteConnection, wanted: impl IntoIterator<Item = Tile>) -> Result<Tiles, StoreError> {
    let mut tiles = Tiles::default();
    for tile in wanted {
        tiles.insert(tile, hashes(conn, tile).await?);
    }
    Ok(tiles)
}

/// The hashes of one tile, full or partial.
pub async fn hashes(conn: &mut SqliteConnection, tile: Tile) -> Result<Vec<Hash>, StoreError> {
    const FULL: &str = "SELECT hashes FROM log_tile WHERE level = ? AND n = ?";
    const LEAVES: &str = "SELECT leaf_hash FROM log_leaf WHERE idx >= ? ORDER BY idx LIMIT ?";
    const ROOTS: &str = "SELECT root FROM log_tile WHERE level = ? AND n >= ? ORDER BY n LIMIT ?";
    let first = stored(tile.n)?.saturating_mul(i64::from(super::tile::FULL));
    if tile.is_full() {
        let row = sqlx::query(FULL).bind(i64::from(tile.level)).bind(stored(tile.n)?).fetch_optional(&mut *conn).await?;
        if let Some(row) = row {
            return Hash::split(row.try_get(0)?).map_err(|_| StoreError::Damaged("log_tile.hashes"));
        }
    }
    let rows = if tile.level == 0 {
        sqlx::query(LEAVES).bind(first).bind(i64::from(tile.width)).fetch_all(conn).await?
    } else {
        sqlx::query(ROOTS).bind(i64::from(tile.level) - 1).bind(first).bind(i64::from(tile.width)).fetch_all(conn).await?
    };
    let mut hashes = Vec::with_capacity(rows.len());
    for row in rows {
        hashes.extend(Hash::split(row.try_get(0)?).map_err(|_| StoreError::Damaged("log_leaf.leaf_hash"))?);
    }
    Ok(hashes)
}

/// What one batch adds to the log.
#[derive(Debug)]
pub struct Appended<'a> {
    /// The tree after it.
    pub tree: &'a Tree,
    /// Entries with their hashes; the first has index `tree.size() - leaves.len()`.
    pub leaves: &'a [(Vec<u8>, Hash)],
    /// Tiles that became full.
    pub full: &'a [FullTile],
    /// Openings of commitments, by index.
    pub openings: &'a [(u64, [u8; 32])],
    /// Order number of the next delivery.
    pub next_delivery: i64,
}

/// Writes it: leaves, full tiles, openings, head.
pub async fn append(conn: &mut SqliteConnection, added: &Appended<'_>) -> Result<(), StoreError> {
    let first = stored(added.tree.size())?.saturating_sub(stored(added.leaves.len() as u64)?);
    let leaves: Vec<_> = added.leaves.iter().enumerate().collect();
    insert_many(conn, "INSERT INTO log_leaf (idx, entry, leaf_hash)", "", 3, &leaves, |row, (at, (entry, hash))| {
        row.push_bind(first.saturating_add(i64::try_from(*at).unwrap_or(i64::MAX))).push_bind(entry.clone()).push_bind(hash.as_bytes().to_vec());
    })
    .await?;
    insert_many(conn, "INSERT INTO log_tile (level, n, hashes, root)", "", 4, added.full, |row, full| {
        row.push_bind(i64::from(full.tile.level))
            .push_bind(i64::try_from(full.tile.n).unwrap_or(i64::MAX))
            .push_bind(Hash::join(&full.hashes))
            .push_bind(full.root.as_bytes().to_vec());
    })
    .await?;
    insert_many(conn, "INSERT INTO log_opening (idx, salt)", "", 2, added.openings, |row, (index, salt)| {
        row.push_bind(i64::try_from(*index).unwrap_or(i64::MAX)).push_bind(salt.to_vec());
    })
    .await?;
    sqlx::query("UPDATE log_head SET size = ?, compact = ?, root = ?, next_delivery = ? WHERE id = 1")
        .bind(stored(added.tree.size())?)
        .bind(added.tree.to_compact())
        .bind(added.tree.root().as_bytes().to_vec())
        .bind(added.next_delivery)
        .execute(conn)
        .await?;
    Ok(())
}

/// Entries from `from` on, in order, at most `limit`.
pub async fn entries(conn: &mut SqliteConnection, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = sqlx::query("SELECT entry FROM log_leaf WHERE idx >= ? ORDER BY idx LIMIT ?").bind(stored(from)?).bind(limit).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Damaged("log index"))
}

fn number(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|_| StoreError::Damaged("log_head.size"))
}
