// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Several fields in one text, in a fixed order: `Al-Ḥasanī, Nūr`.
//!
//! A separator inside a part is written `\,`, a backslash `\\`. A part that is missing before one that is there is written `-`, so that
//! a person with a single name is `-, Nūr`, or just `Nūr` if that name is kept as the family name. A part that really is a hyphen is `\-`.

use std::borrow::Cow;
use std::fmt;

use super::escape::{push_escaped, split_escaped, unescape};
use super::trimmed;

/// What stands for a missing part.
const MISSING: &str = "-";

/// How parts are put together, made once when a plan is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    separator: String,
    mark: char,
}

/// Why parts cannot be put together or taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// A mapping asks for a separator that cannot be recognised again.
    #[error("a separator is one character other than backslash, hyphen, letter or digit, with blanks around it if need be")]
    Separator,
    /// The text has more separators than fields.
    #[error("the text has more than {0} parts; write a separator inside a part with a backslash before it")]
    TooMany(usize),
}

impl Join {
    /// From a separator such as `", "`.
    ///
    /// # Errors
    /// [`JoinError::Separator`].
    pub fn new(separator: &str) -> Result<Self, JoinError> {
        let trimmed = separator.trim();
        let mut marks = if trimmed.is_empty() { separator } else { trimmed }.chars();
        match (marks.next(), marks.next()) {
            (Some(mark), None) if !matches!(mark, '\\' | '-') && !mark.is_alphanumeric() => Ok(Self { separator: separator.to_owned(), mark }),
            _ => Err(JoinError::Separator),
        }
    }

    /// Writes several parts as one text; trailing empty parts are left off.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn join(&self, parts: &[&str], out: &mut impl fmt::Write) -> fmt::Result {
        let used = parts.iter().rposition(|part| !trimmed(part).is_empty()).map_or(0, |last| last + 1);
        for (at, part) in parts.iter().take(used).map(|part| trimmed(part)).enumerate() {
            if at > 0 {
                out.write_str(&self.separator)?;
            }
            match part {
                "" => out.write_str(MISSING)?,
                MISSING => out.write_str("\\-")?,
                part => push_escaped(part, self.mark, out)?,
            }
        }
        Ok(())
    }

    /// The `count` parts of a text; missing ones are empty.
    ///
    /// # Errors
    /// [`JoinError::TooMany`]: which comma separates would be a guess.
    pub fn split<'t>(&self, text: &'t str, count: usize) -> Result<impl Iterator<Item = Cow<'t, str>>, JoinError> {
        let (text, mark) = (trimmed(text), self.mark);
        if split_escaped(text, mark).nth(count).is_some() && (count > 0 || !text.is_empty()) {
            return Err(JoinError::TooMany(count));
        }
        let read = move |part: &'t str| match part {
            MISSING => Cow::Borrowed(""),
            "\\-" => Cow::Borrowed(MISSING),
            part => unescape(part, mark),
        };
        Ok(split_escaped(text, mark).map(read).chain(std::iter::repeat(Cow::Borrowed(""))).take(count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Comma(Join);

    fn comma() -> Comma {
        Comma(Join::new(", ").unwrap())
    }
    impl Comma {
        fn split(&self, text: &str, count: usize) -> Result<Vec<String>, JoinError> {
            Ok(self.0.split(text, count)?.map(Cow::into_owned).collect())
        }
        fn join(&self, parts: &[&str]) -> String {
            let mut out = String::new();
            self.0.join(parts, &mut out).unwrap();
            out
        }
    }

    #[test]
    fn names_come_apart_and_together_again() {
        for (text, family, given) in [
            ("Al-Ḥasanī, Nūr", "Al-Ḥasanī", "Nūr"),
            ("Nūr", "Nūr", ""),
            ("-, Nūr", "", "Nūr"),
            (r"Graf\, von, Eva", "Graf, von", "Eva"),
            (r"\-, Eva", "-", "Eva"),
            ("", "", ""),
        ] {
            assert_eq!(comma().split(text, 2).unwrap(), [family, given], "{text}");
            assert_eq!(comma().join(&[family, given]), text);
        }
        assert_eq!(comma().split("Müller,Hans ", 2).unwrap(), ["Müller", "Hans"]);
    }

    #[test]
    fn a_second_comma_is_not_guessed_about() {
        assert_eq!(comma().split("Müller, Hans, Dr.", 2), Err(JoinError::TooMany(2)));
    }

    #[test]
    fn a_separator_that_could_be_part_of_a_name_is_refused() {
        for separator in ["", "-", "\\", "a", ", und "] {
            assert_eq!(Join::new(separator), Err(JoinError::Separator), "{separator}");
        }
    }

    proptest! {
        #[test]
        fn what_is_joined_splits_again(parts in proptest::collection::vec("[aü,\\\\ -]{0,6}", 3)) {
            let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
            prop_assert_eq!(comma().split(&comma().join(&parts), 3).unwrap(), parts);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[a,\\\\ -]{0,12}", count in 0usize..4) {
            let _ = comma().split(&text, count);
        }
    }
}
