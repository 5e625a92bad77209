// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the annotation of one field to its rule: place, spelling, and whether the two fit.

use prost_reflect::Kind;

use super::compile::{Compiler, Here, way};
use super::{Joint, Native, Rule, Spelling, Spot, Target, ValueRule};
use crate::dialect::annotation::Place;
use crate::dialect::codelist::Column;
use crate::dialect::error::nearest;
use crate::dialect::hub::Leaf;
use crate::dialect::message::{Field, Words};
use crate::dialect::path::{Select, resolve, spelt};
use crate::dialect::spelling;
use crate::dialect::value::boolean::BooleanWords;
use crate::dialect::value::date::DateFormat;
use crate::dialect::value::phone::PhoneStyle;
use crate::proto::dialect::{FieldMapping, Join};

const PHONE_STYLES: [&str; 5] = ["e164", "national", "slash-dash", "din5008-international", "split"];

/// The patterns of the mapping language, for suggestions.
const DATE_PATTERNS: [&str; 10] = [
    "TT.MM.JJJJ",
    "JJJJ-MM-TT",
    "JJJJMMTT",
    "JJJJ",
    "JJJJ[-MM[-TT]]",
    "JJJJ-MM-TTThh:mm:ss",
    "JJJJ-MM-TTThh:mm:ss+zz:zz",
    "TT.MM.JJJJ hh:mm",
    "epoch-seconds",
    "epoch-millis",
];

