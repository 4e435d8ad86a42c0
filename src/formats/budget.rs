//! Budget files (指标下达): appropriations from a table of the finance office, or from the
//! `[[appropriation]]` tables of a scheme file. All or nothing: one fault and no line is given.

use std::collections::HashMap;
use std::path::Path;

use toml::{Spanned, Value};

use super::charset::{self, Charset};
use super::table::{Cell, Header, Row, Table, is_workbook, read_table, total_word};
use crate::domain::document::DocumentNumber;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::{Money, MoneyError};
use crate::domain::scheme::{Expenditure, Funding, Source};
use crate::domain::text::folded;

/// One appropriation of a budget file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetLine {
    /// Row or line of the file.
    pub row: usize,
    /// Code of its scheme; empty when the file does not say.
    pub scheme_code: String,
    /// The appropriation.
    pub funding: Funding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Year,
    Document,
    Scheme,
    Project,
    Function,
    Economic,
    Source,
    Expenditure,
    Yuan,
    Wan,
}

/// Titles of a table and keys of a TOML file; the first is ours. An amount must name its unit.
const TITLES: &[(Column, &[&str])] = &[
    (Column::Year, &["年度", "预算年度", "year"]),
    (Column::Document, &["指标文号", "文号", "document"]),
    (Column::Scheme, &["补贴项目", "项目编码", "补贴项目编码"]),
    (Column::Project, &["项目名称", "project"]),
    (Column::Function, &["功能科目", "功能分类科目", "支出功能科目", "function_code"]),
    (Column::Economic, &["经济科目", "部门经济科目", "经济分类科目", "economic_code"]),
    (Column::Source, &["资金来源", "source"]),
    (Column::Expenditure, &["支出类别", "支出类型", "expenditure"]),
    (Column::Yuan, &["金额(元)", "指标金额(元)", "amount"]),
    (Column::Wan, &["金额(万元)", "指标金额(万元)"]),
];

const REQUIRED: [Column; 6] =
    [Column::Year, Column::Document, Column::Function, Column::Economic, Column::Source, Column::Expenditure];

fn title(column: Column) -> &'static str {
    TITLES.iter().find(|(c, _)| *c == column).and_then(|(_, names)| names.first()).copied().unwrap_or_default()
}

/// Reads a budget file: TOML when its text has `[[appropriation]]` tables, else a table.
///
/// # Errors
/// Every fault of the file.
pub fn parse_budget(name: &str, bytes: &[u8], said: Option<Charset>) -> Result<Vec<BudgetLine>, Vec<RowFinding>> {
    let mut reader = Reader::default();
    let text = if is_workbook(bytes) { None } else { charset::decode(bytes, said).ok().map(|(text, _)| text) };
    let is_named_toml = Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    match text.filter(|text| is_named_toml || text.contains("[[appropriation]]")) {
        Some(text) => reader.read_toml(&text),
        None => match read_table(name, bytes, said) {
            Ok(table) => reader.read_rows(&table),
            Err(error) => reader.fault(0, "", error.code(), error.to_string(), "", ""),
        },
    }
    if reader.lines.is_empty() && reader.findings.is_empty() {
        reader.fault(0, "", "NO_DATA", "文件中没有指标".into(), "一行一条指标", "");
    }
    if reader.findings.is_empty() { Ok(reader.lines) } else { Err(reader.findings) }
}

/// The texts of one appropriation, with the titles that they have in the file.
struct Fields {
    row: usize,
    fields: Vec<(Column, String, String)>,
}

#[derive(Default)]
struct Reader {
    lines: Vec<BudgetLine>,
    findings: Vec<RowFinding>,
}

impl Reader {
    fn fault(&mut self, row: usize, column: &str, code: &'static str, found: String, expected: &str, hint: &str) {
        self.findings.push(RowFinding {
            row,
            column: column.to_string(),
            code,
            found,
            expected: expected.to_string(),
            severity: Severity::Error,
            hint: hint.to_string(),
        });
    }

