//! Comparison lists and their hits, each with what was paid of the months that the list puts in
//! question: auditors join pay list and death list in the same way, and this is kept as evidence.

use std::collections::HashMap;

use super::table::{Column, Report, Sheet, Value};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::comparison::{ComparisonKind, HitStatus};
use crate::domain::money::Money;
use crate::domain::period::{Period, date_from_number};
use crate::domain::person_name::same_name;
use crate::domain::scheme::{Scheme, StopMonth};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::comparison::{self, Hit};
use crate::storage::engine::Tx;
use crate::storage::{cover, enrolment};

/// Every list that was imported.
///
/// # Errors
/// When the database cannot be read.
pub async fn lists(office: &Office) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let columns = vec![
        Column::count("list_no", "编号"),
        Column::text("kind", "种类"),
        Column::text("source", "来源"),
        Column::text("file_name", "文件"),
        Column::count("rows", "人数"),
        Column::count("hits", "命中"),
        Column::count("open_hits", "待核实"),
        Column::text("imported_by", "导入人"),
        Column::text("imported_on", "日期"),
    ];
    let stored = comparison::lists(&mut tx, &office.agency_code).await?;
    let row = |l: comparison::StoredList| -> Vec<Value> {
        vec![
            l.list_no.into(),
            ComparisonKind::parse(&l.kind).map_or("", ComparisonKind::title).into(),
            l.source.into(),
            l.file_name.into(),
            l.row_count.into(),
            l.hits.into(),
            l.open_hits.into(),
            l.imported_by.into(),
            date_from_number(l.imported_on).map_or_else(String::new, |d| d.to_string()).into(),
        ]
    };
    let rows: Vec<Vec<Value>> = stored.into_iter().map(row).collect();
    let title = format!("比对名单 {} 份", rows.len());
    Ok(report(office, "comparison-lists", title, columns, rows, Vec::new()))
}

/// Hits that wait for a decision, or all.
///
/// # Errors
/// When the database cannot be read.
pub async fn hits(office: &Office, all: bool) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let wanted = (!all).then_some(HitStatus::Open);
    let hits = comparison::hits(&mut tx, &office.agency_code, wanted).await?;
    let columns = vec![
        Column::count("hit_no", "编号"),
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("kind", "名单"),
        Column::text("source", "来源"),
        Column::count("row", "行"),
        Column::text("says", "名单所载"),
        Column::text("listed_name", "名单姓名（不同时）"),
        Column::text("schemes", "领取项目"),
        Column::count("months_after", "此后已发月数"),
        Column::money("paid_after", "此后已发金额"),
        Column::count("hold_no", "暂停编号"),
        Column::text("status", "状态"),
        Column::text("decision", "处理"),
    ];
    let mut schemes = HashMap::new();
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(hits.len());
    for hit in &hits {
        let paid = paid_after(&mut tx, office, hit, &mut schemes).await?;
        rows.push(row(hit, &paid));
    }
    let title = if all {
        format!("比对命中 {} 项", rows.len())
    } else {
        format!("待核实的比对命中 {} 项", rows.len())
    };
    let notes = vec![
        "此后已发: 死亡以最后应发月之后计，服刑、失踪自当月至释放当月计，待遇发放名单按其起止月计；在途的计入".into(),
    ];
    Ok(report(office, "comparison", title, columns, rows, notes))
}

fn row(hit: &Hit, paid: &PaidAfter) -> Vec<Value> {
    let list = &hit.of;
    let differs = !list.listed_name.is_empty() && !same_name(&list.listed_name, &list.name);
    let mut says = list.kind.says(list.from, list.to);
    if !hit.amount.is_zero() {
        says = format!("{says} {} 元", hit.amount);
    }
    if !hit.detail.is_empty() {
        says = format!("{says}（{}）", hit.detail);
    }
    let decision = match (&hit.decided_by, hit.decided_on, &hit.decision) {
        (Some(by), Some(on), Some(why)) => format!("{why}（{by} {on}）"),
        _ => String::new(),
    };
    let (months, amount) = paid.sum.map_or((Value::Empty, Value::Empty), |(n, money)| (n.into(), money.into()));
    vec![
        hit.no.into(),
        list.name.clone().into(),
        CitizenNumber::from_stored(&list.citizen_number).masked().into(),
        list.kind.title().into(),
        list.sender().into(),
        list.row_no.into(),
        says.into(),
        if differs { list.listed_name.clone() } else { String::new() }.into(),
        paid.schemes.join("、").into(),
        months,
        amount,
        hit.hold_no.into(),
        hit.status.title().into(),
        decision.into(),
    ]
}

/// Schemes of a person, and what they paid of the months in question.
struct PaidAfter {
    schemes: Vec<String>,
    /// Months and money; none when the list has no date.
    sum: Option<(usize, Money)>,
}

async fn paid_after(
    tx: &mut Tx,
    office: &Office,
    hit: &Hit,
    schemes: &mut HashMap<String, Scheme>,
) -> Result<PaidAfter, Failure> {
    let mut paid = PaidAfter { schemes: Vec::new(), sum: hit.of.from.map(|_| (0, Money::ZERO)) };
    for (code, enrolment_no) in enrolment::of_person(tx, &office.agency_code, &hit.of.citizen_number).await? {
        if !schemes.contains_key(&code) {
            let (scheme, _) = office.scheme(tx, &code).await?;
            schemes.insert(code.clone(), scheme);
        }
        if let (Some((first, last)), Some((months, sum))) = (months_in_question(hit, &schemes[&code]), &mut paid.sum) {
            let covered = cover::covered_of(tx, &office.agency_code, enrolment_no).await?;
            let in_question = covered.range(first..).filter(|(month, _)| last.is_none_or(|last| **month <= last));
            for (_, amount) in in_question {
                *months += 1;
                *sum += *amount;
            }
        }
        paid.schemes.push(code);
    }
    Ok(paid)
}

/// First month that the list puts in question, and the last one if there is one.
fn months_in_question(hit: &Hit, scheme: &Scheme) -> Option<(Period, Option<Period>)> {
    let from = Period::of(hit.of.from?);
    Some(match (hit.of.kind, scheme.death_month) {
        (ComparisonKind::Death, StopMonth::NotPaid) => (from, None),
        (ComparisonKind::Death, StopMonth::Paid | StopMonth::CalendarDays | StopMonth::ThirtyDays) => {
            (from.next(), None)
        }
        _ => (from, hit.of.to.map(Period::of)),
    })
}

fn report(
    office: &Office,
    code: &'static str,
    title: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    notes: Vec<String>,
) -> Report {
    Report {
        code,
        title,
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets: vec![Sheet { name: code.into(), columns, rows, total: None, notes: Vec::new() }],
        notes,
    }
}
