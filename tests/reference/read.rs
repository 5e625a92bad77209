// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a dialect's message to the canonical one.

use super::line;
use std::borrow::Cow;
use std::collections::HashMap;

use super::message::{Message, Value};
use super::native::texts;
use super::path::Path;
use super::spelling::{self, Said, code_value, plain_text, row};
use super::verify::verify;
use crate::dialect::codelist::CodeLists;
use crate::dialect::hub::Leaf;
use crate::dialect::message::Field;
use crate::dialect::path::{Select, Step};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::report::{FieldProblem, Outcome, ProblemKind, Report};
use crate::dialect::translate::Detail;
use crate::dialect::value::list;

/// The canonical message, what became of each field, and everything that is wrong. With problems the message is not to be used.
pub(super) fn read<'a>(plan: &'a Plan, lists: &CodeLists, native: &'a Message<'a>, detail: Detail) -> (Message<'a>, Report, Vec<FieldProblem>) {
    let Reader { mut report, mut problems, mut hub, .. } = run(plan, native, detail, None);
    hub.prune(&plan.hub.message);
    let wrong = verify(&plan.hub, lists, &hub, Some(&plan.mandatory));
    if !wrong.is_empty() {
        // Read once more, now noting which field each place came from: most messages never need to know.
        let origins = run(plan, native, Detail::None, Some(HashMap::new())).origins.unwrap_or_default();
        problems.extend(wrong.into_iter().map(|problem| {
            let path = origins.get(&problem.canonical_path).cloned().unwrap_or_default();
            FieldProblem { path, ..problem }
        }));
    }
    report.fields.dedup();
    (hub, report, problems)
}

fn run<'a>(plan: &'a Plan, native: &'a Message<'a>, detail: Detail, origins: Option<HashMap<String, String>>) -> Reader<'a> {
    let mut reader = Reader {
        detail,
        report: Report::default(),
        problems: Vec::new(),
        hub: Message::with_capacity(16),
        hops: Vec::new(),
        marking: Vec::new(),
        marks: HashMap::new(),
        refused: Vec::new(),
        origins,
    };
    reader.block(native, &plan.block, &Path::TOP);
    for write in std::mem::take(&mut reader.marking) {
        reader.put(&write.hops, write.value, write.fallback, || write.origin);
    }
    for path in std::mem::take(&mut reader.refused) {
        reader.note(|| path, || Outcome::Dropped("another field says it already".into()));
    }
    reader
}

/// A step on the way to a value: the element at an index where there are many.
#[derive(Clone, Copy)]
struct Hop<'a> {
    step: &'a Step,
    at: usize,
}

impl<'a> Hop<'a> {
    /// `at` counts the elements of what is many.
    fn new(step: &'a Step, at: usize) -> Self {
        let at = match step.select {
            Select::At(at) => at,
            Select::From(from) => from + at,
            Select::One | Select::Key { .. } => 0,
        };
        Self { step, at }
    }
}

/// A value on its way to an element that it marks by a key; those come last, when the elements are there.
struct Marking<'a> {
    hops: Vec<Hop<'a>>,
    value: Value<'a>,
    origin: String,
    fallback: bool,
}

struct Reader<'a> {
    detail: Detail,
    report: Report,
    problems: Vec<FieldProblem>,
    hub: Message<'a>,
    /// The way to the place of the hub where the message that is being read stands.
    hops: Vec<Hop<'a>>,
    marking: Vec<Marking<'a>>,
    /// Elements that keys have marked: path with the key, index.
    marks: HashMap<String, usize>,
    /// Fields that found their place taken.
    refused: Vec<String>,
    /// Which field of the dialect each place came from, if that is asked for.
    origins: Option<HashMap<String, String>>,
}

