//! Rosters (名册): from a table to people, with every fault of every row at once. Whole rows only:
//! what has an error is not in [`Roster::rows`], and nothing is corrected but blanks, width and the
//! separator of names. Whether a roster with faults may be imported is not decided here.

use std::collections::{HashMap, HashSet};

use chrono::{Months, NaiveDate};
use rust_xlsxwriter::{Format, FormatBorder, Workbook};

pub use super::list::REASON_TITLE;
use super::list::{
    Common, IGNORED_TITLES, Line, ListReader, NAME_TITLES, NUMBER_TITLES, Titles, is_cut_month, masked, quoted, shown,
};
use super::table::{Cell, Header, Row, Table, TableWriteError};
use crate::domain::bank::{Bank, BankBook};
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::Account;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};
use crate::domain::person_name::same_name;
use crate::domain::scheme::Scheme;
use crate::domain::text::{fold_width, without_blanks};

/// What a row is judged by.
#[derive(Debug, Clone, Copy)]
pub struct RosterContext<'a> {
    /// The scheme that pays.
    pub scheme: &'a Scheme,
    /// The banks of the office.
    pub banks: &'a BankBook,
    /// Day of the check, for birth dates.
    pub today: NaiveDate,
    /// First month owed, when the file has no such column.
    pub first: Period,
}

/// One person of a roster; every field passed its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Row of the file.
    pub row: usize,
    /// 公民身份号码.
    pub citizen_number: CitizenNumber,
    /// 姓名.
    pub name: String,
    /// Where the money goes.
    pub account: Account,
    /// 户名关系: why the account is another person's; empty when it is not.
    pub holder_relation: String,
    /// 人员类别; empty when the scheme knows only one.
    pub category: String,
    /// First month owed.
    pub first: Period,
    /// Last month owed, `None` while it lasts.
    pub last: Option<Period>,
    /// The person's own monthly amount.
    pub amount: Option<Money>,
    /// Day in the first month, when it was given.
    pub first_day: Option<NaiveDate>,
    /// Last certification.
    pub certified_on: Option<NaiveDate>,
    /// 原工作单位.
    pub former_unit: String,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 联系电话.
    pub phone: String,
    /// 备注.
    pub note: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// People without any error, in the order of the file.
    pub rows: Vec<RosterRow>,
    /// Rows with a person, good or not.
    pub data_rows: usize,
    /// Everything found, in the order of the file.
    pub findings: Vec<RowFinding>,
    /// Row of the titles; 0 when there is none.
    pub header_row: usize,
}

impl Roster {
    /// True when something must be corrected first.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Rows below the titles that have an error.
    #[must_use]
    pub fn rejected_rows(&self) -> usize {
        let errors = self.findings.iter().filter(|f| f.severity == Severity::Error && f.row > self.header_row);
        errors.map(|f| f.row).collect::<HashSet<_>>().len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Number,
    Account,
    Bank,
    Holder,
    Relation,
    Category,
    First,
    Last,
    Standard,
    FormerUnit,
    RetiredOn,
    Phone,
    Note,
    Ignored,
}

/// Titles as they are compared: without blanks, brackets' remarks dropped. The first is ours.
const TITLES: &Titles<Column> = &[
    (Column::Name, NAME_TITLES),
    (Column::Number, NUMBER_TITLES),
    (
        Column::Account,
        &[
            "银行账号",
            "银行帐号",
            "社保卡银行账号",
            "社保卡银行帐号",
            "一卡通账号",
            "一卡通帐号",
            "卡号",
            "银行卡号",
            "账号",
            "帐号",
        ],
    ),
    (Column::Bank, &["开户银行", "开户行", "银行", "银行名称", "发放银行"]),
    (Column::Holder, &["户名", "账户名", "开户名", "账户名称"]),
    (Column::Relation, &["户名关系", "与领取人关系", "账户人关系"]),
    (Column::Category, &["人员类别", "类别"]),
    (Column::First, &["享受起始月", "起始月", "开始月份", "享受起始年月", "起始年月"]),
    (Column::Last, &["享受终止月", "终止月", "终止年月", "享受终止年月", "截止月"]),
    (Column::Standard, &["月标准", "补贴标准", "发放标准", "月发放标准", "标准"]),
    (Column::FormerUnit, &["原工作单位", "单位", "原单位", "工作单位"]),
    (Column::RetiredOn, &["退休日期", "退休时间"]),
    (Column::Phone, &["联系电话", "电话", "手机号"]),
    (Column::Note, &["备注"]),
    (Column::Ignored, IGNORED_TITLES),
];

const COMMON: Common<Column> = Common { name: Column::Name, number: Column::Number, ignored: Column::Ignored };

const REQUIRED: [Column; 4] = [Column::Name, Column::Number, Column::Account, Column::Bank];

fn title(column: Column) -> &'static str {
    TITLES.iter().find(|(c, _)| *c == column).and_then(|(_, names)| names.first()).copied().unwrap_or_default()
}

