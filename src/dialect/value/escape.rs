// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One escape rule for everything that several values share: a backslash before the separating character, and before a backslash.

/// Appends `part` so that `mark` in it does not separate.
pub(super) fn push_escaped(part: &str, mark: char, out: &mut String) {
    for c in part.chars() {
        if c == mark || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
}

/// The parts of a text between unescaped marks, trimmed, with their escapes still in; at least one.
pub(super) fn split_escaped(text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let end = unescaped(rest, mark);
        parts.push(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().trim());
        match end.and_then(|end| rest.get(end + mark.len_utf8()..)) {
            Some(next) => rest = next,
            None => return parts,
        }
    }
}

/// Where the first mark stands that no backslash escapes.
fn unescaped(text: &str, mark: char) -> Option<usize> {
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
pub(super) fn unescape(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next)) if *next == mark || *next == '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}
