// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! How a consent comes to be, changes and ends. Every change makes a new version; none makes an older one wider without the person.

mod recording;

pub use recording::{Problem, record_new, usual_retention};

use super::record::{Consent, Event, Grant, Scope, Status};
use crate::agreement::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::InstitutionId;

/// Why a status does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a consent does not go from {from:?} to {to:?}")]
pub struct LifecycleError {
    /// Where it stands.
    pub from: Status,
    /// Where it should go.
    pub to: Status,
}

/// How a withdrawal came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal<'a> {
    /// What.
    pub scope: &'a Scope,
    /// When, on the gateway's clock; it holds from then on and not backwards (Art. 7(3) GDPR).
    pub at: Time,
    /// Through whom.
    pub received_by: &'a InstitutionId,
    /// Such as `counter`, `letter`, `phone`.
    pub channel: &'a str,
}

/// Whether a consent may go from one status to another (withdrawal goes through [`withdraw`]).
const fn follows(from: Status, to: Status) -> bool {
    use Status::*;
    matches!((from, to), (Proposed, Active | Refused | Lapsed) | (Active, Withdrawn | Expired | Superseded | Invalidated))
        || (matches!(to, EnteredInError) && !matches!(from, EnteredInError))
}

/// Moves a consent to `to`; the version counts up, the event says through whom and how.
pub fn transition(consent: &Consent, to: Status, at: Time, received_by: Option<&InstitutionId>, channel: &str) -> Result<Consent, LifecycleError> {
    if !follows(consent.status, to) {
        return Err(LifecycleError { from: consent.status, to });
    }
    Ok(next_version(consent.clone(), to, at, received_by, channel))
}

/// The consent that holds after a withdrawal: a new version with fewer grants, or `WITHDRAWN`. Withdrawing what is not granted, or again,
/// changes nothing, version included. Grants of a consent withdrawn as a whole stay readable, because its recipients get a recall.
pub fn withdraw(consent: &Consent, withdrawal: &Withdrawal<'_>) -> Consent {
    let ends = match consent.status {
        Status::Active => Status::Withdrawn,
        Status::Proposed => Status::Refused,
        _ => return consent.clone(),
    };
    let Withdrawal { scope, at, received_by, channel } = *withdrawal;
    let mut after = consent.clone();
    if *scope != Scope::default() {
        after.grants = consent.grants.iter().filter_map(|grant| narrowed(grant, scope)).collect();
        if scope.recipient.is_none() && scope.purpose.is_none() {
            after.special_explicit -= scope.categories;
        }
        if let (Some(recipient), None, true) = (&scope.recipient, scope.purpose, scope.categories.is_empty())
            && let Some(release) = &mut after.secrecy_release
        {
            release.towards.retain(|towards| towards != recipient);
        }
        if after == *consent {
            return after;
        }
        if !after.grants.is_empty() {
            let status = after.status;
            return said(next_version(after, status, at, Some(received_by), channel), scope);
        }
        after.grants.clone_from(&consent.grants);
    }
    said(next_version(after, ends, at, Some(received_by), channel), scope)
}

/// The withdrawal with what was withdrawn: the record alone tells what was and what is left.
fn said(mut after: Consent, scope: &Scope) -> Consent {
    if let Some(event) = after.history.last_mut() {
        event.withdrawn = Some(scope.clone());
    }
    after
}

/// What remains of a grant; none if nothing can be sent under it.
fn narrowed(grant: &Grant, scope: &Scope) -> Option<Grant> {
    let mut left = grant.clone();
    if scope.recipient.as_ref().is_some_and(|recipient| *recipient != grant.recipient.institution) {
        return Some(left);
    }
    let gone = if scope.categories.is_empty() { CategoryMask::ALL } else { scope.categories };
    if scope.purpose == Some(Purpose::StatusFeedback) {
        left.feedback -= gone;
    }
    if scope.purpose.is_none_or(|purpose| purpose == grant.purpose) {
        left.categories -= gone;
        left.feedback -= gone;
    }
    (!left.categories.is_empty()).then_some(left)
}

fn next_version(mut consent: Consent, status: Status, at: Time, received_by: Option<&InstitutionId>, channel: &str) -> Consent {
    consent.version = consent.version.saturating_add(1);
    consent.status = status;
    consent.created_at = Some(at);
    let (version, received_by) = (consent.version, received_by.cloned());
    let event = Event { at, status, version, received_by, channel: channel.to_owned(), withdrawn: None };
    consent.history.push(event);
    consent
}

/// The same wall clock in Bremen `months` later (the last day of a shorter month). Out of the calendar's range: `at` itself, so that nothing holds.
pub(super) fn months_after(at: Time, months: i32) -> Time {
    jiff::Timestamp::from_millisecond(at.0)
        .and_then(|instant| instant.in_tz("Europe/Berlin"))
        .and_then(|local| local.checked_add(jiff::Span::new().months(months)))
        .map_or(at, |later| Time(later.timestamp().as_millisecond()))
}
