//! A bank's server, by SFTP (SSH, version 3 of its file transfer): the known server only, our key only, and a file is
//! there whole or not at all.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, load_secret_key};
use russh::{Disconnect, Preferred};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::folder::LARGEST_FILE;
use super::known_host;
use super::place::Found;
use crate::domain::place::{Place, Server};
use crate::failure::{Failure, Kind};

/// Wait before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// An open session. The connection ends with it.
pub struct Sftp {
    place: String,
    outbox: String,
    inbox: String,
    session: SftpSession,
    handle: Handle<Door>,
}

/// Who looks at the server's key.
struct Door {
    place: String,
    server: Server,
    /// Only looks, and refuses every key.
    seen: Option<Arc<Mutex<Option<PublicKey>>>>,
}

/// Why no connection came about.
#[derive(Debug)]
enum Trouble {
    /// A refusal of ours, or one that trying again does not change.
    Final(Failure),
    /// The network's or the server's.
    Ssh(russh::Error),
}

impl From<russh::Error> for Trouble {
    fn from(error: russh::Error) -> Trouble {
        Trouble::Ssh(error)
    }
}

impl client::Handler for Door {
    type Error = Trouble;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Trouble> {
        let key = key.public_key();
        if let Some(seen) = &self.seen {
            if let Ok(mut seen) = seen.lock() {
                *seen = Some(key);
            }
            return Ok(false);
        }
        known_host::check(&self.place, &self.server, &key).map(|()| true).map_err(Trouble::Final)
    }
}

fn unreachable(place: &str, server: &Server, why: impl Display) -> Failure {
    let message = format!("“{place}”的服务器 {}:{} 连不上: {why}", server.host, server.port);
    Failure::input("PLACE_UNREACHABLE", message).hint("请检查网络和服务器的地址、端口；已登记的状态不变，可以重新运行")
}

fn configuration(server: &Server, recorded: &[PublicKey]) -> client::Config {
    let mut preferred = Preferred::DEFAULT;
    // The key that is recorded is asked for: a server has several, and shows the one that we name first.
    let recorded: Vec<Algorithm> = recorded.iter().flat_map(|key| algorithms(&key.algorithm())).collect();
    if !recorded.is_empty() {
        preferred.key = Cow::Owned(recorded);
    }
    client::Config {
        preferred,
        keepalive_interval: Some(server.timeout),
        keepalive_max: 1,
        nodelay: true,
        ..client::Config::default()
    }
}

