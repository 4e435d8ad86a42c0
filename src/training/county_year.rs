//! The county's whole year for training: 200 invented people, twelve months, three operators and a
//! finance clerk, a simulated bank, and the incidents that every office knows. It goes through the
//! same workflow as real money; only the people and the bank are invented.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::people::{InventedPerson, invent, roster_csv};
use super::simulated_bank::{Faults, Forced, SimulatedBank};
use crate::clock::Clock;
use crate::domain::actor::Role;
use crate::domain::change::{Change, What};
use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::run::RunKind;
use crate::exchange::folder;
use crate::failure::{Failure, Kind};
use crate::formats::bank::book;
use crate::formats::bank::neutral::{AnswerKind, ReadError};
use crate::formats::budget::parse_budget;
use crate::office::Office;
use crate::reports::ledger::Ledger;
use crate::reports::payment_sheet::{Numbers, payment_sheet};
use crate::reports::reconciliation::{Basis, Reconciliation, reconcile};
use crate::reports::render::{Format, render};
use crate::reports::table::Report;
use crate::reports::{month, year_end};
use crate::storage::engine::Database;
use crate::storage::hold;
use crate::workflow::change_enrolment::Changed;
use crate::workflow::clear_hold::clear_hold;
use crate::workflow::decide_run::{approve, review, submit};
use crate::workflow::enter_change::enter_change;
use crate::workflow::import_roster::{ImportRoster, import_roster};
use crate::workflow::issue_files::{IssuedFile, issue_files};
use crate::workflow::prepare_run::prepare_run;
use crate::workflow::take_return::take_return;
use crate::workflow::{load_budget, load_scheme, register};

const SCHEME_FILE: &str = include_str!("../../config/schemes/pochan1995.toml");
const SCHEME: &str = "pochan1995";
/// The same function code holds local money for basic expenditure, which no scheme here draws.
const LOCAL_BUDGET: &str = "年度,指标文号,补贴项目,项目名称,功能科目,经济科目,资金来源,支出类别,金额（万元）\r\n\
    2026,和财预〔2026〕1号,,企业关闭破产补助,2080601,30305,本级,基本支出,14.11\r\n";
const YEAR: i32 = 2026;
const PEOPLE: usize = 200;
const SEED: u64 = 652_827;
const AGENCY: (&str, &str) = ("652827", "和静县社会保险中心");

const MAKER: &str = "阿依努尔";
const REVIEWER: &str = "王建国";
const APPROVER: &str = "李红梅";
const FINANCE: &str = "巴特尔";

/// Marks a folder as an earlier demonstration, which may be cleared.
const MARK: &str = ".fafang-demo";

/// Which year is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Everything goes well.
    Clean,
    /// Failures, deaths, a suspension, a late return.
    WithIncidents,
}

/// What the year came to.
#[derive(Debug)]
pub struct CountyYear {
    /// Credited in all.
    pub credited: Money,
    /// Months of people credited.
    pub person_months: usize,
    /// Left of the appropriation.
    pub left: Money,
    /// What happened, month by month, in words.
    pub events: Vec<String>,
    /// The year-end reconciliation.
    pub reconciliation: Reconciliation,
}

/// Runs the year in a folder; `progress` is told each month.
///
/// # Errors
/// When the folder holds anything but an earlier demonstration, or a step fails.
pub async fn county_year(dir: &Path, story: Story, mut progress: impl FnMut(Period)) -> Result<CountyYear, Failure> {
    clear_folder(dir)?;
    let mut year = Year::begin(dir, story).await?;
    for period in Period::of_year(YEAR) {
        year.before_run(period).await?;
        year.month(period).await?;
        progress(period);
    }
    let end = day(Period::of_year(YEAR).next_back().unwrap_or(Period::of(NaiveDate::default())), 31);
    let office = year.office.on(end);
    year.write_report(
        &year_end::year_end(&office, SCHEME, YEAR).await?,
        &["reports/year-end.xlsx", "reports/year-end.csv"],
    )?;
    let reconciliation = reconcile(&office, YEAR, Some(SCHEME), None, Basis::Recounted).await?;
    let ledger = Ledger::read(&mut office.read().await?, &office, SCHEME, YEAR, None).await?;
    let person_months = ledger.entries().filter(|(_, m)| !m.credited.is_zero()).count();
    let credited = ledger.entries().map(|(_, m)| m.credited).sum();
    let left = reconciliation.schemes.iter().flat_map(|s| &s.appropriations).map(|a| a.available_fen).sum();
    office.database.close().await;
    Ok(CountyYear { credited, person_months, left, events: year.events, reconciliation })
}

