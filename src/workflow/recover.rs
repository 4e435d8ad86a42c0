//! Recovery of what was paid too much: a case is opened, money comes back, deduction is agreed on,
//! the rest is written off by two people. What later payments give is in `offset`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change_enrolment::enrolment_of;
use super::decide_run::post_or_inconsistent;
use super::enter_change::{Content, request};
use super::step::Step;
use crate::calculation::recovery::{Standing, excess, sources, standing};
use crate::domain::actor::Role;
use crate::domain::appropriation::PostingKind;
use crate::domain::enrolment::Enrolment;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::recovery::{Case, Cause, Credited, Entry, EntryKind, EntryState, Plan, Source};
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::appropriation::PostingReason;
use crate::storage::{counter, enrolment, recovery};

/// A case with its person and where it stands.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The case.
    pub case: Case,
    /// Name of the person.
    pub name: String,
    /// Masked citizen number.
    pub citizen_number: String,
    /// Month by month.
    pub standing: Standing,
}

/// A case with everything that decides about it.
pub(super) struct Known {
    pub(super) case: Case,
    pub(super) person: Enrolment,
    pub(super) credited: Credited,
    pub(super) standing: Standing,
}

impl Known {
    fn told(self) -> Recovery {
        let Known { case, person, standing, .. } = self;
        Recovery { case, name: person.name, citizen_number: person.citizen_number.masked(), standing }
    }

    /// True when nothing is open and no run that is not issued could make something open again.
    fn is_settled(&self) -> bool {
        let waits = |e: &Entry| e.case_no == self.case.no && e.state == EntryState::Planned;
        self.standing.open().is_zero() && !self.credited.entries.iter().any(waits)
    }
}

/// Where a case stands.
pub(super) async fn known(office: &Office, step: &mut Step, case: Case) -> Result<Known, Failure> {
    let (scheme, _) = office.scheme(&mut step.tx, &case.scheme_code).await?;
    let person = enrolment::by_no(&mut step.tx, &step.agency, case.enrolment_no).await?;
    let credited = recovery::credited(&mut step.tx, &step.agency, case.enrolment_no).await?;
    let over = excess(&scheme, &person.entitlement, &credited);
    let standing = standing(&case, &credited.entries, &over);
    Ok(Known { case, person, credited, standing })
}

async fn open_case_of(office: &Office, step: &mut Step, case_no: i64) -> Result<Known, Failure> {
    let known = any_case(office, step, case_no).await?;
    still_open(&known.case)?;
    Ok(known)
}

async fn any_case(office: &Office, step: &mut Step, case_no: i64) -> Result<Known, Failure> {
    let case = recovery::case(&mut step.tx, &step.agency, case_no).await?;
    let case = case.ok_or_else(|| {
        Failure::refused("UNKNOWN_CASE", format!("没有第 {case_no} 号追回案件"))
            .hint("fafang recovery list 列出追回案件")
    })?;
    known(office, step, case).await
}

fn still_open(case: &Case) -> Result<(), Failure> {
    match &case.closed {
        None => Ok(()),
        Some((by, on)) => {
            Err(Failure::refused("CASE_CLOSED", format!("第 {} 号追回案件已由 {by} 于 {on} 结清", case.no)))
        }
    }
}

/// Closes a case that nothing is open of any more; true when it was closed.
pub(super) async fn close_if_settled(office: &Office, step: &mut Step, case_no: i64) -> Result<bool, Failure> {
    let known = any_case(office, step, case_no).await?;
    let settled = known.case.closed.is_none() && known.is_settled();
    if settled {
        let (by, on, event_no) = (step.actor.name.clone(), step.on, step.event_no);
        recovery::close(&mut step.tx, &step.agency, case_no, &by, on, event_no).await?;
    }
    Ok(settled)
}

