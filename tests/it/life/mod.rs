//! Two years of a centre: people in six schemes at once, facts that arrive late, in any order, are
//! corrected and corrected back, banks that reject and send back. In the end everybody has what the
//! facts say ([`truth`]), to the fen and month by month, and the order of arrival has left no trace.
//!
//! `FAFANG_LIVES=50` compares more small lives than `scripts/test` has time for.

mod centre;
mod told;
mod truth;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use fafang::domain::money::Money;
use fafang::domain::period::{Period, PeriodRange};
use fafang::domain::recovery::Cause;
use fafang::domain::run::RunKind;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::formats::budget::parse_budget;
use fafang::reports::recoveries;
use fafang::storage::{cover, enrolment};
use fafang::training::people::InventedPerson;
use fafang::training::simulated_bank::{Faults, SimulatedBank};
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::decide_run;
use fafang::workflow::enter_change::enter_list;
use fafang::workflow::import_roster::{ImportRoster, import_roster};
use fafang::workflow::issue_files::{IssuedFile, issue_files};
use fafang::workflow::load_budget::load_budget;
use fafang::workflow::prepare_run::prepare_run;
use fafang::workflow::recover;
use fafang::workflow::take_return::take_return;

use crate::support::dice::Dice;
use crate::support::{AGENCY, Engine, TestOffice};
use told::{Entry, Schedule};
use truth::{Enrolled, MONTHS, Month, SCHEMES, Terms, period};

/// What everyone has in the end: enrolment (by its place in the life), month, fen.
type Paid = BTreeMap<(usize, Period), i64>;

/// What a life brought, so that a test can say that it really happened.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    rejected: i64,
    late: usize,
    withheld: usize,
    back_pay: i64,
    overpaid_months: usize,
    cases: usize,
    receipts: usize,
    offset: Money,
}

struct Life<'a> {
    office: &'a TestOffice,
    people: Vec<InventedPerson>,
    enrolled: &'a [Enrolled],
    schedule: Schedule,
    dice: Dice,
    /// Event numbers of what was told, for who undoes it.
    events: BTreeMap<usize, i64>,
    /// Open cases of recovery by enrolment.
    cases: BTreeMap<usize, i64>,
    /// Files and returns of last month, some of whose money comes back.
    late: Vec<(IssuedFile, Vec<u8>)>,
    tally: Tally,
}

/// Lives a life; what everyone has in the end.
async fn live(people: usize, enrolled: &[Enrolled], seed: u64) -> (Paid, Tally) {
    let office = TestOffice::open(Engine::Sqlite, SCHEMES[0].text).await.unwrap();
    for terms in &SCHEMES[1..] {
        office.load_scheme(terms.text).await;
        let lines = parse_budget("指标.toml", terms.text.as_bytes(), None).unwrap();
        load_budget(&office.as_finance(), &lines).await.unwrap();
    }
    let mut life = Life {
        office: &office,
        people: office.invented(people),
        enrolled,
        schedule: Schedule::new(enrolled, seed),
        dice: Dice::new(seed),
        events: BTreeMap::new(),
        cases: BTreeMap::new(),
        late: Vec::new(),
        tally: Tally::default(),
    };
    for month in 0..MONTHS {
        life.month(month).await;
    }
    life.settle().await;
    let paid = life.paid().await;
    let tally = life.tally;
    office.close().await;
    (paid, tally)
}

