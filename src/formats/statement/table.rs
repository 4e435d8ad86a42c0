//! Statements that come as tables, CSV or workbook: columns by their titles, in any order. 借方 is what went out of the
//! account and 贷方 what came in, as banks say it.
//!
//! With a column of balances every row is checked against the one before it, whichever way the bank sorts; without
//! one nothing can be proved, and the statement has no balances.

use chrono::NaiveDate;
use serde::Deserialize;

use super::{ReadError, amount, wrong};
use crate::domain::money::Money;
use crate::domain::period::parse_date;
use crate::domain::statement::{Balances, Entry, Statement};
use crate::domain::text::folded;
use crate::formats::charset::Charset;
use crate::formats::list::without_time;
use crate::formats::table::{Cell, Header, Row, Table, read_table, total_word};

/// How an office's banks write their tables where that is not known already: further titles of columns, the unit
/// of amounts, the charset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatementTable {
    /// 记账日期.
    pub date: Vec<String>,
    /// 借方发生额: went out.
    pub debit: Vec<String>,
    /// 贷方发生额: came in.
    pub credit: Vec<String>,
    /// One column for both: signed, or with [`StatementTable::mark`].
    pub amount: Vec<String>,
    /// 借贷标志.
    pub mark: Vec<String>,
    /// 余额, after the row.
    pub balance: Vec<String>,
    /// 对方户名.
    pub counterparty_name: Vec<String>,
    /// 对方账号.
    pub counterparty_account: Vec<String>,
    /// 银行流水号.
    pub bank_ref: Vec<String>,
    /// Our reference.
    pub our_ref: Vec<String>,
    /// 摘要, 用途, 附言 …: all of them together.
    pub text: Vec<String>,
    /// 本方账号.
    pub account: Vec<String>,
    /// True where amounts are 分.
    pub fen: bool,
    /// Charset of CSV, where it is not told by the bytes.
    #[serde(deserialize_with = "charset")]
    pub charset: Option<Charset>,
}

