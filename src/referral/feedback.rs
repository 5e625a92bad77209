// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What of a recipient's status reaches the sender. Feedback is a transfer of its own: without consent only that the case
//! was taken, refused or has ended, and a reason code.

use super::state::{ReferralState, StatusReason};

/// What the sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feedback {
    /// The new state.
    pub state: ReferralState,
    /// Why, in the words that may be told.
    pub reason: Option<StatusReason>,
}

/// What of a status change by the recipient goes to the sender by default; none: it stays in the log.
///
/// * Nothing is told of a referral that is `RECALLED`: whoever withdrew is no longer spoken about.
/// * `IN_PROGRESS` and `ON_HOLD` are not told: they say how the person behaves, not what became of the referral.
/// * A benefit body (`sender_is_benefit_body`: section 35 SGB I) never learns `CLIENT_UNKNOWN`, because that answers the question
///   "is X your client?", nor `CLIENT_DID_NOT_APPEAR` or `CLIENT_DECLINED`, because they could lead to a sanction (sections 31, 32 SGB II).
pub fn feedback(before: ReferralState, after: ReferralState, reason: Option<StatusReason>, sender_is_benefit_body: bool) -> Option<Feedback> {
    use ReferralState::*;
    if before == Recalled || !matches!(after, Accepted | Rejected | Completed | Failed | Cancelled) {
        return None;
    }
    Some(seen_by_sender(after, reason, sender_is_benefit_body))
}

/// What a referral's sender sees when it asks where the referral stands: no more than it is told.
pub fn seen_by_sender(state: ReferralState, reason: Option<StatusReason>, sender_is_benefit_body: bool) -> Feedback {
    if is_course(state) {
        return Feedback { state: ReferralState::Accepted, reason: None };
    }
    let reason = reason.map(|reason| match reason {
        StatusReason::ClientUnknown | StatusReason::ClientDeclined if sender_is_benefit_body => StatusReason::Other,
        StatusReason::ClientDidNotAppear if sender_is_benefit_body => StatusReason::ClientNotReached,
        told => told,
    });
    Feedback { state, reason }
}

/// The course of the work at the recipient: it looks like acceptance from outside.
pub fn is_course(state: ReferralState) -> bool {
    matches!(state, ReferralState::InProgress | ReferralState::OnHold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReferralState::*;
    use StatusReason::*;

    #[test]
    fn a_benefit_body_learns_nothing_that_could_cost_the_person_money() {
        for (reason, told) in [(ClientUnknown, Other), (ClientDeclined, Other), (ClientDidNotAppear, ClientNotReached), (NoCapacity, NoCapacity)] {
            let said = feedback(Delivered, Rejected, Some(reason), true);
            assert_eq!(said, Some(Feedback { state: Rejected, reason: Some(told) }));
            let said = feedback(Delivered, Rejected, Some(reason), false);
            assert_eq!(said, Some(Feedback { state: Rejected, reason: Some(reason) }));
        }
    }

    #[test]
    fn the_course_of_the_counselling_stays_at_the_centre() {
        for quiet in [InProgress, OnHold] {
            assert_eq!(feedback(Accepted, quiet, None, false), None);
            assert_eq!(seen_by_sender(quiet, Some(ClientNotReached), false), Feedback { state: Accepted, reason: None });
        }
    }

    #[test]
    fn a_late_status_after_a_recall_is_not_forwarded() {
        for after in ReferralState::ALL {
            assert_eq!(feedback(Recalled, after, Some(Other), false), None);
        }
    }
}
