//! Account number (银行账号): digits of a card or passbook. Never corrected, only folded.

use std::fmt;

use super::text::{ShortText, folded, mask_middle};

/// Digits of an account, without blanks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(ShortText);

/// Why a text is no account number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountNumberError {
    /// Nothing was given.
    #[error("为空，应为银行卡号或存折账号")]
    Missing,
    /// A character that is no digit.
    #[error("含有“{found}”，应全为数字")]
    Character {
        /// The first such character.
        found: char,
    },
    /// A number of digits that this bank does not use.
    #[error("{found} 位，应为 {expected} 位")]
    Length {
        /// Digits found.
        found: usize,
        /// Lengths of the bank, in words.
        expected: String,
    },
}

impl AccountNumberError {
    /// Stable code for logs, JSON and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "ACCOUNT_MISSING",
            Self::Character { .. } => "ACCOUNT_CHARACTER",
            Self::Length { .. } => "ACCOUNT_LENGTH",
        }
    }
}

impl AccountNumber {
    /// Reads an account number; `lengths` are the numbers of digits that the bank uses (empty:
    /// anything from 8 to 32).
    ///
    /// # Errors
    /// When nothing is there, a character is no digit, or the length is not the bank's.
    pub fn parse(text: &str, lengths: &[usize]) -> Result<AccountNumber, AccountNumberError> {
        let digits = folded(text);
        if digits.is_empty() {
            return Err(AccountNumberError::Missing);
        }
        if let Some(found) = digits.chars().find(|c| !c.is_ascii_digit()) {
            return Err(AccountNumberError::Character { found });
        }
        let fits = if lengths.is_empty() { (8..=32).contains(&digits.len()) } else { lengths.contains(&digits.len()) };
        if !fits {
            let expected = if lengths.is_empty() {
                "8 至 32".to_string()
            } else {
                lengths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" 或 ")
            };
            return Err(AccountNumberError::Length { found: digits.len(), expected });
        }
        Ok(AccountNumber((&*digits).into()))
    }

    /// A number that this program stored earlier.
    pub fn from_stored(stored: &str) -> AccountNumber {
        AccountNumber(stored.into())
    }

    /// All digits: for bank files, never for logs or screens.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// First four and last four: `6217***********0123`.
    pub fn masked(&self) -> String {
        mask_middle(self.as_str(), 4, 4)
    }

    /// Cards of 16–19 digits end in a Luhn digit (ISO/IEC 7812-1). Passbooks and some cards of
    /// rural banks do not, so a miss is a warning and no more.
    pub fn breaks_card_check(&self) -> bool {
        (16..=19).contains(&self.0.as_bytes().len()) && !luhn_sum(self.0.as_bytes()).is_multiple_of(10)
    }
}

fn luhn_sum(digits: &[u8]) -> u32 {
    digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0');
            if i % 2 == 0 {
                d
            } else if d > 4 {
                d * 2 - 9
            } else {
                d * 2
            }
        })
        .sum()
}

/// The digit that completes a card number (for invented training data).
pub fn card_check_digit(body: &str) -> char {
    let sum = luhn_sum(format!("{body}0").as_bytes());
    char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0')
}

/// Masked, so that no log or message shows a whole number by accident.
impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountNumber({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_but_never_corrected() {
        let account = AccountNumber::parse("６２１７ 0000 1111 2222 333", &[16, 19]).unwrap();
        assert_eq!(account.as_str(), "6217000011112222333");
        assert_eq!(account.to_string(), "6217***********2333");
    }

    #[test]
    fn wrong_accounts_are_named() {
        for (text, lengths, code) in [
            ("", &[19][..], "ACCOUNT_MISSING"),
            ("62170000111122223X3", &[19], "ACCOUNT_CHARACTER"),
            ("6.21700E+18", &[19], "ACCOUNT_CHARACTER"),
            ("621700001111222233", &[16, 19], "ACCOUNT_LENGTH"),
            ("123", &[], "ACCOUNT_LENGTH"),
        ] {
            assert_eq!(AccountNumber::parse(text, lengths).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(
            AccountNumber::parse("621700001111222233", &[16, 19]).unwrap_err().to_string(),
            "18 位，应为 16 或 19 位"
        );
    }

    #[test]
    fn the_card_check_is_luhn_on_card_lengths_only() {
        let body = "622848001234567890";
        let card = format!("{body}{}", card_check_digit(body));
        assert!(!AccountNumber::from_stored(&card).breaks_card_check());
        assert!(
            AccountNumber::from_stored(&format!("{body}{}", if card_check_digit(body) == '0' { '1' } else { '0' }))
                .breaks_card_check()
        );
        assert!(!AccountNumber::from_stored("123456789012").breaks_card_check());
    }
}
