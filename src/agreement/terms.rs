// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The closed lists of the agreement. Names in files are those of the contract's enums without their prefix.

/// What a referral is for; each is granted separately (Art. 5(1)(b) GDPR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// Counselling at a centre.
    CounsellingReferral,
    /// Accompaniment to an authority.
    AuthorityAccompaniment,
    /// Family reunification.
    FamilyReunification,
    /// Placement in a measure.
    MeasurePlacement,
    /// Looking for work.
    JobSearch,
    /// Recognition of foreign qualifications.
    Recognition,
    /// Language or integration course.
    LanguageCourse,
    /// Status back to the sender.
    StatusFeedback,
    /// An appointment.
    Appointment,
    /// A case conference.
    CaseConference,
}

/// Basis of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LegalBasis {
    /// Art. 6(1)(a), 9(2)(a) GDPR, section 67b SGB X.
    Consent,
    /// The same with a release from section 203 StGB.
    ConsentWithSecrecyRelease,
    /// Section 69(1) no. 1 SGB X. Only where the data protection officers agreed.
    #[serde(rename = "SGBX_69_1_1")]
    Sgbx6911,
    /// Section 50(1) SGB II: Jobcenter and Agentur, so far as required.
    #[serde(rename = "SGBII_50_1")]
    Sgbii501,
}

impl LegalBasis {
    /// The basis is a statute, not the person's consent: a necessity code is needed, and both sides are section 35 bodies.
    pub const fn is_statutory(self) -> bool {
        matches!(self, Self::Sgbx6911 | Self::Sgbii501)
    }
}

/// Law that applies to an institution's processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DataProtectionRegime {
    /// GDPR and BDSG: private bodies.
    GdprBdsg,
    /// GDPR, section 35 SGB I and sections 67 to 85a SGB X: benefit bodies.
    GdprSgb,
    /// KDG: Catholic church.
    Kdg,
    /// DSG-EKD: Protestant church.
    DsgEkd,
}

/// What a member is. A closed list, and deliberately without any immigration authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A welfare association that runs counselling centres.
    CentreProvider,
    /// A gemeinsame Einrichtung (section 44b SGB II).
    Jobcenter,
    /// An Agentur für Arbeit.
    Agentur,
}

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// Migrationsberatung für erwachsene Zuwanderer, from 27 years.
    Mbe,
    /// Jugendmigrationsdienst, 12 to 26 years.
    Jmd,
    /// Counselling under the Land's own programme.
    Land,
    /// Branch of a Jobcenter.
    Geschaeftsstelle,
    /// Branch of the Agentur.
    Standort,
}

impl UnitKind {
    /// The kind of member that can have such a unit.
    pub const fn belongs_to(self) -> MemberKind {
        match self {
            Self::Mbe | Self::Jmd | Self::Land => MemberKind::CentreProvider,
            Self::Geschaeftsstelle => MemberKind::Jobcenter,
            Self::Standort => MemberKind::Agentur,
        }
    }
}

/// What holds for data that the sender itself received through the gateway, or from somebody bound by section 203 StGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onward {
    /// They go nowhere.
    #[default]
    Never,
    /// They go where the consent under which they came lists the recipient (section 76 SGB X).
    ConsentListsRecipient,
}

crate::numbered::numbered!(Purpose: CounsellingReferral AuthorityAccompaniment FamilyReunification MeasurePlacement JobSearch Recognition LanguageCourse StatusFeedback
    Appointment CaseConference);
crate::numbered::numbered!(LegalBasis: Consent ConsentWithSecrecyRelease Sgbx6911 Sgbii501);
