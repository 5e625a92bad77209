// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Go's reference code (golang.org/x/mod/sumdb) accepts what the ledger writes, and refuses it when it was changed.
//!
//! Needs Go and that package where Debian puts it (`golang-go`, `golang-golang-x-mod-dev`); builds without network. Says so and passes when they are missing.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use weiche::ledger::dir::LogDir;
use weiche::ledger::{Hash, Plan, Receipt};

use crate::ledger_verify::Log;

const SIZE: u64 = 700;
const GOPATH: &str = "/usr/share/gocode";

fn go_is_there() -> bool {
    Command::new("go").arg("version").output().is_ok_and(|output| output.status.success())
        && Path::new(GOPATH).join("src/golang.org/x/mod/sumdb/tlog").is_dir()
}

/// Writes the log, a receipt per interesting entry, and consistency proofs from interesting sizes.
fn write(log: &Log, dir: &Path) {
    let export = dir.join("log");
    log.export(&export).unwrap();
    let reader = LogDir::new(&export);
    let cut = |plan: &Plan| plan.cut(&reader.tiles(plan, SIZE).unwrap()).unwrap();
    let note = log.note().parse().unwrap();
    for index in [0, 1, 255, 256, 511, 512, 600, 699] {
        let receipt = Receipt::new(index, cut(&Plan::inclusion(index, SIZE).unwrap()), &note);
        fs::write(dir.join(format!("{index}.tlog-proof")), receipt.to_string()).unwrap();
    }
    let proofs: String = [1, 2, 255, 256, 257, 512, 640, 699]
        .iter()
        .map(|older| {
            let proof: Vec<_> = cut(&Plan::consistency(*older, SIZE).unwrap()).iter().map(Hash::to_string).collect();
            format!("{older} {} {}\n", log.tree(*older).root(), proof.join(" "))
        })
        .collect();
    fs::write(dir.join("consistency"), proofs).unwrap();
}

#[test]
fn the_reference_code_in_go_accepts_the_log_and_refuses_a_changed_one() {
    if !go_is_there() {
        eprintln!("skipped: go not installed (Debian: golang-go golang-golang-x-mod-dev)");
        return;
    }
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::of(SIZE));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/go/main.go");
    let program = dir.path().join("oracle");
    let build = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .envs([("GO111MODULE", "off"), ("GOPATH", GOPATH), ("GOFLAGS", "")])
        .env("GOCACHE", dir.path().join("cache"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));

    let work = dir.path().join("work");
    fs::create_dir(&work).unwrap();
    write(&log, &work);
    let run = || -> Output { Command::new(&program).arg(&work).arg(log.key.verifier().to_string()).output().unwrap() };
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok: 700 entries, 8 receipts, 8 consistency proofs\n");

    for (file, at) in [("log/checkpoint", 40), ("log/tile/entries/001", 300), ("log/tile/1/000.p/2", 5), ("699.tlog-proof", 40), ("consistency", 60)]
    {
        let path = work.join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        fs::write(&path, bad).unwrap();
        assert!(!run().status.success(), "byte {at} of {file}");
        fs::write(&path, good).unwrap();
    }
}
