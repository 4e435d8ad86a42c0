//! `fafang certify`: lists of people who have proved that they are still entitled.

use std::path::PathBuf;

use serde_json::json;

use super::budget::charset_argument;
use super::{Answer, Desk, exit_code};
use crate::exchange::folder;
use crate::formats::charset::Charset;
use crate::workflow::import_certifications::import_certifications;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 导入认证名单（CSV、XLSX、XLS），全部正确才生效；单人认证用 change certify
    Import {
        /// 认证名单
        file: PathBuf,
        /// 项目编码
        #[arg(long)]
        scheme: String,
        /// 文字编码: utf-8 或 gb18030（默认自动识别）
        #[arg(long, value_parser = charset_argument)]
        charset: Option<Charset>,
    },
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let Command::Import { file, scheme, charset } = command;
    let bytes = folder::read(&file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let certified = import_certifications(&desk.office, &scheme, &name, &bytes, charset)
        .await
        .inspect_err(|failure| desk.out.findings(&failure.findings, &name))?;
    desk.out.findings(&certified.findings, &name);
    desk.out.answer(
        || {
            json!({
                "scheme": scheme, "rows": certified.rows, "certified": certified.entered, "known": certified.known,
                "pending": certified.pending, "findings": certified.findings,
            })
        },
        || {
            let counts =
                format!("{name}: {} 人，登记认证 {}，早已登记 {}", certified.rows, certified.entered, certified.known);
            match certified.pending {
                Some(no) => format!("{counts}\n等待另一人复核，尚未生效: fafang change accept {no}"),
                None => counts,
            }
        },
    );
    Ok(exit_code::DONE)
}