impl<'a> Reader<'a> {
    fn block(&mut self, native: &'a Message<'a>, block: &'a Block, path: &Path<'_>) {
        for rule in &block.rules {
            match rule {
                Rule::Enter { field, to, each, block } => match native.get(field) {
                    Some(Value::Message(inside)) if !each => self.enter(inside, to, 0, block, &path.below(field.name(), None)),
                    Some(Value::List(list)) if !each => {
                        if let Some(inside) = list.first().and_then(Value::as_message) {
                            self.enter(inside, to, 0, block, &path.below(field.name(), Some(0)));
                        }
                        for at in 1..list.len() {
                            self.note(|| path.below(field.name(), Some(at)).text(), || Outcome::Dropped("only the first one is read".into()));
                        }
                    }
                    Some(Value::List(list)) => {
                        for (at, inside) in list.iter().filter_map(Value::as_message).enumerate() {
                            self.enter(inside, to, at, block, &path.below(field.name(), Some(at)));
                        }
                    }
                    _ => {}
                },
                Rule::Constant { field, text, way } => {
                    let said = native.get(field).filter(|_| way.read).and_then(|value| plain_text(field.leaf(), value));
                    if said.is_some_and(|said| !said.trim().is_empty() && said != text.as_str()) {
                        self.problem(&path.below(field.name(), None), String::new(), ProblemKind::Malformed { expected: format!("`{text}`") });
                    }
                }
                Rule::Ignore { field, why } => {
                    if native.has(field) {
                        self.note(|| path.below(field.name(), None).text(), || Outcome::Dropped(why.clone().into()));
                    }
                }
                Rule::Value(rule) => self.value(native, rule, &path.below(&rule.name, None)),
            }
        }
        for unknown in native.unknown() {
            let path = || path.below(&format!("field {unknown}"), None).text();
            self.note(path, || Outcome::Dropped("the dialect does not know this field".into()));
        }
    }

    fn enter(&mut self, inside: &'a Message<'a>, to: &'a [Step], at: usize, block: &'a Block, path: &Path<'_>) {
        let before = self.hops.len();
        self.hops.extend(to.iter().map(|step| Hop::new(step, at)));
        self.block(inside, block, path);
        self.hops.truncate(before);
    }

