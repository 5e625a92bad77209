// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche drain`: ends a running gateway as SIGTERM does, from elsewhere, and says in the log who asked for it.

use std::fmt;

use super::{Door, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::id::RequestId;
use crate::proto::admin::DrainRequest;

/// Ends a running gateway: not ready, nothing new, what is under way ends, never longer than its deadline
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: Door,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let request = DrainRequest { request_id: RequestId::random().to_string() };
        let answer = self.door.open()?.drain(request).await.map_err(|status| refused(&status))?.into_inner();
        output.print(&Draining { ended_by: answer.ended_by.map(instant).unwrap_or_default() });
        Ok(Exit::Done)
    }
}

#[derive(serde::Serialize)]
struct Draining {
    ended_by: String,
}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "It drains, and will have ended by {}.", self.ended_by)
    }
}
