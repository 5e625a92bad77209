// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Inclusion and consistency proofs (RFC 6962 section 2.1), for any size up to the present one, cut from tiles.
//!
//! Cutting is in two steps so that this module reads nothing itself: a [`Plan`] names the few tiles it needs, the caller fetches them from
//! wherever they are (waiting, if it must) into [`Tiles`], and [`Plan::cut`] computes. The same plan over the same log always gives the same
//! bytes, however much the log has grown since.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::hash::Hash;
use super::tile::{FULL, Tile};

/// Why a proof could not be cut, or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or the sizes do not describe a proof.
    #[error("{of} is not within a log of {size} entries")]
    OutOfRange {
        /// The index of the entry, or the older size.
        of: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tile was not given to [`Plan::cut`], or is too short.
    #[error("tile {n} of level {level} is missing or has fewer than {width} hashes", level = .0.level, n = .0.n, width = .0.width)]
    MissingTile(Tile),
    /// The proof has a hash too many or too few for its index and size.
    #[error("the proof does not have the length its index and size ask for")]
    Length,
    /// The proof leads to another root.
    #[error("the proof does not lead to the root of the checkpoint")]
    Root,
}

/// The tiles that a caller fetched. The subtrees in a tile are hashed once, when the first proof asks: the receipts of a batch share most of theirs,
/// and each of them costs look-ups only.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Fetched>);

#[derive(Debug, Clone)]
struct Fetched {
    hashes: Vec<Hash>,
    /// The roots of the perfect subtrees of two hashes, of four, and so on; each row left to right.
    above: OnceLock<Vec<Vec<Hash>>>,
}

impl Tiles {
    /// Adds a tile; more hashes than `tile.width` do no harm, so that a full tile can stand in for an earlier, partial one.
    pub fn insert(&mut self, tile: Tile, hashes: Vec<Hash>) {
        self.0.insert((tile.level, tile.n), Fetched { hashes, above: OnceLock::new() });
    }

    /// The hashes of a tile, as many as its width says.
    pub fn get(&self, tile: Tile) -> Result<&[Hash], ProofError> {
        self.fetched(tile)?.hashes.get(..usize::from(tile.width)).ok_or(ProofError::MissingTile(tile))
    }

    /// The root over `1 << height` hashes of a tile, the `index`-th such group of it.
    fn subtree(&self, tile: Tile, height: u32, index: usize) -> Result<Hash, ProofError> {
        let missing = ProofError::MissingTile(tile);
        // A tile with more hashes than the tree of this size has must not lend any.
        if (index + 1) << height > self.get(tile)?.len() {
            return Err(missing);
        }
        let fetched = self.fetched(tile)?;
        let row = match usize::try_from(height).ok().and_then(|height| height.checked_sub(1)) {
            None => &fetched.hashes,
            Some(above) => fetched.above.get_or_init(|| rows(&fetched.hashes)).get(above).ok_or(missing)?,
        };
        row.get(index).copied().ok_or(missing)
    }

    fn fetched(&self, tile: Tile) -> Result<&Fetched, ProofError> {
        self.0.get(&(tile.level, tile.n)).ok_or(ProofError::MissingTile(tile))
    }
}

/// The rows of parents above `hashes`, as far as there are pairs.
fn rows(hashes: &[Hash]) -> Vec<Vec<Hash>> {
    let parents = |row: &[Hash]| Some(Hash::parents(row)).filter(|row| !row.is_empty());
    std::iter::successors(parents(hashes), |row| parents(row)).collect()
}

/// A perfect subtree: the leaves from `index << height` to `(index + 1) << height`.
#[derive(Debug, Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// The tile that holds the subtree in a tree of `size`, the height of the subtree in it, and which of that height it is.
    fn place(self, size: u64) -> Option<(Tile, u32, usize)> {
        let (level, height) = (u8::try_from(self.height / 8).ok()?, self.height % 8);
        let in_tile = u64::from(FULL) >> height;
        let tile = Tile::at(level, self.index / in_tile, size)?;
        Some((tile, height, usize::try_from(self.index % in_tile).ok()?))
    }
}

/// Which subtrees make up a proof; each hash of the proof is the root over one range of leaves: the fold of its perfect subtrees.
#[derive(Debug, Clone)]
pub struct Plan {
    size: u64,
    ranges: Vec<Range<u64>>,
}

