// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Fills a working set and writes it back: a handful of statements per batch, whatever its size.

use std::collections::HashMap;
use std::sync::Arc;

use super::command::{CallerName, Plain};
use super::erased::{self, Erased};
use super::findings;
use super::lanes::Fronts;
use super::person;
use super::recent::Recent;
use super::working_set::{Request, Wanted, WorkingSet};
use crate::clock::Time;
use crate::consent::Consent;
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId, RequestId};
use crate::outbox::{self, DueQuery, LaneId};
use crate::referral::{self, Event};
use crate::store::{Connection, Insert, StoreError, id32};
use crate::vault::Sealed;
use crate::{agreement, consent};

/// Loads what a batch needs: from what the batches before left in memory, and the rest from the database. Order matters: deliveries name
/// referrals, referrals name consents and persons.
pub async fn load(conn: &mut Connection, recent: &Recent, wanted: &Wanted, now: Time) -> Result<WorkingSet, StoreError> {
    let mut set = WorkingSet::default();
    load_requests(conn, &wanted.requests, &mut set).await?;

    let mut referrals = wanted.referrals.clone();
    let missing = recent.deliveries.fill(&mut set.deliveries, wanted.deliveries.clone());
    for delivery in outbox::load(conn, &missing).await? {
        set.deliveries.loaded(delivery.id, delivery);
    }
    for (recipient, limit) in &wanted.due {
        let found = outbox::due(conn, &DueQuery { recipient: recipient.clone(), now, limit: *limit }).await?;
        let due = set.due.entry(recipient.clone()).or_default();
        for delivery in found {
            due.push(delivery.id);
            set.deliveries.loaded(delivery.id, delivery);
        }
    }
    for id in &wanted.recipients {
        let until = match recent.recipients.get(id) {
            Some(until) => *until,
            None => outbox::parked_until(conn, id).await?.unwrap_or(Time(0)),
        };
        set.recipients.loaded(id.clone(), until);
    }
    referrals.extend(set.deliveries.iter().map(|(_, delivery)| delivery.referral));
    for recall in referral::load_recalls(conn, &wanted.recalls).await? {
        referrals.push(recall.referral);
        set.recalls.loaded(recall.id, recall);
    }

    let (mut whole, mut with_recalls) = (wanted.referrals.clone(), wanted.recalls_of.clone());
    for referral in referral::of_subjects(conn, &wanted.everything_of).await? {
        whole.push(referral.id);
        with_recalls.push(referral.id);
        set.referrals.loaded(referral.id, referral);
    }
    for recall in referral::recalls_of(conn, &with_recalls).await? {
        set.recalls.loaded(recall.id, recall);
    }
    for consent in consent::of_subjects(conn, &wanted.everything_of).await? {
        set.consents.loaded(consent.id, Arc::new(consent));
    }
    if let Some(limit) = wanted.to_remind {
        for recall in referral::recalls_to_remind(conn, now, limit).await? {
            referrals.push(recall.referral);
            whole.push(recall.referral);
            set.to_remind.push(recall.id);
            set.recalls.loaded(recall.id, recall);
        }
    }
    load_consents(conn, recent, wanted.under_consent.clone(), &mut set).await?;
    let under: Vec<_> =
        set.consents.iter().filter(|(id, _)| wanted.under_consent.contains(id)).filter_map(|(_, one)| super::of_person(one)).collect();
    for referral in referral::under_consent(conn, &under).await? {
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
    let missing = recent.referrals.fill(&mut set.referrals, referrals);
    for referral in referral::load(conn, &missing).await? {
        set.referrals.loaded(referral.id, referral);
    }
    whole.sort_unstable();
    whole.dedup();
    for delivery in outbox::of_referrals(conn, &whole).await? {
        set.deliveries.loaded(delivery.id, delivery);
    }

    count_lanes(conn, recent, wanted, &mut set).await?;

    let mut consents = wanted.consents.clone();
    consents.extend(set.referrals.iter().flat_map(|(_, referral)| [referral.consent, referral.origin]).flatten());
    load_consents(conn, recent, consents, &mut set).await?;

    for (code, consent) in consent::by_codes(conn, &wanted.codes).await? {
        set.codes.loaded(code, consent);
    }

    for (referral, event) in &wanted.events {
        if let Some(step) = referral::event(conn, referral, event).await? {
            set.events.insert((*referral, *event), step);
        }
    }

    let mut subjects = wanted.subjects.clone();
    subjects.extend(&wanted.everything_of);
    subjects.extend(set.referrals.iter().map(|(_, referral)| referral.subject));
    subjects.extend(set.consents.iter().filter_map(|(_, consent)| super::subject_of(consent)));
    let missing = recent.subjects.fill(&mut set.subjects, subjects);
    for (subject, person) in person::load(conn, &missing).await? {
        set.subjects.loaded(subject, person);
    }
    Ok(set)
}

async fn load_consents(conn: &mut Connection, recent: &Recent, wanted: Vec<ConsentId>, set: &mut WorkingSet) -> Result<(), StoreError> {
    let missing = recent.consents.fill(&mut set.consents, wanted);
    for consent in consent::load(conn, &missing).await? {
        set.consents.loaded(consent.id, Arc::new(consent));
    }
    Ok(())
}

/// What a batch adds besides changed rows.
#[derive(Debug, Default)]
pub struct Additions {
    /// Contents of new deliveries, by their place in the order.
    pub contents: Vec<(i64, Sealed)>,
    /// New deliveries in the order of their places, with what is in them where that is at hand.
    pub queued: Vec<(DeliveryId, Option<Plain>)>,
    /// Versions of consents that were in force until others took their place.
    pub replaced: Vec<Arc<Consent>>,
    /// Steps of referrals' lives.
    pub events: Vec<Event>,
    /// New agreements: digest, text, leaf.
    pub agreements: Vec<([u8; 32], String, u64)>,
    /// What operators did to texts, with the leaves that say so.
    pub texts: Vec<(u64, agreement::TextChange)>,
    /// Recipients whose last success is to be noted.
    pub successes: Vec<InstitutionId>,
    /// Referrals of persons who can hardly have understood what they consented to.
    pub unexplained: Vec<ReferralId>,
    /// What is erased, after everything else is written.
    pub erased: Erased,
}

/// Counts what is open in the lanes into which something comes; what else is known of lanes is at hand.
async fn count_lanes(conn: &mut Connection, recent: &Recent, wanted: &Wanted, set: &mut WorkingSet) -> Result<(), StoreError> {
    let mut missing: HashMap<LaneId, u32> = HashMap::new();
    for (lane, asked) in wanted.lanes.iter().map(|lane| (*lane, true)).chain(set.deliveries.iter().map(|(_, delivery)| (delivery.lane, false))) {
        match recent.lanes.get(&lane) {
            Some(open) => set.lanes.counted(lane, *open),
            None if asked => drop(missing.insert(lane, 0)),
            None => {}
        }
    }
    let lanes: Vec<_> = missing.keys().copied().collect();
    missing.extend(outbox::open_in(conn, &lanes).await?);
    missing.into_iter().for_each(|(lane, open)| set.lanes.counted(lane, open));
    set.deliveries.iter().for_each(|(_, delivery)| set.lanes.loaded(delivery));
    Ok(())
}

/// Writes what changed. `tree_size` is the size of the log after the batch.
pub async fn save(conn: &mut Connection, set: &WorkingSet, added: &Additions, fronts: &Fronts, tree_size: u64, now: Time) -> Result<(), StoreError> {
    let consents: Vec<_> = set.consents.changed().map(|(_, consent)| &**consent).collect();
    consent::save(conn, &consents, &added.replaced, now).await?;
    consent::save_codes(conn, &set.codes.changed().collect::<Vec<_>>()).await?;
    let referrals: Vec<_> = set.referrals.changed().map(|(_, referral)| referral).collect();
    referral::save(conn, &referrals).await?;
    referral::save_events(conn, &added.events).await?;
    let recalls: Vec<_> = set.recalls.changed().map(|(_, recall)| recall).collect();
    referral::save_recalls(conn, &recalls).await?;
    let deliveries: Vec<_> = set.deliveries.changed().map(|(_, delivery)| delivery).collect();
    let contents: Vec<_> = added.contents.iter().map(|(seq, sealed)| (*seq, sealed)).collect();
    outbox::save(conn, &deliveries, &contents, &fronts.first, &fronts.unsure).await?;
    for (recipient, until) in set.recipients.changed() {
        outbox::save_parked(conn, recipient, *until).await?;
    }
    for recipient in &added.successes {
        outbox::save_success(conn, recipient, now).await?;
    }
    person::save(conn, set.subjects.changed()).await?;
    save_requests(conn, set, tree_size).await?;
    for (digest, text, leaf) in &added.agreements {
        agreement::save(conn, digest, text, now, *leaf).await?;
    }
    agreement::save_changes(conn, &added.texts).await?;
    findings::save_unexplained(conn, &added.unexplained).await?;
    erased::save(conn, &added.erased, |subject| set.subjects.get(subject).is_some_and(|person| person.is_kept(now))).await
}

static REQUEST: Insert<7> = Insert {
    table: "request",
    columns: [
        ("request_id", "bytea"),
        ("caller", "text"),
        ("digest", "bytea"),
        ("reply", "bytea"),
        ("leaf", "bigint"),
        ("tree_size", "bigint"),
        ("at", "bigint"),
    ],
    conflict: "",
};
async fn load_requests(conn: &mut Connection, wanted: &[(CallerName, RequestId)], set: &mut WorkingSet) -> Result<(), StoreError> {
    const SQL: &str = "SELECT request_id, caller, digest, reply, leaf, tree_size, at FROM request WHERE request_id {}";
    for row in conn.rows_in(SQL, wanted.iter().map(|(_, id)| id.as_bytes())).await? {
        let id = RequestId::from_slice(row.bytes(0)?).ok_or(StoreError::Damaged("request.request_id"))?;
        let caller = row.text(1)?;
        // Another caller may have drawn the same id: that is not the same request.
        let Some(key) = wanted.iter().find(|(name, wanted)| **name == *caller && *wanted == id) else { continue };
        let request = Request {
            digest: id32(row.bytes(2)?, "request.digest")?,
            reply: row.bytes(3)?.to_vec(),
            leaf: row.size(4)?,
            tree_size: row.size(5)?,
            at: Time(row.int(6)?),
        };
        set.requests.loaded(key.clone(), request);
    }
    Ok(())
}

async fn save_requests(conn: &mut Connection, set: &WorkingSet, tree_size: u64) -> Result<(), StoreError> {
    let row = |((caller, id), request): (&(CallerName, RequestId), &Request)| {
        [
            id.as_bytes().into(),
            (&**caller).into(),
            (&request.digest).into(),
            request.reply.as_slice().into(),
            request.leaf.into(),
            tree_size.into(),
            request.at.0.into(),
        ]
    };
    conn.insert(&REQUEST, set.requests.changed().map(row)).await
}
