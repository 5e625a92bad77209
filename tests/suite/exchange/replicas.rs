// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Several gateways on one PostgreSQL server are one gateway: one order, one log, one answer to every question. With `WEICHE_TEST_STORE` only;
//! a file has one gateway, which another test says.

use std::time::Duration;

use futures_util::StreamExt as _;
use sqlx::Connection as _;
use weiche::exchange::Refusal;
use weiche::id::RequestId;
use weiche::referral::ReferralState;
use weiche::store::{Place, Store, StoreError};

use super::desk::*;
use super::replay;
use super::trouble::Fault;

/// Two gateways on one database; none without a server.
async fn two() -> Option<(Desk, Desk)> {
    let one = Desk::open().await;
    if one.place.file().is_some() {
        return None;
    }
    let other = one.beside().await;
    Some((one, other))
}

#[tokio::test]
async fn any_accepts_and_any_delivers() {
    let Some((one, other)) = two().await else { return };
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let mut expected = Vec::new();
    for turn in 0..10 {
        let desk = if turn % 2 == 0 { &one } else { &other };
        expected.push(desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await.to_string());
    }
    let mut arrived = Vec::new();
    for turn in 0..10 {
        let (releases, settles) = if turn % 3 == 0 { (&one, &other) } else { (&other, &one) };
        let item = releases.release_one(JOBCENTER).await;
        arrived.push(item.referral().referral_id.clone());
        settles.acknowledge(&item).await;
    }
    assert_eq!(arrived, expected, "one lane, in the order of acceptance, whoever took it and whoever sent it");
    assert!(one.release(JOBCENTER).await.is_empty() && other.release(JOBCENTER).await.is_empty());
    replay::check(&one).await;
    one.verify_log().await;
    other.verify_log().await;
}

/// `WEICHE_REPEATS` sets how often; docs/PROMISES.md has the command.
#[tokio::test]
async fn the_same_call_at_all_gateways_is_one_call() {
    let Some((one, other)) = two().await else { return };
    let third = one.beside().await;
    let repeats: usize = std::env::var("WEICHE_REPEATS").map_or(60, |repeats| repeats.parse().unwrap());
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let mut different = case.clone();
    different.free_text = "something else".into();
    let repeat = |turn: usize| {
        let (mut desks, case, different) = ([&one, &other, &third], &case, &different);
        desks.rotate_left(turn % 3);
        async move {
            let request = RequestId::random();
            let [first, second, third] = desks.map(|desk| desk.submit_as(request, case));
            let (first, second, third) = tokio::join!(first, second, third);
            let [first, second, third] = [first, second, third].map(Result::unwrap);
            assert_eq!((&second.referral, &third.referral), (&first.referral, &first.referral));
            let [first, second, third] = [first, second, third].map(|accepted| accepted.receipt.unwrap().text);
            assert_eq!((&second, &third), (&first, &first), "byte for byte");
            assert!(matches!(desks[2].submit_as(request, different).await, Err(Refusal::RequestIdReused)));
        }
    };
    // A few dozen at a time, as callers come.
    futures_util::stream::iter(0..repeats).map(repeat).buffer_unordered(48).collect::<Vec<()>>().await;
    assert_eq!(one.count("referral").await, repeats as i64);
    println!("{repeats} calls, each three times at three gateways at once, were {repeats} referrals");
}

#[tokio::test]
async fn a_withdrawal_at_one_stops_what_the_other_would_start() {
    let Some((one, other)) = two().await else { return };
    for turn in 0..30 {
        let subject = format!("p-{turn}");
        let consent = one.usual_consent(CARITAS, JOBCENTER, &subject).await;
        let id = one.accepted(&referral(CARITAS, JOBCENTER, &subject, consent)).await;
        let (withdrawn, started) = tokio::join!(one.withdraw(CARITAS, consent), other.release(JOBCENTER));
        // Whichever was first in the one order, both say the same.
        match started.iter().any(|item| item.is_referral(&id.to_string())) {
            true => assert_eq!((withdrawn.in_flight, withdrawn.stopped.len()), (vec![id], 0)),
            false => assert_eq!((withdrawn.stopped, withdrawn.in_flight.len()), (vec![id], 0)),
        }
        assert_eq!(other.state(CARITAS, id).await.0, ReferralState::Recalled);
        other.deliver_all(JOBCENTER).await;
    }
    replay::check(&other).await;
}

