//! Comparison lists (比对名单) of other offices: tables to people. Foreign lists are dirty and cannot be
//! sent back for every row, so a fault in a row is a warning: the row stays with what could be read of
//! it. Only a row without a citizen number cannot be compared and is told instead of kept.

use chrono::NaiveDate;

use super::list::{
    Common, IGNORED_TITLES, ListColumn, ListReader, NAME_TITLES, NUMBER_TITLES, ReadList, Seen, Titles, is_cut_month,
    month_hint, quoted, without_time,
};
use super::table::{Header, Row, Table};
use crate::domain::comparison::{ComparisonKind, ComparisonRow};
use crate::domain::finding::Severity;
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};

/// What was read of a comparison list: everyone with a citizen number. Others have a finding each.
pub type ComparisonList = ReadList<ComparisonRow>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Number,
    From,
    To,
    /// A single month that was paid: first and last in one.
    Month,
    Amount,
    Benefit,
    Source,
    Note,
    Ignored,
}

impl ListColumn for Column {
    fn number(self) -> usize {
        self as usize
    }
}

const ANY_KIND: &Titles<Column> = &[
    (Column::Number, NUMBER_TITLES),
    (Column::Number, &["居民身份证号", "居民身份证号码", "证件号", "社会保障号码", "社会保障号"]),
    (Column::Name, NAME_TITLES),
    (Column::Name, &["参保人姓名"]),
    (Column::Source, &["来源", "数据来源", "信息来源"]),
    (Column::Note, &["备注", "说明"]),
    (Column::Ignored, IGNORED_TITLES),
];

const DEATH: &Titles<Column> = &[
    (Column::From, &["死亡日期", "死亡时间", "死亡年月", "死亡月份", "去世日期", "去世时间"]),
    (Column::Number, &["死者身份证号", "死者身份证号码", "死亡人员身份证号", "死亡人员身份证号码"]),
    (Column::Name, &["死者姓名", "死亡人员姓名"]),
];

const PRISON: &Titles<Column> = &[
    (
        Column::From,
        &["入狱日期", "入狱时间", "收监日期", "收监时间", "入监日期", "服刑起始日期", "刑期起日", "刑期起始日期"],
    ),
    (
        Column::To,
        &["释放日期", "释放时间", "出狱日期", "刑满日期", "刑满释放日期", "服刑终止日期", "刑期止日", "刑期终止日期"],
    ),
];

const MISSING: &Titles<Column> =
    &[(Column::From, &["失踪日期", "失踪时间", "下落不明日期", "下落不明时间", "走失日期"])];

const PAY_LIST: &Titles<Column> = &[
    (
        Column::From,
        &["起始月", "起始年月", "享受起始月", "享受起始年月", "待遇起始月", "待遇开始年月", "开始月份", "起始日期"],
    ),
    (
        Column::To,
        &["终止月", "终止年月", "享受终止月", "享受终止年月", "待遇终止月", "待遇终止年月", "截止月", "终止日期"],
    ),
    (Column::Month, &["所属期", "发放月份", "发放年月", "待遇月份", "待遇年月"]),
    (Column::Amount, &["金额", "发放金额", "月金额", "月发放金额", "待遇金额", "实发金额"]),
    (Column::Benefit, &["项目", "项目名称", "待遇名称", "待遇项目", "补贴项目", "险种", "险种类型"]),
];

const COMMON: Common<Column> = Common {
    list: "比对名单",
    one_row: "一人一行",
    name: Column::Name,
    number: Column::Number,
    ignored: Column::Ignored,
};

fn titles(kind: ComparisonKind) -> Vec<(Column, &'static [&'static str])> {
    let own = match kind {
        ComparisonKind::Death => DEATH,
        ComparisonKind::Prison => PRISON,
        ComparisonKind::Missing => MISSING,
        ComparisonKind::PayList => PAY_LIST,
    };
    [ANY_KIND, own].concat()
}

