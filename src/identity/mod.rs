// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Who is calling: from the one SPIFFE URI of a verified client certificate to a [`Caller`].

mod caller;

pub use caller::{Caller, IdentityError, Role};
