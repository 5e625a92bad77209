// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Tiles: the log as a finite set of files (c2sp.org/tlog-tiles).
//!
//! A tile holds up to 256 neighbouring hashes of one level; level 0 are the leaves, and each hash of level L + 1 is the root of one full tile
//! of level L. Full tiles never change; a partial tile is the right edge of the tree at one size.

use std::fmt;

/// Hashes in a full tile.
pub const FULL: u16 = 256;

/// The tallest level a tree of 64-bit size can have: 256^8 leaves are more than 2^63.
const LEVELS: u8 = 8;

/// The place and width of one tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for leaf hashes, up to 7.
    pub level: u8,
    /// Which tile of its level, from 0.
    pub n: u64,
    /// How many hashes, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile `n` of `level` as it is in a tree of `size` leaves; none if that tree has no such tile.
    pub fn at(level: u8, n: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(level, size);
        let first = n.checked_mul(u64::from(FULL))?;
        let width = hashes.checked_sub(first)?.min(u64::from(FULL));
        u16::try_from(width).ok().filter(|width| *width > 0).map(|width| Self { level, n, width })
    }

    /// The partial tiles of a tree of `size` leaves, lowest level first: its right edge.
    pub fn edge(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).filter_map(move |level| Self::at(level, hashes_at(level, size) / u64::from(FULL), size).filter(|tile| !tile.is_full()))
    }

    /// All tiles of one level of a tree of `size` leaves, left to right.
    pub fn level(level: u8, size: u64) -> impl Iterator<Item = Self> {
        (0..hashes_at(level, size).div_ceil(u64::from(FULL))).filter_map(move |n| Self::at(level, n, size))
    }

    /// Whether the tile has all its 256 hashes and so will never change.
    pub fn is_full(self) -> bool {
        self.width == FULL
    }
}

fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// A file of the tile directory; its `Display` is the path relative to the directory, with `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `checkpoint`: the signed note.
    Checkpoint,
    /// `tile/<L>/<N>[.p/<W>]`: hashes.
    Hashes(Tile),
    /// `tile/entries/<N>[.p/<W>]`: an entry bundle; the tile's level is 0.
    Entries(Tile),
}

impl Resource {
    /// Whether a tree of `size` leaves has this file, at this width.
    pub fn belongs_to(self, size: u64) -> bool {
        match self {
            Self::Checkpoint => true,
            Self::Hashes(tile) | Self::Entries(tile) => Tile::at(tile.level, tile.n, size) == Some(tile),
        }
    }

    /// Reads a path; only the one canonical spelling of each is accepted.
    pub fn parse(path: &str) -> Option<Self> {
        let found = if path == "checkpoint" {
            Self::Checkpoint
        } else {
            let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let (n, width) = match rest.split_once(".p/") {
                Some((n, width)) => (n, width.parse().ok()?),
                None => (rest, FULL),
            };
            let n = n.split('/').try_fold(0_u64, |n, group| {
                let group: u64 = group.trim_start_matches('x').parse().ok()?;
                n.checked_mul(1000)?.checked_add(group)
            })?;
            match level {
                "entries" => Self::Entries(Tile { level: 0, n, width }),
                level => Self::Hashes(Tile { level: level.parse().ok()?, n, width }),
            }
        };
        // Parsing above is generous; writing is canonical, so the round trip is what makes it strict.
        (found.to_string() == path).then_some(found)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Hashes(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile
            }
            Self::Entries(tile) => {
                f.write_str("tile/entries/")?;
                tile
            }
        };
        write_grouped(f, tile.n / 1000)?;
        write!(f, "{:03}", tile.n % 1000)?;
        if tile.is_full() { Ok(()) } else { write!(f, ".p/{}", tile.width) }
    }
}

/// All groups before the last, each `xNNN/`.
fn write_grouped(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    if n == 0 {
        return Ok(());
    }
    write_grouped(f, n / 1000)?;
    write!(f, "x{:03}/", n % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |level, n, width| Tile { level, n, width };
        for (resource, path) in [
            (Resource::Hashes(tile(0, 1_234_067, 256)), "tile/0/x001/x234/067"),
            (Resource::Hashes(tile(1, 0, 1)), "tile/1/000.p/1"),
            (Resource::Entries(tile(0, 273, 112)), "tile/entries/273.p/112"),
            (Resource::Entries(tile(0, 1000, 256)), "tile/entries/x001/000"),
            (Resource::Checkpoint, "checkpoint"),
        ] {
            assert_eq!(resource.to_string(), path);
            assert_eq!(Resource::parse(path), Some(resource));
        }
        for wrong in
            ["tile/0/1", "tile/0/x000/001", "tile/0/000.p/256", "tile/00/000", "tile/0/000.p/01", "tile/0/001/000", "tile/0/000/", "tile/0/+01"]
        {
            assert_eq!(Resource::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tree_of_70_000_has_the_tiles_the_specification_counts() {
        assert_eq!(Tile::level(0, 70_000).filter(|tile| tile.is_full()).count(), 273);
        let edge: Vec<_> = Tile::edge(70_000).map(|tile| (tile.level, tile.n, tile.width)).collect();
        assert_eq!(edge, [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
        assert_eq!(Tile::edge(256).map(|tile| (tile.level, tile.width)).collect::<Vec<_>>(), [(1, 1)]);
        assert_eq!(Tile::edge(0).count(), 0);
        assert_eq!(Tile::edge(u64::MAX).count(), 8);
    }

    proptest! {
        #[test]
        fn every_tile_has_one_path(level in 0_u8..8, n: u64, width in 1_u16..=256, entries: bool) {
            let resource = if entries { Resource::Entries(Tile { level: 0, n, width }) } else { Resource::Hashes(Tile { level, n, width }) };
            prop_assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            if let Some(resource) = Resource::parse(&text) {
                prop_assert_eq!(resource.to_string(), text);
            }
        }
    }
}