    fn value(&mut self, native: &'a Message<'a>, rule: &'a ValueRule, path: &Path<'_>) {
        if !rule.way.read {
            if rule.native.fields().iter().any(|field| native.has(field)) {
                self.note(|| path.text(), || Outcome::Dropped("the field is only written by the gateway".into()));
            }
            return;
        }
        if let (Spelling::Plain, Native::Field { field, carrier: None }, Target::At(spot)) = (&rule.spelling, &rule.native, &rule.target)
            && matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_) | Leaf::Timestamp | Leaf::PartialDate)
        {
            if let Some(value) = native.get(field) {
                for (at, value) in value.elements().iter().enumerate() {
                    self.write(spot, at, value.clone(), path, rule.fallback);
                }
            }
            return;
        }
        if let (Some(separator), [field]) = (rule.gather, rule.native.fields()) {
            let texts: Vec<Cow<'_, str>> = texts(native, &rule.native, None, &rule.nulls).into_iter().filter_map(|(_, text)| text.ok()).collect();
            if !texts.is_empty() {
                self.text(rule, 0, texts.join(separator.to_string().as_str()).into(), path);
                if texts.iter().any(|text| text.contains(separator)) {
                    let how = || Outcome::Lossy(format!("elements of `{}` cannot be told apart again", field.name()).into());
                    self.note(|| path.text(), how);
                }
            }
            return;
        }
        for (at, text) in texts(native, &rule.native, rule.column(), &rule.nulls) {
            let path = path.element(at);
            match text {
                Err(kind) => self.problem(&path, self.canonical(&rule.target), kind),
                Ok(text) => match rule.list {
                    Some(separator) => {
                        let items = list::split(&text, separator)
                            .map(Cow::into_owned)
                            .filter(|item| !rule.nulls.is_null(item))
                            .collect::<Vec<_>>()
                            .into_iter();
                        for (at, item) in items.enumerate() {
                            self.text(rule, at, item.into(), &path.element(Some(at)));
                        }
                    }
                    None => self.text(rule, at.unwrap_or(0), text, &path),
                },
            }
        }
    }

    fn text(&mut self, rule: &'a ValueRule, at: usize, text: Cow<'a, str>, path: &Path<'_>) {
        match &rule.target {
            Target::At(spot) => self.single(rule, spot, at, text, path),
            Target::Join { parts, joint } => match spelling::split(joint, &text, parts.len()) {
                Err(kind) => self.problem(path, self.canonical(&rule.target), kind),
                Ok(texts) => {
                    for (spot, text) in parts.iter().zip(texts) {
                        if let (Some(spot), false) = (spot, text.trim().is_empty()) {
                            self.single(rule, spot, at, text.into(), path);
                        }
                    }
                }
            },
            Target::Tuple { parts, column } => match row(column, &text) {
                Err(kind) => self.problem(path, self.canonical(&rule.target), kind),
                Ok(None) => {}
                Ok(Some(row)) => {
                    for (spot, part) in parts.iter().zip(row.parts()) {
                        let value = last_field(spot).and_then(|field| code_value(column, row, part, &spot.leaf, field));
                        if let Some(value) = value {
                            self.write(spot, at, value, path, rule.fallback);
                        }
                    }
                    self.exact(path);
                }
            },
        }
    }

    fn single(&mut self, rule: &'a ValueRule, spot: &'a Spot, at: usize, text: Cow<'a, str>, path: &Path<'_>) {
        let Some(field) = last_field(spot) else { return };
        match spelling::read(&rule.spelling, &spot.leaf, field, text) {
            Ok(None) => {}
            Ok(Some(Said { value, loss })) => {
                self.write(spot, at, value, path, rule.fallback);
                match loss {
                    Some(loss) => self.note(|| path.text(), || Outcome::Lossy(loss.into())),
                    None => self.exact(path),
                }
            }
            Err(kind) => self.problem(path, self.spelt(&spot.steps), kind),
        }
    }

    fn write(&mut self, spot: &'a Spot, at: usize, value: Value<'a>, origin: &Path<'_>, fallback: bool) {
        let mut hops = std::mem::take(&mut self.hops);
        let before = hops.len();
        hops.extend(spot.steps.iter().map(|step| Hop::new(step, at)));
        if hops.iter().any(|hop| matches!(hop.step.select, Select::Key { .. })) {
            self.marking.push(Marking { hops: hops.clone(), value, origin: origin.text(), fallback });
        } else {
            self.put(&hops, value, fallback, || origin.text());
        }
        hops.truncate(before);
        self.hops = hops;
    }

    fn put(&mut self, hops: &[Hop<'a>], value: Value<'a>, fallback: bool, origin: impl FnOnce() -> String) {
        let mut path = self.origins.is_some().then(String::new);
        if place(&mut self.hub, hops, value, fallback, &Path::TOP, &mut self.marks, &mut path).is_none() {
            self.refused.push(origin());
        } else if let (Some(origins), Some(path)) = (&mut self.origins, path) {
            origins.insert(path, origin());
        }
    }

    fn exact(&mut self, path: &Path<'_>) {
        if self.detail == Detail::All {
            line(&mut self.report, path.text(), Outcome::Exact);
        }
    }

    /// A line of the report, made only if somebody reads it.
    fn note(&mut self, path: impl FnOnce() -> String, outcome: impl FnOnce() -> Outcome) {
        if self.detail > Detail::None {
            line(&mut self.report, path(), outcome());
        }
    }

    fn problem(&mut self, path: &Path<'_>, canonical_path: String, kind: ProblemKind) {
        self.problems.push(FieldProblem { path: path.text(), canonical_path, kind });
    }

    fn canonical(&self, target: &Target) -> String {
        self.spelt(target.first().map(|spot| spot.steps.as_slice()).unwrap_or_default())
    }

    /// A place below the message that is being read, as mappings spell it.
    fn spelt(&self, steps: &[Step]) -> String {
        let above = self.hops.iter().map(|hop| match hop.step.select {
            Select::From(_) => format!("{}[{}]", hop.step.field.name(), hop.at),
            _ => hop.step.to_string(),
        });
        above.chain(steps.iter().map(ToString::to_string)).collect::<Vec<_>>().join(".")
    }
}

