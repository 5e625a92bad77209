// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One call from its first to its last byte: its place in a lane, its span, its line in the log and its metrics.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Span;
use uuid::Uuid;

use super::method::Reply;
use crate::grpc::status::{ErrorReason, Refusal, code_name};
use crate::identity::Caller;

/// Lives as long as the call does; what happened is recorded when it is dropped, whoever drops it.
pub(super) struct Call {
    pub(super) id: Uuid,
    pub(super) span: Span,
    /// A path of the table or `unknown`, so that a caller cannot make up labels.
    method: Arc<str>,
    started: Instant,
    /// Cancelled until something else is known: then the caller went away.
    code: Code,
    reason: &'static str,
    place: Option<OwnedSemaphorePermit>,
}

impl Call {
    pub(super) fn begin(method: Arc<str>, caller: &Caller) -> Self {
        // v4: the id is told to callers, and says nothing about when.
        let id = Uuid::new_v4();
        let institution = caller.institution().map_or("operator", |i| i.as_str());
        let span = tracing::info_span!("call", request_id = %id, %method, caller = institution);
        Self { id, span, method, started: Instant::now(), code: Code::Cancelled, reason: "", place: None }
    }

    /// Takes a place in a lane until the call ends.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(super) fn succeeded(&mut self) {
        self.code = Code::Ok;
    }

    /// Notes the refusal and makes it a status; internal errors get the id by which the operator finds them.
    pub(super) fn refused(&mut self, refusal: Refusal) -> Status {
        self.code = refusal.code();
        self.reason = refusal.reason_name();
        match refusal.reason() {
            ErrorReason::Internal => refusal.with("call_id", self.id.to_string()).into(),
            _ => refusal.into(),
        }
    }

    /// A handler panicked. The panic's text may hold anything, so only the place where it happened is in the log (by the panic hook).
    pub(super) fn panicked(&mut self) -> Refusal {
        metrics::counter!("weiche_panics_total", "method" => self.method.clone()).increment(1);
        self.span.in_scope(|| Refusal::internal("a handler panicked"))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = code_name(self.code);
        let seconds = self.started.elapsed().as_secs_f64();
        metrics::counter!("weiche_calls_total", "method" => self.method.clone(), "code" => code).increment(1);
        metrics::histogram!("weiche_call_seconds", "method" => self.method.clone()).record(seconds);
        tracing::info!(parent: &self.span, code, reason = self.reason, seconds, "call ended");
    }
}

/// A reply that keeps its call alive until it ends.
pub(super) struct Watched {
    reply: Option<Reply>,
    call: Call,
}

impl Watched {
    pub(super) fn new(reply: Reply, call: Call) -> Self {
        Self { reply: Some(reply), call }
    }
}

impl Stream for Watched {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(reply) = this.reply.as_mut() else { return Poll::Ready(None) };
        let entered = this.call.span.clone().entered();
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reply.as_mut().poll_next(poller)));
        drop(entered);
        let item = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(item)) => item,
            Err(_) => Some(Err(this.call.panicked())),
        };
        Poll::Ready(match item {
            Some(Ok(message)) => Some(Ok(message)),
            Some(Err(refusal)) => {
                this.reply = None;
                Some(Err(this.call.refused(refusal)))
            }
            None => {
                this.reply = None;
                this.call.succeeded();
                None
            }
        })
    }
}
