//! Imports a roster: the wanted state of a scheme's people. All or nothing, unless the clerk asks that the good
//! rows take effect without the bad ones.
//!
//! Where the scheme asks for a second person, the file is kept and its difference waits for one.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change_enrolment::Changed;
use super::enter_change::{Content, request};
use super::roster_difference::{Plan, count};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::change;
use crate::domain::enrolment::{Enrolment, EventKind};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::period::{Period, date_from_number};
use crate::domain::person_name::same_name;
use crate::domain::scheme::{Payees, Scheme};
use crate::failure::{Failure, Kind};
use crate::formats::charset::Charset;
use crate::formats::roster::{REASON_TITLE, Roster, RosterContext, RosterRow, parse_roster};
use crate::formats::table::{Table, read_table, write_with_reasons};
use crate::office::Office;
use crate::storage::enrolment::Facts;
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};
use crate::storage::roster_import::{self, ImportCounts};
use crate::storage::{counter, enrolment, kept_file};

/// A roster file and how to take it.
#[derive(Debug, Clone, Copy)]
pub struct ImportRoster<'a> {
    /// Scheme.
    pub scheme: &'a str,
    /// File name, for messages and the record.
    pub file_name: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Charset of a text file, when the clerk says so.
    pub charset: Option<Charset>,
    /// 享受起始月 for rows without one; default the scheme's first month.
    pub first: Option<Period>,
    /// True: rows without an error take effect, the others come back.
    pub accept_good: bool,
    /// True: show the difference, change nothing.
    pub dry_run: bool,
}

/// One difference between the file and the roster in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Row of the file.
    pub row: usize,
    /// Masked citizen number.
    pub citizen_number: String,
    /// Name.
    pub name: String,
    /// What differs.
    pub field: &'static str,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// What the import did, or would do.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Rows of people.
    pub rows: usize,
    /// Those of them that were refused; above nothing only where the good rows were asked for.
    pub rejected: usize,
    /// The refused rows with their reasons, ready to be corrected; also when these bytes were imported before.
    pub rejects: Option<Vec<u8>>,
    /// Enrolled.
    pub new: usize,
    /// Differences of people in force.
    pub changes: Vec<Difference>,
    /// People with a difference.
    pub changed: usize,
    /// Equal to the roster in force.
    pub unchanged: usize,
    /// In force but not in the file: masked number and name.
    pub missing: Vec<(String, String)>,
    /// Notices and warnings.
    pub findings: Vec<RowFinding>,
    /// Set when these bytes were imported before: when and by whom. Then nothing was done.
    pub already: Option<String>,
    /// Number under which the difference waits for a second person.
    pub pending: Option<i64>,
}

/// A failed import also hands the input back with a reason column.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub failure: Failure,
    /// Rows with an error.
    pub rejected: usize,
    /// Rows of people.
    pub rows: usize,
    /// The input with one more column, ready to be corrected; none when it could not be read at all.
    pub file: Option<Vec<u8>>,
}

impl From<Failure> for Rejected {
    fn from(failure: Failure) -> Rejected {
        Rejected { failure, rejected: 0, rows: 0, file: None }
    }
}

impl From<crate::storage::error::StorageError> for Rejected {
    fn from(error: crate::storage::error::StorageError) -> Rejected {
        Failure::from(error).into()
    }
}

/// What is left to do of an import that waits for a second person: the file is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    scheme: String,
    file_name: String,
    digest: String,
    charset: Option<Charset>,
    first: Option<Period>,
    #[serde(default)]
    accept_good: bool,
}

