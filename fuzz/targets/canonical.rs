// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

#![no_main]

#[path = "../laws.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, reason = "the other laws have targets of their own; a law that is broken stops")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::canonical(data));
