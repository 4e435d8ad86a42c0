use proptest::prelude::*;
use rust_xlsxwriter::Workbook;

use super::*;
use crate::domain::bank_account::card_check_digit;
use crate::domain::citizen_number::check_character;
use crate::domain::credit_code;
use crate::domain::scheme::{BackPay, Certification, Release, Standard};
use crate::formats::list::tests::citizen;
use crate::formats::table::read_table;
use crate::progress::Bar;

const HEADER: &str = "姓名,身份证号,一卡通账号,开户行";

fn day(text: &str) -> NaiveDate {
    parse_date(text).unwrap()
}

fn standard(category: &str, from: &str, to: Option<&str>, yuan: i64) -> Standard {
    let to = to.map(|to| to.parse().unwrap());
    Standard { category: category.into(), from: from.parse().unwrap(), to, monthly: Money(yuan * 100), document: None }
}

fn scheme(standards: Vec<Standard>) -> Scheme {
    Scheme { retired_by: Some(day("1995-12-31")), ..Scheme::sample(standards) }
}

fn banks() -> BankBook {
    let bank = |code: &str, name: &str, aliases: &[&str], lengths: &[usize]| Bank {
        code: code.into(),
        name: name.into(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
        account_lengths: lengths.to_vec(),
        card_check: code == "BOC",
        layout: "neutral".into(),
        values: std::collections::BTreeMap::new(),
    };
    BankBook {
        banks: vec![
            bank("RCC", "和静县农村信用合作联社", &["信用社"], &[16, 19]),
            bank("BOC", "中国银行", &[], &[12, 19]),
        ],
        ..BankBook::default()
    }
}

fn card(serial: u32) -> String {
    let body = format!("621700001111222{serial:03}");
    format!("{body}{}", card_check_digit(&body))
}

/// The rows of a roster are pieces of its file: the file, the scheme and the banks stay for as long as a test may want.
fn read_by(scheme: &Scheme, bytes: &[u8]) -> Roster<'static> {
    let (bytes, scheme, banks) =
        (Vec::leak(bytes.to_vec()), Box::leak(Box::new(scheme.clone())), Box::leak(Box::new(banks())));
    let table = Box::leak(Box::new(read_table("名册.csv", bytes, None).unwrap()));
    let first = "2026-03".parse().unwrap();
    parse_roster(table, &RosterContext { scheme, banks, today: day("2026-01-15"), first, bar: &Bar::default() })
}

fn read(text: &str) -> Roster<'static> {
    read_by(&scheme(vec![standard("", "2026-01", None, 120)]), text.as_bytes())
}

/// `row code` of everything but notices, in order.
fn codes(roster: &Roster) -> Vec<String> {
    let told = roster.findings.iter().filter(|f| f.severity > Severity::Notice);
    told.map(|f| format!("{} {}", f.row, f.code)).collect()
}

/// The findings of one row with these four cells.
fn one(name: &str, number: &str, account: &str, bank: &str) -> Vec<String> {
    codes(&read(&format!("{HEADER}\n{name},{number},{account},{bank}\n")))
}

#[test]
fn a_clean_roster_is_read_whole() {
    let roster = read(&format!(
        "和静县发放名册,,\n单位：元\n序号,*姓 名,户名,公民身份号码(身份证号),备注,银行帐号,开户银行,享受起始月,享受终止月,\
         月标准（元）,退休日期,户口\n1,阿依古丽•买买提,,{},补发,{},信用社,202602,2026年6月,120,1995/12/31,城镇\n,,,,,,,,,,,\n\
         2,李四,王五,{},,{},boc,2026-02,,120.00,,\n合计,2人,,,,,,,,240,,\n制表：张三,,,审核：李四,日期：2026-01-05,\n",
        citizen(1),
        card(1),
        citizen(2),
        card(2)
    ));
    assert_eq!(codes(&roster), ["6 HOLDER_DIFFERS"]);
    assert_eq!((roster.header_row, roster.data_rows, roster.refused.len()), (3, 2, 0));
    let notices: Vec<_> = roster.findings.iter().filter(|f| f.severity == Severity::Notice).collect();
    assert_eq!(notices.iter().map(|f| f.code).collect::<Vec<_>>(), ["COLUMN_UNKNOWN", "NAME_NORMALISED"]);
    let first = &roster.rows.get(0).unwrap();
    assert_eq!((first.row, &*first.name, &*first.more().note), (4, "阿依古丽·买买提", "补发"));
    assert_eq!(first.account().holder, "阿依古丽·买买提");
    assert_eq!(first.account().bank_code, "RCC");
    assert_eq!((first.first.number(), first.last.map(Period::number)), (202_602, Some(202_606)));
    assert_eq!(roster.rows.get(1).unwrap().account().holder, "王五");
    assert_eq!(roster.rows.get(1).unwrap().last, None);
}

