// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a message is checked against.

use super::rules::{BytesRule, NumberRule, TextRule};

/// How one message type is checked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Sorted by number.
    pub(super) fields: Vec<Field>,
    pub(super) oneofs: Vec<Oneof>,
}

#[derive(Debug)]
pub(super) struct Oneof {
    pub(super) name: String,
    pub(super) required: bool,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) map: bool,
    /// Index into the plan's oneofs.
    pub(super) oneof: Option<usize>,
    pub(super) shape: Shape,
    pub(super) value: Value,
}

impl Field {
    /// The id of `min_items`, `max_pairs` and so on.
    pub(super) fn count_rule(&self, bound: &str) -> String {
        if self.map { format!("map.{bound}_pairs") } else { format!("repeated.{bound}_items") }
    }
}

/// How often a field may occur.
#[derive(Debug)]
pub(super) enum Shape {
    One {
        /// Whether being unset differs from having the zero value.
        presence: bool,
        required: bool,
    },
    Many {
        min: u64,
        max: u64,
        unique: bool,
        required: bool,
        /// `min` does not apply to an empty field.
        skip_empty: bool,
    },
}

/// What a value, or each item, must be.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) element: Element,
    /// Rules do not apply to zero and empty values.
    pub(super) skip_zero: bool,
}

#[derive(Debug)]
pub(super) enum Element {
    Number {
        scalar: Scalar,
        name: &'static str,
        rules: Vec<NumberRule>,
    },
    Text(Vec<TextRule>),
    Bytes(Vec<BytesRule>),
    /// Index of the plan.
    Message(usize),
}

/// The scalar types with a number on the wire; enums are `Int32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Float,
    Double,
}
