//! Citizen number (公民身份号码), GB 11643: six digits of area, eight of birth date, three of
//! order (odd = male), one check character. Also the forms that stand in its place: the old
//! 15-digit number, residence permits of Hong Kong, Macao and Taiwan (81/82/83, same check), and
//! the permanent residence card of a foreigner (new: 18 digits from 9; old: 3 letters, 12 digits).
//!
//! Where a scheme pays units, a unit's credit code stands in the same place ([`super::credit_code`]).

use std::fmt;

use chrono::{Datelike, NaiveDate};

use super::credit_code::{CreditCodeError, credit_code};
use super::period::date_from_number;
use super::scheme::Payees;
use super::text::{ShortText, folded, mask_middle};

/// A number that passed every check, in its 18-character form where one exists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CitizenNumber(ShortText);

/// Which rule a text breaks. The messages never show the whole number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CitizenNumberError {
    /// Nothing was given.
    #[error("为空，应为 18 位公民身份号码")]
    Missing,
    /// Neither 18 nor 15 characters.
    #[error("{found} 位，应为 18 位（旧证 15 位）")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// A character where a digit must stand.
    #[error("第 {position} 位是“{found}”，应为数字（末位可为 X）")]
    Character {
        /// The character.
        found: char,
        /// Its place, from 1.
        position: usize,
    },
    /// An area that cannot be: province codes are 11–65, 71, 81–83 and 9x for foreigners.
    #[error("地区码 {found} 不存在，应以省级代码 11–65、71、81–83 或外国人 9 开头")]
    Area {
        /// First two digits.
        found: String,
    },
    /// The birth date is no day of the calendar.
    #[error("出生日期 {found} 不是有效日期")]
    BirthDate {
        /// The eight digits.
        found: String,
    },
    /// Born after the day of the check, or more than 130 years before it.
    #[error("出生日期 {found} 不合理（晚于今天或超过 130 岁）")]
    BirthDateRange {
        /// The date.
        found: NaiveDate,
    },
    /// The check character does not fit the other seventeen.
    #[error("校验码为 {found}，按前 17 位应为 {expected}")]
    CheckDigit {
        /// Last character found.
        found: char,
        /// Last character computed.
        expected: char,
    },
    /// A unit's code was expected.
    #[error(transparent)]
    Unit(#[from] CreditCodeError),
}

impl CitizenNumberError {
    /// Stable code for logs, JSON and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "CITIZEN_NUMBER_MISSING",
            Self::Length { .. } => "CITIZEN_NUMBER_LENGTH",
            Self::Character { .. } => "CITIZEN_NUMBER_CHARACTER",
            Self::Area { .. } => "CITIZEN_NUMBER_AREA",
            Self::BirthDate { .. } => "CITIZEN_NUMBER_BIRTH_DATE",
            Self::BirthDateRange { .. } => "CITIZEN_NUMBER_BIRTH_RANGE",
            Self::CheckDigit { .. } => "CITIZEN_NUMBER_CHECK_DIGIT",
            Self::Unit(error) => error.code(),
        }
    }
}

impl CitizenNumber {
    /// The number of whoever a scheme pays: a person's by [`CitizenNumber::parse`], a unit's credit code.
    ///
    /// # Errors
    /// The rule that is broken, with what was found and what was expected.
    pub fn parse_for(payees: Payees, text: &str, today: NaiveDate) -> Result<CitizenNumber, CitizenNumberError> {
        match payees {
            Payees::Persons => CitizenNumber::parse(text, today),
            Payees::Units => Ok(CitizenNumber(credit_code(text)?.as_str().into())),
        }
    }

    /// The number of a person or a unit, where the scheme is not known yet.
    ///
    /// # Errors
    /// What is wrong with it as a person's number.
    pub fn parse_any(text: &str, today: NaiveDate) -> Result<CitizenNumber, CitizenNumberError> {
        CitizenNumber::parse(text, today)
            .or_else(|error| CitizenNumber::parse_for(Payees::Units, text, today).map_err(|_| error))
    }

    /// Reads a number: full-width forms and lower-case `x` are folded, blanks dropped, a 15-digit
    /// number is expanded with the century 19 and its check character computed.
    ///
    /// Checks in this order: presence, length, characters, area, birth date, its range against
    /// `today`, check character; the first that fails is the answer.
    ///
    /// # Errors
    /// The rule that is broken, with what was found and what was expected.
    pub fn parse(text: &str, today: NaiveDate) -> Result<CitizenNumber, CitizenNumberError> {
        CitizenNumber::plain(text, today).map_or_else(|| CitizenNumber::careful(text, today), Ok)
    }