#[test]
fn each_fault_has_its_code() {
    let (id, account) = (&citizen(1), &card(1));
    let no_luhn = format!("{}{}", &account[..18], if account.ends_with('0') { '1' } else { '0' });
    for (name, number, account, bank, expected) in [
        ("王", id.as_str(), account.as_str(), "农行", "2 BANK_UNKNOWN"),
        ("王", id, account, "", "2 BANK_UNKNOWN"),
        ("", id, account, "RCC", "2 NAME_MISSING"),
        ("王5", id, account, "RCC", "2 NAME_NOT_A_NAME"),
        ("王", "", account, "RCC", "2 CITIZEN_NUMBER_MISSING"),
        ("王", "652827194005010016", account, "RCC", "2 CITIZEN_NUMBER_CHECK_DIGIT"),
        ("王", "6.52827E+17", account, "RCC", "2 SCIENTIFIC_NOTATION"),
        ("王", "=A1", account, "RCC", "2 FORMULA_CELL"),
        ("王", id, "621700001111222233", "RCC", "2 ACCOUNT_LENGTH"),
        ("王", id, "6.217E18", "RCC", "2 SCIENTIFIC_NOTATION"),
        ("王", id, "6217A0001111222233", "RCC", "2 ACCOUNT_CHARACTER"),
        ("王", id, &no_luhn, "RCC", "2 ACCOUNT_CARD_CHECK"),
        ("王", id, &no_luhn, "BOC", "2 ACCOUNT_CARD_CHECK"),
        ("王", id, "123456789012", "中国银行", ""),
    ] {
        assert_eq!(one(name, number, account, bank).join("|"), expected, "{name} {number} {account} {bank}");
    }
    // Where the bank says that all its accounts are cards, the check digit is no mere warning.
    let row = |bank: &str| read(&format!("{HEADER}\n王,{id},{no_luhn},{bank}\n"));
    assert_eq!((row("RCC").rows.len(), row("BOC").rows.len()), (1, 0));
    assert_eq!(one("王", account, id, "RCC"), ["2 COLUMNS_SWAPPED", "2 COLUMNS_SWAPPED"]);
    assert_eq!(
        one("", "65", "x", "?"),
        ["2 NAME_MISSING", "2 BANK_UNKNOWN", "2 CITIZEN_NUMBER_LENGTH", "2 ACCOUNT_CHARACTER"],
        "all faults of a row at once"
    );
}

#[test]
fn months_standards_and_dates_are_judged() {
    let header = format!("{HEADER},起始月,终止月,标准,退休时间");
    let base = format!("王,{},{},RCC", citizen(1), card(1));
    for (rest, expected) in [
        ("2026-01,,120,", ""),
        ("2020-01,,120,", ""),
        (",,,", "2 MONTH_INVALID"),
        ("2026.1,,,", "2 MONTH_INVALID"),
        ("2026.10,2026-09,,", "2 MONTH_ORDER"),
        ("2026-01,13月,,", "2 MONTH_INVALID"),
        ("2026-01,,100,", "2 STANDARD_DIFFERS"),
        ("2026-01,,一百,", "2 STANDARD_DIFFERS"),
        ("2026-01,,=60*2,", "2 FORMULA_CELL"),
        ("2026-01,,,1996-01-01", "2 RETIRED_TOO_LATE"),
        ("2026-01,,,1995", "2 DATE_INVALID"),
    ] {
        assert_eq!(codes(&read(&format!("{header}\n{base},{rest}\n"))).join("|"), expected, "{rest}");
    }
    let body = "65282719600501001";
    let young = format!("{body}{}", check_character(body));
    assert_eq!(one("王", &young, &card(1), "RCC"), ["2 AGE_UNLIKELY"]);
}

