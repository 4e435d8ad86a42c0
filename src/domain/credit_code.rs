//! Unified social credit code (统一社会信用代码), GB 32100: one character for the registering
//! department, one for the kind of unit, six digits of area, nine of the organisation, one check
//! character. Letters that look like digits (I O S V Z) do not occur.

use super::text::folded;

/// The characters in the order of their values.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Which rule a text breaks. The messages never show the whole code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditCodeError {
    /// Nothing was given.
    #[error("为空，应为 18 位统一社会信用代码")]
    Missing,
    /// Not 18 characters.
    #[error("{found} 位，应为 18 位统一社会信用代码")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// A character that no code has.
    #[error("第 {position} 位是“{found}”，应为数字或大写字母（不用 I、O、S、V、Z，可能是 1、0、5、2）")]
    Character {
        /// The character.
        found: char,
        /// Its place, from 1.
        position: usize,
    },
    /// The check character does not fit the other seventeen.
    #[error("校验码为 {found}，按前 17 位应为 {expected}")]
    CheckCharacter {
        /// Last character found.
        found: char,
        /// Last character computed.
        expected: char,
    },
}

impl CreditCodeError {
    /// Stable code for logs, JSON and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "CREDIT_CODE_MISSING",
            Self::Length { .. } => "CREDIT_CODE_LENGTH",
            Self::Character { .. } => "CREDIT_CODE_CHARACTER",
            Self::CheckCharacter { .. } => "CREDIT_CODE_CHECK_CHARACTER",
        }
    }
}

/// The code without blanks, in capitals and plain width, if it keeps every rule. Checks in this
/// order: presence, length, characters, check character.
///
/// # Errors
/// The rule that is broken, with what was found and what was expected.
pub fn credit_code(text: &str) -> Result<String, CreditCodeError> {
    let code = folded(text).to_ascii_uppercase();
    if code.is_empty() {
        return Err(CreditCodeError::Missing);
    }
    let length = code.chars().count();
    if length != 18 {
        return Err(CreditCodeError::Length { found: length });
    }
    if let Some((i, found)) = code.chars().enumerate().find(|(_, c)| value(*c).is_none()) {
        return Err(CreditCodeError::Character { found, position: i + 1 });
    }
    let expected = check_character(&code);
    let found = code.chars().last().unwrap_or('?');
    if found != expected {
        return Err(CreditCodeError::CheckCharacter { found, expected });
    }
    Ok(code)
}

fn value(c: char) -> Option<usize> {
    ALPHABET.iter().position(|known| char::from(*known) == c)
}

/// The character that completes a code, from its first seventeen: weights are the powers of 3
/// modulo 31. (Also for invented training data.)
pub fn check_character(code: &str) -> char {
    let weights = std::iter::successors(Some(1), |weight| Some(weight * 3 % 31));
    let sum: usize = code.chars().take(17).zip(weights).map(|(c, weight)| value(c).unwrap_or(0) * weight).sum();
    char::from(ALPHABET[(31 - sum % 31) % 31])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sample_of_the_standard_passes() {
        assert_eq!(credit_code("91350100M000100Y43").as_deref(), Ok("91350100M000100Y43"));
        assert_eq!(credit_code(" ９１350100 m000100y4３\u{200B}").as_deref(), Ok("91350100M000100Y43"));
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (text, code) in [
            ("　", "CREDIT_CODE_MISSING"),
            ("91350100M000100Y4", "CREDIT_CODE_LENGTH"),
            ("91350100MO00100Y43", "CREDIT_CODE_CHARACTER"),
            ("91350100M000100Y4三", "CREDIT_CODE_CHARACTER"),
            ("91350100M000100Y44", "CREDIT_CODE_CHECK_CHARACTER"),
        ] {
            assert_eq!(credit_code(text).unwrap_err().code(), code, "{text:?}");
        }
        let error = credit_code("91350100MO00100Y43").unwrap_err().to_string();
        assert!(error.starts_with("第 10 位是“O”"), "{error}");
    }

    proptest! {
        #[test]
        fn one_changed_character_is_always_found(
            body in "12652827[0-9A-HJ-NP-RTUWXY]{9}", place in 0..17_usize, shift in 1..31_usize,
        ) {
            let mut code: Vec<char> = format!("{body}{}", check_character(&body)).chars().collect();
            prop_assert!(credit_code(&String::from_iter(&code)).is_ok());
            code[place] = char::from(ALPHABET[(value(code[place]).unwrap() + shift) % 31]);
            prop_assert!(credit_code(&String::from_iter(&code)).is_err());
        }

        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,30}") {
            let _ = credit_code(&text);
        }
    }
}
