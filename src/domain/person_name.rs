//! Names of people and of units (姓名, 单位名称, 户名). The separator of transliterated names is `·` U+00B7
//! (民委发〔2016〕33号: that character, and room for at least 50 characters).

use super::scheme::Payees;
use super::text::without_blanks;

/// Longest name of a person, in characters; the rule asks for at least 50.
pub const LONGEST_NAME: usize = 100;

/// Longest name of a unit, in characters.
pub const LONGEST_UNIT_NAME: usize = 200;

/// The one right separator.
pub const SEPARATOR: char = '\u{00B7}';

/// Look-alikes of the separator that rosters hold: bullet, hyphenation point, katakana middle
/// dots, dot operator, ideographic full stop forms, plain full stops.
const LOOK_ALIKES: [char; 9] = ['•', '‧', '・', '･', '⋅', '．', '.', '∙', '●'];

/// True for what looks like the separator and is another character.
pub fn is_look_alike(c: char) -> bool {
    LOOK_ALIKES.contains(&c)
}

/// A name as it will be stored, and whether it was changed to get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonName {
    /// The normalised name.
    pub name: String,
    /// True when separators or blanks were normalised: the clerk is told.
    pub was_normalised: bool,
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    /// Nothing was given.
    #[error("为空，应为姓名或单位名称")]
    Missing,
    /// A control character, e.g. a line break inside a cell.
    #[error("第 {position} 个字符是控制字符 U+{code_point:04X}，应删除")]
    Control {
        /// Its code point.
        code_point: u32,
        /// Its place, from 1.
        position: usize,
    },
    /// Digits or signs that no name has: probably another column's value.
    #[error("含有“{found}”，不像名称")]
    NotAName {
        /// The first such character.
        found: char,
    },
    /// More characters than a name may have.
    #[error("{found} 个字，最多 {most} 个字")]
    TooLong {
        /// Characters found.
        found: usize,
        /// [`LONGEST_NAME`] or [`LONGEST_UNIT_NAME`].
        most: usize,
    },
}

impl PersonNameError {
    /// Stable code for logs, JSON and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "NAME_MISSING",
            Self::Control { .. } => "NAME_CONTROL_CHARACTER",
            Self::NotAName { .. } => "NAME_NOT_A_NAME",
            Self::TooLong { .. } => "NAME_TOO_LONG",
        }
    }
}

impl PersonName {
    /// Reads a name: blanks around it (and inside a Chinese name) go, look-alikes of the
    /// separator become U+00B7. Nothing else is changed and nothing is cut.
    ///
    /// # Errors
    /// When it is empty, too long, or holds control characters, digits or signs.
    pub fn parse(text: &str) -> Result<PersonName, PersonNameError> {
        PersonName::parse_for(Payees::Persons, text)
    }

    /// True of Chinese characters and separators alone, as nearly every name is written: [`PersonName::parse_for`] leaves
    /// such a name as it is, whoever has it.
    pub fn is_plain(text: &str) -> bool {
        let is_chinese = |c: char| matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}');
        text.starts_with(is_chinese)
            && text.chars().all(|c| is_chinese(c) || c == SEPARATOR)
            && (text.len() <= LONGEST_NAME || text.chars().count() <= LONGEST_NAME)
    }

    /// The name of whoever a scheme pays. A unit's may be longer and hold digits and the signs of
    /// company names, but not digits and signs alone; its full stops stay.
    ///
    /// # Errors
    /// As [`PersonName::parse`].
    pub fn parse_for(payees: Payees, text: &str) -> Result<PersonName, PersonNameError> {
        let is_unit = payees == Payees::Units;
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}'));
        if trimmed.is_empty() {
            return Err(PersonNameError::Missing);
        }
        if let Some((i, c)) = trimmed.chars().enumerate().find(|(_, c)| c.is_control()) {
            return Err(PersonNameError::Control { code_point: u32::from(c), position: i + 1 });
        }
        let is_latin = trimmed.chars().any(|c| c.is_ascii_alphabetic());
        let unspaced = if is_latin { trimmed.into() } else { without_blanks(trimmed) };
        let name: String = unspaced
            .chars()
            .map(|c| {
                let is_stop = c == '.' && is_latin || matches!(c, '.' | '．') && is_unit;
                if LOOK_ALIKES.contains(&c) && !is_stop { SEPARATOR } else { c }
            })
            .collect();
        let is_foreign = |c: &char| {
            let in_units = c.is_numeric() || matches!(c, ',' | '+' | '/' | '#' | '&');
            (is_digit(*c) || is_sign(*c)) && !(is_unit && in_units)
        };
        let foreign = name.chars().find(is_foreign);
        let no_letter = if name.chars().any(char::is_alphabetic) { None } else { name.chars().next() };
        if let Some(found) = foreign.or(no_letter.filter(|_| is_unit)) {
            return Err(PersonNameError::NotAName { found });
        }
        let (length, most) = (name.chars().count(), if is_unit { LONGEST_UNIT_NAME } else { LONGEST_NAME });
        if length > most {
            return Err(PersonNameError::TooLong { found: length, most });
        }
        Ok(PersonName { was_normalised: name != text, name })
    }
}

