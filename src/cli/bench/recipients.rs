// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The other side of a benchmark: a case system that is called, and one that pulls. They take everything and remember every delivery id,
//! so that a loss or a repetition shows.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::proto::exchange::inbox_service_client::InboxServiceClient;
use crate::proto::exchange::{Acknowledgement, ReceiveRequest};

/// Deliveries taken, with how often each came.
#[derive(Debug, Default, Clone)]
pub struct Taken(Arc<Mutex<HashMap<Uuid, u32>>>);

impl Taken {
    fn note(&self, id: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default() += 1;
    }
    /// Different deliveries.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
    /// Deliveries that came more than once.
    pub fn repeated(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().filter(|count| **count > 1).count()
    }
}

/// How long before its end a recipient that crashes takes deliveries and answers none.
const DYING: Duration = Duration::from_millis(20);

/// Serves every method with an empty answer, until the listener is dropped with the task. It crashes when it has lived for so long, and is there again
/// at once: what it took last it has noted, and the caller never learns that.
pub async fn serve(listener: TcpListener, tls: Arc<rustls::ServerConfig>, taken: Taken, lives: Duration) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let (mut connections, dying) = (JoinSet::new(), CancellationToken::new());
        let mut crash = pin!(async {
            tokio::time::sleep(lives).await;
            dying.cancel();
            tokio::time::sleep(DYING).await;
        });
        loop {
            let socket = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    Err(_) => return,
                },
                Some(_) = connections.join_next() => continue,
                () = &mut crash => break,
            };
            let _ = socket.set_nodelay(true);
            connections.spawn(connection(acceptor.accept(socket), taken.clone(), dying.clone()));
        }
    }
}

async fn connection(accept: Accept<TcpStream>, taken: Taken, dying: CancellationToken) {
    let Ok(stream) = accept.await else { return };
    let service = service_fn(move |request: http::Request<Incoming>| answer(request, taken.clone(), dying.clone()));
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(1024).initial_stream_window_size(1 << 20).initial_connection_window_size(4 << 20);
    // The gateway closes its connections when it stops.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

type Answer = http::Response<StreamBody<futures_util::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>>;

/// An empty protobuf message and status OK, whatever the method.
async fn answer(request: http::Request<Incoming>, taken: Taken, dying: CancellationToken) -> Result<Answer, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if let Some(id) = body.get(5..).and_then(first_uuid) {
        taken.note(id);
    }
    if dying.is_cancelled() {
        std::future::pending::<()>().await;
    }
    let mut frame = BytesMut::with_capacity(5);
    frame.put_bytes(0, 5);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Ok(Frame::data(frame.freeze())), Ok(Frame::trailers(trailers))];
    let mut response = http::Response::new(StreamBody::new(futures_util::stream::iter(frames)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// The first field of a message if it is a UUID: every dialect puts the number of the delivery first.
fn first_uuid(message: &[u8]) -> Option<Uuid> {
    let text = message.get(2..38).filter(|_| message.first() == Some(&0x0a) && message.get(1) == Some(&36))?;
    Uuid::try_parse_ascii(text).ok()
}

/// Pulls over the canonical stream and acknowledges each item, until the gateway ends the stream. At `finish` it says nothing more, and reads on:
/// the gateway ends the stream when everything that was acknowledged is settled.
pub async fn pull(channel: Channel, credits: u32, taken: Taken, finish: CancellationToken) -> Result<(), tonic::Status> {
    let (say, said) = mpsc::channel(1024);
    let hello = ReceiveRequest { credits, acknowledgement: None };
    let _ = say.send(hello).await;
    let mut items = InboxServiceClient::new(channel).receive(ReceiverStream::new(said)).await?.into_inner();
    loop {
        let item = tokio::select! {
            item = items.message() => item?,
            () = finish.cancelled() => break,
        };
        let Some(item) = item else { return Ok(()) };
        if let Ok(id) = Uuid::try_parse(&item.delivery_id) {
            taken.note(id);
        }
        let acknowledgement = Acknowledgement { delivery_id: item.delivery_id, lease_token: item.lease_token, refusal: String::new() };
        if say.send(ReceiveRequest { credits: 0, acknowledgement: Some(acknowledgement) }).await.is_err() {
            break;
        }
    }
    drop(say);
    while items.message().await?.is_some() {}
    Ok(())
}
