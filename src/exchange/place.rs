//! A place of exchange, opened: what lies in its outbox and inbox, and how a file gets there whole.
//!
//! A payment file is uploaded under a temporary name and given its own afterwards, in two calls, so that the caller
//! can write down in between that it is about to be there.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder;
#[cfg(feature = "sftp")]
use super::sftp::Sftp;
use crate::domain::place::{Place, Way};
use crate::failure::Failure;

/// A file in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed last, in seconds, where that is known.
    pub changed: Option<u64>,
}

/// An opened place.
pub enum Connection {
    /// Folders.
    Folder(Folders),
    /// A server.
    #[cfg(feature = "sftp")]
    Sftp(Box<Sftp>),
}

/// Ending of temporary names.
const PART: &str = ".part";

/// Temporary name of a file whose bytes have this digest; no two uploads share one.
pub fn temporary_name(name: &str, digest: &str) -> String {
    format!("{}{}{PART}", temporary_stem(name, digest), std::process::id())
}

/// What the temporary name of a file with these bytes begins with, whoever uploads it.
fn temporary_stem(name: &str, digest: &str) -> String {
    format!(".{name}.{}-", digest.get(..12).unwrap_or(digest))
}

/// True for a temporary name of this file, with these bytes if any are meant.
fn is_temporary_of(found: &str, name: &str, digest: Option<&str>) -> bool {
    let stem = digest.map_or_else(|| format!(".{name}."), |digest| temporary_stem(name, digest));
    found.starts_with(&stem) && found.ends_with(PART)
}

/// True for names under which other programs write what is not complete yet.
pub fn is_incomplete(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let endings = [PART, ".tmp", ".temp", ".filepart", ".partial", ".crdownload", ".writing"];
    name.starts_with(['.', '~']) || endings.iter().any(|ending| lower.ends_with(ending))
}

impl Connection {
    /// Opens a place: its folders must be there, its server must be the known one and know us.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(place: &Place) -> Result<Connection, Failure> {
        match &place.way {
            Way::Folder => Ok(Connection::Folder(Folders::open(place)?)),
            #[cfg(feature = "sftp")]
            Way::Sftp(server) => Ok(Connection::Sftp(Box::new(Sftp::open(place, server).await?))),
            #[cfg(not(feature = "sftp"))]
            Way::Sftp(_) => Err(Failure::new(
                crate::failure::Kind::Configuration,
                "NO_SFTP",
                format!("“{}”用 SFTP，而本程序编译时没有带 SFTP", place.name),
            )
            .hint("请换用带 SFTP 的程序，或把这一处改为 kind = \"folder\"，由人工与银行交换")),
        }
    }

    /// What lies in the inbox, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn inbox(&self) -> Result<Vec<Found>, Failure> {
        let mut found = match self {
            Connection::Folder(folders) => Folders::list(&folders.inbox)?,
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.list(sftp.inbox()).await?,
        };
        // A name that leads out of its folder is no name of a file.
        found.retain(|f| {
            Path::new(&f.name).file_name().is_some_and(|name| name == f.name.as_str()) && !f.name.contains('\\')
        });
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The bytes of a file of the inbox.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than any file may be.
    pub async fn take(&self, name: &str) -> Result<Vec<u8>, Failure> {
        match self {
            Connection::Folder(folders) => folder::read(&folders.inbox.join(name)),
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.read(sftp.inbox(), name).await,
        }
    }

    /// Removes a file of the inbox; one that is gone is removed.
    ///
    /// # Errors
    /// When it may not be removed.
    pub async fn remove(&self, name: &str) -> Result<(), Failure> {
        match self {
            Connection::Folder(folders) => folder::remove(&folders.inbox.join(name)),
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.remove(sftp.inbox(), name).await,
        }
    }

    /// The bytes that stand in the outbox under a name, if any do.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn sent(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Connection::Folder(folders) => {
                let path = folders.outbox.join(name);
                path.try_exists()
                    .map_err(|e| folder::failure("FILE_UNREADABLE", &path, &e))?
                    .then(|| folder::read(&path))
                    .transpose()
            }
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.read_if_there(sftp.outbox(), name).await,
        }
    }

    /// Temporary files of a file, with these bytes if any are meant.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn temporaries(&self, name: &str, digest: Option<&str>) -> Result<Vec<String>, Failure> {
        let found = match self {
            Connection::Folder(folders) => Folders::list(&folders.outbox)?,
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.list(sftp.outbox()).await?,
        };
        Ok(found.into_iter().map(|f| f.name).filter(|found| is_temporary_of(found, name, digest)).collect())
    }

    /// Uploads bytes under a temporary name, down to the disk.
    ///
    /// # Errors
    /// When they cannot be written whole.
    pub async fn upload(&self, temporary: &str, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Connection::Folder(folders) => folder::write_through(&folders.outbox.join(temporary), bytes),
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.upload(temporary, bytes).await,
        }
    }

    /// Gives an uploaded file its name, which must be free.
    ///
    /// # Errors
    /// When the name is taken, or the place is gone.
    pub async fn give_name(&self, temporary: &str, name: &str) -> Result<(), Failure> {
        match self {
            Connection::Folder(folders) => {
                folder::give_name(&folders.outbox.join(temporary), &folders.outbox.join(name))
            }
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.give_name(temporary, name).await,
        }
    }

    /// Leaves the place.
    pub async fn close(self) {
        match self {
            Connection::Folder(_) => {}
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.close().await,
        }
    }

    /// Removes a file of the outbox that was never given its name.
    ///
    /// # Errors
    /// When it may not be removed.
    pub async fn discard(&self, temporary: &str) -> Result<(), Failure> {
        match self {
            Connection::Folder(folders) => folder::remove(&folders.outbox.join(temporary)),
            #[cfg(feature = "sftp")]
            Connection::Sftp(sftp) => sftp.remove(sftp.outbox(), temporary).await,
        }
    }
}

