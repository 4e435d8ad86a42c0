//! `fafang report`: list of reports, or one on the terminal or into a file.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Answer, Desk, exit_code, period_argument};
use crate::domain::actor::Role;
use crate::domain::period::Period;
use crate::exchange::folder;
use crate::failure::Failure;
use crate::reports::payment_sheet::{Numbers, payment_sheet};
use crate::reports::publicity::{Notice, notice};
use crate::reports::render::{Format, render};
use crate::reports::table::Report;
use crate::reports::{REPORTS, bank_reconciliation, certification, comparison, month, recoveries, screening, year_end};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 报表名称；list 列出全部
    name: String,
    /// 项目编码
    #[arg(long)]
    scheme: Option<String>,
    /// 年度
    #[arg(long)]
    year: Option<i32>,
    /// 所属期
    #[arg(long, value_parser = period_argument)]
    period: Option<Period>,
    /// 批次号
    #[arg(long)]
    run: Option<String>,
    /// 银行代码
    #[arg(long)]
    bank: Option<String>,
    /// 写到文件 .xlsx .pdf .html .csv .json .txt（默认显示在屏幕上）
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// 显示完整号码（只限财务岗位）
    #[arg(long)]
    full: bool,
}

pub async fn run(args: Args, desk: &Desk) -> Answer {
    if args.name == "list" {
        desk.out.answer(
            || json!({ "reports": REPORTS.iter().map(|r| json!({ "report": r.code, "title": r.title })).collect::<Vec<_>>() }),
            || REPORTS.iter().map(|r| format!("{:10} {}（{}）", r.code, r.title, r.needs)).collect::<Vec<_>>().join("\n"),
        );
        return Ok(exit_code::DONE);
    }
    let report = build(&args, desk).await?;
    if let Some(path) = &args.out {
        return write(desk, &report, path);
    }
    desk.out.report(&report);
    Ok(exit_code::DONE)
}

async fn build(args: &Args, desk: &Desk) -> Result<Report, Failure> {
    let office = &desk.office;
    let unknown = || {
        Failure::refused("UNKNOWN_REPORT", format!("没有报表 {}", args.name)).hint("fafang report list 列出全部报表")
    };
    // Only what is listed can be asked for: a report that nobody can find in the list is none.
    let listed = REPORTS.iter().find(|r| r.code == args.name).ok_or_else(unknown)?;
    let missing = || Failure::refused("REPORT_NEEDS", format!("报表 {} 需要 {}", args.name, listed.needs));
    match args.name.as_str() {
        "payments" => {
            let numbers = whole_numbers(desk, args.full, &[Role::Finance]).await?;
            payment_sheet(office, args.run.as_deref().ok_or_else(missing)?, numbers).await
        }
        "publicity" => notice(office, args.run.as_deref().ok_or_else(missing)?, Notice::default()).await,
        "month" => {
            month::month(office, args.scheme.as_deref().ok_or_else(missing)?, args.period.ok_or_else(missing)?).await
        }
        "bank-reconciliation" => {
            // A year alone names no month; beside a month it must be the month's.
            let period = args.period.filter(|p| args.year.is_none_or(|year| year == p.year())).ok_or_else(missing)?;
            bank_reconciliation::bank_reconciliation(office, period, args.bank.as_deref()).await
        }
        "recoveries" => recoveries::recoveries(office, args.scheme.as_deref()).await,
        "year-end" => {
            year_end::year_end(office, args.scheme.as_deref().ok_or_else(missing)?, args.year.ok_or_else(missing)?)
                .await
        }
        "screening" => screening::screening(office, args.scheme.as_deref()).await,
        "certification" => certification::certification(office, args.scheme.as_deref().ok_or_else(missing)?).await,
        "comparison" => comparison::hits(office, true).await,
        _ => Err(unknown()),
    }
}

/// Whole numbers when they are asked for, by someone of these posts.
pub(super) async fn whole_numbers(desk: &Desk, full: bool, posts: &[Role]) -> Result<Numbers, Failure> {
    if !full {
        return Ok(Numbers::Masked);
    }
    let actor = desk.office.actor(&mut desk.office.read().await?).await?;
    if posts.contains(&actor.role) {
        return Ok(Numbers::Whole);
    }
    let posts: Vec<&str> = posts.iter().map(|post| post.title()).collect();
    let message = format!("{} 的岗位是{}，完整号码只给{}岗位", actor.name, actor.role, posts.join("、"));
    Err(Failure::refused("WRONG_ROLE", message).hint("不带 --full 可看掩码的号码"))
}

/// Writes a report in the format that the file's name asks for.
pub fn write(desk: &Desk, report: &Report, path: &Path) -> Answer {
    let name = path.to_string_lossy();
    let format = Format::from_path(&name).ok_or_else(|| {
        Failure::refused("REPORT_FORMAT", format!("{name}: 不知道写成什么格式，应以 {} 结尾", Format::ENDINGS))
    })?;
    let files = render(report, format, &name)?;
    for file in &files {
        folder::replace(Path::new(&file.path), &file.bytes)?;
    }
    desk.out.answer(
        || json!({ "report": report.code, "files": files.iter().map(|f| &f.path).collect::<Vec<_>>() }),
        || files.iter().map(|f| format!("已写出 {}", f.path)).collect::<Vec<_>>().join("\n"),
    );
    Ok(exit_code::DONE)
}
