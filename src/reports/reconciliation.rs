//! Reconciliation: claims against cover, runs against files and returns, postings against payments,
//! appropriations against themselves, and the official amounts against each other. Every difference
//! is named; one that nothing explains makes the year unbalanced.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::bank_reconciliation;
use super::doctor;
use super::kept_figures::kept_figures;
use super::ledger::{Ledger, MonthFigures};
use crate::domain::appropriation::PostingKind;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::{Plan, Scheme};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::{appropriation, finding, run, scheme};

/// The year of an agency.
#[derive(Debug, Serialize)]
pub struct Reconciliation {
    /// Budget year.
    pub year: i32,
    /// True when every difference is explained.
    pub balanced: bool,
    /// One per scheme.
    pub schemes: Vec<SchemeYear>,
    /// Differences that belong to no scheme: broken books, unexplained answers of banks.
    pub findings: Vec<Difference>,
    /// Accounts whose statements and our books do not say the same yet. They make no year unbalanced: each side has its
    /// days, and the table of balances tells them one by one.
    pub bank_accounts: Vec<OpenAtBank>,
}

/// What is open between an account's statements and our books.
#[derive(Debug, Clone, Serialize)]
pub struct OpenAtBank {
    /// Code of the bank.
    pub bank: String,
    /// The account, masked.
    pub account: String,
    /// As of the end of this day.
    pub as_of: NaiveDate,
    /// Items that only the bank has …
    pub bank_only_count: usize,
    /// … and their sum, whichever way the money goes.
    pub bank_only_fen: Money,
    /// Items that only we have …
    pub office_only_count: usize,
    /// … and their sum, whichever way the money goes.
    pub office_only_fen: Money,
    /// The command that shows them.
    pub show: String,
}

/// The year of a scheme.
#[derive(Debug, Serialize)]
pub struct SchemeYear {
    /// Code.
    pub scheme: String,
    /// Full name.
    pub name: String,
    /// People × months × monthly, as planned.
    pub plan_fen: Option<Money>,
    /// Total of the performance table.
    pub target_fen: Option<Money>,
    /// Its appropriations.
    pub appropriations: Vec<AppropriationYear>,
    /// Its months.
    pub periods: Vec<MonthFigures>,
    /// Named differences.
    pub findings: Vec<Difference>,
}

/// An appropriation over the year.
#[derive(Debug, Clone, Serialize)]
pub struct AppropriationYear {
    /// 指标文号.
    pub document: String,
    /// Budget year.
    pub year: i32,
    /// 功能科目.
    pub function_code: String,
    /// 部门经济科目.
    pub economic_code: String,
    /// `superior` or `local`.
    pub source: &'static str,
    /// Start of the year.
    pub year_start_fen: Money,
    /// 追加 less 调减 and 收回.
    pub adjusted_fen: Money,
    /// Together.
    pub appropriated_fen: Money,
    /// Ever paid.
    pub gross_paid_fen: Money,
    /// Came back within the year.
    pub returned_fen: Money,
    /// Came back after the year's end.
    pub returned_later_fen: Money,
    /// Paid, net of what came back.
    pub paid_fen: Money,
    /// Promised to runs whose outcome is open.
    pub reserved_fen: Money,
    /// Free.
    pub available_fen: Money,
}

/// A named difference.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Stable code.
    pub code: String,
    /// How much.
    pub fen: Money,
    /// True when the figures themselves, or a person, explain it.
    pub explained: bool,
    /// In words.
    pub text: String,
}

fn explained(code: &str, fen: Money, text: String) -> Difference {
    Difference { code: code.to_string(), fen, explained: true, text }
}

fn unexplained(code: &str, fen: Money, text: String) -> Difference {
    Difference { code: code.to_string(), fen, explained: false, text }
}

/// How the figures of a reconciliation are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// From the sums that are kept, and from those who differ; where none are kept, as [`Basis::Recounted`].
    Kept,
    /// From every person, payment and outcome, after `doctor` has examined all that is kept.
    Recounted,
}

