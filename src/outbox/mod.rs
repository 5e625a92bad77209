// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The queue: what is due for whom, in which order, under which lease, and when to try again.
//!
//! A *lane* is one person at one recipient: within it, deliveries start in the order in which they were accepted, and one at a time.
//! Lanes do not wait for each other. A delivery that is given up leaves a gap in its lane that the log records, and the lane goes on.
//!
//! This part does not know: what the bytes mean, addresses, the network.

mod backoff;
mod delivery;
mod ended;
mod recipient;
mod store;
mod survey;

pub use backoff::{Failure, MAX_ATTEMPTS, Next, after_failure};
pub use delivery::{Delivery, FOREVER, Kind, LaneId, LeaseToken, State};
pub use ended::{accepted_before, erase, erase_contents, with_content};
pub use recipient::{parked_until, save_parked, save_success};
pub use store::{DueQuery, due, load, of_referrals, open_in, payloads, save};
pub use survey::{Place, QueueState, due_recipients, front, neighbours, survey};
