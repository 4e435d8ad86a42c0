//! What someone is entitled to (待遇资格), as it follows from facts.
//!
//! A fact says something about the world with its own month: died on a day, suspended from a month,
//! certified on a day. Facts are never changed; a wrong one is undone by another. What they mean
//! together depends on the set of them alone: the order in which the office learned of them does not
//! matter, and facts that would contradict each other are refused when they are entered.

use chrono::NaiveDate;

use super::enrolment::{StopReason, SuspensionCause};
use super::money::Money;
use super::period::Period;

/// From when to when someone is entitled, when not, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// First month owed, wholly or in part.
    pub first: Period,
    /// Day in that month, when it is known.
    pub first_day: Option<NaiveDate>,
    /// Last month owed, wholly or in part; `None` while it lasts.
    pub last: Option<Period>,
    /// The day of leaving, when the stop has one in that month.
    pub last_day: Option<NaiveDate>,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// Suspensions, by cause and first month.
    pub suspensions: Vec<Suspension>,
    /// 人员类别 by first month; never empty, the first holds for all earlier months too.
    pub categories: Vec<(Period, String)>,
    /// The person's own monthly amount by first month; empty where the scheme has standards. The
    /// first holds for all earlier months too.
    pub amounts: Vec<(Period, Money)>,
    /// Days of certification, in order.
    pub certified: Vec<NaiveDate>,
    /// Birth date, from the citizen number unless a correction was entered.
    pub born_on: Option<NaiveDate>,
    /// Retirement date.
    pub retired_on: Option<NaiveDate>,
}

/// Months that are not paid, at least for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// Why.
    pub cause: SuspensionCause,
    /// First suspended month.
    pub from: Period,
    /// First month paid again, `None` while suspended.
    pub resumed_from: Option<Period>,
    /// True when the suspended months are owed after all.
    pub back_paid: bool,
}

/// Something that happened, or a correction of what was written down at enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// 停发.
    Stopped {
        /// Last month owed.
        last: Period,
        /// The day it happened; a roster's last month has none.
        on: Option<NaiveDate>,
        /// Why.
        reason: StopReason,
    },
    /// 暂停.
    Suspended {
        /// First suspended month.
        from: Period,
        /// Why.
        cause: SuspensionCause,
    },
    /// 恢复.
    Resumed {
        /// First month paid again.
        from: Period,
        /// What is over.
        cause: SuspensionCause,
        /// The suspended months are owed after all.
        back_paid: bool,
    },
    /// 类别变更.
    Category {
        /// First month; `None` corrects the category from the beginning.
        from: Option<Period>,
        /// The category.
        category: String,
    },
    /// 月待遇变更.
    Amount {
        /// First month; `None` corrects the amount from the beginning.
        from: Option<Period>,
        /// The amount.
        monthly: Money,
    },
    /// 起始月变更.
    FirstMonth {
        /// First month owed.
        first: Period,
        /// Day in it, when known.
        day: Option<NaiveDate>,
    },
    /// 资格认证.
    Certified(NaiveDate),
    /// Correction of the birth date.
    Born(NaiveDate),
    /// Correction of the retirement date.
    Retired(NaiveDate),
    /// An earlier fact of this number was wrong.
    Undone(i64),
    /// Nothing that changes what is owed: another account, another name.
    Other,
}

impl Entitlement {
    /// What the enrolment (`self`) has become through numbered facts, given in order of their numbers.
    #[must_use]
    pub fn after(mut self, facts: &[(i64, Fact)]) -> Entitlement {
        let undone: Vec<i64> =
            facts.iter().filter_map(|(_, f)| if let Fact::Undone(no) = f { Some(*no) } else { None }).collect();
        let in_force = || facts.iter().filter(|(no, _)| !undone.contains(no)).map(|(_, fact)| fact);
        // A roster is a wanted state: its latest word replaces its earlier ones.
        let mut roster_last = self.last;
        for fact in in_force() {
            match fact {
                Fact::Stopped { last, reason: StopReason::Roster, .. } => roster_last = Some(*last),
                Fact::FirstMonth { first, day } => (self.first, self.first_day) = (*first, *day),
                Fact::Category { from: None, category } => self.categories[0].1.clone_from(category),
                Fact::Amount { from: None, monthly } => match self.amounts.first_mut() {
                    Some(base) => base.1 = *monthly,
                    None => self.amounts.push((self.first, *monthly)),
                },
                Fact::Category { from: Some(from), category } => self.categories.push((*from, category.clone())),
                Fact::Amount { from: Some(from), monthly } => self.amounts.push((*from, *monthly)),
                Fact::Certified(on) => self.certified.push(*on),
                Fact::Born(on) => self.born_on = Some(*on),
                Fact::Retired(on) => self.retired_on = Some(*on),
                Fact::Stopped { .. }
                | Fact::Suspended { .. }
                | Fact::Resumed { .. }
                | Fact::Undone(_)
                | Fact::Other => {}
            }
        }
        // Facts with a month of their own: their place in time counts, not when they were told.
        self.categories.sort_by_key(|(from, _)| *from);
        self.amounts.sort_by_key(|(from, _)| *from);
        self.certified.sort_unstable();
        self.certified.dedup();
        self.end(roster_last, in_force());
        self.suspensions = suspensions(&in_force().collect::<Vec<_>>());
        self
    }

