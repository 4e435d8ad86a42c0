//! `fafang budget`: load, adjust, list, check.

use std::path::PathBuf;

use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::domain::appropriation::Appropriation;
use crate::domain::document::DocumentNumber;
use crate::domain::money::Money;
use crate::exchange::folder;
use crate::failure::Failure;
use crate::formats::budget::parse_budget;
use crate::formats::charset::Charset;
use crate::reports::budget;
use crate::storage::appropriation;
use crate::workflow::load_budget::{Which, adjust_budget, find_one, load_budget};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 载入年初指标（CSV、XLSX，或含 [[appropriation]] 的 TOML 项目文件）
    Load {
        /// 指标文件
        file: PathBuf,
        /// 文字编码: utf-8 或 gb18030（默认自动识别）
        #[arg(long, value_parser = charset_argument)]
        charset: Option<Charset>,
    },
    /// 追加、调减、收回
    Adjust {
        /// 指标文号
        document: DocumentArgument,
        /// 金额（元）；调减、收回写负数
        #[arg(long, allow_hyphen_values = true, value_parser = money_argument)]
        amount: Money,
        /// 依据文号
        #[arg(long)]
        basis: DocumentArgument,
        /// 说明: 追加、调减、收回
        #[arg(long, default_value = "")]
        note: String,
        /// 同一文号有多个指标时指明项目
        #[arg(long)]
        scheme: Option<String>,
        /// 同一文号有多个指标时指明年度
        #[arg(long)]
        year: Option<i32>,
    },
    /// 列出指标
    List,
    /// 显示一个指标的全部流水，并核对余额
    Check {
        /// 指标文号
        document: DocumentArgument,
        /// 同一文号有多个指标时指明项目
        #[arg(long)]
        scheme: Option<String>,
        /// 同一文号有多个指标时指明年度
        #[arg(long)]
        year: Option<i32>,
    },
}

/// A document number on the command line, in any bracket style.
#[derive(Debug, Clone)]
pub struct DocumentArgument(DocumentNumber);

impl std::str::FromStr for DocumentArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        DocumentNumber::parse(text).map(DocumentArgument).map_err(|e| e.to_string())
    }
}

pub fn charset_argument(text: &str) -> Result<Charset, String> {
    Charset::parse(text).ok_or_else(|| format!("“{text}”不是支持的编码，应为 utf-8 或 gb18030"))
}

fn money_argument(text: &str) -> Result<Money, String> {
    Money::parse_total(text).map_err(|e| e.to_string())
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Load { file, charset } => {
            let bytes = folder::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let lines = parse_budget(&name, &bytes, charset).map_err(|findings| {
                desk.out.findings(&findings, &name);
                Failure::input("BUDGET_FILE", format!("{name}: 有 {} 处错误，没有载入", findings.len()))
                    .with_findings(findings)
            })?;
            let loaded = load_budget(&desk.office, &lines).await?;
            desk.out.answer(
                || json!({
                    "loaded": loaded.new.iter().map(|(d, m)| json!({ "document": d, "amount_fen": m })).collect::<Vec<_>>(),
                    "unchanged": loaded.unchanged,
                }),
                || {
                    let mut lines: Vec<String> =
                        loaded.new.iter().map(|(d, m)| format!("已下达 {d} {} 元", m.grouped())).collect();
                    if loaded.unchanged > 0 {
                        lines.push(format!("{} 个指标已在库中，没有变化", loaded.unchanged));
                    }
                    lines.join("\n")
                },
            );
        }
        Command::Adjust { document, amount, basis, note, scheme, year } => {
            let which = Which { document: document.0, scheme, year };
            let after = adjust_budget(&desk.office, &which, amount, &basis.0, &note).await?;
            desk.out.answer(
                || amounts(&after),
                || {
                    format!(
                        "{} 调整 {} 元，现为 {} 元，可用 {} 元",
                        after.document,
                        amount.grouped(),
                        after.appropriated.grouped(),
                        after.available.grouped()
                    )
                },
            );
        }
        Command::List => desk.out.report(&budget::appropriations(&desk.office).await?),
        Command::Check { document, scheme, year } => {
            let all = appropriation::list(&mut desk.office.read().await?, &desk.office.agency_code).await?;
            let found = find_one(all, &Which { document: document.0, scheme, year })?;
            let (report, agrees) = budget::postings(&desk.office, &found).await?;
            desk.out.report(&report);
            return Ok(if agrees { exit_code::DONE } else { exit_code::REFUSED });
        }
    }
    Ok(exit_code::DONE)
}

fn amounts(a: &Appropriation) -> serde_json::Value {
    json!({
        "document": a.document, "year": a.year, "scheme": a.scheme_code, "appropriated_fen": a.appropriated,
        "available_fen": a.available, "reserved_fen": a.reserved, "paid_fen": a.paid,
    })
}
