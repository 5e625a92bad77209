// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `log_head`, `log_leaf`, `log_tile` and `log_opening`.

use super::hash::Hash;
use super::proof::Tiles;
use super::tile::Tile;
use super::tree::{FullTile, Tree, TreeError};
use crate::store::{Connection, Insert, Row, StoreError};

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

/// The head row: from the moment a transaction has read it under its write lock, nobody else appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// Order number of the next delivery.
    pub next_delivery: i64,
}

const HEAD: &str = "SELECT size, next_delivery, compact FROM log_head WHERE id = 1";

/// Reads the head.
pub async fn head(conn: &mut Connection) -> Result<Head, StoreError> {
    Ok(from_row(conn.row(HEAD, []).await?)?.0)
}

/// Begins the writer's transaction by taking the head: from here on nobody else appends until it ends.
pub async fn take_head(conn: &mut Connection) -> Result<Head, StoreError> {
    Ok(from_row(conn.begin(HEAD).await?)?.0)
}

fn from_row(row: Option<Row>) -> Result<(Head, Vec<u8>), StoreError> {
    let row = row.ok_or(StoreError::Damaged("log_head"))?;
    Ok((Head { size: row.size(0)?, next_delivery: row.int(1)? }, row.bytes(2)?.to_vec()))
}

/// Takes the tree up again from head, leaves and tiles, which must agree.
pub async fn resume(conn: &mut Connection) -> Result<Tree, LogStoreError> {
    let (head, compact) = from_row(conn.row(HEAD, []).await?)?;
    let tiles = read_tiles(conn, Tile::edge(head.size)).await?;
    Ok(Tree::resume(head.size, &compact, &tiles)?)
}

/// The hashes of tiles as they are in a log of the size for which they were named.
pub async fn read_tiles(conn: &mut Connection, wanted: impl IntoIterator<Item = Tile>) -> Result<Tiles, StoreError> {
    let mut tiles = Tiles::default();
    for tile in wanted {
        tiles.insert(tile, hashes(conn, tile).await?);
    }
    Ok(tiles)
}

/// The hashes of one tile, full or partial.
pub async fn hashes(conn: &mut Connection, tile: Tile) -> Result<Vec<Hash>, StoreError> {
    const FULL: &str = "SELECT hashes FROM log_tile WHERE level = $1 AND n = $2";
    const LEAVES: &str = "SELECT leaf_hash FROM log_leaf WHERE idx >= $1 ORDER BY idx LIMIT $2";
    const ROOTS: &str = "SELECT root FROM log_tile WHERE level = $1 AND n >= $2 ORDER BY n LIMIT $3";
    let first = tile.n.saturating_mul(u64::from(super::tile::FULL));
    let (level, width) = (u32::from(tile.level), i64::from(tile.width));
    if tile.is_full()
        && let Some(row) = conn.row(FULL, [level.into(), tile.n.into()]).await?
    {
        return Hash::split(row.bytes(0)?).map_err(|_| StoreError::Damaged("log_tile.hashes"));
    }
    let rows = match level.checked_sub(1) {
        None => conn.rows(LEAVES, [first.into(), width.into()]).await?,
        Some(below) => conn.rows(ROOTS, [below.into(), first.into(), width.into()]).await?,
    };
    let mut hashes = Vec::with_capacity(rows.len());
    for row in rows {
        hashes.extend(Hash::split(row.bytes(0)?).map_err(|_| StoreError::Damaged("log_leaf.leaf_hash"))?);
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

static LEAF: Insert<3> = Insert { table: "log_leaf", columns: [("idx", "bigint"), ("entry", "bytea"), ("leaf_hash", "bytea")], conflict: "" };
static TILE: Insert<4> =
    Insert { table: "log_tile", columns: [("level", "bigint"), ("n", "bigint"), ("hashes", "bytea"), ("root", "bytea")], conflict: "" };
static OPENING: Insert<2> = Insert { table: "log_opening", columns: [("idx", "bigint"), ("salt", "bytea")], conflict: "" };

/// Writes it: leaves, full tiles, openings, head.
pub async fn append(conn: &mut Connection, added: &Appended<'_>) -> Result<(), StoreError> {
    let first = added.tree.size().saturating_sub(added.leaves.len() as u64);
    let leaves = added.leaves.iter().zip(first..).map(|((entry, hash), index)| [index.into(), entry.as_slice().into(), hash.as_bytes().into()]);
    conn.insert(&LEAF, leaves).await?;
    let full = |full: &FullTile| {
        let level = u32::from(full.tile.level);
        [level.into(), full.tile.n.into(), Hash::join(&full.hashes).into(), full.root.as_bytes().into()]
    };
    conn.insert(&TILE, added.full.iter().map(full)).await?;
    conn.insert(&OPENING, added.openings.iter().map(|(index, salt)| [(*index).into(), salt.into()])).await?;
    const HEAD: &str = "UPDATE log_head SET size = $1, compact = $2, root = $3, next_delivery = $4 WHERE id = 1";
    let tree = added.tree;
    conn.write(HEAD, [tree.size().into(), tree.to_compact().into(), tree.root().as_bytes().into(), added.next_delivery.into()]).await
}

/// Entries from `from` on, in order, at most `limit`.
pub async fn entries(conn: &mut Connection, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
    const SQL: &str = "SELECT entry FROM log_leaf WHERE idx >= $1 ORDER BY idx LIMIT $2";
    conn.rows(SQL, [from.into(), limit.into()]).await?.iter().map(|row| Ok(row.bytes(0)?.to_vec())).collect()
}
