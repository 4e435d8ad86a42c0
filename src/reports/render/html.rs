//! One page for a browser, to read and to print: complete in itself, without script, and nothing
//! that a name contains can become part of the page.

use std::fmt::Write as _;

use super::{NOTHING, widths};
use crate::domain::text::printable;
use crate::reports::letter::Letter;
use crate::reports::table::{Report, Sheet, Value};

/// The widest table that A4 takes upright, in character cells.
const UPRIGHT: usize = 92;

/// The report as one page, sheet under sheet.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut body = String::new();
    element(&mut body, "h1", &report.title);
    paragraphs(&mut body, &report.subtitle);
    for sheet in &report.sheets {
        if report.sheets.len() > 1 {
            element(&mut body, "h2", &sheet.name);
        }
        table(&mut body, sheet);
    }
    paragraphs(&mut body, &report.notes);
    let is_wide =
        report.sheets.iter().any(|sheet| widths(sheet).iter().map(|width| width + 2).sum::<usize>() > UPRIGHT);
    page(&report.title, if is_wide { "landscape" } else { "portrait" }, "report", &body)
}

/// The letter as one page.
#[must_use]
pub fn letter(letter: &Letter) -> String {
    let mut body = String::new();
    element(&mut body, "h1", &letter.title);
    if !letter.number.is_empty() {
        element(&mut body, r#"p class="reference""#, &letter.number);
    }
    element(&mut body, "p", &format!("{}：", letter.addressee));
    for paragraph in &letter.paragraphs {
        element(&mut body, r#"p class="paragraph""#, paragraph);
    }
    if let Some(sheet) = &letter.table {
        table(&mut body, sheet);
    }
    if !letter.closing.is_empty() {
        element(&mut body, r#"p class="paragraph""#, &letter.closing);
    }
    body.push_str("<div class=\"signed\">\n");
    paragraphs(&mut body, &letter.signatures);
    element(&mut body, "p", &letter.date_in_words());
    body.push_str("</div>\n");
    page(&letter.title, "portrait", "letter", &body)
}

/// The policy lets a browser load and run nothing at all, should an escape ever be missing.
fn page(title: &str, orientation: &str, class: &str, body: &str) -> String {
    let style = include_str!("page.css").replace("ORIENTATION", orientation);
    let title = escaped(title);
    format!(
        r#"<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="{class}">
{body}</body>
</html>
"#
    )
}

fn table(body: &mut String, sheet: &Sheet) {
    body.push_str("<table>\n<thead>\n<tr>");
    for column in &sheet.columns {
        cell(body, r#"th scope="col""#, &column.title);
    }
    body.push_str("</tr>\n</thead>\n<tbody>\n");
    for cells in &sheet.rows {
        row(body, "tr", sheet, cells);
    }
    if sheet.rows.is_empty() {
        let _ = writeln!(body, r#"<tr><td class="nothing" colspan="{}">{NOTHING}</td></tr>"#, sheet.columns.len());
    }
    if let Some(total) = &sheet.total {
        row(body, r#"tr class="total""#, sheet, total);
    }
    body.push_str("</tbody>\n</table>\n");
    paragraphs(body, &sheet.notes);
}

fn row(body: &mut String, tag: &str, sheet: &Sheet, cells: &[Value]) {
    let _ = write!(body, "<{tag}>");
    for (column, value) in sheet.cells(cells) {
        cell(body, if column.kind.is_number() { r#"td class="number""# } else { "td" }, &value.shown());
    }
    body.push_str("</tr>\n");
}

fn paragraphs(body: &mut String, lines: &[String]) {
    for line in lines {
        element(body, "p", line);
    }
}

/// An element on a line of its own.
fn element(body: &mut String, tag: &str, text: &str) {
    cell(body, tag, text);
    body.push('\n');
}

/// `tag` may carry attributes, which are ours; `text` is anybody's.
fn cell(body: &mut String, tag: &str, text: &str) {
    let name = tag.split(' ').next().unwrap_or(tag);
    let _ = write!(body, "<{tag}>{}</{name}>", escaped(text));
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::render::{sample, sample_letter};
    use crate::reports::table::Column;

    /// What stands between the style and the end.
    fn body(page: &str) -> &str {
        page.split_once("</style>\n</head>\n").unwrap().1
    }

    #[test]
    fn bytes() {
        let expected = "\
<body class=\"report\">
<h1>养老补贴发放汇总表</h1>
<p>和静县　2026 年</p>
<table>
<thead>
<tr><th scope=\"col\">公民身份号码</th><th scope=\"col\">姓名</th><th scope=\"col\">月数</th>\
<th scope=\"col\">实发（元）</th><th scope=\"col\">万元</th><th scope=\"col\">成功率</th></tr>
</thead>
<tbody>
<tr><td>652827196001011234</td><td>阿依古丽·买买提</td><td class=\"number\">12</td>\
<td class=\"number\">288,000.00</td><td class=\"number\">28.80</td><td class=\"number\">99.65%</td></tr>
<tr><td>65282719600101002X</td><td>=王芳</td><td class=\"number\">1</td>\
<td class=\"number\">0.00</td><td class=\"number\"></td><td class=\"number\"></td></tr>
<tr class=\"total\"><td>合计</td><td></td><td class=\"number\">13</td>\
<td class=\"number\">288,000.00</td><td class=\"number\"></td><td class=\"number\"></td></tr>
</tbody>
</table>
<p>注：金额为实际到账数。</p>
<p>制表：张三</p>
</body>
</html>
";
        let page = render(&sample());
        assert_eq!(body(&page), expected);
        let head = "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n";
        assert!(page.starts_with(head) && page.contains("<title>养老补贴发放汇总表</title>"), "{page}");
        assert!(page.contains("size: A4 portrait;"), "{page}");
    }

    #[test]
    fn a_letter_by_bytes() {
        let expected = "\
<body class=\"letter\">
<h1>追缴养老补贴通知书</h1>
<p class=\"reference\">静社险追〔2026〕1 号</p>
<p>阿依古丽·买买提：</p>
<p class=\"paragraph\">经核对，你多领养老补贴 2 个月，共 240.00 元。</p>
<p class=\"paragraph\">请于 2026 年 4 月 30 日前退回 &lt;原账户&gt; &amp; 留存凭证。</p>
<table>
<thead>
<tr><th scope=\"col\">所属期</th><th scope=\"col\">多发（元）</th></tr>
</thead>
<tbody>
<tr><td>2026-01</td><td class=\"number\">120.00</td></tr>
<tr><td>2026-02</td><td class=\"number\">120.00</td></tr>
<tr class=\"total\"><td>合计</td><td class=\"number\">240.00</td></tr>
</tbody>
</table>
<p>金额以实际到账数为准。</p>
<p class=\"paragraph\">特此通知。</p>
<div class=\"signed\">
<p>和静县社会保险中心</p>
<p>2026年3月5日</p>
</div>
</body>
</html>
";
        assert_eq!(body(&letter(&sample_letter())), expected);
    }

    #[test]
    fn nothing_that_was_written_in_becomes_part_of_the_page() {
        let evil = "</title><script>alert('1')</script>\"&\u{0}\u{202E}";
        let tame = "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp; ";
        let mut report = sample();
        let sheet = &mut report.sheets[0];
        sheet.columns = vec![Column::text("name", evil)];
        sheet.rows = vec![vec![evil.into()]];
        sheet.total = Some(vec![evil.into()]);
        sheet.notes = vec![evil.into()];
        sheet.name = evil.into();
        report.sheets.push(report.sheets[0].clone());
        (report.title, report.subtitle, report.notes) = (evil.into(), vec![evil.into()], vec![evil.into()]);
        let page = render(&report);
        assert_eq!(page.matches(tame).count(), 4 + 2 * 5);
        assert!(!page.contains("<script") && !page.contains('\u{202E}'), "{page}");

        let mut written = sample_letter();
        (written.title, written.number, written.addressee, written.closing) =
            (evil.into(), evil.into(), evil.into(), evil.into());
        (written.paragraphs, written.signatures) = (vec![evil.into()], vec![evil.into()]);
        let page = letter(&written);
        assert_eq!(page.matches(tame).count(), 7);
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside() {
        let page = render(&sample());
        for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn several_sheets_are_named_and_an_empty_one_says_so() {
        let mut report = sample();
        let mut second = report.sheets[0].clone();
        (second.name, second.rows, second.total) = ("明细".into(), Vec::new(), None);
        second.columns.extend((0..10).map(|_| Column::money("paid", "很宽的一列金额")));
        report.sheets.push(second);
        let page = render(&report);
        assert!(page.contains("<h2>发放汇总</h2>\n<table>") && page.contains("<h2>明细</h2>\n<table>"), "{page}");
        assert!(page.contains("<tr><td class=\"nothing\" colspan=\"16\">（无）</td></tr>"), "{page}");
        assert!(page.contains("size: A4 landscape;"), "{page}");
    }
}
