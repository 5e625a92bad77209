// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What can change the state: every change is one of these commands, and all of them go through the one writer.

use std::sync::Arc;
use std::time::Duration;

use super::person::Hold;
use super::prepare::Bound;
use super::retention::{Periods, Purged};
use crate::agreement::{Agreement, LegalBasis, Purpose, TextChange};
use crate::clock::Time;
use crate::consent::{Consent, Day, Party, Permit, Reason, Scope};
use crate::dialect::{Category, CategoryMask};
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId, RequestId};
use crate::outbox::{Delivery, Failure, LaneId, LeaseToken};
use crate::proto::types::StatusChange;
use crate::referral::{RecallId, RecallOutcome, ReferralState, StatusReason};
use crate::vault::{CommitmentSalt, Sealed};

/// Who sent a command: an institution's id, or `operator:<name>`.
pub type CallerName = Arc<str>;

/// The caller's id of a mutating call, and what it contains, so that its repetition is recognised.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Who.
    pub caller: CallerName,
    /// Chosen by the caller.
    pub request: RequestId,
    /// Keyed digest of the content.
    pub digest: [u8; 32],
}

/// A change of state.
#[derive(Debug)]
pub enum Command {
    /// Accept a referral, or log why not.
    Submit(Box<Submit>),
    /// Submit what was blocked once more, or log why not.
    Resubmit(Box<Resubmit>),
    /// Record a consent or a new version of it.
    RecordConsent(Box<RecordConsent>),
    /// Withdraw a consent, wholly or in part.
    Withdraw(Box<Withdraw>),
    /// Start what is due for a recipient; each start is decided and logged.
    Release(Release),
    /// The outcome of an attempt.
    Settle(Settle),
    /// The recipient's answer.
    Answer(Box<Answer>),
    /// Take a referral back, or end it.
    Cancel(Cancel),
    /// The recipient's answer to a recall.
    AnswerRecall(AnswerRecall),
    /// Put a dead letter back.
    Requeue(Requeue),
    /// Hold back what is queued, or let it go again.
    Park(Park),
    /// Note that an operator ends the process.
    Drain(Drain),
    /// End what nobody delivered or answered in time.
    Expire(Expire),
    /// Remind recipients of recalls that they have not answered.
    Remind(Remind),
    /// A new agreement is in force.
    Adopt(Adopt),
    /// A text is approved or revoked.
    ChangeText(Box<ChangeText>),
    /// Erase what is due, or note that a run is over.
    Purge(Box<Purge>),
    /// Erase everything of a person.
    ErasePerson(ErasePerson),
    /// Bind, or unbind, those who handle a person's data.
    Bind(Bind),
    /// Note that somebody looks at what is there of persons.
    Look(Look),
    /// Tell a recipient that data are wrong.
    Correct(Correct),
}

/// Accept a referral. Translation, minimisation and sealing have been done outside, under the mask that was permitted then.
#[derive(Debug)]
pub struct Submit {
    /// Whose call.
    pub idempotency: Idempotency,
    /// What is asked of consent and agreement.
    pub transfer: Transfer,
    /// Chosen by the gateway.
    pub referral: ReferralId,
    /// Chosen by the gateway.
    pub delivery: DeliveryId,
    /// Where its delivery comes.
    pub lane: LaneId,
    /// The person's German is below B1; looked at on submission and not kept.
    pub below_b1: bool,
    /// The sealed referral; none if it was denied outside, so that only the refusal is logged.
    pub sealed: Option<SealedReferral>,
}

/// One transfer as consent and agreement judge it, with everything needed to judge it again later.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Who refers.
    pub sender: Party,
    /// To whom.
    pub recipient: Party,
    /// What for.
    pub purpose: Purpose,
    /// Keyed pseudonym of the person.
    pub subject: [u8; 32],
    /// What the referral carries.
    pub carried: CategoryMask,
    /// When the gateway took it.
    pub submitted_at: Time,
    /// Consent it rests on.
    pub consent: Option<ConsentId>,
    /// Necessity code on a statutory route.
    pub necessity: Option<String>,
    /// It carries data that the sender itself received.
    pub onward: bool,
    /// The consent under which the sender received them.
    pub origin: Option<ConsentId>,
    /// AGS of the person's address; looked at on submission and not kept.
    pub municipality: Option<String>,
    /// The person's date of birth; looked at on submission and not kept.
    pub born: Option<Day>,
}

