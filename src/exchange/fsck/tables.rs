// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The tables against what the log told, and against each other.

use uuid::Uuid;

use super::{Check, RESTORE, Watch};
use crate::exchange::replay::Replay;
use crate::numbered::Numbered;
use crate::outbox::{Kind, State};
use crate::store::{Connection, Row, StoreError, id16};
use crate::vault::Vault;

/// Rows that are read at once.
const PAGE: u32 = 2048;
/// Contents that are read at once: they are large.
const CONTENTS: u32 = 64;

/// Every referral stands where the log says.
pub(super) async fn referrals(conn: &mut Connection, replay: &mut Replay, watch: &Watch<'_>) -> Result<Check, StoreError> {
    const SQL: &str = "SELECT id, state, reason, stored FROM referral WHERE id > $1 ORDER BY id LIMIT $2";
    let mut check = Check::new("referrals as the log says", RESTORE);
    let (mut last, mut done, of) = (Vec::new(), 0, replay.referrals.len() as u64);
    loop {
        let rows = conn.rows(SQL, [last.as_slice().into(), PAGE.into()]).await?;
        let Some(end) = rows.last() else { break };
        last = end.bytes(0)?.to_vec();
        for row in &rows {
            let id = id16(row.bytes(0)?, "referral.id")?;
            let kept = (row.int(1)?, row.int(2)?, row.int(3)?);
            let Some(story) = replay.referrals.remove(&id) else {
                check.wrong(format!("referral {} is not in the log", name(id)));
                continue;
            };
            let reason = story.reason.map_or(0, Numbered::number);
            if kept != (story.state.number().into(), reason.into(), story.granted.bits().into()) {
                let (state, reason, stored) = kept;
                let told = format!("{:?}, reason {:?}, data {:#x}", story.state, story.reason, story.granted.bits());
                check.wrong(format!("referral {}: the log says {told}; the table says state {state}, reason {reason}, data {stored:#x}", name(id)));
            }
        }
        done += rows.len() as u64;
        watch("referrals", done, of);
    }
    replay.referrals.keys().for_each(|id| check.wrong(format!("referral {} is in the log and nowhere else", name(*id))));
    Ok(check)
}

/// Every delivery stands where the log says, after as many attempts.
pub(super) async fn deliveries(conn: &mut Connection, replay: &mut Replay, watch: &Watch<'_>) -> Result<Check, StoreError> {
    const SQL: &str = "SELECT seq, id, state, attempts, kind FROM delivery WHERE seq > $1 ORDER BY seq LIMIT $2";
    let mut check = Check::new("deliveries as the log says", RESTORE);
    let (mut last, mut done, of) = (i64::MIN, 0, replay.deliveries.len() as u64);
    loop {
        let rows = conn.rows(SQL, [last.into(), PAGE.into()]).await?;
        let Some(end) = rows.last() else { break };
        last = end.int(0)?;
        for row in &rows {
            let id = id16(row.bytes(1)?, "delivery.id")?;
            let (state, attempts) = (row.int(2)?, row.int(3)?);
            // A status that nobody has been sent yet is not in the log.
            let unsaid = row.int(4)? == Kind::Status as i64;
            match replay.deliveries.remove(&id) {
                None if unsaid && (state, attempts) == (State::Ready as i64, 0) => {}
                None => check.wrong(format!("delivery {} is not in the log", name(id))),
                Some((said, tried)) if (said as i64, i64::from(tried)) != (state, attempts) => {
                    let told = format!("{said:?} after {tried} attempts");
                    check.wrong(format!("delivery {}: the log says {told}; the table says state {state} after {attempts}", name(id)));
                }
                Some(_) => {}
            }
        }
        done += rows.len() as u64;
        watch("deliveries", done, of);
    }
    replay.deliveries.keys().for_each(|id| check.wrong(format!("delivery {} is in the log and nowhere else", name(*id))));
    Ok(check)
}

