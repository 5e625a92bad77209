// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The stories of a referral, one file each: submit, resubmit, consents, deliver, answer; and the one writer through which every change goes.
//!
//! What costs CPU (translation, minimisation, sealing, proofs) is done here, outside the writer and in parallel; what changes state is a
//! [`command`] and is applied in the writer's order. Reads never pass the writer.
//!
//! This part does not know: tonic, wire requests, sockets.

pub mod access;
pub mod apply;
pub mod command;
mod consents;
mod deliver;
mod demands;
mod erased;
mod excerpt;
pub mod findings;
pub mod fsck;
mod guesses;
mod lanes;
mod life;
mod person;
pub mod prepare;
mod query;
mod receipts;
mod recent;
mod refusal;
mod reminders;
pub mod replay;
mod resubmit;
mod retention;
mod rights;
mod room;
mod sheet;
mod storage;
mod submit;
mod survey;
mod tally;
mod texts;
mod wake;
mod working_set;
mod writer;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::outbox::QueueState;
pub use crate::referral::Event;
pub use apply::timestamp;
pub use command::{CallerName, Outcome, Parked, Withdrawn};
pub use consents::{Named, Question, Recorded};
pub use deliver::{AT_ONCE, Content, Outgoing, Started};
pub use excerpt::{Marks, Routing, StreamedRequest, SubmitRequest, day};
pub use life::Moved;
pub use person::{Hold, Person};
pub use query::{DeadLetter, ExportLogError, Overview};
pub use receipts::Issued;
pub use refusal::{Obstacle, Refusal};
pub use reminders::{About, Reminder, ReminderKind};
pub use retention::{Periods, Purged};
pub use rights::Actor;
pub use room::{Room, RoomNow};
pub use sheet::Sheet;
pub use submit::Submission;
pub use survey::{DeliveryView, Overdue};
pub use wake::Wake;
pub use writer::{Progress, WriterError};

use crate::agreement::{Agreement, Member};
use crate::clock::{Clock, FollowingClock};
use crate::consent::{Consent, SubjectRef};
use crate::dialect::{Dialect, Dialects};
use crate::id::{ConsentId, InstitutionId, RequestId};
use crate::ledger::{RollbackGuard, SigningKey};
use crate::store::{Connection, Store};
use crate::vault::Vault;
use command::{Adopt, Command, Idempotency};
use demands::Demands;
use guesses::Guesses;
use recent::Rows;
use writer::{Writer, WriterHandle};

/// Everything an exchange is made of.
pub struct Parts {
    /// The database and its one writing connection.
    pub store: (Store, Connection),
    /// Keys.
    pub vault: Vault,
    /// The log's key.
    pub key: SigningKey,
    /// What was signed last.
    pub guard: RollbackGuard,
    /// The agreement with its text.
    pub agreement: (Agreement, String),
    /// Dialects.
    pub dialects: Arc<Dialects>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long what is kept.
    pub periods: Periods,
    /// Room on the database's disk.
    pub room: Room,
}

/// The use cases.
pub struct Exchange {
    store: Store,
    writer: WriterHandle,
    vault: Arc<Vault>,
    key: Arc<SigningKey>,
    agreement: Arc<ArcSwap<Agreement>>,
    dialects: ArcSwap<Dialects>,
    clock: Arc<dyn Clock>,
    periods: Periods,
    room: Arc<Room>,
    progress: watch::Receiver<Progress>,
    wake: Wake,
    demands: Demands,
    /// Consents as they were when they were last read: for previews only.
    lately: Mutex<Rows<ConsentId, Arc<Consent>>>,
    /// Who tried withdrawal codes that nobody was given.
    guesses: Guesses,
    /// The queues as they were when they were last counted.
    surveyed: tokio::sync::Mutex<Option<survey::Surveyed>>,
}

impl Exchange {
    /// Takes log and database up, starts the writer and puts the agreement into force if it is new. The task ends when the exchange is
    /// dropped, or with an error when a write has failed: then the process must stop.
    pub async fn open(parts: Parts) -> Result<(Self, JoinHandle<Result<(), WriterError>>), OpenError> {
        let Parts { store: (store, conn), vault, key, guard, agreement: (agreement, text), dialects, clock, periods, room } = parts;
        if let Some(member) = unspoken(&agreement, &dialects) {
            return Err(OpenError::Dialect { member: member.id.clone(), dialect: member.dialect.clone() });
        }
        let (vault, key) = (Arc::new(vault), Arc::new(key));
        let agreement = Arc::new(ArcSwap::from_pointee(agreement));
        let (wake, demands, following) = (Wake::default(), Demands::default(), Arc::new(FollowingClock::new(clock)));
        let clock: Arc<dyn Clock> = following.clone();
        let (vault_of, key_of, room) = (vault.clone(), key.clone(), Arc::new(room));
        let shared = (wake.clone(), demands.clone(), room.clone());
        let (writer, progress) = Writer::new((store.way_back(), conn), key_of, guard, vault_of, agreement.clone(), following, shared).await?;
        let (writer, task) = writer.spawn();
        let exchange = Self {
            store,
            writer,
            vault,
            key,
            agreement,
            dialects: ArcSwap::new(dialects),
            clock,
            periods,
            room,
            progress,
            wake,
            demands,
            lately: Mutex::default(),
            guesses: Guesses::default(),
            surveyed: tokio::sync::Mutex::default(),
        };
        let in_force = exchange.agreement.load_full();
        if exchange.agreement_in_log().await?.as_ref() != Some(in_force.digest()) {
            exchange.adopt(in_force, text, "gateway".into()).await?;
        }
        Ok((exchange, task))
    }

