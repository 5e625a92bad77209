// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whose a record is, and when it may go.

use super::grantor::Day;
use super::record::{Consent, Status, SubjectRef};
use crate::clock::Time;

impl SubjectRef {
    /// The pseudonym, as the gateway writes it into its records: 64 hex digits; none if it is something else.
    pub fn pseudonym(&self) -> Option<[u8; 32]> {
        let mut subject = [0; 32];
        if self.0.len() != 64 {
            return None;
        }
        for (byte, pair) in subject.iter_mut().zip(self.0.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(subject)
    }
}

impl Day {
    /// The end of the day, month or year in Bremen. What is no date never ends.
    pub fn end(self) -> Time {
        let part = |part: i32| i8::try_from(part.max(1)).unwrap_or(0);
        let first = i16::try_from(self.year).ok().and_then(|year| jiff::civil::Date::new(year, part(self.month), part(self.day)).ok());
        let span = match (self.month, self.day) {
            (0, _) => jiff::Span::new().years(1),
            (_, 0) => jiff::Span::new().months(1),
            _ => jiff::Span::new().days(1),
        };
        let end = first.and_then(|first| first.checked_add(span).ok()).and_then(|end| end.in_tz("Europe/Berlin").ok());
        end.map_or(Time(i64::MAX), |end| Time(end.timestamp().as_millisecond()))
    }
}

impl Consent {
    /// Until when it can let anything go, exclusive: its own end, or that of the grantor's power if that is earlier.
    pub fn ends_at(&self) -> Option<Time> {
        self.valid_until.into_iter().chain(self.grantor.entitled_until).min()
    }

    /// Where it stands for the person: the record of what has run out says `ACTIVE` as before.
    pub fn status_at(&self, now: Time) -> Status {
        let over = self.ends_at().is_some_and(|end| end <= now);
        if over && matches!(self.status, Status::Active | Status::Proposed) { Status::Expired } else { self.status }
    }

    /// Whether the evidence may go: it lets nothing go any more, and its time has come.
    pub fn may_be_erased(&self, now: Time) -> bool {
        let over = !matches!(self.status, Status::Active | Status::Proposed) || self.valid_until.is_some_and(|until| until <= now);
        over && self.retention.as_ref().is_some_and(|retention| retention.delete_after.end() <= now)
    }
}
