// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Two gateways on one server whose clocks run twice as fast and half as fast, and jump by an hour and a day, forth and back, while callers submit and
//! a recipient is called. With `WEICHE_TEST_STORE` only; the clocks are those of libfaketime.
//!
//! `WEICHE_JUMPS` sets how often; docs/PROMISES.md has the command.

use std::path::PathBuf;

use crate::cli::Folder;
use crate::pair::Pair;

/// How fast each one's clock runs.
const RATES: [&str; 2] = ["x2", "x0.5"];
/// How far off it is, in turn: after each jump both are off differently.
const OFF: [&str; 5] = ["+1h", "-1d", "+1d", "-1h", "+0"];

#[tokio::test(flavor = "multi_thread")]
async fn clocks_run_fast_and_slow_and_jump_by_a_day_and_nothing_is_lost_or_out_of_order() {
    let jumps: usize = std::env::var("WEICHE_JUMPS").map_or(10, |jumps| jumps.parse().unwrap());
    let Some(library) = libfaketime() else {
        eprintln!("left out: libfaketime is missing");
        return;
    };
    let preload = ("LD_PRELOAD", library.to_str().unwrap());
    // Certificates must be valid at either clock.
    let made = |url: &str| Folder::made_in(&[preload, ("FAKETIME", "-2d")], &["--store", url]);
    let set = |folder: &Folder, at: usize, off: &str| {
        // Never half a line: the gateway reads it whenever it looks at its clock.
        std::fs::write(folder.path("clock.new"), format!("{off} {}\n", RATES[at])).unwrap();
        std::fs::rename(folder.path("clock.new"), folder.path("clock")).unwrap();
    };
    let serve = |at: usize, folder: &Folder| {
        set(folder, at, OFF[at]);
        let clock = folder.path("clock");
        // The time since the machine was switched on goes on as it does.
        let clocks = [preload, ("FAKETIME_TIMESTAMP_FILE", &clock), ("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        folder.serve_with(env!("CARGO_BIN_EXE_weiche"), &clocks)
    };
    let Some(pair) = Pair::at_work(made, serve).await else { return };
    let mut farthest: f64 = 0.0;
    for jump in 0..jumps {
        pair.works(2).await;
        farthest = farthest.max(pair.folders[0].measure("weiche_clock_off_seconds"));
        let at = jump % 2;
        set(&pair.folders[at], at, OFF[(jump + 2) % OFF.len()]);
    }
    pair.works(2).await;
    assert!(farthest > 86_000.0, "its clock was a day off, and it knew: {farthest}");
    let (accepted, calls) = pair.ends().await;
    assert_eq!(calls, accepted, "nobody took a delivery from another before its lease had ended");
    println!("{jumps} jumps of two clocks, {accepted} referrals accepted, {calls} calls of the recipient");
}

/// Where Debian and its kin put it.
fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}
