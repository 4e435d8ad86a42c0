//! `fafang backup` and `fafang restore`: the office as one file.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::config::Config;
use super::output::Output;
use super::{Answer, Desk, exit_code};
use crate::clock::Clock;
use crate::exchange::folder;
use crate::failure::Failure;
use crate::office::Office;
use crate::reports::doctor::examine;
use crate::storage::engine::{Database, sqlite_path};

#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// 备份文件
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// 备份文件
    file: PathBuf,
}

pub async fn run(args: BackupArgs, desk: &Desk) -> Answer {
    if args.out.exists() {
        return Err(Failure::conflict("FILE_EXISTS", format!("{} 已存在", args.out.display()))
            .hint("换一个文件名，旧备份不会被覆盖"));
    }
    desk.office.database.copy_to(&args.out.to_string_lossy()).await?;
    desk.out.answer(|| json!({ "path": args.out }), || format!("已备份到 {}", args.out.display()));
    Ok(exit_code::DONE)
}

/// Checks the backup before it becomes the database, and never replaces one that is there.
pub async fn restore(args: RestoreArgs, config: &Config, out: Output) -> Answer {
    let target = Path::new(sqlite_path(&config.database));
    if config.database.starts_with("postgres") {
        return Err(Failure::refused("WRONG_ENGINE", "PostgreSQL 请用它自带的工具恢复"));
    }
    if target.exists() {
        return Err(Failure::conflict("FILE_EXISTS", format!("{} 已存在", target.display())).hint("先把现有数据库移走"));
    }
    let bytes = folder::read(&args.file)?;
    folder::replace(target, &bytes)?;
    let checked = check(target, config).await;
    if checked.is_err() {
        // What is no whole office must not stay where an office is looked for.
        let _ = std::fs::remove_file(target);
    }
    checked?;
    out.answer(|| json!({ "path": target }), || format!("已恢复到 {}，检查通过", target.display()));
    Ok(exit_code::DONE)
}

async fn check(path: &Path, config: &Config) -> Result<(), Failure> {
    let unreadable = |f: Failure| Failure::input("NOT_A_BACKUP", format!("不是 fafang 的备份: {}", f.message));
    let database = Database::open(&path.to_string_lossy()).await.map_err(|e| unreadable(e.into()))?;
    let office = Office::open(database.clone(), config.agency.as_deref(), config.banks.clone(), Clock::System).await;
    let examined = examine(&office.map_err(unreadable)?).await;
    database.close().await;
    let problems: Vec<String> = examined?.checks.into_iter().flat_map(|c| c.problems).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::input("BACKUP_DAMAGED", format!("备份中的数据有问题:\n{}", problems.join("\n"))))
}
