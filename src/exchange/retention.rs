// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How long what is kept, and the run that erases what is due: looked for here beside the writer, page by page; decided again and erased in the
//! writer's order, a few at a time, so that nobody waits for it.

use std::time::Duration;

use super::command::{CallerName, Command, Purge, Reply};
use super::refusal::Refusal;
use super::{Exchange, erased, person};
use crate::clock::Time;
use crate::consent::Day;
use crate::id::ConsentId;
use crate::outbox::{self, Delivery, State};
use crate::referral::{self, Referral, ReferralState};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Rows that are looked at together, and erased by one command at most.
const PAGE: u32 = 128;

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Sealed contents, after the delivery was acknowledged or stopped (Art. 5(1)(e) GDPR).
    pub contents: Duration,
    /// Sealed contents of deliveries that were given up; then nobody can put them back any more.
    pub dead_letters: Duration,
    /// Answers to earlier calls: for so long a call that is repeated gets the same answer.
    pub requests: Duration,
    /// Referrals with their history: so many full calendar years after the year in which they last changed (after section 76(4) BDSG).
    pub transfers_years: u16,
    /// Consents whose record does not say until when: so many full calendar years after the year in which they end (sections 195, 199 BGB).
    pub consents_years: u16,
}

impl Default for Periods {
    fn default() -> Self {
        Self { contents: 7 * DAY, dead_letters: 14 * DAY, requests: 90 * DAY, transfers_years: 1, consents_years: 3 }
    }
}

impl Periods {
    /// Whether the content of a delivery may go. What is blocked can still be repaired, with what the gateway holds.
    pub fn content_is_due(&self, delivery: &Delivery, referral: ReferralState, now: Time) -> bool {
        let after = match delivery.state {
            State::Ready | State::Started => return false,
            State::Stopped if referral == ReferralState::Blocked => return false,
            State::Delivered | State::Stopped => self.contents,
            State::Dead => self.dead_letters,
        };
        delivery.changed_at <= now.minus(after)
    }

    /// Whether a referral may go with its history: it has ended, or nobody has said anything of it since its recipient took it up.
    pub fn referral_is_due(&self, referral: &Referral, now: Time) -> bool {
        referral.state.may_be_erased() && referral.changed_at < self.transfers_before(now)
    }

    /// The day after which a referral may go that last changed at `changed`: the same rule, told beforehand.
    pub fn transfer_kept_until(&self, changed: Time) -> Option<Day> {
        Some(Day { year: i32::from(year_of(changed)?) + i32::from(self.transfers_years), month: 12, day: 31 })
    }

    /// Referrals that last changed before this instant may go: the beginning of a year in Bremen.
    pub fn transfers_before(&self, now: Time) -> Time {
        let first = year_of(now).and_then(|year| jiff::civil::Date::new(year.checked_sub(i16::try_from(self.transfers_years).ok()?)?, 1, 1).ok());
        let begin = first.and_then(|first| first.in_tz("Europe/Berlin").ok());
        begin.map_or(Time(i64::MIN), |begin| Time(begin.timestamp().as_millisecond()))
    }
}

/// In which year of Bremen's calendar it is.
fn year_of(at: Time) -> Option<i16> {
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.in_tz("Europe/Berlin").ok()?.year())
}

/// What a run erased, or would erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Purged {
    /// Sealed contents, each with its key.
    pub contents: u64,
    /// Of these: deliveries that had been given up.
    pub dead_letters: u64,
    /// Referrals with their history.
    pub referrals: u64,
    /// Consents with all their versions.
    pub consents: u64,
    /// Persons of whom nothing was there any more: the keys that linked their entries in the log.
    pub persons: u64,
    /// Answers to earlier calls.
    pub requests: u64,
    /// Due, and kept all the same: a legal hold, or processing is restricted.
    pub kept: u64,
}

impl Purged {
    /// Nothing was, or is, due.
    pub fn is_empty(&self) -> bool {
        *self == Self { kept: self.kept, ..Self::default() }
    }

    pub(super) fn add(&mut self, more: &Self) {
        let Self { contents, dead_letters, referrals, consents, persons, requests, kept } = more;
        self.contents += contents;
        self.dead_letters += dead_letters;
        self.referrals += referrals;
        self.consents += consents;
        self.persons += persons;
        self.requests += requests;
        self.kept += kept;
    }
}

