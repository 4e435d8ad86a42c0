//! Pages of A4 that look the same everywhere: titles, tables whose heads come again on every page,
//! page numbers; and letters. The same report gives the same bytes.

mod fit;
mod press;
mod typeface;

use serde_json::{Value as Json, json};

use self::fit::{Fit, Need, PADDING};
use self::typeface::Typeface;
use super::{NOTHING, RenderError};
use crate::reports::letter::Letter;
use crate::reports::table::{Report, Sheet, Value};

/// A longer table is nothing to read on paper, and typesetting keeps all of it in memory.
pub const MOST_ROWS: usize = 5_000;

/// Lines of a table's last row, total and notes that are kept on one page: less than half of it.
const LONGEST_END: u32 = 16;

/// Of A4, in tenths of a point.
const SHORT_SIDE: u32 = 5_953;
const LONG_SIDE: u32 = 8_419;
/// Left and right of a report and of a letter, in tenths of a point.
const REPORT_MARGIN: u32 = 425;
const LETTER_MARGIN: u32 = 765;
/// Sizes of type in tables, in tenths of a point: at most, and below which the page is laid across or
/// words are broken.
const LARGEST: u32 = 100;
const GOOD_UPRIGHT: u32 = 90;
const GOOD_ACROSS: u32 = 80;
const LARGEST_IN_LETTER: u32 = 120;
/// Sizes of type in titles, in tenths of a point, the smallest before a title is broken.
const REPORT_TITLE: (u32, u32) = (160, 120);
const LETTER_TITLE: (u32, u32) = (200, 160);

/// The report as a PDF file.
///
/// # Errors
/// When a sheet has more than [`MOST_ROWS`] rows or more columns than a page has room for, or the
/// typeface lacks a character.
pub fn render(report: &Report) -> Result<Vec<u8>, RenderError> {
    let mut typeface = Typeface::new()?;
    let words = report_words(report, &mut typeface)?;
    press::print(&press::set(&words, &typeface.font)?)
}

/// The letter as a PDF file.
///
/// # Errors
/// As for [`render`].
pub fn letter(letter: &Letter) -> Result<Vec<u8>, RenderError> {
    let mut typeface = Typeface::new()?;
    let words = letter_words(letter, &mut typeface)?;
    press::print(&press::set(&words, &typeface.font)?)
}

/// What `paper.typ` reads for a report.
fn report_words(report: &Report, typeface: &mut Typeface) -> Result<Json, RenderError> {
    report.sheets.iter().try_for_each(refuse_long)?;
    let needs: Vec<Vec<Need>> = report.sheets.iter().map(|sheet| fit::needs(sheet, typeface)).collect();
    let upright = SHORT_SIDE - 2 * REPORT_MARGIN;
    let is_upright = needs.iter().all(|needs| fit::is_good(needs, upright, GOOD_UPRIGHT));
    let (room, good) = if is_upright { (upright, GOOD_UPRIGHT) } else { (LONG_SIDE - 2 * REPORT_MARGIN, GOOD_ACROSS) };
    let mut sheets = Vec::with_capacity(report.sheets.len());
    for (sheet, needs) in report.sheets.iter().zip(&needs) {
        let mut words = sheet_words(sheet, fit::fit(needs, room, LARGEST, good), typeface)?;
        words["name"] = (report.sheets.len() > 1).then(|| typeface.set(&sheet.name, String::new)).into();
        sheets.push(words);
    }
    let words = json!({
        "letter": false,
        "title": typeface.set(&report.title, String::new),
        "title-size": fit::line(&report.title, typeface, room, REPORT_TITLE.0, REPORT_TITLE.1),
        "landscape": !is_upright,
        "margin": REPORT_MARGIN,
        "subtitle": lines(&report.subtitle, typeface),
        "sheets": sheets,
        "notes": lines(&report.notes, typeface),
    });
    typeface.refuse_missing()?;
    Ok(words)
}

/// What `paper.typ` reads for a letter.
fn letter_words(letter: &Letter, typeface: &mut Typeface) -> Result<Json, RenderError> {
    let room = SHORT_SIDE - 2 * LETTER_MARGIN;
    let table = match &letter.table {
        Some(sheet) => {
            refuse_long(sheet)?;
            Some(sheet_words(
                sheet,
                fit::fit(&fit::needs(sheet, typeface), room, LARGEST_IN_LETTER, GOOD_UPRIGHT),
                typeface,
            )?)
        }
        None => None,
    };
    let words = json!({
        "letter": true,
        "title": typeface.set(&letter.title, String::new),
        "title-size": fit::line(&letter.title, typeface, room, LETTER_TITLE.0, LETTER_TITLE.1),
        "margin": LETTER_MARGIN,
        "number": typeface.set(&letter.number, String::new),
        "addressee": typeface.set(&format!("{}：", letter.addressee), String::new),
        "paragraphs": lines(&letter.paragraphs, typeface),
        "table": table,
        "closing": typeface.set(&letter.closing, String::new),
        "signatures": lines(&letter.signatures, typeface),
        "date": letter.date_in_words(),
    });
    typeface.refuse_missing()?;
    Ok(words)
}

