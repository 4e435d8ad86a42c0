//! A table for the terminal: Chinese characters take two cells, numbers stand right.

use unicode_width::UnicodeWidthStr;

use crate::domain::text::printable;
use crate::reports::letter::Letter;
use crate::reports::table::{Report, Sheet};

/// Between two columns.
const GAP: &str = "  ";

/// The right edge of a letter, in character cells.
const LETTER: usize = 76;

/// The report as lines, each ending in a newline. No colour, no trailing blanks.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut lines = vec![report.title.clone()];
    lines.extend_from_slice(&report.subtitle);
    for sheet in &report.sheets {
        lines.push(String::new());
        if report.sheets.len() > 1 {
            lines.push(sheet.name.clone());
        }
        table(sheet, &mut lines);
        lines.extend_from_slice(&sheet.notes);
    }
    if !report.notes.is_empty() {
        lines.push(String::new());
        lines.extend_from_slice(&report.notes);
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

/// The letter as lines: head in the middle, paragraphs indented and left to the reader's window to
/// break, signatures and date on the right.
#[must_use]
pub fn letter(letter: &Letter) -> String {
    let right = |text: &str| format!("{}{text}", " ".repeat(LETTER.saturating_sub(text.width())));
    let middle = |text: &str| format!("{}{text}", " ".repeat(LETTER.saturating_sub(text.width()) / 2));
    let mut lines = vec![middle(&printable(&letter.title))];
    if !letter.number.is_empty() {
        lines.push(middle(&printable(&letter.number)));
    }
    lines.push(String::new());
    lines.push(format!("{}：", letter.addressee));
    lines.extend(letter.paragraphs.iter().map(|paragraph| format!("　　{paragraph}")));
    if let Some(sheet) = &letter.table {
        lines.push(String::new());
        table(sheet, &mut lines);
        lines.extend_from_slice(&sheet.notes);
        lines.push(String::new());
    }
    if !letter.closing.is_empty() {
        lines.push(format!("　　{}", letter.closing));
    }
    lines.push(String::new());
    lines.extend(letter.signatures.iter().map(|signature| right(&printable(signature))));
    lines.push(right(&letter.date_in_words()));
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn table(sheet: &Sheet, lines: &mut Vec<String>) {
    let mut rows = vec![sheet.columns.iter().map(|column| printable(&column.title)).collect::<Vec<_>>()];
    rows.extend(
        sheet.rows_and_total().map(|row| sheet.cells(row).map(|(_, value)| printable(&value.shown())).collect()),
    );
    let width_of = |i: usize| rows.iter().map(|row| row[i].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..sheet.columns.len()).map(width_of).collect();
    let rule = "─".repeat(widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1));

    let last = rows.len() - 1;
    for (n, row) in rows.iter().enumerate() {
        if n == 1 || (n == last && sheet.total.is_some()) {
            lines.push(rule.clone());
        }
        let cells = row.iter().zip(&sheet.columns).zip(&widths).map(|((cell, column), width)| {
            let blanks = " ".repeat(width - cell.width());
            if column.kind.is_number() { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") }
        });
        lines.push(cells.collect::<Vec<_>>().join(GAP).trim_end().to_string());
    }
    lines.push(rule);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::render::{sample, sample_letter};

    #[test]
    fn columns_line_up_under_chinese_names() {
        let expected = "\
养老补贴发放汇总表
和静县　2026 年

公民身份号码        姓名             月数  实发（元）   万元  成功率
────────────────────────────────────────────────────────────────────
652827196001011234  阿依古丽·买买提    12  288,000.00  28.80  99.65%
65282719600101002X  =王芳               1        0.00
────────────────────────────────────────────────────────────────────
合计                                   13  288,000.00
────────────────────────────────────────────────────────────────────
注：金额为实际到账数。

制表：张三
";
        assert_eq!(render(&sample()), expected);
    }

    #[test]
    fn a_sheet_of_several_carries_its_name_and_nothing_moves_the_cursor() {
        let mut report = sample();
        let mut second = report.sheets[0].clone();
        second.name = "明细".into();
        second.rows = vec![vec!["1".into(), "\u{1b}[31m王芳\n".into()]];
        (second.total, second.notes) = (None, Vec::new());
        report.sheets.push(second);
        let text = render(&report);
        assert!(text.contains("\n\n发放汇总\n公民身份号码") && text.contains("\n\n明细\n公民身份号码"), "{text}");
        assert!(text.contains("1              [31m王芳\n") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_letter_reads_from_its_title_to_its_date() {
        // `\x20`: a blank at the beginning of a line of source.
        let expected = "\
\x20                            追缴养老补贴通知书
                            静社险追〔2026〕1 号

阿依古丽·买买提：
　　经核对，你多领养老补贴 2 个月，共 240.00 元。
　　请于 2026 年 4 月 30 日前退回 <原账户> & 留存凭证。

所属期   多发（元）
───────────────────
2026-01      120.00
2026-02      120.00
───────────────────
合计         240.00
───────────────────
金额以实际到账数为准。

　　特此通知。

                                                          和静县社会保险中心
                                                                2026年3月5日
";
        assert_eq!(letter(&sample_letter()), expected);
    }

    #[test]
    fn an_empty_sheet_is_a_header_over_a_rule() {
        let mut report = sample();
        let sheet = &mut report.sheets[0];
        (sheet.rows, sheet.total, sheet.notes) = (Vec::new(), None, Vec::new());
        assert_eq!(render(&report).lines().filter(|line| line.starts_with('─')).count(), 1);
    }
}
