// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `docs/PROMISES.md` names tests; each of them is there, and no promise is left out.

use std::path::Path;

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

#[test]
fn every_promise_is_there_and_every_test_that_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises = std::fs::read_to_string(root.join("docs/PROMISES.md")).unwrap();
    for number in 1..=22 {
        assert!(promises.contains(&format!("\n| I{number} | ")), "I{number} has no line");
    }
    let mut code = String::new();
    ["src", "tests/suite"].iter().for_each(|folder| sources(&root.join(folder), &mut code));
    let named: Vec<_> = promises.split('`').skip(1).step_by(2).filter(|word| word.contains("::") && !word.contains(' ')).collect();
    assert!(named.len() > 20);
    for test in named {
        let name = test.rsplit("::").next().unwrap();
        assert!(code.contains(&format!("fn {name}(")), "docs/PROMISES.md names `{test}`, which is no test");
    }
}
