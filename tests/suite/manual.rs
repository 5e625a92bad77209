// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The manual keeps its word: every example of `docs/DIALECTS.md` is compiled and run, and its way from an empty folder to a delivered referral
//! is walked with the files and the commands that it shows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Listeners};
use weiche::clock::SystemClock;
use weiche::dialect::{CategoryMask, Dialects, REFERRAL};

use crate::deliveries::until;
use crate::onboarding::{client, next};

const MANUAL: &str = include_str!("../../docs/DIALECTS.md");

/// Code blocks with their language and line.
fn blocks() -> Vec<(&'static str, usize, String)> {
    let (mut out, mut open): (Vec<(&str, usize, String)>, bool) = (Vec::new(), false);
    for (at, line) in MANUAL.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                open = true;
                out.push((language, at + 1, String::new()));
            }
            (Some(_), true) => open = false,
            (None, true) => writeln!(out.last_mut().unwrap().2, "{line}").unwrap(),
            (None, false) => {}
        }
    }
    out
}

/// What the examples leave out.
const SILENT: [(&str, &str, &str); 3] = [
    ("zzFamily", "name", "string zzFamily = 901 [(weiche.dialect.v1.field) = { at: \"subject.name.family\" }];"),
    ("zzRecipient", "recipient", "string zzRecipient = 902 [(weiche.dialect.v1.field) = { at: \"recipient.institution\" }];"),
    ("zzPurpose", "purpose", "string zzPurpose = 903 [(weiche.dialect.v1.field) = { at: \"purpose\", codes: \"purpose/awo\" }];"),
];

/// A part of a message as a whole dialect, and which of the silent fields it got.
fn whole(part: &str) -> (String, Vec<&'static str>) {
    let (fields, types) = match part.lines().position(|line| line.starts_with("message ") || line.starts_with("enum ")) {
        Some(at) => {
            let lines: Vec<&str> = part.lines().collect();
            (lines[..at].join("\n"), lines[at..].join("\n"))
        }
        None => (part.to_owned(), String::new()),
    };
    let own = part.contains("hub:");
    let names = part.contains("name.family") || part.contains("at: \"family\"");
    let silent: Vec<_> = SILENT.iter().filter(|(_, what, _)| *what != "name" || !names).collect();
    let hub = if own { "" } else { "option (weiche.dialect.v1.message) = { hub: \"weiche.type.v1.Referral\" };\n" };
    let more = silent.iter().map(|(_, _, field)| *field).collect::<Vec<_>>().join("\n");
    let text = format!(
        "syntax = \"proto3\";\npackage manual.v1;\nimport \"weiche/dialect/v1/options.proto\";\n\
         option (weiche.dialect.v1.dialect) = {{ name: \"manual\", version: \"1\", title: \"Manual\", zone: \"Europe/Berlin\", nulls: [\"\"] }};\n\
         message Example {{\n{hub}{fields}\n{more}\n}}\n{types}\n"
    );
    (text, silent.iter().map(|(field, _, _)| *field).collect())
}

/// Whether everything that is expected is there.
fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|there| holds(value, there)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(one, other)| holds(one, other))
        }
        (expected, found) => expected == found,
    }
}

/// Runs the lines of an example.
fn run(dialects: &Dialects, silent: &[&str], lines: &str, at: usize) -> usize {
    let (own, canonical) = (dialects.get("manual").unwrap(), dialects.get("canonical").unwrap());
    let all = CategoryMask::ALL;
    let (mut there, mut back, mut ran) = (None, None, 0);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("line {at}: {error}: {text}"));
    for line in lines.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("line {at}: {line}"));
        let rest = rest.trim();
        match word {
            "in" => {
                let mut json = value(rest);
                for field in silent {
                    json[field] = if *field == "zzPurpose" { "Beratung" } else { "Beispiel" }.into();
                }
                let read = dialects.translate(own, canonical, REFERRAL, all, &json, false).unwrap_or_else(|error| panic!("line {at}: {error}"));
                back = Some(dialects.translate(canonical, own, REFERRAL, all, &read.json, false).unwrap());
                there = Some(read);
                ran += 1;
            }
            "hub" => {
                let read = there.as_ref().unwrap();
                assert!(holds(&value(rest), &read.json), "line {at}: {rest} is not in {:#}", read.json);
                assert!(read.problems.is_empty(), "line {at}: {:?}", read.problems);
            }
            "out" => {
                let mut json = back.as_ref().unwrap().json.clone();
                silent.iter().for_each(|field| drop(json.as_object_mut().unwrap().remove(*field)));
                assert_eq!(json, value(rest), "line {at}");
                assert!(there.as_ref().unwrap().problems.is_empty(), "line {at}: {:?}", there.as_ref().unwrap().problems);
            }
            "lost" => {
                let (read, back) = (there.as_ref().unwrap(), back.as_ref().unwrap());
                let said = |field: &weiche::dialect::FieldReport| format!("{} {}", field.path, field.outcome.word()) == rest;
                assert!(read.read.fields.iter().chain(&back.rendered.fields).any(said), "line {at}: {rest}: {:?} {:?}", read.read, back.rendered);
            }
            "refused" => {
                let problems = &there.as_ref().unwrap().problems;
                assert!(problems.iter().any(|problem| problem.path == rest), "line {at}: {rest}: {problems:?}");
            }
            other => panic!("line {at}: {other}"),
        }
    }
    ran
}

