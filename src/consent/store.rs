// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `consent` and `consent_version`.

use super::Consent;
use crate::clock::Time;
use crate::id::{ConsentId, InstitutionId};
use crate::store::{Connection, Insert, Row, StoreError};

static CONSENT: Insert<7> = Insert {
    table: "consent",
    columns: [
        ("id", "bytea"),
        ("controller", "text"),
        ("version", "bigint"),
        ("record", "text"),
        ("changed_at", "bigint"),
        ("subject", "bytea"),
        ("delete_after", "bigint"),
    ],
    conflict: "ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, changed_at = excluded.changed_at, \
               subject = excluded.subject, delete_after = excluded.delete_after",
};
static VERSION: Insert<3> = Insert {
    table: "consent_version",
    columns: [("id", "bytea"), ("version", "bigint"), ("record", "text")],
    conflict: "ON CONFLICT (id, version) DO UPDATE SET record = excluded.record",
};

/// Current versions by id.
pub async fn load(conn: &mut Connection, ids: &[ConsentId]) -> Result<Vec<Consent>, StoreError> {
    conn.rows_in("SELECT record FROM consent WHERE id {}", ids.iter().map(|id| id.as_bytes())).await?.iter().map(from_row).collect()
}

/// Current versions that a controller recorded, last changed first; `before` is the cursor of the page before.
pub async fn list(
    conn: &mut Connection,
    controller: &InstitutionId,
    before: Option<(Time, ConsentId)>,
    limit: u32,
) -> Result<Vec<(Time, Consent)>, StoreError> {
    const SQL: &str = "SELECT record, changed_at FROM consent WHERE controller = $1 AND (changed_at, id) < ($2, $3) \
                       ORDER BY changed_at DESC, id DESC LIMIT $4";
    let (at, id) = before.map_or((i64::MAX, vec![0xff; 17]), |(at, id)| (at.0, id.as_bytes().to_vec()));
    let rows = conn.rows(SQL, [controller.as_str().into(), at.into(), id.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((Time(row.int(1)?), from_row(row)?))).collect()
}

/// Writes new and changed consents; every version is kept for the auditor who computes an old decision again.
pub async fn save(conn: &mut Connection, rows: &[&Consent], now: Time) -> Result<(), StoreError> {
    let text = |consent: &Consent| serde_json::to_string(consent).map_err(|_| StoreError::Damaged("consent.record"));
    let texts = rows.iter().map(|consent| text(consent)).collect::<Result<Vec<_>, _>>()?;
    let rows = || rows.iter().zip(&texts);
    let consent = |(c, text): (&&Consent, &String)| {
        [
            c.id.as_bytes().into(),
            c.controller.institution.as_str().into(),
            c.version.into(),
            text.as_str().into(),
            now.0.into(),
            c.subject.pseudonym().into(),
            c.retention.as_ref().map_or(i64::MAX, |retention| retention.delete_after.end().0).into(),
        ]
    };
    conn.insert(&CONSENT, rows().map(consent)).await?;
    conn.insert(&VERSION, rows().map(|(c, text)| [c.id.as_bytes().into(), c.version.into(), text.as_str().into()])).await
}

/// Current versions of what is recorded of these persons, by their pseudonyms.
pub async fn of_subjects(conn: &mut Connection, subjects: &[[u8; 32]]) -> Result<Vec<Consent>, StoreError> {
    conn.rows_in("SELECT record FROM consent WHERE subject {}", subjects).await?.iter().map(from_row).collect()
}

/// Consents whose evidence may go at `now` by their dates, with those dates; `after` is the cursor of the page before.
pub async fn ended(conn: &mut Connection, now: Time, after: (Time, ConsentId), limit: u32) -> Result<Vec<(Time, Consent)>, StoreError> {
    const SQL: &str = "SELECT record, delete_after FROM consent WHERE delete_after <= $1 AND (delete_after, id) > ($2, $3) \
                       ORDER BY delete_after, id LIMIT $4";
    let values = [now.0.into(), after.0.0.into(), after.1.as_bytes().into(), limit.into()];
    conn.rows(SQL, values).await?.iter().map(|row| Ok((Time(row.int(1)?), from_row(row)?))).collect()
}

/// Erases consents with all their versions.
pub async fn erase(conn: &mut Connection, ids: &[ConsentId]) -> Result<(), StoreError> {
    conn.write_in("DELETE FROM consent_version WHERE id {}", ids.iter().map(|id| id.as_bytes())).await?;
    conn.write_in("DELETE FROM consent WHERE id {}", ids.iter().map(|id| id.as_bytes())).await
}

fn from_row(row: &Row) -> Result<Consent, StoreError> {
    serde_json::from_str(row.text(0)?).map_err(|_| StoreError::Damaged("consent.record"))
}
