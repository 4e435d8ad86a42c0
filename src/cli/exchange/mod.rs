//! `fafang exchange`: payment files to the banks' places, the banks' files from there.

mod list;
mod pull;
mod push;
#[cfg(feature = "sftp")]
mod trust;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Desk, exit_code};
use crate::domain::place::Place;
use crate::exchange::{folder, seal};
use crate::failure::{Failure, Kind};
use crate::workflow::hand_over::{self, FoundOut};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 送出: 把没有送出的支付文件放到各银行的地方（重复运行不会送两次）
    Push {
        /// 只送这几处（配置里的名称）
        #[arg(long = "place", value_name = "NAME")]
        places: Vec<String>,
    },
    /// 取回: 读入银行的回盘、退票、对账单，读入的归档，看不懂的隔离并写明原因
    Pull {
        /// 只取这几处（配置里的名称）
        #[arg(long = "place", value_name = "NAME")]
        places: Vec<String>,
    },
    /// 列出支付文件送到了哪里、什么在等着读入、什么被隔离和为什么
    List {
        /// 已回盘的支付文件也列出
        #[arg(long)]
        all: bool,
    },
    /// 登记核实的结果: 支付文件已用别的办法送达，或送出中断的文件银行没有收到
    Record {
        /// 支付文件的编号或文件名
        file: String,
        /// sent 银行有这个文件；not-sent 银行没有收到，可以再送
        #[arg(long, value_parser = found_out)]
        found: FoundOut,
        /// 怎样送达，或怎样核实
        #[arg(long)]
        note: String,
    },
    /// 守候: 每隔一段时间取回一次，按 Ctrl-C 停止
    Watch {
        /// 间隔: 30s、5m、1h
        #[arg(long, default_value = "60s", value_parser = interval)]
        every: Duration,
        /// 每次先送出
        #[arg(long)]
        push: bool,
        /// 只看这几处（配置里的名称）
        #[arg(long = "place", value_name = "NAME")]
        places: Vec<String>,
    },
    /// 核对并登记银行服务器的主机公钥（只用于 SFTP）
    Trust {
        /// 配置里的名称
        place: String,
        /// 银行告知的指纹，SHA256:…；不写只显示服务器出示的
        #[arg(long)]
        fingerprint: Option<String>,
    },
    /// 生成本单位的加密密钥，公钥交给银行
    Keygen {
        /// 私钥写到哪个文件
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

fn found_out(text: &str) -> Result<FoundOut, String> {
    match text {
        "sent" => Ok(FoundOut::Sent),
        "not-sent" => Ok(FoundOut::NotSent),
        other => Err(format!("“{other}”，应为 sent 或 not-sent")),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let wrong = || format!("“{text}”不是间隔，应为 30s、5m、1h 这样的写法，1 秒至 1 天");
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    if (1..=86_400).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Push { places } => {
            let pushed = push::push(desk, &chosen(desk, &places)?, &|| false).await?;
            desk.out.answer(|| pushed.document(), || pushed.words());
            Ok(pushed.exit_code())
        }
        Command::Pull { places } => {
            let pulled = pull::pull(desk, &chosen(desk, &places)?, &|| false).await?;
            desk.out.answer(|| pulled.document(), || pulled.words());
            Ok(pulled.exit_code())
        }
        Command::List { all } => list::list(desk, all).await,
        Command::Record { file, found, note } => {
            let known = hand_over::record(&desk.office, &file, found, &note).await?;
            let words = if found == FoundOut::Sent { "已送达" } else { "没有送达，可以再送" };
            desk.out.answer(
                || json!({ "file": known.file.file_ref, "name": known.file.name, "sent": found == FoundOut::Sent }),
                || format!("{} 登记为{words}", known.file.name),
            );
            Ok(exit_code::DONE)
        }
        Command::Watch { every, push, places } => watch::watch(desk, &chosen(desk, &places)?, every, push).await,
        #[cfg(feature = "sftp")]
        Command::Trust { place, fingerprint } => trust::trust(desk, &place, fingerprint.as_deref()).await,
        #[cfg(not(feature = "sftp"))]
        Command::Trust { place, fingerprint: _ } => {
            Err(Failure::new(Kind::Configuration, "NO_SFTP", format!("“{place}”: 本程序编译时没有带 SFTP")))
        }
        Command::Keygen { out } => {
            let (text, recipient) = seal::new_identity()?;
            if out.exists() {
                return Err(Failure::conflict("FILE_DIFFERS", format!("{} 已存在，没有改动", out.display()))
                    .hint("换密钥时写到新文件，旧私钥留着才能解开以前的文件"));
            }
            folder::replace_private(&out, text.as_bytes())?;
            desk.out.answer(
                || json!({ "identity": out, "recipient": recipient }),
                || format!("私钥: {}（不要外传，配置的 identity 写它）\n公钥: {recipient}（交给银行）", out.display()),
            );
            Ok(exit_code::DONE)
        }
    }
}

/// The places of these names, or all.
fn chosen(desk: &Desk, names: &[String]) -> Result<Vec<Place>, Failure> {
    let all = &desk.office.places;
    if all.is_empty() {
        return Err(Failure::new(Kind::Configuration, "NO_PLACES", "配置里没有与银行交换文件的地方")
            .hint("在 fafang.toml 里写 [[exchange]]，写法见 fafang init 生成的配置文件末尾"));
    }
    if names.is_empty() {
        return Ok(all.clone());
    }
    names.iter().map(|name| named(all, name).cloned()).collect()
}

fn named<'a>(all: &'a [Place], name: &str) -> Result<&'a Place, Failure> {
    all.iter().find(|place| place.name == name).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|place| place.name.as_str()).collect();
        let known = if known.is_empty() { "没有".to_string() } else { known.join("、") };
        Failure::new(Kind::Configuration, "UNKNOWN_PLACE", format!("配置里没有“{name}”，有: {known}"))
    })
}

/// What went wrong with one file or place, while the others went on.
struct Trouble {
    /// Place, or place and file.
    at: String,
    failure: Failure,
}

impl Trouble {
    fn document(&self) -> Value {
        let Failure { code, message, hint, .. } = &self.failure;
        json!({ "at": self.at, "code": code, "message": message, "hint": hint })
    }

    fn words(&self) -> String {
        let Failure { code, message, hint, .. } = &self.failure;
        let hint = if hint.is_empty() { String::new() } else { format!("\n    提示: {hint}") };
        format!("  没有办成 {}: {message} [{code}]{hint}", self.at)
    }
}

/// The worst of the troubles says the exit code.
fn exit_code_of(troubles: &[Trouble], is_clean: bool) -> u8 {
    let usual = if is_clean { exit_code::DONE } else { exit_code::REFUSED };
    troubles.iter().map(|trouble| exit_code::of(trouble.failure.kind)).max().map_or(usual, |worst| worst.max(usual))
}

/// True when the place itself is gone: what is left of it would fail the same way.
fn is_lost(failure: &Failure) -> bool {
    ["PLACE_LOST", "PLACE_UNREACHABLE"].contains(&failure.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read() {
        let seconds = |text| interval(text).map(|every| every.as_secs());
        assert_eq!(seconds("60s"), Ok(60));
        assert_eq!(seconds("5m"), Ok(300));
        for wrong in ["", "60", "0s", "s", "25h", "1天", "99999999999999999999s"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
