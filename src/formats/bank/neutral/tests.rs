//! The layout by bytes, each rule of reading, and laws over any rows.

use proptest::prelude::*;

use encoding_rs::GB18030;

use super::*;
use crate::domain::bank::Standard;

fn layout() -> Layout {
    Layout {
        code: "neutral".into(),
        title: String::new(),
        row_limit: 1000,
        name_bytes: 60,
        reasons: Vec::new(),
        form: None,
        standard: Standard::Neutral,
    }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
}

fn header(rows: &[PaymentRow]) -> FileHeader {
    FileHeader {
        file_ref: "652827-202601-1-RCC-1".into(),
        agency_code: "652827".into(),
        scheme_code: "pochan1995".into(),
        periods: "2026-01".parse().unwrap(),
        pay_date: day(15),
        rows: rows.len(),
        total: rows.iter().map(|r| r.amount).sum(),
        part: 1,
        parts: 1,
    }
}

fn payment(line_no: i64, holder: &str) -> PaymentRow {
    PaymentRow {
        line_no,
        account: "6299000000000000017".into(),
        holder: holder.into(),
        amount: Money(12_000),
        citizen_number: "652827194001010012".into(),
        remark: "生活补贴".into(),
        payment_ref: format!("652827-202601-1-{line_no}"),
    }
}

fn gb(text: &str) -> Vec<u8> {
    GB18030.encode(text).0.into_owned()
}

const ANSWER: &str = "R|652827-202601-1-RCC-1|652827|pochan1995|2026-01|20260115|2|240.00|1/1\r\n\
    D|1|6299000000000000017|张東|120.00|S|||SIM1|20260116|652827-202601-1-1\r\n\
    D|2|6299000000000000025|李晐|120.00|F|3031|账号户名不符|SIM2||652827-202601-1-2\r\n\
    T|2|240.00|1|120.00\r\n";

#[test]
fn the_payment_file_byte_by_byte() {
    let rows = [payment(1, "张東"), payment(2, "阿依古丽·买买提")];
    let bytes = write_payment_file(&header(&rows), &rows, &layout()).unwrap();
    let mut expected = b"H|652827-202601-1-RCC-1|652827|pochan1995|2026-01|20260115|2|240.00|1/1\r\n".to_vec();
    expected.extend(b"D|1|6299000000000000017|\xD5\xC5\x96\x7C|120.00|652827194001010012|\xC9\xFA\xBB\xEE\xB2\xB9\xCC\xF9|652827-202601-1-1\r\n");
    expected.extend(b"D|2|6299000000000000017|");
    expected.extend(gb("阿依古丽·买买提"));
    expected.extend(b"|120.00|652827194001010012|\xC9\xFA\xBB\xEE\xB2\xB9\xCC\xF9|652827-202601-1-2\r\n");
    expected.extend(b"T|2|240.00\r\n");
    assert_eq!(bytes, expected);
    assert!(gb("·") == b"\xA1\xA4" && gb("晐")[1] == b'|', "the separator, and the trap");
    assert_eq!(read_payment_file(&bytes).unwrap(), (header(&rows), rows.to_vec()));
}

#[test]
fn writing_refuses_with_line_field_and_limit() {
    let refusals =
        |row: PaymentRow| write_payment_file(&header(std::slice::from_ref(&row)), &[row], &layout()).unwrap_err();
    let long = "阿不都热合曼·吐尔逊".repeat(4);
    let found = refusals(payment(17, &long));
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "明细第 17 行 户名: “阿***逊”共 80 字节，最多 60 字节；不能截断，请与银行商定写法"
    );
    for (holder, problem) in [
        ("", Problem::Empty),
        ("王|国", Problem::Forbidden('|')),
        ("王\n国", Problem::Forbidden('\n')),
        ("王\u{1F}国", Problem::Forbidden('\u{1F}')),
        ("王国\u{3000}", Problem::Padded),
        ("王\u{E5E5}", Problem::Unencodable('\u{E5E5}')),
        ("王\u{E81E}", Problem::Unencodable('\u{E81E}')),
    ] {
        let found = refusals(payment(3, holder));
        assert_eq!(found, [CannotWrite { line_no: 3, field: "户名", problem }], "{holder:?}");
    }
    assert_eq!(refusals(PaymentRow { account: " ".into(), ..payment(1, "王") })[0].problem, Problem::Empty);
    for fen in [0, -1] {
        let found = refusals(PaymentRow { amount: Money(fen), ..payment(1, "王") });
        assert_eq!(found[0].problem, Problem::NotPositive(Money(fen)));
    }
    assert_eq!(refusals(PaymentRow { amount: Money(i64::MAX), ..payment(1, "王") })[0].line_no, 0);
}

