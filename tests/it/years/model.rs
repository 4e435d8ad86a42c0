//! The rules of the office, told a second time and naively: what everyone is owed, what covers it,
//! where the money stands, who may do what. Written from the rules; nothing of the engine's
//! calculation is called.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fafang::domain::enrolment::StopReason;
use fafang::domain::period::Period;

/// Months since year 0.
pub type Month = i32;
/// First month of the scheme: 2026-01.
pub const FIRST: Month = 2026 * 12;
/// How far standards are written down month by month.
const TABLE: usize = 20;

pub fn month_text(month: Month) -> String {
    format!("{:04}-{:02}", month / 12, month % 12 + 1)
}

pub fn period(month: Month) -> Period {
    month_text(month).parse().unwrap()
}

pub fn month_of(period: Period) -> Month {
    period.year() * 12 + i32::try_from(period.month()).unwrap() - 1
}

pub fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Name of a category: the only one has none.
pub fn category_name(category: usize, of: usize) -> &'static str {
    match (of, category) {
        (1, _) => "",
        (_, 0) => "甲类",
        _ => "乙类",
    }
}

/// A version of the scheme.
#[derive(Clone)]
pub struct Terms {
    /// Fen by category and month from [`FIRST`]; the last holds on.
    pub rates: Vec<Vec<i64>>,
    pub quarterly: bool,
    pub back_pay: bool,
    pub stop_month_paid: bool,
    pub last: Option<Month>,
    /// Documents of the appropriations in the scheme's own order.
    pub funding: Vec<(i32, String)>,
}

impl Terms {
    pub fn new(rates: &[i64], rise: Option<(usize, i64)>) -> Terms {
        let mut table: Vec<Vec<i64>> = rates.iter().map(|fen| vec![*fen; TABLE]).collect();
        if let Some((from, more)) = rise {
            table[0][from..].iter_mut().for_each(|fen| *fen += more);
        }
        Terms { rates: table, quarterly: false, back_pay: true, stop_month_paid: true, last: None, funding: Vec::new() }
    }

    fn rate(&self, category: usize, month: Month) -> i64 {
        let row = &self.rates[category];
        row[usize::try_from(month - FIRST).unwrap().min(row.len() - 1)]
    }

    /// The scheme file.
    pub fn toml(&self) -> String {
        let word = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
        let mut text = format!(
            "code = \"nian\"\nname = \"检验用补贴\"\npolicies = [\"新政办发〔2010〕168号\"]\npayment_way = \"一卡通\"\n\
             first = \"2026-01\"\nrelease = \"{}\"\nback_pay = \"{}\"\nstop_month = \"{}\"\n",
            word(self.quarterly, "quarterly", "monthly"),
            word(self.back_pay, "paid", "forfeited"),
            word(self.stop_month_paid, "paid", "not_paid"),
        );
        if let Some(last) = self.last {
            let _ = writeln!(text, "last = \"{}\"", month_text(last));
        }
        for (category, row) in self.rates.iter().enumerate() {
            let name = category_name(category, self.rates.len());
            let months = row.iter().zip(FIRST..).collect::<Vec<_>>();
            for same in months.chunk_by(|a, b| a.0 == b.0) {
                let ((fen, from), (_, to)) = (same[0], same[same.len() - 1]);
                let end =
                    if to == months[TABLE - 1].1 { String::new() } else { format!("to = \"{}\"\n", month_text(to)) };
                let (from, fen) = (month_text(from), yuan(*fen));
                let _ =
                    write!(text, "[[standard]]\ncategory = \"{name}\"\nfrom = \"{from}\"\n{end}monthly = \"{fen}\"\n");
            }
        }
        for (year, document) in &self.funding {
            let _ = write!(
                text,
                "[[appropriation]]\nyear = {year}\ndocument = \"{document}\"\nproject = \"检验\"\nfunction_code = \
                 \"2080601\"\neconomic_code = \"30305\"\nsource = \"superior\"\nexpenditure = \"project\"\namount = \
                 \"1.00\"\n"
            );
        }
        text
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub bank: String,
    pub number: String,
    pub holder: String,
}

pub struct Person {
    pub citizen_number: String,
    pub name: String,
    /// Place in the roster; `None` before enrolment.
    pub order: Option<i64>,
    pub category: usize,
    pub first: Month,
    pub last: Option<Month>,
    pub reason: Option<StopReason>,
    /// What the last roster said.
    pub roster_last: Option<Month>,
    /// Registered stops: last month, its day if it lies in that month, why, and the month it happened.
    pub stops: Vec<(Month, u32, StopReason, Month)>,
    /// Suspended from a month (`None`), or paid again from it, with the months before owed or not.
    pub marks: Vec<(Month, Option<bool>)>,
    pub account: Account,
    /// Who entered the account.
    pub set_by: String,
    /// Accounts this person may change to.
    pub spare: Vec<Account>,
}

impl Person {
    /// The earliest end counts; of two in one month the one with a day.
    pub fn settle(&mut self) {
        let roster = self.roster_last.map(|last| (last, 99, StopReason::Roster));
        let stops = self.stops.iter().map(|(last, day, reason, _)| (*last, *day, *reason));
        let order = |reason| match reason {
            StopReason::Death => 0,
            StopReason::Moved => 1,
            StopReason::Ineligible => 2,
            StopReason::Roster => 3,
            StopReason::Other => 4,
        };
        let end = stops.chain(roster).min_by_key(|(last, day, reason)| (*last, *day, order(*reason)));
        (self.last, self.reason) = (end.map(|e| e.0), end.map(|e| e.2));
    }

