// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The table of legal moves.
//!
//! | state | FHIR Task.status | businessStatus |
//! |---|---|---|
//! | DRAFT | draft | |
//! | SUBMITTED | requested | |
//! | BLOCKED | requested | blocked |
//! | DELIVERED | received | |
//! | ACCEPTED | accepted | |
//! | REJECTED | rejected | |
//! | IN_PROGRESS | in-progress | |
//! | ON_HOLD | on-hold | |
//! | COMPLETED | completed | |
//! | FAILED | failed | |
//! | CANCELLED | cancelled | |
//! | RECALLED | cancelled | consent-withdrawn |
//! | EXPIRED | cancelled | expired |
//! | ENTERED_IN_ERROR | entered-in-error | |
//!
//! A refinement of the Gravity Project's closed loop (HL7 fhir-sdoh-clinicalcare), with the consent gate and the clock added.

/// Where a referral stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReferralState {
    /// At the sender.
    Draft,
    /// Accepted by the gateway, on its way.
    Submitted,
    /// The consent gate said no; the sender may repair it, with a new time of submission.
    Blocked,
    /// The recipient's system has acknowledged it.
    Delivered,
    /// The recipient takes the case.
    Accepted,
    /// The recipient does not take the case.
    Rejected,
    /// Being worked on.
    InProgress,
    /// Paused.
    OnHold,
    /// Done.
    Completed,
    /// Ended without result.
    Failed,
    /// Taken back by the sender, or ended by either side.
    Cancelled,
    /// Stopped or called back because the consent was withdrawn.
    Recalled,
    /// Not delivered or not answered in time.
    Expired,
    /// Should never have existed.
    EnteredInError,
}

/// Why a referral is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatusReason {
    /// No capacity at the recipient.
    NoCapacity,
    /// On a waiting list.
    Waitlist,
    /// Another unit or institution is responsible.
    WrongAddressee,
    /// The person lives outside the recipient's area.
    OutOfArea,
    /// The person is not in the recipient's age group.
    AgeGroup,
    /// The language is not available.
    LanguageNotAvailable,
    /// The person is not known.
    ClientUnknown,
    /// The person does not want it.
    ClientDeclined,
    /// A repetition of another referral.
    Duplicate,
    /// Something is missing.
    Incomplete,
    /// Another reason.
    Other,
    /// The person could not be reached.
    ClientNotReached,
    /// The person did not come.
    ClientDidNotAppear,
    /// The person moved away.
    MovedAway,
    /// Not what the recipient does.
    OutOfScope,
    /// The consent was withdrawn.
    ConsentWithdrawn,
    /// The consent or the agreement does not permit it.
    NotPermitted,
    /// The recipient could not be reached in time.
    NotDeliverable,
    /// No answer in time.
    NoAnswer,
    /// Entered by mistake.
    Mistake,
    /// Of a recall: some of the data were wrong.
    Corrected,
    /// Of a recall: the person has had processing restricted.
    RestrictionRequested,
}

/// Who moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Actor {
    /// The institution that refers.
    Sender,
    /// The institution that receives.
    Recipient,
    /// The gateway itself: delivery, consent gate, clock.
    Gateway,
}

/// Why a move is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The referral has ended.
    #[error("the referral has ended as {0:?} and does not move again")]
    Final(ReferralState),
    /// Nobody can make this move.
    #[error("a referral does not go from {from:?} to {to:?}; next can be {next:?}")]
    NoSuchStep {
        /// Where it stands.
        from: ReferralState,
        /// Where it should go.
        to: ReferralState,
        /// What this actor could do instead.
        next: &'static [ReferralState],
    },
    /// The move exists, but not for this actor.
    #[error("{actor:?} may not move a referral from {from:?} to {to:?}")]
    NotYours {
        /// Where it stands.
        from: ReferralState,
        /// Where it should go.
        to: ReferralState,
        /// Who tried.
        actor: Actor,
    },
    /// The new state needs a reason.
    #[error("{0:?} needs a reason code")]
    ReasonMissing(ReferralState),
}

use Actor::{Gateway, Recipient, Sender};
use ReferralState::*;

impl ReferralState {
    /// All states, in the order of their life.
    pub const ALL: [ReferralState; 14] = [
        Draft,
        Submitted,
        Blocked,
        Delivered,
        Accepted,
        Rejected,
        InProgress,
        OnHold,
        Completed,
        Failed,
        Cancelled,
        Recalled,
        Expired,
        EnteredInError,
    ];

    /// Whether its life has ended. `COMPLETED` and `FAILED` can still turn out to be a mistake.
    pub const fn is_final(self) -> bool {
        matches!(self, Rejected | Completed | Failed | Cancelled | Recalled | Expired | EnteredInError)
    }

    /// Whether its rows may be erased at all: nothing waits to be delivered or repaired.
    pub const fn may_be_erased(self) -> bool {
        self.is_final() || self.is_at_recipient()
    }

    /// Whether a reason code is mandatory.
    pub const fn needs_reason(self) -> bool {
        matches!(self, Blocked | Rejected | OnHold | Failed | Cancelled | Recalled | EnteredInError)
    }

    /// Whether the recipient has, or may have, the data: a withdrawal then needs a recall notice.
    pub const fn is_at_recipient(self) -> bool {
        matches!(self, Delivered | Accepted | Rejected | InProgress | OnHold | Completed | Failed)
    }
}

