// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One value between the text of a dialect and a value of the hub. The rules of each spelling are in `value`; here they meet protobuf.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};

use super::codelist::{Column, LookupError, Row};
use super::hub::{Leaf, enum_name, enum_number};
use super::plan::{Joint, Spelling};
use super::report::ProblemKind;
use super::value::phone::{Phone, PhoneError};
use super::value::{Converted, address, date, din91379, name};

/// A text or a value, and what it does not say any more.
pub(super) type Said<T> = Converted<T>;

/// Reads one value. None if the text says that nothing is stated.
pub(super) fn read(spelling: &Spelling, leaf: &Leaf, field: &FieldDescriptor, text: &str) -> Result<Option<Said<Value>>, ProblemKind> {
    match spelling {
        Spelling::Codes(column) => Ok(row(column, text)?.and_then(|row| code_value(column, row, row.canonical(), leaf, field)).map(Said::exact)),
        Spelling::Date(format) => {
            let malformed = |error| date_problem(format, error);
            match (leaf, field.kind().as_message()) {
                (Leaf::Timestamp, Some(message)) => {
                    let read = format.read_instant(text).map_err(malformed)?;
                    Ok(Some(read.map(|instant| timestamp(message, instant))))
                }
                (_, Some(message)) => {
                    let read = match format.read_date(text) {
                        Err(date::DateError::Nothing) => return Ok(None),
                        other => other.map_err(malformed)?,
                    };
                    Ok(Some(read.map(|day| partial_date(message, day))))
                }
                _ => Ok(None),
            }
        }
        Spelling::Phone(_) => phone_value(Phone::read(text)),
        Spelling::PhoneSplit(by) => match text.split_once(by.as_str()) {
            Some((area, subscriber)) => phone_value(Phone::from_split(area, subscriber)),
            None => phone_value(Phone::read(text)),
        },
        Spelling::Boolean(words) => match words.read(text) {
            Ok(value) => Ok(Some(Said::exact(Value::Bool(value)))),
            Err(_) => Err(ProblemKind::Malformed { expected: "one of the two words for true and false".to_owned() }),
        },
        Spelling::Plain => plain_value(leaf, field, text).map(|value| Some(Said::exact(value))),
        Spelling::SearchForm => Ok(None),
    }
}

