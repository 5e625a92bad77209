// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The centre's machine: two persons consent, are referred to two recipients, several times at once, and withdraw at some moment of that. What is
//! to be
//! done, and under which request id, stands on its disk before it is asked for.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;
use weiche::proto::exchange::consent_service_client::ConsentServiceClient;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, WithdrawConsentRequest};
use weiche::proto::types::{self, DataCategory, WithdrawalScope};

use super::calls::Clerk;
use super::inbox;
use super::world::{CARITAS, Submission, Withdrawal, World, id, institution};
use crate::exchange::desk::{self, BEGIN, party, purpose, referral};
use crate::exchange::history::TO;

pub const PERSONS: usize = 2;

/// One thing to be done, not before its time.
#[derive(Debug, Clone)]
struct Task {
    at: u64,
    /// When it was asked for first.
    asked: Option<u64>,
    request: String,
    what: What,
}

impl Task {
    fn new(at: u64, chance: &mut SmallRng, what: What) -> Self {
        Self { at, asked: None, request: id(chance), what }
    }
}

#[derive(Debug, Clone)]
enum What {
    Consent { person: usize },
    Submit { person: usize, to: usize },
    Withdraw { person: usize, to: Option<usize>, only_phone: bool },
}

/// The centre's disk: tasks of several clerks, each in order.
pub struct Disk {
    clerks: Mutex<Vec<Vec<Task>>>,
    consents: [String; PERSONS],
    /// Whose consent is recorded.
    recorded: Mutex<[bool; PERSONS]>,
}

impl Disk {
    /// What will happen until `until`.
    pub fn plan(world: &World, until: u64) -> Self {
        let mut chance = world.chance("centre");
        let mut clerks = Vec::new();
        for person in 0..PERSONS {
            clerks.push(vec![Task::new(0, &mut chance, What::Consent { person })]);
            for to in 0..TO.len() {
                let mut times: Vec<u64> = (0..chance.random_range(1..=4)).map(|_| chance.random_range(0..until)).collect();
                times.sort_unstable();
                clerks.push(times.into_iter().map(|at| Task::new(at, &mut chance, What::Submit { person, to })).collect());
            }
            for _ in 0..chance.random_range(0..=2) {
                let to = chance.random_bool(0.4).then(|| chance.random_range(0..TO.len()));
                let only_phone = to.is_none() && chance.random_bool(0.2);
                let at = chance.random_range(until / 4..until);
                clerks.push(vec![Task::new(at, &mut chance, What::Withdraw { person, to, only_phone })]);
            }
        }
        world.to_do.fetch_add(clerks.iter().map(|tasks| i64::try_from(tasks.len()).unwrap()).sum(), SeqCst);
        let consents = std::array::from_fn(|_| id(&mut chance));
        Self { clerks: Mutex::new(clerks), consents, recorded: Mutex::default() }
    }
}

/// From its start to a crash.
pub async fn run(world: Arc<World>, disk: Arc<Disk>) -> turmoil::Result {
    let clerks = disk.clerks.lock().unwrap().len();
    for number in 0..clerks {
        tokio::spawn(work(world.clone(), disk.clone(), number));
    }
    inbox::run(world, CARITAS, None).await
}

/// Does what is on the list of one clerk.
async fn work(world: Arc<World>, disk: Arc<Disk>, number: usize) {
    let mut clerk = Clerk::at(&world, CARITAS, &format!("clerk {number}"));
    loop {
        let Some(task) = disk.clerks.lock().unwrap()[number].first().cloned() else { return };
        let person = match task.what {
            What::Consent { .. } => None,
            What::Submit { person, .. } | What::Withdraw { person, .. } => Some(person),
        };
        while !world.is_calm() && World::now() < task.at || person.is_some_and(|person| !disk.recorded.lock().unwrap()[person]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let asked = *disk.clerks.lock().unwrap()[number][0].asked.get_or_insert_with(World::now);
        done(&world, &disk, &mut clerk, asked, task).await;
        disk.clerks.lock().unwrap()[number].remove(0);
        world.to_do.fetch_sub(1, SeqCst);
    }
}

async fn done(world: &World, disk: &Disk, clerk: &mut Clerk, asked: u64, Task { request: request_id, what, .. }: Task) {
    let subject = |person: usize| format!("p-{person}");
    match what {
        What::Consent { person } => {
            let consent = Some(consent(&subject(person), &disk.consents[person]));
            let request = RecordConsentRequest { request_id, consent };
            let call = |line, request| async move { ConsentServiceClient::new(line).record_consent(request).await };
            match clerk.ask(asked, &request, call).await.1 {
                Ok(_) => disk.recorded.lock().unwrap()[person] = true,
                Err(reason) => world.broken(format!("a consent is refused: {reason}")),
            }
        }
        What::Submit { person, to } => {
            let referral = referral(desk::CARITAS, TO[to], &subject(person), disk.consents[person].parse().unwrap());
            let request = SubmitReferralRequest { request_id, referral: Some(referral), validate_only: false };
            let (span, answer) =
                clerk.ask(asked, &request, |line, request| async move { ReferralServiceClient::new(line).submit_referral(request).await }).await;
            world.seen().submissions.push(Submission { person, to, span, answer });
        }
        What::Withdraw { person, to, only_phone } => {
            let recipient = to.map_or_else(String::new, |to| TO[to].split('/').next().unwrap().to_owned());
            let categories = if only_phone { vec![DataCategory::Contact as i32] } else { Vec::new() };
            let scope = Some(WithdrawalScope { recipient, categories, ..WithdrawalScope::default() });
            let request =
                WithdrawConsentRequest { request_id, consent_id: disk.consents[person].clone(), scope, ..WithdrawConsentRequest::default() };
            let (span, answer) =
                clerk.ask(asked, &request, |line, request| async move { ConsentServiceClient::new(line).withdraw_consent(request).await }).await;
            match answer {
                Ok(answer) => world.seen().withdrawals.push(Withdrawal { person, to, only_phone, span, answer }),
                Err(reason) => world.broken(format!("a withdrawal is refused: {reason}")),
            }
        }
    }
}

/// By which everything usual may go to both.
fn consent(subject: &str, id: &str) -> types::Consent {
    let grant = |to: &str| types::ConsentGrant {
        recipient: Some(types::Party { institution: party(to).institution.to_string(), unit: party(to).unit.to_string(), function: String::new() }),
        purpose: weiche::numbered::Numbered::number(purpose(desk::CARITAS, to)),
        categories: [DataCategory::Ident, DataCategory::Contact, DataCategory::Topics].map(|category| category as i32).into(),
        feedback_categories: Vec::new(),
    };
    let usual = crate::stopping::person::consent(subject);
    types::Consent {
        consent_id: id.to_owned(),
        grants: TO.map(grant).into(),
        secrecy_release: usual
            .secrecy_release
            .map(|release| types::SecrecyRelease { towards: TO.iter().map(|to| party(to).institution.to_string()).collect(), ..release }),
        granted_at: Some(prost_types::Timestamp { seconds: BEGIN.0 / 1000 - 3600, nanos: 0 }),
        voluntariness: usual.voluntariness.map(|said| types::ConsentVoluntariness { collected_by: institution(CARITAS).into(), ..said }),
        ..usual
    }
}
