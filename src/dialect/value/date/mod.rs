// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Dates of which only the year or the month may be known, and instants, in the spellings of the case systems.
//!
//! Precision is kept: an unknown day stays unknown, and a nominal first of January is not questioned. An instant becomes a day in
//! the format's time zone, never in UTC: `1809036000` is 30 April 2027 in Berlin, although it is still the 29th in Greenwich.

mod read;
mod write;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A day of the Gregorian calendar, or only its year, or only its year and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartialDate {
    year: i32,
    month: u8,
    day: u8,
}

/// How much of a date is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// The year only.
    Year,
    /// Year and month.
    Month,
    /// The day.
    Day,
}

impl PartialDate {
    /// From year 1 to 9999, month 0 (unknown) or 1 to 12, day 0 (unknown) or one that the month has.
    ///
    /// # Errors
    /// [`DateError::Impossible`] if there is no such day, or a day is known without its month.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self, DateError> {
        let possible = match (month, day) {
            (0, 0) => (1..=9999).contains(&year),
            (0, _) => false,
            (month, day) => (1..=9999).contains(&year) && to_civil(year, month, day.max(1)).is_some(),
        };
        if possible { Ok(Self { year, month, day }) } else { Err(DateError::Impossible) }
    }
    /// The year, 1 to 9999.
    pub fn year(self) -> i32 {
        self.year
    }
    /// The month, 1 to 12; 0 if unknown.
    pub fn month(self) -> u8 {
        self.month
    }
    /// The day, 1 to 31; 0 if unknown.
    pub fn day(self) -> u8 {
        self.day
    }
    /// How much is known.
    pub fn precision(self) -> Precision {
        match (self.month, self.day) {
            (0, _) => Precision::Year,
            (_, 0) => Precision::Month,
            _ => Precision::Day,
        }
    }
    /// The day, if it is known.
    fn full(self) -> Option<civil::Date> {
        to_civil(self.year, self.month, self.day)
    }
    fn from_civil(date: civil::Date) -> Result<Self, DateError> {
        let part = |number: i8| u8::try_from(number).map_err(|_| DateError::Impossible);
        Self::new(i32::from(date.year()), part(date.month())?, part(date.day())?)
    }
}

fn to_civil(year: i32, month: u8, day: u8) -> Option<civil::Date> {
    civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Why a text is no date, or a date cannot be said in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// The text does not follow the format.
    #[error("the date is not written as {0}")]
    Shape(Pattern),
    /// A year of two digits: 25 may be a child or a centenarian.
    #[error("the year has two digits; write all four")]
    TwoDigitYear,
    /// There is no such day or time.
    #[error("there is no such day in the calendar")]
    Impossible,
    /// All zeros: the writer says that nothing is known.
    #[error("the date says nothing; leave the field empty instead")]
    Nothing,
    /// The clocks were put forward across this local time.
    #[error("this local time does not exist: the clocks were put forward over it; send a time with offset")]
    Gap,
    /// The format needs a day, and only the month or the year is known.
    #[error("the format {0} cannot say a date of which the day is unknown")]
    TooCoarse(Pattern),
    /// Outside the years 1 to 9999.
    #[error("the instant lies outside the years 1 to 9999")]
    OutOfRange,
    /// Only digits were expected, and the format is a text.
    #[error("the format {0} is a text, not a number")]
    NotANumber(Pattern),
}

/// The spellings, named by German pattern letters (Tag, Monat, Jahr).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `TT.MM.JJJJ`, unknown parts `00`; reads `3.5.1991` as well.
    German,
    /// `JJJJ-MM-TT`, unknown parts `00`.
    Iso,
    /// `JJJJMMTT`, unknown parts `00`.
    Compact,
    /// `JJJJ[-MM[-TT]]`, unknown parts left off (FHIR R4 `date`).
    Fhir,
    /// `JJJJ`.
    Year,
    /// `epoch-seconds`: since 1970-01-01T00:00:00Z.
    EpochSeconds,
    /// `epoch-millis`: since 1970-01-01T00:00:00Z.
    EpochMillis,
    /// `JJJJ-MM-TTThh:mm:ss`: local time of the format's zone.
    Local,
    /// `TT.MM.JJJJ hh:mm`: local time of the format's zone.
    GermanMinute,
    /// `JJJJ-MM-TTThh:mm:ss+zz:zz`: with offset or `Z` (RFC 3339).
    Offset,
}

const PATTERNS: [(Pattern, &str); 10] = [
    (Pattern::German, "TT.MM.JJJJ"),
    (Pattern::Iso, "JJJJ-MM-TT"),
    (Pattern::Compact, "JJJJMMTT"),
    (Pattern::Fhir, "JJJJ[-MM[-TT]]"),
    (Pattern::Year, "JJJJ"),
    (Pattern::EpochSeconds, "epoch-seconds"),
    (Pattern::EpochMillis, "epoch-millis"),
    (Pattern::Local, "JJJJ-MM-TTThh:mm:ss"),
    (Pattern::GermanMinute, "TT.MM.JJJJ hh:mm"),
    (Pattern::Offset, "JJJJ-MM-TTThh:mm:ss+zz:zz"),
];

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PATTERNS.iter().find(|(pattern, _)| pattern == self).map_or("", |(_, name)| name))
    }
}

/// Why a pattern of a mapping is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateFormatError {
    /// Not in the list.
    #[error(
        "`{0}` is no date format; there are TT.MM.JJJJ, JJJJ-MM-TT, JJJJMMTT, JJJJ[-MM[-TT]], JJJJ, epoch-seconds, epoch-millis, \
         JJJJ-MM-TTThh:mm:ss, TT.MM.JJJJ hh:mm and JJJJ-MM-TTThh:mm:ss+zz:zz, each with @Zone if it is not Europe/Berlin"
    )]
    Pattern(String),
    /// Not in the time zone database.
    #[error("`{0}` is no time zone; write a name such as Europe/Berlin")]
    Zone(String),
}

/// A spelling of dates and instants, made once when a plan is compiled: a [`Pattern`], and a zone if it is not Berlin's
/// (`epoch-seconds@Europe/Vienna`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    pattern: Pattern,
    zone: TimeZone,
}

impl DateFormat {
    /// The spelling.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }
    /// Whether values of this format are integers rather than texts.
    pub fn takes_numbers(&self) -> bool {
        matches!(self.pattern, Pattern::EpochSeconds | Pattern::EpochMillis | Pattern::Year)
    }
}

impl FromStr for DateFormat {
    type Err = DateFormatError;

    fn from_str(text: &str) -> Result<Self, DateFormatError> {
        let (name, zone) = text.split_once('@').map_or((text, None), |(name, zone)| (name, Some(zone)));
        let pattern = PATTERNS.iter().find(|(_, one)| *one == name).map(|(pattern, _)| *pattern);
        let zone = match zone {
            None => BERLIN.clone(),
            Some(zone) => ZONES.get(zone).map_err(|_| DateFormatError::Zone(zone.to_owned()))?,
        };
        Ok(Self { pattern: pattern.ok_or_else(|| DateFormatError::Pattern(name.to_owned()))?, zone })
    }
}

/// The time zones of this build, not of the machine: a day must not depend on where it is computed.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

#[expect(clippy::expect_used, reason = "the time zone database is part of the build and a test loads this zone")]
static BERLIN: LazyLock<TimeZone> = LazyLock::new(|| ZONES.get("Europe/Berlin").expect("the bundled database has Berlin"));

#[cfg(test)]
mod tests;
