// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Who may consent for a person, to what, and until when.
//!
//! Consent is the person's own as soon as there is insight; nobody gives it in place of somebody who is able. Parents and a Vormund speak for a
//! minor who is not able, until the 18th birthday; a Betreuer for an adult who is not able, within the Aufgabenbereiche of the order
//! (section 1815 BGB) and until the Betreuung ends. Where an Einwilligungsvorbehalt is ordered (section 1825 BGB), the person's word alone does
//! not count in those areas: the Betreuer's is needed, also for a person who is able.

use jiff::civil::Date;

use crate::agreement::{Agreement, Purpose};
use crate::clock::Time;
use crate::dialect::CategoryMask;

/// Who gave it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grantor {
    /// In which capacity.
    pub kind: GrantorKind,
    /// Aufgabenkreise of a Betreuer (section 1815 BGB).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// An Einwilligungsvorbehalt is ordered (section 1825 BGB).
    #[serde(default)]
    pub reservation_of_consent: bool,
    /// Proof that was seen, such as `betreuerausweis`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proof: String,
    /// Until when the grantor may speak for the person: the 18th birthday, the end of the Betreuung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitled_until: Option<Time>,
}

/// Who may consent (sections 1629, 1815, 1823 BGB). The Bedarfsgemeinschaft's representative (section 38 SGB II) may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GrantorKind {
    /// The person.
    #[serde(rename = "SELF")]
    Own,
    /// Both parents.
    ParentBoth,
    /// One parent with sole custody.
    ParentSole,
    /// Vormund.
    Guardian,
    /// Rechtlicher Betreuer.
    Betreuer,
}

/// What was found about the person's ability to consent (section 36 SGB I; consent is the person's own as soon as there is insight).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// Found able.
    AssessedCapable,
    /// Under 15.
    #[serde(rename = "UNDER_15")]
    Under15,
    /// Under 18 and not able.
    #[serde(rename = "UNDER_18_NOT_CAPABLE")]
    Under18NotCapable,
}

impl Grantor {
    /// Whether the grantor may consent for such a person to this purpose at all (not: until when).
    pub(super) fn may(&self, capability: Option<Capability>, purpose: Purpose, agreement: &Agreement) -> bool {
        let bounded = self.entitled_until.is_some();
        let within = || agreement.betreuer_areas(&self.areas).any(|area| area.purposes.contains(&purpose));
        match self.kind {
            // A reservation whose areas nobody wrote down may be about anything.
            GrantorKind::Own => {
                capability == Some(Capability::AssessedCapable) && !(self.reservation_of_consent && (self.areas.is_empty() || within()))
            }
            GrantorKind::ParentBoth | GrantorKind::ParentSole | GrantorKind::Guardian => {
                bounded && matches!(capability, Some(Capability::Under15 | Capability::Under18NotCapable))
            }
            GrantorKind::Betreuer => {
                let needed = capability.is_none() || (capability == Some(Capability::AssessedCapable) && self.reservation_of_consent);
                bounded && needed && within()
            }
        }
    }

    /// Data about which this grantor may say nothing: for a Betreuer those of Aufgabenbereiche that the order does not name, for the person
    /// those of areas under reservation.
    pub(super) fn barred(&self, agreement: &Agreement) -> CategoryMask {
        let named = || agreement.betreuer_areas(&self.areas).fold(CategoryMask::EMPTY, |all, area| all | area.categories);
        match self.kind {
            GrantorKind::Betreuer => agreement.categories_of_areas() - named(),
            GrantorKind::Own if self.reservation_of_consent => named(),
            _ => CategoryMask::EMPTY,
        }
    }

    /// Whether the grantor may speak at `now`. `born`: the person's date of birth as the message has it. Of a minor the record must not claim
    /// more than that date allows: a wrong end would be believed at every later release.
    pub(super) fn may_still(&self, now: Time, born: Option<Day>) -> bool {
        let minor = matches!(self.kind, GrantorKind::ParentBoth | GrantorKind::ParentSole | GrantorKind::Guardian);
        let claims_too_much = |until: Time| minor && born.is_some_and(|born| born.of_age().is_none_or(|of_age| of_age < until));
        self.entitled_until.is_none_or(|until| now < until && !claims_too_much(until))
    }
}

/// A day, month or year; the unknown parts are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// 1 to 9999.
    pub year: i32,
    /// 1 to 12, or 0.
    pub month: i32,
    /// 1 to 31, or 0.
    pub day: i32,
}

impl Day {
    /// Midnight in Bremen at which a person born on this day comes of age (sections 2, 187(2), 188(2) BGB); the last possible one if not all of
    /// the date is known. Born on 29 February: 1 March, because the 18 years end with 28 February. None for what is no day of the calendar.
    pub fn of_age(self) -> Option<Time> {
        let month = if self.month == 0 { 12 } else { i8::try_from(self.month).ok()? };
        let first = Date::new(i16::try_from(self.year).ok()?, month, 1).ok()?;
        let day = if self.day == 0 { first.days_in_month() } else { i8::try_from(self.day).ok()? };
        let born = Date::new(first.year(), month, day).ok()?;
        let year = born.year().checked_add(18)?;
        let day = Date::new(year, born.month(), born.day()).or_else(|_| Date::new(year, 3, 1)).ok()?;
        Some(Time(day.in_tz("Europe/Berlin").ok()?.timestamp().as_millisecond()))
    }
}
