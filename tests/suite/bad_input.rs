// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whatever comes in wrong gets an answer that helps, never quotes what was sent, and changes nothing: over real sockets and mutual TLS.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;
use uuid::Uuid;
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Listeners, Running};
use weiche::cli::init;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::{channel, probe};
use weiche::grpc::codec::BytesCodec;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::{Anchors, Authority, Profile, Validity};

use super::dialects::DIALECTS;

const AWO: &str = include_str!("../../proto/dialects/awo/examples/fall.json");
const DIAKONIE: &str = include_str!("../../proto/dialects/diakonie/examples/vorgang.json");
const SUBMIT: &str = "weiche.exchange.v1.ReferralService/SubmitReferral";
const GET: &str = "weiche.exchange.v1.ReferralService/GetReferral";
const CANCEL: &str = "weiche.exchange.v1.ReferralService/CancelReferral";
const AWO_SUBMIT: &str = "awo.v1.Vermittlung/FallSenden";
const DIAKONIE_SUBMIT: &str = "diakonie.v1.Vermittlungsdienst/VorgangUebermitteln";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A gzip stream of this many zeros is a thousandth of it.
const BOMB: usize = 64 << 20;
const MARK: &str = "zqxvwk";

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

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_message_is_answered_with_code_reason_and_field_and_leaves_no_row() {
    use Code::{InvalidArgument as Invalid, Unimplemented};
    let site = Site::new().await;
    let destatis = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staatsangehoerigkeit";
    let nationality = |system: &str, code: &str| json!([{"system": system, "version": "2021-02-19", "code": code}]);
    let staat = |list: &str, code: &str| json!([{"listURI": list, "listVersionID": "2021-02-19", "code": code}]);
    let large = vec![b'x'; (1 << 20) + 1];
    let canonical_nationality = "/subject/nationalities";
    let native_nationality = "/natuerlichePerson/staatsangehoerigkeit";
    let (drk, own, dw) = ("drk-bremen", "awo-bremen", "diakonie-bremen");
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, &str, Vec<u8>, Code, &str, &str, &str)> = vec![
        ("not protobuf", drk, SUBMIT, b"\xff\xff\xff\xff secret".to_vec(), Invalid, "MALFORMED_MESSAGE", "", "secret"),
        ("not protobuf", own, AWO_SUBMIT, b"\xff\xff\xff\xff secret".to_vec(), Invalid, "MALFORMED_MESSAGE", "", "secret"),
        ("nothing", drk, SUBMIT, Vec::new(), Invalid, "INVALID_FIELD", "request_id", ""),
        ("too large", drk, SUBMIT, large.clone(), Invalid, "MESSAGE_TOO_LARGE", "", "xxx"),
        ("too large", own, AWO_SUBMIT, large, Invalid, "MESSAGE_TOO_LARGE", "", "xxx"),
        ("a number for a text", drk, SUBMIT, vec![0x08, 0x01], Invalid, "MALFORMED_MESSAGE", "", ""),
        ("a number for a text", own, AWO_SUBMIT, vec![0x08, 0x01], Invalid, "MALFORMED_MESSAGE", "", ""),
        ("an unknown code", drk, SUBMIT, canonical(&[(canonical_nationality, nationality(destatis, "ZZQ"))]), Invalid, "UNKNOWN_CODE", "referral.subject.nationalities[0]", "ZZQ"),
        ("an unknown code", own, AWO_SUBMIT, awo(&[("/staat", json!("ZZQ"))]), Invalid, "UNKNOWN_CODE", "fall.staat", "ZZQ"),
        ("an unknown code", dw, DIAKONIE_SUBMIT, diakonie(&[(native_nationality, staat(destatis, "ZZQ"))]), Invalid, "UNKNOWN_CODE", "vorgang.natuerlichePerson.staatsangehoerigkeit[0]", "ZZQ"),
        ("an unknown enum value", drk, SUBMIT, canonical(&[("/purpose", json!(99))]), Invalid, "UNKNOWN_CODE", "referral.purpose", ""),
        ("an impossible date", drk, SUBMIT, canonical(&[("/subject/birthDate", json!({"year": 1991, "month": 2, "day": 30}))]), Invalid, "IMPOSSIBLE_DATE", "referral.subject.birth_date", "1991"),
        ("an impossible date", own, AWO_SUBMIT, awo(&[("/geb", json!("30.02.1991"))]), Invalid, "IMPOSSIBLE_DATE", "fall.geb", "1991"),
        ("a code without its system", drk, SUBMIT, canonical(&[(canonical_nationality, nationality("", "475"))]), Invalid, "CODE_WITHOUT_SYSTEM", "referral.subject.nationalities[0]", "475"),
        ("a code without its system", dw, DIAKONIE_SUBMIT, diakonie(&[(native_nationality, staat("", "475"))]), Invalid, "CODE_WITHOUT_SYSTEM", "vorgang.natuerlichePerson.staatsangehoerigkeit[0]", "475"),
        ("other letters", drk, SUBMIT, canonical(&[("/subject/name/family", json!("Иванов"))]), Invalid, "OUTSIDE_DIN_91379", "referral.subject.name.family", "Иванов"),
        ("other letters", own, AWO_SUBMIT, awo(&[("/name", json!("Иванов, Eva"))]), Invalid, "OUTSIDE_DIN_91379", "fall.name", "Иванов"),
        ("a request id that is none", drk, SUBMIT, request(SUBMIT, json!({"requestId": "secret", "referral": by_consent()})), Invalid, "INVALID_FIELD", "request_id", "secret"),
        ("in another's name", "awo-bremen", SUBMIT, canonical(&[]), Invalid, "INVALID_FIELD", "referral.sender.institution", ""),
        ("no own unit among several", own, AWO_SUBMIT, awo(&[("/absender_stelle", json!(""))]), Invalid, "INVALID_FIELD", "referral.sender.unit", ""),
        ("no such recipient", drk, SUBMIT, canonical(&[("/recipient/institution", json!("nobody-here"))]), Invalid, "INVALID_FIELD", "referral.recipient.institution", "nobody-here"),
        ("an unknown method", drk, "weiche.exchange.v1.ReferralService/Secret", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "Secret"),
        ("an unknown service", drk, "secret.v1.Service/Call", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "secret"),
        ("another's dialect", drk, AWO_SUBMIT, awo(&[]), Unimplemented, "UNKNOWN_METHOD", "", "awo"),
        ("what operators do", drk, "weiche.admin.v1.AdminService/ListInstitutions", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "admin"),
    ];
    let before = site.rows().await;
    let mut wrong = Vec::new();
    for (what, who, path, body, code, why, field, quoted) in cases {
        match site.call(who, path, body).await {
            Ok(_) => wrong.push(format!("{what} ({path}): taken")),
            Err(status) => wrong.extend(judge(&status, code, why, field, quoted).err().map(|text| format!("{what} ({path}): {text}"))),
        }
        if site.rows().await != before {
            wrong.push(format!("{what} ({path}): left something"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The same answer to the letter: nobody learns which methods others have.
    let (unknown, closed) = (site.call(drk, "secret.v1.Service/Call", "").await.unwrap_err(), site.call(drk, AWO_SUBMIT, "").await.unwrap_err());
    assert_eq!((unknown.message(), unknown.details()), (closed.message(), closed.details()));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_logged_and_nothing_else_is_kept_of_it() {
    let site = Site::new().await;
    let before = site.rows().await;
    let denied = site.call("drk-bremen", SUBMIT, canonical(&[])).await.unwrap_err();
    assert_eq!(judge(&denied, Code::PermissionDenied, "NOT_PERMITTED", "", "Beispiel"), Ok(()));
    // Who names no consent wants to send without one: that is a denial too.
    let unnamed = [
        ("drk-bremen", SUBMIT, canonical(&[("/consent", Value::Null)]), "Beispiel"),
        ("awo-bremen", AWO_SUBMIT, awo(&[("/ew_nr", json!("")), ("/absender_stelle", json!("mbe-groepelingen"))]), "Musterweg"),
    ];
    for (who, path, body, quoted) in unnamed {
        let refused = site.call(who, path, body).await.unwrap_err();
        assert_eq!(judge(&refused, Code::InvalidArgument, "CONSENT_REFERENCE_MISSING", "referral.consent.consent_id", quoted), Ok(()), "{path}");
    }
    let after = site.rows().await;
    let grown: Vec<_> =
        after.iter().filter(|(table, rows)| before[*table] != **rows).map(|(table, rows)| (table.as_str(), rows - before[table])).collect();
    // For each person one key, under which the log names them by a tag.
    assert_eq!(grown, [("log_leaf", 3), ("subject_key", 2)]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_gets_the_same_receipt_and_with_other_content_none() {
    let site = Site::new().await;
    let id = fresh();
    let first = json!({"requestId": id, "referral": statutory()});
    let other = json!({"requestId": id, "referral": changed(statutory(), &[("/subject/name/family", json!("Anders"))])});
    let call = |json: &Value| site.call("jobcenter-bremen", SUBMIT, request(SUBMIT, json.clone()));
    let taken = call(&first).await.unwrap();
    let before = site.rows().await;
    assert_eq!(call(&first).await.unwrap(), taken);
    let refused = call(&other).await.unwrap_err();
    assert_eq!(judge(&refused, Code::AlreadyExists, "REQUEST_ID_REUSED", "", "Anders"), Ok(()));
    assert_eq!(site.rows().await, before);
    assert!(answer(SUBMIT, &taken)["receipt"]["text"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1\n"));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_case_is_answered_like_one_that_does_not_exist() {
    let site = Site::new().await;
    let taken = site.call("jobcenter-bremen", SUBMIT, request(SUBMIT, json!({"requestId": fresh(), "referral": statutory()}))).await.unwrap();
    let theirs = answer(SUBMIT, &taken)["referralId"].as_str().unwrap().to_owned();
    site.call("jobcenter-bremen", GET, request(GET, json!({"referralId": theirs}))).await.unwrap();
    let before = site.rows().await;
    let (abrufen, stornieren) = ("diakonie.v1.Vermittlungsdienst/VorgangAbrufen", "diakonie.v1.Vermittlungsdienst/VorgangStornieren");
    let grund = json!({"listURI": "urn:weiche:codelist:status-reason", "listVersionID": "1", "code": "R11"});
    let cases = [
        ("caritas-bremen", GET, json!({}), "referralId"),
        ("caritas-bremen", CANCEL, json!({"requestId": fresh(), "reason": "STATUS_REASON_OTHER"}), "referralId"),
        ("diakonie-bremen", abrufen, json!({}), "vermittlungsnummer"),
        ("diakonie-bremen", stornieren, json!({"anfragenummer": fresh(), "grund": grund}), "vermittlungsnummer"),
    ];
    for (who, path, fields, key) in cases {
        let mut refusals = Vec::new();
        for id in [theirs.clone(), fresh()] {
            let mut fields = fields.clone();
            fields[key] = json!(id);
            let status = site.call(who, path, request(path, fields)).await.unwrap_err();
            assert_eq!(judge(&status, Code::NotFound, "NOT_FOUND", "", &id), Ok(()), "{path}");
            refusals.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert_eq!(refusals[0], refusals[1], "{path}");
    }
    assert_eq!(site.rows().await, before);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_proper_certificate_does_not_get_as_far_as_a_call() {
    let site = Site::new().await;
    let before = site.rows().await;
    let now = SystemClock.now();
    let profile = Profile::institution("weiche.example.invalid", &"drk-bremen".parse().unwrap(), "fallakte", &[]).unwrap();
    let text = |name: &str| String::from_utf8(site.pem(name)).unwrap();
    let ours = Authority::open(&text("institutions-ca.pem"), &text("institutions-ca.key")).unwrap();
    let foreign = Authority::root("elsewhere", Validity::days(now, 30)).unwrap().issuing("elsewhere", Validity::days(now, 30)).unwrap();
    let issued = |authority: &Authority, validity| {
        let issued = authority.issue(&profile, validity).unwrap();
        Some(Credentials::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap())
    };
    let cases = [
        (None, "requires a client certificate"),
        (issued(&ours, Validity::between(now.minus(DAY * 2), now.minus(DAY))), "expired"),
        (issued(&foreign, Validity::days(now, 10)), "does not trust the authority"),
        (Some(site.credentials("operator/admin")), "does not trust the authority"),
    ];
    for (credentials, why) in cases {
        let error = probe(&site.endpoint(), site.tls(credentials)).await.unwrap_err().to_string();
        assert!(error.contains(why), "expected {why:?}, got {error:?}");
    }
    assert!(probe(&site.endpoint(), site.tls(issued(&ours, Validity::days(now, 10)))).await.is_ok(), "a good one of the same authority gets in");
    assert_eq!(site.rows().await, before);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_deadline_and_a_huge_one_are_fine_and_an_unreadable_one_is_refused() {
    let site = Site::new().await;
    let list = "weiche.exchange.v1.ReferralService/ListReferrals";
    let call = |timeout: Option<&'static str>| {
        let mut request = Request::new(Bytes::new());
        if let Some(timeout) = timeout {
            request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
        }
        send(tonic::client::Grpc::new(site.channel("drk-bremen")), list, request)
    };
    assert_eq!(call(None).await.unwrap(), Bytes::new());
    assert_eq!(call(Some("99999999H")).await.unwrap(), Bytes::new());
    let refused = call(Some("soon")).await.unwrap_err();
    assert_eq!(judge(&refused, Code::InvalidArgument, "INVALID_FIELD", "grpc-timeout", "soon"), Ok(()));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_bomb_is_not_unpacked() {
    let site = Site::new().await;
    let before = site.rows().await;
    for (who, path) in [("drk-bremen", SUBMIT), ("awo-bremen", AWO_SUBMIT)] {
        let client = tonic::client::Grpc::new(site.channel(who)).send_compressed(CompressionEncoding::Gzip);
        let refused = send(client, path, Request::new(vec![0; BOMB].into())).await.unwrap_err();
        assert_eq!(judge(&refused, Code::InvalidArgument, "MESSAGE_TOO_LARGE", "", ""), Ok(()), "{path}");
    }
    assert_eq!(site.rows().await, before);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_grpc_gets_an_answer_of_http() {
    let site = Site::new().await;
    let before = site.rows().await;
    for (method, kind, expected) in [("GET", "application/grpc", 405), ("POST", "application/json", 415), ("POST", "text/html", 415)] {
        let request = http::Request::builder().method(method).uri(format!("/{SUBMIT}")).header("content-type", kind);
        let body = tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(b"{}")));
        let response = site.channel("drk-bremen").oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{method} {kind}");
    }
    assert_eq!(site.rows().await, before);
    site.end().await;
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A case with the mark in every text that a case worker can write into.
fn marked(case: Value) -> Value {
    let mark = |what: &str| json!(format!("{MARK} {what}"));
    let short = json!(MARK);
    let subject = json!({
        "name": {"family": mark("family"), "given": mark("given"), "birthName": mark("birth"), "prefix": mark("prefix")},
        "languages": [{"language": {"system": "urn:iso:std:iso:639:-3", "version": "2023", "code": "ara", "display": mark("language")}, "note": mark("note")}],
        "contactPoints": [{"system": "email", "value": format!("{MARK}@example.invalid")}],
        "address": {"street": mark("street"), "houseNumber": short, "houseNumberSuffix": short, "postalCode": "28237", "city": mark("city"), "additionalLine": mark("line")},
    });
    let topic = json!({"system": "urn:weiche:codelist:topic", "version": "1", "code": "ANE", "display": mark("topic")});
    let measure = json!({"system": "urn:weiche:codelist:measure", "version": "2026-06-12", "code": "IK", "display": mark("measure")});
    let mut case = changed(
        case,
        &[
            ("/subject", subject),
            ("/senderCaseNumber", mark("number")),
            ("/subjectRef", mark("ref")),
            ("/education", json!({"field": mark("education")})),
            ("/recognitions", json!([{"profession": mark("profession"), "status": "RECOGNITION_STATUS_APPLIED"}])),
            ("/work", json!({"lastOccupation": mark("occupation"), "wish": mark("wish")})),
            ("/needs", json!([{"topic": topic, "main": true, "note": mark("need")}])),
            ("/measures", json!([{"measure": measure, "provider": mark("provider")}])),
            ("/appointments", json!([{"place": mark("place"), "subject": mark("appointment")}])),
            ("/documents", json!([{"title": mark("title")}])),
        ],
    );
    for note in ["freeText", "healthNote", "religionEthnicityNote", "sexualNote", "criminalNote", "financeDebtNote"] {
        case[note] = mark(note);
    }
    for party in ["sender", "recipient"] {
        case[party]["function"] = mark(party);
    }
    case
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.to_ascii_lowercase().windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// Files below `folder` that hold the mark, and how many there are.
fn search(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            searched += search(&path, found);
        } else {
            searched += 1;
            found.extend(has_mark(&std::fs::read(&path).unwrap()).then_some(path));
        }
    }
    searched
}

#[tokio::test]
async fn a_mark_in_every_text_of_a_case_is_in_no_trace_no_error_no_file_and_not_in_the_exported_log() {
    let captured = Captured::default();
    let writer = captured.clone();
    let filter = tracing_subscriber::EnvFilter::new("weiche=trace,info");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    // This test's runtime is this thread: everything that the gateway says is seen.
    let _guard = tracing::subscriber::set_default(subscriber);

    let site = Site::new().await;
    let submit = |case: Value| request(SUBMIT, json!({"requestId": fresh(), "referral": case}));
    let taken = site.call("jobcenter-bremen", SUBMIT, submit(marked(statutory()))).await.unwrap();
    assert_eq!(answer(SUBMIT, &taken)["state"], "REFERRAL_STATE_SUBMITTED");
    assert!(!has_mark(&taken), "an answer repeats nothing of the case");

    let denied = submit(marked(by_consent()));
    let foreign = submit(changed(marked(by_consent()), &[("/subject/name/family", json!(format!("{MARK} 漢")))]));
    let long = submit(changed(marked(by_consent()), &[("/freeText", json!(MARK.repeat(1000)))]));
    let party = submit(changed(marked(by_consent()), &[("/recipient/institution", json!(MARK)), ("/consent/consentId", json!(MARK))]));
    let marks: Vec<(String, Value)> = serde_json::from_str::<serde_json::Map<String, Value>>(AWO)
        .unwrap()
        .into_iter()
        .map(|(key, value)| (format!("/{key}"), if value.is_string() { json!(format!("{MARK}, {MARK}")) } else { value }))
        .collect();
    let native = awo(&marks.iter().map(|(pointer, value)| (pointer.as_str(), value.clone())).collect::<Vec<_>>());
    let refused = [
        ("drk-bremen", SUBMIT, denied, Code::PermissionDenied),
        ("drk-bremen", SUBMIT, foreign, Code::InvalidArgument),
        ("drk-bremen", SUBMIT, long, Code::InvalidArgument),
        ("drk-bremen", SUBMIT, party, Code::InvalidArgument),
        ("awo-bremen", AWO_SUBMIT, native, Code::InvalidArgument),
    ];
    for (who, path, body, code) in refused {
        assert!(has_mark(&body));
        let status = site.call(who, path, body).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(!has_mark(said(&status).as_bytes()), "{}", said(&status));
    }

    let exported = tempfile::tempdir().unwrap();
    site.running.exchange().export_log(exported.path(), |_, _| {}).await.unwrap();
    let dir = site.end().await;
    let mut found = Vec::new();
    assert!(search(exported.path(), &mut found) > 0);
    // The database with its write-ahead log is among them, as it lies on the disk.
    assert!(search(dir.path(), &mut found) > 10);
    assert!(found.is_empty(), "{found:?}");
    let trace = captured.0.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&trace).matches("call ended").count() >= 6, "the calls were not seen");
    let text = String::from_utf8_lossy(&trace);
    assert!(!has_mark(&trace), "{:?}", text.lines().find(|line| has_mark(line.as_bytes())));
}
