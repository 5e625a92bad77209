// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The gateway as a whole, put together and taken apart: what `weiche serve` runs, and what the demonstration, the benchmark and the tests run in
//! their own process. Listeners, clock and shutdown are arguments.
//!
//! ```text
//! Config::load(path)? / Config { .. }                                    what it lives on (see `cli::config`, `cli::init::create` makes it all)
//! Listeners::bind(&config).await?                                        the ports of the configuration
//! Listeners::local().await?                                              or free ones on loopback
//! gateway::run(config, clock, listeners, shutdown).await? -> Running     ready to serve when it answers
//! gateway::run_on(config, parts, (listeners, line), shutdown).await?     the same on parts and a network that are there already
//! Running::{institutions(), operators()} -> SocketAddr                   where it listens
//! Running::{exchange() -> &Arc<Exchange>, health() -> &Health, connections() -> &Connections}
//! Running::reload().await -> Reloaded                                    agreement, dialects, certificates again, as SIGHUP does (reloader(): from elsewhere)
//! shutdown.cancel(); running.ended().await? -> Ended                     drained, or the error that stopped it
//! ```
//!
//! The end, in order: health says so; new calls are refused; the listeners close and their connections are asked to go, and the workers release
//! nothing more; what is under way ends or is cut at the deadline; the writer answers what it has taken and closes the database.
//! A crash at any point instead of that loses nothing that was answered.

mod parts;
mod reload;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use parts::PartsError;
pub(super) use parts::{
    agreement as agreement_of, anchors as anchors_of, credentials as credentials_of, leaf as leaf_of, outward as outward_of, server as server_of,
};
pub use reload::{Change, Reloaded};

use super::config::Config;
use super::ops::{self, OpsError};
use crate::clock::{Clock, Time};
use crate::delivery::{self, Line, Push};
use crate::exchange::{Exchange, OpenError, Parts, WriterError};
use crate::grpc::health::{Condition, Health};
use crate::grpc::listener::Accept;
use crate::grpc::router::{Connection, Router};
use crate::grpc::{listener, router, services};
use crate::identity::Connections;
use crate::identity::tls::ServerTls;

/// How often it is looked for what is due by time alone.
const ROUSE: Duration = Duration::from_secs(1);
/// How often the queues are counted for the metrics.
const MEASURE: Duration = Duration::from_secs(15);
/// How often the clock is asked what has ended.
const SWEEP: Duration = Duration::from_secs(60);
/// What the writer may take to close once nobody has anything more for it.
const CLOSING: Duration = Duration::from_secs(5);

