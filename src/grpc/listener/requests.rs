// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body::{Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tokio::time::Instant;
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use super::BoxError;

/// What a connection's clocks need to know of its requests.
#[derive(Debug)]
pub(super) struct Activity {
    streams: AtomicUsize,
    any: AtomicBool,
    last_end: Mutex<Instant>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { streams: AtomicUsize::new(0), any: AtomicBool::new(false), last_end: Mutex::new(Instant::now()) }
    }
    /// Whether there was ever a request.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }
    /// Since when there has been no stream; none while there is one.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        (self.streams.load(Ordering::Acquire) == 0).then(|| *self.last_end.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One request in flight, from its headers to the last byte of its answer.
struct InFlight(Arc<Activity>);

impl InFlight {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.any.store(true, Ordering::Relaxed);
        activity.streams.fetch_add(1, Ordering::AcqRel);
        Self(activity.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.0.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The service of one connection: counts what is in flight, refuses CONNECT, hands everything else on.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) activity: Arc<Activity>,
}

impl<S> hyper::service::Service<http::Request<Incoming>> for Requests<S>
where
    S: Service<http::Request<Incoming>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    type Response = http::Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.activity);
        // A tunnel would pass by flow control and by everything that looks at calls.
        if request.method() == http::Method::CONNECT {
            let mut refusal = http::Response::new(Answer { body: Body::empty(), _in_flight: in_flight });
            *refusal.status_mut() = http::StatusCode::METHOD_NOT_ALLOWED;
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let call = self.service.clone().oneshot(request);
        Box::pin(async move {
            let response = call.await.map_err(Into::into)?;
            Ok(response.map(|body| Answer { body, _in_flight: in_flight }))
        })
    }
}

/// The body of an answer; in flight until it has been sent or dropped.
pub(super) struct Answer {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
