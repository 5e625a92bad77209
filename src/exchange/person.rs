// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What the gateway keeps of a person under the pseudonym that one institution's reference has: a key for the tags in the log, and what binds
//! those who handle the data. The SQL of `subject_key`.

use crate::clock::Time;
use crate::consent::{Decision, Denial, Reason};
use crate::store::{Connection, Insert, Row, StoreError, id32};

/// A person, as one institution refers to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Key of the tags in the log, wrapped. Erased, the person's entries can never be linked again.
    pub wrapped: Vec<u8>,
    /// When the key was made.
    pub seen_at: Time,
    /// Since when processing is restricted (Art. 18 GDPR): nothing is passed on, nothing is erased.
    pub restricted_at: Option<Time>,
    /// A legal hold: nothing is erased before its end.
    pub hold: Option<Hold>,
}

/// Why and until when nothing of a person may be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its end.
    pub until: Time,
    /// Why, sealed.
    pub reason: String,
}

impl Default for Person {
    fn default() -> Self {
        Self { wrapped: Vec::new(), seen_at: Time(0), restricted_at: None, hold: None }
    }
}

impl Person {
    /// Whether the person has had processing restricted.
    pub fn is_restricted(&self) -> bool {
        self.restricted_at.is_some()
    }

    /// Whether nothing may be erased now. Whoever has processing restricted may need the data for claims of their own (Art. 18(1)(c) GDPR).
    pub fn is_kept(&self, now: Time) -> bool {
        self.is_restricted() || self.hold.as_ref().is_some_and(|hold| hold.until > now)
    }
}

/// The decision, unless the person has had all processing restricted, on whatever basis it would rest: then a yes becomes a no.
pub fn unless_restricted(decision: Decision, person: Option<&Person>) -> Decision {
    match decision {
        Decision::Permitted(_) if person.is_some_and(Person::is_restricted) => {
            Decision::Denied(Denial { reason: Reason::Restricted, withheld: Vec::new() })
        }
        decided => decided,
    }
}

static PERSON: Insert<6> = Insert {
    table: "subject_key",
    columns: [
        ("subject", "bytea"),
        ("wrapped", "bytea"),
        ("seen_at", "bigint"),
        ("restricted_at", "bigint"),
        ("held_until", "bigint"),
        ("hold_reason", "text"),
    ],
    // Whoever is erased and comes back in the same batch has a new key.
    conflict: "ON CONFLICT (subject) DO UPDATE SET wrapped = excluded.wrapped, seen_at = excluded.seen_at, \
               restricted_at = excluded.restricted_at, held_until = excluded.held_until, hold_reason = excluded.hold_reason",
};

/// The columns of a person, as [`from_row`] reads them.
macro_rules! select_person {
    ($rest:expr) => {
        concat!("SELECT subject, wrapped, seen_at, restricted_at, held_until, hold_reason FROM subject_key ", $rest)
    };
}

/// Persons by pseudonym; those never seen are missing.
pub async fn load(conn: &mut Connection, subjects: &[[u8; 32]]) -> Result<Vec<([u8; 32], Person)>, StoreError> {
    conn.rows_in(select_person!("WHERE subject {}"), subjects).await?.iter().map(from_row).collect()
}

/// Persons of whom nothing may be erased for some time, by the end of it; `after` is the cursor of the page before.
pub async fn held(conn: &mut Connection, after: (Time, [u8; 32]), limit: u32) -> Result<Vec<([u8; 32], Person)>, StoreError> {
    const SQL: &str = select_person!("WHERE held_until > 0 AND (held_until, subject) > ($1, $2) ORDER BY held_until, subject LIMIT $3");
    conn.rows(SQL, [after.0.0.into(), (&after.1).into(), limit.into()]).await?.iter().map(from_row).collect()
}

/// Among the next `limit` persons after `after`: those of whom nothing else is there, whose key and whose legal hold, if there was one, are of before
/// `before`; and where to go on.
pub async fn forgotten(conn: &mut Connection, before: Time, after: &[u8], limit: u32) -> Result<(Vec<[u8; 32]>, Option<Vec<u8>>), StoreError> {
    const SQL: &str = "SELECT k.subject, CASE WHEN k.seen_at < $1 AND k.restricted_at = 0 AND k.held_until < $1 \
                       AND NOT EXISTS (SELECT 1 FROM referral r WHERE r.subject = k.subject) \
                       AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.subject = k.subject) THEN CAST(1 AS bigint) ELSE 0 END \
                       FROM (SELECT * FROM subject_key WHERE subject > $2 ORDER BY subject LIMIT $3) k ORDER BY k.subject";
    let rows = conn.rows(SQL, [before.0.into(), after.into(), limit.into()]).await?;
    let mut found = Vec::new();
    for row in &rows {
        if row.int(1)? == 1 {
            found.push(id32(row.bytes(0)?, "subject_key.subject")?);
        }
    }
    let more = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()?;
    Ok((found, more))
}

/// Writes new and changed persons.
pub async fn save<'a>(conn: &mut Connection, rows: impl Iterator<Item = (&'a [u8; 32], &'a Person)>) -> Result<(), StoreError> {
    let row = |(subject, person): (&[u8; 32], &Person)| {
        [
            subject.into(),
            person.wrapped.as_slice().into(),
            person.seen_at.0.into(),
            person.restricted_at.map_or(0, |at| at.0).into(),
            person.hold.as_ref().map_or(0, |hold| hold.until.0).into(),
            person.hold.as_ref().map_or("", |hold| hold.reason.as_str()).into(),
        ]
    };
    conn.insert(&PERSON, rows.map(row)).await
}

/// Erases the keys of persons of whom nothing else is there any more. Whether they are bound is for the caller to look at.
pub async fn erase(conn: &mut Connection, subjects: impl Iterator<Item = &[u8; 32]>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM subject_key WHERE NOT EXISTS (SELECT 1 FROM referral r WHERE r.subject = subject_key.subject) \
                       AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.subject = subject_key.subject) AND subject {}";
    conn.write_in(SQL, subjects).await
}

fn from_row(row: &Row) -> Result<([u8; 32], Person), StoreError> {
    let at = |column| Ok::<_, StoreError>(Some(Time(row.int(column)?)).filter(|at| at.0 != 0));
    let hold = at(4)?.map(|until| Ok::<_, StoreError>(Hold { until, reason: row.text(5)?.to_owned() })).transpose()?;
    let person = Person { wrapped: row.bytes(1)?.to_vec(), seen_at: Time(row.int(2)?), restricted_at: at(3)?, hold };
    Ok((id32(row.bytes(0)?, "subject_key.subject")?, person))
}