/// Why the gateway does not run, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A file is missing or wrong.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The log, the database or the agreement do not fit together.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The services do not fit the contract.
    #[error("the services cannot be set up: {0}")]
    Services(String),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {source}; is another gateway running?")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The port for health and metrics.
    #[error(transparent)]
    Ops(#[from] OpsError),
    /// The log cannot be written any more.
    #[error("the log cannot be written: {0}; put the cause right and start again")]
    Writer(#[from] WriterError),
    /// A bug: a part that lives as long as the gateway has ended.
    #[error("the {0} ended by itself")]
    Ended(&'static str),
}

/// The sockets, already bound.
pub struct Listeners<A = TcpListener> {
    /// For case systems.
    pub institutions: A,
    /// For admins and auditors.
    pub operators: A,
    /// Health and metrics on loopback, with what collects them.
    pub ops: Option<(TcpListener, PrometheusHandle)>,
}

impl Listeners {
    /// Takes the ports of the configuration, and starts collecting metrics if it has a port for them.
    pub async fn bind(config: &Config) -> Result<Self, GatewayError> {
        let bind = |address: SocketAddr| async move { TcpListener::bind(address).await.map_err(|source| GatewayError::Listen { address, source }) };
        let (institutions, operators) = (bind(config.institutions.listen).await?, bind(config.operators.listen).await?);
        let ops = match config.ops {
            Some(address) => Some((ops::bind(address).await?, ops::collect_metrics()?)),
            None => None,
        };
        Ok(Self { institutions, operators, ops })
    }

    /// Free ports on loopback, without one for metrics: for gateways that live in a test.
    pub async fn local() -> std::io::Result<Self> {
        let bind = || TcpListener::bind("127.0.0.1:0");
        Ok(Self { institutions: bind().await?, operators: bind().await?, ops: None })
    }
}

/// A gateway at work.
pub struct Running {
    inner: Arc<Inner>,
    institutions: SocketAddr,
    operators: SocketAddr,
    task: JoinHandle<Result<Ended, GatewayError>>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were still busy at the deadline and were cut.
    pub cut: usize,
}

/// What is shared by serving and reloading.
struct Inner {
    config: Config,
    exchange: Arc<Exchange>,
    health: Health,
    connections: Connections,
    push: Push,
    institutions: Arc<ArcSwap<ServerTls>>,
    operators: Arc<ArcSwap<ServerTls>>,
    /// What institutions may call; another one comes with other dialects.
    for_institutions: Arc<ArcSwap<Router>>,
    limits: router::Limits,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
}

/// Puts a gateway together and starts it. It serves until `shutdown`, or until the log cannot be written.
pub async fn run(config: Config, clock: Arc<dyn Clock>, listeners: Listeners, shutdown: CancellationToken) -> Result<Running, GatewayError> {
    let tls = parts::tls(&config)?;
    let parts = parts::open(&config, clock).await?;
    start(config, tls, parts, (listeners, Arc::new(delivery::channel)), shutdown).await
}

/// The same on parts and a network that are there already: what a simulation runs.
pub async fn run_on<A: Accept>(
    config: Config,
    parts: Parts,
    network: (Listeners<A>, Line),
    shutdown: CancellationToken,
) -> Result<Running, GatewayError> {
    let tls = parts::tls(&config)?;
    start(config, tls, parts, network, shutdown).await
}

async fn start<A: Accept>(
    config: Config,
    tls: parts::Tls,
    parts: Parts,
    (listeners, line): (Listeners<A>, Line),
    shutdown: CancellationToken,
) -> Result<Running, GatewayError> {
    let (exchange, writer) = Exchange::open(parts).await?;
    let exchange = Arc::new(exchange);
    let health = Health::default();
    let limits = router::Limits { ordinary: config.limits.calls, streams: config.limits.streams, ..router::Limits::default() };
    let failed = |error: &dyn std::fmt::Display| GatewayError::Services(error.to_string());
    let for_institutions = services::institutions(exchange.clone(), &exchange.dialects(), &health, limits.clone()).map_err(|error| failed(&error))?;
    let for_institutions = Arc::new(ArcSwap::from_pointee(for_institutions));
    let ending = services::Ending { shutdown: shutdown.clone(), within: config.drain_within };
    let for_operators = services::operators(exchange.clone(), &health, limits.clone(), ending).map_err(|error| failed(&error))?;
    let address = |listener: &A, wanted| listener.local_addr().map_err(|source| GatewayError::Listen { address: wanted, source });
    let institutions = address(&listeners.institutions, config.institutions.listen)?;
    let operators = address(&listeners.operators, config.operators.listen)?;

    let push = Push::start(exchange.clone(), tls.outward, line, config.deliveries.lease);
    let inner = Arc::new(Inner {
        config,
        exchange,
        health: health.clone(),
        connections: Connections::default(),
        push,
        institutions: Arc::new(ArcSwap::from_pointee(tls.institutions)),
        operators: Arc::new(ArcSwap::from_pointee(tls.operators)),
        for_institutions,
        limits,
        reloading: tokio::sync::Mutex::default(),
    });
    let serving = Serving { inner: inner.clone(), listeners, for_operators, writer };
    let task = tokio::spawn(serving.serve(shutdown));
    health.set(Condition::Ready);
    tracing::info!(%institutions, %operators, agreement = %inner.exchange.agreement().version(), "ready");
    Ok(Running { inner, institutions, operators, task })
}

impl Running {
    /// Where case systems call.
    pub fn institutions(&self) -> SocketAddr {
        self.institutions
    }
    /// Where operators call.
    pub fn operators(&self) -> SocketAddr {
        self.operators
    }
    /// The use cases. Do not keep it beyond [`Running::ended`]: the database closes when the last one is gone.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.inner.exchange
    }
    /// The present condition.
    pub fn health(&self) -> &Health {
        &self.inner.health
    }
    /// Who is connected.
    pub fn connections(&self) -> &Connections {
        &self.inner.connections
    }
    /// Reads agreement, dialects and certificates again. What is wrong is not taken over: the last good one stays.
    pub async fn reload(&self) -> Reloaded {
        self.inner.reload().await
    }
    /// The same from elsewhere.
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::downgrade(&self.inner))
    }
    /// Waits for the end.
    pub async fn ended(self) -> Result<Ended, GatewayError> {
        let Self { inner, task, .. } = self;
        drop(inner);
        task.await.unwrap_or(Err(GatewayError::Ended("gateway")))
    }
}

/// Reloads a gateway from elsewhere, such as a task that listens for a signal; does not keep it alive.
#[derive(Clone)]
pub struct Reloader(Weak<Inner>);

impl Reloader {
    /// As [`Running::reload`]; none if the gateway has ended.
    pub async fn reload(&self) -> Option<Reloaded> {
        Some(self.0.upgrade()?.reload().await)
    }
}

struct Serving<A> {
    inner: Arc<Inner>,
    listeners: Listeners<A>,
    for_operators: Arc<Router>,
    writer: JoinHandle<Result<(), WriterError>>,
}

