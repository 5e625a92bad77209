// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::pin::pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::requests::{Activity, Requests};
use super::{BoxError, Limits};
use crate::chance;
use crate::identity::Live;

/// Why a connection ended, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, or by the peer.
    Closed,
    /// Somebody cut it: revocation, or the end of draining.
    Cut,
    /// No request came.
    Silent,
    /// Asked to go, it did not.
    Overstayed,
}

/// Speaks HTTP/2 on `stream` until it ends one way or another. Returning drops the socket, and with it every stream and every handler on it.
pub(super) async fn run<I, S>(
    stream: TlsStream<I>,
    service: S,
    limits: &Limits,
    live: &Live,
    shutdown: &CancellationToken,
    cut: &CancellationToken,
) -> Ended
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<http::Request<Incoming>, Response = http::Response<tonic::body::Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    let opened = Instant::now();
    let activity = Arc::new(Activity::new());
    let requests = Requests { service, activity: activity.clone() };
    let mut http = pin!(protocol(limits).serve_connection(TokioIo::new(stream), requests));
    // What was opened together, when a gateway started, shall not end together.
    let ages = opened + limits.age.mul_f64(1.0 - chance::part() / 10.0);
    let mut overstays = None;
    let mut look_again = opened + limits.first_request.min(limits.idle);
    loop {
        tokio::select! {
            biased;
            () = live.cut() => return Ended::Cut,
            () = cut.cancelled() => return Ended::Cut,
            _ = http.as_mut() => return Ended::Closed,
            () = sleep_until(overstays.unwrap_or(opened)), if overstays.is_some() => return Ended::Overstayed,
            () = shutdown.cancelled(), if overstays.is_none() => {}
            () = sleep_until(ages), if overstays.is_none() => {}
            () = sleep_until(look_again), if overstays.is_none() => {
                let now = Instant::now();
                if !activity.any() {
                    if now >= opened + limits.first_request {
                        return Ended::Silent;
                    }
                    look_again = opened + limits.first_request;
                    continue;
                }
                // Never later than the true end of the idle time: a stream that ends after this look ends after now.
                let idle_at = activity.quiet_since().unwrap_or(now) + limits.idle;
                if now < idle_at {
                    look_again = idle_at;
                    continue;
                }
            }
        }
        // Shutdown, age or idleness: GOAWAY, and a hard end for whoever stays. When draining, the deadline may cut earlier.
        http.as_mut().graceful_shutdown();
        overstays = Some(Instant::now() + limits.grace);
    }
}

fn protocol(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list)
        .max_local_error_reset_streams(limits.reset_streams)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_send_buf_size(limits.send_buffer);
    builder
}
