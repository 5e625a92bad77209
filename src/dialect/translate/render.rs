// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the canonical message to a dialect's.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use super::native::carry;
use super::{below, get};
use crate::dialect::hub::{Leaf, Shape};
use crate::dialect::path::{Select, Step, spelt};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::report::{FieldProblem, Outcome, ProblemKind, Report};
use crate::dialect::spelling::{self, MERGED, Said, native_value, no_word, plain_text};
use crate::dialect::value::list;

/// The dialect's message, what became of each canonical field, and mandatory fields that it has no word for.
/// `hub` is already minimised; `block` is the plan's for the same mask.
pub(in crate::dialect) fn render(plan: &Plan, block: &Block, hub: &DynamicMessage, verbose: bool) -> (DynamicMessage, Report, Vec<FieldProblem>) {
    let mut renderer = Renderer { verbose, report: Report::default(), problems: Vec::new(), used: HashSet::new(), exact: HashSet::new() };
    let mut native = DynamicMessage::new(plan.native.clone());
    renderer.block(&mut native, block, hub, "", true);
    let Renderer { mut report, mut problems, used, exact, .. } = renderer;
    // What one field says less of, another may have said in full: a search form beside the name.
    let partial = |outcome: &Outcome| matches!(outcome, Outcome::Lossy(_) | Outcome::Unmappable(_));
    report.fields.retain(|field| !(partial(&field.outcome) && exact.contains(&field.path)));
    problems.retain(|problem| !exact.contains(&problem.canonical_path));
    dropped(&plan.hub, hub, "", &used, "the dialect has no place for it", &mut report);
    (native, report, problems)
}

/// Reports every field that is set and not in `used`.
fn dropped(shape: &Shape, message: &DynamicMessage, base: &str, used: &HashSet<String>, why: &str, report: &mut Report) {
    for field in &shape.fields {
        let Some(value) = get(message, &field.field) else { continue };
        let path = below(base, field.field.name());
        let elements = match value {
            Value::List(list) => list.iter().enumerate().map(|(at, value)| (format!("{path}[{at}]"), value)).collect(),
            one => vec![(path, one)],
        };
        for (path, value) in elements {
            if used.contains(&path) {
                continue;
            }
            match (&field.inner, value) {
                (Some(inner), Value::Message(inside)) => dropped(inner, inside, &path, used, why, report),
                (None, Value::Message(inside)) => {
                    // A date of which only the year was taken.
                    let parts: Vec<String> = inside.fields().map(|(part, _)| below(&path, part.name())).collect();
                    if parts.iter().any(|part| used.contains(part)) {
                        let left = parts.into_iter().filter(|part| !used.contains(part));
                        left.for_each(|part| report.push(part, Outcome::Dropped(why.to_owned())));
                    } else {
                        report.push(path, Outcome::Dropped(why.to_owned()));
                    }
                }
                _ => report.push(path, Outcome::Dropped(why.to_owned())),
            }
        }
    }
    for unknown in message.unknown_fields() {
        let name = format!("field {}", unknown.number());
        report.push(below(base, &name), Outcome::Dropped("the contract does not know this field".to_owned()));
    }
}

struct Renderer {
    verbose: bool,
    report: Report,
    problems: Vec<FieldProblem>,
    /// Canonical paths that found a place.
    used: HashSet<String>,
    /// Those of them that lost nothing.
    exact: HashSet<String>,
}

/// A canonical value with its path and the paths of the keys by which it was found.
struct Found<'a> {
    path: String,
    keys: Vec<String>,
    value: &'a Value,
}