fn clear_folder(dir: &Path) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| Failure::input("DEMO_FOLDER", format!("{}: {e}", dir.display()));
    if dir.exists() {
        let is_empty = fs::read_dir(dir).map_err(wrong)?.next().is_none();
        if !is_empty && !dir.join(MARK).exists() {
            return Err(Failure::conflict("DEMO_FOLDER", format!("{} 里有别的文件", dir.display()))
                .hint("用 --dir 指定一个空文件夹"));
        }
        fs::remove_dir_all(dir).map_err(wrong)?;
    }
    folder::replace(&dir.join(MARK), b"")
}

fn day(period: Period, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(period.year(), period.month(), day).unwrap_or(period.first_day())
}

fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Kind::Internal, error.code(), error.to_string())
}

struct Year {
    dir: PathBuf,
    story: Story,
    office: Office,
    people: Vec<InventedPerson>,
    events: Vec<String>,
    /// September's files and their returns, for the late return in October.
    september: Vec<(IssuedFile, Vec<u8>)>,
}

impl Year {
    async fn begin(dir: &Path, story: Story) -> Result<Year, Failure> {
        let banks = book::built_in().map_err(|e| Failure::new(Kind::Configuration, "CONFIG", e.to_string()))?;
        let database = Database::create(&dir.join("fafang.db").to_string_lossy()).await?;
        folder::replace(&dir.join("fafang.toml"), CONFIG.as_bytes())?;
        let office = register::agency(database, AGENCY.0, AGENCY.1, "admin", banks.clone(), Clock::System).await?;
        let office = office.on(day(Period::of_year(YEAR).next().unwrap_or(Period::of(NaiveDate::default())), 4));
        for (name, role) in
            [(MAKER, Role::Maker), (REVIEWER, Role::Reviewer), (APPROVER, Role::Approver), (FINANCE, Role::Finance)]
        {
            register::user(&office, name, role).await?;
        }
        load_scheme::load_scheme(&office, SCHEME_FILE).await?;
        let lines = parse_budget("pochan1995.toml", SCHEME_FILE.as_bytes(), None)
            .map_err(|f| Failure::input("BUDGET_FILE", "演示的指标无法读取").with_findings(f))?;
        load_budget::load_budget(&office.acting_as(FINANCE), &lines).await?;
        let local = [b"\xEF\xBB\xBF", LOCAL_BUDGET.as_bytes()].concat();
        folder::replace(&dir.join("budget/local-2026.csv"), &local)?;
        let lines = parse_budget("local-2026.csv", &local, None)
            .map_err(|f| Failure::input("BUDGET_FILE", "演示的指标无法读取").with_findings(f))?;
        load_budget::load_budget(&office.acting_as(FINANCE), &lines).await?;
        let people = invent(PEOPLE, SEED, &banks);
        let first = Period::of(office.business_date());
        let roster = roster_csv(&people, &banks, first, Some(Money(12_000)));
        let (name, bytes) = ("roster-2026-01.csv", [b"\xEF\xBB\xBF", roster.as_bytes()].concat());
        folder::replace(&dir.join("rosters").join(name), &bytes)?;
        let input = ImportRoster {
            scheme: SCHEME,
            file_name: name,
            bytes: &bytes,
            charset: None,
            first: None,
            accept_good: false,
            dry_run: false,
        };
        import_roster(&office.acting_as(MAKER), input).await.map_err(|r| r.failure)?;
        Ok(Year { dir: dir.to_path_buf(), story, office, people, events: Vec::new(), september: Vec::new() })
    }

    fn at(&self, who: &str, date: NaiveDate) -> Office {
        self.office.acting_as(who).on(date)
    }

    fn tell(&mut self, period: Period, words: &str) {
        self.events.push(format!("{period} {words}"));
    }

