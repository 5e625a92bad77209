// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! After the story: the log goes to a folder and is verified there with its key alone, then every promise is checked.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prost::Message as _;

use super::cases::Case;
use super::check::{self, Broken, Promise};
use super::history::History;
use super::stage::{Stage, StageError, system};
use crate::ledger::verify::{Verify, verify_dir};
use crate::ledger::{Policy, VerifierKey};
use crate::proto::audit::Entry;

/// What was found, and where to look at it.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What is broken; empty if every promise was kept.
    pub broken: Vec<Broken>,
    /// Entries of the log.
    pub entries: usize,
    /// Its root as its checkpoint has it, base64.
    pub root: String,
    /// The exported log.
    pub log: PathBuf,
}

/// Exports and verifies the log into the history, and checks what the history can answer.
pub(super) async fn of(stage: &Stage, history: &mut History) -> Result<Verdict, StageError> {
    let log = stage.dir.join("log");
    let mut verdict = Verdict { broken: Vec::new(), entries: 0, root: String::new(), log: log.clone() };
    let unverified = |what: String| Broken { promise: Promise::LogVerifies, what };
    if let Err(error) = stage.gateway.exchange().export_log(&log, |_, _| ()).await {
        verdict.broken.push(unverified(error.to_string()));
        return Ok(verdict);
    }
    let Ok(key) = stage.made.verifier_key.parse::<VerifierKey>() else {
        verdict.broken.push(unverified("the log's verifier key cannot be read".to_owned()));
        return Ok(verdict);
    };
    let policy = Policy::log_only(key);
    match read(&log, &policy) {
        Err(error) => verdict.broken.push(unverified(error)),
        Ok((leaves, root)) => {
            history.log = leaves.iter().filter_map(|leaf| Entry::decode(leaf.as_slice()).ok()).collect();
            verdict.entries = leaves.len();
            verdict.root = root;
            if history.log.len() != leaves.len() {
                verdict.broken.push(unverified("an entry cannot be read".to_owned()));
            }
            history.leaves = leaves;
        }
    }
    if let Some(missed) = unnoticed(&log, &policy).map_err(system("a copy of the log"))? {
        verdict.broken.push(unverified(missed));
    }
    verdict.broken.extend(check::check(history, &stage.dialects, &policy));
    Ok(verdict)
}

/// All entries of a log that verifies, and its root.
fn read(log: &Path, policy: &Policy) -> Result<(Vec<Vec<u8>>, String), String> {
    let seen = Mutex::new(Vec::new());
    let keep = |index: u64, entry: &[u8]| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push((index, entry.to_vec()));
        Ok(())
    };
    let report = verify_dir(log, &Verify { on_entry: &keep, ..Verify::new(policy) }).map_err(|error| error.to_string())?;
    let mut entries = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    entries.sort_by_key(|(index, _)| *index);
    Ok((entries.into_iter().map(|(_, entry)| entry).collect(), report.checkpoint.checkpoint().root.to_string()))
}

/// The counter-test: one byte of a copy is changed, and the verification has to notice.
fn unnoticed(log: &Path, policy: &Policy) -> std::io::Result<Option<String>> {
    let copy = log.with_extension("changed");
    copy_all(log, &copy)?;
    let file = copy.join("checkpoint");
    let tile = copy.join("tile/entries");
    let changed = first_file(&tile)?.unwrap_or(file);
    let mut bytes = std::fs::read(&changed)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    std::fs::write(&changed, bytes)?;
    let noticed = verify_dir(&copy, &Verify::new(policy)).is_err();
    std::fs::remove_dir_all(&copy)?;
    Ok((!noticed).then(|| "one changed byte of the log went unnoticed".to_owned()))
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn first_file(dir: &Path) -> std::io::Result<Option<PathBuf>> {
    if !dir.is_dir() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let found = if path.is_dir() { first_file(&path)? } else { Some(path) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether anything of a person is in the gateway's own files. Asked last, so that everything has been written.
pub(super) fn traces(stage_dir: &Path, cases: &[Case]) -> Result<Vec<Broken>, StageError> {
    let files = ["gateway.log", "metrics.txt", "log", "weiche.db", "weiche.db-wal", "agreement.toml", "weiche.toml"].map(|name| stage_dir.join(name));
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let haystacks = check::haystacks(&files).map_err(system("the gateway's files"))?;
    Ok(check::canaries(cases.iter().map(|case| &case.referral), &haystacks))
}