    /// First month of the suspension that has no end.
    pub fn open_suspension(&self) -> Option<Month> {
        let ended = self.marks.iter().filter(|(_, again)| again.is_some()).max().map(|(at, _)| *at);
        let is_after = |at: Month| ended.is_none_or(|ended| at > ended);
        self.marks.iter().filter(|(at, again)| again.is_none() && is_after(*at)).min().map(|(at, _)| *at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    Planned,
    Cancelled,
    Withheld,
    Sent,
    Credited,
    Rejected,
    Returned,
}

impl LineState {
    fn covers(self) -> bool {
        matches!(self, LineState::Planned | LineState::Sent | LineState::Credited)
    }
}

pub struct Line {
    pub who: usize,
    pub months: Vec<(Month, i64)>,
    pub amount: i64,
    pub account: Account,
    pub set_by: String,
    pub state: LineState,
    /// Appropriations its money comes from.
    pub split: Vec<(usize, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    Prepared,
    Submitted,
    Reviewed,
    Approved,
    Issued,
    Settled,
    Cancelled,
}

pub struct File {
    pub reference: String,
    pub bytes: Vec<u8>,
    /// Indices of its lines in the run.
    pub lines: Vec<usize>,
    pub is_answered: bool,
}

pub struct Run {
    pub no: i64,
    pub code: String,
    pub last: Month,
    pub is_regular: bool,
    pub lines: Vec<Line>,
    pub state: RunState,
    pub prepared_by: String,
    pub submitted_by: Option<String>,
    pub reviewed_by: Option<String>,
    pub approved_by: Option<String>,
    pub files: Vec<File>,
}

impl Run {
    pub fn total(&self) -> i64 {
        self.lines.iter().map(|l| l.amount).sum()
    }

    /// Open payments of a file.
    pub fn open(&self, file: usize) -> Vec<usize> {
        let lines = self.files[file].lines.iter().copied();
        lines.filter(|i| self.lines[*i].state == LineState::Sent).collect()
    }
}

pub struct Pot {
    pub year: i32,
    pub document: String,
    pub available: i64,
    pub reserved: i64,
    pub paid: i64,
    pub appropriated: i64,
}

pub struct Hold {
    pub who: usize,
    /// A new account answers it.
    pub by_account: bool,
    pub is_open: bool,
}

pub type Cover = BTreeMap<(usize, Month), i64>;
/// Person, month, claim, cover.
pub type Overpaid = (usize, Month, i64, i64);

/// What a run would pay and would have to say.
pub struct Payables {
    pub lines: Vec<Line>,
    pub held: Vec<(String, i64)>,
    pub overpaid: Vec<Overpaid>,
}

pub struct Model {
    pub terms: Vec<Terms>,
    pub people: Vec<Person>,
    pub runs: Vec<Run>,
    pub pots: Vec<Pot>,
    pub holds: Vec<Hold>,
    pub findings: i64,
}

impl Model {
    pub fn terms(&self) -> &Terms {
        self.terms.last().unwrap()
    }

    /// What someone is owed for a month, by the rules as they are now.
    pub fn claim(&self, who: usize, month: Month) -> i64 {
        let (person, terms) = (&self.people[who], self.terms());
        let is_within = month >= FIRST
            && month >= person.first
            && person.last.is_none_or(|last| month <= last)
            && terms.last.is_none_or(|last| month <= last);
        // The last mark up to the month says whether it is suspended, the next one whether that is made good.
        let last = person.marks.iter().filter(|(at, _)| *at <= month).max();
        let next = person.marks.iter().filter(|(at, again)| *at > month && again.is_some()).min();
        let is_blocked = matches!(last, Some((_, None))) && !matches!(next, Some((_, Some(true))));
        if person.order.is_some() && is_within && !is_blocked { terms.rate(person.category, month) } else { 0 }
    }

    /// Unknown and credited together, per person and month.
    pub fn cover(&self) -> Cover {
        let mut cover = Cover::new();
        for line in self.runs.iter().flat_map(|r| &r.lines).filter(|l| l.state.covers()) {
            for (month, fen) in &line.months {
                *cover.entry((line.who, *month)).or_default() += fen;
            }
        }
        cover
    }

    /// Months with more covered than owed: person, month, claim, cover.
    pub fn overpaid(&self) -> Vec<Overpaid> {
        let cover = self.cover();
        let months = cover.iter().map(|((who, month), fen)| (*who, *month, self.claim(*who, *month), *fen));
        months.filter(|(_, _, claim, cover)| cover > claim).collect()
    }

    pub fn is_held(&self, who: usize) -> bool {
        self.holds.iter().any(|h| h.is_open && h.who == who)
    }

    /// Everyone on the roster, in its order.
    pub fn enrolled(&self) -> Vec<usize> {
        let mut enrolled: Vec<usize> = (0..self.people.len()).filter(|i| self.people[*i].order.is_some()).collect();
        enrolled.sort_by_key(|i| self.people[*i].order);
        enrolled
    }

    pub fn payables(&self, last: Month) -> Payables {
        let cover = self.cover();
        let (mut lines, mut held) = (Vec::new(), Vec::new());
        for who in self.enrolled() {
            let person = &self.people[who];
            let mut months = Vec::new();
            for month in FIRST..=last {
                let open = self.claim(who, month) - cover.get(&(who, month)).copied().unwrap_or(0);
                if open > 0 {
                    months.push((month, open));
                }
            }
            let amount = months.iter().map(|(_, fen)| fen).sum();
            if amount > 0 && self.is_held(who) {
                held.push((person.name.clone(), amount));
            } else if amount > 0 {
                let (account, set_by) = (person.account.clone(), person.set_by.clone());
                lines.push(Line { who, months, amount, account, set_by, state: LineState::Planned, split: Vec::new() });
            }
        }
        lines.sort_by(|a, b| {
            (&a.account.bank, self.people[a.who].order).cmp(&(&b.account.bank, self.people[b.who].order))
        });
        Payables { lines, held, overpaid: self.overpaid() }
    }

    /// Lines of a run that may not be sent now.
    pub fn overtaken(&self, run: usize) -> Vec<usize> {
        let cover = self.cover();
        let is_too_much =
            |line: &Line| line.months.iter().any(|(m, _)| cover[&(line.who, *m)] > self.claim(line.who, *m));
        let lines = self.runs[run].lines.iter().enumerate();
        lines.filter(|(_, l)| self.is_held(l.who) || is_too_much(l)).map(|(i, _)| i).collect()
    }

    /// Appropriations that a run may draw on a day of this year, in order.
    fn usable(&self, run: usize, year: i32) -> Vec<usize> {
        let listed = |pot: &Pot| {
            let mut funding = self.terms().funding.iter();
            funding.position(|(y, d)| *y == pot.year && *d == pot.document).unwrap_or(99)
        };
        let mut usable: Vec<usize> =
            (0..self.pots.len()).filter(|i| (year - 1..=year).contains(&self.pots[*i].year)).collect();
        usable.sort_by_key(|i| (self.pots[*i].year != self.runs[run].last / 12, listed(&self.pots[*i]), *i));
        usable
    }

    /// Fen that are missing for a run.
    pub fn missing(&self, run: usize, year: i32) -> i64 {
        let have: i64 = self.usable(run, year).iter().map(|i| self.pots[*i].available).sum();
        (self.runs[run].total() - have).max(0)
    }

    /// Takes the money of a run, payment by payment.
    pub fn reserve(&mut self, run: usize, year: i32) {
        let usable = self.usable(run, year);
        let Model { runs, pots, .. } = self;
        for line in &mut runs[run].lines {
            let mut open = line.amount;
            line.split.clear();
            for i in &usable {
                let take = open.min(pots[*i].available);
                if take > 0 {
                    pots[*i].available -= take;
                    pots[*i].reserved += take;
                    line.split.push((*i, take));
                    open -= take;
                }
            }
            assert_eq!(open, 0, "the model's own sums");
        }
    }

    /// Moves a payment to another state, and its money with it.
    pub fn move_line(&mut self, run: usize, line: usize, to: LineState) {
        let Model { runs, pots, .. } = self;
        let line = &mut runs[run].lines[line];
        for (pot, fen) in &line.split {
            let pot = &mut pots[*pot];
            match to {
                LineState::Credited => {
                    pot.reserved -= fen;
                    pot.paid += fen;
                }
                LineState::Rejected | LineState::Withheld | LineState::Cancelled => {
                    pot.reserved -= fen;
                    pot.available += fen;
                }
                LineState::Returned => {
                    pot.paid -= fen;
                    pot.available += fen;
                }
                LineState::Planned | LineState::Sent => {}
            }
        }
        line.state = to;
    }

    /// Settles an issued run once every file is answered and nothing is open.
    pub fn settle(&mut self, run: usize) -> bool {
        let run = &mut self.runs[run];
        let is_done = (0..run.files.len()).all(|f| run.files[f].is_answered && run.open(f).is_empty());
        let settles = run.state == RunState::Issued && is_done;
        if settles {
            run.state = RunState::Settled;
        }
        settles
    }
}
