//! The command line: one file per command, each parses, calls `workflow` or `reports`, and prints.

pub mod config;
pub mod exit_code;
pub mod output;

mod audit;
mod backup;
mod bank;
mod bank_layouts;
mod budget;
mod certify;
mod change;
mod comparison;
mod demo;
mod doctor;
mod exchange;
mod finding;
mod hold;
mod init;
mod move_office;
mod places;
mod publicity;
mod reconcile;
mod recovery;
mod report;
mod roster;
mod run;
mod scheme;
mod statement;
mod todo;
mod user;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::domain::period::{Period, PeriodRange, parse_date};
use crate::failure::Failure;
use crate::office::Office;
use crate::progress::Progress;
use crate::storage::engine::Database;
use config::Config;
use output::Output;

/// 发放: 社会保险补贴发放、回盘、对账。
#[derive(Debug, Parser)]
#[command(name = "fafang", version, about, long_about = None)]
pub struct Cli {
    /// 配置文件（默认当前文件夹的 fafang.toml）
    #[arg(long, global = true, value_name = "FILE", env = "FAFANG_CONFIG")]
    config: Option<PathBuf>,
    /// 数据库: 文件名，或 postgres://…
    #[arg(long, global = true, value_name = "URL", env = "FAFANG_DATABASE")]
    database: Option<String>,
    /// 操作人（已登记的用户；默认 init 登记的管理员）
    #[arg(long = "as", global = true, value_name = "NAME", env = "FAFANG_USER")]
    acting: Option<String>,
    /// 业务日期（默认今天）
    #[arg(long, global = true, value_name = "DATE", value_parser = date_argument)]
    on: Option<NaiveDate>,
    /// 输出一个 JSON 文档（金额为整数分）
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 建立经办机构: 数据库和带说明的配置文件
    Init(init::Args),
    /// 演示: 一个县的全年，200 人、12 个月、模拟银行
    Demo(demo::Args),
    /// 补贴项目
    #[command(subcommand)]
    Scheme(scheme::Command),
    /// 预算指标
    #[command(subcommand)]
    Budget(budget::Command),
    /// 名册
    #[command(subcommand)]
    Roster(roster::Command),
    /// 人员变更: 新增、停发、暂停、恢复、换账户、更正、认证、撤销、复核
    #[command(subcommand)]
    Change(change::Command),
    /// 资格认证名单
    #[command(subcommand)]
    Certify(certify::Command),
    /// 比对名单: 死亡、服刑、失踪、其他待遇；核实命中的人
    #[command(subcommand)]
    Comparison(comparison::Command),
    /// 暂停支付清单
    #[command(subcommand)]
    Hold(hold::Command),
    /// 发放批次: 计算、提交、复核、审批
    #[command(subcommand)]
    Run(run::Command),
    /// 公示: 导出名单、登记公示
    #[command(subcommand)]
    Publicity(publicity::Command),
    /// 多发追回: 立案、退款、抵扣、核销
    #[command(subcommand)]
    Recovery(recovery::Command),
    /// 银行: 报盘、回盘、退票、模拟银行
    #[command(subcommand)]
    Bank(bank::Command),
    /// 与银行交换文件: 送出支付文件，取回并读入银行的文件
    #[command(subcommand)]
    Exchange(exchange::Command),
    /// 对账差异
    #[command(subcommand)]
    Finding(finding::Command),
    /// 对账: 应发、报盘、回盘、指标（有未说明的差异时退出码 1）
    Reconcile(reconcile::Args),
    /// 报表
    Report(report::Args),
    /// 待办: 每个岗位今天要做的事
    Todo(todo::Args),
    /// 审计记录
    #[command(subcommand)]
    Audit(audit::Command),
    /// 用户和岗位
    #[command(subcommand)]
    User(user::Command),
    /// 把数据库备份成一个文件
    Backup(backup::BackupArgs),
    /// 从备份恢复
    Restore(backup::RestoreArgs),
    /// 把整个数据库迁到另一个: SQLite 到 PostgreSQL，或反过来
    Move(move_office::Args),
    /// 检查数据库的全部不变式
    Doctor,
}

/// An opened office and the way to answer.
struct Desk {
    office: Office,
    out: Output,
}

/// What every command returns: its exit code, or why it failed.
type Answer = Result<u8, Failure>;

impl Cli {
    /// True for a command that goes on until it is stopped: its log is what tells how it goes.
    pub fn is_watching(&self) -> bool {
        matches!(self.command, Command::Exchange(exchange::Command::Watch { .. }))
    }

    /// Runs the command and returns the exit code.
    pub async fn run(self) -> u8 {
        let out = Output { json: self.json };
        match Box::pin(self.dispatch(out)).await {
            Ok(code) => code,
            Err(failure) => out.failure(&failure),
        }
    }

    async fn dispatch(self, out: Output) -> Answer {
        let config = Config::load(self.config.as_deref(), self.database.as_deref())?;
        match self.command {
            Command::Init(args) => {
                init::run(args, self.config.as_deref(), &config, self.database.as_deref(), out).await
            }
            Command::Demo(args) => demo::run(args, out).await,
            Command::Restore(args) => backup::restore(args, &config, out).await,
            command => {
                let database = Database::open(&config.database).await?;
                let mut office =
                    Office::open(database.clone(), config.agency.as_deref(), config.banks, Clock::System).await?;
                office.calendar = config.calendar;
                office.places = config.places;
                office.settings = config.settings;
                office.on = self.on;
                office.acting = self.acting;
                if !out.json {
                    office.progress = Progress::on_terminal();
                }
                let answer = at_desk(command, &Desk { office, out }).await;
                database.close().await;
                answer
            }
        }
    }
}

async fn at_desk(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Scheme(command) => scheme::run(command, desk).await,
        Command::Budget(command) => budget::run(command, desk).await,
        Command::Roster(command) => roster::run(command, desk).await,
        Command::Change(command) => change::run(command, desk).await,
        Command::Certify(command) => certify::run(command, desk).await,
        Command::Comparison(command) => comparison::run(command, desk).await,
        Command::Hold(command) => hold::run(command, desk).await,
        Command::Run(command) => run::run(command, desk).await,
        Command::Publicity(command) => publicity::run(command, desk).await,
        Command::Recovery(command) => recovery::run(command, desk).await,
        Command::Bank(command) => bank::run(command, desk).await,
        Command::Exchange(command) => exchange::run(command, desk).await,
        Command::Finding(command) => finding::run(command, desk).await,
        Command::Reconcile(args) => reconcile::run(args, desk).await,
        Command::Report(args) => report::run(args, desk).await,
        Command::Todo(args) => todo::run(args, desk).await,
        Command::Audit(command) => audit::run(command, desk).await,
        Command::User(command) => user::run(command, desk).await,
        Command::Backup(args) => backup::run(args, desk).await,
        Command::Move(args) => move_office::run(args, desk).await,
        Command::Doctor => doctor::run(desk).await,
        // Handled before an office is opened.
        Command::Init(_) | Command::Demo(_) | Command::Restore(_) => Ok(exit_code::INTERNAL),
    }
}

fn date_argument(text: &str) -> Result<NaiveDate, String> {
    parse_date(text).ok_or_else(|| format!("“{text}”不是日期，应为 2026-01-05 这样的年月日"))
}

fn period_argument(text: &str) -> Result<Period, String> {
    text.parse().map_err(|e: crate::domain::period::PeriodError| e.to_string())
}

fn periods_argument(text: &str) -> Result<PeriodRange, String> {
    text.parse().map_err(|_| format!("“{text}”不是所属期，应为 2026-01 或 2026-01..2026-03"))
}