/// 一, 七, 万 … are names' characters though Unicode calls 〇 and some others numeric.
fn is_digit(c: char) -> bool {
    c.is_numeric() && !matches!(c, '〇' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn is_sign(c: char) -> bool {
    matches!(
        c,
        '|' | ','
            | ';'
            | '='
            | '+'
            | '/'
            | '\\'
            | '<'
            | '>'
            | '@'
            | '#'
            | '$'
            | '%'
            | '&'
            | '*'
            | '"'
            | ':'
            | '?'
            | '!'
            | '\u{FFFD}'
    )
}

/// Two names mean the same when they are equal after separators, blanks and width are evened out:
/// how a name in a bank's answer is compared with ours.
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || evened(a) == evened(b)
}

/// A name without what [`same_name`] does not look at.
pub fn evened(name: &str) -> String {
    super::text::folded(name)
        .chars()
        .map(|c| if LOOK_ALIKES.contains(&c) { SEPARATOR } else { c.to_ascii_uppercase() })
        .collect()
}

/// For publication and screens: the family name stays, 王*国, and of two characters the last goes.
pub fn masked_name(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    match characters.as_slice() {
        [] => String::new(),
        [only] => only.to_string(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len().min(3))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_become_the_one_separator() {
        for text in [
            "阿依古丽•买买提",
            "阿依古丽・买买提",
            "阿依古丽．买买提",
            "阿依古丽.买买提",
            "阿依古丽 · 买买提",
            "阿依古丽‧买买提",
        ] {
            let name = PersonName::parse(text).unwrap();
            assert_eq!(name.name, "阿依古丽·买买提");
            assert!(name.was_normalised, "{text}");
        }
        assert!(!PersonName::parse("阿依古丽·买买提").unwrap().was_normalised);
    }

    #[test]
    fn fifty_characters_and_rare_ones_are_kept() {
        let long = "阿不都热合曼·吐尔逊".repeat(5);
        assert_eq!(PersonName::parse(&long).unwrap().name, long);
        for name in ["王䶮", "李𬭎", "丁一", "欧阳〇", "John Smith"] {
            assert_eq!(PersonName::parse(name).unwrap().name, name);
        }
        assert_eq!(PersonName::parse("王　建 国").unwrap().name, "王建国");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, code) in [
            ("", "NAME_MISSING"),
            ("　", "NAME_MISSING"),
            ("王\n国", "NAME_CONTROL_CHARACTER"),
            ("王\u{0}国", "NAME_CONTROL_CHARACTER"),
            ("652827", "NAME_NOT_A_NAME"),
            ("王|国", "NAME_NOT_A_NAME"),
            ("王\u{FFFD}", "NAME_NOT_A_NAME"),
        ] {
            assert_eq!(PersonName::parse(text).unwrap_err().code(), code, "{text:?}");
        }
        assert_eq!(PersonName::parse(&"王".repeat(101)).unwrap_err().code(), "NAME_TOO_LONG");
    }

    #[test]
    fn units_have_letters_digits_and_brackets() {
        for name in [
            "和静县第2中学（本级）",
            "A&B(和静)商贸有限公司",
            "和静县3·15服务站",
            "Tianshan Co., Ltd.",
            "和静1.5产业园",
        ] {
            let unit = PersonName::parse_for(Payees::Units, name).unwrap();
            assert_eq!((unit.name.as_str(), unit.was_normalised), (name, false));
        }
        let long = "和静县".repeat(60);
        assert_eq!(PersonName::parse_for(Payees::Units, &long).unwrap().name, long);
        assert_eq!(PersonName::parse_for(Payees::Units, "和静县 社保•中心").unwrap().name, "和静县社保·中心");
        for (text, code) in [
            ("", "NAME_MISSING"),
            ("91350100", "NAME_NOT_A_NAME"),
            ("（1）", "NAME_NOT_A_NAME"),
            ("和静|中心", "NAME_NOT_A_NAME"),
            ("和静\n中心", "NAME_CONTROL_CHARACTER"),
        ] {
            assert_eq!(PersonName::parse_for(Payees::Units, text).unwrap_err().code(), code, "{text:?}");
        }
        let error = PersonName::parse_for(Payees::Units, &"王".repeat(201)).unwrap_err();
        assert_eq!(error.to_string(), "201 个字，最多 200 个字");
        assert!(PersonName::parse("A&B(和静)商贸有限公司").is_err());
    }

    #[test]
    fn names_are_compared_after_evening_out() {
        assert!(same_name("阿依古丽•买买提", "阿依古丽·买买提 "));
        assert!(!same_name("王建国", "王建军"));
        assert_eq!(masked_name("阿依古丽·买买提"), "阿***提");
        assert_eq!(masked_name("王伟"), "王*");
    }

    proptest! {
        #[test]
        fn a_plain_name_stays_as_it_is(text in "[一-龥㐀-䶵·]{1,8}|[\u{3300}-\u{A100}·.• ]{0,4}|[王·]{90,210}") {
            if PersonName::is_plain(&text) {
                for payees in [Payees::Persons, Payees::Units] {
                    let same = PersonName { name: text.clone(), was_normalised: false };
                    prop_assert_eq!(PersonName::parse_for(payees, &text), Ok(same));
                }
            }
        }
    }
}
