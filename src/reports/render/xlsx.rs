//! A workbook for Excel and WPS, ready to print on A4: amounts are numbers, everything else is
//! text, and nothing is a formula. The same report gives the same bytes.

use rust_xlsxwriter::{
    ColNum, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, RowNum, Workbook, Worksheet, XlsxError,
};
use unicode_width::UnicodeWidthStr;

use super::{RenderError, sheet_names, widths};
use crate::reports::table::{Kind, Report, Sheet, Value};

/// Every Chinese Windows, Excel and WPS has it.
const FONT: &str = "宋体";
/// Widths of columns, in characters of the standard font.
const NARROWEST: usize = 8;
const WIDEST: usize = 48;
/// Pixels: room for the characters of a font that stands in for ours.
const LINE_HEIGHT: u32 = 20;
const A4: u8 = 9;

/// The report as a workbook: one worksheet per sheet, each complete with titles and notes, so
/// that it can be printed alone.
///
/// # Errors
/// When a sheet has more rows or a cell a longer text than Excel has room for.
pub fn render(report: &Report) -> Result<Vec<u8>, RenderError> {
    let mut workbook = Workbook::new();
    workbook.set_default_format(&plain(), LINE_HEIGHT, 72)?;
    // Without a date the writer asks the clock, and no two copies are alike.
    let undated = ExcelDateTime::from_ymd(1980, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_title(&report.title).set_creation_datetime(&undated));
    for (sheet, name) in report.sheets.iter().zip(sheet_names(report)) {
        let worksheet = workbook.add_worksheet_with_constant_memory()?;
        worksheet.set_name(name)?;
        Page::new(worksheet, sheet).write(report)?;
    }
    Ok(workbook.save_to_buffer()?)
}

/// A worksheet being written from top to bottom.
struct Page<'a> {
    worksheet: &'a mut Worksheet,
    sheet: &'a Sheet,
    /// Of each column, in characters.
    widths: Vec<usize>,
    /// The row that comes next.
    row: RowNum,
}

impl<'a> Page<'a> {
    fn new(worksheet: &'a mut Worksheet, sheet: &'a Sheet) -> Page<'a> {
        let widths = widths(sheet).into_iter().map(|width| (width + 2).clamp(NARROWEST, WIDEST)).collect();
        Page { worksheet, sheet, widths, row: 0 }
    }

    fn write(mut self, report: &Report) -> Result<(), XlsxError> {
        self.set_up()?;
        let line = plain().set_text_wrap().set_align(FormatAlign::VerticalCenter);
        let title = line.clone().set_bold().set_font_size(16).set_align(FormatAlign::Center);
        self.spread(&report.title, &title, 16)?;
        for text in &report.subtitle {
            self.spread(text, &line, 11)?;
        }
        self.header()?;
        let formats: Vec<Format> = self.sheet.columns.iter().map(|column| format_of(column.kind)).collect();
        for row in &self.sheet.rows {
            self.cells(row, &formats)?;
        }
        if let Some(total) = &self.sheet.total {
            let bold = |format: Format| format.set_bold().set_border_top(FormatBorder::Medium);
            self.cells(total, &formats.into_iter().map(bold).collect::<Vec<_>>())?;
        }
        for text in self.sheet.notes.iter().chain(&report.notes) {
            self.spread(text, &line, 11)?;
        }
        // A last row that has a height of its own is written twice by the library: the last one has none.
        self.worksheet.write_blank(self.row, 0, &line)?;
        Ok(())
    }

    fn set_up(&mut self) -> Result<(), XlsxError> {
        for (column, width) in (0..).zip(&self.widths) {
            self.worksheet.set_column_width(column, exact(*width))?;
        }
        self.worksheet
            .set_landscape()
            .set_paper_size(A4)
            .set_print_fit_to_pages(1, 0)
            .set_print_center_horizontally(true)
            .set_footer("&C第 &P 页 共 &N 页");
        Ok(())
    }

    /// A line over the whole width of the table, as high as its text needs.
    fn spread(&mut self, text: &str, format: &Format, font_size: usize) -> Result<(), XlsxError> {
        let room = self.widths.iter().sum::<usize>().max(NARROWEST);
        let lines = (text.width() * font_size).div_ceil(room * 11).max(1);
        self.worksheet.set_row_height(self.row, exact(lines * font_size * 18 / 11))?;
        match ColNum::try_from(self.widths.len()) {
            Ok(columns @ 2..) => self.worksheet.merge_range(self.row, 0, self.row, columns - 1, text, format)?,
            _ => self.worksheet.write_string_with_format(self.row, 0, text, format)?,
        };
        self.row += 1;
        Ok(())
    }

    /// The column titles, which stay on the screen and come again on every printed page.
    fn header(&mut self) -> Result<(), XlsxError> {
        let format = plain()
            .set_bold()
            .set_text_wrap()
            .set_background_color("#DDEBF7")
            .set_border(FormatBorder::Thin)
            .set_align(FormatAlign::Center)
            .set_align(FormatAlign::VerticalCenter);
        self.worksheet.set_repeat_rows(self.row, self.row)?.set_freeze_panes(self.row + 1, 0)?;
        for (i, column) in (0..).zip(&self.sheet.columns) {
            self.worksheet.write_string_with_format(self.row, i, &column.title, &format)?;
        }
        self.row += 1;
        Ok(())
    }

    fn cells(&mut self, row: &[Value], formats: &[Format]) -> Result<(), XlsxError> {
        for (i, ((_, value), format)) in (0..).zip(self.sheet.cells(row).zip(formats)) {
            let number = match value {
                Value::Empty => {
                    self.worksheet.write_blank(self.row, i, format)?;
                    continue;
                }
                Value::Text(text) => {
                    self.worksheet.write_string_with_format(self.row, i, text, format)?;
                    continue;
                }
                Value::Count(count) => count.to_string(),
                Value::Money(money) => money.to_string(),
                Value::Wan(number) | Value::Percent(number) => number.to_string(),
            };
            match number.parse::<f64>() {
                Ok(number) => self.worksheet.write_number_with_format(self.row, i, number, format)?,
                Err(_) => self.worksheet.write_string_with_format(self.row, i, number, format)?,
            };
        }
        self.row += 1;
        Ok(())
    }
}