fn refuse_long(sheet: &Sheet) -> Result<(), RenderError> {
    let rows = sheet.rows.len();
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(RenderError::TooLong { sheet: sheet.name.clone(), rows, most: MOST_ROWS })
}

fn sheet_words(sheet: &Sheet, fit: Option<Fit>, typeface: &mut Typeface) -> Result<Json, RenderError> {
    let fit = fit.ok_or_else(|| RenderError::TooWide { sheet: sheet.name.clone(), columns: sheet.columns.len() })?;
    let ends_together = fit.lines_at_the_end(sheet, typeface) <= LONGEST_END;
    let mut row = |cells: &[Value], place: &str| -> Vec<String> {
        sheet
            .cells(cells)
            .map(|(column, value)| {
                fit::breakable(&typeface.set(&value.shown(), || format!("{} {place} {} ", sheet.name, column.title)))
            })
            .collect()
    };
    let rows: Vec<_> = sheet.rows.iter().zip(1..).map(|(cells, n)| row(cells, &format!("第{n}行"))).collect();
    let total = sheet.total.as_ref().map(|cells| row(cells, "合计"));
    Ok(json!({
        "size": fit.size,
        "widths": fit.widths,
        "padding": PADDING,
        "numbers": sheet.columns.iter().map(|column| column.kind.is_number()).collect::<Vec<_>>(),
        "titles": sheet.columns.iter().map(|column| typeface.set(&column.title, String::new)).collect::<Vec<_>>(),
        "rows": rows,
        "nothing": NOTHING,
        "total": total,
        "notes": lines(&sheet.notes, typeface),
        "ends-together": ends_together,
    }))
}

fn lines(texts: &[String], typeface: &mut Typeface) -> Vec<String> {
    texts.iter().map(|text| typeface.set(text, String::new)).collect()
}

#[cfg(test)]
mod tests {
    use lopdf::Document;
    use typst::layout::{Abs, Frame, FrameItem, Point};
    use typst_layout::PagedDocument;

    use super::*;
    use crate::domain::money::Money;
    use crate::reports::render::{sample, sample_letter};
    use crate::reports::table::Column;

    /// A word on a page.
    struct Word {
        left: Abs,
        right: Abs,
        base: Abs,
        text: String,
    }

    fn laid_out(report: &Report) -> PagedDocument {
        let mut typeface = Typeface::new().unwrap();
        let words = report_words(report, &mut typeface).unwrap();
        press::set(&words, &typeface.font).unwrap()
    }

    /// The words of each page in the order in which they were set.
    fn words(document: &PagedDocument) -> Vec<Vec<Word>> {
        fn collect(frame: &Frame, at: Point, found: &mut Vec<Word>) {
            for (position, item) in frame.items() {
                let at = at + *position;
                match item {
                    FrameItem::Text(text) => {
                        let (left, right) = (at.x, at.x + text.width());
                        found.push(Word { left, right, base: at.y, text: text.text.to_string() });
                    }
                    FrameItem::Group(group) => collect(&group.frame, at, found),
                    _ => {}
                }
            }
        }
        let page = |page: &typst_layout::Page| {
            let mut found = Vec::new();
            collect(&page.frame, Point::zero(), &mut found);
            found
        };
        document.pages().iter().map(page).collect()
    }

    fn texts(report: &Report) -> Vec<Vec<String>> {
        let pages = words(&laid_out(report)).into_iter();
        pages.map(|page| page.into_iter().map(|word| word.text).collect()).collect()
    }

    fn report_of(sheet: Sheet) -> Report {
        Report { code: "test", title: "清册".into(), subtitle: Vec::new(), sheets: vec![sheet], notes: Vec::new() }
    }

    /// Numbered people, as many as wanted.
    fn people(count: usize) -> Report {
        let mut sheet = Sheet {
            name: "清册".into(),
            columns: vec![Column::text("no", "序号"), Column::text("name", "姓名"), Column::money("paid", "实发")],
            rows: (1..=count).map(|n| vec![format!("№{n}").into(), "王芳".into(), Money(12_000).into()]).collect(),
            total: None,
            notes: vec!["经办: 张三    复核: 李四".into()],
        };
        sheet.total_of_columns("合计");
        report_of(sheet)
    }

