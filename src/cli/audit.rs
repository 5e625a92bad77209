// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche audit`: verify a log without believing the gateway; write the log out so that anybody can.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use super::config::Config;
use super::fsck::Checked;
use super::gateway::PartsError;
use super::terminal::{Exit, Failure, Output, progress};
use super::{gateway, operator, serve};
use crate::exchange::fsck::Depth;
use crate::ledger::export::{ExportError, Exporter};
use crate::ledger::guard::GuardError;
use crate::ledger::verify::{Verify, VerifyError};
use crate::ledger::{self, Plan, Policy, RollbackGuard, SigningKey, VerifierKey, verify_dir};
use crate::store::{Connection, Store};

/// Entries that are read from the database at once.
const CHUNK: u32 = 4096;

/// Verifies the log offline, or writes it out
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Verifies a tile directory from its entries up; any changed, missing or additional byte is found
    Verify {
        /// Directory that `weiche audit export` wrote, or a copy of it
        dir: PathBuf,
        /// Verifier key of the log, as `weiche init` prints it: <name>+<id>+<key>
        #[arg(long, value_name = "VKEY", required_unless_present = "policy", conflicts_with = "policy")]
        key: Option<String>,
        /// Policy file with logs, witnesses and quorum (c2sp.org/tlog-policy)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Earlier signed checkpoint that this log must continue
        #[arg(long, value_name = "CHECKPOINT")]
        older: Option<PathBuf>,
    },
    /// Writes the log as a tile directory (c2sp.org/tlog-tiles), beside a running gateway or without one; an earlier export in it is continued
    Export {
        /// Configuration of the gateway
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Directory to write to
        dir: PathBuf,
    },
    /// Lists what stands out in a period, from a running gateway; who looks is noted in the log
    Findings(operator::findings::Args),
    /// Reads the log from its first entry and compares where everything stands with the tables: every step was allowed, and nothing else happened
    Replay {
        /// Configuration of the gateway
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Verb {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::Verify { dir, key, policy, older } => {
                let policy = trusted(key.as_deref(), policy.as_deref())?;
                let older = older.as_deref().map(text).transpose()?;
                output.print(&verify(&dir, &policy, older.as_deref())?);
            }
            Self::Export { config, dir } => output.print(&export(&config, &dir).await?),
            Self::Findings(findings) => return findings.run(output).await,
            Self::Replay { config } => {
                let checked = Checked::of(&serve::load(&config)?, Depth::Log).await?;
                output.print(&checked);
                return Ok(checked.exit());
            }
        }
        Ok(Exit::Done)
    }
}

fn trusted(key: Option<&str>, policy: Option<&Path>) -> Result<Policy, Failure> {
    let wrong = |what: &str, error: &dyn fmt::Display| Failure::new(Exit::Usage, format!("{what}: {error}"));
    match (key, policy) {
        (Some(key), _) => VerifierKey::from_str(key).map(Policy::log_only).map_err(|error| wrong("the verifier key", &error)),
        (None, Some(path)) => Policy::from_str(&text(path)?).map_err(|error| wrong(&path.display().to_string(), &error)),
        (None, None) => Err(Failure::new(Exit::Usage, "name the log's key with --key, or a policy with --policy")),
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))
}

fn verify(dir: &Path, policy: &Policy, older: Option<&str>) -> Result<Verified, Failure> {
    if !dir.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{} is not a directory", dir.display())));
    }
    let bar = progress("verifying");
    let show = |done: u64, size: u64| {
        bar.set_length(size);
        bar.set_position(done);
    };
    let report = verify_dir(dir, &Verify { older, progress: &show, ..Verify::new(policy) });
    bar.finish_and_clear();
    let report = report.map_err(|error| broken(&error))?;
    let head = report.checkpoint.checkpoint();
    Ok(Verified {
        origin: head.origin.clone(),
        entries: head.size,
        root: head.root.to_string(),
        bytes: report.bytes,
        files: report.files,
        continues: report.continues.map(|older| older.size),
        witnesses: report.checkpoint.witnesses().iter().map(|(name, _)| name.clone()).collect(),
    })
}

fn broken(error: &VerifyError) -> Failure {
    Failure::new(Exit::Broken, format!("NOT the log that was signed: {error}"))
        .with("do not rely on this directory", "keep it as evidence; compare with another copy and with receipts that callers hold")
}

