//! Loads and adjusts appropriations. Every change of an amount is a posting with its document.

use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::appropriation::{Appropriation, PostingKind};
use crate::domain::document::DocumentNumber;
use crate::domain::money::Money;
use crate::failure::Failure;
use crate::formats::budget::BudgetLine;
use crate::office::Office;
use crate::storage::appropriation::{self, PostingReason};
use crate::storage::{counter, scheme};

/// What loading did.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Registered now, with their amounts.
    pub new: Vec<(String, Money)>,
    /// There already with the same amount.
    pub unchanged: usize,
}

/// Registers appropriations with their amounts at the start of the year.
///
/// # Errors
/// When a line names an unknown scheme, or an appropriation is there with another amount.
pub async fn load_budget(office: &Office, lines: &[BudgetLine]) -> Result<Loaded, Failure> {
    let mut step = Step::begin(office, "budget.load", &[Role::Admin, Role::Finance]).await?;
    let codes = scheme::codes(&mut step.tx, &step.agency).await?;
    let mut known = appropriation::list(&mut step.tx, &step.agency).await?;
    let mut loaded = Loaded::default();
    for line in lines {
        let funding = &line.funding;
        if !line.scheme_code.is_empty() && !codes.contains(&line.scheme_code) {
            return Err(Failure::input(
                "UNKNOWN_SCHEME",
                format!("第{}行 补贴项目 {} 没有载入", line.row, line.scheme_code),
            )
            .hint("先运行 fafang scheme load，或把不由本系统支用的指标留空"));
        }
        let same_key = |a: &&Appropriation| {
            a.year == funding.year
                && a.document == funding.document.as_str()
                && a.scheme_code == line.scheme_code
                && a.function_code == funding.function_code
                && a.economic_code == funding.economic_code
                && a.source == funding.source
                && a.expenditure == funding.expenditure
        };
        if let Some(old) = known.iter().find(same_key) {
            let first = first_amount(&mut step, old.no).await?;
            if first == funding.amount {
                loaded.unchanged += 1;
                continue;
            }
            return Err(Failure::refused(
                "BUDGET_DIFFERS",
                format!(
                    "指标 {} 已按 {} 元下达，文件里是 {} 元",
                    old.document,
                    first.grouped(),
                    funding.amount.grouped()
                ),
            )
            .hint("追加、调减、收回请用 fafang budget adjust，并写明依据文号"));
        }
        let no = counter::take(&mut step.tx, &step.agency, "appropriation", 1).await?;
        appropriation::insert(&mut step.tx, &step.agency, no, &line.scheme_code, funding).await?;
        let reason =
            PostingReason { document: funding.document.as_str(), note: "年初下达", ..PostingReason::default() };
        appropriation::post(
            &mut step.tx,
            &step.agency,
            no,
            PostingKind::Appropriate,
            funding.amount,
            &reason,
            step.on,
            step.event_no,
        )
        .await?;
        known = appropriation::list(&mut step.tx, &step.agency).await?;
        loaded.new.push((funding.document.to_string(), funding.amount));
    }
    if loaded.new.is_empty() {
        return Ok(loaded);
    }
    let detail: Vec<_> = loaded.new.iter().map(|(d, m)| json!({ "document": d, "amount_fen": m.fen() })).collect();
    step.finish("budget", json!({ "appropriations": detail })).await?;
    Ok(loaded)
}

async fn first_amount(step: &mut Step, appropriation_no: i64) -> Result<Money, Failure> {
    let sums = appropriation::posting_sums(&mut step.tx, &step.agency).await?;
    Ok(sums
        .into_iter()
        .filter(|(no, kind, _, _)| *no == appropriation_no && *kind == PostingKind::Appropriate)
        .map(|(_, _, amount, _)| amount)
        .sum())
}

/// Which appropriation is meant: its document, and more only where a document holds several.
#[derive(Debug, Clone)]
pub struct Which {
    /// 指标文号.
    pub document: DocumentNumber,
    /// Scheme, when the document holds several appropriations.
    pub scheme: Option<String>,
    /// Year, likewise.
    pub year: Option<i32>,
}

/// Finds the one appropriation that is meant.
///
/// # Errors
/// When none fits, or more than one.
pub fn find_one(all: Vec<Appropriation>, which: &Which) -> Result<Appropriation, Failure> {
    let mut fitting: Vec<Appropriation> = all
        .into_iter()
        .filter(|a| {
            a.document == which.document.as_str()
                && which.scheme.as_ref().is_none_or(|s| *s == a.scheme_code)
                && which.year.is_none_or(|y| y == a.year)
        })
        .collect();
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => Err(Failure::refused("UNKNOWN_APPROPRIATION", format!("没有指标 {}", which.document))
            .hint("fafang budget list 列出所有指标")),
        n => Err(Failure::refused("WHICH_APPROPRIATION", format!("文号 {} 下有 {n} 个指标", which.document))
            .hint("用 --scheme 和 --year 指明是哪一个")),
    }
}

/// Adjusts an appropriation: 追加 is positive, 调减 and 收回 are negative.
///
/// # Errors
/// When more would be taken than is available.
pub async fn adjust_budget(
    office: &Office,
    which: &Which,
    amount: Money,
    basis: &DocumentNumber,
    note: &str,
) -> Result<Appropriation, Failure> {
    if amount.is_zero() {
        return Err(Failure::refused("NOTHING_TO_ADJUST", "调整金额为 0"));
    }
    let mut step = Step::begin(office, "budget.adjust", &[Role::Finance]).await?;
    let found = find_one(appropriation::list(&mut step.tx, &step.agency).await?, which)?;
    let reason = PostingReason { document: basis.as_str(), note, ..PostingReason::default() };
    let moved = appropriation::post(
        &mut step.tx,
        &step.agency,
        found.no,
        PostingKind::Adjust,
        amount,
        &reason,
        step.on,
        step.event_no,
    )
    .await?;
    if !moved {
        return Err(Failure::refused(
            "BUDGET_ADJUST",
            format!(
                "指标 {} 可用 {} 元，不能调减 {} 元",
                found.document,
                found.available.grouped(),
                (-amount).grouped()
            ),
        )
        .hint("已支付和占用的金额不能收回"));
    }
    let after = find_one(appropriation::list(&mut step.tx, &step.agency).await?, which)?;
    step.finish(&found.document, json!({ "amount_fen": amount.fen(), "basis": basis.as_str(), "note": note })).await?;
    Ok(after)
}