    /// A right number of 18 digits, or 17 and an X, and nothing around it: nearly every number is one. `None` for any
    /// other, also a right one in another form.
    fn plain(text: &str, today: NaiveDate) -> Option<CitizenNumber> {
        let (digits, last) = text.as_bytes().split_first_chunk::<17>()?;
        if last.len() != 1 || !digits.iter().all(u8::is_ascii_digit) || !is_area(text) {
            return None;
        }
        let born = digits[6..14].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        let is_born = date_from_number(born).is_some_and(|born| is_likely(born, today));
        let fits = char::from(last[0]) == check_character(&text[..17]);
        (is_born && fits).then(|| CitizenNumber(text.into()))
    }

    fn careful(text: &str, today: NaiveDate) -> Result<CitizenNumber, CitizenNumberError> {
        let number = folded(text).to_ascii_uppercase();
        if number.is_empty() {
            return Err(CitizenNumberError::Missing);
        }
        if is_old_residence_card(&number) {
            return Ok(CitizenNumber(number.as_str().into()));
        }
        let length = number.chars().count();
        if length != 18 && length != 15 {
            return Err(CitizenNumberError::Length { found: length });
        }
        for (i, c) in number.chars().enumerate() {
            if !(c.is_ascii_digit() || c == 'X' && i == 17) {
                return Err(CitizenNumberError::Character { found: c, position: i + 1 });
            }
        }
        let number = if length == 15 {
            let body = format!("{}19{}", &number[..6], &number[6..]);
            let check = check_character(&body);
            format!("{body}{check}")
        } else {
            number
        };
        if !is_area(&number) {
            return Err(CitizenNumberError::Area { found: number[..2].to_string() });
        }
        let digits = &number[6..14];
        let born = digits
            .parse()
            .ok()
            .and_then(date_from_number)
            .ok_or_else(|| CitizenNumberError::BirthDate { found: digits.to_string() })?;
        if !is_likely(born, today) {
            return Err(CitizenNumberError::BirthDateRange { found: born });
        }
        let expected = check_character(&number[..17]);
        let found = number.chars().last().unwrap_or('?');
        if found != expected {
            return Err(CitizenNumberError::CheckDigit { found, expected });
        }
        Ok(CitizenNumber(number.as_str().into()))
    }

    /// A number that this program stored earlier.
    pub fn from_stored(stored: &str) -> CitizenNumber {
        CitizenNumber(stored.into())
    }

    /// The whole number: for bank files and keys, never for logs or screens.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Area and tail only: `652827********0017`.
    pub fn masked(&self) -> String {
        mask_middle(self.as_str(), 6, 4)
    }

    /// [`CitizenNumber::birth_date`] of this number.
    pub fn born_on(&self) -> Option<NaiveDate> {
        CitizenNumber::birth_date(self.as_str())
    }

    /// Birth date, where a stored number holds one: the old residence card has two-digit years, a unit none.
    ///
    /// Who keeps the rules of both, a person or a unit, is taken for a person: such a unit would
    /// need an area that ends like the year of a birth.
    pub fn birth_date(number: &str) -> Option<NaiveDate> {
        let is_person = number.len() == 18 && (ends_in_its_check(number) || credit_code(number).is_err());
        is_person.then(|| number.get(6..14)?.parse().ok().and_then(date_from_number)).flatten()
    }
}

/// Old permanent residence card: three letters of nationality, then province/area, order and date.
fn is_old_residence_card(number: &str) -> bool {
    // By bytes: a longer character may lie across the third one.
    number.len() == 15
        && number.bytes().take(3).all(|b| b.is_ascii_uppercase())
        && number.bytes().skip(3).all(|b| b.is_ascii_digit())
}

/// Neither born after `today` nor more than 130 years before it.
fn is_likely(born: NaiveDate, today: NaiveDate) -> bool {
    born <= today && today.year() - born.year() <= 130
}

fn is_area(number: &str) -> bool {
    number.starts_with('9')
        || number[..2]
            .parse()
            .is_ok_and(|p: u32| matches!(p, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83))
}

fn ends_in_its_check(number: &str) -> bool {
    number
        .get(..17)
        .is_some_and(|body| body.bytes().all(|b| b.is_ascii_digit()) && number.ends_with(check_character(body)))
}

/// ISO 7064 MOD 11-2 over the first seventeen digits, weights and table as in GB 11643.
pub fn check_character(first_seventeen: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const TABLE: &[u8; 11] = b"10X98765432";
    let sum: u32 = first_seventeen.bytes().zip(WEIGHTS).map(|(d, w)| u32::from(d.wrapping_sub(b'0')) * w).sum();
    char::from(TABLE[(sum % 11) as usize])
}

