// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Messages as trees of numbers and values, made of prost-reflect's and turned into them again.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Theirs};

use crate::dialect::message::{Field, Scalar};
use crate::dialect::path::Wanted;

/// A value of a field. Texts and bytes are those of the message that was read, of a plan or of a code list, wherever they can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    /// Bits of a float.
    F32(u32),
    /// Bits of a double.
    F64(u64),
    Enum(i32),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Message(Message<'a>),
    List(Vec<Value<'a>>),
    /// A field that its message does not have.
    Unknown,
}

impl<'a> Value<'a> {
    /// What an element or a field holds of which nothing is known.
    pub(super) fn default_of(field: &Field) -> Self {
        match field.scalar() {
            Scalar::Bool => Self::Bool(false),
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => Self::I32(0),
            Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => Self::I64(0),
            Scalar::Uint32 | Scalar::Fixed32 => Self::U32(0),
            Scalar::Uint64 | Scalar::Fixed64 => Self::U64(0),
            Scalar::Float => Self::F32(0),
            Scalar::Double => Self::F64(0),
            Scalar::Enum => Self::Enum(0),
            Scalar::Text => Self::Text(Cow::Borrowed("")),
            Scalar::Bytes => Self::Bytes(Cow::Borrowed(&[])),
            Scalar::Message => Self::Message(Message::default()),
        }
    }
    /// Whether it says nothing: zero, false, an empty text, list or message.
    pub(super) fn is_default(&self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::I32(value) | Self::Enum(value) => *value == 0,
            Self::I64(value) => *value == 0,
            Self::U32(value) => *value == 0,
            Self::U64(value) => *value == 0,
            Self::F32(bits) => f32::from_bits(*bits) == 0.0,
            Self::F64(bits) => f64::from_bits(*bits) == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Message(message) => message.fields.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Unknown => false,
        }
    }
    pub(super) fn as_message(&self) -> Option<&Message<'a>> {
        if let Self::Message(message) = self { Some(message) } else { None }
    }
    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
    /// The elements of a list; the value itself if it is single.
    pub(super) fn elements(&self) -> &[Self] {
        self.as_list().unwrap_or(std::slice::from_ref(self))
    }
}

/// What is set in a message, in the order of the numbers. A field without presence that holds its default is not set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Message<'a> {
    fields: Vec<(u32, Value<'a>)>,
}

