// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Keys, sealing and forgetting. What is sealed here can be made unreadable for ever by deleting one small row.
//!
//! One key-encryption key lies in a file outside the database. Under it hang: a fresh key per payload (AES-256-GCM), a fresh key per person
//! (for the tags in the log), and derived keys: for pseudonyms, for request digests, for small texts, for numbers that are drawn from
//! others. Whoever has the database without
//! the file reads nothing; whoever has both and finds a wrapped key deleted reads nothing either.
//!
//! This part does not know: what it seals, who is who, SQL.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Length of every key here, in bytes.
const KEY_LEN: usize = 32;
/// First line of the key file, so that nobody mistakes it for another kind of key.
const FILE_HEADER: &str = "weiche key-encryption key v1\n";

/// Why the vault cannot open, seal or unseal.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or written.
    #[error("key-encryption key {path}: {source}")]
    File {
        /// Where.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not a key file.
    #[error("key-encryption key {path}: not a key file; restore it from your backup, a new key cannot read the old payloads")]
    NotAKey {
        /// Where.
        path: String,
    },
    /// Others may read the file.
    #[error("key-encryption key {path}: readable by others; run: chmod 600 {path}")]
    Permissions {
        /// Where.
        path: String,
    },
    /// A sealed value does not open: other key, other place, or changed bytes.
    #[error("a sealed value does not open under this key")]
    Sealed,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Random,
}

/// A payload that only this vault can open.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Nonce, ciphertext and tag.
    pub ciphertext: Vec<u8>,
    /// The payload's own key, wrapped. Deleting it is forgetting the payload.
    pub wrapped_key: Vec<u8>,
}

/// Before the base64 of a sealed text.
const SEALED_TEXT: &str = "sealed:";

/// The opening of a commitment: with it, somebody who holds the payload can show that it is the one in the log.
pub type CommitmentSalt = [u8; KEY_LEN];

/// Seals and opens. Cheap to share, never printed.
pub struct Vault {
    wrapping: LessSafeKey,
    pseudonym: hmac::Key,
    digest: hmac::Key,
    draw: hmac::Key,
}

impl Vault {
    /// Makes a new key file, readable by its owner only. Fails if the file exists: a key is never replaced by accident.
    pub fn create(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { path: path.display().to_string(), source };
        let mut key = Zeroizing::new([0; KEY_LEN]);
        fill(&mut key[..])?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(FILE_HEADER.as_bytes()).and_then(|()| file.write_all(&key[..])).and_then(|()| file.sync_all()).map_err(failed)?;
        Self::from_key(&key)
    }

