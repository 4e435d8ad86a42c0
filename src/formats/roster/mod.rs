//! Rosters (名册): from a table to people, with every fault of every row at once. Whole rows only:
//! what has an error is not in [`Roster::rows`], and nothing is corrected but blanks, width and the
//! separator of names. Whether a roster with faults may be imported is not decided here.

mod columns;
mod rows;
mod seen;
mod template;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{Months, NaiveDate};

use self::columns::{COMMON, Column, required, titles};
pub use self::rows::Rows;
use self::seen::{Refused, Seen};
pub use self::template::template;
pub use super::list::REASON_TITLE;
use super::list::{Line, ListReader, digits_in, masked, quoted};
use super::table::{Cell, Header, Row, Table};
use crate::domain::bank::{Bank, BankBook};
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{AccountRef, StopReason, SuspensionCause};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};
use crate::domain::person_name::same_name;
use crate::domain::scheme::{AmountRule, Payees, Scheme, StartMonth};
use crate::domain::text::{folded, without_blanks};
use crate::progress::Bar;

/// Rows between two words to whoever waits: asking the time for each row would take a tenth of the whole.
const ROWS_TOLD: usize = 1000;

/// What a row is judged by.
#[derive(Debug, Clone, Copy)]
pub struct RosterContext<'t, 'b> {
    /// The scheme that pays.
    pub scheme: &'t Scheme,
    /// The banks of the office.
    pub banks: &'t BankBook,
    /// Day of the check, for birth dates.
    pub today: NaiveDate,
    /// First month owed, when the file has no such column.
    pub first: Period,
    /// Counts the rows that were read.
    pub bar: &'b Bar,
}

/// One person or unit of a roster; every field passed its checks. Texts are pieces of the file where it has them so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow<'t> {
    /// Row of the file.
    pub row: usize,
    /// 公民身份号码, of a unit 统一社会信用代码.
    pub citizen_number: CitizenNumber,
    /// 姓名.
    pub name: Cow<'t, str>,
    /// Where the account is.
    pub bank: &'t Bank,
    /// Where the money goes.
    pub account_number: AccountNumber,
    /// 人员类别; empty when the scheme knows only one, any text where amounts are individual.
    pub category: Arc<str>,
    /// The person's own monthly amount, above nothing; only in schemes of individual amounts.
    pub amount: Option<Money>,
    /// First month owed.
    pub first: Period,
    /// The day on which the entitlement begins, where 享受起始月 holds a whole date.
    pub first_day: Option<NaiveDate>,
    /// Last month owed, `None` while it lasts.
    pub last: Option<Period>,
    /// 发放状态; nothing said when blank.
    pub status: Option<Status>,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 最近认证日期; only in schemes with certification.
    pub certified_on: Option<NaiveDate>,
    /// Nothing where all of it is blank.
    more: Option<Arc<More<'t>>>,
}

/// What most rows do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More<'t> {
    /// 户名, where it is another text than the name.
    holder: Option<Cow<'t, str>>,
    /// 户名关系: why the account is another person's; empty when it is not.
    pub holder_relation: Cow<'t, str>,
    /// The day on which the entitlement ended or will end.
    pub stop: Option<Stop>,
    /// Suspended from a month on.
    pub suspension: Option<Suspension<'t>>,
    /// 原工作单位.
    pub former_unit: Cow<'t, str>,
    /// 联系电话.
    pub phone: Cow<'t, str>,
    /// 备注.
    pub note: Cow<'t, str>,
}

impl More<'_> {
    const NOTHING: &'static More<'static> = &More {
        holder: None,
        holder_relation: Cow::Borrowed(""),
        stop: None,
        suspension: None,
        former_unit: Cow::Borrowed(""),
        phone: Cow::Borrowed(""),
        note: Cow::Borrowed(""),
    };
}

impl<'t> RosterRow<'t> {
    /// What most rows do not say.
    #[must_use]
    pub fn more(&self) -> &More<'t> {
        self.more.as_deref().unwrap_or(More::NOTHING)
    }

    /// Where the money goes.
    #[must_use]
    pub fn account(&self) -> AccountRef<'_> {
        let holder = self.more().holder.as_deref().unwrap_or(&self.name);
        AccountRef { bank_code: &self.bank.code, number: &self.account_number, holder }
    }
}

/// 发放状态: what a roster says of someone as things are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 正常.
    Paid,
    /// 暂停.
    Suspended,
    /// 停发.
    Stopped,
}