/// An RSA key signs with SHA-2 only.
fn algorithms(of_key: &Algorithm) -> Vec<Algorithm> {
    match of_key {
        Algorithm::Rsa { .. } => {
            [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec()
        }
        other => vec![other.clone()],
    }
}

/// The key that the server shows, whoever it is.
///
/// # Errors
/// When it shows none.
pub async fn shown_key(place: &str, server: &Server) -> Result<PublicKey, Failure> {
    let seen = Arc::new(Mutex::new(None));
    let door = Door { place: place.to_string(), server: server.clone(), seen: Some(Arc::clone(&seen)) };
    let config = Arc::new(configuration(server, &known_host::recorded(server)?));
    let attempt = client::connect(config, (server.host.as_str(), server.port), door);
    let result = timeout(server.timeout, attempt).await;
    if let Some(key) = seen.lock().ok().and_then(|mut seen| seen.take()) {
        return Ok(key);
    }
    Err(match result {
        Ok(Err(Trouble::Ssh(error))) => unreachable(place, server, error),
        Ok(Err(Trouble::Final(failure))) => failure,
        Ok(Ok(_)) => unreachable(place, server, "没有出示主机公钥"),
        Err(_) => unreachable(place, server, format!("{} 秒没有回音", server.timeout.as_secs())),
    })
}

impl Sftp {
    /// Connects, as often as the place allows.
    ///
    /// # Errors
    /// When the server is not the known one or refuses our key, at once; when it cannot be reached, after the last attempt.
    pub async fn open(place: &Place, server: &Server) -> Result<Sftp, Failure> {
        let key = own_key(server)?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let why = match timeout(server.timeout, connect(place, server, &key)).await {
                Ok(Ok(sftp)) => return Ok(sftp),
                Ok(Err(Trouble::Final(failure))) => return Err(failure),
                Ok(Err(Trouble::Ssh(error))) => error.to_string(),
                Err(_) => format!("{} 秒没有回音", server.timeout.as_secs()),
            };
            if attempt >= server.attempts {
                return Err(unreachable(&place.name, server, format!("{why}（试了 {attempt} 次）")));
            }
            tracing::warn!(place = place.name, attempt, why, "no connection");
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    /// Where payment files are put.
    pub fn outbox(&self) -> &str {
        &self.outbox
    }

    /// Where the bank's files lie.
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    fn failure(&self, path: &str, error: impl Into<SftpError>) -> Failure {
        let at = format!("“{}”的 {path}", self.place);
        match error.into() {
            SftpError::Status(status) => {
                let why = match status.status_code {
                    StatusCode::NoSuchFile => "没有这个文件或文件夹".to_string(),
                    StatusCode::PermissionDenied => "没有权限".to_string(),
                    _ => status.error_message,
                };
                Failure::input("PLACE_REFUSED", format!("{at}: {why}")).hint("请向银行核实文件夹和权限")
            }
            other => Failure::input("PLACE_LOST", format!("{at}: 连接中断（{other}）"))
                .hint("已登记的状态不变，可以重新运行"),
        }
    }

    /// Files of a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn list(&self, folder: &str) -> Result<Vec<Found>, Failure> {
        let entries = self.session.read_dir(folder).await.map_err(|e| self.failure(folder, e))?;
        let files = entries.filter(|entry| entry.file_type().is_file()).map(|entry| {
            let metadata = entry.metadata();
            Found { name: entry.file_name(), size: metadata.len(), changed: metadata.mtime.map(u64::from) }
        });
        Ok(files.collect())
    }

    /// The bytes of a file, up to 200 MB.
    ///
    /// # Errors
    /// When it cannot be read, or is larger.
    pub async fn read(&self, folder: &str, name: &str) -> Result<Vec<u8>, Failure> {
        let path = join(folder, name);
        let file = self.session.open(path.as_str()).await.map_err(|e| self.failure(&path, e))?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).await.map_err(|e| self.failure(&path, e))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Failure::input("FILE_TOO_LARGE", format!("{path}: 超过 200 MB，没有取回"))
                .hint("银行的文件不会这么大；请向银行核实是不是放错了，移走以后再取"));
        }
        Ok(bytes)
    }

    /// The bytes of a file, if it is there.
    ///
    /// # Errors
    /// As [`Sftp::read`].
    pub async fn read_if_there(&self, folder: &str, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = join(folder, name);
        match self.session.try_exists(path.as_str()).await {
            Ok(false) => Ok(None),
            Ok(true) => self.read(folder, name).await.map(Some),
            Err(error) => Err(self.failure(&path, error)),
        }
    }

    /// Removes a file; one that is gone is removed.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(&self, folder: &str, name: &str) -> Result<(), Failure> {
        let path = join(folder, name);
        match self.session.remove_file(path.as_str()).await {
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(()),
            result => result.map_err(|e| self.failure(&path, e)),
        }
    }

    /// Uploads bytes into the outbox and has them written to its disk, where the server can do that.
    ///
    /// # Errors
    /// When not all of them arrive.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = join(&self.outbox, name);
        let mut file = self.session.create(path.as_str()).await.map_err(|e| self.failure(&path, e))?;
        file.write_all(bytes).await.map_err(|e| self.failure(&path, e))?;
        file.flush().await.map_err(|e| self.failure(&path, e))?;
        file.sync_all().await.map_err(|e| self.failure(&path, e))?;
        file.close().await.map_err(|e| self.failure(&path, e))?;
        let arrived = self.session.metadata(path.as_str()).await.map_err(|e| self.failure(&path, e))?.len();
        if arrived == bytes.len() as u64 {
            return Ok(());
        }
        Err(Failure::input(
            "PLACE_REFUSED",
            format!("“{}”的 {path}: 送到 {arrived} 字节，应为 {}，没有改成正式文件名", self.place, bytes.len()),
        )
        .hint("银行没有得到这个文件；请核对服务器的空间和权限，再运行 fafang exchange push"))
    }

    /// Gives an uploaded file its name. A server renames onto no other file.
    ///
    /// # Errors
    /// When the name is taken, or the connection is lost.
    pub async fn give_name(&self, temporary: &str, name: &str) -> Result<(), Failure> {
        let (from, to) = (join(&self.outbox, temporary), join(&self.outbox, name));
        let is_there = self.session.try_exists(to.as_str()).await.map_err(|e| self.failure(&to, e))?;
        if !is_there {
            match self.session.rename(from, to.as_str()).await {
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Failure => {
                    // Version 3 has one word for it all: was somebody faster?
                    if !self.session.try_exists(to.as_str()).await.map_err(|e| self.failure(&to, e))? {
                        return Err(self.failure(&to, SftpError::Status(status)));
                    }
                }
                result => return result.map_err(|e| self.failure(&to, e)),
            }
        }
        Err(Failure::conflict("FILE_DIFFERS", format!("“{}”的 {to} 已存在，没有覆盖", self.place))
            .hint("别人刚放了同名的文件；请用 fafang exchange list 查看，向银行核实以后再送"))
    }

    /// Says good-bye; a server that is told nothing waits for us.
    pub async fn close(self) {
        let _ = self.session.close().await;
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{}/{name}", folder.trim_end_matches('/')) }
}

