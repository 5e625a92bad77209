// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! "When the answer to a withdrawal is there, nothing starts any more", over real sockets and mutual TLS: persons withdraw while their referrals are
//! being submitted, released and delivered to a recipient that is called, slowly and not always with success, and to one that pulls. One observer (this
//! process) notes when each answer was there, what it named, and when each recipient had what; the order of what it cannot see is in the log.
//!
//! `WEICHE_WITHDRAWALS` sets how many persons withdraw; docs/PROMISES.md has the command.

pub(crate) mod person;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use person::{How, line, withdraws};
use prost_reflect::{DynamicMessage, Value};
use tokio::task::JoinSet;
use weiche::dialect::Dialects;
use weiche::proto::audit::EntryKind;
use weiche::proto::exchange::receive_response::Item;

use crate::deliveries::{AGES, Answer, RECIPIENT, Site};
use crate::pulling::Inbox;

const CENTRE: &str = "caritas-bremen";
/// Who is no party to any of it.
const COUNTER: &str = "awo-bremen";
/// Who pulls.
const PULLS: &str = "drk-bremen";
/// To whom everybody's consent lets data go, and where there.
const TO: [(&str, &str); 2] = [(RECIPIENT, "vermittlung-bremen"), (PULLS, "mbe-vegesack")];
/// Referrals of each person to each recipient: they leave one after the other, so that some wait while one is on its way.
const EACH: usize = 4;
/// Persons at a time.
const AT_ONCE: usize = 24;

/// The gateway's number of a referral, where the recipient's own contract has it.
pub(crate) fn number(dialects: &Dialects, (path, bytes): &(String, bytes::Bytes)) -> String {
    let (_, method) = dialects.method(path).unwrap();
    let call = DynamicMessage::decode(dialects.pool().get_message_by_name(&method.request).unwrap(), bytes.clone()).unwrap();
    let inside = |value: &Value| Some(value.as_message()?.get_field_by_name("vermittlungId")?.as_str()?.to_owned());
    call.fields().find_map(|(_, value)| inside(value)).unwrap()
}

/// What has come to a recipient: when it had a referral for the first time, and which were called back.
#[derive(Debug, Default)]
struct Seen {
    referrals: HashMap<String, Instant>,
    called_back: HashSet<String>,
}

/// Whoever pulls: keeps what comes and says so a little later.
async fn pull(mut inbox: Inbox, seen: Arc<Mutex<Seen>>) {
    while let Ok(Some(item)) = inbox.next().await {
        let at = Instant::now();
        match item.item.as_ref().unwrap() {
            Item::Referral(referral) => drop(seen.lock().unwrap().referrals.entry(referral.referral_id.clone()).or_insert(at)),
            Item::Recall(notice) => drop(seen.lock().unwrap().called_back.insert(notice.referral_id.clone())),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(u64::from(item.delivery_id.as_bytes()[35] % 8))).await;
        inbox.acknowledge(&item).await;
    }
}

/// Whoever is called: at once, late, or it keeps what it got and breaks off.
fn manner(path: &str, call: usize) -> Answer {
    match call % 8 {
        1 | 4 => Answer::Late(Duration::from_millis(10)),
        6 => Answer::Late(Duration::from_millis(40)),
        7 if path.ends_with(TAKES) => Answer::BreaksOff,
        _ => Answer::Stored,
    }
}

/// The call that brings the Agentur a referral; the other one calls it back.
const TAKES: &str = "/VorgangEmpfangen";

