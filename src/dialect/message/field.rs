// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Descriptors with everything that translating asks for worked out in advance.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind};

use crate::dialect::hub::Leaf;

/// How a value is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Scalar {
    Bool,
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
    Float,
    Double,
    Enum,
    Text,
    Bytes,
    Message,
}

impl Scalar {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::Uint32,
            Kind::Uint64 => Self::Uint64,
            Kind::Sint32 => Self::Sint32,
            Kind::Sint64 => Self::Sint64,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Sfixed32 => Self::Sfixed32,
            Kind::Sfixed64 => Self::Sfixed64,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::Enum(_) => Self::Enum,
            Kind::String => Self::Text,
            Kind::Bytes => Self::Bytes,
            Kind::Message(_) => Self::Message,
        }
    }
}

/// A field descriptor; name, number and kind without a look into the pool.
#[derive(Clone)]
pub(in crate::dialect) struct Field(Arc<Known>);

struct Known {
    descriptor: FieldDescriptor,
    name: Box<str>,
    number: u32,
    list: bool,
    repeated: bool,
    packed: bool,
    presence: bool,
    scalar: Scalar,
    leaf: Leaf,
    rivals: Box<[u32]>,
}

impl Field {
    pub(in crate::dialect) fn new(field: &FieldDescriptor) -> Self {
        let rivals = field.containing_oneof().into_iter().flat_map(|oneof| oneof.fields().map(|one| one.number()).collect::<Vec<_>>());
        Self(Arc::new(Known {
            name: field.name().into(),
            number: field.number(),
            list: field.is_list(),
            repeated: field.cardinality() == Cardinality::Repeated,
            packed: field.is_packed(),
            presence: field.supports_presence(),
            scalar: Scalar::of(&field.kind()),
            leaf: Leaf::of(field),
            rivals: rivals.filter(|number| *number != field.number()).collect(),
            descriptor: field.clone(),
        }))
    }
    pub(in crate::dialect) fn name(&self) -> &str {
        &self.0.name
    }
    pub(in crate::dialect) fn number(&self) -> u32 {
        self.0.number
    }
    /// Repeated and no map.
    pub(in crate::dialect) fn is_list(&self) -> bool {
        self.0.list
    }
    /// Repeated on the wire.
    pub(super) fn repeated(&self) -> bool {
        self.0.repeated
    }
    pub(super) fn packed(&self) -> bool {
        self.0.packed
    }
    /// Whether a default value differs from none.
    pub(in crate::dialect) fn presence(&self) -> bool {
        self.0.presence
    }
    pub(in crate::dialect) fn scalar(&self) -> Scalar {
        self.0.scalar
    }
    pub(in crate::dialect) fn leaf(&self) -> &Leaf {
        &self.0.leaf
    }
    /// Numbers of the other fields of its oneof.
    pub(super) fn rivals(&self) -> &[u32] {
        &self.0.rivals
    }
}

impl Deref for Field {
    type Target = FieldDescriptor;
    fn deref(&self) -> &FieldDescriptor {
        &self.0.descriptor
    }
}
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.descriptor == other.0.descriptor
    }
}
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.descriptor.full_name())
    }
}

/// An enum descriptor with the names of its values as code lists and dialects spell them.
#[derive(Clone)]
pub(in crate::dialect) struct Words(Arc<Enum>);

struct Enum {
    descriptor: EnumDescriptor,
    numbers: HashMap<Box<str>, i32>,
    /// The zero value says nothing and has no name.
    names: Vec<(i32, Option<Box<str>>)>,
}

impl Words {
    /// One value per enum, however many fields are of it.
    pub(in crate::dialect) fn new(list: &EnumDescriptor) -> Self {
        static KNOWN: Mutex<Vec<Weak<Enum>>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        // A reloaded dialect leaves its enums behind.
        known.retain(|words| words.strong_count() > 0);
        if let Some(words) = known.iter().filter_map(Weak::upgrade).find(|words| words.descriptor == *list) {
            return Self(words);
        }
        let words = Arc::new(Self::read(list));
        known.push(Arc::downgrade(&words));
        Self(words)
    }

