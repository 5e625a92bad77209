// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Yes and no as words: `ja/nein`, `J/N`, `true/false`.

use std::str::FromStr;

use super::trimmed;

/// The two words, made once when a plan is compiled from a pattern such as `ja/nein`; the first means yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooleanWords {
    yes: String,
    no: String,
}

/// A pattern that has no two words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name two different words; write for example ja/nein")]
pub struct BooleanError(String);

impl BooleanWords {
    /// Reads one of the two words, ASCII case and outer blanks aside; none if it is neither.
    pub fn read(&self, text: &str) -> Option<bool> {
        let text = trimmed(text);
        let yes = text.eq_ignore_ascii_case(&self.yes);
        (yes || text.eq_ignore_ascii_case(&self.no)).then_some(yes)
    }
    /// The word.
    pub fn write(&self, value: bool) -> &str {
        if value { &self.yes } else { &self.no }
    }
}

impl FromStr for BooleanWords {
    type Err = BooleanError;

    fn from_str(pattern: &str) -> Result<Self, BooleanError> {
        match pattern.split_once('/') {
            Some((yes, no))
                if !yes.trim().is_empty()
                    && !no.trim().is_empty()
                    && [yes, no].iter().all(|word| word.trim() == *word && !word.contains('/'))
                    && !yes.eq_ignore_ascii_case(no) =>
            {
                Ok(Self { yes: yes.to_owned(), no: no.to_owned() })
            }
            _ => Err(BooleanError(pattern.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_words() {
        for (pattern, yes, no) in [("ja/nein", "Ja", " nein"), ("J/N", "j", "N"), ("true/false", "true", "FALSE")] {
            let words: BooleanWords = pattern.parse().unwrap();
            assert_eq!((words.read(yes), words.read(no)), (Some(true), Some(false)));
            for value in [true, false] {
                assert_eq!(words.read(words.write(value)), Some(value));
            }
            assert!(words.read("1").is_none() && words.read("").is_none());
        }
    }

    #[test]
    fn a_pattern_needs_two_different_words() {
        for pattern in ["", "ja", "ja/", "/nein", "ja/JA", "a/b/c", "ja /nein"] {
            assert!(pattern.parse::<BooleanWords>().is_err(), "{pattern}");
        }
    }
}
