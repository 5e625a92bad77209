// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche migrate`: brings the tables of a database up to this program.

use std::fmt;
use std::path::PathBuf;

use super::serve;
use super::terminal::{Exit, Failure, Output};
use crate::store::Store;

/// Brings the tables of a configuration's database up to this program; changes nothing if they are, or are newer and for this program too
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file, as `weiche init` writes it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// What was done.
#[derive(Debug, serde::Serialize)]
struct Migrated {
    database: String,
    from: i64,
    to: i64,
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let config = serve::load(&self.config)?;
        let (from, to) = Store::migrate(&config.database).await.map_err(|error| Failure::failed(&error))?;
        output.print(&Migrated { database: config.database.to_string(), from, to });
        Ok(Exit::Done)
    }
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, from, to } = self;
        if from == to { writeln!(f, "{database}: version {to} already") } else { writeln!(f, "{database}: from version {from} to {to}") }
    }
}
