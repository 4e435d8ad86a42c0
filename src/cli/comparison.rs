//! `fafang comparison`: lists of other offices, our people on them, and what they mean.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::json;

use super::budget::charset_argument;
use super::{Answer, Desk, change, date_argument, exit_code, period_argument};
use crate::domain::comparison::ComparisonKind;
use crate::domain::period::Period;
use crate::exchange::folder;
use crate::formats::charset::Charset;
use crate::reports::comparison;
use crate::workflow::decide_hit::{Confirm, DecidedHit, confirm, dismiss};
use crate::workflow::import_comparison::{Compared, ImportComparison, NewHit, import_comparison};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 导入名单（CSV、XLSX、XLS）并与全部人员比对；命中的人暂停支付，等待核实
    Import {
        /// 名单文件
        file: PathBuf,
        /// death 死亡、prison 服刑、missing 失踪、pay_list 其他待遇的发放名单
        #[arg(long, value_parser = kind)]
        kind: ComparisonKind,
        /// 来源单位: 公安、民政、法院等
        #[arg(long, default_value = "")]
        source: String,
        /// 文字编码: utf-8 或 gb18030（默认自动识别）
        #[arg(long, value_parser = charset_argument)]
        charset: Option<Charset>,
    },
    /// 列出已导入的名单
    List,
    /// 列出待核实的命中，以及此后已发的月数和金额
    Hits {
        /// 已处理的也列出
        #[arg(long)]
        all: bool,
    },
    /// 名单属实: 死亡停发，服刑、失踪暂停，重复享受按指定月停发
    Confirm {
        /// 命中的编号
        hit: i64,
        /// 核实的日期（名单没有日期或有误时）
        #[arg(long, value_parser = date_argument)]
        date: Option<NaiveDate>,
        /// 待遇发放名单: 从这个月起停发
        #[arg(long, value_parser = period_argument)]
        stop_from: Option<Period>,
        /// 待遇发放名单: 停发哪个项目（此人在多个项目中时）
        #[arg(long)]
        scheme: Option<String>,
        /// 核实情况
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// 名单不属实或不影响待遇: 解除暂停
    Dismiss {
        /// 命中的编号
        hit: i64,
        /// 核实情况
        #[arg(long)]
        reason: String,
    },
}

fn kind(text: &str) -> Result<ComparisonKind, String> {
    ComparisonKind::parse(text).ok_or_else(|| {
        let known = ComparisonKind::ALL.map(|k| format!("{} {}", k.code(), k.title()));
        format!("“{text}”不是名单种类，应为 {}", known.join("、"))
    })
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let office = &desk.office;
    match command {
        Command::Import { file, kind, source, charset } => {
            let bytes = folder::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let input = ImportComparison { kind, source: &source, file_name: &name, bytes: &bytes, charset };
            let compared = import_comparison(office, input)
                .await
                .inspect_err(|failure| desk.out.findings(&failure.findings, &name))?;
            desk.out.findings(&compared.findings, &name);
            desk.out.answer(|| document(&compared, kind), || words(&compared, kind, &name));
        }
        Command::List => desk.out.report(&comparison::lists(office).await?),
        Command::Hits { all } => desk.out.report(&comparison::hits(office, all).await?),
        Command::Confirm { hit, date, stop_from, scheme, reason } => {
            let input = Confirm { hit_no: hit, date, stop_from, scheme: scheme.as_deref(), reason: &reason };
            decided(desk, &confirm(office, input).await?, "confirmed");
        }
        Command::Dismiss { hit, reason } => decided(desk, &dismiss(office, hit, &reason).await?, "dismissed"),
    }
    Ok(exit_code::DONE)
}

fn document(compared: &Compared, kind: ComparisonKind) -> serde_json::Value {
    let hit = |h: &NewHit| {
        json!({
            "hit": h.no, "hold": h.hold_no, "name": h.name, "citizen_number": h.citizen_number, "row": h.row, "note": h.note,
        })
    };
    json!({
        "list": compared.list_no, "kind": kind.code(), "rows": compared.rows, "compared": compared.compared,
        "hits": compared.hits.iter().map(hit).collect::<Vec<_>>(), "nothing_new": compared.nothing_new,
        "already_imported": compared.already, "findings": compared.findings,
    })
}

fn words(compared: &Compared, kind: ComparisonKind, name: &str) -> String {
    if let Some(already) = &compared.already {
        return format!("{already}，内容相同，没有任何改动");
    }
    let mut lines = vec![format!(
        "{}{name}: {} 人，可比对 {} 人，命中 {} 人，没有新情况 {} 人",
        kind.title(),
        compared.rows,
        compared.compared,
        compared.hits.len(),
        compared.nothing_new
    )];
    for h in &compared.hits {
        lines.push(format!("  第 {} 号命中 {} {}: {}，已暂停支付", h.no, h.name, h.citizen_number, h.note));
    }
    if !compared.hits.is_empty() {
        lines.push(
            "  用 fafang comparison hits 查看此后已发金额，核实后 comparison confirm 或 comparison dismiss".into(),
        );
    }
    lines.join("\n")
}

fn decided(desk: &Desk, decided: &DecidedHit, status: &str) {
    desk.out.answer(
        || {
            json!({
                "hit": decided.hit_no, "status": if decided.pending.is_some() { "open" } else { status }, "name": decided.name,
                "changes": decided.changed.iter().map(change::document).collect::<Vec<_>>(), "notices": decided.notices,
                "pending": decided.pending, "cleared_hold": decided.pending.is_none().then_some(decided.hold_no),
            })
        },
        || {
            let mut lines: Vec<String> = decided.changed.iter().map(change::words).collect();
            lines.extend(decided.notices.iter().map(|notice| format!("提示 {notice}")));
            let (hit, hold) = (decided.hit_no, decided.hold_no);
            lines.push(match decided.pending {
                Some(no) => format!("等待另一人复核，尚未生效，第 {hold} 号暂停继续: fafang change accept {no}"),
                None if status == "confirmed" => format!("第 {hit} 号命中已确认，第 {hold} 号暂停支付已解除"),
                None => format!("第 {hit} 号命中已排除，第 {hold} 号暂停支付已解除"),
            });
            lines.join("\n")
        },
    );
}
