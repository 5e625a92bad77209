// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::path::{Path, PathBuf};

use super::{Authority, Issued, PkiError, Profile, Validity};
use crate::clock::Time;
use crate::id::InstitutionId;

/// Ten years: a root outlives several issuing authorities.
const ROOT_DAYS: u32 = 3653;
/// Two years.
const ISSUING_DAYS: u32 = 731;

/// The whole development PKI that `weiche init` writes: real profiles and real lifetimes, but all keys in one place.
#[derive(Debug)]
pub struct DevelopmentPki {
    /// Signs the three issuing authorities.
    pub root: Authority,
    /// Signs case systems.
    pub institutions: Authority,
    /// Signs the gateway.
    pub servers: Authority,
    /// Signs admins and auditors.
    pub operators: Authority,
    files: Vec<PkiFile>,
}

/// One file of a PKI, relative to its folder.
pub struct PkiFile {
    /// Where, below the folder.
    pub path: PathBuf,
    /// What.
    pub contents: zeroize::Zeroizing<Vec<u8>>,
    /// Whether it holds a private key and only its owner may read it.
    pub secret: bool,
}

impl std::fmt::Debug for PkiFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PkiFile").field("path", &self.path).field("secret", &self.secret).finish_non_exhaustive()
    }
}

impl DevelopmentPki {
    /// Makes it at `now` for one gateway at `hosts` and the case systems `systems` (institution and name of its system, one per institution);
    /// `password` opens the PKCS#12 files.
    pub fn create(trust_domain: &str, hosts: &[String], systems: &[(InstitutionId, String)], password: &str, now: Time) -> Result<Self, PkiError> {
        let root = Authority::root(&format!("{trust_domain} root"), Validity::days(now, ROOT_DAYS))?;
        let issuing = |name: &str| root.issuing(&format!("{trust_domain} {name}"), Validity::days(now, ISSUING_DAYS));
        let (institutions, servers, operators) = (issuing("institutions")?, issuing("servers")?, issuing("operators")?);
        let life = Validity::days(now, Validity::LEAF_DAYS);

        let mut files = vec![open_file("root.pem", root.pem()), secret_file("offline/root.key", root.key_pem().as_bytes())];
        for (name, authority) in [("institutions-ca", &institutions), ("servers-ca", &servers), ("operators-ca", &operators)] {
            files.push(open_file(format!("{name}.pem"), authority.pem()));
            files.push(secret_file(format!("{name}.key"), authority.key_pem().as_bytes()));
        }
        pair(&mut files, "server", &servers.issue(&Profile::server(hosts)?, life)?);
        pair(&mut files, "gateway", &servers.issue(&Profile::gateway(trust_domain)?, life)?);

        let mut client = |path: String, alias: &str, issued: &Issued| -> Result<(), PkiError> {
            pair(&mut files, &path, issued);
            if let (Some(top), Some(trusted)) = (root.certificate(), servers.certificate()) {
                let keystore = issued.keystore(alias, password, top, ("weiche-servers-ca", trusted))?;
                files.push(secret_file(format!("{path}.p12"), &keystore));
            }
            Ok(())
        };
        for (institution, system) in systems {
            let issued = institutions.issue(&Profile::institution(trust_domain, institution, system, hosts)?, life)?;
            client(format!("institution/{institution}"), institution.as_str(), &issued)?;
        }
        client("operator/admin".to_owned(), "admin", &operators.issue(&Profile::admin(trust_domain, "admin")?, life)?)?;
        client("operator/auditor".to_owned(), "auditor", &operators.issue(&Profile::auditor(trust_domain, "auditor")?, life)?)?;
        Ok(Self { root, institutions, servers, operators, files })
    }

    /// Everything that belongs on disk.
    pub fn files(&self) -> &[PkiFile] {
        &self.files
    }
}

/// Writes `files` below `folder`. Refuses before writing anything if one of them exists; private keys are readable by their owner only.
pub fn write_new(folder: &Path, files: &[PkiFile]) -> Result<(), PkiError> {
    let failed = |path: &Path, source| PkiError::File { path: path.to_owned(), source };
    for file in files {
        let path = folder.join(&file.path);
        // A dangling link counts as existing too.
        if path.symlink_metadata().is_ok() {
            return Err(failed(&path, std::io::ErrorKind::AlreadyExists.into()));
        }
    }
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        create(&path, file).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn create(path: &Path, file: &PkiFile) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if file.secret { 0o600 } else { 0o644 });
    let mut target = options.open(path)?;
    target.write_all(&file.contents)?;
    target.sync_all()
}

fn pair(files: &mut Vec<PkiFile>, path: &str, issued: &Issued) {
    files.push(open_file(format!("{path}.pem"), issued.chain_pem()));
    files.push(secret_file(format!("{path}.key"), issued.key_pem().as_bytes()));
}

fn open_file(path: impl Into<PathBuf>, contents: String) -> PkiFile {
    PkiFile { path: path.into(), contents: contents.into_bytes().into(), secret: false }
}

fn secret_file(path: impl Into<PathBuf>, contents: &[u8]) -> PkiFile {
    PkiFile { path: path.into(), contents: contents.to_vec().into(), secret: true }
}
