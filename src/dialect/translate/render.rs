// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the canonical message to a dialect's.

use std::cell::Cell;

use bumpalo::collections::Vec as Many;

use super::native::{carry, put};
use super::seek::{Found, first, seek, single};
use super::{Finding, Lines};
use crate::dialect::hub::{Leaf, Shape};
use crate::dialect::message::{Field, Message, Room, Scalar, Types, Value, spelt};
use crate::dialect::plan::{Block, Native, Plan, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::report::{FieldProblem, ProblemKind};
use crate::dialect::spelling::{self, MERGED, Said, native_value, no_word, plain_text};
use crate::dialect::value::list;

/// The dialect's message and mandatory fields that it has no word for; `lines`: what became of each canonical field.
/// `hub` is already minimised; `block` is the plan's for the same mask.
pub(in crate::dialect) fn render<'b>(
    room: &'b Room,
    types: &Types,
    plan: &'b Plan,
    block: &'b Block,
    hub: Message<'b>,
    lines: &mut Lines<'b>,
) -> (Message<'b>, Vec<FieldProblem>) {
    let native = types.empty(room, plan.native_id);
    let mut renderer = Renderer { room, lines, problems: Vec::new() };
    renderer.block(native, block, hub, true);
    let problems = renderer.problems;
    // What one field says less of, another may have said in full: a search form beside the name.
    let problems = problems.into_iter().filter(|(_, found)| !found.is_some_and(|found| found.is_exact())).map(|(path, found)| FieldProblem {
        path: path.to_owned(),
        canonical_path: found.map(|found| found.text()).unwrap_or_default(),
        kind: ProblemKind::Unmappable,
    });
    let problems = problems.collect();
    if lines.wanted() {
        dropped(room, &plan.hub, hub, lines);
    }
    (native, problems)
}

/// Notes every field that is set and was not used.
fn dropped<'b>(room: &'b Room, shape: &'b Shape, message: Message<'b>, lines: &mut Lines<'b>) {
    const GONE: Finding<'_> = Finding::Dropped("the dialect has no place for it");
    for (field, slot) in shape.fields.iter().zip(message.slots()) {
        // Most are empty, or took their way as a whole.
        if slot.value().is_none() || slot.is_used() {
            continue;
        }
        for (at, slot, value) in message.elements(&field.field) {
            if slot.is_used() {
                continue;
            }
            let place = message.place(field.field.name(), at);
            match (&field.inner, value) {
                (Some(inner), Value::Message(inside)) => dropped(room, inner, inside, lines),
                // A date of which only the year was taken.
                (None, Value::Message(inside)) if inside.known().any(|at| inside.is_slot_used(at)) => {
                    for part in inside.known().filter(|at| !inside.is_slot_used(*at)).filter_map(|at| field.parts.get(at)) {
                        lines.note(inside.place(part, None), GONE);
                    }
                }
                _ => lines.note(place, GONE),
            }
        }
    }
    if message.has_unknown() {
        for unknown in message.unknown() {
            let name = spelt(room, format_args!("field {unknown}"));
            lines.note(message.place(name, None), Finding::Dropped("the contract does not know this field"));
        }
    }
}

struct Renderer<'l, 'b> {
    room: &'b Room,
    lines: &'l mut Lines<'b>,
    /// Mandatory fields without a word: names of their rules, and the canonical value.
    problems: Vec<(&'b str, Option<Found<'b>>)>,
}

/// The message of the hub that a block stands at, and those below it by their numbers, once they were looked for.
struct Hub<'b> {
    message: Message<'b>,
    ways: &'b [Cell<Option<Option<Message<'b>>>>],
}

