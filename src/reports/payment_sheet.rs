//! Payment sheet (发放清册): the lines of one run with what each covers, signatures, and the total in
//! capitals.

use super::table::{Column, Report, Sheet, Value};
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, PaymentState};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::{appropriation, payment};

/// Whether numbers of people and accounts are shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Only head and tail.
    Masked,
    /// Whole: for the roles that pay.
    Whole,
}

/// The sheet of a run.
///
/// # Errors
/// When there is no such run.
pub async fn payment_sheet(office: &Office, code: &str, numbers: Numbers) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let agency = office.agency_code.as_str();
    let run = office.run(&mut tx, code).await?;
    let scheme = office.scheme_of(&mut tx, &run).await?;
    let payments = payment::of_run(&mut tx, agency, &run).await?;
    let standing = payment::Standing::of(&mut tx, agency, &run).await?;
    let draws = appropriation::draws(&mut tx, agency, run.periods.last.number(), run.no).await?;
    let appropriations = appropriation::list(&mut tx, agency).await?;
    let mut sheet = Sheet {
        name: "发放清册".into(),
        columns: vec![
            Column::count("line_no", "序号"),
            Column::text("name", "姓名"),
            Column::text("citizen_number", "公民身份号码"),
            Column::text("bank", "开户银行"),
            Column::text("account", "银行账号"),
            Column::text("holder", "户名"),
            Column::text("periods", "所属期"),
            Column::money("due", "本期应发"),
            Column::money("back_pay", "补发"),
            Column::money("amount", "实发"),
            Column::text("state", "状态"),
            Column::text("note", "备注"),
        ],
        rows: Vec::with_capacity(payments.len()),
        total: None,
        notes: Vec::new(),
    };
    for p in payments {
        let (state, last) = standing.state(p.line_no)?;
        let back_pay: Money = p.covers.iter().filter(|c| c.period < run.periods.first).map(|c| c.amount).sum();
        let (citizen_number, account) = match numbers {
            Numbers::Whole => (p.citizen_number.clone(), p.account_number.clone()),
            Numbers::Masked => (
                CitizenNumber::from_stored(&p.citizen_number).masked(),
                AccountNumber::from_stored(&p.account_number).masked(),
            ),
        };
        let bank = office.banks.bank(&p.bank_code).map_or(p.bank_code.as_str(), |b| b.name.as_str()).to_string();
        sheet.rows.push(vec![
            p.line_no.into(),
            p.name.into(),
            citizen_number.into(),
            bank.into(),
            account.into(),
            p.account_holder.into(),
            trace(&p.covers).into(),
            (p.amount - back_pay).into(),
            back_pay.into(),
            p.amount.into(),
            shown_state(state, &run).into(),
            last.map_or_else(String::new, |o| o.reason_text.clone()).into(),
        ]);
    }
    sheet.total_of_columns("合计");
    if let Some(total) = &mut sheet.total {
        total[0] = Value::Text("合计".into());
    }
    let sources: Vec<String> = draws
        .iter()
        .map(|d| {
            let document =
                appropriations.iter().find(|a| a.no == d.appropriation_no).map_or("", |a| a.document.as_str());
            format!("{document} {} 元", Money(d.to_fen - d.from_fen).grouped())
        })
        .collect();
    sheet.notes = notes(&run, &sources);
    let policies: Vec<&str> = scheme.policies.iter().map(crate::domain::document::DocumentNumber::as_str).collect();
    Ok(Report {
        code: "payments",
        title: format!("{}发放清册", scheme.name),
        subtitle: vec![
            format!("单位: {}    批次: {}    所属期: {}", office.agency_name, run.code, run.periods),
            format!(
                "政策依据: {}    发放方式: {}    状态: {}",
                policies.join("、"),
                scheme.payment_way,
                run.state.title()
            ),
        ],
        sheets: vec![sheet],
        notes: Vec::new(),
    })
}

fn notes(run: &Run, sources: &[String]) -> Vec<String> {
    let mut notes =
        vec![format!("合计 {} 笔，人民币 {}（大写: {}）", run.payments, run.total.grouped(), run.total.capitals())];
    if !sources.is_empty() {
        notes.push(format!("资金来源: {}", sources.join("，")));
    }
    let signed = |title: &str, by: Option<&crate::domain::actor::Signature>| match by {
        Some(s) => format!("{title}: {} {}", s.by, s.on),
        None => format!("{title}:            "),
    };
    let (submitted, reviewed) = match &run.state {
        RunState::Submitted(s) => (Some(&s.by), None),
        RunState::Reviewed(s, r) => (Some(&s.by), Some(r)),
        other => other.signed().map_or((None, None), |s| (Some(&s.submitted.by), Some(&s.reviewed))),
    };
    let approved = run.state.signed().map(|s| &s.approved);
    notes.push(format!(
        "{}    {}    {}",
        signed("经办", submitted.or(Some(&run.prepared))),
        signed("复核", reviewed),
        signed("审批", approved)
    ));
    notes
}

fn shown_state(state: PaymentState, run: &Run) -> &'static str {
    if state == PaymentState::Planned { run.state.title() } else { state.title() }
}

/// How a line was worked out: `2026-01 120.00` or, where it differs from a whole uncovered month,
/// `2026-01 10.00（应发130.00 已覆盖120.00）`.
pub fn trace(covers: &[Cover]) -> String {
    let words: Vec<String> = covers
        .iter()
        .map(|c| {
            if c.covered_before.is_zero() && covers.len() == 1 {
                c.period.to_string()
            } else if c.covered_before.is_zero() {
                format!("{} {}", c.period, c.amount)
            } else {
                format!("{} {}（应发{} 已覆盖{}）", c.period, c.amount, c.claim, c.covered_before)
            }
        })
        .collect();
    words.join("、")
}
