// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The log is the state: whoever reads only the entries, one after the other, arrives at the same states as the tables, and sees on the way that
//! every step was allowed. What is kept in memory grows with the number of referrals and their deliveries, not with what was written about them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::dialect::CategoryMask;
use crate::numbered::Numbered;
use crate::outbox::State;
use crate::proto::audit::{Entry, EntryKind};
use crate::referral::{Actor, ReferralState, StatusReason, StepError, step};

/// Why an entry cannot follow those before it: a promise was broken, or the log was not written by this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Of another version of the message.
    #[error("the entry is of version {0}, this program reads version 1")]
    Version(u32),
    /// No kind, or one that this program does not know.
    #[error("the entry is of no kind that this program knows")]
    Kind,
    /// An id is missing or has another length.
    #[error("the entry has no {0}")]
    Missing(&'static str),
    /// It speaks of something that was never begun.
    #[error("the entry speaks of a {0} that is not in the log before it")]
    Unknown(&'static str),
    /// Data went or were taken without a consent in its version in force.
    #[error("the consent named was not in force in version {0}")]
    NotCovered(u32),
    /// More categories than were stored.
    #[error("more data were {0} than the entry before had granted")]
    TooMuch(&'static str),
    /// A delivery took a step that it could not take.
    #[error("a delivery was {what} although it was {was:?}")]
    Delivery {
        /// The step.
        what: &'static str,
        /// Where it stood.
        was: Option<State>,
    },
    /// A referral took a step that it could not take.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A referral was sent on although it no longer waited.
    #[error("a referral was released although it was {0:?}")]
    Released(ReferralState),
    /// A referral was erased although it waited.
    #[error("a referral was erased although it was {0:?}")]
    Erased(ReferralState),
    /// Neither side and not the gateway.
    #[error("a referral was moved by somebody who is no side of it")]
    Stranger,
}

/// What the leaf says of a dead letter whose content was erased.
pub(super) const ERASED: &str = "ERASED";

/// What the entries say of one referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    sender: Arc<str>,
    recipient: Arc<str>,
    /// The categories that were sealed.
    pub granted: CategoryMask,
    /// Where it stands.
    pub state: ReferralState,
    /// Why.
    pub reason: Option<StatusReason>,
    /// What was queued for it.
    deliveries: Vec<[u8; 16]>,
}

/// What the entries read so far say of everything. Ids are those of the entries.
#[derive(Debug, Default)]
pub struct Replay {
    /// Referrals.
    pub referrals: HashMap<[u8; 16], Story>,
    /// Deliveries: where each stands, and its attempts since it was last put back.
    pub deliveries: HashMap<[u8; 16], (State, u32)>,
    /// Consents: the version, and whether it lets anything go.
    pub consents: HashMap<[u8; 16], (u32, bool)>,
    /// Each institution's name once.
    names: HashSet<Arc<str>>,
}

impl Replay {
    /// Reads the next entry. After an error the state is as far as the entry could be followed; later ones may fail for its sake.
    pub fn read(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        use EntryKind::*;
        if entry.version != 1 {
            return Err(ReplayError::Version(entry.version));
        }
        match EntryKind::try_from(entry.kind).unwrap_or(Unspecified) {
            ConsentRecorded | ConsentWithdrawn => {
                let active = entry.detail == "ACTIVE";
                self.consents.insert(id(&entry.consent_id, "consent")?, (entry.consent_version, active));
            }
            ReferralSubmitted => {
                self.is_covered(entry)?;
                let story = Story {
                    sender: self.name(&entry.actor),
                    recipient: self.name(&entry.counterpart),
                    granted: CategoryMask::from_bits(entry.granted),
                    state: ReferralState::Submitted,
                    reason: None,
                    deliveries: Vec::new(),
                };
                let granted = story.granted;
                // A second time only to repair what was blocked, and never with more than there was.
                let referral = id(&entry.referral_id, "referral")?;
                if let Some(before) = self.referrals.insert(referral, story) {
                    step(before.state, ReferralState::Submitted, Actor::Sender, None)?;
                    if !before.granted.covers(granted) {
                        return Err(ReplayError::TooMuch("submitted again"));
                    }
                    self.referrals.entry(referral).and_modify(|story| story.deliveries = before.deliveries);
                }
                self.queued(entry)?;
            }
            Released => {
                if entry.detail == "referral" {
                    self.is_covered(entry)?;
                    let story = self.story(entry)?;
                    if story.state != ReferralState::Submitted {
                        return Err(ReplayError::Released(story.state));
                    }
                    if !story.granted.covers(CategoryMask::from_bits(entry.granted)) {
                        return Err(ReplayError::TooMuch("released"));
                    }
                }
                // A status is queued without an entry: nothing is promised with it.
                let known = self.queued(entry)?;
                if !known.0.is_open() {
                    return Err(ReplayError::Delivery { what: "released", was: Some(known.0) });
                }
                *known = (State::Started, entry.attempt);
            }
            ReleaseDenied => {
                self.end(entry, State::Stopped)?;
                self.go(entry, Actor::Gateway)?;
            }
            Delivered => {
                self.end(entry, State::Delivered)?;
                if entry.state != 0 {
                    self.go(entry, Actor::Gateway)?;
                }
            }
            AttemptFailed => {
                let known = self.known(entry)?;
                if known.0 != State::Started {
                    return Err(ReplayError::Delivery { what: "failed", was: Some(known.0) });
                }
                known.0 = State::Ready;
                self.uncount(entry)?;
            }
            Dead => self.end(entry, State::Dead)?,
            // Given up, and then erased: nobody can put it back any more.
            DeliveryStopped if entry.detail == ERASED => {
                let known = self.known(entry)?;
                if known.0 != State::Dead {
                    return Err(ReplayError::Delivery { what: "erased", was: Some(known.0) });
                }
                known.0 = State::Stopped;
            }
            DeliveryStopped => {
                self.end(entry, State::Stopped)?;
                self.uncount(entry)?;
            }
            StatusChanged => {
                let story = self.story(entry)?;
                let actor = match entry.actor.as_str() {
                    "gateway" => Actor::Gateway,
                    actor if *actor == *story.sender => Actor::Sender,
                    actor if *actor == *story.recipient => Actor::Recipient,
                    _ => return Err(ReplayError::Stranger),
                };
                // What comes after a recall is noted and moves nothing.
                if !(story.state == ReferralState::Recalled && actor == Actor::Recipient) {
                    self.go(entry, actor)?;
                }
            }
            RecallIssued => {
                self.story(entry)?;
                self.queued(entry)?;
            }
            RecallAnswered => drop(self.story(entry)?),
            // Of a whole recipient, or of the gateway.
            TextApproved | TextRevoked => {}
            OperatorAction if entry.detail == "drain" || entry.delivery_id.is_empty() => {}
            OperatorAction if entry.detail == "park" => {
                let known = self.queued(entry)?;
                if !known.0.is_open() {
                    return Err(ReplayError::Delivery { what: "parked", was: Some(known.0) });
                }
                known.0 = State::Ready;
            }
            OperatorAction if entry.detail == "unpark" => {
                let was = self.deliveries.get(&delivery(entry)?).map(|known| known.0);
                if was != Some(State::Ready) {
                    return Err(ReplayError::Delivery { what: "unparked", was });
                }
            }
            OperatorAction => {
                let was = self.deliveries.insert(delivery(entry)?, (State::Ready, 0)).map(|known| known.0);
                if was != Some(State::Dead) {
                    return Err(ReplayError::Delivery { what: "put back", was });
                }
            }
            Erased if !entry.referral_id.is_empty() => {
                let story = self.referrals.remove(&id(&entry.referral_id, "referral")?).ok_or(ReplayError::Unknown("referral"))?;
                if !story.state.may_be_erased() {
                    return Err(ReplayError::Erased(story.state));
                }
                story.deliveries.iter().for_each(|delivery| _ = self.deliveries.remove(delivery));
            }
            Erased if !entry.consent_id.is_empty() => {
                self.consents.remove(&id(&entry.consent_id, "consent")?).ok_or(ReplayError::Unknown("consent"))?;
            }
            SubmissionDenied | AgreementChanged | LogCreated | Erased | Retention | Hold | Restriction | Access => {}
            Unspecified => return Err(ReplayError::Kind),
        }
        Ok(())
    }

    /// A delivery of a referral; one that was not heard of before waits: a status is queued without an entry.
    fn queued(&mut self, entry: &Entry) -> Result<&mut (State, u32), ReplayError> {
        let delivery = delivery(entry)?;
        let story = self.referrals.get_mut(&id(&entry.referral_id, "referral")?).ok_or(ReplayError::Unknown("referral"))?;
        Ok(self.deliveries.entry(delivery).or_insert_with(|| {
            story.deliveries.push(delivery);
            (State::Ready, 0)
        }))
    }

    /// What goes under a consent goes under its newest version, and that lets it go.
    fn is_covered(&self, entry: &Entry) -> Result<(), ReplayError> {
        if entry.consent_id.is_empty() {
            return Ok(());
        }
        match self.consents.get(&id(&entry.consent_id, "consent")?) {
            Some((version, true)) if *version == entry.consent_version => Ok(()),
            _ => Err(ReplayError::NotCovered(entry.consent_version)),
        }
    }

    /// An attempt that was never begun does not count.
    fn uncount(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        if entry.detail == "RETURNED" {
            let known = self.known(entry)?;
            known.1 = known.1.saturating_sub(1);
        }
        Ok(())
    }

    fn known(&mut self, entry: &Entry) -> Result<&mut (State, u32), ReplayError> {
        self.deliveries.get_mut(&delivery(entry)?).ok_or(ReplayError::Unknown("delivery"))
    }

    fn story(&self, entry: &Entry) -> Result<&Story, ReplayError> {
        self.referrals.get(&id(&entry.referral_id, "referral")?).ok_or(ReplayError::Unknown("referral"))
    }

    fn go(&mut self, entry: &Entry, actor: Actor) -> Result<(), ReplayError> {
        let story = self.referrals.get_mut(&id(&entry.referral_id, "referral")?).ok_or(ReplayError::Unknown("referral"))?;
        let to = ReferralState::from_number(entry.state.into()).ok_or(ReplayError::Missing("state"))?;
        let reason = StatusReason::from_number(entry.reason.into());
        step(story.state, to, actor, reason)?;
        (story.state, story.reason) = (to, reason);
        Ok(())
    }

    fn end(&mut self, entry: &Entry, state: State) -> Result<(), ReplayError> {
        let known = self.known(entry)?;
        // An acknowledgement that comes late ends a delivery all the same.
        let after = if state == State::Delivered { known.0 != State::Stopped && known.0 != State::Delivered } else { known.0.is_open() };
        if !after {
            return Err(ReplayError::Delivery { what: "ended", was: Some(known.0) });
        }
        known.0 = state;
        Ok(())
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let name: Arc<str> = text.into();
        self.names.insert(name.clone());
        name
    }
}

fn id(bytes: &[u8], what: &'static str) -> Result<[u8; 16], ReplayError> {
    bytes.try_into().map_err(|_| ReplayError::Missing(what))
}

fn delivery(entry: &Entry) -> Result<[u8; 16], ReplayError> {
    id(&entry.delivery_id, "delivery")
}