fn charset<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Option<Charset>, D::Error> {
    let name = String::deserialize(text)?;
    let found = Charset::parse(&name);
    found.map(Some).ok_or_else(|| serde::de::Error::custom(format!("charset {name}，应为 utf-8 或 gb18030")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Date,
    Debit,
    Credit,
    Amount,
    Mark,
    Balance,
    Name,
    CounterAccount,
    BankRef,
    OurRef,
    Text,
    Account,
}

/// Titles that banks are known to use.
const TITLES: &[(Column, &[&str])] = &[
    (
        Column::Date,
        &["记账日期", "入账日期", "交易日期", "会计日期", "记帐日期", "日期", "交易时间", "记账时间", "入账时间"],
    ),
    (
        Column::Debit,
        &["借方发生额", "借方金额", "借方", "支出金额", "支出", "转出金额", "付款金额", "借方发生额(支取)"],
    ),
    (
        Column::Credit,
        &["贷方发生额", "贷方金额", "贷方", "收入金额", "收入", "转入金额", "收款金额", "贷方发生额(收入)"],
    ),
    (Column::Amount, &["交易金额", "发生额", "金额", "交易发生额"]),
    (Column::Mark, &["借贷标志", "借贷方向", "收支标志", "借贷", "收支方向", "借/贷", "收/支", "借贷标识"]),
    (Column::Balance, &["余额", "账户余额", "本次余额", "交易后余额", "联机余额", "当前余额", "账面余额"]),
    (
        Column::Name,
        &["对方户名", "对方账户名称", "对方单位名称", "对方名称", "对方帐户名称", "交易对方", "对方单位", "对手户名"],
    ),
    (Column::CounterAccount, &["对方账号", "对方帐号", "对方账户", "对方卡号", "对手账号"]),
    (
        Column::BankRef,
        &["流水号", "交易流水号", "银行流水号", "核心流水号", "柜员流水号", "交易流水", "日志号", "交易序号"],
    ),
    (Column::OurRef, &["客户参考号", "企业流水号", "业务参考号", "端到端标识", "客户流水号", "业务编号"]),
    (Column::Text, &["摘要", "交易摘要", "用途", "附言", "备注", "交易附言", "交易用途", "摘要说明", "交易说明"]),
    (Column::Account, &["账号", "帐号", "本方账号", "查询账号", "我方账号", "账户"]),
];

/// True when a table has titles that no answer to a payment file has: a day, and both sides of an account or its balance.
pub(super) fn seems(name: &str, bytes: &[u8], layout: &StatementTable) -> bool {
    let Ok(table) = read_table(name, bytes, layout.charset) else { return false };
    let header = find_header(&table, layout);
    let has = |column| header.column(column).is_some();
    let is_sided = has(Column::Debit) && has(Column::Credit) || has(Column::Amount) && has(Column::Mark);
    has(Column::Date) && (is_sided || has(Column::Amount) && has(Column::Balance))
}

/// Reads a table as one statement; its number is the name of the file.
pub(super) fn read(name: &str, bytes: &[u8], layout: &StatementTable) -> Result<Statement, ReadError> {
    let table = read_table(name, bytes, layout.charset)?;
    let header = find_header(&table, layout);
    let reader = Reader { header: &header, fen: layout.fen };
    let has = |column| header.column(column).is_some();
    let mut missing = Vec::new();
    if !has(Column::Date) {
        missing.push("交易日期");
    }
    let has_amounts = has(Column::Amount) || has(Column::Debit) && has(Column::Credit);
    if !has_amounts {
        missing.push("借方发生额和贷方发生额（或带借贷标志的金额）");
    }
    if !missing.is_empty() {
        return Err(ReadError::Columns(missing.join("、")));
    }
    let (above, below): (Vec<Row>, Vec<Row>) =
        table.rows().filter(|row| row.number != header.row).partition(|row| row.number < header.row);
    let mut rows = Vec::new();
    let mut account = String::new();
    for row in &below {
        if row.cells.iter().all(Cell::is_blank) || total_word(row).is_some() {
            continue;
        }
        let Some(read) = reader.row(row)? else { continue };
        let own = reader.text(row, Column::Account)?;
        if !own.is_empty() && account.is_empty() {
            account = own;
        } else if !own.is_empty() && own != account {
            return Err(wrong(row.number, "与前面各行不是同一个账号，请按账号分开导出"));
        }
        rows.push((row.number, read));
    }
    if account.is_empty() {
        account = account_above(&above);
    }
    let balances = if has(Column::Balance) { balances(&mut rows)? } else { None };
    let entries: Vec<Entry> = rows.into_iter().map(|(_, (entry, _))| entry).collect();
    let last = entries.iter().map(|e| e.booked_on).max();
    let last_on = period_above(&above).filter(|end| last.is_none_or(|last| last <= *end)).or(last);
    Statement::new(&account, name, last_on, balances, entries).map_err(|error| ReadError::Statement {
        line: header.row,
        number: name.to_string(),
        error,
    })
}

/// The header, with the office's own titles before the known ones.
fn find_header(table: &Table, layout: &StatementTable) -> Header<Column> {
    let own = [
        (Column::Date, &layout.date),
        (Column::Debit, &layout.debit),
        (Column::Credit, &layout.credit),
        (Column::Amount, &layout.amount),
        (Column::Mark, &layout.mark),
        (Column::Balance, &layout.balance),
        (Column::Name, &layout.counterparty_name),
        (Column::CounterAccount, &layout.counterparty_account),
        (Column::BankRef, &layout.bank_ref),
        (Column::OurRef, &layout.our_ref),
        (Column::Text, &layout.text),
        (Column::Account, &layout.account),
    ];
    let own: Vec<(Column, Vec<&str>)> =
        own.into_iter().map(|(column, titles)| (column, titles.iter().map(String::as_str).collect())).collect();
    let own = own.iter().map(|(column, titles)| (*column, titles.as_slice()));
    let titles: Vec<(Column, &[&str])> = own.chain(TITLES.iter().copied()).collect();
    Header::find(table, &titles)
}

/// What a row says: the entry, and the balance after it.
type ReadRow = (Entry, Option<Money>);

struct Reader<'a> {
    header: &'a Header<Column>,
    fen: bool,
}

impl Reader<'_> {
    fn text(&self, row: &Row, column: Column) -> Result<String, ReadError> {
        let mut words: Vec<String> = Vec::new();
        for (_, at, title) in self.header.known.iter().filter(|(known, _, _)| *known == column) {
            match row.cell(*at) {
                Cell::Formula(_) => return Err(wrong(row.number, format!("{title} 是公式，请粘贴为数值后再读入"))),
                Cell::Error(error) => return Err(wrong(row.number, format!("{title} 是错误值 {error}"))),
                cell => {
                    let text = cell.text().trim().to_string();
                    if !text.is_empty() && !words.contains(&text) {
                        words.push(text);
                    }
                }
            }
            // Only words are added up; of two dates or amounts the first column counts.
            if column != Column::Text && !words.is_empty() {
                break;
            }
        }
        Ok(words.join(" "))
    }

    /// An amount; `None` where there is none.
    fn money(&self, row: &Row, column: Column) -> Result<Option<Money>, ReadError> {
        let text = self.text(row, column)?;
        if ["", "-", "--", "—"].contains(&&*folded(&text)) {
            return Ok(None);
        }
        let title = self.header.column(column).map_or("", |(_, title)| title);
        let read = amount(row.number, title, Money::parse_total(&text))?;
        if !self.fen {
            return Ok(Some(read));
        }
        match read.fen() % 100 {
            0 => Ok(Some(Money(read.fen() / 100))),
            _ => Err(wrong(row.number, format!("{title} {text}，以分为单位的金额不应有小数"))),
        }
    }

    /// `None` for a row that is no booking: a balance brought forward.
    fn row(&self, row: &Row) -> Result<Option<ReadRow>, ReadError> {
        let line = row.number;
        let date = self.text(row, Column::Date)?;
        let debit = self.money(row, Column::Debit)?.filter(|m| !m.is_zero());
        let credit = self.money(row, Column::Credit)?.filter(|m| !m.is_zero());
        let single = self.money(row, Column::Amount)?;
        let mark = self.text(row, Column::Mark)?;
        let (amount, is_reversal) = match (debit, credit, single) {
            (Some(_), Some(_), _) => return Err(wrong(line, "借方和贷方都有金额，应只有一方")),
            // 红字: what went out is taken back.
            (Some(out), None, _) => (-out, out < Money::ZERO),
            (None, Some(came), _) => (came, came < Money::ZERO),
            (None, None, Some(single)) if mark.is_empty() => (single, false),
            (None, None, Some(single)) => match direction(&mark) {
                Some(true) => (single, single < Money::ZERO),
                Some(false) => (-single, single < Money::ZERO),
                None => return Err(wrong(line, format!("借贷标志“{mark}”，应为借或贷"))),
            },
            (None, None, None) => return Ok(None),
        };
        let booked_on = parse_date(without_time(&date))
            .or_else(|| date.get(..8).filter(|_| date.len() == 14).and_then(parse_date))
            .ok_or_else(|| wrong(line, format!("日期“{date}”，应为 2026-01-31 这样的日期")))?;
        let entry = Entry {
            booked_on,
            valued_on: None,
            amount,
            bank_ref: self.text(row, Column::BankRef)?,
            our_ref: self.text(row, Column::OurRef)?,
            counterparty_name: self.text(row, Column::Name)?,
            counterparty_account: self.text(row, Column::CounterAccount)?,
            text: self.text(row, Column::Text)?,
            code: String::new(),
            is_reversal,
        };
        Ok(Some((entry, self.money(row, Column::Balance)?)))
    }
}