#[derive(serde::Serialize)]
struct Verified {
    origin: String,
    entries: u64,
    root: String,
    bytes: u64,
    files: u64,
    /// Size of the earlier checkpoint that the log was found to continue.
    continues: Option<u64>,
    witnesses: Vec<String>,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The log {} is as it was signed.", self.origin)?;
        writeln!(f, "  {} entries ({} bytes) in {} files, every one hashed and compared", self.entries, self.bytes, self.files)?;
        write!(f, "  root {}", self.root)?;
        if let Some(size) = self.continues {
            write!(f, "\n  continues the earlier checkpoint of {size} entries: nothing of it was changed")?;
        }
        if !self.witnesses.is_empty() {
            write!(f, "\n  cosigned by {}", self.witnesses.join(", "))?;
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Exported {
    dir: PathBuf,
    entries: u64,
    written: u64,
    verifier_key: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        writeln!(f, "{dir}: {} entries, {} of them new.", self.entries, self.written)?;
        writeln!(f, "Verify it:")?;
        write!(f, "  weiche audit verify {dir} --key '{}'", self.verifier_key)
    }
}

/// What was signed last, from the database alone, beside a gateway or without one. Signs nothing new: the checkpoint is the guarded one again,
/// byte for byte; what was committed after it follows with the next export.
async fn export(config: &Path, dir: &Path) -> Result<Exported, Failure> {
    let config = serve::load(config)?;
    let Guarded { key, head, mut conn } = guarded(&config).await?;
    if head.size == 0 {
        return Err(
            Failure::new(Exit::Failed, "the log is empty so far").with("the first entry is the agreement", "start the gateway once: `weiche serve`")
        );
    }
    let note = key.sign_checkpoint(head.size, head.root);
    let bar = progress("exporting");
    bar.set_length(head.size);
    let failed = |error: ExportError| match error {
        ExportError::Root { .. } | ExportError::OtherLog { .. } => Failure::new(Exit::Broken, error.to_string()),
        other => Failure::failed(&other),
    };
    let mut exporter = Exporter::open(dir, &note.to_string()).map_err(failed)?;
    while exporter.next_index() < head.size {
        let left = u32::try_from(head.size - exporter.next_index()).unwrap_or(u32::MAX);
        let entries = ledger::store::entries(&mut conn, exporter.next_index(), CHUNK.min(left)).await.map_err(|error| Failure::failed(&error))?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            exporter.push(entry).map_err(failed)?;
        }
        bar.set_position(exporter.next_index());
    }
    let report = exporter.finish().map_err(failed)?;
    bar.finish_and_clear();
    Ok(Exported { dir: dir.to_owned(), entries: report.checkpoint.size, written: report.entries, verifier_key: key.verifier().to_string() })
}

/// The log as far as it was signed, with the database held against it.
pub(super) struct Guarded {
    pub(super) key: SigningKey,
    pub(super) head: ledger::Checkpoint,
    conn: Connection,
}

/// Opens key, guard and database of a configuration and compares them.
pub(super) async fn guarded(config: &Config) -> Result<Guarded, Failure> {
    let parts = |error: PartsError| serve::failure(&gateway::GatewayError::Parts(error));
    let key = SigningKey::load(&config.ledger_key).map_err(|error| parts(error.into()))?;
    let guard = RollbackGuard::open(&config.ledger_guard, key.origin()).map_err(|error| parts(error.into()))?;
    let mut conn = Store::read_only(&config.database).await.map_err(|error| parts(error.into()))?;
    // The guard was read before the database, which is never behind it unless it is an old one.
    let head = guard.last().clone();
    if head.size > 0 {
        let size = ledger::store::head(&mut conn).await.map_err(|error| Failure::failed(&error))?.size;
        let checked = if size < head.size {
            Err(GuardError::Behind { size, signed: head.size })
        } else {
            let plan = Plan::root(head.size);
            let tiles = ledger::store::read_tiles(&mut conn, plan.tiles()).await.map_err(|error| Failure::failed(&error))?;
            let root = plan.cut(&tiles).ok().and_then(|roots| roots.first().copied());
            guard.check_history(root.unwrap_or_else(ledger::Hash::empty_root))
        };
        checked.map_err(|error| Failure::new(Exit::Broken, error.to_string()))?;
    }
    Ok(Guarded { key, head, conn })
}
