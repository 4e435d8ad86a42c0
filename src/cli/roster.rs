//! `fafang roster`: import, list, export, template.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::budget::charset_argument;
use super::{Answer, Desk, exit_code, period_argument, report};
use crate::domain::period::Period;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::charset::Charset;
use crate::formats::roster::template;
use crate::reports::roster;
use crate::workflow::import_roster::{ImportRoster, Imported, Rejected, import_roster};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 导入名册（CSV、XLSX、XLS），全部正确才生效
    Import {
        /// 名册文件
        file: PathBuf,
        /// 项目编码
        #[arg(long)]
        scheme: String,
        /// 没有享受起始月一列时的起始月（默认项目起始月）
        #[arg(long, value_parser = period_argument)]
        period: Option<Period>,
        /// 只显示与现有名册的差异，不导入
        #[arg(long)]
        dry_run: bool,
        /// 有错时把原表加“退回原因”列写到这里
        #[arg(long, value_name = "FILE")]
        rejects: Option<PathBuf>,
        /// 文字编码: utf-8 或 gb18030（默认自动识别）
        #[arg(long, value_parser = charset_argument)]
        charset: Option<Charset>,
    },
    /// 列出现有名册（号码掩码）
    List {
        /// 项目编码
        #[arg(long)]
        scheme: String,
    },
    /// 导出现有名册
    Export {
        /// 项目编码
        #[arg(long)]
        scheme: String,
        /// 目标文件 .xlsx .pdf .html .csv .json .txt
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 写出空白名册模板（XLSX）
    Template {
        /// 目标文件
        file: PathBuf,
        /// 项目编码
        #[arg(long)]
        scheme: String,
    },
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Import { file, scheme, period, dry_run, rejects, charset } => {
            let bytes = folder::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let input =
                ImportRoster { scheme: &scheme, file_name: &name, bytes: &bytes, charset, first: period, dry_run };
            match import_roster(&desk.office, input).await {
                Ok(imported) => print(desk, &imported, &name, dry_run),
                Err(rejected) => return reject(desk, &rejected, &name, rejects.as_deref()),
            }
        }
        Command::List { scheme } => desk.out.report(&roster::roster(&desk.office, &scheme).await?),
        Command::Export { scheme, out } => {
            return report::write(desk, &roster::roster(&desk.office, &scheme).await?, &out);
        }
        Command::Template { file, scheme } => {
            let (scheme, _) = desk.office.scheme(&mut desk.office.read().await?, &scheme).await?;
            let bytes =
                template(&scheme).map_err(|e| Failure::new(Kind::Internal, "TEMPLATE", format!("写不出模板: {e}")))?;
            folder::replace(&file, &bytes)?;
            desk.out.answer(|| json!({ "path": file }), || format!("已写出 {}", file.display()));
        }
    }
    Ok(exit_code::DONE)
}

pub(super) fn print(desk: &Desk, imported: &Imported, name: &str, dry_run: bool) {
    desk.out.findings(&imported.findings, name);
    desk.out.answer(
        || json!({
            "accepted": imported.rows, "rejected": 0, "new": imported.new, "changed": imported.changed,
            "unchanged": imported.unchanged, "missing": imported.missing.len(), "dry_run": dry_run,
            "already_imported": imported.already, "pending": imported.pending, "findings": imported.findings,
            "changes": imported.changes.iter().map(|c| json!({
                "row": c.row, "citizen_number": c.citizen_number, "name": c.name, "field": c.field, "old": c.old, "new": c.new,
            })).collect::<Vec<_>>(),
        }),
        || words(imported, name, dry_run),
    );
}

fn words(imported: &Imported, name: &str, dry_run: bool) -> String {
    if let Some(already) = &imported.already {
        return format!("{already}，内容相同，没有任何改动");
    }
    let mut lines = vec![format!(
        "{}{name}: {} 人，新增 {}，变更 {}，不变 {}，名册中有而文件中没有 {}",
        match imported.pending {
            _ if dry_run => "（试导入，未生效）",
            Some(_) => "（等待复核，未生效）",
            None => "已导入 ",
        },
        imported.rows,
        imported.new,
        imported.changed,
        imported.unchanged,
        imported.missing.len()
    )];
    for c in &imported.changes {
        lines.push(format!("  变更 第{}行 {} {} {}: {} → {}", c.row, c.name, c.citizen_number, c.field, c.old, c.new));
    }
    for (number, name) in &imported.missing {
        lines.push(format!("  缺少 {name} {number}（不会自动停发，停发请用 fafang change stop）"));
    }
    if let Some(no) = imported.pending {
        lines.push(format!("由另一人复核后生效: fafang change accept {no}"));
    }
    lines.join("\n")
}

fn reject(desk: &Desk, rejected: &Rejected, name: &str, rejects: Option<&Path>) -> Answer {
    let failure = &rejected.failure;
    desk.out.findings(&failure.findings, name);
    let written = match (rejects, &rejected.file) {
        (Some(path), Some(bytes)) => {
            folder::replace(path, bytes)?;
            Some(path)
        }
        _ => None,
    };
    if desk.out.json {
        desk.out.answer(
            || {
                json!({
                    "accepted": 0, "rejected": rejected.rejected, "rows": rejected.rows, "rejects_file": written,
                    "findings": failure.findings,
                    "error": { "code": failure.code, "message": failure.message, "hint": failure.hint },
                })
            },
            String::new,
        );
    } else {
        desk.out.complain(failure);
        if let Some(path) = written {
            desk.out.note(&format!("带退回原因的原表: {}", path.display()));
        }
    }
    Ok(exit_code::of(failure.kind))
}
