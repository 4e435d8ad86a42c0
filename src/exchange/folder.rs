//! A folder: read a file with a limit, write one so that it is there whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::crash;
use crate::failure::{Failure, Kind};

/// Largest file read: 200 MB, three times the answer to a million payments.
pub(super) const LARGEST_FILE: u64 = 200 << 20;

pub(super) fn failure(code: &'static str, path: &Path, error: &std::io::Error) -> Failure {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "没有这个文件或文件夹".to_string(),
        std::io::ErrorKind::PermissionDenied => "没有权限".to_string(),
        std::io::ErrorKind::StorageFull => "磁盘已满".to_string(),
        _ => error.to_string(),
    };
    Failure::new(Kind::Input, code, format!("{}: {reason}", path.display()))
}

/// Reads a file, up to 200 MB.
///
/// # Errors
/// When it is not there, may not be read, or is larger.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|e| failure("FILE_UNREADABLE", path, &e))?;
    // Room for all of it at once: a list that grows holds a large file twice on its way.
    let size = file.metadata().map_or(0, |known| known.len()).min(LARGEST_FILE + 1);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|e| failure("FILE_UNREADABLE", path, &e))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Failure::input("FILE_TOO_LARGE", format!("{}: 超过 200 MB", path.display())));
    }
    Ok(bytes)
}

/// Files of a folder with this extension, by name.
///
/// # Errors
/// When the folder is not there or may not be read.
pub fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut files = all(folder)?;
    files.retain(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension)));
    Ok(files)
}

/// Files that were named, and of folders that were named what `inside` finds there.
///
/// # Errors
/// Those of `inside`.
pub fn named(
    paths: &[PathBuf],
    inside: impl Fn(&Path) -> Result<Vec<PathBuf>, Failure>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(inside(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Files of a folder, by name.
///
/// # Errors
/// When the folder is not there or may not be read.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |e: std::io::Error| failure("FOLDER_UNREADABLE", folder, &e);
    let entries = fs::read_dir(folder).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// Writes a file that must not replace another: a temporary file, fsync, rename, fsync of the
/// folder. The same bytes already there are left alone.
///
/// # Errors
/// When a different file of that name is there, or the folder cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if put_new(path, bytes)? {
        sync_folder(folder_of(path));
    }
    Ok(())
}

/// A file that is whole under its temporary name and waits for its own. Dropped before, it is gone.
#[derive(Debug)]
pub struct Waiting {
    temporary: PathBuf,
    path: PathBuf,
    has_name: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.has_name {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a file under its temporary name, to be given its own by [`release`].
///
/// # Errors
/// When the folder cannot be written.
pub fn write_waiting(path: &Path, bytes: &[u8]) -> Result<Waiting, Failure> {
    let wrong = |e: std::io::Error| failure("FILE_UNWRITABLE", path, &e);
    fs::create_dir_all(folder_of(path)).map_err(wrong)?;
    let waiting = Waiting { temporary: temporary(path), path: path.to_path_buf(), has_name: false };
    fs::write(&waiting.temporary, bytes).map_err(wrong)?;
    Ok(waiting)
}

/// [`write_new`] of files of one folder that wait there: each is synced before it has its name, the folder once, after
/// the last. Their paths.
///
/// # Errors
/// As [`write_new`]; the files before are there then.
pub fn release<'a>(folder: &Path, files: impl IntoIterator<Item = &'a mut Waiting>) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for file in files {
        let wrong = |e: std::io::Error| failure("FILE_UNWRITABLE", &file.path, &e);
        if file.path.exists() {
            put_new(&file.path, &fs::read(&file.temporary).map_err(wrong)?)?;
        } else {
            File::open(&file.temporary).and_then(|f| f.sync_all()).map_err(wrong)?;
            name_it(&file.temporary, &file.path).map_err(wrong)?;
            file.has_name = true;
        }
        paths.push(file.path.clone());
    }
    sync_folder(folder);
    Ok(paths)
}

/// True when the file had to be written.
fn put_new(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    match fs::read(path) {
        Ok(present) if present == bytes => Ok(false),
        Ok(_) => Err(Failure::conflict("FILE_DIFFERS", format!("{} 已存在且内容不同", path.display()))
            .hint("该文件可能被修改过；请移走后重新报盘，库中留存的原件不变")),
        Err(_) => put(path, bytes).map(|()| true),
    }
}

/// Writes a file, replacing one of that name whole.
///
/// # Errors
/// When the folder cannot be written; then what was there is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    put(path, bytes)?;
    sync_folder(folder_of(path));
    Ok(())
}

