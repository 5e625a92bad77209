// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A gateway's process sleeps (SIGSTOP) with calls under way, longer than their leases. With `WEICHE_TEST_STORE` another gateway of the same server
//! delivers meanwhile; on a file there is no other. When the sleeper wakes up, its outcomes change nothing that has happened since.
//!
//! `WEICHE_PAUSES` sets how often; docs/PROMISES.md has the command.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use weiche::dialect::Dialects;
use weiche::store::Place;

use crate::centre::{CENTRE, Centre};
use crate::cli::{Folder, ends};
use crate::deliveries::{Answer, RECIPIENT, System, read, until};
use crate::stopping::person::line_to;

/// The shortest that there is, in seconds.
const LEASE: u64 = 5;
/// Calls under way while it sleeps; a member's pacing lets 64 be.
const CALLS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_slept_past_its_lease_changes_nothing_when_it_wakes_up() {
    let dialects = Dialects::embedded().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let unused = tempfile::tempdir().unwrap();
    let folder = match crate::places::empty(unused.path()).await {
        Place::Server(url) => Folder::made(&["--store", &url]),
        Place::File(_) => Folder::new(),
    };
    folder.edit("agreement.toml", |text| text.replace("https://localhost:7106", &address));
    folder.edit("weiche.toml", |text| text.replace("#: lease_seconds = 30", &format!("lease_seconds = {LEASE}")));
    let (system, stop) = (System::default(), CancellationToken::new());
    system.serve_as(RECIPIENT, listener, folder.path("certs").as_ref(), stop.clone());

    let mut sleeper = folder.serve();
    let other = std::env::var_os("WEICHE_TEST_STORE").map(|_| folder.beside());
    let mut centre = Centre::at(line_to(folder.path("certs").as_ref(), folder.port, CENTRE));
    let persons: Vec<String> = (0..CALLS).map(|number| format!("p-{number}")).collect();
    let mut consents = Vec::new();
    for person in &persons {
        consents.push(centre.consents(person).await.unwrap());
    }
    let pauses = std::env::var("WEICHE_PAUSES").map_or(1, |pauses| pauses.parse().unwrap());
    for pause in 1..=pauses {
        let (before, permits) = (system.calls().len(), Arc::new(Semaphore::new(0)));
        // Beside another one the sleeper's own attempts fail when it wakes up: that must not count any more.
        let first = if other.is_some() { Answer::Never } else { Answer::When(permits.clone()) };
        system.answers(move |_, call| if call < before + CALLS { first.clone() } else { Answer::Stored });
        let submissions = persons.iter().zip(&consents).map(|(person, consent)| {
            let mut centre = centre.clone();
            async move { centre.submits(person, consent).await.unwrap() }
        });
        join_all(submissions).await;
        until("called", || async { system.calls().len() == before + CALLS }).await;
        sleeper.signal("-STOP");
        match &other {
            Some(other) => {
                let mut awake = other.serve();
                until("the other one has delivered", || async { system.calls().len() == before + 2 * CALLS }).await;
                until("and noted it", || async { open(&other.admin(0, &["status"])) == 0 }).await;
                sleeper.signal("-CONT");
                // Whoever falls asleep within a transaction is cut off by the server.
                let late = ["the outcome came after the lease had ended", "the outcome could not be noted"];
                sleeper.until_said(&late, pause * CALLS);
                assert_eq!((system.calls().len(), open(&other.admin(0, &["status"]))), (before + 2 * CALLS, 0), "nobody has sent it again");
                awake.signal("-TERM");
                assert_eq!(awake.ended(), Some(0));
            }
            None => {
                permits.add_permits(CALLS);
                tokio::time::sleep(Duration::from_secs(LEASE + 1)).await;
                sleeper.signal("-CONT");
                until("it is noted", || async { open(&folder.admin(0, &["status"])) == 0 }).await;
            }
        }
        let ids: HashSet<String> = system.calls()[before..].iter().map(|call| read(&dialects, call).delivery_id).collect();
        assert_eq!(ids.len(), CALLS, "the recipient applies each once");
    }
    println!("{} leases ended in {pauses} pauses of one gateway{}", pauses * CALLS, if other.is_some() { " beside another" } else { "" });
    sleeper.signal("-TERM");
    assert_eq!(sleeper.ended(), Some(0));
    ends(0, &["fsck", "--config", &folder.config()]);
    ends(0, &["audit", "replay", "--config", &folder.config()]);
    stop.cancel();
}

/// What waits or is under way for the recipient.
fn open(status: &str) -> u64 {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    let all = status["recipients"].as_array().unwrap();
    all.iter().find(|one| one["recipient"] == RECIPIENT).unwrap()["open"].as_u64().unwrap()
}
