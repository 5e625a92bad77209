// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Laws of the Merkle tree, held against an independent implementation (ct-merkle).

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use weiche::ledger::proof::{verify_consistency, verify_inclusion};
use weiche::ledger::{FullTile, Hash, Plan, Tile, Tiles, Tree};

/// A log kept the way a store keeps it: leaf hashes and full tiles with their roots. Partial tiles are put together when asked for.
#[derive(Default)]
struct Stored {
    leaves: Vec<Hash>,
    full: Vec<FullTile>,
}

impl Stored {
    fn of(size: u64) -> (Tree, Self) {
        let leaves: Vec<_> = (0..size).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
        let mut tree = Tree::new();
        let full = tree.append(&leaves);
        (tree, Self { leaves, full })
    }

    fn tile(&self, tile: Tile) -> Vec<Hash> {
        let range = tile.n * 256..tile.n * 256 + u64::from(tile.width);
        if tile.level == 0 {
            return range.map(|i| self.leaves[usize::try_from(i).unwrap()]).collect();
        }
        range.map(|n| self.full.iter().find(|full| full.tile.level == tile.level - 1 && full.tile.n == n).unwrap().root).collect()
    }

    fn tiles(&self, wanted: impl IntoIterator<Item = Tile>) -> Tiles {
        let mut tiles = Tiles::default();
        wanted.into_iter().for_each(|tile| tiles.insert(tile, self.tile(tile)));
        tiles
    }

    fn cut(&self, plan: &Plan) -> Vec<Hash> {
        plan.cut(&self.tiles(plan.tiles())).unwrap()
    }
}

fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|i| tree.push(i.to_be_bytes().to_vec()));
    tree
}

