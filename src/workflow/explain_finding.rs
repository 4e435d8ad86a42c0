//! Records how a difference found in a bank's answer was explained.

use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::finding;

/// Explains an open finding.
///
/// # Errors
/// When it is not open, or no explanation is given.
pub async fn explain_finding(office: &Office, finding_no: i64, explanation: &str) -> Result<(), Failure> {
    if explanation.trim().is_empty() {
        return Err(Failure::refused("NO_EXPLANATION", "必须写明差异的原因").hint("用 --note 写明"));
    }
    let mut step = Step::begin(office, "finding.explain", &[Role::Finance]).await?;
    let Step { tx, agency, actor, on, event_no, .. } = &mut step;
    if !finding::explain(tx, agency, finding_no, &actor.name, *on, *event_no, explanation).await? {
        return Err(Failure::refused("FINDING_NOT_OPEN", format!("第 {finding_no} 号差异不存在或已说明"))
            .hint("fafang finding list 列出对账差异"));
    }
    step.finish(&format!("finding {finding_no}"), json!({ "explanation": explanation })).await
}
