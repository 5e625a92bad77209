// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The command line, and what belongs to the process rather than to a call: logs and the operator's loopback port.

pub mod config;
pub mod gateway;
pub mod ops;
pub mod telemetry;
