// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A seventh and an eighth institution come to a running gateway with a folder each and a change of the agreement: no build, no code. Their
//! referrals go both ways in their own words, over real sockets and mutual TLS; one is called, the other one calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Change, Listeners, Running};
use weiche::cli::init;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::channel;
use weiche::dialect::{CategoryMask, Dialects, REFERRAL};
use weiche::grpc::codec::BytesCodec;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::pki::Anchors;

use crate::deliveries::{System, until};

const NOVA: &str = "nova-bremen";
const ALTSYS: &str = "altsys-bremen";
const PATIENCE: Duration = Duration::from_secs(60);

/// Both are bodies that need no consent to work together (section 50(1) SGB II), so that the test is about words.
fn members(port: u16) -> String {
    let member = |id: &str, kind: &str, dialect: &str, delivery: &str| {
        let unit = if kind == "agentur" { "standort" } else { "geschaeftsstelle" };
        format!(
            "\n[[member]]\nid = \"{id}\"\nname = \"{id} (fiktiv)\"\nkind = \"{kind}\"\ndialect = \"{dialect}\"\ndata_protection_regime = \"GDPR_SGB\"\n\
             supervisory_authority = \"fiktiv\"\nsection_203 = false\nsection_35 = true\ndelivery = {delivery}\n\
             pacing = {{ in_flight = 8, per_second = 200 }}\n\
             \n[[unit]]\ninstitution = \"{id}\"\nid = \"haupt\"\nname = \"Haupt\"\nkind = \"{unit}\"\nmunicipality = \"04011000\"\n"
        )
    };
    let push = format!("{{ mode = \"push\", endpoint = \"https://127.0.0.1:{port}\" }}");
    member(NOVA, "jobcenter", "nova.v1", "{ mode = \"pull\" }") + &member(ALTSYS, "agentur", "altsys.v1", &push)
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

pub fn cases(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/dialects").join(name)
}

/// A gateway whose folder for dialects is empty, and the eighth institution's system at a port of its own.
struct Site {
    dir: tempfile::TempDir,
    system: System,
    agreement: String,
    shutdown: CancellationToken,
    running: Running,
}

impl Site {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let agreement = format!("{}{}", init::AGREEMENT, members(listener.local_addr().unwrap().port()));
        init::create(dir.path(), &init::Plan { agreement: agreement.clone(), ..init::Plan::default() }).await.unwrap();
        std::fs::write(dir.path().join("agreement.toml"), init::AGREEMENT).unwrap();
        std::fs::create_dir(dir.path().join("dialects")).unwrap();
        let config = dir.path().join(init::CONFIG);
        let text = std::fs::read_to_string(&config).unwrap().replace("#: dialects = []", "dialects = [\"dialects\"]");
        std::fs::write(&config, text).unwrap();
        let system = System::default();
        let shutdown = CancellationToken::new();
        system.serve_as(ALTSYS, listener, &dir.path().join("certs"), shutdown.clone());
        let listeners = Listeners::local().await.unwrap();
        let running = gateway::run(Config::load(&config).unwrap(), Arc::new(SystemClock), listeners, shutdown.clone()).await.unwrap();
        Self { dir, system, agreement, shutdown, running }
    }

    fn dialects(&self) -> std::path::PathBuf {
        self.dir.path().join("dialects")
    }
    /// The folders and the agreement, as an operator would bring them.
    async fn onboard(&self) {
        copy(&cases("onboarding"), &self.dialects());
        std::fs::write(self.dir.path().join("agreement.toml"), &self.agreement).unwrap();
        let reloaded = self.running.reload().await;
        assert_eq!((reloaded.dialects, reloaded.agreement), (Change::Taken, Change::Taken));
    }
    async fn onboard_agreement(&self) {
        std::fs::write(self.dir.path().join("agreement.toml"), &self.agreement).unwrap();
        assert_eq!(self.running.reload().await.agreement, Change::Taken);
    }
    async fn end(self) {
        self.shutdown.cancel();
        self.running.ended().await.unwrap();
    }
    fn client(&self, institution: &str) -> Client {
        self.client_with(institution, Arc::new(Dialects::with_folders(&[self.dialects()]).unwrap()))
    }
    fn client_with(&self, institution: &str, dialects: Arc<Dialects>) -> Client {
        client(&self.dir.path().join("certs"), self.running.institutions().port(), institution, dialects)
    }
}

