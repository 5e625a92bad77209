// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche fsck`: is the log the one that was signed, and do the tables say what it says? Beside a running gateway or without one.

use std::fmt;
use std::path::PathBuf;

use super::config::Config;
use super::gateway::{GatewayError, PartsError};
use super::serve;
use super::terminal::{Advice, Exit, Failure, Output, progress};
use crate::exchange::fsck::{Depth, Report, fsck};
use crate::ledger::{Checkpoint, RollbackGuard, SigningKey};
use crate::store::{Connection, Store, StoreError};
use crate::vault::Vault;

/// Checks the whole database against its log, and the log against what was signed; reads only, beside a running gateway or without one
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration of the gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also open every content that waits, with the key of the payloads
    #[arg(long)]
    deep: bool,
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let config = serve::load(&self.config)?;
        let vault = self.deep.then(|| Vault::open(&config.vault_key)).transpose().map_err(|error| Failure::usage(&error))?;
        let checked = Checked::of(&config, vault.as_ref().map_or(Depth::Tables, Depth::Contents)).await?;
        output.print(&checked);
        Ok(checked.exit())
    }
}

/// What was looked at and what was found.
#[derive(serde::Serialize)]
pub(super) struct Checked {
    /// Nothing is wrong.
    ok: bool,
    database: String,
    entries: u64,
    root: String,
    referrals: usize,
    deliveries: usize,
    checks: Vec<Check>,
}

#[derive(serde::Serialize)]
struct Check {
    what: &'static str,
    problems: Vec<Advice>,
    /// Problems beyond those named.
    more: usize,
}

impl Checked {
    /// A configuration's database as it is at this moment, against its guard.
    pub(super) async fn of(config: &Config, depth: Depth<'_>) -> Result<Self, Failure> {
        // Read before the database, which is never behind it unless it is an old one.
        let signed = signed(config)?;
        let mut conn = Store::read_only(&config.database).await.map_err(|error| failure(&error))?;
        conn.snapshot().await.map_err(|error| failure(&error))?;
        let report = look(&mut conn, &signed, depth).await?;
        conn.close().await.map_err(|error| failure(&error))?;
        Ok(Self::new(config.database.to_string(), report))
    }

    fn new(database: String, report: Report) -> Self {
        let ok = report.is_sound();
        let advice = |check: &crate::exchange::fsck::Check| {
            // The same help once per kind of problem.
            let helps = std::iter::once(check.help).chain(std::iter::repeat(""));
            check.problems.iter().zip(helps).map(|(problem, help)| Advice { problem: problem.clone(), help: help.to_owned() }).collect()
        };
        let checks = report.checks.iter().map(|check| Check { what: check.what, problems: advice(check), more: check.more }).collect();
        let Report { entries, root, referrals, deliveries, .. } = report;
        Self { ok, database, entries, root: root.to_string(), referrals, deliveries, checks }
    }

    /// Size and root of the log.
    pub(super) fn log(&self) -> (u64, String) {
        (self.entries, self.root.clone())
    }

    /// What it means to a script.
    pub(super) fn exit(&self) -> Exit {
        if self.ok { Exit::Done } else { Exit::Broken }
    }

    /// A failure with everything that is wrong, if anything is.
    pub(super) fn sound(self, what: &str) -> Result<Self, Failure> {
        if self.ok {
            return Ok(self);
        }
        let failure = Failure::new(Exit::Broken, format!("{what}: {} is not what its log says; nothing was done", self.database));
        Err(self.checks.into_iter().flat_map(|check| check.problems).fold(failure, |failure, one| failure.with(one.problem, one.help)))
    }
}

/// What was signed last, as the configuration's guard says.
pub(super) fn signed(config: &Config) -> Result<Checkpoint, Failure> {
    let parts = |error: PartsError| serve::failure(&GatewayError::Parts(error));
    let key = SigningKey::load(&config.ledger_key).map_err(|error| parts(error.into()))?;
    let guard = RollbackGuard::open(&config.ledger_guard, key.origin()).map_err(|error| parts(error.into()))?;
    Ok(guard.last().clone())
}

/// Checks what a connection sees, with a bar where somebody looks.
async fn look(conn: &mut Connection, signed: &Checkpoint, depth: Depth<'_>) -> Result<Report, Failure> {
    let bar = progress("checking");
    let watch = |what: &'static str, done: u64, of: u64| {
        bar.set_message(what);
        bar.set_length(of.max(1));
        bar.set_position(done);
    };
    let report = fsck(conn, Some(signed), depth, &watch).await;
    bar.finish_and_clear();
    report.map_err(|error| failure(&error))
}

/// The same for a database that is not (or not yet) that of a configuration.
pub(super) async fn checked(conn: &mut Connection, name: String, signed: &Checkpoint, depth: Depth<'_>) -> Result<Checked, Failure> {
    Ok(Checked::new(name, look(conn, signed, depth).await?))
}

/// A database that cannot be read; what it holds wrongly is a broken promise.
pub(super) fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Damaged(_) => Failure::new(Exit::Broken, error.to_string()),
        other => Failure::failed(other),
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, entries, root, referrals, deliveries, checks, .. } = self;
        writeln!(f, "{database}: {entries} entries, {referrals} referrals, {deliveries} deliveries")?;
        writeln!(f, "         root {root}")?;
        for Check { what, problems, more } in checks {
            if problems.is_empty() {
                writeln!(f, "ok       {what}")?;
            }
            for Advice { problem, help } in problems {
                writeln!(f, "PROBLEM  {what}: {problem}")?;
                if !help.is_empty() {
                    writeln!(f, "         help: {help}")?;
                }
            }
            if *more > 0 {
                writeln!(f, "         and {more} more of this kind at least")?;
            }
        }
        f.write_str(if self.ok { "The tables say what the log says, and the log is the one that was signed." } else { "Something is wrong." })
    }
}
