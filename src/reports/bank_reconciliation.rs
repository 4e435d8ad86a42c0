//! 存款余额调节表: for every paying account of the office, the bank's balance and ours, and what one side knows and the
//! other does not, with its age. Both sides, put right, are one figure; if they are not, the difference is named.
//!
//! Our balance of an account: the opening balance of its first statement, less the files that were sent, plus what of
//! them was rejected and came back late (each on the day on which it stands in our books), plus what only the bank can
//! tell us: money of the treasury, interest and charges on the bank's day, and what a clerk has explained on the day of
//! the explanation. What was sent before the first statement counts where one of its entries answers it: all else was in
//! that balance already.
//!
//! An item is open as of a day where the other side had it later or not at all, so a table of a past month stays the
//! same when its items are settled afterwards.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::table::{Column, Report, Sheet, Value};
use crate::calculation::statement_chain::Known;
use crate::domain::bank_book::{BookItem, OwnKind};
use crate::domain::money::Money;
use crate::domain::period::{Period, date_from_number};
use crate::domain::statement::{TakenEntry, masked_account};
use crate::domain::text::mask_long_numbers;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::finding;
use crate::storage::statement::{self, StoredPart, StoredStatement};

/// One account of the office, with everything that both sides know.
pub(super) struct Account {
    number: String,
    bank_code: String,
    /// What statements tell.
    known: Known,
    statements: Vec<StoredStatement>,
    /// Our items, and what of each entries answer: their day and amount.
    items: Vec<(BookItem, Vec<(NaiveDate, Money)>)>,
    /// What each entry answers.
    parts: HashMap<i64, Vec<StoredPart>>,
    /// When an entry was explained.
    explained: HashMap<i64, NaiveDate>,
}

/// What is open as of a day.
struct OpenItem {
    on: NaiveDate,
    amount: Money,
    is_ours: bool,
    reference: String,
    what: String,
}

/// Movements of our balance that have a name.
const KINDS: [(&str, &str); 7] = [
    ("funding", "财政拨款"),
    ("interest", "利息"),
    ("charge", "银行手续费"),
    ("sent", "报盘"),
    ("rejected", "回盘失败退回"),
    ("returned", "退票退回"),
    ("explained", "其他（已说明的分录）"),
];

/// Run, file, audit event and kind of an item of our books.
type ItemKey = (i64, i64, i64, String);

/// Reads all accounts of which there are statements.
pub(super) async fn accounts(tx: &mut Tx, office: &Office) -> Result<Vec<Account>, Failure> {
    let agency = office.agency_code.as_str();
    let mut by_account: BTreeMap<(String, String), Vec<StoredStatement>> = BTreeMap::new();
    for statement in statement::list(tx, agency).await? {
        by_account.entry((statement.bank_code.clone(), statement.account.clone())).or_default().push(statement);
    }
    // An office that takes in no statements does not read its books for them, every time that it reconciles.
    if by_account.is_empty() {
        return Ok(Vec::new());
    }
    let parts = statement::parts(tx, agency).await?;
    let items = statement::book_items(tx, agency, &parts).await?;
    let mut entries: HashMap<String, Vec<TakenEntry>> = HashMap::new();
    let mut days: HashMap<i64, NaiveDate> = HashMap::new();
    for entry in statement::entries(tx, agency).await? {
        days.insert(entry.taken.no, entry.taken.entry.booked_on);
        entries.entry(entry.account).or_default().push(entry.taken);
    }
    let mut explained = HashMap::new();
    for found in finding::list(tx, agency).await? {
        if let (Some(entry_no), Some(on)) = (found.entry_no, found.explained_on) {
            explained.insert(entry_no, date_from_number(on).unwrap_or_default());
        }
    }
    let mut by_item: HashMap<ItemKey, Vec<(NaiveDate, Money)>> = HashMap::new();
    let mut by_entry: HashMap<i64, Vec<StoredPart>> = HashMap::new();
    for part in parts {
        if let (Some(run_no), Some(file_no), Some(event_no)) = (part.run_no, part.file_no, part.book_event_no) {
            let day = days.get(&part.entry_no).copied().unwrap_or_default();
            by_item
                .entry((run_no, file_no, event_no, part.kind.clone()))
                .or_default()
                .push((day, Money(part.amount_fen)));
        }
        by_entry.entry(part.entry_no).or_default().push(part);
    }
    let mut accounts = Vec::new();
    for ((bank_code, number), statements) in by_account {
        let mut complete = Vec::new();
        for statement in &statements {
            if let Some((opening, _)) = statement.balances() {
                let (first_on, last_on) = statement.days()?;
                complete.push((first_on, last_on, opening));
            }
        }
        let mut entries = entries.remove(&number).unwrap_or_default();
        entries.sort_by_key(|taken| (taken.entry.booked_on, taken.no));
        let of_account = |item: &&BookItem| office.banks.is_paid_from(&item.bank_code, &number, &bank_code);
        let items = items.iter().filter(of_account).map(|item| {
            let key = (item.run_no, item.file_no, item.event_no, item.kind.code().to_string());
            (item.clone(), by_item.get(&key).cloned().unwrap_or_default())
        });
        let items = items.collect();
        let parts = entries.iter().filter_map(|e| by_entry.remove_entry(&e.no)).collect();
        let known = Known::of(complete.into_iter(), entries);
        accounts.push(Account { number, bank_code, known, statements, items, parts, explained: explained.clone() });
    }
    Ok(accounts)
}

