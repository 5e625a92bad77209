// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `agreement`: every agreement that was ever in force, so that old decisions can be computed again.

use crate::clock::Time;
use crate::store::{Connection, StoreError, id32};

/// Keeps the text of an agreement that the leaf put into force; one that was in force before keeps its first date.
pub async fn save(conn: &mut Connection, digest: &[u8; 32], text: &str, since: Time, leaf: u64) -> Result<(), StoreError> {
    const UPSERT: &str =
        "INSERT INTO agreement (digest, text, since, leaf) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE SET leaf = excluded.leaf";
    conn.write(UPSERT, [digest.into(), text.into(), since.0.into(), leaf.into()]).await
}

/// Digest and text of the agreement that the log last put into force; none in a new log.
pub async fn in_force(conn: &mut Connection) -> Result<Option<([u8; 32], String)>, StoreError> {
    const SQL: &str = "SELECT digest, text FROM agreement ORDER BY leaf DESC LIMIT 1";
    let row = conn.row(SQL, []).await?;
    row.map(|row| Ok((id32(row.bytes(0)?, "agreement.digest")?, row.text(1)?.to_owned()))).transpose()
}