#[test]
fn sixty_bytes_are_enough_and_sixty_one_are_too_many() {
    let thirty = "王".repeat(30);
    let rows = [payment(1, &thirty)];
    assert!(write_payment_file(&header(&rows), &rows, &layout()).is_ok());
    let rows = [payment(1, &format!("{thirty}a"))];
    assert!(write_payment_file(&header(&rows), &rows, &layout()).is_err());
    let rows = [payment(1, &"𬭎".repeat(16))];
    assert!(write_payment_file(&header(&rows), &rows, &layout()).is_err(), "four bytes each");
}

#[test]
fn header_and_rows_must_tell_the_same() {
    let rows = [payment(1, "王"), payment(1, "李")];
    let right = header(&rows);
    let found = write_payment_file(&right, &rows, &layout()).unwrap_err();
    assert_eq!(found[0].problem, Problem::Twice("652827-202601-1-1".into()));
    let rows = [payment(1, "王"), payment(2, "李")];
    for (wrong, field) in [
        (FileHeader { rows: 3, ..right.clone() }, "笔数"),
        (FileHeader { total: Money(1), ..right.clone() }, "总金额"),
        (FileHeader { part: 2, ..right.clone() }, "分件"),
        (FileHeader { part: 0, ..right.clone() }, "分件"),
        (FileHeader { file_ref: String::new(), ..right.clone() }, "文件编号"),
        (FileHeader { scheme_code: "a|b".into(), ..right.clone() }, "项目代码"),
    ] {
        let found = write_payment_file(&wrong, &rows, &layout()).unwrap_err();
        assert_eq!((found.len(), found[0].line_no, found[0].field), (1, 0, field));
    }
    let small = Layout { row_limit: 1, ..layout() };
    assert_eq!(
        write_payment_file(&right, &rows, &small).unwrap_err()[0].to_string(),
        "文件头 笔数: 2 笔，应为 1 至 1 笔"
    );
    assert!(write_payment_file::<String>(&header(&[]), &[], &layout()).is_err());
}

#[test]
fn a_row_written_as_it_comes_is_refused_where_it_may_have_come_before() {
    let rows = [payment(1, "王"), payment(2, "李"), payment(10, "张")];
    let written = |rows: &[PaymentRow]| {
        let layout = layout();
        let mut writer = PaymentWriter::new(&layout, rows.len());
        for row in rows {
            writer.row(row);
        }
        writer.finish(&header(rows))
    };
    assert_eq!(written(&rows), write_payment_file(&header(&rows), &rows, &layout()));
    for again in [10, 2, 1] {
        let rows = [&rows[..], &[payment(again, "赵")]].concat();
        let problem = Problem::Twice(format!("652827-202601-1-{again}"));
        assert_eq!(written(&rows), Err(vec![CannotWrite { line_no: again, field: "支付明细号", problem }]));
    }
}

#[test]
fn a_row_is_the_same_whether_it_is_held_or_cut_again() {
    // Blanks around fields, and a last line without its line break.
    let text = ANSWER.replace("|李晐|", "| 李晐\u{3000}|").replace("-1-2\r\n", "-1-2 \r\n");
    let cut = parse_answer(text.trim_end()).unwrap();
    let held = read_answer(&gb(&text)).unwrap();
    let whole = Rows::whole(&held.rows);
    assert_eq!((cut.rows.len(), cut.rows.total()), (2, Money(24_000)));
    assert_eq!((whole.len(), whole.total()), (2, Money(24_000)));
    assert!(cut.rows.iter().eq(whole.iter()));
    for (place, row) in cut.rows.iter().enumerate() {
        assert_eq!(row.row, place + 2);
        assert_eq!(
            (cut.rows.payment_ref(place), whole.payment_ref(place)),
            (Some(row.payment_ref), Some(row.payment_ref))
        );
    }
    assert_eq!((cut.rows.get(2), whole.get(2), cut.rows.payment_ref(2)), (None, None, None));
}

