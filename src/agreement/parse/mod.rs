// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From TOML to an [`Agreement`]: every entry is read on its own, so that one mistake does not hide the next.

mod entries;
mod members;
mod reading;
mod routes;
mod texts;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::de::DeTable;
use toml::value::Datetime;

use self::entries::{BetreuerAreaEntry, NecessityEntry, RecallEntry, ValidityEntry};
use self::members::{members, municipalities};
use self::reading::Reading;
use self::routes::{category_sets, rules};
use super::{Agreement, BetreuerArea, Necessity, RecallTerms, Validity};
use crate::dialect::CategoryMask;

/// Longest time that any agreement may give for the answer to a recall, in days: one month (Art. 12(3) GDPR), and February is one.
const HARD_MAX_ANSWER_DAYS: u16 = 28;
/// Longest validity that any agreement may set, in months.
const HARD_MAX_MONTHS: i32 = 24;
/// Largest tolerance between clocks that any agreement may set.
const HARD_MAX_SKEW_SECONDS: u64 = 60;

/// One problem in an agreement file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct AgreementError {
    /// Line in the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

pub(super) fn parse(source: &str) -> Result<Agreement, Vec<AgreementError>> {
    let mut reading = Reading { source, problems: Vec::new() };
    let (file, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        reading.problem(&error.span().unwrap_or(0..0), error.message(), "the file must be TOML 1.0");
    }
    if !errors.is_empty() {
        return Err(sorted(reading.problems));
    }
    let agreement = read(&mut reading, file.into_inner());
    match agreement {
        Some(agreement) if reading.problems.is_empty() => Ok(agreement),
        _ => Err(sorted(reading.problems)),
    }
}

fn sorted(mut problems: Vec<AgreementError>) -> Vec<AgreementError> {
    problems.sort_by_key(|problem| problem.line);
    problems
}

fn read(reading: &mut Reading<'_>, mut file: DeTable<'_>) -> Option<Agreement> {
    let version = scalar::<String>(reading, &mut file, "version");
    let title = scalar::<String>(reading, &mut file, "title");
    let valid_from = scalar::<Datetime>(reading, &mut file, "valid_from").and_then(|(span, at)| reading.instant(&span, at));
    for (span, text) in version.iter().chain(&title) {
        reading.text(span, text, "version or title");
    }
    let validity = validity(reading, &mut file);
    let recalls = recalls(reading, &mut file);
    let municipalities = municipalities(reading, &mut file);
    let sets = category_sets(reading, &mut file);
    let members = members(reading, &mut file, &municipalities);
    let necessities = necessities(reading, &mut file);
    let betreuer_areas = betreuer_areas(reading, &mut file, &sets);
    let texts = texts::texts(reading, &mut file, &sets);
    let rules = rules(reading, &mut file, &members, &necessities, &sets);
    for (key, value) in file {
        reading.problem(&value.span(), format!("unknown entry `{}`", key.get_ref()), "remove it or correct its spelling");
    }
    Some(Agreement {
        version: Arc::from(version?.1),
        title: title?.1,
        valid_from: valid_from?,
        validity: validity?,
        recalls: recalls?,
        digest: digest(reading.source),
        municipalities,
        members,
        rules,
        necessities,
        betreuer_areas,
        texts,
    })
}

fn scalar<'de, T: Deserialize<'de>>(reading: &mut Reading<'_>, file: &mut DeTable<'de>, key: &str) -> Option<(Range<usize>, T)> {
    match file.remove(key) {
        Some(value) => reading.shape(value, key),
        None => {
            reading.problem(&(0..0), format!("`{key}` is missing"), "add it at the top of the file");
            None
        }
    }
}

fn validity(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> Option<Validity> {
    let (span, entry) = match file.remove("validity") {
        Some(value) => reading.shape::<ValidityEntry>(value, "validity")?,
        None => (0..0, ValidityEntry { default_months: 12, max_months: HARD_MAX_MONTHS, skew_seconds: HARD_MAX_SKEW_SECONDS }),
    };
    if !(1..=HARD_MAX_MONTHS).contains(&entry.max_months) || !(1..=entry.max_months).contains(&entry.default_months) {
        reading.problem(&span, "validity is out of range", format!("1 <= default_months <= max_months <= {HARD_MAX_MONTHS}"));
    }
    if entry.skew_seconds > HARD_MAX_SKEW_SECONDS {
        reading.problem(&span, "skew_seconds is too large", format!("at most {HARD_MAX_SKEW_SECONDS}"));
    }
    Some(Validity { default_months: entry.default_months, max_months: entry.max_months, skew: Duration::from_secs(entry.skew_seconds) })
}

fn recalls(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> Option<RecallTerms> {
    let (span, entry) = match file.remove("recall") {
        Some(value) => reading.shape::<RecallEntry>(value, "recall")?,
        None => (0..0, RecallEntry { answer_days: entries::fourteen(), remind_days_before: entries::three() }),
    };
    if !(1..=HARD_MAX_ANSWER_DAYS).contains(&entry.answer_days) {
        reading.problem(&span, "answer_days is out of range", format!("1 to {HARD_MAX_ANSWER_DAYS}: no month is shorter (Art. 12(3) GDPR)"));
    }
    if entry.remind_days_before >= entry.answer_days {
        reading.problem(&span, "remind_days_before is out of range", "less than answer_days");
    }
    let days = |days: u16| Duration::from_secs(u64::from(days) * 24 * 3600);
    Some(RecallTerms { answer_within: days(entry.answer_days), remind_before: days(entry.remind_days_before) })
}

fn necessities(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, Necessity> {
    let mut all = BTreeMap::new();
    for (span, NecessityEntry { code, norm, text }) in reading.entries(file, "necessity") {
        for (what, value) in [("code", &code), ("norm", &norm), ("text", &text)] {
            reading.text(&span, value, what);
        }
        if all.insert(code.clone(), Necessity { norm, text }).is_some() {
            reading.problem(&span, format!("necessity `{code}` appears twice"), "keep one of them");
        }
    }
    all
}

fn betreuer_areas(reading: &mut Reading<'_>, file: &mut DeTable<'_>, sets: &BTreeMap<String, CategoryMask>) -> BTreeMap<String, BetreuerArea> {
    let mut all = BTreeMap::new();
    for (span, BetreuerAreaEntry { area, text, purposes, categories }) in reading.entries(file, "betreuer_area") {
        for (what, value) in [("area", &area), ("text", &text)] {
            reading.text(&span, value, what);
        }
        let categories = reading.mask(&span, &categories, sets);
        if all.insert(area.clone(), BetreuerArea { text, purposes, categories }).is_some() {
            reading.problem(&span, format!("area `{area}` appears twice"), "keep one of them");
        }
    }
    all
}

fn digest(source: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, source.as_bytes()).as_ref());
    bytes
}
