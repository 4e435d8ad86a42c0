//! Doctor: recounts everything that is kept, and checks every invariant on a live database.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::bank_reconciliation;
use super::examined_deliveries::deliveries;
use super::examined_people::{MovedMonths, examine_people};
use super::examined_runs::ExaminedRuns;
use super::rolls::rolls;
use crate::calculation::recount::Recount;
use crate::domain::appropriation::{Appropriation, PostingKind};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::recovery::{Entry, EntryKind, EntryState};
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::audit_event::AuditEvent;
use crate::storage::engine::Tx;
use crate::storage::error::StorageError;
use crate::storage::{appropriation, audit_event, kept_file, payment_file, recovery, run};

/// One invariant and what breaks it.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Stable code.
    pub code: &'static str,
    /// The invariant in words.
    pub title: &'static str,
    /// How many things were looked at.
    pub examined: usize,
    /// What breaks it; empty when it holds.
    pub problems: Vec<String>,
}

/// All checks, in a fixed order.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// True when nothing breaks any invariant.
    pub ok: bool,
    /// One per invariant.
    pub checks: Vec<Check>,
}

/// Checks every invariant.
///
/// # Errors
/// Only when the database cannot be read; a broken invariant is a finding, not an error.
pub async fn examine(office: &Office) -> Result<Examination, Failure> {
    let mut tx = office.read().await?;
    let agency = office.agency_code.as_str();
    let entries = recovery::all_entries(&mut tx, agency).await?;
    let runs = run::list(&mut tx, agency, None).await?;
    let mut found = examine_schemes(&mut tx, office, &runs, &entries).await?;
    for entry in &entries {
        if let (true, EntryState::Booked, Some(source)) = (entry.recovers(), entry.state, entry.source) {
            found.money.entry(source.appropriation_no).or_default().1 -= entry.amount;
        }
    }
    let appropriations = appropriation::list(&mut tx, agency).await?;
    let events = audit_event::list(&mut tx, agency).await?;
    issued_files(&mut tx, agency, &runs, &events, &mut found.files).await?;
    let checks = vec![
        chain(&events, agency, audit_event::head(&mut tx, agency).await?.as_ref()),
        postings(&mut tx, agency, &appropriations).await?,
        found.never_twice,
        found.kept,
        found.totals,
        found.files,
        found.frozen,
        found.states,
        money(&appropriations, &found.money),
        four_eyes(&runs),
        kept_files(&mut tx, office).await?,
        deliveries(&mut tx, agency, &runs, &events).await?,
        recoveries(&mut tx, agency, &entries).await?,
        rolls(&mut tx, agency).await?,
        statements(&mut tx, office).await?,
    ];
    Ok(Examination { ok: checks.iter().all(|c| c.problems.is_empty()), checks })
}

