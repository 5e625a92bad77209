// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The canonical messages as the translator sees them: what kind of value a field holds, and of which category it is.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use super::annotation::Place;
use super::category::CategoryMask;
use super::codelist::CodeLists;
use super::error::DialectError;
use super::message::{Field, Message, TypeId, Types, Words};
use super::value::din91379;
use crate::proto::types::DataCategory;

/// What a field of the hub holds, as far as spellings go.
#[derive(Debug, Clone, PartialEq)]
#[repr(u8)]
pub(super) enum Leaf {
    Text,
    Bool,
    /// Any of the integers.
    Integer,
    Enum(Words),
    Coding,
    PartialDate,
    Timestamp,
    Bytes,
    /// Any other message.
    Message(MessageDescriptor),
    /// Floating point numbers: the hub has none.
    Other,
}

impl Leaf {
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::String => Self::Text,
            Kind::Bool => Self::Bool,
            Kind::Enum(list) => Self::Enum(Words::new(&list)),
            Kind::Bytes => Self::Bytes,
            Kind::Message(message) => match message.full_name() {
                "weiche.type.v1.Coding" => Self::Coding,
                "weiche.type.v1.PartialDate" => Self::PartialDate,
                "google.protobuf.Timestamp" => Self::Timestamp,
                _ => Self::Message(message),
            },
            Kind::Double | Kind::Float => Self::Other,
            _ => Self::Integer,
        }
    }
    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Enum(list) => format!("the enum {}", list.full_name()),
            Self::Coding => "a Coding".to_owned(),
            Self::PartialDate => "a PartialDate".to_owned(),
            Self::Timestamp => "a Timestamp".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Message(message) => format!("the message {}", message.full_name()),
            Self::Other => "a number with a fraction".to_owned(),
        }
    }
}

/// A canonical message with the category of every field in it, resolved along the path by which it is reached.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) message: MessageDescriptor,
    pub(super) id: TypeId,
    /// In the order of their numbers, as the slots of a message.
    pub(super) fields: Vec<FieldShape>,
    /// Under the mask of all categories nothing is stripped from it: each field has a category, or is a message of such fields.
    pub(super) open: bool,
    /// Slots of the fields that are mandatory or have such fields inside.
    wanted: Vec<usize>,
}

/// One field of a [`Shape`].
#[derive(Debug)]
pub(super) struct FieldShape {
    pub(super) field: Field,
    pub(super) leaf: Leaf,
    /// The category of everything in it; none for a message whose fields have their own. A value without one passes no mask.
    pub(super) category: Option<DataCategory>,
    /// What a mask must cover for it to pass.
    pub(super) needs: CategoryMask,
    pub(super) mandatory: bool,
    /// DIN 91379 data type of a text: A names, C everything else; none if it is not checked.
    pub(super) datatype: Option<din91379::Kind>,
    /// For messages that are not leaves.
    pub(super) inner: Option<Arc<Shape>>,
    /// Names of what is in a date or another message that is a leaf, in the order of their numbers.
    pub(super) parts: Box<[Box<str>]>,
}

impl Shape {
    /// Whether no mandatory field is missing, in it and in what is inside.
    pub(super) fn is_complete(&self, message: Message<'_>) -> bool {
        self.wanted.iter().filter_map(|at| self.fields.get(*at)).all(|field| {
            let mut elements = message.elements(&field.field).peekable();
            let missing = field.mandatory && elements.peek().is_none();
            !missing && elements.all(|(.., value)| field.inner.as_ref().zip(value.as_message()).is_none_or(|(inner, part)| inner.is_complete(part)))
        })
    }
    pub(super) fn get(&self, number: u32) -> Option<&FieldShape> {
        self.fields.get(self.fields.binary_search_by_key(&number, |shape| shape.field.number()).ok()?)
    }
}

/// All canonical messages of a pool by full name.
#[derive(Debug, Default)]
pub(super) struct Hub {
    shapes: HashMap<String, Arc<Shape>>,
    types: Arc<Types>,
}

impl Hub {
    pub(super) fn new(pool: &DescriptorPool, lists: &Arc<CodeLists>, errors: &mut Vec<DialectError>) -> Self {
        let types = Arc::new(Types::new(pool, lists));
        let reader = Reader {
            category: pool.get_extension_by_name("weiche.type.v1.category"),
            mandatory: pool.get_extension_by_name("weiche.type.v1.mandatory"),
            types: &types,
            known: RefCell::default(),
        };
        let mut shapes = HashMap::new();
        let messages: Vec<_> = pool.all_messages().filter(|message| is_canonical(message.package_name())).collect();
        // A part takes its category from the whole: only messages that are part of no other must be complete by themselves.
        let parts: HashSet<String> = messages
            .iter()
            .flat_map(|message| message.fields())
            .filter_map(|field| field.kind().as_message().map(|part| part.full_name().to_owned()))
            .collect();
        let mut found = Vec::new();
        for message in messages {
            let mut ignored = Vec::new();
            let whole = !parts.contains(message.full_name());
            let sink = if whole { &mut found } else { &mut ignored };
            let shape = reader.shape(&message, None, &mut Vec::new(), sink);
            shapes.insert(message.full_name().to_owned(), shape);
        }
        found.sort();
        found.dedup();
        errors.append(&mut found);
        Self { shapes, types }
    }
    pub(super) fn shape(&self, message: &str) -> Option<&Arc<Shape>> {
        self.shapes.get(message)
    }
    /// How messages of the pool are read and written.
    pub(super) fn types(&self) -> &Arc<Types> {
        &self.types
    }
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.shapes.keys().map(String::as_str)
    }
}

