// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The operator's port: `/healthz`, `/readyz` and `/metrics` over HTTP/1, on loopback only, since it knows no callers.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::grpc::health::{Condition, Health};

/// Connections at once: a scraper, a probe, an operator, and room.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may take to send a request's head, and to be served and closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Upper bounds of the buckets of `weiche_call_seconds`, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Why the operator's port is not there.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// It would be reachable from elsewhere.
    #[error("the operator's port {0} is not on loopback; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The port cannot be had.
    #[error("cannot listen on {address}; is another gateway running?")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Metrics cannot be collected.
    #[error("metrics cannot be collected in this process")]
    Metrics(#[from] BuildError),
}

/// Starts collecting metrics; once per process.
pub fn collect_metrics() -> Result<PrometheusHandle, OpsError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full("weiche_call_seconds".into()), &BUCKETS)?;
    Ok(builder.install_recorder()?)
}

/// Takes the port; refuses any address that is not loopback.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, OpsError> {
    if !address.ip().is_loopback() {
        return Err(OpsError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| OpsError::Listen { address, source })
}

/// Answers on `listener` until `stop` is ready. Keep it answering while the gateway drains.
pub async fn serve(listener: TcpListener, health: Health, metrics: PrometheusHandle, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut upkeep = tokio::time::interval(PATIENCE);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return,
            _ = upkeep.tick() => {
                // Without it, histograms grow until somebody scrapes.
                metrics.run_upkeep();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (Ok((stream, _)), Ok(place)) = (accepted, places.clone().try_acquire_owned()) else {
            // Out of descriptors or of places: give others time to finish.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (health, metrics) = (health.clone(), metrics.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let answer = answer(&request, health.now(), || metrics.render());
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
            // Whatever becomes of the connection is of no interest.
            let _ = tokio::time::timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, condition: Condition, metrics: impl FnOnce() -> String) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method().as_str(), request.uri().path()) {
        ("GET" | "HEAD", "/healthz") => (StatusCode::OK, "ok\n".into()),
        ("GET" | "HEAD", "/readyz") => match condition {
            Condition::Ready => (StatusCode::OK, "ready\n".into()),
            Condition::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n".into()),
            Condition::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into()),
            Condition::Failed(part) => (StatusCode::SERVICE_UNAVAILABLE, format!("failed: {part}\n")),
        },
        ("GET", "/metrics") => (StatusCode::OK, metrics()),
        (_, "/healthz" | "/readyz" | "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, "try /healthz, /readyz or /metrics\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn only_loopback_is_listened_on() {
        for elsewhere in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert!(matches!(bind(elsewhere.parse().unwrap()).await, Err(OpsError::NotLoopback(_))), "{elsewhere}");
        }
    }

    #[tokio::test]
    async fn probes_and_metrics_are_answered_on_a_real_socket() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || metrics::counter!("weiche_calls_total", "code" => "OK").increment(3));
        let health = Health::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, health.clone(), recorder.handle(), async move { drop(stopped.await) }));
        let get = |path: &'static str| async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        };
        assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get("/readyz").await.ends_with("starting\n"));
        health.set(Condition::Ready);
        assert!(get("/readyz").await.starts_with("HTTP/1.1 200"));
        health.set(Condition::Failed("ledger"));
        assert!(get("/readyz").await.contains("503") && get("/readyz").await.ends_with("failed: ledger\n"));
        assert!(get("/metrics").await.contains("weiche_calls_total{code=\"OK\"} 3"));
        assert!(get("/").await.starts_with("HTTP/1.1 404"));
        stop.send(()).unwrap();
        server.await.unwrap();
    }
}
