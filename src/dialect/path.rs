// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Paths in the hub: parsed from the spelling of the mapping language and resolved to descriptors.

use std::fmt;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::error::nearest;
use super::hub::Leaf;
use super::message::{Field, Types, Value, Words};

/// Which element of a repeated field.
#[derive(Debug, Clone, PartialEq)]
#[repr(u8)]
pub(super) enum Select {
    /// The field is not repeated.
    One,
    /// The element at an index.
    At(usize),
    /// Every element from an index on.
    From(usize),
    /// The element whose field has this value.
    Key { field: Field, wanted: Wanted, text: Box<str> },
}

/// What the field of a key says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// The text of the key.
    Text,
    Bool(bool),
    Enum(i32),
}

impl Wanted {
    /// As a value; `text` is that of the key.
    pub(super) fn value<'b>(&self, text: &'b str) -> Value<'b> {
        match self {
            Self::Text => Value::Text(text),
            Self::Bool(value) => Value::Bool(*value),
            Self::Enum(number) => Value::Enum(*number),
        }
    }
}

/// One step of a path, resolved.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) field: Field,
    pub(super) select: Select,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        match &self.select {
            Select::One => Ok(()),
            Select::At(index) => write!(f, "[{index}]"),
            Select::From(0) => f.write_str("[]"),
            Select::From(index) => write!(f, "[{index}..]"),
            Select::Key { field, text, .. } => write!(f, "[{}={text}]", field.name()),
        }
    }
}

/// Steps as they are written in a mapping.
pub(super) fn spelt(steps: &[Step]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// What is wrong with a path, and what to do.
pub(super) struct PathError {
    pub(super) message: String,
    pub(super) help: String,
}

fn wrong(message: impl Into<String>, help: impl Into<String>) -> PathError {
    PathError { message: message.into(), help: help.into() }
}

/// Resolves a path relative to a message of the hub.
pub(super) fn resolve(types: &Types, base: &MessageDescriptor, text: &str) -> Result<Vec<Step>, PathError> {
    let mut steps: Vec<Step> = Vec::new();
    let mut message = Some(base.clone());
    for part in split(text)? {
        let Some(here) = message else {
            let last = steps.last().map_or("", |step| step.field.name());
            return Err(wrong(format!("`{text}` goes on after `{last}`, which has nothing inside"), format!("end the path at `{}`", spelt(&steps))));
        };
        let (name, selector) = match part.split_once('[') {
            Some((name, rest)) => match rest.strip_suffix(']') {
                Some(selector) => (name, Some(selector)),
                None => return Err(wrong(format!("`{part}` has a bracket that is not closed"), "close it with `]`")),
            },
            None => (part, None),
        };
        let Some(field) = here.get_field_by_name(name) else {
            let names: Vec<String> = here.fields().map(|field| field.name().to_owned()).collect();
            let prefix = if steps.is_empty() { String::new() } else { format!("{}.", spelt(&steps)) };
            let help = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{prefix}{near}`?"),
                None => format!("{} has: {}", here.full_name(), names.join(", ")),
            };
            return Err(wrong(format!("unknown path `{text}`: {} has no field `{name}`", here.full_name()), help));
        };
        let select = match (field.is_list(), selector) {
            (_, None) if field.is_map() => return Err(wrong(format!("`{name}` is a map"), "maps cannot be mapped")),
            (false, None) => Select::One,
            (false, Some(_)) => {
                return Err(wrong(format!("`{name}` in `{text}` is not repeated"), format!("write `{name}` without brackets")));
            }
            (true, None) => {
                let help = format!("write `{name}[]` for every element, `{name}[0]` for the first one");
                return Err(wrong(format!("`{name}` in `{text}` is repeated"), help));
            }
            (true, Some(selector)) => select(types, &field, selector, text)?,
        };
        message = match Leaf::of(&field) {
            Leaf::Coding if steps_follow(text, &steps) => {
                let help = format!("end the path at `{name}` and say `codes`: a code never travels without its list");
                return Err(wrong(format!("`{text}` takes a code apart"), help));
            }
            _ => field.kind().as_message().cloned(),
        };
        steps.push(Step { field: types.field(&field), select });
    }
    Ok(steps)
}

/// Whether the path goes on after the step that comes next.
fn steps_follow(text: &str, steps: &[Step]) -> bool {
    split(text).is_ok_and(|parts| parts.len() > steps.len() + 1)
}

/// Splits at dots outside brackets.
fn split(text: &str) -> Result<Vec<&str>, PathError> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0usize, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    if parts.iter().any(|part| part.is_empty()) {
        return Err(wrong(format!("`{text}` is no path"), "write names joined by dots, such as `subject.name.family`"));
    }
    Ok(parts)
}

fn select(types: &Types, field: &FieldDescriptor, selector: &str, text: &str) -> Result<Select, PathError> {
    if selector.is_empty() {
        return Ok(Select::From(0));
    }
    if let Some((key, value)) = selector.split_once('=') {
        let kind = field.kind();
        let Some(element) = kind.as_message() else {
            return Err(wrong(format!("the elements of `{}` in `{text}` have no fields", field.name()), "use an index or `[]`"));
        };
        let Some(key_field) = element.get_field_by_name(key) else {
            let names: Vec<String> = element.fields().map(|field| field.name().to_owned()).collect();
            let help = match nearest(key, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{}[{near}={value}]`?", field.name()),
                None => format!("{} has: {}", element.full_name(), names.join(", ")),
            };
            return Err(wrong(format!("unknown key `{key}` in `{text}`"), help));
        };
        let parsed = match key_field.kind() {
            Kind::String => Some(Wanted::Text),
            Kind::Bool => value.parse().ok().map(Wanted::Bool),
            Kind::Enum(list) => Words::new(&list).number_of(value).map(Wanted::Enum),
            _ => None,
        };
        return match parsed {
            Some(wanted) => Ok(Select::Key { field: types.field(&key_field), wanted, text: value.into() }),
            None => Err(wrong(format!("`{value}` in `{text}` is no value of `{key}`"), "the key is a text, true or false, or a name of the enum")),
        };
    }
    let index = |digits: &str| {
        digits
            .parse::<usize>()
            .ok()
            .filter(|index| *index < MOST_ELEMENTS)
            .ok_or_else(|| wrong(format!("`[{selector}]` in `{text}` selects nothing"), "write `[]`, `[0]`, `[2..]` or `[field=value]`"))
    };
    match selector.strip_suffix("..") {
        Some(digits) => index(digits).map(Select::From),
        None => index(selector).map(Select::At),
    }
}

/// An index in a path makes so many elements at most: a mapping must not be able to ask for memory.
const MOST_ELEMENTS: usize = 64;
