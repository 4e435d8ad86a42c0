//! Imports a certification list (认证名单) of a scheme: all or nothing. Where the scheme asks for a
//! second person, it waits like any other change.

use std::collections::HashMap;

use serde_json::json;

use super::enter_change::{Content, request};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::change::{Change, What};
use crate::domain::enrolment::{Enrolment, EventKind, StopReason};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::period::Period;
use crate::domain::person_name::same_name;
use crate::failure::Failure;
use crate::formats::certification::{CertificationList, CertificationRow, parse_certifications};
use crate::formats::charset::Charset;
use crate::formats::table::read_table;
use crate::office::Office;
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};
use crate::storage::{enrolment, kept_file};

/// What an import did.
#[derive(Debug, Clone)]
pub struct Certified {
    /// People in the file.
    pub rows: usize,
    /// Certifications entered, or waiting.
    pub entered: usize,
    /// Certifications of a day that was known before: nothing was done for them.
    pub known: usize,
    /// Warnings and notices.
    pub findings: Vec<RowFinding>,
    /// Number under which the list waits for a second person.
    pub pending: Option<i64>,
}

/// Imports the certifications of a scheme's people.
///
/// # Errors
/// Every fault of the file, row by row, people who are not in the scheme, and a scheme without
/// certification; then nothing is stored.
pub async fn import_certifications(
    office: &Office,
    scheme_code: &str,
    file_name: &str,
    bytes: &[u8],
    charset: Option<Charset>,
) -> Result<Certified, Failure> {
    let mut step = Step::begin(office, "certify.import", &[Role::Maker]).await?;
    let (scheme, _) = office.scheme(&mut step.tx, scheme_code).await?;
    if scheme.certification.is_none() {
        return Err(Failure::refused("NO_CERTIFICATION", format!("项目 {scheme_code} 没有资格认证"))
            .hint("需要认证时在项目文件写 [certification] 后重新载入"));
    }
    let table =
        read_table(file_name, bytes, charset).map_err(|e| Failure::input(e.code(), format!("{file_name}: {e}")))?;
    let mut list = parse_certifications(&table, step.on);
    let people = enrolment::of_scheme(&mut step.tx, &step.agency, scheme_code).await?;
    let people: HashMap<&str, &Enrolment> = people.iter().map(|e| (e.citizen_number.as_str(), e)).collect();
    check_people(&mut list, &people, scheme_code);
    if list.has_errors() {
        let wrong = list.findings.iter().filter(|f| f.severity == Severity::Error).count();
        let message = format!("{file_name}: {wrong} 处错误，没有登记任何认证");
        return Err(Failure::input("CERTIFICATION_LIST", message).with_findings(list.findings));
    }
    let mut fresh: Vec<(&CertificationRow, &Enrolment)> = Vec::new();
    for row in &list.rows {
        let person = people[row.citizen_number.as_str()];
        let same = |(r, p): &(&CertificationRow, &Enrolment)| (p.no, r.certified_on) == (person.no, row.certified_on);
        if !person.entitlement.certified.contains(&row.certified_on) && !fresh.iter().any(same) {
            fresh.push((row, person));
        }
    }
    let (rows, entered) = (list.rows.len(), fresh.len());
    let mut certified =
        Certified { rows, entered, known: rows - entered, findings: list.findings.clone(), pending: None };
    if fresh.is_empty() {
        return Ok(certified);
    }
    let digest = kept_file::keep(&mut step.tx, &step.agency, file_name, bytes, step.event_no).await?;
    let detail = json!({ "file": file_name, "digest": digest, "rows": rows, "entered": entered });
    if scheme.second_person.changes {
        let changes = fresh.iter().map(|(row, _)| change(scheme_code, file_name, row)).collect();
        let summary = format!("认证名单 {file_name}: {entered} 人");
        let content = Content::Changes(changes);
        certified.pending = Some(request(&mut step, "changes", scheme_code, &summary, entered, &content).await?);
    } else {
        for (row, person) in &fresh {
            enter(&mut step, file_name, row, person).await?;
        }
    }
    step.finish(scheme_code, detail).await?;
    Ok(certified)
}

/// What only the database can tell: who is not in the scheme, has another name, or is dead.
fn check_people(list: &mut CertificationList, people: &HashMap<&str, &Enrolment>, scheme: &str) {
    for row in &list.rows {
        let person = people.get(row.citizen_number.as_str());
        let (column, code, found, severity, hint) = match person {
            None => (
                "公民身份号码",
                "UNKNOWN_PERSON",
                format!("{} 不在项目 {scheme} 的名册中", row.citizen_number),
                Severity::Error,
                "核对号码，或从名单中删去此行",
            ),
            Some(person) if !same_name(&person.name, &row.name) => (
                "姓名",
                "NAME_DIFFERS",
                format!("“{}”，名册中是“{}”", row.name, person.name),
                Severity::Error,
                "核对身份证；可能是号码录错到了别人名下",
            ),
            Some(person) if died_before(person, row) => (
                "认证日期",
                "CERTIFIED_AFTER_DEATH",
                format!("{} 认证于 {}，此人已登记死亡", person.name, row.certified_on),
                Severity::Warning,
                "核实本人是否健在、认证是否冒用",
            ),
            Some(_) => continue,
        };
        list.findings.push(RowFinding {
            row: row.row,
            column: column.into(),
            code,
            found,
            expected: String::new(),
            severity,
            hint: hint.into(),
        });
    }
    list.findings.sort_by_key(|f| f.row);
}

fn died_before(person: &Enrolment, row: &CertificationRow) -> bool {
    let entitlement = &person.entitlement;
    let ended = entitlement.last_day.or(entitlement.last.map(Period::last_day));
    entitlement.stop_reason == Some(StopReason::Death) && ended.is_some_and(|on| on < row.certified_on)
}

fn change(scheme: &str, file_name: &str, row: &CertificationRow) -> Change {
    Change {
        citizen_number: row.citizen_number.as_str().to_string(),
        scheme: Some(scheme.to_string()),
        what: What::Certify { on: row.certified_on, way: row.way.clone() },
        reason: row.note.clone(),
        evidence: evidence(file_name, row),
    }
}

fn evidence(file_name: &str, row: &CertificationRow) -> String {
    format!("{file_name} 第 {} 行", row.row)
}

/// One event, without reading the person again for each of the thousands of rows of a yearly list.
async fn enter(step: &mut Step, file_name: &str, row: &CertificationRow, person: &Enrolment) -> Result<(), Failure> {
    let old = person.entitlement.certified.last();
    let event = NewEvent {
        on: Some(row.certified_on),
        old_value: old.map_or_else(String::new, ToString::to_string),
        new_value: row.way.clone(),
        reason: row.note.clone(),
        evidence: evidence(file_name, row),
        ..NewEvent::new(EventKind::Certified)
    };
    let Step { tx, agency, actor, on, event_no, .. } = step;
    let mark = ChangeMark { by: &actor.name, on: *on, event_no: *event_no, accepted_by: None };
    enrolment_event::append(tx, agency, person.no, &event, mark).await?;
    enrolment::mark_changed(tx, agency, person.no, *event_no).await?;
    Ok(())
}
