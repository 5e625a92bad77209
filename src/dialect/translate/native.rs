// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The dialect's side: texts out of fields, merged fields and code carriers, and back into them.

use crate::dialect::codelist::{Column, Row};
use crate::dialect::message::{Field, Message, Room, Value};
use crate::dialect::plan::{Carrier, Native};
use crate::dialect::report::ProblemKind;
use crate::dialect::spelling::{native_value, plain_text};
use crate::dialect::value::null::NullWords;

/// One text or what is wrong with it, with the index of its element if the field is repeated.
pub(super) type Found<'b> = (Option<usize>, Result<&'b str, ProblemKind>);

/// Gives the texts that are stated, one after another. `column` is the code list of the rule, for carriers.
pub(super) fn texts<'b>(
    room: &'b Room,
    message: Message<'b>,
    native: &'b Native,
    column: Option<&Column>,
    nulls: &NullWords,
    mut give: impl FnMut(Found<'b>),
) {
    match native {
        Native::Merge { fields, by } => {
            let stated = |field| scalar(room, message, field).filter(|part| !nulls.is_null(part)).unwrap_or_default();
            let mut line = bumpalo::collections::String::new_in(room);
            let mut said = false;
            for (at, field) in fields.iter().enumerate() {
                let part = stated(field);
                said |= !part.is_empty();
                line.push_str(if at > 0 { by } else { "" });
                line.push_str(part);
            }
            if said {
                give((None, Ok(line.into_bump_str())));
            }
        }
        Native::Field { field, carrier } => {
            let text = |value: Value<'b>| match (carrier, value) {
                (Some(carrier), Value::Message(inside)) => carried(room, inside, carrier, column).transpose(),
                (Some(_), _) => None,
                (None, value) => match (plain_text(room, field.leaf(), value), value) {
                    (None, Value::Enum(number)) if number != 0 => {
                        let list = column.map_or_else(String::new, |column| format!("{}/{}", column.list().name(), column.name()));
                        Some(Err(ProblemKind::UnknownCode { list }))
                    }
                    (text, _) => text.map(Ok),
                },
            };
            for (at, _, value) in message.elements(field) {
                match text(value) {
                    None => {}
                    Some(Ok(text)) if nulls.is_null(text) => {}
                    Some(text) => give((at, text)),
                }
            }
        }
    }
}

fn scalar<'b>(room: &'b Room, message: Message<'b>, field: &'b Field) -> Option<&'b str> {
    plain_text(room, field.leaf(), message.get(field)?)
}

/// The code in a carrier. None if there is no code.
fn carried<'b>(room: &'b Room, message: Message<'b>, carrier: &'b Carrier, column: Option<&Column>) -> Result<Option<&'b str>, ProblemKind> {
    if let Some((field, inner)) = &carrier.inner {
        // The first with a system that is known; if there is none, what is wrong with the first.
        let mut first = None;
        for element in message.elements(field).filter_map(|(.., value)| value.as_message()) {
            match carried(room, element, inner, column) {
                Ok(None) => {}
                Ok(Some(code)) => return Ok(Some(code)),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        return first.map_or(Ok(None), Err);
    }
    let text = |field: &'b Option<Field>| field.as_ref().and_then(|field| scalar(room, message, field)).unwrap_or_default();
    let code = text(&carrier.code);
    if code.is_empty() {
        return Ok(None);
    }
    let Some(column) = column else { return Ok(Some(code)) };
    let (system, version) = (text(&carrier.system), text(&carrier.version));
    if carrier.system.is_some() {
        match system {
            "" if carrier.bound => {}
            "" => return Err(ProblemKind::CodeWithoutSystem { list: column.uri().to_owned() }),
            uri if !column.accepts_uri(uri) => return Err(ProblemKind::WrongSystem { list: column.uri().to_owned() }),
            _ => {}
        }
    }
    if !version.is_empty() && !column.accepts_version(version) {
        return Err(ProblemKind::WrongVersion { list: format!("{} {}", column.uri(), column.version()) });
    }
    Ok(Some(code))
}

/// A code with all that belongs to it, into the dialect's own message.
pub(super) fn carry<'b>(room: &'b Room, message: Message<'b>, carrier: &'b Carrier, column: &'b Column, row: Option<&'b Row>, code: &'b str) {
    if let Some((field, inner)) = &carrier.inner {
        let part = message.part(room, field, field.is_list().then_some(0));
        carry(room, part, inner, column, row, code);
        put(room, message, field, Value::Message(part));
        return;
    }
    let parts = [
        (&carrier.system, column.uri()),
        (&carrier.version, column.version()),
        (&carrier.code, code),
        (&carrier.display, row.map_or("", Row::label)),
    ];
    for (field, text) in parts {
        if let (Some(field), false) = (field, text.is_empty())
            && let Some(value) = native_value(field, text)
        {
            message.set(field, value);
        }
    }
}

/// Sets a field, or the first element of a repeated one.
pub(super) fn put<'b>(room: &'b Room, message: Message<'b>, field: &Field, value: Value<'b>) {
    if !field.is_list() {
        message.set(field, value);
    } else if let Some(list) = message.list(room, field) {
        list.push(room, value);
    }
}
