// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Certificates: who may issue them, what they look like, and which authorities may be trusted. Pure over bytes; only [`write_new`] touches the disk.
//!
//! | authority | signs | trusted by |
//! |---|---|---|
//! | root (kept offline) | the three issuing authorities | auditors |
//! | institutions | case systems: clients of the gateway, and servers that it calls | the institutions' listener, deliveries |
//! | servers | the gateway itself, as a server and as a caller of case systems | every client; case systems that take deliveries |
//! | operators | admins and auditors | the operators' listener |
//!
//! This part does not know what a caller may do, and holds no connection.

mod anchors;
mod authority;
mod development;
mod keystore;
mod profile;

pub use anchors::{Anchor, AnchorError, Anchors};
pub use authority::{Authority, Issued, PkiError};
pub use development::{DevelopmentPki, PkiFile, write_new};
pub use profile::{Profile, Validity};
