// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The database moves from one engine to the other, or comes back from a backup, and the gateway goes on as if nothing had happened.

use std::process::{Command, Stdio};

use weiche::exchange::{OpenError, WriterError};
use weiche::id::RequestId;
use weiche::ledger::guard::GuardError;
use weiche::store::{Copying, Place, Store, StoreError};

use super::desk::*;
use super::soundness::busy;

async fn copy(from: &Place, to: &Place) -> Result<u64, StoreError> {
    let mut copying = Copying::begin(from, to).await?;
    let rows = match copying.run(&|_, _| ()).await {
        Ok(rows) => rows.values().sum(),
        Err(error) => {
            copying.abandon().await?;
            return Err(error);
        }
    };
    copying.finish().await?;
    Ok(rows)
}

/// There and back again: with `scripts/with-postgres` from a file to a server and back, otherwise from file to file.
#[tokio::test]
async fn a_gateway_goes_on_from_a_copy_and_its_earlier_receipts_hold() {
    let mut desk = busy().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-9").await;
    let (request, case) = (RequestId::random(), referral(CARITAS, JOBCENTER, "p-9", consent));
    let before = desk.submit_as(request, &case).await.unwrap();
    let (key, entries) = (desk.on().verifier_key(), desk.log().await.len());
    let elsewhere = temporary();
    let places = [Place::File(elsewhere.path().join("one.db")), crate::places::empty(elsewhere.path()).await];
    for place in places {
        desk.stop().await;
        assert!(copy(&desk.place, &place).await.unwrap() > 1000);
        desk.place = place;
        desk.start().await.unwrap();
        super::replay::check(&desk).await;
        assert_eq!((desk.on().verifier_key(), desk.log().await.len()), (key.clone(), entries));
        let again = desk.submit_as(request, &case).await.unwrap();
        assert_eq!(again.issued().text, before.issued().text, "the receipt is the same, byte for byte");
        desk.reopen().await;
    }
    desk.accepted(&case).await;
    desk.pass(LEASE);
    desk.deliver_all(JOBCENTER).await;
    desk.verify_log().await;
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn nothing_is_copied_over_something_or_beside_a_gateway_and_a_failure_leaves_nothing() {
    let mut desk = busy().await;
    let elsewhere = temporary();
    let to = Place::File(elsewhere.path().join("copy.db"));
    assert!(matches!(copy(&desk.place, &to).await, Err(StoreError::InUse(_))), "a gateway works on it");
    assert!(!elsewhere.path().join("copy.db").exists());
    desk.stop().await;
    assert!(matches!(copy(&desk.place, &desk.place).await, Err(StoreError::NotEmpty(_))));
    copy(&desk.place, &to).await.unwrap();
    assert!(matches!(copy(&desk.place, &to).await, Err(StoreError::NotEmpty(_))), "there is a copy already");

    // Another column on one side: it fails on the way, and what was there before is there afterwards.
    desk.write("ALTER TABLE payload ADD COLUMN more TEXT", []).await;
    let fresh = Place::File(elsewhere.path().join("fresh.db"));
    assert!(copy(&desk.place, &fresh).await.is_err());
    assert!(!elsewhere.path().join("fresh.db").exists());
    let empty = crate::places::empty(elsewhere.path()).await;
    Store::create(&empty).await.unwrap();
    assert!(copy(&desk.place, &empty).await.is_err());
    let mut conn = Store::read_only(&empty).await.unwrap();
    assert_eq!(conn.row("SELECT COUNT(*) FROM log_leaf", []).await.unwrap().unwrap().int(0).unwrap(), 0);
    assert_eq!(conn.row("SELECT size FROM log_head", []).await.unwrap().unwrap().int(0).unwrap(), 0);
}

#[tokio::test]
async fn a_backup_of_a_gateway_at_work_is_one_moment_and_the_guard_tells_when_it_is_old() {
    let mut desk = busy().await;
    let elsewhere = temporary();
    let backup = elsewhere.path().join("backup.db");
    if desk.place.file().is_none() {
        assert!(matches!(Store::backup(&desk.place, &backup).await, Err(StoreError::NotAFile(_))));
        return;
    }
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-8").await;
    let case = referral(CARITAS, JOBCENTER, "p-8", consent);
    // Work goes on beside it.
    let (made, _) = tokio::join!(Store::backup(&desk.place, &backup), async {
        for _ in 0..20 {
            desk.accepted(&case).await;
        }
    });
    made.unwrap();
    assert!(Store::backup(&desk.place, &backup).await.is_err(), "nothing is overwritten");
    desk.accepted(&case).await;
    desk.stop().await;
    let newest = std::mem::replace(&mut desk.place, Place::File(backup));
    let refused = desk.start().await.unwrap_err();
    assert!(matches!(refused, OpenError::Writer(WriterError::Guard(GuardError::Behind { .. }))), "{refused}");
    desk.place = newest.clone();
    desk.start().await.unwrap();
    desk.stop().await;

    // A backup of the newest state is as good as the database.
    let backup = elsewhere.path().join("newest.db");
    Store::backup(&newest, &backup).await.unwrap();
    desk.place = Place::File(backup);
    desk.start().await.unwrap();
    desk.accepted(&case).await;
    super::replay::check(&desk).await;
}

/// `pg_dump` into a new database, as docs/OPERATIONS.md says it; the guard refuses it when it is old.
#[tokio::test]
async fn a_dump_of_a_server_is_one_moment_and_the_guard_tells_when_it_is_old() {
    let mut desk = busy().await;
    let Place::Server(url) = desk.place.clone() else { return };
    if Command::new("pg_dump").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("left out: pg_dump is missing");
        return;
    }
    let elsewhere = temporary();
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-8").await;
    let case = referral(CARITAS, JOBCENTER, "p-8", consent);
    for stale in [true, false] {
        let dump = elsewhere.path().join("dump");
        let run = |program: &str, args: &[&str]| assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
        run("pg_dump", &["--format=custom", "--file", dump.to_str().unwrap(), &url]);
        if stale {
            desk.accepted(&case).await;
        }
        desk.stop().await;
        let restored = crate::places::empty(elsewhere.path()).await;
        let Place::Server(to) = &restored else { unreachable!() };
        run("pg_restore", &["--exit-on-error", "--no-owner", "--dbname", to, dump.to_str().unwrap()]);
        desk.place = restored;
        if stale {
            let refused = desk.start().await.unwrap_err();
            assert!(matches!(refused, OpenError::Writer(WriterError::Guard(GuardError::Behind { .. }))), "{refused}");
            desk.place = Place::Server(url.clone());
            desk.start().await.unwrap();
        } else {
            desk.start().await.unwrap();
            desk.accepted(&case).await;
            super::replay::check(&desk).await;
        }
    }
}
