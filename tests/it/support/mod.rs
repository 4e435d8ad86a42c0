//! A whole office for a test: a fresh database, its people, its scheme, its money, a fixed clock.
//!
//! A story is run by [`on_both_engines`] and speaks in the verbs of [`TestOffice`]; a verb that is
//! expected to succeed unwraps, so a story reads without `?`. What must be refused is called on the
//! workflow itself, through [`TestOffice::as_maker`] and its sisters, and judged by [`refused`].

pub mod changes;
pub mod contents;
pub mod dice;
pub mod lists;
pub mod paper;
pub mod schema;
pub mod statements;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, OnceLock};

use chrono::NaiveDate;
use fafang::clock::Clock;
use fafang::domain::actor::Role;
use fafang::domain::appropriation::{Appropriation, PostingKind};
use fafang::domain::document::DocumentNumber;
use fafang::domain::hold::Hold;
use fafang::domain::money::Money;
use fafang::domain::payment::{FrozenLine, Payment};
use fafang::domain::run::{Run, RunKind};
use fafang::failure::Failure;
use fafang::formats::bank::book::built_in;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::formats::budget::parse_budget;
use fafang::office::Office;
use fafang::reports::doctor;
use fafang::reports::reconciliation::{Basis, Reconciliation, reconcile};
use fafang::storage::audit_event::AuditEvent;
use fafang::storage::engine::{Database, Record, Value};
use fafang::storage::error::StorageError;
use fafang::storage::finding::StoredFinding;
use fafang::storage::payment_file::PaymentFile;
use fafang::storage::{appropriation, audit_event, finding, hold, payment, payment_file, run};
use fafang::training::people::{InventedPerson, invent};
use fafang::training::simulated_bank::{Faults, SimulatedBank};
use fafang::workflow::decide_run::{self, Decided};
use fafang::workflow::import_roster::{ImportRoster, Imported, Rejected, import_roster};
use fafang::workflow::issue_files::{Issued, IssuedFile, issue_files};
use fafang::workflow::load_budget::{Which, adjust_budget, load_budget};
use fafang::workflow::load_scheme::load_scheme;
use fafang::workflow::prepare_run::{Prepared, prepare_run};
use fafang::workflow::register;
use fafang::workflow::take_return::{AnswerFile, Taken, take_return, take_returns};

pub use changes::Person;
pub use paper::Row;

/// The county's scheme as it is shipped.
pub const SCHEME: &str = include_str!("../../../config/schemes/pochan1995.toml");
/// Its code.
pub const CODE: &str = "pochan1995";
/// 和静县.
pub const AGENCY: &str = "652827";

/// Where a story happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A database of its own on the server that `FAFANG_TEST_POSTGRES` names.
    Postgres,
}

/// Runs a story on SQLite and on PostgreSQL, each in a fresh office with the shipped scheme.
pub async fn on_both_engines(story: impl AsyncFn(&TestOffice)) {
    on_both_engines_with(SCHEME, story).await;
}

/// The same with another text of the scheme.
pub async fn on_both_engines_with(scheme: &str, story: impl AsyncFn(&TestOffice)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Some(office) = TestOffice::open(engine, scheme).await {
            story(&office).await;
            office.close().await;
        }
    }
}

/// `postgres://…/postgres` of the server to make databases on.
fn postgres_server() -> Option<String> {
    static TOLD: Once = Once::new();
    let server = std::env::var("FAFANG_TEST_POSTGRES").ok().filter(|url| !url.is_empty());
    if server.is_none() {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        assert!(
            !is_set("CI") && !is_set("FAFANG_REQUIRE_POSTGRES"),
            "FAFANG_TEST_POSTGRES is not set, and CI or FAFANG_REQUIRE_POSTGRES demands it"
        );
        TOLD.call_once(|| {
            let _ = writeln!(std::io::stderr(), "PostgreSQL 未提供，跳过");
        });
    }
    server
}