/// Whether a package belongs to the contract and may be the hub of a dialect.
pub(super) fn is_canonical(package: &str) -> bool {
    package.starts_with("weiche.") && package != "weiche.dialect.v1"
}

fn parts(field: &FieldDescriptor, entered: bool) -> Box<[Box<str>]> {
    let kind = field.kind();
    let mut parts: Vec<_> = kind.as_message().filter(|_| !entered).into_iter().flat_map(|message| message.fields()).collect();
    parts.sort_by_key(|part| part.number());
    parts.iter().map(|part| part.name().into()).collect()
}

struct Reader<'a> {
    types: &'a Types,
    category: Option<prost_reflect::ExtensionDescriptor>,
    mandatory: Option<prost_reflect::ExtensionDescriptor>,
    /// What was read already: a message is part of many.
    known: RefCell<HashMap<String, (Option<DataCategory>, bool)>>,
}

impl Reader<'_> {
    /// The category that a field itself names, and whether it is mandatory.
    fn said(&self, field: &FieldDescriptor) -> (Option<DataCategory>, bool) {
        *self.known.borrow_mut().entry(field.full_name().to_owned()).or_insert_with(|| {
            let options = field.options();
            let named = self.category.as_ref().filter(|category| options.has_extension(category));
            let category = named.and_then(|category| DataCategory::try_from(options.get_extension(category).as_enum_number()?).ok());
            let mandatory = self.mandatory.as_ref().is_some_and(|mandatory| options.get_extension(mandatory).as_bool() == Some(true));
            (category, mandatory)
        })
    }
    fn own(&self, field: &FieldDescriptor) -> Option<DataCategory> {
        self.said(field).0
    }
    fn shape(
        &self,
        message: &MessageDescriptor,
        inherited: Option<DataCategory>,
        above: &mut Vec<String>,
        errors: &mut Vec<DialectError>,
    ) -> Arc<Shape> {
        // A message in which some fields name a category is about a person: there, silence is a mistake and not ADMINISTRATIVE.
        let personal = message.fields().any(|field| self.own(&field).is_some());
        above.push(message.full_name().to_owned());
        let mut fields = Vec::new();
        for field in message.fields() {
            let leaf = Leaf::of(&field);
            let inside = match &leaf {
                Leaf::Message(inside) if !above.iter().any(|name| name == inside.full_name()) => Some(inside.clone()),
                _ => None,
            };
            let own = self.own(&field).or(inherited);
            let holds_personal = inside.as_ref().is_some_and(|inside| inside.fields().any(|field| self.own(&field).is_some()));
            let category = match own {
                Some(category) => Some(category),
                None if inside.is_some() && (holds_personal || !personal) => None,
                None if personal => {
                    errors.push(Place::field(&field).error(
                        format!("canonical field {} has no category", field.full_name()),
                        "say `(weiche.type.v1.category)`: what has no category could reach everybody",
                    ));
                    None
                }
                None => Some(DataCategory::Administrative),
            };
            let datatype = match (&leaf, message.name(), field.name()) {
                (Leaf::Text, "PersonName", "native_script") => None,
                (Leaf::Text, "PersonName", _) => Some(din91379::Kind::A),
                (Leaf::Text, ..) if personal || inherited.is_some() => Some(din91379::Kind::C),
                _ => None,
            };
            let inner = inside.map(|inside| self.shape(&inside, category, above, errors));
            let (_, mandatory) = self.said(&field);
            fields.push(FieldShape {
                field: self.types.field(&field),
                leaf,
                category,
                needs: match (category, &inner) {
                    (None, Some(_)) => CategoryMask::EMPTY,
                    (category, _) => CategoryMask::needed(category.unwrap_or_default()),
                },
                mandatory,
                datatype,
                parts: parts(&field, inner.is_some()),
                inner,
            });
        }
        above.pop();
        // A field lies at its slot.
        fields.sort_by_key(|field| field.field.number());
        let id = self.types.id(message.full_name()).unwrap_or(TypeId::MAX);
        let within = |field: &FieldShape| field.inner.as_ref().is_some_and(|inner| !inner.wanted.is_empty());
        let wanted = fields.iter().enumerate().filter(|(_, field)| field.mandatory || within(field)).map(|(at, _)| at).collect();
        let covered = |field: &FieldShape| CategoryMask::ALL.covers(field.needs) && field.inner.as_ref().is_none_or(|inner| inner.open);
        let open = fields.iter().all(covered);
        Arc::new(Shape { message: message.clone(), id, fields, open, wanted })
    }
}