/// One run.
struct Run<'a> {
    exchange: &'a Exchange,
    now: Time,
    /// Who erases; none: only looks.
    actor: Option<CallerName>,
    purged: Purged,
}

impl Exchange {
    /// What is due by now and would be erased. Changes nothing.
    pub async fn retention_due(&self) -> Result<Purged, Refusal> {
        self.run_retention(None, self.clock.now()).await
    }

    /// The same as it was `overdue` ago: what a run since then should have erased.
    pub async fn retention_overdue(&self, overdue: Duration) -> Result<Purged, Refusal> {
        self.run_retention(None, self.clock.now().minus(overdue)).await
    }

    /// Erases what is due and notes in the log that it did. `actor`: `operator:<name>`, or `gateway`. Keys and contents are overwritten in the file,
    /// and the write-ahead log is emptied; false if a reader was in the way of that for so long that it was left to the next run.
    pub async fn retain(&self, actor: CallerName) -> Result<(Purged, bool), Refusal> {
        let purged = self.run_retention(Some(actor.clone()), self.clock.now()).await?;
        self.writer.run(Command::Purge(Box::new(Purge { done: Some(purged), ..Purge::by(actor, self.periods) }))).await?;
        for (kind, count) in [("content", purged.contents), ("referral", purged.referrals), ("consent", purged.consents), ("person", purged.persons)]
        {
            metrics::counter!("weiche_erased_total", "kind" => kind).increment(count);
        }
        Ok((purged, purged.is_empty() || self.store.scrub().await?))
    }

    async fn run_retention(&self, actor: Option<CallerName>, now: Time) -> Result<Purged, Refusal> {
        let mut run = Run { exchange: self, now, actor, purged: Purged::default() };
        run.contents().await?;
        run.referrals().await?;
        run.consents().await?;
        run.persons().await?;
        run.requests().await?;
        Ok(run.purged)
    }
}