impl<'a> Message<'a> {
    /// An empty message with room for some fields: most have few more than a handful.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields.min(16)) }
    }
    /// A message of texts; empty ones are left out. The numbers ascend.
    pub(super) fn of_texts(texts: impl IntoIterator<Item = (u32, &'a str)>) -> Self {
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        Self { fields: texts.map(|(number, text)| (number, Value::Text(Cow::Borrowed(text)))).collect() }
    }
    /// A message of numbers; zeros are left out. The field numbers ascend.
    pub(super) fn of_numbers(numbers: impl IntoIterator<Item = (u32, Value<'a>)>) -> Self {
        Self { fields: numbers.into_iter().filter(|(_, value)| !value.is_default()).collect() }
    }

    /// The value of a field that is set.
    pub(super) fn get(&self, field: &Field) -> Option<&Value<'a>> {
        self.number(field.number())
    }
    /// The same by number.
    pub(super) fn number(&self, number: u32) -> Option<&Value<'a>> {
        let (_, value) = self.fields.get(self.find(number).ok()?)?;
        match value {
            Value::List(list) if list.is_empty() => None,
            value => Some(value),
        }
    }
    pub(super) fn has(&self, field: &Field) -> bool {
        self.get(field).is_some()
    }
    /// The text of a field, empty if it is not set.
    pub(super) fn text(&self, number: u32) -> &str {
        self.number(number).and_then(Value::as_text).unwrap_or_default()
    }
    /// Whether a field has a value, or none and that is its default.
    pub(super) fn says(&self, field: &Field, value: &Value<'_>) -> bool {
        self.get(field).map_or_else(|| value.is_default(), |said| said == value)
    }

    /// Sets a field, and clears the others of its oneof.
    pub(super) fn set(&mut self, field: &Field, value: Value<'a>) {
        self.clear_rivals(field);
        let unset = !field.presence() && value.is_default();
        match self.find(field.number()) {
            Ok(at) if unset => drop(self.fields.remove(at)),
            Ok(at) => {
                if let Some((_, old)) = self.fields.get_mut(at) {
                    *old = value;
                }
            }
            Err(_) if unset => {}
            Err(at) => self.fields.insert(at, (field.number(), value)),
        }
    }
    /// The list or message of a field, made if it is not there.
    pub(super) fn entry(&mut self, field: &Field) -> Option<&mut Value<'a>> {
        self.clear_rivals(field);
        let at = match self.find(field.number()) {
            Ok(at) => at,
            Err(at) => {
                let value =
                    if field.cardinality() == prost_reflect::Cardinality::Repeated { Value::List(Vec::new()) } else { Value::default_of(field) };
                self.fields.insert(at, (field.number(), value));
                at
            }
        };
        self.fields.get_mut(at).map(|(_, value)| value)
    }
    pub(super) fn get_mut(&mut self, field: &Field) -> Option<&mut Value<'a>> {
        let at = self.find(field.number()).ok()?;
        self.fields.get_mut(at).map(|(_, value)| value)
    }
    pub(super) fn clear(&mut self, field: &Field) {
        if let Ok(at) = self.find(field.number()) {
            self.fields.remove(at);
        }
    }

    /// Numbers and values of the fields that are set and known.
    pub(super) fn known(&self) -> impl Iterator<Item = (u32, &Value<'a>)> {
        let said = |value: &Value<'_>| !matches!(value, Value::Unknown) && value.as_list().is_none_or(|list| !list.is_empty());
        self.fields.iter().filter(move |(_, value)| said(value)).map(|(number, value)| (*number, value))
    }
    /// Numbers of the fields that the message does not have, in order.
    pub(super) fn unknown(&self) -> impl Iterator<Item = u32> {
        self.fields.iter().filter(|(_, value)| matches!(value, Value::Unknown)).map(|(number, _)| *number)
    }
    /// Takes those out.
    pub(super) fn drop_unknown(&mut self) {
        self.fields.retain(|(_, value)| !matches!(value, Value::Unknown));
    }
    /// Takes them out everywhere inside, too.
    pub(super) fn forget_unknown(&mut self) {
        self.drop_unknown();
        for (_, value) in &mut self.fields {
            match value {
                Value::Message(inside) => inside.forget_unknown(),
                Value::List(list) => list.iter_mut().for_each(|element| {
                    if let Value::Message(inside) = element {
                        inside.forget_unknown();
                    }
                }),
                _ => {}
            }
        }
    }
    /// Keeps the values that `keep` wants; it may change them.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u32, &mut Value<'a>) -> bool) {
        self.fields.retain_mut(|(number, value)| keep(*number, value));
    }

    fn clear_rivals(&mut self, field: &Field) {
        let rivals = field.containing_oneof().into_iter().flat_map(|oneof| oneof.fields().map(|one| one.number()).collect::<Vec<_>>());
        for rival in rivals.filter(|number| *number != field.number()) {
            if let Ok(at) = self.find(rival) {
                self.fields.remove(at);
            }
        }
    }

    /// Where a field is or would be. Fields mostly come in order.
    fn find(&self, number: u32) -> Result<usize, usize> {
        match self.fields.last() {
            None => Err(0),
            Some((last, _)) if *last < number => Err(self.fields.len()),
            Some(_) => self.fields.binary_search_by_key(&number, |(number, _)| *number),
        }
    }
}

