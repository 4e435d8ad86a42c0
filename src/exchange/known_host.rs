//! Which server is the bank's: the keys in a `known_hosts` file. An unknown key is refused, and so is another one than
//! was recorded; nothing is recorded unless a person has compared the fingerprint.

use russh::keys::known_hosts::{known_host_keys_path, learn_known_hosts_path};
use russh::keys::{HashAlg, PublicKey};

use crate::domain::place::Server;
use crate::failure::{Failure, Kind};

/// Fingerprint as banks tell it: `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn unreadable(server: &Server, error: &russh::keys::Error) -> Failure {
    Failure::new(Kind::Configuration, "KNOWN_HOSTS", format!("{} 读不出来: {error}", server.known_hosts.display()))
        .hint("请核对配置的 known_hosts；第一次使用时运行 fafang exchange trust 登记银行的主机公钥")
}

/// Keys recorded for the server.
///
/// # Errors
/// When the file cannot be understood.
pub fn recorded(server: &Server) -> Result<Vec<PublicKey>, Failure> {
    let keys = known_host_keys_path(&server.host, server.port, &server.known_hosts);
    Ok(keys.map_err(|e| unreadable(server, &e))?.into_iter().map(|(_, key)| key).collect())
}

/// Refuses unless this very key was recorded for the server.
///
/// # Errors
/// With the fingerprint found and what to do.
pub fn check(place: &str, server: &Server, key: &PublicKey) -> Result<(), Failure> {
    let recorded = recorded(server)?;
    if recorded.iter().any(|known| known.key_data() == key.key_data()) {
        return Ok(());
    }
    let (at, found) = (format!("{}:{}", server.host, server.port), fingerprint(key));
    if recorded.is_empty() {
        let message = format!("“{place}”的服务器 {at} 没有登记过，出示的主机公钥是 {found}，没有连接");
        return Err(Failure::refused("HOST_UNKNOWN", message)
            .hint(format!("请向银行核对指纹，一致时运行 fafang exchange trust {place} --fingerprint {found}")));
    }
    let known: Vec<String> = recorded.iter().map(fingerprint).collect();
    let message = format!("“{place}”的服务器 {at} 出示的主机公钥是 {found}，登记的是 {}，没有连接", known.join("、"));
    Err(Failure::refused("HOST_CHANGED", message).hint(format!(
        "可能有人冒充银行。请向银行核实；确已更换的，先从 {} 删去旧的一行，再运行 fafang exchange trust",
        server.known_hosts.display()
    )))
}

/// Records a key that a person has compared.
///
/// # Errors
/// When the file cannot be written.
pub fn learn(server: &Server, key: &PublicKey) -> Result<(), Failure> {
    learn_known_hosts_path(&server.host, server.port, key, &server.known_hosts).map_err(|e| unreadable(server, &e))
}
