// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a benchmark leaves in the folder it was given, so that another one can go on there: with millions stored, say, that take half an hour to make.

use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Args;
use crate::cli::terminal::{Exit, Failure};

/// In the gateway's folder.
const FILE: &str = "bench.json";

/// Addresses that the gateway's configuration and agreement name, and who takes part.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Of the gateway.
    pub listen: [SocketAddr; 3],
    /// Of recipients, in order.
    pub ports: Vec<u16>,
    /// Whose consents are recorded.
    parties: Parties,
}

/// The options that another run in the same folder must have as well.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parties {
    stream: bool,
    pull: bool,
    centres: usize,
    jobcenters: usize,
    persons: usize,
}

impl Parties {
    fn of(args: &Args) -> Self {
        let Args { stream, pull, centres, jobcenters, persons, .. } = *args;
        Self { stream, pull, centres, jobcenters, persons }
    }
}

impl Kept {
    /// For a new folder.
    pub fn new(args: &Args, listen: [SocketAddr; 3], ports: Vec<u16>) -> Self {
        Self { listen, ports, parties: Parties::of(args) }
    }

    /// What an earlier benchmark left in a folder, if there was one. Refused if it had other parties, or a database or gateways that are not in the folder.
    pub fn read(dir: &Path, args: &Args) -> Result<Option<Self>, Failure> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|error| Failure::failed(&error))?;
        let kept: Self = serde_json::from_slice(&text).map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))?;
        if kept.parties != Parties::of(args) {
            let said = format!("{} was made with {:?}; say the same options, or give another folder", dir.display(), kept.parties);
            return Err(Failure::new(Exit::Usage, said));
        }
        Ok(Some(kept))
    }

    /// For the next benchmark; written when the consents are recorded, so that a folder half made is none.
    pub fn write(&self, dir: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Failure::failed(&error))?;
        std::fs::write(dir.join(FILE), text).map_err(|error| Failure::failed(&error))
    }
}
