//! Certification report (认证到期): who must certify soon, and who has not and is suspended for it.

use super::table::{Column, Report, Sheet, Value};
use crate::calculation::claim::{Claim, certified_until, claim};
use crate::domain::enrolment::{Enrolment, SuspensionCause};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::enrolment;

/// Who of a scheme is due within the warning months of the business month, and who has lapsed.
///
/// # Errors
/// When there is no such scheme, or it asks for no certification.
pub async fn certification(office: &Office, scheme_code: &str) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let (scheme, _) = office.scheme(&mut tx, scheme_code).await?;
    let Some(rule) = scheme.certification else {
        return Err(Failure::refused("NO_CERTIFICATION", format!("项目 {scheme_code} 没有资格认证")));
    };
    let now = office.current_period();
    let (mut due, mut lapsed) = (Vec::new(), Vec::new());
    for person in enrolment::of_scheme(&mut tx, &office.agency_code, scheme_code).await? {
        let Some(until) = certified_until(&scheme, &person.entitlement) else { continue };
        // Who has left before the end of the certification never needs another.
        let ends_before = |p: &Period| *p <= until;
        if person.entitlement.last.as_ref().or(scheme.last.as_ref()).is_some_and(ends_before) {
            continue;
        }
        if until < now {
            let (months, sum) = suspended(&scheme, &person, until.next(), now);
            if months > 0 {
                lapsed.push(row(&person, until, [until.next().to_string().into(), months.into(), sum.into()]));
            }
        } else if until <= now.plus(rule.warning_months) {
            due.push(row(&person, until, [until.since(now).to_string().into()]));
        }
    }
    let mut lapsed = sheet(
        "已逾期暂停",
        [
            Column::text("suspended_from", "自"),
            Column::count("months", "暂停月数"),
            Column::money("suspended", "暂停金额"),
        ],
        lapsed,
    );
    lapsed.total_of_columns("合计");
    let due = sheet("即将到期", [Column::text("months_left", "剩余月数")], due);
    Ok(Report {
        code: "certification",
        title: format!("{} 认证到期情况", scheme.name),
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        notes: vec![format!(
            "一次认证管 {} 个月，到期前 {} 个月列入；逾期待遇暂停，{}",
            rule.cycle_months,
            rule.warning_months,
            match rule.back_pay {
                crate::domain::scheme::BackPay::Paid => "重新认证后补发",
                crate::domain::scheme::BackPay::Forfeited => "暂停月份不补发",
            }
        )],
        sheets: vec![due, lapsed],
    })
}

/// Months that are not paid for want of a certification, and what they come to.
fn suspended(scheme: &Scheme, person: &Enrolment, from: Period, to: Period) -> (usize, Money) {
    let amounts = from.through(to).filter_map(|month| match claim(scheme, &person.entitlement, month) {
        Claim::Suspended(amount, SuspensionCause::NotCertified) => Some(amount),
        _ => None,
    });
    let amounts: Vec<Money> = amounts.collect();
    (amounts.len(), amounts.into_iter().sum())
}

fn row<const N: usize>(person: &Enrolment, until: Period, more: [Value; N]) -> Vec<Value> {
    let last = person.entitlement.certified.last().map_or_else(|| "无记录".to_string(), ToString::to_string);
    let who = [person.name.clone(), person.citizen_number.masked(), last, until.to_string()];
    who.into_iter().map(Value::from).chain(more).collect()
}

fn sheet<const N: usize>(name: &str, more: [Column; N], rows: Vec<Vec<Value>>) -> Sheet {
    let who = [
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("certified_on", "最近认证"),
        Column::text("certified_until", "有效至"),
    ];
    Sheet { name: name.into(), columns: who.into_iter().chain(more).collect(), rows, total: None, notes: Vec::new() }
}