/// 待遇终止日期, 停发原因.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The last day of the entitlement; what is paid of its month is the scheme's rule.
    pub on: NaiveDate,
    /// Why, when the file says it.
    pub reason: Option<StopReason>,
}

impl Stop {
    /// As it is registered when nothing is known yet: a reason that is not said is another one.
    #[must_use]
    pub fn reason_or_other(self) -> StopReason {
        self.reason.unwrap_or(StopReason::Other)
    }
}

/// 暂停起始月, 暂停原因.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension<'t> {
    /// First month suspended.
    pub from: Period,
    /// Why in the file's own words; may be empty.
    pub reason: Cow<'t, str>,
}

impl Suspension<'_> {
    /// The kind of suspension that the words tell; `None` without any.
    #[must_use]
    pub fn cause(&self) -> Option<SuspensionCause> {
        (!self.reason.is_empty()).then(|| SuspensionCause::in_words(&self.reason))
    }
}

/// What was read of a roster: people without any error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster<'t> {
    /// The rows that can be used, in the order of the file.
    pub rows: Rows<'t>,
    /// Rows with a person, usable or not.
    pub data_rows: usize,
    /// Everything found, in the order of the file.
    pub findings: Vec<RowFinding>,
    /// Row of the titles; 0 when there is none.
    pub header_row: usize,
    /// Rows of people that cannot be used, each with what could be read of whose it is: whole numbers of the
    /// person and of the account.
    pub refused: HashMap<usize, Vec<String>>,
    /// True when each row carries a reason: the file holds what was given back of another one.
    pub is_given_back: bool,
}

/// Reads a roster. Every row gets all its checks; the same table gives the same findings.
#[must_use]
pub fn parse_roster<'t>(table: &'t Table, context: &RosterContext<'t, '_>) -> Roster<'t> {
    let titles = titles(context.scheme);
    let header = Header::find(table, &titles);
    let mut list = ListReader::new(&titles, &header, COMMON, Severity::Error);
    list.payees = Some(context.scheme.payees);
    let mut reader = Reader {
        context,
        list,
        seen: Seen::with_capacity(table.text().unwrap_or_default(), table.row_count()),
        known_categories: context.scheme.categories(),
        categories: HashSet::new(),
        banks: HashMap::new(),
        monthly_sum: Some(Money::ZERO),
    };
    let reason = header.known.iter().find(|(_, _, title)| title == REASON_TITLE).map(|(_, column, _)| *column);
    let mut is_given_back = reason.is_some();
    let mut data_rows = 0;
    if reader.list.check_header(table, &required(context.scheme)) {
        for row in table.rows() {
            let Some(line) = reader.list.line(&row, &[Column::Number, Column::Account]) else { continue };
            reader.list.begin(&row);
            match line {
                Line::Total(rest) => reader.check_total(&row, &rest, data_rows),
                Line::Person { after } => {
                    data_rows += 1;
                    is_given_back &= reason.is_some_and(|column| !row.cell(column).is_blank());
                    reader.check_order(after);
                    reader.person(&row);
                    if data_rows % ROWS_TOLD == 0 {
                        context.bar.advance(ROWS_TOLD);
                    }
                }
            }
        }
        reader.list.check_data(data_rows);
    }
    let Reader { list, seen, .. } = reader;
    let (rows, refused) = seen.into_rows();
    let whose = |refused: Refused| {
        let numbers = [refused.number.map(|n| n.as_str().to_string()), refused.account.map(|n| n.as_str().to_string())];
        (refused.row, numbers.into_iter().flatten().collect())
    };
    let refused = refused.into_iter().map(whose).collect();
    Roster { rows, data_rows, findings: list.findings, header_row: header.row, refused, is_given_back }
}

struct Reader<'a, 't> {
    context: &'a RosterContext<'t, 'a>,
    list: ListReader<'a, Column>,
    seen: Seen<'t>,
    known_categories: Vec<&'t str>,
    /// Categories so far: few, of many people.
    categories: HashSet<Arc<str>>,
    /// The banks that texts so far mean.
    banks: HashMap<Cow<'t, str>, &'t Bank>,
    /// Sum of the column of monthly amounts, `None` once one of them could not be read.
    monthly_sum: Option<Money>,
}

