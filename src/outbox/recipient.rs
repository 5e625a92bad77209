// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `recipient`: what holds for everything that goes to one of them.

use crate::clock::Time;
use crate::id::InstitutionId;
use crate::store::{Connection, StoreError};

/// Until when a recipient is parked; zero: not, none: nothing is known of it.
pub async fn parked_until(conn: &mut Connection, recipient: &InstitutionId) -> Result<Option<Time>, StoreError> {
    let row = conn.row("SELECT parked_until FROM recipient WHERE id = $1", [recipient.as_str().into()]).await?;
    row.map(|row| row.int(0).map(Time)).transpose()
}

/// Parks a recipient, or with zero lets it go again.
pub async fn save_parked(conn: &mut Connection, recipient: &InstitutionId, until: Time) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO recipient (id, parked_until, last_success) VALUES ($1, $2, 0) \
                       ON CONFLICT (id) DO UPDATE SET parked_until = excluded.parked_until";
    conn.execute(SQL, [recipient.as_str().into(), until.0.into()]).await.map(|_| ())
}

/// Notes that a recipient has acknowledged something.
pub async fn save_success(conn: &mut Connection, recipient: &InstitutionId, at: Time) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO recipient (id, parked_until, last_success) VALUES ($1, 0, $2) \
                       ON CONFLICT (id) DO UPDATE SET last_success = excluded.last_success";
    conn.execute(SQL, [recipient.as_str().into(), at.0.into()]).await.map(|_| ())
}
