//! `fafang roster`: import, list, show one person, export, template.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::budget::charset_argument;
use super::{Answer, Desk, exit_code, period_argument, report};
use crate::domain::actor::Role;
use crate::domain::period::Period;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::charset::Charset;
use crate::formats::roster::template;
use crate::reports::person::person;
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
        /// 正确的行先生效，有错的行写到 --rejects 的文件，改正后再导入
        #[arg(long, requires = "rejects")]
        accept_good: bool,
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
    /// 显示一个人的全部情况: 资格、变更、暂停支付、每月应发和发放
    Show {
        /// 公民身份号码
        citizen_number: String,
        /// 只看一个项目
        #[arg(long)]
        scheme: Option<String>,
        /// 显示完整号码（只限经办、财务、稽核岗位）
        #[arg(long)]
        full: bool,
        /// 写到文件，结尾决定格式（默认显示在屏幕上）
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
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
        Command::Import { file, scheme, period, dry_run, rejects, accept_good, charset } => {
            let bytes = folder::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let input = ImportRoster {
                scheme: &scheme,
                file_name: &name,
                bytes: &bytes,
                charset,
                first: period,
                accept_good,
                dry_run,
            };
            match import_roster(&desk.office, input).await {
                Ok(imported) => {
                    // Told first: should the file not be writable, the reasons are on the screen.
                    print(desk, &imported, &name, dry_run);
                    tell_rejects(desk, write_rejects(rejects.as_deref(), imported.rejects.as_deref())?);
                    if imported.rejected > 0 {
                        return Ok(exit_code::REFUSED);
                    }
                }
                Err(rejected) => return reject(desk, &rejected, &name, rejects.as_deref()),
            }
        }
        Command::List { scheme } => desk.out.report(&roster::roster(&desk.office, &scheme).await?),
        Command::Show { citizen_number, scheme, full, out } => {
            let numbers = report::whole_numbers(desk, full, &[Role::Maker, Role::Finance, Role::Auditor]).await?;
            let story = person(&desk.office, &citizen_number, scheme.as_deref(), numbers).await?;
            match out {
                Some(path) => return report::write(desk, &story, &path),
                None => desk.out.report(&story),
            }
        }
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
            "accepted": imported.accepted(), "rejected": imported.rejected, "new": imported.new, "changed": imported.changed,
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
    if imported.rejected > 0 {
        lines.push(format!("  退回 {} 行，其余 {} 行按上述办理", imported.rejected, imported.accepted()));
    }
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

/// Writes what is given back, where there is something; the path, if it was.
fn write_rejects<'p>(path: Option<&'p Path>, file: Option<&[u8]>) -> Result<Option<&'p Path>, Failure> {
    let (Some(path), Some(bytes)) = (path, file) else { return Ok(None) };
    folder::replace(path, bytes)?;
    Ok(Some(path))
}

fn tell_rejects(desk: &Desk, written: Option<&Path>) {
    if let Some(path) = written {
        desk.out.note(&format!("带退回原因的原表: {}", path.display()));
    }
}

fn reject(desk: &Desk, rejected: &Rejected, name: &str, rejects: Option<&Path>) -> Answer {
    let failure = &rejected.failure;
    desk.out.findings(&failure.findings, name);
    let written = write_rejects(rejects, rejected.file.as_deref())?;
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
        tell_rejects(desk, written);
    }
    Ok(exit_code::of(failure.kind))
}
