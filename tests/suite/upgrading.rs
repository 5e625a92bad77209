// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Two gateways on one server are replaced by another program, one after the other, while callers submit and a recipient is called: on tables that
//! have grown under them meanwhile, as an upgrade and its taking back do. With `WEICHE_TEST_STORE` only.
//!
//! `WEICHE_UPGRADES` sets how often, `WEICHE_OTHER_PROGRAM` names the other program (its tables are the same then); docs/PROMISES.md has the command.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection as _, PgConnection};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use weiche::dialect::Dialects;
use weiche::store::Place;

use crate::centre::{CENTRE, Centre};
use crate::cli::{Folder, ends, json};
use crate::deliveries::{RECIPIENT, System, read, until};
use crate::stopping::person::{id, line_to};

const CALLERS: usize = 6;

/// A version of the tables after this program's: a column more where most is written, an index more, a table more.
const GROWN: [&str; 4] = [
    "ALTER TABLE referral ADD COLUMN grown BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX grown_delivery ON delivery (referral)",
    "CREATE TABLE grown (id BIGINT PRIMARY KEY)",
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
     SELECT MAX(version) + 1, 'from ' || MAX(version) || ' made up', TRUE, '', 0 FROM _sqlx_migrations",
];

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_exchanged_under_load_on_tables_that_grow_and_nothing_is_lost_or_out_of_order() {
    let unused = tempfile::tempdir().unwrap();
    let Place::Server(url) = crate::places::empty(unused.path()).await else { return };
    let other_program = std::env::var("WEICHE_OTHER_PROGRAM").ok();
    let upgrades: usize = std::env::var("WEICHE_UPGRADES").map_or(3, |upgrades| upgrades.parse().unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let folder = Folder::made(&["--store", &url]);
    folder.edit("agreement.toml", |text| text.replace("https://localhost:7106", &address));
    let folders = [folder.beside(), folder];
    let (system, stop) = (System::default(), CancellationToken::new());
    let certs = folders[0].path("certs");
    system.serve_as(RECIPIENT, listener, certs.as_ref(), stop.clone());

    let mut serving = folders.each_ref().map(Folder::serve);
    let mut callers = JoinSet::new();
    let enough = Arc::new(AtomicBool::new(false));
    for caller in 0..CALLERS {
        let mut lines = folders.each_ref().map(|folder| Centre::at(line_to(certs.as_ref(), folder.port, CENTRE)));
        let (person, enough) = (format!("p-{caller}"), enough.clone());
        let consent = lines[0].consents(&person).await.unwrap();
        callers.spawn(async move {
            let (mut accepted, mut turn) = (Vec::new(), caller);
            while !enough.load(Ordering::Relaxed) {
                let request = id();
                // Whoever is told to come back, or hears nothing any more, asks the other one the same.
                loop {
                    turn += 1;
                    match lines[turn % 2].submits_as(&request, &person, &consent).await {
                        Ok(referral) => break accepted.push(referral),
                        Err(status) if std::error::Error::source(&status).is_some() || status.code() == Code::Unavailable => {}
                        Err(status) => panic!("{status:?}"),
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
            accepted
        });
    }
    for upgrade in 0..upgrades {
        for (at, (folder, serving)) in folders.iter().zip(&mut serving).enumerate() {
            let before = system.calls().len();
            until("work is being done", || async { system.calls().len() > before + 5 * CALLERS }).await;
            serving.signal("-TERM");
            assert_eq!(serving.ended(), Some(0));
            *serving = match &other_program {
                Some(program) if upgrade % 2 == 0 => folder.serve_with(program),
                _ => folder.serve(),
            };
            if (upgrade, at) == (0, 0) && other_program.is_none() {
                grow(&url).await;
            }
        }
    }
    enough.store(true, Ordering::Relaxed);
    // Of each person, in the order in which it was said.
    let accepted: Vec<Vec<String>> = callers.join_all().await;
    let count: usize = accepted.iter().map(Vec::len).sum();

    // Each delivery when it came first: what comes again is the same one, which the recipient knows by its id.
    let dialects = Dialects::embedded().unwrap();
    let arrived = || {
        let mut seen = HashSet::new();
        let calls = system.calls();
        calls.iter().map(|call| read(&dialects, call).delivery_id).filter(|id| seen.insert(id.clone())).collect::<Vec<_>>()
    };
    until("everything acknowledged has arrived", || async { arrived().len() >= count }).await;
    println!("{upgrades} times two gateways replaced, {count} referrals accepted, {} calls of the recipient", system.calls().len());
    serving.iter().for_each(|serving| serving.signal("-TERM"));
    assert_eq!(serving.each_mut().map(|serving| serving.ended()), [Some(0); 2]);
    let (referral_of, arrived) = (referrals(&url).await, arrived());
    assert_eq!(arrived.len(), count, "nothing that nobody submitted");
    let arrived: Vec<_> = arrived.iter().map(|delivery| &referral_of[delivery]).collect();
    for in_order in &accepted {
        let of_one: HashSet<_> = in_order.iter().collect();
        assert!(arrived.iter().copied().filter(|referral| of_one.contains(referral)).eq(in_order), "in the order of acceptance, for each person");
    }
    if other_program.is_none() {
        let migrated = json(0, &["migrate", "--config", &folders[0].config()]);
        assert_eq!(migrated["from"], migrated["to"], "newer tables stay as they are");
    }
    ends(0, &["fsck", "--config", &folders[0].config()]);
    ends(0, &["audit", "replay", "--config", &folders[0].config()]);
    stop.cancel();
}

/// Makes the tables those of the next version, beside whoever works on them.
async fn grow(url: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let mut migration = conn.begin().await.unwrap();
    for statement in GROWN {
        sqlx::query(statement).execute(&mut *migration).await.unwrap();
    }
    migration.commit().await.unwrap();
    conn.close().await.unwrap();
}

/// Of each delivery, the referral that it carries.
async fn referrals(url: &str) -> HashMap<String, String> {
    const SQL: &str = "SELECT encode(id, 'hex')::uuid::text, encode(referral, 'hex')::uuid::text FROM delivery WHERE kind = 1";
    let mut conn = PgConnection::connect(url).await.unwrap();
    let ids: Vec<(String, String)> = sqlx::query_as(SQL).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    ids.into_iter().collect()
}
