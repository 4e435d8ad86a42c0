//! Recoveries (多发追回台账): every case with what became of every fen of it, and what was overpaid
//! without a case.

use std::collections::HashMap;

use super::table::{Column, Report, Sheet, Value};
use crate::calculation::recovery::{Standing, excess, standing};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::Enrolment;
use crate::domain::recovery::{Case, Entry};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::{appropriation, enrolment, recovery, run, scheme};

/// A case with its person, its entries and where it stands.
#[derive(Debug)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// The person in the scheme.
    pub person: Enrolment,
    /// Every entry of the case, void ones too.
    pub entries: Vec<Entry>,
    /// Month by month.
    pub standing: Standing,
}

/// Reads where a case stands.
///
/// # Errors
/// When the database cannot be read.
pub async fn case_file(tx: &mut Tx, office: &Office, case: Case) -> Result<CaseFile, Failure> {
    let agency = office.agency_code.as_str();
    let (scheme, _) = office.scheme(tx, &case.scheme_code).await?;
    let person = enrolment::by_no(tx, agency, case.enrolment_no).await?;
    let credited = recovery::credited(tx, agency, case.enrolment_no).await?;
    let standing = standing(&case, &credited.entries, &excess(&scheme, &person.entitlement, &credited));
    let entries = credited.entries.into_iter().filter(|e| e.case_no == case.no).collect();
    Ok(CaseFile { case, person, entries, standing })
}

/// The case of this number.
///
/// # Errors
/// When there is none.
pub async fn find(tx: &mut Tx, office: &Office, case_no: i64) -> Result<CaseFile, Failure> {
    let found = recovery::case(tx, &office.agency_code, case_no).await?;
    let case = found.ok_or_else(|| {
        Failure::refused("UNKNOWN_CASE", format!("没有第 {case_no} 号追回案件"))
            .hint("fafang recovery list --all 列出追回案件")
    })?;
    case_file(tx, office, case).await
}

/// Cases that are open, or all, and what is overpaid without one.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(office: &Office, all: bool) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let mut files = Vec::new();
    for case in recovery::cases(&mut tx, &office.agency_code).await? {
        if all || case.closed.is_none() {
            files.push(case_file(&mut tx, office, case).await?);
        }
    }
    let sheets = vec![cases_sheet(&files), without_case_sheet(&mut tx, office).await?];
    Ok(report(office, "recovery-list", format!("追回案件 {} 件", files.len()), sheets))
}

/// The whole ledger of recoveries (多发追回台账), of all schemes or one.
///
/// # Errors
/// When the database cannot be read.
pub async fn recoveries(office: &Office, only: Option<&str>) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let files = case_files(&mut tx, office, only).await?;
    let names = Names::read(&mut tx, office).await?;
    let mut entries = entries_sheet(files.iter().flat_map(|f| f.entries.iter().map(move |e| (f, e))), &names);
    entries.total_of_columns("合计");
    let without = without_case_sheet(&mut tx, office).await?;
    let sheets = vec![cases_sheet(&files), months_sheet(&files), entries, without];
    Ok(report(office, "recoveries", "多发追回台账".into(), sheets))
}

/// Every case of all schemes or one.
///
/// # Errors
/// When the database cannot be read.
pub async fn case_files(tx: &mut Tx, office: &Office, only: Option<&str>) -> Result<Vec<CaseFile>, Failure> {
    let mut files = Vec::new();
    for case in recovery::cases(tx, &office.agency_code).await? {
        if only.is_none_or(|code| code == case.scheme_code) {
            files.push(case_file(tx, office, case).await?);
        }
    }
    Ok(files)
}

/// One case: its months, and every entry.
///
/// # Errors
/// When there is none of this number.
pub async fn case(office: &Office, case_no: i64) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let file = find(&mut tx, office, case_no).await?;
    let names = Names::read(&mut tx, office).await?;
    let title = format!("第 {case_no} 号追回案件 {}", file.case.notice_no);
    let files = std::slice::from_ref(&file);
    let entries = entries_sheet(file.entries.iter().map(|e| (&file, e)), &names);
    let mut report = report(office, "recovery", title, vec![cases_sheet(files), months_sheet(files), entries]);
    if let (Some(plan), Some(scheme)) = (&file.case.plan, file.case.deducts_from()) {
        let cap = plan.monthly_cap.grouped();
        report.notes.push(format!("抵扣: 从项目 {scheme}，每个所属期最多 {cap} 元，依据 {}", plan.consent));
    }
    Ok(report)
}

