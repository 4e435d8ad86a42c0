//! `fafang run`: prepare, four eyes, cancel, close, list, show.

use serde_json::{Value, json};

use super::{Answer, Desk, exit_code, periods_argument, publicity};
use crate::domain::money::Money;
use crate::domain::period::PeriodRange;
use crate::domain::run::{Run, RunKind, RunState};
use crate::reports::payment_sheet::{Numbers, payment_sheet};
use crate::reports::render::json as json_report;
use crate::reports::render::text;
use crate::reports::run_difference::{RunDifference, run_difference};
use crate::reports::runs;
use crate::storage::publicity as storage_publicity;
use crate::workflow::decide_run::{self, Decided, HeldPayment};
use crate::workflow::pay_date::pay_day;
use crate::workflow::prepare_run::{Prepared, prepare_run};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 计算: 截至所属期的应发减已覆盖
    Prepare {
        /// 项目编码
        #[arg(long)]
        scheme: String,
        /// 所属期 2026-01，或一次发几个月 2026-01..2026-03
        #[arg(long, value_parser = periods_argument)]
        period: PeriodRange,
        /// regular 正常、supplementary 补发
        #[arg(long, default_value = "regular", value_parser = kind_argument)]
        kind: RunKind,
    },
    /// 提交: 冻结明细
    Submit {
        /// 批次号
        run: String,
    },
    /// 复核（不能是经办人）
    Review {
        /// 批次号
        run: String,
    },
    /// 审批（第三人），同时占用指标
    Approve {
        /// 批次号
        run: String,
    },
    /// 退回经办
    #[command(alias = "send-back")]
    Reject {
        /// 批次号
        run: String,
        /// 原因
        #[arg(long)]
        reason: String,
    },
    /// 作废（报盘之前）
    Cancel {
        /// 批次号
        run: String,
        /// 原因
        #[arg(long)]
        reason: String,
    },
    /// 办结: 全部明细有结果，要求公示结果的已公示
    Close {
        /// 批次号
        run: String,
    },
    /// 列出批次
    List {
        /// 项目编码
        #[arg(long)]
        scheme: Option<String>,
    },
    /// 显示批次: 明细、每行的计算、与上一批次的差异
    Show {
        /// 批次号
        run: String,
    },
}

fn kind_argument(text: &str) -> Result<RunKind, String> {
    RunKind::parse(text).ok_or_else(|| format!("“{text}”不是批次类型，应为 regular 正常 或 supplementary 补发"))
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let office = &desk.office;
    match command {
        Command::Prepare { scheme, period, kind } => {
            let mut prepared = prepare_run(office, &scheme, period, kind).await?;
            let (scheme, _) = office.scheme(&mut office.read().await?, &scheme).await?;
            match pay_day(office, &scheme, &prepared.run) {
                Ok(day) => prepared.notices.extend(day.map(|day| format!("发放日 {day}"))),
                Err(missing) => prepared.notices.push(format!("算不出发放日: {}", missing.message)),
            }
            let difference = run_difference(&mut office.read().await?, office, &prepared.run).await?;
            desk.out.answer(|| prepared_document(&prepared, &difference), || prepared_words(&prepared, &difference));
        }
        Command::Submit { run } => decided(desk, &decide_run::submit(office, &run).await?),
        Command::Review { run } => decided(desk, &decide_run::review(office, &run).await?),
        Command::Approve { run } => decided(desk, &decide_run::approve(office, &run).await?),
        Command::Reject { run, reason } => decided(desk, &decide_run::send_back(office, &run, &reason).await?),
        Command::Cancel { run, reason } => decided(desk, &decide_run::cancel(office, &run, &reason).await?),
        Command::Close { run } => decided(desk, &decide_run::close(office, &run).await?),
        Command::List { scheme } => desk.out.report(&runs::runs(office, scheme.as_deref()).await?),
        Command::Show { run } => {
            let mut tx = office.read().await?;
            let found = office.run(&mut tx, &run).await?;
            let difference = run_difference(&mut tx, office, &found).await?;
            let shown = storage_publicity::of_run(&mut tx, &office.agency_code, &found).await?;
            drop(tx);
            let sheet = payment_sheet(office, &run, Numbers::Masked).await?;
            desk.out.answer(
                || {
                    let mut document = run_document(&found);
                    document["difference"] = json!(difference);
                    document["publicity"] = shown.iter().map(publicity::document).collect();
                    document["lines"] = json_report::render(&sheet)["sheets"][0]["rows"].clone();
                    document
                },
                || {
                    let sheet = text::render(&sheet);
                    let shown = shown.iter().map(|s| s.sentence() + "\n").collect::<String>();
                    format!("{}\n\n{shown}{}", sheet.trim_end(), difference_words(&difference))
                },
            );
        }
    }
    Ok(exit_code::DONE)
}

fn run_document(run: &Run) -> Value {
    let signed = run.state.signed();
    let closed = match &run.state {
        RunState::Closed(_, _, closed) => Some(closed),
        _ => None,
    };
    json!({
        "run": run.code, "run_no": run.no, "scheme": run.scheme_code, "kind": run.kind.code(),
        "first_period": run.periods.first, "period": run.periods.last, "status": run.state.code(),
        "payments": run.payments, "total_fen": run.total, "offset_fen": run.offset, "digest": run.state.digest(),
        "prepared_by": run.prepared.by, "submitted_by": signed.map(|s| &s.submitted.by.by),
        "reviewed_by": signed.map(|s| &s.reviewed.by), "approved_by": signed.map(|s| &s.approved.by),
        "issued_by": run.state.issued().map(|s| &s.by), "closed_by": closed.map(|s| &s.by),
    })
}

