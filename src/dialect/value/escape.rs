// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One escape rule for everything that several values share: a backslash before the separating character, and before a backslash.

use std::borrow::Cow;
use std::fmt;

use super::trimmed;

/// Appends `part` so that `mark` in it does not separate.
pub(super) fn push_escaped(part: &str, mark: char, out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = part;
    if mark.is_ascii() && !part.bytes().any(|byte| byte == mark as u8 || byte == b'\\') {
        return out.write_str(part);
    }
    while let Some(at) = rest.find([mark, '\\']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.write_str(before)?;
        out.write_char('\\')?;
        let mut chars = after.chars();
        chars.next().map_or(Ok(()), |escaped| out.write_char(escaped))?;
        rest = chars.as_str();
    }
    out.write_str(rest)
}

/// The parts of a text between unescaped marks, trimmed, with their escapes still in; at least one.
pub(super) fn split_escaped(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        let end = unescaped(here, mark);
        rest = end.and_then(|end| here.get(end + mark.len_utf8()..));
        Some(trimmed(here.get(..end.unwrap_or(here.len())).unwrap_or_default()))
    })
}

/// Where the first mark stands that no backslash escapes.
fn unescaped(text: &str, mark: char) -> Option<usize> {
    // Without escapes, and that is nearly always, the first mark is it.
    let first = match u8::try_from(mark) {
        Ok(byte) if byte.is_ascii() => text.bytes().position(|one| one == byte || one == b'\\'),
        _ => text.find([mark, '\\']),
    }?;
    if !text.get(first..).is_some_and(|rest| rest.starts_with('\\')) {
        return Some(first);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return Some(at),
            _ => {}
        }
    }
    None
}

/// A part with its escapes taken off.
///
/// A backslash before any other character, or at the end, stands for itself: systems that do not know the rule send such texts.
pub(super) fn unescape(text: &str, mark: char) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next)) if *next == mark || *next == '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}
