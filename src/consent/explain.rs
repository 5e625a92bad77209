// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A decision in plain German and English for the person at the desk: whether it may go, what stays behind, why, and what to do next.
//! The words are in `texts/counsellor.de.toml` and `texts/counsellor.en.toml`.

use std::sync::LazyLock;

use super::reason::Reason;
use crate::dialect::Category;
use crate::texts::{self, Texts};

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// German.
    De,
    /// English.
    En,
}

/// One reason explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// What is the matter.
    pub why: &'static str,
    /// What to do about it.
    pub next: &'static str,
}

/// A reason for the whole, or for data that stay behind although the rest may go.
pub fn explain(reason: Reason, withheld: bool, language: Language) -> Explained {
    let words = words(language);
    let known = if withheld { &words.withheld } else { &words.whole };
    known.get(reason as usize).copied().unwrap_or(Explained { why: "", next: "" })
}

/// A kind of data as staff call it.
pub fn data(category: Category, language: Language) -> &'static str {
    text(language).own("category", category.name()).unwrap_or(category.name())
}

/// The decision in a few sentences: the reason and what to do; after a yes what stays behind, kinds of data with the same reason together.
pub fn in_words(reason: Reason, withheld: &[(Category, Reason)], language: Language) -> String {
    let Explained { why, next } = explain(reason, false, language);
    if reason != Reason::Ok || withheld.is_empty() {
        return format!("{why} {next}");
    }
    let (mut said, stays) = (why.to_owned(), text(language).own("frame", "stays").unwrap_or_default());
    let mut told: Vec<Reason> = Vec::new();
    for (_, reason) in withheld {
        if !told.contains(reason) {
            told.push(*reason);
            let alike: Vec<_> = withheld.iter().filter(|(_, other)| other == reason).map(|(category, _)| data(*category, language)).collect();
            let Explained { why, next } = explain(*reason, true, language);
            said.push_str(&format!(" {stays} {}. {why} {next}", alike.join("; ")));
        }
    }
    said
}

struct Words {
    whole: Vec<Explained>,
    withheld: Vec<Explained>,
}

fn text(language: Language) -> &'static Texts {
    let [german, english] = texts::counsellor();
    match language {
        Language::De => german,
        Language::En => english,
    }
}

/// By the reasons' order, so that an answer looks nothing up.
fn words(language: Language) -> &'static Words {
    static BOTH: LazyLock<[Words; 2]> = LazyLock::new(|| [Language::De, Language::En].map(read));
    let [german, english] = &*BOTH;
    match language {
        Language::De => german,
        Language::En => english,
    }
}

fn read(language: Language) -> Words {
    let text = text(language);
    let own = |section: &str, reason: &Reason| match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => text.own(section, &name),
        _ => None,
    };
    let whole = |reason: &Reason| Explained { why: own("why", reason).unwrap_or_default(), next: own("next", reason).unwrap_or_default() };
    let withheld = |reason: &Reason| match (own("why_withheld", reason), own("next_withheld", reason)) {
        (Some(why), Some(next)) => Explained { why, next },
        _ => whole(reason),
    };
    Words { whole: Reason::ALL.iter().map(whole).collect(), withheld: Reason::ALL.iter().map(withheld).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_every_kind_of_data_has_words_in_both_languages() {
        for language in [Language::De, Language::En] {
            let text = text(language);
            for reason in Reason::ALL {
                for sentence in [explain(*reason, false, language), explain(*reason, true, language)].iter().flat_map(|e| [e.why, e.next]) {
                    assert!(sentence.len() > 10 && sentence.ends_with(['.', '?']), "{reason:?} {language:?}: {sentence}");
                }
            }
            for category in Category::ALL {
                assert!(text.own("category", category.name()).is_some_and(|name| !name.is_empty()), "{category} {language:?}");
            }
            for reason in Reason::WITHHOLDS {
                assert_ne!(explain(reason, true, language), explain(reason, false, language), "{reason:?} {language:?}");
            }
        }
        assert_ne!(explain(Reason::NoRoute, false, Language::De), explain(Reason::NoRoute, false, Language::En));
    }

    #[test]
    fn what_stays_behind_is_told_once_per_reason() {
        let (tick, consent) = (Reason::Art9NotExplicit, Reason::CategoryNotCovered);
        let withheld = [(Category::Health, tick), (Category::Freetext, consent), (Category::Outcome, consent)];
        assert_eq!(
            in_words(Reason::Ok, &withheld, Language::De),
            "Das darf hinaus. Hier bleibt: Gesundheit. Das braucht ein eigenes Kreuz der Person. Es fehlt. Lassen Sie es einzeln ankreuzen, wenn die \
             Person das möchte. Hier bleibt: Freitext; Ergebnis. Dem hat die Person nicht zugestimmt. Fragen Sie die Person, wenn die andere Stelle es \
             wirklich braucht."
        );
        assert_eq!(in_words(Reason::Ok, &[], Language::En), "This may go. You can send it.");
        assert_eq!(in_words(Reason::Expired, &withheld, Language::En), "The consent has ended. Ask the person again.");
    }
}
