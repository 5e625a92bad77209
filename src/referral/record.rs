// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use crate::agreement::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, DeliveryId, InstitutionId, ReferralId, UnitId};
use crate::referral::{ReferralState, StatusReason};

/// What the gateway knows of a referral besides its sealed content. Nothing here is about the person but pseudonyms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// Chosen by the gateway.
    pub id: ReferralId,
    /// Who refers.
    pub sender: InstitutionId,
    /// From which unit.
    pub sender_unit: UnitId,
    /// To whom.
    pub recipient: InstitutionId,
    /// To which unit.
    pub recipient_unit: UnitId,
    /// What for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: ReferralState,
    /// Why.
    pub reason: Option<StatusReason>,
    /// Number of the last decision's reason (weiche.exchange.v1.DecisionReason).
    pub decision: i32,
    /// Counts its changes.
    pub version: u64,
    /// Consent it rests on.
    pub consent: Option<ConsentId>,
    /// Version of it at the last decision.
    pub consent_version: u32,
    /// Necessity code on a statutory route; empty otherwise.
    pub necessity: String,
    /// It carries data that the sender itself received.
    pub onward: bool,
    /// The consent under which the sender received them.
    pub origin: Option<ConsentId>,
    /// Keyed pseudonym of the person.
    pub subject: [u8; 32],
    /// Categories that the sender sent.
    pub carried: CategoryMask,
    /// Categories that were sealed.
    pub stored: CategoryMask,
    /// The sender's file number, sealed.
    pub case_number: Vec<u8>,
    /// The delivery that carries it.
    pub delivery: DeliveryId,
    /// When the gateway accepted it.
    pub submitted_at: Time,
    /// When it last changed.
    pub changed_at: Time,
    /// Leaf of the last change.
    pub changed_leaf: u64,
}

/// One step of a referral's life, as either side may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which referral.
    pub referral: ReferralId,
    /// Chosen by whoever made the change: the same event again changes nothing.
    pub event: [u8; 16],
    /// The state that followed.
    pub state: ReferralState,
    /// Why.
    pub reason: Option<StatusReason>,
    /// Who: an institution, or `gateway`.
    pub actor: String,
    /// When.
    pub at: Time,
    /// Its leaf.
    pub leaf: u64,
}
