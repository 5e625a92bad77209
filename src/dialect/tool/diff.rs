// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What changed between two versions of a dialect: in meaning, in losses, and on the wire.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::explain::flatten;
use crate::dialect::path::spelt;
use crate::dialect::plan::Way;
use crate::dialect::registry::{Dialect, Dialects};

/// How much a change asks of those who use the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Old systems and new ones do not understand each other any more: it needs a new version.
    Breaking,
    /// The same bytes mean something else, or less arrives.
    Meaning,
    /// More is possible than before; nothing that was there changed.
    Addition,
}

impl Weight {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Meaning => "meaning",
            Self::Addition => "addition",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What it asks.
    pub weight: Weight,
    /// Message, field, value or method, without the package.
    pub place: String,
    /// In words.
    pub change: String,
}

impl Dialects {
    /// What changed from `old`, a dialect of `before`, to `new`, a dialect of these; weightiest first.
    ///
    /// In the same package the wire format must stay; a new version (`x.v2`) may change it, and then only meanings are compared.
    pub fn differences(&self, new: &Dialect, before: &Self, old: &Dialect) -> Vec<Difference> {
        let (left, right) = (Schema::of(before, old), Schema::of(self, new));
        let mut found = Found { same_package: old.id() == new.id(), out: Vec::new() };
        found.methods(old, new);
        for (name, message) in &left.messages {
            match right.messages.get(name) {
                Some(now) => found.message(name, message, now),
                None => found.wire(name, "the message is gone"),
            }
        }
        right.messages.keys().filter(|name| !left.messages.contains_key(*name)).for_each(|name| found.add(Weight::Addition, name, "a new message"));
        for (name, list) in &left.enums {
            match right.enums.get(name) {
                Some(now) => found.values(name, list, now),
                None => found.wire(name, "the enum is gone"),
            }
        }
        found.meanings(&left.rules, &right.rules);
        found.out.sort();
        found.out.dedup();
        found.out
    }
}

/// A dialect without its package name.
struct Schema {
    messages: BTreeMap<String, MessageDescriptor>,
    enums: BTreeMap<String, EnumDescriptor>,
    /// Field of a top message, and what each way it means: canonical place and rule, loss.
    rules: BTreeMap<(String, Direction), BTreeMap<String, (String, String)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    Read,
    Render,
}

impl Schema {
    fn of(dialects: &Dialects, dialect: &Dialect) -> Self {
        let package = format!("{}.", dialect.id());
        let short = |name: &str| name.strip_prefix(&package).map(str::to_owned);
        let messages = dialects.pool().all_messages().filter_map(|message| Some((short(message.full_name())?, message))).collect();
        let enums = dialects.pool().all_enums().filter_map(|list| Some((short(list.full_name())?, list))).collect();
        let mut rules: BTreeMap<_, BTreeMap<String, (String, String)>> = BTreeMap::new();
        for name in dialect.messages() {
            let (Some(plan), Some(short)) = (dialect.plan(name), short(name)) else { continue };
            for direction in [Direction::Read, Direction::Render] {
                let mut leaves = Vec::new();
                let way: fn(&Way) -> bool = match direction {
                    Direction::Read => |way| way.read,
                    Direction::Render => |way| way.render,
                };
                flatten(&plan.block, "", &[], way, &mut leaves);
                let table = rules.entry((short.clone(), direction)).or_default();
                for leaf in leaves {
                    let meaning = format!("{}{}{}", spelt(&leaf.steps), if leaf.rule.is_empty() { "" } else { ", " }, leaf.rule);
                    let entry = table.entry(leaf.native).or_default();
                    entry.0 = if entry.0.is_empty() { meaning } else { format!("{}; {meaning}", entry.0) };
                    entry.1 = leaf.loss;
                }
            }
        }
        Self { messages, enums, rules }
    }
}

struct Found {
    same_package: bool,
    out: Vec<Difference>,
}

impl Found {
    fn add(&mut self, weight: Weight, place: impl Into<String>, change: impl Into<String>) {
        self.out.push(Difference { weight, place: place.into(), change: change.into() });
    }
    /// A change of the wire format: a new package may make it.
    fn wire(&mut self, place: impl Into<String>, change: impl Into<String>) {
        self.add(if self.same_package { Weight::Breaking } else { Weight::Meaning }, place, change);
    }

