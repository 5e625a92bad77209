// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Reading a tile directory (c2sp.org/tlog-tiles). Nothing read here is verified.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bundle::{BundleError, MAX_ENTRY};
use super::checkpoint::CheckpointError;
use super::hash::Hash;
use super::proof::{Plan, Tiles};
use super::tile::{FULL, Resource, Tile};

/// A checkpoint with 64 signatures stays far below this; more is not read.
const MAX_CHECKPOINT: u64 = 1 << 20;

/// Why a file of the directory cannot be used; the paths are relative to the directory.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A file is there that is not part of the log.
    #[error("{0} does not belong to this log at the size of its checkpoint")]
    Stray(String),
    /// A file cannot be read or written.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// A file is longer or shorter than it can be.
    #[error("{file} has {bytes} bytes, which cannot be")]
    Length {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
    },
    /// The checkpoint is not text, or no checkpoint.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A bundle does not hold the entries it should.
    #[error("{file}: {source}")]
    Bundle {
        /// The bundle.
        file: String,
        /// What is wrong.
        source: BundleError,
    },
}

/// A tile directory.
#[derive(Debug, Clone)]
pub struct LogDir(PathBuf);

impl LogDir {
    /// The directory at this path; nothing is read yet.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The signed checkpoint as text.
    pub fn checkpoint(&self) -> Result<String, DirError> {
        let bytes = self.read(Resource::Checkpoint, |bytes| bytes <= MAX_CHECKPOINT)?;
        String::from_utf8(bytes).map_err(|_| io_error(&Resource::Checkpoint)(io::ErrorKind::InvalidData.into()))
    }

    /// The hashes of a tile, exactly as many as its width.
    pub fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, DirError> {
        let length = u64::from(tile.width) * Hash::LEN as u64;
        let bytes = self.read(Resource::Hashes(tile), |bytes| bytes == length)?;
        Hash::split(&bytes).map_err(|_| DirError::Length { file: Resource::Hashes(tile).to_string(), bytes: length })
    }

    /// An entry bundle as bytes; see [`super::bundle::entries`].
    pub fn bundle(&self, tile: Tile) -> Result<Vec<u8>, DirError> {
        self.read(Resource::Entries(tile), |bytes| bytes <= u64::from(FULL) * (2 + MAX_ENTRY as u64))
    }

    /// The tiles of a plan for this or an earlier size, from a directory whose log has `size` entries.
    pub fn tiles(&self, plan: &Plan, size: u64) -> Result<Tiles, DirError> {
        self.prefixes(plan.tiles(), size)
    }

    /// Tiles of an earlier tree, read from what they have become in the tree of `size`.
    pub(super) fn prefixes(&self, wanted: impl IntoIterator<Item = Tile>, size: u64) -> Result<Tiles, DirError> {
        let mut tiles = Tiles::default();
        for tile in wanted {
            tiles.insert(tile, self.hashes(Tile::at(tile.level, tile.n, size).unwrap_or(tile))?);
        }
        Ok(tiles)
    }

    /// Calls `visit` with the path of everything in the directory that is not itself a directory, as the tile paths are written.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&str) -> Result<(), DirError>) -> Result<(), DirError> {
        self.walk_below("", visit)
    }

    fn walk_below(&self, below: &str, visit: &mut dyn FnMut(&str) -> Result<(), DirError>) -> Result<(), DirError> {
        let shown = if below.is_empty() { "." } else { below };
        for item in fs::read_dir(self.0.join(below)).map_err(io_error(&shown))? {
            let item = item.map_err(io_error(&shown))?;
            let name = item.file_name().to_string_lossy().into_owned();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = item.file_type().map_err(io_error(&path))?;
            if kind.is_dir() {
                self.walk_below(&path, visit)?;
            } else if kind.is_file() {
                visit(&path)?;
            } else {
                return Err(DirError::Stray(path));
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, resource: Resource) -> PathBuf {
        self.0.join(resource.to_string())
    }

    /// The length is asked first, so that no absurd file is read into memory.
    fn read(&self, resource: Resource, fits: impl Fn(u64) -> bool) -> Result<Vec<u8>, DirError> {
        let path = self.path(resource);
        let wrong = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DirError::Missing(resource.to_string()),
            _ => io_error(&resource)(source),
        };
        let bytes = fs::metadata(&path).map_err(wrong)?.len();
        if !fits(bytes) {
            return Err(DirError::Length { file: resource.to_string(), bytes });
        }
        fs::read(&path).map_err(wrong)
    }
}

pub(super) fn io_error(file: &impl ToString) -> impl FnOnce(io::Error) -> DirError {
    let file = file.to_string();
    move |source| DirError::Io { file, source }
}
