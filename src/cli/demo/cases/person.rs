// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};

use super::codes::coding;
use super::names::{ORIGINS, Origin};
use crate::dialect::codelist::CodeLists;
use crate::proto::types::{
    Address, CefrLevel, ContactPoint, EmploymentPermission, Gender, GermanLevel, GermanLevelSource, Identifier, LanguageSkill, MaritalStatus,
    PartialDate, Person, PersonName, Residence,
};

/// Districts of the two cities with their postcodes; streets are made up.
const BREMEN: &[(&str, &[&str])] = &[
    ("28195", &["Musterstraße", "An der Probe"]),
    ("28199", &["Beispieldeich", "Langemusterstraße"]),
    ("28217", &["Übungsweg", "Musterhafen"]),
    ("28237", &["Musterweg", "Gröpelinger Beispielstraße"]),
    ("28239", &["Oslebshauser Musterheer"]),
    ("28259", &["Huchtinger Probestraße"]),
    ("28277", &["Obervielander Übungsdamm"]),
    ("28309", &["Hemelinger Musterchaussee"]),
    ("28325", &["Tenever Beispielallee"]),
    ("28329", &["Vahrer Musterring"]),
    ("28359", &["Horner Übungsheide"]),
    ("28717", &["Burger Musterheerstraße"]),
    ("28757", &["Vegesacker Probehafen"]),
    ("28777", &["Blumenthaler Beispielstraße"]),
];

/// A made-up person and what only the residence part of a referral needs.
#[derive(Debug, Clone)]
pub(super) struct Somebody {
    pub person: Person,
    pub residence: Residence,
    pub german: GermanLevel,
    /// The first nationality.
    pub country: &'static str,
}

/// Somebody between `ages`, both included, in `year`.
pub(super) fn somebody(dice: &mut SmallRng, lists: &CodeLists, ages: (i32, i32), year: i32) -> Somebody {
    let origin = origin(dice);
    let female = dice.random_bool(0.52);
    let adult = ages.1 >= 18;
    let (status, separated) = if adult { marital(dice) } else { (MaritalStatus::Single, false) };
    let person = Person {
        name: Some(name(dice, origin, female)),
        birth_date: Some(birth_date(dice, ages, year)),
        gender: gender(dice, female).into(),
        marital_status: status.into(),
        permanently_separated: separated,
        nationalities: nationalities(dice, lists, origin),
        languages: languages(dice, lists, origin),
        interpreter_needed: dice.random_bool(0.4),
        contact_points: contact_points(dice),
        address: dice.random_bool(0.92).then(|| address(dice)),
        identifiers: identifiers(dice),
    };
    let residence = residence(dice, lists, origin, year);
    Somebody { person, residence, german: german(dice, year), country: origin.nationality }
}

fn origin(dice: &mut SmallRng) -> &'static Origin {
    ORIGINS.choose_weighted(dice, |origin| origin.weight).unwrap_or(&ORIGINS[0])
}

fn pick<'a>(dice: &mut SmallRng, list: &[&'a str]) -> &'a str {
    list.choose(dice).copied().unwrap_or_default()
}

fn name(dice: &mut SmallRng, origin: &Origin, female: bool) -> PersonName {
    if !origin.single.is_empty() && dice.random_bool(0.3) {
        return PersonName { family: pick(dice, origin.single).into(), ..PersonName::default() };
    }
    let family = pick(dice, origin.families);
    let given = pick(dice, if female { origin.women } else { origin.men });
    let script = origin.families.first() == Some(&family) && origin.women.first() == Some(&given);
    PersonName {
        family: family.into(),
        given: given.into(),
        birth_name: if female && dice.random_bool(0.2) { pick(dice, origin.families).into() } else { String::new() },
        prefix: if dice.random_bool(0.04) { "Dr.".into() } else { String::new() },
        native_script: if script { origin.native_script.into() } else { String::new() },
    }
}

/// One in three dates is incomplete, as on many papers.
fn birth_date(dice: &mut SmallRng, (youngest, oldest): (i32, i32), year: i32) -> PartialDate {
    // Somebody whose birthday comes late in the year is still a year younger: stay inside at both ends.
    let date = PartialDate {
        year: year - dice.random_range(youngest + 1..=oldest.max(youngest + 1)),
        month: dice.random_range(1..=12),
        day: dice.random_range(1..=28),
    };
    match dice.random_range(0..6) {
        0 => PartialDate { month: 0, day: 0, ..date },
        1 => PartialDate { day: 0, ..date },
        _ => date,
    }
}

fn gender(dice: &mut SmallRng, female: bool) -> Gender {
    match dice.random_range(0..60) {
        0 => Gender::Diverse,
        1 => Gender::NoEntry,
        _ if female => Gender::Female,
        _ => Gender::Male,
    }
}

fn marital(dice: &mut SmallRng) -> (MaritalStatus, bool) {
    match dice.random_range(0..20) {
        0..=6 => (MaritalStatus::Single, false),
        7..=12 => (MaritalStatus::Married, false),
        13..=15 => (MaritalStatus::Married, true),
        16..=17 => (MaritalStatus::Divorced, false),
        18 => (MaritalStatus::Widowed, false),
        _ => (MaritalStatus::Partnership, false),
    }
}

