// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Telephone numbers: any German spelling to E.164 and back.
//!
//! A number without country code is German only if it has its area code with the leading zero: the systems that write it so stand in
//! Germany. A number that names a country keeps it. A bare subscriber number is refused, because nobody can call it from elsewhere.

use std::fmt;
use std::str::FromStr;

use super::trimmed;

/// A telephone number in the form of ITU-T E.164: `+`, then 7 to 15 digits, the first not 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone(Digits);

/// A few characters of ASCII; what is more than any number has is not kept, for it is too long anyhow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Digits {
    bytes: [u8; 24],
    used: u8,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.used)) {
            *place = byte;
            self.used += 1;
        }
    }
    fn text(&self) -> &str {
        self.bytes.get(..usize::from(self.used)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
    /// All of them, one after another.
    fn of(parts: &[&str]) -> Self {
        let mut digits = Self::default();
        parts.iter().flat_map(|part| part.bytes()).for_each(|byte| digits.push(byte));
        digits
    }
}

/// The number belongs to a person.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

/// Why a text is no telephone number, or a number cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Other characters than digits, `+`, blanks and `/ - . ( )`, or these in the wrong place.
    #[error("the telephone number has characters that no telephone number has")]
    Shape,
    /// Neither area code nor country code.
    #[error("the telephone number has no area code; write it from the 0 or with its country code")]
    NoAreaCode,
    /// Too short or too long.
    #[error("the telephone number has too few or too many digits")]
    Length,
    /// Not a German number, and the form is for German ones.
    #[error("a foreign telephone number has no German area code")]
    Foreign,
    /// The area code is not in the table.
    #[error("the area code is not known here; the number cannot be split without guessing")]
    UnknownAreaCode,
}

/// How a system writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhoneStyle {
    /// `e164`: `+491713920012`.
    E164,
    /// `national`: `01713920012`; foreign numbers `00963...`.
    National,
    /// `slash-dash`: `0171/3920012`; the dash before an extension is read and not written, because E.164 does not keep it.
    SlashDash,
    /// `din5008-international`: `+49 171 3920012`.
    Din5008International,
}

impl FromStr for PhoneStyle {
    type Err = PhoneStyleError;

    fn from_str(text: &str) -> Result<Self, PhoneStyleError> {
        match text {
            "e164" => Ok(Self::E164),
            "national" => Ok(Self::National),
            "slash-dash" => Ok(Self::SlashDash),
            "din5008-international" => Ok(Self::Din5008International),
            other => Err(PhoneStyleError(other.to_owned())),
        }
    }
}

/// A mapping names a style that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no telephone style; there are e164, national, slash-dash and din5008-international")]
pub struct PhoneStyleError(String);

const GERMANY: &str = "49";

/// Area codes without the leading zero. Germany's numbering plan is free of prefixes: no code begins with another one.
/// Complete for mobile numbers and for Bremen with its surroundings, large cities besides; others are not guessed.
#[rustfmt::skip]
const AREA_CODES: &[&str] = &[
    // Mobile: 015x, 016x, 017x.
    "151", "152", "155", "156", "157", "159", "160", "162", "163", "170", "171", "172", "173", "174", "175", "176", "177", "178", "179",
    // Bremen, Bremerhaven and around.
    "421", "471", "4202", "4203", "4206", "4207", "4208", "4209", "4221", "4231", "4241", "4242", "4243", "4292", "4298", "4740",
    "4742", "4743", "4745", "4791", "4795", "441", "4401", "4404", "4408", "4731",
    // Large cities.
    "30", "40", "69", "89", "201", "203", "211", "221", "228", "231", "251", "261", "341", "351", "361", "381", "385", "391", "431",
    "451", "511", "531", "541", "551", "561", "611", "621", "631", "681", "711", "721", "731", "761", "821", "841", "911", "931", "941",
    // Free of charge.
    "800",
];

