// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! PostgreSQL fails over under two gateways that are submitting, withdrawing and delivering over real sockets: its leader is killed, crashes, falls
//! silent, loses its cable or its standbys, or hands over by plan. Callers repeat what was not answered, at the other gateway, under the same request
//! id. Afterwards this process, which has seen every answer and every delivery, judges; then the log is replayed and verified.
//!
//! Needs the servers of `deploy/ha`: `scripts/long failovers`. `WEICHE_FAILOVERS` sets how often. With `WEICHE_HA_LOSES=1` it must fail.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use weiche::dialect::Dialects;
use weiche::proto::exchange::consent_service_client::ConsentServiceClient;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, WithdrawConsentRequest, WithdrawConsentResponse};
use weiche::store::{Place, Store};

use crate::centre::{CENTRE, TO};
use crate::cli::{Folder, ends};
use crate::deliveries::{RECIPIENT, System, read, until};
use crate::stopping::number;
use crate::stopping::person::{consent, id, line_to, referral};

/// What befalls the leader, in turn; words of `deploy/ha/cluster`.
const FAULTS: [&str; 6] = ["lonely-leader", "kill-leader", "switchover", "pause-leader", "cut-leader", "crash-leader"];
/// Where the servers are.
const NODES: [&str; 3] = ["10.117.115.11", "10.117.115.12", "10.117.115.13"];
/// Callers who refer, each a person of their own: one lane each.
const CALLERS: usize = 8;
/// What callers give a call, and what a busy machine may add to it.
const DEADLINE: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(2);
/// The promise: after the new leader takes writes, both gateways acknowledge again.
const BACK: Duration = Duration::from_secs(5);
/// Longer than any failover takes.
const AGES: Duration = Duration::from_secs(90);

/// What everybody saw.
#[derive(Default)]
struct Seen {
    /// A gateway acknowledged a submission.
    acknowledged: Mutex<Vec<(usize, Instant)>>,
    /// A server committed a write that was sent to it directly.
    written: Mutex<Vec<(usize, Instant)>>,
    /// What callers were told when it was not done.
    told: Mutex<BTreeMap<String, u64>>,
    longest: Mutex<Duration>,
    stop: AtomicBool,
}

/// A caller, with the gateway to which it turns first.
#[derive(Clone)]
struct Caller {
    seen: Arc<Seen>,
    lines: [Channel; 2],
    first: usize,
}

