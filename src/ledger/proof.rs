// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Inclusion and consistency proofs (RFC 6962 section 2.1), for any size up to the present one, cut from tiles.
//!
//! Cutting is in two steps so that this module reads nothing itself: a [`Plan`] names the few tiles it needs, the caller fetches them from
//! wherever they are (waiting, if it must) into [`Tiles`], and [`Plan::cut`] computes. The same plan over the same log always gives the same
//! bytes, however much the log has grown since.

use std::collections::BTreeMap;

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

/// The tiles that a caller fetched.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Adds a tile; more hashes than `tile.width` do no harm, so that a full tile can stand in for an earlier, partial one.
    pub fn insert(&mut self, tile: Tile, hashes: Vec<Hash>) {
        self.0.insert((tile.level, tile.n), hashes);
    }

    /// The hashes of a tile, as many as its width says.
    pub fn get(&self, tile: Tile) -> Result<&[Hash], ProofError> {
        self.0.get(&(tile.level, tile.n)).and_then(|hashes| hashes.get(..usize::from(tile.width))).ok_or(ProofError::MissingTile(tile))
    }
}

/// A perfect subtree: the leaves from `index << height` to `(index + 1) << height`.
#[derive(Debug, Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// The tile that holds the subtree in a tree of `size`, and where in it the subtree's hashes are.
    fn place(self, size: u64) -> Option<(Tile, std::ops::Range<usize>)> {
        let level = u8::try_from(self.height / 8).ok()?;
        let first = self.index << (self.height % 8);
        let tile = Tile::at(level, first / u64::from(FULL), size)?;
        let start = usize::try_from(first % u64::from(FULL)).ok()?;
        Some((tile, start..start + (1 << (self.height % 8))))
    }
}

/// Which subtrees make up a proof; each hash of the proof is the fold of one group of perfect subtrees, largest first.
#[derive(Debug, Clone)]
pub struct Plan {
    size: u64,
    groups: Vec<Vec<Node>>,
}

impl Plan {
    /// The inclusion proof of the entry `index` in the tree of `size` entries: `PATH(m, D[n])` of RFC 6962 section 2.1.1.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::OutOfRange { of: index, size });
        }
        let (mut lo, mut hi) = (0, size);
        let mut groups = Vec::new();
        while hi - lo > 1 {
            let split = lo + split_point(hi - lo);
            if index < split {
                groups.push(perfect_subtrees(split, hi));
                hi = split;
            } else {
                groups.push(perfect_subtrees(lo, split));
                lo = split;
            }
        }
        groups.reverse();
        Ok(Self { size, groups })
    }

    /// The proof that the tree of `size` entries begins with that of `older`: `PROOF(m, D[n])` of RFC 6962 section 2.1.2.
    /// `older` must be at least 1: the empty log is the beginning of every log, and there is nothing to prove.
    pub fn consistency(older: u64, size: u64) -> Result<Self, ProofError> {
        if older == 0 || older > size {
            return Err(ProofError::OutOfRange { of: older, size });
        }
        let (mut lo, mut hi) = (0, size);
        let mut groups = Vec::new();
        while older < hi {
            let split = lo + split_point(hi - lo);
            if older <= split {
                groups.push(perfect_subtrees(split, hi));
                hi = split;
            } else {
                groups.push(perfect_subtrees(lo, split));
                lo = split;
            }
        }
        // The subtree that both trees share on this path; the verifier already knows it when it is the whole older tree.
        if lo > 0 {
            groups.push(perfect_subtrees(lo, hi));
        }
        groups.reverse();
        Ok(Self { size, groups })
    }

    /// The root of the tree of `size` entries, as a "proof" of one hash.
    pub fn root(size: u64) -> Self {
        Self { size, groups: vec![perfect_subtrees(0, size)] }
    }

    /// The perfect subtrees of the tree of `size` entries, largest first, each as a hash of its own: the compact range.
    pub(super) fn compact(size: u64) -> Self {
        Self { size, groups: perfect_subtrees(0, size).into_iter().map(|node| vec![node]).collect() }
    }

    /// The tiles this plan needs, each once, named as they are in the tree of the plan's size: three or four for a log of millions.
    pub fn tiles(&self) -> Vec<Tile> {
        let mut tiles: Vec<_> = self.groups.iter().flatten().filter_map(|node| Some(node.place(self.size)?.0)).collect();
        tiles.sort_unstable();
        tiles.dedup();
        tiles
    }

    /// The hashes of the proof, in the order of RFC 6962 (for inclusion: the leaf's sibling first).
    pub fn cut(&self, tiles: &Tiles) -> Result<Vec<Hash>, ProofError> {
        self.groups.iter().map(|group| Ok(Hash::fold(&group.iter().map(|node| self.hash(*node, tiles)).collect::<Result<Vec<_>, _>>()?))).collect()
    }

    fn hash(&self, node: Node, tiles: &Tiles) -> Result<Hash, ProofError> {
        let out_of_range = ProofError::OutOfRange { of: node.index, size: self.size };
        let (tile, part) = node.place(self.size).ok_or(out_of_range)?;
        Ok(Hash::perfect(tiles.get(tile)?.get(part).ok_or(ProofError::MissingTile(tile))?))
    }
}

/// The largest power of two below `n`, for `n` of at least 2.
fn split_point(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The perfect subtrees of `lo..hi`, largest first. `lo` is a multiple of a power of two that is at least `hi - lo`, as all ranges of a proof are.
fn perfect_subtrees(mut lo: u64, hi: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    while lo < hi {
        let height = (hi - lo).ilog2();
        nodes.push(Node { height, index: lo >> height });
        lo += 1 << height;
    }
    nodes
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
