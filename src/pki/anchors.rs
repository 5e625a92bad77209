// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::public_key::PublicKey;

use crate::clock::Time;

/// Why an authority may not be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// No certificate at all.
    #[error("the file holds no certificate in PEM")]
    Empty,
    /// Not readable.
    #[error("the authority's certificate cannot be read")]
    Unreadable,
    /// All of them are outside their validity.
    #[error("every authority in the file has expired or is not yet valid: install the new one")]
    NoneValid,
    /// One that does not fit the rules.
    #[error("the authority {subject} may not be trusted: {rule}")]
    Rule {
        /// Its subject.
        subject: String,
        /// What is wrong.
        rule: &'static str,
    },
}

/// An authority that passed every check but that of time, which is asked again at each handshake.
#[derive(Debug, Clone)]
pub struct Anchor {
    der: CertificateDer<'static>,
    from: Time,
    until: Time,
}

/// The authorities that one listener, or one kind of call, trusts. The TLS library takes any anchor as it is: no look at its dates, its critical
/// extensions or its purpose. So all of that is checked here, and only here can the value be made.
#[derive(Debug, Clone)]
pub struct Anchors(Vec<Anchor>);

impl Anchors {
    /// Reads all certificates of `pem`. One that breaks a rule refuses the file; one that has expired may stay beside one that is valid at `now`,
    /// as happens while an authority is being replaced.
    pub fn from_pem(pem: &[u8], now: Time) -> Result<Self, AnchorError> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| AnchorError::Unreadable)?;
        Self::from_certificates(certificates, now)
    }

    /// The same, from DER.
    pub fn from_certificates(certificates: Vec<CertificateDer<'static>>, now: Time) -> Result<Self, AnchorError> {
        if certificates.is_empty() {
            return Err(AnchorError::Empty);
        }
        let anchors = certificates.into_iter().map(Anchor::check).collect::<Result<Vec<_>, _>>()?;
        if anchors.iter().any(|anchor| anchor.valid_at(now)) { Ok(Self(anchors)) } else { Err(AnchorError::NoneValid) }
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }
}

impl Anchor {
    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }
    /// Whether the authority itself is within its dates.
    pub fn valid_at(&self, now: Time) -> bool {
        // notAfter names the last second that is still valid (RFC 5280 4.1.2.5).
        self.from <= now && now.0 < self.until.0.saturating_add(1000)
    }

    fn check(der: CertificateDer<'static>) -> Result<Self, AnchorError> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| AnchorError::Unreadable)?;
        if !rest.is_empty() {
            return Err(AnchorError::Unreadable);
        }
        if let Some(rule) = broken_rule(&certificate) {
            return Err(AnchorError::Rule { subject: certificate.subject().to_string(), rule });
        }
        let at = |time: x509_parser::time::ASN1Time| Time(time.timestamp().saturating_mul(1000));
        let (from, until) = (at(certificate.validity().not_before), at(certificate.validity().not_after));
        Ok(Self { der, from, until })
    }
}

/// The rules of RFC 5280 4.1 and 4.2 for authorities, narrowed to what the TLS profile allows; none broken gives none.
fn broken_rule(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    let fails = |wrong: bool, rule: &'static str| wrong.then_some(rule);
    let self_issued = certificate.subject() == certificate.issuer();
    fails(certificate.version() != x509_parser::x509::X509Version::V3, "it is not an X.509 version 3 certificate")
        .or_else(|| fails(certificate.subject().iter().next().is_none(), "it has no subject"))
        .or_else(|| bad_serial(certificate.raw_serial()))
        .or_else(|| fails(certificate.extensions_map().is_err(), "an extension appears twice"))
        .or_else(|| fails(certificate.signature_algorithm != certificate.tbs_certificate.signature, "it names two signature algorithms"))
        .or_else(|| fails(!strong_key(certificate), "its key is none of EC P-256, EC P-384 and RSA of 3072 bits or more"))
        .or_else(|| bad_extension(certificate, self_issued))
        .or_else(|| fails(self_issued && certificate.verify_signature(None).is_err(), "its own signature is wrong"))
}

fn bad_serial(serial: &[u8]) -> Option<&'static str> {
    let positive = serial.first().is_some_and(|first| first & 0x80 == 0) && serial.iter().any(|byte| *byte != 0);
    (!positive || serial.len() > 20).then_some("its serial number is not a positive number of at most 20 bytes")
}

/// EC P-256, EC P-384, or RSA of 3072 to 8192 bits in whole bytes (BSI TR-02102-2).
fn strong_key(certificate: &X509Certificate<'_>) -> bool {
    let curve = || certificate.public_key().algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    match certificate.public_key().parsed() {
        Ok(PublicKey::EC(_)) => matches!(curve().as_deref(), Some("1.2.840.10045.3.1.7" | "1.3.132.0.34")),
        Ok(PublicKey::RSA(rsa)) => {
            let modulus = rsa.modulus.iter().skip_while(|byte| **byte == 0).collect::<Vec<_>>();
            (384..=1024).contains(&modulus.len()) && modulus.first().is_some_and(|first| **first & 0x80 != 0)
        }
        _ => false,
    }
}

fn bad_extension(certificate: &X509Certificate<'_>, self_issued: bool) -> Option<&'static str> {
    let (mut authority, mut signs, mut own_key, mut key_above) = (false, false, None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(basic) if basic.ca && extension.critical => authority = true,
            ParsedExtension::BasicConstraints(_) => return Some("its basic constraints are not those of an authority, or not critical"),
            ParsedExtension::KeyUsage(usage) => signs = usage.key_cert_sign(),
            ParsedExtension::SubjectKeyIdentifier(_) | ParsedExtension::AuthorityKeyIdentifier(_) if extension.critical => {
                return Some("a key identifier is marked critical");
            }
            ParsedExtension::SubjectKeyIdentifier(id) => own_key = Some(id.0),
            ParsedExtension::AuthorityKeyIdentifier(id) if id.authority_cert_issuer.is_none() && id.authority_cert_serial.is_none() => {
                key_above = Some(id.key_identifier.as_ref().map(|id| id.0));
            }
            ParsedExtension::AuthorityKeyIdentifier(_) => return Some("its authority key identifier names more than a key"),
            ParsedExtension::NameConstraints(constraints) => {
                let trees = [&constraints.permitted_subtrees, &constraints.excluded_subtrees];
                // The TLS library would then refuse every caller, since each carries a URI.
                if trees.into_iter().flatten().flatten().any(|tree| matches!(tree.base, GeneralName::URI(_))) {
                    return Some("it constrains URI names, which would refuse every caller");
                }
            }
            ParsedExtension::ExtendedKeyUsage(_) | ParsedExtension::SubjectAlternativeName(_) | ParsedExtension::CertificatePolicies(_) => {}
            _ if extension.critical => return Some("it carries a critical extension that is not understood here"),
            _ => {}
        }
    }
    let fails = |wrong: bool, rule: &'static str| wrong.then_some(rule);
    fails(!authority, "it is not an authority's: no critical basic constraints")
        .or_else(|| fails(!signs, "its key usage does not allow it to sign certificates"))
        .or_else(|| fails(own_key.is_none(), "it has no subject key identifier"))
        .or_else(|| fails(key_above.is_some_and(|id| id.is_none()), "its authority key identifier names no key"))
        .or_else(|| fails(self_issued && key_above.is_some() && key_above != Some(own_key), "its two key identifiers differ"))
}
