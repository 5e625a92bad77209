// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A tenth of everything is poison: its recipient will never take it, or fails at it each time, or it kills whoever delivers it before that can say so.
//! Each of these ends as a dead letter that says why, and nothing waits for it but what is behind it in its own lane, and only until then.
//!
//! `WEICHE_POISON` sets how many persons there are; docs/PROMISES.md has the command.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::StreamExt as _;
use weiche::exchange::Outcome;
use weiche::outbox::{Failure, MAX_ATTEMPTS};

use super::desk::*;

/// Persons; each has this many referrals, one after the other.
const PERSONS: usize = 400;
const EACH: usize = 5;
/// Longer than any pause between two attempts.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(31 * 60);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Good,
    /// "Never send it again."
    Refused,
    /// Fails, and may be tried again.
    Fails,
    /// Nobody ever tells what became of it.
    Kills,
}

/// Half of the persons have one, at some place among theirs; one in forty of them takes many attempts to be known as poison.
fn kind(person: usize, turn: usize) -> Kind {
    match person {
        _ if person % 2 == 1 || turn != person / 2 % EACH => Kind::Good,
        _ if person.is_multiple_of(80) => Kind::Fails,
        _ if person % 80 == 40 => Kind::Kills,
        _ => Kind::Refused,
    }
}

/// In order, as many at one time as have a place in the queue.
async fn together<T>(all: impl IntoIterator<Item: Future<Output = T>>) -> Vec<T> {
    futures_util::stream::iter(all).buffered(256).collect().await
}

#[tokio::test]
async fn what_always_fails_ends_as_a_dead_letter_and_holds_up_its_own_lane_only() {
    let desk = Desk::open().await;
    let persons = std::env::var("WEICHE_POISON").map_or(PERSONS, |persons| persons.parse().unwrap());
    let consents = together((0..persons).map(|person| desk.consent(CARITAS, &format!("p-{person}")).to(JOBCENTER, usual()).record())).await;
    let mut known = HashMap::new();
    for turn in 0..EACH {
        let cases: Vec<_> = (0..persons).map(|person| referral(CARITAS, JOBCENTER, &format!("p-{person}"), consents[person])).collect();
        let ids = together(cases.iter().map(|case| desk.accepted(case))).await;
        known.extend(ids.into_iter().enumerate().map(|(person, id)| (id.to_string(), (person, turn))));
    }
    let (mut arrived, mut attempts, mut rounds) = (BTreeMap::<usize, Vec<usize>>::new(), HashMap::<_, u32>::new(), 0);
    loop {
        // As long as anything is due now.
        loop {
            let items = desk.release(JOBCENTER).await;
            if items.is_empty() {
                break;
            }
            let settled = items.iter().filter_map(|item| {
                let (person, turn) = known[&item.referral().referral_id];
                *attempts.entry(item.id).or_default() += 1;
                let outcome = match kind(person, turn) {
                    Kind::Good => {
                        arrived.entry(person).or_default().push(turn);
                        Outcome::Delivered
                    }
                    Kind::Refused => invalid(),
                    Kind::Fails => Outcome::Failed { failure: Failure::Transient { retry_after: None }, code: "INTERNAL".into(), random: 1.0 },
                    Kind::Kills => return None,
                };
                Some(desk.settle(item, outcome))
            });
            for result in together(settled).await {
                result.unwrap();
            }
        }
        if rounds == 0 {
            // At once: all but what is behind one that takes many attempts.
            let poisoned = |person: usize| (0..EACH).find(|turn| matches!(kind(person, *turn), Kind::Fails | Kind::Kills)).unwrap_or(EACH);
            for person in 0..persons {
                let expected: Vec<_> = (0..poisoned(person)).filter(|turn| kind(person, *turn) == Kind::Good).collect();
                assert_eq!(arrived.get(&person).cloned().unwrap_or_default(), expected, "person {person}");
            }
        }
        rounds += 1;
        if desk.on().queues().await.unwrap().get(who(JOBCENTER).as_str()).is_none_or(|queue| queue.open == 0) {
            break;
        }
        assert!(rounds <= MAX_ATTEMPTS + 1, "it never comes to an end");
        desk.pass(PAUSE);
    }
    for person in 0..persons {
        let expected: Vec<_> = (0..EACH).filter(|turn| kind(person, *turn) == Kind::Good).collect();
        assert_eq!(arrived[&person], expected, "in order, and past the gap");
    }
    let dead = desk.on().dead_letters(None, 10_000).await.unwrap();
    let poison: HashSet<_> = known.iter().filter(|(_, (person, turn))| kind(*person, *turn) != Kind::Good).map(|(id, _)| id.clone()).collect();
    assert_eq!(dead.iter().map(|one| one.referral.to_string()).collect::<HashSet<_>>(), poison, "all of it, and nothing else");
    for one in &dead {
        let (person, turn) = known[&one.referral.to_string()];
        let (tried, code) = match kind(person, turn) {
            Kind::Refused => (1, "INVALID_ARGUMENT"),
            Kind::Fails => (MAX_ATTEMPTS, "INTERNAL"),
            _ => (MAX_ATTEMPTS, "attempts used up"),
        };
        assert_eq!((attempts[&one.id], one.last_error.as_str()), (tried, code));
    }
    println!("{} of {} were poison, all given up after {rounds} rounds; every other one arrived", poison.len(), known.len());
    super::replay::check(&desk).await;
}
