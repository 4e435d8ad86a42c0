//! The office's list of what must be done today, oldest first: who, since when, what, and with which command.
//!
//! A source is a function that looks at one kind of thing. A new one is a function and a line in [`sources`].

mod files;
mod money;
mod people;
mod recoveries;
mod requests;
mod runs;

use chrono::NaiveDate;

use super::table::{Column, Report, Sheet, Value};
use crate::domain::actor::{Actor, Role};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::run::{Run, RunState};
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::hold::OpenHolds;
use crate::storage::{hold, run, scheme};

/// One thing that somebody must do.
#[derive(Debug, Clone)]
pub struct Todo {
    /// Stable code: `RUN_TO_REVIEW`.
    pub code: &'static str,
    /// Posts that may do it.
    pub roles: &'static [Role],
    /// People who may not, whatever their post: four eyes.
    pub not_by: Vec<String>,
    /// Since when it waits.
    pub since: NaiveDate,
    /// What it is about: a run, a file, a person.
    pub subject: String,
    /// What is to be done, in words.
    pub what: String,
    /// Money in question, if there is any.
    pub amount: Option<Money>,
    /// With which command.
    pub command: String,
}

impl Todo {
    fn new(code: &'static str, roles: &'static [Role], since: NaiveDate, subject: impl Into<String>) -> Todo {
        let (what, command) = (String::new(), String::new());
        Todo { code, roles, not_by: Vec::new(), since, subject: subject.into(), what, amount: None, command }
    }

    fn is_for(&self, reader: &Reader) -> bool {
        match reader {
            Reader::Post(role) => self.roles.contains(role),
            // Who watches the others sees what the others see.
            Reader::Everybody | Reader::Person(Actor { role: Role::Auditor | Role::Admin, .. }) => true,
            Reader::Person(actor) => self.roles.contains(&actor.role) && !self.not_by.contains(&actor.name),
        }
    }
}

/// Whose list it is.
#[derive(Debug, Clone)]
pub enum Reader {
    /// Nobody's in particular: all there is.
    Everybody,
    /// All of one post.
    Post(Role),
    /// One person's: what the post asks and four eyes allow.
    Person(Actor),
}

/// What most sources look at, read once.
struct Books<'a> {
    office: &'a Office,
    today: NaiveDate,
    runs: Vec<Run>,
    schemes: Vec<Scheme>,
    holds: OpenHolds,
}

impl Books<'_> {
    fn now(&self) -> Period {
        Period::of(self.today)
    }

    fn scheme(&self, code: &str) -> Option<&Scheme> {
        self.schemes.iter().find(|s| s.code == code)
    }

    fn run(&self, no: i64) -> Option<&Run> {
        self.runs.iter().find(|r| r.no == no)
    }

    /// Runs that were not cancelled.
    fn live_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|r| !matches!(r.state, RunState::Cancelled(..)))
    }
}

/// Everything to be done, in no order.
async fn sources(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let sources = vec![
        requests::waiting(tx, books).await?,
        runs::next_steps(tx, books).await?,
        files::without_answer(tx, books).await?,
        files::findings(tx, books).await?,
        people::on_hold(books),
        people::by_scheme(tx, books).await?,
        recoveries::open(tx, books).await?,
        money::idle(tx, books).await?,
    ];
    Ok(sources.into_iter().flatten().collect())
}

/// What a reader must do, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(office: &Office, reader: &Reader) -> Result<Vec<Todo>, Failure> {
    let mut tx = office.read().await?;
    let agency = office.agency_code.as_str();
    let mut schemes = Vec::new();
    for code in scheme::codes(&mut tx, agency).await? {
        schemes.push(office.scheme(&mut tx, &code).await?.0);
    }
    let books = Books {
        office,
        today: office.business_date(),
        runs: run::list(&mut tx, agency, None).await?,
        schemes,
        holds: hold::open(&mut tx, agency).await?,
    };
    let mut list = sources(&mut tx, &books).await?;
    list.retain(|todo| todo.is_for(reader));
    list.sort_by(|a, b| (a.since, a.code, &a.subject, &a.what).cmp(&(b.since, b.code, &b.subject, &b.what)));
    Ok(list)
}

/// The list as a report.
///
/// # Errors
/// When the database cannot be read.
pub async fn todo(office: &Office, reader: &Reader) -> Result<Report, Failure> {
    let today = office.business_date();
    let columns = vec![
        Column::text("since", "自"),
        Column::count("age_days", "天数"),
        Column::text("roles", "岗位"),
        Column::text("code", "代码"),
        Column::text("subject", "对象"),
        Column::text("what", "事项"),
        Column::money("amount", "金额"),
        Column::text("command", "怎样办"),
    ];
    let row = |t: Todo| -> Vec<Value> {
        let roles: Vec<&str> = t.roles.iter().map(|r| r.title()).collect();
        vec![
            t.since.to_string().into(),
            (today - t.since).num_days().max(0).into(),
            roles.join("、").into(),
            t.code.into(),
            t.subject.into(),
            t.what.into(),
            t.amount.map_or(Value::Empty, Value::Money),
            t.command.into(),
        ]
    };
    let rows: Vec<Vec<Value>> = list(office, reader).await?.into_iter().map(row).collect();
    let whose = match reader {
        Reader::Everybody => "全部岗位".to_string(),
        Reader::Post(role) => role.title().to_string(),
        Reader::Person(actor) => format!("{}（{}）", actor.name, actor.role),
    };
    Ok(Report {
        code: "todo",
        title: format!("待办 {} 项", rows.len()),
        subtitle: vec![format!("单位: {}    {whose}    截至 {today}", office.agency_name)],
        sheets: vec![Sheet { name: "待办".into(), columns, rows, total: None, notes: Vec::new() }],
        notes: Vec::new(),
    })
}
