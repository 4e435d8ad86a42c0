//! The audit trail, as a list.

use super::table::{Column, Report, Sheet, Value};
use crate::domain::period::date_from_number;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::audit_event;

/// All audit events in order.
///
/// # Errors
/// When the database cannot be read.
pub async fn audit(office: &Office) -> Result<Report, Failure> {
    let events = audit_event::list(&mut office.read().await?, &office.agency_code).await?;
    let columns = vec![
        Column::count("event_no", "编号"),
        Column::text("occurred_at", "时间（UTC）"),
        Column::text("business_date", "业务日期"),
        Column::text("actor", "操作人"),
        Column::text("action", "操作"),
        Column::text("subject", "对象"),
        Column::text("detail", "内容"),
        Column::text("hash", "校验"),
    ];
    let rows = events.into_iter().map(|e| -> Vec<Value> {
        let hash: String = e.hash.chars().take(12).collect();
        vec![
            e.event_no.into(),
            e.occurred_at.into(),
            date_from_number(e.business_date).map_or_else(String::new, |d| d.to_string()).into(),
            e.actor.into(),
            e.action.into(),
            e.subject.into(),
            e.detail.into(),
            hash.into(),
        ]
    });
    Ok(Report {
        code: "audit",
        title: "审计记录".into(),
        subtitle: vec![format!("单位: {}", office.agency_name)],
        sheets: vec![Sheet {
            name: "审计记录".into(), columns, rows: rows.collect(), total: None, notes: Vec::new()
        }],
        notes: Vec::new(),
    })
}
