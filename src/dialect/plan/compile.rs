// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the annotations of a message to its plan. Every problem is collected; a message with a problem has no plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::check;
use super::{Block, Carrier, Native, Plan, Rule, Way};
use crate::dialect::annotation::{Annotations, Place};
use crate::dialect::codelist::CodeLists;
use crate::dialect::error::{DialectError, nearest};
use crate::dialect::hub::{Hub, Shape};
use crate::dialect::message::TypeId;
use crate::dialect::path::{Select, Step, resolve, spelt};
use crate::dialect::value::date::DateFormat;
use crate::dialect::value::null::NullWords;
use crate::proto::dialect::{CodingPart, DialectMapping, Direction, FieldMapping, MessageMapping};

/// Compiles the messages of one dialect.
pub(in crate::dialect) struct Compiler<'a> {
    pub(super) annotations: &'a Annotations,
    pub(super) lists: &'a CodeLists,
    pub(super) hub: &'a Hub,
    /// IANA name, known to exist.
    pub(super) zone: String,
    nulls: Vec<String>,
    /// Of the block that is being compiled, by numbers of fields.
    ways: Vec<Vec<u32>>,
    /// Everything that is wrong so far.
    pub(in crate::dialect) errors: Vec<DialectError>,
    /// Columns of code lists that the plans use.
    pub(in crate::dialect) used_columns: BTreeSet<(String, String)>,
}

/// Where in the hub a message of the dialect stands.
pub(super) struct Here {
    pub(super) root: Arc<Shape>,
    pub(super) steps: Vec<Step>,
    pub(super) message: MessageDescriptor,
}

impl<'a> Compiler<'a> {
    pub(in crate::dialect) fn new(annotations: &'a Annotations, lists: &'a CodeLists, hub: &'a Hub, mapping: &DialectMapping, place: &Place) -> Self {
        let mut errors = Vec::new();
        let mut zone = mapping.zone.clone();
        if format!("JJJJ@{zone}").parse::<DateFormat>().is_err() {
            if !zone.is_empty() {
                errors.push(place.error(format!("unknown time zone `{zone}`"), "use an IANA name such as `Europe/Berlin`"));
            }
            zone = "Europe/Berlin".to_owned();
        }
        Self { annotations, lists, hub, zone, nulls: mapping.nulls.clone(), ways: Vec::new(), errors, used_columns: BTreeSet::new() }
    }

    /// The plan of a message that stands for a canonical one. `needed` are the ways in which it must carry what is mandatory.
    pub(in crate::dialect) fn plan(&mut self, native: &MessageDescriptor, mapping: &MessageMapping, needed: Way) -> Option<Plan> {
        let Some(hub) = self.hub.shape(&mapping.hub) else {
            let help = match nearest(&mapping.hub, self.hub.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the full name of a message of the contract, such as `weiche.type.v1.Referral`".to_owned(),
            };
            let message = format!("{} stands for `{}`, which the contract does not have", native.full_name(), mapping.hub);
            self.errors.push(Place::message(native).error(message, help));
            return None;
        };
        let hub = Arc::clone(hub);
        let before = self.errors.len();
        let here = Here { root: Arc::clone(&hub), steps: Vec::new(), message: hub.message.clone() };
        let block = self.block(native, &here, &mut Vec::new());
        let mandatory = check::check(native, &hub, &block, needed, &mut self.errors);
        (self.errors.len() == before).then(|| Plan {
            native: native.clone(),
            native_id: self.hub.types().id(native.full_name()).unwrap_or(TypeId::MAX),
            hub,
            block: Arc::new(block),
            mandatory,
            masked: RwLock::new(BTreeMap::new()),
        })
    }

