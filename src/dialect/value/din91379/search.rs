// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The search form of names: what a clerk would type.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// The text in capital basic letters: `Nœl Schmidt-Strauß` becomes `NOEL SCHMIDT-STRAUSS`.
///
/// For matching only, never shown to people and never read back: Müller and Mueller have the same one. Letters keep their base, umlauts
/// and ligatures are spelled out, transliteration signs and the typographic apostrophe disappear, other signs stay. A character outside the
/// repertoire stays as it is: check first.
pub fn search_form(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len());
    // Composed first, so that u and a diaeresis that were sent apart are spelled UE as well.
    for c in text.nfc() {
        push(c, &mut out);
    }
    out
}

fn push(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_uppercase());
    } else if let Some(letters) = spelled(c) {
        out.push_str(letters);
    } else {
        decompose_canonical(c, |part| match spelled(part) {
            _ if is_combining_mark(part) => {}
            Some(letters) => out.push_str(letters),
            None => out.push(part.to_ascii_uppercase()),
        });
    }
}

/// Letters whose search form is not the base letter of their decomposition, and signs that have none.
fn spelled(c: char) -> Option<&'static str> {
    Some(match c {
        'Ä' | 'ä' | 'Æ' | 'æ' => "AE",
        'Ö' | 'ö' | 'Ø' | 'ø' | 'Œ' | 'œ' => "OE",
        'Ü' | 'ü' => "UE",
        'Å' | 'å' => "AA",
        'ß' | 'ẞ' => "SS",
        'Þ' | 'þ' => "TH",
        'Ł' | 'ł' | 'Ŀ' | 'ŀ' => "L",
        'Đ' | 'đ' | 'Ð' | 'ð' => "D",
        'Ŋ' | 'ŋ' | 'ŉ' => "N",
        'Ħ' | 'ħ' => "H",
        'Ŧ' | 'ŧ' => "T",
        'Ə' | 'ə' => "E",
        'ı' | 'İ' | 'Ɨ' | 'ɨ' => "I",
        'Ĳ' | 'ĳ' => "IJ",
        'Ʒ' | 'ʒ' | 'Ǯ' | 'ǯ' => "Z",
        'Ǥ' | 'ǥ' => "G",
        'Ƈ' | 'ƈ' => "C",
        'ĸ' => "K",
        'ʹ' | 'ʺ' | 'ʾ' | 'ʿ' | 'ˈ' | 'ˌ' | '’' | '‡' => "",
        _ => return None,
    })
}
