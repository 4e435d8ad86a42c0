//! What all lists of people (名单) have in common, whatever their columns mean: titles, rows that
//! are people and rows that are not, and cells that a spreadsheet may have damaged. A fault is told
//! as severely as the list deserves: an error in the office's own list, a warning in a foreign one.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::NaiveDate;

use super::table::{Cell, Header, Row, Table, total_word};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::period::{Period, parse_date};
use crate::domain::person_name::PersonName;
use crate::domain::scheme::Payees;
use crate::domain::text::{fold_width, folded, mask_middle, without_blanks};

/// Titles of the column with the name; the first is ours.
pub(super) const NAME_TITLES: &[&str] = &["姓名", "人员姓名", "领取人姓名"];

/// Titles of the column with the citizen number; the first is ours.
pub(super) const NUMBER_TITLES: &[&str] =
    &["公民身份号码", "身份证号", "身份证号码", "证件号码", "身份证", "公民身份证号码", "公民身份证号"];

/// Title of the column in which rejected rows carry their reasons; ignored when read again.
pub const REASON_TITLE: &str = "退回原因";

/// Columns that say nothing about a person.
pub(super) const IGNORED_TITLES: &[&str] = &["序号", REASON_TITLE];

/// What was read of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadList<R> {
    /// The rows that can be used, in the order of the file.
    pub rows: Vec<R>,
    /// Rows with a person, usable or not.
    pub data_rows: usize,
    /// Everything found, in the order of the file.
    pub findings: Vec<RowFinding>,
    /// Row of the titles; 0 when there is none.
    pub header_row: usize,
}

impl<R> ReadList<R> {
    /// True when something must be corrected first.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// Columns and their titles, compared without blanks and remarks in brackets; the first is ours.
pub(super) type Titles<C> = [(C, &'static [&'static str])];

/// Our title of a column.
pub(super) fn title<C: Copy + PartialEq>(titles: &Titles<C>, column: C) -> &'static str {
    titles.iter().find(|(c, _)| *c == column).and_then(|(_, names)| names.first()).copied().unwrap_or_default()
}

/// What every list has: a name for itself, and these columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<C> {
    /// What the list is called: 名册.
    pub list: &'static str,
    /// What a row is: 一人一行.
    pub one_row: &'static str,
    /// 姓名.
    pub name: C,
    /// 公民身份号码.
    pub number: C,
    /// Whatever says nothing about the person.
    pub ignored: C,
}

/// A row below the titles that is not blank.
pub(super) enum Line {
    /// A row of totals, with what stands behind its word.
    Total(String),
    /// A person; `after` is the row of totals above it.
    Person { after: Option<usize> },
}

/// Reads cells and notes what is wrong with them.
pub(super) struct ListReader<'a, C> {
    pub titles: &'a Titles<C>,
    pub header: &'a Header<C>,
    pub common: Common<C>,
    /// How severe a fault in a row is.
    pub severity: Severity,
    /// Whose names and numbers stand in the rows; `None` where either may.
    pub payees: Option<Payees>,
    pub findings: Vec<RowFinding>,
    /// Row that is being read.
    pub row: usize,
    /// True once the row has an error.
    pub failed: bool,
    /// The row of totals above, once there was one.
    total: Option<usize>,
    /// By [`ListColumn::number`]: where a column stands. A search by title for every cell took a tenth of a roster's time.
    places: Vec<Option<usize>>,
}

/// A column of a list.
pub(super) trait ListColumn: Copy + PartialEq {
    /// Its number among the columns of the list, from 0.
    fn number(self) -> usize;
}

impl<'a, C: ListColumn> ListReader<'a, C> {
    pub fn new(titles: &'a Titles<C>, header: &'a Header<C>, common: Common<C>, severity: Severity) -> Self {
        let payees = Some(Payees::Persons);
        let (findings, row) = (Vec::new(), header.row);
        let mut places = Vec::new();
        // Of two columns with titles of one meaning the first counts.
        for (column, place, _) in header.known.iter().rev() {
            places.resize(places.len().max(column.number() + 1), None);
            places[column.number()] = Some(*place);
        }
        ListReader { titles, header, common, severity, payees, findings, row, failed: false, total: None, places }
    }

