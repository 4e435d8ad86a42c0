//! `[[plan]]` and `[[appropriation]]`: what a scheme was planned to cost, and where its money comes from.

use serde::Deserialize;

use crate::domain::money::Money;
use crate::domain::scheme::{Expenditure, Funding, Plan, Source};
use crate::formats::faults::Faults;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTable {
    year: i32,
    people: i64,
    months: i64,
    monthly: String,
    target: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppropriationTable {
    year: i32,
    document: String,
    #[serde(default)]
    project: String,
    function_code: String,
    economic_code: String,
    source: String,
    expenditure: String,
    amount: String,
}

pub fn plan(table: &PlanTable, faults: &mut Faults) -> Option<Plan> {
    let place = format!("{} 年 [[plan]]", table.year);
    let monthly = faults.take(&format!("{place} monthly"), Money::parse(&table.monthly));
    let target = faults.amount(&format!("{place} target"), table.target.as_deref());
    let people = faults.number(&format!("{place} people"), Some(table.people), 0, 99_999_999);
    let months = faults.number(&format!("{place} months"), Some(table.months), 0, 12);
    Some(Plan { year: table.year, people: people?, months: months?, monthly: monthly?, target })
}

pub fn funding(table: &AppropriationTable, number: usize, faults: &mut Faults) -> Option<Funding> {
    let place = |what: &str| format!("第 {number} 个 [[appropriation]] {what}");
    let year = faults.number(&place("年度"), Some(table.year), 2000, 2199);
    let document = faults.document(&place("指标文号"), Some(&table.document));
    let amount = faults.total(&place("金额"), &table.amount);
    let source = faults.need(
        &place("资金来源"),
        Source::parse(&table.source),
        &format!("“{}”，应为 上级转移支付 superior 或 本级 local", table.source),
    );
    let expenditure = faults.need(
        &place("支出类别"),
        Expenditure::parse(&table.expenditure),
        &format!("“{}”，应为 项目支出 project 或 基本支出 basic", table.expenditure),
    );
    let code = |text: &str, lengths: &[usize]| {
        (lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_string())
    };
    let function_code = faults.need(
        &place("功能科目"),
        code(&table.function_code, &[3, 5, 7]),
        &format!("“{}”，应为 3、5 或 7 位数字，例如 2080601", table.function_code),
    );
    let economic_code = faults.need(
        &place("经济科目"),
        code(&table.economic_code, &[3, 5]),
        &format!("“{}”，应为 3 或 5 位数字，例如 30305", table.economic_code),
    );
    Some(Funding {
        year: year?,
        document: document?,
        project: table.project.clone(),
        function_code: function_code?,
        economic_code: economic_code?,
        source: source?,
        expenditure: expenditure?,
        amount: amount?,
    })
}
