//! Places of exchange in the configuration: the tables `[[exchange]]`, checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::domain::bank::BankBook;
use crate::domain::place::{Place, Server, Way};
use crate::exchange::seal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceTable {
    name: String,
    banks: Vec<String>,
    kind: String,
    outbox: String,
    inbox: String,
    archive: String,
    quarantine: String,
    marker: Option<String>,
    acknowledgement: Option<String>,
    settle_seconds: Option<u64>,
    #[serde(default)]
    encrypt_to: Vec<String>,
    identity: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    key: Option<String>,
    key_passphrase_env: Option<String>,
    known_hosts: Option<String>,
    timeout_seconds: Option<u64>,
    attempts: Option<u32>,
}

/// The places; paths are relative to `home`.
///
/// # Errors
/// The first table that cannot be, by its name.
pub fn places(tables: Vec<PlaceTable>, home: &Path, banks: &BankBook) -> Result<Vec<Place>, String> {
    let mut places: Vec<Place> = Vec::new();
    for table in tables {
        let name = table.name.trim().to_string();
        let place = place(table, home, banks).map_err(|fault| format!("[[exchange]] “{name}” {fault}"))?;
        if name.is_empty() || places.iter().any(|other| other.name == name) {
            return Err(format!("[[exchange]] name: “{name}”，应有名称且不能重复"));
        }
        for other in &places {
            if let Some(bank) = place.banks.iter().find(|bank| other.banks.contains(bank)) {
                return Err(format!("[[exchange]] “{name}” banks: {bank} 已在“{}”，一家银行只能有一处", other.name));
            }
            if place.way == other.way && place.inbox == other.inbox {
                return Err(format!("[[exchange]] “{name}” inbox: 与“{}”相同；几家银行共用时写在一段里", other.name));
            }
        }
        places.push(place);
    }
    Ok(places)
}

fn place(table: PlaceTable, home: &Path, banks: &BankBook) -> Result<Place, String> {
    if table.banks.is_empty() {
        return Err("banks: 为空，应写银行代码".into());
    }
    if let Some(code) = table.banks.iter().find(|code| banks.bank(code).is_none()) {
        return Err(format!("banks: 没有银行 {code}，fafang bank layouts 列出银行代码"));
    }
    for (key, ending) in [("marker", &table.marker), ("acknowledgement", &table.acknowledgement)] {
        let is_plain = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(text) = ending.as_ref().filter(|text| !is_plain(text)) {
            return Err(format!("{key}: “{text}”，应为不带点的后缀，例如 ok"));
        }
    }
    if table.marker.is_some() && table.marker == table.acknowledgement {
        return Err("acknowledgement: 不能与 marker 相同".into());
    }
    table.encrypt_to.iter().try_for_each(|text| seal::check_recipient(text).map_err(|f| f.message))?;
    let at_home = |text: &str| home.join(text);
    let (archive, quarantine) = (at_home(&table.archive), at_home(&table.quarantine));
    let way = way(&table, home)?;
    let (mut outbox, mut inbox) = (table.outbox, table.inbox);
    if way == Way::Folder {
        for folder in [&mut outbox, &mut inbox] {
            *folder = at_home(folder).to_string_lossy().into_owned();
        }
        let all = [PathBuf::from(&outbox), PathBuf::from(&inbox), archive.clone(), quarantine.clone()];
        if (1..all.len()).any(|i| all[..i].contains(&all[i])) {
            return Err("outbox、inbox、archive、quarantine 应为四个不同的文件夹".into());
        }
    } else if outbox == inbox || archive == quarantine {
        return Err("outbox 与 inbox、archive 与 quarantine 应为不同的文件夹".into());
    }
    Ok(Place {
        name: table.name.trim().to_string(),
        banks: table.banks,
        way,
        outbox,
        inbox,
        archive,
        quarantine,
        marker: table.marker,
        acknowledgement: table.acknowledgement,
        settle: Duration::from_secs(within("settle_seconds", table.settle_seconds, 2, 0, 600)?),
        encrypt_to: table.encrypt_to,
        identity: table.identity.as_deref().map(at_home),
    })
}

fn way(table: &PlaceTable, home: &Path) -> Result<Way, String> {
    let texts = [
        ("host", &table.host),
        ("user", &table.user),
        ("key", &table.key),
        ("known_hosts", &table.known_hosts),
        ("key_passphrase_env", &table.key_passphrase_env),
    ];
    match table.kind.as_str() {
        "folder" => {
            let numbers = table.port.is_some() || table.timeout_seconds.is_some() || table.attempts.is_some();
            match texts.iter().find(|(_, text)| text.is_some()) {
                Some((key, _)) => Err(format!("{key}: 只用于 kind = \"sftp\"")),
                None if numbers => Err("port、timeout_seconds、attempts: 只用于 kind = \"sftp\"".into()),
                None => Ok(Way::Folder),
            }
        }
        "sftp" => {
            let need = |at: usize| {
                let (key, text) = texts[at];
                let text = text.as_deref().filter(|text| !text.trim().is_empty());
                text.ok_or_else(|| format!("{key}: 没有写，kind = \"sftp\" 需要"))
            };
            Ok(Way::Sftp(Server {
                host: need(0)?.to_string(),
                port: table.port.unwrap_or(22),
                user: need(1)?.to_string(),
                key: home.join(need(2)?),
                known_hosts: home.join(need(3)?),
                passphrase_env: table.key_passphrase_env.clone(),
                timeout: Duration::from_secs(within("timeout_seconds", table.timeout_seconds, 30, 1, 3_600)?),
                attempts: within("attempts", table.attempts, 3, 1, 100)?,
            }))
        }
        other => Err(format!("kind: “{other}”，应为 folder 或 sftp")),
    }
}

