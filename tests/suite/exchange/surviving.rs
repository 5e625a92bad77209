// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Restarts, killed processes, restored backups, agreements that come and go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use weiche::exchange::{OpenError, WriterError};
use weiche::id::ReferralId;
use weiche::ledger::guard::GuardError;
use weiche::proto::audit::EntryKind;
use weiche::referral::ReferralState;

use super::desk::*;

#[tokio::test]
async fn a_restart_at_any_point_changes_nothing() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.reopen().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.reopen().await;
    let first = desk.release_one(JOBCENTER).await;
    desk.reopen().await;
    assert!(desk.release(JOBCENTER).await.is_empty(), "the lease goes on");
    desk.settle(&first, unavailable()).await.unwrap();
    desk.reopen().await;
    let second = desk.release_one(JOBCENTER).await;
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert_eq!(second.referral(), first.referral());
    desk.acknowledge(&second).await;
    desk.reopen().await;
    desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await.unwrap();
    desk.reopen().await;
    assert_eq!(told(desk.deliver_all(CARITAS).await[0].status()).0, ReferralState::Accepted);
    desk.reopen().await;
    desk.withdraw(JOBCENTER, consent).await;
    desk.reopen().await;
    let recall = desk.release_one(JOBCENTER).await;
    desk.reopen().await;
    desk.acknowledge(&recall).await;
    assert_eq!(recall.recall().referral_id, id.to_string());
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Recalled);
    desk.verify_log().await;
    super::replay::check(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_moment_has_lost_nothing_that_was_acknowledged() {
    let desk = Arc::new(Desk::open().await);
    if desk.place.file().is_none() {
        return; // Files are copied here.
    }
    let acknowledged = Arc::new(Mutex::new(Vec::<ReferralId>::new()));
    let mut working = Vec::new();
    for worker in 0..6 {
        let (desk, acknowledged) = (desk.clone(), acknowledged.clone());
        working.push(tokio::spawn(async move {
            for turn in 0..40 {
                let subject = format!("p-{worker}-{turn}");
                let consent = desk.usual_consent(CARITAS, JOBCENTER, &subject).await;
                let id = desk.accepted(&referral(CARITAS, JOBCENTER, &subject, consent)).await;
                acknowledged.lock().unwrap().push(id);
                match turn % 4 {
                    0 => drop(desk.withdraw(CARITAS, consent).await),
                    1 => drop(desk.cancel(CARITAS, id).await),
                    _ => {
                        for item in desk.release(JOBCENTER).await {
                            // Another worker may have taken it back meanwhile.
                            drop(desk.settle(&item, weiche::exchange::Outcome::Delivered).await);
                        }
                    }
                }
            }
        }));
    }
    let mut copies = 0;
    let mut sizes = BTreeSet::new();
    while copies < 12 || working.iter().any(|one| !one.is_finished()) {
        let acked = acknowledged.lock().unwrap().clone();
        let mut copy = desk.crash_copy().await;
        for id in &acked {
            copy.on().referral(&who(CARITAS), &id.to_string()).await.unwrap_or_else(|_| panic!("{id} was acknowledged and is lost"));
        }
        copy.verify_log().await;
        super::replay::check(&copy).await;
        sizes.insert(copy.log().await.len());
        // It works on, and everything that was accepted and not stopped arrives.
        copy.pass(LEASE);
        copy.deliver_all(JOBCENTER).await;
        for id in acked {
            assert_ne!(copy.state(CARITAS, id).await.0, ReferralState::Submitted);
        }
        copy.stop().await;
        copies += 1;
    }
    for one in working {
        one.await.unwrap();
    }
    assert!(sizes.len() > 3, "the copies are of different moments: {sizes:?}");
}

#[tokio::test]
async fn an_older_database_with_the_newer_guard_is_refused() {
    let mut desk = Desk::open().await;
    if desk.place.file().is_none() {
        return; // Files are copied here.
    }
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.stop().await;
    let backup = temporary();
    desk.copy_files(backup.path());
    desk.start().await.unwrap();
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    desk.accepted(&case).await;
    // Both kinds of end: in good order, and not.
    desk.stop().await;
    let guard = std::fs::read(desk.path().join("guard")).unwrap();
    let restore = || {
        for name in ["weiche.db", "weiche.db-wal", "weiche.db-shm"] {
            let _ = std::fs::remove_file(desk.path().join(name));
            if backup.path().join(name).exists() {
                std::fs::copy(backup.path().join(name), desk.path().join(name)).unwrap();
            }
        }
    };
    restore();
    let refused = desk.start().await.unwrap_err();
    assert!(matches!(refused, OpenError::Writer(WriterError::Guard(GuardError::Behind { .. }))), "{refused}");

    // Another history of the same length or longer is told by its root.
    std::fs::copy(backup.path().join("guard"), desk.path().join("guard")).unwrap();
    desk.start().await.unwrap();
    desk.accepted(&case).await;
    desk.accepted(&case).await;
    desk.stop().await;
    std::fs::write(desk.path().join("guard"), guard).unwrap();
    let refused = desk.start().await.unwrap_err();
    assert!(matches!(refused, OpenError::Writer(WriterError::Guard(GuardError::Differs { .. }))), "{refused}");
}

#[tokio::test]
async fn the_log_names_every_agreement_that_came_into_force_and_none_twice() {
    let other = BREMEN.replace("version = \"2026-1\"", "version = \"2026-2\"");
    let mut desk = Desk::open().await;
    let changes = async |desk: &Desk| {
        let log = desk.log().await;
        log.iter().filter(|entry| entry.kind() == EntryKind::AgreementChanged).map(|entry| entry.detail.clone()).collect::<Vec<_>>()
    };
    desk.reopen().await;
    assert_eq!(changes(&desk).await, ["2026-1"]);
    desk.adopt(&other).await;
    desk.reopen().await;
    assert_eq!(changes(&desk).await, ["2026-1", "2026-2"]);
    // The old one comes back, and stays over restarts.
    desk.reopen_under(BREMEN).await;
    desk.reopen().await;
    assert_eq!(changes(&desk).await, ["2026-1", "2026-2", "2026-1"]);
    desk.reopen_under(&other).await;
    desk.reopen().await;
    assert_eq!(changes(&desk).await, ["2026-1", "2026-2", "2026-1", "2026-2"]);
    assert_eq!(desk.count("agreement").await, 2, "the text of each is kept once");
    assert_eq!(&**desk.on().agreement().version(), "2026-2");
}