#[test]
fn a_return_is_decoded_before_it_is_split() {
    let answer = read_answer(&gb(ANSWER)).unwrap();
    assert_eq!((answer.kind, seeming_kind(&gb(ANSWER))), (AnswerKind::Return, Some(AnswerKind::Return)));
    assert_eq!(answer.rows[0].holder, "张東");
    assert_eq!((&answer.rows[0].status, answer.rows[0].on), (&AnswerStatus::Credited, Some(day(16))));
    let rejected = &answer.rows[1];
    assert_eq!((rejected.row, rejected.holder.as_str(), rejected.on), (3, "李晐", None));
    assert_eq!((rejected.reason_code.as_str(), &rejected.status), ("3031", &AnswerStatus::Rejected));
    assert_eq!(write_answer(&answer).unwrap(), gb(ANSWER));
}

#[test]
fn padding_line_feeds_an_empty_last_line_and_marked_utf8_are_taken() {
    let answer = read_answer(&gb(ANSWER)).unwrap();
    for text in [
        ANSWER.replace("\r\n", "\n"),
        ANSWER.replace('|', " |　"),
        format!("{ANSWER}\r\n"),
        ANSWER.trim_end().to_string(),
        ANSWER.replace("|120.00", "|120"),
        ANSWER.replace("|120.00|S", "|１２０元|S"),
    ] {
        assert_eq!(read_answer(&gb(&text)).as_ref(), Ok(&answer), "{text}");
    }
    assert_eq!(read_answer(format!("\u{FEFF}{ANSWER}").as_bytes()).as_ref(), Ok(&answer));
    assert_eq!(read_answer(ANSWER.as_bytes()), Err(ReadError::UnmarkedUtf8));
    assert!(std::str::from_utf8(&gb("路")).is_ok() && !is_unmarked_utf8(&gb("路")));
    assert!(std::str::from_utf8(&gb("駙·")).is_ok() && !is_unmarked_utf8(&gb("駙·")));
}

#[test]
fn trap_2_only_the_exact_letter_is_a_status() {
    for (text, status) in [
        ("S", AnswerStatus::Credited),
        ("P", AnswerStatus::Open),
        ("R", AnswerStatus::Unknown("R".into())),
        ("成功", AnswerStatus::Unknown("成功".into())),
        ("未成功", AnswerStatus::Unknown("未成功".into())),
        ("s", AnswerStatus::Unknown("s".into())),
        ("", AnswerStatus::Unknown(String::new())),
    ] {
        let tail = if text == "S" { "T|2|240.00|2|240.00" } else { "T|2|240.00|1|120.00" };
        let file = ANSWER.replace("|F|", &format!("|{text}|")).replace("T|2|240.00|1|120.00", tail);
        assert_eq!(read_answer(&gb(&file)).unwrap().rows[1].status, status, "{text}");
    }
    let late = ANSWER.replace("R|652827", "L|652827").replace("|F|", "|R|");
    let late = read_answer(&gb(&late)).unwrap();
    assert_eq!(late.kind, AnswerKind::LateReturn);
    assert_eq!(seeming_kind("\u{FEFF} L |x".as_bytes()), Some(AnswerKind::LateReturn));
    assert_eq!([seeming_kind(b"H|x"), seeming_kind(b"RL"), seeming_kind(b"")], [None; 3]);
    assert_eq!(late.rows[0].status, AnswerStatus::Unknown("S".into()), "no success in a late return");
    assert_eq!(late.rows[1].status, AnswerStatus::Returned);
}