/// Outbox and inbox of a folder place.
pub struct Folders {
    outbox: PathBuf,
    inbox: PathBuf,
}

impl Folders {
    fn open(place: &Place) -> Result<Folders, Failure> {
        let folders = Folders { outbox: PathBuf::from(&place.outbox), inbox: PathBuf::from(&place.inbox) };
        for path in [&folders.outbox, &folders.inbox] {
            // Never made here: a share that is not mounted, or a stick that is not plugged in, would look like one.
            if !path.is_dir() {
                let message = format!("“{}”的文件夹 {} 不在", place.name, path.display());
                return Err(Failure::input("PLACE_UNREACHABLE", message)
                    .hint("请检查网络盘是否连上、U 盘是否插好；第一次使用时请先建好这个文件夹"));
            }
        }
        Ok(folders)
    }

    fn list(path: &Path) -> Result<Vec<Found>, Failure> {
        let wrong = |e: std::io::Error| folder::failure("FOLDER_UNREADABLE", path, &e);
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            // A file that is moved away while the folder is read is no fault.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            let changed = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            found.push(Found {
                name: entry.file_name().to_string_lossy().into_owned(),
                size: metadata.len(),
                changed: changed.map(|since| since.as_secs()),
            });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_name_and_bytes() {
        let name = temporary_name("a.txt", "0123456789abcdef");
        assert!(is_temporary_of(&name, "a.txt", Some("0123456789abcdef")) && is_incomplete(&name), "{name}");
        assert!(is_temporary_of(&name, "a.txt", None) && !is_temporary_of(&name, "b.txt", None));
        assert!(!is_temporary_of(&name, "a.txt", Some("1123456789abcdef")));
        for (name, incomplete) in
            [("r.txt", false), (".r.txt", true), ("~$r.xlsx", true), ("r.txt.FILEPART", true), ("r.tmp.txt", false)]
        {
            assert_eq!(is_incomplete(name), incomplete, "{name}");
        }
    }
}
