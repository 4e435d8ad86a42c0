//! Answers of fixed widths: bytes of the bank's charset say where a field ends.

use super::*;

/// A core system that writes fields of fixed widths, a Chinese character as two of them.
const FIXED: &str = r#"
code = "fixed"
title = "定长"
row_limit = 500
name_bytes = 60
[file]
charset = "gbk"
newline = "crlf"
name = "{file_ref}.txt"
head = ["H{rows:zeros=6}{total:fen,zeros=12}"]
row = "{seq:zeros=6}{account:left=19}{holder:left=20}{amount:fen,zeros=12}{payment_ref:left=24}"
tail = ["END"]
[answer]
amount = "fen"
by_position = "定长，没有栏名"
widths = [6, 19, 20, 12, 24, 4, 20]
head = ["R{rows}"]
tail = ["END"]
[answer.columns]
seq = 1
account = 2
holder = 3
amount = 4
payment_ref = 5
status = 6
reason = 7
[answer.status]
credited = ["成功"]
rejected = ["失败"]
"#;

const ANSWER: &str = "R2\r\n\
    0000016299000000000000007张東                000000012000652827-202601-1-7       成功\r\n\
    0000026299000000000000009阿依古丽·买买提    000000000001652827-202601-1-9       失败户名不符            \r\nEND\r\n";

#[test]
fn an_answer_of_fixed_widths_is_cut_where_the_bytes_end() {
    let layout = parse_bank_file(FIXED).unwrap().0.unwrap();
    let (rows, bank) = (two(), bank(&layout));
    let (_, bytes) = write_for(&layout, &bank, &rows).unwrap();
    assert!(GBK.decode(&bytes).0.starts_with(
        "H000002000000012001\r\n0000016299000000000000007张東                000000012000652827-202601-1-7       \r\n"
    ));
    let read = |text: &str| read_answer(&layout, form(&layout), &bank, "a.txt", &gbk(text));
    let laid = read(ANSWER).unwrap();
    let found = matched(&form(&layout).answer, &laid, AnswerKind::Return, header(&rows), STEM, &sent(&rows));
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    assert_eq!((laid.rows[1].holder.as_deref(), laid.rows[1].reason.as_str()), (Some("阿依古丽·买买提"), "户名不符"));
    for (from, to, words) in [
        ("       成功", "      成功", "第 2 行 栏宽"),
        ("户名不符            ", "户名不符            再看看", "第 3 行 行尾: “再看看”，应为 一行最多 105 字节"),
        ("652827-202601-1-7       成功", "", "第 2 行 栏数: “4”"),
        ("R2", "R3", "总笔数"),
        ("000000012000", "00000001200A", "第 2 行 金额"),
    ] {
        let text = ANSWER.replace(from, to);
        assert_ne!(text, ANSWER, "{from}");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{from}: {error}");
    }
}

#[test]
fn a_sample_of_fixed_widths_is_read_and_what_is_wrong_in_the_description_is_told() {
    let layout = parse_bank_file(FIXED).unwrap().0.unwrap();
    let (rows, bank) = (two(), bank(&layout));
    let fate = |seq, row, said| Fate { seq, row, said, reason_code: "", reason: "户名不符", bank_ref: "" };
    let fates = [fate(1, &rows[0], Said::Credited), fate(2, &rows[1], Said::Rejected)];
    let sample = sample::text(form(&layout), &sample::answer(form(&layout), &bank, &header(&rows), &fates));
    let laid = read_answer(&layout, form(&layout), &bank, "a.txt", &gbk(&sample)).unwrap();
    assert_eq!(laid.rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["成功", "失败"], "{sample}");
    for (from, to, key) in [
        ("widths = [", "separator = \"|\"\nwidths = [", "answer.widths"),
        ("reason = 7", "reason = 8", "answer.columns"),
        ("widths = [", "kind = \"workbook\"\nwidths = [", "answer.widths"),
        ("widths = [6, 19, 20, 12, 24, 4, 20]\n", "", "answer.separator"),
    ] {
        let error = parse_bank_file(&FIXED.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(&format!(" {key}: ")), "{from} → {to}: {error}");
    }
}

proptest! {
    #[test]
    fn any_line_has_an_answer(lines in prop::collection::vec("[0-9 张東·\u{20BB7}A]{0,120}", 0..6)) {
        let layout = parse_bank_file(FIXED).unwrap().0.unwrap();
        let text = format!("R{}\r\n{}\r\nEND\r\n", lines.len(), lines.join("\r\n"));
        let bytes = crate::formats::charset::encode(&text, crate::formats::charset::Charset::Gb18030).unwrap();
        if let Ok(laid) = read_answer(&layout, form(&layout), &bank(&layout), "a.txt", &bytes) {
            prop_assert_eq!(laid.rows.len(), lines.len());
        }
    }
}
