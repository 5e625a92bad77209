// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the canonical date or instant to a system's spelling.

use std::fmt;

use jiff::tz::Offset;
use jiff::{Timestamp, civil};

use super::read::TIME_LEFT_OUT;
use super::{DateError, DateFormat, PartialDate, Pattern, Precision};
use crate::dialect::value::Converted;

const YEAR_ONLY: &str = "month and day are left out";
const FRACTION_LEFT_OUT: &str = "parts of the time smaller than the format shows are left out";
const LATER_MEANT: &str = "this local time occurs twice when the clocks go back, and the later one is meant";

impl DateFormat {
    /// Writes a date, and says what is lost. Where the format wants a time, it is the first moment of the day in the format's zone.
    ///
    /// # Errors
    /// [`DateError::TooCoarse`] if the format needs a day that is unknown.
    pub fn write_date(&self, date: PartialDate, out: &mut impl fmt::Write) -> Result<Option<&'static str>, DateError> {
        let PartialDate { year, month, day } = date;
        let (year, month, day) = (year.unsigned_abs(), u32::from(month), u32::from(day));
        match self.pattern {
            Pattern::German => digits(out, &[(day, 2), (DOT, 0), (month, 2), (DOT, 0), (year, 4)]),
            Pattern::Iso => digits(out, &[(year, 4), (DASH, 0), (month, 2), (DASH, 0), (day, 2)]),
            Pattern::Compact => digits(out, &[(year, 4), (month, 2), (day, 2)]),
            Pattern::Fhir => match date.precision() {
                Precision::Year => digits(out, &[(year, 4)]),
                Precision::Month => digits(out, &[(year, 4), (DASH, 0), (month, 2)]),
                Precision::Day => digits(out, &[(year, 4), (DASH, 0), (month, 2), (DASH, 0), (day, 2)]),
            },
            Pattern::Year => {
                digits(out, &[(year, 4)]);
                return Ok((date.precision() > Precision::Year).then_some(YEAR_ONLY));
            }
            Pattern::EpochSeconds | Pattern::EpochMillis => {
                let Converted { value, loss } = self.write_date_number(date)?;
                let _ = write!(out, "{value}");
                return Ok(loss);
            }
            Pattern::Local | Pattern::GermanMinute | Pattern::Offset => {
                let day = date.full().ok_or(DateError::TooCoarse(self.pattern))?;
                return self.write_instant(self.first_moment(day)?, out);
            }
        }
        Ok(None)
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

    /// Writes an instant, and says what is lost. A format without time gets the day in its zone.
    ///
    /// # Errors
    /// [`DateError::OutOfRange`] outside the years 1 to 9999.
    pub fn write_instant(&self, instant: Timestamp, out: &mut impl fmt::Write) -> Result<Option<&'static str>, DateError> {
        match self.pattern {
            Pattern::EpochSeconds | Pattern::EpochMillis => {
                let Converted { value, loss } = self.write_instant_number(instant)?;
                let _ = write!(out, "{value}");
                Ok(loss)
            }
            Pattern::Local | Pattern::GermanMinute => {
                let local = self.zone.to_datetime(instant);
                let fraction = match self.pattern {
                    Pattern::GermanMinute => {
                        let [year, month, day, hour, minute, _] = parts(local)?;
                        digits(out, &[(day, 2), (DOT, 0), (month, 2), (DOT, 0), (year, 4), (BLANK, 0), (hour, 2), (COLON, 0), (minute, 2)]);
                        i32::from(local.second()) + local.subsec_nanosecond()
                    }
                    _ => {
                        local_text(local, out)?;
                        local.subsec_nanosecond()
                    }
                };
                let back = self.zone.to_ambiguous_timestamp(local).earlier().map_err(|_| DateError::OutOfRange)?;
                Ok(if back != instant { Some(LATER_MEANT) } else { (fraction != 0).then_some(FRACTION_LEFT_OUT) })
            }
            Pattern::Offset => {
                let offset = self.zone.to_offset(instant);
                // RFC 3339 has no seconds in an offset; local mean time before 1893 does. UTC is then exact where rounding is not.
                let offset = if offset.seconds() % 60 == 0 { offset } else { Offset::UTC };
                let local = offset.to_datetime(instant);
                local_text(local, out)?;
                let minutes = (offset.seconds() / 60).unsigned_abs();
                let sign = if offset.seconds() < 0 { DASH } else { PLUS };
                digits(out, &[(sign, 0), (minutes / 60, 2), (COLON, 0), (minutes % 60, 2)]);
                Ok((local.subsec_nanosecond() != 0).then_some(FRACTION_LEFT_OUT))
            }
            _ => {
                let local = self.zone.to_datetime(instant);
                let date = PartialDate::from_civil(local.date()).map_err(|_| DateError::OutOfRange)?;
                let loss = self.write_date(date, out)?;
                Ok(loss.or((local.time() != civil::Time::midnight()).then_some(TIME_LEFT_OUT)))
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

fn local_text(local: civil::DateTime, out: &mut impl fmt::Write) -> Result<(), DateError> {
    let [year, month, day, hour, minute, second] = parts(local)?;
    digits(out, &[(year, 4), (DASH, 0), (month, 2), (DASH, 0), (day, 2), (T, 0), (hour, 2), (COLON, 0), (minute, 2), (COLON, 0), (second, 2)]);
    Ok(())
}

/// Year to second, of a year that can be written.
fn parts(local: civil::DateTime) -> Result<[u32; 6], DateError> {
    let small = |part: i8| u32::from(part.unsigned_abs());
    let year = u32::try_from(local.year()).ok().filter(|year| (1..=9999).contains(year)).ok_or(DateError::OutOfRange)?;
    Ok([year, small(local.month()), small(local.day()), small(local.hour()), small(local.minute()), small(local.second())])
}

const DOT: u32 = '.' as u32;
const DASH: u32 = '-' as u32;
const COLON: u32 = ':' as u32;
const BLANK: u32 = ' ' as u32;
const PLUS: u32 = '+' as u32;
const T: u32 = 'T' as u32;

/// Numbers with so many digits, and the code of a sign where that is none.
fn digits(out: &mut impl fmt::Write, parts: &[(u32, u32)]) {
    // The longest: `JJJJ-MM-TTThh:mm:ss`.
    let mut line = [0u8; 19];
    let mut used = 0;
    for (number, width) in parts {
        let length = width.max(&1);
        let mut rest = *number;
        for place in line.iter_mut().skip(used).take(*length as usize).rev() {
            *place = if *width == 0 { rest as u8 } else { b'0' + (rest % 10) as u8 };
            rest /= 10;
        }
        used += *length as usize;
    }
    // A text takes everything.
    let _ = out.write_str(line.get(..used).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default());
}
