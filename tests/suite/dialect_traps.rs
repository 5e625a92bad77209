// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Names, dates, telephone numbers and addresses that go wrong easily, in every dialect: they come back as they were, or their loss is named, or
//! the message is refused. Values alone are tested beside their code, with the tables in `tests/cases/values`.

use serde_json::{Value, json};
use weiche::dialect::{CategoryMask, Dialect, Outcome, ProblemKind, REFERRAL, Translation};

use super::dialects::EVERY;

fn canonical() -> &'static Dialect {
    EVERY.get("canonical").unwrap()
}

fn speakers() -> impl Iterator<Item = &'static Dialect> {
    EVERY.iter().map(|dialect| &**dialect).filter(|dialect| dialect.id() != "canonical")
}

fn referral(subject: &Value) -> Value {
    let mut person = json!({ "name": { "family": "Beispiel", "given": "Nur" } });
    person.as_object_mut().unwrap().extend(subject.as_object().unwrap().clone());
    json!({
        "sender_case_number": "HB-2026-00417", "subject_ref": "p-1", "purpose": "PURPOSE_JOB_SEARCH",
        "sender": { "institution": "jobcenter-bremen", "unit": "vermittlung-mitte" },
        "recipient": { "institution": "agentur-bremen-bremerhaven", "unit": "vermittlung-bremen" }, "subject": person
    })
}

/// Out into a dialect and in again: what is there then, and what was said on the way.
fn round(dialect: &Dialect, subject: &Value) -> (Translation, Translation) {
    let all = CategoryMask::ALL;
    let out = EVERY.translate(canonical(), dialect, REFERRAL, all, &referral(subject), false).unwrap();
    let back = EVERY.translate(dialect, canonical(), REFERRAL, all, &out.json, false).unwrap();
    (out, back)
}

/// It comes back as it was, or a report names the place.
fn kept_or_named(subject: &Value, pointer: &str, path: &str) {
    for dialect in speakers() {
        let (out, back) = round(dialect, subject);
        let named = out.rendered.fields.iter().any(|field| path.starts_with(&field.path) || field.path.starts_with(path));
        let before = referral(subject);
        let same = back.json["subject"].pointer(pointer) == before["subject"].pointer(pointer);
        assert!(same || named || !out.problems.is_empty(), "{}: {pointer}: {:#} {:?}", dialect.id(), back.json["subject"], out.rendered);
        assert!(back.problems.is_empty() || named || !out.problems.is_empty(), "{}: {:?}", dialect.id(), back.problems);
    }
}

#[test]
fn names_with_commas_single_names_hyphens_and_prefixes_keep_their_parts() {
    for name in [
        json!({ "family": "Graf, von", "given": "Eva" }),
        json!({ "family": "Nūr" }),
        json!({ "family": "-", "given": "Amal" }),
        json!({ "family": "Al-Ḥasanī", "given": "Nūr" }),
        json!({ "family": "de la Cruz", "given": "María José" }),
        json!({ "family": "O’Brien;", "given": "Anna|Lena" }),
        json!({ "family": "K\u{35f}houry", "given": "ʿAbd" }),
    ] {
        kept_or_named(&json!({ "name": name }), "/name/family", "subject.name.family");
        kept_or_named(&json!({ "name": name }), "/name/given", "subject.name.given");
    }
}

#[test]
fn a_birth_date_of_which_only_a_part_is_known_never_gets_a_day() {
    for date in [
        json!({ "year": 1991 }),
        json!({ "year": 1991, "month": 5 }),
        json!({ "year": 1991, "month": 1, "day": 1 }),
        json!({ "year": 1960, "month": 2, "day": 29 }),
    ] {
        for dialect in speakers() {
            let (_, back) = round(dialect, &json!({ "birth_date": date }));
            let there = &back.json["subject"]["birth_date"];
            for part in ["month", "day"] {
                assert!(there.get(part).is_none() || there[part] == date[part], "{}: {date} became {there}", dialect.id());
            }
        }
        kept_or_named(&json!({ "birth_date": date }), "/birth_date", "subject.birth_date");
    }
}

#[test]
fn an_epoch_is_the_day_in_berlin_and_not_in_greenwich() {
    let caritas = EVERY.get("caritas").unwrap();
    let text = include_str!("../cases/renderings/caritas.json");
    let there = EVERY.translate(caritas, canonical(), REFERRAL, CategoryMask::ALL, &serde_json::from_str(text).unwrap(), false).unwrap();
    assert_eq!(there.json["residence"]["valid_until"], json!({ "year": 2027, "month": 4, "day": 30 }));
    let nova = EVERY.get("nova").unwrap();
    // A moment before and after midnight of 1 July 1991 in Berlin, when clocks were two hours ahead.
    for (millis, day, month) in [("678319199000", 30, 6), ("678319200000", 1, 7)] {
        let case = json!({ "client": { "lastName": "Beispiel", "dobMs": millis }, "to": { "org": "x" }, "reasonCode": "JOB" });
        let there = EVERY.translate(nova, canonical(), REFERRAL, CategoryMask::ALL, &case, false).unwrap();
        assert_eq!(there.json["subject"]["birth_date"], json!({ "year": 1991, "month": month, "day": day }), "{millis}");
    }
}