/// Every consent is of the version that the log says.
pub(super) async fn consents(conn: &mut Connection, replay: &mut Replay, watch: &Watch<'_>) -> Result<Check, StoreError> {
    const SQL: &str = "SELECT id, version FROM consent WHERE id > $1 ORDER BY id LIMIT $2";
    let mut check = Check::new("consents as the log says", RESTORE);
    let (mut last, mut done, of) = (Vec::new(), 0, replay.consents.len() as u64);
    loop {
        let rows = conn.rows(SQL, [last.as_slice().into(), PAGE.into()]).await?;
        let Some(end) = rows.last() else { break };
        last = end.bytes(0)?.to_vec();
        for row in &rows {
            let (id, version) = (id16(row.bytes(0)?, "consent.id")?, row.int(1)?);
            match replay.consents.remove(&id) {
                None => check.wrong(format!("consent {} is not in the log", name(id))),
                Some((said, _)) if i64::from(said) != version => {
                    check.wrong(format!("consent {}: the log says version {said}; the table says {version}", name(id)));
                }
                Some(_) => {}
            }
        }
        done += rows.len() as u64;
        watch("consents", done, of);
    }
    replay.consents.keys().for_each(|id| check.wrong(format!("consent {} is in the log and nowhere else", name(*id))));
    Ok(check)
}

/// Every content that waits opens with the key, in its own place.
pub(super) async fn contents(conn: &mut Connection, vault: &Vault, watch: &Watch<'_>) -> Result<Check, StoreError> {
    const SQL: &str = "SELECT d.seq, d.id, p.wrapped, p.ciphertext FROM delivery d JOIN payload p ON p.seq = d.seq \
                       WHERE d.state IN (1, 2, 4) AND d.seq > $1 ORDER BY d.seq LIMIT $2";
    const COUNT: &str = "SELECT COUNT(*) FROM delivery WHERE state IN (1, 2, 4)";
    let help = "is this the vault key of this database? If so, the content is damaged: restore the newest backup, or let its sender submit it again";
    let mut check = Check::new("contents that wait open with the key", help);
    let of = conn.row(COUNT, []).await?.map_or(Ok(0), |row| row.size(0))?;
    let (mut last, mut done) = (i64::MIN, 0);
    loop {
        let rows = conn.rows(SQL, [last.into(), CONTENTS.into()]).await?;
        let Some(end) = rows.last() else { return Ok(check) };
        last = end.int(0)?;
        for row in &rows {
            let id = id16(row.bytes(1)?, "delivery.id")?;
            if vault.open_sealed(&id, row.bytes(3)?, row.bytes(2)?).is_err() {
                check.wrong(format!("the content of delivery {} does not open", name(id)));
            }
        }
        done += rows.len() as u64;
        watch("contents", done, of);
    }
}

/// Something that no row may be.
pub(super) struct Relation {
    pub(super) what: &'static str,
    /// The first column of its rows says which they are: a number, or an id.
    sql: &'static str,
    which: Which,
    /// What is wrong with them.
    problem: &'static str,
    help: &'static str,
}

enum Which {
    Number,
    Id,
}

impl Relation {
    pub(super) async fn check(&self, conn: &mut Connection) -> Result<Check, StoreError> {
        let mut check = Check::new(self.what, self.help);
        for row in conn.rows(self.sql, []).await? {
            let which = match self.which {
                Which::Number => row.int(0)?.to_string(),
                Which::Id => written(&row)?,
            };
            check.wrong(format!("{which} {}", self.problem));
        }
        Ok(check)
    }
}

