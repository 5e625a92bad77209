// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The unit in which a person consents and in which the gateway minimises: a closed list of kinds of data, and sets of them.
//!
//! Source: cooperation agreement; Art. 5(1)(c), 9 and 10 GDPR; section 67b SGB X. The numbers are those of
//! `weiche.type.v1.DataCategory`; `ADMINISTRATIVE` (30) is no member, because routing data are never about the person and never consented.

use std::fmt;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Sub, SubAssign};
use std::str::FromStr;

use crate::proto::types::DataCategory;

macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal,)*) => {
        /// A kind of personal data. The name in files and messages is upper case, such as `GERMAN_LEVEL`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[repr(u8)]
        pub enum Category {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Category {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Category] = &[$(Category::$variant),*];

            /// The name, such as `GERMAN_LEVEL`.
            pub const fn name(self) -> &'static str {
                match self { $(Category::$variant => $name,)* }
            }

            /// From the number in `weiche.type.v1.DataCategory`; none for anything outside 1 to 26.
            pub const fn from_number(number: i32) -> Option<Category> {
                match number { $($number => Some(Category::$variant),)* _ => None }
            }
        }
    };
}

categories! {
    /// Names, date of birth, sex.
    Ident = 1 "IDENT",
    /// Phone, mail, whether a contact is safe.
    Contact = 2 "CONTACT",
    /// Postal address.
    Address = 3 "ADDRESS",
    /// Languages, need of an interpreter.
    Lang = 4 "LANG",
    /// Nationalities.
    Nationality = 5 "NATIONALITY",
    /// Residence title and its dates.
    Residence = 6 "RESIDENCE",
    /// Household and marital status.
    Household = 7 "HOUSEHOLD",
    /// Family members abroad.
    FamilyAbroad = 8 "FAMILY_ABROAD",
    /// Schooling and vocational training.
    Education = 9 "EDUCATION",
    /// Recognition of foreign qualifications.
    Recognition = 10 "RECOGNITION",
    /// Work history and wishes.
    Work = 11 "WORK",
    /// Level of German.
    GermanLevel = 12 "GERMAN_LEVEL",
    /// Measures requested or running.
    Measures = 13 "MEASURES",
    /// That the person receives a benefit (Sozialdatum: BSG 25 January 2012, B 14 AS 65/11 R).
    Benefit = 14 "BENEFIT",
    /// Kundennummer, number of the Bedarfsgemeinschaft.
    BenefitIds = 15 "BENEFIT_IDS",
    /// Reasons of the referral.
    Topics = 16 "TOPICS",
    /// Appointments.
    Appointments = 17 "APPOINTMENTS",
    /// Result of counselling or placement.
    Outcome = 18 "OUTCOME",
    /// Attendance (relevant for sanctions: sections 31, 32 SGB II).
    Attendance = 19 "ATTENDANCE",
    /// Health (Art. 9 GDPR).
    Health = 20 "HEALTH",
    /// Religion or ethnic origin (Art. 9 GDPR).
    ReligionEthnicity = 21 "RELIGION_ETHNICITY",
    /// Sexual life or orientation (Art. 9 GDPR).
    Sexual = 22 "SEXUAL",
    /// Criminal convictions and offences (Art. 10 GDPR).
    Criminal = 23 "CRIMINAL",
    /// Debts and financial situation.
    FinanceDebt = 24 "FINANCE_DEBT",
    /// Free text: cannot be checked by machine.
    Freetext = 25 "FREETEXT",
    /// Documents.
    Documents = 26 "DOCUMENTS",
}

impl Category {
    /// The number in `weiche.type.v1.DataCategory`, 1 to 26.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The set that holds only this one.
    pub const fn mask(self) -> CategoryMask {
        CategoryMask(1 << (self as u8 - 1))
    }
}

/// A text that names no category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a data category; use names such as IDENT, CONTACT or GERMAN_LEVEL")]
pub struct CategoryError;

impl FromStr for Category {
    type Err = CategoryError;
    /// Case does not matter; `-` may stand for `_`.
    fn from_str(text: &str) -> Result<Self, CategoryError> {
        let name = text.trim().replace('-', "_");
        Category::ALL.iter().copied().find(|c| c.name().eq_ignore_ascii_case(&name)).ok_or(CategoryError)
    }
}

impl TryFrom<String> for Category {
    type Error = CategoryError;
    fn try_from(text: String) -> Result<Self, CategoryError> {
        text.parse()
    }
}

impl From<Category> for String {
    fn from(category: Category) -> String {
        category.name().to_owned()
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the contract's `DataCategory` says of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Data of this category.
    Of(Category),
    /// Routing data: in every set.
    Routing,
    /// No category: in no set.
    Unnamed,
}

impl From<Category> for Kind {
    fn from(category: Category) -> Self {
        Self::Of(category)
    }
}
impl From<DataCategory> for Kind {
    fn from(category: DataCategory) -> Self {
        match Category::from_number(category.into()) {
            Some(category) => Self::Of(category),
            None if category == DataCategory::Administrative => Self::Routing,
            None => Self::Unnamed,
        }
    }
}

/// What kind of institution receives: some topics never go to some kinds, whatever was consented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecipientKind {
    /// Jobcenter (SGB II).
    Jobcenter,
    /// Agentur für Arbeit (SGB III).
    Agentur,
    /// A counselling centre of a welfare association.
    Centre,
}

