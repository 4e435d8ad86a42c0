//! Configuration: `config/default.toml` compiled in, the office's own `fafang.toml` over it, then
//! environment and flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::places;
use crate::domain::bank::BankBook;
use crate::domain::calendar::{LazyCalendar, at_hand};
use crate::domain::place::Place;
use crate::domain::statement::StatementWords;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::bank::book;
use crate::formats::calendar;
use crate::formats::statement::StatementTable;
use crate::office::Settings;

const DEFAULT: &str = include_str!("../../config/default.toml");

/// The file looked for when none is named.
pub const FILE_NAME: &str = "fafang.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Option<String>,
    agency: Option<String>,
    banks: Option<Vec<String>>,
    calendar: Option<String>,
    complaint_phone: Option<String>,
    return_overdue_days: Option<i64>,
    idle_appropriation_days: Option<i64>,
    #[serde(default)]
    exchange: Vec<places::PlaceTable>,
    statement: Option<StatementSection>,
}

/// What the office says of its banks' statements.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementSection {
    charge: Option<Vec<String>>,
    interest: Option<Vec<String>>,
    funding: Option<Vec<String>>,
    late_return: Option<Vec<String>>,
    table: Option<StatementTable>,
    #[serde(default)]
    tables: BTreeMap<String, StatementTable>,
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
    /// Days off and make-up working days.
    pub calendar: LazyCalendar,
    /// Where files are exchanged with banks.
    pub places: Vec<Place>,
    /// What the office decides for itself.
    pub settings: Settings,
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Configuration, "CONFIG", message)
}

/// What is wrong in the office's own file. A key of the whole file that came to stand in a table is what happens when
/// somebody writes it at the end.
fn not_read(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
    let place = format!("{} 第 {} 行", path.display(), 1 + before.matches('\n').count());
    let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let Some(key) = unknown else {
        return wrong(format!("{place}写得不对: {}", error.message()))
            .hint("文字要写在双引号里，几项写在 [ ] 里用逗号分开；每一项的写法见 init 写出的 fafang.toml 里的说明");
    };
    let is_of_whole = DEFAULT.parse::<toml::Table>().is_ok_and(|table| table.contains_key(key));
    let table = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
    match table.filter(|_| is_of_whole) {
        Some(table) => wrong(format!("{place}: {key} 写在了 {table} 里面"))
            .hint(format!("{key} 应写在文件前面、第一个 [ ] 之前；文件前面已经有 {key} 的，改那一行")),
        None => wrong(format!("{place}: 没有 {key} 这一项"))
            .hint("请核对拼写，或删去这一行；每一项的写法见 init 写出的 fafang.toml 里的说明"),
    }
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
                let text = read_text(path)?;
                toml::from_str(&text).map_err(|e| not_read(path, &text, &e))?
            }
        };
        let default: File = toml::from_str(DEFAULT).map_err(|e| wrong(e.to_string()))?;
        let settings = settings(&own, &default)?;
        let home = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        let mut banks = book::built_in().map_err(|e| wrong(e.to_string()))?;
        for name in own.banks.or(default.banks).unwrap_or_default() {
            let file = home.join(&name);
            book::add(&mut banks, &read_text(&file)?).map_err(|e| wrong(format!("{}: {e}", file.display())))?;
        }
        book::check_whole(&banks).map_err(|e| wrong(e.to_string()))?;
        if let Some(code) = settings.statement_tables.keys().find(|code| banks.bank(code).is_none()) {
            return Err(wrong(format!(
                "[statement.tables.{code}]: 没有银行 {code}，段名应是 fafang bank layouts 列出的银行代码"
            )));
        }
        let places = places::places(own.exchange, &home, &banks).map_err(wrong)?;
        let usual = default.calendar.unwrap_or_default();
        let name = own.calendar.filter(|name| !name.is_empty()).unwrap_or_else(|| usual.clone());
        let years = home.join(&name);
        // An office that never made the usual folder has the program's own years.
        let calendar = load_calendar(Some(years.as_path()).filter(|folder| name != usual || folder.is_dir()))?;
        let agency = own.agency.filter(|a| !a.is_empty()).filter(|_| database.is_none() || named.is_some());
        let database = match database {
            Some(url) => url.to_string(),
            None => at_home(&home, &own.database.or(default.database).unwrap_or_default()),
        };
        Ok(Config { database, agency, banks, calendar, places, settings })
    }
}

/// The office's own words, else those of the default file.
fn settings(own: &File, default: &File) -> Result<Settings, Failure> {
    let phone = own.complaint_phone.as_ref().or(default.complaint_phone.as_ref());
    let days = |name: &str, own: Option<i64>, default: Option<i64>| match own.or(default) {
        Some(days) if (0..=3_650).contains(&days) => Ok(days),
        found => Err(wrong(format!("{name}: {}，应为 0 至 3650 的天数", found.unwrap_or_default()))),
    };
    Ok(Settings {
        complaint_phone: phone.map(|p| p.trim().to_string()).unwrap_or_default(),
        return_overdue_days: days("return_overdue_days", own.return_overdue_days, default.return_overdue_days)?,
        idle_appropriation_days: days(
            "idle_appropriation_days",
            own.idle_appropriation_days,
            default.idle_appropriation_days,
        )?,
        statement_words: statement_words(own.statement.as_ref(), default.statement.as_ref())?,
        statement_table: own.statement.as_ref().and_then(|s| s.table.clone()).unwrap_or_default(),
        statement_tables: own.statement.as_ref().map(|s| s.tables.clone()).unwrap_or_default(),
    })
}

