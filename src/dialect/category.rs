// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Sets of data categories, as one word: what a person consented to and what a plan may copy.

use std::fmt;
use std::str::FromStr;

use crate::proto::types::DataCategory;

/// A set of [`DataCategory`]: bit `1 << (value - 1)`. Routing data (ADMINISTRATIVE) belong to every set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CategoryMask(u32);

/// The text names no data category; the message lists those that exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no data category; use one of {known}")]
pub struct UnknownCategory {
    /// What was given.
    pub name: String,
    known: String,
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

const fn bit(category: DataCategory) -> u32 {
    match category {
        DataCategory::Unspecified => 0,
        other => 1 << (other as i32 - 1),
    }
}

/// Every category, in the order of its number, without ADMINISTRATIVE.
fn all() -> impl Iterator<Item = DataCategory> {
    (1..=26).filter_map(|number| DataCategory::try_from(number).ok())
}

fn short(category: DataCategory) -> &'static str {
    category.as_str_name().trim_start_matches("DATA_CATEGORY_")
}

impl CategoryMask {
    /// Routing data only.
    pub const NONE: Self = Self(bit(DataCategory::Administrative));
    /// Every category.
    pub const ALL: Self = Self((1 << 26) - 1 | bit(DataCategory::Administrative));

    /// From stored bits; bits without a category are dropped, ADMINISTRATIVE is added.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0 | Self::NONE.0)
    }
    /// The bits, as stored.
    pub const fn bits(self) -> u32 {
        self.0
    }
    /// Whether the category belongs to it. UNSPECIFIED never does.
    pub const fn contains(self, category: DataCategory) -> bool {
        self.0 & bit(category) != 0
    }
    /// Whether every category of `other` belongs to it.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
    /// With one more category.
    pub const fn with(self, category: DataCategory) -> Self {
        Self(self.0 | bit(category))
    }
    /// What is in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// What is in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// What is in this one and not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0 | Self::NONE.0)
    }
    /// Nothing but routing data.
    pub const fn is_empty(self) -> bool {
        self.0 == Self::NONE.0
    }
    /// Its categories in the order of their numbers, without ADMINISTRATIVE.
    pub fn iter(self) -> impl Iterator<Item = DataCategory> {
        all().filter(move |category| self.contains(*category))
    }
    /// The numbers, as `repeated DataCategory` has them.
    pub fn numbers(self) -> Vec<i32> {
        self.iter().map(|category| category as i32).collect()
    }
    /// From the numbers of a `repeated DataCategory`; numbers without a category are dropped.
    pub fn from_numbers(numbers: &[i32]) -> Self {
        numbers.iter().filter_map(|number| DataCategory::try_from(*number).ok()).collect()
    }
}

impl Default for CategoryMask {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<DataCategory> for CategoryMask {
    fn from(category: DataCategory) -> Self {
        Self::NONE.with(category)
    }
}

impl FromIterator<DataCategory> for CategoryMask {
    fn from_iter<I: IntoIterator<Item = DataCategory>>(categories: I) -> Self {
        categories.into_iter().fold(Self::NONE, Self::with)
    }
}

/// `IDENT,CONTACT`; `ALL` and `NONE` are understood too.
impl FromStr for CategoryMask {
    type Err = UnknownCategory;
    fn from_str(text: &str) -> Result<Self, UnknownCategory> {
        let mut mask = Self::NONE;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = name.to_ascii_uppercase();
            mask = match name.trim_start_matches("DATA_CATEGORY_") {
                "ALL" => Self::ALL,
                "NONE" | "ADMINISTRATIVE" => mask,
                name => match all().find(|category| short(*category) == name) {
                    Some(category) => mask.with(category),
                    None => {
                        let known = all().map(short).collect::<Vec<_>>().join(", ");
                        return Err(UnknownCategory { name: name.to_owned(), known });
                    }
                },
            };
        }
        Ok(mask)
    }
}

impl fmt::Display for CategoryMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("NONE");
        }
        for (at, category) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            f.write_str(short(category))?;
        }
        Ok(())
    }
}

impl fmt::Debug for CategoryMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CategoryMask({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_set_still_carries_routing_data_and_nothing_else() {
        assert!(CategoryMask::NONE.contains(DataCategory::Administrative));
        assert!(!CategoryMask::NONE.contains(DataCategory::Unspecified));
        assert_eq!(CategoryMask::NONE.iter().count(), 0);
        assert_eq!(CategoryMask::ALL.iter().count(), 26);
    }

    #[test]
    fn names_are_read_and_unknown_ones_listed() {
        let mask: CategoryMask = "ident, CONTACT".parse().unwrap();
        assert_eq!(mask, [DataCategory::Ident, DataCategory::Contact].into_iter().collect());
        assert!("IDENT,SHOE_SIZE".parse::<CategoryMask>().unwrap_err().to_string().contains("FREETEXT"));
    }

    proptest! {
        #[test]
        fn every_set_is_read_back_from_its_text_its_bits_and_its_numbers(bits: u32) {
            let mask = CategoryMask::from_bits(bits);
            prop_assert_eq!(mask.to_string().parse::<CategoryMask>().unwrap(), mask);
            prop_assert_eq!(CategoryMask::from_bits(mask.bits()), mask);
            prop_assert_eq!(CategoryMask::from_numbers(&mask.numbers()), mask);
            prop_assert!(mask.covers(mask.intersection(CategoryMask::from_bits(!bits))));
        }
    }
}
