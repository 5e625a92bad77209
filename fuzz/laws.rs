// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What must hold for any bytes at all. Each function is a target of `scripts/long fuzz`; the ordinary tests run it on its corpus and on damaged
//! pieces of that.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use weiche::agreement::Agreement;
use weiche::consent::WithdrawalCode;
use weiche::dialect::value::date::DateFormat;
use weiche::dialect::value::{Converted, address, din91379, phone};
use weiche::dialect::{CategoryMask, Dialect, Dialects, REFERRAL, RecipientKind};
use weiche::ledger::{Checkpoint, Note, Policy, Receipt, VerifierKey};

type Law = (&'static str, fn(&[u8]));

/// All of them by name; the corpus of each lies in a folder of that name.
pub const TARGETS: [Law; 6] =
    [("native", native), ("canonical", canonical), ("schema", schema), ("agreement", agreement), ("ledger", ledger), ("text", text)];

static DIALECTS: LazyLock<Dialects> = LazyLock::new(|| Dialects::embedded().unwrap());

/// Everything that any dialect reads or renders, by its full name.
static MESSAGES: LazyLock<BTreeMap<&str, &Dialect>> = LazyLock::new(|| {
    let of = |dialect: &'static Dialect| {
        let named = dialect.methods().iter().flat_map(|method| [method.request.as_str(), method.response.as_str()]);
        named.chain(dialect.message_for(REFERRAL)).map(move |message| (message, dialect))
    };
    DIALECTS.iter().flat_map(|dialect| of(dialect)).collect()
});

static FORMATS: LazyLock<Vec<DateFormat>> = LazyLock::new(|| {
    let named = ["TT.MM.JJJJ", "JJJJ-MM-TT", "JJJJMMTT", "JJJJ[-MM[-TT]]", "JJJJ"];
    named.iter().map(|format| format.parse().unwrap()).collect()
});

/// The name of a message, a zero, and bytes that an institution sends. With or without a report the same comes of them, and it can be rendered again under any mask.
pub fn native(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(Ok(message)), Some(bytes)) = (parts.next().map(str::from_utf8), parts.next()) else { return };
    let Some(dialect) = MESSAGES.get(message) else { return };
    let quiet = dialect.read_quiet(message, bytes).ok();
    assert_eq!(quiet, dialect.read(message, bytes).ok().map(|(read, _)| read));
    if let Some(read) = quiet {
        for mask in [CategoryMask::ALL, CategoryMask::NONE] {
            let _ = dialect.render(message, &read, mask);
        }
    }
}

/// A canonical referral under some mask. What is minimised holds no category that was not granted, and once is enough.
pub fn canonical(data: &[u8]) {
    let Some((bits, bytes)) = data.split_at_checked(4) else { return };
    let mask = CategoryMask::from_bits(u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]));
    for kind in [RecipientKind::Jobcenter, RecipientKind::Agentur, RecipientKind::Centre] {
        if let Ok(minimised) = DIALECTS.minimise(REFERRAL, bytes, mask, kind) {
            assert!(mask.covers(DIALECTS.categories_of(REFERRAL, &minimised.bytes).unwrap()));
            let again = DIALECTS.minimise(REFERRAL, &minimised.bytes, mask, kind).unwrap();
            assert!(again.withheld.is_empty() && again.bytes == minimised.bytes);
        }
    }
    for dialect in DIALECTS.iter() {
        let Some(message) = dialect.message_for(REFERRAL) else { continue };
        let quiet = dialect.render_quiet(message, bytes, mask).ok();
        assert_eq!(quiet, dialect.render(message, bytes, mask).ok().map(|(rendered, _)| rendered));
    }
}

/// The source of a dialect: refused with its places, or compiled.
pub fn schema(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fuzzed.proto"), source).unwrap();
    if let Err(errors) = Dialects::of_folder(folder.path()) {
        assert!(!errors.to_string().is_empty());
    }
}

/// A cooperation agreement: refused with at least one reason, or read to the same twice.
pub fn agreement(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    match Agreement::parse(source) {
        Ok(agreement) => assert_eq!(agreement.digest(), Agreement::parse(source).unwrap().digest()),
        Err(errors) => assert!(!errors.is_empty()),
    }
}

/// What auditors are handed by others. Whatever is read is written as it was read.
pub fn ledger(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = source.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string().parse::<Checkpoint>().unwrap(), checkpoint);
    }
    if let Ok(note) = source.parse::<Note>() {
        assert_eq!(note.to_string(), source);
    }
    let _ = source.parse::<Receipt>().is_ok();
    let _ = source.parse::<VerifierKey>().is_ok();
    let _ = source.parse::<Policy>().is_ok();
}

/// Single values as people write them. What is read can be written; normal form and search form are reached at once.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let normal = din91379::normalise(text);
    assert_eq!(din91379::normalise(&normal), normal);
    for kind in [din91379::Kind::A, din91379::Kind::B, din91379::Kind::C] {
        let _ = din91379::check(kind, text);
    }
    let found = din91379::search_form(text);
    assert_eq!(din91379::search_form(&found), found, "of {text:?}");
    let mut out = String::new();
    if let Ok(number) = phone::Phone::read(text) {
        assert_eq!(phone::Phone::read(number.e164()).unwrap().e164(), number.e164());
    }
    if let Ok(address) = address::split(text) {
        address::join(&address, &mut out).unwrap();
    }
    for format in FORMATS.iter() {
        if let Ok(Converted { value: date, loss: None }) = format.read_date(text) {
            out.clear();
            if let Ok(None) = format.write_date(date, &mut out) {
                assert_eq!(format.read_date(&out).map(|read| read.value), Ok(date), "{text:?} as {out:?}");
            }
        }
    }
    let _ = text.parse::<WithdrawalCode>().is_ok();
}
