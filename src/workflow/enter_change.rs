//! Enters changes, singly or as a list: all or nothing. Where the scheme asks for a second person they
//! wait, checked but without effect, until another person accepts them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change_enrolment::{Changed, apply, apply_to};
use super::decide_hit;
use super::dossiers::Dossiers;
use super::import_roster::{self, Imported};
use super::recover::{self, Recovery, WriteOff};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::change::Change;
use crate::domain::finding::{RowFinding, Severity};
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::change_request::{self, NewRequest, StoredRequest};
use crate::storage::counter;

/// What was entered.
#[derive(Debug, Clone)]
pub struct Entered {
    /// What each change did; where it waits, what it will do as things are now.
    pub changed: Vec<Changed>,
    /// Number under which the changes wait for a second person.
    pub pending: Option<i64>,
}

/// What a request does when it is accepted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    /// Changes of people.
    Changes(Vec<Change>),
    /// A kept roster file.
    Roster(import_roster::Request),
    /// A write-off of what was overpaid.
    WriteOff(WriteOff),
    /// What follows from a hit of a comparison list.
    Comparison(decide_hit::Request),
}

/// Enters one change.
///
/// # Errors
/// Of [`apply`].
pub async fn enter_change(office: &Office, change: Change) -> Result<Entered, Failure> {
    let action = change.what.action();
    let mut step = Step::begin(office, action, &[Role::Maker]).await?;
    let by = step.actor.name.clone();
    let changed = vec![apply(office, &mut step, &change, &by, None).await?];
    conclude(office, step, vec![change], changed, action).await
}

/// Enters a list of changes, each with the row it stands in.
///
/// # Errors
/// Every change that cannot be made, by its row; then none is.
pub async fn enter_list(office: &Office, list: Vec<(usize, Change)>, file: &str) -> Result<Entered, Failure> {
    let mut step = Step::begin(office, "change.import", &[Role::Maker]).await?;
    let by = step.actor.name.clone();
    let mut dossiers = Dossiers::of(&mut step, list.iter().map(|(_, change)| change)).await?;
    let (mut changed, mut findings) = (Vec::with_capacity(list.len()), Vec::new());
    for (row, change) in &list {
        match apply_to(office, &mut step, &mut dossiers, change, (&by, None)).await {
            Ok(done) => changed.push(done),
            Err(failure) if failure.kind == Kind::Refused => findings.push(RowFinding {
                row: *row,
                column: String::new(),
                code: failure.code,
                found: failure.message,
                expected: String::new(),
                severity: Severity::Error,
                hint: failure.hint,
            }),
            Err(failure) => return Err(failure),
        }
    }
    if !findings.is_empty() {
        let message = format!("{file}: {} 行不能办理，没有任何改动", findings.len());
        return Err(Failure::input("CHANGES_REJECTED", message).with_findings(findings));
    }
    if changed.is_empty() {
        return Err(Failure::input("NO_CHANGES", format!("{file}: 没有变更")));
    }
    dossiers.write(&mut step, &by, None).await?;
    let changes = list.into_iter().map(|(_, change)| change).collect();
    conclude(office, step, changes, changed, "change.import").await
}

/// A list of changes that cannot be read.
pub fn unreadable(file: &str, findings: Vec<RowFinding>) -> Failure {
    let rows = findings.iter().filter(|f| f.severity == Severity::Error).count();
    Failure::input("CHANGE_LIST", format!("{file}: {rows} 处错误，没有任何改动")).with_findings(findings)
}

/// Makes the changes last, or, where a scheme asks for a second person, forgets them and stores
/// what was asked.
async fn conclude(
    office: &Office,
    mut step: Step,
    changes: Vec<Change>,
    changed: Vec<Changed>,
    action: &'static str,
) -> Result<Entered, Failure> {
    let mut waits = false;
    let mut schemes: Vec<&str> = changed.iter().map(|c| c.scheme.as_str()).collect();
    schemes.sort_unstable();
    schemes.dedup();
    for code in schemes {
        waits |= office.scheme(&mut step.tx, code).await?.0.second_person.changes;
    }
    if !waits {
        let (subject, detail) = record(&changed);
        step.finish(&subject, detail).await?;
        return Ok(Entered { changed, pending: None });
    }
    drop(step);
    let mut step = Step::begin(office, action, &[Role::Maker]).await?;
    let summary = summary(&changed);
    let request_no =
        request(&mut step, "changes", &changed[0].scheme, &summary, changed.len(), &Content::Changes(changes)).await?;
    step.finish(&format!("request {request_no}"), json!({ "waits": true, "what": summary })).await?;
    Ok(Entered { changed, pending: Some(request_no) })
}

/// Subject and detail of the audit event.
fn record(changed: &[Changed]) -> (String, serde_json::Value) {
    let one = |c: &Changed| json!({ "scheme": c.scheme, "what": c.what, "cleared_holds": c.cleared_holds });
    match changed {
        [only] => (only.citizen_number.clone(), one(only)),
        several => {
            let of = |c: &Changed| json!({ "person": c.citizen_number, "scheme": c.scheme, "what": c.what });
            (format!("{} 项变更", several.len()), json!({ "changes": several.iter().map(of).collect::<Vec<_>>() }))
        }
    }
}

fn summary(changed: &[Changed]) -> String {
    let first = &changed[0];
    let first = format!("{} {} {}", first.name, first.citizen_number, first.what);
    if changed.len() == 1 { first } else { format!("{first} 等 {} 项", changed.len()) }
}

