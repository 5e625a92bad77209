// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `delivery` and `payload`.

use std::collections::HashSet;

use super::{Delivery, Kind, LaneId, State};
use crate::clock::Time;
use crate::id::{DeliveryId, InstitutionId, ReferralId};
use crate::store::{Connection, Insert, Row, StoreError, id16};
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

static DELIVERY: Insert<15> = Insert {
    table: "delivery",
    columns: [
        ("seq", "bigint"),
        ("id", "bytea"),
        ("referral", "bytea"),
        ("recipient", "text"),
        ("lane", "bytea"),
        ("kind", "bigint"),
        ("state", "bigint"),
        ("attempts", "bigint"),
        ("begun", "bigint"),
        ("due_at", "bigint"),
        ("token", "bytea"),
        ("last_error", "text"),
        ("accepted_at", "bigint"),
        ("changed_at", "bigint"),
        ("in_front", "bigint"),
    ],
    conflict: "ON CONFLICT (seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, begun = excluded.begun, \
               due_at = excluded.due_at, token = excluded.token, last_error = excluded.last_error, changed_at = excluded.changed_at",
};
static PAYLOAD: Insert<3> = Insert { table: "payload", columns: [("seq", "bigint"), ("wrapped", "bytea"), ("ciphertext", "bytea")], conflict: "" };

/// The columns of a delivery, as [`from_row`] reads them.
macro_rules! columns {
    () => {
        "seq, id, referral, recipient, lane, kind, state, attempts, begun, due_at, token, last_error, accepted_at, changed_at"
    };
}
pub(super) use columns;

/// Deliveries by id.
pub async fn load(conn: &mut Connection, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM delivery WHERE id {}");
    conn.rows_in(SQL, ids.iter().map(|id| id.as_bytes())).await?.iter().map(from_row).collect()
}

/// Of each referral the delivery that carries it, and what else no acknowledgement has ended: open deliveries and dead letters.
pub async fn of_referrals(conn: &mut Connection, referrals: &[ReferralId]) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM delivery WHERE (kind = 1 OR state IN (1, 2, 4)) AND referral {}");
    conn.rows_in(SQL, referrals.iter().map(|id| id.as_bytes())).await?.iter().map(from_row).collect()
}

/// What may start now: due, in front of its lane, and its recipient not parked. The longest due first, so that no lane starves.
pub async fn due(conn: &mut Connection, query: &DueQuery) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM delivery WHERE recipient = $1 AND due_at <= $2 AND state IN (1, 2) AND in_front = 1 ",
        "AND NOT EXISTS (SELECT 1 FROM recipient WHERE id = $1 AND parked_until > $2) ORDER BY due_at, seq LIMIT $3"
    );
    conn.rows(SQL, [query.recipient.as_str().into(), query.now.0.into(), query.limit.into()]).await?.iter().map(from_row).collect()
}

/// How many deliveries are open in each of these lanes; those with none are missing.
pub async fn open_in(conn: &mut Connection, lanes: &[LaneId]) -> Result<Vec<(LaneId, u32)>, StoreError> {
    const SQL: &str = "SELECT lane, COUNT(*) FROM delivery WHERE state IN (1, 2) AND lane {} GROUP BY lane";
    conn.rows_in(SQL, lanes).await?.iter().map(|row| Ok((id16(row.bytes(0)?, "delivery.lane")?, row.small(1)?))).collect()
}

/// Writes new and changed deliveries, and the contents of new ones. `first`: places of new ones that are in front of their lanes; `unsure`: lanes in
/// which something came, went or came back, and nobody knows who is in front now.
pub async fn save(
    conn: &mut Connection,
    rows: &[&Delivery],
    contents: &[(i64, &Sealed)],
    first: &HashSet<i64>,
    unsure: &[LaneId],
) -> Result<(), StoreError> {
    let delivery = |d: &&Delivery| {
        [
            d.seq.into(),
            d.id.as_bytes().into(),
            d.referral.as_bytes().into(),
            d.recipient.as_str().into(),
            (&d.lane).into(),
            (d.kind as i64).into(),
            (d.state as i64).into(),
            d.attempts.into(),
            d.begun.into(),
            d.due_at.0.into(),
            d.token.into(),
            d.last_error.as_str().into(),
            d.accepted_at.0.into(),
            d.changed_at.0.into(),
            i64::from(first.contains(&d.seq)).into(),
        ]
    };
    conn.insert(&DELIVERY, rows.iter().map(delivery)).await?;
    let payload = |(seq, sealed): &(i64, &Sealed)| [(*seq).into(), sealed.wrapped_key.as_slice().into(), sealed.ciphertext.as_slice().into()];
    conn.insert(&PAYLOAD, contents.iter().map(payload)).await?;
    to_the_front(conn, rows, unsure).await
}

/// Marks who is in front of these lanes.
async fn to_the_front(conn: &mut Connection, rows: &[&Delivery], unsure: &[LaneId]) -> Result<(), StoreError> {
    const BACK: &str = "UPDATE delivery SET in_front = 0 WHERE in_front = 1 AND state IN (1, 2) AND lane {}";
    const FRONT: &str = "UPDATE delivery SET in_front = 1 WHERE in_front = 0 AND seq IN \
                         (SELECT MIN(seq) FROM delivery WHERE state IN (1, 2) AND lane {} GROUP BY lane)";
    // What an operator put back goes before what came after it.
    let mut back: Vec<_> = rows.iter().filter(|d| d.was_put_back()).map(|d| d.lane).collect();
    back.sort_unstable();
    back.dedup();
    conn.write_in(BACK, &back).await?;
    conn.write_in(FRONT, unsure).await
}

/// The sealed contents of deliveries, by their place in the order; what has been erased is missing.
pub async fn payloads(conn: &mut Connection, seqs: &[i64]) -> Result<Vec<(i64, Sealed)>, StoreError> {
    const SQL: &str = "SELECT seq, wrapped, ciphertext FROM payload WHERE seq {}";
    let rows = conn.rows_in(SQL, seqs.iter().copied()).await?;
    rows.iter().map(|row| Ok((row.int(0)?, Sealed { wrapped_key: row.bytes(1)?.to_vec(), ciphertext: row.bytes(2)?.to_vec() }))).collect()
}

/// A delivery from its columns.
pub(super) fn from_row(row: &Row) -> Result<Delivery, StoreError> {
    let damaged = StoreError::Damaged;
    Ok(Delivery {
        seq: row.int(0)?,
        id: DeliveryId::from_slice(row.bytes(1)?).ok_or(damaged("delivery.id"))?,
        referral: ReferralId::from_slice(row.bytes(2)?).ok_or(damaged("delivery.referral"))?,
        recipient: row.text(3)?.parse().map_err(|_| damaged("delivery.recipient"))?,
        lane: id16(row.bytes(4)?, "delivery.lane")?,
        kind: Kind::from_number(row.int(5)?).ok_or(damaged("delivery.kind"))?,
        state: State::from_number(row.int(6)?).ok_or(damaged("delivery.state"))?,
        attempts: row.small(7)?,
        begun: row.small(8)?,
        due_at: Time(row.int(9)?),
        token: row.maybe_bytes(10)?.map(|token| id16(token, "delivery.token")).transpose()?,
        last_error: row.text(11)?.to_owned(),
        accepted_at: Time(row.int(12)?),
        changed_at: Time(row.int(13)?),
    })
}
