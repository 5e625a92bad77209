// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The SQL of `referral`, `referral_event` and `recall`. Words are stored under the numbers of the contract's enums, which the caller supplies.

use super::{Event, Recall, RecallAnswer, RecallId, RecallOutcome, Referral, ReferralState, StatusReason};
use crate::agreement::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId};
use crate::numbered::Numbered;
use crate::store::{Connection, Insert, Row, StoreError, id16, id32};

static REFERRAL: Insert<23> = Insert {
    table: "referral",
    columns: [
        ("id", "bytea"),
        ("sender", "text"),
        ("sender_unit", "text"),
        ("recipient", "text"),
        ("recipient_unit", "text"),
        ("purpose", "bigint"),
        ("state", "bigint"),
        ("reason", "bigint"),
        ("decision", "bigint"),
        ("version", "bigint"),
        ("consent", "bytea"),
        ("consent_version", "bigint"),
        ("necessity", "text"),
        ("onward", "bigint"),
        ("origin", "bytea"),
        ("subject", "bytea"),
        ("carried", "bigint"),
        ("stored", "bigint"),
        ("case_number", "bytea"),
        ("delivery", "bytea"),
        ("submitted_at", "bigint"),
        ("changed_at", "bigint"),
        ("changed_leaf", "bigint"),
    ],
    conflict: "ON CONFLICT (id) DO UPDATE SET state = excluded.state, reason = excluded.reason, decision = excluded.decision, \
               version = excluded.version, consent = excluded.consent, consent_version = excluded.consent_version, \
               carried = excluded.carried, stored = excluded.stored, case_number = excluded.case_number, delivery = excluded.delivery, \
               submitted_at = excluded.submitted_at, changed_at = excluded.changed_at, changed_leaf = excluded.changed_leaf",
};
static EVENT: Insert<7> = Insert {
    table: "referral_event",
    columns: [
        ("referral_id", "bytea"),
        ("event_id", "bytea"),
        ("state", "bigint"),
        ("reason", "bigint"),
        ("actor", "text"),
        ("at", "bigint"),
        ("leaf", "bigint"),
    ],
    conflict: "ON CONFLICT DO NOTHING",
};
static RECALL: Insert<12> = Insert {
    table: "recall",
    columns: [
        ("id", "bytea"),
        ("referral", "bytea"),
        ("recipient", "text"),
        ("issued_at", "bigint"),
        ("due_at", "bigint"),
        ("outcome", "bigint"),
        ("norm", "text"),
        ("answered_at", "bigint"),
        ("reason", "bigint"),
        ("categories", "bigint"),
        ("reminders", "bigint"),
        ("remind_at", "bigint"),
    ],
    conflict: "ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, norm = excluded.norm, answered_at = excluded.answered_at, \
               reminders = excluded.reminders, remind_at = excluded.remind_at",
};

/// `SELECT` of a recall's columns, as [`recall_from_row`] reads them, with what follows.
macro_rules! select_recall {
    ($rest:literal) => {
        concat!(
            "SELECT id, referral, recipient, issued_at, due_at, outcome, norm, answered_at, reason, categories, reminders, remind_at FROM recall ",
            $rest
        )
    };
}

/// `SELECT` of a referral's columns, as [`from_row`] reads them, with what follows.
macro_rules! select_referral {
    ($($rest:expr),*) => {
        concat!(
            "SELECT id, sender, sender_unit, recipient, recipient_unit, purpose, state, reason, decision, version, consent, consent_version, \
             necessity, onward, origin, subject, carried, stored, case_number, delivery, submitted_at, changed_at, changed_leaf FROM referral ",
            $($rest),*
        )
    };
}

pub(crate) use select_referral;

/// Referrals by id.
pub async fn load(conn: &mut Connection, ids: &[ReferralId]) -> Result<Vec<Referral>, StoreError> {
    conn.rows_in(select_referral!("WHERE id {}"), ids.iter().map(|id| id.as_bytes())).await?.iter().map(from_row).collect()
}

/// Referrals that rest on any of these consents, each with the pseudonym of the person who gave it, or carry data that their sender received under
/// one. What rests on a consent is of the same person, so that referrals need no index of consents: it would cost a page for each of them.
pub async fn under_consent(conn: &mut Connection, consents: &[(ConsentId, [u8; 32])]) -> Result<Vec<Referral>, StoreError> {
    let mut found = of_subjects(conn, &consents.iter().map(|(_, subject)| *subject).collect::<Vec<_>>()).await?;
    found.retain(|referral| consents.iter().any(|(id, _)| referral.consent == Some(*id)));
    for row in conn.rows_in(select_referral!("WHERE origin {}"), consents.iter().map(|(id, _)| id.as_bytes())).await? {
        found.push(from_row(&row)?);
    }
    Ok(found)
}

