//! `fafang finding`: differences in banks' answers, and their explanations.

use super::{Answer, Desk, exit_code};
use crate::reports::worklist;
use crate::workflow::explain_finding::explain_finding;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 列出对账差异
    List,
    /// 说明一项差异
    Explain {
        /// 差异编号
        finding_no: i64,
        /// 原因和处理
        #[arg(long)]
        note: String,
    },
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::List => desk.out.report(&worklist::findings(&desk.office).await?),
        Command::Explain { finding_no, note } => {
            explain_finding(&desk.office, finding_no, &note).await?;
            desk.out.answer(
                || serde_json::json!({ "finding": finding_no, "explained": true }),
                || format!("第 {finding_no} 号差异已说明"),
            );
        }
    }
    Ok(exit_code::DONE)
}
