//! A report as bytes: for the terminal, for Excel, for a printer, for a machine.

pub mod csv;
pub mod html;
pub mod json;
#[cfg(feature = "pdf")]
pub mod pdf;
pub mod text;
pub mod xlsx;

use std::collections::HashSet;
use std::path::Path;

use unicode_width::UnicodeWidthStr;

use super::letter::Letter;
use super::table::{Report, Sheet};
use crate::failure::{Failure, Kind};

/// What stands in a printed table without rows, so that nobody can write any in.
const NOTHING: &str = "（无）";

/// What a report can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for a terminal or a plain text file.
    Text,
    /// One file per sheet, for other programs.
    Csv,
    /// A workbook to print, sign and hand on.
    Xlsx,
    /// Pages that look the same everywhere, to print, sign and file.
    Pdf,
    /// One page for a browser, to read and to print.
    Html,
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
    /// The typesetter refused: a fault of the program.
    #[error("无法生成 PDF：{0}")]
    Pdf(String),
    /// Characters that the typeface lacks, each with its place. They must never come out as boxes.
    #[error("PDF 字体中没有这些字：{}", .0.join("；"))]
    Glyphs(Vec<String>),
    /// More rows than pages are good for.
    #[error("“{sheet}”有 {rows} 行，PDF 每表最多 {most} 行")]
    TooLong {
        /// Name of the sheet.
        sheet: String,
        /// Rows it has.
        rows: usize,
        /// Rows it may have.
        most: usize,
    },
    /// More columns than fit on a page at a size that can be read.
    #[error("“{sheet}”有 {columns} 列，A4 纸横放也放不下")]
    TooWide {
        /// Name of the sheet.
        sheet: String,
        /// Columns it has.
        columns: usize,
    },
    /// The program was built without the feature `pdf`.
    #[error("本程序编译时没有包含 PDF 功能")]
    WithoutPdf,
    /// A letter is words, not figures.
    #[error("公文只能写成 .pdf .html .txt")]
    NoLetter,
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Failure {
        let (code, hint) = match &error {
            RenderError::Csv(_) | RenderError::Xlsx(_) | RenderError::Pdf(_) => {
                return Failure::new(Kind::Internal, "RENDER", error.to_string());
            }
            RenderError::Glyphs(_) => ("PDF_GLYPHS", "请改用 .xlsx 或 .html"),
            RenderError::TooLong { .. } => ("PDF_TOO_LONG", "请改用 .xlsx"),
            RenderError::TooWide { .. } => ("PDF_TOO_WIDE", "请改用 .xlsx"),
            RenderError::WithoutPdf => ("WITHOUT_PDF", "请改用 .xlsx 或 .html"),
            RenderError::NoLetter => ("LETTER_FORMAT", "请换一个文件名"),
        };
        Failure::refused(code, error.to_string()).hint(hint)
    }
}

impl Format {
    /// Every ending that a file name may have.
    pub const ENDINGS: &str = ".xlsx .pdf .html .csv .json .txt";

    /// The format that a file name asks for by its ending.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Format> {
        match Path::new(path).extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Format::Text),
            "csv" => Some(Format::Csv),
            "xlsx" => Some(Format::Xlsx),
            "pdf" => Some(Format::Pdf),
            "html" | "htm" => Some(Format::Html),
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
        #[cfg(feature = "pdf")]
        Format::Pdf => one(pdf::render(report)?),
        #[cfg(not(feature = "pdf"))]
        Format::Pdf => Err(RenderError::WithoutPdf),
        Format::Html => one(html::render(report).into_bytes()),
        Format::Csv => {
            let stem = Path::new(path).with_extension("");
            let paths = csv::file_names(&stem.to_string_lossy(), report);
            report.sheets.iter().zip(paths).map(|(s, path)| Ok(Rendered { path, bytes: csv::render(s)? })).collect()
        }
    }
}

/// The letter as a file.
///
/// # Errors
/// When the format is not for letters, or the typeface lacks a character.
pub fn render_letter(letter: &Letter, format: Format, path: &str) -> Result<Rendered, RenderError> {
    let bytes = match format {
        Format::Text => text::letter(letter).into_bytes(),
        Format::Html => html::letter(letter).into_bytes(),
        #[cfg(feature = "pdf")]
        Format::Pdf => pdf::letter(letter)?,
        #[cfg(not(feature = "pdf"))]
        Format::Pdf => return Err(RenderError::WithoutPdf),
        Format::Csv | Format::Xlsx | Format::Json => return Err(RenderError::NoLetter),
    };
    Ok(Rendered { path: path.to_string(), bytes })
}

/// The widest text of each column, title included, in character cells: a Chinese character takes two.
fn widths(sheet: &Sheet) -> Vec<usize> {
    let mut widths: Vec<usize> = sheet.columns.iter().map(|column| column.title.width()).collect();
    for row in sheet.rows_and_total() {
        for (width, (_, value)) in widths.iter_mut().zip(sheet.cells(row)) {
            *width = (*width).max(value.shown().width());
        }
    }
    widths
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

/// A letter with everything that a letter can have.
#[cfg(test)]
fn sample_letter() -> Letter {
    use super::table::{Column, Sheet};
    use crate::domain::money::Money;

    let mut table = Sheet {
        name: "多发明细".into(),
        columns: vec![Column::text("period", "所属期"), Column::money("overpaid", "多发（元）")],
        rows: vec![vec!["2026-01".into(), Money(12_000).into()], vec!["2026-02".into(), Money(12_000).into()]],
        total: None,
        notes: vec!["金额以实际到账数为准。".into()],
    };
    table.total_of_columns("合计");
    Letter {
        title: "追缴养老补贴通知书".into(),
        number: "静社险追〔2026〕1 号".into(),
        addressee: "阿依古丽·买买提".into(),
        paragraphs: vec![
            "经核对，你多领养老补贴 2 个月，共 240.00 元。".into(),
            "请于 2026 年 4 月 30 日前退回 <原账户> & 留存凭证。".into(),
        ],
        table: Some(table),
        closing: "特此通知。".into(),
        signatures: vec!["和静县社会保险中心".into()],
        date: chrono::NaiveDate::from_ymd_opt(2026, 3, 5).unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Format::from_path("年报.pdf"), Some(Format::Pdf));
        assert_eq!(Format::from_path("年报.html"), Some(Format::Html));
        assert_eq!(Format::from_path("年报.HTM"), Some(Format::Html));
        assert_eq!(Format::from_path("年报.doc"), None);
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
    fn a_letter_is_written_as_words_only() {
        for ending in Format::ENDINGS.split(' ') {
            let path = format!("通知书{ending}");
            let written = render_letter(&sample_letter(), Format::from_path(&path).unwrap(), &path);
            match ending {
                ".html" | ".txt" => assert_eq!(written.unwrap().path, path),
                ".pdf" => assert_eq!(written.is_ok(), cfg!(feature = "pdf")),
                _ => assert!(matches!(written, Err(RenderError::NoLetter)), "{ending}"),
            }
        }
    }

    #[test]
    fn what_the_clerk_can_mend_says_how_and_is_no_fault_of_the_program() {
        let failure = Failure::from(RenderError::TooLong { sheet: "名册".into(), rows: 5_001, most: 5_000 });
        assert_eq!((failure.kind, failure.code), (Kind::Refused, "PDF_TOO_LONG"));
        assert_eq!(failure.message, "“名册”有 5001 行，PDF 每表最多 5000 行");
        assert_eq!(failure.hint, "请改用 .xlsx");
        assert_eq!(Failure::from(RenderError::Pdf("x".into())).kind, Kind::Internal);
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