impl Account {
    fn base(&self) -> Money {
        self.known.base.unwrap_or_default()
    }

    fn entries_between(&self, first: NaiveDate, last: NaiveDate) -> Money {
        let inside = |e: &&TakenEntry| (first..=last).contains(&e.entry.booked_on);
        self.known.entries.iter().filter(inside).map(|e| e.entry.amount).sum()
    }

    /// The bank's balance at the end of a day, as the bank said it, and the last day up to then of which it told.
    fn bank_balance(&self, day: NaiveDate) -> Result<(Money, Option<NaiveDate>), Failure> {
        let mut last: Option<(NaiveDate, Money)> = None;
        for statement in &self.statements {
            let (Some((opening, closing)), (first_on, last_on)) = (statement.balances(), statement.days()?) else {
                continue;
            };
            if last_on > day {
                if first_on <= day {
                    return Ok((opening + self.entries_between(first_on, day), Some(day)));
                }
                continue;
            }
            let is_right =
                |end: NaiveDate, closing: Money| closing == self.base() + self.entries_between(NaiveDate::MIN, end);
            // Of several statements of one day the one counts that tells all of it.
            let is_better = last.is_none_or(|(end, known)| end < last_on || (end == last_on && !is_right(end, known)));
            if is_better {
                last = Some((last_on, closing));
            }
        }
        Ok(match last {
            // What advices told after the last statement.
            Some((end, closing)) => {
                let later = end.succ_opt().map_or(Money::ZERO, |next| self.entries_between(next, day));
                (closing + later, Some(end))
            }
            None => (self.base() + self.entries_between(NaiveDate::MIN, day), None),
        })
    }

    /// The part of one of our items that counts: of what is older than the first statement only what it answers.
    fn counted(&self, item: &BookItem) -> Money {
        match self.known.complete_from {
            Some(from) if item.on < from => item.answered,
            _ => item.amount,
        }
    }