/// The content of a referral in the clear: for the moment between its acceptance and its release in the same batch. Says nothing of itself.
#[derive(Clone, PartialEq)]
pub struct Plain(pub bytes::Bytes);

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A referral ready to store.
#[derive(Debug)]
pub struct SealedReferral {
    /// The content.
    pub content: Sealed,
    /// The same in the clear.
    pub plain: Plain,
    /// The mask under which it was minimised.
    pub mask: CategoryMask,
    /// Opening of the commitment.
    pub salt: CommitmentSalt,
    /// Commitment to the content.
    pub commitment: [u8; 32],
    /// The sender's file number, sealed.
    pub case_number: Vec<u8>,
    /// First 8 bytes of the digest of the recipient's plan.
    pub plan: [u8; 8],
    /// Paths of fields that translation loses, all of them.
    pub lost_paths: Vec<String>,
}

/// Submit a blocked referral once more.
#[derive(Debug)]
pub struct Resubmit {
    /// Whose call.
    pub idempotency: Idempotency,
    /// The sender: the caller.
    pub sender: InstitutionId,
    /// Which.
    pub referral: ReferralId,
    /// Consent it shall rest on; none: the one before.
    pub consent: Option<ConsentId>,
    /// Chosen by the gateway.
    pub delivery: DeliveryId,
    /// What of it can go again.
    pub content: Again,
}

/// What a preparation outside the writer made of the content of a blocked referral.
#[derive(Debug)]
pub enum Again {
    /// Minimised and sealed for the new delivery.
    Sealed(SealedAgain),
    /// Denied, so only the refusal is to be logged.
    Denied,
    /// The gateway no longer has it.
    Erased,
}

/// The content of a referral that was blocked, sealed for another delivery.
#[derive(Debug)]
pub struct SealedAgain {
    /// The content.
    pub sealed: Sealed,
    /// The mask under which it was minimised.
    pub mask: CategoryMask,
    /// Opening of the commitment.
    pub salt: CommitmentSalt,
    /// Commitment to the content.
    pub commitment: [u8; 32],
    /// First 8 bytes of the digest of the recipient's plan.
    pub plan: [u8; 8],
}

/// Record a consent.
#[derive(Debug)]
pub struct RecordConsent {
    /// Whose call.
    pub idempotency: Idempotency,
    /// The institution that recorded it: the caller.
    pub controller: InstitutionId,
    /// The record as sent, the subject already a pseudonym.
    pub consent: Consent,
    /// Keyed digests of the codes that may be printed on the person's receipt, in the order of preference.
    pub codes: Vec<[u8; 32]>,
    /// Full calendar years after its end that the evidence is kept if the record does not say it.
    pub kept_for_years: u16,
}

/// Withdraw a consent.
#[derive(Debug)]
pub struct Withdraw {
    /// Whose call.
    pub idempotency: Idempotency,
    /// Which.
    pub consent: ConsentId,
    /// Who passes it on: the caller.
    pub received_by: InstitutionId,
    /// The person handed over the code of its receipt: then any institution may pass it on.
    pub by_code: bool,
    /// What of it.
    pub scope: Scope,
    /// How it came.
    pub channel: String,
}

/// Start what is due.
#[derive(Debug)]
pub struct Release {
    /// For whom.
    pub recipient: InstitutionId,
    /// At most so many.
    pub limit: u32,
    /// How long the lease holds.
    pub lease: Duration,
}

/// The outcome of an attempt.
#[derive(Debug)]
pub struct Settle {
    /// Who settles: the recipient on a pull stream, none for the gateway's own worker. A recipient settles only what is its own.
    pub recipient: Option<InstitutionId>,
    /// Which.
    pub delivery: DeliveryId,
    /// Of the lease.
    pub token: LeaseToken,
    /// What happened.
    pub outcome: Outcome,
}

/// What happened to an attempt.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Acknowledged.
    Delivered,
    /// Failed; `code` is the gRPC code's name.
    Failed {
        /// Whether to try again.
        failure: Failure,
        /// For operators and the log.
        code: String,
        /// 0..=1, spreads the retries.
        random: f64,
    },
    /// Never begun: put back as it was, without an attempt.
    Returned,
    /// Never begun and not to be: what it would tell may no longer be told.
    Untold,
}

