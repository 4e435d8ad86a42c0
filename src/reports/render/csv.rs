//! CSV for other programs and for Excel: UTF-8 with a byte-order mark, CRLF, plain numbers.
//! A text can never become a formula.

use csv::{Terminator, WriterBuilder};

use super::{RenderError, sheet_names};
use crate::domain::text::fold_width;
use crate::reports::table::{Report, Sheet, Value};

/// One file per sheet: `STEM.csv`, or `STEM-<sheet name>.csv` where a report has several.
#[must_use]
pub fn file_names(stem: &str, report: &Report) -> Vec<String> {
    match report.sheets.as_slice() {
        [_] => vec![format!("{stem}.csv")],
        _ => sheet_names(report).iter().map(|name| format!("{stem}-{name}.csv")).collect(),
    }
}

/// Column titles, rows, and the total as the last row.
///
/// # Errors
/// When the writer refuses; with memory to write to it never does.
pub fn render(sheet: &Sheet) -> Result<Vec<u8>, RenderError> {
    let mut bytes = "\u{FEFF}".as_bytes().to_vec();
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(&mut bytes);
    writer.write_record(sheet.columns.iter().map(|column| harmless(column.title.clone())))?;
    for row in sheet.rows_and_total() {
        writer.write_record(sheet.cells(row).map(|(_, value)| match value {
            Value::Text(text) => harmless(text.clone()),
            number => number.plain(),
        }))?;
    }
    writer.flush().map_err(csv::Error::from)?;
    drop(writer);
    Ok(bytes)
}

/// A `'` before what Excel and WPS would run as a formula, the full-width forms included.
fn harmless(text: String) -> String {
    if fold_width(&text).starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Money;
    use crate::reports::render::sample;
    use crate::reports::table::Column;

    #[test]
    fn bytes() {
        let expected = "\u{FEFF}公民身份号码,姓名,月数,实发（元）,万元,成功率\r\n\
                        652827196001011234,阿依古丽·买买提,12,288000.00,28.80,99.65%\r\n\
                        65282719600101002X,'=王芳,1,0.00,,\r\n\
                        合计,,13,288000.00,,\r\n";
        assert_eq!(render(&sample().sheets[0]).unwrap(), expected.as_bytes());
    }

    #[test]
    fn no_text_is_a_formula_and_no_number_is_a_text() {
        let sheet = Sheet {
            name: String::new(),
            columns: vec![Column::text("a", "甲"), Column::money("b", "乙")],
            rows: ["=1+1", "+86", "-1", "@x", "\tx", "\rx", "＝1", "a,b", "a\"b", "a=b", "*1234"]
                .map(|text| vec![text.into(), Money(-5).into()])
                .to_vec(),
            total: None,
            notes: Vec::new(),
        };
        let text = String::from_utf8(render(&sheet).unwrap()).unwrap();
        let lines: Vec<&str> = text.trim_end().split("\r\n").skip(1).collect();
        let cells =
            ["'=1+1", "'+86", "'-1", "'@x", "'\tx", "\"'\rx\"", "'＝1", "\"a,b\"", "\"a\"\"b\"", "a=b", "*1234"];
        assert_eq!(lines, cells.map(|cell| format!("{cell},-0.05")));
    }

    #[test]
    fn an_empty_report_has_its_header() {
        let mut sheet = sample().sheets.remove(0);
        (sheet.rows, sheet.total) = (Vec::new(), None);
        assert_eq!(String::from_utf8(render(&sheet).unwrap()).unwrap().lines().count(), 1);
    }
}