/// Reads a comparison list. Every row gets all its checks; `today` is the latest day on which
/// somebody can have died, gone to prison or missing.
#[must_use]
pub fn parse_comparison(table: &Table, kind: ComparisonKind, today: NaiveDate) -> ComparisonList {
    let titles = titles(kind);
    let header = Header::find(table, &titles);
    let mut list = ListReader::new(&titles, &header, COMMON, Severity::Warning);
    if let Some((_, title)) = header.column(Column::Amount).filter(|(_, title)| title.contains('万')) {
        list.file_error(Some(Column::Amount), "AMOUNT_UNIT", quoted(title), "以元为单位", "换算成元并改列名");
    }
    let since = if header.column(Column::Month).is_some() { Column::Month } else { Column::From };
    // A pay list has many months and benefits of one person; only the very same line is worth a word.
    let differing = (kind != ComparisonKind::PayList).then_some(Severity::Warning);
    let mut seen = Seen::new();
    let (rows, data_rows) = list.people(table, &[Column::Number, since], |list, row| {
        let (person, benefit) = person(list, row, kind, today)?;
        let says = (person.from, person.to, person.amount, benefit);
        list.check_again(&mut seen, &person.citizen_number, says, differing);
        Some(person)
    });
    ComparisonList { rows, data_rows, findings: list.findings, header_row: header.row }
}

/// One person, and the benefit by which two lines of a pay list differ.
fn person(
    list: &mut ListReader<Column>,
    row: &Row,
    kind: ComparisonKind,
    today: NaiveDate,
) -> Option<(ComparisonRow, String)> {
    let citizen_number = list.citizen_number(row, today);
    let has_name = !list.cell(row, Column::Name).is_blank();
    let name = has_name.then(|| list.name(row, Column::Name)).flatten().unwrap_or_default().into_owned();
    let (from, to) = time(list, row, kind, today);
    let amount = amount(list, row);
    let benefit = list.texts(row, [Column::Benefit]);
    let rest = list.texts(row, [Column::Source, Column::Note]);
    let separator = if benefit.is_empty() || rest.is_empty() { "" } else { "；" };
    let detail = format!("{benefit}{separator}{rest}");
    Some((ComparisonRow { row: row.number, citizen_number: citizen_number?, name, from, to, amount, detail }, benefit))
}

fn time(
    list: &mut ListReader<Column>,
    row: &Row,
    kind: ComparisonKind,
    today: NaiveDate,
) -> (Option<NaiveDate>, Option<NaiveDate>) {
    if !list.cell(row, Column::Month).is_blank() {
        return days(list, row, Column::Month, kind).unzip();
    }
    let mut from = None;
    if list.cell(row, Column::From).is_blank() {
        let since = if list.header.column(Column::From).is_some() { Column::From } else { Column::Month };
        list.fault(since, "DATE_MISSING", "为空".into(), "日期或年月", "向来源单位核实日期");
    } else {
        from = days(list, row, Column::From, kind).map(|(first, _)| first);
    }
    if let Some(date) = from.filter(|date| kind != ComparisonKind::PayList && *date > today) {
        list.fault(Column::From, "DATE_FUTURE", date.to_string(), &format!("不晚于 {today}"), "向来源单位核实日期");
        from = None;
    }
    let has_end = !list.cell(row, Column::To).is_blank();
    let mut to = has_end.then(|| days(list, row, Column::To, kind)).flatten().map(|(_, last)| last);
    if let (Some(first), Some(last)) = (from, to)
        && last < first
    {
        list.fault(Column::To, "DATE_ORDER", last.to_string(), &format!("不早于 {first}"), "向来源单位核实日期");
        to = None;
    }
    (from, to)
}

/// First and last day that a date or month means. Outside pay lists a month is less than was asked for.
fn days(
    list: &mut ListReader<Column>,
    row: &Row,
    column: Column,
    kind: ComparisonKind,
) -> Option<(NaiveDate, NaiveDate)> {
    let text = list.text(row, column)?;
    let day = without_time(&text);
    if let Some(date) = parse_date(day) {
        return Some((date, date));
    }
    let month = day.parse::<Period>().ok().filter(|_| !is_cut_month(day));
    let days = month.and_then(|month| Some((month.first_day(), month.next().first_day().pred_opt()?)));
    match days {
        None => {
            let expected = "2026-01-31 或 2026-01 这样的日期或年月";
            list.fault(column, "DATE_INVALID", quoted(&text), expected, month_hint(day));
        }
        Some((first, last)) if kind != ComparisonKind::PayList => {
            let taken = if column == Column::From { first } else { last };
            let found = format!("{}只有年月，按 {taken} 计", quoted(&text));
            list.report(Severity::Notice, Some(column), "DATE_IS_MONTH", found, "", "");
        }
        Some(_) => {}
    }
    days
}

