//! Walks through a generated year: does every operation on a real database through the workflow,
//! does the same in the model, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use chrono::NaiveDate;
use fafang::domain::actor::Role;
use fafang::domain::payment::FrozenLine;
use fafang::failure::Failure;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::office::Office;
use fafang::storage::cover;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::Invariant::{
    self, AllOrNothing, BytesAreEvidence, ExactMoney, NamedNeverGuessed, NeverOverBudget, NeverTwice, NothingLost,
    Private,
};
use super::bank::Ledger;
use super::model::{
    Cover, FIRST, LineState, Model, Month, Overpaid, Person, RunState, Terms, month_of, month_text, period,
};
use super::plan::Plan;

pub const SCHEME: &str = "nian";
pub const AGENCY: &str = "652827";

/// A broken invariant.
#[derive(Debug, Clone)]
pub struct Broken {
    pub invariant: Invariant,
    pub text: String,
}

pub type Checked<T = ()> = Result<T, Broken>;

macro_rules! ensure {
    ($invariant:expr, $holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err($crate::years::walk::Broken { invariant: $invariant, text: format!($($words)*) });
        }
    };
}
pub(super) use ensure;

/// What the rules say to a wish.
pub enum Expect {
    Done,
    /// Done before by the same person: nothing changes.
    Already,
    /// Refused with one of these codes: nothing changes.
    Refused(Vec<&'static str>),
}

pub fn expect(code: Option<&'static str>) -> Expect {
    code.map_or(Expect::Done, refused)
}

pub fn refused(code: &'static str) -> Expect {
    Expect::Refused(vec![code])
}

/// The steps that a run goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Submit,
    Review,
    Approve,
    SendBack,
    Cancel,
    Issue,
}

pub const STEPS: [Step; 6] = [Step::Submit, Step::Review, Step::Approve, Step::SendBack, Step::Cancel, Step::Issue];

/// Who works here. The second may be given other posts.
pub const PEOPLE: [(&str, Role); 8] = [
    ("阿依", Role::Maker),
    ("巴图", Role::Maker),
    ("陈红", Role::Reviewer),
    ("丁山", Role::Reviewer),
    ("额尔", Role::Approver),
    ("冯玉", Role::Approver),
    ("高娃", Role::Finance),
    ("何平", Role::Auditor),
];
pub const MOVING: usize = 1;

/// Polls a step some times and then drops it, as if its process had ended there.
pub async fn abandoned<T>(step: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut step = pin!(step);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        step.as_mut().poll(context).map(Some)
    })
    .await
}

pub struct Walk {
    pub office: Office,
    /// A connection of the test's own: sees what was committed, and nothing else.
    pub raw: SqliteConnection,
    pub model: Model,
    pub bank: Ledger,
    pub posts: Vec<(&'static str, Role)>,
    pub month: Month,
    pub day: u32,
    /// Per cent of rows that the bank refuses.
    pub failures: usize,
    pub is_tame: bool,
    pub answers: Vec<(AnswerKind, Vec<u8>)>,
    pub rosters: Vec<Vec<u8>>,
    pub dump_queries: Vec<(String, String)>,
    /// Citizen numbers and accounts that nobody outside a bank file may read whole.
    pub secrets: Vec<String>,
    /// What the engine told of an overpayment, until the model has followed.
    pub told: Option<(usize, Vec<Overpaid>)>,
    pub explained: BTreeSet<i64>,
    pub story: Vec<String>,
    pub tally: BTreeMap<&'static str, u64>,
}

impl Walk {
    /// An office with its first scheme, money and roster.
    pub async fn begin(office: Office, raw: SqliteConnection, plan: &Plan, people: Vec<Person>) -> Checked<Walk> {
        let setting = &plan.setting;
        let secrets = people.iter().flat_map(|p| {
            let accounts = p.spare.iter().map(|a| a.number.clone());
            accounts.chain([p.citizen_number.clone()]).collect::<Vec<_>>()
        });
        let secrets = secrets.collect();
        let mut terms = Terms::new(&setting.rates, setting.rise);
        terms.quarterly = setting.quarterly;
        terms.back_pay = setting.back_pay;
        terms.stop_month_paid = setting.stop_month_paid;
        let count = i64::try_from(setting.people).unwrap();
        let cost: i64 = setting.rates[0] * count * 12;
        let mut funding: Vec<(i32, String)> =
            (1..=setting.pots.len()).map(|i| (2026, format!("巴财社〔2026〕{i}号"))).collect();
        if setting.reversed {
            funding.reverse();
        }
        terms.funding = funding;
        let model =
            Model { terms: Vec::new(), people, runs: Vec::new(), pots: Vec::new(), holds: Vec::new(), findings: 0 };
        let mut walk = Walk {
            office,
            raw,
            model,
            bank: Ledger::default(),
            posts: PEOPLE.to_vec(),
            month: FIRST,
            day: 5,
            failures: 22,
            is_tame: false,
            answers: Vec::new(),
            rosters: Vec::new(),
            dump_queries: Vec::new(),
            secrets,
            told: None,
            explained: BTreeSet::new(),
            story: Vec::new(),
            tally: BTreeMap::new(),
        };
        walk.reload(terms).await?;
        for percent in &setting.pots {
            walk.new_pot(2026, cost * percent / 100).await?;
        }
        walk.first_roster(setting.people).await?;
        Ok(walk)
    }

