// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A centre that records consents, refers and withdraws, by the contract.

use tonic::Status;
use tonic::transport::Channel;
use weiche::proto::exchange::consent_service_client::ConsentServiceClient;
use weiche::proto::exchange::referral_service_client::ReferralServiceClient;
use weiche::proto::exchange::{RecordConsentRequest, SubmitReferralRequest, WithdrawConsentRequest};

use crate::deliveries::RECIPIENT;
use crate::stopping::person::{consent, id, referral};

/// Who it is.
pub const CENTRE: &str = "caritas-bremen";
/// To whom it refers.
pub const TO: (&str, &str) = (RECIPIENT, "vermittlung-bremen");

/// Its line to a gateway.
#[derive(Clone)]
pub struct Centre {
    consents: ConsentServiceClient<Channel>,
    referrals: ReferralServiceClient<Channel>,
}

impl Centre {
    pub fn at(line: Channel) -> Self {
        Self { consents: ConsentServiceClient::new(line.clone()), referrals: ReferralServiceClient::new(line) }
    }
    pub async fn consents(&mut self, person: &str) -> Result<String, Status> {
        let consent = consent(person);
        let consent_id = consent.consent_id.clone();
        self.consents.record_consent(RecordConsentRequest { request_id: id(), consent: Some(consent) }).await?;
        Ok(consent_id)
    }
    pub async fn submits(&mut self, person: &str, consent: &str) -> Result<String, Status> {
        self.submits_as(&id(), person, consent).await
    }
    /// Under a request id, with which it may be said again.
    pub async fn submits_as(&mut self, request: &str, person: &str, consent: &str) -> Result<String, Status> {
        let request = SubmitReferralRequest { request_id: request.into(), referral: Some(referral(person, consent, TO)), validate_only: false };
        Ok(self.referrals.submit_referral(request).await?.into_inner().referral_id)
    }
    pub async fn withdraws(&mut self, consent: &str) -> Result<(), Status> {
        let request = WithdrawConsentRequest { request_id: id(), consent_id: consent.into(), ..Default::default() };
        self.consents.withdraw_consent(request).await.map(|_| ())
    }
}
