// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Integration tests over real sockets, published vectors and the contract as it is compiled in, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod contract;
mod limbo;
mod tls;