impl Run<'_> {
    async fn contents(&mut self) -> Result<(), Refusal> {
        let periods = self.exchange.periods;
        let until = self.now.minus(periods.contents.min(periods.dead_letters));
        let mut last = i64::MIN;
        loop {
            let mut conn = self.exchange.store.reader().await?;
            let page = outbox::with_content(&mut conn, until, last, PAGE).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = end.seq;
            let referrals = referral::load(&mut conn, &page.iter().map(|d| d.referral).collect::<Vec<_>>()).await?;
            let state = |d: &Delivery| referrals.iter().find(|r| r.id == d.referral).map(|r| r.state);
            let due: Vec<_> = page.iter().filter(|d| state(d).is_some_and(|state| periods.content_is_due(d, state, self.now))).collect();
            let person = |d: &Delivery| referrals.iter().find(|r| r.id == d.referral).map(|r| r.subject);
            let kept = self.kept(due.iter().filter_map(|d| person(d))).await?;
            let (kept, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|d| person(d).is_some_and(|subject| kept.contains(&subject)));
            let dead = due.iter().filter(|d| d.state == State::Dead).count();
            let found = Purged { contents: len(&due), dead_letters: dead as u64, kept: len(&kept), ..Purged::default() };
            self.purge(found, |purge| purge.deliveries = due.iter().map(|d| d.id).collect()).await?;
        }
    }

    async fn referrals(&mut self) -> Result<(), Refusal> {
        let periods = self.exchange.periods;
        let (before, mut last) = (periods.transfers_before(self.now), i64::MIN);
        loop {
            let mut conn = self.exchange.store.reader().await?;
            let page = outbox::accepted_before(&mut conn, before, last, PAGE).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = end.seq;
            // Only those that this page carries: others are named by pages of their own.
            let carried: Vec<_> = page.iter().map(|d| (d.referral, d.id)).collect();
            let mut referrals = referral::load(&mut conn, &carried.iter().map(|(id, _)| *id).collect::<Vec<_>>()).await?;
            referrals.retain(|r| carried.contains(&(r.id, r.delivery)) && periods.referral_is_due(r, self.now));
            let open = outbox::of_referrals(&mut conn, &referrals.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
            referrals.retain(|r| !open.iter().any(|d| d.referral == r.id && d.state.is_open()));
            let kept = self.kept(referrals.iter().map(|r| r.subject)).await?;
            let (kept, due): (Vec<_>, Vec<_>) = referrals.into_iter().partition(|r| kept.contains(&r.subject));
            let found = Purged { referrals: len(&due), kept: len(&kept), ..Purged::default() };
            self.purge(found, |purge| purge.referrals = due.iter().map(|r| r.id).collect()).await?;
        }
    }

    async fn consents(&mut self) -> Result<(), Refusal> {
        let mut last = (Time(i64::MIN), ConsentId(uuid::Uuid::nil()));
        loop {
            let mut conn = self.exchange.store.reader().await?;
            let page = crate::consent::ended(&mut conn, self.now, last, PAGE).await?;
            let Some((at, end)) = page.last() else { return Ok(()) };
            last = (*at, end.id);
            let mut consents: Vec<_> = page.into_iter().map(|(_, consent)| consent).filter(|consent| consent.may_be_erased(self.now)).collect();
            let used = referral::under_consent(&mut conn, &consents.iter().filter_map(super::of_person).collect::<Vec<_>>()).await?;
            consents.retain(|c| !used.iter().any(|r| [r.consent, r.origin].contains(&Some(c.id))));
            let kept = self.kept(consents.iter().filter_map(super::subject_of)).await?;
            let (kept, due): (Vec<_>, Vec<_>) = consents.into_iter().partition(|c| super::subject_of(c).is_some_and(|s| kept.contains(&s)));
            let found = Purged { consents: len(&due), kept: len(&kept), ..Purged::default() };
            self.purge(found, |purge| purge.consents = due.iter().map(|c| c.id).collect()).await?;
        }
    }

    /// Persons of whom there is nothing but a key: those who were refused and never came again.
    async fn persons(&mut self) -> Result<(), Refusal> {
        let before = self.exchange.periods.transfers_before(self.now);
        let mut next = Some(Vec::new());
        while let Some(after) = next {
            let (due, more) = person::forgotten(&mut self.exchange.store.reader().await?, before, &after, PAGE * 8).await?;
            next = more;
            for due in due.chunks(PAGE as usize) {
                let found = Purged { persons: due.len() as u64, ..Purged::default() };
                self.purge(found, |purge| purge.subjects = due.to_vec()).await?;
            }
        }
        Ok(())
    }

    async fn requests(&mut self) -> Result<(), Refusal> {
        let before = self.now.minus(self.exchange.periods.requests);
        let mut left = erased::requests_before(&mut self.exchange.store.reader().await?, before).await?;
        while left > 0 {
            let some = left.min(erased::REQUESTS);
            left -= some;
            self.purge(Purged { requests: some, ..Purged::default() }, |purge| purge.requests_before = Some(before)).await?;
        }
        Ok(())
    }

    /// Those of whom nothing may be erased.
    async fn kept(&self, subjects: impl Iterator<Item = [u8; 32]>) -> Result<Vec<[u8; 32]>, Refusal> {
        let mut subjects: Vec<_> = subjects.collect();
        subjects.sort_unstable();
        subjects.dedup();
        let known = person::load(&mut self.exchange.store.reader().await?, &subjects).await?;
        Ok(known.into_iter().filter(|(_, person)| person.is_kept(self.now)).map(|(subject, _)| subject).collect())
    }

    /// Counts what was found; erases it if somebody said so, and counts what was erased instead.
    async fn purge(&mut self, found: Purged, fill: impl FnOnce(&mut Purge)) -> Result<(), Refusal> {
        let nothing = found.is_empty();
        let Some(actor) = self.actor.clone().filter(|_| !nothing) else {
            self.purged.add(&found);
            return Ok(());
        };
        let mut purge = Purge::by(actor, self.exchange.periods);
        fill(&mut purge);
        match self.exchange.writer.run(Command::Purge(Box::new(purge))).await?.answered.reply {
            Reply::Purged(done) => self.purged.add(&Purged { requests: found.requests, kept: found.kept + done.kept, ..done }),
            _ => return Err(Refusal::Internal("a purge has another reply")),
        }
        Ok(())
    }
}

fn len<T>(of: &[T]) -> u64 {
    of.len() as u64
}
