// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One value between the text of a dialect and a value of the hub. The rules of each spelling are in `value`; here they meet protobuf.

use std::borrow::Cow;

use super::codelist::{Column, LookupError, Row};
use super::hub::Leaf;
use super::message::{Field, Message, Room, Scalar, Value, spelt};
use super::plan::{Joint, Spelling};
use super::report::ProblemKind;
use super::value::phone::{Phone, PhoneError};
use super::value::{Converted, address, date, din91379, name};

/// A text or a value, and what it does not say any more.
pub(super) type Said<T> = Converted<T>;

/// Bytes that most lines have room in.
const USUAL: usize = 64;

/// A text that is being written in the room.
type Line<'b> = bumpalo::collections::String<'b>;

/// Reads one value. None if the text says that nothing is stated.
#[inline]
pub(super) fn read<'b>(
    room: &'b Room,
    spelling: &'b Spelling,
    leaf: &Leaf,
    field: &Field,
    text: &'b str,
) -> Result<Option<Said<Value<'b>>>, ProblemKind> {
    match spelling {
        Spelling::Codes(column) => {
            let value = |row: &'b Row| match leaf {
                Leaf::Coding => Some(Value::Code(row)),
                _ => code_value(room, column, row, row.canonical(), leaf, field),
            };
            Ok(row(column, text)?.and_then(value).map(Said::exact))
        }
        Spelling::Date(format) => {
            let malformed = |error| date_problem(format, error);
            if *leaf == Leaf::Timestamp {
                let read = format.read_instant(text).map_err(malformed)?;
                return Ok(Some(read.map(|instant| timestamp(room, instant))));
            }
            let read = match format.read_date(text) {
                Err(date::DateError::Nothing) => return Ok(None),
                other => other.map_err(malformed)?,
            };
            Ok(Some(read.map(|day| partial_date(room, day))))
        }
        Spelling::Phone(_) => phone_value(room, Phone::read(text)),
        Spelling::PhoneSplit(by) => match text.split_once(by.as_str()) {
            Some((area, subscriber)) => phone_value(room, Phone::from_split(area, subscriber)),
            None => phone_value(room, Phone::read(text)),
        },
        Spelling::Boolean(words) => match words.read(text) {
            Some(value) => Ok(Some(Said::exact(Value::Bool(value)))),
            None => Err(ProblemKind::Malformed { expected: "one of the two words for true and false".to_owned() }),
        },
        Spelling::Plain => plain_value(room, leaf, field, text).map(|value| Some(Said::exact(value))),
        Spelling::SearchForm => Ok(None),
    }
}

/// Writes one value. An error says why there is no text, without quoting the value.
pub(super) fn write<'b>(room: &'b Room, spelling: &'b Spelling, leaf: &'b Leaf, value: Value<'b>) -> Result<Said<&'b str>, &'b str> {
    match spelling {
        Spelling::Codes(column) => {
            let image = match value {
                Value::Code(row) if column.holds(row) => column.image(row),
                _ => column.to_dialect(code_of(room, column, leaf, value)?),
            };
            let image = image.ok_or_else(|| no_word(room, column))?;
            Ok(Said::lossy_if(image.lossy, image.value, MERGED))
        }
        Spelling::Date(format) => {
            let mut line = Line::with_capacity_in(USUAL, room);
            let loss = match leaf {
                Leaf::Timestamp => format.write_instant(instant_of(value).ok_or(NO_TIME)?, &mut line),
                _ => format.write_date(day_of(value).ok_or(NO_DAY)?, &mut line),
            };
            let loss = loss.map_err(|error| spelt(room, format_args!("{error}")))?;
            Ok(Said { value: line.into_bump_str(), loss })
        }
        Spelling::Phone(style) => {
            let phone = Phone::read(value.as_text().unwrap_or_default()).map_err(|error| spelt(room, format_args!("{error}")))?;
            let mut line = Line::with_capacity_in(USUAL, room);
            // A text takes everything.
            let _ = phone.write(*style, &mut line);
            Ok(Said::exact(line.into_bump_str()))
        }
        Spelling::PhoneSplit(by) => {
            let phone = Phone::read(value.as_text().unwrap_or_default()).map_err(|error| spelt(room, format_args!("{error}")))?;
            let (area, subscriber) = phone.split().map_err(|error| spelt(room, format_args!("{error}")))?;
            Ok(Said::exact(joined(room, &["0", area, by, subscriber])))
        }
        Spelling::Boolean(words) => Ok(Said::exact(words.write(value == Value::Bool(true)))),
        Spelling::SearchForm => {
            let form = din91379::search_form(value.as_text().unwrap_or_default());
            Ok(Said::lossy(room.alloc_str(&form), "only the search form is written"))
        }
        Spelling::Plain => match (leaf, value) {
            (Leaf::Text, Value::Text(text)) => Ok(din91379::without_deprecated(text).map(|text| kept(room, text))),
            _ => plain_text(room, leaf, value).map(Said::exact).ok_or("it is no text"),
        },
    }
}