/// Reads a roster. Every row gets all its checks; the same table gives the same findings.
#[must_use]
pub fn parse_roster(table: &Table, context: &RosterContext) -> Roster {
    let header = Header::find(table, TITLES);
    let mut reader = Reader {
        context,
        list: ListReader::new(TITLES, &header, COMMON, Severity::Error),
        people: HashMap::new(),
        accounts: HashMap::new(),
        standards: Some(Money::ZERO),
    };
    let mut roster = Roster { rows: Vec::new(), data_rows: 0, findings: Vec::new(), header_row: header.row };
    if reader.list.check_header(table, &REQUIRED) {
        for (row, line) in reader.list.lines(table, &[Column::Number, Column::Account]) {
            reader.list.begin(row);
            match line {
                Line::Total(rest) => reader.check_total(row, &rest, roster.data_rows),
                Line::Person { after } => {
                    roster.data_rows += 1;
                    reader.check_order(after);
                    roster.rows.extend(reader.person(row));
                }
            }
        }
        reader.list.check_data(roster.data_rows);
    }
    roster.findings = reader.list.findings;
    roster
}

/// One account's users so far: its first row and person, and the first row without a 户名关系.
struct AccountUse {
    row: usize,
    person: Option<CitizenNumber>,
    unrelated_row: Option<usize>,
}

struct Reader<'a> {
    context: &'a RosterContext<'a>,
    list: ListReader<'a, Column>,
    people: HashMap<CitizenNumber, usize>,
    accounts: HashMap<AccountNumber, AccountUse>,
    /// Sum of the 月标准 column, `None` once an amount in it could not be read.
    standards: Option<Money>,
}

impl<'a> Reader<'a> {
    /// A person below a row of totals is an error: the totals do not hold them.
    fn check_order(&mut self, after: Option<usize>) {
        if let Some(total) = after {
            let found = format!("在第 {total} 行合计之后");
            self.list.report(Severity::Error, None, "ROW_AFTER_TOTAL", found, "合计之前", "移到合计行之前");
        }
    }

    fn check_total(&mut self, row: &Row, rest: &str, data_rows: usize) {
        let name = self.list.cell(row, Column::Name).text();
        let number = self.list.cell(row, Column::Number).text();
        let counts = [(None, rest), (Some(Column::Name), &name), (Some(Column::Number), &number)];
        if let Some((column, count)) = counts.into_iter().find_map(|(c, text)| count_in(text).map(|n| (c, n)))
            && count != data_rows
        {
            let expected = format!("{data_rows} 人");
            let found = format!("合计 {count} 人");
            self.list.report(Severity::Error, column, "TOTAL_DIFFERS", found, &expected, "核对是否漏行或多行");
        }
        let text = match self.list.cell(row, Column::Standard) {
            Cell::Formula(_) | Cell::Empty | Cell::Error(_) => return,
            cell => cell.text(),
        };
        // A formula that went through a reject file comes back as text.
        if let (Ok(total), Some(sum)) = (Money::parse(&text), self.standards)
            && !text.starts_with('=')
            && total != sum
        {
            let expected = format!("各行之和 {}", sum.grouped());
            self.list.fault(Column::Standard, "TOTAL_DIFFERS", total.grouped(), &expected, "核对是否漏行或改动过标准");
        }
    }

