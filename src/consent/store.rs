// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `consent` and `consent_version`.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Consent;
use crate::clock::Time;
use crate::id::{ConsentId, InstitutionId};
use crate::store::{StoreError, insert_many, select_in};

/// Current versions by id.
pub async fn load(conn: &mut SqliteConnection, ids: &[ConsentId]) -> Result<Vec<Consent>, StoreError> {
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    select_in(conn, "SELECT record FROM consent WHERE id IN", &ids).await?.iter().map(from_row).collect()
}

/// Current versions that a controller recorded, last changed first; `before` is the cursor of the page before.
pub async fn list(
    conn: &mut SqliteConnection,
    controller: &InstitutionId,
    before: Option<(Time, ConsentId)>,
    limit: u32,
) -> Result<Vec<(Time, Consent)>, StoreError> {
    const SQL: &str = "SELECT record, changed_at FROM consent WHERE controller = ? AND (changed_at, id) < (?, ?) \
                       ORDER BY changed_at DESC, id DESC LIMIT ?";
    let (at, id) = before.map_or((i64::MAX, vec![0xff; 17]), |(at, id)| (at.0, id.as_bytes().to_vec()));
    let rows = sqlx::query(SQL).bind(controller.as_str()).bind(at).bind(id).bind(limit).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((Time(row.try_get(1)?), from_row(row)?))).collect()
}

/// Writes new and changed consents; every version is kept for the auditor who computes an old decision again.
pub async fn save(conn: &mut SqliteConnection, rows: &[&Consent], now: Time) -> Result<(), StoreError> {
    let mut texts = Vec::with_capacity(rows.len());
    for consent in rows {
        texts.push((*consent, serde_json::to_string(consent).map_err(|_| StoreError::Damaged("consent.record"))?));
    }
    const UPSERT: &str = "ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, changed_at = excluded.changed_at";
    insert_many(conn, "INSERT INTO consent (id, controller, version, record, changed_at)", UPSERT, 5, &texts, |row, (c, text)| {
        row.push_bind(c.id.as_bytes().to_vec())
            .push_bind(c.controller.institution.as_str().to_owned())
            .push_bind(i64::from(c.version))
            .push_bind(text.clone())
            .push_bind(now.0);
    })
    .await?;
    const VERSION: &str = "INSERT INTO consent_version (id, version, record)";
    insert_many(conn, VERSION, "ON CONFLICT (id, version) DO UPDATE SET record = excluded.record", 3, &texts, |row, (c, text)| {
        row.push_bind(c.id.as_bytes().to_vec()).push_bind(i64::from(c.version)).push_bind(text.clone());
    })
    .await
}

fn from_row(row: &SqliteRow) -> Result<Consent, StoreError> {
    serde_json::from_str(row.try_get(0)?).map_err(|_| StoreError::Damaged("consent.record"))
}
