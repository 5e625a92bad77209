// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use crate::proto::exchange::DecisionReason;

/// What a case plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::cli::demo) enum Situation {
    /// Consent to everything that the route allows.
    Full,
    /// Some of the data stay behind.
    Partial,
    /// Jobcenter and Agentur, section 50(1) SGB II, with a necessity code.
    Statutory,
    /// The recipient takes the case, reports progress and completes it, with data that the person allowed to come back.
    Completed,
    /// The recipient does not take the case.
    Rejected,
    /// The sender sends the same request again.
    SentTwice,
    /// The recipient answers twice.
    AnsweredTwice,
    /// The recipient stores the case and dies before it says so.
    Forgetful,
    /// The recipient's system refuses it as if for good; an operator has that put right and sends it again.
    TurnedAway,
    /// No consent of that number was ever recorded.
    NoRecord,
    /// The person refused.
    Refused,
    /// The consent names another unit of the recipient.
    WrongRecipient,
    /// The consent is for something else.
    WrongPurpose,
    /// The counsellor is released from secrecy towards somebody else.
    NoSecrecyRelease,
    /// Health data without a tick of their own: the consent cannot even be recorded.
    NotExplicit,
    /// Nothing but health, and no consent to it: a shell with a name would itself tell.
    OnlyHealth,
    /// From a centre in Bremerhaven, whose Jobcenter is no party.
    Bremerhaven,
    /// The agreement has no such route for this purpose.
    NoRoute,
    /// Jobcenter to Agentur without saying why it is necessary.
    NoNecessity,
    /// Withdrawn before it was submitted.
    WithdrawnBefore,
    /// The recipient is away for a while; three referrals of one person wait in order.
    Waits,
    /// Withdrawn while the recipient is away.
    WithdrawnWaiting,
    /// The consent ends while the recipient is away.
    ExpiresWaiting,
    /// The parents consented, and the person comes of age while the recipient is away.
    ComesOfAge,
    /// One consent for two recipients: delivered to one, waiting for the other, withdrawn by the code of the sheet at a counter.
    AtTheCounter,
    /// Withdrawn after it was delivered: recalled.
    WithdrawnAfter,
    /// One kind of data withdrawn after it was delivered: recalled, the rest stays.
    WithdrawnInPart,
    /// The sender takes it back after it was delivered.
    TakenBack,
    /// It should never have been sent.
    EnteredInError,
    /// The sender asks first what would happen, and nothing does.
    AskedFirst,
    /// From a centre to the Jobcenter, with a consent that lists the Agentur too, and on from there.
    OnwardAllowed,
    /// The same with a consent that does not list the Agentur.
    OnwardDenied,
}

/// When a case is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::demo) enum Phase {
    /// All systems are there.
    Day,
    /// Two recipients are away.
    Away,
    /// Data go on from whoever received them.
    Onward,
}

/// How a case has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::demo) enum Expected {
    /// Delivered, once.
    Delivered,
    /// Refused at once, for this reason.
    Denied(DecisionReason),
    /// Accepted, and stopped before it went out, for this reason.
    Stopped(DecisionReason),
}

use Situation::*;

impl Situation {
    /// All of them with their share of a thousand cases; what is left is `Full`.
    pub(super) const SHARES: &'static [(Situation, usize)] = &[
        (Partial, 150),
        (Statutory, 90),
        (Completed, 110),
        (Rejected, 60),
        (SentTwice, 30),
        (AnsweredTwice, 20),
        (Forgetful, 20),
        (TurnedAway, 15),
        (NoRecord, 20),
        (Refused, 15),
        (WrongRecipient, 20),
        (WrongPurpose, 20),
        (NoSecrecyRelease, 20),
        (NotExplicit, 10),
        (OnlyHealth, 10),
        (Bremerhaven, 15),
        (NoRoute, 15),
        (NoNecessity, 10),
        (WithdrawnBefore, 15),
        (Waits, 60),
        (WithdrawnWaiting, 30),
        (ExpiresWaiting, 15),
        (ComesOfAge, 10),
        (AtTheCounter, 10),
        (WithdrawnAfter, 30),
        (WithdrawnInPart, 20),
        (TakenBack, 15),
        (EnteredInError, 10),
        (AskedFirst, 20),
        (OnwardAllowed, 20),
        (OnwardDenied, 15),
    ];

    pub(in crate::cli::demo) fn phase(self) -> Phase {
        match self {
            Waits | WithdrawnWaiting | ExpiresWaiting | ComesOfAge => Phase::Away,
            _ => Phase::Day,
        }
    }

    pub(super) fn expected(self) -> Expected {
        use DecisionReason as R;
        match self {
            NoRecord | NotExplicit => Expected::Denied(R::NoRecord),
            Refused => Expected::Denied(R::NotActive),
            WrongRecipient => Expected::Denied(R::WrongRecipient),
            WrongPurpose => Expected::Denied(R::WrongPurpose),
            NoSecrecyRelease => Expected::Denied(R::NoSecrecyRelease),
            OnlyHealth => Expected::Denied(R::CategoryNotCovered),
            Bremerhaven | NoRoute | NoNecessity => Expected::Denied(R::NoRoute),
            WithdrawnBefore => Expected::Denied(R::Withdrawn),
            WithdrawnWaiting => Expected::Stopped(R::Withdrawn),
            ExpiresWaiting => Expected::Stopped(R::Expired),
            ComesOfAge => Expected::Stopped(R::GrantorNotEntitled),
            _ => Expected::Delivered,
        }
    }

    /// In plain words.
    pub(in crate::cli::demo) fn words(self) -> &'static str {
        match self {
            Full => "full consent",
            Partial => "partial consent",
            Statutory => "statutory basis (section 50(1) SGB II)",
            Completed => "accepted, worked on, completed",
            Rejected => "rejected by the recipient",
            SentTwice => "sent twice",
            AnsweredTwice => "answered twice",
            Forgetful => "recipient dies after storing",
            TurnedAway => "refused by the recipient's system",
            NoRecord => "no consent on record",
            Refused => "consent refused by the person",
            WrongRecipient => "consent names another unit",
            WrongPurpose => "consent for another purpose",
            NoSecrecyRelease => "no release from secrecy (Schweigepflichtentbindung)",
            NotExplicit => "health without an explicit tick (Art. 9)",
            OnlyHealth => "nothing but health, not consented",
            Bremerhaven => "from Bremerhaven (other Jobcenter)",
            NoRoute => "no such route in the agreement",
            NoNecessity => "no necessity code (Erforderlichkeit)",
            WithdrawnBefore => "withdrawn before sending (Widerruf)",
            Waits => "recipient away, then back",
            WithdrawnWaiting => "withdrawn while waiting",
            ExpiresWaiting => "consent ends while waiting",
            ComesOfAge => "comes of age while waiting",
            AtTheCounter => "withdrawn at a counter by the sheet's code",
            WithdrawnAfter => "withdrawn after delivery: recall (Rückruf)",
            WithdrawnInPart => "withdrawn in part after delivery: recall of that part",
            TakenBack => "taken back by the sender after delivery (Rücknahme)",
            EnteredInError => "entered in error (Irrläufer)",
            AskedFirst => "asked first what would happen",
            OnwardAllowed => "onward transfer, consented",
            OnwardDenied => "onward transfer, not consented",
        }
    }
}
