//! An empty roster for clerks to fill in.

use rust_xlsxwriter::{Format, FormatBorder, Workbook};

use super::columns::{Column, required, titles};
use crate::domain::scheme::{AmountRule, Scheme, StartMonth};
use crate::formats::list::title;
use crate::formats::table::TableWriteError;

/// An empty roster to fill in: one line of guidance, the titles that the scheme needs, and columns
/// set to text so that no spreadsheet damages a number.
///
/// # Errors
/// When the workbook cannot be made.
pub fn template(scheme: &Scheme) -> Result<Vec<u8>, TableWriteError> {
    let titles = titles(scheme);
    let required = required(scheme);
    let columns = titles.iter().map(|(column, _)| *column).filter(|column| is_needed(*column, scheme));
    let as_text = Format::new().set_num_format("@");
    let as_title = Format::new().set_bold().set_num_format("@").set_border_bottom(FormatBorder::Thin);
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    page.set_landscape().set_print_fit_to_pages(1, 0);
    page.set_name("名册")?;
    for (i, column) in (0_u16..).zip(columns) {
        page.set_column_format(i, &as_text)?;
        page.set_column_width(i, if required.contains(&column) { 24 } else { 14 })?;
        page.write_string_with_format(1, i, title(&titles, column), &as_title)?;
    }
    let words: Vec<&str> = required.iter().map(|column| title(&titles, *column)).collect();
    page.write_string(0, 0, guidance(scheme, &words.join("、"), title(&titles, Column::Category)))?;
    page.set_freeze_panes(2, 0)?;
    Ok(book.save_to_buffer()?)
}

fn is_needed(column: Column, scheme: &Scheme) -> bool {
    match column {
        Column::Ignored => false,
        Column::Monthly => scheme.amount == AmountRule::Individual,
        Column::Category => scheme.categories() != [""],
        Column::RetiredOn => scheme.retired_by.is_some() || scheme.adjustments.iter().any(|a| a.retired_by.is_some()),
        _ => true,
    }
}

fn guidance(scheme: &Scheme, required: &str, category: &str) -> String {
    let first = match scheme.start_month {
        StartMonth::Whole => "2026-01",
        StartMonth::Next => "首个发放月 2026-01；填起始日期 2026-01-15 的，从次月起发",
        StartMonth::CalendarDays | StartMonth::ThirtyDays => "2026-01；当月按天计发的填起始日期 2026-01-15",
    };
    let categories: Vec<&str> = scheme.categories().into_iter().filter(|category| !category.is_empty()).collect();
    let kinds =
        if categories.is_empty() { String::new() } else { format!("；{category}：{}", categories.join("、")) };
    let certified =
        if scheme.certification.is_some() { "；最近认证日期（2026-01-15）没有的留空" } else { "" };
    let ends = "；停发的填待遇终止日期（2026-01-15）和停发原因（死亡、迁出、不再符合条件、其他原因），暂停的填暂停起始月和暂停原因，\
                其他人留空";
    format!(
        "{}：一行一个领取人，从第 3 行填起；必填：{required}、享受起始月（{first}）；各列均为文本，号码请完整填写{kinds}{certified}{ends}",
        scheme.name,
    )
}
