// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What every canonical message must keep to, whichever dialect it came from.

use std::collections::BTreeSet;

use super::message::{Message, Value};
use super::path::Path;
use super::spelling::{coding, day_of, instant_of};
use crate::dialect::codelist::{CodeLists, Status};
use crate::dialect::hub::{FieldShape, Leaf, Shape};
use crate::dialect::report::{FieldProblem, ProblemKind};
use crate::dialect::value::din91379;

/// Everything that is wrong with a canonical message. `reachable` limits the mandatory places to those that its source can say.
pub(super) fn verify(shape: &Shape, lists: &CodeLists, message: &Message<'_>, reachable: Option<&BTreeSet<String>>) -> Vec<FieldProblem> {
    let mut verifier = Verifier { lists, reachable, problems: Vec::new() };
    verifier.walk(shape, message, &Path::TOP);
    verifier.problems
}

struct Verifier<'a> {
    lists: &'a CodeLists,
    reachable: Option<&'a BTreeSet<String>>,
    problems: Vec<FieldProblem>,
}

impl Verifier<'_> {
    fn walk(&mut self, shape: &Shape, message: &Message<'_>, path: &Path<'_>) {
        for field in &shape.fields {
            let path = path.below(field.field.name(), None);
            let Some(value) = message.get(&field.field) else {
                if field.mandatory && self.reachable.is_none_or(|reachable| said(reachable, &path.plain())) {
                    self.problem(&path, ProblemKind::Missing);
                }
                continue;
            };
            let list = value.as_list().is_some();
            for (at, value) in value.elements().iter().enumerate() {
                let path = path.element(list.then_some(at));
                if let (Some(inner), Value::Message(inside)) = (&field.inner, value) {
                    self.walk(inner, inside, &path);
                } else if let Some(kind) = self.wrong(field, value) {
                    self.problem(&path, kind);
                }
            }
        }
    }

    fn problem(&mut self, path: &Path<'_>, kind: ProblemKind) {
        self.problems.push(FieldProblem { path: String::new(), canonical_path: path.text(), kind });
    }

    fn wrong(&self, field: &FieldShape, value: &Value<'_>) -> Option<ProblemKind> {
        match (&field.leaf, value) {
            (Leaf::Text, Value::Text(text)) => {
                let kind = field.datatype?;
                let datatype = if kind == din91379::Kind::A { 'A' } else { 'C' };
                let outside = din91379::check(kind, text).err()?;
                Some(ProblemKind::OutsideDin91379 { position: outside.position + 1, datatype })
            }
            (Leaf::Enum(list), Value::Enum(number)) if !list.knows(*number) => Some(ProblemKind::UnknownCode { list: list.full_name().to_owned() }),
            (Leaf::PartialDate, value) => day_of(value).err().map(|_| ProblemKind::ImpossibleDate),
            (Leaf::Timestamp, value) => instant_of(value).err().map(|_| ProblemKind::ImpossibleDate),
            (Leaf::Coding, Value::Message(coding)) => self.coding(coding),
            _ => None,
        }
    }

    /// A code that no list of the gateway has could mean anything, and no rule about topics would find it.
    fn coding(&self, coding: &Message<'_>) -> Option<ProblemKind> {
        let (system, code) = (coding.text(coding::SYSTEM), coding.text(coding::CODE));
        if system.is_empty() {
            return Some(ProblemKind::CodeWithoutSystem { list: "the code's own list".to_owned() });
        }
        let known = self.lists.of_system(system);
        if known.is_empty() {
            return Some(ProblemKind::WrongSystem { list: "a list of the gateway".to_owned() });
        }
        match known.iter().find_map(|list| list.get(code)) {
            None => Some(ProblemKind::UnknownCode { list: system.to_owned() }),
            Some(row) if row.status() == Status::Reserved => Some(ProblemKind::ReservedCode { list: system.to_owned() }),
            Some(_) => None,
        }
    }
}

/// Whether a place or something in it is among those that can be said.
fn said(reachable: &BTreeSet<String>, name: &str) -> bool {
    reachable.iter().any(|one| one.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}
