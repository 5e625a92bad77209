// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is done with a referral between its permission and the writer: cut to what may go, marked, rendered on trial, sealed. No SQL, no waiting.

use prost::Message;

use super::command::{Plain, SealedReferral};
use super::excerpt::Marks;
use super::refusal::Refusal;
use crate::consent::Permit;
use crate::dialect::{CategoryMask, Cut, Dialect, Dialects, FieldReport, Outcome, REFERRAL, RecipientKind, Report, TranslateError};
use crate::id::{DeliveryId, InstitutionId, ReferralId};
use crate::numbered::Numbered;
use crate::proto::types::Party;
use crate::referral::ReferralState;
use crate::vault::Vault;

/// Where the referral lies in its request.
const IN_REQUEST: &str = "referral.";

/// A referral that was minimised, rendered on trial and sealed under one permit.
#[derive(Debug)]
pub struct Prepared {
    /// Chosen by the gateway.
    pub referral: ReferralId,
    /// Chosen by the gateway.
    pub delivery: DeliveryId,
    /// What is stored.
    pub sealed: SealedReferral,
    /// What becomes of each field: on the way into the recipient's words, then what stays behind.
    pub report: Report,
}

/// Minimises to what is permitted, puts the gateway's marks on top, renders on trial in the recipient's dialect, and seals.
///
/// # Errors
/// [`Refusal::Translate`] if the recipient's dialect has no word for something it cannot do without.
pub fn prepare(
    vault: &Vault,
    dialects: &Dialects,
    referral: &[u8],
    case_number: &str,
    permit: &Permit,
    dialect: &Dialect,
    kind: RecipientKind,
) -> Result<Prepared, Refusal> {
    let (id, delivery) = (ReferralId::random(), DeliveryId::random());
    let Cut { bytes: content, report, withheld } = cut(dialects, referral, id, (permit.mask(), permit.from(), released(permit)), dialect, kind)?;
    let lost = report.fields.iter().filter(|field| field.outcome != Outcome::Exact);
    let lost_paths = lost.map(|field| field.path.clone()).collect();
    let report = in_whole(report, withheld);

    let mut plan = [0; 8];
    plan.copy_from_slice(&dialect.digest()[..8]);
    let (salt, commitment) = vault.commit(&content)?;
    let sealed = SealedReferral {
        content: vault.seal(delivery.as_bytes(), &content)?,
        plain: Plain(content),
        mask: permit.mask(),
        salt,
        commitment,
        case_number: vault.seal_short(id.as_bytes(), case_number)?,
        plan,
        lost_paths,
    };
    Ok(Prepared { referral: id, delivery, sealed, report })
}

/// What was said of each field when a referral was submitted under this mask and with these marks.
pub fn report(
    dialects: &Dialects,
    referral: &[u8],
    (mask, from, bound): (CategoryMask, &InstitutionId, Bound),
    dialect: &Dialect,
    kind: RecipientKind,
) -> Result<Report, Refusal> {
    let Cut { report, withheld, .. } = cut(dialects, referral, ReferralId::random(), (mask, from, bound.marks()), dialect, kind)?;
    Ok(in_whole(report, withheld))
}

fn cut(
    dialects: &Dialects,
    referral: &[u8],
    id: ReferralId,
    (mask, from, marks): (CategoryMask, &InstitutionId, Marks),
    dialect: &Dialect,
    kind: RecipientKind,
) -> Result<Cut, Refusal> {
    let marks = Marks {
        referral_id: Some(id.to_string()),
        subject_ref: Some(String::new()),
        sender: Some(Party { institution: from.to_string(), ..Party::default() }),
        received_by_referral_id: Some(String::new()),
        ..marks
    };
    let top = dialect.message_for(REFERRAL).ok_or(Refusal::Internal("a dialect has no referral"))?;
    Ok(dialects.cut(REFERRAL, referral, mask, kind, &marks.encode_to_vec(), (dialect, top)).map_err(in_the_request)?)
}

/// On the way into the recipient's words, then what stays behind; by the paths of the request.
fn in_whole(mut report: Report, withheld: Vec<FieldReport>) -> Report {
    report.fields.extend(withheld);
    report.fields.iter_mut().for_each(|field| field.path.insert_str(0, IN_REQUEST));
    report
}

/// By what the recipient is bound, as a permit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Bound {
    sgbx_78: bool,
    origin_203: bool,
}

impl Bound {
    /// Under a permit.
    pub fn of(permit: &Permit) -> Self {
        Self { sgbx_78: permit.sgbx_78(), origin_203: permit.origin_203_stgb() }
    }

    fn marks(self) -> Marks {
        let state = Some(ReferralState::Submitted.number());
        Marks { state, sgbx_78: Some(self.sgbx_78), origin_203_stgb: Some(self.origin_203), ..Marks::default() }
    }
}

/// What a permit has to say in the referral at the moment when it goes.
pub(super) fn released(permit: &Permit) -> Marks {
    Bound::of(permit).marks()
}

/// The recipient has no word for something: the sender knows the field by its place in the request, not by the recipient's name for it.
fn in_the_request(error: TranslateError) -> TranslateError {
    let TranslateError::Fields(mut problems) = error else { return error };
    for problem in &mut problems {
        problem.path.clear();
        problem.canonical_path.insert_str(0, IN_REQUEST);
    }
    TranslateError::Fields(problems)
}
