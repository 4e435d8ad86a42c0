//! Layouts in text that have more to them than a line a payment: sixteen fields, prose, a least number.

use super::*;

#[test]
fn ccb_public_byte_by_byte_with_one_blank_where_nothing_may_be_empty() {
    let row = |seq, account, holder, amount| {
        format!(
            "{seq}|示例县社会保险中心|3000000000000000018|00001|{account}|{holder}| |示例银行|102000000001| |0|{amount}|01|补贴2026-01| | |"
        )
    };
    is_written_as(
        "ccb-public",
        "CCBPUBBANK20260116000101.txt",
        &[&row(1, "6299000000000000007", "张東", "120.00"), &row(2, "6299000000000000009", "阿依古丽·买买提", "0.01")],
    );
    let mut silent = two();
    silent[0].remark.clear();
    let text = GBK.decode(&write("ccb-public", &silent).unwrap().1).0.into_owned();
    assert!(text.lines().next().unwrap().ends_with("|120.00|01| | | |"), "{text}");
    let many: Vec<PaymentRow> = (1..=801).map(|line_no| payment(line_no, "王建国", 1)).collect();
    assert!(write("ccb-public", &many).unwrap_err()[0].problem.contains("应为 1 至 800 笔"));
}

#[test]
fn ccb_public_return_by_position() {
    let line = |account: &str, holder: &str, amount: &str, status: &str, reason: &str| {
        let mut cells = vec![""; 22];
        (cells[4], cells[12], cells[13], cells[16], cells[21]) = (amount, holder, account, status, reason);
        cells.join("|") + "\r\n"
    };
    let text = line("6299000000000000007", "张東", "120.00", "成功", "")
        + &line("6299000000000000009", "阿依古丽·买买提", ".01", "失败", "账户已冻结");
    let found = understand("ccb-public", &gbk(&text), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!(layout("ccb-public").reason_class(&found.answer.rows[1].reason_code), ReasonClass::AccountBlocked);
}

#[test]
fn citic_byte_by_byte_after_prose_and_a_rule() {
    is_written_as(
        "citic",
        "CITIC20260116000101.txt",
        &[
            "文件类型:FTThirdGetcashBatch",
            "标题:收款帐号|金额|姓名|流水号|备注|摘要",
            "----------------------------------------",
            "6299000000000000007|120.00|张東|652827-202601-1-7|补贴2026-01|补贴2026-01",
            "6299000000000000009|0.01|阿依古丽·买买提|652827-202601-1-9|补贴2026-01|补贴2026-01",
        ],
    );
    let found = write("citic", &[payment(17, "John Smith", 1)]).unwrap_err();
    assert!(found[0].problem.contains("空格"), "no blanks, not even in a foreign name: {found:?}");
    let answer = "收款帐号|金额|姓名|流水号|处理状态|失败原因\r\n\
                  6299000000000000007|120.00|张東|652827-202601-1-7|成功|\r\n\
                  6299000000000000009|0.01|阿依古丽·买买提|652827-202601-1-9|失败|长期不动户\r\n";
    let found = understand("citic", &gbk(answer), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!(layout("citic").reason_class(&found.answer.rows[1].reason_code), ReasonClass::AccountDormant);
}

#[test]
fn lanzhou_byte_by_byte_takes_five_rows_and_no_fewer() {
    let rows: Vec<PaymentRow> = (1..=5).map(|line_no| payment(line_no, "王建国", 12_000)).collect();
    let (name, bytes) = write("lanzhou", &rows).unwrap();
    assert_eq!(name, "LZB20260116000101.txt");
    let line = |no: usize| format!("{no}|王建国|629900000000000000{no}|120.00|652827194001010012|\r\n");
    assert_eq!(bytes, gbk(&(1..=5).map(line).collect::<String>()));
    let found = write("lanzhou", &rows[..3]).unwrap_err();
    assert_eq!(found[0].to_string(), "文件总笔数: 3 笔，应为 5 至 1000 笔");
    let answer = "序号|姓名|帐号|金额|处理结果|失败原因\r\n0002|王建国|6299000000000000002|120.00|失败|已销户\r\n";
    let found = understand("lanzhou", &gbk(answer), &rows);
    assert_eq!(told(&found), [one(2, AnswerStatus::Rejected)]);
}

#[test]
fn files_that_are_too_short_are_filled_up_from_the_one_before() {
    let layout = layout("lanzhou");
    for (rows, parts) in [
        (0, None),
        (4, None),
        (5, Some(vec![5])),
        (1000, Some(vec![1000])),
        (1003, Some(vec![998, 5])),
        (1005, Some(vec![1000, 5])),
        (2001, Some(vec![1000, 996, 5])),
    ] {
        assert_eq!(layout.parts(rows), parts, "{rows}");
    }
    assert_eq!(super::layout("psbc").parts(1003), Some(vec![1000, 3]));
}

#[test]
fn abc_register_as_text_is_the_workbook_line_by_line() {
    is_written_as(
        "abc-register-text",
        "ABC20260116000101.txt",
        &[
            "serial-no|pay-type|transaction-type|account-no|account-name|payee-account-no|payee-name|payee-bank|usage|fen-code|curr-flag|amount",
            "0001|7|2|3000000000000000018|示例县社会保险中心|6299000000000000007|张東|示例银行|652827-202601-1-7|01|0|120.00",
            "0002|7|2|3000000000000000018|示例县社会保险中心|6299000000000000009|阿依古丽·买买提|示例银行|652827-202601-1-9|01|0|0.01",
        ],
    );
}

/// A layout of the office: no separator, every width fixed and counted in bytes, totals at the end, comments.
#[test]
fn fixed_widths_with_comments_and_totals_at_the_end() {
    let text = ICBC
        .replace("code = \"icbc-bpt\"", "code = \"own\"")
        .replace("separator = \"|\"\n", "")
        .replace("tail = [\"*\"]", "tail = [\"#合计\", \"{rows:zeros=6}{total:fen,zeros=12}\", \"EOF\"]")
        .replace("[answer]\n", "[answer]\nseparator = \"|\"\n");
    let row = text.lines().find(|line| line.starts_with("row = ")).unwrap().to_string();
    let fixed = "row = \"{seq:zeros=6}{account:left=22}{holder:left=20}{amount:fen,zeros=12}{payment_ref:right=24}\"";
    let text = text.replace(&row, fixed);
    let own = parse_bank_file(&text).unwrap().0.unwrap();
    let (name, bytes) = write_for(&own, &bank(&own), &two()).unwrap();
    let text = GBK.decode(&bytes).0.into_owned();
    let expected = [
        "0000016299000000000000007   张東                000000012000       652827-202601-1-7",
        "0000026299000000000000009   阿依古丽·买买提    000000000001       652827-202601-1-9",
        "#合计",
        "000002000000012001",
        "EOF",
    ];
    assert!(text.ends_with(&(expected.join("\r\n") + "\r\n")), "{text}");
    let back = read_payment_file(form(&own), &bank(&own), &name, &bytes).unwrap();
    let rows: Vec<_> = back.rows.iter().map(|r| (r.holder.as_str(), r.amount, r.payment_ref.as_str())).collect();
    assert_eq!(
        rows,
        [("张東", Money(12_000), "652827-202601-1-7"), ("阿依古丽·买买提", Money(1), "652827-202601-1-9")]
    );
    let long = write_for(&own, &bank(&own), &[payment(1, "阿依古丽·买买提江", 1)]).unwrap();
    assert!(GBK.decode(&long.1).0.contains("阿依古丽·买买提江  "), "eighteen bytes fit into twenty");
    let beyond = write_for(&own, &bank(&own), &[payment(1, "阿依古丽·买买提江·阿", 1)]).unwrap_err();
    assert!(beyond[0].problem.contains("共 22 字节，最多 20 字节"), "{beyond:?}");
}

#[test]
fn a_look_alike_of_the_separator_is_named_as_one() {
    for (holder, sign) in [("阿依古丽•买买提", "U+2022"), ("阿依古丽・买买提", "U+30FB"), ("阿依古丽‧买买提", "U+2027")]
    {
        let found = write("psbc", &[payment(17, holder, 1)]).unwrap_err();
        let told = found[0].to_string();
        assert!(told.contains(sign) && told.contains("应为“·”(U+00B7)") && told.contains("--holder"), "{told}");
    }
    for holder in ["王䶮", "王€", "王ḿ"] {
        let found = write("psbc", &[payment(17, holder, 1)]).unwrap_err();
        assert!(found[0].to_string().contains("GBK 无法表示"), "{}", found[0]);
    }
    // Where the bank takes GB18030, it takes the character.
    assert!(write("cmb", &[payment(17, "王䶮", 1)]).is_ok());
}

/// The page is made from what reads a layout file; its copy in the repository says the same.
#[test]
fn the_reference_page_is_what_the_code_says() {
    let path = format!("{}/config/banks/REFERENCE.zh-CN.md", env!("CARGO_MANIFEST_DIR"));
    let page = crate::formats::bank::layout::reference::page();
    let is_kept = std::fs::read_to_string(&path).is_ok_and(|kept| kept == page);
    assert!(is_kept, "write it anew: fafang bank layouts reference > {path}");
    for (_, name, title, meaning) in &Field::ALL {
        assert!(page.contains(&format!("| `{{{name}}}` | {title} | {meaning} |")), "{name}");
    }
}
