// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::io::Write as _;

use indicatif::ProgressBar;

use crate::cli::terminal::{self, Output};

/// Tells the story while it happens: to people on standard output, to programs not at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    speaks: bool,
}

impl Voice {
    pub(super) fn new(output: Output) -> Self {
        Self { speaks: output == Output::Text }
    }

    /// A new part of the story.
    pub(super) fn title(self, text: &str) {
        self.line(&format!("\n{text}"));
    }
    /// Something happened.
    pub(super) fn event(self, text: &str) {
        self.line(&format!("  {text}"));
    }
    /// A line.
    pub(super) fn line(self, text: &str) {
        if self.speaks {
            // A reader that has gone, such as `head`, is no failure of ours.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    }
    /// A bar for work that can be counted.
    pub(super) fn progress(self, what: &'static str, length: usize) -> ProgressBar {
        if !self.speaks {
            return ProgressBar::hidden();
        }
        let bar = terminal::progress(what);
        bar.set_length(length as u64);
        bar
    }
}
