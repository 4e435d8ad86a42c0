//! Publicity (公示): records what was shown of a run, and says whether that is enough to approve or close it.

use chrono::NaiveDate;
use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::money::Money;
use crate::domain::publicity::{Missing, PublicityKind, Showing, list_digest, missing_before_approval};
use crate::domain::run::{Run, RunState};
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::publicity;

/// What a maker writes down of a list that is or was shown.
#[derive(Debug, Clone, Copy)]
pub struct NewShowing<'a> {
    /// What for.
    pub kind: PublicityKind,
    /// Where.
    pub place: &'a str,
    /// First day.
    pub from: NaiveDate,
    /// Last day; may lie ahead.
    pub to: NaiveDate,
    /// What was objected and what came of it; empty when nobody objected.
    pub objections: &'a str,
}

/// What recording did.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// The record.
    pub showing: Showing,
    /// True when the same person had recorded the same before: nothing was changed.
    pub already: bool,
}

/// Records that the list of a run is or was shown, with the digest of that list.
///
/// # Errors
/// Without a place; when the days cannot be; before the approval only for runs that still wait for it, as a
/// result only once every payment has its outcome.
pub async fn record_publicity(office: &Office, code: &str, new: NewShowing<'_>) -> Result<Recorded, Failure> {
    let (place, objections) = (new.place.trim(), new.objections.trim());
    if place.is_empty() {
        return Err(
            Failure::refused("NO_PLACE", "必须写明公示地点").hint("用 --place 写明，例如 --place \"中心公示栏\"")
        );
    }
    let mut step = Step::begin(office, "publicity.record", &[Role::Maker]).await?;
    let run = office.run(&mut step.tx, code).await?;
    check_state(&run, new.kind)?;
    check_days(&run, new, step.on)?;
    let rows = publicity::list(&mut step.tx, &step.agency, &run, new.kind).await?;
    let earlier = publicity::of_run(&mut step.tx, &step.agency, &run).await?;
    let showing = Showing {
        no: earlier.last().map_or(1, |s| s.no + 1),
        kind: new.kind,
        place: place.to_string(),
        from: new.from,
        to: new.to,
        objections: objections.to_string(),
        list_digest: list_digest(&rows),
        rows: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        total: rows.iter().map(|r| r.amount).sum::<Money>(),
        recorded_by: step.actor.name.clone(),
        recorded_on: step.on,
    };
    let same = |s: &&Showing| Showing { no: s.no, recorded_on: s.recorded_on, ..showing.clone() } == **s;
    if let Some(showing) = earlier.iter().find(same) {
        return Ok(Recorded { run, showing: showing.clone(), already: true });
    }
    publicity::insert(&mut step.tx, &step.agency, &run, &showing, step.event_no).await?;
    let detail = json!({
        "publicity_no": showing.no, "kind": showing.kind.code(), "place": showing.place, "from": showing.from, "to": showing.to,
        "objections": showing.objections, "list_digest": showing.list_digest, "rows": showing.rows, "total_fen": showing.total.fen(),
    });
    step.finish(code, detail).await?;
    Ok(Recorded { run, showing, already: false })
}

fn check_state(run: &Run, kind: PublicityKind) -> Result<(), Failure> {
    let fits = match kind {
        PublicityKind::Before => {
            matches!(run.state, RunState::Prepared { .. } | RunState::Submitted(_) | RunState::Reviewed(..))
        }
        PublicityKind::Result => run.state.is_settled(),
    };
    if fits {
        return Ok(());
    }
    let expected = match kind {
        PublicityKind::Before => "应在审批之前",
        PublicityKind::Result => "应在全部明细有结果之后",
    };
    Err(Failure::refused(
        "RUN_WRONG_STATE",
        format!("批次 {} {}，不能登记{}，{expected}", run.code, run.state.sentence(), kind.title()),
    ))
}

/// A list hangs no earlier than it exists, and nothing is written down that has not begun.
fn check_days(run: &Run, new: NewShowing<'_>, today: NaiveDate) -> Result<(), Failure> {
    let (earliest, why) = match new.kind {
        PublicityKind::Before => (run.prepared.on, "批次在那天计算"),
        PublicityKind::Result => (run.state.issued().map_or(run.prepared.on, |s| s.on), "批次在那天报盘"),
    };
    let found = if new.to < new.from {
        format!("公示止于 {}，早于开始日期 {}", new.to, new.from)
    } else if new.from < earliest {
        format!("公示始于 {}，应不早于 {earliest}（{why}）", new.from)
    } else if new.from > today {
        format!("公示始于 {}，晚于业务日期 {today}，还没有开始", new.from)
    } else {
        return Ok(());
    };
    Err(Failure::refused("PUBLICITY_DATES", found).hint("按实际张贴的日期填写 --from 和 --to"))
}

/// Refuses unless exactly the list of the run was shown before the approval, as long as the scheme asks.
///
/// # Errors
/// When working days are missing, told until which day; when a year is missing in the calendar.
pub(super) async fn published_before(
    office: &Office,
    step: &mut Step,
    run: &Run,
    scheme: &Scheme,
) -> Result<(), Failure> {
    let Some(needed) = scheme.publicity.days_before_approval else { return Ok(()) };
    let rows = publicity::list(&mut step.tx, &step.agency, run, PublicityKind::Before).await?;
    let showings = publicity::of_run(&mut step.tx, &step.agency, run).await?;
    let missing = missing_before_approval(&office.calendar, &showings, &list_digest(&rows), needed, step.on)?;
    match missing {
        None => Ok(()),
        Some(missing) => Err(not_published(run, needed, &missing)),
    }
}

fn not_published(run: &Run, needed: i64, missing: &Missing) -> Failure {
    let Missing { days, until, nearest, other_list } = missing;
    let (found, begin) = match nearest {
        Some(s) => (format!("已登记 {} 至 {}", s.from, s.to), ""),
        None if *other_list => ("公示过的名单与现在的明细不同".to_string(), "今天开始的话"),
        None => ("没有公示记录".to_string(), "今天开始的话"),
    };
    let found = format!("{found}，还差 {days} 个工作日，{begin}应公示到 {until}，期满次日起可以审批");
    Failure::refused("NOT_PUBLISHED", format!("批次 {} 审批前须公示 {needed} 个工作日: {found}", run.code))
        .hint("用 fafang publicity export 导出公示名单，张贴后用 fafang publicity record --kind before 登记")
}

/// Refuses unless the list of who was paid, as it is now, was shown where the scheme asks for it.
///
/// # Errors
/// When it was not, or another list was.
pub(super) async fn published_result(step: &mut Step, run: &Run, scheme: &Scheme) -> Result<(), Failure> {
    if !scheme.publicity.result {
        return Ok(());
    }
    let rows = publicity::list(&mut step.tx, &step.agency, run, PublicityKind::Result).await?;
    let digest = list_digest(&rows);
    let showings = publicity::of_run(&mut step.tx, &step.agency, run).await?;
    let results: Vec<&Showing> = showings.iter().filter(|s| s.kind == PublicityKind::Result).collect();
    if results.iter().any(|s| s.list_digest == digest) {
        return Ok(());
    }
    let found = if results.is_empty() {
        "没有发放结果的公示记录"
    } else {
        "公示过的结果与现在的不同（其后有退票）"
    };
    Err(Failure::refused("RESULT_NOT_PUBLISHED", format!("批次 {}: {found}，项目要求结果公示后才能办结", run.code)).hint(
        "用 fafang publicity export --kind result 导出结果名单，张贴后用 fafang publicity record --kind result 登记",
    ))
}