impl Value<'static> {
    pub(super) fn wanted(wanted: &Wanted, text: &str) -> Self {
        match wanted {
            Wanted::Text => Self::Text(Cow::Owned(text.to_owned())),
            Wanted::Bool(value) => Self::Bool(*value),
            Wanted::Enum(number) => Self::Enum(*number),
        }
    }
    fn of(theirs: &Theirs) -> Self {
        match theirs {
            Theirs::Bool(value) => Self::Bool(*value),
            Theirs::I32(value) => Self::I32(*value),
            Theirs::I64(value) => Self::I64(*value),
            Theirs::U32(value) => Self::U32(*value),
            Theirs::U64(value) => Self::U64(*value),
            Theirs::F32(value) => Self::F32(value.to_bits()),
            Theirs::F64(value) => Self::F64(value.to_bits()),
            Theirs::EnumNumber(number) => Self::Enum(*number),
            Theirs::String(text) => Self::Text(Cow::Owned(text.clone())),
            Theirs::Bytes(bytes) => Self::Bytes(Cow::Owned(bytes.to_vec())),
            Theirs::Message(message) => Self::Message(Message::of(message)),
            Theirs::List(list) => Self::List(list.iter().map(Self::of).collect()),
            Theirs::Map(_) => unreachable!("maps cannot be mapped"),
        }
    }
}

impl Value<'_> {
    fn theirs(&self, kind: &prost_reflect::Kind) -> Theirs {
        match self {
            Self::Bool(value) => Theirs::Bool(*value),
            Self::I32(value) => Theirs::I32(*value),
            Self::I64(value) => Theirs::I64(*value),
            Self::U32(value) => Theirs::U32(*value),
            Self::U64(value) => Theirs::U64(*value),
            Self::F32(bits) => Theirs::F32(f32::from_bits(*bits)),
            Self::F64(bits) => Theirs::F64(f64::from_bits(*bits)),
            Self::Enum(number) => Theirs::EnumNumber(*number),
            Self::Text(text) => Theirs::String(text.clone().into_owned()),
            Self::Bytes(bytes) => Theirs::Bytes(bytes.to_vec().into()),
            Self::Message(message) => Theirs::Message(message.theirs(kind.as_message().unwrap())),
            Self::List(list) => Theirs::List(list.iter().map(|value| value.theirs(kind)).collect()),
            Self::Unknown => unreachable!("nobody knows what it holds"),
        }
    }
}

impl Message<'static> {
    pub(super) fn of(theirs: &DynamicMessage) -> Self {
        let known = theirs.fields().map(|(field, value)| (field.number(), Value::of(value)));
        let unknown = theirs.unknown_fields().map(|field| (field.number(), Value::Unknown));
        let mut fields: Vec<_> = known.chain(unknown).collect();
        fields.sort_by_key(|(number, _)| *number);
        Self { fields }
    }
}

impl Message<'_> {
    pub(super) fn theirs(&self, descriptor: &MessageDescriptor) -> DynamicMessage {
        let mut out = DynamicMessage::new(descriptor.clone());
        for (number, value) in self.known() {
            let field = descriptor.get_field(number).unwrap();
            out.set_field(&field, value.theirs(&field.kind()));
        }
        out
    }
    /// Takes out messages with nothing inside: elements that an index made necessary, containers whose fields all said nothing.
    pub(super) fn prune(&mut self, descriptor: &MessageDescriptor) {
        self.retain(|number, value| {
            let inside = descriptor.get_field(number).and_then(|field| field.kind().as_message().cloned());
            let Some(inside) = inside else { return true };
            let says = |value: &mut Value<'_>| {
                let Value::Message(message) = value else { return true };
                message.prune(&inside);
                // 1 January 1970 is a Timestamp with nothing inside.
                inside.full_name() == "google.protobuf.Timestamp" || message.known().next().is_some() || message.unknown().next().is_some()
            };
            match value {
                Value::List(list) => {
                    list.retain_mut(says);
                    true
                }
                value => says(value),
            }
        });
    }
}
