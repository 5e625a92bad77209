// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Issued, PkiError};

impl Issued {
    /// The key with its chain up to `root`, and `trusted` as the authority whose servers may be trusted, in one PKCS#12 file (RFC 7292)
    /// as Java and OpenSSL read it: AES-256 and HMAC-SHA-256. `alias` names the key.
    pub fn keystore(
        &self,
        alias: &str,
        password: &str,
        root: &CertificateDer<'_>,
        trusted: (&str, &CertificateDer<'_>),
    ) -> Result<Vec<u8>, PkiError> {
        let key = match self.key() {
            PrivateKeyDer::Pkcs8(der) => PrivateKey::from_der(der.secret_pkcs8_der())?,
            _ => return Err(PkiError::Authority("the key is not PKCS#8")),
        };
        let certificates =
            self.chain().iter().chain([root]).map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, p12_keystore::error::Error>>()?;
        let mut store = KeyStore::new();
        // The key and its certificate find each other by this number inside the file; one key per file.
        store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(vec![1], key, certificates)));
        store.add_entry(trusted.0, KeyStoreEntry::Certificate(Certificate::from_der(trusted.1)?));
        Ok(store.writer(password).write()?)
    }
}
