//! The banks of the office and the settings of their file layouts, read from `config/banks/*.toml`.
//!
//! One text holds one layout, its reason codes and the banks that use it; `config/banks/neutral.toml`
//! explains every key and is built in. Every text is validated as a whole before anything of it
//! counts: a misspelt key or a roster name that could mean two banks is refused. What a key means
//! is decided in `domain::bank`; nothing here opens a path.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::bank::{Bank, BankBook, Layout, Reason, ReasonClass};
use crate::domain::text::folded;

const NEUTRAL: &str = include_str!("../../../config/banks/neutral.toml");

/// Lengths that any account number of any bank may have.
const ANY_LENGTH: std::ops::RangeInclusive<usize> = 8..=32;

/// Why a layout file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BankFileError {
    /// No TOML, a key that does not exist, a missing key, a value of the wrong kind.
    #[error("银行配置第 {line} 行有误: {message}\n请对照 config/banks/neutral.toml 中的说明更正")]
    Syntax {
        /// Line of the file, from 1.
        line: usize,
        /// What the reader of TOML says (English).
        message: String,
    },
    /// A value that may not be empty or zero.
    #[error("银行配置 {place} 的 {key} 为空或为零，应填写")]
    Missing {
        /// Which entry.
        place: String,
        /// Which key.
        key: &'static str,
    },
    /// The same code twice in one file.
    #[error("银行配置中 {entry} {code} 出现两次，应只有一条")]
    Twice {
        /// `[[reason]]` or `[[bank]]`.
        entry: &'static str,
        /// The code.
        code: String,
    },
    /// A number of digits that no account has.
    #[error("银行 {bank} 的 account_lengths 含有 {found}，应为 8 至 32 之间的位数")]
    AccountLength {
        /// Code of the bank.
        bank: String,
        /// The number found.
        found: usize,
    },
    /// A roster name that could mean two banks.
    #[error("开户银行“{alias}”同时指 {first} 和 {second}，应只属于一家银行\n请从其中一家的 aliases 中删除")]
    Ambiguous {
        /// The code, name or alias.
        alias: String,
        /// Code of one bank.
        first: String,
        /// Code of the other.
        second: String,
    },
}

impl BankFileError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "BANK_CONFIG_SYNTAX",
            Self::Missing { .. } => "BANK_CONFIG_MISSING",
            Self::Twice { .. } => "BANK_CONFIG_TWICE",
            Self::AccountLength { .. } => "BANK_CONFIG_ACCOUNT_LENGTH",
            Self::Ambiguous { .. } => "BANK_CONFIG_AMBIGUOUS",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    code: String,
    title: String,
    row_limit: usize,
    name_bytes: usize,
    #[serde(default)]
    reason: Vec<ReasonEntry>,
    #[serde(default)]
    bank: Vec<BankEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonEntry {
    code: String,
    text: String,
    class: ReasonClass,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BankEntry {
    code: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    account_lengths: Vec<usize>,
    #[serde(default)]
    card_check: bool,
}

/// Reads one layout file: the layout and the banks that use it.
///
/// # Errors
/// The first rule that the text breaks.
pub fn parse_bank_file(text: &str) -> Result<(Layout, Vec<Bank>), BankFileError> {
    let file: File = toml::from_str(text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        BankFileError::Syntax { line: before.matches('\n').count() + 1, message: e.message().to_string() }
    })?;
    let layout = Layout {
        code: file.code.trim().to_string(),
        title: file.title,
        row_limit: file.row_limit,
        name_bytes: file.name_bytes,
        reasons: file.reason.into_iter().map(|r| Reason { code: r.code, text: r.text, class: r.class }).collect(),
    };
    let banks: Vec<Bank> = file.bank.into_iter().map(|entry| bank(entry, &layout.code)).collect();
    check(&layout, &banks)?;
    Ok((layout, banks))
}

