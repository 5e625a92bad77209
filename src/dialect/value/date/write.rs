// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the canonical date or instant to a system's spelling.

use jiff::tz::Offset;
use jiff::{Timestamp, civil};

use super::read::TIME_LEFT_OUT;
use super::{DateError, DateFormat, PartialDate, Pattern, Precision};
use crate::dialect::value::Converted;

const YEAR_ONLY: &str = "month and day are left out";
const FRACTION_LEFT_OUT: &str = "parts of the time smaller than the format shows are left out";
const LATER_MEANT: &str = "this local time occurs twice when the clocks go back, and the later one is meant";

impl DateFormat {
    /// Writes a date. Where the format wants a time, it is the first moment of the day in the format's zone.
    ///
    /// # Errors
    /// [`DateError::TooCoarse`] if the format needs a day that is unknown.
    pub fn write_date(&self, date: PartialDate) -> Result<Converted<String>, DateError> {
        let PartialDate { year, month, day } = date;
        Ok(Converted::exact(match self.pattern {
            Pattern::German => format!("{day:02}.{month:02}.{year:04}"),
            Pattern::Iso => format!("{year:04}-{month:02}-{day:02}"),
            Pattern::Compact => format!("{year:04}{month:02}{day:02}"),
            Pattern::Fhir => match date.precision() {
                Precision::Year => format!("{year:04}"),
                Precision::Month => format!("{year:04}-{month:02}"),
                Precision::Day => format!("{year:04}-{month:02}-{day:02}"),
            },
            Pattern::Year => {
                return Ok(Converted::lossy_if(date.precision() > Precision::Year, format!("{year:04}"), YEAR_ONLY));
            }
            Pattern::EpochSeconds | Pattern::EpochMillis => {
                return self.write_date_number(date).map(|number| number.map(|number| number.to_string()));
            }
            Pattern::Local | Pattern::GermanMinute | Pattern::Offset => {
                let day = date.full().ok_or(DateError::TooCoarse(self.pattern))?;
                return self.write_instant(self.first_moment(day)?);
            }
        }))
    }

    /// Writes a date as a number: seconds, milliseconds or the year.
    ///
    /// # Errors
    /// [`DateError::TooCoarse`] as above; [`DateError::NotANumber`] if the format is a text.
    pub fn write_date_number(&self, date: PartialDate) -> Result<Converted<i64>, DateError> {
        match self.pattern {
            Pattern::Year => Ok(Converted::lossy_if(date.precision() > Precision::Year, i64::from(date.year), YEAR_ONLY)),
            Pattern::EpochSeconds | Pattern::EpochMillis => {
                let day = date.full().ok_or(DateError::TooCoarse(self.pattern))?;
                self.write_instant_number(self.first_moment(day)?)
            }
            other => Err(DateError::NotANumber(other)),
        }
    }

    /// Writes an instant. A format without time gets the day in its zone, and the loss is reported.
    ///
    /// # Errors
    /// [`DateError::OutOfRange`] outside the years 1 to 9999.
    pub fn write_instant(&self, instant: Timestamp) -> Result<Converted<String>, DateError> {
        match self.pattern {
            Pattern::EpochSeconds | Pattern::EpochMillis => self.write_instant_number(instant).map(|number| number.map(|number| number.to_string())),
            Pattern::Local | Pattern::GermanMinute => {
                let local = self.zone.to_datetime(instant);
                let (value, fraction) = match self.pattern {
                    Pattern::GermanMinute => (german_text(local)?, i32::from(local.second()) + local.subsec_nanosecond()),
                    _ => (local_text(local)?, local.subsec_nanosecond()),
                };
                let back = self.zone.to_ambiguous_timestamp(local).earlier().map_err(|_| DateError::OutOfRange)?;
                if back != instant {
                    return Ok(Converted::lossy(value, LATER_MEANT));
                }
                Ok(Converted::lossy_if(fraction != 0, value, FRACTION_LEFT_OUT))
            }
            Pattern::Offset => {
                let offset = self.zone.to_offset(instant);
                // RFC 3339 has no seconds in an offset; local mean time before 1893 does. UTC is then exact where rounding is not.
                let offset = if offset.seconds() % 60 == 0 { offset } else { Offset::UTC };
                let local = offset.to_datetime(instant);
                let value = format!("{}{}", local_text(local)?, offset_text(offset));
                Ok(Converted::lossy_if(local.subsec_nanosecond() != 0, value, FRACTION_LEFT_OUT))
            }
            _ => {
                let local = self.zone.to_datetime(instant);
                let date = PartialDate::from_civil(local.date()).map_err(|_| DateError::OutOfRange)?;
                let written = self.write_date(date)?;
                let loss = written.loss.or((local.time() != civil::Time::midnight()).then_some(TIME_LEFT_OUT));
                Ok(Converted { loss, ..written })
            }
        }
    }

    /// Writes an instant as a number.
    ///
    /// # Errors
    /// [`DateError::NotANumber`] if the format is not one of the epoch formats.
    pub fn write_instant_number(&self, instant: Timestamp) -> Result<Converted<i64>, DateError> {
        let nanos = instant.as_nanosecond();
        let (value, unit) = match self.pattern {
            // Rounded down, so that the day before 1970 is the right one as well.
            Pattern::EpochSeconds => (nanos.div_euclid(1_000_000_000), 1_000_000_000),
            Pattern::EpochMillis => (nanos.div_euclid(1_000_000), 1_000_000),
            other => return Err(DateError::NotANumber(other)),
        };
        let value = i64::try_from(value).map_err(|_| DateError::OutOfRange)?;
        Ok(Converted::lossy_if(nanos.rem_euclid(unit) != 0, value, FRACTION_LEFT_OUT))
    }
}

fn local_text(local: civil::DateTime) -> Result<String, DateError> {
    let year = written_year(local)?;
    let (month, day, hour, minute, second) = (local.month(), local.day(), local.hour(), local.minute(), local.second());
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

fn german_text(local: civil::DateTime) -> Result<String, DateError> {
    let year = written_year(local)?;
    let (month, day, hour, minute) = (local.month(), local.day(), local.hour(), local.minute());
    Ok(format!("{day:02}.{month:02}.{year:04} {hour:02}:{minute:02}"))
}

fn written_year(local: civil::DateTime) -> Result<i16, DateError> {
    if (1..=9999).contains(&local.year()) { Ok(local.year()) } else { Err(DateError::OutOfRange) }
}

fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