/// True for 贷 (came in), false for 借 (went out).
fn direction(mark: &str) -> Option<bool> {
    match folded(mark).to_ascii_uppercase().as_str() {
        "贷" | "贷方" | "收" | "收入" | "来账" | "转入" | "C" | "CR" | "CRDT" | "+" => Some(true),
        "借" | "借方" | "支" | "支出" | "往账" | "转出" | "D" | "DR" | "DBIT" | "-" => Some(false),
        _ => None,
    }
}

/// Checks row by row that the balance is the one before plus the row, in whichever order the bank sorts, and puts the
/// rows in the order of booking.
fn balances(rows: &mut [(usize, ReadRow)]) -> Result<Option<Balances>, ReadError> {
    let of = |(line, (entry, balance)): &(usize, ReadRow)| {
        let balance = balance.ok_or_else(|| wrong(*line, "没有余额，其他行有余额"))?;
        Ok::<_, ReadError>((*line, entry.amount, balance))
    };
    let mut figures = rows.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let breaks = |figures: &[(usize, Money, Money)]| {
        figures.windows(2).find(|two| two[0].2 + two[1].1 != two[1].2).map(|two| (two[0], two[1]))
    };
    if let Some((before, row)) = breaks(&figures) {
        figures.reverse();
        if breaks(&figures).is_some() {
            let expected = (before.2 + row.1).grouped();
            let what = format!(
                "余额 {}，应为上一行余额 {} + 本行 {} = {expected}",
                row.2.grouped(),
                before.2.grouped(),
                row.1.grouped()
            );
            return Err(wrong(row.0, what));
        }
        rows.reverse();
    }
    let (Some(first), Some(last)) = (figures.first(), figures.last()) else { return Ok(None) };
    Ok(Some(Balances { opening: first.2 - first.1, closing: last.2 }))
}