    #[test]
    fn words_stand_in_the_order_of_reading() {
        let expected = [
            "养老补贴发放汇总表",
            "和静县　2026 年",
            "公民身份号码",
            "姓名",
            "月数",
            "实发（元）",
            "万元",
            "成功率",
            "652827196001011234",
            "阿依古丽·买买提",
            "12",
            "288,000.00",
            "28.80",
            "99.65%",
            "65282719600101002X",
            "=王芳",
            "1",
            "0.00",
            "合计",
            "13",
            "288,000.00",
            "注：金额为实际到账数。",
            "制表：张三",
            "第 1 页　共 1 页",
        ];
        assert_eq!(texts(&sample()), [expected]);
    }

    #[test]
    fn a_long_table_repeats_its_head_and_numbers_its_pages() {
        let pages = texts(&people(300));
        let count = pages.len();
        assert!((5..10).contains(&count), "{count} pages");
        let mut next = 1;
        for (page, number) in pages.iter().zip(1..) {
            let head = page.iter().position(|word| word == "序号").unwrap();
            assert_eq!(page[head..head + 3], ["序号", "姓名", "实发"]);
            assert_eq!(head, usize::from(number == 1), "the title stands on the first page only");
            assert_eq!(*page.last().unwrap(), format!("第 {number} 页　共 {count} 页"));
            for person in page.iter().filter_map(|word| word.strip_prefix('№')) {
                assert_eq!(person, next.to_string());
                next += 1;
            }
        }
        assert_eq!(next, 301);
    }

    #[test]
    fn total_and_signatures_never_stand_alone() {
        let mut last_pages = Vec::new();
        for count in (1..4).chain(40..49) {
            let pages = texts(&people(count));
            let last = pages.last().unwrap();
            let row = format!("№{count}");
            let places = [row.as_str(), "合计", "经办: 张三    复核: 李四"]
                .map(|text| last.iter().position(|word| word == text));
            assert!(places.is_sorted() && places[0].is_some(), "{count} rows: {last:?}");
            last_pages.push(pages.len());
        }
        assert!(last_pages.ends_with(&[2]) && last_pages[3] == 1, "the page ends somewhere between: {last_pages:?}");
    }

    #[test]
    fn what_is_longer_than_a_page_goes_on_on_the_next() {
        let mut notes = people(3);
        notes.sheets[0].notes = (1..=200).map(|n| format!("注{n}")).collect();
        let mut cell = people(3);
        cell.sheets[0].rows[2][1] = "注".repeat(20_000).into();
        for report in [notes, cell] {
            let document = laid_out(&report);
            let words = words(&document);
            assert!(words.len() > 2, "{} pages", words.len());
            for (page, words) in document.pages().iter().zip(&words) {
                assert!(words.iter().all(|word| word.base < page.frame.height()), "{}", page.number);
            }
        }
    }

    #[test]
    fn amounts_end_at_one_edge_and_nothing_leaves_the_page() {
        let mut report = sample();
        report.sheets[0].rows.push(vec!["1".into(), "乙".into(), 7_i64.into(), Money(-5).into()]);
        let document = laid_out(&report);
        let words = words(&document).remove(0);
        let edges: Vec<Abs> = ["288,000.00", "0.00", "-0.05"]
            .iter()
            .flat_map(|amount| words.iter().filter(move |word| word.text == *amount).map(|word| word.right))
            .collect();
        assert_eq!(edges.len(), 4);
        assert!(edges.iter().all(|edge| edge.approx_eq(edges[0])), "{edges:?}");
        let width = document.pages()[0].frame.width();
        assert!(words.iter().all(|word| word.left > Abs::zero() && word.right < width));
    }

    #[test]
    fn wide_tables_are_laid_across() {
        let sides = |report: &Report| {
            let page = laid_out(report).pages()[0].frame.size();
            page.x < page.y
        };
        assert!(sides(&sample()));
        let mut wide = sample();
        wide.sheets[0].columns.extend((0..8).map(|_| Column::money("paid", "本年累计实发")));
        assert!(!sides(&wide));
    }

    #[test]
    fn a_table_wider_than_any_page_is_refused() {
        let columns = (0..60).map(|_| Column::money("paid", "本年累计实发")).collect();
        let rows = vec![vec![Money(1_234_567).into(); 60]];
        let sheet = Sheet { name: "宽表".into(), columns, rows, total: None, notes: Vec::new() };
        let error = render(&report_of(sheet)).unwrap_err();
        assert_eq!(error.to_string(), "“宽表”有 60 列，A4 纸横放也放不下");
    }

