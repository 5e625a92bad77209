// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What operators see of the queue. Nothing here reads deliveries that have ended well: there are always more of them.

use std::collections::BTreeMap;

use super::Delivery;
use super::store::{columns, from_row};
use crate::clock::Time;
use crate::id::{DeliveryId, InstitutionId};
use crate::store::{Connection, Row, StoreError};

/// The queue of one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Items that wait or are being sent.
    pub open: u64,
    /// Of these: started, under a lease.
    pub started: u64,
    /// Of these: wait for another attempt after one that failed.
    pub failing: u64,
    /// Of these: held back one by one by an operator.
    pub parked: u64,
    /// Items given up.
    pub dead: u64,
    /// When the oldest open one was accepted.
    pub oldest: Option<Time>,
    /// The same without those that are parked.
    pub oldest_waiting: Option<Time>,
    /// When the oldest attempt under way was begun.
    pub oldest_lease: Option<Time>,
    /// When the next may start, of those in front of their lanes that wait. In the future: all of them wait out a pause.
    pub next_due: Option<Time>,
    /// An operator holds everything for it back until then.
    pub parked_until: Option<Time>,
    /// When it last acknowledged something, to some seconds.
    pub last_success: Option<Time>,
}

/// Where a delivery stands in its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Open deliveries before it.
    pub ahead: u64,
    /// Open deliveries behind it.
    pub behind: u64,
    /// The first open delivery of the lane.
    pub front: Option<DeliveryId>,
}

/// The queues by recipient. Reads everything that is open, once: ask for it as seldom as it is long.
pub async fn survey(conn: &mut Connection, now: Time) -> Result<BTreeMap<String, QueueState>, StoreError> {
    // The condition on the lane is always true; it makes both engines take the index of what is open.
    const OPEN: &str = "SELECT recipient, COUNT(*), COUNT(*) FILTER (WHERE state = 2), COUNT(*) FILTER (WHERE state = 1 AND attempts > 0), \
                        COUNT(*) FILTER (WHERE state = 1 AND last_error = 'PARKED' AND due_at > $1), MIN(accepted_at), \
                        MIN(accepted_at) FILTER (WHERE NOT (state = 1 AND last_error = 'PARKED' AND due_at > $1)), \
                        MIN(changed_at) FILTER (WHERE state = 2), MIN(due_at) FILTER (WHERE state = 1 AND in_front = 1) \
                        FROM delivery WHERE state IN (1, 2) AND lane >= $2 GROUP BY recipient";
    const DEAD: &str = "SELECT recipient, COUNT(*) FROM delivery WHERE state = 4 AND changed_at >= $1 GROUP BY recipient";
    const KNOWN: &str = "SELECT id, parked_until, last_success FROM recipient";
    let mut queues: BTreeMap<String, QueueState> = BTreeMap::new();
    for row in conn.rows(OPEN, [now.0.into(), Vec::<u8>::new().into()]).await? {
        let time = |at: usize| row.maybe_int(at).map(|at| at.map(Time));
        let queue = QueueState {
            open: row.size(1)?,
            started: row.size(2)?,
            failing: row.size(3)?,
            parked: row.size(4)?,
            oldest: time(5)?,
            oldest_waiting: time(6)?,
            oldest_lease: time(7)?,
            next_due: time(8)?,
            ..QueueState::default()
        };
        queues.insert(row.text(0)?.to_owned(), queue);
    }
    for row in conn.rows(DEAD, [i64::MIN.into()]).await? {
        queues.entry(row.text(0)?.to_owned()).or_default().dead = row.size(1)?;
    }
    for row in conn.rows(KNOWN, []).await? {
        let queue = queues.entry(row.text(0)?.to_owned()).or_default();
        queue.parked_until = Some(Time(row.int(1)?)).filter(|until| *until > now);
        queue.last_success = Some(Time(row.int(2)?)).filter(|at| at.0 > 0);
    }
    Ok(queues)
}

/// For whom something is due. Goes from one recipient to the next by the index, past all that waits for each.
pub async fn due_recipients(conn: &mut Connection, now: Time) -> Result<Vec<InstitutionId>, StoreError> {
    const SQL: &str = "WITH RECURSIVE next (id) AS ( \
                         SELECT MIN(recipient) FROM delivery WHERE state IN (1, 2) AND in_front = 1 \
                         UNION ALL \
                         SELECT (SELECT MIN(recipient) FROM delivery WHERE state IN (1, 2) AND in_front = 1 AND recipient > next.id) FROM next \
                         WHERE next.id IS NOT NULL) \
                       SELECT id FROM next WHERE id IS NOT NULL \
                         AND EXISTS (SELECT 1 FROM delivery WHERE recipient = next.id AND state IN (1, 2) AND in_front = 1 AND due_at <= $1)";
    let rows = conn.rows(SQL, [now.0.into()]).await?;
    rows.iter().map(|row| row.text(0)?.parse().map_err(|_| StoreError::Damaged("recipient"))).collect()
}

/// What is in front of the lanes of a recipient, the longest due first; `after` is the cursor of the page before.
pub async fn front(
    conn: &mut Connection,
    recipient: &InstitutionId,
    after: Option<(Time, DeliveryId)>,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM delivery WHERE recipient = $1 AND state IN (1, 2) AND in_front = 1 AND due_at >= $2 AND (due_at, id) > ($2, $3) ",
        "ORDER BY due_at, id LIMIT $4"
    );
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.as_bytes().to_vec()));
    conn.rows(SQL, [recipient.as_str().into(), at.into(), id.into(), limit.into()]).await?.iter().map(from_row).collect()
}

/// Where a delivery stands in its lane.
pub async fn neighbours(conn: &mut Connection, delivery: &Delivery) -> Result<Place, StoreError> {
    const AROUND: &str = "SELECT COUNT(*) FILTER (WHERE seq < $2), COUNT(*) FILTER (WHERE seq > $2) FROM delivery \
                          WHERE state IN (1, 2) AND lane = $1";
    const FRONT: &str = "SELECT id FROM delivery WHERE state IN (1, 2) AND lane = $1 ORDER BY seq LIMIT 1";
    let around = conn.row(AROUND, [(&delivery.lane).into(), delivery.seq.into()]).await?;
    let front = conn.row(FRONT, [(&delivery.lane).into()]).await?;
    let count = |at: usize| around.as_ref().map_or(Ok(0), |row: &Row| row.size(at));
    let front = front.map(|row| DeliveryId::from_slice(row.bytes(0)?).ok_or(StoreError::Damaged("delivery.id"))).transpose()?;
    Ok(Place { ahead: count(0)?, behind: count(1)?, front })
}