/// However long the queues are: nobody waits for one that no longer gets shorter.
async fn what_may_leave_has_left(site: &Site) {
    let (mut fewest, mut since) = (u64::MAX, Instant::now());
    while fewest > 0 {
        let queues = site.on().exchange().queues().await.unwrap();
        let open = TO.iter().filter_map(|(recipient, _)| queues.get(*recipient)).map(|queue| queue.open).sum();
        if open < fewest {
            (fewest, since) = (open, Instant::now());
        }
        assert!(since.elapsed() < AGES, "{open} do not leave: {queues:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_starts_after_the_answer_to_a_withdrawal_has_arrived() {
    let persons = std::env::var("WEICHE_WITHDRAWALS").ok().and_then(|count| count.parse().ok()).unwrap_or(120);
    let mut site = Site::new().await;
    site.recipient_answers(manner);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let pulling = [Inbox::of(&site, PULLS, 4).await, Inbox::of(&site, PULLS, 4).await].map(|inbox| tokio::spawn(pull(inbox, seen.clone())));
    let lines = [CENTRE, COUNTER, PULLS].map(|institution| line(&site, institution));
    let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
    for number in 0..persons {
        if tasks.len() >= AT_ONCE {
            done.push(tasks.join_next().await.unwrap().unwrap());
        }
        tasks.spawn(withdraws(number, lines.clone()));
    }
    done.extend(tasks.join_all().await);
    what_may_leave_has_left(&site).await;

    let dialects = Dialects::embedded().unwrap();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    for (call, at) in site.calls_with_times() {
        let referral = number(&dialects, &call);
        match call.0.ends_with(TAKES) {
            true => drop(seen.referrals.entry(referral).or_insert(at)),
            false => drop(seen.called_back.insert(referral)),
        }
    }
    let log = Log::of(&site).await;
    let (mut stopped, mut arrived, mut late, mut unsure) = (0, 0, 0, 0);
    for (person, (referral, to)) in done.iter().flat_map(|person| person.accepted.iter().map(move |one| (person, one))) {
        let at = seen.referrals.get(referral);
        let released = log.released.get(referral).copied();
        assert!(at.is_none() || released.is_some(), "the recipient has what was never released");
        if !person.covers(to) {
            assert!(at.is_some() && !seen.called_back.contains(referral), "what was not withdrawn goes on");
            continue;
        }
        let withdrawn = log.withdrawn[&person.consent];
        assert!(released.is_none_or(|last| last < withdrawn), "released after its consent was withdrawn");
        assert_eq!(released.is_some(), seen.called_back.contains(referral), "what may have arrived is called back, and nothing else is");
        let named = |list: &[String]| list.contains(referral);
        let lists =
            [&person.answer.stopped_referral_ids, &person.answer.in_flight_referral_ids, &person.answer.recalled_referral_ids].map(|l| named(l));
        match (lists, at) {
            _ if !person.tells_of(to) => assert_eq!(lists, [false; 3], "{:?}: it is told of what is not its own", person.how),
            ([true, false, false], None) => {}
            // Whoever withdraws at a recipient learns nothing of what never got there.
            ([false, false, false], None) if person.how == How::AtARecipient => {}
            ([false, true, false], _) => unsure += 1,
            ([false, false, true], Some(at)) => assert!(*at < person.at),
            _ => panic!("{:?}: named in {lists:?}, arrived: {}", person.how, at.is_some()),
        }
        match at {
            None => stopped += 1,
            Some(at) if *at < person.at => arrived += 1,
            // Its start was in the log before the withdrawal; the bytes were on their way.
            Some(_) => late += 1,
        }
    }
    let mut took: Vec<_> = done.iter().map(|person| person.took).collect();
    took.sort_unstable();
    println!("{persons} withdrawals, half of them within {:.1?}, the slowest {:.1?}", took[took.len() / 2], took[took.len() - 1]);
    println!("{arrived} referrals had arrived, {late} arrived later, {stopped} never did; {unsure} were named as possibly delivered");
    assert!(arrived > 0 && stopped > 0 && unsure > 0, "the race was none");
    site.end().await;
    for one in pulling {
        one.await.unwrap();
    }
}

/// What the log says of referrals and consents.
#[derive(Default)]
struct Log {
    /// Place of the last release of a referral that was not given back unsent.
    released: HashMap<String, usize>,
    withdrawn: HashMap<String, usize>,
}

impl Log {
    async fn of(site: &Site) -> Self {
        let text = |id: &[u8]| uuid::Uuid::from_slice(id).unwrap().to_string();
        let mut log = Self::default();
        for (place, entry) in site.log().await.iter().enumerate() {
            match entry.kind() {
                EntryKind::ConsentWithdrawn => drop(log.withdrawn.insert(text(&entry.consent_id), place)),
                EntryKind::Released if entry.detail == "referral" => drop(log.released.insert(text(&entry.referral_id), place)),
                EntryKind::AttemptFailed | EntryKind::DeliveryStopped if entry.detail == "RETURNED" => {
                    let _ = log.released.remove(&text(&entry.referral_id));
                }
                _ => {}
            }
        }
        log
    }
}
