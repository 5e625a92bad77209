// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Checks 2 to 8: what one record lets go.

use std::time::Duration;

use super::coverage::Coverage;
use super::{Case, Direction, Request};
use crate::agreement::DataProtectionRegime;
use crate::consent::lifecycle::months_after;
use crate::consent::reason::Reason;
use crate::consent::record::{Consent, Form, Quality, Status};
use crate::dialect::{Category, CategoryMask};
use crate::id::InstitutionId;

impl Case<'_> {
    /// Checks 2 to 8 on one record.
    pub(super) fn covers(
        self,
        consent: &Consent,
        release_towards: Option<&InstitutionId>,
        regime: DataProtectionRegime,
        coverage: &mut Coverage,
    ) -> Result<(), Reason> {
        self.in_force(consent)?;
        coverage.limit(self.granted(consent)?, Reason::CategoryNotCovered);
        coverage.limit((CategoryMask::ALL - CategoryMask::SPECIAL) | consent.special_explicit, Reason::Art9NotExplicit);
        if consent.form == Form::OralDocumented {
            coverage.limit(CategoryMask::ALL - Category::Health.mask(), Reason::FormInsufficient);
        }
        coverage.limit(CategoryMask::ALL - consent.grantor.barred(self.agreement), Reason::GrantorNotEntitled);
        coverage.is_enough(self.request)?;
        if let Some(towards) = release_towards {
            is_released(consent, towards)?;
        }
        let grantor = &consent.grantor;
        if !grantor.may(consent.capability, self.request.purpose, self.agreement) || !grantor.may_still(self.now, self.request.born) {
            return Err(Reason::GrantorNotEntitled);
        }
        if consent.restricted {
            return Err(Reason::Restricted);
        }
        let text = &consent.template;
        let template = self.agreement.texts().get(&text.id, &text.version, &text.language).ok_or(Reason::TemplateRevoked)?;
        if !template.counts(consent.granted_at, self.now) || template.text_sha256 != text.text_sha256 {
            return Err(Reason::TemplateRevoked);
        }
        // A text that cites another law than the controller's informed nobody.
        if consent.regime == regime { Ok(()) } else { Err(Reason::NotActive) }
    }

    /// Check 2: in force, now, and before the referral.
    fn in_force(self, consent: &Consent) -> Result<(), Reason> {
        match consent.status {
            Status::Active => {}
            Status::Withdrawn => return Err(Reason::Withdrawn),
            Status::Expired => return Err(Reason::Expired),
            Status::Superseded => return Err(Reason::Superseded),
            Status::Proposed | Status::Invalidated | Status::Refused | Status::Lapsed | Status::EnteredInError => {
                return Err(Reason::NotActive);
            }
        }
        let (Some(valid_from), Some(valid_until)) = (consent.valid_from, consent.valid_until) else { return Err(Reason::NotActive) };
        if consent.quality == Quality::CheckedDefects {
            return Err(Reason::NotActive);
        }
        let validity = self.agreement.validity();
        if self.now.plus(validity.skew) < valid_from.max(consent.granted_at) {
            return Err(Reason::NotYetValid);
        }
        // Calendar arithmetic only for the few records that could be longer than the agreement allows.
        let shortest = Duration::from_secs(28 * 24 * 3600).saturating_mul(u32::try_from(validity.max_months).unwrap_or(0));
        let capped = || valid_until > consent.granted_at.plus(shortest) && months_after(consent.granted_at, validity.max_months) <= self.now;
        if valid_until <= self.now || capped() {
            return Err(Reason::Expired);
        }
        if consent.granted_at > self.request.submitted_at.plus(validity.skew) {
            return Err(Reason::Retroactive);
        }
        Ok(())
    }

    /// Check 3: what the record grants for exactly this recipient and purpose.
    fn granted(self, consent: &Consent) -> Result<CategoryMask, Reason> {
        let Request { recipient, purpose, direction, .. } = *self.request;
        let mut to_recipient = consent.grants.iter().filter(|grant| grant.recipient.is(recipient)).peekable();
        to_recipient.peek().ok_or(Reason::WrongRecipient)?;
        let mut for_purpose = to_recipient.filter(|grant| grant.purpose == purpose).peekable();
        for_purpose.peek().ok_or(Reason::WrongPurpose)?;
        Ok(for_purpose.fold(CategoryMask::EMPTY, |all, grant| all | if direction == Direction::Outward { grant.categories } else { grant.feedback }))
    }
}

/// Check 5: somebody is released, in a profession that the law names, towards this institution.
fn is_released(consent: &Consent, towards: &InstitutionId) -> Result<(), Reason> {
    consent
        .secrecy_release
        .as_ref()
        .filter(|release| release.functions.iter().any(|function| !function.trim().is_empty()))
        .filter(|release| !release.professions.is_empty() && release.professions.iter().all(|number| matches!(number, 4 | 6)))
        .filter(|release| release.towards.contains(towards))
        .map(|_| ())
        .ok_or(Reason::NoSecrecyRelease)
}