    fn read_toml(&mut self, text: &str) {
        let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                let row = error.span().map_or(0, |span| line_of(span.start));
                let expected = "TOML 的 [[appropriation]] 表";
                return self.fault(row, "", "TOML_INVALID", error.message().to_string(), expected, "");
            }
        };
        for table in file.appropriation {
            let row = line_of(table.span().start);
            let mut fields = vec![(Column::Scheme, "code".to_string(), file.code.clone())];
            for (key, value) in table.into_inner() {
                let Some((column, _)) = TITLES.iter().find(|(_, names)| names.contains(&key.as_str())) else {
                    continue;
                };
                match value {
                    Value::String(text) => fields.push((*column, key, text)),
                    Value::Integer(number) => fields.push((*column, key, number.to_string())),
                    other => {
                        let hint = "金额写成带引号的字符串，避免小数误差";
                        self.fault(row, &key, "VALUE_INVALID", other.to_string(), "字符串或整数", hint);
                        fields.push((*column, key, String::new()));
                    }
                }
            }
            self.add(&Fields { row, fields });
        }
    }

    fn read_rows(&mut self, table: &Table) {
        let header = Header::find(table, TITLES);
        let has = |column| header.column(column).is_some();
        let mut missing: Vec<&str> = REQUIRED.into_iter().filter(|c| !has(*c)).map(title).collect();
        if has(Column::Yuan) == has(Column::Wan) {
            missing.push("金额(元) 或 金额(万元) 之一");
        }
        if !missing.is_empty() {
            let found: Vec<&str> =
                header.known.iter().map(|(_, _, title)| title).chain(&header.unknown).map(String::as_str).collect();
            let hint = format!("缺少或重复的列：{}；列名写在前 30 行内的同一行，顺序不限", missing.join("、"));
            let expected = format!("{}、金额(元)", REQUIRED.map(title).join("、"));
            self.fault(header.row, "", "COLUMN_MISSING", format!("列 {}", found.join("、")), &expected, &hint);
            return;
        }
        for (i, (column, _, title)) in header.known.iter().enumerate() {
            if header.known[..i].iter().any(|(c, _, _)| c == column) {
                self.fault(header.row, title, "COLUMN_TWICE", "同一列出现两次".into(), "一列", "删除其中一列");
            }
        }
        for row in table.rows().filter(|row| row.number > header.row) {
            if total_word(&row).is_some() {
                self.check_total(&row, &header);
            } else if header.known.iter().any(|(_, i, _)| !row.cell(*i).is_blank()) {
                let fields = header
                    .known
                    .iter()
                    .map(|(column, i, title)| (*column, title.clone(), self.text(row.number, title, row.cell(*i))));
                let fields = Fields { row: row.number, fields: fields.collect() };
                self.add(&fields);
            }
        }
    }

    /// Text of a cell; empty when it cannot be trusted, which is reported.
    fn text(&mut self, row: usize, title: &str, cell: &Cell) -> String {
        match cell {
            Cell::Formula(_) => {
                let hint = "复制后“选择性粘贴为数值”";
                self.fault(row, title, "FORMULA_CELL", format!("公式 {}", cell.text()), "数值或文字", hint);
                String::new()
            }
            Cell::Error(error) => {
                self.fault(row, title, "CELL_ERROR", error.to_string(), "数值或文字", "改正该单元格的计算错误");
                String::new()
            }
            cell => cell.text().trim().to_string(),
        }
    }

    fn check_total(&mut self, row: &Row, header: &Header<Column>) {
        let parse = if header.column(Column::Wan).is_some() { parse_wan } else { Money::parse };
        let Some((i, title)) = header.column(Column::Wan).or_else(|| header.column(Column::Yuan)) else { return };
        let sum = self.lines.iter().map(|line| line.funding.amount).sum::<Money>();
        if let (Ok(total), true) = (parse(&row.cell(i).text()), self.findings.is_empty())
            && total != sum
        {
            let expected = format!("各行之和 {} 元", sum.grouped());
            let found = format!("合计 {} 元", total.grouped());
            self.fault(row.number, title, "TOTAL_DIFFERS", found, &expected, "核对是否漏行或改动过金额");
        }
    }

    /// Checks one appropriation and keeps it when it is good. A field that was already refused is
    /// blank here and gets no second finding.
    fn add(&mut self, fields: &Fields) {
        let before = self.findings.len();
        let refused: Vec<String> =
            self.findings.iter().filter(|f| f.row == fields.row).map(|f| f.column.clone()).collect();
        let text = |column: Column| {
            let field = fields.fields.iter().find(|(c, _, _)| *c == column);
            field.map_or((title(column), ""), |(_, title, text)| (title.as_str(), text.as_str()))
        };
        let mut refuse = |column: Column, code, expected: &str| {
            let (title, text) = text(column);
            if !refused.iter().any(|refused| refused == title) {
                let found = if text.is_empty() { "为空".to_string() } else { format!("“{text}”") };
                self.fault(fields.row, title, code, found, expected, "");
            }
        };
        let year = text(Column::Year).1.trim_end_matches(['度', '年']).parse::<i32>().ok();
        let year = year.filter(|y| (2000..2200).contains(y));
        if year.is_none() {
            refuse(Column::Year, "YEAR_INVALID", "四位年份，例如 2026");
        }
        let document = DocumentNumber::parse(text(Column::Document).1).ok();
        if document.is_none() {
            refuse(Column::Document, "DOCUMENT_INVALID", "机关代字〔年份〕序号号，例如 巴财社〔2025〕98号");
        }
        let function_code = folded(text(Column::Function).1).into_owned();
        if !is_code(&function_code, &[3, 5, 7]) {
            refuse(Column::Function, "FUNCTION_CODE_INVALID", "3、5 或 7 位数字，例如 2080601");
        }
        let economic_code = folded(text(Column::Economic).1).into_owned();
        if !is_code(&economic_code, &[3, 5]) {
            refuse(Column::Economic, "ECONOMIC_CODE_INVALID", "3 或 5 位数字，例如 30305");
        }
        let source = Source::parse(text(Column::Source).1);
        if source.is_none() {
            refuse(Column::Source, "SOURCE_INVALID", "上级转移支付 或 本级");
        }
        let expenditure = Expenditure::parse(text(Column::Expenditure).1);
        if expenditure.is_none() {
            refuse(Column::Expenditure, "EXPENDITURE_INVALID", "项目支出 或 基本支出");
        }
        let is_wan = fields.fields.iter().any(|(c, _, _)| *c == Column::Wan);
        let unit = if is_wan { Column::Wan } else { Column::Yuan };
        let amount = if is_wan { parse_wan(text(unit).1) } else { Money::parse_total(text(unit).1) };
        let amount = amount.ok().filter(|amount| *amount > Money::ZERO);
        if amount.is_none() {
            refuse(unit, "AMOUNT_INVALID", "大于 0 的金额，精确到分，例如 289000.00 元或 28.9 万元");
        }
        let (Some(year), Some(document), Some(source), Some(expenditure), Some(amount)) =
            (year, document, source, expenditure, amount)
        else {
            return;
        };
        if self.findings.len() > before || !refused.is_empty() {
            return;
        }
        let scheme_code = text(Column::Scheme).1.to_string();
        let project = text(Column::Project).1.to_string();
        let funding = Funding { year, document, project, function_code, economic_code, source, expenditure, amount };
        let line = BudgetLine { row: fields.row, scheme_code, funding };
        match self.lines.iter().find(|earlier| is_same_key(earlier, &line)) {
            Some(earlier) => {
                let found = format!("与第 {} 行是同一指标", earlier.row);
                self.fault(line.row, "", "DUPLICATE_APPROPRIATION", found, "每条指标一行", "合并金额或删除重复的一行");
            }
            None => self.lines.push(line),
        }
    }
}