#[test]
fn what_is_not_whole_is_refused() {
    let without_trailer = ANSWER.split("T|").next().unwrap();
    let header_line = ANSWER.lines().next().unwrap();
    for (text, code) in [
        (String::new(), "BANK_FILE_EMPTY"),
        ("\r\n".into(), "BANK_FILE_EMPTY"),
        (format!("{ANSWER}\0"), "BANK_FILE_NUL"),
        (ANSWER.replace("张東", &"张".repeat(30_000)), "BANK_FILE_LINE_TOO_LONG"),
        (ANSWER.replace("R|652827", "H|652827"), "BANK_FILE_WRONG_KIND"),
        (ANSWER.replace(header_line, "X|1"), "BANK_FILE_NO_HEADER"),
        (ANSWER[header_line.len() + 2..].into(), "BANK_FILE_NO_HEADER"),
        (ANSWER.replace("D|2", &format!("{header_line}\r\nD|2")), "BANK_FILE_SECOND_HEADER"),
        (ANSWER.replace("D|2", "#|2"), "BANK_FILE_LETTER"),
        (ANSWER.replace("D|2", "\r\nD|2"), "BANK_FILE_LETTER"),
        (ANSWER.replace("|SIM2", ""), "BANK_FILE_FIELD_COUNT"),
        (ANSWER.replace("2026-01|", "2026-13|"), "BANK_FILE_FIELD"),
        (ANSWER.replace("20260115", "20260230"), "BANK_FILE_FIELD"),
        (ANSWER.replace("|1/1", "|2/1"), "BANK_FILE_FIELD"),
        (ANSWER.replace("|652827|", "||"), "BANK_FILE_FIELD"),
        (ANSWER.replace("|240.00|1/1", "|x|1/1"), "BANK_FILE_FIELD"),
        (ANSWER.replace("120.00|F", "12O.00|F"), "BANK_FILE_FIELD"),
        (ANSWER.replace("20260116", "明天"), "BANK_FILE_FIELD"),
        (without_trailer.into(), "BANK_FILE_TRUNCATED"),
        (format!("{ANSWER}D|3"), "BANK_FILE_AFTER_TRAILER"),
        (format!("{ANSWER}\r\n\r\n"), "BANK_FILE_AFTER_TRAILER"),
        (ANSWER.replace("T|2", "T|3"), "BANK_FILE_TOTALS"),
        (ANSWER.replace("T|2|240.00", "T|2|240.01"), "BANK_FILE_TOTALS"),
        (ANSWER.replace("|1|120.00\r\n", "|2|120.00\r\n"), "BANK_FILE_TOTALS"),
        (ANSWER.replace("|1|120.00\r\n", "|1|240.00\r\n"), "BANK_FILE_TOTALS"),
        (ANSWER.replace("|F|", "|S|"), "BANK_FILE_TOTALS"),
    ] {
        assert_eq!(read_answer(&gb(&text)).unwrap_err().code(), code, "{text:.200}");
    }
    let error = read_answer(&gb(without_trailer)).unwrap_err();
    assert!(error.to_string().ends_with("文件可能不完整，请重新取回盘文件"));
    let error = read_answer(&gb(&ANSWER.replace("R|652827", "H|652827"))).unwrap_err();
    assert_eq!(error.to_string(), "第 1 行: 这是支付文件，不是回盘");
    let error = read_answer(&gb(&ANSWER.replace("120.00|F", "12O.00|F"))).unwrap_err();
    assert_eq!(error.to_string(), "第 3 行 金额: “12O.00”，应为 120.00 这样的金额");
    let error = read_answer(&gb(&ANSWER.replace("120.00|F", "65282719400101001X|F"))).unwrap_err();
    assert_eq!(error.to_string(), "第 3 行 金额: “***********001X”，应为 120.00 这样的金额");
}

#[test]
fn a_malformed_sequence_is_named_by_its_byte() {
    let mut bytes = gb(ANSWER);
    let offset = ANSWER.find("张").unwrap();
    bytes[offset] = 0xFF;
    let error = read_answer(&bytes).unwrap_err();
    assert_eq!(error, ReadError::Charset(CharsetError::Malformed { line: 2, offset: offset + 1, expected: "GB18030" }));
    let mut marked = format!("\u{FEFF}{ANSWER}").into_bytes();
    marked[5] = 0xFF;
    assert_eq!(
        read_answer(&marked),
        Err(ReadError::Charset(CharsetError::Malformed { line: 1, offset: 6, expected: "UTF-8" }))
    );
}

