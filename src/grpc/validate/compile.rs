// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From descriptors and their `buf.validate` options to plans.
//!
//! Rules are read by field number, not through generated types: a dialect may bring the full `buf/validate/validate.proto`, and what our
//! transcription does not have must be refused rather than dropped.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, ReflectMessage, Value as Reflected};
use regex::Regex;

use super::MAX_ITEMS;
use super::rules::{BytesRule, NumberRule, TextRule};

/// The number of every `buf.validate` option.
const OPTION: u32 = 1159;

/// An annotation that cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}.{field}: {problem}")]
pub struct RuleError {
    /// The proto file, as imported.
    pub file: String,
    /// Full name of the message.
    pub message: String,
    /// Name of the field or oneof; empty for an option of the message itself.
    pub field: String,
    /// What is wrong.
    pub problem: RuleProblem,
}

/// What is wrong with an annotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// A rule that the gateway does not enforce.
    #[error("the gateway does not know the rule `{0}`; remove it, or teach src/grpc/validate to enforce it")]
    UnknownRule(String),
    /// Rules of one type on a field of another.
    #[error("`{0}` rules do not fit the type of this field")]
    WrongType(String),
    /// A pattern that is no regular expression, or that implementations read differently.
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
    /// No value can satisfy the rules.
    #[error("the bounds leave no value")]
    EmptyRange,
    /// `unique` on messages or floating-point numbers.
    #[error("`unique` needs items that can be compared: strings, bytes, integers, bools or enums")]
    NotComparable,
    /// A proto2 group.
    #[error("groups are not supported; use a message")]
    Group,
}

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

/// Compiles `root` and all that it can contain; its own plan comes first.
pub(super) fn compile(root: &MessageDescriptor) -> Result<Vec<Plan>, Vec<RuleError>> {
    let mut compiler = Compiler { indices: HashMap::new(), queue: Vec::new(), errors: Vec::new() };
    compiler.index_of(root);
    let mut plans = Vec::new();
    while let Some(message) = compiler.queue.get(plans.len()).cloned() {
        plans.push(compiler.message(&message));
    }
    if compiler.errors.is_empty() { Ok(plans) } else { Err(compiler.errors) }
}

struct Compiler {
    indices: HashMap<String, usize>,
    /// In the order of their indices.
    queue: Vec<MessageDescriptor>,
    errors: Vec<RuleError>,
}

/// Where a problem is.
#[derive(Clone, Copy)]
struct Place<'a> {
    message: &'a MessageDescriptor,
    field: &'a str,
}

impl Compiler {
    fn index_of(&mut self, message: &MessageDescriptor) -> usize {
        let next = self.queue.len();
        *self.indices.entry(message.full_name().to_owned()).or_insert_with(|| {
            self.queue.push(message.clone());
            next
        })
    }

    fn error(&mut self, place: Place<'_>, problem: RuleProblem) {
        self.errors.push(RuleError {
            file: place.message.parent_file().name().to_owned(),
            message: place.message.full_name().to_owned(),
            field: place.field.to_owned(),
            problem,
        });
    }

    fn unknown(&mut self, place: Place<'_>, rule: impl Into<String>) {
        self.error(place, RuleProblem::UnknownRule(rule.into()));
    }

    fn message(&mut self, message: &MessageDescriptor) -> Plan {
        if option(&message.options()).is_some() {
            self.unknown(Place { message, field: "" }, "message");
        }
        let declared: Vec<OneofDescriptor> = message.oneofs().filter(|o| !o.is_synthetic()).collect();
        let oneofs = declared.iter().map(|oneof| self.oneof(message, oneof)).collect();
        let mut fields: Vec<Field> = message
            .fields()
            .map(|field| {
                let oneof = field.containing_oneof().and_then(|o| declared.iter().position(|d| *d == o));
                self.field(message, &field, oneof)
            })
            .collect();
        fields.sort_unstable_by_key(|f| f.number);
        Plan { fields, oneofs }
    }

    fn oneof(&mut self, message: &MessageDescriptor, oneof: &OneofDescriptor) -> Oneof {
        let place = Place { message, field: oneof.name() };
        let mut required = false;
        for rule in self.rules_of(place, &oneof.options(), "oneof") {
            match rule {
                (1, _, value) => required = value.as_bool() == Some(true),
                (_, name, _) => self.unknown(place, format!("oneof.{name}")),
            }
        }
        Oneof { name: oneof.name().to_owned(), required }
    }

