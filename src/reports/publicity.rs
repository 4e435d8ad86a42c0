//! The list that is shown to the public (公示表): who, from which unit, which months, how much; never an account.

use chrono::NaiveDate;

use super::table::{Column, Report, Sheet, Value};
use crate::domain::money::Money;
use crate::domain::period::PeriodRange;
use crate::domain::publicity::PublicityKind;
use crate::domain::run::Run;
use crate::domain::scheme::{AmountRule, Scheme};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::publicity;

/// What stands on a list beside its rows.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// What for; `None` as the run stands: the result once it is settled.
    pub kind: Option<PublicityKind>,
    /// First day; `None` is the business date.
    pub from: Option<NaiveDate>,
    /// Last day; `None` as the scheme says.
    pub to: Option<NaiveDate>,
    /// Where people may complain; `None` as the configuration says.
    pub phone: Option<String>,
}

/// The list of a run to be shown.
///
/// # Errors
/// When there is no such run or no phone for complaints, the result of a run that is not settled is asked for, or the
/// calendar does not reach to the last day.
pub async fn notice(office: &Office, code: &str, notice: Notice) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let run = office.run(&mut tx, code).await?;
    let scheme = office.scheme_of(&mut tx, &run).await?;
    let (in_force, _) = office.scheme(&mut tx, &run.scheme_code).await?;
    let usual = if run.state.is_settled() { PublicityKind::Result } else { PublicityKind::Before };
    let kind = notice.kind.unwrap_or(usual);
    if kind == PublicityKind::Result && !run.state.is_settled() {
        return Err(Failure::refused(
            "RUN_WRONG_STATE",
            format!("批次 {} {}，还没有全部结果，不能导出结果公示", run.code, run.state.sentence()),
        ));
    }
    let phone = notice.phone.unwrap_or_else(|| office.settings.complaint_phone.clone());
    if phone.trim().is_empty() {
        return Err(Failure::refused("NO_PHONE", "公示名单须有监督电话")
            .hint("用 --phone 写明，或在配置文件里写明 complaint_phone"));
    }
    let from = notice.from.unwrap_or_else(|| office.business_date());
    let to = match (notice.to, kind, in_force.publicity.days_before_approval) {
        (None, PublicityKind::Before, Some(days)) => {
            Some(office.calendar.add_working_days(from.pred_opt().unwrap_or(from), days)?)
        }
        (to, ..) => to,
    };
    if let Some(to) = to.filter(|to| *to < from) {
        return Err(Failure::refused("PUBLICITY_DATES", format!("公示止于 {to}，早于开始日期 {from}")));
    }
    let rows = publicity::list(&mut tx, &office.agency_code, &run, kind).await?;
    let mut sheet = Sheet {
        name: "公示名单".into(),
        columns: vec![
            Column::text("serial", "序号"),
            Column::text("name", "姓名"),
            Column::text("citizen_number", "公民身份号码"),
            Column::text("unit", "原工作单位"),
            Column::text("periods", "所属期"),
            Column::count("months", "月数"),
            Column::money("amount", "金额（元）"),
        ],
        rows: Vec::with_capacity(rows.len()),
        total: None,
        notes: Vec::new(),
    };
    let people = rows.len();
    let total: Money = rows.iter().map(|r| r.amount).sum();
    for (serial, row) in (1..).zip(rows) {
        let serial: i64 = serial;
        sheet.rows.push(vec![
            Value::Text(serial.to_string()),
            row.name.into(),
            row.citizen_number.into(),
            row.unit.into(),
            row.months.into(),
            row.month_count.into(),
            row.amount.into(),
        ]);
    }
    sheet.total_of_columns("合计");
    let until = to.map_or_else(String::new, |to| format!(" 至 {to}"));
    let policies: Vec<&str> = scheme.policies.iter().map(crate::domain::document::DocumentNumber::as_str).collect();
    Ok(Report {
        code: "publicity",
        title: format!("{}{}", scheme.name, kind.title()),
        subtitle: vec![
            format!("单位: {}    批次: {}    所属期: {}", office.agency_name, run.code, run.periods),
            format!("政策依据: {}    补贴标准: {}", policies.join("、"), standards(&scheme, &run)),
            format!("公示时间: {from}{until}    监督电话: {}", phone.trim()),
        ],
        sheets: vec![sheet],
        notes: vec![
            format!("共 {people} 人，{} 元", total.grouped()),
            "对名单有异议的，请在公示期内向监督电话反映。".into(),
        ],
    })
}

/// The monthly amounts that hold in the run's months, by category.
fn standards(scheme: &Scheme, run: &Run) -> String {
    if scheme.amount == AmountRule::Individual {
        return "按人核定".into();
    }
    let PeriodRange { first, last } = run.periods;
    let holds = scheme.standards.iter().filter(|s| s.from <= last && s.to.is_none_or(|to| to >= first));
    let words = holds.map(|s| format!("{} {} 元/月", s.category, s.monthly.grouped()).trim().to_string());
    words.collect::<Vec<_>>().join("、")
}
