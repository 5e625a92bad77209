// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What `weiche fsck` finds: nothing in a database that only the gateway has written, and every kind of damage by its name.

use weiche::exchange::fsck::{Depth, Report, fsck};
use weiche::ledger::{Checkpoint, RollbackGuard};
use weiche::referral::ReferralState;
use weiche::store::{Connection, Store};
use weiche::vault::Vault;

use super::desk::*;

/// A gateway with something of everything: delivered, answered, waiting, started, failed, given up, withdrawn, recalled; more than one full tile.
pub async fn busy() -> Desk {
    let desk = Desk::open().await;
    let (mut referrals, mut consents) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let subject = format!("p-{n}");
        let consent = desk.usual_consent(CARITAS, JOBCENTER, &subject).await;
        let id = desk.accepted(&referral(CARITAS, JOBCENTER, &subject, consent)).await;
        if n == 0 {
            desk.deliver_all(JOBCENTER).await;
            desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await.unwrap();
        }
        consents.push(consent);
        referrals.push(id);
    }
    let started = desk.release(JOBCENTER).await;
    desk.acknowledge(&started[0]).await;
    desk.settle(&started[1], unavailable()).await.unwrap();
    desk.settle(&started[2], invalid()).await.unwrap();
    // One recipient has it and is asked to give it up; a second delivery waits behind it in its lane.
    desk.withdraw(CARITAS, consents[1]).await;
    let again = desk.usual_consent(CARITAS, JOBCENTER, "p-4").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-4", again)).await;
    for n in 0..240 {
        desk.usual_consent(AWO, JOBCENTER, &format!("q-{n}")).await;
    }
    desk
}

async fn look(conn: &mut Connection, signed: &Checkpoint, vault: &Vault) -> Report {
    fsck(conn, Some(signed), Depth::Contents(vault), &|_, _, _| ()).await.unwrap()
}

/// What each damage is called.
const DAMAGES: &[(&str, &str)] = &[
    ("leaves of the log", "UPDATE log_leaf SET leaf_hash = (SELECT leaf_hash FROM log_leaf WHERE idx = 1) WHERE idx = 5"),
    ("leaves of the log", "DELETE FROM log_leaf WHERE idx = 5"),
    ("leaves of the log", "UPDATE log_leaf SET entry = (SELECT entry FROM log_leaf WHERE idx = 1) WHERE idx = 5"),
    ("replay of the log", "UPDATE log_leaf SET entry = leaf_hash WHERE idx = 5"),
    ("replay of the log", "UPDATE log_leaf SET entry = (SELECT entry FROM log_leaf WHERE idx = 3) WHERE idx = 2"),
    ("head of the log", "UPDATE log_head SET size = size - 1"),
    ("head of the log", "UPDATE log_head SET root = (SELECT leaf_hash FROM log_leaf WHERE idx = 1)"),
    ("head of the log", "UPDATE log_head SET compact = root"),
    ("rollback guard", "DELETE FROM log_leaf WHERE idx > 200"),
    ("rollback guard", "UPDATE log_leaf SET entry = (SELECT entry FROM log_leaf WHERE idx = 1) WHERE idx = 5"),
    ("tiles of the log", "DELETE FROM log_tile"),
    ("tiles of the log", "UPDATE log_tile SET root = (SELECT leaf_hash FROM log_leaf WHERE idx = 1)"),
    ("tiles of the log", "UPDATE log_tile SET hashes = root"),
    ("tiles of the log", "INSERT INTO log_tile SELECT level + 1, n, hashes, root FROM log_tile"),
    ("referrals as the log says", "UPDATE referral SET state = state + 1"),
    ("referrals as the log says", "UPDATE referral SET reason = reason + 1"),
    ("referrals as the log says", "UPDATE referral SET stored = stored + 1024"),
    ("referrals as the log says", "DELETE FROM referral"),
    ("referrals as the log says", "UPDATE referral SET id = delivery"),
    ("deliveries as the log says", "UPDATE delivery SET attempts = attempts + 1"),
    ("deliveries as the log says", "UPDATE delivery SET state = 3 WHERE state = 1"),
    ("deliveries as the log says", "DELETE FROM delivery"),
    ("consents as the log says", "UPDATE consent SET version = version + 1"),
    ("consents as the log says", "DELETE FROM consent"),
    ("deliveries belong to referrals", "UPDATE delivery SET referral = id WHERE seq = 1"),
    ("referrals have the delivery that carries them", "UPDATE referral SET delivery = id"),
    ("deliveries that wait have a content", "DELETE FROM payload"),
    ("contents belong to deliveries", "INSERT INTO payload SELECT 100000, wrapped, ciphertext FROM payload WHERE seq = 1"),
    ("contents that wait open with the key", "UPDATE payload SET wrapped = ciphertext"),
    ("contents that wait open with the key", "UPDATE payload SET ciphertext = wrapped"),
    ("leases have a token", "UPDATE delivery SET token = id WHERE state = 3"),
    ("leases have a token", "UPDATE delivery SET token = NULL WHERE state = 2"),
    ("the first of each lane is in front", "UPDATE delivery SET in_front = 0"),
    ("the first of each lane is in front", "UPDATE delivery SET in_front = 1"),
    ("the next delivery comes last", "UPDATE log_head SET next_delivery = 2"),
    ("answers point to entries", "UPDATE request SET tree_size = 100000"),
    ("answers point to entries", "UPDATE request SET leaf = tree_size"),
    ("changes of referrals point to entries", "UPDATE referral SET changed_leaf = 100000"),
    ("steps of referrals point to entries", "UPDATE referral_event SET leaf = 100000"),
    ("recalls belong to referrals", "UPDATE recall SET referral = id"),
    ("consents have their versions", "DELETE FROM consent_version"),
    ("agreements point to entries", "UPDATE agreement SET leaf = 100000"),
];

