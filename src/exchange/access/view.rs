// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a report holds, in the shape of its JSON.

use crate::agreement::{LegalBasis, Purpose};
use crate::clock::Time;
use crate::consent::{Day, GrantorKind, Scope, Status};
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, InstitutionId, ReferralId, UnitId};
use crate::referral::{RecallOutcome, ReferralState, StatusReason};

/// An instant as files say it: ISO 8601, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub Time);

impl serde::Serialize for At {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = jiff::Timestamp::from_millisecond(self.0.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&instant)
    }
}

/// Everything that is there of a person.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PersonReport {
    /// Shape of this file, `weiche-person-report/1`.
    pub format: &'static str,
    /// As of when.
    pub at: At,
    /// Whose reference it is, and who answers for it.
    pub controller: Controller,
    /// Since when processing is restricted (Art. 18 GDPR).
    pub restricted_since: Option<At>,
    /// Until when nothing may be erased.
    pub held_until: Option<At>,
    /// Consents, the oldest first.
    pub consents: Vec<ConsentView>,
    /// Transfers, the oldest first.
    pub transfers: Vec<Transfer>,
    /// The log that the proofs are from: its verifier key.
    pub log: String,
}

/// An institution as a person may ask it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Controller {
    /// Name in the agreement.
    pub id: InstitutionId,
    /// Name for people.
    pub name: String,
    /// Who supervises it.
    pub supervisory_authority: String,
}

/// Somebody with a name for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Name in the agreement.
    pub institution: InstitutionId,
    /// Its centre, team or branch.
    pub unit: UnitId,
    /// Both, for people.
    pub name: String,
}

/// A consent, as the person gave it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConsentView {
    /// Which.
    pub id: ConsentId,
    /// Version in force.
    pub version: u32,
    /// Where it stands at this moment.
    pub status: Status,
    /// Who passes data on.
    pub controller: Place,
    /// When it was given.
    pub granted_at: At,
    /// Who gave it.
    pub given_by: GrantorKind,
    /// Where it was given: the institution's name for people.
    pub collected_by: String,
    /// From when it holds.
    pub valid_from: Option<At>,
    /// Until when, exclusive; earlier than its record says if whoever gave it may no longer speak for the person.
    pub valid_until: Option<At>,
    /// What is permitted.
    pub grants: Vec<GrantView>,
    /// Data of Art. 9 and 10 GDPR that were ticked one by one.
    pub special: CategoryMask,
    /// Released from secrecy towards.
    pub secrecy_release: Vec<InstitutionId>,
    /// Language in which it was explained.
    pub explained_in: String,
    /// When the gateway's copy of the evidence may go.
    pub delete_after: Option<Day>,
    /// What happened to it, the oldest first.
    pub history: Vec<ConsentStep>,
}

/// Something that happened to a consent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConsentStep {
    /// When.
    pub at: At,
    /// The status that followed.
    pub status: Status,
    /// Through whom: the institution's name for people; none: the gateway itself.
    pub by: Option<String>,
    /// Of a withdrawal: what of it; nothing said: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Scope>,
}

/// One recipient, one purpose.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GrantView {
    /// Who may receive.
    pub recipient: Place,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub categories: CategoryMask,
    /// Which data may come back.
    pub feedback: CategoryMask,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Transfer {
    /// Which referral.
    pub referral: ReferralId,
    /// When the gateway took it.
    pub at: At,
    /// From whom.
    pub from: Place,
    /// To whom.
    pub to: Place,
    /// What for.
    pub purpose: Purpose,
    /// Kinds of data that went, or would have gone.
    pub categories: CategoryMask,
    /// Kinds of data that were sent to the gateway and stayed there.
    pub withheld: CategoryMask,
    /// On what basis; none: the entry that said so cannot be read any more.
    pub basis: Option<LegalBasis>,
    /// Why it was necessary, on a statutory basis.
    pub necessity: Option<String>,
    /// Under which consent.
    pub consent: Option<ConsentId>,
    /// Where it stands.
    pub state: ReferralState,
    /// Whether a byte of it ever left for the recipient.
    pub left: bool,
    /// Where it stood, the oldest first.
    pub history: Vec<TransferStep>,
    /// What was asked of the recipient, and what it did.
    pub recalls: Vec<RecallView>,
    /// The entry of the log about its acceptance.
    pub entry: Option<u64>,
    /// Proof that the entry is in the log (c2sp.org/tlog-proof).
    pub receipt: Option<String>,
    /// When what is here of it may go; none while it is under way.
    pub delete_after: Option<Day>,
}

/// A step of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TransferStep {
    /// When.
    pub at: At,
    /// The state that followed.
    pub state: ReferralState,
    /// Why.
    pub reason: Option<StatusReason>,
}

/// A request to give up data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RecallView {
    /// When it was made.
    pub at: At,
    /// Why: `CONSENT_WITHDRAWN`, `CORRECTED`, `RESTRICTION_REQUESTED`, or why the referral was cancelled.
    pub reason: Option<StatusReason>,
    /// What the recipient did; none: no answer yet.
    pub outcome: Option<RecallOutcome>,
    /// The law that demands keeping.
    pub norm: String,
}
