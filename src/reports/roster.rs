//! The roster in force, with numbers masked.

use super::table::{Column, Report, Sheet, Value};
use crate::domain::enrolment::Enrolment;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::{enrolment, hold};

/// Everybody enrolled in a scheme.
///
/// # Errors
/// When there is no such scheme.
pub async fn roster(office: &Office, scheme_code: &str) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let (scheme, _) = office.scheme(&mut tx, scheme_code).await?;
    let people = enrolment::of_scheme(&mut tx, &office.agency_code, scheme_code).await?;
    let holds = hold::open_by_person(&mut tx, &office.agency_code).await?;
    let columns = vec![
        Column::count("enrolment_no", "序号"),
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("category", "人员类别"),
        Column::text("bank", "开户银行"),
        Column::text("account", "银行账号"),
        Column::text("holder", "户名"),
        Column::text("first_period", "享受起始月"),
        Column::text("last_period", "享受终止月"),
        Column::text("last_day", "待遇终止日期"),
        Column::text("status", "状态"),
    ];
    let row = |e: &Enrolment| -> Vec<Value> {
        let bank = office.banks.bank(&e.account.bank_code).map_or(e.account.bank_code.as_str(), |b| b.name.as_str());
        let held = holds.get(&e.beneficiary_no).map(|(h, _)| format!("暂停支付: {}", h.reason.title()));
        vec![
            e.no.into(),
            e.name.clone().into(),
            e.citizen_number.masked().into(),
            e.entitlement.last_category().into(),
            bank.into(),
            e.account.number.masked().into(),
            e.account.holder.clone().into(),
            e.entitlement.first.to_string().into(),
            e.entitlement.last.map_or_else(String::new, |p| p.to_string()).into(),
            e.entitlement.last_day.map_or_else(String::new, |day| day.to_string()).into(),
            held.unwrap_or_else(|| status(e)).into(),
        ]
    };
    let rows: Vec<Vec<Value>> = people.iter().map(row).collect();
    let count = rows.len();
    Ok(Report {
        code: "roster",
        title: format!("{}名册", scheme.name),
        subtitle: vec![format!("单位: {}    截至 {}    {count} 人", office.agency_name, office.business_date())],
        sheets: vec![Sheet { name: "名册".into(), columns, rows, total: None, notes: Vec::new() }],
        notes: Vec::new(),
    })
}

pub(super) fn status(enrolment: &Enrolment) -> String {
    let entitlement = &enrolment.entitlement;
    match (entitlement.stop_reason, entitlement.suspensions.iter().find(|s| s.resumed_from.is_none())) {
        (Some(reason), _) => format!("停发（{}）", reason.title()),
        (None, Some(s)) => format!("暂停（自 {}，{}）", s.from, s.cause.title()),
        (None, None) => "正常".to_string(),
    }
}