/// Every run, and then everybody, scheme by scheme: what is counted of one is let go before the next.
async fn examine_schemes(
    tx: &mut Tx,
    office: &Office,
    all: &[Run],
    entries: &[Entry],
) -> Result<ExaminedRuns, Failure> {
    let agency = office.agency_code.as_str();
    let mut found = ExaminedRuns::new();
    let mut moved = MovedMonths::of(entries);
    let mut codes: Vec<&str> = all.iter().map(|r| r.scheme_code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut all_read = true;
    for code in codes {
        let runs: Vec<Run> = all.iter().filter(|r| r.scheme_code == code).cloned().collect();
        let largest = runs.iter().map(|r| usize::try_from(r.payments).unwrap_or(0)).max();
        let mut recount = Recount::of_about(largest.unwrap_or(0));
        let mut is_read = true;
        let payments = usize::try_from(runs.iter().map(|r| r.payments).sum::<i64>()).ok();
        let bar = office.progress.begin("逐笔检查", payments, "笔");
        for run in &runs {
            is_read &= found.examine(tx, agency, run, &mut recount, &bar).await?;
        }
        drop(bar);
        if is_read {
            let bar = office.progress.begin("逐人检查", None, "人");
            let looked_at = examine_people(tx, office, (code, &runs), recount, &mut moved, (&mut found, &bar)).await;
            match looked_at {
                // A roll that cannot be read is told by ROLLS too.
                Err(failure) if failure.code == "INCONSISTENT" => {
                    found.kept.problems.push(failure.message);
                    is_read = false;
                }
                other => other?,
            }
        }
        all_read &= is_read;
    }
    if all_read {
        let strangers = moved.left().into_iter().map(|no| format!("资格 {no}: 有追回记录而不在名册里"));
        found.never_twice.problems.extend(strangers);
    }
    Ok(found)
}

pub(super) fn check(code: &'static str, title: &'static str) -> Check {
    Check { code, title, examined: 0, problems: Vec::new() }
}

/// Events are numbered without gaps, each hash fits its event and the one before, the head is the last.
///
/// # Errors
/// Only when the database cannot be read.
pub async fn audit_chain(tx: &mut Tx, agency: &str) -> Result<Check, Failure> {
    let events = audit_event::list(tx, agency).await?;
    Ok(chain(&events, agency, audit_event::head(tx, agency).await?.as_ref()))
}

fn chain(events: &[AuditEvent], agency: &str, head: Option<&(i64, String)>) -> Check {
    let mut result = check("AUDIT_CHAIN", "审计记录连续、未被改动");
    let mut previous = "";
    for (expected_no, event) in (1_i64..).zip(events) {
        result.examined += 1;
        let no = event.event_no;
        if no != expected_no {
            result.problems.push(format!("第 {expected_no} 号记录缺失（下一条是第 {no} 号）"));
            break;
        }
        if event.previous_hash != previous {
            result.problems.push(format!("第 {no} 号记录与前一条不衔接，其间有增删"));
        }
        if event.computed_hash(agency) != event.hash {
            result.problems.push(format!("第 {no} 号记录的内容被改动（{} {}）", event.actor, event.action));
        }
        previous = &event.hash;
    }
    let last = events.last().map_or((0, String::new()), |e| (e.event_no, e.hash.clone()));
    if head != Some(&last) {
        result.problems.push("末尾的记录被删除或增加".into());
    }
    result
}

/// Every fen of a case has one place, and its money went back to where it came from.
async fn recoveries(tx: &mut Tx, agency: &str, entries: &[Entry]) -> Result<Check, Failure> {
    let mut result = check("RECOVERIES", "追回: 通知书 = 各月；各月记录不超过通知书；退回指标 = 已入账的记录");
    let mut entered: HashMap<(i64, Period), Money> = HashMap::new();
    for entry in entries.iter().filter(|e| e.recovers() || e.kind == EntryKind::WriteOff) {
        *entered.entry((entry.case_no, entry.period)).or_default() += entry.amount;
    }
    for case in recovery::cases(tx, agency).await? {
        result.examined += 1;
        let of_months: Money = case.months.iter().map(|m| m.amount).sum();
        if of_months != case.total {
            let (total, sum) = (case.total.grouped(), of_months.grouped());
            result.problems.push(format!("第 {} 号追回案件: 通知书 {total} 元，各月 {sum} 元", case.no));
        }
        for month in &case.months {
            let sum = entered.get(&(case.no, month.period)).copied().unwrap_or_default();
            if sum > month.amount {
                let (sum, amount, period) = (sum.grouped(), month.amount.grouped(), month.period);
                result.problems.push(format!("第 {} 号追回案件 {period}: 记录 {sum} 元，通知书 {amount} 元", case.no));
            }
        }
    }
    let mut books: BTreeMap<(i64, i64), (Money, Money)> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.recovers() && e.state == EntryState::Booked) {
        if let Some(source) = entry.source {
            books.entry((entry.case_no, source.appropriation_no)).or_default().0 += entry.amount;
        }
    }
    for (case_no, appropriation_no, amount) in recovery::posted(tx, agency).await? {
        books.entry((case_no, appropriation_no)).or_default().1 += amount;
    }
    for ((case_no, appropriation_no), (entered, posted)) in books {
        if entered != posted {
            let (entered, posted) = (entered.grouped(), posted.grouped());
            result.problems.push(format!(
                "第 {case_no} 号追回案件: 记录 {entered} 元，第 {appropriation_no} 号指标退回 {posted} 元"
            ));
        }
    }
    Ok(result)
}

/// What entries of statements answer is their amount and no more than the books have; balances chain.
async fn statements(tx: &mut Tx, office: &Office) -> Result<Check, Failure> {
    let mut result = check("STATEMENTS", "对账单: 余额衔接；每笔分录的配对合计 = 分录金额，不超过账上的项目");
    for account in bank_reconciliation::accounts(tx, office).await? {
        result.examined += account.count();
        result.problems.extend(account.problems()?);
    }
    Ok(result)
}

