//! The page that explains every key of a layout file and every field of a line, made from what reads them:
//! `keys`, `template` and the lists of `domain::bank_form`. `fafang bank layouts reference` shows it, and
//! `config/banks/REFERENCE.zh-CN.md` is its copy, which a test compares.

use std::fmt::Write as _;

use super::keys::{FILE, Key, Kind};
use super::template::{Holds, STYLES};
use crate::domain::bank_form::{Column, Field};

const BEGIN: &str = "# 银行布局文件说明\n\n\
本页由程序生成（`fafang bank layouts reference`），请不要手工修改。\n\n\
布局文件说明一家银行的支付文件（报盘）和回盘长什么样。写好后用 `fafang bank layouts check 文件` 检查，\
用 `fafang bank layouts try 布局 批次` 试看，再写进 `fafang.toml` 的 `banks`。\
自带的布局都来自公开资料，没有经银行确认：使用前必须请开户行核对样例。\n";

/// The page, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = BEGIN.to_string();
    table(&mut page, "布局文件", FILE);
    page.push_str("\n## 行里的 {字段}\n\n");
    page.push_str(
        "`name`、`head`、`row`、`tail` 写成文件里的样子，`{…}` 处填内容。只在 `row` 里能用的是一笔明细的内容；\n",
    );
    page.push_str("回盘的 `head`、`tail` 里只能用最后一栏打勾的，一栏一项，读入时与报盘或明细核对。\n\n");
    page.push_str("| 字段 | 名称 | 内容 | 文件名和头尾 | row | 回盘头尾 |\n|---|---|---|---|---|---|\n");
    for (field, name, title, meaning) in &Field::ALL {
        let mark = |holds: Holds| if holds.may_hold(*field) { "✓" } else { "" };
        let (file, row, answer) = (mark(Holds::File), mark(Holds::Row), mark(Holds::Answer));
        line(&mut page, &[&format!("`{{{name}}}`"), title, meaning, file, row, answer]);
    }
    page.push_str("\n### 写法\n\n冒号后是写法，几个用逗号分开，如 `{seq:zeros=4,right=6}`。字节数按文件编码计。\n\n");
    page.push_str("| 写法 | 意思 |\n|---|---|\n");
    for (word, has_number, meaning) in &STYLES {
        line(&mut page, &[&format!("`{word}{}`", if *has_number { "=n" } else { "" }), meaning]);
    }
    page.push_str("\n## answer.columns 里的栏\n\n必须有 account、amount、status；银行不写账号或金额的，写 no_account。payment_ref 或 seq 至少一个，否则写 no_reference。\n\n");
    page.push_str("| 键 | 名称 | 内容 |\n|---|---|---|\n");
    for (_, name, title, meaning) in &Column::ALL {
        line(&mut page, &[&format!("`{name}`"), title, meaning]);
    }
    page
}

/// One table of the file, and those in it.
fn table(page: &mut String, title: &str, keys: &[Key]) {
    let _ = writeln!(page, "\n## {title}\n\n| 键 | 必须 | 值 | 意思 |\n|---|---|---|---|");
    for key in keys {
        let must = if key.must { "是" } else { "" };
        line(page, &[&format!("`{}`", key.name), must, &value(key.kind), key.meaning]);
    }
    for key in keys {
        if let Kind::Choice(words) = key.kind {
            let _ = writeln!(page, "\n`{}`:\n", key.name);
            for (word, meaning) in words {
                let _ = writeln!(page, "* `{word}` {meaning}");
            }
        }
    }
    for key in keys {
        match key.kind {
            Kind::Table(inner) if key.name == "status" => table(page, "[answer.status]", inner),
            Kind::Table(inner) if key.name == "voucher" => table(page, "[bank.voucher]", inner),
            Kind::Table(inner) => table(page, &format!("[{}]", key.name), inner),
            Kind::Tables(inner) => table(page, &format!("[[{}]]", key.name), inner),
            _ => {}
        }
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Text => "文字".to_string(),
        Kind::Line => "一行，可有 {字段}".to_string(),
        Kind::Texts => "几项文字".to_string(),
        Kind::Choice(words) => words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("、"),
        Kind::Number(least, most) => format!("{least} 至 {most}"),
        Kind::Numbers(least, most) => format!("几个 {least} 至 {most}"),
        Kind::Switch => "true、false".to_string(),
        Kind::Columns => "见“answer.columns 里的栏”".to_string(),
        Kind::Table(_) | Kind::Tables(_) => "见下".to_string(),
    }
}

fn line(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
