// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The project's manners, read from its own files. A broken one fails with the sentence that was broken and the place.
//!
//! Known offenders stand in [`TOLERATED`]; an entry that is no longer needed fails too, so the list only shrinks.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Offenders that are known: the rule's name, the file, and why it may stay for now.
const TOLERATED: &[(&str, &str, &str)] = &[];

const LONGEST_LINE: usize = 170;
const LONGEST_FILE: usize = 700;

const FOUNDATION: &[&str] = &["id", "chance", "clock", "store", "proto", "numbered", "texts"];
const CAPABILITIES: &[&str] =
    &["identity", "institution", "agreement", "consent", "dialect", "referral", "outbox", "ledger", "vault", "pki", "directory"];
const USE_CASES: &[&str] = &["exchange", "admin"];
/// From the wire outward: each may know those before it. `cli` puts them together.
const EDGES: &[&str] = &["grpc", "delivery", "cli"];

/// One file of the project.
struct File {
    /// Below the project's folder, with `/`.
    path: String,
    text: String,
}

/// Line (from 1) and the sentence that was broken.
type Offence = (usize, String);
type Rule = fn(&File) -> Vec<Offence>;

// The rules -----------------------------------------------------------------------------------------------------------

#[test]
fn use_goes_downward_only() {
    hold("rings", rings);
}
#[test]
fn wire_and_database_stay_where_they_belong() {
    hold("drivers", drivers);
}
#[test]
fn time_is_an_argument() {
    hold("clock", clock);
}
#[test]
fn every_source_file_says_whose_it_is() {
    hold("headers", headers);
}
#[test]
fn files_and_lines_are_short_enough_to_read() {
    hold("length", length);
}
#[test]
fn names_say_what_is_inside() {
    hold("names", names);
}
#[test]
fn nothing_is_left_lying_about() {
    hold("leftovers", leftovers);
}
#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    hold("machines", machines);
}
#[test]
fn links_in_documents_lead_somewhere() {
    hold("links", |file| links(file, &|path| root().join(path).exists()));
}
#[test]
fn migrations_have_the_same_bytes_everywhere() {
    hold("endings", endings);
}

#[test]
fn what_the_readme_promises_is_what_runs_on_a_fresh_clone() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let run = fs::read_to_string(root().join(".ci/run")).unwrap().replace("--locked ", "");
    let block = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the README begins with a block of commands");
    let commands: Vec<&str> = block.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).collect();
    assert_eq!(commands.len(), 2, "the README has two commands: {commands:?}");
    for command in commands {
        assert!(run.lines().any(|line| line == command), ".ci/run does not run `{command}`");
    }
}

/// Foundation, capabilities, use cases, edges: 0 to 3.
fn ring(module: &str) -> Option<usize> {
    [FOUNDATION, CAPABILITIES, USE_CASES, EDGES].iter().position(|ring| ring.contains(&module))
}

/// The top-level module that a file of `src/` belongs to; none for the two roots and for everything outside.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then_some(name)
}

fn rings(file: &File) -> Vec<Offence> {
    let Some(own) = module(&file.path) else { return Vec::new() };
    let Some(own_ring) = ring(own) else {
        return vec![(1, format!("`{own}` stands in no ring: name it in lib.rs, ARCHITECTURE.md and here"))];
    };
    let code: String = file.text.lines().map(|line| format!("{}\n", code_of(line))).collect();
    let mut offences = Vec::new();
    for (at, path) in crate_paths(&code) {
        let line = code[..at].matches('\n').count() + 1;
        let (other, rest) = path.split_once("::").unwrap_or((path.as_str(), ""));
        if other == own {
            continue;
        }
        let Some(other_ring) = ring(other) else { continue };
        let sentence = match own_ring {
            _ if other_ring < own_ring => continue,
            _ if other_ring > own_ring => format!("`use crate::` goes downward only: `{own}` must not know `{other}`"),
            0 => continue,
            1 if rest.starts_with(char::is_uppercase) => continue,
            1 => format!("capabilities never call each other: `{own}` may name a type of `{other}`, not `{path}`"),
            2 => continue,
            _ if EDGES.iter().position(|edge| *edge == other) < EDGES.iter().position(|edge| *edge == own) => continue,
            _ => format!("`grpc` knows no other edge, `delivery` knows `grpc`, `cli` puts them together: `{own}` must not know `{other}`"),
        };
        offences.push((line, sentence));
    }
    offences
}