    /// Puts a new agreement into force: a leaf of the log, and every later decision is made by it.
    pub async fn adopt(&self, agreement: Arc<Agreement>, text: String, actor: CallerName) -> Result<(), Refusal> {
        self.writer.run(Command::Adopt(Adopt { agreement, text, actor })).await.map(|_| ())
    }

    /// The agreement in force.
    pub fn agreement(&self) -> Arc<Agreement> {
        self.agreement.load_full()
    }
    /// The dialects in force. Whoever holds them goes on with them, whatever comes into force meanwhile.
    pub fn dialects(&self) -> Arc<Dialects> {
        self.dialects.load_full()
    }
    /// Puts other dialects into force; every member of the agreement must find its own among them ([`unspoken`]).
    pub fn adopt_dialects(&self, dialects: Arc<Dialects>) {
        self.dialects.store(dialects);
    }
    /// The gateway's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    /// Rings when something may be due for a recipient.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }
    /// Growth of the log.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
    /// Verifier key of the log.
    pub fn verifier_key(&self) -> String {
        self.key.verifier().to_string()
    }

    /// The dialect that a member speaks.
    pub fn dialect_of(&self, member: &Member) -> Option<Arc<Dialect>> {
        self.dialects.load().spoken(&member.dialect).cloned()
    }

    fn idempotency(&self, caller: &InstitutionId, request: RequestId, method: &str, content: &[u8]) -> Idempotency {
        let mut tagged = Vec::with_capacity(method.len() + 1 + content.len());
        tagged.extend_from_slice(method.as_bytes());
        tagged.push(0);
        tagged.extend_from_slice(content);
        Idempotency { caller: caller.as_str().into(), request, digest: self.vault.digest(&tagged) }
    }

    /// The keyed pseudonym of an institution's own reference of a person.
    fn subject(&self, institution: &InstitutionId, reference: &str) -> [u8; 32] {
        self.vault.pseudonym(institution.as_str(), reference)
    }
}

/// Why an exchange does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A member speaks a dialect that is not there.
    #[error("the agreement says that {member} speaks `{dialect}`, which is not among the dialects; see `weiche dialect list`")]
    Dialect {
        /// Who.
        member: InstitutionId,
        /// What.
        dialect: String,
    },
    /// The writer.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The agreement could not be noted.
    #[error("the agreement could not be put into force: {0}")]
    Agreement(#[from] Refusal),
}

/// The first member whose dialect is not there: it could be sent nothing.
pub fn unspoken<'a>(agreement: &'a Agreement, dialects: &Dialects) -> Option<&'a Member> {
    agreement.members().find(|member| dialects.spoken(&member.dialect).is_none())
}

/// A pseudonym as consent records hold it.
fn subject_ref(subject: &[u8; 32]) -> SubjectRef {
    SubjectRef(subject.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The pseudonym in a stored consent record; none if the record holds something else.
fn subject_of(consent: &Consent) -> Option<[u8; 32]> {
    consent.subject.pseudonym()
}

/// A consent and who gave it.
fn of_person(consent: &Consent) -> Option<(ConsentId, [u8; 32])> {
    Some((consent.id, subject_of(consent)?))
}

#[cfg(test)]
mod tests {
    use super::findings::FindingKind;
    use crate::agreement::{LegalBasis, Purpose};
    use crate::consent::Reason;
    use crate::numbered::Numbered;
    use crate::proto;
    use crate::referral::{RecallOutcome, ReferralState, StatusReason};

    /// Each word's name, as it would be in the contract, must have the word's number there.
    fn same<T: Numbered + std::fmt::Debug>(contract: &str) {
        let kind = proto::pool().get_enum_by_name(contract).unwrap();
        assert_eq!(kind.values().count(), T::WORDS.len() + 1, "{contract}");
        for word in T::WORDS {
            let value = kind.get_value(word.number()).unwrap();
            let squeezed = value.name().replace('_', "").to_lowercase();
            assert!(squeezed.ends_with(&format!("{word:?}").to_lowercase()), "{} is not {word:?}", value.name());
            assert_eq!(T::from_number(word.number().into()), Some(*word));
        }
        assert_eq!(T::from_number(0), None);
    }

    #[test]
    fn the_numbers_are_those_of_the_contract() {
        same::<ReferralState>("weiche.type.v1.ReferralState");
        same::<StatusReason>("weiche.type.v1.StatusReason");
        same::<Purpose>("weiche.type.v1.Purpose");
        same::<LegalBasis>("weiche.exchange.v1.LegalBasis");
        same::<RecallOutcome>("weiche.type.v1.RecallOutcome");
        same::<Reason>("weiche.exchange.v1.DecisionReason");
        same::<crate::exchange::ReminderKind>("weiche.exchange.v1.ReminderKind");
        same::<FindingKind>("weiche.audit.v1.FindingKind");
    }
}
