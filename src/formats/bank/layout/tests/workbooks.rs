//! Payment files that are workbooks: every cell with its type, and the same bytes again.

use super::*;
use crate::formats::table::{Cell, read_table};

const TITLES: [&str; 6] =
    ["姓名(不超过60个字节)", "卡号", "应处理金额(必须小于1亿)", "备注(不超过12个字节)", "实处理金额", "处理标志"];

/// Sheet name, and the cells with their types: a number after `=`.
fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
    let one = |cell: &Cell| match cell {
        Cell::Number(number) => format!("={number}"),
        Cell::Empty => String::new(),
        Cell::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    };
    let table = read_table("a.xlsx", bytes, None).unwrap();
    table.rows().map(|row| row.cells.iter().map(one).collect()).collect()
}

#[test]
fn icbc_workbook_cell_by_cell_and_byte_by_byte_again() {
    let (name, bytes) = write("icbc-workbook", &two()).unwrap();
    assert_eq!(name, "ICBC20260116000101.xlsx");
    let expected: [&[&str]; 3] = [
        &TITLES,
        &["张東", "6299000000000000007", "=120", "202601-1"],
        &["阿依古丽·买买提", "6299000000000000009", "=0.01", "202601-2"],
    ];
    assert_eq!(cells(&bytes), expected);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(write("icbc-workbook", &two()).unwrap().1, bytes, "no clock is asked");
}

#[test]
fn icbc_workbook_has_the_limits_of_its_titles() {
    assert!(write("icbc-workbook", &[payment(1, "王", 9_999_999_999)]).is_ok(), "less than a hundred million");
    let found = write("icbc-workbook", &[payment(1, "王", 10_000_000_000)]).unwrap_err();
    assert_eq!(found[0].field, Field::Amount);
    assert!(write("icbc-workbook", &[payment(1, &"王".repeat(30), 1)]).is_ok(), "sixty bytes");
    assert_eq!(write("icbc-workbook", &[payment(1, &"王".repeat(31), 1)]).unwrap_err()[0].field, Field::Holder);
    // The bank's system cannot hold what its charset cannot, although a workbook can.
    assert!(write("icbc-workbook", &[payment(1, "李𬭎", 1)]).unwrap_err()[0].problem.contains("GBK 无法表示"));
}

/// The bank gives back the sheet that it got, with two columns filled in.
fn icbc_return(paid: &str, mark: &str) -> Vec<u8> {
    let rows: [&[&str]; 3] = [
        &TITLES,
        &["张東", "6299000000000000007", "120.00", "202601-1", paid, mark],
        &["阿依古丽·买买提", "6299000000000000009", "0.01", "202601-2", "0", "处理失败"],
    ];
    workbook(&[(1, rows[0]), (2, rows[1]), (3, rows[2])])
}

#[test]
fn icbc_workbook_return_and_a_success_with_another_amount_is_none() {
    let found = understand("icbc-workbook", &icbc_return("120.00", "全部成功"), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    let short = AnswerStatus::Unknown("全部成功，实处理金额 100.00 元".into());
    assert_eq!(told(&understand("icbc-workbook", &icbc_return("100.00", "全部成功"), &two()))[0], one(7, short));
    let blank = AnswerStatus::Unknown("全部成功，实处理金额 空白".into());
    assert_eq!(told(&understand("icbc-workbook", &icbc_return("", "全部成功"), &two()))[0], one(7, blank));
    let partly = AnswerStatus::Unknown("部分成功".into());
    assert_eq!(told(&understand("icbc-workbook", &icbc_return("120.00", "部分成功"), &two()))[0], one(7, partly));
}

#[test]
fn icbc_workbook_cross_cell_by_cell_and_its_return() {
    let (name, bytes) = write("icbc-workbook-cross", &two()).unwrap();
    assert_eq!(name, "ICBCXBANK20260116000101.xlsx");
    let row = ["张東", "6299000000000000007", "示例银行", "102000000001", "00201", "1001", "", "=120", "202601-1"];
    assert_eq!(cells(&bytes)[1], row);
    let titles = [
        "姓名",
        "卡号",
        "行别",
        "跨行行号",
        "业务种类",
        "协议书号",
        "账号地址",
        "应处理金额",
        "备注",
        "实处理金额",
        "处理标志",
    ];
    assert_eq!(cells(&bytes)[0], titles);
    let answered = ["张東", "6299000000000000007", "示例银行", "", "", "", "", "120", "202601-1", "120", "全部成功"];
    let found = understand("icbc-workbook-cross", &workbook(&[(1, &titles), (2, &answered)]), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited)]);
}

