// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One command at a time, in order: a pure change of the working set, the leaves that say so, and an answer.
//!
//! A command that is refused changes nothing; some refusals are logged all the same. Nothing here waits, reads a clock or touches a database.

mod consents;
mod journal;
mod lifecycle;
mod operator;
mod queue;
mod recalls;
mod release;
mod resubmit;
mod rights;
mod settle;
mod submit;

use std::sync::Arc;

pub(super) use lifecycle::{carried, cut};
pub use queue::{lane, timestamp};

use prost::Message;

use super::command::{CallerName, Command, Idempotency, Parked, Reply};
use super::refusal::Refusal;
use super::storage::Additions;
use super::working_set::{Request, Wanted, WorkingSet};
use crate::agreement::Agreement;
use crate::clock::Time;
use crate::ledger::Hash;
use crate::proto::audit::Entry;
use crate::vault::Vault;

/// A batch in the making.
pub struct Batch<'a> {
    /// What it sees and changes.
    pub set: WorkingSet,
    /// The agreement in force; a command may replace it for those after it.
    pub agreement: Arc<Agreement>,
    /// For tags, and for sealing what the gateway itself writes.
    pub vault: &'a Vault,
    /// The one instant at which the whole batch happens.
    pub now: Time,
    /// Room on the disk is short: what can wait is refused.
    pub short: bool,
    /// Index of its first leaf.
    pub first_leaf: u64,
    /// Its leaves.
    pub leaves: Vec<(Vec<u8>, Hash)>,
    /// Openings of commitments, by index.
    pub openings: Vec<(u64, [u8; 32])>,
    /// New rows that are never changed.
    pub added: Additions,
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What to tell the caller.
    pub reply: Reply,
    /// The leaf that the receipt proves; none if the command logged nothing.
    pub leaf: Option<u64>,
    /// Size of the log that the receipt of an earlier, identical call proves it in; none: this batch's.
    pub earlier_size: Option<u64>,
}

impl Answered {
    fn logged(reply: Reply, leaf: u64) -> Self {
        Self { reply, leaf: Some(leaf), earlier_size: None }
    }
    fn quiet(reply: Reply) -> Self {
        Self { reply, leaf: None, earlier_size: None }
    }
}

impl Command {
    /// What the command needs to see.
    pub fn wants(&self, wanted: &mut Wanted) {
        let mut call = |idempotency: &Idempotency| wanted.requests.push((idempotency.caller.clone(), idempotency.request));
        match self {
            Self::Submit(c) => {
                call(&c.idempotency);
                wanted.consents.extend(c.transfer.consent);
                wanted.consents.extend(c.transfer.origin);
                wanted.subjects.push(c.transfer.subject);
                wanted.lanes.push(c.lane);
                wanted.recipients.push(c.transfer.recipient.institution.clone());
            }
            Self::Resubmit(c) => {
                call(&c.idempotency);
                wanted.referrals.push(c.referral);
                wanted.consents.extend(c.consent);
            }
            Self::RecordConsent(c) => {
                call(&c.idempotency);
                wanted.consents.push(c.consent.id);
                wanted.consents.extend(c.consent.supersedes);
                wanted.codes.extend(&c.codes);
                wanted.subjects.extend(super::subject_of(&c.consent));
            }
            Self::Withdraw(c) => {
                call(&c.idempotency);
                wanted.under_consent.push(c.consent);
            }
            Self::Release(c) => wanted.due.push((c.recipient.clone(), c.limit)),
            Self::Settle(c) => wanted.deliveries.push(c.delivery),
            Self::Answer(c) => {
                call(&c.idempotency);
                wanted.referrals.push(c.referral);
                wanted.events.push((c.referral, c.event));
            }
            Self::Cancel(c) => {
                call(&c.idempotency);
                wanted.referrals.push(c.referral);
            }
            Self::AnswerRecall(c) => {
                call(&c.idempotency);
                wanted.recalls.push(c.recall);
            }
            Self::Requeue(c) => {
                call(&c.idempotency);
                wanted.deliveries.push(c.delivery);
            }
            Self::Park(c) => {
                call(&c.idempotency);
                match &c.what {
                    Parked::Delivery(id) => wanted.deliveries.push(*id),
                    Parked::Recipient(id) => wanted.recipients.push(id.clone()),
                }
            }
            Self::Drain(c) => call(&c.idempotency),
            Self::ChangeText(c) => call(&c.idempotency),
            Self::Expire(c) => wanted.overdue = Some((c.before, c.limit)),
            Self::Remind(c) => wanted.to_remind = Some(c.limit),
            Self::Adopt(_) => {}
            Self::Correct(c) => {
                call(&c.idempotency);
                wanted.referrals.push(c.referral);
                wanted.recalls_of.push(c.referral);
            }
            Self::Look(c) => wanted.subjects.extend(c.of.iter().map(|(_, subject)| *subject)),
            Self::Purge(c) => {
                wanted.deliveries.extend(&c.deliveries);
                wanted.referrals.extend(&c.referrals);
                wanted.under_consent.extend(&c.consents);
                wanted.subjects.extend(&c.subjects);
            }
            Self::ErasePerson(c) => {
                call(&c.idempotency);
                wanted.everything_of.push(c.subject);
            }
            Self::Bind(c) => {
                call(&c.idempotency);
                wanted.everything_of.push(c.subject);
            }
        }
    }
}

