//! How a statement joins what is known of an account: which of its entries were taken in before, which are new, and
//! whether its balances continue the ones before.
//!
//! Statements overlap (1–20 and 15–31), come twice in two formats, or several times a day. An entry is the same when
//! day and amount are, and the bank's reference where both have one; that this counts each booking once is proved by
//! the balances, which must chain: opening before all entries + every entry counted once = closing.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::domain::money::Money;
use crate::domain::statement::{Entry, Statement, TakenEntry};

/// What is known of an account.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Balance before its first entry, once a statement with balances was taken in.
    pub base: Option<Money>,
    /// Day up to which statements with balances tell of everything.
    pub complete_to: Option<NaiveDate>,
    /// First day of the statements with balances.
    pub complete_from: Option<NaiveDate>,
    /// Entries so far, each once.
    pub entries: Vec<TakenEntry>,
}

impl Known {
    /// From what is stored: first and last day and opening balance of the statements that have balances, in the order of
    /// taking in, and all entries.
    #[must_use]
    pub fn of(statements: impl Iterator<Item = (NaiveDate, NaiveDate, Money)>, entries: Vec<TakenEntry>) -> Known {
        let mut known = Known { entries, ..Known::default() };
        for (first_on, last_on, opening) in statements {
            known.complete(first_on, last_on, opening);
        }
        known
    }

    /// Adds a statement that joined, with its new entries.
    pub fn add(&mut self, statement: &Statement, new: Vec<TakenEntry>) {
        self.entries.extend(new);
        if let Some(balances) = statement.balances {
            self.complete(statement.first_on, statement.last_on, balances.opening);
        }
    }

    fn complete(&mut self, first_on: NaiveDate, last_on: NaiveDate, opening: Money) {
        if self.complete_from.is_none_or(|from| first_on < from) {
            self.base = Some(opening - self.balance(Money::ZERO, |day| day < first_on));
            self.complete_from = Some(first_on);
        }
        self.complete_to = self.complete_to.max(Some(last_on));
    }

    /// Balance after all entries of the days for which `is_counted`.
    fn balance(&self, base: Money, is_counted: impl Fn(NaiveDate) -> bool) -> Money {
        base + self.entries.iter().filter(|e| is_counted(e.entry.booked_on)).map(|e| e.entry.amount).sum()
    }
}

/// Why a statement does not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its opening balance is not the balance that is known.
    #[error(
        "期初余额 {} 与已读入的 {before} 之前的余额 {} 不衔接，差 {}",
        .found.grouped(), .expected.grouped(), (*.found - *.expected).grouped()
    )]
    Opening {
        /// Day of its first entry.
        before: NaiveDate,
        /// What it says.
        found: Money,
        /// What is known.
        expected: Money,
    },
    /// An entry that was taken in for its days is not in it.
    #[error("已读入的第 {no} 号分录（{on}，{} 元）不在这份对账单中", .amount.grouped())]
    Missing {
        /// Number of the entry.
        no: i64,
        /// Its day.
        on: NaiveDate,
        /// Its amount.
        amount: Money,
    },
    /// It has an entry of a day of which everything was told.
    #[error("有 {on} 的分录 {} 元（流水号“{bank_ref}”），而已读入的对账单到 {complete_to} 为止，其中没有它", .amount.grouped())]
    Unexpected {
        /// Its day.
        on: NaiveDate,
        /// Its amount.
        amount: Money,
        /// The bank's reference.
        bank_ref: String,
        /// Day up to which everything is known.
        complete_to: NaiveDate,
    },
}

impl Unfit {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Unfit::Opening { .. } => "STATEMENT_DOES_NOT_CHAIN",
            Unfit::Missing { .. } | Unfit::Unexpected { .. } => "STATEMENT_CONTRADICTS",
        }
    }
}

/// For each entry of the statement the number under which it was taken in before; `None` for a new one.
pub type Places = Vec<Option<i64>>;

