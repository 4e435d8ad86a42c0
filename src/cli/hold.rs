//! `fafang hold`: who may not be paid, why, and what to do.

use super::{Answer, Desk, exit_code};
use crate::reports::worklist;
use crate::workflow::clear_hold::clear_hold;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 列出未解除的暂停支付
    List,
    /// 解除（欠发的金额由下一批次补发）
    Clear {
        /// 暂停支付的编号
        hold_no: i64,
        /// 处理结果
        #[arg(long)]
        note: String,
    },
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::List => desk.out.report(&worklist::holds(&desk.office).await?),
        Command::Clear { hold_no, note } => {
            clear_hold(&desk.office, hold_no, &note).await?;
            desk.out.answer(
                || serde_json::json!({ "hold": hold_no, "cleared": true }),
                || format!("第 {hold_no} 号暂停支付已解除"),
            );
        }
    }
    Ok(exit_code::DONE)
}