/// Imports a roster file.
///
/// # Errors
/// Every fault of the file, row by row; then nothing is stored. Where the good rows are asked for, only faults of
/// the file as a whole, or when no row is good.
pub async fn import_roster(office: &Office, input: ImportRoster<'_>) -> Result<Imported, Rejected> {
    let mut step = Step::begin(office, "roster.import", &[Role::Maker, Role::Admin]).await?;
    let (scheme, _) = office.scheme(&mut step.tx, input.scheme).await?;
    let digest = kept_file::digest_of(input.bytes);
    if let Some((import_no, name, by, on)) =
        roster_import::imported(&mut step.tx, &step.agency, &scheme.code, &digest).await?
    {
        let on = date_from_number(on).map_or_else(|| on.to_string(), |d| d.to_string());
        let already = format!("{name} 已由 {by} 于 {on} 导入（第 {import_no} 次导入）");
        let rejects = roster_import::given_back(&mut step.tx, &step.agency, import_no).await?;
        return Ok(Imported { already: Some(already), rejects, ..Imported::default() });
    }
    let table = table_of(&input)?;
    let read = read(office, &mut step, &scheme, &table, &input).await?;
    let plan = Plan::of(&scheme, &read.roster, read.known(), input.first, office.current_period());
    let mut imported = judged(&table, &read, &plan, &input).map_err(|rejected| *rejected)?;
    check_people_limit(&scheme, &plan, &read.in_force)?;
    if input.dry_run {
        return Ok(imported);
    }
    kept_file::keep_under(&mut step.tx, &step.agency, &digest, input.file_name, input.bytes, step.event_no).await?;
    let differs = imported.new + imported.changed > 0;
    // The first roster differs from nothing: what it brings is seen by the reviewer of the first run.
    if scheme.second_person.rosters && differs && !read.in_force.is_empty() {
        let summary = format!(
            "名册 {}: {} 人，新增 {}，变更 {}，缺少 {}",
            input.file_name,
            imported.rows,
            imported.new,
            imported.changed,
            imported.missing.len()
        );
        let content = Content::Roster(Request {
            scheme: scheme.code.clone(),
            file_name: input.file_name.to_string(),
            digest: digest.clone(),
            charset: input.charset,
            first: input.first,
            accept_good: input.accept_good,
        });
        let items = imported.new + imported.changed;
        let request_no = request(&mut step, "roster", &scheme.code, &summary, items, &content).await?;
        imported.pending = Some(request_no);
        let detail = json!({
            "waits": true, "request": request_no, "file": input.file_name, "digest": digest,
            "accepted": imported.accepted(), "rejected": imported.rejected,
        });
        step.finish(&scheme.code, detail).await?;
        return Ok(imported);
    }
    let by = step.actor.name.clone();
    let file = (input.file_name, digest.as_str());
    let detail = store(&mut step, &scheme, &plan, &read.people, &mut imported, file, (&by, None)).await?;
    step.finish(&scheme.code, detail).await?;
    Ok(imported)
}

/// Does what a request asked for, now that a second person has accepted it.
///
/// # Errors
/// When the file no longer fits the roster in force.
pub(super) async fn accepted(
    office: &Office,
    step: &mut Step,
    request: &Request,
    by: &str,
    second: &str,
) -> Result<Imported, Failure> {
    let (scheme, _) = office.scheme(&mut step.tx, &request.scheme).await?;
    let bytes = kept_file::content(&mut step.tx, &step.agency, &request.digest).await?;
    let input = ImportRoster {
        scheme: &request.scheme,
        file_name: &request.file_name,
        bytes: &bytes,
        charset: request.charset,
        first: request.first,
        accept_good: request.accept_good,
        dry_run: false,
    };
    let table = table_of(&input)?;
    let read = read(office, step, &scheme, &table, &input).await.map_err(|rejected| rejected.failure)?;
    let plan = Plan::of(&scheme, &read.roster, read.known(), input.first, office.current_period());
    let mut imported = judged(&table, &read, &plan, &input).map_err(|rejected| rejected.failure)?;
    check_people_limit(&scheme, &plan, &read.in_force)?;
    let file = (request.file_name.as_str(), request.digest.as_str());
    store(step, &scheme, &plan, &read.people, &mut imported, file, (by, Some(second))).await?;
    Ok(imported)
}

