// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How systems say nothing: an empty text, `k.A.`, `unbek.`, a field filled with nines.

use super::trimmed;

/// The spellings of "no value" of one field, made once when a plan is compiled. Blanks alone always mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NullWords {
    words: Vec<String>,
    fills: Vec<char>,
    /// A bit for each length of a word, the last for all that are longer: most texts have none of them.
    lengths: u32,
}

fn bit(length: usize) -> u32 {
    1 << length.min(31)
}

impl NullWords {
    /// From spellings; one that ends with `*` after a single character (`9*`) stands for a field filled with that character.
    ///
    /// The first spelling is the one that is written.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut null = Self::default();
        for word in words {
            let mut chars = word.chars();
            match (chars.next(), chars.next(), chars.next()) {
                (Some(fill), Some('*'), None) => null.fills.push(fill),
                _ => {
                    null.lengths |= bit(word.trim().len());
                    null.words.push(word.trim().to_owned());
                }
            }
        }
        null
    }
    /// Whether the text says nothing; ASCII case and outer blanks aside.
    #[inline]
    pub fn is_null(&self, text: &str) -> bool {
        let text = trimmed(text);
        text.is_empty() || (self.lengths & bit(text.len()) != 0 || !self.fills.is_empty()) && self.is_among(text)
    }
    fn is_among(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.eq_ignore_ascii_case(text)) || self.fills.iter().any(|fill| text.chars().all(|c| c == *fill))
    }
    /// What to write for nothing; empty if only fills were named.
    pub fn write(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_nothing_are_recognised_and_others_are_values() {
        let awo = NullWords::new(["", "k.A.", "unbek."]);
        for text in ["", "  ", "k.A.", "K.a. ", "unbek."] {
            assert!(awo.is_null(text), "{text:?}");
        }
        for text in ["-", "k", "unbekannt", "9"] {
            assert!(!awo.is_null(text), "{text:?}");
        }
        assert!(awo.is_null(awo.write()));
    }

    #[test]
    fn a_field_of_nines_is_nothing_only_where_it_is_said_so() {
        let jobcenter = NullWords::new(["9*"]);
        assert!(jobcenter.is_null("99999999") && !jobcenter.is_null("99989999"));
        assert!(!NullWords::default().is_null("99999999"));
        assert!(jobcenter.is_null(jobcenter.write()));
    }
}
