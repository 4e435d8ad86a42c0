//! Moves a whole database, every agency in it, to another database: from a file to a server, or back.
//!
//! Two databases that both pay people would be a disaster, so at any moment at most one of them can be worked in:
//!
//! 1. The source is locked for writing until the end. Its administrator signs one audit event per agency, before
//!    anything is read, so that the chain of both databases ends with the move.
//! 2. One writing transaction on the target takes every row. Both sides are then surveyed on their own (rows, sums,
//!    digests), and only if they are the same is the target committed.
//! 3. The source is marked, and its events and marks are committed together. From then on it is only read.
//!
//! Interrupted before the target is committed, nothing happened. Interrupted after it and before the source is, the
//! target holds the office with the move in its chain while the source knows nothing of it: done again, the move takes
//! those events from the target, finds both the same, and marks the source.

use serde_json::json;

use super::step::{actor_in, gone};
use crate::crash;
use crate::domain::actor::{Actor, Role};
use crate::domain::period::date_number;
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::agency;
use crate::storage::audit_event::{self, AuditEvent};
use crate::storage::engine::{Database, Tx, place};
use crate::storage::moved_away::{self, MovedAway};
use crate::storage::whole_office::{self, Survey, SurveyedTable};

const ACTION: &str = "office.move";

/// What a move found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was copied.
    Copied,
    /// The target held exactly the same: only the source was marked.
    Same,
    /// It had been moved there before: nothing was changed.
    Already,
}

/// A move that is done.
#[derive(Debug, Clone)]
pub struct Moved {
    /// What was done.
    pub outcome: Outcome,
    /// The target, without a password.
    pub target: String,
    /// What the source holds, and the target held when it was moved.
    pub survey: Survey,
}

/// Moves everything to an empty target, or finishes a move that was interrupted.
///
/// # Errors
/// Unless an administrator acts; when the target is this same database, holds anything but exactly the same, cannot be
/// reached, or holds something else after the copy; when the office went elsewhere before. Then both are unchanged.
pub async fn move_office(office: &Office, to: &str) -> Result<Moved, Failure> {
    let place = place(to)?;
    let mut source = office.database.write_on_one_picture().await?;
    audit_event::lock_all(&mut source).await?;
    let actor = actor_in(office, &mut source, &[Role::Admin]).await?;
    if let Some(moved) = moved_away::find(&mut source, &office.agency_code).await? {
        if moved.target != place {
            return Err(gone(&moved));
        }
        let survey = whole_office::survey(&mut source).await?;
        return Ok(Moved { outcome: Outcome::Already, target: place, survey });
    }
    let target = Database::create(to).await?;
    let moved = carry(office, source, actor, &target).await;
    target.close().await;
    moved
}

/// Steps 1 to 3, with the source locked.
async fn carry(office: &Office, mut source: Tx, actor: Actor, target: &Database) -> Result<Moved, Failure> {
    if office.database.identity().await? == target.identity().await? {
        return Err(Failure::refused("SAME_DATABASE", format!("{} 就是现在的数据库", target.place()))
            .hint("用 --to 指出另一个空的数据库"));
    }
    let agencies: Vec<String> = agency::list(&mut source).await?.into_iter().map(|(code, _)| code).collect();
    let mut arriving = target.write().await?;
    let outcome = if whole_office::is_empty(&mut arriving).await? {
        sign(office, &mut source, &agencies, &actor, target).await?;
        let bar = office.progress.begin("复制", None, "行");
        whole_office::copy(&mut source, &mut arriving, |rows| bar.advance(rows)).await?;
        Outcome::Copied
    } else {
        take_signatures(&mut source, &agencies, &mut arriving).await?;
        Outcome::Same
    };
    let _bar = office.progress.begin("核对两边", None, "行");
    let survey = whole_office::survey(&mut source).await?;
    let arrived = whole_office::survey(&mut arriving).await?;
    let went_on = moved_away::first(&mut arriving).await?;
    if survey != arrived || went_on.is_some() {
        return Err(match outcome {
            Outcome::Copied => differs_after_copy(&survey.differing(&arrived)),
            _ => not_empty(target, &survey, &arrived, &mut arriving, went_on.as_ref()).await?,
        });
    }
    crash::point(ACTION, "before-target-commit");
    arriving.commit().await?;
    crash::point(ACTION, "before-commit");
    let moved = MovedAway {
        target: target.place(),
        digest: survey.digest.clone(),
        moved_by: actor.name,
        moved_on: date_number(office.business_date()),
        moved_at: office.clock.instant(),
    };
    for agency in &agencies {
        moved_away::mark(&mut source, agency, &moved).await?;
    }
    source.commit().await?;
    crash::point(ACTION, "after-commit");
    tracing::info!(action = ACTION, agencies = agencies.len(), rows = survey.rows(), "step done");
    Ok(Moved { outcome, target: moved.target, survey })
}

