// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Every integration test is a module of this one binary: it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod asking;
mod bad_input;
mod captured;
mod centre;
mod certificates;
mod cli;
mod clocks;
mod contract;
mod deliveries;
mod demo;
mod dialect_laws;
mod dialect_made_up;
mod dialect_refusals;
mod dialect_traps;
mod dialects;
mod disk;
mod draining;
mod exchange;
mod failovers;
mod foreign;
mod fuzzing;
mod ledger_go;
mod ledger_laws;
mod ledger_vectors;
mod ledger_verify;
mod limbo;
mod manual;
mod model;
mod mutants;
mod neighbours;
mod onboarding;
mod pair;
mod places;
mod promises;
mod pulling;
mod simulation;
mod stopped;
mod stopping;
mod store;
mod tidy;
mod tls;
mod upgrading;
mod upkeep;
