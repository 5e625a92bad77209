// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a system's spelling to the canonical date or instant.

use jiff::tz::{AmbiguousOffset, Offset};
use jiff::{Timestamp, civil};

use super::{DateError, DateFormat, PartialDate, Pattern};
use crate::dialect::value::Converted;

pub(super) const TIME_LEFT_OUT: &str = "the time of day is left out";
const MIDNIGHT_TAKEN: &str = "the time of day is not known; midnight is taken";
const EARLIER_TAKEN: &str = "this local time occurs twice when the clocks go back; the earlier one is taken";

/// What a text says: a day or part of one, or a point in time.
enum Read {
    Date(PartialDate),
    Instant(Converted<Timestamp>),
}

impl DateFormat {
    /// Reads a date.
    ///
    /// An instant becomes its day in the format's zone; a time of day other than midnight is reported as lost.
    ///
    /// # Errors
    /// [`DateError`] if the text does not follow the format or no such day exists.
    pub fn read_date(&self, text: &str) -> Result<Converted<PartialDate>, DateError> {
        match self.read(text)? {
            Read::Date(date) => Ok(Converted::exact(date)),
            Read::Instant(instant) => self.day_of(instant),
        }
    }

    /// Reads a date from a number: seconds, milliseconds or a year.
    ///
    /// # Errors
    /// [`DateError::NotANumber`] if the format is a text; as [`DateFormat::read_date`] otherwise.
    pub fn read_date_number(&self, number: i64) -> Result<Converted<PartialDate>, DateError> {
        match self.read_number(number)? {
            Read::Date(date) => Ok(Converted::exact(date)),
            Read::Instant(instant) => self.day_of(instant),
        }
    }

    /// Reads an instant. A date without time stands for its first moment in the format's zone, and says so.
    ///
    /// # Errors
    /// [`DateError`]; [`DateError::TooCoarse`] if not even the day is known.
    pub fn read_instant(&self, text: &str) -> Result<Converted<Timestamp>, DateError> {
        let read = self.read(text)?;
        self.instant_of(read)
    }

    /// Reads an instant from a number.
    ///
    /// # Errors
    /// As [`DateFormat::read_instant`].
    pub fn read_instant_number(&self, number: i64) -> Result<Converted<Timestamp>, DateError> {
        let read = self.read_number(number)?;
        self.instant_of(read)
    }

    fn read(&self, text: &str) -> Result<Read, DateError> {
        let shape = DateError::Shape(self.pattern);
        match self.pattern {
            Pattern::German => german(text, shape).map(Read::Date),
            Pattern::Iso => iso(text, shape).map(Read::Date),
            Pattern::Compact => compact(text).map(Read::Date),
            Pattern::Fhir => fhir(text).map(Read::Date),
            Pattern::Year => year(text, shape).and_then(|year| date(year, 0, 0)).map(Read::Date),
            Pattern::EpochSeconds | Pattern::EpochMillis => {
                let number = text.parse().map_err(|_| shape)?;
                self.read_number(number)
            }
            Pattern::Local => {
                let (local, rest) = local(text, shape)?;
                if rest.is_empty() { self.at_local(local).map(Read::Instant) } else { Err(shape) }
            }
            Pattern::GermanMinute => {
                let (day, time) = text.split_once(' ').ok_or(shape)?;
                let (hour, minute) = time.split_once(':').ok_or(shape)?;
                let day = german(day, shape)?.full().ok_or(DateError::Impossible)?;
                let time = clock(two(hour, shape)?, two(minute, shape)?, 0, 0)?;
                self.at_local(day.to_datetime(time)).map(Read::Instant)
            }
            Pattern::Offset => {
                let (local, rest) = local(text, shape)?;
                let instant = offset(rest, shape)?.to_timestamp(local).map_err(|_| DateError::OutOfRange)?;
                Ok(Read::Instant(Converted::exact(instant)))
            }
        }
    }

    fn read_number(&self, number: i64) -> Result<Read, DateError> {
        let instant = match self.pattern {
            Pattern::EpochSeconds => Timestamp::from_second(number),
            Pattern::EpochMillis => Timestamp::from_millisecond(number),
            Pattern::Year => {
                if (0..100).contains(&number) {
                    return Err(DateError::TwoDigitYear);
                }
                let year = i32::try_from(number).map_err(|_| DateError::Impossible)?;
                return PartialDate::new(year, 0, 0).map(Read::Date);
            }
            other => return Err(DateError::NotANumber(other)),
        };
        instant.map(|instant| Read::Instant(Converted::exact(instant))).map_err(|_| DateError::OutOfRange)
    }

    fn at_local(&self, local: civil::DateTime) -> Result<Converted<Timestamp>, DateError> {
        let found = self.zone.to_ambiguous_timestamp(local);
        let loss = match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Fold { .. } => Some(EARLIER_TAKEN),
            AmbiguousOffset::Gap { .. } => return Err(DateError::Gap),
        };
        let value = found.earlier().map_err(|_| DateError::OutOfRange)?;
        Ok(Converted { value, loss })
    }

    fn day_of(&self, instant: Converted<Timestamp>) -> Result<Converted<PartialDate>, DateError> {
        let local = self.zone.to_datetime(instant.value);
        let value = PartialDate::from_civil(local.date()).map_err(|_| DateError::OutOfRange)?;
        // Which of two hours was meant does not matter for the day.
        Ok(Converted::lossy_if(local.time() != civil::Time::midnight(), value, TIME_LEFT_OUT))
    }

    fn instant_of(&self, read: Read) -> Result<Converted<Timestamp>, DateError> {
        match read {
            Read::Instant(instant) => Ok(instant),
            Read::Date(date) => {
                let day = date.full().ok_or(DateError::TooCoarse(self.pattern))?;
                Ok(Converted::lossy(self.first_moment(day)?, MIDNIGHT_TAKEN))
            }
        }
    }

    /// Midnight, or the moment after a gap where the zone has no midnight on that day.
    pub(super) fn first_moment(&self, day: civil::Date) -> Result<Timestamp, DateError> {
        let found = self.zone.to_ambiguous_timestamp(day.to_datetime(civil::Time::midnight()));
        found.compatible().map_err(|_| DateError::OutOfRange)
    }
}