    /// Reads the key file. Never makes one.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { path: path.display().to_string(), source };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(failed)?.permissions());
            if mode & 0o077 != 0 {
                return Err(VaultError::Permissions { path: path.display().to_string() });
            }
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(failed)?;
        let key = bytes.strip_prefix(FILE_HEADER.as_bytes()).and_then(|key| <&[u8; KEY_LEN]>::try_from(key).ok());
        Self::from_key(key.ok_or_else(|| VaultError::NotAKey { path: path.display().to_string() })?)
    }

    /// A vault under `key`; for tests and for keys that come from elsewhere.
    pub fn from_key(key: &[u8; KEY_LEN]) -> Result<Self, VaultError> {
        let root = Salt::new(HKDF_SHA256, b"weiche vault v1").extract(key);
        Ok(Self {
            wrapping: aead_key(&*derive(&root, b"wrap")?)?,
            pseudonym: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, b"pseudonym")?[..]),
            digest: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, b"digest")?[..]),
            draw: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, b"draw")?[..]),
        })
    }

    /// Seals `payload` under a fresh key, bound to `place` (such as a delivery id): moved to another place it does not open.
    pub fn seal(&self, place: &[u8], payload: &[u8]) -> Result<Sealed, VaultError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        fill(&mut key[..])?;
        Ok(Sealed { ciphertext: encrypt(&aead_key(&key)?, place, payload)?, wrapped_key: encrypt(&self.wrapping, place, &key[..])? })
    }

    /// Opens what [`Vault::seal`] made for the same `place`.
    pub fn open_sealed(&self, place: &[u8], ciphertext: &[u8], wrapped_key: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = Zeroizing::new(decrypt(&self.wrapping, place, wrapped_key)?);
        let key = <&[u8; KEY_LEN]>::try_from(&key[..]).map_err(|_| VaultError::Sealed)?;
        decrypt(&aead_key(key)?, place, ciphertext)
    }

    /// Seals a short text directly under the key-encryption key, such as a file number.
    pub fn seal_short(&self, place: &[u8], text: &str) -> Result<Vec<u8>, VaultError> {
        encrypt(&self.wrapping, place, text.as_bytes())
    }

    /// Opens what [`Vault::seal_short`] made.
    pub fn open_short(&self, place: &[u8], sealed: &[u8]) -> Result<String, VaultError> {
        String::from_utf8(decrypt(&self.wrapping, place, sealed)?).map_err(|_| VaultError::Sealed)
    }

    /// Seals a short text where only text can be kept, such as in a record of a consent: a mark and base64. What is empty stays empty.
    pub fn seal_text(&self, place: &[u8], text: &str) -> Result<String, VaultError> {
        if text.trim().is_empty() {
            return Ok(String::new());
        }
        Ok(format!("{SEALED_TEXT}{}", STANDARD.encode(self.seal_short(place, text)?)))
    }

    /// Opens what [`Vault::seal_text`] made. A text without the mark, such as the gateway's own words, is given back as it is.
    pub fn open_text(&self, place: &[u8], text: &str) -> Result<String, VaultError> {
        match text.strip_prefix(SEALED_TEXT) {
            Some(sealed) => self.open_short(place, &STANDARD.decode(sealed).map_err(|_| VaultError::Sealed)?),
            None => Ok(text.to_owned()),
        }
    }

    /// The keyed pseudonym of an institution's own reference of a person: the same person at two institutions has two.
    pub fn pseudonym(&self, institution: &str, subject_ref: &str) -> [u8; 32] {
        mac(&self.pseudonym, &[institution.as_bytes(), subject_ref.as_bytes()])
    }

    /// A digest by which the same content is recognised, useless without the key (contents are guessable).
    pub fn digest(&self, content: &[u8]) -> [u8; 32] {
        mac(&self.digest, &[content])
    }

    /// Bytes that look random to everybody and that this vault alone can draw again: the same `purpose` and `from` always give the same.
    pub fn draw(&self, purpose: &str, from: &[u8]) -> [u8; 32] {
        mac(&self.draw, &[purpose.as_bytes(), from])
    }

    /// A fresh key for the tags of one person, wrapped. Deleting it unlinks the person's leaves for ever.
    pub fn new_subject_key(&self, subject: &[u8; 32]) -> Result<Vec<u8>, VaultError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        fill(&mut key[..])?;
        encrypt(&self.wrapping, subject, &key[..])
    }

    /// The tag of a person on the leaf with this index: `HMAC-SHA-256(HKDF(K, "tag"), index)`, first 16 bytes.
    pub fn subject_tag(&self, subject: &[u8; 32], wrapped_key: &[u8], index: u64) -> Result<[u8; 16], VaultError> {
        let key = Zeroizing::new(decrypt(&self.wrapping, subject, wrapped_key)?);
        let tag_key = derive(&Salt::new(HKDF_SHA256, &[]).extract(&key), b"tag")?;
        let full = mac(&hmac::Key::new(hmac::HMAC_SHA256, &tag_key[..]), &[&index.to_be_bytes()]);
        let mut tag = [0; 16];
        tag.copy_from_slice(&full[..16]);
        Ok(tag)
    }

    /// Commits to `payload` under a fresh salt.
    pub fn commit(&self, payload: &[u8]) -> Result<(CommitmentSalt, [u8; 32]), VaultError> {
        let mut salt = [0; KEY_LEN];
        fill(&mut salt)?;
        Ok((salt, commitment(&salt, payload)))
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.ciphertext.len())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// What a leaf says of a payload: `HMAC-SHA-256(salt, payload)`. Auditors compute it again from an opening.
pub fn commitment(salt: &CommitmentSalt, payload: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), payload).as_ref());
    out
}

/// Fills `bytes` with the system's randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), VaultError> {
    rand::fill(bytes).map_err(|_| VaultError::Random)
}

/// A MAC over parts that cannot run into each other: each is preceded by its length.
fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

struct KeyLen;