impl Caller {
    /// Repeats a call at either gateway in turn until it is answered for good; says by which.
    async fn insists<T, F: Future<Output = Result<T, Status>>>(&self, call: impl Fn(Channel) -> F) -> (usize, Result<T, Status>) {
        let mut at = self.first;
        loop {
            let asked = Instant::now();
            let answer = tokio::time::timeout(DEADLINE + SLACK, call(self.lines[at].clone())).await.expect("an answer by the deadline");
            self.seen.took(asked.elapsed());
            match answer {
                // Cancelled: the caller's own clock was a little faster than the gateway's.
                Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) => {
                    self.seen.told(&status);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    at = 1 - at;
                }
                answer => return (at, answer),
            }
        }
    }

    async fn consents(&self, person: &str) -> String {
        let consent = consent(person);
        let request = RecordConsentRequest { request_id: id(), consent: Some(consent.clone()) };
        let ask = |line| {
            let request = timed(request.clone());
            async { ConsentServiceClient::new(line).record_consent(request).await }
        };
        self.insists(ask).await.1.unwrap();
        consent.consent_id
    }

    /// The number of the referral once it is accepted.
    async fn submits(&self, person: &str, consent: &str) -> Result<String, Status> {
        let request = SubmitReferralRequest { request_id: id(), referral: Some(referral(person, consent, TO)), validate_only: false };
        let ask = |line| {
            let request = timed(request.clone());
            async { ReferralServiceClient::new(line).submit_referral(request).await }
        };
        let (gateway, answer) = self.insists(ask).await;
        let referral = answer?.into_inner().referral_id;
        self.seen.acknowledged.lock().unwrap().push((gateway, Instant::now()));
        Ok(referral)
    }

    async fn withdraws(&self, consent: &str) -> WithdrawConsentResponse {
        let request = WithdrawConsentRequest { request_id: id(), consent_id: consent.into(), ..Default::default() };
        let ask = |line| {
            let request = timed(request.clone());
            async { ConsentServiceClient::new(line).withdraw_consent(request).await }
        };
        self.insists(ask).await.1.unwrap().into_inner()
    }

    /// Refers one person again and again; what was accepted, in order.
    async fn refers(self, person: String) -> Vec<String> {
        let consent = self.consents(&person).await;
        let mut accepted = Vec::new();
        while !self.seen.stop.load(Relaxed) {
            accepted.push(self.submits(&person, &consent).await.unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        accepted
    }

    /// Refers person after person a few times, and withdraws; what was accepted, and what the answer named.
    async fn refers_and_withdraws(mut self) -> Vec<(Vec<String>, WithdrawConsentResponse)> {
        let mut all = Vec::new();
        while !self.seen.stop.load(Relaxed) {
            let person = format!("w-{}", all.len());
            let consent = self.consents(&person).await;
            let mut accepted = Vec::new();
            for _ in 0..3 {
                accepted.push(self.submits(&person, &consent).await.unwrap());
            }
            let answer = self.withdraws(&consent).await;
            self.first = 1 - self.first;
            let after = self.submits(&person, &consent).await.unwrap_err();
            assert_eq!(after.get_details_error_info().unwrap().reason, "NOT_PERMITTED", "accepted after the answer");
            all.push((accepted, answer));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        all
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Writes to one server for as long as it takes writes, and notes when it did. A commit that waits for a second server counts when it has waited.
async fn writes(seen: Arc<Seen>, node: usize, address: String) {
    const WRITE: &str = "SELECT pg_logical_emit_message(true, 'probe', '')";
    const SOON: Duration = Duration::from_secs(1);
    while !seen.stop.load(Relaxed) {
        if let Ok(Ok(mut conn)) = tokio::time::timeout(SOON, sqlx::PgConnection::connect(&address)).await {
            while let Ok(Ok(_)) = tokio::time::timeout(SOON, sqlx::query(WRITE).execute(&mut conn)).await {
                seen.written.lock().unwrap().push((node, Instant::now()));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Seen {
    /// The gateways live: it is they who say so, and why.
    fn told(&self, status: &Status) {
        let reason = status.get_details_error_info().map_or_else(|| status.message().to_owned(), |info| info.reason);
        *self.told.lock().unwrap().entry(format!("{:?} {reason}", status.code())).or_default() += 1;
    }
    fn took(&self, time: Duration) {
        let mut longest = self.longest.lock().unwrap();
        *longest = time.max(*longest);
    }
    fn leader(&self) -> usize {
        self.written.lock().unwrap().last().unwrap().0
    }
    /// When a server took writes again after `fault`: another one, or the same after a pause.
    fn written_again(&self, before: usize, fault: Instant) -> Option<Instant> {
        let (written, mut last) = (self.written.lock().unwrap(), fault);
        written.iter().filter(|(_, at)| *at > fault).find_map(|(node, at)| {
            let again = *node != before || at.duration_since(last) > Duration::from_secs(2);
            last = *at;
            again.then_some(*at)
        })
    }
    /// When the slower of both gateways acknowledged something after `since`.
    fn both_acknowledged(&self, since: Instant) -> Option<Instant> {
        let acknowledged = self.acknowledged.lock().unwrap();
        let first = |gateway| acknowledged.iter().filter(|(by, at)| *by == gateway && *at >= since).map(|(_, at)| *at).min();
        Some(first(0)?.max(first(1)?))
    }
}

/// Runs a verb of `deploy/ha/cluster`.
async fn cluster(verb: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ha/cluster");
    let output = tokio::process::Command::new(script).arg(verb).output().await.unwrap();
    assert!(output.status.success(), "{verb}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// Waits for it; none if it never comes.
async fn awaited<T>(met: impl Fn() -> Option<T>) -> Option<T> {
    let since = Instant::now();
    while since.elapsed() < AGES {
        if let Some(met) = met() {
            return Some(met);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_the_server_fails_over_and_both_gateways_go_on_by_themselves() {
    if std::env::var_os("WEICHE_HA").is_none() {
        return;
    }
    let failovers: usize = std::env::var("WEICHE_FAILOVERS").map_or(6, |count| count.parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let unused = tempfile::tempdir().unwrap();
    let place = crate::places::empty(unused.path()).await;
    let Place::Server(url) = &place else { panic!("the servers are not up") };
    let one = Folder::made(&["--store", url]);
    one.edit("agreement.toml", |text| text.replace("https://localhost:7106", &address));
    one.edit("weiche.toml", |text| text.replace("#: lease_seconds = 30", "lease_seconds = 10"));
    let (system, stop) = (System::default(), CancellationToken::new());
    system.serve_as(RECIPIENT, listener, one.path("certs").as_ref(), stop.clone());
    let other = one.beside();
    let mut gateways = [one.serve(), other.serve()];
    let lines = [&one, &other].map(|folder| line_to(folder.path("certs").as_ref(), folder.port, CENTRE));

    let seen = Arc::new(Seen::default());
    let (mut referring, mut probing) = (JoinSet::new(), JoinSet::new());
    for (node, host) in NODES.iter().enumerate() {
        let (user, database) = url.split_once('@').map(|(user, rest)| (user, rest.rsplit_once('/').unwrap().1)).unwrap();
        probing.spawn(writes(seen.clone(), node, format!("{user}@{host}:5432/{database}")));
    }
    let caller = |first| Caller { seen: seen.clone(), lines: lines.clone(), first };
    (0..CALLERS).for_each(|number| drop(referring.spawn(caller(number % 2).refers(format!("p-{number}")))));
    let withdrawing = tokio::spawn(caller(0).refers_and_withdraws());

    let mut measured = BTreeMap::<_, Vec<_>>::new();
    for turn in 0..failovers {
        let fault = FAULTS[turn % FAULTS.len()];
        let begin = Instant::now();
        awaited(|| seen.both_acknowledged(begin)).await.expect("both at work");
        let (before, begin) = (seen.leader(), Instant::now());
        cluster(fault).await;
        let written = awaited(|| seen.written_again(before, begin)).await.expect("a server takes writes");
        let back = awaited(|| seen.both_acknowledged(written)).await;
        let back = back.unwrap_or_else(|| panic!("they do not come back: {}\n{}", gateways[0].said(), gateways[1].said()));
        println!("{turn} {fault}: writes after {:.1?}, both gateways {:.1?} later", written - begin, back - written);
        measured.entry(fault).or_default().push((written - begin, back - written));
        cluster("heal").await;
    }
    seen.stop.store(true, Relaxed);
    let mut referred = Vec::new();
    while let Some(accepted) = referring.join_next().await {
        referred.push(accepted.unwrap());
    }
    let withdrawn = withdrawing.await.unwrap();
    until("nothing waits any more", || async { open(&one.admin(0, &["status"])) == 0 }).await;

    // What arrived: the first time each, in order, and never one referral under two numbers.
    let dialects = Dialects::embedded().unwrap();
    let (mut arrived, mut order, mut twice) = (HashMap::new(), Vec::new(), 0);
    for call in system.calls().iter().filter(|call| call.0.ends_with("/VorgangEmpfangen")) {
        let (referral, delivery) = (number(&dialects, call), read(&dialects, call).delivery_id);
        match arrived.insert(referral.clone(), delivery.clone()) {
            None => order.push(referral),
            Some(first) => {
                assert_eq!(first, delivery, "one referral is one delivery, however often it comes");
                twice += 1;
            }
        }
    }
    for accepted in &referred {
        let of_person: HashSet<_> = accepted.iter().collect();
        assert_eq!(of_person.len(), accepted.len(), "another request is another referral");
        let came: Vec<_> = order.iter().filter(|referral| of_person.contains(referral)).collect();
        assert_eq!(came, accepted.iter().collect::<Vec<_>>(), "lost, or out of order");
    }
    let mut stopped = 0;
    for (accepted, answer) in &withdrawn {
        for referral in accepted {
            let lists =
                [&answer.stopped_referral_ids, &answer.in_flight_referral_ids, &answer.recalled_referral_ids].map(|list| list.contains(referral));
            match (lists, arrived.contains_key(referral)) {
                ([true, false, false], false) => stopped += 1,
                ([false, true, false], _) | ([false, false, true], true) => {}
                (lists, arrived) => panic!("named in {lists:?}, arrived: {arrived}"),
            }
        }
    }
    let accepted = referred.iter().map(Vec::len).sum::<usize>() + withdrawn.iter().map(|(accepted, _)| accepted.len()).sum::<usize>();
    let mut conn = Store::read_only(&place).await.unwrap();
    let stored = conn.row("SELECT COUNT(*) FROM referral", []).await.unwrap().unwrap().int(0).unwrap();
    assert_eq!(stored, accepted as i64, "what was not answered was repeated until it was: each is there once");
    conn.close().await.unwrap();

    for gateway in &mut gateways {
        gateway.signal("-TERM");
        assert_eq!(gateway.ended(), Some(0));
    }
    ends(0, &["fsck", "--deep", "--config", &one.config()]);
    ends(0, &["audit", "replay", "--config", &other.config()]);
    let entries = one.entries("log");
    stop.cancel();
    println!(
        "{accepted} referrals acknowledged, none lost; {twice} deliveries came again; {} withdrawals, {stopped} referrals stopped",
        withdrawn.len()
    );
    println!("log of {entries} entries replayed and verified; callers were told {:?}", seen.told.lock().unwrap());
    println!("the longest call took {:.1?}", seen.longest.lock().unwrap());
    let mut slowest = Duration::ZERO;
    for (fault, took) in measured {
        let most = |of: fn(&(Duration, Duration)) -> Duration| took.iter().map(of).max().unwrap();
        println!(
            "{fault} {} times: writes after {:.1?} at most, both gateways {:.1?} later at most",
            took.len(),
            most(|took| took.0),
            most(|took| took.1)
        );
        slowest = slowest.max(most(|took| took.1));
    }
    assert!(slowest <= BACK, "{slowest:?}");
}

/// What waits or is under way for the recipient.
fn open(status: &str) -> u64 {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    let all = status["recipients"].as_array().unwrap();
    all.iter().find(|one| one["recipient"] == RECIPIENT).unwrap()["open"].as_u64().unwrap()
}
