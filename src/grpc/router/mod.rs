// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From a path to a handler: one table for canonical and native methods, one set of checks in front of all.

mod call;
mod method;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Body as HttpBody;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tracing::Instrument;

pub use method::{Context, DEFAULT_MESSAGE_BYTES, Inbound, Lane, Method, Reply};

use super::access::Access;
use super::codec::BytesCodec;
use super::health::Health;
use super::status::{ErrorReason, Refusal};
use crate::chance;
use crate::identity::Caller;
use call::{Call, Watched};
use method::Handler;

/// Bounds of the router. Each has a default that suits one gateway on two cores.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Deadline of a call that names none.
    pub default_deadline: Duration,
    /// Longest deadline: a longer one is shortened to it.
    pub longest_deadline: Duration,
    /// Unary calls in flight. With the message limit this bounds what requests can occupy: 256 of 1 MiB.
    pub ordinary: usize,
    /// Calls in flight that must get through under load.
    pub reserved: usize,
    /// Open streams.
    pub streams: usize,
    /// When a refused caller should try again; spread by half of it either way, so that they do not come back together.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_deadline: Duration::from_secs(10),
            longest_deadline: Duration::from_secs(60),
            ordinary: 256,
            reserved: 64,
            streams: 512,
            retry_after: Duration::from_secs(1),
        }
    }
}

/// The table of all methods, with what is checked before one is called.
#[derive(Debug)]
pub struct Router {
    methods: HashMap<String, (Arc<str>, Method)>,
    access: Arc<Access>,
    health: Health,
    limits: Limits,
    ordinary: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Router {
    /// An empty table behind `access`. While `health` says that the gateway drains, new calls are refused.
    pub fn new(access: Arc<Access>, health: Health, limits: Limits) -> Self {
        let lane = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let (ordinary, reserved, streams) = (lane(limits.ordinary), lane(limits.reserved), lane(limits.streams));
        Self { methods: HashMap::new(), access, health, limits, ordinary, reserved, streams }
    }

    /// Serves `method` under `/<service>/<name>`, both as in the descriptor: `awo.v1.Fallakte`, `Uebergeben`.
    #[must_use]
    pub fn method(mut self, service: &str, name: &str, method: Method) -> Self {
        let path = format!("/{service}/{name}");
        self.methods.insert(path.clone(), (path.into(), method));
        self
    }

    /// Takes over the bounds of `before`, with all that is in flight there.
    #[must_use]
    pub fn in_place_of(self, before: &Self) -> Self {
        let (ordinary, reserved, streams) = (before.ordinary.clone(), before.reserved.clone(), before.streams.clone());
        Self { ordinary, reserved, streams, ..self }
    }

    /// The service for one connection. Cheap to make and to clone.
    pub fn connection(self: &Arc<Self>, caller: Arc<Caller>, peer: SocketAddr) -> Connection {
        Connection::new(Arc::new(ArcSwap::new(self.clone())), caller, peer)
    }

    /// The stack, from the outside in. The order is the point: nothing is read for a caller who may not, or for whom there is no place.
    async fn serve<B>(self: Arc<Self>, caller: Arc<Caller>, peer: SocketAddr, request: http::Request<B>) -> http::Response<Body>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        if let Some(answer) = not_grpc(&request) {
            return answer;
        }
        let found = self.find(request.uri().path(), &caller);
        let mut call = Call::begin(found.map_or_else(|| "unknown".into(), |(path, _)| path.clone()), &caller);
        let admitted = found
            .ok_or_else(|| Refusal::new(ErrorReason::UnknownMethod, "no such method for this caller"))
            .and_then(|(_, method)| self.open(method).map(|()| method))
            .and_then(|method| encoding(&request).map(|()| method))
            .and_then(|method| self.deadline(&request).map(|deadline| (method, deadline)))
            .and_then(|(method, deadline)| self.place(method.lane, &mut call).map(|()| (method, deadline)));
        match admitted {
            Err(refusal) => {
                discard(request.into_body());
                call.refused(refusal).into_http()
            }
            Ok((method, deadline)) => {
                let context = Context { caller, call_id: call.id, deadline, peer };
                run(method.clone(), context, call, self.health.clone(), request).await
            }
        }
    }

