// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How verbs speak: one answer on standard output, as text or as JSON; failures and progress on standard error; an exit code.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// What a verb's end means to a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and everything is as it should be.
    Done,
    /// 1: it failed or was refused.
    Failed,
    /// 2: called in the wrong way, or the configuration is wrong.
    Usage,
    /// 3: a promise is broken, or a verification failed.
    Broken,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Broken => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON value for programs.
    Json,
}

impl Output {
    /// Prints the answer of a verb.
    pub fn print(self, answer: &(impl Display + Serialize)) {
        let text = match self {
            Self::Text => answer.to_string(),
            Self::Json => serde_json::to_string_pretty(answer).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")),
        };
        // A reader that has gone, such as `head`, is no failure of ours.
        let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    }
}

/// Why a verb did not do what it was asked, in words that help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What happened.
    pub error: String,
    /// Each problem with what to do about it, if there are several.
    pub problems: Vec<Advice>,
    #[serde(skip)]
    exit: Exit,
}

/// A problem and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What is wrong, and where.
    pub problem: String,
    /// What to do; empty if the problem says it.
    pub help: String,
}

impl Failure {
    /// It failed or was refused.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Failed, with_causes(error))
    }
    /// The call or the configuration is wrong.
    pub fn usage(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Usage, with_causes(error))
    }
    /// With an exit code and words of one's own.
    pub fn new(exit: Exit, error: impl Into<String>) -> Self {
        Self { error: error.into(), problems: Vec::new(), exit }
    }
    /// Adds a problem.
    #[must_use]
    pub fn with(mut self, problem: impl Into<String>, help: impl Into<String>) -> Self {
        self.problems.push(Advice { problem: problem.into(), help: help.into() });
        self
    }
    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
    /// On standard error.
    pub fn print(&self, output: Output) {
        let text = match output {
            Output::Json => serde_json::to_string_pretty(self).unwrap_or_else(|_| self.error.clone()),
            Output::Text => {
                let mut text = format!("weiche: {}", self.error);
                for Advice { problem, help } in &self.problems {
                    text += &format!("\n  {problem}");
                    if !help.is_empty() {
                        text += &format!("\n    help: {help}");
                    }
                }
                text
            }
        };
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// An error with its causes, each said once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// A bar for long work; nothing where nobody looks.
pub fn progress(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_each_cause_once_and_each_problem_with_its_help() {
        #[derive(Debug, thiserror::Error)]
        #[error("the key cannot be read: {0}")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::usage(&Outer(std::io::Error::other("no such thing"))).with("line 3: x", "write y");
        assert_eq!(failure.error, "the key cannot be read: no such thing");
        assert_eq!(failure.exit().code(), 2);
        let json = serde_json::to_value(&failure).unwrap();
        assert_eq!(json["problems"][0]["help"], "write y");
    }
}
