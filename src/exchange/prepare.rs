// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is done with a referral between its permission and the writer: cut to what may go, marked, rendered on trial, sealed. No SQL, no waiting.

use prost::Message;

use super::command::{Plain, SealedReferral};
use super::excerpt::Marks;
use super::refusal::Refusal;
use crate::consent::Permit;
use crate::dialect::{Cut, Dialect, Dialects, Outcome, REFERRAL, RecipientKind, Report, TranslateError};
use crate::id::{DeliveryId, ReferralId};
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
    let marks = Marks {
        referral_id: Some(id.to_string()),
        subject_ref: Some(String::new()),
        sender: Some(Party { institution: permit.from().to_string(), ..Party::default() }),
        received_by_referral_id: Some(String::new()),
        ..released(permit)
    };
    let top = dialect.message_for(REFERRAL).ok_or(Refusal::Internal("a dialect has no referral"))?;
    let cut = dialects.cut(REFERRAL, referral, permit.mask(), kind, &marks.encode_to_vec(), (dialect, top));
    let Cut { bytes: content, mut report, withheld } = cut.map_err(in_the_request)?;
    let lost = report.fields.iter().filter(|field| field.outcome != Outcome::Exact);
    let lost_paths = lost.map(|field| field.path.clone()).collect();
    report.fields.extend(withheld);
    report.fields.iter_mut().for_each(|field| field.path.insert_str(0, IN_REQUEST));

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

/// What a permit has to say in the referral at the moment when it goes.
pub(super) fn released(permit: &Permit) -> Marks {
    Marks {
        state: Some(ReferralState::Submitted.number()),
        sgbx_78: Some(permit.sgbx_78()),
        origin_203_stgb: Some(permit.origin_203_stgb()),
        ..Marks::default()
    }
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
