// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Outward: connections to institutions, what is carried over them, and what can be said when they fail.

mod channel;
mod probe;
mod push;

pub use channel::{ChannelError, Dial, channel, channel_over, connect_reason};
pub use probe::{ProbeError, Probed, probe};
pub use push::{Line, Outward, Push};
