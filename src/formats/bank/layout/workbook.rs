//! A payment file that is a workbook. Accounts, names and references are texts, so that no spreadsheet turns
//! a card number into 6.29E+18; only what the layout says is a number. The same payments give the same bytes.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};
use unicode_width::UnicodeWidthStr;

/// Columns are as wide as their texts within these bounds, in characters of the standard font.
const WIDTHS: (usize, usize) = (8, 60);

/// One line of the sheet: its cells, and which of them are numbers.
pub struct Line<'a> {
    /// Texts, empty ones too.
    pub cells: Vec<&'a str>,
    /// True for a number, cell by cell.
    pub numbers: &'a [bool],
}

/// The lines as the only sheet of a workbook.
///
/// # Errors
/// What the writer of workbooks says, where the sheet has no room.
pub fn write(sheet: &str, lines: &[Line<'_>]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // Without a date the writer asks the clock, and no two copies are alike.
    book.set_properties(&DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(1980, 1, 1)?));
    let page = book.add_worksheet_with_constant_memory()?;
    page.set_name(sheet)?;
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        widths.resize(widths.len().max(line.cells.len()), WIDTHS.0);
        for (width, cell) in widths.iter_mut().zip(&line.cells) {
            *width = (cell.width() + 2).clamp(*width, WIDTHS.1);
        }
    }
    for (column, width) in (0..).zip(widths) {
        page.set_column_width(column, u8::try_from(width).unwrap_or(u8::MAX))?;
    }
    let (text, whole) = (Format::new().set_num_format("@"), Format::new().set_num_format("0"));
    let cents = Format::new().set_num_format("0.00");
    for (at, line) in (0..).zip(lines) {
        for ((column, cell), is_number) in (0..).zip(&line.cells).zip(line.numbers) {
            match cell.parse::<f64>() {
                // At most 15 digits: such a number is exact.
                Ok(number) if *is_number && cell.len() <= 15 => {
                    let format = if cell.contains('.') { &cents } else { &whole };
                    page.write_number_with_format(at, column, number, format)?;
                }
                _ if cell.is_empty() => {}
                _ => {
                    page.write_string_with_format(at, column, *cell, &text)?;
                }
            }
        }
    }
    book.save_to_buffer()
}