    fn field(&mut self, message: &MessageDescriptor, field: &FieldDescriptor, oneof: Option<usize>) -> Field {
        let place = Place { message, field: field.name() };
        if field.is_group() {
            self.error(place, RuleProblem::Group);
        }
        let rules = self.rules_of(place, &field.options(), "field");
        let common = self.common(place, rules);
        let (shape, value) = if field.is_list() || field.is_map() {
            self.many(place, field, common)
        } else {
            let shape = Shape::One { presence: field.supports_presence(), required: common.required || field.is_required() };
            let element = self.element(place, field, common.typed);
            (shape, Value { element, skip_zero: common.skip_zero })
        };
        Field { number: field.number(), name: field.name().to_owned(), map: field.is_map(), oneof, shape, value }
    }

    /// Repeated fields and maps; a map is a repeated field of entries with unique keys.
    fn many(&mut self, place: Place<'_>, field: &FieldDescriptor, common: Common) -> (Shape, Value) {
        let (mut min, mut max, mut unique) = (0, MAX_ITEMS, field.is_map());
        let mut items = None;
        match (&common.typed, field.is_map()) {
            (None, _) => {}
            (Some((18, _, rules)), false) | (Some((19, _, rules)), true) => {
                for (number, name, value) in self.set_fields(place, rules) {
                    match (number, &value) {
                        (1, Reflected::U64(n)) => min = *n,
                        (2, Reflected::U64(n)) => max = *n,
                        (3, Reflected::Bool(b)) if !field.is_map() => unique = *b,
                        (4, Reflected::Message(rules)) if !field.is_map() => items = Some(rules.clone()),
                        _ => self.unknown(place, name),
                    }
                }
            }
            (Some((_, name, _)), _) => self.error(place, RuleProblem::WrongType(name.clone())),
        }
        if min > max {
            self.error(place, RuleProblem::EmptyRange);
        }
        if unique && !field.is_map() && matches!(field.kind(), Kind::Message(_) | Kind::Float | Kind::Double) {
            self.error(place, RuleProblem::NotComparable);
        }
        let rules = items.map(|rules| self.set_fields(place, &rules)).unwrap_or_default();
        let of_items = self.common(place, rules);
        let value = Value { element: self.element(place, field, of_items.typed), skip_zero: of_items.skip_zero };
        (Shape::Many { min, max, unique, required: common.required, skip_empty: common.skip_zero }, value)
    }

    fn element(&mut self, place: Place<'_>, field: &FieldDescriptor, typed: Option<Typed>) -> Element {
        let (number, name, rules) = match typed {
            Some((number, name, rules)) => (number, name, self.set_fields(place, &rules)),
            None => (0, String::new(), Vec::new()),
        };
        let kind = field.kind();
        if number != 0 && type_number(&kind) != Some(number) {
            self.error(place, RuleProblem::WrongType(name.clone()));
            return self.plain(&kind, field);
        }
        match self.plain(&kind, field) {
            Element::Text(_) => Element::Text(rules.into_iter().filter_map(|r| self.text_rule(place, r)).collect()),
            Element::Bytes(_) => Element::Bytes(rules.into_iter().filter_map(|r| self.bytes_rule(place, r)).collect()),
            Element::Number { scalar, name, rules: mut built_in } => {
                built_in.extend(rules.into_iter().filter_map(|r| self.number_rule(place, &kind, r)));
                let least = built_in
                    .iter()
                    .filter_map(|r| match r {
                        NumberRule::Gt(n) => n.checked_add(1),
                        NumberRule::Gte(n) => Some(*n),
                        _ => None,
                    })
                    .max();
                let most = built_in
                    .iter()
                    .filter_map(|r| match r {
                        NumberRule::Lt(n) => n.checked_sub(1),
                        NumberRule::Lte(n) => Some(*n),
                        _ => None,
                    })
                    .min();
                if matches!((least, most), (Some(least), Some(most)) if least > most) {
                    self.error(place, RuleProblem::EmptyRange);
                }
                Element::Number { scalar, name, rules: built_in }
            }
            element @ Element::Message(_) => element,
        }
    }

