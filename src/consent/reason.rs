// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Why: the codes, and what they mean for the person at the desk. Only the sender gets to see them.

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $de:literal $en:literal,)*) => {
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

        /// In plain German.
        pub const fn why_de(reason: Reason) -> &'static str {
            match reason { $(Reason::$variant => $de,)* }
        }

        /// In plain English.
        pub const fn why_en(reason: Reason) -> &'static str {
            match reason { $(Reason::$variant => $en,)* }
        }
    };
}

reasons! {
    /// Permitted.
    Ok
        "Die Weitergabe ist erlaubt."
        "This may be passed on.",
    /// No such consent for this sender and person. Also the answer if it is somebody else's.
    NoRecord
        "Es liegt keine Einwilligung dieser Person für Ihre Stelle vor. Bitte holen Sie eine ein und erfassen Sie sie."
        "There is no consent of this person for your centre. Please ask for one and record it.",
    /// The consent holds from a later time.
    NotYetValid
        "Die Einwilligung gilt erst ab einem späteren Zeitpunkt."
        "The consent begins at a later time.",
    /// The consent has ended.
    Expired
        "Die Einwilligung ist abgelaufen. Bitte fragen Sie die Person neu."
        "The consent has ended. Please ask the person again.",
    /// The person withdrew it.
    Withdrawn
        "Die Person hat die Einwilligung zurückgenommen. Es wird nichts weitergegeben."
        "The person withdrew the consent. Nothing is passed on.",
    /// A newer consent replaced it.
    Superseded
        "Diese Einwilligung wurde durch eine neuere ersetzt. Bitte geben Sie die neue an."
        "A newer consent has replaced this one. Please name the newer one.",
    /// The consent does not name this institution and unit.
    WrongRecipient
        "Die Person hat der Weitergabe an diese Stelle nicht zugestimmt. Einrichtung und Team müssen in der Einwilligung stehen."
        "The person did not agree to this recipient. The consent must name the institution and the team.",
    /// The consent does not cover this purpose.
    WrongPurpose
        "Die Person hat der Weitergabe an diese Stelle zugestimmt, aber nicht für diesen Zweck."
        "The person agreed to this recipient, but not for this purpose.",
    /// The consent covers none of the data, not even the name.
    CategoryNotCovered
        "Die Person hat der Weitergabe dieser Angaben nicht zugestimmt. Ohne Namen kann niemand vermittelt werden."
        "The person did not agree to passing on these data. Nobody can be referred without a name.",
    /// Data of Art. 9 or 10 GDPR without an explicit tick.
    Art9NotExplicit
        "Angaben über Gesundheit, Religion, Herkunft, Sexualleben oder Strafen brauchen ein eigenes Kreuz der Person. Es fehlt."
        "Data about health, religion, origin, sexual life or convictions need a tick of their own by the person. It is missing.",
    /// Spoken consent is not enough for health data.
    FormInsufficient
        "Für Angaben über die Gesundheit reicht eine mündliche Einwilligung nicht. Bitte lassen Sie die Person unterschreiben."
        "Spoken consent is not enough for data about health. Please let the person sign.",
    /// The counsellor is not released from secrecy towards this recipient.
    NoSecrecyRelease
        "Die Beraterin oder der Berater ist gegenüber dieser Stelle nicht von der Schweigepflicht befreit (§ 203 StGB)."
        "The counsellor is not released from the duty of secrecy towards this recipient (section 203 StGB).",
    /// Whoever gave it may not, or no longer: the person came of age, the Betreuung ended.
    GrantorNotEntitled
        "Wer eingewilligt hat, darf nicht oder nicht mehr für die Person sprechen, zum Beispiel weil sie jetzt 18 ist. Bitte fragen Sie die Person selbst."
        "Whoever gave the consent may not, or may no longer, speak for the person, for example because the person is 18 now. Please ask the person.",
    /// The text that was agreed to has been revoked, or was never approved.
    TemplateRevoked
        "Der Text, dem die Person zugestimmt hat, gilt nicht mehr. Bitte verwenden Sie die aktuelle Fassung."
        "The text that the person agreed to no longer holds. Please use the current version.",
    /// Processing is restricted (Art. 18 GDPR).
    Restricted
        "Die Person hat die Verarbeitung einschränken lassen (Art. 18 DSGVO). Solange wird nichts weitergegeben."
        "The person had the processing restricted (Art. 18 GDPR). Until that ends, nothing is passed on.",
    /// The agreement knows no such route, or the route does not carry this kind of data, or the necessity code is missing.
    NoRoute
        "Die Kooperationsvereinbarung erlaubt diesen Weg nicht: Stelle, Zweck, Art der Angaben oder gesetzlicher Grund passen nicht."
        "The cooperation agreement does not allow this: office, purpose, kind of data or legal ground do not fit.",
    /// The consent was given after the referral was submitted; later approval does not cure.
    Retroactive
        "Die Einwilligung wurde erst nach dem Absenden gegeben. Das heilt nicht rückwirkend: Bitte senden Sie neu."
        "The consent was given only after sending. It does not work backwards: please send again.",
    /// The consent is not in force: proposed, refused, invalid, with a defective scan, or under another law than the controller's.
    NotActive
        "Die Einwilligung ist nicht in Kraft: noch offen, ungültig oder der Nachweis hat Mängel."
        "The consent is not in force: still open, invalid, or its evidence has defects.",
}

crate::numbered::numbered!(Reason = Reason::ALL);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_explained_in_a_sentence_in_both_languages() {
        for reason in Reason::ALL {
            for text in [why_de(*reason), why_en(*reason)] {
                assert!(text.len() > 20 && text.ends_with(['.', ')']), "{reason:?}");
            }
        }
    }
}
