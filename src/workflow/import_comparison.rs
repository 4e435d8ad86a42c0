//! Imports a comparison list of another office and compares it with our people. Whoever is on it
//! is on hold until a clerk has decided (`decide_hit`); nobody is stopped by a list alone.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::comparison::{ComparisonKind, HitStatus};
use crate::domain::entitlement::registered_death;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::hold::HoldReason;
use crate::domain::period::date_from_number;
use crate::domain::person_name::same_name;
use crate::failure::Failure;
use crate::formats::charset::Charset;
use crate::formats::comparison::parse_comparison;
use crate::formats::table::read_table;
use crate::office::Office;
use crate::storage::comparison::{self, Match, NewList};
use crate::storage::hold::{self, NewHold};
use crate::storage::{enrolment, enrolment_event, kept_file};

/// A list and how to take it.
#[derive(Debug, Clone, Copy)]
pub struct ImportComparison<'a> {
    /// What it says about its people.
    pub kind: ComparisonKind,
    /// Who sent it; may be empty.
    pub source: &'a str,
    /// File name, for messages and the record.
    pub file_name: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Charset of a text file, when the clerk says so.
    pub charset: Option<Charset>,
}

/// One of our people on a list, now on hold.
#[derive(Debug, Clone)]
pub struct NewHit {
    /// Number of the hit.
    pub no: i64,
    /// Number of the hold it opened.
    pub hold_no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// Name here.
    pub name: String,
    /// Masked citizen number.
    pub citizen_number: String,
    /// Row of the list.
    pub row: i64,
    /// Where and what, in words.
    pub note: String,
}

/// What an import did.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// Number of the list; none when it was imported before.
    pub list_no: Option<i64>,
    /// People in the file.
    pub rows: usize,
    /// Those that could be compared.
    pub compared: usize,
    /// Our people on it, now on hold.
    pub hits: Vec<NewHit>,
    /// Our people of whom it says nothing new.
    pub nothing_new: usize,
    /// What was read only in part.
    pub findings: Vec<RowFinding>,
    /// Set when these bytes were imported before: when and by whom. Then nothing was done.
    pub already: Option<String>,
}

/// Imports a list, compares it with everyone and opens a hold for every hit that says something new.
///
/// # Errors
/// When the file is none, or has no column with numbers or dates of its kind.
pub async fn import_comparison(office: &Office, input: ImportComparison<'_>) -> Result<Compared, Failure> {
    let ImportComparison { kind, source, file_name, bytes, charset } = input;
    let mut step = Step::begin(office, "comparison.import", &[Role::Maker]).await?;
    let digest = kept_file::digest_of(bytes);
    if let Some((no, name, by, on)) = comparison::imported(&mut step.tx, &step.agency, kind, &digest).await? {
        let on = date_from_number(on).map_or_else(|| on.to_string(), |d| d.to_string());
        let already = format!("{name} 已由 {by} 于 {on} 导入（第 {no} 号名单）");
        return Ok(Compared { already: Some(already), ..Compared::default() });
    }
    let table =
        read_table(file_name, bytes, charset).map_err(|e| Failure::input(e.code(), format!("{file_name}: {e}")))?;
    let list = parse_comparison(&table, kind, step.on);
    if list.has_errors() {
        return Err(Failure::input("COMPARISON_LIST", format!("{file_name}: 不能按{}读取，没有导入", kind.title()))
            .with_findings(list.findings));
    }
    let (on, event_no, by) = (step.on, step.event_no, step.actor.name.clone());
    kept_file::keep(&mut step.tx, &step.agency, file_name, bytes, event_no).await?;
    let new = NewList { kind, source, file_name, digest: &digest, rows: list.data_rows };
    let list_no = comparison::insert(&mut step.tx, &step.agency, new, &list.rows, &by, on, event_no).await?;
    let (hits, nothing_new) = compare(&mut step, Some(list_no), None).await?;
    let detail = json!({
        "list": list_no, "kind": kind.code(), "source": source, "file": file_name, "digest": digest,
        "rows": list.data_rows, "hits": hits.len(), "nothing_new": nothing_new,
    });
    step.finish(&format!("list {list_no}"), detail).await?;
    Ok(Compared {
        list_no: Some(list_no),
        rows: list.data_rows,
        compared: list.rows.len(),
        hits,
        nothing_new,
        findings: list.findings,
        already: None,
    })
}

/// Compares the people of enrolments that were just made with every list that the office has.
///
/// # Errors
/// The database's.
pub(super) async fn compare_enrolled(step: &mut Step, enrolled: RangeInclusive<i64>) -> Result<Vec<NewHit>, Failure> {
    if enrolled.is_empty() {
        return Ok(Vec::new());
    }
    Ok(compare(step, None, Some(enrolled)).await?.0)
}

/// What a hit on someone just enrolled is told as beside the roster.
pub(super) fn as_finding(hit: &NewHit, row: usize) -> RowFinding {
    RowFinding {
        row,
        column: "公民身份号码".into(),
        code: "COMPARISON_HIT",
        found: format!("{} {}，已暂停支付", hit.name, hit.note),
        expected: String::new(),
        severity: Severity::Warning,
        hint: format!("核实后用 fafang comparison confirm {0} 或 dismiss {0}", hit.no),
    }
}

