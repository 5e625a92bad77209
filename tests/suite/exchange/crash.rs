// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What the disk does to a gateway: it is killed at the N-th write or flush, or that one fails (no space, input/output error), for every N. Whatever
//! it had acknowledged is there afterwards, the log is sound, and it goes on. Nothing is acknowledged once a write has failed.
//!
//! The gateway runs in a process of its own under strace, which does the damage. A killed process leaves what it had handed to the kernel; what a
//! power cut leaves is asked in `power`. Counted are calls per thread; SQLite's writer has one of its own.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use weiche::exchange::fsck::{Depth, fsck};
use weiche::exchange::{Outcome, Refusal};
use weiche::id::{ConsentId, DeliveryId, ReferralId};
use weiche::ledger::RollbackGuard;
use weiche::referral::ReferralState;
use weiche::store::{Connection, Place, Store, StoreError};

use super::desk::*;

const FOLDER: &str = "WEICHE_CRASH_FOLDER";
/// Calls that change the disk, or tell the parent; and what is done to them.
const HARMS: &[(&str, &str)] = &[
    ("pwrite64", "signal=SIGKILL"),
    ("fdatasync", "signal=SIGKILL"),
    ("fsync", "signal=SIGKILL"),
    ("write", "signal=SIGKILL"),
    ("pwrite64", "error=EIO"),
    ("pwrite64", "error=ENOSPC"),
    ("fdatasync", "error=EIO"),
    ("fsync", "error=EIO"),
];

#[tokio::test]
async fn nothing_acknowledged_is_lost_whichever_write_is_the_last_or_fails() {
    sweep(5).await;
}

/// `scripts/long crash`.
#[tokio::test]
#[ignore = "every write and flush of the workload, one by one: minutes"]
async fn nothing_acknowledged_is_lost_at_any_write_at_all() {
    sweep(usize::MAX).await;
}

/// Of each harm so many points, evenly spread.
async fn sweep(points: usize) {
    if std::env::var_os("WEICHE_TEST_STORE").is_some() {
        return; // A server looks after its own disk.
    }
    let base = temporary();
    let mut desk = Desk::open().await;
    desk.stop().await;
    desk.copy_files(base.path());
    let Some(calls) = count(base.path()) else {
        eprintln!("left out: strace is missing, or may not trace here");
        return;
    };
    let (mut swept, mut acknowledged) = (0, 0);
    for (call, harm) in HARMS {
        // A build of SQLite flushes with one call or the other.
        let Some(last) = calls.get(*call).copied() else { continue };
        let mut cut = 0;
        let at: Vec<usize> = (1..=last).step_by(last.div_ceil(points).max(1)).collect();
        for n in &at {
            let folder = temporary();
            copy_folder(base.path(), folder.path());
            let told = run(folder.path(), &["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{harm}:when={n}")]).unwrap();
            let acks = acknowledgements(&told).unwrap_or_else(|problem| panic!("{call} {harm} {n}: {problem}\n{told}"));
            cut += usize::from(!told.contains("\nend\n"));
            acknowledged += acks.len();
            afterwards(folder.path(), &acks, &format!("{call} {harm} {n}")).await;
        }
        println!("{call} {harm}: {} of {last} points, {cut} of them cut the work short", at.len());
        // A harm that is none proves nothing. A write may fail without anybody noticing: the next one writes the same again. And not every run makes as many
        // calls as the one that was counted: the last few may never come.
        let nearly_all = at.len() - at.len() / 50;
        assert!(cut > 0 && (cut >= nearly_all || !harm.contains("SIGKILL") || *call == "write"), "{call} {harm}: {cut} of {}", at.len());
        swept += at.len();
    }
    println!("{swept} points, {acknowledged} acknowledgements, 0 lost");
    assert!(acknowledged > 0);
}

/// How often the busiest thread makes each call in a run without harm; none if that cannot be counted here.
fn count(base: &Path) -> Option<HashMap<String, usize>> {
    let folder = temporary();
    copy_folder(base, folder.path());
    let trace = folder.path().join("trace");
    let told = run(folder.path(), &["-e", "trace=pwrite64,fdatasync,fsync,write", "-o", trace.to_str().unwrap()])?;
    if !told.contains("\nend\n") {
        return None;
    }
    let mut threads: HashMap<(String, String), usize> = HashMap::new();
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        *threads.entry((thread.to_owned(), call.to_owned())).or_default() += 1;
    }
    let mut calls = HashMap::new();
    for ((_, call), count) in threads {
        let most: &mut usize = calls.entry(call).or_default();
        *most = count.max(*most);
    }
    Some(calls)
}

