//! Imports a roster: the wanted state of a scheme's people. All or nothing.
//!
//! New people are enrolled, changed ones get an event with old and new value, people missing from
//! the file are reported and never stopped.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::change_enrolment::clear_answered_holds;
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::enrolment::{Enrolment, Entitlement, EventKind, StopReason};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::period::{Period, date_from_number};
use crate::domain::person_name::same_name;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::formats::charset::Charset;
use crate::formats::roster::{Roster, RosterContext, RosterRow, parse_roster};
use crate::formats::table::{Table, read_table, write_with_reasons};
use crate::office::Office;
use crate::storage::enrolment::{self, ImportCounts, NewBeneficiary, NewEnrolment, NewEvent};
use crate::storage::{counter, kept_file};

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
    /// True: show the difference, change nothing.
    pub dry_run: bool,
}

/// One difference between the file and the roster in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
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
    /// Enrolled.
    pub new: usize,
    /// Differences of people in force.
    pub changes: Vec<Change>,
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

/// Imports a roster file.
///
/// # Errors
/// Every fault of the file, row by row; then nothing is stored.
pub async fn import_roster(office: &Office, input: ImportRoster<'_>) -> Result<Imported, Rejected> {
    let mut step = Step::begin(office, "roster.import", &[Role::Maker, Role::Admin]).await?;
    let (scheme, _) = office.scheme(&mut step.tx, input.scheme).await?;
    let digest = kept_file::digest_of(input.bytes);
    if let Some((import_no, name, by, on)) =
        enrolment::imported(&mut step.tx, &step.agency, &scheme.code, &digest).await?
    {
        let on = date_from_number(on).map_or_else(|| on.to_string(), |d| d.to_string());
        let already = format!("{name} 已由 {by} 于 {on} 导入（第 {import_no} 次导入）");
        return Ok(Imported { already: Some(already), ..Imported::default() });
    }
    let table = read_table(input.file_name, input.bytes, input.charset)
        .map_err(|e| Failure::input(e.code(), format!("{}: {e}", input.file_name)))?;
    let context = RosterContext {
        scheme: &scheme,
        banks: &office.banks,
        today: step.on,
        first: input.first.unwrap_or(scheme.first),
    };
    let mut roster = parse_roster(&table, &context);
    let people = enrolment::people(&mut step.tx, &step.agency).await?;
    let in_force = enrolment::of_scheme(&mut step.tx, &step.agency, &scheme.code).await?;
    let accounts = enrolment::accounts(&mut step.tx, &step.agency).await?;
    check_against_database(&mut roster, &people, &accounts);
    if roster.has_errors() {
        return Err(rejected(&table, &roster, input.file_name));
    }
    overruled_last_months(&mut roster, &in_force);
    let plan = Plan::of(&scheme, &roster, &in_force);
    let imported = plan.summary(&roster, &in_force);
    if input.dry_run {
        return Ok(imported);
    }
    let counts = ImportCounts {
        rows: to_count(imported.rows),
        new: to_count(imported.new),
        changed: to_count(imported.changed),
        missing: to_count(imported.missing.len()),
    };
    let import_no = counter::take(&mut step.tx, &step.agency, "roster_import", 1).await?;
    plan.store(&mut step, &scheme, &people, import_no).await?;
    kept_file::keep(&mut step.tx, &step.agency, input.file_name, input.bytes.to_vec(), step.event_no).await?;
    let (tx, agency, mark) = step.to_change();
    enrolment::insert_import(tx, agency, import_no, &scheme.code, input.file_name, &digest, counts, mark).await?;
    let detail = json!({
        "import": import_no, "file": input.file_name, "digest": digest, "rows": counts.rows,
        "new": counts.new, "changed": counts.changed, "missing": counts.missing,
    });
    step.finish(&scheme.code, detail).await?;
    Ok(imported)
}

fn to_count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What only the database can tell: another name under the same number, an account in use by
/// another person.
fn check_against_database(
    roster: &mut Roster,
    people: &HashMap<String, (i64, String)>,
    accounts: &[(String, i64, String)],
) {
    let mut owners: HashMap<&str, Vec<i64>> = HashMap::with_capacity(accounts.len());
    for (account, person, _) in accounts {
        owners.entry(account).or_default().push(*person);
    }
    let mut findings = Vec::new();
    for row in &roster.rows {
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
        let others = owners.get(row.account.number.as_str()).is_some_and(|o| o.iter().any(|p| Some(*p) != person));
        if others {
            let stated = !row.holder_relation.is_empty();
            findings.push(RowFinding {
                row: row.row,
                column: "银行账号".into(),
                code: "ACCOUNT_IN_USE",
                found: format!("{} 已是库中另一人的账号", row.account.number),
                expected: "本人账户".into(),
                severity: if stated { Severity::Warning } else { Severity::Error },
                hint: "确需使用他人账户时，在“户名关系”列写明关系".into(),
            });
        }
    }
    let bad: HashSet<usize> = findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.row).collect();
    roster.rows.retain(|r| !bad.contains(&r.row));
    roster.findings.extend(findings);
    roster.findings.sort_by_key(|f| f.row);
}