/// A fresh, migrated database.
pub struct TestDatabase {
    /// Where it is.
    pub engine: Engine,
    /// How to open it again.
    pub url: String,
    /// Open.
    pub database: Database,
    /// The statement of [`contents`], once it was put together.
    pub everything: OnceLock<&'static str>,
    directory: Option<tempfile::TempDir>,
}

/// Databases on the server that a story has left empty: making one takes longer than the story.
static EMPTY: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl TestDatabase {
    /// Makes one, or takes an empty one; `None` where there is no PostgreSQL.
    pub async fn create(engine: Engine) -> Option<TestDatabase> {
        let (url, directory) = match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                (directory.path().join("office.db").to_str().unwrap().to_string(), Some(directory))
            }
            Engine::Postgres => {
                let server = postgres_server()?;
                let empty = EMPTY.lock().unwrap().pop();
                let url = match empty {
                    Some(url) => url,
                    None => new_database(&server).await,
                };
                (url, None)
            }
        };
        let database = Database::create(&url).await.unwrap();
        Some(TestDatabase { engine, url, database, everything: OnceLock::new(), directory })
    }

    /// One on PostgreSQL that sorts as Chinese dictionaries do; `None` where there is none, or no such language.
    pub async fn create_in_chinese() -> Option<TestDatabase> {
        let server = postgres_server()?;
        let url = new_database(&server).await;
        let (_, name) = url.rsplit_once('/').unwrap();
        on_server(&server, format!("DROP DATABASE {name}")).await;
        let language = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'zh'";
        on_server(&server, format!("CREATE DATABASE {name} {language}")).await;
        let database = Database::create(&url).await.unwrap();
        Some(TestDatabase { engine: Engine::Postgres, url, database, everything: OnceLock::new(), directory: None })
    }

    /// Closes it and leaves nothing in it.
    pub async fn close(self) {
        self.database.close().await;
        if self.engine == Engine::Postgres {
            // Without foreign keys in whatever order, and much faster than TRUNCATE for a few rows.
            let empty_all = "DO $$ DECLARE t TEXT; BEGIN SET LOCAL session_replication_role = replica; \
                             FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE \
                             AND relkind = 'r' AND relname <> '_sqlx_migrations' \
                             LOOP EXECUTE 'DELETE FROM ' || t; END LOOP; END $$";
            on_server(&self.url, empty_all.to_string()).await;
            EMPTY.lock().unwrap().push(self.url);
        }
        drop(self.directory);
    }

    /// Closes it and takes it away: its schema is no longer the program's.
    pub async fn discard(self) {
        self.database.close().await;
        if self.engine == Engine::Postgres {
            let (server, name) = self.url.rsplit_once('/').unwrap();
            on_server(&format!("{server}/postgres"), format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

/// Makes a database on the server; its URL.
async fn new_database(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("t_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    on_server(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    on_server(server, format!("CREATE DATABASE {name}")).await;
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}

/// Runs a statement that no transaction may hold.
async fn on_server(url: &str, statement: String) {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}

/// An office with its people registered, its scheme loaded and its money appropriated.
pub struct TestOffice {
    /// Its database.
    pub home: TestDatabase,
    office: Office,
    today: Mutex<NaiveDate>,
}

/// A day: `day("2026-01-15")`.
pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Yuan and fen as fen: `yuan(120)` is `12_000`.
pub fn yuan(yuan: i64) -> Money {
    Money(yuan * 100)
}

/// The failure, which must have this code.
#[track_caller]
pub fn refused<T, E: Into<Failed>>(result: Result<T, E>, code: &str) -> Failure {
    match result {
        Ok(_) => panic!("expected {code}, but it was done"),
        Err(error) => {
            let Failed(failure) = error.into();
            assert_eq!(failure.code, code, "{failure:?}");
            assert!(!failure.message.is_empty());
            failure
        }
    }
}

/// A failure of any step.
pub struct Failed(Failure);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed(failure)
    }
}

impl From<Rejected> for Failed {
    fn from(rejected: Rejected) -> Failed {
        Failed(rejected.failure)
    }
}

impl TestOffice {
    /// An office on an engine; `None` where there is no PostgreSQL.
    pub async fn open(engine: Engine, scheme: &str) -> Option<TestOffice> {
        let home = TestDatabase::create(engine).await?;
        let clock = Clock::Fixed("2026-01-05T02:00:00Z".parse().unwrap());
        let banks = built_in().unwrap();
        let name = "和静县社会保险中心";
        let office = register::agency(home.database.clone(), AGENCY, name, "管理员", banks, clock).await.unwrap();
        for role in [Role::Maker, Role::Reviewer, Role::Approver, Role::Finance, Role::Auditor] {
            assert!(register::user(&office, role.title(), role).await.unwrap());
        }
        let office = TestOffice { home, office, today: Mutex::new(day("2026-01-15")) };
        office.load_scheme(scheme).await;
        let lines = parse_budget("pochan1995.toml", scheme.as_bytes(), None).unwrap();
        load_budget(&office.as_finance(), &lines).await.unwrap();
        Some(office)
    }

    /// Closes and removes the database.
    pub async fn close(self) {
        self.home.close().await;
    }

    /// The same desks at another database, which must hold the office.
    pub fn in_database(&self, home: TestDatabase) -> TestOffice {
        let office = Office { database: home.database.clone(), ..self.office.clone() };
        TestOffice { home, office, today: Mutex::new(self.today()) }
    }

    /// The same office through connections of its own, as another desk has them.
    pub async fn another_desk(&self, name: &str) -> Office {
        let database = Database::open(&self.home.url).await.unwrap();
        Office { database, ..self.acting_as(name) }
    }

    /// Moves the business date.
    pub fn go_to(&self, date: &str) {
        *self.today.lock().unwrap() = day(date);
    }

    /// Today's business date.
    pub fn today(&self) -> NaiveDate {
        *self.today.lock().unwrap()
    }

    /// Someone at the desk today.
    pub fn acting_as(&self, name: &str) -> Office {
        self.office.acting_as(name).on(self.today())
    }

    /// Someone at the desk at a true instant, with no business date given.
    pub fn at_instant(&self, instant: &str, name: &str) -> Office {
        Office { clock: Clock::Fixed(instant.parse().unwrap()), on: None, ..self.acting_as(name) }
    }

    /// Gives someone a role.
    pub async fn appoint(&self, name: &str, role: Role) {
        assert!(register::user(&self.as_admin(), name, role).await.unwrap());
    }

    /// 经办.
    pub fn as_maker(&self) -> Office {
        self.acting_as("经办")
    }

    /// 复核.
    pub fn as_reviewer(&self) -> Office {
        self.acting_as("复核")
    }

    /// 审批.
    pub fn as_approver(&self) -> Office {
        self.acting_as("审批")
    }

    /// 财务.
    pub fn as_finance(&self) -> Office {
        self.acting_as("财务")
    }

    /// The administrator that `init` registered.
    pub fn as_admin(&self) -> Office {
        self.acting_as("管理员")
    }

    /// True on the engine where stories are told with many people.
    pub fn is_sqlite(&self) -> bool {
        self.home.engine == Engine::Sqlite
    }

    /// The first of the invented people, as rows of a roster.
    pub fn people(&self, count: usize) -> Vec<Row> {
        self.invented(count).iter().map(|person| Row::of(person, &self.office)).collect()
    }

    /// The first of the invented people at one bank, so that a run has one file.
    pub fn neighbours(&self, count: usize) -> Vec<Row> {
        let people = self.invented(20 * count);
        people.iter().filter(|p| p.bank_code == "RCC").take(count).map(|p| Row::of(p, &self.office)).collect()
    }

    /// The first of the invented people.
    pub fn invented(&self, count: usize) -> Vec<InventedPerson> {
        invent(count, 1995, &self.office.banks)
    }

    // ---- verbs ---------------------------------------------------------------------------------

    /// Loads a text of the scheme; its version.
    pub async fn load_scheme(&self, text: &str) -> i64 {
        load_scheme(&self.as_admin(), text).await.unwrap().version
    }

    /// Adds so many yuan to the only appropriation.
    pub async fn add_money(&self, yuan: &str) {
        let document = DocumentNumber::parse(&self.appropriations().await[0].document).unwrap();
        let which = Which { document, scheme: None, year: None };
        let basis = DocumentNumber::parse("巴财社〔2026〕1号").unwrap();
        adjust_budget(&self.as_finance(), &which, Money::parse(yuan).unwrap(), &basis, "追加").await.unwrap();
    }

    /// Imports a roster of these people.
    pub async fn import(&self, people: &[Row]) -> Imported {
        self.try_import(people, false).await.unwrap()
    }

    /// Imports a roster of these people, or only looks at it.
    pub async fn try_import(&self, people: &[Row], dry_run: bool) -> Result<Imported, Rejected> {
        self.import_bytes(&paper::roster(people), dry_run).await
    }

    /// Imports the bytes of a roster.
    pub async fn import_bytes(&self, bytes: &[u8], dry_run: bool) -> Result<Imported, Rejected> {
        let input = ImportRoster {
            scheme: CODE,
            file_name: "名册.csv",
            bytes,
            charset: None,
            first: None,
            accept_good: false,
            dry_run,
        };
        import_roster(&self.as_maker(), input).await
    }

    /// Prepares the regular run of a month or quarter.
    pub async fn prepare(&self, periods: &str) -> Prepared {
        self.try_prepare(periods, RunKind::Regular).await.unwrap()
    }

    /// Prepares a supplementary run.
    pub async fn prepare_more(&self, periods: &str) -> Prepared {
        self.try_prepare(periods, RunKind::Supplementary).await.unwrap()
    }

    /// Prepares a run that may be refused.
    pub async fn try_prepare(&self, periods: &str, kind: RunKind) -> Result<Prepared, Failure> {
        prepare_run(&self.as_maker(), CODE, periods.parse().unwrap(), kind).await
    }

    /// Submits, reviews and approves.
    pub async fn sign(&self, run: &Run) -> Decided {
        self.review(run).await;
        decide_run::approve(&self.as_approver(), &run.code).await.unwrap()
    }

    /// Submits and reviews.
    pub async fn review(&self, run: &Run) -> Decided {
        decide_run::submit(&self.as_maker(), &run.code).await.unwrap();
        decide_run::review(&self.as_reviewer(), &run.code).await.unwrap()
    }

    /// Issues the files.
    pub async fn issue(&self, run: &Run) -> Issued {
        issue_files(&self.as_finance(), &run.code).await.unwrap()
    }

    /// Prepares, signs and issues a month.
    pub async fn send(&self, periods: &str) -> Issued {
        let run = self.prepare(periods).await.run;
        self.sign(&run).await;
        self.issue(&run).await
    }

    /// Takes in the bank's return of every file.
    pub async fn answer(&self, files: &[IssuedFile], bank: &SimulatedBank) -> Vec<Taken> {
        let mut taken = Vec::new();
        for file in files {
            taken.push(self.take(&bank.answer(&file.bytes).unwrap()).await);
        }
        taken
    }

    /// A whole month: prepared, signed, issued, answered by this bank.
    pub async fn pay(&self, periods: &str, bank: &SimulatedBank) -> Issued {
        let issued = self.send(periods).await;
        self.answer(&issued.files, bank).await;
        issued
    }

    /// Takes in a return.
    pub async fn take(&self, bytes: &[u8]) -> Taken {
        self.try_take(AnswerKind::Return, bytes).await.unwrap()
    }

    /// Takes in a late return.
    pub async fn take_late(&self, bytes: &[u8]) -> Taken {
        self.try_take(AnswerKind::LateReturn, bytes).await.unwrap()
    }

    /// Takes in several answers at once.
    pub async fn try_take_all(&self, kind: AnswerKind, files: &[(&str, &[u8])]) -> Result<Vec<Taken>, Failure> {
        let files = files
            .iter()
            .map(|(name, bytes)| Ok(AnswerFile { name: (*name).into(), bytes: bytes.to_vec(), answers: None }));
        take_returns(&self.as_finance(), kind, files).await
    }

    /// Takes in an answer that may be refused.
    pub async fn try_take(&self, kind: AnswerKind, bytes: &[u8]) -> Result<Taken, Failure> {
        take_return(&self.as_finance(), kind, "回盘.txt", bytes).await
    }

    /// A bank where nothing goes wrong.
    pub fn good_bank(&self) -> SimulatedBank {
        SimulatedBank::new(1, Faults::default(), self.today())
    }

    // ---- what can be seen ----------------------------------------------------------------------

    /// Every invariant holds, and what is kept leads to the same figures as the people and payments themselves.
    pub async fn doctor(&self) {
        let examination = doctor::examine(&self.office).await.unwrap();
        let broken: Vec<_> = examination.checks.iter().filter(|c| !c.problems.is_empty()).collect();
        assert!(broken.is_empty() && examination.ok, "{:?}: {broken:#?}", self.home.engine);
        assert!(examination.checks.iter().all(|c| !c.title.is_empty()));
        let years: BTreeSet<i32> = self.run_list().await.iter().map(|r| r.periods.last.year()).collect();
        for year in years {
            self.reconcile(year).await;
        }
    }

    /// The year's reconciliation from what is kept, which is the same as the recounted one.
    pub async fn reconcile(&self, year: i32) -> Reconciliation {
        let office = self.as_finance();
        let [kept, recounted] =
            [Basis::Kept, Basis::Recounted].map(|basis| reconcile(&office, year, None, None, basis));
        let (kept, recounted) = (kept.await.unwrap(), recounted.await.unwrap());
        for (kept, recounted) in kept.schemes.iter().zip(&recounted.schemes) {
            for (kept, recounted) in kept.periods.iter().zip(&recounted.periods) {
                assert_eq!(format!("{kept:#?}"), format!("{recounted:#?}"), "{:?}", self.home.engine);
            }
        }
        assert_eq!(format!("{kept:#?}"), format!("{recounted:#?}"), "{:?}", self.home.engine);
        kept
    }

    /// Codes of the checks that fail.
    pub async fn broken(&self) -> Vec<&'static str> {
        let examination = doctor::examine(&self.office).await.unwrap();
        examination.checks.iter().filter(|c| !c.problems.is_empty()).map(|c| c.code).collect()
    }

    /// Code and status of every run.
    pub async fn runs(&self) -> Vec<(String, &'static str)> {
        self.run_list().await.into_iter().map(|run| (run.code, run.state.code())).collect()
    }

    /// Every run.
    pub async fn run_list(&self) -> Vec<Run> {
        run::list(&mut self.office.read().await.unwrap(), AGENCY, None).await.unwrap()
    }

    /// The run as it is now.
    pub async fn run(&self, code: &str) -> Run {
        run::find(&mut self.office.read().await.unwrap(), AGENCY, code).await.unwrap().unwrap()
    }

    /// Every payment file.
    pub async fn files_of(&self, run: &Run) -> Vec<PaymentFile> {
        payment_file::of_run(&mut self.office.read().await.unwrap(), AGENCY, run).await.unwrap()
    }

    /// Every appropriation.
    pub async fn appropriations(&self) -> Vec<Appropriation> {
        appropriation::list(&mut self.office.read().await.unwrap(), AGENCY).await.unwrap()
    }

    /// Available, reserved and paid of the only appropriation.
    pub async fn money(&self) -> (Money, Money, Money) {
        let all = self.appropriations().await;
        assert_eq!(all.len(), 1);
        (all[0].available, all[0].reserved, all[0].paid)
    }

    /// Sum and number of postings of each kind, over all appropriations.
    pub async fn postings(&self) -> BTreeMap<&'static str, (i64, i64)> {
        let sums = appropriation::posting_sums(&mut self.office.read().await.unwrap(), AGENCY).await.unwrap();
        let mut by_kind: BTreeMap<&'static str, (i64, i64)> = BTreeMap::new();
        for (_, kind, amount, count) in sums {
            let sum = by_kind.entry(PostingKind::code(kind)).or_default();
            *sum = (sum.0 + amount.fen(), sum.1 + count);
        }
        by_kind
    }

    /// Open holds.
    pub async fn holds(&self) -> Vec<Hold> {
        let open = hold::open(&mut self.office.read().await.unwrap(), AGENCY).await.unwrap();
        open.into_iter().map(|(hold, _)| hold).collect()
    }

    /// Every finding.
    pub async fn findings(&self) -> Vec<StoredFinding> {
        finding::list(&mut self.office.read().await.unwrap(), AGENCY).await.unwrap()
    }

    /// The chain of evidence.
    pub async fn events(&self) -> Vec<AuditEvent> {
        audit_event::list(&mut self.office.read().await.unwrap(), AGENCY).await.unwrap()
    }

    /// Runs a statement behind the program's back; the rows it touched.
    pub async fn by_hand(&self, sql: &'static str, values: Vec<Value>) -> u64 {
        let mut tx = self.home.database.write().await.unwrap();
        let touched = tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
        touched
    }

    /// Tries a statement behind the program's back; nothing lasts.
    pub async fn try_by_hand(&self, sql: &'static str, values: Vec<Value>) -> Result<u64, StorageError> {
        self.home.database.write().await.unwrap().execute(sql, values).await
    }

    /// Changes one payment of every run behind the program's back; the pages it touched.
    pub async fn alter_payment(&self, line_no: i64, change: impl Fn(&mut Payment)) -> usize {
        let mut tx = self.home.database.write().await.unwrap();
        let pages: Vec<(i64, i64, i64, String)> =
            tx.fetch_all("SELECT period, run_no, page_no, content FROM payment_page", vec![]).await.unwrap();
        for (period, run_no, page_no, content) in &pages {
            let content = altered(content, line_no, &change);
            let sql = "UPDATE payment_page SET content = $4 WHERE period = $1 AND run_no = $2 AND page_no = $3";
            tx.execute(sql, fafang::values![*period, *run_no, *page_no, content]).await.unwrap();
        }
        tx.commit().await.unwrap();
        pages.len()
    }

    /// The frozen payments of a run.
    pub async fn payments(&self, run: &Run) -> Vec<Payment> {
        let mut tx = self.home.database.read().await.unwrap();
        payment::of_run(&mut tx, AGENCY, run).await.unwrap()
    }

    /// Asks the database itself.
    pub async fn ask<T: Record>(&self, sql: &'static str, values: Vec<Value>) -> Vec<T> {
        self.office.read().await.unwrap().fetch_all(sql, values).await.unwrap()
    }
}

/// A page of frozen payments in which one is another.
pub fn altered(content: &str, line_no: i64, change: impl Fn(&mut Payment)) -> String {
    let mut altered = String::new();
    for line in content.lines() {
        let mut payment = FrozenLine::read(line).unwrap().payment().unwrap();
        if payment.line_no == line_no {
            change(&mut payment);
        }
        payment.frozen_form(&mut altered);
    }
    altered
}

/// The person meant by a row.
pub fn person(row: &Row) -> Person<'_> {
    Person { citizen_number: &row.citizen_number, scheme: None }
}
