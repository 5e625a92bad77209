// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The accept loop over real sockets: who gets in, what ends a connection, and that draining ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt as _;
use weiche::clock::{Clock as _, SystemClock};
use weiche::delivery::{ProbeError, channel, probe};
use weiche::grpc::listener::{Drained, Limits, serve};
use weiche::identity::tls::{Audience, Credentials, Expected, ServerTls, client_config};
use weiche::identity::{Caller, Connections};
use weiche::pki::{Anchors, Authority, Issued, Profile, Validity};

use crate::captured::{Captured, Listening};

const DOMAIN: &str = "weiche.example.invalid";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than anything here takes, even on a busy machine.
const AGES: Duration = Duration::from_secs(10);

/// Three authorities under one root, as `weiche init` makes them.
struct Pki {
    root: Authority,
    institutions: Authority,
    servers: Authority,
    operators: Authority,
}

impl Pki {
    fn new() -> Self {
        let life = Validity::days(SystemClock.now(), 365);
        let root = Authority::root("root", life).unwrap();
        let issuing = |name| root.issuing(name, life).unwrap();
        Self { institutions: issuing("institutions"), servers: issuing("servers"), operators: issuing("operators"), root }
    }
    fn hosts() -> [String; 2] {
        ["localhost", "127.0.0.1"].map(str::to_owned)
    }
    fn system(&self, institution: &str) -> Issued {
        let profile = Profile::institution(DOMAIN, &institution.parse().unwrap(), "fallakte", &Self::hosts()).unwrap();
        self.institutions.issue(&profile, life()).unwrap()
    }
    fn client(&self, issued: Option<&Issued>) -> Arc<ClientConfig> {
        Arc::new(client_config(issued.map(credentials), &anchors(&self.servers), Expected::Host).unwrap())
    }
}

fn life() -> Validity {
    Validity::days(SystemClock.now(), Validity::LEAF_DAYS)
}

fn anchors(authority: &Authority) -> Anchors {
    Anchors::from_pem(authority.pem().as_bytes(), SystemClock.now()).unwrap()
}

fn credentials(issued: &Issued) -> Credentials {
    Credentials::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

struct Gateway {
    address: SocketAddr,
    connections: Connections,
    shutdown: CancellationToken,
    ended: JoinHandle<Drained>,
}

impl Gateway {
    async fn start(pki: &Pki, limits: Limits, drain: Duration) -> Self {
        let issued = pki.servers.issue(&Profile::server(&Pki::hosts()).unwrap(), life()).unwrap();
        Self::start_as(&issued, &pki.institutions, limits, drain).await
    }

    async fn start_as(issued: &Issued, clients: &Authority, limits: Limits, drain: Duration) -> Self {
        let tls = ServerTls::new(credentials(issued), &anchors(clients), Audience::Institutions, DOMAIN).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, shutdown) = (Connections::default(), CancellationToken::new());
        let make = |caller: Arc<Caller>, _| tower::service_fn(move |request| answer(caller.clone(), request));
        let ended = tokio::spawn(serve(listener, Arc::new(ArcSwap::from_pointee(tls)), limits, connections.clone(), make, shutdown.clone(), drain));
        Self { address, connections, shutdown, ended }
    }

    fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.address.port()).replace("localhost", "127.0.0.1")
    }

    async fn raw(&self, config: Arc<ClientConfig>) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        tokio_rustls::TlsConnector::from(config).connect("localhost".try_into().unwrap(), socket).await
    }

    /// Why a client with this configuration is not served, as `weiche check` would put it.
    async fn refusal(&self, config: Arc<ClientConfig>) -> String {
        match probe(&self.endpoint(), config).await {
            Ok(probed) => panic!("let in: {probed:?}"),
            Err(error) => error.to_string(),
        }
    }

    async fn call(&self, config: Arc<ClientConfig>, path: &str) -> Result<http::Response<Body>, tonic::transport::Error> {
        channel(&self.endpoint(), config).unwrap().oneshot(http::Request::post(path).body(Body::empty()).unwrap()).await
    }

    async fn until_no_connection_is_left(&self) {
        within(AGES, async {
            while !self.connections.list().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

/// What the tests ask for by path.
async fn answer(caller: Arc<Caller>, request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    let body = match request.uri().path() {
        "/hang" => std::future::pending().await,
        "/soon" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Body::empty()
        }
        "/stream" => {
            let first = futures_util::stream::iter([Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(b"first")))]);
            Body::new(http_body_util::StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending())))
        }
        _ => Body::empty(),
    };
    Ok(http::Response::builder().header("caller", caller.spiffe()).header("grpc-status", "0").body(body).unwrap())
}

