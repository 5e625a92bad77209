// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Weiche carries referrals of people seeking advice and work between case systems that each speak their own contract.
//!
//! This file is the map. Rings, from the inside out; `use crate::` goes downward only (`tests/tidy.rs` checks it):
//!
//! | ring | modules |
//! |---|---|
//! | foundation | `id`, `chance`, `clock`, `store`, `proto`, `numbered`, `texts` |
//! | capabilities | `identity`, `agreement`, `consent`, `dialect`, `referral`, `outbox`, `ledger`, `vault`, `pki` |
//! | use cases | `exchange` |
//! | edges | `grpc`, `delivery`, `cli` |

pub mod agreement;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod consent;
pub mod delivery;
pub mod dialect;
pub mod exchange;
pub mod grpc;
pub mod id;
pub mod identity;
pub mod ledger;
pub mod numbered;
pub mod outbox;
pub mod pki;
pub mod proto;
pub mod referral;
pub mod store;
pub mod texts;
pub mod vault;