/// Opens a case over everything that was paid too much to a person in a scheme, and gives its notice a number
/// where none is said.
///
/// # Errors
/// When nothing is overpaid, another case is open, or the notice number is taken.
pub async fn open(
    office: &Office,
    citizen_number: &str,
    scheme: Option<&str>,
    cause: Cause,
    notice: Option<&str>,
) -> Result<Recovery, Failure> {
    let mut step = Step::begin(office, "recovery.open", &[Role::Maker]).await?;
    let (scheme_code, enrolment_no) = enrolment_of(&mut step, citizen_number, scheme).await?;
    let (scheme, _) = office.scheme(&mut step.tx, &scheme_code).await?;
    let person = enrolment::by_no(&mut step.tx, &step.agency, enrolment_no).await?;
    for earlier in recovery::cases_of(&mut step.tx, &step.agency, enrolment_no).await? {
        // A case that has lapsed whole makes room for the next.
        if earlier.closed.is_none() && !close_if_settled(office, &mut step, earlier.no).await? {
            return Err(Failure::refused(
                "CASE_OPEN",
                format!("{} 的第 {} 号追回案件（{}）尚未结清", person.name, earlier.no, earlier.notice_no),
            )
            .hint(format!("fafang recovery show {} 查看；结清后再立案", earlier.no)));
        }
    }
    let credited = recovery::credited(&mut step.tx, &step.agency, enrolment_no).await?;
    let months = excess(&scheme, &person.entitlement, &credited);
    if months.is_empty() {
        return Err(Failure::refused(
            "NOTHING_OVERPAID",
            format!("{} 在项目 {scheme_code} 中没有已发放成功的多发金额", person.name),
        )
        .hint("先登记停发、暂停或更正；在途的金额有结果后再立案"));
    }
    let case = Case {
        no: counter::take(&mut step.tx, &step.agency, "recovery_case", 1).await?,
        enrolment_no,
        beneficiary_no: person.beneficiary_no,
        scheme_code,
        cause,
        notice_no: notice_number(&mut step, notice).await?,
        total: months.iter().map(|m| m.amount).sum(),
        months,
        opened_by: step.actor.name.clone(),
        opened_on: step.on,
        plan: None,
        closed: None,
    };
    let event_no = step.event_no;
    recovery::insert_case(&mut step.tx, &step.agency, &case, event_no).await?;
    let opened = known(office, &mut step, case).await?.told();
    let case = &opened.case;
    let detail = json!({
        "person": opened.citizen_number, "scheme": case.scheme_code, "cause": cause.code(), "notice": case.notice_no,
        "total_fen": case.total, "months": case.months.len(),
    });
    step.finish(&subject(case.no), detail).await?;
    Ok(opened)
}

fn subject(case_no: i64) -> String {
    format!("recovery {case_no}")
}

/// The number said, if no other notice has it, else the agency's next of the year.
async fn notice_number(step: &mut Step, said: Option<&str>) -> Result<String, Failure> {
    use chrono::Datelike;
    if let Some(said) = said.map(str::trim).filter(|s| !s.is_empty()) {
        return match recovery::by_notice(&mut step.tx, &step.agency, said).await? {
            None => Ok(said.to_string()),
            Some(no) => Err(Failure::refused("NOTICE_USED", format!("通知书号 {said} 已用于第 {no} 号追回案件"))
                .hint("换一个号，或不写 --notice 由系统编号")),
        };
    }
    let year = step.on.year();
    loop {
        let serial = counter::take(&mut step.tx, &step.agency, &format!("recovery_notice_{year}"), 1).await?;
        let number = format!("{}追〔{year}〕{serial}号", step.agency);
        if recovery::by_notice(&mut step.tx, &step.agency, &number).await?.is_none() {
            return Ok(number);
        }
    }
}

/// What a repayment did.
#[derive(Debug, Clone)]
pub struct Repaid {
    /// The case after it.
    pub recovery: Recovery,
    /// Months and appropriations it went to: month, appropriation number, amount.
    pub parts: Vec<(Period, i64, Money)>,
    /// Set when this receipt was booked before: when and by whom. Then nothing was done.
    pub already: Option<String>,
}