fn within<N: PartialOrd + Copy + std::fmt::Display>(
    key: &str,
    own: Option<N>,
    default: N,
    least: N,
    most: N,
) -> Result<N, String> {
    let number = own.unwrap_or(default);
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{key}: {number}，应为 {least} 至 {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::bank::book;

    #[derive(Deserialize)]
    struct File {
        exchange: Vec<PlaceTable>,
    }

    fn read(text: &str) -> Result<Vec<Place>, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        places(file.exchange, Path::new("home"), &book::built_in().unwrap())
    }

    fn table(name: &str, bank: &str, more: &str) -> String {
        format!(
            "[[exchange]]\nname = \"{name}\"\nbanks = [\"{bank}\"]\nkind = \"folder\"\noutbox = \"{bank}/out\"\n\
             inbox = \"{bank}/in\"\narchive = \"{bank}/a\"\nquarantine = \"{bank}/q\"\n{more}\n"
        )
    }

    const SERVER: &str = "host = \"h\"\nuser = \"u\"\nkey = \"k\"\nknown_hosts = \"kh\"\n";

    #[test]
    fn the_example_of_the_default_file_is_one() {
        let text = include_str!("../../config/default.toml");
        let example = text.split_once("# [[exchange]]\n").unwrap().1;
        let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.trim_start_matches("# ").to_string());
        let keys: Vec<String> = example.lines().filter_map(key).filter(|key| !key.contains(' ')).collect();
        let value = |key: &str| {
            let line = example.lines().find(|line| line.starts_with(&format!("# {key} = "))).unwrap();
            line.trim_start_matches("# ").split("   ").next().unwrap().to_string()
        };
        assert!(keys.len() > 18, "{keys:?}");
        let with =
            |keys: &[String]| format!("[[exchange]]\n{}", keys.iter().map(|k| value(k) + "\n").collect::<String>());
        let of_server = |key: &str| {
            ["host", "port", "user", "key", "key_passphrase_env", "known_hosts", "timeout_seconds", "attempts"]
                .contains(&key)
        };
        let folder: Vec<String> = keys.iter().filter(|k| !of_server(k) && *k != "encrypt_to").cloned().collect();
        assert_eq!(read(&with(&folder)).unwrap()[0].settle, Duration::from_secs(2));
        let all: Vec<String> = keys.into_iter().filter(|k| k != "encrypt_to").collect();
        let server = with(&all).replace("\"folder\"", "\"sftp\"");
        let [Place { way: Way::Sftp(server), .. }] = &read(&server).unwrap()[..] else { panic!("no server") };
        assert_eq!((server.port, server.attempts, server.timeout.as_secs()), (22, 3, 30));
    }

    #[test]
    fn paths_are_the_configurations_own_but_not_those_of_a_server() {
        let folder = &read(&table("甲", "RCC", "")).unwrap()[0];
        assert_eq!(PathBuf::from(&folder.outbox), Path::new("home").join("RCC/out"));
        let text = table("甲", "RCC", SERVER).replace("\"folder\"", "\"sftp\"");
        let server = &read(&text).unwrap()[0];
        assert_eq!((server.outbox.as_str(), &server.archive), ("RCC/out", &Path::new("home").join("RCC/a")));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_key() {
        let two = |second: &str| format!("{}{second}", table("甲", "RCC", ""));
        let sftp = |more: &str| table("甲", "RCC", more).replace("\"folder\"", "\"sftp\"");
        for (text, part) in [
            (table("甲", "RCC", "colour = 1"), "colour"),
            (table("甲", "XYZ", ""), "没有银行 XYZ"),
            (table("", "RCC", ""), "应有名称"),
            (two(&table("甲", "ABC", "")), "不能重复"),
            (two(&table("乙", "RCC", "").replace("RCC/", "x/")), "RCC 已在“甲”"),
            (two(&table("乙", "ABC", "").replace("ABC/in", "RCC/in")), "inbox: 与“甲”相同"),
            (table("甲", "RCC", "").replace("RCC/q", "RCC/in"), "四个不同"),
            (table("甲", "RCC", "").replace("\"folder\"", "\"ftp\""), "kind: “ftp”"),
            (table("甲", "RCC", SERVER), "host: 只用于"),
            (table("甲", "RCC", "port = 22"), "port、timeout_seconds"),
            (sftp(""), "host: 没有写"),
            (sftp(&SERVER.replace("user = \"u\"\n", "")), "user: 没有写"),
            (sftp(&format!("{SERVER}attempts = 0")), "attempts: 0"),
            (table("甲", "RCC", "marker = \".ok\""), "marker: “.ok”"),
            (table("甲", "RCC", "marker = \"ok\"\nacknowledgement = \"ok\""), "不能与 marker 相同"),
            (table("甲", "RCC", "settle_seconds = 601"), "settle_seconds: 601"),
            (
                table("甲", "RCC", "encrypt_to = [\"age1x\"]"),
                if cfg!(feature = "age") { "不是 age 公钥" } else { "没有带加密" },
            ),
        ] {
            let fault = read(&text).unwrap_err();
            assert!(fault.contains(part), "{fault} has not {part}");
        }
    }
}
