// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What the decision says: a permit that can be held, or a denial with its reason.

use std::sync::Arc;

use super::Direction;
use crate::agreement::{LegalBasis, Purpose};
use crate::clock::Time;
use crate::consent::reason::Reason;
use crate::consent::record::Party;
use crate::dialect::{Category, CategoryMask};
use crate::id::{ConsentId, InstitutionId};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go, so far as the permit says.
    Permitted(Permit),
    /// Nothing may go.
    Denied(Denial),
}

impl Decision {
    /// `OK` or why not.
    pub fn reason(&self) -> Reason {
        match self {
            Decision::Permitted(_) => Reason::Ok,
            Decision::Denied(denial) => denial.reason,
        }
    }

    /// Categories that were sent and stay behind, each with its reason.
    pub fn withheld(&self) -> &[(Category, Reason)] {
        match self {
            Decision::Permitted(permit) => &permit.withheld,
            Decision::Denied(denial) => &denial.withheld,
        }
    }
}

/// Why nothing may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// First check that failed.
    pub reason: Reason,
    /// What was not covered, if the decision came as far as the categories.
    pub withheld: Vec<(Category, Reason)>,
}

/// A yes that can be held: only [`decide`](super::decide()) makes one, and whoever renders or forwards demands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    pub(super) from: InstitutionId,
    pub(super) to: Party,
    pub(super) purpose: Purpose,
    pub(super) direction: Direction,
    pub(super) mask: CategoryMask,
    pub(super) withheld: Vec<(Category, Reason)>,
    pub(super) legal_basis: LegalBasis,
    pub(super) consent: Option<(ConsentId, u32)>,
    pub(super) agreement_version: Arc<str>,
    pub(super) rule: Arc<str>,
    pub(super) sgbx_78: bool,
    pub(super) origin_203: bool,
    pub(super) at: Time,
}

impl Permit {
    /// The referral's sender.
    pub fn from(&self) -> &InstitutionId {
        &self.from
    }
    /// The referral's recipient.
    pub fn to(&self) -> &Party {
        &self.to
    }
    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
    /// Which way.
    pub fn direction(&self) -> Direction {
        self.direction
    }
    /// What may go; never more than was sent.
    pub fn mask(&self) -> CategoryMask {
        self.mask
    }
    /// What was sent and stays behind, each with its reason.
    pub fn withheld(&self) -> &[(Category, Reason)] {
        &self.withheld
    }
    /// On which basis.
    pub fn legal_basis(&self) -> LegalBasis {
        self.legal_basis
    }
    /// Which consent in which version; none on a statutory basis.
    pub fn consent(&self) -> Option<(ConsentId, u32)> {
        self.consent
    }
    /// Which agreement.
    pub fn agreement_version(&self) -> &Arc<str> {
        &self.agreement_version
    }
    /// Which rule of it.
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }
    /// The data are Sozialdaten in hands that are no section 35 body (section 78 SGB X): the recipient must be told.
    pub fn sgbx_78(&self) -> bool {
        self.sgbx_78
    }
    /// The data come from somebody bound by section 203 StGB (section 88(2) AufenthG, section 76 SGB X): the recipient must be told.
    pub fn origin_203_stgb(&self) -> bool {
        self.origin_203
    }
    /// When it was decided. A permit is of that moment: it is not kept for a later delivery.
    pub fn at(&self) -> Time {
        self.at
    }
}
