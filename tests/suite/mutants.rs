// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `tests/mutants` holds deliberately wrong changes of the program, each with the promise that it breaks and the tests that must notice.
//! `scripts/mutants` makes them and runs those tests; here is only looked whether they can still be made.

use std::path::{Path, PathBuf};
use std::process::Command;

fn patches() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutants");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn head<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().take_while(|line| !line.starts_with("diff")).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn every_mutant_can_still_be_made() {
    let patches = patches();
    assert!(patches.len() >= 12);
    for (path, _) in &patches {
        let checked = Command::new("git").args(["apply", "--check"]).arg(path).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let Ok(checked) = checked else { return eprintln!("left out: git is missing") };
        assert!(checked.status.success(), "{}: make it anew\n{}", path.display(), String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn every_mutant_says_what_it_breaks_and_who_notices() {
    for (path, text) in patches() {
        assert!(head(&text, "Promise").is_some_and(|promise| promise.len() > 20), "{}", path.display());
        let tests = head(&text, "Tests").unwrap_or_else(|| panic!("{}: no tests", path.display()));
        for test in tests.split(' ') {
            let file = test.trim_end_matches("::").replace("::", "/");
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let places = [format!("tests/suite/{file}.rs"), format!("src/{file}.rs"), format!("src/{file}/mod.rs")];
            assert!(places.iter().any(|place| root.join(place).exists()), "{}: no tests called {test}", path.display());
        }
        assert!(text.contains("+++ b/src/"), "{}", path.display());
    }
}
