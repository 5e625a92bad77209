// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The life of a referral: states, who may move it, and what of it the other side gets to know. Knows no payload contents.

mod feedback;
mod state;

pub use feedback::{Feedback, feedback};
pub use state::{Actor, ReferralState, StatusReason, StepError, step};
