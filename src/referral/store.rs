// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `referral`, `referral_event` and `recall`. Words are stored under the numbers of the contract's enums, which the caller supplies.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Event, Recall, RecallAnswer, RecallId, RecallOutcome, Referral, ReferralState, StatusReason};
use crate::agreement::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, DeliveryId, ReferralId};
use crate::numbered::Numbered;
use crate::store::{StoreError, id32, insert_many, select_in};

/// Referrals by id.
pub async fn load(conn: &mut SqliteConnection, ids: &[ReferralId]) -> Result<Vec<Referral>, StoreError> {
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    select_in(conn, "SELECT * FROM referral WHERE id IN", &ids).await?.iter().map(from_row).collect()
}

/// Referrals that rest on any of these consents, or carry data that their sender received under one.
pub async fn under_consent(conn: &mut SqliteConnection, ids: &[ConsentId]) -> Result<Vec<Referral>, StoreError> {
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let mut rows = select_in(conn, "SELECT * FROM referral WHERE consent IN", &ids).await?;
    rows.extend(select_in(conn, "SELECT * FROM referral WHERE origin IN", &ids).await?);
    rows.iter().map(from_row).collect()
}

/// Referrals submitted before `before` that are neither finished nor taken up.
pub async fn overdue(conn: &mut SqliteConnection, before: Time, limit: u32) -> Result<Vec<Referral>, StoreError> {
    const SQL: &str = "SELECT * FROM referral WHERE submitted_at < ? AND state IN (2, 3, 4) ORDER BY submitted_at LIMIT ?";
    sqlx::query(SQL).bind(before.0).bind(limit).fetch_all(conn).await?.iter().map(from_row).collect()
}

/// Writes new and changed referrals.
pub async fn save(conn: &mut SqliteConnection, rows: &[&Referral]) -> Result<(), StoreError> {
    const INTO: &str = "INSERT INTO referral (id, sender, sender_unit, recipient, recipient_unit, purpose, state, reason, decision, version, consent, \
                        consent_version, necessity, onward, origin, subject, carried, stored, case_number, delivery, submitted_at, changed_at, changed_leaf)";
    const UPSERT: &str = "ON CONFLICT (id) DO UPDATE SET state = excluded.state, reason = excluded.reason, decision = excluded.decision, \
                          version = excluded.version, consent = excluded.consent, consent_version = excluded.consent_version, \
                          carried = excluded.carried, stored = excluded.stored, case_number = excluded.case_number, delivery = excluded.delivery, \
                          submitted_at = excluded.submitted_at, changed_at = excluded.changed_at, changed_leaf = excluded.changed_leaf";
    insert_many(conn, INTO, UPSERT, 23, rows, |row, r| {
        row.push_bind(r.id.as_bytes().to_vec())
            .push_bind(r.sender.as_str().to_owned())
            .push_bind(r.sender_unit.as_str().to_owned())
            .push_bind(r.recipient.as_str().to_owned())
            .push_bind(r.recipient_unit.as_str().to_owned())
            .push_bind(r.purpose.number())
            .push_bind(r.state.number())
            .push_bind(r.reason.map_or(0, Numbered::number))
            .push_bind(r.decision)
            .push_bind(i64::try_from(r.version).unwrap_or(i64::MAX))
            .push_bind(r.consent.map(|id| id.as_bytes().to_vec()))
            .push_bind(i64::from(r.consent_version))
            .push_bind(r.necessity.clone())
            .push_bind(i64::from(r.onward))
            .push_bind(r.origin.map(|id| id.as_bytes().to_vec()))
            .push_bind(r.subject.to_vec())
            .push_bind(i64::from(r.carried.bits()))
            .push_bind(i64::from(r.stored.bits()))
            .push_bind(r.case_number.clone())
            .push_bind(r.delivery.as_bytes().to_vec())
            .push_bind(r.submitted_at.0)
            .push_bind(r.changed_at.0)
            .push_bind(i64::try_from(r.changed_leaf).unwrap_or(i64::MAX));
    })
    .await
}

/// Writes steps of referrals' lives.
pub async fn save_events(conn: &mut SqliteConnection, rows: &[Event]) -> Result<(), StoreError> {
    const INTO: &str = "INSERT INTO referral_event (referral_id, event_id, state, reason, actor, at, leaf)";
    insert_many(conn, INTO, "ON CONFLICT DO NOTHING", 7, rows, |row, e| {
        row.push_bind(e.referral.as_bytes().to_vec())
            .push_bind(e.event.to_vec())
            .push_bind(e.state.number())
            .push_bind(e.reason.map_or(0, Numbered::number))
            .push_bind(e.actor.clone())
            .push_bind(e.at.0)
            .push_bind(i64::try_from(e.leaf).unwrap_or(i64::MAX));
    })
    .await
}

/// One step of a referral's life by its id.
pub async fn event(conn: &mut SqliteConnection, referral: &ReferralId, id: &[u8; 16]) -> Result<Option<Event>, StoreError> {
    const SQL: &str = "SELECT event_id, state, reason, actor, at, leaf FROM referral_event WHERE referral_id = ? AND event_id = ?";
    let row = sqlx::query(SQL).bind(referral.as_bytes().as_slice()).bind(id.as_slice()).fetch_optional(conn).await?;
    row.map(|row| event_from_row(referral, &row)).transpose()
}

/// The steps of one referral's life, oldest first.
pub async fn events(conn: &mut SqliteConnection, id: &ReferralId) -> Result<Vec<Event>, StoreError> {
    const SQL: &str = "SELECT event_id, state, reason, actor, at, leaf FROM referral_event WHERE referral_id = ? ORDER BY leaf";
    let rows = sqlx::query(SQL).bind(id.as_bytes().as_slice()).fetch_all(conn).await?;
    rows.iter().map(|row| event_from_row(id, row)).collect()
}