impl Plan {
    /// The inclusion proof of the entry `index` in the tree of `size` entries: `PATH(m, D[n])` of RFC 6962 section 2.1.1.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::OutOfRange { of: index, size });
        }
        let (mut lo, mut hi) = (0, size);
        let mut ranges = Vec::new();
        while hi - lo > 1 {
            let split = lo + split_point(hi - lo);
            if index < split {
                ranges.push(split..hi);
                hi = split;
            } else {
                ranges.push(lo..split);
                lo = split;
            }
        }
        ranges.reverse();
        Ok(Self { size, ranges })
    }

    /// The proof that the tree of `size` entries begins with that of `older`: `PROOF(m, D[n])` of RFC 6962 section 2.1.2.
    /// `older` must be at least 1: the empty log is the beginning of every log, and there is nothing to prove.
    pub fn consistency(older: u64, size: u64) -> Result<Self, ProofError> {
        if older == 0 || older > size {
            return Err(ProofError::OutOfRange { of: older, size });
        }
        let (mut lo, mut hi) = (0, size);
        let mut ranges = Vec::new();
        while older < hi {
            let split = lo + split_point(hi - lo);
            if older <= split {
                ranges.push(split..hi);
                hi = split;
            } else {
                ranges.push(lo..split);
                lo = split;
            }
        }
        // The subtree that both trees share on this path; the verifier already knows it when it is the whole older tree.
        if lo > 0 {
            ranges.push(lo..hi);
        }
        ranges.reverse();
        Ok(Self { size, ranges })
    }

    /// The root of the tree of `size` entries, as a "proof" of one hash.
    pub fn root(size: u64) -> Self {
        Self { size, ranges: std::iter::once(0..size).collect() }
    }

    /// The perfect subtrees of the tree of `size` entries, largest first, each as a hash of its own: the compact range.
    pub(super) fn compact(size: u64) -> Self {
        Self { size, ranges: perfect_subtrees(0..size).map(|node| node.index << node.height..(node.index + 1) << node.height).collect() }
    }

    /// The tiles this plan needs, each once, named as they are in the tree of the plan's size: three or four for a log of millions.
    pub fn tiles(&self) -> Vec<Tile> {
        let mut tiles: Vec<_> = self.ranges.iter().cloned().flat_map(perfect_subtrees).filter_map(|node| Some(node.place(self.size)?.0)).collect();
        tiles.sort_unstable();
        tiles.dedup();
        tiles
    }

    /// The hashes of the proof, in the order of RFC 6962 (for inclusion: the leaf's sibling first).
    pub fn cut(&self, tiles: &Tiles) -> Result<Vec<Hash>, ProofError> {
        let mut proof = Vec::with_capacity(self.ranges.len());
        let mut subtrees = Vec::new();
        for range in &self.ranges {
            subtrees.clear();
            for node in perfect_subtrees(range.clone()) {
                let (tile, height, index) = node.place(self.size).ok_or(ProofError::OutOfRange { of: node.index, size: self.size })?;
                subtrees.push(tiles.subtree(tile, height, index)?);
            }
            proof.push(Hash::fold(&subtrees));
        }
        Ok(proof)
    }
}

/// The largest power of two below `n`, for `n` of at least 2.
fn split_point(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The perfect subtrees of a range of leaves, largest first. It begins at a multiple of a power of two that is at least its length, as all ranges
/// of a proof do.
fn perfect_subtrees(range: Range<u64>) -> impl Iterator<Item = Node> {
    let Range { mut start, end } = range;
    std::iter::from_fn(move || {
        let height = end.checked_sub(start)?.checked_ilog2()?;
        let node = Node { height, index: start >> height };
        start += 1 << height;
        Some(node)
    })
}

/// Checks that the leaf is entry `index` of the tree with this size and root: RFC 9162 section 2.1.3.2.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { of: index, size });
    }
    let (mut fn_, mut sn) = (index, size - 1);
    let mut hash = *leaf;
    for step in proof {
        if sn == 0 {
            return Err(ProofError::Length);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            hash = Hash::node(step, &hash);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            hash = Hash::node(&hash, step);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    match (sn == 0, hash == *root) {
        (false, _) => Err(ProofError::Length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}

/// Checks that the tree with `size` and `root` begins with the tree with `older` and `older_root`: RFC 9162 section 2.1.4.2.
/// An `older` of 0 is refused: it would prove nothing.
pub fn verify_consistency(older: u64, older_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if older == 0 || older > size {
        return Err(ProofError::OutOfRange { of: older, size });
    }
    if older == size {
        return match (proof.is_empty(), older_root == root) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    // When the older tree is perfect it is itself the first step, and the proof leaves it out.
    let (first, steps) = if older.is_power_of_two() { (older_root, proof) } else { proof.split_first().ok_or(ProofError::Length)? };
    let (mut fn_, mut sn) = (older - 1, size - 1);
    while fn_ & 1 == 1 {
        fn_ >>= 1;
        sn >>= 1;
    }
    let (mut fr, mut sr) = (*first, *first);
    for step in steps {
        if sn == 0 {
            return Err(ProofError::Length);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            fr = Hash::node(step, &fr);
            sr = Hash::node(step, &sr);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            sr = Hash::node(&sr, step);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    match (sn == 0, fr == *older_root && sr == *root) {
        (false, _) => Err(ProofError::Length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_that_has_grown_stands_in_for_what_it_was_and_lends_nothing_more() {
        let hashes: Vec<Hash> = (0..8_u8).map(|i| Hash::leaf(&[i])).collect();
        let tile = |width| Tile { level: 0, n: 0, width };
        let mut grown = Tiles::default();
        grown.insert(tile(8), hashes.clone());
        assert_eq!(grown.subtree(tile(6), 1, 2), Ok(Hash::perfect(&hashes[4..6])));
        assert_eq!(grown.subtree(tile(6), 2, 1), Err(ProofError::MissingTile(tile(6))), "entries 6 and 7 were not there yet");
        assert_eq!(grown.subtree(tile(8), 3, 0), Ok(Hash::perfect(&hashes)));
        assert_eq!(grown.subtree(tile(9), 0, 8), Err(ProofError::MissingTile(tile(9))));
        assert_eq!(grown.subtree(Tile { n: 1, ..tile(1) }, 0, 0), Err(ProofError::MissingTile(Tile { n: 1, ..tile(1) })));
    }
}
