// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One walk over the leaves: each is hashed, appended to a tree of its own, and replayed. Head, tiles and guard are held against that tree.

use prost::Message as _;

use super::{Check, RESTORE, Watch};
use crate::exchange::replay::Replay;
use crate::ledger::{Checkpoint, FullTile, Hash, Tree};
use crate::proto::audit::Entry;
use crate::store::{Connection, StoreError};

/// Leaves that are read at once.
const PAGE: u32 = 2048;

const OLDER: &str = "this is an older or another database than the one that was signed: restore the newest state, see \"Backup and restore\" in \
                     docs/OPERATIONS.md. Do not edit the guard";

/// The tree and the states that the entries lead to, and what is wrong on the way.
pub(super) async fn walk(
    conn: &mut Connection,
    signed: Option<&Checkpoint>,
    checks: &mut Vec<Check>,
    watch: &Watch<'_>,
) -> Result<(Tree, Replay), StoreError> {
    const HEAD: &str = "SELECT size, compact, root FROM log_head WHERE id = 1";
    const LEAVES: &str = "SELECT idx, entry, leaf_hash FROM log_leaf WHERE idx >= $1 ORDER BY idx LIMIT $2";
    let mut leaves = Check::new("leaves of the log", RESTORE);
    let mut tiles = Check::new("tiles of the log", RESTORE);
    let mut head = Check::new("head of the log", RESTORE);
    let mut guard = Check::new("rollback guard", OLDER);
    let mut told = Check::new("replay of the log", "a promise was broken: keep the log (weiche audit export) and report it");

    let row = conn.row(HEAD, []).await?.ok_or(StoreError::Damaged("log_head"))?;
    let (size, compact, root) = (row.size(0)?, row.bytes(1)?.to_vec(), row.bytes(2)?.to_vec());
    let (mut tree, mut replay) = (Tree::new(), Replay::default());
    let mut root_at_signed = signed.filter(|signed| signed.size == 0).map(|_| Hash::empty_root());
    let mut full = 0;
    'pages: loop {
        let rows = conn.rows(LEAVES, [tree.size().into(), PAGE.into()]).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let at = tree.size();
            if row.size(0)? != at {
                leaves.wrong(format!("entry {at} is missing; {} is the next", row.size(0)?));
                break 'pages;
            }
            let hash = Hash::leaf(row.bytes(1)?);
            if *hash.as_bytes() != *row.bytes(2)? {
                leaves.wrong(format!("entry {at} is not the one that was hashed"));
            }
            match Entry::decode(row.bytes(1)?) {
                Err(_) => told.wrong(format!("entry {at} cannot be read")),
                Ok(entry) => {
                    if let Err(error) = replay.read(&entry) {
                        told.wrong(format!("entry {at}, {}: {error}", entry.kind().as_str_name()));
                    }
                }
            }
            for tile in tree.append(&[hash]) {
                full += 1;
                compare(conn, &tile, &mut tiles).await?;
            }
            if signed.is_some_and(|signed| signed.size == tree.size()) {
                root_at_signed = Some(tree.root());
            }
        }
        watch("log", tree.size(), size);
    }
    if tree.size() != size {
        head.wrong(format!("it says {size} entries, but there are {}", tree.size()));
    } else if *tree.root().as_bytes() != *root || tree.to_compact() != compact {
        head.wrong(format!("it is not the root of the {size} entries, which is {}", tree.root()));
    }
    let stored = conn.row("SELECT COUNT(*) FROM log_tile", []).await?.ok_or(StoreError::Damaged("log_tile"))?.int(0)?;
    if stored != full {
        tiles.wrong(format!("there are {stored} full tiles, {full} belong to the entries"));
    }
    if let Some(signed) = signed {
        match root_at_signed {
            None => guard.wrong(format!("{} entries were signed, the database has {}", signed.size, tree.size())),
            Some(root) if root != signed.root => guard.wrong(format!("the first {} entries are not those that were signed", signed.size)),
            Some(_) => {}
        }
        checks.push(guard);
    }
    checks.extend([leaves, tiles, head, told]);
    Ok((tree, replay))
}

async fn compare(conn: &mut Connection, full: &FullTile, check: &mut Check) -> Result<(), StoreError> {
    const SQL: &str = "SELECT hashes, root FROM log_tile WHERE level = $1 AND n = $2";
    let (level, n) = (u32::from(full.tile.level), full.tile.n);
    match conn.row(SQL, [level.into(), n.into()]).await? {
        None => check.wrong(format!("tile {n} of level {level} is missing")),
        Some(row) if Hash::join(&full.hashes) != row.bytes(0)? || full.root.as_bytes() != row.bytes(1)? => {
            check.wrong(format!("tile {n} of level {level} is not that of the entries"));
        }
        Some(_) => {}
    }
    Ok(())
}
