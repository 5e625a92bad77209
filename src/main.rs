// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The `weiche` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    weiche::cli::run()
}