    /// Movements of our balance up to a day, by kind.
    fn book(&self, day: NaiveDate) -> HashMap<&'static str, Money> {
        let mut sums: HashMap<&'static str, Money> = HashMap::new();
        for (item, _) in self.items.iter().filter(|(item, _)| item.on <= day) {
            *sums.entry(item.kind.code()).or_default() += self.counted(item);
        }
        for taken in &self.known.entries {
            let own = self.own_kind(taken.no);
            let (kind, on) = match (own, self.explained_on(taken)) {
                (Some(kind), _) => (kind.code(), taken.entry.booked_on),
                (None, Some(on)) => ("explained", on),
                (None, None) => continue,
            };
            if on <= day {
                *sums.entry(kind).or_default() += taken.entry.amount;
            }
        }
        sums
    }

    fn own_kind(&self, entry_no: i64) -> Option<OwnKind> {
        let part = self.parts.get(&entry_no)?.first()?;
        OwnKind::ALL.into_iter().find(|kind| kind.code() == part.kind)
    }

    /// When an entry that answers nothing was explained; not before the bank had it.
    fn explained_on(&self, taken: &TakenEntry) -> Option<NaiveDate> {
        if self.parts.contains_key(&taken.no) {
            return None;
        }
        self.explained.get(&taken.no).map(|on| (*on).max(taken.entry.booked_on))
    }

    /// What one side has as of a day and the other has not, oldest first.
    fn open(&self, day: NaiveDate) -> Vec<OpenItem> {
        let mut open = Vec::new();
        for (item, answers) in self.items.iter().filter(|(item, _)| item.on <= day) {
            let answered: Money = answers.iter().filter(|(on, _)| *on <= day).map(|(_, amount)| *amount).sum();
            let amount = self.counted(item) - answered;
            if !amount.is_zero() {
                let what = item.kind.title().to_string();
                open.push(OpenItem { on: item.on, amount, is_ours: true, reference: item.file_ref.clone(), what });
            }
        }
        for taken in self.known.entries.iter().filter(|taken| taken.entry.booked_on <= day) {
            let amount = match self.parts.get(&taken.no) {
                Some(_) if self.own_kind(taken.no).is_some() => Money::ZERO,
                Some(parts) => parts
                    .iter()
                    .filter(|part| self.booked_on(part).is_none_or(|on| on > day))
                    .map(|p| Money(p.amount_fen))
                    .sum(),
                None if self.explained_on(taken).is_some_and(|on| on <= day) => Money::ZERO,
                None => taken.entry.amount,
            };
            if !amount.is_zero() {
                let entry = &taken.entry;
                let words = [entry.text.as_str(), entry.counterparty_name.as_str(), entry.our_ref.as_str()];
                let words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).map(mask_long_numbers).collect();
                let reference = format!("第 {} 号分录", taken.no);
                open.push(OpenItem { on: entry.booked_on, amount, is_ours: false, reference, what: words.join("，") });
            }
        }
        open.sort_by_key(|item| item.on);
        open
    }

    /// The day on which our books have what a part answers.
    fn booked_on(&self, part: &StoredPart) -> Option<NaiveDate> {
        let is_it = |item: &BookItem| {
            (Some(item.run_no), Some(item.file_no), Some(item.event_no), item.kind.code())
                == (part.run_no, part.file_no, part.book_event_no, &part.kind)
        };
        self.items.iter().find(|(item, _)| is_it(item)).map(|(item, _)| item.on)
    }

    /// What breaks the books of the account.
    pub(super) fn problems(&self) -> Result<Vec<String>, Failure> {
        let mut problems = Vec::new();
        for taken in &self.known.entries {
            let Some(parts) = self.parts.get(&taken.no) else { continue };
            let sum: Money = parts.iter().map(|part| Money(part.amount_fen)).sum();
            if sum != taken.entry.amount {
                let (sum, amount) = (sum.grouped(), taken.entry.amount.grouped());
                problems.push(format!("对账单第 {} 号分录 {amount} 元，配对合计 {sum} 元", taken.no));
            }
        }
        for (item, answers) in &self.items {
            let sum: Money = answers.iter().map(|(_, amount)| *amount).sum();
            let is_within =
                sum.fen().signum() * item.amount.fen().signum() >= 0 && sum.fen().abs() <= item.amount.fen().abs();
            if !is_within {
                problems.push(format!("{}: 配对合计 {} 元", item.name(), sum.grouped()));
            }
        }
        if let Some(last) = self.known.complete_to {
            let (said, _) = self.bank_balance(last)?;
            let counted = self.base() + self.entries_between(NaiveDate::MIN, last);
            if said != counted {
                let (account, said, counted) = (masked_account(&self.number), said.grouped(), counted.grouped());
                problems.push(format!("账户 {account} 到 {last}: 对账单余额 {said} 元，期初加全部分录 {counted} 元"));
            }
        }
        Ok(problems)
    }

    /// How many items are open as of a day, and their sum whichever way the money goes: what only the bank has, what only
    /// we have.
    pub(super) fn open_sums(&self, day: NaiveDate) -> [(usize, Money); 2] {
        let mut sums = [(0, Money::ZERO); 2];
        for item in self.open(day) {
            let (count, sum) = &mut sums[usize::from(item.is_ours)];
            *count += 1;
            *sum += item.amount.max(-item.amount);
        }
        sums
    }

    /// Bank, and the number as it may be shown.
    pub(super) fn name(&self) -> (&str, String) {
        (&self.bank_code, masked_account(&self.number))
    }

    /// How many entries there are.
    pub(super) fn count(&self) -> usize {
        self.known.entries.len()
    }
}

