//! Month report (月度发放情况表): what was owed for a month, what became of it, and who is left.

use super::ledger::Ledger;
use super::table::{Column, Report, Sheet};
use super::year_end::failures_sheet;
use crate::domain::period::Period;
use crate::failure::Failure;
use crate::office::Office;

/// The report of one month of a scheme.
///
/// # Errors
/// When there is no such scheme.
pub async fn month(office: &Office, scheme: &str, period: Period) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let ledger = Ledger::read(&mut tx, office, scheme, period.year(), Some(period)).await?;
    let figures = ledger.figures(period);
    let mut summary = Sheet {
        name: "发放情况".into(),
        columns: vec![
            Column::text("item", "项目"),
            Column::count("people", "人数"),
            Column::money("amount", "金额（元）"),
        ],
        rows: vec![
            vec!["应发".into(), figures.claim_count.into(), figures.claim.into()],
            vec!["已报盘（含失败）".into(), super::table::Value::Empty, figures.sent.into()],
            vec!["成功".into(), count(&ledger, |m| !m.credited.is_zero()).into(), figures.credited.into()],
            vec!["  其中以后批次补发".into(), super::table::Value::Empty, figures.back_pay.into()],
            vec!["失败".into(), super::table::Value::Empty, figures.rejected.into()],
            vec!["退票".into(), super::table::Value::Empty, figures.returned.into()],
            vec!["追回".into(), count(&ledger, |m| !m.moved.recovered.is_zero()).into(), figures.recovered.into()],
            vec!["抵扣".into(), count(&ledger, |m| !m.moved.offset_in.is_zero()).into(), figures.offset_in.into()],
            vec!["在途".into(), count(&ledger, |m| !m.in_flight.is_zero()).into(), figures.open.into()],
            vec!["欠发".into(), count(&ledger, |m| !m.uncovered().is_zero()).into(), figures.uncovered.into()],
        ],
        total: None,
        notes: vec!["应发 + 多发 = 成功 − 追回 + 抵扣 + 在途 + 欠发".into()],
    };
    for by in &figures.uncovered_by {
        summary.rows.push(vec![format!("  {}", by.reason.title()).into(), by.count.into(), by.fen.into()]);
    }
    summary.rows.push(vec!["多发".into(), count(&ledger, |m| !m.overpaid().is_zero()).into(), figures.overpaid.into()]);
    summary.rows.push(vec!["暂停未计".into(), super::table::Value::Empty, figures.suspended.into()]);
    let sheets = vec![summary, failures_sheet(&ledger, office.business_date())];
    Ok(Report {
        code: "month",
        title: format!("{} {period} 发放情况表", ledger.scheme.name),
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets,
        notes: Vec::new(),
    })
}

fn count(ledger: &Ledger, wanted: impl Fn(&super::ledger::PersonMonth) -> bool) -> usize {
    ledger.entries().filter(|(_, m)| wanted(m)).count()
}