fn amount(list: &mut ListReader<Column>, row: &Row) -> Option<Money> {
    if list.cell(row, Column::Amount).is_blank() {
        return None;
    }
    let text = list.text(row, Column::Amount)?;
    let amount = Money::parse(&text).ok();
    if amount.is_none() {
        list.fault(Column::Amount, "AMOUNT_INVALID", quoted(&text), "元，最多两位小数", "");
    }
    amount
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;
    use crate::formats::charset::{Charset, encode};
    use crate::formats::list::tests::{citizen, told};
    use crate::formats::table::read_table;

    const TODAY: &str = "2026-05-20";

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    fn read_bytes(kind: ComparisonKind, bytes: &[u8]) -> ComparisonList {
        parse_comparison(&read_table("名单.csv", bytes, None).unwrap(), kind, day(TODAY))
    }

    fn read(kind: ComparisonKind, text: &str) -> ComparisonList {
        read_bytes(kind, text.as_bytes())
    }

    fn times(list: &ComparisonList) -> Vec<(Option<NaiveDate>, Option<NaiveDate>)> {
        list.rows.iter().map(|r| (r.from, r.to)).collect()
    }

    #[test]
    fn each_kind_finds_its_columns_by_their_titles() {
        use ComparisonKind::{Death, Missing, PayList, Prison};
        for (kind, titles, cells, from, to) in [
            (Death, "姓名,公民身份号码,死亡日期", "2026-03-05", "2026-03-05", ""),
            (Death, "死者姓名,死者身份证号,死亡时间", "2026-03-05 10:20:00", "2026-03-05", ""),
            (Death, "姓 名,*身份证号码(18位),死亡年月", "202603", "2026-03-01", ""),
            (Prison, "姓名,证件号码,收监日期,释放日期", "2025/3/1,2026/4/30", "2025-03-01", "2026-04-30"),
            (Prison, "姓名,身份证,入狱日期,刑满日期", "20250301,2029年4月", "2025-03-01", "2029-04-30"),
            (Prison, "姓名,身份证,入狱日期", "2025.3.1", "2025-03-01", ""),
            (Missing, "姓名,居民身份证号,失踪日期", "2025年12月31日", "2025-12-31", ""),
            (PayList, "姓名,社会保障号码,起始月,终止月", "2026-01,2026-02", "2026-01-01", "2026-02-28"),
            (PayList, "姓名,社会保障号码,享受起始月", "2026-07", "2026-07-01", ""),
            (PayList, "姓名,身份证号,所属期", "2026年2月", "2026-02-01", "2026-02-28"),
        ] {
            let list = read(kind, &format!("{titles}\n王,{},{cells}\n", citizen(1)));
            assert!(list.findings.iter().all(|f| f.code == "DATE_IS_MONTH"), "{titles}: {:?}", list.findings);
            assert_eq!(times(&list), [(Some(day(from)), parse_date(to))], "{titles}: {cells}");
            assert_eq!((list.rows[0].row, list.rows[0].name.as_str()), (2, "王"), "{titles}");
        }
    }

    #[test]
    fn dirty_rows_are_told_and_kept_as_far_as_they_can_be_read() {
        let (a, b) = (citizen(1), citizen(2));
        let list = read(
            ComparisonKind::Death,
            &format!(
                "序号,姓名,身份证号,死亡日期,数据来源,备注,民族\n1,王,{a},去年,民政,无,汉\n2,李5,{b},2026-05-21,,,\n\
                 3,赵,652827********0017,2026-03-01,,,\n4,钱,,2026-03-01,,,\n5,孙,6.52827E+17,,,,\n6,,{},2026.1,,,\n7,周,{},,,,\n\
                 合计,7人,,,,,\n填表：吴,,电话13999999999,2026-05-06,,,\n",
                citizen(3),
                citizen(4)
            ),
        );
        let expected = [
            "1 COLUMN_UNKNOWN",
            "2 DATE_INVALID",
            "3 NAME_NOT_A_NAME",
            "3 DATE_FUTURE",
            "4 CITIZEN_NUMBER_CHARACTER",
            "5 CITIZEN_NUMBER_MISSING",
            "6 SCIENTIFIC_NOTATION",
            "6 DATE_MISSING",
            "7 DATE_INVALID",
            "8 DATE_MISSING",
        ];
        assert_eq!(told(&list.findings), expected);
        assert!(list.findings[1..].iter().all(|f| f.severity == Severity::Warning) && !list.has_errors());
        assert_eq!(list.rows.iter().map(|r| r.row).collect::<Vec<_>>(), [2, 3, 7, 8]);
        assert_eq!(times(&list), [(None, None); 4]);
        assert_eq!((list.data_rows, list.rows[0].detail.as_str(), list.rows[1].name.as_str()), (7, "民政；无", ""));
    }

    #[test]
    fn an_end_before_its_beginning_is_not_believed() {
        let text = format!("身份证号,入狱日期,释放日期\n{},2025-03-01,2025-02-28\n", citizen(1));
        let list = read(ComparisonKind::Prison, &text);
        assert_eq!(told(&list.findings), ["2 DATE_ORDER"]);
        assert_eq!(times(&list), [(Some(day("2025-03-01")), None)]);
    }

    #[test]
    fn the_same_person_in_both_forms_of_the_number() {
        let old = format!("652827{}", &citizen(1)[8..17]);
        let (a, b) = (citizen(1), citizen(2));
        let text = format!(
            "身份证号,死亡日期,备注\n{a},2026-03-05,甲\n{old},2026-3-5,乙\n{old},2026-03-06,\n{b},2026-03-05,\n{a},2026-03-06,\n"
        );
        let list = read(ComparisonKind::Death, &text);
        assert_eq!(told(&list.findings), ["3 DUPLICATE_ROW", "4 DUPLICATE_PERSON", "6 DUPLICATE_ROW"]);
        let severities: Vec<Severity> = list.findings.iter().map(|f| f.severity).collect();
        assert_eq!(severities, [Severity::Notice, Severity::Warning, Severity::Notice]);
        assert!(list.findings[2].found.contains("第 4 行"), "{}", list.findings[2].found);
        assert_eq!(list.rows.len(), 5, "all are kept");
        assert_eq!(list.rows[1].citizen_number.as_str(), a);
    }

    #[test]
    fn a_pay_list_has_amounts_and_many_months_of_one_person() {
        let a = citizen(1);
        let text = format!(
            "单位：元\n姓名,身份证号,待遇名称,所属期,发放金额,来源\n王,{a},城乡居保,2026-01,\"1,203.50\",居保系统\n\
             王,{a},城乡居保,2026-02,一百,\n王,{a},高龄津贴,2026-01,50,\n王,{a},高龄津贴,2026-01,50,\n小计,,,,1354,\n"
        );
        let list = read_bytes(ComparisonKind::PayList, &encode(&text, Charset::Gb18030).unwrap());
        assert_eq!(told(&list.findings), ["4 AMOUNT_INVALID", "6 DUPLICATE_ROW"]);
        let amounts: Vec<Option<i64>> = list.rows.iter().map(|r| r.amount.map(Money::fen)).collect();
        assert_eq!(amounts, [Some(120_350), None, Some(5_000), Some(5_000)]);
        assert_eq!((list.rows[0].detail.as_str(), list.rows[1].detail.as_str()), ("城乡居保；居保系统", "城乡居保"));
        let wan = read(ComparisonKind::PayList, &format!("身份证号,起始月,金额(万元)\n{a},2026-01,0.1\n"));
        assert_eq!(told(&wan.findings), ["1 AMOUNT_UNIT"]);
        assert!(wan.has_errors(), "1,000 元 must not be read as 0.10 元");
    }

    #[test]
    fn a_list_that_is_none_is_an_error() {
        let text = format!("姓名,身份证号,死亡日期\n王,{},2026-03-05\n", citizen(1));
        for (kind, title) in [
            (ComparisonKind::Prison, "入狱日期"),
            (ComparisonKind::Missing, "失踪日期"),
            (ComparisonKind::PayList, "起始月"),
        ] {
            let list = read(kind, &text);
            assert_eq!(told(&list.findings), ["1 COLUMN_MISSING"]);
            assert!(list.findings[0].hint.contains(title) && list.has_errors() && list.rows.is_empty(), "{title}");
        }
        let list = read(ComparisonKind::Death, "姓名,死亡日期\n王,2026-03-05\n");
        assert!(list.has_errors() && list.findings[0].hint.contains("公民身份号码"));
        let list = read(ComparisonKind::Death, "姓名,身份证号,死亡日期\n合计,0,\n");
        assert_eq!((told(&list.findings), list.data_rows), (vec!["1 NO_DATA".to_string()], 0));
        assert_eq!(read_table("x", b"", None).unwrap_err().code(), "FILE_EMPTY");
    }

    #[test]
    fn cells_of_a_workbook_are_dates_and_damaged_numbers() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        page.write_string(0, 0, "死亡人员名单").unwrap();
        for (i, title) in (0_u16..).zip(["姓名", "身份证号", "死亡日期"]) {
            page.write_string(1, i, title).unwrap();
        }
        let as_date = Format::new().set_num_format("yyyy-mm-dd");
        let date = ExcelDateTime::from_ymd(2026, 3, 5).unwrap();
        page.write_string(2, 1, citizen(1)).unwrap();
        page.write_date_with_format(2, 2, &date, &as_date).unwrap();
        page.write_number(3, 1, 652_827_194_005_010_017_f64).unwrap();
        page.write_number(3, 2, 20_260_305).unwrap();
        page.write_string(4, 1, citizen(2)).unwrap();
        page.write_number(4, 2, 20_260_305).unwrap();
        page.write_string(5, 1, citizen(3)).unwrap();
        page.write_formula(5, 2, "=C5+1").unwrap();
        let list = read_bytes(ComparisonKind::Death, &book.save_to_buffer().unwrap());
        assert_eq!(told(&list.findings), ["4 NUMERIC_CELL", "6 FORMULA_CELL"]);
        let on = Some(day("2026-03-05"));
        assert_eq!(times(&list), [(on, None), (on, None), (None, None)]);
    }

    #[test]
    fn no_message_shows_a_whole_number() {
        let a = citizen(1);
        let text =
            format!("姓名,身份证号,起始月,金额,{a}\n{a},{a}1,{a},{a},\n={a},{a},={a},6.5E17,\n王,{a},{a},{a},\n");
        let list = read(ComparisonKind::PayList, &text);
        assert_eq!(list.findings.len(), 11, "{:?}", list.findings);
        for finding in &list.findings {
            let text = finding.sentence();
            let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            assert!(longest < Some(9), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_table_has_an_answer(cells in proptest::collection::vec("\\PC{0,12}|合计|[0-9]{15,19}|20[0-9]{4}|=.{0,3}", 0..40)) {
            let lines: Vec<String> = cells.chunks(4).map(|row| row.join(",")).collect();
            for (kind, since) in ComparisonKind::ALL.into_iter().zip(["死亡日期", "入狱日期,释放日期", "失踪日期", "所属期"]) {
                let text = format!("身份证号,{since}\n{}", lines.join("\n"));
                if let Ok(table) = read_table("x", text.as_bytes(), None) {
                    let list = parse_comparison(&table, kind, day(TODAY));
                    let lost = list.data_rows - list.rows.len();
                    let told = list.findings.iter().filter(|f| f.severity == Severity::Warning).count();
                    prop_assert!(lost <= told, "{} rows are gone, {} told", lost, told);
                }
            }
        }
    }
}
