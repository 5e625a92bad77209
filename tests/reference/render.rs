// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the canonical message to a dialect's.

use super::line;
use std::borrow::Cow;

use super::message::{Message, Value};
use super::native::carry;
use super::path::{Id, Path, Places, TOP};
use super::spelling::{self, MERGED, Said, native_value, no_word, plain_text};
use crate::dialect::hub::{Leaf, Shape};
use crate::dialect::message::{Field, Scalar};
use crate::dialect::path::{Select, Step, spelt};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::report::{FieldProblem, FieldReport, Outcome, ProblemKind, Report};
use crate::dialect::translate::{Detail, below};
use crate::dialect::value::list;

/// The dialect's message, what became of each canonical field, and mandatory fields that it has no word for.
/// `hub` is already minimised; `block` is the plan's for the same mask.
pub(super) fn render<'a>(plan: &'a Plan, block: &'a Block, hub: &'a Message<'a>, detail: Detail) -> (Message<'a>, Report, Vec<FieldProblem>) {
    let mut renderer = Renderer { detail, lines: Vec::new(), problems: Vec::new(), places: Places::new(), found: Vec::new(), texts: Vec::new() };
    let mut native = Message::with_capacity(block.rules.len());
    renderer.block(&mut native, block, hub, TOP, true);
    let Renderer { lines, problems, places, .. } = renderer;
    // What one field says less of, another may have said in full: a search form beside the name.
    let partial = |outcome: &Outcome| matches!(outcome, Outcome::Lossy(_) | Outcome::Unmappable(_));
    let lines = lines.into_iter().filter(|(line, outcome)| !(partial(outcome) && matches!(line, Line::At(id) if places.is_exact(*id))));
    let path = |line| match line {
        Line::At(id) => places.text(id),
        Line::Spelt(text) => text,
    };
    let mut report = Report { fields: lines.map(|(line, outcome)| FieldReport { path: path(line), outcome }).collect() };
    let problems = problems.into_iter().filter(|problem| !problem.canonical.is_some_and(|id| places.is_exact(id)));
    let problem = |problem: Problem| {
        let canonical_path = problem.canonical.map(|id| places.text(id)).unwrap_or_default();
        FieldProblem { path: problem.path, canonical_path, kind: ProblemKind::Unmappable }
    };
    let problems = problems.map(problem).collect();
    if detail > Detail::None {
        dropped(&plan.hub, hub, &Path::TOP, Some(TOP), &places, &mut report);
    }
    (native, report, problems)
}

/// Reports every field that is set and was not used.
fn dropped(shape: &Shape, message: &Message<'_>, path: &Path<'_>, id: Option<Id>, places: &Places<'_>, report: &mut Report) {
    let gone = || Outcome::Dropped("the dialect has no place for it".into());
    for field in &shape.fields {
        let Some(value) = message.get(&field.field) else { continue };
        let list = value.as_list().is_some();
        for (at, value) in value.elements().iter().enumerate() {
            let at = list.then_some(at);
            let path = path.below(field.field.name(), at);
            let id = id.and_then(|id| places.known(id, field.field.number(), at));
            if id.is_some_and(|id| places.is_used(id)) {
                continue;
            }
            match (&field.inner, value) {
                (Some(inner), Value::Message(inside)) => dropped(inner, inside, &path, id, places, report),
                (None, Value::Message(inside)) => {
                    // A date of which only the year was taken.
                    let used = |number| id.and_then(|id| places.known(id, number, None)).is_some_and(|id| places.is_used(id));
                    if inside.known().any(|(number, _)| used(number)) {
                        let kind = field.field.kind();
                        let name = |number| Some(kind.as_message()?.get_field(number)?.name().to_owned());
                        for part in inside.known().filter(|(number, _)| !used(*number)).filter_map(|(number, _)| name(number)) {
                            line(report, path.below(&part, None).text(), gone());
                        }
                    } else {
                        line(report, path.text(), gone());
                    }
                }
                _ => line(report, path.text(), gone()),
            }
        }
    }
    for unknown in message.unknown() {
        let path = path.below(&format!("field {unknown}"), None).text();
        line(report, path, Outcome::Dropped("the contract does not know this field".into()));
    }
}

/// What a line of the report is about.
enum Line {
    At(Id),
    /// A place that nothing was found at, as mappings spell it.
    Spelt(String),
}

/// A mandatory field without a word.
struct Problem {
    path: String,
    canonical: Option<Id>,
}

struct Renderer<'a> {
    detail: Detail,
    lines: Vec<(Line, Outcome)>,
    problems: Vec<Problem>,
    /// Canonical places that were found; used and exact ones are marked.
    places: Places<'a>,
    /// Room for what one rule finds and for its texts, used again for the next.
    found: Vec<Found<'a>>,
    texts: Vec<Cow<'a, str>>,
}

