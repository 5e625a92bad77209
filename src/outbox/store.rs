// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `delivery`, `payload` and `payload_key`.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Delivery, Kind, State};
use crate::clock::Time;
use crate::id::{DeliveryId, InstitutionId, ReferralId};
use crate::store::{StoreError, id16, insert_many, select_in};
use crate::vault::Sealed;

/// What to look for.
#[derive(Debug, Clone)]
pub struct DueQuery {
    /// For whom.
    pub recipient: InstitutionId,
    /// As of when.
    pub now: Time,
    /// At most so many.
    pub limit: u32,
}

/// Deliveries by id.
pub async fn load(conn: &mut SqliteConnection, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = "SELECT id, seq, referral, recipient, lane, kind, state, attempts, begun, due_at, token, last_error, accepted_at, changed_at \
                       FROM delivery WHERE id IN";
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    select_in(conn, SQL, &ids).await?.iter().map(from_row).collect()
}

/// Of each referral the delivery that carries it, and what else no acknowledgement has ended: open deliveries and dead letters.
pub async fn of_referrals(conn: &mut SqliteConnection, referrals: &[ReferralId]) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = "SELECT id, seq, referral, recipient, lane, kind, state, attempts, begun, due_at, token, last_error, accepted_at, changed_at \
                       FROM delivery WHERE (kind = 1 OR state IN (1, 2, 4)) AND referral IN";
    let ids: Vec<&[u8]> = referrals.iter().map(|id| id.as_bytes().as_slice()).collect();
    select_in(conn, SQL, &ids).await?.iter().map(from_row).collect()
}

/// What may start now: due, and first in its lane. The longest due first, so that no lane starves.
pub async fn due(conn: &mut SqliteConnection, query: &DueQuery) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = "SELECT id, seq, referral, recipient, lane, kind, state, attempts, begun, due_at, token, last_error, accepted_at, changed_at \
        FROM delivery d WHERE recipient = ? AND due_at <= ? AND state IN (1, 2) \
        AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.lane = d.lane AND e.seq < d.seq AND e.state IN (1, 2)) \
        ORDER BY due_at, seq LIMIT ?";
    let rows = sqlx::query(SQL).bind(query.recipient.as_str()).bind(query.now.0).bind(query.limit).fetch_all(conn).await?;
    rows.iter().map(from_row).collect()
}

/// Writes new and changed deliveries, and the contents of new ones.
pub async fn save(conn: &mut SqliteConnection, rows: &[&Delivery], contents: &[(DeliveryId, &Sealed)]) -> Result<(), StoreError> {
    const UPSERT: &str = "ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, begun = excluded.begun, due_at = excluded.due_at, \
                          token = excluded.token, last_error = excluded.last_error, changed_at = excluded.changed_at";
    insert_many(
        conn,
        "INSERT INTO delivery (id, seq, referral, recipient, lane, kind, state, attempts, begun, due_at, token, last_error, accepted_at, changed_at)",
        UPSERT,
        14,
        rows,
        |row, d| {
            row.push_bind(d.id.as_bytes().to_vec())
                .push_bind(d.seq)
                .push_bind(d.referral.as_bytes().to_vec())
                .push_bind(d.recipient.as_str().to_owned())
                .push_bind(d.lane.to_vec())
                .push_bind(d.kind as i64)
                .push_bind(d.state as i64)
                .push_bind(i64::from(d.attempts))
                .push_bind(i64::from(d.begun))
                .push_bind(d.due_at.0)
                .push_bind(d.token.map(|token| token.to_vec()))
                .push_bind(d.last_error.clone())
                .push_bind(d.accepted_at.0)
                .push_bind(d.changed_at.0);
        },
    )
    .await?;
    insert_many(conn, "INSERT INTO payload (delivery, ciphertext)", "", 2, contents, |row, (id, sealed)| {
        row.push_bind(id.as_bytes().to_vec()).push_bind(sealed.ciphertext.clone());
    })
    .await?;
    insert_many(conn, "INSERT INTO payload_key (delivery, wrapped)", "", 2, contents, |row, (id, sealed)| {
        row.push_bind(id.as_bytes().to_vec()).push_bind(sealed.wrapped_key.clone());
    })
    .await
}

/// The sealed contents of deliveries; what has been erased is missing.
pub async fn payloads(conn: &mut SqliteConnection, ids: &[DeliveryId]) -> Result<Vec<(DeliveryId, Sealed)>, StoreError> {
    const SQL: &str = "SELECT p.delivery, p.ciphertext, k.wrapped FROM payload p JOIN payload_key k ON k.delivery = p.delivery WHERE p.delivery IN";
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let rows = select_in(conn, SQL, &ids).await?;
    rows.iter()
        .map(|row| {
            let id = DeliveryId::from_slice(row.try_get(0)?).ok_or(StoreError::Damaged("payload.delivery"))?;
            Ok((id, Sealed { ciphertext: row.try_get(1)?, wrapped_key: row.try_get(2)? }))
        })
        .collect()
}

/// A delivery from its columns.
pub fn from_row(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let damaged = StoreError::Damaged;
    Ok(Delivery {
        id: DeliveryId::from_slice(row.try_get(0)?).ok_or(damaged("delivery.id"))?,
        seq: row.try_get(1)?,
        referral: ReferralId::from_slice(row.try_get(2)?).ok_or(damaged("delivery.referral"))?,
        recipient: row.try_get::<&str, _>(3)?.parse().map_err(|_| damaged("delivery.recipient"))?,
        lane: id16(row.try_get(4)?, "delivery.lane")?,
        kind: Kind::from_number(row.try_get(5)?).ok_or(damaged("delivery.kind"))?,
        state: State::from_number(row.try_get(6)?).ok_or(damaged("delivery.state"))?,
        attempts: row.try_get(7)?,
        begun: row.try_get(8)?,
        due_at: Time(row.try_get(9)?),
        token: row.try_get::<Option<&[u8]>, _>(10)?.map(|token| id16(token, "delivery.token")).transpose()?,
        last_error: row.try_get(11)?,
        accepted_at: Time(row.try_get(12)?),
        changed_at: Time(row.try_get(13)?),
    })
}
