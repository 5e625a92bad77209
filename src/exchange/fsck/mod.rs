// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whether a database is what it should be: the log as it was signed, and the tables as the log says. Reads one moment of it, beside a gateway at
//! work or without one, and names everything that is wrong at once. Changes nothing.

mod log;
mod tables;

use crate::ledger::{Checkpoint, Hash};
use crate::store::{Connection, StoreError};
use crate::vault::Vault;

/// Problems of one kind that are named; the rest are counted.
const NAMED: usize = 10;

/// What to do about a database that is not what the log says.
const RESTORE: &str = "stop the gateway, keep a copy of the files, and restore the newest backup; report it, this should not happen";

/// How much is looked at.
#[derive(Clone, Copy)]
pub enum Depth<'a> {
    /// The log, its replay, and whether the tables say the same.
    Log,
    /// The rest of the tables too.
    Tables,
    /// The contents that wait too: each must open with this key.
    Contents(&'a Vault),
}

/// Is told what is looked at, how far it is, and of how much.
pub type Watch<'a> = dyn Fn(&'static str, u64, u64) + Sync + 'a;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Entries of the log.
    pub entries: u64,
    /// Root over them, computed from the entries.
    pub root: Hash,
    /// Referrals that the log tells of.
    pub referrals: usize,
    /// Deliveries that the log tells of.
    pub deliveries: usize,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// The first problems; none: it is right.
    pub problems: Vec<String>,
    /// Problems beyond those.
    pub more: usize,
    /// What to do about them.
    pub help: &'static str,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(Check::is_sound)
    }
    /// Every problem that is named, with what was looked at.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.checks.iter().flat_map(|check| check.problems.iter().map(|problem| (check.what, problem.as_str())))
    }
}

impl Check {
    fn new(what: &'static str, help: &'static str) -> Self {
        Self { what, problems: Vec::new(), more: 0, help }
    }
    fn wrong(&mut self, problem: impl Into<String>) {
        if self.problems.len() < NAMED { self.problems.push(problem.into()) } else { self.more += 1 }
    }
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Looks at a database of which `conn` sees one moment ([`Connection::snapshot`], or a transaction of its own). `signed` is what the rollback guard
/// said before that moment; none: there is no guard to ask. Tables that are not for this program are an error: it cannot judge them.
pub async fn fsck(conn: &mut Connection, signed: Option<&Checkpoint>, depth: Depth<'_>, watch: &Watch<'_>) -> Result<Report, StoreError> {
    conn.tables().await?.usable()?;
    let mut checks = Vec::new();
    let (tree, mut replay) = log::walk(conn, signed, &mut checks, watch).await?;
    let (referrals, deliveries) = (replay.referrals.len(), replay.deliveries.len());
    checks.push(tables::referrals(conn, &mut replay, watch).await?);
    checks.push(tables::deliveries(conn, &mut replay, watch).await?);
    checks.push(tables::consents(conn, &mut replay, watch).await?);
    if !matches!(depth, Depth::Log) {
        for relation in tables::RELATIONS {
            watch(relation.what, 0, 0);
            checks.push(relation.check(conn).await?);
        }
    }
    if let Depth::Contents(vault) = depth {
        checks.push(tables::contents(conn, vault, watch).await?);
    }
    Ok(Report { entries: tree.size(), root: tree.root(), referrals, deliveries, checks })
}