async fn within<T>(time: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, work).await.expect("it took too long")
}

/// Reads until the other side closes, one way or the other.
async fn until_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = [0u8; 1024];
    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
}

#[tokio::test]
async fn a_case_system_gets_in_and_is_known_by_its_uri_alone() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let client = pki.client(Some(&pki.system("awo-bremen")));
    let response = gateway.call(client.clone(), "/who").await.unwrap();
    assert_eq!(response.headers()["caller"], "spiffe://weiche.example.invalid/institution/awo-bremen/system/fallakte");
    let probed = probe(&gateway.endpoint(), client).await.unwrap();
    assert_eq!(probed.tls, "TLSv1_3 TLS13_AES_256_GCM_SHA384 secp256r1MLKEM768");
    assert_eq!((probed.http_status, probed.grpc_status.as_deref()), (200, Some("0")));
}

#[tokio::test]
async fn nobody_else_gets_in_and_everybody_learns_why() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let now = SystemClock.now();
    let profile = Profile::institution(DOMAIN, &"awo-bremen".parse().unwrap(), "fallakte", &[]).unwrap();
    let issue = |profile: &Profile, validity| pki.institutions.issue(profile, validity).unwrap();
    let improper = |uris: &[&str]| issue(&Profile::improper(uris).unwrap(), life());
    let own = "spiffe://weiche.example.invalid/institution/awo-bremen/system/fallakte";
    let foreign = Pki::new();
    let cases = [
        ("requires a client certificate", None),
        ("expired or is not valid yet", Some(issue(&profile, Validity::between(now.minus(DAY * 2), now.minus(DAY))))),
        ("expired or is not valid yet", Some(issue(&profile, Validity::between(now.plus(DAY), now.plus(DAY * 2))))),
        ("does not trust the authority", Some(foreign.institutions.issue(&profile, life()).unwrap())),
        ("names nobody it lets in", Some(improper(&[own, "spiffe://weiche.example.invalid/institution/drk-bremen/system/tasks"]))),
        ("names nobody it lets in", Some(improper(&[own, own]))),
        ("names nobody it lets in", Some(improper(&[]))),
        ("names nobody it lets in", Some(improper(&["spiffe://other.example.invalid/institution/awo-bremen/system/fallakte"]))),
        ("names nobody it lets in", Some(improper(&["spiffe://WEICHE.example.invalid/institution/awo-bremen/system/fallakte"]))),
        ("names nobody it lets in", Some(improper(&["spiffe://weiche.example.invalid/operator/ops/admin"]))),
        ("does not trust the authority", Some(pki.operators.issue(&Profile::admin(DOMAIN, "ops").unwrap(), life()).unwrap())),
        ("does not trust the authority", Some(pki.root.issue(&profile, life()).unwrap())),
        ("not for clients", Some(issue(&Profile::server(&Pki::hosts()).unwrap(), life()))),
    ];
    for (reason, issued) in cases {
        let text = gateway.refusal(pki.client(issued.as_ref())).await;
        assert!(text.contains(reason), "expected {reason:?}, got {text:?}");
    }
    let elsewhere = Arc::new(client_config(None, &anchors(&foreign.servers), Expected::Host).unwrap());
    assert!(gateway.refusal(elsewhere).await.contains("authority that is not trusted"));
    assert!(gateway.connections.list().is_empty());
}

#[tokio::test]
async fn a_client_of_tls_1_2_and_one_without_http_2_are_refused() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let with = |version: &'static rustls::SupportedProtocolVersion, alpn: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(pki.servers.certificate().unwrap().clone()).unwrap();
        let issued = pki.system("awo-bremen");
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(issued.chain().to_vec(), issued.key())
            .unwrap();
        config.alpn_protocols = if alpn.is_empty() { vec![] } else { vec![alpn.to_vec()] };
        Arc::new(config)
    };
    assert!(gateway.refusal(with(&rustls::version::TLS12, b"h2")).await.contains("TLS 1.3"));
    assert!(gateway.refusal(with(&rustls::version::TLS13, b"http/1.1")).await.contains("HTTP/2"));
    let mut stream = gateway.raw(with(&rustls::version::TLS13, b"")).await.unwrap();
    within(AGES, until_closed(&mut stream)).await;
    assert!(gateway.connections.list().is_empty());
}

