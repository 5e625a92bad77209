// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `agreement`: every agreement that was ever in force, so that old decisions can be computed again.

use sqlx::SqliteConnection;

use crate::clock::Time;
use crate::store::StoreError;

/// Keeps the text of an agreement that the leaf put into force; one that was in force before keeps its first date.
pub async fn save(conn: &mut SqliteConnection, digest: &[u8; 32], text: &str, since: Time, leaf: u64) -> Result<(), StoreError> {
    const UPSERT: &str =
        "INSERT INTO agreement (digest, text, since, leaf) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET leaf = excluded.leaf";
    sqlx::query(UPSERT).bind(digest.as_slice()).bind(text).bind(since.0).bind(leaf.cast_signed()).execute(conn).await?;
    Ok(())
}