    /// The element without annotations.
    fn plain(&mut self, kind: &Kind, field: &FieldDescriptor) -> Element {
        let (scalar, name) = match kind {
            Kind::String => return Element::Text(Vec::new()),
            Kind::Bytes => return Element::Bytes(Vec::new()),
            Kind::Message(message) => return Element::Message(self.index_of(message)),
            Kind::Double => (Scalar::Double, "double"),
            Kind::Float => (Scalar::Float, "float"),
            Kind::Int32 => (Scalar::Int32, "int32"),
            Kind::Int64 => (Scalar::Int64, "int64"),
            Kind::Uint32 => (Scalar::Uint32, "uint32"),
            Kind::Uint64 => (Scalar::Uint64, "uint64"),
            Kind::Sint32 => (Scalar::Sint32, "sint32"),
            Kind::Sint64 => (Scalar::Sint64, "sint64"),
            Kind::Fixed32 => (Scalar::Fixed32, "fixed32"),
            Kind::Fixed64 => (Scalar::Fixed64, "fixed64"),
            Kind::Sfixed32 => (Scalar::Sfixed32, "sfixed32"),
            Kind::Sfixed64 => (Scalar::Sfixed64, "sfixed64"),
            Kind::Bool => (Scalar::Bool, "bool"),
            Kind::Enum(_) => (Scalar::Int32, "enum"),
        };
        Element::Number { scalar, name, rules: well_known(field) }
    }

    fn number_rule(&mut self, place: Place<'_>, kind: &Kind, (number, name, value): Set) -> Option<NumberRule> {
        let list = || value.as_list().unwrap_or_default().iter().filter_map(integer).collect();
        let rule = match (kind, number) {
            (_, 1) => NumberRule::Const(integer(&value)?),
            (Kind::Enum(_), 2) if value.as_bool() == Some(false) => return None,
            (Kind::Enum(of), 2) => {
                let mut defined: Vec<i128> = of.values().map(|v| i128::from(v.number())).collect();
                defined.sort_unstable();
                NumberRule::DefinedOnly(defined)
            }
            (Kind::Enum(_), 3) => NumberRule::In(list()),
            (Kind::Enum(_), 4) => NumberRule::NotIn(list()),
            (Kind::Enum(_) | Kind::Bool, _) => return self.unknown_rule(place, &name),
            (_, 2) => NumberRule::Lt(integer(&value)?),
            (_, 3) => NumberRule::Lte(integer(&value)?),
            (_, 4) => NumberRule::Gt(integer(&value)?),
            (_, 5) => NumberRule::Gte(integer(&value)?),
            (_, 6) => NumberRule::In(list()),
            (_, 7) => NumberRule::NotIn(list()),
            _ => return self.unknown_rule(place, &name),
        };
        Some(rule)
    }

    fn text_rule(&mut self, place: Place<'_>, (number, name, value): Set) -> Option<TextRule> {
        let text = || value.as_str().map(str::to_owned);
        let list = || value.as_list().unwrap_or_default().iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
        let wanted = |rule| value.as_bool()?.then_some(rule);
        match number {
            1 => text().map(TextRule::Const),
            2 => value.as_u64().map(TextRule::MinLen),
            3 => value.as_u64().map(TextRule::MaxLen),
            4 => value.as_u64().map(TextRule::MinBytes),
            5 => value.as_u64().map(TextRule::MaxBytes),
            6 => match pattern(value.as_str()?) {
                Ok(pattern) => Some(TextRule::Pattern(pattern)),
                Err(why) => {
                    self.error(place, RuleProblem::Pattern(why));
                    None
                }
            },
            7 => text().map(TextRule::Prefix),
            8 => text().map(TextRule::Suffix),
            9 => text().map(TextRule::Contains),
            10 => Some(TextRule::In(list())),
            11 => Some(TextRule::NotIn(list())),
            12 => wanted(TextRule::Email),
            13 => wanted(TextRule::Hostname),
            17 => wanted(TextRule::Uri),
            19 => value.as_u64().map(TextRule::Len),
            20 => value.as_u64().map(TextRule::LenBytes),
            22 => wanted(TextRule::Uuid),
            _ => self.unknown_rule(place, &name),
        }
    }

    fn bytes_rule(&mut self, place: Place<'_>, (number, name, value): Set) -> Option<BytesRule> {
        match number {
            2 => value.as_u64().map(BytesRule::MinLen),
            3 => value.as_u64().map(BytesRule::MaxLen),
            13 => value.as_u64().map(BytesRule::Len),
            _ => self.unknown_rule(place, &name),
        }
    }

    fn unknown_rule<T>(&mut self, place: Place<'_>, name: &str) -> Option<T> {
        self.unknown(place, name);
        None
    }

