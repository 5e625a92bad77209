// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a dialect's message to the canonical one.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};

use super::native::texts;
use super::{below, get, verify};
use crate::dialect::codelist::CodeLists;
use crate::dialect::hub::Leaf;
use crate::dialect::path::{Select, Step, spelt};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::report::{FieldProblem, Outcome, ProblemKind, Report};
use crate::dialect::spelling::{self, Said, code_value, plain_text, row};
use crate::dialect::value::list;

/// The canonical message, what became of each field, and everything that is wrong. With problems the message is not to be used.
pub(in crate::dialect) fn read(
    plan: &Plan,
    lists: &CodeLists,
    native: &DynamicMessage,
    verbose: bool,
) -> (DynamicMessage, Report, Vec<FieldProblem>) {
    let mut reader = Reader { verbose, report: Report::default(), problems: Vec::new(), writes: Vec::new() };
    reader.block(native, &plan.block, &[], "");
    let Reader { mut report, mut problems, writes, .. } = reader;

    let mut hub = DynamicMessage::new(plan.hub.message.clone());
    let mut origins = HashMap::new();
    let mut marks = HashMap::new();
    let (marking, plain): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(Write::marks);
    for write in plain.into_iter().chain(marking) {
        let Write { steps, value, origin, fallback } = write;
        if let Some(path) = place(&mut hub, &steps, value, fallback, "", &mut marks) {
            origins.insert(path, origin);
        } else {
            report.push(origin, Outcome::Dropped("another field says it already".to_owned()));
        }
    }
    report.fields.dedup();
    prune(&mut hub);
    for mut problem in verify(&plan.hub, lists, &hub, Some(&plan.mandatory)) {
        problem.path = origins.get(&problem.canonical_path).cloned().unwrap_or_default();
        problems.push(problem);
    }
    (hub, report, problems)
}

/// A value on its way to a place; selections are indices or keys.
struct Write {
    steps: Vec<Step>,
    value: Value,
    origin: String,
    fallback: bool,
}

impl Write {
    /// Whether it marks an element by a key; those come last, when the elements are there.
    fn marks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.select, Select::Key { .. }))
    }
}

struct Reader {
    verbose: bool,
    report: Report,
    problems: Vec<FieldProblem>,
    writes: Vec<Write>,
}

impl Reader {
    fn block(&mut self, native: &DynamicMessage, block: &Block, base: &[Step], path: &str) {
        for rule in &block.rules {
            match rule {
                Rule::Enter { field, to, each, block } => match get(native, field) {
                    Some(Value::Message(inside)) if !each => {
                        let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                        self.block(inside, block, &steps, &below(path, field.name()));
                    }
                    Some(Value::List(list)) if !each => {
                        let name = below(path, field.name());
                        if let Some(inside) = list.first().and_then(Value::as_message) {
                            let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                            self.block(inside, block, &steps, &format!("{name}[0]"));
                        }
                        for at in 1..list.len() {
                            self.report.push(format!("{name}[{at}]"), Outcome::Dropped("only the first one is read".to_owned()));
                        }
                    }
                    Some(Value::List(list)) => {
                        for (at, inside) in list.iter().filter_map(Value::as_message).enumerate() {
                            let steps = base.iter().cloned().chain(to.iter().map(|step| element(step, at))).collect::<Vec<_>>();
                            self.block(inside, block, &steps, &below(path, &format!("{}[{at}]", field.name())));
                        }
                    }
                    _ => {}
                },
                Rule::Constant { field, text, way } => {
                    let said = get(native, field).and_then(|value| plain_text(&Leaf::of(field), value));
                    if way.read && said.is_some_and(|said| !said.trim().is_empty() && said != *text) {
                        self.problem(below(path, field.name()), String::new(), ProblemKind::Malformed { expected: format!("`{text}`") });
                    }
                }
                Rule::Ignore { field, why } => {
                    if native.has_field(field) {
                        self.report.push(below(path, field.name()), Outcome::Dropped(why.clone()));
                    }
                }
                Rule::Value(rule) => self.value(native, rule, base, path),
            }
        }
        for unknown in native.unknown_fields() {
            let name = format!("field {}", unknown.number());
            self.report.push(below(path, &name), Outcome::Dropped("the dialect does not know this field".to_owned()));
        }
    }