#[tokio::test]
async fn no_session_is_ever_resumed() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits { first_request: Duration::from_millis(100), ..Limits::default() }, AGES).await;
    let mut config = (*pki.client(Some(&pki.system("awo-bremen")))).clone();
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut stream = gateway.raw(config.clone()).await.unwrap();
        within(AGES, until_closed(&mut stream)).await;
        let connection = stream.get_ref().1;
        assert_ne!(connection.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!((connection.tls13_tickets_received(), connection.is_early_data_accepted()), (0, false));
    }
}

#[tokio::test]
async fn we_deliver_only_to_the_institution_that_is_meant() {
    let pki = Pki::new();
    let recipient = Gateway::start_as(&pki.system("drk-bremen"), &pki.institutions, Limits::default(), AGES).await;
    let call = async |institution: &str, name: &str| {
        let expected = Expected::Institution { trust_domain: DOMAIN.into(), institution: institution.parse().unwrap() };
        let config = client_config(Some(credentials(&pki.system("awo-bremen"))), &anchors(&pki.institutions), expected).unwrap();
        probe(&format!("https://{name}:{}", recipient.address.port()), Arc::new(config)).await
    };
    call("drk-bremen", "127.0.0.1").await.unwrap();
    let mistaken = call("caritas-bremen", "127.0.0.1").await.unwrap_err().to_string();
    assert!(mistaken.contains("does not name whom it must"), "{mistaken}");
    let elsewhere = call("drk-bremen", "127.0.0.2").await.unwrap_err();
    assert!(matches!(elsewhere, ProbeError::Unreachable(_)), "{elsewhere}");
}

#[tokio::test]
async fn a_failed_channel_says_why() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let foreign = Arc::new(client_config(None, &anchors(&Pki::new().servers), Expected::Host).unwrap());
    let error = gateway.call(foreign, "/who").await.unwrap_err();
    let reason = weiche::delivery::connect_reason(&error).unwrap().to_string();
    assert!(reason.contains("not trusted"), "{reason}");
    let nobody = channel("https://127.0.0.1:1", pki.client(None)).unwrap().oneshot(http::Request::new(Body::empty())).await.unwrap_err();
    assert!(weiche::delivery::connect_reason(&nobody).unwrap().to_string().contains("no connection to the port"));
}

#[tokio::test]
async fn a_silent_stranger_and_a_caller_without_a_request_are_shown_out() {
    let pki = Pki::new();
    let short = Duration::from_millis(200);
    let gateway = Gateway::start(&pki, Limits { handshake: short, first_request: short, ..Limits::default() }, AGES).await;
    let started = Instant::now();
    let mut silent = TcpStream::connect(gateway.address).await.unwrap();
    within(AGES, until_closed(&mut silent)).await;
    assert!(started.elapsed() >= short);

    let roomy = Gateway::start(&pki, Limits { first_request: short, ..Limits::default() }, AGES).await;
    let mut quiet = roomy.raw(pki.client(Some(&pki.system("awo-bremen")))).await.unwrap();
    let started = Instant::now();
    within(AGES, until_closed(&mut quiet)).await;
    assert!(started.elapsed() >= short / 2);
    roomy.until_no_connection_is_left().await;
}