#[test]
fn categories_choose_the_standard() {
    let scheme = scheme(vec![
        standard("甲", "2026-01", Some("2026-06"), 100),
        standard("甲", "2026-07", None, 110),
        standard("乙", "2026-01", None, 80),
    ]);
    let header = "姓名,身份证号,一卡通账号,开户行,类别,起始月,月标准";
    for (rest, expected) in [
        ("甲,2026-01,100", ""),
        ("甲,2026-07,100", "2 STANDARD_DIFFERS"),
        ("乙,2025-01,80", ""),
        ("丙,2026-01,80", "2 CATEGORY_UNKNOWN"),
        (",2026-01,80", "2 CATEGORY_UNKNOWN"),
    ] {
        let text = format!("{header}\n王,{},{},RCC,{rest}\n", citizen(1), card(1));
        assert_eq!(codes(&read_by(&scheme, text.as_bytes())).join("|"), expected, "{rest}");
    }
    let single = read(&format!("{header}\n王,{},{},RCC,随便,2026-01,120\n", citizen(1), card(1)));
    assert_eq!(&*single.rows.get(0).unwrap().category, "");
}

#[test]
fn one_person_twice_and_one_account_for_two() {
    let old_form = format!("652827{}", &citizen(1)[8..17]);
    let roster = read(&format!(
        "{HEADER},户名关系\n王,{},{1},RCC\n王,{old_form},{1},RCC\n李,{2},{1},RCC\n赵,{3},{1},RCC,夫妻\n",
        citizen(1),
        card(1),
        citizen(2),
        citizen(3)
    ));
    assert_eq!(codes(&roster), ["3 DUPLICATE_PERSON", "4 DUPLICATE_ACCOUNT", "5 DUPLICATE_ACCOUNT"]);
    assert_eq!(roster.findings[0].found, "652827********001".to_string() + &citizen(1)[17..] + " 与第 2 行相同");
    assert_eq!(roster.rows.iter().map(|r| r.row).collect::<Vec<_>>(), [2, 5]);
    assert_eq!((roster.data_rows, roster.refused.len()), (4, 2));
}

#[test]
fn totals_must_agree_and_end_the_roster() {
    let row = |i: u32| format!("{i},王,{},{},RCC,120\n", citizen(i), card(i));
    let read_with = |tail: &str| {
        let header = format!("序号,{HEADER},月标准\n");
        codes(&read(&[header, row(1), row(2), tail.to_string()].concat())).join("|")
    };
    for (tail, expected) in [
        ("合计,,,,,240", ""),
        ("合 计：共2人,,,,,=SUM(F2:F3)", ""),
        ("3,合计,2,,,240.00", ""),
        ("总计,3人,,,,", "4 TOTAL_DIFFERS"),
        ("合计3人,,,,,241", "4 TOTAL_DIFFERS|4 TOTAL_DIFFERS"),
        ("小计,,,,,240\n合计,,,,,240\n制表人,张三,审核：李四,电话13999999999,2026-01-05", ""),
    ] {
        assert_eq!(read_with(tail), expected, "{tail}");
    }
    assert_eq!(read_with(&format!("合计\n{}", row(3))), "5 ROW_AFTER_TOTAL");
}

#[test]
fn a_header_that_does_not_fit_is_one_error() {
    let roster = read("姓名,身份证号,金额\n王,1,2\n");
    assert_eq!(codes(&roster), ["1 COLUMN_MISSING"]);
    assert!(roster.findings[0].hint.contains("银行账号、开户银行"), "{}", roster.findings[0].sentence());
    assert_eq!(codes(&read(&format!("王,{}\n", citizen(1)))), ["0 COLUMN_MISSING"]);
    assert_eq!(codes(&read(&format!("{HEADER},账号\n王,{},{},RCC\n", citizen(1), card(1)))), ["1 COLUMN_TWICE"]);
    let roster = read(&format!("{HEADER}\n"));
    assert_eq!(codes(&roster), ["1 NO_DATA"]);
}

#[test]
fn numbers_in_number_cells_are_never_believed() {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    for (i, title) in (0_u16..).zip(HEADER.split(',')) {
        page.write_string(4, i, title).unwrap();
    }
    page.write_string(5, 0, "王").unwrap();
    page.write_number(5, 1, 652_827_194_005_010_017_f64).unwrap();
    page.write_number(5, 2, 123_456_789_012_f64).unwrap();
    page.write_string(5, 3, "BOC").unwrap();
    page.write_string(6, 0, "李").unwrap();
    page.write_formula(6, 1, "=VLOOKUP(A7,B:C,2)").unwrap();
    page.write_string(6, 2, card(2)).unwrap();
    page.write_string(6, 3, "BOC").unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let roster = read_by(&scheme(vec![standard("", "2026-01", None, 120)]), &bytes);
    assert_eq!(codes(&roster), ["6 NUMERIC_CELL", "6 NUMERIC_CELL", "7 FORMULA_CELL"]);
    assert_eq!(codes(&read(&format!("{HEADER}\n王,{},6217000011112220000,RCC\n", citizen(1))))[0], "2 NUMERIC_CELL");
}

