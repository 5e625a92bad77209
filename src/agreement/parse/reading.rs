// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Reading values while collecting problems.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::AgreementError;
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};

/// Problems found so far, and the text to count lines in.
pub(super) struct Reading<'a> {
    pub(super) source: &'a str,
    pub(super) problems: Vec<AgreementError>,
}

impl Reading<'_> {
    pub(super) fn problem(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let line = 1 + self.source.bytes().take(span.start).filter(|b| *b == b'\n').count();
        self.problems.push(AgreementError { line, message: message.into(), help: help.into() });
    }

    /// Reads one value into its shape.
    pub(super) fn shape<'de, T: Deserialize<'de>>(&mut self, value: Spanned<DeValue<'de>>, what: &str) -> Option<(Range<usize>, T)> {
        let span = value.span();
        T::deserialize(value.into_deserializer())
            .map_err(|error| {
                let at = error.span().unwrap_or_else(|| span.clone());
                self.problem(&at, format!("{what}: {}", error.message()), "see the comments in agreement/bremen.toml for this entry");
            })
            .ok()
            .map(|read| (span, read))
    }

    /// Reads each entry of an array of tables, taking it out of the file; the key may be missing.
    pub(super) fn entries<'de, T: Deserialize<'de>>(&mut self, file: &mut DeTable<'de>, key: &str) -> Vec<(Range<usize>, T)> {
        let Some(value) = file.remove(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().filter_map(|item| self.shape(item, key)).collect(),
            _ => {
                self.problem(&span, format!("`{key}` is not a list"), format!("write each entry as [[{key}]]"));
                Vec::new()
            }
        }
    }

    pub(super) fn id<T: FromStr>(&mut self, span: &Range<usize>, text: &str, what: &str) -> Option<T> {
        let read = text.parse().ok();
        if read.is_none() {
            self.problem(span, format!("{what} `{text}` is not a name"), "use 2 to 40 characters of a-z, 0-9 and inner hyphens");
        }
        read
    }

    pub(super) fn text(&mut self, span: &Range<usize>, text: &str, what: &str) {
        if text.trim().is_empty() {
            self.problem(span, format!("{what} is empty"), "say it in words that people understand");
        }
    }

    pub(super) fn instant(&mut self, span: &Range<usize>, at: Datetime) -> Option<Time> {
        let read = instant(at);
        if read.is_none() {
            self.problem(span, format!("`{at}` is not a point in time"), "use a day such as 2026-01-01 or a time with its offset");
        }
        read
    }

    /// Category names, or names of sets from `[category_set]`.
    pub(super) fn mask(&mut self, span: &Range<usize>, names: &[String], sets: &BTreeMap<String, CategoryMask>) -> CategoryMask {
        let mut mask = CategoryMask::EMPTY;
        for name in names {
            match (sets.get(name), name.parse::<Category>()) {
                (Some(set), _) => mask |= *set,
                (None, Ok(category)) => mask |= category.mask(),
                (None, Err(_)) => self.problem(
                    span,
                    format!("`{name}` is neither a category nor a category set"),
                    format!("categories: {}; sets: {}", CategoryMask::ALL, sets.keys().cloned().collect::<Vec<_>>().join(", ")),
                ),
            }
        }
        mask
    }
}

/// A day begins at midnight in Bremen.
fn instant(at: Datetime) -> Option<Time> {
    let text = at.to_string();
    let instant = if at.offset.is_some() {
        text.parse::<jiff::Timestamp>().ok()?
    } else {
        text.parse::<jiff::civil::Date>().ok()?.in_tz("Europe/Berlin").ok()?.timestamp()
    };
    Some(Time(instant.as_millisecond()))
}
