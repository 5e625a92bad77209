// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One value between the text of a dialect and a value of the hub. The rules of each spelling are in `value`; here they meet protobuf.

use std::borrow::Cow;

use super::message::{Message, Value};
use crate::dialect::codelist::{Column, LookupError, Row};
use crate::dialect::hub::Leaf;
use crate::dialect::message::{Field, Scalar};
use crate::dialect::plan::{Joint, Spelling};
use crate::dialect::report::ProblemKind;
use crate::dialect::value::phone::{Phone, PhoneError};
use crate::dialect::value::{Converted, address, date, din91379};

/// A text or a value, and what it does not say any more.
pub(super) type Said<T> = Converted<T>;

/// Reads one value. None if the text says that nothing is stated.
pub(super) fn read<'a>(spelling: &'a Spelling, leaf: &Leaf, field: &Field, text: Cow<'a, str>) -> Result<Option<Said<Value<'a>>>, ProblemKind> {
    match spelling {
        Spelling::Codes(column) => Ok(row(column, &text)?.and_then(|row| code_value(column, row, row.canonical(), leaf, field)).map(Said::exact)),
        Spelling::Date(format) => {
            let malformed = |error| date_problem(format, error);
            if *leaf == Leaf::Timestamp {
                let read = format.read_instant(&text).map_err(malformed)?;
                return Ok(Some(read.map(timestamp)));
            }
            let read = match format.read_date(&text) {
                Err(date::DateError::Nothing) => return Ok(None),
                other => other.map_err(malformed)?,
            };
            Ok(Some(read.map(partial_date)))
        }
        Spelling::Phone(_) => phone_value(Phone::read(&text)),
        Spelling::PhoneSplit(by) => match text.split_once(by.as_str()) {
            Some((area, subscriber)) => phone_value(Phone::from_split(area, subscriber)),
            None => phone_value(Phone::read(&text)),
        },
        Spelling::Boolean(words) => match words.read(&text) {
            Some(value) => Ok(Some(Said::exact(Value::Bool(value)))),
            None => Err(ProblemKind::Malformed { expected: "one of the two words for true and false".to_owned() }),
        },
        Spelling::Plain => plain_value(leaf, field, text).map(|value| Some(Said::exact(value))),
        Spelling::SearchForm => Ok(None),
    }
}

/// Writes one value. An error says why there is no text, without quoting the value.
pub(super) fn write<'a>(spelling: &'a Spelling, leaf: &'a Leaf, value: &'a Value<'_>) -> Result<Said<Cow<'a, str>>, String> {
    match spelling {
        Spelling::Codes(column) => {
            let code = code_of(column, leaf, value)?;
            let image = column.to_dialect(&code).ok_or_else(|| no_word(column))?;
            Ok(Said::lossy_if(image.lossy, Cow::Borrowed(image.value), MERGED))
        }
        Spelling::Date(format) => {
            let mut text = String::new();
            let loss = match leaf {
                Leaf::Timestamp => format.write_instant(instant_of(value)?, &mut text),
                _ => format.write_date(day_of(value)?, &mut text),
            };
            let loss = loss.map_err(|error| error.to_string())?;
            Ok(Said { value: Cow::Owned(text), loss })
        }
        Spelling::Phone(style) => {
            let phone = Phone::read(value.as_text().unwrap_or_default()).map_err(|error| error.to_string())?;
            let mut text = String::new();
            phone.write(*style, &mut text).unwrap();
            Ok(Said::exact(text.into()))
        }
        Spelling::PhoneSplit(by) => {
            let phone = Phone::read(value.as_text().unwrap_or_default()).map_err(|error| error.to_string())?;
            let (area, subscriber) = phone.split().map_err(|error| error.to_string())?;
            Ok(Said::exact(format!("0{area}{by}{subscriber}").into()))
        }
        Spelling::Boolean(words) => Ok(Said::exact(words.write(*value == Value::Bool(true)).into())),
        Spelling::SearchForm => Ok(Said::lossy(din91379::search_form(value.as_text().unwrap_or_default()).into(), "only the search form is written")),
        Spelling::Plain => match (leaf, value) {
            (Leaf::Text, Value::Text(text)) => Ok(din91379::without_deprecated(text)),
            _ => plain_text(leaf, value).map(Said::exact).ok_or_else(|| "it is no text".to_owned()),
        },
    }
}

fn phone_value<'a>(phone: Result<Phone, PhoneError>) -> Result<Option<Said<Value<'a>>>, ProblemKind> {
    match phone {
        Ok(phone) => Ok(Some(Said::exact(Value::Text(Cow::Owned(phone.e164().to_owned()))))),
        Err(error) => Err(ProblemKind::Malformed { expected: format!("a phone number; {error}") }),
    }
}

