//! What is remarkable about what was paid, was not, or lies idle.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;

use super::{ANSWER_DAYS, Check, Found, IDLE_DAYS, JUMP_PERCENT, Screened};
use crate::calculation::claim::{Claim, claim, first_claim_period};
use crate::domain::enrolment::{Enrolment, StopReason};
use crate::domain::money::Money;
use crate::domain::payment::PaymentState;
use crate::domain::period::{Period, date_from_number};
use crate::domain::run::RunKind;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::{appropriation, date, hold, payment, payment_file};

static AMOUNT_DIFFERS: Check = Check {
    code: "AMOUNT_DIFFERS",
    expected: "每月金额等于标准或本人月待遇",
    action: "核对标准、类别和月待遇；少发的下一批次补发，多发的追回",
};
static LINE_TAMPERED: Check = Check {
    code: "LINE_TAMPERED",
    expected: "明细金额等于各月合计",
    action: "停止支付，运行 fafang doctor 并查明何人改动",
};
static PAID_AFTER_DEATH: Check =
    Check {
        code: "PAID_AFTER_DEATH", expected: "死亡以后的月份不发放", action: "向家属追回，或从丧葬费等待遇中抵扣"
    };
static PAID_NOT_OWED: Check =
    Check {
        code: "PAID_NOT_OWED", expected: "停发、暂停的月份不发放", action: "追回，或核对停发、暂停的月份"
    };
static DUE_UNPAID: Check =
    Check { code: "DUE_UNPAID", expected: "应发的月份按时发放", action: "查明原因，列入下一批次" };
static MONTH_GAP: Check =
    Check {
        code: "MONTH_GAP", expected: "中间没有漏发的月份", action: "查明漏发的原因，列入下一批次补发"
    };
static FAILED_UNPAID: Check =
    Check {
        code: "FAILED_UNPAID", expected: "失败、退票、暂缓的及时补发", action: "更正账户或核实情况后补发"
    };
static RUN_TOTAL_JUMP: Check = Check {
    code: "RUN_TOTAL_JUMP",
    expected: "批次总额与上一批次相差不超过 20%",
    action: "用 run show 核对新增、减少和变化的人",
};
static FILE_UNANSWERED: Check =
    Check {
        code: "FILE_UNANSWERED", expected: "银行十天内回盘", action: "向银行催要回盘，不要重发"
    };
static MONEY_IDLE: Check =
    Check {
        code: "MONEY_IDLE", expected: "指标资金及时发放", action: "查明未发放的原因，按规定发放或上缴结余"
    };

pub(super) async fn screen(
    tx: &mut Tx,
    office: &Office,
    schemes: &[Screened],
    all: bool,
) -> Result<Vec<Found>, Failure> {
    let agency = office.agency_code.as_str();
    let holds = hold::open_by_person(tx, agency).await?;
    let today = office.business_date();
    let mut found = Vec::new();
    for screened in schemes {
        let until = last_due(screened, office.current_period());
        for person in &screened.people {
            let is_held = holds.contains_key(&person.beneficiary_no);
            found.extend(of_person(screened, person, until, is_held, today));
        }
        found.extend(jumps(screened));
        found.extend(tampered(tx, agency, screened).await?);
    }
    let codes: HashSet<&str> = schemes.iter().map(|s| s.scheme.code.as_str()).collect();
    found.extend(unanswered(tx, agency, schemes, today).await?);
    found.extend(idle(tx, agency, &codes, all, today).await?);
    Ok(found)
}

/// A month, the amount in question, and why in words.
type Noted = (Period, Money, String);

/// The last month that should have been released by now: releases come after the month's end.
fn last_due(screened: &Screened, now: Period) -> Period {
    let earlier = (1..=12).map(|n| now.plus(-n));
    earlier.clone().find(|month| screened.scheme.release.may_end_with(*month)).unwrap_or(now.plus(-12))
}

fn of_person(screened: &Screened, person: &Enrolment, until: Period, is_held: bool, today: NaiveDate) -> Vec<Found> {
    let (scheme, entitlement) = (&screened.scheme, &person.entitlement);
    let covered = screened.covered_of(person);
    let last_paid = covered.keys().next_back().copied();
    let mut months: Vec<Period> =
        first_claim_period(scheme, entitlement).through(until).chain(covered.keys().copied()).collect();
    months.sort_unstable();
    months.dedup();
    // Months of one answer together, in the order of the questions.
    let mut by_check: BTreeMap<&str, (&'static Check, Vec<Noted>)> = BTreeMap::new();
    let mut note = |check: &'static Check, month, amount, why: String| {
        by_check.entry(check.code).or_insert((check, Vec::new())).1.push((month, amount, why));
    };
    for month in months {
        let paid = covered.get(&month).copied().unwrap_or_default();
        match claim(scheme, entitlement, month) {
            Claim::Due(due) if paid == due => {}
            Claim::Due(due) if !paid.is_zero() => {
                note(&AMOUNT_DIFFERS, month, paid, format!("应发 {} 元", due.grouped()));
            }
            Claim::Due(due) if month <= until => match failure(screened, person, month) {
                Some(why) => note(&FAILED_UNPAID, month, due, why),
                None if last_paid.is_some_and(|last| last > month) => note(&MONTH_GAP, month, due, String::new()),
                None => note(&DUE_UNPAID, month, due, String::new()),
            },
            Claim::Ended(Some(StopReason::Death)) if !paid.is_zero() => {
                let last = entitlement.last.map_or_else(String::new, |last| format!("最后应发月 {last}"));
                note(&PAID_AFTER_DEATH, month, paid, last);
            }
            other if !paid.is_zero() => note(&PAID_NOT_OWED, month, paid, other.reason()),
            _ => {}
        }
    }
    by_check.into_values().map(|(check, months)| told(screened, person, check, &months, is_held, today)).collect()
}