/// Opens a hit and a hold for each of our people on a list, or on any; with `enrolled`, for the people of
/// these enrolments only. Also how many matches said nothing new.
async fn compare(
    step: &mut Step,
    list_no: Option<i64>,
    enrolled: Option<RangeInclusive<i64>>,
) -> Result<(Vec<NewHit>, usize), Failure> {
    let mut matches = comparison::matches(&mut step.tx, &step.agency, list_no).await?;
    if matches.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let matched: HashSet<&str> = matches.iter().map(|m| m.citizen_number.as_str()).collect();
    let matched: Vec<&str> = matched.into_iter().collect();
    let mut enrolments: HashMap<i64, Vec<i64>> = HashMap::new();
    for (person, enrolment_no) in enrolment::numbers_of_people(&mut step.tx, &step.agency, &matched).await? {
        enrolments.entry(person).or_default().push(enrolment_no);
    }
    if let Some(enrolled) = &enrolled {
        enrolments.retain(|_, own| own.iter().any(|no| enrolled.contains(no)));
        matches.retain(|m| enrolments.contains_key(&m.beneficiary_no));
    }
    let mut known: HashMap<i64, Vec<(ComparisonKind, Option<NaiveDate>, HitStatus)>> = HashMap::new();
    for hit in comparison::hits(&mut step.tx, &step.agency, None).await? {
        known.entry(hit.of.beneficiary_no).or_default().push((hit.of.kind, hit.of.from, hit.status));
    }
    let (mut hits, mut nothing_new) = (Vec::new(), 0);
    for (found, lines) in one_per_person(matches) {
        let before = known.entry(found.beneficiary_no).or_default();
        let is_known = before.iter().any(|(kind, from, status)| {
            (*kind, *from) == (found.kind, found.from) && still_says(*status, *kind, enrolled.is_some())
        });
        let own = enrolments.get(&found.beneficiary_no).map_or(&[][..], Vec::as_slice);
        if is_known || found.kind == ComparisonKind::Death && is_registered(step, own, found.from).await? {
            nothing_new += 1;
            continue;
        }
        before.push((found.kind, found.from, HitStatus::Open));
        hits.push(open(step, &found, lines).await?);
    }
    Ok((hits, nothing_new))
}

/// Whether an earlier hit answers the same hit of today. Someone enrolled since then was decided
/// for other schemes: only that the list means another person still holds.
fn still_says(status: HitStatus, kind: ComparisonKind, enrolled_since: bool) -> bool {
    match status {
        HitStatus::Open => true,
        HitStatus::Dismissed => !enrolled_since || kind != ComparisonKind::PayList,
        HitStatus::Confirmed => !enrolled_since,
    }
}

/// A pay list has a line for every month: its first one stands for all, with their number.
fn one_per_person(matches: Vec<Match>) -> Vec<(Match, usize)> {
    let mut found: Vec<(Match, usize)> = Vec::with_capacity(matches.len());
    let mut place: HashMap<(i64, i64), usize> = HashMap::new();
    for line in matches {
        if line.kind != ComparisonKind::PayList {
            found.push((line, 1));
            continue;
        }
        let at = *place.entry((line.list_no, line.beneficiary_no)).or_insert(found.len());
        match found.get_mut(at) {
            None => found.push((line, 1)),
            Some((first, lines)) => {
                *lines += 1;
                let since = |m: &Match| m.from.unwrap_or(NaiveDate::MAX);
                if since(&line) < since(first) {
                    *first = line;
                }
            }
        }
    }
    found
}

/// True when every enrolment is stopped by a death no later than `from`.
async fn is_registered(step: &mut Step, enrolments: &[i64], from: Option<NaiveDate>) -> Result<bool, Failure> {
    for no in enrolments {
        let facts = enrolment_event::facts(&mut step.tx, &step.agency, *no).await?;
        if registered_death(&facts).is_none_or(|on| from.is_some_and(|from| on > from)) {
            return Ok(false);
        }
    }
    Ok(!enrolments.is_empty())
}

async fn open(step: &mut Step, found: &Match, lines: usize) -> Result<NewHit, Failure> {
    let (on, event_no, by) = (step.on, step.event_no, step.actor.name.clone());
    let note = note(found, lines);
    let reason = HoldReason::Comparison(found.kind);
    let person = found.beneficiary_no;
    let new = NewHold { beneficiary_no: person, reason, note: note.clone() };
    let hold_no = hold::insert(&mut step.tx, &step.agency, &[new], &by, on, event_no).await?;
    let no = comparison::insert_hit(&mut step.tx, &step.agency, found, hold_no, on, event_no).await?;
    Ok(NewHit {
        no,
        hold_no,
        beneficiary_no: person,
        name: found.name.clone(),
        citizen_number: CitizenNumber::from_stored(&found.citizen_number).masked(),
        row: found.row_no,
        note,
    })
}

/// `死亡名单（公安）第 3 行: 2026-03-05 死亡`, with another name if the list has one.
fn note(found: &Match, lines: usize) -> String {
    let mut note = format!("{}: {}", found.place(), found.kind.says(found.from, found.to));
    if lines > 1 {
        note = format!("{note}，共 {lines} 行");
    }
    if !found.listed_name.is_empty() && !same_name(&found.listed_name, &found.name) {
        note = format!("{note}；名单姓名“{}”", found.listed_name);
    }
    note
}