/// A canonical value with its place and those of the keys by which it was found.
struct Found<'a> {
    place: Id,
    keys: Vec<Id>,
    value: &'a Value<'a>,
}

impl Found<'_> {
    fn places(self) -> impl Iterator<Item = Id> {
        std::iter::once(self.place).chain(self.keys)
    }
}

impl<'a> Renderer<'a> {
    /// Whether anything of the hub was written.
    fn block(&mut self, native: &mut Message<'a>, block: &'a Block, hub: &'a Message<'a>, base: Id, top: bool) -> bool {
        let mut wrote = false;
        let mut extras: Vec<(&Field, &'a str, Option<&Spot>)> = Vec::new();
        for rule in &block.rules {
            match rule {
                Rule::Enter { field, to, each: false, block } => {
                    let Some((inside, place, keys)) = self.target(hub, to, base) else { continue };
                    let mut message = Message::with_capacity(block.rules.len());
                    if self.block(&mut message, block, inside, place, false) {
                        wrote = true;
                        keys.into_iter().for_each(|key| self.places.used(key));
                        let message = Value::Message(message);
                        native.set(field, if field.is_list() { Value::List(vec![message]) } else { message });
                    }
                }
                Rule::Enter { field, to, each: true, block } => {
                    let mut elements = Vec::new();
                    for found in self.find(hub, to, base) {
                        let Some(inside) = found.value.as_message() else { continue };
                        let mut message = Message::default();
                        if self.block(&mut message, block, inside, found.place, false) {
                            elements.push(Value::Message(message));
                        }
                    }
                    if !elements.is_empty() {
                        wrote = true;
                        native.set(field, Value::List(elements));
                    }
                }
                Rule::Constant { field, text, way } if way.render => extras.push((field, text, None)),
                Rule::Value(rule) if rule.way.render => {
                    if self.value(native, rule, hub, base) {
                        wrote = true;
                    } else if let (Some(default), [field]) = (&rule.default, rule.native.fields())
                        && !native.has(field)
                    {
                        extras.push((field, default, rule.target.first()));
                    }
                }
                Rule::Constant { .. } | Rule::Value(_) | Rule::Ignore { .. } => {}
            }
        }
        if wrote || top {
            for (field, text, defaulted) in extras {
                if let Some(value) = native_value(field, Cow::Borrowed(text)) {
                    native.set(field, value);
                    if let (Some(spot), true) = (defaulted, self.detail > Detail::None) {
                        let path = below(&self.places.text(base), &spelt(&spot.steps));
                        self.lines.push((Line::Spelt(path), Outcome::Defaulted));
                    }
                }
            }
        }
        wrote
    }

    fn value(&mut self, native: &mut Message<'a>, rule: &'a ValueRule, hub: &'a Message<'a>, base: Id) -> bool {
        match &rule.target {
            Target::At(spot) => {
                let mut found = std::mem::take(&mut self.found);
                self.seek(hub, &spot.steps, base, &mut found);
                if matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_))
                    || matches!((&spot.leaf, &rule.spelling), (Leaf::Timestamp | Leaf::PartialDate, Spelling::Plain))
                {
                    let copied = self.copy(native, rule, found.drain(..));
                    self.found = found;
                    return copied;
                }
                let no_day = |value: &Value<'_>| spelling::day_of(value).is_ok_and(|day| day.day() == 0);
                let mut texts = std::mem::take(&mut self.texts);
                for Found { place, mut keys, value } in found.drain(..) {
                    if rule.full_date_only && spot.leaf == Leaf::PartialDate && no_day(value) {
                        continue;
                    }
                    let said = spelling::write(&rule.spelling, &spot.leaf, value);
                    let text = if keys.is_empty() {
                        self.said(rule, spot, &[place], said)
                    } else {
                        keys.insert(0, place);
                        self.said(rule, spot, &keys, said)
                    };
                    match (text, rule.gather) {
                        (None, _) => {}
                        (Some(text), Some(separator)) => {
                            texts.extend(text.split(separator).filter(|text| !text.trim().is_empty()).map(|text| Cow::Owned(text.to_owned())));
                        }
                        (Some(text), None) => texts.push(text),
                    }
                }
                let wrote = self.put(native, rule, &mut texts);
                texts.clear();
                (self.found, self.texts) = (found, texts);
                wrote
            }
            Target::Join { parts, joint } => {
                let (mut texts, mut places) = (Vec::with_capacity(parts.len()), Vec::new());
                for spot in parts {
                    let found = spot.as_ref().and_then(|spot| Some((spot, self.first(hub, &spot.steps, base)?)));
                    let text = found.as_ref().and_then(|(spot, found)| plain_text(&spot.leaf, found.value));
                    texts.push(text.unwrap_or_default());
                    places.extend(found.into_iter().flat_map(|(_, found)| found.places()));
                }
                let Some(spot) = parts.iter().flatten().next() else { return false };
                if texts.iter().all(|text| text.is_empty()) {
                    return false;
                }
                let said = spelling::join(joint, &texts);
                // A line that nobody can take apart again is worse than none: it would be refused on its way back.
                let readable = !rule.way.read || spelling::split(joint, &said.value, parts.len()).is_ok();
                let said = if readable { Ok(said.map(Cow::Owned)) } else { Err("the parts cannot be told apart again".to_owned()) };
                let text = self.said(rule, spot, &places, said);
                self.put(native, rule, &mut text.into_iter().collect())
            }
            Target::Tuple { parts, column } => {
                let mut places = Vec::new();
                let mut codes = Vec::with_capacity(parts.len());
                for spot in parts {
                    let found = self.first(hub, &spot.steps, base);
                    let empty = if matches!(spot.leaf, Leaf::Bool) { "false" } else { "" };
                    let code = found.as_ref().map(|found| spelling::code_of(column, &spot.leaf, found.value));
                    codes.push(code.and_then(Result::ok).unwrap_or(Cow::Borrowed(empty)));
                    places.extend(found.into_iter().flat_map(Found::places));
                }
                let Some(spot) = parts.first() else { return false };
                if places.is_empty() {
                    return false;
                }
                let codes: Vec<&str> = codes.iter().map(|code| &**code).collect();
                let said = column.to_dialect_parts(&codes).map(|image| Said::lossy_if(image.lossy, Cow::Borrowed(image.value), MERGED));
                let text = self.said(rule, spot, &places, said.ok_or_else(|| no_word(column)));
                self.put(native, rule, &mut text.into_iter().collect())
            }
        }
    }

    fn copy(&mut self, native: &mut Message<'a>, rule: &'a ValueRule, found: impl ExactSizeIterator<Item = Found<'a>>) -> bool {
        let [field] = rule.native.fields() else { return false };
        let mut values = Vec::with_capacity(found.len());
        for found in found {
            self.exact(found.place);
            self.places.used(found.place);
            values.push(found.value.clone());
        }
        let value = if field.is_list() { (!values.is_empty()).then_some(Value::List(values)) } else { values.into_iter().next() };
        value.is_some_and(|value| {
            native.set(field, value);
            true
        })
    }

    /// Notes what became of the canonical fields behind one text; gives back the text that may be written.
    fn said(&mut self, rule: &ValueRule, spot: &Spot, places: &[Id], said: Result<Said<Cow<'a, str>>, String>) -> Option<Cow<'a, str>> {
        let checked = said.and_then(|mut said| {
            if rule.nulls.is_null(&said.value) {
                return Err("it reads as nothing stated there".to_owned());
            }
            if let Some(width) = rule.width
                && said.value.len() > width
                && let Some((end, _)) = said.value.char_indices().nth(width)
            {
                said.value.to_mut().truncate(end);
                said.loss = Some("cut at the width of the field");
            }
            // A number field that cannot hold the text; a single text stands for itself.
            match (&rule.native, rule.list) {
                (Native::Field { field, carrier: None }, None) if !holds(field, &said.value) => Err("the field cannot hold it".to_owned()),
                (Native::Merge { fields, by }, _) if parts(&said.value, by, fields).is_none() => {
                    Err("it does not come apart into the fields".to_owned())
                }
                _ => Ok(said),
            }
        });
        places.iter().for_each(|place| self.places.used(*place));
        match checked {
            Ok(said) => {
                for place in places {
                    match said.loss {
                        Some(loss) if self.detail > Detail::None => self.lines.push((Line::At(*place), Outcome::Lossy(loss.into()))),
                        Some(_) => {}
                        None => self.exact(*place),
                    }
                }
                Some(said.value)
            }
            Err(why) => {
                if self.detail > Detail::None {
                    self.lines.extend(places.iter().map(|place| (Line::At(*place), Outcome::Unmappable(why.clone().into()))));
                }
                if spot.mandatory {
                    self.problems.push(Problem { path: rule.name.clone(), canonical: places.first().copied() });
                }
                None
            }
        }
    }

    /// Writes the texts, and takes them for that; whether there were any.
    fn put(&mut self, native: &mut Message<'a>, rule: &'a ValueRule, texts: &mut Vec<Cow<'a, str>>) -> bool {
        if texts.is_empty() {
            return false;
        }
        match &rule.native {
            Native::Merge { fields, by } => {
                let Some(texts) = texts.first().and_then(|text| parts(text, by, fields)) else { return false };
                for (field, value) in fields.iter().zip(texts) {
                    if let Some(value) = value {
                        native.set(field, value);
                    }
                }
            }
            Native::Field { field, carrier } => {
                let value = |text: Cow<'a, str>| match (carrier, rule.column()) {
                    (Some(carrier), Some(column)) => Some(carry(carrier, column, column.to_canonical(&text).ok(), text)),
                    _ => native_value(field, text),
                };
                let value = match rule.list {
                    Some(separator) => Some(Value::Text(Cow::Owned(joined(texts, separator)))),
                    None if field.is_list() => Some(Value::List(texts.drain(..).filter_map(value).collect())),
                    None => texts.drain(..).next().and_then(value),
                };
                if let Some(value) = value {
                    native.set(field, value);
                }
            }
        }
        true
    }

    fn exact(&mut self, place: Id) {
        if self.places.exact(place) && self.detail == Detail::All {
            self.lines.push((Line::At(place), Outcome::Exact));
        }
    }

    /// The message at a place, its place, and those of the keys by which it was found.
    fn target(&mut self, hub: &'a Message<'a>, to: &'a [Step], base: Id) -> Option<(&'a Message<'a>, Id, Vec<Id>)> {
        if to.is_empty() {
            return Some((hub, base, Vec::new()));
        }
        let found = self.first(hub, to, base)?;
        Some((found.value.as_message()?, found.place, found.keys))
    }

    /// The first value at a place.
    fn first(&mut self, message: &'a Message<'a>, steps: &'a [Step], base: Id) -> Option<Found<'a>> {
        let mut found = std::mem::take(&mut self.found);
        self.seek(message, steps, base, &mut found);
        let first = found.drain(..).next();
        self.found = found;
        first
    }

    /// The values at a place, in order.
    fn find(&mut self, message: &'a Message<'a>, steps: &'a [Step], base: Id) -> Vec<Found<'a>> {
        let mut out = Vec::new();
        self.seek(message, steps, base, &mut out);
        out
    }

    fn seek(&mut self, message: &'a Message<'a>, steps: &'a [Step], base: Id, out: &mut Vec<Found<'a>>) {
        let Some((step, rest)) = steps.split_first() else { return };
        let Some(value) = message.get(&step.field) else { return };
        let list = value.as_list().unwrap_or_default();
        let before = out.len();
        match &step.select {
            Select::One => self.reach(value, step, None, rest, base, out),
            Select::At(at) => list.get(*at).into_iter().for_each(|value| self.reach(value, step, Some(*at), rest, base, out)),
            Select::From(from) => {
                list.iter().enumerate().skip(*from).for_each(|(at, value)| self.reach(value, step, Some(at), rest, base, out));
            }
            Select::Key { field, wanted, text } => {
                let key = &Value::wanted(wanted, text);
                let has = |value: &Value<'_>| value.as_message().is_some_and(|one| one.says(field, key));
                let Some((at, value)) = list.iter().enumerate().find(|(_, value)| has(value)) else { return };
                self.reach(value, step, Some(at), rest, base, out);
                if out.len() > before {
                    let element = self.places.below(base, &step.field, Some(at));
                    let key = self.places.below(element, field, None);
                    out.iter_mut().skip(before).for_each(|found| found.keys.push(key));
                }
            }
        }
    }

    fn reach(&mut self, value: &'a Value<'a>, step: &'a Step, at: Option<usize>, rest: &'a [Step], base: Id, out: &mut Vec<Found<'a>>) {
        let inside = value.as_message().filter(|_| !rest.is_empty());
        if rest.is_empty() || inside.is_some() {
            let place = self.places.below(base, &step.field, at);
            match inside {
                Some(inside) => self.seek(inside, rest, place, out),
                None => out.push(Found { place, keys: Vec::new(), value }),
            }
        }
    }
}

/// Whether a field can hold a text.
fn holds(field: &Field, text: &str) -> bool {
    field.scalar() == Scalar::Text || native_value(field, Cow::Borrowed(text)).is_some()
}

/// A joined text as values of the merged fields; none if it has not as many parts or one does not fit. An empty part sets nothing.
fn parts<'a>(text: &str, by: &str, fields: &[Field]) -> Option<Vec<Option<Value<'a>>>> {
    let texts: Vec<&str> = text.split(by).collect();
    if texts.len() != fields.len() {
        return None;
    }
    let value = |(field, text): (&Field, &&str)| {
        if text.is_empty() { Some(None) } else { native_value(field, Cow::Owned((*text).to_owned())).map(Some) }
    };
    fields.iter().zip(&texts).map(value).collect()
}

fn joined(texts: &[Cow<'_, str>], separator: char) -> String {
    let mut out = String::new();
    list::join(texts.iter().map(|text| &**text), separator, &mut out).unwrap();
    out
}