/// Reconciles a year, of all schemes or one, of all months or one.
///
/// # Errors
/// When the database cannot be read or there is no such scheme.
pub async fn reconcile(
    office: &Office,
    year: i32,
    only: Option<&str>,
    period: Option<Period>,
    basis: Basis,
) -> Result<Reconciliation, Failure> {
    let mut findings = Vec::new();
    if basis == Basis::Recounted {
        let checks = doctor::examine(office).await?.checks;
        let problems = checks.iter().flat_map(|c| c.problems.iter().map(move |p| (c, p)));
        findings.extend(problems.map(|(c, p)| unexplained(c.code, Money::ZERO, format!("{}: {p}", c.title))));
    }
    let mut tx = office.read().await?;
    let codes = match only {
        Some(code) => vec![code.to_string()],
        None => scheme::codes(&mut tx, &office.agency_code).await?,
    };
    let appropriations = appropriation_years(&mut tx, office).await?;
    let mut schemes = Vec::new();
    for code in codes {
        let kept = match basis {
            Basis::Kept => kept_figures(&mut tx, office, &code, year, period).await?,
            Basis::Recounted => None,
        };
        let (scheme, periods) = if let Some(kept) = kept {
            kept
        } else {
            let ledger = Ledger::read(&mut tx, office, &code, year, period).await?;
            let periods = ledger.months.iter().map(|p| ledger.figures(*p)).collect();
            (ledger.scheme, periods)
        };
        schemes.push(scheme_year(&scheme, periods, year, period.is_none(), &appropriations));
    }
    findings.extend(bank_findings(&mut tx, office, year, only).await?);
    let balanced = findings.iter().chain(schemes.iter().flat_map(|s| &s.findings)).all(|d| d.explained);
    let bank_accounts = match only {
        // An account pays all schemes.
        Some(_) => Vec::new(),
        None => open_at_banks(&mut tx, office, year, period).await?,
    };
    Ok(Reconciliation { year, balanced, schemes, findings, bank_accounts })
}

/// Accounts with open items at the end of the year or month, or today if that is earlier.
async fn open_at_banks(
    tx: &mut Tx,
    office: &Office,
    year: i32,
    period: Option<Period>,
) -> Result<Vec<OpenAtBank>, Failure> {
    let end = period.map(Period::last_day).or_else(|| NaiveDate::from_ymd_opt(year, 12, 31));
    let as_of = end.map_or(office.business_date(), |end| end.min(office.business_date()));
    let mut open = Vec::new();
    for account in bank_reconciliation::accounts(tx, office).await? {
        let [(bank_only_count, bank_only_fen), (office_only_count, office_only_fen)] = account.open_sums(as_of);
        if bank_only_count + office_only_count > 0 {
            let (bank, masked) = account.name();
            open.push(OpenAtBank {
                bank: bank.to_string(),
                account: masked,
                as_of,
                bank_only_count,
                bank_only_fen,
                office_only_count,
                office_only_fen,
                show: format!("fafang report bank-reconciliation --period {} --bank {bank}", as_of.format("%Y-%m")),
            });
        }
    }
    Ok(open)
}

/// What banks' answers left to explain, of runs whose last month lies in the year.
async fn bank_findings(
    tx: &mut Tx,
    office: &Office,
    year: i32,
    only: Option<&str>,
) -> Result<Vec<Difference>, Failure> {
    let runs = run::list(tx, &office.agency_code, only).await?;
    let found = finding::list(tx, &office.agency_code).await?.into_iter().filter_map(|f| {
        let run = runs.iter().find(|r| Some(r.no) == f.run_no && r.periods.last.year() == year)?;
        let mut text = format!("第 {} 号差异 {}: {}", f.finding_no, run.code, f.message);
        if let Some(explanation) = &f.explanation {
            text = format!("{text}（已说明: {explanation}）");
        }
        Some(Difference { code: f.code, fen: Money(f.amount_fen), explained: f.explained_on.is_some(), text })
    });
    Ok(found.collect())
}