/// The case system of an institution, with its certificate.
pub(crate) fn client(certs: &Path, port: u16, institution: &str, dialects: Arc<Dialects>) -> Client {
    let pem = |name: String| std::fs::read(certs.join(name)).unwrap();
    let anchors = Anchors::from_pem(&pem("servers-ca.pem".into()), SystemClock.now()).unwrap();
    let credentials = Credentials::from_pem(&pem(format!("institution/{institution}.pem")), &pem(format!("institution/{institution}.key"))).unwrap();
    let tls = Arc::new(client_config(Some(credentials), &anchors, Expected::Host).unwrap());
    Client { channel: channel(&format!("https://127.0.0.1:{port}"), tls).unwrap(), dialects }
}

/// A case system: its own JSON in and out, put into protobuf with its own files.
pub(crate) struct Client {
    channel: Channel,
    dialects: Arc<Dialects>,
}

impl Client {
    pub(crate) fn bytes(&self, message: &str, json: &Value) -> Bytes {
        let descriptor = self.dialects.pool().get_message_by_name(message).unwrap();
        DynamicMessage::deserialize(descriptor, json).unwrap().encode_to_vec().into()
    }
    pub(crate) fn json(&self, message: &str, bytes: &[u8]) -> Value {
        let message = DynamicMessage::decode(self.dialects.pool().get_message_by_name(message).unwrap(), bytes).unwrap();
        let options = prost_reflect::SerializeOptions::new().use_proto_field_name(true);
        message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
    }
    async fn ready(&self) -> tonic::client::Grpc<Channel> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        grpc
    }
    pub(crate) async fn call(&self, path: &str, request: (&str, Value), response: &str) -> Result<Value, Status> {
        Ok(self.json(response, &self.unary(path, self.bytes(request.0, &request.1)).await?))
    }
    pub(crate) async fn unary(&self, path: &str, message: Bytes) -> Result<Bytes, Status> {
        Ok(self.ready().await.unary(Request::new(message), PathAndQuery::try_from(path).unwrap(), BytesCodec).await?.into_inner())
    }
    /// Opens a stream; what is sent into the channel goes up.
    pub(crate) async fn stream(&self, path: &'static str, first: Bytes) -> (tokio::sync::mpsc::UnboundedSender<Bytes>, Streaming<Bytes>) {
        let (up, rest) = tokio::sync::mpsc::unbounded_channel();
        let requests = futures_util::stream::iter([first]).chain(tokio_stream::wrappers::UnboundedReceiverStream::new(rest));
        let items = self.ready().await.streaming(Request::new(requests), PathAndQuery::from_static(path), BytesCodec).await.unwrap();
        (up, items.into_inner())
    }
    async fn services(&self) -> Vec<String> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(MessageRequest::ListServices(String::new())) };
        let mut reflection = ServerReflectionClient::new(self.channel.clone());
        let mut answers = reflection.server_reflection_info(futures_util::stream::iter([request])).await.unwrap().into_inner();
        match answers.message().await.unwrap().unwrap().message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => list.service.into_iter().map(|service| service.name).collect(),
            other => panic!("{other:?}"),
        }
    }
    async fn declares(&self, symbol: &str) -> bool {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(MessageRequest::FileContainingSymbol(symbol.to_owned())) };
        let mut reflection = ServerReflectionClient::new(self.channel.clone());
        let mut answers = reflection.server_reflection_info(futures_util::stream::iter([request])).await.unwrap().into_inner();
        matches!(answers.message().await.unwrap().unwrap().message_response.unwrap(), MessageResponse::FileDescriptorResponse(_))
    }
}

