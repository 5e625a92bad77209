// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What every canonical message must keep to, whichever dialect it came from.

use std::collections::BTreeSet;

use crate::dialect::codelist::{CodeLists, Status};
use crate::dialect::hub::{FieldShape, Leaf, Shape};
use crate::dialect::message::{Message, Place, Value};
use crate::dialect::report::{FieldProblem, ProblemKind};
use crate::dialect::spelling::{coded, day_of, instant_of};
use crate::dialect::value::din91379;

/// Everything that is wrong with a canonical message. `reachable` limits the mandatory places to those that its source can say.
pub(in crate::dialect) fn verify<'b>(
    shape: &'b Shape,
    lists: &CodeLists,
    message: Message<'b>,
    reachable: Option<&BTreeSet<String>>,
) -> Vec<FieldProblem> {
    let mut verifier = Verifier { lists, reachable, problems: Vec::new() };
    verifier.walk(shape, message);
    verifier.problems
}

struct Verifier<'a> {
    lists: &'a CodeLists,
    reachable: Option<&'a BTreeSet<String>>,
    problems: Vec<FieldProblem>,
}

impl Verifier<'_> {
    fn walk<'b>(&mut self, shape: &'b Shape, message: Message<'b>) {
        for (field, slot) in shape.fields.iter().zip(message.slots()) {
            let empty = match slot.value() {
                None => true,
                Some(Value::List(list)) => {
                    list.values().enumerate().for_each(|(at, value)| self.value(field, message, Some(at), value));
                    list.len() == 0
                }
                Some(value) => {
                    self.value(field, message, None, value);
                    false
                }
            };
            if empty && field.mandatory {
                let place = message.place(field.field.name(), None);
                if self.reachable.is_none_or(|reachable| said(reachable, &place.plain())) {
                    self.problem(place, ProblemKind::Missing);
                }
            }
        }
    }

    fn value<'b>(&mut self, field: &'b FieldShape, message: Message<'b>, at: Option<usize>, value: Value<'b>) {
        if let (Some(inner), Value::Message(inside)) = (&field.inner, value) {
            self.walk(inner, inside);
        } else if let Some(kind) = self.wrong(field, value) {
            self.problem(message.place(field.field.name(), at), kind);
        }
    }

    fn problem(&mut self, place: Place<'_>, kind: ProblemKind) {
        self.problems.push(FieldProblem { path: String::new(), canonical_path: place.text(), kind });
    }

    fn wrong(&self, field: &FieldShape, value: Value<'_>) -> Option<ProblemKind> {
        match (&field.leaf, value) {
            (Leaf::Text, Value::Text(text)) => {
                let kind = field.datatype?;
                let outside = din91379::check(kind, text).err()?;
                Some(ProblemKind::OutsideDin91379 { position: outside.position + 1, datatype: if kind == din91379::Kind::A { 'A' } else { 'C' } })
            }
            (Leaf::Enum(list), Value::Enum(number)) if !list.knows(number) => Some(ProblemKind::UnknownCode { list: list.full_name().to_owned() }),
            (Leaf::PartialDate, value) => day_of(value).is_none().then_some(ProblemKind::ImpossibleDate),
            (Leaf::Timestamp, value) => instant_of(value).is_none().then_some(ProblemKind::ImpossibleDate),
            (Leaf::Coding, value) => self.coding(value),
            _ => None,
        }
    }

    /// A code that no list of the gateway has could mean anything, and no rule about topics would find it.
    fn coding(&self, value: Value<'_>) -> Option<ProblemKind> {
        if matches!(value, Value::Code(row) if row.status() != Status::Reserved) {
            return None;
        }
        let (system, code) = coded(value)?;
        if system.is_empty() {
            return Some(ProblemKind::CodeWithoutSystem { list: "the code's own list".to_owned() });
        }
        if self.lists.of_system(system).is_empty() {
            return Some(ProblemKind::WrongSystem { list: "a list of the gateway".to_owned() });
        }
        match self.lists.code(system, code) {
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