impl KeyType for KeyLen {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

fn derive(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, VaultError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    root.expand(&[purpose], KeyLen).and_then(|okm| okm.fill(&mut key[..])).map_err(|_| VaultError::Sealed)?;
    Ok(key)
}

fn aead_key(key: &[u8; KEY_LEN]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| VaultError::Sealed)
}

/// Nonce, ciphertext, tag. The nonce is random: a payload key is used once, the wrapping key far below the 2^32 limit of random nonces.
fn encrypt(key: &LessSafeKey, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce)?;
    let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut out[NONCE_LEN..])
        .map_err(|_| VaultError::Sealed)?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

fn decrypt(key: &LessSafeKey, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(VaultError::Sealed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Sealed)?;
    let mut body = body.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(place), &mut body).map_err(|_| VaultError::Sealed)?.len();
    body.truncate(plain);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::from_key(&[7; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place_and_unchanged() {
        let vault = vault();
        let sealed = vault.seal(b"here", b"payload").unwrap();
        assert_eq!(vault.open_sealed(b"here", &sealed.ciphertext, &sealed.wrapped_key).unwrap(), b"payload");
        assert!(vault.open_sealed(b"there", &sealed.ciphertext, &sealed.wrapped_key).is_err());
        for at in 0..sealed.ciphertext.len() {
            let mut changed = sealed.ciphertext.clone();
            changed[at] ^= 1;
            assert!(vault.open_sealed(b"here", &changed, &sealed.wrapped_key).is_err());
        }
        let other = Vault::from_key(&[8; 32]).unwrap();
        assert!(other.open_sealed(b"here", &sealed.ciphertext, &sealed.wrapped_key).is_err());
        assert!(vault.open_sealed(b"here", &[], &[]).is_err());
    }

    #[test]
    fn a_sealed_text_is_text_and_opens_in_its_place_only() {
        let vault = vault();
        for text in ["Archiv, Ordner 7", "sealed:not", "ä"] {
            let sealed = vault.seal_text(b"here", text).unwrap();
            assert!(!sealed.contains(text) && sealed.is_ascii());
            assert_eq!(vault.open_text(b"here", &sealed).unwrap(), text);
            assert!(vault.open_text(b"there", &sealed).is_err());
        }
        assert_eq!(vault.seal_text(b"here", " ").unwrap(), "");
        assert_eq!(vault.open_text(b"here", "record").unwrap(), "record");
        assert!(vault.open_text(b"here", "sealed:?").is_err());
    }

    #[test]
    fn the_same_payload_never_looks_the_same_twice() {
        let (a, b) = (vault().seal(b"x", b"payload").unwrap(), vault().seal(b"x", b"payload").unwrap());
        assert_ne!(a.ciphertext, b.ciphertext);
        assert_ne!(a.wrapped_key, b.wrapped_key);
    }

    #[test]
    fn a_person_has_another_pseudonym_at_every_institution_and_another_tag_on_every_leaf() {
        let vault = vault();
        assert_ne!(vault.pseudonym("awo-bremen", "17"), vault.pseudonym("drk-bremen", "17"));
        assert_ne!(vault.pseudonym("ab", "c"), vault.pseudonym("a", "bc"));
        assert_eq!(vault.pseudonym("awo-bremen", "17"), vault.pseudonym("awo-bremen", "17"));
        let key = vault.new_subject_key(&[1; 32]).unwrap();
        assert_ne!(vault.subject_tag(&[1; 32], &key, 0).unwrap(), vault.subject_tag(&[1; 32], &key, 1).unwrap());
        assert_eq!(vault.subject_tag(&[1; 32], &key, 1).unwrap(), vault.subject_tag(&[1; 32], &key, 1).unwrap());
        assert!(vault.subject_tag(&[2; 32], &key, 1).is_err());
    }

    #[test]
    fn a_key_file_is_made_once_and_read_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        assert!(matches!(Vault::open(&path), Err(VaultError::File { .. })));
        let made = Vault::create(&path).unwrap();
        assert!(matches!(Vault::create(&path), Err(VaultError::File { .. })));
        assert_eq!(Vault::open(&path).unwrap().pseudonym("a", "b"), made.pseudonym("a", "b"));
        #[cfg(unix)]
        {
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            assert!(matches!(Vault::open(&path), Err(VaultError::Permissions { .. })));
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, "something else").unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::NotAKey { .. })));
    }
}
