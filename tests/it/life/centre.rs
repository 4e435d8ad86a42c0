//! The centre's year: its ten scheme files as they are shipped, side by side through 2026. What
//! everyone is owed is told here a second time, from the numbers that went into the rosters, and what
//! the bank credited is counted from the bank's own answers.
//!
//! `FAFANG_CENTRE_FULL=1` pays the two pensions to all of their 10,287 and 3,615 people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::NaiveDate;
use fafang::domain::change::{Change, What};
use fafang::domain::credit_code::check_character;
use fafang::domain::enrolment::StopReason;
use fafang::domain::hold::HoldReason;
use fafang::domain::money::Money;
use fafang::domain::period::{Period, PeriodRange};
use fafang::domain::recovery::Cause;
use fafang::domain::run::RunKind;
use fafang::formats::bank::neutral::{AnswerKind, AnswerStatus, read_answer};
use fafang::formats::budget::parse_budget;
use fafang::storage::{cover, enrolment};
use fafang::training::people::InventedPerson;
use fafang::training::simulated_bank::{Faults, Forced, SimulatedBank};
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::decide_run;
use fafang::workflow::enter_change::{Accepted, accept, enter_change};
use fafang::workflow::import_certifications::import_certifications;
use fafang::workflow::import_roster::{ImportRoster, Imported, import_roster};
use fafang::workflow::issue_files::issue_files;
use fafang::workflow::load_budget::load_budget;
use fafang::workflow::prepare_run::prepare_run;
use fafang::workflow::recover;
use fafang::workflow::take_return::take_return;

use crate::support::dice::Dice;
use crate::support::{AGENCY, Engine, SCHEME, TestOffice, day, refused};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    Monthly,
    AtYearEnd,
    Once,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// An amount of one's own.
    Amount,
    /// 甲类 or 乙类.
    Category,
    /// The one standard of all.
    Nothing,
}

/// A scheme file, and what this test knows of it without reading it.
struct Terms {
    code: &'static str,
    text: &'static str,
    rhythm: Rhythm,
    own: Own,
    /// Fen of its appropriation.
    budget: i64,
    units: bool,
    certified: bool,
    second_person: bool,
}

macro_rules! shipped {
    ($code:literal, $rhythm:ident, $own:ident, $budget:literal, $units:literal, $pension:literal) => {
        Terms {
            code: $code,
            text: include_str!(concat!("../../../config/schemes/", $code, ".toml")),
            rhythm: Rhythm::$rhythm,
            own: Own::$own,
            budget: $budget,
            units: $units,
            certified: $pension,
            second_person: $pension,
        }
    };
}

const SCHEMES: [Terms; 10] = [
    shipped!("pochan1995", Monthly, Nothing, 28_900_000, false, false),
    shipped!("yanglao_qiye", Monthly, Amount, 39_502_080_000, false, true),
    shipped!("yanglao_jiguan", Monthly, Amount, 22_557_600_000, false, true),
    shipped!("tuixiu", Monthly, Amount, 18_000_000, false, true),
    shipped!("shenghuobuzhu", Monthly, Amount, 14_690_000, false, false),
    shipped!("jianglijin", AtYearEnd, Category, 1_080_000, false, false),
    shipped!("gqgaige", Once, Amount, 37_000_000, false, false),
    shipped!("jingban_pinyong", Once, Amount, 500_000, false, false),
    shipped!("jingban_jiangli", Once, Amount, 1_000_000, true, false),
    shipped!("jingban", Once, Amount, 2_000_000, true, false),
];
const POCHAN: usize = 0;
const QIYE: usize = 1;
const JIGUAN: usize = 2;
const TUIXIU: usize = 3;
const SHENGHUO: usize = 4;
const JIANGLIJIN: usize = 5;
const GQGAIGE: usize = 6;
const PINYONG: usize = 7;
const JIANGLI: usize = 8;
const JINGBAN: usize = 9;

/// Months from January, which is 0. The roster of July brings what is new in the year.
const JULY: usize = 6;
const DECEMBER: usize = 11;
/// Fen a month more that one person has from July.
const RAISE: i64 = 10_000;

