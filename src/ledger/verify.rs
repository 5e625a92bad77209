// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The auditor's tool: believes nothing in a tile directory but the keys it was given.
//!
//! In the order in which an auditor would ask: who signed the checkpoint; is every file there and none too many; do the entries lead to the root
//! that was signed, and is every tile what the entries make it; does the log continue what was signed earlier. Entries are hashed on all cores,
//! one stretch of 65,536 after the other, so that memory does not grow with the log.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bundle::{BundleError, entries};
use super::checkpoint::Checkpoint;
use super::dir::{DirError, LogDir};
use super::hash::Hash;
use super::policy::{Policy, TrustError, TrustedCheckpoint};
use super::proof::{Plan, ProofError};
use super::tile::{FULL, Resource, Tile};
use super::tree::Tree;

/// Bundles hashed between two looks at the tiles above: one full tile of level 1.
const STRETCH: u64 = FULL as u64;

/// Why a directory is not the log it says to be. Files are named relative to the directory.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file is missing, too many, unreadable or of impossible length.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The checkpoint is not signed as the policy asks.
    #[error("checkpoint: {0}")]
    Trust(#[from] TrustError),
    /// The checkpoint has a signature line by nobody known: it may be a damaged line of somebody who is.
    #[error("checkpoint: the signature line of {0} is by no key of the policy; add the key, or allow unknown signatures")]
    UnknownSignature(String),
    /// A bundle is damaged.
    #[error("{file}: entry {index}: {source}")]
    Bundle {
        /// The bundle.
        file: String,
        /// The first entry that cannot be read.
        index: u64,
        /// What is wrong.
        source: BundleError,
    },
    /// An entry and the tile that should hold its hash do not agree: one of the two files was changed.
    #[error("entry {index} in {file} does not hash to what {tile} holds for it; one of the two files was changed")]
    Entry {
        /// The bundle.
        file: String,
        /// The leaf tile.
        tile: String,
        /// The entry.
        index: u64,
    },
    /// A tile is not what the tiles below make it.
    #[error(
        "{file} is not what the tiles below it make it, at the entries from {index} on; it was changed, or an entry and its leaf tile were changed together"
    )]
    Tile {
        /// The tile.
        file: String,
        /// The first entry under the first hash that differs.
        index: u64,
    },
    /// The entries lead to another root than the signed one.
    #[error("the entries and tiles agree with each other, but not with the root that was signed at {size} entries: they were changed together")]
    Root {
        /// Size of the checkpoint.
        size: u64,
    },
    /// The earlier checkpoint is not signed by this log.
    #[error("the earlier checkpoint: {0}")]
    Older(#[source] TrustError),
    /// The earlier checkpoint is of another log or of a larger size.
    #[error(
        "the earlier checkpoint is of {origin} with {size} entries: not an earlier state of this log. If it is the same log, this directory was rolled back"
    )]
    NotEarlier {
        /// Its origin.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// The log does not begin as the earlier checkpoint says.
    #[error("the log's first {size} entries are not those of the earlier checkpoint: its history was changed after it was signed")]
    Rewritten {
        /// Size of the earlier checkpoint.
        size: u64,
    },
    /// A tile is missing while computing the earlier root.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The caller's check of an entry failed.
    #[error("entry {index} in {file}: {reason}")]
    Content {
        /// The bundle.
        file: String,
        /// The entry.
        index: u64,
        /// What the caller said.
        reason: String,
    },
}

/// What a caller does with each entry: its index and its bytes.
pub type OnEntry<'a> = &'a (dyn Fn(u64, &[u8]) -> Result<(), String> + Sync);

/// What to verify against, and what to tell on the way.
pub struct Verify<'a> {
    /// The log's key, the witnesses and the quorum.
    pub policy: &'a Policy,
    /// An earlier signed checkpoint that this log must continue.
    pub older: Option<&'a str>,
    /// Whether signature lines by unknown keys may stand on the checkpoint. They prove nothing, and a damaged line looks like one.
    pub allow_unknown_signatures: bool,
    /// Called now and then with the number of entries verified and their total.
    pub progress: &'a dyn Fn(u64, u64),
    /// Called once for every entry with its index and bytes, from several threads in no particular order, after the bytes were compared with the
    /// leaf tile; the whole is only certain when the verification has succeeded.
    pub on_entry: OnEntry<'a>,
}

impl<'a> Verify<'a> {
    /// The plain verification against a policy.
    pub fn new(policy: &'a Policy) -> Self {
        Self { policy, older: None, allow_unknown_signatures: false, progress: &|_, _| (), on_entry: &|_, _| Ok(()) }
    }
}

/// What was found to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The signed checkpoint with the witnesses that cosigned it.
    pub checkpoint: TrustedCheckpoint,
    /// The earlier checkpoint that the log was found to continue.
    pub continues: Option<Checkpoint>,
    /// Bytes of all entries.
    pub bytes: u64,
    /// Files that were compared, the checkpoint included.
    pub files: u64,
}