/// Every path that begins with `crate::`, without that, with the groups in braces taken apart.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        take_apart(&code[at + "crate::".len()..], "", &mut |path| found.push((at, path.to_owned())));
    }
    found
}

/// Reads one path or group at the beginning of `text`, hands each of its leaves to `leaf`, and returns what follows.
fn take_apart<'t>(text: &'t str, prefix: &str, leaf: &mut dyn FnMut(&str)) -> &'t str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([' ', '\n', ',']);
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = take_apart(rest, prefix, leaf);
            // ` as Name` and whatever else may stand before the next comma.
            rest = after.trim_start_matches(|c: char| c != ',' && c != '}');
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let path = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") };
    match rest.strip_prefix("::") {
        Some(deeper) if deeper.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '{' | '*')) => take_apart(deeper, &path, leaf),
        _ => {
            leaf(&path);
            rest
        }
    }
}

fn drivers(file: &File) -> Vec<Offence> {
    let Some(own) = module(&file.path) else { return Vec::new() };
    lines(file, |line| {
        let code = code_of(line);
        // `proto` holds what was generated from the contract, and includes it with tonic's macro.
        let generated = own == "proto" && code.contains("tonic::include_proto!");
        if !EDGES.contains(&own) && !generated && has_word(code, "tonic") {
            return Some("gRPC stays at the edges: tonic is named only in grpc, delivery and cli".to_owned());
        }
        if own != "store" && has_word(code, "sqlx") {
            return Some("one place knows the two engines: sqlx is named only in store".to_owned());
        }
        None
    })
}

fn clock(file: &File) -> Vec<Offence> {
    match module(&file.path) {
        Some(own) if own != "clock" && !EDGES.contains(&own) => lines(file, |line| {
            let code = code_of(line);
            ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"]
                .iter()
                .find(|call| code.contains(*call))
                .map(|call| format!("time is passed in as an argument: `{call}` belongs to clock.rs and the edges"))
        }),
        _ => Vec::new(),
    }
}

fn headers(file: &File) -> Vec<Offence> {
    // Inputs and expected outputs of tests are covered by REUSE.toml.
    let data = file.path.starts_with("tests/cases/") || file.path.starts_with("tests/vectors/");
    let source = !data && (has_extension(file, &["rs", "proto", "sql", "toml", "sh", "py", "go", "tsv"]) || file.text.starts_with("#!"));
    let head: Vec<&str> = file.text.lines().take(6).collect();
    let says = |what: &str| head.iter().any(|line| line.contains(what));
    // Put together here, so that licence checkers do not read these lines as headers.
    let (copyright, licence) = (concat!("SPDX-File", "CopyrightText:"), concat!("SPDX-License-", "Identifier:"));
    if source && !(says(copyright) && says(licence)) {
        vec![(1, "every source file begins with its SPDX copyright and licence lines".to_owned())]
    } else {
        Vec::new()
    }
}

fn length(file: &File) -> Vec<Offence> {
    if !has_extension(file, &["rs", "proto", "sql", "toml", "sh", "py", "go", "md"]) {
        return Vec::new();
    }
    let mut offences = lines(file, |line| {
        // Texts in quotes do not count: whoever searches for a message searches for all of it. Links and prose are broken by whoever shows them.
        let count: usize = line.split('"').step_by(2).map(|code| code.chars().count()).sum();
        let unbreakable = line.contains("https://") || has_extension(file, &["md"]);
        (count > LONGEST_LINE && !unbreakable).then(|| format!("a line has at most {LONGEST_LINE} characters; this one has {count}"))
    });
    let count = file.text.lines().count();
    if count > LONGEST_FILE {
        offences.push((count, format!("a file has at most {LONGEST_FILE} lines; this one has {count}: make it a folder, one idea per file")));
    }
    offences
}