#[tokio::test]
async fn all_at_once_on_both_is_one_log() {
    let Some((one, other)) = two().await else { return };
    let mut consents = Vec::new();
    for n in 0..8 {
        consents.push(one.usual_consent(CARITAS, JOBCENTER, &format!("p-{n}")).await);
    }
    let calls = (0..120).map(|n| {
        let desk = if n % 2 == 0 { &one } else { &other };
        let case = referral(CARITAS, JOBCENTER, &format!("p-{}", n % 8), consents[n % 8]);
        async move { desk.accepted(&case).await }
    });
    let ids = futures_util::future::join_all(calls).await;
    assert_eq!(ids.len(), 120);
    let (here, there) = tokio::join!(one.deliver_all(JOBCENTER), other.deliver_all(JOBCENTER));
    let mut arrived: Vec<_> = here.iter().chain(&there).map(|item| item.referral().referral_id.clone()).collect();
    // What one has started, the other may have found blocked and gone away from: nothing stays.
    arrived.extend(one.deliver_all(JOBCENTER).await.iter().map(|item| item.referral().referral_id.clone()));
    arrived.sort_unstable();
    let mut expected: Vec<_> = ids.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    assert_eq!(arrived, expected, "each once");
    replay::check(&one).await;
    one.verify_log().await;
}

