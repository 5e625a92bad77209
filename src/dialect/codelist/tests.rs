// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn lists() -> CodeLists {
    CodeLists::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn column(list: &str, column: &str) -> Column {
    lists().column(list, column).unwrap_or_else(|| panic!("no column {list}/{column}"))
}

fn reads(list: &str, name: &str, value: &str) -> Option<String> {
    column(list, name).to_canonical(value).ok().map(|row| row.canonical().to_owned())
}

fn writes(list: &str, name: &str, canonical: &str) -> Option<(String, bool)> {
    column(list, name).to_dialect(canonical).map(|image| (image.value.to_owned(), image.lossy))
}

fn problems(text: &str) -> Vec<(usize, String)> {
    let meta = "# uri: urn:x\n# version: 1\n# title: X\n# source: here\n";
    match CodeLists::load([("x", format!("{meta}{text}"))]) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.into_iter().map(|error| (error.line, error.message)).collect(),
    }
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/codelists");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".tsv").map(str::to_owned))
        .collect();
    let embedded: BTreeSet<String> = lists().iter().map(|list| list.name().to_owned()).collect();
    assert_eq!(files, embedded);
}

#[test]
fn what_is_emitted_exactly_reads_back_as_the_same_row_in_every_list() {
    let lists = lists();
    for list in lists.iter() {
        for name in list.column_names() {
            let column = lists.column(list.name(), name).unwrap();
            for row in list.rows() {
                match column.image(row) {
                    Some(Image { value, lossy: false }) => {
                        let back = column.to_canonical(value).unwrap();
                        assert_eq!(back.canonical(), row.canonical(), "{}/{name}", list.name());
                    }
                    Some(Image { value, lossy: true }) => {
                        let back = column.to_canonical(value).ok().map(Row::canonical);
                        assert_ne!(back, Some(row.canonical()), "{}/{name}", list.name());
                    }
                    None => {}
                }
            }
        }
    }
}

#[test]
fn the_tables_have_as_many_rows_as_their_sources() {
    let lists = lists();
    let count = |name: &str| lists.list(name).unwrap().rows().len();
    assert_eq!((count("nationality"), count("residence"), count("measure"), count("topic")), (213, 88, 37, 29));
    // 179 of the school administration and 61 of the counselling centres, 48 of them the same.
    assert_eq!(count("language"), 192);
}

#[test]
fn the_same_letters_mean_different_states_in_different_systems() {
    // Vehicle signs of DEÜV Anlage 8 against ISO 3166: (letters, ISO column, state there, state in Anlage 8).
    for (letters, iso, there, here) in [
        ("LB", "iso2", "451", "247"),
        ("SY", "iso2", "475", "271"),
        ("SD", "iso2", "277", "281"),
        ("ET", "iso2", "225", "287"),
        ("RU", "iso2", "160", "291"),
        ("BH", "iso2", "424", "330"),
        ("ES", "iso2", "161", "337"),
        ("CL", "iso2", "332", "431"),
        ("TJ", "iso2", "470", "479"),
        ("ROU", "iso3", "154", "365"),
        ("BRN", "iso3", "429", "424"),
        ("KOR", "iso3", "467", "434"),
        ("TUR", "iso3", "163", "471"),
        ("MAR", "iso3", "252", "544"),
    ] {
        assert_eq!(reads("nationality", iso, letters).as_deref(), Some(there), "{letters}");
        assert_eq!(reads("nationality", "deuev_anl8", letters).as_deref(), Some(here), "{letters}");
    }
}

#[test]
fn nationalities_keep_their_zeros_and_the_special_rows_their_meaning() {
    assert_eq!(reads("nationality", "iso2", "DE").as_deref(), Some("000"));
    let destatis = column("nationality", "destatis");
    assert_eq!(destatis.to_canonical("910").unwrap_err(), LookupError::Reserved);
    assert_eq!(destatis.to_canonical("527").unwrap_err(), LookupError::Reserved);
    assert_eq!(destatis.to_canonical("0").unwrap_err(), LookupError::Unknown);
    assert!(destatis.to_canonical("999").unwrap().is_absent());
    assert_eq!(destatis.to_dialect("999"), None);
    assert_eq!(destatis.to_canonical("997").unwrap().status(), Status::Special);
    assert_eq!(column("nationality", "canonical").to_dialect("910"), None);
}

