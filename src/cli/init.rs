// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche init DIR`: everything a gateway lives on, made once. Refuses before writing anything if any of it is there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::config::template;
use super::terminal::{Exit, Failure, Output};
use crate::agreement::{Agreement, AgreementError};
use crate::clock::{Clock as _, SystemClock};
use crate::ledger::guard::GuardError;
use crate::ledger::key::KeyError;
use crate::ledger::{RollbackGuard, SigningKey};
use crate::pki::{DevelopmentPki, PkiError, PkiFile, write_new};
use crate::store::{Place, Store, StoreError};
use crate::vault::{Vault, VaultError};

/// The agreement that a new folder starts with.
pub const AGREEMENT: &str = include_str!("../../agreement/bremen.toml");
/// The name of the configuration in the folder.
pub const CONFIG: &str = "weiche.toml";
/// The system name in the certificates that are made for members.
pub const SYSTEM: &str = "fachverfahren";
/// Where things lie in the folder; the configuration says the same.
const PLACES: [&str; 6] = [CONFIG, "agreement.toml", "certs", "keys/ledger.key", "keys/ledger.guard", "keys/vault.key"];

/// Makes a folder with configuration, agreement, keys, database and development certificates
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to make it in; may exist, but nothing of what is made may
    dir: PathBuf,
    /// Domain of the SPIFFE URIs in all certificates; also names the log
    #[arg(long, default_value = "weiche.example.invalid")]
    trust_domain: String,
    /// Names and addresses under which the gateway and the members' servers are called
    #[arg(long, value_delimiter = ',', default_values_t = ["localhost", "127.0.0.1", "::1"].map(str::to_owned))]
    hosts: Vec<String>,
    /// Where everything is kept: a file in the folder, or an empty database of a server (postgres://USER@HOST:PORT/NAME)
    #[arg(long, default_value = "weiche.db")]
    store: String,
}

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Domain of the SPIFFE URIs.
    pub trust_domain: String,
    /// Names in the server certificates.
    pub hosts: Vec<String>,
    /// Text of the agreement; each of its members gets a certificate.
    pub agreement: String,
    /// Where case systems call, operators call, and metrics are read.
    pub listen: [SocketAddr; 3],
    /// The database, as the configuration names it.
    pub store: String,
}

impl Default for Plan {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            trust_domain: "weiche.example.invalid".to_owned(),
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            agreement: AGREEMENT.to_owned(),
            listen: [local(8443), local(8444), local(9464)],
            store: "weiche.db".to_owned(),
        }
    }
}

/// What was made.
#[derive(Debug, serde::Serialize)]
pub struct Made {
    /// The configuration.
    pub config: PathBuf,
    /// Verifier key of the log: hand it to auditors.
    pub verifier_key: String,
    /// Members that have a certificate, a key and a keystore under `certs/institution`.
    pub members: Vec<String>,
    /// All files.
    pub files: Vec<PathBuf>,
}

/// Why nothing was made, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is there already.
    #[error("{0} exists already; nothing was made. Keys and logs are never overwritten: choose another folder, or move it away")]
    Exists(PathBuf),
    /// A file or folder cannot be written.
    #[error("{path} cannot be written: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The agreement is wrong.
    #[error("the agreement has {} problem(s), the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Agreement(Vec<AgreementError>),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The log's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The payloads' key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let plan = Plan { trust_domain: self.trust_domain, hosts: self.hosts, store: self.store, ..Plan::default() };
        let made = create(&self.dir, &plan).await.map_err(|error| match error {
            InitError::Pki(PkiError::Name(_) | PkiError::NoHost) | InitError::Key(KeyError::Name(_)) => Failure::usage(&error),
            other => Failure::failed(&other),
        })?;
        output.print(&made);
        Ok(Exit::Done)
    }
}

/// Makes everything below `dir`. A failure in the middle leaves what was made so far; it is safe to remove, since nothing was signed yet.
pub async fn create(dir: &Path, plan: &Plan) -> Result<Made, InitError> {
    let agreement = Agreement::parse(&plan.agreement).map_err(InitError::Agreement)?;
    let place = Place::parse(&plan.store, dir)?;
    let file = place.file().map(Path::to_owned);
    if let Some(there) = PLACES.iter().map(|place| dir.join(place)).chain(file).find(|path| path.symlink_metadata().is_ok()) {
        return Err(InitError::Exists(there));
    }
    let systems: Vec<_> = agreement.members().map(|member| (member.id.clone(), SYSTEM.to_owned())).collect();
    let password = password()?;
    let pki = DevelopmentPki::create(&plan.trust_domain, &plan.hosts, &systems, &password, SystemClock.now())?;
    let [institutions, operators, ops] = plan.listen;
    let plain = |path: &str, text: String, secret| PkiFile { path: path.into(), contents: text.into_bytes().into(), secret };

    for folder in [dir.to_owned(), dir.join("keys")] {
        std::fs::create_dir_all(&folder).map_err(|source| InitError::File { path: folder, source })?;
    }
    let key = SigningKey::create(&dir.join("keys/ledger.key"), &plan.trust_domain)?;
    RollbackGuard::create(&dir.join("keys/ledger.guard"), key.origin())?;
    Vault::create(&dir.join("keys/vault.key"))?;
    write_new(&dir.join("certs"), pki.files())?;
    write_new(&dir.join("certs"), &[plain("p12-password", format!("{}\n", *password), true)])?;
    Store::create(&place).await?;
    // Last: a folder that has a configuration has everything else.
    write_new(
        dir,
        &[
            plain("agreement.toml", plan.agreement.clone(), false),
            plain(CONFIG, template(&plan.trust_domain, institutions, operators, ops, &plan.store), false),
        ],
    )?;

    let mut files: Vec<PathBuf> = PLACES.iter().filter(|place| **place != "certs").map(PathBuf::from).collect();
    files.extend(place.file().and_then(|file| file.strip_prefix(dir).ok()).map(PathBuf::from));
    files.extend(pki.files().iter().map(|file| Path::new("certs").join(&file.path)));
    files.push("certs/p12-password".into());
    files.sort();
    let members = systems.into_iter().map(|(id, _)| id.to_string()).collect();
    Ok(Made { config: dir.join(CONFIG), verifier_key: key.verifier().to_string(), members, files })
}

/// Opens the keystores: 128 bits in hex.
fn password() -> Result<Zeroizing<String>, VaultError> {
    let mut bytes = Zeroizing::new([0; 16]);
    crate::vault::fill(&mut bytes[..])?;
    Ok(Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.config.parent().unwrap_or(Path::new("."));
        let (dir, config) = (dir.display(), self.config.display());
        writeln!(f, "Made {} files in {dir}.", self.files.len())?;
        writeln!(f)?;
        writeln!(f, "  {config}   where it listens, and every limit")?;
        writeln!(f, "  {dir}/agreement.toml   who may send what to whom; adapt it to yours")?;
        writeln!(f, "  {dir}/keys/   the log's key and guard, the payloads' key: back them up apart from the database")?;
        writeln!(
            f,
            "  {dir}/certs/   DEVELOPMENT certificates for {} members, an admin and an auditor; p12-password opens the .p12 files",
            self.members.len()
        )?;
        writeln!(f)?;
        writeln!(f, "Verifier key of the log, for auditors:")?;
        writeln!(f, "  {}", self.verifier_key)?;
        writeln!(f)?;
        writeln!(f, "Next:")?;
        writeln!(f, "  weiche check --config {config}")?;
        write!(f, "  weiche serve --config {config}")
    }
}
