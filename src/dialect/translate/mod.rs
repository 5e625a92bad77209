// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Runs plans over dynamic messages: the obvious way, slow and meant to be read. What it gives is what is right.

mod native;
mod read;
mod render;
mod verify;

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

pub(super) use read::read;
pub(super) use render::render;
pub(super) use verify::verify;

/// The value of a field that is set.
pub(super) fn get<'a>(message: &'a DynamicMessage, field: &FieldDescriptor) -> Option<&'a Value> {
    if !message.has_field(field) {
        return None;
    }
    match message.get_field(field) {
        Cow::Borrowed(value) => Some(value),
        Cow::Owned(_) => None,
    }
}

/// `base.name`, or the name alone at the top.
pub(super) fn below(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}