/// Aliases are kept in the folded form in which `BankBook::find` looks them up; a name that folds
/// to something else (full-width brackets) is an alias of itself.
fn bank(entry: BankEntry, layout: &str) -> Bank {
    let mut aliases: Vec<String> = entry.aliases.iter().map(|a| folded(a).into_owned()).collect();
    let folded_name = folded(&entry.name);
    if folded_name != entry.name {
        aliases.push(folded_name.into_owned());
    }
    Bank {
        code: entry.code.trim().to_string(),
        name: entry.name,
        aliases,
        account_lengths: entry.account_lengths,
        card_check: entry.card_check,
        layout: layout.to_string(),
    }
}

fn check(layout: &Layout, banks: &[Bank]) -> Result<(), BankFileError> {
    let missing = |place: &str, key| BankFileError::Missing { place: place.to_string(), key };
    for (key, is_missing) in [
        ("code", layout.code.is_empty()),
        ("row_limit", layout.row_limit == 0),
        ("name_bytes", layout.name_bytes == 0),
        ("[[reason]] code", layout.reasons.iter().any(|r| r.code.trim().is_empty())),
        ("[[bank]] code", banks.iter().any(|b| b.code.is_empty())),
        ("[[bank]] name", banks.iter().any(|b| b.name.trim().is_empty())),
        ("[[bank]] aliases", banks.iter().any(|b| b.aliases.iter().any(String::is_empty))),
    ] {
        if is_missing {
            return Err(missing(&layout.code, key));
        }
    }
    if let Some(code) = first_twice(layout.reasons.iter().map(|r| r.code.as_str())) {
        return Err(BankFileError::Twice { entry: "[[reason]]", code });
    }
    if let Some(code) = first_twice(banks.iter().map(|b| b.code.as_str())) {
        return Err(BankFileError::Twice { entry: "[[bank]]", code });
    }
    for bank in banks {
        if let Some(found) = bank.account_lengths.iter().find(|n| !ANY_LENGTH.contains(n)) {
            return Err(BankFileError::AccountLength { bank: bank.code.clone(), found: *found });
        }
    }
    unambiguous(banks)
}

fn first_twice<'a>(codes: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    codes.into_iter().find(|code| !seen.insert(*code)).map(ToString::to_string)
}

/// Every code, name and alias means one bank only.
fn unambiguous(banks: &[Bank]) -> Result<(), BankFileError> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for bank in banks {
        for alias in [&bank.code, &bank.name].into_iter().chain(&bank.aliases) {
            // Codes are found in any case.
            if let Some(first) = owners.insert(alias.to_ascii_uppercase(), &bank.code).filter(|o| *o != bank.code) {
                return Err(BankFileError::Ambiguous {
                    alias: alias.clone(),
                    first: first.to_string(),
                    second: bank.code.clone(),
                });
            }
        }
    }
    Ok(())
}

/// The banks and the layout that come with the program.
///
/// # Errors
/// Never, as a test proves; the caller still need not trust that.
pub fn built_in() -> Result<BankBook, BankFileError> {
    let mut book = BankBook::default();
    add(&mut book, NEUTRAL)?;
    Ok(book)
}