fn event_from_row(referral: &ReferralId, row: &SqliteRow) -> Result<Event, StoreError> {
    Ok(Event {
        referral: *referral,
        event: crate::store::id16(row.try_get(0)?, "referral_event.event_id")?,
        state: ReferralState::stored(row.try_get(1)?)?,
        reason: StatusReason::from_number(row.try_get(2)?),
        actor: row.try_get(3)?,
        at: Time(row.try_get(4)?),
        leaf: row.try_get::<i64, _>(5)?.cast_unsigned(),
    })
}

/// Recalls by id.
pub async fn load_recalls(conn: &mut SqliteConnection, ids: &[RecallId]) -> Result<Vec<Recall>, StoreError> {
    const SQL: &str = "SELECT id, referral, recipient, issued_at, due_at, outcome, norm, answered_at FROM recall WHERE id IN";
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    select_in(conn, SQL, &ids).await?.iter().map(recall_from_row).collect()
}

/// The recalls of one referral, oldest first.
pub async fn recalls_of(conn: &mut SqliteConnection, id: &ReferralId) -> Result<Vec<Recall>, StoreError> {
    const SQL: &str =
        "SELECT id, referral, recipient, issued_at, due_at, outcome, norm, answered_at FROM recall WHERE referral = ? ORDER BY issued_at";
    sqlx::query(SQL).bind(id.as_bytes().as_slice()).fetch_all(conn).await?.iter().map(recall_from_row).collect()
}

fn recall_from_row(row: &SqliteRow) -> Result<Recall, StoreError> {
    let outcome = RecallOutcome::from_number(row.try_get(5)?);
    let (norm, at) = (row.try_get(6)?, Time(row.try_get(7)?));
    Ok(Recall {
        id: DeliveryId::from_slice(row.try_get(0)?).ok_or(StoreError::Damaged("recall.id"))?,
        referral: ReferralId::from_slice(row.try_get(1)?).ok_or(StoreError::Damaged("recall.referral"))?,
        recipient: row.try_get::<&str, _>(2)?.parse().map_err(|_| StoreError::Damaged("recall.recipient"))?,
        issued_at: Time(row.try_get(3)?),
        due_at: Time(row.try_get(4)?),
        answer: outcome.map(|outcome| RecallAnswer { outcome, norm, at }),
    })
}

/// Writes new and answered recalls.
pub async fn save_recalls(conn: &mut SqliteConnection, rows: &[&Recall]) -> Result<(), StoreError> {
    const INTO: &str = "INSERT INTO recall (id, referral, recipient, issued_at, due_at, outcome, norm, answered_at)";
    const UPSERT: &str = "ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, norm = excluded.norm, answered_at = excluded.answered_at";
    insert_many(conn, INTO, UPSERT, 8, rows, |row, r| {
        row.push_bind(r.id.as_bytes().to_vec())
            .push_bind(r.referral.as_bytes().to_vec())
            .push_bind(r.recipient.as_str().to_owned())
            .push_bind(r.issued_at.0)
            .push_bind(r.due_at.0)
            .push_bind(r.answer.as_ref().map_or(0, |answer| answer.outcome.number()))
            .push_bind(r.answer.as_ref().map_or_else(String::new, |answer| answer.norm.clone()))
            .push_bind(r.answer.as_ref().map_or(0, |answer| answer.at.0));
    })
    .await
}

/// A referral from its columns.
pub fn from_row(row: &SqliteRow) -> Result<Referral, StoreError> {
    let damaged = StoreError::Damaged;
    Ok(Referral {
        id: ReferralId::from_slice(row.try_get("id")?).ok_or(damaged("referral.id"))?,
        sender: row.try_get::<&str, _>("sender")?.parse().map_err(|_| damaged("referral.sender"))?,
        sender_unit: row.try_get::<&str, _>("sender_unit")?.parse().map_err(|_| damaged("referral.sender_unit"))?,
        recipient: row.try_get::<&str, _>("recipient")?.parse().map_err(|_| damaged("referral.recipient"))?,
        recipient_unit: row.try_get::<&str, _>("recipient_unit")?.parse().map_err(|_| damaged("referral.recipient_unit"))?,
        purpose: Purpose::stored(row.try_get("purpose")?)?,
        state: ReferralState::stored(row.try_get("state")?)?,
        reason: StatusReason::from_number(row.try_get("reason")?),
        decision: row.try_get("decision")?,
        version: row.try_get::<i64, _>("version")?.cast_unsigned(),
        consent: row.try_get::<Option<&[u8]>, _>("consent")?.and_then(ConsentId::from_slice),
        consent_version: row.try_get("consent_version")?,
        necessity: row.try_get("necessity")?,
        onward: row.try_get::<i64, _>("onward")? != 0,
        origin: row.try_get::<Option<&[u8]>, _>("origin")?.and_then(ConsentId::from_slice),
        subject: id32(row.try_get("subject")?, "referral.subject")?,
        carried: CategoryMask::from_bits(row.try_get("carried")?),
        stored: CategoryMask::from_bits(row.try_get("stored")?),
        case_number: row.try_get("case_number")?,
        delivery: DeliveryId::from_slice(row.try_get("delivery")?).ok_or(damaged("referral.delivery"))?,
        submitted_at: Time(row.try_get("submitted_at")?),
        changed_at: Time(row.try_get("changed_at")?),
        changed_leaf: row.try_get::<i64, _>("changed_leaf")?.cast_unsigned(),
    })
}
