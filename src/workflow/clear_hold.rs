//! Clears a hold once a clerk has resolved what it stands for. What is owed is paid by the next run.

use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::{comparison, hold};

/// Clears an open hold.
///
/// # Errors
/// When it is not open, no resolution is given, or a hit of a comparison list is to be decided first.
pub async fn clear_hold(office: &Office, hold_no: i64, resolution: &str) -> Result<(), Failure> {
    if resolution.trim().is_empty() {
        return Err(Failure::refused("NO_RESOLUTION", "解除暂停必须写明处理结果").hint("用 --note 写明"));
    }
    let mut step = Step::begin(office, "hold.clear", &[Role::Maker]).await?;
    if let Some(hit_no) = comparison::open_of_hold(&mut step.tx, &step.agency, hold_no).await? {
        return Err(Failure::refused("HIT_OPEN", format!("第 {hold_no} 号暂停来自第 {hit_no} 号比对命中，须先核实"))
            .hint(format!("属实用 fafang comparison confirm {hit_no}，不属实用 fafang comparison dismiss {hit_no}")));
    }
    let Step { tx, agency, actor, on, event_no, .. } = &mut step;
    if !hold::clear(tx, agency, hold_no, &actor.name, *on, *event_no, resolution).await? {
        return Err(Failure::refused("HOLD_NOT_OPEN", format!("第 {hold_no} 号暂停不存在或已解除"))
            .hint("fafang hold list 列出未解除的暂停"));
    }
    step.finish(&format!("hold {hold_no}"), json!({ "resolution": resolution })).await
}
