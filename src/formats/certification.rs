//! Certification lists (认证名单): who proved when and how that the benefit is still due. It is the
//! office's own list, so a wrong row is an error and not in [`CertificationList::rows`].

use chrono::NaiveDate;

use super::list::{Common, IGNORED_TITLES, ListColumn, ListReader, NAME_TITLES, NUMBER_TITLES, ReadList, Seen, Titles};
use super::table::{Header, Row, Table};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::finding::Severity;

/// One certification; every field passed its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificationRow {
    /// Row of the file.
    pub row: usize,
    /// 公民身份号码.
    pub citizen_number: CitizenNumber,
    /// 姓名.
    pub name: String,
    /// 认证日期.
    pub certified_on: NaiveDate,
    /// 认证方式 in the words of the list; may be empty.
    pub way: String,
    /// 经办人 and 备注; may be empty.
    pub note: String,
}

/// What was read of a certification list: rows without any error.
pub type CertificationList = ReadList<CertificationRow>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Number,
    CertifiedOn,
    Way,
    Clerk,
    Note,
    Ignored,
}

impl ListColumn for Column {
    fn number(self) -> usize {
        self as usize
    }
}

const TITLES: &Titles<Column> = &[
    (Column::Number, NUMBER_TITLES),
    (Column::Name, NAME_TITLES),
    (Column::CertifiedOn, &["认证日期", "认证时间", "资格认证日期", "资格认证时间", "认证通过日期", "认证通过时间"]),
    (Column::Way, &["认证方式", "认证渠道", "认证途径", "资格认证方式"]),
    (Column::Clerk, &["经办人", "认证人", "认证人员", "经办人员"]),
    (Column::Note, &["备注", "说明"]),
    (Column::Ignored, IGNORED_TITLES),
];

const COMMON: Common<Column> = Common {
    list: "认证名单",
    one_row: "一人一行",
    name: Column::Name,
    number: Column::Number,
    ignored: Column::Ignored,
};

const REQUIRED: [Column; 3] = [Column::Number, Column::Name, Column::CertifiedOn];

/// Reads a certification list. Every row gets all its checks; `today` is the latest day on which
/// somebody can have been certified.
#[must_use]
pub fn parse_certifications(table: &Table, today: NaiveDate) -> CertificationList {
    let header = Header::find(table, TITLES);
    let mut list = ListReader::new(TITLES, &header, COMMON, Severity::Error);
    let mut seen = Seen::new();
    let (rows, data_rows) = list.people(table, &REQUIRED, |list, row| {
        let person = certification(list, row, today)?;
        list.check_again(&mut seen, &person.citizen_number, person.certified_on, Some(Severity::Warning));
        Some(person)
    });
    CertificationList { rows, data_rows, findings: list.findings, header_row: header.row }
}

