// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche dialect`: which dialects there are, whether a new one is right, what is lost between two, what a new version changes, a page for an
//! institution's IT, and messages translated.
//!
//! Exit codes: 0 it is so; 1 the dialect has problems, a message would be refused, or a version breaks the one before; 2 called in the wrong way.

mod batch;
mod views;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::terminal::{Exit, Failure, Output};
use crate::dialect::{CategoryMask, Dialect, DialectErrors, Dialects, Format, REFERRAL};
use views::{Changes, Explanation, List, Matrix, rows};

/// Largest file that is translated, in bytes: the same as for a call.
const MAX_INPUT: u64 = crate::grpc::router::DEFAULT_MESSAGE_BYTES as u64;

/// Lists, checks, compares, documents and explains dialects, and translates messages from one to another
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Lists the dialects of this program
    List {
        #[command(flatten)]
        folders: Folders,
    },
    /// Compiles a folder of annotated .proto files and names everything that is wrong with it; without FOLDER, the dialects of this program
    Check {
        /// Folder whose .proto or .binpb files make up one or more dialects
        folder: Option<PathBuf>,
    },
    /// Shows where each field of one dialect comes out in another, and what is lost
    Explain {
        /// Sender's dialect
        from: String,
        /// Recipient's dialect
        to: String,
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        folders: Folders,
    },
    /// Shows what is lost between every two dialects
    Matrix {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        folders: Folders,
    },
    /// Compares two versions of a dialect: what changed in meaning, what is lost now or no longer, what breaks
    Diff {
        /// The version before: a folder, or a dialect of this program
        old: String,
        /// The version after: a folder, or a dialect of this program
        new: String,
    },
    /// Writes a page about a dialect for the people who run its case system
    Doc {
        /// A folder, or a dialect of this program
        dialect: String,
        /// Form of the page
        #[arg(long, value_enum, default_value = "markdown")]
        format: PageFormat,
        /// Writes NAME.md and NAME.html of every dialect into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Translates one message, protobuf JSON in and out, or many
    Translate {
        /// Dialect of FILE
        #[arg(long)]
        from: String,
        /// Dialect of the answer
        #[arg(long)]
        to: String,
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        folders: Folders,
        /// Writes what became of every field to this file, as JSON
        #[arg(long, value_name = "FILE", conflicts_with = "batch")]
        report: Option<PathBuf>,
        /// FILE has one message per line; so has the answer, with what is wrong with each
        #[arg(long)]
        batch: bool,
        /// The message as protobuf JSON; - for standard input
        file: PathBuf,
    },
}

/// What is translated.
#[derive(Debug, clap::Args)]
pub(super) struct About {
    /// Categories that may go, such as IDENT,CONTACT, or ALL
    #[arg(long, default_value = "ALL", value_name = "LIST")]
    categories: CategoryMask,
    /// Canonical message that both have a message for
    #[arg(long, default_value = REFERRAL)]
    message: String,
}

/// Dialects besides those of the program.
#[derive(Debug, clap::Args)]
pub(super) struct Folders {
    /// Folder with dialects besides those of this program, as in the configuration; may be repeated
    #[arg(long, value_name = "DIR")]
    dialects: Vec<PathBuf>,
}

impl Folders {
    fn open(&self) -> Result<Dialects, Failure> {
        Dialects::with_folders(&self.dialects).map_err(|errors| wrong(&errors))
    }
}

/// Form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PageFormat {
    /// For a repository.
    Markdown,
    /// One file for a browser.
    Html,
}