#[tokio::test]
async fn every_kind_of_damage_is_named_and_nothing_else_is() {
    let mut desk = busy().await;
    super::replay::check(&desk).await;
    desk.stop().await;
    let vault = Vault::open(&desk.path().join("vault.key")).unwrap();
    let signed = RollbackGuard::open(&desk.path().join("guard"), ORIGIN).unwrap().last().clone();
    let (store, mut conn) = Store::open(&desk.place).await.unwrap();
    let sound = look(&mut conn, &signed, &vault).await;
    assert!(sound.is_sound() && sound.entries == signed.size && sound.root == signed.root, "{sound:#?}");
    let mut named: Vec<_> = DAMAGES.iter().map(|(what, _)| *what).collect();
    named.sort_unstable();
    named.dedup();
    let mut looked_at: Vec<_> = sound.checks.iter().map(|check| check.what).collect();
    looked_at.sort_unstable();
    assert_eq!(named, looked_at, "every check has its damage here");

    // The log does not let itself be changed: whoever does has taken its triggers away first.
    let open: &[&str] = if desk.place.file().is_some() {
        &[
            "DROP TRIGGER log_leaf_is_written_once",
            "DROP TRIGGER log_leaf_is_never_removed",
            "DROP TRIGGER log_tile_is_written_once",
            "DROP TRIGGER log_tile_is_never_removed",
        ]
    } else {
        &["ALTER TABLE log_leaf DISABLE TRIGGER USER", "ALTER TABLE log_tile DISABLE TRIGGER USER"]
    };
    for (what, damage) in DAMAGES {
        conn.execute("BEGIN", []).await.unwrap();
        for sql in open {
            conn.execute(sql, []).await.unwrap();
        }
        assert!(conn.execute(damage, []).await.unwrap() > 0, "changes nothing: {damage}");
        let report = look(&mut conn, &signed, &vault).await;
        let found: Vec<_> = report.problems().collect();
        assert!(found.iter().any(|(check, _)| check == what), "{damage} should be named `{what}`: {found:#?}");
        assert!(report.checks.iter().all(|check| check.problems.len() <= 10 && !check.help.is_empty()));
        conn.execute("ROLLBACK", []).await.unwrap();
    }
    assert!(look(&mut conn, &signed, &vault).await.is_sound());
    conn.close().await.unwrap();
    store.close().await;
    drop(store);
    desk.start().await.unwrap();
}