    /// The earliest end counts; of two in one month, the one with the earlier day.
    fn end<'a>(&mut self, roster_last: Option<Period>, facts: impl Iterator<Item = &'a Fact>) {
        let by_roster = roster_last.map(|last| (last, None, StopReason::Roster));
        let registered = facts.filter_map(|fact| match fact {
            Fact::Stopped { reason: StopReason::Roster, .. } => None,
            Fact::Stopped { last, on, reason } => Some((*last, on.filter(|day| Period::of(*day) == *last), *reason)),
            _ => None,
        });
        let earliest = by_roster.into_iter().chain(registered).min_by_key(|(last, day, reason)| {
            (*last, day.unwrap_or(NaiveDate::MAX), StopReason::ALL.iter().position(|r| r == reason))
        });
        self.last = earliest.map(|(last, ..)| last);
        self.last_day = earliest.and_then(|(_, day, _)| day);
        self.stop_reason = earliest.map(|(.., reason)| reason);
    }

    /// 人员类别 in a month.
    pub fn category(&self, period: Period) -> &str {
        at(&self.categories, period).map_or("", |(_, category)| category.as_str())
    }

    /// The category that was last given.
    pub fn last_category(&self) -> &str {
        self.categories.last().map_or("", |(_, category)| category.as_str())
    }

    /// The person's own amount in a month, and the month from which it holds.
    pub fn amount(&self, period: Period) -> Option<(Period, Money)> {
        at(&self.amounts, period).copied()
    }

    /// True while suspended in a month for a reason that was registered.
    pub fn open_suspension(&self) -> Option<&Suspension> {
        self.suspensions.iter().find(|s| s.resumed_from.is_none())
    }
}

/// The day of a registered death that was not undone.
pub fn registered_death(facts: &[(i64, Fact)]) -> Option<NaiveDate> {
    let is_undone = |no: i64| facts.iter().any(|(_, fact)| *fact == Fact::Undone(no));
    let day = |fact: &Fact| match fact {
        Fact::Stopped { on, reason: StopReason::Death, .. } => *on,
        _ => None,
    };
    facts.iter().filter(|(no, _)| !is_undone(*no)).filter_map(|(_, fact)| day(fact)).min()
}

/// The entry in force in a month; the first one before its own month too.
fn at<T>(timeline: &[(Period, T)], period: Period) -> Option<&(Period, T)> {
    timeline.iter().rev().find(|(from, _)| *from <= period).or(timeline.first())
}

/// Each cause has its own line of months: suspended from, resumed from, suspended from … Being
/// suspended twice, or resumed without being suspended, says nothing new.
fn suspensions(facts: &[&Fact]) -> Vec<Suspension> {
    let mut found = Vec::new();
    for cause in SuspensionCause::ALL {
        let mut marks: Vec<(Period, Option<bool>)> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Suspended { from, cause: c } if *c == cause => Some((*from, None)),
                Fact::Resumed { from, cause: c, back_paid } if *c == cause => Some((*from, Some(*back_paid))),
                _ => None,
            })
            .collect();
        marks.sort_unstable();
        let mut open: Option<Period> = None;
        for (month, resumed) in marks {
            match (open, resumed) {
                (None, None) => open = Some(month),
                (Some(from), Some(back_paid)) => {
                    found.push(Suspension { cause, from, resumed_from: Some(month), back_paid });
                    open = None;
                }
                _ => {}
            }
        }
        found.extend(open.map(|from| Suspension { cause, from, resumed_from: None, back_paid: false }));
    }
    found
}