/// The account that a line above the titles names: `账号: 6228…`, in one cell or in two.
fn account_above(above: &[Row]) -> String {
    for row in above {
        let texts: Vec<String> = row.cells.iter().map(|cell| folded(&cell.text()).into_owned()).collect();
        for (at, text) in texts.iter().enumerate() {
            let Some(word) = ["账号", "帐号", "卡号"].into_iter().find(|word| text.contains(word)) else {
                continue;
            };
            let behind = text.split_once(word).map_or("", |(_, after)| after).trim_start_matches([':', '：']);
            let next = texts[at + 1..].iter().find(|text| !text.is_empty()).map_or("", String::as_str);
            let found = [behind, next].into_iter().find(|text| text.bytes().filter(u8::is_ascii_digit).count() >= 8);
            if let Some(found) = found {
                return found.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            }
        }
    }
    String::new()
}

/// The last day that a line above the titles names together with a first one: `2026-01-01 至 2026-01-31`.
fn period_above(above: &[Row]) -> Option<NaiveDate> {
    let is_of_date = |c: char| c.is_ascii_digit() || "-/.年月日".contains(c);
    let days_of = |text: &str| -> Vec<NaiveDate> {
        let text = if text.len() == 17 && text.is_ascii() { text.replacen('-', " ", 1) } else { text.to_string() };
        text.split(|c| !is_of_date(c)).filter_map(|part| parse_date(part.trim_matches('-'))).collect()
    };
    above.iter().find_map(|row| {
        let days: Vec<NaiveDate> = row.cells.iter().flat_map(|cell| days_of(&folded(&cell.text()))).collect();
        match days[..] {
            [first, last] if first <= last => Some(last),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Statement, ReadError> {
        read("明细.csv", text.as_bytes(), &StatementTable::default())
    }

    const ASCENDING: &str = "账户明细查询\n账号:,622800012345\n起止日期: 2026-01-01 至 2026-01-31\n\
        交易日期,借方发生额,贷方发生额,余额,对方户名,对方账号,摘要,附言,流水号\n\
        2026-01-05,,\"1,000.00\",1000.50,和静县财政局,,财政拨款,,T1\n\
        20260120,360.30,0.00,640.20,,,代发,652827-202601-1-RCC-1,T2\n\
        2026/1/21 09:10:11,-120.10,,760.30,,,冲正,,T3\n合计,240.20,1000.00\n";

    #[test]
    fn a_table_is_read_by_its_titles_whichever_way_it_is_sorted() {
        let ascending = read_text(ASCENDING).unwrap();
        assert_eq!(ascending.account, "622800012345");
        assert_eq!(
            (ascending.first_on.to_string(), ascending.last_on.to_string()),
            ("2026-01-05".into(), "2026-01-31".into())
        );
        assert_eq!(ascending.balances, Some(Balances { opening: Money(50), closing: Money(76_030) }));
        let amounts: Vec<_> = ascending.entries.iter().map(|e| (e.amount.fen(), e.is_reversal, &*e.bank_ref)).collect();
        assert_eq!(amounts, [(100_000, false, "T1"), (-36_030, false, "T2"), (12_010, true, "T3")]);
        assert_eq!(ascending.entries[1].text, "代发 652827-202601-1-RCC-1");
        assert_eq!(ascending.entries[0].counterparty_name, "和静县财政局");

        let mut lines: Vec<&str> = ASCENDING.lines().collect();
        lines[4..7].reverse();
        let descending = read_text(&lines.join("\n")).unwrap();
        assert_eq!(descending, ascending);
        let gbk = crate::formats::charset::encode(ASCENDING, Charset::Gb18030).unwrap();
        assert_eq!(read("明细.csv", &gbk, &StatementTable::default()).unwrap(), ascending);
    }

    #[test]
    fn a_balance_that_does_not_follow_is_named_by_its_row() {
        let error = read_text(&ASCENDING.replace("640.20", "640.21")).unwrap_err();
        assert_eq!(error.to_string(), "第 6 行 余额 640.21，应为上一行余额 1,000.50 + 本行 -360.30 = 640.20");
    }

    #[test]
    fn one_column_of_amounts_is_signed_or_has_a_mark() {
        let marked = "日期,借贷标志,金额,余额\n2026-01-05,贷,10.00,10.00\n2026-01-06,借,3.00,7.00\n";
        let signed = "日期,金额,余额\n2026-01-05,10.00,10.00\n2026-01-06,-3.00,7.00\n";
        for text in [marked, signed] {
            let amounts: Vec<_> = read_text(text).unwrap().entries.iter().map(|e| e.amount.fen()).collect();
            assert_eq!(amounts, [1_000, -300], "{text}");
        }
        assert!(read_text(&marked.replace('借', "付")).is_err());
        let no_balance = read_text("日期,金额\n2026-01-05,10.00\n").unwrap();
        assert_eq!(no_balance.balances, None);
    }

    #[test]
    fn an_office_adds_titles_and_says_the_unit() {
        let own: StatementTable =
            toml::from_str("date = [\"过账日\"]\ndebit = [\"出\"]\ncredit = [\"入\"]\nfen = true").unwrap();
        let text = "过账日,出,入,余额\n20260105,,1000,1050\n20260106,36030,,-34980\n";
        let statement = read("x.csv", text.as_bytes(), &own).unwrap();
        assert_eq!(statement.balances, Some(Balances { opening: Money(50), closing: Money(-34_980) }));
        let broken = text.replace("1000", "10.5");
        assert!(read("x.csv", broken.as_bytes(), &own).unwrap_err().to_string().contains("不应有小数"));
        assert!(toml::from_str::<StatementTable>("datum = []").is_err());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_row() {
        let says = |text: &str| read_text(text).unwrap_err().to_string();
        assert!(says("姓名,电话\n甲,1\n").contains("交易日期、借方发生额"));
        assert!(says("日期,借方,贷方\n20260105,1,2\n").contains("第 2 行 借方和贷方都有金额"));
        assert!(says("日期,借方,贷方\n五日,1,\n").contains("第 2 行 日期“五日”"));
        assert!(says("日期,借方,贷方\n20260105,1.005,\n").contains("第 2 行 借方"));
        assert!(says("日期,金额,账号\n20260105,1,62280001\n20260105,1,62280002\n").contains("第 3 行 与前面"));
        assert!(says("日期,金额,余额\n20260105,1,\n").contains("没有余额"));
    }
}
