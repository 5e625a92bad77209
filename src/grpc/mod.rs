// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The gRPC edge: from a socket to a use case and back.

pub mod listener;
