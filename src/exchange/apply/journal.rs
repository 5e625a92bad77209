// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a leaf says: the same words for every kind, filled from the referral it is about.

use super::Batch;
use prost::Message;

use crate::exchange::person::Person;
use crate::exchange::refusal::Refusal;
use crate::numbered::Numbered;
use crate::outbox::Delivery;
use crate::proto::audit::{Entry, EntryKind};
use crate::referral::Referral;

/// Bytes of a leaf of the hot kinds at most: a bundle of 256 stays within 64 KiB.
const SMALL: usize = 246;

/// Names fields that translation loses as far as the leaf stays small; the last word counts the others, such as `+3`. To be called when the rest of
/// the leaf is filled.
pub(super) fn name_lost(entry: &mut Entry, paths: &[String]) {
    for (named, path) in paths.iter().enumerate() {
        let count = |left: usize| if left == 0 { String::new() } else { format!("+{left}") };
        let (left, after) = (count(paths.len() - named), count(paths.len() - named - 1));
        entry.lost_paths.push(path.clone());
        entry.lost_paths.extend((!after.is_empty()).then_some(after));
        let fits = entry.encoded_len() <= SMALL;
        entry.lost_paths.truncate(named + usize::from(fits));
        if !fits {
            entry.lost_paths.push(left);
            return;
        }
    }
}

/// Who acts when the gateway does something by itself.
pub const GATEWAY: &str = "gateway";

impl Batch<'_> {
    /// A leaf of this instant under the agreement in force.
    pub(super) fn entry(&self, kind: EntryKind, actor: &str) -> Entry {
        Entry {
            version: 1,
            kind: kind.into(),
            at_ms: self.now.0,
            actor: actor.to_owned(),
            agreement: bytes::Bytes::copy_from_slice(&self.agreement.digest()[..8]),
            ..Entry::default()
        }
    }

    /// A leaf about a referral, tagged with its person.
    pub(super) fn entry_about(&mut self, kind: EntryKind, actor: &str, referral: &Referral) -> Result<Entry, Refusal> {
        let counterpart = if actor == referral.recipient.as_str() { &referral.sender } else { &referral.recipient };
        Ok(Entry {
            counterpart: counterpart.to_string(),
            purpose: referral.purpose.number(),
            referral_id: bytes::Bytes::copy_from_slice(referral.id.as_bytes()),
            consent_id: referral.consent.map(|id| bytes::Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
            consent_version: referral.consent_version,
            subject_tag: self.tag(&referral.subject)?,
            ..self.entry(kind, actor)
        })
    }

    /// The same with its delivery.
    pub(super) fn entry_of(&mut self, kind: EntryKind, actor: &str, referral: &Referral, delivery: &Delivery) -> Result<Entry, Refusal> {
        let mut entry = self.entry_about(kind, actor, referral)?;
        entry.delivery_id = bytes::Bytes::copy_from_slice(delivery.id.as_bytes());
        entry.attempt = delivery.attempts;
        Ok(entry)
    }

    /// The tag of a person on the next leaf, whose index makes it another one than every other; a person seen for the first time gets a key.
    pub(super) fn tag(&mut self, subject: &[u8; 32]) -> Result<bytes::Bytes, Refusal> {
        if self.set.subjects.get(subject).is_none() {
            let person = Person { wrapped: self.vault.new_subject_key(subject)?, seen_at: self.now, ..Person::default() };
            self.set.subjects.put(*subject, person);
        }
        let person = self.set.subjects.get(subject).ok_or(Refusal::Internal("a person's key is missing"))?;
        let tag = self.vault.subject_tag(subject, &person.wrapped, self.first_leaf + self.leaves.len() as u64)?;
        Ok(bytes::Bytes::copy_from_slice(&tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_names_as_many_lost_fields_as_keep_it_small_and_counts_the_rest() {
        let paths: Vec<String> = (0..30).map(|n| format!("subject.languages[{n}].language")).collect();
        for filled in 0..=SMALL - 10 {
            let mut entry = Entry { detail: "x".repeat(filled), ..Entry::default() };
            name_lost(&mut entry, &paths);
            assert!(entry.encoded_len() <= SMALL, "{filled}: {}", entry.encoded_len());
            let (count, named) = entry.lost_paths.split_last().unwrap();
            assert_eq!(*count, format!("+{}", paths.len() - named.len()));
            assert_eq!(named, &paths[..named.len()]);
        }
        let mut entry = Entry::default();
        name_lost(&mut entry, &paths[..3]);
        assert_eq!(entry.lost_paths, paths[..3]);
        name_lost(&mut Entry::default(), &[]);
    }
}