fn statement_words(
    own: Option<&StatementSection>,
    default: Option<&StatementSection>,
) -> Result<StatementWords, Failure> {
    let words = |name: &str, of: fn(&StatementSection) -> Option<Vec<String>>| {
        let words = own.and_then(of).or_else(|| default.and_then(of)).unwrap_or_default();
        // It would stand in every text.
        if words.iter().any(|word| word.trim().is_empty()) {
            return Err(wrong(format!("[statement] {name}: 有空的词，请删去")));
        }
        Ok(words)
    };
    Ok(StatementWords {
        charge: words("charge", |s| s.charge.clone())?,
        interest: words("interest", |s| s.interest.clone())?,
        funding: words("funding", |s| s.funding.clone())?,
        late_return: words("late_return", |s| s.late_return.clone())?,
    })
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = folder::read(path).map_err(|f| Failure { kind: Kind::Configuration, ..f })?;
    String::from_utf8(bytes).map_err(|_| wrong(format!("{}: 应为 UTF-8 文本", path.display())))
}

/// The program's own years, and over them those of a folder.
fn load_calendar(years: Option<&Path>) -> Result<LazyCalendar, Failure> {
    let Some(years) = years else { return Ok(calendar::built_in_when_asked()) };
    let mut loaded = calendar::built_in().map_err(|e| wrong(e.to_string()))?;
    let files = folder::list(years, "toml").map_err(|f| Failure { kind: Kind::Configuration, ..f })?;
    for file in files {
        let year =
            calendar::parse_calendar(&read_text(&file)?).map_err(|e| wrong(format!("{}: {e}", file.display())))?;
        let name = format!("{}.toml", year.year);
        if file.file_name().is_none_or(|found| found != name.as_str()) {
            return Err(wrong(format!("{}: 内容是 {} 年，文件名应为 {name}", file.display(), year.year)));
        }
        loaded.set(year);
    }
    Ok(at_hand(loaded))
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
    fn settings_come_from_the_default_file_until_the_office_says_otherwise() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("office.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Config::load(Some(&path), None).map(|config| config.settings)
        };
        assert_eq!(load("").unwrap(), Settings::default(), "the compiled defaults are those of default.toml");
        let own = load("return_overdue_days = 5\ncomplaint_phone = \" 0996-5020000 \"").unwrap();
        assert_eq!((own.return_overdue_days, own.idle_appropriation_days), (5, 60));
        assert_eq!(own.complaint_phone, "0996-5020000");
        assert!(load("idle_appropriation_days = -1").unwrap_err().message.contains("idle_appropriation_days: -1"));
    }

    #[test]
    fn what_is_wrong_in_the_file_is_told_with_its_line_and_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("office.toml");
        for (end, message, hint) in [
            ("banks = [\"b.toml\"]", "banks 写在了 [statement] 里面", "第一个 [ ] 之前"),
            ("bank = 1", "没有 bank 这一项", "核对拼写"),
            ("charge = [\"费\"", "写得不对", "双引号"),
        ] {
            let text = commented("fafang.db", "652827") + end + "\n";
            std::fs::write(&path, &text).unwrap();
            let failure = Config::load(Some(&path), None).unwrap_err();
            let place = format!("office.toml 第 {} 行", text.lines().count());
            assert!(failure.message.contains(&place) && failure.message.contains(message), "{}", failure.message);
            assert!(failure.hint.contains(hint), "{}", failure.hint);
        }
    }

    #[test]
    fn years_of_the_folder_are_added_and_replace() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("office.toml");
        let load = || Config::load(Some(&path), None);
        std::fs::write(&path, commented("fafang.db", "652827")).unwrap();
        let known = |config: Config| config.calendar.years().map(|y| (y.year, y.off.len())).collect::<Vec<_>>();
        assert_eq!(known(load().unwrap()), [(2025, 6), (2026, 7)]);

        let years = home.path().join("config/calendar");
        std::fs::create_dir_all(&years).unwrap();
        let one = |year: i32| {
            format!(
                "year = {year}\ndocuments = [\"甲办〔{year}〕1号\"]\n[[off]]\nname = \"元旦\"\nfrom = \"{year}-01-01\"\n"
            )
        };
        std::fs::write(years.join("2026.toml"), one(2026)).unwrap();
        std::fs::write(years.join("2027.toml"), one(2027)).unwrap();
        std::fs::write(years.join("readme.txt"), "x").unwrap();
        assert_eq!(known(load().unwrap()), [(2025, 6), (2026, 1), (2027, 1)]);

        std::fs::write(years.join("2028.toml"), one(2027)).unwrap();
        assert!(load().unwrap_err().message.contains("文件名应为 2027.toml"));
        std::fs::write(&path, "calendar = \"elsewhere\"").unwrap();
        assert!(load().unwrap_err().message.contains("elsewhere"), "a folder that was named must be there");
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
