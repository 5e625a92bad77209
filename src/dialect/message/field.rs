// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Descriptors with everything that translating asks for worked out in advance.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind};

use super::wire::wire_of;
use crate::dialect::codelist::CodeLists;
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

/// A field descriptor with what translating asks for at hand.
#[derive(Clone)]
pub(in crate::dialect) struct Field {
    number: u32,
    /// What stands before it on the wire.
    tag: u32,
    /// Its place among the fields of its message.
    slot: u16,
    /// Fields of the message that it holds.
    width: u16,
    scalar: Scalar,
    list: bool,
    repeated: bool,
    packed: bool,
    presence: bool,
    rivalled: bool,
    coding: bool,
    known: Arc<Known>,
}

/// What is asked for less often.
struct Known {
    descriptor: FieldDescriptor,
    name: Box<str>,
    leaf: Leaf,
    /// Slots of the other fields of its oneof.
    rivals: Box<[u16]>,
}

impl Field {
    pub(in crate::dialect) fn new(field: &FieldDescriptor) -> Self {
        let slot = |number: u32| small(field.parent_message().fields().filter(|other| other.number() < number).count());
        let others = field.containing_oneof().into_iter().flat_map(|oneof| oneof.fields().map(|one| one.number()).collect::<Vec<_>>());
        let rivals: Box<[u16]> = others.filter(|number| *number != field.number()).map(slot).collect();
        let wire = wire_of(if field.is_packed() { Scalar::Bytes } else { Scalar::of(&field.kind()) });
        Self {
            number: field.number(),
            tag: field.number() << 3 | u32::from(wire),
            slot: slot(field.number()),
            width: field.kind().as_message().map_or(0, |inside| small(inside.fields().len())),
            scalar: Scalar::of(&field.kind()),
            list: field.is_list(),
            repeated: field.cardinality() == Cardinality::Repeated,
            packed: field.is_packed(),
            presence: field.supports_presence(),
            rivalled: !rivals.is_empty(),
            coding: Leaf::of(field) == Leaf::Coding,
            known: Arc::new(Known { name: field.name().into(), leaf: Leaf::of(field), rivals, descriptor: field.clone() }),
        }
    }
    pub(in crate::dialect) fn name(&self) -> &str {
        &self.known.name
    }
    pub(in crate::dialect) fn number(&self) -> u32 {
        self.number
    }
    /// What stands before it on the wire, where the gateway writes it: number and wire type.
    pub(super) fn tag(&self) -> u32 {
        self.tag
    }
    /// Its place among the fields of its message, in the order of their numbers.
    pub(in crate::dialect) fn slot(&self) -> usize {
        self.slot.into()
    }
    /// Fields of the message that it holds.
    pub(super) fn width(&self) -> usize {
        self.width.into()
    }
    /// Repeated and no map.
    pub(in crate::dialect) fn is_list(&self) -> bool {
        self.list
    }
    /// Repeated on the wire.
    pub(super) fn repeated(&self) -> bool {
        self.repeated
    }
    pub(super) fn packed(&self) -> bool {
        self.packed
    }
    /// Whether a default value differs from none.
    pub(in crate::dialect) fn presence(&self) -> bool {
        self.presence
    }
    pub(in crate::dialect) fn scalar(&self) -> Scalar {
        self.scalar
    }
    pub(in crate::dialect) fn leaf(&self) -> &Leaf {
        &self.known.leaf
    }
    /// Whether others of its oneof go when it is set.
    pub(in crate::dialect) fn is_rivalled(&self) -> bool {
        self.rivalled
    }
    /// Whether it holds codes of the contract.
    pub(super) fn is_coding(&self) -> bool {
        self.coding
    }
    pub(super) fn rivals(&self) -> &[u16] {
        &self.known.rivals
    }
}

/// A message has fewer fields than that by the limits of the source compiler.
fn small(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

impl Deref for Field {
    type Target = FieldDescriptor;
    fn deref(&self) -> &FieldDescriptor {
        &self.known.descriptor
    }
}
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known) || self.known.descriptor == other.known.descriptor
    }
}
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.known.descriptor.full_name())
    }
}

/// An enum descriptor with the names of its values as code lists and dialects spell them.
#[derive(Clone)]
pub(in crate::dialect) struct Words(Arc<Enum>);