    /// Our title of a column.
    pub fn title(&self, column: C) -> &'static str {
        title(self.titles, column)
    }

    /// Turns to the next row.
    pub fn begin(&mut self, row: &Row) {
        self.row = row.number;
        self.failed = false;
    }

    pub fn report(
        &mut self,
        severity: Severity,
        column: Option<C>,
        code: &'static str,
        found: String,
        expected: &str,
        hint: &str,
    ) {
        self.failed |= severity == Severity::Error;
        let column = column.map_or("", |c| self.header.column(c).map_or(self.title(c), |(_, title)| title));
        self.findings.push(RowFinding {
            row: self.row,
            column: column.to_string(),
            code,
            found,
            expected: expected.to_string(),
            severity,
            hint: hint.to_string(),
        });
    }

    /// A fault of a row.
    pub fn fault(&mut self, column: C, code: &'static str, found: String, expected: &str, hint: &str) {
        self.report(self.severity, Some(column), code, found, expected, hint);
    }

    /// A fault in the words of the domain: `18 位，应为 16 或 19 位`.
    pub fn domain_fault(&mut self, column: C, code: &'static str, words: &str) {
        let (found, expected) = words.split_once("，应为 ").unwrap_or((words, ""));
        self.fault(column, code, found.to_string(), expected, "");
    }

    /// A fault of the file as a whole: an error in any list.
    pub fn file_error(&mut self, column: Option<C>, code: &'static str, found: String, expected: &str, hint: &str) {
        self.row = self.header.row;
        self.report(Severity::Error, column, code, found, expected, hint);
    }

    /// Judges the titles; false when no row can be read by them.
    pub fn check_header(&mut self, table: &Table, required: &[C]) -> bool {
        let missing: Vec<&str> =
            required.iter().filter(|c| self.header.column(**c).is_none()).map(|c| self.title(*c)).collect();
        if !missing.is_empty() {
            let titles: Vec<String> = if self.header.row > 0 {
                self.header.known.iter().map(|(_, _, title)| title).chain(&self.header.unknown).cloned().collect()
            } else {
                let first = table.rows().find(|row| !row.cells.is_empty());
                first.map(|row| row.cells.iter().map(|cell| cell.text().into_owned()).collect()).unwrap_or_default()
            };
            let found: Vec<String> = titles.iter().take(30).map(|text| shown(text)).collect();
            let hint = format!("缺少列：{}；列名写在前 30 行内的同一行，顺序不限", missing.join("、"));
            let expected = required.iter().map(|c| self.title(*c)).collect::<Vec<_>>().join("、");
            self.file_error(None, "COLUMN_MISSING", format!("列 {}", found.join("、")), &expected, &hint);
            return false;
        }
        let (header, ignored) = (self.header, self.common.ignored);
        let known = &header.known;
        for (i, (column, _, title)) in known.iter().enumerate().filter(|(_, (c, _, _))| *c != ignored) {
            if let Some((_, _, earlier)) = known[..i].iter().find(|(c, _, _)| c == column) {
                let found = format!("“{earlier}”和“{title}”是同一列");
                self.file_error(Some(*column), "COLUMN_TWICE", found, "一列", "删除其中一列");
            }
        }
        for title in &self.header.unknown {
            let found = format!("列“{}”不在{}格式中，未读取", shown(title), self.common.list);
            self.report(Severity::Notice, None, "COLUMN_UNKNOWN", found, "", "");
        }
        true
    }

    /// What the next row of the table is; nothing above the titles, and where it is blank. `numbers` are the columns
    /// by which a person below a row of totals is told from a line of signatures.
    pub fn line(&mut self, row: &Row, numbers: &[C]) -> Option<Line> {
        if row.number <= self.header.row {
            return None;
        }
        if let Some(rest) = self.total(row) {
            self.total = Some(row.number);
            return Some(Line::Total(rest));
        }
        let after = self.total;
        let is_person = !self.is_blank(row) && (after.is_none() || self.has_numbers(row, numbers));
        is_person.then_some(Line::Person { after })
    }

    /// Everyone in a list in which each row stands for itself, so that totals mean nothing: the
    /// rows that could be read, and how many there were.
    pub fn people<R>(
        &mut self,
        table: &Table,
        required: &[C],
        mut person: impl FnMut(&mut Self, &Row) -> Option<R>,
    ) -> (Vec<R>, usize) {
        let (mut rows, mut data_rows) = (Vec::with_capacity(table.row_count()), 0);
        if !self.check_header(table, required) {
            return (rows, data_rows);
        }
        for row in table.rows() {
            if let Some(Line::Person { .. }) = self.line(&row, &[self.common.number]) {
                self.begin(&row);
                data_rows += 1;
                rows.extend(person(self, &row));
            }
        }
        self.check_data(data_rows);
        (rows, data_rows)
    }

    /// A list without people is an error.
    pub fn check_data(&mut self, data_rows: usize) {
        if data_rows == 0 {
            self.file_error(None, "NO_DATA", "表头之下没有人员".into(), self.common.one_row, "");
        }
    }

    pub fn cell<'r, 't>(&self, row: &'r Row<'t>, column: C) -> &'r Cell<'t> {
        self.places.get(column.number()).copied().flatten().map_or(&Cell::Empty, |place| row.cell(place))
    }

    /// The text of a cell, where it is a piece of the file; empty where it is not.
    pub fn piece<'t>(&self, row: &Row<'t>, column: C) -> &'t str {
        match self.cell(row, column) {
            Cell::Text(Cow::Borrowed(text)) => trimmed(text),
            _ => "",
        }
    }

    /// What stands behind the word of a row of totals; `None` for any other row.
    fn total(&self, row: &Row) -> Option<String> {
        let in_name = || {
            let name = self.cell(row, self.common.name).text();
            (name.contains('合') && without_blanks(&name).contains("合计")).then(String::new)
        };
        total_word(row).or_else(in_name)
    }

    /// True when there is nothing but a row number or an old reason.
    fn is_blank(&self, row: &Row) -> bool {
        let ignored = self.common.ignored;
        let is_ignored = |i| self.header.known.iter().any(|(c, column, _)| *column == i && *c == ignored);
        row.cells.iter().enumerate().all(|(i, cell)| cell.is_blank() || is_ignored(i))
    }

    /// True when a number of a person or account seems to be there; dates and phone numbers of the
    /// signature lines are shorter or have a word before them.
    fn has_numbers(&self, row: &Row, columns: &[C]) -> bool {
        columns.iter().any(|column| match self.cell(row, *column) {
            Cell::Number(_) | Cell::Formula(_) => true,
            cell => {
                let text = cell.text();
                let text = folded(&text);
                text.starts_with(|c: char| c.is_ascii_alphanumeric()) && digits_in(&text) >= 10
            }
        })
    }

    /// Text of a cell; `None` when it cannot be trusted, which is then told.
    pub fn text<'t>(&mut self, row: &Row<'t>, column: C) -> Option<Cow<'t, str>> {
        match self.cell(row, column) {
            Cell::Formula(formula) => {
                let found = format!("公式 {}", shown(&format!("={formula}")));
                self.fault(column, "FORMULA_CELL", found, "数值或文字", "复制后“选择性粘贴为数值”");
                None
            }
            Cell::Error(error) => {
                self.fault(column, "CELL_ERROR", error.to_string(), "数值或文字", "改正该单元格的计算错误");
                None
            }
            cell => Some(match cell.text() {
                Cow::Borrowed(text) => trimmed(text).into(),
                Cow::Owned(text) => text.trim().to_string().into(),
            }),
        }
    }

    /// Text of a citizen or account number: a number cell may have lost digits.
    pub fn digits<'t>(&mut self, row: &Row<'t>, column: C, trusted_below: usize) -> Option<Cow<'t, str>> {
        let text = self.text(row, column)?;
        if is_plain_number(&text) && matches!(self.cell(row, column), Cell::Text(_)) {
            return Some(text);
        }
        let even = folded(&text);
        if matches!(self.cell(row, column), Cell::Number(_)) && digits_in(&even) >= trusted_below {
            let found = format!("数值单元格 {}", masked(&even));
            let hint = "表格软件只保留 15 位数字并去掉前导零；把该列设为文本后，按原件重新填写";
            self.fault(column, "NUMERIC_CELL", found, "文本单元格", hint);
            return None;
        }
        // A credit code of digits and one E is no number.
        let is_code = self.payees != Some(Payees::Persons) && even.len() == 18;
        if is_scientific(&even) && !is_code {
            let hint = "末位数字已丢失；把该列设为文本后，按原件重新填写";
            self.fault(column, "SCIENTIFIC_NOTATION", format!("科学计数法 {}", masked(&even)), "全部数字", hint);
            return None;
        }
        if even.len() >= 18 && even.bytes().all(|b| b.is_ascii_digit()) && even[15..].bytes().all(|b| b == b'0') {
            let hint = "可能被表格软件截去末位数字，请按原件核对";
            let found = format!("{} 第 16 位起全为 0", masked(&even));
            self.report(Severity::Warning, Some(column), "NUMERIC_CELL", found, "", hint);
        }
        Some(text)
    }

    /// The citizen number of a row.
    pub fn citizen_number(&mut self, row: &Row, today: NaiveDate) -> Option<CitizenNumber> {
        let text = self.digits(row, self.common.number, 15)?;
        let number = match self.payees {
            Some(payees) => CitizenNumber::parse_for(payees, &text, today),
            None => CitizenNumber::parse_any(&text, today),
        };
        number.map_err(|e| self.domain_fault(self.common.number, e.code(), &e.to_string())).ok()
    }

    /// A name.
    pub fn name<'t>(&mut self, row: &Row<'t>, column: C) -> Option<Cow<'t, str>> {
        let text = self.text(row, column)?;
        if PersonName::is_plain(&text) {
            return Some(text);
        }
        match PersonName::parse_for(self.payees.unwrap_or(Payees::Persons), &text) {
            Ok(name) => {
                if name.was_normalised {
                    let found = format!("“{text}”已规范为“{}”", name.name);
                    self.report(Severity::Notice, Some(column), "NAME_NORMALISED", found, "", "");
                }
                Some(name.name.into())
            }
            Err(error) => {
                self.domain_fault(column, error.code(), &error.to_string());
                None
            }
        }
    }

    /// A full date, with or without a time of day.
    pub fn date(&mut self, row: &Row, column: C) -> Option<NaiveDate> {
        self.date_by(row, column, |text| parse_date(without_time(text)))
    }

    /// A full date and nothing else.
    pub fn plain_date(&mut self, row: &Row, column: C) -> Option<NaiveDate> {
        self.date_by(row, column, parse_date)
    }

    fn date_by(&mut self, row: &Row, column: C, parse: fn(&str) -> Option<NaiveDate>) -> Option<NaiveDate> {
        let text = self.text(row, column)?;
        let date = parse(&text);
        if date.is_none() {
            self.fault(column, "DATE_INVALID", quoted(&text), "1995-12-31 这样的日期", "");
        }
        date
    }

    /// A month; of a full date its month.
    pub fn month(&mut self, row: &Row, column: C) -> Option<Period> {
        let text = self.text(row, column)?;
        let month = text.parse().ok().filter(|_| !is_cut_month(&text));
        if month.is_none() {
            self.fault(column, "MONTH_INVALID", quoted(&text), "2026-01 这样的年月", month_hint(&text));
        }
        month
    }

    /// Tells a person who was in the list before: a row that says the same is a notice, another one
    /// is told as `differing`. Both rows stay.
    pub fn check_again<K: PartialEq>(
        &mut self,
        seen: &mut Seen<K>,
        number: &CitizenNumber,
        says: K,
        differing: Option<Severity>,
    ) {
        let rows = seen.entry(number.clone()).or_default();
        let same = rows.iter().find(|(_, earlier)| *earlier == says).map(|(row, _)| *row);
        let other = rows.first().map(|(row, _)| *row);
        rows.push((self.row, says));
        let column = Some(self.common.number);
        match (same, other, differing) {
            (Some(same), ..) => {
                let found = format!("{number} 与第 {same} 行是同一人，内容相同");
                self.report(Severity::Notice, column, "DUPLICATE_ROW", found, "", "");
            }
            (None, Some(other), Some(severity)) => {
                let found = format!("{number} 与第 {other} 行是同一人，日期不同");
                self.report(severity, column, "DUPLICATE_PERSON", found, "", "两行都保留，请核实以哪一行为准");
            }
            _ => {}
        }
    }

    /// Texts of some columns, those that are there.
    pub fn texts<const N: usize>(&mut self, row: &Row, columns: [C; N]) -> String {
        let texts = columns.map(|column| self.text(row, column).unwrap_or_default());
        texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("；")
    }
}