/// Enrols one person, whose fields are given title by title as in a roster.
///
/// # Errors
/// Every fault of the fields; when the person is in the scheme already.
pub(super) async fn enrol_one(
    office: &Office,
    step: &mut Step,
    change: &change::Change,
    fields: &[(String, String)],
    by: &str,
    second: Option<&str>,
) -> Result<Changed, Failure> {
    let Some(code) = change.scheme.as_deref() else {
        return Err(Failure::refused("WHICH_SCHEME", "新增人员没有写明项目").hint("用 --scheme 指明是哪个项目"));
    };
    let (scheme, _) = office.scheme(&mut step.tx, code).await?;
    // However a change names the number, a roster of units knows it by its own title.
    let title = |title: &String| match (scheme.payees, title.as_str()) {
        (Payees::Units, "公民身份号码") => "统一社会信用代码".to_string(),
        _ => title.clone(),
    };
    let mut text = Vec::new();
    for part in [fields.iter().map(|f| title(&f.0)).collect::<Vec<_>>(), fields.iter().map(|f| f.1.clone()).collect()] {
        let mut row = csv::Writer::from_writer(Vec::new());
        let written = row.write_record(part).ok().and_then(|()| row.into_inner().ok());
        text.extend(written.ok_or_else(|| Failure::new(Kind::Internal, "ENROL", "新增人员的内容无法整理成一行"))?);
    }
    let input = ImportRoster {
        scheme: code,
        file_name: "新增",
        bytes: &text,
        charset: Some(Charset::Utf8),
        first: None,
        accept_good: false,
        dry_run: false,
    };
    let refused = |rejected: Rejected| {
        let reasons: Vec<String> = rejected.failure.findings.iter().map(RowFinding::without_row).collect();
        Failure::refused("ENROL", format!("新增: {}", reasons.join("；")))
    };
    let table = table_of(&input).map_err(|failure| refused(failure.into()))?;
    let read = read(office, step, &scheme, &table, &input).await.map_err(refused)?;
    let plan = Plan::of(&scheme, &read.roster, read.known(), None, office.current_period());
    judged(&table, &read, &plan, &input).map_err(|rejected| refused(*rejected))?;
    let Some(row) = plan.new_rows().next() else {
        let name = read.roster.rows.get(0).map_or_else(String::new, |row| row.name.into_owned());
        return Err(Failure::refused("ALREADY_ENROLLED", format!("{name} 已在项目 {code} 的名册中"))
            .hint("停发后重新享受时，撤销停发（change undo）；资料变更用相应的变更"));
    };
    check_people_limit(&scheme, &plan, &read.in_force)?;
    let why = (change.reason.as_str(), change.evidence.as_str());
    let hits = plan.store(step, &scheme, &read.people, None, why, (by, second)).await?;
    let places = enrolment::of_person(&mut step.tx, &step.agency, row.citizen_number.as_str()).await?;
    let enrolment_no = places.iter().find(|(scheme, _)| scheme == code).map_or(0, |(_, no)| *no);
    // No roster stands behind this account: its own event says who entered it.
    let event = NewEvent {
        reason: change.reason.clone(),
        evidence: change.evidence.clone(),
        new_value: row.account().whole(),
        ..NewEvent::new(EventKind::Account)
    };
    let mark = ChangeMark { by, on: step.on, event_no: step.event_no, accepted_by: second };
    let seq_no = enrolment_event::append(&mut step.tx, &step.agency, enrolment_no, &event, mark).await?;
    Ok(Changed {
        scheme: code.to_string(),
        enrolment_no,
        name: row.name.to_string(),
        citizen_number: row.citizen_number.masked(),
        event: Some(seq_no),
        what: format!("新增，自 {} 起", row.first.max(scheme.first)),
        notices: read.roster.findings.iter().chain(&hits).map(RowFinding::without_row).collect(),
        overpaid: Vec::new(),
        cleared_holds: Vec::new(),
    })
}

/// A roster file, beside what is in force.
struct ReadRoster<'t> {
    roster: Roster<'t>,
    people: HashMap<String, (i64, String)>,
    in_force: Vec<Enrolment>,
    facts: Facts,
}

impl ReadRoster<'_> {
    fn known(&self) -> (&[Enrolment], &Facts) {
        (&self.in_force, &self.facts)
    }
}

impl Imported {
    /// Rows that took effect, or would.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.rows - self.rejected
    }
}

fn table_of<'t>(input: &ImportRoster<'t>) -> Result<Table<'t>, Failure> {
    read_table(input.file_name, input.bytes, input.charset)
        .map_err(|e| Failure::input(e.code(), format!("{}: {e}", input.file_name)))
}

