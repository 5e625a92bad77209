// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Cosignatures of witnesses (c2sp.org/tlog-cosignature, Ed25519 `cosignature/v1`): "at this time, this was the largest consistent view I had seen".

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::key::KeyError;
use super::note::{Algorithm, SignatureLine, VerifierKey};

/// The key of a witness. It signs checkpoints together with the time, and nothing else.
pub struct CosigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl CosigningKey {
    /// The key with this name and secret seed. The same seed must never serve as a log key, nor under a second name: the message names neither.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Form)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Form)?;
        Ok(Self { verifier: VerifierKey::new(name, Algorithm::CosignatureV1, public)?, pair })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Cosigns a checkpoint's note text; `time` in seconds since 1970. Whether the text may be cosigned (that it extends what was seen before) is for
    /// the caller to have checked.
    pub fn cosign(&self, text: &str, time: u64) -> SignatureLine {
        let signature = self.pair.sign(message(text, time).as_bytes());
        SignatureLine::new(&self.verifier, [time.to_be_bytes().as_slice(), signature.as_ref()].concat())
    }
}

impl std::fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CosigningKey({})", self.verifier)
    }
}

/// What is signed.
pub(super) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Time and signature of a cosignature; none if it is too short or the time is beyond 2^63 - 1.
pub(super) fn split(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    i64::try_from(time).ok().map(|_| (time, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::key::SigningKey;
    use crate::ledger::note::{NoteError, Signed};

    #[test]
    fn a_cosignature_vouches_for_text_and_time() {
        let witness = CosigningKey::from_seed("witness.example.invalid", &[9; 32]).unwrap();
        let mut note = SigningKey::from_seed("log.example.invalid", &[1; 32]).unwrap().sign("a\n".to_owned());
        note.add(witness.cosign("a\n", 1_679_315_147));
        let key = witness.verifier();
        assert_eq!(note.verify([key]), Ok(vec![Signed { key, time: Some(1_679_315_147) }]));

        let mut wrong = SigningKey::from_seed("log.example.invalid", &[1; 32]).unwrap().sign("b\n".to_owned());
        wrong.add(witness.cosign("a\n", 1));
        assert_eq!(wrong.verify([key]), Err(NoteError::BadSignature("witness.example.invalid".to_owned())));
    }

    #[test]
    fn a_time_beyond_the_end_of_signed_time_is_refused() {
        let witness = CosigningKey::from_seed("witness.example.invalid", &[9; 32]).unwrap();
        let mut note = SigningKey::from_seed("log.example.invalid", &[1; 32]).unwrap().sign("a\n".to_owned());
        note.add(witness.cosign("a\n", 1 << 63));
        assert!(note.verify([witness.verifier()]).is_err());
    }
}
