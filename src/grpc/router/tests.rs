// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Real HTTP/2 over an in-memory pipe, with tonic's client on the other side.

use futures_util::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::*;
use crate::grpc::health::Condition;

const SERVICE: &str = "weiche.exchange.v1.ReferralService";

fn caller(path: &str) -> Arc<Caller> {
    Arc::new(Caller::from_uri("weiche.example.invalid", &format!("spiffe://weiche.example.invalid/{path}"), "01").unwrap())
}

fn institution() -> Arc<Caller> {
    caller("institution/awo-bremen/system/akte")
}

fn limits() -> Limits {
    Limits { default_deadline: Duration::from_millis(300), ordinary: 2, reserved: 1, streams: 4, ..Limits::default() }
}

/// A router with one method of every kind and temper.
fn router(health: &Health) -> Arc<Router> {
    let access = Arc::new(Access::canonical());
    let router = Router::new(access.clone(), health.clone(), limits())
        .method(SERVICE, "Echo", Method::unary(|_, message| async move { Ok(message) }).message_limit(64 * 1024))
        .method(
            SERVICE,
            "Refuse",
            Method::unary(|_, _| async { Err(Refusal::new(ErrorReason::NotFound, "no such referral").with("kind", "referral")) }),
        )
        .method(SERVICE, "Hang", Method::unary(|_, _| std::future::pending()))
        .method(SERVICE, "Urgent", Method::unary(|_, message| async move { Ok(message) }).lane(Lane::Reserved))
        .method(SERVICE, "Panic", Method::unary(|_, _| async { panic!("Kanarius") }))
        .method(
            SERVICE,
            "Count",
            Method::server_streaming(|_, message| async move {
                let items = (0..message.len()).map(|n| Ok(Bytes::from(n.to_string())));
                Ok(Box::pin(tokio_stream::iter(items)) as Reply)
            }),
        )
        .method(
            SERVICE,
            "Converse",
            Method::streaming(|_, inbound| async move {
                let replies = futures_util::stream::try_unfold(inbound, |mut inbound| async move {
                    let next = inbound.next().await?;
                    assert_ne!(next.as_deref(), Some(&b"panic"[..]));
                    Ok(next.map(|message| (message, inbound)))
                });
                Ok(Box::pin(replies) as Reply)
            }),
        );
    Arc::new(health.serve(router, &access))
}

/// A client on the far end of a pipe to `router`.
async fn client(router: &Arc<Router>, caller: Arc<Caller>) -> Grpc<Channel> {
    let connection = router.connection(caller, "127.0.0.1:50051".parse().unwrap());
    let (near, far) = tokio::io::duplex(256 * 1024);
    tokio::spawn(async move {
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        // As the listener has it: a client may do something wrong so many times.
        server.max_local_error_reset_streams(100);
        let _ = server.serve_connection(TokioIo::new(far), TowerToHyperService::new(connection)).await;
    });
    let mut near = Some(near);
    let connector = tower::service_fn(move |_| {
        let near = near.take();
        async move { near.map(TokioIo::new).ok_or_else(|| std::io::Error::other("one connection only")) }
    });
    let channel = Endpoint::from_static("http://weiche.example.invalid").connect_with_connector(connector).await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    client
}

async fn ready() -> (Health, Grpc<Channel>) {
    let health = Health::default();
    let client = client(&router(&health), institution()).await;
    (health, client)
}

fn path(text: &str) -> http::uri::PathAndQuery {
    format!("/{SERVICE}/{text}").parse().unwrap()
}

async fn unary(client: &Grpc<Channel>, method: &str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
    let mut client = client.clone();
    client.ready().await.unwrap();
    client.unary(Request::new(message.into()), path(method), BytesCodec).await.map(tonic::Response::into_inner)
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    assert!(details.localized_message().is_some(), "{status:?}");
    (status.code(), details.error_info().unwrap().reason.clone())
}

#[tokio::test]
async fn bytes_go_in_and_come_out() {
    let (_, client) = ready().await;
    assert_eq!(unary(&client, "Echo", "ahoi").await.unwrap(), "ahoi");
    assert_eq!(unary(&client, "Echo", "").await.unwrap(), "");
    let status = unary(&client, "Refuse", "").await.unwrap_err();
    assert_eq!(reason(&status), (Code::NotFound, "NOT_FOUND".into()));
}

