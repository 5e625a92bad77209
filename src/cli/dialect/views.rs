// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Answers of `weiche dialect`, for people as tables and for programs as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use crate::cli::terminal::{Exit, Failure};
use crate::dialect::{CategoryMask, Dialect, Dialects, Difference, FieldReport, Loss, Outcome, REFERRAL, Report, Row, Side, Weight};

pub(super) fn rows(report: &Report) -> Vec<serde_json::Value> {
    report.fields.iter().map(row).collect()
}

fn row(field: &FieldReport) -> serde_json::Value {
    let (outcome, detail) = match &field.outcome {
        Outcome::Exact => ("exact", String::new()),
        Outcome::Lossy(how) => ("lossy", how.to_string()),
        Outcome::Defaulted => ("defaulted", String::new()),
        Outcome::Withheld(category) => ("withheld", category.as_str_name().trim_start_matches("DATA_CATEGORY_").to_owned()),
        Outcome::Dropped(why) => ("dropped", why.to_string()),
        Outcome::Unmappable(why) => ("unmappable", why.to_string()),
    };
    json!({ "path": field.path, "outcome": outcome, "detail": detail })
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct List(Vec<Listed>);

#[derive(serde::Serialize)]
struct Listed {
    name: String,
    version: String,
    title: String,
    /// The message that stands for a referral.
    referral: String,
    methods: usize,
    /// SHA-256 over descriptors and code lists, hex.
    digest: String,
}

impl List {
    pub(super) fn of(dialects: &Dialects) -> Self {
        let listed = |dialect: &Arc<Dialect>| Listed {
            name: dialect.name().to_owned(),
            version: dialect.version().to_owned(),
            title: dialect.title().to_owned(),
            referral: dialect.message_for(REFERRAL).unwrap_or_default().to_owned(),
            methods: dialect.methods().len(),
            digest: dialect.digest().iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Self(dialects.iter().map(listed).collect())
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(["dialect", "version", "title", "referral", "methods", "digest"]);
        for Listed { name, version, title, referral, methods, digest } in &self.0 {
            let short = digest.get(..12).unwrap_or(digest);
            table.add_row([name, version, title, referral, &methods.to_string(), short]);
        }
        table.fmt(f)
    }
}

pub(super) struct Explanation(pub(super) Vec<Row>);

impl serde::Serialize for Explanation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = |row: &Row| json!({ "source": row.source, "canonical": row.canonical, "rule": row.rule, "target": row.target, "loss": row.loss });
        serializer.collect_seq(self.0.iter().map(row))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(["sender's field", "canonical", "rule", "recipient's field", "what is lost"]);
        for Row { source, canonical, rule, target, loss } in &self.0 {
            table.add_row([source, canonical, rule, target, loss]);
        }
        table.fmt(f)
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}

/// What changed between two versions.
pub(super) struct Changes(pub(super) Vec<Difference>);

impl Changes {
    /// Failed if something breaks: a vendor's CI stops there.
    pub(super) fn exit(&self) -> Exit {
        if self.0.iter().any(|change| change.weight == Weight::Breaking) { Exit::Failed } else { Exit::Done }
    }
}

impl serde::Serialize for Changes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|one| json!({ "weight": one.weight.word(), "place": one.place, "change": one.change })))
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("Nothing changed in what the dialect means.");
        }
        let mut table = table(["weight", "place", "change"]);
        for Difference { weight, place, change } in &self.0 {
            table.add_row([weight.word(), place, change]);
        }
        table.fmt(f)
    }
}

/// A page in one form.
#[derive(serde::Serialize)]
pub(super) struct Document {
    pub(super) dialect: String,
    pub(super) page: String,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page)
    }
}

/// What is lost between every two dialects.
pub(super) struct Matrix(Vec<Pair>);

struct Pair {
    from: String,
    to: String,
    losses: Vec<Loss>,
}

impl Matrix {
    pub(super) fn of(dialects: &Dialects, hub: &str, mask: CategoryMask) -> Result<Self, Failure> {
        let speakers: Vec<&Arc<Dialect>> = dialects.iter().filter(|dialect| dialect.message_for(hub).is_some()).collect();
        if speakers.is_empty() {
            return Err(Failure::new(Exit::Usage, format!("no dialect has a message for {hub}"))
                .with("that message is unknown", format!("such as {REFERRAL}")));
        }
        let mut pairs = Vec::new();
        for from in &speakers {
            for to in speakers.iter().filter(|to| to.id() != from.id()) {
                let losses = dialects.predicted_losses(from, to, hub, mask).map_err(|error| Failure::usage(&error))?;
                pairs.push(Pair { from: from.id().to_owned(), to: to.id().to_owned(), losses });
            }
        }
        Ok(Self(pairs))
    }
}

impl serde::Serialize for Matrix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let loss = |loss: &Loss| {
            let side = if loss.side == Side::Read { "sender" } else { "canonical" };
            json!({ "side": side, "path": loss.path, "kind": loss.kind.word(), "always": loss.always, "rare": loss.is_rare(), "why": loss.why })
        };
        let pair = |pair: &Pair| json!({ "from": pair.from, "to": pair.to, "losses": pair.losses.iter().map(loss).collect::<Vec<_>>() });
        serializer.collect_seq(self.0.iter().map(pair))
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&str> = self.0.iter().flat_map(|pair| [pair.from.as_str(), pair.to.as_str()]).collect();
        names.sort_unstable();
        names.dedup();
        let cells: BTreeMap<(&str, &str), String> = self
            .0
            .iter()
            .map(|pair| {
                let count = |always| {
                    let paths =
                        pair.losses.iter().filter(|loss| loss.always == always && !loss.is_rare()).map(|loss| (loss.side, loss.path.as_str()));
                    paths.collect::<std::collections::BTreeSet<_>>().len()
                };
                ((pair.from.as_str(), pair.to.as_str()), format!("{} / {}", count(true), count(false)))
            })
            .collect();
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(std::iter::once("from \\ to").chain(names.iter().copied()));
        for from in &names {
            let row = names.iter().map(|to| cells.get(&(*from, *to)).map_or("", String::as_str));
            table.add_row(std::iter::once(*from).chain(row));
        }
        writeln!(f, "{table}")?;
        f.write_str(
            "Fields that are lost whatever they say / that can lose something. `--output json` names them; so does `weiche dialect explain FROM TO`.",
        )
    }
}
