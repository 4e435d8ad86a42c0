//! The notice (追缴通知书) that asks back what a case froze: months, sum in capitals, legal basis.

use chrono::{Datelike, NaiveDate};

use super::letter::Letter;
use super::recoveries::{self, CaseFile};
use super::table::{Column, Sheet};
use crate::domain::recovery::Cause;
use crate::failure::Failure;
use crate::office::Office;

/// The letter of a case. It asks for the whole sum of the notice, whatever came back since; `deadline` is
/// the last day to pay, if one is set.
///
/// # Errors
/// When there is no such case, or the deadline lies before the day it was opened.
pub async fn notice(office: &Office, case_no: i64, deadline: Option<NaiveDate>) -> Result<Letter, Failure> {
    let mut tx = office.read().await?;
    let file = recoveries::find(&mut tx, office, case_no).await?;
    let opened_on = file.case.opened_on;
    if let Some(day) = deadline.filter(|day| *day < opened_on) {
        return Err(Failure::refused("DEADLINE_PASSED", format!("退回期限 {day} 早于立案日期 {opened_on}"))
            .hint("用 --deadline 写明通知书送达之后的日期"));
    }
    let (scheme, _) = office.scheme(&mut tx, &file.case.scheme_code).await?;
    Ok(letter(office, &file, &scheme.name, deadline))
}

fn letter(office: &Office, file: &CaseFile, scheme: &str, deadline: Option<NaiveDate>) -> Letter {
    let case = &file.case;
    let mut table = Sheet {
        name: "多发明细".into(),
        columns: vec![
            Column::text("period", "所属期"),
            Column::money("paid", "已发"),
            Column::money("claim", "应发"),
            Column::money("overpaid", "多发"),
        ],
        rows: case
            .months
            .iter()
            .map(|m| vec![m.period.to_string().into(), (m.claim + m.amount).into(), m.claim.into(), m.amount.into()])
            .collect(),
        total: None,
        notes: Vec::new(),
    };
    table.total_of_columns("合计");
    let until = deadline.map_or_else(|| "接到本通知书后".to_string(), |day| format!("{}前", in_words(day)));
    Letter {
        title: "追缴通知书".into(),
        number: case.notice_no.clone(),
        addressee: format!(
            "{}（公民身份号码 {}）或其家属、继承人",
            file.person.name,
            file.person.citizen_number.masked()
        ),
        paragraphs: vec![
            format!(
                "经核查，因{}，{scheme}多发 {} 个月，共计人民币 {} 元（大写: {}），各月金额见下表。",
                case.cause.title(),
                case.months.len(),
                case.total.grouped(),
                case.total.capitals()
            ),
            format!("依据{}的有关规定，多发的待遇应当退回。", basis(case.cause)),
            format!(
                "请于{until}将上述款项退回本单位，并注明本通知书号。一次退回确有困难的，可以书面同意从以后的待遇中逐月抵扣。"
            ),
            "对本通知有异议的，可以向本单位申请复查，也可以依法申请行政复议或者提起行政诉讼。".into(),
        ],
        table: Some(table),
        closing: "特此通知。".into(),
        signatures: vec![
            office.agency_name.clone(),
            format!("经办: {}    复核:            审批:            ", case.opened_by),
        ],
        date: case.opened_on,
    }
}

/// Article 88 is about what was drawn without a right to it, not about mistakes of the office.
fn basis(cause: Cause) -> &'static str {
    match cause {
        Cause::DeathToldLate | Cause::Prison | Cause::DoubleBenefit => {
            "《中华人民共和国社会保险法》第八十八条和《社会保险经办条例》"
        }
        Cause::WrongRegistration | Cause::Standard | Cause::Other => "《社会保险经办条例》",
    }
}

fn in_words(day: NaiveDate) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}