#[test]
fn no_message_shows_a_whole_number() {
    let roster = read(&format!(
        "{HEADER},备注\n{0},{1},{0},{0}\n王,{0},{1},{0}\n李,=\"x\"&{0},6.21700001111E+18,{1}\n",
        citizen(1),
        card(1)
    ));
    for finding in &roster.findings {
        let text = finding.sentence();
        let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        assert!(longest < Some(9), "{text}");
    }
}

fn pension() -> Scheme {
    Scheme {
        amount: AmountRule::Individual,
        monthly_cap: Some(Money(900_000)),
        certification: Some(Certification { cycle_months: 12, warning_months: 3, back_pay: BackPay::Paid }),
        retired_by: None,
        ..scheme(Vec::new())
    }
}

fn of_units() -> Scheme {
    Scheme { payees: Payees::Units, amount: AmountRule::Individual, release: Release::Once, ..scheme(Vec::new()) }
}

/// A unit's code that looks like a number in scientific notation.
fn unit(serial: u32) -> String {
    let body = format!("12652827E12345{serial:03}");
    format!("{body}{}", credit_code::check_character(&body))
}

#[test]
fn own_amounts_and_certifications_are_taken() {
    for title in ["月待遇", "月标准(元)", "金额", "养老金", "发放金额"] {
        let text = format!(
            "{HEADER},{title},人员类别,最近认证日期\n王,{},{},RCC,\"3,210.55\",高龄 甲类,2025-12-31\n\
             李,{},{},RCC,9000,,\n合计,,,,12210.55\n",
            citizen(1),
            card(1),
            citizen(2),
            card(2)
        );
        let roster = read_by(&pension(), text.as_bytes());
        assert_eq!((codes(&roster), roster.rows.len()), (Vec::<String>::new(), 2), "{title}");
        let [first, second] = [&roster.rows.get(0).unwrap(), &roster.rows.get(1).unwrap()];
        assert_eq!((first.amount, &*first.category), (Some(Money(321_055)), "高龄 甲类"));
        assert_eq!((first.certified_on, second.certified_on), (Some(day("2025-12-31")), None));
        assert_eq!((second.amount, &*second.category), (Some(Money(900_000)), ""));
    }
    let standard = read(&format!("{HEADER},月标准,认证日期\n王,{},{},RCC,120,x\n", citizen(1), card(1)));
    assert_eq!((standard.rows.get(0).unwrap().amount, standard.rows.get(0).unwrap().certified_on), (None, None));
    assert_eq!(standard.findings[0].code, "COLUMN_UNKNOWN", "no certification, no such column");
}

#[test]
fn own_amounts_that_cannot_be_paid_are_refused() {
    let header = format!("{HEADER},金额,认证日期");
    for (rest, expected) in [
        (",", "2 AMOUNT_MISSING"),
        ("0,", "2 AMOUNT_INVALID"),
        ("-5,", "2 AMOUNT_INVALID"),
        ("三千,", "2 AMOUNT_INVALID"),
        ("0.001,", "2 AMOUNT_INVALID"),
        ("=C2*2,", "2 FORMULA_CELL"),
        ("9000.01,", "2 AMOUNT_ABOVE_CAP"),
        ("3000,2026-01-15", ""),
        ("3000,2026-01-16", "2 CERTIFIED_IN_FUTURE"),
        ("3000,2025年", "2 DATE_INVALID"),
    ] {
        let roster = read_by(&pension(), format!("{header}\n王,{},{},RCC,{rest}\n", citizen(1), card(1)).as_bytes());
        assert_eq!(codes(&roster).join("|"), expected, "{rest}");
    }
    let missing = read_by(&pension(), format!("{HEADER}\n王,{},{},RCC\n", citizen(1), card(1)).as_bytes());
    assert_eq!(codes(&missing), ["1 COLUMN_MISSING"]);
    assert!(missing.findings[0].hint.contains("缺少列：月待遇"), "{}", missing.findings[0].sentence());
    let text = format!("{HEADER},金额\n王,{},{},RCC,3000\n合计,,,,3001\n", citizen(1), card(1));
    assert_eq!(codes(&read_by(&pension(), text.as_bytes())), ["3 TOTAL_DIFFERS"]);
}