#[tokio::test]
async fn streams_run_in_both_directions_and_outlive_the_deadline() {
    let (_, mut client) = ready().await;
    let stream = client.server_streaming(Request::new(Bytes::from("xxx")), path("Count"), BytesCodec).await.unwrap().into_inner();
    let items: Vec<Bytes> = stream.map(Result::unwrap).collect().await;
    assert_eq!(items, ["0", "1", "2"]);

    let (send, receive) = tokio::sync::mpsc::channel(4);
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receive));
    request.set_timeout(Duration::from_secs(20));
    request.metadata_mut().insert("grpc-timeout", "20m".parse().unwrap());
    client.ready().await.unwrap();
    let mut replies = client.streaming(request, path("Converse"), BytesCodec).await.unwrap().into_inner();
    for word in ["a", "b"] {
        send.send(Bytes::from(word)).await.unwrap();
        assert_eq!(replies.message().await.unwrap().unwrap(), word);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    send.send(Bytes::from("panic")).await.unwrap();
    assert_eq!(reason(&replies.message().await.unwrap_err()), (Code::Internal, "INTERNAL".into()));
}

#[tokio::test]
async fn not_there_and_not_yours_are_one_answer() {
    let (health, client) = ready().await;
    let there = unary(&client, "Nonsense", "").await.unwrap_err();
    assert_eq!(reason(&there), (Code::Unimplemented, "UNKNOWN_METHOD".into()));
    let admin = self::client(&router(&health), caller("operator/ops/admin")).await;
    let yours = unary(&admin, "Echo", "").await.unwrap_err();
    assert_eq!((there.code(), there.message(), there.details()), (yours.code(), yours.message(), yours.details()));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_before_and_after_decompression() {
    let (_, client) = ready().await;
    assert_eq!(unary(&client, "Echo", vec![7; 64 * 1024]).await.unwrap().len(), 64 * 1024);
    let status = unary(&client, "Echo", vec![7; 64 * 1024 + 1]).await.unwrap_err();
    assert_eq!(reason(&status), (Code::InvalidArgument, "MESSAGE_TOO_LARGE".into()));

    let zipped = client.clone().send_compressed(CompressionEncoding::Gzip);
    assert_eq!(unary(&zipped, "Echo", vec![7; 60 * 1024]).await.unwrap().len(), 60 * 1024);
    // 8 MiB of zeros are some 8 KiB on the wire.
    let status = unary(&zipped, "Echo", vec![0; 8 << 20]).await.unwrap_err();
    assert_eq!(reason(&status), (Code::InvalidArgument, "MESSAGE_TOO_LARGE".into()));
}

#[tokio::test]
async fn the_gateway_answers_a_missed_deadline_itself() {
    let (_, client) = ready().await;
    let status = unary(&client, "Hang", "").await.unwrap_err();
    assert_eq!(reason(&status), (Code::DeadlineExceeded, "DEADLINE_PASSED".into()));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_nothing_and_the_next_call_works() {
    let (_, client) = ready().await;
    let status = unary(&client, "Panic", "").await.unwrap_err();
    assert_eq!(reason(&status), (Code::Internal, "INTERNAL".into()));
    assert!(!format!("{status:?}").contains("Kanarius"));
    assert!(status.get_error_details().error_info().unwrap().metadata.contains_key("call_id"));
    assert_eq!(unary(&client, "Echo", "ahoi").await.unwrap(), "ahoi");
}

/// Takes all ordinary places with calls that hang until they are let go; those, and how the next one was refused.
async fn full(client: &Grpc<Channel>) -> (JoinSet<Result<(), Status>>, Status) {
    let mut hanging = JoinSet::new();
    loop {
        // One that came while another call had its place was refused.
        while hanging.try_join_next().is_some() {}
        while hanging.len() < 2 {
            let mut client = client.clone();
            hanging.spawn(async move {
                let mut request = Request::new(Bytes::new());
                request.set_timeout(Duration::from_secs(60));
                client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
                client.unary(request, path("Hang"), BytesCodec).await.map(drop)
            });
        }
        match unary(client, "Echo", "").await {
            Ok(_) => tokio::task::yield_now().await,
            Err(status) => return (hanging, status),
        }
    }
}

#[tokio::test]
async fn what_is_too_much_is_shed_and_the_reserved_lane_stays_open() {
    let (_, client) = ready().await;
    let (hanging, shed) = full(&client).await;
    assert_eq!(reason(&shed), (Code::ResourceExhausted, "OVERLOADED".into()));
    let delay = shed.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert!((500..1500).contains(&delay.as_millis()), "{delay:?}");
    assert!(shed.metadata().contains_key("grpc-retry-pushback-ms"));
    assert_eq!(unary(&client, "Urgent", "x").await.unwrap(), "x");
    // Whoever goes away makes room.
    drop(hanging);
    while unary(&client, "Echo", "x").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_are_refused_no_connection_breaks() {
    let (_, client) = ready().await;
    let (mut hanging, _) = full(&client).await;
    for _ in 0..20 {
        let calls = (0..100).map(|_| unary(&client, "Echo", vec![0; 40_000]));
        for answer in futures_util::future::join_all(calls).await {
            let broken = answer.err().filter(|status| status.code() != Code::ResourceExhausted);
            assert!(broken.is_none(), "{broken:?}");
        }
    }
    assert!(hanging.try_join_next().is_none_or(|ended| ended.unwrap().unwrap_err().code() == Code::ResourceExhausted), "the calls on it go on");
}

#[tokio::test]
async fn while_draining_only_health_answers() {
    use prost::Message;
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    let (health, mut client) = ready().await;
    let check = |service: &str| Request::new(Bytes::from(HealthCheckRequest { service: service.into() }.encode_to_vec()));
    let path: http::uri::PathAndQuery = "/grpc.health.v1.Health/Check".parse().unwrap();
    for (condition, expected) in
        [(Condition::Ready, 1), (Condition::Failed("ledger"), 2), (Condition::Ready, 1), (Condition::Draining, 2), (Condition::Ready, 2)]
    {
        health.set(condition);
        client.ready().await.unwrap();
        let answer = client.unary(check(""), path.clone(), BytesCodec).await.unwrap().into_inner();
        assert_eq!(HealthCheckResponse::decode(answer).unwrap().status, expected);
    }
    client.ready().await.unwrap();
    let unknown = client.unary(check("weiche.admin.v1.AdminService"), path, BytesCodec).await.unwrap_err();
    assert_eq!(reason(&unknown), (Code::NotFound, "NOT_FOUND".into()));
    let status = unary(&client, "Echo", "").await.unwrap_err();
    assert_eq!(reason(&status), (Code::Unavailable, "DRAINING".into()));
}

/// Sends one raw request and gives back the HTTP status and the `grpc-status` header.
async fn raw(request: http::request::Builder, body: Vec<u8>) -> (u16, Option<String>) {
    use tower::Service;
    let mut connection = router(&Health::default()).connection(institution(), "127.0.0.1:50051".parse().unwrap());
    let body = http_body_util::Full::new(Bytes::from(body));
    let answer = connection.call(request.body(body).unwrap()).await.unwrap();
    let code = answer.headers().get("grpc-status").map(|v| v.to_str().unwrap().to_owned());
    (answer.status().as_u16(), code)
}

#[tokio::test]
async fn what_is_not_grpc_is_turned_away() {
    let post = || http::Request::post(path("Echo")).header("content-type", "application/grpc");
    assert_eq!(raw(http::Request::get(path("Echo")), vec![]).await, (405, None));
    assert_eq!(raw(http::Request::builder().method("CONNECT").uri("example.invalid:443"), vec![]).await, (405, None));
    assert_eq!(raw(http::Request::post(path("Echo")).header("content-type", "application/json"), vec![]).await, (415, None));
    // No message, two messages, half a message, a bad flag, broken gzip: INVALID_ARGUMENT.
    for body in [&[][..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 9, 1], &[7, 0, 0, 0, 0]] {
        assert_eq!(raw(post(), body.to_vec()).await, (200, Some("3".into())), "{body:?}");
    }
    let broken = raw(post().header("grpc-encoding", "gzip"), vec![1, 0, 0, 0, 3, 1, 2, 3]).await;
    assert_eq!(broken, (200, Some("3".into())));
    assert_eq!(raw(post().header("grpc-encoding", "br"), vec![0; 5]).await, (200, Some("12".into())));
    assert_eq!(raw(post().header("grpc-timeout", "soon"), vec![0; 5]).await, (200, Some("3".into())));
}

#[tokio::test]
async fn a_deadline_beyond_the_longest_is_cut_to_it() {
    let health = Health::default();
    let access = Arc::new(Access::canonical());
    let limits = Limits { longest_deadline: Duration::from_millis(200), ..limits() };
    let router = Router::new(access.clone(), health.clone(), limits).method(SERVICE, "Hang", Method::unary(|_, _| std::future::pending()));
    let mut client = client(&Arc::new(health.serve(router, &access)), institution()).await;
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("grpc-timeout", "1H".parse().unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(20), client.unary(request, path("Hang"), BytesCodec)).await;
    let status = answer.expect("an hour is not waited for").unwrap_err();
    assert_eq!(reason(&status), (Code::DeadlineExceeded, "DEADLINE_PASSED".into()));
}

#[test]
fn timeouts_are_read_as_the_specification_writes_them() {
    assert_eq!(timeout("1H"), Some(Duration::from_secs(3600)));
    assert_eq!(timeout("99999999S"), Some(Duration::from_secs(99_999_999)));
    assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
    for wrong in ["", "S", "1", "-1S", "+1S", "123456789S", "1s", "1.5S", "1ä"] {
        assert_eq!(timeout(wrong), None, "{wrong}");
    }
}
