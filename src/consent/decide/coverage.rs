// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Which data may still go, after each limit in turn; what stays behind, and why.

use super::{Direction, Request};
use crate::consent::reason::Reason;
use crate::dialect::{Category, CategoryMask};

/// Data that only say who the person is and how to reach them.
const REACH: CategoryMask = CategoryMask::from_bits(
    Category::Ident.mask().bits() | Category::Contact.mask().bits() | Category::Address.mask().bits() | Category::Lang.mask().bits(),
);

/// What may still go, after each limit in turn.
pub(super) struct Coverage {
    pub(super) granted: CategoryMask,
    pub(super) withheld: Vec<(Category, Reason)>,
}

impl Coverage {
    /// Everything that was sent.
    pub(super) fn all(sent: CategoryMask) -> Self {
        Self { granted: sent, withheld: Vec::new() }
    }

    /// Only what is `allowed` goes on; what stays behind here does so for `reason`.
    pub(super) fn limit(&mut self, allowed: CategoryMask, reason: Reason) {
        self.withheld.extend((self.granted - allowed).iter().map(|category| (category, reason)));
        self.granted &= allowed;
    }

    /// Whether what remains is worth sending.
    pub(super) fn is_enough(&self, request: &Request<'_>) -> Result<(), Reason> {
        if request.direction == Direction::Feedback {
            return if self.granted.is_empty() { Err(self.first_reason(CategoryMask::ALL)) } else { Ok(()) };
        }
        if !self.granted.contains(Category::Ident) {
            return Err(Reason::CategoryNotCovered);
        }
        let substance = request.categories - REACH;
        if !substance.is_empty() && CategoryMask::SPECIAL.covers(substance) && (self.granted & substance).is_empty() {
            return Err(self.first_reason(substance));
        }
        Ok(())
    }

    fn first_reason(&self, among: CategoryMask) -> Reason {
        self.withheld.iter().find(|(category, _)| among.contains(*category)).map_or(Reason::CategoryNotCovered, |(_, reason)| *reason)
    }
}