impl Compiler<'_> {
    pub(super) fn value(&mut self, place: &Place, mapping: &FieldMapping, native: Native, here: &Here) -> Option<Rule> {
        let before = self.errors.len();
        let name = native.name();
        if !mapping.constant.is_empty() {
            let Native::Field { field, carrier: None } = native else {
                self.errors.push(place.error("a constant needs a single field", "take it out of the merge"));
                return None;
            };
            if !mapping.at.is_empty() || field.is_list() {
                let message = format!("`{name}` is constant: it has no place in the hub and is not repeated");
                self.errors.push(place.error(message, "leave `at` away"));
            }
            return Some(Rule::Constant { field, text: mapping.constant.clone(), way: way(mapping) });
        }
        let places = [!mapping.at.is_empty(), mapping.join.is_some(), !mapping.tuple.is_empty()];
        if places.iter().filter(|said| **said).count() != 1 {
            let message = format!("`{name}` must say where it lies, once");
            self.errors.push(place.error(message, "say one of `at`, `join` and `tuple`; or `constant`; or `ignore: \"why\"`"));
            return None;
        }
        if mapping.list.chars().count() > 1 {
            let message = format!("`{name}`: `{}` cannot separate the elements of a list", mapping.list);
            self.errors.push(place.error(message, "use one character, such as `;`"));
        }
        let repeated = native.fields().iter().any(Field::is_list);
        let spelling = self.spelling(place, mapping, &native);
        let target = self.target(place, mapping, here);
        let (spelling, target) = (spelling?, target?);
        let width = usize::try_from(mapping.width).ok().filter(|width| *width > 0);
        let plain = !repeated && mapping.list.is_empty() && width.is_none() && !mapping.full_date_only;
        let bare = match &native {
            Native::Field { field, carrier: None } if plain && field.kind() == Kind::String => Some(field.clone()),
            _ => None,
        };
        let rule = ValueRule {
            bare,
            list: mapping.list.chars().next().filter(|_| !repeated),
            gather: mapping.list.chars().next().filter(|_| repeated),
            way: way(mapping),
            nulls: self.nulls(mapping),
            default: (!mapping.default.is_empty()).then(|| mapping.default.clone()),
            width,
            fallback: mapping.fallback,
            full_date_only: mapping.full_date_only,
            name,
            native,
            target,
            spelling,
        };
        self.fit(place, &rule);
        (self.errors.len() == before).then(|| Rule::Value(Box::new(rule)))
    }

    fn target(&mut self, place: &Place, mapping: &FieldMapping, here: &Here) -> Option<Target> {
        if let Some(join) = &mapping.join {
            let parts: Vec<_> = join.at.iter().map(|at| self.spot(place, at, here)).collect();
            let joint = self.joint(place, join)?;
            return Some(Target::Join { parts: parts.into_iter().map(|part| part.map(Some)).collect::<Option<_>>()?, joint });
        }
        if !mapping.tuple.is_empty() {
            let parts: Vec<_> = mapping.tuple.iter().map(|at| self.spot(place, at, here)).collect();
            let Some(column) = self.column(place, &mapping.codes) else {
                if mapping.codes.is_empty() {
                    self.errors.push(place.error("a tuple needs a code list", "say `codes: \"list/column\"`"));
                }
                return None;
            };
            return Some(Target::Tuple { parts: parts.into_iter().collect::<Option<_>>()?, column });
        }
        self.spot(place, &mapping.at, here).map(Target::At)
    }

    fn spot(&mut self, place: &Place, at: &str, here: &Here) -> Option<Spot> {
        let steps = match resolve(self.hub.types(), &here.message, at) {
            Ok(steps) => steps,
            Err(error) => {
                self.errors.push(place.error(error.message, error.help));
                return None;
            }
        };
        let leaf = Leaf::of(&steps.last()?.field);
        let (mut category, mut datatype, mut mandatory) = (None, None, true);
        let mut shape = Some(&here.root);
        for step in here.steps.iter().chain(&steps) {
            let field = shape.and_then(|shape| shape.get(step.field.number()));
            category = field.and_then(|field| field.category).or(category);
            datatype = field.and_then(|field| field.datatype);
            mandatory &= field.is_some_and(|field| field.mandatory);
            shape = field.and_then(|field| field.inner.as_ref());
        }
        let around = here.steps.iter().chain(steps.split_last().map(|(_, way)| way).unwrap_or_default());
        let part = around.into_iter().any(|step| !matches!(step.field.leaf(), Leaf::Message(_)));
        let keyed = steps.iter().any(|step| matches!(step.select, Select::Key { .. }));
        let many = steps.iter().any(|step| matches!(step.select, Select::From(_)));
        let slot = steps.last()?.field.slot();
        Some(Spot { way: self.way(&steps), slot, keyed, many, steps, leaf, datatype, part, category, mandatory })
    }

    fn joint(&mut self, place: &Place, join: &Join) -> Option<Joint> {
        let (joint, parts) = match join.style.as_str() {
            "" if join.by.is_empty() => {
                self.errors.push(place.error("a join needs a separator or a style", "say `by: \", \"` or `style: ...`"));
                return None;
            }
            "" => (self.joint_by(place, &join.by)?, join.at.len().max(2)),
            "family-comma-given" => (self.joint_by(place, ", ")?, 2),
            "address-line" => (Joint::AddressLine, 5),
            other => {
                let near = nearest(other, ["family-comma-given", "address-line"]).unwrap_or("family-comma-given");
                self.errors.push(place.error(format!("unknown style `{other}`"), format!("did you mean `{near}`?")));
                return None;
            }
        };
        if join.at.len() != parts {
            let message = format!("this join needs {parts} places and has {}", join.at.len());
            self.errors.push(place.error(message, "the mapping language says which, at `Join.style`"));
            return None;
        }
        Some(joint)
    }

    fn joint_by(&mut self, place: &Place, separator: &str) -> Option<Joint> {
        spelling::joint(separator)
            .map_err(|error| self.errors.push(place.error(format!("`{separator}` cannot separate: {error}"), "use such as `, ` or `;`")))
            .ok()
    }

    fn column(&mut self, place: &Place, codes: &str) -> Option<Column> {
        let (list, column) = codes.split_once('/').unwrap_or((codes, "canonical"));
        if codes.is_empty() {
            return None;
        }
        if let Some(found) = self.lists.column(list, column) {
            self.used_columns.insert((list.to_owned(), column.to_owned()));
            return Some(found);
        }
        let (message, help) = match self.lists.list(list) {
            None => {
                let help = match nearest(list, self.lists.iter().map(|list| list.name())) {
                    Some(near) => format!("did you mean `{near}/{column}`?"),
                    None => {
                        let names = self.lists.iter().map(|list| list.name()).collect::<Vec<_>>().join(", ");
                        format!("there are: {names}")
                    }
                };
                (format!("unknown code list `{list}`"), help)
            }
            Some(known) => {
                let help = match nearest(column, known.column_names()) {
                    Some(near) => format!("did you mean `{list}/{near}`?"),
                    None => format!("it has: {}", known.column_names().collect::<Vec<_>>().join(", ")),
                };
                (format!("code list `{list}` has no column `{column}`"), help)
            }
        };
        self.errors.push(place.error(message, help));
        None
    }

    fn spelling(&mut self, place: &Place, mapping: &FieldMapping, native: &Native) -> Option<Spelling> {
        let said = [
            ("codes", !mapping.codes.is_empty() && mapping.tuple.is_empty()),
            ("date", !mapping.date.is_empty()),
            ("phone", !mapping.phone.is_empty()),
            ("boolean", !mapping.boolean.is_empty()),
            ("search_form", mapping.search_form),
        ];
        let said: Vec<&str> = said.iter().filter(|(_, said)| *said).map(|(name, _)| *name).collect();
        if said.len() > 1 {
            let message = format!("`{}` has more than one spelling: {}", native.name(), said.join(", "));
            self.errors.push(place.error(message, "keep one"));
            return None;
        }
        match said.first().copied() {
            Some("codes") => self.column(place, &mapping.codes).map(Spelling::Codes),
            Some("date") => match format!("{}@{}", mapping.date, self.zone).parse::<DateFormat>() {
                Ok(format) => Some(Spelling::Date(format)),
                Err(_) => {
                    let help = match nearest(&mapping.date, DATE_PATTERNS.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("use one of {}", DATE_PATTERNS.join(", ")),
                    };
                    self.errors.push(place.error(format!("`{}` is no date pattern", mapping.date), help));
                    None
                }
            },
            Some("phone") if mapping.phone == "split" => match native {
                Native::Merge { fields, by } if fields.len() == 2 => Some(Spelling::PhoneSplit(by.clone())),
                _ => {
                    let message = format!("`{}`: a split phone number has two fields", native.name());
                    self.errors.push(place.error(message, "put it into a `merge` of area code and number"));
                    None
                }
            },
            Some("phone") => match mapping.phone.parse::<PhoneStyle>() {
                Ok(style) => Some(Spelling::Phone(style)),
                Err(_) => {
                    let help = match nearest(&mapping.phone, PHONE_STYLES) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("use one of {}", PHONE_STYLES.join(", ")),
                    };
                    self.errors.push(place.error(format!("`{}` is no spelling of phone numbers", mapping.phone), help));
                    None
                }
            },
            Some("boolean") => match mapping.boolean.parse::<BooleanWords>() {
                Ok(words) => Some(Spelling::Boolean(words)),
                Err(_) => {
                    let message = format!("`{}` is no spelling of true and false", mapping.boolean);
                    self.errors.push(place.error(message, "write both words, the one for true first: `ja/nein`"));
                    None
                }
            },
            Some(_) => {
                if way(mapping).read {
                    let message = format!("`{}`: the search form of a name has no inverse", native.name());
                    self.errors.push(place.error(message, "add `direction: DIRECTION_OUT`, and carry the name in another field"));
                    return None;
                }
                Some(Spelling::SearchForm)
            }
            None => Some(Spelling::Plain),
        }
    }

    /// Whether what the field holds can be spelt as it says and stand where it points.
    fn fit(&mut self, place: &Place, rule: &ValueRule) {
        let name = rule.native.name();
        let text = matches!(&rule.native, Native::Merge { .. }) || rule.native.fields().iter().all(|field| field.kind() == Kind::String);
        let mut wrong = |message: String, help: &str| self.errors.push(place.error(message, help));
        if rule.width.is_some() && !text {
            wrong(format!("`{name}` has a width and is no text"), "leave `width` away");
        }
        let repeated = rule.native.fields().iter().any(Field::is_list);
        let many = rule.target.spots().iter().map(|spot| spot.many).collect::<Vec<_>>();
        let several = repeated || rule.list.is_some();
        if rule.gather.is_some() {
            if !text || !matches!(&rule.target, Target::At(spot) if spot.leaf == Leaf::Text && !spot.many) {
                wrong(format!("`{name}` is repeated and has a `list`"), "that is for texts that are one text of the hub");
            }
        } else if several && !matches!(&rule.target, Target::At(spot) if spot.many) {
            wrong(format!("`{name}` holds several values and its place one"), "use a path with one `[]` or `[n..]`");
        } else if !several && many.contains(&true) {
            wrong(format!("`{name}` holds one value and its place several"), "select one, such as `[0]`, or say `list: \";\"`");
        } else if rule.list.is_some() && !text {
            wrong(format!("`{name}`: `list` is for a single text"), "leave `list` away");
        }
        for spot in rule.target.spots() {
            if let Some(problem) = unfit(rule, spot, text) {
                wrong(format!("`{name}` does not fit `{}`: {}", spelt(&spot.steps), problem.0), problem.1);
            }
        }
        if let Some(column) = rule.column() {
            self.codes_fit(place, rule, column);
        }
    }

    /// Whether the codes of both sides are in the list.
    fn codes_fit(&mut self, place: &Place, rule: &ValueRule, column: &Column) {
        let list = format!("{}/{}", column.list().name(), column.name());
        let spots = rule.target.spots();
        for row in column.list().rows().iter().filter(|row| !row.is_absent()) {
            let parts: Vec<&str> = if spots.len() == 1 { vec![row.canonical()] } else { row.parts().collect() };
            let fits = parts.len() == spots.len()
                && parts.iter().zip(&spots).all(|(part, spot)| match &spot.leaf {
                    Leaf::Enum(values) => values.number_of(part).is_some(),
                    Leaf::Bool => matches!(*part, "true" | "false"),
                    Leaf::Integer => part.parse::<i64>().is_ok(),
                    _ => true,
                });
            if !fits {
                let what = spots.iter().map(|spot| spelt(&spot.steps)).collect::<Vec<_>>().join(", ");
                let message = format!("list {list} has the row `{}`, which does not fit {what}", row.canonical());
                self.errors.push(place.error(message, "name a list of the codes of this place"));
                return;
            }
        }
        let Native::Field { field, carrier: None } = &rule.native else { return };
        let kind = field.kind();
        let Some(values) = kind.as_enum() else { return };
        let words = Words::new(values);
        for value in values.values() {
            let name = words.word(value.number());
            let known = |name: &str| column.to_canonical(name).is_ok();
            if rule.way.read && name.is_some_and(|short| !known(short) && !known(value.name())) {
                let at = Place::of(&values.parent_file(), value.path());
                self.errors.push(at.error(
                    format!("`{}` of {} has no counterpart in list {list}", value.name(), values.full_name()),
                    format!("add it to the list, or take it out of the enum (`{}` uses it)", field.name()),
                ));
            }
        }
        if rule.way.render {
            for row in column.list().rows() {
                let Some(image) = column.image(row) else { continue };
                if words.number_of(image.value).is_none() {
                    self.errors.push(place.error(
                        format!("list {list} says `{}`, which is no value of {}", image.value, values.full_name()),
                        "add the value to the enum, or correct the list",
                    ));
                }
            }
        }
    }
}