/// Joins a statement to what is known.
///
/// # Errors
/// When the two cannot both be true.
pub fn join(known: &Known, statement: &Statement) -> Result<Places, Unfit> {
    let Some(balances) = statement.balances else { return advice(known, statement) };
    let Some(base) = known.base else { return whole_days(known, statement, None) };
    let first = statement.first_on;
    let before = known.balance(base, |day| day < first);
    if balances.opening == before {
        let joined = whole_days(known, statement, Some(base));
        if joined.is_ok() {
            return joined;
        }
        // Or what it tells goes on where the last one of the same day ended, with the same balance by chance.
        return if continues(known, base, statement) { Ok(vec![None; statement.entries.len()]) } else { joined };
    }
    if continues(known, base, statement) {
        return Ok(vec![None; statement.entries.len()]);
    }
    let is_before_all = known.complete_from.is_none_or(|from| statement.last_on < from);
    if is_before_all && balances.closing == base {
        return Ok(vec![None; statement.entries.len()]);
    }
    let expected = if is_before_all { balances.opening + base - balances.closing } else { before };
    Err(Unfit::Opening { before: first, found: balances.opening, expected })
}

/// Several statements of one day: this one begins with the balance after everything that is known.
fn continues(known: &Known, base: Money, statement: &Statement) -> bool {
    let last = known.entries.iter().map(|e| e.entry.booked_on).max();
    last.is_some_and(|last| last <= statement.first_on)
        && statement.balances.is_some_and(|b| b.opening == known.balance(base, |_| true))
}

/// A statement of whole days: what is known of them is in it.
fn whole_days(known: &Known, statement: &Statement, base: Option<Money>) -> Result<Places, Unfit> {
    let (places, left) = pair(known, statement, true);
    if let Some(complete_to) = known.complete_to {
        unexpected(statement, &places, complete_to)?;
    }
    // A statement that was printed within its last day may lack what came later that day, but then brings nothing new.
    let nothing_new = base.is_some() && places.iter().all(Option::is_some);
    let lacks = left.into_iter().find(|e| {
        let day = e.entry.booked_on;
        (statement.first_on..=statement.last_on).contains(&day) && !(nothing_new && day == statement.last_on)
    });
    match lacks {
        None => Ok(places),
        Some(TakenEntry { no, entry }) => Err(Unfit::Missing { no: *no, on: entry.booked_on, amount: entry.amount }),
    }
}

/// Without balances only the bank's reference, or everything that is said, makes two entries one.
fn advice(known: &Known, statement: &Statement) -> Result<Places, Unfit> {
    let (places, _) = pair(known, statement, false);
    if let Some(complete_to) = known.complete_to {
        unexpected(statement, &places, complete_to)?;
    }
    Ok(places)
}

/// No new entry lies before the day up to which everything is known; on that day itself more may have come.
fn unexpected(statement: &Statement, places: &[Option<i64>], complete_to: NaiveDate) -> Result<(), Unfit> {
    let new = statement.entries.iter().zip(places).filter(|(_, place)| place.is_none()).map(|(entry, _)| entry);
    match new.min_by_key(|entry| entry.booked_on).filter(|entry| entry.booked_on < complete_to) {
        None => Ok(()),
        Some(entry) => {
            let (on, amount, bank_ref) = (entry.booked_on, entry.amount, entry.bank_ref.clone());
            Err(Unfit::Unexpected { on, amount, bank_ref, complete_to })
        }
    }
}

/// Whether two entries may be one.
type IsSame<'a> = &'a dyn Fn(&Entry, &Entry) -> bool;