impl<'b> Hub<'b> {
    /// Whether it is already clear that a rule finds nothing, which is so for most.
    #[inline]
    fn lacks(&self, rule: &ValueRule) -> bool {
        let Target::At(Spot { way: Some(way), slot, .. }) = &rule.target else { return false };
        let around = self.ways.get(*way).and_then(Cell::get);
        around.is_some_and(|around| around.is_none_or(|message| message.nth(*slot).is_none()))
    }
    #[inline]
    fn first(&self, room: &'b Room, spot: &'b Spot) -> Option<Found<'b>> {
        let (Some(known), Some((last, way))) = (spot.way.and_then(|way| self.ways.get(way)), spot.steps.split_last()) else {
            return first(room, self.message, &spot.steps);
        };
        let around = known.get().unwrap_or_else(|| {
            let around = way.iter().try_fold(self.message, |message, step| message.get(&step.field)?.as_message());
            known.set(Some(around));
            around
        });
        single(room, around?, last, None)
    }
}

/// What a message of the dialect says besides, if it says anything.
type Extra<'b> = (&'b Field, &'b str, Option<&'b Spot>);

impl<'b> Renderer<'_, 'b> {
    /// Whether anything of the hub was written.
    fn block(&mut self, native: Message<'b>, block: &'b Block, hub: Message<'b>, top: bool) -> bool {
        let room = self.room;
        let mut wrote = false;
        let mut extras: Many<'b, Extra<'b>> = Many::new_in(room);
        let hub = Hub { message: hub, ways: room.alloc_slice_fill_with(block.ways, |_| Cell::new(None)) };
        for rule in &block.rules {
            match rule {
                Rule::Enter { field, to, each, block } => {
                    let at = field.is_list().then_some(0);
                    if to.is_empty() {
                        wrote |= self.enter(native, field, at, block, hub.message);
                    } else if !each {
                        let Some(found) = first(room, hub.message, to) else { continue };
                        let Some(inside) = found.value.as_message() else { continue };
                        if self.enter(native, field, at, block, inside) {
                            wrote = true;
                            found.keys_used();
                        }
                    } else {
                        let mut next = 0;
                        seek(room, hub.message, to, &mut |found| {
                            let Some(inside) = found.value.as_message() else { return };
                            if self.enter(native, field, Some(next), block, inside) {
                                wrote = true;
                                next += 1;
                            }
                        });
                    }
                }
                Rule::Constant { field, text, way } if way.render => extras.push((field, text, None)),
                Rule::Value(rule) if rule.way.render => {
                    if !hub.lacks(rule) && self.value(native, rule, &hub) {
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
                let Some(value) = native_value(field, text) else { continue };
                native.set(field, value);
                if let Some(spot) = defaulted {
                    self.lines.below(hub.message, &spot.steps, Finding::Defaulted);
                }
            }
        }
        wrote
    }

    /// A message inside, if anything was written in it.
    fn enter(&mut self, native: Message<'b>, field: &'b Field, at: Option<usize>, block: &'b Block, hub: Message<'b>) -> bool {
        let part = native.part(self.room, field, at);
        let wrote = self.block(part, block, hub, false);
        if wrote {
            put(self.room, native, field, Value::Message(part));
        }
        wrote
    }

    #[inline]
    fn value(&mut self, native: Message<'b>, rule: &'b ValueRule, hub: &Hub<'b>) -> bool {
        match &rule.target {
            // Most are one value, and most of those are not there.
            Target::At(spot) if !spot.many && !copies(rule, spot) => {
                hub.first(self.room, spot).is_some_and(|found| self.single(native, rule, spot, &found))
            }
            _ => self.several(native, rule, hub),
        }
    }

    fn single(&mut self, native: Message<'b>, rule: &'b ValueRule, spot: &'b Spot, found: &Found<'b>) -> bool {
        if let Some(field) = &rule.bare {
            return match spelling::write(self.room, &rule.spelling, &spot.leaf, found.value) {
                Ok(Said { value: text, loss: None }) if !rule.nulls.is_null(text) => {
                    found.used();
                    found.note(self.lines, Finding::Exact);
                    native.set(field, Value::Text(text));
                    true
                }
                said => self.said(rule, spot, std::slice::from_ref(found), said).is_some_and(|text| self.put(native, rule, &[text])),
            };
        }
        if rule.gather.is_some() {
            let mut texts = Many::new_in(self.room);
            self.text(rule, spot, found, |text| texts.push(text));
            return self.put(native, rule, &texts);
        }
        let mut said = None;
        self.text(rule, spot, found, |text| said = Some(text));
        said.is_some_and(|text| self.put(native, rule, &[text]))
    }

    fn several(&mut self, native: Message<'b>, rule: &'b ValueRule, hub: &Hub<'b>) -> bool {
        let room = self.room;
        match &rule.target {
            Target::At(spot) if copies(rule, spot) => self.copy(native, rule, spot, hub.message),
            Target::At(spot) => {
                let mut texts = Many::new_in(room);
                seek(room, hub.message, &spot.steps, &mut |found| self.text(rule, spot, &found, |text| texts.push(text)));
                self.put(native, rule, &texts)
            }
            Target::Join { parts, joint } => {
                let mut texts = Many::with_capacity_in(parts.len(), room);
                let mut places = Many::with_capacity_in(parts.len(), room);
                for spot in parts {
                    let found = spot.as_ref().and_then(|spot| Some((spot, hub.first(room, spot)?)));
                    let text = found.and_then(|(spot, found)| plain_text(room, &spot.leaf, found.value));
                    texts.push(text.unwrap_or_default());
                    places.extend(found.map(|(_, found)| found));
                }
                let Some(spot) = parts.iter().flatten().next() else { return false };
                if texts.iter().all(|text| text.is_empty()) {
                    return false;
                }
                let said = spelling::join(room, joint, texts.into_bump_slice());
                // A line that nobody can take apart again is worse than none: it would be refused on its way back.
                let readable = !rule.way.read || said.loss.is_none() || spelling::split(room, joint, said.value, parts.len()).is_ok();
                let said = if readable { Ok(said) } else { Err("the parts cannot be told apart again") };
                self.said(rule, spot, &places, said).is_some_and(|text| self.put(native, rule, &[text]))
            }
            Target::Tuple { parts, column } => {
                let mut places = Many::with_capacity_in(parts.len(), room);
                let mut codes = Many::with_capacity_in(parts.len(), room);
                for spot in parts {
                    let found = hub.first(room, spot);
                    let empty = if matches!(spot.leaf, Leaf::Bool) { "false" } else { "" };
                    let code = found.and_then(|found| spelling::code_of(room, column, &spot.leaf, found.value).ok());
                    codes.push(code.unwrap_or(empty));
                    places.extend(found);
                }
                let Some(spot) = parts.first() else { return false };
                if places.is_empty() {
                    return false;
                }
                let said = column.to_dialect_parts(&codes).map(|image| Said::lossy_if(image.lossy, image.value, MERGED));
                let text = self.said(rule, spot, &places, said.ok_or_else(|| no_word(room, column)));
                text.is_some_and(|text| self.put(native, rule, &[text]))
            }
        }
    }

    /// The text of one value, or its parts where it goes into several elements.
    fn text(&mut self, rule: &'b ValueRule, spot: &'b Spot, found: &Found<'b>, mut give: impl FnMut(&'b str)) {
        if rule.full_date_only && spot.leaf == Leaf::PartialDate && spelling::day_of(found.value).is_some_and(|day| day.day() == 0) {
            return;
        }
        let said = spelling::write(self.room, &rule.spelling, &spot.leaf, found.value);
        match (self.said(rule, spot, std::slice::from_ref(found), said), rule.gather) {
            (None, _) => {}
            (Some(text), Some(separator)) => text.split(separator).filter(|text| !text.trim().is_empty()).for_each(give),
            (Some(text), None) => give(text),
        }
    }

    fn copy(&mut self, native: Message<'b>, rule: &'b ValueRule, spot: &'b Spot, hub: Message<'b>) -> bool {
        let ([field], room) = (rule.native.fields(), self.room) else { return false };
        let mut copied = false;
        seek(room, hub, &spot.steps, &mut |found| {
            found.whole(self.lines);
            found.used();
            if field.is_list() || !copied {
                put(room, native, field, found.value);
            }
            copied = true;
        });
        copied
    }

    /// Notes what became of the canonical fields behind one text; gives back the text that may be written.
    fn said(&mut self, rule: &'b ValueRule, spot: &Spot, found: &[Found<'b>], said: Result<Said<&'b str>, &'b str>) -> Option<&'b str> {
        let checked = said.and_then(|mut said| {
            if rule.nulls.is_null(said.value) {
                return Err("it reads as nothing stated there");
            }
            if let Some(width) = rule.width
                && said.value.len() > width
                && let Some((end, _)) = said.value.char_indices().nth(width)
            {
                said.value = said.value.get(..end).unwrap_or_default();
                said.loss = Some("cut at the width of the field");
            }
            // A number field that cannot hold the text; a single text stands for itself.
            match (&rule.native, rule.list) {
                (Native::Field { field, carrier: None }, None) if !holds(field, said.value) => Err("the field cannot hold it"),
                (Native::Merge { fields, by }, _) if !comes_apart(said.value, by, fields) => Err("it does not come apart into the fields"),
                _ => Ok(said),
            }
        });
        let finding = match &checked {
            Ok(Said { loss: None, .. }) => Finding::Exact,
            Ok(Said { loss: Some(loss), .. }) => Finding::Lossy(loss),
            Err(why) => Finding::Unmappable(why),
        };
        for found in found {
            found.used();
            found.note(self.lines, finding);
        }
        if checked.is_err() && spot.mandatory {
            self.problems.push((&rule.name, found.first().copied()));
        }
        checked.ok().map(|said| said.value)
    }

    /// Writes the texts; whether there were any.
    fn put(&mut self, native: Message<'b>, rule: &'b ValueRule, texts: &[&'b str]) -> bool {
        let room = self.room;
        let Some(first) = texts.first() else { return false };
        match &rule.native {
            Native::Merge { fields, by } => {
                for (field, text) in fields.iter().zip(first.split(by.as_str())) {
                    if let Some(value) = native_value(field, text).filter(|_| !text.is_empty()) {
                        native.set(field, value);
                    }
                }
            }
            Native::Field { field, carrier } => {
                let value = |at: Option<usize>, text: &'b str| match carrier.as_ref().and_then(|carrier| Some((carrier, rule.column()?))) {
                    Some((carrier, column)) => {
                        let part = native.part(room, field, at);
                        carry(room, part, carrier, column, column.to_canonical(text).ok(), text);
                        Some(Value::Message(part))
                    }
                    None => native_value(field, text),
                };
                match rule.list {
                    Some(separator) => {
                        let mut line = bumpalo::collections::String::new_in(room);
                        // A text takes everything.
                        let _ = list::join(texts.iter().copied(), separator, &mut line);
                        native.set(field, Value::Text(line.into_bump_str()));
                    }
                    None if field.is_list() => {
                        if let Some(list) = native.list(room, field) {
                            texts.iter().filter_map(|text| value(Some(list.len()), text)).for_each(|value| list.push(room, value));
                        }
                    }
                    None => {
                        if let Some(value) = value(None, first) {
                            native.set(field, value);
                        }
                    }
                }
            }
        }
        true
    }
}

/// Whether a value goes as a whole.
fn copies(rule: &ValueRule, spot: &Spot) -> bool {
    matches!(spot.leaf, Leaf::Bytes | Leaf::Message(_))
        || matches!((&spot.leaf, &rule.spelling), (Leaf::Timestamp | Leaf::PartialDate, Spelling::Plain))
}

/// Whether a field can hold a text.
fn holds(field: &Field, text: &str) -> bool {
    field.scalar() == Scalar::Text || native_value(field, text).is_some()
}

/// Whether a joined text has as many parts as there are fields, and each holds its own. An empty part sets nothing.
fn comes_apart(text: &str, by: &str, fields: &[Field]) -> bool {
    text.split(by).count() == fields.len() && fields.iter().zip(text.split(by)).all(|(field, text)| text.is_empty() || holds(field, text))
}
#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_reflect::DynamicMessage;

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
