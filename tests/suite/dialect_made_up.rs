// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Dialects that nobody has thought of: each says a made-up part of a referral, flat or nested, in made-up spellings. They are written as an
//! institution would write them, compiled from their folder, and every law of translation holds for them.

use std::fmt::Write as _;
use std::path::Path;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use weiche::dialect::codelist::CodeLists;
use weiche::dialect::{Dialects, REFERRAL};

/// Dialects in one run: more with `WEICHE_DIALECTS=100`.
const USUALLY: u64 = 3;
/// Where the code lists of the hub's fields are.
const LISTS: [(&str, &str); 15] = [
    ("purpose", "purpose"),
    ("gender", "gender"),
    ("marital_status", "marital_status"),
    ("school", "school"),
    ("vocational", "vocational"),
    ("employment", "work_permission"),
    ("status", "recognition"),
    ("source", "level_source"),
    ("nationalities", "nationality"),
    ("country", "nationality"),
    ("language", "language"),
    ("title", "residence"),
    ("underlying_title", "residence"),
    ("topic", "topic"),
    ("measure", "measure"),
];
const DATES: [&str; 5] = ["JJJJ-MM-TT", "TT.MM.JJJJ", "JJJJMMTT", "JJJJ[-MM[-TT]]", "JJJJ"];
const TIMES: [&str; 3] = ["JJJJ-MM-TTThh:mm:ss", "TT.MM.JJJJ hh:mm", "JJJJ-MM-TTThh:mm:ss+zz:zz"];

/// Writes them into `folder`, each in one of its own.
pub(crate) fn write(folder: &Path) {
    let many = std::env::var("WEICHE_DIALECTS").map_or(USUALLY, |many| many.parse().unwrap());
    let pool = Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    for seed in 1..=many {
        let folder = folder.join(format!("madeup{seed}/v1"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("referral.proto"), source(seed, pool.pool(), pool.lists())).unwrap();
    }
}

fn source(seed: u64, pool: &DescriptorPool, lists: &CodeLists) -> String {
    let mut pen = Pen { dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, lists, messages: String::new(), names: 0 };
    let zone = pen.one(&["Europe/Berlin", "Europe/Vienna", "UTC"]);
    let referral = pool.get_message_by_name(REFERRAL).unwrap();
    pen.message("Record", &referral, "  option (weiche.dialect.v1.message) = { hub: \"weiche.type.v1.Referral\" };\n");
    let mut out =
        String::from("// SPDX-FileCopyrightText: 2026 The Weiche authors\n// SPDX-License-Identifier: Apache-2.0\n\nsyntax = \"proto3\";\n");
    writeln!(out, "package madeup{seed}.v1;\nimport \"weiche/dialect/v1/options.proto\";").unwrap();
    writeln!(
        out,
        "option (weiche.dialect.v1.dialect) = {{ name: \"madeup{seed}\", version: \"1\", title: \"Made up {seed}\", zone: \"{zone}\", nulls: [\"n/a\", \"-\"] }};"
    )
    .unwrap();
    out + &pen.messages
}

struct Pen<'a> {
    dice: u64,
    lists: &'a CodeLists,
    messages: String,
    names: u32,
}