/// The table of a month, of all accounts or those at one bank.
///
/// # Errors
/// When there are no statements.
pub async fn bank_reconciliation(office: &Office, period: Period, bank: Option<&str>) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let accounts = accounts(&mut tx, office).await?;
    let wanted: Vec<&Account> = accounts.iter().filter(|a| bank.is_none_or(|code| code == a.bank_code)).collect();
    if wanted.is_empty() {
        return Err(
            Failure::refused("NO_STATEMENTS", "还没有读入对账单").hint("用 fafang bank statement 文件 读入银行对账单")
        );
    }
    let day = period.last_day();
    let (mut sheets, mut notes) = (Vec::new(), Vec::new());
    for account in &wanted {
        let same_bank = wanted.iter().filter(|a| a.bank_code == account.bank_code).count() > 1;
        let tail: String = account.number.chars().skip(account.number.chars().count().saturating_sub(4)).collect();
        let name = if same_bank { format!("{} {tail}", account.bank_code) } else { account.bank_code.clone() };
        let bank_name = office.banks.bank(&account.bank_code).map_or(account.bank_code.as_str(), |b| &b.name);
        sheets.extend(sheets_of(account, &name, bank_name, period)?);
        if account.known.base.is_none() {
            notes.push(format!("{name}: 银行没有给余额，从零算起"));
        }
    }
    notes.push(
        "单位账面余额 = 首份对账单的期初余额 − 报盘 + 回盘失败 + 退票 + 财政拨款、利息 − 手续费 + 已说明的分录".into(),
    );
    Ok(Report {
        code: "bank-reconciliation",
        title: format!("{period} 存款余额调节表"),
        subtitle: vec![format!("单位: {}    截至 {day}    金额单位: 元", office.agency_name)],
        sheets,
        notes,
    })
}

