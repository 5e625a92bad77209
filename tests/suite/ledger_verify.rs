// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! An exported log verifies offline, and nothing in its directory can be changed without being named.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use weiche::ledger::cosignature::CosigningKey;
use weiche::ledger::dir::{DirError, LogDir};
use weiche::ledger::export::{ExportError, Exporter, LogSource, export};
use weiche::ledger::verify::{Verify, VerifyError, VerifyReport, verify_dir};
use weiche::ledger::{Hash, Plan, Policy, Receipt, SigningKey, Tree};

/// A log whose entry `i` is a short text, in a world where the story may differ.
pub(crate) struct Log {
    pub(crate) key: SigningKey,
    pub(crate) size: u64,
    story: &'static str,
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        Self { key: SigningKey::from_seed("gateway.example.invalid/log", &[42; 32]).unwrap(), size, story: "decision" }
    }

    pub(crate) fn entry(&self, index: u64) -> Vec<u8> {
        format!("{} {index}", self.story).into_bytes()
    }

    pub(crate) fn tree(&self, size: u64) -> Tree {
        let mut tree = Tree::new();
        tree.append(&(0..size).map(|i| Hash::leaf(&self.entry(i))).collect::<Vec<_>>());
        tree
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::log_only(self.key.verifier().clone())
    }

    pub(crate) fn note(&self) -> String {
        self.key.sign_checkpoint(self.size, self.tree(self.size).root()).to_string()
    }

    pub(crate) fn export(&self, dir: &Path) -> Result<weiche::ledger::export::ExportReport, ExportError> {
        export(dir, self, &|_, _| ())
    }

    fn verify(&self, dir: &Path) -> Result<VerifyReport, VerifyError> {
        verify_dir(dir, &Verify::new(&self.policy()))
    }
}

impl LogSource for Log {
    fn checkpoint(&self) -> Result<String, String> {
        Ok(self.note())
    }
    fn entries(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>, String> {
        Ok(range.map(|i| self.entry(i)).collect())
    }
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.extend([path]),
        }
    }
    found
}

#[test]
fn a_log_of_any_size_is_exported_and_verifies() {
    for size in [0, 1, 2, 255, 256, 257, 512, 777, 66_000] {
        let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(size));
        let report = log.export(dir.path()).unwrap();
        let seen = Mutex::new(BTreeSet::new());
        let on_entry = |index, entry: &[u8]| {
            assert_eq!(entry, log.entry(index));
            seen.lock().unwrap().insert(index);
            Ok(())
        };
        let verified = verify_dir(dir.path(), &Verify { on_entry: &on_entry, ..Verify::new(&log.policy()) }).unwrap();
        assert_eq!(verified.checkpoint.checkpoint(), &report.checkpoint);
        assert_eq!(verified.files, report.files, "size {size}");
        assert_eq!(verified.files, files(dir.path()).len() as u64);
        assert_eq!(seen.into_inner().unwrap().len() as u64, size);
    }
}

#[test]
fn no_flipped_byte_in_any_file_goes_unnoticed() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(259));
    log.export(dir.path()).unwrap();
    for path in files(dir.path()) {
        let good = fs::read(&path).unwrap();
        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
        let entries = name.starts_with("tile/entries/");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let error = log.verify(dir.path()).expect_err(&format!("byte {at} of {name}"));
            let text = error.to_string();
            assert!(text.contains(&name), "byte {at} of {name}: {text}");
            assert!(!entries || text.contains("entry "), "byte {at} of {name}: {text}");
        }
        fs::write(&path, &good).unwrap();
    }
    log.verify(dir.path()).unwrap();
}

#[test]
fn the_error_names_the_entry_that_was_changed() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(600));
    log.export(dir.path()).unwrap();
    let path = dir.path().join("tile/entries/001");
    let bundle = fs::read(&path).unwrap();
    let at = bundle.windows(12).position(|window| window == b"decision 300").unwrap();
    let mut bad = bundle;
    bad[at + 9] = b'4';
    fs::write(&path, &bad).unwrap();
    assert!(matches!(log.verify(dir.path()), Err(VerifyError::Entry { file, index: 300, .. }) if file == "tile/entries/001"));
}

#[test]
fn a_missing_truncated_or_additional_file_is_named() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(300));
    log.export(dir.path()).unwrap();
    for path in files(dir.path()) {
        let good = fs::read(&path).unwrap();
        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
        fs::remove_file(&path).unwrap();
        assert!(log.verify(dir.path()).unwrap_err().to_string().contains(&name), "{name} missing");
        for length in [0, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            assert!(log.verify(dir.path()).is_err(), "{name} cut to {length}");
        }
        fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
        assert!(log.verify(dir.path()).is_err(), "{name} longer");
        fs::write(&path, &good).unwrap();
    }
    for stray in ["README", "tile/0/002", "tile/0/001.p/43", "tile/entries/x000/000", "tile/3/000.p/1"] {
        let path = dir.path().join(stray);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, [0; 32]).unwrap();
        assert!(matches!(log.verify(dir.path()), Err(VerifyError::Dir(DirError::Stray(name))) if name == stray), "{stray}");
        fs::remove_file(&path).unwrap();
    }
    log.verify(dir.path()).unwrap();
}

#[test]
fn a_whole_other_history_under_the_old_signature_is_refused() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(300));
    Log { story: "invention", ..Log::of(300) }.export(dir.path()).unwrap();
    fs::write(dir.path().join("checkpoint"), log.note()).unwrap();
    assert!(matches!(log.verify(dir.path()), Err(VerifyError::Root { size: 300 })));
}

