// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From descriptors and their `buf.validate` options to plans.
//!
//! Rules are read by field number, not through generated types: a dialect may bring the full `buf/validate/validate.proto`, and what our
//! transcription does not have must be refused rather than dropped.

mod element;

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, ReflectMessage, Value as Reflected};

use super::MAX_ITEMS;
use super::plan::{Field, Oneof, Plan, Shape, Value};

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
