// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Two gateways on one server are replaced by another program, one after the other, under load: on tables that have grown under them meanwhile, as
//! an upgrade and its taking back do. With `WEICHE_TEST_STORE` only.
//!
//! `WEICHE_UPGRADES` sets how often, `WEICHE_OTHER_PROGRAM` names the other program (its tables are the same then); docs/PROMISES.md has the command.

use sqlx::{Connection as _, PgConnection};

use crate::cli::{Folder, json};
use crate::pair::Pair;

/// A version of the tables after this program's: a column more where most is written, an index more, a table more.
const GROWN: [&str; 4] = [
    "ALTER TABLE referral ADD COLUMN grown BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX grown_delivery ON delivery (referral)",
    "CREATE TABLE grown (id BIGINT PRIMARY KEY)",
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
     SELECT MAX(version) + 1, 'from ' || MAX(version) || ' made up', TRUE, '', 0 FROM _sqlx_migrations",
];

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_exchanged_under_load_on_tables_that_grow_and_nothing_is_lost_or_out_of_order() {
    let other_program = std::env::var("WEICHE_OTHER_PROGRAM").ok();
    let upgrades: usize = std::env::var("WEICHE_UPGRADES").map_or(3, |upgrades| upgrades.parse().unwrap());
    let Some(mut pair) = Pair::at_work(|url| Folder::made(&["--store", url]), |_, folder| folder.serve()).await else { return };
    for upgrade in 0..upgrades {
        for at in 0..2 {
            pair.works(5).await;
            let (folder, serving) = (&pair.folders[at], &mut pair.serving[at]);
            serving.signal("-TERM");
            assert_eq!(serving.ended(), Some(0));
            *serving = match &other_program {
                Some(program) if upgrade % 2 == 0 => folder.serve_with(program, &[]),
                _ => folder.serve(),
            };
            if (upgrade, at) == (0, 0) && other_program.is_none() {
                grow(&pair.url).await;
            }
        }
    }
    if other_program.is_none() {
        let migrated = json(0, &["migrate", "--config", &pair.folders[0].config()]);
        assert_eq!(migrated["from"], migrated["to"], "newer tables stay as they are");
    }
    let (accepted, calls) = pair.ends().await;
    println!("{upgrades} times two gateways replaced, {accepted} referrals accepted, {calls} calls of the recipient");
}

/// Makes the tables those of the next version, beside whoever works on them.
async fn grow(url: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let mut migration = conn.begin().await.unwrap();
    for statement in GROWN {
        sqlx::query(statement).execute(&mut *migration).await.unwrap();
    }
    migration.commit().await.unwrap();
    conn.close().await.unwrap();
}