impl Pen<'_> {
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % sides
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }

    /// A message that says what another one of the hub says.
    fn message(&mut self, name: &str, hub: &MessageDescriptor, option: &str) {
        let mut fields = Vec::new();
        self.fields(hub, "", &mut fields);
        // In an order of its own, under numbers of its own.
        for at in (1..fields.len()).rev() {
            let with = usize::try_from(self.roll(at as u64 + 1)).unwrap();
            fields.swap(at, with);
        }
        let mut body = format!("\nmessage {name} {{\n{option}");
        let mut number = 0;
        for (kind, rule) in fields {
            number += 1 + self.roll(9);
            self.names += 1;
            let word = self.one(&["feld", "wert", "x", "daten", "item", "k"]);
            writeln!(body, "  {kind} {word}{} = {number} [(weiche.dialect.v1.field) = {{ {rule} }}];", self.names).unwrap();
        }
        body.push_str("}\n");
        self.messages.push_str(&body);
    }

    /// Type and rule of a field for each that this dialect has a word for.
    fn fields(&mut self, hub: &MessageDescriptor, base: &str, out: &mut Vec<(String, String)>) {
        if hub.full_name() == "weiche.type.v1.PersonName" && self.roll(3) == 0 {
            let how = self.one(&["by: \" | \"", "style: \"family-comma-given\""]);
            out.push(("string".into(), format!("join: {{ at: [\"{base}family\", \"{base}given\"], {how} }}")));
            return;
        }
        for field in hub.fields() {
            let needed = ["subject", "name", "family", "recipient", "purpose", "institution"].contains(&field.name());
            if needed || self.roll(3) > 0 {
                self.field(&field, base, out);
            }
        }
    }

    fn field(&mut self, field: &FieldDescriptor, base: &str, out: &mut Vec<(String, String)>) {
        let (list, at) = (field.is_list(), format!("{base}{}", field.name()));
        let (many, at) = if list { ("repeated ", format!("{at}[]")) } else { ("", at) };
        let kind = field.kind();
        let whole = kind.as_message().map(|inside| inside.full_name().to_owned());
        let codes = LISTS.iter().find(|(name, _)| *name == field.name()).map(|(_, list)| *list);
        let (kind, rule) = match (&kind, whole.as_deref()) {
            (Kind::Enum(_), _) | (_, Some("weiche.type.v1.Coding")) => {
                let Some(codes) = codes else { return };
                let columns: Vec<_> = self.lists.list(codes).unwrap().column_names().collect();
                let column = self.one(&columns);
                ("string".to_owned(), format!("codes: \"{codes}/{column}\""))
            }
            (_, Some("weiche.type.v1.PartialDate")) => ("string".to_owned(), format!("date: \"{}\"", self.one(&DATES))),
            (_, Some("google.protobuf.Timestamp")) => match self.roll(3) {
                0 => ("int64".to_owned(), format!("date: \"{}\"", self.one(&["epoch-seconds", "epoch-millis"]))),
                _ => ("string".to_owned(), format!("date: \"{}\"", self.one(&TIMES))),
            },
            (Kind::Message(inside), _) if list || self.roll(2) == 0 => {
                self.names += 1;
                let name = format!("Teil{}", self.names);
                self.message(&name, inside, "");
                (name, String::new())
            }
            (Kind::Message(inside), _) => return self.fields(inside, &format!("{at}."), out),
            (Kind::Bool, _) => match self.roll(2) {
                0 => ("bool".to_owned(), String::new()),
                _ => ("string".to_owned(), format!("boolean: \"{}\"", self.one(&["ja/nein", "J/N", "wahr/falsch"]))),
            },
            (Kind::String, _) => match self.roll(6) {
                0 => ("string".to_owned(), format!("width: {}", 20 + self.roll(60))),
                1 => ("string".to_owned(), "nulls: [\"unbekannt\", \"?*\"]".to_owned()),
                _ => ("string".to_owned(), String::new()),
            },
            (Kind::Int32, _) => ("int32".to_owned(), String::new()),
            (Kind::Uint32, _) => ("uint32".to_owned(), String::new()),
            _ => return,
        };
        let comma = if rule.is_empty() { "" } else { ", " };
        out.push((format!("{many}{kind}"), format!("at: \"{at}\"{comma}{rule}")));
    }
}

#[test]
fn they_are_different_and_every_one_of_them_is_among_those_that_the_laws_are_about() {
    let every = &super::dialects::EVERY;
    let made_up: Vec<_> = every.iter().filter(|dialect| dialect.name().starts_with("madeup")).collect();
    assert!(made_up.len() as u64 >= USUALLY);
    let referral = every.pool().get_message_by_name(REFERRAL).unwrap();
    let words = |seed| source(seed, every.pool(), every.lists()).lines().count();
    assert!(words(1) != words(2) && words(1) > referral.fields().count());
}