/// Places in the rosters of the pensions that have a story.
const IN_BOTH: usize = 0;
const DEAD: usize = 1;
const RAISED: usize = 2;
const MOVED: usize = 3;
const LATE_CERTIFIED: usize = 15;
const NEVER_CERTIFIED: usize = 10;

/// Names of the units: 第一 and so on.
const UNITS: [&str; 12] = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"];

fn month(index: usize) -> Period {
    Period::new(2026, u32::try_from(index + 1).unwrap()).unwrap()
}

/// When an entitlement ends, and in which month the office learns of it.
#[derive(Debug, Clone)]
struct End {
    reason: StopReason,
    on: &'static str,
    /// Months of the year owed, the last one perhaps in part.
    months: usize,
    /// Days of thirty owed of the last one.
    days: Option<i64>,
    told: usize,
}

/// One person or unit of a roster.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    number: String,
    bank: String,
    account: String,
    retired_on: Option<NaiveDate>,
    /// 享受起始月 as the roster has it, and the first month owed.
    begins: &'static str,
    from: usize,
    category: &'static str,
    /// Monthly fen, once-only fen where the scheme pays once.
    fen: i64,
    raised: bool,
    end: Option<End>,
    /// Last month that the first certification reaches, and the month of the next one.
    certified: Option<(usize, Option<usize>)>,
}

impl Member {
    fn of(person: &InventedPerson, office: &TestOffice) -> Member {
        Member {
            name: person.name.clone(),
            number: person.citizen_number.clone(),
            bank: office.as_maker().banks.bank(&person.bank_code).unwrap().name.clone(),
            account: person.account.clone(),
            retired_on: Some(person.retired_on),
            begins: "2026-01",
            from: 0,
            category: "",
            fen: 0,
            raised: false,
            end: None,
            certified: None,
        }
    }

    /// What is owed for a month, in fen.
    fn owed(&self, terms: &Terms, at: usize) -> i64 {
        if at < self.from || (terms.rhythm == Rhythm::Once && at > self.from) {
            return 0;
        }
        if self.certified.is_some_and(|(until, again)| at > until && again.is_none()) {
            return 0;
        }
        let whole = self.fen + if self.raised && at >= JULY { RAISE } else { 0 };
        match &self.end {
            Some(end) if at >= end.months => 0,
            // Half up, in whole fen.
            Some(End { months, days: Some(days), .. }) if at + 1 == *months => (2 * whole * days + 30) / 60,
            _ => whole,
        }
    }

    fn owed_in_all(&self, terms: &Terms) -> i64 {
        (0..12).map(|at| self.owed(terms, at)).sum()
    }
}

/// A sum in nearly equal parts that together are exactly the sum.
fn shares(total: i64, count: usize, spread: usize, dice: &mut Dice) -> Vec<i64> {
    let n = i64::try_from(count).unwrap();
    let mut shares: Vec<i64> = (0..n).map(|i| total / n + i64::from(i < total % n)).collect();
    for pair in shares.chunks_exact_mut(2) {
        let more = i64::try_from(dice.below(spread + 1)).unwrap();
        pair[0] += more;
        pair[1] -= more;
    }
    assert_eq!(shares.iter().sum::<i64>(), total);
    shares
}

