// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is over and still there, in the order of acceptance, and how it goes.

use super::Delivery;
use super::store::{columns, from_row};
use crate::clock::Time;
use crate::id::ReferralId;
use crate::store::{Connection, StoreError};

/// Deliveries whose contents are still there, accepted at `until` or before; `after`: the number of the last one seen.
pub async fn with_content(conn: &mut Connection, until: Time, after: i64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM delivery WHERE seq IN (SELECT seq FROM payload WHERE seq > $1 ORDER BY seq LIMIT $2) AND accepted_at <= $3 ORDER BY seq"
    );
    conn.rows(SQL, [after.into(), limit.into(), until.0.into()]).await?.iter().map(from_row).collect()
}

/// Deliveries accepted before `before`; `after`: the number of the last one seen.
pub async fn accepted_before(conn: &mut Connection, before: Time, after: i64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM (SELECT * FROM delivery WHERE seq > $1 ORDER BY seq LIMIT $2) d WHERE accepted_at < $3 ORDER BY seq");
    conn.rows(SQL, [after.into(), limit.into(), before.0.into()]).await?.iter().map(from_row).collect()
}

/// Erases the contents of deliveries, each with its key.
pub async fn erase_contents(conn: &mut Connection, seqs: &[i64]) -> Result<(), StoreError> {
    conn.write_in("DELETE FROM payload WHERE seq {}", seqs.iter().copied()).await
}

/// Erases everything that was ever queued for these referrals.
pub async fn erase(conn: &mut Connection, referrals: &[ReferralId]) -> Result<(), StoreError> {
    const CONTENTS: &str = "DELETE FROM payload WHERE seq IN (SELECT seq FROM delivery WHERE referral {})";
    for sql in [CONTENTS, "DELETE FROM delivery WHERE referral {}"] {
        conn.write_in(sql, referrals.iter().map(|id| id.as_bytes())).await?;
    }
    Ok(())
}