    /// The whole year, and its end.
    pub async fn live(&mut self, plan: &Plan) -> Checked {
        for (number, ops) in plan.months.iter().enumerate() {
            self.month = FIRST + i32::try_from(number).unwrap();
            self.day = 5;
            self.story.push(format!("—— {} ——", month_text(self.month)));
            self.prepare(self.month, self.month, true).await?;
            for op in ops {
                self.day = (self.day + 2).min(28);
                self.story.push(format!("{op:?}"));
                self.operate(op).await?;
            }
            self.compare_books().await?;
        }
        self.close_the_year(plan.setting.seed).await
    }

    pub fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub fn say(&mut self, words: impl std::fmt::Display) {
        self.story.push(format!("    {words}"));
    }

    pub fn today(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), u32::try_from(self.month % 12 + 1).unwrap(), self.day).unwrap()
    }

    pub fn year(&self) -> i32 {
        self.month / 12
    }

    pub fn at_desk(&self, who: usize) -> Office {
        Office { acting: Some(self.posts[who].0.to_string()), on: Some(self.today()), ..self.office.clone() }
    }

    pub fn admin(&self) -> Office {
        Office { acting: None, on: Some(self.today()), ..self.office.clone() }
    }

    pub fn finance(&self) -> Office {
        self.at_desk(6)
    }

    /// A clerk with this post.
    pub fn with_post(&self, role: Role, pick: usize) -> usize {
        let fitting: Vec<usize> = (0..self.posts.len()).filter(|i| self.posts[*i].1 == role).collect();
        fitting[pick % fitting.len()]
    }

    // ---- watching ------------------------------------------------------------------------------

    /// Changes whenever any other connection has committed anything.
    pub async fn version(&mut self) -> i64 {
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.raw).await.unwrap()
    }

    /// Compares what the rules say with what was done. True when it was done.
    pub async fn judge<T>(
        &mut self,
        invariant: Invariant,
        expected: &Expect,
        before: i64,
        result: &Result<T, Failure>,
    ) -> Checked<bool> {
        let is_unchanged = self.version().await == before;
        match (expected, result) {
            (Expect::Refused(codes), Err(failure)) if codes.contains(&failure.code) => {
                self.say(format!("拒绝 {}: {}", failure.code, failure.message));
                ensure!(AllOrNothing, is_unchanged, "refused with {} and yet the database changed", failure.code);
                let findings = failure.findings.iter().map(fafang::domain::finding::RowFinding::sentence);
                self.discreet(&findings.chain([failure.message.clone(), failure.hint.clone()]).collect::<String>())?;
                self.count(failure.code);
                self.count("refusals");
                Ok(false)
            }
            (Expect::Refused(codes), Err(failure)) => Err(Broken {
                invariant,
                text: format!("refused with {}, expected {codes:?}: {failure:?}", failure.code),
            }),
            (Expect::Refused(codes), Ok(_)) => Err(Broken { invariant, text: format!("done, expected {codes:?}") }),
            (_, Err(failure)) => Err(Broken { invariant, text: format!("should be done, but {failure:?}") }),
            (Expect::Already, Ok(_)) => {
                ensure!(BytesAreEvidence, is_unchanged, "done before by the same person, and yet the database changed");
                self.count("already");
                Ok(false)
            }
            (Expect::Done, Ok(_)) => Ok(true),
        }
    }

    pub fn discreet(&mut self, text: &str) -> Checked {
        let secret = self.secrets.iter().find(|secret| text.contains(secret.as_str()));
        ensure!(Private, secret.is_none(), "a whole number stands in: {text}");
        self.count("texts_discreet");
        Ok(())
    }

    /// Every appropriation is where the model has it, to the fen.
    pub async fn money_moved(&mut self) -> Checked {
        let rows = sqlx::query("SELECT appropriated_fen, available_fen, reserved_fen, paid_fen FROM appropriation ORDER BY appropriation_no")
            .fetch_all(&mut self.raw)
            .await
            .unwrap();
        let found: Vec<[i64; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|i| row.get::<i64, _>(i))).collect();
        for [appropriated, available, reserved, paid] in &found {
            let is_even = *appropriated == available + reserved + paid && *available >= 0;
            ensure!(NeverOverBudget, is_even, "{appropriated} appropriated, {available} + {reserved} + {paid}");
        }
        let kept: Vec<[i64; 4]> =
            self.model.pots.iter().map(|p| [p.appropriated, p.available, p.reserved, p.paid]).collect();
        ensure!(
            ExactMoney,
            found == kept,
            "appropriations (appropriated, available, reserved, paid): {found:?}, should be {kept:?}"
        );
        self.count("money_compared");
        Ok(())
    }

    /// Everything in every table but the audit chain.
    pub async fn dump(&mut self) -> Vec<(String, String)> {
        if self.dump_queries.is_empty() {
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('audit_event', 'audit_head') ORDER BY name",
            )
            .fetch_all(&mut self.raw)
            .await
            .unwrap();
            for table in tables {
                let columns: Vec<String> =
                    sqlx::query_scalar("SELECT 'quote(' || name || ')' FROM pragma_table_info($1)")
                        .bind(&table)
                        .fetch_all(&mut self.raw)
                        .await
                        .unwrap();
                let columns = columns.join("||'|'||");
                self.dump_queries.push((
                    table.clone(),
                    format!("SELECT COALESCE(GROUP_CONCAT({columns}, char(10)), '') FROM {table}"),
                ));
            }
        }
        let mut rows = Vec::new();
        for (table, query) in self.dump_queries.clone() {
            let text: String = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.raw).await.unwrap();
            rows.push((table, text));
        }
        rows
    }

    /// Cover, runs, files, holds and findings against the model.
    pub async fn compare_books(&mut self) -> Checked {
        let mut tx = self.office.read().await.unwrap();
        let covered = cover::covered(&mut tx, AGENCY, SCHEME).await.unwrap();
        drop(tx);
        let place: BTreeMap<i64, usize> =
            self.model.enrolled().into_iter().map(|i| (self.model.people[i].order.unwrap(), i)).collect();
        let found: Cover = covered
            .iter()
            .flat_map(|(no, months)| months.iter().map(|(p, m)| ((place[no], month_of(*p)), m.fen())))
            .collect();
        let kept = self.model.cover();
        ensure!(NeverTwice, found == kept, "cover: {found:?}, should be {kept:?}");
        let really = self.really_credited();
        for (key, fen) in &really {
            let cover = kept.get(key).copied().unwrap_or(0);
            ensure!(NeverTwice, *fen <= cover, "{key:?}: the bank credited {fen}, the office covers {cover}");
        }
        self.compare_runs().await?;
        let open: i64 = self.scalar("SELECT COUNT(*) FROM hold WHERE cleared_on IS NULL").await;
        let kept = self.model.holds.iter().filter(|h| h.is_open).count();
        ensure!(NamedNeverGuessed, usize::try_from(open).unwrap() == kept, "{open} open holds, should be {kept}");
        let findings = self.scalar("SELECT COUNT(*) FROM finding").await;
        ensure!(
            NamedNeverGuessed,
            findings == self.model.findings,
            "{findings} findings, should be {}",
            self.model.findings
        );
        self.count("books_compared");
        Ok(())
    }

    pub async fn scalar(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.raw).await.unwrap()
    }

    /// run = payments = covers = files + withheld, and each file = its outcomes, told by the model.
    async fn compare_runs(&mut self) -> Checked {
        let runs = sqlx::query(
            "SELECT r.run_no, r.status, r.payment_count, r.total_fen, \
             (SELECT GROUP_CONCAT(content, '') FROM payment_page p WHERE p.period = r.period AND p.run_no = r.run_no), \
             (SELECT COALESCE(SUM(total_fen), 0) FROM payment_file f WHERE f.period = r.period AND f.run_no = r.run_no) \
             FROM run r ORDER BY r.run_no",
        )
        .fetch_all(&mut self.raw)
        .await
        .unwrap();
        ensure!(NothingLost, runs.len() == self.model.runs.len(), "{} runs", runs.len());
        for (row, run) in runs.iter().zip(&self.model.runs) {
            let sum = |of: &dyn Fn(&LineState) -> bool| -> i64 {
                run.lines.iter().filter(|l| of(&l.state)).map(|l| l.amount).sum()
            };
            let is_sent = matches!(run.state, RunState::Issued | RunState::Settled);
            let in_files = if is_sent { run.total() - sum(&|s| *s == LineState::Withheld) } else { 0 };
            let status = format!("{:?}", run.state).to_lowercase();
            let kept = (
                run.no,
                status,
                i64::try_from(run.lines.len()).unwrap(),
                run.total(),
                run.total(),
                run.total(),
                in_files,
            );
            let content: String = row.get(4);
            let lines: Vec<FrozenLine<'_>> = content.lines().map(|l| FrozenLine::read(l).unwrap()).collect();
            let paid: i64 = lines.iter().map(|l| l.amount.fen()).sum();
            let covered: i64 = lines.iter().flat_map(FrozenLine::covers).map(|c| c.unwrap().amount.fen()).sum();
            let found = (row.get(0), row.get(1), row.get(2), row.get(3), paid, covered, row.get(5));
            ensure!(NothingLost, found == kept, "run {}: {found:?}, should be {kept:?}", run.code);
        }
        let files = sqlx::query("SELECT run_no, row_count, total_fen, open_fen, credited_fen, rejected_fen, returned_fen FROM payment_file ORDER BY run_no, file_no")
            .fetch_all(&mut self.raw)
            .await
            .unwrap();
        let kept = self.model.runs.iter().flat_map(|run| {
            run.files.iter().map(|file| {
                let lines = || file.lines.iter().map(|i| &run.lines[*i]);
                let sum = |state| lines().filter(|l| l.state == state).map(|l| l.amount).sum::<i64>();
                let total = lines().map(|l| l.amount).sum::<i64>();
                let by_state =
                    [LineState::Sent, LineState::Credited, LineState::Rejected, LineState::Returned].map(sum);
                (run.no, i64::try_from(file.lines.len()).unwrap(), total, by_state)
            })
        });
        let kept: Vec<(i64, i64, i64, [i64; 4])> = kept.collect();
        let found: Vec<(i64, i64, i64, [i64; 4])> = files
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2), [3, 4, 5, 6].map(|i| row.get::<i64, _>(i))))
            .collect();
        for (_, _, total, by_state) in &found {
            ensure!(
                NothingLost,
                *total == by_state.iter().sum::<i64>(),
                "a file of {total} has outcomes of {by_state:?}"
            );
        }
        ensure!(NothingLost, found == kept, "files: {found:?}, should be {kept:?}");
        Ok(())
    }

    /// What the bank really credited and did not take back, per person and month.
    pub fn really_credited(&self) -> Cover {
        let mut really = Cover::new();
        for run in &self.model.runs {
            for (index, line) in run.lines.iter().enumerate() {
                let entry =
                    self.bank.entries.get(&format!("{AGENCY}-{}-{}-{}", period(run.last).number(), run.no, index + 1));
                if entry.is_some_and(|e| e.is_credited && !e.is_taken_back) {
                    for (month, fen) in &line.months {
                        *really.entry((line.who, *month)).or_default() += fen;
                    }
                }
            }
        }
        really
    }
}
