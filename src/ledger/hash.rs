// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The hashes of RFC 6962 section 2.1: what an entry, a pair of subtrees and an empty log hash to.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A SHA-256 hash of the Merkle tree: 32 bytes; its text is standard base64 with padding, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::LEN]);

/// A text or byte string that is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash must be 32 bytes, in text as standard base64")]
pub struct HashError;

impl Hash {
    /// Bytes of a hash.
    pub const LEN: usize = 32;
    /// Characters of its text.
    const TEXT_LEN: usize = 44;

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// `SHA-256(0x00 || entry)`: the leaf of an entry.
    pub fn leaf(entry: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[0]);
        context.update(entry);
        Self::of(context.finish().as_ref())
    }

    /// `SHA-256(0x01 || left || right)`: the parent of two subtrees.
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut message = [1; 1 + 2 * Self::LEN];
        let (_, children) = message.split_at_mut(1);
        let (l, r) = children.split_at_mut(Self::LEN);
        l.copy_from_slice(&left.0);
        r.copy_from_slice(&right.0);
        Self::of(digest(&SHA256, &message).as_ref())
    }

    /// `SHA-256("")`: the root of a log without entries.
    pub fn empty_root() -> Self {
        Self::of(digest(&SHA256, &[]).as_ref())
    }

    /// The root over perfect subtrees, largest first: folded from the right, as RFC 6962 splits at the largest power of two.
    pub fn fold(subtrees: &[Self]) -> Self {
        subtrees.iter().rev().copied().reduce(|right, left| Self::node(&left, &right)).unwrap_or_else(Self::empty_root)
    }

    /// The root of a perfect subtree over `hashes`, whose number must be a power of two (as all tiles and their parts are).
    pub fn perfect(hashes: &[Self]) -> Self {
        match hashes {
            [] => Self::empty_root(),
            [one] => *one,
            many => Self::perfect(&Self::parents(many)),
        }
    }

    /// The parents of neighbours, left to right; one that is left over at the end has none.
    pub(super) fn parents(row: &[Self]) -> Vec<Self> {
        row.as_chunks::<2>().0.iter().map(|[left, right]| Self::node(left, right)).collect()
    }

    /// The hashes one after the other: how tiles and the compact range are stored.
    pub fn join(hashes: &[Self]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// The reverse of [`Hash::join`].
    pub fn split(bytes: &[u8]) -> Result<Vec<Self>, HashError> {
        let (hashes, rest) = bytes.as_chunks::<{ Self::LEN }>();
        if rest.is_empty() { Ok(hashes.iter().map(|hash| Self(*hash)).collect()) } else { Err(HashError) }
    }

    fn of(digest: &[u8]) -> Self {
        let mut hash = [0; Self::LEN];
        hash.copy_from_slice(digest);
        Self(hash)
    }
}

impl From<[u8; Hash::LEN]> for Hash {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;
    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        STANDARD.decode(text).map_err(|_| HashError)?.as_slice().try_into()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Hash::TEXT_LEN];
        let text = STANDARD.encode_slice(self.0, &mut text).ok().and_then(|length| std::str::from_utf8(text.get(..length)?).ok());
        f.write_str(text.ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: Hash) -> String {
        hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn leaves_and_nodes_hash_as_rfc_6962_says() {
        assert_eq!(hex(Hash::leaf(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(Hash::leaf(b"L123456")), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
        assert_eq!(hex(Hash::empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_hash_is_read_only_from_exact_canonical_base64() {
        let text = Hash::empty_root().to_string();
        assert_eq!(text.parse(), Ok(Hash::empty_root()));
        for wrong in [text.trim_end_matches('='), &text.replace("FU=", "FV="), &format!("{text}\n"), &text.replace('+', "-"), ""] {
            assert_eq!(wrong.parse::<Hash>(), Err(HashError), "{wrong:?}");
        }
    }
}
