// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a store must do, whichever engine it is: on a file on disk, on a file in memory, and with `WEICHE_TEST_STORE` on a server. That an outcome
//! nobody heard of is found out by asking again with the same request id is judged by `exchange::interleavings`, where commits fail and answers are lost.

use std::pin::pin;
use std::time::Duration;

use weiche::store::{Connection, Insert, Place, Store, StoreError, Value};

const HEAD: &str = "SELECT size FROM log_head WHERE id = 1";
const COUNT: &str = "SELECT COUNT(*) FROM request";
static REQUEST: Insert<7> = Insert {
    table: "request",
    columns: [
        ("request_id", "bytea"),
        ("caller", "text"),
        ("digest", "bytea"),
        ("reply", "bytea"),
        ("leaf", "bigint"),
        ("tree_size", "bigint"),
        ("at", "bigint"),
    ],
    conflict: "",
};

fn row(number: i64) -> [Value; 7] {
    let id = [number.to_be_bytes(), [0; 8]].concat();
    [id.as_slice().into(), "caller/ä".into(), (&[7; 32]).into(), [].as_slice().into(), i64::MIN.into(), i64::MAX.into(), number.into()]
}

async fn count(store: &Store) -> i64 {
    store.reader().await.unwrap().row(COUNT, []).await.unwrap().unwrap().int(0).unwrap()
}

/// An empty store of each kind that there is here.
async fn stores() -> Vec<(tempfile::TempDir, Place, Store, Connection)> {
    let mut folders = vec![tempfile::tempdir().unwrap()];
    if std::env::var_os("WEICHE_TEST_STORE").is_none() {
        folders.extend(tempfile::tempdir_in("/dev/shm").ok());
    }
    let mut stores = Vec::new();
    for folder in folders {
        let place = crate::places::empty(folder.path()).await;
        Store::create(&place).await.unwrap();
        let (store, writer) = Store::open(&place).await.unwrap();
        stores.push((folder, place, store, writer));
    }
    stores
}

#[tokio::test]
async fn what_is_not_committed_was_never_there() {
    for (_folder, place, store, mut writer) in stores().await {
        writer.begin(HEAD).await.unwrap().unwrap();
        writer.insert(&REQUEST, [row(1)]).await.unwrap();
        assert_eq!(count(&store).await, 0, "nobody sees what is not committed");
        drop(writer);
        assert_eq!(count(&store).await, 0);
        store.close().await;
        drop(store);
        let (store, mut writer) = Store::open(&place).await.unwrap();
        writer.begin(HEAD).await.unwrap().unwrap();
        writer.insert(&REQUEST, [row(2)]).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(count(&store).await, 1, "everybody sees what is committed");
    }
}

#[tokio::test]
async fn one_bad_row_takes_the_whole_transaction_with_it() {
    for (_folder, _, store, mut writer) in stores().await {
        writer.begin(HEAD).await.unwrap().unwrap();
        let written = writer.insert(&REQUEST, [row(1), row(1)]).await;
        assert!(written.is_err() || writer.commit().await.is_err(), "two rows of one key");
        drop(writer);
        assert_eq!(count(&store).await, 0);
    }
}

#[tokio::test]
async fn one_writes_at_a_time_and_sees_what_the_one_before_wrote() {
    for (_folder, place, store, mut writer) in stores().await {
        if place.file().is_some() {
            assert!(matches!(Store::open(&place).await, Err(StoreError::InUse(_))));
            assert!(matches!(Store::writer(&place).await, Err(StoreError::InUse(_))));
            continue;
        }
        let mut other = Store::writer(&place).await.unwrap();
        writer.begin(HEAD).await.unwrap().unwrap();
        writer.write("UPDATE log_head SET size = $1", [7.into()]).await.unwrap();
        {
            let mut begins = pin!(other.begin(HEAD));
            assert!(tokio::time::timeout(Duration::from_millis(200), &mut begins).await.is_err(), "two at a time");
            writer.commit().await.unwrap();
            assert_eq!(begins.await.unwrap().unwrap().int(0).unwrap(), 7);
        }
        drop(store);
    }
}

#[tokio::test]
async fn whoever_reads_from_a_server_that_is_lost_is_told_at_once_and_reads_again() {
    for (_folder, place, store, _writer) in stores().await {
        if place.file().is_some() {
            continue;
        }
        let mut reader = store.reader().await.unwrap();
        let mut reads = pin!(reader.row("SELECT 1 FROM pg_sleep(9)", []));
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut reads).await.is_err());
        store.way_back().lost();
        assert!(tokio::time::timeout(Duration::from_secs(5), reads).await.expect("told at once").is_err());
        assert!(matches!(store.reader().await, Err(StoreError::Lost)));
        store.way_back().found().unwrap();
        assert_eq!(count(&store).await, 0);
    }
}

#[tokio::test]
async fn a_snapshot_is_one_moment_whatever_is_written_meanwhile() {
    for (_folder, place, store, mut writer) in stores().await {
        let mut reader = Store::read_only(&place).await.unwrap();
        reader.snapshot().await.unwrap();
        let before = reader.row(COUNT, []).await.unwrap().unwrap().int(0).unwrap();
        writer.begin(HEAD).await.unwrap().unwrap();
        writer.insert(&REQUEST, [row(1)]).await.unwrap();
        writer.commit().await.unwrap();
        let after = reader.row(COUNT, []).await.unwrap().unwrap().int(0).unwrap();
        assert_eq!((before, after, count(&store).await), (0, 0, 1));
    }
}

#[tokio::test]
async fn whoever_reads_cannot_write_and_the_log_is_never_changed() {
    for (_folder, _, store, mut writer) in stores().await {
        let mut reader = store.reader().await.unwrap();
        assert!(reader.execute("UPDATE log_head SET size = 1", []).await.is_err());
        assert!(reader.execute("DELETE FROM request", []).await.is_err());
        drop(reader);
        writer.execute("INSERT INTO log_leaf VALUES (0, $1, $2)", [[0].as_slice().into(), [0].as_slice().into()]).await.unwrap();
        assert!(writer.execute("UPDATE log_leaf SET entry = $1", [[1].as_slice().into()]).await.is_err());
        assert!(writer.execute("DELETE FROM log_leaf", []).await.is_err());
    }
}

#[tokio::test]
async fn rows_and_lists_of_any_length_come_back_as_they_went() {
    for (_folder, _, store, mut writer) in stores().await {
        let mut all = 0;
        for some in [0, 1, 2, 127, 128, 129, 1000] {
            writer.begin(HEAD).await.unwrap().unwrap();
            writer.insert(&REQUEST, (all..all + some).map(row)).await.unwrap();
            writer.commit().await.unwrap();
            all += some;
            let keys: Vec<Vec<u8>> = (0..some).map(|back| [(all - 1 - back).to_be_bytes(), [0; 8]].concat()).collect();
            let sql = "SELECT caller, digest, reply, leaf, tree_size, at FROM request WHERE request_id {}";
            let found = store.reader().await.unwrap().rows_in(sql, keys.iter().map(Vec::as_slice)).await.unwrap();
            let mut numbers: Vec<_> = found.iter().map(|row| row.int(5).unwrap()).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (all - some..all).collect::<Vec<_>>());
            for row in found {
                assert_eq!((row.text(0).unwrap(), row.bytes(1).unwrap(), row.bytes(2).unwrap()), ("caller/ä", &[7; 32][..], &[][..]));
                assert_eq!((row.int(3).unwrap(), row.int(4).unwrap()), (i64::MIN, i64::MAX));
            }
        }
        assert_eq!(count(&store).await, all);
    }
}
