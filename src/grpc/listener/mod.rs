// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The gateway's own accept loop: TCP, TLS, HTTP/2, each with its limits. tonic's server leaves several of hyper's limits unset, knows no handshake
//! timeout and drains without a deadline.

mod connection;
mod limits;
mod requests;
mod strangers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

pub use limits::Limits;

use crate::identity::tls::ServerTls;
use crate::identity::{Caller, Connections, Generation};
use strangers::{Stranger, Strangers};

/// What an error of a service may be turned into.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where connections come from: a port of this machine, or of a simulated one.
pub trait Accept: Send + Sync + 'static {
    /// One connection, before TLS.
    type Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// The next one, and who is at its other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
    /// Where it listens.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl Accept for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = TcpListener::accept(self).await?;
        // Small messages must not wait for an acknowledgement (Nagle).
        let _ = accepted.0.set_nodelay(true);
        Ok(accepted)
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct PeerInfo {
    /// The other end.
    pub address: SocketAddr,
    /// The connection's number in [`Connections`].
    pub connection: u64,
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not end by themselves before the deadline and were cut.
    pub cut: usize,
}

/// Serves `listener` until `shutdown`; `make` builds the service of each connection. Each handshake takes the TLS that is in `tls` at that moment.
///
/// At `shutdown` the socket closes at once, every connection is told to go (GOAWAY), calls in flight may finish, and at `drain_deadline` what is
/// left is cut: the function has returned by then, whatever its peers do.
pub async fn serve<A, S, M>(
    listener: A,
    tls: Arc<ArcSwap<ServerTls>>,
    limits: Limits,
    connections: Connections,
    make: M,
    shutdown: CancellationToken,
    drain_deadline: Duration,
) -> Drained
where
    A: Accept,
    M: Fn(Arc<Caller>, PeerInfo) -> S + Send + Sync + 'static,
    S: Service<http::Request<Incoming>, Response = http::Response<tonic::body::Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    let door = Arc::new(Door {
        places: Arc::new(Semaphore::new(limits.connections)),
        handshakes: Arc::new(Semaphore::new(limits.handshakes)),
        strangers: Strangers::default(),
        cut: CancellationToken::new(),
        limits,
        tls,
        connections,
        make,
        shutdown,
    });
    let tasks = TaskTracker::new();
    while let Some((socket, peer)) = accept(&listener, &door.shutdown).await {
        let Ok(place) = door.places.clone().try_acquire_owned() else {
            refused(peer, None, "all connections are taken");
            continue;
        };
        let Some(stranger) = door.strangers.admit(peer.ip(), door.limits.handshakes_per_address) else {
            refused(peer, None, "too many handshakes from this address");
            continue;
        };
        tasks.spawn(door.clone().receive(socket, peer, place, stranger));
    }
    drop(listener);
    tasks.close();
    drain(&tasks, &door.cut, drain_deadline).await
}

/// What all connections of a listener share.
struct Door<M> {
    limits: Limits,
    tls: Arc<ArcSwap<ServerTls>>,
    connections: Connections,
    make: M,
    places: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    strangers: Strangers,
    /// Asks connections to go.
    shutdown: CancellationToken,
    /// Ends them.
    cut: CancellationToken,
}

impl<M> Door<M> {
    /// One socket from accept to close. `_place` is held to the end, `stranger` until it has shown who it is.
    async fn receive<I, S>(self: Arc<Self>, socket: I, peer: SocketAddr, _place: OwnedSemaphorePermit, stranger: Stranger)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        M: Fn(Arc<Caller>, PeerInfo) -> S + Send + Sync,
        S: Service<http::Request<Incoming>, Response = http::Response<tonic::body::Body>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        // Before the handshake: a sweep in its middle must not miss this connection.
        let seen = self.connections.generation();
        let greeting = tokio::time::timeout(self.limits.handshake, async {
            let _turn = self.handshakes.acquire().await;
            let tls = self.tls.load_full();
            tls.accept(socket).await
        });
        let outcome = tokio::select! {
            biased;
            outcome = greeting => outcome,
            () = self.shutdown.cancelled() => return,
        };
        drop(stranger);
        let (stream, caller) = match outcome {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => return refused(peer, error.serial.as_deref(), &error.reason),
            Err(_) => return refused(peer, None, "the handshake took too long"),
        };
        self.converse(stream, Arc::new(caller), peer, seen).await;
    }

    async fn converse<I, S>(&self, stream: TlsStream<I>, caller: Arc<Caller>, peer: SocketAddr, seen: Generation)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        M: Fn(Arc<Caller>, PeerInfo) -> S + Send + Sync,
        S: Service<http::Request<Incoming>, Response = http::Response<tonic::body::Body>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let live = match self.connections.admit(caller.clone(), peer, seen, self.limits.connections_per_caller) {
            Ok(live) => live,
            Err(reason) => return refused(peer, Some(caller.serial()), &reason.to_string()),
        };
        let service = (self.make)(caller.clone(), PeerInfo { address: peer, connection: live.number() });
        let ended = connection::run(stream, service, &self.limits, &live, &self.shutdown, &self.cut).await;
        tracing::debug!(%peer, serial = caller.serial(), connection = live.number(), ?ended, "connection ended");
    }
}

/// The next socket; none once the listener is to close.
async fn accept<A: Accept>(listener: &A, shutdown: &CancellationToken) -> Option<(A::Socket, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(socket) => return Some(socket),
            Err(error) => {
                // Out of file descriptors, or a peer that left before its turn: the next may fare better, but not in a tight loop.
                tracing::warn!(error = %error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits for the connections, but never beyond `deadline` from now; a tenth of it, at most 100 ms, is kept for the cutting itself.
async fn drain(tasks: &TaskTracker, cut: &CancellationToken, deadline: Duration) -> Drained {
    let reserve = (deadline / 10).min(Duration::from_millis(100));
    if within(deadline - reserve, tasks.wait()).await {
        return Drained { cut: 0 };
    }
    let left = tasks.len();
    cut.cancel();
    within(reserve, tasks.wait()).await;
    Drained { cut: left }
}

async fn within(time: Duration, wait: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(time, wait).await.is_ok()
}

fn refused(peer: SocketAddr, serial: Option<&str>, reason: &str) {
    tracing::warn!(%peer, serial, reason, "connection refused");
}