#[cfg(test)]
impl Entitlement {
    /// Entitled from a month on, for unit tests.
    pub(crate) fn sample(first: &str) -> Entitlement {
        let first: Period = first.parse().unwrap();
        Entitlement {
            first,
            first_day: None,
            last: None,
            last_day: None,
            stop_reason: None,
            suspensions: Vec::new(),
            categories: vec![(first, String::new())],
            amounts: Vec::new(),
            certified: Vec::new(),
            born_on: None,
            retired_on: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn stopped(last: &str, on: &str, reason: StopReason) -> Fact {
        Fact::Stopped { last: month(last), on: Some(day(on)), reason }
    }

    fn told(facts: &[Fact]) -> Entitlement {
        let numbered: Vec<(i64, Fact)> = (1..).zip(facts.iter().cloned()).collect();
        Entitlement::sample("2026-01").after(&numbered)
    }

    #[test]
    fn the_earliest_end_counts_and_an_undone_one_does_not() {
        let moved = stopped("2026-08", "2026-08-02", StopReason::Moved);
        let died = stopped("2026-05", "2026-05-12", StopReason::Death);
        let both = told(&[moved.clone(), died.clone()]);
        assert_eq!((both.last, both.stop_reason), (Some(month("2026-05")), Some(StopReason::Death)));
        assert_eq!(both.last_day, Some(day("2026-05-12")));
        let undone = told(&[moved, died, Fact::Undone(2)]);
        assert_eq!((undone.last, undone.stop_reason), (Some(month("2026-08")), Some(StopReason::Moved)));
        assert_eq!(told(&[stopped("2026-05", "2026-05-12", StopReason::Death), Fact::Undone(1)]).last, None);
    }

    #[test]
    fn a_later_roster_replaces_the_last_month_of_an_earlier_one() {
        let roster = |last: &str| Fact::Stopped { last: month(last), on: None, reason: StopReason::Roster };
        assert_eq!(told(&[roster("2026-04"), roster("2026-09")]).last, Some(month("2026-09")));
        let died = stopped("2026-06", "2026-06-01", StopReason::Death);
        assert_eq!(told(&[died.clone(), roster("2026-09")]).stop_reason, Some(StopReason::Death));
        assert_eq!(told(&[roster("2026-04"), died]).stop_reason, Some(StopReason::Roster));
    }

    #[test]
    fn one_cause_over_does_not_end_another() {
        let prison = SuspensionCause::Prison;
        let missing = SuspensionCause::Missing;
        let both = told(&[
            Fact::Suspended { from: month("2026-03"), cause: prison },
            Fact::Suspended { from: month("2026-04"), cause: missing },
            Fact::Resumed { from: month("2026-06"), cause: prison, back_paid: true },
        ]);
        assert_eq!(both.suspensions.len(), 2);
        assert_eq!(both.open_suspension().map(|s| s.cause), Some(missing));
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let months: Vec<Period> = month("2026-01").through(month("2026-12")).collect();
        let month = prop::sample::select(months);
        let cause = prop::sample::select(SuspensionCause::ALL.to_vec());
        let reason = prop::sample::select(vec![StopReason::Death, StopReason::Moved, StopReason::Other]);
        prop_oneof![
            (month.clone(), 1..28_i64, reason).prop_map(|(last, d, reason)| {
                Fact::Stopped { last, on: Some(last.first_day() + chrono::Days::new(d.unsigned_abs())), reason }
            }),
            (month.clone(), cause.clone()).prop_map(|(from, cause)| Fact::Suspended { from, cause }),
            (month.clone(), cause).prop_map(|(from, cause)| Fact::Resumed {
                from,
                cause,
                back_paid: from.month() % 2 == 0
            }),
            (month.clone(), 0..4_usize)
                .prop_map(|(from, c)| Fact::Category { from: Some(from), category: format!("{c}") }),
            (month.clone(), 1..9_i64).prop_map(|(from, m)| Fact::Amount { from: Some(from), monthly: Money(m * 100) }),
            month.prop_map(|m| Fact::Certified(m.first_day())),
        ]
    }

    /// What is refused at entry: two amounts or categories from one month, suspended and resumed in one month.
    fn contradict(one: &Fact, other: &Fact) -> bool {
        match (one, other) {
            (Fact::Category { from: x, .. }, Fact::Category { from: y, .. })
            | (Fact::Amount { from: x, .. }, Fact::Amount { from: y, .. }) => x == y,
            (
                Fact::Suspended { from: x, cause: c } | Fact::Resumed { from: x, cause: c, .. },
                Fact::Suspended { from: y, cause: d } | Fact::Resumed { from: y, cause: d, .. },
            ) => x == y && c == d,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_order_in_which_facts_are_told_does_not_matter(
            facts in prop::collection::vec(fact(), 0..12).prop_map(|facts| {
                let mut kept: Vec<Fact> = Vec::new();
                for fact in facts {
                    if !kept.iter().any(|k| contradict(k, &fact)) { kept.push(fact); }
                }
                kept
            }),
            seed in any::<prop::sample::Index>(), swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
        ) {
            let mut other = facts.clone();
            if !other.is_empty() {
                let by = seed.index(other.len());
                other.rotate_left(by);
                for (a, b) in swaps {
                    let (a, b) = (a.index(other.len()), b.index(other.len()));
                    other.swap(a, b);
                }
            }
            prop_assert_eq!(told(&facts), told(&other));
        }
    }
}
