// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::sync::{Arc, LazyLock};

use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};

/// Nothing older: with 1.2 would come renegotiation, resumption by ticket and certificates in the clear.
pub(super) const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Cipher suites, groups and signatures, best first. Always handed over explicitly; the process-wide default is never asked.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![kx_group::SECP256R1MLKEM768, kx_group::X25519MLKEM768, kx_group::SECP384R1, kx_group::SECP256R1],
            signature_verification_algorithms: *SIGNATURES,
            ..aws_lc_rs::default_provider()
        })
    });
    PROVIDER.clone()
}

/// EC P-256, EC P-384 and RSA, of what the library knows.
static SIGNATURES: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let known = aws_lc_rs::default_provider().signature_verification_algorithms;
    let keys = [alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::RSA_ENCRYPTION];
    let all: Vec<&'static dyn SignatureVerificationAlgorithm> =
        known.all.iter().copied().filter(|algorithm| keys.contains(&algorithm.public_key_alg_id())).collect();
    let schemes = [
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::RSA_PSS_SHA512,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA256,
        // Never for the handshake (RFC 8446 4.2.3): tells peers that an authority may have signed their certificate with it.
        SignatureScheme::RSA_PKCS1_SHA512,
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA256,
    ];
    let mapping: Vec<_> = known.mapping.iter().copied().filter(|(scheme, _)| schemes.contains(scheme)).collect();
    // The library wants lists that live as long as the process; this runs once.
    WebPkiSupportedAlgorithms { all: all.leak(), mapping: mapping.leak() }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_offers_what_the_design_lists_and_nothing_else() {
        let provider = provider();
        let suites: Vec<_> = provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
        assert_eq!(suites, ["TLS13_AES_256_GCM_SHA384", "TLS13_AES_128_GCM_SHA256"]);
        let groups: Vec<_> = provider.kx_groups.iter().map(|group| format!("{:?}", group.name())).collect();
        assert_eq!(groups, ["secp256r1MLKEM768", "X25519MLKEM768", "secp384r1", "secp256r1"]);
        let schemes = format!("{:?}", provider.signature_verification_algorithms.supported_schemes());
        assert!(!schemes.contains("ED25519") && !schemes.contains("ML_DSA") && !schemes.contains("P521"), "{schemes}");
        assert_eq!(provider.signature_verification_algorithms.mapping.len(), 8);
    }
}