    /// The method, if it exists and is for this caller: one answer for both.
    fn find(&self, path: &str, caller: &Caller) -> Option<&(Arc<str>, Method)> {
        let service = path.strip_prefix('/')?.split_once('/')?.0;
        self.methods.get(path).filter(|_| self.access.allows(caller, service))
    }

    fn open(&self, method: &Method) -> Result<(), Refusal> {
        if self.health.is_draining() && !method.while_draining {
            return Err(Refusal::new(ErrorReason::Draining, "the gateway is shutting down; connect again").retry_after(self.pause()));
        }
        Ok(())
    }

    /// The deadline from `grpc-timeout`, bounded, or the default.
    fn deadline<B>(&self, request: &http::Request<B>) -> Result<Instant, Refusal> {
        let wanted = match request.headers().get("grpc-timeout") {
            None => self.limits.default_deadline,
            Some(text) => text.to_str().ok().and_then(timeout).ok_or_else(|| {
                let description = "at most eight digits and one of H, M, S, m, u, n";
                Refusal::new(ErrorReason::InvalidField, "the header grpc-timeout cannot be read").field("grpc-timeout", description)
            })?,
        };
        Ok(Instant::now() + wanted.min(self.limits.longest_deadline))
    }

    /// A place in the lane, or a refusal that cost next to nothing: waiting would only make everybody late.
    fn place(&self, lane: Lane, call: &mut Call) -> Result<(), Refusal> {
        let semaphore = match lane {
            Lane::Ordinary => &self.ordinary,
            Lane::Reserved => &self.reserved,
            Lane::Stream => &self.streams,
        };
        let place = semaphore.clone().try_acquire_owned().map_err(|_| {
            metrics::counter!("weiche_shed_total", "lane" => lane.name()).increment(1);
            Refusal::new(ErrorReason::Overloaded, "too many calls are in flight").with("lane", lane.name()).retry_after(self.pause())
        })?;
        call.hold(place);
        Ok(())
    }

    fn pause(&self) -> Duration {
        self.limits.retry_after.mul_f64(0.5 + chance::part())
    }
}

/// Runs the handler between tonic's framing on both sides.
async fn run<B>(method: Method, context: Context, call: Call, health: Health, request: http::Request<B>) -> http::Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut grpc = tonic::server::Grpc::new(BytesCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(method.limit)
        .max_encoding_message_size(usize::MAX);
    // The service is called once; an `FnMut` has to be told so.
    let mut once = Some((method, context, call, health));
    let service = tower::service_fn(move |request: tonic::Request<tonic::Streaming<Bytes>>| {
        let once = once.take();
        async move {
            let Some((method, context, mut call, health)) = once else {
                return Err(Status::from(Refusal::internal("a handler was called twice")));
            };
            let inbound = Inbound::new(request.into_inner(), method.limit);
            let (deadline, span) = (context.deadline, call.span.clone());
            let stays_open = method.lane == Lane::Stream && !method.while_draining;
            let answer = AssertUnwindSafe(timeout_at(deadline, answer(method.handler, context, inbound)).instrument(span));
            match answer.catch_unwind().await {
                Ok(Ok(Ok(reply))) => {
                    let reply = if stays_open { until_draining(reply, health) } else { reply };
                    Ok(tonic::Response::new(Watched::new(reply, call)))
                }
                Ok(Ok(Err(refusal))) => Err(call.refused(refusal)),
                Ok(Err(_)) => Err(call.refused(Refusal::new(ErrorReason::DeadlinePassed, "the deadline passed; repeat with the same request id"))),
                Err(_) => {
                    let refusal = call.panicked();
                    Err(call.refused(refusal))
                }
            }
        }
    });
    grpc.streaming(service, request).await
}