impl Verb {
    pub(super) fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::List { folders } => output.print(&List::of(&folders.open()?)),
            Self::Check { folder } => check(folder.as_deref(), output)?,
            Self::Explain { from, to, about, folders } => {
                let dialects = folders.open()?;
                let (from, to) = (named(&dialects, &from)?, named(&dialects, &to)?);
                let rows = dialects.explain(from, to, &about.message, about.categories).map_err(|error| Failure::usage(&error))?;
                output.print(&Explanation(rows));
            }
            Self::Matrix { about, folders } => output.print(&Matrix::of(&folders.open()?, &about.message, about.categories)?),
            Self::Diff { old, new } => {
                let ((before, old), (after, new)) = (one(&old)?, one(&new)?);
                let changes = Changes(after.differences(&new, &before, &old));
                output.print(&changes);
                return Ok(changes.exit());
            }
            Self::Doc { dialect, format, out } => doc(&dialect, format, out.as_deref(), output)?,
            Self::Translate { from, to, about, folders, report, batch, file } => {
                let dialects = folders.open()?;
                let (from, to) = (named(&dialects, &from)?, named(&dialects, &to)?);
                if batch {
                    return batch::run(&batch::Work { dialects: &dialects, from, to, about: &about }, &file, output);
                }
                let json: serde_json::Value = serde_json::from_str(&input(&file)?)
                    .map_err(|error| Failure::new(Exit::Failed, format!("{} is not JSON: {error}", file.display())))?;
                let done = dialects
                    .translate(from, to, &about.message, about.categories, &json, report.is_some())
                    .map_err(|error| Failure::failed(&error))?;
                if let Some(path) = report {
                    let text = format!("{:#}\n", json!({ "read": rows(&done.read), "rendered": rows(&done.rendered) }));
                    write(&path, &text)?;
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

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display())))
}

/// The dialects behind a word: a folder's, or those of the program; and the one that is meant, the newest of the folder.
fn one(word: &str) -> Result<(Dialects, Arc<Dialect>), Failure> {
    let all = several(word)?;
    let newest = all.1.last().cloned().ok_or_else(|| Failure::new(Exit::Usage, format!("{word} has no dialect")))?;
    Ok((all.0, newest))
}

fn several(word: &str) -> Result<(Dialects, Vec<Arc<Dialect>>), Failure> {
    let path = Path::new(word);
    if path.is_dir() {
        let dialects = Dialects::of_folder(path).map_err(|errors| wrong(&errors))?;
        let own = dialects.iter().filter(|dialect| dialect.id() != "canonical").cloned().collect();
        return Ok((dialects, own));
    }
    let dialects = embedded()?;
    let found = named(&dialects, word).map_err(|failure| failure.with(format!("`{word}` is no folder either"), ""))?.clone();
    Ok((dialects, vec![found]))
}

fn doc(word: &str, format: PageFormat, out: Option<&Path>, output: Output) -> Result<(), Failure> {
    let (dialects, own) = several(word)?;
    let format = match format {
        PageFormat::Markdown => Format::Markdown,
        PageFormat::Html => Format::Html,
    };
    for dialect in &own {
        let page = dialects.page(dialect);
        match out {
            Some(folder) => {
                for (format, ending) in [(Format::Markdown, "md"), (Format::Html, "html")] {
                    write(&folder.join(format!("{}.{ending}", dialect.id())), &page.text(format))?;
                }
            }
            None => output.print(&views::Document { dialect: dialect.id().to_owned(), page: page.text(format) }),
        }
    }
    Ok(())
}

/// The answer of `translate` is JSON in either form.
fn println_json(value: &serde_json::Value) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{value:#}");
}

fn embedded() -> Result<Dialects, Failure> {
    Dialects::embedded().map_err(|errors| wrong(&errors))
}

pub(super) fn wrong(errors: &DialectErrors) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("the dialects have {} problem(s)", errors.0.len()));
    errors.0.iter().fold(failure, |failure, error| {
        failure.with(format!("{}:{}:{}: {}", error.file, error.line, error.column, error.message), error.help.clone())
    })
}

fn named<'a>(dialects: &'a Dialects, name: &str) -> Result<&'a Arc<Dialect>, Failure> {
    dialects.get(name).ok_or_else(|| {
        let names: Vec<_> = dialects.iter().map(|dialect| dialect.id()).collect();
        Failure::new(Exit::Usage, format!("there is no dialect `{name}`; there are {}", names.join(", ")))
    })
}

fn check(folder: Option<&Path>, output: Output) -> Result<(), Failure> {
    let dialects = match folder {
        None => embedded()?,
        Some(folder) => Dialects::of_folder(folder).map_err(|errors| wrong(&errors))?,
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
