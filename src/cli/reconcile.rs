//! `fafang reconcile`: where the year stands; exit code 1 while something is unexplained.

use serde_json::json;

use super::{Answer, Desk, exit_code, period_argument};
use crate::domain::period::Period;
use crate::reports::reconciliation::{Basis, Reconciliation, SchemeYear, reconcile};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 年度
    #[arg(long)]
    year: i32,
    /// 项目编码（默认全部）
    #[arg(long)]
    scheme: Option<String>,
    /// 只看一个所属期
    #[arg(long, value_parser = period_argument)]
    period: Option<Period>,
    /// 不用留存的合计，逐人逐笔重算，并检查全部账目（同 doctor）
    #[arg(long)]
    recount: bool,
}

pub async fn run(args: Args, desk: &Desk) -> Answer {
    let basis = if args.recount { Basis::Recounted } else { Basis::Kept };
    let found = reconcile(&desk.office, args.year, args.scheme.as_deref(), args.period, basis).await?;
    desk.out.answer(|| json!(found), || words(&found));
    Ok(if found.balanced { exit_code::DONE } else { exit_code::REFUSED })
}

/// The reconciliation for the terminal.
pub fn words(found: &Reconciliation) -> String {
    let mut lines = Vec::new();
    for scheme in &found.schemes {
        lines.push(scheme_words(scheme, found.year));
    }
    for d in &found.findings {
        lines.push(format!("{} [{}] {}", if d.explained { "已说明" } else { "未说明" }, d.code, d.text));
    }
    for open in &found.bank_accounts {
        lines.push(format!(
            "银行 {} 账户 {} 截至 {}: 银行已记、账上没有 {} 笔 {} 元，账上已记、银行没有 {} 笔 {} 元；用 {} 逐笔查看",
            open.bank,
            open.account,
            open.as_of,
            open.bank_only_count,
            open.bank_only_fen.grouped(),
            open.office_only_count,
            open.office_only_fen.grouped(),
            open.show
        ));
    }
    lines.push(if found.balanced {
        format!("{} 年对平: 所有差异均有说明", found.year)
    } else {
        format!("{} 年不平: 有未说明的差异", found.year)
    });
    lines.join("\n")
}

fn scheme_words(scheme: &SchemeYear, year: i32) -> String {
    use crate::reports::render::text;
    use crate::reports::table::{Column, Report, Sheet};
    let months = scheme.periods.iter().map(|f| {
        vec![
            f.period.to_string().into(),
            f.claim_count.into(),
            f.claim.into(),
            f.credited.into(),
            f.open.into(),
            f.uncovered.into(),
            f.overpaid.into(),
            f.rejected.into(),
            f.returned.into(),
        ]
    });
    let mut by_month = Sheet {
        name: "按月".into(),
        columns: vec![
            Column::text("period", "所属期"),
            Column::count("claim_count", "人数"),
            Column::money("claim", "应发"),
            Column::money("credited", "成功"),
            Column::money("open", "在途"),
            Column::money("uncovered", "欠发"),
            Column::money("overpaid", "多发"),
            Column::money("rejected", "失败"),
            Column::money("returned", "退票"),
        ],
        rows: months.collect(),
        total: None,
        notes: Vec::new(),
    };
    by_month.total_of_columns("合计");
    let budget = scheme.appropriations.iter().map(|a| {
        vec![
            a.document.clone().into(),
            a.appropriated_fen.into(),
            a.paid_fen.into(),
            a.reserved_fen.into(),
            a.available_fen.into(),
        ]
    });
    let by_appropriation = Sheet {
        name: "指标".into(),
        columns: vec![
            Column::text("document", "指标文号"),
            Column::money("appropriated", "全年预算"),
            Column::money("paid", "净支出"),
            Column::money("reserved", "占用"),
            Column::money("available", "余额"),
        ],
        rows: budget.collect(),
        total: None,
        notes: Vec::new(),
    };
    let difference = |d: &crate::reports::reconciliation::Difference| {
        format!("{} [{}] {}", if d.explained { "已说明" } else { "未说明" }, d.code, d.text)
    };
    text::render(&Report {
        code: "reconcile",
        title: format!("{year} 年对账 {}", scheme.name),
        subtitle: Vec::new(),
        sheets: vec![by_month, by_appropriation],
        notes: scheme.findings.iter().map(difference).collect(),
    })
}
