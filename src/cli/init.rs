//! `fafang init`: a database and a commented configuration, ready to use.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::config::{Config, FILE_NAME, commented};
use super::output::Output;
use super::{Answer, exit_code};
use crate::clock::Clock;
use crate::exchange::folder;
use crate::storage::engine::Database;
use crate::workflow::register;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 机构代码（行政区划代码，例如和静县 652827）
    #[arg(long)]
    agency: String,
    /// 机构名称
    #[arg(long)]
    name: String,
    /// 管理员（默认操作系统用户）
    #[arg(long)]
    admin: Option<String>,
}

pub async fn run(
    args: Args,
    config_path: Option<&Path>,
    config: &Config,
    database_url: Option<&str>,
    out: Output,
) -> Answer {
    let admin = args.admin.unwrap_or_else(operating_system_user);
    let database = Database::create(&config.database).await?;
    let place = database.place();
    let office =
        register::agency(database.clone(), &args.agency, &args.name, &admin, config.banks.clone(), Clock::System).await;
    database.close().await;
    let office = office?;
    let path = config_path.map_or_else(|| PathBuf::from(FILE_NAME), Path::to_path_buf);
    let is_new = !path.exists();
    if is_new {
        let text = commented(database_url.unwrap_or("fafang.db"), &office.agency_code);
        folder::replace(&path, text.as_bytes())?;
    }
    out.answer(
        || json!({ "agency": office.agency_code, "name": office.agency_name, "admin": admin, "database": place, "config": path }),
        || {
            let kept = if is_new { "已写入" } else { "已有，未改动" };
            format!(
                "已建立 {} {}\n数据库: {}\n配置: {}（{kept}）\n管理员: {admin}\n下一步: fafang user add 姓名 --role maker|reviewer|approver|finance，然后 fafang scheme load、budget load、roster import",
                office.agency_code,
                office.agency_name,
                place,
                path.display()
            )
        },
    );
    Ok(exit_code::DONE)
}

fn operating_system_user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()))
        .unwrap_or_else(|| "admin".to_string())
}
