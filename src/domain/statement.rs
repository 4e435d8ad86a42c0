//! A bank's own account statement (对账单): what it says was booked on an account of the office, and the balances
//! before and after.
//!
//! A [`Statement`] that exists foots: opening + entries = closing. Where a bank gives no balances (an advice,
//! a table without that column) there are none, and nothing can be proved of it.

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

use super::money::Money;
use super::text::{folded, mask_middle, printable};

/// More than this is booked on no account within one statement, up and down together: ten trillion 元.
const LARGEST_TURNOVER_FEN: i128 = 1_000_000_000_000_000;

/// One booking on the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bank's booking date (记账日).
    pub booked_on: NaiveDate,
    /// The day from which the money counts (起息日), where it is told.
    pub valued_on: Option<NaiveDate>,
    /// Positive: came in. Negative: went out. Never zero.
    pub amount: Money,
    /// The bank's own reference (流水号); empty when there is none.
    pub bank_ref: String,
    /// Our reference that the bank gives back; empty when there is none.
    pub our_ref: String,
    /// Who paid or was paid.
    pub counterparty_name: String,
    /// Their account.
    pub counterparty_account: String,
    /// Summary, use and remark, in the bank's words.
    pub text: String,
    /// The bank's code for the kind of booking.
    pub code: String,
    /// True where the bank says that it takes back an earlier booking (冲正).
    pub is_reversal: bool,
}

/// An entry that was taken in, under its number within the agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenEntry {
    /// 1, 2, 3 … in the order of taking in.
    pub no: i64,
    /// The entry.
    pub entry: Entry,
}

/// Balances of a statement, as the bank says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// Before the first entry.
    pub opening: Money,
    /// After the last.
    pub closing: Money,
}

/// An account statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The account, in its plain form; empty when the file does not say.
    pub account: String,
    /// The bank's number of the statement, or the file's name.
    pub number: String,
    /// Day of its first entry; without entries its last day.
    pub first_on: NaiveDate,
    /// Last day that it tells of.
    pub last_on: NaiveDate,
    /// Balances, where the bank gives them.
    pub balances: Option<Balances>,
    /// Bookings in the order of their days.
    pub entries: Vec<Entry>,
    /// What a clerk should know of how it was read.
    pub notices: Vec<String>,
}

/// Why a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Three figures that do not foot.
    #[error(
        "期初余额 {} + 发生额合计 {} ≠ 期末余额 {}，差 {}",
        .opening.grouped(), .entries.grouped(), .closing.grouped(), (*.closing - *.opening - *.entries).grouped()
    )]
    DoesNotFoot {
        /// Opening balance.
        opening: Money,
        /// Sum of the entries.
        entries: Money,
        /// Closing balance.
        closing: Money,
    },
    /// A day that no statement of the office has.
    #[error("日期 {0} 不合理，应在 2000 年至 2100 年之间")]
    Date(NaiveDate),
    /// An entry after the last day.
    #[error("有 {entry} 的分录，晚于对账单的截止日 {last}")]
    AfterTheEnd {
        /// Day of the entry.
        entry: NaiveDate,
        /// Last day of the statement.
        last: NaiveDate,
    },
    /// Neither entries nor a day.
    #[error("既没有分录也没有日期")]
    Nothing,
    /// Sums beyond any account of the office.
    #[error("发生额合计超出上限")]
    TooLarge,
}

impl StatementError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            StatementError::DoesNotFoot { .. } => "STATEMENT_DOES_NOT_FOOT",
            StatementError::Date(_) | StatementError::AfterTheEnd { .. } => "STATEMENT_DATE",
            StatementError::Nothing => "STATEMENT_EMPTY",
            StatementError::TooLarge => "STATEMENT_TOO_LARGE",
        }
    }
}

impl Statement {
    /// A statement from what a file says. `last_on` is the day of the closing balance or the end of the period,
    /// where the file says one. Entries of nothing are left out; the others are put in the order of their days.
    ///
    /// # Errors
    /// When the figures do not foot or a day cannot be.
    pub fn new(
        account: &str,
        number: &str,
        last_on: Option<NaiveDate>,
        balances: Option<Balances>,
        mut entries: Vec<Entry>,
    ) -> Result<Statement, StatementError> {
        entries.retain(|entry| !entry.amount.is_zero());
        for entry in &mut entries {
            let Entry { bank_ref, our_ref, counterparty_name, counterparty_account, text, code, .. } = entry;
            for words in [bank_ref, our_ref, counterparty_name, counterparty_account, text, code] {
                *words = printable(words).trim().to_string();
            }
        }
        entries.sort_by_key(|entry| entry.booked_on);
        let sum: i128 = entries.iter().map(|e| i128::from(e.amount.fen())).sum();
        let turnover: i128 = entries.iter().map(|e| i128::from(e.amount.fen()).abs()).sum();
        let ends = balances.map_or([0, 0], |b| [b.opening.fen(), b.closing.fen()]).map(i128::from);
        if turnover > LARGEST_TURNOVER_FEN || ends.iter().any(|end| end.abs() > LARGEST_TURNOVER_FEN) {
            return Err(StatementError::TooLarge);
        }
        let (first, last) = (entries.first().map(|e| e.booked_on), entries.last().map(|e| e.booked_on));
        let last_on = last_on.or(last).ok_or(StatementError::Nothing)?;
        let first_on = first.unwrap_or(last_on);
        if let Some(strange) = [first_on, last_on].into_iter().find(|day| !(2000..2100).contains(&day.year())) {
            return Err(StatementError::Date(strange));
        }
        if let Some(entry) = last.filter(|entry| *entry > last_on) {
            return Err(StatementError::AfterTheEnd { entry, last: last_on });
        }
        if let Some(Balances { opening, closing }) = balances
            && ends[0] + sum != ends[1]
        {
            let entries = Money(i64::try_from(sum).map_err(|_| StatementError::TooLarge)?);
            return Err(StatementError::DoesNotFoot { opening, entries, closing });
        }
        let (account, number) = (plain_account(&printable(account)), printable(number).trim().to_string());
        Ok(Statement { account, number, first_on, last_on, balances, entries, notices: Vec::new() })
    }

