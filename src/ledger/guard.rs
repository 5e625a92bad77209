// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The rollback guard: a note to oneself, outside the database, of what was signed last.
//!
//! A database restored from a backup is consistent in itself, and still a different history from the one that was signed and handed out. Only
//! something that was not restored with it can tell. The file lies beside the key and holds three lines, as a checkpoint does: origin, size, root.
//! It may lag behind what was signed (it is then less strict, never wrong), but it is never ahead of it.
//!
//! That is why noting a new size does not wait for the disk: the text is padded to one sector and overwritten in place. A killed process leaves the
//! newest note; a machine that loses power may leave an older one, behind which the database, which was synced before the note was written, cannot
//! be. Making and closing the guard are durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::Hash;

/// Why the log must not be signed.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the rollback guard {path}: {source}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A guard is there already, so this is not the beginning of the log.
    #[error("there is a rollback guard in {0} already: this is not a new log")]
    Exists(String),
    /// The content is damaged.
    #[error("the rollback guard {path} is damaged ({source}); compare with the last checkpoint that anybody holds before writing it anew")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// The guard belongs to another log.
    #[error("the rollback guard is of log {guard}, but this is log {log}")]
    OtherLog {
        /// The guard's origin.
        guard: String,
        /// This log's origin.
        log: String,
    },
    /// The database knows less than was signed.
    #[error(
        "the database has {size} entries, but {signed} were signed already: it was restored from an older state. Nothing is signed; restore the newest state"
    )]
    Behind {
        /// Size of the database's log.
        size: u64,
        /// Size that was signed.
        signed: u64,
    },
    /// The database tells another story than was signed.
    #[error(
        "the database's first {signed} entries are not those that were signed: its history was changed. Nothing is signed; restore the state that was"
    )]
    Differs {
        /// Size that was signed.
        signed: u64,
    },
}

/// What was signed last, in memory and in its file.
#[derive(Debug)]
pub struct RollbackGuard {
    path: PathBuf,
    file: File,
    last: Checkpoint,
}

/// What disks write whole or not at all, in bytes.
const SECTOR: usize = 512;

impl RollbackGuard {
    /// Begins the guard of a new, empty log. Fails if the file is there.
    pub fn create(path: &Path, origin: &str) -> Result<Self, GuardError> {
        let last = Checkpoint { origin: origin.to_owned(), size: 0, root: Hash::empty_root() };
        let failed = |doing| move |source| GuardError::File { doing, path: path.display().to_string(), source };
        if fs::exists(path).map_err(failed("look for"))? {
            return Err(GuardError::Exists(path.display().to_string()));
        }
        replace(path, &padded(&last)).map_err(failed("write"))?;
        Self::open(path, origin)
    }

    /// Opens the guard of a log that exists. A missing file is an error: without it, a rollback could not be told.
    pub fn open(path: &Path, origin: &str) -> Result<Self, GuardError> {
        let failed = |doing| move |source| GuardError::File { doing, path: path.display().to_string(), source };
        let text = fs::read_to_string(path).map_err(failed("read"))?;
        let text = format!("{}\n", text.trim_end());
        let last: Checkpoint = text.parse().map_err(|source| GuardError::Damaged { path: path.display().to_string(), source })?;
        same_log(&last, origin)?;
        let file = OpenOptions::new().write(true).open(path).map_err(failed("open"))?;
        Ok(Self { path: path.to_owned(), file, last })
    }

    /// What was signed last.
    pub fn last(&self) -> &Checkpoint {
        &self.last
    }

    /// Refuses a head that is behind what was signed, or another one at the same size. At start, when the head may have moved on from it,
    /// ask [`RollbackGuard::check_history`] as well.
    pub fn check(&self, head: &Checkpoint) -> Result<(), GuardError> {
        let signed = self.last.size;
        same_log(&self.last, &head.origin)?;
        if head.size < signed {
            return Err(GuardError::Behind { size: head.size, signed });
        }
        if head.size == signed { self.check_history(head.root) } else { Ok(()) }
    }

