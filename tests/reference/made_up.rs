// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Messages made up from their descriptors: nearly right ones most of the time, for what is plain nonsense is refused at once and tests little.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::dialect::codelist::CodeLists;

/// A small generator: the same seed gives the same message.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides.max(1)
    }
    /// One time in so many.
    pub(super) fn chance(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

pub(super) fn message(dice: &mut Dice, lists: &CodeLists, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut out = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields().filter(|field| !field.is_map()) {
        if dice.chance(if depth == 0 { 5 } else { 3 }) || depth > 6 {
            continue;
        }
        let value = if field.is_list() {
            Value::List((0..dice.below(4)).map(|_| value(dice, lists, &field, depth)).collect())
        } else {
            value(dice, lists, &field, depth)
        };
        out.set_field(&field, value);
    }
    out
}

fn value(dice: &mut Dice, lists: &CodeLists, field: &FieldDescriptor, depth: usize) -> Value {
    let number = i32::try_from(dice.below(14)).unwrap() - 1;
    let wide = if dice.chance(3) { 1_700_000_000 + i64::from(number) * 86_399 } else { i64::from(number) };
    match field.kind() {
        Kind::Bool => Value::Bool(dice.chance(2)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(if field.name() == "year" { 1990 + number } else { number }),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(wide),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number.unsigned_abs()),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(wide.unsigned_abs()),
        Kind::Float => Value::F32(0.5),
        Kind::Double => Value::F64(0.5),
        Kind::Bytes => Value::Bytes(vec![7; dice.below(4)].into()),
        Kind::Enum(list) => {
            Value::EnumNumber(if dice.chance(12) { 77 } else { list.values().nth(dice.below(list.values().len())).unwrap().number() })
        }
        Kind::String => Value::String(text(dice, lists)),
        Kind::Message(inside) if inside.full_name() == "weiche.type.v1.Coding" && !dice.chance(6) => Value::Message(coding(dice, lists, &inside)),
        Kind::Message(inside) => Value::Message(message(dice, lists, &inside, depth + 1)),
    }
}

fn coding(dice: &mut Dice, lists: &CodeLists, descriptor: &MessageDescriptor) -> DynamicMessage {
    let list = lists.iter().nth(dice.below(lists.iter().count())).unwrap();
    let row = &list.rows()[dice.below(list.rows().len())];
    let mut out = DynamicMessage::new(descriptor.clone());
    for (name, text) in [("system", list.uri()), ("version", list.version()), ("code", row.canonical()), ("display", row.label())] {
        out.set_field_by_name(name, Value::String(text.to_owned()));
    }
    out
}

/// Words of code lists, dates, phone numbers, names, lists, and what looks a little like them.
fn text(dice: &mut Dice, lists: &CodeLists) -> String {
    match dice.below(9) {
        0 | 1 => {
            let list = lists.iter().nth(dice.below(lists.iter().count())).unwrap();
            let columns: Vec<_> = list.column_names().filter_map(|name| lists.column(list.name(), name)).collect();
            let row = &list.rows()[dice.below(list.rows().len())];
            let column = &columns[dice.below(columns.len())];
            let word = column.image(row).map_or("", |image| image.value).to_owned();
            if dice.chance(4) { format!("{word}{}{word}", dice.one(&[";", "|", ",", "/", "+"])) } else { word }
        }
        2 => dice
            .one(&[
                "02.03.2026",
                "00.05.1991",
                "2026-03-02",
                "19910503",
                "1991",
                "1991-05",
                "1809036000",
                "1809036000000",
                "2026-03-29T02:30:00",
                "2026-10-25T02:30:00",
                "02.03.2026 10:15",
                "2026-03-02T10:15:00+01:00",
                "2026-03-02T10:15:00.5Z",
                "00000000",
                "31.02.2026",
                "1.1.26",
            ])
            .to_owned(),
        3 => dice
            .one(&["0171/39200-12", "+491713920012", "0421 1230", "00963110000000", "+44 (0)20 79460000", "+49", "110", "(0421) 12-30", "0399912345"])
            .to_owned(),
        4 => dice
            .one(&[
                "Al-Ḥasanī, Nūr",
                "Müller",
                "Graf\\, von, Eva",
                "-, Nūr",
                "A, B, C",
                "Lukas\u{30c}",
                "Иван",
                "Ŀ",
                "ŉ",
                "e\u{301}",
                "Musterweg 1a, 28237 Bremen",
                "Musterweg, Bremen",
                "28237 Bremen",
            ])
            .to_owned(),
        5 => dice.one(&["ja", "nein", "J", "N", "true", "false", "JA ", "1", "0", "vielleicht"]).to_owned(),
        6 => dice.one(&["", " ", "k.A.", "unbek.", "9999", "99999999", "-", "x", "xxx"]).to_owned(),
        7 => dice.one(&["awo-bremen", "jobcenter-bremen/vermittlung-mitte", "phone", "email", "ba-kundennummer", "bg-nummer", "mobile"]).to_owned(),
        _ => {
            const LETTERS: [char; 16] = ['a', 'ß', 'Ü', ' ', ',', ';', '\\', '-', '/', '|', '1', '9', '\u{30c}', '\u{0}', '日', '+'];
            (0..dice.below(12)).map(|_| LETTERS[dice.below(LETTERS.len())]).collect()
        }
    }
}
