// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The recipients' machines. The Jobcenter is called, and answers well, late, badly, or breaks off with everything kept; the Agentur fetches. Both
//! answer
//! the sender about some of what came, until they are heard.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rand::Rng as _;
use rand::rngs::SmallRng;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::sleep;
use tonic::Status;
use weiche::grpc::listener::Accept as _;
use weiche::proto::exchange::AnswerReferralRequest;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::institution::{DeliverRecallRequest, DeliverReferralRequest, DeliverStatusRequest};
use weiche::proto::types::{ReferralState, StatusChange};

use super::calls::Clerk;
use super::inbox;
use super::world::{AGENTUR, Answered, Arrival, JOBCENTER, JOBCENTER_DOOR, What, World, id, institution, pem};

/// What a recipient has to say, on its disk.
pub struct Answers {
    chance: Mutex<SmallRng>,
    known: Mutex<BTreeSet<String>>,
    /// Each with when it was said first.
    open: Mutex<Vec<(Option<u64>, AnswerReferralRequest)>>,
}

impl Answers {
    pub fn of(world: &World, machine: &str) -> Arc<Self> {
        Arc::new(Self { chance: Mutex::new(world.chance(&format!("{machine} answers"))), known: Mutex::default(), open: Mutex::default() })
    }

    /// A referral has come: about some of them there is something to say.
    pub fn came(&self, world: &World, referral: &str) {
        let mut chance = self.chance.lock().unwrap();
        if !self.known.lock().unwrap().insert(referral.to_owned()) || chance.random_bool(0.5) {
            return;
        }
        let mut states = vec![ReferralState::Accepted];
        if chance.random_bool(0.3) {
            states.push(ReferralState::Completed);
        }
        for state in states {
            let (request_id, event_id) = (id(&mut chance), id(&mut chance));
            let change = StatusChange { referral_id: referral.to_owned(), event_id, state: state as i32, ..StatusChange::default() };
            self.open.lock().unwrap().push((None, AnswerReferralRequest { request_id, change: Some(change) }));
            world.to_do.fetch_add(1, SeqCst);
        }
    }

    async fn say(&self, world: Arc<World>, machine: &'static str) {
        let mut clerk = Clerk::at(&world, machine, "answers");
        loop {
            let pause = clerk.millis(20..800);
            sleep(pause).await;
            let next = self.open.lock().unwrap().first_mut().map(|(asked, request)| (*asked.get_or_insert_with(World::now), request.clone()));
            let Some((asked, request)) = next else { continue };
            let (span, answer) =
                clerk.ask(asked, &request, |line, request| async move { ReferralServiceClient::new(line).answer_referral(request).await }).await;
            let (referral, answer) = (request.change.unwrap().referral_id, answer.map(|said| said.receipt.unwrap().leaf_index));
            world.seen().answers.push(Answered { referral, span, answer });
            self.open.lock().unwrap().remove(0);
            world.to_do.fetch_sub(1, SeqCst);
        }
    }
}

/// The Agentur, from its start to a crash.
pub async fn agentur(world: Arc<World>, answers: Arc<Answers>) -> turmoil::Result {
    let (said, by) = (answers.clone(), world.clone());
    tokio::spawn(async move { said.say(by, AGENTUR).await });
    inbox::run(world, AGENTUR, Some(answers)).await
}

/// The Jobcenter.
pub async fn jobcenter(world: Arc<World>, answers: Arc<Answers>) -> turmoil::Result {
    let (said, by) = (answers.clone(), world.clone());
    tokio::spawn(async move { said.say(by, JOBCENTER).await });
    let port = world.machine(JOBCENTER).listen(JOBCENTER_DOOR).await;
    let (acceptor, chance) = (acceptor(), Arc::new(Mutex::new(world.chance(&format!("manners {}", World::now())))));
    loop {
        let (socket, _) = port.accept().await?;
        let (acceptor, world, answers, chance) = (acceptor.clone(), world.clone(), answers.clone(), chance.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else { return };
            let service = hyper::service::service_fn(move |request| answer(world.clone(), answers.clone(), chance.clone(), request));
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    let chain = |name: &str| CertificateDer::pem_slice_iter(&pem(name)).collect::<Result<Vec<_>, _>>().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain("servers-ca.pem").remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let id = institution(JOBCENTER);
    let key = PrivateKeyDer::from_pem_slice(&pem(&format!("institution/{id}.key"))).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&format!("institution/{id}.pem")), key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(tls))
}

type Response = Result<http::Response<tonic::body::Body>, std::io::Error>;

/// One call of the gateway.
async fn answer(world: Arc<World>, answers: Arc<Answers>, chance: Arc<Mutex<SmallRng>>, request: http::Request<Incoming>) -> Response {
    let path = request.uri().path().to_owned();
    let bytes = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let (manner, late) = {
        let mut chance = chance.lock().unwrap();
        let manner = if world.is_calm() { 0 } else { chance.random_range(0..100) };
        (manner, chance.random_range(1..2500))
    };
    match manner {
        70..78 => return Ok(Status::unavailable("busy").into_http()),
        78..82 => return Ok(Status::resource_exhausted("busy").into_http()),
        82..84 => return Ok(Status::invalid_argument("never").into_http()),
        _ => {}
    }
    let (delivery, leaf) = keep(&world, &answers, &path, bytes.slice(5..));
    match manner {
        0..50 => {}
        50..70 => sleep(Duration::from_millis(late)).await,
        // Longer than the lease.
        84..90 => sleep(super::world::LEASE + Duration::from_millis(late)).await,
        _ => return Err(std::io::Error::other("it breaks off")),
    }
    world.seen().acknowledged.insert((delivery, leaf));
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)].map(Ok::<_, std::io::Error>);
    let body = tonic::body::Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    Ok(http::Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}

/// On its disk; what was delivered, by which release.
fn keep(world: &World, answers: &Answers, path: &str, bytes: Bytes) -> (String, Option<u64>) {
    let (delivery, leaf, what) = match path.rsplit('/').next().unwrap() {
        "DeliverReferral" => {
            let request = DeliverReferralRequest::decode(bytes).unwrap();
            (request.delivery_id, request.receipt.map(|receipt| receipt.leaf_index), What::Referral(Box::new(request.referral.unwrap())))
        }
        "DeliverStatus" => {
            let request = DeliverStatusRequest::decode(bytes).unwrap();
            (request.delivery_id, None, What::Status(request.change.unwrap()))
        }
        _ => {
            let request = DeliverRecallRequest::decode(bytes).unwrap();
            (request.delivery_id, None, What::Recall(request.notice.unwrap()))
        }
    };
    if let What::Referral(referral) = &what {
        answers.came(world, &referral.referral_id);
    }
    world.seen().arrivals.push(Arrival { at: World::now(), to: JOBCENTER, delivery: delivery.clone(), leaf, what });
    (delivery, leaf)
}
