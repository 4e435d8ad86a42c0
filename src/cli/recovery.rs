//! `fafang recovery`: what was paid too much and how it comes back.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::change::money;
use super::{Answer, Desk, date_argument, exit_code};
use crate::domain::money::Money;
use crate::domain::recovery::Cause;
use crate::exchange::folder;
use crate::failure::Failure;
use crate::reports::letter::Letter;
use crate::reports::recoveries;
use crate::reports::recovery_notice::notice;
use crate::reports::render::{Format, RenderError, render_letter};
use crate::workflow::recover::{self, Recovery, Repaid, WriteOff};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 立案追回一人的全部多发，并冻结各月金额
    Open {
        /// 公民身份号码
        citizen_number: String,
        /// 项目编码（此人在多个项目中时必须指明）
        #[arg(long)]
        scheme: Option<String>,
        /// 原因: death_told_late、prison、double_benefit、wrong_registration、standard、other
        #[arg(long, value_parser = cause)]
        cause: Cause,
        /// 追缴通知书号（默认由系统编号）
        #[arg(long)]
        notice: Option<String>,
    },
    /// 登记退款（财务），先冲最早的月份，退回原指标
    Repay {
        /// 案件编号
        case: i64,
        /// 金额，元
        #[arg(long, value_parser = money)]
        amount: Money,
        /// 到账日期
        #[arg(long, value_parser = date_argument)]
        date: NaiveDate,
        /// 票据号或银行流水号
        #[arg(long)]
        receipt: String,
    },
    /// 约定从以后的待遇中抵扣（须有本人同意）
    Plan {
        /// 案件编号
        case: i64,
        /// 每个所属期最多抵扣多少元；0 停止抵扣
        #[arg(long, value_parser = money)]
        monthly_cap: Money,
        /// 同意书
        #[arg(long)]
        consent: String,
        /// 从此人的另一个项目中抵扣（默认本项目）
        #[arg(long)]
        scheme: Option<String>,
    },
    /// 申请核销无法追回的金额，由审批人同意后生效（fafang change accept）
    #[command(name = "write-off")]
    WriteOff {
        /// 案件编号
        case: i64,
        /// 金额，元
        #[arg(long, value_parser = money)]
        amount: Money,
        /// 原因
        #[arg(long)]
        reason: String,
    },
    /// 列出未结清的追回案件，和尚未立案的多发
    List {
        /// 已结清的也列出
        #[arg(long)]
        all: bool,
    },
    /// 写出《追缴通知书》
    Notice {
        /// 案件编号
        case: i64,
        /// 写到文件 .pdf .html .txt
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// 退回期限
        #[arg(long, value_parser = date_argument)]
        deadline: Option<NaiveDate>,
    },
    /// 显示一个案件: 各月和每一笔
    Show {
        /// 案件编号
        case: i64,
    },
}

fn cause(text: &str) -> Result<Cause, String> {
    Cause::parse(text).ok_or_else(|| {
        let known = Cause::ALL.map(|c| format!("{} {}", c.code(), c.title()));
        format!("“{text}”不是多发的原因，应为 {}", known.join("、"))
    })
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let office = &desk.office;
    match command {
        Command::Open { citizen_number, scheme, cause, notice } => {
            let opened = recover::open(office, &citizen_number, scheme.as_deref(), cause, notice.as_deref()).await?;
            desk.out.answer(|| document(&opened), || words(&opened));
        }
        Command::Repay { case, amount, date, receipt } => {
            let repaid = recover::repay(office, case, amount, date, &receipt).await?;
            desk.out.answer(|| repaid_document(&repaid), || repaid_words(&repaid, amount));
        }
        Command::Plan { case, monthly_cap, consent, scheme } => {
            let planned = recover::plan(office, case, monthly_cap, &consent, scheme.as_deref()).await?;
            desk.out.answer(|| document(&planned), || words(&planned));
        }
        Command::WriteOff { case, amount, reason } => {
            let pending = recover::request_write_off(office, WriteOff { case_no: case, amount, reason }).await?;
            desk.out.answer(
                || json!({ "case": case, "amount_fen": amount, "pending": pending }),
                || format!("等待审批人同意，尚未生效: fafang change accept {pending}"),
            );
        }
        Command::List { all } => desk.out.report(&recoveries::list(office, all).await?),
        Command::Notice { case, out, deadline } => {
            let letter = notice(office, case, deadline).await?;
            write_letter(desk, &letter, &out)?;
        }
        Command::Show { case } => desk.out.report(&recoveries::case(office, case).await?),
    }
    Ok(exit_code::DONE)
}