/// Every appropriation with its movements of the year.
///
/// # Errors
/// When the database cannot be read.
pub async fn appropriation_years(tx: &mut Tx, office: &Office) -> Result<Vec<(String, AppropriationYear)>, Failure> {
    let mut sums: BTreeMap<(i64, &'static str), Money> = BTreeMap::new();
    let all = appropriation::list(tx, &office.agency_code).await?;
    for posting in appropriation::postings(tx, &office.agency_code).await? {
        let year = all.iter().find(|a| a.no == posting.appropriation_no).map_or(0, |a| a.year);
        let word = match posting.kind()? {
            PostingKind::Appropriate => "year_start",
            PostingKind::Adjust => "adjusted",
            PostingKind::Pay => "paid",
            PostingKind::GiveBack if posting.posted_on()?.year() > year => "returned_later",
            PostingKind::GiveBack => "returned",
            PostingKind::Reserve | PostingKind::Release => continue,
        };
        *sums.entry((posting.appropriation_no, word)).or_default() += Money(posting.amount_fen);
    }
    let sum = |no: i64, word| sums.get(&(no, word)).copied().unwrap_or_default();
    let year = |a: crate::domain::appropriation::Appropriation| {
        let figures = AppropriationYear {
            year: a.year,
            function_code: a.function_code,
            economic_code: a.economic_code,
            source: a.source.code(),
            year_start_fen: sum(a.no, "year_start"),
            adjusted_fen: sum(a.no, "adjusted"),
            appropriated_fen: a.appropriated,
            gross_paid_fen: sum(a.no, "paid"),
            returned_fen: sum(a.no, "returned"),
            returned_later_fen: sum(a.no, "returned_later"),
            paid_fen: a.paid,
            reserved_fen: a.reserved,
            available_fen: a.available,
            document: a.document,
        };
        (a.scheme_code, figures)
    };
    Ok(all.into_iter().map(year).collect())
}

fn scheme_year(
    scheme: &Scheme,
    periods: Vec<MonthFigures>,
    year: i32,
    whole_year: bool,
    all: &[(String, AppropriationYear)],
) -> SchemeYear {
    let plan = scheme.plan(year);
    let appropriations: Vec<AppropriationYear> =
        all.iter().filter(|(code, a)| *code == scheme.code && a.year == year).map(|(_, a)| a.clone()).collect();
    let mut findings = Vec::new();
    if let Some(plan) = plan {
        official_amounts(plan, &appropriations, &mut findings);
        if whole_year {
            plan_against_claims(plan, &periods, &mut findings);
        }
    }
    same_function_code(&scheme.code, year, all, &appropriations, &mut findings);
    for a in &appropriations {
        let net = a.gross_paid_fen - a.returned_fen - a.returned_later_fen;
        if a.appropriated_fen != a.available_fen + a.reserved_fen + a.paid_fen || net != a.paid_fen {
            let text = format!("指标 {}: 下达 ≠ 可用 + 占用 + 支付", a.document);
            findings.push(unexplained("APPROPRIATION_DOES_NOT_FOOT", a.paid_fen - net, text));
        }
        if !a.returned_later_fen.is_zero() {
            let text = format!("指标 {}: 年末后退回 {} 元", a.document, a.returned_later_fen.grouped());
            findings.push(explained("RETURNED_AFTER_YEAR_END", a.returned_later_fen, text));
        }
    }
    for figures in &periods {
        month_differences(figures, &mut findings);
    }
    SchemeYear {
        scheme: scheme.code.clone(),
        name: scheme.name.clone(),
        plan_fen: plan.map(Plan::total),
        target_fen: plan.and_then(|p| p.target),
        appropriations,
        periods,
        findings,
    }
}

/// Plan, appropriation and performance table: three official amounts that need not agree.
fn official_amounts(plan: &Plan, appropriations: &[AppropriationYear], findings: &mut Vec<Difference>) {
    let appropriated: Money = appropriations.iter().map(|a| a.appropriated_fen).sum();
    let how = format!("{} 人 × {} 个月 × {} 元", plan.people, plan.months, plan.monthly);
    let mut compare = |code, name: &str, amount: Money, other: &str, base: Money| {
        let difference = amount - base;
        if !difference.is_zero() {
            let word = if difference > Money::ZERO { "多" } else { "少" };
            let text = format!(
                "{name} {} 元（{} 万元）比{other} {} 元{word} {} 元",
                amount.grouped(),
                amount.wan_yuan(),
                base.grouped(),
                difference.max(-difference).grouped()
            );
            findings.push(explained(code, difference, text));
        }
    };
    compare("APPROPRIATION_VS_PLAN", "指标下达", appropriated, &format!("计划（{how}）"), plan.total());
    if let Some(target) = plan.target {
        compare("TARGET_VS_PLAN", "绩效表年度预算总额", target, "计划", plan.total());
        compare("TARGET_VS_APPROPRIATION", "绩效表年度预算总额", target, "指标下达", appropriated);
    }
}

/// A function code may hold money of another source or kind: the budget table's line is then larger
/// than the scheme's appropriations, and must not be taken for them.
fn same_function_code(
    scheme: &str,
    year: i32,
    all: &[(String, AppropriationYear)],
    own: &[AppropriationYear],
    findings: &mut Vec<Difference>,
) {
    let codes: BTreeSet<&str> = own.iter().map(|a| a.function_code.as_str()).collect();
    for code in codes {
        let others = all.iter().filter(|(s, a)| s != scheme && a.year == year && a.function_code == code);
        let other: Money = others.map(|(_, a)| a.appropriated_fen).sum();
        if !other.is_zero() {
            let mine: Money = own.iter().filter(|a| a.function_code == code).map(|a| a.appropriated_fen).sum();
            let text = format!(
                "功能科目 {code} 共 {} 元（{} 万元），其中 {} 元（{} 万元）不属于本项目",
                (mine + other).grouped(),
                (mine + other).wan_yuan(),
                other.grouped(),
                other.wan_yuan()
            );
            findings.push(explained("SAME_FUNCTION_CODE", other, text));
        }
    }
}

fn plan_against_claims(plan: &Plan, periods: &[MonthFigures], findings: &mut Vec<Difference>) {
    let claims: Money = periods.iter().map(|p| p.claim).sum();
    let person_months: usize = periods.iter().map(|p| p.claim_count).sum();
    let difference = plan.total() - claims;
    if !difference.is_zero() {
        let suspended: Money = periods.iter().map(|p| p.suspended).sum();
        let text = format!(
            "计划 {} 元，应发 {} 元（{person_months} 人月），相差 {} 元: 人数、停发、暂停（{} 元）和月数与计划不同",
            plan.total().grouped(),
            claims.grouped(),
            difference.grouped(),
            suspended.grouped()
        );
        findings.push(explained("PLAN_VS_CLAIM", difference, text));
    }
}

fn month_differences(figures: &MonthFigures, findings: &mut Vec<Difference>) {
    let period = figures.period;
    if !figures.foots() {
        let gap = figures.gap();
        let text = format!("{period}: 应发 + 多发 ≠ 成功 − 追回 + 抵扣 + 在途 + 欠发，差 {} 元", gap.grouped());
        findings.push(unexplained("PERIOD_DOES_NOT_FOOT", gap, text));
    }
    if !figures.open.is_zero() {
        findings.push(explained(
            "OPEN",
            figures.open,
            format!("{period}: 在途 {} 元，结果未知", figures.open.grouped()),
        ));
    }
    for by in &figures.uncovered_by {
        let text = format!("{period}: 欠发 {} 元（{}，{} 人）", by.fen.grouped(), by.reason.title(), by.count);
        findings.push(explained("UNCOVERED", by.fen, text));
    }
    if !figures.to_recover.is_zero() {
        let text = format!("{period}: 多发 {} 元，应追回", figures.to_recover.grouped());
        findings.push(explained("OVERPAID", figures.to_recover, text));
    }
    for (code, amount, word) in [
        ("RECOVERED", figures.recovered, "多发已追回"),
        ("OFFSET_IN", figures.offset_in, "以抵扣多发代替支付"),
        ("WRITTEN_OFF", figures.overpaid - figures.to_recover, "多发已核销"),
    ] {
        if !amount.is_zero() {
            findings.push(explained(code, amount, format!("{period}: {word} {} 元", amount.grouped())));
        }
    }
}
