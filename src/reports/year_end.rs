//! Year-end reconciliation (年终对账): where the money went, to the fen, by appropriation, month and
//! person; what was never paid and since when; what was paid too much.

use chrono::NaiveDate;

use super::ledger::{Ledger, PersonMonth, PersonYear};
use super::reconciliation::{AppropriationYear, Basis, Reconciliation, SchemeYear, reconcile};
use super::recoveries::{CaseFile, case_files, cases_sheet};
use super::table::{Column, Report, Sheet, Value, wan_with_rounding};
use crate::calculation::claim::Claim;
use crate::domain::money::Money;
use crate::domain::payment::PaymentState;
use crate::domain::period::{Period, date_from_number};
use crate::domain::scheme::Source;
use crate::failure::Failure;
use crate::office::Office;
use rust_decimal::Decimal;

/// The year-end report of a scheme.
///
/// # Errors
/// When there is no such scheme.
pub async fn year_end(office: &Office, scheme: &str, year: i32) -> Result<Report, Failure> {
    let reconciliation = reconcile(office, year, Some(scheme), None, Basis::Recounted).await?;
    let mut tx = office.read().await?;
    let ledger = Ledger::read(&mut tx, office, scheme, year, None).await?;
    let cases = case_files(&mut tx, office, Some(scheme)).await?;
    let today = office.business_date();
    let scheme_year = &reconciliation.schemes[0];
    let sheets = vec![
        appropriations_sheet(scheme_year, &ledger),
        wan_sheet(scheme_year),
        months_sheet(scheme_year),
        people_sheet(&ledger),
        failures_sheet(&ledger, today),
        overpayments_sheet(&ledger, &cases),
        cases_sheet(&cases),
        differences_sheet(&reconciliation),
    ];
    let verdict = if reconciliation.balanced {
        "对平: 所有差异均有说明"
    } else {
        "不平: 有未说明的差异，见“差异说明”"
    };
    Ok(Report {
        code: "year-end",
        title: format!("{year} 年终对账 {}", scheme_year.name),
        subtitle: vec![format!("单位: {}    截至 {today}    {verdict}", office.agency_name)],
        sheets,
        notes: Vec::new(),
    })
}

fn ratio(part: Money, whole: Money) -> Value {
    if whole.is_zero() { Value::Empty } else { Value::Percent((part.yuan() / whole.yuan()).round_dp(4)) }
}

