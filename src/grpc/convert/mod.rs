// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Contract types to domain types and back: total and without loss; what does not fit is named by its field path, never by its value.

pub mod consent;
