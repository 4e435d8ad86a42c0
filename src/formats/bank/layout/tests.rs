//! Every shipped layout to the byte, what banks are known to answer, and every trap that was found
//! in programs that did this before.

use std::sync::LazyLock;

use chrono::NaiveDate;
use encoding_rs::GBK;
use proptest::prelude::*;

use super::matching::{Matched, Sent, matched};
use super::read_back::read_payment_file;
use super::reader::{LaidAnswer, ReadError, read_answer};
use super::sample::{self, Fate};
use super::writer::{CannotWrite, Sheet, write_payment_file};
use crate::domain::bank::{Bank, BankBook, Layout, ReasonClass};
use crate::domain::bank_form::{Field, Form, Said};
use crate::domain::money::Money;
use crate::formats::bank::book::{built_in, parse_bank_file};
use crate::formats::bank::neutral::{AnswerKind, AnswerStatus, FileHeader, PaymentRow};

mod core_system;
mod fixed;
mod workbooks;
mod written;
mod xml;

const STEM: &str = "652827-202601-1-";
const ICBC: &str = include_str!("../../../../config/banks/icbc-bpt.toml");

fn book() -> &'static BankBook {
    static BOOK: LazyLock<BankBook> = LazyLock::new(|| built_in().unwrap());
    &BOOK
}

fn layout(code: &str) -> Layout {
    book().layout(code).unwrap().clone()
}

fn form(layout: &Layout) -> &Form {
    layout.form.as_ref().unwrap()
}

fn bank(layout: &Layout) -> Bank {
    sample::bank(&layout.code, form(layout))
}

fn gbk(text: &str) -> Vec<u8> {
    let (bytes, _, unmappable) = GBK.encode(text);
    assert!(!unmappable, "{text}");
    bytes.into_owned()
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 16).unwrap()
}

fn payment(line_no: i64, holder: &str, fen: i64) -> PaymentRow {
    PaymentRow {
        line_no,
        account: format!("62990000000000{line_no:05}"),
        holder: holder.into(),
        amount: Money(fen),
        citizen_number: "652827194001010012".into(),
        remark: "补贴2026-01".into(),
        payment_ref: format!("{STEM}{line_no}"),
    }
}

/// 東 holds the byte of the separator; the second amount is less than one yuan.
fn two() -> Vec<PaymentRow> {
    vec![payment(7, "张東", 12_000), payment(9, "阿依古丽·买买提", 1)]
}

fn header(rows: &[PaymentRow]) -> FileHeader {
    FileHeader {
        file_ref: format!("{STEM}BANK-1"),
        agency_code: "652827".into(),
        scheme_code: "pochan1995".into(),
        periods: "2026-01".parse().unwrap(),
        pay_date: day(),
        rows: rows.len(),
        total: rows.iter().map(|r| r.amount).sum(),
        part: 1,
        parts: 1,
    }
}

fn write_for(layout: &Layout, bank: &Bank, rows: &[PaymentRow]) -> Result<(String, Vec<u8>), Vec<CannotWrite>> {
    let header = header(rows);
    write_payment_file(&Sheet { header: &header, run_no: 1, bank, layout, form: form(layout) }, rows)
}

fn write(code: &str, rows: &[PaymentRow]) -> Result<(String, Vec<u8>), Vec<CannotWrite>> {
    let layout = layout(code);
    write_for(&layout, &bank(&layout), rows)
}

fn read(code: &str, bytes: &[u8]) -> Result<LaidAnswer, ReadError> {
    let layout = layout(code);
    read_answer(&layout, form(&layout), &bank(&layout), "answer.txt", bytes)
}

fn sent(rows: &[PaymentRow]) -> Vec<Sent> {
    let one = |r: &PaymentRow| Sent {
        line_no: r.line_no,
        account: r.account.clone(),
        holder: r.holder.clone(),
        amount: r.amount,
    };
    rows.iter().map(one).collect()
}

fn understand(code: &str, bytes: &[u8], rows: &[PaymentRow]) -> Matched {
    let laid = read(code, bytes).unwrap();
    matched(&form(&layout(code)).answer, &laid, AnswerKind::Return, header(rows), STEM, &sent(rows))
}

/// Reference, line and status of every row.
fn told(matched: &Matched) -> Vec<(String, String, AnswerStatus)> {
    matched.answer.rows.iter().map(|r| (r.payment_ref.clone(), r.line_no.clone(), r.status.clone())).collect()
}

fn one(line_no: i64, status: AnswerStatus) -> (String, String, AnswerStatus) {
    (format!("{STEM}{line_no}"), line_no.to_string(), status)
}

