//! `fafang demo`: the county's whole year, with progress, and where everything is.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::output::Output;
use super::{Answer, exit_code, reconcile};
use crate::training::county_year::{Story, county_year};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 演示写到哪个文件夹（会先清空上一次演示）
    #[arg(long, value_name = "DIR", default_value = "demo")]
    dir: PathBuf,
    /// 没有意外的一年
    #[arg(long)]
    clean: bool,
}

pub async fn run(args: Args, out: Output) -> Answer {
    let story = if args.clean { Story::Clean } else { Story::WithIncidents };
    // Hidden by itself when stderr is no terminal.
    let bar = ProgressBar::new(12);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let year = county_year(&args.dir, story, |month| {
        bar.set_message(month.to_string());
        bar.inc(1);
    })
    .await?;
    bar.finish_and_clear();
    out.answer(
        || json!({
            "dir": args.dir, "credited_fen": year.credited, "person_months": year.person_months, "left_fen": year.left,
            "events": year.events, "reconciliation": year.reconciliation,
        }),
        || {
            let mut lines: Vec<String> = year.events.clone();
            if !lines.is_empty() {
                lines.insert(0, "这一年发生的事:".into());
                lines.push(String::new());
            }
            lines.push(reconcile::words(&year.reconciliation));
            lines.push(format!(
                "\n成功发放 {} 元，{} 人月；指标余额 {} 元",
                year.credited.grouped(),
                grouped(year.person_months),
                year.left.grouped()
            ));
            lines.push(format!("文件在 {}:", args.dir.display()));
            for (folder, what) in [
                ("fafang.db fafang.toml", "数据库和配置（cd 进去即可用 fafang 查看）"),
                ("rosters/ budget/", "名册、另一笔本级指标"),
                ("payment-files/", "报盘文件"),
                ("returns/", "回盘和退票（模拟银行）"),
                ("reports/", "年终对账、月报、发放清册"),
            ] {
                lines.push(format!("  {folder:22} {what}"));
            }
            lines.join("\n")
        },
    );
    Ok(if year.reconciliation.balanced { exit_code::DONE } else { exit_code::REFUSED })
}

/// `2,400`.
fn grouped(count: usize) -> String {
    let whole = crate::domain::money::Money(i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(100)).grouped();
    whole.trim_end_matches(".00").to_string()
}