    fn person(&mut self, row: &Row) -> Option<RosterRow> {
        let name = self.list.name(row, Column::Name);
        let bank = self.bank(row);
        let citizen_number = self.citizen_number(row, bank);
        let holder_relation = self.list.text(row, Column::Relation).unwrap_or_default();
        let number = self.account(row, bank, citizen_number.as_ref(), !holder_relation.is_empty());
        let holder = self.holder(row, name.as_deref(), !holder_relation.is_empty());
        let category = self.category(row);
        let (first, last) = self.months(row);
        self.check_standard(row, category.as_deref(), first);
        let retired_on = self.retired_on(row, citizen_number.as_ref());
        let [former_unit, phone, note] =
            [Column::FormerUnit, Column::Phone, Column::Note].map(|c| self.list.text(row, c).unwrap_or_default());
        if self.list.failed {
            return None;
        }
        Some(RosterRow {
            row: row.number,
            citizen_number: citizen_number?,
            name: name?,
            account: Account { bank_code: bank?.code.clone(), number: number?, holder: holder? },
            holder_relation,
            category: category?,
            first: first?,
            last,
            amount: None,
            first_day: None,
            certified_on: None,
            former_unit,
            retired_on,
            phone,
            note,
        })
    }

    fn bank(&mut self, row: &Row) -> Option<&'a Bank> {
        let text = self.list.text(row, Column::Bank)?;
        let banks = self.context.banks;
        let bank = banks.find(&text).filter(|_| !text.is_empty());
        if bank.is_none() {
            let found = quoted(&text);
            let names = banks.banks.iter().map(|b| b.name.as_str()).collect::<Vec<_>>().join("、");
            self.list.fault(Column::Bank, "BANK_UNKNOWN", found, &names, "新的写法可加入银行的别名");
        }
        bank
    }

    fn citizen_number(&mut self, row: &Row, bank: Option<&Bank>) -> Option<CitizenNumber> {
        let text = self.list.digits(row, Column::Number, 15)?;
        let number = match CitizenNumber::parse(&text, self.context.today) {
            Ok(number) => number,
            Err(error) => {
                let digits = without_blanks(&fold_width(&text));
                let length = digits.len();
                // A shorter number is more likely a citizen number with digits missing.
                let is_card_length =
                    length == 19 || length > 18 && bank.is_some_and(|b| b.account_lengths.contains(&length));
                if digits.bytes().all(|b| b.is_ascii_digit()) && is_card_length {
                    let found = format!("{} 像银行账号", masked(&digits));
                    let hint = "可能与银行账号列填反，请互换";
                    self.list.fault(Column::Number, "COLUMNS_SWAPPED", found, "18 位公民身份号码", hint);
                } else {
                    self.list.domain_fault(Column::Number, error.code(), &error.to_string());
                }
                return None;
            }
        };
        if let Some(earlier) = self.people.get(&number) {
            let found = format!("{} 与第 {earlier} 行相同", number.masked());
            self.list.fault(Column::Number, "DUPLICATE_PERSON", found, "每人一行", "删除重复的一行");
        } else {
            self.people.insert(number.clone(), row.number);
        }
        Some(number)
    }

    fn account(
        &mut self,
        row: &Row,
        bank: Option<&Bank>,
        person: Option<&CitizenNumber>,
        is_related: bool,
    ) -> Option<AccountNumber> {
        let text = self.list.digits(row, Column::Account, 0)?;
        // Fifteen digits are too easily both a passbook and an old citizen number.
        let even = without_blanks(&fold_width(&text));
        if even.len() == 18 && CitizenNumber::parse(&even, self.context.today).is_ok() {
            let found = format!("{} 是公民身份号码", masked(&even));
            let hint = "可能与公民身份号码列填反，请互换";
            self.list.fault(Column::Account, "COLUMNS_SWAPPED", found, "银行卡号或存折账号", hint);
            return None;
        }
        let account = match AccountNumber::parse(&text, bank.map_or(&[], |b| &b.account_lengths)) {
            Ok(account) => account,
            Err(error) => {
                self.list.domain_fault(Column::Account, error.code(), &error.to_string());
                return None;
            }
        };
        if account.breaks_card_check() {
            let found = format!("{} 不符合银行卡校验位", account.masked());
            let hint = "存折可忽略；银行卡请按卡面核对";
            self.list.report(Severity::Warning, Some(Column::Account), "ACCOUNT_CARD_CHECK", found, "", hint);
        }
        self.check_account_use(&account, person, is_related);
        Some(account)
    }

    fn check_account_use(&mut self, account: &AccountNumber, person: Option<&CitizenNumber>, is_related: bool) {
        let row = self.list.row;
        let Some(earlier) = self.accounts.get_mut(account) else {
            let unrelated_row = (!is_related).then_some(row);
            self.accounts.insert(account.clone(), AccountUse { row, person: person.cloned(), unrelated_row });
            return;
        };
        if person.is_some() && earlier.person.as_ref() == person {
            return; // One person twice is reported as that.
        }
        // The owner of an account has no relation to state; a second such person is a fault.
        let (severity, other) = match earlier.unrelated_row {
            Some(other) if !is_related => (Severity::Error, other),
            _ => (Severity::Warning, earlier.row),
        };
        if !is_related {
            earlier.unrelated_row.get_or_insert(row);
        }
        let found = format!("{} 与第 {other} 行是同一账号", account.masked());
        let hint = "核对账号；确由他人代领的，在“户名关系”列写明关系";
        self.list.report(severity, Some(Column::Account), "DUPLICATE_ACCOUNT", found, "一人一账号", hint);
    }

    fn holder(&mut self, row: &Row, name: Option<&str>, is_related: bool) -> Option<String> {
        if self.list.cell(row, Column::Holder).is_blank() {
            return name.map(ToString::to_string);
        }
        let holder = self.list.name(row, Column::Holder)?;
        if let Some(name) = name
            && !is_related
            && !same_name(&holder, name)
        {
            let found = format!("户名“{holder}”与姓名“{name}”不同");
            let hint = "核对户名；确由他人代领的，在“户名关系”列写明关系";
            self.list.report(Severity::Warning, Some(Column::Holder), "HOLDER_DIFFERS", found, "", hint);
        }
        Some(holder)
    }

    fn category(&mut self, row: &Row) -> Option<String> {
        let known = self.context.scheme.categories();
        if known == [""] {
            return Some(String::new());
        }
        let text = without_blanks(&self.list.text(row, Column::Category)?);
        if known.contains(&text.as_str()) {
            return Some(text);
        }
        let found = quoted(&text);
        self.list.fault(Column::Category, "CATEGORY_UNKNOWN", found, &known.join("、"), "按补贴项目的人员类别填写");
        None
    }

    fn months(&mut self, row: &Row) -> (Option<Period>, Option<Period>) {
        let first = match self.list.header.column(Column::First) {
            None => Some(self.context.first),
            Some(_) => self.month(row, Column::First),
        };
        let last = if self.list.cell(row, Column::Last).is_blank() { None } else { self.month(row, Column::Last) };
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            let expected = format!("不早于享受起始月 {first}");
            self.list.fault(Column::Last, "MONTH_ORDER", last.to_string(), &expected, "");
        }
        (first, last)
    }

    fn month(&mut self, row: &Row, column: Column) -> Option<Period> {
        let text = self.list.text(row, column)?;
        let is_cut = is_cut_month(&text);
        match text.parse() {
            Ok(period) if !is_cut => Some(period),
            _ => {
                let found = quoted(&text);
                let hint = if is_cut { "分不清 1 月和 10 月，请写成 2026-01 或 2026-10" } else { "" };
                self.list.fault(column, "MONTH_INVALID", found, "2026-01 这样的年月", hint);
                None
            }
        }
    }

    fn check_standard(&mut self, row: &Row, category: Option<&str>, first: Option<Period>) {
        if self.list.cell(row, Column::Standard).is_blank() {
            return;
        }
        let text = self.list.text(row, Column::Standard);
        let amount = match text.as_deref().map(Money::parse) {
            Some(Ok(amount)) => amount,
            failed => {
                self.standards = None;
                if let Some(Err(error)) = failed {
                    self.list.fault(Column::Standard, "STANDARD_DIFFERS", error.to_string(), "元，最多两位小数", "");
                }
                return;
            }
        };
        self.standards = self.standards.and_then(|sum| sum.fen().checked_add(amount.fen())).map(Money);
        let (Some(category), Some(first)) = (category, first) else { return };
        let month = first.max(self.context.scheme.first);
        let in_force = self.context.scheme.standard(category, month).map(|s| s.monthly);
        if in_force != Some(amount) {
            let expected = in_force.map_or_else(
                || format!("空（{month} 没有标准）"),
                |standard| format!("{}（{month} 的标准）", standard.grouped()),
            );
            let hint = "标准以补贴项目为准；不一致时先核对人员类别和起始月";
            self.list.fault(Column::Standard, "STANDARD_DIFFERS", amount.grouped(), &expected, hint);
        }
    }

    fn retired_on(&mut self, row: &Row, person: Option<&CitizenNumber>) -> Option<NaiveDate> {
        let limit = self.context.scheme.retired_by;
        let forty_before = limit.and_then(|day| day.checked_sub_months(Months::new(40 * 12)));
        if let (Some(limit), Some(latest), Some(born)) = (limit, forty_before, person.and_then(CitizenNumber::born_on))
            && born > latest
        {
            let found = format!("出生于 {born}，到 {limit} 不满 40 岁");
            let hint = "核对身份号码和退休资格";
            self.list.report(Severity::Warning, Some(Column::Number), "AGE_UNLIKELY", found, "", hint);
        }
        if self.list.cell(row, Column::RetiredOn).is_blank() {
            return None;
        }
        let text = self.list.text(row, Column::RetiredOn)?;
        let Some(date) = parse_date(&text) else {
            let found = format!("“{}”", shown(&text));
            self.list.fault(Column::RetiredOn, "DATE_INVALID", found, "1995-12-31 这样的日期", "");
            return None;
        };
        if let Some(limit) = limit.filter(|limit| date > *limit) {
            let expected = format!("不晚于 {limit}");
            self.list.fault(
                Column::RetiredOn,
                "RETIRED_TOO_LATE",
                date.to_string(),
                &expected,
                "不属于本补贴项目的人员",
            );
        }
        Some(date)
    }
}