/// Who has been in a list so far: the rows of each person, and what they say.
pub(super) type Seen<K> = HashMap<CitizenNumber, Vec<(usize, K)>>;

/// `2026-03-05 10:20:00` without its time of day.
pub(super) fn without_time(text: &str) -> &str {
    text.split_once([' ', 'T', '\u{3000}']).filter(|(_, time)| time.contains([':', '：'])).map_or(text, |(day, _)| day)
}

/// Without the blanks around it, which most cells do not have.
fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    // From E4 on begin the characters of Chinese, of three bytes or more, and no blank.
    let begins = bytes.first().is_some_and(|first| first.is_ascii_graphic() || *first >= 0xE4);
    let ends = match bytes {
        [.., last] if last.is_ascii() => last.is_ascii_graphic(),
        [.., first_of_three, _, _] => *first_of_three >= 0xE4,
        _ => false,
    };
    if begins && ends { text } else { text.trim() }
}

pub(super) fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Digits, perhaps with an X behind them, that no spreadsheet has cut: there is nothing to tell of them.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_suffix('X').unwrap_or(text).as_bytes();
    digits.iter().all(u8::is_ascii_digit) && digits.get(15..18).is_none_or(|tail| tail != b"000")
}

/// `6.52E+17`: what a spreadsheet leaves of a long number in a CSV file.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.trim_start_matches('+');
    let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_number(mantissa) && is_number(exponent)
}

