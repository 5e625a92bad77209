// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The stream of a system that only dials out: it opens it, takes what comes, and acknowledges what it has stored.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::desk::{Desk, Silence};
use crate::grpc::codec::BytesCodec;
use crate::proto::exchange::{Acknowledgement, ReceiveRequest};

/// Items that may be open at a time.
const CREDITS: u32 = 64;
/// From the end of one stream to the next.
const AGAIN: Duration = Duration::from_millis(100);

/// Keeps a stream open until `stop`.
pub(super) async fn keep(channel: Channel, desk: Desk, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            // However it ended, what was not acknowledged comes again.
            _ = once(channel.clone(), &desk) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn once(channel: Channel, desk: &Desk) -> Result<(), Status> {
    let method = desk.tongue.method("weiche.exchange.v1.InboxService.Receive").map_err(Silence::from)?.clone();
    let say = |request: ReceiveRequest| -> Result<Bytes, Status> { Ok(desk.tongue.say(&method.request, &request).map_err(Silence::from)?) };
    let (requests, outbound) = mpsc::channel(2 * CREDITS as usize);
    let gone = |_| Status::unavailable("the stream has ended");
    requests.send(say(ReceiveRequest { credits: CREDITS, acknowledgement: None })?).await.map_err(gone)?;

    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(method.path.as_str()).map_err(|error| Status::internal(error.to_string()))?;
    let response = grpc.streaming(Request::new(ReceiverStream::new(outbound)), path, BytesCodec).await?;
    let mut items = response.into_inner();
    while let Some(item) = items.message().await? {
        let (delivery_id, lease_token) = desk.fetched(&method, &item)?;
        let acknowledgement = Acknowledgement { delivery_id, lease_token, refusal: String::new() };
        requests.send(say(ReceiveRequest { credits: 0, acknowledgement: Some(acknowledgement) })?).await.map_err(gone)?;
    }
    Ok(())
}