/// Masked, so that no log or message shows a whole number by accident.
impl fmt::Display for CitizenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for CitizenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CitizenNumber({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 15).unwrap()
    }

    fn parse(text: &str) -> Result<String, CitizenNumberError> {
        CitizenNumber::parse(text, today()).map(|n| n.as_str().to_string())
    }

    #[test]
    fn published_samples_of_each_kind_pass() {
        // The sample of GB 11643, of the residence permits, and of the foreigner's card.
        for number in
            ["11010519491231002X", "810000199408230021", "830000199201300022", "932682198501010017", "KAZ110090123105"]
        {
            assert_eq!(parse(number).as_deref(), Ok(number));
        }
    }

    #[test]
    fn lower_case_full_width_and_blanks_are_folded() {
        assert_eq!(parse(" １１０１０５ 19491231 002ｘ\u{200B}").as_deref(), Ok("11010519491231002X"));
    }

    #[test]
    fn a_fifteen_digit_number_is_the_same_person() {
        assert_eq!(parse("110105491231002").as_deref(), Ok("11010519491231002X"));
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (number, code) in [
            ("", "CITIZEN_NUMBER_MISSING"),
            ("1101051949123100", "CITIZEN_NUMBER_LENGTH"),
            ("11010519491231OO2X", "CITIZEN_NUMBER_CHARACTER"),
            ("1101051949123100X2", "CITIZEN_NUMBER_CHARACTER"),
            ("00010519491231002X", "CITIZEN_NUMBER_AREA"),
            ("110105194902300029", "CITIZEN_NUMBER_BIRTH_DATE"),
            ("110105202702010021", "CITIZEN_NUMBER_BIRTH_RANGE"),
            ("110105180012310026", "CITIZEN_NUMBER_BIRTH_RANGE"),
            ("110105194912310021", "CITIZEN_NUMBER_CHECK_DIGIT"),
        ] {
            assert_eq!(parse(number).unwrap_err().code(), code, "{number}");
        }
    }

    #[test]
    fn a_number_never_shows_itself_whole() {
        let number = CitizenNumber::parse("11010519491231002X", today()).unwrap();
        assert_eq!(format!("{number} {number:?}"), "110105********002X CitizenNumber(110105********002X)");
        assert_eq!(number.born_on(), NaiveDate::from_ymd_opt(1949, 12, 31));
    }

    #[test]
    fn fifteen_bytes_are_not_fifteen_characters() {
        assert_eq!(parse("A𞹋￠AA®ወ").unwrap_err().code(), "CITIZEN_NUMBER_LENGTH");
    }

    #[test]
    fn a_unit_has_a_code_that_is_masked_and_no_birthday() {
        // Digits only, with what would be a birth date: 1940-05-01.
        let body = "11652819400501011";
        let digits = format!("{body}{}", super::super::credit_code::check_character(body));
        for code in ["91350100M000100Y43", digits.as_str()] {
            let unit = CitizenNumber::parse_for(Payees::Units, code, today()).unwrap();
            assert_eq!((unit.as_str(), unit.born_on()), (code, None));
            assert_eq!(unit.to_string(), format!("{}********{}", &code[..6], &code[14..]));
            assert_eq!(CitizenNumber::from_stored(code).born_on(), None);
            assert!(CitizenNumber::parse_for(Payees::Persons, code, today()).is_err());
        }
        let person = CitizenNumber::parse_for(Payees::Persons, "11010519491231002X", today()).unwrap();
        assert!(person.born_on().is_some());
        let refused = CitizenNumber::parse_for(Payees::Units, "11010519491231002X", today()).unwrap_err();
        assert_eq!(refused.code(), "CREDIT_CODE_CHECK_CHARACTER");
    }

    proptest! {
        #[test]
        fn every_person_has_a_birthday(serial in 0..1000_u32, day in 1..29_u32) {
            let body = format!("652827194005{day:02}{serial:03}");
            let number = parse(&format!("{body}{}", check_character(&body))).unwrap();
            let born = CitizenNumber::from_stored(&number).born_on();
            prop_assert_eq!(born, NaiveDate::from_ymd_opt(1940, 5, day));
        }

        #[test]
        fn one_changed_digit_is_always_found(serial in 0..1000_u32, day in 1..29_u32, place in 0..17_usize, shift in 1..10_u8) {
            let body = format!("652827194005{day:02}{serial:03}");
            let mut number = format!("{body}{}", check_character(&body)).into_bytes();
            prop_assert!(parse(std::str::from_utf8(&number).unwrap()).is_ok());
            number[place] = (number[place] - b'0' + shift) % 10 + b'0';
            prop_assert!(parse(std::str::from_utf8(&number).unwrap()).is_err());
        }

        #[test]
        fn a_plain_number_is_judged_as_any_other(text in "[1-9][0-9]{5}(19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]|[0-9]{18}|\\PC{0,20}") {
            let mut texts = vec![text.clone()];
            if let Some(body) = text.get(..17).filter(|body| body.bytes().all(|b| b.is_ascii_digit())) {
                texts.push(format!("{body}{}", check_character(body)));
            }
            for text in texts {
                prop_assert_eq!(CitizenNumber::parse(&text, today()), CitizenNumber::careful(&text, today()));
                if let Some(plain) = CitizenNumber::plain(&text, today()) {
                    prop_assert_eq!(Ok(plain), CitizenNumber::careful(&text, today()));
                }
            }
        }

        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }
    }
}