fn last_field(spot: &Spot) -> Option<&Field> {
    spot.steps.last().map(|step| &step.field)
}

/// Puts a value in its place, and notes the path if that is asked for; none if a fallback finds the place taken.
fn place<'a>(
    message: &mut Message<'a>,
    hops: &[Hop<'a>],
    value: Value<'a>,
    fallback: bool,
    base: &Path<'_>,
    marks: &mut HashMap<String, usize>,
    noted: &mut Option<String>,
) -> Option<()> {
    let (Hop { step, at }, rest) = hops.split_first()?;
    let field = &step.field;
    let at = match &step.select {
        Select::One => {
            let path = base.below(field.name(), None);
            if !rest.is_empty() {
                let Value::Message(inside) = message.entry(field)? else { return None };
                return place(inside, rest, value, fallback, &path, marks, noted);
            }
            if fallback && message.has(field) {
                return None;
            }
            message.set(field, value);
            note(noted, &path);
            return Some(());
        }
        Select::At(_) | Select::From(_) => *at,
        Select::Key { field: key, wanted, text } => {
            let wanted = &Value::wanted(wanted, text);
            let mark = format!("{}[{}={text}]", base.below(field.name(), None).text(), key.name());
            let at = marks.get(&mark).copied().unwrap_or_else(|| find(message, step, rest, key, wanted, &value));
            marks.insert(mark, at);
            at
        }
    };
    let path = base.below(field.name(), Some(at));
    let Value::List(list) = message.entry(field)? else { return None };
    let taken = at < list.len();
    while list.len() <= at {
        list.push(Value::default_of(field));
    }
    let element = list.get_mut(at)?;
    if rest.is_empty() {
        if fallback && taken && !element.is_default() {
            return None;
        }
        *element = value;
        note(noted, &path);
        return Some(());
    }
    let Value::Message(inside) = element else { return None };
    if let Select::Key { field: key, wanted, text } = &step.select {
        inside.set(key, Value::wanted(wanted, text));
    }
    place(inside, rest, value, fallback, &path, marks, noted)
}

fn note(noted: &mut Option<String>, path: &Path<'_>) {
    if let Some(noted) = noted {
        *noted = path.text();
    }
}

/// The element that a key is about: one that says the same and has no key yet, one that has the key and not yet this, or a new one.
fn find(message: &Message<'_>, step: &Step, rest: &[Hop<'_>], key: &Field, wanted: &Value<'_>, value: &Value<'_>) -> usize {
    let elements = message.get(&step.field).and_then(Value::as_list).unwrap_or_default();
    let has = |wanted: &dyn Fn(&Message<'_>) -> bool| elements.iter().position(|one| one.as_message().is_some_and(wanted));
    has(&|one| !one.has(key) && at(one, rest) == Some(value))
        .or_else(|| has(&|one| one.says(key, wanted) && at(one, rest).is_none_or(|there| there == value)))
        .unwrap_or(elements.len())
}

/// The value at a place without selections.
fn at<'m, 'a>(message: &'m Message<'a>, hops: &[Hop<'_>]) -> Option<&'m Value<'a>> {
    let (hop, rest) = hops.split_first()?;
    let value = message.get(&hop.step.field)?;
    if rest.is_empty() { Some(value) } else { at(value.as_message()?, rest) }
}
