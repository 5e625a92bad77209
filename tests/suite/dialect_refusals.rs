// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Bad input: every problem of a message at once, by path, and never the value.

use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use weiche::dialect::{CategoryMask, Outcome, ProblemKind, REFERRAL, TranslateError};

use super::dialects::{DIALECTS, dialect};

/// What a gateway says to a full example of the dialect with some fields changed.
fn refusal(name: &str, file: &str, changes: &[(&str, Value)]) -> Vec<(String, String, ProblemKind)> {
    let mut json: Value = serde_json::from_str(file).unwrap();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    let dialect = dialect(name);
    let message = dialect.message_for(REFERRAL).unwrap();
    let descriptor = DIALECTS.pool().get_message_by_name(message).unwrap();
    let native = DynamicMessage::deserialize(descriptor, &json).unwrap();
    match dialect.read(message, &native.encode_to_vec()) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let said = format!("{error} {error:?}");
            for (_, value) in changes {
                let value = value.as_str().unwrap_or("-");
                assert!(value.len() < 3 || !said.contains(value), "the error quotes the value: {said}");
            }
            error.problems().iter().map(|one| (one.path.clone(), one.canonical_path.clone(), one.kind.clone())).collect()
        }
    }
}

const AWO: &str = include_str!("../../proto/dialects/awo/examples/fall.json");
const DIAKONIE: &str = include_str!("../../proto/dialects/diakonie/examples/vorgang.json");
const JOBCENTER: &str = include_str!("../../proto/dialects/jobcenter/examples/zuweisung.json");

#[test]
fn all_problems_of_a_message_are_named_at_once() {
    let found = refusal(
        "awo",
        AWO,
        &[
            ("/geb", json!("31.02.1991")),
            ("/staat", json!("910")),
            ("/sprachen", json!("Arabisch;Klingonisch")),
            ("/tel", json!("zwölf")),
            ("/getrennt", json!("vielleicht")),
            ("/name", json!("Иванов, Eva")),
            ("/bemerkung", json!("ganz 漢 fremd")),
            ("/zweck", json!("")),
        ],
    );
    let kind = |path: &str| {
        let matching = found.iter().find(|(own, _, _)| own == path);
        matching.unwrap_or_else(|| panic!("{path} is not among {found:?}")).2.clone()
    };
    assert_eq!(kind("geb"), ProblemKind::ImpossibleDate);
    assert!(matches!(kind("staat"), ProblemKind::ReservedCode { .. }));
    assert!(matches!(kind("sprachen[1]"), ProblemKind::UnknownCode { .. }));
    assert!(matches!(kind("tel"), ProblemKind::Malformed { .. }));
    assert!(matches!(kind("getrennt"), ProblemKind::Malformed { .. }));
    assert_eq!(kind("name"), ProblemKind::OutsideDin91379 { position: 1, datatype: 'A' });
    assert_eq!(kind("bemerkung"), ProblemKind::OutsideDin91379 { position: 6, datatype: 'C' });
    assert!(found.iter().any(|(_, canonical, kind)| canonical == "purpose" && *kind == ProblemKind::Missing));
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn a_code_without_its_system_or_from_another_one_is_refused() {
    let code = |uri: &str, version: &str| json!([{"listURI": uri, "listVersionID": version, "code": "475"}]);
    let destatis = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staatsangehoerigkeit";
    let kind = |value: Value| {
        let found = refusal("diakonie", DIAKONIE, &[("/natuerlichePerson/staatsangehoerigkeit", value)]);
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().next().map(|(path, _, kind)| {
            assert_eq!(path, "natuerlichePerson.staatsangehoerigkeit[0]");
            kind
        })
    };
    assert_eq!(kind(code(destatis, "2021-02-19")), None);
    assert!(matches!(kind(code("", "")), Some(ProblemKind::CodeWithoutSystem { .. })));
    assert!(matches!(kind(code("urn:iso:3166", "")), Some(ProblemKind::WrongSystem { .. })));
}

#[test]
fn the_same_letters_are_another_state_in_another_dialect() {
    let nationality = |name: &str, file: &str| {
        let all = CategoryMask::ALL;
        let json = serde_json::from_str(file).unwrap();
        let there = DIALECTS.translate(dialect(name), dialect("canonical"), REFERRAL, all, &json, false).unwrap();
        there.json["subject"]["nationalities"][0]["code"].clone()
    };
    assert_eq!(nationality("jobcenter", JOBCENTER), json!("475"));
    // DEÜV Anlage 8: SY is the Seychelles.
    assert_eq!(nationality("jobcenter", &JOBCENTER.replace("\"SYR\"", "\"SY\"")), json!("271"));
}

#[test]
fn fields_that_nobody_knows_are_reported_and_not_carried() {
    let awo = dialect("awo");
    let message = awo.message_for(REFERRAL).unwrap();
    let descriptor = DIALECTS.pool().get_message_by_name(message).unwrap();
    let json: Value = serde_json::from_str(AWO).unwrap();
    let mut bytes = DynamicMessage::deserialize(descriptor, &json).unwrap().encode_to_vec();
    // Field 9999, length-delimited, three bytes.
    bytes.extend([0xfa, 0xf0, 0x04, 3, b'a', b'b', b'c']);
    let (canonical, report) = awo.read(message, &bytes).unwrap();
    assert!(report.fields.iter().any(|field| field.path == "field 9999" && matches!(field.outcome, Outcome::Dropped(_))), "{report:?}");
    assert!(!String::from_utf8_lossy(&canonical).contains("abc"));
}

#[test]
fn a_topic_that_reveals_an_illness_needs_the_category_of_illness() {
    let list = DIALECTS.lists().column("topic", "awo").unwrap();
    let ill = list.list().rows().iter().find(|row| row.attribute("category") == Some("HEALTH") && list.image(row).is_some()).unwrap();
    let word = list.image(ill).unwrap().value;
    let mut json: Value = serde_json::from_str(AWO).unwrap();
    json["anliegen"] = json!(format!("FN;{word}"));
    let mask: CategoryMask = "IDENT,TOPICS,FAMILY_ABROAD".parse().unwrap();
    let out = DIALECTS.translate(dialect("awo"), dialect("caritas"), REFERRAL, mask, &json, false).unwrap();
    assert_eq!(out.json["topicIds"].as_array().unwrap().len(), 1);
    assert!(out.rendered.withheld().any(|(path, category)| path == "needs[1]" && category.as_str_name().ends_with("HEALTH")));
}

#[test]
fn unknown_messages_and_other_bytes_are_told_apart() {
    let awo = dialect("awo");
    assert!(matches!(awo.read("awo.v1.Nichts", &[]), Err(TranslateError::UnknownMessage { .. })));
    assert!(matches!(awo.read(awo.message_for(REFERRAL).unwrap(), &[0xff; 7]), Err(TranslateError::Undecodable { .. })));
    assert!(matches!(awo.render("caritas.v1.Session", &[], CategoryMask::ALL), Err(TranslateError::UnknownMessage { .. })));
}
