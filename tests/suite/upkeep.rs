// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Checking, backing up, restoring and moving a database, as docs/OPERATIONS.md tells the operator to.

use std::fs;
use std::path::Path;

use weiche::store::{Place, Store};

use super::cli::{Folder, ends, json};

/// A second agreement, so that the log grows.
fn renew(folder: &Folder, version: &str) {
    folder.edit("agreement.toml", |text| {
        let (before, rest) = text.split_once("version = \"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        format!("{before}version = \"{version}\"{after}")
    });
    let mut serving = folder.serve();
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn damage(path: &str, sql: &'static str) {
    runtime().block_on(async {
        let (store, mut conn) = Store::open(&Place::File(path.into())).await.unwrap();
        assert!(conn.execute(sql, []).await.unwrap() > 0);
        conn.close().await.unwrap();
        store.close().await;
    });
}

#[test]
fn fsck_passes_beside_a_gateway_and_names_what_is_wrong_with_an_exit_code_of_its_own() {
    let folder = Folder::new();
    let config = folder.config();
    let fsck = ["fsck", "--deep", "--config", &config];
    assert_eq!(json(0, &fsck)["ok"], true, "a log that has not begun is sound");
    let mut serving = folder.serve();
    let beside = json(0, &fsck);
    assert!(beside["ok"] == true && beside["entries"] == 1 && beside["checks"].as_array().unwrap().len() > 15, "{beside:#}");
    assert!(ends(0, &["audit", "replay", "--config", &config]).contains("ok       replay of the log"));
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0));
    renew(&folder, "2026-7");
    assert_eq!(json(0, &fsck)["entries"], 2);

    damage(&folder.path("weiche.db"), "UPDATE log_head SET root = (SELECT leaf_hash FROM log_leaf WHERE idx = 0)");
    damage(&folder.path("weiche.db"), "UPDATE agreement SET leaf = 1000");
    let told = json(3, &fsck);
    assert_eq!(told["ok"], false);
    let wrong: Vec<_> = told["checks"].as_array().unwrap().iter().filter(|check| !check["problems"].as_array().unwrap().is_empty()).collect();
    assert!(wrong.len() >= 2, "all at once: {wrong:#?}");
    let text = ends(3, &fsck);
    assert!(text.contains("PROBLEM  head of the log") && text.contains("PROBLEM  agreements point to entries") && text.contains("help: "), "{text}");
    // What only the tables' upkeep concerns is no matter of the log's replay, but the head is.
    assert!(!ends(3, &["audit", "replay", "--config", &config]).contains("agreements"));
}

#[test]
fn a_backup_is_taken_beside_a_gateway_checked_and_never_written_over_anything() {
    let folder = Folder::new();
    let (config, backup) = (folder.config(), folder.path("backup.db"));
    renew(&folder, "2026-7");
    let mut serving = folder.serve();
    let text = ends(0, &["store", "backup", "--config", &config, "--to", &backup]);
    assert!(text.contains("complete and checked"), "{text}");
    assert!(ends(1, &["store", "backup", "--config", &config, "--to", &backup]).contains("exists"));
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0));
    assert!(!Path::new(&folder.path("backup.db.part")).exists());

    // The newest state: restored, checked, at work.
    let restore = || {
        ["weiche.db", "weiche.db-wal", "weiche.db-shm"].iter().for_each(|name| drop(fs::remove_file(folder.path(name))));
        fs::copy(&backup, folder.path("weiche.db")).unwrap();
    };
    restore();
    assert_eq!(json(0, &["fsck", "--config", &config])["ok"], true);
    renew(&folder, "2026-8");
    // Now it is old: three verbs say so, and the gateway does not start.
    restore();
    for verb in [&["fsck"][..], &["audit", "replay"], &["store", "backup", "--to", &folder.path("other.db")]] {
        let text = ends(3, &[verb, &["--config", &config]].concat());
        assert!(text.contains("were signed") && text.contains("Backup and restore"), "{verb:?}: {text}");
    }
    assert!(!Path::new(&folder.path("other.db")).exists(), "what is not sound is no backup");
    assert!(ends(3, &["serve", "--config", &config]).contains("restored from an older state"));
}

#[test]
fn a_copy_is_checked_and_the_gateway_goes_on_from_it() {
    let folder = Folder::new();
    let (config, elsewhere) = (folder.config(), tempfile::tempdir().unwrap());
    let copy = match runtime().block_on(crate::places::empty(elsewhere.path())) {
        Place::Server(url) => url,
        Place::File(path) => path.display().to_string(),
    };
    let mut serving = folder.serve();
    let told = ends(1, &["store", "copy", "--config", &config, "--to", &copy]);
    assert!(told.contains("another process uses it"), "{told}");
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0));
    let copied = json(0, &["store", "copy", "--config", &config, "--to", &copy]);
    let line = copied["line"].as_str().unwrap().to_owned();
    folder.edit("weiche.toml", |text| {
        text.lines().map(|old| if old.starts_with("store = ") { format!("{line}\n") } else { format!("{old}\n") }).collect()
    });
    renew(&folder, "2026-9");
    let checked = json(0, &["fsck", "--config", &config]);
    assert!(checked["database"] == copied["to"] && checked["entries"].as_u64() > copied["entries"].as_u64(), "{checked:#}");
}