    /// The account as it may be shown.
    #[must_use]
    pub fn masked_account(&self) -> String {
        masked_account(&self.account)
    }
}

/// An account of the office as it may be shown: its ends are enough to know it by.
#[must_use]
pub fn masked_account(account: &str) -> String {
    mask_middle(account, 4, 4)
}

/// An account in the form in which two writings of it are the same: without the bank's code before a slash, the
/// currency behind, blanks and hyphens.
#[must_use]
pub fn plain_account(text: &str) -> String {
    let text = folded(text).to_ascii_uppercase();
    let number = text.rsplit('/').next().unwrap_or_default().replace('-', "");
    let bare = ["CNY", "RMB"].iter().find_map(|currency| number.strip_suffix(currency));
    bare.filter(|rest| !rest.is_empty()).unwrap_or(&number).to_string()
}

/// Words by which an office recognises bookings that answer no payment file, looked for in the bank's text and in the
/// name of the counterparty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementWords {
    /// 手续费 …: money out.
    pub charge: Vec<String>,
    /// 利息 …: money in.
    pub interest: Vec<String>,
    /// 财政拨款 …: money in.
    pub funding: Vec<String>,
    /// 退票 …: money that came back.
    pub late_return: Vec<String>,
}

impl Default for StatementWords {
    fn default() -> StatementWords {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        StatementWords {
            charge: words(&["手续费", "工本费", "账户管理费", "汇划费", "回单费", "短信费"]),
            interest: words(&["利息", "结息"]),
            funding: words(&["财政拨款", "拨款", "用款额度", "财政局", "国库"]),
            late_return: words(&["退票", "退汇", "退回"]),
        }
    }
}

impl StatementWords {
    /// True when one of the words stands in the entry.
    #[must_use]
    pub fn stand_in(words: &[String], entry: &Entry) -> bool {
        let is_said = |word: &String| entry.text.contains(&**word) || entry.counterparty_name.contains(&**word);
        words.iter().any(is_said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn entry(on: &str, fen: i64) -> Entry {
        Entry {
            booked_on: day(on),
            valued_on: None,
            amount: Money(fen),
            bank_ref: String::new(),
            our_ref: String::new(),
            counterparty_name: String::new(),
            counterparty_account: String::new(),
            text: String::new(),
            code: String::new(),
            is_reversal: false,
        }
    }

    fn balances(opening: i64, closing: i64) -> Balances {
        Balances { opening: Money(opening), closing: Money(closing) }
    }

    #[test]
    fn a_statement_foots_or_names_its_three_figures() {
        let entries = vec![entry("2026-01-20", -36_030), entry("2026-01-05", 100_000), entry("2026-01-21", 0)];
        let read = Statement::new("6228 0001", "1", None, Some(balances(50, 64_020)), entries.clone()).unwrap();
        assert_eq!((read.first_on, read.last_on, read.entries.len()), (day("2026-01-05"), day("2026-01-20"), 2));
        assert_eq!(read.account, "62280001");
        let wrong = Statement::new("1", "1", None, Some(balances(50, 64_000)), entries).unwrap_err();
        assert_eq!(wrong.code(), "STATEMENT_DOES_NOT_FOOT");
        assert_eq!(wrong.to_string(), "期初余额 0.50 + 发生额合计 639.70 ≠ 期末余额 640.00，差 -0.20");
    }

    #[test]
    fn days_that_cannot_be_are_refused() {
        let read = |last: Option<&str>, entries| Statement::new("1", "1", last.map(day), None, entries);
        assert_eq!(read(None, vec![]).unwrap_err().code(), "STATEMENT_EMPTY");
        assert_eq!(read(Some("1999-12-31"), vec![]).unwrap_err().code(), "STATEMENT_DATE");
        let late = read(Some("2026-01-19"), vec![entry("2026-01-20", 1)]).unwrap_err();
        assert_eq!(late.to_string(), "有 2026-01-20 的分录，晚于对账单的截止日 2026-01-19");
        let huge = vec![entry("2026-01-20", i64::MAX), entry("2026-01-20", i64::MAX)];
        assert_eq!(read(None, huge).unwrap_err().code(), "STATEMENT_TOO_LARGE");
        assert_eq!(read(Some("2026-01-31"), vec![]).unwrap().first_on, day("2026-01-31"));
    }

    #[test]
    fn accounts_are_the_same_however_they_are_written() {
        for text in
            ["6228 0001 2345", "ABOCCNBJ/622800012345", "622800012345CNY", "6228-0001-2345", "６２２８０００１２３４５"]
        {
            assert_eq!(plain_account(text), "622800012345", "{text}");
        }
        assert_eq!(masked_account("622800012345"), "6228****2345");
    }
}
