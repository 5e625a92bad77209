// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Contract types to domain types and back: total and without loss; what does not fit is named by its field path, never by its value.

pub mod consent;

use bytes::Bytes;

use crate::agreement::LegalBasis;
use crate::consent::{Language, Reason, data, explain, in_words};
use crate::dialect::{Category, CategoryMask};
use crate::exchange::{Issued, Overview};
use crate::numbered::Numbered;
use crate::proto::exchange::{Decision, Explanation, Receipt, ReferralSummary};
use consent::{mask_to, time_to};

/// A receipt of the contract.
pub fn receipt_to(receipt: &Issued) -> Receipt {
    Receipt {
        text: receipt.text.clone(),
        leaf_index: receipt.leaf,
        leaf_hash: Bytes::copy_from_slice(receipt.leaf_hash.as_bytes()),
        at: Some(time_to(receipt.at)),
    }
}

/// What consent and agreement said, in words and as a list.
pub fn outcome_to(reason: Reason, granted: CategoryMask, withheld: &[(Category, Reason)], legal_basis: Option<LegalBasis>) -> Decision {
    let whole = (reason != Reason::Ok).then(|| explanation_to(reason, None));
    Decision {
        permitted: reason == Reason::Ok,
        reason: reason.number(),
        explanation_de: in_words(reason, withheld, Language::De),
        explanation_en: in_words(reason, withheld, Language::En),
        granted: mask_to(granted),
        withheld: mask_to(withheld.iter().map(|(category, _)| *category).collect()),
        legal_basis: legal_basis.map_or(0, Numbered::number),
        explanations: whole.into_iter().chain(withheld.iter().map(|(category, reason)| explanation_to(*reason, Some(*category)))).collect(),
    }
}

fn explanation_to(reason: Reason, category: Option<Category>) -> Explanation {
    let [de, en] = [Language::De, Language::En].map(|language| explain(reason, category.is_some(), language));
    let named = |language| category.map_or_else(String::new, |category| data(category, language).to_owned());
    Explanation {
        reason: reason.number(),
        category: category.map_or(0, |category| i32::from(category.number())),
        data_de: named(Language::De),
        data_en: named(Language::En),
        why_de: de.why.to_owned(),
        why_en: en.why.to_owned(),
        next_de: de.next.to_owned(),
        next_en: en.next.to_owned(),
    }
}

/// A referral without data of the person. The decision's code is for the sender only.
pub fn summary_to(overview: &Overview) -> ReferralSummary {
    let referral = &overview.referral;
    ReferralSummary {
        referral_id: referral.id.to_string(),
        sender_case_number: overview.case_number.clone(),
        sender: referral.sender.to_string(),
        recipient: referral.recipient.to_string(),
        recipient_unit: referral.recipient_unit.to_string(),
        purpose: referral.purpose.number(),
        state: referral.state.number(),
        reason: referral.reason.map_or(0, Numbered::number),
        decision: if overview.is_sender { referral.decision } else { 0 },
        submitted_at: Some(time_to(referral.submitted_at)),
        changed_at: Some(time_to(referral.changed_at)),
        version: referral.version,
    }
}
