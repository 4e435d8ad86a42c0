//! Decides what a hit of a comparison list means: confirmed, what follows is entered through the same
//! changes that a clerk would enter, and overpayments come out of their dates; dismissed, the hold
//! is cleared and nothing else happens. Where a scheme asks for a second person the changes wait,
//! and the hit and its hold with them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change_enrolment::{Changed, apply};
use super::enter_change::{Content, request};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::change::{Change, What};
use crate::domain::comparison::{ComparisonKind, HitStatus};
use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::entitlement::registered_death;
use crate::domain::period::Period;
use crate::domain::scheme::{Scheme, StopMonth};
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::comparison::{self, Hit};
use crate::storage::{change_request, enrolment, enrolment_event, hold};

/// What the clerk says when confirming.
#[derive(Debug, Clone, Copy, Default)]
pub struct Confirm<'a> {
    /// The hit.
    pub hit_no: i64,
    /// The true day, when the list has none or a wrong one; of a pay list the day of the stop.
    pub date: Option<NaiveDate>,
    /// Of a pay list: first month no longer owed.
    pub stop_from: Option<Period>,
    /// Of a pay list: the scheme to stop, when the person is in several.
    pub scheme: Option<&'a str>,
    /// Why, in words; may be empty.
    pub reason: &'a str,
}

/// What a decision did.
#[derive(Debug, Clone)]
pub struct DecidedHit {
    /// The hit.
    pub hit_no: i64,
    /// Its hold, cleared unless the changes wait.
    pub hold_no: i64,
    /// Name of the person.
    pub name: String,
    /// What was changed, with months that are now overpaid.
    pub changed: Vec<Changed>,
    /// Things to know.
    pub notices: Vec<String>,
    /// Number under which the changes wait for a second person.
    pub pending: Option<i64>,
}

/// What is left to do of a confirmation that waits for a second person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub hit_no: i64,
    pub changes: Vec<Change>,
    pub why: String,
}

/// Confirms a hit: a death stops the person in every scheme, prison and missing suspend in every
/// scheme, a pay list stops one scheme if the clerk says from when.
///
/// # Errors
/// Unless it is open and its date is known; when a change contradicts what is registered.
pub async fn confirm(office: &Office, input: Confirm<'_>) -> Result<DecidedHit, Failure> {
    let mut step = Step::begin(office, "comparison.confirm", &[Role::Maker]).await?;
    let hit = open_hit(&mut step, input.hit_no).await?;
    let Plan { changes, notices, waits, summary } = plan(office, &mut step, &hit, input).await?;
    let by = step.actor.name.clone();
    let mut changed = Vec::with_capacity(changes.len());
    for change in &changes {
        changed.push(apply(office, &mut step, change, &by, None).await?);
    }
    let why = if input.reason.trim().is_empty() { "名单属实" } else { input.reason.trim() };
    let mut decided =
        DecidedHit { hit_no: hit.no, hold_no: hit.hold_no, name: hit.of.name.clone(), changed, notices, pending: None };
    if waits {
        // Only looked at: what was written is forgotten with the step, and what was asked is stored.
        drop(step);
        let mut step = Step::begin(office, "comparison.confirm", &[Role::Maker]).await?;
        let scheme = changes[0].scheme.clone().unwrap_or_default();
        let content = Content::Comparison(Request { hit_no: hit.no, changes, why: why.to_string() });
        let request_no = request(&mut step, "changes", &scheme, &summary, decided.changed.len(), &content).await?;
        decided.pending = Some(request_no);
        let detail = json!({ "waits": true, "request": request_no, "what": summary });
        step.finish(&format!("hit {}", hit.no), detail).await?;
        return Ok(decided);
    }
    conclude(&mut step, &hit, HitStatus::Confirmed, &by, why).await?;
    let what: Vec<_> = decided.changed.iter().map(|c| json!({ "scheme": c.scheme, "what": c.what })).collect();
    let detail = json!({ "list": hit.of.list_no, "kind": hit.of.kind.code(), "hold": hit.hold_no, "changes": what, "reason": why });
    step.finish(&format!("hit {}", hit.no), detail).await?;
    Ok(decided)
}

/// Does what a confirmation asked for, now that a second person has accepted it.
///
/// # Errors
/// When the hit was decided meanwhile, or a change no longer fits.
pub(super) async fn accepted(
    office: &Office,
    step: &mut Step,
    request: &Request,
    by: &str,
    second: &str,
) -> Result<Vec<Changed>, Failure> {
    let hit = undecided(step, request.hit_no).await?;
    let mut changed = Vec::with_capacity(request.changes.len());
    for change in &request.changes {
        changed.push(apply(office, step, change, by, Some(second)).await?);
    }
    conclude(step, &hit, HitStatus::Confirmed, by, &request.why).await?;
    if let Some(last) = changed.last_mut() {
        last.cleared_holds.push(hit.hold_no);
    }
    Ok(changed)
}

