//! Bad input: each refusal is a clear sentence with place, found, expected and hint, has the exit
//! code of its kind, and changes nothing.

use rust_xlsxwriter::{Format, Workbook};

use super::{APPROVER, Answer, CODE, Desk, FINANCE, MAKER, REVIEWER, files_in, roster};

impl Desk {
    #[track_caller]
    fn refuses_roster(&self, name: &str, bytes: impl AsRef<[u8]>, code: &str) -> Answer {
        self.put(name, bytes);
        let words = ["roster", "import", name, "--scheme", CODE];
        let answer = self.changes_nothing(|| self.as_(MAKER, &words)).exits(3);
        let json = self.as_(MAKER, &[&words[..], &["--json"]].concat()).exits(3);
        let document = json.json();
        let found = document["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["code"] == code));
        assert!(found || document["error"]["code"] == code, "{code} is not in {}", json.out);
        answer
    }
}

/// The first two lines and one person of a good roster, to be spoiled.
fn good() -> (String, Vec<String>) {
    let text = roster(3);
    let lines: Vec<&str> = text.lines().collect();
    let head = format!("{}\r\n{}\r\n", lines[0], lines[1]);
    (head, lines[2..5].iter().map(ToString::to_string).collect())
}

#[test]
fn rosters_that_cannot_be_read() {
    let desk = Desk::new().with_office();
    let text = roster(5);
    let workbook = workbook(&[&["姓名", "公民身份号码", "开户银行", "银行账号"]]);
    desk.refuses_roster("half.xlsx", &workbook[..workbook.len() / 2], "WORKBOOK_DAMAGED");
    desk.refuses_roster("utf16.csv", utf16(&text), "CHARSET_UTF16");
    desk.refuses_roster("nul.csv", text.replace("和静", "和\0静"), "CHARSET_NUL");
    desk.refuses_roster("broken.csv", [text.as_bytes(), &[0xFF, 0xFF, 0xFF]].concat(), "CHARSET_MALFORMED");
    desk.refuses_roster("long.csv", format!("{text}{}", "王".repeat(10_000_000 / 3)), "LINE_TOO_LONG");
    desk.refuses_roster("empty.csv", "", "FILE_EMPTY");
    desk.refuses_roster("letter.csv", "尊敬的领导：\r\n附上名册。\r\n", "COLUMN_MISSING").says("姓名");
    desk.put("gbk.csv", fafang::formats::charset::encode(&text, fafang::formats::charset::Charset::Gb18030).unwrap());
    desk.as_(MAKER, &["roster", "import", "gbk.csv", "--scheme", CODE, "--charset", "utf-8"]).exits(3);
    desk.as_(MAKER, &["roster", "import", "gbk.csv", "--scheme", CODE]).done();
}

#[test]
fn rosters_with_wrong_rows_name_row_column_found_and_expected() {
    let desk = Desk::new().with_office();
    let (head, rows) = good();
    let columns: Vec<Vec<String>> = rows.iter().map(|r| r.split(',').map(ToString::to_string).collect()).collect();
    let with = |column: usize, value: &str| {
        let mut first = columns[0].clone();
        first[column] = value.to_string();
        format!("{head}{}\r\n{}\r\n", first.join(","), rows[1])
    };
    let (number, account) = (columns[0][2].clone(), columns[0][4].clone());
    let last = if number.ends_with('1') { '2' } else { '1' };
    let spoiled = format!("{}{last}", &number[..17]);
    desk.refuses_roster("check.csv", with(2, &spoiled), "CITIZEN_NUMBER_CHECK_DIGIT")
        .says("第3行")
        .says("公民身份号码")
        .says("按前 17 位应为");
    desk.refuses_roster("short.csv", with(2, &number[..16]), "CITIZEN_NUMBER_LENGTH").says("16 位，应为 18 位");
    desk.refuses_roster("account.csv", with(4, &account[..18]), "ACCOUNT_LENGTH").says("18 位，应为 16 或 19 位");
    desk.refuses_roster("bank.csv", with(3, "火星银行"), "BANK_UNKNOWN").says("火星银行").says("中国农业银行");
    desk.refuses_roster("month.csv", with(5, "2026-13"), "MONTH_INVALID");
    desk.refuses_roster("name.csv", with(1, ""), "NAME_MISSING");
    desk.refuses_roster("formula.csv", with(4, "=A1"), "FORMULA_CELL");
    desk.refuses_roster("retired.csv", with(7, "1998-01-01"), "RETIRED_TOO_LATE").says("1995-12-31");
    for amount in [".01", "0.01元", "\"1,234.00\"", "130", "一百二十"] {
        desk.refuses_roster("amount.csv", with(10, amount), "STANDARD_DIFFERS");
    }
    let mut swapped = columns[0].clone();
    swapped.swap(2, 4);
    desk.refuses_roster("swapped.csv", format!("{head}{}\r\n", swapped.join(",")), "COLUMNS_SWAPPED");
    desk.refuses_roster("twice.csv", format!("{head}{}\r\n{}\r\n", rows[0], rows[0]), "DUPLICATE_PERSON");
    let mut other = columns[1].clone();
    other[3].clone_from(&columns[0][3]);
    other[4] = account;
    desk.refuses_roster("shared.csv", format!("{head}{}\r\n{}\r\n", rows[0], other.join(",")), "DUPLICATE_ACCOUNT");
    desk.refuses_roster("total.csv", roster(3).replace("360.00", "480.00"), "TOTAL_DIFFERS");
    // Full-width digits mean the same.
    desk.put("wide.csv", with(10, "１２０"));
    desk.as_(MAKER, &["roster", "import", "wide.csv", "--scheme", CODE]).done();
}

#[test]
fn the_rejects_file_is_the_input_with_a_reason_and_can_be_imported_once_mended() {
    let desk = Desk::new().with_office();
    let (head, rows) = good();
    let bad = rows[1].replace("2026-01", "2026-00");
    let text = format!("{head}{}\r\n{bad}\r\n", rows[0]);
    desk.put("bad.csv", fafang::formats::charset::encode(&text, fafang::formats::charset::Charset::Gb18030).unwrap());
    desk.as_(MAKER, &["roster", "import", "bad.csv", "--scheme", CODE, "--rejects", "rejects.csv"])
        .exits(3)
        .says("rejects.csv");
    let bytes = std::fs::read(desk.path("rejects.csv")).unwrap();
    let (back, charset) = fafang::formats::charset::decode(&bytes, None).unwrap();
    assert_eq!(charset, fafang::formats::charset::Charset::Gb18030);
    let lines: Vec<&str> = back.lines().collect();
    assert!(lines[1].ends_with("退回原因") && lines[3].contains("2026-00") && lines[3].len() > bad.len(), "{back}");
    assert!(lines[2].starts_with(&rows[0]));
    desk.put("mended.csv", back.replacen("2026-00", "2026-01", 1));
    desk.as_(MAKER, &["roster", "import", "mended.csv", "--scheme", CODE]).done().says("新增 2");
}

#[test]
fn good_rows_are_accepted_only_with_a_file_for_the_bad_ones() {
    let desk = Desk::new().with_office();
    let (head, rows) = good();
    let bad = rows[1].replace("2026-01", "2026-00");
    desk.put("mixed.csv", format!("{head}{}\r\n{bad}\r\n", rows[0]));
    let import = ["roster", "import", "mixed.csv", "--scheme", CODE, "--accept-good"];
    desk.as_(MAKER, &import).exits(2);
    let answer = desk.as_(MAKER, &[&["--json"], &import[..], &["--rejects", "rejects.csv"]].concat()).exits(1).json();
    assert_eq!((&answer["accepted"], &answer["rejected"], &answer["new"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(answer["findings"][0]["code"], "MONTH_INVALID");
    let back = std::fs::read_to_string(desk.path("rejects.csv")).unwrap();
    assert!(!back.contains(&rows[0]) && back.contains(&bad), "{back}");
    std::fs::remove_file(desk.path("rejects.csv")).unwrap();
    let again = [&import[..], &["--rejects", "rejects.csv"]].concat();
    desk.changes_nothing(|| desk.as_(MAKER, &again)).done().says("没有任何改动").says("带退回原因的原表");
    assert_eq!(std::fs::read_to_string(desk.path("rejects.csv")).unwrap(), back, "what was lost is written again");
    desk.put("mended.csv", back.replacen("2026-00", "2026-01", 1));
    desk.as_(MAKER, &["roster", "import", "mended.csv", "--scheme", CODE]).done().says("文件中没有 0");
}

#[test]
fn numbers_that_a_spreadsheet_has_damaged_are_refused() {
    let desk = Desk::new().with_office();
    let (head, rows) = good();
    let header: Vec<&str> = head.lines().nth(1).unwrap().split(',').collect();
    let row: Vec<&str> = rows[0].split(',').collect();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (i, (title, value)) in (0_u16..).zip(header.iter().zip(&row)) {
        sheet.write_string(0, i, *title).unwrap();
        sheet.write_string(1, i, *value).unwrap();
    }
    sheet.write_number(1, 4, 6.217_003_456_789_012e18).unwrap();
    desk.refuses_roster("number.xlsx", book.save_to_buffer().unwrap(), "NUMERIC_CELL").says("第2行");
    let sheet = book.worksheet_from_index(0).unwrap();
    sheet.write_formula(1, 4, "=\"62170034567890\"&\"12345\"").unwrap();
    desk.refuses_roster("formula.xlsx", book.save_to_buffer().unwrap(), "FORMULA_CELL");
    let sheet = book.worksheet_from_index(0).unwrap();
    sheet.write_string_with_format(1, 4, row[4], &Format::new().set_num_format("@")).unwrap();
    desk.put("text.xlsx", book.save_to_buffer().unwrap());
    desk.as_(MAKER, &["roster", "import", "text.xlsx", "--scheme", CODE]).done().says("新增 1");
}

#[test]
fn a_list_of_changes_is_refused_for_a_damaged_number_and_tells_the_column_it_does_not_read() {
    let desk = Desk::new().with_office().with_people(3);
    let (_, rows) = good();
    let number = rows[0].split(',').nth(2).unwrap();
    let import = |row: &str| {
        desk.put("changes.csv", format!("变更类型,身份证号,月份,原因,账号,乡镇\r\n{row}\r\n合计,1,,,,\r\n"));
        desk.as_(MAKER, &["change", "import", "changes.csv", "--scheme", CODE])
    };
    let refused = desk.changes_nothing(|| import(&format!("换卡,{number},,换卡,6.217E+18,")));
    refused.exits(3).says("第2行").says("账号: 科学计数法").says("全部数字");
    import(&format!("暂停,{number},2026-02,服刑,,和静镇")).done().says("列“乡镇”不在变更表格式中");
}

#[test]
fn an_old_workbook_is_read_like_any_other_roster() {
    let desk = Desk::new().with_office();
    // Written by a spreadsheet program in the format of Excel 97; the people are invented.
    desk.put("three.xls", include_bytes!("../../data/roster/three-people.xls"));
    let import = ["roster", "import", "three.xls", "--scheme", CODE];
    desk.as_(MAKER, &import).done().says("3 人，新增 3");
    let bytes = include_bytes!("../../data/roster/three-people.xls");
    desk.refuses_roster("half.xls", &bytes[..bytes.len() / 2], "WORKBOOK_DAMAGED");
}

fn workbook(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (r, row) in (0_u32..).zip(rows) {
        for (c, text) in (0_u16..).zip(*row) {
            sheet.write_string(r, c, *text).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn answers_of_the_bank_that_do_not_fit_are_refused_or_named() {
    let desk = Desk::new().with_office().with_people(6);
    let run = desk.signed("2026-01");
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).done();
    desk.run(&["bank", "simulate", "out", "--out", "ret"]).done();
    let largest = |folder: &str| {
        files_in(&desk.path(folder)).into_iter().max_by_key(|f| std::fs::metadata(f).unwrap().len()).unwrap()
    };
    let (sent, answer) = (largest("out"), largest("ret"));
    let good = std::fs::read(&answer).unwrap();
    let text = fafang::formats::charset::decode(&good, None).unwrap().0;
    let gb = |text: &str| fafang::formats::charset::encode(text, fafang::formats::charset::Charset::Gb18030).unwrap();
    let refuses = |name: &str, bytes: Vec<u8>, code: &str| {
        desk.put(name, bytes);
        desk.changes_nothing(|| desk.as_(FINANCE, &["bank", "return", name])).exits(3).says(code)
    };
    refuses("payment.txt", std::fs::read(&sent).unwrap(), "支付文件");
    let without_trailer = text.lines().take(text.lines().count() - 1).fold(String::new(), |t, l| t + l + "\r\n");
    refuses("truncated.txt", gb(&without_trailer), "可能不完整");
    refuses("cut.txt", good[..good.len() / 2].to_vec(), "");
    refuses("nul.txt", [&good[..], &[0]].concat(), "");
    refuses("utf16.txt", utf16(&text), "");
    refuses("altered.txt", gb(&text.replacen("|120.00|", "|12.00|", 2)), "");
    refuses("agency.txt", gb(&text.replacen("|652827|", "|652828|", 1)), "RETURN_HEADER_DIFFERS").says("应为 652827");
    refuses("unknown.txt", gb(&text.replacen("652827-202601-1-", "652827-202601-9-", 1)), "RETURN_FILE_UNKNOWN");
    refuses("date.txt", gb(&text.replacen(&today(&text), "20250101", 1)), "支付日期");
    let late = gb(&text.replacen("R|", "L|", 1));
    desk.put("late.txt", late);
    desk.as_(FINANCE, &["bank", "return", "late.txt"]).exits(3);
    // A status that only contains the word for success is neither success nor failure.
    let lines: Vec<&str> = text.lines().collect();
    let rows = lines.len() - 2;
    let unclear = lines[1].replacen("|S|", "|未成功|", 1);
    let trailer: Vec<&str> = lines[lines.len() - 1].split('|').collect();
    let credited = rows - 1;
    let trailer = format!("T|{}|{}|{credited}|{}.00", trailer[1], trailer[2], credited * 120);
    let mut unclear_file = vec![lines[0].to_string(), unclear];
    unclear_file.extend(lines[2..=rows].iter().map(ToString::to_string));
    unclear_file.push(trailer);
    desk.put("unclear.txt", gb(&(unclear_file.join("\r\n") + "\r\n")));
    let taken = desk.as_(FINANCE, &["bank", "return", "unclear.txt", "--json"]).exits(1).json();
    assert_eq!(taken["findings"][0]["code"], "RETURN_STATUS_UNKNOWN");
    assert_eq!((&taken["open"], &taken["credited"]), (&1.into(), &credited.into()));
    desk.run(&["reconcile", "--year", "2026"]).exits(1).says("未说明");
    desk.as_(FINANCE, &["finding", "explain", "1", "--note", "银行更正为成功，见第二次回盘"]).done();
    desk.as_(FINANCE, &["bank", "return", answer.to_str().unwrap()]).done();
    desk.run(&["reconcile", "--year", "2026"]).done().says("对平");
    // The other banks' answers are still out, and that is known, not a difference.
    desk.is_healthy();
}

/// The pay date in a header.
fn today(text: &str) -> String {
    text.lines().next().unwrap().split('|').nth(5).unwrap().to_string()
}

#[test]
fn signatures_and_money_that_do_not_suffice_are_refused() {
    let desk = Desk::new().with_office().with_people(4);
    let run = desk.prepared("2026-01");
    desk.as_(MAKER, &["run", "submit", &run]).done();
    desk.run(&["user", "add", MAKER, "--role", "reviewer"]).done();
    desk.changes_nothing(|| desk.as_(MAKER, &["run", "review", &run]))
        .exits(1)
        .says("FOUR_EYES")
        .says("同一人不能再复核");
    desk.run(&["user", "add", MAKER, "--role", "maker"]).done();
    desk.as_(REVIEWER, &["run", "review", &run]).done();
    desk.changes_nothing(|| desk.as_(MAKER, &["run", "approve", &run])).exits(1).says("WRONG_ROLE");
    desk.changes_nothing(|| desk.run(&["run", "approve", &run])).exits(1).says("WRONG_ROLE");
    let all = "-28890000".parse::<i64>().unwrap();
    desk.as_(
        FINANCE,
        &[
            "budget",
            "adjust",
            "巴财社〔2025〕98号",
            "--amount",
            &format!("{}", all / 100),
            "--basis",
            "巴财社〔2026〕1号",
        ],
    )
    .done();
    desk.changes_nothing(|| desk.as_(APPROVER, &["run", "approve", &run]))
        .exits(1)
        .says("OVER_BUDGET")
        .says("缺 380.00 元");
    desk.changes_nothing(|| {
        desk.as_(
            FINANCE,
            &["budget", "adjust", "巴财社〔2025〕98号", "--amount", "-200", "--basis", "巴财社〔2026〕2号"],
        )
    })
    .exits(1)
    .says("可用 100.00 元");
    desk.as_(REVIEWER, &["run", "reject", &run, "--reason", ""]).exits(1).says("NO_REASON");
    desk.as_(REVIEWER, &["run", "reject", &run, "--reason", "指标不足"]).done();
    desk.as_(MAKER, &["run", "cancel", &run, "--reason", "等待追加"]).done();
    desk.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", "2026-01", "--json"]).done();
}

#[test]
fn a_file_changed_between_office_and_bank_is_not_overwritten_silently() {
    let desk = Desk::new().with_office().with_people(4);
    let run = desk.signed("2026-01");
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).done();
    let file = files_in(&desk.path("out")).remove(0);
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&good[..], b" "].concat()).unwrap();
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).exits(4).says("内容不同");
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "fresh"]).done();
    assert_eq!(std::fs::read(desk.path("fresh").join(file.file_name().unwrap())).unwrap(), good);
}

