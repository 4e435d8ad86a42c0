//! The banks of the office and the settings of their file layouts, read from `config/banks/*.toml`.
//!
//! One text holds one layout, its reason codes and the banks that use it, or banks alone;
//! `layout::keys` knows every key, and `config/banks/REFERENCE.zh-CN.md`, made from it, explains them. All
//! layouts of that folder are built in. Every text is validated as a whole before anything of it counts, and
//! all that is wrong in it is told at once. An office moves a bank to another layout
//! with an entry of the bank's code, without a name, that says only what is different. What a key
//! means is decided in `domain::bank`; nothing here opens a path.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::layout::definition;
use super::layout::keys::{self, MISSING, Problem, Told};
use crate::domain::bank::{Bank, BankBook, Layout, OtherLayouts, Reason, ReasonClass, Standard};
use crate::domain::text::folded;

/// What comes with the program.
const BUILT_IN: [&str; 21] = [
    include_str!("../../../config/banks/neutral.toml"),
    include_str!("../../../config/banks/icbc-bpt.toml"),
    include_str!("../../../config/banks/icbc-workbook.toml"),
    include_str!("../../../config/banks/icbc-workbook-cross.toml"),
    include_str!("../../../config/banks/ccb-private-a.toml"),
    include_str!("../../../config/banks/ccb-private-b.toml"),
    include_str!("../../../config/banks/ccb-public.toml"),
    include_str!("../../../config/banks/abc-csv.toml"),
    include_str!("../../../config/banks/abc-register.toml"),
    include_str!("../../../config/banks/abc-register-text.toml"),
    include_str!("../../../config/banks/boc-payoff.toml"),
    include_str!("../../../config/banks/bocom.toml"),
    include_str!("../../../config/banks/cmb.toml"),
    include_str!("../../../config/banks/citic.toml"),
    include_str!("../../../config/banks/psbc.toml"),
    include_str!("../../../config/banks/lanzhou.toml"),
    include_str!("../../../config/banks/city-bank-core.toml"),
    include_str!("../../../config/banks/unionpay-aipg.toml"),
    include_str!("../../../config/banks/unionpay-chinapay.toml"),
    include_str!("../../../config/banks/iso20022.toml"),
    include_str!("../../../config/banks/treasury.toml"),
];

/// What banks usually say, for layouts that ask for it.
const USUAL_REASONS: &str = include_str!("../../../config/banks/usual-reasons.toml");

/// Why a layout file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BankFileError {
    /// All that is wrong in one file, by line.
    #[error("银行配置有 {} 处错误:\n{}\n各项的说明见 fafang bank layouts reference", .0.len(), lines(.0))]
    File(Vec<Problem>),
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
    /// An entry without a name, of a bank that is not there.
    #[error("银行 {0} 没有 name，也不是已有的银行，无法修改\n新增银行请写全 name、aliases；修改请核对 code")]
    UnknownBank(String),
    /// A bank whose layout is in no file.
    #[error("银行 {bank} 的布局 {layout} 不存在\n可用的布局: {known}")]
    UnknownLayout {
        /// Code of the bank.
        bank: String,
        /// Code of the layout.
        layout: String,
        /// Codes of those that there are.
        known: String,
    },
    /// Something that the layout writes and the office has not said.
    #[error("银行 {bank} 用布局 {layout}，还应写明 {keys}")]
    NotSaid {
        /// Code of the bank.
        bank: String,
        /// Code of the layout.
        layout: String,
        /// The keys.
        keys: String,
    },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl BankFileError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(problems) => problems.first().map_or(keys::SYNTAX, |problem| problem.code),
            Self::Ambiguous { .. } => "BANK_CONFIG_AMBIGUOUS",
            Self::UnknownBank(_) => "BANK_CONFIG_UNKNOWN_BANK",
            Self::UnknownLayout { .. } => "BANK_CONFIG_UNKNOWN_LAYOUT",
            Self::NotSaid { .. } => "BANK_CONFIG_NOT_SAID",
        }
    }
}

/// One file, read but not yet compared with the others.
struct Parsed {
    layout: Option<Layout>,
    banks: Vec<BankEntry>,
}

