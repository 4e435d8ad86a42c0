//! Three hundred centres in one database, and workers that race at every desk of each: whoever is first does it, everybody
//! else is told so, and at the end every fen and every file is there once.
//!
//! `FAFANG_TEST_CENTRES` says another number of centres.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use fafang::clock::Clock;
use fafang::domain::actor::Role;
use fafang::domain::document::DocumentNumber;
use fafang::domain::money::Money;
use fafang::domain::payment::FrozenLine;
use fafang::domain::period::Period;
use fafang::domain::run::RunKind;
use fafang::failure::{Failure, Kind};
use fafang::formats::bank::book::built_in;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::formats::budget::parse_budget;
use fafang::office::Office;
use fafang::reports::doctor;
use fafang::storage::engine::{Database, Record};
use fafang::values;
use fafang::workflow::decide_run::{approve, cancel, review, submit};
use fafang::workflow::import_roster::{ImportRoster, import_roster};
use fafang::workflow::issue_files::issue_files;
use fafang::workflow::load_budget::{Which, adjust_budget, load_budget};
use fafang::workflow::load_scheme::load_scheme;
use fafang::workflow::prepare_run::prepare_run;
use fafang::workflow::register;
use fafang::workflow::take_return::take_return;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Engine, SCHEME, TestDatabase, TestOffice, day, paper};

const CENTRES: usize = 300;
const TEAMS: usize = 4;
const WORKERS_OF_A_TEAM: usize = 4;

const USERS: [(&str, Role); 8] = [
    ("经办", Role::Maker),
    ("经办二", Role::Maker),
    ("复核", Role::Reviewer),
    ("复核二", Role::Reviewer),
    ("审批", Role::Approver),
    ("审批二", Role::Approver),
    ("财务", Role::Finance),
    ("财务二", Role::Finance),
];

/// A run of three people needs 360 yuan: the money is enough for one of two runs, or for taking 200 back, and never
/// for two of the three. An appropriation belongs to one scheme, so the runs that contend for it are two of one scheme.
const SMALL_SCHEME: &str = r#"
code = "gaoling"
name = "高龄津贴"
policies = ["新政办发〔2010〕168号"]
payment_way = "一卡通"
first = "2026-01"
release = "monthly"
back_pay = "paid"
stop_month = "paid"

[[standard]]
from = "2026-01"
monthly = "120.00"

[[appropriation]]
year = 2026
document = "静财社〔2026〕5号"
project = "高龄津贴"
function_code = "2080601"
economic_code = "30305"
source = "local"
expenditure = "project"
amount = "500.00"
"#;

const CODE: &str = "gaoling";

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// This one did it.
    Did,
    /// It was done before, and nothing was changed.
    Before,
    /// Somebody else was first, or the office's rules say no.
    Told(&'static str),
}

/// The outcome of a step; what is no conflict and no refusal is a fault.
fn outcome<T>(result: Result<T, Failure>, was_before: impl Fn(&T) -> bool) -> Outcome {
    match result {
        Ok(done) if was_before(&done) => Outcome::Before,
        Ok(_) => Outcome::Did,
        Err(failure) => {
            assert!(matches!(failure.kind, Kind::Refused | Kind::Conflict), "{failure:?}");
            assert!(!failure.message.is_empty() && !failure.message.contains("数据库出错"), "{failure:?}");
            Outcome::Told(failure.code)
        }
    }
}

/// What a worker is asked to try.
type Attempt = Box<dyn FnOnce(&Worker) -> Outcome + Send>;

/// Somebody with connections and a thread of their own.
struct Worker {
    runtime: Runtime,
    office: Office,
}

impl Worker {
    /// Waits for attempts, and answers each, until nobody asks any more.
    fn work(url: &str, mut office: Office, asked: &Receiver<Attempt>, answer: &Sender<Outcome>) {
        // With a thread beside ours: what a refused step leaves is rolled back while the worker waits to be asked.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        office.database = runtime.block_on(Database::open(url)).unwrap();
        let worker = Worker { runtime, office };
        for attempt in asked {
            answer.send(attempt(&worker)).unwrap();
        }
        worker.runtime.block_on(worker.office.database.close());
    }
}