#[tokio::test]
async fn an_idle_connection_ends_but_not_one_with_a_stream() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits { idle: Duration::from_millis(200), ..Limits::default() }, AGES).await;
    let client = pki.client(Some(&pki.system("awo-bremen")));
    let mut channel = channel(&gateway.endpoint(), client.clone()).unwrap();
    let stream = gateway.call(client, "/stream").await.unwrap();
    tower_service::Service::call(channel.ready().await.unwrap(), http::Request::post("/who").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(gateway.connections.list().len(), 2);
    within(AGES, async {
        while gateway.connections.list().len() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(gateway.connections.list().len(), 1, "the one with the stream stays");
    drop(stream);
    gateway.until_no_connection_is_left().await;
}

#[tokio::test]
async fn an_old_connection_is_asked_to_go_and_then_cut() {
    let pki = Pki::new();
    let limits = Limits { age: Duration::from_millis(200), grace: Duration::from_millis(200), ..Limits::default() };
    let gateway = Gateway::start(&pki, limits, AGES).await;
    let started = Instant::now();
    let mut body = gateway.call(pki.client(Some(&pki.system("awo-bremen"))), "/stream").await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(within(AGES, body.frame()).await.is_none_or(|frame| frame.is_err()));
    assert!(started.elapsed() >= Duration::from_millis(300), "a stream may finish within the grace");
    gateway.until_no_connection_is_left().await;
}

#[tokio::test]
async fn one_institution_cannot_take_the_places_of_the_others() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits { connections_per_caller: 1, ..Limits::default() }, AGES).await;
    let client = pki.client(Some(&pki.system("awo-bremen")));
    let held = gateway.call(client.clone(), "/stream").await.unwrap();
    gateway.refusal(pki.client(Some(&pki.system("awo-bremen")))).await;
    gateway.call(pki.client(Some(&pki.system("drk-bremen"))), "/who").await.unwrap();
    drop(held);
    gateway.until_no_connection_is_left().await;
    gateway.call(client, "/who").await.unwrap();
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_closed_at_once() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits { handshakes_per_address: 2, ..Limits::default() }, AGES).await;
    let held = [TcpStream::connect(gateway.address).await.unwrap(), TcpStream::connect(gateway.address).await.unwrap()];
    let mut third = TcpStream::connect(gateway.address).await.unwrap();
    within(Duration::from_secs(2), until_closed(&mut third)).await;
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
    gateway.call(pki.client(Some(&pki.system("awo-bremen"))), "/who").await.unwrap();
}

/// A frame of HTTP/2 (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The error code of the last GOAWAY among the frames that came.
fn goaway(mut frames: &[u8]) -> Option<u32> {
    let mut code = None;
    while let Some((head, rest)) = frames.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if head[3] == 7 {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        frames = rest;
    }
    code
}

#[tokio::test]
async fn a_flood_of_reset_streams_ends_the_connection_that_it_comes_on_and_no_other() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let (flooding, other) = (pki.system("awo-bremen"), pki.system("drk-bremen"));
    // `:method POST`, `:scheme https`, `:path /` by their numbers; the second says its method twice, which is an error of that stream.
    for (what, headers, reset) in [("opened and reset", &[0x83, 0x87, 0x84][..], true), ("malformed", &[0x83, 0x83, 0x87, 0x84], false)] {
        let mut stream = gateway.raw(pki.client(Some(&flooding))).await.unwrap();
        let mut flood = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat();
        for id in (1..2000).step_by(2) {
            flood.extend(frame(1, 4, id, headers));
            if reset {
                flood.extend(frame(3, 0, id, &8_u32.to_be_bytes()));
            }
        }
        // It may be cut in the middle.
        let _ = stream.write_all(&flood).await;
        let _ = stream.flush().await;
        let mut heard = Vec::new();
        let _ = within(AGES, stream.read_to_end(&mut heard)).await;
        assert_eq!(goaway(&heard), Some(ENHANCE_YOUR_CALM), "{what}");
        assert!(gateway.call(pki.client(Some(&other)), "/").await.is_ok(), "{what}: the others are served");
    }
}

#[tokio::test]
async fn a_kill_ends_a_live_stream_at_once_and_spares_the_others() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let (doomed, spared) = (pki.system("awo-bremen"), pki.system("drk-bremen"));
    let mut doomed_body = gateway.call(pki.client(Some(&doomed)), "/stream").await.unwrap().into_body();
    let mut spared_body = gateway.call(pki.client(Some(&spared)), "/stream").await.unwrap().into_body();
    assert!(doomed_body.frame().await.unwrap().is_ok() && spared_body.frame().await.unwrap().is_ok());
    assert_eq!(gateway.connections.kill_serial(doomed.serial()), 1);
    let ended = within(Duration::from_secs(1), doomed_body.frame()).await;
    assert!(ended.is_none_or(|frame| frame.is_err()));
    assert!(tokio::time::timeout(Duration::from_millis(200), spared_body.frame()).await.is_err());
    assert_eq!(gateway.connections.list().len(), 1);
    assert_eq!(gateway.connections.kill_institution(&"drk-bremen".parse().unwrap()), 1);
    within(Duration::from_secs(1), spared_body.frame()).await;
}

