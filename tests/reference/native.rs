// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The dialect's side: texts out of fields, merged fields and code carriers, and back into them.

use std::borrow::Cow;

use super::message::{Message, Value};
use super::spelling::{native_value, plain_text};
use crate::dialect::codelist::{Column, Row};
use crate::dialect::message::Field;
use crate::dialect::plan::{Carrier, Native};
use crate::dialect::report::ProblemKind;
use crate::dialect::value::null::NullWords;

/// One text, with the index of its element if the field is repeated.
pub(super) type Found<'a> = (Option<usize>, Result<Cow<'a, str>, ProblemKind>);

/// The texts that are stated. `column` is the code list of the rule, for carriers.
pub(super) fn texts<'a>(message: &'a Message<'a>, native: &'a Native, column: Option<&Column>, nulls: &NullWords) -> Vec<Found<'a>> {
    match native {
        Native::Merge { fields, by } => {
            let stated = |field| scalar(message, field).filter(|part| !nulls.is_null(part)).unwrap_or_default();
            let parts: Vec<Cow<'_, str>> = fields.iter().map(stated).collect();
            if parts.iter().all(|part| part.is_empty()) { Vec::new() } else { vec![(None, Ok(parts.join(by).into()))] }
        }
        Native::Field { field, carrier } => {
            let Some(value) = message.get(field) else { return Vec::new() };
            let list = value.as_list().is_some();
            let text = |value: &'a Value<'a>| match (carrier, value) {
                (Some(carrier), Value::Message(inside)) => carried(inside, carrier, column).transpose(),
                (Some(_), _) => None,
                (None, Value::Enum(number)) if plain_text(field.leaf(), value).is_none() && *number != 0 => {
                    let list = column.map_or_else(String::new, |column| format!("{}/{}", column.list().name(), column.name()));
                    Some(Err(ProblemKind::UnknownCode { list }))
                }
                (None, value) => plain_text(field.leaf(), value).map(Ok),
            };
            let elements = value.elements().iter().enumerate();
            elements
                .filter_map(|(at, value)| Some((list.then_some(at), text(value)?)))
                .filter(|(_, text)| !text.as_ref().is_ok_and(|text| nulls.is_null(text)))
                .collect()
        }
    }
}

fn scalar<'a>(message: &'a Message<'a>, field: &'a Field) -> Option<Cow<'a, str>> {
    plain_text(field.leaf(), message.get(field)?)
}

/// The code in a carrier. None if there is no code.
fn carried<'a>(message: &'a Message<'a>, carrier: &'a Carrier, column: Option<&Column>) -> Result<Option<Cow<'a, str>>, ProblemKind> {
    if let Some((field, inner)) = &carrier.inner {
        let Some(value) = message.get(field) else { return Ok(None) };
        // The first with a system that is known; if there is none, what is wrong with the first.
        let mut first = None;
        for element in value.elements().iter().filter_map(Value::as_message) {
            match carried(element, inner, column) {
                Ok(None) => {}
                Ok(Some(code)) => return Ok(Some(code)),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        return first.map_or(Ok(None), Err);
    }
    let text = |field: &'a Option<Field>| field.as_ref().and_then(|field| scalar(message, field)).unwrap_or_default();
    let code = text(&carrier.code);
    if code.is_empty() {
        return Ok(None);
    }
    let Some(column) = column else { return Ok(Some(code)) };
    let (system, version) = (text(&carrier.system), text(&carrier.version));
    if carrier.system.is_some() {
        match &*system {
            "" if carrier.bound => {}
            "" => return Err(ProblemKind::CodeWithoutSystem { list: column.uri().to_owned() }),
            uri if !column.accepts_uri(uri) => return Err(ProblemKind::WrongSystem { list: column.uri().to_owned() }),
            _ => {}
        }
    }
    if !version.is_empty() && !column.accepts_version(&version) {
        return Err(ProblemKind::WrongVersion { list: format!("{} {}", column.uri(), column.version()) });
    }
    Ok(Some(code))
}

/// A code with all that belongs to it, in the dialect's own message.
pub(super) fn carry<'a>(carrier: &'a Carrier, column: &'a Column, row: Option<&'a Row>, code: Cow<'a, str>) -> Value<'a> {
    let mut message = Message::default();
    if let Some((field, inner)) = &carrier.inner {
        let value = carry(inner, column, row, code);
        message.set(field, if field.is_list() { Value::List(vec![value]) } else { value });
        return Value::Message(message);
    }
    let parts = [
        (&carrier.system, Cow::Borrowed(column.uri())),
        (&carrier.version, Cow::Borrowed(column.version())),
        (&carrier.code, code),
        (&carrier.display, Cow::Borrowed(row.map_or("", Row::label))),
    ];
    for (field, text) in parts {
        if let (Some(field), false) = (field, text.is_empty())
            && let Some(value) = native_value(field, text)
        {
            message.set(field, value);
        }
    }
    Value::Message(message)
}