    fn value(&mut self, native: &DynamicMessage, rule: &ValueRule, base: &[Step], path: &str) {
        let path = below(path, &rule.native.name());
        if !rule.way.read {
            if rule.native.fields().iter().any(|field| native.has_field(field)) {
                self.report.push(path, Outcome::Dropped("the field is only written by the gateway".to_owned()));
            }
            return;
        }
        if let (Spelling::Plain, Native::Field { field, carrier: None }, Target::At(spot)) = (&rule.spelling, &rule.native, &rule.target)
            && matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_) | Leaf::Timestamp | Leaf::PartialDate)
        {
            if let Some(value) = get(native, field) {
                for (at, value) in value.as_list().unwrap_or(std::slice::from_ref(value)).iter().enumerate() {
                    self.write(base, spot, at, value.clone(), &path, rule.fallback);
                }
            }
            return;
        }
        if let (Some(separator), [field]) = (rule.gather, rule.native.fields()) {
            let texts: Vec<String> = texts(native, &rule.native, None, &rule.nulls).into_iter().filter_map(|(_, text)| text.ok()).collect();
            if !texts.is_empty() {
                self.text(rule, base, 0, &texts.join(separator.to_string().as_str()), &path);
                if texts.iter().any(|text| text.contains(separator)) {
                    let how = format!("elements of `{}` cannot be told apart again", field.name());
                    self.report.push(path, Outcome::Lossy(how));
                }
            }
            return;
        }
        let column = rule.column();
        for (at, text) in texts(native, &rule.native, column.as_ref(), &rule.nulls) {
            let path = at.map_or_else(|| path.clone(), |at| format!("{path}[{at}]"));
            match text {
                Err(kind) => self.problem(path, canonical(base, &rule.target), kind),
                Ok(text) => match rule.list {
                    Some(separator) => {
                        let items = list::split(&text, separator);
                        for (at, item) in items.iter().filter(|item| !rule.nulls.is_null(item)).enumerate() {
                            self.text(rule, base, at, item, &format!("{path}[{at}]"));
                        }
                    }
                    None => self.text(rule, base, at.unwrap_or(0), &text, &path),
                },
            }
        }
    }

    fn text(&mut self, rule: &ValueRule, base: &[Step], at: usize, text: &str, path: &str) {
        match &rule.target {
            Target::At(spot) => self.single(&rule.spelling, rule.fallback, base, spot, at, text, path),
            Target::Join { parts, joint } => match spelling::split(joint, text, parts.len()) {
                Err(kind) => self.problem(path.to_owned(), canonical(base, &rule.target), kind),
                Ok(texts) => {
                    for (spot, text) in parts.iter().zip(texts) {
                        if let (Some(spot), false) = (spot, text.trim().is_empty()) {
                            self.single(&rule.spelling, rule.fallback, base, spot, at, &text, path);
                        }
                    }
                }
            },
            Target::Tuple { parts, column } => match row(column, text) {
                Err(kind) => self.problem(path.to_owned(), canonical(base, &rule.target), kind),
                Ok(None) => {}
                Ok(Some(row)) => {
                    for (spot, part) in parts.iter().zip(row.parts()) {
                        let value = last_field(spot).and_then(|field| code_value(column, row, part, &spot.leaf, field));
                        if let Some(value) = value {
                            self.write(base, spot, at, value, path, rule.fallback);
                        }
                    }
                    self.exact(path);
                }
            },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one value and where it comes from and goes to")]
    fn single(&mut self, spelling: &Spelling, fallback: bool, base: &[Step], spot: &Spot, at: usize, text: &str, path: &str) {
        let Some(field) = last_field(spot) else { return };
        match spelling::read(spelling, &spot.leaf, field, text) {
            Ok(None) => {}
            Ok(Some(Said { value, loss })) => {
                self.write(base, spot, at, value, path, fallback);
                match loss {
                    Some(loss) => self.report.push(path, Outcome::Lossy(loss.to_owned())),
                    None => self.exact(path),
                }
            }
            Err(kind) => {
                let canonical = base.iter().chain(&spot.steps).cloned().collect::<Vec<_>>();
                self.problem(path.to_owned(), spelt(&canonical), kind);
            }
        }
    }

    fn write(&mut self, base: &[Step], spot: &Spot, at: usize, value: Value, origin: &str, fallback: bool) {
        let steps = base.iter().cloned().chain(spot.steps.iter().map(|step| element(step, at))).collect();
        self.writes.push(Write { steps, value, origin: origin.to_owned(), fallback });
    }

    fn exact(&mut self, path: &str) {
        if self.verbose {
            self.report.push(path, Outcome::Exact);
        }
    }

    fn problem(&mut self, path: String, canonical_path: String, kind: ProblemKind) {
        self.problems.push(FieldProblem { path, canonical_path, kind });
    }
}

fn canonical(base: &[Step], target: &Target) -> String {
    let steps = target.spots().first().map(|spot| spot.steps.clone()).unwrap_or_default();
    spelt(&base.iter().cloned().chain(steps).collect::<Vec<_>>())
}

fn last_field(spot: &Spot) -> Option<&FieldDescriptor> {
    spot.steps.last().map(|step| &step.field)
}

/// The step for the element at an index of what is many.
fn element(step: &Step, at: usize) -> Step {
    match step.select {
        Select::From(from) => Step { field: step.field.clone(), select: Select::At(from + at) },
        _ => step.clone(),
    }
}

/// Puts a value in its place and returns the path; none if a fallback finds the place taken.
fn place(
    message: &mut DynamicMessage,
    steps: &[Step],
    value: Value,
    fallback: bool,
    base: &str,
    marks: &mut HashMap<String, usize>,
) -> Option<String> {
    let (step, rest) = steps.split_first()?;
    let name = below(base, step.field.name());
    let (index, path) = match &step.select {
        Select::One => (None, name),
        Select::At(at) | Select::From(at) => (Some(*at), format!("{name}[{at}]")),
        Select::Key { field, value: key, text } => {
            let mark = format!("{name}[{}={text}]", field.name());
            let at = match marks.get(&mark) {
                Some(at) => *at,
                None => find(message, step, rest, field, key, &value),
            };
            marks.insert(mark, at);
            (Some(at), format!("{name}[{at}]"))
        }
    };
    let Some(at) = index else {
        if rest.is_empty() {
            if fallback && message.has_field(&step.field) {
                return None;
            }
            return message.try_set_field(&step.field, value).is_ok().then_some(path);
        }
        return place(message.get_field_mut(&step.field).as_message_mut()?, rest, value, fallback, &path, marks);
    };
    let kind = step.field.kind();
    let list = message.get_field_mut(&step.field).as_list_mut()?;
    let taken = at < list.len();
    while list.len() <= at {
        list.push(Value::default_value(&kind));
    }
    let element = list.get_mut(at)?;
    if rest.is_empty() {
        if fallback && taken && !element.is_default(&kind) {
            return None;
        }
        *element = value;
        return Some(path);
    }
    let inside = element.as_message_mut()?;
    if let Select::Key { field, value: key, .. } = &step.select {
        inside.try_set_field(field, key.clone()).ok()?;
    }
    place(inside, rest, value, fallback, &path, marks)
}

/// The element that a key is about: one that says the same and has no key yet, one that has the key and not yet this, or a new one.
fn find(message: &DynamicMessage, step: &Step, rest: &[Step], field: &FieldDescriptor, key: &Value, value: &Value) -> usize {
    let list = message.get_field(&step.field);
    let elements = list.as_list().unwrap_or_default();
    let has = |wanted: &dyn Fn(&DynamicMessage) -> bool| elements.iter().position(|one| one.as_message().is_some_and(wanted));
    has(&|one| !one.has_field(field) && at(one, rest) == Some(value))
        .or_else(|| has(&|one| one.get_field(field).as_ref() == key && at(one, rest).is_none_or(|there| there == value)))
        .unwrap_or(elements.len())
}

/// The value at a place without selections.
fn at<'a>(message: &'a DynamicMessage, steps: &[Step]) -> Option<&'a Value> {
    let (step, rest) = steps.split_first()?;
    let value = get(message, &step.field)?;
    if rest.is_empty() { Some(value) } else { at(value.as_message()?, rest) }
}

/// Takes out messages with nothing inside: elements that an index made necessary, containers whose fields all said nothing.
fn prune(message: &mut DynamicMessage) {
    // 1 January 1970 is a Timestamp with nothing inside.
    let empty = |message: &DynamicMessage| {
        message.descriptor().full_name() != "google.protobuf.Timestamp"
            && message.fields().next().is_none()
            && message.unknown_fields().next().is_none()
    };
    let mut cleared = Vec::new();
    for (field, value) in message.fields_mut() {
        match value {
            Value::Message(inside) => {
                prune(inside);
                if empty(inside) {
                    cleared.push(field);
                }
            }
            Value::List(list) => {
                list.iter_mut().filter_map(Value::as_message_mut).for_each(prune);
                list.retain(|value| value.as_message().is_none_or(|inside| !empty(inside)));
            }
            _ => {}
        }
    }
    for field in cleared {
        message.clear_field(&field);
    }
}
