//! Changes of one enrolment: stop, suspend, resume, another account. Each is an event with reason;
//! history is never overwritten, and what follows for money comes out of the one subtraction.

use chrono::NaiveDate;
use serde_json::json;

use super::step::Step;
use crate::calculation::payable::{Overpaid, payable};
use crate::domain::actor::Role;
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Account, Enrolment, EventKind, StopReason, Suspension};
use crate::domain::period::Period;
use crate::domain::person_name::PersonName;
use crate::domain::scheme::{BackPay, Scheme, StopMonth};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::enrolment::{self, NewEvent};
use crate::storage::{cover, hold};

/// Who is meant: a citizen number, and the scheme when the person is in several.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Citizen number in any accepted form.
    pub citizen_number: &'a str,
    /// Scheme code.
    pub scheme: Option<&'a str>,
}

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Name of the person.
    pub name: String,
    /// Masked citizen number.
    pub citizen_number: String,
    /// In words: `停发（死亡），最后一个月 2026-05`.
    pub what: String,
    /// Months that were paid and are no longer owed.
    pub overpaid: Vec<Overpaid>,
    /// Holds that the change answers, now cleared.
    pub cleared_holds: Vec<i64>,
}

struct Found {
    scheme: Scheme,
    enrolment: Enrolment,
}

async fn find(office: &Office, step: &mut Step, person: Person<'_>) -> Result<Found, Failure> {
    let number = CitizenNumber::parse(person.citizen_number, step.on)
        .map_err(|e| Failure::refused(e.code(), format!("公民身份号码: {e}")))?;
    let mut places = enrolment::of_person(&mut step.tx, &step.agency, number.as_str()).await?;
    if let Some(scheme) = person.scheme {
        places.retain(|(code, _)| code == scheme);
    }
    let (scheme_code, enrolment_no) = match places.as_slice() {
        [one] => one.clone(),
        [] => {
            return Err(Failure::refused("UNKNOWN_PERSON", format!("名册中没有 {number}"))
                .hint("fafang roster list --scheme 项目 列出名册"));
        }
        several => {
            let codes: Vec<&str> = several.iter().map(|(code, _)| code.as_str()).collect();
            return Err(Failure::refused("WHICH_SCHEME", format!("{number} 同时在 {} 中", codes.join("、")))
                .hint("用 --scheme 指明是哪个项目"));
        }
    };
    let (scheme, _) = office.scheme(&mut step.tx, &scheme_code).await?;
    let all = enrolment::of_scheme(&mut step.tx, &step.agency, &scheme_code).await?;
    let enrolment = all
        .into_iter()
        .find(|e| e.no == enrolment_no)
        .ok_or_else(|| Failure::refused("UNKNOWN_PERSON", format!("名册中没有 {number}")))?;
    Ok(Found { scheme, enrolment })
}

async fn store(
    step: &mut Step,
    enrolment: &Enrolment,
    kind: EventKind,
    period: Option<Period>,
    back_paid: Option<bool>,
    words: (&str, String, String),
) -> Result<(), Failure> {
    let (reason, old_value, new_value) = words;
    let event = NewEvent { kind, period, back_paid, reason: reason.to_string(), old_value, new_value };
    let (tx, agency, mark) = step.to_change();
    enrolment::append_event(tx, agency, enrolment.no, &event, mark).await?;
    if kind != EventKind::Account {
        enrolment::set_entitlement(tx, agency, enrolment.no, &enrolment.entitlement, mark.event_no).await?;
    }
    Ok(())
}

/// Commits the change and tells what it did, overpayments included.
async fn finish(
    mut step: Step,
    scheme: &Scheme,
    enrolment: &Enrolment,
    what: String,
    cleared_holds: Vec<i64>,
) -> Result<Changed, Failure> {
    let covered =
        cover::covered(&mut step.tx, &step.agency, &scheme.code).await?.remove(&enrolment.no).unwrap_or_default();
    let last = covered.keys().next_back().copied().unwrap_or(scheme.first);
    let overpaid = payable(scheme, &enrolment.category, &enrolment.entitlement, &covered, last).overpaid;
    let changed = Changed {
        name: enrolment.name.clone(),
        citizen_number: enrolment.citizen_number.masked(),
        what: what.clone(),
        overpaid,
        cleared_holds,
    };
    let detail = json!({ "scheme": scheme.code, "what": what, "cleared_holds": changed.cleared_holds });
    step.finish(&changed.citizen_number, detail).await?;
    Ok(changed)
}