/// A text of the room, if it is not one of the message already.
pub(super) fn kept<'b>(room: &'b Room, text: Cow<'b, str>) -> &'b str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => room.alloc_str(&text),
    }
}

/// Texts one after another.
pub(super) fn joined<'b>(room: &'b Room, parts: &[&str]) -> &'b str {
    let mut line = Line::with_capacity_in(parts.iter().map(|part| part.len()).sum(), room);
    parts.iter().for_each(|part| line.push_str(part));
    line.into_bump_str()
}

fn phone_value<'b>(room: &'b Room, phone: Result<Phone, PhoneError>) -> Result<Option<Said<Value<'b>>>, ProblemKind> {
    match phone {
        Ok(phone) => Ok(Some(Said::exact(Value::Text(room.alloc_str(phone.e164()))))),
        Err(error) => Err(ProblemKind::Malformed { expected: format!("a phone number; {error}") }),
    }
}

/// A code list merges several canonical codes into one word.
pub(super) const MERGED: &str = "the code list has one word for several codes";
const NO_TIME: &str = "there is no such time";
const NO_DAY: &str = "there is no such day";

pub(super) fn no_word<'b>(room: &'b Room, column: &Column) -> &'b str {
    joined(room, &["list ", column.list().name(), "/", column.name(), " has no word for it"])
}

/// The row of a code; none if the code says that nothing is stated.
#[inline]
pub(super) fn row<'b>(column: &'b Column, text: &str) -> Result<Option<&'b Row>, ProblemKind> {
    let list = || format!("{}/{}", column.list().name(), column.name());
    match column.to_canonical(text) {
        Ok(row) if row.is_absent() => Ok(None),
        Ok(row) => Ok(Some(row)),
        Err(LookupError::Unknown) => Err(ProblemKind::UnknownCode { list: list() }),
        Err(LookupError::Reserved) => Err(ProblemKind::ReservedCode { list: list() }),
    }
}

/// A canonical code as a value of the hub; none for a part that is empty.
pub(super) fn code_value<'b>(room: &'b Room, column: &'b Column, row: &'b Row, part: &'b str, leaf: &Leaf, field: &Field) -> Option<Value<'b>> {
    match leaf {
        _ if part.is_empty() => None,
        Leaf::Coding if part == row.canonical() => Some(Value::Code(row)),
        // A part of a tuple.
        Leaf::Coding => {
            let message = Message::new(room, 4);
            let texts = [column.list().uri(), column.list().version(), part, row.label()];
            texts.into_iter().enumerate().for_each(|(slot, text)| message.put(slot, Value::Text(text)));
            Some(Value::Message(message))
        }
        Leaf::Enum(list) => list.number_of(part).map(Value::Enum),
        Leaf::Text => Some(Value::Text(part)),
        Leaf::Bool => part.parse().ok().map(Value::Bool),
        _ => integer(field.scalar(), part),
    }
}

/// System and code of a `weiche.type.v1.Coding`.
pub(super) fn coded<'b>(value: Value<'b>) -> Option<(&'b str, &'b str)> {
    match value {
        Value::Code(row) => Some((row.system(), row.canonical())),
        Value::Message(coding) => Some((coding.text(coding::SYSTEM), coding.text(coding::CODE))),
        _ => None,
    }
}

