// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::cell::RefCell;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{H2, ServerTls, explain};
use crate::identity::Caller;
use crate::identity::caller::serial_of;

/// Why a peer was not let in: all that may be said about it in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HandshakeError {
    /// In plain words.
    pub reason: String,
    /// The serial number of the certificate it showed, lower-case hex, if it came that far.
    pub serial: Option<String>,
}

tokio::task_local! {
    /// What the verifier saw during the handshake of this task. The library drops the peer's certificate with a failed handshake, and its errors
    /// carry the peer's alert rather than our reason.
    static NOTES: RefCell<Notes>;
}

#[derive(Default)]
struct Notes {
    serial: Option<String>,
    reason: Option<String>,
}

/// Remembers why, for the log; without a handshake of ours around it, nothing.
pub(super) fn note(reason: &str) {
    let _ = NOTES.try_with(|notes| notes.borrow_mut().reason = Some(reason.to_owned()));
}

/// Remembers whose certificate it is.
pub(super) fn note_certificate(leaf: &CertificateDer<'_>) {
    let serial = x509_parser::parse_x509_certificate(leaf).ok().map(|(_, certificate)| serial_of(&certificate));
    let _ = NOTES.try_with(|notes| notes.borrow_mut().serial = serial);
}

impl ServerTls {
    /// Shakes hands with whoever is at the other end of `io`. Sets no time limit of its own.
    pub async fn accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, Caller), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        NOTES
            .scope(RefCell::default(), async {
                let outcome = TlsAcceptor::from(self.config.clone()).accept(io).await;
                let notes = NOTES.with(RefCell::take);
                let refused = |reason: String| HandshakeError { reason, serial: notes.serial.clone() };
                let stream = outcome.map_err(|error| refused(notes.reason.clone().unwrap_or_else(|| reason_of(&error))))?;
                let connection = stream.get_ref().1;
                if connection.alpn_protocol() != Some(H2) {
                    return Err(refused("the client did not offer HTTP/2 (h2)".to_owned()));
                }
                let leaf = connection.peer_certificates().and_then(<[_]>::first).ok_or_else(|| refused("no certificate was presented".to_owned()))?;
                let caller = Caller::from_certificate(&self.trust_domain, leaf).map_err(|error| refused(error.to_string()))?;
                Ok((stream, caller))
            })
            .await
    }
}

fn reason_of(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => explain(tls),
        None => format!("the connection broke: {}", error.kind()),
    }
}