/// Sizes around every interesting boundary of the first two tile levels.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1..40_u64, 200..600_u64, Just(256), Just(512), Just(65_536), 65_530..65_900_u64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_batching_gives_the_same_tree_and_tiles(size in size(), cuts in proptest::collection::vec(0..65_900_u64, 0..6)) {
        let (whole, stored) = Stored::of(size);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| usize::try_from(cut % (size + 1)).unwrap()).collect();
        cuts.extend([0, stored.leaves.len()]);
        cuts.sort_unstable();
        let mut tree = Tree::new();
        let mut full = Vec::new();
        for pair in cuts.windows(2) {
            full.extend(tree.append(&stored.leaves[pair[0]..pair[1]]));
            // A restart between any two batches changes nothing.
            tree = Tree::resume(tree.size(), &tree.to_compact(), &stored.tiles(Tile::edge(tree.size()))).unwrap();
        }
        prop_assert_eq!(&tree, &whole);
        prop_assert_eq!(&full, &stored.full);
        for tile in &full {
            prop_assert_eq!(&stored.tile(tile.tile), &tile.hashes);
            prop_assert_eq!(Hash::perfect(&tile.hashes), tile.root);
        }
        for (tile, hashes) in tree.edge() {
            prop_assert_eq!(stored.tile(tile), hashes);
        }
    }

    #[test]
    fn the_root_is_that_of_an_independent_implementation(size in size()) {
        let (tree, stored) = Stored::of(size);
        prop_assert_eq!(tree.root().as_bytes().to_vec(), oracle(size).root().as_bytes().to_vec());
        prop_assert_eq!(stored.cut(&Plan::root(size)), vec![tree.root()]);
    }

    #[test]
    fn every_entry_is_provable_at_every_size_however_far_the_log_has_grown(now in size(), at in any::<prop::sample::Index>(), index in any::<prop::sample::Index>()) {
        let (_, stored) = Stored::of(now);
        let size = at.index(usize::try_from(now).unwrap()) as u64 + 1;
        let index = index.index(usize::try_from(size).unwrap()) as u64;
        let (earlier_tree, earlier) = Stored::of(size);
        let plan = Plan::inclusion(index, size).unwrap();
        let proof = stored.cut(&plan);
        prop_assert_eq!(&proof, &earlier.cut(&plan), "the same bytes as when it was new");
        let oracle = oracle(size);
        let expected = oracle.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(Hash::join(&proof), expected.as_bytes());

        let (leaf, root) = (Hash::leaf(&index.to_be_bytes()), earlier_tree.root());
        verify_inclusion(&leaf, index, size, &proof, &root).unwrap();
        for wrong in mutations(&proof) {
            prop_assert!(verify_inclusion(&leaf, index, size, &wrong, &root).is_err());
        }
        prop_assert!(verify_inclusion(&Hash::leaf(b"other"), index, size, &proof, &root).is_err());
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &leaf).is_err() || size == 1);
        // A tree of another shape has the same path now and then (the size is signed with the root); another place never has.
        for other in [index ^ 1, index + 1, index + 2, size] {
            prop_assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
        }
    }

    #[test]
    fn proofs_from_shared_tiles_are_those_from_tiles_of_their_own(
        size in size(), entries in proptest::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let (_, stored) = Stored::of(size);
        let length = usize::try_from(size).unwrap();
        let plans: Vec<_> = entries.iter().map(|entry| Plan::inclusion(entry.index(length) as u64, size).unwrap()).collect();
        let shared = stored.tiles(plans.iter().flat_map(Plan::tiles));
        for plan in &plans {
            prop_assert_eq!(plan.cut(&shared).unwrap(), stored.cut(plan));
        }
    }

    #[test]
    fn every_size_is_provably_the_beginning_of_every_later_one(size in size(), older in any::<prop::sample::Index>()) {
        let (tree, stored) = Stored::of(size);
        let older = older.index(usize::try_from(size).unwrap()) as u64 + 1;
        let (older_root, root) = (Stored::of(older).0.root(), tree.root());
        let proof = stored.cut(&Plan::consistency(older, size).unwrap());
        if older < size {
            let oracle = oracle(size);
            let expected = oracle.prove_consistency(usize::try_from(size - older).unwrap());
            prop_assert_eq!(Hash::join(&proof), expected.as_bytes());
        }
        verify_consistency(older, &older_root, size, &root, &proof).unwrap();
        for wrong in mutations(&proof) {
            prop_assert!(verify_consistency(older, &older_root, size, &root, &wrong).is_err());
        }
        prop_assert!(verify_consistency(older, &Hash::leaf(b"x"), size, &root, &proof).is_err());
        prop_assert!(verify_consistency(older, &older_root, size, &Hash::leaf(b"x"), &proof).is_err());
    }

    #[test]
    fn a_proof_in_a_log_of_any_size_needs_few_tiles(size in 1_u64.., index: u64) {
        let plan = Plan::inclusion(index % size, size).unwrap();
        let levels = usize::try_from(size.ilog2() / 8 + 1).unwrap();
        prop_assert!(plan.tiles().len() <= 2 * levels);
        prop_assert!(plan.tiles().iter().all(|tile| Tile::at(tile.level, tile.n, size) == Some(*tile)));
    }

    #[test]
    fn any_hashes_are_verified_without_panic(a: u64, b: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash::from).collect();
        let root = Hash::empty_root();
        prop_assert!(verify_inclusion(&root, a, b, &proof, &root).is_err());
        prop_assert!(a == b && proof.is_empty() || verify_consistency(a, &root, b, &root, &proof).is_err());
    }
}

/// The proof with one bit flipped, one hash dropped, doubled, swapped, or added.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut wrong = vec![[proof, &[Hash::empty_root()]].concat(), [&[Hash::empty_root()], proof].concat()];
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        let mut bytes = *flipped[at].as_bytes();
        bytes[at % 32] ^= 1 << (at % 8);
        flipped[at] = bytes.into();
        wrong.push(flipped);
        let mut dropped = proof.to_vec();
        let again = dropped.remove(at);
        wrong.push(dropped);
        let mut doubled = proof.to_vec();
        doubled.insert(at, again);
        wrong.push(doubled);
        if at > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(at - 1, at);
            wrong.push(swapped);
        }
    }
    wrong
}

#[test]
fn a_proof_in_a_log_of_16_million_entries_needs_few_tiles() {
    for (index, size) in [(0, 16_700_000), (16_699_999, 16_700_000), (8_000_000, 16_700_000), (0, 1 << 24)] {
        assert!(Plan::inclusion(index, size).unwrap().tiles().len() <= 5, "{index} of {size}");
    }
}

#[test]
fn what_cannot_be_proved_is_an_error() {
    assert!(Plan::inclusion(0, 0).is_err());
    assert!(Plan::inclusion(7, 7).is_err());
    assert!(Plan::consistency(0, 7).is_err());
    assert!(Plan::consistency(8, 7).is_err());
    assert!(Plan::inclusion(3, 7).unwrap().cut(&Tiles::default()).is_err());
}