fn report(office: &Office, code: &'static str, title: String, sheets: Vec<Sheet>) -> Report {
    Report {
        code,
        title,
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets,
        notes: Vec::new(),
    }
}

/// 追回案件: the notice, and what became of its sum.
pub fn cases_sheet(files: &[CaseFile]) -> Sheet {
    let columns = vec![
        Column::text("case", "案件"),
        Column::text("notice", "通知书号"),
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("scheme", "项目"),
        Column::text("cause", "原因"),
        Column::text("months", "多发月份"),
        Column::money("total", "通知书金额"),
        Column::money("repaid", "退款"),
        Column::money("offset", "抵扣"),
        Column::money("written_off", "核销"),
        Column::money("lapsed", "更正冲减"),
        Column::money("open", "待追回"),
        Column::text("opened_on", "立案"),
        Column::text("status", "状态"),
    ];
    let row = |f: &CaseFile| -> Vec<Value> {
        let (case, standing) = (&f.case, &f.standing);
        let months: Vec<String> = case.months.iter().map(|m| m.period.to_string()).collect();
        vec![
            case.no.to_string().into(),
            case.notice_no.clone().into(),
            f.person.name.clone().into(),
            f.person.citizen_number.masked().into(),
            case.scheme_code.clone().into(),
            case.cause.title().into(),
            months.join("、").into(),
            case.total.into(),
            standing.sum(|m| m.repaid).into(),
            standing.sum(|m| m.offset).into(),
            standing.sum(|m| m.written_off).into(),
            standing.sum(|m| m.lapsed).into(),
            standing.open().into(),
            case.opened_on.to_string().into(),
            status(f).into(),
        ]
    };
    let rows = files.iter().map(row).collect();
    let mut sheet = Sheet { name: "追回案件".into(), columns, rows, total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    sheet.notes = vec!["通知书金额 = 退款 + 抵扣 + 核销 + 更正冲减 + 待追回；抵扣含尚未报盘的批次".into()];
    sheet
}

fn status(file: &CaseFile) -> String {
    match &file.case.closed {
        Some((_, on)) => format!("{on} 结清"),
        None if file.case.plan.is_some() => "抵扣中".into(),
        None => "追回中".into(),
    }
}

fn months_sheet(files: &[CaseFile]) -> Sheet {
    let columns = vec![
        Column::text("case", "案件"),
        Column::text("period", "所属期"),
        Column::money("claim", "立案时应发"),
        Column::money("amount", "多发"),
        Column::money("repaid", "退款"),
        Column::money("offset", "抵扣"),
        Column::money("written_off", "核销"),
        Column::money("lapsed", "更正冲减"),
        Column::money("open", "待追回"),
    ];
    let rows = files.iter().flat_map(|f| {
        f.case.months.iter().zip(&f.standing.months).map(move |(frozen, m)| -> Vec<Value> {
            vec![
                f.case.no.to_string().into(),
                m.period.to_string().into(),
                frozen.claim.into(),
                m.amount.into(),
                m.repaid.into(),
                m.offset.into(),
                m.written_off.into(),
                m.lapsed.into(),
                m.open.into(),
            ]
        })
    });
    let mut sheet = Sheet { name: "各月".into(), columns, rows: rows.collect(), total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    sheet
}

/// What entries refer to by number.
struct Names {
    appropriations: HashMap<i64, String>,
    runs: HashMap<i64, String>,
}

impl Names {
    async fn read(tx: &mut Tx, office: &Office) -> Result<Names, Failure> {
        let agency = office.agency_code.as_str();
        let appropriations = appropriation::list(tx, agency).await?.into_iter().map(|a| (a.no, a.document)).collect();
        let runs = run::list(tx, agency, None).await?.into_iter().map(|r| (r.no, r.code)).collect();
        Ok(Names { appropriations, runs })
    }
}

fn entries_sheet<'a>(entries: impl Iterator<Item = (&'a CaseFile, &'a Entry)>, names: &Names) -> Sheet {
    let columns = vec![
        Column::text("case", "案件"),
        Column::text("entry", "序号"),
        Column::text("kind", "种类"),
        Column::text("period", "所属期"),
        Column::money("amount", "金额"),
        Column::text("document", "退回指标"),
        Column::text("to_period", "抵扣的所属期"),
        Column::text("run", "抵扣批次"),
        Column::text("reference", "票据或说明"),
        Column::text("received_on", "到账"),
        Column::text("made_by", "经办"),
        Column::text("accepted_by", "同意"),
        Column::text("made_on", "日期"),
        Column::text("status", "状态"),
    ];
    let known = |names: &HashMap<i64, String>, no: Option<i64>| no.and_then(|no| names.get(&no)).cloned();
    let row = |(file, e): (&CaseFile, &Entry)| -> Vec<Value> {
        let text = |words: Option<String>| words.unwrap_or_default().into();
        vec![
            file.case.no.to_string().into(),
            e.no.to_string().into(),
            e.kind.title().into(),
            e.period.to_string().into(),
            e.amount.into(),
            text(known(&names.appropriations, e.source.map(|s| s.appropriation_no))),
            text(e.target.map(|t| t.period.to_string())),
            text(known(&names.runs, e.target.map(|t| t.run.no))),
            e.reference.clone().into(),
            text(e.received_on.map(|on| on.to_string())),
            e.made_by.clone().into(),
            text(e.accepted_by.clone()),
            e.made_on.to_string().into(),
            e.state.title().into(),
        ]
    };
    Sheet { name: "追回明细".into(), columns, rows: entries.map(row).collect(), total: None, notes: Vec::new() }
}

/// 尚未立案的多发: credited, not owed, and in no open case.
async fn without_case_sheet(tx: &mut Tx, office: &Office) -> Result<Sheet, Failure> {
    let agency = office.agency_code.as_str();
    let columns = vec![
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("scheme", "项目"),
        Column::text("period", "所属期"),
        Column::money("claim", "应发"),
        Column::money("overpaid", "多发"),
    ];
    let open: Vec<(i64, Vec<_>)> = recovery::cases(tx, agency)
        .await?
        .into_iter()
        .filter(|c| c.closed.is_none())
        .map(|c| (c.enrolment_no, c.months.iter().map(|m| m.period).collect()))
        .collect();
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for code in scheme::codes(tx, agency).await? {
        let (scheme, _) = office.scheme(tx, &code).await?;
        let covered = crate::storage::cover::covered(tx, agency, &code).await?;
        for person in enrolment::of_scheme(tx, agency, &code).await? {
            let owed = |period| crate::calculation::claim::claim(&scheme, &person.entitlement, period).amount();
            // Only those with more covered than owed are looked at closely.
            let suspect = covered.get(&person.no).is_some_and(|months| months.iter().any(|(p, m)| *m > owed(*p)));
            if !suspect {
                continue;
            }
            let credited = recovery::credited(tx, agency, person.no).await?;
            for month in excess(&scheme, &person.entitlement, &credited) {
                if open.iter().any(|(no, periods)| *no == person.no && periods.contains(&month.period)) {
                    continue;
                }
                rows.push(vec![
                    person.name.clone().into(),
                    CitizenNumber::masked(&person.citizen_number).into(),
                    code.clone().into(),
                    month.period.to_string().into(),
                    month.claim.into(),
                    month.amount.into(),
                ]);
            }
        }
    }
    let mut sheet = Sheet { name: "尚未立案".into(), columns, rows, total: None, notes: Vec::new() };
    sheet.total_of_columns("合计");
    sheet.notes = vec!["用 fafang recovery open 公民身份号码 --cause 原因 立案".into()];
    Ok(sheet)
}