fn sheets_of(account: &Account, name: &str, bank_name: &str, period: Period) -> Result<[Sheet; 3], Failure> {
    let day = period.last_day();
    let (bank, told_to) = account.bank_balance(day)?;
    let movements = account.book(day);
    let book = account.base() + movements.values().copied().sum();
    let open = account.open(day);
    let sum = |is_ours: bool, came: bool| -> Money {
        let wanted = |item: &&OpenItem| item.is_ours == is_ours && (item.amount > Money::ZERO) == came;
        open.iter().filter(wanted).map(|item| item.amount).sum()
    };
    let (we_got, we_paid) = (sum(true, true), -sum(true, false));
    let (bank_got, bank_paid) = (sum(false, true), -sum(false, false));
    let (right_bank, right_book) = (bank + we_got - we_paid, book + bank_got - bank_paid);
    let mut notes = vec![format!("{bank_name} 账户 {}", masked_account(&account.number))];
    match told_to {
        None => notes.push("到这一天还没有带余额的对账单，余额由以后的对账单推算".into()),
        Some(last) if last < day => notes.push(format!("对账单只到 {last}，以后的银行分录还不知道")),
        Some(_) => {}
    }
    notes.push(if right_bank == right_book {
        "两边调节后余额相等".to_string()
    } else {
        format!("两边调节后余额不等，差 {} 元，请运行 fafang doctor", (right_bank - right_book).grouped())
    });
    let table = Sheet {
        name: format!("调节表 {name}"),
        columns: vec![
            Column::text("bank_line", "银行"),
            Column::money("bank_amount", "金额"),
            Column::text("book_line", "单位"),
            Column::money("book_amount", "金额"),
        ],
        rows: vec![
            vec!["银行对账单余额".into(), bank.into(), "单位账面余额".into(), book.into()],
            vec!["加: 单位已收、银行未收".into(), we_got.into(), "加: 银行已收、单位未收".into(), bank_got.into()],
            vec!["减: 单位已付、银行未付".into(), we_paid.into(), "减: 银行已付、单位未付".into(), bank_paid.into()],
        ],
        total: Some(vec!["调节后余额".into(), right_bank.into(), "调节后余额".into(), right_book.into()]),
        notes,
    };
    let columns = vec![
        Column::text("kind", "类别"),
        Column::text("on", "日期"),
        Column::count("age_days", "天数"),
        Column::money("amount", "金额"),
        Column::text("reference", "编号"),
        Column::text("what", "内容"),
    ];
    let kinds = [(false, true), (false, false), (true, true), (true, false)];
    let rows: Vec<Vec<Value>> = kinds
        .into_iter()
        .flat_map(|kind| open.iter().filter(move |item| (item.is_ours, item.amount > Money::ZERO) == kind))
        .map(|item| {
            let kind = match (item.is_ours, item.amount > Money::ZERO) {
                (false, true) => "银行已收单位未收",
                (false, false) => "银行已付单位未付",
                (true, true) => "单位已收银行未收",
                (true, false) => "单位已付银行未付",
            };
            let amount = item.amount.max(-item.amount);
            let age = (day - item.on).num_days();
            vec![
                kind.into(),
                item.on.to_string().into(),
                age.into(),
                amount.into(),
                item.reference.clone().into(),
                item.what.clone().into(),
            ]
        })
        .collect();
    let none = if rows.is_empty() { vec!["没有未达账项".to_string()] } else { Vec::new() };
    let list = Sheet { name: format!("未达账项 {name}"), columns, rows, total: None, notes: none };
    Ok([table, list, movements_sheet(account, name, period, &movements)])
}

/// How our balance of the month came about.
fn movements_sheet(account: &Account, name: &str, period: Period, movements: &HashMap<&'static str, Money>) -> Sheet {
    let before = account.book(period.previous().last_day());
    let of = |sums: &HashMap<&'static str, Money>, kind| sums.get(kind).copied().unwrap_or_default();
    let opening = account.base() + before.values().copied().sum();
    let mut rows: Vec<Vec<Value>> = vec![vec!["期初账面余额".into(), opening.into()]];
    for (kind, title) in KINDS {
        let moved = of(movements, kind) - of(&before, kind);
        if !moved.is_zero() {
            rows.push(vec![title.into(), moved.into()]);
        }
    }
    let closing = account.base() + movements.values().copied().sum();
    Sheet {
        name: format!("账面 {name}"),
        columns: vec![Column::text("item", "项目"), Column::money("amount", "金额")],
        rows,
        total: Some(vec!["期末账面余额".into(), closing.into()]),
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bank_book::ItemKind;

    #[test]
    fn every_kind_has_a_name() {
        let kinds = ItemKind::ALL.map(ItemKind::code).into_iter().chain(OwnKind::ALL.map(OwnKind::code));
        for kind in kinds {
            assert!(KINDS.iter().any(|(known, _)| *known == kind), "{kind}");
        }
    }
}