#[test]
fn a_whole_date_gives_the_first_day_and_the_next_month_where_the_scheme_says_so() {
    let first_of = |start_month, cell: &str| {
        let scheme = Scheme { start_month, ..scheme(vec![standard("", "2026-01", None, 120)]) };
        let text = format!("{HEADER},起始月\n王,{},{},RCC,{cell}\n", citizen(1), card(1));
        let roster = read_by(&scheme, text.as_bytes());
        let notices = roster.findings.iter().filter(|f| f.code == "FIRST_IS_NEXT_MONTH").count();
        let row = &roster.rows.get(0).unwrap();
        (row.first.to_string(), row.first_day.map(|day| day.to_string()), notices)
    };
    let days = Some("2026-03-17".to_string());
    for start_month in [StartMonth::Whole, StartMonth::CalendarDays, StartMonth::ThirtyDays] {
        assert_eq!(first_of(start_month, "2026/3/17"), ("2026-03".into(), days.clone(), 0));
    }
    assert_eq!(first_of(StartMonth::Next, "20260317"), ("2026-04".into(), days, 1));
    assert_eq!(first_of(StartMonth::Next, "2026-03"), ("2026-03".into(), None, 0));
    let december = first_of(StartMonth::Next, "2025-12-01");
    assert_eq!(december, ("2026-01".into(), Some("2025-12-01".into()), 1));
}

#[test]
fn units_are_paid_by_their_credit_code() {
    let header = "单位名称,统一社会信用代码,银行账号,开户银行,发放金额";
    let read = |rows: &str| read_by(&of_units(), format!("{header}\n{rows}").as_bytes());
    let roster = read(&format!("A&B(和静)商贸有限公司,{},{},RCC,800\n", unit(1).to_lowercase(), card(1)));
    assert_eq!(codes(&roster), Vec::<String>::new());
    let row = &roster.rows.get(0).unwrap();
    assert_eq!((row.citizen_number.as_str(), row.citizen_number.born_on()), (unit(1).as_str(), None));
    assert_eq!((row.account().holder, row.amount), ("A&B(和静)商贸有限公司", Some(Money(80_000))));
    let (code, account, person) = (unit(1), card(1), citizen(1));
    for (row, expected) in [
        (format!("甲公司,{code}X,{account},RCC,800"), "2 CREDIT_CODE_LENGTH"),
        (format!("甲公司,{person},{account},RCC,800"), "2 CREDIT_CODE_CHECK_CHARACTER"),
        (format!("甲公司,1265282O{},{account},RCC,800", &code[8..]), "2 CREDIT_CODE_CHARACTER"),
        (format!("甲公司,,{account},RCC,800"), "2 CREDIT_CODE_MISSING"),
        (format!("甲公司,{account},{code},RCC,800"), "2 COLUMNS_SWAPPED|2 COLUMNS_SWAPPED"),
        (format!("甲公司,{code},6217000,RCC,800"), "2 ACCOUNT_LENGTH"),
        (format!("12345,{code},{account},RCC,800"), "2 NAME_NOT_A_NAME"),
        (format!("甲公司,{code},{account},RCC,800\n乙公司,{code},{},RCC,800", card(2)), "3 DUPLICATE_PERSON"),
    ] {
        assert_eq!(codes(&read(&row)).join("|"), expected, "{row}");
    }
    let persons_header = read_by(&of_units(), format!("{HEADER},金额\n").as_bytes());
    assert!(persons_header.findings[0].hint.contains("统一社会信用代码"), "{:?}", persons_header.findings);
}

/// A template filled in with these cells by title, read again.
fn filled(scheme: &Scheme, cells: &[(&str, String)]) -> Roster<'static> {
    let template = template(scheme).unwrap();
    let table = read_table("x", &template, None).unwrap();
    let titles: Vec<String> =
        table.rows().find(|row| row.number == 2).unwrap().cells.iter().map(|cell| cell.text().into_owned()).collect();
    let value = |title: &String| cells.iter().find(|(known, _)| known == title).map_or("", |(_, value)| value);
    for (title, _) in cells {
        assert!(titles.iter().any(|known| known == title), "no {title} in {titles:?}");
    }
    let row: Vec<&str> = titles.iter().map(value).collect();
    read_by(scheme, format!("{}\n{}\n", titles.join(","), row.join(",")).as_bytes())
}