/// A count of people: `200`, `200人`, `共200人`, `(200人)`.
fn count_in(text: &str) -> Option<usize> {
    let even = without_blanks(&fold_width(text));
    let even = even.trim_matches(|c| "合总共计:()人数名".contains(c));
    even.bytes().all(|b| b.is_ascii_digit()).then(|| even.parse().ok()).flatten()
}

/// An empty roster to fill in: one line of guidance, the titles, and columns set to text so that
/// no spreadsheet damages a number.
///
/// # Errors
/// When the workbook cannot be made.
pub fn template(scheme: &Scheme) -> Result<Vec<u8>, TableWriteError> {
    let is_needed = |column: Column| match column {
        Column::Ignored | Column::Standard => false,
        Column::Category => scheme.categories() != [""],
        Column::RetiredOn => scheme.retired_by.is_some(),
        _ => true,
    };
    let categories = scheme.categories().join("、");
    let kinds = if is_needed(Column::Category) { format!("；人员类别：{categories}") } else { String::new() };
    let guidance = format!(
        "{}：一人一行，从第 3 行填起；必填：{}、享受起始月（2026-01）；各列均为文本，号码请完整填写{kinds}",
        scheme.name,
        REQUIRED.map(title).join("、"),
    );
    let as_text = Format::new().set_num_format("@");
    let as_title = Format::new().set_bold().set_num_format("@").set_border_bottom(FormatBorder::Thin);
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    page.set_landscape().set_print_fit_to_pages(1, 0);
    page.set_name("名册")?;
    let columns = TITLES.iter().map(|(column, _)| *column).filter(|column| is_needed(*column));
    for (i, column) in (0_u16..).zip(columns) {
        page.set_column_format(i, &as_text)?;
        page.set_column_width(i, if REQUIRED.contains(&column) { 24 } else { 14 })?;
        page.write_string_with_format(1, i, title(column), &as_title)?;
    }
    page.write_string(0, 0, guidance)?;
    page.set_freeze_panes(2, 0)?;
    Ok(book.save_to_buffer()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::bank_account::card_check_digit;
    use crate::domain::citizen_number::check_character;
    use crate::domain::scheme::Standard;
    use crate::formats::table::read_table;

    const HEADER: &str = "姓名,身份证号,一卡通账号,开户行";

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    fn standard(category: &str, from: &str, to: Option<&str>, yuan: i64) -> Standard {
        let to = to.map(|to| to.parse().unwrap());
        Standard {
            category: category.into(),
            from: from.parse().unwrap(),
            to,
            monthly: Money(yuan * 100),
            document: None,
        }
    }

    fn scheme(standards: Vec<Standard>) -> Scheme {
        Scheme { retired_by: Some(day("1995-12-31")), ..Scheme::sample(standards) }
    }

    fn banks() -> BankBook {
        let bank = |code: &str, name: &str, aliases: &[&str], lengths: &[usize]| Bank {
            code: code.into(),
            name: name.into(),
            aliases: aliases.iter().map(ToString::to_string).collect(),
            account_lengths: lengths.to_vec(),
            layout: "neutral".into(),
        };
        BankBook {
            banks: vec![
                bank("RCC", "和静县农村信用合作联社", &["信用社"], &[16, 19]),
                bank("BOC", "中国银行", &[], &[12, 19]),
            ],
            layouts: Vec::new(),
        }
    }

    fn citizen(serial: u32) -> String {
        let body = format!("65282719400501{serial:03}");
        format!("{body}{}", check_character(&body))
    }

    fn card(serial: u32) -> String {
        let body = format!("621700001111222{serial:03}");
        format!("{body}{}", card_check_digit(&body))
    }

    fn read_by(scheme: &Scheme, bytes: &[u8]) -> Roster {
        let table = read_table("名册.csv", bytes, None).unwrap();
        let first = "2026-03".parse().unwrap();
        parse_roster(&table, &RosterContext { scheme, banks: &banks(), today: day("2026-01-15"), first })
    }

    fn read(text: &str) -> Roster {
        read_by(&scheme(vec![standard("", "2026-01", None, 120)]), text.as_bytes())
    }

    /// `row code` of everything but notices, in order.
    fn codes(roster: &Roster) -> Vec<String> {
        let told = roster.findings.iter().filter(|f| f.severity > Severity::Notice);
        told.map(|f| format!("{} {}", f.row, f.code)).collect()
    }

    /// The findings of one row with these four cells.
    fn one(name: &str, number: &str, account: &str, bank: &str) -> Vec<String> {
        codes(&read(&format!("{HEADER}\n{name},{number},{account},{bank}\n")))
    }

    #[test]
    fn a_clean_roster_is_read_whole() {
        let roster = read(&format!(
            "和静县发放名册,,\n单位：元\n序号,*姓 名,户名,公民身份号码(身份证号),备注,银行帐号,开户银行,享受起始月,享受终止月,\
             月标准（元）,退休日期,户口\n1,阿依古丽•买买提,,{},补发,{},信用社,202602,2026年6月,120,1995/12/31,城镇\n,,,,,,,,,,,\n\
             2,李四,王五,{},,{},boc,2026-02,,120.00,,\n合计,2人,,,,,,,,240,,\n制表：张三,,,审核：李四,日期：2026-01-05,\n",
            citizen(1),
            card(1),
            citizen(2),
            card(2)
        ));
        assert_eq!(codes(&roster), ["6 HOLDER_DIFFERS"]);
        assert_eq!((roster.header_row, roster.data_rows, roster.rejected_rows()), (3, 2, 0));
        let notices: Vec<_> = roster.findings.iter().filter(|f| f.severity == Severity::Notice).collect();
        assert_eq!(notices.iter().map(|f| f.code).collect::<Vec<_>>(), ["COLUMN_UNKNOWN", "NAME_NORMALISED"]);
        let first = &roster.rows[0];
        assert_eq!((first.row, first.name.as_str(), first.note.as_str()), (4, "阿依古丽·买买提", "补发"));
        assert_eq!(first.account.holder, "阿依古丽·买买提");
        assert_eq!(first.account.bank_code, "RCC");
        assert_eq!((first.first.number(), first.last.map(Period::number)), (202_602, Some(202_606)));
        assert_eq!(roster.rows[1].account.holder, "王五");
        assert_eq!(roster.rows[1].last, None);
    }

    #[test]
    fn each_fault_has_its_code() {
        let (id, account) = (&citizen(1), &card(1));
        let no_luhn = format!("{}{}", &account[..18], if account.ends_with('0') { '1' } else { '0' });
        for (name, number, account, bank, expected) in [
            ("王", id.as_str(), account.as_str(), "农行", "2 BANK_UNKNOWN"),
            ("王", id, account, "", "2 BANK_UNKNOWN"),
            ("", id, account, "RCC", "2 NAME_MISSING"),
            ("王5", id, account, "RCC", "2 NAME_NOT_A_NAME"),
            ("王", "", account, "RCC", "2 CITIZEN_NUMBER_MISSING"),
            ("王", "652827194005010016", account, "RCC", "2 CITIZEN_NUMBER_CHECK_DIGIT"),
            ("王", "6.52827E+17", account, "RCC", "2 SCIENTIFIC_NOTATION"),
            ("王", "=A1", account, "RCC", "2 FORMULA_CELL"),
            ("王", id, "621700001111222233", "RCC", "2 ACCOUNT_LENGTH"),
            ("王", id, "6.217E18", "RCC", "2 SCIENTIFIC_NOTATION"),
            ("王", id, "6217A0001111222233", "RCC", "2 ACCOUNT_CHARACTER"),
            ("王", id, &no_luhn, "RCC", "2 ACCOUNT_CARD_CHECK"),
            ("王", id, "123456789012", "中国银行", ""),
        ] {
            assert_eq!(one(name, number, account, bank).join("|"), expected, "{name} {number} {account} {bank}");
        }
        assert_eq!(one("王", account, id, "RCC"), ["2 COLUMNS_SWAPPED", "2 COLUMNS_SWAPPED"]);
        assert_eq!(
            one("", "65", "x", "?"),
            ["2 NAME_MISSING", "2 BANK_UNKNOWN", "2 CITIZEN_NUMBER_LENGTH", "2 ACCOUNT_CHARACTER"],
            "all faults of a row at once"
        );
    }

    #[test]
    fn months_standards_and_dates_are_judged() {
        let header = format!("{HEADER},起始月,终止月,标准,退休时间");
        let base = format!("王,{},{},RCC", citizen(1), card(1));
        for (rest, expected) in [
            ("2026-01,,120,", ""),
            ("2020-01,,120,", ""),
            (",,,", "2 MONTH_INVALID"),
            ("2026.1,,,", "2 MONTH_INVALID"),
            ("2026.10,2026-09,,", "2 MONTH_ORDER"),
            ("2026-01,13月,,", "2 MONTH_INVALID"),
            ("2026-01,,100,", "2 STANDARD_DIFFERS"),
            ("2026-01,,一百,", "2 STANDARD_DIFFERS"),
            ("2026-01,,=60*2,", "2 FORMULA_CELL"),
            ("2026-01,,,1996-01-01", "2 RETIRED_TOO_LATE"),
            ("2026-01,,,1995", "2 DATE_INVALID"),
        ] {
            assert_eq!(codes(&read(&format!("{header}\n{base},{rest}\n"))).join("|"), expected, "{rest}");
        }
        let body = "65282719600501001";
        let young = format!("{body}{}", check_character(body));
        assert_eq!(one("王", &young, &card(1), "RCC"), ["2 AGE_UNLIKELY"]);
    }

    #[test]
    fn categories_choose_the_standard() {
        let scheme = scheme(vec![
            standard("甲", "2026-01", Some("2026-06"), 100),
            standard("甲", "2026-07", None, 110),
            standard("乙", "2026-01", None, 80),
        ]);
        let header = "姓名,身份证号,一卡通账号,开户行,类别,起始月,月标准";
        for (rest, expected) in [
            ("甲,2026-01,100", ""),
            ("甲,2026-07,100", "2 STANDARD_DIFFERS"),
            ("乙,2025-01,80", ""),
            ("丙,2026-01,80", "2 CATEGORY_UNKNOWN"),
            (",2026-01,80", "2 CATEGORY_UNKNOWN"),
        ] {
            let text = format!("{header}\n王,{},{},RCC,{rest}\n", citizen(1), card(1));
            assert_eq!(codes(&read_by(&scheme, text.as_bytes())).join("|"), expected, "{rest}");
        }
        let single = read(&format!("{header}\n王,{},{},RCC,随便,2026-01,120\n", citizen(1), card(1)));
        assert_eq!(single.rows[0].category, "");
    }

    #[test]
    fn one_person_twice_and_one_account_for_two() {
        let old_form = format!("652827{}", &citizen(1)[8..17]);
        let roster = read(&format!(
            "{HEADER},户名关系\n王,{},{1},RCC\n王,{old_form},{1},RCC\n李,{2},{1},RCC\n赵,{3},{1},RCC,夫妻\n",
            citizen(1),
            card(1),
            citizen(2),
            citizen(3)
        ));
        assert_eq!(codes(&roster), ["3 DUPLICATE_PERSON", "4 DUPLICATE_ACCOUNT", "5 DUPLICATE_ACCOUNT"]);
        assert_eq!(roster.findings[0].found, "652827********001".to_string() + &citizen(1)[17..] + " 与第 2 行相同");
        assert_eq!(roster.rows.iter().map(|r| r.row).collect::<Vec<_>>(), [2, 5]);
        assert_eq!((roster.data_rows, roster.rejected_rows()), (4, 2));
    }

    #[test]
    fn totals_must_agree_and_end_the_roster() {
        let row = |i: u32| format!("{i},王,{},{},RCC,120\n", citizen(i), card(i));
        let read_with = |tail: &str| {
            let header = format!("序号,{HEADER},月标准\n");
            codes(&read(&[header, row(1), row(2), tail.to_string()].concat())).join("|")
        };
        for (tail, expected) in [
            ("合计,,,,,240", ""),
            ("合 计：共2人,,,,,=SUM(F2:F3)", ""),
            ("3,合计,2,,,240.00", ""),
            ("总计,3人,,,,", "4 TOTAL_DIFFERS"),
            ("合计3人,,,,,241", "4 TOTAL_DIFFERS|4 TOTAL_DIFFERS"),
            ("小计,,,,,240\n合计,,,,,240\n制表人,张三,审核：李四,电话13999999999,2026-01-05", ""),
        ] {
            assert_eq!(read_with(tail), expected, "{tail}");
        }
        assert_eq!(read_with(&format!("合计\n{}", row(3))), "5 ROW_AFTER_TOTAL");
    }

    #[test]
    fn a_header_that_does_not_fit_is_one_error() {
        let roster = read("姓名,身份证号,金额\n王,1,2\n");
        assert_eq!(codes(&roster), ["1 COLUMN_MISSING"]);
        assert!(roster.findings[0].hint.contains("银行账号、开户银行"), "{}", roster.findings[0].sentence());
        assert_eq!(codes(&read(&format!("王,{}\n", citizen(1)))), ["0 COLUMN_MISSING"]);
        assert_eq!(codes(&read(&format!("{HEADER},账号\n王,{},{},RCC\n", citizen(1), card(1)))), ["1 COLUMN_TWICE"]);
        let roster = read(&format!("{HEADER}\n"));
        assert_eq!((codes(&roster), roster.has_errors()), (vec!["1 NO_DATA".to_string()], true));
    }

    #[test]
    fn numbers_in_number_cells_are_never_believed() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        for (i, title) in (0_u16..).zip(HEADER.split(',')) {
            page.write_string(4, i, title).unwrap();
        }
        page.write_string(5, 0, "王").unwrap();
        page.write_number(5, 1, 652_827_194_005_010_017_f64).unwrap();
        page.write_number(5, 2, 123_456_789_012_f64).unwrap();
        page.write_string(5, 3, "BOC").unwrap();
        page.write_string(6, 0, "李").unwrap();
        page.write_formula(6, 1, "=VLOOKUP(A7,B:C,2)").unwrap();
        page.write_string(6, 2, card(2)).unwrap();
        page.write_string(6, 3, "BOC").unwrap();
        let bytes = book.save_to_buffer().unwrap();
        let roster = read_by(&scheme(vec![standard("", "2026-01", None, 120)]), &bytes);
        assert_eq!(codes(&roster), ["6 NUMERIC_CELL", "6 NUMERIC_CELL", "7 FORMULA_CELL"]);
        assert_eq!(
            codes(&read(&format!("{HEADER}\n王,{},6217000011112220000,RCC\n", citizen(1))))[0],
            "2 NUMERIC_CELL"
        );
    }

    #[test]
    fn no_message_shows_a_whole_number() {
        let roster = read(&format!(
            "{HEADER},备注\n{0},{1},{0},{0}\n王,{0},{1},{0}\n李,=\"x\"&{0},6.21700001111E+18,{1}\n",
            citizen(1),
            card(1)
        ));
        for finding in &roster.findings {
            let text = finding.sentence();
            let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            assert!(longest < Some(9), "{text}");
        }
    }

    #[test]
    fn the_template_is_a_roster_without_people() {
        let scheme = scheme(vec![standard("甲", "2026-01", None, 100), standard("乙", "2026-01", None, 80)]);
        let roster = read_by(&scheme, &template(&scheme).unwrap());
        assert_eq!((roster.header_row, codes(&roster)), (2, vec!["2 NO_DATA".to_string()]));
        assert_eq!(roster.findings.len(), 1, "every title is known");
    }

    proptest! {
        #[test]
        fn any_table_has_an_answer(cells in proptest::collection::vec("\\PC{0,12}|合计[0-9]{0,3}|[0-9]{15,19}|=.{0,3}", 0..40)) {
            let lines: Vec<String> = cells.chunks(5).map(|row| row.join(",")).collect();
            let text = format!("{HEADER},月标准\n{}", lines.join("\n"));
            if let Ok(table) = read_table("x", text.as_bytes(), None) {
                let scheme = scheme(vec![standard("", "2026-01", None, 120)]);
                let first = "2026-03".parse().unwrap();
                let banks = banks();
                let roster = parse_roster(&table, &RosterContext { scheme: &scheme, banks: &banks, today: day("2026-01-15"), first });
                prop_assert_eq!(roster.rows.len() <= roster.data_rows, true);
            }
        }
    }
}
