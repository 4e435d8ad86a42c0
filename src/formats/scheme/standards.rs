//! `[[standard]]` and `[[adjustment]]`: the dated amounts of a scheme file.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::money::Money;
use crate::domain::scheme::{Adjustment, Raise, Scheme, Standard};
use crate::formats::faults::Faults;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandardTable {
    #[serde(default)]
    category: String,
    from: String,
    to: Option<String>,
    monthly: String,
    document: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentTable {
    from: String,
    document: Option<String>,
    fixed: Option<String>,
    percent: Option<String>,
    category: Option<String>,
    min_age: Option<i64>,
    max_age: Option<i64>,
    age_on: Option<String>,
    retired_by: Option<String>,
}

/// All standards; nothing when one of them could not be read.
pub fn standards(tables: &[StandardTable], faults: &mut Faults) -> Option<Vec<Standard>> {
    let read: Vec<_> = (1..).zip(tables).map(|(number, table)| standard(table, number, faults)).collect();
    read.into_iter().collect()
}

fn standard(table: &StandardTable, number: usize, faults: &mut Faults) -> Option<Standard> {
    let place = format!("第 {number} 个 [[standard]]");
    let before = faults.0.len();
    let from = faults.period(&place, Some(&table.from));
    let to = faults.period(&place, table.to.as_deref());
    let monthly = faults.amount(&format!("{place} monthly"), Some(&table.monthly));
    let document = faults.document(&place, table.document.as_deref());
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        faults.note(&place, "to 早于 from");
    }
    let standard = Standard { category: table.category.clone(), from: from?, to, monthly: monthly?, document };
    (faults.0.len() == before).then_some(standard)
}

/// Each category: the first standard begins no later than the scheme, each next one begins the
/// month after the one before ends, and the last one lasts as long as the scheme. None is above
/// the cap.
pub fn check_standards(scheme: &Scheme, faults: &mut Faults) {
    let (first, last) = (scheme.first, scheme.last);
    let categories: BTreeSet<&str> = scheme.standards.iter().map(|s| s.category.as_str()).collect();
    if categories.is_empty() {
        faults.0.push("没有 [[standard]]，至少要有一个补贴标准（每人标准不同的项目写 amount = \"individual\"）".into());
    }
    for category in categories {
        let mut own: Vec<&Standard> = scheme.standards.iter().filter(|s| s.category == category).collect();
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
        for standard in own {
            if let Some(cap) = scheme.monthly_cap.filter(|cap| standard.monthly > *cap) {
                let found = standard.monthly.grouped();
                faults.0.push(format!(
                    "{named}: {} 起 {found}，应不高于月上限 monthly_cap {}",
                    standard.from,
                    cap.grouped()
                ));
            }
        }
    }
}

/// Adjustments by their month and then in file order.
pub fn adjustments(tables: &[AdjustmentTable], faults: &mut Faults) -> Vec<Adjustment> {
    let mut adjustments: Vec<Adjustment> =
        (1..).zip(tables).filter_map(|(number, table)| adjustment(table, number, faults)).collect();
    adjustments.sort_by_key(|a| a.from);
    adjustments
}

fn adjustment(table: &AdjustmentTable, number: usize, faults: &mut Faults) -> Option<Adjustment> {
    let place = format!("第 {number} 个 [[adjustment]]");
    let from = faults.period(&place, Some(&table.from));
    let raise = match (&table.fixed, &table.percent) {
        (Some(yuan), None) => faults.amount(&format!("{place} fixed"), Some(yuan)).map(Raise::Fixed),
        (None, Some(percent)) => faults
            .need(
                &format!("{place} percent"),
                hundredths(percent),
                &format!("“{percent}”，应为大于 0、不超过 100、最多两位小数的百分数，例如 3.8"),
            )
            .map(Raise::Percent),
        _ => faults.need(&place, None, "fixed（定额，元）和 percent（百分比）应写且只写一个"),
    };
    let document = faults.document(&place, table.document.as_deref());
    let min_age = faults.number(&format!("{place} min_age"), table.min_age, 0, 150);
    let max_age = faults.number(&format!("{place} max_age"), table.max_age, 0, 150);
    if let (Some(min), Some(max)) = (min_age, max_age)
        && max < min
    {
        faults.note(&place, &format!("max_age {max} 小于 min_age {min}"));
    }
    if table.age_on.is_some() && table.min_age.is_none() && table.max_age.is_none() {
        faults.note(&place, "有 age_on 而没有 min_age 或 max_age");
    }
    let age_on = faults.date(&format!("{place} age_on"), table.age_on.as_deref());
    let retired_by = faults.date(&format!("{place} retired_by"), table.retired_by.as_deref());
    let from = from?;
    let eve = from.first_day().pred_opt().unwrap_or_default();
    Some(Adjustment {
        from,
        document,
        raise: raise?,
        category: table.category.clone(),
        min_age,
        max_age,
        age_on: age_on.unwrap_or(eve),
        retired_by,
    })
}

/// `3.8` or `3.8%` as 380, up to a hundred per cent.
fn hundredths(percent: &str) -> Option<i64> {
    let number = percent.trim().trim_end_matches(['%', '％']);
    let number = number.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| Money::parse(number).ok())??;
    (1..=10_000).contains(&number.fen()).then_some(number.fen())
}

/// Whether each adjustment can ever apply: within the scheme's months, to a category there is. One
/// before the first month is in the amounts already and would raise them twice.
pub fn check_adjustments(scheme: &Scheme, faults: &mut Faults) {
    for adjustment in &scheme.adjustments {
        let place = format!("{} 起的 [[adjustment]]", adjustment.from);
        if adjustment.from < scheme.first {
            faults.note(
                &place,
                &format!("早于项目第一个月 {}，这次调整应已包含在当时的标准或名册金额里，应删除", scheme.first),
            );
        }
        if scheme.last.is_some_and(|last| adjustment.from > last) {
            faults.note(&place, "晚于项目终止月 last");
        }
        if let Some(category) = adjustment.category.as_deref().filter(|c| !scheme.has_category(c)) {
            let known = scheme.categories().join("、");
            faults.note(&place, &format!("没有类别“{category}”的补贴标准，应为 {known}"));
        }
    }
}
