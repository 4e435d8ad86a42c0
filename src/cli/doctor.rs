//! `fafang doctor`: every invariant, checked on the live database.

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::reports::doctor::examine;

pub async fn run(desk: &Desk) -> Answer {
    let found = examine(&desk.office).await?;
    desk.out.answer(
        || json!(found),
        || {
            let mut lines = Vec::new();
            for check in &found.checks {
                let mark = if check.problems.is_empty() { "正常" } else { "有误" };
                lines.push(format!("{mark} [{}] {}（{}）", check.code, check.title, check.examined));
                lines.extend(check.problems.iter().map(|p| format!("     {p}")));
            }
            lines.join("\n")
        },
    );
    Ok(if found.ok { exit_code::DONE } else { exit_code::REFUSED })
}
