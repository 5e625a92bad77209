// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What each case system speaks, and how it is turned into the canonical words and back.
//!
//! Everything here is a pure function of its arguments: no SQL, no network, no clock, no knowledge of who is who.

pub mod codelist;
pub mod value;