#[test]
fn a_withdrawn_code_of_two_states_is_written_but_never_read() {
    assert_eq!(writes("nationality", "iso2", "120"), Some(("YU".into(), true)));
    assert_eq!(writes("nationality", "iso2", "138"), Some(("YU".into(), true)));
    assert_eq!(reads("nationality", "iso2", "YU"), None);
    // One that a later state of the same name has taken over reads as that state.
    assert_eq!(writes("nationality", "iso2", "133"), Some(("RS".into(), true)));
    assert_eq!(reads("nationality", "iso2", "RS").as_deref(), Some("170"));
}

#[test]
fn separation_survives_where_the_dialect_has_a_word_for_it() {
    for (name, code) in [("caritas", "SEPARATED"), ("drk", "L"), ("jobcenter", "3"), ("agentur", "DAUERND_GETRENNT")] {
        let column = column("marital", name);
        let image = column.to_dialect_parts(&["MARRIED", "true"]).unwrap();
        assert_eq!((image.value, image.lossy), (code, false));
        assert_eq!(column.to_canonical(code).unwrap().parts().collect::<Vec<_>>(), ["MARRIED", "true"]);
    }
    assert_eq!(writes("marital", "diakonie", "MARRIED+true"), Some(("VH".into(), true)));
}

#[test]
fn every_marital_status_and_every_range_of_german_has_a_row() {
    let lists = lists();
    for status in lists.list("marital_status").unwrap().rows() {
        for separated in ["true", "false"] {
            assert!(column("marital", "jobcenter").to_dialect_parts(&[status.canonical(), separated]).is_some());
        }
    }
    let levels = ["NONE", "PRE_A1", "A1", "A2", "B1", "B2", "C1", "C2"];
    let german = column("german_level", "awo");
    for (at, low) in levels.iter().enumerate() {
        for high in levels.iter().skip(at) {
            assert!(german.to_dialect_parts(&[low, high]).is_some_and(|image| !image.lossy), "{low} {high}");
        }
    }
}

#[test]
fn a_coarse_level_reads_as_a_range_and_not_as_a_guess() {
    assert_eq!(reads("german_level", "jobcenter", "1").as_deref(), Some("A1+A2"));
    assert_eq!(writes("german_level", "jobcenter", "A2+A2"), Some(("1".into(), true)));
    assert_eq!(reads("german_level", "awo", "A2/B1").as_deref(), Some("A2+B1"));
    assert_eq!(reads("german_level", "awo", "A1+").as_deref(), Some("A1+A2"));
    assert_eq!(writes("german_level", "ger", "A2+A2"), Some(("A2".into(), false)));
}

#[test]
fn no_entry_and_unknown_gender_are_not_the_same() {
    assert_eq!(reads("gender", "drk", "unknown").as_deref(), Some("UNKNOWN"));
    assert_eq!(reads("gender", "diakonie", "x").as_deref(), Some("NO_ENTRY"));
    assert_eq!(reads("gender", "caritas", "DIVERSE"), reads("gender", "caritas", "DIVERS"));
    assert_eq!(writes("gender", "caritas", "NO_ENTRY"), None);
}

#[test]
fn kurdish_is_two_languages_that_iso_639_1_merges() {
    assert_eq!(writes("language", "iso639_1", "kmr"), Some(("ku".into(), true)));
    assert_eq!(writes("language", "iso639_1", "ckb"), Some(("ku".into(), true)));
    assert_eq!(reads("language", "iso639_1", "ku").as_deref(), Some("kur"));
    assert_eq!(reads("language", "german_names", "Kurmanci").as_deref(), Some("kmr"));
    assert_eq!(writes("language", "german_names", "kmr"), Some(("Kurdisch (Kurmandschi)".into(), false)));
    assert_eq!(writes("language", "bcp47", "kmr"), Some(("kmr".into(), false)));
}

