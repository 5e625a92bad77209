// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::dialect::value::Converted;

fn format(pattern: &str) -> DateFormat {
    pattern.parse().unwrap()
}

fn date(year: i32, month: u8, day: u8) -> PartialDate {
    PartialDate::new(year, month, day).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn written(format: &DateFormat, date: PartialDate) -> Result<Converted<String>, DateError> {
    let mut value = String::new();
    format.write_date(date, &mut value).map(|loss| Converted { value, loss })
}

fn written_instant(format: &DateFormat, instant: Timestamp) -> Result<Converted<String>, DateError> {
    let mut value = String::new();
    format.write_instant(instant, &mut value).map(|loss| Converted { value, loss })
}

/// The table `tests/cases/values/dates.tsv`: format, text, and the date as JJJJ-MM-TT or the name of the error.
#[test]
fn the_table_of_spellings_holds() {
    let table = include_str!("../../../../tests/cases/values/dates.tsv");
    let mut cases = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [pattern, text, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let got = match format(pattern).read_date(text) {
            Ok(Converted { value, loss: None }) => written(&format("JJJJ-MM-TT"), value).unwrap().value,
            Ok(Converted { value, loss: Some(_) }) => format!("lossy {}", written(&format("JJJJ-MM-TT"), value).unwrap().value),
            Err(error) => format!("{error:?}").split('(').next().unwrap().to_owned(),
        };
        assert_eq!(got, expected, "{pattern} {text}");
        cases += 1;
    }
    assert!(cases > 40);
}

#[test]
fn an_epoch_is_a_day_in_berlin_and_not_in_greenwich() {
    let seconds = format("epoch-seconds");
    assert_eq!(seconds.read_date_number(1_809_036_000), Ok(Converted::exact(date(2027, 4, 30))));
    assert_eq!(seconds.write_date_number(date(2027, 4, 30)), Ok(Converted::exact(1_809_036_000)));
    assert_eq!(format("epoch-seconds@UTC").read_date_number(1_809_036_000).unwrap().value, date(2027, 4, 29));
}

#[test]
fn a_local_time_that_the_clocks_jumped_over_is_refused() {
    assert_eq!(format("JJJJ-MM-TTThh:mm:ss").read_instant("2026-03-29T02:30:00"), Err(DateError::Gap));
}

#[test]
fn a_local_time_that_happened_twice_is_the_earlier_one_and_says_so() {
    let local = format("JJJJ-MM-TTThh:mm:ss");
    let read = local.read_instant("2026-10-25T02:30:00").unwrap();
    assert_eq!(read.value, at("2026-10-25T00:30:00Z"));
    assert!(read.loss.is_some());
    assert_eq!(written_instant(&local, at("2026-10-25T00:30:00Z")).unwrap().loss, None);
    let later = written_instant(&local, at("2026-10-25T01:30:00Z")).unwrap();
    assert_eq!((later.value.as_str(), later.loss.is_some()), ("2026-10-25T02:30:00", true));
}

#[test]
fn an_instant_with_offset_keeps_its_point_in_time() {
    let offset = format("JJJJ-MM-TTThh:mm:ss+zz:zz");
    let read = offset.read_instant("2026-03-02T10:15:00+01:00").unwrap();
    assert_eq!((read.value, read.loss), (at("2026-03-02T09:15:00Z"), None));
    assert_eq!(written_instant(&offset, read.value).unwrap().value, "2026-03-02T10:15:00+01:00");
    assert_eq!(offset.read_instant("2026-03-02T09:15:00.5Z").unwrap().value, at("2026-03-02T09:15:00.5Z"));
    assert!(offset.read_instant("2026-03-02T10:15:00").is_err());
}

#[test]
fn a_format_that_needs_a_day_cannot_say_a_year() {
    for pattern in ["epoch-seconds", "epoch-millis", "JJJJ-MM-TTThh:mm:ss", "JJJJ-MM-TTThh:mm:ss+zz:zz"] {
        assert!(matches!(written(&format(pattern), date(1991, 0, 0)), Err(DateError::TooCoarse(_))), "{pattern}");
    }
    assert!(written(&format("JJJJ"), date(1991, 5, 3)).unwrap().loss.is_some());
    assert_eq!(written(&format("JJJJ"), date(1991, 0, 0)).unwrap().loss, None);
}

#[test]
fn a_day_read_as_an_instant_admits_that_it_took_midnight() {
    let read = format("TT.MM.JJJJ").read_instant("02.03.2026").unwrap();
    assert_eq!((read.value, read.loss.is_some()), (at("2026-03-01T23:00:00Z"), true));
    let written = written_instant(&format("TT.MM.JJJJ"), at("2026-03-02T09:15:00Z")).unwrap();
    assert_eq!((written.value.as_str(), written.loss), ("02.03.2026", Some("the time of day is left out")));
}

#[test]
fn a_mapping_with_an_unknown_format_or_zone_is_told_what_there_is() {
    assert!("TT/MM/JJ".parse::<DateFormat>().unwrap_err().to_string().contains("TT.MM.JJJJ"));
    assert!("JJJJ@Europe/Bremen".parse::<DateFormat>().unwrap_err().to_string().contains("Europe/Bremen"));
}

fn any_date() -> impl Strategy<Value = PartialDate> {
    (1i32..=9999, 0u8..=12, 0u8..=31).prop_filter_map("no such day", |(year, month, day)| PartialDate::new(year, month, day).ok())
}

fn any_format() -> impl Strategy<Value = DateFormat> {
    (0..PATTERNS.len()).prop_map(|at| PATTERNS[at].1.parse().unwrap())
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,30}|[0-9.:TZ+-]{0,30}", format in any_format(), number: i64) {
        let _ = (format.read_date(&text), format.read_instant(&text));
        let _ = (format.read_date_number(number), format.read_instant_number(number));
    }

    #[test]
    fn what_is_written_without_loss_reads_back_as_it_was(date in any_date(), format in any_format()) {
        if let Ok(Converted { value, loss: None }) = written(&format, date) {
            prop_assert_eq!(format.read_date(&value), Ok(Converted::exact(date)));
        }
        if let Ok(Converted { value, loss: None }) = format.write_date_number(date) {
            prop_assert_eq!(format.read_date_number(value), Ok(Converted::exact(date)));
        }
    }

    #[test]
    fn an_instant_written_without_loss_reads_back_as_it_was(millis in -62_000_000_000_000i64..250_000_000_000_000, format in any_format()) {
        let instant = Timestamp::from_millisecond(millis).unwrap();
        if let Ok(Converted { value, loss: None }) = written_instant(&format, instant) {
            prop_assert_eq!(format.read_instant(&value).unwrap().value, instant);
        }
    }
}
