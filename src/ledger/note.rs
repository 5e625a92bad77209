// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Signed notes (c2sp.org/signed-note v1.0.0): a text, a blank line, signature lines.
//!
//! A note says nothing until [`Note::verify`] has been asked with known keys. Two kinds of key exist here: Ed25519 over the text, by a log, and the
//! timestamped cosignature of a witness (see [`super::cosignature`]).

use std::fmt::{self, Write as _};
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cosignature;

/// Signature lines a note may have: the specification asks for at least 16; more than this is somebody playing.
pub const MAX_SIGNATURES: usize = 64;

/// Why a text is not a note, a line not a key, or a note not trustworthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text does not have the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// The text is not a verifier key.
    #[error("not a verifier key of the form name+keyid+base64 that this program can use: {0}")]
    Key(&'static str),
    /// A key that is known signed something else: the note was changed, or it is a forgery.
    #[error("the signature of {0} does not fit the text")]
    BadSignature(String),
    /// None of the signatures is by a known key.
    #[error("no signature by a known key")]
    NoKnownKey,
}

/// What a key signs, and how (the signature type byte of the specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 over the note text.
    Ed25519,
    /// 0x04: timestamped Ed25519 cosignature of a checkpoint.
    CosignatureV1,
}

impl Algorithm {
    /// The type byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// Four bytes that, with the name, say which key signed; no proof of anything.
pub type KeyId = [u8; 4];

/// A public key one may trust, with its text form `name+hex8(key id)+base64(type || public key)`: the *vkey*.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    algorithm: Algorithm,
    public: [u8; ED25519_PUBLIC_KEY_LEN],
}

impl VerifierKey {
    /// The key of this name and these bytes. Fails if the name is empty or has a space or a plus sign.
    pub fn new(name: &str, algorithm: Algorithm, public: [u8; ED25519_PUBLIC_KEY_LEN]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Key("the name must not be empty, nor have spaces or plus signs"));
        }
        let message = [name.as_bytes(), &[b'\n', algorithm.byte()], &public].concat();
        let mut id = KeyId::default();
        id.iter_mut().zip(digest(&SHA256, &message).as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { name: name.to_owned(), id, algorithm, public })
    }

    /// The name: for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The 32 bytes of the Ed25519 public key.
    pub fn public(&self) -> &[u8; ED25519_PUBLIC_KEY_LEN] {
        &self.public
    }

    fn made(&self, line: &SignatureLine) -> bool {
        self.id == line.id && self.name == line.name
    }

    /// The time of a cosignature in seconds since 1970, none for a plain signature; an error if the signature does not fit.
    fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(self.name.clone());
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        match self.algorithm {
            Algorithm::Ed25519 => key.verify(text.as_bytes(), signature).map(|()| None).map_err(|_| bad()),
            Algorithm::CosignatureV1 => {
                let (time, signature) = cosignature::split(signature).ok_or_else(bad)?;
                key.verify(cosignature::message(text, time).as_bytes(), signature).map(|()| Some(time)).map_err(|_| bad())
            }
        }
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::Key;
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("there must be three parts, joined by plus signs"));
        };
        let bytes = STANDARD.decode(key).map_err(|_| wrong("the last part is not base64"))?;
        let (algorithm, public) = bytes.split_first().ok_or(wrong("the last part is empty"))?;
        let algorithm = [Algorithm::Ed25519, Algorithm::CosignatureV1]
            .into_iter()
            .find(|known| known.byte() == *algorithm)
            .ok_or(wrong("only Ed25519 signatures (type 1) and Ed25519 cosignatures (type 4) are supported"))?;
        let public = public.try_into().map_err(|_| wrong("an Ed25519 public key has 32 bytes"))?;
        let key = Self::new(name, algorithm, public)?;
        if id == hex(key.id) { Ok(key) } else { Err(wrong("the key id does not belong to the name and the key; was it copied whole?")) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm.byte()], self.public.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

/// Eight lower-case hexadecimal digits.
pub(super) fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// One line under a note: who says to have signed, and the signature. `Display` gives the line without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    pub(super) fn new(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name.clone(), id: key.id, signature }
    }

    /// The name on the line; not verified.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for SignatureLine {
    type Err = NoteError;
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let form = NoteError::Form("a signature line is a dash, a key name and base64, separated by one space each");
        let (name, payload) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(form.clone())?;
        let payload = STANDARD.decode(payload).map_err(|_| form.clone())?;
        let (id, signature) = payload.split_first_chunk::<4>().ok_or(form.clone())?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(form);
        }
        Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, STANDARD.encode([self.id.as_slice(), &self.signature].concat()))
    }
}

/// A text with signatures that nobody has looked at yet. `Display` gives the exact text that was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Written once: one note stands in every receipt of a batch.
    whole: String,
    /// Length of the text in it.
    text: usize,
    signatures: Vec<SignatureLine>,
}

/// The finding that a known key signed a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The key.
    pub key: &'a VerifierKey,
    /// When, in seconds since 1970, if it is a cosignature.
    pub time: Option<u64>,
}

impl Note {
    /// A note with one signature; `text` must end in a newline and have no other control characters.
    pub(super) fn new(text: String, signature: SignatureLine) -> Self {
        let mut note = Self { text: text.len(), whole: text + "\n", signatures: Vec::new() };
        note.add(signature);
        note
    }