    /// What `FieldRules` says for every type.
    fn common(&mut self, place: Place<'_>, rules: Vec<Set>) -> Common {
        let mut common = Common::default();
        for (number, name, value) in rules {
            match (number, value) {
                (25, Reflected::Bool(required)) => common.required = required,
                (27, Reflected::EnumNumber(0)) => {}
                (27, Reflected::EnumNumber(1)) => common.skip_zero = true,
                (3..=16 | 18 | 19, Reflected::Message(rules)) => common.typed = Some((number, name, rules)),
                _ => self.unknown(place, name),
            }
        }
        common
    }

    /// The fields that are set in the `buf.validate` option among `options`.
    fn rules_of(&mut self, place: Place<'_>, options: &DynamicMessage, name: &str) -> Vec<Set> {
        match option(options) {
            None => Vec::new(),
            Some(Some(rules)) => self.set_fields(place, &rules),
            Some(None) => {
                self.unknown(place, format!("{name} (buf/validate/validate.proto is not imported)"));
                Vec::new()
            }
        }
    }

    /// Everything that is set in `rules`; what its own descriptor does not have is reported.
    fn set_fields(&mut self, place: Place<'_>, rules: &DynamicMessage) -> Vec<Set> {
        let of = rules.descriptor().name().to_owned();
        for (extension, _) in rules.extensions() {
            self.unknown(place, extension.full_name());
        }
        for unknown in rules.unknown_fields() {
            self.unknown(place, format!("{of} field {}", unknown.number()));
        }
        rules.fields().map(|(field, value)| (field.number(), field.name().to_owned(), value.clone())).collect()
    }
}

/// A rule that is set: number, name, value.
type Set = (u32, String, Reflected);
/// The rules of a type: number and name in `FieldRules`, the message.
type Typed = (u32, String, DynamicMessage);

#[derive(Default)]
struct Common {
    required: bool,
    skip_zero: bool,
    typed: Option<Typed>,
}

/// The `buf.validate` option: none, its message, or unreadable because its definition is not in the descriptor set.
fn option(options: &DynamicMessage) -> Option<Option<DynamicMessage>> {
    if let Some((_, value)) = options.extensions().find(|(e, _)| e.number() == OPTION) {
        return Some(value.as_message().cloned());
    }
    options.unknown_fields().any(|f| f.number() == OPTION).then_some(None)
}

/// The number in `FieldRules` of the rules that fit a type.
fn type_number(kind: &Kind) -> Option<u32> {
    Some(match kind {
        Kind::Int32 => 3,
        Kind::Int64 => 4,
        Kind::Uint32 => 5,
        Kind::Uint64 => 6,
        Kind::Sint32 => 7,
        Kind::Sint64 => 8,
        Kind::Fixed32 => 9,
        Kind::Fixed64 => 10,
        Kind::Sfixed32 => 11,
        Kind::Sfixed64 => 12,
        Kind::Bool => 13,
        Kind::String => 14,
        Kind::Bytes => 15,
        Kind::Enum(_) => 16,
        Kind::Float | Kind::Double | Kind::Message(_) => return None,
    })
}

fn integer(value: &Reflected) -> Option<i128> {
    match value {
        Reflected::Bool(b) => Some(i128::from(*b)),
        Reflected::I32(n) | Reflected::EnumNumber(n) => Some(i128::from(*n)),
        Reflected::I64(n) => Some(i128::from(*n)),
        Reflected::U32(n) => Some(i128::from(*n)),
        Reflected::U64(n) => Some(i128::from(*n)),
        _ => None,
    }
}

/// Ranges that google/protobuf/timestamp.proto and duration.proto state in prose: years 1 to 9999; 10,000 years either way.
fn well_known(field: &FieldDescriptor) -> Vec<NumberRule> {
    let (least, most) = match field.full_name() {
        "google.protobuf.Timestamp.seconds" => (-62_135_596_800, 253_402_300_799),
        "google.protobuf.Timestamp.nanos" => (0, 999_999_999),
        "google.protobuf.Duration.seconds" => (-315_576_000_000, 315_576_000_000),
        "google.protobuf.Duration.nanos" => (-999_999_999, 999_999_999),
        _ => return Vec::new(),
    };
    vec![NumberRule::Gte(least), NumberRule::Lte(most)]
}

/// A pattern that RE2 and Rust read alike: `\d`, `\w`, `\s`, `\b` are ASCII in one and Unicode in the other.
fn pattern(text: &str) -> Result<Regex, String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\'
            && let Some(class @ ('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B')) = chars.next()
        {
            return Err(format!("`\\{class}` differs between implementations; write the characters out, such as [0-9]"));
        }
    }
    Regex::new(text).map_err(|e| e.to_string())
}
