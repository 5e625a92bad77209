// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The wire: decode, call one use case, encode. Knows no SQL and no rules.

pub mod convert;