/// Dismisses a hit: the list means someone else, or nothing for the benefit. The hold is cleared.
///
/// # Errors
/// Unless it is open, or without a reason.
pub async fn dismiss(office: &Office, hit_no: i64, reason: &str) -> Result<DecidedHit, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::refused("NO_REASON", "排除命中必须写明原因").hint("用 --reason 写明核实情况"));
    }
    let mut step = Step::begin(office, "comparison.dismiss", &[Role::Maker]).await?;
    let hit = open_hit(&mut step, hit_no).await?;
    let by = step.actor.name.clone();
    conclude(&mut step, &hit, HitStatus::Dismissed, &by, reason.trim()).await?;
    let detail = json!({ "list": hit.of.list_no, "kind": hit.of.kind.code(), "hold": hit.hold_no, "reason": reason });
    step.finish(&format!("hit {hit_no}"), detail).await?;
    let Hit { no, hold_no, of, .. } = hit;
    Ok(DecidedHit { hit_no: no, hold_no, name: of.name, changed: Vec::new(), notices: Vec::new(), pending: None })
}

/// A hit that nobody has decided.
async fn undecided(step: &mut Step, hit_no: i64) -> Result<Hit, Failure> {
    let hit = comparison::hit(&mut step.tx, &step.agency, hit_no).await?.ok_or_else(|| {
        Failure::refused("UNKNOWN_HIT", format!("没有第 {hit_no} 号命中"))
            .hint("fafang comparison hits 列出待核实的命中")
    })?;
    if hit.status == HitStatus::Open {
        return Ok(hit);
    }
    let by = hit.decided_by.as_deref().unwrap_or_default();
    Err(Failure::conflict("HIT_DECIDED", format!("第 {hit_no} 号命中{}（{by}）", hit.status.title())))
}

/// A hit that nobody has decided, and of which no confirmation waits.
async fn open_hit(step: &mut Step, hit_no: i64) -> Result<Hit, Failure> {
    let hit = undecided(step, hit_no).await?;
    for waiting in change_request::pending(&mut step.tx, &step.agency).await? {
        let is_this = matches!(serde_json::from_str(&waiting.content),
            Ok(Content::Comparison(Request { hit_no: no, .. })) if no == hit_no);
        if is_this {
            let no = waiting.request_no;
            return Err(Failure::conflict(
                "HIT_WAITS",
                format!("第 {hit_no} 号命中的确认在等待复核（第 {no} 号申请）"),
            )
            .hint(format!("先办理 fafang change accept {no}，或退回 fafang change reject {no}")));
        }
    }
    Ok(hit)
}

async fn conclude(step: &mut Step, hit: &Hit, status: HitStatus, by: &str, why: &str) -> Result<(), Failure> {
    let (on, event_no) = (step.on, step.event_no);
    let moved = || Failure::conflict("HIT_DECIDED", format!("第 {} 号命中刚被其他人处理过", hit.no));
    if !comparison::decide(&mut step.tx, &step.agency, hit.no, status, by, on, event_no, why).await? {
        return Err(moved());
    }
    let resolution = format!("第 {} 号命中{}: {why}", hit.no, status.title());
    if !hold::clear(&mut step.tx, &step.agency, hit.hold_no, by, on, event_no, &resolution).await? {
        return Err(Failure::new(Kind::Internal, "INCONSISTENT", format!("第 {} 号命中没有暂停支付", hit.no))
            .hint("请运行 fafang doctor"));
    }
    Ok(())
}

/// What a confirmation changes.
struct Plan {
    changes: Vec<Change>,
    notices: Vec<String>,
    /// A scheme asks for a second person.
    waits: bool,
    summary: String,
}

