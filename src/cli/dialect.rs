// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche dialect`: which dialects there are, whether a new one is right, what is lost between two, and one message translated.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use super::terminal::{Exit, Failure, Output};
use crate::dialect::codelist::CodeLists;
use crate::dialect::{CategoryMask, Dialect, DialectErrors, Dialects, FieldReport, Outcome, REFERRAL, Report, Row, open_folder};

/// Largest file that is translated, in bytes: the same as for a call.
const MAX_INPUT: u64 = crate::grpc::router::DEFAULT_MESSAGE_BYTES as u64;

/// Lists, checks and explains dialects, and translates a message from one to another
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Lists the dialects of this program
    List,
    /// Compiles a folder of annotated .proto files and names everything that is wrong with it; without FOLDER, the dialects of this program
    Check {
        /// Folder whose .proto files make up one or more dialects
        folder: Option<PathBuf>,
    },
    /// Shows where each field of one dialect comes out in another, and what is lost
    Explain {
        /// Sender's dialect
        #[arg(long)]
        from: String,
        /// Recipient's dialect
        #[arg(long)]
        to: String,
        /// Categories that may go, such as IDENT,CONTACT, or ALL
        #[arg(long, default_value = "ALL", value_name = "LIST")]
        categories: CategoryMask,
        /// Canonical message that both have a message for
        #[arg(long, default_value = REFERRAL)]
        message: String,
    },
    /// Translates one message, protobuf JSON in and out
    Translate {
        /// Dialect of FILE
        #[arg(long)]
        from: String,
        /// Dialect of the answer
        #[arg(long)]
        to: String,
        /// Categories that may go, such as IDENT,CONTACT, or ALL
        #[arg(long, default_value = "ALL", value_name = "LIST")]
        categories: CategoryMask,
        /// Canonical message that both have a message for
        #[arg(long, default_value = REFERRAL)]
        message: String,
        /// Writes what became of every field to this file, as JSON
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// The message as protobuf JSON; - for standard input
        file: PathBuf,
    },
}

impl Verb {
    pub(super) fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::List => output.print(&List::of(&embedded()?)),
            Self::Check { folder } => check(folder.as_deref(), output)?,
            Self::Explain { from, to, categories, message } => {
                let dialects = embedded()?;
                let (from, to) = (named(&dialects, &from)?, named(&dialects, &to)?);
                let rows = dialects.explain(from, to, &message, categories).map_err(|error| Failure::usage(&error))?;
                output.print(&Explanation(rows));
            }
            Self::Translate { from, to, categories, message, report, file } => {
                let dialects = embedded()?;
                let (from, to) = (named(&dialects, &from)?, named(&dialects, &to)?);
                let json: serde_json::Value = serde_json::from_str(&input(&file)?)
                    .map_err(|error| Failure::new(Exit::Failed, format!("{} is not JSON: {error}", file.display())))?;
                let done = dialects.translate(from, to, &message, categories, &json, report.is_some()).map_err(|error| Failure::failed(&error))?;
                if let Some(path) = report {
                    let text = format!("{:#}\n", json!({ "read": rows(&done.read), "rendered": rows(&done.rendered) }));
                    std::fs::write(&path, text)
                        .map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display())))?;
                }
                // A gateway would refuse it; what comes out nevertheless is shown, and why it would be refused is said.
                println_json(&done.json);
                if !done.problems.is_empty() {
                    let failure = Failure::new(Exit::Failed, format!("a gateway would refuse this message: {} problem(s)", done.problems.len()));
                    return Err(done.problems.iter().fold(failure, |failure, problem| failure.with(problem.to_string(), "")));
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// The answer of `translate` is JSON in either form.
fn println_json(value: &serde_json::Value) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{value:#}");
}

fn embedded() -> Result<Dialects, Failure> {
    Dialects::embedded().map_err(|errors| wrong(&errors))
}

fn wrong(errors: &DialectErrors) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("the dialects have {} problem(s)", errors.0.len()));
    errors.0.iter().fold(failure, |failure, error| {
        failure.with(format!("{}:{}:{}: {}", error.file, error.line, error.column, error.message), error.help.clone())
    })
}

fn named<'a>(dialects: &'a Dialects, name: &str) -> Result<&'a Arc<Dialect>, Failure> {
    dialects.get(name).ok_or_else(|| {
        let names: Vec<_> = dialects.iter().map(|dialect| dialect.name()).collect();
        Failure::new(Exit::Usage, format!("there is no dialect `{name}`; there are {}", names.join(", ")))
    })
}

fn check(folder: Option<&Path>, output: Output) -> Result<(), Failure> {
    let dialects = match folder {
        None => embedded()?,
        Some(folder) => {
            let pool = open_folder(folder).map_err(|errors| wrong(&errors))?;
            let lists = CodeLists::embedded().map_err(|errors| Failure::failed(&errors))?;
            Dialects::compile(&pool, lists).map_err(|errors| wrong(&errors))?
        }
    };
    output.print(&List::of(&dialects));
    Ok(())
}

fn input(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{} cannot be read: {error}", file.display()));
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(failed)?),
    };
    source.take(MAX_INPUT + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_INPUT {
        return Err(Failure::new(Exit::Failed, format!("{} has more than {MAX_INPUT} bytes, which no call may have", file.display())));
    }
    Ok(text)
}

fn rows(report: &Report) -> Vec<serde_json::Value> {
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
struct List(Vec<Listed>);

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
    fn of(dialects: &Dialects) -> Self {
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

struct Explanation(Vec<Row>);

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
