// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The six dialects on the test client of the domain description, broken dialects, and the laws that every dialect keeps.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use weiche::dialect::{CategoryMask, Dialect, Dialects, Outcome, REFERRAL, Report};

pub(crate) static DIALECTS: LazyLock<Dialects> = LazyLock::new(|| Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}")));

/// With those that came in folders, and those that nobody has written: laws hold for them as well.
pub(crate) static EVERY: LazyLock<Dialects> = LazyLock::new(|| {
    let made_up = tempfile::tempdir().unwrap();
    super::dialect_made_up::write(made_up.path());
    let folders = ["onboarding", "later", "seven"].map(|folder| cases().join("dialects").join(folder));
    let folders = folders.into_iter().chain([made_up.path().to_owned()]).collect::<Vec<_>>();
    Dialects::with_folders(&folders).unwrap_or_else(|errors| panic!("{errors}"))
});

const SIX: [&str; 6] = ["agentur", "awo", "caritas", "diakonie", "drk", "jobcenter"];

pub(crate) fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.get(name).unwrap_or_else(|| panic!("no dialect {name}"))
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Compares with a file under review; `UPDATE_CASES=1` writes it.
fn reviewed(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; after review: UPDATE_CASES=1", path.display());
}

fn lines(out: &mut String, title: &str, report: &Report) {
    writeln!(out, "{title}").unwrap();
    for field in &report.fields {
        writeln!(out, "  {}: {:?}", field.path, field.outcome).unwrap();
    }
}

/// Paths at which two JSON values differ.
fn differences(before: &Value, after: &Value, path: &str, out: &mut String) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let at = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                differences(&at(left), &at(right), &format!("{path}.{name}"), out);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                differences(left, right, &format!("{path}[{at}]"), out);
            }
        }
        // Protobuf JSON writes 64-bit numbers as strings.
        (Value::Number(left), Value::String(right)) if left.to_string() == *right => {}
        (left, right) if left == right => {}
        (left, right) => writeln!(out, "  {path}: {left} -> {right}").unwrap(),
    }
}

/// Reads a rendering, shows what the hub has of it, renders it again, and says where it differs.
fn there_and_back(name: &str, file: &Path) -> String {
    let (canonical, own) = (dialect("canonical"), dialect(name));
    let before = json(file);
    let all = CategoryMask::ALL;
    let there = DIALECTS.translate(own, canonical, REFERRAL, all, &before, false).unwrap();
    let back = DIALECTS.translate(canonical, own, REFERRAL, all, &there.json, false).unwrap();
    let mut out = String::new();
    writeln!(out, "problems").unwrap();
    there.problems.iter().for_each(|problem| writeln!(out, "  {problem}").unwrap());
    lines(&mut out, "read", &there.read);
    writeln!(out, "canonical\n{}", serde_json::to_string_pretty(&there.json).unwrap()).unwrap();
    lines(&mut out, "rendered", &back.rendered);
    writeln!(out, "differences").unwrap();
    differences(&before, &back.json, "", &mut out);
    out
}

#[test]
fn the_six_renderings_of_the_test_client_are_read_as_they_stand_and_rendered_again() {
    for name in SIX {
        let file = cases().join("renderings").join(format!("{name}.json"));
        reviewed(&file.with_extension("txt"), &there_and_back(name, &file));
    }
}

#[test]
fn the_full_examples_of_the_dialects_are_read_and_rendered_again() {
    for name in SIX {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/dialects").join(name).join("examples");
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let expected = cases().join("renderings").join(format!("{name}-full.txt"));
            reviewed(&expected, &there_and_back(name, &file));
        }
    }
}

#[test]
fn every_kind_of_mistake_in_a_dialect_is_reported_with_its_place_and_a_way_out() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(cases().join("dialect-errors")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 60);
    for folder in folders {
        let text = match Dialects::of_folder(&folder) {
            Ok(_) => panic!("{} compiles", folder.display()),
            Err(errors) => errors.to_string() + "\n",
        };
        assert!(!text.contains(":0:"), "a problem without a line in {}:\n{text}", folder.display());
        reviewed(&folder.join("expected.txt"), &text);
    }
}

#[test]
fn a_seventh_institution_is_a_folder_and_no_code() {
    let dialects = Dialects::of_folder(&cases().join("dialects/seven")).unwrap_or_else(|errors| panic!("{errors}"));
    let (seven, canonical) = (dialects.get("seven").unwrap(), dialects.get("canonical").unwrap());
    let client = serde_json::json!({
        "kind": "client", "given_family": "Nūr | Al-Ḥasanī", "born_year": 1991, "prefix": "0171", "line": "3920012", "goal": "Maßnahme",
        "office": { "name": "jobcenter-bremen", "desk": "vermittlung-mitte" }, "nations": ["SY", "n/a", "DE"]
    });
    let there = dialects.translate(seven, canonical, REFERRAL, CategoryMask::ALL, &client, false).unwrap();
    assert_eq!(there.problems, []);
    assert_eq!(there.json["subject"]["name"], serde_json::json!({ "family": "Al-Ḥasanī", "given": "Nūr" }));
    assert_eq!(there.json["subject"]["contact_points"][0]["value"], "+491713920012");
    assert_eq!(there.json["subject"]["birth_date"], serde_json::json!({ "year": 1991 }));
    let codes: Vec<&Value> = there.json["subject"]["nationalities"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["475", "000"]);
    let back = dialects.translate(canonical, seven, REFERRAL, CategoryMask::ALL, &there.json, false).unwrap();
    let mut expected = client.clone();
    expected["nations"] = serde_json::json!(["SY", "DE"]);
    expected["level"] = "?".into();
    assert_eq!(back.json, expected);
    assert!(back.rendered.fields.iter().any(|field| field.outcome == Outcome::Defaulted && field.path == "german.lowest"));

    let none: CategoryMask = "IDENT".parse().unwrap();
    let narrow = dialects.translate(canonical, seven, REFERRAL, none, &there.json, false).unwrap();
    assert!(narrow.json.get("prefix").is_none() && narrow.json.get("level").is_none(), "{}", narrow.json);
}

#[test]
fn the_digest_of_a_dialect_changes_with_its_mapping_only() {
    let again = Dialects::embedded().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for one in DIALECTS.iter() {
        assert_eq!(one.digest(), again.get(one.name()).unwrap().digest());
        assert!(seen.insert(*one.digest()), "{} has another dialect's digest", one.name());
    }
}

#[test]
fn an_explanation_says_where_each_field_goes_and_what_is_lost() {
    let mask: CategoryMask = "IDENT,GERMAN_LEVEL,CONTACT".parse().unwrap();
    let rows = DIALECTS.explain(dialect("awo"), dialect("jobcenter"), REFERRAL, mask).unwrap();
    let row = |source: &str, canonical: &str| {
        let found = rows.iter().find(|row| row.source == source && row.canonical.starts_with(canonical));
        found.unwrap_or_else(|| panic!("no row for {source}")).clone()
    };
    assert_eq!(row("name", "subject.name.family").target, "NAME, NAME_ORIG");
    assert!(row("deutsch", "german").loss.contains("merged"));
    assert_eq!(row("staat", "subject").loss, "withheld: category not covered");
    assert!(rows.iter().any(|row| row.loss == "dropped: no place for it"));
    assert_eq!(row("geb", "subject.birth_date").rule, "date TT.MM.JJJJ");
}
