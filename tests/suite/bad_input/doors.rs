// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What goes wrong before a message is looked at: certificates, deadlines, compression, other protocols.

use std::time::Duration;

use tonic::codec::CompressionEncoding;
use tower::ServiceExt as _;
use weiche::delivery::probe;
use weiche::pki::{Authority, Profile, Validity};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A gzip stream of this many zeros is a thousandth of it.
const BOMB: usize = 64 << 20;

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
