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
#[inline]
pub fn normalise(text: &str) -> Cow<'_, str> {
    // Nothing before the marks is ever composed.
    if is_printable(text.as_bytes())
        || text.bytes().fold(true, |all, byte| all & (byte < FIRST_MARK_BYTE))
        || is_nfc_quick(text.chars()) == IsNormalized::Yes
    {
        return Cow::Borrowed(text);
    }
    let normal: String = text.nfc().collect();
    if normal == text { Cow::Borrowed(text) } else { Cow::Owned(normal) }
}

/// Whether a text in normal form C consists of letters and signs of the type.
///
/// # Errors
/// The first character that does not belong. A combining mark belongs only where the standard lists it after its letter.
#[inline]
pub fn check(kind: Kind, text: &str) -> Result<(), Outside> {
    // All that ASCII can print belongs to type C, and most texts are nothing else.
    if kind == Kind::C && is_printable(text.as_bytes()) { Ok(()) } else { examine(kind, text) }
}

fn examine(kind: Kind, text: &str) -> Result<(), Outside> {
    let mut rest = text;
    let mut position = 0;
    loop {
        // The common case first: ASCII after which no mark stands.
        let mut plain = plain(kind, rest.as_bytes());
        if plain == rest.len() {
            return Ok(());
        }
        if rest.as_bytes().get(plain).is_some_and(|next| *next >= FIRST_MARK_BYTE) {
            plain = plain.saturating_sub(1);
        }
        position += plain;
        rest = rest.get(plain..).unwrap_or_default();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return Ok(()) };
        match chars.next().filter(|next| *next >= FIRST_MARK).and_then(|_| sequence(rest)) {
            Some(sequence) => {
                position += sequence.chars().count();
                rest = rest.strip_prefix(sequence).unwrap_or_default();
            }
            None if single(kind, first) => {
                position += 1;
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
            None => return Err(Outside { kind, position, code_point: first.into() }),
        }
    }
}

/// How many bytes at the beginning are ASCII of the type.
fn plain(kind: Kind, bytes: &[u8]) -> usize {
    let ascii = match kind {
        Kind::A => &ASCII_A,
        Kind::B => &ASCII_B,
        Kind::C => &ASCII_C,
    };
    let mut done = 0;
    if kind == Kind::C {
        done = 16 * bytes.chunks_exact(16).take_while(|chunk| chunk.iter().fold(true, |all, byte| all & is_sign(*byte))).count();
    }
    let rest = bytes.get(done..).unwrap_or_default();
    done + rest.iter().take_while(|byte| ascii.get(usize::from(**byte)).is_some_and(|belongs| *belongs)).count()
}

/// Whether ASCII prints the byte.
fn is_sign(byte: u8) -> bool {
    byte.wrapping_sub(b' ') < 0x5f
}

/// Whether a text consists of nothing but what ASCII prints.
#[inline]
fn is_printable(bytes: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    // Eight bytes at once; the highest bit of each says that it is none of these.
    let odd = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        word | word.wrapping_sub(EACH * 0x20) | word.wrapping_add(EACH)
    };
    let odd = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The last ones may overlap with those before.
        (Some(last), ..) => bytes.as_chunks().0.iter().fold(odd(last), |all, eight| all | odd(eight)),
        (None, Some([a, b, c, d]), Some([e, f, g, h])) => odd(&[*a, *b, *c, *d, *e, *f, *g, *h]),
        _ => return bytes.iter().all(|byte| is_sign(*byte)),
    };
    odd & (EACH * 0x80) == 0
}

/// First byte of [`FIRST_MARK`], and of nothing before it.
const FIRST_MARK_BYTE: u8 = 0xcc;

/// No sequence of the standard goes on with anything before the combining marks; a test holds the table to it.
const FIRST_MARK: char = '\u{300}';

/// The ASCII part of each type, by byte.
static ASCII_A: [bool; 256] = ascii(&[LETTERS, NAME_SIGNS]);
static ASCII_B: [bool; 256] = ascii(&[LETTERS, NAME_SIGNS, TEXT_SIGNS]);
static ASCII_C: [bool; 256] = ascii(&[LETTERS, NAME_SIGNS, TEXT_SIGNS, MORE_SIGNS]);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which stops at an index outside")]
const fn ascii(tables: &[&[(char, char)]]) -> [bool; 256] {
    let mut belongs = [false; 256];
    let mut code = 0;
    while code < 128 {
        let mut table = 0;
        while table < tables.len() {
            let mut at = 0;
            while at < tables[table].len() {
                belongs[code] |= tables[table][at].0 as usize <= code && code <= tables[table][at].1 as usize;
                at += 1;
            }
            table += 1;
        }
        code += 1;
    }
    belongs
}

/// What is accepted from others but must not be written any more (`ŉ`, `Ŀ`, the vertical line above), respelled.
///
/// The new spelling is not the person's own, therefore it is reported as a loss.
#[inline]
pub fn without_deprecated(text: &str) -> Converted<Cow<'_, str>> {
    let deprecated = |c: char| matches!(c, 'Ŀ' | 'ŀ' | 'ŉ' | 'ḗ' | '\u{30d}');
    // First bytes of these, and of others.
    let possible = |byte: u8| byte >= FIRST_MARK_BYTE || byte == 0xc4 || byte == 0xc5;
    if is_printable(text.as_bytes()) || !text.bytes().fold(false, |any, byte| any | possible(byte)) || !text.contains(deprecated) {
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
    // The letters of nearly all names.
    matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ž')
        || within(LETTERS, c)
        || within(NAME_SIGNS, c)
        || (kind >= Kind::B && within(TEXT_SIGNS, c))
        || (kind >= Kind::C && within(MORE_SIGNS, c))
}

fn within(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= c);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| c <= *last)
}

#[cfg(test)]
mod tests;
