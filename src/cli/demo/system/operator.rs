// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::net::SocketAddr;
use std::path::Path;

use tonic::Status;
use tonic::transport::Channel;

use super::line::{LineError, Papers};
use crate::proto::admin::admin_service_client::AdminServiceClient;
use crate::proto::admin::{ListDeadLettersRequest, ParkDeliveriesRequest, RequeueDeadLetterRequest, UnparkDeliveriesRequest};

/// An admin of the gateway with the certificate that `weiche init` made: sees what was given up, and no content.
pub(in crate::cli::demo) struct Operator(Channel);

impl Operator {
    pub(in crate::cli::demo) fn new(certs: &Path, gateway: SocketAddr) -> Result<Self, LineError> {
        Ok(Self(Papers::open(certs, "operator/admin")?.dial(gateway)?))
    }

    /// Deliveries that were given up, each with its referral.
    pub(in crate::cli::demo) async fn dead_letters(&self) -> Result<Vec<(String, String)>, Status> {
        let answer =
            AdminServiceClient::new(self.0.clone()).list_dead_letters(ListDeadLettersRequest { page_size: 200, ..Default::default() }).await?;
        Ok(answer.into_inner().dead_letters.into_iter().map(|letter| (letter.delivery_id, letter.referral_id)).collect())
    }

    /// Puts one back.
    pub(in crate::cli::demo) async fn requeue(&self, delivery: &str) -> Result<(), Status> {
        let request = RequeueDeadLetterRequest { request_id: uuid::Uuid::new_v4().to_string(), delivery_id: delivery.to_owned() };
        AdminServiceClient::new(self.0.clone()).requeue_dead_letter(request).await.map(drop)
    }

    /// Holds back what is for an institution, or lets it go again.
    pub(in crate::cli::demo) async fn park(&self, institution: &str, parked: bool) -> Result<(), Status> {
        let (request_id, recipient) = (uuid::Uuid::new_v4().to_string(), institution.to_owned());
        let mut client = AdminServiceClient::new(self.0.clone());
        if parked {
            client.park_deliveries(ParkDeliveriesRequest { request_id, recipient, ..Default::default() }).await.map(drop)
        } else {
            client.unpark_deliveries(UnparkDeliveriesRequest { request_id, recipient, ..Default::default() }).await.map(drop)
        }
    }
}