fn own_key(server: &Server) -> Result<Arc<russh::keys::PrivateKey>, Failure> {
    let wrong = |message: String| Failure::new(Kind::Configuration, "SFTP_KEY", message);
    let passphrase = match &server.passphrase_env {
        Some(name) => Some(std::env::var(name).map_err(|_| {
            wrong(format!("没有环境变量 {name}，它应是密钥的口令"))
                .hint("在运行 fafang 的环境里设好它，或改配置的 key_passphrase_env")
        })?),
        None => None,
    };
    let key = load_secret_key(&server.key, passphrase.as_deref()).map_err(|e| {
        let at = server.key.display();
        match e {
            russh::keys::Error::KeyIsEncrypted => {
                wrong(format!("{at} 有口令，没有打开")).hint("在配置里用 key_passphrase_env 写明放口令的环境变量")
            }
            russh::keys::Error::IO(e) => {
                wrong(format!("{at} 读不出来: {e}")).hint("请核对配置的 key，文件应是登录银行服务器的私钥，本人可读")
            }
            other => wrong(format!("{at} 不是可用的私钥，或口令不对: {other}"))
                .hint("key 应写 OpenSSH 格式的私钥（不是 .pub）；口令放在 key_passphrase_env 写明的环境变量里"),
        }
    })?;
    Ok(Arc::new(key))
}

async fn connect(place: &Place, server: &Server, key: &Arc<russh::keys::PrivateKey>) -> Result<Sftp, Trouble> {
    let config = configuration(server, &known_host::recorded(server).map_err(Trouble::Final)?);
    let door = Door { place: place.name.clone(), server: server.clone(), seen: None };
    let mut handle = client::connect(Arc::new(config), (server.host.as_str(), server.port), door).await?;
    let hash = match key.algorithm() {
        Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha256)),
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
    if !handle.authenticate_publickey(server.user.as_str(), key).await?.success() {
        let message = format!("“{}”的服务器 {} 不接受用户 {} 的密钥", place.name, server.host, server.user);
        return Err(Trouble::Final(
            Failure::refused("KEY_REFUSED", message)
                .hint(format!("请把 {}.pub 交给银行登记，或核对用户名", server.key.display())),
        ));
    }
    let channel = handle.channel_open_session().await?;
    channel.request_subsystem(true, "sftp").await?;
    let settings =
        russh_sftp::client::Config { request_timeout_secs: server.timeout.as_secs().max(1), ..Default::default() };
    let session = SftpSession::new_with_config(channel.into_stream(), settings).await.map_err(|e| {
        Trouble::Final(
            Failure::input("PLACE_UNREACHABLE", format!("“{}”的服务器 {} 没有开通 SFTP: {e}", place.name, server.host))
                .hint("请向银行核实"),
        )
    })?;
    Ok(Sftp { place: place.name.clone(), outbox: place.outbox.clone(), inbox: place.inbox.clone(), session, handle })
}
