//! `fafang publicity`: the list to be shown, and the record that it was.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Answer, Desk, date_argument, exit_code, report};
use crate::domain::publicity::{PublicityKind, Showing};
use crate::reports::publicity::{Notice, notice};
use crate::workflow::publish::{NewShowing, record_publicity};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 导出公示名单（号码掩码，不含账号）
    Export {
        /// 批次号
        run: String,
        /// 目标文件，结尾决定格式
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// before 发放前公示、result 发放结果公示（默认按批次状态）
        #[arg(long, value_parser = kind_argument)]
        kind: Option<PublicityKind>,
        /// 公示第一天（默认业务日期）
        #[arg(long, value_parser = date_argument)]
        from: Option<NaiveDate>,
        /// 公示最后一天（默认按项目规定的工作日数）
        #[arg(long, value_parser = date_argument)]
        to: Option<NaiveDate>,
        /// 监督电话（默认配置文件的 complaint_phone）
        #[arg(long)]
        phone: Option<String>,
    },
    /// 登记公示: 何处、从何日到何日、有无异议
    Record {
        /// 批次号
        run: String,
        /// before 发放前公示、result 发放结果公示
        #[arg(long, value_parser = kind_argument)]
        kind: PublicityKind,
        /// 公示地点
        #[arg(long)]
        place: String,
        /// 公示第一天
        #[arg(long, value_parser = date_argument)]
        from: NaiveDate,
        /// 公示最后一天
        #[arg(long, value_parser = date_argument)]
        to: NaiveDate,
        /// 异议和处理结果（没有不写）
        #[arg(long, default_value = "")]
        objections: String,
    },
}

fn kind_argument(text: &str) -> Result<PublicityKind, String> {
    PublicityKind::parse(text)
        .ok_or_else(|| format!("“{text}”不是公示种类，应为 before 发放前公示 或 result 发放结果公示"))
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Export { run, out, kind, from, to, phone } => {
            let list = notice(&desk.office, &run, Notice { kind, from, to, phone }).await?;
            report::write(desk, &list, &out)
        }
        Command::Record { run, kind, place, from, to, objections } => {
            let new = NewShowing { kind, place: &place, from, to, objections: &objections };
            let recorded = record_publicity(&desk.office, &run, new).await?;
            desk.out.answer(
                || {
                    let mut document = document(&recorded.showing);
                    document["run"] = json!(recorded.run.code);
                    document["already"] = json!(recorded.already);
                    document
                },
                || {
                    let done = if recorded.already { "早已登记" } else { "已登记" };
                    format!("{} {done} {}", recorded.run.code, recorded.showing.sentence())
                },
            );
            Ok(exit_code::DONE)
        }
    }
}

pub(super) fn document(showing: &Showing) -> Value {
    json!({
        "publicity_no": showing.no, "kind": showing.kind.code(), "place": showing.place, "from_date": showing.from,
        "to_date": showing.to, "objections": showing.objections, "list_digest": showing.list_digest, "rows": showing.rows,
        "total_fen": showing.total, "recorded_by": showing.recorded_by, "recorded_on": showing.recorded_on,
    })
}