    /// Refuses a database whose root at the guarded size (`last().size`, computed from its tiles) is not the one that was signed.
    pub fn check_history(&self, root_at_last: Hash) -> Result<(), GuardError> {
        if root_at_last == self.last.root { Ok(()) } else { Err(GuardError::Differs { signed: self.last.size }) }
    }

    /// Records what is about to be published; checks it first. Returns before the disk has it (see above); a killed process loses nothing.
    pub fn advance(&mut self, signed: &Checkpoint) -> Result<(), GuardError> {
        self.check(signed)?;
        if *signed != self.last {
            let text = padded(signed);
            self.file.rewind().and_then(|()| self.file.write_all(&text)).map_err(|source| self.error("write", source))?;
            self.last = signed.clone();
        }
        Ok(())
    }

    /// Puts the last note on disk: at the end of orderly work.
    pub fn close(self) -> Result<(), GuardError> {
        self.file.sync_all().map_err(|source| self.error("write", source))
    }

    fn error(&self, doing: &'static str, source: io::Error) -> GuardError {
        GuardError::File { doing, path: self.path.display().to_string(), source }
    }
}

/// A note in whole sectors, so that a newer one covers an older one exactly.
fn padded(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut text = checkpoint.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(SECTOR), b'\n');
    text
}

fn same_log(last: &Checkpoint, origin: &str) -> Result<(), GuardError> {
    if last.origin == origin { Ok(()) } else { Err(GuardError::OtherLog { guard: last.origin.clone(), log: origin.to_owned() }) }
}

/// Replaces a file's content atomically and durably: written beside it, synced, renamed, and the directory synced.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    #[cfg(unix)]
    File::open(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64, root: &[u8]) -> Checkpoint {
        Checkpoint { origin: "log.example.invalid".to_owned(), size, root: Hash::leaf(root) }
    }

    #[test]
    fn a_restored_backup_is_not_signed_even_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guard");
        let mut guard = RollbackGuard::create(&path, "log.example.invalid").unwrap();
        guard.advance(&head(7, b"a")).unwrap();
        guard.advance(&head(9, b"b")).unwrap();

        let mut guard = RollbackGuard::open(&path, "log.example.invalid").unwrap();
        assert_eq!(guard.last(), &head(9, b"b"));
        guard.check(&head(9, b"b")).unwrap();
        guard.check(&head(10, b"c")).unwrap();
        guard.check_history(Hash::leaf(b"b")).unwrap();
        assert!(matches!(guard.check_history(Hash::leaf(b"x")), Err(GuardError::Differs { signed: 9 })));
        assert!(matches!(guard.advance(&head(7, b"a")), Err(GuardError::Behind { size: 7, signed: 9 })));
        assert!(matches!(guard.advance(&head(9, b"x")), Err(GuardError::Differs { signed: 9 })));
        guard.close().unwrap();
        assert_eq!(RollbackGuard::open(&path, "log.example.invalid").unwrap().last(), &head(9, b"b"), "a refusal changes nothing");
    }

    #[test]
    fn a_newer_note_covers_an_older_one_whatever_their_lengths() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guard");
        let mut guard = RollbackGuard::create(&path, "log.example.invalid").unwrap();
        for size in [1, 9, 10, 99, 100, 123_456_789, u64::MAX] {
            guard.advance(&head(size, b"a")).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), 512);
            assert_eq!(RollbackGuard::open(&path, "log.example.invalid").unwrap().last(), &head(size, b"a"));
        }
    }

    #[test]
    fn a_missing_foreign_or_damaged_guard_is_an_error_and_none_is_made_silently() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guard");
        assert!(matches!(RollbackGuard::open(&path, "log.example.invalid"), Err(GuardError::File { .. })));
        assert!(!path.exists());
        RollbackGuard::create(&path, "log.example.invalid").unwrap();
        assert!(matches!(RollbackGuard::create(&path, "log.example.invalid"), Err(GuardError::Exists(_))));
        assert!(matches!(RollbackGuard::open(&path, "other.example.invalid"), Err(GuardError::OtherLog { .. })));
        fs::write(&path, "log.example.invalid\n9\n").unwrap();
        assert!(matches!(RollbackGuard::open(&path, "log.example.invalid"), Err(GuardError::Damaged { .. })));
    }
}
