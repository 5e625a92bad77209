// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What the demonstration says at its end: a table for people, the same as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use super::cases::Expected;
use super::check::{Broken, Promise};
use super::history::{History, Outcome};
use super::story::short;

/// One row: everything from one institution to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Route {
    /// Cases that were sent.
    pub submitted: usize,
    /// Referrals that are at their recipients.
    pub delivered: usize,
    /// Fields that stayed behind, over all cases.
    pub withheld: usize,
    /// Refused at once, by reason.
    pub denied: BTreeMap<&'static str, usize>,
    /// Accepted and stopped before they went out, by reason.
    pub stopped: BTreeMap<&'static str, usize>,
    /// Called back after delivery: consent withdrawn, or taken back by the sender.
    pub recalled: usize,
}

/// Whether a promise was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    /// Which.
    pub promise: Promise,
    /// In plain words.
    pub words: &'static str,
    /// Whether.
    pub kept: bool,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Log {
    /// Entries.
    pub entries: usize,
    /// Root of the tree, base64.
    pub root: String,
    /// With this key alone it verifies.
    pub verifier_key: String,
}

/// The whole.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    /// Tells the same story again.
    pub seed: u64,
    /// Cases played.
    pub cases: usize,
    /// From beginning to end.
    pub seconds: f64,
    /// By route, such as `awo-bremen -> caritas-bremen`.
    pub routes: BTreeMap<String, Route>,
    /// Receipts that were handed out and checked.
    pub receipts: usize,
    /// Deliveries that came again and were stored once.
    pub repeated: u32,
    /// The log.
    pub log: Log,
    /// Each promise.
    pub promises: Vec<Kept>,
    /// What was broken; empty if all is well.
    pub broken: Vec<Broken>,
    /// Where to look, by what it is.
    pub files: BTreeMap<&'static str, PathBuf>,
}

/// The table's rows.
pub(super) fn routes(history: &History) -> BTreeMap<String, Route> {
    let mut routes: BTreeMap<String, Route> = BTreeMap::new();
    for submission in &history.submissions {
        let row = routes.entry(format!("{} -> {}", submission.sender, submission.recipient)).or_default();
        row.submitted += 1;
        match (&submission.outcome, submission.expected) {
            (Outcome::Denied(reason), _) => *row.denied.entry(short(*reason)).or_default() += 1,
            (Outcome::Accepted { referral, fields, .. }, expected) => {
                row.withheld += fields;
                row.recalled += usize::from(history.to_recall.contains(referral));
                if history.arrivals_of(referral).next().is_some() {
                    row.delivered += 1;
                } else if let Expected::Stopped(reason) = expected {
                    *row.stopped.entry(short(reason)).or_default() += 1;
                }
            }
            (Outcome::Failed(_), _) => {}
        }
    }
    routes
}

/// Each promise and whether it was kept.
pub(super) fn promises(broken: &[Broken]) -> Vec<Kept> {
    let kept = |promise| !broken.iter().any(|broken| broken.promise == promise);
    Promise::ALL.into_iter().map(|promise| Kept { promise, words: promise.words(), kept: kept(promise) }).collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}\n", table(&self.routes))?;
        writeln!(
            f,
            "{} cases, {} log entries, {} receipts, in {:.1} s (seed {})\n",
            self.cases, self.log.entries, self.receipts, self.seconds, self.seed
        )?;
        for kept in &self.promises {
            writeln!(f, "  {} {}", if kept.kept { "kept  " } else { "BROKEN" }, kept.words)?;
        }
        for broken in &self.broken {
            writeln!(f, "    {broken}")?;
        }
        writeln!(f, "\nLook at:")?;
        for (what, path) in &self.files {
            writeln!(f, "  {what:<22} {}", path.display())?;
        }
        let log = self.files.get("log directory").map(|path| path.display().to_string()).unwrap_or_default();
        write!(f, "\nVerify the log yourself:\n  weiche audit verify --key '{}' {log}", self.log.verifier_key)
    }
}

fn table(routes: &BTreeMap<String, Route>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["from -> to", "submitted", "delivered", "fields withheld", "denied", "stopped", "recalled"]);
    for (rule, row) in routes {
        table.add_row([
            rule.clone(),
            row.submitted.to_string(),
            row.delivered.to_string(),
            row.withheld.to_string(),
            listed(&row.denied),
            listed(&row.stopped),
            row.recalled.to_string(),
        ]);
    }
    for column in [1, 2, 3, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn listed(reasons: &BTreeMap<&'static str, usize>) -> String {
    reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}
