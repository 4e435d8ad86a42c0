//! The invariants of the office over whole generated years.
//!
//! A thousand years, each with its own rosters, events, failures, duplicate and partial returns,
//! are walked through once, on a real database and beside it in a naive model (`model`), against a
//! bank that knows what it really did (`bank`). Every test below stands for one invariant: it fails
//! with the year that breaks it, and it fails when the years did not touch it often enough.
//!
//! `FAFANG_YEARS=20000` walks through more years, `FAFANG_YEAR=17` through that one alone.

mod bank;
mod desk;

mod model;
mod plan;
mod steps;
mod walk;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use fafang::clock::Clock;
use fafang::formats::bank::book::built_in;
use fafang::office::Office;
use fafang::storage::engine::Database;
use fafang::training::people::{InventedPerson, invent};
use fafang::workflow::register;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::{ConnectOptions, Connection as _};

use model::{Account, FIRST, Person};
use plan::Plan;
use walk::{AGENCY, Broken, PEOPLE, Walk};

/// The invariants, as the design numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Invariant {
    ExactMoney,
    NeverTwice,
    NeverOverBudget,
    NothingLost,
    FourEyes,
    FrozenAtSubmit,
    BytesAreEvidence,
    NamedNeverGuessed,
    NeverCut,
    AllOrNothing,
    ChainOfEvidence,
    Private,
}

/// A year that breaks an invariant, made as small as it could be.
struct Counterexample {
    year: u64,
    broken: Broken,
    story: String,
}

/// What the years brought.
#[derive(Default)]
struct Years {
    walked: u64,
    tally: BTreeMap<&'static str, u64>,
    broken: Vec<Counterexample>,
}

/// People and accounts to draw from: who is on the rosters, and where they may move.
const PEOPLE_AT_MOST: usize = 9;
const ACCOUNTS_EACH: usize = 5;

struct Ground {
    directory: tempfile::TempDir,
    template: PathBuf,
    reservoir: Vec<InventedPerson>,
}

impl Ground {
    /// A prepared database, to be copied for every year. In memory where the machine allows it;
    /// journal and durability are the program's own.
    async fn prepare() -> Ground {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let template = directory.path().join("template.db");
        let database = Database::create(template.to_str().unwrap()).await.unwrap();
        let clock = Clock::Fixed("2026-01-05T02:00:00Z".parse().unwrap());
        let banks = built_in().unwrap();
        let reservoir = invent(400, 2026, &banks);
        let office = register::agency(database, AGENCY, "和静县社会保险中心", "管理员", banks, clock).await.unwrap();
        for (name, role) in PEOPLE {
            register::user(&office, name, role).await.unwrap();
        }
        office.database.close().await;
        Ground { directory, template, reservoir }
    }

    fn people(&self, seed: u64) -> Vec<Person> {
        let start = usize::try_from(seed % 300).unwrap();
        let drawn = |i: usize| &self.reservoir[(start + i) % self.reservoir.len()];
        let person = |i: usize| {
            let who = drawn(i * ACCOUNTS_EACH);
            let spare = (0..ACCOUNTS_EACH).map(|k| drawn(i * ACCOUNTS_EACH + k)).map(|other| Account {
                bank: other.bank_code.clone(),
                number: other.account.clone(),
                holder: who.name.clone(),
            });
            let spare: Vec<Account> = spare.collect();
            Person {
                citizen_number: who.citizen_number.clone(),
                name: who.name.clone(),
                order: None,
                category: 0,
                first: FIRST,
                last: None,
                reason: None,
                roster_last: None,
                stops: Vec::new(),
                marks: Vec::new(),
                account: spare[0].clone(),
                set_by: String::new(),
                spare,
            }
        };
        (0..PEOPLE_AT_MOST).map(person).collect()
    }

