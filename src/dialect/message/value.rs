// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Values of fields, and where they lie.

use std::cell::Cell;

use super::{Field, List, Message, Scalar};
use crate::dialect::codelist::Row;

/// A value of a field. Texts and bytes are those of the message that was read, of a plan, of a code list or of the room.
///
/// The tag is a word, so that all of them are copied word by word.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u64)]
pub(in crate::dialect) enum Value<'b> {
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
    Text(&'b str),
    Bytes(&'b [u8]),
    Message(Message<'b>),
    /// A code out of a list: a message that nobody has taken apart.
    Code(&'b Row),
    List(List<'b>),
}

impl<'b> Value<'b> {
    /// What an element or a field holds of which nothing is known.
    pub(super) fn default_of(field: &Field, inside: impl FnOnce() -> Message<'b>) -> Self {
        match field.scalar() {
            Scalar::Bool => Self::Bool(false),
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => Self::I32(0),
            Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => Self::I64(0),
            Scalar::Uint32 | Scalar::Fixed32 => Self::U32(0),
            Scalar::Uint64 | Scalar::Fixed64 => Self::U64(0),
            Scalar::Float => Self::F32(0),
            Scalar::Double => Self::F64(0),
            Scalar::Enum => Self::Enum(0),
            Scalar::Text => Self::Text(""),
            Scalar::Bytes => Self::Bytes(&[]),
            Scalar::Message => Self::Message(inside()),
        }
    }
    /// Whether it says nothing: zero, false, an empty text, list or message.
    pub(in crate::dialect) fn is_default(self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::I32(value) | Self::Enum(value) => value == 0,
            Self::I64(value) => value == 0,
            Self::U32(value) => value == 0,
            Self::U64(value) => value == 0,
            Self::F32(bits) => f32::from_bits(bits) == 0.0,
            Self::F64(bits) => f64::from_bits(bits) == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Code(_) => false,
            Self::Message(message) => message.is_bare(),
            Self::List(list) => list.first().is_none(),
        }
    }
    pub(in crate::dialect) fn as_message(self) -> Option<Message<'b>> {
        if let Self::Message(message) = self { Some(message) } else { None }
    }
    pub(in crate::dialect) fn as_list(self) -> Option<List<'b>> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
    pub(in crate::dialect) fn as_text(self) -> Option<&'b str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Where one value lies, and what has become of it.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Slot<'b> {
    pub(super) value: Cell<Option<Value<'b>>>,
    used: Cell<bool>,
    exact: Cell<bool>,
}

impl<'b> Slot<'b> {
    pub(super) fn of(value: Value<'b>) -> Self {
        Self { value: Cell::new(Some(value)), ..Self::default() }
    }
    pub(in crate::dialect) fn value(&self) -> Option<Value<'b>> {
        self.value.get()
    }
    pub(in crate::dialect) fn put(&self, value: Value<'b>) {
        self.value.set(Some(value));
    }
    /// It found a place in the other message.
    pub(in crate::dialect) fn use_it(&self) {
        self.used.set(true);
    }
    pub(in crate::dialect) fn is_used(&self) -> bool {
        self.used.get()
    }
    /// It lost nothing; whether that was news.
    pub(in crate::dialect) fn keep_it(&self) -> bool {
        !self.exact.replace(true)
    }
    pub(in crate::dialect) fn is_exact(&self) -> bool {
        self.exact.get()
    }
}