/// Stores what waits for a second person; its number.
pub(super) async fn request(
    step: &mut Step,
    kind: &'static str,
    scheme_code: &str,
    summary: &str,
    items: usize,
    content: &Content,
) -> Result<i64, Failure> {
    let content = serde_json::to_string(content)
        .map_err(|e| Failure::new(Kind::Internal, "REQUEST", format!("无法保存申请: {e}")))?;
    let no = counter::take(&mut step.tx, &step.agency, "change_request", 1).await?;
    let items = i64::try_from(items).unwrap_or(i64::MAX);
    let new = NewRequest { no, kind, scheme_code, summary, items, content };
    change_request::insert(&mut step.tx, &step.agency, new, &step.actor.name, step.on, step.event_no).await?;
    Ok(no)
}

/// What an accepted request did.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// Changes.
    Changes(Vec<Changed>),
    /// A roster.
    Roster(Imported),
    /// A write-off, with its case.
    WriteOff(Recovery),
}

/// Accepts what another person asked for; it takes effect now.
///
/// # Errors
/// Unless it waits, another person asked, and it still fits the roster in force.
pub async fn accept(office: &Office, request_no: i64) -> Result<Accepted, Failure> {
    let mut step = Step::begin(office, "change.accept", &[Role::Reviewer, Role::Approver]).await?;
    let stored = waiting(&mut step, request_no).await?;
    if stored.made_by == step.actor.name {
        return Err(Failure::refused(
            "SAME_PERSON",
            format!("第 {request_no} 号申请由 {} 提出，应由另一人复核", stored.made_by),
        ));
    }
    let second = step.actor.name.clone();
    let content: Content = serde_json::from_str(&stored.content)
        .map_err(|e| Failure::new(Kind::Internal, "INCONSISTENT", format!("第 {request_no} 号申请无法读取: {e}")))?;
    let accepted = match content {
        Content::Changes(changes) => {
            let by = (stored.made_by.as_str(), Some(second.as_str()));
            let mut dossiers = Dossiers::of(&mut step, changes.iter()).await?;
            let mut changed = Vec::with_capacity(changes.len());
            for change in &changes {
                changed.push(apply_to(office, &mut step, &mut dossiers, change, by).await?);
            }
            dossiers.write(&mut step, by.0, by.1).await?;
            Accepted::Changes(changed)
        }
        Content::Comparison(request) => {
            Accepted::Changes(decide_hit::accepted(office, &mut step, &request, &stored.made_by, &second).await?)
        }
        Content::Roster(request) => {
            Accepted::Roster(import_roster::accepted(office, &mut step, &request, &stored.made_by, &second).await?)
        }
        Content::WriteOff(asked) => {
            Accepted::WriteOff(recover::write_off(office, &mut step, &asked, &stored.made_by, &second).await?)
        }
    };
    let (on, event_no) = (step.on, step.event_no);
    if !change_request::decide(&mut step.tx, &step.agency, request_no, true, &second, on, event_no, "").await? {
        return Err(moved(request_no));
    }
    let detail = json!({ "made_by": stored.made_by, "what": stored.summary, "items": stored.item_count });
    step.finish(&format!("request {request_no}"), detail).await?;
    Ok(accepted)
}

/// Turns a request down, with a reason. Whoever made it may take it back.
///
/// # Errors
/// Unless it waits, or without a reason.
pub async fn reject(office: &Office, request_no: i64, why: &str) -> Result<(), Failure> {
    if why.trim().is_empty() {
        return Err(Failure::refused("NO_REASON", "必须写明原因").hint("用 --reason 写明"));
    }
    let mut step = Step::begin(office, "change.reject", &[Role::Maker, Role::Reviewer, Role::Approver]).await?;
    let stored = waiting(&mut step, request_no).await?;
    if step.actor.role == Role::Maker && stored.made_by != step.actor.name {
        return Err(Failure::refused("WRONG_ROLE", format!("第 {request_no} 号申请由 {} 提出", stored.made_by))
            .hint("由本人撤回，或由复核、审批人退回"));
    }
    let Step { tx, agency, actor, on, event_no, .. } = &mut step;
    if !change_request::decide(tx, agency, request_no, false, &actor.name, *on, *event_no, why).await? {
        return Err(moved(request_no));
    }
    step.finish(&format!("request {request_no}"), json!({ "reason": why, "what": stored.summary })).await
}

async fn waiting(step: &mut Step, request_no: i64) -> Result<StoredRequest, Failure> {
    let stored = change_request::find(&mut step.tx, &step.agency, request_no).await?;
    let stored = stored.ok_or_else(|| {
        Failure::refused("UNKNOWN_REQUEST", format!("没有第 {request_no} 号申请"))
            .hint("fafang change list 列出待复核的申请")
    })?;
    match (stored.status.as_str(), &stored.decided_by) {
        ("pending", _) => Ok(stored),
        (status, by) => {
            let done = if status == "accepted" { "通过" } else { "退回" };
            let by = by.as_deref().unwrap_or_default();
            Err(Failure::conflict("ALREADY_DECIDED", format!("第 {request_no} 号申请已由 {by} {done}")))
        }
    }
}

fn moved(request_no: i64) -> Failure {
    Failure::conflict("ALREADY_DECIDED", format!("第 {request_no} 号申请刚被其他人处理过"))
}