#[tokio::test]
async fn draining_answers_what_is_in_flight_and_returns_by_its_deadline_whatever_clients_do() {
    let pki = Pki::new();
    let deadline = Duration::from_millis(1500);
    let gateway = Gateway::start(&pki, Limits::default(), deadline).await;
    let client = pki.client(Some(&pki.system("awo-bremen")));
    let mut unfinished = TcpStream::connect(gateway.address).await.unwrap();
    let quiet = gateway.raw(client.clone()).await.unwrap();
    let hanging =
        tokio::spawn(channel(&gateway.endpoint(), client.clone()).unwrap().oneshot(http::Request::post("/hang").body(Body::empty()).unwrap()));
    let finishing =
        tokio::spawn(channel(&gateway.endpoint(), client.clone()).unwrap().oneshot(http::Request::post("/soon").body(Body::empty()).unwrap()));
    within(AGES, async {
        while gateway.connections.list().len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    gateway.shutdown.cancel();
    assert_eq!(finishing.await.unwrap().unwrap().status(), 200);
    within(AGES, until_closed(&mut unfinished)).await;
    assert!(TcpStream::connect(gateway.address).await.is_err(), "the socket is closed at once");
    let drained = gateway.ended.await.unwrap();
    assert!(started.elapsed() <= deadline + Duration::from_millis(100), "{:?}", started.elapsed());
    assert!(started.elapsed() >= Duration::from_millis(250));
    assert!(drained.cut >= 1, "{drained:?}");
    assert!(hanging.await.unwrap().is_err());
    drop(quiet);
    assert!(gateway.connections.list().is_empty());
}

#[tokio::test]
async fn an_empty_gateway_drains_at_once() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    gateway.call(pki.client(Some(&pki.system("awo-bremen"))), "/who").await.unwrap();
    gateway.shutdown.cancel();
    assert_eq!(within(Duration::from_secs(2), gateway.ended).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn connect_is_refused() {
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let mut stream = gateway.raw(pki.client(Some(&pki.system("awo-bremen")))).await.unwrap();
    // Preface, empty SETTINGS, then HEADERS on stream 1 with :method CONNECT and :authority x.invalid:1 as plain literals (RFC 9113, RFC 7541).
    let block = [&[0x02, 7][..], b"CONNECT", &[0x01, 11], b"x.invalid:1"].concat();
    let length = u8::try_from(block.len()).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    stream.write_all(&[&[0, 0, length, 0x01, 0x04, 0, 0, 0, 1][..], &block].concat()).await.unwrap();
    let answered = within(AGES, async {
        loop {
            let mut head = [0u8; 9];
            stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == 0x01 && head[8] == 1 {
                return (head, payload);
            }
        }
    })
    .await;
    assert_eq!(answered.0[4] & 0x01, 0x01, "the answer ends the stream");
    // :status as a literal after the static name 8, plain or in Huffman code: 405 either way.
    let status = &answered.1[..5.min(answered.1.len())];
    assert!(status.ends_with(b"405") || status.ends_with(&[0x68, 0x0d, 0xff]), "{status:02x?}");
}

#[tokio::test]
async fn a_refusal_is_logged_with_reason_address_and_serial_and_nothing_else() {
    let lines = Captured::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::WARN).with_writer(move || writer.clone()).finish();
    let _listening = Listening::to(subscriber);
    let pki = Pki::new();
    let gateway = Gateway::start(&pki, Limits::default(), AGES).await;
    let two = Profile::improper(&[
        "spiffe://weiche.example.invalid/institution/awo-bremen/system/a1",
        "spiffe://weiche.example.invalid/institution/awo-bremen/system/a2",
    ]);
    let issued = pki.institutions.issue(&two.unwrap(), life()).unwrap();
    gateway.refusal(pki.client(Some(&issued))).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let event: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).unwrap();
    let fields = event["fields"].as_object().unwrap();
    assert_eq!(fields["serial"], issued.serial());
    assert_eq!(fields["reason"], "the certificate must carry exactly one URI name, found 2");
    assert!(fields["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}