/// Referrals of these persons, by their pseudonyms.
pub async fn of_subjects(conn: &mut Connection, subjects: &[[u8; 32]]) -> Result<Vec<Referral>, StoreError> {
    conn.rows_in(select_referral!("WHERE subject {}"), subjects).await?.iter().map(from_row).collect()
}

/// Erases referrals with their steps and recalls.
pub async fn erase(conn: &mut Connection, ids: &[ReferralId]) -> Result<(), StoreError> {
    for sql in ["DELETE FROM recall WHERE referral {}", "DELETE FROM referral_event WHERE referral_id {}", "DELETE FROM referral WHERE id {}"] {
        conn.write_in(sql, ids.iter().map(|id| id.as_bytes())).await?;
    }
    Ok(())
}

/// Referrals submitted before `before` that are neither finished nor taken up.
pub async fn overdue(conn: &mut Connection, before: Time, limit: u32) -> Result<Vec<Referral>, StoreError> {
    const SQL: &str = select_referral!("WHERE submitted_at < $1 AND state IN (2, 3, 4) ORDER BY submitted_at LIMIT $2");
    conn.rows(SQL, [before.0.into(), limit.into()]).await?.iter().map(from_row).collect()
}

/// Writes new and changed referrals.
pub async fn save(conn: &mut Connection, rows: &[&Referral]) -> Result<(), StoreError> {
    let row = |r: &&Referral| {
        [
            r.id.as_bytes().into(),
            r.sender.as_str().into(),
            r.sender_unit.as_str().into(),
            r.recipient.as_str().into(),
            r.recipient_unit.as_str().into(),
            r.purpose.number().into(),
            r.state.number().into(),
            r.reason.map_or(0, Numbered::number).into(),
            r.decision.into(),
            r.version.into(),
            r.consent.map(|id| *id.as_bytes()).into(),
            r.consent_version.into(),
            r.necessity.as_str().into(),
            r.onward.into(),
            r.origin.map(|id| *id.as_bytes()).into(),
            (&r.subject).into(),
            r.carried.bits().into(),
            r.stored.bits().into(),
            r.case_number.as_slice().into(),
            r.delivery.as_bytes().into(),
            r.submitted_at.0.into(),
            r.changed_at.0.into(),
            r.changed_leaf.into(),
        ]
    };
    conn.insert(&REFERRAL, rows.iter().map(row)).await
}

/// Writes steps of referrals' lives.
pub async fn save_events(conn: &mut Connection, rows: &[Event]) -> Result<(), StoreError> {
    let row = |e: &Event| {
        [
            e.referral.as_bytes().into(),
            (&e.event).into(),
            e.state.number().into(),
            e.reason.map_or(0, Numbered::number).into(),
            e.actor.as_str().into(),
            e.at.0.into(),
            e.leaf.into(),
        ]
    };
    conn.insert(&EVENT, rows.iter().map(row)).await
}

/// One step of a referral's life by its id.
pub async fn event(conn: &mut Connection, referral: &ReferralId, id: &[u8; 16]) -> Result<Option<Event>, StoreError> {
    const SQL: &str = "SELECT event_id, state, reason, actor, at, leaf FROM referral_event WHERE referral_id = $1 AND event_id = $2";
    conn.row(SQL, [referral.as_bytes().into(), id.into()]).await?.map(|row| event_from_row(referral, &row)).transpose()
}

/// The life of a referral, in the order of the log.
pub async fn events(conn: &mut Connection, id: &ReferralId) -> Result<Vec<Event>, StoreError> {
    const SQL: &str = "SELECT event_id, state, reason, actor, at, leaf FROM referral_event WHERE referral_id = $1 ORDER BY leaf";
    conn.rows(SQL, [id.as_bytes().into()]).await?.iter().map(|row| event_from_row(id, row)).collect()
}

fn event_from_row(referral: &ReferralId, row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        referral: *referral,
        event: id16(row.bytes(0)?, "referral_event.event_id")?,
        state: ReferralState::stored(row.int(1)?)?,
        reason: StatusReason::from_number(row.int(2)?),
        actor: row.text(3)?.to_owned(),
        at: Time(row.int(4)?),
        leaf: row.size(5)?,
    })
}