impl ValueRule {
    /// The code list column in use, if there is one.
    pub(in crate::dialect) fn column(&self) -> Option<&Column> {
        match (&self.target, &self.spelling) {
            (Target::Tuple { column, .. }, _) | (_, Spelling::Codes(column)) => Some(column),
            _ => None,
        }
    }
}

/// Why a field cannot stand for a spot, and what to do.
fn unfit(rule: &ValueRule, spot: &Spot, text: bool) -> Option<(String, &'static str)> {
    let leaf = spot.leaf.name();
    let joined = matches!(rule.target, Target::Join { .. });
    let coded = matches!(rule.target, Target::Tuple { .. });
    let kinds: Vec<Kind> = rule.native.fields().iter().map(|field| field.kind()).collect();
    let carrier = matches!(rule.native, Native::Field { carrier: Some(_), .. });
    let all = |accept: fn(&Kind) -> bool| kinds.iter().all(accept);
    let number = all(|kind| !matches!(kind, Kind::String | Kind::Bool | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) | Kind::Double | Kind::Float));
    let listed = all(|kind| matches!(kind, Kind::Enum(_)));
    if joined && !matches!(spot.leaf, Leaf::Text | Leaf::Integer) {
        return Some((format!("it is {leaf}"), "only texts and whole numbers can be joined"));
    }
    if joined && !text {
        return Some(("several texts need a text".to_owned(), "make the field a string"));
    }
    let code_leaf = matches!(spot.leaf, Leaf::Text | Leaf::Enum(_) | Leaf::Coding | Leaf::Bool | Leaf::Integer);
    match (&rule.spelling, &spot.leaf) {
        (Spelling::Codes(_), _) | (Spelling::Plain, _) if matches!(rule.spelling, Spelling::Codes(_)) || coded => {
            if !code_leaf {
                Some((format!("it is {leaf}"), "a code stands for an enum, a Coding or a text"))
            } else if !(text || number || listed || carrier) {
                Some(("the field holds no code".to_owned(), "make it a string, a whole number, an enum or a code carrier"))
            } else {
                None
            }
        }
        _ if carrier => Some(("a code needs its list".to_owned(), "say `codes: \"list/column\"`")),
        (Spelling::Date(_), Leaf::PartialDate | Leaf::Timestamp) if text || number => None,
        (Spelling::Date(_), _) => Some((format!("it is {leaf}"), "a date stands for a PartialDate or a Timestamp, and is a text or a number")),
        (Spelling::Phone(_) | Spelling::PhoneSplit(_) | Spelling::SearchForm, Leaf::Text) if text => None,
        (Spelling::Phone(_) | Spelling::PhoneSplit(_) | Spelling::SearchForm, _) => Some((format!("it is {leaf}"), "this spelling is for texts")),
        (Spelling::Boolean(_), Leaf::Bool) if text => None,
        (Spelling::Boolean(_), _) => Some((format!("it is {leaf}"), "`boolean` spells true and false in a text")),
        (_, Leaf::Text) if text || number => None,
        (_, Leaf::Integer) if text || number => None,
        (_, Leaf::Bool) if all(|kind| *kind == Kind::Bool) => None,
        (_, Leaf::Bytes) if all(|kind| *kind == Kind::Bytes) => None,
        (_, Leaf::Enum(values)) if listed => {
            let mine = kinds.first().and_then(Kind::as_enum)?;
            let words = Words::new(mine);
            let missing = mine.values().find_map(|value| words.word(value.number()).filter(|name| values.number_of(name).is_none()))?;
            Some((format!("`{missing}` is no value of {leaf}"), "say `codes: \"list/column\"`"))
        }
        (_, Leaf::Enum(_) | Leaf::Coding) => Some((format!("it is {leaf}"), "say `codes: \"list/column\"`")),
        (_, Leaf::Bool) => Some((format!("it is {leaf}"), "say `boolean: \"ja/nein\"`")),
        (_, leaf_) => match (spot.steps.last().map(|step| step.field.kind()), kinds.as_slice()) {
            (Some(Kind::Message(theirs)), [Kind::Message(mine)]) if theirs == *mine => None,
            _ if matches!(leaf_, Leaf::PartialDate | Leaf::Timestamp) => {
                Some((format!("it is {leaf}"), "say `date: \"TT.MM.JJJJ\"` or another pattern"))
            }
            _ => Some((format!("it is {leaf}"), "give the field a type that can hold it, or `ignore` it")),
        },
    }
}