/// Books money that came back, oldest month first, and gives it back to the appropriations it came from.
///
/// # Errors
/// When it is more than is open, the receipt was booked for something else, or the day has not come yet.
pub async fn repay(
    office: &Office,
    case_no: i64,
    amount: Money,
    received_on: NaiveDate,
    receipt: &str,
) -> Result<Repaid, Failure> {
    let mut step = Step::begin(office, "recovery.repay", &[Role::Finance]).await?;
    let receipt = receipt.trim();
    if receipt.is_empty() {
        return Err(Failure::refused("NO_RECEIPT", "必须写明票据号或银行流水号").hint("用 --receipt 写明"));
    }
    let before = any_case(office, &mut step, case_no).await?;
    let booked = recovery::by_receipt(&mut step.tx, &step.agency, receipt).await?;
    if let Some(first) = booked.first() {
        let sum: Money = booked.iter().map(|e| e.amount).sum();
        let told = format!("票据 {receipt} 已由 {} 于 {} 登记", first.made_by, first.made_on);
        if first.case_no == case_no && sum == amount {
            return Ok(Repaid { recovery: before.told(), parts: Vec::new(), already: Some(told) });
        }
        let other = format!("{told}: 第 {} 号追回案件 {} 元", first.case_no, sum.grouped());
        return Err(Failure::refused("RECEIPT_USED", other).hint("请核对票据号、案件和金额"));
    }
    still_open(&before.case)?;
    if received_on > step.on {
        return Err(Failure::refused("DATE_IN_FUTURE", format!("到账日期 {received_on} 晚于业务日期 {}", step.on)));
    }
    check_amount(&before, amount, "退款")?;
    let parts = parts_of(&before, amount)?;
    let mut no = recovery::last_entry(&mut step.tx, &step.agency, case_no).await?;
    let mut entries = Vec::with_capacity(parts.len());
    for (period, source, part) in &parts {
        no += 1;
        entries.push(Entry {
            source: Some(*source),
            received_on: Some(received_on),
            ..entry(&step, &before.case, no, EntryKind::Repayment, *period, *part, receipt)
        });
    }
    let event_no = step.event_no;
    recovery::insert_entries(&mut step.tx, &step.agency, &entries, event_no).await?;
    give_back(&mut step, &entries, None, &format!("追回 {}", before.case.notice_no)).await?;
    let closed = close_if_settled(office, &mut step, case_no).await?;
    let recovery = any_case(office, &mut step, case_no).await?.told();
    let detail =
        json!({ "amount_fen": amount, "receipt": receipt, "received_on": received_on.to_string(), "closed": closed });
    step.finish(&subject(case_no), detail).await?;
    let parts = parts.into_iter().map(|(period, source, part)| (period, source.appropriation_no, part)).collect();
    Ok(Repaid { recovery, parts, already: None })
}

fn check_amount(known: &Known, amount: Money, what: &str) -> Result<(), Failure> {
    let open = known.standing.open();
    if amount <= Money::ZERO {
        return Err(Failure::refused("NOT_AN_AMOUNT", format!("{what}金额 {amount} 元，应大于 0")));
    }
    if amount > open {
        return Err(Failure::refused(
            "MORE_THAN_OPEN",
            format!("{what} {} 元，第 {} 号追回案件只有 {} 元待追回", amount.grouped(), known.case.no, open.grouped()),
        ));
    }
    Ok(())
}

/// An amount that is open, oldest month first, split by where it came from.
fn parts_of(known: &Known, amount: Money) -> Result<Vec<(Period, Source, Money)>, Failure> {
    let mut parts = Vec::new();
    for (period, of_month) in known.standing.oldest_first(amount) {
        for (source, part) in sources(&known.credited, period, of_month) {
            parts.push((period, source, part));
        }
    }
    let found: Money = parts.iter().map(|(.., part)| *part).sum();
    if found == amount {
        return Ok(parts);
    }
    let message = format!("第 {} 号追回案件的 {amount} 元只找到 {found} 元的来源", known.case.no);
    Err(Failure::new(Kind::Internal, "INCONSISTENT", message).hint("请运行 fafang doctor"))
}

fn entry(step: &Step, case: &Case, no: i64, kind: EntryKind, period: Period, amount: Money, reference: &str) -> Entry {
    Entry {
        case_no: case.no,
        no,
        kind,
        enrolment_no: case.enrolment_no,
        period,
        amount,
        source: None,
        target: None,
        releases: None,
        reference: reference.to_string(),
        received_on: None,
        made_by: step.actor.name.clone(),
        made_on: step.on,
        accepted_by: None,
        state: EntryState::Booked,
    }
}

/// Posts recovered money to where it came from: by case, run and appropriation one posting each. An
/// offset names the run that took it, a repayment the run that had paid it.
pub(super) async fn give_back(
    step: &mut Step,
    entries: &[Entry],
    run_no: Option<i64>,
    note: &str,
) -> Result<(), Failure> {
    let mut sums: BTreeMap<(i64, Source), Money> = BTreeMap::new();
    for entry in entries {
        if let Some(source) = entry.source {
            *sums.entry((entry.case_no, source)).or_default() += entry.amount;
        }
    }
    for ((case_no, source), sum) in sums {
        let run_no = run_no.or(Some(source.run.no));
        let reason = PostingReason { run_no, case_no: Some(case_no), note, ..PostingReason::default() };
        post_or_inconsistent(step, source.appropriation_no, PostingKind::GiveBack, sum, &reason).await?;
    }
    Ok(())
}

