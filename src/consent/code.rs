// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The short code on a person's printed receipt, with which any counter can pass on a withdrawal: `K7QM-3XRT-9WHD`.
//!
//! Eleven characters at random (some 52 bits) and a check character by ISO/IEC 7064 MOD 37-2, which catches every wrong character and every swap of
//! neighbours before anything is looked up. The alphabet has no vowels (no words arise) and nothing that is easily taken for something else
//! (0 O, 1 I L, U V); a draw whose check character would fall outside of it is drawn again.

use std::fmt;
use std::str::FromStr;

/// Characters of a code, the last one the check.
const LENGTH: usize = 12;
/// Characters between two hyphens.
const GROUP: usize = 4;
/// What codes are made of.
const ALPHABET: &[u8; 28] = b"23456789BCDFGHJKMNPQRSTVWXYZ";

/// A code that is typed correctly. Whether anything was ever given out under it is another matter. Hidden in `Debug`: whoever has it can withdraw.
#[derive(Clone, PartialEq, Eq)]
pub struct WithdrawalCode([u8; LENGTH]);

/// A text that no code looks like: somebody mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is mistyped: compare it with the person's sheet, three groups of four letters and digits")]
pub struct CodeError;

impl WithdrawalCode {
    /// The code that stands for 32 random bytes; none if they would give a check character outside the alphabet.
    pub fn from_random(random: &[u8; 32]) -> Option<Self> {
        let (mut number, _) = random.split_first_chunk::<16>().map(|(first, rest)| (u128::from_be_bytes(*first), rest))?;
        let mut code = [0; LENGTH];
        for place in code.iter_mut().take(LENGTH - 1) {
            // 2^128 is so much more than 28^11 that no character is likelier than another.
            *place = *ALPHABET.get(usize::try_from(number % 28).ok()?)?;
            number /= 28;
        }
        let check = (38 - sum(code.get(..LENGTH - 1)?) * 2 % 37) % 37;
        let check = ALPHABET.iter().find(|letter| value(**letter) == Some(check))?;
        *code.last_mut()? = *check;
        Some(Self(code))
    }

    /// Its characters without hyphens, as the keyed digest is made of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for WithdrawalCode {
    type Err = CodeError;
    /// Small letters, spaces and hyphens do not matter.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')).map(|c| c.to_ascii_uppercase());
        let typed: Vec<u8> = typed.map(u8::try_from).collect::<Result<_, _>>().map_err(|_| CodeError)?;
        let code = <[u8; LENGTH]>::try_from(typed).map_err(|_| CodeError)?;
        let known = code.iter().all(|letter| ALPHABET.contains(letter));
        if known && sum(&code) == 1 { Ok(Self(code)) } else { Err(CodeError) }
    }
}

impl fmt::Display for WithdrawalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.iter().enumerate() {
            let hyphen = if at > 0 && at % GROUP == 0 { "-" } else { "" };
            write!(f, "{hyphen}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for WithdrawalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithdrawalCode(hidden)")
    }
}

/// ISO/IEC 7064 MOD 37-2: 1 for a text with its check character.
fn sum(text: &[u8]) -> u32 {
    text.iter().fold(0, |sum, letter| (sum * 2 + value(*letter).unwrap_or(0)) % 37)
}

/// What a character counts in MOD 37-2.
fn value(letter: u8) -> Option<u32> {
    char::from(letter).to_digit(36)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code() -> impl Strategy<Value = WithdrawalCode> {
        any::<[u8; 32]>().prop_filter_map("no check character", |random| WithdrawalCode::from_random(&random))
    }

    #[test]
    fn the_check_is_that_of_the_standard() {
        // The donation number of ISBT 128, the best known use of MOD 37-2.
        assert_eq!(sum(b"G123489654321Y"), 1);
        assert_eq!("K7QM-3XRT-9WH0".parse::<WithdrawalCode>(), Err(CodeError));
    }

    proptest! {
        #[test]
        fn a_code_is_read_however_it_is_typed(code in code()) {
            let text = code.to_string();
            prop_assert_eq!(text.len(), 14);
            for typed in [text.clone(), text.to_lowercase(), text.replace('-', ""), text.replace('-', " "), format!(" {} ", text.replace('-', "–"))] {
                prop_assert_eq!(typed.parse::<WithdrawalCode>(), Ok(code.clone()));
            }
        }

        #[test]
        fn one_wrong_character_is_caught(code in code(), at in 0..LENGTH, letter in 0..ALPHABET.len()) {
            let mut wrong = code.clone();
            wrong.0[at] = ALPHABET[letter];
            prop_assert_eq!(wrong.to_string().parse::<WithdrawalCode>().is_ok(), wrong == code);
        }

        #[test]
        fn swapped_neighbours_are_caught(code in code(), at in 0..LENGTH - 1) {
            let mut wrong = code.clone();
            wrong.0.swap(at, at + 1);
            prop_assert_eq!(wrong.to_string().parse::<WithdrawalCode>().is_ok(), wrong == code);
        }

        #[test]
        fn a_missing_or_added_character_is_caught(code in code(), at in 0..LENGTH) {
            let mut text = code.to_string().replace('-', "");
            text.remove(at);
            prop_assert_eq!(text.parse::<WithdrawalCode>(), Err(CodeError));
            text.push_str("22");
            prop_assert_eq!(text.parse::<WithdrawalCode>(), Err(CodeError));
        }
    }

    #[test]
    fn most_draws_give_a_code() {
        let given = (0..1000_u32).filter(|n| {
            let mut random = [0; 32];
            random[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
            random[12..16].copy_from_slice(&n.to_be_bytes());
            WithdrawalCode::from_random(&random).is_some()
        });
        let given = given.count();
        assert!((650..900).contains(&given), "28 of 37: {given}");
    }
}