    /// A new card for someone: the account of a person who is not on the roster.
    fn new_card(&self, of: usize) -> InventedPerson {
        let spare = invent(PEOPLE + 20, SEED, &self.office.banks).split_off(PEOPLE);
        spare.into_iter().filter(|p| p.account.len() == 19).nth(of).unwrap_or_else(|| self.people[of].clone())
    }

    /// What clerks enter before the month's run.
    async fn before_run(&mut self, period: Period) -> Result<(), Failure> {
        if self.story == Story::Clean {
            return Ok(());
        }
        let on = day(period, 4);
        let maker = self.at(MAKER, on);
        let (mismatch, closed, dead, late_dead, suspended, returned) =
            (self.person(10), self.person(20), self.person(30), self.person(40), self.person(50), self.person(70));
        match period.month() {
            4 => {
                self.clear_holds(&maker, &mismatch).await?;
                self.tell(period, &format!("{} 的户名已与身份证和银行核对，解除暂停，2 月随本月补发", mismatch.name));
                self.give_new_card(&maker, &closed, 0).await?;
                self.tell(period, &format!("{} 送来新卡，账户变更，3 月随本月补发", closed.name));
            }
            5 => {
                let died = What::Stop { reason: StopReason::Death, on: day(period.previous(), 12) };
                enter(&maker, &dead, died, "死亡证明").await?;
                self.tell(period, &format!("{} 于 4 月 12 日去世，及时登记，5 月起停发", dead.name));
                let lapsed = What::Suspend { cause: SuspensionCause::NotCertified, from: period };
                enter(&maker, &suspended, lapsed, "待遇资格未认证").await?;
                self.tell(period, &format!("{} 未做资格认证，5 月起暂停", suspended.name));
            }
            8 => {
                let late_death = day(Period::new(YEAR, 5).unwrap_or(period), 1);
                let died = What::Stop { reason: StopReason::Death, on: late_death };
                let changed = enter(&maker, &late_dead, died, "公安比对").await?;
                let overpaid: Money = changed.overpaid.iter().map(crate::calculation::payable::Overpaid::amount).sum();
                self.tell(
                    period,
                    &format!("{} 于 5 月 1 日去世，8 月才知道，6、7 月多发 {overpaid} 元，列入追回", late_dead.name),
                );
                let again = What::Resume { cause: None, from: period, back_pay: None };
                enter(&maker, &suspended, again, "已完成资格认证").await?;
                self.tell(period, &format!("{} 完成认证，8 月起恢复，5 至 7 月补发", suspended.name));
            }
            11 => {
                self.give_new_card(&maker, &returned, 1).await?;
                self.tell(period, &format!("{} 换了新卡，退回的 9 月随本月补发", returned.name));
            }
            _ => {}
        }
        Ok(())
    }

    fn person(&self, index: usize) -> InventedPerson {
        self.people[index].clone()
    }

    async fn clear_holds(&self, maker: &Office, person: &InventedPerson) -> Result<(), Failure> {
        let mut tx = maker.read().await?;
        let people = crate::storage::enrolment::people(&mut tx, &maker.agency_code).await?;
        let no = people.get(&person.citizen_number).map(|(no, _)| *no);
        let open = hold::open(&mut tx, &maker.agency_code).await?;
        drop(tx);
        for (hold, _) in open.into_iter().filter(|(h, _)| Some(h.beneficiary_no) == no) {
            clear_hold(maker, hold.no, "户名已与身份证核对，银行已更正").await?;
        }
        Ok(())
    }

    async fn give_new_card(&self, maker: &Office, person: &InventedPerson, spare: usize) -> Result<(), Failure> {
        let card = self.new_card(spare);
        let bank = Some(card.bank_code);
        let new = What::Account { number: card.account, bank, holder: None, relation: String::new() };
        enter(maker, person, new, "本人送来新卡").await?;
        Ok(())
    }

    /// What the bank does this month to whom.
    fn bank(&mut self, period: Period, on: NaiveDate) -> SimulatedBank {
        let bank = SimulatedBank::new(SEED, Faults::default(), on);
        if self.story == Story::Clean {
            return bank;
        }
        let (person, fate, words) = match period.month() {
            2 => (self.person(10), Forced::Reject("3031".into()), "回盘: 户名不符，转入暂停支付"),
            3 => (self.person(20), Forced::Reject("3018".into()), "回盘: 账户已销户，转入暂停支付"),
            6 => (self.person(60), Forced::Open, "回盘: 银行处理中，第二次回盘才成功；其间不重发"),
            10 => (self.person(80), Forced::Reject("3028".into()), "回盘: 银行系统忙，确认未入账，下月自动补发"),
            _ => return bank,
        };
        self.tell(period, &format!("{} {words}", person.name));
        bank.with_answer(person.account, fate)
    }

