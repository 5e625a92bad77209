// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whom to believe (c2sp.org/tlog-policy): the logs, the witnesses, and how many of which witnesses must have cosigned.
//!
//! [`Policy::open`] is the only door from a signed note to a checkpoint one may rely on: it hands back a [`TrustedCheckpoint`].

use std::collections::HashMap;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Algorithm, Note, NoteError, SignatureLine, VerifierKey};

/// Why a policy is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {problem}")]
pub struct PolicyError {
    line: usize,
    problem: String,
}

/// Why a note is not a checkpoint that this policy accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is not a note, or a known signature fails, or none is known.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signed text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No log of the policy with this origin signed it.
    #[error("the checkpoint of {origin} is not signed by a log of that name in the policy")]
    NotByLog {
        /// The origin line.
        origin: String,
    },
    /// Too few witnesses cosigned it.
    #[error("the witness quorum is not met; valid cosignatures: {}", if .have.is_empty() { "none".to_owned() } else { .have.join(", ") })]
    Quorum {
        /// The names, in the policy, of the witnesses that did.
        have: Vec<String>,
    },
}

/// A checkpoint that fulfils a policy. Only [`Policy::open`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCheckpoint {
    checkpoint: Checkpoint,
    witnesses: Vec<(String, u64)>,
    unknown: Vec<String>,
}

impl TrustedCheckpoint {
    /// Origin, size and root.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The witnesses of the policy that cosigned, by the policy's names, each with its time in seconds since 1970.
    pub fn witnesses(&self) -> &[(String, u64)] {
        &self.witnesses
    }

    /// The names on signature lines by keys that the policy does not know: they count for nothing.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

#[derive(Debug, Clone)]
enum Rule {
    None,
    Witness(usize),
    Group { need: usize, members: Vec<Rule> },
}

impl Rule {
    fn met(&self, cosigned: &[bool]) -> bool {
        match self {
            Self::None => true,
            Self::Witness(index) => cosigned.get(*index).copied().unwrap_or(false),
            Self::Group { need, members } => members.iter().filter(|member| member.met(cosigned)).count() >= *need,
        }
    }
}

/// Logs, witnesses and quorum.
#[derive(Debug, Clone)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, VerifierKey)>,
    quorum: Rule,
}

impl Policy {
    /// The policy that believes one log and asks for no witness.
    pub fn log_only(log: VerifierKey) -> Self {
        Self { logs: vec![log], witnesses: Vec::new(), quorum: Rule::None }
    }

    /// The logs.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses with their names in the policy.
    pub fn witnesses(&self) -> &[(String, VerifierKey)] {
        &self.witnesses
    }

    /// Verifies a signed checkpoint: by a log of the policy whose name is the origin, cosigned by a quorum, no known signature wrong.
    pub fn open(&self, note: &str) -> Result<TrustedCheckpoint, TrustError> {
        let (note, checkpoint, signed) = self.verified(note)?;
        let time_of = |witness: &VerifierKey| signed.iter().find(|(key, _)| *key == witness).and_then(|(_, time)| *time);
        let times: Vec<_> = self.witnesses.iter().map(|(_, key)| time_of(key)).collect();
        let witnesses: Vec<_> = self.witnesses.iter().zip(&times).filter_map(|((name, _), time)| Some((name.clone(), (*time)?))).collect();
        if !self.quorum.met(&times.iter().map(Option::is_some).collect::<Vec<_>>()) {
            return Err(TrustError::Quorum { have: witnesses.into_iter().map(|(name, _)| name).collect() });
        }
        let unknown = note.unknown(&self.keys().collect::<Vec<_>>()).map(SignatureLine::name).map(str::to_owned).collect();
        Ok(TrustedCheckpoint { checkpoint, witnesses, unknown })
    }

    /// Verifies only that a log of the policy signed the checkpoint (and that no known signature is wrong), without asking for the quorum:
    /// enough for an earlier checkpoint that the log is held against.
    pub fn open_by_log(&self, note: &str) -> Result<Checkpoint, TrustError> {
        self.verified(note).map(|(_, checkpoint, _)| checkpoint)
    }