    fn read(list: &EnumDescriptor) -> Enum {
        let prefix = prefix(list);
        let mut numbers = HashMap::new();
        for value in list.values() {
            if let Some(short) = value.name().strip_prefix(&prefix) {
                numbers.insert(short.into(), value.number());
            }
        }
        // A full name wins over the short one of another value.
        numbers.extend(list.values().map(|value| (value.name().into(), value.number())));
        let silent = |number| number == 0 && list.default_value().name().ends_with("UNSPECIFIED");
        let mut names: Vec<(i32, Option<Box<str>>)> = Vec::new();
        for number in list.values().map(|value| value.number()) {
            if let (false, Some(value)) = (names.iter().any(|(known, _)| *known == number), list.get_value(number)) {
                let short = value.name().strip_prefix(&prefix).unwrap_or(value.name()).into();
                names.push((number, (!silent(number)).then_some(short)));
            }
        }
        Enum { descriptor: list.clone(), numbers, names }
    }
    /// The name of a value as code lists spell it: `MARRIED`. None for the zero value and for unknown numbers.
    pub(in crate::dialect) fn word(&self, number: i32) -> Option<&str> {
        self.0.names.iter().find(|(known, _)| *known == number)?.1.as_deref()
    }
    /// The number of a name with or without the prefix of its enum.
    pub(in crate::dialect) fn number_of(&self, name: &str) -> Option<i32> {
        self.0.numbers.get(name).copied()
    }
    pub(in crate::dialect) fn knows(&self, number: i32) -> bool {
        self.0.names.iter().any(|(known, _)| *known == number)
    }
}

/// `MARITAL_STATUS_` of `MaritalStatus`: the part of its value names that code lists and dialects leave out.
fn prefix(list: &EnumDescriptor) -> String {
    let mut prefix = String::new();
    for (at, c) in list.name().char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            prefix.push('_');
        }
        prefix.push(c.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

impl Deref for Words {
    type Target = EnumDescriptor;
    fn deref(&self) -> &EnumDescriptor {
        &self.0.descriptor
    }
}
impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.0.descriptor == other.0.descriptor
    }
}
impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.descriptor.full_name())
    }
}

/// Number of a message type in [`Types`].
pub(in crate::dialect) type TypeId = usize;

/// The fields of one message type, in the order of their numbers.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) fields: Vec<(Field, TypeId)>,
    /// Nothing inside says something: 1 January 1970.
    pub(super) timestamp: bool,
}

/// All message types that are read from bytes and written to bytes.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Types {
    types: Vec<Type>,
    names: HashMap<String, TypeId>,
}

impl Types {
    /// Of every message of a pool that may be or be part of a message of a dialect or of the contract.
    pub(in crate::dialect) fn new(pool: &DescriptorPool) -> Self {
        let messages: Vec<_> = pool.all_messages().collect();
        let names: HashMap<String, TypeId> = messages.iter().enumerate().map(|(at, message)| (message.full_name().to_owned(), at)).collect();
        let id = |field: &FieldDescriptor| field.kind().as_message().and_then(|inside| names.get(inside.full_name())).copied().unwrap_or(usize::MAX);
        let described = |message: &prost_reflect::MessageDescriptor| {
            // Nobody translates descriptions of messages, and they are many.
            let apart = message.package_name() == "buf.validate"
                || message.full_name().starts_with("google.protobuf.") && message.parent_file().name().ends_with("descriptor.proto");
            let mut fields: Vec<_> = if apart { Vec::new() } else { message.fields().map(|field| (Field::new(&field), id(&field))).collect() };
            fields.sort_by_key(|(field, _)| field.number());
            Type { fields, timestamp: message.full_name() == "google.protobuf.Timestamp" }
        };
        Self { types: messages.iter().map(described).collect(), names }
    }
    pub(in crate::dialect) fn id(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }
    pub(super) fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id)
    }
}