    /// One month: prepare, submit, review, approve, issue, answers.
    async fn month(&mut self, period: Period) -> Result<(), Failure> {
        let periods = crate::domain::period::PeriodRange { first: period, last: period };
        let prepared = prepare_run(&self.at(MAKER, day(period, 5)), SCHEME, periods, RunKind::Regular).await?;
        let code = prepared.run.code;
        submit(&self.at(MAKER, day(period, 5)), &code).await?;
        review(&self.at(REVIEWER, day(period, 6)), &code).await?;
        approve(&self.at(APPROVER, day(period, 8)), &code).await?;
        let finance = self.at(FINANCE, day(period, 10));
        let issued = issue_files(&finance, &code).await?;
        let finance = self.at(FINANCE, day(period, 12));
        let bank = self.bank(period, day(period, 10));
        let mut answers = Vec::new();
        for file in issued.files {
            folder::write_new(&self.dir.join("payment-files").join(&file.file.name), &file.bytes)?;
            let first = bank.answer(&file.bytes).map_err(|e| unreadable(&e))?;
            self.take(&finance, AnswerKind::Return, &format!("return-1-{}", file.file.name), &first).await?;
            if let Some(second) = bank.answer_open(&file.bytes, &first).map_err(|e| unreadable(&e))? {
                self.take(&finance, AnswerKind::Return, &format!("return-2-{}", file.file.name), &second).await?;
            }
            answers.push((file, first));
        }
        match period.month() {
            9 => self.september = answers,
            10 if self.story == Story::WithIncidents => self.late_return(period).await?,
            _ => {}
        }
        let office = self.office.on(day(period, 28));
        self.write_report(&month::month(&office, SCHEME, period).await?, &[&format!("reports/month-{period}.xlsx")])?;
        let sheet = payment_sheet(&office, &code, Numbers::Masked).await?;
        self.write_report(&sheet, &[&format!("reports/payments-{period}.xlsx")])
    }

    async fn take(&self, finance: &Office, kind: AnswerKind, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        folder::write_new(&self.dir.join("returns").join(name), bytes)?;
        take_return(finance, kind, name, bytes).await.map(|_| ())
    }

    /// In October the bank sends back what it had credited in September.
    async fn late_return(&mut self, period: Period) -> Result<(), Failure> {
        let person = self.person(70);
        let bank = SimulatedBank::new(SEED, Faults::default(), day(period, 15))
            .with_answer(&person.account, Forced::LateReturn);
        let finance = self.at(FINANCE, day(period, 16));
        for (file, first) in std::mem::take(&mut self.september) {
            if let Some(late) = bank.late_returns(&file.bytes, &first).map_err(|e| unreadable(&e))? {
                self.take(&finance, AnswerKind::LateReturn, &format!("late-return-{}", file.file.name), &late).await?;
                self.tell(period, &format!("{} 9 月的款成功后退票，金额退回指标，转入暂停支付", person.name));
            }
        }
        Ok(())
    }

    fn write_report(&self, report: &Report, paths: &[&str]) -> Result<(), Failure> {
        for path in paths {
            let path = self.dir.join(path).to_string_lossy().into_owned();
            let format = Format::from_path(&path).unwrap_or(Format::Text);
            for file in render(report, format, &path)? {
                folder::replace(Path::new(&file.path), &file.bytes)?;
            }
        }
        Ok(())
    }
}

async fn enter(maker: &Office, person: &InventedPerson, what: What, reason: &str) -> Result<Changed, Failure> {
    let change = Change {
        citizen_number: person.citizen_number.clone(),
        scheme: Some(SCHEME.into()),
        what,
        reason: reason.into(),
        evidence: String::new(),
    };
    let mut entered = enter_change(maker, change).await?;
    Ok(entered.changed.remove(0))
}

/// Configuration of the demonstration's office.
const CONFIG: &str = "# 演示用配置\ndatabase = \"fafang.db\"\nagency = \"652827\"\n";
