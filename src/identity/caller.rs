// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::Arc;

use x509_parser::extensions::GeneralName;

use crate::id::InstitutionId;

/// What a certificate's holder may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// A case system of an institution: `spiffe://<trust-domain>/institution/<id>/system/<name>`.
    Institution {
        /// The member of the agreement.
        institution: InstitutionId,
        /// The name of its system.
        system: Arc<str>,
    },
    /// `spiffe://<trust-domain>/operator/<name>/admin`
    Admin {
        /// The operator's name.
        name: Arc<str>,
    },
    /// `spiffe://<trust-domain>/operator/<name>/auditor`
    Auditor {
        /// The auditor's name.
        name: Arc<str>,
    },
}

/// An authenticated peer. Only this module makes one, from a certificate that the TLS handshake has verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    role: Role,
    spiffe: Arc<str>,
    serial: Arc<str>,
}

/// Why a certificate names no caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not exactly one URI subject alternative name.
    #[error("the certificate must carry exactly one URI name, found {0}")]
    UriNames(usize),
    /// The URI does not follow a known pattern of this trust domain.
    #[error("the certificate's URI names neither an institution's system nor an operator of this trust domain")]
    UnknownPattern,
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
}

impl Caller {
    /// Reads the one URI of the certificate `der`, which the TLS handshake must have verified. Common name and organisation say nothing here.
    pub fn from_certificate(trust_domain: &str, der: &[u8]) -> Result<Self, IdentityError> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| IdentityError::Unreadable)?;
        if !rest.is_empty() {
            return Err(IdentityError::Unreadable);
        }
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Unreadable)?;
        let uris = names.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        match uris.collect::<Vec<_>>()[..] {
            [uri] => Self::from_uri(trust_domain, uri, &serial_of(&certificate)),
            ref other => Err(IdentityError::UriNames(other.len())),
        }
    }

    /// Reads the SPIFFE URI `spiffe` (without query or fragment) under `trust_domain`; `serial` is the certificate's serial number in hex, for logs.
    pub(crate) fn from_uri(trust_domain: &str, spiffe: &str, serial: &str) -> Result<Self, IdentityError> {
        let path = spiffe
            .strip_prefix("spiffe://")
            .and_then(|rest| rest.strip_prefix(trust_domain))
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(IdentityError::UnknownPattern)?;
        let named = |name: &str| -> Result<Arc<str>, IdentityError> {
            // The same alphabet as an institution's name: no dots, no percent signs, nothing that a log or a path could misread.
            name.parse::<InstitutionId>().map_err(|_| IdentityError::UnknownPattern)?;
            Ok(name.into())
        };
        let role = match path.split('/').collect::<Vec<_>>()[..] {
            ["institution", id, "system", name] => {
                Role::Institution { institution: id.parse().map_err(|_| IdentityError::UnknownPattern)?, system: named(name)? }
            }
            ["operator", name, "admin"] => Role::Admin { name: named(name)? },
            ["operator", name, "auditor"] => Role::Auditor { name: named(name)? },
            _ => return Err(IdentityError::UnknownPattern),
        };
        Ok(Self { role, spiffe: spiffe.into(), serial: serial.into() })
    }

    /// What the caller may be.
    pub fn role(&self) -> &Role {
        &self.role
    }
    /// The institution that calls; none for operators.
    pub fn institution(&self) -> Option<&InstitutionId> {
        match &self.role {
            Role::Institution { institution, .. } => Some(institution),
            Role::Admin { .. } | Role::Auditor { .. } => None,
        }
    }
    /// The whole SPIFFE URI.
    pub fn spiffe(&self) -> &str {
        &self.spiffe
    }
    /// The certificate's serial number, lower-case hex.
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

/// The serial number in lower-case hex, without leading zero bytes.
pub(super) fn serial_of(certificate: &x509_parser::certificate::X509Certificate<'_>) -> String {
    certificate.raw_serial().iter().skip_while(|byte| **byte == 0).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uri_pattern_per_role_and_nothing_else() {
        let caller = |uri: &str| Caller::from_uri("weiche.example.invalid", uri, "01").map(|c| c.role().clone());
        assert_eq!(
            caller("spiffe://weiche.example.invalid/institution/awo-bremen/system/fallakte"),
            Ok(Role::Institution { institution: "awo-bremen".parse().unwrap(), system: "fallakte".into() })
        );
        assert_eq!(caller("spiffe://weiche.example.invalid/operator/ops/admin"), Ok(Role::Admin { name: "ops".into() }));
        for wrong in [
            "spiffe://other.invalid/operator/ops/admin",
            "spiffe://weiche.example.invalid.evil/operator/ops/admin",
            "spiffe://weiche.example.invalid/operator/ops/root",
            "spiffe://weiche.example.invalid/institution/awo-bremen",
            "spiffe://weiche.example.invalid/institution/AWO/system/x1",
            "https://weiche.example.invalid/operator/ops/admin",
            "",
        ] {
            assert_eq!(caller(wrong), Err(IdentityError::UnknownPattern), "{wrong}");
        }
    }
}