    /// Walks through one year. What broke, and the story up to there.
    async fn walk(&self, plan: &Plan) -> (Option<Broken>, Vec<String>, BTreeMap<&'static str, u64>) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = self.directory.path().join(format!("year{}.db", NUMBER.fetch_add(1, Ordering::Relaxed)));
        std::fs::copy(&self.template, &path).unwrap();
        let database = Database::open(path.to_str().unwrap()).await.unwrap();
        let mut banks = built_in().unwrap();
        for layout in &mut banks.layouts {
            layout.row_limit = plan.setting.row_limit;
            layout.reasons.retain(|reason| bank::CODES.contains(&reason.code.as_str()));
        }
        // An office is cloned for every step: what no year needs is not carried along.
        banks.banks.iter_mut().for_each(|bank| bank.aliases.clear());
        let clock = Clock::Fixed("2026-01-05T02:00:00Z".parse().unwrap());
        let office = Office::open(database.clone(), Some(AGENCY), banks, clock).await.unwrap();
        let raw = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        let (broken, story, tally) = match Walk::begin(office, raw, plan, self.people(plan.setting.seed)).await {
            Err(broken) => (Some(broken), Vec::new(), BTreeMap::new()),
            Ok(mut walk) => {
                let broken = walk.live(plan).await.err();
                let Walk { raw, story, tally, .. } = walk;
                raw.close().await.unwrap();
                (broken, story, tally)
            }
        };
        database.close().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
        (broken, story, tally)
    }
}

/// The generator of a year's plan: the same number gives the same year.
fn runner(year: u64) -> TestRunner {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&year.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// Walks through a year; when it breaks, takes operations out as long as it still breaks the same.
fn walk_through(
    ground: &Ground,
    year: u64,
    tokio: &tokio::runtime::Runtime,
) -> Result<BTreeMap<&'static str, u64>, Counterexample> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut tree = plan::plan().new_tree(&mut runner(year)).unwrap();
    let attempt = |plan: &Plan| {
        let walked = catch_unwind(AssertUnwindSafe(|| tokio.block_on(ground.walk(plan))));
        walked.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic".into());
            (Some(Broken { invariant: Invariant::AllOrNothing, text }), Vec::new(), BTreeMap::new())
        })
    };
    let (broken, mut story, tally) = attempt(&tree.current());
    let Some(mut broken) = broken else { return Ok(tally) };
    let mut is_smaller = tree.simplify();
    let begun = Instant::now();
    while is_smaller && begun.elapsed() < PATIENCE {
        let (again, shorter, _) = attempt(&tree.current());
        is_smaller = match again {
            Some(again) if again.invariant == broken.invariant => {
                (broken, story) = (again, shorter);
                tree.simplify()
            }
            _ => tree.complicate(),
        };
    }
    let story = format!("{:?}\n{}", tree.current().setting, story.join("\n"));
    Err(Counterexample { year, broken, story })
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// All years, walked through once for all tests.
fn years() -> &'static Years {
    static YEARS: OnceLock<Years> = OnceLock::new();
    YEARS.get_or_init(|| {
        let (first, last) = match number_from_environment("FAFANG_YEAR") {
            Some(year) => (year, year + 1),
            None => (0, number_from_environment("FAFANG_YEARS").unwrap_or(1_000)),
        };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ground = runtime().block_on(Ground::prepare());
        let next = AtomicU64::new(first);
        let years = Mutex::new(Years::default());
        let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    let tokio = runtime();
                    loop {
                        let year = next.fetch_add(1, Ordering::Relaxed);
                        if year >= last || years.lock().unwrap().broken.len() > 2 {
                            break;
                        }
                        let walked = walk_through(&ground, year, &tokio);
                        let mut years = years.lock().unwrap();
                        years.walked += 1;
                        match walked {
                            Ok(tally) => {
                                for (what, n) in tally {
                                    *years.tally.entry(what).or_default() += n;
                                }
                            }
                            Err(counterexample) => years.broken.push(counterexample),
                        }
                    }
                });
            }
        });
        years.into_inner().unwrap()
    })
}

/// No year breaks the invariant, and each of these things happened at least once in twenty years; a few
/// hundred years are too few to tell.
fn holds(invariant: Invariant, happened: &[&str]) {
    let years = years();
    for Counterexample { year, broken, story } in &years.broken {
        assert!(
            broken.invariant != invariant,
            "{invariant:?} is broken in year {year}: {}\n{story}\nFAFANG_YEAR={year} walks through it again",
            broken.text
        );
    }
    if years.broken.is_empty() && years.walked >= 500 {
        let rare: Vec<_> = happened.iter().map(|what| (*what, years.tally.get(what).copied().unwrap_or(0))).collect();
        let rare: Vec<_> = rare.into_iter().filter(|(_, n)| *n < years.walked / 20).collect();
        assert!(rare.is_empty(), "in {} years too rare to prove anything: {rare:?}", years.walked);
    }
}

