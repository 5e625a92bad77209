// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Outward: connections to institutions and what can be said when they fail.

mod channel;
mod probe;

pub use channel::{ChannelError, channel, connect_reason};
pub use probe::{ProbeError, Probed, probe};
