// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche audit findings`: what stands out in a period, from a running gateway.

use std::fmt;

use prost_types::Timestamp;

use super::{AuditorDoor, Row, Rows, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::proto::audit as wire;

/// Lists what stands out in a period, from a running gateway; who looks is noted in the log
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: AuditorDoor,
    /// From then on, such as 2026-10-01T00:00:00Z; without it 90 days before the end
    #[arg(long, value_name = "INSTANT")]
    since: Option<jiff::Timestamp>,
    /// Before then; without it now
    #[arg(long, value_name = "INSTANT")]
    until: Option<jiff::Timestamp>,
    /// Also what was looked at and does not stand out
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let wire = |at: jiff::Timestamp| Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
        let request = wire::ListFindingsRequest { since: self.since.map(wire), until: self.until.map(wire) };
        let answer = self.door.open()?.list_findings(request).await.map_err(|status| refused(&status))?.into_inner();
        let looked_at = answer.findings.len();
        let findings = answer.findings.into_iter().filter(|one| self.all || one.stands_out).map(Finding::from).collect();
        let at = |at: Option<Timestamp>| at.map(instant).unwrap_or_default();
        output.print(&Found { since: at(answer.since), until: at(answer.until), looked_at, findings: Rows(findings) });
        Ok(Exit::Done)
    }
}

#[derive(serde::Serialize)]
struct Found {
    since: String,
    until: String,
    /// Kinds at units of which anything was seen.
    looked_at: usize,
    findings: Rows<Finding>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, until, looked_at, findings } = self;
        let standing_out = findings.0.iter().filter(|one| one.stands_out).count();
        writeln!(f, "{since} to {until}: {looked_at} figures, {standing_out} stand out. A finding is a question, not an answer.")?;
        findings.fmt(f)?;
        for one in findings.0.iter().filter(|one| !one.examples.is_empty()) {
            write!(f, "\n{} at {}: {}", one.kind, one.place(), one.examples.join(", "))?;
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Finding {
    kind: String,
    institution: String,
    unit: String,
    count: u64,
    of: u64,
    stands_out: bool,
    examples: Vec<String>,
}

impl From<wire::Finding> for Finding {
    fn from(one: wire::Finding) -> Self {
        let kind = one.kind().as_str_name().trim_start_matches("FINDING_KIND_").to_lowercase();
        let wire::Finding { institution, unit, count, of, stands_out, examples, .. } = one;
        Self { kind, institution, unit, count, of, stands_out, examples }
    }
}

impl Finding {
    fn place(&self) -> String {
        match (self.institution.as_str(), self.unit.as_str()) {
            ("", _) => "the gateway".to_owned(),
            (institution, "") => institution.to_owned(),
            (institution, unit) => format!("{institution}/{unit}"),
        }
    }
}

impl Row for Finding {
    const HEADER: &'static [&'static str] = &["", "finding", "where", "how many", "of"];
    fn cells(&self) -> Vec<String> {
        let of = if self.of == 0 { String::new() } else { self.of.to_string() };
        vec![if self.stands_out { "!" } else { "" }.to_owned(), self.kind.clone(), self.place(), self.count.to_string(), of]
    }
}