#[test]
fn operators_erase_hold_and_report_and_auditors_look_from_the_command_line() {
    let folder = Folder::new();
    let mut serving = folder.serve();
    let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let run = read(folder.admin(0, &["retention", "run"]));
    assert_eq!((&run["applied"], &run["contents"], &run["kept"]), (&false.into(), &0.into(), &0.into()), "{run}");
    assert_eq!(read(folder.admin(0, &["retention", "run", "--dry-run"])), run);
    assert_eq!(folder.entries("before"), 1, "looking is no entry");
    assert_eq!(read(folder.admin(0, &["retention", "run", "--apply"]))["applied"], true);
    ends(2, &["retention", "run", "--dry-run", "--apply"]);

    let of = ["--institution", "awo-bremen", "--subject-ref", "p-1"];
    let hold = |until: &'static str, reason: &'static str| [&["retention", "hold"], &of[..], &["--until", until, "--reason", reason]].concat();
    folder.admin(0, &hold("2999-01-01T00:00:00Z", "Az. 17"));
    assert!(folder.admin(1, &hold("2001-01-01T00:00:00Z", "Az. 17")).contains("until"));
    folder.admin(1, &hold("2999-01-01T00:00:00Z", ""));
    let said = read(folder.admin(0, &hold("2998-12-31", "Az. 17")));
    assert_eq!(said["known"], false, "nothing is there yet of such a person, and the operator hears it");
    let holds = read(folder.admin(0, &["retention", "holds"]));
    assert_eq!((holds.as_array().unwrap().len(), &holds[0]["reason"], &holds[0]["until"]), (1, &"Az. 17".into(), &"2998-12-31T23:00:00Z".into()));
    assert!(folder.admin(1, &[&["retention", "erase"], &of[..]].concat()).contains("legal hold"));
    let (html, file) = (folder.path("report.html"), folder.path("report.json"));
    let report = [&["retention", "report"], &of[..], &["--language", "tr", "--html", &html, "--json", &file]].concat();
    folder.admin(0, &report);
    let page = fs::read_to_string(&html).unwrap();
    assert!(page.contains("Bis 31.12.2998 darf hier nichts gelöscht werden") && page.contains("lang=\"tr\""), "{page}");
    assert!(fs::read_to_string(&file).unwrap().contains("weiche-person-report/1"));
    assert!(folder.admin(1, &report).contains("cannot be written"), "nothing is written over");
    folder.admin(0, &[&["retention", "lift"], &of[..]].concat());
    folder.admin(0, &[&["retention", "erase"], &of[..]].concat());
    assert!(folder.admin(1, &[&["retention", "erase"], &of[..]].concat()).contains("nothing is there under this reference"));

    // What persons may ask for where an institution cannot do it: by name, and into the log.
    let restrict = [&["retention", "restrict"], &of[..]].concat();
    assert!(read(folder.admin(0, &restrict))["done"].as_str().unwrap().contains("restricted"));
    assert!(folder.admin(1, &[&["retention", "erase"], &of[..]].concat()).contains("restricted"));
    folder.admin(0, &[&restrict[..], &["--lift"]].concat());
    let nobodys = ["retention", "correct", "--institution", "awo-bremen", "--referral", "0193b2c4-7d1e-4a6b-9c3d-00000000ffff", "--data", "contact"];
    assert!(folder.admin(1, &nobodys).contains("sent no such referral"));
    let stranger = ["retention", "report", "--institution", "awo", "--subject-ref", "p-1", "--html", "x", "--json", "y"];
    assert!(folder.admin(1, &stranger).contains("no such member"));

    let found = read(folder.operator(0, "auditor", &["audit", "findings", "--all"]));
    assert!(found["findings"].as_array().unwrap().iter().all(|one| one["stands_out"] == false), "{found}");
    folder.operator(1, "admin", &["audit", "findings"]);
    folder.operator(1, "auditor", &["retention", "run"]);
    // The agreement; the run; hold twice, report twice, lift, erasure; restriction and its end; and what the auditor looked at.
    assert_eq!(folder.entries("after"), 11);
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0));
    assert_eq!(json(0, &["fsck", "--deep", "--config", &folder.config()])["ok"], true);
}
