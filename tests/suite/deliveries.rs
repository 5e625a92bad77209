// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A whole gateway and a recipient that it calls, over real sockets and mutual TLS: up, down, slow, unwilling, and at the end.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sqlx::ConnectOptions as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use weiche::cli::config::Config;
use weiche::cli::gateway::{self, Listeners, Running};
use weiche::cli::init;
use weiche::clock::ShiftedClock;
use weiche::dialect::Dialects;
use weiche::exchange::{DeadLetter, Parked, Refusal, Submission, SubmitRequest};
use weiche::id::RequestId;
use weiche::outbox::FOREVER;
use weiche::proto::exchange::SubmitReferralRequest;
use weiche::proto::institution::DeliverReferralRequest;
use weiche::proto::types;
use weiche::referral::ReferralState;

pub(super) const SENDER: &str = "jobcenter-bremen";
pub(super) const RECIPIENT: &str = "agentur-bremen-bremerhaven";
/// How the agreement says where the recipient is called.
pub(super) const ENDPOINT: &str = r#"mode = "push", endpoint = "https://localhost:7106""#;
/// Longer than anything here takes, even on a busy machine.
pub(super) const AGES: Duration = Duration::from_secs(60);

/// What the recipient does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Stored,
    Late(Duration),
    /// Stored, once there is a permit, which it takes.
    When(Arc<Semaphore>),
    Refused(Status),
    Never,
    BreaksOff,
}

/// The recipient's case system: keeps what it is sent, answers as told, and with "stored" when nothing is told.
#[derive(Clone, Default)]
pub(crate) struct System(Arc<Mutex<Kept>>);

type Manner = Box<dyn Fn(&str, usize) -> Answer + Send>;

#[derive(Default)]
struct Kept {
    calls: Vec<(String, Bytes)>,
    times: Vec<Instant>,
    next: VecDeque<Answer>,
    /// When nothing is told: by the method and how many calls there were before.
    manner: Option<Manner>,
}

impl System {
    fn then(&self, answer: Answer) {
        self.0.lock().unwrap().next.push_back(answer);
    }
    pub(crate) fn calls(&self) -> Vec<(String, Bytes)> {
        self.0.lock().unwrap().calls.clone()
    }
    /// How it answers when it is not told otherwise.
    pub(crate) fn answers(&self, manner: impl Fn(&str, usize) -> Answer + Send + 'static) {
        self.0.lock().unwrap().manner = Some(Box::new(manner));
    }

    async fn answer(self, request: http::Request<Incoming>) -> Result<http::Response<tonic::body::Body>, std::io::Error> {
        let path = request.uri().path().to_owned();
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let answer = {
            let mut kept = self.0.lock().unwrap();
            let usual = kept.manner.as_ref().map_or(Answer::Stored, |manner| manner(&path, kept.calls.len()));
            kept.calls.push((path, bytes.slice(5..)));
            kept.times.push(Instant::now());
            kept.next.pop_front().unwrap_or(usual)
        };
        match &answer {
            Answer::Late(by) => tokio::time::sleep(*by).await,
            Answer::When(permits) => permits.acquire().await.unwrap().forget(),
            _ => {}
        }
        match answer {
            Answer::Stored | Answer::Late(_) | Answer::When(_) => {
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)].map(Ok::<_, std::io::Error>);
                let body = tonic::body::Body::new(StreamBody::new(futures_util::stream::iter(frames)));
                Ok(http::Response::builder().header("content-type", "application/grpc").body(body).unwrap())
            }
            Answer::Refused(status) => Ok(status.into_http()),
            Answer::Never => std::future::pending().await,
            Answer::BreaksOff => Err(std::io::Error::other("as asked for")),
        }
    }

    fn serve(&self, listener: TcpListener, certs: &Path, stop: CancellationToken) {
        self.serve_as(RECIPIENT, listener, certs, stop);
    }

    /// Listens until `stop`, with the certificate of an institution; lets in whoever shows a certificate of the servers' authority.
    pub(crate) fn serve_as(&self, institution: &str, listener: TcpListener, certs: &Path, stop: CancellationToken) {
        let pem = |name: &str| std::fs::read(certs.join(name)).unwrap();
        let chain = |name: &str| CertificateDer::pem_slice_iter(&pem(name)).collect::<Result<Vec<_>, _>>().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(chain("servers-ca.pem").remove(0)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let key = PrivateKeyDer::from_pem_slice(&pem(&format!("institution/{institution}.key"))).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain(&format!("institution/{institution}.pem")), key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let (acceptor, system) = (tokio_rustls::TlsAcceptor::from(Arc::new(tls)), self.clone());
        tokio::spawn(async move {
            loop {
                let socket = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (acceptor, system, stop) = (acceptor.clone(), system.clone(), stop.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let service = hyper::service::service_fn(move |request| system.clone().answer(request));
                    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        _ = serving => {}
                    }
                });
            }
        });
    }
}

