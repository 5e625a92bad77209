// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.toml`: where the gateway listens, which files it lives on, how much it takes at once.
//!
//! Every path is relative to the file that names it. No setting makes anything: a missing key or database stops the start, because a new one made
//! silently would be a new log, or payloads that nobody can read any more. Only `weiche init` makes them.

mod read;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::telemetry::LogFormat;
use crate::exchange::Periods;
use crate::store::Place;

pub use template::template;

/// A checked configuration; its paths are ready to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The domain of all SPIFFE URIs, such as `weiche.example.invalid`.
    pub trust_domain: String,
    /// Folders with dialects besides those of the program.
    pub dialects: Vec<PathBuf>,
    /// Where case systems call.
    pub institutions: Door,
    /// Where admins and auditors call.
    pub operators: Door,
    /// Health and metrics in plain HTTP, on loopback only; none: no such port.
    pub ops: Option<SocketAddr>,
    /// The database.
    pub database: Place,
    /// Bytes that stay free on the disk of a database file for what cannot wait; never more than a tenth of it.
    pub reserve: u64,
    /// The key that signs the log.
    pub ledger_key: PathBuf,
    /// What was signed last; keep it out of the database's backups.
    pub ledger_guard: PathBuf,
    /// The key-encryption key of the payloads.
    pub vault_key: PathBuf,
    /// The cooperation agreement.
    pub agreement: PathBuf,
    /// How institutions are called.
    pub deliveries: Deliveries,
    /// A referral that nobody delivered or answered for so long ends as expired.
    pub expire_after: Duration,
    /// How long what is kept.
    pub periods: Periods,
    /// How often what is due is erased.
    pub erase_every: Duration,
    /// From SIGTERM to the end of the process, whatever is still under way.
    pub drain_within: Duration,
    /// How much at once.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Address and port.
    pub listen: SocketAddr,
    /// What the gateway shows, and whom it trusts.
    pub tls: TlsFiles,
}

/// The files of one side of TLS, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate and issuing authority, in this order.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
    /// Authorities whose certificates the other side may show.
    pub trusted: PathBuf,
}

/// Calls to institutions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// What the gateway shows when it calls, and whom it trusts.
    pub tls: TlsFiles,
    /// How long the bytes of one attempt may be on their way.
    pub lease: Duration,
}

/// Bounds; each has a default that suits two cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one listener, handshakes included.
    pub connections: usize,
    /// Connections of one institution or operator.
    pub connections_per_caller: usize,
    /// Calls in flight at one listener, streams not counted.
    pub calls: usize,
    /// Streams that are open at one listener.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, connections_per_caller: 8, calls: 256, streams: 512 }
    }
}

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `text` for people, `json` for collectors.
    pub format: LogFormat,
    /// A level, or a filter such as `info,weiche::grpc=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ConfigProblem {
    /// From 1; of the section if a key is missing in it.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Everything that is wrong with it.
    #[error("the configuration {path} has {} problem(s)", .problems.len())]
    Problems {
        /// Which.
        path: String,
        /// In the order of the lines.
        problems: Vec<ConfigProblem>,
    },
}

impl Config {
    /// Reads the file at `path`. Opens none of the files that it names.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: shown.clone(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|problems| ConfigError::Problems { path: shown, problems })
    }

    /// Reads a text whose relative paths begin at `folder`. On failure, every problem that was found, in the order of the lines.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<ConfigProblem>> {
        read::parse(text, folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> String {
        template(
            "weiche.example.invalid",
            "127.0.0.1:8443".parse().unwrap(),
            "127.0.0.1:8444".parse().unwrap(),
            "127.0.0.1:9464".parse().unwrap(),
            "weiche.db",
        )
    }

    #[test]
    fn what_init_writes_is_read_back_and_its_commented_defaults_are_the_real_ones() {
        let config = Config::parse(&written(), Path::new("/etc/weiche")).unwrap();
        assert_eq!(config.database, Place::File("/etc/weiche/weiche.db".into()));
        assert_eq!(config.deliveries.lease, Duration::from_secs(30));
        let defaults: String = written().lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
        assert!(defaults.len() < written().len());
        assert_eq!(Config::parse(&defaults, Path::new("/etc/weiche")).unwrap(), config);
    }

    #[test]
    fn every_setting_is_explained_in_the_file() {
        let text = written();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = ")) {
            assert!(lines[at - 1].starts_with("# "), "{line}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once_each_with_its_line() {
        let broken = written()
            .replace("listen = \"127.0.0.1:8443\"", "listen = \"somewhere\"")
            .replace("store = \"weiche.db\"", "stroe = \"weiche.db\"")
            .replace("#: lease_seconds = 30", "lease_seconds = 0")
            .replace("listen = \"127.0.0.1:9464\"", "listen = \"0.0.0.0:9464\"")
            .replace("format = \"text\"", "format = \"xml\"");
        let problems = Config::parse(&broken, Path::new("")).unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for (part, line) in [
            ("`institutions.listen`", "listen = \"somewhere\""),
            ("unknown key `database.stroe`", "stroe"),
            ("`database.store` is missing", "[database]"),
            ("`deliveries.lease_seconds`", "lease_seconds"),
            ("`ops.listen`", "0.0.0.0"),
            ("`log.format`", "xml"),
        ] {
            let number = 1 + broken.lines().position(|l| l.contains(line)).unwrap();
            assert!(texts.iter().any(|text| text.contains(part) && text.starts_with(&format!("line {number}:"))), "{part} {number}: {texts:#?}");
        }
        assert_eq!(texts.len(), 6, "{texts:#?}");
    }

    #[test]
    fn nothing_precious_has_a_default() {
        let problems = Config::parse("", Path::new("")).unwrap_err();
        let texts = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for key in ["trust_domain", "[institutions]", "[operators]", "[database]", "[ledger]", "[vault]", "[agreement]", "[deliveries]"] {
            assert!(texts.contains(key), "{key}: {texts}");
        }
    }
}
