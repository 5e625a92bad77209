// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `agreement` and `text_change`: every agreement that was ever in force, and what operators did to the texts, so that old decisions
//! can be computed again.

use super::TextChange;
use crate::clock::Time;
use crate::store::{Connection, StoreError, id32};

/// What the log last put into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// SHA-256 of the agreement's text.
    pub digest: [u8; 32],
    /// It.
    pub text: String,
    /// How many changes of texts there are.
    pub changes: usize,
}

/// Keeps the text of an agreement that the leaf put into force; one that was in force before keeps its first date.
pub async fn save(conn: &mut Connection, digest: &[u8; 32], text: &str, since: Time, leaf: u64) -> Result<(), StoreError> {
    const UPSERT: &str =
        "INSERT INTO agreement (digest, text, since, leaf) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE SET leaf = excluded.leaf";
    conn.write(UPSERT, [digest.into(), text.into(), since.0.into(), leaf.into()]).await
}

/// The agreement that the log last put into force; none in a new log.
pub async fn in_force(conn: &mut Connection) -> Result<Option<InForce>, StoreError> {
    const SQL: &str = "SELECT digest, text, (SELECT COUNT(*) FROM text_change) FROM agreement ORDER BY leaf DESC LIMIT 1";
    let row = conn.row(SQL, []).await?;
    row.map(|row| {
        let changes = usize::try_from(row.int(2)?).map_err(|_| StoreError::Damaged("text_change"))?;
        Ok(InForce { digest: id32(row.bytes(0)?, "agreement.digest")?, text: row.text(1)?.to_owned(), changes })
    })
    .transpose()
}

/// Keeps what an operator did to a text.
pub async fn save_changes(conn: &mut Connection, changes: &[(u64, TextChange)]) -> Result<(), StoreError> {
    for (leaf, change) in changes {
        let text = serde_json::to_string(change).map_err(|_| StoreError::Damaged("text_change.change"))?;
        conn.write("INSERT INTO text_change (leaf, change) VALUES ($1, $2)", [(*leaf).into(), text.as_str().into()]).await?;
    }
    Ok(())
}

/// What operators did to the texts, in the order of the log.
pub async fn changes(conn: &mut Connection) -> Result<Vec<TextChange>, StoreError> {
    let rows = conn.rows("SELECT change FROM text_change ORDER BY leaf", []).await?;
    rows.iter().map(|row| serde_json::from_str(row.text(0)?).map_err(|_| StoreError::Damaged("text_change.change"))).collect()
}