/// A code list merges several canonical codes into one word.
pub(super) const MERGED: &str = "the code list has one word for several codes";

pub(super) fn no_word(column: &Column) -> String {
    format!("list {}/{} has no word for it", column.list().name(), column.name())
}

/// The row of a code; none if the code says that nothing is stated.
pub(super) fn row<'a>(column: &'a Column, text: &str) -> Result<Option<&'a Row>, ProblemKind> {
    let list = || format!("{}/{}", column.list().name(), column.name());
    match column.to_canonical(text) {
        Ok(row) if row.is_absent() => Ok(None),
        Ok(row) => Ok(Some(row)),
        Err(LookupError::Unknown) => Err(ProblemKind::UnknownCode { list: list() }),
        Err(LookupError::Reserved) => Err(ProblemKind::ReservedCode { list: list() }),
    }
}

/// A canonical code as a value of the hub; none for a part that is empty.
pub(super) fn code_value<'a>(column: &'a Column, row: &'a Row, part: &'a str, leaf: &Leaf, field: &Field) -> Option<Value<'a>> {
    match leaf {
        _ if part.is_empty() => None,
        Leaf::Coding => {
            let list = column.list();
            let texts = [(coding::SYSTEM, list.uri()), (coding::VERSION, list.version()), (coding::CODE, part), (coding::DISPLAY, row.label())];
            Some(Value::Message(Message::of_texts(texts)))
        }
        Leaf::Enum(list) => list.number_of(part).map(Value::Enum),
        _ => plain_value(leaf, field, Cow::Borrowed(part)).ok(),
    }
}

/// The canonical code of a value of the hub.
pub(super) fn code_of<'a>(column: &Column, leaf: &'a Leaf, value: &'a Value<'_>) -> Result<Cow<'a, str>, String> {
    match (leaf, value) {
        (Leaf::Coding, Value::Message(coding)) => {
            if coding.text(coding::SYSTEM) != column.list().uri() {
                return Err(format!("the code does not come from {}", column.list().uri()));
            }
            Ok(Cow::Borrowed(coding.text(coding::CODE)))
        }
        _ => plain_text(leaf, value).ok_or_else(|| no_word(column)),
    }
}

fn plain_value<'a>(leaf: &Leaf, field: &Field, text: Cow<'a, str>) -> Result<Value<'a>, ProblemKind> {
    let malformed = || ProblemKind::Malformed { expected: leaf.name() };
    match leaf {
        Leaf::Text => Ok(Value::Text(match din91379::normalise(&text) {
            Cow::Owned(normal) => Cow::Owned(normal),
            Cow::Borrowed(_) => text,
        })),
        Leaf::Bool => text.parse().map(Value::Bool).map_err(|_| malformed()),
        Leaf::Enum(list) => list.number_of(&text).map(Value::Enum).ok_or_else(malformed),
        _ => integer(field.scalar(), &text).ok_or_else(malformed),
    }
}

/// A decimal number of the range of the kind.
fn integer<'a>(scalar: Scalar, text: &str) -> Option<Value<'a>> {
    match scalar {
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => text.parse().ok().map(Value::I32),
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => text.parse().ok().map(Value::I64),
        Scalar::Uint32 | Scalar::Fixed32 => text.parse().ok().map(Value::U32),
        Scalar::Uint64 | Scalar::Fixed64 => text.parse().ok().map(Value::U64),
        _ => None,
    }
}

/// The text of a single value, on either side; none for messages, bytes and enum values that say nothing.
pub(super) fn plain_text<'a>(leaf: &'a Leaf, value: &'a Value<'_>) -> Option<Cow<'a, str>> {
    match (value, leaf) {
        (Value::Text(text), _) => Some(Cow::Borrowed(text)),
        (Value::Bool(value), _) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        (Value::I32(value), _) => Some(Cow::Owned(value.to_string())),
        (Value::I64(value), _) => Some(Cow::Owned(value.to_string())),
        (Value::U32(value), _) => Some(Cow::Owned(value.to_string())),
        (Value::U64(value), _) => Some(Cow::Owned(value.to_string())),
        (Value::Enum(number), Leaf::Enum(list)) => list.word(*number).map(Cow::Borrowed),
        _ => None,
    }
}

/// A text as the value of a dialect's own field; none if the field cannot hold it.
pub(super) fn native_value<'a>(field: &Field, text: Cow<'a, str>) -> Option<Value<'a>> {
    match (field.scalar(), field.leaf()) {
        (Scalar::Text, _) => Some(Value::Text(text)),
        (Scalar::Bool, _) => text.parse().ok().map(Value::Bool),
        (_, Leaf::Enum(list)) => list.number_of(&text).map(Value::Enum),
        (scalar, _) => integer(scalar, &text),
    }
}

