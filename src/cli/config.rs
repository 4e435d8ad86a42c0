//! Configuration: `config/default.toml` compiled in, the office's own `fafang.toml` over it, then
//! environment and flags.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::bank::BankBook;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::bank::book;

const DEFAULT: &str = include_str!("../../config/default.toml");

/// The file looked for when none is named.
pub const FILE_NAME: &str = "fafang.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Option<String>,
    agency: Option<String>,
    banks: Option<Vec<String>>,
}

/// Settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database, paths made relative to the working folder.
    pub database: String,
    /// Agency, when several share the database.
    pub agency: Option<String>,
    /// Banks, layouts and reason codes.
    pub banks: BankBook,
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Configuration, "CONFIG", message)
}

impl Config {
    /// Loads the configuration: `named` file, else `fafang.toml` of the working folder if there is
    /// one. A `database` given on the command line wins, and then the agency of a file that was not
    /// named does not count: it speaks of another database.
    ///
    /// # Errors
    /// When a file is missing or wrong.
    pub fn load(named: Option<&Path>, database: Option<&str>) -> Result<Config, Failure> {
        let path = named.map(Path::to_path_buf).or_else(|| Some(PathBuf::from(FILE_NAME)).filter(|p| p.exists()));
        let own = match &path {
            None => File::default(),
            Some(path) => {
                let bytes = folder::read(path).map_err(|f| Failure { kind: Kind::Configuration, ..f })?;
                let text =
                    String::from_utf8(bytes).map_err(|_| wrong(format!("{}: 应为 UTF-8 文本", path.display())))?;
                toml::from_str(&text).map_err(|e| wrong(format!("{}: {e}", path.display())))?
            }
        };
        let default: File = toml::from_str(DEFAULT).map_err(|e| wrong(e.to_string()))?;
        let home = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        let mut banks = book::built_in().map_err(|e| wrong(e.to_string()))?;
        for name in own.banks.or(default.banks).unwrap_or_default() {
            let file = home.join(&name);
            let bytes = folder::read(&file).map_err(|f| Failure { kind: Kind::Configuration, ..f })?;
            let text = String::from_utf8(bytes).map_err(|_| wrong(format!("{}: 应为 UTF-8 文本", file.display())))?;
            book::add(&mut banks, &text).map_err(|e| wrong(format!("{}: {e}", file.display())))?;
        }
        let agency = own.agency.filter(|a| !a.is_empty()).filter(|_| database.is_none() || named.is_some());
        let database = match database {
            Some(url) => url.to_string(),
            None => at_home(&home, &own.database.or(default.database).unwrap_or_default()),
        };
        Ok(Config { database, agency, banks })
    }
}

fn at_home(home: &Path, database: &str) -> String {
    if database.starts_with("postgres") {
        return database.to_string();
    }
    let path = crate::storage::engine::sqlite_path(database);
    home.join(path).to_string_lossy().into_owned()
}

/// The commented configuration of a new office.
pub fn commented(database: &str, agency: &str) -> String {
    DEFAULT
        .replace("database = \"fafang.db\"", &format!("database = {database:?}"))
        .replace("agency = \"\"", &format!("agency = \"{agency}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_and_a_new_offices_file_are_read() {
        let file: File = toml::from_str(&commented("a b.db", "652827")).unwrap();
        assert_eq!((file.database.as_deref(), file.agency.as_deref()), (Some("a b.db"), Some("652827")));
        assert!(toml::from_str::<File>("databse = \"x\"").is_err());
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.toml");
        std::fs::write(&path, commented("fafang.db", "652827")).unwrap();
        let config = Config::load(Some(&path), None).unwrap();
        assert_eq!(config.database, folder.path().join("fafang.db").to_string_lossy());
        let other = Config::load(Some(&path), Some("postgres://x/y")).unwrap();
        assert_eq!((other.database.as_str(), other.agency.as_deref()), ("postgres://x/y", Some("652827")));
    }
}
