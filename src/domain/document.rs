//! Numbers of official documents (文号): `巴财社〔2025〕98号`. One document of the real case writes
//! its own number with `[ ]`, `【 】` and `〔 〕`; all mean the same, `〔 〕` is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::folded;

/// A document number with its brackets normalised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentNumber(String);

/// A text that is no document number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}”不是文号，应为 机关代字〔年份〕序号号，例如 巴财社〔2025〕98号")]
pub struct DocumentNumberError(String);

impl DocumentNumber {
    /// Reads a number in any of the bracket styles.
    ///
    /// # Errors
    /// When issuer, four-digit year or serial number is missing.
    pub fn parse(text: &str) -> Result<DocumentNumber, DocumentNumberError> {
        let even: String = folded(text)
            .chars()
            .map(|c| match c {
                '[' | '【' | '〔' | '(' | '{' | '「' | '〖' => '〔',
                ']' | '】' | '〕' | ')' | '}' | '」' | '〗' => '〕',
                other => other,
            })
            .collect();
        let parts = even
            .split_once('〔')
            .and_then(|(issuer, rest)| rest.split_once('〕').map(|(year, serial)| (issuer, year, serial)));
        let Some((issuer, year, serial)) = parts else {
            return Err(DocumentNumberError(text.trim().to_string()));
        };
        let digits = serial.trim_start_matches('第').trim_end_matches('号');
        let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if issuer.is_empty() || year.len() != 4 || !is_number(year) || !is_number(digits) {
            return Err(DocumentNumberError(text.trim().to_string()));
        }
        Ok(DocumentNumber(format!("{issuer}〔{year}〕{digits}号")))
    }

    /// The number with `〔 〕`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DocumentNumber {
    type Error = DocumentNumberError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        DocumentNumber::parse(&text)
    }
}

impl From<DocumentNumber> for String {
    fn from(number: DocumentNumber) -> String {
        number.0
    }
}

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bracket_styles_are_one_number() {
        for text in [
            "巴财社〔2025〕98号",
            "巴财社[2025]98号",
            "巴财社【2025】98号",
            "巴财社（2025）98号",
            "巴财社［２０２５］98 号",
            "巴财社〔2025〕98",
            "巴财社〔2025〕第98号",
        ] {
            assert_eq!(DocumentNumber::parse(text).unwrap().as_str(), "巴财社〔2025〕98号", "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "巴财社98号", "巴财社〔25〕98号", "〔2025〕98号", "巴财社〔2025〕号", "巴财社〔2025〕九号"]
        {
            assert!(DocumentNumber::parse(text).is_err(), "{text}");
        }
    }
}