/// Each ends with its limit: a table that is wrong in every row is not read into memory.
pub(super) const RELATIONS: &[Relation] = &[
    Relation {
        what: "deliveries belong to referrals",
        sql: "SELECT d.seq FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM referral r WHERE r.id = d.referral) ORDER BY d.seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a delivery whose referral is not there",
        help: RESTORE,
    },
    Relation {
        what: "referrals have the delivery that carries them",
        sql: "SELECT r.id FROM referral r WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.id = r.delivery AND d.referral = r.id) LIMIT 1000",
        which: Which::Id,
        problem: "is a referral without the delivery that carries it",
        help: RESTORE,
    },
    Relation {
        what: "deliveries that wait have a content",
        sql: "SELECT d.seq FROM delivery d WHERE d.state IN (1, 2, 4) AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.seq = d.seq) \
              ORDER BY d.seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a delivery that waits without a content",
        help: "restore the newest backup; without one, its sender submits it again",
    },
    Relation {
        what: "contents belong to deliveries",
        sql: "SELECT p.seq FROM payload p WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = p.seq) ORDER BY p.seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a content without a delivery",
        help: RESTORE,
    },
    Relation {
        what: "leases have a token",
        sql: "SELECT seq FROM delivery WHERE (state = 2 AND token IS NULL) OR (state <> 2 AND token IS NOT NULL) ORDER BY seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a delivery that is started without a lease, or has a lease without being started",
        help: RESTORE,
    },
    Relation {
        what: "the first of each lane is in front",
        sql: "SELECT d.seq FROM delivery d WHERE d.state IN (1, 2) AND d.in_front <> CASE WHEN EXISTS \
              (SELECT 1 FROM delivery e WHERE e.lane = d.lane AND e.state IN (1, 2) AND e.seq < d.seq) THEN 0 ELSE 1 END \
              ORDER BY d.seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a delivery that is first in its lane and not in front, or in front and not first",
        help: "stop the gateway: it would deliver out of order, or not at all. Restore the newest backup and report it",
    },
    Relation {
        what: "the next delivery comes last",
        sql: "SELECT seq FROM delivery WHERE seq >= (SELECT next_delivery FROM log_head WHERE id = 1) ORDER BY seq LIMIT 1000",
        which: Which::Number,
        problem: "is the number of a delivery and will be given away again",
        help: RESTORE,
    },
    Relation {
        what: "answers point to entries",
        sql: "SELECT request_id FROM request WHERE leaf < 0 OR leaf >= tree_size OR tree_size > (SELECT size FROM log_head WHERE id = 1) LIMIT 1000",
        which: Which::Id,
        problem: "is a request whose receipt would point past the log",
        help: RESTORE,
    },
    Relation {
        what: "changes of referrals point to entries",
        sql: "SELECT id FROM referral WHERE changed_leaf < 0 OR changed_leaf >= (SELECT size FROM log_head WHERE id = 1) LIMIT 1000",
        which: Which::Id,
        problem: "is a referral whose last change is past the log",
        help: RESTORE,
    },
    Relation {
        what: "steps of referrals point to entries",
        sql: "SELECT e.referral_id FROM referral_event e WHERE e.leaf < 0 OR e.leaf >= (SELECT size FROM log_head WHERE id = 1) \
              OR NOT EXISTS (SELECT 1 FROM referral r WHERE r.id = e.referral_id) LIMIT 1000",
        which: Which::Id,
        problem: "is the referral of a step that is past the log, or is not there",
        help: RESTORE,
    },
    Relation {
        what: "recalls belong to referrals",
        sql: "SELECT c.id FROM recall c WHERE NOT EXISTS (SELECT 1 FROM referral r WHERE r.id = c.referral) LIMIT 1000",
        which: Which::Id,
        problem: "is a recall whose referral is not there",
        help: RESTORE,
    },
    Relation {
        what: "consents have their versions",
        sql: "SELECT c.id FROM consent c WHERE c.version <> \
              (SELECT COUNT(*) + 1 FROM consent_version v WHERE v.id = c.id AND v.version < c.version) \
              UNION ALL SELECT v.id FROM consent_version v WHERE NOT EXISTS \
              (SELECT 1 FROM consent c WHERE c.id = v.id AND c.version > v.version) LIMIT 1000",
        which: Which::Id,
        problem: "is a consent that does not have each of its earlier versions once",
        help: RESTORE,
    },
    Relation {
        what: "agreements point to entries",
        sql: "SELECT leaf FROM agreement WHERE leaf < 0 OR leaf >= (SELECT size FROM log_head WHERE id = 1) LIMIT 1000",
        which: Which::Number,
        problem: "is the entry of an agreement, and past the log",
        help: RESTORE,
    },
];

/// An id as callers write it; another length, as digits.
fn written(row: &Row) -> Result<String, StoreError> {
    let bytes = row.bytes(0)?;
    Ok(id16(bytes, "an id").map_or_else(|_| bytes.iter().map(|byte| format!("{byte:02x}")).collect(), name))
}

fn name(id: [u8; 16]) -> String {
    Uuid::from_bytes(id).to_string()
}