#[test]
fn a_budget_file_says_all_its_faults_at_once() {
    let desk = Desk::new().with_office();
    let text = "年度,指标文号,补贴项目,项目名称,功能科目,经济科目,资金来源,支出类别,金额（元）\r\n2026,巴财社98号,,x,20806,30305,中央,项目支出,一百\r\n";
    desk.put("b.csv", text);
    let answer = desk.changes_nothing(|| desk.as_(FINANCE, &["budget", "load", "b.csv"])).exits(3);
    answer.says("应为 机关代字〔年份〕序号号").says("资金来源").says("金额");
    let local = "年度,指标文号,补贴项目,项目名称,功能科目,经济科目,资金来源,支出类别,金额（万元）\r\n2026,和财预〔2026〕1号,,企业关闭破产补助,2080601,30305,本级,基本支出,14.11\r\n";
    desk.put("local.csv", local);
    desk.as_(FINANCE, &["budget", "load", "local.csv"]).done().says("141,100.00");
    desk.as_(FINANCE, &["budget", "load", "local.csv"]).done().says("没有变化");
    desk.put("other.csv", local.replace("14.11", "15.00"));
    desk.changes_nothing(|| desk.as_(FINANCE, &["budget", "load", "other.csv"])).exits(1).says("BUDGET_DIFFERS");
}
