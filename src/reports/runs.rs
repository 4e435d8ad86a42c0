//! Runs with their state and signatures.

use super::table::{Column, Report, Sheet, Value};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::run;

/// All runs, or those of a scheme.
///
/// # Errors
/// When the database cannot be read.
pub async fn runs(office: &Office, scheme: Option<&str>) -> Result<Report, Failure> {
    let all = run::list(&mut office.read().await?, &office.agency_code, scheme).await?;
    let columns = vec![
        Column::text("run", "批次"),
        Column::text("kind", "类型"),
        Column::text("periods", "所属期"),
        Column::count("payments", "笔数"),
        Column::money("total", "金额"),
        Column::text("status", "状态"),
        Column::text("prepared_by", "经办"),
        Column::text("last", "最近办理"),
    ];
    let rows = all.into_iter().map(|r| -> Vec<Value> {
        vec![
            r.code.into(),
            r.kind.title().into(),
            r.periods.to_string().into(),
            r.payments.into(),
            r.total.into(),
            r.state.title().into(),
            r.prepared.by.into(),
            r.state.sentence().into(),
        ]
    });
    let mut sheet = Sheet { name: "批次".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    if !sheet.rows.is_empty() {
        sheet.notes.push(format!("共 {} 个批次", sheet.rows.len()));
    }
    Ok(Report {
        code: "runs",
        title: "发放批次".into(),
        subtitle: vec![format!("单位: {}", office.agency_name)],
        sheets: vec![sheet],
        notes: Vec::new(),
    })
}