    #[expect(clippy::type_complexity, reason = "two callers, both above")]
    fn verified(&self, note: &str) -> Result<(Note, Checkpoint, Vec<(&VerifierKey, Option<u64>)>), TrustError> {
        let note: Note = note.parse()?;
        let signed: Vec<_> = note.verify(self.keys())?.into_iter().map(|signed| (signed.key, signed.time)).collect();
        let checkpoint: Checkpoint = note.text().parse()?;
        let by_log = signed.iter().any(|(key, _)| key.name() == checkpoint.origin && self.logs.contains(key));
        if by_log { Ok((note, checkpoint, signed)) } else { Err(TrustError::NotByLog { origin: checkpoint.origin }) }
    }

    fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter().chain(self.witnesses.iter().map(|(_, key)| key))
    }
}

impl FromStr for Policy {
    type Err = PolicyError;
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut parser = Parser { policy: Self { logs: Vec::new(), witnesses: Vec::new(), quorum: Rule::None }, names: HashMap::new(), quorum: None };
        let mut last = 0;
        for (line, content) in (1..).zip(text.split('\n')) {
            last = line;
            parser.line(content).map_err(|problem| PolicyError { line, problem })?;
        }
        let quorum =
            parser.quorum.ok_or(PolicyError { line: last, problem: "the quorum line is missing; `quorum none` asks for no witness".to_owned() })?;
        Ok(Self { quorum, ..parser.policy })
    }
}

