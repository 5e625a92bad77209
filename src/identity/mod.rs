// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Who is calling: from the one SPIFFE URI of a verified client certificate to a [`Caller`]; the TLS that verifies it; the connections it came in on.
//!
//! This part does not see messages and knows nothing of consent.

mod caller;
mod connections;
pub mod tls;

pub use caller::{Caller, IdentityError, Role};
pub use connections::{ConnectionInfo, Connections, Generation, Live, Refusal};
