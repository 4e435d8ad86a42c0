//! `fafang bank statement` and `bank match`: the bank's own statements against what we sent and what came back.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::exchange::folder;
use crate::exchange::place::is_incomplete;
use crate::failure::Failure;
use crate::formats::statement::seems_statement;
use crate::workflow::take_statement::{Said, StatementFile, Taken, TakenStatement, match_entry, take_statements};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 对账单: camt.053、camt.054、MT940，或 CSV、XLSX、XLS 表格，或装着对账单的文件夹，可以几个: 要么全部读入，要么
    /// 都不读入；不写文件时只把未配对的分录重新配对
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// 银行代码；文件所属账户已知或银行配置写有 payer_account 时不需要
    #[arg(long, value_name = "CODE")]
    bank: Option<String>,
    /// 本单位的账号；只在文件里没有账号时需要
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct MatchArgs {
    /// 分录号（见 finding list）
    entry_no: i64,
    /// 它是哪个文件或明细的款: 文件编号或明细号，可以几个
    #[arg(required = true, value_name = "REF")]
    references: Vec<String>,
}

pub async fn run(args: Args, desk: &Desk) -> Answer {
    let paths = folder::named(&args.files, |path| {
        Ok(folder::all(path)?.into_iter().filter(|file| !is_incomplete(&name_of(file))).collect())
    })?;
    let mut others = Vec::new();
    let said = Said { bank: args.bank.as_deref(), account: args.account.as_deref(), place: None };
    let table = desk.office.settings.statement_table_of(said.bank_of_tables());
    let files: Vec<_> = paths
        .iter()
        .filter_map(|path| {
            let name = name_of(path);
            let bytes = match folder::read(path) {
                Ok(bytes) => bytes,
                Err(unread) => return Some(Err(unread)),
            };
            // Banks put answers and notices into the same folder; a file that was named itself is taken at its word.
            if !args.files.contains(path) && !seems_statement(&name, &bytes, table) {
                others.push(name);
                return None;
            }
            Some(Ok(StatementFile { name, bytes }))
        })
        .collect();
    if files.is_empty() && !args.files.is_empty() {
        let others = if others.is_empty() { String::new() } else { format!("，只有 {}", others.join("、")) };
        return Err(Failure::input("NO_FILES", format!("指定的文件夹里没有对账单{others}"))
            .hint("请指出对账单，或放着它们的文件夹；表格要有交易日期、借方和贷方发生额（或金额和余额）的表头"));
    }
    let taken = take_statements(&desk.office, files, said).await?;
    if !others.is_empty() {
        desk.out.note(&format!("文件夹里另有不是对账单的文件，没有读入: {}", others.join("、")));
    }
    desk.out.answer(|| document(&taken), || words(&taken));
    Ok(if taken.findings.is_empty() { exit_code::DONE } else { exit_code::REFUSED })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub async fn run_match(args: MatchArgs, desk: &Desk) -> Answer {
    let amount = match_entry(&desk.office, args.entry_no, &args.references).await?;
    desk.out.answer(
        || json!({ "entry": args.entry_no, "references": args.references, "amount_fen": amount }),
        || format!("第 {} 号分录 {} 元已与 {} 配对", args.entry_no, amount.grouped(), args.references.join("、")),
    );
    Ok(exit_code::DONE)
}

pub(super) fn document(taken: &Taken) -> serde_json::Value {
    let statement = |t: &TakenStatement| {
        json!({
            "file": t.file_name, "bank": t.bank_code, "account": t.statement.masked_account(), "number": t.statement.number,
            "first_on": t.statement.first_on, "last_on": t.statement.last_on,
            "opening_fen": t.statement.balances.map(|b| b.opening), "closing_fen": t.statement.balances.map(|b| b.closing),
            "entries": t.statement.entries.len(), "new": t.new, "notices": t.statement.notices,
        })
    };
    let answered = taken
        .answered
        .iter()
        .map(|(kind, (count, sum))| ((*kind).to_string(), json!({ "entries": count, "fen": sum })));
    let findings = taken.findings.iter().map(|f| json!({ "code": f.code, "fen": f.amount, "text": f.message }));
    json!({
        "statements": taken.statements.iter().map(statement).collect::<Vec<_>>(), "already": taken.already,
        "answered": answered.collect::<serde_json::Map<String, _>>(), "settled_findings": taken.settled_findings,
        "findings": findings.collect::<Vec<_>>(), "open": taken.open,
    })
}

pub(super) fn words(taken: &Taken) -> String {
    let mut lines: Vec<String> = taken.already.iter().map(|already| format!("{already}，没有任何改动")).collect();
    for t in &taken.statements {
        let read = &t.statement;
        let known = read.entries.len() - t.new;
        let known = if known > 0 { format!("（{known} 笔以前已读入，不再计）") } else { String::new() };
        let balances = read.balances.map_or_else(
            || "没有余额".to_string(),
            |b| format!("期初 {} 元，期末 {} 元", b.opening.grouped(), b.closing.grouped()),
        );
        lines.push(format!(
            "{} {} 账户 {} 对账单 {}: {} 至 {}，{balances}，新分录 {} 笔{known}",
            t.file_name,
            t.bank_code,
            read.masked_account(),
            read.number,
            read.first_on,
            read.last_on,
            t.new
        ));
        lines.extend(read.notices.iter().map(|notice| format!("  说明 {notice}")));
    }
    for (kind, (count, sum)) in &taken.answered {
        lines.push(format!("  {} {count} 笔 {} 元", title(kind), sum.grouped()));
    }
    if !taken.settled_findings.is_empty() {
        let list: Vec<String> = taken.settled_findings.iter().map(ToString::to_string).collect();
        lines.push(format!("  第 {} 号差异已与账上的项目配对", list.join("、")));
    }
    lines.extend(taken.findings.iter().map(|f| format!("  差异 [{}] {}", f.code, f.message)));
    if taken.open > 0 {
        lines.push(format!("  未配对的分录共 {} 笔；用 fafang finding list 查看，", taken.open));
        lines.push("  查明后用 bank match 分录号 编号 配对，与发放无关的用 finding explain 说明".into());
    } else if !taken.statements.is_empty() || !taken.answered.is_empty() {
        lines.push("  全部分录已配对或归类".into());
    }
    if lines.is_empty() {
        lines.push("没有未配对的分录".into());
    }
    lines.join("\n")
}

fn title(kind: &str) -> &'static str {
    use crate::domain::bank_book::{ItemKind, OwnKind};
    let items = ItemKind::ALL.map(|k| (k.code(), k.title()));
    let own = OwnKind::ALL.map(|k| (k.code(), k.title()));
    items.into_iter().chain(own).find(|(code, _)| *code == kind).map_or("", |(_, title)| title)
}
