//! Rosters (名册): from a table to people, with every fault of every row at once. Whole rows only:
//! what has an error is not in [`Roster::rows`], and nothing is corrected but blanks, width and the
//! separator of names. Whether a roster with faults may be imported is not decided here.

mod columns;
mod template;

use std::collections::{HashMap, HashSet};

use chrono::{Months, NaiveDate};

pub use self::columns::REASON_TITLE;
use self::columns::{Column, required, title, titles};
pub use self::template::template;
use super::table::{Cell, Header, Row, Table, total_word};
use crate::domain::bank::{Bank, BankBook};
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::Account;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};
use crate::domain::person_name::{PersonName, same_name};
use crate::domain::scheme::{AmountRule, Payees, Scheme, StartMonth};
use crate::domain::text::{fold_width, mask_middle, without_blanks};

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

/// One person or unit of a roster; every field passed its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Row of the file.
    pub row: usize,
    /// 公民身份号码, of a unit 统一社会信用代码.
    pub citizen_number: CitizenNumber,
    /// 姓名.
    pub name: String,
    /// Where the money goes.
    pub account: Account,
    /// 户名关系: why the account is another person's; empty when it is not.
    pub holder_relation: String,
    /// 人员类别; empty when the scheme knows only one, any text where amounts are individual.
    pub category: String,
    /// The person's own monthly amount, above nothing; only in schemes of individual amounts.
    pub amount: Option<Money>,
    /// First month owed.
    pub first: Period,
    /// The day on which the entitlement begins, where 享受起始月 holds a whole date.
    pub first_day: Option<NaiveDate>,
    /// Last month owed, `None` while it lasts.
    pub last: Option<Period>,
    /// 原工作单位.
    pub former_unit: String,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 最近认证日期; only in schemes with certification.
    pub certified_on: Option<NaiveDate>,
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