/// 指标执行对账, with the balance split into what is still owed and what was never needed.
fn appropriations_sheet(year: &SchemeYear, ledger: &Ledger) -> Sheet {
    let columns = vec![
        Column::text("document", "指标文号"),
        Column::text("function", "功能科目"),
        Column::text("economic", "经济科目"),
        Column::text("source", "资金来源"),
        Column::money("year_start", "年初下达"),
        Column::money("adjusted", "调整"),
        Column::money("appropriated", "全年预算"),
        Column::money("gross_paid", "支付"),
        Column::money("returned", "退回"),
        Column::money("returned_later", "年末后退回"),
        Column::money("paid", "净支出"),
        Column::money("reserved", "在途占用"),
        Column::money("available", "余额"),
        Column::percent("execution", "执行率"),
    ];
    let row = |a: &AppropriationYear| -> Vec<Value> {
        vec![
            a.document.clone().into(),
            a.function_code.clone().into(),
            a.economic_code.clone().into(),
            if a.source == Source::Superior.code() { Source::Superior.title() } else { Source::Local.title() }.into(),
            a.year_start_fen.into(),
            a.adjusted_fen.into(),
            a.appropriated_fen.into(),
            a.gross_paid_fen.into(),
            a.returned_fen.into(),
            a.returned_later_fen.into(),
            a.paid_fen.into(),
            a.reserved_fen.into(),
            a.available_fen.into(),
            ratio(a.paid_fen, a.appropriated_fen),
        ]
    };
    let rows = year.appropriations.iter().map(row).collect();
    let mut sheet = Sheet { name: "指标执行".into(), columns, rows, total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    let sum = |part: fn(&AppropriationYear) -> Money| year.appropriations.iter().map(part).sum::<Money>();
    if let Some(total) = &mut sheet.total {
        let last = total.len() - 1;
        total[last] = ratio(sum(|a| a.paid_fen), sum(|a| a.appropriated_fen));
    }
    let balance = sum(|a| a.available_fen);
    let owed: Money = ledger.entries().map(|(_, m)| m.uncovered()).sum();
    sheet.notes = vec![format!(
        "余额 {} 元 = 仍欠发（结转性质）{} 元 + 不再需要（结余性质）{} 元",
        balance.grouped(),
        owed.min(balance).grouped(),
        (balance - owed.min(balance)).grouped()
    )];
    sheet
}

/// The same in 万元, with the line that makes the rounded figures foot.
fn wan_sheet(year: &SchemeYear) -> Sheet {
    let sum = |part: fn(&AppropriationYear) -> Money| year.appropriations.iter().map(part).sum::<Money>();
    let total = sum(|a| a.appropriated_fen);
    let parts = [sum(|a| a.paid_fen), sum(|a| a.reserved_fen), sum(|a| a.available_fen)];
    let (wan, wan_total, difference) = wan_with_rounding(&parts, total);
    let line = |title: &str, wan: Decimal, yuan: Money| vec![title.into(), Value::Wan(wan), yuan.into()];
    let mut rows: Vec<Vec<Value>> = Vec::new();
    if let Some(plan) = year.plan_fen {
        rows.push(line("计划（人数 × 月数 × 标准）", plan.wan_yuan(), plan));
    }
    if let Some(target) = year.target_fen {
        rows.push(line("绩效表年度预算总额", target.wan_yuan(), target));
    }
    for (title, (wan, yuan)) in ["净支出", "在途占用", "余额"].into_iter().zip(wan.into_iter().zip(parts)) {
        rows.push(line(title, wan, yuan));
    }
    rows.push(vec!["四舍五入差额".into(), Value::Wan(difference), Value::Empty]);
    Sheet {
        name: "万元汇总".into(),
        columns: vec![Column::text("item", "项目"), Column::wan("wan", "万元"), Column::money("yuan", "元")],
        rows,
        total: Some(line("全年预算 = 净支出 + 在途占用 + 余额", wan_total, total)),
        notes: Vec::new(),
    }
}

fn months_sheet(year: &SchemeYear) -> Sheet {
    let columns = vec![
        Column::text("period", "所属期"),
        Column::count("claim_count", "应发人数"),
        Column::money("claim", "应发"),
        Column::money("sent", "已报盘"),
        Column::money("credited", "成功"),
        Column::money("back_pay", "其中补发"),
        Column::money("rejected", "失败"),
        Column::money("returned", "退票"),
        Column::money("recovered", "追回"),
        Column::money("offset_in", "抵扣"),
        Column::money("open", "在途"),
        Column::money("uncovered", "欠发"),
        Column::money("overpaid", "多发"),
        Column::money("suspended", "暂停未计"),
    ];
    let rows = year.periods.iter().map(|f| {
        vec![
            f.period.to_string().into(),
            f.claim_count.into(),
            f.claim.into(),
            f.sent.into(),
            f.credited.into(),
            f.back_pay.into(),
            f.rejected.into(),
            f.returned.into(),
            f.recovered.into(),
            f.offset_in.into(),
            f.open.into(),
            f.uncovered.into(),
            f.overpaid.into(),
            f.suspended.into(),
        ]
    });
    let mut sheet = Sheet { name: "按月".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    sheet.notes = vec!["应发 + 多发 = 成功 − 追回 + 抵扣 + 在途 + 欠发；失败和退票是发生额，补发成功后仍保留".into()];
    sheet
}

/// Person × twelve months, each with its amount or what happened instead.
fn people_sheet(ledger: &Ledger) -> Sheet {
    const KEYS: [&str; 12] = ["m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12"];
    let mut columns =
        vec![Column::count("no", "序号"), Column::text("name", "姓名"), Column::text("citizen_number", "公民身份号码")];
    for period in &ledger.months {
        columns.push(Column::text(KEYS[period.month() as usize - 1], format!("{}月", period.month())));
    }
    columns.push(Column::money("credited", "成功合计"));
    columns.push(Column::money("uncovered", "欠发"));
    let rows = ledger.people.iter().zip(1_usize..).map(|(person, no)| {
        let mut row: Vec<Value> =
            vec![no.into(), person.enrolment.name.clone().into(), person.enrolment.citizen_number.masked().into()];
        row.extend(person.months.iter().map(|m| cell(m, person).into()));
        row.push(person.months.iter().map(|m| m.credited).sum::<Money>().into());
        row.push(person.months.iter().map(PersonMonth::uncovered).sum::<Money>().into());
        row
    });
    let mut sheet = Sheet { name: "人员".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    // Numbering people is not a figure to add up.
    if let Some(total) = &mut sheet.total {
        total[0] = Value::Text("合计".into());
    }
    sheet.notes = vec!["金额为该月成功数；“补”表示经补发成功，“停”“暂”表示停发、暂停，“欠”附原因".into()];
    sheet
}

fn cell(month: &PersonMonth, person: &PersonYear) -> String {
    if !month.overpaid().is_zero() {
        return format!("{} 多发{}", month.credited, month.overpaid());
    }
    if !month.in_flight.is_zero() {
        return format!("在途{}", month.in_flight);
    }
    if let Some(reason) = month.why_uncovered(person.hold.as_ref()) {
        return format!("欠{} {}", month.uncovered(), reason.title());
    }
    if !month.moved.recovered.is_zero() || !month.moved.offset_in.is_zero() {
        let mut words = month.credited.to_string();
        for (word, amount) in [(" 追回", month.moved.recovered), (" 抵扣", month.moved.offset_in)] {
            if !amount.is_zero() {
                words = format!("{words}{word}{amount}");
            }
        }
        return words;
    }
    match month.claim {
        Claim::Due(_) => {
            let repaid = month.traces.iter().any(|t| t.state != PaymentState::Credited) || month.traces.len() > 1;
            format!("{}{}", month.credited, if repaid { "补" } else { "" })
        }
        Claim::Suspended(..) => "暂".into(),
        Claim::Forfeited => "暂（不补）".into(),
        Claim::Ended(_) | Claim::SchemeEnded | Claim::LimitReached => "停".into(),
        Claim::NotYet | Claim::PaidOnce | Claim::NoStandard => String::new(),
    }
}

/// 未发放成功清单: claims not covered, with the last failure and its age.
pub fn failures_sheet(ledger: &Ledger, today: NaiveDate) -> Sheet {
    let columns = vec![
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("period", "所属期"),
        Column::money("amount", "欠发"),
        Column::text("reason", "原因"),
        Column::text("detail", "最近一次情况"),
        Column::text("since", "自"),
        Column::count("age_days", "天数"),
    ];
    let rows = ledger.entries().filter_map(|(person, month)| {
        let reason = month.why_uncovered(person.hold.as_ref())?;
        let last = month.traces.last().filter(|t| !t.state.covers());
        let since = last.and_then(|t| t.on).and_then(date_from_number).unwrap_or_else(|| due_since(month.period));
        let detail = match (&person.hold, last) {
            (Some(hold), None) => hold.note.clone(),
            (_, Some(t)) => format!("{} {} {}", t.run_code, t.state.title(), t.reason),
            (None, None) => String::new(),
        };
        Some(vec![
            person.enrolment.name.clone().into(),
            person.enrolment.citizen_number.masked().into(),
            month.period.to_string().into(),
            month.uncovered().into(),
            reason.title().into(),
            detail.into(),
            since.to_string().into(),
            (today - since).num_days().max(0).into(),
        ])
    });
    let mut sheet =
        Sheet { name: "未发放成功".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    if let Some(total) = &mut sheet.total {
        let last = total.len() - 1;
        total[last] = Value::Empty;
    }
    sheet
}

/// A claim that was never sent is due from the first day of its month.
fn due_since(period: Period) -> NaiveDate {
    period.first_day()
}

/// 多发: every month that is or was overpaid, with what became of it.
fn overpayments_sheet(ledger: &Ledger, cases: &[CaseFile]) -> Sheet {
    let columns = vec![
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("period", "所属期"),
        Column::money("claim", "应发"),
        Column::money("covered", "已发（减追回、加抵扣）"),
        Column::money("overpaid", "多发"),
        Column::money("recovered", "已追回"),
        Column::money("written_off", "核销"),
        Column::money("to_recover", "待追回"),
        Column::text("notice", "通知书号"),
        Column::text("reason", "原因"),
    ];
    let was_overpaid =
        |m: &PersonMonth| !m.overpaid().is_zero() || !m.moved.recovered.is_zero() || !m.moved.written_off.is_zero();
    let rows = ledger.entries().filter(|(_, m)| was_overpaid(m)).map(|(person, month)| {
        let why = month.claim.reason();
        let asks = |f: &&CaseFile| {
            f.case.enrolment_no == person.enrolment.no && f.case.months.iter().any(|m| m.period == month.period)
        };
        let notices: Vec<&str> = cases.iter().filter(asks).map(|f| f.case.notice_no.as_str()).collect();
        vec![
            person.enrolment.name.clone().into(),
            person.enrolment.citizen_number.masked().into(),
            month.period.to_string().into(),
            month.claim.amount().into(),
            month.covered().into(),
            month.overpaid().into(),
            month.moved.recovered.into(),
            month.moved.written_off.into(),
            month.to_recover().into(),
            if notices.is_empty() { "尚未立案".to_string() } else { notices.join("、") }.into(),
            if why.is_empty() { "应发已减少".to_string() } else { why }.into(),
        ]
    });
    let mut sheet = Sheet { name: "多发".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    sheet
}

fn differences_sheet(reconciliation: &Reconciliation) -> Sheet {
    let all = reconciliation.findings.iter().chain(reconciliation.schemes.iter().flat_map(|s| &s.findings));
    let rows = all.map(|d| {
        vec![
            if d.explained { "已说明" } else { "未说明" }.into(),
            d.code.clone().into(),
            d.fen.into(),
            d.text.clone().into(),
        ]
    });
    Sheet {
        name: "差异说明".into(),
        columns: vec![
            Column::text("explained", "是否说明"),
            Column::text("code", "代码"),
            Column::money("amount", "金额"),
            Column::text("text", "说明"),
        ],
        rows: rows.collect(),
        total: None,
        notes: Vec::new(),
    }
}
