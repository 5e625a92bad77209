// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::transport::Uri;
use tower::ServiceExt as _;

use super::channel::{ChannelError, Target, Tcp, channel, connect_reason, tls_reason};

/// How long the other side may take for each answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What every HTTP/2 client sends first, with an empty SETTINGS frame behind it (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Why a peer cannot be used, step by step of what was tried.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection, or the other side is not whom it should be.
    #[error(transparent)]
    Unreachable(#[from] ChannelError),
    /// It took the connection and then refused us: in TLS 1.3 a client learns this only afterwards.
    #[error("the connection was made, but {0}")]
    Refused(String),
    /// It is silent.
    #[error("the connection was made, but nothing came back within {} s", PATIENCE.as_secs())]
    Silent,
    /// It speaks something else.
    #[error("the connection was made, but the other side does not speak HTTP/2")]
    NotHttp2,
    /// HTTP/2 works, a call does not.
    #[error("HTTP/2 was spoken, but the call failed: {0}")]
    Call(String),
}

/// What a working peer showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// TLS version, cipher suite and key exchange group as agreed.
    pub tls: String,
    /// The HTTP status of the health call.
    pub http_status: u16,
    /// Its gRPC status code, if it is a gRPC server: 0 healthy, 12 has no health service.
    pub grpc_status: Option<String>,
}

/// Connects to `endpoint` (`https://host:port`) for real: TCP, TLS both ways, HTTP/2, one health call. Says in plain words what stands in the way.
pub async fn probe(endpoint: &str, tls: Arc<ClientConfig>) -> Result<Probed, ProbeError> {
    let uri: Uri = endpoint.parse().map_err(|_| ChannelError::Endpoint)?;
    let agreed = greet(Target::of(&uri)?, tls.clone()).await?;
    let call = http::Request::post("/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        // One empty message: no flags, no length.
        .body(tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(&[0; 5]))))
        .map_err(|error| ProbeError::Call(error.to_string()))?;
    let response = tokio::time::timeout(PATIENCE, channel(endpoint, tls)?.oneshot(call)).await.map_err(|_| ProbeError::Silent)?;
    let response = response.map_err(|error| ProbeError::Call(connect_reason(&error).map_or_else(|| chain_of(&error), ToString::to_string)))?;
    let (head, body) = response.into_parts();
    let in_trailers =
        async { http_body_util::BodyExt::collect(body).await.ok().and_then(|all| all.trailers().and_then(|list| list.get("grpc-status").cloned())) };
    let status = match head.headers.get("grpc-status").cloned() {
        Some(status) => Some(status),
        None => tokio::time::timeout(PATIENCE, in_trailers).await.ok().flatten(),
    };
    let grpc_status = status.and_then(|value| value.to_str().ok().map(str::to_owned));
    Ok(Probed { tls: agreed, http_status: head.status.as_u16(), grpc_status })
}

/// TLS, and the first bytes of HTTP/2 by hand: an HTTP library would hide the alert with which we may be refused.
async fn greet(target: Target, tls: Arc<ClientConfig>) -> Result<String, ProbeError> {
    let mut stream = target.connect(&Tcp, tls).await?;
    let broken = |error: std::io::Error| ProbeError::Refused(tls_reason(&error));
    let mut head = [0u8; 9];
    let exchange = async {
        // The refusal may arrive while we write; the reason is in what can be read.
        let written = async {
            stream.write_all(PREFACE).await?;
            stream.flush().await
        }
        .await;
        let read = stream.read_exact(&mut head).await;
        read.and(written)
    };
    tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| ProbeError::Silent)?.map_err(broken)?;
    // The server's first frame is SETTINGS on stream 0 (RFC 9113 3.4).
    if head[3] != 0x04 || head[5..] != [0; 4] {
        return Err(ProbeError::NotHttp2);
    }
    let connection = stream.get_ref().1;
    let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    let group = connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    let agreed = [connection.protocol_version().map(|version| format!("{version:?}")), suite, group];
    let text = agreed.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let _ = stream.shutdown().await;
    Ok(text)
}

fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