/// Agrees on deduction from later payments: from this scheme's own, or from another entitlement of the
/// same person. A cap of nothing ends it.
///
/// # Errors
/// Without the person's consent, when the person has no such entitlement, or when the case is closed.
pub async fn plan(
    office: &Office,
    case_no: i64,
    monthly_cap: Money,
    consent: &str,
    scheme: Option<&str>,
) -> Result<Recovery, Failure> {
    let mut step = Step::begin(office, "recovery.plan", &[Role::Maker]).await?;
    let consent = consent.trim();
    if consent.is_empty() {
        return Err(Failure::refused("NO_CONSENT", "从以后的待遇中抵扣须有本人（或家属）同意")
            .hint("用 --consent 写明同意书的名称、日期或编号"));
    }
    if monthly_cap < Money::ZERO {
        return Err(Failure::refused("NOT_AN_AMOUNT", format!("每月抵扣上限 {monthly_cap} 元，不应小于 0")));
    }
    let mut known = open_case_of(office, &mut step, case_no).await?;
    let scheme = scheme.filter(|code| *code != known.case.scheme_code).unwrap_or_default().to_string();
    if !scheme.is_empty() {
        office.scheme(&mut step.tx, &scheme).await?;
        let number = known.person.citizen_number.as_str().to_string();
        let places = enrolment::of_person(&mut step.tx, &step.agency, &number).await?;
        if !places.iter().any(|(code, _)| *code == scheme) {
            return Err(Failure::refused("NOT_ENROLLED", format!("{} 不在项目 {scheme} 的名册里", known.person.name))
                .hint("只能从本人享受的其他待遇中抵扣"));
        }
    }
    let plan = Plan { scheme, monthly_cap, consent: consent.to_string() };
    let event_no = step.event_no;
    if !recovery::set_plan(&mut step.tx, &step.agency, case_no, &plan, event_no).await? {
        return Err(Failure::conflict("CASE_MOVED", format!("第 {case_no} 号追回案件刚被其他人处理过")));
    }
    let detail = json!({ "monthly_cap_fen": monthly_cap, "consent": consent, "deduct_scheme": plan.scheme });
    known.case.plan = (!monthly_cap.is_zero()).then_some(plan);
    let told = known.told();
    step.finish(&subject(case_no), detail).await?;
    Ok(told)
}

/// A write-off that waits for a second person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteOff {
    /// The case.
    pub case_no: i64,
    /// How much.
    pub amount: Money,
    /// Why nobody will give it back.
    pub reason: String,
}

/// Asks for a write-off; the number under which it waits for an approver.
///
/// # Errors
/// Without a reason, or when it is more than is open.
pub async fn request_write_off(office: &Office, write_off: WriteOff) -> Result<i64, Failure> {
    let mut step = Step::begin(office, "recovery.write_off", &[Role::Maker]).await?;
    if write_off.reason.trim().is_empty() {
        return Err(Failure::refused("NO_REASON", "必须写明核销的原因").hint("用 --reason 写明"));
    }
    let known = open_case_of(office, &mut step, write_off.case_no).await?;
    check_amount(&known, write_off.amount, "核销")?;
    let summary = format!(
        "核销 {} {} 多发 {} 元（{}）: {}",
        known.person.name,
        known.person.citizen_number.masked(),
        write_off.amount.grouped(),
        known.case.notice_no,
        write_off.reason
    );
    let detail = json!({ "waits": true, "case": write_off.case_no, "amount_fen": write_off.amount });
    let content = Content::WriteOff(write_off);
    let no = request(&mut step, "write_off", &known.case.scheme_code, &summary, 1, &content).await?;
    step.finish(&format!("request {no}"), detail).await?;
    Ok(no)
}

/// Makes a write-off that an approver accepts.
pub(super) async fn write_off(
    office: &Office,
    step: &mut Step,
    asked: &WriteOff,
    made_by: &str,
    second: &str,
) -> Result<Recovery, Failure> {
    if step.actor.role != Role::Approver {
        return Err(Failure::refused(
            "WRONG_ROLE",
            format!("{second} 的岗位是{}，核销应由审批人同意", step.actor.role),
        ));
    }
    let known = open_case_of(office, step, asked.case_no).await?;
    check_amount(&known, asked.amount, "核销")?;
    let mut no = recovery::last_entry(&mut step.tx, &step.agency, asked.case_no).await?;
    let mut entries = Vec::new();
    for (period, part) in known.standing.oldest_first(asked.amount) {
        no += 1;
        entries.push(Entry {
            made_by: made_by.to_string(),
            accepted_by: Some(second.to_string()),
            ..entry(step, &known.case, no, EntryKind::WriteOff, period, part, &asked.reason)
        });
    }
    let event_no = step.event_no;
    recovery::insert_entries(&mut step.tx, &step.agency, &entries, event_no).await?;
    close_if_settled(office, step, asked.case_no).await?;
    Ok(any_case(office, step, asked.case_no).await?.told())
}
