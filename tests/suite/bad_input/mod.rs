// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whatever comes in wrong gets an answer that helps, never quotes what was sent, and changes nothing: over real sockets and mutual TLS.

mod doors;
mod marks;
mod messages;
mod reloading;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Listeners, Running};
use weiche::cli::init;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::channel;
use weiche::grpc::codec::BytesCodec;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::Anchors;

use crate::dialects::DIALECTS;

const AWO: &str = include_str!("../../../proto/dialects/awo/examples/fall.json");
const DIAKONIE: &str = include_str!("../../../proto/dialects/diakonie/examples/vorgang.json");
const SUBMIT: &str = "weiche.exchange.v1.ReferralService/SubmitReferral";
const GET: &str = "weiche.exchange.v1.ReferralService/GetReferral";
const CANCEL: &str = "weiche.exchange.v1.ReferralService/CancelReferral";
const AWO_SUBMIT: &str = "awo.v1.Vermittlung/FallSenden";
const DIAKONIE_SUBMIT: &str = "diakonie.v1.Vermittlungsdienst/VorgangUebermitteln";

/// A gateway in its own folder; all its recipients fetch, so that nothing moves by itself.
struct Site {
    dir: tempfile::TempDir,
    shutdown: CancellationToken,
    running: Running,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pull = |line: &str| if line.starts_with("delivery = ") { "delivery = { mode = \"pull\" }\n".to_owned() } else { format!("{line}\n") };
        let agreement = init::AGREEMENT.lines().map(pull).collect();
        init::create(dir.path(), &init::Plan { agreement, ..init::Plan::default() }).await.unwrap();
        let config = Config::load(&dir.path().join(init::CONFIG)).unwrap();
        let shutdown = CancellationToken::new();
        let listeners = Listeners::local().await.unwrap();
        let running = gateway::run(config, Arc::new(SystemClock), listeners, shutdown.clone()).await.unwrap();
        Self { dir, shutdown, running }
    }

    async fn end(self) -> tempfile::TempDir {
        self.shutdown.cancel();
        self.running.ended().await.unwrap();
        self.dir
    }

    fn pem(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join("certs").join(name)).unwrap()
    }
    fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.running.institutions().port())
    }
    fn tls(&self, credentials: Option<Credentials>) -> Arc<rustls::ClientConfig> {
        let anchors = Anchors::from_pem(&self.pem("servers-ca.pem"), SystemClock.now()).unwrap();
        Arc::new(client_config(credentials, &anchors, Expected::Host).unwrap())
    }
    fn credentials(&self, name: &str) -> Credentials {
        Credentials::from_pem(&self.pem(&format!("{name}.pem")), &self.pem(&format!("{name}.key"))).unwrap()
    }
    fn channel(&self, institution: &str) -> Channel {
        channel(&self.endpoint(), self.tls(Some(self.credentials(&format!("institution/{institution}"))))).unwrap()
    }
    async fn call(&self, institution: &str, path: &str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
        send(tonic::client::Grpc::new(self.channel(institution)), path, Request::new(message.into())).await
    }

    /// How many rows each table has; the log is one of them.
    async fn rows(&self) -> BTreeMap<String, i64> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.dir.path().join("weiche.db"));
        let mut conn = options.connect().await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut conn).await.unwrap();
        let mut rows = BTreeMap::new();
        for table in tables {
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""))).fetch_one(&mut conn).await.unwrap();
            rows.insert(table, count);
        }
        assert!(rows["log_leaf"] > 0, "the log begins with the agreement: {rows:?}");
        rows
    }
}

async fn send(mut client: tonic::client::Grpc<Channel>, path: &str, request: Request<Bytes>) -> Result<Bytes, Status> {
    client.ready().await.unwrap();
    let answer = client.unary(request, format!("/{path}").parse().unwrap(), BytesCodec).await;
    answer.map(tonic::Response::into_inner)
}

fn method(path: &str) -> MethodDescriptor {
    let (service, name) = path.split_once('/').unwrap();
    let service = DIALECTS.pool().get_service_by_name(service).unwrap();
    service.methods().find(|method| method.name() == name).unwrap()
}

/// The request of a method from protobuf JSON.
fn request(path: &str, json: Value) -> Vec<u8> {
    DynamicMessage::deserialize(method(path).input(), json).unwrap().encode_to_vec()
}

/// The answer of a method as protobuf JSON.
fn answer(path: &str, bytes: &Bytes) -> Value {
    serde_json::to_value(DynamicMessage::decode(method(path).output(), bytes.clone()).unwrap()).unwrap()
}

fn fresh() -> String {
    Uuid::new_v4().to_string()
}

fn changed(mut json: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    json
}

/// A referral by statute: needs no consent.
fn statutory() -> Value {
    json!({
        "senderCaseNumber": "HB-2026-00417",
        "subjectRef": "p-1",
        "sender": {"institution": "jobcenter-bremen", "unit": "vermittlung-mitte"},
        "recipient": {"institution": "agentur-bremen-bremerhaven", "unit": "vermittlung-bremen"},
        "purpose": "PURPOSE_JOB_SEARCH",
        "necessity": "vermittlung-50-1",
        "subject": {"name": {"family": "Beispiel", "given": "Nur"}},
    })
}

/// A referral that needs a consent, with one that nobody recorded.
fn by_consent() -> Value {
    json!({
        "subjectRef": "p-1",
        "sender": {"institution": "drk-bremen", "unit": "mbe-vegesack"},
        "recipient": {"institution": "caritas-bremen", "unit": "mbe-mitte"},
        "purpose": "PURPOSE_COUNSELLING_REFERRAL",
        "consent": {"consentId": fresh()},
        "subject": {"name": {"family": "Beispiel", "given": "Nur"}},
    })
}

fn canonical(changes: &[(&str, Value)]) -> Vec<u8> {
    request(SUBMIT, json!({"requestId": fresh(), "referral": changed(by_consent(), changes)}))
}
fn awo(changes: &[(&str, Value)]) -> Vec<u8> {
    request(AWO_SUBMIT, json!({"anfrage_nr": fresh(), "fall": changed(serde_json::from_str(AWO).unwrap(), changes)}))
}
fn diakonie(changes: &[(&str, Value)]) -> Vec<u8> {
    request(DIAKONIE_SUBMIT, json!({"anfragenummer": fresh(), "vorgang": changed(serde_json::from_str(DIAKONIE).unwrap(), changes)}))
}

/// What a refusal says, to people and to programs.
fn said(status: &Status) -> String {
    format!("{} {}", status.message(), String::from_utf8_lossy(status.details()))
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Code, reason and the first field at fault; `quoted` is what was sent and must not come back.
fn judge(status: &Status, code: Code, why: &str, field: &str, quoted: &str) -> Result<(), String> {
    let fields: Vec<_> = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let (says, readable) = (said(status), status.message().len() > 8 && status.get_details_localized_message().is_some());
    let named = field.is_empty() || fields.iter().any(|one| one.field == field && !one.description.is_empty());
    let quotes = !quoted.is_empty() && says.contains(quoted);
    let fits = status.code() == code && reason(status) == why && named && readable && !quotes;
    fits.then_some(())
        .ok_or_else(|| format!("wanted {code:?} {why} {field:?}, got {:?} {} {fields:?}: {}", status.code(), reason(status), status.message()))
}