/// Every roster of the year, by scheme.
fn rosters(office: &TestOffice, qiye: usize, jiguan: usize) -> Vec<Vec<Member>> {
    let mut dice = Dice::new(2026);
    let everyone = office.invented(200 + qiye + jiguan + 10 + 25 + 74 + 3 + 12);
    let mut people = everyone.iter().map(|person| Member::of(person, office));
    let mut with = |amounts: Vec<i64>| -> Vec<Member> {
        amounts.into_iter().zip(people.by_ref()).map(|(fen, member)| Member { fen, ..member }).collect()
    };
    let count = |n: usize| i64::try_from(n).unwrap();
    let mut schemes = vec![
        with(vec![12_000; 200]),
        with(shares(320_000 * count(qiye), qiye, 150_000, &mut dice)),
        with(shares(520_000 * count(jiguan), jiguan, 200_000, &mut dice)),
        with(shares(1_500_000, 10, 40_000, &mut dice)),
        with(shares(14_690_000 / 12, 25, 20_000, &mut dice)),
        Vec::new(),
        with(shares(37_000_000, 74, 300_000, &mut dice)),
        with(shares(500_000, 3, 0, &mut dice)),
        with(shares(1_000_000, 12, 10_000, &mut dice)),
    ];
    let dead = |on, months, told| Some(End { reason: StopReason::Death, on, months, days: None, told });
    schemes[POCHAN][DEAD].end = dead("2026-05-20", 5, 7);
    // The same pensioners: one 奖励金 for each, 甲类 and 乙类.
    schemes[JIANGLIJIN] = schemes[POCHAN][..20].to_vec();
    for (place, member) in schemes[JIANGLIJIN].iter_mut().enumerate() {
        (member.category, member.fen) = if place < 10 { ("甲类", 6_000) } else { ("乙类", 3_000) };
    }
    for (place, unit) in schemes[JIANGLI].iter_mut().enumerate() {
        let body = format!("12652827{:09}", 745_210_300 + 7 * place);
        unit.number = format!("{body}{}", check_character(&body));
        unit.name = format!("和静县第{}社区劳动保障所", UNITS[place]);
    }
    // Eight of the same units.
    let mut jingban = schemes[JIANGLI][..8].to_vec();
    for (unit, fen) in jingban.iter_mut().zip(shares(2_000_000, 8, 50_000, &mut dice)) {
        unit.fen = fen;
    }
    schemes.push(jingban);
    for scheme in [QIYE, JIGUAN, TUIXIU] {
        pension(scheme, &mut schemes[scheme]);
    }
    schemes[QIYE][DEAD].end = dead("2026-03-14", 3, 5);
    schemes[TUIXIU][MOVED].end =
        Some(End { reason: StopReason::Moved, on: "2026-09-10", months: 9, days: Some(10), told: 8 });
    // Somebody of the other pension stands in this one too, from the beginning.
    let twice = schemes[JIGUAN][IN_BOTH].clone();
    let end = End { reason: StopReason::Ineligible, on: "2025-12-31", months: 0, days: None, told: 1 };
    let fen = schemes[QIYE][IN_BOTH].fen;
    schemes[QIYE][IN_BOTH] = Member { fen, end: Some(end), ..twice };
    schemes
}

/// Who joins in July, who has more from then on, whose certification falls due, and who is late.
fn pension(scheme: usize, members: &mut [Member]) {
    members[RAISED].raised = true;
    let last = members.len() - 1;
    // A day counts for the next month where the file says so.
    (members[last].begins, members[last].from) = (if scheme == TUIXIU { "2026-07" } else { "2026-06-17" }, JULY);
    for (place, member) in members[..last].iter_mut().enumerate().skip(5) {
        let until = 5 + place / 5 % 5;
        member.certified = match place {
            NEVER_CERTIFIED => Some((until, None)),
            LATE_CERTIFIED => Some((until, Some(until + 2))),
            6 if scheme == TUIXIU => Some((until, Some(until + 2))),
            _ if place % 5 == 0 => Some((until, Some(until))),
            _ => None,
        };
    }
}

