// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Receipts (c2sp.org/tlog-proof): a text with which anybody can check, without the gateway, that an entry is in the log.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::decimal;
use super::hash::Hash;
use super::note::{Note, NoteError};
use super::policy::{Policy, TrustError, TrustedCheckpoint};
use super::proof::{ProofError, verify_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Hashes that an inclusion proof can have at most: one per level of a tree of 64-bit size.
const MAX_PROOF: usize = 64;

/// Why a text is not a receipt, or does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text does not have the form of a receipt.
    #[error("not a receipt: {0}")]
    Form(&'static str),
    /// The checkpoint in it has not the form of a signed note.
    #[error("not a receipt: the checkpoint in it is {0}")]
    Note(#[from] NoteError),
    /// The checkpoint in it is not to be believed.
    #[error("the receipt's checkpoint cannot be trusted: {0}")]
    Trust(#[from] TrustError),
    /// The proof does not connect the entry with the checkpoint.
    #[error("the receipt does not prove that this entry is in the log: {0}")]
    Proof(#[from] ProofError),
}

/// A receipt as read or made; nothing in it is verified yet. `Display` gives the text, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    extra: Option<Vec<u8>>,
    index: u64,
    proof: Vec<Hash>,
    checkpoint: String,
}

/// The finding that an entry is in the log of a trusted checkpoint. Only [`Receipt::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// The number of the entry, from 0.
    pub index: u64,
    /// The checkpoint whose tree holds it.
    pub checkpoint: TrustedCheckpoint,
}

impl Receipt {
    /// A receipt of entry `index`, with its inclusion proof in the tree of `checkpoint`, a signed note that is carried verbatim.
    pub fn new(index: u64, proof: Vec<Hash>, checkpoint: &Note) -> Self {
        Self { extra: None, index, proof, checkpoint: checkpoint.as_str().to_owned() }
    }

    /// The same with additional bytes that nobody vouches for.
    pub fn with_extra(self, extra: Vec<u8>) -> Self {
        Self { extra: Some(extra), ..self }
    }

    /// The additional bytes; not authenticated.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The number of the entry, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, leaf's sibling first.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The signed checkpoint, verbatim.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Checks offline that `entry`, the exact bytes, is in a log that `policy` trusts.
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<Included, ReceiptError> {
        self.verify_leaf(&Hash::leaf(entry), policy)
    }

    /// The same for one who has only the entry's leaf hash.
    pub fn verify_leaf(&self, leaf: &Hash, policy: &Policy) -> Result<Included, ReceiptError> {
        let trusted = policy.open(&self.checkpoint)?;
        let tree = trusted.checkpoint();
        verify_inclusion(leaf, self.index, tree.size, &self.proof, &tree.root)?;
        Ok(Included { index: self.index, checkpoint: trusted })
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;
    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let form = ReceiptError::Form;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(form("there is no blank line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(form("the first line must be c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(STANDARD.decode(line.trim_start_matches("extra ")).map_err(|_| form("the extra line is not base64"))?),
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal).ok_or(form("the index line is missing or wrong"))?;
        let proof = lines.map(str::parse).collect::<Result<Vec<_>, _>>().map_err(|_| form("a line of the proof is not a hash"))?;
        if proof.len() > MAX_PROOF {
            return Err(form("the proof has more than 64 hashes"));
        }
        checkpoint.parse::<Note>()?;
        let receipt = Self { extra, index, proof, checkpoint: checkpoint.to_owned() };
        if receipt.to_string() == text { Ok(receipt) } else { Err(form("it is not written in the canonical way")) }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::key::SigningKey;
    use proptest::prelude::*;

    fn receipt() -> (SigningKey, Receipt) {
        let key = SigningKey::from_seed("log.example.invalid", &[1; 32]).unwrap();
        let (a, b) = (Hash::leaf(b"a"), Hash::leaf(b"b"));
        let note = key.sign_checkpoint(2, Hash::node(&a, &b));
        (key, Receipt::new(1, vec![a], &note))
    }

    #[test]
    fn a_receipt_proves_its_entry_and_no_other() {
        let (key, receipt) = receipt();
        let policy = Policy::log_only(key.verifier().clone());
        let read: Receipt = receipt.clone().with_extra(vec![1, 2, 3]).to_string().parse().unwrap();
        assert_eq!(read.extra(), Some([1, 2, 3].as_slice()));
        assert_eq!(read.verify(b"b", &policy).unwrap().index, 1);
        assert_eq!(read.verify(b"a", &policy), Err(ReceiptError::Proof(ProofError::Root)));
        let stranger = SigningKey::from_seed("log.example.invalid", &[2; 32]).unwrap();
        assert!(matches!(receipt.verify(b"b", &Policy::log_only(stranger.verifier().clone())), Err(ReceiptError::Trust(_))));
    }

    #[test]
    fn no_flipped_byte_of_a_receipt_goes_unnoticed() {
        let (key, receipt) = receipt();
        let policy = Policy::log_only(key.verifier().clone());
        let text = receipt.to_string().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                let accepted =
                    String::from_utf8(flipped).is_ok_and(|text| text.parse::<Receipt>().is_ok_and(|receipt| receipt.verify(b"b", &policy).is_ok()));
                assert!(!accepted, "bit {bit} of byte {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(c2sp.org/tlog-proof@v1\n)?(extra AAAA\n)?(index [0-9]{1,3}\n)?(\\PC|\n){0,9}(\n\na\n\n— a AAAAAAA=\n)?") {
            if let Ok(receipt) = text.parse::<Receipt>() {
                prop_assert_eq!(receipt.to_string(), text);
            }
        }
    }
}