#[test]
fn the_template_is_a_roster_without_people_and_takes_what_the_scheme_needs() {
    let categories = scheme(vec![standard("甲", "2026-01", None, 100), standard("乙", "2026-01", None, 80)]);
    for scheme in [&categories, &pension(), &of_units()] {
        let roster = read_by(scheme, &template(scheme).unwrap());
        assert_eq!((roster.header_row, codes(&roster)), (2, vec!["2 NO_DATA".to_string()]));
        assert_eq!(roster.findings.len(), 1, "every title is known");
    }
    let common = [("银行账号", card(1)), ("开户银行", "RCC".to_string())];
    let person = [("姓名", "王建国".to_string()), ("公民身份号码", citizen(1)), ("享受起始月", "2026-02-10".into())];
    let cells = |own: &[(&'static str, String)]| [&common, own].concat();

    let by_standard = [&person[..], &[("人员类别", "乙".into()), ("退休日期", "1990-05-01".into())]].concat();
    let roster = filled(&categories, &cells(&by_standard));
    assert_eq!(roster.findings, []);
    assert_eq!(
        (&*roster.rows.get(0).unwrap().category, roster.rows.get(0).unwrap().retired_on),
        ("乙", Some(day("1990-05-01")))
    );

    let own_amount = [("月待遇", "4321.00".to_string()), ("最近认证日期", "2025-06-30".into())];
    let roster = filled(&pension(), &cells(&[&person[..], &own_amount].concat()));
    assert_eq!(roster.findings, []);
    let row = &roster.rows.get(0).unwrap();
    assert_eq!((row.amount, row.certified_on), (Some(Money(432_100)), Some(day("2025-06-30"))));
    assert_eq!((row.first_day, row.first.number()), (Some(day("2026-02-10")), 202_602));

    let unit = [("单位名称", "和静县某中心".to_string()), ("统一社会信用代码", unit(1)), ("发放金额", "800".into())];
    let unit = [&unit[..], &[("享受起始月", "2026-03".into())]].concat();
    let roster = filled(&of_units(), &cells(&unit));
    assert_eq!((roster.findings, roster.rows.get(0).unwrap().amount), (Vec::new(), Some(Money(80_000))));
}

/// A pension with these ends of one person, from 2026-01 on, read on 2026-01-15.
fn ends(scheme: &Scheme, last: &str, on: &str, reason: &str, status: &str, from: &str, cause: &str) -> Roster<'static> {
    let titles = "享受起始月,享受终止月,终止日期,停发原因,发放状态,暂停起始月,暂停原因";
    let person = format!("王,{},{},RCC,2026-01", citizen(1), card(1));
    let text = format!("{HEADER},{titles}\n{person},{last},{on},{reason},{status},{from},{cause}\n");
    read_by(scheme, text.as_bytes())
}

#[test]
fn ends_and_suspensions_are_read() {
    let plain = scheme(vec![standard("", "2026-01", None, 120)]);
    let roster = ends(&plain, "2026-03", "2026-03-12", "迁出", "", "2026-02", "服刑通知");
    assert_eq!(roster.findings, []);
    let row = &roster.rows.get(0).unwrap();
    assert_eq!(row.more().stop, Some(Stop { on: day("2026-03-12"), reason: Some(StopReason::Moved) }));
    let suspension = row.more().suspension.as_ref().unwrap();
    assert_eq!((suspension.from.number(), suspension.cause()), (202_602, Some(SuspensionCause::Prison)));
    let blank = ends(&plain, "", "", "", "", "", "");
    let blank = &blank.rows.get(0).unwrap();
    assert_eq!((&blank.more().stop, &blank.more().suspension, blank.status), (&None, &None, None));
    // The last month alone says when it ended.
    assert_eq!(ends(&plain, "2026-01", "", "", "停发", "", "").findings, []);
}

#[test]
fn ends_that_are_unclear_are_told_by_cell() {
    let plain = scheme(vec![standard("", "2026-01", None, 120)]);
    let by_day = Scheme { stop_month: crate::domain::scheme::StopMonth::NotPaid, ..plain.clone() };
    for (scheme, [last, on, reason, status, from, cause], code, column) in [
        (&plain, ["", "", "", "停发", "", ""], "STOP_DATE_MISSING", "终止日期"),
        (&plain, ["2026-03", "", "死亡", "", "", ""], "STOP_DATE_MISSING", "终止日期"),
        (&plain, ["", "", "", "暂停", "", ""], "SUSPENSION_MONTH_MISSING", "暂停起始月"),
        (&plain, ["", "", "", "", "", "服刑"], "SUSPENSION_MONTH_MISSING", "暂停起始月"),
        (&plain, ["", "", "", "待定", "", ""], "STATUS_UNKNOWN", "发放状态"),
        (&plain, ["", "2026-01-02", "", "正常", "", ""], "STATUS_DIFFERS", "发放状态"),
        (&plain, ["", "", "", "正常", "2026-02", ""], "STATUS_DIFFERS", "发放状态"),
        (&plain, ["2026-04", "2026-03-31", "", "", "", ""], "END_DIFFERS", "享受终止月"),
        (&plain, ["", "2026-02-01", "死亡", "", "", ""], "DATE_AHEAD", "终止日期"),
        (&plain, ["", "2026-02-01", "退休", "", "", ""], "STOP_REASON_UNKNOWN", "停发原因"),
        (&plain, ["", "2026-02-01", "名册终止月", "", "", ""], "STOP_REASON_UNKNOWN", "停发原因"),
        (&plain, ["", "2026-02-30", "", "", "", ""], "DATE_INVALID", "终止日期"),
        (&plain, ["", "", "", "", "2026.1", ""], "MONTH_INVALID", "暂停起始月"),
        (&by_day, ["", "2026-02-01", "", "", "", ""], "STOP_REASON_MISSING", "停发原因"),
    ] {
        let roster = ends(scheme, last, on, reason, status, from, cause);
        let told: Vec<_> = roster.findings.iter().map(|f| (f.row, f.column.as_str(), f.code)).collect();
        assert_eq!(told, [(2, column, code)]);
        assert_eq!(roster.refused[&2], [citizen(1), card(1)], "{code}");
    }
    assert_eq!(codes(&ends(&plain, "", "2025-12-31", "", "停发", "", "")), ["2 END_BEFORE_START"]);
}

#[test]
fn a_file_of_what_was_given_back_is_known_by_its_reasons() {
    let row = |n: u32, reason: &str| format!("王,{},{},RCC,{reason}\n", citizen(n), card(n));
    let text = |second: &str| format!("{HEADER},退回原因\n{}{}", row(1, "账号有误"), row(2, second));
    assert!(read(&text("姓名有误")).is_given_back);
    assert!(!read(&text("")).is_given_back && !read(&format!("{HEADER}\n{}", row(1, ""))).is_given_back);
}

/// What is told of people and accounts that come again, worked out the plain way.
fn told_again(rows: &[(u32, u32, bool, bool)]) -> Vec<String> {
    let mut told = Vec::new();
    let mut people: HashMap<u32, usize> = HashMap::new();
    let mut accounts: HashMap<u32, (usize, u32, Option<usize>)> = HashMap::new();
    for (row, (person, account, is_related, has_name)) in (2..).zip(rows.iter().copied()) {
        if !has_name {
            told.push(format!("{row} NAME_MISSING 为空，应为姓名或单位名称"));
        }
        match people.get(&person) {
            Some(earlier) => {
                told.push(format!("{row} DUPLICATE_PERSON {} 与第 {earlier} 行相同", masked(&citizen(person))));
            }
            None => drop(people.insert(person, row)),
        }
        let Some((first, of, owner)) = accounts.get_mut(&account) else {
            accounts.insert(account, (row, person, (!is_related).then_some(row)));
            continue;
        };
        if *of != person {
            let other = if is_related { *first } else { owner.unwrap_or(*first) };
            told.push(format!("{row} DUPLICATE_ACCOUNT {} 与第 {other} 行是同一账号", masked(&card(account))));
            if !is_related {
                owner.get_or_insert(row);
            }
        }
    }
    told
}

proptest! {
    #[test]
    fn whoever_comes_again_is_told_with_the_first_row(
        rows in proptest::collection::vec((1..5_u32, 1..5_u32, any::<bool>(), any::<bool>()), 1..12)
    ) {
        let line = |(person, account, is_related, has_name): &(u32, u32, bool, bool)| {
            let (name, relation) = (if *has_name { "王" } else { "" }, if *is_related { "夫妻" } else { "" });
            format!("{name},{},{},RCC,{relation}\n", citizen(*person), card(*account))
        };
        let lines: String = rows.iter().map(line).collect();
        let roster = read(&format!("{HEADER},户名关系\n{lines}"));
        let told = roster.findings.iter().map(|f| {
            // A citizen number is masked with six digits in front, here as in any other text with four.
            let found = f.found.replacen("652827", "6528**", usize::from(f.code == "DUPLICATE_PERSON"));
            format!("{} {} {found}", f.row, f.code)
        });
        prop_assert_eq!(told.collect::<Vec<_>>(), told_again(&rows));
        prop_assert_eq!(roster.rows.len() + roster.refused.len(), rows.len());
    }

    /// Rows of a text file are held as pieces of it, those of any other table whole.
    #[test]
    fn a_row_in_pieces_says_what_a_whole_one_says(
        rows in proptest::collection::vec(
            (1..400_u32, 1..400_u32, "王芳|阿依古丽•买买提|\"李 \"| 赵 |\u{3000}钱|A&B", "|孙|\"孙\"\"\"", "高龄|甲|\"乙\"\"\"| ",
             "2026-01|2026/3/5|2019年7月|x", "|2026-12|2027-01", "3000|\"1,234.50\"|0.01|9", "|暂停|停发", 0..8_u32),
            1..30,
        )
    ) {
        let header = "姓名,身份证号,一卡通账号,开户行,户名,户名关系,人员类别,起始月,终止月,月待遇,发放状态,暂停起始月,最近认证日期,备注";
        let line = |(person, account, name, holder, category, first, last, amount, status, rare): &(u32, u32, String, String, String, String, String, String, String, u32)| {
            let number = match rare { 1 => format!(" {}", citizen(*person)), 2 => citizen(*person).replace('6', "６"), _ => citizen(*person) };
            let relation = if *rare == 3 { "夫妻" } else { "" };
            let from = if *rare == 4 { "2026-02" } else { "" };
            let certified = if *rare == 5 { "2025-12-31" } else { "" };
            let note = if *rare == 6 { "见\"\"附件" } else { "" };
            format!("{name},{number},{},信用社,{holder},{relation},{category},{first},{last},{amount},{status},{from},{certified},{note}\n", card(*account))
        };
        let lines: String = rows.iter().map(line).collect();
        let text = format!("{header}\n{lines}");
        let (scheme, banks) = (pension(), banks());
        let first = "2026-03".parse().unwrap();
        let context = RosterContext { scheme: &scheme, banks: &banks, today: day("2026-01-15"), first, bar: &Bar::default() };
        if let Ok(table) = read_table("x", text.as_bytes(), None) {
            let apart = table.only(|_| true);
            let (pieces, whole) = (parse_roster(&table, &context), parse_roster(&apart, &context));
            prop_assert_eq!(pieces.rows.iter().collect::<Vec<_>>(), whole.rows.iter().collect::<Vec<_>>());
            prop_assert_eq!(pieces.findings, whole.findings);
            prop_assert_eq!(pieces.refused, whole.refused);
            for (place, row) in whole.rows.iter().enumerate() {
                prop_assert_eq!(pieces.rows.get(place), Some(row.clone()));
                prop_assert!(pieces.rows.has_row(row.row));
                prop_assert_eq!(pieces.rows.citizen_number(place), Some(row.citizen_number.as_str()));
                prop_assert_eq!(pieces.rows.account_number(place), Some(row.account_number.as_str()));
                prop_assert_eq!(pieces.rows.is_related(place), !row.more().holder_relation.is_empty());
            }
        }
    }

    #[test]
    fn any_table_has_an_answer(cells in proptest::collection::vec("\\PC{0,12}|合计[0-9]{0,3}|[0-9]{15,19}|=.{0,3}", 0..40)) {
        let lines: Vec<String> = cells.chunks(5).map(|row| row.join(",")).collect();
        let text = format!("{HEADER},月标准\n{}", lines.join("\n"));
        if let Ok(table) = read_table("x", text.as_bytes(), None) {
            let scheme = scheme(vec![standard("", "2026-01", None, 120)]);
            let first = "2026-03".parse().unwrap();
            let banks = banks();
            let roster = parse_roster(&table, &RosterContext { scheme: &scheme, banks: &banks, today: day("2026-01-15"), first, bar: &Bar::default() });
            prop_assert_eq!(roster.rows.len() <= roster.data_rows, true);
        }
    }
}
