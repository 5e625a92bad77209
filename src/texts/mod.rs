// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What persons read: the words of `texts/`, one file per language, and the plain page that they are printed on.
//!
//! A key is a section and a word, such as `category.IDENT`; words of closed lists are the names of the contract's enums. All languages have the same
//! keys and the same places (`{date}`); the German text counts, and a page says openly which translation nobody has read yet.

mod page;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use page::{Page, escape};

use crate::clock::Time;

/// Every language that there is, German first. A new one is a file in `texts/` and a line here.
static FILES: [&str; 6] = [
    include_str!("../../texts/de.toml"),
    include_str!("../../texts/en.toml"),
    include_str!("../../texts/ar.toml"),
    include_str!("../../texts/uk.toml"),
    include_str!("../../texts/tr.toml"),
    include_str!("../../texts/fa.toml"),
];

/// What staff read, in German and in English: the answers to "may I send this?".
static COUNSELLOR: [&str; 2] = [include_str!("../../texts/counsellor.de.toml"), include_str!("../../texts/counsellor.en.toml")];

/// Which way a language is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From left to right.
    Ltr,
    /// From right to left.
    Rtl,
}

/// Who wrote the texts of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Maker {
    /// The project.
    Authors,
    /// A machine translated them.
    Machine,
}

/// The texts of one language.
#[derive(Debug, serde::Deserialize)]
pub struct Texts {
    /// BCP 47, such as `uk`.
    pub language: String,
    /// What its speakers call it.
    pub name: String,
    /// Who wrote them.
    pub made_by: Maker,
    /// Who has read them, and when; empty: nobody yet.
    pub reviewed: String,
    /// Which way they are written.
    pub direction: Direction,
    #[serde(flatten)]
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

/// All languages, German first.
pub fn all() -> &'static [Texts] {
    static ALL: LazyLock<Vec<Texts>> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the files are compiled into the binary; the tests below read them all")]
        FILES.iter().map(|text| toml::from_str(text).expect("the embedded texts are TOML of this shape")).collect()
    });
    &ALL
}

/// What staff read, German first.
pub fn counsellor() -> &'static [Texts; 2] {
    static BOTH: LazyLock<[Texts; 2]> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the files are compiled into the binary; a test of the answers reads every word of them")]
        COUNSELLOR.map(|text| toml::from_str(text).expect("the embedded texts are TOML of this shape"))
    });
    &BOTH
}

/// The texts of a language as BCP 47 names it (`ar`, `ar-SY`); none if there are none.
pub fn of(language: &str) -> Option<&'static Texts> {
    let primary = language.split('-').next().unwrap_or_default();
    all().iter().find(|texts| texts.language.eq_ignore_ascii_case(primary))
}

/// The German texts, which count.
pub fn german() -> &'static Texts {
    #[expect(clippy::expect_used, reason = "a static list that begins with German")]
    all().first().expect("there is German")
}

impl Texts {
    /// The text under `section.word`. What a language lacks is said in German; what is nowhere is said as its word, so that somebody sees it.
    pub fn get<'a>(&'a self, section: &str, word: &'a str) -> &'a str {
        let own = |texts: &'a Texts| texts.sections.get(section)?.get(word).map(String::as_str);
        own(self).or_else(|| own(german())).unwrap_or(word)
    }

    /// The text under `section.word` of this language alone.
    pub fn own(&self, section: &str, word: &str) -> Option<&str> {
        self.sections.get(section)?.get(word).map(String::as_str)
    }

    /// The same with its `{places}` filled. In a language from right to left each value stands apart (Unicode's first strong isolate): names, norms and
    /// dates are mostly German, and would tear the sentence, or be torn by it.
    pub fn fill(&self, section: &str, word: &str, places: &[(&str, &str)]) -> String {
        let apart = |value: &str| match self.direction {
            Direction::Rtl => format!("\u{2068}{value}\u{2069}"),
            Direction::Ltr => value.to_owned(),
        };
        places.iter().fold(self.get(section, word).to_owned(), |text, (place, value)| text.replace(&format!("{{{place}}}"), &apart(value)))
    }