async fn read<'t>(
    office: &'t Office,
    step: &mut Step,
    scheme: &'t Scheme,
    table: &'t Table<'_>,
    input: &ImportRoster<'_>,
) -> Result<ReadRoster<'t>, Rejected> {
    let first = input.first.unwrap_or(scheme.first);
    let bar = step.progress.begin("核对名册", Some(table.row_count()), "行");
    let context = RosterContext { scheme, banks: &office.banks, today: step.on, first, bar: &bar };
    let mut roster = parse_roster(table, &context);
    drop(bar);
    let _bar = step.progress.begin("与库中名册比较", None, "人");
    let people = enrolment::people(&mut step.tx, &step.agency).await?;
    let (in_force, facts) = enrolment::of_scheme_with_facts(&mut step.tx, &step.agency, &scheme.code).await?;
    // Where nobody is known yet, nobody can be contradicted.
    if !people.is_empty() {
        let accounts = enrolment::accounts(&mut step.tx, &step.agency).await?;
        check_against_database(&mut roster, &people, &accounts);
    }
    Ok(ReadRoster { roster, people, in_force, facts })
}

/// What the import does, when it may: without any error, or without errors of more than some rows where the good
/// ones are asked for. Of two rows that cannot both be right the later one is the bad one, since the earlier one
/// stood alone when it was read; it is told, so that a clerk looks at both.
fn judged(
    table: &Table,
    read: &ReadRoster<'_>,
    plan: &Plan<'_>,
    input: &ImportRoster<'_>,
) -> Result<Imported, Box<Rejected>> {
    let roster = &read.roster;
    let mut findings = [roster.findings.as_slice(), &plan.findings].concat();
    findings.sort_by_key(|f| f.row);
    let is_error = |f: &&RowFinding| f.severity == Severity::Error;
    let bad: HashSet<usize> = findings.iter().filter(is_error).map(|f| f.row).collect();
    if bad.is_empty() {
        return Ok(Imported { findings, ..plan.summary(roster, &read.in_force) });
    }
    let is_of_person = |row: &usize| roster.refused.contains_key(row) || roster.rows.has_row(*row);
    let good = plan.new_count() + plan.changed.len() + plan.unchanged;
    if !input.accept_good || !bad.iter().all(is_of_person) || good == 0 {
        return Err(Box::new(rejected(table, roster, findings, input)));
    }
    let refused = table.only(|row| row <= roster.header_row || bad.contains(&row));
    let rejects = with_reasons(&refused, roster, &findings);
    let summary = plan.summary(roster, &read.in_force);
    Ok(Imported { findings, rejected: bad.len(), rejects, ..summary })
}

fn check_people_limit(scheme: &Scheme, plan: &Plan<'_>, in_force: &[Enrolment]) -> Result<(), Failure> {
    let Some(most) = scheme.max_people else { return Ok(()) };
    let now = in_force.iter().filter(|e| e.entitlement.last.is_none()).count();
    let then = count(now + plan.new_rows().filter(|row| row.last.is_none() && row.more().stop.is_none()).count());
    if then <= most || plan.new_count() == 0 {
        return Ok(());
    }
    Err(Failure::refused("TOO_MANY_PEOPLE", format!("名册将有 {then} 人在享受，项目最多 {most} 人"))
        .hint("先登记停发，或由管理员修改项目文件的 max_people"))
}

/// Stores the difference and the import; the detail of the audit event.
async fn store(
    step: &mut Step,
    scheme: &Scheme,
    plan: &Plan<'_>,
    people: &HashMap<String, (i64, String)>,
    imported: &mut Imported,
    (file_name, digest): (&str, &str),
    by: (&str, Option<&str>),
) -> Result<serde_json::Value, Failure> {
    let counts = ImportCounts {
        rows: count(imported.rows),
        new: count(imported.new),
        changed: count(imported.changed),
        missing: count(imported.missing.len()),
    };
    let import_no = counter::take(&mut step.tx, &step.agency, "roster_import", 1).await?;
    let evidence = format!("名册 {file_name}（第 {import_no} 次导入）");
    let hits = plan.store(step, scheme, people, Some(import_no), ("名册导入", &evidence), by).await?;
    let mark = ChangeMark { by: by.0, on: step.on, event_no: step.event_no, accepted_by: by.1 };
    // Whoever could not write it, or lost it, gets it again by importing the same file again.
    let mut rejects_digest = None;
    if let Some(rejects) = &imported.rejects {
        let name = format!("{file_name} 退回");
        let kept = kept_file::keep(&mut step.tx, &step.agency, &name, rejects, step.event_no).await?;
        rejects_digest = Some(kept);
    }
    let digests = (digest, rejects_digest.as_deref());
    roster_import::insert(&mut step.tx, &step.agency, import_no, &scheme.code, file_name, digests, counts, mark)
        .await?;
    let detail = json!({
        "import": import_no, "file": file_name, "digest": digest, "rows": counts.rows,
        "new": counts.new, "changed": counts.changed, "missing": counts.missing, "comparison_hits": hits.len(),
        "accepted": imported.accepted(), "rejected": imported.rejected,
    });
    imported.findings.extend(hits);
    Ok(detail)
}