#[test]
fn years_of_two_digits_impossible_days_and_hours_that_never_were_are_refused_by_field() {
    let awo = EVERY.get("awo").unwrap();
    let mut fall: Value = serde_json::from_str(include_str!("../../proto/dialects/awo/examples/fall.json")).unwrap();
    for (field, text) in [("geb", "03.05.91"), ("geb", "30.02.1991"), ("angelegt_am", "29.03.2026 02:30"), ("angelegt_am", "02.03.2026 24:00")] {
        let before = fall[field].take();
        fall[field] = json!(text);
        let there = EVERY.translate(awo, canonical(), REFERRAL, CategoryMask::ALL, &fall, false).unwrap();
        assert!(there.problems.iter().any(|problem| problem.path == field), "{field} {text}: {:?}", there.problems);
        fall[field] = before;
    }
    // The hour that came twice is the earlier one, and it is said.
    fall["angelegt_am"] = json!("25.10.2026 02:30");
    let there = EVERY.translate(awo, canonical(), REFERRAL, CategoryMask::ALL, &fall, false).unwrap();
    assert_eq!(there.json["authored_at"], "2026-10-25T00:30:00Z");
    assert!(there.read.fields.iter().any(|field| field.path == "angelegt_am" && matches!(field.outcome, Outcome::Lossy(_))));
}

#[test]
fn telephone_numbers_keep_their_country_and_are_not_made_german() {
    for number in ["+491713920012", "+494211230", "+963110000000", "+442079460000", "+390600000000"] {
        let subject = json!({ "contact_points": [{ "system": "phone", "value": number }] });
        kept_or_named(&subject, "/contact_points/0/value", "subject.contact_points[0].value");
        for dialect in speakers() {
            let (_, back) = round(dialect, &subject);
            let there = back.json["subject"].pointer("/contact_points/0/value");
            assert!(there.is_none_or(|there| there == number), "{}: {number} became {there:?}", dialect.id());
        }
    }
}

#[test]
fn addresses_with_odd_numbers_and_commas_keep_their_parts() {
    for (street, number, suffix) in [("Musterweg", "1", "a"), ("Straße des 17. Juni", "135", ""), ("Am Wall, Hinterhof", "2", ""), ("Q 7", "24", "")]
    {
        let mut address = json!({ "street": street, "house_number": number, "postal_code": "04177", "city": "Bremen, Neustadt" });
        if !suffix.is_empty() {
            address["house_number_suffix"] = suffix.into();
        }
        for part in ["street", "house_number", "house_number_suffix", "postal_code", "city"] {
            kept_or_named(&json!({ "address": address }), &format!("/address/{part}"), &format!("subject.address.{part}"));
        }
    }
}

#[test]
fn deprecated_letters_are_taken_and_never_written_and_others_are_refused_with_their_place() {
    for dialect in speakers() {
        let (out, _) = round(dialect, &json!({ "name": { "family": "Sŀavė", "given": "Aŉa" } }));
        let text = out.json.to_string();
        assert!(!text.contains(['ŀ', 'ŉ']), "{}: {text}", dialect.id());
        let lossy = |path: &str| out.rendered.fields.iter().any(|field| field.path == path && !matches!(field.outcome, Outcome::Exact));
        assert!(lossy("subject.name.family"), "{}: {:?}", dialect.id(), out.rendered);
    }
    let nova = EVERY.get("nova").unwrap();
    for (name, position) in [("Nurنور", 4), ("Мюллер", 1), ("Max😀", 4)] {
        let case = json!({ "client": { "lastName": name }, "to": { "org": "x" }, "reasonCode": "JOB" });
        let there = EVERY.translate(nova, canonical(), REFERRAL, CategoryMask::ALL, &case, false).unwrap();
        let expected = ProblemKind::OutsideDin91379 { position, datatype: 'A' };
        assert!(there.problems.iter().any(|problem| problem.path == "client.lastName" && problem.kind == expected), "{:?}", there.problems);
    }
    // Decomposed letters are put together before they are judged.
    let case = json!({ "client": { "lastName": "Mu\u{308}ller" }, "to": { "org": "x" }, "reasonCode": "JOB" });
    let there = EVERY.translate(nova, canonical(), REFERRAL, CategoryMask::ALL, &case, false).unwrap();
    assert_eq!((there.json["subject"]["name"]["family"].as_str(), there.problems.len()), (Some("Müller"), 0));
}
