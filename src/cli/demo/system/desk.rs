// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where whatever arrives is read and stored, whether the gateway called or the system fetched it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tonic::Status;

use super::book::{Arrival, Book};
use super::tongue::{Tongue, TongueError};
use crate::dialect::Method;
use crate::proto::exchange::receive_response::Item;
use crate::proto::exchange::{Acknowledgement, Receipt, ReceiveResponse};
use crate::proto::institution::{
    DeliverRecallRequest, DeliverRecallResponse, DeliverReferralRequest, DeliverReferralResponse, DeliverStatusRequest, DeliverStatusResponse,
};
use crate::proto::types::Referral;

/// How a system behaves.
#[derive(Debug, Default)]
pub(in crate::cli::demo) struct Manners {
    /// Case numbers that it stores, once, without saying so: it dies in the middle.
    forgets: Mutex<HashSet<String>>,
    /// Case numbers that it refuses, as if for good.
    refuses: Mutex<HashSet<String>>,
    /// Milliseconds that it takes for everything.
    slow: AtomicU64,
}

impl Manners {
    /// It will store this case and then die.
    pub(in crate::cli::demo) fn forget(&self, case_number: &str) {
        self.forgets.lock().unwrap_or_else(PoisonError::into_inner).insert(case_number.to_owned());
    }
    /// It will refuse this case, as somebody might who has forgotten to install an update.
    pub(in crate::cli::demo) fn refuse(&self, case_number: &str) {
        self.refuses.lock().unwrap_or_else(PoisonError::into_inner).insert(case_number.to_owned());
    }
    /// The update is installed: it takes this case.
    pub(in crate::cli::demo) fn relent(&self, case_number: &str) {
        self.refuses.lock().unwrap_or_else(PoisonError::into_inner).remove(case_number);
    }
    /// From now on it takes its time.
    pub(in crate::cli::demo) fn slow_down(&self, to: Duration) {
        self.slow.store(u64::try_from(to.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
    /// How long it takes for something.
    pub(super) fn takes(&self) -> Duration {
        Duration::from_millis(self.slow.load(Ordering::Relaxed))
    }
    fn dies_over(&self, case_number: &str) -> bool {
        self.forgets.lock().unwrap_or_else(PoisonError::into_inner).remove(case_number)
    }
    fn turns_away(&self, case_number: &str) -> bool {
        self.refuses.lock().unwrap_or_else(PoisonError::into_inner).contains(case_number)
    }
}

/// Why there is no answer.
pub(super) enum Silence {
    /// The system stored it and died.
    Died,
    /// It wants nothing of it, ever.
    TurnedAway,
    /// It does not understand the message.
    Confused(TongueError),
}

impl From<TongueError> for Silence {
    fn from(error: TongueError) -> Self {
        Self::Confused(error)
    }
}

impl From<Silence> for Status {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Died => Status::unavailable("the case system has gone"),
            Silence::TurnedAway => Status::failed_precondition("this case system takes no such case"),
            Silence::Confused(error) => Status::invalid_argument(error.to_string()),
        }
    }
}

#[derive(Clone)]
pub(super) struct Desk {
    pub tongue: Tongue,
    pub book: Arc<Book>,
    pub manners: Arc<Manners>,
}

impl Desk {
    /// The gateway called: the answer in the institution's own words.
    pub(super) fn answer(&self, method: &Method, bytes: &[u8]) -> Result<Bytes, Silence> {
        match method.canonical.rsplit('.').next() {
            Some("DeliverReferral") => {
                let call: DeliverReferralRequest = self.tongue.hear(&method.request, bytes)?;
                self.referral(&method.request, bytes, call.delivery_id, call.referral, call.receipt)?;
                Ok(self.tongue.say(&method.response, &DeliverReferralResponse::default())?)
            }
            Some("DeliverStatus") => {
                let call: DeliverStatusRequest = self.tongue.hear(&method.request, bytes)?;
                self.book.note(&call.delivery_id, call.change.unwrap_or_default());
                Ok(self.tongue.say(&method.response, &DeliverStatusResponse {})?)
            }
            _ => {
                let call: DeliverRecallRequest = self.tongue.hear(&method.request, bytes)?;
                self.book.recall(&call.delivery_id, call.notice.unwrap_or_default());
                Ok(self.tongue.say(&method.response, &DeliverRecallResponse {})?)
            }
        }
    }

    /// The system fetched it: its acknowledgement.
    pub(super) fn fetched(&self, method: &Method, bytes: &[u8]) -> Result<Acknowledgement, Silence> {
        let item: ReceiveResponse = self.tongue.hear(&method.response, bytes)?;
        let (delivery, mut refusal) = (item.delivery_id.clone(), String::new());
        match item.item {
            Some(Item::Referral(referral)) => match self.referral(&method.response, bytes, item.delivery_id, Some(referral), item.receipt) {
                Err(Silence::TurnedAway) => refusal = "this case system takes no such case".to_owned(),
                stored => stored?,
            },
            Some(Item::Status(change)) => self.book.note(&delivery, change),
            Some(Item::Recall(notice)) => self.book.recall(&delivery, notice),
            None => {}
        }
        Ok(Acknowledgement { delivery_id: delivery, lease_token: item.lease_token, refusal })
    }

    fn referral(&self, message: &str, bytes: &[u8], delivery: String, content: Option<Referral>, receipt: Option<Receipt>) -> Result<(), Silence> {
        let undecodable = || TongueError::Undecodable(message.to_owned());
        let read = self.tongue.referral_in(message, bytes).ok_or_else(undecodable)?;
        let content = content.ok_or_else(undecodable)?;
        let case_number = content.sender_case_number.clone();
        if self.manners.turns_away(&case_number) {
            return Err(Silence::TurnedAway);
        }
        let receipt = receipt.map(|receipt| receipt.text).unwrap_or_default();
        self.book.store(Arrival { turn: 0, delivery, referral: read.referral, native: read.native, content, receipt, times: 1 });
        if self.manners.dies_over(&case_number) { Err(Silence::Died) } else { Ok(()) }
    }
}
