// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What single values must be: the rules of each type.

use prost_reflect::{FieldDescriptor, Kind, Value as Reflected};
use regex::Regex;

use super::{Compiler, Place, RuleProblem, Set, Typed};
use crate::grpc::validate::plan::{Element, Scalar};
use crate::grpc::validate::rules::{BytesRule, NumberRule, TextRule};

impl Compiler {
    pub(super) fn element(&mut self, place: Place<'_>, field: &FieldDescriptor, typed: Option<Typed>) -> Element {
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
