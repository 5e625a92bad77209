// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A sender that keeps one stream open and has many referrals under way on it, answers in any order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::grpc::codec::BytesCodec;

/// Referrals that wait for the connection.
const OUTBOUND: usize = 1024;
/// After a stream broke.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers of a stream in any dialect of the benchmark: the request's id first, then either what was accepted, which is not looked at, or why not.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(string, tag = "1")]
    request_id: String,
    /// `google.rpc.Status`, serialised.
    #[prost(message, optional, tag = "3")]
    refused: Option<Refused>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Refused {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// Whoever waits for an answer, by request id.
type Waiting = Arc<Mutex<HashMap<Uuid, oneshot::Sender<Code>>>>;

/// The stream; opened again when it breaks, until this is dropped.
pub struct Stream {
    say: mpsc::Sender<Bytes>,
    waiting: Waiting,
}

impl Stream {
    /// Opens `path` on a connection.
    pub fn open(channel: Channel, path: PathAndQuery) -> Self {
        let (say, said) = mpsc::channel(OUTBOUND);
        let waiting = Waiting::default();
        tokio::spawn(keep_open(channel, path, said, waiting.clone()));
        Self { say, waiting }
    }

    /// Sends one and waits for its answer. `Unavailable`: the stream broke, and nobody knows what became of it.
    pub async fn send(&self, id: Uuid, request: Bytes) -> Result<(), Code> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        self.say.send(request).await.map_err(|_| Code::Unavailable)?;
        match answered.await {
            Ok(Code::Ok) => Ok(()),
            Ok(code) => Err(code),
            Err(_) => Err(Code::Unavailable),
        }
    }
}

/// One stream after the other over the same connection.
async fn keep_open(channel: Channel, path: PathAndQuery, mut said: mpsc::Receiver<Bytes>, waiting: Waiting) {
    loop {
        let (out, outbound) = mpsc::channel(OUTBOUND);
        let mut answers = tokio::spawn(answers(channel.clone(), path.clone(), outbound, waiting.clone()));
        loop {
            tokio::select! {
                _ = &mut answers => break,
                next = said.recv() => match next {
                    // If the stream has broken meanwhile, its end tells whoever waits.
                    Some(request) => { let _ = out.send(request).await; }
                    None => return,
                },
            }
        }
        waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Hands out answers until the stream ends.
async fn answers(channel: Channel, path: PathAndQuery, outbound: mpsc::Receiver<Bytes>, waiting: Waiting) {
    let mut client = Grpc::new(channel);
    if client.ready().await.is_err() {
        return;
    }
    let request = tonic::Request::new(ReceiverStream::new(outbound));
    let Ok(answers) = client.streaming::<_, Bytes, Bytes, _>(request, path, BytesCodec).await else { return };
    let mut answers = answers.into_inner();
    while let Ok(Some(answer)) = answers.message().await {
        let Ok(answer) = Answer::decode(answer) else { return };
        let id = Uuid::try_parse(&answer.request_id).unwrap_or_default();
        let code = answer.refused.map_or(Code::Ok, |refused| Code::from(refused.code));
        if let Some(waiting) = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            let _ = waiting.send(code);
        }
    }
}