/// A gateway in its own folder, and the recipient at a port of its own.
pub(super) struct Site {
    pub(super) dir: tempfile::TempDir,
    system: System,
    pub(super) port: u16,
    stop: CancellationToken,
    pub(super) clock: Arc<ShiftedClock>,
    shutdown: CancellationToken,
    running: Option<Running>,
}

impl Site {
    pub(super) async fn new() -> Self {
        Self::where_the_recipient_is_reached(|port| format!(r#"mode = "push", endpoint = "https://127.0.0.1:{port}""#)).await
    }
    /// The recipient dials out.
    pub(super) async fn pulling() -> Self {
        Self::where_the_recipient_is_reached(|_| r#"mode = "pull""#.into()).await
    }
    async fn where_the_recipient_is_reached(delivery: impl FnOnce(u16) -> String) -> Self {
        Self::under(|agreement, port| agreement.replace(ENDPOINT, &delivery(port))).await
    }
    /// On another disk than usual, of which so much is kept free.
    pub(super) async fn on_disk(disk: &Path, reserve_mib: u32) -> Self {
        let at = |agreement: &str, port| agreement.replace("https://localhost:7106", &format!("https://127.0.0.1:{port}"));
        let reserve = format!("reserve_mib = {reserve_mib}");
        Self::made(tempfile::tempdir_in(disk).unwrap(), at, |config| config.replace("#: reserve_mib = 1024", &reserve)).await
    }
    /// Under the agreement as the test wants it; it is told the recipient's port.
    pub(super) async fn under(change: impl FnOnce(&str, u16) -> String) -> Self {
        Self::made(tempfile::tempdir().unwrap(), change, |config| config).await
    }
    async fn made(dir: tempfile::TempDir, change: impl FnOnce(&str, u16) -> String, configure: impl FnOnce(String) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let agreement = change(init::AGREEMENT, port);
        init::create(dir.path(), &init::Plan { agreement, ..init::Plan::default() }).await.unwrap();
        let path = dir.path().join(init::CONFIG);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, configure(text.replace("#: drain_seconds = 20", "drain_seconds = 2"))).unwrap();
        let mut site = Self {
            system: System::default(),
            port,
            stop: CancellationToken::new(),
            clock: Arc::default(),
            shutdown: CancellationToken::new(),
            running: None,
            dir,
        };
        site.system.serve(listener, &site.dir.path().join("certs"), site.stop.clone());
        site.start().await;
        site
    }

    pub(super) async fn start(&mut self) {
        let config = Config::load(&self.dir.path().join(init::CONFIG)).unwrap();
        self.shutdown = CancellationToken::new();
        let listeners = Listeners::local().await.unwrap();
        self.running = Some(gateway::run(config, self.clock.clone(), listeners, self.shutdown.clone()).await.unwrap());
    }
    pub(super) async fn end(&mut self) -> gateway::Ended {
        self.shutdown.cancel();
        self.running.take().unwrap().ended().await.unwrap()
    }
    /// It ended by itself.
    pub(super) async fn ended(&mut self) -> Result<gateway::Ended, gateway::GatewayError> {
        tokio::time::timeout(AGES, self.running.take().unwrap().ended()).await.expect("it ends")
    }
    pub(super) fn on(&self) -> &Running {
        self.running.as_ref().unwrap()
    }
    pub(super) async fn recipient_goes(&mut self) {
        self.stop.cancel();
        // The port is free once the accept loop has gone.
        until("the recipient is gone", || async { TcpListener::bind(("127.0.0.1", self.port)).await.is_ok() }).await;
    }
    pub(super) async fn recipient_comes_back(&mut self) {
        self.stop = CancellationToken::new();
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.system.serve(listener, &self.dir.path().join("certs"), self.stop.clone());
    }

    /// A referral that needs no consent, by statute; its id.
    pub(super) async fn submit(&self, person: &str) -> String {
        self.try_submit(person).await.unwrap().referral.unwrap().to_string()
    }
    /// The same the other way round.
    pub(super) async fn submit_back(&self, person: &str) -> String {
        self.try_submit_to((RECIPIENT, "vermittlung-bremen"), (SENDER, "vermittlung-mitte"), person).await.unwrap().referral.unwrap().to_string()
    }
    async fn try_submit(&self, person: &str) -> Result<Submission, Refusal> {
        self.try_submit_to((SENDER, "vermittlung-mitte"), (RECIPIENT, "vermittlung-bremen"), person).await
    }
    async fn try_submit_to(&self, from: (&str, &str), to: (&str, &str), person: &str) -> Result<Submission, Refusal> {
        let party =
            |(institution, unit): (&str, &str)| Some(types::Party { institution: institution.into(), unit: unit.into(), function: String::new() });
        let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
        let referral = types::Referral {
            sender_case_number: "HB-2026-00417".into(),
            subject_ref: person.into(),
            sender: party(from),
            recipient: party(to),
            purpose: types::Purpose::JobSearch as i32,
            necessity: "vermittlung-50-1".into(),
            subject: Some(types::Person { name: Some(name), ..Default::default() }),
            ..Default::default()
        };
        let request = SubmitReferralRequest { request_id: RequestId::random().to_string(), referral: Some(referral), validate_only: false };
        let content = request.encode_to_vec();
        self.on().exchange().submit(&from.0.parse().unwrap(), SubmitRequest::decode(content.as_slice()).unwrap(), &content).await
    }
    pub(super) async fn state(&self, referral: &str) -> ReferralState {
        self.on().exchange().referral(&SENDER.parse().unwrap(), referral).await.unwrap().0.referral.state
    }
    pub(super) async fn until_delivered(&self, referral: &str) {
        until("delivered", || async { self.state(referral).await == ReferralState::Delivered }).await;
    }
    /// How the recipient answers when it is not told otherwise.
    pub(super) fn recipient_answers(&self, manner: impl Fn(&str, usize) -> Answer + Send + 'static) {
        self.system.answers(manner);
    }
    /// What the recipient was called for.
    pub(super) fn calls(&self) -> Vec<(String, Bytes)> {
        self.system.calls()
    }
    /// What the recipient was called for, and when.
    pub(super) fn calls_with_times(&self) -> Vec<((String, Bytes), Instant)> {
        let kept = self.system.0.lock().unwrap();
        kept.calls.iter().cloned().zip(kept.times.iter().copied()).collect()
    }
    /// Every entry of the log.
    pub(super) async fn log(&self) -> Vec<weiche::proto::audit::Entry> {
        let mut entries = Vec::new();
        loop {
            let (more, size) = self.on().exchange().entries(entries.len() as u64, 1000).await.unwrap();
            entries.extend(more.iter().map(|bytes| weiche::proto::audit::Entry::decode(bytes.as_slice()).unwrap()));
            if entries.len() as u64 >= size {
                return entries;
            }
        }
    }
    async fn dead(&self) -> Vec<DeadLetter> {
        self.on().exchange().dead_letters(None, 100).await.unwrap()
    }
}

pub(crate) async fn until<F: Future<Output = bool>>(what: &str, met: impl Fn() -> F) {
    let since = Instant::now();
    while !met().await {
        assert!(since.elapsed() < AGES, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A call of the recipient's own contract, read back into the hub's words.
pub(super) fn read(dialects: &Dialects, call: &(String, Bytes)) -> DeliverReferralRequest {
    let (dialect, method) = dialects.method(&call.0).unwrap();
    assert_eq!((dialect.name(), method.canonical.as_str()), ("agentur", "weiche.institution.v1.DeliveryService.DeliverReferral"));
    DeliverReferralRequest::decode(dialect.read(&method.request, &call.1).unwrap().0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_arrives_in_the_recipients_own_words_with_proof_of_its_release() {
    let mut site = Site::new().await;
    let referral = site.submit("p-1").await;
    site.until_delivered(&referral).await;
    let calls = site.system.calls();
    assert_eq!((calls.len(), calls[0].0.as_str()), (1, "/agentur.v1.EreignisService/VorgangEmpfangen"));
    let request = read(&Dialects::embedded().unwrap(), &calls[0]);
    let subject = request.referral.unwrap().subject.unwrap();
    assert_eq!(subject.name.unwrap().family, "Beispiel");
    assert!(request.delivery_id.parse::<uuid::Uuid>().is_ok());
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_down_breaks_off_or_is_busy_loses_nothing_and_gets_each_delivery_under_one_id() {
    let mut site = Site::new().await;
    site.system.then(Answer::BreaksOff);
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(Duration::from_millis(300)));
    site.system.then(Answer::Refused(Status::with_error_details(Code::Unavailable, "busy", details)));
    let first = site.submit("p-1").await;
    site.until_delivered(&first).await;
    let dialects = Dialects::embedded().unwrap();
    let ids: Vec<_> = site.system.calls().iter().map(|call| read(&dialects, call).delivery_id).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    site.recipient_goes().await;
    let second = site.submit("p-2").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(site.state(&second).await, ReferralState::Submitted);
    // The gateway ends meanwhile, too.
    site.end().await;
    site.recipient_comes_back().await;
    site.start().await;
    site.until_delivered(&second).await;
    assert!(site.dead().await.is_empty());
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_good_is_a_dead_letter_that_says_its_code_and_nothing_of_the_recipients_text() {
    let mut site = Site::new().await;
    site.system.then(Answer::Refused(Status::new(Code::InvalidArgument, "Beispiel, Nur ist uns nicht bekannt")));
    site.submit("p-1").await;
    until("a dead letter", || async { site.dead().await.len() == 1 }).await;
    let dead = site.dead().await.remove(0);
    assert_eq!((dead.last_error.as_str(), dead.attempts), ("INVALID_ARGUMENT", 1));
    // An operator puts it back; now it is taken.
    site.on().exchange().requeue("ops", RequestId::random(), dead.id).await.unwrap();
    until("delivered", || async { site.dead().await.is_empty() && site.system.calls().len() == 2 }).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_parked_is_not_called_until_it_is_let_go() {
    let mut site = Site::new().await;
    let park = async |site: &Site, until| {
        site.on().exchange().park("ops", RequestId::random(), Parked::Recipient(RECIPIENT.parse().unwrap()), until).await.unwrap();
    };
    park(&site, Some(FOREVER)).await;
    let referral = site.submit("p-1").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(site.system.calls().is_empty());
    park(&site, None).await;
    site.until_delivered(&referral).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_comes_after_its_lease_counts_for_nothing_and_the_delivery_comes_again() {
    let mut site = Site::new().await;
    site.system.then(Answer::Never);
    let referral = site.submit("p-1").await;
    until("called", || async { site.system.calls().len() == 1 }).await;
    // The first call still hangs; its lease ends for the clock of the gateway.
    site.clock.advance(Duration::from_secs(31));
    site.until_delivered(&referral).await;
    assert_eq!(site.system.calls().len(), 2);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_the_deadline_and_no_longer_and_what_was_cut_is_delivered_by_the_next_process() {
    let mut site = Site::new().await;
    site.system.then(Answer::Never);
    let referral = site.submit("p-1").await;
    until("called", || async { site.system.calls().len() == 1 }).await;
    let asked = Instant::now();
    site.end().await;
    assert!((Duration::from_millis(1900)..Duration::from_secs(8)).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    site.clock.advance(Duration::from_secs(31));
    site.start().await;
    site.until_delivered(&referral).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_certificate_at_the_address_gets_nothing() {
    let mut site = Site::new().await;
    site.recipient_goes().await;
    // Another member's server behind the same address, with a certificate of the right authority.
    let certs = site.dir.path().join("certs/institution");
    for end in ["pem", "key"] {
        std::fs::copy(certs.join(format!("drk-bremen.{end}")), certs.join(format!("{RECIPIENT}.{end}"))).unwrap();
    }
    site.recipient_comes_back().await;
    let referral = site.submit("p-1").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(site.state(&referral).await, ReferralState::Submitted);
    assert!(site.system.calls().is_empty());
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_called_elsewhere_from_now_on_is_found_there_after_a_reload() {
    let mut site = Site::new().await;
    site.recipient_goes().await;
    let referral = site.submit("p-1").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agreement = site.dir.path().join("agreement.toml");
    let text = std::fs::read_to_string(&agreement).unwrap();
    let moved = text.replace(&format!(":{}\"", site.port), &format!(":{}\"", listener.local_addr().unwrap().port()));
    std::fs::write(&agreement, moved).unwrap();
    site.stop = CancellationToken::new();
    site.system.serve(listener, &site.dir.path().join("certs"), site.stop.clone());
    let reloaded = site.on().reload().await;
    assert_eq!(reloaded.agreement, gateway::Change::Taken);
    site.until_delivered(&referral).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_comes_while_the_gateway_ends_does_not_keep_it_from_ending() {
    let mut site = Site::new().await;
    site.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    site.on().reload().await;
    let asked = Instant::now();
    tokio::time::timeout(AGES, site.end()).await.expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_log_cannot_be_written_refuses_everything_and_ends_by_itself() {
    let mut site = Site::new().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(site.dir.path().join("weiche.db"));
    let mut beside = options.connect().await.unwrap();
    let statement = |text: &'static str| sqlx::raw_sql(text);
    statement("ALTER TABLE log_leaf RENAME TO away").execute(&mut beside).await.unwrap();
    assert_eq!(site.try_submit("p-1").await.unwrap_err(), Refusal::Unavailable);
    assert_eq!(site.try_submit("p-2").await.unwrap_err(), Refusal::Unavailable);
    let ended = site.ended().await;
    assert!(matches!(ended, Err(gateway::GatewayError::Writer(_))), "{ended:?}");
    statement("ALTER TABLE away RENAME TO log_leaf").execute(&mut beside).await.unwrap();
    site.start().await;
    let referral = site.submit("p-1").await;
    site.until_delivered(&referral).await;
    assert_eq!(site.system.calls().len(), 1, "what was refused was not sent");
    site.end().await;
}