    /// A word of a closed list, under the name that it has in files: `term("category", &Category::Ident)`.
    pub fn term(&self, section: &str, word: &impl serde::Serialize) -> String {
        match serde_json::to_value(word) {
            Ok(serde_json::Value::String(name)) => self.get(section, &name).to_owned(),
            _ => String::new(),
        }
    }

    /// A day in Bremen, as it is written in this language.
    pub fn day(&self, at: Time) -> String {
        written(at, self.get("word", "date"))
    }

    /// A day and an hour in Bremen.
    pub fn moment(&self, at: Time) -> String {
        written(at, self.get("word", "moment"))
    }

    /// Whether people should be told that nobody has read this translation.
    pub fn is_unread(&self) -> bool {
        self.made_by == Maker::Machine && self.reviewed.is_empty()
    }
}

/// Out of the calendar's range: nothing, rather than a wrong date.
fn written(at: Time, pattern: &str) -> String {
    let local = jiff::Timestamp::from_millisecond(at.0).and_then(|instant| instant.in_tz("Europe/Berlin"));
    local.map(|local| local.strftime(pattern).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn every_language_has_every_text_with_the_same_places() {
        assert_eq!(german().language, "de");
        for texts in all() {
            for (section, words) in &german().sections {
                let own = texts.sections.get(section).unwrap_or_else(|| panic!("{}: no [{section}]", texts.language));
                assert_eq!(own.keys().collect::<Vec<_>>(), words.keys().collect::<Vec<_>>(), "{} [{section}]", texts.language);
                for (word, text) in words {
                    assert_eq!(places(&own[word]), places(text), "{} {section}.{word}", texts.language);
                }
            }
            assert_eq!(texts.sections.len(), german().sections.len(), "{}", texts.language);
        }
    }

    #[test]
    fn a_text_that_nobody_has_read_says_so_in_its_language_and_in_its_file() {
        for (texts, file) in all().iter().zip(FILES) {
            assert_eq!(texts.is_unread(), file.contains("# Translated by machine, and nobody has read it yet"), "{}", texts.language);
            assert_eq!(texts.is_unread(), !matches!(&*texts.language, "de" | "en") && texts.reviewed.is_empty(), "{}", texts.language);
            assert_eq!(texts.get("word", "translation").is_empty(), texts.made_by == Maker::Authors, "{}", texts.language);
        }
    }

    #[test]
    fn days_are_those_of_bremen() {
        // 2027-04-29T22:00:00Z is the first minute of the 30th in Bremen.
        assert_eq!(german().day(Time(1_809_036_000_000)), "30.04.2027");
        assert_eq!(of("en-GB").unwrap().moment(Time(1_809_036_000_000)), "30 April 2027, 00:00");
        assert_eq!(of("xx").map(|texts| &texts.language), None);
    }

    #[test]
    fn names_norms_and_dates_stand_apart_in_what_is_written_from_right_to_left() {
        let kept = |texts: &Texts| texts.fill("recall", "RETAINED_STATUTORY", &[("norm", "§ 67c SGB X")]);
        for texts in all() {
            let apart = kept(texts).contains("(\u{2068}§ 67c SGB X\u{2069})");
            assert_eq!(apart, texts.direction == Direction::Rtl, "{}: {}", texts.language, kept(texts));
        }
    }

    #[test]
    fn what_is_missing_is_said_in_german_and_what_is_nowhere_as_its_word() {
        let bare: Texts = toml::from_str("language = 'nds'\nname = 'Platt'\nmade_by = 'machine'\nreviewed = ''\ndirection = 'ltr'").unwrap();
        assert_eq!(bare.get("right", "ACCESS"), german().get("right", "ACCESS"));
        assert_eq!(bare.get("right", "NO_SUCH_RIGHT"), "NO_SUCH_RIGHT");
        assert_eq!(bare.fill("receipt", "contact", &[("contact", "büro@example.invalid")]), "Fragen zum Datenschutz: büro@example.invalid");
    }
}
