// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A German postal address on one line: `Musterweg 1a, 28237 Bremen`.

use std::fmt;

use super::{Converted, trimmed};

/// The parts of an address; empty where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address<'t> {
    /// `Musterweg`, `Straße des 17. Juni`.
    pub street: &'t str,
    /// Digits only.
    pub house_number: &'t str,
    /// What follows the digits: `a`, `-14`, `/3`.
    pub suffix: &'t str,
    /// Five digits; a text, because of leading zeros.
    pub postal_code: &'t str,
    /// `Bremen`.
    pub city: &'t str,
}

/// Why a text is not taken apart. The parts could only be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is not written as street and number, comma, postal code of five digits and city")]
pub struct AddressError;

const NOT_ON_ONE_LINE: &str = "parts of the address cannot be told apart again on one line";

/// Takes a line apart: the last comma separates the street from postal code and city; either side may stand alone.
///
/// # Errors
/// [`AddressError`] if the part after the last comma does not begin with a postal code.
pub fn split(line: &str) -> Result<Address<'_>, AddressError> {
    let line = trimmed(line);
    if let Some((street, place)) = line.rsplit_once(',') {
        let (postal_code, city) = split_place(trimmed(place)).ok_or(AddressError)?;
        return Ok(Address { postal_code, city, ..split_street(trimmed(street)) });
    }
    Ok(match split_place(line) {
        Some((postal_code, city)) => Address { postal_code, city, ..Address::default() },
        None => split_street(line),
    })
}

/// Writes the line of an address.
///
/// # Errors
/// Those of `out`.
pub fn join(address: &Address<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    let [street, number, suffix, code, city] = [address.street, address.house_number, address.suffix, address.postal_code, address.city].map(trimmed);
    let blank = |left: bool, right: bool| if left && right { " " } else { "" };
    let numbered = !number.is_empty() || !suffix.is_empty();
    let (first, second) = (!street.is_empty() || numbered, !code.is_empty() || !city.is_empty());
    let comma = if first && second { ", " } else { "" };
    let blanks = [blank(!street.is_empty(), numbered), blank(!code.is_empty(), !city.is_empty())];
    [street, blanks[0], number, suffix, comma, code, blanks[1], city].iter().try_for_each(|part| out.write_str(part))
}

/// What became of an address on a line: the loss says if [`split`] does not give the same parts back.
pub fn told<T: AsRef<str>>(address: &Address<'_>, line: T) -> Converted<T> {
    let back = split(line.as_ref()).as_ref() == Ok(address);
    Converted::lossy_if(!back, line, NOT_ON_ONE_LINE)
}

/// `28237 Bremen`, `28237`.
fn split_place(text: &str) -> Option<(&str, &str)> {
    let (code, city) = text.split_once(' ').unwrap_or((text, ""));
    let valid = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| (code, trimmed(city)))
}

/// The house number begins at the first word after the street that begins with a digit and is followed only by a suffix.
fn split_street(text: &str) -> Address<'_> {
    for at in (0..text.len()).filter(|at| text.as_bytes().get(*at) == Some(&b' ')) {
        let (street, number) = text.split_at_checked(at).unwrap_or((text, ""));
        let number = trimmed(number);
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let (house_number, suffix) = number.split_at_checked(digits).unwrap_or(("", ""));
        if digits > 0 && is_suffix(trimmed(suffix)) && !trimmed(street).is_empty() {
            return Address { street: trimmed(street), house_number, suffix: trimmed(suffix), ..Address::default() };
        }
    }
    Address { street: text, ..Address::default() }
}

/// One letter, or what a hyphen or slash introduces: `a`, `-14`, `/3`, `- 14b`.
fn is_suffix(text: &str) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        None => true,
        Some('-' | '–' | '/') => text.len() > 1 && chars.all(|c| c.is_alphanumeric() || c == ' '),
        Some(letter) => letter.is_alphabetic() && chars.next().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(address: &Address<'_>) -> Converted<String> {
        let mut line = String::new();
        super::join(address, &mut line).unwrap();
        told(address, line)
    }
    fn parts(line: &str) -> [&str; 5] {
        let Address { street, house_number, suffix, postal_code, city } = split(line).unwrap();
        [street, house_number, suffix, postal_code, city]
    }

    #[test]
    fn addresses_come_apart_and_together_again() {
        for (line, expected) in [
            ("Musterweg 1, 28237 Bremen", ["Musterweg", "1", "", "28237", "Bremen"]),
            ("Musterweg 1a, 28237 Bremen", ["Musterweg", "1", "a", "28237", "Bremen"]),
            ("Musterweg 12-14, 01067 Musterstadt", ["Musterweg", "12", "-14", "01067", "Musterstadt"]),
            ("Straße des 17. Juni 135, 10623 Berlin", ["Straße des 17. Juni", "135", "", "10623", "Berlin"]),
            ("Am Markt, 28195 Bremen", ["Am Markt", "", "", "28195", "Bremen"]),
            ("C 4, 12, 68159 Musterheim", ["C 4,", "12", "", "68159", "Musterheim"]),
            ("28237 Bremen", ["", "", "", "28237", "Bremen"]),
            ("Musterweg 1", ["Musterweg", "1", "", "", ""]),
            ("", ["", "", "", "", ""]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
            assert_eq!(join(&split(line).unwrap()), Converted::exact(line.to_owned()));
        }
        assert_eq!(parts("Musterweg 1 a , 28237  Bremen"), ["Musterweg", "1", "a", "28237", "Bremen"]);
    }

    #[test]
    fn a_line_whose_end_is_no_place_is_not_guessed_about() {
        for line in ["Musterweg 1, Bremen", "Musterweg 1, 2823 Bremen", "Nūr, Musterweg 1"] {
            assert_eq!(split(line), Err(AddressError), "{line}");
        }
    }

    #[test]
    fn parts_that_would_read_differently_are_reported() {
        let address = Address { street: "Weg 3", city: "Bremen", ..Address::default() };
        assert!(join(&address).loss.is_some());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic_and_reading_is_stable(line in "\\PC{0,30}|[a-cß0-9 ,/-]{0,30}") {
            if let Ok(address) = split(&line)
                && let Converted { value, loss: None } = join(&address)
            {
                prop_assert_eq!(split(&value), Ok(address));
            }
        }

        #[test]
        fn ordinary_addresses_survive(street in "[A-Z][a-zäöüß]{1,12}( [A-Z][a-z]{1,8})?", number in "[1-9][0-9]{0,2}", suffix in "[a-f]?", code in "[0-9]{5}", city in "[A-Z][a-zü]{1,12}") {
            let address = Address { street: &street, house_number: &number, suffix: &suffix, postal_code: &code, city: &city };
            let line = join(&address);
            prop_assert_eq!(line.loss, None);
            prop_assert_eq!(split(&line.value), Ok(address));
        }
    }
}
