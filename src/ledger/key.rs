// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The key with which the gateway signs its log, and the file it lives in.
//!
//! The file is one line, `PRIVATE+KEY+<name>+<key id>+<base64(0x01 || seed)>`, as Go's reference code writes it. It is made once, by an explicit
//! command; loading never makes one, because a log signed by a new key under an old name is a break that every verifier would have to explain.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use super::checkpoint::Checkpoint;
use super::hash::Hash;
use super::note::{Algorithm, Note, NoteError, SignatureLine, VerifierKey, hex};

const PREFIX: &str = "PRIVATE+KEY+";

/// Why there is no signing key. Never carries key material.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the ledger key {path}: {source}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A key is there already, and would have been overwritten.
    #[error("there is a ledger key in {0} already; it is never overwritten, move it away if a new log is really meant")]
    Exists(String),
    /// Others than the owner may read the file.
    #[error("the ledger key {path} can be read by others (mode {mode:03o}); run `chmod 600 {path}`")]
    Readable {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no signing key for a log.
    #[error("this is not an Ed25519 signing key of a log; restore the file that was made with the log")]
    Form,
    /// The name cannot name a key.
    #[error(transparent)]
    Name(#[from] NoteError),
}

/// The signing key of a log. Its name is the log's origin. Signatures are deterministic: the same text is always signed with the same bytes.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key with this name and secret seed.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Form)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Form)?;
        Ok(Self { verifier: VerifierKey::new(name, Algorithm::Ed25519, public)?, pair })
    }

    /// Makes a new random key and writes it to a new file that only its owner can read. Fails if the file is there.
    pub fn create(path: &Path, name: &str) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(seed.as_mut_slice()).map_err(|_| KeyError::Form)?;
        let key = Self::from_seed(name, &seed)?;
        let secret = Zeroizing::new([&[Algorithm::Ed25519.byte()], seed.as_slice()].concat());
        let line = Zeroizing::new(format!("{PREFIX}{name}+{}+{}\n", hex(key.verifier.id()), *Zeroizing::new(STANDARD.encode(&*secret))));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists(path.display().to_string()),
            _ => file_error("create", path)(source),
        })?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error("write", path))?;
        Ok(key)
    }

    /// Loads the key. Fails if there is none, or if the file's permissions let others read it (where the system has such permissions).
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        #[cfg(unix)]
        {
            let metadata = fs::metadata(path).map_err(file_error("read", path))?;
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Readable { path: path.display().to_string(), mode });
            }
        }
        let line = Zeroizing::new(fs::read_to_string(path).map_err(file_error("read", path))?);
        Self::parse(line.trim_ascii_end())
    }

    fn parse(line: &str) -> Result<Self, KeyError> {
        let mut parts = line.strip_prefix(PREFIX).ok_or(KeyError::Form)?.splitn(3, '+');
        let (Some(name), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let secret = Zeroizing::new(STANDARD.decode(secret).map_err(|_| KeyError::Form)?);
        let Some((&[algorithm], seed)) = secret.split_first_chunk::<1>() else { return Err(KeyError::Form) };
        let mut seed: [u8; 32] = seed.try_into().map_err(|_| KeyError::Form)?;
        let key = Self::from_seed(name, &seed);
        seed.zeroize();
        key.and_then(|key| {
            let whole = algorithm == Algorithm::Ed25519.byte() && id == hex(key.verifier.id());
            if whole { Ok(key) } else { Err(KeyError::Form) }
        })
    }

    /// The public half; its text is what verifiers are given.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The log this key speaks for.
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// Signs the statement that the log has this size and root. Sign only what is committed, and only after asking the [`super::guard`].
    pub fn sign_checkpoint(&self, size: u64, root: Hash) -> Note {
        self.sign(Checkpoint { origin: self.origin().to_owned(), size, root }.to_string())
    }

    pub(super) fn sign(&self, text: String) -> Note {
        let signature = self.signature(&text);
        Note::new(text, signature)
    }

    pub(super) fn signature(&self, text: &str) -> SignatureLine {
        SignatureLine::new(&self.verifier, self.pair.sign(text.as_bytes()).as_ref().to_vec())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

fn file_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.display().to_string();
    move |source| KeyError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_loaded_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.key");
        assert!(matches!(SigningKey::load(&path), Err(KeyError::File { .. })));
        assert!(!path.exists(), "loading must not make a key");

        let made = SigningKey::create(&path, "log.example.invalid").unwrap();
        assert_eq!(SigningKey::load(&path).unwrap().verifier(), made.verifier());
        assert!(matches!(SigningKey::create(&path, "log.example.invalid"), Err(KeyError::Exists(_))));
        assert_eq!(SigningKey::load(&path).unwrap().verifier(), made.verifier());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.key");
        SigningKey::create(&path, "log.example.invalid").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SigningKey::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_key_is_refused_and_its_secret_is_never_shown() {
        let secret = STANDARD.encode([&[1][..], &[5; 32]].concat());
        let key = SigningKey::from_seed("log.example.invalid", &[5; 32]).unwrap();
        let line = format!("PRIVATE+KEY+log.example.invalid+{}+{secret}", hex(key.verifier.id()));
        assert_eq!(SigningKey::parse(&line).unwrap().verifier(), key.verifier());
        assert!(!format!("{key:?}").contains("BQUF"));
        for wrong in [
            "",
            "PRIVATE+KEY+",
            &line.replace("AQUF", "BAUF"),
            &line.replace("BQUFBQ", "BQUGBQ"),
            &line[..line.len() - 4],
            &line.replace("log.", "lag."),
        ] {
            assert!(matches!(SigningKey::parse(wrong), Err(KeyError::Form)), "{wrong:?}");
        }
    }
}
