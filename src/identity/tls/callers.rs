// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::{Audience, TlsError, handshake, profile};
use crate::clock::Time;
use crate::identity::{Caller, Role};
use crate::pki::{Anchor, Anchors};

/// Verifies the chain of a client certificate up to one of the anchors that are valid at that moment, and the leaf's own key; not whom it names.
#[derive(Debug)]
pub struct ChainVerifier {
    /// One verifier per anchor: the library does not look at an anchor's dates, so an expired one is passed over here.
    anchors: Vec<(Anchor, Arc<dyn ClientCertVerifier>)>,
    hints: Vec<DistinguishedName>,
}

impl ChainVerifier {
    /// Trusts exactly `anchors`.
    pub fn new(anchors: &Anchors) -> Result<Self, TlsError> {
        let anchors = anchors
            .iter()
            .map(|anchor| {
                let mut roots = RootCertStore::empty();
                roots.add(anchor.certificate().clone())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), profile::provider()).build()?;
                Ok((anchor.clone(), verifier))
            })
            .collect::<Result<Vec<_>, TlsError>>()?;
        let hints = anchors.iter().flat_map(|(_, verifier)| verifier.root_hint_subjects()).cloned().collect();
        Ok(Self { anchors, hints })
    }

    /// Whether `leaf` leads to an anchor at `now`; `others` are what the peer sent along.
    pub fn verify(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let mut refusal = CertificateError::UnknownIssuer.into();
        for (_, verifier) in self.anchors.iter().filter(|(anchor, _)| anchor.valid_at(time_of(now))) {
            match verifier.verify_client_cert(leaf, others, now) {
                Ok(_) => return leaf_rules(leaf),
                // Of several anchors the one that knows the issuer has the better reason.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

pub(super) fn time_of(now: UnixTime) -> Time {
    Time(i64::try_from(now.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// What the library leaves open about a leaf: weak keys, keys that are not for signing in a handshake, and serial numbers that name nothing
/// (revocation and logs go by them).
pub(super) fn leaf_rules(leaf: &CertificateDer<'_>) -> Result<(), Error> {
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let usage = certificate.key_usage().map_err(|_| CertificateError::BadEncoding)?;
    let serial = certificate.raw_serial();
    let broken = if !strong_key(&certificate) {
        "the key is none of EC P-256, EC P-384 and RSA of 3072 bits or more"
    } else if usage.is_some_and(|usage| !usage.value.digital_signature() || usage.value.key_cert_sign()) {
        "the key usage does not fit a client or server"
    } else if serial.len() > 20 || serial.first().is_none_or(|first| first & 0x80 != 0) || serial.iter().all(|byte| *byte == 0) {
        "the serial number is not a positive number of at most 20 bytes"
    } else {
        return Ok(());
    };
    handshake::note(broken);
    Err(CertificateError::ApplicationVerificationFailure.into())
}

fn strong_key(certificate: &X509Certificate<'_>) -> bool {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.modulus.iter().skip_while(|byte| **byte == 0).count() >= 384,
        // By the length of a point's coordinate in bits; the handshake's signature schemes settle which curve of that length.
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384),
        _ => false,
    }
}

/// On top of the chain: exactly one URI, of this trust domain, naming somebody this listener is for.
#[derive(Debug)]
pub(super) struct CallerVerifier {
    chain: ChainVerifier,
    audience: Audience,
    trust_domain: Arc<str>,
}

impl CallerVerifier {
    pub(super) fn new(chain: ChainVerifier, audience: Audience, trust_domain: &str) -> Self {
        Self { chain, audience, trust_domain: trust_domain.into() }
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.chain.hints
    }

    fn verify_client_cert(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Result<ClientCertVerified, Error> {
        handshake::note_certificate(leaf);
        self.chain.verify(leaf, others, now)?;
        let reason = match Caller::from_certificate(&self.trust_domain, leaf) {
            Ok(caller) => match (caller.role(), self.audience) {
                (Role::Institution { .. }, Audience::Institutions) | (Role::Admin { .. } | Role::Auditor { .. }, Audience::Operators) => {
                    return Ok(ClientCertVerified::assertion());
                }
                _ => "this listener is for others".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        handshake::note(&reason);
        Err(CertificateError::ApplicationVerificationFailure.into())
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
