// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What stands behind a path: a handler over bytes, its lane and its limit.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::grpc::status::{ErrorReason, Refusal};
use crate::identity::Caller;

/// Largest request message in bytes, after decompression, where a method says nothing else: a referral with long free texts is some 50 KiB.
pub const DEFAULT_MESSAGE_BYTES: usize = 1024 * 1024;

/// What a handler knows about its call besides the message.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Names the call in logs and, on internal errors, to the caller.
    pub call_id: Uuid,
    /// When the answer is due. Of streams: when the first message has to be there and the stream opened.
    pub deadline: Instant,
    /// The peer's address.
    pub peer: SocketAddr,
}

impl Context {
    /// The time left until the deadline, minus `margin`: what a call made on behalf of this one may take.
    pub fn time_left(&self, margin: Duration) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).saturating_sub(margin)
    }
}

/// The messages of a bidirectional stream that the caller sends.
#[derive(Debug)]
pub struct Inbound {
    stream: Streaming<Bytes>,
    limit: usize,
}

impl Inbound {
    pub(super) fn new(stream: Streaming<Bytes>, limit: usize) -> Self {
        Self { stream, limit }
    }

    /// The next message; none when the caller has finished or gone. After an error there is nothing more to read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        self.stream.message().await.map_err(|status| self.unreadable(&status))
    }

    /// The only message of a call that has one.
    pub(super) async fn only(mut self) -> Result<Bytes, Refusal> {
        let wrong = || Refusal::new(ErrorReason::MalformedMessage, "this method takes exactly one message");
        let message = self.next().await?.ok_or_else(wrong)?;
        if self.next().await?.is_some() { Err(wrong()) } else { Ok(message) }
    }

    /// tonic's framing errors, whose texts are not ours, as refusals.
    fn unreadable(&self, status: &Status) -> Refusal {
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => {
                let limit = self.limit;
                Refusal::new(ErrorReason::MessageTooLarge, format!("a message of this method may have {limit} bytes, decompressed"))
                    .with("limit_bytes", limit.to_string())
            }
            _ => Refusal::new(ErrorReason::MalformedMessage, "the frame cannot be read: cut off, or not compressed as announced"),
        }
    }
}

/// The messages that a stream answers with. After an error the stream ends.
pub type Reply = Pin<Box<dyn Stream<Item = Result<Bytes, Refusal>> + Send>>;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>;
type OnMessage<T> = Arc<dyn Fn(Context, Bytes) -> Answer<T> + Send + Sync>;
type OnStream = Arc<dyn Fn(Context, Inbound) -> Answer<Reply> + Send + Sync>;

#[derive(Clone)]
pub(super) enum Handler {
    Unary(OnMessage<Bytes>),
    ServerStreaming(OnMessage<Reply>),
    Streaming(OnStream),
}

/// Which bound on calls in flight applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Unary calls.
    Ordinary,
    /// Withdrawals, acknowledgements, audit and health: they must get through when nothing else does.
    Reserved,
    /// Streams, which stay open.
    Stream,
}

impl Lane {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Reserved => "reserved",
            Self::Stream => "stream",
        }
    }
}

/// A method that can be called: made from a handler, put into the router under its path.
#[derive(Clone)]
pub struct Method {
    pub(super) handler: Handler,
    pub(super) lane: Lane,
    pub(super) limit: usize,
    pub(super) while_draining: bool,
}

impl Method {
    fn new(handler: Handler, lane: Lane) -> Self {
        Self { handler, lane, limit: DEFAULT_MESSAGE_BYTES, while_draining: false }
    }

    /// One message in, one out. The future is dropped at the deadline.
    pub fn unary<F>(handler: impl Fn(Context, Bytes) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Bytes, Refusal>> + Send + 'static,
    {
        Self::new(Handler::Unary(Arc::new(move |context, message| Box::pin(handler(context, message)))), Lane::Ordinary)
    }

    /// One message in, a stream out. The deadline bounds the opening only.
    pub fn server_streaming<F>(handler: impl Fn(Context, Bytes) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, Refusal>> + Send + 'static,
    {
        Self::new(Handler::ServerStreaming(Arc::new(move |context, message| Box::pin(handler(context, message)))), Lane::Stream)
    }

    /// Streams both ways. The deadline bounds the opening only.
    pub fn streaming<F>(handler: impl Fn(Context, Inbound) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, Refusal>> + Send + 'static,
    {
        Self::new(Handler::Streaming(Arc::new(move |context, inbound| Box::pin(handler(context, inbound)))), Lane::Stream)
    }

    /// Sets the lane.
    #[must_use]
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Sets the largest request message, in bytes after decompression.
    #[must_use]
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Keeps answering while the gateway drains: health.
    #[must_use]
    pub fn while_draining(mut self) -> Self {
        self.while_draining = true;
        self
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("lane", &self.lane).field("limit", &self.limit).finish_non_exhaustive()
    }
}