/// True for `2026.1`, to which a spreadsheet turns 2026.10: nobody can tell January from October.
pub(super) fn is_cut_month(text: &str) -> bool {
    text.len() == 6 && text.ends_with(".1")
}

/// What to do about a text that is no month.
pub(super) fn month_hint(text: &str) -> &'static str {
    if is_cut_month(text) { "分不清 1 月和 10 月，请写成 2026-01 或 2026-10" } else { "" }
}

/// A number of a person or account for a message; short garbage whole.
pub(super) fn masked(text: &str) -> String {
    if text.chars().count() < 8 { text.to_string() } else { mask_middle(text, 4, 4) }
}

/// Any other text for a message: shortened, and masked if a long number is in it.
pub(super) fn shown(text: &str) -> String {
    if digits_in(&fold_width(text)) >= 10 { masked(text) } else { text.chars().take(40).collect() }
}

/// A cell's text as what was found.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() { "为空".to_string() } else { format!("“{}”", shown(text)) }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::citizen_number::check_character;

    /// Somebody invented.
    pub fn citizen(serial: u32) -> String {
        let body = format!("65282719400501{serial:03}");
        format!("{body}{}", check_character(&body))
    }

    /// `row code` of each finding, in order.
    pub fn told(findings: &[RowFinding]) -> Vec<String> {
        findings.iter().map(|f| format!("{} {}", f.row, f.code)).collect()
    }

    #[test]
    fn a_time_of_day_is_cut_and_nothing_else() {
        for (text, day) in [
            ("2026-03-05 10:20:00", "2026-03-05"),
            ("2026-03-05T10:20", "2026-03-05"),
            ("2026年3月 5日", "2026年3月 5日"),
            ("2026-03-05", "2026-03-05"),
        ] {
            assert_eq!(without_time(text), day);
        }
    }

    #[test]
    fn a_text_with_a_long_number_is_masked() {
        assert_eq!(quoted("见652827194005010017"), "“见652***********0017”");
        assert_eq!((quoted(""), quoted("王")), ("为空".to_string(), "“王”".to_string()));
        assert!(is_scientific("6.52827E+17") && !is_scientific("E17") && !is_scientific("65282719400501001X"));
    }

    #[test]
    fn a_blank_of_two_bytes_behind_a_digit_is_gone() {
        for blank in ['\u{85}', '\u{a0}', '\u{1680}', '\u{3000}'] {
            for text in ["6228", "王1", "\u{20000}1", "王", "\u{20000}"] {
                assert_eq!(trimmed(&format!("{text}{blank}")), text);
                assert_eq!(trimmed(&format!("{blank}{text}")), text);
            }
        }
    }

    proptest! {
        #[test]
        fn blanks_around_a_cell_are_gone_whatever_they_are(text in "[ \\t\u{85}\u{a0}\u{1680}\u{2003}\u{3000}\u{205f}a1王㑇\u{e000}\u{20000}é·]{0,5}") {
            prop_assert_eq!(trimmed(&text), text.trim());
        }

        #[test]
        fn of_a_plain_number_there_is_nothing_to_tell(text in "[0-9]{0,21}X?|[0-9]{13,15}0{1,5}[0-9]{0,2}|[0-9eE+. ]{0,8}") {
            if is_plain_number(&text) {
                prop_assert_eq!(folded(&text), text.as_str());
                prop_assert!(!is_scientific(&text));
                let is_number = text.len() >= 18 && digits_in(&text) == text.len();
                prop_assert!(!is_number || digits_in(&text[15..].replace('0', "")) > 0);
            }
        }
    }
}