/// What every format begins with: the library gives the font of the workbook only to cells without one.
fn plain() -> Format {
    Format::new().set_font_name(FONT).set_font_size(11)
}

fn format_of(kind: Kind) -> Format {
    let format = plain().set_border(FormatBorder::Thin).set_align(FormatAlign::VerticalCenter);
    match kind {
        // `@`: still text after a clerk has edited the cell.
        Kind::Text => format.set_num_format("@").set_text_wrap(),
        Kind::Count => format.set_num_format("0"),
        Kind::Money | Kind::Wan => format.set_num_format("#,##0.00"),
        Kind::Percent => format.set_num_format("0.00%"),
    }
}

/// A size for the writer, which takes floats only.
fn exact(size: usize) -> f64 {
    f64::from(u32::try_from(size).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::*;
    use crate::domain::money::Money;
    use crate::reports::render::sample;
    use crate::reports::table::Column;

    fn open(report: &Report) -> Xlsx<Cursor<Vec<u8>>> {
        Xlsx::new(Cursor::new(render(report).unwrap())).unwrap()
    }

    fn rows(book: &mut Xlsx<Cursor<Vec<u8>>>, name: &str) -> Vec<Vec<Data>> {
        book.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
    }

    #[test]
    fn numbers_are_numbers_and_citizen_numbers_are_text() {
        let text = |text: &str| Data::String(text.into());
        let rows = rows(&mut open(&sample()), "发放汇总");
        assert_eq!(rows[0][0], text("养老补贴发放汇总表"));
        assert_eq!(rows[1][0], text("和静县　2026 年"));
        assert_eq!(rows[2][3], text("实发（元）"));
        let first = [
            text("652827196001011234"),
            text("阿依古丽·买买提"),
            Data::Float(12.0),
            Data::Float(288_000.0),
            Data::Float(28.8),
            Data::Float(0.9965),
        ];
        assert_eq!(rows[3], first);
        assert_eq!(rows[4][1..4], [text("=王芳"), Data::Float(1.0), Data::Float(0.0)]);
        assert_eq!(rows[4][4], Data::Empty);
        assert_eq!(rows[5][..4], [text("合计"), Data::Empty, Data::Float(13.0), Data::Float(288_000.0)]);
        assert_eq!(rows[6][0], text("注：金额为实际到账数。"));
        assert_eq!(rows[7][0], text("制表：张三"));
        assert!(open(&sample()).worksheet_formula("发放汇总").unwrap().is_empty());
    }

    /// A part of the workbook as it is stored.
    fn part(name: &str) -> String {
        let mut book = zip::ZipArchive::new(Cursor::new(render(&sample()).unwrap())).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut book.by_name(name).unwrap(), &mut text).unwrap();
        text
    }

    #[test]
    fn every_cell_has_the_font_that_every_office_has() {
        let styles = part("xl/styles.xml");
        let fonts: Vec<&str> = styles.split("<font>").skip(1).collect();
        assert!(fonts.len() > 2);
        assert!(fonts.iter().all(|font| font.contains("<name val=\"宋体\"/>")), "{styles}");
    }

    #[test]
    fn no_row_is_written_twice() {
        let sheet = part("xl/worksheets/sheet1.xml");
        let numbers: Vec<&str> = sheet.split("<row r=\"").skip(1).filter_map(|row| row.split('"').next()).collect();
        let expected: Vec<String> = (1..=numbers.len()).map(|number| number.to_string()).collect();
        assert!(numbers.len() > 8);
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_fen_survives_the_trip_through_excel() {
        let mut report = sample();
        let amounts = [1, 10, 29, 57, -1, -12_000, 123_456_789, 1_000_000_000_000].map(Money);
        report.sheets[0].columns = vec![Column::money("paid", "实发")];
        report.sheets[0].rows = amounts.map(|amount| vec![amount.into()]).to_vec();
        report.sheets[0].total = None;
        let read = rows(&mut open(&report), "发放汇总");
        for (row, amount) in read[3..].iter().zip(amounts) {
            assert!(matches!(row[0], Data::Float(n) if Money::parse(&format!("{n:.2}")) == Ok(amount)), "{row:?}");
        }
    }

    #[test]
    fn one_worksheet_per_sheet_and_the_same_bytes_every_time() {
        let mut report = sample();
        let mut second = report.sheets[0].clone();
        second.name = "农信/邮储".into();
        report.sheets.push(second);
        assert_eq!(open(&report).sheet_names(), ["发放汇总", "农信_邮储"]);
        let first = render(&report).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        assert!(first == render(&report).unwrap());
    }
}
