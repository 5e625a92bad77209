// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Identifiers: what two parts of the gateway, or two institutions, mean when they speak of the same thing.
//!
//! None of them says anything about a person: names of institutions are public, everything else is random.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::chance;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct IdError {
    what: &'static str,
    rule: &'static str,
}

/// A short public name, `[a-z0-9]` and inner hyphens, 2 to 40 characters: usable in a SPIFFE path, a file name and a metric label.
fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (2..=40).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text as it appears in certificates, the agreement and the log.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_slug(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError { what: $what, rule: "2 to 40 characters of a-z, 0-9 and inner hyphens" })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh one: random, but for a beginning that some 256 ids in a row share.
            pub fn random() -> Self {
                Self(fresh())
            }
            /// The 16 bytes, as stored and logged.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
            /// From 16 bytes; none if the length differs.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| IdError { what: $what, rule: "a UUID such as 0193b2c4-7d1e-4a6b-9c3d-0123456789ab" })
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// A UUIDv8 whose first six bytes are random but the same for some 256 ids in a row: neighbours in time are neighbours in an index, so that
/// hundreds of new rows touch a few pages instead of hundreds, and yet, unlike a UUIDv7, it does not tell when the person was at the counter.
/// The other 74 bits are random.
fn fresh() -> Uuid {
    uuid::Builder::from_custom_bytes(chance::id()).into_uuid()
}

slug! {
    /// A member of the cooperation agreement, such as `caritas-bremen`.
    InstitutionId, "institution"
}
slug! {
    /// A counselling centre, team or branch of an institution, such as `vermittlung-mitte`.
    UnitId, "unit"
}
uuid_id! {
    /// One referral, chosen by the gateway.
    ReferralId, "referral id"
}
uuid_id! {
    /// One consent, chosen by the institution that recorded it.
    ConsentId, "consent id"
}
uuid_id! {
    /// One message to one recipient; the same on every attempt, so that the recipient can tell a repetition.
    DeliveryId, "delivery id"
}
uuid_id! {
    /// The caller's own id of a mutating call: the same call sent again is recognised by it.
    RequestId, "request id"
}