impl Phone {
    /// Reads any German spelling: `0171/39200-12`, `(0421) 123 0`, `+49 (0)421 123-0`, `0049 421 1230`, and foreign numbers with `+` or `00`.
    ///
    /// # Errors
    /// [`PhoneError::Shape`], [`PhoneError::NoAreaCode`], [`PhoneError::Length`].
    pub fn read(text: &str) -> Result<Self, PhoneError> {
        let text = trimmed(text);
        let (plus, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        Self::spelt(plus, [rest, ""])
    }

    /// A number in two parts, the second of which may be empty.
    fn spelt(plus: bool, parts: [&str; 2]) -> Result<Self, PhoneError> {
        let mut digits = Digits::default();
        let mut open = false;
        for c in parts.iter().flat_map(|part| part.chars()) {
            match c {
                '0'..='9' => digits.push(c as u8),
                '(' if !open => open = true,
                ')' if open => open = false,
                ' ' | '/' | '-' | '.' | '\u{a0}' | '–' => {}
                _ => return Err(PhoneError::Shape),
            }
        }
        let digits = digits.text();
        if open || digits.is_empty() {
            return Err(PhoneError::Shape);
        }
        if plus {
            return Self::international(digits, parts);
        }
        if let Some(international) = digits.strip_prefix("00") {
            return Self::international(international, parts);
        }
        let national = digits.strip_prefix('0').ok_or(PhoneError::NoAreaCode)?;
        Self::german(national)
    }

    /// From area code (with its leading zero) and subscriber number, as record formats keep them.
    ///
    /// # Errors
    /// As [`Phone::read`]; [`PhoneError::NoAreaCode`] if the area code lacks its zero.
    pub fn from_split(area_code: &str, subscriber: &str) -> Result<Self, PhoneError> {
        let area_code = area_code.trim();
        if !area_code.starts_with('0') {
            return Err(PhoneError::NoAreaCode);
        }
        Self::spelt(false, [area_code, subscriber.trim()])
    }

    /// The number in E.164.
    pub fn e164(&self) -> &str {
        self.0.text()
    }

    /// Writes the number as a system does; [`Phone::read`] reads all styles back.
    ///
    /// Where a style separates an area code that the table does not have, the digits stay together: nothing is lost by it.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, style: PhoneStyle, out: &mut impl fmt::Write) -> fmt::Result {
        let split = || self.split().ok();
        let parts: [&str; 4] = match (style, self.national()) {
            (PhoneStyle::E164, _) | (PhoneStyle::SlashDash | PhoneStyle::Din5008International, None) => [self.e164(), "", "", ""],
            (PhoneStyle::National, Some(national)) => ["0", national, "", ""],
            (PhoneStyle::National, None) => ["00", self.digits(), "", ""],
            (PhoneStyle::SlashDash, Some(national)) => split().map_or(["0", national, "", ""], |(area, subscriber)| ["0", area, "/", subscriber]),
            (PhoneStyle::Din5008International, Some(national)) => {
                split().map_or(["+49 ", national, "", ""], |(area, subscriber)| ["+49 ", area, " ", subscriber])
            }
        };
        parts.iter().try_for_each(|part| out.write_str(part))
    }

    /// Area code without its leading zero, and subscriber number: `("171", "3920012")`.
    ///
    /// # Errors
    /// [`PhoneError::Foreign`], [`PhoneError::UnknownAreaCode`].
    pub fn split(&self) -> Result<(&'static str, &str), PhoneError> {
        let national = self.national().ok_or(PhoneError::Foreign)?;
        let subscriber = AREA_CODES.iter().find_map(|code| Some((code, national.strip_prefix(code).filter(|rest| !rest.is_empty())?)));
        let (code, subscriber) = subscriber.ok_or(PhoneError::UnknownAreaCode)?;
        Ok((*code, subscriber))
    }

    fn digits(&self) -> &str {
        self.e164().get(1..).unwrap_or_default()
    }

    /// The digits after +49; none for a foreign number.
    fn national(&self) -> Option<&str> {
        self.digits().strip_prefix(GERMANY)
    }

    fn german(national: &str) -> Result<Self, PhoneError> {
        // Three digits of area code and two of a number are the shortest that exist; a second zero would be an exit code.
        if !(5..=13).contains(&national.len()) || national.starts_with('0') {
            return Err(PhoneError::Length);
        }
        Ok(Self(Digits::of(&["+", GERMANY, national])))
    }

