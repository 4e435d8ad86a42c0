//! Appropriations, and the postings of one with its running balance.

use super::table::{Column, Report, Sheet, Value};
use crate::domain::appropriation::{Appropriation, PostingKind};
use crate::domain::money::Money;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::appropriation;

/// All appropriations of the agency.
///
/// # Errors
/// When the database cannot be read.
pub async fn appropriations(office: &Office) -> Result<Report, Failure> {
    let all = appropriation::list(&mut office.read().await?, &office.agency_code).await?;
    let columns = vec![
        Column::count("year", "年度"),
        Column::text("document", "指标文号"),
        Column::text("scheme", "补贴项目"),
        Column::text("function_code", "功能科目"),
        Column::text("economic_code", "经济科目"),
        Column::text("source", "资金来源"),
        Column::text("expenditure", "支出类别"),
        Column::money("appropriated", "全年预算"),
        Column::money("available", "可用"),
        Column::money("reserved", "占用"),
        Column::money("paid", "支付"),
    ];
    let row = |a: Appropriation| -> Vec<Value> {
        vec![
            i64::from(a.year).into(),
            a.document.into(),
            a.scheme_code.into(),
            a.function_code.into(),
            a.economic_code.into(),
            a.source.title().into(),
            a.expenditure.title().into(),
            a.appropriated.into(),
            a.available.into(),
            a.reserved.into(),
            a.paid.into(),
        ]
    };
    let rows = all.into_iter().map(row).collect();
    Ok(Report {
        code: "appropriations",
        title: "预算指标".into(),
        subtitle: vec![format!("单位: {}", office.agency_name)],
        sheets: vec![Sheet { name: "指标".into(), columns, rows, total: None, notes: Vec::new() }],
        notes: Vec::new(),
    })
}

/// The postings of one appropriation; true when they add up to its kept amounts.
///
/// # Errors
/// When the database cannot be read.
pub async fn postings(office: &Office, of: &Appropriation) -> Result<(Report, bool), Failure> {
    let all = appropriation::postings(&mut office.read().await?, &office.agency_code).await?;
    let columns = vec![
        Column::count("posting_no", "流水号"),
        Column::text("posted_on", "日期"),
        Column::text("kind", "类型"),
        Column::money("amount", "金额"),
        Column::money("available", "可用余额"),
        Column::text("document", "依据"),
        Column::text("note", "说明"),
    ];
    let mut rows = Vec::new();
    let (mut available, mut reserved, mut paid) = (Money::ZERO, Money::ZERO, Money::ZERO);
    for p in all.iter().filter(|p| p.appropriation_no == of.no) {
        let kind = p.kind()?;
        let (_, a, r, d) = PostingKind::effect(kind);
        available += Money(a * p.amount_fen);
        reserved += Money(r * p.amount_fen);
        paid += Money(d * p.amount_fen);
        let run = p.run_no.map_or_else(String::new, |run| format!("（第 {run} 批次）"));
        rows.push(vec![
            p.posting_no.into(),
            p.posted_on()?.to_string().into(),
            kind.title().into(),
            Money(p.amount_fen).into(),
            available.into(),
            p.document.clone().into(),
            format!("{}{run}", p.note).into(),
        ]);
    }
    let agrees = (available, reserved, paid) == (of.available, of.reserved, of.paid);
    let verdict = if agrees {
        "流水合计与登记余额一致"
    } else {
        "流水合计与登记余额不一致，请运行 fafang doctor"
    };
    let report = Report {
        code: "postings",
        title: format!("指标流水 {}", of.document),
        subtitle: vec![format!(
            "全年预算 {} 元 = 可用 {} + 占用 {} + 支付 {}",
            of.appropriated.grouped(),
            of.available.grouped(),
            of.reserved.grouped(),
            of.paid.grouped()
        )],
        sheets: vec![Sheet { name: "流水".into(), columns, rows, total: None, notes: Vec::new() }],
        notes: vec![verdict.into()],
    };
    Ok((report, agrees))
}