    fn block(&mut self, native: &MessageDescriptor, here: &Here, above: &mut Vec<String>) -> Block {
        if above.iter().any(|name| name == native.full_name()) {
            let help = "name the inner levels with messages of their own, or `ignore` the field";
            self.errors.push(Place::message(native).error(format!("{} contains itself", native.full_name()), help));
            return Block::default();
        }
        above.push(native.full_name().to_owned());
        let outer = std::mem::take(&mut self.ways);
        let mapping = self.annotations.message(native).unwrap_or_default();
        let merged: BTreeSet<&str> = mapping.merge.iter().flat_map(|merge| merge.fields.iter().map(String::as_str)).collect();
        let mut rules = Vec::new();
        for field in native.fields() {
            let annotation = self.annotations.field(&field);
            if merged.contains(field.name()) {
                if annotation.is_some() {
                    let message = format!("`{}` has a rule of its own and is part of a merge", field.name());
                    self.errors.push(Place::field(&field).error(message, "keep one of them"));
                }
                continue;
            }
            rules.extend(self.field(&field, annotation, here, above));
        }
        for merge in &mapping.merge {
            let mut fields = Vec::new();
            for name in &merge.fields {
                match native.get_field_by_name(name) {
                    Some(field) if !field.is_list() && field.kind().as_message().is_none() => fields.push(self.hub.types().field(&field)),
                    Some(_) => self.errors.push(Place::message(native).error(
                        format!("merge of `{name}`: only single texts and whole numbers can be merged"),
                        "take the field out of the merge and give it a rule of its own",
                    )),
                    None => {
                        let names: Vec<String> = native.fields().map(|field| field.name().to_owned()).collect();
                        let help = match nearest(name, names.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("the message has: {}", names.join(", ")),
                        };
                        self.errors.push(Place::message(native).error(format!("merge of unknown field `{name}`"), help));
                    }
                }
            }
            let place = fields.first().map_or_else(|| Place::message(native), |field| Place::field(field));
            if merge.fields.len() < 2 || merge.by.is_empty() {
                self.errors.push(place.error("a merge needs at least two fields and a text between them", "say `fields` and `by`"));
            } else if fields.len() == merge.fields.len() {
                let rule = merge.r#as.clone().unwrap_or_default();
                rules.extend(self.value(&place, &rule, Native::Merge { fields, by: merge.by.clone() }, here));
            }
        }
        above.pop();
        Block { rules, ways: std::mem::replace(&mut self.ways, outer).len() }
    }

    fn field(&mut self, field: &FieldDescriptor, annotation: Option<FieldMapping>, here: &Here, above: &mut Vec<String>) -> Option<Rule> {
        let place = Place::field(field);
        let kind = field.kind();
        let inside = kind.as_message();
        let carrier = inside.filter(|inside| self.annotations.message(inside).is_some_and(|mapping| mapping.code_carrier));
        if field.is_map() {
            self.errors.push(place.error(format!("`{}` is a map", field.name()), "use a repeated message with key and value"));
            return None;
        }
        let Some(mapping) = annotation else {
            return match inside {
                Some(inside) if carrier.is_none() => {
                    let block = self.block(inside, here, above);
                    Some(Rule::Enter { field: self.hub.types().field(field), to: Vec::new(), each: false, block })
                }
                _ => {
                    self.errors.push(place.error(
                        format!("`{}` has no rule", field.name()),
                        "say where it lies: `[(weiche.dialect.v1.field) = { at: \"...\" }]`, or `ignore: \"why\"`",
                    ));
                    None
                }
            };
        };
        if !mapping.ignore.is_empty() {
            return Some(Rule::Ignore { field: self.hub.types().field(field), why: mapping.ignore });
        }
        match inside {
            Some(inside) if carrier.is_none() && !self.copies(inside, &mapping, here) => self.enter(&place, field, inside, &mapping, here, above),
            _ => {
                let carrier = match carrier {
                    Some(message) => Some(self.carrier(message, mapping.bound)?),
                    None => None,
                };
                self.value(&place, &mapping, Native::Field { field: self.hub.types().field(field), carrier }, here)
            }
        }
    }

    /// Whether field and place hold the same message, which is then copied as a whole.
    fn copies(&self, inside: &MessageDescriptor, mapping: &FieldMapping, here: &Here) -> bool {
        inside.package_name() == "google.protobuf" || {
            let end = resolve(self.hub.types(), &here.message, &mapping.at).ok().and_then(|steps| steps.last().cloned());
            end.is_some_and(|step| step.field.kind().as_message() == Some(inside))
        }
    }

