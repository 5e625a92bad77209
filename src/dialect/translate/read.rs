// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a dialect's message to the canonical one.

use super::frame::{Frame, Hall, Origin};
use super::native::texts;
use super::put::Puts;
use super::{Detail, Finding, Lines, verify};
use crate::dialect::codelist::CodeLists;
use crate::dialect::hub::Leaf;
use crate::dialect::message::{Field, Message, Room, Types, Value, spelt};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target};
use crate::dialect::report::{FieldProblem, ProblemKind};
use crate::dialect::spelling::{self, Said, code_value, kept, plain_text, row};
use crate::dialect::value::{din91379, list, trimmed};

/// The canonical message, what became of each field, and everything that is wrong. With problems the message is not to be used.
pub(in crate::dialect) fn read<'b>(
    room: &'b Room,
    plan: &'b Plan,
    lists: &CodeLists,
    types: &Types,
    native: Message<'b>,
    detail: Detail,
) -> (Message<'b>, Lines<'b>, Vec<FieldProblem>) {
    let hub = types.empty(room, plan.hub.id);
    let Reader { lines, mut problems, puts, .. } = run(room, plan, native, hub, detail, None);
    if puts.is_hollow() {
        types.prune(plan.hub.id, hub);
    }
    // What was put was looked at, one by one: in the usual case nothing is left to look for.
    let sound = !puts.is_doubtful() && plan.hub.is_complete(hub);
    let wrong = if sound { Vec::new() } else { verify(&plan.hub, lists, hub, Some(&plan.mandatory)) };
    if !wrong.is_empty() {
        // Read once more, now noting which field each place came from: most messages never need to know.
        let again = types.empty(room, plan.hub.id);
        let origins = run(room, plan, native, again, Detail::None, Some(Vec::new())).puts.origins.unwrap_or_default();
        problems.extend(wrong.into_iter().map(|problem| {
            let origin = origins.iter().rev().find(|(path, _)| *path == problem.canonical_path);
            FieldProblem { path: origin.map(|(_, origin)| origin.clone()).unwrap_or_default(), ..problem }
        }));
    }
    (hub, lines, problems)
}

fn run<'b>(
    room: &'b Room,
    plan: &'b Plan,
    native: Message<'b>,
    hub: Message<'b>,
    detail: Detail,
    origins: Option<Vec<(String, String)>>,
) -> Reader<'b> {
    let mut reader = Reader { room, lines: Lines::new(room, detail), problems: Vec::new(), puts: Puts::new(Hall::new(room), hub, origins) };
    reader.block(native, &plan.block, &Frame::top(room, hub, &plan.block));
    reader.puts.mark();
    for place in &reader.puts.refused {
        reader.lines.note(*place, Finding::Dropped("another field says it already"));
    }
    reader
}

struct Reader<'b> {
    room: &'b Room,
    lines: Lines<'b>,
    problems: Vec<FieldProblem>,
    puts: Puts<'b>,
}

impl<'b> Reader<'b> {
    fn block(&mut self, native: Message<'b>, block: &'b Block, frame: &Frame<'_, 'b>) {
        for rule in &block.rules {
            match rule {
                // Most are about what is not there.
                Rule::Value(rule) if !rule.native.is_in(native) => {}
                Rule::Value(rule) => self.value(&Origin { native, rule, frame, at: None }),
                Rule::Enter { field, to, each, block } => {
                    for (at, _, value) in native.elements(field) {
                        let Some(inside) = value.as_message() else { continue };
                        if !each && at.is_some_and(|at| at > 0) {
                            self.lines.note(native.place(field.name(), at), Finding::Dropped("only the first one is read"));
                            continue;
                        }
                        self.block(inside, block, &frame.below(self.room, to, at.unwrap_or(0), block));
                    }
                }
                Rule::Constant { field, text, way } => {
                    let said = native.get(field).filter(|_| way.read).and_then(|value| plain_text(self.room, field.leaf(), value));
                    if said.is_some_and(|said| !said.trim().is_empty() && said != text.as_str()) {
                        let kind = ProblemKind::Malformed { expected: format!("`{text}`") };
                        let path = native.place(field.name(), None).text();
                        self.problems.push(FieldProblem { path, canonical_path: String::new(), kind });
                    }
                }
                Rule::Ignore { field, why } => {
                    if native.has(field) {
                        self.lines.note(native.place(field.name(), None), Finding::Dropped(why));
                    }
                }
            }
        }
        if native.has_unknown() && self.lines.wanted() {
            for unknown in native.unknown() {
                let name = spelt(self.room, format_args!("field {unknown}"));
                self.lines.note(native.place(name, None), Finding::Dropped("the dialect does not know this field"));
            }
        }
    }

