//! Comparing and recording the key of a bank's server.

use serde_json::json;

use super::super::{Answer, Desk, exit_code};
use super::named;
use crate::domain::place::Way;
use crate::exchange::{known_host, sftp};
use crate::failure::{Failure, Kind};

pub async fn trust(desk: &Desk, name: &str, said: Option<&str>) -> Answer {
    let place = named(&desk.office.places, name)?;
    let Way::Sftp(server) = &place.way else {
        return Err(Failure::new(Kind::Configuration, "NO_SERVER", format!("“{name}”是文件夹，没有服务器")));
    };
    let key = sftp::shown_key(name, server).await?;
    let shown = known_host::fingerprint(&key);
    let at = format!("{}:{}", server.host, server.port);
    let recorded = known_host::recorded(server)?;
    let is_recorded = recorded.iter().any(|known| known.key_data() == key.key_data());
    let Some(said) = said else {
        let state = if is_recorded { "已登记" } else { "没有登记" };
        desk.out.answer(
            || json!({ "host": at, "fingerprint": shown, "recorded": is_recorded }),
            || {
                let next =
                    if is_recorded { "" } else { "\n请向银行核对指纹，一致时加上 --fingerprint 登记" };
                format!("{at} 出示的主机公钥: {} {shown}（{state}）{next}", key.algorithm())
            },
        );
        return Ok(if is_recorded { exit_code::DONE } else { exit_code::REFUSED });
    };
    if said.trim() != shown {
        let message = format!("{at} 出示的主机公钥是 {shown}，银行告知的是 {said}，没有登记");
        return Err(Failure::refused("HOST_CHANGED", message).hint("不是银行的服务器，或指纹抄错；请向银行核实"));
    }
    if !is_recorded {
        // Another key of this kind would be refused even with this one beside it, and must be taken away by hand.
        if recorded.iter().any(|known| known.algorithm() == key.algorithm()) {
            let message = format!("{at} 登记过另一个主机公钥，没有改动");
            return Err(Failure::conflict("HOST_CHANGED", message)
                .hint(format!("银行确已更换的，先从 {} 删去旧的一行", server.known_hosts.display())));
        }
        known_host::learn(server, &key)?;
    }
    desk.out.answer(
        || json!({ "host": at, "fingerprint": shown, "recorded": true }),
        || format!("已登记 {at} 的主机公钥 {shown}: {}", server.known_hosts.display()),
    );
    Ok(exit_code::DONE)
}
