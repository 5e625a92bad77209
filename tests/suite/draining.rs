// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! SIGTERM with calls in flight, again and again: what was acknowledged is kept, callers are told to come back and nothing else, and the process is
//! gone in time.
//!
//! `WEICHE_DRAINS` sets how often; docs/PROMISES.md has the command.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tonic::Code;
use weiche::clock::Stopwatch;
use weiche::id::ReferralId;
use weiche::store::{Place, Store};

use crate::centre::{CENTRE, Centre};
use crate::cli::{Folder, ends};
use crate::stopping::person::line_to;

/// Callers at one time, each with a connection of its own.
const CALLERS: u64 = 6;
/// What the configuration gives it, and a busy machine.
const IN_TIME: Duration = Duration::from_secs(10 + 5);

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_again_and_again_nothing_acknowledged_is_lost_and_nobody_is_told_anything_but_to_come_back() {
    let folder = Folder::new();
    let drains = std::env::var("WEICHE_DRAINS").map_or(20, |drains| drains.parse().unwrap());
    let (accepted, mut consent, mut longest) = (Arc::new(Mutex::new(Vec::new())), None, Duration::ZERO);
    for drain in 0..drains {
        let mut serving = folder.serve();
        let certs = folder.path("certs");
        let line = || Centre::at(line_to(certs.as_ref(), folder.port, CENTRE));
        if consent.is_none() {
            consent = Some(line().consents("p-1").await.unwrap());
        }
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (mut centre, consent, accepted) = (line(), consent.clone().unwrap(), accepted.clone());
            callers.spawn(async move {
                loop {
                    match centre.submits("p-1", &consent).await {
                        Ok(referral) => accepted.lock().unwrap().push(referral),
                        Err(status) => return status,
                    }
                }
            });
        }
        let before = accepted.lock().unwrap().len();
        crate::deliveries::until("calls are in flight", || async { accepted.lock().unwrap().len() > before }).await;
        tokio::time::sleep(Duration::from_millis(drain % 10 * 13)).await;
        let asked = Stopwatch::start();
        serving.signal("-TERM");
        for status in callers.join_all().await {
            // Without a cause on this side it is what the gateway said; else the connection was closed (GOAWAY) before there was an answer.
            let closed = std::error::Error::source(&status).is_some();
            assert!(closed || status.code() == Code::Unavailable, "{status:?}");
        }
        assert_eq!(serving.ended(), Some(0));
        longest = longest.max(asked.elapsed());
        assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
    }
    let ids: Vec<ReferralId> = accepted.lock().unwrap().iter().map(|id| id.parse().unwrap()).collect();
    let mut conn = Store::read_only(&Place::File(folder.path("weiche.db").into())).await.unwrap();
    let there = conn.rows_in("SELECT id FROM referral WHERE id {}", ids.iter().map(|id| id.as_bytes())).await.unwrap();
    assert_eq!(there.len(), ids.len(), "acknowledged and lost");
    println!("{drains} times, {} referrals accepted, none lost, the longest end took {longest:.1?}", ids.len());
    conn.close().await.unwrap();
    ends(0, &["fsck", "--config", &folder.config()]);
}