#[test]
fn money_is_exact() {
    holds(Invariant::ExactMoney, &["money_compared", "payments_of_two_sources", "back_pay", "schemes_reloaded"]);
}

#[test]
fn nobody_is_paid_twice() {
    holds(
        Invariant::NeverTwice,
        &[
            "issued",
            "withheld",
            "runs_regular",
            "runs_supplementary",
            "back_pay",
            "stops",
            "stops_backdated",
            "suspensions",
            "resumed_with_back_pay",
            "resumed_without",
            "overpaid_listed",
            "overpaid_by_change",
            "row_open",
            "row_missing",
            "row_contradiction",
            "years_with_overpayments",
            "NOTHING_PAYABLE",
            "NO_REGULAR_RUN",
            "NOT_A_QUARTER",
            "ALL_WITHHELD",
            "CONTRADICTS",
            "NOT_SUSPENDED",
        ],
    );
}

#[test]
fn the_budget_is_never_exceeded() {
    holds(
        Invariant::NeverOverBudget,
        &[
            "approved",
            "OVER_BUDGET",
            "BUDGET_ADJUST",
            "budget_raised",
            "budget_cut",
            "appropriations_of_next_year",
            "approved_after_year_end",
        ],
    );
}

#[test]
fn nothing_is_lost() {
    holds(
        Invariant::NothingLost,
        &[
            "years_even",
            "books_compared",
            "settled",
            "files",
            "withheld",
            "held_listed",
            "second_returns",
            "late_return",
            "late_after_year_end",
        ],
    );
}

#[test]
fn four_eyes_see_every_run() {
    holds(
        Invariant::FourEyes,
        &[
            "submitted",
            "reviewed",
            "approved",
            "sent_back",
            "cancelled",
            "FOUR_EYES",
            "WRONG_ROLE",
            "ACCOUNT_BY_APPROVER",
            "RUN_WRONG_STATE",
            "ALREADY_DONE",
            "posts_changed",
            "already",
        ],
    );
}

#[test]
fn what_is_submitted_is_frozen() {
    holds(
        Invariant::FrozenAtSubmit,
        &["RUN_TAMPERED", "ROSTER_CHANGED", "issued", "issued_again", "accounts_changed", "people_changed"],
    );
}

#[test]
fn bytes_are_evidence() {
    holds(Invariant::BytesAreEvidence, &["issued_again", "same_answer_twice", "same_roster_twice"]);
}

#[test]
fn what_is_odd_is_named_and_never_guessed() {
    holds(
        Invariant::NamedNeverGuessed,
        &[
            "row_credited",
            "row_rejected_correction",
            "row_rejected_technical",
            "row_rejected_unknown_code",
            "row_open",
            "row_missing",
            "row_status_unknown",
            "row_duplicate",
            "row_contradiction",
            "row_amount_differs",
            "row_account_differs",
            "row_name_differs",
            "row_line_differs",
            "row_unknown",
            "row_told_again",
            "row_told_otherwise",
            "late_return",
            "late_duplicate",
            "late_not_credited",
            "late_status_unknown",
            "late_amount_differs",
            "RETURN_HEADER_DIFFERS",
            "holds",
            "holds_cleared",
            "holds_cleared_by_account",
            "BANK_FILE_TRUNCATED",
            "BANK_FILE_NUL",
            "BANK_FILE_TOTALS",
            "BANK_FILE_AFTER_TRAILER",
            "OTHER_ANSWER_KIND",
            "RETURN_FILE_UNKNOWN",
        ],
    );
}

#[test]
fn no_name_is_cut() {
    holds(Invariant::NeverCut, &["CANNOT_WRITE"]);
}

#[test]
fn a_step_is_done_or_not() {
    holds(
        Invariant::AllOrNothing,
        &["refusals", "abandoned", "abandoned_yet_done", "bad_rosters", "dry_runs", "ROSTER"],
    );
}

#[test]
fn the_chain_of_evidence_holds() {
    holds(
        Invariant::ChainOfEvidence,
        &["audit_changed", "audit_removed", "audit_added", "tampered_books", "years_even"],
    );
}

#[test]
fn numbers_of_people_stay_private() {
    holds(Invariant::Private, &["texts_discreet"]);
}

#[test]
#[expect(clippy::print_stdout, reason = "read with --nocapture")]
fn what_the_years_brought() {
    let Years { walked, tally, .. } = years();
    println!("{walked} years: {tally:#?}");
}
