// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The edge that callers see: wire to use case and back, the one door list, the one error map.
//!
//! A connection comes in through [`listener`]. A call passes [`router`] (access, deadline, lanes, panics, metrics), stays bytes through [`codec`],
//! is checked by [`validate`] and leaves as bytes or as a [`status::Refusal`].

pub mod access;
pub mod codec;
pub mod convert;
pub mod health;
pub mod listener;
pub mod reflection;
pub mod router;
pub mod services;
pub mod status;
pub mod validate;
