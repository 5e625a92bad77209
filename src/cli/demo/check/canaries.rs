// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whether anything of a person is where nobody may find it: in program logs, metrics, ledger entries or the database in the clear.

use std::collections::HashMap;
use std::path::Path;

use super::{Broken, Promise};
use crate::cli::demo::cases::MARK;
use crate::proto::types::Referral;

/// Texts that are searched: a name for each, and its bytes.
pub(in crate::cli::demo) type Haystacks = Vec<(String, Vec<u8>)>;

/// Every file below `paths`.
pub(in crate::cli::demo) fn haystacks(paths: &[&Path]) -> std::io::Result<Haystacks> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let below = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
            found.extend(haystacks(&below.iter().map(|path| path.as_path()).collect::<Vec<_>>())?);
        } else if path.exists() {
            found.push((path.display().to_string(), std::fs::read(path)?));
        }
    }
    Ok(found)
}

/// Every canary, every name and every phone number of every case, in every haystack.
pub(in crate::cli::demo) fn canaries<'a>(referrals: impl Iterator<Item = &'a Referral>, haystacks: &Haystacks) -> Vec<Broken> {
    let mut needles = Needles::default();
    needles.add(MARK);
    // What all numbers that are reserved for films have in common, in the spellings of the dialects.
    for phone in ["17139200", "0171 39200", "0171/39200", "302312500", "30 2312500"] {
        needles.add(phone);
    }
    for person in referrals.filter_map(|referral| referral.subject.as_ref()) {
        let name = person.name.clone().unwrap_or_default();
        // Short names are in every file by accident.
        for text in [name.family, name.birth_name, name.native_script].iter().filter(|text| text.chars().count() > 6) {
            needles.add(text);
        }
    }
    let found = haystacks.iter().filter_map(|(file, bytes)| {
        let at = needles.find(bytes)?;
        Some(Broken { promise: Promise::NoTraces, what: format!("{file} has data of a person at byte {at}") })
    });
    found.collect()
}

/// Texts to look for, by their first two bytes; ASCII letters in lower case.
#[derive(Default)]
struct Needles(HashMap<[u8; 2], Vec<Vec<u8>>>);

impl Needles {
    fn add(&mut self, text: &str) {
        let bytes = text.as_bytes().to_ascii_lowercase();
        let Some(head) = bytes.first_chunk::<2>() else { return };
        let group = self.0.entry(*head).or_default();
        if !group.contains(&bytes) {
            group.push(bytes);
        }
    }

    /// Where the first of them is.
    fn find(&self, haystack: &[u8]) -> Option<usize> {
        let mut heads = vec![false; 1 << 16];
        for [high, low] in self.0.keys() {
            if let Some(head) = heads.get_mut(usize::from(*high) << 8 | usize::from(*low)) {
                *head = true;
            }
        }
        let lower = haystack.to_ascii_lowercase();
        let is_head = |pair: &[u8; 2]| heads.get(usize::from(pair[0]) << 8 | usize::from(pair[1])).is_some_and(|head| *head);
        (0..lower.len().saturating_sub(1)).find(|at| {
            let rest = lower.get(*at..).unwrap_or_default();
            rest.first_chunk::<2>()
                .filter(|pair| is_head(pair))
                .and_then(|pair| self.0.get(pair))
                .is_some_and(|group| group.iter().any(|needle| rest.starts_with(needle)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_whatever_case_and_wherever_it_is() {
        let haystack = |text: &str| vec![("file".to_owned(), text.as_bytes().to_vec())];
        let nobody = || std::iter::empty::<&Referral>();
        assert_eq!(canaries(nobody(), &haystack("nothing here, nor 171 or zqx")), []);
        for text in ["a ZQXVWab", "zqxvw", "…ZqXvW", "tel +4917139200"] {
            assert_eq!(canaries(nobody(), &haystack(text)).len(), 1, "{text}");
        }
        let name = crate::proto::types::PersonName { family: "Þórðardóttir".into(), ..Default::default() };
        let person = crate::proto::types::Person { name: Some(name), ..Default::default() };
        let referral = Referral { subject: Some(person), ..Default::default() };
        assert_eq!(canaries(std::iter::once(&referral), &haystack("call of Þórðardóttir failed")).len(), 1);
    }
}
