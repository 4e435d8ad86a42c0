//! `fafang user`: people and their posts.

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::domain::actor::Role;
use crate::storage::actor;
use crate::workflow::register;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 登记用户，或改任岗位
    Add {
        /// 姓名
        name: String,
        /// 岗位: maker 经办、reviewer 复核、approver 审批、finance 财务、auditor 稽核、admin 管理员
        #[arg(long)]
        role: Role,
    },
    /// 列出用户
    List,
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Add { name, role } => {
            let changed = register::user(&desk.office, &name, role).await?;
            desk.out.answer(
                || json!({ "user": name, "role": role, "changed": changed }),
                || {
                    if changed {
                        format!("已登记 {name}（{role}）")
                    } else {
                        format!("{name} 已是{role}，没有变化")
                    }
                },
            );
        }
        Command::List => {
            let users = actor::list(&mut desk.office.read().await?, &desk.office.agency_code).await?;
            desk.out.answer(
                || json!({ "users": users.iter().map(|u| json!({ "user": u.name, "role": u.role })).collect::<Vec<_>>() }),
                || users.iter().map(|u| format!("{}\t{}\t{}", u.name, u.role.code(), u.role)).collect::<Vec<_>>().join("\n"),
            );
        }
    }
    Ok(exit_code::DONE)
}