fn rejected(table: &Table, roster: &Roster, file_name: &str) -> Rejected {
    let mut reasons: Vec<(usize, String)> = Vec::new();
    for finding in roster.findings.iter().filter(|f| f.severity == Severity::Error) {
        match reasons.last_mut() {
            Some((row, text)) if *row == finding.row => {
                text.push('；');
                text.push_str(&finding.without_row());
            }
            _ => reasons.push((finding.row, finding.without_row())),
        }
    }
    let rejected = roster.rejected_rows();
    let message = if roster.data_rows == 0 {
        format!("{file_name}: 没有读到名册")
    } else {
        format!("{file_name}: {} 行中有 {rejected} 行有错，整个文件没有导入", roster.data_rows)
    };
    let failure = Failure::input("ROSTER", message)
        .hint("用 --rejects 文件名 取回带“退回原因”列的原表，改正后重新导入")
        .with_findings(roster.findings.clone());
    let file = write_with_reasons(table, roster.header_row, &reasons, "退回原因").ok();
    Rejected { failure, rejected, rows: roster.data_rows, file }
}

/// What must be stored so that the roster in force becomes the file's.
struct Plan<'a> {
    new: Vec<&'a RosterRow>,
    changed: Vec<(&'a RosterRow, &'a Enrolment, Vec<Difference>)>,
    unchanged: usize,
}

enum Difference {
    Account,
    Category,
    FirstMonth,
    LastMonth,
}

impl<'a> Plan<'a> {
    fn of(scheme: &Scheme, roster: &'a Roster, in_force: &'a [Enrolment]) -> Plan<'a> {
        let by_number: HashMap<&str, &Enrolment> = in_force.iter().map(|e| (e.citizen_number.as_str(), e)).collect();
        let mut plan = Plan { new: Vec::new(), changed: Vec::new(), unchanged: 0 };
        for row in &roster.rows {
            match by_number.get(row.citizen_number.as_str()) {
                None => plan.new.push(row),
                Some(enrolment) => {
                    let differences = differences(scheme, row, enrolment);
                    if differences.is_empty() {
                        plan.unchanged += 1;
                    } else {
                        plan.changed.push((row, enrolment, differences));
                    }
                }
            }
        }
        plan
    }

    fn summary(&self, roster: &Roster, in_force: &[Enrolment]) -> Imported {
        let in_file: HashSet<&str> = roster.rows.iter().map(|r| r.citizen_number.as_str()).collect();
        let missing =
            in_force.iter().filter(|e| e.entitlement.last.is_none() && !in_file.contains(e.citizen_number.as_str()));
        let changes = self.changed.iter().flat_map(|(row, enrolment, differences)| {
            differences.iter().map(|difference| {
                let (field, old, new) = difference.words(row, enrolment);
                let citizen_number = row.citizen_number.masked();
                Change { row: row.row, citizen_number, name: row.name.clone(), field, old, new }
            })
        });
        Imported {
            rows: roster.data_rows,
            new: self.new.len(),
            changes: changes.collect(),
            changed: self.changed.len(),
            unchanged: self.unchanged,
            missing: missing.map(|e| (e.citizen_number.masked(), e.name.clone())).collect(),
            findings: roster.findings.clone(),
            already: None,
        }
    }

    async fn store(
        &self,
        step: &mut Step,
        scheme: &Scheme,
        people: &HashMap<String, (i64, String)>,
        import_no: i64,
    ) -> Result<(), Failure> {
        let strangers: Vec<&RosterRow> =
            self.new.iter().copied().filter(|row| !people.contains_key(row.citizen_number.as_str())).collect();
        let first_person = counter::take(&mut step.tx, &step.agency, "beneficiary", to_count(strangers.len())).await?;
        let person_of: HashMap<&str, i64> =
            strangers.iter().map(|row| row.citizen_number.as_str()).zip(first_person..).collect();
        let new_people = strangers.iter().zip(first_person..).map(|(row, no)| NewBeneficiary {
            no,
            citizen_number: row.citizen_number.as_str().to_string(),
            name: row.name.clone(),
            former_unit: row.former_unit.clone(),
            retired_on: row.retired_on,
            phone: row.phone.clone(),
        });
        enrolment::insert_people(&mut step.tx, &step.agency, new_people.collect()).await?;
        let first_enrolment = counter::take(&mut step.tx, &step.agency, "enrolment", to_count(self.new.len())).await?;
        let new_enrolments = self.new.iter().zip(first_enrolment..).map(|(row, no)| {
            let number = row.citizen_number.as_str();
            let known = people.get(number).map(|(no, _)| *no);
            NewEnrolment {
                no,
                scheme_code: scheme.code.clone(),
                beneficiary_no: known.or_else(|| person_of.get(number).copied()).unwrap_or_default(),
                category: row.category.clone(),
                first: row.first,
                last: row.last,
                account: row.account.clone(),
                holder_relation: row.holder_relation.clone(),
            }
        });
        let new_enrolments = new_enrolments.collect();
        let by = step.actor.name.clone();
        enrolment::insert_enrolments(&mut step.tx, &step.agency, new_enrolments, &by, import_no, step.event_no).await?;
        for (row, enrolment, differences) in &self.changed {
            for difference in differences {
                difference.store(step, row, enrolment).await?;
            }
            if differences.iter().any(|d| matches!(d, Difference::Account)) {
                clear_answered_holds(step, enrolment.beneficiary_no, "账户已由名册变更").await?;
            }
        }
        Ok(())
    }
}

