// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The ledger agrees with vectors that other implementations made.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weiche::ledger::cosignature::CosigningKey;
use weiche::ledger::proof::{verify_consistency, verify_inclusion};
use weiche::ledger::{Hash, Note, Plan, Policy, Receipt, SigningKey, Tiles, Tree};

const OWN: &str = include_str!("../vectors/tlog-own.txt");

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hash(hex: &str) -> Hash {
    unhex(hex).as_slice().try_into().unwrap()
}

/// The value of the line `name = value`.
fn value(name: &str) -> &'static str {
    OWN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).unwrap()
}

/// The hashes of a line like `inclusion(index 0, size 7) = ['ab..', 'cd..']`.
fn hashes(name: &str) -> Vec<Hash> {
    value(name).split('\'').skip(1).step_by(2).map(hash).collect()
}

/// What stands between `--- title` and the next `---`, without its last blank line.
fn section(title: &str) -> &'static str {
    let from = OWN.split_once(&format!("--- {title}\n")).unwrap().1;
    let to = from.split_once("\n--- ").map_or(from, |(section, _)| section);
    to.strip_suffix("\n\n").unwrap_or_else(|| to.trim_end_matches('\n'))
}

/// The seven leaf hashes, as the siblings in the inclusion proofs give them away.
fn leaves() -> Vec<Hash> {
    let mut leaves: Vec<_> = (0..6).map(|i| hashes(&format!("inclusion(index {}, size 7)", i ^ 1))[0]).collect();
    leaves.push(hashes("inclusion(index 4, size 7)")[1]);
    leaves
}

fn tiles(tree: &Tree) -> Tiles {
    let mut tiles = Tiles::default();
    tree.edge().for_each(|(tile, hashes)| tiles.insert(tile, hashes.to_vec()));
    tiles
}

fn log_key() -> SigningKey {
    let seed = unhex("235be5ab8ea6a27a89e1b5c8b98a53eac4a791f3263c173420aba8dea3283363");
    SigningKey::from_seed("gateway.example/log1", &seed.try_into().unwrap()).unwrap()
}

#[test]
fn roots_and_proofs_of_the_small_log_are_reproduced() {
    let mut tree = Tree::new();
    assert_eq!(tree.root(), hash(value("root[0]")));
    for (leaf, size) in leaves().iter().zip(1..) {
        tree.append(&[*leaf]);
        assert_eq!(tree.root(), hash(value(&format!("root[{size}]"))), "size {size}");
    }
    let tiles = tiles(&tree);
    for index in 0..7 {
        let expected = hashes(&format!("inclusion(index {index}, size 7)"));
        assert_eq!(Plan::inclusion(index, 7).unwrap().cut(&tiles).unwrap(), expected, "entry {index}");
        verify_inclusion(&leaves()[usize::try_from(index).unwrap()], index, 7, &expected, &tree.root()).unwrap();
    }
    for older in [1, 2, 3, 4, 6, 7] {
        let expected = hashes(&format!("consistency({older}->7)"));
        assert_eq!(Plan::consistency(older, 7).unwrap().cut(&tiles).unwrap(), expected, "from {older}");
        verify_consistency(older, &hash(value(&format!("root[{older}]"))), 7, &tree.root(), &expected).unwrap();
    }
}

#[test]
fn the_log_key_and_its_signature_are_reproduced_byte_for_byte() {
    let key = log_key();
    assert_eq!(key.verifier().to_string(), value("vkey"));
    let signed = key.sign_checkpoint(7, hash(value("root[7]"))).to_string();
    assert!(section("checkpoint with 5 cosignatures").starts_with(signed.trim_end()), "{signed}");
}

#[test]
fn checkpoint_receipt_and_policy_verify_together_and_are_written_back_as_they_were() {
    let policy: Policy = section("tlog-policy").parse().unwrap();
    let checkpoint = format!("{}\n", section("checkpoint with 5 cosignatures").trim_end());
    let trusted = policy.open(&checkpoint).unwrap();
    assert_eq!((trusted.checkpoint().size, trusted.witnesses().len(), trusted.unknown().len()), (7, 5, 0));
    assert_eq!(checkpoint.parse::<Note>().unwrap().to_string(), checkpoint);

    let text = format!("{}\n", section("tlog-proof for index 5").trim_end());
    let receipt: Receipt = text.parse().unwrap();
    assert_eq!(receipt.to_string(), text);
    assert_eq!(receipt.verify_leaf(&leaves()[5], &policy).unwrap().index, 5);
    assert!(receipt.verify_leaf(&leaves()[4], &policy).is_err());
    let made = Receipt::new(
        5,
        Plan::inclusion(5, 7)
            .unwrap()
            .cut(&tiles(&{
                let mut tree = Tree::new();
                tree.append(&leaves());
                tree
            }))
            .unwrap(),
        &checkpoint.parse().unwrap(),
    );
    assert_eq!(made.to_string(), text);
}

#[test]
fn without_the_jobcenter_or_with_two_associations_only_the_quorum_is_not_met() {
    let policy: Policy = section("tlog-policy").parse().unwrap();
    let checkpoint = format!("{}\n", section("checkpoint with 5 cosignatures").trim_end());
    let without = |names: &[&str]| -> String {
        checkpoint.split_inclusive('\n').filter(|line| !names.iter().any(|name| line.starts_with(&format!("— {name}")))).collect()
    };
    assert!(policy.open(&without(&["assoc-a"])).is_ok());
    assert!(policy.open(&without(&["assoc-a", "assoc-b"])).is_err());
    assert!(policy.open(&without(&["jobcenter"])).is_err());
    assert!(policy.open(&without(&["gateway"])).is_err());
}

#[test]
fn witness_keys_have_the_text_form_of_the_vectors() {
    for line in OWN.lines().filter_map(|line| line.strip_prefix("witness vkey (type 0x04) = ")) {
        assert_eq!(line.parse::<weiche::ledger::VerifierKey>().unwrap().to_string(), line);
    }
    let key = CosigningKey::from_seed("w.example.invalid", &[3; 32]).unwrap();
    assert_eq!(key.verifier().to_string().parse(), Ok(key.verifier().clone()));
}

#[test]
fn all_196_probes_are_decided_as_expected() {
    let probes: Vec<serde_json::Value> = serde_json::from_str(include_str!("../vectors/merkle-probes.json")).unwrap();
    assert_eq!(probes.len(), 196);
    for probe in &probes {
        let number = |field: &str| probe[field].as_u64().unwrap();
        // Where the value does not matter the probes have a text; some hash stands for it. What else is no hash is refused when it is read.
        let hash = |value: &serde_json::Value| {
            let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
            if bytes.starts_with(b"don't care") { Some(Hash::leaf(&bytes)) } else { Hash::try_from(bytes.as_slice()).ok() }
        };
        let accepted = || {
            let proof = probe["proof"].as_array().into_iter().flatten().map(hash).collect::<Option<Vec<_>>>()?;
            if probe["kind"] == "inclusion" {
                verify_inclusion(&hash(&probe["leafHash"])?, number("leafIdx"), number("treeSize"), &proof, &hash(&probe["root"])?).ok()
            } else {
                verify_consistency(number("size1"), &hash(&probe["root1"])?, number("size2"), &hash(&probe["root2"])?, &proof).ok()
            }
        };
        assert_eq!(accepted().is_some(), probe["wantErr"] == false, "{}", probe["name"]);
    }
}
