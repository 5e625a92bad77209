// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Words and their translation. Knows no SQL, no network, no time and not who is who.

pub mod category;

pub use category::{Category, CategoryError, CategoryMask};