/// The canonical code of a value of the hub.
pub(super) fn code_of<'b>(room: &'b Room, column: &Column, leaf: &'b Leaf, value: Value<'b>) -> Result<&'b str, &'b str> {
    match (leaf, coded(value)) {
        (Leaf::Coding, Some((system, code))) if system == column.list().uri() => Ok(code),
        (Leaf::Coding, Some(_)) => Err(joined(room, &["the code does not come from ", column.list().uri()])),
        _ => plain_text(room, leaf, value).ok_or_else(|| no_word(room, column)),
    }
}

fn plain_value<'b>(room: &'b Room, leaf: &Leaf, field: &Field, text: &'b str) -> Result<Value<'b>, ProblemKind> {
    let malformed = || ProblemKind::Malformed { expected: leaf.name() };
    match leaf {
        Leaf::Text => Ok(Value::Text(kept(room, din91379::normalise(text)))),
        Leaf::Bool => text.parse().map(Value::Bool).map_err(|_| malformed()),
        Leaf::Enum(list) => list.number_of(text).map(Value::Enum).ok_or_else(malformed),
        _ => integer(field.scalar(), text).ok_or_else(malformed),
    }
}

/// A decimal number of the range of the kind.
fn integer<'b>(scalar: Scalar, text: &str) -> Option<Value<'b>> {
    match scalar {
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => text.parse().ok().map(Value::I32),
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => text.parse().ok().map(Value::I64),
        Scalar::Uint32 | Scalar::Fixed32 => text.parse().ok().map(Value::U32),
        Scalar::Uint64 | Scalar::Fixed64 => text.parse().ok().map(Value::U64),
        _ => None,
    }
}

/// The text of a single value, on either side; none for messages, bytes and enum values that say nothing.
pub(super) fn plain_text<'b>(room: &'b Room, leaf: &'b Leaf, value: Value<'b>) -> Option<&'b str> {
    match (value, leaf) {
        (Value::Text(text), _) => Some(text),
        (Value::Bool(value), _) => Some(if value { "true" } else { "false" }),
        (Value::I32(value), _) => Some(decimal(room, value.unsigned_abs().into(), value < 0)),
        (Value::I64(value), _) => Some(decimal(room, value.unsigned_abs(), value < 0)),
        (Value::U32(value), _) => Some(decimal(room, value.into(), false)),
        (Value::U64(value), _) => Some(decimal(room, value, false)),
        (Value::Enum(number), Leaf::Enum(list)) => list.word(number),
        _ => None,
    }
}

/// A number in the usual digits.
fn decimal(room: &Room, mut number: u64, negative: bool) -> &str {
    // The longest: twenty digits and a sign.
    let mut digits = [0u8; 21];
    let mut used = 0;
    for (at, place) in digits.iter_mut().rev().enumerate() {
        if number == 0 && at > 0 {
            if negative {
                *place = b'-';
                used += 1;
            }
            break;
        }
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
    }
    let text = digits.get(digits.len() - used..).and_then(|digits| std::str::from_utf8(digits).ok());
    room.alloc_str(text.unwrap_or_default())
}

/// A text as the value of a dialect's own field; none if the field cannot hold it.
#[inline]
pub(super) fn native_value<'b>(field: &Field, text: &'b str) -> Option<Value<'b>> {
    if field.scalar() == Scalar::Text { Some(Value::Text(text)) } else { other_value(field, text) }
}

fn other_value<'b>(field: &Field, text: &str) -> Option<Value<'b>> {
    match (field.scalar(), field.leaf()) {
        (Scalar::Bool, _) => text.parse().ok().map(Value::Bool),
        (_, Leaf::Enum(list)) => list.number_of(text).map(Value::Enum),
        (scalar, _) => integer(scalar, text),
    }
}

/// Takes one text apart.
pub(super) fn split<'b>(room: &'b Room, joint: &Joint, text: &'b str, parts: usize) -> Result<&'b [&'b str], ProblemKind> {
    match joint {
        Joint::By(join) => {
            let texts = join.split(text, parts).map_err(|error| ProblemKind::Malformed { expected: format!("so many parts ({error})") })?;
            let mut out = bumpalo::collections::Vec::with_capacity_in(parts, room);
            out.extend(texts.map(|text| kept(room, text)));
            Ok(out.into_bump_slice())
        }
        Joint::AddressLine => {
            let parts = address::split(text).map_err(|error| ProblemKind::Malformed { expected: format!("an address ({error})") })?;
            Ok(room.alloc([parts.street, parts.house_number, parts.suffix, parts.postal_code, parts.city]))
        }
    }
}

