//! The only door to a writing transaction. A step begins with the agency locked and the actor's
//! role checked, and ends with its audit event and the commit; dropped on the way, nothing happened.

use chrono::NaiveDate;
use serde_json::Value;

use crate::crash;
use crate::domain::actor::{Actor, Role, Signature};
use crate::domain::period::date_number;
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::audit_event::{self, AuditEvent};
use crate::storage::engine::Tx;
use crate::storage::enrolment_event::ChangeMark;

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
    at: String,
    previous_hash: String,
    action: &'static str,
}

impl Step {
    /// Begins a step for one of the `allowed` roles.
    ///
    /// # Errors
    /// When the actor is not registered or has another role, or the database is busy.
    pub async fn begin(office: &Office, action: &'static str, allowed: &[Role]) -> Result<Step, Failure> {
        let mut tx = office.database.write().await?;
        let (event_no, previous_hash) = audit_event::advance(&mut tx, &office.agency_code).await?.ok_or_else(|| {
            Failure::new(Kind::Configuration, "NO_AGENCY", format!("没有经办机构 {}", office.agency_code))
        })?;
        let actor = office.actor(&mut tx).await?;
        if !allowed.contains(&actor.role) {
            let posts: Vec<&str> = allowed.iter().map(|r| r.title()).collect();
            return Err(Failure::refused(
                "WRONG_ROLE",
                format!("{} 的岗位是{}，此操作应由{}办理", actor.name, actor.role, posts.join("或")),
            )
            .hint("用 --as 姓名 指明操作人"));
        }
        Ok(Step {
            tx,
            agency: office.agency_code.clone(),
            actor,
            event_no,
            on: office.business_date(),
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