fn show_last(last: Option<Period>) -> String {
    last.map_or_else(|| "无".to_string(), |p| p.to_string())
}

/// Stops an enrolment from a day on. Whether that month is still paid is the scheme's rule.
///
/// # Errors
/// When the person is unknown, or stopped with the same last month already.
pub async fn stop(
    office: &Office,
    person: Person<'_>,
    reason: StopReason,
    date: NaiveDate,
    evidence: &str,
) -> Result<Changed, Failure> {
    let mut step = Step::begin(office, "change.stop", &[Role::Maker]).await?;
    let Found { scheme, mut enrolment } = find(office, &mut step, person).await?;
    let rule = if reason == StopReason::Death { scheme.death_month } else { scheme.stop_month };
    let last = match rule {
        StopMonth::NotPaid => Period::of(date).previous(),
        StopMonth::Paid | StopMonth::CalendarDays | StopMonth::ThirtyDays => Period::of(date),
    };
    let old = (enrolment.entitlement.last, enrolment.entitlement.stop_reason);
    if old == (Some(last), Some(reason)) {
        return Err(Failure::refused("ALREADY_STOPPED", format!("{} 已停发，最后一个月就是 {last}", enrolment.name)));
    }
    enrolment.entitlement.last = Some(last);
    enrolment.entitlement.stop_reason = Some(reason);
    let words = (evidence, show_last(old.0), format!("{last} {} {date}", reason.title()));
    store(&mut step, &enrolment, EventKind::Stopped, Some(last), None, words).await?;
    let what = format!("停发（{}，{date}），最后一个月 {last}", reason.title());
    finish(step, &scheme, &enrolment, what, Vec::new()).await
}

/// Suspends an enrolment from a month on.
///
/// # Errors
/// When the person is unknown, suspended already, or stopped before that month.
pub async fn suspend(office: &Office, person: Person<'_>, from: Period, reason: &str) -> Result<Changed, Failure> {
    let mut step = Step::begin(office, "change.suspend", &[Role::Maker]).await?;
    let Found { scheme, mut enrolment } = find(office, &mut step, person).await?;
    if let Some(open) = enrolment.entitlement.suspensions.iter().find(|s| s.resumed_from.is_none()) {
        return Err(Failure::refused("ALREADY_SUSPENDED", format!("{} 自 {} 起已暂停", enrolment.name, open.from)));
    }
    if enrolment.entitlement.last.is_some_and(|last| last < from) {
        return Err(Failure::refused("ALREADY_STOPPED", format!("{} 在 {from} 之前已停发", enrolment.name)));
    }
    enrolment.entitlement.suspensions.push(Suspension { from, resumed_from: None, back_paid: false });
    store(&mut step, &enrolment, EventKind::Suspended, Some(from), None, (reason, String::new(), from.to_string()))
        .await?;
    finish(step, &scheme, &enrolment, format!("自 {from} 起暂停（{reason}）"), Vec::new()).await
}

/// Resumes a suspended enrolment from a month on; the suspended months are paid back or lost as
/// the scheme says.
///
/// # Errors
/// When the person is unknown, not suspended, or the month is before the suspension.
pub async fn resume(office: &Office, person: Person<'_>, from: Period, reason: &str) -> Result<Changed, Failure> {
    let mut step = Step::begin(office, "change.resume", &[Role::Maker]).await?;
    let Found { scheme, mut enrolment } = find(office, &mut step, person).await?;
    let back_paid = scheme.back_pay == BackPay::Paid;
    let Some(open) = enrolment.entitlement.suspensions.iter_mut().find(|s| s.resumed_from.is_none()) else {
        return Err(Failure::refused("NOT_SUSPENDED", format!("{} 没有暂停", enrolment.name)));
    };
    if from < open.from {
        return Err(Failure::refused("RESUME_TOO_EARLY", format!("恢复月 {from} 早于暂停月 {}", open.from)));
    }
    open.resumed_from = Some(from);
    open.back_paid = back_paid;
    let old = open.from.to_string();
    let words = (reason, old, from.to_string());
    store(&mut step, &enrolment, EventKind::Resumed, Some(from), Some(back_paid), words).await?;
    let back = if back_paid { "补发暂停月份" } else { "暂停月份不补发" };
    finish(step, &scheme, &enrolment, format!("自 {from} 起恢复，{back}（{reason}）"), Vec::new()).await
}

