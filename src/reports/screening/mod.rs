//! Screening (核查清单): what an auditor would ask about, found before one asks. Read only; each row
//! says what was found, what was expected and what to do.

mod payments;
mod people;

use std::collections::{BTreeMap, HashMap};

use super::table::{Column, Report, Sheet, Value};
use crate::domain::enrolment::Enrolment;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::run::{Run, RunState};
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::cover::{self, Trace};
use crate::storage::engine::Tx;
use crate::storage::{enrolment, run, scheme};

/// An account changed so many days before a run that pays it was prepared is told.
const ACCOUNT_CHANGE_DAYS: i64 = 30;
/// A payment file without an answer for longer is late.
const ANSWER_DAYS: i64 = 10;
/// Money on an appropriation without a movement for longer lies idle.
const IDLE_DAYS: i64 = 90;
/// Who is older needs a certification of the last year.
const OLD_AGE: i64 = 100;
/// A run that differs from the one before by more per cent is told.
const JUMP_PERCENT: i64 = 20;

/// One question: its code, what should be, and what to do.
#[derive(Debug)]
struct Check {
    code: &'static str,
    expected: &'static str,
    action: &'static str,
}

/// One answer to a question.
#[derive(Debug)]
struct Found {
    check: &'static Check,
    scheme: String,
    name: String,
    citizen_number: String,
    what: String,
}

impl Found {
    fn of_person(check: &'static Check, scheme: &str, person: &Enrolment, what: String) -> Found {
        let (name, citizen_number) = (person.name.clone(), person.citizen_number.masked());
        Found { check, scheme: scheme.to_string(), name, citizen_number, what }
    }

    fn of_scheme(check: &'static Check, scheme: &str, what: String) -> Found {
        Found { check, scheme: scheme.to_string(), name: String::new(), citizen_number: String::new(), what }
    }
}

/// All that is known of a scheme.
struct Screened {
    scheme: Scheme,
    people: Vec<Enrolment>,
    /// In flight and credited, by enrolment and month.
    covered: cover::Covered,
    /// Attempts by enrolment, in order of month and run.
    traces: HashMap<i64, Vec<Trace>>,
    /// Not cancelled, in order.
    runs: Vec<Run>,
}

impl Screened {
    async fn read(tx: &mut Tx, office: &Office, code: &str) -> Result<Screened, Failure> {
        let agency = office.agency_code.as_str();
        let (scheme, _) = office.scheme(tx, code).await?;
        let mut runs = run::list(tx, agency, Some(code)).await?;
        runs.retain(|r| !matches!(r.state, RunState::Cancelled(..)));
        let last = runs.iter().map(|r| r.periods.last).fold(office.current_period(), Period::max);
        let mut traces: HashMap<i64, Vec<Trace>> = HashMap::new();
        for trace in cover::traces(tx, agency, code, scheme.first, last).await? {
            traces.entry(trace.enrolment_no).or_default().push(trace);
        }
        Ok(Screened {
            people: enrolment::of_scheme(tx, agency, code).await?,
            covered: cover::covered(tx, agency, code).await?,
            scheme,
            traces,
            runs,
        })
    }

    fn person(&self, enrolment_no: i64) -> Option<&Enrolment> {
        self.people.binary_search_by_key(&enrolment_no, |p| p.no).ok().map(|at| &self.people[at])
    }

    fn covered_of(&self, person: &Enrolment) -> BTreeMap<Period, Money> {
        self.covered.get(&person.no).cloned().unwrap_or_default()
    }
}

/// Screens one scheme, or all.
///
/// # Errors
/// When there is no such scheme.
pub async fn screening(office: &Office, scheme_code: Option<&str>) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let codes = match scheme_code {
        Some(code) => vec![code.to_string()],
        None => scheme::codes(&mut tx, &office.agency_code).await?,
    };
    let mut screened = Vec::with_capacity(codes.len());
    for code in &codes {
        screened.push(Screened::read(&mut tx, office, code).await?);
    }
    let mut found = people::screen(&mut tx, office, &screened).await?;
    found.extend(payments::screen(&mut tx, office, &screened, scheme_code.is_none()).await?);
    found.sort_by(|a, b| (a.check.code, &a.scheme).cmp(&(b.check.code, &b.scheme)));
    let columns = vec![
        Column::text("code", "代码"),
        Column::text("scheme", "项目"),
        Column::text("name", "姓名"),
        Column::text("citizen_number", "公民身份号码"),
        Column::text("found", "发现"),
        Column::text("expected", "应为"),
        Column::text("action", "怎样处理"),
    ];
    let row = |f: &Found| -> Vec<Value> {
        vec![
            f.check.code.into(),
            f.scheme.clone().into(),
            f.name.clone().into(),
            f.citizen_number.clone().into(),
            f.what.clone().into(),
            f.check.expected.into(),
            f.check.action.into(),
        ]
    };
    let rows: Vec<Vec<Value>> = found.iter().map(row).collect();
    Ok(Report {
        code: "screening",
        title: format!("核查清单 {} 项", rows.len()),
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets: vec![Sheet { name: "核查清单".into(), columns, rows, total: None, notes: Vec::new() }],
        notes: vec!["列入清单不等于有问题；逐项核实并留下依据".into()],
    })
}