impl Batch<'_> {
    /// Applies one command.
    pub fn apply(&mut self, command: Command) -> Result<Answered, Refusal> {
        match command {
            Command::Submit(mut c) => {
                let call = c.idempotency.clone();
                self.once(&call, |batch| batch.unless_short().and_then(|()| batch.submit(&mut c)))
            }
            Command::Resubmit(mut c) => {
                let call = c.idempotency.clone();
                self.once(&call, |batch| batch.unless_short().and_then(|()| batch.resubmit(&mut c)))
            }
            Command::RecordConsent(c) => self.once(&c.idempotency, |batch| batch.record_consent(&c)),
            Command::Withdraw(c) => self.once(&c.idempotency, |batch| batch.withdraw(&c)),
            Command::Answer(c) => self.once(&c.idempotency, |batch| batch.answer(&c)),
            Command::Cancel(c) => self.once(&c.idempotency, |batch| batch.cancel(&c)),
            Command::AnswerRecall(c) => self.once(&c.idempotency, |batch| batch.answer_recall(&c)),
            Command::Requeue(c) => self.once(&c.idempotency, |batch| batch.requeue(&c)),
            Command::Park(c) => self.once(&c.idempotency, |batch| batch.park(&c)),
            Command::ChangeText(c) => self.once(&c.idempotency, |batch| batch.change_text(&c.idempotency.caller, &c.change)),
            Command::Drain(c) => self.once(&c.idempotency, |batch| Ok(batch.drain(&c))),
            Command::Release(c) => self.release(&c),
            Command::Settle(c) => self.settle(&c),
            Command::Expire(c) => self.expire(&c),
            Command::Remind(c) => self.remind(&c),
            Command::Adopt(c) => self.adopt(c),
            Command::Purge(c) => self.purge(&c),
            Command::ErasePerson(c) => self.once(&c.idempotency, |batch| batch.erase_person(&c)),
            Command::Look(c) => self.look(&c),
            Command::Correct(c) => self.once(&c.idempotency, |batch| batch.correct(&c)),
            Command::Bind(c) => self.once(&c.idempotency, |batch| batch.bind(&c)),
        }
    }

    /// For what can wait. Whoever asks again for what was done gets its answer all the same.
    fn unless_short(&self) -> Result<(), Refusal> {
        if self.short { Err(Refusal::Full) } else { Ok(()) }
    }

    /// The same call again has the same answer and changes nothing; the same id with other content is refused.
    fn once(&mut self, call: &Idempotency, first: impl FnOnce(&mut Self) -> Result<(Reply, u64), Refusal>) -> Result<Answered, Refusal> {
        let key: (CallerName, _) = (call.caller.clone(), call.request);
        if let Some(earlier) = self.set.requests.get(&key) {
            if earlier.digest != call.digest {
                return Err(Refusal::RequestIdReused);
            }
            let reply = serde_json::from_slice(&earlier.reply).map_err(|_| Refusal::Internal("an earlier reply cannot be read"))?;
            // Zero: the earlier call is in this very batch.
            let earlier_size = (earlier.tree_size != 0).then_some(earlier.tree_size);
            return Ok(Answered { reply, leaf: Some(earlier.leaf), earlier_size });
        }
        let (reply, leaf) = first(self)?;
        let stored = serde_json::to_vec(&reply).map_err(|_| Refusal::Internal("a reply cannot be written"))?;
        self.set.requests.put(key, Request { digest: call.digest, reply: stored, leaf, tree_size: 0, at: self.now });
        Ok(Answered::logged(reply, leaf))
    }

    /// Writes a leaf and returns its index.
    fn log(&mut self, entry: &Entry) -> u64 {
        let bytes = entry.encode_to_vec();
        let hash = Hash::leaf(&bytes);
        let index = self.first_leaf + self.leaves.len() as u64;
        self.leaves.push((bytes, hash));
        index
    }
}