fn certification(list: &mut ListReader<Column>, row: &Row, today: NaiveDate) -> Option<CertificationRow> {
    let citizen_number = list.citizen_number(row, today);
    let name = list.name(row, Column::Name);
    let certified_on = list.date(row, Column::CertifiedOn);
    if let Some(date) = certified_on.filter(|date| *date > today) {
        let expected = format!("不晚于 {today}");
        list.fault(Column::CertifiedOn, "DATE_FUTURE", date.to_string(), &expected, "");
    }
    let way = list.texts(row, [Column::Way]);
    let note = list.texts(row, [Column::Clerk, Column::Note]);
    if list.failed {
        return None;
    }
    Some(CertificationRow {
        row: row.number,
        citizen_number: citizen_number?,
        name: name?.into_owned(),
        certified_on: certified_on?,
        way,
        note,
    })
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;
    use crate::domain::period::parse_date;
    use crate::formats::charset::{Charset, encode};
    use crate::formats::list::tests::{citizen, told};
    use crate::formats::table::read_table;

    const HEADER: &str = "姓名,身份证号,认证时间,认证方式,经办人,备注";

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    fn read(bytes: &[u8]) -> CertificationList {
        parse_certifications(&read_table("认证.csv", bytes, None).unwrap(), day("2026-05-20"))
    }

    #[test]
    fn a_clean_list_is_read_whole_in_the_charset_of_the_office() {
        let text = format!(
            "资格认证名单\n序号,*姓 名,公民身份号码,认证日期（年月日）,认证渠道,经办人,备注,乡镇\n\
             1,阿依古丽·买买提,{},2026-05-20,人脸识别,,,巴润哈尔莫敦\n\
             2,李四,652827{},2026年4月3日 09:30:00,上门,王五,卧床,\n合计,2,,,,,\n审核：赵六,,,,2026-05-20\n",
            citizen(1),
            &citizen(2)[8..17]
        );
        let list = read(&encode(&text, Charset::Gb18030).unwrap());
        assert_eq!(told(&list.findings), ["2 COLUMN_UNKNOWN"]);
        assert_eq!((list.header_row, list.data_rows, list.has_errors()), (2, 2, false));
        let second = &list.rows[1];
        assert_eq!((second.row, second.citizen_number.as_str()), (4, citizen(2).as_str()));
        assert_eq!((second.certified_on, second.way.as_str()), (day("2026-04-03"), "上门"));
        assert_eq!((second.name.as_str(), second.note.as_str()), ("李四", "王五；卧床"));
        assert_eq!((list.rows[0].way.as_str(), list.rows[0].note.as_str()), ("人脸识别", ""));
    }

    #[test]
    fn every_fault_of_every_row_is_an_error() {
        let id = &citizen(1);
        for (row, expected) in [
            (format!("王,{id},2026-05-21"), "2 DATE_FUTURE"),
            (format!("王,{id},"), "2 DATE_INVALID"),
            (format!("王,{id},2026-05"), "2 DATE_INVALID"),
            (format!("王,{id},=TODAY()"), "2 FORMULA_CELL"),
            (format!("王,{id},2026-05-20,=A1"), "2 FORMULA_CELL"),
            (format!(",{id},2026-05-20"), "2 NAME_MISSING"),
            ("王,6.52827E+17,2026-05-20".into(), "2 SCIENTIFIC_NOTATION"),
            ("王5,65,x".into(), "2 CITIZEN_NUMBER_LENGTH|2 NAME_NOT_A_NAME|2 DATE_INVALID"),
        ] {
            let list = read(format!("{HEADER}\n{row}\n").as_bytes());
            assert_eq!(told(&list.findings).join("|"), expected, "{row}");
            assert!(list.rows.is_empty() && list.has_errors() && list.data_rows == 1, "{row}");
        }
    }

    #[test]
    fn cells_of_a_workbook_are_dates_and_damaged_numbers() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        for (i, title) in (0_u16..).zip(HEADER.split(',')) {
            page.write_string(0, i, title).unwrap();
        }
        let as_date = Format::new().set_num_format("yyyy-mm-dd");
        for row in 1..3 {
            page.write_string(row, 0, "王").unwrap();
            let date = ExcelDateTime::from_ymd(2026, 5, 4).unwrap();
            page.write_date_with_format(row, 2, &date, &as_date).unwrap();
        }
        page.write_string(1, 1, citizen(1)).unwrap();
        page.write_number(2, 1, 652_827_194_005_010_017_f64).unwrap();
        let list = read(&book.save_to_buffer().unwrap());
        assert_eq!(told(&list.findings), ["3 NUMERIC_CELL"]);
        assert_eq!(list.rows.iter().map(|r| (r.row, r.certified_on)).collect::<Vec<_>>(), [(2, day("2026-05-04"))]);
    }

    #[test]
    fn a_person_again_is_told_and_kept() {
        let row = |date: &str| format!("王,{},{date}\n", citizen(1));
        let text = [HEADER, "\n", &row("2026-05-04"), &row("2026-05-05"), &row("2026-05-04")].concat();
        let list = read(text.as_bytes());
        assert_eq!(told(&list.findings), ["3 DUPLICATE_PERSON", "4 DUPLICATE_ROW"]);
        assert_eq!((list.rows.len(), list.has_errors()), (3, false));
    }

    #[test]
    fn a_list_without_titles_or_people_is_an_error() {
        let list = read(format!("姓名,身份证号\n王,{}\n", citizen(1)).as_bytes());
        assert_eq!(told(&list.findings), ["1 COLUMN_MISSING"]);
        assert!(list.findings[0].hint.contains("认证日期"), "{}", list.findings[0].sentence());
        let empty = read(format!("{HEADER}\n").as_bytes());
        assert_eq!((told(&empty.findings), empty.has_errors()), (vec!["1 NO_DATA".to_string()], true));
    }
}