pub(crate) async fn next(items: &mut Streaming<Bytes>) -> Bytes {
    tokio::time::timeout(PATIENCE, items.message()).await.expect("an item in time").unwrap().unwrap()
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The client of the domain description as Nova has it. 673221600000 is midnight of 3 May 1991 in Berlin.
fn nova_case() -> Value {
    json!({
        "externalId": "C-1001", "clientToken": "tok-1", "from": { "org": NOVA, "team": "haupt" }, "to": { "org": ALTSYS, "team": "haupt" },
        "reasonCode": "work", "legalHook": "vermittlung-50-1", "createdAtMs": "1772442900000", "assignee": "M. Muster",
        "client": {
            "lastName": "Al-Ḥasanī", "firstName": "Nūr", "dobMs": "673221600000", "sex": "F", "citizenships": ["SYR"],
            "tongues": [{ "tag": "ar", "preferred": true }], "needsInterpreter": true, "mobileE164": "+491713920012",
            "email": "nur@example.invalid", "postalAddress": "Musterweg 1a, 28237 Bremen"
        }
    })
}

fn altsys_record(to: &str, person: &str) -> Value {
    json!({
        "SATZART": "01", "AKZ": "A/4711", "PERSREF": person, "ABSTELLE": "altsys-bremen/haupt", "ANSTELLE": to, "ZWK": "030",
        "RGRUND": "vermittlung-50-1", "NACHN": "Beispiel", "VORN": "Amal", "GEBDAT": "19910000", "GESCHL": 2, "STAAT1": "SYR",
        "VORW": "0171", "RUFNR": "3920012", "STR": "Musterweg", "HNR": "1", "PLZ": "28237", "ORT": "Bremen", "DOLM": "J", "SB": "MM"
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seventh_and_an_eighth_institution_come_with_folders_only_and_their_referrals_go_both_ways() {
    let site = Site::new().await;
    site.onboard().await;
    let (nova, altsys) = (site.client(NOVA), site.client(ALTSYS));

    // Seventh to eighth: pushed.
    let request = ("nova.v1.SendCaseRequest", json!({ "idempotencyKey": uuid(), "case": nova_case() }));
    let sent = nova.call("/nova.v1.CaseGateway/SendCase", request, "nova.v1.SendCaseReply").await.unwrap();
    assert_eq!(sent["allowed"], true);
    until("delivered", || async { !site.system.calls().is_empty() }).await;
    let (path, bytes) = site.system.calls().remove(0);
    assert_eq!(path, "/altsys.v1.ANNAHME/FALL");
    let record = altsys.json("altsys.v1.FALL_A", &bytes)["SATZ"].clone();
    for (field, value) in [
        ("SATZART", "01"),
        ("NACHN", "Al-Ḥasanī"),
        ("VORN", "Nūr"),
        ("SUCHN", "AL-HASANI"),
        ("GEBDAT", "19910503"),
        ("STAAT1", "SYR"),
        ("VORW", "0171"),
        ("RUFNR", "3920012"),
        ("STR", "Musterweg"),
        ("HNR", "1"),
        ("PLZ", "28237"),
        ("ORT", "Bremen"),
        ("ZWK", "030"),
        ("AKZ", "C-1001"),
        ("ANSTELLE", "altsys-bremen/haupt"),
        ("RGRUND", "vermittlung-50-1"),
    ] {
        assert_eq!(record[field], value, "{field} in {record:#}");
    }
    assert_eq!(record["GESCHL"], 2);
    // The sender's own token of the person is not for the recipient, nor is who works on it.
    assert_eq!((record["DOLM"].as_str(), record.get("PERSREF"), record.get("SB")), (Some("J"), None, None));

    // Eighth to seventh: pulled, with the answer on the same way back.
    let request = ("altsys.v1.EINGABE_A", json!({ "LFDNR": uuid(), "SATZ": altsys_record("nova-bremen/haupt", "zufall-1") }));
    let accepted = altsys.call("/altsys.v1.KASSE/EINGABE", request, "altsys.v1.EINGABE_B").await.unwrap();
    assert_eq!(accepted["ERL"], "J");
    let first = nova.bytes("nova.v1.PollCommand", &json!({ "slots": 4 }));
    let (up, mut items) = nova.stream("/nova.v1.CaseGateway/Poll", first).await;
    let item = nova.json("nova.v1.PollItem", &next(&mut items).await);
    let case = &item["case"];
    assert_eq!((&case["client"]["lastName"], &case["client"]["sex"]), (&json!("Beispiel"), &json!("F")));
    assert_eq!((&case["client"]["birthYear"], case["client"].get("dobMs")), (&json!(1991), None));
    assert_eq!((&case["client"]["citizenships"], &case["client"]["mobileE164"]), (&json!(["SYR"]), &json!("+491713920012")));
    assert_eq!((&case["reasonCode"], &case["from"]["org"]), (&json!("JOB"), &json!(ALTSYS)));
    up.send(nova.bytes("nova.v1.PollCommand", &json!({ "ackId": item["id"], "ackToken": item["token"] }))).unwrap();

    // What each says of the other's referral comes back in the other's words.
    let update = json!({ "caseId": case["caseId"], "eventId": uuid(), "state": "open", "atMs": "1772442900000" });
    let answer = ("nova.v1.UpdateCaseRequest", json!({ "idempotencyKey": uuid(), "update": update }));
    nova.call("/nova.v1.CaseGateway/UpdateCase", answer, "nova.v1.UpdateCaseReply").await.unwrap();
    until("told", || async { site.system.calls().len() >= 2 }).await;
    let (path, bytes) = site.system.calls().remove(1);
    assert_eq!(path, "/altsys.v1.ANNAHME/NEUIGKEIT");
    assert_eq!(altsys.json("altsys.v1.NEUIGKEIT_A", &bytes)["SATZ"]["STAND"], "05");
    let answer = json!({ "SATZART": "02", "VMNR": record["VMNR"], "EREIGNIS": uuid(), "STAND": "05", "ZEIT": "02.03.2026 10:15" });
    let answer = ("altsys.v1.STAND_A", json!({ "LFDNR": uuid(), "SATZ": answer }));
    altsys.call("/altsys.v1.KASSE/STAND", answer, "altsys.v1.STAND_B").await.unwrap();
    let item = nova.json("nova.v1.PollItem", &next(&mut items).await);
    assert_eq!((&item["update"]["state"], &item["update"]["externalId"]), (&json!("open"), &json!("C-1001")));

    drop((up, items));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_services_of_a_folder_are_served_and_shown_to_those_who_speak_them_and_to_nobody_else() {
    let site = Site::new().await;
    copy(&cases("onboarding"), &site.dialects());
    // The agreement does not name them yet: nobody may call them, and nobody sees them.
    assert_eq!(site.running.reload().await.dialects, Change::Taken);
    let early = site.client(NOVA);
    let request = || ("nova.v1.SendCaseRequest", json!({ "idempotencyKey": uuid(), "case": nova_case() }));
    let refused = early.call("/nova.v1.CaseGateway/SendCase", request(), "nova.v1.SendCaseReply").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    site.onboard_agreement().await;

    // The same connection, a moment later.
    let nova = early;
    assert!(nova.call("/nova.v1.CaseGateway/SendCase", request(), "nova.v1.SendCaseReply").await.is_ok());
    let services = nova.services().await;
    assert!(services.contains(&"nova.v1.CaseGateway".to_owned()) && services.contains(&"weiche.exchange.v1.ReferralService".to_owned()));
    assert!(!services.iter().any(|name| name.starts_with("altsys") || name.starts_with("awo")), "{services:?}");
    assert!(nova.declares("nova.v1.Case").await && !nova.declares("altsys.v1.SATZ01").await);
    let drk = site.client("drk-bremen");
    assert!(!drk.services().await.iter().any(|name| name.starts_with("nova")) && !drk.declares("nova.v1.Case").await);
    let refused = drk.call("/nova.v1.CaseGateway/SendCase", request(), "nova.v1.SendCaseReply").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_version_is_served_beside_the_first_and_a_stream_ends_with_the_version_it_began_with() {
    let site = Site::new().await;
    site.onboard().await;
    let (nova, altsys) = (site.client(NOVA), site.client(ALTSYS));
    let (_up, mut old) = nova.stream("/nova.v1.CaseGateway/Poll", nova.bytes("nova.v1.PollCommand", &json!({ "slots": 1 }))).await;

    copy(&cases("later"), &site.dialects());
    assert_eq!(site.running.reload().await.dialects, Change::Taken);
    let ids: Vec<String> =
        site.running.exchange().dialects().iter().map(|dialect| dialect.id().to_owned()).filter(|id| id.starts_with("nova")).collect();
    assert_eq!(ids, ["nova.v1", "nova.v2"]);

    // The stream was opened before the second version came; it goes on in the first.
    // Two people: what comes later for the same one would wait for the first.
    let request = |person: &str| ("altsys.v1.EINGABE_A", json!({ "LFDNR": uuid(), "SATZ": altsys_record("nova-bremen/haupt", person) }));
    altsys.call("/altsys.v1.KASSE/EINGABE", request("zufall-1"), "altsys.v1.EINGABE_B").await.unwrap();
    let item = nova.json("nova.v1.PollItem", &next(&mut old).await);
    assert_eq!(item["case"]["client"]["lastName"], "Beispiel");

    // The system goes over call by call: it sends in the second, and receives in the second.
    let nova = site.client(NOVA);
    let case = json!({
        "ref": "tok-2", "from": "nova-bremen#haupt", "to": "altsys-bremen#haupt", "reason": "JOB", "hook": "vermittlung-50-1",
        "name": "Beispiel;Amal", "dob": "1991-05"
    });
    let request_v2 = ("nova.v2.SubmitRequest", json!({ "key": uuid(), "case": case }));
    nova.call("/nova.v2.Cases/Submit", request_v2, "nova.v2.SubmitReply").await.unwrap();
    until("delivered", || async { !site.system.calls().is_empty() }).await;
    assert_eq!(altsys.json("altsys.v1.FALL_A", &site.system.calls()[0].1)["SATZ"]["GEBDAT"], "19910500");
    let (up, mut new) = nova.stream("/nova.v2.Cases/Listen", nova.bytes("nova.v2.ListenCommand", &json!({ "slots": 4 }))).await;
    altsys.call("/altsys.v1.KASSE/EINGABE", request("zufall-2"), "altsys.v1.EINGABE_B").await.unwrap();
    let item = nova.json("nova.v2.ListenItem", &next(&mut new).await);
    assert_eq!((&item["case"]["name"], &item["case"]["dob"]), (&json!("Beispiel;Amal"), &json!("1991")));
    drop((up, new, old));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_folder_or_one_that_a_member_needs_and_is_gone_changes_nothing() {
    let site = Site::new().await;
    site.onboard().await;
    let before = *site.running.exchange().dialects().get("nova").unwrap().digest();
    let file = site.dialects().join("nova/v1/case.proto");
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, right.replace("at: \"subject_ref\"", "at: \"subject_rex\"").replace("gender/nova", "gender/novum")).unwrap();
    match site.running.reload().await.dialects {
        Change::Refused(reason) => {
            assert!(reason.contains("dialects/nova/v1/case.proto:22:") && reason.contains("did you mean `subject_ref`?"), "{reason}");
            assert!(reason.contains("did you mean `gender/nova`?"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    std::fs::remove_dir_all(site.dialects().join("nova")).unwrap();
    match site.running.reload().await.dialects {
        Change::Refused(reason) => assert!(reason.contains("nova-bremen speaks `nova.v1`"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(*site.running.exchange().dialects().get("nova").unwrap().digest(), before);
    let nova = site.client_with(NOVA, site.running.exchange().dialects());
    let request = ("nova.v1.SendCaseRequest", json!({ "idempotencyKey": uuid(), "case": nova_case() }));
    assert!(nova.call("/nova.v1.CaseGateway/SendCase", request, "nova.v1.SendCaseReply").await.is_ok());
    copy(&cases("onboarding"), &site.dialects());
    let reloaded = site.running.reload().await;
    assert_eq!((reloaded.dialects, reloaded.agreement), (Change::Same, Change::Same));
    site.end().await;
}

#[test]
fn a_compiled_set_does_what_its_sources_do() {
    let folder = tempfile::tempdir().unwrap();
    let dialect = folder.path().join("seven");
    std::fs::create_dir(&dialect).unwrap();
    let sources = Dialects::of_folder(&cases("seven")).unwrap();
    let mut set = Vec::new();
    for file in sources.pool().files() {
        prost::encoding::bytes::encode(1, &file.encode_to_vec(), &mut set);
    }
    std::fs::write(dialect.join("seven.binpb"), set).unwrap();
    let compiled = Dialects::with_folders(&[&dialect]).unwrap_or_else(|errors| panic!("{errors}"));
    let client = json!({ "kind": "client", "given_family": "Nur | Beispiel", "goal": "Maßnahme", "office": { "name": "jobcenter-bremen" } });
    let translate = |dialects: &Dialects| {
        let (seven, canonical) = (dialects.get("seven.v1").unwrap(), dialects.get("canonical").unwrap());
        dialects.translate(seven, canonical, REFERRAL, CategoryMask::ALL, &client, false).unwrap().json
    };
    assert_eq!(translate(&compiled), translate(&sources));

    // Not for what is there already, and not for the contract.
    let awo = folder.path().join("awo");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/dialects/awo/v1"), &awo);
    let said = Dialects::with_folders(&[&awo]).unwrap_err().to_string();
    assert!(said.contains("the package `awo.v1` is there already"), "{said}");
    std::fs::write(dialect.join("seven.binpb"), b"nonsense").unwrap();
    assert!(Dialects::with_folders(&[&dialect]).unwrap_err().to_string().contains("no set of file descriptors"));
    assert!(Dialects::of_folder(&folder.path().join("nowhere")).is_err());
}
