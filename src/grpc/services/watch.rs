// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.exchange.v1.ReferralService.WatchReferrals`: changes of the caller's referrals, resumable by log index.

use std::sync::Arc;

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::native::{Way, institution};
use super::referrals::decode;
use crate::dialect::CategoryMask;
use crate::exchange::Exchange;
use crate::grpc::convert::summary_to;
use crate::grpc::router::{Method, Reply};
use crate::proto::exchange as wire;

/// Changes read at a time.
const PAGE: u32 = 100;

pub(super) fn serve(exchange: Arc<Exchange>, way: Way) -> Method {
    Method::server_streaming(move |context, native: bytes::Bytes| {
        let (exchange, way) = (exchange.clone(), way.clone());
        async move {
            let caller = institution(&context.caller)?;
            let request: wire::WatchReferralsRequest = decode(&way.read(&native)?)?;
            let mut progress = exchange.progress();
            let mut after = if request.after_index == 0 { progress.borrow().size.saturating_sub(1) } else { request.after_index };
            // One item of room: a caller that does not read holds nothing but its place.
            let (changes, outbound) = mpsc::channel(1);
            tokio::spawn(async move {
                loop {
                    progress.mark_unchanged();
                    let found = match exchange.changes(&caller, after, PAGE).await {
                        Ok(found) => found,
                        Err(refused) => {
                            let _ = changes.send(Err(refused.into())).await;
                            return;
                        }
                    };
                    for overview in &found {
                        after = overview.referral.changed_leaf;
                        if overview.quiet {
                            continue;
                        }
                        let change = wire::WatchReferralsResponse { referral: Some(summary_to(overview)), index: after };
                        if changes.send(way.render(&change.encode_to_vec(), CategoryMask::ALL)).await.is_err() {
                            return;
                        }
                    }
                    if found.is_empty() {
                        tokio::select! {
                            changed = progress.changed() => if changed.is_err() { return },
                            () = changes.closed() => return,
                        }
                    }
                }
            });
            Ok(Box::pin(ReceiverStream::new(outbound)) as Reply)
        }
    })
}
