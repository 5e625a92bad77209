// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Fills a working set and writes it back: a handful of statements per batch, whatever its size.

use sqlx::{Row, SqliteConnection};

use super::command::CallerName;
use super::working_set::{Request, SubjectKey, Wanted, WorkingSet};
use crate::clock::Time;
use crate::id::{DeliveryId, RequestId};
use crate::outbox::{self, DueQuery};
use crate::referral::{self, Event};
use crate::store::{StoreError, id32, insert_many, select_in};
use crate::vault::Sealed;
use crate::{agreement, consent};

/// Loads what a batch needs. Order matters: deliveries name referrals, referrals name consents and persons.
pub async fn load(conn: &mut SqliteConnection, wanted: &Wanted, now: Time) -> Result<WorkingSet, StoreError> {
    let mut set = WorkingSet::default();
    load_requests(conn, &wanted.requests, &mut set).await?;

    let mut referrals = wanted.referrals.clone();
    for delivery in outbox::load(conn, &wanted.deliveries).await? {
        referrals.push(delivery.referral);
        set.deliveries.loaded(delivery.id, delivery);
    }
    for (recipient, limit) in &wanted.due {
        let found = outbox::due(conn, &DueQuery { recipient: recipient.clone(), now, limit: *limit }).await?;
        let due = set.due.entry(recipient.clone()).or_default();
        for delivery in found {
            referrals.push(delivery.referral);
            due.push(delivery.id);
            set.deliveries.loaded(delivery.id, delivery);
        }
    }
    for recall in referral::load_recalls(conn, &wanted.recalls).await? {
        referrals.push(recall.referral);
        set.recalls.loaded(recall.id, recall);
    }

    let mut whole: Vec<_> = wanted.referrals.clone();
    for referral in referral::under_consent(conn, &wanted.under_consent).await? {
        whole.push(referral.id);
        set.referrals.loaded(referral.id, referral);
    }
    if let Some((before, limit)) = wanted.overdue {
        for referral in referral::overdue(conn, before, limit).await? {
            whole.push(referral.id);
            set.overdue.push(referral.id);
            set.referrals.loaded(referral.id, referral);
        }
    }
    referrals.sort_unstable();
    referrals.dedup();
    referrals.retain(|id| set.referrals.get(id).is_none());
    for referral in referral::load(conn, &referrals).await? {
        set.referrals.loaded(referral.id, referral);
    }
    whole.sort_unstable();
    whole.dedup();
    for delivery in outbox::of_referrals(conn, &whole).await? {
        set.deliveries.loaded(delivery.id, delivery);
    }

    let mut consents = wanted.consents.clone();
    consents.extend(&wanted.under_consent);
    consents.extend(set.referrals.iter().flat_map(|(_, referral)| [referral.consent, referral.origin]).flatten());
    consents.sort_unstable();
    consents.dedup();
    for consent in consent::load(conn, &consents).await? {
        set.consents.loaded(consent.id, consent);
    }

    for (referral, event) in &wanted.events {
        if let Some(step) = referral::event(conn, referral, event).await? {
            set.events.insert((*referral, *event), step);
        }
    }

    let mut subjects = wanted.subjects.clone();
    subjects.extend(set.referrals.iter().map(|(_, referral)| referral.subject));
    subjects.extend(set.consents.iter().filter_map(|(_, consent)| super::subject_of(consent)));
    subjects.sort_unstable();
    subjects.dedup();
    load_subjects(conn, &subjects, &mut set).await?;
    Ok(set)
}

/// What a batch adds besides changed rows.
#[derive(Debug, Default)]
pub struct Additions {
    /// Contents of new deliveries.
    pub contents: Vec<(DeliveryId, Sealed)>,
    /// Steps of referrals' lives.
    pub events: Vec<Event>,
    /// New agreements: digest, text, leaf.
    pub agreements: Vec<([u8; 32], String, u64)>,
}

