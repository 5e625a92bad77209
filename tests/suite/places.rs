// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where tests keep their databases: a file each, or, with `WEICHE_TEST_STORE=postgres://USER@HOST:PORT/postgres`, a new database of that server
//! each, so that the same tests judge both engines.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use weiche::store::Place;

/// An empty place for one test.
pub async fn empty(folder: &Path) -> Place {
    let Ok(server) = std::env::var("WEICHE_TEST_STORE") else { return Place::File(folder.join("weiche.db")) };
    let name = format!("weiche_test_{}", uuid::Uuid::new_v4().simple());
    let mut conn = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    Place::parse(&format!("{address}/{name}"), folder).unwrap()
}