#[test]
fn every_example_of_the_manual_compiles_and_does_what_it_says() {
    let blocks = blocks();
    let (mut examples, mut runs) = (0, 0);
    for pair in blocks.windows(2) {
        let [(first, at, part), (second, _, lines)] = pair else { unreachable!() };
        if *first != "proto" || part.starts_with("syntax") {
            continue;
        }
        assert_eq!(*second, "text", "the example of line {at} shows nothing");
        let folder = tempfile::tempdir().unwrap();
        let (text, silent) = whole(part);
        std::fs::write(folder.path().join("manual.proto"), &text).unwrap();
        let dialects = Dialects::of_folder(folder.path()).unwrap_or_else(|errors| panic!("line {at}: {errors}\n{text}"));
        runs += run(&dialects, &silent, lines, *at);
        examples += 1;
    }
    assert!(examples >= 20 && runs > examples, "{examples} {runs}");
}

#[test]
fn every_rule_of_the_mapping_language_has_an_example() {
    let proto: String = blocks().into_iter().filter(|(language, _, _)| *language == "proto").map(|(_, _, text)| text).collect();
    for message in ["FieldMapping", "MessageMapping", "DialectMapping", "MethodMapping", "Merge", "Join"] {
        let descriptor = weiche::proto::pool().get_message_by_name(&format!("weiche.dialect.v1.{message}")).unwrap();
        for field in descriptor.fields() {
            assert!(proto.contains(&format!("{}:", field.name())), "the manual shows no `{}`", field.name());
        }
    }
    for pattern in weiche::proto::pool().get_enum_by_name("weiche.dialect.v1.Direction").unwrap().values().skip(1) {
        assert!(proto.contains(pattern.name()), "{}", pattern.name());
    }
}

/// The files of the way, as a reader would make them.
fn files(folder: &Path) {
    let blocks = blocks();
    let block = |language: &str, start: &str| blocks.iter().find(|(one, _, text)| *one == language && text.starts_with(start)).unwrap().2.clone();
    std::fs::create_dir_all(folder.join("mysystem/v1")).unwrap();
    std::fs::write(folder.join("mysystem/v1/mysystem.proto"), block("proto", "syntax")).unwrap();
    std::fs::write(folder.join("mysystem/purpose.tsv"), block("tsv", "canonical")).unwrap();
    std::fs::write(folder.join("case.json"), block("json", "{")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_from_an_empty_folder_to_a_delivered_referral_can_be_walked() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let mut walked = 0;
    let commands: Vec<String> = blocks()
        .into_iter()
        .filter(|(language, _, _)| *language == "sh")
        .flat_map(|(_, _, text)| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for command in commands.iter().filter(|command| command.starts_with("weiche ") && !command.starts_with("weiche serve")) {
        if command.starts_with("weiche check") {
            edit(&dir.path().join("site/agreement.toml"), |text| {
                let text = text.replace("dialect = \"jobcenter.v1\"", "dialect = \"mysystem.v1\"");
                text.replace("{ mode = \"push\", endpoint = \"https://localhost:7106\" }", "{ mode = \"pull\" }")
            });
            let line = blocks().into_iter().find(|(language, _, _)| *language == "toml").unwrap().2;
            edit(&dir.path().join("site/weiche.toml"), |text| text.replace("#: dialects = []\n", &line));
        }
        let arguments = command.split(' ').skip(1);
        let output = Command::new(env!("CARGO_BIN_EXE_weiche")).args(arguments).current_dir(dir.path()).output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{command}: {told}");
        if command.contains("translate") {
            assert!(told.contains("Beispiel") && told.contains("agentur-bremen-bremerhaven"), "{told}");
        }
        walked += 1;
    }
    assert_eq!(walked, 6, "{commands:?}");

    let shutdown = CancellationToken::new();
    let config = Config::load(&dir.path().join("site/weiche.toml")).unwrap();
    let running = gateway::run(config, Arc::new(SystemClock), Listeners::local().await.unwrap(), shutdown.clone()).await.unwrap();
    let certs: PathBuf = dir.path().join("site/certs");
    let dialects = running.exchange().dialects();
    let mine = client(&certs, running.institutions().port(), "jobcenter-bremen", dialects.clone());
    let case: Value = serde_json::from_str(&std::fs::read_to_string(dir.path().join("case.json")).unwrap()).unwrap();
    let request = json!({ "request": uuid::Uuid::new_v4().to_string(), "case": case });
    let sent = mine.call("/mysystem.v1.Cases/Send", ("mysystem.v1.SendRequest", request), "mysystem.v1.SendReply").await.unwrap();
    assert!(sent["receipt"].as_str().unwrap().contains("weiche.example.invalid"));
    let agentur = client(&certs, running.institutions().port(), "agentur-bremen-bremerhaven", dialects);
    let first = agentur.bytes("weiche.exchange.v1.ReceiveRequest", &json!({ "credits": 1 }));
    let (up, mut items) = agentur.stream("/weiche.exchange.v1.InboxService/Receive", first).await;
    let item = agentur.json("weiche.exchange.v1.ReceiveResponse", &next(&mut items).await);
    assert_eq!(item["referral"]["subject"]["name"], json!({ "family": "Beispiel", "given": "Nur" }));
    assert_eq!(item["referral"]["referral_id"], sent["number"]);
    let receipt = json!({ "acknowledgement": { "delivery_id": item["delivery_id"], "lease_token": item["lease_token"] } });
    up.send(agentur.bytes("weiche.exchange.v1.ReceiveRequest", &receipt)).unwrap();
    let (exchange, number) = (running.exchange().clone(), sent["number"].as_str().unwrap().to_owned());
    until("delivered", || async {
        let found = exchange.referral(&"jobcenter-bremen".parse().unwrap(), &number).await.unwrap();
        found.0.referral.state == weiche::referral::ReferralState::Delivered
    })
    .await;
    drop((up, items, exchange));
    shutdown.cancel();
    running.ended().await.unwrap();
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "{}", file.display());
    std::fs::write(file, changed).unwrap();
}