/// The recipient's answer.
#[derive(Debug)]
pub struct Answer {
    /// Whose call.
    pub idempotency: Idempotency,
    /// The recipient: the caller.
    pub recipient: InstitutionId,
    /// Which referral.
    pub referral: ReferralId,
    /// Chosen by the recipient.
    pub event: [u8; 16],
    /// The new state.
    pub state: ReferralState,
    /// Why.
    pub reason: Option<StatusReason>,
    /// The change as sent; what may not go to the sender is cut in the command.
    pub change: StatusChange,
}

/// Take back or end.
#[derive(Debug)]
pub struct Cancel {
    /// Whose call.
    pub idempotency: Idempotency,
    /// Sender or recipient: the caller.
    pub caller: InstitutionId,
    /// Which.
    pub referral: ReferralId,
    /// Why.
    pub reason: StatusReason,
    /// It should never have existed.
    pub entered_in_error: bool,
}

/// The answer to a recall.
#[derive(Debug)]
pub struct AnswerRecall {
    /// Whose call.
    pub idempotency: Idempotency,
    /// The recipient: the caller.
    pub recipient: InstitutionId,
    /// Which.
    pub recall: RecallId,
    /// What was done.
    pub outcome: RecallOutcome,
    /// The norm that demands keeping.
    pub norm: String,
}

/// Put a dead letter back.
#[derive(Debug)]
pub struct Requeue {
    /// Whose call.
    pub idempotency: Idempotency,
    /// Which.
    pub delivery: DeliveryId,
}

/// Hold back what is queued, or let it go again.
#[derive(Debug)]
pub struct Park {
    /// Whose call.
    pub idempotency: Idempotency,
    /// What.
    pub what: Parked,
    /// Until when, [`crate::outbox::FOREVER`] for good; none: let it go again.
    pub until: Option<Time>,
}

/// What can be parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parked {
    /// One delivery, and with it what waits behind it in its lane: the order is kept.
    Delivery(DeliveryId),
    /// Everything for a recipient, now and later.
    Recipient(InstitutionId),
}

/// Note that an operator ends the process.
#[derive(Debug)]
pub struct Drain {
    /// Whose call.
    pub idempotency: Idempotency,
}

/// End what is overdue.
#[derive(Debug)]
pub struct Expire {
    /// Submitted before.
    pub before: Time,
    /// At most so many.
    pub limit: u32,
}

/// Remind recipients of what they owe an answer to.
#[derive(Debug)]
pub struct Remind {
    /// At most so many.
    pub limit: u32,
}

/// A new agreement.
#[derive(Debug)]
pub struct Adopt {
    /// It.
    pub agreement: Arc<Agreement>,
    /// Its text.
    pub text: String,
    /// Who: `operator:<name>` or `gateway`.
    pub actor: CallerName,
}

/// Approve or revoke a text that people agree to.
#[derive(Debug)]
pub struct ChangeText {
    /// Whose call.
    pub idempotency: Idempotency,
    /// What.
    pub change: TextChange,
}

/// Erase what is due of what is named here; what is not due any more stays.
#[derive(Debug)]
pub struct Purge {
    /// Who: `operator:<name>` or `gateway`.
    pub actor: CallerName,
    /// What is due.
    pub periods: Periods,
    /// Whose contents.
    pub deliveries: Vec<DeliveryId>,
    /// With their history.
    pub referrals: Vec<ReferralId>,
    /// With all their versions.
    pub consents: Vec<ConsentId>,
    /// Of whom nothing else is there.
    pub subjects: Vec<[u8; 32]>,
    /// Answers to calls before.
    pub requests_before: Option<Time>,
    /// The run is over and did so much: to be noted, and nothing more.
    pub done: Option<Purged>,
}

impl Purge {
    /// Nothing yet.
    pub fn by(actor: CallerName, periods: Periods) -> Self {
        let (deliveries, referrals, consents, subjects) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { actor, periods, deliveries, referrals, consents, subjects, requests_before: None, done: None }
    }
}

