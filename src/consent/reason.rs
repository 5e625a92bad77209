// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Why: the codes. What they mean for the person at the desk is in [`mod@super::explain`]. Only the sender gets to see them.

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// Why data may or may not be forwarded. Names are those of `weiche.exchange.v1.DecisionReason` without the prefix.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];
        }
    };
}

reasons! {
    /// Permitted.
    Ok,
    /// No such consent for this sender and person. Also the answer if it is somebody else's.
    NoRecord,
    /// The consent holds from a later time.
    NotYetValid,
    /// The consent has ended.
    Expired,
    /// The person withdrew it.
    Withdrawn,
    /// A newer consent replaced it.
    Superseded,
    /// The consent does not name this institution and unit.
    WrongRecipient,
    /// The consent does not cover this purpose.
    WrongPurpose,
    /// The consent covers none of the data, not even the name.
    CategoryNotCovered,
    /// Data of Art. 9 or 10 GDPR without an explicit tick.
    Art9NotExplicit,
    /// Spoken consent is not enough for health data.
    FormInsufficient,
    /// The counsellor is not released from secrecy towards this recipient.
    NoSecrecyRelease,
    /// Whoever gave it may not, or no longer: the person came of age, the Betreuung ended.
    GrantorNotEntitled,
    /// The text that was agreed to has been revoked, or was never approved.
    TemplateRevoked,
    /// Processing is restricted (Art. 18 GDPR).
    Restricted,
    /// The agreement knows no such route, or the route does not carry this kind of data, or the necessity code is missing.
    NoRoute,
    /// The consent was given after the referral was submitted; later approval does not cure.
    Retroactive,
    /// The consent is not in force: proposed, refused, invalid, with a defective scan, or under another law than the controller's.
    NotActive,
}

crate::numbered::numbered!(Reason = Reason::ALL);

impl Reason {
    /// Those for which some data stay behind although the rest may go.
    pub const WITHHOLDS: [Reason; 5] =
        [Reason::CategoryNotCovered, Reason::Art9NotExplicit, Reason::FormInsufficient, Reason::NoRoute, Reason::GrantorNotEntitled];
}
