//! Runs that wait for their next step: a signature, the public, the bank, the end.

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::domain::publicity::{Missing, PublicityKind, Showing, list_digest, missing_before_approval};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::storage::engine::Tx;
use crate::storage::publicity;

/// The next step of every run that has one.
pub(super) async fn next_steps(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let mut list = Vec::new();
    for run in books.live_runs() {
        let unpublished = match run.state {
            RunState::Prepared { .. } | RunState::Submitted(_) | RunState::Reviewed(..) => {
                before_approval(tx, books, run).await?
            }
            _ => None,
        };
        let is_published = unpublished.is_none();
        match unpublished {
            Some(Unpublished::NoCalendar(todo)) => list.push(todo),
            // While a list hangs, there is nothing to do but wait.
            Some(Unpublished::Missing(m)) if m.nearest.as_ref().is_some_and(|s| s.to >= books.today) => {}
            Some(Unpublished::Missing(missing)) => list.push(Todo {
                what: format!(
                    "公示名单，还差 {} 个工作日{}",
                    missing.days,
                    if missing.other_list { "（公示过的是另一份名单）" } else { "" }
                ),
                command: format!("fafang publicity export {0} --out 公示.xlsx，张贴后 publicity record {0}", run.code),
                ..todo("PUBLICITY_DUE", &[Role::Maker], run, run.prepared.on)
            }),
            None => {}
        }
        list.extend(signature(tx, books, run, is_published).await?);
    }
    Ok(list)
}

fn todo(code: &'static str, roles: &'static [Role], run: &Run, since: chrono::NaiveDate) -> Todo {
    Todo { amount: Some(run.total), ..Todo::new(code, roles, since, run.code.clone()) }
}

/// Why a run may not be approved yet.
enum Unpublished {
    Missing(Missing),
    NoCalendar(Todo),
}

async fn before_approval(tx: &mut Tx, books: &Books<'_>, run: &Run) -> Result<Option<Unpublished>, Failure> {
    let agency = books.office.agency_code.as_str();
    let days = books.scheme(&run.scheme_code).and_then(|s| s.publicity.days_before_approval);
    let Some(days) = days else { return Ok(None) };
    let showings = publicity::of_run(tx, agency, run).await?;
    let digest = digest_if_shown(tx, books, run, &showings, PublicityKind::Before).await?;
    Ok(match missing_before_approval(&books.office.calendar, &showings, &digest, days, books.today) {
        Ok(missing) => missing.map(Unpublished::Missing),
        Err(missing) => Some(Unpublished::NoCalendar(Todo {
            what: format!("算不出公示期: {missing}"),
            command: format!("新建 config/calendar/{}.toml", missing.year),
            ..todo("CALENDAR_YEAR_MISSING", &[Role::Admin], run, run.prepared.on)
        })),
    })
}

async fn signature(tx: &mut Tx, books: &Books<'_>, run: &Run, is_published: bool) -> Result<Option<Todo>, Failure> {
    let code = &run.code;
    let made_by = run.prepared.by.clone();
    Ok(match &run.state {
        RunState::Prepared { sent_back: None } => Some(Todo {
            what: format!("提交 {} 笔", run.payments),
            command: format!("fafang run submit {code}"),
            ..todo("RUN_TO_SUBMIT", &[Role::Maker], run, run.prepared.on)
        }),
        RunState::Prepared { sent_back: Some((by, reason)) } => Some(Todo {
            what: format!("{} 退回: {reason}", by.by),
            command: format!("fafang run cancel {code} --reason 原因 后重新计算，或 run submit {code}"),
            ..todo("RUN_SENT_BACK", &[Role::Maker], run, by.on)
        }),
        RunState::Submitted(submitted) => Some(Todo {
            not_by: vec![made_by, submitted.by.by.clone()],
            what: format!("复核 {} 笔", run.payments),
            command: format!("fafang run review {code}"),
            ..todo("RUN_TO_REVIEW", &[Role::Reviewer], run, submitted.by.on)
        }),
        RunState::Reviewed(submitted, reviewed) if is_published => Some(Todo {
            not_by: vec![made_by, submitted.by.by.clone(), reviewed.by.clone()],
            what: format!("审批 {} 笔", run.payments),
            command: format!("fafang run approve {code}"),
            ..todo("RUN_TO_APPROVE", &[Role::Approver], run, reviewed.on)
        }),
        RunState::Approved(signed) => Some(Todo {
            what: format!("报盘 {} 笔{}", run.payments, pay_day(books, run)),
            command: format!("fafang bank issue {code} --out 文件夹"),
            ..todo("RUN_TO_ISSUE", &[Role::Finance], run, signed.approved.on)
        }),
        RunState::Settled(_, issued) => {
            if is_result_shown(tx, books, run).await? {
                Some(Todo {
                    what: "全部明细有结果，可以办结".into(),
                    command: format!("fafang run close {code}"),
                    ..todo("RUN_TO_CLOSE", &[Role::Finance], run, issued.on)
                })
            } else {
                Some(Todo {
                    what: "公示发放结果".into(),
                    command: format!("fafang publicity export {code} --out 公示.xlsx，张贴后 publicity record {code}"),
                    ..todo("RESULT_PUBLICITY_DUE", &[Role::Maker], run, issued.on)
                })
            }
        }
        _ => None,
    })
}

/// The day on which the run should be paid, in words, where its scheme has one.
fn pay_day(books: &Books<'_>, run: &Run) -> String {
    let day = books.scheme(&run.scheme_code).and_then(|scheme| scheme.pay_day);
    match day.map(|day| day.of(run.periods.last, &books.office.calendar)) {
        None => String::new(),
        Some(Ok(date)) => format!("，发放日 {date}"),
        Some(Err(missing)) => format!("，算不出发放日: {missing}"),
    }
}

/// Digest of the list as it is now; the list is long, and not read where nothing was shown to compare it with.
async fn digest_if_shown(
    tx: &mut Tx,
    books: &Books<'_>,
    run: &Run,
    showings: &[Showing],
    kind: PublicityKind,
) -> Result<String, Failure> {
    if showings.iter().all(|s| s.kind != kind) {
        return Ok(String::new());
    }
    Ok(list_digest(&publicity::list(tx, &books.office.agency_code, run, kind).await?))
}

async fn is_result_shown(tx: &mut Tx, books: &Books<'_>, run: &Run) -> Result<bool, Failure> {
    if !books.scheme(&run.scheme_code).is_some_and(|s| s.publicity.result) {
        return Ok(true);
    }
    let showings = publicity::of_run(tx, &books.office.agency_code, run).await?;
    let digest = digest_if_shown(tx, books, run, &showings, PublicityKind::Result).await?;
    Ok(showings.iter().any(|s| s.kind == PublicityKind::Result && s.list_digest == digest))
}