#[test]
fn german_names_of_languages_have_their_aliases() {
    for (name, code) in [("Farsi", "pes"), ("Persisch", "pes"), ("dari", "prs"), ("Tigrinisch", "tir"), ("Paschto", "pus"), ("Hausa", "hau")] {
        assert_eq!(reads("language", "german_names", name).as_deref(), Some(code), "{name}");
    }
    assert_eq!(reads("language", "iso639_2b", "ger").as_deref(), Some("deu"));
    assert_eq!(reads("language", "iso639_2b", "per").as_deref(), Some("fas"));
}

#[test]
fn subsidiary_protection_reads_in_the_old_and_in_the_new_spelling() {
    for text in ["§ 25 Abs. 2 S. 2 AufenthG", "§ 25 Abs. 2 S. 2", "§25 Abs. 2 Satz 1 Alt. 2 AufenthG", "§ 25 Abs. 2 S. 1 2. Alt."] {
        assert_eq!(reads("residence", "awo", text).as_deref(), Some("AE-25-2-S"), "{text}");
    }
    assert_eq!(reads("residence", "awo", "§ 25 Abs. 2 S. 1 Alt. 1").as_deref(), Some("AE-25-2-F"));
    assert_eq!(reads("residence", "awo", "§ 25 Abs. 2"), None, "without the sentence it is ambiguous");
    assert_eq!(writes("residence", "agentur", "AE-25-2-S"), Some(("25/2/2/".into(), false)));
    assert_eq!(writes("residence", "caritas", "AE-25-2-S"), Some(("subsidiary_protection".into(), false)));
    assert_eq!(writes("residence", "caritas", "NE-26-3"), Some(("settlement_permit".into(), true)));
}

#[test]
fn topics_say_what_they_reveal_and_who_must_not_see_them() {
    let lists = lists();
    let topics = lists.list("topic").unwrap();
    let asylum = topics.get("ASY").unwrap();
    assert!(asylum.attribute_lists("never_to", "jobcenter") && !asylum.attribute_lists("never_to", "diakonie"));
    assert!(topics.get("SCHW").unwrap().attribute_lists("never_to", "diakonie"));
    assert_eq!(topics.get("SUCHT").unwrap().attribute("category"), Some("HEALTH"));
    for row in topics.rows() {
        for dialect in ["jobcenter", "agentur"] {
            if row.attribute("never_to").is_some_and(|list| list.contains(dialect)) {
                assert_eq!(column("topic", dialect).to_dialect(row.canonical()), None);
            }
        }
    }
    assert_eq!(reads("topic", "caritas", "7").as_deref(), Some("FAM-N"));
    assert_eq!(reads("topic", "caritas", "12").as_deref(), Some("ANE"));
    assert_eq!(reads("topic", "awo", "FN").as_deref(), Some("FAM-N"));
}

#[test]
fn every_category_that_a_row_names_exists() {
    let lists = lists();
    let categories = lists.list("data_category").unwrap();
    for list in lists.iter() {
        for category in list.rows().iter().filter_map(|row| row.attribute("category")) {
            assert!(categories.get(category).is_some(), "{}: {category}", list.name());
        }
    }
}

#[test]
fn the_jobcenter_never_hears_that_a_person_is_unknown_or_did_not_appear() {
    assert_eq!(writes("status_reason", "jobcenter", "CLIENT_UNKNOWN"), Some(("11".into(), true)));
    assert_eq!(reads("status_reason", "jobcenter", "11").as_deref(), Some("OTHER"));
    assert_eq!(writes("status_reason", "jobcenter", "CLIENT_DID_NOT_APPEAR"), Some(("12".into(), true)));
    assert_eq!(reads("status_reason", "jobcenter", "12").as_deref(), Some("CLIENT_NOT_REACHED"));
}

#[test]
fn a_column_knows_the_system_its_codes_come_from() {
    let destatis = column("nationality", "destatis");
    assert_eq!(destatis.uri(), "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staatsangehoerigkeit");
    assert_eq!(destatis.version(), "2021-02-19");
    let gender = column("gender", "diakonie");
    assert!(gender.accepts_uri(gender.uri()) && !gender.accepts_uri("urn:other"));
    assert!(gender.accepts_version("3") && !gender.accepts_version("2"));
    assert!(!destatis.accepts_uri(column("nationality", "iso2").uri()));
}