fn prepared_document(prepared: &Prepared, difference: &RunDifference) -> Value {
    let mut document = run_document(&prepared.run);
    document["back_pay"] = json!({ "payments": prepared.back_pay.0, "fen": prepared.back_pay.1 });
    document["held"] = prepared
        .held
        .iter()
        .map(|h| json!({ "name": h.name, "citizen_number": h.citizen_number, "reason": h.what.0.reason.code(), "owed_fen": h.what.1 }))
        .collect();
    document["overpaid"] = prepared
        .overpaid
        .iter()
        .map(|o| json!({ "name": o.name, "citizen_number": o.citizen_number, "period": o.what.period, "overpaid_fen": o.what.amount() }))
        .collect();
    document["without_case"] = prepared
        .without_case
        .iter()
        .map(|o| json!({ "name": o.name, "citizen_number": o.citizen_number, "period": o.what.period, "overpaid_fen": o.what.amount() }))
        .collect();
    document["offsets"] = prepared
        .offsets
        .iter()
        .map(|o| json!({ "name": o.name, "citizen_number": o.citizen_number, "case": o.what.case_no, "period": o.what.to_period, "overpaid_period": o.what.period, "amount_fen": o.what.amount }))
        .collect();
    document["difference"] = json!(difference);
    document["notices"] = json!(prepared.notices);
    document
}

fn prepared_words(prepared: &Prepared, difference: &RunDifference) -> String {
    let run = &prepared.run;
    let mut lines =
        vec![format!("{} {} 笔 {} 元（{}）", run.code, run.payments, run.total.grouped(), run.kind.title())];
    if prepared.back_pay.0 > 0 {
        lines.push(format!("  其中补发以前月份: {} 笔 {} 元", prepared.back_pay.0, prepared.back_pay.1.grouped()));
    }
    for h in &prepared.held {
        lines.push(format!(
            "  暂停支付 {} {}: {}，欠发 {} 元",
            h.name,
            h.citizen_number,
            h.what.0.reason.title(),
            h.what.1.grouped()
        ));
    }
    for o in &prepared.overpaid {
        lines.push(format!(
            "  多发 {} {}: {} 已发 {} 元，应发 {} 元",
            o.name, o.citizen_number, o.what.period, o.what.cover, o.what.claim
        ));
    }
    if !prepared.without_case.is_empty() {
        let sum: Money = prepared.without_case.iter().map(|o| o.what.amount()).sum();
        let count = prepared.without_case.len();
        lines.push(format!("  其中 {count} 项 {} 元尚未立案追回: fafang recovery open", sum.grouped()));
    }
    for o in &prepared.offsets {
        let d = &o.what;
        lines.push(format!(
            "  抵扣 {} {}: {} 少发 {} 元，冲 {} 多发（第 {} 号追回案件）",
            o.name, o.citizen_number, d.to_period, d.amount, d.period, d.case_no
        ));
    }
    lines.extend(prepared.notices.iter().map(|n| format!("  提示: {n}")));
    lines.push(difference_words(difference));
    lines.join("\n")
}

fn difference_words(difference: &RunDifference) -> String {
    let Some(last) = &difference.last_run else { return "没有上一批次可比".to_string() };
    let mut lines = vec![format!(
        "与 {last} 相比: 新增 {}，减少 {}，金额变化 {}，相同 {}",
        difference.new.len(),
        difference.gone.len(),
        difference.changed.len(),
        difference.same
    )];
    for (word, entries) in [("新增", &difference.new), ("减少", &difference.gone), ("变化", &difference.changed)]
    {
        for e in entries {
            lines.push(format!(
                "  {word} {} {}: {} → {} 元，{}",
                e.name, e.citizen_number, e.was_fen, e.now_fen, e.reason
            ));
        }
    }
    lines.join("\n")
}

fn decided(desk: &Desk, decided: &Decided) {
    desk.out.answer(
        || {
            let mut document = run_document(&decided.run);
            document["already"] = json!(decided.already);
            document["reserved"] =
                decided.drawn.iter().map(|(d, m)| json!({ "document": d, "amount_fen": m })).collect();
            let held = |h: &HeldPayment| {
                json!({
                    "line_no": h.line_no, "name": h.name, "citizen_number": h.citizen_number,
                    "reason": h.reason.code(), "amount_fen": h.amount,
                })
            };
            document["held"] = decided.held.iter().map(held).collect();
            document
        },
        || {
            let run = &decided.run;
            if decided.already {
                return format!("{} 早已办理，{}，没有变化", run.code, run.state.sentence());
            }
            let mut lines =
                vec![format!("{} {}，{} 笔 {} 元", run.code, run.state.sentence(), run.payments, run.total.grouped())];
            lines.extend(
                decided.drawn.iter().map(|(document, amount)| format!("  占用 {document} {} 元", amount.grouped())),
            );
            lines.extend(decided.held.iter().map(|h| {
                format!(
                    "  第 {} 笔 {} {} {} 元: 计算之后暂停支付（{}），报盘时将暂缓",
                    h.line_no,
                    h.name,
                    h.citizen_number,
                    h.amount.grouped(),
                    h.reason.title()
                )
            }));
            lines.join("\n")
        },
    );
}
