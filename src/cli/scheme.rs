//! `fafang scheme`: load, list, show.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::json;

use super::{Answer, Desk, exit_code};
use crate::domain::calendar::MissingYear;
use crate::domain::pay_day::PayDay;
use crate::domain::scheme::{BackPay, Scheme};
use crate::exchange::folder;
use crate::failure::Failure;
use crate::storage::scheme;
use crate::workflow::load_scheme::load_scheme;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 载入项目文件（改动后重新载入成为新版本）
    Load {
        /// config/schemes 中的 TOML 文件
        file: PathBuf,
    },
    /// 列出项目
    List,
    /// 显示项目内容
    Show {
        /// 项目编码
        code: String,
    },
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Load { file } => {
            let bytes = folder::read(&file)?;
            let text = String::from_utf8(bytes).map_err(|e| {
                let at = e.utf8_error().valid_up_to();
                Failure::input("SCHEME_FILE", format!("{}: 第 {} 个字节起不是 UTF-8 文本", file.display(), at + 1))
                    .hint("请另存为 UTF-8 编码")
            })?;
            let loaded = load_scheme(&desk.office, &text)
                .await
                .map_err(|f| Failure { message: format!("{}: {}", file.display(), f.message), ..f })?;
            desk.out.answer(
                || json!({ "scheme": loaded.scheme.code, "version": loaded.version, "changed": loaded.is_new }),
                || {
                    let what = if loaded.is_new { "已载入" } else { "内容没有变化，仍是" };
                    format!("{what} {} 第 {} 版: {}", loaded.scheme.code, loaded.version, loaded.scheme.name)
                },
            );
        }
        Command::List => {
            let mut tx = desk.office.read().await?;
            let mut list = Vec::new();
            for code in scheme::codes(&mut tx, &desk.office.agency_code).await? {
                let (scheme, version) = desk.office.scheme(&mut tx, &code).await?;
                list.push((code, version, scheme.name));
            }
            desk.out.answer(
                || json!({ "schemes": list.iter().map(|(c, v, n)| json!({ "scheme": c, "version": v, "name": n })).collect::<Vec<_>>() }),
                || list.iter().map(|(c, v, n)| format!("{c}\t第 {v} 版\t{n}")).collect::<Vec<_>>().join("\n"),
            );
        }
        Command::Show { code } => {
            let (scheme, version) = desk.office.scheme(&mut desk.office.read().await?, &code).await?;
            let (month, calendar) = (desk.office.current_period(), &desk.office.calendar);
            let pay_day = scheme.pay_day.map(|day| Ok((day, day.of(month, calendar)?))).transpose();
            let pay_day = pay_day.map_err(|missing: MissingYear| Failure::from(missing))?;
            desk.out.answer(|| document(&scheme, version, pay_day), || words(&scheme, version, pay_day));
        }
    }
    Ok(exit_code::DONE)
}

fn document(scheme: &Scheme, version: i64, pay_day: Option<(PayDay, NaiveDate)>) -> serde_json::Value {
    json!({
        "scheme": scheme.code, "version": version, "name": scheme.name, "policies": scheme.policies,
        "first": scheme.first, "last": scheme.last, "pay_day": pay_day.map(|(day, _)| day.day), "pay_day_this_month": pay_day.map(|(_, date)| date),
        "standards": scheme.standards.iter().map(|s| json!({
            "category": s.category, "from": s.from, "to": s.to, "monthly_fen": s.monthly, "document": s.document,
        })).collect::<Vec<_>>(),
        "plans": scheme.plans.iter().map(|p| json!({
            "year": p.year, "people": p.people, "months": p.months, "plan_fen": p.total(), "target_fen": p.target,
        })).collect::<Vec<_>>(),
        "indicators": scheme.indicators.iter().map(|i| json!({ "name": i.name, "target": i.target, "points": i.points })).collect::<Vec<_>>(),
    })
}

fn words(scheme: &Scheme, version: i64, pay_day: Option<(PayDay, NaiveDate)>) -> String {
    let policies: Vec<&str> = scheme.policies.iter().map(crate::domain::document::DocumentNumber::as_str).collect();
    let until = scheme.last.map_or_else(|| "继续".to_string(), |p| p.to_string());
    let mut lines = vec![
        format!("{} 第 {version} 版: {}", scheme.code, scheme.name),
        format!("政策依据: {}", policies.join("、")),
        format!("期间: {} 至 {until}    发放方式: {}", scheme.first, scheme.payment_way),
        format!(
            "报盘: {}    暂停月份: {}    死亡或迁出当月: {}",
            scheme.release.title(),
            if scheme.back_pay == BackPay::Paid { "恢复后补发" } else { "不补发" },
            scheme.death_month.title(),
        ),
    ];
    if let Some((day, date)) = pay_day {
        lines.push(format!("发放日: {}，本月是 {date}", day.title()));
    }
    for s in &scheme.standards {
        let to = s.to.map_or_else(String::new, |to| format!(" 至 {to}"));
        lines.push(format!("标准: {} {} 起{to} {} 元/月/人", s.category, s.from, s.monthly));
    }
    for p in &scheme.plans {
        lines.push(format!(
            "{} 年计划: {} 人 × {} 个月 × {} 元 = {} 元",
            p.year,
            p.people,
            p.months,
            p.monthly,
            p.total().grouped()
        ));
    }
    for f in &scheme.funding {
        lines.push(format!(
            "资金来源: {} {} {} {} {} {} 元",
            f.document,
            f.function_code,
            f.economic_code,
            f.source.title(),
            f.expenditure.title(),
            f.amount.grouped()
        ));
    }
    for i in &scheme.indicators {
        lines.push(format!("绩效指标: {} {} （{} 分）", i.name, i.target, i.points));
    }
    lines.join("\n")
}