#[test]
fn abc_register_cell_by_cell_and_only_six_and_seven_count() {
    let (name, bytes) = write("abc-register", &two()).unwrap();
    assert_eq!(name, "ABC20260116000101.xlsx");
    let sent = cells(&bytes);
    let expected = [
        "0001",
        "7",
        "2",
        "3000000000000000018",
        "示例县社会保险中心",
        "6299000000000000007",
        "张東",
        "示例银行",
        "652827-202601-1-7",
        "01",
        "0",
        "120.00",
    ];
    assert_eq!(sent[1], expected, "every cell is a text");
    let answer = |second: &str| {
        let line = |at: usize, status: &str| {
            let mut cells = sent[at].clone();
            cells.extend([String::new(), String::new(), status.to_string()]);
            cells
        };
        let rows = [line(1, "6"), line(2, second)];
        let view: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        workbook(&[(1, &["serial-no"]), (2, &view[0]), (3, &view[1])])
    };
    let second = |status: &str| told(&understand("abc-register", &answer(status), &two()))[1].clone();
    assert_eq!(told(&understand("abc-register", &answer("7"), &two()))[0], one(7, AnswerStatus::Credited));
    assert_eq!(second("7"), one(9, AnswerStatus::Rejected));
    assert_eq!(second("1"), one(9, AnswerStatus::Unknown("1".into())));
}

#[test]
fn bocom_three_columns_out_and_a_padded_return() {
    let (name, bytes) = write("bocom", &two()).unwrap();
    assert_eq!(name, "BOCOM20260116000101.xlsx");
    let expected = [["6299000000000000007", "张東", "120.00"], ["6299000000000000009", "阿依古丽·买买提", "0.01"]];
    assert_eq!(cells(&bytes), expected, "no titles");
    let titles = ["序号", "户名", "工号", "卡号/折号", "金额(元)", "入账状态", "失败原因", "交易流水号"];
    let rows = [
        [" 1 ", "张東    ", " ", "6299000000000000007  ", "  120.00", "入账成功  ", "", "EEA1  "],
        [" 2 ", "阿依古丽·买买提  ", "", " 6299000000000000009", "0.01 ", " 入账失败", "户名不符 ", ""],
    ];
    let found = understand("bocom", &workbook(&[(1, &titles), (2, &rows[0]), (3, &rows[1])]), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!(found.answer.rows[0].bank_ref, "EEA1");
    assert_eq!(layout("bocom").reason_class(&found.answer.rows[1].reason_code), ReasonClass::NameMismatch);
}

#[test]
fn cmb_three_columns_with_numbers() {
    let (name, bytes) = write("cmb", &two()).unwrap();
    assert_eq!(name, "CMB20260116000101.xlsx");
    let expected = [
        ["账号", "户名", "金额"],
        ["6299000000000000007", "张東", "=120"],
        ["6299000000000000009", "阿依古丽·买买提", "=0.01"],
    ];
    assert_eq!(cells(&bytes), expected);
    let titles = ["账号", "户名", "金额", "处理状态", "失败原因"];
    let rows = [
        ["6299000000000000007", "张東", "120.00", "登记", ""],
        ["6299000000000000009", "阿依古丽·买买提", "0.01", "失败", "已挂失"],
    ];
    let found = understand("cmb", &workbook(&[(1, &titles), (2, &rows[0]), (3, &rows[1])]), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Open), one(9, AnswerStatus::Rejected)]);
}

#[test]
fn a_head_with_totals_is_numbers_too() {
    let cmb = include_str!("../../../../../config/banks/cmb.toml");
    let text = cmb.replace(
        "head = [\"账号|户名|金额\"]",
        "head = [\"笔数|{rows:number}|{total:number}\", \"\", \"账号|户名|金额\"]",
    );
    let own = parse_bank_file(&text).unwrap().0.unwrap();
    let (name, bytes) = write_for(&own, &bank(&own), &two()).unwrap();
    assert_eq!(cells(&bytes)[0], ["笔数", "=2", "=120.01"]);
    assert_eq!(read_payment_file(form(&own), &bank(&own), &name, &bytes).unwrap().rows.len(), 2);
    for (from, to, key) in [
        ("{amount:number}", "{amount:number}元", "file.row"),
        ("{amount:number}", "{amount:number,zeros=9}", "file.row"),
        ("separator = \"|\"\n", "", "file.separator"),
        ("separator = \"|\"\n", "separator = \"|\"\nsheet = \"a/b\"\n", "file.sheet"),
        (".xlsx", ".xls", "file.name"),
    ] {
        let error = parse_bank_file(&cmb.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(&format!(" {key}: ")), "{from} → {to}: {error}");
    }
}