/// Writes what changed. `tree_size` is the size of the log after the batch.
pub async fn save(conn: &mut SqliteConnection, set: &WorkingSet, added: &Additions, tree_size: u64, now: Time) -> Result<(), StoreError> {
    let consents: Vec<_> = set.consents.changed().map(|(_, consent)| consent).collect();
    consent::save(conn, &consents, now).await?;
    let referrals: Vec<_> = set.referrals.changed().map(|(_, referral)| referral).collect();
    referral::save(conn, &referrals).await?;
    referral::save_events(conn, &added.events).await?;
    let recalls: Vec<_> = set.recalls.changed().map(|(_, recall)| recall).collect();
    referral::save_recalls(conn, &recalls).await?;
    let deliveries: Vec<_> = set.deliveries.changed().map(|(_, delivery)| delivery).collect();
    let contents: Vec<_> = added.contents.iter().map(|(id, sealed)| (*id, sealed)).collect();
    outbox::save(conn, &deliveries, &contents).await?;
    save_subjects(conn, set).await?;
    save_requests(conn, set, tree_size).await?;
    for (digest, text, leaf) in &added.agreements {
        agreement::save(conn, digest, text, now, *leaf).await?;
    }
    Ok(())
}

async fn load_requests(conn: &mut SqliteConnection, wanted: &[(CallerName, RequestId)], set: &mut WorkingSet) -> Result<(), StoreError> {
    const SQL: &str = "SELECT caller, request_id, digest, reply, leaf, tree_size, at FROM request WHERE request_id IN";
    let ids: Vec<&[u8]> = wanted.iter().map(|(_, id)| id.as_bytes().as_slice()).collect();
    for row in select_in(conn, SQL, &ids).await? {
        let caller: &str = row.try_get(0)?;
        let id = RequestId::from_slice(row.try_get(1)?).ok_or(StoreError::Damaged("request.request_id"))?;
        // Another caller may have drawn the same id: that is not the same request.
        let Some(key) = wanted.iter().find(|(name, wanted)| **name == *caller && *wanted == id) else { continue };
        let request = Request {
            digest: id32(row.try_get(2)?, "request.digest")?,
            reply: row.try_get(3)?,
            leaf: row.try_get::<i64, _>(4)?.cast_unsigned(),
            tree_size: row.try_get::<i64, _>(5)?.cast_unsigned(),
            at: Time(row.try_get(6)?),
        };
        set.requests.loaded(key.clone(), request);
    }
    Ok(())
}

async fn save_requests(conn: &mut SqliteConnection, set: &WorkingSet, tree_size: u64) -> Result<(), StoreError> {
    let rows: Vec<_> = set.requests.changed().collect();
    insert_many(conn, "INSERT INTO request (caller, request_id, digest, reply, leaf, tree_size, at)", "", 7, &rows, |row, ((caller, id), request)| {
        row.push_bind(caller.to_string())
            .push_bind(id.as_bytes().to_vec())
            .push_bind(request.digest.to_vec())
            .push_bind(request.reply.clone())
            .push_bind(request.leaf.cast_signed())
            .push_bind(tree_size.cast_signed())
            .push_bind(request.at.0);
    })
    .await
}

async fn load_subjects(conn: &mut SqliteConnection, subjects: &[[u8; 32]], set: &mut WorkingSet) -> Result<(), StoreError> {
    let keys: Vec<&[u8]> = subjects.iter().map(<[u8; 32]>::as_slice).collect();
    for row in select_in(conn, "SELECT subject, wrapped, counter FROM subject_key WHERE subject IN", &keys).await? {
        let key = SubjectKey { wrapped: row.try_get(1)?, counter: row.try_get::<i64, _>(2)?.cast_unsigned() };
        set.subjects.loaded(id32(row.try_get(0)?, "subject_key.subject")?, key);
    }
    Ok(())
}

async fn save_subjects(conn: &mut SqliteConnection, set: &WorkingSet) -> Result<(), StoreError> {
    let rows: Vec<_> = set.subjects.changed().collect();
    const UPSERT: &str = "ON CONFLICT (subject) DO UPDATE SET counter = excluded.counter";
    insert_many(conn, "INSERT INTO subject_key (subject, wrapped, counter)", UPSERT, 3, &rows, |row, (subject, key)| {
        row.push_bind(subject.to_vec()).push_bind(key.wrapped.clone()).push_bind(key.counter.cast_signed());
    })
    .await
}
