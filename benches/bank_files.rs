//! How fast a million payments become a bank's file, and its answer rows again, on one core.
//!
//! `cargo bench --bench bank_files` measures a million rows and fails below 50 MB/s of writing or 750,000 rows/s of
//! reading. Without `--bench`, as the tests run it, a thousand rows show that it works, and nothing is measured.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use fafang::domain::bank::{Bank, Layout};
use fafang::domain::bank_form::Form;
use fafang::domain::money::Money;
use fafang::domain::period::date_number;
use fafang::formats::bank::book;
use fafang::formats::bank::layout::{reader, writer};
use fafang::formats::bank::neutral::{self, FileHeader, PaymentRow};
use fafang::formats::charset::{Charset, encode};

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows of a file, measured and tried.
const ROWS: [usize; 2] = [1_000_000, 1_000];

/// Bytes written a second, and rows read a second, at least.
const LEAST: [u128; 2] = [50_000_000, 750_000];

/// A layout with fields between separators, of a bank that numbers the rows.
const DELIMITED: &str = "city-bank-core";

fn main() -> Outcome<()> {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let count = ROWS[usize::from(!is_measured)];
    let names: Vec<String> = (0..count).map(name).collect();
    let accounts: Vec<String> = (0..count).map(|at| format!("62299900{:011}", at * 37)).collect();
    let numbers: Vec<String> = (0..count).map(|at| format!("65282719{:010}", at * 91)).collect();
    let references: Vec<String> = (1..=count).map(|line| format!("652827-202601-1-{line}")).collect();
    let rows: Vec<PaymentRow<&str>> = (0..count)
        .map(|at| PaymentRow {
            line_no: i64::try_from(at + 1).unwrap_or_default(),
            account: accounts[at].as_str(),
            holder: names[at].as_str(),
            amount: Money(amount(at)),
            citizen_number: numbers[at].as_str(),
            remark: "补贴2026-01",
            payment_ref: references[at].as_str(),
        })
        .collect();
    let header = FileHeader {
        file_ref: "652827-202601-1-RCC-1".to_string(),
        agency_code: "652827".to_string(),
        scheme_code: "pochan1995".to_string(),
        periods: "2026-01".parse()?,
        pay_date: chrono::NaiveDate::from_ymd_opt(2026, 1, 15).unwrap_or_default(),
        rows: count,
        total: rows.iter().map(|row| row.amount).sum(),
        part: 1,
        parts: 1,
    };
    let rates = [ours(&header, &rows)?, delimited(&header, &rows)?].concat();
    if is_measured && rates.iter().any(|(rate, least)| rate < least) {
        return Err("slower than promised".into());
    }
    Ok(())
}

/// Chinese names of two to four characters, one in eight a long transliterated one.
fn name(at: usize) -> String {
    let characters: Vec<char> = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗建国秀英桂兰志强东晐".chars().collect();
    if at.is_multiple_of(8) {
        return format!("阿依古丽·买买提{}", characters[at / 8 % characters.len()]);
    }
    (0..2 + at % 3).map(|place| characters[(at / 7 + place * 11) % characters.len()]).collect()
}

fn amount(at: usize) -> i64 {
    i64::try_from(10_000 + at * 7 % 90_000).unwrap_or_default()
}

/// Rates that were reached, with the least of each.
type Rates = Vec<(u128, u128)>;

fn ours(header: &FileHeader, rows: &[PaymentRow<&str>]) -> Outcome<Rates> {
    let layout = layout("neutral", rows.len())?;
    let began = Instant::now();
    let bytes = neutral::write_payment_file(header, rows, &layout).map_err(|problems| format!("{:?}", problems[0]))?;
    let written = rate("neutral: bytes written", bytes.len(), began.elapsed(), LEAST[0])?;

    let (total, date) = (header.total, date_number(header.pay_date));
    let mut text = format!("R|{}|652827|pochan1995|2026-01|{date}|{}|{total}|1/1\r\n", header.file_ref, rows.len());
    for row in rows {
        let PaymentRow { line_no, account, holder, amount, payment_ref, .. } = row;
        write!(text, "D|{line_no}|{account}|{holder}|{amount}|S|||BANK{line_no}|{date}|{payment_ref}\r\n")?;
    }
    write!(text, "T|{}|{total}|{}|{total}\r\n", rows.len(), rows.len())?;
    let answer = encode(&text, Charset::Gb18030)?;
    drop(text);
    let began = Instant::now();
    let text = neutral::answer_text(&answer)?;
    let read = neutral::parse_answer(&text)?;
    let took = began.elapsed();
    let same = read.rows.iter().zip(rows).all(|(read, row)| (read.holder, read.amount) == (row.holder, Ok(row.amount)));
    if read.rows.len() != rows.len() || !same {
        return Err("the answer was read as another".into());
    }
    Ok(vec![written, rate("neutral: rows read", read.rows.len(), took, LEAST[1])?])
}

fn delimited(header: &FileHeader, rows: &[PaymentRow<&str>]) -> Outcome<Rates> {
    let layout = layout(DELIMITED, rows.len())?;
    let form: &Form = layout.form.as_ref().ok_or("no form")?;
    let bank = Bank {
        code: "CITY".to_string(),
        name: "城商行".to_string(),
        aliases: Vec::new(),
        account_lengths: vec![19],
        card_check: false,
        layout: layout.code.clone(),
        values: [("unit_no", "8800123456".to_string())].into(),
    };
    let sheet = writer::Sheet { header, run_no: 1, bank: &bank, layout: &layout, form };
    let began = Instant::now();
    let (_, bytes) = writer::write_payment_file(&sheet, rows).map_err(|problems| problems[0].to_string())?;
    let written = rate("delimited: bytes written", bytes.len(), began.elapsed(), LEAST[0])?;

    let date = date_number(header.pay_date);
    let mut text = format!("0|1|{date}|8800123456|4|5|{}|{}|\r\n", rows.len(), header.total);
    text += "顺序编号|客户姓名|金额|账号|处理结果|失败原因|\r\n";
    for (seq, row) in (1..).zip(rows) {
        let PaymentRow { account, holder, amount, .. } = row;
        write!(text, "{seq}|{holder}|{amount}|{account}|成功||\r\n")?;
    }
    let answer = encode(&text, Charset::Gb18030)?;
    drop(text);
    let began = Instant::now();
    let read = reader::read_answer(&layout, form, &bank, "answer.txt", &answer)?;
    let took = began.elapsed();
    let same = read
        .rows
        .iter()
        .zip(rows)
        .all(|(read, row)| (read.account.as_deref(), read.amount) == (Some(row.account), Some(row.amount)));
    if read.rows.len() != rows.len() || !same {
        return Err("the bank's answer was read as another".into());
    }
    Ok(vec![written, rate("delimited: rows read", read.rows.len(), took, LEAST[1])?])
}

/// A layout of the program without its limit of rows.
fn layout(code: &str, rows: usize) -> Outcome<Layout> {
    let book = book::built_in()?;
    let mut layout = book.layout(code).ok_or("no such layout")?.clone();
    layout.row_limit = rows;
    Ok(layout)
}

fn rate(what: &str, count: usize, took: Duration, least: u128) -> Outcome<(u128, u128)> {
    let rate = u128::try_from(count)? * 1_000_000 / took.as_micros().max(1);
    writeln!(std::io::stdout(), "{what}: {count} in {} ms, {rate}/s, at least {least}/s", took.as_millis())?;
    Ok((rate, least))
}