/// Finds for each entry a known one that is the same, each used once; and the known ones that are left.
fn pair<'k>(known: &'k Known, statement: &Statement, is_proved: bool) -> (Places, Vec<&'k TakenEntry>) {
    let mut by_day: HashMap<(NaiveDate, Money), Vec<&TakenEntry>> = HashMap::new();
    for taken in &known.entries {
        by_day.entry((taken.entry.booked_on, taken.entry.amount)).or_default().push(taken);
    }
    let mut places: Places = vec![None; statement.entries.len()];
    let same_ref = |a: &Entry, b: &Entry| !a.bank_ref.is_empty() && a.bank_ref == b.bank_ref && a.our_ref == b.our_ref;
    let same_text = |a: &Entry, b: &Entry| a == b;
    let may_be = |a: &Entry, b: &Entry| a.bank_ref.is_empty() || b.bank_ref.is_empty() || a.bank_ref == b.bank_ref;
    let rules: [IsSame<'_>; 3] = [&same_text, &same_ref, &may_be];
    for is_same in &rules[..if is_proved { 3 } else { 2 }] {
        for (entry, place) in statement.entries.iter().zip(&mut places) {
            let Some(candidates) = by_day.get_mut(&(entry.booked_on, entry.amount)) else { continue };
            if place.is_none()
                && let Some(at) = candidates.iter().position(|taken| is_same(&taken.entry, entry))
            {
                *place = Some(candidates.remove(at).no);
            }
        }
    }
    let mut left: Vec<&TakenEntry> = by_day.into_values().flatten().collect();
    left.sort_by_key(|taken| (taken.entry.booked_on, taken.no));
    (places, left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::statement::Balances;

    fn on(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn entry(day: u32, yuan: i64, bank_ref: &str) -> Entry {
        Entry {
            booked_on: on(day),
            valued_on: None,
            amount: Money(yuan * 100),
            bank_ref: bank_ref.into(),
            our_ref: String::new(),
            counterparty_name: String::new(),
            counterparty_account: String::new(),
            text: String::new(),
            code: String::new(),
            is_reversal: false,
        }
    }

    fn statement(opening: i64, entries: &[Entry], last: u32) -> Statement {
        let sum: Money = entries.iter().map(|e| e.amount).sum();
        let opening = Money(opening * 100);
        let balances = Some(Balances { opening, closing: opening + sum });
        Statement::new("62280001", "1", Some(on(last)), balances, entries.to_vec()).unwrap()
    }

    /// Takes a statement in as the office does.
    fn take(known: &mut Known, statement: &Statement) -> Result<usize, Unfit> {
        let places = join(known, statement)?;
        let new =
            statement.entries.iter().zip(places).filter(|(_, place)| place.is_none()).map(|(entry, _)| entry.clone());
        let next = i64::try_from(known.entries.len()).unwrap() + 1;
        let new: Vec<TakenEntry> = (next..).zip(new).map(|(no, entry)| TakenEntry { no, entry }).collect();
        let count = new.len();
        known.add(statement, new);
        Ok(count)
    }

    #[test]
    fn overlapping_statements_count_each_entry_once() {
        let all =
            [entry(5, 1_000, "a"), entry(16, -360, "b"), entry(16, -5, ""), entry(16, -5, ""), entry(25, 120, "c")];
        let mut known = Known::default();
        assert_eq!(take(&mut known, &statement(50, &all[..4], 20)), Ok(4));
        assert_eq!(take(&mut known, &statement(1_050, &all[1..], 31)), Ok(1));
        assert_eq!(take(&mut known, &statement(50, &all, 31)), Ok(0), "the whole month once more");
        // In another format, without references.
        let bare: Vec<Entry> = all.iter().map(|e| Entry { bank_ref: String::new(), ..e.clone() }).collect();
        assert_eq!(take(&mut known, &statement(50, &bare, 31)), Ok(0));
    }

    #[test]
    fn several_statements_of_a_day_go_on_from_each_other() {
        let mut known = Known::default();
        assert_eq!(take(&mut known, &statement(100, &[entry(20, -10, ""), entry(20, 10, "")], 20)), Ok(2));
        // The same balance by chance, and other bookings.
        assert_eq!(take(&mut known, &statement(100, &[entry(20, -7, "")], 20)), Ok(1));
        assert_eq!(take(&mut known, &statement(93, &[entry(20, -7, ""), entry(21, 7, "")], 21)), Ok(2));
        // Printed within the day, after the whole day is known.
        assert_eq!(take(&mut known, &statement(100, &[entry(20, -10, "")], 20)), Ok(0));
    }

    #[test]
    fn what_does_not_chain_is_named_with_both_figures() {
        let mut known = Known::default();
        take(&mut known, &statement(50, &[entry(5, 1_000, "a"), entry(16, -360, "b")], 20)).unwrap();
        let gap = take(&mut known, &statement(700, &[entry(25, 120, "c")], 31)).unwrap_err();
        assert_eq!(gap.code(), "STATEMENT_DOES_NOT_CHAIN");
        assert_eq!(gap.to_string(), "期初余额 700.00 与已读入的 2026-01-25 之前的余额 690.00 不衔接，差 10.00");
        let other = take(&mut known, &statement(1_050, &[entry(16, -361, "b")], 20)).unwrap_err();
        assert_eq!(
            other.to_string(),
            "有 2026-01-16 的分录 -361.00 元（流水号“b”），而已读入的对账单到 2026-01-20 为止，其中没有它"
        );
        let lacking = take(&mut known, &statement(50, &[entry(5, 1_000, "a")], 20)).unwrap_err();
        assert_eq!(lacking.to_string(), "已读入的第 2 号分录（2026-01-16，-360.00 元）不在这份对账单中");
        assert_eq!(take(&mut known, &statement(690, &[], 31)), Ok(0), "a month without movements");
        assert!(take(&mut known, &statement(691, &[], 31)).is_err());
    }

    #[test]
    fn an_earlier_statement_comes_before() {
        let mut known = Known::default();
        take(&mut known, &statement(1_050, &[entry(16, -360, "b")], 20)).unwrap();
        assert!(take(&mut known, &statement(49, &[entry(5, 1_000, "a")], 10)).is_err());
        assert_eq!(take(&mut known, &statement(50, &[entry(5, 1_000, "a")], 10)), Ok(1));
        assert_eq!(known.base, Some(Money(5_000)));
        assert_eq!(take(&mut known, &statement(50, &[entry(5, 1_000, "a"), entry(16, -360, "b")], 20)), Ok(0));
    }

    #[test]
    fn what_an_advice_told_is_in_the_statement_later() {
        let mut known = Known::default();
        let mut advice = statement(0, &[entry(16, 120, "c"), entry(16, 120, "d")], 16);
        advice.balances = None;
        assert_eq!(take(&mut known, &advice), Ok(2));
        assert_eq!(take(&mut known, &advice), Ok(0));
        let month = [entry(5, 1_000, "a"), entry(16, 120, "c"), entry(16, 120, "d"), entry(16, -360, "b")];
        assert_eq!(take(&mut known, &statement(50, &month, 31)), Ok(2));
        assert_eq!(known.base, Some(Money(5_000)));
        advice.entries.push(entry(17, 1, "x"));
        assert_eq!(take(&mut known, &advice).unwrap_err().code(), "STATEMENT_CONTRADICTS");
    }

    proptest! {
        /// However a month is cut into statements of whole days that overlap, in whatever order they follow each other,
        /// with references or without, each booking is counted once.
        #[test]
        fn each_booking_is_counted_once(
            days in prop::collection::vec((1_u32..=28, -3_i64..=3, any::<bool>()), 1..40),
            cuts in prop::collection::vec((1_u32..=28, 0_u32..=10, any::<bool>()), 1..8),
        ) {
            let mut all: Vec<Entry> = days
                .iter()
                .enumerate()
                .filter(|(_, (_, yuan, _))| *yuan != 0)
                .map(|(at, (day, yuan, has))| entry(*day, *yuan, &if *has { format!("r{at}") } else { String::new() }))
                .collect();
            all.sort_by_key(|e| e.booked_on);
            let mut known = Known::default();
            let mut reached: u32 = 0;
            for (_, more, bare) in &cuts {
                // From some known day on, to some later day.
                let from = reached.saturating_sub(*more).max(1);
                let to = (reached + more + 1).min(28);
                let opening: Money = all.iter().filter(|e| e.booked_on < on(from)).map(|e| e.amount).sum();
                let part: Vec<Entry> = all
                    .iter()
                    .filter(|e| (on(from)..=on(to)).contains(&e.booked_on))
                    .map(|e| if *bare { Entry { bank_ref: String::new(), ..e.clone() } } else { e.clone() })
                    .collect();
                take(&mut known, &statement(opening.fen() / 100, &part, to)).unwrap();
                reached = reached.max(to);
                let expected = all.iter().filter(|e| e.booked_on <= on(reached)).count();
                prop_assert_eq!(known.entries.len(), expected);
            }
        }
    }
}