#[tokio::test]
async fn an_agreement_adopted_at_one_decides_at_the_other() {
    let Some((mut one, other)) = two().await else { return };
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    other.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let before = *other.on().agreement().digest();
    one.adopt(&BREMEN.replace("# ", "#  ")).await;
    // With its next command, or within a moment without one.
    for _ in 0..100 {
        if *other.on().agreement().digest() != before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(other.on().agreement().digest(), one.on().agreement().digest());
}

#[tokio::test]
async fn a_server_that_goes_away_is_waited_for_and_what_was_acknowledged_is_there() {
    let Some((one, other)) = two().await else { return };
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        acknowledged.push(one.accepted(&case).await.to_string());
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        one.tables().await.rows(sql, []).await.unwrap();
        let request = RequestId::random();
        // Refused at once or accepted: never left hanging, and the same call again is one call.
        let mut refusals = 0;
        let accepted = loop {
            match one.submit_as(request, &case).await {
                Ok(accepted) => break accepted,
                Err(Refusal::Unavailable) => refusals += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert!(refusals < 200, "back within ten seconds");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        acknowledged.push(accepted.referral.unwrap().to_string());
    }
    // The other one lost its connection five times as well.
    for _ in 0..200 {
        if other.on().release(&who(AWO), 1, LEASE).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let arrived: Vec<_> = other.deliver_all(JOBCENTER).await.iter().map(|item| item.referral().referral_id.clone()).collect();
    assert_eq!(arrived, acknowledged);
    replay::check(&other).await;
    one.verify_log().await;
}

#[tokio::test]
async fn a_commit_that_is_cut_off_before_or_after_it_happened_is_one_call_in_the_end() {
    let one = Desk::open_in_trouble().await;
    if one.place.file().is_some() {
        return;
    }
    let other = one.beside().await;
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    for (fault, kept) in [(Fault::Fails, 0), (Fault::Unanswered, 1)] {
        for turn in 0..5 {
            // It has found its way back.
            while one.on().release(&who(AWO), 1, LEASE).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let (before, request) = (one.count("referral").await, RequestId::random());
            one.trouble.as_ref().unwrap().next(Some(fault));
            assert_eq!(one.submit_as(request, &case).await.err(), Some(Refusal::Unavailable), "nobody knows yet");
            assert_eq!(one.count("referral").await, before + kept, "{fault:?}");
            // Asked again, at either: the answer that was lost, or the first.
            let desk = if turn % 2 == 0 { &one } else { &other };
            let mut tries = 0;
            while desk.submit_as(request, &case).await.is_err() {
                tries += 1;
                assert!(tries < 100, "back within seconds");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(one.count("referral").await, before + 1);
        }
    }
    assert_eq!(other.deliver_all(JOBCENTER).await.len(), 10);
    replay::check(&one).await;
    one.verify_log().await;
}

#[tokio::test]
async fn a_gateway_that_falls_asleep_in_the_middle_of_a_batch_holds_up_the_others_for_seconds_only() {
    let one = Desk::open().await;
    if one.place.file().is_some() {
        return;
    }
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let mut asleep = Store::writer(&one.place).await.unwrap();
    asleep.begin("SELECT size FROM log_head WHERE id = 1").await.unwrap();
    let accepted = tokio::time::timeout(Duration::from_secs(25), one.submit(&referral(CARITAS, JOBCENTER, "p-1", consent))).await;
    accepted.expect("not held up for good").unwrap();
    assert!(asleep.commit().await.is_err(), "whoever wakes up has lost its place");
}

#[tokio::test]
async fn a_server_that_comes_back_without_what_was_signed_is_not_written_to() {
    let one = Desk::open().await;
    let Place::Server(url) = &one.place else { return };
    let name = url.rsplit('/').next().unwrap().to_owned();
    let at_the_server = async |text: String| {
        let mut conn = sqlx::PgConnection::connect(&std::env::var("WEICHE_TEST_STORE").unwrap()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut conn).await.unwrap();
    };
    // Nobody gets in, and whoever is inside goes.
    let away = async || {
        at_the_server(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        at_the_server(format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    };
    let consent = one.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    one.accepted(&case).await;
    away().await;
    at_the_server(format!("CREATE DATABASE {name}_older TEMPLATE {name}")).await;
    at_the_server(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    // Signed in the one, and unknown to the other.
    let mut tries = 0;
    while one.submit(&case).await.is_err() {
        tries += 1;
        assert!(tries < 200, "back within ten seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    away().await;
    at_the_server(format!("DROP DATABASE {name}")).await;
    at_the_server(format!("ALTER DATABASE {name}_older RENAME TO {name}")).await;
    let leaves = one.count("log_leaf").await;
    for _ in 0..30 {
        assert_eq!(one.submit(&case).await.err(), Some(Refusal::Unavailable));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(one.count("log_leaf").await, leaves, "a second history was begun");
}

#[tokio::test]
async fn a_gateway_whose_clock_is_wrong_takes_nothing_from_another_and_decides_by_the_servers() {
    let one = Desk::open_in_trouble().await;
    if one.place.file().is_some() {
        return;
    }
    let other = one.beside().await;
    let wrong = |hours: i64| other.trouble.as_ref().unwrap().own.by.store(hours * 3_600_000, std::sync::atomic::Ordering::SeqCst);
    let ends = one.now().plus(DAY / 2);
    let consent = one.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(ends).record().await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    for hours in [-24, -1, 1, 24] {
        wrong(hours);
        // Neither too early nor too late for the consent.
        let id = other.accepted(&case).await;
        let item = one.release_one(JOBCENTER).await;
        assert!(item.is_referral(&id.to_string()) && item.until == one.now().plus(LEASE));
        assert!(other.release(JOBCENTER).await.is_empty(), "another one's lease, by a clock that is {hours} hours wrong");
        one.acknowledge(&item).await;
        // And its own leases are the server's as well.
        other.accepted(&case).await;
        let item = other.release_one(JOBCENTER).await;
        assert_eq!(item.until, one.now().plus(LEASE));
        one.pass(LEASE.saturating_sub(Duration::from_millis(1)));
        assert!(one.release(JOBCENTER).await.is_empty());
        one.pass(Duration::from_millis(1));
        let again = one.release_one(JOBCENTER).await;
        assert_eq!(other.settle(&item, weiche::exchange::Outcome::Delivered).await, Err(Refusal::StaleLease));
        other.acknowledge(&again).await;
    }
    wrong(-24);
    one.pass(DAY);
    assert!(matches!(other.submit(&case).await, Err(Refusal::Denied { .. })), "it has ended, whatever this machine thinks");
    replay::check(&one).await;
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused() {
    let desk = Desk::open().await;
    if desk.place.file().is_some() {
        return;
    }
    let weaken = |setting: &'static str, value: &'static str| {
        let place = desk.place.clone();
        async move {
            let change = format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting} = {value}', current_database()); END $$");
            let (store, mut conn) = Store::open(&place).await.unwrap();
            conn.execute(Box::leak(change.into_boxed_str()), []).await.unwrap();
            conn.close().await.unwrap();
            store.close().await;
            Store::open(&place).await.map(|_| ()).unwrap_err()
        }
    };
    let refused = weaken("synchronous_commit", "off").await;
    assert!(matches!(refused, StoreError::Unsafe { what: "synchronous_commit", .. }), "{refused}");
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let dir = temporary();
    let place = crate::places::empty(dir.path()).await;
    if place.file().is_none() {
        let refused = Store::open(&place).await.map(|_| ()).unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with("database: its tables are of version 0, this program needs") && told.ends_with("run `weiche migrate`"), "{told}");
    }
    Store::create(&place).await.unwrap();
    assert!(Store::create(&place).await.is_err(), "nothing that is there is made again");
    let (was, is) = Store::migrate(&place).await.unwrap();
    assert!(was == is && is > 0, "{was} {is}");
    let (_store, mut conn) = Store::open(&place).await.unwrap();
    const NEWER: &str = "UPDATE _sqlx_migrations SET version = version + 1, description = 'lets nobody else in' \
                         WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    conn.execute(NEWER, []).await.unwrap();
    conn.close().await.unwrap();
    drop(_store);
    let refused = Store::open(&place).await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("start the newer program"), "{refused}");
}