    fn value(&mut self, origin: &Origin<'_, 'b>) {
        let Origin { native, rule, .. } = *origin;
        if !rule.way.read {
            return self.lines.note(origin.place(), Finding::Dropped("the field is only written by the gateway"));
        }
        if let Target::At(spot) = &rule.target
            && matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_) | Leaf::Timestamp | Leaf::PartialDate)
            && let (Spelling::Plain, Native::Field { field, carrier: None }) = (&rule.spelling, &rule.native)
        {
            self.puts.doubt();
            for (at, _, value) in native.elements(field) {
                self.puts.put(origin, spot, at.unwrap_or(0), value);
            }
            return;
        }
        let room = self.room;
        // One text is what nearly every field is.
        if let (Native::Field { field, carrier: None }, None) = (&rule.native, rule.list)
            && let Some(Value::Text(text)) = native.get(field)
        {
            if !rule.nulls.is_null(text) {
                self.text(origin, text);
            }
            return;
        }
        if let (Some(separator), [_]) = (rule.gather, rule.native.fields()) {
            return self.gathered(origin, separator);
        }
        texts(room, native, &rule.native, rule.column(), &rule.nulls, |(at, text)| match (text, rule.list) {
            (Err(kind), _) => self.problem(&origin.element(at), rule.target.first(), kind),
            (Ok(text), Some(separator)) => {
                let items = list::split(text, separator).filter(|item| !rule.nulls.is_null(item));
                for (at, item) in items.enumerate() {
                    self.text(&origin.element(Some(at)), kept(room, item));
                }
            }
            (Ok(text), None) => self.text(&origin.element(at), text),
        });
    }

    /// The elements of a repeated field are one text of the hub.
    fn gathered(&mut self, origin: &Origin<'_, 'b>, separator: char) {
        let rule = origin.rule;
        let mut line = bumpalo::collections::String::new_in(self.room);
        let (mut some, mut ambiguous) = (false, false);
        texts(self.room, origin.native, &rule.native, None, &rule.nulls, |(_, text)| {
            let Ok(text) = text else { return };
            if std::mem::replace(&mut some, true) {
                line.push(separator);
            }
            ambiguous |= text.contains(separator);
            line.push_str(text);
        });
        if some {
            self.text(origin, line.into_bump_str());
        }
        if ambiguous && self.lines.wanted() {
            let how = spelt(self.room, format_args!("elements of `{}` cannot be told apart again", rule.native.name()));
            self.lines.note(origin.place(), Finding::Lossy(how));
        }
    }

    fn text(&mut self, origin: &Origin<'_, 'b>, text: &'b str) {
        let target = &origin.rule.target;
        match target {
            Target::At(spot) => self.single(origin, spot, text),
            Target::Join { parts, joint } => match spelling::split(self.room, joint, text, parts.len()) {
                Err(kind) => self.problem(origin, target.first(), kind),
                Ok(texts) => {
                    for (spot, text) in parts.iter().zip(texts) {
                        if let (Some(spot), false) = (spot, trimmed(text).is_empty()) {
                            self.single(origin, spot, text);
                        }
                    }
                }
            },
            Target::Tuple { parts, column } => match row(column, text) {
                Err(kind) => self.problem(origin, target.first(), kind),
                Ok(None) => {}
                Ok(Some(row)) => {
                    for (spot, part) in parts.iter().zip(row.parts()) {
                        let value = last_field(spot).and_then(|field| code_value(self.room, column, row, part, &spot.leaf, field));
                        if let Some(value) = value {
                            self.puts.put(origin, spot, origin.at.unwrap_or(0), value);
                        }
                    }
                    self.lines.kept(origin.place());
                }
            },
        }
    }

    fn single(&mut self, origin: &Origin<'_, 'b>, spot: &'b Spot, text: &'b str) {
        let Some(field) = last_field(spot) else { return };
        let at = origin.at.unwrap_or(0);
        match (&origin.rule.spelling, &spot.leaf) {
            // Most texts stand for themselves, or for a code.
            (Spelling::Plain, Leaf::Text) => {
                self.puts.put(origin, spot, at, Value::Text(kept(self.room, din91379::normalise(text))));
                return self.lines.kept(origin.place());
            }
            (Spelling::Codes(column), Leaf::Coding) => {
                if let Ok(row) = column.to_canonical(text)
                    && !row.is_absent()
                {
                    self.puts.put(origin, spot, at, Value::Code(row));
                    return self.lines.kept(origin.place());
                }
            }
            _ => {}
        }
        match spelling::read(self.room, &origin.rule.spelling, &spot.leaf, field, text) {
            Ok(None) => {}
            Ok(Some(Said { value, loss })) => {
                self.puts.put(origin, spot, at, value);
                match loss {
                    Some(loss) => self.lines.note(origin.place(), Finding::Lossy(loss)),
                    None => self.lines.kept(origin.place()),
                }
            }
            Err(kind) => self.problem(origin, Some(spot), kind),
        }
    }

    /// Something is wrong with what was to be put at a spot.
    #[cold]
    fn problem(&mut self, origin: &Origin<'_, 'b>, spot: Option<&Spot>, kind: ProblemKind) {
        let canonical_path = origin.frame.spelt(spot.map(|spot| spot.steps.as_slice()).unwrap_or_default());
        self.problems.push(FieldProblem { path: origin.place().text(), canonical_path, kind });
    }
}

fn last_field(spot: &Spot) -> Option<&Field> {
    spot.steps.last().map(|step| &step.field)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use prost_reflect::{DynamicMessage, Value};

    use crate::dialect::{Dialects, ProblemKind};
    use prost::Message as _;

    #[test]
    fn a_year_that_comes_alone_is_looked_at_with_the_date_that_it_is_part_of() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/dialects/seven");
        let dialects = Dialects::of_folder(&folder).unwrap();
        let mut client = DynamicMessage::new(dialects.pool().get_message_by_name("seven.v1.Client").unwrap());
        let impossible = |client: &DynamicMessage| {
            let read = dialects.get("seven").unwrap().read("seven.v1.Client", &client.encode_to_vec());
            read.unwrap_err().problems().iter().any(|problem| problem.kind == ProblemKind::ImpossibleDate)
        };
        client.set_field_by_name("born_year", Value::I32(1991));
        assert!(!impossible(&client));
        client.set_field_by_name("born_year", Value::I32(12_345));
        assert!(impossible(&client));
    }
}
