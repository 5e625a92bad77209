// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The characters that German administrative systems exchange (DIN 91379:2022-08), and the search form of names.
//!
//! A text in another script or with a letter outside the standard is refused with its place, never stripped: half a name is a wrong name.

mod search;
mod table;

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

pub use search::search_form;
use table::{LETTERS, MORE_SIGNS, NAME_SIGNS, SEQUENCES, TEXT_SIGNS};

use super::Converted;

/// The data types of the standard that Weiche uses; D and E (Greek, Cyrillic) are for registers abroad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Names of persons.
    A,
    /// Names of streets, places, organisations; single-line text.
    B,
    /// Text of several lines.
    C,
}

/// The first character that does not belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("character {} (U+{code_point:04X}) is outside DIN 91379 type {kind:?}, or not in normal form C", position + 1)]
pub struct Outside {
    /// The type that was asked for.
    pub kind: Kind,
    /// Its place in the text, counted in code points from 0.
    pub position: usize,
    /// Its Unicode code point.
    pub code_point: u32,
}

/// The text in normal form C, which the standard demands; borrowed if it is already.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    let normal: String = text.nfc().collect();
    if normal == text { Cow::Borrowed(text) } else { Cow::Owned(normal) }
}

/// Whether a text in normal form C consists of letters and signs of the type.
///
/// # Errors
/// The first character that does not belong. A combining mark belongs only where the standard lists it after its letter.
pub fn check(kind: Kind, text: &str) -> Result<(), Outside> {
    // The common case first: letters, digits and what else ASCII allows, byte by byte.
    let start = text.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b' ' || *byte == b'-').count();
    if start == text.len() {
        return Ok(());
    }
    let mut rest = text;
    let mut position = 0;
    while let Some(first) = rest.chars().next() {
        let length = match sequence(rest) {
            Some(sequence) => sequence,
            None if single(kind, first) => &rest[..first.len_utf8()],
            None => return Err(Outside { kind, position, code_point: first.into() }),
        };
        position += length.chars().count();
        rest = rest.strip_prefix(length).unwrap_or_default();
    }
    Ok(())
}

/// What is accepted from others but must not be written any more (`ŉ`, `Ŀ`, the vertical line above), respelled.
///
/// The new spelling is not the person's own, therefore it is reported as a loss.
pub fn without_deprecated(text: &str) -> Converted<Cow<'_, str>> {
    let deprecated = |c: char| matches!(c, 'Ŀ' | 'ŀ' | 'ŉ' | 'ḗ' | '\u{30d}');
    if text.is_ascii() || !text.contains(deprecated) {
        return Converted::exact(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            'Ŀ' => out.push_str("L·"),
            'ŀ' => out.push_str("l·"),
            'ŉ' => out.push_str("’n"),
            'ḗ' => out.push('ē'),
            '\u{30d}' => {}
            other => out.push(other),
        }
    }
    Converted::lossy(Cow::Owned(out), "a letter that DIN 91379 has deprecated is respelled")
}

/// The longest letter of several code points that the text begins with.
fn sequence(text: &str) -> Option<&'static str> {
    // Sequences that share a beginning stand together, the shorter first; those of one letter are at most a dozen.
    let first = text.chars().next()?;
    let from = SEQUENCES.partition_point(|one| one.chars().next() < Some(first));
    let candidates = SEQUENCES.get(from..)?.iter().take_while(|one| one.starts_with(first));
    candidates.filter(|one| text.starts_with(**one)).max_by_key(|one| one.len()).copied()
}

/// Whether a code point is a letter or sign of the type on its own.
fn single(kind: Kind, c: char) -> bool {
    within(LETTERS, c) || within(NAME_SIGNS, c) || (kind >= Kind::B && within(TEXT_SIGNS, c)) || (kind >= Kind::C && within(MORE_SIGNS, c))
}

fn within(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= c);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| c <= *last)
}

#[cfg(test)]
mod tests;