/// What only the database can tell: another name under the same number, an account in use by
/// another person.
fn check_against_database(
    roster: &mut Roster<'_>,
    people: &HashMap<String, (i64, String)>,
    accounts: &[(String, i64, String)],
) {
    let mut owners: HashMap<&str, Vec<i64>> = HashMap::with_capacity(accounts.len());
    for (account, person, _) in accounts {
        owners.entry(account).or_default().push(*person);
    }
    let mut findings = Vec::new();
    for row in roster.rows.iter() {
        let known = people.get(row.citizen_number.as_str());
        if let Some((_, name)) = known
            && !same_name(name, &row.name)
        {
            findings.push(RowFinding {
                row: row.row,
                column: "姓名".into(),
                code: "NAME_DIFFERS",
                found: format!("“{}”，库中同一公民身份号码的姓名是“{name}”", row.name),
                expected: String::new(),
                severity: Severity::Error,
                hint: "核对身份证；可能是号码录错到了别人名下".into(),
            });
        }
        let person = known.map(|(no, _)| *no);
        let others = owners.get(row.account_number.as_str()).is_some_and(|o| o.iter().any(|p| Some(*p) != person));
        if others {
            let stated = !row.more().holder_relation.is_empty();
            findings.push(RowFinding {
                row: row.row,
                column: "银行账号".into(),
                code: "ACCOUNT_IN_USE",
                found: format!("{} 已是库中另一人的账号", row.account_number),
                expected: "本人账户".into(),
                severity: if stated { Severity::Warning } else { Severity::Error },
                hint: "确需使用他人账户时，在“户名关系”列写明关系".into(),
            });
        }
    }
    let bad: HashSet<usize> = findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.row).collect();
    if !bad.is_empty() {
        let numbers = |r: &RosterRow| vec![r.citizen_number.as_str().into(), r.account_number.as_str().into()];
        roster.refused.extend(roster.rows.iter().filter(|r| bad.contains(&r.row)).map(|r| (r.row, numbers(&r))));
        roster.rows.retain(|row| !bad.contains(&row));
    }
    roster.findings.extend(findings);
    roster.findings.sort_by_key(|f| f.row);
}

fn rejected(table: &Table, roster: &Roster, findings: Vec<RowFinding>, input: &ImportRoster<'_>) -> Rejected {
    let file = with_reasons(table, roster, &findings);
    let is_bad = |f: &&RowFinding| f.severity == Severity::Error && f.row > roster.header_row;
    let rejected = findings.iter().filter(is_bad).map(|f| f.row).collect::<HashSet<_>>().len();
    let file_name = input.file_name;
    let message = if roster.data_rows == 0 {
        format!("{file_name}: 没有读到名册")
    } else if input.accept_good && rejected < roster.data_rows {
        format!("{file_name}: 整个文件有错，不能只收正确的行，没有导入")
    } else {
        format!("{file_name}: {} 行中有 {rejected} 行有错，整个文件没有导入", roster.data_rows)
    };
    let failure = Failure::input("ROSTER", message)
        .hint("用 --rejects 文件名 取回带“退回原因”列的原表，改正后重新导入")
        .with_findings(findings);
    Rejected { failure, rejected, rows: roster.data_rows, file }
}

/// The rows of a table with the errors of each in a last column; nothing where a reason cannot be written.
fn with_reasons(table: &Table, roster: &Roster, findings: &[RowFinding]) -> Option<Vec<u8>> {
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let reasons: Vec<(usize, String)> = errors.map(|f| (f.row, f.without_row())).collect();
    write_with_reasons(table, roster.header_row, &reasons, REASON_TITLE).ok()
}
