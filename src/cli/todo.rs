//! `fafang todo`: what must be done today, by whom, oldest first.

use super::{Answer, Desk, exit_code};
use crate::domain::actor::Role;
use crate::reports::todo::{Reader, todo};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 只看一个岗位: maker 经办、reviewer 复核、approver 审批、finance 财务、admin 管理员（默认 --as 的人；都不写看全部）
    #[arg(long)]
    role: Option<Role>,
}

pub async fn run(args: Args, desk: &Desk) -> Answer {
    let office = &desk.office;
    let reader = match (args.role, &office.acting) {
        (Some(role), _) => Reader::Post(role),
        (None, Some(_)) => Reader::Person(office.actor(&mut office.read().await?).await?),
        (None, None) => Reader::Everybody,
    };
    desk.out.report(&todo(office, &reader).await?);
    Ok(exit_code::DONE)
}