#[test]
fn the_log_must_continue_what_was_signed_earlier() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(900));
    log.export(dir.path()).unwrap();
    let policy = log.policy();
    let against = |older: &str| verify_dir(dir.path(), &Verify { older: Some(older), ..Verify::new(&policy) });
    for size in [0, 1, 255, 256, 300, 899, 900] {
        let older = Log::of(size);
        assert_eq!(against(&older.note()).unwrap().continues.unwrap().size, size);
        let other = Log { story: "invention", ..Log::of(size) };
        assert!(size == 0 || matches!(against(&other.note()), Err(VerifyError::Rewritten { .. })), "{size}");
    }
    assert!(matches!(against(&Log::of(901).note()), Err(VerifyError::NotEarlier { size: 901, .. })));
    let stranger = SigningKey::from_seed("gateway.example.invalid/log", &[43; 32]).unwrap();
    assert!(matches!(against(&stranger.sign_checkpoint(5, log.tree(5).root()).to_string()), Err(VerifyError::Older(_))));
}

#[test]
fn an_unknown_signature_is_refused_unless_it_is_allowed() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(3));
    log.export(dir.path()).unwrap();
    let mut note = log.key.sign_checkpoint(3, log.tree(3).root());
    let line = CosigningKey::from_seed("witness.example.invalid", &[9; 32]).unwrap().cosign(note.text(), 7);
    note.add(line);
    fs::write(dir.path().join("checkpoint"), note.to_string()).unwrap();
    assert!(matches!(log.verify(dir.path()), Err(VerifyError::UnknownSignature(name)) if name == "witness.example.invalid"));
    verify_dir(dir.path(), &Verify { allow_unknown_signatures: true, ..Verify::new(&log.policy()) }).unwrap();
}

#[test]
fn what_the_caller_finds_wrong_with_an_entry_is_told_with_its_place() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(300));
    log.export(dir.path()).unwrap();
    let on_entry = |index, _: &[u8]| if index < 270 { Ok(()) } else { Err("unreadable".to_owned()) };
    let error = verify_dir(dir.path(), &Verify { on_entry: &on_entry, ..Verify::new(&log.policy()) }).unwrap_err();
    assert_eq!(error.to_string(), "entry 270 in tile/entries/001.p/44: unreadable");
}

#[test]
fn exports_in_steps_leave_the_same_directory_as_one_export() {
    let (steps, once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (earlier, size) in [(0, 0), (0, 3), (3, 256), (256, 257), (257, 257), (257, 700), (700, 1025)] {
        let log = Log::of(size);
        let report = log.export(steps.path()).unwrap();
        assert_eq!(report.entries, size - earlier / 256 * 256, "full bundles are not written again");
        log.verify(steps.path()).unwrap();
    }
    Log::of(1025).export(once.path()).unwrap();
    let content = |dir: &Path| -> Vec<_> {
        files(dir).into_iter().map(|path| (path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap())).collect()
    };
    assert_eq!(content(steps.path()), content(once.path()));
}

#[test]
fn an_export_that_breaks_off_leaves_the_earlier_log_in_force_and_the_next_one_mends_it() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(700));
    Log::of(300).export(dir.path()).unwrap();
    let mut broken = Exporter::open(dir.path(), &log.note()).unwrap();
    for index in broken.next_index()..600 {
        broken.push(&log.entry(index)).unwrap();
    }
    drop(broken);
    assert_eq!(fs::read_to_string(dir.path().join("checkpoint")).unwrap(), Log::of(300).note());
    log.export(dir.path()).unwrap();
    log.verify(dir.path()).unwrap();
}

#[test]
fn another_log_is_not_exported_over_this_one() {
    let dir = tempfile::tempdir().unwrap();
    Log::of(300).export(dir.path()).unwrap();
    assert!(matches!(Log::of(299).export(dir.path()), Err(ExportError::OtherLog { .. })));
    assert!(matches!(Log { story: "invention", ..Log::of(400) }.export(dir.path()), Err(ExportError::Root { size: 300 })));
    Log::of(300).verify(dir.path()).unwrap();
}

#[test]
fn entries_that_do_not_lead_to_the_signed_root_are_not_exported() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(3));
    let mut exporter = Exporter::open(dir.path(), &log.note()).unwrap();
    for entry in [b"a", b"b", b"c"] {
        exporter.push(entry).unwrap();
    }
    assert!(matches!(exporter.push(b"d"), Err(ExportError::Count { .. })));
    assert!(matches!(exporter.finish(), Err(ExportError::Root { size: 3 })));
    assert!(!dir.path().join("checkpoint").exists());
    assert!(matches!(Exporter::open(dir.path(), &log.note()).unwrap().finish(), Err(ExportError::Count { size: 3, given: 0 })));
}

#[test]
fn a_receipt_cut_from_the_directory_proves_every_entry() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(300));
    log.export(dir.path()).unwrap();
    let (reader, note) = (LogDir::new(dir.path()), log.note().parse().unwrap());
    for index in 0..300 {
        let plan = Plan::inclusion(index, 300).unwrap();
        let receipt = Receipt::new(index, plan.cut(&reader.tiles(&plan, 300).unwrap()).unwrap(), &note);
        assert_eq!(receipt.to_string().parse::<Receipt>().unwrap().verify(&log.entry(index), &log.policy()).unwrap().index, index);
        assert!(receipt.verify(&log.entry(index + 1), &log.policy()).is_err());
    }
}
