//! Statements of a bank written by hand: MT940 and tables, from what was booked.

use std::fmt::Write as _;

use fafang::domain::money::Money;
use fafang::office::Office;
use fafang::reports::bank_reconciliation::bank_reconciliation;
use fafang::reports::table::{Report, Value};
use fafang::workflow::take_statement::{Said, StatementFile, Taken, take_statements};

use super::TestOffice;

/// The office's account at the first bank of the stories.
pub const ACCOUNT: &str = "300100000001";

/// A booking: day `0115`, fen, our reference, the bank's reference, its words.
pub type Booking<'a> = (&'a str, i64, &'a str, &'a str, &'a str);

fn plain(fen: i64) -> String {
    format!("{},{:02}", fen.abs() / 100, fen.abs() % 100)
}

fn mark(fen: i64) -> char {
    if fen < 0 { 'D' } else { 'C' }
}

/// An MT940 statement of 2026 whose closing balance is what the bookings say.
pub fn mt940(account: &str, number: &str, opening: i64, bookings: &[Booking<'_>], last: &str) -> Vec<u8> {
    let mut text = format!(
        "{{1:F01RCCBCNBJAXXX0000000000}}{{4:\r\n:20:S{number}\r\n:25:{account}CNY\r\n:28C:{number}/1\r\n:60F:{}260101CNY{}\r\n",
        mark(opening),
        plain(opening)
    );
    for (day, fen, our_ref, bank_ref, words) in bookings {
        let our_ref = if our_ref.is_empty() { "NONREF" } else { our_ref };
        let _ =
            write!(text, ":61:26{day}{day}{}{}NTRF{our_ref}//{bank_ref}\r\n:86:{words}\r\n", mark(*fen), plain(*fen));
    }
    let closing = opening + bookings.iter().map(|b| b.1).sum::<i64>();
    let _ = write!(text, ":62F:{}26{last}CNY{}\r\n-}}", mark(closing), plain(closing));
    encoding_rs::GB18030.encode(&text).0.into_owned()
}

/// The same as a table with balances, without the bank's references.
pub fn table(account: &str, opening: i64, bookings: &[Booking<'_>], last: &str) -> Vec<u8> {
    let mut text = format!(
        "账号,{account}\n起止日期,2026-01-01,2026-{}-{}\n交易日期,借方发生额,贷方发生额,余额,摘要,客户参考号\n",
        &last[..2],
        &last[2..]
    );
    let mut balance = opening;
    for (day, fen, our_ref, _, words) in bookings {
        balance += fen;
        let (debit, credit) =
            if *fen < 0 { (Money(-fen).to_string(), String::new()) } else { (String::new(), Money(*fen).to_string()) };
        let _ = writeln!(text, "2026{day},{debit},{credit},{},{words},{our_ref}", Money(balance));
    }
    text.into_bytes()
}

impl TestOffice {
    /// The finance desk of an office that has said from which account each of these banks is paid.
    pub fn paying(&self, accounts: &[(&str, &str)]) -> Office {
        let mut office = self.as_finance();
        for (code, account) in accounts {
            let bank = office.banks.banks.iter_mut().find(|bank| bank.code == *code).unwrap();
            bank.values.insert("payer_account", (*account).to_string());
        }
        office
    }
}

/// Takes in files that are good.
pub async fn take(office: &Office, files: &[&[u8]]) -> Taken {
    try_take(office, files).await.unwrap()
}

/// Takes in files that may be refused.
pub async fn try_take(office: &Office, files: &[&[u8]]) -> Result<Taken, fafang::failure::Failure> {
    let files = files
        .iter()
        .zip(1..)
        .map(|(bytes, no)| Ok(StatementFile { name: format!("对账单{no}"), bytes: bytes.to_vec() }));
    take_statements(office, files, Said::default()).await
}

/// The table of a month: bank, ours, what each side lacks (we received, we paid, the bank received, the bank paid), and
/// both sides put right.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub bank: i64,
    pub book: i64,
    pub ours: (i64, i64),
    pub banks: (i64, i64),
    pub right: i64,
    /// Kind, day and age of each open item.
    pub open: Vec<String>,
}

/// The tables of a month, one an account; each must foot.
pub async fn tables(office: &Office, period: &str) -> Vec<Table> {
    let report = bank_reconciliation(office, period.parse().unwrap(), None).await.unwrap();
    report.sheets.chunks(3).map(|sheets| one(&report, &sheets[0], &sheets[1], &sheets[2])).collect()
}

fn one(
    report: &Report,
    table: &fafang::reports::table::Sheet,
    list: &fafang::reports::table::Sheet,
    moved: &fafang::reports::table::Sheet,
) -> Table {
    let fen = |value: &Value| match value {
        Value::Money(money) => money.fen(),
        other => panic!("{other:?}"),
    };
    let cell = |row: usize, column: usize| fen(&table.rows[row][column]);
    let total = table.total.as_ref().unwrap();
    let right = fen(&total[1]);
    assert_eq!(right, fen(&total[3]), "{report:#?}");
    assert_eq!(right, cell(0, 1) + cell(1, 1) - cell(2, 1));
    assert_eq!(right, cell(0, 3) + cell(1, 3) - cell(2, 3));
    let book = cell(0, 3);
    assert_eq!(fen(&moved.total.as_ref().unwrap()[1]), book);
    assert_eq!(moved.rows.iter().map(|row| fen(&row[1])).sum::<i64>(), book, "{moved:#?}");
    let open = list.rows.iter().map(|row| {
        let [kind, on, age] = [0, 1, 2].map(|at| row[at].plain());
        format!("{kind} {on} {age}天 {}", row[3].plain())
    });
    let open = open.collect();
    Table { bank: cell(0, 1), book, ours: (cell(1, 1), cell(2, 1)), banks: (cell(1, 3), cell(2, 3)), right, open }
}
