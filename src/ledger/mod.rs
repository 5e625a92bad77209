// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The consent ledger: one append-only Merkle log per deployment, in the public C2SP and RFC 6962 formats, so that tools which nobody here wrote can
//! verify it.
//!
//! Everything here is pure but for the few files it names; the database comes in from outside. An entry is opaque bytes: what it means is said elsewhere.
//!
//! | file | idea |
//! |---|---|
//! | `hash` | leaf, node and root hashes |
//! | `tree` | the growing edge: append leaves, get root and completed tiles |
//! | `tile`, `bundle` | the log as files: paths, entry bundles |
//! | `proof` | inclusion and consistency, cut from tiles for any size, and verified |
//! | `note`, `key`, `cosignature` | signed notes, the log's key, the witnesses' signatures |
//! | `checkpoint`, `receipt`, `policy` | what is signed, what callers get, whom to believe |
//! | `store` | the log as rows of the database |
//! | `guard` | the memory outside the database that makes a rollback visible |
//! | `dir`, `export`, `verify` | the tile directory: read, write, believe nothing |
//!
//! The life of an entry: it is hashed ([`Hash::leaf`]) and appended ([`Tree::append`]) in the transaction of the change it records; after the commit the head
//! is checked against the [`RollbackGuard`] and signed ([`SigningKey::sign_checkpoint`]); a [`Plan`] names the tiles for its proof, and a [`Receipt`] carries
//! proof and checkpoint to the caller. Later [`export`](export::export) writes it into a bundle, and [`verify_dir`] finds it there.
//!
//! This part does not know: payloads, persons, gRPC, what time it is.

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod dir;
pub mod export;
pub mod guard;
pub mod hash;
pub mod key;
pub mod note;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod store;
pub mod tile;
pub mod tree;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use guard::RollbackGuard;
pub use hash::Hash;
pub use key::SigningKey;
pub use note::{Note, VerifierKey};
pub use policy::{Policy, TrustedCheckpoint};
pub use proof::{Plan, Tiles};
pub use receipt::Receipt;
pub use tile::Tile;
pub use tree::{FullTile, Tree};
pub use verify::verify_dir;