/// Erase everything that is there of a person, as one institution refers to them.
#[derive(Debug)]
pub struct ErasePerson {
    /// Whose call.
    pub idempotency: Idempotency,
    /// Whose reference it is.
    pub institution: InstitutionId,
    /// Keyed pseudonym.
    pub subject: [u8; 32],
}

/// Bind, or unbind, those who handle a person's data.
#[derive(Debug)]
pub struct Bind {
    /// Whose call.
    pub idempotency: Idempotency,
    /// Whose reference it is.
    pub institution: InstitutionId,
    /// Keyed pseudonym.
    pub subject: [u8; 32],
    /// How.
    pub bond: Bond,
}

/// What binds those who handle a person's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bond {
    /// Processing is restricted (Art. 18 GDPR), or no longer.
    Restricted(bool),
    /// Nothing is erased for a reason and until a day, or no longer.
    Hold(Option<Hold>),
}

/// Tell the recipient of a referral that data are wrong.
#[derive(Debug)]
pub struct Correct {
    /// Whose call.
    pub idempotency: Idempotency,
    /// The sender: the caller.
    pub sender: InstitutionId,
    /// Which.
    pub referral: ReferralId,
    /// What of it.
    pub categories: CategoryMask,
}

/// Note that somebody looks at what is there of persons.
#[derive(Debug)]
pub struct Look {
    /// Who: `operator:<name>`, or an institution.
    pub actor: CallerName,
    /// At what.
    pub what: &'static str,
    /// Of one person: whose reference it is, and the keyed pseudonym.
    pub of: Option<(InstitutionId, [u8; 32])>,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Reply {
    /// Accepted.
    Submitted {
        /// Chosen by the gateway.
        referral: ReferralId,
        /// What may go.
        granted: CategoryMask,
        /// What was sent and stays behind.
        withheld: Vec<(Category, Reason)>,
        /// On which basis.
        legal_basis: LegalBasis,
        /// By what the recipient is bound.
        #[serde(default)]
        bound: Bound,
    },
    /// Recorded.
    ConsentRecorded {
        /// Which.
        consent: ConsentId,
        /// The version that now holds.
        version: u32,
        /// Which of the codes is on the person's receipt; none in replies from before there were codes.
        #[serde(default)]
        code: Option<usize>,
    },
    /// Withdrawn.
    Withdrawn(Withdrawn),
    /// Started.
    #[serde(skip)]
    Released(Vec<Released>),
    /// Noted.
    Settled,
    /// The referral's new state.
    Moved(ReferralState),
    /// Noted.
    Done,
    /// How many.
    Expired(u32),
    /// How many went out, and whether there may be more.
    #[serde(skip)]
    Reminded {
        /// Reminders that went out.
        sent: u32,
        /// The limit was reached.
        more: bool,
    },
    /// So much.
    Purged(Purged),
    /// The recipient's answer is noted.
    Answered {
        /// Where the referral stands.
        state: ReferralState,
        /// What the sender is told.
        told: Told,
    },
}

/// What of a recipient's answer goes to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// The state and why; none if the sender is not told at all.
    pub state: Option<(ReferralState, Option<StatusReason>)>,
    /// Which of the optional contents.
    pub data: CategoryMask,
}

/// What a withdrawal did.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Withdrawn {
    /// The version that now holds.
    pub version: u32,
    /// Queued, and will not be sent; nothing of them has ever left.
    pub stopped: Vec<ReferralId>,
    /// Being sent at this moment, or sent before without an answer: possibly delivered, and called back.
    pub in_flight: Vec<ReferralId>,
    /// Delivered before, and called back.
    pub recalled: Vec<ReferralId>,
}

/// One started delivery. Its bytes may leave once the batch is committed and signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// The delivery, with its lease.
    pub delivery: Delivery,
    /// For a referral: on what grounds, and with which marks.
    pub permit: Option<Permit>,
    /// What may leave now.
    pub mask: CategoryMask,
    /// Less may leave than was stored: the content is minimised once more.
    pub narrowed: bool,
    /// Where the referral stands.
    pub state: ReferralState,
    /// The leaf of the release.
    pub leaf: u64,
    /// Its content, if it was queued in the same batch.
    pub plain: Option<Plain>,
}
