// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What an erasure leaves in the files of a PostgreSQL server, and that the commands of docs/OPERATIONS.md take it away. With `WEICHE_TEST_STORE` on
//! this machine only; `erasing` says it of a file of SQLite, where nothing is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use sqlx::{Connection as _, PgConnection};
use weiche::exchange::Actor;
use weiche::id::RequestId;
use weiche::store::Place;

use super::desk::*;
use super::erasing::{is_sound, traces, whole_story};

/// What the institutions wrote: the reference, free texts, where the scan lies. Kept sealed or as a pseudonym, so nowhere in the clear at any time.
const CANARIES: [&str; 5] = ["canary-subject", "canary-location", "canary-proof", "canary-outcome", "canary-norm"];

/// The server's files about one database, and its write-ahead log.
struct Files {
    database: PathBuf,
    log: PathBuf,
}

/// Where in the files something was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    tables: BTreeSet<&'static str>,
    log: BTreeSet<&'static str>,
}

impl Files {
    async fn of(conn: &mut PgConnection) -> Self {
        let asked = "SELECT current_setting('data_directory'), oid::bigint FROM pg_database WHERE datname = current_database()";
        let (data, oid): (String, i64) = sqlx::query_as(asked).fetch_one(conn).await.unwrap();
        let data = PathBuf::from(data);
        Self { database: data.join("base").join(oid.to_string()), log: data.join("pg_wal") }
    }

    fn search(&self, traces: &[(&'static str, Vec<u8>)]) -> Found {
        Found { tables: search(&self.database, traces), log: search(&self.log, traces) }
    }
}

/// Which of `traces` are in the files of a folder.
fn search(folder: &Path, traces: &[(&'static str, Vec<u8>)]) -> BTreeSet<&'static str> {
    assert!(traces.iter().all(|(_, trace)| trace.len() >= 8), "too short to be looked for");
    let all = AhoCorasick::new(traces.iter().map(|(_, trace)| trace)).unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    // Files come and go while the server works.
    let found = |path| all.find_overlapping_iter(&std::fs::read(path).unwrap_or_default()).map(|found| traces[found.pattern()].0).collect::<Vec<_>>();
    files.flat_map(found).collect()
}

async fn run(conn: &mut PgConnection, statements: &'static str) {
    // One by one: none of these may stand in a transaction.
    for statement in statements.lines().filter(|line| !line.is_empty()) {
        sqlx::raw_sql(statement).execute(&mut *conn).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// What an operator is told to say: once, and after erasures.
fn manual() -> [&'static str; 2] {
    let mut said = include_str!("../../../docs/OPERATIONS.md").split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    [said.next().unwrap(), said.next().unwrap()]
}

#[tokio::test]
async fn what_an_erasure_leaves_at_a_server_is_sealed_and_what_the_manual_says_takes_it_away() {
    let mut desk = Desk::open().await;
    let Place::Server(url) = desk.place.clone() else { return };
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let files = Files::of(&mut conn).await;
    assert!(files.log.is_dir(), "the server's files must be readable here: {}", files.log.display());
    let [once, after_erasures] = manual();
    run(&mut conn, once).await;
    // Neither compressed nor cut into pieces, so that this test sees what is there.
    run(&mut conn, "ALTER TABLE consent ALTER record SET STORAGE PLAIN\nALTER TABLE consent_version ALTER record SET STORAGE PLAIN").await;
    for subject in ["canary-subject", "p-2", "p-3"] {
        whole_story(&desk, subject).await;
    }
    let caritas = who(CARITAS);
    let traces = traces(&desk).await;
    // A checkpoint lets go of the log before it, the sooner the more others write.
    let log = search(&files.log, &traces);
    // A server that looks at its tables keeps samples of them.
    run(&mut conn, "ANALYZE\nCHECKPOINT").await;
    let tables = search(&files.database, &traces);
    let all: BTreeSet<_> = traces.iter().map(|(what, _)| *what).collect();
    assert_eq!(Found { tables, log }, Found { tables: all.clone(), log: all }, "otherwise this test sees nothing");
    let canaries = CANARIES.map(|canary| (canary, canary.as_bytes().to_vec()));
    assert_eq!(files.search(&canaries), Found::default(), "in the clear");
    for subject in ["canary-subject", "p-2", "p-3"] {
        desk.on().erase_person(&Actor { institution: &caritas, operator: None }, RequestId::random(), subject).await.unwrap();
    }
    run(&mut conn, "VACUUM\nCHECKPOINT").await;
    let left = search(&files.database, &traces);
    assert!(left.contains("a key of a content"), "VACUUM alone overwrites nothing: {left:?}");
    run(&mut conn, after_erasures).await;
    assert_eq!(files.search(&traces), Found::default());
    is_sound(&mut desk).await;
}
