// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Putting messages into the queue, and the steps of a referral's life that go with them.

use prost::Message;
use prost_types::Timestamp;

use super::Batch;
use crate::clock::Time;
use crate::exchange::command::Plain;
use crate::exchange::refusal::Refusal;
use crate::id::{DeliveryId, InstitutionId};
use crate::numbered::Numbered;
use crate::outbox::{Delivery, Kind, LaneId, State};
use crate::proto::types::StatusChange;
use crate::referral::{Event, Referral, ReferralState, StatusReason};
use crate::vault::{Sealed, Vault};

impl Batch<'_> {
    /// Queues `content` behind everything that was accepted before it for the same person and recipient.
    pub(super) fn enqueue(
        &mut self,
        id: DeliveryId,
        kind: Kind,
        referral: &Referral,
        recipient: &InstitutionId,
        content: Sealed,
        plain: Option<Plain>,
    ) {
        let seq = self.set.next_delivery;
        self.set.next_delivery += 1;
        self.set.deliveries.put(
            id,
            Delivery {
                id,
                seq,
                referral: referral.id,
                recipient: recipient.clone(),
                lane: lane(self.vault, recipient, &referral.subject),
                kind,
                state: State::Ready,
                attempts: 0,
                begun: 0,
                due_at: self.now,
                token: None,
                last_error: String::new(),
                accepted_at: self.now,
                changed_at: self.now,
            },
        );
        self.added.contents.push((seq, content));
        self.added.queued.push((id, plain));
    }

    /// Tells the sender of a referral where it stands. `change` carries what else may be told; ids, state and time are filled in here.
    pub(super) fn tell_sender(
        &mut self,
        referral: &Referral,
        state: ReferralState,
        reason: Option<StatusReason>,
        change: StatusChange,
    ) -> Result<(), Refusal> {
        let id = DeliveryId::random();
        // A file number that does not open must not keep the sender from learning the rest.
        let case_number = self.vault.open_short(referral.id.as_bytes(), &referral.case_number).unwrap_or_default();
        let change = StatusChange {
            referral_id: referral.id.to_string(),
            sender_case_number: case_number,
            event_id: if change.event_id.is_empty() { id.to_string() } else { change.event_id },
            state: state.number(),
            reason: reason.map_or(0, Numbered::number),
            at: Some(timestamp(self.now)),
            version: referral.version,
            ..change
        };
        let content = self.vault.seal(id.as_bytes(), &change.encode_to_vec())?;
        let sender = referral.sender.clone();
        self.enqueue(id, Kind::Status, referral, &sender, content, None);
        Ok(())
    }

    /// Whether the sender is a body under section 35 SGB I, which learns less; also one that is no member any more.
    pub(super) fn sender_is_benefit_body(&self, referral: &Referral) -> bool {
        self.agreement.member(&referral.sender).is_none_or(|sender| sender.section_35)
    }

    /// Keeps a step for those who ask for the referral's history.
    pub(super) fn remember(&mut self, referral: &Referral, event: [u8; 16], actor: &str, leaf: u64) {
        let step =
            Event { referral: referral.id, event, state: referral.state, reason: referral.reason, actor: actor.to_owned(), at: self.now, leaf };
        self.set.events.insert((referral.id, event), step.clone());
        self.added.events.push(step);
    }
}

/// The lane of a person at a recipient.
pub fn lane(vault: &Vault, recipient: &InstitutionId, subject: &[u8; 32]) -> LaneId {
    let digest = vault.digest(&[recipient.as_str().as_bytes(), &[0], subject].concat());
    let mut lane = [0; 16];
    lane.copy_from_slice(&digest[..16]);
    lane
}

/// As the contract carries an instant.
pub fn timestamp(at: Time) -> Timestamp {
    Timestamp { seconds: at.0.div_euclid(1000), nanos: i32::try_from(at.0.rem_euclid(1000) * 1_000_000).unwrap_or(0) }
}