/// Reads a roster. Every row gets all its checks; the same table gives the same findings.
#[must_use]
pub fn parse_roster(table: &Table, context: &RosterContext) -> Roster {
    let titles = titles(context.scheme);
    let header = Header::find(table, &titles);
    let mut reader = Reader {
        context,
        titles: &titles,
        header: &header,
        findings: Vec::new(),
        row: 0,
        failed: false,
        people: HashMap::new(),
        accounts: HashMap::new(),
        monthly_sum: Some(Money::ZERO),
    };
    let mut roster = Roster { rows: Vec::new(), data_rows: 0, findings: Vec::new(), header_row: header.row };
    if reader.check_header(table) {
        let mut total_row = None;
        for row in table.rows.iter().filter(|row| row.number > header.row) {
            reader.row = row.number;
            reader.failed = false;
            if let Some(rest) = reader.total(row) {
                reader.check_total(row, &rest, roster.data_rows);
                total_row = Some(row.number);
            } else if reader.is_blank(row) || total_row.is_some() && !reader.has_numbers(row) {
                // Nothing, or a line of signatures below the total.
            } else {
                roster.data_rows += 1;
                if let Some(total) = total_row {
                    reader.error(
                        None,
                        "ROW_AFTER_TOTAL",
                        format!("在第 {total} 行合计之后"),
                        "合计之前",
                        "移到合计行之前",
                    );
                }
                roster.rows.extend(reader.person(row));
            }
        }
        if roster.data_rows == 0 {
            reader.row = header.row;
            reader.error(None, "NO_DATA", "表头之下没有人员".into(), "一行一个领取人", "");
        }
    }
    roster.findings = reader.findings;
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
    titles: &'a [(Column, &'static [&'static str])],
    header: &'a Header<Column>,
    findings: Vec<RowFinding>,
    row: usize,
    failed: bool,
    people: HashMap<CitizenNumber, usize>,
    accounts: HashMap<AccountNumber, AccountUse>,
    /// Sum of the column of monthly amounts, `None` once one of them could not be read.
    monthly_sum: Option<Money>,
}

impl<'a> Reader<'a> {
    fn report(
        &mut self,
        severity: Severity,
        column: Option<Column>,
        code: &'static str,
        found: String,
        expected: &str,
        hint: &str,
    ) {
        self.failed |= severity == Severity::Error;
        let column = column.map_or("", |c| self.header.column(c).map_or(self.title(c), |(_, title)| title));
        self.findings.push(RowFinding {
            row: self.row,
            column: column.to_string(),
            code,
            found,
            expected: expected.to_string(),
            severity,
            hint: hint.to_string(),
        });
    }

    fn title(&self, column: Column) -> &'static str {
        title(self.titles, column)
    }

    fn error(&mut self, column: Option<Column>, code: &'static str, found: String, expected: &str, hint: &str) {
        self.report(Severity::Error, column, code, found, expected, hint);
    }

    /// An error in the words of the domain: `18 位，应为 16 或 19 位`.
    fn domain_error(&mut self, column: Column, code: &'static str, words: &str) {
        let (found, expected) = words.split_once("，应为 ").unwrap_or((words, ""));
        self.error(Some(column), code, found.to_string(), expected, "");
    }

    /// Judges the titles; false when no row can be read by them.
    fn check_header(&mut self, table: &Table) -> bool {
        self.row = self.header.row;
        let required = required(self.context.scheme);
        let words = |columns: &[Column]| columns.iter().map(|c| self.title(*c)).collect::<Vec<_>>().join("、");
        let missing: Vec<Column> = required.iter().copied().filter(|c| self.header.column(*c).is_none()).collect();
        if !missing.is_empty() {
            let titles: Vec<String> = if self.header.row > 0 {
                self.header.known.iter().map(|(_, _, title)| title).chain(&self.header.unknown).cloned().collect()
            } else {
                let first = table.rows.iter().find(|row| !row.cells.is_empty());
                first.map(|row| row.cells.iter().map(Cell::text).collect()).unwrap_or_default()
            };
            let found: Vec<String> = titles.iter().take(30).map(|text| shown(text)).collect();
            let hint = format!("缺少列：{}；列名写在前 30 行内的同一行，顺序不限", words(&missing));
            let expected = words(&required);
            self.error(None, "COLUMN_MISSING", format!("列 {}", found.join("、")), &expected, &hint);
            return false;
        }
        let known = &self.header.known;
        for (i, (column, _, title)) in known.iter().enumerate().filter(|(_, (c, _, _))| *c != Column::Ignored) {
            if let Some((_, _, earlier)) = known[..i].iter().find(|(c, _, _)| c == column) {
                let found = format!("“{earlier}”和“{title}”是同一列");
                self.error(Some(*column), "COLUMN_TWICE", found, "一列", "删除其中一列");
            }
        }
        for title in &self.header.unknown {
            let found = format!("列“{}”不在名册格式中，未读取", shown(title));
            self.report(Severity::Notice, None, "COLUMN_UNKNOWN", found, "", "");
        }
        true
    }

    fn cell<'r>(&self, row: &'r Row, column: Column) -> &'r Cell {
        self.header.column(column).map_or(&Cell::Empty, |(i, _)| row.cell(i))
    }

    /// What stands behind the word of a row of totals; `None` for any other row.
    fn total(&self, row: &Row) -> Option<String> {
        let in_name = || without_blanks(&self.cell(row, Column::Name).text()).contains("合计").then(String::new);
        total_word(row).or_else(in_name)
    }

    /// True when there is nothing but a row number or an old reason.
    fn is_blank(&self, row: &Row) -> bool {
        let is_ignored = |i| self.header.known.iter().any(|(c, column, _)| *column == i && *c == Column::Ignored);
        row.cells.iter().enumerate().all(|(i, cell)| cell.is_blank() || is_ignored(i))
    }

    /// True when a citizen or account number seems to be there; dates and phone numbers of the
    /// signature lines are shorter or have a word before them.
    fn has_numbers(&self, row: &Row) -> bool {
        [Column::Number, Column::Account].into_iter().any(|column| match self.cell(row, column) {
            Cell::Number(_) | Cell::Formula(_) => true,
            cell => {
                let text = without_blanks(&fold_width(&cell.text()));
                text.starts_with(|c: char| c.is_ascii_alphanumeric()) && digits_in(&text) >= 10
            }
        })
    }

    fn check_total(&mut self, row: &Row, rest: &str, data_rows: usize) {
        let name = self.cell(row, Column::Name).text();
        let number = self.cell(row, Column::Number).text();
        let counts = [(None, rest), (Some(Column::Name), &name), (Some(Column::Number), &number)];
        if let Some((column, count)) = counts.into_iter().find_map(|(c, text)| count_in(text).map(|n| (c, n)))
            && count != data_rows
        {
            let expected = format!("{data_rows} 人");
            self.error(column, "TOTAL_DIFFERS", format!("合计 {count} 人"), &expected, "核对是否漏行或多行");
        }
        let text = match self.cell(row, Column::Monthly) {
            Cell::Formula(_) | Cell::Empty | Cell::Error(_) => return,
            cell => cell.text(),
        };
        // A formula that went through a reject file comes back as text.
        if let (Ok(total), Some(sum)) = (Money::parse(&text), self.monthly_sum)
            && !text.starts_with('=')
            && total != sum
        {
            let expected = format!("各行之和 {}", sum.grouped());
            self.error(Some(Column::Monthly), "TOTAL_DIFFERS", total.grouped(), &expected, "核对是否漏行或改动过金额");
        }
    }

    /// Text of a cell; `None` when it cannot be trusted, which is then reported.
    fn text(&mut self, row: &Row, column: Column) -> Option<String> {
        match self.cell(row, column) {
            Cell::Formula(formula) => {
                let found = format!("公式 {}", shown(&format!("={formula}")));
                self.error(Some(column), "FORMULA_CELL", found, "数值或文字", "复制后“选择性粘贴为数值”");
                None
            }
            Cell::Error(error) => {
                self.error(Some(column), "CELL_ERROR", error.clone(), "数值或文字", "改正该单元格的计算错误");
                None
            }
            cell => Some(cell.text().trim().to_string()),
        }
    }

    /// Text of a citizen or account number: a number cell may have lost digits.
    fn digits(&mut self, row: &Row, column: Column, trusted_below: usize) -> Option<String> {
        let text = self.text(row, column)?;
        let even = without_blanks(&fold_width(&text));
        if matches!(self.cell(row, column), Cell::Number(_)) && digits_in(&even) >= trusted_below {
            let found = format!("数值单元格 {}", masked(&even));
            let hint = "表格软件只保留 15 位数字并去掉前导零；把该列设为文本后，按原件重新填写";
            self.error(Some(column), "NUMERIC_CELL", found, "文本单元格", hint);
            return None;
        }
        // A credit code of digits and one E is no number.
        let is_code = self.is_of_units() && even.len() == 18;
        if is_scientific(&even) && !is_code {
            let hint = "末位数字已丢失；把该列设为文本后，按原件重新填写";
            self.error(Some(column), "SCIENTIFIC_NOTATION", format!("科学计数法 {}", masked(&even)), "全部数字", hint);
            return None;
        }
        if even.len() >= 18 && even.bytes().all(|b| b.is_ascii_digit()) && even[15..].bytes().all(|b| b == b'0') {
            let hint = "可能被表格软件截去末位数字，请按原件核对";
            let found = format!("{} 第 16 位起全为 0", masked(&even));
            self.report(Severity::Warning, Some(column), "NUMERIC_CELL", found, "", hint);
        }
        Some(text)
    }

    fn is_of_units(&self) -> bool {
        self.context.scheme.payees == Payees::Units
    }

    fn person(&mut self, row: &Row) -> Option<RosterRow> {
        let name = self.name(row, Column::Name);
        let bank = self.bank(row);
        let citizen_number = self.citizen_number(row, bank);
        let holder_relation = self.text(row, Column::Relation).unwrap_or_default();
        let number = self.account(row, bank, citizen_number.as_ref(), !holder_relation.is_empty());
        let holder = self.holder(row, name.as_deref(), !holder_relation.is_empty());
        let category = self.category(row);
        let (first_day, first, last) = self.months(row);
        let amount = self.monthly(row);
        if self.is_individual() {
            self.check_amount(row, amount);
        } else {
            self.check_standard(amount, category.as_deref(), first);
        }
        let retired_on = self.retired_on(row, citizen_number.as_ref());
        let certified_on = self.certified_on(row);
        let [former_unit, phone, note] =
            [Column::FormerUnit, Column::Phone, Column::Note].map(|c| self.text(row, c).unwrap_or_default());
        if self.failed {
            return None;
        }
        Some(RosterRow {
            row: row.number,
            citizen_number: citizen_number?,
            name: name?,
            account: Account { bank_code: bank?.code.clone(), number: number?, holder: holder? },
            holder_relation,
            category: category?,
            amount: amount.filter(|_| self.is_individual()),
            first: first?,
            first_day,
            last,
            former_unit,
            retired_on,
            certified_on,
            phone,
            note,
        })
    }

    fn name(&mut self, row: &Row, column: Column) -> Option<String> {
        let text = self.text(row, column)?;
        match PersonName::parse_for(self.context.scheme.payees, &text) {
            Ok(name) => {
                if name.was_normalised {
                    let found = format!("“{text}”已规范为“{}”", name.name);
                    self.report(Severity::Notice, Some(column), "NAME_NORMALISED", found, "", "");
                }
                Some(name.name)
            }
            Err(error) => {
                self.domain_error(column, error.code(), &error.to_string());
                None
            }
        }
    }

    fn bank(&mut self, row: &Row) -> Option<&'a Bank> {
        let text = self.text(row, Column::Bank)?;
        let banks = self.context.banks;
        let bank = banks.find(&text).filter(|_| !text.is_empty());
        if bank.is_none() {
            let found = if text.is_empty() { "为空".to_string() } else { format!("“{}”", shown(&text)) };
            let names = banks.banks.iter().map(|b| b.name.as_str()).collect::<Vec<_>>().join("、");
            self.error(Some(Column::Bank), "BANK_UNKNOWN", found, &names, "新的写法可加入银行的别名");
        }
        bank
    }

    fn citizen_number(&mut self, row: &Row, bank: Option<&Bank>) -> Option<CitizenNumber> {
        let text = self.digits(row, Column::Number, 15)?;
        let number = match CitizenNumber::parse_for(self.context.scheme.payees, &text, self.context.today) {
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
                    let expected = format!("18 位{}", self.title(Column::Number));
                    self.error(Some(Column::Number), "COLUMNS_SWAPPED", found, &expected, hint);
                } else {
                    self.domain_error(Column::Number, error.code(), &error.to_string());
                }
                return None;
            }
        };
        if let Some(earlier) = self.people.get(&number) {
            let found = format!("{} 与第 {earlier} 行相同", number.masked());
            self.error(Some(Column::Number), "DUPLICATE_PERSON", found, "每个领取人一行", "删除重复的一行");
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
        let text = self.digits(row, Column::Account, 0)?;
        // Fifteen digits are too easily both a passbook and an old citizen number.
        let even = without_blanks(&fold_width(&text));
        // Any account may be a credit code by accident, if it has no letter.
        let could_be_number = even.len() == 18 && !(self.is_of_units() && digits_in(&even) == 18);
        if could_be_number && CitizenNumber::parse_for(self.context.scheme.payees, &even, self.context.today).is_ok() {
            let number = self.title(Column::Number);
            let found = format!("{} 是{number}", masked(&even));
            let hint = format!("可能与{number}列填反，请互换");
            self.error(Some(Column::Account), "COLUMNS_SWAPPED", found, "银行账号", &hint);
            return None;
        }
        let account = match AccountNumber::parse(&text, bank.map_or(&[], |b| &b.account_lengths)) {
            Ok(account) => account,
            Err(error) => {
                self.domain_error(Column::Account, error.code(), &error.to_string());
                return None;
            }
        };
        if account.breaks_card_check() {
            let found = format!("{} 不符合银行卡校验位", account.masked());
            let hint = "存折可忽略；银行卡请按卡面核对";
            self.report(Severity::Warning, Some(Column::Account), "ACCOUNT_CARD_CHECK", found, "", hint);
        }
        self.check_account_use(&account, person, is_related);
        Some(account)
    }

    fn check_account_use(&mut self, account: &AccountNumber, person: Option<&CitizenNumber>, is_related: bool) {
        let row = self.row;
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
        self.report(severity, Some(Column::Account), "DUPLICATE_ACCOUNT", found, "一人一账号", hint);
    }

    fn holder(&mut self, row: &Row, name: Option<&str>, is_related: bool) -> Option<String> {
        if self.cell(row, Column::Holder).is_blank() {
            return name.map(ToString::to_string);
        }
        let holder = self.name(row, Column::Holder)?;
        if let Some(name) = name
            && !is_related
            && !same_name(&holder, name)
        {
            let found = format!("户名“{holder}”与姓名“{name}”不同");
            let hint = "核对户名；确由他人代领的，在“户名关系”列写明关系";
            self.report(Severity::Warning, Some(Column::Holder), "HOLDER_DIFFERS", found, "", hint);
        }
        Some(holder)
    }

    fn category(&mut self, row: &Row) -> Option<String> {
        let known = self.context.scheme.categories();
        if known == [""] {
            return Some(String::new());
        }
        if self.is_individual() {
            return self.text(row, Column::Category);
        }
        let text = without_blanks(&self.text(row, Column::Category)?);
        if known.contains(&text.as_str()) {
            return Some(text);
        }
        let found = if text.is_empty() { "为空".to_string() } else { format!("“{}”", shown(&text)) };
        self.error(Some(Column::Category), "CATEGORY_UNKNOWN", found, &known.join("、"), "按补贴项目的人员类别填写");
        None
    }

    /// First day where one is given, first month, last month.
    fn months(&mut self, row: &Row) -> (Option<NaiveDate>, Option<Period>, Option<Period>) {
        let (first_day, first) = match self.header.column(Column::First) {
            None => (None, Some(self.context.first)),
            Some(_) => self.first(row),
        };
        let last = if self.cell(row, Column::Last).is_blank() { None } else { self.month(row, Column::Last) };
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            let expected = format!("不早于享受起始月 {first}");
            self.error(Some(Column::Last), "MONTH_ORDER", last.to_string(), &expected, "");
        }
        (first_day, first, last)
    }

    /// A month is the first one owed; a day is that of the entitlement, which may be owed from the next month.
    fn first(&mut self, row: &Row) -> (Option<NaiveDate>, Option<Period>) {
        let Some(month) = self.month(row, Column::First) else { return (None, None) };
        let day = parse_date(&self.cell(row, Column::First).text());
        if let Some(day) = day
            && self.context.scheme.start_month == StartMonth::Next
        {
            let found = format!("{day}，本项目次月起发，首月为 {}", month.next());
            let hint = format!("首个发放月就是 {month} 的，以文本填写 {month}");
            self.report(Severity::Notice, Some(Column::First), "FIRST_IS_NEXT_MONTH", found, "", &hint);
            return (Some(day), Some(month.next()));
        }
        (day, Some(month))
    }

    fn month(&mut self, row: &Row, column: Column) -> Option<Period> {
        let text = self.text(row, column)?;
        // A spreadsheet turns 2026.10 into 2026.1: nobody can tell January from October.
        let is_cut = text.len() == 6 && text.ends_with(".1");
        match text.parse() {
            Ok(period) if !is_cut => Some(period),
            _ => {
                let found = if text.is_empty() { "为空".to_string() } else { format!("“{}”", shown(&text)) };
                let hint = if is_cut { "分不清 1 月和 10 月，请写成 2026-01 或 2026-10" } else { "" };
                self.error(Some(column), "MONTH_INVALID", found, "2026-01 这样的年月", hint);
                None
            }
        }
    }

    fn is_individual(&self) -> bool {
        self.context.scheme.amount == AmountRule::Individual
    }

    /// What stands in the column of monthly amounts, added to its sum.
    fn monthly(&mut self, row: &Row) -> Option<Money> {
        if self.cell(row, Column::Monthly).is_blank() {
            return None;
        }
        let text = self.text(row, Column::Monthly);
        match text.as_deref().map(Money::parse) {
            Some(Ok(amount)) => {
                self.monthly_sum = self.monthly_sum.and_then(|sum| sum.fen().checked_add(amount.fen())).map(Money);
                Some(amount)
            }
            failed => {
                self.monthly_sum = None;
                if let Some(Err(error)) = failed {
                    let code = if self.is_individual() { "AMOUNT_INVALID" } else { "STANDARD_DIFFERS" };
                    self.error(Some(Column::Monthly), code, error.to_string(), "元，最多两位小数", "");
                }
                None
            }
        }
    }

    /// An own amount is there, above nothing and not above the scheme's cap.
    fn check_amount(&mut self, row: &Row, amount: Option<Money>) {
        let column = Some(Column::Monthly);
        let Some(amount) = amount else {
            // Any other text was told when it was read.
            if self.cell(row, Column::Monthly).is_blank() {
                self.error(column, "AMOUNT_MISSING", "为空".into(), "金额（元）", "本项目按名册中每人的金额发放");
            }
            return;
        };
        if amount <= Money::ZERO {
            self.error(column, "AMOUNT_INVALID", amount.grouped(), "大于 0", "不再发放的，填写享受终止月或办理停发");
        }
        if let Some(cap) = self.context.scheme.monthly_cap.filter(|cap| amount > *cap) {
            let expected = format!("不高于 {}（补贴项目的月上限）", cap.grouped());
            self.error(column, "AMOUNT_ABOVE_CAP", amount.grouped(), &expected, "核对金额的小数点和单位");
        }
    }

    fn check_standard(&mut self, amount: Option<Money>, category: Option<&str>, first: Option<Period>) {
        let (Some(amount), Some(category), Some(first)) = (amount, category, first) else { return };
        let month = first.max(self.context.scheme.first);
        let in_force = self.context.scheme.standard(category, month).map(|s| s.monthly);
        if in_force != Some(amount) {
            let expected = in_force.map_or_else(
                || format!("空（{month} 没有标准）"),
                |standard| format!("{}（{month} 的标准）", standard.grouped()),
            );
            let hint = "标准以补贴项目为准；不一致时先核对人员类别和起始月";
            self.error(Some(Column::Monthly), "STANDARD_DIFFERS", amount.grouped(), &expected, hint);
        }
    }

    /// The date in a cell, none for a blank one and one that is no date, which is then reported.
    fn date(&mut self, row: &Row, column: Column) -> Option<NaiveDate> {
        if self.cell(row, column).is_blank() {
            return None;
        }
        let text = self.text(row, column)?;
        let date = parse_date(&text);
        if date.is_none() {
            let found = format!("“{}”", shown(&text));
            self.error(Some(column), "DATE_INVALID", found, "1995-12-31 这样的日期", "");
        }
        date
    }

    fn certified_on(&mut self, row: &Row) -> Option<NaiveDate> {
        let date = self.date(row, Column::CertifiedOn)?;
        let today = self.context.today;
        if date > today {
            let expected = format!("不晚于今天 {today}");
            self.error(Some(Column::CertifiedOn), "CERTIFIED_IN_FUTURE", date.to_string(), &expected, "核对认证日期");
        }
        Some(date)
    }

    fn retired_on(&mut self, row: &Row, person: Option<&CitizenNumber>) -> Option<NaiveDate> {
        let limit = self.context.scheme.retired_by;
        let forty_before = limit.and_then(|day| day.checked_sub_months(Months::new(40 * 12)));
        if let (Some(limit), Some(latest), Some(born)) = (limit, forty_before, person.and_then(CitizenNumber::born_on))
            && born > latest
        {
            let found = format!("出生于 {born}，到 {limit} 不满 40 岁");
            let hint = "核对身份号码和退休资格";
            self.report(Severity::Warning, Some(Column::Number), "AGE_UNLIKELY", found, "", hint);
        }
        let date = self.date(row, Column::RetiredOn)?;
        if let Some(limit) = limit.filter(|limit| date > *limit) {
            let expected = format!("不晚于 {limit}");
            self.error(
                Some(Column::RetiredOn),
                "RETIRED_TOO_LATE",
                date.to_string(),
                &expected,
                "不属于本补贴项目的人员",
            );
        }
        Some(date)
    }
}

fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// `6.52E+17`: what a spreadsheet leaves of a long number in a CSV file.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.trim_start_matches('+');
    let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_number(mantissa) && is_number(exponent)
}

/// A count of people: `200`, `200人`, `共200人`, `(200人)`.
fn count_in(text: &str) -> Option<usize> {
    let even = without_blanks(&fold_width(text));
    let even = even.trim_matches(|c| "合总共计:()人数名".contains(c));
    even.bytes().all(|b| b.is_ascii_digit()).then(|| even.parse().ok()).flatten()
}

/// A number of a person or account for a message; short garbage whole.
fn masked(text: &str) -> String {
    if text.chars().count() < 8 { text.to_string() } else { mask_middle(text, 4, 4) }
}

/// Any other text for a message: shortened, and masked if a long number is in it.
fn shown(text: &str) -> String {
    if digits_in(&fold_width(text)) >= 10 { masked(text) } else { text.chars().take(40).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_xlsxwriter::Workbook;

    use super::*;
    use crate::domain::bank_account::card_check_digit;
    use crate::domain::citizen_number::check_character;
    use crate::domain::credit_code;
    use crate::domain::scheme::{BackPay, Certification, Release, Standard};
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

    fn pension() -> Scheme {
        Scheme {
            amount: AmountRule::Individual,
            monthly_cap: Some(Money(900_000)),
            certification: Some(Certification { cycle_months: 12, warning_months: 3, back_pay: BackPay::Paid }),
            retired_by: None,
            ..scheme(Vec::new())
        }
    }

    fn of_units() -> Scheme {
        Scheme { payees: Payees::Units, amount: AmountRule::Individual, release: Release::Once, ..scheme(Vec::new()) }
    }

    /// A unit's code that looks like a number in scientific notation.
    fn unit(serial: u32) -> String {
        let body = format!("12652827E12345{serial:03}");
        format!("{body}{}", credit_code::check_character(&body))
    }

    #[test]
    fn own_amounts_and_certifications_are_taken() {
        for title in ["月待遇", "月标准(元)", "金额", "养老金", "发放金额"] {
            let text = format!(
                "{HEADER},{title},人员类别,最近认证日期\n王,{},{},RCC,\"3,210.55\",高龄 甲类,2025-12-31\n\
                 李,{},{},RCC,9000,,\n合计,,,,12210.55\n",
                citizen(1),
                card(1),
                citizen(2),
                card(2)
            );
            let roster = read_by(&pension(), text.as_bytes());
            assert_eq!((codes(&roster), roster.rows.len()), (Vec::<String>::new(), 2), "{title}");
            let [first, second] = [&roster.rows[0], &roster.rows[1]];
            assert_eq!((first.amount, first.category.as_str()), (Some(Money(321_055)), "高龄 甲类"));
            assert_eq!((first.certified_on, second.certified_on), (Some(day("2025-12-31")), None));
            assert_eq!((second.amount, second.category.as_str()), (Some(Money(900_000)), ""));
        }
        let standard = read(&format!("{HEADER},月标准,认证日期\n王,{},{},RCC,120,x\n", citizen(1), card(1)));
        assert_eq!((standard.rows[0].amount, standard.rows[0].certified_on), (None, None));
        assert_eq!(standard.findings[0].code, "COLUMN_UNKNOWN", "no certification, no such column");
    }

    #[test]
    fn own_amounts_that_cannot_be_paid_are_refused() {
        let header = format!("{HEADER},金额,认证日期");
        for (rest, expected) in [
            (",", "2 AMOUNT_MISSING"),
            ("0,", "2 AMOUNT_INVALID"),
            ("-5,", "2 AMOUNT_INVALID"),
            ("三千,", "2 AMOUNT_INVALID"),
            ("0.001,", "2 AMOUNT_INVALID"),
            ("=C2*2,", "2 FORMULA_CELL"),
            ("9000.01,", "2 AMOUNT_ABOVE_CAP"),
            ("3000,2026-01-15", ""),
            ("3000,2026-01-16", "2 CERTIFIED_IN_FUTURE"),
            ("3000,2025年", "2 DATE_INVALID"),
        ] {
            let roster =
                read_by(&pension(), format!("{header}\n王,{},{},RCC,{rest}\n", citizen(1), card(1)).as_bytes());
            assert_eq!(codes(&roster).join("|"), expected, "{rest}");
        }
        let missing = read_by(&pension(), format!("{HEADER}\n王,{},{},RCC\n", citizen(1), card(1)).as_bytes());
        assert_eq!(codes(&missing), ["1 COLUMN_MISSING"]);
        assert!(missing.findings[0].hint.contains("缺少列：月待遇"), "{}", missing.findings[0].sentence());
        let text = format!("{HEADER},金额\n王,{},{},RCC,3000\n合计,,,,3001\n", citizen(1), card(1));
        assert_eq!(codes(&read_by(&pension(), text.as_bytes())), ["3 TOTAL_DIFFERS"]);
    }

    #[test]
    fn a_whole_date_gives_the_first_day_and_the_next_month_where_the_scheme_says_so() {
        let first_of = |start_month, cell: &str| {
            let scheme = Scheme { start_month, ..scheme(vec![standard("", "2026-01", None, 120)]) };
            let text = format!("{HEADER},起始月\n王,{},{},RCC,{cell}\n", citizen(1), card(1));
            let roster = read_by(&scheme, text.as_bytes());
            let notices = roster.findings.iter().filter(|f| f.code == "FIRST_IS_NEXT_MONTH").count();
            let row = &roster.rows[0];
            (row.first.to_string(), row.first_day.map(|day| day.to_string()), notices)
        };
        let days = Some("2026-03-17".to_string());
        for start_month in [StartMonth::Whole, StartMonth::CalendarDays, StartMonth::ThirtyDays] {
            assert_eq!(first_of(start_month, "2026/3/17"), ("2026-03".into(), days.clone(), 0));
        }
        assert_eq!(first_of(StartMonth::Next, "20260317"), ("2026-04".into(), days, 1));
        assert_eq!(first_of(StartMonth::Next, "2026-03"), ("2026-03".into(), None, 0));
        let december = first_of(StartMonth::Next, "2025-12-01");
        assert_eq!(december, ("2026-01".into(), Some("2025-12-01".into()), 1));
    }

    #[test]
    fn units_are_paid_by_their_credit_code() {
        let header = "单位名称,统一社会信用代码,银行账号,开户银行,发放金额";
        let read = |rows: &str| read_by(&of_units(), format!("{header}\n{rows}").as_bytes());
        let roster = read(&format!("A&B(和静)商贸有限公司,{},{},RCC,800\n", unit(1).to_lowercase(), card(1)));
        assert_eq!(codes(&roster), Vec::<String>::new());
        let row = &roster.rows[0];
        assert_eq!((row.citizen_number.as_str(), row.citizen_number.born_on()), (unit(1).as_str(), None));
        assert_eq!((row.account.holder.as_str(), row.amount), ("A&B(和静)商贸有限公司", Some(Money(80_000))));
        let (code, account, person) = (unit(1), card(1), citizen(1));
        for (row, expected) in [
            (format!("甲公司,{code}X,{account},RCC,800"), "2 CREDIT_CODE_LENGTH"),
            (format!("甲公司,{person},{account},RCC,800"), "2 CREDIT_CODE_CHECK_CHARACTER"),
            (format!("甲公司,1265282O{},{account},RCC,800", &code[8..]), "2 CREDIT_CODE_CHARACTER"),
            (format!("甲公司,,{account},RCC,800"), "2 CREDIT_CODE_MISSING"),
            (format!("甲公司,{account},{code},RCC,800"), "2 COLUMNS_SWAPPED|2 COLUMNS_SWAPPED"),
            (format!("甲公司,{code},6217000,RCC,800"), "2 ACCOUNT_LENGTH"),
            (format!("12345,{code},{account},RCC,800"), "2 NAME_NOT_A_NAME"),
            (format!("甲公司,{code},{account},RCC,800\n乙公司,{code},{},RCC,800", card(2)), "3 DUPLICATE_PERSON"),
        ] {
            assert_eq!(codes(&read(&row)).join("|"), expected, "{row}");
        }
        let persons_header = read_by(&of_units(), format!("{HEADER},金额\n").as_bytes());
        assert!(persons_header.findings[0].hint.contains("统一社会信用代码"), "{:?}", persons_header.findings);
    }

    /// A template filled in with these cells by title, read again.
    fn filled(scheme: &Scheme, cells: &[(&str, String)]) -> Roster {
        let table = read_table("x", &template(scheme).unwrap(), None).unwrap();
        let titles: Vec<String> =
            table.rows.iter().find(|row| row.number == 2).unwrap().cells.iter().map(Cell::text).collect();
        let value = |title: &String| cells.iter().find(|(known, _)| known == title).map_or("", |(_, value)| value);
        for (title, _) in cells {
            assert!(titles.iter().any(|known| known == title), "no {title} in {titles:?}");
        }
        let row: Vec<&str> = titles.iter().map(value).collect();
        read_by(scheme, format!("{}\n{}\n", titles.join(","), row.join(",")).as_bytes())
    }

    #[test]
    fn the_template_is_a_roster_without_people_and_takes_what_the_scheme_needs() {
        let categories = scheme(vec![standard("甲", "2026-01", None, 100), standard("乙", "2026-01", None, 80)]);
        for scheme in [&categories, &pension(), &of_units()] {
            let roster = read_by(scheme, &template(scheme).unwrap());
            assert_eq!((roster.header_row, codes(&roster)), (2, vec!["2 NO_DATA".to_string()]));
            assert_eq!(roster.findings.len(), 1, "every title is known");
        }
        let common = [("银行账号", card(1)), ("开户银行", "RCC".to_string())];
        let person =
            [("姓名", "王建国".to_string()), ("公民身份号码", citizen(1)), ("享受起始月", "2026-02-10".into())];
        let cells = |own: &[(&'static str, String)]| [&common, own].concat();

        let by_standard = [&person[..], &[("人员类别", "乙".into()), ("退休日期", "1990-05-01".into())]].concat();
        let roster = filled(&categories, &cells(&by_standard));
        assert_eq!(roster.findings, []);
        assert_eq!((roster.rows[0].category.as_str(), roster.rows[0].retired_on), ("乙", Some(day("1990-05-01"))));

        let own_amount = [("月待遇", "4321.00".to_string()), ("最近认证日期", "2025-06-30".into())];
        let roster = filled(&pension(), &cells(&[&person[..], &own_amount].concat()));
        assert_eq!(roster.findings, []);
        let row = &roster.rows[0];
        assert_eq!((row.amount, row.certified_on), (Some(Money(432_100)), Some(day("2025-06-30"))));
        assert_eq!((row.first_day, row.first.number()), (Some(day("2026-02-10")), 202_602));

        let unit =
            [("单位名称", "和静县某中心".to_string()), ("统一社会信用代码", unit(1)), ("发放金额", "800".into())];
        let unit = [&unit[..], &[("享受起始月", "2026-03".into())]].concat();
        let roster = filled(&of_units(), &cells(&unit));
        assert_eq!((roster.findings, roster.rows[0].amount), (Vec::new(), Some(Money(80_000))));
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