    fn enter(
        &mut self,
        place: &Place,
        field: &FieldDescriptor,
        inside: &MessageDescriptor,
        mapping: &FieldMapping,
        here: &Here,
        above: &mut Vec<String>,
    ) -> Option<Rule> {
        let to = match mapping.at.as_str() {
            "" => Vec::new(),
            at => match resolve(self.hub.types(), &here.message, at) {
                Ok(steps) => steps,
                Err(error) => {
                    self.errors.push(place.error(error.message, error.help));
                    return None;
                }
            },
        };
        let many = to.iter().filter(|step| matches!(step.select, Select::From(_))).count();
        if many > usize::from(field.is_list()) {
            let message = format!("`{}` does not hold as many as `{}`", field.name(), spelt(&to));
            self.errors.push(place.error(message, "select one, such as `[0]`; a repeated message can follow one `[]`"));
            return None;
        }
        let message = match to.last() {
            None => here.message.clone(),
            Some(step) => match step.field.kind().as_message() {
                Some(message) => message.clone(),
                None => {
                    let message = format!("`{}` is a message and `{}` is not", field.name(), spelt(&to));
                    self.errors.push(place.error(message, "point it at a message of the hub, or leave `at` away"));
                    return None;
                }
            },
        };
        let expected = self.annotations.message(inside).map(|mapping| mapping.hub).unwrap_or_default();
        if !expected.is_empty() && expected != message.full_name() {
            let message = format!("`{}` holds {}, which stands for {expected}", field.name(), inside.full_name());
            self.errors.push(place.error(message, format!("point it at a {expected}")));
            return None;
        }
        let steps = here.steps.iter().chain(&to).cloned().collect();
        let block = self.block(inside, &Here { root: Arc::clone(&here.root), steps, message }, above);
        Some(Rule::Enter { field: self.hub.types().field(field), to, each: many == 1, block })
    }

    fn carrier(&mut self, message: &MessageDescriptor, bound: bool) -> Option<Carrier> {
        let (mut system, mut version, mut code, mut display, mut inner) = (None, None, None, None, None);
        for field in message.fields() {
            let mapping = self.annotations.field(&field).unwrap_or_default();
            match mapping.coding() {
                CodingPart::System => system = Some(self.hub.types().field(&field)),
                CodingPart::Version => version = Some(self.hub.types().field(&field)),
                CodingPart::Code => code = Some(self.hub.types().field(&field)),
                CodingPart::Display => display = Some(self.hub.types().field(&field)),
                CodingPart::Inner => {
                    let inside = field.kind().as_message().cloned();
                    match inside.filter(|inside| inside != message) {
                        Some(inside) => inner = Some((self.hub.types().field(&field), Box::new(self.carrier(&inside, bound)?))),
                        None => {
                            let help = "CODING_PART_INNER is for a field whose message is another code carrier";
                            self.errors.push(Place::field(&field).error(format!("`{}` holds no code carrier", field.name()), help));
                        }
                    }
                }
                CodingPart::Unspecified if !mapping.ignore.is_empty() => {}
                CodingPart::Unspecified => self.errors.push(Place::field(&field).error(
                    format!("`{}` of a code carrier does not say which part of the code it is", field.name()),
                    "say `coding: CODING_PART_CODE` (or SYSTEM, VERSION, DISPLAY, INNER), or `ignore: \"why\"`",
                )),
            }
        }
        if code.is_none() && inner.is_none() {
            let help = "mark one field with `coding: CODING_PART_CODE`";
            self.errors.push(Place::message(message).error(format!("{} carries no code", message.full_name()), help));
            return None;
        }
        Some(Carrier { system, version, code, display, inner, bound })
    }

    /// The number of the message that the last of some steps is taken in; none if it depends on the element, or another field can take it away.
    pub(super) fn way(&mut self, steps: &[Step]) -> Option<usize> {
        let (_, way) = steps.split_last()?;
        if way.iter().any(|step| step.select != Select::One || step.field.is_rivalled()) {
            return None;
        }
        let way: Vec<u32> = way.iter().map(|step| step.field.number()).collect();
        let known = self.ways.iter().position(|known| *known == way);
        Some(known.unwrap_or_else(|| {
            self.ways.push(way);
            self.ways.len() - 1
        }))
    }

    /// Spellings of "nothing stated" for a field.
    pub(super) fn nulls(&self, mapping: &FieldMapping) -> Arc<NullWords> {
        Arc::new(NullWords::new(self.nulls.iter().chain(&mapping.nulls).map(String::as_str)))
    }
}

pub(super) fn way(mapping: &FieldMapping) -> Way {
    match mapping.direction() {
        Direction::Unspecified => Way { read: true, render: true },
        Direction::In => Way { read: true, render: false },
        Direction::Out => Way { read: false, render: true },
    }
}