    fn methods(&mut self, old: &Dialect, new: &Dialect) {
        let short = |path: &str, dialect: &Dialect| path.trim_start_matches('/').trim_start_matches(dialect.id()).trim_start_matches('.').to_owned();
        for method in old.methods() {
            let name = short(&method.path, old);
            match new.methods().iter().find(|one| short(&one.path, new) == name) {
                None => self.wire(name, format!("the method is gone, or stands for {} no longer", method.canonical)),
                Some(now) if now.canonical != method.canonical => {
                    self.wire(name, format!("stood for {} and stands for {}", method.canonical, now.canonical));
                }
                Some(_) => {}
            }
        }
        for method in new.methods() {
            let name = short(&method.path, new);
            if !old.methods().iter().any(|one| short(&one.path, old) == name) {
                self.add(Weight::Addition, name, format!("a new method, for {}", method.canonical));
            }
        }
    }

    fn message(&mut self, name: &str, old: &MessageDescriptor, new: &MessageDescriptor) {
        for field in old.fields() {
            let place = format!("{name}.{}", field.name());
            match new.get_field(field.number()) {
                None => {
                    let reserved = new.reserved_ranges().any(|range| range.contains(&field.number()));
                    let advice = if reserved { "" } else { "; reserve its number, so that nobody uses it again" };
                    self.wire(place, format!("the field {} is gone{advice}", field.number()));
                }
                Some(now) => {
                    if now.name() != field.name() {
                        self.wire(&*place, format!("the field {} is called `{}` now", field.number(), now.name()));
                    }
                    let (was, is) = (kind(&field), kind(&now));
                    if was != is {
                        self.wire(place, format!("was {was} and is {is}"));
                    }
                }
            }
        }
        for field in new.fields().filter(|field| old.get_field(field.number()).is_none()) {
            self.add(Weight::Addition, format!("{name}.{}", field.name()), format!("a new field, {}", field.number()));
        }
    }

    fn values(&mut self, name: &str, old: &EnumDescriptor, new: &EnumDescriptor) {
        for value in old.values() {
            match new.get_value(value.number()) {
                None => self.wire(format!("{name}.{}", value.name()), format!("the value {} is gone", value.number())),
                Some(now) if now.name() != value.name() => {
                    self.wire(format!("{name}.{}", value.name()), format!("the value {} is called `{}` now", value.number(), now.name()));
                }
                Some(_) => {}
            }
        }
        for value in new.values().filter(|value| old.get_value(value.number()).is_none()) {
            self.add(Weight::Addition, format!("{name}.{}", value.name()), format!("a new value, {}", value.number()));
        }
    }

    fn meanings(&mut self, old: &Rules, new: &Rules) {
        for ((message, direction), fields) in old {
            let Some(now) = new.get(&(message.clone(), *direction)) else { continue };
            let verb = if *direction == Direction::Read { "read" } else { "written" };
            for (field, (meaning, loss)) in fields {
                let place = format!("{message}.{field}");
                match now.get(field) {
                    None => self.add(Weight::Meaning, place, format!("was {verb} as {meaning}, and is {verb} no longer")),
                    Some((is, _)) if is != meaning => self.add(Weight::Meaning, place, format!("was {verb} as {meaning}, and now as {is}")),
                    Some((_, is)) if is != loss && *direction == Direction::Render => self.add(
                        Weight::Meaning,
                        place,
                        match (loss.as_str(), is.as_str()) {
                            ("", is) => format!("a loss appears: {is}"),
                            (was, "") => format!("a loss is gone: {was}"),
                            (was, is) => format!("another loss: {was} before, {is} now"),
                        },
                    ),
                    Some(_) => {}
                }
            }
            for (field, (meaning, _)) in now.iter().filter(|(field, _)| !fields.contains_key(*field)) {
                self.add(Weight::Addition, format!("{message}.{field}"), format!("is {verb} as {meaning}"));
            }
        }
    }
}

type Rules = BTreeMap<(String, Direction), BTreeMap<String, (String, String)>>;

/// The type of a field, for people.
fn kind(field: &FieldDescriptor) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let kind = match field.kind() {
        Kind::Message(message) => last(message.full_name()),
        Kind::Enum(list) => last(list.full_name()),
        other => format!("{other:?}").to_lowercase(),
    };
    if field.is_list() { format!("repeated {kind}") } else { kind }
}
