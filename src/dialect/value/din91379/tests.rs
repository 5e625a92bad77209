// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use proptest::prelude::*;

use super::*;

/// Every character of the ranges.
fn all(ranges: &[(char, char)]) -> Vec<char> {
    ranges.iter().flat_map(|(first, last)| *first..=*last).collect()
}

#[test]
fn the_tables_have_as_many_entries_as_the_standard_and_are_sorted() {
    let sizes = [LETTERS, NAME_SIGNS, TEXT_SIGNS, MORE_SIGNS].map(|ranges| all(ranges).len());
    assert_eq!(sizes, [500, 18, 60, 10]);
    assert_eq!(SEQUENCES.len(), 149);
    assert!(SEQUENCES.is_sorted());
    for ranges in [LETTERS, NAME_SIGNS, TEXT_SIGNS, MORE_SIGNS] {
        assert!(ranges.is_sorted_by(|one, next| one.1 < next.0));
    }
}

#[test]
fn a_sequence_goes_on_with_marks_and_only_with_marks() {
    for sequence in SEQUENCES {
        assert!(sequence.chars().nth(1).is_some_and(|second| second >= FIRST_MARK), "{sequence}");
    }
}

#[test]
fn all_that_the_standard_lists_is_accepted_and_in_normal_form() {
    for c in all(LETTERS).into_iter().chain(all(NAME_SIGNS)) {
        assert_eq!(check(Kind::A, &c.to_string()), Ok(()), "{c:?}");
    }
    for sequence in SEQUENCES {
        assert_eq!(check(Kind::A, sequence), Ok(()), "{sequence}");
        assert_eq!(normalise(sequence), *sequence);
        assert_eq!(check(Kind::A, &format!("x{sequence}y")), Ok(()));
    }
}

#[test]
fn the_types_contain_each_other() {
    for (text, a, b, c) in
        [("Nūr", true, true, true), ("Weg 1", false, true, true), ("a\nb", false, false, true), ("½", false, false, true), ("€", false, true, true)]
    {
        let got = [Kind::A, Kind::B, Kind::C].map(|kind| check(kind, text).is_ok());
        assert_eq!(got, [a, b, c], "{text:?}");
    }
}

#[test]
fn what_does_not_belong_is_named_with_its_place() {
    for (text, position, code_point) in [
        ("Nūr نور", 4, 0x646),
        ("Мюллер", 0, 0x41c),
        ("Mu\u{308}ller", 2, 0x308),
        ("a\u{30b}b", 1, 0x30b),
        ("A\u{30b}\u{30b}", 2, 0x30b),
        ("Max\u{0}", 3, 0),
        ("Max😀", 3, 0x1f600),
        ("x1", 1, 0x31),
    ] {
        let expected = if text == "a\u{30b}b" { Ok(()) } else { Err(Outside { kind: Kind::A, position, code_point }) };
        assert_eq!(check(Kind::A, text), expected, "{text:?}");
    }
    assert_eq!(check(Kind::A, &normalise("Mu\u{308}ller")), Ok(()));
}

#[test]
fn a_letter_of_three_code_points_needs_all_of_them() {
    assert_eq!(check(Kind::A, "K\u{35f}Houry"), Ok(()));
    assert!(check(Kind::A, "K\u{35f}oury").is_err());
}

#[test]
fn deprecated_letters_are_accepted_and_not_written() {
    for text in ["Ŀ", "ŀ", "ŉ", "ḗ", "ē\u{30d}", "ō\u{30d}"] {
        assert_eq!(check(Kind::A, text), Ok(()));
        let written = without_deprecated(text);
        assert!(written.loss.is_some());
        assert_ne!(written.value, text);
        assert_eq!(check(Kind::A, &written.value), Ok(()));
        assert_eq!(without_deprecated(&written.value).loss, None);
    }
}

#[test]
fn the_published_search_forms_hold() {
    for (text, expected) in [
        ("René Müller", "RENE MUELLER"),
        ("Nœl Schmidt-Strauß", "NOEL SCHMIDT-STRAUSS"),
        ("Noël Schmidt-Strauß", "NOEL SCHMIDT-STRAUSS"),
        ("Karl-Bröger Straße 17", "KARL-BROEGER STRASSE 17"),
        ("Al-Ḥasanī", "AL-HASANI"),
        ("Nūr", "NUR"),
        ("K\u{35f}Houry", "KHOURY"),
        ("K\u{35f}houry", "KHOURY"),
        ("Þór Ægirsson", "THOR AEGIRSSON"),
        ("Łukasz Đorđević", "LUKASZ DORDEVIC"),
        ("ʿAbd al-Qādir", "ABD AL-QADIR"),
        ("Mu\u{308}ller", "MUELLER"),
    ] {
        assert_eq!(search_form(text), expected, "{text}");
    }
}

#[test]
fn every_letter_of_the_repertoire_has_a_search_form_of_basic_letters() {
    let letters = all(LETTERS).into_iter().map(String::from).chain(SEQUENCES.iter().map(|one| (*one).to_owned()));
    for letter in letters {
        let form = search_form(&letter);
        assert!(!form.is_empty() && form.bytes().all(|byte| byte.is_ascii_uppercase()), "{letter} -> {form}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_them_panic(text in "\\PC{0,20}|[a-zA-Z\u{300}-\u{35f}]{0,12}") {
        let _ = (check(Kind::A, &text), check(Kind::C, &normalise(&text)), search_form(&text), without_deprecated(&text));
    }

    #[test]
    fn the_search_form_is_its_own_search_form(text in "[A-Za-zÀ-žḀ-ỹ ʿ’-]{0,20}") {
        let form = search_form(&text);
        prop_assert_eq!(search_form(&form), form.clone());
    }

    #[test]
    fn letters_of_the_repertoire_may_follow_each_other_in_any_order(picks in proptest::collection::vec(0usize..649, 0..12)) {
        let letters = all(LETTERS);
        let text: String = picks
            .iter()
            .map(|at| letters.get(*at).map_or_else(|| SEQUENCES[at - letters.len()].to_owned(), char::to_string))
            .collect();
        prop_assert_eq!(check(Kind::A, &text), Ok(()));
        prop_assert!(normalise(&text) == text);
    }
}
