// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Several values in one text: `Arabisch;Kurdisch (Kurmandschi)`.
//!
//! A separator inside a value is written `\;`, a backslash `\\`. Blanks around a value do not count, empty values are left out.

use super::escape::{push_escaped, split_escaped, unescape};

/// The values of a text; none for an empty one.
pub fn split(text: &str, separator: char) -> Vec<String> {
    let items = split_escaped(text, separator).into_iter().filter(|item| !item.is_empty());
    items.map(|item| unescape(item, separator)).collect()
}

/// The text of several values; [`split`] gives back those that are not empty, trimmed.
pub fn join<'a>(items: impl IntoIterator<Item = &'a str>, separator: char) -> String {
    let mut out = String::new();
    for item in items.into_iter().map(str::trim).filter(|item| !item.is_empty()) {
        if !out.is_empty() {
            out.push(separator);
        }
        push_escaped(item, separator, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_reads_with_blanks_gaps_and_escapes() {
        assert_eq!(split("Arabisch; Kurdisch (Kurmandschi) ;", ';'), ["Arabisch", "Kurdisch (Kurmandschi)"]);
        assert_eq!(split(r"a\;b;c\\;d\e", ';'), ["a;b", r"c\", r"d\e"]);
        assert!(split(" ; ;", ';').is_empty());
        assert_eq!(join(["FN", "", "A;N"], ';'), r"FN;A\;N");
    }

    proptest! {
        #[test]
        fn what_is_joined_splits_again(items in proptest::collection::vec("[a;\\\\ ü]{0,6}", 0..5)) {
            let kept: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
            prop_assert_eq!(split(&join(items.iter().map(String::as_str), ';'), ';'), kept);
        }

        #[test]
        fn reading_is_stable(text in "\\PC{0,20}|[a;\\\\ ]{0,12}") {
            let items = split(&text, ';');
            prop_assert_eq!(split(&join(items.iter().map(String::as_str), ';'), ';'), items);
        }
    }
}