/// Writes one value. An error says why there is no text, without quoting the value.
pub(super) fn write(spelling: &Spelling, leaf: &Leaf, value: &Value) -> Result<Said<String>, String> {
    match spelling {
        Spelling::Codes(column) => {
            let code = code_of(column, leaf, value)?;
            let image = column.to_dialect(&code).ok_or_else(|| no_word(column))?;
            Ok(Said::lossy_if(image.lossy, image.value.to_owned(), MERGED))
        }
        Spelling::Date(format) => match leaf {
            Leaf::Timestamp => format.write_instant(instant_of(value)?).map_err(|error| error.to_string()),
            _ => format.write_date(day_of(value)?).map_err(|error| error.to_string()),
        },
        Spelling::Phone(style) => {
            let phone = Phone::read(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
            Ok(Said::exact(phone.write(*style)))
        }
        Spelling::PhoneSplit(by) => {
            let phone = Phone::read(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
            let (area, subscriber) = phone.split().map_err(|error| error.to_string())?;
            Ok(Said::exact(format!("{area}{by}{subscriber}")))
        }
        Spelling::Boolean(words) => Ok(Said::exact(words.write(value.as_bool().unwrap_or(false)).to_owned())),
        Spelling::SearchForm => Ok(Said::lossy(din91379::search_form(value.as_str().unwrap_or_default()), "only the search form is written")),
        Spelling::Plain => plain_text(leaf, value).map(Said::exact).ok_or_else(|| "it is no text".to_owned()),
    }
}

fn phone_value(phone: Result<Phone, PhoneError>) -> Result<Option<Said<Value>>, ProblemKind> {
    match phone {
        Ok(phone) => Ok(Some(Said::exact(Value::String(phone.e164().to_owned())))),
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
pub(super) fn code_value(column: &Column, row: &Row, part: &str, leaf: &Leaf, field: &FieldDescriptor) -> Option<Value> {
    match leaf {
        _ if part.is_empty() => None,
        Leaf::Coding => {
            let mut coding = DynamicMessage::new(field.kind().as_message()?.clone());
            for (name, text) in [("system", column.list().uri()), ("version", column.list().version()), ("code", part), ("display", row.label())] {
                if !text.is_empty() {
                    coding.try_set_field_by_name(name, Value::String(text.to_owned())).ok()?;
                }
            }
            Some(Value::Message(coding))
        }
        Leaf::Enum(list) => enum_number(list, part).map(Value::EnumNumber),
        _ => plain_value(leaf, field, part).ok(),
    }
}

/// The canonical code of a value of the hub.
pub(super) fn code_of(column: &Column, leaf: &Leaf, value: &Value) -> Result<String, String> {
    match (leaf, value) {
        (Leaf::Coding, Value::Message(coding)) => {
            let system = coding.get_field_by_name("system");
            let code = coding.get_field_by_name("code");
            if system.as_deref().and_then(Value::as_str) != Some(column.list().uri()) {
                return Err(format!("the code does not come from {}", column.list().uri()));
            }
            Ok(code.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        _ => plain_text(leaf, value).ok_or_else(|| no_word(column)),
    }
}

fn plain_value(leaf: &Leaf, field: &FieldDescriptor, text: &str) -> Result<Value, ProblemKind> {
    let malformed = || ProblemKind::Malformed { expected: leaf.name() };
    match leaf {
        Leaf::Text => Ok(Value::String(din91379::normalise(text).into_owned())),
        Leaf::Bool => text.parse().map(Value::Bool).map_err(|_| malformed()),
        Leaf::Enum(list) => enum_number(list, text).map(Value::EnumNumber).ok_or_else(malformed),
        _ => integer(&field.kind(), text).ok_or_else(malformed),
    }
}

/// A decimal number of the range of the kind.
fn integer(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => text.parse().ok().map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text.parse().ok().map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => text.parse().ok().map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => text.parse().ok().map(Value::U64),
        _ => None,
    }
}

/// The text of a single value, on either side; none for messages, bytes and enum values that say nothing.
pub(super) fn plain_text(leaf: &Leaf, value: &Value) -> Option<String> {
    match (value, leaf) {
        (Value::String(text), _) => Some(text.clone()),
        (Value::Bool(value), _) => Some(value.to_string()),
        (Value::I32(value), _) => Some(value.to_string()),
        (Value::I64(value), _) => Some(value.to_string()),
        (Value::U32(value), _) => Some(value.to_string()),
        (Value::U64(value), _) => Some(value.to_string()),
        (Value::EnumNumber(number), Leaf::Enum(list)) => enum_name(list, *number),
        _ => None,
    }
}

/// A text as the value of a dialect's own field; none if the field cannot hold it.
pub(super) fn native_value(field: &FieldDescriptor, text: &str) -> Option<Value> {
    match field.kind() {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Bool => text.parse().ok().map(Value::Bool),
        Kind::Enum(list) => enum_number(&list, text).map(Value::EnumNumber),
        kind => integer(&kind, text),
    }
}

/// Takes one text apart.
pub(super) fn split(joint: &Joint, text: &str, parts: usize) -> Result<Vec<String>, ProblemKind> {
    match joint {
        Joint::By(join) => join.split(text, parts).map_err(|error| ProblemKind::Malformed { expected: format!("so many parts ({error})") }),
        Joint::AddressLine => {
            let parts = address::split(text).map_err(|error| ProblemKind::Malformed { expected: format!("an address ({error})") })?;
            Ok(vec![parts.street, parts.house_number, parts.suffix, parts.postal_code, parts.city])
        }
    }
}

/// Puts texts together.
pub(super) fn join(joint: &Joint, parts: &[String]) -> Said<String> {
    match joint {
        Joint::By(join) => {
            let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let joined = join.join(&texts);
            let back = join.split(&joined, parts.len());
            Said::lossy_if(back.as_deref() != Ok(parts), joined, "the parts cannot be told apart again")
        }
        Joint::AddressLine => {
            let part = |at: usize| parts.get(at).cloned().unwrap_or_default();
            address::join(&address::Address { street: part(0), house_number: part(1), suffix: part(2), postal_code: part(3), city: part(4) })
        }
    }
}

/// A separator as a mapping gives it.
pub(super) fn joint(separator: &str) -> Result<Joint, String> {
    name::Join::new(separator).map(Joint::By).map_err(|error| error.to_string())
}

fn date_problem(format: &date::DateFormat, error: date::DateError) -> ProblemKind {
    match error {
        date::DateError::Impossible | date::DateError::Gap | date::DateError::OutOfRange | date::DateError::Nothing => ProblemKind::ImpossibleDate,
        date::DateError::TwoDigitYear => ProblemKind::Malformed { expected: "a date with a year of four digits".to_owned() },
        _ => ProblemKind::Malformed { expected: format!("a date written as {}", format.pattern()) },
    }
}

fn timestamp(message: &MessageDescriptor, instant: jiff::Timestamp) -> Value {
    let mut out = DynamicMessage::new(message.clone());
    let nanos = instant.as_nanosecond();
    // Nanoseconds of a protobuf timestamp count forward, before 1970 too.
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default();
    let fraction = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
    set(&mut out, "seconds", Value::I64(seconds));
    set(&mut out, "nanos", Value::I32(fraction));
    Value::Message(out)
}

fn partial_date(message: &MessageDescriptor, day: date::PartialDate) -> Value {
    let mut out = DynamicMessage::new(message.clone());
    set(&mut out, "year", Value::I32(day.year()));
    set(&mut out, "month", Value::I32(day.month().into()));
    set(&mut out, "day", Value::I32(day.day().into()));
    Value::Message(out)
}

fn set(message: &mut DynamicMessage, name: &str, value: Value) {
    let Some(field) = message.descriptor().get_field_by_name(name) else { return };
    if !value.is_default_for_field(&field) {
        // The two well-known shapes written here have fields of these kinds.
        let _ = message.try_set_field(&field, value);
    }
}

fn number(message: &DynamicMessage, name: &str) -> i64 {
    match message.get_field_by_name(name).as_deref() {
        Some(Value::I64(number)) => *number,
        Some(Value::I32(number)) => i64::from(*number),
        _ => 0,
    }
}

/// The instant of a `google.protobuf.Timestamp`.
pub(super) fn instant_of(value: &Value) -> Result<jiff::Timestamp, String> {
    let impossible = || "there is no such time".to_owned();
    let message = value.as_message().ok_or_else(impossible)?;
    let nanos = i32::try_from(number(message, "nanos")).ok().filter(|nanos| *nanos >= 0).ok_or_else(impossible)?;
    jiff::Timestamp::new(number(message, "seconds"), nanos).map_err(|_| impossible())
}

/// The day of a `weiche.type.v1.PartialDate`.
pub(super) fn day_of(value: &Value) -> Result<date::PartialDate, String> {
    let impossible = || "there is no such day".to_owned();
    let message = value.as_message().ok_or_else(impossible)?;
    let small = |name| u8::try_from(number(message, name)).map_err(|_| impossible());
    let year = i32::try_from(number(message, "year")).map_err(|_| impossible())?;
    date::PartialDate::new(year, small("month")?, small("day")?).map_err(|_| impossible())
}