/// Puts texts together.
pub(super) fn join<'b>(room: &'b Room, joint: &Joint, parts: &[&'b str]) -> Said<&'b str> {
    let mut line = Line::with_capacity_in(USUAL, room);
    match joint {
        Joint::By(join) => {
            // A text takes everything.
            let _ = join.join(parts, &mut line);
            let line = line.into_bump_str();
            match din91379::without_deprecated(line) {
                Said { value: Cow::Owned(value), loss } => Said { value: room.alloc_str(&value), loss },
                Said { value: Cow::Borrowed(_), .. } => {
                    let told_apart = join.split(line, parts.len()).is_ok_and(|back| back.eq(parts.iter().copied()));
                    Said::lossy_if(!told_apart, line, "the parts cannot be told apart again")
                }
            }
        }
        Joint::AddressLine => {
            let part = |at: usize| parts.get(at).copied().unwrap_or_default();
            let address = address::Address { street: part(0), house_number: part(1), suffix: part(2), postal_code: part(3), city: part(4) };
            let _ = address::join(&address, &mut line);
            address::told(&address, line.into_bump_str())
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

/// Slots of the shapes that the translator knows by heart: fields in the order of their numbers, from 0.
mod coding {
    pub(in crate::dialect) const SYSTEM: usize = 0;
    pub(in crate::dialect) const CODE: usize = 2;
}
const YEAR: usize = 0;
const MONTH: usize = 1;
const DAY: usize = 2;
const SECONDS: usize = 0;
const NANOS: usize = 1;

fn timestamp(room: &Room, instant: jiff::Timestamp) -> Value<'_> {
    let nanos = instant.as_nanosecond();
    let message = Message::new(room, 2);
    // Nanoseconds of a protobuf timestamp count forward, before 1970 too.
    message.put(SECONDS, Value::I64(i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default()));
    message.put(NANOS, Value::I32(i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default()));
    Value::Message(message)
}

fn partial_date(room: &Room, day: date::PartialDate) -> Value<'_> {
    let message = Message::new(room, 3);
    for (slot, value) in [(YEAR, day.year()), (MONTH, day.month().into()), (DAY, day.day().into())] {
        message.put(slot, Value::I32(value));
    }
    Value::Message(message)
}

fn number(message: Message<'_>, slot: usize) -> i64 {
    match message.nth(slot) {
        Some(Value::I64(number)) => number,
        Some(Value::I32(number)) => i64::from(number),
        _ => 0,
    }
}

/// The instant of a `google.protobuf.Timestamp`; none if there is no such time.
pub(super) fn instant_of(value: Value<'_>) -> Option<jiff::Timestamp> {
    let message = value.as_message()?;
    let nanos = i32::try_from(number(message, NANOS)).ok().filter(|nanos| *nanos >= 0)?;
    jiff::Timestamp::new(number(message, SECONDS), nanos).ok()
}

/// The day of a `weiche.type.v1.PartialDate`; none if there is no such day.
pub(super) fn day_of(value: Value<'_>) -> Option<date::PartialDate> {
    let message = value.as_message()?;
    let small = |part| u8::try_from(number(message, part)).ok();
    date::PartialDate::new(i32::try_from(number(message, YEAR)).ok()?, small(MONTH)?, small(DAY)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_known_by_heart_are_those_of_the_contract() {
        let name = |message: &str, slot: usize| {
            let message = crate::proto::pool().get_message_by_name(message).unwrap();
            let field = message.fields().map(|field| Field::new(&field)).find(|field| field.slot() == slot).unwrap();
            field.name().to_owned()
        };
        assert_eq!([coding::SYSTEM, coding::CODE].map(|slot| name("weiche.type.v1.Coding", slot)), ["system", "code"]);
        assert_eq!([YEAR, MONTH, DAY].map(|slot| name("weiche.type.v1.PartialDate", slot)), ["year", "month", "day"]);
        assert_eq!([SECONDS, NANOS].map(|slot| name("google.protobuf.Timestamp", slot)), ["seconds", "nanos"]);
    }
}
