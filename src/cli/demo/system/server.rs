// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The server of a system that takes deliveries: its own accept loop, and its own methods behind it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use crate::grpc::codec::BytesCodec;

/// Serves until `stop`: then every connection is cut, as if somebody had pulled the plug.
pub(super) async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, desk: Desk, stop: CancellationToken) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let conversation = converse(acceptor.clone(), socket, desk.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = conversation => {}
            }
        });
    }
}

/// Takes the port again after a while without a system.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn converse(acceptor: TlsAcceptor, socket: TcpStream, desk: Desk) {
    let _ = socket.set_nodelay(true);
    // Whoever is not the gateway is left standing at the door.
    let Ok(stream) = acceptor.accept(socket).await else { return };
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| respond(desk.clone(), request));
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(desk: Desk, request: http::Request<Incoming>) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let method = desk.tongue.called(request.uri().path()).cloned();
    let call = tower::service_fn(move |request: Request<Bytes>| {
        let answer = match &method {
            Some(method) => desk.answer(method, request.get_ref()).map(Response::new).map_err(Status::from),
            None => Err(Status::unimplemented("no such method in this contract")),
        };
        std::future::ready(answer)
    });
    Ok(Grpc::new(BytesCodec).unary(call, request).await)
}
