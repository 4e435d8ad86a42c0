//! The only door to a writing transaction. A step begins with the agency locked and the actor's
//! role checked, and ends with its audit event and the commit; dropped on the way, nothing happened.

use chrono::NaiveDate;
use serde_json::Value;

use crate::crash;
use crate::domain::actor::{Actor, Role, Signature};
use crate::domain::period::{date_from_number, date_number};
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::progress::Progress;
use crate::storage::audit_event::{self, AuditEvent};
use crate::storage::engine::Tx;
use crate::storage::enrolment_event::ChangeMark;
use crate::storage::moved_away::{self, MovedAway};

/// A step under way.
#[derive(Debug)]
pub struct Step {
    /// The transaction.
    pub tx: Tx,
    /// The agency.
    pub agency: String,
    /// Who acts.
    pub actor: Actor,
    /// Number of the audit event that this step will write.
    pub event_no: i64,
    /// Business date.
    pub on: NaiveDate,
    /// Where it tells how far it is.
    pub progress: Progress,
    at: String,
    previous_hash: String,
    action: &'static str,
}

/// Who acts, in one of the `allowed` roles.
///
/// # Errors
/// When the actor is not registered or has another role.
pub(super) async fn actor_in(office: &Office, tx: &mut Tx, allowed: &[Role]) -> Result<Actor, Failure> {
    let actor = office.actor(tx).await?;
    if allowed.contains(&actor.role) {
        return Ok(actor);
    }
    let posts: Vec<&str> = allowed.iter().map(|r| r.title()).collect();
    let message = format!("{} 的岗位是{}，此操作应由{}办理", actor.name, actor.role, posts.join("或"));
    Err(Failure::refused("WRONG_ROLE", message).hint("用 --as 姓名 指明操作人"))
}

/// The refusal of every step in a database that was moved away.
pub(super) fn gone(moved: &MovedAway) -> Failure {
    let on = date_from_number(moved.moved_on).map_or_else(String::new, |day| day.to_string());
    let message = format!("本库已由 {} 于 {on} 迁到 {}，这里只能查看，不能办理", moved.moved_by, moved.target);
    Failure::refused("MOVED_AWAY", message).hint("把配置文件的 database（或 --database）改成新的数据库再办理")
}

impl Step {
    /// Begins a step for one of the `allowed` roles.
    ///
    /// # Errors
    /// When the actor is not registered or has another role, the office lives in another database by now, or this
    /// one is busy.
    pub async fn begin(office: &Office, action: &'static str, allowed: &[Role]) -> Result<Step, Failure> {
        let mut tx = office.database.write().await?;
        let (event_no, previous_hash) = audit_event::advance(&mut tx, &office.agency_code).await?.ok_or_else(|| {
            Failure::new(Kind::Configuration, "NO_AGENCY", format!("没有经办机构 {}", office.agency_code))
        })?;
        // Asked after the lock was given, in a statement of its own: who waited for a move to end sees its mark.
        if let Some(moved) = moved_away::find(&mut tx, &office.agency_code).await? {
            return Err(gone(&moved));
        }
        let actor = actor_in(office, &mut tx, allowed).await?;
        Ok(Step {
            tx,
            agency: office.agency_code.clone(),
            actor,
            event_no,
            on: office.business_date(),
            progress: office.progress,
            at: office.clock.instant(),
            previous_hash,
            action,
        })
    }

    /// The actor's signature on this step.
    pub fn signature(&self) -> Signature {
        Signature { by: self.actor.name.clone(), on: self.on, at: self.at.clone() }
    }

    /// The transaction and agency to change an enrolment in, with who changes it, when, under which event.
    pub fn to_change(&mut self) -> (&mut Tx, &str, ChangeMark<'_>) {
        (
            &mut self.tx,
            &self.agency,
            ChangeMark { by: &self.actor.name, on: self.on, event_no: self.event_no, accepted_by: None },
        )
    }

    /// Writes the audit event and commits. `detail` says what changed, without whole numbers of
    /// people or accounts.
    ///
    /// # Errors
    /// The database's; then nothing of the step lasts.
    pub async fn finish(mut self, subject: &str, detail: Value) -> Result<(), Failure> {
        let mut event = AuditEvent {
            event_no: self.event_no,
            occurred_at: self.at,
            business_date: date_number(self.on),
            actor: self.actor.name,
            action: self.action.to_string(),
            subject: subject.to_string(),
            detail: detail.to_string(),
            previous_hash: self.previous_hash,
            hash: String::new(),
        };
        event.hash = event.computed_hash(&self.agency);
        audit_event::append(&mut self.tx, &self.agency, &event).await?;
        crash::point(self.action, "before-commit");
        self.tx.commit().await?;
        crash::point(self.action, "after-commit");
        tracing::info!(action = self.action, event_no = event.event_no, "step done");
        Ok(())
    }
}
