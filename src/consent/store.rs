// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `consent`, `consent_version` and `consent_code`.

use std::sync::Arc;

use super::{Consent, GrantorKind, Status};
use crate::clock::Time;
use crate::id::{ConsentId, InstitutionId};
use crate::store::{Connection, Insert, Row, StoreError, id32};

static CONSENT: Insert<10> = Insert {
    table: "consent",
    columns: [
        ("id", "bytea"),
        ("controller", "text"),
        ("version", "bigint"),
        ("record", "text"),
        ("changed_at", "bigint"),
        ("subject", "bytea"),
        ("ends_at", "bigint"),
        ("entitled_until", "bigint"),
        ("withdrawn_elsewhere", "bigint"),
        ("delete_after", "bigint"),
    ],
    conflict: "ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, changed_at = excluded.changed_at, \
               subject = excluded.subject, ends_at = excluded.ends_at, entitled_until = excluded.entitled_until, \
               withdrawn_elsewhere = excluded.withdrawn_elsewhere, delete_after = excluded.delete_after",
};
static VERSION: Insert<3> = Insert { table: "consent_version", columns: [("id", "bytea"), ("version", "bigint"), ("record", "text")], conflict: "" };

static CODE: Insert<2> = Insert { table: "consent_code", columns: [("code", "bytea"), ("consent", "bytea")], conflict: "" };

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

/// Writes new and changed consents, and the versions that they replace: every one is kept for the auditor who computes an old decision again.
pub async fn save(conn: &mut Connection, rows: &[&Consent], replaced: &[Arc<Consent>], now: Time) -> Result<(), StoreError> {
    let text = |consent: &Consent| serde_json::to_string(consent).map_err(|_| StoreError::Damaged("consent.record"));
    let texts = rows.iter().map(|consent| text(consent)).collect::<Result<Vec<_>, _>>()?;
    let earlier = replaced.iter().map(|consent| text(consent)).collect::<Result<Vec<_>, _>>()?;
    let consent = |(c, text): (&&Consent, &String)| {
        let in_force = |at: Option<Time>| at.filter(|_| c.status == Status::Active).map_or(0, |at| at.0);
        [
            c.id.as_bytes().into(),
            c.controller.institution.as_str().into(),
            c.version.into(),
            text.as_str().into(),
            now.0.into(),
            c.subject.pseudonym().into(),
            in_force(c.valid_until).into(),
            in_force(c.grantor.entitled_until).into(),
            c.withdrawn_elsewhere().map_or(0, |at| at.0).into(),
            c.retention.as_ref().map_or(i64::MAX, |retention| retention.delete_after.end().0).into(),
        ]
    };
    conn.insert(&CONSENT, rows.iter().zip(&texts).map(consent)).await?;
    let version = |(c, text): (&Arc<Consent>, &String)| [c.id.as_bytes().into(), c.version.into(), text.as_str().into()];
    conn.insert(&VERSION, replaced.iter().zip(&earlier).map(version)).await
}

/// The consents that codes were given out for, by the keyed digests of the codes.
pub async fn by_codes(conn: &mut Connection, codes: &[[u8; 32]]) -> Result<Vec<([u8; 32], ConsentId)>, StoreError> {
    let rows = conn.rows_in("SELECT code, consent FROM consent_code WHERE code {}", codes).await?;
    let one = |row: &Row| {
        let consent = ConsentId::from_slice(row.bytes(1)?).ok_or(StoreError::Damaged("consent_code.consent"))?;
        Ok((id32(row.bytes(0)?, "consent_code.code")?, consent))
    };
    rows.iter().map(one).collect()
}

/// Writes codes that were given out, as keyed digests.
pub async fn save_codes(conn: &mut Connection, rows: &[(&[u8; 32], &ConsentId)]) -> Result<(), StoreError> {
    conn.insert(&CODE, rows.iter().map(|(code, consent)| [(*code).into(), consent.as_bytes().into()])).await
}

/// Instants that somebody should be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// End of the validity of a consent in force.
    End,
    /// End of the power of whoever gave it.
    Entitlement,
    /// Withdrawal through another institution.
    WithdrawnElsewhere,
}

/// Statements about the column that holds the instants.
macro_rules! pending {
    ($column:literal) => {
        (
            concat!(
                "SELECT id, ",
                $column,
                ", record FROM consent WHERE controller = $1 AND ",
                $column,
                " > $2 AND ",
                $column,
                " <= $3 AND (",
                $column,
                ", id) > ($4, $5) ORDER BY ",
                $column,
                ", id LIMIT $6"
            ),
            concat!(
                "SELECT controller, COUNT(*) FROM consent WHERE ",
                $column,
                " > $1 AND ",
                $column,
                " <= $2 AND ",
                $column,
                " > 0 GROUP BY controller"
            ),
        )
    };
}

impl Pending {
    const fn statements(self) -> (&'static str, &'static str) {
        match self {
            Self::End => pending!("ends_at"),
            Self::Entitlement => pending!("entitled_until"),
            Self::WithdrawnElsewhere => pending!("withdrawn_elsewhere"),
        }
    }
}

/// Consents of a controller with such an instant after the first and not after the second of `window`, the earliest first; `after` is the cursor of the
/// page before.
pub async fn pending(
    conn: &mut Connection,
    controller: &InstitutionId,
    pending: Pending,
    window: (Time, Time),
    after: Option<(Time, [u8; 16])>,
    limit: u32,
) -> Result<Vec<(Time, ConsentId, GrantorKind)>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.to_vec()));
    let values = [controller.as_str().into(), window.0.0.max(0).into(), window.1.0.into(), at.into(), id.into(), limit.into()];
    let rows = conn.rows(pending.statements().0, values).await?;
    let one = |row: &Row| {
        let record: Consent = serde_json::from_str(row.text(2)?).map_err(|_| StoreError::Damaged("consent.record"))?;
        Ok((Time(row.int(1)?), record.id, record.grantor.kind))
    };
    rows.iter().map(one).collect()
}

/// How many consents of each controller have such an instant.
pub async fn count_pending(conn: &mut Connection, pending: Pending, window: (Time, Time)) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
    let rows = conn.rows(pending.statements().1, [window.0.0.max(0).into(), window.1.0.into()]).await?;
    let damaged = |_| StoreError::Damaged("consent.controller");
    rows.iter().map(|row| Ok((row.text(0)?.parse().map_err(damaged)?, row.size(1)?))).collect()
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

/// Erases consents with all their versions and the codes that were given out for them.
pub async fn erase(conn: &mut Connection, ids: &[ConsentId]) -> Result<(), StoreError> {
    conn.write_in("DELETE FROM consent_code WHERE consent {}", ids.iter().map(|id| id.as_bytes())).await?;
    conn.write_in("DELETE FROM consent_version WHERE id {}", ids.iter().map(|id| id.as_bytes())).await?;
    conn.write_in("DELETE FROM consent WHERE id {}", ids.iter().map(|id| id.as_bytes())).await
}

fn from_row(row: &Row) -> Result<Consent, StoreError> {
    serde_json::from_str(row.text(0)?).map_err(|_| StoreError::Damaged("consent.record"))
}
