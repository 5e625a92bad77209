// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What every canonical message must keep to, whichever dialect it came from.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, Value};

use super::{below, get};
use crate::dialect::codelist::{CodeLists, Status};
use crate::dialect::hub::{FieldShape, Leaf, Shape};
use crate::dialect::report::{FieldProblem, ProblemKind};
use crate::dialect::spelling::{day_of, instant_of};
use crate::dialect::value::din91379;

/// Everything that is wrong with a canonical message. `reachable` limits the mandatory places to those that its source can say.
pub(in crate::dialect) fn verify(
    shape: &Shape,
    lists: &CodeLists,
    message: &DynamicMessage,
    reachable: Option<&BTreeSet<String>>,
) -> Vec<FieldProblem> {
    let mut verifier = Verifier { lists, reachable, problems: Vec::new() };
    verifier.walk(shape, message, "", "");
    verifier.problems
}

struct Verifier<'a> {
    lists: &'a CodeLists,
    reachable: Option<&'a BTreeSet<String>>,
    problems: Vec<FieldProblem>,
}

impl Verifier<'_> {
    /// `path` has indices, for reports; `name` has none, to compare with plans.
    fn walk(&mut self, shape: &Shape, message: &DynamicMessage, path: &str, name: &str) {
        for field in &shape.fields {
            let path = below(path, field.field.name());
            let name = below(name, field.field.name());
            let Some(value) = get(message, &field.field) else {
                let inside = format!("{name}.");
                let said = |reachable: &BTreeSet<String>| reachable.iter().any(|one| *one == name || one.starts_with(&inside));
                if field.mandatory && self.reachable.is_none_or(said) {
                    self.problem(path, ProblemKind::Missing);
                }
                continue;
            };
            let elements = match value {
                Value::List(list) => list.iter().enumerate().map(|(at, value)| (format!("{path}[{at}]"), value)).collect(),
                one => vec![(path, one)],
            };
            for (path, value) in elements {
                if let (Some(inner), Value::Message(inside)) = (&field.inner, value) {
                    self.walk(inner, inside, &path, &name);
                } else if let Some(kind) = self.wrong(field, value) {
                    self.problem(path, kind);
                }
            }
        }
    }

    fn problem(&mut self, canonical_path: String, kind: ProblemKind) {
        self.problems.push(FieldProblem { path: String::new(), canonical_path, kind });
    }

    fn wrong(&self, field: &FieldShape, value: &Value) -> Option<ProblemKind> {
        match (&field.leaf, value) {
            (Leaf::Text, Value::String(text)) => {
                let datatype = field.datatype?;
                let kind = if datatype == 'A' { din91379::Kind::A } else { din91379::Kind::C };
                let outside = din91379::check(kind, text).err()?;
                Some(ProblemKind::OutsideDin91379 { position: outside.position + 1, datatype })
            }
            (Leaf::Enum(list), Value::EnumNumber(number)) if list.get_value(*number).is_none() => {
                Some(ProblemKind::UnknownCode { list: list.full_name().to_owned() })
            }
            (Leaf::PartialDate, value) => day_of(value).err().map(|_| ProblemKind::ImpossibleDate),
            (Leaf::Timestamp, value) => instant_of(value).err().map(|_| ProblemKind::ImpossibleDate),
            (Leaf::Coding, Value::Message(coding)) => self.coding(coding),
            _ => None,
        }
    }

    /// A code that no list of the gateway has could mean anything, and no rule about topics would find it.
    fn coding(&self, coding: &DynamicMessage) -> Option<ProblemKind> {
        let text = |name| coding.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let (system, code) = (text("system"), text("code"));
        if system.is_empty() {
            return Some(ProblemKind::CodeWithoutSystem { list: "the code's own list".to_owned() });
        }
        let mut known = self.lists.iter().filter(|list| list.uri() == system).peekable();
        if known.peek().is_none() {
            return Some(ProblemKind::WrongSystem { list: "a list of the gateway".to_owned() });
        }
        let row = known.find_map(|list| list.get(&code));
        match row {
            None => Some(ProblemKind::UnknownCode { list: system }),
            Some(row) if row.status() == Status::Reserved => Some(ProblemKind::ReservedCode { list: system }),
            Some(_) => None,
        }
    }
}