/// Writes the move into the chain of every agency.
async fn sign(
    office: &Office,
    source: &mut Tx,
    agencies: &[String],
    actor: &Actor,
    target: &Database,
) -> Result<(), Failure> {
    let detail = json!({ "from": office.database.place(), "to": target.place(), "agencies": agencies.len() });
    for agency in agencies {
        let Some((event_no, previous_hash)) = audit_event::advance(source, agency).await? else { continue };
        let mut event = AuditEvent {
            event_no,
            occurred_at: office.clock.instant(),
            business_date: date_number(office.business_date()),
            actor: actor.name.clone(),
            action: ACTION.into(),
            subject: agency.clone(),
            detail: detail.to_string(),
            previous_hash,
            hash: String::new(),
        };
        event.hash = event.computed_hash(agency);
        audit_event::append(source, agency, &event).await?;
    }
    Ok(())
}

/// Takes the events of an interrupted move out of the target, where they directly follow what the source holds.
async fn take_signatures(source: &mut Tx, agencies: &[String], target: &mut Tx) -> Result<(), Failure> {
    for agency in agencies {
        let head = audit_event::head(source, agency).await?;
        let last = audit_event::last(target, agency).await?;
        let (Some((event_no, hash)), Some(event)) = (head, last) else { continue };
        if event.action == ACTION && event.event_no == event_no + 1 && event.previous_hash == hash {
            audit_event::advance(source, agency).await?;
            audit_event::append(source, agency, &event).await?;
        }
    }
    Ok(())
}

fn in_words(differing: &[(&SurveyedTable, &SurveyedTable)]) -> String {
    let rows = |(ours, theirs): &(&SurveyedTable, &SurveyedTable)| {
        if ours.rows == theirs.rows {
            format!("{}（{} 行，内容不同）", ours.name, ours.rows)
        } else {
            format!("{}（本库 {} 行，目标 {} 行）", ours.name, ours.rows, theirs.rows)
        }
    };
    let mut words: Vec<String> = differing.iter().take(5).map(rows).collect();
    if differing.len() > 5 {
        words.push(format!("等 {} 张表", differing.len()));
    }
    words.join("、")
}

fn differs_after_copy(differing: &[(&SurveyedTable, &SurveyedTable)]) -> Failure {
    let message = format!("复制之后核对，目标与本库不一致: {}", in_words(differing));
    Failure::new(Kind::Internal, "COPY_DIFFERS", message).hint("没有迁移，两边都没有改动；请把这条信息交给技术人员")
}

async fn not_empty(
    target: &Database,
    ours: &Survey,
    theirs: &Survey,
    arriving: &mut Tx,
    went_on: Option<&MovedAway>,
) -> Result<Failure, Failure> {
    let place = target.place();
    let found = if let Some(moved) = went_on {
        format!("那里的数据已经迁到 {}", moved.target)
    } else {
        let agencies = agency::list(arriving).await?.into_iter().map(|(code, name)| format!("{code} {name}"));
        let agencies: Vec<String> = agencies.take(5).collect();
        let whose = if agencies.is_empty() { "没有经办机构".to_string() } else { agencies.join("、") };
        format!("那里已有 {} 行数据（{whose}），与本库不同: {}", theirs.rows(), in_words(&ours.differing(theirs)))
    };
    let message = format!("不能迁到 {place}: {found}。目标应当是空的，或与本库完全相同");
    Ok(Failure::conflict("TARGET_NOT_EMPTY", message).hint("换一个空的数据库，或一个还不存在的文件名；两边都没有改动"))
}
