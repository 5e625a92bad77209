// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is wrong with a dialect, with the place in its source.

use std::fmt;

/// One thing that is wrong with a dialect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}\n    help: {help}")]
pub struct DialectError {
    /// Path of the `.proto` file as it was compiled, or of a code list.
    pub file: String,
    /// From 1; 0 if the descriptors carry no source positions.
    pub line: u32,
    /// From 1; 0 if the descriptors carry no source positions.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// All that is wrong with a set of dialects, in the order of the sources; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectErrors(pub Vec<DialectError>);

impl fmt::Display for DialectErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for DialectErrors {}

/// The candidate nearest to what was written, by edit distance, if it is near enough to be a slip.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = written.chars().count().div_ceil(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, row by row.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            // `cell` holds the value above, `diagonal` the one above and to the left, `before` the one to the left.
            let value = (diagonal + usize::from(from != *to)).min(before + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = value;
            before = value;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        assert_eq!(nearest("subject.nmae", ["subject.name", "subject.gender"]), Some("subject.name"));
        assert_eq!(nearest("xyz", ["gender", "language"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