struct Parser {
    policy: Policy,
    /// What each name stands for, and whether it is a member of a group: of one at most, so that no witness counts twice.
    names: HashMap<String, (Rule, bool)>,
    quorum: Option<Rule>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err("control characters are not allowed".to_owned());
        }
        // Only space and tab separate; other Unicode spaces are part of names.
        let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, need, ref members @ ..] if !members.is_empty() => self.group(name, need, members),
            ["quorum", name] => self.set_quorum(name),
            _ => {
                Err("expected `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, `group <name> all|any|<k> <name>...` or `quorum <name>`"
                    .to_owned())
            }
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key = read_key(key, Algorithm::Ed25519, "a log signs with Ed25519 (type 1)")?;
        if self.policy.logs.iter().any(|log| log.public() == key.public()) {
            return Err(format!("the key of log {} is listed twice", key.name()));
        }
        self.policy.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key = read_key(key, Algorithm::CosignatureV1, "a witness signs with Ed25519 cosignatures (type 4)")?;
        if self.policy.witnesses.iter().any(|(_, witness)| witness.public() == key.public()) {
            return Err(format!("the key of witness {name} is listed twice"));
        }
        self.define(name, Rule::Witness(self.policy.witnesses.len()))?;
        self.policy.witnesses.push((name.to_owned(), key));
        Ok(())
    }

    fn group(&mut self, name: &str, need: &str, members: &[&str]) -> Result<(), String> {
        let need = match need {
            "all" => members.len(),
            "any" => 1,
            k => super::checkpoint::decimal(k)
                .and_then(|k| usize::try_from(k).ok())
                .filter(|k| (1..=members.len()).contains(k))
                .ok_or(format!("a group needs `all`, `any` or a number from 1 to {} of its members", members.len()))?,
        };
        let members = members.iter().map(|member| self.take(member)).collect::<Result<_, _>>()?;
        self.define(name, Rule::Group { need, members })
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is a second quorum line".to_owned());
        }
        self.quorum = Some(if name == "none" { Rule::None } else { self.names.get(name).ok_or(format!("{name} is not defined above"))?.0.clone() });
        Ok(())
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), String> {
        if name == "none" || self.names.insert(name.to_owned(), (rule, false)).is_some() {
            return Err(format!("the name {name} is taken"));
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Result<Rule, String> {
        let (rule, member) = self.names.get_mut(name).ok_or(format!("{name} is not defined above"))?;
        if std::mem::replace(member, true) {
            return Err(format!("{name} is a member of a group already"));
        }
        Ok(rule.clone())
    }
}

fn read_key(key: &str, algorithm: Algorithm, rule: &str) -> Result<VerifierKey, String> {
    let key: VerifierKey = key.parse().map_err(|error: NoteError| error.to_string())?;
    if key.algorithm() == algorithm { Ok(key) } else { Err(rule.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::cosignature::CosigningKey;
    use crate::ledger::hash::Hash;
    use crate::ledger::key::SigningKey;

    fn log() -> SigningKey {
        SigningKey::from_seed("log.example.invalid", &[1; 32]).unwrap()
    }

    fn witness(n: u8) -> CosigningKey {
        CosigningKey::from_seed(&format!("w{n}.example.invalid"), &[100 + n; 32]).unwrap()
    }

    fn policy(rest: &str) -> Result<Policy, PolicyError> {
        let witnesses: String = (1..=3).map(|n| format!("witness w{n} {}\n", witness(n).verifier())).collect();
        format!("# who\nlog {} https://log.example.invalid/\n\n{witnesses}{rest}", log().verifier()).parse()
    }

    fn note(cosigners: &[u8]) -> String {
        let mut note = log().sign_checkpoint(0, Hash::empty_root());
        for n in cosigners {
            let line = witness(*n).cosign(note.text(), 7);
            note.add(line);
        }
        note.to_string()
    }

    #[test]
    fn the_quorum_decides_who_must_have_cosigned() {
        for (rules, yes, no) in [
            ("quorum none\n", vec![vec![], vec![1]], vec![]),
            ("quorum w2\n", vec![vec![2], vec![1, 2]], vec![vec![], vec![1, 3]]),
            ("group g any w1 w2\n\tquorum  g \n", vec![vec![1], vec![2, 1]], vec![vec![3]]),
            ("group g 2 w1 w2 w3\nquorum g", vec![vec![1, 3]], vec![vec![3], vec![3, 3]]),
            ("group a any w1 w2\ngroup b all a w3\nquorum b\n", vec![vec![1, 3]], vec![vec![1, 2], vec![3]]),
        ] {
            let policy = policy(rules).unwrap();
            for cosigners in yes {
                let trusted = policy.open(&note(&cosigners)).unwrap();
                assert_eq!(trusted.witnesses().len(), cosigners.len(), "{rules}");
            }
            for cosigners in no {
                assert!(matches!(policy.open(&note(&cosigners)), Err(TrustError::Quorum { .. })), "{rules} {cosigners:?}");
            }
        }
    }

    #[test]
    fn another_log_does_not_speak_for_this_one() {
        let policy = policy("quorum none").unwrap();
        let foreign = SigningKey::from_seed("log.example.invalid", &[2; 32]).unwrap().sign_checkpoint(0, Hash::empty_root());
        assert_eq!(policy.open(&foreign.to_string()), Err(TrustError::Note(NoteError::NoKnownKey)));
        let text = Checkpoint { origin: "other.example.invalid".to_owned(), size: 0, root: Hash::empty_root() }.to_string();
        assert!(matches!(policy.open(&log().sign(text).to_string()), Err(TrustError::NotByLog { .. })));
        let mut cosigned_only = foreign;
        let line = witness(1).cosign(cosigned_only.text(), 7);
        cosigned_only.add(line);
        assert!(matches!(policy.open(&cosigned_only.to_string()), Err(TrustError::NotByLog { .. })));
    }

    #[test]
    fn signatures_by_strangers_are_named_and_count_for_nothing() {
        let trusted = policy("quorum none").unwrap().open(&note(&[1, 9])).unwrap();
        assert_eq!((trusted.witnesses(), trusted.unknown()), (&[("w1".to_owned(), 7)][..], &["w9.example.invalid".to_owned()][..]));
    }

    #[test]
    fn a_policy_with_a_mistake_is_refused_with_its_line() {
        let again = format!("witness w4 {}\nquorum none", witness(1).verifier());
        for (rules, line) in [
            ("", 7),
            ("quorum w9", 7),
            ("quorum none\nquorum none", 8),
            ("group g 4 w1 w2 w3\nquorum g", 7),
            ("group g 0 w1\nquorum g", 7),
            ("group g 02 w1 w2\nquorum g", 7),
            ("group g any\nquorum g", 7),
            ("group g any w1 w1\nquorum g", 7),
            ("group g any w1\ngroup h any w1\nquorum h", 8),
            ("group none any w1\nquorum none", 7),
            ("group w1 any w2\nquorum w1", 7),
            ("group g any none\nquorum g", 7),
            ("quorum\u{a0}none", 7),
            ("quorum none\r\n", 7),
            ("trust everyone", 7),
            (&again, 7),
        ] {
            assert_eq!(policy(rules).map(|_| ()).map_err(|error| error.line), Err(line), "{rules:?}");
        }
        assert!(format!("log {}\nquorum none", witness(1).verifier()).parse::<Policy>().is_err(), "a witness key is not a log key");
    }
}
