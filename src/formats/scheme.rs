//! Scheme files (`config/schemes/*.toml`): TOML text to a checked [`Scheme`]. All faults at once.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::document::DocumentNumber;
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};
use crate::domain::scheme::{
    AmountRule, BackPay, Expenditure, Funding, Indicator, Payees, Plan, Publicity, Release, Rounding, Scheme,
    SecondPerson, Source, Standard, StartMonth, StopMonth,
};

/// Why a scheme file cannot be loaded: every fault, each a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SchemeError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    code: String,
    name: String,
    policies: Vec<String>,
    payment_way: String,
    first: String,
    last: Option<String>,
    release: ReleaseWord,
    back_pay: BackPayWord,
    stop_month: StopMonthWord,
    retired_by: Option<String>,
    #[serde(default)]
    standard: Vec<StandardTable>,
    #[serde(default)]
    plan: Vec<PlanTable>,
    #[serde(default)]
    appropriation: Vec<AppropriationTable>,
    #[serde(default)]
    indicator: Vec<IndicatorTable>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ReleaseWord {
    Monthly,
    Quarterly,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum BackPayWord {
    Paid,
    Forfeited,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StopMonthWord {
    Paid,
    NotPaid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandardTable {
    #[serde(default)]
    category: String,
    from: String,
    to: Option<String>,
    monthly: String,
    document: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanTable {
    year: i32,
    people: i64,
    months: i64,
    monthly: String,
    target: Option<String>,
}

/// An appropriation as scheme files and budget files write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppropriationTable {
    /// Budget year.
    pub year: i32,
    /// 指标文号.
    pub document: String,
    /// 项目名称.
    #[serde(default)]
    pub project: String,
    /// 功能科目.
    pub function_code: String,
    /// 部门经济科目.
    pub economic_code: String,
    /// 资金来源.
    pub source: String,
    /// 支出类别.
    pub expenditure: String,
    /// Amount in 元.
    pub amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndicatorTable {
    name: String,
    target: String,
    points: i64,
}

/// Notes faults and goes on, so that a file is corrected in one go.
#[derive(Default)]
pub(super) struct Faults(pub Vec<String>);

impl Faults {
    pub fn take<T, E: std::fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.0.push(format!("{place}: {e}"))).ok()
    }

    pub fn need<T>(&mut self, place: &str, value: Option<T>, fault: &str) -> Option<T> {
        if value.is_none() {
            self.0.push(format!("{place}: {fault}"));
        }
        value
    }
}

/// Reads and checks a scheme file.
///
/// # Errors
/// Every fault: TOML's own with its line, unknown keys, words and codes, months that are none,
/// document numbers without issuer, year or serial, standards with gaps or overlaps.
pub fn parse_scheme(text: &str) -> Result<Scheme, SchemeError> {
    let file: File = toml::from_str(text).map_err(|e| SchemeError(vec![e.to_string().trim_end().to_string()]))?;
    let mut faults = Faults::default();
    let code_is_plain = file.code.len() <= 32
        && file.code.starts_with(|c: char| c.is_ascii_lowercase())
        && file.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    faults.need("code", code_is_plain.then_some(()), "应为小写字母开头的字母数字，最多 32 个，例如 pochan1995");
    let first = faults.take("first", file.first.parse::<Period>());
    let last = file.last.as_deref().and_then(|t| faults.take("last", t.parse::<Period>()));
    let policies = file.policies.iter().filter_map(|t| faults.take("policies", DocumentNumber::parse(t))).collect();
    let retired_by =
        file.retired_by.as_deref().and_then(|t| faults.need("retired_by", parse_date(t), "应为 1995-12-31 这样的日期"));
    let standards: Vec<Standard> =
        file.standard.iter().enumerate().filter_map(|(i, t)| standard(t, i + 1, &mut faults)).collect();
    if let Some(first) = first {
        if last.is_some_and(|last| last < first) {
            faults.0.push("last: 早于 first".into());
        }
        if standards.len() == file.standard.len() {
            check_standards(&standards, first, last, &mut faults);
        }
    }
    let plans = file.plan.iter().filter_map(|t| plan(t, &mut faults)).collect();
    let funding = file
        .appropriation
        .iter()
        .enumerate()
        .filter_map(|(i, t)| {
            funding(t, &format!("第 {} 个 [[appropriation]]", i + 1)).map_err(|e| faults.0.extend(e)).ok()
        })
        .collect();
    let indicators =
        file.indicator.into_iter().map(|t| Indicator { name: t.name, target: t.target, points: t.points }).collect();
    let (Some(first), true) = (first, faults.0.is_empty()) else {
        return Err(SchemeError(faults.0));
    };
    Ok(Scheme {
        code: file.code,
        name: file.name,
        policies,
        first,
        last,
        release: match file.release {
            ReleaseWord::Monthly => Release::Monthly,
            ReleaseWord::Quarterly => Release::Quarterly,
        },
        payees: Payees::Persons,
        amount: AmountRule::Standard,
        rounding: Rounding::FEN,
        start_month: StartMonth::Whole,
        death_month: stop_month(file.stop_month),
        monthly_cap: None,
        max_months: None,
        max_people: None,
        excludes: Vec::new(),
        second_person: SecondPerson::default(),
        certification: None,
        publicity: Publicity::default(),
        adjustments: Vec::new(),
        payment_way: file.payment_way,
        back_pay: match file.back_pay {
            BackPayWord::Paid => BackPay::Paid,
            BackPayWord::Forfeited => BackPay::Forfeited,
        },
        stop_month: stop_month(file.stop_month),
        retired_by,
        standards,
        plans,
        funding,
        indicators,
    })
}

fn stop_month(word: StopMonthWord) -> StopMonth {
    match word {
        StopMonthWord::Paid => StopMonth::Paid,
        StopMonthWord::NotPaid => StopMonth::NotPaid,
    }
}

fn standard(table: &StandardTable, number: usize, faults: &mut Faults) -> Option<Standard> {
    let place = format!("第 {number} 个 [[standard]]");
    let from = faults.take(&place, table.from.parse::<Period>());
    let to = table.to.as_deref().map(|t| faults.take(&place, t.parse::<Period>()));
    let monthly = faults.take(&place, Money::parse(&table.monthly));
    let monthly = monthly.and_then(|m| faults.need(&place, (m > Money::ZERO).then_some(m), "标准应大于 0"));
    let document = table.document.as_deref().map(|t| faults.take(&place, DocumentNumber::parse(t)));
    if to == Some(None) || document == Some(None) {
        return None;
    }
    let (from, to) = (from?, to.flatten());
    if to.is_some_and(|to| to < from) {
        faults.0.push(format!("{place}: to 早于 from"));
    }
    Some(Standard { category: table.category.clone(), from, to, monthly: monthly?, document: document.flatten() })
}

/// Each category: the first standard begins no later than the scheme, each next one begins the
/// month after the one before ends, and the last one lasts as long as the scheme.
fn check_standards(standards: &[Standard], first: Period, last: Option<Period>, faults: &mut Faults) {
    let categories: BTreeSet<&str> = standards.iter().map(|s| s.category.as_str()).collect();
    if categories.is_empty() {
        faults.0.push("没有 [[standard]]，至少要有一个补贴标准".into());
    }
    for category in categories {
        let mut own: Vec<&Standard> = standards.iter().filter(|s| s.category == category).collect();
        own.sort_by_key(|s| s.from);
        let named = if category.is_empty() {
            "补贴标准".to_string()
        } else {
            format!("类别“{category}”的补贴标准")
        };
        if own[0].from > first {
            faults.0.push(format!("{named}有空档: {first} 至 {} 没有标准", own[0].from.previous()));
        }
        for pair in own.windows(2) {
            match pair[0].to {
                Some(to) if to.next() < pair[1].from => {
                    faults.0.push(format!("{named}有空档: {} 至 {} 没有标准", to.next(), pair[1].from.previous()));
                }
                Some(to) if to.next() == pair[1].from => {}
                _ => faults.0.push(format!(
                    "{named}重叠: {} 起的标准与 {} 起的标准同时有效（前一个应写 to = \"{}\"）",
                    pair[0].from,
                    pair[1].from,
                    pair[1].from.previous()
                )),
            }
        }
        match (own.last().and_then(|s| s.to), last) {
            (Some(to), None) => faults.0.push(format!("{named}到 {to} 为止，而项目没有终止月")),
            (Some(to), Some(last)) if to < last => {
                faults.0.push(format!("{named}有空档: {} 至 {last} 没有标准", to.next()));
            }
            _ => {}
        }
    }
}

fn plan(table: &PlanTable, faults: &mut Faults) -> Option<Plan> {
    let place = format!("{} 年 [[plan]]", table.year);
    let monthly = faults.take(&place, Money::parse(&table.monthly));
    let target = table.target.as_deref().map(|t| faults.take(&place, Money::parse(t)));
    let sensible = (0..100_000_000).contains(&table.people) && (0..=12).contains(&table.months);
    faults.need(&place, sensible.then_some(()), "people 应不为负，months 应为 0 至 12")?;
    if target == Some(None) {
        return None;
    }
    Some(Plan {
        year: table.year,
        people: table.people,
        months: table.months,
        monthly: monthly?,
        target: target.flatten(),
    })
}

/// Checks one appropriation of a scheme or budget file.
///
/// # Errors
/// Every fault, each with `place` in front.
pub fn funding(table: &AppropriationTable, place: &str) -> Result<Funding, Vec<String>> {
    let mut faults = Faults::default();
    let document = faults.take(&format!("{place} 指标文号"), DocumentNumber::parse(&table.document));
    let amount = faults.take(&format!("{place} 金额"), Money::parse(&table.amount));
    let amount = amount.and_then(|m| faults.need(&format!("{place} 金额"), (m > Money::ZERO).then_some(m), "应大于 0"));
    let source = faults.need(
        &format!("{place} 资金来源"),
        Source::parse(&table.source),
        &format!("“{}”，应为 上级转移支付 superior 或 本级 local", table.source),
    );
    let expenditure = faults.need(
        &format!("{place} 支出类别"),
        Expenditure::parse(&table.expenditure),
        &format!("“{}”，应为 项目支出 project 或 基本支出 basic", table.expenditure),
    );
    let is_code =
        |text: &str, lengths: &[usize]| lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    faults.need(
        &format!("{place} 功能科目"),
        is_code(&table.function_code, &[3, 5, 7]).then_some(()),
        &format!("“{}”，应为 3、5 或 7 位数字，例如 2080601", table.function_code),
    );
    faults.need(
        &format!("{place} 经济科目"),
        is_code(&table.economic_code, &[3, 5]).then_some(()),
        &format!("“{}”，应为 3 或 5 位数字，例如 30305", table.economic_code),
    );
    faults.need(&format!("{place} 年度"), (2000..2200).contains(&table.year).then_some(()), "应为四位年份");
    match (document, amount, source, expenditure) {
        (Some(document), Some(amount), Some(source), Some(expenditure)) if faults.0.is_empty() => Ok(Funding {
            year: table.year,
            document,
            project: table.project.clone(),
            function_code: table.function_code.clone(),
            economic_code: table.economic_code.clone(),
            source,
            expenditure,
            amount,
        }),
        _ => Err(faults.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTY: &str = include_str!("../../config/schemes/pochan1995.toml");

    #[test]
    fn the_county_scheme_says_what_its_document_says() {
        let scheme = parse_scheme(COUNTY).unwrap();
        let plan = scheme.plan(2026).unwrap();
        assert_eq!(plan.total(), Money(28_800_000));
        assert_eq!(plan.target, Some(Money(28_890_000)));
        assert_eq!(scheme.funding[0].amount, Money(28_900_000));
        assert_eq!(scheme.funding[0].document.as_str(), "巴财社〔2025〕98号");
        assert_eq!(scheme.indicators.iter().map(|i| i.points).sum::<i64>(), 90);
    }

    fn with_standards(standards: &str) -> Result<Scheme, SchemeError> {
        let head = COUNTY.split("[[standard]]").next().unwrap();
        parse_scheme(&format!("{head}{standards}"))
    }

    fn standard_text(from: &str, to: &str) -> String {
        let to = if to.is_empty() { String::new() } else { format!("to = \"{to}\"\n") };
        format!("[[standard]]\nfrom = \"{from}\"\n{to}monthly = \"120\"\n")
    }

    #[test]
    fn gaps_and_overlaps_of_standards_are_named() {
        for (standards, fault) in [
            (vec![], "没有 [[standard]]"),
            (vec![("2026-03", "")], "空档: 2026-01 至 2026-02"),
            (vec![("2026-01", "2026-03"), ("2026-05", "")], "空档: 2026-04 至 2026-04"),
            (vec![("2026-01", "2026-06"), ("2026-06", "")], "重叠: 2026-01 起的标准与 2026-06 起的标准"),
            (vec![("2026-01", ""), ("2026-06", "")], "重叠"),
            (vec![("2026-01", "2026-06")], "到 2026-06 为止，而项目没有终止月"),
        ] {
            let text: String = standards.iter().map(|(from, to)| standard_text(from, to)).collect();
            let error = with_standards(&text).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
        assert!(with_standards(&(standard_text("2026-07", "") + &standard_text("2025-01", "2026-06"))).is_ok());
    }

    #[test]
    fn all_faults_come_at_once_and_unknown_keys_are_faults() {
        let text = COUNTY
            .replace("first = \"2026-01\"", "first = \"2026-13\"")
            .replace("function_code = \"2080601\"", "function_code = \"20806\u{4E00}\"")
            .replace("source = \"superior\"", "source = \"中央\"")
            .replace("新政办发〔2010〕168号\", \"巴劳", "新政办发168号\", \"巴劳");
        let faults = parse_scheme(&text).unwrap_err().0;
        assert_eq!(faults.len(), 4, "{faults:?}");
        let unknown = parse_scheme(&format!("colour = \"red\"\n{COUNTY}")).unwrap_err().to_string();
        assert!(unknown.contains("colour"), "{unknown}");
    }
}