/// Writes a file that nobody but its owner may read, replacing one of that name whole.
///
/// # Errors
/// When the folder cannot be written.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, b"")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|e| failure("FILE_UNWRITABLE", path, &e))?;
    }
    write_through(path, bytes)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file beside what is there: the same bytes under this name are left alone, other bytes under this name stay
/// and the file takes the next free one, `name~2`. Its path.
///
/// # Errors
/// When the folder cannot be written.
pub fn put_beside(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    let mut number = 1;
    loop {
        let path = folder.join(if number == 1 { name.to_string() } else { format!("{stem}~{number}{ending}") });
        match write_new(&path, bytes) {
            Err(failure) if failure.code == "FILE_DIFFERS" => number += 1,
            other => return other.map(|()| path),
        }
    }
}

/// Removes a file; one that is gone is removed.
///
/// # Errors
/// When it may not be removed.
pub fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failure("FILE_UNWRITABLE", path, &error)),
        _ => Ok(()),
    }
}

/// Gives a finished temporary file its name, which must be free.
///
/// # Errors
/// When the name is taken, or the folder cannot be written.
pub fn give_name(temporary: &Path, path: &Path) -> Result<(), Failure> {
    let taken = || Failure::conflict("FILE_DIFFERS", format!("{} 已存在", path.display()));
    // A link cannot take the place of a file; where there are no links (FAT, some shares) one look must do.
    match fs::hard_link(temporary, path) {
        Ok(()) => remove(temporary)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken()),
        Err(_) if path.exists() => return Err(taken()),
        Err(_) => fs::rename(temporary, path).map_err(|e| failure("FILE_UNWRITABLE", path, &e))?,
    }
    sync_folder(folder_of(path));
    Ok(())
}

/// The rename of a file lasts once its folder is synced; not every file system can.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Writes a file to the disk itself.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_through(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = File::create(path).map_err(|e| failure("FILE_UNWRITABLE", path, &e))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| failure("FILE_UNWRITABLE", path, &e))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| failure("FILE_UNWRITABLE", path, &e);
    fs::create_dir_all(folder_of(path)).map_err(wrong)?;
    let temporary = temporary(path);
    write_through(&temporary, bytes)?;
    name_it(&temporary, path).map_err(wrong)
}

/// The name under which a file is written.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    folder_of(path).join(name)
}

/// Gives a whole file its name.
fn name_it(temporary: &Path, path: &Path) -> std::io::Result<()> {
    crash::point("folder", "after-write");
    fs::rename(temporary, path)?;
    crash::point("folder", "after-rename");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_different_file_is_never_overwritten_and_no_part_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_new(&path, b"one").unwrap();
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().code, "FILE_DIFFERS");
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(read(&folder.path().join("none")).unwrap_err().code, "FILE_UNREADABLE");
    }

    #[test]
    fn a_file_that_waits_has_its_name_once_it_is_released_and_is_gone_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let (out, path) = (folder.path().join("out"), folder.path().join("out/a.txt"));
        let count = || fs::read_dir(&out).unwrap().count();
        drop(write_waiting(&path, b"one").unwrap());
        assert_eq!(count(), 0);
        let mut waiting = write_waiting(&path, b"one").unwrap();
        assert!(!path.exists());
        assert_eq!(release(&out, [&mut waiting]).unwrap(), [path.as_path()]);
        drop(waiting);
        release(&out, [&mut write_waiting(&path, b"one").unwrap()]).unwrap();
        let differs = release(&out, [&mut write_waiting(&path, b"two").unwrap()]).unwrap_err();
        assert_eq!((differs.code, read(&path).unwrap().as_slice(), count()), ("FILE_DIFFERS", b"one".as_slice(), 1));
    }

    #[test]
    fn files_of_one_name_lie_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let put = |bytes: &[u8]| {
            let path = put_beside(folder.path(), "return.txt", bytes).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_string()
        };
        assert_eq!(
            [put(b"one"), put(b"two"), put(b"one"), put(b"two")],
            ["return.txt", "return~2.txt", "return.txt", "return~2.txt"]
        );
        let (part, path) = (folder.path().join("x.part"), folder.path().join("x"));
        write_through(&part, b"x").unwrap();
        give_name(&part, &path).unwrap();
        assert!(path.exists() && !part.exists());
        write_through(&part, b"y").unwrap();
        assert_eq!(give_name(&part, &path).unwrap_err().code, "FILE_DIFFERS");
        assert_eq!(read(&path).unwrap(), b"x");
    }
}