/// Verifies a tile directory. Any one changed, missing or additional file makes it fail.
pub fn verify_dir(path: &Path, how: &Verify<'_>) -> Result<VerifyReport, VerifyError> {
    let dir = LogDir::new(path);
    let trusted = how.policy.open(&dir.checkpoint()?)?;
    if let Some(name) = trusted.unknown().first().filter(|_| !how.allow_unknown_signatures) {
        return Err(VerifyError::UnknownSignature(name.clone()));
    }
    let (size, root) = (trusted.checkpoint().size, trusted.checkpoint().root);
    let files = count_files(&dir, size)?;
    let (computed, bytes) = compare_tiles(&dir, size, how)?;
    if computed != root {
        return Err(VerifyError::Root { size });
    }
    let continues = how.older.map(|older| continues(&dir, trusted.checkpoint(), older, how.policy)).transpose()?;
    Ok(VerifyReport { checkpoint: trusted, continues, bytes, files })
}

/// Nothing but the files of a log of this size; that none is missing shows when each is read.
fn count_files(dir: &LogDir, size: u64) -> Result<u64, VerifyError> {
    let mut files = 0;
    dir.walk(&mut |path| {
        files += 1;
        if Resource::parse(path).is_some_and(|resource| resource.belongs_to(size)) { Ok(()) } else { Err(DirError::Stray(path.to_owned())) }
    })?;
    Ok(files)
}

/// Recomputes every tile from the entries, compares each with its file, and returns the root and the bytes of all entries.
fn compare_tiles(dir: &LogDir, size: u64, how: &Verify<'_>) -> Result<(Hash, u64), VerifyError> {
    // The tree over the roots of full leaf tiles: its level L is level L + 1 of the log.
    let mut above = Tree::new();
    let mut last = Tree::new();
    let (mut bytes, mut done) = (0, 0);
    let mut bundles = Tile::level(0, size);
    loop {
        let stretch: Vec<_> = bundles.by_ref().take(usize::try_from(STRETCH).unwrap_or(usize::MAX)).collect();
        if stretch.is_empty() {
            break;
        }
        let on_entry = how.on_entry;
        for (tile, found) in stretch.iter().zip(in_parallel(&stretch, |tile| check_bundle(dir, *tile, on_entry))) {
            let (leaves, length) = found?;
            bytes += length;
            done += u64::from(tile.width);
            if tile.is_full() {
                for full in above.append(&[Hash::perfect(&leaves)]) {
                    compare(dir, Tile { level: full.tile.level.saturating_add(1), ..full.tile }, &full.hashes)?;
                }
            } else {
                last.append(&leaves);
            }
        }
        (how.progress)(done, size);
    }
    for (tile, hashes) in above.edge() {
        compare(dir, Tile { level: tile.level.saturating_add(1), ..tile }, hashes)?;
    }
    Ok((Hash::fold(&[above.compact(), last.compact()].concat()), bytes))
}

/// Compares the entries of one bundle with their leaf tile; returns the leaf hashes and the bytes of the entries.
fn check_bundle(dir: &LogDir, tile: Tile, on_entry: OnEntry<'_>) -> Result<(Vec<Hash>, u64), VerifyError> {
    let file = || Resource::Entries(tile).to_string();
    let first = tile.n * u64::from(FULL);
    let bundle = dir.bundle(tile)?;
    let entries = entries(&bundle, tile.width).map_err(|source| {
        let position = match source {
            BundleError::CutOff(position) => position as u64,
            BundleError::Trailing(_) | BundleError::TooLong(_) => u64::from(tile.width) - 1,
        };
        VerifyError::Bundle { file: file(), index: first + position, source }
    })?;
    let leaves: Vec<_> = entries.iter().map(|entry| Hash::leaf(entry)).collect();
    let stored = dir.hashes(tile)?;
    if let Some((index, _)) = (first..).zip(leaves.iter().zip(&stored)).find(|(_, (leaf, stored))| leaf != stored) {
        return Err(VerifyError::Entry { file: file(), tile: Resource::Hashes(tile).to_string(), index });
    }
    let mut length = 0;
    for (index, entry) in (first..).zip(entries) {
        length += entry.len() as u64;
        on_entry(index, entry).map_err(|reason| VerifyError::Content { file: file(), index, reason })?;
    }
    Ok((leaves, length))
}

fn compare(dir: &LogDir, tile: Tile, computed: &[Hash]) -> Result<(), VerifyError> {
    let stored = dir.hashes(tile)?;
    match (0..).zip(stored.iter().zip(computed)).find(|(_, (stored, computed))| stored != computed) {
        None => Ok(()),
        Some((position, _)) => {
            let index = (tile.n * u64::from(FULL) + position) << (8 * u32::from(tile.level));
            Err(VerifyError::Tile { file: Resource::Hashes(tile).to_string(), index })
        }
    }
}

fn continues(dir: &LogDir, head: &Checkpoint, older: &str, policy: &Policy) -> Result<Checkpoint, VerifyError> {
    let older = policy.open_by_log(older).map_err(VerifyError::Older)?;
    if older.origin != head.origin || older.size > head.size {
        return Err(VerifyError::NotEarlier { origin: older.origin, size: older.size });
    }
    let plan = Plan::root(older.size);
    let root = plan.cut(&dir.tiles(&plan, head.size)?)?;
    if root.first() == Some(&older.root) { Ok(older) } else { Err(VerifyError::Rewritten { size: older.size }) }
}

/// `work` on each item on all cores; the results in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
