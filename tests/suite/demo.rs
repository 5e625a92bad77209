// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The demonstration as a user runs it: the binary, a fresh folder, and what it says on standard output.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Plays a small story; the answer, and that nothing but the answer is on standard output.
fn play(dir: &Path, seed: &str) -> Value {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_weiche"));
    demo.args(["demo", "--cases", "60", "--output", "json", "--seed", seed, "--dir"]).arg(dir);
    let done = demo.output().unwrap();
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    assert_eq!(answer["broken"], Value::Array(Vec::new()), "seed {seed}");
    assert_eq!(done.status.code(), Some(0), "seed {seed}");
    answer
}

fn total(answer: &Value, column: &str) -> u64 {
    answer["routes"].as_object().unwrap().values().map(|row| row[column].as_u64().unwrap()).sum()
}

/// Reasons of a column over all routes.
fn reasons(answer: &Value, column: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for row in answer["routes"].as_object().unwrap().values() {
        for (reason, count) in row[column].as_object().unwrap() {
            *all.entry(reason.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    all
}

#[test]
fn every_seed_keeps_every_promise_and_plays_every_situation() {
    for seed in ["1", "2", "3"] {
        let folder = tempfile::tempdir().unwrap();
        let answer = play(folder.path(), seed);
        let (denied, stopped) = (reasons(&answer, "denied"), reasons(&answer, "stopped"));
        let cases = answer["cases"].as_u64().unwrap();
        assert!(cases >= 60);
        assert_eq!(total(&answer, "submitted"), cases);
        let ended: u64 = denied.values().chain(stopped.values()).sum();
        assert_eq!(total(&answer, "delivered") + ended, cases, "each case ends in one way");
        for reason in
            ["NO_RECORD", "NOT_ACTIVE", "WRONG_RECIPIENT", "WRONG_PURPOSE", "NO_SECRECY_RELEASE", "CATEGORY_NOT_COVERED", "NO_ROUTE", "WITHDRAWN"]
        {
            assert!(denied.contains_key(reason), "seed {seed}: nothing was denied for {reason}");
        }
        for reason in ["WITHDRAWN", "EXPIRED", "GRANTOR_NOT_ENTITLED"] {
            assert!(stopped.contains_key(reason), "seed {seed}: nothing was stopped for {reason}");
        }
        assert!(total(&answer, "withheld") > 0 && total(&answer, "recalled") > 0);
        // Given at Caritas for two, withdrawn at the Jobcenter's counter.
        assert!(answer["routes"]["caritas-bremen -> jobcenter-bremen"]["stopped"]["WITHDRAWN"].as_u64() > Some(0));
        assert!(answer["routes"]["caritas-bremen -> agentur-bremen-bremerhaven"]["recalled"].as_u64() > Some(0));
        assert!(answer["repeated"].as_u64().unwrap() > 0, "nobody died in the middle");
        assert!(answer["promises"].as_array().unwrap().iter().all(|promise| promise["kept"] == true));
    }
}

#[test]
fn the_log_that_is_left_verifies_with_the_key_that_was_printed_and_not_after_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let answer = play(folder.path(), "4");
    let verify = || {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_weiche"));
        audit.args(["audit", "verify", "--key", answer["log"]["verifier_key"].as_str().unwrap(), answer["files"]["log directory"].as_str().unwrap()]);
        audit.output().unwrap().status.code()
    };
    assert_eq!(verify(), Some(0));
    let checkpoint = folder.path().join("log/checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, text.replacen('\n', "\n1", 1)).unwrap();
    assert_eq!(verify(), Some(3));
}

#[test]
fn every_file_that_it_names_is_there_and_the_example_is_in_two_languages() {
    let folder = tempfile::tempdir().unwrap();
    let answer = play(folder.path(), "5");
    for (what, path) in answer["files"].as_object().unwrap() {
        assert!(Path::new(path.as_str().unwrap()).exists(), "{what}");
    }
    for what in ["sheet of a consent", "report to a person"] {
        assert!(answer["files"][what].is_string(), "{what}");
    }
    let example = |what: &str| std::fs::read_to_string(answer["files"][what].as_str().unwrap()).unwrap();
    let (sent, arrived) = (example("example as sent"), example("example as it arrived"));
    assert_ne!(sent, arrived);
    assert!(sent.to_uppercase().contains("MUSTER") && arrived.to_uppercase().contains("MUSTER"));
}
