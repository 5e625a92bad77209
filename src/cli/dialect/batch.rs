// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche dialect translate --batch`: one message per line in, one answer per line out, and a summary.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{About, MAX_INPUT, views};
use crate::cli::terminal::{Exit, Failure, Output, progress};
use crate::dialect::{Dialect, Dialects, LossKind, Translation};

/// What is translated, from where to where.
pub(super) struct Work<'a> {
    pub(super) dialects: &'a Dialects,
    pub(super) from: &'a Arc<Dialect>,
    pub(super) to: &'a Arc<Dialect>,
    pub(super) about: &'a About,
}

/// What became of all lines.
#[derive(Default, serde::Serialize)]
struct Summary {
    messages: usize,
    /// That a gateway would refuse, unreadable lines among them.
    refused: usize,
    /// In so many messages the field of this path had this outcome.
    losses: BTreeMap<String, usize>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} messages, of which a gateway would refuse {}", self.messages, self.refused)?;
        for (loss, count) in &self.losses {
            writeln!(f, "{count:>8}  {loss}")?;
        }
        Ok(())
    }
}

/// Answers go to standard output; the summary to standard error, so that each can be kept by itself.
pub(super) fn run(work: &Work<'_>, file: &Path, output: Output) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{} cannot be read: {error}", file.display()));
    let bar = progress("translating");
    let source: Box<dyn std::io::Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => {
            let opened = std::fs::File::open(file).map_err(failed)?;
            bar.set_length(opened.metadata().map_err(failed)?.len());
            Box::new(opened)
        }
    };
    let (mut lines, mut line, mut summary, mut number) = (BufReader::new(source), Vec::new(), Summary::default(), 0usize);
    let mut out = std::io::stdout().lock();
    loop {
        line.clear();
        // A line longer than any message is read to its end, but not kept.
        let read = std::io::Read::take(&mut lines, MAX_INPUT + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        number += 1;
        bar.inc(read as u64);
        let long = line.len() as u64 > MAX_INPUT;
        if long && line.last() != Some(&b'\n') {
            lines.skip_until(b'\n').map_err(failed)?;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = if long { Err(format!("more than {MAX_INPUT} bytes, which no call may have")) } else { work.translate(&line) };
        summary.messages += 1;
        let answer = match answer {
            Ok(done) => {
                summary.add(&done);
                let problems: Vec<String> = done.problems.iter().map(ToString::to_string).collect();
                json!({ "line": number, "message": done.json, "problems": problems, "read": views::rows(&done.read), "rendered": views::rows(&done.rendered) })
            }
            Err(why) => {
                summary.refused += 1;
                json!({ "line": number, "message": null, "problems": [why] })
            }
        };
        if writeln!(out, "{answer}").is_err() {
            // Nobody reads on.
            break;
        }
    }
    bar.finish_and_clear();
    let text = match output {
        Output::Text => summary.to_string(),
        Output::Json => json!(summary).to_string(),
    };
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
    Ok(if summary.refused == 0 { Exit::Done } else { Exit::Failed })
}

impl Work<'_> {
    fn translate(&self, line: &[u8]) -> Result<Translation, String> {
        let json: Value = serde_json::from_slice(line).map_err(|error| format!("the line is not JSON: {error}"))?;
        let About { categories, message } = self.about;
        self.dialects.translate(self.from, self.to, message, *categories, &json, false).map_err(|error| error.to_string())
    }
}

impl Summary {
    fn add(&mut self, done: &Translation) {
        self.refused += usize::from(!done.problems.is_empty());
        for field in done.read.fields.iter().chain(&done.rendered.fields) {
            if let Some(kind) = LossKind::of(&field.outcome) {
                *self.losses.entry(format!("{} {}", kind.word(), plain(&field.path))).or_default() += 1;
            }
        }
    }
}

/// A path without indices.
fn plain(path: &str) -> String {
    path.split('[').enumerate().map(|(at, part)| if at == 0 { part } else { part.split_once(']').map_or(part, |(_, rest)| rest) }).collect()
}