fn differences(scheme: &Scheme, row: &RosterRow, enrolment: &Enrolment) -> Vec<Difference> {
    let mut found = Vec::new();
    if row.account != enrolment.account {
        found.push(Difference::Account);
    }
    if row.category != enrolment.category {
        found.push(Difference::Category);
    }
    // Months before the scheme's first are never owed here: 2010-05 and 2026-01 mean the same.
    if row.first.max(scheme.first) != enrolment.entitlement.first.max(scheme.first) {
        found.push(Difference::FirstMonth);
    }
    // A roster without a last month does not undo a stop, and one with another month does not
    // overrule a death or other stop that was registered: that needs its own change.
    if row.last.is_some() && row.last != enrolment.entitlement.last && !is_stopped_otherwise(enrolment) {
        found.push(Difference::LastMonth);
    }
    found
}

/// Stopped for a reason of its own, not by a roster's last month.
fn is_stopped_otherwise(enrolment: &Enrolment) -> bool {
    enrolment.entitlement.stop_reason.is_some_and(|reason| reason != StopReason::Roster)
}

/// Tells of rows whose last month a registered stop overrules.
fn overruled_last_months(roster: &mut Roster, in_force: &[Enrolment]) {
    let stopped: HashMap<&str, &Enrolment> =
        in_force.iter().filter(|e| is_stopped_otherwise(e)).map(|e| (e.citizen_number.as_str(), e)).collect();
    for row in &roster.rows {
        let Some(enrolment) = stopped.get(row.citizen_number.as_str()) else { continue };
        if row.last.is_some() && row.last != enrolment.entitlement.last {
            let reason = enrolment.entitlement.stop_reason.map_or("", StopReason::title);
            let until = enrolment.entitlement.last.map_or_else(String::new, |p| p.to_string());
            roster.findings.push(RowFinding {
                row: row.row,
                column: "享受终止月".into(),
                code: "STOP_OVERRULES",
                found: format!("{}，已登记停发（{reason}，最后一个月 {until}），名册不改变停发", row.name),
                expected: String::new(),
                severity: Severity::Warning,
                hint: "需要更正停发时用 change stop".into(),
            });
        }
    }
}

impl Difference {
    fn words(&self, row: &RosterRow, enrolment: &Enrolment) -> (&'static str, String, String) {
        let month = |p: Option<Period>| p.map_or_else(|| "无".to_string(), |p| p.to_string());
        match self {
            Difference::Account => ("账户", enrolment.account.masked(), row.account.masked()),
            Difference::Category => ("人员类别", enrolment.category.clone(), row.category.clone()),
            Difference::FirstMonth => ("享受起始月", enrolment.entitlement.first.to_string(), row.first.to_string()),
            Difference::LastMonth => ("享受终止月", month(enrolment.entitlement.last), month(row.last)),
        }
    }

    async fn store(&self, step: &mut Step, row: &RosterRow, old: &Enrolment) -> Result<(), Failure> {
        // A history with a masked account could not tell later where the money went.
        let (old_value, new_value) = if matches!(self, Difference::Account) {
            (old.account.whole(), row.account.whole())
        } else {
            let (_, old_value, new_value) = self.words(row, old);
            (old_value, new_value)
        };
        let (kind, period) = match self {
            Difference::Account => (EventKind::Account, None),
            Difference::Category => (EventKind::Category, None),
            Difference::FirstMonth => (EventKind::FirstMonth, Some(row.first)),
            Difference::LastMonth => (EventKind::Stopped, row.last),
        };
        let event = NewEvent { kind, period, back_paid: None, reason: "名册导入".into(), old_value, new_value };
        let (tx, agency, mark) = step.to_change();
        enrolment::append_event(tx, agency, old.no, &event, mark).await?;
        match self {
            Difference::Account => {
                enrolment::set_account(tx, agency, old.no, &row.account, &row.holder_relation, mark).await?;
            }
            Difference::Category => enrolment::set_category(tx, agency, old.no, &row.category, mark.event_no).await?,
            // Both months are set from the row, so the order of the two events does not matter.
            Difference::FirstMonth | Difference::LastMonth => {
                let from_row =
                    row.last.filter(|last| Some(*last) != old.entitlement.last && !is_stopped_otherwise(old));
                let last = from_row.or(old.entitlement.last);
                let stop_reason = from_row.map(|_| StopReason::Roster).or(old.entitlement.stop_reason);
                let entitlement = Entitlement {
                    first: row.first,
                    last,
                    stop_reason,
                    suspensions: old.entitlement.suspensions.clone(),
                };
                enrolment::set_entitlement(tx, agency, old.no, &entitlement, mark.event_no).await?;
            }
        }
        Ok(())
    }
}