async fn kept_files(tx: &mut Tx, office: &Office) -> Result<Check, Failure> {
    let mut result = check("KEPT_FILES", "留存文件与其摘要一致");
    let agency = office.agency_code.as_str();
    let files = kept_file::all(tx, agency).await?;
    let bar = office.progress.begin("核对留存文件", Some(files.len()), "个");
    for file in files {
        bar.advance(1);
        result.examined += 1;
        match kept_file::verify(tx, agency, &file).await {
            Err(problem @ StorageError::Inconsistent { .. }) => result.problems.push(format!("{}: {problem}", file.1)),
            other => other?,
        }
    }
    Ok(result)
}

/// Files against what the audit event of their issue says of them: the payments of a file are digested when it is
/// issued, and an answer is believed by that digest.
async fn issued_files(
    tx: &mut Tx,
    agency: &str,
    runs: &[Run],
    events: &[AuditEvent],
    result: &mut Check,
) -> Result<(), Failure> {
    let mut told: HashMap<(String, String), (String, String)> = HashMap::new();
    for event in events.iter().filter(|e| e.action == "bank.issue") {
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap_or_default();
        // What was written anew for another day is told by a later event.
        for file in ["files", "redated"].iter().filter_map(|key| detail[*key].as_array()).flatten() {
            let text = |key: &str| file[key].as_str().unwrap_or_default().to_string();
            told.insert((event.subject.clone(), text("name")), (text("digest"), text("payments")));
        }
    }
    for file in payment_file::list(tx, agency).await? {
        let run = runs.iter().find(|run| run.no == file.run_no).map_or_else(String::new, |run| run.code.clone());
        if told.get(&(run, file.name.clone())) != Some(&(file.digest, file.payments_digest)) {
            result.problems.push(format!("{}: 与报盘的审计记录不符", file.name));
        }
    }
    Ok(())
}

/// Kept totals of appropriations against the sums of their postings.
async fn postings(tx: &mut Tx, agency: &str, appropriations: &[Appropriation]) -> Result<Check, Failure> {
    let mut result = check("POSTINGS", "指标 = 可用 + 占用 + 支付，且等于流水之和");
    let sums = appropriation::posting_sums(tx, agency).await?;
    for a in appropriations {
        result.examined += 1;
        let mut totals = (0, 0, 0, 0);
        for (no, kind, amount, _) in &sums {
            if *no == a.no {
                let effect = PostingKind::effect(*kind);
                totals.0 += effect.0 * amount.0;
                totals.1 += effect.1 * amount.0;
                totals.2 += effect.2 * amount.0;
                totals.3 += effect.3 * amount.0;
            }
        }
        let kept = (a.appropriated.0, a.available.0, a.reserved.0, a.paid.0);
        if kept != totals || a.appropriated != a.available + a.reserved + a.paid || kept.1 < 0 {
            result.problems.push(format!("{}: 登记 {kept:?} 分，流水合计 {totals:?} 分", a.document));
        }
    }
    Ok(result)
}

/// Reserved and paid against what the payments themselves say.
fn money(appropriations: &[Appropriation], recounted: &BTreeMap<i64, (Money, Money)>) -> Check {
    let mut result = check("MONEY", "占用 = 在途明细和抵扣，支付 = 成功明细 + 抵扣 − 追回");
    for a in appropriations {
        result.examined += 1;
        let (reserved, paid) = recounted.get(&a.no).copied().unwrap_or_default();
        if (a.reserved, a.paid) != (reserved, paid) {
            result.problems.push(format!(
                "{}: 占用 {} 元、支付 {} 元，明细为 {} 元、{} 元",
                a.document,
                a.reserved.grouped(),
                a.paid.grouped(),
                reserved.grouped(),
                paid.grouped()
            ));
        }
    }
    result
}

fn four_eyes(runs: &[Run]) -> Check {
    let mut result = check("FOUR_EYES", "经办、复核、审批不是同一人");
    for run in runs {
        if let Some(signed) = run.state.signed() {
            result.examined += 1;
            let makers = [&run.prepared.by, &signed.submitted.by.by];
            let same = makers.contains(&&signed.reviewed.by)
                || makers.contains(&&signed.approved.by)
                || signed.reviewed.by == signed.approved.by;
            if same {
                result.problems.push(format!(
                    "{}: {} / {} / {}",
                    run.code, run.prepared.by, signed.reviewed.by, signed.approved.by
                ));
            }
        }
    }
    result
}
