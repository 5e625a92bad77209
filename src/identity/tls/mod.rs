// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! TLS as the gateway speaks it, in the spirit of BSI TR-02102-2: version 1.3 only, AES-GCM, NIST curves and two hybrids with ML-KEM, HTTP/2.
//!
//! A resumed session is not verified again, so there are none: no tickets, no session storage, no early data. rustls has no Brainpool curves.

mod callers;
mod explain;
mod handshake;
mod profile;
mod recipients;

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use callers::ChainVerifier;
pub use explain::explain;
pub use handshake::HandshakeError;
pub use recipients::Expected;

use crate::pki::Anchors;

/// The one application protocol.
const H2: &[u8] = b"h2";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Certificate or key missing or unreadable.
    #[error("the {0} file holds none in PEM, or cannot be read")]
    Pem(&'static str),
    /// They do not fit each other, or the profile.
    #[error("certificate, key and TLS profile do not fit together")]
    Library(#[from] rustls::Error),
    /// No verifier can be built from the anchors.
    #[error("the trusted authorities cannot be used for verification")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// What one side shows to the other: a certificate with its chain, and the key.
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// Leaf and issuing authority first to last, and the key that belongs to the leaf.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }
    /// The same from PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().map_err(|_| TlsError::Pem("certificate"))?;
        if chain.is_empty() {
            return Err(TlsError::Pem("certificate"));
        }
        Ok(Self { chain, key: PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem("key"))? })
    }
    /// Leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Both parts, for a side of TLS that is set up elsewhere.
    pub fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, self.key)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Whom a listener is for. Its own authority would suffice to tell; a certificate that was issued by the wrong one is refused all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Case systems.
    Institutions,
    /// Admins and auditors.
    Operators,
}

/// The server's half of TLS for one listener. Swap the whole value to change certificates or authorities; open handshakes keep the old one.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    trust_domain: Arc<str>,
}

impl ServerTls {
    /// Shows `credentials`; demands a certificate from one of `anchors` whose one URI names a caller of `audience` in `trust_domain`.
    pub fn new(credentials: Credentials, anchors: &Anchors, audience: Audience, trust_domain: &str) -> Result<Self, TlsError> {
        let provider = profile::provider();
        let verifier = callers::CallerVerifier::new(ChainVerifier::new(anchors)?, audience, trust_domain);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(profile::VERSIONS)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(credentials.chain, credentials.key)?;
        config.alpn_protocols = vec![H2.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        // The gateway's order of groups counts, not the caller's.
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(config), trust_domain: trust_domain.into() })
    }
}

/// The client's half of TLS: shows `credentials`, if any, and talks only to a server from one of `anchors` that is the `expected` one.
pub fn client_config(credentials: Option<Credentials>, anchors: &Anchors, expected: Expected) -> Result<ClientConfig, TlsError> {
    let verifier = recipients::RecipientVerifier::new(anchors, expected)?;
    let builder = ClientConfig::builder_with_provider(profile::provider())
        .with_protocol_versions(profile::VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match credentials {
        Some(Credentials { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![H2.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}
