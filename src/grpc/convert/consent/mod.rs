// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Consents, withdrawals and decisions.
//!
//! Without loss both ways, with three things said for the caller: a status that is not stated reads as `ACTIVE` (a record tells of a consent
//! given), a check of the scan that is not stated as `NOT_CHECKED`, and times keep milliseconds.

mod record_from;
mod record_to;
#[cfg(test)]
mod tests;

pub use record_from::consent_from;
pub use record_to::consent_to;

use record_from::Reading;

use prost_types::Timestamp;

use crate::agreement::{DataProtectionRegime, LegalBasis, Purpose};
use crate::clock::Time;
use crate::consent::{
    Capability, Consent, Day, Decision, Event, Explanation, ExplanationMode, Form, Grant, Grantor, GrantorKind, Information, InterpreterKind, Party,
    Problem, Quality, Reason, Retention, Scan, Scope, SecrecyRelease, Status, SubjectRef, TemplateUse, Voluntariness,
};
use crate::dialect::{Category, CategoryMask};
use crate::proto::{exchange, types};

/// Both ways between an enum of the domain and the one of the contract with the same variants.
macro_rules! pairs {
    ($($(#[$doc:meta])* $to:ident $from:ident $ours:ident = $theirs:path { $($variant:ident $(= $other:ident)?),* })*) => {$(
        $(#[$doc])*
        pub const fn $to(value: $ours) -> $theirs {
            use $theirs as Theirs;
            match value { $($ours::$variant => pairs!(@ Theirs $variant $($other)?),)* }
        }

        /// The other way; none for a number that is not stated or unknown.
        pub fn $from(number: i32) -> Option<$ours> {
            let theirs = <$theirs>::try_from(number).ok()?;
            [$($ours::$variant),*].into_iter().find(|ours| $to(*ours) == theirs)
        }
    )*};
    (@ $theirs:ident $variant:ident) => { $theirs::$variant };
    (@ $theirs:ident $variant:ident $other:ident) => { $theirs::$other };
}

pairs! {
    /// What a referral is for.
    purpose_to purpose_from Purpose = types::Purpose {
        CounsellingReferral, AuthorityAccompaniment, FamilyReunification, MeasurePlacement, JobSearch, Recognition, LanguageCourse,
        StatusFeedback, Appointment, CaseConference
    }
    /// Basis of a transfer.
    legal_basis_to legal_basis_from LegalBasis = exchange::LegalBasis { Consent, ConsentWithSecrecyRelease, Sgbx6911, Sgbii501 }
    /// Law that applies.
    regime_to regime_from DataProtectionRegime = types::DataProtectionRegime { GdprBdsg, GdprSgb, Kdg, DsgEkd }
    /// Why, or why not.
    reason_to reason_from Reason = exchange::DecisionReason {
        Ok, NoRecord, NotYetValid, Expired, Withdrawn, Superseded, WrongRecipient, WrongPurpose, CategoryNotCovered, Art9NotExplicit,
        FormInsufficient, NoSecrecyRelease, GrantorNotEntitled, TemplateRevoked, Restricted, NoRoute, Retroactive, NotActive
    }
    /// How consent was given.
    form_to form_from Form = types::ConsentForm { WrittenSignature, ElectronicQes, ElectronicSimple, OralDocumented }
    /// How it was explained.
    mode_to mode_from ExplanationMode = types::ExplanationMode {
        SelfRead, ReadAloud, InterpreterPresent, InterpreterPhone, EasyLanguage, SignLanguage
    }
    /// Who interpreted.
    interpreter_to interpreter_from InterpreterKind = types::InterpreterKind { None, Professional, Volunteer, Staff, Relative }
    /// Who gave it.
    grantor_kind_to grantor_kind_from GrantorKind = types::GrantorKind { Own = Self_, ParentBoth, ParentSole, Guardian, Betreuer }
    /// Ability to consent.
    capability_to capability_from Capability = types::ConsentCapability { AssessedCapable, Under15, Under18NotCapable }
    /// Where it stands.
    status_to status_from Status = types::ConsentStatus {
        Proposed, Active, Withdrawn, Expired, Superseded, Invalidated, Refused, Lapsed, EnteredInError
    }
    /// Check of the scan.
    quality_to quality_from Quality = types::ConsentQuality { NotChecked, CheckedOk, CheckedDefects }
}

/// A set of categories as numbers of the contract, in their order.
pub fn mask_to(mask: CategoryMask) -> Vec<i32> {
    mask.iter().map(|category| i32::from(category.number())).collect()
}

/// The other way; a number that is no category of personal data is a problem at `path`.
pub fn mask_from(numbers: &[i32], path: &str) -> Result<CategoryMask, Vec<Problem>> {
    let mut reading = Reading::default();
    let mask = reading.mask(numbers, path);
    reading.done(mask)
}

/// An instant of the contract.
pub use crate::exchange::timestamp as time_to;

/// An instant from the contract; none if it is out of range.
pub fn time_from(timestamp: &Timestamp) -> Option<Time> {
    let valid = (0..1_000_000_000).contains(&timestamp.nanos);
    let millis = timestamp.seconds.checked_mul(1000)?.checked_add(i64::from(timestamp.nanos / 1_000_000))?;
    valid.then_some(Time(millis))
}

/// A party of the contract.
pub fn party_to(party: &Party) -> types::Party {
    types::Party { institution: party.institution.to_string(), unit: party.unit.to_string(), function: party.function.clone() }
}

/// A party from the contract; institution and unit are required.
pub fn party_from(party: Option<&types::Party>, path: &str) -> Result<Party, Vec<Problem>> {
    let mut reading = Reading::default();
    let read = reading.party(party, path);
    reading.done(read).and_then(|party| party.ok_or_else(Vec::new))
}

/// A withdrawal's scope from the contract; absent means everything.
pub fn scope_from(scope: Option<&types::WithdrawalScope>, path: &str) -> Result<Scope, Vec<Problem>> {
    let Some(scope) = scope else { return Ok(Scope::default()) };
    let mut reading = Reading::default();
    let read = reading.scope(scope, path);
    reading.done(read).and_then(|scope| scope.ok_or_else(Vec::new))
}

/// A withdrawal's scope for the contract.
pub fn scope_to(scope: &Scope) -> types::WithdrawalScope {
    types::WithdrawalScope {
        recipient: scope.recipient.as_ref().map(ToString::to_string).unwrap_or_default(),
        purpose: scope.purpose.map_or(0, |purpose| purpose_to(purpose) as i32),
        categories: mask_to(scope.categories),
    }
}

/// A decision for the sender, explained. Nobody else gets one.
pub fn decision_to(decision: &Decision) -> exchange::Decision {
    let (granted, legal_basis) = match decision {
        Decision::Permitted(permit) => (permit.mask(), Some(permit.legal_basis())),
        Decision::Denied(_) => (CategoryMask::EMPTY, None),
    };
    super::outcome_to(decision.reason(), granted, decision.withheld(), legal_basis)
}