fn write_letter(desk: &Desk, letter: &Letter, path: &Path) -> Result<(), Failure> {
    let name = path.to_string_lossy();
    let format = Format::from_path(&name).ok_or(RenderError::NoLetter)?;
    let file = render_letter(letter, format, &name)?;
    folder::replace(path, &file.bytes)?;
    desk.out.answer(|| json!({ "notice": letter.number, "files": [file.path] }), || format!("已写出 {}", file.path));
    Ok(())
}

/// A case as a document.
pub fn document(recovery: &Recovery) -> Value {
    let (case, standing) = (&recovery.case, &recovery.standing);
    let months = standing.months.iter().map(|m| {
        json!({
            "period": m.period, "amount_fen": m.amount, "repaid_fen": m.repaid, "offset_fen": m.offset,
            "written_off_fen": m.written_off, "lapsed_fen": m.lapsed, "open_fen": m.open,
        })
    });
    json!({
        "case": case.no, "notice": case.notice_no, "name": recovery.name, "citizen_number": recovery.citizen_number,
        "scheme": case.scheme_code, "cause": case.cause.code(), "total_fen": case.total,
        "repaid_fen": standing.sum(|m| m.repaid), "offset_fen": standing.sum(|m| m.offset),
        "written_off_fen": standing.sum(|m| m.written_off), "lapsed_fen": standing.sum(|m| m.lapsed),
        "open_fen": standing.open(), "status": if case.closed.is_some() { "closed" } else { "open" },
        "monthly_cap_fen": case.plan.as_ref().map_or(Money::ZERO, |p| p.monthly_cap),
        "deduct_scheme": case.deducts_from(), "months": months.collect::<Vec<_>>(),
    })
}

/// A case in words.
pub fn words(recovery: &Recovery) -> String {
    let (case, standing) = (&recovery.case, &recovery.standing);
    let mut lines = vec![format!(
        "第 {} 号追回案件 {} {} {}（{}）: {} 元，待追回 {} 元{}",
        case.no,
        case.notice_no,
        recovery.name,
        recovery.citizen_number,
        case.cause.title(),
        case.total.grouped(),
        standing.open().grouped(),
        if case.closed.is_some() { "，已结清" } else { "" }
    )];
    for m in &standing.months {
        lines.push(format!("  {} 多发 {} 元，待追回 {} 元", m.period, m.amount, m.open));
    }
    if let (Some(plan), Some(scheme)) = (&case.plan, case.deducts_from()) {
        let cap = plan.monthly_cap;
        lines.push(format!("  从 {scheme} 每个所属期最多抵扣 {cap} 元（{}）", plan.consent));
    }
    lines.join("\n")
}

fn repaid_document(repaid: &Repaid) -> Value {
    let mut document = document(&repaid.recovery);
    document["already"] = json!(repaid.already);
    let part = |(period, appropriation_no, amount): &(crate::domain::period::Period, i64, Money)| json!({ "period": period, "appropriation_no": appropriation_no, "amount_fen": amount });
    document["parts"] = repaid.parts.iter().map(part).collect();
    document
}

fn repaid_words(repaid: &Repaid, amount: Money) -> String {
    if let Some(already) = &repaid.already {
        return format!("{already}，没有重复入账");
    }
    let mut lines = vec![format!("已登记退款 {} 元", amount.grouped())];
    lines.extend(repaid.parts.iter().map(|(period, no, part)| format!("  {period} {part} 元，退回第 {no} 号指标")));
    lines.push(words(&repaid.recovery));
    lines.join("\n")
}