/// Recalls by id.
pub async fn load_recalls(conn: &mut Connection, ids: &[RecallId]) -> Result<Vec<Recall>, StoreError> {
    conn.rows_in(select_recall!("WHERE id {}"), ids.iter().map(|id| id.as_bytes())).await?.iter().map(recall_from_row).collect()
}

/// The recalls of referrals, oldest first.
pub async fn recalls_of(conn: &mut Connection, ids: &[ReferralId]) -> Result<Vec<Recall>, StoreError> {
    let rows = conn.rows_in(select_recall!("WHERE referral {}"), ids.iter().map(|id| id.as_bytes())).await?;
    let mut recalls = rows.iter().map(recall_from_row).collect::<Result<Vec<_>, _>>()?;
    recalls.sort_by_key(|recall| recall.issued_at);
    Ok(recalls)
}

/// Recalls by id, those after `after`.
pub async fn recalls_after(conn: &mut Connection, after: &[u8], limit: u32) -> Result<Vec<Recall>, StoreError> {
    conn.rows(select_recall!("WHERE id > $1 ORDER BY id LIMIT $2"), [after.into(), limit.into()]).await?.iter().map(recall_from_row).collect()
}

/// Recalls that nobody has answered in time, the longest overdue first, and how many there are.
pub async fn overdue_recalls(conn: &mut Connection, now: Time, limit: u32) -> Result<(Vec<Recall>, u64), StoreError> {
    const SQL: &str = select_recall!("WHERE outcome = 0 AND due_at < $1 ORDER BY due_at LIMIT $2");
    const COUNT: &str = "SELECT COUNT(*) FROM recall WHERE outcome = 0 AND due_at < $1";
    let rows = conn.rows(SQL, [now.0.into(), limit.into()]).await?;
    let count = conn.row(COUNT, [now.0.into()]).await?.map_or(Ok(0), |row| row.size(0))?;
    Ok((rows.iter().map(recall_from_row).collect::<Result<_, _>>()?, count))
}

/// Recalls that nobody has answered, the one that is due first first: of one recipient or of all, only overdue ones if `due_before` is set; `after` is the
/// cursor of the page before.
pub async fn open_recalls(
    conn: &mut Connection,
    recipient: Option<&str>,
    due_before: Option<Time>,
    after: Option<(Time, RecallId)>,
    limit: u32,
) -> Result<Vec<Recall>, StoreError> {
    const SQL: &str =
        select_recall!("WHERE outcome = 0 AND ($1 = '' OR recipient = $1) AND due_at < $2 AND (due_at, id) > ($3, $4) ORDER BY due_at, id LIMIT $5");
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.as_bytes().to_vec()));
    let before = due_before.map_or(i64::MAX, |before| before.0);
    conn.rows(SQL, [recipient.unwrap_or_default().into(), before.into(), at.into(), id.into(), limit.into()])
        .await?
        .iter()
        .map(recall_from_row)
        .collect()
}

/// Recalls that are overdue at `now` and that an institution has to answer, or waits for because it sent the referral, the earliest first.
pub async fn overdue_of(
    conn: &mut Connection,
    who: &InstitutionId,
    now: Time,
    after: Option<(Time, [u8; 16])>,
    limit: u32,
) -> Result<Vec<Recall>, StoreError> {
    const SQL: &str = select_recall!(
        "WHERE outcome = 0 AND due_at < $2 AND (due_at, id) > ($3, $4) \
         AND (recipient = $1 OR EXISTS (SELECT 1 FROM referral r WHERE r.id = recall.referral AND r.sender = $1)) ORDER BY due_at, id LIMIT $5"
    );
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.to_vec()));
    conn.rows(SQL, [who.as_str().into(), now.0.into(), at.into(), id.into(), limit.into()]).await?.iter().map(recall_from_row).collect()
}

/// How many answers to recalls each institution owes at `now`.
pub async fn count_overdue(conn: &mut Connection, now: Time) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
    let rows = conn.rows("SELECT recipient, COUNT(*) FROM recall WHERE outcome = 0 AND due_at < $1 GROUP BY recipient", [now.0.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?.parse().map_err(|_| StoreError::Damaged("recall.recipient"))?, row.size(1)?))).collect()
}

