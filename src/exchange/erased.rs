// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a batch takes out of the database, in the order in which rows name each other. The entries of the log stay, and say nothing about anybody.

use super::person;
use crate::clock::Time;
use crate::id::{ConsentId, ReferralId};
use crate::store::{Connection, StoreError};
use crate::{consent, outbox, referral};

/// Answers to earlier calls that one batch forgets at most.
pub const REQUESTS: u64 = 1000;

/// What is erased.
#[derive(Debug, Default)]
pub struct Erased {
    /// Contents of deliveries, each with its key, by their place in the order.
    pub contents: Vec<i64>,
    /// Referrals, with everything that was queued for them and the openings of what the log says of their contents.
    pub referrals: Vec<ReferralId>,
    /// Consents, with all their versions.
    pub consents: Vec<ConsentId>,
    /// Keys of persons, if nothing else is there of them and nothing stands against it at the end of the batch.
    pub subjects: Vec<[u8; 32]>,
    /// Answers to calls before this instant, at most [`REQUESTS`].
    pub requests_before: Option<Time>,
}

impl Erased {
    /// Whether rows go that may be in somebody's memory.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty() && self.referrals.is_empty() && self.consents.is_empty() && self.subjects.is_empty()
    }
}

/// Erases, as the last part of the writer's transaction. `kept`: of whom nothing may be erased.
pub async fn save(conn: &mut Connection, erased: &Erased, kept: impl Fn(&[u8; 32]) -> bool) -> Result<(), StoreError> {
    const OPENINGS: &str = "DELETE FROM log_opening WHERE idx IN (SELECT leaf FROM referral_event WHERE referral_id {})";
    const REQUESTS: &str =
        "DELETE FROM request WHERE (request_id, caller) IN (SELECT request_id, caller FROM request WHERE at < $1 ORDER BY at LIMIT 1000)";
    conn.write_in(OPENINGS, erased.referrals.iter().map(|id| id.as_bytes())).await?;
    outbox::erase_contents(conn, &erased.contents).await?;
    outbox::erase(conn, &erased.referrals).await?;
    conn.write_in("DELETE FROM unexplained WHERE referral {}", erased.referrals.iter().map(|id| id.as_bytes())).await?;
    referral::erase(conn, &erased.referrals).await?;
    consent::erase(conn, &erased.consents).await?;
    person::erase(conn, erased.subjects.iter().filter(|subject| !kept(subject))).await?;
    match erased.requests_before {
        Some(before) => conn.write(REQUESTS, [before.0.into()]).await,
        None => Ok(()),
    }
}

/// How many answers to calls before this instant are kept.
pub async fn requests_before(conn: &mut Connection, before: Time) -> Result<u64, StoreError> {
    let row = conn.row("SELECT COUNT(*) FROM request WHERE at < $1", [before.0.into()]).await?;
    row.map_or(Ok(0), |row| row.size(0))
}