impl Life<'_> {
    /// Rosters, some of the news, runs signed, the rest of the news, runs issued and answered.
    async fn month(&mut self, month: Month) {
        self.office.go_to(&format!("{}-28", period(month)));
        self.clear_holds(70).await;
        self.rosters(month).await;
        let mut news = self.schedule.of(month);
        self.dice.shuffle(&mut news);
        let later = news.split_off(news.len() / 2);
        self.tell(news).await;
        let mut signed = Vec::new();
        for terms in &SCHEMES {
            if (month + 1) % terms.release == 0 {
                signed.extend(self.sign(terms, period(month + 1 - terms.release), period(month)).await);
            }
        }
        self.tell(later).await;
        self.return_late().await;
        let faults = Faults { name_mismatch: 150, closed_account: 100, still_open: 150, late_return: 80 };
        for code in signed {
            self.send(&code, faults).await;
        }
        if month % 5 == 4 {
            self.office.doctor().await;
        }
    }

    async fn clear_holds(&mut self, percent: usize) {
        let maker = self.office.as_maker();
        for held in self.office.holds().await {
            if self.dice.percent(percent) {
                clear_hold(&maker, held.no, "已与本人和银行核对").await.unwrap();
            }
        }
    }

    async fn rosters(&mut self, month: Month) {
        for (index, terms) in SCHEMES.iter().enumerate() {
            let new: Vec<usize> = (0..self.enrolled.len())
                .filter(|i| self.enrolled[*i].scheme == index && self.schedule.arrives[*i] == month)
                .collect();
            if new.is_empty() {
                continue;
            }
            let bytes = told::roster(terms, self.enrolled, &new, &self.people, &self.office.as_maker().banks);
            let name = format!("{}-{month}.csv", terms.code);
            let input = ImportRoster {
                scheme: terms.code,
                file_name: &name,
                bytes: &bytes,
                charset: None,
                first: None,
                accept_good: false,
                dry_run: false,
            };
            let imported = import_roster(&self.office.as_maker(), input).await.unwrap();
            assert_eq!((imported.new, imported.changed), (new.len(), 0), "{:?}", imported.findings);
        }
    }

    async fn tell(&mut self, news: Vec<Entry>) {
        if news.is_empty() {
            return;
        }
        let change = |entry: &Entry| {
            let enrolled = &self.enrolled[entry.enrolled];
            entry.change(&self.people[enrolled.who].citizen_number, SCHEMES[enrolled.scheme].code, &self.events)
        };
        let list = news.iter().map(change).enumerate().map(|(row, change)| (row + 2, change)).collect();
        let entered = match enter_list(&self.office.as_maker(), list, "变更.csv").await {
            Ok(entered) => entered,
            Err(failure) => panic!("{failure:#?}"),
        };
        for (entry, changed) in news.iter().zip(&entered.changed) {
            self.events.insert(entry.id, changed.event.unwrap());
        }
        for (entry, changed) in news.iter().zip(&entered.changed) {
            if !changed.overpaid.is_empty() && self.dice.percent(50) {
                self.ask_back(entry.enrolled).await;
            }
        }
    }

    /// Opens a case, to be offset against later months, or with a first instalment.
    async fn ask_back(&mut self, place: usize) {
        if self.open_case(place).await.is_none() {
            return;
        }
        let case = self.cases[&place];
        if self.dice.percent(60) {
            let cap = Money(i64::try_from(1 + self.dice.below(20_000)).unwrap());
            recover::plan(&self.office.as_maker(), case, cap, "本人同意书", None).await.unwrap();
        } else {
            self.repay(place, 3).await;
        }
    }

    /// The case of an enrolment, opened if something is overpaid.
    async fn open_case(&mut self, place: usize) -> Option<i64> {
        let enrolled = &self.enrolled[place];
        let number = &self.people[enrolled.who].citizen_number;
        let scheme = Some(SCHEMES[enrolled.scheme].code);
        match recover::open(&self.office.as_maker(), number, scheme, Cause::Other, None).await {
            Ok(opened) => {
                self.tally.cases += 1;
                self.cases.insert(place, opened.case.no);
                Some(opened.case.no)
            }
            Err(failure) => {
                assert!(["NOTHING_OVERPAID", "CASE_OPEN"].contains(&failure.code), "{failure:?}");
                self.cases.get(&place).copied().filter(|_| failure.code == "CASE_OPEN")
            }
        }
    }

    /// Pays one part of what is open back; false when nothing is.
    async fn repay(&mut self, place: usize, parts: i64) -> bool {
        let case = self.cases[&place];
        let finance = self.office.as_finance();
        let file = recoveries::find(&mut finance.read().await.unwrap(), &finance, case).await.unwrap();
        let amount = Money((file.standing.open().fen() + parts - 1) / parts);
        if amount.is_zero() || file.case.closed.is_some() {
            return false;
        }
        self.tally.receipts += 1;
        let receipt = format!("收据{}", self.tally.receipts);
        recover::repay(&finance, case, amount, self.office.today(), &receipt).await.unwrap();
        true
    }

    /// Prepares a run and has it approved; `None` when nothing is payable.
    async fn sign(&mut self, terms: &Terms, first: Period, last: Period) -> Option<String> {
        let periods = PeriodRange { first, last };
        let prepared = match prepare_run(&self.office.as_maker(), terms.code, periods, RunKind::Regular).await {
            Ok(prepared) => prepared,
            Err(failure) => {
                assert!(["NOTHING_PAYABLE", "EMPTY_ROSTER"].contains(&failure.code), "{failure:?}");
                return None;
            }
        };
        self.tally.runs += 1;
        self.tally.back_pay += prepared.back_pay.0;
        self.tally.overpaid_months += prepared.overpaid.len();
        self.tally.offset += prepared.run.offset;
        let code = prepared.run.code;
        decide_run::submit(&self.office.as_maker(), &code).await.unwrap();
        decide_run::review(&self.office.as_reviewer(), &code).await.unwrap();
        decide_run::approve(&self.office.as_approver(), &code).await.unwrap();
        Some(code)
    }

    async fn send(&mut self, code: &str, faults: Faults) {
        let issued = match issue_files(&self.office.as_finance(), code).await {
            Ok(issued) => issued,
            Err(failure) => {
                assert_eq!(failure.code, "ALL_WITHHELD", "{failure:?}");
                decide_run::cancel(&self.office.as_approver(), code, "全部暂缓").await.unwrap();
                return;
            }
        };
        self.tally.withheld += issued.withheld.len();
        let bank = SimulatedBank::new(self.dice.below(1 << 30) as u64, faults, self.office.today());
        for file in issued.files {
            let answer = bank.answer(&file.bytes).unwrap();
            let taken = self.take(AnswerKind::Return, &answer).await;
            self.tally.rejected += taken.rejected.rows;
            if let Some(second) = bank.answer_open(&file.bytes, &answer).unwrap() {
                self.take(AnswerKind::Return, &second).await;
            }
            if let Some(late) = bank.late_returns(&file.bytes, &answer).unwrap() {
                self.late.push((file, late));
            }
        }
    }

    async fn take(&self, kind: AnswerKind, bytes: &[u8]) -> fafang::workflow::take_return::Taken {
        take_return(&self.office.as_finance(), kind, "回盘.txt", bytes).await.unwrap()
    }

    async fn return_late(&mut self) {
        for (_, late) in std::mem::take(&mut self.late) {
            self.take(AnswerKind::LateReturn, &late).await;
            self.tally.late += 1;
        }
    }

    /// Everything has been told: nothing is held back any more, the bank makes no mistake, and who
    /// has too much gives it back.
    async fn settle(&mut self) {
        self.return_late().await;
        loop {
            self.clear_holds(100).await;
            let mut moved = self.repay_all().await;
            for terms in &SCHEMES {
                let last = period(MONTHS - 1);
                if let Some(code) = self.sign(terms, last.plus(1 - terms.release), last).await {
                    self.send(&code, Faults::default()).await;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        assert!(self.office.holds().await.is_empty());
        self.office.doctor().await;
        for year in [2026, 2027] {
            let books = self.office.reconcile(year).await;
            assert!(books.balanced, "{:#?}", books.findings);
            for scheme in &books.schemes {
                for figures in &scheme.periods {
                    assert!(figures.foots(), "{} {figures:?}", scheme.scheme);
                    assert_eq!(
                        (figures.open, figures.uncovered),
                        (Money::ZERO, Money::ZERO),
                        "{} {figures:?}",
                        scheme.scheme
                    );
                }
            }
        }
    }

    /// Everybody who has more than is owed gives it back; false when nobody has.
    async fn repay_all(&mut self) -> bool {
        let owed = owed(self.enrolled);
        let paid = self.paid().await;
        let over = paid.iter().filter(|(key, fen)| **fen > owed.get(key).copied().unwrap_or(0)).map(|(key, _)| key.0);
        let over: std::collections::BTreeSet<usize> = over.collect();
        let mut moved = false;
        for place in over {
            if self.open_case(place).await.is_some() {
                moved |= self.repay(place, 1).await;
            }
        }
        moved
    }

    /// In flight or credited, per enrolment and month.
    async fn paid(&self) -> Paid {
        let mut tx = self.office.as_finance().read().await.unwrap();
        let mut paid = Paid::new();
        for (index, terms) in SCHEMES.iter().enumerate() {
            let mut covered = cover::covered(&mut tx, AGENCY, terms.code).await.unwrap();
            for person in enrolment::of_scheme(&mut tx, AGENCY, terms.code).await.unwrap() {
                let is_same = |e: &Enrolled| {
                    e.scheme == index && self.people[e.who].citizen_number == person.citizen_number.as_str()
                };
                let place = self.enrolled.iter().position(is_same).unwrap();
                let months = covered.remove(&person.no).unwrap_or_default();
                paid.extend(
                    months.into_iter().filter(|(_, m)| !m.is_zero()).map(|(month, m)| ((place, month), m.fen())),
                );
            }
        }
        paid
    }
}

/// What everyone is owed, by the truth.
fn owed(enrolled: &[Enrolled]) -> Paid {
    let months = |i: usize| (0..MONTHS).map(move |month| (i, month));
    let all = (0..enrolled.len()).flat_map(months);
    all.map(|(i, month)| ((i, period(month)), enrolled[i].owed(month))).filter(|(_, fen)| *fen > 0).collect()
}

#[track_caller]
fn assert_paid(paid: &Paid, owed: &Paid, enrolled: &[Enrolled]) {
    let keys = paid.keys().chain(owed.keys());
    let different: Vec<_> = keys.filter(|key| paid.get(key) != owed.get(key)).collect();
    if let Some(key) = different.first() {
        let (has, should) = (paid.get(key), owed.get(key));
        let person = &enrolled[key.0];
        panic!(
            "{} months differ; {} {}: {has:?}, should be {should:?}\n{person:#?}",
            different.len(),
            SCHEMES[person.scheme].code,
            key.1
        );
    }
}

fn day_in(dice: &mut Dice, month: Month) -> NaiveDate {
    let first = period(month).first_day();
    first + chrono::Days::new(u64::try_from(dice.below(28)).unwrap())
}

#[tokio::test]
async fn two_years_of_five_hundred_people_in_six_schemes_end_with_everyone_paid_what_the_facts_say() {
    let enrolled = told::invent_truth(500, 2026);
    let (paid, tally) = live(500, &enrolled, 1).await;
    assert_paid(&paid, &owed(&enrolled), &enrolled);
    let reached = [tally.runs > 60, tally.rejected > 50, tally.late > 5, tally.withheld > 5, tally.back_pay > 100];
    let money = [tally.overpaid_months > 50, tally.cases > 20, tally.receipts > 20, tally.offset > Money(10_000)];
    assert!(reached.iter().chain(&money).all(|r| *r), "{tally:?}");
}

#[tokio::test]
async fn the_order_in_which_the_same_facts_arrive_never_changes_what_is_finally_paid() {
    let lives = std::env::var("FAFANG_LIVES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    for seed in 0..lives {
        let enrolled = told::invent_truth(12, seed);
        let owed = owed(&enrolled);
        let mut ends = Vec::new();
        for order in [0, 1] {
            let (paid, _) = live(12, &enrolled, seed * 10 + order).await;
            assert_paid(&paid, &owed, &enrolled);
            ends.push(paid);
        }
        assert_eq!(ends[0], ends[1], "life {seed}");
    }
}