impl Renderer {
    /// Whether anything of the hub was written.
    fn block(&mut self, native: &mut DynamicMessage, block: &Block, hub: &DynamicMessage, base: &str, top: bool) -> bool {
        let mut wrote = false;
        let mut extras: Vec<(&FieldDescriptor, &str, Option<String>)> = Vec::new();
        for rule in &block.rules {
            match rule {
                Rule::Enter { field, to, each: false, block } => {
                    let Some((inside, path, keys)) = target(hub, to, base) else { continue };
                    let mut message = match field.kind().as_message() {
                        Some(message) => DynamicMessage::new(message.clone()),
                        None => continue,
                    };
                    if self.block(&mut message, block, inside, &path, false) {
                        wrote = true;
                        self.used.extend(keys);
                        let message = Value::Message(message);
                        self.set(native, field, if field.is_list() { Value::List(vec![message]) } else { message });
                    }
                }
                Rule::Enter { field, to, each: true, block } => {
                    let Some(kind) = field.kind().as_message().cloned() else { continue };
                    let mut elements = Vec::new();
                    for found in find(hub, to, base) {
                        let Some(inside) = found.value.as_message() else { continue };
                        let mut message = DynamicMessage::new(kind.clone());
                        if self.block(&mut message, block, inside, &found.path, false) {
                            elements.push(Value::Message(message));
                        }
                    }
                    if !elements.is_empty() {
                        wrote = true;
                        self.set(native, field, Value::List(elements));
                    }
                }
                Rule::Constant { field, text, way } if way.render => extras.push((field, text, None)),
                Rule::Value(rule) if rule.way.render => {
                    if self.value(native, rule, hub, base) {
                        wrote = true;
                    } else if let (Some(default), [field]) = (&rule.default, rule.native.fields())
                        && !native.has_field(field)
                    {
                        let path = rule.target.spots().first().map(|spot| below(base, &spelt(&spot.steps)));
                        extras.push((field, default, path));
                    }
                }
                Rule::Constant { .. } | Rule::Value(_) | Rule::Ignore { .. } => {}
            }
        }
        if wrote || top {
            for (field, text, defaulted) in extras {
                if let Some(value) = native_value(field, text) {
                    self.set(native, field, value);
                    if let Some(path) = defaulted {
                        self.report.push(path, Outcome::Defaulted);
                    }
                }
            }
        }
        wrote
    }

    fn set(&mut self, native: &mut DynamicMessage, field: &FieldDescriptor, value: Value) {
        // Kinds were checked when the plan was compiled.
        let _ = native.try_set_field(field, value);
    }