/// Runs the workload under strace; what it told before it ended, in whatever way.
pub fn run(folder: &Path, options: &[&str]) -> Option<String> {
    let output = Command::new("strace")
        // Not --seccomp-bpf, which is faster: with it strace 6.1 does no harm but at the first call.
        .args(["-f", "-qq"])
        .args(options)
        .args(if options.contains(&"-o") { &[][..] } else { &["-o", "/dev/null"] })
        .arg(std::env::current_exe().unwrap())
        .args(["exchange::crash::workload", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn copy_folder(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What was acknowledged, in order; a problem if anything was after a refusal. A last line that was cut short was not told.
pub fn acknowledgements(told: &str) -> Result<Vec<(String, String)>, String> {
    let mut acks = Vec::new();
    let mut refused = false;
    let whole = told.rfind('\n').map_or("", |end| &told[..end]);
    for line in whole.lines() {
        refused |= line == "refused";
        if let Some((what, id)) = line.strip_prefix("ack ").and_then(|line| line.split_once(' ')) {
            if refused {
                return Err(format!("`{line}` was acknowledged after a write had failed"));
            }
            acks.push((what.to_owned(), id.to_owned()));
        }
    }
    Ok(acks)
}

/// The database is sound as it lies there; the gateway starts on it, has everything that was acknowledged, and goes on.
pub async fn afterwards(folder: &Path, acks: &[(String, String)], point: &str) {
    let signed = RollbackGuard::open(&folder.join("guard"), ORIGIN).unwrap().last().clone();
    let place = Place::File(folder.join("weiche.db"));
    let mut conn = Store::read_only(&place).await.unwrap();
    let report = fsck(&mut conn, Some(&signed), Depth::Tables, &|_, _, _| ()).await.unwrap();
    assert!(report.is_sound(), "{point}: {:#?}", report.problems().collect::<Vec<_>>());
    conn.close().await.unwrap();

    let mut desk = Desk::at(folder).await;
    let mut conn = desk.tables().await;
    let lost = missing(&mut conn, acks).await.unwrap();
    assert!(lost.is_none(), "{point}: {} was acknowledged and is lost", lost.unwrap_or_default());
    conn.close().await.unwrap();
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-after").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-after", consent)).await;
    super::replay::check(&desk).await;
    desk.stop().await;
}

/// What was acknowledged and is not there.
pub async fn missing<'a>(conn: &mut Connection, acks: &'a [(String, String)]) -> Result<Option<&'a str>, StoreError> {
    for (what, id) in acks {
        let (sql, id) = match what.as_str() {
            "consent" => ("SELECT 1 FROM consent WHERE id = $1", *id.parse::<ConsentId>().unwrap().as_bytes()),
            "withdrawn" => ("SELECT 1 FROM consent WHERE id = $1 AND version = 2", *id.parse::<ConsentId>().unwrap().as_bytes()),
            "referral" => ("SELECT 1 FROM referral WHERE id = $1", *id.parse::<ReferralId>().unwrap().as_bytes()),
            "answered" => ("SELECT 1 FROM referral WHERE id = $1 AND state = 5", *id.parse::<ReferralId>().unwrap().as_bytes()),
            "delivered" => ("SELECT 1 FROM delivery WHERE id = $1 AND state = 3", *id.parse::<DeliveryId>().unwrap().as_bytes()),
            other => panic!("{other}"),
        };
        if conn.row(sql, [(&id).into()]).await?.is_none() {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// The other process: works, and tells what was acknowledged.
#[tokio::test]
#[ignore = "the workload of the sweep, which starts it"]
async fn workload() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut desk = Desk::at(Path::new(&folder)).await;
    tell("begin");
    if let Err(refusal) = work(&desk).await {
        assert!(matches!(refusal, Refusal::Unavailable), "{refusal:?}");
        tell("refused");
        // Whoever comes now is refused as well: nobody knows what the disk holds.
        for n in 0..3 {
            let record = desk.consent(CARITAS, &format!("late-{n}")).to(JOBCENTER, usual()).record;
            if let Ok(id) = desk.record(record).await {
                ack("consent", &id);
            }
        }
        return;
    }
    desk.stop().await;
    tell("end");
}

async fn work(desk: &Desk) -> Result<(), Refusal> {
    for n in 0..4 {
        let subject = format!("p-{n}");
        let record = desk.consent(CARITAS, &subject).to(JOBCENTER, usual()).record;
        let consent = desk.record(record).await?;
        ack("consent", &consent);
        let id = desk.submit(&referral(CARITAS, JOBCENTER, &subject, consent)).await?.referral.unwrap();
        ack("referral", &id);
        if n == 1 {
            desk.withdraw_as(CARITAS, consent, Default::default()).await?;
            ack("withdrawn", &consent);
            continue;
        }
        for item in desk.on().release(&who(JOBCENTER), 100, LEASE).await? {
            desk.settle(&item, Outcome::Delivered).await?;
            ack("delivered", &item.id);
        }
        desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await?;
        ack("answered", &id);
    }
    Ok(())
}

fn ack(what: &str, id: &dyn std::fmt::Display) {
    tell(&format!("ack {what} {id}"));
}

/// In one piece, at once, on a line of its own.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