/// A stream that could stay open for ever ends when the gateway drains, so that its caller goes to another instance, and nobody waits for it.
fn until_draining(reply: Reply, health: Health) -> Reply {
    let drains = Box::pin(async move { health.drains().await });
    Box::pin(stream::unfold(Some((reply, drains)), |state| async move {
        let (mut reply, mut drains) = state?;
        tokio::select! {
            biased;
            // What is ready still goes out.
            item = reply.next() => item.map(|item| (item, Some((reply, drains)))),
            () = &mut drains => {
                let refusal = Refusal::new(ErrorReason::Draining, "the gateway is shutting down; connect again").retry_after(Duration::from_secs(1));
                Some((Err(refusal), None))
            }
        }
    }))
}

/// Every kind of method as a stream of replies.
async fn answer(handler: Handler, context: Context, inbound: Inbound) -> Result<Reply, Refusal> {
    match handler {
        Handler::Unary(handler) => {
            let message = inbound.only().await?;
            let reply = handler(context, message).await?;
            Ok(Box::pin(tokio_stream::once(Ok(reply))))
        }
        Handler::ServerStreaming(handler) => {
            let message = inbound.only().await?;
            handler(context, message).await
        }
        Handler::Streaming(handler) => handler(context, inbound).await,
    }
}

/// Takes what a refused call still sends off the wire, one message's worth at most and not for long. Were the stream reset instead, the message that its
/// caller had already sent would count as the caller's fault, and after a hundred refusals HTTP/2 would break off the connection with every call on it.
fn discard<B>(body: B)
where
    B: HttpBody + Send + 'static,
{
    tokio::spawn(tokio::time::timeout(Duration::from_secs(1), async move {
        let mut body = std::pin::pin!(body);
        let mut read = 0;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            read += frame.data_ref().map_or(0, bytes::Buf::remaining);
            if read > DEFAULT_MESSAGE_BYTES {
                break;
            }
        }
    }));
}

/// HTTP that is not gRPC gets an HTTP answer; CONNECT above all, which passes flow control by.
fn not_grpc<B>(request: &http::Request<B>) -> Option<http::Response<Body>> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
    let status = if request.method() != http::Method::POST {
        http::StatusCode::METHOD_NOT_ALLOWED
    } else if content_type != b"application/grpc" && content_type != b"application/grpc+proto" {
        http::StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else {
        return None;
    };
    let mut answer = http::Response::new(Body::empty());
    *answer.status_mut() = status;
    Some(answer)
}

fn encoding<B>(request: &http::Request<B>) -> Result<(), Refusal> {
    match request.headers().get("grpc-encoding").map(|v| v.as_bytes()) {
        None | Some(b"identity" | b"gzip") => Ok(()),
        Some(_) => Err(Refusal::new(ErrorReason::UnsupportedEncoding, "messages are read in gzip and identity encoding")),
    }
}

/// `grpc-timeout` of the gRPC over HTTP/2 specification: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

/// The router as one connection sees it: with the caller whom the handshake named.
///
/// Each call asks which router is in force and ends with that one, whatever takes its place meanwhile.
#[derive(Debug, Clone)]
pub struct Connection {
    router: Arc<ArcSwap<Router>>,
    caller: Arc<Caller>,
    peer: SocketAddr,
}

impl Connection {
    /// For one caller.
    pub fn new(router: Arc<ArcSwap<Router>>, caller: Arc<Caller>, peer: SocketAddr) -> Self {
        Self { router, caller, peer }
    }
}

impl<B> tower::Service<http::Request<B>> for Connection
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let Self { router, caller, peer } = self.clone();
        Box::pin(router.load_full().serve(caller, peer, request).map(Ok))
    }
}
