// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The gateway as another process, or several on one database: started, killed, stopped, and its log verified once it is gone.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prost::Message as _;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::Folder;
use super::report::Audit;
use crate::cli::init::CONFIG;
use crate::cli::terminal::{Exit, Failure};
use crate::clock::{Clock as _, SystemClock};
use crate::identity::tls::Credentials;
use crate::ledger::verify::Verify;
use crate::ledger::{Policy, SigningKey, verify_dir};
use crate::proto::audit::{Entry, EntryKind};

/// A gateway that does not listen after so long is not going to.
const START: Duration = Duration::from_secs(20);

/// Processor time and memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// Resident memory at most, in bytes.
    pub peak: u64,
}

/// A running gateway, of one process or of several on one database.
pub struct Gateway {
    folder: Folder,
    processes: Vec<Process>,
}

/// One process of it.
struct Process {
    config: PathBuf,
    door: SocketAddr,
    child: Child,
}

impl Gateway {
    /// Starts the configuration of a folder and `more` like it, each with doors of its own; all listen when this answers.
    pub async fn start(folder: Folder, listen: [SocketAddr; 3], more: &[[SocketAddr; 3]]) -> Result<Self, Failure> {
        let first = folder.path.join(CONFIG);
        let mut processes = vec![Process::start(first.clone(), listen[0]).await?];
        for (number, doors) in more.iter().enumerate() {
            // The guard is a gateway's own; keys, certificates and agreement are shared.
            let guard = format!("keys/ledger-{number}.guard");
            let mut text = std::fs::read_to_string(&first).map_err(|error| Failure::failed(&error))?.replace("keys/ledger.guard", &guard);
            for (first, own) in listen.iter().zip(doors) {
                text = text.replace(&first.to_string(), &own.to_string());
            }
            let config = folder.path.join(format!("weiche-{number}.toml"));
            std::fs::write(&config, text).map_err(|error| Failure::failed(&error))?;
            std::fs::copy(folder.path.join("keys/ledger.guard"), folder.path.join(guard)).map_err(|error| Failure::failed(&error))?;
            processes.push(Process::start(config, doors[0]).await?);
        }
        Ok(Self { folder, processes })
    }

    /// Where it lives.
    pub fn dir(&self) -> &Path {
        &self.folder.path
    }

    /// Where institutions call.
    pub fn doors(&self) -> impl Iterator<Item = SocketAddr> {
        self.processes.iter().map(|process| process.door).cycle()
    }

    /// Kills it as a power cut would, starts it again, and says how long somebody did not listen.
    pub async fn kill_and_restart(&mut self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        for process in &mut self.processes {
            process.child.kill().await.map_err(|error| Failure::failed(&error))?;
        }
        for process in &mut self.processes {
            *process = Process::start(process.config.clone(), process.door).await?;
        }
        Ok(begun.elapsed())
    }

    /// What it has used. Zero where the system does not say (no `/proc`).
    pub fn usage(&self) -> Usage {
        self.processes.iter().filter_map(|process| usage(process.child.id()?)).fold(Usage::default(), |all, one| Usage {
            cpu: all.cpu + one.cpu,
            resident: all.resident + one.resident,
            peak: all.peak + one.peak,
        })
    }

    /// Stops it as an operator would, exports its log and verifies every byte of it.
    pub async fn stop_and_verify(mut self) -> Result<Audit, Failure> {
        for process in &mut self.processes {
            process.stop().await;
        }
        let log = self.folder.path.join("log");
        let exported = Command::new(program()?)
            .args(["audit", "export", "--config"])
            .arg(self.folder.path.join(CONFIG))
            .arg(&log)
            .stdout(Stdio::null())
            .status()
            .await;
        if !exported.is_ok_and(|status| status.success()) {
            return Err(Failure::new(Exit::Broken, "the log of the stopped gateway could not be exported"));
        }
        let key = SigningKey::load(&self.folder.path.join("keys/ledger.key")).map_err(|error| Failure::failed(&error))?;
        let (submitted, delivered) = (AtomicU64::new(0), AtomicU64::new(0));
        let count = |_: u64, entry: &[u8]| {
            let entry = Entry::decode(entry).map_err(|error| error.to_string())?;
            match entry.kind() {
                EntryKind::ReferralSubmitted => submitted.fetch_add(1, Ordering::Relaxed),
                EntryKind::Delivered if entry.detail == "referral" => delivered.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
            Ok(())
        };
        let policy = Policy::log_only(key.verifier().clone());
        let report = verify_dir(&log, &Verify { on_entry: &count, ..Verify::new(&policy) });
        let report = report.map_err(|error| Failure::new(Exit::Broken, format!("the log does not verify: {error}")))?;
        Ok(Audit {
            entries: report.checkpoint.checkpoint().size,
            submitted: submitted.into_inner(),
            delivered: delivered.into_inner(),
            database_bytes: std::fs::metadata(self.folder.path.join("weiche.db")).ok().map(|file| file.len()),
        })
    }
}

impl Process {
    async fn start(config: PathBuf, door: SocketAddr) -> Result<Self, Failure> {
        let log = config.with_extension("log");
        let mut process = Self { child: spawn(&config, &log)?, config, door };
        let end = Instant::now() + START;
        while TcpStream::connect(door).await.is_err() {
            let gone = process.child.try_wait().ok().flatten();
            if gone.is_some() || Instant::now() > end {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(Failure::new(Exit::Failed, format!("the gateway does not start: {}", last.join(" | "))));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(process)
    }

    /// As an operator would; by force if that takes too long.
    async fn stop(&mut self) {
        if let Some(id) = self.child.id() {
            let _ = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let _ = self.child.kill().await;
    }
}

fn spawn(config: &Path, log: &Path) -> Result<Child, Failure> {
    let log = File::options().create(true).append(true).open(log).map_err(|error| Failure::failed(&error))?;
    let errors = log.try_clone().map_err(|error| Failure::failed(&error))?;
    let mut command = Command::new(program()?);
    command.args(["serve", "--config"]).arg(config).env("WEICHE_LOG", "warn").stdin(Stdio::null()).stdout(log).stderr(errors);
    command.kill_on_drop(true).spawn().map_err(|error| Failure::failed(&error))
}

fn program() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::failed(&error))
}

/// From `/proc`: `stat` counts time in hundredths of a second, `status` memory in KiB.
fn usage(process: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    Some(Usage { cpu: Duration::from_millis(ticks * 10), resident: kib("VmRSS:")? * 1024, peak: kib("VmHWM:")? * 1024 })
}

/// A receiving case system's half of TLS: it demands the gateway's certificate.
pub fn server_tls(certs: &Path, institution: &str) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let read = |name: &str| std::fs::read(certs.join(name)).map_err(|error| Failure::failed(&error));
    let failed = |error: &dyn std::error::Error| Failure::failed(error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for anchor in crate::pki::Anchors::from_pem(&read("servers-ca.pem")?, SystemClock.now()).map_err(|error| failed(&error))?.iter() {
        roots.add(anchor.certificate().clone()).map_err(|error| failed(&error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().map_err(|error| failed(&error))?;
    let credentials = Credentials::from_pem(&read(&format!("institution/{institution}.pem"))?, &read(&format!("institution/{institution}.key"))?);
    let credentials = credentials.map_err(|error| failed(&error))?;
    let (chain, key) = credentials.into_parts();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config.map_err(|error| failed(&error))?.with_client_cert_verifier(verifier).with_single_cert(chain, key);
    let mut config = config.map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