struct Enum {
    descriptor: EnumDescriptor,
    /// By length and letters.
    numbers: Vec<(Box<str>, i32)>,
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
        // A full name wins over the short one of another value.
        let full = list.values().map(|value| (value.name().into(), value.number()));
        let short = list.values().filter_map(|value| Some((value.name().strip_prefix(&prefix)?.into(), value.number())));
        let mut numbers: Vec<(Box<str>, i32)> = full.chain(short).collect();
        numbers.sort_by(|(one, _), (other, _)| spread(one).cmp(&spread(other)));
        numbers.dedup_by(|(one, _), (before, _)| one == before);
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
        let at = self.0.numbers.binary_search_by(|(known, _)| spread(known).cmp(&spread(name))).ok()?;
        self.0.numbers.get(at).map(|(_, number)| *number)
    }
    pub(in crate::dialect) fn knows(&self, number: i32) -> bool {
        self.0.names.iter().any(|(known, _)| *known == number)
    }
}

/// The order of names in which lengths, which nearly always differ, are compared first.
fn spread(name: &str) -> (usize, &str) {
    (name.len(), name)
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

/// The fields of one message type, in the order of their numbers: a field lies at its slot.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) fields: Box<[(Field, TypeId)]>,
    /// Slot and one by number, as far as numbers are small; 0: there is no such field.
    near: Box<[u16]>,
    /// Nothing inside says something: 1 January 1970.
    pub(super) timestamp: bool,
}

/// Numbers below are found by one look.
const NEAR: usize = 128;

impl Type {
    fn new(mut fields: Vec<(Field, TypeId)>, timestamp: bool) -> Self {
        fields.sort_by_key(|(field, _)| field.number());
        let last = fields.iter().filter_map(|(field, _)| usize::try_from(field.number()).ok()).filter(|number| *number < NEAR).max();
        let mut near = vec![0u16; last.map_or(0, |last| last + 1)];
        for (at, (field, _)) in fields.iter().enumerate() {
            let place = usize::try_from(field.number()).ok().and_then(|number| near.get_mut(number));
            if let (Some(place), Ok(slot)) = (place, u16::try_from(at + 1)) {
                *place = slot;
            }
        }
        Self { fields: fields.into(), near: near.into(), timestamp }
    }

    /// The field of a number.
    pub(super) fn find(&self, number: u32) -> Option<&(Field, TypeId)> {
        match usize::try_from(number).ok().and_then(|number| self.near.get(number)) {
            Some(slot) => self.fields.get(usize::from(*slot).checked_sub(1)?),
            None => self.fields.get(self.fields.binary_search_by_key(&number, |(field, _)| field.number()).ok()?),
        }
    }
}

/// All message types that are read from bytes and written to bytes.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Types {
    types: Vec<Type>,
    names: HashMap<String, TypeId>,
    /// Codes that are known as they are written.
    pub(super) lists: Arc<CodeLists>,
}

impl Types {
    /// Of every message of a pool that may be or be part of a message of a dialect or of the contract.
    pub(in crate::dialect) fn new(pool: &DescriptorPool, lists: &Arc<CodeLists>) -> Self {
        let messages: Vec<_> = pool.all_messages().collect();
        let names: HashMap<String, TypeId> = messages.iter().enumerate().map(|(at, message)| (message.full_name().to_owned(), at)).collect();
        let id = |field: &FieldDescriptor| field.kind().as_message().and_then(|inside| names.get(inside.full_name())).copied().unwrap_or(usize::MAX);
        let described = |message: &prost_reflect::MessageDescriptor| {
            // Nobody translates descriptions of messages, and they are many.
            let apart = message.package_name() == "buf.validate"
                || message.full_name().starts_with("google.protobuf.") && message.parent_file().name().ends_with("descriptor.proto");
            let fields = if apart { Vec::new() } else { message.fields().map(|field| (Field::new(&field), id(&field))).collect() };
            Type::new(fields, message.full_name() == "google.protobuf.Timestamp")
        };
        Self { types: messages.iter().map(described).collect(), names, lists: Arc::clone(lists) }
    }
    pub(in crate::dialect) fn id(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }
    /// The one value of a field, however many rules and shapes are about it.
    pub(in crate::dialect) fn field(&self, field: &FieldDescriptor) -> Field {
        let known = self.id(field.parent_message().full_name()).and_then(|id| self.get(id)?.find(field.number()));
        known.map(|(known, _)| known).filter(|known| ***known == *field).cloned().unwrap_or_else(|| Field::new(field))
    }
    pub(super) fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id)
    }
}