    /// `digits` without `+` or `00`; `spelling` shows whether a zero stood in brackets, to be dialled only from within the country.
    fn international(digits: &str, spelling: [&str; 2]) -> Result<Self, PhoneError> {
        if let Some(national) = digits.strip_prefix(GERMANY) {
            return Self::german(national.strip_prefix('0').unwrap_or(national));
        }
        let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        let [first, second] = spelling;
        let optional_zero = match first.split_once("(0)") {
            Some((code, _)) => Some(count(code)),
            None => second.split_once("(0)").map(|(code, _)| count(first) + count(code)),
        };
        let (code, rest) = match optional_zero {
            Some(at) => {
                // Where the zero stands among `digits`: `spelling` may still begin with the exit code 00.
                let exit = (count(first) + count(second)).saturating_sub(digits.len());
                let (code, rest) = digits.split_at_checked(at.saturating_sub(exit)).ok_or(PhoneError::Shape)?;
                (code, rest.strip_prefix('0').unwrap_or(rest))
            }
            None => (digits, ""),
        };
        let digits = Digits::of(&["+", code, rest]);
        if digits.text().starts_with("+0") || !(8..=16).contains(&digits.text().len()) {
            return Err(PhoneError::Length);
        }
        Ok(Self(digits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(phone: &Phone, style: PhoneStyle) -> String {
        let mut out = String::new();
        phone.write(style, &mut out).unwrap();
        out
    }

    const STYLES: [PhoneStyle; 4] = [PhoneStyle::E164, PhoneStyle::National, PhoneStyle::SlashDash, PhoneStyle::Din5008International];

    /// The table `tests/cases/values/phones.tsv`: text, and E.164 or the name of the error.
    #[test]
    fn the_table_of_spellings_holds() {
        let mut cases = 0;
        for line in include_str!("../../../tests/cases/values/phones.tsv").lines().filter(|line| !line.starts_with('#')) {
            let (text, expected) = line.split_once('\t').unwrap();
            let got = Phone::read(text).map_or_else(|error| format!("{error:?}"), |phone| phone.e164().to_owned());
            assert_eq!(got, expected, "{text}");
            cases += 1;
        }
        assert!(cases > 25);
    }

    #[test]
    fn each_system_gets_its_own_spelling() {
        let mobile = Phone::read("0171/39200-12").unwrap();
        let foreign = Phone::read("+963 11 0000000").unwrap();
        let unknown = Phone::read("03999 12345").unwrap();
        for (style, at_home, abroad, unsplit) in [
            ("e164", "+491713920012", "+963110000000", "+49399912345"),
            ("national", "01713920012", "00963110000000", "0399912345"),
            ("slash-dash", "0171/3920012", "+963110000000", "0399912345"),
            ("din5008-international", "+49 171 3920012", "+963110000000", "+49 399912345"),
        ] {
            let style: PhoneStyle = style.parse().unwrap();
            let written = [&mobile, &foreign, &unknown].map(|phone| written(phone, style));
            assert_eq!(written, [at_home, abroad, unsplit]);
        }
        assert!("nice".parse::<PhoneStyle>().is_err());
    }

    #[test]
    fn a_number_splits_only_at_an_area_code_that_is_known() {
        let split = |text: &str| Phone::read(text).unwrap().split().map(|(area, rest)| (format!("0{area}"), rest.to_owned()));
        assert_eq!(split("+491713920012"), Ok(("0171".into(), "3920012".into())));
        assert_eq!(split("0421 1230"), Ok(("0421".into(), "1230".into())));
        assert_eq!(split("04221 1230"), Ok(("04221".into(), "1230".into())));
        assert_eq!(split("030 23125000"), Ok(("030".into(), "23125000".into())));
        assert_eq!(split("03999 12345"), Err(PhoneError::UnknownAreaCode));
        assert_eq!(split("+96311000000"), Err(PhoneError::Foreign));
    }

    #[test]
    fn no_area_code_begins_with_another_one() {
        for code in AREA_CODES {
            let prefixes = AREA_CODES.iter().filter(|other| code.starts_with(**other)).count();
            assert_eq!(prefixes, 1, "{code}");
        }
    }

    #[test]
    fn a_number_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Phone::read("+491713920012").unwrap()), "Phone(..)");
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,20}|[+0-9 ()/.-]{0,24}") {
            if let Ok(phone) = Phone::read(&text) {
                prop_assert_eq!(Phone::read(phone.e164()), Ok(phone));
                let digits = &phone.e164()[1..];
                prop_assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn every_style_reads_back_as_the_same_number(text in "\\+(49[1-9][0-9]{5,10}|963[0-9]{6,10}|1[2-9][0-9]{9})") {
            let phone = Phone::read(&text).unwrap();
            for style in STYLES {
                prop_assert_eq!(Phone::read(&written(&phone, style)), Ok(phone));
            }
            if let Ok((area, subscriber)) = phone.split() {
                prop_assert_eq!(Phone::from_split(&format!("0{area}"), subscriber), Ok(phone));
            }
        }
    }
}
