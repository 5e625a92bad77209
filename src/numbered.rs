// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Words with numbers: under these the domain's words stand in the database and in the log. They are those of the contract's enums.

use crate::store::StoreError;

/// A word with a number.
pub trait Numbered: Copy + PartialEq + 'static {
    /// All words in the order of their numbers, which begin with 1.
    const WORDS: &'static [Self];
    /// For errors.
    const NAME: &'static str;

    /// The number.
    fn number(self) -> i32 {
        Self::WORDS.iter().position(|word| *word == self).and_then(|at| i32::try_from(at + 1).ok()).unwrap_or(0)
    }
    /// The word; none for 0 and unknown numbers.
    fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::WORDS.get(number.checked_sub(1)?)).copied()
    }
    /// The word of a column that must hold one.
    fn stored(number: i64) -> Result<Self, StoreError> {
        Self::from_number(number).ok_or(StoreError::Damaged(Self::NAME))
    }
}

/// Gives an enum the numbers of its words in the order named, or in the order of a list that it has already.
macro_rules! numbered {
    ($type:ident = $words:expr) => {
        impl $crate::numbered::Numbered for $type {
            const WORDS: &'static [Self] = $words;
            const NAME: &'static str = stringify!($type);
        }
    };
    ($type:ident: $($word:ident)*) => {
        impl $crate::numbered::Numbered for $type {
            const WORDS: &'static [Self] = &[$($type::$word),*];
            const NAME: &'static str = stringify!($type);
        }
    };
}
pub(crate) use numbered;
