//! An opened office: its database, its banks, its clock, and who is at the desk.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::clock::Clock;
use crate::domain::actor::{Actor, Role};
use crate::domain::bank::BankBook;
use crate::domain::calendar::LazyCalendar;
use crate::domain::period::Period;
use crate::domain::place::Place;
use crate::domain::run::Run;
use crate::domain::scheme::Scheme;
use crate::domain::statement::StatementWords;
use crate::failure::{Failure, Kind};
use crate::formats::calendar;
use crate::formats::scheme::parse_scheme;
use crate::formats::statement::StatementTable;
use crate::progress::Progress;
use crate::storage;
use crate::storage::engine::{Database, Tx};

/// Everything a step needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Office {
    /// The database.
    pub database: Database,
    /// Code of the agency.
    pub agency_code: String,
    /// Its name.
    pub agency_name: String,
    /// Banks, layouts, reason codes.
    pub banks: BankBook,
    /// Days off and make-up working days; the program's own years until others are set.
    pub calendar: LazyCalendar,
    /// Where files are exchanged with banks; none until the office says so.
    pub places: Vec<Place>,
    /// What the office decides for itself.
    pub settings: Settings,
    /// Where the time comes from.
    pub clock: Clock,
    /// Business date given for this call; default today.
    pub on: Option<NaiveDate>,
    /// Who acts; default the administrator that `init` registered.
    pub acting: Option<String>,
    /// Where long steps tell how far they are; nowhere by default.
    pub progress: Progress,
}

/// What the office decides for itself; the configuration file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where people may complain about a list that is shown; empty when none was given.
    pub complaint_phone: String,
    /// Working days after which a bank should have answered a payment file.
    pub return_overdue_days: i64,
    /// Days without a movement after which money of an appropriation lies idle.
    pub idle_appropriation_days: i64,
    /// Words by which charges, interest and the treasury's money are known in statements.
    pub statement_words: StatementWords,
    /// How banks write their statements as tables, beside what is known.
    pub statement_table: StatementTable,
    /// The same of single banks, by code; each stands in the place of the office's.
    pub statement_tables: BTreeMap<String, StatementTable>,
}

impl Settings {
    /// How the tables of a bank are read, where it is known whose they are.
    pub fn statement_table_of(&self, bank: Option<&str>) -> &StatementTable {
        bank.and_then(|code| self.statement_tables.get(code)).unwrap_or(&self.statement_table)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            complaint_phone: String::new(),
            return_overdue_days: 3,
            idle_appropriation_days: 60,
            statement_words: StatementWords::default(),
            statement_table: StatementTable::default(),
            statement_tables: BTreeMap::new(),
        }
    }
}

impl Office {
    /// Opens the office in a database: the given agency, or the only one there is.
    ///
    /// # Errors
    /// When the database has no agency, or several and none was named.
    pub async fn open(
        database: Database,
        agency: Option<&str>,
        banks: BankBook,
        clock: Clock,
    ) -> Result<Office, Failure> {
        let agencies = storage::agency::list(&mut database.read().await?).await?;
        let found = match agency {
            Some(code) => agencies.into_iter().find(|(c, _)| c == code),
            None if agencies.len() > 1 => {
                let codes: Vec<String> = agencies.into_iter().map(|(code, name)| format!("{code} {name}")).collect();
                return Err(Failure::new(
                    Kind::Configuration,
                    "WHICH_AGENCY",
                    format!("数据库里有多个经办机构: {}", codes.join("、")),
                )
                .hint("在配置文件里写明 agency"));
            }
            None => agencies.into_iter().next(),
        };
        let Some((agency_code, agency_name)) = found else {
            return Err(Failure::new(Kind::Configuration, "NO_AGENCY", "数据库里没有经办机构")
                .hint("先运行 fafang init --agency 代码 --name 名称"));
        };
        Ok(Office {
            database,
            agency_code,
            agency_name,
            banks,
            calendar: calendar::built_in_when_asked(),
            places: Vec::new(),
            settings: Settings::default(),
            clock,
            on: None,
            acting: None,
            progress: Progress::default(),
        })
    }

    /// The same office with someone else at the desk.
    #[must_use]
    pub fn acting_as(&self, name: &str) -> Office {
        Office { acting: Some(name.to_string()), ..self.clone() }
    }

    /// The same office on another business date.
    #[must_use]
    pub fn on(&self, date: NaiveDate) -> Office {
        Office { on: Some(date), ..self.clone() }
    }

    /// Business date (业务日期).
    pub fn business_date(&self) -> NaiveDate {
        self.on.unwrap_or_else(|| self.clock.today())
    }

    /// Begins a reading transaction.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(&self) -> Result<Tx, Failure> {
        Ok(self.database.read().await?)
    }

    /// Who is at the desk.
    ///
    /// # Errors
    /// When the name is not registered.
    pub async fn actor(&self, tx: &mut Tx) -> Result<Actor, Failure> {
        let found = match &self.acting {
            Some(name) => storage::actor::find(tx, &self.agency_code, name).await?,
            None => storage::actor::list(tx, &self.agency_code).await?.into_iter().find(|a| a.role == Role::Admin),
        };
        found.ok_or_else(|| {
            let name = self.acting.as_deref().unwrap_or("管理员");
            Failure::refused("UNKNOWN_USER", format!("用户“{name}”没有登记"))
                .hint("由管理员运行 fafang user add 姓名 --role 岗位")
        })
    }

    /// The scheme in force, with its version.
    ///
    /// # Errors
    /// When there is none of this code.
    pub async fn scheme(&self, tx: &mut Tx, code: &str) -> Result<(Scheme, i64), Failure> {
        let version = storage::scheme::newest(tx, &self.agency_code, code).await?;
        let version = version.ok_or_else(|| {
            Failure::refused("UNKNOWN_SCHEME", format!("没有补贴项目 {code}"))
                .hint("fafang scheme list 列出已载入的项目")
        })?;
        Ok((read_stored(code, &version.definition)?, version.version))
    }

    /// The version of the scheme that a run was worked out with.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn scheme_of(&self, tx: &mut Tx, run: &Run) -> Result<Scheme, Failure> {
        let stored = storage::scheme::version(tx, &self.agency_code, &run.scheme_code, run.scheme_version).await?;
        let stored = stored.ok_or_else(|| {
            Failure::new(
                Kind::Internal,
                "INCONSISTENT",
                format!("批次 {} 的项目版本 {} 不在库中", run.code, run.scheme_version),
            )
        })?;
        read_stored(&run.scheme_code, &stored.definition)
    }

    /// The run of this code.
    ///
    /// # Errors
    /// When there is none.
    pub async fn run(&self, tx: &mut Tx, code: &str) -> Result<Run, Failure> {
        let run = storage::run::find(tx, &self.agency_code, code).await?;
        run.ok_or_else(|| {
            Failure::refused("UNKNOWN_RUN", format!("没有批次 {code}")).hint("fafang run list 列出所有批次")
        })
    }

    /// Month of the business date.
    pub fn current_period(&self) -> Period {
        Period::of(self.business_date())
    }
}

fn read_stored(code: &str, definition: &str) -> Result<Scheme, Failure> {
    parse_scheme(definition)
        .map_err(|e| Failure::new(Kind::Internal, "INCONSISTENT", format!("库中的项目 {code} 无法读取: {e}")))
}
