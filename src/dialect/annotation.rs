// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Reads the mapping options from descriptors, and says where in the source something stands.

use std::cell::RefCell;
use std::collections::HashMap;

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor};

use super::error::DialectError;
use crate::proto::dialect::{DialectMapping, FieldMapping, MessageMapping, MethodMapping};

/// The four extensions of one descriptor pool. A pool whose files never import the options has none.
pub(super) struct Annotations {
    file: Option<ExtensionDescriptor>,
    message: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    /// What was read already: a message inside many others is compiled with each.
    fields: RefCell<HashMap<String, Option<FieldMapping>>>,
    method: Option<ExtensionDescriptor>,
}

impl Annotations {
    pub(super) fn new(pool: &DescriptorPool) -> Self {
        let find = |name: &str| pool.get_extension_by_name(&format!("weiche.dialect.v1.{name}"));
        Self { file: find("dialect"), message: find("message"), field: find("field"), fields: RefCell::default(), method: find("method") }
    }
    pub(super) fn file(&self, file: &FileDescriptor) -> Option<DialectMapping> {
        read(&file.options(), self.file.as_ref())
    }
    pub(super) fn message(&self, message: &MessageDescriptor) -> Option<MessageMapping> {
        read(&message.options(), self.message.as_ref())
    }
    pub(super) fn field(&self, field: &FieldDescriptor) -> Option<FieldMapping> {
        let mut known = self.fields.borrow_mut();
        known.entry(field.full_name().to_owned()).or_insert_with(|| read(&field.options(), self.field.as_ref())).clone()
    }
    pub(super) fn method(&self, method: &MethodDescriptor) -> Option<MethodMapping> {
        read(&method.options(), self.method.as_ref())
    }
}

fn read<T: prost::Message + Default>(options: &DynamicMessage, extension: Option<&ExtensionDescriptor>) -> Option<T> {
    let extension = extension?;
    if !options.has_extension(extension) {
        return None;
    }
    options.get_extension(extension).as_message()?.transcode_to().ok()
}

/// A place in a source file. Which line that is, is looked up when something is wrong there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: FileDescriptor,
    path: Box<[i32]>,
}

impl Place {
    /// Where the element with this descriptor path (as in `SourceCodeInfo`) begins.
    pub(super) fn of(file: &FileDescriptor, path: &[i32]) -> Self {
        Self { file: file.clone(), path: path.into() }
    }
    pub(super) fn field(field: &FieldDescriptor) -> Self {
        Self::of(&field.parent_file(), field.path())
    }
    pub(super) fn message(message: &MessageDescriptor) -> Self {
        Self::of(&message.parent_file(), message.path())
    }
    pub(super) fn error(&self, message: impl Into<String>, help: impl Into<String>) -> DialectError {
        let info = self.file.file_descriptor_proto().source_code_info.as_ref();
        let location = info.and_then(|info| info.location.iter().find(|location| *location.path == *self.path));
        let number = |at: usize| location.and_then(|location| location.span.get(at)).and_then(|n| u32::try_from(*n).ok()).map_or(0, |n| n + 1);
        DialectError { file: self.file.name().to_owned(), line: number(0), column: number(1), message: message.into(), help: help.into() }
    }
}