fn workbook(rows: &[(u32, &[&str])]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in rows {
        for (column, cell) in (0..).zip(*cells) {
            sheet.write_string(*row - 1, column, *cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

// ---- every layout to the byte --------------------------------------------------------------

fn is_written_as(code: &str, name: &str, lines: &[&str]) {
    let (found_name, found) = write(code, &two()).unwrap();
    let expected = lines.join("\r\n") + "\r\n";
    assert_eq!(GBK.decode(&found).0, expected, "{code}");
    assert_eq!(found, gbk(&expected), "{code}");
    assert_eq!(found_name, name);
}

#[test]
fn icbc_bpt_byte_by_byte() {
    is_written_as(
        "icbc-bpt",
        "20260116000101.bpt",
        &[
            "#总计信息",
            "#注意：本文件中的金额均以分为单位！",
            "#币种|日期|总计标志|总金额|总笔数|",
            "RMB|20260116|1|12001|2|",
            "#明细指令信息",
            "#币种|日期|明细标志|顺序号|付款账号开户行|付款账号|付款账号名称|收款账号开户行|收款账号省份|收款账号地市|收款账号地区码|收款账号|收款账号名称|金额|汇款用途|备注信息|汇款方式|收款账户短信通知手机号码|自定义序号|",
            "RMB|20260116|2|1|00001|3000000000000000018|示例县社会保险中心|示例银行|||0000|6299000000000000007|张東|12000|652827-202601-1-7|补贴2026-01|1||652827-202601-1-7|",
            "RMB|20260116|2|2|00001|3000000000000000018|示例县社会保险中心|示例银行|||0000|6299000000000000009|阿依古丽·买买提|1|652827-202601-1-9|补贴2026-01|1||652827-202601-1-9|",
            "*",
        ],
    );
    let (_, bytes) = write("icbc-bpt", &two()).unwrap();
    assert!(bytes.windows(4).any(|w| w == b"\x96|12" || w == b"\x96\x7C|1"), "the byte of the separator is in 東");
    assert!(bytes.starts_with(b"#\xD7\xDC\xBC\xC6\xD0\xC5\xCF\xA2\r\n"));
}

#[test]
fn ccb_private_a_byte_by_byte() {
    is_written_as(
        "ccb-private-a",
        "CCBPRI20260116000101F.txt",
        &["6299000000000000007|张東|120.00|", "6299000000000000009|阿依古丽·买买提|0.01|"],
    );
}

#[test]
fn ccb_private_b_byte_by_byte() {
    is_written_as(
        "ccb-private-b",
        "CCB20260116000101.txt",
        &[
            "0000001|6299000000000000007|张東|120.00|补贴2026-01|652827-202601-1-7|",
            "0000002|6299000000000000009|阿依古丽·买买提|0.01|补贴2026-01|652827-202601-1-9|",
        ],
    );
}

#[test]
fn abc_csv_byte_by_byte() {
    is_written_as(
        "abc-csv",
        "ABC20260116000101.csv",
        &[
            "1,6299000000000000007,张東,120.00,652827-202601-1-7",
            "2,6299000000000000009,阿依古丽·买买提,0.01,652827-202601-1-9",
        ],
    );
}

#[test]
fn boc_payoff_byte_by_byte_in_yuan_and_in_fen() {
    let head = "000101|00001|3000000000000000018|CNY|120.01|2|1|1||20260116||";
    is_written_as(
        "boc-payoff",
        "BOC20260116000101.txt",
        &[
            "PAYOFFSTART",
            head,
            "102000000001|示例银行|CNY|120.00|6299000000000000007|张東|1|652827194001010012|10|",
            "102000000001|示例银行|CNY|0.01|6299000000000000009|阿依古丽·买买提|1|652827194001010012|10|",
            "PAYOFFEND",
        ],
    );
    let layout = layout("boc-payoff");
    let mut in_fen = bank(&layout);
    in_fen.values.insert("amount_unit", "fen".into());
    let text = GBK.decode(&write_for(&layout, &in_fen, &two()).unwrap().1).0.into_owned();
    assert!(text.contains(head), "the total stays in yuan: {text}");
    assert!(text.contains("|CNY|12000|") && text.contains("|CNY|1|"), "{text}");
}

#[test]
fn psbc_byte_by_byte() {
    is_written_as(
        "psbc",
        "PSBC20260116000101.txt",
        &[
            "6299000000000000007||张東||120.00|补贴2026-01|652827-202601-1-7",
            "6299000000000000009||阿依古丽·买买提||0.01|补贴2026-01|652827-202601-1-9",
        ],
    );
}

#[test]
fn city_bank_core_byte_by_byte_and_an_account_is_counted() {
    let lines = [
        "0|1|20260116|1001|4|5|2|120.01|",
        "1|张東|120.00|6299000000000000007|1001|1|652827194001010012|01|",
        "2|阿依古丽·买买提|0.01|6299000000000000009|1001|1|652827194001010012|01|",
    ];
    is_written_as("city-bank-core", "100120260116000101.txt", &lines);
    // 代理次数错误！应该为[2]
    let mut rows = two();
    rows[1].account = rows[0].account.clone();
    let text = GBK.decode(&write("city-bank-core", &rows).unwrap().1).0.into_owned();
    assert!(text.ends_with("|652827194001010012|02|\r\n"), "{text}");
}

#[test]
fn unionpay_chinapay_byte_by_byte() {
    is_written_as(
        "unionpay-chinapay",
        "1001_20260116_000101.txt",
        &[
            "1001|000101|2|12001",
            "20260116|000101000001|6299000000000000007|张東|示例银行||||12000|652827-202601-1-7|00",
            "20260116|000101000002|6299000000000000009|阿依古丽·买买提|示例银行||||1|652827-202601-1-9|00",
        ],
    );
}

// ---- what banks answer ---------------------------------------------------------------------

const ICBC_RETURN: &str = "[BatchPayDetail]\r\n查询时间：2026-01-17 09:00:00\r\n批次号：HQP000001\r\n\
    序号|币种|付款账号|付款单位名称|收款账号|收款单位名称|金额|用途|网上银行状态|银行反馈信息\r\n\
    HQP000001-1|人民币|3000000000000000018|示例县社会保险中心|6299000000000000007|张東|120.00元|652827-202601-1-7|处理成功|全部成功\r\n\
    HQP000001-2|人民币|3000000000000000018|示例县社会保险中心|6299000000000000009|阿依古丽·买买提|0.01元|652827-202601-1-9|处理失败|0212:已销户\r\n";

#[test]
fn icbc_return() {
    let found = understand("icbc-bpt", &gbk(ICBC_RETURN), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    let rejected = &found.answer.rows[1];
    assert_eq!((rejected.reason_text.as_str(), rejected.amount.clone()), ("已销户", Ok(Money(1))));
    assert_eq!(layout("icbc-bpt").reason_class(&rejected.reason_code), ReasonClass::AccountClosed);
}

#[test]
fn columns_in_another_order_are_found_by_their_titles() {
    let swap = |line: &str| {
        let mut cells: Vec<&str> = line.split('|').collect();
        if cells.len() == 10 {
            cells.swap(2, 4);
            cells.swap(3, 5);
        }
        cells.join("|")
    };
    let swapped: Vec<String> = ICBC_RETURN.lines().map(swap).collect();
    assert_ne!(swapped.join("\r\n"), ICBC_RETURN.trim_end());
    let found = understand("icbc-bpt", &gbk(&swapped.join("\r\n")), &two());
    assert_eq!(found, understand("icbc-bpt", &gbk(ICBC_RETURN), &two()));
    let missing = ICBC_RETURN.replace("|网上银行状态|", "|状态|");
    let error = read("icbc-bpt", &gbk(&missing)).unwrap_err();
    assert_eq!(error.code(), "BANK_FILE_TITLES");
    assert!(error.to_string().starts_with("第 4 行应为栏名，没有“网上银行状态”"), "{error}");
    let twice = ICBC_RETURN.replace("|付款账号|", "|收款账号|");
    assert!(read("icbc-bpt", &gbk(&twice)).unwrap_err().to_string().contains("出现两次"));
}

#[test]
fn ccb_private_a_return_is_matched_by_account_holder_and_amount() {
    let text = "6299000000000000009|阿依古丽·买买提|.01|失败|户名不符\r\n6299000000000000007|张東|120.00|成功|\r\n";
    let found = understand("ccb-private-a", &gbk(text), &two());
    assert_eq!(told(&found), [one(9, AnswerStatus::Rejected), one(7, AnswerStatus::Credited)]);
    assert!(found.ambiguous.is_empty());
}

#[test]
fn ccb_private_b_return_has_sequences_without_zeros_and_amounts_without_a_zero() {
    let text = "序号|收款账号|收款人姓名|金额|摘要|交易结果|失败原因|备注一|备注二|\r\n\
                1|6299000000000000007|张東|120.00|补贴2026-01|成功||652827-202601-1-7||\r\n\
                2|6299000000000000009|阿依古丽·买买提|.01||失败|已销户|652827-202601-1-9||\r\n";
    let found = understand("ccb-private-b", &gbk(text), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    let zeros = understand("ccb-private-b", &gbk(&text.replace("\n1|", "\n0000001|")), &two());
    assert_eq!(told(&zeros), told(&found));
    // The number of another row contradicts the reference: whoever compares the line sees it.
    let wrong = understand("ccb-private-b", &gbk(&text.replace("\n1|", "\n2|")), &two());
    assert_eq!(wrong.answer.rows[0].line_no, "9");
    assert_eq!(wrong.answer.rows[0].payment_ref, format!("{STEM}7"));
}

#[test]
fn abc_csv_return_is_a_workbook_with_thousands_separators() {
    let row = |account, holder, amount, status, reason| ["1", "", "", account, holder, "", amount, "", status, reason];
    let rows = [
        row("6299000000000000007", "张東", "120.00", "成功", ""),
        row("6299000000000000009", "阿依古丽·买买提", "1,234.00", "失败", "户名不符"),
    ];
    let sent = [payment(7, "张東", 12_000), payment(9, "阿依古丽·买买提", 123_400)];
    let book = workbook(&[(1, &["序号"]), (2, &rows[0]), (3, &rows[1])]);
    let found = understand("abc-csv", &book, &sent);
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
}

#[test]
fn boc_return_begins_in_row_eleven_of_a_workbook() {
    let row = ["1", "", "", "120.00", "6299000000000000007", "张東", "", "", "成功", ""];
    let book = workbook(&[(1, &["代发结果"]), (3, &["批次号", "000101"]), (11, &row)]);
    assert_eq!(told(&understand("boc-payoff", &book, &two())), [one(7, AnswerStatus::Credited)]);
    let early = workbook(&[(1, &["代发结果"]), (10, &row)]);
    assert_eq!(read("boc-payoff", &early).unwrap_err(), ReadError::Empty);
}

#[test]
fn psbc_return_carries_our_reference_with_a_comma() {
    let titles = ["收款人账号", "户名", "金额", "手续费", "汇划费", "用途", "附言", "交易时间", "处理结果", "失败原因"];
    let row = |account, holder, amount, reference, result, reason| {
        [account, holder, amount, "0.00", "0.00", "补贴", reference, "2026-01-16 10:30:00", result, reason]
    };
    let rows = [
        row("6299000000000000007", "张東", " 120.00 ", "652827-202601-1-7,", "交易成功", ""),
        row("6299000000000000009", "阿依古丽·买买提", "０.０１", "652827-202601-1-9", "交易失败", "户名不符"),
    ];
    let book = workbook(&[(1, &["代发明细"]), (2, &titles), (3, &rows[0]), (4, &rows[1])]);
    let found = understand("psbc", &book, &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!(found.answer.rows[0].on, Some(day()));
}

const CITY_RETURN: &str = "0|1|20260116|1001|4|5|2|120.01|\r\n顺序编号|客户姓名|金额|账号|处理结果|失败原因\r\n\
    1|张東|120.00|6299000000000000007|成功|\r\n2|阿依古丽·买买提|0.01|6299000000000000009|失败|已销户\r\n";

#[test]
fn city_bank_core_return_says_what_was_sent() {
    let laid = read("city-bank-core", &gbk(CITY_RETURN)).unwrap();
    for (field, text) in
        [(Field::PayDate, "2026-01-16"), (Field::UnitNo, "1001"), (Field::SentRows, "2"), (Field::SentTotal, "120.01")]
    {
        assert_eq!(laid.claim(field), Some(text), "{field:?}");
    }
    let found = understand("city-bank-core", &gbk(CITY_RETURN), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    for (from, to) in
        [("|20260116|", "|2026011|"), ("|2|120.01|", "|两|120.01|"), ("|120.01|", "|x|"), ("0|1|", "9|1|")]
    {
        assert_eq!(
            read("city-bank-core", &gbk(&CITY_RETURN.replacen(from, to, 1))).unwrap_err().code(),
            "BANK_FILE_FIELD"
        );
    }
}

fn chinapay(status: &str) -> Vec<u8> {
    let row = |seq: usize, account: &str, holder: &str, fen: usize, line: usize, status: &str| {
        format!(
            "20260116|1001|00010100000{seq}|20260116|1|000101|20260116||{status}|{account}|{holder}|示例银行|{fen}|0|||||{STEM}{line}||1001_20260116_000101.txt|{seq}\r\n"
        )
    };
    gbk(&(row(1, "6299000000000000007", "张東", 12_000, 7, "s")
        + &row(2, "6299000000000000009", "阿依古丽·买买提", 1, 9, status)))
}

#[test]
fn chinapay_return_in_fen_by_position() {
    let found = understand("unionpay-chinapay", &chinapay("6"), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!(found.answer.rows[0].amount, Ok(Money(12_000)));
    let yuan = String::from_utf8_lossy(&chinapay("s")).replace("|12000|", "|120.00|").into_bytes();
    assert!(read("unionpay-chinapay", &yuan).is_err(), "yuan where fen are due");
}

// ---- the traps -----------------------------------------------------------------------------

#[test]
fn trap_1_lines_alike_in_account_holder_and_amount_count_only_together() {
    let mut rows = vec![payment(1, "王建国", 12_000), payment(2, "王建国", 12_000), payment(3, "李娜", 12_000)];
    rows[1].account = rows[0].account.clone();
    let line = |status: &str| format!("{}|王建国|120.00|{status}|\r\n", rows[0].account);
    let other = format!("{}|李娜|120.00|成功|\r\n", rows[2].account);
    let both = understand("ccb-private-a", &gbk(&(line("成功") + &other + &line("成功"))), &rows);
    let credited = |no| one(no, AnswerStatus::Credited);
    assert_eq!(told(&both), [credited(1), credited(3), credited(2)]);
    assert!(both.ambiguous.is_empty());
    for unclear in [line("成功") + &line("失败"), line("成功"), line("失败"), line("成功").repeat(3)] {
        let found = understand("ccb-private-a", &gbk(&(unclear.clone() + &other)), &rows);
        assert_eq!(found.ambiguous.len(), 1, "{unclear}");
        assert_eq!(found.ambiguous[0].line_nos, [1, 2]);
        let (last, alike) = found.answer.rows.split_last().unwrap();
        assert!(alike.iter().all(|r| r.status == AnswerStatus::Open), "{unclear}");
        assert_eq!(last.status, AnswerStatus::Credited);
    }
}

#[test]
fn trap_2_only_the_exact_text_is_a_status() {
    for text in ["未成功", "不成功", "部分成功", "成功 处理", "", "处理成功。", "处理 成功", "已处理成功"]
    {
        let found = understand("icbc-bpt", &gbk(&ICBC_RETURN.replace("处理成功", text)), &two());
        assert_eq!(found.answer.rows[0].status, AnswerStatus::Unknown(text.into()), "{text}");
    }
    let open = understand("icbc-bpt", &gbk(&ICBC_RETURN.replace("处理成功", "等待银行处理")), &two());
    assert_eq!(open.answer.rows[0].status, AnswerStatus::Open);
}

#[test]
fn trap_3_empty_fields_are_fields() {
    let text = "序号|收款账号|收款人姓名|金额|摘要|交易结果|失败原因|备注一|备注二|\r\n\
                1|6299000000000000007|张東|120.00||成功||652827-202601-1-7||\r\n";
    assert_eq!(told(&understand("ccb-private-b", &gbk(text), &two())), [one(7, AnswerStatus::Credited)]);
    let short = text.replace("|成功||652827-202601-1-7||", "");
    assert_eq!(read("ccb-private-b", &gbk(&short)).unwrap_err().code(), "BANK_FILE_FIELD");
}

#[test]
fn trap_4_money_is_never_a_double() {
    // 2001.15 * 100 as a double is 200114.99…
    let rows = [payment(1, "王建国", 200_115)];
    let text = GBK.decode(&write("icbc-bpt", &rows).unwrap().1).0.into_owned();
    assert!(text.contains("|王建国|200115|") && text.contains("|1|200115|1|"), "{text}");
    let answer = ICBC_RETURN.replace("120.00元", "2,001.15元");
    assert_eq!(read("icbc-bpt", &gbk(&answer)).unwrap().rows[0].amount, Some(Money(200_115)));
}

#[test]
fn trap_5_sent_to_the_bank_is_not_credited() {
    for status in ["0", "2", "3", "4", "5"] {
        let found = understand("unionpay-chinapay", &chinapay(status), &two());
        assert_eq!(found.answer.rows[1].status, AnswerStatus::Open, "{status}");
    }
    let found = understand("unionpay-chinapay", &chinapay("S"), &two());
    assert_eq!(found.answer.rows[1].status, AnswerStatus::Unknown("S".into()));
    let laid = read("unionpay-chinapay", &chinapay("6")).unwrap();
    let answer = &form(&layout("unionpay-chinapay")).answer.clone();
    let late = matched(answer, &laid, AnswerKind::LateReturn, header(&two()), STEM, &sent(&two()));
    assert_eq!(late.answer.rows[0].status, AnswerStatus::Unknown("s".into()), "no success in a late return");
    assert_eq!(late.answer.rows[1].status, AnswerStatus::Returned);
}

#[test]
fn trap_6_amounts_as_banks_write_them() {
    for (text, fen) in [
        (".01", Some(1)),
        ("0.01元", Some(1)),
        ("1,234.00", Some(123_400)),
        ("1,234.00元", Some(123_400)),
        ("  120.00  ", Some(12_000)),
        ("　１２０．００　", Some(12_000)),
        ("120", Some(12_000)),
        ("12,34.00", None),
        ("12O.00", None),
        ("0.001", None),
        ("1e3", None),
        ("", None),
    ] {
        let found = read("icbc-bpt", &gbk(&ICBC_RETURN.replace("120.00元", text)));
        assert_eq!(found.ok().and_then(|a| a.rows[0].amount).map(Money::fen), fen, "{text}");
    }
}

#[test]
fn trap_7_blanks_inside_and_bytes_beyond_are_refused_never_cut() {
    for holder in ["王　建国", "王 建国", " 王建国", "王建国\u{3000}"] {
        let found = write("icbc-bpt", &[payment(17, holder, 1)]).unwrap_err();
        assert!(found.iter().any(|p| p.field == Field::Holder && p.problem.contains("空格")), "{holder}: {found:?}");
    }
    assert!(write("icbc-bpt", &[payment(17, "John Smith", 1)]).is_ok());
    let mut row = payment(17, "王建国", 1);
    row.account.insert(4, ' ');
    assert_eq!(write("icbc-bpt", &[row]).unwrap_err()[0].field, Field::Account);
    assert!(write("icbc-bpt", &[payment(1, &"王".repeat(30), 1)]).is_ok(), "sixty bytes");
    let found = write("icbc-bpt", &[payment(17, &("王".repeat(30) + "a"), 1)]).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "明细第 17 行（王***a）户名: 共 61 字节，最多 60 字节；不能截断，请与银行商定写法"
    );
}

#[test]
fn trap_8_the_file_bears_the_day_on_which_it_is_issued() {
    // The pay date is the business date of the issue; a file made on another day has other bytes and another name.
    let layout = layout("city-bank-core");
    let bank = bank(&layout);
    let rows = two();
    let on = |pay_date: NaiveDate| {
        let header = FileHeader { pay_date, ..header(&rows) };
        let sheet = Sheet { header: &header, run_no: 1, bank: &bank, layout: &layout, form: form(&layout) };
        write_payment_file(&sheet, &rows).unwrap()
    };
    let (friday, monday) = (on(day()), on(day() + chrono::Days::new(3)));
    assert!(friday.1.starts_with(b"0|1|20260116|1001|") && monday.1.starts_with(b"0|1|20260119|1001|"));
    assert_ne!(friday.0, monday.0);
}

#[test]
fn trap_9_foreign_and_duplicate_rows_keep_their_own_words() {
    let foreign = ICBC_RETURN.replace("652827-202601-1-9", "652827-202512-1-9");
    let found = understand("icbc-bpt", &gbk(&foreign), &two());
    assert_eq!(found.answer.rows[1].payment_ref, "652827-202512-1-9");
    assert_eq!(found.answer.rows[1].line_no, "");
    let twice = ICBC_RETURN.to_string() + ICBC_RETURN.lines().nth(4).unwrap();
    assert_eq!(understand("icbc-bpt", &gbk(&twice), &two()).answer.rows.len(), 3);
    let stranger = "6299000000000000001|赵六|1.00|成功|\r\n6299000000000000007|张東|120.00|成功|\r\n";
    let found = understand("ccb-private-a", &gbk(stranger), &two());
    assert_eq!(found.answer.rows[0].payment_ref, "赵* 1.00 元", "named, and masked");
}

#[test]
fn trap_10_comments_stars_and_totals_at_the_end() {
    let text = ICBC.replace("code = \"icbc-bpt\"", "code = \"own\"").replace(
        "head = [\"[BatchPayDetail]\", \"\", \"\"]",
        "comment = \"#\"\ntail = [\"合计|{rows}|{total}\", \"*\"]",
    );
    let (own, _) = parse_bank_file(&text).unwrap();
    let own = own.unwrap();
    let body = ICBC_RETURN.split_once("序号").unwrap().1;
    let answer = |tail: &str| format!("#说明\r\n序号{body}#中间的说明\r\n{tail}");
    let read = |tail: &str| read_answer(&own, form(&own), &bank(&own), "a.txt", &gbk(&answer(tail)));
    assert_eq!(read("合计|2|120.01\r\n*\r\n").unwrap().rows.len(), 2);
    assert_eq!(read("合计|2 笔|120.01元\r\n*\r\n\r\n").unwrap().rows.len(), 2);
    for (tail, code) in [
        ("合计|3|120.01\r\n*\r\n", "BANK_FILE_TOTALS"),
        ("合计|2|120.00\r\n*\r\n", "BANK_FILE_TOTALS"),
        ("总计|2|120.01\r\n*\r\n", "BANK_FILE_FIELD"),
        ("合计|2|120.01\r\n", "BANK_FILE_FIELD"),
        ("合计|x|120.01\r\n*\r\n", "BANK_FILE_FIELD"),
    ] {
        assert_eq!(read(tail).unwrap_err().code(), code, "{tail}");
    }
}

#[test]
fn a_character_that_only_four_bytes_hold_is_refused_with_person_field_and_code_point() {
    let found = write("icbc-bpt", &[payment(17, "李𬭎国", 1)]).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "明细第 17 行（李*国）户名: 含有“𬭎”(U+2CB4E)，GBK 无法表示；请问明银行里的户名怎么写，\
         用 fafang change account … --holder 登记银行的写法（姓名不变），再重新计算"
    );
    let text = ICBC.replace("charset = \"gbk\"", "charset = \"gb18030\"");
    let wide = parse_bank_file(&text).unwrap().0.unwrap();
    assert!(write_for(&wide, &bank(&wide), &[payment(17, "李𬭎国", 1)]).is_ok());
    for holder in ["王|国", "王\n国"] {
        let found = write("icbc-bpt", &[payment(3, holder, 1)]).unwrap_err();
        assert!(found.iter().any(|p| p.field == Field::Holder && p.problem.starts_with("含有")), "{holder:?}");
    }
}

#[test]
fn utf8_has_its_mark_and_fields_have_their_widths_in_bytes() {
    let text = ICBC
        .replace("charset = \"gbk\"", "charset = \"utf-8-bom\"")
        .replace("newline = \"crlf\"", "newline = \"lf\"")
        .replace("|{holder}|", "|{holder:left=12}|")
        .replace("|{account}|", "|{account:right=22}|")
        .replace("|1||{payment_ref}|\"", "|{bank_no:blank}|{seq:zeros=4,right=6}|\"")
        .replace("tail = [\"*\"]", "tail = [\"{rows:zeros=6}*\"]");
    let own = parse_bank_file(&text).unwrap().0.unwrap();
    let mut of = bank(&own);
    let (_, bytes) = write_for(&own, &of, &[payment(1, "王建国", 1)]).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("\u{FEFF}#总计信息\n#") && !text.contains('\r'));
    assert!(text.contains("|   6299000000000000001|王建国   |1|"), "{text}");
    assert!(text.ends_with("|102000000001|  0001|\n000001*\n"), "{text}");
    let found = write_for(&own, &of, &[payment(1, "王建国中", 1), payment(2, "王建国中人", 1)]).unwrap_err();
    assert_eq!(found.len(), 1, "twelve bytes fit, fifteen do not: {found:?}");
    of.values.remove("bank_no");
    let found = write_for(&own, &of, &[payment(1, "王建国", 1)]).unwrap_err();
    assert!(found[0].to_string().contains("bank_no"), "{}", found[0]);
}

#[test]
fn what_must_not_be_sent_is_not_written() {
    for fen in [0, -1] {
        assert_eq!(write("icbc-bpt", &[payment(1, "王", fen)]).unwrap_err()[0].field, Field::Amount);
    }
    assert!(write("icbc-bpt", &[]).is_err());
    assert_eq!(write("icbc-bpt", &[payment(1, "王", 1), payment(1, "王", 1)]).unwrap_err()[0].field, Field::PaymentRef);
    let mut small = layout("icbc-bpt");
    small.row_limit = 1;
    assert_eq!(write_for(&small, &bank(&small), &two()).unwrap_err()[0].field, Field::Rows);
    let mut odd = bank(&small);
    odd.code = "../x".into();
    let named = ICBC.replace("name = \"{pay_date}", "name = \"{bank}{pay_date}");
    let own = parse_bank_file(&named).unwrap().0.unwrap();
    assert!(write_for(&own, &odd, &two()).unwrap_err()[0].problem.contains("文件名"));
}

#[test]
fn a_description_that_cannot_be_right_is_refused_with_its_key() {
    for (from, to, key) in [
        ("charset = \"gbk\"", "charset = \"big5\"", "file.charset"),
        ("newline = \"crlf\"", "newline = \"\\r\"", "file.newline"),
        ("separator = \"|\"", "separator = \"||\"", "file.separator"),
        ("{part:zeros=2}.bpt", ".bpt", "file.name"),
        ("|{account}|{holder}|", "|{account}|", "file.row"),
        ("|{holder}|", "|{name}|", "file.row"),
        ("|{holder}|", "|{holder:cut=3}|", "file.row"),
        ("|{seq}|", "|{seq:fen}|", "file.row"),
        ("|{seq}|", "|{seq:zeros=0}|", "file.row"),
        ("|{seq}|", "|{seq|", "file.row"),
        ("|{seq}|", "|seq}|", "file.row"),
        ("|{rows}|\"", "|{account}|\"", "file.head"),
        ("|{payment_ref}|{remark}|1||{payment_ref}|", "|{remark}|{remark}|1|||", "answer.columns"),
        ("amount = \"yuan\"", "amount = \"角\"", "answer.amount"),
        ("amount = \"金额\"", "", "answer.columns"),
        ("payment_ref = \"用途\"", "", "answer.no_reference"),
        ("payment_ref = \"用途\"", "ref = \"用途\"", "answer.columns.ref"),
        ("payment_ref = \"用途\"", "payment_ref = 0", "answer.columns.payment_ref"),
        ("payment_ref = \"用途\"", "payment_ref = 8", "answer.by_position"),
        ("payment_ref = \"用途\"", "payment_ref = \"金额\"", "answer.columns.payment_ref"),
        ("reason_split = \":\"", "no_reference = \"银行不返回\"", "answer.no_reference"),
        ("reason_split = \":\"", "reason_split = \"::\"", "answer.reason_split"),
        ("credited = [\"处理成功\"]", "credited = []", "answer.status.credited"),
        ("credited = [\"处理成功\"]", "credited = [\"处理失败\"]", "answer.status.rejected"),
        ("separator = \"|\"\n", "", "file.row"),
        ("newline = \"crlf\"\n", "", "file.newline"),
        ("newline = \"crlf\"\n", "newline = \"crlf\"\nrow_least = 501\n", "file.row_least"),
        ("newline = \"crlf\"\n", "newline = \"crlf\"\nkind = \"workbook\"\n", "file.name"),
        ("newline = \"crlf\"\n", "newline = \"crlf\"\nkind = \"xml\"\n", "file.separator"),
        ("newline = \"crlf\"\n", "newline = \"crlf\"\nkind = \"xml\"\n", "file.head"),
        ("reason_split = \":\"", "record = \"ROW\"", "answer.record"),
        ("reason_split = \":\"", "no_account = \"银行不写\"", "answer.no_account"),
        ("|{seq}|", "|{seq:number}|", "file.row"),
        ("|{account}|", "|{account:number}|", "file.row"),
        ("|{seq}|", "|𬭎{seq}|", "file.row"),
        ("[\"[BatchPayDetail]\", ", "[\"{account}\", ", "answer.head"),
    ] {
        let text = ICBC.replacen(from, to, if from.starts_with("separator") { 1 } else { usize::MAX });
        assert_ne!(text, ICBC, "{from}");
        let error = parse_bank_file(&text).unwrap_err().to_string();
        assert!(error.contains(&format!(" {key}: ")), "{from} → {to}: {error}");
    }
    let without = ICBC.split("[answer]").next().unwrap();
    assert!(parse_bank_file(without).unwrap_err().to_string().contains(" answer: 没有写"));
}

#[test]
fn what_is_no_answer_is_refused() {
    for (bytes, code) in [
        (Vec::new(), "BANK_FILE_EMPTY"),
        (gbk(&ICBC_RETURN.lines().take(4).collect::<Vec<_>>().join("\r\n")), "BANK_FILE_EMPTY"),
        (ICBC_RETURN.as_bytes().to_vec(), "BANK_FILE_ENCODING"),
        ([gbk(ICBC_RETURN), vec![0xFF, b'\n']].concat(), "BANK_FILE_ENCODING"),
        ([gbk(ICBC_RETURN), vec![0]].concat(), "BANK_FILE_NUL"),
        (gbk(&ICBC_RETURN.replace("[BatchPayDetail]", "[Batch]")), "BANK_FILE_FIELD"),
        (gbk(&ICBC_RETURN.replace("张東", &"张".repeat(30_000))), "BANK_FILE_LINE_TOO_LONG"),
        (b"PK\x03\x04 no workbook".to_vec(), "WORKBOOK_DAMAGED"),
    ] {
        assert_eq!(read("icbc-bpt", &bytes).unwrap_err().code(), code);
    }
    let marked = [b"\xEF\xBB\xBF", ICBC_RETURN.as_bytes()].concat();
    assert_eq!(read("icbc-bpt", &marked), read("icbc-bpt", &gbk(ICBC_RETURN)));
    let mut formula = rust_xlsxwriter::Workbook::new();
    formula.add_worksheet().write_formula(2, 0, "=1+1").unwrap();
    assert!(read("icbc-bpt", &formula.save_to_buffer().unwrap()).unwrap_err().to_string().contains("公式"));
}

#[test]
fn quoted_fields_of_a_csv_hold_the_separator() {
    let line = "1,,,6299000000000000007,\"张東\",,\"1,234.00\",,失败,\"say \"\"no\"\"\"\r\n";
    let laid = read("abc-csv", &gbk(&format!("序号\r\n{line}"))).unwrap();
    assert_eq!((laid.rows[0].amount, laid.rows[0].reason.as_str()), (Some(Money(123_400)), "say \"no\""));
    let open = format!("序号\r\n{}", line.replace("00\"", "00"));
    assert_eq!(read("abc-csv", &gbk(&open)).unwrap_err(), ReadError::Quote(2));
}

// ---- properties ----------------------------------------------------------------------------

fn shipped() -> Vec<Layout> {
    book().all_layouts().into_iter().filter(|layout| layout.form.is_some()).cloned().collect()
}

#[test]
fn every_layout_is_shipped_and_says_where_it_comes_from() {
    let codes: Vec<String> = shipped().into_iter().map(|layout| layout.code).collect();
    assert_eq!(codes.len(), 18, "{codes:?}");
    for code in codes {
        let path = format!("{}/config/banks/{code}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("来源: ") && text.contains("未经"),
            "{path} says its source, and that no bank confirmed it"
        );
    }
}

prop_compose! {
    fn any_rows()(drawn in prop::collection::vec(("[一-龥·東晐A-Z]{1,12}", 1..100_000_000_i64, 0..3_i64, any::<bool>()), 1..12))
        -> Vec<(PaymentRow, bool)> {
        let mut line_no = 0;
        drawn.into_iter().map(|(holder, fen, gap, credited)| {
            line_no += 1 + gap;
            (payment(line_no, &holder, fen), credited)
        }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is written and answered by the description of any layout comes back as it was.
    #[test]
    fn what_was_written_is_read_back(drawn in any_rows()) {
        let rows: Vec<PaymentRow> = drawn.iter().map(|(row, _)| row.clone()).collect();
        for layout in shipped() {
            let (form, bank) = (form(&layout), bank(&layout));
            let written = write_for(&layout, &bank, &rows);
            if rows.len() < form.row_least {
                prop_assert_eq!(written.unwrap_err()[0].field, Field::Rows);
                continue;
            }
            let (name, bytes) = written.unwrap();
            let sent = read_payment_file(form, &bank, &name, &bytes).unwrap();
            for (back, row) in sent.rows.iter().zip(&rows) {
                prop_assert_eq!((&back.account, &back.holder, back.amount), (&row.account, &row.holder, row.amount), "{}", layout.code);
                prop_assert!(back.payment_ref == row.payment_ref || !form.row.has(Field::PaymentRef));
                prop_assert!(back.citizen_number == row.citizen_number || !form.row.has(Field::CitizenNumber));
            }
            prop_assert_eq!(sent.rows.len(), rows.len());
            let fates: Vec<Fate<'_>> = (1..).zip(&drawn).map(|(seq, (row, credited))| Fate {
                seq,
                row,
                said: if *credited { Said::Credited } else { Said::Rejected },
                reason_code: "",
                reason: if *credited { "" } else { "已销户" },
                bank_ref: "",
            }).collect();
            let lines = sample::answer(form, &bank, &header(&rows), &fates);
            let found = understand(&layout.code, &sample::bytes(form, &lines).unwrap(), &rows);
            let expected: Vec<_> = drawn.iter().map(|(row, credited)| {
                one(row.line_no, if *credited { AnswerStatus::Credited } else { AnswerStatus::Rejected })
            }).collect();
            prop_assert_eq!(told(&found), expected, "{}", layout.code);
            for (answer, row) in found.answer.rows.iter().zip(&rows) {
                prop_assert_eq!((&answer.account, &answer.holder, answer.amount.clone()), (&row.account, &row.holder, Ok(row.amount)));
            }
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for layout in shipped() {
            let _ = read(&layout.code, &bytes);
        }
    }

    /// Damage anywhere: no panic, and nothing is credited that was not.
    #[test]
    fn a_damaged_answer_never_credits_more(place in 0..2000_usize, byte in any::<u8>(), cut in any::<bool>(), insert in any::<bool>()) {
        for layout in shipped() {
            let (form, bank, rows) = (form(&layout), bank(&layout), two());
            let fate = |(seq, row), said| Fate { seq, row, said, reason_code: "", reason: "已销户", bank_ref: "" };
            let fates = [fate((1, &rows[0]), Said::Credited), fate((2, &rows[1]), Said::Rejected)];
            let mut bytes = gbk(&sample::text(form, &sample::answer(form, &bank, &header(&rows), &fates)));
            let place = place % bytes.len();
            match (cut, insert) {
                (true, _) => bytes.truncate(place),
                (false, true) => bytes.insert(place, byte),
                (false, false) => bytes[place] = byte,
            }
            if let Ok(laid) = read(&layout.code, &bytes) {
                let found = matched(&form.answer, &laid, AnswerKind::Return, header(&rows), STEM, &sent(&rows));
                let credited = found.answer.rows.iter().filter(|r| r.status == AnswerStatus::Credited);
                // A status of one byte is another status after one byte.
                let is_a_word = form.answer.statuses.iter().all(|(_, text)| text.len() > 1);
                prop_assert!(credited.count() <= 1 || !is_a_word, "{}", layout.code);
            }
        }
    }
}
