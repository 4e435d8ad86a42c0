//! `fafang bank layouts`: which layouts there are, what is wrong with one, how it looks.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::domain::bank::{Layout, ReasonClass};
use crate::domain::bank_form::{Form, MatchBy, Said};
use crate::domain::text::mask_long_numbers;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::bank::book::parse_bank_file;
use crate::formats::bank::layout::matching::{self, Sent};
use crate::formats::bank::layout::{read_back, reader, reference, sample, writer};
use crate::formats::bank::neutral::{AnswerKind, AnswerStatus};
use crate::formats::bank::treasury::envelope;
use crate::formats::charset::{self, Charset};
use crate::formats::xml::seems_xml;
use crate::workflow::try_layout::try_layout;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 检查一个布局文件: 指出哪里不对，或给出报盘和回盘的样例
    Check {
        /// 布局文件（.toml）
        file: PathBuf,
    },
    /// 按某个布局显示一个批次会写出的文件；不报盘，不留任何记录
    Try {
        /// 布局代码
        layout: String,
        /// 批次号
        run: String,
    },
    /// 说明布局文件的每一项和行里的每一个字段
    Reference,
}

pub async fn run(command: Option<Command>, desk: &Desk) -> Answer {
    match command {
        None => list(desk),
        Some(Command::Check { file }) => check(&file, desk)?,
        Some(Command::Reference) => {
            let page = reference::page();
            desk.out.answer(|| json!({ "page": page }), || page.trim_end().to_string());
        }
        Some(Command::Try { layout, run }) => {
            let tried = try_layout(&desk.office, &layout, &run).await?;
            let form = desk.office.banks.layout(&layout).and_then(|l| l.form.as_ref());
            // Whole numbers are for the bank alone.
            let text = |bytes: &[u8]| match form {
                None if seems_xml(bytes) => envelope::shown(bytes),
                _ => readable(form, bytes),
            };
            let shown = |bytes: &[u8]| mask_long_numbers(&text(bytes));
            desk.out.answer(
                || {
                    let files =
                        tried.iter().map(|t| json!({ "bank": t.bank_code, "name": t.name, "text": shown(&t.bytes) }));
                    json!({ "layout": layout, "run": run, "files": files.collect::<Vec<_>>() })
                },
                || {
                    let file = |t: &crate::workflow::try_layout::Tried| {
                        format!(
                            "== {}  {}（{} 字节）\n{}",
                            t.bank_code,
                            t.name,
                            t.bytes.len(),
                            shown(&t.bytes).trim_end()
                        )
                    };
                    let mut lines: Vec<String> = tried.iter().map(file).collect();
                    lines.push("以上只是试看，没有报盘；长号码在这里是掩码，报盘文件里是完整的".to_string());
                    lines.join("\n")
                },
            );
        }
    }
    Ok(exit_code::DONE)
}

fn list(desk: &Desk) {
    let book = &desk.office.banks;
    desk.out.answer(
        || {
            let layouts = book.all_layouts().into_iter().map(|l| {
                let banks: Vec<_> = book.banks.iter().filter(|b| b.layout == l.code).map(|b| json!({ "bank": b.code, "name": b.name })).collect();
                json!({ "layout": l.code, "title": l.title, "row_limit": l.row_limit, "name_bytes": l.name_bytes, "banks": banks })
            });
            json!({ "layouts": layouts.collect::<Vec<_>>() })
        },
        || {
            let mut lines = Vec::new();
            for l in book.all_layouts() {
                lines.push(format!("{}  {}（每个文件最多 {} 行，户名最多 {} 字节）", l.code, l.title, l.row_limit, l.name_bytes));
                lines.extend(book.banks.iter().filter(|b| b.layout == l.code).map(|b| format!("  {}  {}（{}）", b.code, b.name, b.aliases.join("、"))));
            }
            lines.join("\n")
        },
    );
}

/// The text of a file, or the cells of a workbook with the separator between them.
fn readable(form: Option<&Form>, bytes: &[u8]) -> String {
    match form {
        Some(form) => read_back::lines(form, "", bytes).map(|lines| lines.join("\n")).unwrap_or_default(),
        None => charset::decode(bytes, Some(Charset::Gb18030))
            .map(|(text, _)| text.replace("\r\n", "\n"))
            .unwrap_or_default(),
    }
}

/// What a check shows of a layout that is in order.
struct Shown {
    needs: Vec<&'static str>,
    name: String,
    payment_file: String,
    answer: String,
    understood: Vec<String>,
    match_by: String,
}

