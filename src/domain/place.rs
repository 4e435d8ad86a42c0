//! A place where files are exchanged with a bank: a folder (share, USB stick) or a server. What the
//! office says of it stands in `fafang.toml`; nothing here opens anything.

use std::path::PathBuf;
use std::time::Duration;

/// One place, for one or several banks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name in messages, lists and records.
    pub name: String,
    /// Codes of the banks whose files go and come here.
    pub banks: Vec<String>,
    /// How it is reached.
    pub way: Way,
    /// Where payment files are put.
    pub outbox: String,
    /// Where the bank's files lie.
    pub inbox: String,
    /// The office's own folder for what was taken in.
    pub archive: PathBuf,
    /// The office's own folder for what was not understood, with the reason beside it.
    pub quarantine: PathBuf,
    /// Ending of the file that says that another is complete: `ok` for `NAME.ok`. None: no such files.
    pub marker: Option<String>,
    /// Ending of the file by which the bank says that it has ours. None: the bank says nothing.
    pub acknowledgement: Option<String>,
    /// How long a file without marker must keep its size to be complete.
    pub settle: Duration,
    /// Recipients (`age1…`) for whom payment files are encrypted; none: they go as they are.
    pub encrypt_to: Vec<String>,
    /// The key that opens the bank's files; with one, a file that is not encrypted is not understood.
    pub identity: Option<PathBuf>,
}

/// How a place is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Folders of this machine or its network.
    Folder,
    /// A server, by SFTP.
    Sftp(Server),
}

/// A server and how to prove to each other who is who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User there.
    pub user: String,
    /// The office's private key.
    pub key: PathBuf,
    /// Environment variable with the key's passphrase.
    pub passphrase_env: Option<String>,
    /// Keys of servers that are known.
    pub known_hosts: PathBuf,
    /// Longest wait for any one answer.
    pub timeout: Duration,
    /// How often a connection is tried.
    pub attempts: u32,
}

/// Ending of encrypted files.
pub const SEALED: &str = ".age";

impl Place {
    /// Name under which a payment file stands in the outbox.
    pub fn sent_name(&self, file_name: &str) -> String {
        if self.encrypt_to.is_empty() { file_name.to_string() } else { format!("{file_name}{SEALED}") }
    }

    /// Name of the marker that belongs to a file.
    pub fn marker_of(&self, name: &str) -> Option<String> {
        self.marker.as_ref().map(|ending| format!("{name}.{ending}"))
    }

    /// The file that a marker or an acknowledgement speaks of: its name without this ending.
    pub fn base<'a>(ending: Option<&str>, name: &'a str) -> Option<&'a str> {
        let base = name.strip_suffix(ending?)?.strip_suffix('.')?;
        (!base.is_empty()).then_some(base)
    }
}
