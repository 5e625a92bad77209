// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The dialect's side: texts out of fields, merged fields and code carriers, and back into them.

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use super::get;
use crate::dialect::codelist::{Column, Row};
use crate::dialect::hub::Leaf;
use crate::dialect::plan::{Carrier, Native};
use crate::dialect::report::ProblemKind;
use crate::dialect::spelling::{native_value, plain_text};
use crate::dialect::value::null::NullWords;

/// One text, with the index of its element if the field is repeated.
pub(super) type Found = (Option<usize>, Result<String, ProblemKind>);

/// The texts that are stated. `column` is the code list of the rule, for carriers.
pub(super) fn texts(message: &DynamicMessage, native: &Native, column: Option<&Column>, nulls: &NullWords) -> Vec<Found> {
    match native {
        Native::Merge { fields, by } => {
            let parts: Vec<String> = fields.iter().map(|field| scalar(message, field).unwrap_or_default()).collect();
            let parts: Vec<&str> = parts.iter().map(|part| if nulls.is_null(part) { "" } else { part.as_str() }).collect();
            if parts.iter().all(|part| part.is_empty()) { Vec::new() } else { vec![(None, Ok(parts.join(by)))] }
        }
        Native::Field { field, carrier } => {
            let Some(value) = get(message, field) else { return Vec::new() };
            let elements: Vec<(Option<usize>, &Value)> = match value.as_list() {
                Some(list) => list.iter().enumerate().map(|(at, value)| (Some(at), value)).collect(),
                None => vec![(None, value)],
            };
            let leaf = Leaf::of(field);
            let text = |value: &Value| match (carrier, value) {
                (Some(carrier), Value::Message(inside)) => carried(inside, carrier, column).transpose(),
                (Some(_), _) => None,
                (None, Value::EnumNumber(number)) if plain_text(&leaf, value).is_none() && *number != 0 => {
                    let list = column.map_or_else(String::new, |column| format!("{}/{}", column.list().name(), column.name()));
                    Some(Err(ProblemKind::UnknownCode { list }))
                }
                (None, value) => plain_text(&leaf, value).map(Ok),
            };
            elements
                .into_iter()
                .filter_map(|(at, value)| Some((at, text(value)?)))
                .filter(|(_, text)| !text.as_ref().is_ok_and(|text| nulls.is_null(text)))
                .collect()
        }
    }
}

fn scalar(message: &DynamicMessage, field: &FieldDescriptor) -> Option<String> {
    plain_text(&Leaf::of(field), get(message, field)?)
}

/// The code in a carrier. None if there is no code.
fn carried(message: &DynamicMessage, carrier: &Carrier, column: Option<&Column>) -> Result<Option<String>, ProblemKind> {
    if let Some((field, inner)) = &carrier.inner {
        let Some(value) = get(message, field) else { return Ok(None) };
        let elements = match value {
            Value::List(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        // The first with a system that is known; if there is none, what is wrong with the first.
        let mut first = None;
        for element in elements.iter().filter_map(Value::as_message) {
            match carried(element, inner, column) {
                Ok(None) => {}
                Ok(Some(code)) => return Ok(Some(code)),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        return first.map_or(Ok(None), Err);
    }
    let text = |field: &Option<FieldDescriptor>| field.as_ref().and_then(|field| scalar(message, field)).unwrap_or_default();
    let code = text(&carrier.code);
    if code.is_empty() {
        return Ok(None);
    }
    let Some(column) = column else { return Ok(Some(code)) };
    let (system, version) = (text(&carrier.system), text(&carrier.version));
    if carrier.system.is_some() {
        match system.as_str() {
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
pub(super) fn carry(carrier: &Carrier, column: &Column, row: Option<&Row>, code: &str) -> Value {
    let mut message = DynamicMessage::new(carrier.message.clone());
    if let Some((field, inner)) = &carrier.inner {
        let value = carry(inner, column, row, code);
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        // The field was checked to hold this message when the plan was compiled.
        let _ = message.try_set_field(field, value);
        return Value::Message(message);
    }
    let parts = [
        (&carrier.system, column.uri()),
        (&carrier.version, column.version()),
        (&carrier.code, code),
        (&carrier.display, row.map_or("", Row::label)),
    ];
    for (field, text) in parts {
        if let Some(field) = field
            && let Some(value) = native_value(field, text)
            && !text.is_empty()
        {
            let _ = message.try_set_field(field, value);
        }
    }
    Value::Message(message)
}