/// An attempt of somebody of a centre.
fn attempt<F>(agency: &str, name: &'static str, step: impl FnOnce(Office) -> F + Send + 'static) -> Attempt
where
    F: Future<Output = Outcome>,
{
    let agency = agency.to_string();
    Box::new(move |worker| {
        let office = Office { agency_code: agency, ..worker.office.acting_as(name) };
        worker.runtime.block_on(step(office))
    })
}

/// One step at some desks, two people taking turns at them.
fn at_desks<F>(
    desks: usize,
    agency: &str,
    names: [&'static str; 2],
    step: impl FnOnce(Office) -> F + Clone + Send + 'static,
) -> Vec<Attempt>
where
    F: Future<Output = Outcome>,
{
    (0..desks).map(|at| attempt(agency, names[at % 2], step.clone())).collect()
}

type Told = BTreeMap<&'static str, Vec<Outcome>>;

/// Four workers that meet at the desks of the same centres.
struct Team {
    workers: Vec<Sender<Attempt>>,
    answers: Receiver<Outcome>,
}

impl Team {
    /// Lets all workers try at the same time; what became of it, sorted.
    fn rush(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        for (attempt, worker) in attempts.into_iter().zip(self.workers.iter().cycle()) {
            worker.send(attempt).unwrap();
        }
        // A worker that panics answers nothing: then the others' answers are all there ever will be.
        let patience = Duration::from_mins(2);
        let mut outcomes: Vec<Outcome> =
            (0..count).map(|_| self.answers.recv_timeout(patience).expect("every worker answers")).collect();
        outcomes.sort();
        outcomes
    }

    /// A centre from its first day to its answered files; what became of everything, by step.
    fn centre(&self, agency: &str, roster: &Arc<Vec<u8>>) -> Told {
        let mut told = Told::new();
        let opened = (0..2).map(|_| {
            attempt(agency, "管理员", |office| async move {
                let Office { database, agency_code, banks, clock, .. } = office;
                outcome(register::agency(database, &agency_code, "中心", "管理员", banks, clock).await, |_| false)
            })
        });
        told.insert("open", self.rush(opened.collect()));
        let registered = attempt(agency, "管理员", |office| async move {
            for (name, role) in USERS {
                assert!(register::user(&office, name, role).await.unwrap());
            }
            Outcome::Did
        });
        self.rush(vec![registered]);
        let loading = at_desks(2, agency, ["管理员", "管理员"], |office| async move {
            outcome(load_scheme(&office, SMALL_SCHEME).await, |loaded| !loaded.is_new)
        });
        told.insert("scheme", self.rush(loading));
        let loading = at_desks(2, agency, ["财务", "财务二"], |office| async move {
            let lines = parse_budget("gaoling.toml", SMALL_SCHEME.as_bytes(), None).unwrap();
            outcome(load_budget(&office, &lines).await, |loaded| loaded.new.is_empty())
        });
        told.insert("budget", self.rush(loading));
        let bytes = roster.clone();
        let importing = at_desks(2, agency, ["经办", "经办二"], |office| async move {
            let (scheme, file_name) = (CODE, "名册.csv");
            let input = ImportRoster {
                scheme,
                file_name,
                bytes: &bytes,
                charset: None,
                first: None,
                accept_good: false,
                dry_run: false,
            };
            let imported = import_roster(&office, input).await.map_err(|rejected| rejected.failure);
            outcome(imported, |imported| imported.already.is_some())
        });
        told.insert("roster", self.rush(importing));
        for (step, period) in [("prepare 1", "2026-01"), ("prepare 2", "2026-02")] {
            let preparing = at_desks(2, agency, ["经办", "经办二"], move |office| async move {
                outcome(prepare_run(&office, CODE, period.parse().unwrap(), RunKind::Regular).await, |_| false)
            });
            told.insert(step, self.rush(preparing));
        }
        let runs = [format!("{CODE}-2026-01-r1"), format!("{CODE}-2026-02-r1")];
        self.sign(agency, &runs, &mut told);
        self.contend(agency, &runs, &mut told);
        self.send(agency, &runs, &mut told);
        told
    }

    /// Both runs are submitted and reviewed, each by two people at a time.
    fn sign(&self, agency: &str, runs: &[String; 2], told: &mut Told) {
        for (run, steps) in runs.iter().zip([["submit 1", "review 1"], ["submit 2", "review 2"]]) {
            let code = run.clone();
            let submitting = at_desks(2, agency, ["经办", "经办二"], |office| async move {
                outcome(submit(&office, &code).await, |decided| decided.already)
            });
            told.insert(steps[0], self.rush(submitting));
            let code = run.clone();
            let reviewing = at_desks(2, agency, ["复核", "复核二"], |office| async move {
                outcome(review(&office, &code).await, |decided| decided.already)
            });
            told.insert(steps[1], self.rush(reviewing));
        }
    }

    /// Two runs and an adjustment want the same money; then there is more of it, and they want it again.
    fn contend(&self, agency: &str, runs: &[String; 2], told: &mut Told) {
        for (step, fen) in [("money 1", -20_000), ("money 2", 40_000)] {
            let mut attempts = vec![attempt(agency, "财务", move |office| adjust(office, Money(fen)))];
            for run in runs {
                for name in ["审批", "审批二"] {
                    let code = run.clone();
                    attempts.push(attempt(agency, name, |office| async move {
                        outcome(approve(&office, &code).await, |decided| decided.already)
                    }));
                }
            }
            // Who begins is another one in every centre.
            let first = agency.bytes().map(usize::from).sum::<usize>() % attempts.len();
            attempts.rotate_left(first);
            told.insert(step, self.rush(attempts));
        }
    }

    /// The files are issued by two people, in some centres while an approver cancels the run; then the bank's answer
    /// is taken at four desks.
    fn send(&self, agency: &str, runs: &[String; 2], told: &mut Told) {
        for (run, steps) in runs.iter().zip([["issue 1", "return 1"], ["issue 2", "return 2"]]) {
            let (handed, files) = channel();
            let code = run.clone();
            let mut issuing = at_desks(4, agency, ["财务", "财务二"], |office| async move {
                let issued = issue_files(&office, &code).await;
                for file in issued.iter().flat_map(|issued| &issued.files) {
                    handed.send(file.bytes.clone()).unwrap();
                }
                outcome(issued, |issued| issued.again)
            });
            if agency.ends_with('3') {
                let code = run.clone();
                let cancelling = attempt(agency, "审批", |office| async move {
                    match outcome(cancel(&office, &code, "名册有误").await, |_| false) {
                        Outcome::Did => Outcome::Told("CANCELLED"),
                        other => other,
                    }
                });
                issuing.insert(1, cancelling);
            }
            told.insert(steps[0], self.rush(issuing));
            let mut bytes: Vec<Vec<u8>> = files.iter().collect();
            bytes.dedup();
            assert!(bytes.len() <= 1, "{agency}: whoever asks is given the same bytes");
            let Some(file) = bytes.pop() else { continue };
            let answer = paper::bytes(&paper::all_credited(&file));
            let taking = at_desks(3, agency, ["财务", "财务二"], |office| async move {
                let taken = take_return(&office, AnswerKind::Return, "回盘.txt", &answer).await;
                outcome(taken, |taken| taken.already.is_some())
            });
            told.insert(steps[1], self.rush(taking));
        }
    }

    /// The doctor finds nothing in a centre.
    fn examine(&self, agency: &str) {
        let examined = attempt(agency, "管理员", |office| async move {
            let examined = doctor::examine(&office).await.unwrap();
            assert!(examined.ok, "{}: {examined:#?}", office.agency_code);
            Outcome::Did
        });
        self.rush(vec![examined]);
    }
}

async fn adjust(office: Office, amount: Money) -> Outcome {
    let document = DocumentNumber::parse("静财社〔2026〕5号").unwrap();
    let which = Which { document, scheme: None, year: None };
    let basis = DocumentNumber::parse("巴财社〔2026〕1号").unwrap();
    outcome(adjust_budget(&office, &which, amount, &basis, "调整").await, |_| false)
}

/// Exactly one did it, and the others were told one of these.
#[track_caller]
fn only_one(told: &Told, step: &str, others: &[Outcome]) {
    let outcomes = &told[step];
    let did = outcomes.iter().filter(|o| **o == Outcome::Did).count();
    assert!(did == 1 && outcomes.iter().all(|o| *o == Outcome::Did || others.contains(o)), "{step}: {outcomes:?}");
}

/// What must be true of the outcomes in every centre, whoever was first.
fn judge(agency: &str, told: &Told) {
    use Outcome::{Before, Did, Told};
    assert_eq!(told["open"], [Did, Told("AGENCY_EXISTS")], "{agency}");
    for step in ["scheme", "budget", "roster"] {
        only_one(told, step, &[Before]);
    }
    for step in ["prepare 1", "prepare 2"] {
        only_one(told, step, &[Told("NOTHING_PAYABLE")]);
    }
    for step in ["submit 1", "submit 2", "review 1", "review 2"] {
        only_one(told, step, &[Before, Told("ALREADY_DONE")]);
    }
    // 500 yuan: one of the two runs, or the adjustment.
    let first = &told["money 1"];
    assert_eq!(first.iter().filter(|o| **o == Did).count(), 1, "{agency}: {first:?}");
    let answers = [Did, Before, Told("ALREADY_DONE"), Told("OVER_BUDGET"), Told("BUDGET_ADJUST")];
    for outcome in first.iter().chain(&told["money 2"]) {
        assert!(answers.contains(outcome), "{agency}: {outcome:?}");
    }
    for (issue, answer) in [("issue 1", "return 1"), ("issue 2", "return 2")] {
        let outcomes = &told[issue];
        let issued = outcomes.iter().filter(|o| **o == Did).count();
        let cancelled = outcomes.iter().filter(|o| **o == Told("CANCELLED")).count();
        assert!(issued + cancelled <= 1, "{agency}: {outcomes:?}");
        assert_eq!(told.contains_key(answer), issued == 1, "{agency}");
        if issued == 1 {
            only_one(told, answer, &[Before]);
        }
    }
}

async fn ask<T: Record>(database: &Database, sql: &'static str) -> Vec<T> {
    database.read().await.unwrap().fetch_all(sql, values![]).await.unwrap()
}

/// What must be true of the rows of all centres together.
async fn nothing_was_done_twice(database: &Database, centres: usize) {
    let wrong: Vec<(String, i64)> = ask(
        database,
        "SELECT agency_code, available_fen FROM appropriation WHERE available_fen < 0 OR reserved_fen < 0 OR paid_fen < 0 \
         OR appropriated_fen <> available_fen + reserved_fen + paid_fen",
    )
    .await;
    assert_eq!(wrong, [], "overdrawn");
    for (what, sql) in [
        (
            "a run reserved its money other than once",
            "SELECT r.agency_code, r.run_code FROM run r LEFT JOIN posting p ON p.agency_code = r.agency_code \
             AND p.run_no = r.run_no AND p.kind = 'reserve' LEFT JOIN audit_event e ON e.agency_code = r.agency_code \
             AND e.subject = r.run_code AND e.action = 'run.approve' GROUP BY r.agency_code, r.run_code \
             HAVING COUNT(p.posting_no) <> COUNT(e.event_no) OR COUNT(e.event_no) > 1",
        ),
        (
            "a run was signed twice",
            "SELECT agency_code, subject FROM audit_event WHERE action IN ('run.prepare', 'run.submit', 'run.review', \
             'run.approve', 'run.cancel', 'bank.return') GROUP BY agency_code, subject, action HAVING COUNT(*) > 1",
        ),
        (
            "an issued run has other than one file with one answer",
            "SELECT r.agency_code, r.run_code FROM run r LEFT JOIN payment_file f ON f.agency_code = r.agency_code \
             AND f.run_no = r.run_no LEFT JOIN bank_return b ON b.agency_code = f.agency_code AND b.run_no = f.run_no \
             AND b.file_no = f.file_no GROUP BY r.agency_code, r.run_code, r.status \
             HAVING COUNT(b.return_no) <> CASE WHEN r.status = 'settled' THEN 1 ELSE 0 END \
             OR COUNT(f.file_no) <> CASE WHEN r.status = 'settled' THEN 1 ELSE 0 END",
        ),
    ] {
        let found: Vec<(String, String)> = ask(database, sql).await;
        assert_eq!(found, [], "{what}");
    }
    let sql = "SELECT p.agency_code, p.content FROM payment_page p JOIN run r ON r.agency_code = p.agency_code \
               AND r.run_no = p.run_no WHERE r.status <> 'cancelled'";
    let mut covered: BTreeMap<(String, i64, Period), Money> = BTreeMap::new();
    let pages: Vec<(String, String)> = ask(database, sql).await;
    for (agency, content) in &pages {
        for line in content.lines().map(|line| FrozenLine::read(line).unwrap()) {
            for cover in line.covers().map(Result::unwrap) {
                *covered.entry((agency.clone(), line.enrolment_no, cover.period)).or_default() += cover.amount;
            }
        }
    }
    assert!(covered.len() > centres && covered.values().all(|amount| *amount <= Money(12_000)), "{covered:?}");
    let runs: Vec<(String, i64)> = ask(database, "SELECT status, COUNT(*) FROM run GROUP BY status").await;
    let runs: BTreeMap<String, i64> = runs.into_iter().collect();
    let count = |status: &str| runs.get(status).copied().unwrap_or_default();
    let all = 2 * i64::try_from(centres).unwrap();
    assert_eq!(count("reviewed") + count("settled") + count("cancelled"), all, "{runs:?}");
    assert!(count("settled") > 0, "{runs:?}");
}

#[tokio::test]
async fn sixteen_workers_race_through_three_hundred_centres() {
    let Some(home) = TestDatabase::create(Engine::Postgres).await else { return };
    let centres = std::env::var("FAFANG_TEST_CENTRES").map_or(CENTRES, |count| count.parse().unwrap());
    let sample = TestOffice::open(Engine::Sqlite, SCHEME).await.unwrap();
    let roster = Arc::new(paper::roster(&sample.neighbours(3)));
    sample.close().await;
    let office = Office {
        database: home.database.clone(),
        agency_code: String::new(),
        agency_name: "中心".into(),
        banks: built_in().unwrap(),
        calendar: fafang::formats::calendar::built_in_when_asked(),
        places: Vec::new(),
        settings: fafang::office::Settings::default(),
        clock: Clock::Fixed("2026-02-05T02:00:00Z".parse().unwrap()),
        on: Some(day("2026-02-15")),
        acting: None,
        progress: fafang::progress::Progress::default(),
    };
    let url = home.url.as_str();
    thread::scope(|scope| {
        for number in 0..TEAMS {
            let (answer, answers) = channel();
            let mut workers = Vec::new();
            for _ in 0..WORKERS_OF_A_TEAM {
                let (ask, asked) = channel();
                let (office, answer) = (office.clone(), answer.clone());
                scope.spawn(move || Worker::work(url, office, &asked, &answer));
                workers.push(ask);
            }
            let (team, roster) = (Team { workers, answers }, &roster);
            scope.spawn(move || {
                for centre in (number..centres).step_by(TEAMS) {
                    let agency = (650_000 + centre).to_string();
                    judge(&agency, &team.centre(&agency, roster));
                    team.examine(&agency);
                }
            });
        }
    });
    nothing_was_done_twice(&home.database, centres).await;
    home.close().await;
}