fn names(file: &File) -> Vec<Offence> {
    let vague = |part: &str| matches!(part.split('.').next().unwrap_or(part), "utils" | "util" | "common" | "helpers" | "helper" | "shared" | "misc");
    match file.path.split('/').find(|part| vague(part)) {
        Some(part) => vec![(1, format!("a file is named for its idea; `{part}` names none"))],
        None => Vec::new(),
    }
}

fn leftovers(file: &File) -> Vec<Offence> {
    if !has_extension(file, &["rs", "proto", "sql", "toml", "sh", "py", "go"]) {
        return Vec::new();
    }
    // Put together here, so that this file passes its own rule.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("db", "g!("), concat!("print", "ln!(\"DEBUG")];
    lines(file, |line| {
        let mark = marks.iter().find(|mark| line.contains(*mark))?;
        Some(format!("nothing is left for later in the source: `{mark}` is an issue, or gone"))
    })
}

fn machines(file: &File) -> Vec<Offence> {
    let places = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("C:\\", "Users")];
    lines(file, |line| {
        let at = places.iter().find_map(|place| line.find(place))?;
        // A path begins there; `example.invalid/home/` or `./home/` is another matter.
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '>' | '*'));
        begins.then(|| "no file names a folder of the machine it was written on".to_owned())
    })
}

fn links(file: &File, exists: &dyn Fn(&str) -> bool) -> Vec<Offence> {
    if !has_extension(file, &["md"]) {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut offences = Vec::new();
    let mut in_code = false;
    for (number, line) in file.text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = &rest[..rest.find([')', ' ']).unwrap_or(rest.len())];
            let target = target.split('#').next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !exists(&joined(folder, target)) {
                offences.push((number + 1, format!("links in documents lead somewhere: `{target}` is not there")));
            }
        }
    }
    offences
}

fn endings(file: &File) -> Vec<Offence> {
    if file.path.starts_with("migrations/") && file.text.contains('\r') {
        return vec![(1, "migrations end their lines with LF: the database remembers the bytes of those it has run".to_owned())];
    }
    Vec::new()
}

// How they are held ---------------------------------------------------------------------------------------------------

fn hold(name: &str, rule: Rule) {
    let files = files();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "this test reads the project's files and did not find them");
    let mut report = String::new();
    let mut cured: Vec<_> = TOLERATED.iter().filter(|(rule, _, _)| *rule == name).map(|(_, path, _)| *path).collect();
    for file in &files {
        let offences = rule(file);
        if let Some(at) = cured.iter().position(|path| *path == file.path).filter(|_| !offences.is_empty()) {
            cured.swap_remove(at);
            continue;
        }
        for (line, sentence) in offences {
            writeln!(report, "{}:{line}: {sentence}", file.path).unwrap();
        }
    }
    for path in cured {
        writeln!(report, "{path}: keeps the rule `{name}` now; take it off the list of tolerated offenders").unwrap();
    }
    assert!(report.is_empty(), "\n{report}");
}

fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().unwrap();
        // What is built, fetched or generated is not the project's text. A fresh log or database of somebody who tries things out is not either.
        let skipped = ["target", "node_modules", ".git", ".venv", "__pycache__", "LICENSES", "LICENSE", "Cargo.lock", "package-lock.json"];
        if kind.is_dir() && !skipped.contains(&name.as_str()) {
            collect(&entry.path(), &path, found);
        } else if kind.is_file()
            && !skipped.contains(&name.as_str())
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            found.push(File { path, text });
        }
    }
}

fn lines(file: &File, check: impl Fn(&str) -> Option<String>) -> Vec<Offence> {
    file.text.lines().enumerate().filter_map(|(number, line)| check(line).map(|sentence| (number + 1, sentence))).collect()
}

/// A line of Rust without its comment.
fn code_of(line: &str) -> &str {
    let end = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
    &line[..end.unwrap_or(line.len())]
}