#[test]
fn a_payment_file_is_read_only_as_written() {
    let rows = [payment(1, "张東"), payment(2, "李")];
    let bytes = write_payment_file(&header(&rows), &rows, &layout()).unwrap();
    let (text, _) = GB18030.decode_without_bom_handling(&bytes);
    for (changed, code) in [
        (text.replace("|120.00|", "|120|"), "BANK_FILE_ALTERED"),
        (text.replace("\r\n", "\n"), "BANK_FILE_ALTERED"),
        (text.replace("D|2", "D|02"), "BANK_FILE_ALTERED"),
        (text.replace("|2|240.00|1/1", "|1|240.00|1/1"), "BANK_FILE_TOTALS"),
        (text.replace("T|2", "T|1"), "BANK_FILE_TOTALS"),
        (ANSWER.to_string(), "BANK_FILE_WRONG_KIND"),
    ] {
        assert_eq!(read_payment_file(&gb(&changed)).unwrap_err().code(), code, "{changed}");
    }
    let error = read_payment_file(&gb(&text.replace("D|2", "D|02"))).unwrap_err();
    assert_eq!(error, ReadError::Altered(3));
}

#[test]
fn file_names_are_plain() {
    let mut header = header(&[]);
    assert_eq!(file_name(&header, "RCC"), "652827-202601-1-RCC-1of1.txt");
    header.parts = 3;
    header.part = 2;
    header.file_ref = "652827-202601-1-RCC-2".into();
    assert_eq!(file_name(&header, "RCC"), "652827-202601-1-RCC-2of3.txt");
    header.file_ref = "../x 东".into();
    assert_eq!(file_name(&header, "RCC"), "___x__-RCC-2of3.txt");
}

prop_compose! {
    fn any_row()(account in "[0-9]{8,19}", holder in "[一-龥·東晐䶮𬭎A-Z]{1,15}", fen in 1..10_000_000_i64,
        remark in "[一-龥0-9]{0,8}") -> PaymentRow {
        PaymentRow { account, holder, amount: Money(fen), remark, ..payment(1, "") }
    }
}

prop_compose! {
    fn any_answer()(kind in prop_oneof![Just(AnswerKind::Return), Just(AnswerKind::LateReturn)],
        rows in prop::collection::vec((any_row(), "[SFPR]|未?成功|", "[0-9]{0,4}", prop::option::of(1..29_u32)), 0..8)) -> Answer {
        let rows = rows.into_iter().enumerate().map(|(i, (row, status, code, on))| AnswerRow {
            row: i + 2,
            line_no: (i + 1).to_string(),
            account: row.account,
            holder: row.holder,
            amount: Ok(row.amount),
            status: AnswerStatus::read(status, kind),
            reason_code: code,
            reason_text: row.remark,
            bank_ref: String::new(),
            on: on.map(day),
            payment_ref: row.payment_ref,
        }).collect();
        Answer { kind, header: header(&[]), rows }
    }
}

proptest! {
    #[test]
    fn a_payment_file_is_read_back_as_it_was(mut rows in prop::collection::vec(any_row(), 1..20)) {
        for (no, row) in (1..).zip(&mut rows) {
            row.line_no = no;
            row.payment_ref = format!("652827-202601-1-{no}");
        }
        let bytes = write_payment_file(&header(&rows), &rows, &layout()).unwrap();
        prop_assert_eq!(read_payment_file(&bytes), Ok((header(&rows), rows)));
    }

    #[test]
    fn an_answer_is_read_back_as_it_was(answer in any_answer()) {
        prop_assert_eq!(read_answer(&write_answer(&answer).unwrap()), Ok(answer));
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = (read_answer(&bytes), read_payment_file(&bytes));
    }

    #[test]
    fn a_damaged_return_never_credits_more(place in 0..300_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = gb(ANSWER);
        let place = place % bytes.len();
        if cut { bytes.truncate(place) } else { bytes[place] = byte }
        if let Ok(answer) = read_answer(&bytes) {
            prop_assert_eq!(count(&answer.rows, |r| r.status == AnswerStatus::Credited).0, usize::from(answer.kind == AnswerKind::Return));
        }
    }

    #[test]
    fn any_name_is_written_exactly_or_refused(holder in "\\PC{0,30}") {
        let rows = [payment(1, &holder)];
        if let Ok(bytes) = write_payment_file(&header(&rows), &rows, &layout()) {
            prop_assert_eq!(&read_payment_file(&bytes).unwrap().1[0].holder, &holder);
        }
    }
}
