// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The promises of the exchange, each as a test: what is accepted is kept and delivered once and in order, what is not permitted is neither stored
//! nor sent, nothing starts after a withdrawal, and the log says all of it and nothing about anybody.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

mod asking;
mod consenting;
mod copying;
mod crash;
mod crowding;
pub(crate) mod desk;
mod erasing;
mod feedback;
mod full;
pub(crate) mod history;
mod interleavings;
mod leaving;
mod order;
mod pages;
mod parking;
mod poison;
mod power;
mod privacy;
mod recalling;
mod reminding;
mod repairing;
mod repeating;
pub(crate) mod replay;
mod replicas;
mod residue;
mod soundness;
mod surviving;
mod texts;
mod trouble;
mod wire;
mod withdrawing;