/// What an entry says of a bank.
struct BankEntry {
    code: String,
    name: Option<String>,
    aliases: Option<Vec<String>>,
    account_lengths: Option<Vec<usize>>,
    card_check: Option<bool>,
    layout: Option<String>,
    values: Vec<(&'static str, String)>,
}

/// What a layout may write of a bank, by the keys of its entry.
const VALUES: [&str; 10] = [
    "bank_no",
    "payer_account",
    "payer_name",
    "payer_bank",
    "unit_no",
    "amount_unit",
    "payer_bank_no",
    "initiating_party",
    "service_level",
    "category_purpose",
];

fn parse(text: &str) -> Result<Parsed, BankFileError> {
    let table = keys::parse(text).map_err(BankFileError::File)?;
    let told = Told::of(text, table.get_ref());
    let mut problems = Vec::new();
    keys::check(&told, keys::FILE, &mut problems);
    let parsed = Parsed {
        layout: if says_a_layout(&told) { layout(&told, &mut problems) } else { None },
        banks: told.tables("bank").iter().map(bank_entry).collect(),
    };
    twice(&told.tables("reason"), &mut problems);
    twice(&told.tables("bank"), &mut problems);
    if problems.is_empty() {
        return Ok(parsed);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(BankFileError::File(problems))
}

/// Banks alone are a file too; anything else is a layout.
fn says_a_layout(told: &Told<'_>) -> bool {
    ["code", "file", "answer"].iter().any(|key| told.has(key)) || !told.has("bank")
}

fn layout(told: &Told<'_>, problems: &mut Vec<Problem>) -> Option<Layout> {
    let needed = ["code", "title", "row_limit", "name_bytes"];
    problems.extend(needed.iter().filter(|key| !told.has(key)).map(|key| told.missing(key)));
    let row_limit = told.number("row_limit").unwrap_or_default();
    let form = match (told.table("file"), told.table("answer")) {
        (None, None) => None,
        (Some(file), Some(answer)) => Some(definition::form(&file, &answer, row_limit, problems)?),
        (None, _) => {
            problems.push(told.missing("file"));
            None
        }
        (_, None) => {
            problems.push(told.missing("answer"));
            None
        }
    };
    Some(Layout {
        code: told.text("code")?.trim().to_string(),
        title: told.text("title")?.to_string(),
        row_limit,
        name_bytes: told.number("name_bytes")?,
        reasons: reasons(told),
        standard: standard(told, form.is_some(), row_limit, problems),
        form,
    })
}

/// The standard that the layout names, which stands in the place of a form and may limit the rows.
fn standard(told: &Told<'_>, has_form: bool, row_limit: usize, problems: &mut Vec<Problem>) -> Standard {
    let said = told.text("standard").unwrap_or_default();
    let standard = Standard::ALL.into_iter().find(|standard| standard.code() == said).unwrap_or_default();
    if has_form && told.has("standard") {
        problems.push(told.wrong("standard", "写了它就不能再有 [file] 和 [answer]"));
    }
    if row_limit > standard.row_limit() {
        problems.push(told.wrong("row_limit", format!("{said} 最多 {}", standard.row_limit())));
    }
    standard
}

/// Those of the layout, then what banks usually say, where it asks for that.
fn reasons(told: &Told<'_>) -> Vec<Reason> {
    let own = |told: &Told<'_>| -> Vec<Reason> { told.tables("reason").iter().filter_map(reason).collect() };
    let mut reasons = own(told);
    if told.switch("usual_reasons") == Some(true)
        && let Ok(table) = keys::parse(USUAL_REASONS)
    {
        let mut usual = own(&Told::of(USUAL_REASONS, table.get_ref()));
        usual.retain(|usual| reasons.iter().all(|own| own.code != usual.code && own.text != usual.text));
        reasons.extend(usual);
    }
    reasons
}

fn reason(told: &Told<'_>) -> Option<Reason> {
    let class = told.text("class")?;
    Some(Reason {
        code: told.text("code")?.trim().to_string(),
        text: told.text("text")?.to_string(),
        class: ReasonClass::ALL.into_iter().find(|known| known.code() == class)?,
    })
}

fn bank_entry(told: &Told<'_>) -> BankEntry {
    let own = |text: &str| text.trim().to_string();
    let voucher = told.table("voucher");
    let texts = |key: &str| told.texts(key).into_iter().map(|(_, text)| text.to_string()).collect();
    BankEntry {
        code: told.text("code").map(own).unwrap_or_default(),
        name: told.text("name").map(own),
        aliases: told.has("aliases").then(|| texts("aliases")),
        account_lengths: told.numbers("account_lengths"),
        card_check: told.switch("card_check"),
        layout: told.text("layout").map(own),
        values: VALUES
            .into_iter()
            .filter_map(|key| Some((key, own(told.text(key)?))))
            .chain(keys::VOUCHER.iter().filter_map(|key| Some((key.name, own(voucher.as_ref()?.text(key.name)?)))))
            .collect(),
    }
}

/// A code stands once among its like.
fn twice(entries: &[Told<'_>], problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries {
        if let Some(code) = entry.text("code").map(str::trim).filter(|code| !seen.insert(code.to_string())) {
            let problem = format!("{code} 出现两次，应只有一条");
            problems.push(Problem { code: "BANK_CONFIG_TWICE", ..entry.wrong("code", problem) });
        }
    }
}

/// Reads one layout file alone, with the banks that it names in full.
///
/// # Errors
/// All that is wrong in it.
pub fn parse_bank_file(text: &str) -> Result<(Option<Layout>, Vec<Bank>), BankFileError> {
    let Parsed { layout, banks } = parse(text)?;
    let code = layout.as_ref().map_or("", |l| l.code.as_str());
    let banks = banks.into_iter().map(|entry| bank(entry, code, None)).collect::<Result<Vec<_>, _>>()?;
    unambiguous(&banks)?;
    Ok((layout, banks))
}

/// Aliases are kept in the folded form in which `BankBook::find` looks them up; a name that folds
/// to something else (full-width brackets) is an alias of itself. An entry without a name changes
/// the bank that is there.
fn bank(entry: BankEntry, layout: &str, known: Option<&Bank>) -> Result<Bank, BankFileError> {
    let code = entry.code;
    let mut bank = match (entry.name, known) {
        (None, None) => return Err(BankFileError::UnknownBank(code)),
        (None, Some(known)) => known.clone(),
        (Some(name), _) => Bank {
            code,
            name,
            aliases: Vec::new(),
            account_lengths: Vec::new(),
            card_check: false,
            layout: layout.to_string(),
            values: BTreeMap::new(),
        },
    };
    if let Some(aliases) = entry.aliases {
        bank.aliases = aliases.iter().map(|a| folded(a).into_owned()).collect();
    }
    let folded_name = folded(&bank.name).into_owned();
    if folded_name != bank.name && !bank.aliases.contains(&folded_name) {
        bank.aliases.push(folded_name);
    }
    bank.account_lengths = entry.account_lengths.unwrap_or(bank.account_lengths);
    bank.card_check = entry.card_check.unwrap_or(bank.card_check);
    bank.layout = entry.layout.unwrap_or(bank.layout);
    bank.values.extend(entry.values);
    let lacks = |key: &str| {
        let problem = Problem {
            line: 1,
            key: format!("[[bank]] {} {key}", bank.code),
            problem: "为空，应填写".to_string(),
            code: MISSING,
        };
        BankFileError::File(vec![problem])
    };
    if bank.layout.is_empty() {
        return Err(lacks("layout"));
    }
    if bank.aliases.iter().any(String::is_empty) {
        return Err(lacks("aliases"));
    }
    Ok(bank)
}

/// Every bank's layout is there, and has all that it writes. Asked once all files were added.
///
/// # Errors
/// The first bank that lacks something.
pub fn check_whole(book: &BankBook) -> Result<(), BankFileError> {
    for bank in &book.banks {
        let Some(layout) = book.layout(&bank.layout) else {
            let known: Vec<&str> = book.all_layouts().into_iter().map(|l| l.code.as_str()).collect();
            let (bank, layout) = (bank.code.clone(), bank.layout.clone());
            return Err(BankFileError::UnknownLayout { bank, layout, known: known.join("、") });
        };
        let needs = layout.needs_of_bank().into_iter();
        let keys: Vec<&str> = needs.filter(|key| bank.value(key).is_none_or(str::is_empty)).collect();
        if !keys.is_empty() {
            let (bank, layout) = (bank.code.clone(), layout.code.clone());
            return Err(BankFileError::NotSaid { bank, layout, keys: keys.join("、") });
        }
    }
    Ok(())
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

/// The banks and the layouts that come with the program.
///
/// # Errors
/// Never, as a test proves; the caller still need not trust that.
pub fn built_in() -> Result<BankBook, BankFileError> {
    let others = OtherLayouts { codes: || BUILT_IN.map(code_of).to_vec(), read: read_built_in };
    let mut book = BankBook { others: Some(others), ..BankBook::default() };
    // The banks stand in the first.
    add(&mut book, BUILT_IN[0])?;
    Ok(book)
}

/// Code of a built-in layout, without reading all of its text.
fn code_of(text: &'static str) -> &'static str {
    let code = |line: &'static str| line.strip_prefix("code = \"")?.strip_suffix('"');
    text.lines().find_map(code).unwrap_or_default()
}

/// A built-in layout. Each is read once.
fn read_built_in(code: &str) -> Option<&'static Layout> {
    static READ: [OnceLock<Option<Layout>>; BUILT_IN.len()] = [const { OnceLock::new() }; BUILT_IN.len()];
    let at = BUILT_IN.map(code_of).iter().position(|known| *known == code)?;
    READ[at].get_or_init(|| parse(BUILT_IN[at]).ok()?.layout).as_ref()
}

/// Adds a file of the office to the book. A layout of the same code is replaced, and so is a bank; an entry
/// without a name changes only what it says. The book is unchanged when the file is refused.
///
/// # Errors
/// When the file breaks a rule, alone or together with what the book holds.
pub fn add(book: &mut BankBook, text: &str) -> Result<(), BankFileError> {
    let Parsed { layout, banks: entries } = parse(text)?;
    let code = layout.as_ref().map_or("", |l| l.code.as_str()).to_string();
    let banks = entries
        .into_iter()
        .map(|entry| {
            let known = book.banks.iter().find(|b| b.code == entry.code.trim());
            bank(entry, &code, known)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut added = book.clone();
    if let Some(layout) = layout {
        match added.layouts.iter_mut().find(|l| l.code == layout.code) {
            Some(old) => *old = layout,
            None => added.layouts.push(layout),
        }
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
    fn every_built_in_layout_is_found_by_its_code_and_only_the_first_names_banks() {
        let book = built_in().unwrap();
        for (at, text) in BUILT_IN.into_iter().enumerate() {
            let Parsed { layout, banks } = parse(text).unwrap();
            assert_eq!(book.layout(code_of(text)), layout.as_ref());
            assert_eq!(banks.is_empty(), at > 0, "{}", code_of(text));
        }
        assert_eq!(book.layout("nobody"), None);
        let codes: Vec<&str> = book.all_layouts().iter().map(|layout| layout.code.as_str()).collect();
        assert_eq!(codes, BUILT_IN.map(code_of));
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
        assert!(error.to_string().contains("第 5 行 name_byte: 没有这一项，可用: code、title"), "{error}");
        let no_class = "\n[[reason]]\ncode = \"1\"\ntext = \"x\"\nclass = \"closed\"\n";
        let error = parse_bank_file(&format!("{HEAD}{no_class}")).unwrap_err();
        assert!(error.to_string().contains("第 9 行 [[reason]].class: “closed”，应为 name_mismatch、"), "{error}");
        let reason = "\n[[reason]]\ncode = \"1\"\ntext = \"x\"\nclass = \"funds\"\n";
        for (text, code) in [
            (HEAD.replace("= 5", "= 0"), "BANK_CONFIG_FORM"),
            (HEAD.replace("own", " "), "BANK_CONFIG_MISSING"),
            (format!("{HEAD}{reason}{reason}"), "BANK_CONFIG_TWICE"),
            (one_bank("X", ""), "BANK_CONFIG_MISSING"),
            (one_bank("X", "甲").replace("19", "7"), "BANK_CONFIG_FORM"),
            ("code = ".to_string(), "BANK_CONFIG_SYNTAX"),
            (String::new(), "BANK_CONFIG_MISSING"),
        ] {
            assert_eq!(parse_bank_file(&text).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let text = "code = \"own\"\ntitle = 3\nrow_limit = 0\n[file]\ncharset = \"big5\"\nname = \"x\"\nrow = \"{amount}{\"\n\
                    [[bank]]\ncode = \"X\"\nname = \"甲\"\n[[bank]]\ncode = \"X\"\nnick = \"乙\"\n";
        let BankFileError::File(problems) = parse_bank_file(text).unwrap_err() else { panic!() };
        let told: Vec<String> = problems.iter().map(|p| format!("{} {}", p.line, p.key)).collect();
        let expected = [
            "1 name_bytes",
            "1 answer",
            "2 title",
            "3 row_limit",
            "5 file.charset",
            "12 [[bank]].code",
            "13 [[bank]].nick",
        ];
        assert_eq!(told, expected, "{problems:?}");
        let broken = parse_bank_file("code = \ntitle = x\n").unwrap_err();
        assert_eq!(broken.to_string().matches("TOML: ").count(), 2, "{broken}");
    }

    #[test]
    fn a_later_file_replaces_and_a_shared_alias_is_refused_without_a_trace() {
        let mut book = built_in().unwrap();
        add(&mut book, &one_bank("RCC", "农商行")).unwrap();
        assert_eq!((book.banks.len(), book.all_layouts().len()), (5, BUILT_IN.len() + 1));
        assert_eq!(book.find("农商行").unwrap().layout, "own");
        let error = add(&mut book, &one_bank("XYZ", "农 行")).unwrap_err();
        assert!(error.to_string().contains("“农行”同时指 ABC 和 XYZ"), "{error}");
        assert_eq!(book.banks.len(), 5);
        assert_eq!(add(&mut book, &one_bank("XYZ", "abc")).unwrap_err().code(), "BANK_CONFIG_AMBIGUOUS");
    }

    #[test]
    fn an_entry_without_a_name_moves_a_bank_to_another_layout_and_keeps_the_rest() {
        let mut book = built_in().unwrap();
        check_whole(&book).unwrap();
        let entry = "[[bank]]\ncode = \"ICBC\"\nlayout = \"icbc-bpt\"\n";
        add(&mut book, entry).unwrap();
        let bank = book.bank("ICBC").unwrap();
        assert_eq!((bank.layout.as_str(), bank.name.as_str()), ("icbc-bpt", "中国工商银行"));
        assert_eq!(book.find("工行").unwrap().code, "ICBC");
        let error = check_whole(&book).unwrap_err();
        assert_eq!(error.code(), "BANK_CONFIG_NOT_SAID");
        assert!(error.to_string().contains("payer_account"), "{error}");
        add(
            &mut book,
            "[[bank]]\ncode = \"ICBC\"\npayer_account = \"1\"\npayer_name = \"中心\"\npayer_bank = \"工行\"\n",
        )
        .unwrap();
        check_whole(&book).unwrap();
        for (text, code) in [
            ("[[bank]]\ncode = \"NEW\"\n", "BANK_CONFIG_UNKNOWN_BANK"),
            ("[[bank]]\ncode = \"NEW\"\nname = \"新\"\n", "BANK_CONFIG_MISSING"),
            ("[[bank]]\ncode = \"ICBC\"\namount_unit = \"角\"\n", "BANK_CONFIG_FORM"),
            ("[[bank]]\ncode = \"ICBC\"\nname_en = \"x\"\n", "BANK_CONFIG_SYNTAX"),
        ] {
            assert_eq!(add(&mut book, text).unwrap_err().code(), code, "{text}");
        }
        add(&mut book, "[[bank]]\ncode = \"ICBC\"\nlayout = \"icbc\"\n").unwrap();
        assert_eq!(check_whole(&book).unwrap_err().code(), "BANK_CONFIG_UNKNOWN_LAYOUT");
    }

    #[test]
    fn full_width_brackets_in_a_name_are_found() {
        let mut book = BankBook::default();
        add(&mut book, &one_bank("X", "甲").replace("X银行", "银行（和静）")).unwrap();
        assert!(book.find("银行（和静）").is_some() && book.find("银行(和静)").is_some());
    }
}
