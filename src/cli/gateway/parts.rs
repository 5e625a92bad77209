// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From files to what a gateway is made of. Nothing is made here: what is missing stops the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::agreement::{Agreement, AgreementError};
use crate::cli::config::{Config, TlsFiles};
use crate::clock::{Clock, SystemClock};
use crate::delivery::Outward;
use crate::dialect::{DialectErrors, Dialects};
use crate::exchange::{Parts, Room};
use crate::identity::tls::{Audience, Credentials, ServerTls, TlsError};
use crate::ledger::guard::GuardError;
use crate::ledger::key::KeyError;
use crate::ledger::{RollbackGuard, SigningKey};
use crate::pki::{AnchorError, Anchors};
use crate::store::{Store, StoreError};
use crate::vault::{Vault, VaultError};

/// Which file stops the start, and why.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate and key.
    #[error("{path}: {source}")]
    Tls {
        /// The certificate.
        path: PathBuf,
        /// Why.
        source: TlsError,
    },
    /// Authorities.
    #[error("{path}: {source}")]
    Anchors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: AnchorError,
    },
    /// The agreement, with everything that is wrong with it.
    #[error("the agreement {path} has {} problem(s)", .problems.len())]
    Agreement {
        /// The file.
        path: PathBuf,
        /// In the order of the lines.
        problems: Vec<AgreementError>,
    },
    /// The dialects of this build and of the configuration.
    #[error("the dialects cannot be used:\n{0}")]
    Dialects(#[from] DialectErrors),
    /// The log's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was signed.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The payloads' key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Both listeners and the way out.
pub(super) struct Tls {
    pub(super) institutions: ServerTls,
    pub(super) operators: ServerTls,
    pub(super) outward: Outward,
}

/// Everything that an exchange is made of.
pub(super) async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Parts, PartsError> {
    let agreement = agreement(&config.agreement)?;
    let dialects = Arc::new(Dialects::with_folders(&config.dialects)?);
    let key = SigningKey::load(&config.ledger_key)?;
    let guard = RollbackGuard::open(&config.ledger_guard, key.origin())?;
    let vault = Vault::open(&config.vault_key)?;
    let store = Store::open(&config.database).await?;
    let room = Room::of(&config.database, config.reserve);
    Ok(Parts { store, vault, key, guard, agreement, dialects, clock, periods: config.periods, room })
}

/// The agreement with its text.
pub(crate) fn agreement(path: &Path) -> Result<(Agreement, String), PartsError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    match Agreement::parse(&text) {
        Ok(agreement) => Ok((agreement, text)),
        Err(problems) => Err(PartsError::Agreement { path: path.to_owned(), problems }),
    }
}

/// TLS of all sides, checked.
pub(super) fn tls(config: &Config) -> Result<Tls, PartsError> {
    Ok(Tls {
        institutions: server(&config.institutions.tls, Audience::Institutions, &config.trust_domain)?,
        operators: server(&config.operators.tls, Audience::Operators, &config.trust_domain)?,
        outward: outward(&config.deliveries.tls, &config.trust_domain)?,
    })
}

/// A listener's side.
pub(crate) fn server(files: &TlsFiles, audience: Audience, trust_domain: &str) -> Result<ServerTls, PartsError> {
    let failed = |source| PartsError::Tls { path: files.certificate.clone(), source };
    let credentials = credentials(files)?;
    ServerTls::new(credentials, &anchors(&files.trusted)?, audience, trust_domain).map_err(failed)
}

/// The side that calls members.
pub(crate) fn outward(files: &TlsFiles, trust_domain: &str) -> Result<Outward, PartsError> {
    let failed = |source| PartsError::Tls { path: files.certificate.clone(), source };
    let key = Zeroizing::new(read(&files.key)?);
    Outward::new(read(&files.certificate)?, key, anchors(&files.trusted)?, trust_domain).map_err(failed)
}

/// Certificate and key of one side.
pub(crate) fn credentials(files: &TlsFiles) -> Result<Credentials, PartsError> {
    let key = Zeroizing::new(read(&files.key)?);
    Credentials::from_pem(&read(&files.certificate)?, &key).map_err(|source| PartsError::Tls { path: files.certificate.clone(), source })
}

/// The leaf that a side shows.
pub(crate) fn leaf(files: &TlsFiles) -> Result<CertificateDer<'static>, PartsError> {
    let missing = || PartsError::Tls { path: files.certificate.clone(), source: TlsError::Pem("certificate") };
    credentials(files)?.chain().first().cloned().ok_or_else(missing)
}

/// Authorities; the machine's own clock says which of them are valid, as it will at each handshake.
pub(crate) fn anchors(path: &Path) -> Result<Anchors, PartsError> {
    Anchors::from_pem(&read(path)?, SystemClock.now()).map_err(|source| PartsError::Anchors { path: path.to_owned(), source })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, PartsError> {
    std::fs::read(path).map_err(|source| PartsError::File { path: path.to_owned(), source })
}