    fn value(&mut self, native: &mut DynamicMessage, rule: &ValueRule, hub: &DynamicMessage, base: &str) -> bool {
        match &rule.target {
            Target::At(spot) => {
                let found = find(hub, &spot.steps, base);
                if matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_))
                    || matches!((&spot.leaf, &rule.spelling), (Leaf::Timestamp | Leaf::PartialDate, Spelling::Plain))
                {
                    return self.copy(native, rule, found);
                }
                let full_only = |value: &Value| spelling::day_of(value).is_ok_and(|day| day.day() == 0);
                let mut texts = Vec::new();
                for found in found {
                    if rule.full_date_only && matches!(spot.leaf, Leaf::PartialDate) && full_only(found.value) {
                        continue;
                    }
                    let said = spelling::write(&rule.spelling, &spot.leaf, found.value);
                    let paths = std::iter::once(found.path).chain(found.keys).collect();
                    if let Some(text) = self.said(rule, spot, paths, said) {
                        match rule.gather {
                            Some(separator) => {
                                texts.extend(text.split(separator).filter(|text| !text.trim().is_empty()).map(str::to_owned));
                            }
                            None => texts.push(text),
                        }
                    }
                }
                self.put(native, rule, texts)
            }
            Target::Join { parts, joint } => {
                let (mut texts, mut paths) = (Vec::new(), Vec::new());
                for spot in parts {
                    let found = spot.as_ref().and_then(|spot| Some((spot, find(hub, &spot.steps, base).into_iter().next()?)));
                    let text = found.as_ref().and_then(|(spot, found)| plain_text(&spot.leaf, found.value));
                    texts.push(text.unwrap_or_default());
                    paths.extend(found.into_iter().flat_map(|(_, found)| std::iter::once(found.path).chain(found.keys)));
                }
                let Some(spot) = parts.iter().flatten().next() else { return false };
                if texts.iter().all(String::is_empty) {
                    return false;
                }
                let said = spelling::join(joint, &texts);
                // A line that nobody can take apart again is worse than none: it would be refused on its way back.
                let readable = !rule.way.read || spelling::split(joint, &said.value, parts.len()).is_ok();
                let said = if readable { Ok(said) } else { Err("the parts cannot be told apart again".to_owned()) };
                let text = self.said(rule, spot, paths, said);
                self.put(native, rule, text.into_iter().collect())
            }
            Target::Tuple { parts, column } => {
                let mut paths = Vec::new();
                let mut codes = Vec::new();
                for spot in parts {
                    let found = find(hub, &spot.steps, base).into_iter().next();
                    let empty = if matches!(spot.leaf, Leaf::Bool) { "false" } else { "" };
                    let code = found.as_ref().map(|found| spelling::code_of(column, &spot.leaf, found.value));
                    codes.push(code.and_then(Result::ok).unwrap_or_else(|| empty.to_owned()));
                    paths.extend(found.into_iter().flat_map(|found| std::iter::once(found.path).chain(found.keys)));
                }
                let Some(spot) = parts.first() else { return false };
                if paths.is_empty() {
                    return false;
                }
                let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
                let said = column.to_dialect_parts(&codes).map(|image| Said::lossy_if(image.lossy, image.value.to_owned(), MERGED));
                let text = self.said(rule, spot, paths, said.ok_or_else(|| no_word(column)));
                self.put(native, rule, text.into_iter().collect())
            }
        }
    }

    fn copy(&mut self, native: &mut DynamicMessage, rule: &ValueRule, found: Vec<Found<'_>>) -> bool {
        let [field] = rule.native.fields() else { return false };
        let mut values = Vec::new();
        for found in found {
            self.exact(&found.path);
            self.used.insert(found.path);
            values.push(found.value.clone());
        }
        let value = if field.is_list() { (!values.is_empty()).then_some(Value::List(values)) } else { values.into_iter().next() };
        value.is_some_and(|value| native.try_set_field(field, value).is_ok())
    }

    /// Notes what became of the canonical fields behind one text; gives back the text that may be written.
    fn said(&mut self, rule: &ValueRule, spot: &Spot, paths: Vec<String>, said: Result<Said<String>, String>) -> Option<String> {
        let checked = said.and_then(|mut said| {
            if rule.nulls.is_null(&said.value) {
                return Err("it reads as nothing stated there".to_owned());
            }
            if let Some(width) = rule.width
                && said.value.chars().count() > width
            {
                said.value = said.value.chars().take(width).collect();
                said.loss = Some("cut at the width of the field");
            }
            // A number field that cannot hold the text; a single text stands for itself.
            match (&rule.native, rule.list) {
                (Native::Field { field, carrier: None }, None) if native_value(field, &said.value).is_none() => {
                    Err("the field cannot hold it".to_owned())
                }
                (Native::Merge { fields, by }, _) if parts(&said.value, by, fields).is_none() => {
                    Err("it does not come apart into the fields".to_owned())
                }
                _ => Ok(said),
            }
        });
        match checked {
            Ok(said) => {
                for path in &paths {
                    match said.loss {
                        Some(loss) => self.report.push(path.as_str(), Outcome::Lossy(loss.to_owned())),
                        None => self.exact(path),
                    }
                }
                self.used.extend(paths);
                Some(said.value)
            }
            Err(why) => {
                for path in &paths {
                    self.report.push(path.as_str(), Outcome::Unmappable(why.clone()));
                }
                if spot.mandatory {
                    let canonical_path = paths.first().cloned().unwrap_or_default();
                    self.problems.push(FieldProblem { path: rule.native.name(), canonical_path, kind: ProblemKind::Unmappable });
                }
                self.used.extend(paths);
                None
            }
        }
    }

    /// Writes the texts; whether there were any.
    fn put(&mut self, native: &mut DynamicMessage, rule: &ValueRule, texts: Vec<String>) -> bool {
        if texts.is_empty() {
            return false;
        }
        match &rule.native {
            Native::Merge { fields, by } => {
                let Some(texts) = texts.first().and_then(|text| parts(text, by, fields)) else { return false };
                for (field, value) in fields.iter().zip(texts) {
                    if let Some(value) = value {
                        self.set(native, field, value);
                    }
                }
            }
            Native::Field { field, carrier } => {
                let column = rule.column();
                let value = |text: &String| match (carrier, &column) {
                    (Some(carrier), Some(column)) => Some(carry(carrier, column, column.to_canonical(text).ok(), text)),
                    _ => native_value(field, text),
                };
                let value = match rule.list {
                    Some(separator) => Some(Value::String(list::join(texts.iter().map(String::as_str), separator))),
                    None if field.is_list() => Some(Value::List(texts.iter().filter_map(value).collect())),
                    None => texts.first().and_then(value),
                };
                if let Some(value) = value {
                    self.set(native, field, value);
                }
            }
        }
        true
    }

    fn exact(&mut self, path: &str) {
        if self.exact.insert(path.to_owned()) && self.verbose {
            self.report.push(path, Outcome::Exact);
        }
    }
}