impl RecipientKind {
    /// The word in column `@never_to` of a code list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Jobcenter => "jobcenter",
            Self::Agentur => "agentur",
            Self::Centre => "centre",
        }
    }
}

/// A set of categories; bit `n - 1` stands for category number `n`. Serialises as the list of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CategoryMask(u32);

impl CategoryMask {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// Routing data only: the same as [`CategoryMask::EMPTY`].
    pub const NONE: Self = Self(0);
    /// All 26.
    pub const ALL: Self = Self((1 << Category::ALL.len()) - 1);
    /// Categories of Art. 9 and 10 GDPR: they need an explicit tick of their own.
    pub const SPECIAL: Self =
        Self(Category::Health.mask().0 | Category::ReligionEthnicity.mask().0 | Category::Sexual.mask().0 | Category::Criminal.mask().0);

    /// From bits; bits above the 26th are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether `category` is in it. Routing data (ADMINISTRATIVE) are in every set, UNSPECIFIED is in none.
    pub fn contains(self, category: impl Into<Kind>) -> bool {
        match category.into() {
            Kind::Of(category) => self.0 & category.mask().0 != 0,
            Kind::Routing => true,
            Kind::Unnamed => false,
        }
    }

    /// Whether everything in `other` is in it.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// What a set must cover that [contains](Self::contains) `category`.
    pub(super) fn needed(category: impl Into<Kind>) -> Self {
        match category.into() {
            Kind::Of(category) => category.mask(),
            Kind::Routing => Self::EMPTY,
            // A bit that no set has.
            Kind::Unnamed => Self(1 << 31),
        }
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many it holds.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// With `category` in it.
    #[must_use]
    pub fn with(self, category: impl Into<Kind>) -> Self {
        match category.into() {
            Kind::Of(category) => self | category.mask(),
            Kind::Routing | Kind::Unnamed => self,
        }
    }

    /// Its members, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Category> + Clone {
        Category::ALL.iter().copied().filter(move |c| self.contains(*c))
    }

    /// The names of its members, in the order of their numbers.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        self.iter().map(Category::name)
    }
}

impl BitAnd for CategoryMask {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
impl BitAndAssign for CategoryMask {
    fn bitand_assign(&mut self, other: Self) {
        self.0 &= other.0;
    }
}
impl BitOr for CategoryMask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl BitOrAssign for CategoryMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
/// What is in the left one and not in the right one.
impl Sub for CategoryMask {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
impl SubAssign for CategoryMask {
    fn sub_assign(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

impl From<Category> for DataCategory {
    fn from(category: Category) -> Self {
        DataCategory::try_from(i32::from(category.number())).unwrap_or(DataCategory::Unspecified)
    }
}
impl From<DataCategory> for CategoryMask {
    fn from(category: DataCategory) -> Self {
        Self::EMPTY.with(category)
    }
}
impl From<Category> for CategoryMask {
    fn from(category: Category) -> Self {
        category.mask()
    }
}
impl<C: Into<Kind>> FromIterator<C> for CategoryMask {
    fn from_iter<I: IntoIterator<Item = C>>(categories: I) -> Self {
        categories.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl FromStr for CategoryMask {
    type Err = CategoryError;
    /// Names separated by commas or blanks, such as `IDENT,CONTACT`, or `ALL`; the empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, CategoryError> {
        if text.trim().eq_ignore_ascii_case("ALL") {
            return Ok(Self::ALL);
        }
        text.split([',', ' ']).filter(|name| !name.is_empty()).map(str::parse::<Category>).collect::<Result<Self, _>>()
    }
}

/// Names separated by commas.
impl fmt::Display for CategoryMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}
impl fmt::Debug for CategoryMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl serde::Serialize for CategoryMask {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}
impl<'de> serde::Deserialize<'de> for CategoryMask {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Category>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_contract() {
        for number in 0..64 {
            let ours = Category::from_number(number).map(Category::name);
            let theirs = DataCategory::try_from(number)
                .ok()
                .filter(|c| !matches!(c, DataCategory::Unspecified | DataCategory::Administrative))
                .map(|c| c.as_str_name().trim_start_matches("DATA_CATEGORY_"));
            assert_eq!(ours, theirs, "number {number}");
        }
    }

    #[test]
    fn a_set_reads_back_from_its_names() {
        let set = Category::Ident.mask() | Category::Documents.mask() | Category::GermanLevel.mask();
        assert_eq!(set.to_string(), "IDENT,GERMAN_LEVEL,DOCUMENTS");
        assert_eq!(set.to_string().parse(), Ok(set));
        assert_eq!("ident, german-level documents".parse(), Ok(set));
        assert_eq!("IDENT,KENNT_NIEMAND".parse::<CategoryMask>(), Err(CategoryError));
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["IDENT","GERMAN_LEVEL","DOCUMENTS"]"#);
        assert_eq!(serde_json::from_str::<CategoryMask>(r#"["DOCUMENTS","IDENT","GERMAN_LEVEL"]"#).unwrap(), set);
        assert!(CategoryMask::ALL.covers(set) && !set.covers(CategoryMask::ALL));
        assert_eq!((CategoryMask::ALL - set).len(), 23);
    }
}
