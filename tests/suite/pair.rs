// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Two gateways on one server, while callers submit to both in turn and a recipient is called. Whatever is done to the gateways meanwhile: in the end
//! everything that was acknowledged has arrived, each once, in the order of each person. With `WEICHE_TEST_STORE` only.

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
use crate::cli::{Folder, Serving, ends};
use crate::deliveries::{RECIPIENT, System, read, until};
use crate::stopping::person::{id, line_to};

const CALLERS: usize = 6;

pub struct Pair {
    pub url: String,
    pub folders: [Folder; 2],
    pub serving: [Serving; 2],
    system: System,
    callers: JoinSet<Vec<String>>,
    enough: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Pair {
    /// Both serve and work; none without a server.
    pub async fn at_work(made: impl FnOnce(&str) -> Folder, serve: impl Fn(usize, &Folder) -> Serving) -> Option<Self> {
        let unused = tempfile::tempdir().unwrap();
        let Place::Server(url) = crate::places::empty(unused.path()).await else { return None };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let folder = made(&url);
        folder.edit("agreement.toml", |text| text.replace("https://localhost:7106", &address));
        let folders = [folder.beside(), folder];
        let (system, stop) = (System::default(), CancellationToken::new());
        let certs = folders[0].path("certs");
        system.serve_as(RECIPIENT, listener, certs.as_ref(), stop.clone());
        let serving = [0, 1].map(|at| serve(at, &folders[at]));

        let (mut callers, enough) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
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
        Some(Self { url, folders, serving, system, callers, enough, stop })
    }

    /// Waits until each caller has had so many more delivered, as it were.
    pub async fn works(&self, rounds: usize) {
        let before = self.system.calls().len();
        until("work is being done", || async { self.system.calls().len() > before + rounds * CALLERS }).await;
    }

    /// Judges. How many were accepted, and how often the recipient was called.
    pub async fn ends(self) -> (usize, usize) {
        let Self { url, folders, mut serving, system, callers, enough, stop } = self;
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
        // However much waits: as long as something moves.
        let mut calls = 0;
        while calls < count {
            let before = calls;
            until("what waits goes on", || async { system.calls().len() > before }).await;
            calls = system.calls().len();
        }
        until("everything acknowledged has arrived", || async { arrived().len() >= count }).await;
        serving.iter().for_each(|serving| serving.signal("-TERM"));
        assert_eq!(serving.each_mut().map(|serving| serving.ended()), [Some(0); 2]);
        let (referral_of, arrived) = (referrals(&url).await, arrived());
        assert_eq!(arrived.len(), count, "nothing that nobody submitted");
        let arrived: Vec<_> = arrived.iter().map(|delivery| &referral_of[delivery]).collect();
        for in_order in &accepted {
            let of_one: HashSet<_> = in_order.iter().collect();
            assert!(arrived.iter().copied().filter(|referral| of_one.contains(referral)).eq(in_order), "in the order of acceptance, for each person");
        }
        ends(0, &["fsck", "--config", &folders[0].config()]);
        ends(0, &["audit", "replay", "--config", &folders[0].config()]);
        stop.cancel();
        (count, system.calls().len())
    }
}

/// Of each delivery, the referral that it carries.
async fn referrals(url: &str) -> HashMap<String, String> {
    const SQL: &str = "SELECT encode(id, 'hex')::uuid::text, encode(referral, 'hex')::uuid::text FROM delivery WHERE kind = 1";
    let mut conn = PgConnection::connect(url).await.unwrap();
    let ids: Vec<(String, String)> = sqlx::query_as(SQL).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    ids.into_iter().collect()
}