async fn plan(office: &Office, step: &mut Step, hit: &Hit, input: Confirm<'_>) -> Result<Plan, Failure> {
    check_input(hit, input)?;
    let mut places = enrolment::of_person(&mut step.tx, &step.agency, &hit.of.citizen_number).await?;
    let stops = input.date.is_some() || input.stop_from.is_some();
    if hit.of.kind == ComparisonKind::PayList {
        places.retain(|(code, _)| stops && input.scheme.is_none_or(|wanted| wanted == code));
        if stops && places.len() != 1 {
            let codes: Vec<&str> = places.iter().map(|(code, _)| code.as_str()).collect();
            return Err(Failure::refused("WHICH_SCHEME", format!("{} 在项目 {} 中", hit.of.name, codes.join("、")))
                .hint("用 --scheme 指明停发哪个项目"));
        }
    }
    let (mut whats, mut notices, mut waits) = (Vec::new(), Vec::new(), false);
    for (code, enrolment_no) in places {
        let (scheme, _) = office.scheme(&mut step.tx, &code).await?;
        let before = whats.len();
        match hit.of.kind {
            ComparisonKind::Death => {
                let on = day_of(hit, input.date, step.on)?;
                let facts = enrolment_event::facts(&mut step.tx, &step.agency, enrolment_no).await?;
                if registered_death(&facts) == Some(on) {
                    notices.push(format!("项目 {code} 已登记 {on} 死亡"));
                } else {
                    whats.push((code, What::Stop { reason: StopReason::Death, on }));
                }
            }
            ComparisonKind::Prison => {
                let cause = SuspensionCause::Prison;
                away(step, hit, input.date, (code, enrolment_no, cause), &mut whats, &mut notices).await?;
            }
            ComparisonKind::Missing => {
                let cause = SuspensionCause::Missing;
                away(step, hit, input.date, (code, enrolment_no, cause), &mut whats, &mut notices).await?;
            }
            ComparisonKind::PayList => {
                let on = input.stop_from.map_or(input.date, |month| Some(last_day_before(&scheme, month)));
                whats.extend(on.map(|on| (code, What::Stop { reason: StopReason::Ineligible, on })));
            }
        }
        waits |= whats.len() > before && scheme.second_person.changes;
    }
    let list = &hit.of;
    let evidence = format!("第 {} 号{}", list.list_no, list.place());
    let reason = if input.reason.trim().is_empty() { list.kind.title() } else { input.reason.trim() };
    let changes: Vec<Change> = whats
        .into_iter()
        .map(|(scheme, what)| Change {
            citizen_number: list.citizen_number.clone(),
            scheme: Some(scheme),
            what,
            reason: reason.to_string(),
            evidence: evidence.clone(),
        })
        .collect();
    if list.kind == ComparisonKind::PayList && changes.is_empty() {
        notices.push("只作记录，没有停发；需要停发时写明 --stop-from 或 --date".into());
    }
    let summary = format!("确认第 {} 号命中: {} {evidence}", hit.no, list.name);
    Ok(Plan { changes, notices, waits, summary })
}

fn check_input(hit: &Hit, input: Confirm<'_>) -> Result<(), Failure> {
    let is_pay_list = hit.of.kind == ComparisonKind::PayList;
    if !is_pay_list && (input.stop_from.is_some() || input.scheme.is_some()) {
        let what = format!("{}的命中对此人的全部项目生效，不能指定项目或停发月", hit.of.kind.title());
        return Err(Failure::refused("NOT_FOR_THIS_LIST", what).hint("日期有误时用 --date 写明"));
    }
    if input.stop_from.is_some() && input.date.is_some() {
        return Err(Failure::refused("DATE_OR_MONTH", "--stop-from 和 --date 只能写一个"));
    }
    Ok(())
}

/// The day that counts: the clerk's, else the list's.
fn day_of(hit: &Hit, said: Option<NaiveDate>, today: NaiveDate) -> Result<NaiveDate, Failure> {
    let on = said.or(hit.of.from).ok_or_else(|| {
        Failure::refused("DATE_NEEDED", format!("第 {} 号命中的名单没有可用的日期", hit.no))
            .hint("核实后用 --date 写明")
    })?;
    if on > today {
        return Err(Failure::refused("DATE_AHEAD", format!("{on} 在业务日期 {today} 之后")));
    }
    Ok(on)
}

/// Suspended from the month of going away; once released, paid again from the month after. A planned
/// release is not one: only a past one is entered. Months in prison are never paid back.
async fn away(
    step: &mut Step,
    hit: &Hit,
    said: Option<NaiveDate>,
    (code, enrolment_no, cause): (String, i64, SuspensionCause),
    whats: &mut Vec<(String, What)>,
    notices: &mut Vec<String>,
) -> Result<(), Failure> {
    let from = Period::of(day_of(hit, said, step.on)?);
    let entitlement = enrolment::by_no(&mut step.tx, &step.agency, enrolment_no).await?.entitlement;
    if let Some(last) = entitlement.last.filter(|last| *last < from) {
        notices.push(format!("项目 {code} 最后一个月是 {last}，不需要暂停"));
        return Ok(());
    }
    let covers = |s: &&crate::domain::entitlement::Suspension| {
        s.cause == cause && s.from <= from && s.resumed_from.is_none_or(|resumed| resumed > from)
    };
    let mut is_open = true;
    if let Some(known) = entitlement.suspensions.iter().find(covers) {
        notices.push(format!("项目 {code} 自 {} 起已暂停（{}）", known.from, cause.title()));
        is_open = known.resumed_from.is_none();
    } else {
        whats.push((code.clone(), What::Suspend { cause, from }));
    }
    match hit.of.to {
        Some(to) if to <= step.on && is_open => {
            let back_pay = (cause == SuspensionCause::Prison).then_some(false);
            whats.push((code, What::Resume { cause: Some(cause), from: Period::of(to).next(), back_pay }));
        }
        Some(to) if to > step.on => {
            notices.push(format!("项目 {code} 预计 {to} 结束，届时核实后用 change resume 登记恢复"));
        }
        _ => {}
    }
    Ok(())
}

/// A day of leaving after which a month is the first one not owed, under the scheme's rule.
fn last_day_before(scheme: &Scheme, month: Period) -> NaiveDate {
    match scheme.stop_month {
        StopMonth::NotPaid => month.first_day(),
        StopMonth::Paid | StopMonth::CalendarDays | StopMonth::ThirtyDays => month.previous().last_day(),
    }
}