/// How many recalls nobody has answered.
pub async fn count_open_recalls(conn: &mut Connection) -> Result<u64, StoreError> {
    conn.row("SELECT COUNT(*) FROM recall WHERE outcome = 0", []).await?.map_or(Ok(0), |row| row.size(0))
}

/// Recalls whose recipients are to be reminded by now.
pub async fn recalls_to_remind(conn: &mut Connection, now: Time, limit: u32) -> Result<Vec<Recall>, StoreError> {
    const SQL: &str = select_recall!("WHERE outcome = 0 AND remind_at > 0 AND remind_at <= $1 ORDER BY remind_at LIMIT $2");
    conn.rows(SQL, [now.0.into(), limit.into()]).await?.iter().map(recall_from_row).collect()
}

fn recall_from_row(row: &Row) -> Result<Recall, StoreError> {
    let (norm, at) = (row.text(6)?.to_owned(), Time(row.int(7)?));
    Ok(Recall {
        id: DeliveryId::from_slice(row.bytes(0)?).ok_or(StoreError::Damaged("recall.id"))?,
        referral: ReferralId::from_slice(row.bytes(1)?).ok_or(StoreError::Damaged("recall.referral"))?,
        recipient: row.text(2)?.parse().map_err(|_| StoreError::Damaged("recall.recipient"))?,
        issued_at: Time(row.int(3)?),
        due_at: Time(row.int(4)?),
        reason: StatusReason::from_number(row.int(8)?),
        categories: CategoryMask::from_bits(row.small(9)?),
        reminders: row.small(10)?,
        remind_at: Time(row.int(11)?),
        answer: RecallOutcome::from_number(row.int(5)?).map(|outcome| RecallAnswer { outcome, norm, at }),
    })
}

/// Writes new and answered recalls.
pub async fn save_recalls(conn: &mut Connection, rows: &[&Recall]) -> Result<(), StoreError> {
    let row = |r: &&Recall| {
        let answer = r.answer.as_ref();
        [
            r.id.as_bytes().into(),
            r.referral.as_bytes().into(),
            r.recipient.as_str().into(),
            r.issued_at.0.into(),
            r.due_at.0.into(),
            answer.map_or(0, |answer| answer.outcome.number()).into(),
            answer.map_or("", |answer| answer.norm.as_str()).into(),
            answer.map_or(0, |answer| answer.at.0).into(),
            r.reason.map_or(0, Numbered::number).into(),
            r.categories.bits().into(),
            r.reminders.into(),
            r.remind_at.0.into(),
        ]
    };
    conn.insert(&RECALL, rows.iter().map(row)).await
}

/// A referral from its columns.
pub fn from_row(row: &Row) -> Result<Referral, StoreError> {
    let damaged = StoreError::Damaged;
    Ok(Referral {
        id: ReferralId::from_slice(row.bytes(0)?).ok_or(damaged("referral.id"))?,
        sender: row.text(1)?.parse().map_err(|_| damaged("referral.sender"))?,
        sender_unit: row.text(2)?.parse().map_err(|_| damaged("referral.sender_unit"))?,
        recipient: row.text(3)?.parse().map_err(|_| damaged("referral.recipient"))?,
        recipient_unit: row.text(4)?.parse().map_err(|_| damaged("referral.recipient_unit"))?,
        purpose: Purpose::stored(row.int(5)?)?,
        state: ReferralState::stored(row.int(6)?)?,
        reason: StatusReason::from_number(row.int(7)?),
        decision: i32::try_from(row.int(8)?).map_err(|_| damaged("referral.decision"))?,
        version: row.size(9)?,
        consent: row.maybe_bytes(10)?.and_then(ConsentId::from_slice),
        consent_version: row.small(11)?,
        necessity: row.text(12)?.to_owned(),
        onward: row.int(13)? != 0,
        origin: row.maybe_bytes(14)?.and_then(ConsentId::from_slice),
        subject: id32(row.bytes(15)?, "referral.subject")?,
        carried: CategoryMask::from_bits(row.small(16)?),
        stored: CategoryMask::from_bits(row.small(17)?),
        case_number: row.bytes(18)?.to_vec(),
        delivery: DeliveryId::from_slice(row.bytes(19)?).ok_or(damaged("referral.delivery"))?,
        submitted_at: Time(row.int(20)?),
        changed_at: Time(row.int(21)?),
        changed_leaf: row.size(22)?,
    })
}
