// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One integration-test binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dialect_laws;
mod dialect_refusals;
mod dialects;