fn nationalities(dice: &mut SmallRng, lists: &CodeLists, origin: &Origin) -> Vec<crate::proto::types::Coding> {
    let second = dice.random_bool(0.06).then_some("000");
    std::iter::once(origin.nationality).chain(second).filter_map(|code| coding(lists, "nationality", code)).collect()
}

fn languages(dice: &mut SmallRng, lists: &CodeLists, origin: &Origin) -> Vec<LanguageSkill> {
    let spoken = dice.random_range(1..=origin.languages.len().max(1));
    let english = dice.random_bool(0.25).then_some("eng");
    let codes = origin.languages.iter().copied().take(spoken).chain(english.filter(|code| !origin.languages.contains(code)));
    codes
        .filter_map(|code| coding(lists, "language", code))
        .enumerate()
        .map(|(at, language)| LanguageSkill { language: Some(language), preferred: at == 0, note: String::new() })
        .collect()
}

/// Numbers that are reserved for films and plays, mail at a domain that does not exist.
fn contact_points(dice: &mut SmallRng) -> Vec<ContactPoint> {
    let mut points = Vec::new();
    let number = dice.random_range(0..100);
    if dice.random_bool(0.9) {
        let (value, kind) =
            if dice.random_bool(0.85) { (format!("+4917139200{number:02}"), "mobile") } else { (format!("+4930231250{number:02}"), "home") };
        points.push(ContactPoint { system: "phone".into(), value, r#use: kind.into(), r#unsafe: dice.random_bool(0.1) });
    }
    if points.is_empty() || dice.random_bool(0.3) {
        let value = format!("person-{:04x}@example.invalid", dice.random::<u16>());
        points.push(ContactPoint { system: "email".into(), value, r#use: String::new(), r#unsafe: false });
    }
    points
}

fn address(dice: &mut SmallRng) -> Address {
    let (postal_code, streets) = BREMEN.iter().choose(dice).copied().unwrap_or(BREMEN[0]);
    Address {
        street: pick(dice, streets).into(),
        house_number: dice.random_range(1..180).to_string(),
        house_number_suffix: if dice.random_bool(0.15) { "a".into() } else { String::new() },
        postal_code: postal_code.into(),
        city: "Bremen".into(),
        municipality_key: "04011000".into(),
        additional_line: if dice.random_bool(0.1) { "c/o Übergangswohnheim Musterhaus".into() } else { String::new() },
    }
}

fn identifiers(dice: &mut SmallRng) -> Vec<Identifier> {
    let mut numbers = Vec::new();
    if dice.random_bool(0.5) {
        numbers.push(Identifier { system: "ba-kundennummer".into(), value: format!("214A{:06}", dice.random_range(0..1_000_000)) });
        if dice.random_bool(0.7) {
            numbers.push(Identifier { system: "bg-nummer".into(), value: format!("21404BG{:07}", dice.random_range(0..10_000_000)) });
        }
    }
    numbers
}

fn residence(dice: &mut SmallRng, lists: &CodeLists, origin: &Origin, year: i32) -> Residence {
    let title = pick(dice, origin.titles);
    let unlimited = ["NE-9", "NE-26-3", "EU-FREI", "EU-DAUER"].contains(&title);
    let mut day = |year: i32, from: i32, to: i32| PartialDate {
        year: year + dice.random_range(from..to),
        month: dice.random_range(1..=12),
        day: dice.random_range(1..=28),
    };
    let (valid_from, valid_until) = (day(year, -3, 0), day(year, 1, 3));
    Residence {
        title: coding(lists, "residence", title),
        valid_from: Some(valid_from),
        valid_until: (!unlimited).then_some(valid_until),
        employment: match title {
            "AGST" | "DUL-60A" => EmploymentPermission::Restricted,
            _ => EmploymentPermission::Permitted,
        }
        .into(),
        residence_rule: title.starts_with("AE-25") && dice.random_bool(0.5),
        underlying_title: (title == "FIK-81-4").then(|| coding(lists, "residence", "AE-25-2-S")).flatten(),
    }
}

fn german(dice: &mut SmallRng, year: i32) -> GermanLevel {
    use CefrLevel::{A1, A2, B1, B2, C1, None, PreA1};
    let levels = [None, PreA1, A1, A1, A2, A2, A2, B1, B1, B2, C1];
    let lowest = levels.choose(dice).copied().unwrap_or(A2);
    let range = dice.random_bool(0.2) && lowest == A1;
    let sources = [GermanLevelSource::Certificate, GermanLevelSource::Course, GermanLevelSource::Self_, GermanLevelSource::Counsellor];
    GermanLevel {
        lowest: lowest.into(),
        highest: if range { A2 } else { lowest }.into(),
        source: sources.choose(dice).copied().unwrap_or(GermanLevelSource::Self_).into(),
        assessed_on: dice.random_bool(0.6).then(|| PartialDate { year, month: dice.random_range(1..=9), day: 0 }),
    }
}
