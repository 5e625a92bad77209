// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A case system's side of TLS: a client of the gateway and, where it takes deliveries, a server for it. Plain rustls and tonic, as any
//! institution would use them; nothing here is the gateway's.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower_service::Service;

/// What went wrong before a word was spoken.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::demo) enum LineError {
    /// A file of the development PKI.
    #[error("{0}: no certificate or key in PEM")]
    Pem(String),
    /// Certificates do not fit.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// No verifier can be built.
    #[error(transparent)]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Certificate, key and the authority of the gateway, as `weiche init` hands them to an institution.
pub(super) struct Papers {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    gateway: Arc<RootCertStore>,
}

impl Papers {
    /// From the folder `certs` of the gateway.
    pub(super) fn open(certs: &Path, institution: &str) -> Result<Self, LineError> {
        let pem = |path: &Path| LineError::Pem(path.display().to_string());
        let chain_file = certs.join(format!("institution/{institution}.pem"));
        let chain = CertificateDer::pem_file_iter(&chain_file).and_then(Iterator::collect).map_err(|_| pem(&chain_file))?;
        let key_file = certs.join(format!("institution/{institution}.key"));
        let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|_| pem(&key_file))?;
        let authority = certs.join("servers-ca.pem");
        let mut gateway = RootCertStore::empty();
        gateway.add(CertificateDer::from_pem_file(&authority).map_err(|_| pem(&authority))?)?;
        Ok(Self { chain, key, gateway: Arc::new(gateway) })
    }

    /// Shows its own certificate, and wants the gateway's.
    fn client(&self) -> Result<ClientConfig, LineError> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.gateway.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// Lets nobody in but the gateway.
    pub(super) fn server(&self) -> Result<ServerConfig, LineError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.gateway.clone(), provider.clone()).build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// A channel to the gateway, opened at the first call.
    pub(super) fn dial(&self, gateway: SocketAddr) -> Result<Channel, LineError> {
        let dialer = Dialer { gateway, tls: TlsConnector::from(Arc::new(self.client()?)) };
        Ok(Endpoint::from_static("https://localhost").connect_with_connector_lazy(dialer))
    }
}

#[derive(Clone)]
struct Dialer {
    gateway: SocketAddr,
    tls: TlsConnector,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<tokio_rustls::client::TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { gateway, tls } = self.clone();
        Box::pin(async move {
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            let socket = TcpStream::connect(gateway).await?;
            socket.set_nodelay(true)?;
            Ok(TokioIo::new(tls.connect(name, socket).await?))
        })
    }
}
