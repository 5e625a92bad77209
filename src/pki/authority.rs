// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{Profile, Validity};
use crate::clock::Time;

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A name that may not stand in a certificate.
    #[error("{0:?} may not stand in a certificate: use lower-case letters, digits and hyphens, or an IP address")]
    Name(String),
    /// A server certificate without a name.
    #[error("a server certificate needs at least one host name or address")]
    NoHost,
    /// The validity is empty, or begins after the authority's own end.
    #[error("the certificate would end before it begins, or its authority ends first: renew the authority")]
    Validity,
    /// An instant that a certificate cannot express.
    #[error("the date lies outside the years 1950 to 9999")]
    Date,
    /// The authority's certificate or key cannot be used.
    #[error("the authority's certificate and key cannot be used: {0}")]
    Authority(&'static str),
    /// The cryptographic library refused.
    #[error("the certificate could not be made")]
    Library(#[from] rcgen::Error),
    /// No random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
    /// PKCS#12 could not be written.
    #[error("the PKCS#12 file could not be made")]
    Keystore(#[from] p12_keystore::error::Error),
    /// A file could not be written.
    #[error("{path} could not be written; nothing that exists is ever overwritten")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A certificate authority with its key (EC P-384).
pub struct Authority {
    /// Its own certificate first, then those above it, the root left out.
    chain: Vec<CertificateDer<'static>>,
    until: Time,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf certificate with its chain and its private key.
pub struct Issued {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    serial: String,
}

impl Authority {
    /// A self-signed root. It signs issuing authorities and nothing else; keep its key offline.
    pub fn root(common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        let key = new_key()?;
        let params = authority_params(common_name, validity, BasicConstraints::Constrained(1))?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { chain: vec![certificate.der().clone()], until: validity.until, issuer: Issuer::new(params, key) })
    }

    /// An issuing authority below this one: it signs leaves only (path length 0).
    pub fn issuing(&self, common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        let validity = validity.within(self.until)?;
        let key = new_key()?;
        let mut params = authority_params(common_name, validity, BasicConstraints::Constrained(0))?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Self { chain: vec![certificate.der().clone()], until: validity.until, issuer: Issuer::new(params, key) })
    }

    /// An authority from its certificate and PKCS#8 key, both PEM.
    pub fn open(certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        use rustls_pki_types::pem::PemObject;
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| PkiError::Authority("no certificate in PEM"))?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| PkiError::Authority("no private key in PEM"))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| PkiError::Authority("the certificate cannot be read"))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(PkiError::Authority("the key belongs to another certificate"));
        }
        if !parsed.is_ca() {
            return Err(PkiError::Authority("the certificate is not an authority's"));
        }
        let until = Time(parsed.validity().not_after.timestamp().saturating_mul(1000));
        Ok(Self { issuer: Issuer::from_ca_cert_der(&der, key)?, until, chain: vec![der] })
    }

    /// A leaf after `profile` with a key of its own, cut to the authority's own end.
    pub fn issue(&self, profile: &Profile, validity: Validity) -> Result<Issued, PkiError> {
        let key = new_key()?;
        let (der, serial) = self.certify(profile, validity, &key)?;
        Ok(Issued { chain: std::iter::once(der).chain(self.chain.iter().cloned()).collect(), key, serial })
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }
    /// The authority's own certificate in PEM.
    pub fn pem(&self) -> String {
        self.chain.iter().map(|der| pem_of(der)).collect()
    }
    /// The private key in PEM (PKCS#8), wiped when dropped.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Takes the public key and nothing else from the applicant; everything that the certificate says comes from `profile`.
    fn certify(&self, profile: &Profile, validity: Validity, key: &impl PublicKeyData) -> Result<(CertificateDer<'static>, String), PkiError> {
        let validity = validity.within(self.until)?;
        let mut params = params(&profile.common_name, validity)?;
        // Written out, so that the leaf carries a subject key identifier as well.
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names.clone_from(&profile.names);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clone_from(&profile.usages);
        let serial = params.serial_number.as_ref().map(|number| hex(number.as_ref())).unwrap_or_default();
        Ok((params.signed_by(key, &self.issuer)?.der().clone(), serial))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Issued {
    /// Leaf first, then the issuing authority.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
    /// The private key (PKCS#8).
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
    /// The leaf and the issuing authority in PEM, as servers and clients present them.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem_of(der)).collect()
    }
    /// The private key in PEM (PKCS#8), wiped when dropped.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }
    /// The serial number, lower-case hex.
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("serial", &self.serial).finish_non_exhaustive()
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?)
}

fn authority_params(common_name: &str, validity: Validity, constraints: BasicConstraints) -> Result<CertificateParams, PkiError> {
    let mut params = params(common_name, validity)?;
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = Vec::<ExtendedKeyUsagePurpose>::new();
    Ok(params)
}

fn params(common_name: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Weiche");
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |time: Time| -> Result<_, PkiError> {
        // Whole seconds, and within what GeneralizedTime can say (RFC 5280 4.1.2.5).
        let seconds = u64::try_from(time.0.div_euclid(1000)).map_err(|_| PkiError::Date)?;
        if seconds > 253_402_300_799 { Err(PkiError::Date) } else { Ok(epoch + std::time::Duration::from_secs(seconds)) }
    };
    params.not_before = at(validity.from)?;
    params.not_after = at(validity.until)?;
    params.serial_number = Some(serial_number()?);
    Ok(params)
}

/// 128 bits, all but the two highest random: positive, never zero, always of the same length (RFC 5280 4.1.2.2).
fn serial_number() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PkiError::Random)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One PEM block with lines of 64 characters (RFC 7468).
fn pem_of(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
