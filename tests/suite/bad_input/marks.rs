// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A mark in every text of a case, and where it must not turn up.

use std::path::Path;

use super::*;
use crate::captured::{Captured, Listening};

const MARK: &str = "zqxvwk";

/// A case with the mark in every text that a case worker can write into.
fn marked(case: Value) -> Value {
    let mark = |what: &str| json!(format!("{MARK} {what}"));
    let short = json!(MARK);
    let subject = json!({
        "name": {"family": mark("family"), "given": mark("given"), "birthName": mark("birth"), "prefix": mark("prefix")},
        "languages": [{"language": {"system": "urn:iso:std:iso:639:-3", "version": "2023", "code": "ara", "display": mark("language")}, "note": mark("note")}],
        "contactPoints": [{"system": "email", "value": format!("{MARK}@example.invalid")}],
        "address": {"street": mark("street"), "houseNumber": short, "houseNumberSuffix": short, "postalCode": "28237", "city": mark("city"), "additionalLine": mark("line")},
    });
    let topic = json!({"system": "urn:weiche:codelist:topic", "version": "1", "code": "ANE", "display": mark("topic")});
    let measure = json!({"system": "urn:weiche:codelist:measure", "version": "2026-06-12", "code": "IK", "display": mark("measure")});
    let mut case = changed(
        case,
        &[
            ("/subject", subject),
            ("/senderCaseNumber", mark("number")),
            ("/subjectRef", mark("ref")),
            ("/education", json!({"field": mark("education")})),
            ("/recognitions", json!([{"profession": mark("profession"), "status": "RECOGNITION_STATUS_APPLIED"}])),
            ("/work", json!({"lastOccupation": mark("occupation"), "wish": mark("wish")})),
            ("/needs", json!([{"topic": topic, "main": true, "note": mark("need")}])),
            ("/measures", json!([{"measure": measure, "provider": mark("provider")}])),
            ("/appointments", json!([{"place": mark("place"), "subject": mark("appointment")}])),
            ("/documents", json!([{"title": mark("title")}])),
        ],
    );
    for note in ["freeText", "healthNote", "religionEthnicityNote", "sexualNote", "criminalNote", "financeDebtNote"] {
        case[note] = mark(note);
    }
    for party in ["sender", "recipient"] {
        case[party]["function"] = mark(party);
    }
    case
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.to_ascii_lowercase().windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// Files below `folder` that hold the mark, and how many there are.
fn search(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            searched += search(&path, found);
        } else {
            searched += 1;
            match std::fs::read(&path) {
                Ok(bytes) => found.extend(has_mark(&bytes).then_some(path)),
                // The last reader of a database takes its write-ahead log away with it.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{path:?}"),
            }
        }
    }
    searched
}

#[tokio::test]
async fn a_mark_in_every_text_of_a_case_is_in_no_trace_no_error_no_file_and_not_in_the_exported_log() {
    let captured = Captured::default();
    let writer = captured.clone();
    let filter = tracing_subscriber::EnvFilter::new("weiche=trace,info");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    // This test's runtime is this thread: everything that the gateway says is seen.
    let _listening = Listening::to(subscriber);

    let site = Site::new().await;
    let submit = |case: Value| request(SUBMIT, json!({"requestId": fresh(), "referral": case}));
    let taken = site.call("jobcenter-bremen", SUBMIT, submit(marked(statutory()))).await.unwrap();
    assert_eq!(answer(SUBMIT, &taken)["state"], "REFERRAL_STATE_SUBMITTED");
    assert!(!has_mark(&taken), "an answer repeats nothing of the case");

    let denied = submit(marked(by_consent()));
    let foreign = submit(changed(marked(by_consent()), &[("/subject/name/family", json!(format!("{MARK} 漢")))]));
    let long = submit(changed(marked(by_consent()), &[("/freeText", json!(MARK.repeat(1000)))]));
    let party = submit(changed(marked(by_consent()), &[("/recipient/institution", json!(MARK)), ("/consent/consentId", json!(MARK))]));
    let marks: Vec<(String, Value)> = serde_json::from_str::<serde_json::Map<String, Value>>(AWO)
        .unwrap()
        .into_iter()
        .map(|(key, value)| (format!("/{key}"), if value.is_string() { json!(format!("{MARK}, {MARK}")) } else { value }))
        .collect();
    let native = awo(&marks.iter().map(|(pointer, value)| (pointer.as_str(), value.clone())).collect::<Vec<_>>());
    let refused = [
        ("drk-bremen", SUBMIT, denied, Code::PermissionDenied),
        ("drk-bremen", SUBMIT, foreign, Code::InvalidArgument),
        ("drk-bremen", SUBMIT, long, Code::InvalidArgument),
        ("drk-bremen", SUBMIT, party, Code::InvalidArgument),
        ("awo-bremen", AWO_SUBMIT, native, Code::InvalidArgument),
    ];
    for (who, path, body, code) in refused {
        assert!(has_mark(&body));
        let status = site.call(who, path, body).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(!has_mark(said(&status).as_bytes()), "{}", said(&status));
    }

    let exported = tempfile::tempdir().unwrap();
    site.running.exchange().export_log(exported.path(), |_, _| {}).await.unwrap();
    let dir = site.end().await;
    let mut found = Vec::new();
    assert!(search(exported.path(), &mut found) > 0);
    // The database with its write-ahead log is among them, as it lies on the disk.
    assert!(search(dir.path(), &mut found) > 10);
    assert!(found.is_empty(), "{found:?}");
    let trace = captured.0.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&trace).matches("call ended").count() >= 6, "the calls were not seen");
    let text = String::from_utf8_lossy(&trace);
    assert!(!has_mark(&trace), "{:?}", text.lines().find(|line| has_mark(line.as_bytes())));
}