impl<'t> Reader<'_, 't> {
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
            let (found, expected) = (format!("合计 {count} 人"), format!("{data_rows} 人"));
            self.list.report(Severity::Error, column, "TOTAL_DIFFERS", found, &expected, "核对是否漏行或多行");
        }
        let text = match self.list.cell(row, Column::Monthly) {
            Cell::Formula(_) | Cell::Empty | Cell::Error(_) => return,
            cell => cell.text(),
        };
        // A formula that went through a reject file comes back as text.
        if let (Ok(total), Some(sum)) = (Money::parse_total(&text), self.monthly_sum)
            && !text.starts_with('=')
            && total != sum
        {
            let expected = format!("各行之和 {}", sum.grouped());
            self.list.fault(Column::Monthly, "TOTAL_DIFFERS", total.grouped(), &expected, "核对是否漏行或改动过金额");
        }
    }

    fn is_of_units(&self) -> bool {
        self.context.scheme.payees == Payees::Units
    }

    fn person(&mut self, row: &Row<'t>) {
        let name = self.list.name(row, Column::Name);
        let bank = self.bank(row);
        let citizen_number = self.citizen_number(row, bank);
        let holder_relation = self.list.text(row, Column::Relation).unwrap_or_default();
        let is_related = !holder_relation.is_empty();
        let account = self.account(row, bank, citizen_number.as_ref(), is_related);
        let holder = self.holder(row, name.as_ref(), is_related);
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
            [Column::FormerUnit, Column::Phone, Column::Note].map(|c| self.list.text(row, c).unwrap_or_default());
        let status = self.status(row);
        let stop = self.stop(row, status, first_day.or(first.map(Period::first_day)), last);
        let suspension = self.suspension(row, status);
        let whole = match (&citizen_number, name, bank, &account, holder, category, first) {
            (Some(number), Some(name), Some(bank), Some(account), Some(holder), Some(category), Some(first)) => {
                let holder = (holder != name).then_some(holder);
                let more = More { holder, holder_relation, stop, suspension, former_unit, phone, note };
                Some(RosterRow {
                    row: row.number,
                    citizen_number: number.clone(),
                    name,
                    bank,
                    account_number: account.clone(),
                    category,
                    amount: amount.filter(|_| self.is_individual()),
                    first,
                    first_day,
                    last,
                    status,
                    retired_on,
                    certified_on,
                    more: (more != *More::NOTHING).then(|| Arc::new(more)),
                })
            }
            _ => None,
        };
        match whole.filter(|_| !self.list.failed) {
            Some(whole) => {
                let [number, account] = [Column::Number, Column::Account].map(|c| self.list.piece(row, c));
                self.seen.take(whole, number, account);
            }
            None => self.seen.refuse(Refused { row: row.number, number: citizen_number, account, is_related }),
        }
    }

    fn bank(&mut self, row: &Row<'t>) -> Option<&'t Bank> {
        let text = self.list.text(row, Column::Bank)?;
        if let Some(known) = self.banks.get(&text) {
            return Some(known);
        }
        let banks = self.context.banks;
        let bank = banks.find(&text).filter(|_| !text.is_empty());
        if let Some(bank) = bank {
            self.banks.insert(text, bank);
        } else {
            let found = quoted(&text);
            let names = banks.banks.iter().map(|b| b.name.as_str()).collect::<Vec<_>>().join("、");
            self.list.fault(Column::Bank, "BANK_UNKNOWN", found, &names, "新的写法可加入银行的别名");
        }
        bank
    }

    fn citizen_number(&mut self, row: &Row, bank: Option<&Bank>) -> Option<CitizenNumber> {
        let text = self.list.digits(row, Column::Number, 15)?;
        let number = match CitizenNumber::parse_for(self.context.scheme.payees, &text, self.context.today) {
            Ok(number) => number,
            Err(error) => {
                let digits = folded(&text);
                let length = digits.len();
                // A shorter number is more likely a citizen number with digits missing.
                let is_card_length =
                    length == 19 || length > 18 && bank.is_some_and(|b| b.account_lengths.contains(&length));
                if digits.bytes().all(|b| b.is_ascii_digit()) && is_card_length {
                    let found = format!("{} 像银行账号", masked(&digits));
                    let hint = "可能与银行账号列填反，请互换";
                    let expected = format!("18 位{}", self.list.title(Column::Number));
                    self.list.fault(Column::Number, "COLUMNS_SWAPPED", found, &expected, hint);
                } else {
                    self.list.domain_fault(Column::Number, error.code(), &error.to_string());
                }
                return None;
            }
        };
        if let Some(earlier) = self.seen.person(&number) {
            let found = format!("{} 与第 {earlier} 行相同", number.masked());
            self.list.fault(Column::Number, "DUPLICATE_PERSON", found, "每个领取人一行", "删除重复的一行");
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
        let even = folded(&text);
        // Any account may be a credit code by accident, if it has no letter.
        let could_be_number = even.len() == 18 && !(self.is_of_units() && digits_in(&even) == 18);
        if could_be_number && CitizenNumber::parse_for(self.context.scheme.payees, &even, self.context.today).is_ok() {
            let number = self.list.title(Column::Number);
            let found = format!("{} 是{number}", masked(&even));
            let hint = format!("可能与{number}列填反，请互换");
            self.list.fault(Column::Account, "COLUMNS_SWAPPED", found, "银行账号", &hint);
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
            let (severity, hint) = if bank.is_some_and(|b| b.card_check) {
                (Severity::Error, "请按卡面核对")
            } else {
                (Severity::Warning, "存折可忽略；银行卡请按卡面核对")
            };
            self.list.report(severity, Some(Column::Account), "ACCOUNT_CARD_CHECK", found, "", hint);
        }
        self.check_account_use(&account, person, is_related);
        Some(account)
    }

    fn check_account_use(&mut self, account: &AccountNumber, person: Option<&CitizenNumber>, is_related: bool) {
        let Some((other, is_without_relation)) = self.seen.account(self.list.row, account, person, is_related) else {
            return;
        };
        // The owner of an account has no relation to state; a second such person is a fault.
        let severity = if is_without_relation { Severity::Error } else { Severity::Warning };
        let found = format!("{} 与第 {other} 行是同一账号", account.masked());
        let hint = "核对账号；确由他人代领的，在“户名关系”列写明关系";
        self.list.report(severity, Some(Column::Account), "DUPLICATE_ACCOUNT", found, "一人一账号", hint);
    }

    fn holder(&mut self, row: &Row<'t>, name: Option<&Cow<'t, str>>, is_related: bool) -> Option<Cow<'t, str>> {
        if self.list.cell(row, Column::Holder).is_blank() {
            return name.cloned();
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

    fn category(&mut self, row: &Row<'t>) -> Option<Arc<str>> {
        if self.known_categories == [""] {
            return Some(self.interned(""));
        }
        let text = self.list.text(row, Column::Category)?;
        if self.is_individual() {
            return Some(self.interned(&text));
        }
        let text = without_blanks(&text);
        if self.known_categories.contains(&&*text) {
            return Some(self.interned(&text));
        }
        let (found, expected) = (quoted(&text), self.known_categories.join("、"));
        self.list.fault(Column::Category, "CATEGORY_UNKNOWN", found, &expected, "按补贴项目的人员类别填写");
        None
    }

    fn interned(&mut self, category: &str) -> Arc<str> {
        if let Some(known) = self.categories.get(category) {
            return known.clone();
        }
        let new: Arc<str> = category.into();
        self.categories.insert(new.clone());
        new
    }

    /// First day where one is given, first month, last month.
    fn months(&mut self, row: &Row) -> (Option<NaiveDate>, Option<Period>, Option<Period>) {
        let (first_day, first) = match self.list.header.column(Column::First) {
            None => (None, Some(self.context.first)),
            Some(_) => self.first(row),
        };
        let last = if self.list.cell(row, Column::Last).is_blank() { None } else { self.list.month(row, Column::Last) };
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            let expected = format!("不早于享受起始月 {first}");
            self.list.fault(Column::Last, "MONTH_ORDER", last.to_string(), &expected, "");
        }
        (first_day, first, last)
    }

    fn status(&mut self, row: &Row) -> Option<Status> {
        if self.list.cell(row, Column::Status).is_blank() {
            return None;
        }
        let text = self.list.text(row, Column::Status)?;
        match &*without_blanks(&text) {
            "正常" | "正常发放" | "正常享受" | "在发" => Some(Status::Paid),
            "暂停" | "已暂停" | "暂停发放" => Some(Status::Suspended),
            "停发" | "已停发" | "停止发放" | "终止" | "已终止" | "待遇终止" => Some(Status::Stopped),
            _ => {
                let hint = "不清楚的留空，留空不改变任何登记";
                self.list.fault(Column::Status, "STATUS_UNKNOWN", quoted(&text), "正常、暂停或停发", hint);
                None
            }
        }
    }

    /// The day of the end, which must agree with whatever else the row says.
    fn stop(
        &mut self,
        row: &Row,
        status: Option<Status>,
        begins: Option<NaiveDate>,
        last: Option<Period>,
    ) -> Option<Stop> {
        let reason = self.stop_reason(row);
        if self.list.cell(row, Column::EndedOn).is_blank() {
            let has_month = !self.list.cell(row, Column::Last).is_blank();
            if reason.is_some() || status == Some(Status::Stopped) && !has_month {
                let hint = "停发必须写明日期；日期不明的，先按暂停填写";
                self.list.fault(Column::EndedOn, "STOP_DATE_MISSING", "为空".into(), "停发的日期", hint);
            }
            return None;
        }
        let on = self.list.plain_date(row, Column::EndedOn)?;
        let scheme = self.context.scheme;
        if reason.is_none() && scheme.death_month != scheme.stop_month {
            let hint = "本项目死亡当月的发放办法与其他停发不同，必须写明";
            self.list.fault(Column::StopReason, "STOP_REASON_MISSING", "为空".into(), &stop_reasons(), hint);
        }
        let today = self.context.today;
        if reason == Some(StopReason::Death) && on > today {
            let expected = format!("不晚于今天 {today}");
            self.list.fault(Column::EndedOn, "DATE_AHEAD", format!("{on} 死亡"), &expected, "核对死亡日期");
        }
        let stop = Stop { on, reason };
        let counts = scheme.last_month(stop.reason_or_other(), on);
        if let Some(last) = last.filter(|last| *last != counts) {
            let expected = format!("{counts}（终止日期 {on} 的最后一个月）或留空");
            self.list.fault(Column::Last, "END_DIFFERS", last.to_string(), &expected, "两列以事实为准，改正其中一列");
        }
        if status == Some(Status::Paid) && on <= today {
            let found = format!("正常，而待遇终止日期 {on} 已过");
            self.list.fault(Column::Status, "STATUS_DIFFERS", found, "停发", "核对状态和终止日期");
        }
        if begins.is_some_and(|begins| on < begins) {
            let found = format!("{on} 早于享受起始，不会发放任何一天");
            self.list.report(Severity::Warning, Some(Column::EndedOn), "END_BEFORE_START", found, "", "核对两个日期");
        }
        Some(stop)
    }

    fn stop_reason(&mut self, row: &Row) -> Option<StopReason> {
        if self.list.cell(row, Column::StopReason).is_blank() {
            return None;
        }
        let text = self.list.text(row, Column::StopReason)?;
        let text = without_blanks(&text);
        let reason = StopReason::parse(&text).filter(|reason| *reason != StopReason::Roster);
        if reason.is_none() {
            let found = quoted(&text);
            self.list.fault(Column::StopReason, "STOP_REASON_UNKNOWN", found, &stop_reasons(), "说不清的写“其他原因”");
        }
        reason
    }

    fn suspension(&mut self, row: &Row<'t>, status: Option<Status>) -> Option<Suspension<'t>> {
        let has_reason = !self.list.cell(row, Column::SuspensionCause).is_blank();
        if self.list.cell(row, Column::SuspendedFrom).is_blank() {
            if has_reason || status == Some(Status::Suspended) {
                let hint = "暂停必须写明从哪个月起";
                self.list.fault(
                    Column::SuspendedFrom,
                    "SUSPENSION_MONTH_MISSING",
                    "为空".into(),
                    "暂停的第一个月",
                    hint,
                );
            }
            return None;
        }
        let from = self.list.month(row, Column::SuspendedFrom)?;
        let reason = self.list.text(row, Column::SuspensionCause)?;
        if status == Some(Status::Paid) {
            let found = format!("正常，而自 {from} 起暂停");
            self.list.fault(Column::Status, "STATUS_DIFFERS", found, "暂停", "已恢复的，清空暂停起始月和暂停原因");
        }
        Some(Suspension { from, reason })
    }

    /// A month is the first one owed; a day is that of the entitlement, which may be owed from the next month.
    fn first(&mut self, row: &Row) -> (Option<NaiveDate>, Option<Period>) {
        let Some(month) = self.list.month(row, Column::First) else { return (None, None) };
        let day = parse_date(&self.list.cell(row, Column::First).text());
        if let Some(day) = day
            && self.context.scheme.start_month == StartMonth::Next
        {
            let found = format!("{day}，本项目次月起发，首月为 {}", month.next());
            let hint = format!("首个发放月就是 {month} 的，以文本填写 {month}");
            self.list.report(Severity::Notice, Some(Column::First), "FIRST_IS_NEXT_MONTH", found, "", &hint);
            return (Some(day), Some(month.next()));
        }
        (day, Some(month))
    }

    fn is_individual(&self) -> bool {
        self.context.scheme.amount == AmountRule::Individual
    }

    /// What stands in the column of monthly amounts, added to its sum.
    fn monthly(&mut self, row: &Row) -> Option<Money> {
        if self.list.cell(row, Column::Monthly).is_blank() {
            return None;
        }
        let text = self.list.text(row, Column::Monthly);
        match text.as_deref().map(Money::parse) {
            Some(Ok(amount)) => {
                self.monthly_sum = self.monthly_sum.and_then(|sum| sum.fen().checked_add(amount.fen())).map(Money);
                Some(amount)
            }
            failed => {
                self.monthly_sum = None;
                if let Some(Err(error)) = failed {
                    let code = if self.is_individual() { "AMOUNT_INVALID" } else { "STANDARD_DIFFERS" };
                    self.list.fault(Column::Monthly, code, error.to_string(), "元，最多两位小数", "");
                }
                None
            }
        }
    }

    /// An own amount is there, above nothing and not above the scheme's cap.
    fn check_amount(&mut self, row: &Row, amount: Option<Money>) {
        let column = Column::Monthly;
        let Some(amount) = amount else {
            // Any other text was told when it was read.
            if self.list.cell(row, Column::Monthly).is_blank() {
                self.list.fault(column, "AMOUNT_MISSING", "为空".into(), "金额（元）", "本项目按名册中每人的金额发放");
            }
            return;
        };
        if amount <= Money::ZERO {
            self.list.fault(
                column,
                "AMOUNT_INVALID",
                amount.grouped(),
                "大于 0",
                "不再发放的，填写享受终止月或办理停发",
            );
        }
        if let Some(cap) = self.context.scheme.monthly_cap.filter(|cap| amount > *cap) {
            let expected = format!("不高于 {}（补贴项目的月上限）", cap.grouped());
            self.list.fault(column, "AMOUNT_ABOVE_CAP", amount.grouped(), &expected, "核对金额的小数点和单位");
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
            self.list.fault(Column::Monthly, "STANDARD_DIFFERS", amount.grouped(), &expected, hint);
        }
    }

    /// The date in a cell; none for a blank one, and for one that is no date, which is then told.
    fn date(&mut self, row: &Row, column: Column) -> Option<NaiveDate> {
        if self.list.cell(row, column).is_blank() { None } else { self.list.plain_date(row, column) }
    }

    fn certified_on(&mut self, row: &Row) -> Option<NaiveDate> {
        let date = self.date(row, Column::CertifiedOn)?;
        let today = self.context.today;
        if date > today {
            let expected = format!("不晚于今天 {today}");
            self.list.fault(Column::CertifiedOn, "CERTIFIED_IN_FUTURE", date.to_string(), &expected, "核对认证日期");
        }
        Some(date)
    }

    fn retired_on(&mut self, row: &Row, person: Option<&CitizenNumber>) -> Option<NaiveDate> {
        let limit = self.context.scheme.retired_by;
        if let Some(limit) = limit
            && let Some(latest) = limit.checked_sub_months(Months::new(40 * 12))
            && let Some(born) = person.and_then(CitizenNumber::born_on)
            && born > latest
        {
            let found = format!("出生于 {born}，到 {limit} 不满 40 岁");
            let hint = "核对身份号码和退休资格";
            self.list.report(Severity::Warning, Some(Column::Number), "AGE_UNLIKELY", found, "", hint);
        }
        let date = self.date(row, Column::RetiredOn)?;
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

/// What may stand in 停发原因.
fn stop_reasons() -> String {
    let reasons = StopReason::ALL.into_iter().filter(|reason| *reason != StopReason::Roster);
    reasons.map(StopReason::title).collect::<Vec<_>>().join("、")
}

/// A count of people: `200`, `200人`, `共200人`, `(200人)`.
fn count_in(text: &str) -> Option<usize> {
    let even = folded(text);
    let even = even.trim_matches(|c| "合总共计:()人数名".contains(c));
    even.bytes().all(|b| b.is_ascii_digit()).then(|| even.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
