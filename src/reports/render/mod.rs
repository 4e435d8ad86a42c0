//! A report as bytes: for the terminal, for Excel, for a printer, for a machine.

pub mod csv;
pub mod json;
pub mod text;
pub mod xlsx;

use std::collections::HashSet;
use std::path::Path;

use super::table::Report;

/// What a report can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for a terminal or a plain text file.
    Text,
    /// One file per sheet, for other programs.
    Csv,
    /// A workbook to print, sign and hand on.
    Xlsx,
    /// One document, for programs that want fen and keys.
    Json,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Where it belongs: the path that was asked for, or one beside it when a report is several files.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The CSV writer refused.
    #[error("无法生成 CSV：{0}")]
    Csv(#[from] ::csv::Error),
    /// The workbook writer refused: more rows or a longer text than Excel has room for.
    #[error("无法生成 XLSX：{0}")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
}

impl Format {
    /// The format that a file name asks for by its ending: `.xlsx`, `.csv`, `.json`, `.txt`.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Format> {
        match Path::new(path).extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Format::Text),
            "csv" => Some(Format::Csv),
            "xlsx" => Some(Format::Xlsx),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// The report as the files to write for `path`.
///
/// # Errors
/// When the report does not fit into the format. Nothing has been written then.
pub fn render(report: &Report, format: Format, path: &str) -> Result<Vec<Rendered>, RenderError> {
    let one = |bytes| Ok(vec![Rendered { path: path.to_string(), bytes }]);
    match format {
        Format::Text => one(text::render(report).into_bytes()),
        Format::Json => one(format!("{:#}\n", json::render(report)).into_bytes()),
        Format::Xlsx => one(xlsx::render(report)?),
        Format::Csv => {
            let stem = Path::new(path).with_extension("");
            let paths = csv::file_names(&stem.to_string_lossy(), report);
            report.sheets.iter().zip(paths).map(|(s, path)| Ok(Rendered { path, bytes: csv::render(s)? })).collect()
        }
    }
}

/// The sheets' names, made fit for worksheet tabs and file names: no character that Excel or a
/// file system refuses, at most 31 characters, no two the same.
fn sheet_names(report: &Report) -> Vec<String> {
    const LONGEST: usize = 31;
    let mut taken = HashSet::new();
    let fit = |name: &str, tail: &str| {
        let allowed = |c: char| if c.is_control() || r#"\/:*?"<>|[]'"#.contains(c) { '_' } else { c };
        let mut fitted: String = name.trim().chars().map(allowed).collect();
        while fitted.encode_utf16().count() + tail.len() > LONGEST {
            fitted.pop();
        }
        fitted + tail
    };
    let mut unique = |name: &str| {
        let name = if name.trim().is_empty() { "表" } else { name };
        let numbered = (2..).map(|n| fit(name, &format!("-{n}")));
        std::iter::once(fit(name, ""))
            .chain(numbered)
            .find(|name| taken.insert(name.to_lowercase()))
            .unwrap_or_default()
    };
    report.sheets.iter().map(|sheet| unique(&sheet.name)).collect()
}

/// One report that shows every kind of cell; the tests of all formats use it.
#[cfg(test)]
fn sample() -> Report {
    use super::table::{Column, Sheet, Value};
    use crate::domain::money::Money;

    let mut sheet = Sheet {
        name: "发放汇总".into(),
        columns: vec![
            Column::text("citizen_number", "公民身份号码"),
            Column::text("name", "姓名"),
            Column::count("months", "月数"),
            Column::money("paid", "实发（元）"),
            Column::wan("paid_wan", "万元"),
            Column::percent("credited", "成功率"),
        ],
        rows: vec![
            vec![
                "652827196001011234".into(),
                "阿依古丽·买买提".into(),
                12_i64.into(),
                Money(28_800_000).into(),
                Value::Wan("28.80".parse().unwrap()),
                Value::Percent("0.9965".parse().unwrap()),
            ],
            vec!["65282719600101002X".into(), "=王芳".into(), 1_i64.into(), Money(0).into()],
        ],
        total: None,
        notes: vec!["注：金额为实际到账数。".into()],
    };
    sheet.total_of_columns("合计");
    Report {
        code: "sample",
        title: "养老补贴发放汇总表".into(),
        subtitle: vec!["和静县　2026 年".into()],
        sheets: vec![sheet],
        notes: vec!["制表：张三".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::table::Sheet;

    fn with_sheets(names: &[&str]) -> Report {
        let mut report = sample();
        let sheet = report.sheets.remove(0);
        let sheet_named = |title: &&str| Sheet { name: (*title).into(), ..sheet.clone() };
        report.sheets = names.iter().map(sheet_named).collect();
        report
    }

    #[test]
    fn the_ending_of_a_path_says_the_format() {
        assert_eq!(Format::from_path("out/年报.XLSX"), Some(Format::Xlsx));
        assert_eq!(Format::from_path("年报.csv"), Some(Format::Csv));
        assert_eq!(Format::from_path("年报.json"), Some(Format::Json));
        assert_eq!(Format::from_path("年报.txt"), Some(Format::Text));
        assert_eq!(Format::from_path("年报.pdf"), None);
        assert_eq!(Format::from_path("xlsx"), None);
    }

    #[test]
    fn several_sheets_are_several_csv_files_and_one_of_everything_else() {
        let report = with_sheets(&["按月", "按银行"]);
        let paths = |format, path| -> Vec<String> {
            render(&report, format, path).unwrap().into_iter().map(|file| file.path).collect()
        };
        assert_eq!(paths(Format::Csv, "out/2026.年报.csv"), ["out/2026.年报-按月.csv", "out/2026.年报-按银行.csv"]);
        assert_eq!(paths(Format::Xlsx, "out/年报.xlsx"), ["out/年报.xlsx"]);
        assert_eq!(paths(Format::Json, "年报.json"), ["年报.json"]);
        assert_eq!(paths(Format::Text, "年报.txt"), ["年报.txt"]);
    }

    #[test]
    fn sheet_names_are_fit_for_tabs_and_files() {
        let long = "新疆维吾尔自治区巴音郭楞蒙古自治州和静县农村信用合作联社营业部";
        let names = sheet_names(&with_sheets(&["农信/邮储", "a", "A", "", "'x'", long, long]));
        assert_eq!(names[..5], ["农信_邮储", "a", "A-2", "表", "_x_"]);
        assert_eq!(names[5], long.chars().take(31).collect::<String>());
        assert_eq!(names[6], long.chars().take(29).collect::<String>() + "-2");
    }
}