impl<A: Accept> Serving<A> {
    async fn serve(self, shutdown: CancellationToken) -> Result<Ended, GatewayError> {
        let Self { inner, listeners, for_operators, mut writer } = self;
        let for_operators = Arc::new(ArcSwap::new(for_operators));
        let (close, quiet) = (CancellationToken::new(), CancellationToken::new());
        let ops = listeners
            .ops
            .map(|(listener, metrics)| tokio::spawn(ops::serve(listener, inner.health.clone(), metrics, quiet.clone().cancelled_owned())));
        let institutions = tokio::spawn(door(&inner, listeners.institutions, inner.institutions.clone(), inner.for_institutions.clone(), &close));
        let operators = tokio::spawn(door(&inner, listeners.operators, inner.operators.clone(), for_operators, &close));
        let sweep = tokio::spawn(sweep(inner.clone(), close.clone()));
        let retain = tokio::spawn(retain(inner.clone(), close.clone()));
        let rouse = tokio::spawn(rouse(inner.clone(), close.clone()));
        let measure = tokio::spawn(measure(inner.clone(), close.clone(), ops.is_some()));

        let failure = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            ended = &mut writer => Some(writer_ended(ended)),
        };
        // Whoever balances load sees it first.
        inner.health.set(Condition::Draining);
        close.cancel();
        let within = inner.config.drain_within;
        let ((), institutions, operators, ..) = tokio::join!(inner.push.stop(within), institutions, operators, sweep, retain, rouse, measure);
        let cut = [institutions, operators].into_iter().flatten().map(|drained| drained.cut).sum();
        // With the last use case the writer ends, and closes the database.
        drop(inner);
        let result = match failure {
            Some(error) => Err(error),
            None => match tokio::time::timeout(CLOSING, writer).await {
                Ok(Ok(Ok(()))) => Ok(Ended { cut }),
                Ok(ended) => Err(writer_ended(ended)),
                Err(_) => {
                    tracing::warn!("the database was not closed in time; nothing is lost, the next start reads its write-ahead log");
                    Ok(Ended { cut })
                }
            },
        };
        quiet.cancel();
        if let Some(ops) = ops {
            let _ = ops.await;
        }
        result
    }
}

fn writer_ended(ended: Result<Result<(), WriterError>, tokio::task::JoinError>) -> GatewayError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) | Err(_) => GatewayError::Ended("writer"),
    }
}

/// One listener until `close`, drained.
fn door<A: Accept>(
    inner: &Arc<Inner>,
    listener: A,
    tls: Arc<ArcSwap<ServerTls>>,
    router: Arc<ArcSwap<Router>>,
    close: &CancellationToken,
) -> impl Future<Output = listener::Drained> + use<A> {
    let limits = listener::Limits {
        connections: inner.config.limits.connections,
        connections_per_caller: inner.config.limits.connections_per_caller,
        ..listener::Limits::default()
    };
    let make = move |caller, peer: listener::PeerInfo| Connection::new(router.clone(), caller, peer.address);
    listener::serve(listener, tls, limits, inner.connections.clone(), make, close.clone(), inner.config.drain_within)
}

/// Ends, minute by minute, what nobody delivered or answered in time, and reminds of recalls.
async fn sweep(inner: Arc<Inner>, close: CancellationToken) {
    loop {
        match inner.exchange.expire(inner.config.expire_after).await {
            // There may be more; the writer has others to serve in between.
            Ok(1..) if !close.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "nothing could be ended at the moment"),
        }
        match inner.exchange.remind().await {
            Ok(true) if !close.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "nobody could be reminded at the moment"),
        }
        if let Err(error) = inner.exchange.measure_reminders().await {
            tracing::warn!(%error, "reminders could not be counted");
        }
        tokio::select! {
            biased;
            () = close.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Erases, run by run, what is due by the gateway's clock. The first run comes a moment after the start: who starts again and again erases too.
async fn retain(inner: Arc<Inner>, close: CancellationToken) {
    let (clock, mut last) = (inner.exchange.clock().clone(), None::<Time>);
    loop {
        tokio::select! {
            biased;
            () = close.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        let now = clock.now();
        if last.is_some_and(|last| now.since(last) < inner.config.erase_every) {
            continue;
        }
        last = Some(now);
        // What was begun is ended in pieces: leaving a run in the middle costs nothing.
        let ran = tokio::select! {
            biased;
            () = close.cancelled() => return,
            ran = inner.exchange.retain("gateway".into()) => ran,
        };
        match ran {
            Ok((purged, emptied)) => tracing::info!(?purged, emptied, "what was due is erased"),
            Err(error) => tracing::warn!(%error, "what is due could not be erased; the next run does it"),
        }
    }
}

/// Once a second, and when another gateway has written, tells those for whom something is due.
async fn rouse(inner: Arc<Inner>, close: CancellationToken) {
    loop {
        // A database that is away is the writer's to tell; what is due then is due in a second, too.
        if let Err(error) = inner.exchange.ring_due().await {
            tracing::debug!(%error, "what is due could not be looked for");
        }
        tokio::select! {
            biased;
            () = close.cancelled() => return,
            () = inner.exchange.wake().until_elsewhere() => {}
            () = tokio::time::sleep(ROUSE) => {}
        }
    }
}

/// Counts the queues from time to time, if anybody can see it; a scrape reads what was counted last.
async fn measure(inner: Arc<Inner>, close: CancellationToken, seen: bool) {
    if !seen {
        return;
    }
    loop {
        if let Err(error) = inner.exchange.measure().await {
            tracing::warn!(%error, "the queues could not be counted");
        }
        tokio::select! {
            biased;
            () = close.cancelled() => return,
            () = tokio::time::sleep(MEASURE) => {}
        }
    }
}