/// A joined text as values of the merged fields; none if it has not as many parts or one does not fit. An empty part sets nothing.
fn parts(text: &str, by: &str, fields: &[FieldDescriptor]) -> Option<Vec<Option<Value>>> {
    let texts: Vec<&str> = text.split(by).collect();
    if texts.len() != fields.len() {
        return None;
    }
    let value = |(field, text): (&FieldDescriptor, &&str)| if text.is_empty() { Some(None) } else { native_value(field, text).map(Some) };
    fields.iter().zip(&texts).map(value).collect()
}

/// The message at a place, its path, and the paths of the keys by which it was found.
fn target<'a>(hub: &'a DynamicMessage, to: &[Step], base: &str) -> Option<(&'a DynamicMessage, String, Vec<String>)> {
    if to.is_empty() {
        return Some((hub, base.to_owned(), Vec::new()));
    }
    let found = find(hub, to, base).into_iter().next()?;
    Some((found.value.as_message()?, found.path, found.keys))
}

/// The values at a place, in order.
fn find<'a>(message: &'a DynamicMessage, steps: &[Step], base: &str) -> Vec<Found<'a>> {
    let Some((step, rest)) = steps.split_first() else { return Vec::new() };
    let Some(value) = get(message, &step.field) else { return Vec::new() };
    let name = below(base, step.field.name());
    let list = value.as_list().unwrap_or_default();
    let chosen: Vec<(String, Vec<String>, &Value)> = match &step.select {
        Select::One => vec![(name, Vec::new(), value)],
        Select::At(at) => list.get(*at).map(|value| (format!("{name}[{at}]"), Vec::new(), value)).into_iter().collect(),
        Select::From(from) => list.iter().enumerate().skip(*from).map(|(at, value)| (format!("{name}[{at}]"), Vec::new(), value)).collect(),
        Select::Key { field, value: key, .. } => {
            let has = |value: &&Value| value.as_message().is_some_and(|one| one.get_field(field).as_ref() == key);
            let found = list.iter().enumerate().find(|(_, value)| has(value));
            found
                .map(|(at, value)| {
                    let path = format!("{name}[{at}]");
                    let key = below(&path, field.name());
                    (path, vec![key], value)
                })
                .into_iter()
                .collect()
        }
    };
    let mut out = Vec::new();
    for (path, keys, value) in chosen {
        if rest.is_empty() {
            out.push(Found { path, keys, value });
        } else if let Some(inside) = value.as_message() {
            for mut found in find(inside, rest, &path) {
                found.keys.extend(keys.iter().cloned());
                out.push(found);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::dialect::{CategoryMask, Dialects};

    fn lost(json: &str, from: (&str, &str), to: (&str, &str)) -> Vec<String> {
        let dialects = Dialects::embedded().unwrap();
        let native = dialects.pool().get_message_by_name(from.1).unwrap();
        let native = DynamicMessage::deserialize(native, &mut serde_json::Deserializer::from_str(json)).unwrap();
        let (hub, _) = dialects.get(from.0).unwrap().read(from.1, &native.encode_to_vec()).unwrap();
        let (_, report) = dialects.get(to.0).unwrap().render(to.1, &hub, CategoryMask::ALL).unwrap();
        report.fields.into_iter().map(|field| field.path).collect()
    }

    #[test]
    fn what_a_fallback_carries_is_not_reported_as_lost() {
        let awo = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/dialects/awo/examples/fall.json"));
        // A case number that is no number stands in `caseNumber`; `stufe` merges levels that `ger` tells apart.
        let caritas = lost(awo, ("awo", "awo.v1.Fall"), ("caritas", "caritas.v1.Session"));
        assert!(!caritas.contains(&"sender_case_number".to_owned()), "{caritas:?}");
        let agentur = lost(awo, ("awo", "awo.v1.Fall"), ("agentur", "agentur.v1.Vermittlungsvorgang"));
        assert!(!agentur.contains(&"german.lowest".to_owned()), "{agentur:?}");
        let jobcenter = lost(awo, ("awo", "awo.v1.Fall"), ("jobcenter", "jobcenter.v1.ZUWEISUNG"));
        assert!(jobcenter.contains(&"german.lowest".to_owned()), "{jobcenter:?}");
    }

    #[test]
    fn the_key_of_an_entered_element_has_its_place() {
        let diakonie = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/dialects/diakonie/examples/vorgang.json"));
        let top = ("diakonie", "diakonie.v1.Vorgang");
        assert_eq!(lost(diakonie, top, top), Vec::<String>::new());
    }
}
