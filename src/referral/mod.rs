// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The life of a referral: states, who may move it, and what of it the other side gets to know. Knows no payload contents.

mod feedback;
mod recall;
mod record;
mod state;
mod store;

pub use feedback::{Feedback, feedback, is_course, seen_by_sender};
pub use recall::{Recall, RecallAnswer, RecallId, RecallOutcome};
pub use record::{Event, Referral};
pub use state::{Actor, ReferralState, StatusReason, StepError, step};
pub(crate) use store::select_referral;
pub use store::{
    count_open_recalls, count_overdue, erase, event, events, from_row, load, load_recalls, of_subjects, open_recalls, overdue, overdue_of,
    overdue_recalls, recalls_after, recalls_of, recalls_to_remind, save, save_events, save_recalls, under_consent,
};
