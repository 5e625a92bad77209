// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::callers::{leaf_rules, time_of};
use super::{TlsError, profile};
use crate::id::InstitutionId;
use crate::identity::{Caller, Role};
use crate::pki::{Anchor, Anchors};

/// Who must be at the other end of a connection that we open. The host name is verified in either case.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Whoever holds a certificate for the host name: the gateway, seen from a case system.
    Host,
    /// A case system of this institution, by the one SPIFFE URI of its certificate: a referral must not reach another member at a mistyped address.
    Institution {
        /// The trust domain of the URI.
        trust_domain: Arc<str>,
        /// The member.
        institution: InstitutionId,
    },
}

#[derive(Debug)]
pub(super) struct RecipientVerifier {
    anchors: Vec<(Anchor, Arc<WebPkiServerVerifier>)>,
    expected: Expected,
}

impl RecipientVerifier {
    pub(super) fn new(anchors: &Anchors, expected: Expected) -> Result<Self, TlsError> {
        let anchors = anchors
            .iter()
            .map(|anchor| {
                let mut roots = RootCertStore::empty();
                roots.add(anchor.certificate().clone())?;
                Ok((anchor.clone(), WebPkiServerVerifier::builder_with_provider(Arc::new(roots), profile::provider()).build()?))
            })
            .collect::<Result<Vec<_>, TlsError>>()?;
        Ok(Self { anchors, expected })
    }
}

impl ServerCertVerifier for RecipientVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut refusal = CertificateError::UnknownIssuer.into();
        let mut verified = None;
        for (_, verifier) in self.anchors.iter().filter(|(anchor, _)| anchor.valid_at(time_of(now))) {
            match verifier.verify_server_cert(leaf, others, name, ocsp, now) {
                Ok(proof) => verified = Some(proof),
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => refusal = error,
            }
        }
        let verified = verified.ok_or(refusal)?;
        leaf_rules(leaf)?;
        let Expected::Institution { trust_domain, institution } = &self.expected else {
            return Ok(verified);
        };
        match Caller::from_certificate(trust_domain, leaf).as_ref().map(Caller::role) {
            Ok(Role::Institution { institution: named, .. }) if named == institution => Ok(verified),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signed, &profile::provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        profile::provider().signature_verification_algorithms.supported_schemes()
    }
}
