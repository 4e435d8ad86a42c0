//! What a clerk must resolve: holds on people, and differences in banks' answers.

use super::table::{Column, Report, Sheet, Value};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::money::Money;
use crate::domain::period::date_from_number;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::{change_request, enrolment, finding, hold, run};

/// Open holds, oldest first, each with what to do.
///
/// # Errors
/// When the database cannot be read.
pub async fn holds(office: &Office) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let open = hold::open(&mut tx, &office.agency_code).await?;
    let numbers = open.iter().map(|(hold, _)| hold.beneficiary_no);
    let people = enrolment::persons(&mut tx, &office.agency_code, numbers).await?;
    let columns = vec![
        Column::count("hold_no", "编号"),
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("reason", "原因"),
        Column::text("note", "情况"),
        Column::text("opened_on", "自"),
        Column::count("age_days", "天数"),
        Column::text("advice", "怎样处理"),
    ];
    let rows = open.into_iter().map(|(hold, _)| -> Vec<Value> {
        let (number, name) = people.get(&hold.beneficiary_no).map_or_else(Default::default, |person| {
            (CitizenNumber::from_stored(&person.citizen_number).masked(), person.name.clone())
        });
        vec![
            hold.no.into(),
            name.into(),
            number.into(),
            hold.reason.title().into(),
            hold.note.clone().into(),
            hold.opened_on.to_string().into(),
            (office.business_date() - hold.opened_on).num_days().max(0).into(),
            hold.reason.advice().into(),
        ]
    });
    let rows: Vec<Vec<Value>> = rows.collect();
    let count = rows.len();
    Ok(list(office, "holds", &format!("暂停支付 {count} 项"), columns, rows))
}

/// Changes and rosters that wait for a second person, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn requests(office: &Office) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let columns = vec![
        Column::count("request_no", "编号"),
        Column::text("scheme", "项目"),
        Column::text("summary", "内容"),
        Column::count("items", "人数"),
        Column::text("made_by", "提出人"),
        Column::text("made_on", "日期"),
        Column::count("age_days", "天数"),
    ];
    let rows = change_request::pending(&mut tx, &office.agency_code).await?.into_iter().map(|r| -> Vec<Value> {
        let on = date_from_number(r.made_on).unwrap_or_default();
        vec![
            r.request_no.into(),
            r.scheme_code.into(),
            r.summary.into(),
            r.item_count.into(),
            r.made_by.into(),
            on.to_string().into(),
            (office.business_date() - on).num_days().max(0).into(),
        ]
    });
    let rows: Vec<Vec<Value>> = rows.collect();
    let count = rows.len();
    Ok(list(office, "requests", &format!("等待复核 {count} 项"), columns, rows))
}

/// Differences in banks' answers, explained ones too.
///
/// # Errors
/// When the database cannot be read.
pub async fn findings(office: &Office) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let runs = run::list(&mut tx, &office.agency_code, None).await?;
    let columns = vec![
        Column::count("finding_no", "编号"),
        Column::text("run", "批次"),
        Column::text("code", "代码"),
        Column::money("amount", "金额"),
        Column::text("message", "差异"),
        Column::text("opened_on", "发现"),
        Column::text("explanation", "说明"),
    ];
    let rows = finding::list(&mut tx, &office.agency_code).await?.into_iter().map(|f| -> Vec<Value> {
        let run = runs.iter().find(|r| Some(r.no) == f.run_no).map_or_else(String::new, |r| r.code.clone());
        let explained =
            f.explanation.zip(f.explained_by).map_or_else(|| "未说明".into(), |(e, by)| format!("{e}（{by}）"));
        vec![
            f.finding_no.into(),
            run.into(),
            f.code.into(),
            Money(f.amount_fen).into(),
            f.message.into(),
            date_from_number(f.opened_on).map_or_else(String::new, |d| d.to_string()).into(),
            explained.into(),
        ]
    });
    let rows: Vec<Vec<Value>> = rows.collect();
    let count = rows.len();
    Ok(list(office, "findings", &format!("对账差异 {count} 项"), columns, rows))
}

fn list(office: &Office, code: &'static str, title: &str, columns: Vec<Column>, rows: Vec<Vec<Value>>) -> Report {
    Report {
        code,
        title: title.to_string(),
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets: vec![Sheet { name: code.into(), columns, rows, total: None, notes: Vec::new() }],
        notes: Vec::new(),
    }
}
