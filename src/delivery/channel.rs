// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower_service::Service;

use crate::identity::tls::explain;

/// TCP and TLS together; a recipient that needs longer counts as down and is tried again later.
const CONNECT: Duration = Duration::from_secs(5);
/// Pings on quiet connections. Servers built on grpc-core break off at more than one ping in five minutes without data.
const KEEPALIVE: Duration = Duration::from_secs(5 * 60 + 10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers of institutions are small.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const HEADER_LIST: u32 = 16 * 1024;

/// Why a recipient could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Not an address of the right form.
    #[error("the endpoint must have the form https://host:port")]
    Endpoint,
    /// The name is unknown.
    #[error("the host name cannot be resolved: check the spelling, and the name server")]
    Resolve(#[source] std::io::Error),
    /// Nobody listens.
    #[error("no connection to the port: {}", .0.kind())]
    Connect(#[source] std::io::Error),
    /// The other side is not whom it should be, or does not want us.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// It takes too long.
    #[error("no answer to the connection attempt within {} s", CONNECT.as_secs())]
    Timeout,
}

/// How a host is reached: over the network of this machine, or over a simulated one.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A connection, before TLS.
    type Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Connects. [`ChannelError::Resolve`] or [`ChannelError::Connect`] if it does not.
    fn dial(&self, host: &str, port: u16) -> impl Future<Output = Result<Self::Socket, ChannelError>> + Send;
}

/// The network of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp;

impl Dial for Tcp {
    type Socket = TcpStream;

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, ChannelError> {
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(ChannelError::Resolve)?;
        let socket = TcpStream::connect(&*addresses.collect::<Vec<_>>()).await.map_err(ChannelError::Connect)?;
        // Small messages must not wait for an acknowledgement (Nagle).
        let _ = socket.set_nodelay(true);
        Ok(socket)
    }
}

/// A channel to the institution at `endpoint` (`https://host:port`). It connects at its first call, and again whenever needed; `tls` decides who may
/// be at the other end.
pub fn channel(endpoint: &str, tls: Arc<ClientConfig>) -> Result<Channel, ChannelError> {
    channel_over(Tcp, endpoint, tls)
}

/// The same over another network.
pub fn channel_over(dial: impl Dial, endpoint: &str, tls: Arc<ClientConfig>) -> Result<Channel, ChannelError> {
    let uri: Uri = endpoint.parse().map_err(|_| ChannelError::Endpoint)?;
    Target::of(&uri)?;
    let endpoint = Endpoint::from(uri)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST);
    Ok(endpoint.connect_with_connector_lazy(Connector { dial, tls }))
}

/// The reason of a failed call, as far as the connection is to blame for it.
pub fn connect_reason<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a ChannelError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<ChannelError>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Host and port to connect to, and the name that the certificate must carry.
pub(super) struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Target {
    pub(super) fn of(uri: &Uri) -> Result<Self, ChannelError> {
        let (Some("https"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16()) else {
            return Err(ChannelError::Endpoint);
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| ChannelError::Endpoint)?;
        Ok(Self { host, port, name })
    }

    /// TCP and TLS within the time for both.
    pub(super) async fn connect<D: Dial>(self, dial: &D, tls: Arc<ClientConfig>) -> Result<TlsStream<D::Socket>, ChannelError> {
        let both = async {
            let socket = dial.dial(&self.host, self.port).await?;
            TlsConnector::from(tls).connect(self.name, socket).await.map_err(|error| ChannelError::Tls(tls_reason(&error)))
        };
        tokio::time::timeout(CONNECT, both).await.unwrap_or(Err(ChannelError::Timeout))
    }
}

/// What TLS had to say inside an I/O error.
pub(super) fn tls_reason(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => explain(tls),
        None => format!("the connection broke: {}", error.kind()),
    }
}

#[derive(Clone)]
struct Connector<D> {
    dial: D,
    tls: Arc<ClientConfig>,
}

impl<D: Dial> Service<Uri> for Connector<D> {
    type Response = TokioIo<TlsStream<D::Socket>>;
    type Error = ChannelError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ChannelError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ChannelError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { dial, tls } = self.clone();
        Box::pin(async move { Ok(TokioIo::new(Target::of(&uri)?.connect(&dial, tls).await?)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_with_host_and_port() {
        let target = |text: &str| Target::of(&text.parse().unwrap()).map(|target| (target.host, target.port));
        assert_eq!(target("https://localhost:8443").unwrap(), ("localhost".to_owned(), 8443));
        assert_eq!(target("https://[::1]:8443").unwrap(), ("::1".to_owned(), 8443));
        for wrong in ["http://localhost:8443", "https://localhost", "localhost:8443", "/path"] {
            assert!(matches!(target(wrong), Err(ChannelError::Endpoint)), "{wrong}");
        }
    }
}