    #[test]
    fn a_sheet_too_long_for_paper_is_refused() {
        let error = render(&people(MOST_ROWS + 1)).unwrap_err();
        assert_eq!(error.to_string(), "“清册”有 5001 行，PDF 每表最多 5000 行");
    }

    #[test]
    fn a_character_without_a_glyph_is_refused_with_its_place() {
        let mut report = people(3);
        report.sheets[0].rows[1][1] = "张\u{20000}".into();
        report.title = "\u{1F600}".into();
        let error = render(&report).unwrap_err().to_string();
        assert!(error.contains("清册 第2行 姓名 “张\u{20000}”中的“\u{20000}”（U+20000）"), "{error}");
        assert!(error.contains("（U+1F600）"), "{error}");
        let mut written = sample_letter();
        written.addressee = "张\u{20000}".into();
        assert!(matches!(letter(&written), Err(RenderError::Glyphs(_))));
    }

    #[test]
    fn a_name_is_never_markup() {
        let names = ["#set page(width: 1cm)", "*王*_芳_", "$x$ [y] <z> @a", "// 李", "\\u{41} \"", "= 王芳", "- 王芳"];
        let mut report = people(names.len());
        for (row, name) in report.sheets[0].rows.iter_mut().zip(names) {
            row[1] = name.into();
        }
        report.title = "#panic()".into();
        let page = texts(&report).remove(0);
        assert_eq!(page[0], "#panic()");
        for name in names {
            assert!(page.contains(&name.to_string()), "{name}: {page:?}");
        }
    }

    #[test]
    fn a_code_of_many_characters_is_broken_and_not_cut() {
        let mut report = people(1);
        report.sheets[0].rows[0][1] = "f".repeat(200).into();
        let words = words(&laid_out(&report)).remove(0);
        let code: Vec<&Word> = words.iter().filter(|word| word.text.contains("ff")).collect();
        assert!(code.len() > 1, "the code is broken into lines");
        assert_eq!(code.iter().map(|word| word.text.matches('f').count()).sum::<usize>(), 200);
        let amount = words.iter().find(|word| word.text == "120.00").unwrap();
        assert!(code.iter().all(|word| word.right < amount.left));
    }

    #[test]
    fn several_sheets_are_named_and_an_empty_one_says_so() {
        let mut report = people(1);
        let mut second = report.sheets[0].clone();
        (second.name, second.rows) = ("多发".into(), Vec::new());
        report.sheets.push(second);
        let page = texts(&report).remove(0);
        let expected = ["多发", "序号", "姓名", "实发", "（无）", "合计"];
        assert!(page.contains(&"清册".to_string()) && page.windows(6).any(|words| words == expected), "{page:?}");
    }

    #[test]
    fn other_programs_read_the_file_and_the_same_report_gives_the_same_bytes() {
        let bytes = render(&people(100)).unwrap();
        let document = Document::load_mem(&bytes).unwrap();
        let numbers: Vec<u32> = document.get_pages().into_keys().collect();
        assert_eq!(numbers.len(), laid_out(&people(100)).pages().len());
        let text = document.extract_text(&numbers).unwrap();
        let places =
            ["清册", "序号", "№1", "王芳", "120.00", "№100", "合计", "12,000.00", "经办"].map(|word| text.find(word));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}\n{text}");
        assert!(bytes == render(&people(100)).unwrap());
    }

    #[test]
    fn a_letter_is_one_page_from_its_title_to_its_date() {
        let mut typeface = Typeface::new().unwrap();
        let document = press::set(&letter_words(&sample_letter(), &mut typeface).unwrap(), &typeface.font).unwrap();
        let pages = words(&document);
        let text: String = pages[0].iter().map(|word| word.text.as_str()).collect();
        let expected = "追缴养老补贴通知书静社险追〔2026〕1 号阿依古丽·买买提：经核对，你多领养老补贴 2 个月，共 240.00 元。\
                        请于 2026 年 4 月 30 日前退回 <原账户> & 留存凭证。所属期多发（元）2026-01120.002026-02120.00合计240.00\
                        金额以实际到账数为准。特此通知。和静县社会保险中心2026年3月5日";
        assert_eq!((pages.len(), text.as_str()), (1, expected));
        let right = |text: &str| pages[0].iter().find(|word| word.text.contains(text)).unwrap().right;
        assert!(right("5日").approx_eq(right("保险中心")));
    }
}
