// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use rustls::{AlertDescription, CertificateError, Error};

/// A failed handshake in plain words, for whoever has to repair it.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(certificate) => of_certificate(certificate),
        Error::AlertReceived(alert) => format!("the other side refused: {}", of_alert(*alert)),
        Error::NoCertificatesPresented => "no certificate was presented, and one is required".to_owned(),
        Error::NoApplicationProtocol => "the two sides share no application protocol: HTTP/2 (h2) is required".to_owned(),
        Error::PeerIncompatible(_) => format!("the two sides share no TLS version or algorithm, and only TLS 1.3 is spoken here ({error})"),
        Error::InvalidMessage(_) => "the other side does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired: renew it, or correct this machine's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet: correct this machine's clock, or wait"
        }
        CertificateError::UnknownIssuer => "the certificate comes from an authority that is not trusted here, or whose own certificate has expired",
        CertificateError::BadSignature => {
            "the certificate comes from an authority that is not trusted here: one of the same name, but with another key (were the authorities made anew?)"
        }
        CertificateError::Revoked => "the certificate has been revoked",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another host: compare the address with the names in it"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for this purpose (extended key usage)"
        }
        CertificateError::ApplicationVerificationFailure => {
            "the certificate is genuine but does not name whom it must: its one SPIFFE URI differs, or its key is unfit"
        }
        other => return format!("the certificate cannot be accepted: {other}"),
    };
    text.to_owned()
}

/// Alerts as this gateway sends them (RFC 8446 6.2).
fn of_alert(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::CertificateRequired => "it requires a client certificate and got none",
        AlertDescription::CertificateExpired => "our certificate has expired or is not valid yet",
        AlertDescription::CertificateRevoked => "our certificate has been revoked",
        AlertDescription::UnknownCA => {
            "it does not trust the authority that issued our certificate: a certificate for another listener or another gateway?"
        }
        AlertDescription::DecryptError => {
            "it does not trust the authority that issued our certificate: it knows one of that name, but with another key (were the authorities made anew?)"
        }
        AlertDescription::AccessDenied => {
            "our certificate is genuine but names nobody it lets in: not exactly one SPIFFE URI, another trust domain, or another listener's role"
        }
        AlertDescription::UnsupportedCertificate => "our certificate is not for clients (extended key usage)",
        AlertDescription::BadCertificate => "it cannot read or accept our certificate",
        AlertDescription::ProtocolVersion => "it speaks no TLS version that we speak; only TLS 1.3 is allowed",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP/2",
        AlertDescription::HandshakeFailure => "no common algorithm",
        other => return format!("TLS alert {other:?}"),
    };
    text.to_owned()
}