/// Whether a crate is named as a path: `tonic::Code`, `tonic_types::StatusExt`, `use tonic;`.
fn has_word(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let free = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
        let rest = code[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        free && (rest.starts_with("::") || (code.trim_start().starts_with("use ") && rest.starts_with(';')))
    })
}

fn has_extension(file: &File, extensions: &[&str]) -> bool {
    file.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

/// `target` as seen from `folder`, without `.` and `..`.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

// Each rule catches ---------------------------------------------------------------------------------------------------

mod each_rule_catches {
    use super::*;

    /// The sentences that `rule` finds in a file.
    fn found(rule: Rule, path: &str, text: &str) -> Vec<String> {
        rule(&File { path: path.to_owned(), text: text.to_owned() }).into_iter().map(|(line, sentence)| format!("{line}: {sentence}")).collect()
    }

    #[test]
    fn a_way_upward() {
        assert_eq!(
            found(rings, "src/consent/decide.rs", "//! Words.\nuse crate::exchange::Writer;"),
            ["2: `use crate::` goes downward only: `consent` must not know `exchange`"]
        );
        assert!(found(rings, "src/exchange/submit.rs", "use crate::consent::{self, decide};\nuse crate::store::Store;").is_empty());
        assert_eq!(found(rings, "src/exchange/submit.rs", "fn f() { crate::grpc::status::refuse() }").len(), 1);
        assert_eq!(found(rings, "src/clock.rs", "use crate::{id::ReferralId, ledger::Hash};").len(), 1);
        assert_eq!(found(rings, "src/new_thing.rs", "").len(), 1);
        assert!(found(rings, "src/lib.rs", "pub use crate::grpc::serve;").is_empty());
    }

    #[test]
    fn a_capability_that_calls_another_but_not_one_that_names_its_type() {
        assert!(found(rings, "src/consent/decide.rs", "use crate::agreement::{Agreement, Route as Way};").is_empty());
        assert!(found(rings, "src/consent/decide.rs", "use crate::consent::record::{load, Consent};").is_empty());
        assert_eq!(
            found(rings, "src/consent/decide.rs", "use crate::agreement::{\n    Agreement,\n    parse::{self, Problem},\n};"),
            [
                "1: capabilities never call each other: `consent` may name a type of `agreement`, not `agreement::parse::self`",
                "1: capabilities never call each other: `consent` may name a type of `agreement`, not `agreement::parse::Problem`",
            ]
        );
        assert_eq!(found(rings, "src/vault/mod.rs", "let size = crate::ledger::head(&tx)?;").len(), 1);
        assert_eq!(found(rings, "src/vault/mod.rs", "use crate::ledger::*;").len(), 1);
        assert!(found(rings, "src/vault/mod.rs", "/// See `crate::ledger::head`.\nuse mycrate::ledger::head;").is_empty());
    }

    #[test]
    fn an_edge_that_knows_one_further_out() {
        assert_eq!(found(rings, "src/grpc/mod.rs", "use crate::delivery::Push;").len(), 1);
        assert_eq!(found(rings, "src/delivery/mod.rs", "use crate::cli::config::Config;").len(), 1);
        assert!(found(rings, "src/delivery/mod.rs", "use crate::grpc::codec::BytesCodec;").is_empty());
        assert!(found(rings, "src/cli/serve.rs", "use crate::{delivery, grpc::listener};").is_empty());
    }

    #[test]
    fn a_driver_away_from_its_place() {
        assert_eq!(found(drivers, "src/exchange/submit.rs", "use tonic::Status;").len(), 1);
        assert_eq!(found(drivers, "src/identity/caller.rs", "let e = tonic_types::ErrorDetails::new();").len(), 1);
        assert!(found(drivers, "src/grpc/status.rs", "use tonic::Status;").is_empty());
        assert!(found(drivers, "src/exchange/submit.rs", "// unlike tonic::Status\nlet tonic = 1;").is_empty());
        assert_eq!(found(drivers, "src/exchange/submit.rs", "sqlx::query(\"SELECT 1\");").len(), 1);
        assert!(found(drivers, "src/store/sqlite.rs", "sqlx::query(\"SELECT 1\");").is_empty());
    }

    #[test]
    fn a_look_at_the_wall_clock() {
        assert_eq!(found(clock, "src/consent/decide.rs", "let now = std::time::SystemTime::now();").len(), 1);
        assert_eq!(found(clock, "src/exchange/writer.rs", "let start = Instant::now();").len(), 1);
        assert!(found(clock, "src/clock.rs", "let now = std::time::SystemTime::now();").is_empty());
        assert!(found(clock, "src/grpc/router/call.rs", "let start = Instant::now();").is_empty());
        assert!(found(clock, "benches/ledger.rs", "let start = Instant::now();").is_empty());
    }

    #[test]
    fn a_file_without_its_header() {
        let header = concat!("// SPDX-File", "CopyrightText: 2026 Somebody\n// SPDX-License-", "Identifier: EUPL-1.2\n");
        assert!(found(headers, "src/id.rs", header).is_empty());
        assert_eq!(found(headers, "src/id.rs", "//! Identifiers.").len(), 1);
        assert_eq!(found(headers, "scripts/check", "#!/bin/sh\ntrue").len(), 1);
        assert!(found(headers, "tests/vectors/probes.json", "{}").is_empty());
    }

    #[test]
    fn what_is_too_long_to_read() {
        assert_eq!(found(length, "src/id.rs", &"ä".repeat(LONGEST_LINE + 1)).len(), 1);
        assert!(found(length, "src/id.rs", &"ä".repeat(LONGEST_LINE)).is_empty());
        assert_eq!(found(length, "src/id.rs", &"\n".repeat(LONGEST_FILE + 1)).len(), 1);
        assert!(found(length, "src/id.rs", &format!("let message = \"{}\";", "a".repeat(LONGEST_LINE))).is_empty());
        assert!(found(length, "README.md", &"a".repeat(LONGEST_LINE + 1)).is_empty());
    }

    #[test]
    fn a_name_that_says_nothing() {
        assert_eq!(found(names, "src/consent/utils.rs", "").len(), 1);
        assert_eq!(found(names, "tests/common/mod.rs", "").len(), 1);
        assert!(found(names, "src/consent/commons.rs", "").is_empty());
    }

    #[test]
    fn work_left_for_later() {
        assert_eq!(found(leftovers, "src/id.rs", concat!("// TO", "DO: later")).len(), 1);
        assert_eq!(found(leftovers, "src/id.rs", concat!("let x = db", "g!(y);")).len(), 1);
        assert!(found(leftovers, "src/id.rs", "let todo = 1;").is_empty());
    }

    #[test]
    fn a_folder_of_somebody_s_machine() {
        assert_eq!(found(machines, "docs/x.md", concat!("see /ho", "me/anna/weiche")).len(), 1);
        assert!(found(machines, "docs/x.md", concat!("https://weiche.example.invalid/ho", "me/")).is_empty());
    }

    #[test]
    fn a_link_into_the_void() {
        let exists = |path: &str| path == "docs/OPERATIONS.md" || path == "README.md";
        let check = |path: &str, text: &str| links(&File { path: path.to_owned(), text: text.to_owned() }, &exists).len();
        assert_eq!(check("README.md", "See [how](docs/OPERATIONS.md#start), [here](#top), [there](https://example.invalid/x)."), 0);
        assert_eq!(check("docs/OPERATIONS.md", "[back](../README.md) and [gone](GONE.md)"), 1);
        assert_eq!(check("README.md", "```\n[gone](GONE.md)\n```"), 0);
    }

    #[test]
    fn a_migration_with_carriage_returns() {
        assert_eq!(found(endings, "migrations/sqlite/0001_initial.sql", "SELECT 1;\r\n").len(), 1);
        assert!(found(endings, "migrations/sqlite/0001_initial.sql", "SELECT 1;\n").is_empty());
    }
}