impl Actor {
    /// Everybody.
    pub const ALL: [Actor; 3] = [Sender, Recipient, Gateway];
}

/// The moves that `actor` can make from `from`.
const fn moves(from: ReferralState, actor: Actor) -> &'static [ReferralState] {
    match (from, actor) {
        (Draft, Sender) => &[Submitted, Cancelled, EnteredInError],
        (Submitted, Sender) => &[Cancelled, EnteredInError],
        (Submitted, Gateway) => &[Delivered, Blocked, Recalled, Expired],
        (Blocked, Sender) => &[Submitted, Cancelled, EnteredInError],
        (Blocked, Gateway) => &[Recalled, Expired],
        (Delivered, Sender) => &[Cancelled, EnteredInError],
        (Delivered, Recipient) => &[Accepted, Rejected],
        (Delivered, Gateway) => &[Recalled, Expired],
        (Accepted, Recipient) => &[InProgress, OnHold, Completed, Failed, Cancelled],
        (InProgress, Recipient) => &[OnHold, Completed, Failed, Cancelled],
        (OnHold, Recipient) => &[InProgress, Completed, Failed, Cancelled],
        (Accepted | InProgress | OnHold, Sender) => &[Cancelled, EnteredInError],
        (Accepted | InProgress | OnHold, Gateway) => &[Recalled],
        (Completed | Failed, Sender) => &[EnteredInError],
        _ => &[],
    }
}

/// Whether `actor` may move a referral from `from` to `to` for `reason`. The same event arriving twice is the caller's matter:
/// it is recognised by its id before this is asked.
pub fn step(from: ReferralState, to: ReferralState, actor: Actor, reason: Option<StatusReason>) -> Result<(), StepError> {
    let next = moves(from, actor);
    if !next.contains(&to) {
        return Err(if Actor::ALL.iter().any(|other| moves(from, *other).contains(&to)) {
            StepError::NotYours { from, to, actor }
        } else if from.is_final() {
            StepError::Final(from)
        } else {
            StepError::NoSuchStep { from, to, next }
        });
    }
    if to.needs_reason() && reason.is_none() {
        return Err(StepError::ReasonMissing(to));
    }
    Ok(())
}

crate::numbered::numbered!(ReferralState = &ReferralState::ALL);
crate::numbered::numbered!(StatusReason: NoCapacity Waitlist WrongAddressee OutOfArea AgeGroup LanguageNotAvailable ClientUnknown ClientDeclined
    Duplicate Incomplete Other ClientNotReached ClientDidNotAppear MovedAway OutOfScope ConsentWithdrawn NotPermitted NotDeliverable NoAnswer
    Mistake Corrected RestrictionRequested);

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as people wrote it down, read independently of the code above.
    const TABLE: &str = include_str!("../../tests/cases/referral/moves.txt");

    fn state(name: &str) -> ReferralState {
        serde_json::from_value(name.into()).unwrap_or_else(|_| panic!("no state `{name}`"))
    }

    #[test]
    fn every_move_of_the_table_and_no_other_is_legal() {
        let mut legal = Vec::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (from, moves) = line.split_once("->").unwrap();
            for entry in moves.split('|') {
                let (to, actors) = entry.trim().trim_end_matches(')').split_once('(').unwrap();
                for actor in actors.split(',') {
                    let actor = match actor.trim() {
                        "S" => Sender,
                        "R" => Recipient,
                        "G" => Gateway,
                        other => panic!("no actor `{other}`"),
                    };
                    legal.push((state(from.trim()), state(to), actor));
                }
            }
        }
        for from in ReferralState::ALL {
            for to in ReferralState::ALL {
                for actor in Actor::ALL {
                    let allowed = step(from, to, actor, Some(StatusReason::Other)).is_ok();
                    assert_eq!(allowed, legal.contains(&(from, to, actor)), "{from:?} -> {to:?} by {actor:?}");
                }
            }
        }
    }

    #[test]
    fn a_state_that_hurts_needs_a_reason() {
        for from in ReferralState::ALL {
            for to in ReferralState::ALL {
                for actor in Actor::ALL {
                    if step(from, to, actor, Some(StatusReason::Other)).is_ok() {
                        let without = step(from, to, actor, None);
                        assert_eq!(without, if to.needs_reason() { Err(StepError::ReasonMissing(to)) } else { Ok(()) });
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_ended_does_not_move_except_into_a_mistake() {
        for from in ReferralState::ALL.into_iter().filter(|s| s.is_final()) {
            for actor in Actor::ALL {
                let next = moves(from, actor);
                let correction = matches!(from, Completed | Failed) && actor == Sender;
                assert_eq!(next, if correction { &[EnteredInError][..] } else { &[] }, "{from:?} by {actor:?}");
            }
        }
    }

    #[test]
    fn a_refused_move_says_why() {
        assert_eq!(step(Rejected, Accepted, Recipient, None), Err(StepError::Final(Rejected)));
        assert_eq!(step(Delivered, Accepted, Sender, None), Err(StepError::NotYours { from: Delivered, to: Accepted, actor: Sender }));
        let error = step(Delivered, Completed, Recipient, None).unwrap_err();
        assert_eq!(error.to_string(), "a referral does not go from Delivered to Completed; next can be [Accepted, Rejected]");
    }
}