/// Takes one text apart.
pub(super) fn split(joint: &Joint, text: &str, parts: usize) -> Result<Vec<String>, ProblemKind> {
    match joint {
        Joint::By(join) => join
            .split(text, parts)
            .map(|parts| parts.map(Cow::into_owned).collect())
            .map_err(|error| ProblemKind::Malformed { expected: format!("so many parts ({error})") }),
        Joint::AddressLine => {
            let parts = address::split(text).map_err(|error| ProblemKind::Malformed { expected: format!("an address ({error})") })?;
            Ok([parts.street, parts.house_number, parts.suffix, parts.postal_code, parts.city].map(str::to_owned).to_vec())
        }
    }
}

/// Puts texts together.
pub(super) fn join(joint: &Joint, parts: &[Cow<'_, str>]) -> Said<String> {
    match joint {
        Joint::By(join) => {
            let texts: Vec<&str> = parts.iter().map(|part| &**part).collect();
            let mut joined = String::new();
            join.join(&texts, &mut joined).unwrap();
            let told_apart = join.split(&joined, parts.len()).is_ok_and(|back| back.eq(texts.iter().copied()));
            match din91379::without_deprecated(&joined) {
                Said { value: Cow::Owned(value), loss } => Said { value, loss },
                Said { value: Cow::Borrowed(_), .. } => Said::lossy_if(!told_apart, joined, "the parts cannot be told apart again"),
            }
        }
        Joint::AddressLine => {
            let part = |at: usize| parts.get(at).map(|part| &**part).unwrap_or_default();
            let address = address::Address { street: part(0), house_number: part(1), suffix: part(2), postal_code: part(3), city: part(4) };
            let mut line = String::new();
            address::join(&address, &mut line).unwrap();
            address::told(&address, line)
        }
    }
}

fn date_problem(format: &date::DateFormat, error: date::DateError) -> ProblemKind {
    match error {
        date::DateError::Impossible | date::DateError::Gap | date::DateError::OutOfRange | date::DateError::Nothing => ProblemKind::ImpossibleDate,
        date::DateError::TwoDigitYear => ProblemKind::Malformed { expected: "a date with a year of four digits".to_owned() },
        _ => ProblemKind::Malformed { expected: format!("a date written as {}", format.pattern()) },
    }
}

/// Numbers of the fields of the shapes that the translator knows by heart.
pub(super) mod coding {
    pub(in crate::dialect) const SYSTEM: u32 = 1;
    pub(in crate::dialect) const VERSION: u32 = 2;
    pub(in crate::dialect) const CODE: u32 = 3;
    pub(in crate::dialect) const DISPLAY: u32 = 4;
}
const YEAR: u32 = 1;
const MONTH: u32 = 2;
const DAY: u32 = 3;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;

fn timestamp<'a>(instant: jiff::Timestamp) -> Value<'a> {
    let nanos = instant.as_nanosecond();
    // Nanoseconds of a protobuf timestamp count forward, before 1970 too.
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default();
    let fraction = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
    Value::Message(Message::of_numbers([(SECONDS, Value::I64(seconds)), (NANOS, Value::I32(fraction))]))
}

fn partial_date<'a>(day: date::PartialDate) -> Value<'a> {
    let numbers = [(YEAR, day.year()), (MONTH, day.month().into()), (DAY, day.day().into())];
    Value::Message(Message::of_numbers(numbers.map(|(number, value)| (number, Value::I32(value)))))
}

fn number(message: &Message<'_>, number: u32) -> i64 {
    match message.number(number) {
        Some(Value::I64(number)) => *number,
        Some(Value::I32(number)) => i64::from(*number),
        _ => 0,
    }
}

/// The instant of a `google.protobuf.Timestamp`.
pub(super) fn instant_of(value: &Value<'_>) -> Result<jiff::Timestamp, String> {
    let impossible = || "there is no such time".to_owned();
    let message = value.as_message().ok_or_else(impossible)?;
    let nanos = i32::try_from(number(message, NANOS)).ok().filter(|nanos| *nanos >= 0).ok_or_else(impossible)?;
    jiff::Timestamp::new(number(message, SECONDS), nanos).map_err(|_| impossible())
}

/// The day of a `weiche.type.v1.PartialDate`.
pub(super) fn day_of(value: &Value<'_>) -> Result<date::PartialDate, String> {
    let impossible = || "there is no such day".to_owned();
    let message = value.as_message().ok_or_else(impossible)?;
    let small = |part| u8::try_from(number(message, part)).map_err(|_| impossible());
    let year = i32::try_from(number(message, YEAR)).map_err(|_| impossible())?;
    date::PartialDate::new(year, small(MONTH)?, small(DAY)?).map_err(|_| impossible())
}