fn check(path: &Path, desk: &Desk) -> Result<(), Failure> {
    let name = path.display();
    let wrong = |code, message: String| Failure::new(Kind::Configuration, code, message);
    let text = String::from_utf8(folder::read(path)?)
        .map_err(|_| wrong("BANK_CONFIG_SYNTAX", format!("{name}: 应为 UTF-8 文本")))?;
    let (layout, _) = parse_bank_file(&text).map_err(|e| wrong(e.code(), format!("{name}: {e}")))?;
    let layout =
        layout.ok_or_else(|| wrong("BANK_CONFIG_MISSING", format!("{name}: 只有银行，没有布局（code、title …）")))?;
    let Some(form) = &layout.form else {
        desk.out.answer(
            || json!({ "layout": layout.code, "form": null, "standard": layout.standard.code(), "needs": layout.needs_of_bank() }),
            || {
                let needs = layout.needs_of_bank().join("、");
                let needs = if needs.is_empty() { "无" } else { &needs };
                let standard = layout.standard.code();
                format!("{} 没有 [file] 和 [answer]: 用程序自带的格式 {standard}，设置正确\n银行设置里还要写: {needs}", layout.code)
            },
        );
        return Ok(());
    };
    let shown = shown(&layout, form, desk.office.business_date())?;
    desk.out.answer(
        || {
            json!({
                "layout": layout.code, "needs": shown.needs, "name": shown.name, "payment_file": shown.payment_file,
                "answer": shown.answer, "understood": shown.understood, "match_by": shown.match_by,
            })
        },
        || {
            let needs = if shown.needs.is_empty() { "无".to_string() } else { shown.needs.join("、") };
            [
                format!("{}  {}: 描述正确", layout.code, layout.title),
                format!("银行设置里还要写: {needs}"),
                format!("回盘{}", shown.match_by),
                format!("报盘样例 {}:", shown.name),
                shown.payment_file.trim_end().to_string(),
                "回盘样例（应与银行真实的回盘对照）:".to_string(),
                shown.answer.trim_end().to_string(),
                "读成:".to_string(),
                shown.understood.join("\n"),
            ]
            .join("\n")
        },
    );
    Ok(())
}

/// Two invented payments written, one answered as credited and one as rejected, and read back.
fn shown(layout: &Layout, form: &Form, on: chrono::NaiveDate) -> Result<Shown, Failure> {
    let bank = sample::bank(&layout.code, form);
    let (header, rows) = sample::payments(on);
    let sheet = writer::Sheet { header: &header, run_no: 1, bank: &bank, layout, form };
    let (name, bytes) = writer::write_payment_file(&sheet, &rows).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Kind::Configuration, "CANNOT_WRITE", format!("样例不能按这个布局写出:\n{}", list.join("\n")))
            .hint("请核对 file 里的位数和字节数")
    })?;
    let closed = layout.reasons.iter().find(|reason| reason.class == ReasonClass::AccountClosed);
    let closed = closed.map_or(("", "已销户"), |reason| (reason.code.as_str(), reason.text.as_str()));
    let fates: Vec<sample::Fate<'_>> = (1..)
        .zip(&rows)
        .zip([(Said::Credited, ("", "")), (Said::Rejected, closed)])
        .map(|((seq, row), (said, (reason_code, reason)))| sample::Fate {
            seq,
            row,
            said,
            reason_code,
            reason,
            bank_ref: "",
        })
        .collect();
    let lines = sample::answer(form, &bank, &header, &fates);
    let answer = sample::text(form, &lines);
    let unreadable = |problem: String| {
        Failure::new(Kind::Configuration, "BANK_CONFIG_FORM", format!("按描述写出的回盘样例自己读不回来: {problem}"))
            .hint("请核对 answer 里的行和栏")
    };
    let given = sample::bytes(form, &lines).map_err(unreadable)?;
    let laid = reader::read_answer(layout, form, &bank, &name, &given).map_err(|e| unreadable(e.to_string()))?;
    let sent: Vec<Sent> = rows
        .iter()
        .map(|r| Sent { line_no: r.line_no, account: r.account.clone(), holder: r.holder.clone(), amount: r.amount })
        .collect();
    let stem = rows[0].payment_ref.trim_end_matches('1');
    let matched = matching::matched(&form.answer, &laid, AnswerKind::Return, header, stem, &sent);
    let understood = matched.answer.rows.iter().map(|row| {
        let status = match &row.status {
            AnswerStatus::Credited => "成功",
            AnswerStatus::Rejected => "失败",
            AnswerStatus::Open => "未决",
            AnswerStatus::Returned => "退票",
            AnswerStatus::Unknown(_) => "不认识",
        };
        let amount = row.amount.as_ref().map_or_else(String::clone, ToString::to_string);
        let class = layout.reason_class(&row.reason_code).title();
        let reason = if status == "失败" { format!(" {}（{class}）", row.reason_text) } else { String::new() };
        format!("  明细 {} {} {amount} 元 {status}{reason}", row.payment_ref, row.holder)
    });
    Ok(Shown {
        needs: form.needs_of_bank(),
        payment_file: readable(Some(form), &bytes),
        understood: understood.collect(),
        answer,
        match_by: match &form.answer.match_by {
            MatchBy::Reference => "按支付明细号认出每一笔".to_string(),
            MatchBy::Seq => "按文件内序号认出每一笔".to_string(),
            MatchBy::Account(reason) => format!("按账号、户名、金额核对（{reason}）"),
        },
        name,
    })
}
