// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The growing edge of the log: append leaves, get the root and the tiles that became full.
//!
//! [`Tree`] keeps only the right edge (a few kilobytes for any size): the roots of the perfect subtrees (the *compact range*) and the hashes of
//! each level's partial tile. A writer keeps it in memory between batches. It stores with each batch the leaf hashes, the full tiles with their
//! roots, and the compact range in the head row; that is enough to come back with [`Tree::resume`], because the hashes of a partial tile are
//! leaf hashes on level 0 and roots of full tiles above.

use super::hash::Hash;
use super::proof::{Plan, ProofError, Tiles};
use super::tile::{FULL, Tile};

/// Why a tree could not be taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The stored compact range is not one of a tree of this size.
    #[error("the stored compact range is not one of a log of {0} entries: the head row is damaged")]
    Compact(u64),
    /// The stored hashes of the edge lead to other subtrees than the stored compact range.
    #[error("the stored leaves or tiles do not lead to the stored head at {0} entries: the database is damaged, do not append to it")]
    Edge(u64),
    /// A tile of the edge was not given.
    #[error(transparent)]
    Tile(#[from] ProofError),
}

/// A tile that an append completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// Where it belongs; the width is 256.
    pub tile: Tile,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
    /// The root over them: the hash that stands for this tile one level up. Store it with the tile.
    pub root: Hash,
}

/// The right edge of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    /// Roots of the perfect subtrees, largest first: one per set bit of `size`.
    compact: Vec<Hash>,
    /// The partial tile of each level: fewer than 256 hashes each, possibly none.
    edge: Vec<Vec<Hash>>,
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a stored tree again. `compact` is what [`Tree::to_compact`] gave; `tiles` holds the tiles named by [`Tile::edge`]. The two are stored
    /// in different rows and must agree: otherwise somebody touched the database, and nothing may be appended to it.
    pub fn resume(size: u64, compact: &[u8], tiles: &Tiles) -> Result<Self, TreeError> {
        let compact = Hash::split(compact).map_err(|_| TreeError::Compact(size))?;
        if u64::try_from(compact.len()) != Ok(u64::from(size.count_ones())) {
            return Err(TreeError::Compact(size));
        }
        let tree = Self::from_edge(size, tiles)?;
        if tree.compact == compact { Ok(tree) } else { Err(TreeError::Edge(size)) }
    }

    /// Takes up a tree from the tiles of its edge alone, for instance those of a directory; the caller must check the root.
    pub fn from_edge(size: u64, tiles: &Tiles) -> Result<Self, ProofError> {
        let mut edge = Vec::new();
        for tile in Tile::edge(size) {
            edge.resize(usize::from(tile.level), Vec::new());
            edge.push(tiles.get(tile)?.to_vec());
        }
        Ok(Self { size, compact: Plan::compact(size).cut(tiles)?, edge })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash of RFC 6962 section 2.1.
    pub fn root(&self) -> Hash {
        Hash::fold(&self.compact)
    }

    /// The compact range as bytes, 32 per set bit of the size: what the head row stores.
    pub fn to_compact(&self) -> Vec<u8> {
        Hash::join(&self.compact)
    }

    /// The roots of the perfect subtrees, largest first.
    pub(super) fn compact(&self) -> &[Hash] {
        &self.compact
    }

    /// The partial tiles with their hashes, lowest level first.
    pub fn edge(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        Tile::edge(self.size).filter_map(|tile| Some((tile, self.edge.get(usize::from(tile.level))?.as_slice())))
    }

    /// Appends leaf hashes in order and returns the tiles that became full on the way, in the order in which they did. Cannot fail, and depends only
    /// on the leaves, not on how they are batched. A writer whose transaction may fail appends to a clone.
    pub fn append(&mut self, leaves: &[Hash]) -> Vec<FullTile> {
        let mut full = Vec::new();
        for leaf in leaves {
            self.push(*leaf, &mut full);
        }
        full
    }

    /// Adding one leaf is adding one to a binary counter: each carry merges two subtrees of the same height into their parent.
    fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        let (mut node, mut height) = (leaf, 0_u32);
        loop {
            if height.is_multiple_of(8) {
                self.edge_of(height / 8).push(node);
            }
            if (self.size >> height) & 1 == 0 {
                break;
            }
            let Some(left) = self.compact.pop() else { break };
            node = Hash::node(&left, &node);
            height += 1;
            if height.is_multiple_of(8) {
                // Eight merges in a row: the tile below is complete, and `node` stands for it on the level above.
                let level = height / 8 - 1;
                let hashes = std::mem::take(self.edge_of(level));
                let tile = Tile { level: u8::try_from(level).unwrap_or(u8::MAX), n: self.size >> height, width: FULL };
                full.push(FullTile { tile, hashes, root: node });
            }
        }
        self.compact.push(node);
        self.size += 1;
    }

    fn edge_of(&mut self, level: u32) -> &mut Vec<Hash> {
        let level = usize::try_from(level).unwrap_or(usize::MAX);
        if self.edge.len() <= level {
            self.edge.resize_with(level + 1, || Vec::with_capacity(usize::from(FULL)));
        }
        &mut self.edge[level] // made above if it was not there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_the_empty_root_and_no_edge() {
        let tree = Tree::new();
        assert_eq!((tree.size(), tree.root(), tree.edge().count()), (0, Hash::empty_root(), 0));
        assert_eq!(Tree::resume(0, &[], &Tiles::default()), Ok(tree));
    }

    #[test]
    fn a_head_row_that_does_not_fit_its_leaves_is_refused() {
        let mut tree = Tree::new();
        let leaves: Vec<_> = (0_u8..5).map(|i| Hash::leaf(&[i])).collect();
        tree.append(&leaves);
        let mut tiles = Tiles::default();
        tree.edge().for_each(|(tile, hashes)| tiles.insert(tile, hashes.to_vec()));
        assert_eq!(Tree::resume(5, &tree.to_compact(), &tiles), Ok(tree.clone()));

        let mut flipped = tree.to_compact();
        flipped[0] ^= 1;
        assert_eq!(Tree::resume(5, &flipped, &tiles), Err(TreeError::Edge(5)));
        assert_eq!(Tree::resume(4, &tree.to_compact(), &tiles), Err(TreeError::Compact(4)));
        assert_eq!(Tree::resume(5, &flipped[1..], &tiles), Err(TreeError::Compact(5)));
        assert!(matches!(Tree::resume(5, &tree.to_compact(), &Tiles::default()), Err(TreeError::Tile(ProofError::MissingTile(_)))));
    }
}
