// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What stands out, for auditors: read page by page beside the writer, judged by pure rules, shown by random ids and never by person. Each look is
//! itself an entry of the log.

mod judge;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use prost::Message;

pub use judge::{Finding, FindingKind, Judge, is_unexplained};

use super::Exchange;
use super::command::{Command, Look};
use super::refusal::Refusal;
use crate::clock::Time;
use crate::consent::Consent;
use crate::id::{ConsentId, ReferralId};
use crate::ledger;
use crate::proto::audit::{Entry, EntryKind};
use crate::referral;
use crate::store::{Connection, Insert, StoreError, id16};

/// Rows that are read at once.
const PAGE: u32 = 256;
/// Entries that are read at once.
const ENTRIES: u32 = 4096;
/// How long after it was due something counts as overdue: two runs may have been missed.
const OVERDUE: Duration = Duration::from_secs(2 * 24 * 3600);

impl Exchange {
    /// What stands out in the period from `since` to before `until`. First it is noted in the log who looks.
    pub async fn findings(&self, auditor: &str, since: Time, until: Time) -> Result<Vec<Finding>, Refusal> {
        self.note_access(auditor, "findings").await?;
        let agreement = self.agreement();
        let mut judge = Judge::new(&agreement, since, until, self.clock.now());
        for member in agreement.members() {
            let mut before = None;
            loop {
                let mut conn = self.store.reader().await?;
                let page = crate::consent::list(&mut conn, &member.id, before, PAGE).await?;
                let used =
                    referral::under_consent(&mut conn, &page.iter().filter_map(|(_, consent)| super::of_person(consent)).collect::<Vec<_>>()).await?;
                let first = |id: ConsentId| used.iter().filter(|r| r.consent == Some(id)).map(|r| r.submitted_at).min();
                page.iter().for_each(|(_, consent)| judge.consent(consent, first(consent.id)));
                // What was last changed before the period was recorded before it.
                let Some((at, end)) = page.last().filter(|(at, _)| *at >= since && page.len() == PAGE as usize) else { break };
                before = Some((*at, end.id));
            }
        }
        let mut last = Vec::new();
        loop {
            let page = unexplained(&mut self.store.reader().await?, &last).await?;
            let Some(end) = page.last() else { break };
            last = end.as_bytes().to_vec();
            referral::load(&mut self.store.reader().await?, &page).await?.iter().for_each(|one| judge.unexplained(one));
        }
        let mut last = Vec::new();
        loop {
            let page = referral::recalls_after(&mut self.store.reader().await?, &last, PAGE).await?;
            let Some(end) = page.last() else { break };
            last = end.id.as_bytes().to_vec();
            page.iter().for_each(|recall| judge.recall(recall));
        }
        self.read_entries(&mut judge, since, until).await?;
        judge.overdue(&self.retention_overdue(OVERDUE).await?);
        Ok(judge.findings())
    }

    async fn read_entries(&self, judge: &mut Judge<'_>, since: Time, until: Time) -> Result<(), Refusal> {
        let mut next = self.first_entry_since(since).await?;
        loop {
            let (page, _) = self.entries(next, ENTRIES).await?;
            if page.is_empty() {
                return Ok(());
            }
            let read = |(bytes, index): (&Vec<u8>, u64)| Some((index, Entry::decode(bytes.as_slice()).ok()?));
            let entries: Vec<(u64, Entry)> = page.iter().zip(next..).filter_map(read).collect();
            let released = entries.iter().filter(|(_, entry)| entry.kind() == EntryKind::Released);
            let mut ids: Vec<_> = released.filter_map(|(_, entry)| ConsentId::from_slice(&entry.consent_id)).collect();
            ids.sort_unstable();
            ids.dedup();
            let mut consents: HashMap<Vec<u8>, Consent> = HashMap::new();
            for ids in ids.chunks(PAGE as usize) {
                let found = crate::consent::load(&mut self.store.reader().await?, ids).await?;
                consents.extend(found.into_iter().map(|consent| (consent.id.as_bytes().to_vec(), consent)));
            }
            for (index, entry) in &entries {
                judge.entry(*index, entry, consents.get(&entry.consent_id[..]));
            }
            if entries.last().is_none_or(|(_, entry)| entry.at_ms >= until.0) {
                return Ok(());
            }
            next += page.len() as u64;
        }
    }

    /// Times in the log only grow, as far as the clock does: halved again and again.
    async fn first_entry_since(&self, since: Time) -> Result<u64, Refusal> {
        let (mut low, mut high) = (0, self.progress.borrow().size);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = ledger::store::entries(&mut self.store.reader().await?, middle, 1).await?;
            let at = entry.first().and_then(|bytes| Entry::decode(bytes.as_slice()).ok()).map_or(i64::MAX, |entry| entry.at_ms);
            if at < since.0 { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Notes that an operator or auditor looks at what is there of persons; first the entry, then the look.
    pub async fn note_access(&self, operator: &str, what: &'static str) -> Result<(), Refusal> {
        let actor = format!("operator:{operator}").into();
        self.writer.run(Command::Look(Look { actor, what, of: None })).await.map(|_| ())
    }
}

static UNEXPLAINED: Insert<1> = Insert { table: "unexplained", columns: [("referral", "bytea")], conflict: "ON CONFLICT DO NOTHING" };

/// Notes referrals of persons who can hardly have understood what they consented to.
pub(super) async fn save_unexplained(conn: &mut Connection, referrals: &[ReferralId]) -> Result<(), StoreError> {
    conn.insert(&UNEXPLAINED, referrals.iter().map(|id| [id.as_bytes().into()])).await
}

async fn unexplained(conn: &mut Connection, after: &[u8]) -> Result<Vec<ReferralId>, StoreError> {
    let rows = conn.rows("SELECT referral FROM unexplained WHERE referral > $1 ORDER BY referral LIMIT $2", [after.into(), PAGE.into()]).await?;
    rows.iter().map(|row| Ok(ReferralId(uuid::Uuid::from_bytes(id16(row.bytes(0)?, "unexplained.referral")?)))).collect()
}