    /// The text including its last newline, without the blank line. Not to be believed before [`Note::verify`].
    pub fn text(&self) -> &str {
        self.whole.get(..self.text).unwrap_or_default()
    }

    /// The whole note, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a signature below the others.
    pub fn add(&mut self, signature: SignatureLine) {
        // Writing to a text does not fail.
        let _ = writeln!(self.whole, "{signature}");
        self.signatures.push(signature);
    }

    /// Verifies all signatures by the given keys; signatures by other keys are ignored, a key that signed twice counts once.
    ///
    /// One signature by a given key that does not fit condemns the whole note, however many others do.
    pub fn verify<'a>(&self, keys: impl IntoIterator<Item = &'a VerifierKey>) -> Result<Vec<Signed<'a>>, NoteError> {
        let mut signed = Vec::new();
        for key in keys {
            let mut times = self.signatures.iter().filter(|line| key.made(line)).map(|line| key.verify(self.text(), &line.signature));
            let Some(first) = times.next() else { continue };
            let time = first?;
            times.try_for_each(|other| other.map(drop))?;
            signed.push(Signed { key, time });
        }
        if signed.is_empty() { Err(NoteError::NoKnownKey) } else { Ok(signed) }
    }

    /// The signature lines by none of the given keys.
    pub fn unknown<'a>(&'a self, keys: &[&VerifierKey]) -> impl Iterator<Item = &'a SignatureLine> {
        self.signatures.iter().filter(move |line| !keys.iter().any(|key| key.made(line)))
    }
}

impl FromStr for Note {
    type Err = NoteError;
    fn from_str(note: &str) -> Result<Self, NoteError> {
        let form = NoteError::Form;
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(form("it has control characters"));
        }
        // The text may have blank lines of its own: the last one in the note is the one that separates.
        let at = note.rfind("\n\n").ok_or(form("there is no blank line before the signatures"))?;
        let (text, lines) = note.split_at(at + 1);
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(form("it does not end in a newline"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(form("it has more than 64 signatures"));
        }
        let signatures = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.len(), whole: note.to_owned(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::key::SigningKey;
    use proptest::prelude::*;

    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\
        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&format!("log{n}.example.invalid"), &[n; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_verifies_and_is_written_back_as_it_was() {
        let (key, note): (VerifierKey, Note) = (VKEY.parse().unwrap(), NOTE.parse().unwrap());
        assert_eq!(note.verify([&key]), Ok(vec![Signed { key: &key, time: None }]));
        assert_eq!((key.to_string().as_str(), note.to_string().as_str()), (VKEY, NOTE));
    }

    #[test]
    fn a_known_key_that_fails_condemns_the_note_and_unknown_keys_do_not_matter() {
        let mut note = key(1).sign("text\n".to_owned());
        for n in 2..=16 {
            note.add(key(n).signature("text\n"));
        }
        note.add(key(17).signature("other text\n"));
        let note: Note = note.to_string().parse().unwrap();
        let keys: Vec<_> = (1..=17).map(|n| key(n).verifier().clone()).collect();
        assert_eq!(note.verify(&keys[..16]).unwrap().len(), 16);
        assert_eq!(note.verify(&keys), Err(NoteError::BadSignature("log17.example.invalid".to_owned())));
        assert_eq!(note.verify([key(18).verifier()]), Err(NoteError::NoKnownKey));
        assert_eq!(note.verify([]), Err(NoteError::NoKnownKey));
        assert_eq!(note.unknown(&keys.iter().take(16).collect::<Vec<_>>()).map(SignatureLine::name).collect::<Vec<_>>(), ["log17.example.invalid"]);
    }

    #[test]
    fn a_key_of_the_same_name_with_another_id_is_unknown() {
        let note = key(1).sign("text\n".to_owned());
        let other = VerifierKey::new("log1.example.invalid", Algorithm::Ed25519, [7; 32]).unwrap();
        assert_eq!(note.verify([&other]), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn the_text_is_split_at_the_last_blank_line() {
        let note = key(1).sign("one\n\ntwo\n".to_owned());
        assert_eq!(note.to_string().parse::<Note>().unwrap().text(), "one\n\ntwo\n");
    }

    #[test]
    fn what_is_not_a_note_or_a_key_is_refused() {
        for wrong in [
            "",
            "\n",
            "text\n",
            "text\n\n",
            "text\n\n— a b\n",
            "text\n\n— a AAAA\n",
            "te\txt\n\n— a AAAAAAA=\n",
            &NOTE.replace('—', "-"),
            NOTE.trim_end(),
        ] {
            assert!(matches!(wrong.parse::<Note>(), Err(NoteError::Form(_))), "{wrong:?}");
        }
        let many = format!("text\n\n{}", "— a AAAAAAA=\n".repeat(65));
        assert!(many.parse::<Note>().is_err());
        for wrong in [
            "",
            "a+b",
            &VKEY.replace("530d", "530e"),
            &VKEY.replace("+Ae", "+Ce"),
            &VKEY.replace("/foo", "/bar"),
            &VKEY.to_uppercase(),
            &VKEY.replace("530d903a", "530D903A"),
        ] {
            assert!(matches!(wrong.parse::<VerifierKey>(), Err(NoteError::Key(_))), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_what_parses_is_written_back(text in "(\\PC|\n|— a AAAAAAA=\n){0,20}") {
            if let Ok(note) = text.parse::<Note>() {
                prop_assert_eq!(note.to_string(), text);
            }
        }
    }
}
