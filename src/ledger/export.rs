// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Writing the log as a tile directory that anybody can verify, serve or copy (c2sp.org/tlog-tiles).
//!
//! Entries are hashed again on the way, so that what is written is what the checkpoint says or the export fails. An export into a directory that
//! has an earlier one adds what is new. The new checkpoint is put in place last but one, atomically; a crash before leaves the old log with files that
//! are too many, a crash after it the new log with old partial tiles; the next export cleans up either. Tiles are not synced to
//! disk one by one: after a power failure let the verifier look, and export into an empty directory if it finds a tile missing.

use std::fs;
use std::path::{Path, PathBuf};

use super::bundle::{BundleError, push_entry};
use super::checkpoint::Checkpoint;
use super::dir::{DirError, LogDir, io_error};
use super::guard::replace;
use super::hash::Hash;
use super::note::{Note, NoteError};
use super::proof::ProofError;
use super::tile::{FULL, Resource, Tile};
use super::tree::Tree;

/// Entries that are asked from a source at once: four bundles.
const BATCH: u64 = 4 * FULL as u64;

/// Why a log could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The directory cannot be read or written.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The checkpoint to export is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A tile of the directory is missing or short.
    #[error(transparent)]
    Tile(#[from] ProofError),
    /// An entry does not fit.
    #[error("entry {index}: {source}")]
    Entry {
        /// The entry.
        index: u64,
        /// What is wrong.
        source: BundleError,
    },
    /// The directory has another log in it, or a later state of this one.
    #[error(
        "the directory holds {found} with {found_size} entries, which is not an earlier state of {origin} with {size}; export into an empty directory"
    )]
    OtherLog {
        /// Origin in the directory.
        found: String,
        /// Size in the directory.
        found_size: u64,
        /// Origin to be exported.
        origin: String,
        /// Size to be exported.
        size: u64,
    },
    /// The entries do not lead to the root that was signed (now, or by the directory's earlier checkpoint).
    #[error(
        "the entries up to {size} do not lead to the root of the checkpoint of that size; the directory was left as it was, or the log is damaged"
    )]
    Root {
        /// The size at which the roots differ.
        size: u64,
    },
    /// More or fewer entries were given than the checkpoint counts.
    #[error("the checkpoint has {size} entries, but {given} were given")]
    Count {
        /// Size of the checkpoint.
        size: u64,
        /// Entries given.
        given: u64,
    },
    /// The source failed.
    #[error("cannot read the log: {0}")]
    Source(String),
}

/// Where a log comes from.
pub trait LogSource {
    /// The signed checkpoint to export, as text.
    fn checkpoint(&self) -> Result<String, String>;
    /// The exact bytes of the entries of a range, in order.
    fn entries(&self, range: std::ops::Range<u64>) -> Result<Vec<Vec<u8>>, String>;
}

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReport {
    /// The checkpoint that is now in the directory.
    pub checkpoint: Checkpoint,
    /// Entries that were written; fewer than the log has if there was an earlier export.
    pub entries: u64,
    /// Files that were written.
    pub files: u64,
}

/// Exports a log from a source that answers at once; a source that must wait uses [`Exporter`].
pub fn export(path: &Path, source: &dyn LogSource, progress: &dyn Fn(u64, u64)) -> Result<ExportReport, ExportError> {
    let mut exporter = Exporter::open(path, &source.checkpoint().map_err(ExportError::Source)?)?;
    let size = exporter.size();
    while exporter.next_index() < size {
        let first = exporter.next_index();
        let entries = source.entries(first..size.min(first.saturating_add(BATCH))).map_err(ExportError::Source)?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            exporter.push(entry)?;
        }
        progress(exporter.next_index(), size);
    }
    exporter.finish()
}

/// An export under way: push the entries from [`Exporter::next_index`] on, then finish.
#[derive(Debug)]
pub struct Exporter {
    dir: LogDir,
    path: PathBuf,
    note: String,
    target: Checkpoint,
    earlier: Option<Checkpoint>,
    first: u64,
    tree: Tree,
    bundle: Vec<u8>,
    files: u64,
}