/// A date of three numbers; all zeros say nothing.
fn date(year: i32, month: u8, day: u8) -> Result<PartialDate, DateError> {
    if (year, month, day) == (0, 0, 0) { Err(DateError::Nothing) } else { PartialDate::new(year, month, day) }
}

/// One or two digits.
fn small(text: &str, shape: DateError) -> Result<u8, DateError> {
    let number = number(text).filter(|_| (1..=2).contains(&text.len()));
    number.and_then(|number| u8::try_from(number).ok()).ok_or(shape)
}

/// Exactly two digits.
fn two(text: &str, shape: DateError) -> Result<u8, DateError> {
    if text.len() == 2 { small(text, shape) } else { Err(shape) }
}

fn year(text: &str, shape: DateError) -> Result<i32, DateError> {
    match (text.len(), number(text)) {
        (4, Some(year)) => Ok(year),
        (2, Some(_)) => Err(DateError::TwoDigitYear),
        _ => Err(shape),
    }
}

/// A number of at most four digits.
fn number(text: &str) -> Option<i32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    if text.len() > 4 { None } else { text.bytes().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?)) }
}

/// The three parts of a text between two marks.
fn three(text: &str, mark: u8) -> Option<[&str; 3]> {
    let mut marks = text.bytes().enumerate().filter(|(_, byte)| *byte == mark).map(|(at, _)| at);
    let (first, second) = (marks.next()?, marks.next()?);
    if marks.next().is_some() {
        return None;
    }
    Some([text.get(..first)?, text.get(first + 1..second)?, text.get(second + 1..)?])
}

fn german(text: &str, shape: DateError) -> Result<PartialDate, DateError> {
    let [day, month, last] = three(text, b'.').ok_or(shape)?;
    let (day, month) = (small(day, shape)?, small(month, shape)?);
    date(year(last, shape)?, month, day)
}

fn iso(text: &str, shape: DateError) -> Result<PartialDate, DateError> {
    let [first, month, day] = three(text, b'-').ok_or(shape)?;
    date(year(first, shape)?, two(month, shape)?, two(day, shape)?)
}

fn compact(text: &str) -> Result<PartialDate, DateError> {
    let shape = DateError::Shape(Pattern::Compact);
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(shape);
    }
    match (text.len(), text.get(..4), text.get(4..6), text.get(6..)) {
        (8, Some(first), Some(month), Some(day)) => date(year(first, shape)?, two(month, shape)?, two(day, shape)?),
        (6, ..) => Err(DateError::TwoDigitYear),
        _ => Err(shape),
    }
}

fn fhir(text: &str) -> Result<PartialDate, DateError> {
    let shape = DateError::Shape(Pattern::Fhir);
    let mut parts = text.split('-');
    let first = year(parts.next().unwrap_or_default(), shape)?;
    let month = parts.next().map(|month| two(month, shape)).transpose()?;
    let day = parts.next().map(|day| two(day, shape)).transpose()?;
    // A part that is written must be known: FHIR has no zeros.
    if parts.next().is_some() {
        return Err(shape);
    }
    if month == Some(0) || day == Some(0) {
        return Err(DateError::Impossible);
    }
    date(first, month.unwrap_or(0), day.unwrap_or(0))
}

/// `JJJJ-MM-TTThh:mm:ss`, a fraction of the second if there is one, and the rest of the text.
fn local(text: &str, shape: DateError) -> Result<(civil::DateTime, &str), DateError> {
    let (day, clock_text) = text.split_once('T').ok_or(shape)?;
    let day = iso(day, shape)?.full().ok_or(DateError::Impossible)?;
    let (time, rest) = clock_text.split_at_checked(8).ok_or(shape)?;
    let [hour, minute, second] = three(time, b':').ok_or(shape)?;
    let (hour, minute, second) = (two(hour, shape)?, two(minute, shape)?, two(second, shape)?);
    let (nanos, rest) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, rest) = rest.split_at_checked(digits).ok_or(shape)?;
            if !(1..=9).contains(&digits) {
                return Err(shape);
            }
            let scale = u32::try_from(9 - digits).map(|zeros| 10i32.pow(zeros)).map_err(|_| shape)?;
            (fraction.parse::<i32>().map_err(|_| shape)? * scale, rest)
        }
    };
    Ok((day.to_datetime(clock(hour, minute, second, nanos)?), rest))
}

fn clock(hour: u8, minute: u8, second: u8, nanos: i32) -> Result<civil::Time, DateError> {
    let part = |number: u8| i8::try_from(number).unwrap_or(i8::MAX);
    civil::Time::new(part(hour), part(minute), part(second), nanos).map_err(|_| DateError::Impossible)
}

/// `Z`, or `+hh:mm` and `-hh:mm`.
fn offset(text: &str, shape: DateError) -> Result<Offset, DateError> {
    if text == "Z" {
        return Ok(Offset::UTC);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return Err(shape),
    };
    let (hours, minutes) = rest.split_once(':').ok_or(shape)?;
    let (hours, minutes) = (i32::from(two(hours, shape)?), i32::from(two(minutes, shape)?));
    if minutes > 59 {
        return Err(DateError::Impossible);
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| DateError::Impossible)
}