fn told(
    screened: &Screened,
    person: &Enrolment,
    check: &'static Check,
    months: &[Noted],
    is_held: bool,
    today: NaiveDate,
) -> Found {
    let sum: Money = months.iter().map(|(_, amount, _)| *amount).sum();
    let (first, last) = (months[0].0, months[months.len() - 1].0);
    let span = if first == last { first.to_string() } else { format!("{first} 至 {last} {} 个月", months.len()) };
    let mut what = format!("{span} {} 元", sum.grouped());
    let reason = &months[months.len() - 1].2;
    if !reason.is_empty() {
        what = format!("{what}，{reason}");
    }
    if [MONTH_GAP.code, DUE_UNPAID.code, FAILED_UNPAID.code].contains(&check.code) {
        let days = (today - first.last_day()).num_days().max(0);
        what = format!("{what}，已 {days} 天未发{}", if is_held { "（暂停支付）" } else { "" });
    }
    Found::of_person(check, &screened.scheme.code, person, what)
}

/// Why the last attempt at a month failed, if it did.
fn failure(screened: &Screened, person: &Enrolment, month: Period) -> Option<String> {
    let last = screened.traces.get(&person.no)?.iter().rfind(|t| t.period == month)?;
    let word = match last.state {
        PaymentState::Rejected => "回盘失败",
        PaymentState::Returned => "退票",
        PaymentState::Withheld => "报盘时暂缓",
        _ => return None,
    };
    Some(format!("批次 {} {word} {}", last.run_code, last.reason).trim_end().to_string())
}

fn jumps(screened: &Screened) -> Vec<Found> {
    let regular: Vec<_> = screened.runs.iter().filter(|r| r.kind == RunKind::Regular).collect();
    let found = regular.windows(2).filter_map(|pair| {
        let (then, now) = (pair[0].total, pair[1].total);
        if (now - then).fen().abs() * 100 <= then.fen() * JUMP_PERCENT {
            return None;
        }
        let (now, then) = (now.grouped(), then.grouped());
        let what = format!("批次 {} {now} 元，上一批次 {} {then} 元", pair[1].code, pair[0].code);
        Some(Found::of_scheme(&RUN_TOTAL_JUMP, &screened.scheme.code, what))
    });
    found.collect()
}

async fn tampered(tx: &mut Tx, agency: &str, screened: &Screened) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for run in &screened.runs {
        for line in payment::of_run(tx, agency, run).await? {
            let sum: Money = line.covers.iter().map(|c| c.amount).sum();
            if sum != line.amount {
                let (amount, sum) = (line.amount.grouped(), sum.grouped());
                let what =
                    format!("批次 {} 第 {} 笔 {} {amount} 元，各月合计 {sum} 元", run.code, line.line_no, line.name);
                found.push(Found::of_scheme(&LINE_TAMPERED, &screened.scheme.code, what));
            }
        }
    }
    Ok(found)
}

async fn unanswered(tx: &mut Tx, agency: &str, schemes: &[Screened], today: NaiveDate) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for file in payment_file::list(tx, agency).await? {
        let days = date_from_number(file.pay_date).map_or(0, |sent| (today - sent).num_days());
        let of = schemes.iter().find(|s| s.runs.iter().any(|r| r.no == file.run_no));
        if let (Some(screened), true) = (of, days > ANSWER_DAYS && file.open_rows > 0) {
            let (rows, open) = (file.open_rows, Money(file.open_fen).grouped());
            let what = format!("{} 报盘 {days} 天，{rows} 笔 {open} 元没有结果", file.name);
            found.push(Found::of_scheme(&FILE_UNANSWERED, &screened.scheme.code, what));
        }
    }
    Ok(found)
}

async fn idle(
    tx: &mut Tx,
    agency: &str,
    codes: &HashSet<&str>,
    all: bool,
    today: NaiveDate,
) -> Result<Vec<Found>, Failure> {
    let moved = appropriation::last_posted(tx, agency).await?;
    let mut found = Vec::new();
    for a in appropriation::list(tx, agency).await? {
        let last = moved.get(&a.no).map(|on| date("posting", *on)).transpose()?;
        let days = last.map_or(0, |last| (today - last).num_days());
        let is_ours = codes.contains(a.scheme_code.as_str()) || all && a.scheme_code.is_empty();
        if is_ours && days > IDLE_DAYS && a.available > Money::ZERO {
            let what = format!("{} 可用 {} 元，{days} 天没有支付", a.document, a.available.grouped());
            found.push(Found::of_scheme(&MONEY_IDLE, &a.scheme_code, what));
        }
    }
    Ok(found)
}
