// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Several values in one text: `Arabisch;Kurdisch (Kurmandschi)`.
//!
//! A separator inside a value is written `\;`, a backslash `\\`. Blanks around a value do not count, empty values are left out.

use std::borrow::Cow;
use std::fmt;

use super::escape::{push_escaped, split_escaped, unescape};
use super::trimmed;

/// The values of a text; none for an empty one.
pub fn split(text: &str, separator: char) -> impl Iterator<Item = Cow<'_, str>> {
    split_escaped(text, separator).filter(|item| !item.is_empty()).map(move |item| unescape(item, separator))
}

/// Writes several values as one text; [`split`] gives back those that are not empty, trimmed.
///
/// # Errors
/// Those of `out`.
pub fn join<'a>(items: impl IntoIterator<Item = &'a str>, separator: char, out: &mut impl fmt::Write) -> fmt::Result {
    let mut first = true;
    for item in items.into_iter().map(trimmed).filter(|item| !item.is_empty()) {
        if !std::mem::take(&mut first) {
            out.write_char(separator)?;
        }
        push_escaped(item, separator, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str, separator: char) -> Vec<String> {
        super::split(text, separator).map(Cow::into_owned).collect()
    }
    fn join<'a>(items: impl IntoIterator<Item = &'a str>, separator: char) -> String {
        let mut out = String::new();
        super::join(items, separator, &mut out).unwrap();
        out
    }

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