/// Adds a layout file of the office to the book. A layout or bank of the same code is replaced.
/// The book is unchanged when the file is refused.
///
/// # Errors
/// When the file breaks a rule, alone or together with what the book holds.
pub fn add(book: &mut BankBook, text: &str) -> Result<(), BankFileError> {
    let (layout, banks) = parse_bank_file(text)?;
    let mut added = book.clone();
    match added.layouts.iter_mut().find(|l| l.code == layout.code) {
        Some(old) => *old = layout,
        None => added.layouts.push(layout),
    }
    for bank in banks {
        match added.banks.iter_mut().find(|b| b.code == bank.code) {
            Some(old) => *old = bank,
            None => added.banks.push(bank),
        }
    }
    unambiguous(&added.banks)?;
    *book = added;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "code = \"own\"\ntitle = \"自定\"\nrow_limit = 5\nname_bytes = 60\n";

    fn one_bank(code: &str, alias: &str) -> String {
        format!(
            "{HEAD}\n[[bank]]\ncode = \"{code}\"\nname = \"{code}银行\"\naliases = [\"{alias}\"]\naccount_lengths = [19]\n"
        )
    }

    #[test]
    fn the_built_in_file_holds_five_banks_and_every_reason() {
        let book = built_in().unwrap();
        let codes: Vec<&str> = book.banks.iter().map(|b| b.code.as_str()).collect();
        assert_eq!(codes, ["RCC", "ABC", "PSBC", "CCB", "ICBC"]);
        let layout = book.layout("neutral").unwrap();
        assert_eq!((layout.row_limit, layout.name_bytes, layout.reasons.len()), (1000, 60, 35));
        for (code, class) in [
            ("3031", ReasonClass::NameMismatch),
            ("3018", ReasonClass::AccountClosed),
            ("3056", ReasonClass::ReturnedLater),
            ("3008", ReasonClass::Funds),
            ("3999", ReasonClass::Unknown),
        ] {
            assert!(layout.knows_reason(code));
            assert_eq!(layout.reason_class(code), class, "{code}");
        }
        assert!(!layout.knows_reason("0000") && !layout.knows_reason("4000"), "success is no reason");
        assert_eq!(book.bank("PSBC").unwrap().account_lengths, [18, 19]);
    }

    #[test]
    fn banks_are_found_as_rosters_write_them() {
        let book = built_in().unwrap();
        for (text, code) in [
            ("农信社", "RCC"),
            (" 和静农信社 ", "RCC"),
            ("和静县农村信用合作联社", "RCC"),
            ("农行", "ABC"),
            ("中国农业银行和静县支行", "ABC"),
            ("邮储银行", "PSBC"),
            ("ｐｓｂｃ", "PSBC"),
            ("建行", "CCB"),
            ("工商银行和静县支行", "ICBC"),
        ] {
            assert_eq!(book.find(text).map(|b| b.code.as_str()), Some(code), "{text}");
        }
        assert_eq!(book.find("银行"), None);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let error = parse_bank_file(&format!("{HEAD}name_byte = 3\n")).unwrap_err();
        assert!(
            matches!(&error, BankFileError::Syntax { line: 5, message } if message.contains("name_byte")),
            "{error}"
        );
        let no_class = "\n[[reason]]\ncode = \"1\"\ntext = \"x\"\nclass = \"closed\"\n";
        assert!(matches!(parse_bank_file(&format!("{HEAD}{no_class}")), Err(BankFileError::Syntax { line: 9, .. })));
        let reason = "\n[[reason]]\ncode = \"1\"\ntext = \"x\"\nclass = \"funds\"\n";
        for (text, code) in [
            (HEAD.replace("= 5", "= 0"), "BANK_CONFIG_MISSING"),
            (HEAD.replace("own", " "), "BANK_CONFIG_MISSING"),
            (format!("{HEAD}{reason}{reason}"), "BANK_CONFIG_TWICE"),
            (one_bank("X", ""), "BANK_CONFIG_MISSING"),
            (one_bank("X", "甲").replace("19", "7"), "BANK_CONFIG_ACCOUNT_LENGTH"),
            ("code = ".to_string(), "BANK_CONFIG_SYNTAX"),
            (String::new(), "BANK_CONFIG_SYNTAX"),
        ] {
            assert_eq!(parse_bank_file(&text).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn a_later_file_replaces_and_a_shared_alias_is_refused_without_a_trace() {
        let mut book = built_in().unwrap();
        add(&mut book, &one_bank("RCC", "农商行")).unwrap();
        assert_eq!((book.banks.len(), book.layouts.len()), (5, 2));
        assert_eq!(book.find("农商行").unwrap().layout, "own");
        let error = add(&mut book, &one_bank("XYZ", "农 行")).unwrap_err();
        assert!(error.to_string().contains("“农行”同时指 ABC 和 XYZ"), "{error}");
        assert_eq!(book.banks.len(), 5);
        assert_eq!(add(&mut book, &one_bank("XYZ", "abc")).unwrap_err().code(), "BANK_CONFIG_AMBIGUOUS");
    }

    #[test]
    fn full_width_brackets_in_a_name_are_found() {
        let mut book = BankBook::default();
        add(&mut book, &one_bank("X", "甲").replace("X银行", "银行（和静）")).unwrap();
        assert!(book.find("银行（和静）").is_some() && book.find("银行(和静)").is_some());
    }
}
