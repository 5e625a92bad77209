// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `agreement`: every agreement that was ever in force, so that old decisions can be computed again.

use sqlx::SqliteConnection;

use crate::clock::Time;
use crate::store::StoreError;

/// Keeps the text of an agreement; one that came into force before keeps its first date.
pub async fn save(conn: &mut SqliteConnection, digest: &[u8; 32], text: &str, since: Time) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO agreement (digest, text, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(digest.as_slice())
        .bind(text)
        .bind(since.0)
        .execute(conn)
        .await?;
    Ok(())
}