/// A roster as of a month: who is known to have left is not in it, who joins later neither.
fn roster(terms: &Terms, members: &[Member], at: usize) -> Vec<u8> {
    let mut text = if terms.units { "单位名称,统一社会信用代码" } else { "姓名,公民身份号码" }.to_string();
    text.push_str(",开户银行,银行账号,享受起始月");
    if !terms.units {
        text.push_str(",退休日期");
    }
    text.push_str(match (terms.own, terms.rhythm) {
        (Own::Nothing, _) => "",
        (Own::Category, _) => ",人员类别",
        (Own::Amount, Rhythm::Once) => ",发放金额",
        (Own::Amount, _) => ",月待遇",
    });
    text.push_str(if terms.certified { ",最近认证日期\n" } else { "\n" });
    let has_left = |m: &Member| m.end.as_ref().is_some_and(|end| end.told <= at && end.months <= at);
    for m in members.iter().filter(|m| m.from <= at && !has_left(m)) {
        let _ = write!(text, "{},{},{},{},{}", m.name, m.number, m.bank, m.account, m.begins);
        if !terms.units {
            let _ = write!(text, ",{}", m.retired_on.unwrap());
        }
        match terms.own {
            Own::Nothing => {}
            Own::Category => drop(write!(text, ",{}", m.category)),
            Own::Amount => {
                let fen = m.fen + if m.raised && at >= JULY { RAISE } else { 0 };
                let _ = write!(text, ",{}", Money(fen));
            }
        }
        if terms.certified {
            let on = m.certified.map(|(until, _)| format!("2025-{:02}-10", until + 1));
            let _ = write!(text, ",{}", on.unwrap_or_default());
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// A case of recovery that is not paid back whole.
struct Open {
    scheme: usize,
    case: i64,
    rest: i64,
    due: usize,
}

struct Centre<'a> {
    office: &'a TestOffice,
    members: Vec<Vec<Member>>,
    /// What the bank says it credited, by scheme and account.
    banked: Vec<BTreeMap<String, Vec<i64>>>,
    /// What came back from people, by scheme.
    repaid: Vec<i64>,
    rejected: usize,
    withheld: usize,
    receipts: usize,
    certified: usize,
    cases: Vec<Open>,
    /// Rosters that wait for a second person.
    waiting: Vec<(usize, i64)>,
}

impl Centre<'_> {
    async fn month(&mut self, at: usize) {
        self.office.go_to(&format!("{}-20", month(at)));
        self.clear_bank_holds().await;
        self.tell(at).await;
        self.certify(at).await;
        if at == 0 {
            for scheme in 0..SCHEMES.len() {
                let imported = self.import(scheme, at).await;
                assert_eq!((imported.pending, imported.changed), (None, 0), "the first roster waits for nobody");
            }
        }
        if at == JULY {
            self.ask_for_new_rosters().await;
        }
        if at == JULY + 1 {
            self.accept_rosters().await;
        }
        let mut signed = Vec::new();
        for (scheme, terms) in SCHEMES.iter().enumerate() {
            let this = PeriodRange { first: month(at), last: month(at) };
            let run = match terms.rhythm {
                Rhythm::Monthly => self.sign(scheme, this, RunKind::Regular).await,
                Rhythm::AtYearEnd if at < DECEMBER => None,
                Rhythm::AtYearEnd => self.sign(scheme, whole_year(), RunKind::Regular).await,
                // Another month owes nothing more, whatever the run is called.
                Rhythm::Once if at.is_multiple_of(2) => self.sign(scheme, this, RunKind::Regular).await,
                Rhythm::Once => self.sign(scheme, january(), RunKind::Supplementary).await,
            };
            signed.extend(run.map(|run| (scheme, run)));
        }
        self.money_adds_up().await;
        let bank = self.bank(at);
        for (scheme, run) in signed {
            self.send(scheme, &run, &bank).await;
        }
        self.money_adds_up().await;
        if at == 0 {
            self.nobody_has_two_pensions().await;
        }
    }

    /// A bank that rejects one row in a hundred, and a few more on purpose.
    fn bank(&self, at: usize) -> SimulatedBank {
        let faults = Faults { name_mismatch: 60, closed_account: 40, ..Faults::default() };
        let bank = SimulatedBank::new(u64::try_from(at).unwrap(), faults, self.office.today());
        let account = |scheme: usize, place: usize| self.members[scheme][place].account.clone();
        let reject = |bank: SimulatedBank, scheme, place| {
            bank.with_answer(account(scheme, place), Forced::Reject("3018".into()))
        };
        let bank = match at {
            0 => reject(reject(reject(bank, JIANGLI, 4), GQGAIGE, 7), PINYONG, 1),
            3 => reject(bank, SHENGHUO, 2),
            5 => reject(bank, TUIXIU, 4),
            DECEMBER => reject(bank, JIANGLIJIN, 12),
            _ => bank,
        };
        // So that it is known what the dead had.
        bank.with_answer(account(QIYE, DEAD), Forced::Credit).with_answer(account(POCHAN, DEAD), Forced::Credit)
    }

    async fn clear_bank_holds(&self) {
        for held in self.office.holds().await {
            if matches!(held.reason, HoldReason::Bank(_)) {
                clear_hold(&self.office.as_maker(), held.no, "已与本人和银行核对").await.unwrap();
            }
        }
    }

    /// Stops, and the money that is asked back after them.
    async fn tell(&mut self, at: usize) {
        let told = |m: &&Member| m.end.as_ref().is_some_and(|end| end.told == at);
        for (scheme, terms) in SCHEMES.iter().enumerate() {
            let stopped: Vec<Member> = self.members[scheme].iter().filter(told).cloned().collect();
            for member in stopped {
                let end = member.end.clone().unwrap();
                let over = self.stop(scheme, &member).await;
                let paid_since = if terms.rhythm == Rhythm::Monthly && end.reason == StopReason::Death {
                    end.months..at
                } else {
                    0..0
                };
                assert_eq!(over, paid_since.len(), "{} {member:?}", terms.code);
                if over > 0 {
                    self.ask_back(scheme, &member, member.fen * i64::try_from(over).unwrap(), at).await;
                }
                if end.reason == StopReason::Ineligible {
                    self.resolve_the_exclusion().await;
                }
            }
        }
        for place in (0..self.cases.len()).rev() {
            if self.cases[place].due == at {
                let Open { scheme, case, rest, .. } = self.cases.remove(place);
                assert!(self.repay(scheme, case, rest).await, "the case is closed");
            }
        }
    }

    /// Stops somebody, with a second person where the scheme asks for one; months overpaid by it.
    async fn stop(&self, scheme: usize, member: &Member) -> usize {
        let terms = &SCHEMES[scheme];
        let end = member.end.as_ref().unwrap();
        let change = Change {
            citizen_number: member.number.clone(),
            scheme: Some(terms.code.into()),
            what: What::Stop { reason: end.reason, on: day(end.on) },
            reason: "来函".into(),
            evidence: String::new(),
        };
        let entered = enter_change(&self.office.as_maker(), change).await.unwrap();
        assert_eq!(entered.pending.is_some(), terms.second_person, "{}", terms.code);
        let changed = match entered.pending {
            None => entered.changed,
            Some(request) => match accept(&self.office.as_reviewer(), request).await.unwrap() {
                Accepted::Changes(changed) => changed,
                other => panic!("{other:?}"),
            },
        };
        changed[0].overpaid.len()
    }

    async fn ask_back(&mut self, scheme: usize, member: &Member, over: i64, at: usize) {
        let maker = self.office.as_maker();
        let code = Some(SCHEMES[scheme].code);
        let opened = recover::open(&maker, &member.number, code, Cause::DeathToldLate, None).await.unwrap();
        assert_eq!(opened.case.total, Money(over), "{}", SCHEMES[scheme].code);
        let (case, half) = (opened.case.no, over / 2 + 1);
        assert!(!self.repay(scheme, case, half).await);
        self.cases.push(Open { scheme, case, rest: over - half, due: at + 2 });
    }

    /// Books a repayment; true when the case is closed by it.
    async fn repay(&mut self, scheme: usize, case: i64, fen: i64) -> bool {
        self.receipts += 1;
        let receipt = format!("收据{}", self.receipts);
        let finance = self.office.as_finance();
        let repaid = recover::repay(&finance, case, Money(fen), self.office.today(), &receipt).await.unwrap();
        self.repaid[scheme] += fen;
        repaid.recovery.case.closed.is_some()
    }

    async fn nobody_has_two_pensions(&self) {
        let twice = &self.members[QIYE][IN_BOTH];
        assert_eq!(twice.number, self.members[JIGUAN][IN_BOTH].number);
        let holds = self.office.holds().await;
        assert_eq!(holds.iter().filter(|h| h.reason == HoldReason::Exclusion).count(), 1);
        assert!([QIYE, JIGUAN].iter().all(|scheme| !self.banked[*scheme].contains_key(&twice.account)));
    }

    async fn resolve_the_exclusion(&self) {
        let holds = self.office.holds().await;
        let hold = holds.iter().find(|h| h.reason == HoldReason::Exclusion).unwrap();
        let note = "企业养老保险登记有误，只享受机关养老金";
        clear_hold(&self.office.as_maker(), hold.no, note).await.unwrap();
    }

    /// The month's lists of certifications, each accepted by a second person.
    async fn certify(&mut self, at: usize) {
        for ((terms, members), banked) in SCHEMES.iter().zip(&self.members).zip(&self.banked) {
            let mut list = "姓名,公民身份号码,认证日期,认证方式\n".to_string();
            let mut count = 0;
            for m in members {
                let Some((until, Some(again))) = m.certified else { continue };
                if again != at {
                    continue;
                }
                let paid: i64 = banked.get(&m.account).into_iter().flatten().sum();
                let owed: i64 = (0..=until).map(|at| m.owed(terms, at)).sum();
                assert!(paid <= owed, "paid while lapsed: {m:?}");
                let _ = writeln!(list, "{},{},{}-12,上门", m.name, m.number, month(at));
                count += 1;
            }
            if count > 0 {
                let name = format!("{}认证{}.csv", terms.code, month(at));
                let maker = self.office.as_maker();
                let certified = import_certifications(&maker, terms.code, &name, list.as_bytes(), None).await.unwrap();
                assert_eq!((certified.entered, certified.known), (count, 0));
                accept(&self.office.as_reviewer(), certified.pending.unwrap()).await.unwrap();
                self.certified += count;
            }
        }
    }

    async fn import(&self, scheme: usize, at: usize) -> Imported {
        let terms = &SCHEMES[scheme];
        let bytes = roster(terms, &self.members[scheme], at);
        let name = format!("{}-{}.csv", terms.code, month(at));
        let first = (at > 0).then(|| month(at));
        let input = ImportRoster {
            scheme: terms.code,
            file_name: &name,
            bytes: &bytes,
            charset: None,
            first,
            accept_good: false,
            dry_run: false,
        };
        match import_roster(&self.office.as_maker(), input).await {
            Ok(imported) => imported,
            Err(rejected) => panic!("{}: {:#?}", terms.code, rejected.failure),
        }
    }

    /// In July the rosters of the three payrolls come with one more person and one higher amount,
    /// and wait.
    async fn ask_for_new_rosters(&mut self) {
        for scheme in (0..SCHEMES.len()).filter(|scheme| SCHEMES[*scheme].second_person) {
            let imported = self.import(scheme, JULY).await;
            let found = (imported.new, imported.changed, imported.missing.len());
            assert_eq!(found, (1, 1, 0), "{} {:?} {:?}", SCHEMES[scheme].code, imported.changes, imported.missing);
            let request = imported.pending.unwrap();
            refused(accept(&self.office.as_maker(), request).await, "WRONG_ROLE");
            self.waiting.push((scheme, request));
        }
        assert_eq!(self.waiting.len(), 3);
    }

    async fn accept_rosters(&mut self) {
        for (scheme, request) in std::mem::take(&mut self.waiting) {
            let newcomer = &self.members[scheme].last().unwrap().account;
            assert!(!self.banked[scheme].contains_key(newcomer), "nothing was paid while it waited");
            match accept(&self.office.as_reviewer(), request).await.unwrap() {
                Accepted::Roster(imported) => assert_eq!((imported.new, imported.changed), (1, 1)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Prepares a run and has it approved; `None` when nothing is payable.
    async fn sign(&self, scheme: usize, periods: PeriodRange, kind: RunKind) -> Option<String> {
        let prepared = match prepare_run(&self.office.as_maker(), SCHEMES[scheme].code, periods, kind).await {
            Ok(prepared) => prepared,
            Err(failure) => {
                assert_eq!(failure.code, "NOTHING_PAYABLE", "{failure:?}");
                return None;
            }
        };
        let code = prepared.run.code;
        decide_run::submit(&self.office.as_maker(), &code).await.unwrap();
        decide_run::review(&self.office.as_reviewer(), &code).await.unwrap();
        decide_run::approve(&self.office.as_approver(), &code).await.unwrap();
        Some(code)
    }

    async fn send(&mut self, scheme: usize, code: &str, bank: &SimulatedBank) {
        let issued = match issue_files(&self.office.as_finance(), code).await {
            Ok(issued) => issued,
            Err(failure) => {
                assert_eq!(failure.code, "ALL_WITHHELD", "{failure:?}");
                decide_run::cancel(&self.office.as_approver(), code, "全部暂缓").await.unwrap();
                return;
            }
        };
        self.withheld += issued.withheld.len();
        for file in issued.files {
            let bytes = bank.answer(&file.bytes).unwrap();
            for row in read_answer(&bytes).unwrap().rows {
                match row.status {
                    AnswerStatus::Credited => {
                        self.banked[scheme].entry(row.account).or_default().push(row.amount.unwrap().fen());
                    }
                    AnswerStatus::Rejected => self.rejected += 1,
                    other => panic!("{other:?}"),
                }
            }
            let taken = take_return(&self.office.as_finance(), AnswerKind::Return, "回盘.txt", &bytes).await.unwrap();
            assert!(taken.findings.is_empty(), "{:?}", taken.findings);
        }
    }

    async fn money_adds_up(&self) {
        let all = self.office.appropriations().await;
        assert_eq!(all.len(), SCHEMES.len());
        for a in all {
            assert!([a.available, a.reserved, a.paid].iter().all(|m| *m >= Money::ZERO), "{a:?}");
            assert_eq!(a.appropriated, a.available + a.reserved + a.paid, "{a:?}");
        }
    }

    /// What December's bank rejected is paid by supplementary runs.
    async fn settle(&mut self) {
        let bank = self.office.good_bank();
        loop {
            self.clear_bank_holds().await;
            let mut moved = false;
            for (scheme, terms) in SCHEMES.iter().enumerate() {
                let periods = match terms.rhythm {
                    Rhythm::Monthly => PeriodRange { first: month(DECEMBER), last: month(DECEMBER) },
                    Rhythm::AtYearEnd => whole_year(),
                    Rhythm::Once => january(),
                };
                if let Some(run) = self.sign(scheme, periods, RunKind::Supplementary).await {
                    self.send(scheme, &run, &bank).await;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        assert!(self.office.holds().await.is_empty() && self.cases.is_empty());
    }

    fn owed(&self, scheme: usize) -> i64 {
        self.members[scheme].iter().map(|m| m.owed_in_all(&SCHEMES[scheme])).sum()
    }

    /// The books of the year against the rosters and the bank.
    async fn check_the_books(&self) {
        self.office.doctor().await;
        let books = self.office.reconcile(2026).await;
        assert!(books.balanced, "{:#?}", books.findings);
        assert_eq!(books.schemes.len(), SCHEMES.len());
        for (scheme, terms) in SCHEMES.iter().enumerate() {
            let year = books.schemes.iter().find(|s| s.scheme == terms.code).unwrap();
            assert_eq!(year.periods.len(), 12, "{}", terms.code);
            for (at, figures) in year.periods.iter().enumerate() {
                let owed = Money(self.members[scheme].iter().map(|m| m.owed(terms, at)).sum());
                assert!(figures.foots(), "{} {figures:?}", terms.code);
                let found = (figures.claim, figures.credited - figures.recovered);
                assert_eq!(found, (owed, owed), "{} {}", terms.code, figures.period);
                let rest = [figures.open, figures.uncovered, figures.overpaid, figures.offset_in];
                assert_eq!(rest, [Money::ZERO; 4], "{} {}", terms.code, figures.period);
            }
            let credited: i64 = self.banked[scheme].values().flatten().sum();
            assert_eq!(credited - self.repaid[scheme], self.owed(scheme), "{}", terms.code);
            let [money] = year.appropriations.as_slice() else { panic!("{:?}", year.appropriations) };
            assert_eq!(money.year_start_fen, Money(terms.budget), "{}", terms.code);
            assert_eq!((money.paid_fen, money.reserved_fen), (Money(self.owed(scheme)), Money::ZERO));
            assert_eq!(money.available_fen, Money(terms.budget - self.owed(scheme)), "{}", terms.code);
            assert_eq!((money.gross_paid_fen, money.returned_fen), (Money(credited), Money(self.repaid[scheme])));
            if let Some(plan) = year.plan_fen {
                assert!(plan <= money.year_start_fen, "{}: the budget pays the plan", terms.code);
            }
        }
    }

    /// Everyone, month by month and payment by payment.
    async fn check_everyone(&self) {
        let mut tx = self.office.as_finance().read().await.unwrap();
        for (scheme, terms) in SCHEMES.iter().enumerate() {
            let members: BTreeMap<&str, &Member> =
                self.members[scheme].iter().map(|m| (m.number.as_str(), m)).collect();
            let mut covered = cover::covered(&mut tx, AGENCY, terms.code).await.unwrap();
            let enrolled = enrolment::of_scheme(&mut tx, AGENCY, terms.code).await.unwrap();
            assert_eq!(enrolled.len(), members.len(), "{}", terms.code);
            for person in enrolled {
                let member = members[person.citizen_number.as_str()];
                let months = covered.remove(&person.no).unwrap_or_default();
                assert!(months.keys().all(|p| p.year() == 2026));
                for at in 0..12 {
                    let has = months.get(&month(at)).copied().unwrap_or_default();
                    assert_eq!(has, Money(member.owed(terms, at)), "{} {} {member:?}", terms.code, month(at));
                    assert!(scheme != POCHAN || has <= Money(12_000), "above the cap: {member:?}");
                }
                let paid = self.banked[scheme].get(&member.account).cloned().unwrap_or_default();
                if terms.rhythm != Rhythm::Monthly {
                    assert_eq!(paid, [member.owed_in_all(terms)], "{}: in one payment, once", terms.code);
                }
            }
        }
    }
}

fn january() -> PeriodRange {
    PeriodRange { first: month(0), last: month(0) }
}

fn whole_year() -> PeriodRange {
    PeriodRange { first: month(0), last: month(DECEMBER) }
}

#[tokio::test]
async fn a_year_of_the_centre_with_ten_schemes_side_by_side_reconciles_to_the_fen() {
    let is_full = std::env::var_os("FAFANG_CENTRE_FULL").is_some_and(|value| !value.is_empty());
    let (qiye, jiguan) = if is_full { (10_287, 3_615) } else { (100, 35) };
    let office = TestOffice::open(Engine::Sqlite, SCHEME).await.unwrap();
    for terms in &SCHEMES[1..] {
        office.load_scheme(terms.text).await;
        let lines = parse_budget(&format!("{}.toml", terms.code), terms.text.as_bytes(), None).unwrap();
        assert_eq!(load_budget(&office.as_finance(), &lines).await.unwrap().new.len(), 1, "{}", terms.code);
    }
    let members = rosters(&office, qiye, jiguan);
    let banked = vec![BTreeMap::new(); SCHEMES.len()];
    let mut centre = Centre {
        office: &office,
        members,
        banked,
        repaid: vec![0; SCHEMES.len()],
        rejected: 0,
        withheld: 0,
        receipts: 0,
        certified: 0,
        cases: Vec::new(),
        waiting: Vec::new(),
    };
    for at in 0..12 {
        centre.month(at).await;
    }
    centre.settle().await;
    centre.check_the_books().await;
    centre.check_everyone().await;

    // 200 people for 12 months but for one who died in May; the three files of one document.
    assert_eq!(centre.owed(POCHAN), 12_000 * (200 * 12 - 7));
    assert_eq!(centre.owed(JIANGLIJIN), 1_080_000 - 7 * 6_000);
    assert_eq!(centre.owed(GQGAIGE), 37_000_000);
    assert_eq!([PINYONG, JIANGLI, JINGBAN].map(|scheme| centre.owed(scheme)), [500_000, 1_000_000, 2_000_000]);
    let document = parse_budget("jingban.toml", SCHEMES[JINGBAN].text.as_bytes(), None).unwrap().remove(0);
    let all = office.appropriations().await;
    let of_document = || all.iter().filter(|a| a.document == document.funding.document.as_str());
    assert_eq!((of_document().count(), of_document().map(|a| a.paid).sum()), (3, Money(3_500_000)));

    assert_eq!(centre.repaid.iter().filter(|fen| **fen > 0).count(), 2);
    assert_eq!(centre.repaid[POCHAN], 2 * 12_000);
    assert_eq!(centre.repaid[QIYE], 2 * centre.members[QIYE][DEAD].fen);
    assert!(centre.rejected > 20 && centre.certified > 20 && centre.receipts == 4, "{}", centre.rejected);
    drop(centre);
    office.close().await;
}