/// Appropriations are told apart by everything but their amount.
fn is_same_key(a: &BudgetLine, b: &BudgetLine) -> bool {
    a.scheme_code == b.scheme_code && Funding { amount: b.funding.amount, ..a.funding.clone() } == b.funding
}

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    code: String,
    #[serde(default)]
    appropriation: Vec<Spanned<HashMap<String, Value>>>,
}

fn is_code(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// An amount in 万元 by moving the point four places in the text: exact, whatever the decimals.
fn parse_wan(text: &str) -> Result<Money, MoneyError> {
    let folded = folded(text);
    let folded = folded.trim_end_matches('元').trim_end_matches('万');
    let (whole, fraction) = folded.split_once('.').unwrap_or((folded, ""));
    let is_fraction = fraction.bytes().all(|b| b.is_ascii_digit());
    if !is_fraction || whole.is_empty() {
        return Money::parse_total(if is_fraction && !fraction.is_empty() { "." } else { folded });
    }
    Money::parse_total(whole)?;
    let padded = format!("{fraction:0<4}");
    let (thousands, rest) = padded.split_at(4);
    Money::parse_total(&format!("{}{thousands}.{rest}", whole.replace(',', "")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "年度,指标文号,补贴项目,项目名称,功能科目,经济科目,资金来源,支出类别";

    const TOML: &str = r#"code = "pochan1995"
first = "2026-01"

[[standard]]
from = "2026-01"
monthly = "120.00"

[[appropriation]]
year = 2026
document = "巴财社[2025]98号"
function_code = "2080601"
economic_code = "30305"
source = "superior"
expenditure = "project"
amount = "289000.00"
"#;

    fn read(text: &str) -> Result<Vec<BudgetLine>, Vec<RowFinding>> {
        parse_budget("指标.csv", text.as_bytes(), None)
    }

    fn codes(text: &str) -> Vec<String> {
        let faults = read(text).map(|lines| lines.len()).unwrap_err();
        faults.iter().map(|f| format!("{} {}", f.row, f.code)).collect()
    }

    #[test]
    fn a_table_in_either_unit_gives_exact_amounts() {
        for (unit, amount, total) in [
            ("元", "\"289,000.00\"", "\"1,289,000\""),
            ("万元", "28.9", "128.9"),
            ("万元", "28.900000万元", "=SUM(I3)"),
        ] {
            let second = if unit == "元" { "1000000" } else { "100" };
            let lines = read(&format!(
                "预算指标下达表\n{HEADER},金额（{unit}）\n2026年,巴财社【2025】98号,pochan1995,生活补贴,2080601,30305,上级,项目支出,{amount}\n\
                 2026,巴财社〔2025〕98号,,,2080601,50901,本级,基本支出,{second}\n合计,,,,,,,,{total}\n"
            ))
            .unwrap();
            assert_eq!(lines.len(), 2);
            assert_eq!((lines[0].row, lines[0].scheme_code.as_str()), (3, "pochan1995"));
            assert_eq!(lines[0].funding.amount, Money(28_900_000));
            assert_eq!(lines[0].funding.document.as_str(), "巴财社〔2025〕98号");
            assert_eq!((lines[1].funding.source, lines[1].funding.amount), (Source::Local, Money(100_000_000)));
        }
        for (text, fen) in [("28.8901", Some(28_890_100)), (".5", None), ("1,234.5", Some(1_234_500_000))] {
            assert_eq!(parse_wan(text).ok(), fen.map(Money), "{text}");
        }
        for text in ["", ".", "1.0000001", "12,34", "28.9万美元", "-"] {
            assert!(parse_wan(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scheme_file_is_a_budget_file() {
        let lines = parse_budget("pochan1995.toml", TOML.as_bytes(), None).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].row, lines[0].scheme_code.as_str()), (8, "pochan1995"));
        assert_eq!(lines[0].funding.amount, Money(28_900_000));
        assert_eq!(read(TOML).unwrap(), lines, "by content, whatever the name");
        assert_eq!(codes(&TOML.replace("\"289000.00\"", "289000.0")), ["8 VALUE_INVALID"]);
        assert_eq!(
            codes(&TOML.replace("superior", "上上级").replace("30305", "3030")),
            ["8 ECONOMIC_CODE_INVALID", "8 SOURCE_INVALID"]
        );
        assert_eq!(codes(&TOML.replace("year = 2026", "year =")), ["9 TOML_INVALID"]);
        assert!(parse_budget("x.toml", b"code = \"a\"", None).is_err());
    }

    #[test]
    fn all_faults_come_at_once() {
        let good = "2026,巴财社〔2025〕98号,,,2080601,30305,上级,项目支出,1";
        assert_eq!(
            codes(&format!("{HEADER},金额(元)\n二六,98号,,,208,3,县里,其他,0\n{good}\n{good}\n,,,\n合计,,,,,,,,5\n")),
            [
                "2 YEAR_INVALID",
                "2 DOCUMENT_INVALID",
                "2 ECONOMIC_CODE_INVALID",
                "2 SOURCE_INVALID",
                "2 EXPENDITURE_INVALID",
                "2 AMOUNT_INVALID",
                "4 DUPLICATE_APPROPRIATION"
            ]
        );
        assert_eq!(
            codes(&format!("{HEADER},金额(元)\n{good}+1\n=A1,{}\n", &good[5..])),
            ["2 AMOUNT_INVALID", "3 FORMULA_CELL"]
        );
        assert_eq!(codes(&format!("{HEADER},金额(元)\n{good}\n合计,,,,,,,,2\n")), ["3 TOTAL_DIFFERS"]);
        assert_eq!(codes(&format!("{HEADER},金额\n{good}\n")), ["1 COLUMN_MISSING"], "an amount without unit");
        assert_eq!(codes(&format!("{HEADER},金额(元)\n")), ["0 NO_DATA"]);
        assert_eq!(codes(""), ["0 FILE_EMPTY"]);
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,80}", head in 0..3_usize) {
            let head = ["", "[[appropriation]]\n", "年度,指标文号,功能科目,经济科目,资金来源,支出类别,金额(元)\n"][head];
            let _ = read(&format!("{head}{text}"));
        }
    }
}