/// A new account; parts not given stay as they are.
#[derive(Debug, Clone, Copy)]
pub struct NewAccount<'a> {
    /// Account number.
    pub number: &'a str,
    /// Bank, by code or name.
    pub bank: Option<&'a str>,
    /// 户名.
    pub holder: Option<&'a str>,
    /// Why the holder is another person.
    pub relation: &'a str,
}

/// Gives an enrolment another account, and clears the holds that a new account answers.
///
/// # Errors
/// When person, bank or account are wrong, nothing changes, or the account is another person's
/// and no relation is stated.
pub async fn change_account(
    office: &Office,
    person: Person<'_>,
    new: NewAccount<'_>,
    reason: &str,
) -> Result<Changed, Failure> {
    let mut step = Step::begin(office, "change.account", &[Role::Maker]).await?;
    let Found { scheme, enrolment } = find(office, &mut step, person).await?;
    let account = checked_account(office, &enrolment, new)?;
    if account == enrolment.account {
        return Err(Failure::refused("SAME_ACCOUNT", format!("{} 的账户没有变化", enrolment.name)));
    }
    let in_use = enrolment::accounts(&mut step.tx, &step.agency).await?;
    let others =
        in_use.iter().any(|(number, p, _)| number == account.number.as_str() && *p != enrolment.beneficiary_no);
    if others && new.relation.is_empty() {
        return Err(Failure::refused("ACCOUNT_IN_USE", format!("{} 已是另一人的账号", account.number))
            .hint("确需使用他人账户时，用 --relation 写明关系"));
    }
    let words = (reason, enrolment.account.whole(), account.whole());
    store(&mut step, &enrolment, EventKind::Account, None, None, words).await?;
    let (tx, agency, mark) = step.to_change();
    enrolment::set_account(tx, agency, enrolment.no, &account, new.relation, mark).await?;
    let cleared = clear_answered_holds(&mut step, enrolment.beneficiary_no, &format!("账户已变更: {reason}")).await?;
    finish(step, &scheme, &enrolment, format!("账户变更为 {}（{reason}）", account.masked()), cleared).await
}

/// Clears the holds on a person that a new account answers; their numbers.
///
/// # Errors
/// The database's.
pub async fn clear_answered_holds(step: &mut Step, beneficiary_no: i64, resolution: &str) -> Result<Vec<i64>, Failure> {
    let (tx, agency, mark) = step.to_change();
    let mut cleared = Vec::new();
    for (open, _) in hold::open(tx, agency).await? {
        if open.beneficiary_no == beneficiary_no && open.reason.is_answered_by_new_account() {
            hold::clear(tx, agency, open.no, mark.by, mark.on, mark.event_no, resolution).await?;
            cleared.push(open.no);
        }
    }
    Ok(cleared)
}

fn checked_account(office: &Office, enrolment: &Enrolment, new: NewAccount<'_>) -> Result<Account, Failure> {
    let bank = match new.bank {
        None => office.banks.bank(&enrolment.account.bank_code),
        Some(text) => office.banks.find(text),
    };
    let bank = bank.ok_or_else(|| {
        let names: Vec<&str> = office.banks.banks.iter().map(|b| b.name.as_str()).collect();
        Failure::refused(
            "BANK_UNKNOWN",
            format!("开户银行: “{}”，应为 {}", new.bank.unwrap_or_default(), names.join("、")),
        )
    })?;
    let number = AccountNumber::parse(new.number, &bank.account_lengths)
        .map_err(|e| Failure::refused(e.code(), format!("银行账号: {e}")))?;
    let holder = match new.holder {
        None => enrolment.account.holder.clone(),
        Some(text) => PersonName::parse(text).map_err(|e| Failure::refused(e.code(), format!("户名: {e}")))?.name,
    };
    Ok(Account { bank_code: bank.code.clone(), number, holder })
}
