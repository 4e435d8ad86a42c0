//! `fafang audit`: the trail, and whether it is whole.

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::reports::{audit, doctor};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 列出审计记录
    List,
    /// 检查审计记录有无改动、增加、删除
    Verify,
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::List => desk.out.report(&audit::audit(&desk.office).await?),
        Command::Verify => {
            let check = doctor::audit_chain(&mut desk.office.read().await?, &desk.office.agency_code).await?;
            let ok = check.problems.is_empty();
            desk.out.answer(
                || json!({ "ok": ok, "events": check.examined, "problems": check.problems }),
                || {
                    if ok {
                        format!("{} 条审计记录连续、未被改动", check.examined)
                    } else {
                        format!("审计记录有问题:\n{}", check.problems.join("\n"))
                    }
                },
            );
            return Ok(if ok { exit_code::DONE } else { exit_code::REFUSED });
        }
    }
    Ok(exit_code::DONE)
}