#[test]
fn all_problems_of_a_file_are_reported_with_their_lines() {
    let text = "# column zwei: case=no\ncanonical\tlabel\teins\teins\t@status\n\
                A\teins\tx\t\t\nB\tzwei\tx\t\todd\nC\t\t~\t\t\nA\tvier\ty|y\t\t\nD\tzu kurz\n\n E\tf\tz|\t\t\n";
    let found = problems(text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    for line in [5, 6, 8, 9, 10, 11, 12, 13] {
        assert!(lines.contains(&line), "line {line} missing in {found:?}");
    }
    let shared = &found.iter().find(|(line, _)| *line == 8).unwrap().1;
    assert!(shared.contains("row B") && shared.contains("row A of line 7"), "{shared}");
}

#[test]
fn ambiguous_values_are_refused_when_they_differ_only_in_ignored_case() {
    let rows = "canonical\ta\nX\tfoo\nY\tFOO\n";
    assert_eq!(problems(rows), []);
    assert_eq!(problems(&format!("# column a: case=insensitive\n{rows}")).len(), 1);
}

#[test]
fn a_file_without_head_or_rows_or_with_foreign_line_ends_is_refused() {
    let errors = CodeLists::load([("x", "canonical\tlabel\r\n")]).unwrap_err();
    assert_eq!(errors.0.len(), 6, "{errors}");
    assert!(errors.to_string().starts_with("x.tsv:1: "));
    assert!(CodeLists::load([("x", "")]).is_err());
}

#[test]
fn a_dialect_brings_its_own_words_for_a_list_and_changes_nobody_elses() {
    let (gender, topic) =
        ("canonical\tnova\nMALE\tM|MALE\nFEMALE\tF\nNO_ENTRY\t~X\n", "# column nova: case=insensitive\ncanonical\tlabel\tnova\nANE\tx\trecog\n");
    let lists = lists().with_columns([("gender", "nova/gender.tsv", gender), ("topic", "nova/topic.tsv", topic)]).unwrap();
    let nova = lists.column("gender", "nova").unwrap();
    assert_eq!(nova.to_canonical("MALE").unwrap().canonical(), "MALE");
    assert_eq!(nova.to_dialect("NO_ENTRY").map(|image| (image.value, image.lossy)), Some(("X", true)));
    assert!(nova.to_canonical("X").is_err() && nova.to_dialect("DIVERSE").is_none());
    assert_eq!(
        lists.column("topic", "nova").unwrap().to_canonical("RECOG").unwrap().label(),
        column("topic", "awo").list().get("ANE").unwrap().label()
    );
    for name in ["awo", "caritas"] {
        let (before, after) = (column("gender", name), lists.column("gender", name).unwrap());
        for row in before.list().rows() {
            assert_eq!(before.image(row), after.to_dialect(row.canonical()));
        }
    }
}

#[test]
fn a_column_of_a_dialect_is_refused_with_every_reason_and_its_line() {
    let text = "canonical\tawo\tnova\t@never_to\nMALE\tM\tM\t\nNOBODY\tN\tN\t\nFEMALE\tF\tM\t\n";
    let errors = lists().with_columns([("gender", "nova/gender.tsv", text), ("sex", "nova/sex.tsv", text)]).unwrap_err();
    let said = errors.to_string();
    for part in [
        "nova/gender.tsv:1: column @never_to",
        "nova/gender.tsv:3: list gender has no canonical code `NOBODY`",
        "nova/gender.tsv:4: column nova: `M`",
        "nova/gender.tsv:1: list gender has a column `awo` already",
        "nova/sex.tsv:1: there is no list `sex`",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "[#~|@+\t\na-c: ]{0,200}") {
        let _ = CodeLists::load([("x", &text), ("x", &format!("# uri: a\n# version: b\ncanonical\ta\t@status\n{text}"))]);
    }

    #[test]
    fn no_code_makes_a_look_up_panic(code in "\\PC{0,12}") {
        let names = column("language", "german_names");
        if let Ok(row) = names.to_canonical(&code) {
            prop_assert!(names.image(row).is_some());
        }
        let _ = names.to_dialect(&code);
        let _ = names.to_dialect_parts(&[&code, &code]);
    }
}