impl Exporter {
    /// Begins to export the log of this signed checkpoint; makes the directory if need be. The signature is for the reader to verify, not checked here.
    pub fn open(path: &Path, note: &str) -> Result<Self, ExportError> {
        fs::create_dir_all(path).map_err(io_error(&path.display()))?;
        let (dir, target) = (LogDir::new(path), read_checkpoint(note)?);
        let earlier = match dir.checkpoint() {
            Ok(note) => Some(read_checkpoint(&note)?),
            Err(DirError::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.origin != target.origin || earlier.size > target.size) {
            let (found, found_size) = (earlier.origin.clone(), earlier.size);
            return Err(ExportError::OtherLog { found, found_size, origin: target.origin, size: target.size });
        }
        // Full bundles stay as they are; the last, partial one is written anew, so we go on at its beginning.
        let there = earlier.as_ref().map_or(0, |earlier| earlier.size);
        let first = there - there % u64::from(FULL);
        let tree = Tree::from_edge(first, &dir.prefixes(Tile::edge(first), there)?)?;
        let mut exporter = Self { dir, path: path.to_owned(), note: note.to_owned(), target, earlier, first, tree, bundle: Vec::new(), files: 0 };
        exporter.compare_with_earlier()?;
        exporter.files = 0;
        Ok(exporter)
    }

    /// Number of entries the directory will have.
    pub fn size(&self) -> u64 {
        self.target.size
    }

    /// Number of the entry to push next.
    pub fn next_index(&self) -> u64 {
        self.tree.size()
    }

    /// Adds the next entry.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), ExportError> {
        let index = self.tree.size();
        if index >= self.target.size {
            return Err(ExportError::Count { size: self.target.size, given: index.saturating_add(1) });
        }
        push_entry(&mut self.bundle, entry).map_err(|source| ExportError::Entry { index, source })?;
        let full = self.tree.append(&[Hash::leaf(entry)]);
        self.compare_with_earlier()?;
        for tile in full {
            if tile.tile.level == 0 {
                let bundle = std::mem::take(&mut self.bundle);
                self.write(Resource::Entries(tile.tile), &bundle)?;
            }
            self.write(Resource::Hashes(tile.tile), &Hash::join(&tile.hashes))?;
        }
        Ok(())
    }

    /// Checks the root, writes the partial tiles and the checkpoint, and removes partial tiles that are no longer of this log.
    pub fn finish(mut self) -> Result<ExportReport, ExportError> {
        let size = self.target.size;
        if self.tree.size() != size {
            return Err(ExportError::Count { size, given: self.tree.size() });
        }
        if self.tree.root() != self.target.root {
            return Err(ExportError::Root { size });
        }
        let edge: Vec<_> = self.tree.edge().map(|(tile, hashes)| (tile, Hash::join(hashes))).collect();
        for (tile, hashes) in edge {
            if tile.level == 0 {
                let bundle = std::mem::take(&mut self.bundle);
                self.write(Resource::Entries(tile), &bundle)?;
            }
            self.write(Resource::Hashes(tile), &hashes)?;
        }
        replace(&self.dir.path(Resource::Checkpoint), self.note.as_bytes()).map_err(io_error(&Resource::Checkpoint))?;
        self.files += 1;
        self.remove_superseded()?;
        Ok(ExportReport { entries: size - self.first, files: self.files, checkpoint: self.target })
    }

    /// The directory's earlier state must be a beginning of this log.
    fn compare_with_earlier(&self) -> Result<(), ExportError> {
        match &self.earlier {
            Some(earlier) if earlier.size == self.tree.size() && earlier.root != self.tree.root() => Err(ExportError::Root { size: earlier.size }),
            _ => Ok(()),
        }
    }

    fn write(&mut self, resource: Resource, content: &[u8]) -> Result<(), ExportError> {
        let path = self.dir.path(resource);
        let parent = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, content)).map_err(io_error(&resource))?;
        self.files += 1;
        Ok(())
    }

    /// Removes only what is spelled like a partial tile; anything else in the directory is for its owner, and for the verifier to complain about.
    fn remove_superseded(&self) -> Result<(), ExportError> {
        self.dir.walk(&mut |path| {
            let superseded = match Resource::parse(path) {
                Some(resource @ (Resource::Hashes(tile) | Resource::Entries(tile))) => !tile.is_full() && !resource.belongs_to(self.target.size),
                _ => false,
            };
            if superseded {
                let file = self.path.join(path);
                fs::remove_file(&file).map_err(io_error(&path))?;
                // The `.p` directory goes with its last file; that it is not empty is no error.
                if let Some(parent) = file.parent() {
                    let _ = fs::remove_dir(parent);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn read_checkpoint(note: &str) -> Result<Checkpoint, ExportError> {
    note.parse::<Note>()?.text().parse().map_err(|error| DirError::Checkpoint(error).into())
}
