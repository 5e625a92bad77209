// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Everything that is checked from outside the library, as one binary.

mod foreign;
mod tidy;
